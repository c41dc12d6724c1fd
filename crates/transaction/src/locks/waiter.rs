//! One wait: a state that is settled once, and a place to sleep until it is.
//!
//! A waiter is granted what it waits for directly by who lets go of it, so it wakes to find its wait settled
//! and does not compete again.
//!
//! Invariants:
//! - A wait is settled once: pending -> granted, deadlock or abandoned. Whoever settles it holds the
//!   mutex of the wait-for graph, so there a node is pending or absent.
//! - The state is set before the sleeper is notified, both under or after the waiter's own mutex: no wake-up
//!   is lost.
//!
//! Lock order: shard -> graph -> waiter. Sleepers are notified after all of them are released.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use rustydb_storage::sync::{AtomicU64, Condvar, Mutex, Ordering};
use smallvec::SmallVec;

use super::deadlock::{Deadlock, Wanted};
use super::ids::OwnerId;
use crate::cancel::{Cancel, CancelReason};

/// How long to wait and what ends the wait early.
#[derive(Debug, Clone)]
pub struct WaitOptions {
    /// After this time the wait fails with a timeout.
    pub lock_wait: Duration,
    /// Ends the wait at once.
    pub cancel: Cancel,
}

impl WaitOptions {
    /// Waits for at most `lock_wait`, and cannot be cancelled.
    pub fn timeout(lock_wait: Duration) -> Self {
        Self { lock_wait, cancel: Cancel::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitState {
    Pending,
    /// What was waited for has been given to the waiter.
    Granted,
    /// The wait was ended to break a cycle of waits.
    Deadlock,
    /// The waiter itself has given up.
    Abandoned,
}

/// Why [`Waiter::park`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woke {
    Settled(WaitState),
    TimedOut,
    Cancelled(CancelReason),
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) owner: OwnerId,
    /// What it would cost to undo the owner: the cheapest of a cycle is its victim.
    pub(super) weight: u64,
    pub(super) wanted: Wanted,
    pub(super) since: Instant,
    /// Where what was granted is, set before the wait is settled; of use to metadata locks.
    place: AtomicU64,
    state: Mutex<WaitState>,
    wakeup: Condvar,
}

/// Those to be notified once all locks are released, and the deadlocks that were broken with it.
#[derive(Debug, Default)]
pub(super) struct Woken {
    pub(super) waiters: SmallVec<[Arc<Waiter>; 4]>,
    pub(super) deadlocks: Vec<Deadlock>,
}

impl Woken {
    pub(super) fn new() -> Woken {
        Woken::default()
    }

    pub(super) fn push(&mut self, waiter: Arc<Waiter>) {
        self.waiters.push(waiter);
    }
}

impl Waiter {
    pub(super) fn new(owner: OwnerId, weight: u64, wanted: Wanted) -> Arc<Self> {
        Arc::new(Self {
            owner,
            weight,
            wanted,
            since: Instant::now(),
            place: AtomicU64::new(0),
            state: Mutex::new(WaitState::Pending),
            wakeup: Condvar::default(),
        })
    }

    pub(super) fn set_place(&self, place: u32) {
        self.place.store(u64::from(place), Ordering::SeqCst);
    }

    pub(super) fn place(&self) -> u32 {
        self.place.load(Ordering::SeqCst) as u32
    }

    pub(super) fn state(&self) -> WaitState {
        *self.state.lock()
    }

    /// Settles the wait; false if it was settled before. The caller notifies afterwards.
    pub(super) fn settle(&self, state: WaitState) -> bool {
        let mut current = self.state.lock();
        if *current != WaitState::Pending {
            return false;
        }
        *current = state;
        true
    }

    pub(super) fn notify(&self) {
        self.wakeup.notify_one();
    }

    /// Sleeps until the wait is settled, cancelled or too old. What is settled goes first.
    pub(super) fn park(self: &Arc<Self>, options: &WaitOptions) -> Woke {
        // A time too large to be added is as good as for ever.
        let deadline = self.since.checked_add(options.lock_wait);
        let _registration = options.cancel.register(Waker::from(Arc::clone(self)));
        let mut state = self.state.lock();
        loop {
            if *state != WaitState::Pending {
                return Woke::Settled(*state);
            }
            if let Some(reason) = options.cancel.reason() {
                return Woke::Cancelled(reason);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Woke::TimedOut;
            }
            state = self.wakeup.wait_until(state, deadline);
        }
    }
}

/// The way in for a cancellation.
impl Wake for Waiter {
    fn wake(self: Arc<Self>) {
        // Between the sleeper's look at the flag and its sleep it holds the mutex: taking it here means that
        // the notification comes before the look or after the sleep began.
        drop(self.state.lock());
        self.wakeup.notify_one();
    }
}

pub(super) fn notify_all(woken: Woken) {
    for waiter in woken.waiters {
        waiter.notify();
    }
}
