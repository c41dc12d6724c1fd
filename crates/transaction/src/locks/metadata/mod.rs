//! Metadata locks: they keep a table's definition still while a statement or transaction uses it, and let DDL
//! wait for those who do.
//!
//! A statement takes a shared mode on each table that it names, for as long as its transaction lives; DDL takes
//! `Exclusive` for its statement. [`MdlMode`] has the modes and what goes together.
//!
//! Invariants:
//! - First come, first served among those who conflict: a request waits while another owner holds a
//!   conflicting mode, and behind every earlier waiter whose mode conflicts with its own. So a waiting DDL
//!   keeps new statements out and is not starved; `SharedHighPriority` looks at holders only. What goes
//!   together with all ahead of it does not wait.
//! - An owner that holds an upgradable mode asks for a stronger one ahead of the queue. Another holder's
//!   stronger request queues behind a waiting DDL like anyone's: that is a deadlock, it is found, and the
//!   statement on rows is its victim, as in MySQL.
//! - An owner that holds a mode which covers the request gets it at once, in whatever duration.
//! - A lock is held for a duration: the statement, the transaction, or until it is released explicitly.
//!   Explicit locks count: each is released once.
//! - Waits are nodes of the same wait-for graph as row and range locks.
//!
//! The uncontended way costs a hash, the mutex of one of 64 shards and a few list operations: whether a mode
//! fits is decided by counters per mode, not by a walk over the holders. A read that is over at once does not even take
//! that way ([`MetadataLocks::read_briefly`]).
//!
//! Lock order: shard -> graph -> waiter; never two shards.

mod brief;
mod key;
mod mode;
mod owner;
#[cfg(all(test, not(feature = "shuttle")))]
mod tests;

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;

use hashbrown::{DefaultHashBuilder, HashTable};
use rustydb_storage::sync::Mutex;

pub use brief::BriefRead;
pub use key::MdlKey;
pub use mode::MdlMode;
pub use owner::{MdlDuration, MdlMark, MetadataLockOwner};

use self::brief::{BriefReads, closes};
use self::owner::{Ticket, count_modes};
use super::LockError;
use super::deadlock::Wanted;
use super::graph::{Graph, Owners, WaitGraph};
use super::ids::OwnerId;
use super::slots::Slots;
use super::statistics::{LockCounters, LockStatistics};
use super::waiter::{WaitOptions, WaitState, Waiter, Woke, Woken, notify_all};

/// Under shuttle one: which objects share a shard must not depend on a random hash there.
const SHARDS: usize = if cfg!(feature = "shuttle") { 1 } else { 64 };
const MODES: usize = MdlMode::ALL.len();

/// How many locks there are in each mode.
type ModeCounts = [u32; MODES];

/// DDL outweighs any number of changed rows: it is the victim only among its like.
const DDL_WEIGHT: u64 = 1 << 62;

/// The table of metadata locks.
#[derive(Debug)]
pub struct MetadataLocks {
    shards: Box<[Padded]>,
    hasher: DefaultHashBuilder,
    brief: BriefReads,
    graph: Arc<WaitGraph>,
    statistics: LockStatistics,
}

/// A metadata lock or a request for one, for performance_schema.metadata_locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdlInfo {
    /// Who holds it or waits for it.
    pub owner: OwnerId,
    /// What it is on.
    pub key: MdlKey,
    /// In which mode.
    pub mode: MdlMode,
    /// For how long.
    pub duration: MdlDuration,
    /// None if it is held.
    pub waiting_since: Option<Instant>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

#[derive(Debug, Default)]
struct Shard {
    index: HashTable<u32>,
    entries: Slots<Entry>,
}

/// A held lock; None in a free place.
#[derive(Debug, Default)]
struct Holder {
    held: Option<(OwnerId, MdlMode, MdlDuration)>,
}

#[derive(Debug)]
struct Request {
    waiter: Arc<Waiter>,
    mode: MdlMode,
    duration: MdlDuration,
    /// Goes ahead of the queue.
    upgrade: bool,
    /// What its owner holds here, which can not change while it sleeps.
    mine: ModeCounts,
}

#[derive(Debug, Default)]
struct Entry {
    hash: u64,
    /// None in a free place.
    key: Option<MdlKey>,
    granted: ModeCounts,
    waiting: ModeCounts,
    holders: Slots<Holder>,
    queue: VecDeque<Request>,
}

impl Entry {
    /// Whether a request waits for another owner's lock.
    fn held_against(&self, mode: MdlMode, mine: &ModeCounts) -> bool {
        mode.conflicting().any(|held| self.granted[held as usize] > mine[held as usize])
    }

    fn add_holder(&mut self, owner: OwnerId, mode: MdlMode, duration: MdlDuration) -> Option<u32> {
        let (slot, holder) = self.holders.take()?;
        holder.held = Some((owner, mode, duration));
        self.granted[mode as usize] += 1;
        Some(slot)
    }

    fn remove_holder(&mut self, slot: u32) {
        if let Some((_, mode, _)) = self.holders.get_mut(slot).and_then(|holder| holder.held.take()) {
            self.granted[mode as usize] -= 1;
            self.holders.free(slot);
        }
    }

    /// Whom a new request at place `at` of the queue waits for.
    fn blockers(&self, owner: OwnerId, mode: MdlMode, at: usize) -> Owners {
        let held = self.holders.iter().filter_map(|holder| holder.held).map(|(of, held, _)| (of, held));
        let ahead = if mode == MdlMode::SharedHighPriority { 0 } else { at };
        let ahead = self.queue.iter().take(ahead).map(|request| (request.waiter.owner, request.mode));
        held.chain(ahead)
            .filter(|(of, other)| *of != owner && mode.conflicts_with(*other))
            .map(|(of, _)| of)
            .collect()
    }

    fn insert_request(&mut self, at: usize, request: Request) {
        self.waiting[request.mode as usize] += 1;
        self.queue.insert(at, request);
    }

    fn remove_request(&mut self, at: usize) -> Option<Request> {
        let request = self.queue.remove(at)?;
        self.waiting[request.mode as usize] -= 1;
        Some(request)
    }

    /// Has those who wait here and conflict with `mode` wait for `owner`, which is awake, or asks just now.
    fn blocked_by(&self, owner: OwnerId, mode: MdlMode, behind: usize, graph: &mut Graph) {
        let waiting = self.queue.iter().skip(behind);
        for request in waiting.filter(|r| r.waiter.owner != owner && r.mode.conflicts_with(mode)) {
            graph.update_owners(request.waiter.owner, |owners| {
                if !owners.contains(&owner) {
                    owners.push(owner);
                }
            });
        }
    }

    /// Has those who wait here no longer wait for `owner`, which had `mode` and still holds `still`.
    fn freed_by(&self, owner: OwnerId, mode: MdlMode, still: &ModeCounts, graph: &mut Graph) {
        for request in self.queue.iter().filter(|r| r.mode.conflicts_with(mode)) {
            if !request.mode.conflicting().any(|held| still[held as usize] > 0) {
                graph.update_owners(request.waiter.owner, |owners| owners.retain(|of| *of != owner));
            }
        }
    }

    /// Grants every request that no lock of another and no request ahead of it keeps waiting.
    fn grant_waiters(&mut self, graph: &mut Graph, woken: &mut Woken) {
        let mut ahead: ModeCounts = [0; MODES];
        let mut at = 0;
        while let Some(request) = self.queue.get(at) {
            let mode = request.mode;
            if request.waiter.state() == WaitState::Pending {
                let queued = mode != MdlMode::SharedHighPriority
                    && mode.conflicting().any(|other| ahead[other as usize] > 0);
                if queued || self.held_against(mode, &request.mine) {
                    ahead[mode as usize] += 1;
                    at += 1;
                    continue;
                }
            }
            let Some(Request { waiter, duration, .. }) = self.remove_request(at) else { break };
            if waiter.state() != WaitState::Pending {
                continue;
            }
            if let Some(place) = self.add_holder(waiter.owner, mode, duration) {
                waiter.set_place(place);
                graph.settle(&waiter, WaitState::Granted);
                self.blocked_by(waiter.owner, mode, 0, graph);
                woken.push(waiter);
            }
        }
    }

    fn is_unused(&self) -> bool {
        self.holders.len() == 0 && self.queue.is_empty()
    }
}

impl Shard {
    fn find(&self, hash: u64, key: &MdlKey) -> Option<u32> {
        let is_it = |&slot: &u32| self.entries.get(slot).is_some_and(|e| e.key.as_ref() == Some(key));
        self.index.find(hash, is_it).copied()
    }

    fn find_or_insert(&mut self, hash: u64, key: &MdlKey) -> Option<u32> {
        if let Some(slot) = self.find(hash, key) {
            return Some(slot);
        }
        let (slot, entry) = self.entries.take()?;
        entry.hash = hash;
        entry.key = Some(key.clone());
        let entries = &self.entries;
        self.index.insert_unique(hash, slot, |&slot| entries.get(slot).map_or(0, |e| e.hash));
        Some(slot)
    }

    fn free_if_unused(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot).filter(|entry| entry.is_unused()) else { return };
        // A victim may come to a place that was freed since.
        if entry.key.take().is_none() {
            return;
        }
        if let Ok(occupied) = self.index.find_entry(entry.hash, |&s| s == slot) {
            occupied.remove();
        }
        if self.entries.free(slot) {
            self.index = HashTable::new();
        }
    }
}

impl MetadataLocks {
    pub(super) fn new(graph: Arc<WaitGraph>) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Padded::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            brief: BriefReads::default(),
            graph,
            statistics: LockStatistics::default(),
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        &self.shards[(hash >> 32) as usize & (SHARDS - 1)].0
    }

    /// Locks an object; waits at most as `wait` says (MySQL's `lock_wait_timeout`).
    ///
    /// Who locks several objects exclusively takes them in the order of their keys.
    ///
    /// # Errors
    /// [`LockError::Timeout`], [`LockError::Deadlock`], [`LockError::Cancelled`]; nothing is locked then.
    pub fn acquire(
        &self,
        owner: &mut MetadataLockOwner,
        key: &MdlKey,
        mode: MdlMode,
        duration: MdlDuration,
        wait: &WaitOptions,
    ) -> Result<(), LockError> {
        self.lock(owner, key, mode, duration, Some(wait))
    }

    /// Locks an object if that needs no waiting.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`]
    pub fn try_acquire(
        &self,
        owner: &mut MetadataLockOwner,
        key: &MdlKey,
        mode: MdlMode,
        duration: MdlDuration,
    ) -> Result<(), LockError> {
        self.lock(owner, key, mode, duration, None)
    }

    /// Keeps the definitions of all tables still for one read that is over at once, as a lock in mode `SharedRead` on
    /// each would. The read may wait for pages, not for locks or clients. None: somebody holds or wants a lock that
    /// reads do not go together with, on whatever table; a lock tells.
    ///
    /// The owner asks for no lock before the read is over. The read is not among the locks that are
    /// [listed](MetadataLocks::list).
    pub fn read_briefly<'a>(&'a self, owner: &'a MetadataLockOwner) -> Option<BriefRead<'a>> {
        self.brief.enter(owner.id)
    }

    fn lock(
        &self,
        owner: &mut MetadataLockOwner,
        key: &MdlKey,
        mode: MdlMode,
        duration: MdlDuration,
        wait: Option<&WaitOptions>,
    ) -> Result<(), LockError> {
        if !closes(key, mode) {
            return self.lock_beside_reads(owner, key, mode, duration, wait);
        }
        self.brief.close();
        let held = owner.len();
        let result = self.lock_beside_reads(owner, key, mode, duration, wait);
        // The ticket keeps the way closed; there is none where another ticket covers the mode.
        match owner.tickets.get_mut(held) {
            Some(ticket) => ticket.closes = true,
            None => self.brief.open(),
        }
        result
    }

    /// Locks an object, with no regard to brief reads.
    fn lock_beside_reads(
        &self,
        owner: &mut MetadataLockOwner,
        key: &MdlKey,
        mode: MdlMode,
        duration: MdlDuration,
        wait: Option<&WaitOptions>,
    ) -> Result<(), LockError> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        let slot = shard.find_or_insert(hash, key).ok_or(LockError::TableFull)?;
        let Some(entry) = shard.entries.get_mut(slot) else { return Err(LockError::TableFull) };

        let mine = count_modes(owner.on(hash, slot));
        let covered = owner.on(hash, slot).any(|ticket| ticket.mode.covers(mode));
        let counts = duration == MdlDuration::Explicit;
        if covered && !counts && owner.on(hash, slot).any(|t| t.mode.covers(mode) && t.duration >= duration) {
            return Ok(());
        }
        let upgrade = owner.on(hash, slot).any(|ticket| ticket.mode.is_upgradable());
        let passes = upgrade || mode == MdlMode::SharedHighPriority;
        let queued = !passes && mode.conflicting().any(|other| entry.waiting[other as usize] > 0);
        if covered || (!queued && !entry.held_against(mode, &mine)) {
            let holder = entry.add_holder(owner.id, mode, duration).ok_or(LockError::TableFull)?;
            if !entry.queue.is_empty() {
                entry.blocked_by(owner.id, mode, 0, &mut self.graph.lock());
            }
            drop(shard);
            owner.add(hash, slot, holder, mode, duration);
            return Ok(());
        }
        let Some(wait) = wait else { return Err(LockError::WouldBlock) };
        if let Some(reason) = wait.cancel.reason() {
            return Err(LockError::Cancelled(reason));
        }

        LockStatistics::count(&self.statistics.waits);
        let weight = if mode.is_for_ddl() { DDL_WEIGHT } else { 0 } + owner.weight.min(DDL_WEIGHT - 1);
        let wanted = Wanted::Definition { key: key.clone(), mode };
        let waiter = Waiter::new(owner.id, weight, wanted);
        let mut woken = Woken::new();
        let at = match upgrade {
            true => entry.queue.iter().take_while(|request| request.upgrade).count(),
            false => entry.queue.len(),
        };
        let waits = {
            let mut graph = self.graph.lock();
            let blockers = entry.blockers(owner.id, mode, at);
            entry.blocked_by(owner.id, mode, at, &mut graph);
            let waits = graph.wait_for_owners(&waiter, blockers, &mut woken);
            if waits {
                let waiter = Arc::clone(&waiter);
                entry.insert_request(at, Request { waiter, mode, duration, upgrade, mine });
            } else {
                entry.freed_by(owner.id, mode, &mine, &mut graph);
            }
            waits
        };
        drop(shard);
        self.graph.wake(woken);
        if !waits {
            LockStatistics::count(&self.statistics.deadlocks);
            return Err(LockError::Deadlock);
        }
        let woke = waiter.park(wait);
        let result = match woke {
            Woke::Settled(WaitState::Granted) => Ok(()),
            _ => match (self.leave_queue(&waiter, hash, slot), woke) {
                (WaitState::Granted, _) => Ok(()),
                (WaitState::Abandoned, Woke::Cancelled(reason)) => Err(LockError::Cancelled(reason)),
                (WaitState::Abandoned, _) => Err(LockError::Timeout),
                (_, _) => Err(LockError::Deadlock),
            },
        };
        self.statistics.ended(&waiter, &result);
        if result.is_ok() {
            owner.add(hash, slot, waiter.place(), mode, duration);
        }
        result
    }

    /// Gives up a wait if it is still pending, and takes it out of the queue. Returns what it came to.
    fn leave_queue(&self, waiter: &Arc<Waiter>, hash: u64, slot: u32) -> WaitState {
        let mut woken = Woken::new();
        let mut shard = self.shard(hash).lock();
        let mut graph = self.graph.lock();
        let abandoned = graph.settle(waiter, WaitState::Abandoned);
        let state = if abandoned { WaitState::Abandoned } else { waiter.state() };
        if state != WaitState::Granted
            && let Some(entry) = shard.entries.get_mut(slot)
        {
            if let Some(at) = entry.queue.iter().position(|r| Arc::ptr_eq(&r.waiter, waiter))
                && let Some(request) = entry.remove_request(at)
            {
                entry.freed_by(waiter.owner, request.mode, &request.mine, &mut graph);
                entry.grant_waiters(&mut graph, &mut woken);
            }
            shard.free_if_unused(slot);
        }
        drop(graph);
        drop(shard);
        notify_all(woken);
        state
    }

    /// Lets go of what was locked for the statement.
    pub fn release_statement(&self, owner: &mut MetadataLockOwner) {
        self.release_where(owner, |ticket| ticket.duration == MdlDuration::Statement);
    }

    /// Lets go of what was locked for the statement or the transaction.
    pub fn release_transaction(&self, owner: &mut MetadataLockOwner) {
        self.release_where(owner, |ticket| ticket.duration <= MdlDuration::Transaction);
    }

    /// Lets go of what was locked for the transaction since `mark`: a rollback to a savepoint.
    pub fn release_since(&self, owner: &mut MetadataLockOwner, mark: MdlMark) {
        self.release_where(owner, |ticket| {
            ticket.duration == MdlDuration::Transaction && ticket.is_since(mark)
        });
    }

    /// Lets go of one explicit lock on an object, the last one taken. False if there is none.
    pub fn release_explicit(&self, owner: &mut MetadataLockOwner, key: &MdlKey) -> bool {
        let hash = self.hasher.hash_one(key);
        let Some(slot) = self.shard(hash).lock().find(hash, key) else { return false };
        let explicit = |ticket: &Ticket| ticket.is_on(hash, slot) && ticket.duration == MdlDuration::Explicit;
        let Some(at) = owner.tickets.iter().rposition(explicit) else { return false };
        let ticket = owner.tickets.remove(at);
        self.release(owner.id, &ticket, || count_modes(owner.on(hash, slot)));
        true
    }

    /// Lets go of all explicit locks whose key `which` names (UNLOCK TABLES, RELEASE_ALL_LOCKS); returns how
    /// many there were.
    pub fn release_explicit_where(
        &self,
        owner: &mut MetadataLockOwner,
        which: impl Fn(&MdlKey) -> bool,
    ) -> usize {
        let before = owner.len();
        self.release_where(owner, |ticket| {
            ticket.duration == MdlDuration::Explicit && {
                let shard = self.shard(ticket.hash).lock();
                shard.entries.get(ticket.slot).and_then(|entry| entry.key.as_ref()).is_some_and(&which)
            }
        });
        before - owner.len()
    }

    /// Lets go of everything: the session ends.
    pub fn release_all(&self, owner: &mut MetadataLockOwner) {
        self.release_where(owner, |_| true);
    }

    fn release_where(&self, owner: &mut MetadataLockOwner, which: impl FnMut(&Ticket) -> bool) {
        let mut released = owner.take(which);
        for (at, ticket) in released.iter().enumerate() {
            self.release(owner.id, ticket, || {
                let later = released.get(at + 1..).unwrap_or_default().iter();
                count_modes(
                    owner
                        .on(ticket.hash, ticket.slot)
                        .chain(later.filter(|t| t.is_on(ticket.hash, ticket.slot))),
                )
            });
        }
        // Keep the room for the next statement.
        if owner.tickets.capacity() == 0 {
            released.clear();
            owner.tickets = released;
        }
    }

    /// `still` counts what the owner holds on the object besides; asked for only if somebody waits.
    fn release(&self, owner: OwnerId, ticket: &Ticket, still: impl FnOnce() -> ModeCounts) {
        let mut woken = Woken::new();
        {
            let mut shard = self.shard(ticket.hash).lock();
            if let Some(entry) = shard.entries.get_mut(ticket.slot) {
                entry.remove_holder(ticket.holder);
                if !entry.queue.is_empty() {
                    let mut graph = self.graph.lock();
                    entry.freed_by(owner, ticket.mode, &still(), &mut graph);
                    entry.grant_waiters(&mut graph, &mut woken);
                }
            }
            shard.free_if_unused(ticket.slot);
        }
        if ticket.closes {
            self.brief.open();
        }
        notify_all(woken);
    }

    /// Whether the owner holds an object in this mode or one that covers it.
    pub fn holds(&self, owner: &MetadataLockOwner, key: &MdlKey, mode: MdlMode) -> bool {
        let hash = self.hasher.hash_one(key);
        let slot = self.shard(hash).lock().find(hash, key);
        slot.is_some_and(|slot| owner.on(hash, slot).any(|ticket| ticket.mode.covers(mode)))
    }

    /// Who holds an object exclusively (IS_USED_LOCK).
    pub fn exclusive_holder(&self, key: &MdlKey) -> Option<OwnerId> {
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash).lock();
        let entry = shard.entries.get(shard.find(hash, key)?)?;
        let mut held = entry.holders.iter().filter_map(|holder| holder.held);
        held.find(|(_, mode, _)| *mode == MdlMode::Exclusive).map(|(owner, _, _)| owner)
    }

    /// How many objects are locked or waited for.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().entries.len()).sum()
    }

    /// Whether nothing is locked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What has happened so far.
    pub fn counters(&self) -> LockCounters {
        self.statistics.read()
    }

    /// At most `limit` locks and requests, shard by shard: not one moment's picture.
    pub fn list(&self, limit: usize) -> Vec<MdlInfo> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.0.lock();
            for entry in shard.index.iter().filter_map(|&slot| shard.entries.get(slot)) {
                let Some(key) = &entry.key else { continue };
                let info = |owner, mode, duration, waiting_since| MdlInfo {
                    owner,
                    key: key.clone(),
                    mode,
                    duration,
                    waiting_since,
                };
                let held = entry.holders.iter().filter_map(|holder| holder.held);
                found.extend(held.map(|(owner, mode, duration)| info(owner, mode, duration, None)));
                found.extend(
                    entry
                        .queue
                        .iter()
                        .map(|r| info(r.waiter.owner, r.mode, r.duration, Some(r.waiter.since))),
                );
                if found.len() >= limit {
                    found.truncate(limit);
                    return found;
                }
            }
        }
        found
    }
}
