//! A queue that cannot grow without limit.
//!
//! Many producers, many consumers, first in first out. A full queue makes a producer wait until its deadline
//! ([`push`](Queue::push)) or turns it away at once ([`try_push`](Queue::try_push)); the value comes back with the
//! error. Producers that wait are served in the order of their coming.
//!
//! Invariants: at most `capacity` values are inside; a value is handed out once; a future dropped while it
//! waits takes no value and leaves no place taken. `slots` counts free places, `filled` values inside; both
//! are fair semaphores, and a permit of either is only spent in the synchronous part after the wait.
//! After [`close`](Queue::close) nothing comes in, and consumers get what is inside, then None.

use crate::deadline::Deadline;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Semaphore;

struct Shared<T> {
    slots: Semaphore,
    filled: Semaphore,
    inside: Mutex<Inside<T>>,
    capacity: usize,
}

struct Inside<T> {
    values: VecDeque<T>,
    closed: bool,
}

/// A bounded queue. Clones are the same queue.
pub struct Queue<T> {
    shared: Arc<Shared<T>>,
}

/// Why a value did not get in. It holds the value.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError<T> {
    /// There is no place now
    #[error("the queue is full")]
    Full(T),
    /// No place became free before the deadline
    #[error("the queue stayed full until the deadline")]
    Deadline(T),
    /// Nobody takes values any more
    #[error("the queue is closed")]
    Closed(T),
}

impl<T> PushError<T> {
    /// The value that did not get in.
    pub fn into_value(self) -> T {
        match self {
            PushError::Full(value) | PushError::Deadline(value) | PushError::Closed(value) => value,
        }
    }
}

/// Without the value: it may be somebody's data.
impl<T> std::fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PushError::Full(_) => "Full",
            PushError::Deadline(_) => "Deadline",
            PushError::Closed(_) => "Closed",
        })
    }
}

impl<T> Queue<T> {
    /// An empty queue of `capacity` places, at least one.
    pub fn new(capacity: usize) -> Queue<T> {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        let inside = Mutex::new(Inside { values: VecDeque::new(), closed: false });
        let shared = Shared { slots: Semaphore::new(capacity), filled: Semaphore::new(0), inside, capacity };
        Queue { shared: Arc::new(shared) }
    }

    /// Puts `value` in, or says at once that there is no place.
    pub fn try_push(&self, value: T) -> Result<(), PushError<T>> {
        match self.shared.slots.try_acquire() {
            Ok(slot) => {
                slot.forget();
                self.put(value)
            }
            Err(tokio::sync::TryAcquireError::Closed) => Err(PushError::Closed(value)),
            Err(tokio::sync::TryAcquireError::NoPermits) => Err(PushError::Full(value)),
        }
    }

    /// Puts `value` in as soon as there is a place. A dropped future drops the value.
    pub async fn push(&self, value: T, deadline: Deadline) -> Result<(), PushError<T>> {
        match deadline.bound(self.shared.slots.acquire()).await {
            Ok(Ok(slot)) => {
                slot.forget();
                self.put(value)
            }
            Ok(Err(_)) => Err(PushError::Closed(value)),
            Err(_) => Err(PushError::Deadline(value)),
        }
    }

    /// Puts a value into a place that the caller has taken.
    fn put(&self, value: T) -> Result<(), PushError<T>> {
        let mut inside = self.shared.inside.lock();
        if inside.closed {
            return Err(PushError::Closed(value));
        }
        inside.values.push_back(value);
        drop(inside);
        self.shared.filled.add_permits(1);
        Ok(())
    }

    /// The oldest value, when there is one. None: the queue is closed and empty.
    pub async fn pop(&self) -> Option<T> {
        // A closed semaphore gives no permits, but values may still be inside.
        if let Ok(filled) = self.shared.filled.acquire().await {
            filled.forget();
        }
        self.take()
    }

    /// The oldest value, if there is one now.
    pub fn try_pop(&self) -> Option<T> {
        match self.shared.filled.try_acquire() {
            Ok(filled) => filled.forget(),
            Err(tokio::sync::TryAcquireError::NoPermits) => return None,
            Err(tokio::sync::TryAcquireError::Closed) => {}
        }
        self.take()
    }

    fn take(&self) -> Option<T> {
        let value = self.shared.inside.lock().values.pop_front()?;
        self.shared.slots.add_permits(1);
        Some(value)
    }

    /// Lets nothing in any more. What is inside can still be taken.
    pub fn close(&self) {
        self.shared.inside.lock().closed = true;
        self.shared.slots.close();
        self.shared.filled.close();
    }

    /// How many values are inside now.
    pub fn len(&self) -> usize {
        self.shared.inside.lock().values.len()
    }

    /// Whether no value is inside now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values fit.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { shared: Arc::clone(&self.shared) }
    }
}

impl<T> std::fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).field("capacity", &self.capacity()).finish()
    }
}
