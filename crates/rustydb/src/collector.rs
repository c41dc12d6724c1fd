//! The sink that keeps a statement's rows for an embedding program.

use crate::row::{Row, Rows};
use rustydb_sql::{ColumnMeta, Completion, ResultSink, SinkClosed};
use rustydb_value::{Value, ValueRef};
use std::sync::Arc;

/// Rows and completion of one statement.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    pub(crate) rows: Rows,
    pub(crate) completion: Completion,
}

impl ResultSink for Collector {
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed> {
        let columns: Arc<[String]> = columns.iter().map(|column| column.name.clone()).collect();
        self.rows = Rows { columns, rows: Vec::new() };
        Ok(())
    }

    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        let values: Vec<Value> = cells.iter().map(|cell| cell.to_owned()).collect();
        self.rows.rows.push(Row { columns: Arc::clone(&self.rows.columns), values });
        Ok(())
    }

    fn end(&mut self, completion: &Completion) -> Result<(), SinkClosed> {
        self.completion = completion.clone();
        Ok(())
    }
}
