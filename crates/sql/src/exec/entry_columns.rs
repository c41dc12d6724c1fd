//! Which columns an index entry holds, and reading them: scans that need no others never touch the rows.
//!
//! A key holds integers, dates, decimals and binary strings in a form that can be read back; of text it
//! holds sort keys, whose originals are in the entry's value. The columns of the primary key are in the
//! entry too, as the key of the row.

use rustydb_catalog::{IndexColumn, TableDef};
use rustydb_value::key::{decode_key_part, is_key_decodable, skip_key_part};
use rustydb_value::{Value, decode_column};

use crate::error::SqlError;
use crate::stored::entry::is_original;
use crate::stored::{IndexEntry, damaged};

/// Where a column is found in an entry.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The n-th part of the entry's key.
    Key(usize),
    /// The n-th of the originals.
    Original(usize),
    /// The n-th part of the primary key.
    Primary(usize),
}

/// Reads columns from the entries of one index.
#[derive(Debug, Clone)]
pub struct EntryReader {
    places: Vec<Place>,
    /// How many parts of the entry's key are walked through.
    key_parts: usize,
    /// How many parts of the primary key are walked through.
    primary_parts: usize,
}

fn decodable(table: &TableDef, part: &IndexColumn) -> bool {
    part.prefix.is_none() && table.columns.get(part.column).is_some_and(|c| is_key_decodable(&c.ty))
}

fn place(table: &TableDef, at: usize, column: usize) -> Option<Place> {
    let index = table.all_indexes().nth(at)?;
    if let Some(position) = index.columns.iter().position(|p| p.column == column && p.prefix.is_none()) {
        if index.columns.get(position).is_some_and(|p| decodable(table, p)) {
            return Some(Place::Key(position));
        }
        if is_original(table, index, position) {
            let before = (0..position).filter(|p| is_original(table, index, *p)).count();
            return Some(Place::Original(before));
        }
    }
    let position = table.primary.columns.iter().position(|p| p.column == column)?;
    if table.primary.columns.get(position).is_some_and(|p| decodable(table, p)) {
        return Some(Place::Primary(position));
    }
    None
}

/// Whether entries of an index (0 is the primary one, n the n-th other) hold all of these columns.
pub fn covers(table: &TableDef, at: usize, columns: &[usize]) -> bool {
    at != 0 && columns.iter().all(|column| place(table, at, *column).is_some())
}

impl EntryReader {
    /// For these columns of the table; None if an entry does not hold them all.
    pub fn new(table: &TableDef, at: usize, columns: &[usize]) -> Option<EntryReader> {
        let places: Vec<Place> = columns.iter().map(|c| place(table, at, *c)).collect::<Option<_>>()?;
        let last = |f: fn(&Place) -> Option<usize>| places.iter().filter_map(f).max().map_or(0, |n| n + 1);
        let key_parts = last(|p| if let Place::Key(n) = p { Some(*n) } else { None });
        let primary_parts = last(|p| if let Place::Primary(n) = p { Some(*n) } else { None });
        Some(EntryReader { places, key_parts, primary_parts })
    }

    /// The columns of one entry, in the order they were asked for; TIMESTAMP in UTC.
    pub fn read(
        &self,
        table: &TableDef,
        at: usize,
        key: &[u8],
        value: &[u8],
        out: &mut Vec<Value>,
    ) -> Result<(), SqlError> {
        let fail = |error| damaged(table, error);
        let Some(index) = table.all_indexes().nth(at) else { return Ok(()) };
        let entry = IndexEntry::read(key, value).map_err(fail)?;
        let parts = walk(table, &index.columns, key, self.key_parts).map_err(fail)?;
        let primary =
            walk(table, &table.primary.columns, entry.primary_key, self.primary_parts).map_err(fail)?;
        out.clear();
        for place in &self.places {
            out.push(match place {
                Place::Key(n) => parts.get(*n).cloned().unwrap_or_default(),
                Place::Primary(n) => primary.get(*n).cloned().unwrap_or_default(),
                Place::Original(n) => {
                    let column = index
                        .columns
                        .iter()
                        .enumerate()
                        .filter(|(p, _)| is_original(table, index, *p))
                        .nth(*n)
                        .and_then(|(_, part)| table.columns.get(part.column));
                    match (column, entry.originals.as_ref().and_then(|o| o.column(*n))) {
                        (Some(column), Some(bytes)) => {
                            decode_column(&column.ty, bytes).map_err(fail)?.to_owned()
                        }
                        _ => Value::Null,
                    }
                }
            });
        }
        Ok(())
    }
}

/// The first parts of a key; what cannot be read back is NULL and not asked for.
fn walk(
    table: &TableDef,
    parts: &[IndexColumn],
    mut key: &[u8],
    count: usize,
) -> rustydb_value::Result<Vec<Value>> {
    let mut out = Vec::with_capacity(count);
    for part in parts.iter().take(count) {
        let Some(column) = table.columns.get(part.column) else { break };
        let length = if decodable(table, part) {
            let (value, length) = decode_key_part(&column.ty, key, part.descending)?;
            out.push(value);
            length
        } else {
            out.push(Value::Null);
            skip_key_part(&column.ty, key, part.descending)?
        };
        key = key.get(length..).unwrap_or(&[]);
    }
    Ok(out)
}
