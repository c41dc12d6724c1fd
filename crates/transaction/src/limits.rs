//! What a transaction may keep of the past, and what happens beyond.
//!
//! ```text
//!   max_wal_pinned     log since the first record of an unfinished transaction
//!   max_snapshot_age   time since a snapshot was taken that keeps old versions
//!   undo_memory        memory of old versions and of what unfinished transactions have changed
//! ```
//! Whoever is beyond a limit is refused: it fails at its next step with an error that says to begin again, and
//! is rolled back with that. An owner that does not come back while as much log again is written has its session
//! ended, so the log does not wait for one that never will. What a transaction writes itself counts: it is what it
//! keeps, and the default leaves room for large ones. A prepared transaction has made a promise and is
//! exempt.
//!
//! Where `undo_memory` is full, a transaction that has changed [`MANY_CHANGES`] rows may change no more, while small ones
//! go on; and snapshots that have been in use for [`LONG_IN_USE`] are given up, as their versions may be what fills it.
//!
//! Purge looks at the limits each time it comes by; they can be changed while the engine runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustydb_storage::Lsn;

use crate::engine::{Engine, EngineOptions};

/// From so many changes on, a transaction is among those that fill the memory for undo.
pub(crate) const MANY_CHANGES: usize = 1000;

/// A snapshot that is as old as this does not keep versions that memory has no room for.
pub(crate) const LONG_IN_USE: Duration = Duration::from_secs(60);

/// The limits as they are now, and how often they were met.
#[derive(Debug)]
pub(crate) struct Limits {
    wal_pinned: AtomicU64,
    snapshot_millis: AtomicU64,
    pub(crate) refused: AtomicU64,
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

impl Limits {
    pub(crate) fn new(options: &EngineOptions) -> Limits {
        Limits {
            wal_pinned: AtomicU64::new(options.max_wal_pinned),
            snapshot_millis: AtomicU64::new(millis(options.max_snapshot_age)),
            refused: AtomicU64::new(0),
        }
    }
}

impl Engine {
    /// Changes how many bytes of log an unfinished transaction may keep; zero for no limit.
    pub fn set_max_wal_pinned(&self, bytes: u64) {
        self.limits.wal_pinned.store(bytes, Ordering::Relaxed);
    }

    /// Changes how long a snapshot may keep old versions; zero for as long as it takes.
    pub fn set_max_snapshot_age(&self, age: Duration) {
        self.limits.snapshot_millis.store(millis(age), Ordering::Relaxed);
    }

    /// Changes how much memory old versions and unfinished changes may take.
    pub fn set_undo_memory(&self, bytes: u64) {
        self.versions.set_memory(bytes);
    }

    /// Refuses who is beyond a limit.
    pub(crate) fn enforce_limits(&self) {
        let visible = || self.commits.visible();
        self.snapshots.tick(self.commits.now());
        let age = self.limits.snapshot_millis.load(Ordering::Relaxed);
        if age > 0 {
            self.snapshots.refuse_older(Duration::from_millis(age), visible);
        }
        self.versions.tidy();
        if self.versions.is_full() {
            self.snapshots.refuse_older(LONG_IN_USE, visible);
        }
        let (end, limit) = (self.log().end().0, self.limits.wal_pinned.load(Ordering::Relaxed));
        let before = Lsn(end.saturating_sub(limit));
        if limit > 0 && self.commits.oldest_active() < before {
            let long_before = Lsn(end.saturating_sub(limit.saturating_mul(2)));
            let refused = self.commits.refuse_before(before, long_before);
            self.limits.refused.fetch_add(refused as u64, Ordering::Relaxed);
        }
    }
}
