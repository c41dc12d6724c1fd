//! Key ranges of an index from the values of its conditions.
//!
//! A condition compares values in its own class; the index holds them in the column's type. A value that
//! the column cannot hold still has a place among those that it can: below all, above all, or between two
//! of them. So `tiny < 300` reads everything and `tiny = 300` nothing, and the ranges are exact: the plan
//! has dropped the conditions they stand for.

use std::ops::Bound;

use rustydb_catalog::{IndexColumn, IndexDef, TableDef};
use rustydb_transaction::KeyRange;
use rustydb_value::key::{encode_text_prefix, prefix_successor};
use rustydb_value::{
    Collation, ColumnType, Date, DateTime, PadAttribute, Time, TimeZone, TypeKind, Value, encode_key_part,
};

use crate::context::EvalContext;
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::like::Pattern;
use crate::expr::{BoundExpr, Class, Vector};
use crate::plan::{IndexAccess, KeyBounds, KeyEqual};
use crate::stored::damaged;

/// What to read of an index, in its order, without overlap.
#[derive(Debug)]
pub enum Ranges {
    /// Single entries of a unique index, by their whole keys.
    Points(Vec<Vec<u8>>),
    /// Ranges.
    Ranges(Vec<KeyRange>),
}

/// The place of a value among those that a column can hold.
enum Place {
    /// NULL equals nothing and bounds nothing.
    Null,
    /// One of them.
    At(Value),
    /// After this one and before the next.
    After(Value),
    /// Before all.
    BelowAll,
    /// After all.
    AboveAll,
}

/// The values that an access compares with, evaluated for some rows around the scan.
pub struct KeyValues<'p> {
    access: &'p IndexAccess,
    /// Of each leading column the values that it may be equal to.
    equals: Vec<Vec<(Vector, &'p BoundExpr)>>,
    low: Option<(Vector, &'p BoundExpr, bool)>,
    high: Option<(Vector, &'p BoundExpr, bool)>,
    pattern: Option<Vector>,
    zone: TimeZone,
}

impl<'p> KeyValues<'p> {
    /// For the rows of a frame: the left rows of a lookup join, or the only one of a scan.
    pub fn evaluate(
        access: &'p IndexAccess,
        frame: &Frame<'_>,
        context: &mut EvalContext<'_>,
    ) -> Result<KeyValues<'p>, SqlError> {
        let mut equals = Vec::with_capacity(access.equals.len());
        for equal in &access.equals {
            let mut values = Vec::new();
            if let KeyEqual::Values(exprs) = equal {
                for expr in exprs {
                    values.push((evaluate(expr, frame, context)?, expr));
                }
            }
            equals.push(values);
        }
        let (mut low, mut high, mut pattern) = (None, None, None);
        match &access.range {
            Some(KeyBounds::Range { low: from, high: to }) => {
                if let Some((expr, included)) = from {
                    low = Some((evaluate(expr, frame, context)?, expr, *included));
                }
                if let Some((expr, included)) = to {
                    high = Some((evaluate(expr, frame, context)?, expr, *included));
                }
            }
            Some(KeyBounds::Prefix(expr)) => pattern = Some(evaluate(expr, frame, context)?),
            None => {}
        }
        let zone = context.session.settings.time_zone;
        Ok(KeyValues { access, equals, low, high, pattern, zone })
    }

    /// The range of the column that is bounded under each of some beginnings of keys: a skip scan.
    pub fn ranges_under(&self, table: &TableDef, prefixes: &[Vec<u8>]) -> Result<Vec<KeyRange>, SqlError> {
        let Some(index) = table.all_indexes().nth(self.access.index) else {
            return Err(SqlError::unknown("plan: an index is missing"));
        };
        let Some(bounds) = self.bounds(table, index, 0)? else { return Ok(Vec::new()) };
        Ok(prefixes.iter().filter_map(|prefix| bounds.under(prefix)).collect())
    }

    /// The ranges for one of the rows.
    pub fn ranges(&self, table: &TableDef, row: usize) -> Result<Ranges, SqlError> {
        let access = self.access;
        let Some(index) = table.all_indexes().nth(access.index) else {
            return Err(SqlError::unknown("plan: an index is missing"));
        };
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::with_capacity(16)];
        let mut any_null = false;
        for ((equal, values), part) in access.equals.iter().zip(&self.equals).zip(&index.columns) {
            if let (KeyEqual::Values(_), [(vector, expr)], [prefix]) =
                (equal, values.as_slice(), prefixes.as_mut_slice())
            {
                match place(table, part, vector, expr, row, self.zone) {
                    Place::At(value) => encode(table, part, &value, prefix)?,
                    _ => prefixes.clear(),
                }
                continue;
            }
            let mut encoded: Vec<Vec<u8>> = Vec::new();
            if let KeyEqual::Null = equal {
                any_null = true;
                let mut bytes = Vec::new();
                encode(table, part, &Value::Null, &mut bytes)?;
                encoded.push(bytes);
            }
            for (vector, expr) in values {
                if let Place::At(value) = place(table, part, vector, expr, row, self.zone) {
                    let mut bytes = Vec::with_capacity(16);
                    encode(table, part, &value, &mut bytes)?;
                    encoded.push(bytes);
                }
            }
            let mut longer = Vec::with_capacity(prefixes.len() * encoded.len());
            for prefix in &prefixes {
                for bytes in &encoded {
                    longer.push([prefix.as_slice(), bytes].concat());
                }
            }
            prefixes = longer;
        }
        if prefixes.len() > 1 {
            prefixes.sort_unstable();
            prefixes.dedup();
        }
        if access.range.is_none() {
            let whole = index.unique && access.equals.len() == index.columns.len() && !any_null;
            if whole && !access.equals.is_empty() {
                return Ok(Ranges::Points(prefixes));
            }
            if access.equals.is_empty() {
                return Ok(Ranges::Ranges(vec![KeyRange::all()]));
            }
            return Ok(Ranges::Ranges(prefixes.iter().map(|p| KeyRange::prefix(p)).collect()));
        }
        let Some(bounds) = self.bounds(table, index, row)? else {
            return Ok(Ranges::Ranges(Vec::new()));
        };
        Ok(Ranges::Ranges(prefixes.iter().filter_map(|p| bounds.under(p)).collect()))
    }
}

/// The ranges of an access, given the outer row of a lookup join (or nothing) as a frame of one row.
pub fn key_ranges(
    table: &TableDef,
    access: &IndexAccess,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Ranges, SqlError> {
    let first = KeyValues::evaluate(access, frame, context)?.ranges(table, 0)?;
    if access.others.is_empty() {
        return Ok(first);
    }
    let mut all = first.into_ranges();
    for other in &access.others {
        all.extend(KeyValues::evaluate(other, frame, context)?.ranges(table, 0)?.into_ranges());
    }
    Ok(Ranges::Ranges(merged(all)))
}

impl Ranges {
    /// All as ranges.
    pub fn into_ranges(self) -> Vec<KeyRange> {
        match self {
            Ranges::Ranges(ranges) => ranges,
            Ranges::Points(keys) => {
                let point =
                    |key: Vec<u8>| KeyRange { low: Bound::Included(key.clone()), high: Bound::Included(key) };
                keys.into_iter().map(point).collect()
            }
        }
    }
}

/// The same keys in ranges that are in order and do not overlap.
fn merged(mut ranges: Vec<KeyRange>) -> Vec<KeyRange> {
    let low = |range: &KeyRange| match &range.low {
        Bound::Unbounded => (false, Vec::new(), false),
        Bound::Included(key) => (true, key.clone(), false),
        Bound::Excluded(key) => (true, key.clone(), true),
    };
    ranges.sort_by_cached_key(low);
    let mut out: Vec<KeyRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Some(last) = out.last_mut() else {
            out.push(range);
            continue;
        };
        let touches = match (&last.high, &range.low) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => true,
            (Bound::Included(high), Bound::Included(low)) => low <= high,
            (Bound::Included(high) | Bound::Excluded(high), Bound::Included(low) | Bound::Excluded(low)) => {
                low < high
            }
        };
        if !touches {
            out.push(range);
            continue;
        }
        let further = match (&range.high, &last.high) {
            (_, Bound::Unbounded) => false,
            (Bound::Unbounded, _) => true,
            (Bound::Included(new), Bound::Included(old) | Bound::Excluded(old)) => new >= old,
            (Bound::Excluded(new), Bound::Included(old) | Bound::Excluded(old)) => new > old,
        };
        if further {
            last.high = range.high;
        }
    }
    out
}

fn encode(table: &TableDef, part: &IndexColumn, value: &Value, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let Some(column) = table.columns.get(part.column) else {
        return Err(SqlError::unknown("plan: an index column is missing"));
    };
    encode_key_part(out, &column.ty, value.as_ref(), part.descending).map_err(|e| damaged(table, e))
}

/// The bounds of a key part, as bytes that follow the prefix.
struct Bounds {
    /// First key part that is read, and whether keys that begin with it are.
    start: Option<(Vec<u8>, bool)>,
    /// Last one, likewise.
    end: Option<(Vec<u8>, bool)>,
}

impl Bounds {
    /// The range of keys that begin with a prefix and continue within the bounds; None if there is none.
    fn under(&self, prefix: &[u8]) -> Option<KeyRange> {
        let joined = |part: &[u8]| [prefix, part].concat();
        let low = match &self.start {
            None => Bound::Included(prefix.to_vec()),
            Some((part, true)) => Bound::Included(joined(part)),
            Some((part, false)) => Bound::Included(prefix_successor(&joined(part))?),
        };
        let high = match &self.end {
            None => prefix_successor(prefix).map_or(Bound::Unbounded, Bound::Excluded),
            Some((part, true)) => prefix_successor(&joined(part)).map_or(Bound::Unbounded, Bound::Excluded),
            Some((part, false)) => Bound::Excluded(joined(part)),
        };
        if let (Bound::Included(low), Bound::Excluded(high)) = (&low, &high)
            && low >= high
        {
            return None;
        }
        Some(KeyRange { low, high })
    }
}

impl KeyValues<'_> {
    /// The bounds of the column after the equalities; None if nothing is between them.
    fn bounds(&self, table: &TableDef, index: &IndexDef, row: usize) -> Result<Option<Bounds>, SqlError> {
        let Some(part) = index.columns.get(self.access.equals.len() + self.access.skip) else {
            return Ok(None);
        };
        let mut null = Vec::new();
        encode(table, part, &Value::Null, &mut null)?;
        if let Some(pattern) = &self.pattern {
            if pattern.is_null(row) {
                return Ok(None);
            }
            let beginning = Pattern::new(pattern.text(row), Some('\\'), Collation::UTF8MB4_BIN).prefix();
            let Some(column) = table.columns.get(part.column) else { return Ok(None) };
            let mut bytes = Vec::new();
            if beginning.is_empty()
                || encode_text_prefix(&mut bytes, &column.ty, &beginning, part.descending).is_err()
            {
                return Ok(Some(Bounds { start: Some((null, false)), end: None }));
            }
            return Ok(Some(Bounds { start: Some((bytes.clone(), true)), end: Some((bytes, true)) }));
        }
        let mut first: Option<(Vec<u8>, bool)> = None;
        let mut last: Option<(Vec<u8>, bool)> = None;
        let bytes_of = |value: &Value| -> Result<Vec<u8>, SqlError> {
            let mut bytes = Vec::with_capacity(16);
            encode(table, part, value, &mut bytes)?;
            Ok(bytes)
        };
        if let Some((vector, expr, included)) = &self.low {
            match place(table, part, vector, expr, row, self.zone) {
                Place::Null | Place::AboveAll => return Ok(None),
                Place::BelowAll => {}
                Place::At(value) => first = Some((bytes_of(&value)?, *included)),
                Place::After(value) => first = Some((bytes_of(&value)?, false)),
            }
        }
        if let Some((vector, expr, included)) = &self.high {
            match place(table, part, vector, expr, row, self.zone) {
                Place::Null | Place::BelowAll => return Ok(None),
                Place::AboveAll => {}
                Place::At(value) => last = Some((bytes_of(&value)?, *included)),
                Place::After(value) => last = Some((bytes_of(&value)?, true)),
            }
        }
        // A bound is never true for NULL, which stands first (last in a descending part).
        Ok(Some(if part.descending {
            Bounds { start: last, end: first.or(Some((null, false))) }
        } else {
            Bounds { start: first.or(Some((null, false))), end: last }
        }))
    }
}

/// The place of a row's value in a column.
fn place(
    table: &TableDef,
    part: &IndexColumn,
    vector: &Vector,
    expr: &BoundExpr,
    row: usize,
    zone: TimeZone,
) -> Place {
    let Some(column) = table.columns.get(part.column) else { return Place::Null };
    place_of(vector, row, expr, &column.ty, zone)
}

fn place_of(vector: &Vector, row: usize, expr: &BoundExpr, ty: &ColumnType, zone: TimeZone) -> Place {
    if vector.is_null(row) {
        return Place::Null;
    }
    let class = expr.ty.class();
    match (&ty.kind, class) {
        (kind, Class::Int | Class::UInt) if kind.is_integer() => {
            let value = if class == Class::Int {
                i128::from(vector.as_ints().at(row))
            } else {
                i128::from(vector.as_uints().at(row))
            };
            let (low, high) = kind.integer_range().unwrap_or((i64::MIN, u64::MAX));
            if value < i128::from(low) {
                Place::BelowAll
            } else if value > i128::from(high) {
                Place::AboveAll
            } else if kind.is_unsigned() {
                Place::At(Value::UInt(value as u64))
            } else {
                Place::At(Value::Int(value as i64))
            }
        }
        (TypeKind::Decimal { precision, scale, unsigned }, Class::Decimal) => {
            let value =
                crate::expr::number::decimal_from_i256(vector.as_decimals().at(row), expr.ty.decimals);
            if *unsigned && value.is_negative() {
                return Place::BelowAll;
            }
            if value.integer_digits() > precision.saturating_sub(*scale) {
                return if value.is_negative() { Place::BelowAll } else { Place::AboveAll };
            }
            match value.round(*scale) {
                Ok(rounded) => Place::At(Value::Decimal(rounded)),
                Err(_) => Place::AboveAll,
            }
        }
        (TypeKind::Double { .. }, Class::Double) => Place::At(Value::Double(vector.as_doubles().at(row))),
        (TypeKind::Date, Class::Date) => match Date::from_packed(vector.as_ints().at(row)) {
            Some(date) => Place::At(Value::Date(date)),
            None => Place::Null,
        },
        (TypeKind::Date, Class::DateTime) => match DateTime::from_packed(vector.as_ints().at(row), 6) {
            Some(moment) if moment.micros_of_day() == 0 => Place::At(Value::Date(moment.date())),
            Some(moment) => Place::After(Value::Date(moment.date())),
            None => Place::Null,
        },
        (TypeKind::DateTime { fsp }, Class::Date | Class::DateTime) => match moment_of(vector, row, class) {
            Some(moment) => rounded(moment, *fsp),
            None => Place::Null,
        },
        (TypeKind::Timestamp { fsp }, Class::Date | Class::DateTime) => {
            let Some(local) = moment_of(vector, row, class) else { return Place::Null };
            let utc = local.to_utc(zone);
            match utc {
                Some(utc) if utc.to_timestamp_micros().is_some() => rounded(utc, *fsp),
                _ if local.date().year() < 2000 => Place::BelowAll,
                _ => Place::AboveAll,
            }
        }
        (TypeKind::Time { fsp }, Class::Time) => {
            let micros = vector.as_ints().at(row);
            let unit = 10i64.pow(6 - u32::from((*fsp).min(6)));
            let cut = micros.div_euclid(unit) * unit;
            let value = Value::Time(Time::clamped(cut, *fsp));
            if cut == micros { Place::At(value) } else { Place::After(value) }
        }
        (TypeKind::Char { .. }, Class::Text | Class::Binary) => {
            // Trailing spaces are not kept in the column; to a collation without padding they count.
            let text = text_of(vector, row, class);
            let kept = text.trim_end_matches(' ');
            if kept.len() < text.len() && ty.collation.pad_attribute() == PadAttribute::NoPad {
                Place::After(Value::Text(kept.to_string()))
            } else {
                Place::At(Value::Text(kept.to_string()))
            }
        }
        (TypeKind::Binary { len }, Class::Binary) => {
            let bytes = vector.bytes(row).to_vec();
            if bytes.len() as u64 == u64::from(*len) {
                Place::At(Value::Bytes(bytes))
            } else {
                Place::After(Value::Bytes(bytes))
            }
        }
        (TypeKind::VarChar { .. } | TypeKind::Text { .. }, Class::Binary) => {
            Place::At(Value::Text(text_of(vector, row, class).into_owned()))
        }
        (_, Class::Text) => Place::At(Value::Text(vector.text(row).to_string())),
        (_, Class::Binary) => Place::At(Value::Bytes(vector.bytes(row).to_vec())),
        _ => Place::Null,
    }
}

/// The text that a value of either class is to a column of text.
fn text_of(vector: &Vector, row: usize, class: Class) -> std::borrow::Cow<'_, str> {
    match class {
        Class::Binary => String::from_utf8_lossy(vector.bytes(row)),
        _ => vector.text(row).into(),
    }
}

fn moment_of(vector: &Vector, row: usize, class: Class) -> Option<DateTime> {
    let packed = vector.as_ints().at(row);
    match class {
        Class::Date => Date::from_packed(packed).map(DateTime::from_date),
        _ => DateTime::from_packed(packed, 6),
    }
}

/// A moment among those with fewer digits.
fn rounded(moment: DateTime, fsp: u8) -> Place {
    let cut = moment.truncate(fsp);
    if cut.packed() == moment.packed() {
        Place::At(Value::DateTime(cut))
    } else {
        Place::After(Value::DateTime(cut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_overlap_become_one() {
        let range = |low: u8, high: u8| KeyRange {
            low: Bound::Included(vec![low]),
            high: Bound::Excluded(vec![high]),
        };
        let point = |key: u8| KeyRange { low: Bound::Included(vec![key]), high: Bound::Included(vec![key]) };
        let found =
            merged(vec![range(5, 9), point(7), range(1, 3), point(3), range(2, 3), point(9), point(9)]);
        assert_eq!(found, [range(1, 3), point(3), range(5, 9), point(9)]);
        let all = merged(vec![range(4, 5), KeyRange::all(), range(1, 2)]);
        assert_eq!(all, [KeyRange::all()]);
        assert_eq!(merged(vec![point(4), range(4, 6), range(5, 7)]), [range(4, 7)]);
    }
}
