//! Purge: versions that no snapshot needs, and entries of rows deleted for everybody, go.
//!
//! ```text
//!   commit --list of keys--> waiting --visible--> look at each key: drop versions (see `versions`)
//!                                                   none left: take a tombstone out of the leaf
//!                                                   some left: the key is parked under the snapshot
//!                                                              that needs the oldest of them
//!   that snapshot ends -----> parked ------------> look at the key again
//! ```
//! Every commit leaves the list of keys it changed. A list waits until every snapshot sees its commit, or until
//! purge has come by once more: most snapshots are of short statements. Then it is worked off for good; what a
//! long-lived snapshot still needs is parked, each key once, however often it is changed meanwhile. So what
//! purge remembers is bounded by the commits of some milliseconds and the keys that have versions.
//!
//! # Tombstones and the log
//!
//! A tombstone that is still in its leaf when the store goes down has to be found again, or it would stay for
//! good: recovery reads the deletes in the log. So the log is kept from the first record of the oldest list
//! with a delete on, and for parked tombstones from the oldest of them on. Where that has become much log for
//! few tombstones, a checkpoint writes their keys into the log anew and lets go of the old part. Lists without
//! deletes keep no log. A tombstone whose page cannot be read keeps neither purge nor the log ([`crate::set_aside`]).
//!
//! Lock order: `parked`, then a leaf's latch, then a shard of versions; `waiting` alone. Who drops a tree holds
//! `parked`: purge must not be inside a tree that goes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hashbrown::HashSet;
use rustydb_storage::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use rustydb_storage::wal::Record;
use rustydb_storage::{Lsn, TreeId};

use crate::engine::Engine;
use crate::error::Result;
use crate::set_aside::{SetAside, is_of_one_page};
use crate::snapshot::View;
use crate::versions::Visit;

/// How many parked keys are looked at before whoever drops a tree gets a turn.
const CHUNK: usize = 1024;
/// Less log than this is not worth writing tombstones anew.
const REWRITE_FROM: u64 = 1 << 20;
/// The log that is let go of is so many times what is written for it.
const REWRITE_FACTOR: u64 = 4;
/// About so many bytes of keys make a record.
const RECORD_BYTES: usize = 32 << 10;

/// A key of a tree.
pub(crate) type TreeKey = (TreeId, Arc<[u8]>);

/// A key that a transaction has changed.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) key: TreeKey,
    /// Whether the change may have left a tombstone.
    pub(crate) is_delete: bool,
}

/// What one commit has left.
#[derive(Debug)]
pub(crate) struct Leftover {
    csn: u64,
    /// The transaction's first record, if one of the changes was a delete.
    first: Option<Lsn>,
    keys: Vec<Changed>,
}

/// What waits for purge.
#[derive(Debug)]
pub(crate) struct PurgeQueue {
    waiting: Mutex<Waiting>,
    parked: Mutex<Parked>,
    parked_keys: AtomicUsize,
    set_aside_keys: AtomicUsize,
    /// The log is kept from here on for parked tombstones.
    tombstones_from: AtomicU64,
}

impl Default for PurgeQueue {
    fn default() -> PurgeQueue {
        PurgeQueue {
            waiting: Mutex::default(),
            parked: Mutex::default(),
            parked_keys: AtomicUsize::new(0),
            set_aside_keys: AtomicUsize::new(0),
            tombstones_from: AtomicU64::new(u64::MAX),
        }
    }
}

/// Lists of keys, oldest commit first.
#[derive(Debug, Default)]
struct Waiting {
    lists: VecDeque<Leftover>,
    /// The first record of the list that was taken out and is being worked on.
    in_work: Option<Lsn>,
    /// What was visible when purge last came by.
    visible_then: u64,
}

/// Keys whose versions a snapshot needs.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    /// By the snapshot that is waited for.
    keys: BTreeMap<u64, HashSet<TreeKey>>,
    /// Those of them that may have a tombstone, and those that are set aside.
    tombstones: HashSet<TreeKey>,
    pub(crate) set_aside: SetAside,
}

impl PurgeQueue {
    /// Hands a list in.
    pub(crate) fn push(&self, csn: u64, first: Lsn, keys: Vec<Changed>) {
        let first = keys.iter().any(|changed| changed.is_delete).then_some(first);
        self.push_list(Leftover { csn, first, keys });
    }

    fn push_list(&self, leftover: Leftover) {
        let lists = &mut self.waiting.lock().lists;
        // Commits that overtook each other on the way here differ by a few places.
        let at = lists.iter().rposition(|list| list.csn <= leftover.csn).map_or(0, |index| index + 1);
        lists.insert(at, leftover);
    }

    /// Takes the oldest list out, if it may be worked off; [`PurgeQueue::done`] follows.
    fn take(&self, view: &View) -> Option<Leftover> {
        let mut waiting = self.waiting.lock();
        let limit = view.horizon().max(waiting.visible_then);
        if waiting.lists.front().is_none_or(|list| list.csn > limit) {
            return None;
        }
        let taken = waiting.lists.pop_front();
        waiting.in_work = taken.as_ref().and_then(|list| list.first);
        taken
    }

    /// Purge has come by.
    fn passed(&self, view: &View) {
        self.waiting.lock().visible_then = view.visible;
    }

    /// The list that was taken out is worked off.
    fn done(&self) {
        self.waiting.lock().in_work = None;
    }

    /// How many lists wait, how many keys are parked and how many are set aside.
    pub(crate) fn len(&self) -> (usize, usize, usize) {
        let waiting = self.waiting.lock().lists.len();
        (waiting, self.parked_keys.load(Ordering::Relaxed), self.set_aside_keys.load(Ordering::Relaxed))
    }

    /// The log is needed from here on to find tombstones again.
    pub(crate) fn oldest(&self) -> Lsn {
        let waiting = self.waiting.lock();
        let lists = waiting.lists.iter().filter_map(|list| list.first).chain(waiting.in_work).min();
        // Read under the lock: a list is out of work only once its tombstones count here.
        let parked = Lsn(self.tombstones_from.load(Ordering::SeqCst));
        lists.map_or(parked, |lsn| lsn.min(parked))
    }

    /// Keeps purge out.
    pub(crate) fn pause(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock()
    }

    pub(crate) fn park(&self, parked: &mut Parked, snapshot: u64, key: &TreeKey) {
        let is_new = parked.keys.entry(snapshot).or_default().insert(key.clone());
        self.parked_keys.fetch_add(usize::from(is_new), Ordering::Relaxed);
    }

    fn unpark(&self, parked: &mut Parked, snapshot: u64, key: &TreeKey) {
        let Some(keys) = parked.keys.get_mut(&snapshot) else { return };
        let was_there = keys.remove(key);
        self.parked_keys.fetch_sub(usize::from(was_there), Ordering::Relaxed);
        if keys.is_empty() {
            parked.keys.remove(&snapshot);
        }
    }

    pub(crate) fn park_tombstone(&self, parked: &mut Parked, key: &TreeKey, lsn: Lsn) {
        parked.tombstones.insert(key.clone());
        self.tombstones_from.fetch_min(lsn.0, Ordering::SeqCst);
    }

    pub(crate) fn forget_tombstone(&self, parked: &mut Parked, key: &TreeKey) {
        parked.tombstones.remove(key);
        if parked.tombstones.is_empty() {
            self.tombstones_from.store(u64::MAX, Ordering::SeqCst);
        }
    }

    /// Takes keys out whose snapshot has ended.
    fn take_parked(&self, parked: &mut Parked, view: &View) -> Option<(u64, Vec<TreeKey>)> {
        let snapshot = *parked.keys.keys().find(|&&snapshot| !view.contains(snapshot))?;
        let keys = parked.keys.get_mut(&snapshot)?;
        let taken: Vec<TreeKey> = keys.extract_if(|_| true).take(CHUNK).collect();
        if keys.is_empty() {
            parked.keys.remove(&snapshot);
        }
        self.parked_keys.fetch_sub(taken.len(), Ordering::Relaxed);
        Some((snapshot, taken))
    }
}

impl Engine {
    /// Purges what no snapshot needs any more. Gives how many commits were worked off.
    ///
    /// # Errors
    /// The store's own.
    pub fn purge(&self) -> Result<usize> {
        let queue = &self.purge_queue;
        let mut worked_off = 0;
        self.enforce_limits();
        // What is left of a full disk is for rollbacks.
        self.log().check_room()?;
        // One view serves all: that it grows old does no harm, and what comes meanwhile is for the next time.
        let view = self.view();
        loop {
            // Let go of between lists, for whoever drops a tree.
            let mut parked = queue.pause();
            let Some(leftover) = queue.take(&view) else { break };
            let purged = self.purge_commit(&mut parked, &leftover, &view);
            if purged.is_err() {
                // Nothing is lost: the list comes again.
                queue.push_list(leftover);
            }
            queue.done();
            purged?;
            worked_off += 1;
        }
        queue.passed(&view);
        loop {
            let mut parked = queue.pause();
            let Some((snapshot, keys)) = queue.take_parked(&mut parked, &view) else { break };
            for (at, key) in keys.iter().enumerate() {
                let done = self.purge_parked(&mut parked, key, snapshot, &view);
                if let Err(error) = self.set_aside_if_its_page_fails(&mut parked, key, done) {
                    for key in keys.iter().skip(at) {
                        queue.park(&mut parked, snapshot, key);
                    }
                    return Err(error);
                }
            }
        }
        self.purge_set_aside(&view)?;
        queue.set_aside_keys.store(queue.pause().set_aside.len(), Ordering::Relaxed);
        Ok(worked_off)
    }

    fn purge_commit(&self, parked: &mut Parked, leftover: &Leftover, view: &View) -> Result<()> {
        for Changed { key, is_delete } in &leftover.keys {
            let delete = leftover.first.filter(|_| *is_delete);
            let done = self.purge_key(parked, key, delete, view);
            if let (Err(error), Some(lsn)) = (&done, delete)
                && is_of_one_page(error)
            {
                self.purge_queue.park_tombstone(parked, key, lsn);
            }
            self.set_aside_if_its_page_fails(parked, key, done)?;
        }
        Ok(())
    }

    /// `delete` says from where on the log is needed to find a tombstone again that the change may have left.
    fn purge_key(&self, parked: &mut Parked, key: &TreeKey, delete: Option<Lsn>, view: &View) -> Result<()> {
        let queue = &self.purge_queue;
        let mut visit = self.versions.visit(key.0, &key.1, view, None, delete.is_some());
        if visit == Visit::Dead {
            if self.remove_dead(parked, key, view)? {
                return Ok(());
            }
            visit = self.versions.visit(key.0, &key.1, view, None, false);
        }
        if let Visit::Waits(snapshot) = visit {
            queue.park(parked, snapshot, key);
        }
        match (visit, delete) {
            (Visit::Waits(_) | Visit::WaitsAlready, Some(lsn)) => queue.park_tombstone(parked, key, lsn),
            (Visit::Gone, Some(_)) => self.remove_tombstone(key)?,
            // A tombstone that is not the newest change is found by whoever ends that change: a commit
            // leaves no tombstone or has one of its own, a rollback and recovery hand it in again.
            _ => {}
        }
        Ok(())
    }

    fn purge_parked(&self, parked: &mut Parked, key: &TreeKey, snapshot: u64, view: &View) -> Result<()> {
        let queue = &self.purge_queue;
        match self.versions.visit(key.0, &key.1, view, Some(snapshot), false) {
            Visit::Waits(next) => queue.park(parked, next, key),
            Visit::WaitsAlready | Visit::Dead => {}
            Visit::Gone => {
                if parked.tombstones.contains(key) {
                    self.remove_tombstone(key)?;
                    queue.forget_tombstone(parked, key);
                }
            }
            Visit::InUse => queue.forget_tombstone(parked, key),
        }
        Ok(())
    }

    /// Takes a tombstone out with versions that have no row for anybody. Gives whether nothing is left of the key.
    pub(crate) fn remove_dead(&self, parked: &mut Parked, key: &TreeKey, view: &View) -> Result<bool> {
        let (mut is_gone, mut waited_for) = (false, None);
        match self.store().tree(key.0) {
            Ok(tree) => {
                tree.remove_tombstone(&key.1, || {
                    (is_gone, waited_for) = self.versions.forget_dead(key.0, &key.1, view);
                    is_gone
                })?;
            }
            Err(rustydb_storage::Error::UnknownTree { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if is_gone {
            if let Some(snapshot) = waited_for {
                self.purge_queue.unpark(parked, snapshot, key);
            }
            self.purge_queue.forget_tombstone(parked, key);
        }
        Ok(is_gone)
    }

    pub(crate) fn remove_tombstone(&self, (id, key): &TreeKey) -> Result<()> {
        match self.store().tree(*id) {
            Ok(tree) => {
                tree.remove_tombstone(key, || !self.versions.has_chain(*id, key))?;
                Ok(())
            }
            Err(rustydb_storage::Error::UnknownTree { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the keys of parked tombstones into the log anew where they keep much of it, so that a checkpoint
    /// can let go of that.
    pub(crate) fn rewrite_tombstones(&self) -> Result<()> {
        let parked = self.purge_queue.pause();
        let (log, from) = (self.log(), &self.purge_queue.tombstones_from);
        let kept = log.end().0.saturating_sub(from.load(Ordering::SeqCst));
        let bytes: usize = parked.tombstones.iter().map(|(_, key)| key.len() + 8).sum();
        if kept < (REWRITE_FACTOR * bytes as u64).max(REWRITE_FROM) {
            return Ok(());
        }
        let end = log.end();
        let (mut keys, mut record) = (Vec::new(), Vec::new());
        let mut remaining = parked.tombstones.iter().peekable();
        while let Some((tree, key)) = remaining.next() {
            Record::put_tombstone(*tree, key, &mut keys);
            if keys.len() >= RECORD_BYTES || remaining.peek().is_none() {
                log.check_room()?;
                if log.is_crowded() {
                    log.flush(log.end())?;
                }
                record.clear();
                Record::Tombstones(&keys).encode(&mut record);
                log.append(&record)?;
                keys.clear();
            }
        }
        from.store(end.0, Ordering::SeqCst);
        Ok(())
    }
}
