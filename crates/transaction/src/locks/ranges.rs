//! Range locks (MySQL says gap locks): key ranges of a tree into which nobody else may insert.
//!
//! A locking scan under REPEATABLE READ locks the ranges that it reads, so that no row can appear in them.
//! Range locks never conflict with each other. Whoever inserts a key waits while *another* owner has a range
//! that contains it, and holds nothing here afterwards.
//!
//! ```text
//! scan:    lock the range            -> read the leaf under its latch
//! insert:  lock the row exclusively  -> under the leaf's exclusive latch: is the key in a range? then
//!          let go of the latch, wait, try again; else put the row in
//! ```
//!
//! That order is what makes it complete: if the insert comes to the leaf first, the scan sees the row and
//! waits for its row lock; otherwise the insert sees the range.
//!
//! Invariants:
//! - An owner's ranges of a tree are one set ([`KeyRanges`]): a scan that locks range after range extends one.
//! - A bucket's count is the number of owners with ranges in its trees. Zero answers every question about
//!   them by one load; it is raised before the range is in force (under the bucket's mutex) and a latch orders
//!   it with the scan's reads.
//!
//! Lock order: bucket -> graph -> waiter.
//!
//! Limits: an insert into a tree with range locks looks at each owner that has some there (a binary search
//! each). Gaps that touch are one range. Above [`MOST_RANGES`] an owner's ranges of a tree are melted two by two,
//! with what lies between: others wait with some inserts that harm nothing, and memory stays bounded by the number
//! of owners, while rows are locked one by one as ever.
//!
//! Left to others: which ranges a scan needs; the row at the end of a gap is a row lock.

use std::ops::Bound;
use std::sync::Arc;

use hashbrown::HashMap;
use rustydb_storage::sync::{AtomicUsize, Mutex, Ordering};

use super::deadlock::Wanted;
use super::graph::{Owners, WaitGraph};
use super::ids::{OwnerId, TreeId};
use super::statistics::LockStatistics;
use super::waiter::{WaitOptions, WaitState, Waiter, Woke, Woken, notify_all};
use super::{LockError, LockMode, LockOwner, RangeLockInfo};
use crate::key_ranges::{KeyRanges, Point, points};

const BUCKETS: usize = 64;

/// So many ranges an owner may have in a tree.
const MOST_RANGES: usize = 8192;

/// One owner's ranges of one tree.
#[derive(Debug)]
struct OwnerRanges {
    owner: OwnerId,
    ranges: KeyRanges,
    /// The strongest that one of them was locked with: which makes no difference to who waits.
    mode: LockMode,
}

#[derive(Debug)]
struct InsertRequest {
    waiter: Arc<Waiter>,
    key: Vec<u8>,
}

#[derive(Debug, Default)]
struct TreeRanges {
    owners: Vec<OwnerRanges>,
    waiting: Vec<InsertRequest>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Bucket {
    /// How many (tree, owner) pairs have ranges.
    owners: AtomicUsize,
    trees: Mutex<HashMap<TreeId, TreeRanges>>,
}

#[derive(Debug)]
pub(super) struct RangeLocks {
    buckets: Box<[Bucket]>,
    graph: Arc<WaitGraph>,
    statistics: Arc<LockStatistics>,
}

impl TreeRanges {
    /// Which other owners keep `owner` from inserting `key`.
    fn blockers(&self, owner: OwnerId, key: &[u8]) -> Owners {
        self.owners.iter().filter(|o| o.owner != owner && o.ranges.contains(key)).map(|o| o.owner).collect()
    }
}

impl RangeLocks {
    pub(super) fn new(graph: Arc<WaitGraph>, statistics: Arc<LockStatistics>) -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(), graph, statistics }
    }

    fn bucket(&self, tree: TreeId) -> &Bucket {
        &self.buckets[tree.0 as usize % BUCKETS]
    }

    pub(super) fn lock(
        &self,
        owner: &mut LockOwner,
        tree: TreeId,
        low: Bound<&[u8]>,
        high: Bound<&[u8]>,
        mode: LockMode,
    ) {
        // An empty range locks nothing.
        let Some((low, high)) = points(low, high) else { return };
        let bucket = self.bucket(tree);
        let mut trees = bucket.trees.lock();
        let ranges = trees.entry(tree).or_default();
        let mine = match ranges.owners.iter().position(|o| o.owner == owner.id) {
            Some(at) => at,
            None => {
                bucket.owners.fetch_add(1, Ordering::SeqCst);
                owner.range_trees.push(tree);
                ranges.owners.push(OwnerRanges { owner: owner.id, ranges: KeyRanges::default(), mode });
                ranges.owners.len() - 1
            }
        };
        if let Some(mine) = ranges.owners.get_mut(mine) {
            mine.ranges.add(low, high);
            mine.mode = mine.mode.max(mode);
            if mine.ranges.len() > MOST_RANGES {
                mine.ranges.halve();
            }
        }
        if !ranges.waiting.is_empty() {
            // Those who wait to insert into it wait for this owner too; it is awake, so that closes no cycle.
            let mut graph = self.graph.lock();
            for request in ranges.waiting.iter().filter(|r| r.waiter.owner != owner.id) {
                let blocked = ranges.owners.get(mine).is_some_and(|o| o.ranges.contains(&request.key));
                graph.update_owners(request.waiter.owner, |owners| {
                    if blocked && !owners.contains(&owner.id) {
                        owners.push(owner.id);
                    }
                });
            }
        }
    }

    pub(super) fn blocks_insert(&self, owner: OwnerId, tree: TreeId, key: &[u8]) -> bool {
        let bucket = self.bucket(tree);
        if bucket.owners.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let trees = bucket.trees.lock();
        trees
            .get(&tree)
            .is_some_and(|ranges| ranges.owners.iter().any(|o| o.owner != owner && o.ranges.contains(key)))
    }

    pub(super) fn wait_insert(
        &self,
        owner: &LockOwner,
        tree: TreeId,
        key: &[u8],
        options: &WaitOptions,
    ) -> Result<(), LockError> {
        let bucket = self.bucket(tree);
        if bucket.owners.load(Ordering::SeqCst) == 0 {
            return Ok(());
        }
        let mut trees = bucket.trees.lock();
        let Some(ranges) = trees.get_mut(&tree) else { return Ok(()) };
        let blockers = ranges.blockers(owner.id, key);
        if blockers.is_empty() {
            return Ok(());
        }
        if let Some(reason) = options.cancel.reason() {
            return Err(LockError::Cancelled(reason));
        }
        LockStatistics::count(&self.statistics.waits);
        let wanted = Wanted::Insert { tree, key: key.into() };
        let waiter = Waiter::new(owner.id, owner.weight, wanted);
        let mut woken = Woken::new();
        let waits = self.graph.lock().wait_for_owners(&waiter, blockers, &mut woken);
        if waits {
            ranges.waiting.push(InsertRequest { waiter: Arc::clone(&waiter), key: key.to_vec() });
        }
        drop(trees);
        self.graph.wake(woken);
        if !waits {
            LockStatistics::count(&self.statistics.deadlocks);
            return Err(LockError::Deadlock);
        }
        let woke = waiter.park(options);
        let result = match woke {
            Woke::Settled(WaitState::Granted) => Ok(()),
            _ => match (self.leave(&waiter, tree), woke) {
                (WaitState::Granted, _) => Ok(()),
                (WaitState::Abandoned, Woke::Cancelled(reason)) => Err(LockError::Cancelled(reason)),
                (WaitState::Abandoned, _) => Err(LockError::Timeout),
                (_, _) => Err(LockError::Deadlock),
            },
        };
        self.statistics.ended(&waiter, &result);
        result
    }

    fn leave(&self, waiter: &Arc<Waiter>, tree: TreeId) -> WaitState {
        let bucket = self.bucket(tree);
        let mut trees = bucket.trees.lock();
        let abandoned = self.graph.lock().settle(waiter, WaitState::Abandoned);
        if let Some(ranges) = trees.get_mut(&tree) {
            ranges.waiting.retain(|r| !Arc::ptr_eq(&r.waiter, waiter));
            if ranges.waiting.is_empty() && ranges.owners.is_empty() {
                trees.remove(&tree);
            }
        }
        if abandoned { WaitState::Abandoned } else { waiter.state() }
    }

    pub(super) fn release_all(&self, owner: &mut LockOwner) {
        for tree in std::mem::take(&mut owner.range_trees) {
            let mut woken = Woken::new();
            let bucket = self.bucket(tree);
            {
                let mut trees = bucket.trees.lock();
                let Some(ranges) = trees.get_mut(&tree) else { continue };
                ranges.owners.retain(|o| o.owner != owner.id);
                bucket.owners.fetch_sub(1, Ordering::SeqCst);
                self.pass_on(ranges, owner.id, &mut woken);
                if ranges.waiting.is_empty() && ranges.owners.is_empty() {
                    trees.remove(&tree);
                }
            }
            notify_all(woken);
        }
    }

    /// Wakes those who waited for `gone` alone.
    fn pass_on(&self, ranges: &mut TreeRanges, gone: OwnerId, woken: &mut Woken) {
        if ranges.waiting.is_empty() {
            return;
        }
        let mut graph = self.graph.lock();
        let waiting = std::mem::take(&mut ranges.waiting);
        for request in waiting {
            if ranges.blockers(request.waiter.owner, &request.key).is_empty() {
                if graph.settle(&request.waiter, WaitState::Granted) {
                    woken.push(request.waiter);
                }
            } else {
                graph.update_owners(request.waiter.owner, |owners| owners.retain(|o| *o != gone));
                ranges.waiting.push(request);
            }
        }
    }

    /// How many ranges are locked.
    pub(super) fn count(&self) -> usize {
        let mut count = 0;
        for bucket in &self.buckets {
            let trees = bucket.trees.lock();
            count += trees.values().flat_map(|t| &t.owners).map(|o| o.ranges.len()).sum::<usize>();
        }
        count
    }

    /// The range of an owner that has a key.
    pub(super) fn around(&self, owner: OwnerId, tree: TreeId, key: &[u8]) -> Option<RangeLockInfo> {
        let trees = self.bucket(tree).trees.lock();
        let of_owner = trees.get(&tree)?.owners.iter().find(|o| o.owner == owner)?;
        let range = of_owner.ranges.find(key)?;
        Some(RangeLockInfo {
            owner,
            tree,
            low: range.low.clone(),
            high: range.high.clone(),
            mode: of_owner.mode,
            waiting_since: None,
        })
    }

    /// The mode of an owner's ranges of a tree.
    pub(super) fn mode(&self, owner: OwnerId, tree: TreeId) -> Option<LockMode> {
        let trees = self.bucket(tree).trees.lock();
        trees.get(&tree)?.owners.iter().find(|o| o.owner == owner).map(|o| o.mode)
    }

    /// At most `limit` ranges, and all inserts that wait: one owner's ranges of a tree at a time, so that others get
    /// a turn.
    pub(super) fn list(&self, limit: usize) -> Vec<RangeLockInfo> {
        let (mut inserts, mut held) = (Vec::new(), Vec::new());
        for bucket in &self.buckets {
            let mut owners = Vec::new();
            {
                let trees = bucket.trees.lock();
                for (&tree, ranges) in trees.iter() {
                    owners.extend(ranges.owners.iter().map(|of_owner| (tree, of_owner.owner)));
                    inserts.extend(ranges.waiting.iter().map(|request| RangeLockInfo {
                        owner: request.waiter.owner,
                        tree,
                        low: request.key.clone(),
                        high: Some(Point { key: &request.key, after: true }.to_vec()),
                        mode: LockMode::Exclusive,
                        waiting_since: Some(request.waiter.since),
                    }));
                }
            }
            for (tree, owner) in owners {
                let trees = bucket.trees.lock();
                let of_owner = trees.get(&tree).and_then(|t| t.owners.iter().find(|o| o.owner == owner));
                let Some(of_owner) = of_owner else { continue };
                let room = limit.saturating_sub(held.len());
                held.extend(of_owner.ranges.iter().take(room).map(|range| RangeLockInfo {
                    owner,
                    tree,
                    low: range.low.clone(),
                    high: range.high.clone(),
                    mode: of_owner.mode,
                    waiting_since: None,
                }));
            }
        }
        inserts.extend(held);
        inserts
    }
}
