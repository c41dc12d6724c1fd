//! FLUSH, and the locks that backups take: FLUSH TABLES WITH READ LOCK and LOCK INSTANCE FOR BACKUP.
//!
//! There is nothing to flush: tables are closed when nobody uses them, accounts and logs are always in force. What is
//! left is what FLUSH waits for and locks, as MySQL does:
//!
//! | statement | while it is held |
//! |---|---|
//! | `FLUSH TABLES WITH READ LOCK` | nobody changes anything ([`crate::database::read_lock`]) |
//! | `FLUSH TABLES a, b WITH READ LOCK` | as `LOCK TABLES a READ, b READ` |
//! | `LOCK INSTANCE FOR BACKUP` | rows are changed, definitions and accounts are not |
//!
//! UNLOCK TABLES gives the first two back, UNLOCK INSTANCE the third. `FOR EXPORT` is refused (1031): it is for
//! copying the file of a table, and tables have no files of their own.

use rustydb_sql_parser::ast::{Flush, FlushTarget, ObjectName};
use rustydb_transaction::locks::{MdlDuration, MdlKey, MdlMode};

use super::Session;
use super::tables::{LockedTable, lock_error};
use crate::ddl::names;
use crate::error::SqlError;

impl Session {
    /// FLUSH: what was open is committed first.
    pub(super) fn flush(&mut self, what: &Flush) -> Result<(), SqlError> {
        match &what.target {
            FlushTarget::Tables { tables, read_lock: false, export: false } => {
                self.commit_implicitly()?;
                self.flush_tables(tables)
            }
            FlushTarget::Tables { tables, export: true, .. } => {
                self.commit_implicitly()?;
                let tables = self.base_tables(tables)?;
                let table = tables.first().map_or("", |table| table.name.as_str());
                Err(SqlError::no_such_option(table))
            }
            FlushTarget::Tables { tables, .. } => {
                if self.locked.is_some() {
                    return Err(SqlError::locked_or_in_transaction());
                }
                self.commit_implicitly()?;
                if !tables.is_empty() {
                    let tables = self.base_tables(tables)?;
                    return self.take_table_locks(tables);
                }
                let wait = self.metadata_wait();
                self.pass.close(self.database.engine().metadata_locks(), &mut self.owner, &wait)
            }
            FlushTarget::Options(options) => {
                for option in options {
                    if !matches!(
                        option.name,
                        "PRIVILEGES" | "LOGS" | "ENGINE LOGS" | "ERROR LOGS" | "SLOW LOGS"
                    ) {
                        return Err(SqlError::not_supported(format_args!("FLUSH {}", option.name)));
                    }
                }
                self.commit_implicitly()
            }
        }
    }

    /// Under LOCK TABLES only what is locked WRITE may be flushed; without names, all that is locked.
    fn flush_tables(&self, tables: &[ObjectName]) -> Result<(), SqlError> {
        let Some(locked) = &self.locked else { return Ok(()) };
        let named = |table: &&LockedTable| {
            tables.is_empty()
                || tables.iter().any(|name| {
                    names::resolve(name, &self.state)
                        .is_ok_and(|(database, name)| table.database == database && table.name == name)
                })
        };
        match locked.iter().filter(named).find(|table| !table.write) {
            Some(table) => Err(SqlError::table_read_locked(&table.name)),
            None => Ok(()),
        }
    }

    /// The named tables, each to be locked READ. Temporary tables are not meant, and views are refused (1347).
    fn base_tables(&self, tables: &[ObjectName]) -> Result<Vec<LockedTable>, SqlError> {
        let catalog = self.database.catalog();
        let mut found: Vec<LockedTable> = Vec::with_capacity(tables.len());
        for name in tables {
            let (database, name) = names::resolve(name, &self.state)?;
            if catalog.view(database, name).is_some() {
                return Err(SqlError::wrong_object(database, name, "BASE TABLE"));
            }
            if catalog.table(database, name).is_none() {
                return Err(SqlError::no_such_table(database, name));
            }
            if found.iter().any(|other| other.database == database && other.name == name) {
                return Err(SqlError::table_not_unique(name));
            }
            found.push(LockedTable {
                database: database.to_owned(),
                name: name.to_owned(),
                alias: name.to_owned(),
                write: false,
                of_view: false,
            });
        }
        Ok(found)
    }

    /// LOCK INSTANCE FOR BACKUP: waits for definition statements and keeps others' out.
    pub(super) fn lock_instance(&mut self) -> Result<(), SqlError> {
        let locks = self.database.engine().metadata_locks();
        if locks.holds(&self.owner, &MdlKey::Backup, MdlMode::Shared) {
            return Ok(());
        }
        let wait = self.metadata_wait();
        let locks = self.database.engine().metadata_locks();
        locks
            .acquire(&mut self.owner, &MdlKey::Backup, MdlMode::Shared, MdlDuration::Explicit, &wait)
            .map_err(|e| lock_error(&e))
    }

    /// UNLOCK INSTANCE.
    pub(super) fn unlock_instance(&mut self) {
        let locks = self.database.engine().metadata_locks();
        locks.release_explicit_where(&mut self.owner, |key| *key == MdlKey::Backup);
    }

    /// A statement is about to change definitions or accounts: not under a backup's lock, its own session's apart,
    /// and not under a global read lock. Both are kept off until the session's transaction locks go.
    pub(super) fn begin_definition(&mut self) -> Result<(), SqlError> {
        if self.pass.holds() {
            return Err(SqlError::conflicting_read_lock());
        }
        let wait = self.metadata_wait();
        let locks = self.database.engine().metadata_locks();
        for key in [MdlKey::Global, MdlKey::Backup] {
            let (mode, duration) = (MdlMode::IntentionExclusive, MdlDuration::Transaction);
            if let Err(error) = locks.acquire(&mut self.owner, &key, mode, duration, &wait) {
                // What was open has been committed, so nobody else gives the first one back.
                locks.release_transaction(&mut self.owner);
                return Err(lock_error(&error));
            }
        }
        Ok(())
    }
}
