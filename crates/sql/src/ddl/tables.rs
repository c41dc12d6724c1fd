//! CREATE, DROP, RENAME, TRUNCATE and ALTER TABLE, CREATE and DROP INDEX.

use std::sync::Arc;

use rustydb_catalog::{IndexColumn, IndexDef, NewIndex, Rename, TableDef};
use rustydb_sql_parser::ast::{
    AlterTable, CreateIndex, CreateTable, DropIndex, DropTable, IndexDefinition, IndexKind, ObjectName,
    RenameTable, TableChange, TableOption,
};
use rustydb_storage::EntryBatch;
use rustydb_transaction::locks::{MdlKey, MdlMode};
use rustydb_transaction::{Direction, Error as TransactionError, KeyRange, Transaction};

use super::index::{self, KeyColumn};
use super::{Definition, create_select, names, table};
use crate::context::{EvalContext, ExecContext};
use crate::dml::auto_increment::counter_tree;
use crate::dml::writer::{duplicate_row, encode_entry};
use crate::error::SqlError;
use crate::session::tables::Tables;
use crate::stored::RowReader;

/// A database's and a table's name.
type Path = (String, String);

/// Rows that are read at a time while an index is filled.
const FILL_BATCH: usize = 256;

fn table_locks(database: &str, name: &str) -> Vec<(MdlKey, MdlMode)> {
    vec![
        (MdlKey::database(database), MdlMode::IntentionExclusive),
        (MdlKey::table(database, name), MdlMode::Exclusive),
    ]
}

impl Definition<'_> {
    fn resolve(&self, name: &ObjectName) -> Result<(String, String), SqlError> {
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
        let catalog = self.database.catalog();
        match catalog.table(&database, &name) {
            Some(def) => Ok(def),
            None if catalog.view(&database, &name).is_some() => {
                Err(SqlError::wrong_object(database, name, "BASE TABLE"))
            }
            None if catalog.database(&database).is_none() => Err(SqlError::unknown_database(database)),
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
        self.check_changeable(&database)?;
        let mut locks = table_locks(&database, &name);
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
                    Tables::new(self.database, self.owner, self.wait.clone(), None, self.temporary);
                let params = self.params;
                selected = create_select::plan_source(what, sql, params, &mut tables, self.state, &catalog)?;
                let given = selected.as_ref().map(|s| s.columns.clone()).unwrap_or_default();
                table::new_table(what, &database, home.collation, given, self.state)?
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
                    memory_limit: this.database.statement_memory(),
                };
                this.filled = Some(create_select::fill(selected, def, &mut context)?);
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
            None => table::new_table(what, &database, home.collation, Vec::new(), self.state)?,
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
            self.check_changeable(&database)?;
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

    fn rename(&mut self, steps: &[(Path, Path)]) -> Result<u64, SqlError> {
        let mut locks = Vec::new();
        for (from, to) in steps {
            self.check_changeable(&from.0)?;
            self.check_changeable(&to.0)?;
            names::check_table(&to.1)?;
            locks.extend(table_locks(&from.0, &from.1));
            locks.extend(table_locks(&to.0, &to.1));
        }
        self.lock(locks)?;
        let catalog = Arc::clone(self.database.catalog());
        let moved =
            steps.iter().find(|(from, to)| from.0 != to.0 && catalog.view(&from.0, &from.1).is_some());
        if let Some((from, to)) = moved {
            return Err(SqlError::schema_change_forbidden(&from.0, &to.0));
        }
        self.change(|_, txn, change| {
            for (from, to) in steps {
                change.join(if catalog.view(&from.0, &from.1).is_some() {
                    catalog.rename_view(txn, &from.0, &from.1, &to.1)?
                } else {
                    let step = Rename { from: (&from.0, &from.1), to: (&to.0, &to.1) };
                    catalog.rename_tables(txn, &[step])?
                });
            }
            Ok(())
        })?;
        Ok(0)
    }

    pub(super) fn truncate_table(&mut self, name: &ObjectName) -> Result<u64, SqlError> {
        let path = self.resolve(name)?;
        if let Some(old) = self.temporary.find(&path.0, &path.1).cloned() {
            let new = table::like(&old, &path.0, &path.1);
            self.temporary.put(self.database.catalog().create_temporary(new)?);
            return Ok(0);
        }
        let def = match self.locked_table(name) {
            // To TRUNCATE a view is as good as none.
            Err(view) if view.code == 1347 => {
                let (database, name) = self.resolve(name)?;
                return Err(SqlError::no_such_table(database, name));
            }
            found => found?,
        };
        self.change(|this, txn, change| {
            *change = this.database.catalog().truncate_table(txn, &def.database, &def.name)?;
            Ok(())
        })?;
        Ok(0)
    }

    pub(super) fn create_index(&mut self, what: &CreateIndex) -> Result<u64, SqlError> {
        let def = self.locked_table(&what.table)?;
        let changes = [IndexChange::Add(&what.index)];
        self.change_indexes(&def, &changes)
    }

    pub(super) fn drop_index(&mut self, what: &DropIndex) -> Result<u64, SqlError> {
        let def = self.locked_table(&what.table)?;
        self.change_indexes(&def, &[IndexChange::Drop(what.name.as_str())])
    }

    /// ALTER TABLE: indexes, the table's name, and options that change nothing; the rest is refused.
    pub(super) fn alter_table(&mut self, what: &AlterTable) -> Result<u64, SqlError> {
        if what.partitioning.is_some() {
            return Err(SqlError::not_supported("partitioned tables"));
        }
        let mut indexes = Vec::new();
        let mut renamed = None;
        let mut key_switch = false;
        let mut counter = None;
        for change in &what.changes {
            match change {
                TableChange::AddIndex(index) if index.kind == IndexKind::Primary => {
                    return Err(SqlError::not_supported("ALTER TABLE ... ADD PRIMARY KEY"));
                }
                TableChange::AddIndex(index) => indexes.push(IndexChange::Add(index)),
                TableChange::DropIndex(name) if name.is("PRIMARY") => {
                    return Err(SqlError::not_supported("ALTER TABLE ... DROP PRIMARY KEY"));
                }
                TableChange::DropIndex(name) => indexes.push(IndexChange::Drop(name.as_str())),
                TableChange::Rename(name) => renamed = Some(self.resolve(name)?),
                TableChange::EnableKeys | TableChange::DisableKeys => key_switch = true,
                TableChange::Option(TableOption::Engine(name)) if name.is("InnoDB") => {}
                TableChange::Option(TableOption::Engine(name)) => {
                    return Err(SqlError::unknown_engine(name.as_str()));
                }
                TableChange::Option(TableOption::AutoIncrement(n)) => counter = Some(*n),
                other => {
                    return Err(SqlError::not_supported(format_args!(
                        "ALTER TABLE ... {}",
                        change_name(other)
                    )));
                }
            }
        }
        if renamed.is_some() && (!indexes.is_empty() || counter.is_some()) {
            return Err(SqlError::not_supported("ALTER TABLE ... RENAME together with other changes"));
        }
        let def = self.locked_table(&what.name)?;
        if key_switch {
            self.state.note(&SqlError::no_such_option(&def.name));
        }
        if let Some(to) = renamed {
            let from = (def.database.clone(), def.name.clone());
            return if from == to { Ok(0) } else { self.rename(&[(from, to)]) };
        }
        if let Some(next) = counter
            && def.auto_increment.is_some()
        {
            // Never below a value that was given out: the counter only moves up.
            self.database.engine().counter_raise(counter_tree(&def), next)?;
        }
        if indexes.is_empty() { Ok(0) } else { self.change_indexes(&def, &indexes) }
    }

    /// Drops and adds indexes in one transaction: all of them or none.
    fn change_indexes(&mut self, def: &Arc<TableDef>, changes: &[IndexChange<'_>]) -> Result<u64, SqlError> {
        let mut dropped: Vec<&str> = Vec::new();
        for change in changes {
            if let IndexChange::Drop(name) = change {
                if name.eq_ignore_ascii_case("PRIMARY") {
                    return Err(SqlError::not_supported("ALTER TABLE ... DROP PRIMARY KEY"));
                }
                let found = def.indexes.iter().find(|i| i.name.to_lowercase() == name.to_lowercase());
                dropped.push(found.ok_or_else(|| SqlError::cannot_drop(name))?.name.as_str());
            }
        }
        let kept: Vec<&IndexDef> =
            def.indexes.iter().filter(|i| !dropped.contains(&i.name.as_str())).collect();
        check_auto_increment(def, &kept, changes)?;
        let columns: Vec<KeyColumn<'_>> =
            def.columns.iter().map(|c| KeyColumn { name: &c.name, ty: &c.ty }).collect();
        let mut added: Vec<NewIndex> = Vec::new();
        for change in changes {
            let IndexChange::Add(definition) = change else { continue };
            let mut taken: Vec<&str> = kept.iter().map(|i| i.name.as_str()).collect();
            taken.extend(added.iter().map(|i| i.name.as_str()));
            let new = index::secondary(definition, &columns, &taken, self.state)?;
            let existing: Vec<(&[IndexColumn], bool)> = kept
                .iter()
                .map(|i| (i.columns.as_slice(), i.unique))
                .chain(added.iter().map(|i| (i.columns.as_slice(), i.unique)))
                .collect();
            index::warn_of_duplicates(&new, &existing, &def.database, &def.name, self.state);
            added.push(new);
        }
        self.change(|this, txn, change| {
            let catalog = this.database.catalog();
            for name in &dropped {
                change.join(catalog.drop_index(txn, &def.database, &def.name, name)?);
            }
            for new in added {
                let name = new.name.clone();
                let step = catalog.create_index(txn, &def.database, &def.name, new)?;
                let after = step.tables().last().cloned();
                change.join(step);
                if let Some(after) = after
                    && let Some(index) = after.indexes.iter().find(|i| i.name == name)
                {
                    this.fill(txn, &after, index)?;
                }
            }
            Ok(())
        })?;
        Ok(0)
    }

    /// Writes the entry of every row into a new index. Nobody else uses the table meanwhile.
    fn fill(&self, txn: &mut Transaction, def: &Arc<TableDef>, index: &IndexDef) -> Result<(), SqlError> {
        let engine = self.database.engine();
        let primary = engine.tree(def.primary.tree)?;
        let tree = engine.tree(index.tree)?;
        let reader = RowReader::new(Arc::clone(def));
        let mut scan = txn.scan(&primary, KeyRange::all(), Direction::Forward)?;
        let mut batch = EntryBatch::default();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        loop {
            batch.clear();
            let more = scan.next_batch(txn, &mut batch, FILL_BATCH)?;
            for at in 0..batch.len() {
                let row = reader.row(batch.value(at))?;
                key.clear();
                value.clear();
                encode_entry(def, index, batch.key(at), &row, &mut key, &mut value)?;
                match txn.insert(&tree, &key, &value) {
                    Ok(()) => {}
                    Err(TransactionError::DuplicateKey) => return Err(duplicate_row(def, index, &row)),
                    Err(other) => return Err(other.into()),
                }
            }
            if self.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// A change of the indexes of a table.
enum IndexChange<'a> {
    Add(&'a IndexDefinition),
    Drop(&'a str),
}

/// The AUTO_INCREMENT column keeps an index that it leads.
fn check_auto_increment(
    def: &TableDef,
    kept: &[&IndexDef],
    changes: &[IndexChange<'_>],
) -> Result<(), SqlError> {
    use rustydb_sql_parser::ast::IndexKey;
    let Some(column) = def.auto_increment else { return Ok(()) };
    let leads = |index: &IndexDef| index.columns.first().is_some_and(|p| p.column == column);
    let name = def.columns.get(column).map_or("", |c| c.name.as_str());
    let added = changes.iter().any(|change| match change {
        IndexChange::Add(index) => match index.parts.first().map(|p| &p.key) {
            Some(IndexKey::Column { name: first, .. }) => first.is(name),
            _ => false,
        },
        IndexChange::Drop(_) => false,
    });
    if leads(&def.primary) || kept.iter().any(|i| leads(i)) || added {
        // Its counter is that of one index where no primary key is declared; another tree would begin anew.
        let tree = counter_tree(def);
        let moved = def.has_hidden_key() && !kept.iter().any(|i| i.tree == tree);
        if moved && def.indexes.iter().any(|i| i.tree == tree) {
            return Err(SqlError::not_supported("dropping the index that counts AUTO_INCREMENT"));
        }
        return Ok(());
    }
    Err(SqlError::wrong_auto_key())
}

/// The words of a change that is not built.
fn change_name(change: &TableChange) -> &'static str {
    match change {
        TableChange::AddColumn { .. } => "ADD COLUMN",
        TableChange::AddForeignKey(_) => "ADD FOREIGN KEY",
        TableChange::AddCheck(_) => "ADD CHECK",
        TableChange::ChangeColumn { .. } => "CHANGE COLUMN",
        TableChange::ModifyColumn { .. } => "MODIFY COLUMN",
        TableChange::SetDefault { .. } => "ALTER COLUMN ... SET DEFAULT",
        TableChange::DropDefault(_) => "ALTER COLUMN ... DROP DEFAULT",
        TableChange::SetColumnVisible { .. } => "ALTER COLUMN ... VISIBLE",
        TableChange::SetIndexVisible { .. } => "ALTER INDEX ... VISIBLE",
        TableChange::DropColumn(_) => "DROP COLUMN",
        TableChange::DropPrimaryKey => "DROP PRIMARY KEY",
        TableChange::DropForeignKey(_) => "DROP FOREIGN KEY",
        TableChange::RenameColumn { .. } => "RENAME COLUMN",
        TableChange::RenameIndex { .. } => "RENAME INDEX",
        TableChange::ConvertCharset { .. } => "CONVERT TO CHARACTER SET",
        TableChange::OrderBy(_) => "ORDER BY",
        TableChange::Force => "FORCE",
        TableChange::Option(_) => "table options",
        _ => "this change",
    }
}
