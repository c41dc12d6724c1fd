//! CREATE, DROP, RENAME and TRUNCATE TABLE.
//!
//! A table that others refer to by foreign keys is not dropped (3730) or emptied (1701) while
//! `foreign_key_checks` is on; when it is renamed its children follow.

use std::sync::Arc;

use rustydb_catalog::{Rename, TableDef};
use rustydb_sql_parser::ast::{CreateTable, DropTable, ObjectName, RenameTable, TableElement};
use rustydb_transaction::locks::{MdlKey, MdlMode};

use super::foreign_key::parent_path;
use super::{Definition, create_select, names, table};
use crate::canonical::identifier;
use crate::context::{EvalContext, ExecContext};
use crate::dml::auto_increment::counter_tree;
use crate::error::SqlError;
use crate::session::tables::{Bounds, Tables};
use crate::virtual_database;

/// A database's and a table's name.
pub(super) type Path = (String, String);

pub(super) fn table_locks(database: &str, name: &str) -> Vec<(MdlKey, MdlMode)> {
    vec![
        (MdlKey::database(database), MdlMode::IntentionExclusive),
        (MdlKey::table(database, name), MdlMode::Exclusive),
    ]
}

impl Definition<'_> {
    pub(super) fn resolve(&self, name: &ObjectName) -> Result<(String, String), SqlError> {
        let (database, name) = names::resolve(name, self.state)?;
        Ok((database.to_owned(), name.to_owned()))
    }

    /// The table, locked exclusively; 1049 or 1146 when there is none.
    fn locked_table(&mut self, name: &ObjectName) -> Result<Arc<TableDef>, SqlError> {
        let (database, name) = self.resolve(name)?;
        if self.temporary.find(&database, &name).is_some() {
            return Err(SqlError::not_supported("ALTER TABLE of a temporary table"));
        }
        self.check_changeable(&database)?;
        self.lock(table_locks(&database, &name))?;
        self.known_table(&database, &name)
    }

    /// The table as it is; 1049 or 1146 when there is none.
    pub(super) fn known_table(&self, database: &str, name: &str) -> Result<Arc<TableDef>, SqlError> {
        let catalog = self.database.catalog();
        match catalog.table(database, name) {
            Some(def) => Ok(def),
            None if catalog.view(database, name).is_some() => {
                Err(SqlError::wrong_object(database, name, "BASE TABLE"))
            }
            None if catalog.database(database).is_none() => Err(SqlError::unknown_database(database)),
            None => Err(SqlError::no_such_table(database, name)),
        }
    }

    fn table_exists(&mut self, what: &CreateTable, name: &str) -> Result<u64, SqlError> {
        let exists = SqlError::table_exists(name);
        if !what.if_not_exists {
            return Err(exists);
        }
        self.state.note(&exists);
        Ok(0)
    }

    pub(super) fn create_table(&mut self, what: &CreateTable, sql: &str) -> Result<u64, SqlError> {
        if what.temporary {
            return self.create_temporary(what);
        }
        let (database, name) = self.resolve(&what.name)?;
        if virtual_database::lone_table(&database, &name).is_some() {
            return self.table_exists(what, &name);
        }
        self.check_changeable(&database)?;
        let mut locks = table_locks(&database, &name);
        for references in what.elements.iter().filter_map(|element| match element {
            TableElement::ForeignKey(key) => Some(&key.references),
            TableElement::Column(column) => column.attributes.references.as_deref(),
            _ => None,
        }) {
            // Who writes the parent must know of its new child.
            let (parent_database, parent) = parent_path(references, &database);
            locks.push((MdlKey::table(parent_database, parent), MdlMode::Exclusive));
        }
        let source = match &what.like {
            Some(like) => {
                let (from_database, from) = self.resolve(like)?;
                locks.push((MdlKey::table(&from_database, &from), MdlMode::SharedRead));
                Some((from_database, from))
            }
            None => None,
        };
        let catalog = Arc::clone(self.database.catalog());
        if catalog.table(&database, &name).is_some() {
            // A table that exists is only looked at: who is using it is no reason to wait.
            self.lock(vec![(MdlKey::table(&database, &name), MdlMode::Shared)])?;
            if catalog.table(&database, &name).is_some() {
                return self.table_exists(what, &name);
            }
        }
        self.lock(locks)?;
        let home = catalog.database(&database).ok_or_else(|| SqlError::unknown_database(&database))?;
        if catalog.table(&database, &name).is_some() || catalog.view(&database, &name).is_some() {
            return self.table_exists(what, &name);
        }
        let mut selected = None;
        let new = match source {
            Some((from_database, from)) if self.temporary.find(&from_database, &from).is_some() => {
                let def = self.temporary.find(&from_database, &from).cloned();
                let def = def.ok_or_else(|| SqlError::no_such_table(&from_database, &from))?;
                names::check_table(&name)?;
                table::like(&def, &database, &name)
            }
            Some((from_database, from)) => {
                if catalog.view(&from_database, &from).is_some() {
                    return Err(SqlError::wrong_object(&from_database, &from, "BASE TABLE"));
                }
                let def = catalog.table(&from_database, &from);
                let def = def.ok_or_else(|| SqlError::no_such_table(&from_database, &from))?;
                names::check_table(&name)?;
                table::like(&def, &database, &name)
            }
            None => {
                let mut tables =
                    Tables::new(self.database, self.owner, self.wait.clone(), self.temporary, Bounds::none());
                let params = self.params;
                selected = create_select::plan_source(what, sql, params, &mut tables, self.state, &catalog)?;
                let given = selected.as_ref().map(|s| s.columns.clone()).unwrap_or_default();
                table::new_table(what, &database, home.collation, given, &catalog, self.state)?
            }
        };
        let first = new.first_auto_increment;
        self.change(|this, txn, change| {
            *change = catalog.create_table(txn, new)?;
            if let (Some(selected), Some(def)) = (&selected, change.tables().next()) {
                let mut context = ExecContext {
                    database: this.database,
                    txn,
                    eval: EvalContext {
                        params: this.params,
                        session: &mut *this.state,
                        cancel: this.cancel,
                        row: 0,
                        store: None,
                    },
                    memory: Arc::new(this.database.memory().grant()),
                };
                this.filled = Some(create_select::fill(selected, def, &mut context)?);
                if this.state.settings.foreign_key_checks {
                    let all: Vec<usize> = (0..def.foreign_keys.len()).collect();
                    this.check_foreign_keys(txn, def, &all)?;
                }
            }
            if let (Some(first), Some(def)) = (first, change.tables().next()) {
                this.database.engine().counter_raise(counter_tree(def), first)?;
            }
            Ok(())
        })?;
        Ok(self.filled.as_ref().map_or(0, |changes| changes.affected))
    }

    /// CREATE TEMPORARY TABLE; with a query it is the session's (`session::temporary_select`).
    fn create_temporary(&mut self, what: &CreateTable) -> Result<u64, SqlError> {
        let (database, name) = self.resolve(&what.name)?;
        self.check_changeable(&database)?;
        let catalog = Arc::clone(self.database.catalog());
        if self.temporary.find(&database, &name).is_some() {
            return self.table_exists(what, &name);
        }
        let home = catalog.database(&database).ok_or_else(|| SqlError::unknown_database(&database))?;
        let new = match &what.like {
            Some(like) => {
                let (from_database, from) = self.resolve(like)?;
                let temporary = self.temporary.find(&from_database, &from).cloned();
                let def = temporary.or_else(|| catalog.table(&from_database, &from));
                let def = def.ok_or_else(|| SqlError::no_such_table(&from_database, &from))?;
                names::check_table(&name)?;
                table::like(&def, &database, &name)
            }
            None => table::new_table(what, &database, home.collation, Vec::new(), &catalog, self.state)?,
        };
        let first = new.first_auto_increment;
        let def = catalog.create_temporary(new)?;
        if let Some(first) = first {
            self.database.engine().counter_raise(counter_tree(&def), first)?;
        }
        self.temporary.put(def);
        Ok(0)
    }

    /// DROP TEMPORARY TABLE looks at nothing else.
    fn drop_temporary(&mut self, what: &DropTable) -> Result<u64, SqlError> {
        let mut found = Vec::new();
        let mut missing: Vec<String> = Vec::new();
        for name in &what.tables {
            let (database, name) = self.resolve(name)?;
            match self.temporary.find(&database, &name) {
                Some(_) => found.push((database, name)),
                None => missing.push(format!("{database}.{name}")),
            }
        }
        if !missing.is_empty() && !what.if_exists {
            return Err(SqlError::unknown_tables(missing.join(",")));
        }
        for name in missing {
            self.state.note(&SqlError::unknown_tables(name));
        }
        for (database, name) in found {
            self.temporary.remove(&database, &name);
        }
        Ok(0)
    }

    pub(super) fn drop_table(&mut self, what: &DropTable) -> Result<u64, SqlError> {
        if what.temporary {
            return self.drop_temporary(what);
        }
        let mut wanted: Vec<(String, String)> = Vec::with_capacity(what.tables.len());
        // A temporary table goes before the one that it hides.
        let mut hiding: Vec<(String, String)> = Vec::new();
        let mut locks = Vec::new();
        for name in &what.tables {
            let (database, name) = self.resolve(name)?;
            self.check_droppable(&database, &name)?;
            if wanted.contains(&(database.clone(), name.clone())) {
                return Err(SqlError::table_not_unique(name));
            }
            if self.temporary.find(&database, &name).is_some() {
                hiding.push((database, name));
                continue;
            }
            locks.extend(table_locks(&database, &name));
            wanted.push((database, name));
        }
        self.lock(locks)?;
        let catalog = Arc::clone(self.database.catalog());
        let (found, missing): (Vec<_>, Vec<_>) =
            wanted.iter().partition(|(database, name)| catalog.table(database, name).is_some());
        if !missing.is_empty() && !what.if_exists {
            let names: Vec<String> = missing.iter().map(|(d, t)| format!("{d}.{t}")).collect();
            return Err(SqlError::unknown_tables(names.join(",")));
        }
        for (database, name) in missing {
            self.state.note(&SqlError::unknown_tables(format_args!("{database}.{name}")));
        }
        for (database, name) in hiding {
            self.temporary.remove(&database, &name);
        }
        if found.is_empty() {
            return Ok(0);
        }
        let list: Vec<(&str, &str)> = found.iter().map(|(d, t)| (d.as_str(), t.as_str())).collect();
        self.check_unreferenced(&list)?;
        self.change(|_, txn, change| {
            *change = catalog.drop_tables(txn, &list)?;
            Ok(())
        })?;
        Ok(0)
    }

    pub(super) fn rename_table(&mut self, what: &RenameTable) -> Result<u64, SqlError> {
        let mut steps = Vec::with_capacity(what.renames.len());
        for (from, to) in &what.renames {
            steps.push((self.resolve(from)?, self.resolve(to)?));
        }
        self.rename(&steps)
    }

    /// Refuses to drop tables that others refer to, except those that go as well (3730).
    pub(super) fn check_unreferenced(&self, gone: &[(&str, &str)]) -> Result<(), SqlError> {
        if !self.state.settings.foreign_key_checks {
            return Ok(());
        }
        for (database, name) in gone {
            for child in self.database.catalog().children(database, name) {
                if gone.contains(&(child.database.as_str(), child.name.as_str())) {
                    continue;
                }
                let refers = |key: &&rustydb_catalog::ForeignKeyDef| {
                    (key.parent_database.as_str(), key.parent_table.as_str()) == (*database, *name)
                };
                if let Some(key) = child.foreign_keys.iter().find(refers) {
                    return Err(SqlError::table_referenced(name, &key.name, &child.name));
                }
            }
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, steps: &[(Path, Path)]) -> Result<u64, SqlError> {
        let mut locks = Vec::new();
        for (from, to) in steps {
            self.check_changeable(&from.0)?;
            self.check_changeable(&to.0)?;
            names::check_table(&to.1)?;
            locks.extend(table_locks(&from.0, &from.1));
            locks.extend(table_locks(&to.0, &to.1));
            for child in self.database.catalog().children(&from.0, &from.1) {
                locks.push((MdlKey::table(&child.database, &child.name), MdlMode::Exclusive));
            }
        }
        self.lock(locks)?;
        let catalog = Arc::clone(self.database.catalog());
        let moved =
            steps.iter().find(|(from, to)| from.0 != to.0 && catalog.view(&from.0, &from.1).is_some());
        if let Some((from, to)) = moved {
            return Err(SqlError::schema_change_forbidden(&from.0, &to.0));
        }
        let followers = self.followers(steps);
        self.change(|_, txn, change| {
            for (from, to) in steps {
                change.join(if catalog.view(&from.0, &from.1).is_some() {
                    catalog.rename_view(txn, &from.0, &from.1, &to.1)?
                } else {
                    let step = Rename { from: (&from.0, &from.1), to: (&to.0, &to.1) };
                    catalog.rename_tables(txn, &[step])?
                });
            }
            for (path, def) in followers {
                let (keys, checks) = (def.foreign_keys, def.checks);
                change.join(catalog.set_constraints(txn, &path.0, &path.1, keys, checks)?);
            }
            Ok(())
        })?;
        Ok(0)
    }

    /// The tables whose constraints change when these are renamed, under the names that they have then: children
    /// refer to their parent's new name, and made-up names of constraints follow their table.
    fn followers(&self, steps: &[(Path, Path)]) -> Vec<(Path, TableDef)> {
        let catalog = self.database.catalog();
        let mut tables: Vec<(Path, TableDef)> = Vec::new();
        let mut add = |def: Arc<TableDef>| {
            if !tables.iter().any(|(_, known)| known.id == def.id) {
                tables.push(((def.database.clone(), def.name.clone()), (*def).clone()));
            }
        };
        for (from, _) in steps {
            catalog.table(&from.0, &from.1).into_iter().for_each(&mut add);
            catalog.children(&from.0, &from.1).into_iter().for_each(&mut add);
        }
        let before: Vec<TableDef> = tables.iter().map(|(_, def)| def.clone()).collect();
        for (from, to) in steps {
            for (path, def) in &mut tables {
                if path == from {
                    path.clone_from(to);
                    for key in &mut def.foreign_keys {
                        follow_name(&mut key.name, &from.1, &to.1, "_ibfk_");
                    }
                    for check in &mut def.checks {
                        follow_name(&mut check.name, &from.1, &to.1, "_chk_");
                    }
                }
                for key in &mut def.foreign_keys {
                    if (&key.parent_database, &key.parent_table) == (&from.0, &from.1) {
                        (key.parent_database, key.parent_table) = to.clone();
                    }
                }
            }
        }
        let changed = tables.into_iter().zip(before).filter(|((_, now), before)| {
            now.foreign_keys != before.foreign_keys || now.checks != before.checks
        });
        changed.map(|(table, _)| table).collect()
    }

    pub(super) fn truncate_table(&mut self, name: &ObjectName) -> Result<u64, SqlError> {
        let path = self.resolve(name)?;
        if let Some(old) = self.temporary.find(&path.0, &path.1).cloned() {
            let new = table::like(&old, &path.0, &path.1);
            self.temporary.put(self.database.catalog().create_temporary(new)?);
            return Ok(0);
        }
        self.check_droppable(&path.0, &path.1)?;
        let def = match self.locked_table(name) {
            // To TRUNCATE a view is as good as none.
            Err(view) if view.code == 1347 => {
                let (database, name) = self.resolve(name)?;
                return Err(SqlError::no_such_table(database, name));
            }
            found => found?,
        };
        self.check_truncation(&def)?;
        self.change(|this, txn, change| {
            *change = this.database.catalog().truncate_table(txn, &def.database, &def.name)?;
            Ok(())
        })?;
        Ok(0)
    }

    /// A table that others refer to is not emptied (1701).
    fn check_truncation(&self, def: &TableDef) -> Result<(), SqlError> {
        if !self.state.settings.foreign_key_checks {
            return Ok(());
        }
        for child in self.database.catalog().children(&def.database, &def.name) {
            let refers = |key: &&rustydb_catalog::ForeignKeyDef| {
                (&key.parent_database, &key.parent_table) == (&def.database, &def.name)
            };
            if let Some(key) = child.foreign_keys.iter().find(refers).filter(|_| child.id != def.id) {
                let mut shown = String::new();
                identifier(&child.database, &mut shown);
                shown.push('.');
                identifier(&child.name, &mut shown);
                shown.push_str(", CONSTRAINT ");
                identifier(&key.name, &mut shown);
                return Err(SqlError::truncate_referenced(shown));
            }
        }
        Ok(())
    }
}

/// A made-up name (`old_ibfk_1`) under the table's new name.
fn follow_name(name: &mut String, from: &str, to: &str, middle: &str) {
    let Some(start) = name.get(..from.len()) else { return };
    let rest = name.get(from.len()..).and_then(|rest| rest.strip_prefix(middle));
    if start.eq_ignore_ascii_case(from)
        && let Some(number) = rest
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        *name = format!("{to}{middle}{number}");
    }
}
