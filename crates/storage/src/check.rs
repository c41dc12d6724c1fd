//! Verifies a store that nobody else is using: every page, tree and bit.
//!
//! Checked: checksums and page heads (by reading), key order, fences against the separators above,
//! levels, prefixes, chains, that every page is referred to once, and that exactly those are allocated.
//! Rows against index entries is for the floors that know about rows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::btree::Tree;
use crate::error::{Error, Result};
use crate::ids::{PageNo, TreeId};
use crate::page::{self, Kind, get_u64, node};
use crate::space::{self, FIRST_FREE, Space};
use crate::store::Store;

/// What a check found.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// Trees looked at.
    pub trees: usize,
    /// Pages looked at.
    pub pages: u64,
    /// Entries of all leaves.
    pub entries: u64,
    /// Deleted rows that were not purged yet.
    pub tombstones: u64,
    /// What does not hold; empty for a sound store.
    pub problems: Vec<String>,
    /// Pages that are allocated though nothing refers to them.
    pub orphans: Vec<PageNo>,
    /// Pages that something refers to and that are not allocated.
    pub unallocated: Vec<PageNo>,
    /// Maps of free pages that cannot be read, or are none though pages of their group are in use.
    pub damaged_maps: Vec<DamagedMap>,
    /// Problems of another kind: something is damaged, and what it was is not to be known.
    pub damages: u64,
}

/// A map of free pages that has to be made anew.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DamagedMap {
    /// Where it is.
    pub page: PageNo,
    /// The bits of its group's pages that are in use, as far as the trees could be read.
    pub in_use: Vec<u32>,
}

struct Check<'a> {
    store: &'a Store,
    report: Report,
    owners: HashMap<PageNo, TreeId>,
    /// A tree that is being dropped has lost pages: its fences no longer meet.
    is_whole: bool,
}

/// Checks everything. The store must be at rest.
///
/// # Errors
/// When the disk fails; damage is reported, not an error.
pub fn check(store: &Store) -> Result<Report> {
    let mut check = Check { store, report: Report::default(), owners: HashMap::new(), is_whole: true };
    for tree in store.system_trees() {
        check.tree(tree)?;
    }
    match store.trees() {
        Ok(trees) => {
            for id in trees {
                match check.open(id) {
                    Ok((tree, is_whole)) => {
                        check.is_whole = is_whole;
                        check.tree(&tree)?;
                    }
                    Err(error) => check.problem(error.to_string()),
                }
            }
        }
        Err(error) => check.problem(error.to_string()),
    }
    check.bits()?;
    Ok(check.report)
}

type Bounds = (Option<Vec<u8>>, Option<Vec<u8>>);

impl Check<'_> {
    fn problem(&mut self, text: String) {
        self.report.damages += 1;
        self.note(text);
    }

    fn note(&mut self, text: String) {
        if self.report.problems.len() < 100 {
            self.report.problems.push(text);
        }
    }

    /// A tree, and whether it is whole.
    fn open(&self, id: TreeId) -> Result<(Arc<Tree>, bool)> {
        match self.store.remains(id)? {
            Some(tree) => Ok((Arc::new(tree), false)),
            None => Ok((self.store.tree(id)?, true)),
        }
    }

    fn claim(&mut self, page: PageNo, tree: TreeId) -> bool {
        self.report.pages += 1;
        if let Some(other) = self.owners.insert(page, tree) {
            self.problem(format!("page {page} is referred to by trees {other} and {tree}"));
            return false;
        }
        true
    }

    fn tree(&mut self, tree: &Tree) -> Result<()> {
        self.report.trees += 1;
        let mut todo: Vec<(PageNo, Option<u8>, Bounds)> = vec![(tree.root(), None, (None, None))];
        while let Some((number, level, bounds)) = todo.pop() {
            if !self.claim(number, tree.id()) {
                continue;
            }
            if let Err(error) = self.node(tree, number, level, &bounds, &mut todo) {
                self.problem(error.to_string());
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        tree: &Tree,
        number: PageNo,
        level: Option<u8>,
        bounds: &Bounds,
        todo: &mut Vec<(PageNo, Option<u8>, Bounds)>,
    ) -> Result<()> {
        let core = self.store.core();
        let page = core.pool.read(number)?;
        tree.check_node(&page, number)?;
        node::verify(&page)?;
        if level.is_some_and(|level| level != page::level(&page)) {
            self.problem(format!("page {number} is at the wrong level"));
        }
        let fences = (tree.whole_fence(&page, false)?, tree.whole_fence(&page, true)?);
        if self.is_whole && fences != *bounds {
            self.problem(format!("page {number}: its fences differ from the separators that lead to it"));
        }
        for high in [false, true] {
            if let Some((first, _)) = node::fence(&page, high).and_then(|fence| fence.chain) {
                self.chain(tree, first)?;
            }
        }
        let count = node::count(&page);
        let is_leaf = page::level(&page) == 0;
        let mut keys = Vec::with_capacity(count);
        for index in 0..count {
            let key = if !is_leaf && index == 0 {
                bounds.0.clone().unwrap_or_default()
            } else {
                tree.whole_key(&page, index)?
            };
            if let Some((first, _)) = node::key(&page, index).chain {
                self.chain(tree, first)?;
            }
            if is_leaf {
                let cell = node::leaf_cell(&page, index);
                self.report.entries += 1;
                self.report.tombstones += u64::from(cell.flags & node::TOMBSTONE != 0);
                if cell.flags & node::VALUE_OVERFLOW != 0 {
                    tree.get(&key, |_, _| ())?;
                    self.chain(tree, PageNo(get_u64(cell.value, 0)))?;
                }
            }
            keys.push(key);
        }
        if keys.windows(2).any(|pair| pair[0] >= pair[1]) {
            self.problem(format!("page {number}: its keys are not in order"));
        }
        let outside = |key: &Vec<u8>| {
            bounds.0.as_ref().is_some_and(|low| key < low)
                || bounds.1.as_ref().is_some_and(|high| key >= high)
        };
        if keys.iter().any(outside) {
            self.problem(format!("page {number}: a key is outside of its fences"));
        }
        if !is_leaf {
            if self.is_whole && count == 0 {
                self.problem(format!("page {number}: an inner page without children"));
            }
            for index in 0..count {
                let low = if index == 0 { bounds.0.clone() } else { Some(keys[index].clone()) };
                let high = keys.get(index + 1).cloned().or_else(|| bounds.1.clone());
                todo.push((node::child(&page, index), page::level(&page).checked_sub(1), (low, high)));
            }
        }
        Ok(())
    }

    fn chain(&mut self, tree: &Tree, first: PageNo) -> Result<()> {
        let mut next = first;
        while next != PageNo(0) && self.claim(next, tree.id()) {
            let page = self.store.core().pool.read(next)?;
            if page::kind(&page) != Some(Kind::Overflow) || page::tree(&page) != tree.id() {
                self.problem(format!("page {next} should be an overflow page of tree {}", tree.id()));
                break;
            }
            next = page::link(&page);
        }
        Ok(())
    }

    /// Allocated pages and pages referred to must be the same.
    fn bits(&mut self) -> Result<()> {
        let core = self.store.core();
        let size = self.store.page_size();
        let group = Space::group(size);
        let pages = core.space.lock().file_pages();
        for index in 0..pages.div_ceil(group) {
            let number = Space::bitmap_of(size, index);
            let is_owned =
                |page: PageNo| self.owners.contains_key(&page) || page < FIRST_FREE || page == number;
            let page_of = |bit: u32| PageNo(index * group + u64::from(bit));
            let in_use: Vec<u32> = (0..group as u32).filter(|bit| is_owned(page_of(*bit))).collect();
            let wrong = match core.pool.read(number) {
                Ok(bitmap) if page::kind(&bitmap) == Some(Kind::Bitmap) => None,
                // The group has not begun: its first page is in use once it has.
                Ok(_) if in_use.len() <= 1 => continue,
                Ok(_) => Some(format!("page {number} should be the map of a group of pages")),
                Err(error @ Error::CorruptPage { .. }) => Some(error.to_string()),
                Err(error) => return Err(error),
            };
            if let Some(wrong) = wrong {
                self.note(wrong);
                self.report.damaged_maps.push(DamagedMap { page: number, in_use });
                continue;
            }
            let bitmap = core.pool.read(number)?;
            for bit in 0..group as u32 {
                let page = page_of(bit);
                let is_owned = in_use.binary_search(&bit).is_ok();
                if space::is_set(&bitmap, bit) && !is_owned {
                    self.report.orphans.push(page);
                    self.note(format!("page {page} is allocated, but nothing refers to it"));
                } else if !space::is_set(&bitmap, bit) && is_owned && page.0 < pages {
                    self.report.unallocated.push(page);
                    self.note(format!("page {page} is in use, but not allocated"));
                }
            }
        }
        Ok(())
    }
}
