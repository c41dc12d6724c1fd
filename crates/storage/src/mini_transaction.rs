//! A mini-transaction: changes of several pages that happen together, as one log record.
//!
//! Everything that can fail (latching, allocating, growing the file) comes before the first
//! [`MiniTransaction::apply`]; from there to the commit nothing fails but the log, and that poisons the
//! store. Dropped before its first change a mini-transaction leaves no trace.
//!
//! Invariants: all changed pages stay latched until they carry the record's LSN; new overflow pages
//! are the exception. Nothing refers to them before the record exists, so they are filled and let go
//! at once. They are stamped with the log's end as it was after their allocation: the record that freed
//! them before is older than that, so it is durable before the new content can reach the disk.

use smallvec::SmallVec;

use crate::buffer::PageMut;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo, TreeId};
use crate::page::node::{StoredKey, key_inline_limit};
use crate::page::{self, HEAD, Kind};
use crate::space::{self, Space};
use crate::store::Core;
use crate::sync::MutexGuard;
use crate::wal::record::{Operation, Record, Row, RowBytes};

/// A latched page of a mini-transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held(usize);

pub(crate) struct MiniTransaction<'a> {
    core: &'a Core,
    not_before: Lsn,
    pages: SmallVec<[PageMut<'a>; 4]>,
    changed: SmallVec<[bool; 4]>,
    operations: Vec<u8>,
    /// Allocations (true) and releases (false) whose bits change at commit.
    bits: Vec<(PageNo, bool)>,
    space: Option<MutexGuard<'a, Space>>,
    /// It takes back what was begun, so it may have the last of the disk.
    is_urgent: bool,
    done: bool,
}

impl Drop for MiniTransaction<'_> {
    fn drop(&mut self) {
        if !self.done && self.changed.contains(&true) {
            let reason = Error::Invalid("a change of pages was left half done".to_owned());
            self.core.log.poison(&reason);
        }
        if let (false, Some(space)) = (self.done, self.space.as_mut()) {
            for (page, _) in self.bits.iter().filter(|(_, set)| *set) {
                space.given_back(*page);
            }
        }
    }
}

impl<'a> MiniTransaction<'a> {
    pub(crate) fn new(core: &'a Core) -> MiniTransaction<'a> {
        MiniTransaction {
            core,
            not_before: core.log.end(),
            pages: SmallVec::new(),
            changed: SmallVec::new(),
            // What one change of a short row takes.
            operations: Vec::with_capacity(64),
            bits: Vec::new(),
            space: None,
            is_urgent: false,
            done: false,
        }
    }

    /// One that may use what a nearly full disk keeps back for rollbacks, if `urgent`.
    pub(crate) fn with_urgency(core: &'a Core, urgent: bool) -> MiniTransaction<'a> {
        let mut mini = MiniTransaction::new(core);
        mini.is_urgent = urgent;
        mini
    }

    /// Takes a latched page in.
    pub(crate) fn hold(&mut self, page: PageMut<'a>) -> Held {
        self.pages.push(page);
        self.changed.push(false);
        Held(self.pages.len() - 1)
    }

    pub(crate) fn page(&self, held: Held) -> &[u8] {
        &self.pages[held.0]
    }

    pub(crate) fn number(&self, held: Held) -> PageNo {
        self.pages[held.0].number()
    }

    fn bitmap(&mut self, number: PageNo) -> Result<Held> {
        if self.space.is_none() {
            self.space = Some(self.core.space.lock());
        }
        if let Some(index) = self.pages.iter().position(|page| page.number() == number) {
            return Ok(Held(index));
        }
        let page = self.core.pool.write(number)?;
        Ok(self.hold(page))
    }

    /// Finds a free page; it counts as allocated once this commits.
    pub(crate) fn allocate(&mut self) -> Result<PageNo> {
        let page_size = self.core.pool.page_size();
        let group_size = Space::group(page_size);
        let hint = {
            let space = self.space.get_or_insert_with(|| self.core.space.lock());
            space.hint()
        };
        let mut group = hint.0 / group_size;
        let mut from = (hint.0 % group_size) as u32;
        loop {
            let number = Space::bitmap_of(page_size, group);
            self.reach(number)?;
            let held = self.bitmap(number)?;
            // A group's bitmap page is itself in the group: bit 0 of every group but the first.
            let is_new = page::kind(self.page(held)) != Some(Kind::Bitmap);
            let mut bit = if is_new { Some(from.max(1)) } else { space::first_clear(self.page(held), from) };
            while let Some(candidate) = bit {
                let found = PageNo(group * group_size + u64::from(candidate));
                if !self.bits.contains(&(found, true)) {
                    self.reach(found)?;
                    if let Some(space) = self.space.as_mut() {
                        space.taken(found);
                    }
                    if is_new {
                        self.format_bitmap(held, number)?;
                    }
                    self.bits.push((found, true));
                    return Ok(found);
                }
                bit = if is_new {
                    Some(candidate + 1)
                } else {
                    space::first_clear(self.page(held), candidate + 1)
                };
            }
            group += 1;
            from = 0;
        }
    }

    /// Makes sure that the page file reaches over a page.
    fn reach(&mut self, page: PageNo) -> Result<()> {
        let Some(space) = self.space.as_mut() else { return Ok(()) };
        loop {
            match space.reach(&*self.core.file, page, self.is_urgent) {
                Err(Error::DiskFull { .. })
                    if self.is_urgent && self.core.log.spend(self.core.pool.page_size() as u64) => {}
                done => return done,
            }
        }
    }

    /// A new group begins: its bitmap page is logged as an image of its own, at once and by itself, so
    /// that it is there whatever becomes of this mini-transaction.
    fn format_bitmap(&mut self, held: Held, number: PageNo) -> Result<()> {
        let mut image = vec![0; self.core.pool.page_size()];
        page::format(&mut image, Kind::Bitmap, 0, number, TreeId::default());
        image[HEAD] = 1;
        let operation = Operation::Image { front: &image[..HEAD + 1], back: &[] };
        let mut operations = Vec::new();
        operation.encode(number, None, &mut operations);
        let mut record = Vec::new();
        Record::Group(&operations).encode(&mut record);
        let not_before = self.core.log.end();
        let bytes = self.pages[held.0].bytes_mut(not_before);
        operation.apply(number, bytes)?;
        let lsn = self.core.log.append(&record)?;
        page::set_lsn(bytes, lsn);
        Ok(())
    }

    /// Gives a page back when this commits.
    pub(crate) fn free(&mut self, number: PageNo) -> Result<()> {
        let (bitmap, bit) = Space::bit_of(self.core.pool.page_size(), number);
        let held = self.bitmap(bitmap)?;
        if !space::is_set(self.page(held), bit) || self.bits.contains(&(number, false)) {
            return Err(Error::corrupt(number, "freed twice"));
        }
        self.bits.push((number, false));
        Ok(())
    }

    /// Sets a page's bit to what it should be, when this commits; for repairs.
    pub(crate) fn mark(&mut self, number: PageNo, in_use: bool) -> Result<()> {
        let (bitmap, bit) = Space::bit_of(self.core.pool.page_size(), number);
        let held = self.bitmap(bitmap)?;
        if page::kind(self.page(held)) != Some(Kind::Bitmap) {
            return Err(Error::corrupt(bitmap, "should be the map of a group of pages"));
        }
        if space::is_set(self.page(held), bit) != in_use {
            self.bits.push((number, in_use));
        }
        Ok(())
    }

    /// Gives all pages of an overflow chain back when this commits.
    pub(crate) fn free_chain(&mut self, first: PageNo) -> Result<()> {
        let mut next = first;
        while next != PageNo(0) {
            let page = self.core.pool.read(next)?;
            if page::kind(&page) != Some(Kind::Overflow) {
                return Err(Error::corrupt(next, "an overflow chain leads here"));
            }
            let after = page::link(&page);
            drop(page);
            self.free(next)?;
            next = after;
        }
        Ok(())
    }

    /// Allocates a page and latches it for a new content.
    pub(crate) fn allocate_held(&mut self) -> Result<Held> {
        let number = self.allocate()?;
        let page = self.core.pool.create(number)?;
        Ok(self.hold(page))
    }

    /// Writes bytes into a new overflow chain; gives its first page.
    pub(crate) fn write_chain(
        &mut self,
        tree: TreeId,
        data: &[u8],
        row: Option<&RowBytes<'_>>,
    ) -> Result<PageNo> {
        let room = self.core.pool.page_size() - HEAD;
        let pages = data.len().div_ceil(room).max(1);
        let mut numbers = Vec::with_capacity(pages);
        for _ in 0..pages {
            numbers.push(self.allocate()?);
        }
        let stamp = self.core.log.end();
        for (index, part) in data.chunks(room).enumerate() {
            let next = numbers.get(index + 1).copied().unwrap_or_default();
            let mut page = self.core.pool.create(numbers[index])?;
            let bytes = page.bytes_mut(stamp);
            page::format_overflow(bytes, numbers[index], tree, next, part);
            page::set_lsn(bytes, stamp);
            Operation::Overflow { tree, next, data: part }.encode(numbers[index], row, &mut self.operations);
        }
        Ok(numbers[0])
    }

    /// Brings a whole key into the form in which pages hold it, with a chain where it is long.
    pub(crate) fn store_key<'k>(
        &mut self,
        tree: TreeId,
        key: &'k [u8],
        row: Option<&RowBytes<'_>>,
    ) -> Result<StoredKey<'k>> {
        let limit = key_inline_limit(self.core.pool.page_size());
        if key.len() <= limit {
            return Ok(StoredKey { suffix: key, chain: None });
        }
        let first = self.write_chain(tree, key, row)?;
        Ok(StoredKey { suffix: &key[..limit], chain: Some((first, key.len() as u32)) })
    }

    /// Changes a page.
    pub(crate) fn apply(
        &mut self,
        held: Held,
        operation: &Operation<'_>,
        row: Option<&RowBytes<'_>>,
    ) -> Result<()> {
        let number = self.number(held);
        self.changed[held.0] = true;
        operation.apply(number, self.pages[held.0].bytes_mut(self.not_before))?;
        operation.encode(number, row, &mut self.operations);
        Ok(())
    }

    /// Replaces a page by an image built elsewhere.
    pub(crate) fn apply_image(&mut self, held: Held, image: &[u8]) -> Result<()> {
        let slots_end = HEAD + page::node::count(image) * 6;
        let heap_start = image.len() - page::node::heap_size(image);
        let operation = Operation::Image { front: &image[..slots_end], back: &image[heap_start..] };
        self.apply(held, &operation, None)
    }

    fn apply_bits(&mut self) -> Result<()> {
        let page_size = self.core.pool.page_size();
        let mut bits = std::mem::take(&mut self.bits);
        bits.sort_unstable();
        let mut at = 0;
        while at < bits.len() {
            let (first, set) = bits[at];
            let (bitmap, bit) = Space::bit_of(page_size, first);
            let mut count = 1;
            while bits.get(at + count).is_some_and(|&(page, same)| {
                same == set && page.0 == first.0 + count as u64 && Space::bit_of(page_size, page).0 == bitmap
            }) {
                count += 1;
            }
            let held = self.bitmap(bitmap)?;
            self.apply(held, &Operation::Bits { first: bit, count: count as u32, set }, None)?;
            at += count;
        }
        for (page, set) in bits {
            if let (false, Some(space)) = (set, self.space.as_mut()) {
                space.given_back(page);
            }
        }
        Ok(())
    }

    /// Logs the changes as a group that belongs to no transaction.
    pub(crate) fn commit(mut self) -> Result<Lsn> {
        self.apply_bits()?;
        let operations = std::mem::take(&mut self.operations);
        self.finish(&Record::Group(&operations), 1 + operations.len(), |_| ())
    }

    /// Logs the changes with the row change that they carry out; `applied` runs before the latches go.
    pub(crate) fn commit_row(mut self, row: &Row<'_>, applied: impl FnOnce(Lsn)) -> Result<Lsn> {
        self.apply_bits()?;
        let operations = std::mem::take(&mut self.operations);
        self.finish(&Record::Row(*row, &operations), row.size() + operations.len(), applied)
    }

    /// `size` is the record's.
    fn finish(&mut self, record: &Record<'_>, size: usize, applied: impl FnOnce(Lsn)) -> Result<Lsn> {
        let lsn = self.core.log.append_encoded(size, |out| record.encode(out), |_| ())?;
        for (page, changed) in self.pages.iter_mut().zip(&self.changed) {
            if *changed {
                page::set_lsn(page.bytes_mut(self.not_before), lsn);
            }
        }
        self.done = true;
        applied(lsn);
        Ok(lsn)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::disk::SimulatedDisk;
    use crate::{Expect, Options, State, Store, TransactionHorizon, Tree, check};

    fn open(disk: &SimulatedDisk) -> Store {
        let options = Options {
            page_size: 4096,
            buffer_pool_bytes: 64 * 4096,
            segment_bytes: 64 << 10,
            ..Options::default()
        };
        Store::open(Arc::new(disk.clone()), disk, options).unwrap().0
    }

    #[test]
    fn a_page_is_not_overwritten_before_the_record_that_freed_it_is_durable() {
        let disk = SimulatedDisk::new(1);
        let store = open(&disk);
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        tree.write(b"k", State::Value(&[7; 9000]), Expect::Any, None, |_, _| ()).unwrap();
        // This one begins, another frees pages, this one takes them.
        let mut mini = MiniTransaction::new(store.core());
        let freed = tree.write(b"k", State::Absent, Expect::Any, None, |_, _| ()).unwrap();
        let first = mini.write_chain(tree.id(), &[9; 9000], None).unwrap();
        // By its LSN the pool decides how much of the log must be durable before the page may be written.
        assert!(page::lsn(&store.core().pool.read(first).unwrap()) > freed);
    }

    #[test]
    fn a_new_group_of_pages_begins_with_its_bitmap() {
        let disk = SimulatedDisk::new(1);
        let group = Space::group(4096);
        let id = {
            let store = open(&disk);
            let tree = store.tree(store.create_tree().unwrap()).unwrap();
            store.core().space.lock().taken(PageNo(group - 4));
            let mut untouched = MiniTransaction::new(store.core());
            for _ in 0..8 {
                untouched.allocate().unwrap();
            }
            drop(untouched);
            for key in 0..20u8 {
                tree.write(&[key], State::Value(&vec![key; 20_000]), Expect::Any, None, |_, _| ()).unwrap();
            }
            assert_eq!(check::check(&store).unwrap().problems, Vec::<String>::new());
            store.log().flush(store.log().end()).unwrap();
            tree.id()
        };
        disk.crash();
        let store = open(&disk);
        let tree = store.tree(id).unwrap();
        for key in 0..20u8 {
            assert!(
                tree.get(&[key], |entry, _| entry.is_some_and(|e| e.value == vec![key; 20_000])).unwrap()
            );
            tree.write(&[key], State::Absent, Expect::Any, None, |_, _| ()).unwrap();
        }
        assert_eq!(check::check(&store).unwrap().problems, Vec::<String>::new());
    }

    #[test]
    fn a_change_that_was_begun_long_ago_does_not_take_a_checkpoint_back() {
        let disk = SimulatedDisk::new(1);
        let store = open(&disk);
        let [old, busy, other] = [(); 3].map(|()| store.tree(store.create_tree().unwrap()).unwrap());
        let put = |tree: &Tree, key: &[u8]| {
            tree.write(key, State::Value(&[1; 700]), Expect::Any, None, |_, _| ()).unwrap();
        };
        let checkpoint = || {
            let end = store.log().end();
            let horizon = TransactionHorizon {
                oldest_active: Lsn::MAX,
                keep_log_from: end,
                next_transaction: 1,
                csn: 0,
                time: 0,
                number: 0,
            };
            store.checkpoint(|| horizon).unwrap();
        };
        put(&old, b"k");
        let mut begun = MiniTransaction::new(store.core());
        for number in 0..400u32 {
            put(&other, &number.to_be_bytes());
            store.log().flush(store.log().end()).unwrap();
        }
        checkpoint();
        put(&busy, b"k");
        put(&other, b"k");
        // The next checkpoint has listed the dirty pages and waits for this one, when the old change comes.
        let latched = busy.leaf_for_write(b"k").unwrap();
        let writes = &store.core().pool.counters.writes;
        let before = writes.load(Ordering::Relaxed);
        std::thread::scope(|scope| {
            scope.spawn(checkpoint);
            while writes.load(Ordering::Relaxed) == before {
                std::thread::yield_now();
            }
            let leaf = begun.hold(old.leaf_for_write(b"k").unwrap());
            begun.apply(leaf, &Operation::LeafReplace { index: 0, flags: 0, value: b"v" }, None).unwrap();
            let lsn = begun.commit().unwrap();
            store.log().flush(lsn).unwrap();
            drop(latched);
        });
        let id = old.id();
        drop((old, busy, other, store));
        disk.crash();
        let store = open(&disk);
        let found = store.tree(id).unwrap().get(b"k", |entry, _| entry.map(|entry| entry.value.to_vec()));
        assert_eq!(found.unwrap().unwrap(), b"v");
    }
}
