//! Splits and merges: each is one log record, never undone.
//!
//! Both go from the root down under exclusive latches, holding a parent and its child; every inner
//! page on the way that could not take one more separator is split first, so a split never has to
//! go up again.

use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::Tree;
use crate::buffer::PageMut;
use crate::error::{Error, Result};
use crate::ids::PageNo;
use crate::mini_transaction::{Held, MiniTransaction};
use crate::page::node::{self, StoredKey};
use crate::page::{self, Kind};
use crate::wal::record::Operation;

/// A key as pages hold it, on its own; most are short.
#[derive(Clone, Debug)]
struct OwnedKey {
    bytes: SmallVec<[u8; 40]>,
    chain: Option<(PageNo, u32)>,
}

impl OwnedKey {
    fn as_stored(&self) -> StoredKey<'_> {
        StoredKey { suffix: &self.bytes, chain: self.chain }
    }
}

/// An entry on its way from one page to another; its value is still in the first.
struct Moved<'p> {
    key: OwnedKey,
    content: Content<'p>,
}

enum Content<'p> {
    Row { flags: u8, value: &'p [u8] },
    Child(PageNo),
}

fn owned_fence(page: &[u8], high: bool) -> Option<OwnedKey> {
    node::fence(page, high).map(|fence| OwnedKey { bytes: fence.suffix.into(), chain: fence.chain })
}

fn entries(page: &[u8]) -> Vec<Moved<'_>> {
    let prefix = node::prefix(page);
    let is_leaf = page::level(page) == 0;
    (0..node::count(page))
        .map(|index| {
            let key = node::key(page, index);
            // The first key of an inner page is empty and has no prefix to it.
            let bare = !is_leaf && index == 0;
            let mut bytes = SmallVec::from_slice(if bare { &[] } else { prefix });
            bytes.extend_from_slice(key.suffix);
            let content = if is_leaf {
                let cell = node::leaf_cell(page, index);
                Content::Row { flags: cell.flags & !node::KEY_OVERFLOW, value: cell.value }
            } else {
                Content::Child(node::child(page, index))
            };
            Moved { key: OwnedKey { bytes, chain: key.chain }, content }
        })
        .collect()
}

/// Builds a page's image; `None` when the entries do not fit.
fn image(
    like: &[u8],
    level: u8,
    number: PageNo,
    low: Option<&OwnedKey>,
    high: Option<&OwnedKey>,
    entries: &[Moved<'_>],
) -> Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; like.len()];
    let kind = if level == 0 { Kind::Leaf } else { Kind::Inner };
    page::format(&mut bytes, kind, level, number, page::tree(like));
    node::set_fences(&mut bytes, low.map(OwnedKey::as_stored), high.map(OwnedKey::as_stored))?;
    for (index, entry) in entries.iter().enumerate() {
        let fits = match &entry.content {
            Content::Row { flags, value } => {
                node::leaf_insert(&mut bytes, index, *flags, entry.key.as_stored(), value)
            }
            Content::Child(child) => node::inner_insert(&mut bytes, index, entry.key.as_stored(), *child),
        };
        if !fits {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// The image of two neighbours in one page; `None` when that would be too full.
fn merged(parent: &[u8], left_index: usize, left: &[u8], right: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut all = entries(left);
    let mut from_right = entries(right);
    let is_one_empty = all.is_empty() || from_right.is_empty();
    if let (true, Some(first)) = (page::level(left) > 0, from_right.first_mut()) {
        // "From here on" becomes the divider again, chain and all.
        let key = node::key(parent, left_index + 1);
        let mut bytes = SmallVec::from_slice(node::prefix(parent));
        bytes.extend_from_slice(key.suffix);
        first.key = OwnedKey { bytes, chain: key.chain };
    }
    all.append(&mut from_right);
    let (low, high) = (owned_fence(left, false), owned_fence(right, true));
    let merged = image(left, page::level(left), page::number(left), low.as_ref(), high.as_ref(), &all)?;
    // Room must remain, or the next insert splits what was merged just now. An empty page always goes: a
    // queue empties page after page beside full ones.
    Ok(merged.filter(|merged| is_one_empty || node::free_space(merged) >= merged.len() / 4))
}

/// The shortest key that is above `below` and not above `at_most`.
fn separator(below: &[u8], at_most: &[u8]) -> Vec<u8> {
    let shared = below.iter().zip(at_most).take_while(|(a, b)| a == b).count();
    at_most[..(shared + 1).min(at_most.len())].to_vec()
}

impl Tree {
    fn must_split(&self, page: &[u8], needed: usize) -> bool {
        let needed = if page::level(page) == 0 { needed } else { node::largest_inner_entry(page.len()) };
        node::free_space(page) < needed
    }

    /// Splits pages on the way to `key` until its leaf can take `needed` bytes, or one split was done.
    pub(crate) fn make_room(&self, key: &[u8], needed: usize, urgent: bool) -> Result<()> {
        let mut parent = self.core.pool.write(self.root)?;
        self.check_node(&parent, self.root)?;
        if self.must_split(&parent, needed) {
            return self.split_root(parent, key, urgent);
        }
        while page::level(&parent) > 0 {
            let index = self.child_index(&parent, key)?;
            let number = node::child(&parent, index);
            let child = self.core.pool.write(number)?;
            self.check_child(&child, number, page::level(&parent))?;
            if self.must_split(&child, needed) {
                return self.split_child(parent, index, child, key, urgent);
            }
            parent = child;
        }
        Ok(())
    }

    /// Where to divide a page, and the whole key that divides it. `key` is what the split is for: new
    /// keys at the end of a page leave it full, so that ascending inserts fill their pages.
    fn division(&self, page: &[u8], key: &[u8]) -> Result<(usize, Vec<u8>)> {
        let count = node::count(page);
        if count < 2 {
            return Err(Error::corrupt(page::number(page), "a page too full to split"));
        }
        if page::level(page) == 0 {
            let mut at = self.middle(page);
            if self.search(page, key)? == Err(count) {
                let divider = separator(&self.whole_key(page, count - 1)?, key);
                // The left half keeps everything, if its new fence has room too.
                if node::free_space(page) >= node::leaf_entry_size(self.stored_key_size(&divider), 0) {
                    return Ok((count, divider));
                }
                at = count - 1;
            }
            let below = self.whole_key(page, at - 1)?;
            return Ok((at, separator(&below, &self.whole_key(page, at)?)));
        }
        let at = if self.search(page, key)? == Err(count) { count - 1 } else { self.middle(page) };
        Ok((at, self.whole_key(page, at)?))
    }

    /// The entry before which about half of the bytes are; at least one entry on each side.
    fn middle(&self, page: &[u8]) -> usize {
        let count = node::count(page);
        let total: usize = (0..count).map(|index| node::entry_size(page, index)).sum();
        let mut sum = 0;
        for index in 0..count {
            sum += node::entry_size(page, index);
            if sum * 2 >= total {
                return (index + 1).clamp(1, count - 1);
            }
        }
        count - 1
    }

    /// Both halves' entries. An inner page's dividing key goes up, and stands in the right half as "from here on".
    fn divide(page: &[u8], at: usize) -> (Vec<Moved<'_>>, Vec<Moved<'_>>, Option<PageNo>) {
        let mut left = entries(page);
        let mut right = left.split_off(at);
        let mut dropped_chain = None;
        if let (true, Some(first)) = (page::level(page) > 0, right.first_mut()) {
            dropped_chain = first.key.chain.take().map(|(chain, _)| chain);
            first.key.bytes.clear();
        }
        (left, right, dropped_chain)
    }

    fn own(&self, mini: &mut MiniTransaction<'_>, key: &[u8]) -> Result<OwnedKey> {
        let stored = mini.store_key(self.id, key, None)?;
        Ok(OwnedKey { bytes: stored.suffix.into(), chain: stored.chain })
    }

    fn split_child<'a>(
        &'a self,
        parent: PageMut<'a>,
        index: usize,
        child: PageMut<'a>,
        key: &[u8],
        urgent: bool,
    ) -> Result<()> {
        let (at, divider) = self.division(&child, key)?;
        let whole = child.to_vec();
        let (left, right, dropped) = Tree::divide(&whole, at);
        let mut mini = MiniTransaction::with_urgency(&self.core, urgent);
        let parent = mini.hold(parent);
        let child = mini.hold(child);
        let new = mini.allocate_held()?;
        if let Some(chain) = dropped {
            mini.free_chain(chain)?;
        }
        // Each of the three places that name the divider owns its chain, where it is long.
        let in_parent = self.own(&mut mini, &divider)?;
        let left_high = self.own(&mut mini, &divider)?;
        let right_low = self.own(&mut mini, &divider)?;
        let page = mini.page(child);
        let level = page::level(page);
        let (low, high) = (owned_fence(page, false), owned_fence(page, true));
        let left_image = image(page, level, mini.number(child), low.as_ref(), Some(&left_high), &left)?;
        let right_image = image(page, level, mini.number(new), Some(&right_low), high.as_ref(), &right)?;
        let (Some(left_image), Some(right_image)) = (left_image, right_image) else {
            return Err(Error::corrupt(mini.number(child), "its halves do not fit into pages"));
        };
        let right_number = mini.number(new);
        mini.apply_image(new, &right_image)?;
        mini.apply_image(child, &left_image)?;
        let insert = Operation::InnerInsert {
            index: (index + 1) as u16,
            key: in_parent.as_stored(),
            child: right_number,
        };
        mini.apply(parent, &insert, None)?;
        self.count_split(level);
        mini.commit().map(|_| ())
    }

    fn count_split(&self, level: u8) {
        if level == 0 {
            self.splits.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn split_root<'a>(&'a self, root: PageMut<'a>, key: &[u8], urgent: bool) -> Result<()> {
        let (at, divider) = self.division(&root, key)?;
        let whole = root.to_vec();
        let (left, right, dropped) = Tree::divide(&whole, at);
        let mut mini = MiniTransaction::with_urgency(&self.core, urgent);
        let root = mini.hold(root);
        let (left_page, right_page) = (mini.allocate_held()?, mini.allocate_held()?);
        if let Some(chain) = dropped {
            mini.free_chain(chain)?;
        }
        let in_root = self.own(&mut mini, &divider)?;
        let left_high = self.own(&mut mini, &divider)?;
        let right_low = self.own(&mut mini, &divider)?;
        let page = mini.page(root);
        let level = page::level(page);
        let left_image = image(page, level, mini.number(left_page), None, Some(&left_high), &left)?;
        let right_image = image(page, level, mini.number(right_page), Some(&right_low), None, &right)?;
        let children = [
            Moved {
                key: OwnedKey { bytes: SmallVec::new(), chain: None },
                content: Content::Child(mini.number(left_page)),
            },
            Moved { key: in_root, content: Content::Child(mini.number(right_page)) },
        ];
        let root_image = image(page, level + 1, self.root, None, None, &children)?;
        let (Some(left_image), Some(right_image), Some(root_image)) = (left_image, right_image, root_image)
        else {
            return Err(Error::corrupt(self.root, "its halves do not fit into pages"));
        };
        mini.apply_image(left_page, &left_image)?;
        mini.apply_image(right_page, &right_image)?;
        mini.apply_image(root, &root_image)?;
        self.count_split(level);
        mini.commit().map(|_| ())
    }

    /// Whether a page should be merged with a neighbour.
    pub(crate) fn is_sparse(&self, page: &[u8]) -> bool {
        node::used_space(page) < page.len() / 4
    }

    /// Merges the sparse pages on the way to `key` with a neighbour under the same parent, level by level.
    pub(crate) fn merge(&self, key: &[u8]) -> Result<()> {
        let mut level = 0;
        while self.merge_level(key, level)? {
            level += 1;
        }
        Ok(())
    }

    /// Merges at one level; true when the level above should be looked at.
    fn merge_level(&self, key: &[u8], level: u8) -> Result<bool> {
        let mut parent = self.core.pool.write(self.root)?;
        self.check_node(&parent, self.root)?;
        if page::level(&parent) <= level {
            return Ok(false);
        }
        while page::level(&parent) > level + 1 {
            let number = node::child(&parent, self.child_index(&parent, key)?);
            let child = self.core.pool.write(number)?;
            self.check_child(&child, number, page::level(&parent))?;
            parent = child;
        }
        let index = self.child_index(&parent, key)?;
        let number = node::child(&parent, index);
        let child = self.core.pool.write(number)?;
        self.check_child(&child, number, level + 1)?;
        let siblings = node::count(&parent);
        if siblings == 1 {
            if parent.number() == self.root {
                self.collapse_root(parent, child)?;
                return Ok(false);
            }
            return Ok(true);
        }
        if !self.is_sparse(&child) {
            return Ok(false);
        }
        let with_right = (index + 1 < siblings).then_some((index, index + 1));
        let with_left = index.checked_sub(1).map(|before| (before, before));
        for (left_index, other) in [with_right, with_left].into_iter().flatten() {
            let number = node::child(&parent, other);
            let sibling = self.core.pool.write(number)?;
            self.check_child(&sibling, number, level + 1)?;
            let is_left = left_index == index;
            let (left, right) = if is_left { (&child, &sibling) } else { (&sibling, &child) };
            if let Some(merged) = merged(&parent, left_index, left, right)? {
                let (left, right) = if is_left { (child, sibling) } else { (sibling, child) };
                self.merge_pair(parent, left_index, left, right, &merged)?;
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn merge_pair<'a>(
        &'a self,
        parent: PageMut<'a>,
        left_index: usize,
        left: PageMut<'a>,
        right: PageMut<'a>,
        merged: &[u8],
    ) -> Result<()> {
        let mut mini = MiniTransaction::new(&self.core);
        let divider = node::key(&parent, left_index + 1).chain;
        let is_leaf = page::level(&left) == 0;
        let chains = [
            node::fence(&left, true).and_then(|fence| fence.chain),
            node::fence(&right, false).and_then(|fence| fence.chain),
            // Between inner pages it stays as a key.
            divider.filter(|_| is_leaf),
        ];
        let parent = mini.hold(parent);
        let left = mini.hold(left);
        let right = mini.hold(right);
        for (chain, _) in chains.into_iter().flatten() {
            mini.free_chain(chain)?;
        }
        let right_number = mini.number(right);
        mini.free(right_number)?;
        mini.apply_image(left, merged)?;
        mini.apply(parent, &Operation::Remove { index: (left_index + 1) as u16 }, None)?;
        mini.commit().map(|_| ())
    }

    /// The root takes its only child's content.
    fn collapse_root<'a>(&'a self, root: PageMut<'a>, child: PageMut<'a>) -> Result<()> {
        let content = entries(&child);
        let Some(new_root) = image(&root, page::level(&child), self.root, None, None, &content)? else {
            return Ok(());
        };
        let mut mini = MiniTransaction::new(&self.core);
        let chains =
            [node::fence(&child, false), node::fence(&child, true)].map(|fence| fence.and_then(|f| f.chain));
        let root = mini.hold(root);
        let child = mini.hold(child);
        for (chain, _) in chains.into_iter().flatten() {
            mini.free_chain(chain)?;
        }
        let number = mini.number(child);
        mini.free(number)?;
        mini.apply_image(root, &new_root)?;
        mini.commit().map(|_| ())
    }

    /// Gives all pages but the root back, a page and its chains at a time, from the leaves up. What is
    /// left after a crash is a smaller tree, and this can be called again.
    pub(crate) fn empty(&self) -> Result<()> {
        while self.remove_last_page()? {
            if self.core.log.is_crowded() {
                self.core.log.flush(self.core.log.end())?;
            }
        }
        Ok(())
    }

    fn remove_last_page(&self) -> Result<bool> {
        let mut parent = self.core.pool.write(self.root)?;
        self.check_node(&parent, self.root)?;
        if page::level(&parent) == 0 || node::count(&parent) == 0 {
            return self.clear_root(parent).map(|()| false);
        }
        loop {
            let last = node::count(&parent) - 1;
            let number = node::child(&parent, last);
            let child = self.core.pool.write(number)?;
            self.check_child(&child, number, page::level(&parent))?;
            if page::level(&child) > 0 && node::count(&child) > 0 {
                parent = child;
                continue;
            }
            let mut mini = MiniTransaction::new(&self.core);
            let parent_chain = node::key(&parent, last).chain;
            let parent = mini.hold(parent);
            let child = mini.hold(child);
            if let Some((chain, _)) = parent_chain {
                mini.free_chain(chain)?;
            }
            self.free_chains_of(&mut mini, child)?;
            mini.free(number)?;
            mini.apply(parent, &Operation::Remove { index: last as u16 }, None)?;
            mini.commit()?;
            return Ok(true);
        }
    }

    /// The root becomes an empty leaf.
    fn clear_root<'a>(&'a self, root: PageMut<'a>) -> Result<()> {
        let mut mini = MiniTransaction::new(&self.core);
        let root = mini.hold(root);
        self.free_chains_of(&mut mini, root)?;
        let Some(cleared) = image(mini.page(root), 0, self.root, None, None, &[])? else { return Ok(()) };
        mini.apply_image(root, &cleared)?;
        mini.commit().map(|_| ())
    }

    /// Gives back the chains of a page's keys, values and fences.
    pub(crate) fn free_chains_of(&self, mini: &mut MiniTransaction<'_>, held: Held) -> Result<()> {
        let page = mini.page(held);
        let mut chains = Vec::new();
        for high in [false, true] {
            chains.extend(node::fence(page, high).and_then(|fence| fence.chain));
        }
        let mut values = Vec::new();
        for index in 0..node::count(page) {
            chains.extend(node::key(page, index).chain);
            if page::level(page) == 0 {
                let cell = node::leaf_cell(page, index);
                if cell.flags & node::VALUE_OVERFLOW != 0 {
                    values.extend(super::overflow::parse_pointer(cell.value));
                }
            }
        }
        for first in
            chains.into_iter().map(|(first, _)| first).chain(values.into_iter().map(|(first, _)| first))
        {
            mini.free_chain(first)?;
        }
        Ok(())
    }
}
