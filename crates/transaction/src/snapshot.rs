//! Snapshots: what a reader may see.
//!
//! A snapshot is a commit sequence number: it sees the commits up to it. With it goes a position of the
//! log before which no transaction that it does not see has a record: a page whose last change is
//! before that position is the same for this snapshot as for everybody, and needs no look at versions.
//!
//! Invariants: a snapshot's number is read and entered into the registry under one lock, and the
//! horizon is taken under the same lock, so purge never passes a snapshot that is being made. The position
//! is read before the number: a transaction that was finished in between only makes it too careful.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rustydb_storage::Lsn;

/// What one reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The last commit it sees.
    pub(crate) csn: u64,
    /// Pages last changed before this have nothing that it does not see.
    pub(crate) settled_before: Lsn,
}

/// The snapshots in use.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    in_use: Mutex<BTreeMap<u64, usize>>,
}

impl Snapshots {
    /// Enters a snapshot at the commit that `visible` gives.
    pub(crate) fn take(&self, settled_before: Lsn, visible: impl FnOnce() -> u64) -> Snapshot {
        let mut in_use = self.in_use.lock();
        let csn = visible();
        *in_use.entry(csn).or_default() += 1;
        Snapshot { csn, settled_before }
    }

    /// Takes a snapshot out.
    pub(crate) fn release(&self, snapshot: Snapshot) {
        let mut in_use = self.in_use.lock();
        if let Some(count) = in_use.get_mut(&snapshot.csn) {
            *count -= 1;
            if *count == 0 {
                in_use.remove(&snapshot.csn);
            }
        }
    }

    /// The commit that every snapshot, now and later, sees.
    pub(crate) fn horizon(&self, visible: impl FnOnce() -> u64) -> u64 {
        let in_use = self.in_use.lock();
        in_use.first_key_value().map_or_else(visible, |(&csn, _)| csn)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.in_use.lock().values().sum()
    }
}
