//! The buffer pool: pages in memory, under latches.
//!
//! ```text
//!   page number -> shard of the page table -> frame
//!   frame: latch (shared or exclusive) over the bytes; pins, hit bits, dirty flag, oldest change
//! ```
//! Invariants:
//! - A frame is pinned under its shard's lock, and its mapping goes away only under that lock when it
//!   has no pins: a pinned frame keeps its page.
//! - A frame is marked dirty, with a lower bound of the change's LSN, before the change is logged
//!   ([`PageMut::bytes_mut`]), so a checkpoint that looks at the frames misses no change.
//! - Pages go to disk only in batches through the doublewrite area, and only after the log is durable
//!   up to their LSN. A page in a batch stays pinned until the batch is done.
//!
//! Lock order: shard, then nothing. A latch may be held while a shard is locked for another page; a
//! shard is never held while waiting for a latch or the disk. Latches, then the writer of batches: who has
//! that waits for no latch, as the latch's holder may be waiting for this very batch to empty a frame.

mod doublewrite;
mod eviction;

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use doublewrite::{DoublewriteLayout, restore_torn_pages};
pub use eviction::{Clock, Eviction, Frames};

use crate::disk::File;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo};
use crate::page::{self, Aligned};
use crate::wal::Log;

const SHARDS: usize = 64;
const NO_PAGE: u64 = u64::MAX;
/// Pages written together; the doublewrite area has room for as many.
pub const BATCH: usize = 64;

/// Multiplies page numbers apart; they are not chosen by an adversary.
#[derive(Default)]
struct PageHasher(u64);

impl Hasher for PageHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

type Shard = RwLock<HashMap<u64, u32, BuildHasherDefault<PageHasher>>>;

struct Frame {
    latch: RwLock<Aligned>,
    page: AtomicU64,
    pins: AtomicU32,
    hits: AtomicU8,
    dirty: AtomicBool,
    /// Lower bound of the oldest change that is not on disk; valid while `dirty`.
    oldest_change: AtomicU64,
}

/// Counters of the pool.
#[derive(Debug, Default)]
pub struct PoolCounters {
    /// Pages found in the pool.
    pub hits: AtomicU64,
    /// Pages read from disk.
    pub reads: AtomicU64,
    /// Pages written to disk.
    pub writes: AtomicU64,
    /// Batches that carried them.
    pub batches: AtomicU64,
}

/// The pool over one page file.
pub struct Pool {
    frames: Vec<Frame>,
    shards: Vec<Shard>,
    free: Mutex<Vec<u32>>,
    eviction: Box<dyn Eviction>,
    file: Arc<dyn File>,
    log: Arc<Log>,
    page_size: usize,
    doublewrite: Mutex<doublewrite::Writer>,
    /// Counters, read by metrics.
    pub counters: PoolCounters,
}

struct Pin<'a> {
    frame: &'a Frame,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.frame.pins.fetch_sub(1, Ordering::Release);
    }
}

/// Pages on their way to the disk, pinned until they are there.
struct Batch<'a> {
    writer: MutexGuard<'a, doublewrite::Writer>,
    pins: Vec<Pin<'a>>,
    newest: Lsn,
}

impl<'a> Batch<'a> {
    fn new(writer: MutexGuard<'a, doublewrite::Writer>) -> Batch<'a> {
        Batch { writer, pins: Vec::new(), newest: Lsn::ZERO }
    }

    /// Takes a copy of a page, if it is dirty.
    fn add(&mut self, pin: Pin<'a>, bytes: RwLockReadGuard<'a, Aligned>) {
        let page = pin.frame.page.load(Ordering::Relaxed);
        if page == NO_PAGE || !pin.frame.dirty.load(Ordering::Acquire) {
            return;
        }
        self.writer.add(PageNo(page), &bytes);
        self.newest = self.newest.max(page::lsn(&bytes));
        pin.frame.dirty.store(false, Ordering::Release);
        drop(bytes);
        self.pins.push(pin);
    }
}

/// A page under a shared latch.
pub struct PageRef<'a> {
    bytes: RwLockReadGuard<'a, Aligned>,
    pin: Pin<'a>,
}

impl Deref for PageRef<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PageRef<'_> {
    /// The page's number.
    #[must_use]
    pub fn number(&self) -> PageNo {
        PageNo(self.pin.frame.page.load(Ordering::Relaxed))
    }
}

/// A page under an exclusive latch.
pub struct PageMut<'a> {
    bytes: RwLockWriteGuard<'a, Aligned>,
    pin: Pin<'a>,
}

impl Deref for PageMut<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PageMut<'_> {
    /// The page's number.
    #[must_use]
    pub fn number(&self) -> PageNo {
        PageNo(self.pin.frame.page.load(Ordering::Relaxed))
    }

    /// The bytes for changing; `not_before` is a position of the log that the change's record cannot
    /// be before, taken before the record is appended.
    pub fn bytes_mut(&mut self, not_before: Lsn) -> &mut [u8] {
        let frame = self.pin.frame;
        if !frame.dirty.load(Ordering::Relaxed) {
            frame.oldest_change.store(not_before.0, Ordering::Relaxed);
            frame.dirty.store(true, Ordering::Release);
        }
        &mut self.bytes
    }
}

impl Frames for Pool {
    fn count(&self) -> usize {
        self.frames.len()
    }

    fn age(&self, frame: usize) -> u8 {
        let hits = &self.frames[frame].hits;
        let before = hits.load(Ordering::Relaxed);
        hits.store(before.saturating_sub(1), Ordering::Relaxed);
        before
    }

    fn is_idle(&self, frame: usize) -> bool {
        self.frames[frame].pins.load(Ordering::Relaxed) == 0
    }
}

impl Pool {
    /// A pool of `frames` pages.
    pub(crate) fn new(
        frames: usize,
        page_size: usize,
        file: Arc<dyn File>,
        log: Arc<Log>,
        (layout, next_batch): (DoublewriteLayout, u64),
        eviction: Box<dyn Eviction>,
    ) -> Pool {
        let frame = || Frame {
            latch: RwLock::new(Aligned::new(0)),
            page: AtomicU64::new(NO_PAGE),
            pins: AtomicU32::new(0),
            hits: AtomicU8::new(0),
            dirty: AtomicBool::new(false),
            oldest_change: AtomicU64::new(0),
        };
        Pool {
            frames: (0..frames).map(|_| frame()).collect(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            free: Mutex::new((0..frames as u32).rev().collect()),
            eviction,
            file,
            log,
            page_size,
            doublewrite: Mutex::new(doublewrite::Writer::new(layout, page_size, next_batch)),
            counters: PoolCounters::default(),
        }
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    fn shard(&self, page: PageNo) -> &Shard {
        &self.shards[page.0 as usize % SHARDS]
    }

    /// Finds and pins the frame of a page that is in the pool.
    fn pin_present(&self, page: PageNo) -> Option<Pin<'_>> {
        let shard = self.shard(page).read();
        let frame = &self.frames[*shard.get(&page.0)? as usize];
        frame.pins.fetch_add(1, Ordering::Acquire);
        Some(Pin { frame })
    }

    fn touch(frame: &Frame) {
        let hits = frame.hits.load(Ordering::Relaxed);
        if hits < 3 {
            frame.hits.store(hits + 1, Ordering::Relaxed);
        }
    }

    /// A page under a shared latch.
    ///
    /// # Errors
    /// When the page cannot be read or is damaged.
    pub fn read(&self, page: PageNo) -> Result<PageRef<'_>> {
        loop {
            let pin = match self.pin_present(page) {
                Some(pin) => {
                    self.counters.hits.fetch_add(1, Ordering::Relaxed);
                    pin
                }
                None => self.load(page)?,
            };
            let bytes = pin.frame.latch.read();
            // A frame whose load failed was taken off its page while we waited for the latch.
            if pin.frame.page.load(Ordering::Relaxed) == page.0 {
                Pool::touch(pin.frame);
                return Ok(PageRef { bytes, pin });
            }
        }
    }

    /// A page under an exclusive latch.
    ///
    /// # Errors
    /// When the page cannot be read or is damaged.
    pub fn write(&self, page: PageNo) -> Result<PageMut<'_>> {
        loop {
            let pin = match self.pin_present(page) {
                Some(pin) => {
                    self.counters.hits.fetch_add(1, Ordering::Relaxed);
                    pin
                }
                None => self.load(page)?,
            };
            let bytes = pin.frame.latch.write();
            if pin.frame.page.load(Ordering::Relaxed) == page.0 {
                Pool::touch(pin.frame);
                return Ok(PageMut { bytes, pin });
            }
        }
    }

    /// A page under an exclusive latch whose present content does not matter: it is not read.
    ///
    /// # Errors
    /// When no frame is to be had.
    pub fn create(&self, page: PageNo) -> Result<PageMut<'_>> {
        loop {
            if let Some(pin) = self.pin_present(page) {
                let bytes = pin.frame.latch.write();
                if pin.frame.page.load(Ordering::Relaxed) == page.0 {
                    return Ok(PageMut { bytes, pin });
                }
                continue;
            }
            if let Some((pin, bytes)) = self.install(page)? {
                return Ok(PageMut { bytes, pin });
            }
        }
    }

    /// Reads a page that is not in the pool, and gives it pinned.
    fn load(&self, page: PageNo) -> Result<Pin<'_>> {
        loop {
            let Some((pin, mut bytes)) = self.install(page)? else {
                match self.pin_present(page) {
                    Some(pin) => return Ok(pin),
                    None => continue,
                }
            };
            self.counters.reads.fetch_add(1, Ordering::Relaxed);
            let read = self
                .file
                .read_at(&mut bytes, page.0 * self.page_size as u64)
                .map_err(|error| Error::io(format!("reading page {page}"), error))
                .and_then(|()| page::verify(&bytes, page));
            if let Err(error) = read {
                self.shard(page).write().remove(&page.0);
                pin.frame.page.store(NO_PAGE, Ordering::Relaxed);
                drop(bytes);
                let frame = self.frame_number(pin.frame);
                drop(pin);
                self.recycle(frame);
                return Err(error);
            }
            drop(bytes);
            return Ok(pin);
        }
    }

    fn frame_number(&self, frame: &Frame) -> Option<u32> {
        self.frames.iter().position(|candidate| std::ptr::eq(candidate, frame)).map(|index| index as u32)
    }

    /// Puts a frame without a page on the free list, unless somebody still waits for its latch; then
    /// the hand of the eviction policy finds it later.
    fn recycle(&self, frame: Option<u32>) {
        if let Some(index) = frame {
            let frame = &self.frames[index as usize];
            let mut free = self.free.lock();
            if frame.pins.load(Ordering::Acquire) == 0 && !free.contains(&index) {
                free.push(index);
            }
        }
    }

    /// Maps a page to an empty frame, latched exclusively; `None` when somebody else was quicker.
    fn install(&self, page: PageNo) -> Result<Option<(Pin<'_>, RwLockWriteGuard<'_, Aligned>)>> {
        let index = self.empty_frame()?;
        let frame = &self.frames[index as usize];
        // An empty frame's latch is free but for stragglers of a failed load, who let go at once.
        let mut bytes = frame.latch.write();
        if bytes.len() != self.page_size {
            *bytes = Aligned::new(self.page_size);
        }
        let mut shard = self.shard(page).write();
        if shard.contains_key(&page.0) {
            drop(shard);
            drop(bytes);
            frame.pins.fetch_sub(1, Ordering::Release);
            self.recycle(Some(index));
            return Ok(None);
        }
        frame.page.store(page.0, Ordering::Relaxed);
        frame.dirty.store(false, Ordering::Relaxed);
        frame.hits.store(1, Ordering::Relaxed);
        shard.insert(page.0, index);
        drop(shard);
        Ok(Some((Pin { frame }, bytes)))
    }

    /// A frame that belongs to nobody else, with one pin that is ours.
    fn empty_frame(&self) -> Result<u32> {
        while let Some(index) = { self.free.lock().pop() } {
            // A hand that passed just now may have claimed it; then it is theirs.
            let pins = &self.frames[index as usize].pins;
            if pins.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Ok(index);
            }
        }
        for _ in 0..1000 {
            let Some(index) = self.eviction.victim(self) else {
                // The pages of a batch on its way are pinned: a small pool may be one batch. Who writes it
                // waits for no latch, so this ends.
                drop(self.doublewrite.lock());
                std::thread::yield_now();
                continue;
            };
            let frame = &self.frames[index];
            if frame.dirty.load(Ordering::Acquire) {
                self.flush_around(index)?;
                continue;
            }
            let page = frame.page.load(Ordering::Relaxed);
            if page == NO_PAGE {
                if frame.pins.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    if frame.page.load(Ordering::Relaxed) == NO_PAGE
                        && !self.free.lock().contains(&(index as u32))
                    {
                        return Ok(index as u32);
                    }
                    frame.pins.fetch_sub(1, Ordering::Release);
                }
                continue;
            }
            let mut shard = self.shard(PageNo(page)).write();
            let is_victim = shard.get(&page) == Some(&(index as u32))
                && frame.pins.load(Ordering::Acquire) == 0
                && !frame.dirty.load(Ordering::Acquire);
            if is_victim {
                shard.remove(&page);
                frame.pins.fetch_add(1, Ordering::Acquire);
                frame.page.store(NO_PAGE, Ordering::Release);
                return Ok(index as u32);
            }
        }
        Err(Error::PoolExhausted { frames: self.frames.len() })
    }

    /// Writes a batch of dirty pages, the frame `first` and others that the hand would reach next.
    fn flush_around(&self, first: usize) -> Result<()> {
        let count = self.frames.len();
        let mut batch = Vec::with_capacity(BATCH);
        for step in 0..count.min(BATCH * 16) {
            let index = (first + step) % count;
            let frame = &self.frames[index];
            if frame.dirty.load(Ordering::Relaxed) && frame.pins.load(Ordering::Relaxed) == 0 {
                batch.push(index);
                if batch.len() == BATCH {
                    break;
                }
            }
        }
        self.write_frames(&batch).map(|_| ())
    }

    /// Writes all pages that are dirty now, oldest change first. Gives how many.
    ///
    /// # Errors
    /// When the log or the page file cannot be written.
    pub fn flush_all(&self) -> Result<usize> {
        let mut dirty: Vec<(u64, usize)> = (0..self.frames.len())
            .filter(|&index| self.frames[index].dirty.load(Ordering::Acquire))
            .map(|index| (self.frames[index].oldest_change.load(Ordering::Relaxed), index))
            .collect();
        dirty.sort_unstable();
        let count = dirty.len();
        let left: Vec<usize> = dirty.into_iter().map(|(_, index)| index).collect();
        for batch in left.chunks(BATCH) {
            let busy = self.write_frames(batch)?;
            // A page that is in demand may never be found free; nothing is held here that its holder waits for.
            for index in busy {
                self.write_waiting(index)?;
            }
        }
        Ok(count)
    }

    /// Makes all writes of pages durable.
    ///
    /// # Errors
    /// When the sync fails.
    pub fn sync(&self) -> Result<()> {
        let _writer = self.doublewrite.lock();
        let synced = doublewrite::sync(&*self.file);
        if let Err(error) = &synced {
            self.log.poison(error);
        }
        synced
    }

    /// Writes frames through the doublewrite area; gives those that were latched and so left out.
    fn write_frames(&self, frames: &[usize]) -> Result<Vec<usize>> {
        let mut batch = Batch::new(self.doublewrite.lock());
        let mut busy = Vec::new();
        for &index in frames {
            let Some(pin) = self.pin_frame(index) else { continue };
            match pin.frame.latch.try_read() {
                Some(bytes) => batch.add(pin, bytes),
                None => busy.push(index),
            }
        }
        self.write_batch(batch).map(|()| busy)
    }

    /// Writes one frame, whose latch is waited for, before the writer of batches is.
    fn write_waiting(&self, index: usize) -> Result<()> {
        let Some(pin) = self.pin_frame(index) else { return Ok(()) };
        let bytes = pin.frame.latch.read();
        let mut batch = Batch::new(self.doublewrite.lock());
        batch.add(pin, bytes);
        self.write_batch(batch)
    }

    /// Pins a frame through the page table, so that an eviction in progress is never joined.
    fn pin_frame(&self, index: usize) -> Option<Pin<'_>> {
        let page = self.frames[index].page.load(Ordering::Acquire);
        if page == NO_PAGE { None } else { self.pin_present(PageNo(page)) }
    }

    fn write_batch(&self, batch: Batch<'_>) -> Result<()> {
        let Batch { mut writer, pins, newest } = batch;
        if pins.is_empty() {
            return Ok(());
        }
        // A frame of the log is durable as a whole, so one byte past the record's start is enough.
        let written = self.log.flush(Lsn(newest.0 + 1)).and_then(|()| writer.write(&*self.file));
        if let Err(error) = written {
            // The copies are lost: the frames count as dirty again, from the start of the log, so that
            // no checkpoint passes them.
            for pin in &pins {
                pin.frame.oldest_change.store(0, Ordering::Relaxed);
                pin.frame.dirty.store(true, Ordering::Release);
            }
            writer.abandon();
            self.log.poison(&error);
            return Err(error);
        }
        self.counters.writes.fetch_add(pins.len() as u64, Ordering::Relaxed);
        self.counters.batches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The oldest change that is not on disk; `limit` when there is none before it.
    ///
    /// The caller takes `limit` from the log before this looks at the frames.
    #[must_use]
    pub fn oldest_change(&self, limit: Lsn) -> Lsn {
        // No batch is on its way while this holds the writer: its pages count as written only when done.
        let _writer = self.doublewrite.lock();
        self.frames
            .iter()
            .filter(|frame| frame.dirty.load(Ordering::Acquire))
            .map(|frame| Lsn(frame.oldest_change.load(Ordering::Relaxed)))
            .fold(limit, Lsn::min)
    }

    /// How many pages the pool can hold, holds, and holds dirty.
    #[must_use]
    pub fn occupancy(&self) -> (usize, usize, usize) {
        let present = self.shards.iter().map(|shard| shard.read().len()).sum();
        let dirty = self.frames.iter().filter(|frame| frame.dirty.load(Ordering::Relaxed)).count();
        (self.frames.len(), present, dirty)
    }
}
