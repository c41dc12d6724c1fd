//! What others may see of transactions and of the rows under their locks, while they run.
//!
//! A transaction tells how far it is by two plain stores, one for each row that it changes and one for each snapshot
//! that it takes; nothing else is done for those who look.

use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustydb_storage::{State, TreeId};

use crate::engine::Engine;
use crate::error::Result;
use crate::transaction::TransactionId;

/// How far a transaction is.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    has_read: AtomicBool,
}

impl Progress {
    /// Rows that it has changed and not taken back.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Whether it has taken a snapshot.
    #[must_use]
    pub fn has_read(&self) -> bool {
        self.has_read.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self) {
        self.rows.store(0, Ordering::Relaxed);
        self.has_read.store(false, Ordering::Relaxed);
    }

    pub(crate) fn set_rows(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    pub(crate) fn note_snapshot(&self) {
        self.has_read.store(true, Ordering::Relaxed);
    }
}

/// A change that is neither committed nor taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnfinishedChange {
    /// Whose it is.
    pub transaction: TransactionId,
    /// There was no row before the transaction's last change of it.
    pub is_insert: bool,
}

impl Engine {
    /// The first key of a tree that has a row, from a bound on.
    ///
    /// # Errors
    /// When there is no such tree, or a page cannot be read or is damaged.
    pub fn next_key(&self, tree: TreeId, from: Bound<&[u8]>) -> Result<Option<Vec<u8>>> {
        let tree = self.tree(tree)?;
        let mut position = Some(from.map(<[u8]>::to_vec));
        let mut found = None;
        while let Some(from) = position.filter(|_| found.is_none()) {
            position = tree.scan_leaf_forward::<crate::Error>(&from, |key, entry, _| {
                if entry.is_tombstone {
                    return Ok(ControlFlow::Continue(()));
                }
                found = Some(key.to_vec());
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(found)
    }

    /// What stands at a key now, or stood there before an unfinished transaction deleted it.
    ///
    /// # Errors
    /// When there is no such tree, or a page cannot be read or is damaged.
    pub fn newest_value(&self, tree: TreeId, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let live = self.tree(tree)?.get(key, |entry, _| {
            entry.filter(|entry| !entry.is_tombstone).map(|entry| entry.value.to_vec())
        })?;
        if live.is_some() {
            return Ok(live);
        }
        let Some(before) = self.versions.newest_before(tree, key) else { return Ok(None) };
        Ok(match before.state(&mut Vec::new())? {
            State::Value(value) => Some(value.to_vec()),
            State::Absent | State::Tombstone => None,
        })
    }

    /// Who has changed a key and is not done yet.
    #[must_use]
    pub fn unfinished_change(&self, tree: TreeId, key: &[u8]) -> Option<UnfinishedChange> {
        let writer = self.versions.newest_writer(tree, key).filter(|writer| writer.committed().is_none())?;
        let is_insert = !self.versions.newest_before(tree, key).is_some_and(|before| before.is_live());
        Some(UnfinishedChange { transaction: TransactionId(writer.transaction), is_insert })
    }
}
