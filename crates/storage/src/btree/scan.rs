//! Reading ranges, one leaf at a time.
//!
//! Nothing is latched between two leaves: a scan remembers the fence it came to and descends again.
//! What others insert or remove behind it does not matter, what they do ahead of it is found.

use std::ops::{Bound, ControlFlow};

use smallvec::SmallVec;

use super::course::{Course, Wanted};
use super::{Entry, Tree, Use};
use crate::buffer::PageRef;
use crate::error::Result;
use crate::ids::Lsn;
use crate::page::{self, node};

/// Where a scan goes on: the next keys are on this side of the bound.
pub type ScanPosition = Bound<Vec<u8>>;

/// What has become of a leaf whose values were to be read where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// They were; the scan goes on here, or has come to its end.
    Passed(Option<ScanPosition>),
    /// They were not: the leaf may hold what some readers do not see, or values that lie elsewhere.
    Declined,
}

/// Room that the first entry of a batch makes for others.
const FIRST_ENTRIES: usize = 64;
/// At most so many bytes of it.
const FIRST_BYTES: usize = 16 << 10;

/// Keys and values in one piece of memory.
#[derive(Debug, Default)]
pub struct EntryBatch {
    bytes: Vec<u8>,
    /// Where each key starts, its value starts, and its value ends.
    entries: Vec<(usize, usize, usize)>,
}

impl EntryBatch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> EntryBatch {
        EntryBatch::default()
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// A key.
    ///
    /// # Panics
    /// When `index` is not below `len()`, as with a slice.
    #[must_use]
    pub fn key(&self, index: usize) -> &[u8] {
        let (key, value, _) = self.entries[index];
        &self.bytes[key..value]
    }

    /// A value.
    ///
    /// # Panics
    /// When `index` is not below `len()`, as with a slice.
    #[must_use]
    pub fn value(&self, index: usize) -> &[u8] {
        let (_, value, end) = self.entries[index];
        &self.bytes[value..end]
    }

    /// Adds an entry; see [`EntryBatch::has_room`].
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        if self.entries.is_empty() {
            // Entries are about as long as the first one, and seldom alone.
            self.bytes.reserve((key.len() + value.len()).saturating_mul(FIRST_ENTRIES).min(FIRST_BYTES));
            self.entries.reserve(FIRST_ENTRIES);
        }
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.entries.push((start, middle, self.bytes.len()));
    }

    /// Whether an entry of `bytes` more can be added.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes < u32::MAX as usize
    }

    /// Takes all entries out; memory stays for the next ones.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}

impl Tree {
    /// Visits the entries of one leaf in ascending order from `from` on. Gives where to go on, or
    /// `None` at the tree's end or when `each` breaks.
    ///
    /// `each` runs under the leaf's latch: it must be short and take no other page.
    ///
    /// # Errors
    /// When a page cannot be read, or `each` fails.
    pub fn scan_leaf_forward<E: From<crate::Error>>(
        &self,
        from: &ScanPosition,
        each: impl FnMut(&[u8], Entry<'_>, Lsn) -> Result<ControlFlow<()>, E>,
    ) -> Result<Option<ScanPosition>, E> {
        self.scan_forward(&mut Course::default(), from, each, |_| ())
    }

    /// The same for a scan of many leaves, which has one course from its first to its last. `passed`
    /// hears where the scan will go on (`None`: the tree's end) while the leaf is still latched, so that nothing can
    /// have come into what was visited; not when `each` breaks.
    ///
    /// # Errors
    /// When a page cannot be read, or `each` fails.
    pub fn scan_forward<E: From<crate::Error>>(
        &self,
        course: &mut Course,
        from: &ScanPosition,
        mut each: impl FnMut(&[u8], Entry<'_>, Lsn) -> Result<ControlFlow<()>, E>,
        passed: impl FnOnce(Option<&ScanPosition>),
    ) -> Result<Option<ScanPosition>, E> {
        let leaf = |page: &[u8]| match from {
            Bound::Included(key) | Bound::Excluded(key) => self.child_index(page, key),
            Bound::Unbounded => Ok(0),
        };
        let (leaf, wanted) = self.leaf_on(course, true, leaf)?;
        let start = match from {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.search(&leaf, key)?.unwrap_or_else(|after| after),
            Bound::Excluded(key) => match self.search(&leaf, key)? {
                Ok(index) => index + 1,
                Err(index) => index,
            },
        };
        let flow = self.visit(&leaf, start..node::count(&leaf), &mut each)?;
        let mut next = None;
        if flow.is_continue() {
            next = self.whole_fence(&leaf, true)?.map(Bound::Included);
            passed(next.as_ref());
        }
        self.leave(course, leaf, &wanted);
        Ok(next)
    }

    /// Shows `each` the values of one leaf from `from` on and up to `high`, in ascending order and where they lie, if
    /// no record from `settled_before` on has changed the leaf and all it has lies in it; tombstones are left out. Else
    /// nothing happens, and the leaf is to be read entry by entry.
    ///
    /// `each` runs under the leaf's latch: it must be short and take no other page.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub fn scan_settled(
        &self,
        course: &mut Course,
        from: &ScanPosition,
        high: &Bound<Vec<u8>>,
        settled_before: Lsn,
        each: impl FnOnce(&[&[u8]]),
    ) -> Result<Settled> {
        let choose = |page: &[u8]| match from {
            Bound::Included(key) | Bound::Excluded(key) => self.child_index(page, key),
            Bound::Unbounded => Ok(0),
        };
        let (leaf, wanted) = self.leaf_on(course, true, choose)?;
        if page::lsn(&leaf) >= settled_before {
            return Ok(Settled::Declined);
        }
        let start = match from {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.search(&leaf, key)?.unwrap_or_else(|after| after),
            Bound::Excluded(key) => self.search(&leaf, key)?.map_or_else(|before| before, |at| at + 1),
        };
        let fence = self.whole_fence(&leaf, true)?;
        // Of a leaf that ends before the range does no key is compared.
        let ends_before = match (&fence, high) {
            (_, Bound::Unbounded) => true,
            (Some(fence), Bound::Included(high) | Bound::Excluded(high)) => fence <= high,
            (None, _) => false,
        };
        let end = match high {
            Bound::Included(high) if !ends_before => {
                self.search(&leaf, high)?.map_or_else(|before| before, |at| at + 1)
            }
            Bound::Excluded(high) if !ends_before => self.search(&leaf, high)?.unwrap_or_else(|at| at),
            _ => node::count(&leaf),
        };
        let mut values = SmallVec::<[&[u8]; 256]>::new();
        for index in start..end {
            let cell = node::leaf_cell(&leaf, index);
            if cell.flags == 0 {
                values.push(cell.value);
            } else if cell.flags & (node::VALUE_OVERFLOW | node::KEY_OVERFLOW) != 0 {
                return Ok(Settled::Declined);
            }
        }
        each(&values);
        drop(values);
        self.leave(course, leaf, &wanted);
        Ok(Settled::Passed(fence.filter(|_| ends_before).map(Bound::Included)))
    }

    /// Descends to a scan's next leaf; gives it with those that the scan will want behind it.
    fn leaf_on(
        &self,
        course: &Course,
        forward: bool,
        mut choose: impl FnMut(&[u8]) -> Result<usize>,
    ) -> Result<(PageRef<'_>, Wanted)> {
        let mut wanted = Wanted::new();
        let leaf = if course.is_long() {
            let look = |page: &[u8]| {
                let index = choose(page)?;
                if page::level(page) == 1 {
                    course.look(page, index, forward, &mut wanted);
                }
                Ok(index)
            };
            self.descend_using(look, Use::Passes)?
        } else {
            self.descend(choose)?
        };
        Ok((leaf, wanted))
    }

    fn leave(&self, course: &mut Course, leaf: PageRef<'_>, wanted: &Wanted) {
        let number = leaf.number();
        drop(leaf);
        course.passed(&self.core.pool, number, wanted);
    }

    /// The same in descending order, from `from` downward.
    ///
    /// # Errors
    /// When a page cannot be read, or `each` fails.
    pub fn scan_leaf_backward<E: From<crate::Error>>(
        &self,
        from: &ScanPosition,
        each: impl FnMut(&[u8], Entry<'_>, Lsn) -> Result<ControlFlow<()>, E>,
    ) -> Result<Option<ScanPosition>, E> {
        self.scan_backward(&mut Course::default(), from, each, |_| ())
    }

    /// The same for a scan of many leaves, which has one course from its first to its last; for
    /// `passed` see [`Tree::scan_forward`].
    ///
    /// # Errors
    /// When a page cannot be read, or `each` fails.
    pub fn scan_backward<E: From<crate::Error>>(
        &self,
        course: &mut Course,
        from: &ScanPosition,
        mut each: impl FnMut(&[u8], Entry<'_>, Lsn) -> Result<ControlFlow<()>, E>,
        passed: impl FnOnce(Option<&ScanPosition>),
    ) -> Result<Option<ScanPosition>, E> {
        let leaf = |page: &[u8]| {
            Ok(match from {
                Bound::Included(key) => self.child_index(page, key)?,
                // Below a separator is the child before it.
                Bound::Excluded(key) => match self.search(page, key)? {
                    Ok(index) | Err(index) => index.saturating_sub(1),
                },
                Bound::Unbounded => node::count(page).saturating_sub(1),
            })
        };
        let (leaf, wanted) = self.leaf_on(course, false, leaf)?;
        let end = match from {
            Bound::Unbounded => node::count(&leaf),
            Bound::Included(key) => match self.search(&leaf, key)? {
                Ok(index) => index + 1,
                Err(index) => index,
            },
            Bound::Excluded(key) => self.search(&leaf, key)?.unwrap_or_else(|after| after),
        };
        let flow = self.visit(&leaf, (0..end).rev(), &mut each)?;
        let mut next = None;
        if flow.is_continue() {
            next = self.whole_fence(&leaf, false)?.map(Bound::Excluded);
            passed(next.as_ref());
        }
        self.leave(course, leaf, &wanted);
        Ok(next)
    }

    pub(super) fn visit<E: From<crate::Error>>(
        &self,
        leaf: &[u8],
        indexes: impl Iterator<Item = usize>,
        each: &mut impl FnMut(&[u8], Entry<'_>, Lsn) -> Result<ControlFlow<()>, E>,
    ) -> Result<ControlFlow<()>, E> {
        let lsn = page::lsn(leaf);
        let prefix = node::prefix(leaf);
        let mut key = Vec::with_capacity(prefix.len() + 64);
        key.extend_from_slice(prefix);
        for index in indexes {
            let cell = node::leaf_cell(leaf, index);
            match cell.key.chain {
                None => {
                    key.truncate(prefix.len());
                    key.extend_from_slice(cell.key.suffix);
                }
                Some((first, length)) => {
                    key = self.read_chain(first, u64::from(length))?;
                }
            }
            let is_tombstone = cell.flags & node::TOMBSTONE != 0;
            let flow = if cell.flags & node::VALUE_OVERFLOW == 0 {
                each(&key, Entry { is_tombstone, value: cell.value }, lsn)?
            } else {
                let value = self.read_value(cell.value)?;
                each(&key, Entry { is_tombstone, value: &value }, lsn)?
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
