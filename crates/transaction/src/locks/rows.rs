//! Row locks: a sharded table of (tree, key) with holders and a first-come queue.
//!
//! A row that nobody locks has no entry. Locking one costs a hash, its shard's mutex and two list pushes;
//! letting go of it costs the mutex and no comparison of keys, because the owner remembers the place.
//!
//! Invariants:
//! - An entry in the index has a holder, or a queue whose members have all been settled and will remove
//!   themselves; otherwise it is freed.
//! - Holders are one exclusive or any number of shared. A shared holder may ask for exclusive: it goes ahead
//!   of the queue, behind other upgrades, and is granted when it is the only holder.
//! - Whoever does not hold the row joins the end of the queue if there is one, even if the mode would fit:
//!   nobody starves. A wait that is granted makes its owner a holder before it wakes.
//! - `LockOwner::rows` lists what its owner holds, each row once; only the owner's thread changes it.
//!
//! Lock order: one shard -> graph -> waiter; never two shards.
//!
//! Limits: `max_row_locks` over all shards evenly; a row lock takes about 120 bytes with a short key.
//!
//! Left to others: rows that were just inserted, which have no entry ([`super::lent`]); gaps ([`super::ranges`]),
//! and what a lock is good for.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use rustydb_storage::sync::Mutex;
use smallvec::SmallVec;

use super::deadlock::Wanted;
use super::graph::{Graph, ResourceId, WaitGraph};
use super::ids::{OwnerId, TreeId};
use super::lent::LentLocks;
use super::slots::Slots;
use super::statistics::LockStatistics;
use super::waiter::{WaitOptions, WaitState, Waiter, Woke, Woken, notify_all};
use super::{Granted, LockError, LockMode, LockOptions, LockOwner, RowLockInfo, RowLockList, RowQueue};

/// A row lock as its owner remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldRow {
    hash: u64,
    slot: u32,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    owner: OwnerId,
    mode: LockMode,
}

#[derive(Debug)]
struct Request {
    waiter: Arc<Waiter>,
    mode: LockMode,
    /// Whether the owner holds the row shared.
    upgrade: bool,
}

#[derive(Debug, Default)]
struct Entry {
    hash: u64,
    tree: TreeId,
    key: SmallVec<[u8; 16]>,
    holders: SmallVec<[Holder; 1]>,
    /// None for most.
    #[expect(clippy::box_collection, reason = "keeps the entry of an uncontended row small")]
    queue: Option<Box<VecDeque<Request>>>,
}

#[derive(Debug, Default)]
struct Shard {
    index: HashTable<u32>,
    entries: Slots<Entry>,
}

/// Keeps two shards from sharing a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

#[derive(Debug)]
pub(super) struct RowLocks {
    shards: Box<[Padded]>,
    hasher: DefaultHashBuilder,
    max_per_shard: usize,
    graph: Arc<WaitGraph>,
    statistics: Arc<LockStatistics>,
}

enum Decision {
    /// The owner has it in this mode or a stronger one.
    Held,
    /// The owner may have it now.
    Grant,
    /// The owner holds it shared, alone, and may have it exclusive.
    Upgrade,
    Wait {
        upgrade: bool,
    },
}

impl Entry {
    fn queue_len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len())
    }

    fn decide(&self, owner: OwnerId, mode: LockMode) -> Decision {
        let mine = self.holders.iter().find(|h| h.owner == owner).map(|h| h.mode);
        match (mine, mode) {
            (Some(LockMode::Exclusive), _) | (Some(LockMode::Shared), LockMode::Shared) => Decision::Held,
            (Some(LockMode::Shared), LockMode::Exclusive) if self.holders.len() == 1 => Decision::Upgrade,
            (Some(LockMode::Shared), LockMode::Exclusive) => Decision::Wait { upgrade: true },
            (None, _) if self.queue_len() == 0 && self.fits(mode) => Decision::Grant,
            (None, _) => Decision::Wait { upgrade: false },
        }
    }

    /// Whether one who holds nothing here could hold it in this mode beside the holders.
    fn fits(&self, mode: LockMode) -> bool {
        match mode {
            LockMode::Exclusive => self.holders.is_empty(),
            LockMode::Shared => self.holders.iter().all(|h| h.mode == LockMode::Shared),
        }
    }

    fn add_or_upgrade(&mut self, owner: OwnerId, mode: LockMode) {
        match self.holders.iter_mut().find(|h| h.owner == owner) {
            Some(holder) => holder.mode = mode,
            None => self.holders.push(Holder { owner, mode }),
        }
    }

    fn remove_holder(&mut self, owner: OwnerId) {
        if let Some(at) = self.holders.iter().position(|h| h.owner == owner) {
            self.holders.swap_remove(at);
        }
    }

    fn enqueue(&mut self, request: Request) {
        let queue = self.queue.get_or_insert_default();
        let at = match request.upgrade {
            true => queue.iter().take_while(|r| r.upgrade).count(),
            false => queue.len(),
        };
        queue.insert(at, request);
    }

    /// Takes a wait out of the queue; false if it is not there (any more).
    fn remove_waiter(&mut self, waiter: &Arc<Waiter>) -> bool {
        let Some(queue) = self.queue.as_mut() else { return false };
        let Some(at) = queue.iter().position(|r| Arc::ptr_eq(&r.waiter, waiter)) else { return false };
        queue.remove(at);
        true
    }

    /// Grants what the front of the queue asks for, as far as it fits, and tells the graph who holds the row.
    fn grant_waiters(&mut self, resource: ResourceId, graph: &mut Graph, woken: &mut Woken) {
        while let Some(front) = self.queue.as_ref().and_then(|queue| queue.front()) {
            let alive = front.waiter.state() == WaitState::Pending;
            let (owner, mode) = (front.waiter.owner, front.mode);
            let fits = match front.upgrade {
                true => self.holders.len() == 1,
                false => self.fits(mode),
            };
            if alive && !fits {
                break;
            }
            let Some(request) = self.queue.as_mut().and_then(|queue| queue.pop_front()) else { break };
            if graph.settle(&request.waiter, WaitState::Granted) {
                self.add_or_upgrade(owner, mode);
                woken.push(request.waiter);
            }
        }
        if self.queue_len() == 0 {
            self.queue = None;
            graph.forget(resource);
        } else {
            graph.set_holders(resource, self.holders.iter().map(|h| h.owner));
        }
    }

    fn is_unused(&self) -> bool {
        self.holders.is_empty() && self.queue_len() == 0
    }
}

impl Shard {
    fn find(&self, hash: u64, tree: TreeId, key: &[u8]) -> Option<u32> {
        self.index
            .find(hash, |&slot| {
                self.entries
                    .get(slot)
                    .is_some_and(|e| e.hash == hash && e.tree == tree && e.key.as_slice() == key)
            })
            .copied()
    }

    /// A new entry with one holder; None if the shard is full.
    fn insert(&mut self, hash: u64, tree: TreeId, key: &[u8], holder: Holder, max: usize) -> Option<u32> {
        if self.entries.len() >= max {
            return None;
        }
        let (slot, entry) = self.entries.take()?;
        entry.hash = hash;
        entry.tree = tree;
        entry.key.clear();
        entry.key.extend_from_slice(key);
        entry.holders.push(holder);
        let entries = &self.entries;
        self.index.insert_unique(hash, slot, |&slot| entries.get(slot).map_or(0, |e| e.hash));
        Some(slot)
    }

    fn free(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let hash = entry.hash;
        if entry.key.spilled() && entry.key.capacity() > 256 {
            entry.key = SmallVec::new();
        }
        if let Ok(occupied) = self.index.find_entry(hash, |&s| s == slot) {
            occupied.remove();
        }
        if self.entries.free(slot) {
            self.index = HashTable::new();
        }
    }

    /// Takes an owner off a row and passes the row on.
    fn release(
        &mut self,
        slot: u32,
        owner: OwnerId,
        resource: ResourceId,
        graph: &WaitGraph,
        woken: &mut Woken,
    ) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        entry.remove_holder(owner);
        if entry.queue.is_some() {
            entry.grant_waiters(resource, &mut graph.lock(), woken);
        }
        if entry.is_unused() {
            self.free(slot);
        }
    }
}

impl RowLocks {
    pub(super) fn new(options: &LockOptions, graph: Arc<WaitGraph>, statistics: Arc<LockStatistics>) -> Self {
        let shards = options.shards.max(1).next_power_of_two();
        Self {
            shards: (0..shards).map(|_| Padded::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            max_per_shard: options.max_row_locks.div_ceil(shards).max(1),
            graph,
            statistics,
        }
    }

    fn hash(&self, tree: TreeId, key: &[u8]) -> u64 {
        self.hasher.hash_one((tree, key))
    }

    /// The table inside a shard goes by the lowest and the highest bits: take others here.
    fn shard_number(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    fn resource(&self, hash: u64, slot: u32) -> ResourceId {
        ResourceId(((self.shard_number(hash) as u64) << 32) | u64::from(slot))
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[self.shard_number(hash)].0
    }

    /// Locks a row; without `wait`, fails with [`LockError::WouldBlock`] in place of waiting.
    pub(super) fn lock(
        &self,
        owner: &mut LockOwner,
        tree: TreeId,
        key: &[u8],
        mode: LockMode,
        wait: Option<&WaitOptions>,
    ) -> Result<Granted, LockError> {
        let hash = self.hash(tree, key);
        let mut shard = self.shard(hash).lock();
        let Some(slot) = shard.find(hash, tree, key) else {
            let holder = Holder { owner: owner.id, mode };
            let slot =
                shard.insert(hash, tree, key, holder, self.max_per_shard).ok_or(LockError::TableFull)?;
            drop(shard);
            owner.rows.push(HeldRow { hash, slot });
            return Ok(Granted { newly: true });
        };
        let Some(entry) = shard.entries.get_mut(slot) else { return Err(LockError::TableFull) };
        let upgrade = match entry.decide(owner.id, mode) {
            Decision::Held => return Ok(Granted { newly: false }),
            Decision::Upgrade => {
                entry.add_or_upgrade(owner.id, mode);
                return Ok(Granted { newly: false });
            }
            Decision::Grant => {
                entry.add_or_upgrade(owner.id, mode);
                drop(shard);
                owner.rows.push(HeldRow { hash, slot });
                return Ok(Granted { newly: true });
            }
            Decision::Wait { upgrade } => upgrade,
        };
        let Some(wait) = wait else { return Err(LockError::WouldBlock) };
        if let Some(reason) = wait.cancel.reason() {
            return Err(LockError::Cancelled(reason));
        }

        LockStatistics::count(&self.statistics.waits);
        let waiter = Waiter::new(owner.id, owner.weight, Wanted::Row { tree, key: key.into(), mode });
        let resource = self.resource(hash, slot);
        let mut woken = Woken::new();
        entry.enqueue(Request { waiter: Arc::clone(&waiter), mode, upgrade });
        let waits = {
            let mut graph = self.graph.lock();
            graph.set_holders(resource, entry.holders.iter().map(|h| h.owner));
            let waits = graph.wait_for_resource(&waiter, resource, &mut woken);
            if !waits {
                entry.remove_waiter(&waiter);
                entry.grant_waiters(resource, &mut graph, &mut woken);
            }
            waits
        };
        if entry.is_unused() {
            shard.free(slot);
        }
        drop(shard);
        self.graph.wake(woken);
        let outcome = match waits {
            true => self.wait(&waiter, hash, slot, wait),
            false => {
                LockStatistics::count(&self.statistics.deadlocks);
                Err(LockError::Deadlock)
            }
        };
        outcome.map(|()| {
            if !upgrade {
                owner.rows.push(HeldRow { hash, slot });
            }
            Granted { newly: !upgrade }
        })
    }

    pub(super) fn is_used(&self, tree: TreeId, key: &[u8]) -> bool {
        let hash = self.hash(tree, key);
        self.shard(hash).lock().find(hash, tree, key).is_some()
    }

    /// Puts an exclusive lock into the table in the name of `to`'s owner; false if that has ended.
    pub(super) fn lend(&self, to: &LentLocks, tree: TreeId, key: &[u8]) -> Result<bool, LockError> {
        let mut rows = to.rows.lock();
        let Some(rows) = rows.as_mut() else { return Ok(false) };
        let hash = self.hash(tree, key);
        let holder = Holder { owner: to.owner, mode: LockMode::Exclusive };
        let mut shard = self.shard(hash).lock();
        let Some(slot) = shard.find(hash, tree, key) else {
            let slot =
                shard.insert(hash, tree, key, holder, self.max_per_shard).ok_or(LockError::TableFull)?;
            rows.push(HeldRow { hash, slot });
            return Ok(true);
        };
        let Some(entry) = shard.entries.get_mut(slot) else { return Err(LockError::TableFull) };
        // It met an entry, took its row back and waits for this lock: there is nothing to lend.
        if entry.queue.iter().flat_map(|queue| queue.iter()).any(|r| r.waiter.owner == to.owner) {
            return Ok(true);
        }
        // Otherwise it is listed already, here or by its owner.
        if !entry.holders.iter().any(|h| h.owner == to.owner) {
            rows.push(HeldRow { hash, slot });
        }
        entry.add_or_upgrade(to.owner, LockMode::Exclusive);
        let mut woken = Woken::new();
        if entry.queue.is_some() {
            // Those in the queue wait for it from now on, and it may wait for one of them.
            let mut graph = self.graph.lock();
            graph.set_holders(self.resource(hash, slot), entry.holders.iter().map(|h| h.owner));
            graph.break_cycles_of_holder(to.owner, &mut woken);
        }
        drop(shard);
        self.graph.wake(woken);
        Ok(true)
    }

    /// Closes an owner's list and lets go of what is on it.
    pub(super) fn take_back(&self, lent: &LentLocks) {
        let rows = lent.rows.lock().take();
        for row in rows.unwrap_or_default() {
            let mut woken = Woken::new();
            let resource = self.resource(row.hash, row.slot);
            self.shard(row.hash).lock().release(row.slot, lent.owner, resource, &self.graph, &mut woken);
            notify_all(woken);
        }
    }

    /// The rows that an owner holds, those that were lent to it too.
    pub(super) fn held(&self, owner: &LockOwner) -> Vec<(TreeId, Vec<u8>, LockMode)> {
        let one = |row: &HeldRow| {
            let shard = self.shard(row.hash).lock();
            let entry = shard.entries.get(row.slot)?;
            let holder = entry.holders.iter().find(|holder| holder.owner == owner.id)?;
            Some((entry.tree, entry.key.to_vec(), holder.mode))
        };
        let lent = owner.lent.as_ref().map(|lent| lent.rows.lock());
        let lent = lent.as_ref().and_then(|rows| rows.as_ref());
        owner.rows.iter().chain(lent.into_iter().flatten()).filter_map(one).collect()
    }

    /// Sleeps until the wait is over; afterwards it is out of queue and graph.
    fn wait(
        &self,
        waiter: &Arc<Waiter>,
        hash: u64,
        slot: u32,
        options: &WaitOptions,
    ) -> Result<(), LockError> {
        let woke = waiter.park(options);
        let result = match woke {
            Woke::Settled(WaitState::Granted) => Ok(()),
            Woke::Settled(_) => {
                self.leave_queue(waiter, hash, slot);
                Err(LockError::Deadlock)
            }
            Woke::TimedOut | Woke::Cancelled(_) => match (self.leave_queue(waiter, hash, slot), woke) {
                // Granted while it was about to give up: what is given is taken.
                (WaitState::Granted, _) => Ok(()),
                (WaitState::Deadlock, _) => Err(LockError::Deadlock),
                (_, Woke::Cancelled(reason)) => Err(LockError::Cancelled(reason)),
                (_, _) => Err(LockError::Timeout),
            },
        };
        self.statistics.ended(waiter, &result);
        result
    }

    /// Gives up a wait if it is still pending, and takes it out of the queue. Returns what it came to.
    fn leave_queue(&self, waiter: &Arc<Waiter>, hash: u64, slot: u32) -> WaitState {
        let mut woken = Woken::new();
        let mut shard = self.shard(hash).lock();
        let mut graph = self.graph.lock();
        let abandoned = graph.settle(waiter, WaitState::Abandoned);
        let state = if abandoned { WaitState::Abandoned } else { waiter.state() };
        // A victim may have been passed over meanwhile, and the slot be another row's: then it is not found.
        if let Some(entry) = shard.entries.get_mut(slot)
            && entry.remove_waiter(waiter)
        {
            entry.grant_waiters(self.resource(hash, slot), &mut graph, &mut woken);
            if entry.is_unused() {
                shard.free(slot);
            }
        }
        drop(graph);
        drop(shard);
        notify_all(woken);
        state
    }

    pub(super) fn unlock(&self, owner: &mut LockOwner, tree: TreeId, key: &[u8]) {
        let hash = self.hash(tree, key);
        let mut woken = Woken::new();
        {
            let mut shard = self.shard(hash).lock();
            let Some(slot) = shard.find(hash, tree, key) else { return };
            // The row was locked a moment ago: look from the end.
            let Some(at) = owner.rows.iter().rposition(|row| *row == HeldRow { hash, slot }) else { return };
            owner.rows.swap_remove(at);
            shard.release(slot, owner.id, self.resource(hash, slot), &self.graph, &mut woken);
        }
        notify_all(woken);
    }

    pub(super) fn release_all(&self, owner: &mut LockOwner) {
        /// From how many rows on it pays to visit each shard once.
        const SORT_FROM: usize = 256;
        let mut rows = std::mem::take(&mut owner.rows);
        if rows.len() < SORT_FROM {
            for row in &rows {
                let mut woken = Woken::new();
                self.shard(row.hash).lock().release(
                    row.slot,
                    owner.id,
                    self.resource(row.hash, row.slot),
                    &self.graph,
                    &mut woken,
                );
                notify_all(woken);
            }
            // The owner may lock again (a session's next transaction): keep the room.
            rows.clear();
            owner.rows = rows;
            return;
        }
        rows.sort_unstable_by_key(|row| self.shard_number(row.hash));
        // Others get a turn at the shard between runs.
        const RUN: usize = 512;
        for same_shard in rows.chunk_by(|a, b| self.shard_number(a.hash) == self.shard_number(b.hash)) {
            for run in same_shard.chunks(RUN) {
                let mut woken = Woken::new();
                if let Some(first) = run.first() {
                    let mut shard = self.shard(first.hash).lock();
                    for row in run {
                        let resource = self.resource(row.hash, row.slot);
                        shard.release(row.slot, owner.id, resource, &self.graph, &mut woken);
                    }
                }
                notify_all(woken);
            }
        }
    }

    pub(super) fn holds(&self, owner: OwnerId, tree: TreeId, key: &[u8]) -> Option<LockMode> {
        let hash = self.hash(tree, key);
        let shard = self.shard(hash).lock();
        let entry = shard.entries.get(shard.find(hash, tree, key)?)?;
        entry.holders.iter().find(|h| h.owner == owner).map(|h| h.mode)
    }

    /// How many rows are locked or waited for.
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().entries.len()).sum()
    }

    /// Copies at most `limit` locks and requests and counts the rest, a run of a shard at a time: not one moment's
    /// picture.
    pub(super) fn list(&self, limit: usize) -> RowLockList {
        /// So many places are looked at under a shard's mutex; then others get a turn.
        const RUN: u32 = 512;
        let mut list = RowLockList::default();
        for shard in &self.shards {
            let mut from = 0;
            loop {
                let shard = shard.0.lock();
                let end = shard.entries.places().min(from + RUN);
                for entry in (from..end).filter_map(|slot| shard.entries.get(slot)) {
                    let is_contended = entry.queue_len() > 0;
                    let mut add = |owner, mode, waiting_since| {
                        if list.locks.len() >= limit {
                            *list.more.entry(owner).or_default() += 1;
                            return;
                        }
                        let key = entry.key.to_vec();
                        let tree = entry.tree;
                        list.locks.push(RowLockInfo { owner, tree, key, mode, waiting_since, is_contended });
                    };
                    entry.holders.iter().for_each(|h| add(h.owner, h.mode, None));
                    let queue = entry.queue.iter().flat_map(|queue| queue.iter());
                    queue.for_each(|r| add(r.waiter.owner, r.mode, Some(r.waiter.since)));
                }
                if end == shard.entries.places() {
                    break;
                }
                from = end;
            }
        }
        list
    }

    /// The rows that somebody waits for.
    pub(super) fn contended(&self) -> Vec<RowQueue> {
        let mut found = Vec::new();
        for ResourceId(resource) in self.graph.resources() {
            let Some(shard) = self.shards.get((resource >> 32) as usize) else { continue };
            let shard = shard.0.lock();
            let Some(entry) = shard.entries.get(resource as u32).filter(|entry| entry.queue_len() > 0) else {
                continue;
            };
            let queue = entry.queue.iter().flat_map(|queue| queue.iter());
            found.push(RowQueue {
                tree: entry.tree,
                key: entry.key.to_vec(),
                holders: entry.holders.iter().map(|h| (h.owner, h.mode)).collect(),
                queue: queue.map(|r| (r.waiter.owner, r.mode, r.waiter.since)).collect(),
            });
        }
        found
    }
}
