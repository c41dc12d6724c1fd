//! The change log by the names of tables and columns.
//!
//! ```text
//!   Consumer (transaction): trees, keys, bytes  --\
//!   CatalogHistory: definitions at each commit  ---> ChangeStream: tables, columns, values
//! ```
//! A row is decoded under the definition that its table had when it was committed. What a transaction did to
//! definitions is told before its rows. Entries of indexes, rows of temporary tables and of the catalog itself
//! are no row changes; a transaction that has nothing else is given all the same, so that the numbers of
//! commits have no gap.

mod json;

use std::collections::HashMap;
use std::sync::Arc;

use rustydb_catalog::{Catalog, CatalogHistory, CatalogRow, SchemaChange, TableDef};
use rustydb_storage::TreeId;
use rustydb_transaction::changelog::{
    ChangeLogStatistics, Consumer, ConsumerOptions, Position, Start, TransactionHead,
};
use rustydb_transaction::{Engine, WaitOptions};
use rustydb_value::Value;

use crate::database::Database;
use crate::error::SqlError;
use crate::stored::RowReader;

pub use json::JsonLines;

/// A changed row of a table: none before is an insert, none after a delete.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// The table as it was when the change was committed
    pub table: Arc<TableDef>,
    /// The row before, one value for each column of the table; TIMESTAMP in UTC
    pub before: Option<Vec<Value>>,
    /// The row after
    pub after: Option<Vec<Value>>,
    /// What the row is known by in a table without a primary key
    pub row_id: Option<u64>,
}

/// Reads the change log by names.
pub struct ChangeStream {
    consumer: Consumer,
    history: CatalogHistory,
    catalog_tree: TreeId,
    schema: Vec<SchemaChange>,
    readers: HashMap<TreeId, RowReader>,
}

impl std::fmt::Debug for ChangeStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeStream").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl Database {
    /// Begins to read the change log.
    ///
    /// # Errors
    /// Error 1236 when the log is no longer kept that far back, or the position cannot be used here.
    pub fn changes(&self, start: Start) -> Result<ChangeStream, SqlError> {
        ChangeStream::new(self.engine(), self.catalog(), start)
    }

    /// Figures of the change log.
    pub fn change_log_statistics(&self) -> ChangeLogStatistics {
        self.engine().change_log().statistics()
    }
}

impl ChangeStream {
    fn new(engine: &Arc<Engine>, catalog: &Catalog, start: Start) -> Result<ChangeStream, SqlError> {
        let catalog_tree = catalog.tree_id();
        let options = ConsumerOptions { watched: Some(catalog_tree), ..ConsumerOptions::default() };
        let mut consumer = engine.change_log().subscribe(start, options)?;
        let history = catalog.history_at(&consumer.position())?;
        for table in history.tables() {
            table.indexes.iter().for_each(|index| consumer.leave_out(index.tree));
        }
        Ok(ChangeStream { consumer, history, catalog_tree, schema: Vec::new(), readers: HashMap::new() })
    }

    /// Goes on to the next transaction, whether the rows of the last were read or not, and waits for one if there
    /// is none yet; None when the time is over.
    ///
    /// # Errors
    /// Error 1236 when the log was released before it was read; 1317 when the wait was cancelled; those of a store
    /// that has stopped or is damaged.
    pub fn next(&mut self, wait: &WaitOptions) -> Result<Option<TransactionHead>, SqlError> {
        self.schema.clear();
        let Some(head) = self.consumer.next(wait)? else { return Ok(None) };
        if head.touches_watched {
            self.follow_catalog()?;
        }
        Ok(Some(head))
    }

    /// Takes in what the transaction has done to definitions, before its rows are read.
    fn follow_catalog(&mut self) -> Result<(), SqlError> {
        let mut rows = Vec::new();
        while let Some(row) = self.consumer.next_row()? {
            if row.tree == self.catalog_tree {
                let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                let (before, after) = (owned(row.before), owned(row.after));
                rows.push(CatalogRow { key: row.key.to_vec(), before, after });
            }
        }
        self.consumer.rewind();
        self.schema = self.history.apply(&rows)?;
        for change in &self.schema {
            let SchemaChange::Table { before, after } = change else { continue };
            for tree in before.iter().flat_map(|def| def.trees()) {
                self.consumer.forget(tree);
                self.readers.remove(&tree);
            }
            for index in after.iter().flat_map(|def| &def.indexes) {
                self.consumer.leave_out(index.tree);
            }
        }
        Ok(())
    }

    /// What the transaction has done to definitions.
    pub fn schema_changes(&self) -> &[SchemaChange] {
        &self.schema
    }

    /// The next row of the transaction; None behind the last.
    ///
    /// # Errors
    /// As [`ChangeStream::next`].
    pub fn next_row(&mut self) -> Result<Option<TableRow>, SqlError> {
        while let Some(row) = self.consumer.next_row()? {
            let Some((table, true)) = self.history.table_of(row.tree) else { continue };
            let reader = self.readers.entry(row.tree).or_insert_with(|| RowReader::new(Arc::clone(table)));
            let values = |bytes: Option<&[u8]>| bytes.map(|bytes| all_values(reader, bytes)).transpose();
            let (before, after) = (values(row.before)?, values(row.after)?);
            if before.is_none() && after.is_none() {
                continue;
            }
            let row_id = table.has_hidden_key().then(|| row.key.try_into().map_or(0, u64::from_be_bytes));
            return Ok(Some(TableRow { table: Arc::clone(table), before, after, row_id }));
        }
        Ok(None)
    }

    /// Where to come back to: behind the transaction that [`ChangeStream::next`] gave last.
    pub fn position(&self) -> Position {
        self.consumer.position()
    }

    /// The table definitions behind the transaction that [`ChangeStream::next`] gave last.
    pub fn definitions(&self) -> &CatalogHistory {
        &self.history
    }
}

fn all_values(reader: &RowReader, bytes: &[u8]) -> Result<Vec<Value>, SqlError> {
    let row = reader.row(bytes)?;
    (0..reader.table().columns.len()).map(|column| Ok(row.value(column)?.to_owned())).collect()
}
