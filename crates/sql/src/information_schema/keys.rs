//! STATISTICS, and the constraints: KEY_COLUMN_USAGE, TABLE_CONSTRAINTS, REFERENTIAL_CONSTRAINTS, CHECK_CONSTRAINTS.

use rustydb_catalog::{ForeignKeyDef, IndexDef, RecordedKey, RecordedKind, TableDef};
use rustydb_value::Value;

use super::objects::escaped;
use super::{Rows, Source, maybe, stored_tables, text};
use crate::ddl::foreign_key::action_name;
use crate::error::SqlError;
use crate::plan::statistics::{Facts, histogram};
use crate::show::create::{Key, ordered_checks, ordered_foreign_keys, ordered_indexes, ordered_keys};

/// The declared unique indexes in MySQL's order, the primary key first.
fn unique_indexes(table: &TableDef) -> Vec<&IndexDef> {
    let mut list = Vec::new();
    if !table.has_hidden_key() {
        list.push(&table.primary);
    }
    list.extend(ordered_indexes(table).into_iter().filter(|index| index.unique));
    list
}

pub(super) fn statistics(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        let facts = source.database.statistics().of(&table);
        let facts = facts.as_deref();
        if !table.has_hidden_key() {
            index_rows(&table, &table.primary, facts, &mut rows);
        }
        for key in ordered_keys(&table) {
            match key {
                Key::Index(index) => index_rows(&table, index, facts, &mut rows),
                Key::Recorded(key) => recorded_rows(&table, key, &mut rows),
            }
        }
    }
    Ok(rows)
}

fn index_rows(table: &TableDef, index: &IndexDef, facts: Option<&Facts>, rows: &mut Rows) {
    let place = table.all_indexes().position(|other| other.id == index.id);
    let cardinality = |columns: usize| match (facts, place) {
        (Some(facts), Some(_)) if facts.rows < 0.5 => Value::Int(0),
        (Some(facts), Some(place)) => Value::Int(facts.distinct_of(place, columns).round() as i64),
        _ => Value::Null,
    };
    for (at, part) in index.columns.iter().enumerate() {
        let Some(column) = table.columns.get(part.column) else { continue };
        let expression = column.generated.as_ref().filter(|_| column.functional);
        rows.push(vec![
            text("def"),
            text(table.database.as_str()),
            text(table.name.as_str()),
            Value::Int(i64::from(!index.unique)),
            text(table.database.as_str()),
            text(index.name.as_str()),
            Value::UInt(at as u64 + 1),
            maybe((!column.functional).then_some(column.name.as_str())),
            text(if part.descending { "D" } else { "A" }),
            cardinality(at + 1),
            part.prefix.map_or(Value::Null, |n| Value::Int(i64::from(n))),
            Value::Null,
            text(if column.nullable { "YES" } else { "" }),
            text("BTREE"),
            text(""),
            text(index.comment.as_str()),
            text(if index.visible { "YES" } else { "NO" }),
            maybe(expression.map(|generated| escaped(&generated.expression))),
        ]);
    }
}

pub(super) fn column_statistics(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        for histogram in &table.histograms {
            let Some(column) = table.columns.iter().find(|column| column.id == histogram.column) else {
                continue;
            };
            let mut document = Vec::new();
            histogram::json(&table, histogram)
                .encode(&mut document)
                .map_err(|e| crate::stored::damaged(&table, e))?;
            rows.push(vec![
                text(table.database.as_str()),
                text(table.name.as_str()),
                text(column.name.as_str()),
                Value::Json(document),
            ]);
        }
    }
    Ok(rows)
}

fn recorded_rows(table: &TableDef, key: &RecordedKey, rows: &mut Rows) {
    let spatial = key.kind == RecordedKind::Spatial;
    for (at, column) in key.columns.iter().filter_map(|at| table.columns.get(*at)).enumerate() {
        rows.push(vec![
            text("def"),
            text(table.database.as_str()),
            text(table.name.as_str()),
            Value::Int(1),
            text(table.database.as_str()),
            text(key.name.as_str()),
            Value::UInt(at as u64 + 1),
            text(column.name.as_str()),
            maybe(spatial.then_some("A")),
            Value::Null,
            // The bounding box that such a key holds.
            if spatial { Value::Int(32) } else { Value::Null },
            Value::Null,
            text(if column.nullable { "YES" } else { "" }),
            text(if spatial { "SPATIAL" } else { "FULLTEXT" }),
            text(""),
            text(key.comment.as_str()),
            text(if key.visible { "YES" } else { "NO" }),
            Value::Null,
        ]);
    }
}

pub(super) fn key_column_usage(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        let mut push =
            |constraint: &str, column: usize, at: usize, parent: Option<(&ForeignKeyDef, &str)>| {
                let Some(column) = table.columns.get(column).filter(|c| !c.functional) else { return };
                rows.push(vec![
                    text("def"),
                    text(table.database.as_str()),
                    text(constraint),
                    text("def"),
                    text(table.database.as_str()),
                    text(table.name.as_str()),
                    text(column.name.as_str()),
                    Value::UInt(at as u64 + 1),
                    parent.map_or(Value::Null, |_| Value::UInt(at as u64 + 1)),
                    maybe(parent.map(|(key, _)| key.parent_database.as_str())),
                    maybe(parent.map(|(key, _)| key.parent_table.as_str())),
                    maybe(parent.map(|(_, column)| column)),
                ]);
            };
        for index in unique_indexes(&table) {
            for (at, part) in index.columns.iter().enumerate() {
                push(&index.name, part.column, at, None);
            }
        }
        for key in ordered_foreign_keys(&table) {
            for (at, (column, parent)) in key.columns.iter().zip(&key.parent_columns).enumerate() {
                push(&key.name, *column, at, Some((key, parent)));
            }
        }
    }
    Ok(rows)
}

pub(super) fn table_constraints(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        let mut push = |name: &str, kind: &str, enforced: bool| {
            rows.push(vec![
                text("def"),
                text(table.database.as_str()),
                text(name),
                text(table.database.as_str()),
                text(table.name.as_str()),
                text(kind),
                text(if enforced { "YES" } else { "NO" }),
            ]);
        };
        for index in unique_indexes(&table) {
            push(&index.name, if index.id == table.primary.id { "PRIMARY KEY" } else { "UNIQUE" }, true);
        }
        for key in ordered_foreign_keys(&table) {
            push(&key.name, "FOREIGN KEY", true);
        }
        for check in ordered_checks(&table) {
            push(&check.name, "CHECK", check.enforced);
        }
    }
    Ok(rows)
}

pub(super) fn referential_constraints(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        for key in ordered_foreign_keys(&table) {
            let parent = source.database.catalog().table(&key.parent_database, &key.parent_table);
            let unique = parent.as_ref().and_then(|parent| unique_key(parent, key));
            rows.push(vec![
                text("def"),
                text(table.database.as_str()),
                text(key.name.as_str()),
                text("def"),
                text(key.parent_database.as_str()),
                maybe(unique.map(|index| index.name.as_str())),
                text("NONE"),
                text(action_name(key.on_update)),
                text(action_name(key.on_delete)),
                text(table.name.as_str()),
                text(key.parent_table.as_str()),
            ]);
        }
    }
    Ok(rows)
}

/// The unique index of the parent that is just this key.
fn unique_key<'t>(parent: &'t TableDef, key: &ForeignKeyDef) -> Option<&'t IndexDef> {
    let columns: Option<Vec<usize>> = key.parent_columns.iter().map(|c| parent.column_index(c)).collect();
    let columns = columns?;
    let is_key = |index: &&IndexDef| {
        index.unique
            && index.columns.len() == columns.len()
            && index.columns.iter().map(|p| p.column).eq(columns.iter().copied())
    };
    parent.all_indexes().find(is_key)
}

pub(super) fn check_constraints(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        for check in ordered_checks(&table) {
            rows.push(vec![
                text("def"),
                text(table.database.as_str()),
                text(check.name.as_str()),
                text(escaped(&check.expression)),
            ]);
        }
    }
    Ok(rows)
}
