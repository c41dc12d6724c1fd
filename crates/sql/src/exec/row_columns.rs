//! Stored rows to columns: each column by a loop of its own, chosen once for a scan.
//!
//! The heads of a batch's rows are read once; then every column that is wanted is read from all of them, or from
//! those that a filter has kept. A loop knows how its column is stored and fills a plain vector; nothing is made per
//! value. Rows of an older layout, rarer types, and bytes that do not look as they should take the way through
//! [`StoredRow::value`], which knows all of them and tells what is damaged.

use std::sync::Arc;

use arrow_array::{BinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use rustydb_transaction::EntryBatch;
use rustydb_value::{Date, DateTime, TimeZone, TypeKind, ValueRef};

use super::scan::{is_timestamp, to_local, type_of};
use crate::error::SqlError;
use crate::expr::types::ExprType;
use crate::expr::vector::{Builder, Data, Vector};
use crate::stored::{RowReader, StoredRow};

/// How the values of a column are stored.
#[allow(missing_docs, reason = "the names say it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Signed,
    Unsigned,
    Date,
    DateTime,
    Decimal,
    Double,
    Text,
    Bytes,
    /// The key of the row.
    Key,
    /// Anything else.
    Other,
}

/// A column that a scan gives.
#[derive(Debug, Clone)]
struct Column {
    /// Its place in the table.
    at: usize,
    ty: ExprType,
    form: Form,
}

/// Reads some columns of the rows of one table.
#[derive(Clone)]
pub struct RowColumns {
    reader: RowReader,
    columns: Arc<[Column]>,
}

/// The rows of a batch, their heads read.
pub struct StoredRows<'a> {
    rows: Vec<StoredRow<'a>>,
    /// The entry of each row.
    places: Vec<u32>,
    entries: &'a EntryBatch,
    /// Whether all of them have the table's current layout.
    current: bool,
}

impl StoredRows<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Only the rows at these positions.
    pub fn keep(&mut self, positions: &[u32]) {
        self.rows = positions.iter().filter_map(|at| self.rows.get(*at as usize).copied()).collect();
        self.places = positions.iter().filter_map(|at| self.places.get(*at as usize).copied()).collect();
    }
}

impl RowColumns {
    /// These columns of the table; the one behind the last is the key of the row.
    pub fn new(reader: RowReader, columns: &[usize]) -> RowColumns {
        let def = reader.table();
        let column = |at: &usize| Column {
            at: *at,
            ty: type_of(def, *at),
            form: def.columns.get(*at).map_or(Form::Key, |column| form_of(&column.ty.kind)),
        };
        RowColumns { columns: columns.iter().map(column).collect(), reader }
    }

    /// The reader of whole rows.
    pub fn reader(&self) -> &RowReader {
        &self.reader
    }

    /// Reads the heads of rows.
    pub fn rows<'a>(&'a self, entries: &'a EntryBatch) -> Result<StoredRows<'a>, SqlError> {
        let mut rows = Vec::with_capacity(entries.len());
        let mut current = true;
        for at in 0..entries.len() {
            let row = self.reader.row(entries.value(at))?;
            current &= row.is_current();
            rows.push(row);
        }
        Ok(StoredRows { rows, places: (0..entries.len() as u32).collect(), entries, current })
    }

    /// The values of one column, by its place in the list.
    pub fn read(&self, column: usize, rows: &StoredRows<'_>, zone: TimeZone) -> Result<Vector, SqlError> {
        let Some(column) = self.columns.get(column) else {
            return Err(SqlError::unknown("scan: a column is missing"));
        };
        if rows.current
            && let Some(vector) = column.read(&rows.rows)
        {
            return Ok(vector);
        }
        let mut builder = Builder::of(&column.ty, rows.count());
        if column.form == Form::Key {
            rows.places.iter().for_each(|at| builder.push(ValueRef::Bytes(rows.entries.key(*at as usize))));
            return Ok(builder.finish());
        }
        let timestamp = is_timestamp(self.reader.table(), column.at);
        for row in &rows.rows {
            let value = row.value(column.at)?;
            builder.push(if timestamp { to_local(value, zone) } else { value });
        }
        Ok(builder.finish())
    }
}

/// How values of a type are stored.
pub fn form_of(kind: &TypeKind) -> Form {
    match kind {
        TypeKind::TinyInt { unsigned }
        | TypeKind::SmallInt { unsigned }
        | TypeKind::MediumInt { unsigned }
        | TypeKind::Int { unsigned }
        | TypeKind::BigInt { unsigned } => {
            if *unsigned {
                Form::Unsigned
            } else {
                Form::Signed
            }
        }
        TypeKind::Enum { .. } | TypeKind::Set { .. } => Form::Unsigned,
        TypeKind::Date => Form::Date,
        TypeKind::DateTime { .. } => Form::DateTime,
        TypeKind::Decimal { .. } => Form::Decimal,
        TypeKind::Double { .. } => Form::Double,
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => Form::Text,
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } | TypeKind::Blob { .. } | TypeKind::Json => {
            Form::Bytes
        }
        _ => Form::Other,
    }
}

impl Column {
    /// The values of rows of the current layout; None if the general way has to be taken.
    fn read(&self, rows: &[StoredRow<'_>]) -> Option<Vector> {
        match self.form {
            Form::Signed => {
                let (values, nulls) = fixed(rows, self.at, signed)?;
                Some(Vector::ints(values, nulls))
            }
            Form::Unsigned => {
                let (values, nulls) = fixed(rows, self.at, unsigned)?;
                Some(Vector::uints(values, nulls))
            }
            Form::Date => {
                let (values, nulls) = fixed(rows, self.at, date)?;
                Some(Vector::ints(values, nulls))
            }
            Form::DateTime => {
                let fsp = self.ty.decimals.min(6);
                let (values, nulls) = fixed(rows, self.at, |raw| datetime(raw, fsp))?;
                Some(Vector::ints(values, nulls))
            }
            Form::Double => {
                let read = |raw: &[u8]| Some(f64::from_le_bytes(raw.try_into().ok()?));
                let (values, nulls) = fixed(rows, self.at, read)?;
                Some(Vector::doubles(values, nulls))
            }
            Form::Decimal => match fixed(rows, self.at, signed) {
                Some((values, nulls)) => Some(Vector::short_decimals(values, nulls)),
                None => {
                    let (values, nulls) = fixed(rows, self.at, wide)?;
                    Some(Vector::long_decimals(values, nulls))
                }
            },
            Form::Text => {
                let (offsets, bytes, nulls) = strings(rows, self.at)?;
                let array = StringArray::try_new(offsets, bytes, nulls).ok()?;
                Some(Vector::array(Data::Text(array), rows.len()))
            }
            Form::Bytes => {
                let (offsets, bytes, nulls) = strings(rows, self.at)?;
                let array = BinaryArray::try_new(offsets, bytes, nulls).ok()?;
                Some(Vector::array(Data::Binary(array), rows.len()))
            }
            Form::Key | Form::Other => None,
        }
    }
}

/// The values of a column of fixed length; None where `read` does not know one.
fn fixed<T: Copy + Default>(
    rows: &[StoredRow<'_>],
    at: usize,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Option<(Vec<T>, Option<NullBuffer>)> {
    let mut values = Vec::with_capacity(rows.len());
    let mut valid = Vec::new();
    for row in rows {
        match row.stored(at) {
            Some(raw) => values.push(read(raw)?),
            None => {
                note_null(&mut valid, values.len(), rows.len());
                values.push(T::default());
            }
        }
    }
    Some((values, nulls_of(valid)))
}

/// The bytes of a column of any length.
fn strings(rows: &[StoredRow<'_>], at: usize) -> Option<(OffsetBuffer<i32>, Buffer, Option<NullBuffer>)> {
    let mut offsets: Vec<i32> = Vec::with_capacity(rows.len() + 1);
    let mut bytes: Vec<u8> = Vec::with_capacity(rows.len() * 16);
    let mut valid = Vec::new();
    offsets.push(0);
    for (place, row) in rows.iter().enumerate() {
        match row.stored(at) {
            Some(raw) => bytes.extend_from_slice(raw),
            None => note_null(&mut valid, place, rows.len()),
        }
        offsets.push(i32::try_from(bytes.len()).ok()?);
    }
    Some((OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), nulls_of(valid)))
}

fn note_null(valid: &mut Vec<bool>, place: usize, rows: usize) {
    valid.resize(rows, true);
    if let Some(slot) = valid.get_mut(place) {
        *slot = false;
    }
}

fn nulls_of(valid: Vec<bool>) -> Option<NullBuffer> {
    (!valid.is_empty()).then(|| NullBuffer::from(valid))
}

/// A date, packed.
#[inline]
pub fn date(raw: &[u8]) -> Option<i64> {
    let [a, b, c] = *raw else { return None };
    Date::from_packed(i64::from(u32::from_le_bytes([a, b, c, 0]))).map(Date::packed)
}

/// A date with its time, packed.
#[inline]
pub fn datetime(raw: &[u8], fsp: u8) -> Option<i64> {
    let packed = match raw.len() {
        5 => unsigned(raw)? << 20,
        8 => unsigned(raw)?,
        _ => return None,
    };
    DateTime::from_packed(packed as i64, fsp).map(DateTime::packed)
}

/// A little-endian integer of up to eight bytes.
#[inline]
pub fn unsigned(raw: &[u8]) -> Option<u64> {
    match *raw {
        [a, b, c, d] => Some(u64::from(u32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Some(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
        [a] => Some(u64::from(a)),
        [a, b] => Some(u64::from(u16::from_le_bytes([a, b]))),
        [a, b, c] => Some(u64::from(u32::from_le_bytes([a, b, c, 0]))),
        _ if raw.len() < 8 => {
            // The first four bytes and the last four, which are the same where they meet.
            let low = u32::from_le_bytes(*raw.first_chunk()?);
            let high = u32::from_le_bytes(*raw.last_chunk()?);
            Some(u64::from(low) | u64::from(high) << (8 * (raw.len() - 4)))
        }
        _ => None,
    }
}

/// The same in two's complement.
#[inline]
pub fn signed(raw: &[u8]) -> Option<i64> {
    let unused = 64u32.checked_sub(8 * raw.len() as u32)?;
    unsigned(raw).map(|value| (value << unused) as i64 >> unused)
}

/// The same of up to sixteen bytes.
#[inline]
pub fn wide(raw: &[u8]) -> Option<i128> {
    if raw.len() <= 8 {
        return signed(raw).map(i128::from);
    }
    let sign = if raw.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut bytes = [sign; 16];
    bytes.get_mut(..raw.len())?.copy_from_slice(raw);
    Some(i128::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_length() {
        for length in 1..=8usize {
            for value in
                [0i64, 1, -1, 100, -128, i64::MIN >> (64 - 8 * length), i64::MAX >> (64 - 8 * length)]
            {
                let bytes = value.to_le_bytes();
                let raw = bytes.get(..length).unwrap();
                assert_eq!(signed(raw), Some(value), "{length}");
                assert_eq!(wide(raw), Some(i128::from(value)), "{length}");
                let mask = u64::MAX >> (64 - 8 * length);
                assert_eq!(unsigned(raw), Some(value as u64 & mask), "{length}");
            }
        }
        for length in 9..=16usize {
            for value in [0i128, -1, 1 << 65, -(1 << 65)] {
                assert_eq!(wide(value.to_le_bytes().get(..length).unwrap()), Some(value), "{length}");
            }
        }
        assert_eq!((unsigned(&[]), unsigned(&[0; 9]), wide(&[0; 17])), (None, None, None));
    }
}
