//! Index definitions: parts found among the columns, prefixes and lengths checked, names made up.

use rustydb_catalog::definitions::{MAX_INDEX_COLUMNS, MAX_INDEXES, same_name};
use rustydb_catalog::{IndexColumn, NewColumn, NewIndex};
use rustydb_sql_parser::ast::{IndexAlgorithm, IndexDefinition, IndexKey, IndexKind, IndexOptions};
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
}

impl<'a> From<&'a NewColumn> for KeyColumn<'a> {
    fn from(column: &'a NewColumn) -> KeyColumn<'a> {
        KeyColumn { name: &column.name, ty: &column.ty }
    }
}

/// Refuses the kinds of index that are not built.
pub(crate) fn check_kind(index: &IndexDefinition) -> Result<(), SqlError> {
    match index.kind {
        IndexKind::FullText => Err(SqlError::not_supported("FULLTEXT indexes")),
        IndexKind::Spatial => Err(SqlError::not_supported("SPATIAL indexes")),
        IndexKind::Primary | IndexKind::Unique | IndexKind::Plain => Ok(()),
    }
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
    check_kind(index)?;
    let parts = parts(index, columns)?;
    let constraint = index.constraint.as_ref().and_then(Option::as_ref);
    let name = match index.name.as_ref().or(constraint) {
        Some(name) => {
            names::check_index(name.as_str())?;
            if taken.iter().any(|t| same_name(t, name.as_str())) {
                return Err(SqlError::duplicate_key_name(name.as_str()));
            }
            name.as_str().to_owned()
        }
        None => {
            let first = parts.first().and_then(|p| columns.get(p.column)).map_or("", |c| c.name);
            made_up_name(first, taken)
        }
    };
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
