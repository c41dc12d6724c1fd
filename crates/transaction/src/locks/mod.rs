//! Locks: on rows, on ranges of keys, and on the definitions of tables, with one search for deadlocks.
//!
//! | file | what |
//! |---|---|
//! | `rows` | shared and exclusive locks on (tree, key), in shards |
//! | `lent` | the locks of rows that were just inserted |
//! | `ranges` | ranges of keys that nobody else may insert into |
//! | `metadata` | named objects against DDL |
//! | `graph` | who waits for whom, and who is the victim of a cycle |
//! | `deadlock` | what a wait is for; what a circle of them was made of |
//! | `waiter` | one wait: settled once, slept on, timed out or cancelled |
//! | `statistics`, `slots`, `ids` | counters; places in a table; who and where |
//!
//! ```text
//! lock_row --free-------------------------------> holder                  (shard mutex only)
//!          --taken--> queue --> graph: a cycle? --> sleep --> granted     (handed over by who lets go)
//!                                  |                  +----> timeout, cancelled: leaves the queue
//!                                  +--> the cheapest member gets Deadlock
//! ```
//!
//! What an owner holds is listed in its [`LockOwner`], which its transaction carries: letting go of all needs
//! no search, and no table maps owners to locks. A rollback to a savepoint keeps locks, as InnoDB does.
//!
//! Left to others: when to lock what, and when to let go (the transaction); early release at commit.

pub mod metadata;

mod deadlock;
mod graph;
mod ids;
mod lent;
mod ranges;
mod rows;
pub(crate) mod slots;
mod statistics;
mod waiter;

#[cfg(all(test, feature = "shuttle"))]
mod interleavings;
#[cfg(all(test, not(feature = "shuttle")))]
mod listing;
#[cfg(all(test, not(feature = "shuttle")))]
mod stress;

use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;
use rustydb_storage::sync::{AtomicU64, Ordering};

pub use deadlock::{Deadlock, DeadlockMember, Wanted};
pub use ids::{OwnerId, TreeId};
pub use metadata::{
    BriefRead, MdlDuration, MdlInfo, MdlKey, MdlMark, MdlMode, MetadataLockOwner, MetadataLocks,
};
pub use statistics::LockCounters;
pub use waiter::WaitOptions;

use self::graph::WaitGraph;
pub(crate) use self::lent::LentLocks;
use self::ranges::RangeLocks;
use self::rows::{HeldRow, RowLocks};
use self::statistics::LockStatistics;
use crate::cancel::CancelReason;

/// How a row is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// Others may lock it shared and not change it.
    Shared,
    /// Nobody else may lock it.
    Exclusive,
}

/// A lock that was asked for and is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a newly locked row may have to be let go"]
pub struct Granted {
    /// Whether the owner did not hold the row before, in any mode.
    pub newly: bool,
}

/// Why a lock is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The wait took too long: roll back the statement (MySQL 1205).
    #[error("lock wait timeout exceeded")]
    Timeout,
    /// This wait was ended to break a cycle: roll back the transaction and run it again (MySQL 1213).
    #[error("deadlock found when trying to get a lock")]
    Deadlock,
    /// The statement has to end.
    #[error("the wait for a lock was cancelled ({0:?})")]
    Cancelled(CancelReason),
    /// The lock is not free and the request was not to wait (MySQL 3572 for NOWAIT).
    #[error("the lock is not free")]
    WouldBlock,
    /// There are as many locks as the configuration allows: change fewer rows at once (MySQL 1206).
    #[error("the number of locks exceeds the lock table's size")]
    TableFull,
}

/// Configuration of the lock table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    /// How many parts the table of row locks has, rounded up to a power of two.
    pub shards: usize,
    /// How many rows may be locked at a time, by all together; about 120 bytes each.
    pub max_row_locks: usize,
}

impl Default for LockOptions {
    fn default() -> Self {
        // Under shuttle one: which rows share a shard must not depend on a random hash there.
        let shards = if cfg!(feature = "shuttle") { 1 } else { 64 };
        Self { shards, max_row_locks: 16 << 20 }
    }
}

/// What one transaction has locked. Let go of it (`LockTable::release_all`) before dropping it.
#[derive(Debug)]
pub struct LockOwner {
    id: OwnerId,
    /// What it would cost to undo the transaction (changed rows), for the choice of a victim.
    pub weight: u64,
    rows: Vec<HeldRow>,
    /// Where others put locks in its name; made when it first inserts.
    lent: Option<Arc<LentLocks>>,
    /// The trees in which it has ranges, each once.
    range_trees: Vec<TreeId>,
}

impl LockOwner {
    /// An owner that has locked nothing. Two that live at the same time must not have the same id.
    pub fn new(id: OwnerId) -> Self {
        Self { id, weight: 0, rows: Vec::new(), lent: None, range_trees: Vec::new() }
    }

    /// Its node in the wait-for graph.
    pub fn id(&self) -> OwnerId {
        self.id
    }

    /// Where others put locks in its name until it lets go of all.
    pub(crate) fn lent(&mut self) -> &Arc<LentLocks> {
        let id = self.id;
        self.lent.get_or_insert_with(|| Arc::new(LentLocks::new(id)))
    }

    /// How many rows it has locked.
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has locked nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.range_trees.is_empty()
    }
}

/// A row lock or a request for one, for performance_schema.data_locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLockInfo {
    /// Who holds it or waits for it.
    pub owner: OwnerId,
    /// The tree of the row.
    pub tree: TreeId,
    /// The key of the row.
    pub key: Vec<u8>,
    /// In which mode.
    pub mode: LockMode,
    /// None if it is held.
    pub waiting_since: Option<Instant>,
    /// Whether somebody waits for the row.
    pub is_contended: bool,
}

/// Row locks and requests for them, as far as they were copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowLockList {
    /// As many as were asked for.
    pub locks: Vec<RowLockInfo>,
    /// How many more each owner has.
    pub more: HashMap<OwnerId, usize>,
}

/// A row that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowQueue {
    /// The tree of the row.
    pub tree: TreeId,
    /// The key of the row.
    pub key: Vec<u8>,
    /// Who holds it, and how.
    pub holders: Vec<(OwnerId, LockMode)>,
    /// Who waits, in the order of their turns: how, and since when.
    pub queue: Vec<(OwnerId, LockMode, Instant)>,
}

/// A range lock, or an insert that waits for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeLockInfo {
    /// Who holds it or waits.
    pub owner: OwnerId,
    /// The tree.
    pub tree: TreeId,
    /// The first key of the range.
    pub low: Vec<u8>,
    /// The first key behind the range; None: it has no end.
    pub high: Option<Vec<u8>>,
    /// The strongest mode that any range of its owner in this tree was locked in.
    pub mode: LockMode,
    /// None if it is held; for an insert that waits, the range is its one key.
    pub waiting_since: Option<Instant>,
}

/// A wait of any kind of lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitInfo {
    /// Who waits.
    pub waiting: OwnerId,
    /// What it waits for.
    pub wanted: Wanted,
    /// Whom it waits for directly.
    pub blocking: Vec<OwnerId>,
    /// Since when.
    pub since: Instant,
}

/// The row and range locks of a store.
#[derive(Debug)]
pub struct LockTable {
    rows: RowLocks,
    ranges: RangeLocks,
    graph: Arc<WaitGraph>,
    statistics: Arc<LockStatistics>,
    next_owner: AtomicU64,
}

impl Default for LockTable {
    fn default() -> Self {
        Self::new(&LockOptions::default())
    }
}

impl LockTable {
    /// A table without locks.
    pub fn new(options: &LockOptions) -> Self {
        let graph = Arc::new(WaitGraph::default());
        let statistics = Arc::new(LockStatistics::default());
        Self {
            rows: RowLocks::new(options, Arc::clone(&graph), Arc::clone(&statistics)),
            ranges: RangeLocks::new(Arc::clone(&graph), Arc::clone(&statistics)),
            graph,
            statistics,
            next_owner: AtomicU64::new(1),
        }
    }

    /// A table of metadata locks whose waits are searched for deadlocks together with this table's.
    pub fn metadata_locks(&self) -> MetadataLocks {
        MetadataLocks::new(Arc::clone(&self.graph))
    }

    /// An owner id that was not given out before.
    pub fn new_owner(&self) -> OwnerId {
        OwnerId(self.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    /// Locks a row, waiting if others hold it. Holding it already is enough; shared becomes exclusive.
    ///
    /// # Errors
    /// [`LockError::Timeout`], [`LockError::Deadlock`], [`LockError::Cancelled`], [`LockError::TableFull`];
    /// what was held before is held on.
    pub fn lock_row(
        &self,
        owner: &mut LockOwner,
        tree: TreeId,
        key: &[u8],
        mode: LockMode,
        wait: &WaitOptions,
    ) -> Result<Granted, LockError> {
        if wait.lock_wait.is_zero() {
            // Who does not wait is in nobody's way: it never stands in a queue.
            return self.try_lock_row(owner, tree, key, mode).map_err(|error| match error {
                LockError::WouldBlock => LockError::Timeout,
                other => other,
            });
        }
        self.rows.lock(owner, tree, key, mode, Some(wait))
    }

    /// Locks a row if that needs no waiting (NOWAIT, SKIP LOCKED).
    ///
    /// # Errors
    /// [`LockError::WouldBlock`], [`LockError::TableFull`]
    pub fn try_lock_row(
        &self,
        owner: &mut LockOwner,
        tree: TreeId,
        key: &[u8],
        mode: LockMode,
    ) -> Result<Granted, LockError> {
        self.rows.lock(owner, tree, key, mode, None)
    }

    /// Whether anybody has a row locked, or waits for it.
    pub fn is_row_used(&self, tree: TreeId, key: &[u8]) -> bool {
        self.rows.is_used(tree, key)
    }

    /// Locks a row exclusively for an owner that has just inserted it, in its name; false if that owner has ended.
    ///
    /// # Errors
    /// [`LockError::TableFull`]
    pub(crate) fn lend_row(&self, to: &LentLocks, tree: TreeId, key: &[u8]) -> Result<bool, LockError> {
        self.rows.lend(to, tree, key)
    }

    /// Lets go of one row (READ COMMITTED: a row that was newly locked and did not match).
    pub fn unlock_row(&self, owner: &mut LockOwner, tree: TreeId, key: &[u8]) {
        self.rows.unlock(owner, tree, key);
    }

    /// In which mode the owner holds a row.
    pub fn holds(&self, owner: &LockOwner, tree: TreeId, key: &[u8]) -> Option<LockMode> {
        if owner.rows.is_empty() {
            return None;
        }
        self.rows.holds(owner.id, tree, key)
    }

    /// The rows that an owner holds, and how.
    pub fn held_rows(&self, owner: &LockOwner) -> Vec<(TreeId, Vec<u8>, LockMode)> {
        self.rows.held(owner)
    }

    /// Keeps others from inserting keys between the bounds. Never waits.
    /// The mode is for whoever lists locks: it makes no difference to those who insert.
    pub fn lock_range(
        &self,
        owner: &mut LockOwner,
        tree: TreeId,
        low: Bound<&[u8]>,
        high: Bound<&[u8]>,
        mode: LockMode,
    ) {
        self.ranges.lock(owner, tree, low, high, mode);
    }

    /// Whether another owner's range contains the key. To be asked under the exclusive latch of the leaf that
    /// the key goes into; if so, let go of the latch, [`LockTable::wait_insert`] and come again.
    pub fn blocks_insert(&self, owner: &LockOwner, tree: TreeId, key: &[u8]) -> bool {
        self.ranges.blocks_insert(owner.id, tree, key)
    }

    /// Waits until no other owner's range contains the key. Afterwards nothing is held: ask again.
    ///
    /// # Errors
    /// [`LockError::Timeout`], [`LockError::Deadlock`], [`LockError::Cancelled`]
    pub fn wait_insert(
        &self,
        owner: &LockOwner,
        tree: TreeId,
        key: &[u8],
        wait: &WaitOptions,
    ) -> Result<(), LockError> {
        if wait.lock_wait.is_zero() {
            return if self.blocks_insert(owner, tree, key) { Err(LockError::Timeout) } else { Ok(()) };
        }
        self.ranges.wait_insert(owner, tree, key, wait)
    }

    /// Lets go of all rows and ranges.
    pub fn release_all(&self, owner: &mut LockOwner) {
        if let Some(lent) = owner.lent.take() {
            self.rows.take_back(&lent);
        }
        if !owner.rows.is_empty() {
            self.rows.release_all(owner);
        }
        if !owner.range_trees.is_empty() {
            self.ranges.release_all(owner);
        }
    }

    /// How many rows are locked or waited for.
    pub fn row_count(&self) -> usize {
        self.rows.count()
    }

    /// How many ranges are locked.
    pub fn range_count(&self) -> usize {
        self.ranges.count()
    }

    /// What has happened so far on rows and ranges.
    pub fn counters(&self) -> LockCounters {
        self.statistics.read()
    }

    /// At most `limit` row locks and requests, part by part: not one moment's picture. Who locks rows waits for a
    /// few hundred copies at the most.
    pub fn row_locks(&self, limit: usize) -> RowLockList {
        self.rows.list(limit)
    }

    /// The rows that somebody waits for, however many others are locked.
    pub fn contended_rows(&self) -> Vec<RowQueue> {
        self.rows.contended()
    }

    /// In which mode somebody holds a row.
    pub fn row_mode(&self, owner: OwnerId, tree: TreeId, key: &[u8]) -> Option<LockMode> {
        self.rows.holds(owner, tree, key)
    }

    /// The strongest mode that any range of an owner in a tree was locked in.
    pub fn range_mode(&self, owner: OwnerId, tree: TreeId) -> Option<LockMode> {
        self.ranges.mode(owner, tree)
    }

    /// The range of an owner that keeps a key out.
    pub fn range_around(&self, owner: OwnerId, tree: TreeId, key: &[u8]) -> Option<RangeLockInfo> {
        self.ranges.around(owner, tree, key)
    }

    /// Has every deadlock told to `watch`, on the thread that closes it, before anybody is woken and without any
    /// lock held. The first to ask is told; returns whether that was this call.
    pub fn on_deadlock(&self, watch: impl Fn(&Deadlock) + Send + Sync + 'static) -> bool {
        self.graph.set_watch(Box::new(watch))
    }

    /// All inserts that wait, then at most `limit` range locks, part by part: not one moment's picture.
    pub fn range_locks(&self, limit: usize) -> Vec<RangeLockInfo> {
        self.ranges.list(limit)
    }

    /// All waits of this moment, those for metadata locks too.
    pub fn waits(&self) -> Vec<WaitInfo> {
        let waits = self.graph.waits().into_iter().map(|(waiter, blocking)| WaitInfo {
            waiting: waiter.owner,
            wanted: waiter.wanted.clone(),
            blocking: blocking.into_vec(),
            since: waiter.since,
        });
        waits.collect()
    }
}
