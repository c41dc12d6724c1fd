//! LOCK TABLES and UNLOCK TABLES.
//!
//! The locks are explicit metadata locks: READ lets others read, WRITE keeps everybody out. While they are
//! held the session may use only the tables it named (1100), and those locked READ only to read (1099).
//! LOCK TABLES ends the open transaction first; BEGIN, UNLOCK TABLES and the end of the session let go.

use rustydb_sql_parser::ast::{TableLock, TableLockKind};
use rustydb_transaction::locks::{MdlDuration, MdlKey, MdlMode};

use super::Session;
use super::tables::{LockedTable, lock_error};
use crate::ddl::names;
use crate::error::SqlError;

impl Session {
    /// `LOCK TABLES a READ, b WRITE`
    pub(super) fn lock_tables(&mut self, list: &[TableLock]) -> Result<(), SqlError> {
        self.unlock_tables()?;
        self.commit_implicitly()?;
        if list.iter().any(|lock| lock.kind == TableLockKind::Write) {
            self.check_may_write()?;
        }
        let mut wanted: Vec<LockedTable> = Vec::with_capacity(list.len());
        for lock in list {
            let (database, name) = names::resolve(&lock.table, &self.state)?;
            wanted.push(LockedTable {
                database: database.to_owned(),
                name: name.to_owned(),
                write: lock.kind == TableLockKind::Write,
            });
        }
        // A view is locked with everything under it, however deep.
        let mut at = 0;
        while let Some(table) = wanted.get(at).cloned() {
            at += 1;
            let Some(view) = self.database.catalog().view(&table.database, &table.name) else { continue };
            let mut query = crate::view::read(&view)?;
            crate::view::print::each_table(&mut query, &mut |name| {
                let Some(database) = &name.database else { return };
                let (database, name) = (database.as_str(), name.name.as_str());
                let known =
                    |t: &LockedTable| t.database == database && t.name == name && t.write >= table.write;
                if !wanted.iter().any(known) {
                    wanted.push(LockedTable {
                        database: database.to_owned(),
                        name: name.to_owned(),
                        write: table.write,
                    });
                }
            });
        }
        wanted.retain(|t| !self.is_temporary_name(&t.database, &t.name));
        // One order for all sessions: two LOCK TABLES never wait for each other in a circle.
        wanted.sort_by(|a, b| (&a.database, &a.name).cmp(&(&b.database, &b.name)));
        let wait = self.metadata_wait();
        for table in &wanted {
            let mode = if table.write { MdlMode::SharedNoReadWrite } else { MdlMode::SharedReadOnly };
            let key = MdlKey::table(&table.database, &table.name);
            let locks = self.database.engine().metadata_locks();
            let locked = locks.acquire(&mut self.owner, &key, mode, MdlDuration::Explicit, &wait);
            let catalog = self.database.catalog();
            let exists = catalog.table(&table.database, &table.name).is_some()
                || catalog.view(&table.database, &table.name).is_some();
            let refused = match locked {
                Err(error) => Some(lock_error(&error)),
                Ok(()) if exists => None,
                Ok(()) if self.database.catalog().database(&table.database).is_none() => {
                    Some(SqlError::unknown_database(&table.database))
                }
                Ok(()) => Some(SqlError::no_such_table(&table.database, &table.name)),
            };
            if let Some(error) = refused {
                self.release_table_locks();
                return Err(error);
            }
        }
        self.locked = Some(wanted);
        Ok(())
    }

    /// `UNLOCK TABLES`: commits when there was something to unlock, as MySQL does.
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
        locks.release_explicit_where(&mut self.owner, |key| matches!(key, MdlKey::Table(..)));
    }
}
