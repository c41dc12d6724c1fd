//! Temporary tables: definitions and trees that no row of the catalog names.
//!
//! Nobody finds such a table by its name; who made it keeps the definition. A crash leaves trees that no row names,
//! and the next open drops them.

use std::sync::Arc;

use rustydb_transaction::Isolation;

use crate::catalog::{Catalog, impossible};
use crate::creation::NewTable;
use crate::definitions::TableDef;
use crate::error::Result;

impl Catalog {
    /// Makes a table's trees and its definition. It may have the name of a table that exists.
    ///
    /// # Errors
    /// As `create_table`, without `TableExists`.
    pub fn create_temporary(&self, new: NewTable) -> Result<Arc<TableDef>> {
        let name = new.name.clone();
        crate::names::check_name(&name)?;
        // Under a name that no statement can ask for, in a transaction that never commits.
        let hidden = format!("#temporary {}", self.next_number()?);
        let mut transaction = self.engine.begin(Isolation::ReadCommitted, false);
        let made = self.create_table(&mut transaction, NewTable { name: hidden, ..new });
        let rolled_back = transaction.rollback();
        let change = made?;
        let def = change.tables().next().cloned();
        if let Err(error) = rolled_back {
            // It is unknown what became of the row: the next open knows.
            return Err(error.into());
        }
        match def {
            Some(def) => Ok(Arc::new(TableDef { name, ..TableDef::clone(&def) })),
            None => Err(impossible("a table without a definition")),
        }
    }

    /// Drops the trees of a temporary table.
    pub fn drop_temporary(&self, def: &TableDef) {
        self.drop_trees(def.trees().collect());
    }
}
