//! The catalog itself: definitions for everybody to read, changes in transactions.
//!
//! Reading takes a shared lock for a map look-up and gives an `Arc`. Whoever caches what it made of a definition
//! compares [`Catalog::epoch`], which changes with every publish, and then the definition's own `version`.
//!
//! Changes read and write the catalog's rows under row locks of the given transaction, so two that concern the
//! same name wait for each other, and one that is rolled back leaves nothing. Statements see a change from
//! [`Catalog::commit`] on. That no statement runs on a table while it changes is for metadata locks
//! (`rustydb_transaction::locks`), which the caller holds exclusively on the names until after the commit.
//!
//! Limits: all definitions are in memory, about one KiB for a plain table.
//!
//! Lock order: row locks of the transaction -> `committing` -> the engine's -> none; `contents` for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use rustydb_storage::disk::Clock;
use rustydb_storage::{Tree, TreeId};
use rustydb_transaction::locks::LockMode;
use rustydb_transaction::{Committed, Engine, Isolation, Transaction};

use crate::change::CatalogChange;
use crate::codec::WireResult;
use crate::contents::Contents;
use crate::definitions::{DatabaseDef, TableDef, UserDef, ViewDef};
use crate::error::{Error, Result};
use crate::load::{self, Loaded};

/// The catalog of a store.
pub struct Catalog {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where its rows are.
    pub(crate) tree: Arc<Tree>,
    contents: RwLock<Contents>,
    epoch: AtomicU64,
    /// Trees that could not be dropped when it was time: tried again with the next change.
    undropped: Mutex<Vec<TreeId>>,
    /// Held, shared, while a change commits and is noted as the last.
    committing: RwLock<()>,
    /// The last commit that changed a definition, or that was there when the store was opened.
    last_change: AtomicU64,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the catalog of a store; in a fresh store makes it, with the system databases and the accounts
    /// `root@localhost` and `root@%`, which have no password yet. Drops the trees that no row names.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Corrupt`], [`Error::NotOurs`], [`Error::Transaction`]; nothing is dropped then.
    pub fn open(engine: Arc<Engine>, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let Loaded { tree, contents, orphans } = load::open(&engine, &*clock)?;
        let last_change = engine.begin(Isolation::ReadCommitted, true).snapshot_csn();
        let catalog = Self {
            engine,
            clock,
            tree,
            contents: RwLock::new(contents),
            epoch: AtomicU64::new(1),
            undropped: Mutex::default(),
            committing: RwLock::default(),
            last_change: AtomicU64::new(last_change),
        };
        for orphan in orphans {
            catalog.engine.drop_tree(orphan)?;
        }
        Ok(Arc::new(catalog))
    }

    /// All databases, by name.
    pub fn databases(&self) -> Vec<Arc<DatabaseDef>> {
        self.contents.read().databases().cloned().collect()
    }

    /// A database.
    pub fn database(&self, name: &str) -> Option<Arc<DatabaseDef>> {
        self.contents.read().database(name).cloned()
    }

    /// The tables of a database, by name; none if there is no such database.
    pub fn tables(&self, database: &str) -> Vec<Arc<TableDef>> {
        let mut tables: Vec<_> = self.contents.read().tables(database).cloned().collect();
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        tables
    }

    /// A table.
    pub fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>> {
        self.contents.read().table(database, name).cloned()
    }

    /// The views of a database, by name; none if there is no such database.
    pub fn views(&self, database: &str) -> Vec<Arc<ViewDef>> {
        let mut views: Vec<_> = self.contents.read().views(database).cloned().collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    /// A view.
    pub fn view(&self, database: &str, name: &str) -> Option<Arc<ViewDef>> {
        self.contents.read().view(database, name).cloned()
    }

    /// A table by its id. Looks at all tables.
    pub fn table_by_id(&self, id: u64) -> Option<Arc<TableDef>> {
        self.contents.read().all_tables().find(|def| def.id == id).cloned()
    }

    /// The table that a tree belongs to, and the id of its index. Looks at all tables.
    pub fn table_of_tree(&self, tree: TreeId) -> Option<(Arc<TableDef>, u32)> {
        let contents = self.contents.read();
        contents.all_tables().find_map(|def| {
            let index = def.all_indexes().find(|index| index.tree == tree)?;
            Some((Arc::clone(def), index.id))
        })
    }

    /// The account that a client of this name from this host (a name or an address) belongs to: the one with
    /// the most specific host that covers it.
    pub fn user(&self, name: &str, host: &str) -> Option<Arc<UserDef>> {
        self.contents.read().user_of_client(name, host).cloned()
    }

    /// The account with exactly this name and host.
    pub fn account(&self, name: &str, host: &str) -> Option<Arc<UserDef>> {
        self.contents.read().user(name, host).cloned()
    }

    /// All accounts, those with the most specific hosts first.
    pub fn users(&self) -> Vec<Arc<UserDef>> {
        self.contents.read().users().to_vec()
    }

    /// Looks at what is published.
    pub(crate) fn read_contents<R>(&self, look: impl FnOnce(&Contents) -> R) -> R {
        look(&self.contents.read())
    }

    /// Changes with every publish: take it before looking up what is to be cached, compare it before use.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Commits the transaction, shows the change to everybody, and drops the trees that it let go of.
    ///
    /// # Errors
    /// That of the commit. The new trees are kept then, for it may be unknown what became of it; the next
    /// open knows.
    pub fn commit(&self, transaction: Transaction, change: CatalogChange) -> Result<Committed> {
        let committed = {
            let _committing = self.committing.read();
            let committed = transaction.commit()?;
            self.last_change.fetch_max(committed.csn, Ordering::AcqRel);
            committed
        };
        for tree in &change.created {
            self.engine.brought_in(*tree, committed.csn);
        }
        self.publish(change);
        Ok(committed)
    }

    /// Shows a committed change to everybody and drops the trees that it let go of. A tree that can not be
    /// dropped now is dropped later.
    pub fn publish(&self, change: CatalogChange) {
        if !change.edits.is_empty() {
            let mut contents = self.contents.write();
            for edit in &change.edits {
                contents.apply(edit);
            }
            self.epoch.fetch_add(1, Ordering::Release);
        }
        self.drop_trees(change.freed);
    }

    /// Drops the trees of a change whose transaction was rolled back.
    pub fn abandon(&self, change: CatalogChange) {
        self.drop_trees(change.created);
    }

    pub(crate) fn drop_trees(&self, trees: Vec<TreeId>) {
        use rustydb_storage::Error::UnknownTree;
        use rustydb_transaction::Error::Storage;
        let earlier = std::mem::take(&mut *self.undropped.lock());
        let is_there_still = |tree: &TreeId| match self.engine.drop_tree(*tree) {
            Ok(()) | Err(Storage(UnknownTree { .. })) => false,
            Err(_) => true,
        };
        let failed: Vec<_> = earlier.into_iter().chain(trees).filter(is_there_still).collect();
        if !failed.is_empty() {
            self.undropped.lock().extend(failed);
        }
    }

    /// Calls `f` while no change is about to commit; gives the last commit that changed a definition with it.
    pub(crate) fn while_unchanged<R>(&self, f: impl FnOnce() -> R) -> (R, u64) {
        let _nobody_commits = self.committing.write();
        let found = f();
        (found, self.last_change.load(Ordering::Acquire))
    }

    /// A number that was not given out before, for an id or a version.
    pub(crate) fn next_number(&self) -> Result<u64> {
        Ok(self.engine.counter_reserve(self.tree.id(), 1, 1)?)
    }

    /// Reads a row under a lock of the transaction: what it is now, the transaction's own changes included.
    pub(crate) fn read<T>(
        &self,
        transaction: &mut Transaction,
        key: &[u8],
        mode: LockMode,
        decode: impl FnOnce(&[u8]) -> WireResult<T>,
    ) -> Result<Option<T>> {
        match transaction.get_locked(&self.tree, key, mode)? {
            None => Ok(None),
            Some(value) => decode(&value).map(Some).map_err(|error| load::refuse(key, error)),
        }
    }

    /// Writes a row that must not exist. That it was not there a moment ago is no promise: only the insert
    /// itself locks a missing key.
    pub(crate) fn insert(
        &self,
        transaction: &mut Transaction,
        key: &[u8],
        value: &[u8],
        exists: impl FnOnce() -> Error,
    ) -> Result<()> {
        match transaction.insert(&self.tree, key, value) {
            Err(rustydb_transaction::Error::DuplicateKey) => Err(exists()),
            done => Ok(done?),
        }
    }
}

/// Creates trees and drops them again if they are not kept.
pub(crate) struct NewTrees<'a> {
    catalog: &'a Catalog,
    trees: Vec<TreeId>,
}

impl<'a> NewTrees<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, trees: Vec::new() }
    }

    pub(crate) fn create(&mut self) -> Result<TreeId> {
        let tree = self.catalog.engine.create_tree()?;
        self.trees.push(tree);
        Ok(tree)
    }

    /// They are the change's from now on.
    pub(crate) fn keep(mut self) -> Vec<TreeId> {
        std::mem::take(&mut self.trees)
    }
}

impl Drop for NewTrees<'_> {
    fn drop(&mut self) {
        if !self.trees.is_empty() {
            self.catalog.drop_trees(std::mem::take(&mut self.trees));
        }
    }
}

/// A definition that is not possible.
pub(crate) fn impossible(detail: &'static str) -> Error {
    Error::Definition { detail }
}
