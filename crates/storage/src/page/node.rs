//! The body of a tree page: slots upward, cells downward.
//!
//! ```text
//!   head | slot 0 | slot 1 | ... ->      free      <- ... | cell | cell | low fence | high fence
//!
//!   slot        offset u16, head [u8; 4] (first bytes of the key behind the prefix, zero padded)
//!   leaf cell   flags u8 | key length u16 | value length u32 | key | value
//!   inner cell  flags u8 | key length u16 | child u64 | key
//!   fence       a leaf cell without value whose key is whole
//! ```
//! Keys in cells leave out the prefix: the bytes that both fences share, so all keys between them
//! have it. A *stored key* longer than [`key_inline_limit`] keeps its first bytes here and ends in a
//! 12-byte pointer (first overflow page u64, length u32) to a chain with the whole key; a value
//! that would make its cell larger than [`cell_limit`] is a 16-byte pointer (page u64, length u64).
//!
//! Invariants: slots are in key order; cells, fences and dead bytes add up to the heap; `prefix` never reaches into
//! the part of a fence that is in a chain; the first key of an inner page is empty and means "from the low fence";
//! every page takes at least four more cells of the largest size when empty, so a split always makes room.

use std::cmp::Ordering;

use super::{HEAD, Kind, get_u16, get_u32, get_u64, kind, number, put};
use crate::error::{Error, Result};
use crate::ids::PageNo;

/// The row was deleted; the cell stays for readers with older snapshots.
pub const TOMBSTONE: u8 = 1;
/// The value is a pointer to an overflow chain.
pub const VALUE_OVERFLOW: u8 = 2;
/// The key is cut and ends in a pointer to an overflow chain.
pub const KEY_OVERFLOW: u8 = 4;

const SLOT: usize = 6;
const LEAF_CELL: usize = 7;
const INNER_CELL: usize = 11;
const KEY_POINTER: usize = 12;
/// Bytes of a pointer to a value that lies elsewhere: its first page and its length.
pub const VALUE_POINTER: usize = 16;

/// Bytes of a long key that stay in the page.
#[must_use]
pub fn key_inline_limit(page_size: usize) -> usize {
    page_size / 16
}

/// The largest leaf cell; longer values go to overflow pages.
#[must_use]
pub fn cell_limit(page_size: usize) -> usize {
    page_size / 5
}

/// A key as a page holds it: whole, or cut with a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredKey<'a> {
    /// The bytes present, the page's prefix left out.
    pub suffix: &'a [u8],
    /// First page and whole length of the chain, when the key is cut.
    pub chain: Option<(PageNo, u32)>,
}

/// A leaf's entry.
#[derive(Clone, Copy, Debug)]
pub struct LeafCell<'a> {
    /// [`TOMBSTONE`] and so on.
    pub flags: u8,
    /// The key behind the prefix.
    pub key: StoredKey<'a>,
    /// The value, or the pointer to it.
    pub value: &'a [u8],
}

/// Number of entries.
#[must_use]
pub fn count(page: &[u8]) -> usize {
    get_u16(page, 28) as usize
}

/// Length of the shared prefix.
#[must_use]
pub fn prefix_len(page: &[u8]) -> usize {
    get_u16(page, 30) as usize
}

fn heap_start(page: &[u8]) -> usize {
    get_u32(page, 32) as usize
}

fn garbage(page: &[u8]) -> usize {
    get_u32(page, 36) as usize
}

fn set_count(page: &mut [u8], value: usize) {
    put(page, 28, &(value as u16).to_le_bytes());
}

fn set_heap_start(page: &mut [u8], value: usize) {
    put(page, 32, &(value as u32).to_le_bytes());
}

fn set_garbage(page: &mut [u8], value: usize) {
    put(page, 36, &(value as u32).to_le_bytes());
}

fn slot_offset(page: &[u8], index: usize) -> usize {
    get_u16(page, HEAD + index * SLOT) as usize
}

fn is_leaf(page: &[u8]) -> bool {
    page[4] == Kind::Leaf as u8
}

fn split_key(stored: &[u8], cut: bool) -> StoredKey<'_> {
    if cut && stored.len() >= KEY_POINTER {
        let (suffix, pointer) = stored.split_at(stored.len() - KEY_POINTER);
        StoredKey { suffix, chain: Some((PageNo(get_u64(pointer, 0)), get_u32(pointer, 8))) }
    } else {
        StoredKey { suffix: stored, chain: None }
    }
}

fn leaf_cell_at(page: &[u8], offset: usize) -> LeafCell<'_> {
    let flags = page[offset];
    let key_len = get_u16(page, offset + 1) as usize;
    let value_len = get_u32(page, offset + 3) as usize;
    let key_at = offset + LEAF_CELL;
    let key = split_key(&page[key_at..key_at + key_len], flags & KEY_OVERFLOW != 0);
    LeafCell { flags, key, value: &page[key_at + key_len..key_at + key_len + value_len] }
}

/// The entry of a leaf.
#[must_use]
pub fn leaf_cell(page: &[u8], index: usize) -> LeafCell<'_> {
    leaf_cell_at(page, slot_offset(page, index))
}

/// The child of an inner page.
#[must_use]
pub fn child(page: &[u8], index: usize) -> PageNo {
    PageNo(get_u64(page, slot_offset(page, index) + 3))
}

/// The key of any tree page's entry.
#[must_use]
pub fn key(page: &[u8], index: usize) -> StoredKey<'_> {
    let offset = slot_offset(page, index);
    let key_len = get_u16(page, offset + 1) as usize;
    let key_at = offset + if is_leaf(page) { LEAF_CELL } else { INNER_CELL };
    split_key(&page[key_at..key_at + key_len], page[offset] & KEY_OVERFLOW != 0)
}

fn cell_size(page: &[u8], offset: usize) -> usize {
    let key_len = get_u16(page, offset + 1) as usize;
    if is_leaf(page) {
        LEAF_CELL + key_len + get_u32(page, offset + 3) as usize
    } else {
        INNER_CELL + key_len
    }
}

/// A fence, whole up to its cut: `low` is the smallest key that belongs here, `high` the first that does not.
#[must_use]
pub fn fence(page: &[u8], high: bool) -> Option<StoredKey<'_>> {
    let offset = get_u16(page, if high { 98 } else { 96 }) as usize;
    (offset != 0).then(|| leaf_cell_at(page, offset).key)
}

/// The prefix's bytes, which stand at the front of the low fence.
#[must_use]
pub fn prefix(page: &[u8]) -> &[u8] {
    let length = prefix_len(page);
    match fence(page, false) {
        Some(low) => &low.suffix[..length.min(low.suffix.len())],
        None => &[],
    }
}

/// Bytes that could hold another slot and cell once dead cells are squeezed out.
#[must_use]
pub fn free_space(page: &[u8]) -> usize {
    contiguous(page) + garbage(page)
}

fn contiguous(page: &[u8]) -> usize {
    heap_start(page) - (HEAD + count(page) * SLOT)
}

/// Bytes that slots, cells and fences take.
#[must_use]
pub fn used_space(page: &[u8]) -> usize {
    page.len() - HEAD - free_space(page)
}

/// Bytes from the lowest cell to the end.
#[must_use]
pub fn heap_size(page: &[u8]) -> usize {
    page.len() - heap_start(page)
}

/// What a leaf entry takes, slot included, before the prefix is taken off.
#[must_use]
pub fn leaf_entry_size(stored_key: usize, value: usize) -> usize {
    SLOT + LEAF_CELL + stored_key + value
}

/// What the largest separator takes.
#[must_use]
pub fn largest_inner_entry(page_size: usize) -> usize {
    SLOT + INNER_CELL + key_inline_limit(page_size) + KEY_POINTER
}

/// The size of leaf entry `index`, slot included.
#[must_use]
pub fn entry_size(page: &[u8], index: usize) -> usize {
    SLOT + cell_size(page, slot_offset(page, index))
}

fn head_of(suffix: &[u8]) -> [u8; 4] {
    let mut head = [0; 4];
    let length = suffix.len().min(4);
    head[..length].copy_from_slice(&suffix[..length]);
    head
}

/// Compares a stored key with the searched one (prefix taken off), asking `whole` for cut keys.
fn compare(
    stored: StoredKey<'_>,
    suffix: &[u8],
    whole: &mut dyn FnMut(PageNo, u32) -> Result<Ordering>,
) -> Result<Ordering> {
    match stored.chain {
        None => Ok(stored.suffix.cmp(suffix)),
        Some((page, length)) => {
            let shared = stored.suffix.len().min(suffix.len());
            match stored.suffix[..shared].cmp(&suffix[..shared]) {
                Ordering::Equal if suffix.len() <= stored.suffix.len() => Ok(Ordering::Greater),
                Ordering::Equal => whole(page, length),
                unequal => Ok(unequal),
            }
        }
    }
}

/// Finds `key` (whole): `Ok(index)` where it stands, `Err(index)` where it would.
///
/// `whole(page, length)` compares a key in an overflow chain with the searched one.
///
/// # Errors
/// What `whole` gives.
pub fn search(
    page: &[u8],
    key_wanted: &[u8],
    whole: &mut dyn FnMut(PageNo, u32) -> Result<Ordering>,
) -> Result<std::result::Result<usize, usize>> {
    let cut = prefix_len(page).min(key_wanted.len());
    let suffix = &key_wanted[cut..];
    let head = head_of(suffix);
    // The first key of an inner page stands for the low fence: nothing is before it.
    let (mut low, mut high) = (usize::from(!is_leaf(page)), count(page));
    while low < high {
        let middle = low + (high - low) / 2;
        let slot = HEAD + middle * SLOT;
        let stored_head = &page[slot + 2..slot + 6];
        let ordering = match stored_head.cmp(&head[..]) {
            Ordering::Equal => compare(key(page, middle), suffix, whole)?,
            unequal => unequal,
        };
        match ordering {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return Ok(Ok(middle)),
        }
    }
    Ok(Err(low))
}

/// Squeezes dead cells out.
fn compact(page: &mut [u8]) {
    let old = page.to_vec();
    let mut top = page.len();
    for at in [96, 98] {
        let offset = get_u16(&old, at) as usize;
        if offset != 0 {
            let key_len = get_u16(&old, offset + 1) as usize;
            let size = LEAF_CELL + key_len;
            top -= size;
            page[top..top + size].copy_from_slice(&old[offset..offset + size]);
            put(page, at, &(top as u16).to_le_bytes());
        }
    }
    for index in 0..count(&old) {
        let offset = slot_offset(&old, index);
        let size = cell_size(&old, offset);
        top -= size;
        page[top..top + size].copy_from_slice(&old[offset..offset + size]);
        put(page, HEAD + index * SLOT, &(top as u16).to_le_bytes());
    }
    let slots_end = HEAD + count(&old) * SLOT;
    page[slots_end..top].fill(0);
    set_heap_start(page, top);
    set_garbage(page, 0);
}

fn insert_raw(page: &mut [u8], index: usize, size: usize, suffix: &[u8]) -> Option<usize> {
    if free_space(page) < SLOT + size {
        return None;
    }
    if contiguous(page) < SLOT + size {
        compact(page);
    }
    let entries = count(page);
    let slot = HEAD + index * SLOT;
    page.copy_within(slot..HEAD + entries * SLOT, slot + SLOT);
    let offset = heap_start(page) - size;
    put(page, slot, &(offset as u16).to_le_bytes());
    put(page, slot + 2, &head_of(suffix));
    set_count(page, entries + 1);
    set_heap_start(page, offset);
    Some(offset)
}

fn write_key(page: &mut [u8], mut at: usize, suffix: &[u8], chain: Option<(PageNo, u32)>) {
    put(page, at, suffix);
    if let Some((first, length)) = chain {
        at += suffix.len();
        put(page, at, &first.0.to_le_bytes());
        put(page, at + 8, &length.to_le_bytes());
    }
}

fn key_size(suffix: &[u8], chain: Option<(PageNo, u32)>) -> usize {
    suffix.len() + if chain.is_some() { KEY_POINTER } else { 0 }
}

/// Puts a leaf entry before `index`; false when there is no room. `key` is whole up to its cut.
#[must_use]
pub fn leaf_insert(page: &mut [u8], index: usize, flags: u8, key: StoredKey<'_>, value: &[u8]) -> bool {
    let suffix = &key.suffix[prefix_len(page).min(key.suffix.len())..];
    let stored = key_size(suffix, key.chain);
    let size = LEAF_CELL + stored + value.len();
    let Some(offset) = insert_raw(page, index, size, suffix) else { return false };
    page[offset] = flags | if key.chain.is_some() { KEY_OVERFLOW } else { 0 };
    put(page, offset + 1, &(stored as u16).to_le_bytes());
    put(page, offset + 3, &(value.len() as u32).to_le_bytes());
    write_key(page, offset + LEAF_CELL, suffix, key.chain);
    put(page, offset + LEAF_CELL + stored, value);
    true
}

/// Replaces the value of a leaf entry; false when there is no room.
#[must_use]
pub fn leaf_replace(page: &mut [u8], index: usize, flags: u8, value: &[u8]) -> bool {
    let offset = slot_offset(page, index);
    let key_len = get_u16(page, offset + 1) as usize;
    let old_len = get_u32(page, offset + 3) as usize;
    let flags = flags | (page[offset] & KEY_OVERFLOW);
    if value.len() <= old_len {
        page[offset] = flags;
        put(page, offset + 3, &(value.len() as u32).to_le_bytes());
        put(page, offset + LEAF_CELL + key_len, value);
        let dead = garbage(page) + old_len - value.len();
        set_garbage(page, dead);
        return true;
    }
    let old_size = LEAF_CELL + key_len + old_len;
    let size = LEAF_CELL + key_len + value.len();
    if free_space(page) + old_size < size {
        return false;
    }
    let key_bytes =
        smallvec::SmallVec::<[u8; 128]>::from_slice(&page[offset + LEAF_CELL..offset + LEAF_CELL + key_len]);
    if contiguous(page) < size {
        // Leave the old value behind, so that squeezing does not carry it along.
        put(page, offset + 3, &0u32.to_le_bytes());
        let dead = garbage(page) + old_len;
        set_garbage(page, dead);
        compact(page);
        if contiguous(page) < size {
            // Only with the old cell's own head and key given up is there room: rebuild without it.
            let slot = HEAD + index * SLOT;
            let mut head = [0; 4];
            head.copy_from_slice(&page[slot + 2..slot + 6]);
            remove(page, index);
            compact(page);
            let Some(offset) = insert_raw(page, index, size, &key_bytes) else { return false };
            put(page, HEAD + index * SLOT + 2, &head);
            write_leaf(page, offset, flags, &key_bytes, value);
            return true;
        }
    }
    let offset_old = slot_offset(page, index);
    let dead = garbage(page) + cell_size(page, offset_old);
    let offset = heap_start(page) - size;
    set_garbage(page, dead);
    set_heap_start(page, offset);
    put(page, HEAD + index * SLOT, &(offset as u16).to_le_bytes());
    write_leaf(page, offset, flags, &key_bytes, value);
    true
}

fn write_leaf(page: &mut [u8], offset: usize, flags: u8, stored_key: &[u8], value: &[u8]) {
    page[offset] = flags;
    put(page, offset + 1, &(stored_key.len() as u16).to_le_bytes());
    put(page, offset + 3, &(value.len() as u32).to_le_bytes());
    put(page, offset + LEAF_CELL, stored_key);
    put(page, offset + LEAF_CELL + stored_key.len(), value);
}

/// Puts an inner entry before `index`; false when there is no room.
#[must_use]
pub fn inner_insert(page: &mut [u8], index: usize, key: StoredKey<'_>, child: PageNo) -> bool {
    let suffix = &key.suffix[prefix_len(page).min(key.suffix.len())..];
    let stored = key_size(suffix, key.chain);
    let Some(offset) = insert_raw(page, index, INNER_CELL + stored, suffix) else { return false };
    page[offset] = if key.chain.is_some() { KEY_OVERFLOW } else { 0 };
    put(page, offset + 1, &(stored as u16).to_le_bytes());
    put(page, offset + 3, &child.0.to_le_bytes());
    write_key(page, offset + INNER_CELL, suffix, key.chain);
    true
}

/// Takes an entry out.
pub fn remove(page: &mut [u8], index: usize) {
    let entries = count(page);
    let dead = garbage(page) + cell_size(page, slot_offset(page, index));
    set_garbage(page, dead);
    let slot = HEAD + index * SLOT;
    page.copy_within(slot + SLOT..HEAD + entries * SLOT, slot);
    let last = HEAD + (entries - 1) * SLOT;
    page[last..last + SLOT].fill(0);
    set_count(page, entries - 1);
}

/// Gives an empty tree page its fences and, from them, its prefix.
///
/// # Errors
/// When both fences do not fit, which the limits rule out.
pub fn set_fences(page: &mut [u8], low: Option<StoredKey<'_>>, high: Option<StoredKey<'_>>) -> Result<()> {
    for (at, fence) in [(96, low), (98, high)] {
        let Some(fence) = fence else { continue };
        let stored = key_size(fence.suffix, fence.chain);
        let size = LEAF_CELL + stored;
        let Some(offset) = heap_start(page).checked_sub(size).filter(|&offset| offset >= HEAD) else {
            return Err(Error::corrupt(number(page), "fences do not fit"));
        };
        page[offset] = if fence.chain.is_some() { KEY_OVERFLOW } else { 0 };
        put(page, offset + 1, &(stored as u16).to_le_bytes());
        put(page, offset + 3, &0u32.to_le_bytes());
        write_key(page, offset + LEAF_CELL, fence.suffix, fence.chain);
        put(page, at, &(offset as u16).to_le_bytes());
        set_heap_start(page, offset);
    }
    let shared = match (low, high) {
        (Some(low), Some(high)) => low.suffix.iter().zip(high.suffix).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    // A cut key keeps at least the four bytes of its slot's head behind the prefix.
    let shared = shared.min(key_inline_limit(page.len()) - 4);
    put(page, 30, &(shared as u16).to_le_bytes());
    Ok(())
}

/// Verifies that slots, cells and fences stay inside the page and heads agree with keys.
///
/// # Errors
/// [`Error::CorruptPage`].
pub fn verify(page: &[u8]) -> Result<()> {
    let wrong = |what: &str| Err(Error::corrupt(number(page), what));
    let leaf = match kind(page) {
        Some(Kind::Leaf) => true,
        Some(Kind::Inner) => false,
        _ => return wrong("not a tree page"),
    };
    if leaf != (super::level(page) == 0) {
        return wrong("its level is not one of its kind");
    }
    let slots_end = HEAD + count(page) * SLOT;
    if slots_end > heap_start(page)
        || heap_start(page) > page.len()
        || garbage(page) > page.len() - heap_start(page)
    {
        return wrong("slots and cells overlap");
    }
    let inside = |offset: usize, leaf: bool| -> bool {
        let head = if leaf { LEAF_CELL } else { INNER_CELL };
        if offset < heap_start(page) || offset + head > page.len() {
            return false;
        }
        let key_len = get_u16(page, offset + 1) as usize;
        let value_len = if leaf { get_u32(page, offset + 3) as usize } else { 0 };
        let cut_fits = page[offset] & KEY_OVERFLOW == 0 || key_len >= KEY_POINTER;
        let pointer_fits = !leaf || page[offset] & VALUE_OVERFLOW == 0 || value_len == VALUE_POINTER;
        cut_fits && pointer_fits && offset + head + key_len + value_len <= page.len()
    };
    let mut heap = garbage(page);
    for at in [96, 98] {
        let offset = get_u16(page, at) as usize;
        if offset == 0 {
            continue;
        }
        if !inside(offset, true) {
            return wrong("a fence leaves the page");
        }
        heap += LEAF_CELL + get_u16(page, offset + 1) as usize;
    }
    let prefix_fits = |high| fence(page, high).is_some_and(|key| key.suffix.len() >= prefix_len(page));
    if prefix_len(page) > 0 && !(prefix_fits(false) && prefix_fits(true)) {
        return wrong("the prefix is longer than a fence");
    }
    for index in 0..count(page) {
        if !inside(slot_offset(page, index), leaf) {
            return wrong("a cell leaves the page");
        }
        let slot = HEAD + index * SLOT;
        if page[slot + 2..slot + 6] != head_of(key(page, index).suffix) {
            return wrong("a slot's head differs from its key");
        }
        heap += cell_size(page, slot_offset(page, index));
    }
    if heap != heap_size(page) {
        return wrong("its cells overlap, or bytes between them are lost");
    }
    Ok(())
}
