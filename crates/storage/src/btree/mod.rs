//! B+trees of byte strings.
//!
//! ```text
//!   inner:  [ -inf -> A | k1 -> B | k2 -> C ]     child of entry i holds keys from k(i) up to k(i+1)
//!   leaf:   entries between the low fence (included) and the high fence (excluded)
//! ```
//! Latches: a descent holds the parent's shared latch while it takes the child's, then lets the
//! parent go; a writer latches only the leaf exclusively. Where a leaf is too full the writer lets
//! everything go, splits from the root down under exclusive latches ([`structure`]), and starts anew.
//! There are no links between leaves: a scan ends a leaf at its fence and descends again with the fence as
//! its bound, forward and backward alike, so latches are only ever taken downward.
//!
//! Invariants: keys are unique and in order; a page's keys lie between its fences, and the fences are
//! the separators that lead to it; the root never moves; an inner page has at least one child but
//! while its tree is being dropped.
//!
//! What a key's older values were and who may see which is for the transaction floor, which looks at
//! them while this module holds the leaf's latch (`applied` of [`Tree::write`], `f` of [`Tree::get`]).

mod course;
mod estimate;
mod overflow;
mod parts;
mod scan;
mod structure;
mod write;

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use course::Course;
pub use estimate::TreeSize;
pub use scan::{EntryBatch, ScanPosition, Settled};
pub use write::{Expect, State};

use crate::buffer::{PageMut, PageRef};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};
use crate::page::{self, Kind, node};
use crate::store::Core;

/// Bounds of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub low: Bound<Vec<u8>>,
    /// Where it ends.
    pub high: Bound<Vec<u8>>,
}

impl KeyRange {
    /// All keys.
    #[must_use]
    pub fn all() -> KeyRange {
        KeyRange { low: Bound::Unbounded, high: Bound::Unbounded }
    }

    /// All keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut high = prefix.to_vec();
        while let Some(last) = high.pop() {
            if last < 0xFF {
                high.push(last + 1);
                return KeyRange { low: Bound::Included(prefix.to_vec()), high: Bound::Excluded(high) };
            }
        }
        KeyRange { low: Bound::Included(prefix.to_vec()), high: Bound::Unbounded }
    }

    /// Whether a key is inside.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        let above = match &self.low {
            Bound::Included(low) => key >= low.as_slice(),
            Bound::Excluded(low) => key > low.as_slice(),
            Bound::Unbounded => true,
        };
        above && self.is_below_high(key)
    }

    /// Whether a key is not past the end.
    #[must_use]
    pub fn is_below_high(&self, key: &[u8]) -> bool {
        match &self.high {
            Bound::Included(high) => key <= high.as_slice(),
            Bound::Excluded(high) => key < high.as_slice(),
            Bound::Unbounded => true,
        }
    }
}

/// An entry as a leaf holds it, seen under the leaf's latch.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The row was deleted.
    pub is_tombstone: bool,
    /// The value; empty for a tombstone.
    pub value: &'a [u8],
}

/// Whether reading a page is a reason to keep it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Counts,
    Passes,
}

/// One tree.
pub struct Tree {
    id: TreeId,
    root: PageNo,
    core: Arc<Core>,
    /// Leaves that were split since the store was opened.
    splits: AtomicU64,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tree({})", self.id.0)
    }
}

impl Tree {
    pub(crate) fn new(id: TreeId, root: PageNo, core: Arc<Core>) -> Tree {
        Tree { id, root, core, splits: AtomicU64::new(0) }
    }

    /// The tree's number.
    #[must_use]
    pub fn id(&self) -> TreeId {
        self.id
    }

    pub(crate) fn root(&self) -> PageNo {
        self.root
    }

    /// Looks a key up; `f` sees the entry and the LSN of the page's last change, under the leaf's latch.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn get<R>(&self, key: &[u8], f: impl FnOnce(Option<Entry<'_>>, Lsn) -> R) -> Result<R> {
        let leaf = self.leaf(key)?;
        let lsn = page::lsn(&leaf);
        let Ok(index) = self.search(&leaf, key)? else { return Ok(f(None, lsn)) };
        let cell = node::leaf_cell(&leaf, index);
        let is_tombstone = cell.flags & node::TOMBSTONE != 0;
        if cell.flags & node::VALUE_OVERFLOW == 0 {
            return Ok(f(Some(Entry { is_tombstone, value: cell.value }), lsn));
        }
        let value = self.read_value(cell.value)?;
        Ok(f(Some(Entry { is_tombstone, value: &value }), lsn))
    }

    /// Finds a key in a page, following chains of long keys.
    pub(crate) fn search(&self, page: &[u8], key: &[u8]) -> Result<std::result::Result<usize, usize>> {
        node::search(page, key, &mut |first, length| self.compare_chain(first, length, key))
    }

    fn compare_chain(&self, first: PageNo, length: u32, key: &[u8]) -> Result<Ordering> {
        Ok(self.read_chain(first, u64::from(length))?.as_slice().cmp(key))
    }

    /// The entry of an inner page whose child holds `key`.
    fn child_index(&self, page: &[u8], key: &[u8]) -> Result<usize> {
        Ok(match self.search(page, key)? {
            Ok(index) => index,
            Err(after) => after.saturating_sub(1),
        })
    }

    pub(crate) fn check_node(&self, page: &[u8], number: PageNo) -> Result<Kind> {
        match page::kind(page) {
            Some(kind @ (Kind::Leaf | Kind::Inner)) if page::tree(page) == self.id => Ok(kind),
            _ => Err(Error::corrupt(number, format!("is not a page of tree {}", self.id))),
        }
    }

    fn check_child(&self, page: &[u8], number: PageNo, above: u8) -> Result<()> {
        self.check_node(page, number)?;
        if page::level(page).checked_add(1) == Some(above) {
            Ok(())
        } else {
            Err(Error::corrupt(number, format!("level {} under level {above}", page::level(page))))
        }
    }

    /// Descends by `choose`, which names the entry to follow, to a leaf under a shared latch.
    fn descend(&self, choose: impl FnMut(&[u8]) -> Result<usize>) -> Result<PageRef<'_>> {
        self.descend_using(choose, Use::Counts)
    }

    /// The same, for a scan that may not want its leaf to count as used.
    fn descend_using(
        &self,
        mut choose: impl FnMut(&[u8]) -> Result<usize>,
        leaf: Use,
    ) -> Result<PageRef<'_>> {
        let mut page = self.core.pool.read(self.root)?;
        self.check_node(&page, self.root)?;
        while page::level(&page) > 0 {
            let index = choose(&page)?;
            if index >= node::count(&page) {
                return Err(Error::corrupt(page.number(), "an inner page without children"));
            }
            let number = node::child(&page, index);
            let child = match (page::level(&page), leaf) {
                (1, Use::Passes) => self.core.pool.read_passing(number)?,
                _ => self.core.pool.read(number)?,
            };
            self.check_child(&child, number, page::level(&page))?;
            page = child;
        }
        Ok(page)
    }

    fn leaf(&self, key: &[u8]) -> Result<PageRef<'_>> {
        self.descend(|page| self.child_index(page, key))
    }

    /// The leaf for `key`, latched exclusively.
    pub(crate) fn leaf_for_write(&self, key: &[u8]) -> Result<PageMut<'_>> {
        loop {
            let mut page = self.core.pool.read(self.root)?;
            self.check_node(&page, self.root)?;
            if page::level(&page) == 0 {
                drop(page);
                let root = self.core.pool.write(self.root)?;
                self.check_node(&root, self.root)?;
                // It may have grown while nobody held it.
                if page::level(&root) == 0 {
                    return Ok(root);
                }
                continue;
            }
            loop {
                let index = self.child_index(&page, key)?;
                if index >= node::count(&page) {
                    return Err(Error::corrupt(page.number(), "an inner page without children"));
                }
                let number = node::child(&page, index);
                if page::level(&page) == 1 {
                    let leaf = self.core.pool.write(number)?;
                    self.check_child(&leaf, number, 1)?;
                    return Ok(leaf);
                }
                let child = self.core.pool.read(number)?;
                self.check_child(&child, number, page::level(&page))?;
                page = child;
            }
        }
    }

    /// The whole key of an entry.
    pub(crate) fn whole_key(&self, page: &[u8], index: usize) -> Result<Vec<u8>> {
        let key = node::key(page, index);
        match key.chain {
            Some((first, length)) => self.read_chain(first, u64::from(length)),
            None => {
                let prefix = node::prefix(page);
                let mut whole = Vec::with_capacity(prefix.len() + key.suffix.len());
                whole.extend_from_slice(prefix);
                whole.extend_from_slice(key.suffix);
                Ok(whole)
            }
        }
    }

    /// A fence's whole key.
    pub(crate) fn whole_fence(&self, page: &[u8], high: bool) -> Result<Option<Vec<u8>>> {
        match node::fence(page, high) {
            None => Ok(None),
            Some(fence) => match fence.chain {
                Some((first, length)) => self.read_chain(first, u64::from(length)).map(Some),
                None => Ok(Some(fence.suffix.to_vec())),
            },
        }
    }
}
