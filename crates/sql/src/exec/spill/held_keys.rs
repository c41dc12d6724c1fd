//! Byte strings in memory, each once, in few large pieces of memory.
//!
//! The bytes of keys stand behind each other in chunks; tables hold where. There are [`SHARDS`] tables, chosen by the
//! hash, so that no single insertion makes room for all keys at once, and giving millions of keys back is quick. A
//! statement that is to end does not have to wait for either.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// How many tables there are.
const SHARDS: usize = 64;
/// The size of a chunk, but for longer keys.
const CHUNK: usize = 64 << 10;
/// Before the bytes of a key stands their number.
const LENGTH: usize = 4;

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    chunk: u32,
    offset: u32,
}

/// Keys in memory.
#[derive(Debug)]
pub(crate) struct HeldKeys {
    hasher: DefaultHashBuilder,
    tables: Vec<HashTable<At>>,
    chunks: Vec<Vec<u8>>,
}

fn at(chunks: &[Vec<u8>], at: At) -> &[u8] {
    let start = at.offset as usize;
    let Some(rest) = chunks.get(at.chunk as usize).and_then(|chunk| chunk.get(start..)) else { return &[] };
    let Some((length, rest)) = rest.split_first_chunk::<LENGTH>() else { return &[] };
    rest.get(..u32::from_le_bytes(*length) as usize).unwrap_or_default()
}

impl Default for HeldKeys {
    fn default() -> HeldKeys {
        let tables = (0..SHARDS).map(|_| HashTable::new()).collect();
        HeldKeys { hasher: DefaultHashBuilder::default(), tables, chunks: Vec::new() }
    }
}

impl HeldKeys {
    /// What a key takes beside its bytes: its length, its place, and what tables leave free.
    pub(crate) const OVERHEAD: usize = 28;

    /// The hash of a key; it stays when keys are [cleared](HeldKeys::clear).
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The table of a hash: by bits that tables do not look at first.
    fn shard(hash: u64) -> usize {
        (hash >> 40) as usize % SHARDS
    }

    /// Whether a key is there.
    pub(crate) fn contains(&self, hash: u64, key: &[u8]) -> bool {
        let table = self.tables.get(Self::shard(hash));
        table.is_some_and(|table| table.find(hash, |place| at(&self.chunks, *place) == key).is_some())
    }

    /// Adds a key; false if it was there.
    pub(crate) fn insert(&mut self, hash: u64, key: &[u8]) -> bool {
        if self.contains(hash, key) {
            return false;
        }
        let size = LENGTH + key.len();
        if self.chunks.last().is_none_or(|chunk| chunk.capacity() - chunk.len() < size) {
            self.chunks.push(Vec::with_capacity(size.max(CHUNK)));
        }
        let number = self.chunks.len() - 1;
        let Some(chunk) = self.chunks.last_mut() else { return false };
        let place = At { chunk: number as u32, offset: chunk.len() as u32 };
        chunk.extend_from_slice(&(key.len() as u32).to_le_bytes());
        chunk.extend_from_slice(key);
        let (chunks, hasher) = (&self.chunks, &self.hasher);
        if let Some(table) = self.tables.get_mut(Self::shard(hash)) {
            table.insert_unique(hash, place, |place| hasher.hash_one(at(chunks, *place)));
        }
        true
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.tables.iter().map(HashTable::len).sum()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The hashes and places of all keys, in order.
    pub(crate) fn sorted(&self) -> Vec<(u64, At)> {
        let mut sorted = Vec::with_capacity(self.len());
        sorted.extend(self.tables.iter().flatten().map(|place| (self.hash(self.key(*place)), *place)));
        sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.key(a.1).cmp(self.key(b.1))));
        sorted
    }

    /// A key.
    pub(crate) fn key(&self, place: At) -> &[u8] {
        at(&self.chunks, place)
    }

    /// Forgets all keys.
    pub(crate) fn clear(&mut self) {
        self.chunks = Vec::new();
        self.tables.iter_mut().for_each(|table| *table = HashTable::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_whatever_their_length() {
        let mut held = HeldKeys::default();
        let keys: Vec<Vec<u8>> = (0..3_000u32)
            .map(|n| n.to_le_bytes().repeat(if n % 500 == 0 { 40_000 } else { n as usize % 9 }))
            .collect();
        let mut known = std::collections::HashSet::new();
        for key in &keys {
            let hash = held.hash(key);
            assert_eq!(held.insert(hash, key), known.insert(key.clone()));
            assert!(held.contains(hash, key));
        }
        assert_eq!(held.len(), known.len());
        let sorted = held.sorted();
        assert!(sorted.is_sorted_by_key(|(hash, _)| *hash));
        assert!(sorted.iter().all(|(_, place)| known.remove(held.key(*place))));
        assert!(known.is_empty());
        let missing = b"missing";
        assert!(!held.contains(held.hash(missing), missing));
        held.clear();
        assert_eq!(held.len(), 0);
        assert!(held.is_empty() && !held.contains(held.hash(&keys[5]), &keys[5]));
    }
}
