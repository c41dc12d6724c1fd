//! Temporary tables: those of one session, under names that hide everybody else's.
//!
//! Their definitions are in the session and nowhere else; their rows are in trees like any other's. No row of the
//! catalog names those trees, so that a crash leaves nothing: the next open drops them. They take no metadata
//! locks, need no commit to come or go, and their rows belong to transactions as all rows do.
//!
//! A table that is dropped keeps its trees until the session's transaction has ended, because undoing it may need
//! them.

use std::sync::Arc;

use hashbrown::HashMap;
use rustydb_catalog::{Catalog, TableDef};

/// The temporary tables of a session.
#[derive(Default)]
pub(crate) struct TemporaryTables {
    tables: HashMap<(String, String), Arc<TableDef>>,
    /// Definitions whose trees are to go when the transaction has ended.
    dropped: Vec<Arc<TableDef>>,
}

impl TemporaryTables {
    /// The table of this name.
    pub(crate) fn find(&self, database: &str, name: &str) -> Option<&Arc<TableDef>> {
        if self.tables.is_empty() {
            return None;
        }
        self.tables.get(&(database.to_owned(), name.to_owned()))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Adds a table, or gives one another definition.
    pub(crate) fn put(&mut self, def: Arc<TableDef>) {
        let path = (def.database.clone(), def.name.clone());
        if let Some(old) = self.tables.insert(path, def) {
            self.dropped.push(old);
        }
    }

    /// Takes a table away; whether it was there.
    pub(crate) fn remove(&mut self, database: &str, name: &str) -> bool {
        match self.tables.remove(&(database.to_owned(), name.to_owned())) {
            Some(def) => {
                self.dropped.push(def);
                true
            }
            None => false,
        }
    }

    /// Drops the trees of tables that are gone; no transaction of the session is open.
    pub(crate) fn sweep(&mut self, catalog: &Catalog) {
        for def in self.dropped.drain(..) {
            catalog.drop_temporary(&def);
        }
    }

    /// Drops everything: the session ends or begins anew.
    pub(crate) fn clear(&mut self, catalog: &Catalog) {
        self.dropped.extend(self.tables.drain().map(|(_, def)| def));
        self.sweep(catalog);
    }
}
