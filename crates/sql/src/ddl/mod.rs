//! Definitions: CREATE, ALTER, DROP, RENAME, TRUNCATE of databases, tables and indexes.
//!
//! A definition statement takes exclusive metadata locks on all it names, in the order of their keys,
//! changes the catalog in a transaction of its own, and commits: after a crash it has happened or not.
//! The session has committed what was open before, as MySQL does. Trees that a statement lets go of are
//! dropped after its commit, those it made and does not need at the next start.
//!
//! ALTER TABLE, and CREATE and DROP INDEX with it, have a folder of their own ([`alter`]).

mod alter;
pub(crate) mod charset;
mod check;
mod column_type;
pub(crate) mod create_select;
mod databases;
pub(crate) mod derived_column;
pub(crate) mod expression;
pub(crate) mod foreign_key;
mod index;
pub(crate) mod names;
mod options;
pub(crate) mod table;
mod tables;
mod views;

use std::sync::Arc;

use rustydb_catalog::CatalogChange;
use rustydb_sql_parser::ast::Statement;
use rustydb_transaction::locks::{MdlDuration, MdlKey, MdlMode, MetadataLockOwner, WaitOptions};
use rustydb_transaction::{Cancel, Isolation, Transaction};

use rustydb_value::Value;

use crate::database::Database;
use crate::dml::Changes;
use crate::error::SqlError;
use crate::session::SessionState;
use crate::session::tables::lock_error;
use crate::session::temporary::TemporaryTables;
use crate::virtual_database;

/// A definition statement at work.
pub(crate) struct Definition<'a> {
    pub(crate) database: &'a Arc<Database>,
    pub(crate) state: &'a mut SessionState,
    pub(crate) owner: &'a mut MetadataLockOwner,
    pub(crate) cancel: &'a Cancel,
    pub(crate) wait: WaitOptions,
    pub(crate) temporary: &'a mut TemporaryTables,
    /// Values of the statement's parameter markers.
    pub(crate) params: &'a [Value],
    /// Rows that CREATE TABLE ... SELECT wrote.
    pub(crate) filled: Option<Changes>,
    /// The session's default database was dropped.
    pub(crate) dropped_default: bool,
}

impl Definition<'_> {
    /// Runs the statement; gives the number of affected rows that MySQL reports.
    pub(crate) fn run(&mut self, statement: &Statement, sql: &str) -> Result<u64, SqlError> {
        match statement {
            Statement::CreateDatabase(what) => self.create_database(what),
            Statement::AlterDatabase(what) => self.alter_database(what),
            Statement::DropDatabase(what) => self.drop_database(what),
            Statement::CreateTable(what) => self.create_table(what, sql),
            Statement::DropTable(what) => self.drop_table(what),
            Statement::RenameTable(what) => self.rename_table(what),
            Statement::TruncateTable(name) => self.truncate_table(name),
            Statement::CreateIndex(what) => self.create_index(what),
            Statement::DropIndex(what) => self.drop_index(what),
            Statement::AlterTable(what) => self.alter(what),
            Statement::CreateView(what) => self.create_view(what, sql),
            Statement::DropView(what) => self.drop_view(what),
            _ => Err(SqlError::not_supported("this statement")),
        }
    }

    /// Locks objects for this statement alone, in the order of their keys.
    fn lock(&mut self, mut keys: Vec<(MdlKey, MdlMode)>) -> Result<(), SqlError> {
        keys.sort();
        keys.dedup();
        for (key, mode) in keys {
            let locks = self.database.engine().metadata_locks();
            locks
                .acquire(self.owner, &key, mode, MdlDuration::Transaction, &self.wait)
                .map_err(|e| lock_error(&e))?;
        }
        Ok(())
    }

    /// Changes the catalog and commits. `work` may fill new trees before the commit.
    fn change(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Transaction, &mut CatalogChange) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let engine = self.database.engine();
        let mut txn = engine.begin_for(self.owner.id(), Isolation::ReadCommitted, false);
        txn.set_wait(self.wait.clone());
        let mut change = CatalogChange::default();
        match work(self, &mut txn, &mut change) {
            Ok(()) => {
                let committed = self.database.catalog().commit(txn, change)?;
                self.state.committed(committed.number);
                Ok(())
            }
            Err(error) => {
                let rolled_back = txn.rollback();
                // The trees that were made go only when it is certain that nothing names them.
                if rolled_back.is_ok() {
                    self.database.catalog().abandon(change);
                }
                Err(error)
            }
        }
    }

    /// Error 1044 or 1142 for a table that belongs to the server.
    fn check_droppable(&self, database: &str, table: &str) -> Result<(), SqlError> {
        match virtual_database::find(database) {
            Some(_) => Err(virtual_database::denied("DROP", database, table, self.state)),
            None => Ok(()),
        }
    }

    /// Error 1044 for what belongs to the server.
    fn check_changeable(&self, database: &str) -> Result<(), SqlError> {
        if virtual_database::find(database).is_some() {
            let (user, host) = &self.state.account;
            return Err(SqlError::database_access_denied(user, host, database));
        }
        Ok(())
    }
}
