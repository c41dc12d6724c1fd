//! What serializable transactions have read: single keys and ranges of keys, of those that run and of those
//! that committed beside one that runs.
//!
//! ```text
//! reader: enter what it is about to see -> look at the leaf          (or both under the leaf's latch)
//! writer: change the leaf under its latch -> ask who has read the key
//! ```
//! Either the reader comes to the leaf first, and the writer finds its entry; or it comes second and sees the
//! version that the writer left. So no pair is missed.
//!
//! A single key is kept as a hash of tree and key: two keys with one hash cost a needless refusal at most, in
//! practice never. Ranges are kept by tree.
//!
//! Limits: after [`MAX_KEYS`] single keys a reader's further ones count as its whole tree; after [`MAX_RANGES`]
//! ranges of a tree so does the tree. That makes a refusal likelier and never wrong.
//!
//! Lock order: a latch, then one shard or bucket; never two of them.

use std::hash::BuildHasher;
use std::ops::Bound;

use hashbrown::{DefaultHashBuilder, HashMap};
use rustydb_storage::TreeId;
use rustydb_storage::sync::Mutex;
use smallvec::SmallVec;

use crate::key_ranges::{KeyRanges, points};

/// Under shuttle one: which keys share a shard must not depend on a random hash there.
const SHARDS: usize = if cfg!(feature = "shuttle") { 1 } else { 64 };
/// Single keys that one reader may have.
const MAX_KEYS: usize = 16 << 10;
/// Ranges of one tree that one reader may have.
const MAX_RANGES: usize = 4 << 10;

/// Readers by transaction number.
pub(super) type Readers = SmallVec<[u64; 4]>;

/// What one transaction has entered, so that it can be taken out.
#[derive(Debug, Default)]
pub(super) struct Entered {
    keys: Vec<u64>,
    trees: Vec<TreeId>,
}

impl Entered {
    /// How much there is to keep.
    pub(super) fn len(&self) -> usize {
        self.keys.len() + self.trees.len()
    }
}

#[derive(Debug)]
struct OfTree {
    transaction: u64,
    ranges: KeyRanges,
}

/// All that was read.
#[derive(Debug)]
pub(super) struct Reads {
    hasher: DefaultHashBuilder,
    keys: Vec<Mutex<HashMap<u64, SmallVec<[u64; 2]>>>>,
    ranges: Vec<Mutex<HashMap<TreeId, Vec<OfTree>>>>,
}

impl Default for Reads {
    fn default() -> Reads {
        Reads {
            hasher: DefaultHashBuilder::default(),
            keys: (0..SHARDS).map(|_| Mutex::default()).collect(),
            ranges: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Reads {
    fn hash(&self, tree: TreeId, key: &[u8]) -> u64 {
        self.hasher.hash_one((tree, key))
    }

    fn shard(&self, hash: u64) -> &Mutex<HashMap<u64, SmallVec<[u64; 2]>>> {
        &self.keys[(hash >> 40) as usize & (SHARDS - 1)]
    }

    fn bucket(&self, tree: TreeId) -> &Mutex<HashMap<TreeId, Vec<OfTree>>> {
        &self.ranges[tree.0 as usize & (SHARDS - 1)]
    }

    /// Enters one key, present or not.
    pub(super) fn enter_key(&self, transaction: u64, entered: &mut Entered, tree: TreeId, key: &[u8]) {
        if entered.keys.len() >= MAX_KEYS {
            return self.enter_range(transaction, entered, tree, Bound::Unbounded, Bound::Unbounded);
        }
        let hash = self.hash(tree, key);
        let mut shard = self.shard(hash).lock();
        let readers = shard.entry(hash).or_default();
        if !readers.contains(&transaction) {
            readers.push(transaction);
            entered.keys.push(hash);
        }
    }

    /// Enters the keys between two bounds.
    pub(super) fn enter_range(
        &self,
        transaction: u64,
        entered: &mut Entered,
        tree: TreeId,
        low: Bound<&[u8]>,
        high: Bound<&[u8]>,
    ) {
        let Some((low, high)) = points(low, high) else { return };
        let mut bucket = self.bucket(tree).lock();
        let readers = bucket.entry(tree).or_default();
        let at = match readers.iter().position(|reader| reader.transaction == transaction) {
            Some(at) => at,
            None => {
                readers.push(OfTree { transaction, ranges: KeyRanges::default() });
                entered.trees.push(tree);
                readers.len() - 1
            }
        };
        let Some(reader) = readers.get_mut(at) else { return };
        reader.ranges.add(low, high);
        if reader.ranges.len() > MAX_RANGES
            && let Some((low, high)) = points(Bound::Unbounded, Bound::Unbounded)
        {
            reader.ranges.add(low, high);
        }
    }

    /// Who but `writer` has read the key.
    pub(super) fn readers_of(&self, writer: u64, tree: TreeId, key: &[u8]) -> Readers {
        let hash = self.hash(tree, key);
        let mut found = Readers::new();
        if let Some(readers) = self.shard(hash).lock().get(&hash) {
            found.extend(readers.iter().copied().filter(|&reader| reader != writer));
        }
        if let Some(readers) = self.bucket(tree).lock().get(&tree) {
            for reader in readers {
                let other = reader.transaction;
                if other != writer && !found.contains(&other) && reader.ranges.contains(key) {
                    found.push(other);
                }
            }
        }
        found
    }

    /// Takes out all that a transaction has entered.
    pub(super) fn leave(&self, transaction: u64, entered: &Entered) {
        for &hash in &entered.keys {
            let mut shard = self.shard(hash).lock();
            if let Some(readers) = shard.get_mut(&hash) {
                readers.retain(|reader| *reader != transaction);
                if readers.is_empty() {
                    shard.remove(&hash);
                }
            }
        }
        for &tree in &entered.trees {
            let mut bucket = self.bucket(tree).lock();
            if let Some(readers) = bucket.get_mut(&tree) {
                readers.retain(|reader| reader.transaction != transaction);
                if readers.is_empty() {
                    bucket.remove(&tree);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.keys.iter().all(|shard| shard.lock().is_empty())
            && self.ranges.iter().all(|bucket| bucket.lock().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: TreeId = TreeId(7);

    #[test]
    fn readers_of_keys_and_ranges_are_found_and_leave() {
        let reads = Reads::default();
        let (mut one, mut two) = (Entered::default(), Entered::default());
        reads.enter_key(1, &mut one, T, b"k");
        reads.enter_key(1, &mut one, T, b"k");
        reads.enter_range(2, &mut two, T, Bound::Included(b"a"), Bound::Excluded(b"m"));
        assert_eq!(reads.readers_of(9, T, b"k").as_slice(), [1, 2]);
        assert_eq!(reads.readers_of(1, T, b"k").as_slice(), [2]);
        assert_eq!(reads.readers_of(9, T, b"m").as_slice(), [0u64; 0]);
        assert_eq!(reads.readers_of(9, TreeId(8), b"k").as_slice(), [0u64; 0]);
        reads.leave(1, &one);
        assert_eq!(reads.readers_of(9, T, b"k").as_slice(), [2]);
        reads.leave(2, &two);
        assert!(reads.is_empty());
    }

    #[test]
    fn a_reader_of_very_many_keys_counts_for_its_tree() {
        let reads = Reads::default();
        let mut entered = Entered::default();
        for key in 0..=MAX_KEYS {
            reads.enter_key(1, &mut entered, T, &key.to_be_bytes());
        }
        assert_eq!(reads.readers_of(2, T, b"never read").as_slice(), [1]);
        assert_eq!(entered.len(), MAX_KEYS + 1);
        reads.leave(1, &entered);
        assert!(reads.is_empty());
        for key in 0..=MAX_RANGES {
            let key = key.to_be_bytes();
            reads.enter_range(1, &mut entered, T, Bound::Included(&key), Bound::Included(&key));
        }
        assert_eq!(reads.readers_of(2, T, b"never read").as_slice(), [1]);
    }
}
