//! Snapshots: what a reader may see.
//!
//! A snapshot is a commit sequence number: it sees the commits up to it. With it goes a position of the
//! log before which no transaction that it does not see has a record: a page whose last change is
//! before that position is the same for this snapshot as for everybody, and needs no look at versions.
//!
//! Invariants: a snapshot's number is read and entered into the registry under one lock, and a [`View`]
//! is taken under the same lock. So whoever has a view knows, for good, all snapshots that are in use or
//! will be below its `visible`: one that is taken later has at least that number. A view that has grown old
//! names snapshots that are gone, never too few; but for those that were taken away from their readers, who
//! are told. The position is read before the number: a transaction that
//! was finished in between only makes it too careful.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustydb_storage::Lsn;
use rustydb_storage::sync::Mutex;
use smallvec::SmallVec;

/// What one reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The last commit it sees.
    pub(crate) csn: u64,
    /// Pages last changed before this have nothing that it does not see.
    pub(crate) settled_before: Lsn,
}

/// The snapshots in use at a moment, for whoever drops versions.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The last commit that was visible: no later snapshot has a smaller number.
    pub(crate) visible: u64,
    /// The numbers of the snapshots in use, ascending, each once.
    in_use: SmallVec<[u64; 32]>,
    /// The smallest of those of serializable transactions.
    oldest_serial: Option<u64>,
}

impl View {
    #[cfg(test)]
    pub(crate) fn new(visible: u64, in_use: &[u64]) -> View {
        View { visible, in_use: in_use.iter().copied().collect(), oldest_serial: None }
    }

    /// The commit that every snapshot, now and later, sees.
    pub(crate) fn horizon(&self) -> u64 {
        self.in_use.first().copied().unwrap_or(self.visible).min(self.visible)
    }

    /// The largest snapshot in use below a commit number: the newest reader that does not see that commit.
    pub(crate) fn newest_below(&self, csn: u64) -> Option<u64> {
        let below = self.in_use.partition_point(|&snapshot| snapshot < csn);
        self.in_use.get(below.checked_sub(1)?).copied()
    }

    /// Whether a serializable transaction does not see that commit.
    pub(crate) fn is_unseen_by_serial(&self, csn: u64) -> bool {
        self.oldest_serial.is_some_and(|oldest| oldest < csn)
    }

    /// Whether a snapshot with that number is in use.
    pub(crate) fn contains(&self, csn: u64) -> bool {
        self.in_use.binary_search(&csn).is_ok()
    }
}

/// Who uses the snapshots of one number.
#[derive(Clone, Copy, Debug, Default)]
struct Users {
    count: usize,
    /// Those of them that are serializable transactions.
    serial: usize,
    /// When the youngest of them was taken, in milliseconds of the registry's time.
    youngest: u64,
    /// When the oldest was taken.
    oldest: u64,
}

/// The snapshots in use.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    in_use: Mutex<BTreeMap<u64, Users>>,
    /// Snapshots below this number were taken away from their readers.
    refused_below: AtomicU64,
    /// The time, as purge tells it: a snapshot is taken too often to look at the clock.
    now: AtomicU64,
    refused: AtomicU64,
}

impl Snapshots {
    /// Enters a snapshot at the commit that `visible` gives.
    pub(crate) fn take(
        &self,
        settled_before: Lsn,
        is_serial: bool,
        visible: impl FnOnce() -> u64,
    ) -> Snapshot {
        let now = self.now.load(Ordering::Relaxed);
        let mut in_use = self.in_use.lock();
        let csn = visible();
        let users = in_use.entry(csn).or_insert(Users { oldest: now, ..Users::default() });
        users.count += 1;
        users.serial += usize::from(is_serial);
        users.youngest = now;
        Snapshot { csn, settled_before }
    }

    /// Enters a snapshot that is in use once more, for another reader of it.
    pub(crate) fn share(&self, snapshot: Snapshot) {
        let now = self.now.load(Ordering::Relaxed);
        let mut in_use = self.in_use.lock();
        let users =
            in_use.entry(snapshot.csn).or_insert(Users { oldest: now, youngest: now, ..Users::default() });
        users.count += 1;
    }

    /// Takes a snapshot out.
    pub(crate) fn release(&self, snapshot: Snapshot, is_serial: bool) {
        let mut in_use = self.in_use.lock();
        if let Some(users) = in_use.get_mut(&snapshot.csn) {
            users.count -= 1;
            users.serial -= usize::from(is_serial);
            if users.count == 0 {
                in_use.remove(&snapshot.csn);
            }
        }
    }

    /// Tells the time.
    pub(crate) fn tick(&self, now: Duration) {
        self.now.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Takes the oldest snapshots away from their readers if they keep old versions and are all older than
    /// `limit`; gives how many readers that were. They find out at their next look
    /// ([`Snapshots::is_refused`]).
    pub(crate) fn refuse_older(&self, limit: Duration, visible: impl FnOnce() -> u64) -> usize {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let now = self.now.load(Ordering::Relaxed);
        let mut in_use = self.in_use.lock();
        let visible = visible();
        let mut refused = 0;
        while let Some(entry) = in_use.first_entry() {
            // One that shows what everybody sees keeps nothing, and new ones may have its number.
            if *entry.key() >= visible || now.saturating_sub(entry.get().youngest) < limit {
                break;
            }
            // Said before it is let go of: whoever finds versions gone finds this too.
            self.refused_below.store(*entry.key() + 1, Ordering::SeqCst);
            refused += entry.remove().count;
        }
        self.refused.fetch_add(refused as u64, Ordering::Relaxed);
        refused
    }

    /// Whether a snapshot was taken away from its reader. To be asked after reading: if not, what was read is
    /// what the snapshot shows.
    pub(crate) fn is_refused(&self, snapshot: Snapshot) -> bool {
        snapshot.csn < self.refused_below.load(Ordering::SeqCst)
    }

    /// The snapshots in use now.
    pub(crate) fn view(&self, visible: impl FnOnce() -> u64) -> View {
        let in_use = self.in_use.lock();
        View {
            visible: visible(),
            in_use: in_use.keys().copied().collect(),
            oldest_serial: in_use.iter().find(|(_, users)| users.serial > 0).map(|(&csn, _)| csn),
        }
    }

    /// The commit that every snapshot, now and later, sees.
    pub(crate) fn horizon(&self, visible: impl FnOnce() -> u64) -> u64 {
        let in_use = self.in_use.lock();
        in_use.first_key_value().map_or_else(visible, |(&csn, _)| csn)
    }

    /// Figures of now.
    pub(crate) fn counters(&self, visible: impl FnOnce() -> u64) -> SnapshotCounters {
        let now = self.now.load(Ordering::Relaxed);
        let in_use = self.in_use.lock();
        let oldest = in_use.first_key_value();
        SnapshotCounters {
            in_use: in_use.values().map(|users| users.count).sum(),
            oldest_age: Duration::from_millis(
                oldest.map_or(0, |(_, users)| now.saturating_sub(users.oldest)),
            ),
            oldest_lag: oldest.map_or(0, |(&csn, _)| visible().saturating_sub(csn)),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// Figures of snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotCounters {
    /// How many are in use.
    pub in_use: usize,
    /// For how long the oldest has been.
    pub oldest_age: Duration,
    /// How many commits were made visible since it was taken.
    pub oldest_lag: u64,
    /// How many were taken away from their readers, being too old.
    pub refused: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(snapshots: &Snapshots, csn: u64, at: u64) -> Snapshot {
        snapshots.tick(Duration::from_secs(at));
        snapshots.take(Lsn::ZERO, false, || csn)
    }

    #[test]
    fn only_old_snapshots_that_keep_something_are_refused() {
        let snapshots = Snapshots::default();
        let limit = Duration::from_secs(60);
        let old = take(&snapshots, 5, 0);
        let shared = [take(&snapshots, 7, 10), take(&snapshots, 7, 90)];
        let young = take(&snapshots, 9, 95);
        snapshots.tick(Duration::from_secs(100));
        assert_eq!(snapshots.refuse_older(limit, || 5), 0, "it shows what everybody sees");
        assert_eq!(snapshots.refuse_older(limit, || 9), 1);
        assert!(snapshots.is_refused(old));
        assert!(!shared.iter().chain([&young]).any(|snapshot| snapshots.is_refused(*snapshot)));
        assert!(!snapshots.view(|| 9).contains(5));
        snapshots.release(old, false);
        // One number is refused as a whole, when its youngest is too old.
        snapshots.tick(Duration::from_secs(151));
        assert_eq!(snapshots.refuse_older(limit, || 9), 2);
        assert_eq!(snapshots.counters(|| 9).refused, 3);
        assert_eq!(snapshots.counters(|| 12).oldest_lag, 3);
        shared.iter().for_each(|snapshot| snapshots.release(*snapshot, false));
        snapshots.release(young, false);
        assert_eq!(snapshots.counters(|| 9).in_use, 0);
    }

    #[test]
    fn a_view_knows_the_oldest_serializable_reader() {
        let snapshots = Snapshots::default();
        take(&snapshots, 3, 0);
        let serial = snapshots.take(Lsn::ZERO, true, || 6);
        assert!(snapshots.view(|| 9).is_unseen_by_serial(7));
        assert!(!snapshots.view(|| 9).is_unseen_by_serial(6));
        snapshots.release(serial, true);
        assert!(!snapshots.view(|| 9).is_unseen_by_serial(7));
    }
}
