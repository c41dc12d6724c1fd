//! A list whose elements keep their place: freed places are used again, so an element may be found by its
//! number for as long as it lives.
//!
//! Elements are not dropped when they are freed but handed back to be filled again, so that what they have
//! allocated serves the next one. An empty list that had grown large gives its memory back.

/// How many places an empty list may keep.
const KEPT_WHEN_EMPTY: usize = 1024;

/// Places that lie side by side. A full piece is never moved: a list that grows fast neither copies what it has nor
/// touches ever new memory. The first piece grows by and by, since most lists stay small.
const PIECE: usize = 128;

#[derive(Debug)]
pub(crate) struct Slots<T> {
    pieces: Vec<Vec<T>>,
    /// Places in all pieces.
    count: usize,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), count: 0, free: Vec::new() }
    }
}

impl<T: Default> Slots<T> {
    /// How many are in use.
    pub(crate) fn len(&self) -> usize {
        self.count - self.free.len()
    }

    /// How many places there are, the free ones too.
    pub(crate) fn places(&self) -> u32 {
        u32::try_from(self.count).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.pieces.get(slot as usize / PIECE)?.get(slot as usize % PIECE)
    }

    /// All places, the free ones too.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.pieces.get_mut(slot as usize / PIECE)?.get_mut(slot as usize % PIECE)
    }

    /// A place to be filled: a new element, or a freed one as [`Slots::free`] left it.
    /// None: there are no more numbers.
    pub(crate) fn take(&mut self) -> Option<(u32, &mut T)> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.count).ok()?;
                if self.count == self.pieces.len() * PIECE {
                    let room = if self.pieces.is_empty() { 0 } else { PIECE };
                    self.pieces.push(Vec::with_capacity(room));
                }
                self.pieces.last_mut()?.push(T::default());
                self.count += 1;
                slot
            }
        };
        self.get_mut(slot).map(|element| (slot, element))
    }

    /// Frees a place, which must be in use. Returns true if the list became empty and gave its memory back.
    pub(crate) fn free(&mut self, slot: u32) -> bool {
        self.free.push(slot);
        if self.free.len() == self.count && self.count > KEPT_WHEN_EMPTY {
            *self = Self::default();
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_a_large_empty_list_shrinks() {
        let mut slots: Slots<u64> = Slots::default();
        let (a, value) = slots.take().unwrap();
        *value = 7;
        assert_eq!((slots.len(), slots.get(a)), (1, Some(&7)));
        assert!(!slots.free(a));
        assert_eq!(slots.take().unwrap().0, a);
        slots.free(a);
        let all: Vec<u32> = (0..2000).map(|_| slots.take().unwrap().0).collect();
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 2000);
        let shrunk: Vec<bool> = all.into_iter().map(|slot| slots.free(slot)).collect();
        assert_eq!(shrunk.iter().filter(|s| **s).count(), 1);
        assert!(shrunk.last().unwrap());
        assert_eq!((slots.len(), slots.pieces.capacity()), (0, 0));
    }
}
