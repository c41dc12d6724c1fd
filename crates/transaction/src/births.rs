//! Since when a tree holds what its definition says: snapshots that are older may not read it.
//!
//! A definition statement fills a new tree (a truncated or rebuilt table, a new index) with what is there now
//! and leaves the older versions behind. A transaction whose snapshot is older would find rows missing and
//! believe it, so its reads of that tree fail and it has to begin again (MySQL 1412).
//!
//! Kept in memory only: no snapshot survives a restart. A tree is entered after its commit and before
//! anybody is told of it, and forgotten once every snapshot is younger.

use std::collections::HashMap;

use rustydb_storage::TreeId;
use rustydb_storage::sync::{AtomicU64, Ordering, RwLock};

/// The commits that brought trees in.
#[derive(Debug, Default)]
pub(crate) struct Births {
    /// The youngest of them: a snapshot that sees it, as nearly all do, needs no look into the map.
    newest: AtomicU64,
    of: RwLock<HashMap<TreeId, u64>>,
}

impl Births {
    /// Notes that the commit `csn` brought `tree` in. Trees that every snapshot from `horizon` on sees are
    /// forgotten.
    pub(crate) fn enter(&self, tree: TreeId, csn: u64, horizon: u64) {
        let mut of = self.of.write();
        of.retain(|_, born| *born > horizon);
        of.insert(tree, csn);
        self.newest.fetch_max(csn, Ordering::AcqRel);
    }

    /// Whether a snapshot at `csn` may read the tree.
    pub(crate) fn are_seen(&self, tree: TreeId, csn: u64) -> bool {
        csn >= self.newest.load(Ordering::Acquire)
            || self.of.read().get(&tree).is_none_or(|born| csn >= *born)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_what_is_not_younger() {
        let births = Births::default();
        assert!(births.are_seen(TreeId(1), 0));
        births.enter(TreeId(1), 5, 0);
        births.enter(TreeId(2), 9, 0);
        assert!(!births.are_seen(TreeId(1), 4));
        assert!(births.are_seen(TreeId(1), 5));
        assert!(!births.are_seen(TreeId(2), 8));
        assert!(births.are_seen(TreeId(3), 0), "trees that were there before");
    }

    #[test]
    fn what_everybody_sees_is_forgotten() {
        let births = Births::default();
        births.enter(TreeId(1), 5, 0);
        births.enter(TreeId(2), 9, 5);
        assert_eq!(births.of.read().len(), 1);
        assert!(!births.are_seen(TreeId(2), 8));
    }
}
