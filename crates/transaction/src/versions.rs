//! Older versions of rows, in memory.
//!
//! ```text
//!   leaf:   newest version                      written by the last writer in the chain
//!   chain:  (tree, key) -> [ oldest | ... | newest ]   each: who wrote, and what stood there before
//! ```
//! A reader starts with the leaf's version and goes back while the writer of what it has is not one it
//! may see, taking what stood there before. No chain: what the leaf has is for everybody, which is the
//! common case, and a page whose last change is older than every unfinished transaction needs no look
//! at all (see [`crate::snapshot`]).
//!
//! # Which versions are dropped, and why no reader notices
//!
//! Writers hold the row's lock until they have their commit number, so along a chain the numbers never fall,
//! and what is uncommitted is of one writer and at the newest end:
//!
//! ```text
//!   csn:       c0   <=   c1   <=   c2   <=  ... (committed)     uncommitted
//!   before:    b0        b1        b2                           b3
//!   readers:  S<c0    c0<=S<c1  c1<=S<c2                        S>=c2 that are not the writer
//! ```
//! So a reader at `S` that is not the writer takes the `before` of the first version whose number is above
//! `S`, or else the leaf; each `before` has its own interval of readers. A version is dropped when it is
//! committed, its number `c` is not above the `visible` of a [`View`], and no snapshot of that view lies
//! in its interval. Nobody misses it:
//! - of the snapshots in use none reads it, as the view names them all below `visible`;
//! - a later one has a number of at least `visible`, and thus of at least `c`: it reads further right;
//! - taking it out gives its interval to its right neighbour, and the interval has no reader. So all others
//!   find the same version as before, and the other intervals stay what they were for all that is to come;
//! - its writer has ended, so nobody takes it back, and reads of its own are no more.
//!
//! A serializable reader also has to learn which serializable writers it does not see ([`crate::serial`]). So
//! their versions stay while such a reader runs, which is bounded there.
//!
//! A row that came and went again within the life of a snapshot (an index entry of a counter, say) is a tombstone
//! for everybody else, and before it there was nothing. Whoever reads finds no row, by the versions or without
//! them: so the tombstone and its versions go together, under the leaf's latch.
//!
//! What is left is at most one version for each pair of key and snapshot in use, those of the last commits
//! that are not visible yet, and those of unfinished transactions, for keys that some snapshot or the leaf has a
//! row for: memory does not grow with the number of updates. Versions are dropped by purge, some milliseconds
//! after their commit, and at once where a key's chain has grown long before purge came by.
//!
//! # Memory
//!
//! From half of `undo_memory` on, images of rows go to temporary files ([`crate::spill`]) and come back when they are
//! read. What stays in memory is a bounded amount for each change of an unfinished transaction, and for each version that
//! a snapshot needs: at the whole of `undo_memory`, transactions that have changed many rows may change no more, and
//! snapshots that have been in use for long are given up ([`crate::limits`]).
//!
//! Invariants:
//! - Changes of the newest end come, with the leaf's, under the leaf's exclusive latch; a reader looks at
//!   both under the shared latch. Dropping needs no latch: it changes nothing that anybody reads.
//! - Restart undoes what was unfinished before anybody reads, so nothing here has to survive.
//!
//! Lock order: a latch, then one shard.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hashbrown::DefaultHashBuilder;
use rustydb_storage::btree::Entry;
use rustydb_storage::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use rustydb_storage::{State, TreeId};
use smallvec::SmallVec;

use crate::error::Result;
use crate::keyed::{KeyPlace, Keyed};
use crate::locks::LentLocks;
use crate::snapshot::View;
use crate::spill::{Spill, Spilled};

/// Under shuttle one: which keys share a shard must not depend on a random hash there.
const SHARDS: usize = if cfg!(feature = "shuttle") { 1 } else { 64 };
const ACTIVE: u64 = 0;

/// No transaction has this number.
const NOBODY: u64 = u64::MAX;

/// One transaction as its versions know it.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) transaction: u64,
    /// Its commit sequence number; zero while it is not committed.
    csn: AtomicU64,
    /// Where its commit record is; valid once `csn` is set.
    lsn: AtomicU64,
    /// Whether it is a serializable transaction.
    is_serial: bool,
    /// Whether it has to be rolled back, as it keeps too much of the log.
    is_refused: AtomicBool,
    /// Where others lock the rows that it has inserted, in its name.
    pub(crate) lent: Arc<LentLocks>,
}

impl Writer {
    pub(crate) fn new(transaction: u64, is_serial: bool, lent: Arc<LentLocks>) -> Writer {
        Writer {
            transaction,
            csn: AtomicU64::new(ACTIVE),
            lsn: AtomicU64::new(0),
            is_serial,
            is_refused: AtomicBool::new(false),
            lent,
        }
    }

    pub(crate) fn commit(&self, csn: u64, lsn: u64) {
        self.lsn.store(lsn, Ordering::Relaxed);
        self.csn.store(csn, Ordering::Release);
    }

    /// Commit sequence number and record position, once committed.
    pub(crate) fn committed(&self) -> Option<(u64, u64)> {
        match self.csn.load(Ordering::Acquire) {
            ACTIVE => None,
            csn => Some((csn, self.lsn.load(Ordering::Relaxed))),
        }
    }

    /// Has the transaction rolled back at its next step; gives whether nobody did before.
    pub(crate) fn refuse(&self) -> bool {
        !self.is_refused.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    fn is_visible(&self, csn: u64, reader: u64) -> bool {
        self.transaction == reader || self.committed().is_some_and(|(committed, _)| committed <= csn)
    }
}

/// What a version takes beside key and image, about: its place in the chain's, the index, its transaction's list of
/// changes and purge's of keys.
const VERSION_BYTES: usize = 160;

/// Shorter images are not worth a file.
const LEAST_SPILLED: usize = 64;

/// What stood at a key.
#[derive(Clone, Debug)]
pub(crate) enum Before {
    Absent,
    Tombstone,
    Value(Arc<[u8]>),
    /// A value that is in a file.
    Spilled(Arc<Spilled>),
}

impl Before {
    pub(crate) fn from_state(state: State<'_>) -> Before {
        match state {
            State::Absent => Before::Absent,
            State::Tombstone => Before::Tombstone,
            State::Value(value) => Before::Value(value.into()),
        }
    }

    /// As it was before; what is in a file is read into `image`.
    pub(crate) fn state<'a>(&'a self, image: &'a mut Vec<u8>) -> Result<State<'a>> {
        Ok(match self {
            Before::Absent => State::Absent,
            Before::Tombstone => State::Tombstone,
            Before::Value(value) => State::Value(value),
            Before::Spilled(spilled) => {
                *image = spilled.read()?;
                State::Value(image)
            }
        })
    }

    /// Whether there was a row.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self, Before::Value(_) | Before::Spilled(_))
    }

    /// The memory of a version with this image, but for its key.
    fn bytes(&self) -> usize {
        VERSION_BYTES + if let Before::Value(value) = self { value.len() } else { 0 }
    }
}

#[derive(Debug)]
struct Version {
    writer: Arc<Writer>,
    before: Before,
}

/// A chain of so many versions is looked through by its writer, who does not wait for purge.
const LONG: u32 = 8;

#[derive(Debug)]
struct Chain {
    versions: SmallVec<[Version; 1]>,
    /// The length from which on its writer looks for versions to drop.
    long_from: u32,
    /// The snapshot that purge waits for to come by again.
    waits_for: Option<u64>,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { versions: SmallVec::new(), long_from: LONG, waits_for: None }
    }
}

impl Chain {
    /// Whether all its versions are committed and visible and have had no row before them.
    fn is_dead(&self, view: &View) -> bool {
        self.versions.iter().all(|version| {
            let csn = version.writer.committed().map(|(csn, _)| csn).filter(|csn| *csn <= view.visible);
            let is_needed = |csn| version.writer.is_serial && view.is_unseen_by_serial(csn);
            !version.before.is_live() && csn.is_some_and(|csn| !is_needed(csn))
        })
    }

    /// Drops what no reader goes back to; gives the bytes that were freed.
    fn prune(&mut self, view: &View, key: usize) -> usize {
        let mut freed = 0;
        let (mut before, mut is_done) = (0, false);
        self.versions.retain(|version| {
            let csn = match version.writer.committed() {
                Some((csn, _)) if csn <= view.visible && !is_done => csn,
                _ => {
                    is_done = true;
                    return true;
                }
            };
            let has_reader = view.newest_below(csn).is_some_and(|newest| newest >= before)
                || (version.writer.is_serial && view.is_unseen_by_serial(csn));
            before = csn;
            if !has_reader {
                freed += version.before.bytes() + key;
            }
            has_reader
        });
        // What is left was worth keeping: it is looked through again at twice the length.
        self.long_from = (2 * self.versions.len() as u32).max(LONG);
        freed
    }
}

/// What a new version was put on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The commit that made what stood there, if that is still known: what is not is seen by everybody.
    pub(crate) built_on: Option<u64>,
    /// The chain has grown long, and is to be pruned.
    pub(crate) is_long: bool,
}

/// What purge found at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    /// No versions are left.
    Gone,
    /// All that is left says to its readers that there is no row. If the leaf has none either, both may go.
    Dead,
    /// Its oldest version is for the readers at this snapshot; come again when they have ended.
    Waits(u64),
    /// It waits for a snapshot already.
    WaitsAlready,
    /// All that is left is by writers whose end brings the key again.
    InUse,
}

type Shard = Mutex<Keyed<Chain>>;

/// All chains.
#[derive(Debug)]
pub(crate) struct Versions {
    hasher: DefaultHashBuilder,
    shards: Vec<Shard>,
    bytes: AtomicUsize,
    /// How much memory all may take.
    memory: AtomicUsize,
    least_spilled: usize,
    spill: Option<Spill>,
}

impl Default for Versions {
    fn default() -> Versions {
        Versions {
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            bytes: AtomicUsize::new(0),
            memory: AtomicUsize::new(usize::MAX),
            least_spilled: LEAST_SPILLED,
            spill: None,
        }
    }
}

/// Shows `f` what a reader sees that goes back to `before`, or else to the leaf.
fn show<R>(before: Option<Before>, leaf: Option<Entry<'_>>, f: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
    match before {
        None => Ok(leaf.filter(|entry| !entry.is_tombstone).map(|entry| f(entry.value))),
        Some(Before::Absent | Before::Tombstone) => Ok(None),
        Some(Before::Value(value)) => Ok(Some(f(&value))),
        Some(Before::Spilled(spilled)) => Ok(Some(f(&spilled.read()?))),
    }
}

impl Versions {
    pub(crate) fn new(spill: Spill, memory: u64) -> Versions {
        let versions = Versions { spill: Some(spill), ..Versions::default() };
        versions.set_memory(memory);
        versions
    }

    pub(crate) fn set_memory(&self, bytes: u64) {
        self.memory.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Whether they take all the memory that they may.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= self.memory.load(Ordering::Relaxed)
    }

    /// Bytes of images in files.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.spill.as_ref().map_or(0, Spill::bytes)
    }

    /// Removes files that nothing needs any more.
    pub(crate) fn tidy(&self) {
        if let Some(spill) = &self.spill {
            spill.tidy();
        }
    }

    fn before(&self, state: State<'_>) -> Before {
        if let (State::Value(image), Some(spill)) = (state, &self.spill)
            && image.len() >= self.least_spilled
            && self.bytes() >= self.memory.load(Ordering::Relaxed) / 2
            && let Ok(spilled) = spill.write(image)
        {
            return Before::Spilled(spilled);
        }
        Before::from_state(state)
    }

    fn place<'a>(&self, tree: TreeId, key: &'a [u8]) -> KeyPlace<'a> {
        KeyPlace { hash: self.hasher.hash_one((tree, key)), tree, key }
    }

    fn shard(&self, place: &KeyPlace<'_>) -> &Shard {
        // The table itself uses the lower half.
        &self.shards[(place.hash >> 40) as usize & (SHARDS - 1)]
    }

    /// Adds what stood at a key before `writer` changed it.
    pub(crate) fn push(
        &self,
        tree: TreeId,
        key: &Arc<[u8]>,
        writer: &Arc<Writer>,
        before: State<'_>,
    ) -> Pushed {
        let before = self.before(before);
        self.bytes.fetch_add(before.bytes() + key.len(), Ordering::Relaxed);
        let place = self.place(tree, key);
        let mut shard = self.shard(&place).lock();
        // Memory ends long before the numbers of entries do.
        let Some(chain) = shard.get_or_default(&place, key) else { return Pushed::default() };
        let newest = chain.versions.last().and_then(|version| version.writer.committed());
        chain.versions.push(Version { writer: writer.clone(), before });
        let is_long = chain.versions.len() as u32 >= chain.long_from;
        Pushed { built_on: newest.map(|(csn, _)| csn), is_long }
    }

    /// What stood at a key before the newest change.
    pub(crate) fn newest_before(&self, tree: TreeId, key: &[u8]) -> Option<Before> {
        let key = self.place(tree, key);
        self.shard(&key).lock().get(&key)?.versions.last().map(|version| version.before.clone())
    }

    /// Forgets the newest change, which was taken back.
    pub(crate) fn pop(&self, tree: TreeId, key: &[u8]) {
        let wanted = self.place(tree, key);
        let mut shard = self.shard(&wanted).lock();
        let Some(chain) = shard.get_mut(&wanted) else { return };
        if let Some(version) = chain.versions.pop() {
            self.bytes.fetch_sub(version.before.bytes() + key.len(), Ordering::Relaxed);
        }
        if chain.versions.is_empty() {
            shard.remove(&wanted);
        }
    }

    /// Who changed a key last, if that is an unfinished transaction other than `reader`.
    pub(crate) fn unfinished_writer(&self, tree: TreeId, key: &[u8], reader: u64) -> Option<Arc<Writer>> {
        let key = self.place(tree, key);
        let shard = self.shard(&key).lock();
        let writer = &shard.get(&key)?.versions.last()?.writer;
        (writer.transaction != reader && writer.committed().is_none()).then(|| writer.clone())
    }

    /// Who changed a key last.
    pub(crate) fn newest_writer(&self, tree: TreeId, key: &[u8]) -> Option<Arc<Writer>> {
        let key = self.place(tree, key);
        self.shard(&key).lock().get(&key)?.versions.last().map(|version| version.writer.clone())
    }

    /// Whether a key has versions.
    pub(crate) fn has_chain(&self, tree: TreeId, key: &[u8]) -> bool {
        let key = self.place(tree, key);
        self.shard(&key).lock().contains_key(&key)
    }

    /// Shows `f` the value that a reader at `csn` sees, given what the leaf has; `unseen` hears the transactions
    /// whose changes it does not see.
    ///
    /// # Errors
    /// When it is in a file that cannot be read.
    #[expect(clippy::too_many_arguments, reason = "what a reader brings along")]
    pub(crate) fn resolve<R>(
        &self,
        tree: TreeId,
        key: &[u8],
        leaf: Option<Entry<'_>>,
        csn: u64,
        reader: u64,
        mut unseen: impl FnMut(u64),
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>> {
        let wanted = self.place(tree, key);
        let shard = self.shard(&wanted).lock();
        let mut seen = None;
        if let Some(chain) = shard.get(&wanted) {
            for version in chain.versions.iter().rev() {
                if version.writer.is_visible(csn, reader) {
                    break;
                }
                unseen(version.writer.transaction);
                seen = Some(version.before.clone());
            }
        }
        drop(shard);
        show(seen, leaf, f)
    }

    /// Shows `f` the value that is committed now, for readers without a snapshot. `visible` is asked while no version
    /// of the key can be dropped: those that were dropped before are not needed at that number or a later one.
    ///
    /// # Errors
    /// When it is in a file that cannot be read.
    pub(crate) fn resolve_now<R>(
        &self,
        tree: TreeId,
        key: &[u8],
        leaf: Option<Entry<'_>>,
        visible: impl FnOnce() -> u64,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>> {
        let wanted = self.place(tree, key);
        let shard = self.shard(&wanted).lock();
        let csn = visible();
        let unseen = shard.get(&wanted).and_then(|chain| {
            let unseen = chain.versions.iter().rev().take_while(|v| !v.writer.is_visible(csn, NOBODY));
            unseen.last().map(|version| version.before.clone())
        });
        drop(shard);
        show(unseen, leaf, f)
    }

    /// Drops the versions of a key that no reader goes back to.
    pub(crate) fn prune(&self, tree: TreeId, key: &[u8], view: &View) {
        let wanted = self.place(tree, key);
        let mut shard = self.shard(&wanted).lock();
        let Some(chain) = shard.get_mut(&wanted) else { return };
        self.bytes.fetch_sub(chain.prune(view, key.len()), Ordering::Relaxed);
        if chain.versions.is_empty() {
            shard.remove(&wanted);
        }
    }

    /// Drops the versions of a key that no reader goes back to, and says when to come again. `waited_for` is the
    /// snapshot that the key has been waiting for, if that is why purge comes.
    ///
    /// `is_deleted` says that the leaf may have a tombstone.
    pub(crate) fn visit(
        &self,
        tree: TreeId,
        key: &[u8],
        view: &View,
        waited_for: Option<u64>,
        is_deleted: bool,
    ) -> Visit {
        let wanted = self.place(tree, key);
        let mut shard = self.shard(&wanted).lock();
        let Some(chain) = shard.get_mut(&wanted) else { return Visit::Gone };
        self.bytes.fetch_sub(chain.prune(view, key.len()), Ordering::Relaxed);
        if chain.versions.is_empty() {
            shard.remove(&wanted);
            return Visit::Gone;
        }
        if is_deleted && chain.is_dead(view) {
            return Visit::Dead;
        }
        let Some(oldest) = chain.versions.first() else { return Visit::Gone };
        if waited_for.is_some() && chain.waits_for == waited_for {
            chain.waits_for = None;
        }
        if chain.waits_for.is_some() {
            return Visit::WaitsAlready;
        }
        // While a snapshot below the oldest version is in use, that version stays the oldest: so a key waits
        // for one snapshot at a time, and for the newest of those.
        let committed = oldest.writer.committed().filter(|(csn, _)| *csn <= view.visible);
        chain.waits_for = committed.and_then(|(csn, _)| view.newest_below(csn));
        chain.waits_for.map_or(Visit::InUse, Visit::Waits)
    }

    /// Forgets a key that is a tombstone in its leaf, if its versions say nothing else to anybody. To be called under
    /// the leaf's exclusive latch, by whoever takes the tombstone out. Gives whether nothing is left, and the
    /// snapshot that purge was waiting for.
    pub(crate) fn forget_dead(&self, tree: TreeId, key: &[u8], view: &View) -> (bool, Option<u64>) {
        let wanted = self.place(tree, key);
        let mut shard = self.shard(&wanted).lock();
        let Some(chain) = shard.get(&wanted) else { return (true, None) };
        if !chain.is_dead(view) {
            return (false, None);
        }
        let waits_for = chain.waits_for;
        let freed: usize = chain.versions.iter().map(|version| version.before.bytes() + key.len()).sum();
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        shard.remove(&wanted);
        (true, waits_for)
    }

    /// Bytes of memory that versions take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keys that have versions.
    pub(crate) fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}

#[cfg(test)]
mod tests;
