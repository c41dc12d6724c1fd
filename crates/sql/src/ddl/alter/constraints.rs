//! The constraints of ALTER TABLE: foreign keys and CHECK that stay, go and come, and what stands in the way of a
//! change of columns.

use std::sync::Arc;

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{Catalog, CheckDef, ForeignKeyDef, IndexColumn, NewColumn, ReferenceAction, TableDef};
use rustydb_sql_parser::ast::TableChange;

use super::super::check::{self, NewCheck};
use super::super::foreign_key::{self, Child, NewForeignKey};
use super::super::table::{KeySource, declared_at, made_key};
use super::draft::DraftColumn;
use super::keys::Keys;
use crate::canonical::{self, walk};
use crate::error::SqlError;
use crate::session::SessionState;

/// A child of the table whose foreign keys follow a change of its columns: database, name, what it has from now on.
pub(super) type ChangedChild = (String, String, Vec<ForeignKeyDef>, Vec<CheckDef>);

/// What the statement adds.
pub(super) struct Constraints<'a> {
    foreign: Vec<NewForeignKey<'a>>,
    checks: Vec<NewCheck<'a>>,
    pub(super) key_sources: Vec<KeySource>,
}

/// What the statement drops and switches.
pub(super) struct Dropped<'a> {
    /// Indexes, by DROP CONSTRAINT.
    pub(super) indexes: Vec<&'a str>,
    foreign_keys: Vec<&'a str>,
    checks: Vec<&'a str>,
    enforced: Vec<(&'a str, bool)>,
}

/// The constraints that the table is to have.
pub(super) struct Resolved {
    pub(super) foreign_keys: Vec<ForeignKeyDef>,
    /// Positions of those that existing rows have to be checked for.
    pub(super) new_foreign_keys: Vec<usize>,
    pub(super) checks: Vec<CheckDef>,
    /// Existing rows have to be checked for CHECK constraints.
    pub(super) checks_rows: bool,
    pub(super) children: Vec<ChangedChild>,
}

/// A generated column, or a functional index, holds on to the columns that it is made of.
pub(super) fn check_dependencies(
    old: &TableDef,
    columns: &[NewColumn],
    origins: &[Option<usize>],
) -> Result<(), SqlError> {
    for (at, column) in old.columns.iter().enumerate() {
        let now = origins.iter().position(|origin| *origin == Some(at)).and_then(|at| columns.get(at));
        if now.is_some_and(|now| same_name(&now.name, &column.name)) {
            continue;
        }
        for (user_at, user) in old.columns.iter().enumerate() {
            let Some(generated) = &user.generated else { continue };
            let redefined =
                origins.iter().position(|origin| *origin == Some(user_at)).and_then(|at| columns.get(at));
            // One that goes too, or is given another expression, does not hold on.
            let Some(redefined) = redefined else { continue };
            let rewritten = redefined.generated.as_ref().is_none_or(|g| g.expression.is_empty());
            if rewritten || !check::uses(&generated.expression, &column.name)? {
                continue;
            }
            return Err(match user.functional {
                true => SqlError::functional_dependency(&column.name),
                false => SqlError::generated_dependency(&column.name),
            });
        }
    }
    Ok(())
}

impl<'a> Constraints<'a> {
    /// Reads what comes: at the table, and at new and redefined columns.
    pub(super) fn read(changes: &'a [TableChange], drafts: &[DraftColumn<'a>]) -> Constraints<'a> {
        let mut found = Constraints { foreign: Vec::new(), checks: Vec::new(), key_sources: Vec::new() };
        for change in changes {
            match change {
                TableChange::AddColumn { column, .. }
                | TableChange::ModifyColumn { column, .. }
                | TableChange::ChangeColumn { column, .. }
                    if drafts.iter().any(|d| d.source.is_some_and(|s| std::ptr::eq(s, &**column))) =>
                {
                    declared_at(column, &mut found.key_sources, &mut found.foreign, &mut found.checks);
                }
                TableChange::AddIndex(index) => {
                    let definition = (**index).clone();
                    found.key_sources.push(KeySource { definition, made_for_foreign_key: false });
                }
                TableChange::AddForeignKey(key) => {
                    found.foreign.push(NewForeignKey::of_table(key));
                    found.key_sources.extend(found.foreign.last().map(made_key));
                }
                TableChange::AddCheck(constraint) => {
                    found.checks.push(NewCheck { constraint, column: None });
                }
                _ => {}
            }
        }
        found
    }

    /// What goes, by name, and which CHECK constraints are switched.
    pub(super) fn dropped(
        &self,
        old: &TableDef,
        changes: &'a [TableChange],
    ) -> Result<Dropped<'a>, SqlError> {
        let mut gone = Dropped {
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            enforced: Vec::new(),
        };
        let foreign = |name: &str| old.foreign_keys.iter().any(|key| same_name(&key.name, name));
        let checked = |name: &str| old.checks.iter().any(|check| same_name(&check.name, name));
        for change in changes {
            match change {
                TableChange::DropForeignKey(name) => {
                    let name = name.as_str();
                    if !foreign(name) || gone.foreign_keys.iter().any(|known| same_name(known, name)) {
                        return Err(SqlError::cannot_drop(name));
                    }
                    gone.foreign_keys.push(name);
                }
                TableChange::DropCheck(name) => {
                    if !checked(name.as_str()) {
                        return Err(SqlError::no_such_check(name.as_str()));
                    }
                    gone.checks.push(name.as_str());
                }
                TableChange::DropConstraint(name) => {
                    let name = name.as_str();
                    let index = old.index(name).is_some_and(|index| index.unique);
                    match (index, foreign(name), checked(name)) {
                        (true, false, false) => gone.indexes.push(name),
                        (false, true, false) => gone.foreign_keys.push(name),
                        (false, false, true) => gone.checks.push(name),
                        (false, false, false) => return Err(SqlError::no_such_constraint(name)),
                        _ => return Err(SqlError::several_constraints(name)),
                    }
                }
                TableChange::SetEnforced { check, constraint, enforced } => {
                    let name = constraint.as_str();
                    if !checked(name) {
                        return Err(match check {
                            true => SqlError::no_such_check(name),
                            false => SqlError::no_such_constraint(name),
                        });
                    }
                    gone.enforced.push((name, *enforced));
                }
                _ => {}
            }
        }
        Ok(gone)
    }

    /// Puts the constraints together and checks them against the new columns and keys.
    #[expect(clippy::too_many_arguments, reason = "the parts of a definition")]
    pub(super) fn resolve(
        &mut self,
        old: &TableDef,
        columns: &[NewColumn],
        origins: &[Option<usize>],
        keys: &Keys,
        dropped: &Dropped<'_>,
        catalog: &Catalog,
        session: &mut SessionState,
    ) -> Result<Resolved, SqlError> {
        let others: Vec<Arc<TableDef>> =
            catalog.tables(&old.database).into_iter().filter(|t| t.name != old.name).collect();
        let mut key_columns: Vec<(Vec<IndexColumn>, bool)> = vec![(keys.primary.clone(), true)];
        key_columns.extend(keys.indexes.iter().map(|i| (i.index.columns.clone(), i.index.unique)));
        let child = Child { database: &old.database, name: &old.name, columns, keys: &key_columns };

        let mut foreign_keys = kept_foreign_keys(old, columns, origins, &dropped.foreign_keys)?;
        let kept = foreign_keys.len();
        if session.settings.foreign_key_checks {
            foreign_key::check_kept(&child, old, &foreign_keys, &|d, n| catalog.table(d, n), session)?;
        }
        check_indexes(old, &foreign_keys, &key_columns)?;
        let parents = |database: &str, name: &str| catalog.table(database, name);
        foreign_key::add(&self.foreign, &child, &mut foreign_keys, &parents, &others, session)?;
        let children = changed_children(old, columns, origins, &mut foreign_keys, catalog, session)?;
        let mut altered: Vec<Arc<TableDef>> = Vec::new();
        for def in catalog.children(&old.database, &old.name) {
            let changed = children.iter().find(|(d, n, ..)| (d, n) == (&def.database, &def.name));
            altered.push(match changed {
                Some((_, _, keys, _)) => Arc::new(TableDef { foreign_keys: keys.clone(), ..(*def).clone() }),
                None => def,
            });
        }
        if session.settings.foreign_key_checks {
            foreign_key::check_children(&child, &altered, session).map_err(|error| {
                // The key was there before: it is this statement that takes it away.
                match error.code {
                    6125 | 1822 => SqlError::index_needed(lost_index(old, &key_columns, origins)),
                    _ => error,
                }
            })?;
        }

        let mut checks = kept_checks(old, columns, origins, &dropped.checks)?;
        let mut checks_rows = false;
        for (name, enforced) in &dropped.enforced {
            for check in checks.iter_mut().filter(|c| same_name(&c.name, name)) {
                checks_rows |= *enforced && !check.enforced;
                check.enforced = *enforced;
            }
        }
        let before = checks.len();
        check::add(&self.checks, &old.name, columns, &mut checks, &others, session)?;
        checks_rows |= checks.iter().skip(before).any(|c| c.enforced);
        check::check_against_actions(&checks, &foreign_keys, columns)?;
        let new_foreign_keys = match session.settings.foreign_key_checks {
            true => (kept..foreign_keys.len()).collect(),
            false => Vec::new(),
        };
        Ok(Resolved { foreign_keys, new_foreign_keys, checks, checks_rows, children })
    }
}

/// The foreign keys that stay, over the new columns. A column that one needs may not go (1828).
fn kept_foreign_keys(
    old: &TableDef,
    columns: &[NewColumn],
    origins: &[Option<usize>],
    dropped: &[&str],
) -> Result<Vec<ForeignKeyDef>, SqlError> {
    let mut kept = Vec::with_capacity(old.foreign_keys.len());
    for key in &old.foreign_keys {
        if dropped.iter().any(|name| same_name(name, &key.name)) {
            continue;
        }
        let mut new = key.clone();
        for at in &mut new.columns {
            let position = origins.iter().position(|origin| *origin == Some(*at));
            let name = old.columns.get(*at).map_or("", |c| c.name.as_str());
            *at = position.ok_or_else(|| SqlError::column_of_child(name, &key.name))?;
        }
        let sets_null =
            key.on_delete == ReferenceAction::SetNull || key.on_update == ReferenceAction::SetNull;
        for column in new.columns.iter().filter_map(|at| columns.get(*at)) {
            if sets_null && !column.nullable {
                return Err(SqlError::set_null_not_null(&column.name, &key.name));
            }
        }
        kept.push(new);
    }
    Ok(kept)
}

/// Every foreign key of the table keeps an index that it is found by (1553).
fn check_indexes(
    old: &TableDef,
    foreign_keys: &[ForeignKeyDef],
    keys: &[(Vec<IndexColumn>, bool)],
) -> Result<(), SqlError> {
    for key in foreign_keys {
        let serves = |parts: &[IndexColumn]| {
            parts.len() >= key.columns.len()
                && parts
                    .iter()
                    .zip(&key.columns)
                    .all(|(part, at)| part.column == *at && part.prefix.is_none())
        };
        if keys.iter().any(|(parts, _)| serves(parts)) {
            continue;
        }
        let before = old.foreign_keys.iter().find(|k| k.name == key.name);
        let lost = before.and_then(|before| {
            old.all_indexes().find(|index| crate::dml::foreign_keys::leads_with(index, &before.columns))
        });
        return Err(SqlError::index_needed(lost.map_or("<unknown key name>", |index| index.name.as_str())));
    }
    Ok(())
}

/// The name of a unique key that the table had and has no more.
fn lost_index<'a>(
    old: &'a TableDef,
    keys: &[(Vec<IndexColumn>, bool)],
    origins: &[Option<usize>],
) -> &'a str {
    let same = |before: &[IndexColumn], after: &[IndexColumn]| {
        before.len() == after.len()
            && before.iter().zip(after).all(|(b, a)| origins.get(a.column) == Some(&Some(b.column)))
    };
    let lost = old
        .all_indexes()
        .filter(|index| index.unique && !index.columns.is_empty())
        .find(|index| !keys.iter().any(|(parts, unique)| *unique && same(&index.columns, parts)));
    lost.map_or("<unknown key name>", |index| index.name.as_str())
}

/// The children whose foreign keys name a column that has another name now; a column that one needs may not go
/// (1829). Foreign keys of the table to itself are changed in place.
fn changed_children(
    old: &TableDef,
    columns: &[NewColumn],
    origins: &[Option<usize>],
    own: &mut [ForeignKeyDef],
    catalog: &Catalog,
    session: &SessionState,
) -> Result<Vec<ChangedChild>, SqlError> {
    let mut list = Vec::new();
    let follow = |key: &mut ForeignKeyDef, child: &str| -> Result<bool, SqlError> {
        let mut changed = false;
        if (&key.parent_database, &key.parent_table) != (&old.database, &old.name) {
            return Ok(false);
        }
        for name in &mut key.parent_columns {
            let Some(before) = old.column_index(name) else { continue };
            let now =
                origins.iter().position(|origin| *origin == Some(before)).and_then(|at| columns.get(at));
            match now {
                Some(now) if now.name != *name => {
                    *name = now.name.clone();
                    changed = true;
                }
                Some(_) => {}
                None if session.settings.foreign_key_checks => {
                    return Err(SqlError::column_of_parent(&*name, &key.name, child));
                }
                None => {}
            }
        }
        Ok(changed)
    };
    for key in own.iter_mut() {
        follow(key, &old.name)?;
    }
    for child in catalog.children(&old.database, &old.name) {
        if child.id == old.id {
            continue;
        }
        let mut keys = child.foreign_keys.clone();
        let mut changed = false;
        for key in &mut keys {
            changed |= follow(key, &child.name)?;
        }
        if changed {
            list.push((child.database.clone(), child.name.clone(), keys, child.checks.clone()));
        }
    }
    Ok(list)
}

/// The CHECK constraints that stay. One that only a dropped column is part of goes with it; any other holds on to
/// its columns and their names (3959).
fn kept_checks(
    old: &TableDef,
    columns: &[NewColumn],
    origins: &[Option<usize>],
    dropped: &[&str],
) -> Result<Vec<CheckDef>, SqlError> {
    let mut kept = Vec::with_capacity(old.checks.len());
    let mut checks: Vec<&CheckDef> = old.checks.iter().collect();
    checks.sort_by_key(|check| check.name.to_lowercase());
    'checks: for check in checks {
        if dropped.iter().any(|name| same_name(name, &check.name)) {
            continue;
        }
        let expr = canonical::read(&check.expression)?;
        let mut names: Vec<&str> = walk::columns(&expr).iter().map(|name| name.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in &names {
            let Some(at) = old.column_index(name) else { continue };
            let now = origins.iter().position(|origin| *origin == Some(at)).and_then(|at| columns.get(at));
            match now {
                Some(now) if same_name(&now.name, name) => {}
                None if names.len() == 1 => continue 'checks,
                _ => return Err(SqlError::check_uses_column(&check.name, *name)),
            }
        }
        kept.push(check.clone());
    }
    Ok(kept)
}
