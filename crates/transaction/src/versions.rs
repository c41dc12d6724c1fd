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
//! Invariants:
//! - A chain changes, with its leaf, under the leaf's exclusive latch; a reader looks at both under
//!   the shared latch. Only purge shortens a chain from its old end without the latch, by versions that
//!   no snapshot goes back beyond.
//! - Restart undoes what was unfinished before anybody reads, so nothing here has to survive.
//!
//! Lock order: a latch, then one shard.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::DefaultHashBuilder;
use parking_lot::Mutex;
use rustydb_storage::btree::Entry;
use rustydb_storage::{State, TreeId};
use smallvec::SmallVec;

use crate::keyed::{KeyPlace, Keyed};

const SHARDS: usize = 64;
const ACTIVE: u64 = 0;

/// One transaction as its versions know it.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) transaction: u64,
    /// Its commit sequence number; zero while it is not committed.
    csn: AtomicU64,
    /// Where its commit record is; valid once `csn` is set.
    lsn: AtomicU64,
}

impl Writer {
    pub(crate) fn new(transaction: u64) -> Writer {
        Writer { transaction, csn: AtomicU64::new(ACTIVE), lsn: AtomicU64::new(0) }
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

    fn is_visible(&self, csn: u64, reader: u64) -> bool {
        self.transaction == reader || self.committed().is_some_and(|(committed, _)| committed <= csn)
    }
}

/// What stood at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Absent,
    Tombstone,
    Value(Box<[u8]>),
}

impl Before {
    pub(crate) fn from_state(state: State<'_>) -> Before {
        match state {
            State::Absent => Before::Absent,
            State::Tombstone => Before::Tombstone,
            State::Value(value) => Before::Value(value.into()),
        }
    }

    pub(crate) fn state(&self) -> State<'_> {
        match self {
            Before::Absent => State::Absent,
            Before::Tombstone => State::Tombstone,
            Before::Value(value) => State::Value(value),
        }
    }

    fn live(&self) -> Option<&[u8]> {
        if let Before::Value(value) = self { Some(value) } else { None }
    }

    fn bytes(&self) -> usize {
        self.live().map_or(0, <[u8]>::len) + size_of::<Version>()
    }
}

#[derive(Debug)]
struct Version {
    writer: Arc<Writer>,
    before: Before,
}

type Chain = SmallVec<[Version; 1]>;

type Shard = Mutex<Keyed<Chain>>;

/// All chains.
#[derive(Debug)]
pub(crate) struct Versions {
    hasher: DefaultHashBuilder,
    shards: Vec<Shard>,
    bytes: AtomicUsize,
}

impl Default for Versions {
    fn default() -> Versions {
        Versions {
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            bytes: AtomicUsize::new(0),
        }
    }
}

impl Versions {
    fn place<'a>(&self, tree: TreeId, key: &'a [u8]) -> KeyPlace<'a> {
        KeyPlace { hash: self.hasher.hash_one((tree, key)), tree, key }
    }

    fn shard(&self, place: &KeyPlace<'_>) -> &Shard {
        // The table itself uses the lower half.
        &self.shards[(place.hash >> 40) as usize % SHARDS]
    }

    /// Adds what stood at a key before `writer` changed it.
    ///
    /// Gives the commit that made what stood there, if that is still known: what is not is seen by everybody.
    pub(crate) fn push(
        &self,
        tree: TreeId,
        key: &Arc<[u8]>,
        writer: &Arc<Writer>,
        before: State<'_>,
    ) -> Option<u64> {
        let before = Before::from_state(before);
        self.bytes.fetch_add(before.bytes() + key.len(), Ordering::Relaxed);
        let place = self.place(tree, key);
        let mut shard = self.shard(&place).lock();
        // Memory ends long before the numbers of entries do.
        let chain = shard.get_or_default(&place, key)?;
        let newest = chain.last().and_then(|version| version.writer.committed());
        chain.push(Version { writer: writer.clone(), before });
        newest.map(|(csn, _)| csn)
    }

    /// What stood at a key before the newest change.
    pub(crate) fn newest_before(&self, tree: TreeId, key: &[u8]) -> Option<Before> {
        let key = self.place(tree, key);
        self.shard(&key).lock().get(&key)?.last().map(|version| version.before.clone())
    }

    /// Forgets the newest change, which was taken back.
    pub(crate) fn pop(&self, tree: TreeId, key: &[u8]) {
        let wanted = self.place(tree, key);
        let mut shard = self.shard(&wanted).lock();
        let Some(chain) = shard.get_mut(&wanted) else { return };
        if let Some(version) = chain.pop() {
            self.bytes.fetch_sub(version.before.bytes() + key.len(), Ordering::Relaxed);
        }
        if chain.is_empty() {
            shard.remove(&wanted);
        }
    }

    /// Who changed a key last.
    pub(crate) fn newest_writer(&self, tree: TreeId, key: &[u8]) -> Option<Arc<Writer>> {
        let key = self.place(tree, key);
        self.shard(&key).lock().get(&key)?.last().map(|version| version.writer.clone())
    }

    /// Whether a key has versions.
    pub(crate) fn has_chain(&self, tree: TreeId, key: &[u8]) -> bool {
        let key = self.place(tree, key);
        self.shard(&key).lock().contains_key(&key)
    }

    /// Shows `f` the value that a reader at `csn` sees, given what the leaf has; `unseen` hears the transactions
    /// whose changes it does not see.
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
    ) -> Option<R> {
        let live = leaf.filter(|entry| !entry.is_tombstone).map(|entry| entry.value);
        let wanted = self.place(tree, key);
        let shard = self.shard(&wanted).lock();
        let mut seen = live;
        if let Some(chain) = shard.get(&wanted) {
            for version in chain.iter().rev() {
                if version.writer.is_visible(csn, reader) {
                    break;
                }
                unseen(version.writer.transaction);
                seen = version.before.live();
            }
        }
        seen.map(f)
    }

    /// Drops versions of a key that every snapshot from `horizon` on has passed. Gives whether none are left.
    pub(crate) fn trim(&self, tree: TreeId, key: &[u8], horizon: u64) -> bool {
        let wanted = self.place(tree, key);
        let mut shard = self.shard(&wanted).lock();
        let Some(chain) = shard.get_mut(&wanted) else { return true };
        let passed = chain
            .iter()
            .rposition(|version| version.writer.committed().is_some_and(|(csn, _)| csn <= horizon))
            .map_or(0, |index| index + 1);
        let freed: usize = chain.drain(..passed).map(|version| version.before.bytes() + key.len()).sum();
        self.bytes.fetch_sub(freed, Ordering::Relaxed);
        let is_empty = chain.is_empty();
        if is_empty {
            shard.remove(&wanted);
        }
        is_empty
    }

    /// Bytes that versions take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Keys that have versions.
    pub(crate) fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }
}
