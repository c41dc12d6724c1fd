//! A key as `LOCK_DATA` shows it: the columns of the index, then those of the primary key that it lacks.
//!
//! InnoDB prints what it has stored, so integers (dates, years, ENUM and SET among them) come as numbers, texts
//! quoted, and everything else as the bytes of its record in hexadecimal. Those bytes are made here, as far as keys
//! can have them; the layouts are those of MySQL's documentation of field types.
//!
//! A table without a primary key shows the last six bytes of its row number. What cannot be told any more (the
//! entry is gone) is None, as InnoDB gives NULL for a page that is not in memory.

use std::sync::Arc;

use rustydb_catalog::{IndexColumn, TableDef};
use rustydb_transaction::{Engine, TreeId};
use rustydb_value::key::{decode_key_part, is_key_decodable, skip_key_part};
use rustydb_value::{ColumnType, DateTime, Decimal, Time, TypeKind, Value, ValueRef, decode_column};

use crate::stored::entry::is_original;
use crate::stored::{IndexEntry, RowReader, key_value};

/// The text of the end of an index.
pub(crate) const SUPREMUM: &str = "supremum pseudo-record";

/// The name of an index as lists of locks have it.
pub(crate) fn index_name(table: &TableDef, at: usize) -> String {
    if at == 0 && table.has_hidden_key() {
        return "GEN_CLUST_INDEX".to_owned();
    }
    table.all_indexes().nth(at).map_or_else(String::new, |index| index.name.clone())
}

/// The columns of a key of the index at this position: `7, 'abc'`.
pub(crate) fn key_text(engine: &Engine, table: &Arc<TableDef>, at: usize, key: &[u8]) -> Option<String> {
    let reader = Reader { engine, table };
    if at == 0 {
        return Some(reader.primary(key, &[])?.join(", "));
    }
    let index = table.all_indexes().nth(at)?;
    let (mut values, rest) = walk(table, &index.columns, key)?;
    let stored = engine.newest_value(index.tree, key).ok()?;
    let entry = stored.as_deref().map(|value| IndexEntry::read(key, value)).transpose().ok()?;
    // A unique key is alone in its entry, and what it belongs to only in the entry's value.
    let primary_key = entry.as_ref().map_or(rest, |entry| entry.primary_key);
    let mut original = 0;
    for (position, part) in index.columns.iter().enumerate() {
        let column = table.columns.get(part.column)?;
        if is_original(table, index, position) {
            let bytes = entry.as_ref()?.originals.as_ref()?.column(original);
            original += 1;
            let value = bytes.map(|bytes| decode_column(&column.ty, bytes)).transpose().ok()?;
            *values.get_mut(position)? = Some(value.map_or(Value::Null, |value| value.to_owned()));
        } else if values.get(position)?.is_none() {
            let value = reader.of_row(primary_key, part.column)?;
            *values.get_mut(position)? = Some(key_value(part, value.as_ref()).to_owned());
        }
    }
    let mut texts = Vec::with_capacity(values.len() + 1);
    for (part, value) in index.columns.iter().zip(&values) {
        texts.push(shown(&table.columns.get(part.column)?.ty, value.as_ref()?.as_ref()));
    }
    if !primary_key.is_empty() {
        let own: Vec<usize> = index.columns.iter().map(|part| part.column).collect();
        texts.extend(reader.primary(primary_key, &own)?);
    }
    Some(texts.join(", "))
}

struct Reader<'a> {
    engine: &'a Engine,
    table: &'a Arc<TableDef>,
}

impl Reader<'_> {
    /// The columns of a primary key that are not among `own`.
    fn primary(&self, key: &[u8], own: &[usize]) -> Option<Vec<String>> {
        if self.table.has_hidden_key() {
            return Some(vec![hexadecimal(key.get(key.len().saturating_sub(6)..)?)]);
        }
        let (values, _) = walk(self.table, &self.table.primary.columns, key)?;
        let mut texts = Vec::new();
        for (part, value) in self.table.primary.columns.iter().zip(values) {
            if own.contains(&part.column) {
                continue;
            }
            let value = match value {
                Some(value) => value,
                None => key_value(part, self.of_row(key, part.column)?.as_ref()).to_owned(),
            };
            texts.push(shown(&self.table.columns.get(part.column)?.ty, value.as_ref()));
        }
        Some(texts)
    }

    /// A column of the row under a primary key.
    fn of_row(&self, key: &[u8], column: usize) -> Option<Value> {
        let tree: TreeId = self.table.primary.tree;
        let row = self.engine.newest_value(tree, key).ok()??;
        let reader = RowReader::new(Arc::clone(self.table));
        let value = reader.row(&row).ok()?.value(column).ok()?.to_owned();
        Some(value)
    }
}

/// The parts of a key, as far as it can be read back, and what stands behind them.
fn walk<'k>(
    table: &TableDef,
    parts: &[IndexColumn],
    mut key: &'k [u8],
) -> Option<(Vec<Option<Value>>, &'k [u8])> {
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        let ty = &table.columns.get(part.column)?.ty;
        let length = if part.prefix.is_none() && is_key_decodable(ty) {
            let (value, length) = decode_key_part(ty, key, part.descending).ok()?;
            values.push(Some(value));
            length
        } else {
            values.push(None);
            skip_key_part(ty, key, part.descending).ok()?
        };
        key = key.get(length..)?;
    }
    Some((values, key))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02X}"))
}

/// A value as InnoDB prints it.
fn shown(ty: &ColumnType, value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Text(text) => match ty.kind {
            TypeKind::Text { .. } => hexadecimal(text.as_bytes()),
            // Stored with its blanks, up to so many bytes.
            TypeKind::Char { len } => {
                let blanks = (len as usize).saturating_sub(text.len());
                format!("'{}{}'", escaped(text), " ".repeat(blanks))
            }
            _ => format!("'{}'", escaped(text)),
        },
        ValueRef::Bytes(bytes) => hexadecimal(bytes),
        ValueRef::Date(date) => (date.year() * 512 + date.month() * 32 + date.day()).to_string(),
        ValueRef::Year(year) => year.saturating_sub(1900).to_string(),
        ValueRef::Float(number) => hexadecimal(&number.to_le_bytes()),
        ValueRef::Double(number) => hexadecimal(&number.to_le_bytes()),
        ValueRef::Bit(bit) => {
            let mut bytes = Vec::new();
            bit.write_bytes(&mut bytes);
            hexadecimal(&bytes)
        }
        ValueRef::Time(time) => hexadecimal(&time_bytes(time)),
        ValueRef::DateTime(moment) => hexadecimal(&match ty.kind {
            TypeKind::Timestamp { .. } => timestamp_bytes(moment),
            _ => moment_bytes(moment),
        }),
        ValueRef::Decimal(number) => match ty.kind {
            TypeKind::Decimal { precision, scale, .. } => {
                hexadecimal(&decimal_bytes(&number, precision, scale))
            }
            _ => number.to_string(),
        },
        other => String::from_utf8_lossy(&other.to_text()).into_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "''")
}

/// The digits behind the point of a second, two in a byte.
fn push_fraction(micros: u32, fsp: u8, out: &mut Vec<u8>) {
    match fsp {
        0 => {}
        1 | 2 => out.push((micros / 10_000) as u8),
        3 | 4 => out.extend(((micros / 100) as u16).to_be_bytes()),
        _ => out.extend(micros.to_be_bytes().iter().skip(1)),
    }
}

fn moment_bytes(moment: DateTime) -> Vec<u8> {
    let date = moment.date();
    let days = (u64::from(date.year()) * 13 + u64::from(date.month())) << 5 | u64::from(date.day());
    let seconds = moment.hour() << 12 | moment.minute() << 6 | moment.second();
    let packed = (days << 17 | u64::from(seconds)) + 0x80_0000_0000;
    let mut out: Vec<u8> = packed.to_be_bytes().into_iter().skip(3).collect();
    push_fraction(moment.micro(), moment.fsp(), &mut out);
    out
}

fn timestamp_bytes(moment: DateTime) -> Vec<u8> {
    let micros = moment.to_timestamp_micros().unwrap_or(0);
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).unwrap_or(0);
    let mut out = seconds.to_be_bytes().to_vec();
    push_fraction(moment.micro(), moment.fsp(), &mut out);
    out
}

fn time_bytes(time: Time) -> Vec<u8> {
    let seconds = i64::from(time.hour()) << 12 | i64::from(time.minute()) << 6 | i64::from(time.second());
    let mut packed = (seconds << 24) + i64::from(time.micro());
    if time.is_negative() {
        packed = -packed;
    }
    if time.fsp() > 4 {
        return (packed + 0x8000_0000_0000).to_be_bytes().into_iter().skip(2).collect();
    }
    let mut out: Vec<u8> = ((packed >> 24) + 0x80_0000).to_be_bytes().into_iter().skip(5).collect();
    let fraction = packed % (1 << 24);
    match time.fsp() {
        0 => {}
        1 | 2 => out.push((fraction / 10_000) as u8),
        _ => out.extend(((fraction / 100) as i16).to_be_bytes()),
    }
    out
}

/// Nine digits in four bytes, fewer in as many as they need; the sign in the first bit.
fn decimal_bytes(number: &Decimal, precision: u8, scale: u8) -> Vec<u8> {
    const BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    let text = number.abs().to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let integer_digits = usize::from(precision.saturating_sub(scale));
    let whole = format!("{whole:0>integer_digits$}");
    // A zero before the point has no place where there are no digits before it.
    let whole = whole.get(whole.len() - integer_digits..).unwrap_or("");
    let part = format!("{part:0<width$}", width = usize::from(scale));
    let mut out: Vec<u8> = Vec::new();
    let mut push = |digits: &str| {
        let width = BYTES.get(digits.len()).copied().unwrap_or(4);
        let value: u32 = digits.parse().unwrap_or(0);
        out.extend(value.to_be_bytes().iter().skip(4 - width));
    };
    let (first, groups) = whole.split_at(whole.len() % 9);
    push(first);
    groups.as_bytes().chunks(9).for_each(|group| push(std::str::from_utf8(group).unwrap_or("")));
    part.as_bytes().chunks(9).for_each(|group| push(std::str::from_utf8(group).unwrap_or("")));
    if let Some(first) = out.first_mut() {
        *first ^= 0x80;
    }
    if number.is_negative() {
        out.iter_mut().for_each(|byte| *byte = !*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str, precision: u8, scale: u8) -> String {
        hexadecimal(&decimal_bytes(&Decimal::parse(text.as_bytes()).value, precision, scale))
    }

    #[test]
    fn values_are_printed_as_mysql_9_7_did() {
        assert_eq!(decimal("-1.500", 7, 3), "0x7FFEFE0B");
        assert_eq!(decimal("12345678901234567890", 20, 0), "0x8C149AA4350DFB38D2");
        let moment = |text: &str, fsp| {
            rustydb_value::temporal::parse_datetime(text.as_bytes(), fsp, Default::default()).unwrap().value
        };
        assert_eq!(hexadecimal(&moment_bytes(moment("2024-01-02 03:04:05", 0))), "0x99B2443105");
        assert_eq!(hexadecimal(&moment_bytes(moment("2024-01-02 03:04:05.123456", 6))), "0x99B244310501E240");
        assert_eq!(hexadecimal(&timestamp_bytes(moment("2024-01-02 03:04:05.12", 3))), "0x65937D2504B0");
        let time = |text: &str, fsp| rustydb_value::temporal::parse_time(text.as_bytes(), fsp).unwrap().value;
        assert_eq!(hexadecimal(&time_bytes(time("-01:02:03", 0))), "0x7FEF7D");
        assert_eq!(hexadecimal(&time_bytes(time("01:02:03.5", 3))), "0x8010831388");
    }
}
