//! A table from keys of trees to something, made for many that come and go together.
//!
//! ```text
//!   index:    hash bits -> number of a place        small: it stays in the processor's cache while it grows
//!   places:   tree, key, what belongs to it         filled one after the other, found by number
//! ```
//! A transaction that writes a hundred thousand rows adds as many entries in a moment. In one large hash table
//! each would touch memory that nobody has touched lately; here the index is a tenth of that, and the entries
//! lie side by side in the order in which they came, as those of the lock table do.
//!
//! Invariant: every place in use has exactly one entry in the index, under its key's hash.
//!
//! Limits: 2^32 entries, for which no machine has the memory. The owner brings the lock and the hash.

use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;
use rustydb_storage::TreeId;

use crate::locks::slots::Slots;

/// Which key is meant, with its hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyPlace<'a> {
    pub(crate) hash: u64,
    pub(crate) tree: TreeId,
    pub(crate) key: &'a [u8],
}

#[derive(Debug, Default)]
struct Entry<T> {
    tree: TreeId,
    /// None: the place is free.
    key: Option<Arc<[u8]>>,
    value: T,
}

#[derive(Clone, Copy, Debug)]
struct Reference {
    bits: u32,
    slot: u32,
}

/// Half of the hash is kept; the index takes its lowest and its highest bits.
fn spread(bits: u32) -> u64 {
    (u64::from(bits) << 32) | u64::from(bits)
}

/// The table.
#[derive(Debug)]
pub(crate) struct Keyed<T> {
    index: HashTable<Reference>,
    entries: Slots<Entry<T>>,
}

impl<T> Default for Keyed<T> {
    fn default() -> Keyed<T> {
        Keyed { index: HashTable::new(), entries: Slots::default() }
    }
}

impl<T: Default> Keyed<T> {
    fn is_at(entries: &Slots<Entry<T>>, reference: Reference, place: &KeyPlace<'_>) -> bool {
        reference.bits == place.hash as u32
            && entries.get(reference.slot).is_some_and(|entry| {
                entry.tree == place.tree && entry.key.as_deref().is_some_and(|key| key == place.key)
            })
    }

    fn find(&self, place: &KeyPlace<'_>) -> Option<u32> {
        let is_at = |reference: &Reference| Self::is_at(&self.entries, *reference, place);
        self.index.find(spread(place.hash as u32), is_at).map(|reference| reference.slot)
    }

    pub(crate) fn get(&self, place: &KeyPlace<'_>) -> Option<&T> {
        self.entries.get(self.find(place)?).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, place: &KeyPlace<'_>) -> Option<&mut T> {
        let slot = self.find(place)?;
        self.entries.get_mut(slot).map(|entry| &mut entry.value)
    }

    pub(crate) fn contains_key(&self, place: &KeyPlace<'_>) -> bool {
        self.find(place).is_some()
    }

    /// What belongs to a key, new if nothing did. `key` is the place's. None: there are no more numbers.
    pub(crate) fn get_or_default(&mut self, place: &KeyPlace<'_>, key: &Arc<[u8]>) -> Option<&mut T> {
        let bits = place.hash as u32;
        let is_at = |reference: &Reference| Self::is_at(&self.entries, *reference, place);
        let slot = match self.index.entry(spread(bits), is_at, |reference| spread(reference.bits)) {
            TableEntry::Occupied(found) => found.get().slot,
            TableEntry::Vacant(vacant) => {
                let (slot, entry) = self.entries.take()?;
                entry.tree = place.tree;
                entry.key = Some(key.clone());
                vacant.insert(Reference { bits, slot });
                slot
            }
        };
        self.entries.get_mut(slot).map(|entry| &mut entry.value)
    }

    pub(crate) fn remove(&mut self, place: &KeyPlace<'_>) {
        let is_at = |reference: &Reference| Self::is_at(&self.entries, *reference, place);
        let Ok(found) = self.index.find_entry(spread(place.hash as u32), is_at) else { return };
        let (Reference { slot, .. }, _) = found.remove();
        if let Some(entry) = self.entries.get_mut(slot) {
            *entry = Entry::default();
        }
        if self.entries.free(slot) {
            self.index = HashTable::new();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> Arc<[u8]> {
        vec![number; usize::from(number % 5)].into()
    }

    proptest! {
        /// Few hashes, so that keys share them; lengths below five, so that keys are equal in different trees.
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0u8..3, 0u8..20, 0u32..2), 0..300)) {
            let mut table: Keyed<u32> = Keyed::default();
            let mut model: HashMap<(u32, Arc<[u8]>), u32> = HashMap::new();
            for (at, (step, number, tree)) in (1u32..).zip(steps) {
                let shared = key(number);
                let hash = (shared.len() as u64 % 2) | ((u64::from(number) % 2) << 40);
                let place = KeyPlace { hash, tree: TreeId(tree), key: &shared };
                match step {
                    0 => {
                        *table.get_or_default(&place, &shared).unwrap() += at;
                        *model.entry((tree, shared.clone())).or_default() += at;
                    }
                    1 => {
                        table.remove(&place);
                        model.remove(&(tree, shared.clone()));
                    }
                    _ => {
                        if let Some(value) = table.get_mut(&place) {
                            *value ^= at;
                        }
                        if let Some(value) = model.get_mut(&(tree, shared.clone())) {
                            *value ^= at;
                        }
                    }
                }
                prop_assert_eq!(table.get(&place), model.get(&(tree, shared.clone())));
                prop_assert_eq!(table.contains_key(&place), model.contains_key(&(tree, shared.clone())));
                prop_assert_eq!(table.len(), model.len());
            }
        }
    }

    #[test]
    fn what_was_taken_out_leaves_nothing_behind() {
        let mut table: Keyed<Vec<u8>> = Keyed::default();
        let shared = key(3);
        let place = KeyPlace { hash: 7, tree: TreeId(1), key: &shared };
        table.get_or_default(&place, &shared).unwrap().push(1);
        table.remove(&place);
        assert_eq!((table.len(), table.get(&place)), (0, None));
        assert_eq!(Arc::strong_count(&shared), 1);
        assert!(table.get_or_default(&place, &shared).unwrap().is_empty());
    }
}
