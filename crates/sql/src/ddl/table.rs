//! CREATE TABLE: from the parsed statement to a definition that the catalog can keep.
//!
//! Everything MySQL refuses is refused here with its error, before anything is written; what is not
//! built (partitions, temporary tables) is refused with 1235 and never dropped in silence.
//!
//! ```text
//! columns -> their expressions (they may name each other) -> keys -> foreign keys -> CHECK
//! ```

use std::sync::Arc;

use rustydb_catalog::definitions::{MAX_COLUMNS, same_name};
use rustydb_catalog::{
    Catalog, ColumnDef, ColumnDefault, GeneratedColumn, IndexColumn, IndexDef, NewColumn, NewIndex,
    NewRecordedKey, NewTable, RecordedKey, TableDef,
};
use rustydb_sql_parser::ast::{
    ColumnDefaultValue, ColumnDefinition, ColumnKey, CreateTable, DataType, Ident, IndexDefinition, IndexKey,
    IndexKind, IndexOptions, IndexPart, StringLiteral, TableElement,
};
use rustydb_value::{Collation, ColumnType, TypeKind, Value};

use super::check::NewCheck;
use super::column_type::{MAX_ROW_BYTES, column_type, row_bytes};
use super::expression::Place;
use super::foreign_key::{Child, NewForeignKey};
use super::index::{self, KeyColumn};
use super::options::TableSettings;
use super::{check, expression, foreign_key, names, options};
use crate::dml::conversion;
use crate::error::SqlError;
use crate::literal;
use crate::session::SessionState;

/// The most characters of a column comment.
const MAX_COLUMN_COMMENT: usize = 1024;

/// A key of the statement on its way to an index.
pub(crate) struct KeySource {
    pub(crate) definition: IndexDefinition,
    /// It was not asked for but is needed for a foreign key.
    pub(crate) made_for_foreign_key: bool,
}

/// The definition that the statement asks for; `default` is the collation of its database.
pub(crate) fn new_table(
    statement: &CreateTable,
    database: &str,
    default: Collation,
    selected: Vec<NewColumn>,
    catalog: &Catalog,
    session: &mut SessionState,
) -> Result<NewTable, SqlError> {
    let name = statement.name.name.as_str();
    names::check_table(name)?;
    if statement.partitioning.is_some() {
        return Err(SqlError::not_supported("partitioned tables"));
    }
    let settings = options::read(&statement.options, name, default, session)?;
    let mut columns: Vec<NewColumn> = Vec::new();
    let mut sources: Vec<Option<&ColumnDefinition>> = Vec::new();
    let mut keys: Vec<KeySource> = Vec::new();
    let mut foreign: Vec<NewForeignKey<'_>> = Vec::new();
    let mut checks: Vec<NewCheck<'_>> = Vec::new();
    for element in &statement.elements {
        match element {
            TableElement::Column(definition) => {
                let column = new_column(definition, settings.collation, session)?;
                if columns.iter().any(|c| same_name(&c.name, &column.name)) {
                    return Err(SqlError::duplicate_column(&column.name));
                }
                declared_at(definition, &mut keys, &mut foreign, &mut checks);
                sources.push(Some(definition));
                columns.push(column);
            }
            TableElement::Index(index) => {
                let definition = (**index).clone();
                keys.push(KeySource { definition, made_for_foreign_key: false });
            }
            TableElement::ForeignKey(key) => {
                foreign.push(NewForeignKey::of_table(key));
                keys.extend(foreign.last().map(made_key));
            }
            TableElement::Check(constraint) => checks.push(NewCheck { constraint, column: None }),
        }
    }
    // What a query gives comes last, as it was declared where its name was.
    for column in selected {
        let declared = columns.iter().position(|c| same_name(&c.name, &column.name));
        let column = declared.map_or(column, |at| {
            let source = sources.remove(at);
            sources.push(source);
            columns.remove(at)
        });
        if declared.is_none() {
            sources.push(None);
        }
        columns.push(column);
    }
    if columns.is_empty() {
        return Err(SqlError::no_columns());
    }
    if columns.len() > MAX_COLUMNS {
        return Err(SqlError::too_many_columns());
    }
    resolve_expressions(&mut columns, &sources, session)?;
    check_columns(&columns)?;
    for key in &foreign {
        foreign_key::positions(&key.columns, &columns)?;
    }
    let (primary, primary_comment) = primary_key(&keys, &mut columns, &sources, session)?;
    let (indexes, recorded) = secondary_keys(&keys, &columns, &primary, database, name, session)?;
    if primary.is_empty() && session.settings.sql_require_primary_key {
        return Err(SqlError::primary_key_required());
    }
    check_auto_increment(&columns, &primary, indexes.iter().map(|i| i.columns.as_slice()))?;
    let others: Vec<Arc<TableDef>> =
        catalog.tables(database).into_iter().filter(|t| t.name != name).collect();
    let key_columns = key_columns(&primary, indexes.iter());
    let child = Child { database, name, columns: &columns, keys: &key_columns };
    let parents = |database: &str, name: &str| catalog.table(database, name);
    let mut foreign_keys = Vec::new();
    foreign_key::add(&foreign, &child, &mut foreign_keys, &parents, &others, session)?;
    if statement.temporary && !foreign_keys.is_empty() {
        return Err(SqlError::cannot_add_foreign_key());
    }
    if session.settings.foreign_key_checks && !statement.temporary {
        foreign_key::check_children(&child, &catalog.children(database, name), session)?;
    }
    let mut kept = Vec::new();
    check::add(&checks, name, &columns, &mut kept, &others, session)?;
    check::check_against_actions(&kept, &foreign_keys, &columns)?;
    let TableSettings { collation, comment, options, first_auto_increment } = settings;
    Ok(NewTable {
        database: database.to_owned(),
        name: name.to_owned(),
        columns,
        primary,
        primary_comment,
        indexes,
        recorded,
        foreign_keys,
        checks: kept,
        collation,
        comment,
        options,
        first_auto_increment,
    })
}

/// What a column declares beside itself: keys, a foreign key, CHECK constraints.
pub(crate) fn declared_at<'a>(
    definition: &'a ColumnDefinition,
    keys: &mut Vec<KeySource>,
    foreign: &mut Vec<NewForeignKey<'a>>,
    checks: &mut Vec<NewCheck<'a>>,
) {
    if let Some(definition) = column_key(definition) {
        keys.push(KeySource { definition, made_for_foreign_key: false });
    }
    let column = Some(definition.name.as_str());
    checks.extend(definition.attributes.checks.iter().map(|constraint| NewCheck { constraint, column }));
    if let Some(references) = &definition.attributes.references {
        foreign.push(NewForeignKey::of_column(&definition.name, references));
        keys.extend(foreign.last().map(made_key));
    }
}

/// The index that a foreign key needs on its own side, unless there is one.
pub(crate) fn made_key(key: &NewForeignKey<'_>) -> KeySource {
    let part = |name: &&Ident| IndexPart {
        key: IndexKey::Column { name: (*name).clone(), prefix: None },
        descending: None,
    };
    let definition = IndexDefinition {
        kind: IndexKind::Plain,
        constraint: None,
        name: key.constraint.or(key.index_name).cloned(),
        parts: key.columns.iter().map(part).collect(),
        options: IndexOptions::default(),
    };
    KeySource { definition, made_for_foreign_key: true }
}

/// The keys of a table for whoever looks for one by its columns, the primary first.
pub(crate) fn key_columns<'i>(
    primary: &[IndexColumn],
    indexes: impl Iterator<Item = &'i NewIndex>,
) -> Vec<(Vec<IndexColumn>, bool)> {
    let mut list = vec![(primary.to_vec(), true)];
    list.extend(indexes.map(|i| (i.columns.clone(), i.unique)));
    list
}

/// Fills in the expressions of generated columns and defaults. `sources` are the statement's words for each column,
/// None for one that stays as it is.
pub(crate) fn resolve_expressions(
    columns: &mut [NewColumn],
    sources: &[Option<&ColumnDefinition>],
    session: &SessionState,
) -> Result<(), SqlError> {
    for (at, source) in sources.iter().enumerate() {
        let Some(attributes) = source.map(|s| &s.attributes) else { continue };
        let Some(name) = columns.get(at).map(|c| c.name.clone()) else { continue };
        if let Some(generated) = &attributes.generated {
            let expression =
                expression::text(&generated.expr, Place::Generated(&name, at), columns, session)?;
            if let Some(column) = columns.get_mut(at) {
                column.generated = Some(GeneratedColumn { expression, stored: generated.stored });
            }
        }
        if let Some(ColumnDefaultValue::Expression(expr)) = &attributes.default {
            let text = expression::text(expr, Place::Default(&name, at), columns, session)?;
            if let Some(column) = columns.get_mut(at) {
                column.default = Some(ColumnDefault::Expression(text));
            }
        }
    }
    Ok(())
}

/// What all columns together must keep: the size of a row, one that is visible.
pub(crate) fn check_columns(columns: &[NewColumn]) -> Result<(), SqlError> {
    if !columns.iter().any(|c| c.visible) {
        return Err(SqlError::no_visible_column());
    }
    check_row_size(columns)
}

/// A column that is there already, as one to be created.
pub(crate) fn column_again(column: &ColumnDef) -> NewColumn {
    NewColumn {
        name: column.name.clone(),
        ty: column.ty.clone(),
        nullable: column.nullable,
        default: column.default.clone(),
        on_update_now: column.on_update_now,
        auto_increment: column.auto_increment,
        visible: column.visible,
        comment: column.comment.clone(),
        generated: column.generated.clone(),
        explicit_collation: column.explicit_collation,
        functional: column.functional,
    }
}

/// An index that is there already, as one to be created.
pub(crate) fn index_again(index: &IndexDef) -> NewIndex {
    NewIndex {
        name: index.name.clone(),
        unique: index.unique,
        columns: index.columns.clone(),
        visible: index.visible,
        comment: index.comment.clone(),
        made_for_foreign_key: index.made_for_foreign_key,
    }
}

/// A recorded key that is there already, as one to be created behind `behind` indexes.
pub(crate) fn recorded_again(key: &RecordedKey, behind: usize) -> NewRecordedKey {
    NewRecordedKey {
        name: key.name.clone(),
        kind: key.kind,
        columns: key.columns.clone(),
        visible: key.visible,
        comment: key.comment.clone(),
        parser: key.parser.clone(),
        behind,
    }
}

/// CREATE TABLE .. LIKE: the same columns, indexes and CHECK constraints under another name, without the foreign keys.
pub(crate) fn like(source: &TableDef, database: &str, name: &str) -> NewTable {
    let behind = |key: &RecordedKey| source.indexes.iter().filter(|i| i.id < key.id).count();
    let mut checks = source.checks.clone();
    checks.sort_by_key(|c| c.name.to_lowercase());
    for (number, check) in (1..).zip(&mut checks) {
        check.name = format!("{name}_chk_{number}");
    }
    NewTable {
        database: database.to_owned(),
        name: name.to_owned(),
        columns: source.columns.iter().map(column_again).collect(),
        primary: source.primary.columns.clone(),
        primary_comment: source.primary.comment.clone(),
        indexes: source.indexes.iter().map(index_again).collect(),
        recorded: source.recorded.iter().map(|key| recorded_again(key, behind(key))).collect(),
        foreign_keys: Vec::new(),
        checks,
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
    for attribute in
        [&attributes.engine_attribute, &attributes.secondary_engine_attribute].into_iter().flatten()
    {
        if !attribute.value.is_empty() {
            return Err(SqlError::not_supported("ENGINE_ATTRIBUTE"));
        }
    }
    let mut ty =
        column_type(name, &definition.data_type, attributes.collation.as_ref(), default_collation, session)?;
    if let Some(wanted) = attributes.srid {
        let TypeKind::Geometry { srid, .. } = &mut ty.kind else {
            return Err(SqlError::incorrect_usage("SRID", "non-geometry column"));
        };
        // The reference systems that every map and every dump uses: no table of the others is kept.
        if !matches!(wanted, 0 | 3857 | 4326) {
            return Err(SqlError::unknown_srid(wanted));
        }
        *srid = Some(wanted);
    }
    let serial = matches!(definition.data_type, DataType::Serial);
    let auto_increment = attributes.auto_increment || serial;
    if auto_increment && !ty.kind.is_integer() {
        return Err(SqlError::wrong_column_specifier(name));
    }
    let nullable = !auto_increment && attributes.nullable != Some(false);
    if attributes.generated.is_some() {
        let wrong = [
            ("AUTO_INCREMENT", auto_increment),
            ("DEFAULT", attributes.default.is_some()),
            ("ON UPDATE", attributes.on_update.is_some()),
        ];
        if let Some((word, _)) = wrong.iter().find(|(_, written)| *written) {
            return Err(SqlError::incorrect_usage(word, "generated column"));
        }
    }
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
        // What it says is filled in when all columns are known.
        generated: attributes
            .generated
            .as_ref()
            .map(|g| GeneratedColumn { expression: String::new(), stored: g.stored }),
        explicit_collation: names_collation(&definition.data_type, attributes.collation.is_some()),
        functional: false,
    })
}

/// Whether CHARACTER SET or COLLATE is written at the column.
fn names_collation(ty: &DataType, collate: bool) -> bool {
    let (charset, national) = match ty {
        DataType::Char { charset, national, .. } | DataType::VarChar { charset, national, .. } => {
            (charset, *national)
        }
        DataType::Text { charset, .. } | DataType::Enum { charset, .. } | DataType::Set { charset, .. } => {
            (charset, false)
        }
        _ => return false,
    };
    collate || national || charset.binary || charset.charset.is_some()
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
        // Its text is filled in when all columns are known.
        ColumnDefaultValue::Expression(_) => Ok(Some(ColumnDefault::Expression(String::new()))),
        ColumnDefaultValue::Literal(expr) => {
            let value = literal::for_column(expr, &[], ty)?.ok_or_else(invalid)?;
            if value.is_null() {
                return if nullable { Ok(None) } else { Err(invalid()) };
            }
            let lob = matches!(
                ty.kind,
                TypeKind::Text { .. } | TypeKind::Blob { .. } | TypeKind::Json | TypeKind::Geometry { .. }
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

/// The primary key, whose columns become NOT NULL. `sources` say where NULL was written.
pub(crate) fn primary_key(
    keys: &[KeySource],
    columns: &mut [NewColumn],
    sources: &[Option<&ColumnDefinition>],
    session: &mut SessionState,
) -> Result<(Vec<IndexColumn>, String), SqlError> {
    let mut primaries = keys.iter().map(|k| &k.definition).filter(|k| k.kind == IndexKind::Primary);
    let Some(key) = primaries.next() else { return Ok((Vec::new(), String::new())) };
    if primaries.next().is_some() {
        return Err(SqlError::multiple_primary_keys());
    }
    if key.options.visible == Some(false) {
        return Err(SqlError::primary_index_visible());
    }
    if key.parts.iter().any(|part| matches!(part.key, IndexKey::Expression(_))) {
        return Err(SqlError::functional_primary());
    }
    let list: Vec<KeyColumn<'_>> = columns.iter().map(KeyColumn::from).collect();
    let parts = index::parts(key, &list)?;
    drop(list);
    for part in &parts {
        if sources.get(part.column).copied().flatten().is_some_and(|s| s.attributes.nullable == Some(true)) {
            return Err(SqlError::primary_nullable());
        }
        if let Some(column) = columns.get_mut(part.column) {
            if column.generated.as_ref().is_some_and(|g| !g.stored) {
                let what = "Defining a virtual generated column as primary key";
                return Err(SqlError::generated_unsupported(what));
            }
            column.nullable = false;
        }
    }
    let comment = index::options("PRIMARY", &key.options, session)?;
    Ok((parts, comment))
}

/// The secondary indexes, and the keys that are only recorded.
fn secondary_keys(
    keys: &[KeySource],
    columns: &[NewColumn],
    primary: &[IndexColumn],
    database: &str,
    table: &str,
    session: &mut SessionState,
) -> Result<(Vec<NewIndex>, Vec<NewRecordedKey>), SqlError> {
    let list: Vec<KeyColumn<'_>> = columns.iter().map(KeyColumn::from).collect();
    let secondary: Vec<&KeySource> =
        keys.iter().filter(|k| k.definition.kind != IndexKind::Primary).collect();
    let mut covers = vec![(false, primary.iter().map(|p| p.column).collect::<Vec<_>>())];
    for key in &secondary {
        covers.push((key.made_for_foreign_key, plain_columns(&key.definition, &list)?));
    }
    let gone = index::superseded(&covers);
    let mut needed =
        secondary.iter().zip(gone.iter().skip(1)).filter(|(_, gone)| !**gone).map(|(key, _)| *key);
    let needed: Vec<&KeySource> = needed.by_ref().collect();
    // Names that are written come first: a made-up name makes way for them.
    let written: Vec<&str> = needed
        .iter()
        .filter_map(|k| {
            let constraint = k.definition.constraint.as_ref().and_then(Option::as_ref);
            k.definition.name.as_ref().or(constraint).map(|n| n.as_str())
        })
        .collect();
    let mut indexes: Vec<NewIndex> = Vec::new();
    let mut recorded: Vec<NewRecordedKey> = Vec::new();
    for key in needed {
        let definition = &key.definition;
        let named = definition.name.is_some() || definition.constraint.as_ref().is_some_and(Option::is_some);
        let mut taken: Vec<&str> = indexes.iter().map(|i| i.name.as_str()).collect();
        taken.extend(recorded.iter().map(|k| k.name.as_str()));
        if !named {
            taken.extend(&written);
        }
        if let Some(kind) = index::recorded_kind(definition, &list) {
            let behind = indexes.len();
            let new = index::recorded(definition, kind, &list, &taken, behind, session)?;
            recorded.push(new);
            continue;
        }
        let mut new = index::secondary(definition, &list, &taken, session)?;
        new.made_for_foreign_key = key.made_for_foreign_key;
        let existing: Vec<(&[IndexColumn], bool)> =
            indexes.iter().map(|i| (i.columns.as_slice(), i.unique)).collect();
        index::warn_of_duplicates(&new, &existing, database, table, session);
        indexes.push(new);
    }
    Ok((indexes, recorded))
}

/// The columns that a key leads with as whole columns: those that it can be found by.
pub(crate) fn plain_columns(
    index: &IndexDefinition,
    columns: &[KeyColumn<'_>],
) -> Result<Vec<usize>, SqlError> {
    let mut list = Vec::new();
    if matches!(index.kind, IndexKind::FullText | IndexKind::Spatial) {
        return Ok(list);
    }
    for part in &index.parts {
        let IndexKey::Column { name, prefix: None } = &part.key else { break };
        let found = columns.iter().position(|c| same_name(c.name, name.as_str()));
        list.push(found.ok_or_else(|| SqlError::key_column_missing(name.as_str()))?);
    }
    Ok(list)
}

/// There is at most one AUTO_INCREMENT column, and it leads an index (1075).
pub(crate) fn check_auto_increment<'i>(
    columns: &[NewColumn],
    primary: &[IndexColumn],
    mut indexes: impl Iterator<Item = &'i [IndexColumn]>,
) -> Result<(), SqlError> {
    let mut automatic = columns.iter().enumerate().filter(|(_, c)| c.auto_increment).map(|(i, _)| i);
    let Some(column) = automatic.next() else { return Ok(()) };
    let leads = |parts: &[IndexColumn]| parts.first().is_some_and(|p| p.column == column);
    let keyed = leads(primary) || indexes.any(leads);
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
        TypeKind::VarBinary { .. } | TypeKind::Blob { .. } | TypeKind::Geometry { .. } => {
            Value::Bytes(Vec::new())
        }
        TypeKind::Json => Value::Text("null".to_owned()),
        TypeKind::Enum { .. } => Value::UInt(1),
        TypeKind::Set { .. } => Value::UInt(0),
        kind if kind.is_unsigned() => Value::UInt(0),
        _ => Value::Int(0),
    }
}
