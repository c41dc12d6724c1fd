//! STATISTICS, KEY_COLUMN_USAGE, TABLE_CONSTRAINTS.

use rustydb_catalog::{IndexDef, TableDef};
use rustydb_value::Value;

use super::{Rows, Source, stored_tables, text};
use crate::error::SqlError;
use crate::show::create::ordered_indexes;

/// The declared indexes in MySQL's order, the primary key first.
fn indexes(table: &TableDef) -> Vec<&IndexDef> {
    let mut list = Vec::new();
    if !table.has_hidden_key() {
        list.push(&table.primary);
    }
    list.extend(ordered_indexes(table));
    list
}

pub(super) fn statistics(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        for index in indexes(&table) {
            for (at, part) in index.columns.iter().enumerate() {
                let Some(column) = table.columns.get(part.column) else { continue };
                rows.push(vec![
                    text("def"),
                    text(table.database.as_str()),
                    text(table.name.as_str()),
                    Value::Int(i64::from(!index.unique)),
                    text(table.database.as_str()),
                    text(index.name.as_str()),
                    Value::UInt(at as u64 + 1),
                    text(column.name.as_str()),
                    text(if part.descending { "D" } else { "A" }),
                    Value::Null,
                    part.prefix.map_or(Value::Null, |n| Value::Int(i64::from(n))),
                    Value::Null,
                    text(if column.nullable { "YES" } else { "" }),
                    text("BTREE"),
                    text(""),
                    text(index.comment.as_str()),
                    text(if index.visible { "YES" } else { "NO" }),
                    Value::Null,
                ]);
            }
        }
    }
    Ok(rows)
}

pub(super) fn key_column_usage(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        for index in indexes(&table).into_iter().filter(|i| i.unique) {
            for (at, part) in index.columns.iter().enumerate() {
                let Some(column) = table.columns.get(part.column) else { continue };
                rows.push(vec![
                    text("def"),
                    text(table.database.as_str()),
                    text(index.name.as_str()),
                    text("def"),
                    text(table.database.as_str()),
                    text(table.name.as_str()),
                    text(column.name.as_str()),
                    Value::UInt(at as u64 + 1),
                    Value::Null,
                    Value::Null,
                    Value::Null,
                    Value::Null,
                ]);
            }
        }
    }
    Ok(rows)
}

pub(super) fn table_constraints(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        for index in indexes(&table).into_iter().filter(|i| i.unique) {
            let kind = if index.id == table.primary.id { "PRIMARY KEY" } else { "UNIQUE" };
            rows.push(vec![
                text("def"),
                text(table.database.as_str()),
                text(index.name.as_str()),
                text(table.database.as_str()),
                text(table.name.as_str()),
                text(kind),
                text("YES"),
            ]);
        }
    }
    Ok(rows)
}
