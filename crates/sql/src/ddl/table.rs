//! CREATE TABLE: from the parsed statement to a definition that the catalog can keep.
//!
//! Everything MySQL refuses is refused here with its error, before anything is written; what is not
//! built (foreign keys, CHECK, generated columns, partitions, expression defaults, temporary tables) is
//! refused with 1235 and never dropped in silence. Column-level REFERENCES is the exception that MySQL
//! 8.4 itself makes: it parses and ignores it.

use rustydb_catalog::definitions::{MAX_COLUMNS, same_name};
use rustydb_catalog::{ColumnDefault, IndexColumn, NewColumn, NewIndex, NewTable, TableDef};
use rustydb_sql_parser::ast::{
    ColumnDefaultValue, ColumnDefinition, ColumnKey, CreateTable, DataType, IndexDefinition, IndexKey,
    IndexKind, IndexOptions, IndexPart, StringLiteral, TableElement,
};
use rustydb_value::{Collation, ColumnType, TypeKind, Value};

use super::column_type::{MAX_ROW_BYTES, column_type, row_bytes};
use super::index::{self, KeyColumn};
use super::options::TableSettings;
use super::{names, options};
use crate::dml::conversion;
use crate::error::SqlError;
use crate::literal;
use crate::session::SessionState;

/// The most characters of a column comment.
const MAX_COLUMN_COMMENT: usize = 1024;

/// The definition that the statement asks for; `default` is the collation of its database.
pub(crate) fn new_table(
    statement: &CreateTable,
    database: &str,
    default: Collation,
    selected: Vec<NewColumn>,
    session: &mut SessionState,
) -> Result<NewTable, SqlError> {
    let name = statement.name.name.as_str();
    names::check_table(name)?;
    if statement.partitioning.is_some() {
        return Err(SqlError::not_supported("partitioned tables"));
    }
    let settings = options::read(&statement.options, name, default, session)?;
    let mut columns: Vec<NewColumn> = Vec::new();
    let mut keys: Vec<IndexDefinition> = Vec::new();
    let mut declared_null: Vec<bool> = Vec::new();
    for element in &statement.elements {
        match element {
            TableElement::Column(definition) => {
                let column = new_column(definition, settings.collation, session)?;
                if columns.iter().any(|c| same_name(&c.name, &column.name)) {
                    return Err(SqlError::duplicate_column(&column.name));
                }
                if let Some(key) = column_key(definition) {
                    keys.push(key);
                }
                declared_null.push(definition.attributes.nullable == Some(true));
                columns.push(column);
            }
            TableElement::Index(index) => {
                index::check_kind(index)?;
                keys.push((**index).clone());
            }
            TableElement::ForeignKey(_) => return Err(SqlError::not_supported("FOREIGN KEY")),
            TableElement::Check(_) => return Err(SqlError::not_supported("CHECK constraints")),
        }
    }
    // What a query gives comes last, as it was declared where its name was.
    for column in selected {
        let declared = columns.iter().position(|c| same_name(&c.name, &column.name));
        let column = declared.map_or(column, |at| {
            let null = declared_null.remove(at);
            declared_null.push(null);
            columns.remove(at)
        });
        if declared.is_none() {
            declared_null.push(false);
        }
        columns.push(column);
    }
    if columns.is_empty() {
        return Err(SqlError::no_columns());
    }
    if columns.len() > MAX_COLUMNS {
        return Err(SqlError::too_many_columns());
    }
    check_row_size(&columns)?;
    let (primary, primary_comment) = primary_key(&keys, &mut columns, &declared_null, session)?;
    let indexes = secondary_keys(&keys, &columns, database, name, session)?;
    if primary.is_empty() && session.settings.sql_require_primary_key {
        return Err(SqlError::primary_key_required());
    }
    check_auto_increment(&columns, &primary, &indexes)?;
    let TableSettings { collation, comment, options, first_auto_increment } = settings;
    Ok(NewTable {
        database: database.to_owned(),
        name: name.to_owned(),
        columns,
        primary,
        primary_comment,
        indexes,
        collation,
        comment,
        options,
        first_auto_increment,
    })
}

/// CREATE TABLE .. LIKE: the same columns and indexes under another name.
pub(crate) fn like(source: &TableDef, database: &str, name: &str) -> NewTable {
    NewTable {
        database: database.to_owned(),
        name: name.to_owned(),
        columns: source
            .columns
            .iter()
            .map(|c| NewColumn {
                name: c.name.clone(),
                ty: c.ty.clone(),
                nullable: c.nullable,
                default: c.default.clone(),
                on_update_now: c.on_update_now,
                auto_increment: c.auto_increment,
                visible: c.visible,
                comment: c.comment.clone(),
            })
            .collect(),
        primary: source.primary.columns.clone(),
        primary_comment: source.primary.comment.clone(),
        indexes: source
            .indexes
            .iter()
            .map(|i| NewIndex {
                name: i.name.clone(),
                unique: i.unique,
                columns: i.columns.clone(),
                visible: i.visible,
                comment: i.comment.clone(),
            })
            .collect(),
        collation: source.collation,
        comment: source.comment.clone(),
        options: source.options.clone(),
        first_auto_increment: None,
    }
}

/// The text of a COMMENT.
pub(crate) fn comment_text(comment: Option<&StringLiteral>) -> String {
    comment.map(|c| String::from_utf8_lossy(&c.value).into_owned()).unwrap_or_default()
}

fn check_row_size(columns: &[NewColumn]) -> Result<(), SqlError> {
    let nulls = columns.iter().filter(|c| c.nullable).count().div_ceil(8) as u64;
    let bytes: u64 = columns.iter().map(|c| row_bytes(&c.ty)).sum();
    if bytes + nulls > MAX_ROW_BYTES {
        return Err(SqlError::row_too_big(MAX_ROW_BYTES));
    }
    Ok(())
}

/// One column as declared.
pub(crate) fn new_column(
    definition: &ColumnDefinition,
    default_collation: Collation,
    session: &mut SessionState,
) -> Result<NewColumn, SqlError> {
    let name = definition.name.as_str();
    names::check_column(name)?;
    let attributes = &definition.attributes;
    if attributes.generated.is_some() {
        return Err(SqlError::not_supported("generated columns"));
    }
    if !attributes.checks.is_empty() {
        return Err(SqlError::not_supported("CHECK constraints"));
    }
    if attributes.srid.is_some() {
        return Err(SqlError::not_supported("SRID"));
    }
    for attribute in
        [&attributes.engine_attribute, &attributes.secondary_engine_attribute].into_iter().flatten()
    {
        if !attribute.value.is_empty() {
            return Err(SqlError::not_supported("ENGINE_ATTRIBUTE"));
        }
    }
    let ty =
        column_type(name, &definition.data_type, attributes.collation.as_ref(), default_collation, session)?;
    let serial = matches!(definition.data_type, DataType::Serial);
    let auto_increment = attributes.auto_increment || serial;
    if auto_increment && !ty.kind.is_integer() {
        return Err(SqlError::wrong_column_specifier(name));
    }
    let nullable = !auto_increment && attributes.nullable != Some(false);
    let comment = comment_text(attributes.comment.as_ref());
    if comment.chars().count() > MAX_COLUMN_COMMENT {
        return Err(SqlError::column_comment_too_long(name, MAX_COLUMN_COMMENT));
    }
    let default = match &attributes.default {
        None => None,
        Some(_) if auto_increment => return Err(SqlError::invalid_default(name)),
        Some(default) => column_default(name, &ty, nullable, default, session)?,
    };
    let on_update_now = match attributes.on_update {
        None => None,
        Some(fsp) if takes_now(&ty, fsp) => Some(fsp as u8),
        Some(_) => return Err(SqlError::invalid_on_update(name)),
    };
    Ok(NewColumn {
        name: name.to_owned(),
        ty,
        nullable,
        default,
        on_update_now,
        auto_increment,
        visible: attributes.visible != Some(false),
        comment,
    })
}

fn takes_now(ty: &ColumnType, fsp: u32) -> bool {
    match ty.kind {
        TypeKind::DateTime { fsp: own } | TypeKind::Timestamp { fsp: own } => u32::from(own) == fsp,
        _ => false,
    }
}

/// The DEFAULT of a column; `DEFAULT NULL` is no default.
pub(crate) fn column_default(
    name: &str,
    ty: &ColumnType,
    nullable: bool,
    default: &ColumnDefaultValue,
    session: &mut SessionState,
) -> Result<Option<ColumnDefault>, SqlError> {
    let invalid = || SqlError::invalid_default(name);
    match default {
        ColumnDefaultValue::CurrentTimestamp(fsp) => {
            if !takes_now(ty, *fsp) {
                return Err(invalid());
            }
            Ok(Some(ColumnDefault::CurrentTimestamp { fsp: *fsp as u8 }))
        }
        ColumnDefaultValue::Expression(_) => Err(SqlError::not_supported("expressions as column defaults")),
        ColumnDefaultValue::Literal(expr) => {
            let value = literal::constant(expr, &[])?.ok_or_else(invalid)?;
            if value.is_null() {
                return if nullable { Ok(None) } else { Err(invalid()) };
            }
            let lob = matches!(
                ty.kind,
                TypeKind::Text { .. } | TypeKind::Blob { .. } | TypeKind::Json | TypeKind::Geometry
            );
            if lob {
                return Err(SqlError::blob_default(name));
            }
            let stored = conversion::default_value(&value, ty, session).ok_or_else(invalid)?;
            Ok(Some(ColumnDefault::Literal(stored)))
        }
    }
}

/// The key that a column declares for itself.
fn column_key(definition: &ColumnDefinition) -> Option<IndexDefinition> {
    let serial = matches!(definition.data_type, DataType::Serial);
    let kind = match definition.attributes.key {
        Some(ColumnKey::Primary) => IndexKind::Primary,
        Some(ColumnKey::Unique) => IndexKind::Unique,
        None if serial => IndexKind::Unique,
        None => return None,
    };
    let key = IndexKey::Column { name: definition.name.clone(), prefix: None };
    Some(IndexDefinition {
        kind,
        constraint: None,
        name: None,
        parts: vec![IndexPart { key, descending: None }],
        options: IndexOptions::default(),
    })
}

/// The primary key, whose columns become NOT NULL.
fn primary_key(
    keys: &[IndexDefinition],
    columns: &mut [NewColumn],
    declared_null: &[bool],
    session: &mut SessionState,
) -> Result<(Vec<IndexColumn>, String), SqlError> {
    let mut primaries = keys.iter().filter(|k| k.kind == IndexKind::Primary);
    let Some(key) = primaries.next() else { return Ok((Vec::new(), String::new())) };
    if primaries.next().is_some() {
        return Err(SqlError::multiple_primary_keys());
    }
    if key.options.visible == Some(false) {
        return Err(SqlError::primary_index_visible());
    }
    let list: Vec<KeyColumn<'_>> = columns.iter().map(KeyColumn::from).collect();
    let parts = index::parts(key, &list)?;
    drop(list);
    for part in &parts {
        if declared_null.get(part.column) == Some(&true) {
            return Err(SqlError::primary_nullable());
        }
        if let Some(column) = columns.get_mut(part.column) {
            column.nullable = false;
        }
    }
    let comment = index::options("PRIMARY", &key.options, session)?;
    Ok((parts, comment))
}

fn secondary_keys(
    keys: &[IndexDefinition],
    columns: &[NewColumn],
    database: &str,
    table: &str,
    session: &mut SessionState,
) -> Result<Vec<NewIndex>, SqlError> {
    let list: Vec<KeyColumn<'_>> = columns.iter().map(KeyColumn::from).collect();
    // Names that are written come first: a made-up name makes way for them.
    let written: Vec<&str> = keys
        .iter()
        .filter(|k| k.kind != IndexKind::Primary)
        .filter_map(|k| {
            let constraint = k.constraint.as_ref().and_then(Option::as_ref);
            k.name.as_ref().or(constraint).map(|n| n.as_str())
        })
        .collect();
    let mut indexes: Vec<NewIndex> = Vec::new();
    for key in keys.iter().filter(|k| k.kind != IndexKind::Primary) {
        let named = key.name.is_some() || key.constraint.as_ref().is_some_and(Option::is_some);
        let mut taken: Vec<&str> = indexes.iter().map(|i| i.name.as_str()).collect();
        if !named {
            taken.extend(&written);
        }
        let new = index::secondary(key, &list, &taken, session)?;
        let existing: Vec<(&[IndexColumn], bool)> =
            indexes.iter().map(|i| (i.columns.as_slice(), i.unique)).collect();
        index::warn_of_duplicates(&new, &existing, database, table, session);
        indexes.push(new);
    }
    Ok(indexes)
}

/// There is at most one AUTO_INCREMENT column, and it leads an index (1075).
fn check_auto_increment(
    columns: &[NewColumn],
    primary: &[IndexColumn],
    indexes: &[NewIndex],
) -> Result<(), SqlError> {
    let mut automatic = columns.iter().enumerate().filter(|(_, c)| c.auto_increment).map(|(i, _)| i);
    let Some(column) = automatic.next() else { return Ok(()) };
    let leads = |parts: &[IndexColumn]| parts.first().is_some_and(|p| p.column == column);
    let keyed = leads(primary) || indexes.iter().any(|i| leads(&i.columns));
    if automatic.next().is_some() || !keyed {
        return Err(SqlError::wrong_auto_key());
    }
    Ok(())
}

/// The value that NOT NULL columns without a default take where strict mode is off (and that ADD COLUMN
/// gives to existing rows): zero, the empty string, the zero date, the first ENUM member.
pub(crate) fn implicit_default(ty: &ColumnType) -> Value {
    use rustydb_value::{Bit, Date, DateTime, Decimal, Time};
    match &ty.kind {
        TypeKind::Decimal { .. } => Value::Decimal(Decimal::from(0i64)),
        TypeKind::Float { .. } => Value::Float(0.0),
        TypeKind::Double { .. } => Value::Double(0.0),
        TypeKind::Bit { width } => Value::Bit(Bit { value: 0, width: *width }),
        TypeKind::Year => Value::Year(0),
        TypeKind::Date => Value::Date(Date::ZERO),
        TypeKind::Time { fsp } => Value::Time(Time::ZERO.with_fsp(*fsp)),
        TypeKind::DateTime { fsp } | TypeKind::Timestamp { fsp } => {
            Value::DateTime(DateTime::ZERO.with_fsp(*fsp))
        }
        TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. } => {
            Value::Text(String::new())
        }
        TypeKind::Binary { len } => Value::Bytes(vec![0; *len as usize]),
        TypeKind::VarBinary { .. } | TypeKind::Blob { .. } | TypeKind::Geometry => Value::Bytes(Vec::new()),
        TypeKind::Json => Value::Text("null".to_owned()),
        TypeKind::Enum { .. } => Value::UInt(1),
        TypeKind::Set { .. } => Value::UInt(0),
        kind if kind.is_unsigned() => Value::UInt(0),
        _ => Value::Int(0),
    }
}
