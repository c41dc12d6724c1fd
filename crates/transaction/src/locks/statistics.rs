//! Counters of lock waits, for metrics and SHOW STATUS.

use std::time::Duration;

use rustydb_storage::sync::{AtomicU64, Ordering};

use super::LockError;
use super::waiter::Waiter;

#[derive(Debug, Default)]
pub(super) struct LockStatistics {
    pub(super) waits: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) deadlocks: AtomicU64,
    pub(super) cancelled: AtomicU64,
    wait_nanos: AtomicU64,
    longest_wait_nanos: AtomicU64,
}

/// What has happened since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LockCounters {
    /// Requests that had to wait, those that wait now included.
    pub waits: u64,
    /// Waits that ended because they took too long.
    pub timeouts: u64,
    /// Waits that ended as the victim of a deadlock.
    pub deadlocks: u64,
    /// Waits that were cancelled.
    pub cancelled: u64,
    /// Time spent in waits that have ended.
    pub wait_time: Duration,
    /// The longest wait that has ended.
    pub longest_wait: Duration,
}

impl LockStatistics {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts how a wait that slept has ended.
    pub(super) fn ended(&self, waiter: &Waiter, result: &Result<(), LockError>) {
        match result {
            Err(LockError::Timeout) => Self::count(&self.timeouts),
            Err(LockError::Deadlock) => Self::count(&self.deadlocks),
            Err(LockError::Cancelled(_)) => Self::count(&self.cancelled),
            Ok(()) | Err(_) => {}
        }
        let nanos = u64::try_from(waiter.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.wait_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.longest_wait_nanos.fetch_max(nanos, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> LockCounters {
        LockCounters {
            waits: self.waits.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            deadlocks: self.deadlocks.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            wait_time: Duration::from_nanos(self.wait_nanos.load(Ordering::Relaxed)),
            longest_wait: Duration::from_nanos(self.longest_wait_nanos.load(Ordering::Relaxed)),
        }
    }
}
