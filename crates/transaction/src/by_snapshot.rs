//! Deciding by the snapshot: what SNAPSHOT and SERIALIZABLE do where other levels take the newest row.
//!
//! A row is locked as at any level. Then the transaction looks whether the newest version is the one that its
//! snapshot shows. If somebody has changed the row since and committed, the first to change it has won: to
//! change the row is refused, and so is to have locked it, unless its owner finds that it does not match and lets
//! it go again.
//!
//! Where a transaction's first act is to lock a row, it takes its snapshot when it has the lock: a single `SET n =
//! n + 1` waits its turn and is never refused.
//!
//! Who is refused is told only when the commit it ran into can be seen, so that trying again helps.

use rustydb_storage::{Lsn, Tree, TreeId};

use crate::error::{Error, Result};
use crate::locks::LockMode;
use crate::serial::Unseen;
use crate::transaction::Transaction;

impl Transaction {
    /// Whether the transaction may go on: nobody has refused it, and it holds no row that was changed since.
    pub(crate) fn check_serial(&mut self) -> Result<()> {
        if let Some(member) = &self.member {
            self.engine.serial.check(member)?;
        }
        match self.outdated.take() {
            None => Ok(()),
            Some((tree, key)) => Err(self.conflict(tree, &key)),
        }
    }

    /// Notes that what these transactions wrote was not seen.
    pub(crate) fn note_unseen(&self, writers: &Unseen) {
        if let Some(member) = &self.member {
            self.engine.serial.replaced_by(member, writers);
        }
    }

    /// Takes the snapshot, if there is none yet, so that it shows the row's newest version. The row is locked.
    pub(crate) fn settle_snapshot(&mut self, tree: TreeId, key: &[u8]) -> Result<()> {
        if !self.has_snapshot() {
            self.wait_visible(tree, key)?;
            self.snapshot();
        }
        Ok(())
    }

    /// Whether the snapshot shows the newest version of a row that is locked.
    pub(crate) fn sees_newest(&mut self, tree: TreeId, key: &[u8]) -> bool {
        let Some(writer) = self.engine.versions.newest_writer(tree, key) else { return true };
        let seen = self.snapshot().csn;
        writer.transaction == self.id.0 || writer.committed().is_none_or(|(csn, _)| csn <= seen)
    }

    /// What becomes of a transaction that needs a row which was changed since.
    pub(crate) fn conflict(&self, tree: TreeId, key: &[u8]) -> Error {
        self.engine.serial.count_refused();
        match self.wait_visible(tree, key) {
            Ok(()) => Error::Serialization,
            Err(error) => error,
        }
    }

    fn wait_visible(&self, tree: TreeId, key: &[u8]) -> Result<()> {
        let writer = self.engine.versions.newest_writer(tree, key);
        match writer.and_then(|writer| writer.committed()) {
            Some((csn, lsn)) if csn > self.engine.commits.visible() => self.engine.wait_visible(Lsn(lsn)),
            _ => Ok(()),
        }
    }

    /// Locks a key and says whether there is a row. At the levels that decide by the snapshot it is no conflict that
    /// somebody has changed the row since, if it was there before and is there now.
    ///
    /// # Errors
    /// Those of lock waits; [`Error::Serialization`]; the store's own.
    pub fn exists_locked(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<bool> {
        if !self.isolation().decides_by_snapshot() {
            return Ok(self.get_locked(tree, key, mode)?.is_some());
        }
        self.check_serial()?;
        let newly = self.lock_row(tree, key, mode)?;
        self.settle_snapshot(tree.id(), key)?;
        let was_there = self.get(tree, key, |_| ())?.is_some();
        let is_there = tree.get(key, |entry, _| entry.is_some_and(|entry| !entry.is_tombstone))?;
        if was_there != is_there {
            return Err(self.conflict(tree.id(), key));
        }
        if newly && !is_there {
            self.engine.locks().unlock_row(&mut self.owner, tree.id(), key);
        }
        Ok(is_there)
    }

    /// Reads a row that was just locked, as the snapshot shows it.
    pub(crate) fn read_by_snapshot(
        &mut self,
        tree: &Tree,
        key: &[u8],
        newly: bool,
    ) -> Result<Option<Vec<u8>>> {
        self.settle_snapshot(tree.id(), key)?;
        let found = self.get(tree, key, <[u8]>::to_vec)?;
        if found.is_some() {
            if newly {
                self.unmatched = Some((tree.id(), key.to_vec()));
            }
            if !self.sees_newest(tree.id(), key) {
                self.outdated = Some((tree.id(), key.to_vec()));
            }
        } else if newly {
            self.engine.locks().unlock_row(&mut self.owner, tree.id(), key);
        }
        Ok(found)
    }
}
