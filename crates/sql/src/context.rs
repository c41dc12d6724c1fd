//! What a statement is bound and run in: the boundary between sessions and the planner and executor.
//!
//! Binding asks a [`BindContext`] for tables and for the session's settings. Running gets an
//! [`ExecContext`]: the transaction, the session's state through [`EvalContext`], and limits.
//!
//! Resolving a table takes its metadata lock first and reads its definition after, so a definition in
//! hand cannot change under the statement; the lock is held until the transaction ends.
//!
//! TIMESTAMP columns are stored in UTC. Whoever reads a stored row into values converts them to the
//! session's zone (`DateTime::to_local`) and whoever writes converts back (`to_utc`); nothing above the scan
//! sees UTC.

use std::sync::Arc;

use rustydb_catalog::{TableDef, ViewDef};
use rustydb_transaction::{Cancel, Engine, Transaction};
use rustydb_value::Value;

use crate::database::Database;
use crate::database::memory::Grant;
use crate::error::SqlError;
use crate::plan::statistics::{Facts, Statistics};
use crate::session::SessionState;

/// What a statement wants of a table; decides the metadata lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableUse {
    /// Snapshot reads
    Read,
    /// Locking reads and changes of rows
    Write,
}

/// A table as a statement found it.
#[derive(Clone)]
pub struct TableRef {
    /// Columns and indexes; a virtual table has columns only.
    pub def: Arc<TableDef>,
    /// Where its rows come from.
    pub rows: TableRows,
    /// Where the planner learns how large it is; None where plans go by definitions alone.
    pub statistics: Option<Arc<Statistics>>,
}

impl TableRef {
    /// What is known of a stored table.
    pub fn facts(&self) -> Option<Arc<Facts>> {
        match self.rows {
            TableRows::Stored => self.statistics.as_ref()?.of(&self.def),
            TableRows::Virtual(_) => None,
        }
    }
}

/// Where the rows of a table come from.
#[derive(Clone)]
pub enum TableRows {
    /// Trees of the store
    Stored,
    /// Computed when scanned (`information_schema`)
    Virtual(Arc<dyn VirtualTable>),
}

/// Finds tables for the binder and takes their metadata locks.
pub trait TableLookup {
    /// The table, locked for `usage`; 1146 or 1049 when there is none, 1205 when the lock does not come.
    fn table(&mut self, database: &str, name: &str, usage: TableUse) -> Result<TableRef, SqlError>;

    /// The same for a table that the statement names by an alias: LOCK TABLES goes by these.
    fn table_as(
        &mut self,
        database: &str,
        name: &str,
        alias: &str,
        usage: TableUse,
    ) -> Result<TableRef, SqlError> {
        let _ = alias;
        self.table(database, name, usage)
    }

    /// The view of this name, locked for reading, if the name is that of a view.
    fn view(&mut self, database: &str, name: &str) -> Result<Option<Arc<ViewDef>>, SqlError> {
        let _ = (database, name);
        Ok(None)
    }

    /// A table that a foreign key leads to, locked for `usage` whatever LOCK TABLES says; None if there is none.
    fn related(
        &mut self,
        database: &str,
        name: &str,
        usage: TableUse,
    ) -> Result<Option<Arc<TableDef>>, SqlError> {
        let _ = (database, name, usage);
        Ok(None)
    }

    /// The tables that have a foreign key to this one, as they are now: none of them is locked.
    fn children(&self, database: &str, name: &str) -> Vec<Arc<TableDef>> {
        let _ = (database, name);
        Vec::new()
    }
}

/// What binding needs to know.
pub struct BindContext<'a> {
    /// Finds tables.
    pub tables: &'a mut dyn TableLookup,
    /// Default database, `sql_mode`, collations, time zone, variables.
    pub session: &'a SessionState,
}

impl BindContext<'_> {
    /// The default database, or error 1046.
    pub fn database(&self) -> Result<&str, SqlError> {
        self.session.database.as_deref().ok_or_else(SqlError::no_database)
    }
}

/// What evaluating an expression may read and change.
pub struct EvalContext<'a> {
    /// Values of the parameter markers, by position.
    pub params: &'a [Value],
    /// Session facts, user variables, warnings, `LAST_INSERT_ID`; see [`SessionState`].
    pub session: &'a mut SessionState,
    /// Asked between batches and before calls: true ends the statement with 1317 or 3024.
    pub cancel: &'a Cancel,
    /// The row of the statement being stored, from 1, for the texts of conversion errors; 0 outside DML.
    pub row: u64,
    /// Where subqueries read; None where an expression has none.
    pub store: Option<StoreAccess<'a>>,
}

impl EvalContext<'_> {
    /// Ends the statement if it was cancelled.
    pub fn check(&self) -> Result<(), SqlError> {
        use rustydb_transaction::CancelReason as R;
        match self.cancel.reason() {
            None => Ok(()),
            Some(R::Timeout) => Err(SqlError::max_execution_time()),
            Some(R::Shutdown) => Err(SqlError::server_shutdown()),
            Some(_) => Err(SqlError::query_interrupted()),
        }
    }
}

/// What a subquery inside an expression needs beyond what the expression itself may use.
pub struct StoreAccess<'a> {
    /// The shared parts of the server.
    pub database: &'a Arc<Database>,
    /// The transaction of the statement.
    pub txn: &'a mut Transaction,
    /// As in [`ExecContext`].
    pub memory: Arc<Grant>,
    /// Bytes that the operators around hold already.
    pub held: usize,
}

/// What running a plan may read and change.
pub struct ExecContext<'a> {
    /// The shared parts of the server: engine, catalog, process list.
    pub database: &'a Arc<Database>,
    /// The transaction the statement runs in.
    pub txn: &'a mut Transaction,
    /// For expressions.
    pub eval: EvalContext<'a>,
    /// What the statement may hold in sorts, groups and duplicates before it is refused.
    pub memory: Arc<Grant>,
}

impl ExecContext<'_> {
    /// For an expression that may run subqueries; `held` bytes are in use around it.
    pub fn for_expressions(&mut self, held: usize) -> EvalContext<'_> {
        EvalContext {
            params: self.eval.params,
            session: &mut *self.eval.session,
            cancel: self.eval.cancel,
            row: self.eval.row,
            store: Some(StoreAccess {
                database: self.database,
                txn: &mut *self.txn,
                memory: Arc::clone(&self.memory),
                held,
            }),
        }
    }

    /// The engine under the database.
    pub fn engine(&self) -> &Arc<Engine> {
        self.database.engine()
    }
}

/// Equality conditions that a scan of a virtual table may use to compute fewer rows; the scan filters
/// again, so using none of them is correct.
#[derive(Debug, Clone, Default)]
pub struct VirtualFilter {
    /// `TABLE_SCHEMA = '...'` (or SCHEMA_NAME, CONSTRAINT_SCHEMA, ...)
    pub schema: Option<String>,
    /// `TABLE_NAME = '...'`
    pub table: Option<String>,
}

/// A table whose rows are computed when it is scanned.
pub trait VirtualTable: Send + Sync {
    /// Name and columns, as a definition without trees.
    fn definition(&self) -> &Arc<TableDef>;
    /// Which columns [`VirtualFilter`] speaks of, by position: schema, table.
    fn filter_columns(&self) -> (Option<usize>, Option<usize>);
    /// All rows, each with one value per column, visible to this session.
    fn rows(
        &self,
        database: &Arc<Database>,
        session: &SessionState,
        filter: &VirtualFilter,
    ) -> Result<Vec<Vec<Value>>, SqlError>;
}
