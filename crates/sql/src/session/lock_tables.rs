//! LOCK TABLES and UNLOCK TABLES, and what definition statements may do in between.
//!
//! The locks are explicit metadata locks: READ lets others read, WRITE keeps everybody out. While they are
//! held the session may use only the tables it named, by the alias it named them by (1100), and those locked READ only
//! to read (1099). A view stands for everything under it; a table locked WRITE brings those along that its foreign
//! keys lead to. LOCK TABLES ends the open transaction first; BEGIN, UNLOCK TABLES and the end of the session let go.
//!
//! Definition statements may change and drop what is locked WRITE; the list follows. They may make no table, and leave
//! databases and views alone (1192).

use rustydb_catalog::ReferenceAction;
use rustydb_sql_parser::ast::{ObjectName, Statement, TableChange, TableLock, TableLockKind};
use rustydb_transaction::locks::{MdlDuration, MdlKey, MdlMode};

use super::Session;
use super::tables::{LockedTable, find_locked, lock_error};
use crate::ddl::names;
use crate::error::SqlError;
use crate::virtual_database;

impl Session {
    /// `LOCK TABLES a READ, b AS c WRITE`
    pub(super) fn lock_tables(&mut self, list: &[TableLock]) -> Result<(), SqlError> {
        let mut wanted: Vec<LockedTable> = Vec::with_capacity(list.len());
        for lock in list {
            let (database, name) = names::resolve(&lock.table, &self.state)?;
            match virtual_database::find(database) {
                Some(home) if home.engine.is_none() || home.table(name).is_some() => {
                    return Err(virtual_database::denied("SELECT, LOCK TABLES", database, name, &self.state));
                }
                Some(_) => return Err(SqlError::no_such_table(database, name)),
                None => {}
            }
            let alias = lock.alias.as_ref().map_or(name, |alias| alias.as_str());
            if wanted.iter().any(|other| other.database == database && other.alias == alias) {
                return Err(SqlError::table_not_unique(alias));
            }
            wanted.push(LockedTable {
                database: database.to_owned(),
                name: name.to_owned(),
                alias: alias.to_owned(),
                write: lock.kind == TableLockKind::Write,
                of_view: false,
            });
        }
        self.unlock_tables()?;
        self.commit_implicitly()?;
        if wanted.iter().any(|table| table.write) {
            self.check_may_write()?;
            if self.pass.holds() {
                return Err(SqlError::conflicting_read_lock());
            }
        }
        self.take_table_locks(wanted)
    }

    /// Locks these tables and what belongs to them; all of them or none.
    pub(super) fn take_table_locks(&mut self, mut wanted: Vec<LockedTable>) -> Result<(), SqlError> {
        let mut at = 0;
        while let Some(table) = wanted.get(at).cloned() {
            at += 1;
            self.add_parts(&table, &mut wanted)?;
            if table.write {
                self.add_relations(&table, &mut wanted);
            }
        }
        wanted.retain(|t| !self.is_temporary_name(&t.database, &t.name));
        // One order for all sessions, writes first: two LOCK TABLES never wait for each other in a circle.
        wanted.sort_by(|a, b| (&a.database, &a.name, !a.write).cmp(&(&b.database, &b.name, !b.write)));
        let done = self.lock_each(&wanted);
        match done {
            Ok(()) => self.locked = Some(wanted),
            Err(_) => self.release_table_locks(),
        }
        done
    }

    fn lock_each(&mut self, wanted: &[LockedTable]) -> Result<(), SqlError> {
        let wait = self.metadata_wait();
        let locks = self.database.engine().metadata_locks();
        if wanted.iter().any(|table| table.write) {
            // As long as anything is locked WRITE there is no global read lock.
            let (key, mode) = (MdlKey::Global, MdlMode::IntentionExclusive);
            locks
                .acquire(&mut self.owner, &key, mode, MdlDuration::Explicit, &wait)
                .map_err(|e| lock_error(&e))?;
        }
        for table in wanted {
            let mode = if table.write { MdlMode::SharedNoReadWrite } else { MdlMode::SharedReadOnly };
            let key = MdlKey::table(&table.database, &table.name);
            locks
                .acquire(&mut self.owner, &key, mode, MdlDuration::Explicit, &wait)
                .map_err(|e| lock_error(&e))?;
            let catalog = self.database.catalog();
            let exists = catalog.table(&table.database, &table.name).is_some()
                || catalog.view(&table.database, &table.name).is_some();
            if !exists {
                return Err(match catalog.database(&table.database) {
                    None => SqlError::unknown_database(&table.database),
                    Some(_) => SqlError::no_such_table(&table.database, &table.name),
                });
            }
        }
        Ok(())
    }

    /// A view is locked with everything under it, however deep.
    fn add_parts(&self, table: &LockedTable, wanted: &mut Vec<LockedTable>) -> Result<(), SqlError> {
        let Some(view) = self.database.catalog().view(&table.database, &table.name) else { return Ok(()) };
        let mut query = crate::view::read(&view)?;
        crate::view::print::each_table(&mut query, &mut |name, alias| {
            let Some(database) = &name.database else { return };
            let part = LockedTable {
                database: database.as_str().to_owned(),
                name: name.name.as_str().to_owned(),
                alias: alias.unwrap_or(&name.name).as_str().to_owned(),
                write: table.write,
                of_view: true,
            };
            if !wanted.contains(&part) {
                wanted.push(part);
            }
        });
        Ok(())
    }

    /// What changes of a table may lead to: its parents are looked at, its children looked at or changed.
    fn add_relations(&self, table: &LockedTable, wanted: &mut Vec<LockedTable>) {
        let catalog = self.database.catalog();
        let Some(def) = catalog.table(&table.database, &table.name) else { return };
        let mut add = |database: &str, name: &str, write: bool| {
            let known = |t: &LockedTable| t.database == database && t.name == name && t.write >= write;
            if !wanted.iter().any(known) {
                let (database, name) = (database.to_owned(), name.to_owned());
                wanted.push(LockedTable { database, alias: name.clone(), name, write, of_view: false });
            }
        };
        for key in &def.foreign_keys {
            if catalog.table(&key.parent_database, &key.parent_table).is_some() {
                add(&key.parent_database, &key.parent_table, false);
            }
        }
        for child in catalog.children(&table.database, &table.name) {
            let follows = |action| !matches!(action, ReferenceAction::NoAction | ReferenceAction::Restrict);
            let changes = child.foreign_keys.iter().any(|key| {
                key.parent_table == table.name
                    && key.parent_database == table.database
                    && (follows(key.on_delete) || follows(key.on_update))
            });
            add(&child.database, &child.name, changes);
        }
    }

    /// `UNLOCK TABLES`: commits when there was something to unlock, as MySQL does. The end of a global read lock
    /// commits nothing: `mysqldump --single-transaction` begins its transaction under one.
    pub(super) fn unlock_everything(&mut self) -> Result<(), SqlError> {
        let unlocked = self.unlock_tables();
        self.pass.open(self.database.engine().metadata_locks(), &mut self.owner);
        unlocked
    }

    /// Lets go of what LOCK TABLES locked.
    pub(super) fn unlock_tables(&mut self) -> Result<(), SqlError> {
        if self.locked.take().is_none() {
            return Ok(());
        }
        let committed = self.commit_open();
        self.release_table_locks();
        committed
    }

    fn release_table_locks(&mut self) {
        let locks = self.database.engine().metadata_locks();
        // The global read lock has its own end.
        let global = !self.pass.holds();
        locks.release_explicit_where(&mut self.owner, |key| match key {
            MdlKey::Table(..) => true,
            MdlKey::Global => global,
            _ => false,
        });
    }

    /// What LOCK TABLES has to say of a definition statement, before it runs.
    pub(super) fn check_definition_locked(&self, statement: &Statement) -> Result<(), SqlError> {
        use Statement as S;
        let Some(locked) = &self.locked else { return Ok(()) };
        let check = |name: &ObjectName| {
            let (database, name) = names::resolve(name, &self.state)?;
            if self.is_temporary_name(database, name) {
                return Ok(());
            }
            match find_locked(locked, database, name, None) {
                Some(table) if table.write => Ok(()),
                Some(_) => Err(SqlError::table_read_locked(name)),
                None => Err(SqlError::table_not_locked(name)),
            }
        };
        match statement {
            S::CreateTable(what) => {
                let (database, name) = names::resolve(&what.name, &self.state)?;
                match self.database.catalog().table(database, name) {
                    // It answers that there is one.
                    Some(_) => Ok(()),
                    None => Err(SqlError::table_not_locked(name)),
                }
            }
            S::DropTable(what) => what.tables.iter().try_for_each(check),
            // What one renaming made another may move on.
            S::RenameTable(what) => {
                let made = |name| what.renames.iter().any(|(_, to)| to == name);
                what.renames.iter().filter(|(from, _)| !made(from)).try_for_each(|(from, _)| check(from))
            }
            S::TruncateTable(name) => check(name),
            S::CreateIndex(what) => check(&what.table),
            S::DropIndex(what) => check(&what.table),
            S::AlterTable(what) => check(&what.name),
            _ => Err(SqlError::locked_or_in_transaction()),
        }
    }

    /// The list and the locks after a definition statement that worked; its own locks are still held.
    pub(super) fn follow_definition(&mut self, statement: &Statement) -> Result<(), SqlError> {
        use Statement as S;
        if self.locked.is_none() {
            return Ok(());
        }
        match statement {
            S::DropTable(what) => what.tables.iter().try_for_each(|name| self.move_lock(name, None)),
            S::RenameTable(what) => {
                what.renames.iter().try_for_each(|(from, to)| self.move_lock(from, Some(to)))
            }
            S::AlterTable(what) => what.changes.iter().try_for_each(|change| match change {
                TableChange::Rename(to) => self.move_lock(&what.name, Some(to)),
                _ => Ok(()),
            }),
            _ => Ok(()),
        }
    }

    /// A locked table has another name now, or is gone; with the last one LOCK TABLES is over.
    fn move_lock(&mut self, from: &ObjectName, to: Option<&ObjectName>) -> Result<(), SqlError> {
        let (database, name) = owned(names::resolve(from, &self.state)?);
        let to = match to {
            Some(to) => Some(owned(names::resolve(to, &self.state)?)),
            None => None,
        };
        let wait = self.metadata_wait();
        let locks = self.database.engine().metadata_locks();
        let Some(locked) = &mut self.locked else { return Ok(()) };
        let is_it = |t: &LockedTable| t.database == database && t.name == name;
        let old = MdlKey::table(&database, &name);
        match to {
            Some((to_database, to_name)) => {
                let new = MdlKey::table(&to_database, &to_name);
                for table in locked.iter_mut().filter(|t| is_it(t)) {
                    // The statement holds the new name exclusively, so this waits for nobody.
                    locks
                        .acquire(
                            &mut self.owner,
                            &new,
                            MdlMode::SharedNoReadWrite,
                            MdlDuration::Explicit,
                            &wait,
                        )
                        .map_err(|e| lock_error(&e))?;
                    if table.alias == table.name {
                        table.alias.clone_from(&to_name);
                    }
                    table.database.clone_from(&to_database);
                    table.name.clone_from(&to_name);
                }
            }
            None => locked.retain(|t| !is_it(t)),
        }
        while locks.release_explicit(&mut self.owner, &old) {}
        if locked.is_empty() {
            self.locked = None;
            self.release_table_locks();
        }
        Ok(())
    }
}

fn owned((database, name): (&str, &str)) -> (String, String) {
    (database.to_owned(), name.to_owned())
}
