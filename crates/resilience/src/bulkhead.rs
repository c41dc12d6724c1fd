//! So many at a time, and so many waiting.
//!
//! A caller takes a [`Slot`], waits for one in a fair queue until its deadline, or is turned away at once when
//! too many wait already: a wait that cannot end well is better not begun.
//!
//! Invariants: at most `at_once` slots are out; at most `waiting` callers wait; a future dropped while it
//! waits leaves the queue.

use crate::deadline::Deadline;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A limit on work under way and on callers waiting. Clones share it.
#[derive(Debug, Clone)]
pub struct Bulkhead {
    slots: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most_waiting: usize,
}

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BulkheadFull {
    /// As many wait already as may
    #[error("{waiting} callers wait already")]
    TooManyWaiting {
        /// How many
        waiting: usize,
    },
    /// No slot became free before the deadline
    #[error("no slot became free before the deadline")]
    Deadline,
}

/// The right to do one piece of work, until it is dropped.
#[derive(Debug)]
#[must_use = "the slot is given back when it is dropped"]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Bulkhead {
    /// At most `at_once` (one at least) at a time, `waiting` more in the queue.
    pub fn new(at_once: usize, waiting: usize) -> Bulkhead {
        let slots = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Bulkhead { slots, waiting: Arc::default(), most_waiting: waiting }
    }

    /// A slot, at once or after waiting in turn.
    pub async fn acquire(&self, deadline: Deadline) -> Result<Slot, BulkheadFull> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(Slot { _permit: permit });
        }
        let _place = self.wait_in_line()?;
        match deadline.bound(Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Slot { _permit: permit }),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(BulkheadFull::Deadline),
        }
    }

    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many slots are free now.
    pub fn free(&self) -> usize {
        self.slots.available_permits()
    }

    fn wait_in_line(&self) -> Result<Place<'_>, BulkheadFull> {
        let most = self.most_waiting;
        let enter = |waiting: usize| (waiting < most).then(|| waiting + 1);
        match self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter) {
            Ok(_) => Ok(Place { waiting: &self.waiting }),
            Err(waiting) => Err(BulkheadFull::TooManyWaiting { waiting }),
        }
    }
}

/// A place in the line, given up when dropped.
struct Place<'a> {
    waiting: &'a AtomicUsize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
