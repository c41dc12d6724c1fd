//! Purge: versions that no snapshot needs, and entries of rows deleted for everybody, go.
//!
//! Every commit leaves the list of keys it changed. Once the horizon has passed the commit, the keys'
//! versions are trimmed, and where none are left a tombstone is taken out of its leaf.
//!
//! The log is kept from the oldest list on: after a crash recovery finds the deletes there and hands
//! them in again, so no tombstone is left for good.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use rustydb_storage::{Lsn, TreeId};

/// What one commit has left.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) csn: u64,
    /// The transaction's first record.
    pub(crate) first: Lsn,
    pub(crate) keys: Vec<(TreeId, Arc<[u8]>)>,
}

/// Lists of keys, oldest commit first.
#[derive(Debug, Default)]
pub(crate) struct PurgeQueue {
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    waiting: VecDeque<Leftover>,
    /// The first record of the list that was taken out and is being worked on.
    in_work: Option<Lsn>,
}

impl PurgeQueue {
    /// Hands a list in.
    pub(crate) fn push(&self, leftover: Leftover) {
        let lists = &mut self.lists.lock().waiting;
        // Commits that overtook each other on the way here differ by a few places.
        let at = lists.iter().rposition(|list| list.csn <= leftover.csn).map_or(0, |index| index + 1);
        lists.insert(at, leftover);
    }

    /// Takes the oldest list out, if the horizon has passed it; [`PurgeQueue::done`] follows.
    pub(crate) fn take(&self, horizon: u64) -> Option<Leftover> {
        let mut lists = self.lists.lock();
        if lists.waiting.front().is_none_or(|list| list.csn > horizon) {
            return None;
        }
        let taken = lists.waiting.pop_front();
        lists.in_work = taken.as_ref().map(|list| list.first);
        taken
    }

    /// The list that was taken out is worked off.
    pub(crate) fn done(&self) {
        self.lists.lock().in_work = None;
    }

    /// How many lists wait.
    pub(crate) fn len(&self) -> usize {
        self.lists.lock().waiting.len()
    }

    /// The first record of the oldest transaction that has a list here.
    pub(crate) fn oldest(&self) -> Lsn {
        let lists = self.lists.lock();
        lists.waiting.iter().map(|list| list.first).chain(lists.in_work).min().unwrap_or(Lsn::MAX)
    }
}
