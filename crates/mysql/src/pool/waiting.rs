//! Those who wait for a connection, in the order in which they came.
//!
//! Each has a number, larger than those before it, so that one who gives up is found by binary search. The
//! queue is as long as the pool's limit of waiters, so taking one out of the middle moves little.
//!
//! A waiter is told outside the pool's lock: waking runs code of the executor. What cannot be told any
//! more, because the waiter has gone, comes back to the teller and goes to the next; what was told and not
//! read before the waiter went goes back to the pool by its own drop.

use super::Inner;
use super::error::AcquireError;
use super::guard::Lease;
use crate::driver::Driver;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// What a waiter is told.
pub(super) type Answer<D> = Result<Lease<D>, AcquireError>;

/// One who waits.
pub(super) struct Waiter<D: Driver> {
    number: u64,
    answer: oneshot::Sender<Answer<D>>,
}

impl<D: Driver> Waiter<D> {
    /// Hands over a connection. It comes back when the waiter has gone.
    pub(super) fn hand(self, lease: Lease<D>) -> Result<(), Lease<D>> {
        match self.answer.send(Ok(lease)) {
            Err(Ok(lease)) => Err(lease),
            Ok(()) | Err(Err(_)) => Ok(()),
        }
    }

    /// Tells that there will be none. False when the waiter has gone.
    pub(super) fn refuse(self, error: AcquireError) -> bool {
        self.answer.send(Err(error)).is_ok()
    }
}

/// The queue.
pub(super) struct Waiters<D: Driver> {
    queue: VecDeque<Waiter<D>>,
    next: u64,
}

impl<D: Driver> Waiters<D> {
    pub(super) fn new() -> Waiters<D> {
        Waiters { queue: VecDeque::new(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Joins at the end.
    pub(super) fn join(&mut self) -> (u64, oneshot::Receiver<Answer<D>>) {
        let (answer, receiver) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.queue.push_back(Waiter { number, answer });
        (number, receiver)
    }

    /// Takes out the one who came first.
    pub(super) fn first(&mut self) -> Option<Waiter<D>> {
        self.queue.pop_front()
    }

    /// Takes out the one of this number, if it still waits.
    fn leave(&mut self, number: u64) -> Option<Waiter<D>> {
        let at = self.queue.binary_search_by_key(&number, |waiter| waiter.number).ok()?;
        self.queue.remove(at)
    }

    /// Takes out all.
    pub(super) fn all(&mut self) -> VecDeque<Waiter<D>> {
        std::mem::take(&mut self.queue)
    }
}

/// A place in the queue, left when dropped.
pub(super) struct Place<'a, D: Driver> {
    pub(super) inner: &'a Inner<D>,
    pub(super) number: u64,
}

impl<D: Driver> Drop for Place<'_, D> {
    fn drop(&mut self) {
        let left = self.inner.state.lock().waiters.leave(self.number);
        drop(left);
    }
}
