//! How large a tree is, how many keys lie in a range, and some of its entries: from a few descents.
//!
//! ```text
//!            root    low -> entry 3 ........ high -> entry 7        whole children between: 3
//!           /    \
//!      low's path  high's path        the part right of low, the part left of high, likewise level by level
//! ```
//! The children between two paths are taken to be as large as those on the paths. So a range within one leaf is counted
//! exactly, one of two neighbouring leaves too, and the error of a large one is that of the pages' fill. Descents of a
//! sample are spread evenly over the tree, the same every time: what a planner makes of them does not flicker.
//!
//! Nothing is latched between two descents, and others may change the tree meanwhile: these are estimates, of the
//! newest versions of rows, committed or not.

use std::ops::Bound;

use smallvec::SmallVec;

use super::{Entry, KeyRange, Tree};
use crate::error::{Error, Result};
use crate::ids::PageNo;
use crate::page::{self, node};

/// A page on the way down: its number, the entry that was followed (of a leaf: the place of the key), how many it has.
type Step = (PageNo, usize, usize);
/// From the root to a leaf.
type Path = SmallVec<[Step; 6]>;

/// The size of a tree, as far as a few descents tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TreeSize {
    /// Entries that are no tombstones.
    pub entries: f64,
    /// Leaves.
    pub leaves: f64,
    /// Levels, leaves included.
    pub levels: u8,
}

impl Tree {
    /// How often a leaf was split since the store was opened: it tells cheaply that a tree has grown.
    #[must_use]
    pub fn splits(&self) -> u64 {
        self.splits.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// About how many entries, tombstones included, lie in a range; two descents.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn estimate_range(&self, range: &KeyRange) -> Result<f64> {
        let low = self.path_to(&range.low, false)?;
        let high = self.path_to(&range.high, true)?;
        let same = low.iter().zip(&high).position(|(a, b)| a.0 != b.0 || a.1 != b.1);
        let Some(at) = same else { return Ok(0.0) };
        let (Some(&(page, from, _)), Some(&(other, to, _))) = (low.get(at), high.get(at)) else {
            return Ok(0.0);
        };
        if page != other || to <= from {
            // The tree changed between the two descents, or the range is empty.
            return Ok(0.0);
        }
        if at + 1 == low.len() {
            return Ok((to - from) as f64);
        }
        // What a whole page of each level below holds.
        let mut whole = vec![1.0; low.len() + 1];
        for level in (at + 1..low.len()).rev() {
            let counts = [low.get(level), high.get(level)].map(|step| step.map_or(0, |step| step.2));
            whole[level] = whole[level + 1] * (counts[0] + counts[1]) as f64 / 2.0;
        }
        let mut sum = (to - from - 1) as f64 * whole[at + 1];
        for level in at + 1..low.len() {
            let (Some(&(_, left, count)), Some(&(_, right, _))) = (low.get(level), high.get(level)) else {
                break;
            };
            // The entry of a leaf counts itself, that of an inner page is looked into one level below.
            let own = usize::from(level + 1 < low.len());
            sum += count.saturating_sub(left + own) as f64 * whole[level + 1];
            sum += right as f64 * whole[level + 1];
        }
        Ok(sum)
    }

    /// The way to where a bound stands: in a leaf, the first entry that is above it.
    fn path_to(&self, bound: &Bound<Vec<u8>>, is_high: bool) -> Result<Path> {
        let mut path = Path::new();
        let leaf = self.descend(|page| {
            let index = match bound {
                Bound::Included(key) | Bound::Excluded(key) => self.child_index(page, key)?,
                Bound::Unbounded if is_high => node::count(page).saturating_sub(1),
                Bound::Unbounded => 0,
            };
            path.push((page::number(page), index, node::count(page)));
            Ok(index)
        })?;
        let count = node::count(&leaf);
        let index = match bound {
            Bound::Unbounded => {
                if is_high {
                    count
                } else {
                    0
                }
            }
            Bound::Included(key) | Bound::Excluded(key) => {
                let after = matches!(bound, Bound::Included(_)) == is_high;
                match self.search(&leaf, key)? {
                    Ok(index) => index + usize::from(after),
                    Err(index) => index,
                }
            }
        };
        path.push((leaf.number(), index, count));
        Ok(path)
    }

    /// Visits the leaves that `dives` descents come to, each once, and tells the size of the tree. `each` gets the
    /// number of the leaf among those visited, under the leaf's latch; tombstones are left out.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub fn sample(&self, dives: usize, mut each: impl FnMut(usize, &[u8], &[u8])) -> Result<TreeSize> {
        let dives = dives.max(1);
        // Sums of entries by level, from the root down, and how many pages they are of.
        let mut levels: SmallVec<[(f64, f64); 6]> = SmallVec::new();
        let mut last: SmallVec<[PageNo; 6]> = SmallVec::new();
        let (mut visited, mut live) = (0, 0usize);
        for dive in 0..dives {
            let mut place = (dive as f64 + 0.5) / dives as f64;
            let mut depth = 0;
            let mut count_page = |number: PageNo, count: usize, depth: usize| {
                let is_new = last.get(depth) != Some(&number);
                if is_new {
                    last.truncate(depth);
                    last.push(number);
                    match levels.get_mut(depth) {
                        Some((sum, pages)) => (*sum, *pages) = (*sum + count as f64, *pages + 1.0),
                        None => levels.push((count as f64, 1.0)),
                    }
                }
                is_new
            };
            let leaf = self.descend(|page| {
                let count = node::count(page);
                count_page(page::number(page), count, depth);
                depth += 1;
                let along = place * count as f64;
                let index = (along as usize).min(count.saturating_sub(1));
                place = (along - index as f64).clamp(0.0, 1.0);
                Ok(index)
            })?;
            if !count_page(leaf.number(), node::count(&leaf), depth) {
                continue;
            }
            let _ = self.visit(&leaf, 0..node::count(&leaf), &mut |key, entry: Entry<'_>, _| {
                if !entry.is_tombstone {
                    live += 1;
                    each(visited, key, entry.value);
                }
                Ok::<_, Error>(std::ops::ControlFlow::Continue(()))
            })?;
            visited += 1;
        }
        let inner = levels.len().saturating_sub(1);
        let leaves: f64 = levels.iter().take(inner).map(|(sum, pages)| sum / pages).product();
        let entries = leaves * live as f64 / visited.max(1) as f64;
        Ok(TreeSize { entries, leaves, levels: levels.len() as u8 })
    }
}
