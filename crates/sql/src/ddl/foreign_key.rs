//! Foreign keys in definitions: names given, parents found, types and keys compared.
//!
//! REFERENCES that is written at a column makes a foreign key as one of its own does, as in MySQL 9 (MySQL 8.4 reads
//! and ignores it), and may leave the parent's columns out, which then are those of its primary key.
//!
//! With `foreign_key_checks=0` the parent may be missing, and its key too: rows are checked from the moment on that
//! both are there and the checks are on.

use std::sync::Arc;

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{ForeignKeyDef, IndexColumn, NewColumn, ReferenceAction, TableDef};
use rustydb_sql_parser::ast::{self, ForeignKey, Ident, References};
use rustydb_value::{ColumnType, TypeKind};

use super::check::last_number;
use super::names;
use crate::error::SqlError;
use crate::session::SessionState;

/// A foreign key as a statement wrote it, at the table or at a column.
pub(crate) struct NewForeignKey<'a> {
    pub(crate) constraint: Option<&'a Ident>,
    pub(crate) index_name: Option<&'a Ident>,
    pub(crate) columns: Vec<&'a Ident>,
    pub(crate) references: &'a References,
}

impl<'a> NewForeignKey<'a> {
    /// One that stands for itself.
    pub(crate) fn of_table(key: &'a ForeignKey) -> NewForeignKey<'a> {
        NewForeignKey {
            constraint: key.constraint.as_ref().and_then(Option::as_ref),
            index_name: key.index_name.as_ref(),
            columns: key.columns.iter().collect(),
            references: &key.references,
        }
    }

    /// One that stands at its column.
    pub(crate) fn of_column(column: &'a Ident, references: &'a References) -> NewForeignKey<'a> {
        NewForeignKey { constraint: None, index_name: None, columns: vec![column], references }
    }
}

/// The table that gets foreign keys.
pub(crate) struct Child<'a> {
    pub(crate) database: &'a str,
    pub(crate) name: &'a str,
    pub(crate) columns: &'a [NewColumn],
    /// The columns of its primary key and of its unique and other indexes, and whether they are unique: it may be its
    /// own parent.
    pub(crate) keys: &'a [(Vec<IndexColumn>, bool)],
}

/// What is known of a parent: its columns and keys.
struct Parent<'a> {
    columns: Vec<(&'a str, &'a ColumnType, bool)>,
    keys: Vec<(&'a [IndexColumn], bool)>,
}

impl<'a> Parent<'a> {
    fn itself(child: &'a Child<'_>) -> Parent<'a> {
        let computed = |c: &NewColumn| c.generated.as_ref().is_some_and(|g| !g.stored);
        Parent {
            columns: child.columns.iter().map(|c| (c.name.as_str(), &c.ty, computed(c))).collect(),
            keys: child.keys.iter().map(|(columns, unique)| (columns.as_slice(), *unique)).collect(),
        }
    }

    fn of(def: &'a TableDef) -> Parent<'a> {
        let computed = |c: &rustydb_catalog::ColumnDef| c.generated.as_ref().is_some_and(|g| !g.stored);
        let declared = def.all_indexes().filter(|i| !i.columns.is_empty());
        Parent {
            columns: def.columns.iter().map(|c| (c.name.as_str(), &c.ty, computed(c))).collect(),
            keys: declared.map(|i| (i.columns.as_slice(), i.unique)).collect(),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(known, ..)| same_name(known, name))
    }
}

/// The columns of a child by position; 1072 for one that is not there, 1060 for one named twice.
pub(crate) fn positions(columns: &[&Ident], table: &[NewColumn]) -> Result<Vec<usize>, SqlError> {
    let mut list: Vec<usize> = Vec::with_capacity(columns.len());
    for column in columns {
        let at = table.iter().position(|c| !c.functional && same_name(&c.name, column.as_str()));
        let at = at.ok_or_else(|| SqlError::key_column_missing(column.as_str()))?;
        if list.contains(&at) {
            return Err(SqlError::duplicate_column(column.as_str()));
        }
        list.push(at);
    }
    Ok(list)
}

/// The parent's database and name.
pub(crate) fn parent_path<'a>(references: &'a References, database: &'a str) -> (&'a str, &'a str) {
    let home = references.table.database.as_ref().map_or(database, |d| d.as_str());
    (home, references.table.name.as_str())
}

/// Appends new foreign keys to those of a child. `parents` finds other tables by database and name, `others` are the
/// other tables of the database, whose constraints' names are taken.
pub(crate) fn add(
    new: &[NewForeignKey<'_>],
    child: &Child<'_>,
    keys: &mut Vec<ForeignKeyDef>,
    parents: &dyn Fn(&str, &str) -> Option<Arc<TableDef>>,
    others: &[Arc<TableDef>],
    session: &mut SessionState,
) -> Result<(), SqlError> {
    let mut number = last_number(keys.iter().map(|k| k.name.as_str()), child.name, "_ibfk_");
    for key in new {
        let name = match key.constraint {
            Some(name) => {
                names::check_constraint(name.as_str())?;
                name.as_str().to_owned()
            }
            None => {
                number += 1;
                format!("{}_ibfk_{number}", child.name)
            }
        };
        let taken = keys.iter().chain(others.iter().flat_map(|t| &t.foreign_keys));
        if taken.into_iter().any(|k| same_name(&k.name, &name)) {
            return Err(SqlError::duplicate_foreign_key(&name));
        }
        let def = resolve(key, name, child, parents, session)?;
        keys.push(def);
    }
    Ok(())
}

fn resolve(
    key: &NewForeignKey<'_>,
    name: String,
    child: &Child<'_>,
    parents: &dyn Fn(&str, &str) -> Option<Arc<TableDef>>,
    session: &mut SessionState,
) -> Result<ForeignKeyDef, SqlError> {
    let references = key.references;
    if !references.columns.is_empty() && references.columns.len() != key.columns.len() {
        let shown = key.constraint.or(key.index_name).map_or("foreign key without name", |n| n.as_str());
        return Err(SqlError::wrong_foreign_key(shown, "Key reference and table reference don't match"));
    }
    let columns = positions(&key.columns, child.columns)?;
    let on_delete = action(references.on_delete)?;
    let on_update = action(references.on_update)?;
    check_columns(&name, &columns, child, on_delete, on_update)?;
    let (parent_database, parent_table) = parent_path(references, child.database);
    let checks = session.settings.foreign_key_checks;
    let own = (parent_database, parent_table) == (child.database, child.name);
    let other = if own { None } else { parents(parent_database, parent_table) };
    let parent = match &other {
        Some(def) => Some(Parent::of(def)),
        None if own => Some(Parent::itself(child)),
        None if checks || references.columns.is_empty() => return Err(SqlError::no_parent(parent_table)),
        None => None,
    };
    let mut parent_columns: Vec<String> = references.columns.iter().map(|c| c.as_str().to_owned()).collect();
    if let Some(parent) = &parent {
        if parent_columns.is_empty() {
            parent_columns = primary_columns(parent, other.as_deref(), child);
            if parent_columns.len() != columns.len() {
                let shown = key.constraint.map_or("foreign key without name", |n| n.as_str());
                let reason = "Key reference and table reference don't match";
                return Err(SqlError::wrong_foreign_key(shown, reason));
            }
        }
        let types: Vec<(&str, &ColumnType)> = columns
            .iter()
            .filter_map(|at| child.columns.get(*at))
            .map(|c| (c.name.as_str(), &c.ty))
            .collect();
        check_parent(&name, &types, &mut parent_columns, parent_table, parent, session)?;
    }
    Ok(ForeignKeyDef {
        name,
        columns,
        parent_database: parent_database.to_owned(),
        parent_table: parent_table.to_owned(),
        parent_columns,
        on_delete,
        on_update,
    })
}

fn primary_columns(parent: &Parent<'_>, other: Option<&TableDef>, child: &Child<'_>) -> Vec<String> {
    let primary = match other {
        Some(def) => def.primary.columns.as_slice(),
        None => child.keys.first().map_or(&[][..], |(columns, _)| columns.as_slice()),
    };
    let name = |part: &IndexColumn| parent.columns.get(part.column).map(|(name, ..)| (*name).to_owned());
    primary.iter().filter_map(name).collect()
}

/// SET DEFAULT is what InnoDB refuses.
fn action(written: Option<ast::ReferenceAction>) -> Result<ReferenceAction, SqlError> {
    use ast::ReferenceAction as A;
    Ok(match written {
        None | Some(A::NoAction) => ReferenceAction::NoAction,
        Some(A::Restrict) => ReferenceAction::Restrict,
        Some(A::Cascade) => ReferenceAction::Cascade,
        Some(A::SetNull) => ReferenceAction::SetNull,
        Some(A::SetDefault) => return Err(SqlError::cannot_add_foreign_key()),
    })
}

/// What the child's own columns rule out.
fn check_columns(
    name: &str,
    columns: &[usize],
    child: &Child<'_>,
    on_delete: ReferenceAction,
    on_update: ReferenceAction,
) -> Result<(), SqlError> {
    let sets_null = on_delete == ReferenceAction::SetNull || on_update == ReferenceAction::SetNull;
    for column in columns.iter().filter_map(|at| child.columns.get(*at)) {
        match &column.generated {
            Some(generated) if !generated.stored => {
                return Err(SqlError::foreign_key_virtual(name, &column.name));
            }
            Some(_) => {
                let clause = match (on_delete, on_update) {
                    (ReferenceAction::SetNull, _) => Some("ON DELETE SET NULL"),
                    (_, ReferenceAction::SetNull) => Some("ON UPDATE SET NULL"),
                    (_, ReferenceAction::Cascade) => Some("ON UPDATE CASCADE"),
                    _ => None,
                };
                if let Some(clause) = clause {
                    return Err(SqlError::foreign_key_on_generated(clause));
                }
            }
            None => {}
        }
        if sets_null && !column.nullable {
            return Err(SqlError::set_null_not_null(&column.name, name));
        }
    }
    // A stored generated column would have to follow a change that no statement made.
    if sets_null || on_update == ReferenceAction::Cascade {
        for computed in child.columns.iter().filter_map(|c| c.generated.as_ref()).filter(|g| g.stored) {
            for column in columns.iter().filter_map(|at| child.columns.get(*at)) {
                if super::check::uses(&computed.expression, &column.name)? {
                    return Err(SqlError::cannot_add_foreign_key());
                }
            }
        }
    }
    Ok(())
}

/// Compares the child's columns with the parent's, and looks for the key that they are found by.
fn check_parent(
    name: &str,
    child: &[(&str, &ColumnType)],
    parent_columns: &mut [String],
    parent_table: &str,
    parent: &Parent<'_>,
    session: &mut SessionState,
) -> Result<(), SqlError> {
    let mut found: Vec<usize> = Vec::with_capacity(parent_columns.len());
    for column in parent_columns.iter_mut() {
        let at = parent.position(column);
        let at = at.ok_or_else(|| SqlError::no_parent_column(&*column, name, parent_table))?;
        if let Some((spelled, _, computed)) = parent.columns.get(at) {
            if *computed {
                return Err(SqlError::foreign_key_virtual(name, spelled));
            }
            *column = (*spelled).to_owned();
        }
        found.push(at);
    }
    for ((child, ty), at) in child.iter().zip(&found) {
        if let Some((parent, parent_ty, _)) = parent.columns.get(*at)
            && !compatible(ty, parent_ty)
        {
            return Err(SqlError::incompatible_columns(child, parent, name));
        }
    }
    if !session.settings.foreign_key_checks {
        return Ok(());
    }
    let leads = |key: &[IndexColumn]| {
        key.len() >= found.len()
            && key.iter().zip(&found).all(|(part, at)| part.column == *at && part.prefix.is_none())
    };
    if parent.keys.iter().any(|(key, unique)| *unique && key.len() == found.len() && leads(key)) {
        return Ok(());
    }
    if session.settings.restrict_fk_on_non_standard_key {
        return Err(SqlError::no_parent_key(name, parent_table));
    }
    if !parent.keys.iter().any(|(key, _)| leads(key)) {
        return Err(SqlError::no_parent_index(name, parent_table));
    }
    session.warn(&SqlError::parent_key_not_unique(name));
    Ok(())
}

/// Compares kept foreign keys whose columns change with their parents.
pub(crate) fn check_kept(
    child: &Child<'_>,
    old: &TableDef,
    keys: &[ForeignKeyDef],
    parents: &dyn Fn(&str, &str) -> Option<Arc<TableDef>>,
    session: &mut SessionState,
) -> Result<(), SqlError> {
    for key in keys {
        let before = old.foreign_keys.iter().find(|k| k.name == key.name);
        let old_types =
            before.into_iter().flat_map(|k| &k.columns).filter_map(|at| old.columns.get(*at)).map(|c| &c.ty);
        let types: Vec<(&str, &ColumnType)> = key
            .columns
            .iter()
            .filter_map(|at| child.columns.get(*at))
            .map(|c| (c.name.as_str(), &c.ty))
            .collect();
        let own = (key.parent_database.as_str(), key.parent_table.as_str()) == (child.database, child.name);
        if own || types.iter().map(|(_, ty)| *ty).eq(old_types) {
            continue;
        }
        if let Some(parent) = parents(&key.parent_database, &key.parent_table) {
            let mut columns = key.parent_columns.clone();
            check_parent(&key.name, &types, &mut columns, &key.parent_table, &Parent::of(&parent), session)?;
        }
    }
    Ok(())
}

/// Checks the foreign keys that already name this table as their parent, which comes or changes now.
pub(crate) fn check_children(
    table: &Child<'_>,
    children: &[Arc<TableDef>],
    session: &mut SessionState,
) -> Result<(), SqlError> {
    for def in children {
        if (def.database.as_str(), def.name.as_str()) == (table.database, table.name) {
            continue;
        }
        for key in &def.foreign_keys {
            if (key.parent_database.as_str(), key.parent_table.as_str()) != (table.database, table.name) {
                continue;
            }
            let types: Vec<(&str, &ColumnType)> = key
                .columns
                .iter()
                .filter_map(|at| def.columns.get(*at))
                .map(|c| (c.name.as_str(), &c.ty))
                .collect();
            let mut columns = key.parent_columns.clone();
            check_parent(&key.name, &types, &mut columns, table.name, &Parent::itself(table), session)?;
        }
    }
    Ok(())
}

/// Whether values of one type are found among those of the other by their keys.
pub(crate) fn compatible(a: &ColumnType, b: &ColumnType) -> bool {
    use TypeKind as K;
    match (&a.kind, &b.kind) {
        (K::Char { .. } | K::VarChar { .. }, K::Char { .. } | K::VarChar { .. }) => {
            a.collation == b.collation
        }
        (K::Binary { .. } | K::VarBinary { .. }, K::Binary { .. } | K::VarBinary { .. }) => {
            std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind)
        }
        (K::Decimal { scale: x, .. }, K::Decimal { scale: y, .. }) => x == y,
        (K::Enum { .. }, K::Enum { .. }) | (K::Set { .. }, K::Set { .. }) => true,
        (K::Text { .. } | K::Blob { .. } | K::Json | K::Geometry { .. }, _) => false,
        (a, b) if a.is_integer() => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b) && a.fsp() == b.fsp(),
    }
}

/// A foreign key as errors show it: with its child, its columns and its actions.
pub(crate) fn shown(child: &TableDef, key: &ForeignKeyDef) -> String {
    use crate::canonical::identifier;
    let mut out = String::new();
    identifier(&child.database, &mut out);
    out.push('.');
    identifier(&child.name, &mut out);
    out.push_str(", CONSTRAINT ");
    identifier(&key.name, &mut out);
    out.push_str(" FOREIGN KEY (");
    let names = key.columns.iter().filter_map(|at| child.columns.get(*at)).map(|c| c.name.as_str());
    list(names, &mut out);
    out.push_str(") REFERENCES ");
    if key.parent_database != child.database {
        identifier(&key.parent_database, &mut out);
        out.push('.');
    }
    identifier(&key.parent_table, &mut out);
    out.push_str(" (");
    list(key.parent_columns.iter().map(String::as_str), &mut out);
    out.push(')');
    out.push_str(&actions(key));
    out
}

fn list<'n>(names: impl Iterator<Item = &'n str>, out: &mut String) {
    for (at, name) in names.enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        crate::canonical::identifier(name, out);
    }
}

/// ` ON DELETE .. ON UPDATE ..`; NO ACTION is not repeated.
pub(crate) fn actions(key: &ForeignKeyDef) -> String {
    let mut out = String::new();
    for (word, action) in [(" ON DELETE ", key.on_delete), (" ON UPDATE ", key.on_update)] {
        if action != ReferenceAction::NoAction {
            out.push_str(word);
            out.push_str(action_name(action));
        }
    }
    out
}

/// The words of an action.
pub(crate) fn action_name(action: ReferenceAction) -> &'static str {
    match action {
        ReferenceAction::NoAction => "NO ACTION",
        ReferenceAction::Restrict => "RESTRICT",
        ReferenceAction::Cascade => "CASCADE",
        ReferenceAction::SetNull => "SET NULL",
    }
}
