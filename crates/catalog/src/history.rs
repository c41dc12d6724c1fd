//! The catalog as it was at a place in the change log, and as it becomes along the way.
//!
//! The catalog's rows are changed in transactions like any other, so the change log tells of them in the order of
//! commits. A [`CatalogHistory`] begins with the definitions at a position and follows the rows of the catalog's
//! tree from there: at every commit it knows which table a tree belonged to and under which definition its rows
//! were written, whatever became of the table since.
//!
//! The definitions at a position are today's rows with every later change taken back: the log from the position
//! to now is read for rows of the catalog's tree, and the first image before a change is what stood there. Where
//! no definition was changed since, which is known while the store stays open, nothing is read.
//!
//! Left to others: what rows of tables mean (`rustydb-sql`). Accounts are no part of the history.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::TreeId;
use rustydb_transaction::changelog::{ConsumerOptions, Position, Start};
use rustydb_transaction::{Direction, EntryBatch, Isolation, KeyRange, WaitOptions};

use crate::catalog::Catalog;
use crate::codec::{self, WireResult};
use crate::definitions::{DatabaseDef, TableDef, ViewDef};
use crate::error::Result;
use crate::load::refuse;
use crate::rows::{self, RowKey};

/// How many rows are read at a time.
const BATCH: usize = 256;

/// What a transaction has made of one object: none before is new, none after is gone.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaChange {
    /// A database.
    Database {
        /// As it was
        before: Option<Arc<DatabaseDef>>,
        /// As it is
        after: Option<Arc<DatabaseDef>>,
    },
    /// A table.
    Table {
        /// As it was
        before: Option<Arc<TableDef>>,
        /// As it is
        after: Option<Arc<TableDef>>,
    },
    /// A view.
    View {
        /// As it was
        before: Option<Arc<ViewDef>>,
        /// As it is
        after: Option<Arc<ViewDef>>,
    },
}

impl SchemaChange {
    /// Whether the table has begun anew without its rows: those that it has are inserted by the same transaction
    /// (ALTER TABLE that copies) or there are none (TRUNCATE).
    #[must_use]
    pub fn empties_table(&self) -> bool {
        match self {
            SchemaChange::Table { before: Some(before), after: Some(after) } => {
                before.primary.tree != after.primary.tree
            }
            _ => false,
        }
    }
}

/// Definitions along the change log.
#[derive(Debug, Default)]
pub struct CatalogHistory {
    databases: BTreeMap<u64, Arc<DatabaseDef>>,
    tables: BTreeMap<Vec<u8>, Arc<TableDef>>,
    views: BTreeMap<Vec<u8>, Arc<ViewDef>>,
    trees: HashMap<TreeId, Arc<TableDef>>,
}

/// A row of the catalog's tree that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// Its key
    pub key: Vec<u8>,
    /// What stood there
    pub before: Option<Vec<u8>>,
    /// What stands there now
    pub after: Option<Vec<u8>>,
}

/// One kind of objects that a transaction has touched, by id, each as it was before.
struct Touched<T>(Vec<(u64, Option<Arc<T>>)>);

impl<T> Touched<T> {
    fn new() -> Touched<T> {
        Touched(Vec::new())
    }

    fn note(&mut self, id: u64, before: Option<&Arc<T>>) {
        match self.0.iter_mut().find(|(touched, _)| *touched == id) {
            None => self.0.push((id, before.cloned())),
            // Renamed, the new row first.
            Some((_, earlier @ None)) => *earlier = before.cloned(),
            Some(_) => {}
        }
    }
}

impl Catalog {
    /// The tree that its rows are in.
    #[must_use]
    pub fn tree_id(&self) -> TreeId {
        self.tree.id()
    }

    /// The definitions as they were at a position of the change log.
    ///
    /// # Errors
    /// When the log no longer reaches back to the position, or cannot be read; when a row cannot be used.
    pub fn history_at(&self, position: &Position) -> Result<CatalogHistory> {
        let mut transaction = self.engine.begin(Isolation::RepeatableRead, true);
        let (seen, last_change) = self.while_unchanged(|| transaction.snapshot_csn());
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut scan = transaction.scan(&self.tree, KeyRange::all(), Direction::Forward)?;
        let mut batch = EntryBatch::new();
        let mut more = true;
        while more {
            batch.clear();
            more = scan.next_batch(&mut transaction, &mut batch, BATCH)?;
            rows.extend((0..batch.len()).map(|at| (batch.key(at).to_vec(), batch.value(at).to_vec())));
        }
        transaction.rollback()?;
        if position.csn() < last_change {
            self.take_back(position, seen.min(last_change), &mut rows)?;
        }
        CatalogHistory::load(rows)
    }

    /// Takes the changes of commits behind `position` and up to `last` back.
    fn take_back(&self, position: &Position, last: u64, rows: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<()> {
        // What is visible may not be durable yet where commits do not wait for that.
        let log = self.engine.store().log();
        log.flush(log.end()).map_err(rustydb_transaction::Error::from)?;
        let options = ConsumerOptions { only: Some(self.tree_id()), ..ConsumerOptions::default() };
        let mut consumer = self.engine.change_log().subscribe(Start::After(*position), options)?;
        let mut first_images: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        let wait = WaitOptions::timeout(Duration::MAX);
        while let Some(head) = consumer.next(&wait)? {
            if head.csn > last {
                break;
            }
            while let Some(row) = consumer.next_row()? {
                if !first_images.contains_key(row.key) {
                    first_images.insert(row.key.to_vec(), row.before.map(<[u8]>::to_vec));
                }
            }
            if head.csn == last {
                break;
            }
        }
        for (key, before) in first_images {
            match before {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }
}

impl CatalogHistory {
    fn load(rows: BTreeMap<Vec<u8>, Vec<u8>>) -> Result<CatalogHistory> {
        let mut history = CatalogHistory::default();
        // Databases come before tables, as their keys do.
        for (key, value) in rows {
            let row = CatalogRow { key, before: None, after: Some(value) };
            history
                .apply_row(&row, &mut Touched::new(), &mut Touched::new(), &mut Touched::new())
                .map_err(|error| refuse(&row.key, error))?;
        }
        let trees = history.tables.values().flat_map(|def| def.trees().map(|tree| (tree, Arc::clone(def))));
        history.trees = trees.collect();
        Ok(history)
    }

    /// The table that a tree belongs to, and whether the tree holds its rows, rather than an index.
    #[must_use]
    pub fn table_of(&self, tree: TreeId) -> Option<(&Arc<TableDef>, bool)> {
        let table = self.trees.get(&tree)?;
        Some((table, table.primary.tree == tree))
    }

    /// All tables.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.tables.values()
    }

    /// Takes in what one transaction has changed in the catalog's tree, in order, and says what that means.
    ///
    /// # Errors
    /// When a row is damaged or was written by a newer version.
    pub fn apply(&mut self, changed: &[CatalogRow]) -> Result<Vec<SchemaChange>> {
        let (mut databases, mut tables, mut views) = (Touched::new(), Touched::new(), Touched::new());
        for row in changed {
            self.apply_row(row, &mut databases, &mut tables, &mut views)
                .map_err(|error| refuse(&row.key, error))?;
        }
        let mut changes = Vec::new();
        for (id, before) in databases.0 {
            let after = self.databases.get(&id).cloned();
            changes.push(SchemaChange::Database { before, after });
        }
        for (id, before) in tables.0 {
            let after = self.tables.values().find(|def| def.id == id).cloned();
            for tree in before.iter().flat_map(|def| def.trees()) {
                self.trees.remove(&tree);
            }
            if let Some(def) = &after {
                self.trees.extend(def.trees().map(|tree| (tree, Arc::clone(def))));
            }
            changes.push(SchemaChange::Table { before, after });
        }
        for (id, before) in views.0 {
            let after = self.views.values().find(|def| def.id == id).cloned();
            changes.push(SchemaChange::View { before, after });
        }
        Ok(changes)
    }

    fn apply_row(
        &mut self,
        row: &CatalogRow,
        databases: &mut Touched<DatabaseDef>,
        tables: &mut Touched<TableDef>,
        views: &mut Touched<ViewDef>,
    ) -> WireResult<()> {
        let after = row.after.as_deref();
        match rows::parse_key(&row.key)? {
            RowKey::Database { name } => {
                let old = self.databases.values().find(|def| def.name == name).map(|def| def.id);
                if let Some(old) = old.and_then(|id| self.databases.remove(&id)) {
                    databases.note(old.id, Some(&old));
                }
                if let Some(bytes) = after {
                    let def = codec::decode_database(&name, bytes)?;
                    databases.note(def.id, None);
                    self.databases.insert(def.id, Arc::new(def));
                }
            }
            RowKey::Table { database, name } => {
                if let Some(old) = self.tables.remove(&row.key) {
                    tables.note(old.id, Some(&old));
                }
                if let Some(bytes) = after {
                    let def = codec::decode_table(self.database_name(database), &name, bytes)?;
                    tables.note(def.id, None);
                    self.tables.insert(row.key.clone(), Arc::new(def));
                }
            }
            RowKey::View { database, name } => {
                if let Some(old) = self.views.remove(&row.key) {
                    views.note(old.id, Some(&old));
                }
                if let Some(bytes) = after {
                    let def = codec::view::decode_view(self.database_name(database), &name, bytes)?;
                    views.note(def.id, None);
                    self.views.insert(row.key.clone(), Arc::new(def));
                }
            }
            RowKey::Catalog | RowKey::User { .. } => {}
        }
        Ok(())
    }

    fn database_name(&self, id: u64) -> &str {
        self.databases.get(&id).map_or("", |def| &def.name)
    }
}
