//! Writing pages back: batches, and who decides what goes into one.
//!
//! ```text
//!   write_ahead     background: dirty pages that the hand will reach soon, so that readers find clean victims
//!   write_listed    background: pages with old changes, listed when a checkpoint was due, a batch at a time
//!   write_victims   a reader that met nothing but dirty victims
//!   flush_all       everything, for a checkpoint that is asked for
//! ```
//! One batch is written at a time: its writer is a lock. Who holds that waits for no latch, as the latch's holder
//! may be waiting for this very batch to empty a frame. A page is copied into the batch under its shared latch and
//! counts as clean from then on; it stays pinned, and so in its frame, until the copy is in its place.

use std::sync::Arc;
use std::time::Duration;

use super::{BATCH, NO_PAGE, Pin, Pool, doublewrite};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PageNo};
use crate::page::{self, Aligned};
use crate::sync::{Condvar, Mutex, MutexGuard, Ordering, RwLockReadGuard};

/// Wakes the background writer.
#[derive(Debug, Default)]
pub struct Doorbell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Doorbell {
    /// Wakes who waits, or who waits next.
    pub fn ring(&self) {
        let mut rung = self.rung.lock();
        if !*rung {
            *rung = true;
            self.changed.notify_all();
        }
    }

    /// Waits for a ring, but no longer than `within`.
    pub fn wait(&self, within: Duration) {
        let mut rung = self.rung.lock();
        if !*rung {
            rung = self.changed.wait_for(rung, within);
        }
        *rung = false;
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

/// Dirty pages whose changes are older than a position, in the order of their places.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    frames: Vec<(PageNo, u32)>,
    done: usize,
}

impl Listed {
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn done(&self) -> usize {
        self.done
    }
}

impl Pool {
    /// Rung when a reader meets dirty victims.
    pub(crate) fn doorbell(&self) -> Arc<Doorbell> {
        self.bell.clone()
    }

    /// Writes dirty pages that the hand will reach next: a batch, or nothing where there are too few to be worth
    /// its syncs. Gives how many. For a background thread.
    ///
    /// # Errors
    /// When the log or the page file cannot be written.
    pub(crate) fn write_ahead(&self) -> Result<usize> {
        let count = self.frames.len();
        // While frames are free nobody asks for victims.
        if self.free.lock().len() > count / 8 {
            return Ok(0);
        }
        let window = (count / 4).max(1);
        let ahead = self.eviction.upcoming(self, window);
        let mut victims = Vec::with_capacity(BATCH);
        let mut nearest = window;
        for (distance, &index) in ahead.iter().enumerate() {
            let frame = &self.frames[index];
            let is_victim = frame.dirty.load(Ordering::Relaxed)
                && frame.hits.load(Ordering::Relaxed) == 0
                && frame.pins.load(Ordering::Relaxed) == 0;
            if is_victim {
                nearest = nearest.min(distance);
                victims.push(index);
                if victims.len() == BATCH {
                    break;
                }
            }
        }
        let is_batch = victims.len() >= (BATCH / 2).min(window / 4);
        if victims.is_empty() || !is_batch && nearest > window / 4 {
            return Ok(0);
        }
        self.write_frames(&victims)?;
        Ok(victims.len())
    }

    /// Writes victims that a reader has met, all dirty, and frees their frames; or nothing where a batch that was
    /// waited for has freed some.
    pub(super) fn write_victims(&self, victims: &[usize]) -> Result<()> {
        let writer = self.doublewrite.lock();
        if !self.free.lock().is_empty() {
            return Ok(());
        }
        self.counters.own_batches.fetch_add(1, Ordering::Relaxed);
        self.write_into(writer, victims)?;
        for &index in victims {
            if !self.frames[index].dirty.load(Ordering::Acquire) && self.empty(index) {
                self.frames[index].pins.fetch_sub(1, Ordering::Release);
                self.recycle(Some(index as u32));
            }
        }
        Ok(())
    }

    /// Lists the dirty pages with changes before `limit`.
    pub(crate) fn list_dirty(&self, limit: Lsn) -> Listed {
        let mut frames: Vec<(PageNo, u32)> = (0..self.frames.len() as u32)
            .filter_map(|index| {
                let frame = &self.frames[index as usize];
                let is_old = frame.dirty.load(Ordering::Acquire)
                    && frame.oldest_change.load(Ordering::Relaxed) < limit.0;
                is_old.then(|| (PageNo(frame.page.load(Ordering::Relaxed)), index))
            })
            .collect();
        frames.sort_unstable();
        Listed { frames, done: 0 }
    }

    /// Writes the next pages of a list; one that was written since, or is another by now, is no work.
    ///
    /// # Errors
    /// When the log or the page file cannot be written.
    pub(crate) fn write_listed(&self, listed: &mut Listed, most: usize) -> Result<()> {
        let batch: Vec<usize> = listed.frames[listed.done..]
            .iter()
            .take(most.min(BATCH))
            .map(|&(_, index)| index as usize)
            .collect();
        listed.done += batch.len();
        let busy = self.write_frames(&batch)?;
        // A page that is in demand may never be found free; nothing is held here that its holder waits for.
        busy.into_iter().try_for_each(|index| self.write_waiting(index))
    }

    /// Writes all pages that are dirty now, in the order of their places. Gives how many.
    ///
    /// # Errors
    /// When the log or the page file cannot be written.
    pub fn flush_all(&self) -> Result<usize> {
        let mut listed = self.list_dirty(Lsn::MAX);
        while listed.done < listed.len() {
            self.write_listed(&mut listed, BATCH)?;
        }
        Ok(listed.len())
    }

    /// Makes all writes of pages durable.
    ///
    /// # Errors
    /// When the sync fails.
    pub fn sync(&self) -> Result<()> {
        let _writer = self.doublewrite.lock();
        let synced = doublewrite::sync(&*self.file);
        if let Err(error) = &synced {
            self.poison(error);
        }
        synced
    }

    fn poison(&self, error: &Error) {
        if let Some(log) = self.log.get() {
            log.poison(error);
        }
    }

    /// Writes frames through the doublewrite area; gives those that were latched and so left out.
    fn write_frames(&self, frames: &[usize]) -> Result<Vec<usize>> {
        self.write_into(self.doublewrite.lock(), frames)
    }

    fn write_into(
        &self,
        writer: MutexGuard<'_, doublewrite::Writer>,
        frames: &[usize],
    ) -> Result<Vec<usize>> {
        let mut batch = Batch::new(writer);
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
        let durable = self.log.get().map_or(Ok(()), |log| log.flush(Lsn(newest.0 + 1)));
        if let Err(error) = durable.and_then(|()| writer.write(&*self.file)) {
            // The copies are lost: the frames count as dirty again, from the start of the log, so that
            // no checkpoint passes them.
            for pin in &pins {
                pin.frame.oldest_change.store(0, Ordering::Relaxed);
                pin.frame.dirty.store(true, Ordering::Release);
            }
            writer.abandon();
            self.poison(&error);
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
}
