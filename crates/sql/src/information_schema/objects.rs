//! SCHEMATA, TABLES, COLUMNS, PARTITIONS.

use std::sync::Arc;

use rustydb_catalog::{ColumnDef, ColumnDefault, RowFormat, SqlSecurity, TableDef, ViewCheck};
use rustydb_value::{Charset, Collation, DateTime, TypeKind, Value};

use super::{Rows, Source, maybe, stored_tables, stored_views, text, virtual_databases, virtual_tables};
use crate::context::VirtualTable;
use crate::dml::auto_increment::counter_tree;
use crate::error::SqlError;
use crate::performance_schema::sys;
use crate::show::create::{kept_options, plain_default};
use crate::view::columns::{Unlocked, definition};
use crate::virtual_database;

pub(super) fn schemata(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    let mut push = |name: &str, collation: Collation| {
        rows.push(vec![
            text("def"),
            text(name),
            text(collation.charset().name()),
            text(collation.name()),
            Value::Null,
            text("NO"),
        ]);
    };
    for home in virtual_databases(source) {
        push(home.name, home.collation);
    }
    let mut databases = source.database.catalog().databases();
    databases.sort_by(|a, b| a.name.cmp(&b.name));
    for database in databases {
        if source.filter.schema.as_ref().is_none_or(|s| *s == database.name)
            && virtual_database::find(&database.name).is_none()
        {
            push(&database.name, database.collation);
        }
    }
    Ok(rows)
}

/// A moment of the catalog as a TIMESTAMP cell, in UTC.
fn moment(micros: u64) -> Value {
    let seconds = i64::try_from(micros / 1_000_000).unwrap_or(0);
    match DateTime::from_micros_since_epoch(seconds * 1_000_000, 0) {
        Some(at) => Value::DateTime(at),
        None => Value::Null,
    }
}

/// The next AUTO_INCREMENT value of a table that has such a column.
pub(crate) fn next_auto_increment(source: &Source<'_>, table: &TableDef) -> Result<Option<u64>, SqlError> {
    match table.auto_increment {
        Some(_) => Ok(Some(source.database.engine().counter_value(counter_tree(table))?.max(1))),
        None => Ok(None),
    }
}

fn row_format(table: &TableDef) -> &'static str {
    match table.options.row_format {
        None | Some(RowFormat::Default | RowFormat::Dynamic | RowFormat::Fixed) => "Dynamic",
        Some(RowFormat::Compact) => "Compact",
        Some(RowFormat::Redundant) => "Redundant",
        Some(RowFormat::Compressed) => "Compressed",
    }
}

pub(super) fn tables(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for home in virtual_databases(source) {
        let collation = home.engine.map(|_| home.collation.name());
        for table in virtual_tables(source, home) {
            let name = table.definition().name.as_str();
            let mut row = vec![text("def"), text(home.name), text(name), text(home.table_type)];
            row.extend([maybe(home.engine), Value::Int(10), maybe(home.engine.map(|_| "Dynamic"))]);
            row.extend((0..7).map(|_| Value::Null));
            row.extend([moment(0), Value::Null, Value::Null, maybe(collation), Value::Null]);
            row.extend([text(""), text("")]);
            rows.push(row);
        }
    }
    if source.filter.schema.as_ref().is_none_or(|s| s == super::logs::DATABASE) {
        for table in super::logs::tables() {
            let def = table.definition();
            if source.filter.table.as_ref().is_some_and(|t| *t != def.name) {
                continue;
            }
            let mut row = vec![text("def"), text(def.database.as_str()), text(def.name.as_str())];
            row.extend([text("BASE TABLE"), text("CSV"), Value::Int(10), text("Dynamic"), Value::UInt(0)]);
            row.extend((0..6).map(|_| Value::Null));
            row.extend([moment(0), Value::Null, Value::Null, text(def.collation.name()), Value::Null]);
            row.extend([text(""), text(def.comment.as_str())]);
            rows.push(row);
        }
    }
    for table in system_views(source) {
        let def = table.definition();
        let mut row = vec![text("def"), text(def.database.as_str()), text(def.name.as_str()), text("VIEW")];
        row.extend((0..10).map(|_| Value::Null));
        row.extend([
            moment(0),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            text("VIEW"),
        ]);
        rows.push(row);
    }
    for view in stored_views(source) {
        let mut row = vec![text("def"), text(view.database.as_str()), text(view.name.as_str()), text("VIEW")];
        row.extend((0..10).map(|_| Value::Null));
        row.extend([moment(view.created_micros), Value::Null, Value::Null, Value::Null, Value::Null]);
        let valid = definition(&view, source.database, &mut Unlocked(source.database), source.session);
        row.extend([Value::Null, text(valid.map_or_else(|invalid| invalid.message, |_| "VIEW".to_owned()))]);
        rows.push(row);
    }
    for table in stored_tables(source) {
        let next = next_auto_increment(source, &table)?;
        let size = source.database.statistics().size(&table);
        rows.push(vec![
            text("def"),
            text(table.database.as_str()),
            text(table.name.as_str()),
            text("BASE TABLE"),
            text("InnoDB"),
            Value::Int(10),
            text(row_format(&table)),
            Value::UInt(size.rows),
            Value::UInt(size.data.checked_div(size.rows).unwrap_or(0)),
            Value::UInt(size.data),
            Value::UInt(0),
            Value::UInt(size.indexes),
            Value::UInt(0),
            next.map_or(Value::Null, Value::UInt),
            moment(table.created_micros),
            Value::Null,
            Value::Null,
            text(table.collation.name()),
            Value::Null,
            text(create_options(&table)),
            text(table.comment.as_str()),
        ]);
    }
    sort_objects(&mut rows);
    Ok(rows)
}

/// The views of `sys` that the filter lets through.
fn system_views<'a>(source: &'a Source<'_>) -> impl Iterator<Item = &'static Arc<dyn VirtualTable>> + 'a {
    let schema = source.filter.schema.as_ref().is_none_or(|schema| schema == sys::DATABASE);
    let named = |name: &str| source.filter.table.as_ref().is_none_or(|table| table == name);
    sys::tables().iter().filter(move |table| schema && named(&table.definition().name))
}

/// Tables and views together, by database and name; what belongs to one stays in its order.
fn sort_objects(rows: &mut Rows) {
    let path = |row: &Vec<Value>| match (row.get(1), row.get(2)) {
        (Some(Value::Text(schema)), Some(Value::Text(name))) => (schema.clone(), name.clone()),
        _ => (String::new(), String::new()),
    };
    rows.sort_by_cached_key(path);
}

/// The options of a table as `CREATE_OPTIONS` lists them.
fn create_options(table: &TableDef) -> String {
    let mut options: Vec<String> = kept_options(table);
    for option in &mut options {
        let lower = option.split('=').next().unwrap_or("").to_lowercase();
        let value = option.split_once('=').map_or("", |(_, value)| value).to_owned();
        *option = format!("{lower}={value}");
    }
    options.join(" ")
}

pub(super) fn columns(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for home in virtual_databases(source) {
        for table in virtual_tables(source, home) {
            push_columns(table.definition(), home.privileges, &mut rows);
        }
    }
    for table in system_views(source) {
        push_columns(table.definition(), "select,insert,update,references", &mut rows);
    }
    for table in stored_tables(source) {
        push_columns(&table, "select,insert,update,references", &mut rows);
    }
    for view in stored_views(source) {
        // One that means nothing any more has no columns.
        let def = definition(&view, source.database, &mut Unlocked(source.database), source.session);
        if let Ok(def) = def {
            push_columns(&def, "select,insert,update,references", &mut rows);
        }
    }
    sort_objects(&mut rows);
    Ok(rows)
}

fn push_columns(table: &TableDef, privileges: &str, rows: &mut Rows) {
    for (at, column) in table.columns.iter().enumerate() {
        let ty = &column.ty;
        let characters = ty.kind.is_text();
        let number = numeric(column);
        let unsigned = |n: Option<u64>| n.map_or(Value::Null, Value::UInt);
        let signed = |n: Option<u64>| n.map_or(Value::Null, |n| Value::Int(n as i64));
        rows.push(vec![
            text("def"),
            text(table.database.as_str()),
            text(table.name.as_str()),
            text(column.name.as_str()),
            Value::UInt(at as u64 + 1),
            maybe(column_default(column)),
            text(if column.nullable { "YES" } else { "NO" }),
            text(ty.kind.name()),
            signed(ty.character_length()),
            signed(ty.octet_length()),
            unsigned(number.0),
            unsigned(number.1),
            match ty.kind {
                TypeKind::Time { fsp } | TypeKind::DateTime { fsp } | TypeKind::Timestamp { fsp } => {
                    Value::UInt(u64::from(fsp))
                }
                _ => Value::Null,
            },
            maybe(characters.then(|| ty.charset().name())),
            maybe(characters.then(|| ty.collation.name())),
            text(ty.full_name()),
            text(column_key(table, at)),
            text(column_extra(column)),
            text(privileges),
            text(column.comment.as_str()),
            text(column.generated.as_ref().map(|g| escaped(&g.expression)).unwrap_or_default()),
            match column.ty.kind {
                TypeKind::Geometry { srid: Some(srid), .. } => Value::UInt(u64::from(srid)),
                _ => Value::Null,
            },
        ]);
    }
}

/// NUMERIC_PRECISION and NUMERIC_SCALE.
fn numeric(column: &ColumnDef) -> (Option<u64>, Option<u64>) {
    let digits = |n| (Some(n), Some(0));
    match &column.ty.kind {
        TypeKind::TinyInt { .. } => digits(3),
        TypeKind::SmallInt { .. } => digits(5),
        TypeKind::MediumInt { .. } => digits(7),
        TypeKind::Int { .. } => digits(10),
        TypeKind::BigInt { unsigned } => digits(if *unsigned { 20 } else { 19 }),
        TypeKind::Decimal { precision, scale, .. } => (Some(u64::from(*precision)), Some(u64::from(*scale))),
        TypeKind::Float { digits: Some((m, d)), .. } | TypeKind::Double { digits: Some((m, d)), .. } => {
            (Some(u64::from(*m)), Some(u64::from(*d)))
        }
        TypeKind::Float { .. } => (Some(12), None),
        TypeKind::Double { .. } => (Some(22), None),
        TypeKind::Bit { width } => (Some(u64::from(*width)), None),
        _ => (None, None),
    }
}

/// The default of a column as COLUMNS and DESCRIBE show it.
pub(crate) fn column_default(column: &ColumnDef) -> Option<String> {
    Some(match column.default.as_ref()? {
        ColumnDefault::CurrentTimestamp { fsp: 0 } => "CURRENT_TIMESTAMP".to_owned(),
        ColumnDefault::CurrentTimestamp { fsp } => format!("CURRENT_TIMESTAMP({fsp})"),
        ColumnDefault::Literal(Value::Null) => return None,
        ColumnDefault::Literal(Value::Bit(bit)) => format!("b'{:b}'", bit.value),
        ColumnDefault::Literal(Value::Bytes(bytes)) if column.ty.charset() == Charset::Binary => {
            let fixed = matches!(column.ty.kind, TypeKind::Binary { .. });
            let end =
                if fixed { bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1) } else { bytes.len() };
            let mut shown = String::from("0x");
            for byte in bytes.iter().take(end) {
                shown.push_str(&format!("{byte:02X}"));
            }
            shown
        }
        ColumnDefault::Literal(value) => plain_default(column, value),
        ColumnDefault::Expression(text) => escaped(text),
        ColumnDefault::Dropped => return None,
    })
}

/// The text of an expression as MySQL's tables show it, with its quotes escaped.
pub(crate) fn escaped(expression: &str) -> String {
    expression.replace('\\', "\\\\").replace('\'', "\\'")
}

/// PRI, UNI, MUL or nothing: what DESCRIBE says of the keys of a column.
pub(crate) fn column_key(table: &TableDef, at: usize) -> &'static str {
    if table.primary.columns.iter().any(|p| p.column == at) {
        return "PRI";
    }
    let leads = |index: &&rustydb_catalog::IndexDef| index.columns.first().is_some_and(|p| p.column == at);
    let leading = || table.indexes.iter().filter(leads);
    if leading().any(|i| i.unique && i.columns.len() == 1) {
        // The first unique key without NULLs counts as primary where none is declared.
        let not_null = table.columns.get(at).is_some_and(|c| !c.nullable);
        return if table.has_hidden_key() && not_null { "PRI" } else { "UNI" };
    }
    let recorded = table.recorded.iter().any(|key| key.columns.first() == Some(&at));
    if leading().next().is_some() || recorded { "MUL" } else { "" }
}

/// What DESCRIBE shows under Extra.
pub(crate) fn column_extra(column: &ColumnDef) -> String {
    let mut parts: Vec<String> = Vec::new();
    if column.auto_increment {
        parts.push("auto_increment".to_owned());
    }
    if matches!(column.default, Some(ColumnDefault::CurrentTimestamp { .. } | ColumnDefault::Expression(_))) {
        parts.push("DEFAULT_GENERATED".to_owned());
    }
    if let Some(generated) = &column.generated {
        parts.push(if generated.stored { "STORED GENERATED" } else { "VIRTUAL GENERATED" }.to_owned());
    }
    match column.on_update_now {
        None => {}
        Some(0) => parts.push("on update CURRENT_TIMESTAMP".to_owned()),
        Some(fsp) => parts.push(format!("on update CURRENT_TIMESTAMP({fsp})")),
    }
    if !column.visible {
        parts.push("INVISIBLE".to_owned());
    }
    parts.join(" ")
}

/// One row per view.
pub(super) fn views(source: &Source<'_>) -> Result<Rows, SqlError> {
    let row = |view: std::sync::Arc<rustydb_catalog::ViewDef>| {
        vec![
            text("def"),
            text(view.database.as_str()),
            text(view.name.as_str()),
            text(view.query.as_str()),
            text(match view.check {
                None => "NONE",
                Some(ViewCheck::Local) => "LOCAL",
                Some(ViewCheck::Cascaded) => "CASCADED",
            }),
            text(if view.updatable { "YES" } else { "NO" }),
            text(format!("{}@{}", view.definer.0, view.definer.1)),
            text(if view.security == SqlSecurity::Definer { "DEFINER" } else { "INVOKER" }),
            text(view.character_set_client.as_str()),
            text(view.collation_connection.as_str()),
        ]
    };
    Ok(stored_views(source).into_iter().map(row).collect())
}

/// One row per table: none is partitioned.
pub(super) fn partitions(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for table in stored_tables(source) {
        let mut row = vec![text("def"), text(table.database.as_str()), text(table.name.as_str())];
        row.extend((0..15).map(|_| Value::Null));
        row.extend([moment(table.created_micros), Value::Null, Value::Null, Value::Null, text("")]);
        row.extend([Value::Null, Value::Null]);
        rows.push(row);
    }
    Ok(rows)
}
