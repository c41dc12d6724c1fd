//! Reading pages before they are needed, and letting go of those that were read in passing.
//!
//! Threads of the pool take page numbers from a queue with a bound; what does not fit is not read ahead. A page that
//! was read ahead counts as unused until somebody uses it. What fails to be read is met again, and reported, by who
//! needs the page.

use std::sync::Weak;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::Pool;
use crate::error::{Error, Result};
use crate::ids::PageNo;
use crate::sync::Ordering;

/// Page numbers that may wait to be read.
const QUEUE: usize = 256;
/// Of the pages that scans pass in a full pool, one in so many stays.
const KEPT: u64 = 16;

impl Pool {
    /// Has `threads` threads read ahead for the pool that `pool` leads to, until it is gone.
    pub(crate) fn start_reading_ahead<T: Send + Sync + 'static>(
        &self,
        threads: usize,
        owner: &Weak<T>,
        pool: fn(&T) -> &Pool,
    ) -> Result<()> {
        let (sender, receiver) = sync_channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let (owner, receiver) = (owner.clone(), receiver.clone());
            let read = move || {
                while let Some(page) = next(&receiver) {
                    let Some(owner) = owner.upgrade() else { return };
                    pool(&owner).prefetch(page);
                }
            };
            std::thread::Builder::new()
                .name("read-ahead".to_owned())
                .spawn(read)
                .map_err(|error| Error::io("starting a thread that reads ahead", error))?;
        }
        let _ = OnceLock::set(&self.asked, sender);
        Ok(())
    }

    /// Asks for pages; without threads, or where too many are asked for, nothing happens.
    pub(crate) fn read_ahead(&self, pages: &[PageNo]) {
        let Some(asked) = self.asked.get() else { return };
        for &page in pages {
            if !self.is_present(page) && asked.try_send(page).is_err() {
                return;
            }
        }
    }

    fn is_present(&self, page: PageNo) -> bool {
        self.shard(page).read().contains_key(&page.0)
    }

    /// Reads a page into the pool if it is not there.
    pub(crate) fn prefetch(&self, page: PageNo) {
        if !self.is_present(page) && self.load(page).is_ok() {
            self.counters.reads_ahead.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A scan has passed a page: it goes, unless there are free frames. Of a full pool's pages one in [`KEPT`] stays
    /// like one that was used, another one each time.
    pub(crate) fn pass(&self, page: PageNo) {
        if self.free.lock().len() > self.frames.len() / 16 {
            return;
        }
        let count = self.passed.fetch_add(1, Ordering::Relaxed);
        if !(count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(KEPT) {
            self.let_go(page);
        } else if let Some(index) = self.shard(page).read().get(&page.0).copied() {
            self.frames[index as usize].hits.store(3, Ordering::Relaxed);
        }
    }

    /// Frees the frame of a page that was read in passing, if nobody has used it since and it is clean.
    pub(crate) fn let_go(&self, page: PageNo) {
        let Some(index) = self.shard(page).read().get(&page.0).copied() else { return };
        let frame = &self.frames[index as usize];
        if frame.hits.load(Ordering::Relaxed) == 0
            && frame.page.load(Ordering::Relaxed) == page.0
            && self.empty(index as usize)
        {
            frame.pins.fetch_sub(1, Ordering::Release);
            self.recycle(Some(index));
        }
    }
}

fn next(receiver: &Mutex<Receiver<PageNo>>) -> Option<PageNo> {
    receiver.lock().recv().ok()
}
