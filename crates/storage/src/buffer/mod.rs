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
//!   up to their LSN. A page in a batch stays pinned until the batch is done ([`write_back`]).
//! - A frame on the free list has no page. It gets onto the list, and is taken off it with a pin, under the
//!   list's lock; the hand of the eviction policy takes a frame without a page only where that lock shows it is
//!   not listed. So an empty frame has one taker.
//!
//! A reader that needs a frame takes a free one or the next victim that is clean: writing dirty pages before
//! they are victims is a background thread's work ([`Pool::write_ahead`]). Only where it meets a whole batch of
//! dirty victims does a reader write that batch itself.
//!
//! Lock order: shard, then nothing. The free list, then nothing. A latch may be held while a shard is locked for
//! another page; a shard is never held while waiting for a latch or the disk. Latches, then the writer of batches:
//! who has that waits for no latch, as the latch's holder may be waiting for this very batch to empty a frame.

mod doublewrite;
mod eviction;
mod read_ahead;
mod write_back;

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::sync::atomic;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use rustydb_telemetry::Counter;
use smallvec::SmallVec;

pub(crate) use doublewrite::{DoublewriteLayout, restore_torn_pages};
pub use eviction::{Clock, Eviction, Frames};
pub use write_back::Doorbell;
pub(crate) use write_back::Listed;

use crate::disk::File;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo};
use crate::page::{self, Aligned};
use crate::sync::{
    AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, RwLock, RwLockReadGuard, RwLockWriteGuard, yield_now,
};
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

/// The frames of pages by their numbers.
type PageTable = RwLock<HashMap<u64, u32, BuildHasherDefault<PageHasher>>>;

/// A part of the page table, alone on its cache lines: each read of a page locks one.
#[derive(Default)]
#[repr(align(128))]
struct Shard(PageTable);

/// What a read of a page changes is one cache line, and nobody else's.
#[repr(align(64))]
struct Frame {
    latch: RwLock<Aligned>,
    page: AtomicU64,
    pins: AtomicU32,
    /// Only a hint.
    hits: atomic::AtomicU8,
    dirty: AtomicBool,
    /// Lower bound of the oldest change that is not on disk; valid while `dirty`.
    oldest_change: AtomicU64,
    /// It is on the free list; changed under that list's lock.
    is_free: AtomicBool,
}

/// Counters of the pool.
#[derive(Debug, Default)]
pub struct PoolCounters {
    /// Pages found in the pool.
    pub hits: Counter,
    /// Pages read from disk.
    pub reads: atomic::AtomicU64,
    /// Those of them that were read before they were needed.
    pub reads_ahead: atomic::AtomicU64,
    /// Pages written to disk.
    pub writes: atomic::AtomicU64,
    /// Batches that carried them.
    pub batches: atomic::AtomicU64,
    /// Batches that a reader in need of a frame wrote itself.
    pub own_batches: atomic::AtomicU64,
}

/// The pool over one page file.
pub struct Pool {
    frames: Vec<Frame>,
    shards: Vec<Shard>,
    free: Mutex<Vec<u32>>,
    eviction: Box<dyn Eviction>,
    file: Arc<dyn File>,
    /// Missing while the log is replayed: what a page holds then was read from it.
    log: OnceLock<Arc<Log>>,
    page_size: usize,
    doublewrite: Mutex<doublewrite::Writer>,
    bell: Arc<Doorbell>,
    /// Where pages to be read ahead are asked for; missing where no thread reads ahead.
    asked: OnceLock<SyncSender<PageNo>>,
    /// Pages that scans have passed while the pool was full.
    passed: atomic::AtomicU64,
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
        let frame = &self.frames[frame];
        frame.pins.load(Ordering::Relaxed) == 0 && !frame.is_free.load(Ordering::Relaxed)
    }
}

impl Pool {
    /// A pool of `frames` pages, whose log follows ([`Pool::attach`]); `writers` threads put a batch's pages in
    /// their places.
    pub(crate) fn new(
        frames: usize,
        page_size: usize,
        file: Arc<dyn File>,
        (layout, next_batch): (DoublewriteLayout, u64),
        eviction: Box<dyn Eviction>,
        writers: usize,
    ) -> Pool {
        let frame = || Frame {
            latch: RwLock::new(Aligned::new(0)),
            page: AtomicU64::new(NO_PAGE),
            pins: AtomicU32::new(0),
            hits: atomic::AtomicU8::new(0),
            dirty: AtomicBool::new(false),
            oldest_change: AtomicU64::new(0),
            is_free: AtomicBool::new(true),
        };
        Pool {
            frames: (0..frames).map(|_| frame()).collect(),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            free: Mutex::new((0..frames as u32).rev().collect()),
            eviction,
            file,
            log: OnceLock::new(),
            page_size,
            doublewrite: Mutex::new(doublewrite::Writer::new(layout, page_size, next_batch, writers)),
            bell: Arc::default(),
            asked: OnceLock::new(),
            passed: atomic::AtomicU64::new(0),
            counters: PoolCounters::default(),
        }
    }

    /// The log was replayed: from here on pages wait for it. Once.
    pub(crate) fn attach(&self, log: Arc<Log>) {
        let _ = self.log.set(log);
    }

    /// How many pages the pool can hold.
    #[must_use]
    pub fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    fn shard(&self, page: PageNo) -> &PageTable {
        &self.shards[page.0 as usize % SHARDS].0
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
                    self.counters.hits.inc(1);
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

    /// A page under a shared latch, read in passing: it does not count as used, and is the first to go.
    ///
    /// # Errors
    /// When the page cannot be read or is damaged.
    pub(crate) fn read_passing(&self, page: PageNo) -> Result<PageRef<'_>> {
        loop {
            let pin = match self.pin_present(page) {
                Some(pin) => {
                    self.counters.hits.inc(1);
                    pin
                }
                None => self.load(page)?,
            };
            let bytes = pin.frame.latch.read();
            if pin.frame.page.load(Ordering::Relaxed) == page.0 {
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
                    self.counters.hits.inc(1);
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
                    Pool::touch(pin.frame);
                    return Ok(PageMut { bytes, pin });
                }
                continue;
            }
            if let Some((pin, bytes)) = self.install(page)? {
                Pool::touch(pin.frame);
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
            let is_empty = frame.page.load(Ordering::Acquire) == NO_PAGE;
            if is_empty
                && frame.pins.load(Ordering::Acquire) == 0
                && !frame.is_free.swap(true, Ordering::Relaxed)
            {
                free.push(index);
            }
        }
    }

    /// Takes a frame off the free list, with a pin.
    fn take_free(&self) -> Option<u32> {
        let mut free = self.free.lock();
        while let Some(index) = free.pop() {
            let frame = &self.frames[index as usize];
            frame.is_free.store(false, Ordering::Relaxed);
            // A straggler of a failed load may have it pinned; then the hand finds it later.
            if frame.pins.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some(index);
            }
        }
        None
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
        // Whoever wanted it counts its own use.
        frame.hits.store(0, Ordering::Relaxed);
        shard.insert(page.0, index);
        drop(shard);
        Ok(Some((Pin { frame }, bytes)))
    }

    /// A frame that belongs to nobody else, with one pin that is ours.
    fn empty_frame(&self) -> Result<u32> {
        for _ in 0..1000 {
            if let Some(index) = self.take_free() {
                return Ok(index);
            }
            let mut dirty: SmallVec<[usize; BATCH]> = SmallVec::new();
            for _ in 0..4 * BATCH {
                let Some(index) = self.eviction.victim(self) else { break };
                if !self.frames[index].dirty.load(Ordering::Acquire) {
                    if self.empty(index) {
                        return Ok(index as u32);
                    }
                } else if dirty.len() == BATCH || dirty.contains(&index) {
                    break;
                } else {
                    dirty.push(index);
                }
            }
            self.bell.ring();
            if dirty.is_empty() {
                // The pages of a batch on its way are pinned: a small pool may be one batch. Who writes it
                // waits for no latch, so this ends.
                drop(self.doublewrite.lock());
                yield_now();
            } else {
                self.write_victims(&dirty)?;
            }
        }
        Err(Error::PoolExhausted { frames: self.frames.len() })
    }

    /// Takes a clean frame off its page; it is ours then, with one pin. False when it is in use after all.
    fn empty(&self, index: usize) -> bool {
        let frame = &self.frames[index];
        let page = frame.page.load(Ordering::Relaxed);
        if page == NO_PAGE {
            let is_claimed = frame.pins.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
            if is_claimed {
                let _free = self.free.lock();
                if frame.page.load(Ordering::Relaxed) == NO_PAGE && !frame.is_free.load(Ordering::Relaxed) {
                    return true;
                }
                frame.pins.fetch_sub(1, Ordering::Release);
            }
            return false;
        }
        let mut shard = self.shard(PageNo(page)).write();
        let is_victim = shard.get(&page) == Some(&(index as u32))
            && frame.pins.load(Ordering::Acquire) == 0
            && !frame.dirty.load(Ordering::Acquire);
        if is_victim {
            shard.remove(&page);
            frame.pins.fetch_add(1, Ordering::Acquire);
            frame.page.store(NO_PAGE, Ordering::Release);
        }
        is_victim
    }

    /// How many pages the pool can hold, holds, and holds dirty.
    #[must_use]
    pub fn occupancy(&self) -> (usize, usize, usize) {
        let present = self.shards.iter().map(|shard| shard.0.read().len()).sum();
        let dirty = self.frames.iter().filter(|frame| frame.dirty.load(Ordering::Relaxed)).count();
        (self.frames.len(), present, dirty)
    }
}
