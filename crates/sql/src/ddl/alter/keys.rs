//! The keys of ALTER TABLE: kept ones follow their columns, dropped ones go, new ones come.

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{
    AlteredIndex, IndexColumn, IndexDef, NewColumn, NewIndex, NewRecordedKey, RecordedKey, TableDef,
};
use rustydb_sql_parser::ast::{ColumnDefinition, Ident, IndexDefinition, IndexKind, TableChange};
use rustydb_value::TypeKind;

use super::super::index::{self, KeyColumn};
use super::super::names;
use super::super::table::{KeySource, index_again, plain_columns, recorded_again};
use crate::error::SqlError;
use crate::session::SessionState;

/// The keys that a table is to have.
pub(super) struct Keys {
    pub(super) primary: Vec<IndexColumn>,
    pub(super) primary_comment: String,
    pub(super) indexes: Vec<AlteredIndex>,
    pub(super) recorded: Vec<(Option<u32>, NewRecordedKey)>,
    /// An index was added, or one has to be made anew.
    pub(super) builds: bool,
    /// The primary key was dropped, changed or added.
    pub(super) primary_changed: bool,
    /// It was dropped and none came.
    pub(super) primary_dropped: bool,
}

/// The names of the indexes that the statement drops; 1091 for one that is none. `constraints` are those that
/// DROP CONSTRAINT means.
fn dropped<'a>(
    old: &TableDef,
    changes: &'a [TableChange],
    constraints: &[&'a str],
) -> Result<Vec<&'a str>, SqlError> {
    let mut list: Vec<&str> = Vec::new();
    let exists =
        |name: &str| old.index(name).is_some() || old.recorded.iter().any(|key| same_name(&key.name, name));
    for change in changes {
        let name = match change {
            TableChange::DropIndex(name) => name.as_str(),
            TableChange::DropPrimaryKey => "PRIMARY",
            _ => continue,
        };
        if !exists(name) || list.iter().any(|known| same_name(known, name)) {
            return Err(SqlError::cannot_drop(name));
        }
        list.push(name);
    }
    list.extend(constraints);
    Ok(list)
}

/// The name of a key after RENAME INDEX.
fn renamed<'a>(name: &'a str, changes: &'a [TableChange]) -> &'a str {
    let new = changes.iter().find_map(|change| match change {
        TableChange::RenameIndex { from, to } if same_name(from.as_str(), name) => Some(to.as_str()),
        _ => None,
    });
    new.unwrap_or(name)
}

fn visible(name: &str, visible: bool, changes: &[TableChange]) -> bool {
    let set = changes.iter().find_map(|change| match change {
        TableChange::SetIndexVisible { index, visible } if same_name(index.as_str(), name) => Some(*visible),
        _ => None,
    });
    set.unwrap_or(visible)
}

/// Refuses renames and switches of keys that do not exist, or to names that do.
fn check_names(old: &TableDef, gone: &[&str], changes: &[TableChange]) -> Result<(), SqlError> {
    let exists = |name: &Ident| {
        let known = old.index(name.as_str()).is_some()
            || old.recorded.iter().any(|key| same_name(&key.name, name.as_str()));
        known && !gone.iter().any(|g| same_name(g, name.as_str()))
    };
    for change in changes {
        match change {
            TableChange::RenameIndex { from, to } => {
                names::check_index(from.as_str())?;
                names::check_index(to.as_str())?;
                if !exists(from) {
                    return Err(SqlError::key_missing(from.as_str(), &old.name));
                }
                let makes_way = changes.iter().any(|other| match other {
                    TableChange::RenameIndex { from, .. } => same_name(from.as_str(), to.as_str()),
                    _ => false,
                });
                if exists(to) && !makes_way {
                    return Err(SqlError::duplicate_key_name(to.as_str()));
                }
            }
            TableChange::SetIndexVisible { index, visible } => {
                if index.is("PRIMARY") && !visible {
                    return Err(SqlError::primary_index_visible());
                }
                if !exists(index) {
                    return Err(SqlError::key_missing(index.as_str(), &old.name));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The parts of a kept key among the new columns: those of columns that went are gone.
fn follow(parts: &[IndexColumn], origins: &[Option<usize>], columns: &[NewColumn]) -> Vec<IndexColumn> {
    let new = |part: &IndexColumn| {
        let column = origins.iter().position(|origin| *origin == Some(part.column))?;
        let length = match columns.get(column).map(|c| &c.ty.kind) {
            Some(TypeKind::Char { len } | TypeKind::VarChar { len }) => Some(u64::from(*len)),
            Some(TypeKind::Binary { len } | TypeKind::VarBinary { len }) => Some(u64::from(*len)),
            Some(TypeKind::Text { .. } | TypeKind::Blob { .. }) => None,
            _ => Some(0),
        };
        let prefix = part.prefix.filter(|prefix| length.is_none_or(|length| u64::from(*prefix) < length));
        Some(IndexColumn { column, prefix, descending: part.descending })
    };
    parts.iter().filter_map(new).collect()
}

/// What a kept key needs of the types that its columns have now.
fn check_types(parts: &[IndexColumn], columns: &[NewColumn]) -> Result<(), SqlError> {
    for part in parts {
        if let Some(column) = columns.get(part.column)
            && part.prefix.is_none()
            && matches!(column.ty.kind, TypeKind::Text { .. } | TypeKind::Blob { .. })
        {
            return Err(SqlError::blob_key_without_length(&column.name));
        }
    }
    Ok(())
}

/// Puts the keys together. `new` are those that the statement adds, `sources` its words for the columns.
#[expect(clippy::too_many_arguments, reason = "the parts of a definition")]
pub(super) fn keys(
    old: &TableDef,
    changes: &[TableChange],
    constraints: &[&str],
    new: &[KeySource],
    columns: &mut [NewColumn],
    origins: &[Option<usize>],
    sources: &[Option<&ColumnDefinition>],
    session: &mut SessionState,
) -> Result<Keys, SqlError> {
    let gone = dropped(old, changes, constraints)?;
    check_names(old, &gone, changes)?;
    let stays = |name: &str| !gone.iter().any(|g| same_name(g, name));

    // The primary key.
    let declared = !old.has_hidden_key();
    let kept_primary = if declared && stays("PRIMARY") {
        follow(&old.primary.columns, origins, columns)
    } else {
        Vec::new()
    };
    let mut added = new.iter().map(|k| &k.definition).filter(|k| k.kind == IndexKind::Primary);
    let addition = added.next();
    if addition.is_some() && (added.next().is_some() || !kept_primary.is_empty()) {
        return Err(SqlError::multiple_primary_keys());
    }
    let (primary, primary_comment) = match addition {
        Some(definition) => add_primary(definition, columns, session)?,
        None => (kept_primary, old.primary.comment.clone()),
    };
    check_types(&primary, columns)?;
    for part in &primary {
        if let Some(column) = columns.get_mut(part.column) {
            let says_null = sources.get(part.column).copied().flatten();
            if says_null.is_some_and(|s| s.attributes.nullable == Some(true)) {
                return Err(SqlError::primary_nullable());
            }
            column.nullable = false;
        }
    }
    let before: Vec<(Option<usize>, Option<u32>, bool)> =
        old.primary.columns.iter().map(|p| (Some(p.column), p.prefix, p.descending)).collect();
    let after: Vec<(Option<usize>, Option<u32>, bool)> =
        primary.iter().map(|p| (origins.get(p.column).copied().flatten(), p.prefix, p.descending)).collect();
    let primary_changed = before != after;

    // The others: kept ones first, then new ones, less those that make way.
    let list: Vec<KeyColumn<'_>> = columns.iter().map(KeyColumn::from).collect();
    let mut kept: Vec<(&IndexDef, Vec<IndexColumn>)> = Vec::new();
    for index in old.indexes.iter().filter(|i| stays(&i.name)) {
        let parts = follow(&index.columns, origins, columns);
        if !parts.is_empty() {
            check_types(&parts, columns)?;
            kept.push((index, parts));
        }
    }
    let secondary: Vec<&KeySource> = new.iter().filter(|k| k.definition.kind != IndexKind::Primary).collect();
    let mut covers = vec![(false, primary.iter().map(|p| p.column).collect::<Vec<_>>())];
    for (index, parts) in &kept {
        let whole = parts.iter().take_while(|p| p.prefix.is_none()).map(|p| p.column);
        covers.push((index.made_for_foreign_key, whole.collect()));
    }
    for key in &secondary {
        covers.push((key.made_for_foreign_key, plain_columns(&key.definition, &list)?));
    }
    let superseded = index::superseded(&covers);
    let is_gone = |at: usize| superseded.get(at + 1).copied().unwrap_or(false);

    let mut builds = false;
    let mut indexes: Vec<AlteredIndex> = Vec::new();
    for (at, (index, parts)) in kept.iter().enumerate() {
        if is_gone(at) {
            continue;
        }
        let same = parts.len() == index.columns.len()
            && parts.iter().zip(&index.columns).all(|(new, old)| new.prefix == old.prefix);
        builds |= !same;
        let mut new = index_again(index);
        new.name = renamed(&index.name, changes).to_owned();
        new.visible = visible(&index.name, index.visible, changes);
        new.columns = parts.clone();
        indexes.push(AlteredIndex { index: new, id: same.then_some(index.id) });
    }
    let mut recorded: Vec<(Option<u32>, NewRecordedKey)> = Vec::new();
    for key in old.recorded.iter().filter(|key| stays(&key.name)) {
        recorded.extend(follow_recorded(key, origins, changes).map(|new| (Some(key.id), new)));
    }
    let mut written: Vec<&str> = Vec::new();
    for key in &secondary {
        let constraint = key.definition.constraint.as_ref().and_then(Option::as_ref);
        written.extend(key.definition.name.as_ref().or(constraint).map(|name| name.as_str()));
    }
    for (at, key) in secondary.iter().enumerate() {
        if is_gone(kept.len() + at) {
            continue;
        }
        let definition = &key.definition;
        let named = definition.name.is_some() || definition.constraint.as_ref().is_some_and(Option::is_some);
        let mut taken: Vec<&str> = indexes.iter().map(|i| i.index.name.as_str()).collect();
        taken.extend(recorded.iter().map(|(_, key)| key.name.as_str()));
        if !named {
            taken.extend(&written);
        }
        if let Some(kind) = index::recorded_kind(definition, &list) {
            let new = index::recorded(definition, kind, &list, &taken, 0, session)?;
            recorded.push((None, new));
            continue;
        }
        let mut new = index::secondary(definition, &list, &taken, session)?;
        new.made_for_foreign_key = key.made_for_foreign_key;
        warn_of_duplicate(&new, &indexes, old, session);
        builds = true;
        indexes.push(AlteredIndex { index: new, id: None });
    }
    let primary_dropped = declared && primary.is_empty();
    Ok(Keys { primary, primary_comment, indexes, recorded, builds, primary_changed, primary_dropped })
}

fn warn_of_duplicate(new: &NewIndex, indexes: &[AlteredIndex], old: &TableDef, session: &mut SessionState) {
    let existing: Vec<(&[IndexColumn], bool)> =
        indexes.iter().map(|i| (i.index.columns.as_slice(), i.index.unique)).collect();
    index::warn_of_duplicates(new, &existing, &old.database, &old.name, session);
}

fn follow_recorded(
    key: &RecordedKey,
    origins: &[Option<usize>],
    changes: &[TableChange],
) -> Option<NewRecordedKey> {
    let mut new = recorded_again(key, 0);
    new.name = renamed(&key.name, changes).to_owned();
    new.visible = visible(&key.name, key.visible, changes);
    let position = |at: &usize| origins.iter().position(|origin| *origin == Some(*at));
    new.columns = key.columns.iter().filter_map(position).collect();
    (!new.columns.is_empty()).then_some(new)
}

fn add_primary(
    definition: &IndexDefinition,
    columns: &mut [NewColumn],
    session: &mut SessionState,
) -> Result<(Vec<IndexColumn>, String), SqlError> {
    let source = KeySource { definition: definition.clone(), made_for_foreign_key: false };
    super::super::table::primary_key(&[source], columns, &[], session)
}
