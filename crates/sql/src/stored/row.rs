//! Reads columns of stored rows by their position in the table.
//!
//! A row written before a column was added does not hold it; its layout says so, and the column reads
//! as the value that the definition keeps for such rows. Rows of the current layout, nearly all of
//! them, take the short way: column `i` of the table is column `i` of the row.

use std::sync::Arc;

use rustydb_catalog::{RowLayout, TableDef};
use rustydb_value::{RowRef, ValueRef, decode_column};

use super::damaged;
use crate::error::SqlError;

/// Reads the rows of one table.
#[derive(Clone)]
pub struct RowReader {
    def: Arc<TableDef>,
    in_order: bool,
}

/// One stored row.
#[derive(Clone, Copy)]
pub struct StoredRow<'a> {
    def: &'a TableDef,
    row: RowRef<'a>,
    /// None: columns of the row are columns of the table.
    layout: Option<&'a RowLayout>,
}

impl RowReader {
    /// A reader for rows of this table.
    pub fn new(def: Arc<TableDef>) -> RowReader {
        let in_order = def.stored_in_order();
        RowReader { def, in_order }
    }

    /// The table.
    pub fn table(&self) -> &Arc<TableDef> {
        &self.def
    }

    /// Whether columns of rows of the newest version are columns of the table, in their order.
    pub fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// The row in these bytes if it has the current layout; also None if they are no row.
    #[inline]
    pub fn current<'a>(&self, bytes: &'a [u8]) -> Option<RowRef<'a>> {
        let row = RowRef::new(bytes).ok()?;
        (self.in_order && row.schema_version() == self.def.schema_version).then_some(row)
    }

    /// A view of the row in these bytes.
    #[inline]
    pub fn row<'a>(&'a self, bytes: &'a [u8]) -> Result<StoredRow<'a>, SqlError> {
        let row = RowRef::new(bytes).map_err(|e| damaged(&self.def, e))?;
        if self.in_order && row.schema_version() == self.def.schema_version {
            return Ok(StoredRow { def: &self.def, row, layout: None });
        }
        let layout = self.def.layout(row.schema_version());
        let layout = layout
            .ok_or_else(|| damaged(&self.def, rustydb_value::Error::CorruptRow("unknown schema version")))?;
        Ok(StoredRow { def: &self.def, row, layout: Some(layout) })
    }
}

impl<'a> StoredRow<'a> {
    /// The table.
    #[inline]
    pub fn table(&self) -> &'a TableDef {
        self.def
    }

    /// Whether column `i` of the table is column `i` of the row, as in all rows of the current layout.
    #[inline]
    pub fn is_current(&self) -> bool {
        self.layout.is_none()
    }

    /// The stored bytes of a column of a row of the current layout; None is NULL.
    #[inline]
    pub fn stored(&self, column: usize) -> Option<&'a [u8]> {
        self.row.column(column)
    }

    /// The stored bytes of a column of the table: `Ok(None)` is NULL, `Err` is the value that the row
    /// holds without having stored it.
    #[inline]
    pub fn raw(&self, column: usize) -> Result<Option<&'a [u8]>, ValueRef<'a>> {
        let Some(layout) = self.layout else { return Ok(self.row.column(column)) };
        let Some(definition) = self.def.columns.get(column) else { return Err(ValueRef::Null) };
        match layout.columns.iter().position(|id| *id == definition.id) {
            Some(at) => Ok(self.row.column(at)),
            None => Err(definition.absent.as_ref()),
        }
    }

    /// The value of a column of the table; TIMESTAMP in UTC.
    #[inline]
    pub fn value(&self, column: usize) -> Result<ValueRef<'a>, SqlError> {
        match self.raw(column) {
            Ok(None) => Ok(ValueRef::Null),
            Err(absent) => Ok(absent),
            Ok(Some(bytes)) => {
                let Some(definition) = self.def.columns.get(column) else { return Ok(ValueRef::Null) };
                decode_column(&definition.ty, bytes).map_err(|e| damaged(self.def, e))
            }
        }
    }
}
