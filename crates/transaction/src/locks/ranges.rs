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
//! - An owner's ranges of a tree are sorted, disjoint and not adjacent: a scan that locks range after range
//!   extends one. Bounds are half open, `[low, high)`; `key` included at the end is `key` + 0x00 excluded,
//!   its immediate successor in byte order. No high bound means no end.
//! - A bucket's count is the number of owners with ranges in its trees. Zero answers every question about
//!   them by one load; it is raised before the range is in force (under the bucket's mutex) and a latch orders
//!   it with the scan's reads.
//!
//! Lock order: bucket -> graph -> waiter.
//!
//! Limits: an insert into a tree with range locks looks at each owner that has some there (a binary search
//! each); the number of ranges is bounded by what scans ask for, gaps that touch being one.
//!
//! Left to others: which ranges a scan needs; the row at the end of a gap is a row lock.

use std::ops::Bound;
use std::sync::Arc;

use hashbrown::HashMap;

use super::graph::{Owners, WaitGraph};
use super::ids::{OwnerId, TreeId};
use super::statistics::LockStatistics;
use super::sync::{AtomicUsize, Mutex, Ordering};
use super::waiter::{WaitOptions, WaitState, Waiter, Woke, Woken, notify_all};
use super::{LockError, LockOwner, RangeLockInfo};

const BUCKETS: usize = 64;

/// `[low, high)`; an absent high has no end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    low: Vec<u8>,
    high: Option<Vec<u8>>,
}

/// One owner's ranges of one tree.
#[derive(Debug)]
struct OwnerRanges {
    owner: OwnerId,
    ranges: Vec<Range>,
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

/// A bound of a request as a point between keys, without copying: the key, and whether it lies behind it.
#[derive(Clone, Copy)]
struct Point<'a> {
    key: &'a [u8],
    after: bool,
}

impl Point<'_> {
    fn to_vec(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.key.len() + 1);
        self.write_to(&mut bytes);
        bytes
    }

    fn write_to(self, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(self.key);
        if self.after {
            bytes.push(0);
        }
    }

    /// Whether nothing lies between `other` and this point.
    fn is_at_or_before(self, other: Point<'_>) -> bool {
        match self.key.cmp(other.key) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.after <= other.after,
            // Only the immediate successor of a key is as far as the point after it.
            std::cmp::Ordering::Greater => {
                other.after && !self.after && self.key.strip_prefix(other.key) == Some(&[0])
            }
        }
    }

    /// Compares with a stored bound.
    fn cmp(self, bound: &[u8]) -> std::cmp::Ordering {
        let common = self.key.len().min(bound.len());
        match self.key[..common].cmp(&bound[..common]) {
            std::cmp::Ordering::Equal if bound.len() > common => match (self.after, &bound[common..]) {
                // This point is key + 0x00.
                (true, [0]) => std::cmp::Ordering::Equal,
                (_, _) => std::cmp::Ordering::Less,
            },
            std::cmp::Ordering::Equal => (self.key.len() + usize::from(self.after)).cmp(&bound.len()),
            unequal => unequal,
        }
    }
}

impl Range {
    fn contains(&self, key: &[u8]) -> bool {
        self.low.as_slice() <= key && self.high.as_ref().is_none_or(|high| key < high.as_slice())
    }
}

impl OwnerRanges {
    fn contains(&self, key: &[u8]) -> bool {
        let after = self.ranges.partition_point(|range| range.low.as_slice() <= key);
        after > 0 && self.ranges.get(after - 1).is_some_and(|range| range.contains(key))
    }

    /// Adds a range and melts it together with those that it overlaps or touches.
    fn add(&mut self, low: Point<'_>, high: Option<Point<'_>>) {
        // The ranges from `first` up to `end` overlap or touch the new one.
        let first = self.ranges.partition_point(|range| {
            range.high.as_ref().is_some_and(|range_high| low.cmp(range_high).is_gt())
        });
        let end = self.ranges.partition_point(|range| high.is_none_or(|high| high.cmp(&range.low).is_ge()));
        if first >= end {
            self.ranges.insert(first, Range { low: low.to_vec(), high: high.map(Point::to_vec) });
            return;
        }
        let last_high = self.ranges.get_mut(end - 1).and_then(|range| range.high.take());
        if let Some(range) = self.ranges.get_mut(first) {
            if low.cmp(&range.low).is_lt() {
                low.write_to(&mut range.low);
            }
            // `last_high` is None where the last range had no end: then it stays so.
            range.high = match (last_high, high) {
                (Some(mut last), Some(high)) => {
                    if high.cmp(&last).is_gt() {
                        high.write_to(&mut last);
                    }
                    Some(last)
                }
                (_, _) => None,
            };
        }
        self.ranges.drain(first + 1..end);
    }
}

impl TreeRanges {
    /// Which other owners keep `owner` from inserting `key`.
    fn blockers(&self, owner: OwnerId, key: &[u8]) -> Owners {
        self.owners.iter().filter(|o| o.owner != owner && o.contains(key)).map(|o| o.owner).collect()
    }
}

impl RangeLocks {
    pub(super) fn new(graph: Arc<WaitGraph>, statistics: Arc<LockStatistics>) -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(), graph, statistics }
    }

    fn bucket(&self, tree: TreeId) -> &Bucket {
        &self.buckets[tree.0 as usize % BUCKETS]
    }

    pub(super) fn lock(&self, owner: &mut LockOwner, tree: TreeId, low: Bound<&[u8]>, high: Bound<&[u8]>) {
        let low = match low {
            Bound::Included(key) => Point { key, after: false },
            Bound::Excluded(key) => Point { key, after: true },
            Bound::Unbounded => Point { key: &[], after: false },
        };
        let high = match high {
            Bound::Included(key) => Some(Point { key, after: true }),
            Bound::Excluded(key) => Some(Point { key, after: false }),
            Bound::Unbounded => None,
        };
        // An empty range locks nothing.
        if high.is_some_and(|high| high.is_at_or_before(low)) {
            return;
        }
        let bucket = self.bucket(tree);
        let mut trees = bucket.trees.lock();
        let ranges = trees.entry(tree).or_default();
        let mine = match ranges.owners.iter().position(|o| o.owner == owner.id) {
            Some(at) => at,
            None => {
                bucket.owners.fetch_add(1, Ordering::SeqCst);
                owner.range_trees.push(tree);
                ranges.owners.push(OwnerRanges { owner: owner.id, ranges: Vec::new() });
                ranges.owners.len() - 1
            }
        };
        if let Some(mine) = ranges.owners.get_mut(mine) {
            mine.add(low, high);
        }
        if !ranges.waiting.is_empty() {
            // Those who wait to insert into it wait for this owner too; it is awake, so that closes no cycle.
            let mut graph = self.graph.lock();
            for request in ranges.waiting.iter().filter(|r| r.waiter.owner != owner.id) {
                let blocked = ranges.owners.get(mine).is_some_and(|o| o.contains(&request.key));
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
            .is_some_and(|ranges| ranges.owners.iter().any(|o| o.owner != owner && o.contains(key)))
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
        let waiter = Waiter::new(owner.id, owner.weight);
        let mut woken = Woken::new();
        let waits = self.graph.lock().wait_for_owners(&waiter, blockers, &mut woken);
        if waits {
            ranges.waiting.push(InsertRequest { waiter: Arc::clone(&waiter), key: key.to_vec() });
        }
        drop(trees);
        notify_all(woken);
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

    pub(super) fn list(&self, limit: usize) -> Vec<RangeLockInfo> {
        let mut found = Vec::new();
        for bucket in &self.buckets {
            let trees = bucket.trees.lock();
            for (&tree, ranges) in trees.iter() {
                for of_owner in &ranges.owners {
                    found.extend(of_owner.ranges.iter().map(|range| RangeLockInfo {
                        owner: of_owner.owner,
                        tree,
                        low: range.low.clone(),
                        high: range.high.clone(),
                        waiting_since: None,
                    }));
                }
                found.extend(ranges.waiting.iter().map(|request| RangeLockInfo {
                    owner: request.waiter.owner,
                    tree,
                    low: request.key.clone(),
                    high: Some(Point { key: &request.key, after: true }.to_vec()),
                    waiting_since: Some(request.waiter.since),
                }));
                if found.len() >= limit {
                    found.truncate(limit);
                    return found;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_point_compares_as_its_bytes_do() {
        let keys: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\0", b"ab", b"b"];
        for key in keys {
            for after in [false, true] {
                for bound in keys {
                    let point = Point { key, after };
                    assert_eq!(
                        point.cmp(bound),
                        point.to_vec().as_slice().cmp(bound),
                        "{key:?} {after} {bound:?}"
                    );
                    for other_after in [false, true] {
                        let other = Point { key: bound, after: other_after };
                        assert_eq!(point.is_at_or_before(other), point.to_vec() <= other.to_vec());
                    }
                }
            }
        }
    }

    #[test]
    fn a_scan_that_locks_gap_after_gap_holds_one_range() {
        let mut mine = OwnerRanges { owner: OwnerId(1), ranges: Vec::new() };
        let keys: Vec<[u8; 4]> = (0u32..1000).map(u32::to_be_bytes).collect();
        for pair in keys.windows(2) {
            mine.add(Point { key: &pair[0], after: true }, Some(Point { key: &pair[1], after: true }));
        }
        assert_eq!(mine.ranges.len(), 1);
        // And backwards.
        let mut mine = OwnerRanges { owner: OwnerId(1), ranges: Vec::new() };
        for pair in keys.windows(2).rev() {
            mine.add(Point { key: &pair[0], after: false }, Some(Point { key: &pair[1], after: false }));
        }
        assert_eq!(mine.ranges.len(), 1);
        mine.add(Point { key: b"", after: false }, None);
        assert_eq!(mine.ranges, [Range { low: vec![], high: None }]);
    }

    proptest! {
        /// Against a set of keys that are locked, over a small universe of keys with prefixes of each other.
        #[test]
        fn ranges_contain_what_was_added(requests in prop::collection::vec((0usize..40, any::<bool>(), 0usize..41, any::<bool>()), 0..20)) {
            let universe: Vec<Vec<u8>> = (0u8..10)
                .flat_map(|k| [vec![k], vec![k, 0], vec![k, 0, 0], vec![k, 1]])
                .collect();
            let mut mine = OwnerRanges { owner: OwnerId(1), ranges: Vec::new() };
            let mut expected = BTreeSet::new();
            for (low, low_after, high, high_after) in requests {
                let low = Point { key: &universe[low], after: low_after };
                let high = universe.get(high).map(|key| Point { key, after: high_after });
                if high.is_some_and(|high| high.to_vec() <= low.to_vec()) {
                    continue;
                }
                mine.add(low, high);
                for key in &universe {
                    if low.to_vec() <= *key && high.is_none_or(|high| *key < high.to_vec()) {
                        expected.insert(key.clone());
                    }
                }
                for pair in mine.ranges.windows(2) {
                    prop_assert!(pair[0].high.as_ref().is_some_and(|high| *high < pair[1].low), "{:?}", mine.ranges);
                }
            }
            for key in &universe {
                prop_assert_eq!(mine.contains(key), expected.contains(key), "{:?} in {:?}", key, &mine.ranges);
            }
        }
    }
}
