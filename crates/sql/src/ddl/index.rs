//! Index definitions: parts found among the columns, prefixes and lengths checked, names made up.

use rustydb_catalog::definitions::{MAX_INDEX_COLUMNS, MAX_INDEXES, same_name};
use rustydb_catalog::{IndexColumn, NewColumn, NewIndex, NewRecordedKey, RecordedKind};
use rustydb_sql_parser::ast::{
    IndexAlgorithm, IndexDefinition, IndexKey, IndexKind, IndexOptions, IndexPart,
};
use rustydb_value::{ColumnType, TypeKind};

use super::column_type::row_bytes;
use super::names;
use super::table::comment_text;
use crate::error::SqlError;
use crate::session::SessionState;

/// The most bytes of an index key, as MySQL counts them.
const MAX_KEY_BYTES: u64 = 3072;
/// The most characters of an index comment.
const MAX_COMMENT: usize = 1024;

/// The names and types that an index definition is checked against.
pub(crate) struct KeyColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: &'a ColumnType,
    pub(crate) nullable: bool,
}

impl<'a> From<&'a NewColumn> for KeyColumn<'a> {
    fn from(column: &'a NewColumn) -> KeyColumn<'a> {
        KeyColumn { name: &column.name, ty: &column.ty, nullable: column.nullable }
    }
}

/// The kind of a key that is only recorded: FULLTEXT, SPATIAL, and any plain one on a geometry.
pub(crate) fn recorded_kind(index: &IndexDefinition, columns: &[KeyColumn<'_>]) -> Option<RecordedKind> {
    match index.kind {
        IndexKind::FullText => Some(RecordedKind::FullText),
        IndexKind::Spatial => Some(RecordedKind::Spatial),
        IndexKind::Plain => match index.parts.as_slice() {
            [IndexPart { key: IndexKey::Column { name, .. }, .. }] => columns
                .iter()
                .any(|c| same_name(c.name, name.as_str()) && matches!(c.ty.kind, TypeKind::Geometry { .. }))
                .then_some(RecordedKind::Spatial),
            _ => None,
        },
        IndexKind::Primary | IndexKind::Unique => None,
    }
}

/// A FULLTEXT or SPATIAL key: checked as MySQL checks it, and kept to be shown.
pub(crate) fn recorded(
    index: &IndexDefinition,
    kind: RecordedKind,
    columns: &[KeyColumn<'_>],
    taken: &[&str],
    behind: usize,
    session: &mut SessionState,
) -> Result<NewRecordedKey, SqlError> {
    if kind == RecordedKind::Spatial && index.parts.len() > 1 {
        return Err(SqlError::too_many_key_parts(1));
    }
    if index.parts.len() > MAX_INDEX_COLUMNS {
        return Err(SqlError::too_many_key_parts(MAX_INDEX_COLUMNS));
    }
    let mut list: Vec<usize> = Vec::with_capacity(index.parts.len());
    for part in &index.parts {
        let IndexKey::Column { name, prefix } = &part.key else {
            return Err(SqlError::not_supported("indexes on expressions"));
        };
        if part.descending.is_some() {
            let first = "spatial/fulltext/hash index";
            return Err(SqlError::incorrect_usage(first, "explicit index order"));
        }
        let found = columns.iter().position(|c| same_name(c.name, name.as_str()));
        let at = found.ok_or_else(|| SqlError::key_column_missing(name.as_str()))?;
        if list.contains(&at) {
            return Err(SqlError::duplicate_column(name.as_str()));
        }
        let Some(column) = columns.get(at) else { continue };
        match kind {
            RecordedKind::FullText => {
                let first = list.first().and_then(|at| columns.get(*at)).unwrap_or(column);
                let text = matches!(
                    column.ty.kind,
                    TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Text { .. }
                );
                if !text || column.ty.collation != first.ty.collation {
                    return Err(SqlError::not_full_text(column.name));
                }
            }
            RecordedKind::Spatial => {
                let TypeKind::Geometry { srid, .. } = column.ty.kind else {
                    return Err(SqlError::spatial_type());
                };
                if prefix.is_some() {
                    return Err(SqlError::wrong_sub_key());
                }
                if column.nullable {
                    return Err(SqlError::spatial_nullable());
                }
                if srid.is_none() {
                    session.warn(&SqlError::spatial_without_srid(column.name));
                }
            }
        }
        list.push(at);
    }
    let name = key_name(index, list.first().copied(), columns, taken)?;
    let comment = options(&name, &IndexOptions { parser: None, ..index.options.clone() }, session)?;
    Ok(NewRecordedKey {
        name,
        kind,
        columns: list,
        visible: index.options.visible != Some(false),
        comment,
        parser: index.options.parser.as_ref().map_or_else(String::new, |p| p.as_str().to_owned()),
        behind,
    })
}

/// The name that was written, or MySQL's for a key that leads with this column.
fn key_name(
    index: &IndexDefinition,
    first: Option<usize>,
    columns: &[KeyColumn<'_>],
    taken: &[&str],
) -> Result<String, SqlError> {
    let constraint = index.constraint.as_ref().and_then(Option::as_ref);
    match index.name.as_ref().or(constraint) {
        Some(name) => {
            names::check_index(name.as_str())?;
            if taken.iter().any(|t| same_name(t, name.as_str())) {
                return Err(SqlError::duplicate_key_name(name.as_str()));
            }
            Ok(name.as_str().to_owned())
        }
        None => Ok(made_up_name(first.and_then(|at| columns.get(at)).map_or("", |c| c.name), taken)),
    }
}

/// Which keys of a list make way: one that was made for a foreign key, where another leads with its columns.
pub(crate) fn superseded(keys: &[(bool, Vec<usize>)]) -> Vec<bool> {
    let mut gone = vec![false; keys.len()];
    for (at, (made, columns)) in keys.iter().enumerate() {
        for (before, (made_before, columns_before)) in keys.iter().enumerate().take(at) {
            if gone.get(before) != Some(&false) || !(*made || *made_before) {
                continue;
            }
            // Of two that were made the shorter goes, of equal ones the earlier.
            let this_goes = match (made, made_before) {
                (true, true) => columns.len() < columns_before.len(),
                _ => *made,
            };
            let (short, long) = if this_goes { (columns, columns_before) } else { (columns_before, columns) };
            if !long.starts_with(short) {
                continue;
            }
            if let Some(slot) = gone.get_mut(if this_goes { at } else { before }) {
                *slot = true;
            }
            if this_goes {
                break;
            }
        }
    }
    gone
}

/// The columns of an index key.
pub(crate) fn parts(
    index: &IndexDefinition,
    columns: &[KeyColumn<'_>],
) -> Result<Vec<IndexColumn>, SqlError> {
    if index.parts.len() > MAX_INDEX_COLUMNS {
        return Err(SqlError::too_many_key_parts(MAX_INDEX_COLUMNS));
    }
    let mut parts: Vec<IndexColumn> = Vec::with_capacity(index.parts.len());
    let mut bytes = 0;
    for part in &index.parts {
        let IndexKey::Column { name, prefix } = &part.key else {
            return Err(SqlError::not_supported("indexes on expressions"));
        };
        let found = columns.iter().position(|c| same_name(c.name, name.as_str()));
        let column = found.ok_or_else(|| SqlError::key_column_missing(name.as_str()))?;
        if parts.iter().any(|p| p.column == column) {
            return Err(SqlError::duplicate_column(name.as_str()));
        }
        let Some(ty) = columns.get(column).map(|c| c.ty) else { continue };
        let prefix = checked_prefix(name.as_str(), *prefix, ty)?;
        bytes += key_bytes(ty, prefix);
        if bytes > MAX_KEY_BYTES {
            return Err(SqlError::key_too_long(MAX_KEY_BYTES));
        }
        parts.push(IndexColumn { column, prefix, descending: part.descending == Some(true) });
    }
    Ok(parts)
}

/// The prefix length that is kept: none where it covers the whole column.
fn checked_prefix(name: &str, prefix: Option<u64>, ty: &ColumnType) -> Result<Option<u32>, SqlError> {
    let (whole, is_lob) = match &ty.kind {
        TypeKind::Char { len }
        | TypeKind::VarChar { len }
        | TypeKind::Binary { len }
        | TypeKind::VarBinary { len } => (Some(u64::from(*len)), false),
        TypeKind::Text { .. } | TypeKind::Blob { .. } => (None, true),
        TypeKind::Json => return Err(SqlError::json_key(name)),
        TypeKind::Geometry { .. } => return Err(SqlError::spatial_unique()),
        _ if prefix == Some(0) => return Err(SqlError::key_part_zero(name)),
        _ if prefix.is_some() => return Err(SqlError::wrong_sub_key()),
        _ => return Ok(None),
    };
    match (prefix, whole) {
        (Some(0), _) => Err(SqlError::key_part_zero(name)),
        (None, _) if is_lob => Err(SqlError::blob_key_without_length(name)),
        (None, _) => Ok(None),
        (Some(n), Some(whole)) if n > whole => Err(SqlError::wrong_sub_key()),
        (Some(n), Some(whole)) if n == whole => Ok(None),
        (Some(n), _) => u32::try_from(n).map(Some).map_err(|_| SqlError::key_too_long(MAX_KEY_BYTES)),
    }
}

fn key_bytes(ty: &ColumnType, prefix: Option<u32>) -> u64 {
    match prefix {
        Some(n) => u64::from(n) * u64::from(ty.collation.charset().max_bytes_per_char()),
        None => match ty.kind {
            TypeKind::VarChar { len } => {
                u64::from(len) * u64::from(ty.collation.charset().max_bytes_per_char())
            }
            TypeKind::VarBinary { len } => u64::from(len),
            _ => row_bytes(ty),
        },
    }
}

/// A secondary index of this definition; `taken` are the names that exist already.
pub(crate) fn secondary(
    index: &IndexDefinition,
    columns: &[KeyColumn<'_>],
    taken: &[&str],
    session: &mut SessionState,
) -> Result<NewIndex, SqlError> {
    let parts = parts(index, columns)?;
    let name = key_name(index, parts.first().map(|p| p.column), columns, taken)?;
    if taken.len() >= MAX_INDEXES {
        return Err(SqlError::too_many_keys(MAX_INDEXES));
    }
    let comment = options(&name, &index.options, session)?;
    Ok(NewIndex {
        name,
        unique: index.kind == IndexKind::Unique,
        columns: parts,
        visible: index.options.visible != Some(false),
        comment,
        made_for_foreign_key: false,
    })
}

/// MySQL's name for an index without one: its first column's, then `_2`, `_3` and so on.
fn made_up_name(column: &str, taken: &[&str]) -> String {
    let free =
        |name: &str| !name.eq_ignore_ascii_case("PRIMARY") && !taken.iter().any(|t| same_name(t, name));
    if free(column) {
        return column.to_owned();
    }
    let mut number = 2u32;
    loop {
        let name = format!("{column}_{number}");
        if free(&name) {
            return name;
        }
        number += 1;
    }
}

/// Checks the options of an index and gives its comment.
pub(crate) fn options(
    name: &str,
    options: &IndexOptions,
    session: &mut SessionState,
) -> Result<String, SqlError> {
    match options.algorithm {
        Some(IndexAlgorithm::Hash) => session.note(&SqlError::hash_index()),
        Some(IndexAlgorithm::RTree) => return Err(SqlError::not_supported("RTREE indexes")),
        Some(IndexAlgorithm::BTree) | None => {}
    }
    if options.parser.is_some() {
        return Err(SqlError::not_supported("WITH PARSER"));
    }
    if options.key_block_size.is_some_and(|n| n != 0) {
        return Err(SqlError::not_supported("KEY_BLOCK_SIZE of an index"));
    }
    for attribute in [&options.engine_attribute, &options.secondary_engine_attribute].into_iter().flatten() {
        if !attribute.value.is_empty() {
            return Err(SqlError::not_supported("ENGINE_ATTRIBUTE"));
        }
    }
    let comment = comment_text(options.comment.as_ref());
    if comment.chars().count() > MAX_COMMENT {
        return Err(SqlError::index_comment_too_long(name, MAX_COMMENT));
    }
    Ok(comment)
}

/// Warns when two indexes have the same columns, as MySQL does (1831).
pub(crate) fn warn_of_duplicates(
    new: &NewIndex,
    existing: &[(&[IndexColumn], bool)],
    database: &str,
    table: &str,
    session: &mut SessionState,
) {
    if existing.iter().any(|(columns, unique)| *columns == new.columns && *unique == new.unique) {
        session.warn(&SqlError::duplicate_index(&new.name, database, table));
    }
}
