//! Rows of a leaf to columns, where they lie: what a long scan of a table does instead of copying entries.
//!
//! ```text
//!   leaf, under its latch          tests on stored bytes          columns that grow from leaf to leaf
//!   | row | row | row | ... |  ->  | 0 | 3 | 4 | ...          ->  [ a: .. ] [ b: .. ] [ c: .. ]
//! ```
//! Of a leaf's rows the heads are read; the tests ([`super::leaf_tests`]) leave positions; only of these are the wanted
//! columns read, each by a loop of its own straight into the vector that the batch will have. A leaf is small enough
//! to lie in the nearest cache all that while, and short enough for the time under its latch to be microseconds.
//!
//! Whatever is not as it should be (a row of another layout, bytes that are no value) sends its whole leaf the general
//! way: its entries are copied, and come in their turn. Rows come in the order of the scan.

use std::collections::VecDeque;

use arrow_array::{BinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use rustydb_transaction::EntryBatch;
use rustydb_value::{RowRef, TimeZone, TypeKind, ValueRef, decode_column};
use smallvec::SmallVec;

use super::batch::{Batch, MAX_ROWS};
use super::leaf_tests::Test;
use super::row_columns::{Form, date, datetime, form_of, signed, unsigned, wide};
use super::scan::{is_timestamp, to_local, type_of};
use crate::error::SqlError;
use crate::expr::types::ExprType;
use crate::expr::vector::{Builder, Data, Vector};
use crate::stored::{RowReader, damaged};

/// Rows at which a batch is full enough: the next leaf would make it too large.
const FULL: usize = MAX_ROWS * 3 / 4;

/// Rows after which it is known whether a test for a join's keys pays.
const TRIAL: usize = 2 * MAX_ROWS;

/// What leaves have given.
pub enum Gathered {
    /// Rows that have passed all tests.
    Rows(Batch),
    /// Entries that are to be read the general way, and have not been tested.
    Entries(EntryBatch),
}

/// The values of a column so far.
enum Values {
    Ints(Vec<i64>),
    UInts(Vec<u64>),
    Doubles(Vec<f64>),
    Short(Vec<i64>),
    Long(Vec<i128>),
    Strings { ends: Vec<i32>, bytes: Vec<u8>, text: bool },
    Other(Builder),
}

/// A column that is being filled.
struct Filling {
    /// Its place in the table.
    at: usize,
    ty: ExprType,
    form: Form,
    values: Values,
    /// Whether each row has a value; empty as long as all have.
    valid: Vec<bool>,
    rows: usize,
}

/// Whether a test that need not be made pays.
#[derive(Default)]
struct Trial {
    seen: usize,
    passed: usize,
    is_lost: bool,
}

impl Trial {
    fn note(&mut self, test: &Test, seen: usize, passed: usize) {
        if !matches!(test, Test::Keys(_)) || self.seen >= TRIAL {
            return;
        }
        self.seen += seen;
        self.passed += passed;
        self.is_lost = self.seen >= TRIAL && self.passed > self.seen / 8 * 7;
    }
}

/// Rows of one table, gathered leaf by leaf.
pub struct LeafRows {
    reader: RowReader,
    zone: TimeZone,
    columns: Vec<Filling>,
    tests: Vec<(Test, Trial)>,
    kept: Vec<u32>,
    rows: usize,
    ready: VecDeque<Gathered>,
    failed: Option<SqlError>,
}

impl LeafRows {
    /// For these columns of the rows that pass the tests; None if the table or a column has no such way.
    pub fn new(reader: &RowReader, columns: &[usize], tests: Vec<Test>, zone: TimeZone) -> Option<LeafRows> {
        let def = reader.table();
        if !reader.is_in_order() {
            return None;
        }
        let filling = |at: &usize| {
            let form = form_of(&def.columns.get(*at)?.ty.kind);
            Some(Filling::new(*at, type_of(def, *at), form, &def.columns.get(*at)?.ty.kind))
        };
        Some(LeafRows {
            columns: columns.iter().map(filling).collect::<Option<_>>()?,
            reader: reader.clone(),
            zone,
            tests: tests.into_iter().map(|test| (test, Trial::default())).collect(),
            kept: Vec::new(),
            rows: 0,
            ready: VecDeque::new(),
            failed: None,
        })
    }

    /// Takes the rows of a leaf.
    pub fn take(&mut self, values: &[&[u8]]) {
        let mut rows = SmallVec::<[RowRef<'_>; 160]>::new();
        for value in values {
            match self.reader.current(value) {
                Some(row) => rows.push(row),
                None => return self.set_aside(values),
            }
        }
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        kept.extend(0..rows.len() as u32);
        let mut sound = true;
        for (test, trial) in &mut self.tests {
            if kept.is_empty() {
                break;
            }
            if !trial.is_lost {
                let before = kept.len();
                sound = sound && test.narrow(&rows, &mut kept);
                trial.note(test, before, kept.len());
            }
        }
        if sound && !kept.is_empty() {
            for column in &mut self.columns {
                sound = sound && column.extend(&rows, &kept, &self.reader, self.zone, &mut self.failed);
            }
        }
        if sound {
            self.rows += kept.len();
            if self.rows >= FULL {
                self.flush();
            }
        } else {
            let before = self.rows;
            self.columns.iter_mut().for_each(|column| column.truncate(before));
            self.set_aside(values);
        }
        self.kept = kept;
    }

    /// Has entries read the general way.
    fn set_aside(&mut self, values: &[&[u8]]) {
        self.flush();
        let entries = match self.ready.back_mut() {
            Some(Gathered::Entries(entries)) if entries.len() < MAX_ROWS => entries,
            _ => {
                self.ready.push_back(Gathered::Entries(EntryBatch::new()));
                let Some(Gathered::Entries(entries)) = self.ready.back_mut() else { return };
                entries
            }
        };
        values.iter().for_each(|value| entries.push(&[], value));
    }

    /// Makes the rows so far a batch.
    pub fn flush(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return;
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            match column.finish() {
                Some(vector) => columns.push(vector),
                None => {
                    let error = rustydb_value::Error::CorruptRow("a text is not UTF-8");
                    self.failed = Some(damaged(self.reader.table(), error));
                    return;
                }
            }
        }
        let batch = Batch { columns, rows };
        if rows <= MAX_ROWS {
            self.ready.push_back(Gathered::Rows(batch));
            return;
        }
        for from in (0..rows).step_by(MAX_ROWS) {
            self.ready.push_back(Gathered::Rows(batch.slice(from, MAX_ROWS)));
        }
    }

    /// Whether something can be given.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty() || self.failed.is_some()
    }

    /// The next that is ready.
    pub fn give(&mut self) -> Result<Option<Gathered>, SqlError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(self.ready.pop_front()),
        }
    }
}

impl Filling {
    fn new(at: usize, ty: ExprType, form: Form, kind: &TypeKind) -> Filling {
        let values = match form {
            Form::Signed | Form::Date | Form::DateTime => Values::Ints(Vec::new()),
            Form::Unsigned => Values::UInts(Vec::new()),
            Form::Double => Values::Doubles(Vec::new()),
            Form::Decimal => match kind {
                TypeKind::Decimal { precision, .. } if *precision <= 18 => Values::Short(Vec::new()),
                _ => Values::Long(Vec::new()),
            },
            Form::Text | Form::Bytes => {
                Values::Strings { ends: Vec::new(), bytes: Vec::new(), text: form == Form::Text }
            }
            Form::Key | Form::Other => Values::Other(Builder::of(&ty, 0)),
        };
        Filling { at, ty, form, values, valid: Vec::new(), rows: 0 }
    }

    /// Adds the values of some rows; false if the bytes of one are none.
    fn extend(
        &mut self,
        rows: &[RowRef<'_>],
        kept: &[u32],
        reader: &RowReader,
        zone: TimeZone,
        failed: &mut Option<SqlError>,
    ) -> bool {
        let (at, form, before) = (self.at, self.form, self.rows);
        self.rows += kept.len();
        let raw = |row: &u32| rows.get(*row as usize).and_then(|row| row.column(at));
        let valid = &mut self.valid;
        match &mut self.values {
            Values::Ints(values) => match form {
                Form::Date => fixed(kept, raw, values, valid, date),
                Form::DateTime => {
                    let fsp = self.ty.decimals.min(6);
                    fixed(kept, raw, values, valid, |raw| datetime(raw, fsp))
                }
                _ => fixed(kept, raw, values, valid, signed),
            },
            Values::UInts(values) => fixed(kept, raw, values, valid, unsigned),
            Values::Doubles(values) => {
                fixed(kept, raw, values, valid, |raw| Some(f64::from_le_bytes(raw.try_into().ok()?)))
            }
            Values::Short(values) => fixed(kept, raw, values, valid, signed),
            Values::Long(values) => fixed(kept, raw, values, valid, wide),
            Values::Strings { ends, bytes, .. } => {
                for (place, row) in kept.iter().enumerate() {
                    match raw(row) {
                        Some(raw) => bytes.extend_from_slice(raw),
                        None => note_null(valid, before + place),
                    }
                    let Ok(end) = i32::try_from(bytes.len()) else { return false };
                    ends.push(end);
                }
                true
            }
            Values::Other(builder) => {
                let def = reader.table();
                let timestamp = is_timestamp(def, at);
                for row in kept {
                    let value = match (raw(row), def.columns.get(at)) {
                        (Some(raw), Some(column)) => decode_column(&column.ty, raw),
                        _ => Ok(ValueRef::Null),
                    };
                    match value {
                        Ok(value) => builder.push(if timestamp { to_local(value, zone) } else { value }),
                        Err(error) => {
                            builder.push_null();
                            *failed = Some(damaged(def, error));
                        }
                    }
                }
                true
            }
        }
    }

    /// Forgets all but the first rows.
    fn truncate(&mut self, rows: usize) {
        self.rows = rows;
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Ints(values) | Values::Short(values) => values.truncate(rows),
            Values::UInts(values) => values.truncate(rows),
            Values::Doubles(values) => values.truncate(rows),
            Values::Long(values) => values.truncate(rows),
            Values::Strings { ends, bytes, .. } => {
                ends.truncate(rows);
                bytes.truncate(ends.last().map_or(0, |end| *end as usize));
            }
            // A builder does not go back; its rows are finished apart.
            Values::Other(builder) => {
                let all = std::mem::replace(builder, Builder::of(&self.ty, rows)).finish();
                for row in 0..rows.min(all.len()) {
                    let value = super::accumulator::raw_value(&all, row, &self.ty);
                    builder.push(value.as_ref());
                }
            }
        }
    }

    /// The column so far, which begins anew; None if a text is not UTF-8.
    fn finish(&mut self) -> Option<Vector> {
        let rows = std::mem::take(&mut self.rows);
        let mut valid = std::mem::take(&mut self.valid);
        let nulls = (!valid.is_empty()).then(|| {
            valid.resize(rows, true);
            NullBuffer::from(valid)
        });
        fn renewed<T>(values: &mut Vec<T>) -> Vec<T> {
            let room = Vec::with_capacity(values.len() + values.len() / 4);
            std::mem::replace(values, room)
        }
        Some(match &mut self.values {
            Values::Ints(values) => Vector::ints(renewed(values), nulls),
            Values::UInts(values) => Vector::uints(renewed(values), nulls),
            Values::Doubles(values) => Vector::doubles(renewed(values), nulls),
            Values::Short(values) => Vector::short_decimals(renewed(values), nulls),
            Values::Long(values) => Vector::long_decimals(renewed(values), nulls),
            Values::Strings { ends, bytes, text } => {
                let mut offsets = Vec::with_capacity(ends.len() + 1);
                offsets.push(0);
                offsets.append(ends);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let bytes = Buffer::from_vec(renewed(bytes));
                let data = if *text {
                    Data::Text(StringArray::try_new(offsets, bytes, nulls).ok()?)
                } else {
                    Data::Binary(BinaryArray::try_new(offsets, bytes, nulls).ok()?)
                };
                Vector::array(data, rows)
            }
            Values::Other(builder) => std::mem::replace(builder, Builder::of(&self.ty, 0)).finish(),
        })
    }
}

fn note_null(valid: &mut Vec<bool>, row: usize) {
    valid.resize(row, true);
    valid.push(false);
}

/// Adds the values of a column of fixed length.
#[inline]
fn fixed<'a, T: Copy + Default>(
    kept: &[u32],
    raw: impl Fn(&u32) -> Option<&'a [u8]>,
    values: &mut Vec<T>,
    valid: &mut Vec<bool>,
    read: impl Fn(&[u8]) -> Option<T>,
) -> bool {
    values.reserve(kept.len());
    for row in kept {
        match raw(row) {
            Some(raw) => match read(raw) {
                Some(value) => values.push(value),
                None => return false,
            },
            None => {
                note_null(valid, values.len());
                values.push(T::default());
            }
        }
    }
    true
}
