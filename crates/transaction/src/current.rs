//! Reads that decide: the newest committed version, under its lock.
//!
//! A row is locked first and read then: what is read cannot change before the transaction ends. Under
//! REPEATABLE READ the gaps that a read has passed are locked too, up to the next key on either side as
//! in InnoDB, so what was not there stays so; they are locked under the latch of the leaf that shows
//! them, so no insert slips in between.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use rustydb_storage::btree::Entry;
use rustydb_storage::{KeyRange, Lsn, ScanPosition, Tree};

use crate::error::Result;
use crate::locks::LockMode;
use crate::transaction::{Direction, Isolation, Transaction, is_above_low, is_ahead};

impl Transaction {
    /// Locks a key and reads its newest version. Where there is none, REPEATABLE READ keeps it so.
    ///
    /// # Errors
    /// Those of lock waits; the store's own.
    pub fn get_locked(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<Option<Vec<u8>>> {
        self.unmatched = None;
        let found = self.read_newest(tree, key, mode)?;
        if found.is_none() && self.isolation() == Isolation::RepeatableRead {
            self.lock_gap_around(tree, key)?;
            // A row may have come before the gap was locked.
            return self.read_newest(tree, key, mode);
        }
        Ok(found)
    }

    /// Begins to lock and read a range.
    ///
    /// # Errors
    /// None today; the signature leaves room for them.
    pub fn scan_locked(
        &mut self,
        tree: &Arc<Tree>,
        range: KeyRange,
        direction: Direction,
        mode: LockMode,
    ) -> Result<LockedScan> {
        let position = match direction {
            Direction::Forward => range.low.clone(),
            Direction::Backward => range.high.clone(),
        };
        let passed = position.clone();
        Ok(LockedScan { tree: tree.clone(), range, direction, mode, position: Some(position), passed })
    }

    /// Lets go of a row that was locked by the last locking read and turned out not to matter: READ COMMITTED
    /// only, and only if nothing else had locked it before.
    pub fn release_unmatched(&mut self, tree: &Tree, key: &[u8]) {
        if self.isolation() != Isolation::ReadCommitted {
            return;
        }
        if self.unmatched.take_if(|(id, locked)| *id == tree.id() && locked == key).is_some() {
            self.engine.locks().unlock_row(&mut self.owner, tree.id(), key);
        }
    }

    /// Locks a row; true if it was not locked before.
    pub(crate) fn lock_row(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<bool> {
        let engine = self.engine.clone();
        let granted = engine.locks().lock_row(&mut self.owner, tree.id(), key, mode, &self.wait)?;
        // A transaction that the failed log kept from its end has let its locks go all the same: what it has
        // left in the leaves is for nobody.
        engine.log().check()?;
        Ok(granted.newly)
    }

    /// Locks a row and reads its newest version; does not keep a lock on what is not there.
    pub(crate) fn read_newest(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<Option<Vec<u8>>> {
        let newly = self.lock_row(tree, key, mode)?;
        let found = tree.get(key, |entry, _| {
            entry.filter(|entry| !entry.is_tombstone).map(|entry| entry.value.to_vec())
        })?;
        self.observe(tree, key);
        if newly {
            if found.is_some() {
                self.unmatched = Some((tree.id(), key.to_vec()));
            } else {
                self.engine.locks().unlock_row(&mut self.owner, tree.id(), key);
            }
        }
        Ok(found)
    }

    /// Notes the commit of what was read, if it is not durable yet.
    pub(crate) fn observe(&mut self, tree: &Tree, key: &[u8]) {
        let writer = self.engine.versions.newest_writer(tree.id(), key);
        if let Some((_, lsn)) = writer.and_then(|writer| writer.committed()) {
            self.observe_commit(Lsn(lsn));
        }
    }

    fn observe_commit(&mut self, lsn: Lsn) {
        if lsn >= self.engine.log().durable() {
            self.observed = self.observed.max(lsn);
        }
    }

    /// Locks the gap that a missing key is in, from the key before it to the one behind it.
    fn lock_gap_around(&mut self, tree: &Tree, key: &[u8]) -> Result<()> {
        let engine = self.engine.clone();
        let id = tree.id();
        // The key itself at once, so that the sides may be looked up one after the other.
        engine.locks().lock_range(&mut self.owner, id, Bound::Included(key), Bound::Included(key));
        let owner = &mut self.owner;
        let mut position = Some(Bound::Excluded(key.to_vec()));
        while let Some(from) = position {
            let mut found = false;
            position = tree.scan_leaf_forward::<crate::Error>(&from, |next, entry, _| {
                if entry.is_tombstone {
                    return Ok(ControlFlow::Continue(()));
                }
                engine.locks().lock_range(owner, id, Bound::Included(key), Bound::Excluded(next));
                found = true;
                Ok(ControlFlow::Break(()))
            })?;
            if position.is_none() && !found {
                engine.locks().lock_range(owner, id, Bound::Included(key), Bound::Unbounded);
            }
        }
        let mut position = Some(Bound::Excluded(key.to_vec()));
        while let Some(from) = position {
            let mut found = false;
            position = tree.scan_leaf_backward::<crate::Error>(&from, |before, entry, _| {
                if entry.is_tombstone {
                    return Ok(ControlFlow::Continue(()));
                }
                engine.locks().lock_range(owner, id, Bound::Excluded(before), Bound::Included(key));
                found = true;
                Ok(ControlFlow::Break(()))
            })?;
            if position.is_none() && !found {
                engine.locks().lock_range(owner, id, Bound::Unbounded, Bound::Included(key));
            }
        }
        Ok(())
    }
}

/// A range being locked and read, a row at a time.
#[derive(Debug)]
pub struct LockedScan {
    tree: Arc<Tree>,
    range: KeyRange,
    direction: Direction,
    mode: LockMode,
    position: Option<ScanPosition>,
    /// Up to here gaps are locked.
    passed: ScanPosition,
}

fn as_slice(bound: &ScanPosition) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key.as_slice()),
        Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
        Bound::Unbounded => Bound::Unbounded,
    }
}

impl LockedScan {
    /// The next row, locked; `None` at the end.
    ///
    /// # Errors
    /// Those of lock waits; the store's own.
    pub fn next(&mut self, transaction: &mut Transaction) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        loop {
            let Some(key) = self.next_key(transaction)? else { return Ok(None) };
            self.position = Some(Bound::Excluded(key.clone()));
            transaction.unmatched = None;
            if let Some(value) = transaction.read_newest(&self.tree, &key, self.mode)? {
                return Ok(Some((key, value)));
            }
        }
    }

    /// The next key that has a row, or is being changed by somebody else.
    fn next_key(&mut self, transaction: &mut Transaction) -> Result<Option<Vec<u8>>> {
        let locks_gaps = transaction.isolation() == Isolation::RepeatableRead;
        let engine = transaction.engine.clone();
        let own = transaction.id.0;
        let id = self.tree.id();
        while let Some(from) = self.position.take() {
            let (range, direction) = (&self.range, self.direction);
            let (passed, owner) = (&mut self.passed, &mut transaction.owner);
            let mut lock_to = |key: &[u8], included: bool| {
                if !locks_gaps {
                    return;
                }
                let here = if included { Bound::Included(key) } else { Bound::Excluded(key) };
                match direction {
                    Direction::Forward => engine.locks().lock_range(owner, id, as_slice(passed), here),
                    Direction::Backward => engine.locks().lock_range(owner, id, here, as_slice(passed)),
                }
                *passed = Bound::Excluded(key.to_vec());
            };
            let mut found = None;
            let mut is_at_end = false;
            let mut deleted = Lsn::ZERO;
            let each = |key: &[u8], entry: Entry<'_>, _: Lsn| -> Result<ControlFlow<()>> {
                let is_inside = match direction {
                    Direction::Forward => range.is_below_high(key),
                    Direction::Backward => is_above_low(range, key),
                };
                if entry.is_tombstone {
                    let writer = engine.versions.newest_writer(id, key);
                    let committed = writer.as_ref().and_then(|writer| writer.committed());
                    if let Some((_, lsn)) = committed {
                        deleted = deleted.max(Lsn(lsn));
                    }
                    let is_settled =
                        committed.is_some() || writer.is_none_or(|writer| writer.transaction == own);
                    if is_settled || !is_inside {
                        return Ok(ControlFlow::Continue(()));
                    }
                }
                lock_to(key, is_inside);
                if is_inside {
                    found = Some(key.to_vec());
                } else {
                    is_at_end = true;
                }
                Ok(ControlFlow::Break(()))
            };
            let next = match direction {
                Direction::Forward => self.tree.scan_leaf_forward(&from, each)?,
                Direction::Backward => self.tree.scan_leaf_backward(&from, each)?,
            };
            // That a row is gone is read as much as one that is there.
            transaction.observe_commit(deleted);
            if found.is_some() {
                return Ok(found);
            }
            if is_at_end {
                return Ok(None);
            }
            if next.is_none() && locks_gaps {
                let (low, high) = match self.direction {
                    Direction::Forward => (as_slice(&self.passed), Bound::Unbounded),
                    Direction::Backward => (Bound::Unbounded, as_slice(&self.passed)),
                };
                engine.locks().lock_range(&mut transaction.owner, id, low, high);
            }
            // The gap behind the range reaches to the next key, so with gaps the scan looks one key further.
            self.position =
                next.filter(|position| locks_gaps || is_ahead(&self.range, self.direction, position));
        }
        Ok(None)
    }
}
