//! Reads that decide: the newest committed version, under its lock.
//!
//! A row is locked first and read then: what is read cannot change before the transaction ends. Under
//! REPEATABLE READ the gaps that a read has passed are locked too, up to the next key on either side as
//! in InnoDB, so what was not there stays so; they are locked under the latch of the leaf that shows
//! them, so no insert slips in between.

use std::cell::RefCell;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use rustydb_storage::btree::Entry;
use rustydb_storage::{Course, KeyRange, Lsn, ScanPosition, Tree, TreeId};

use crate::error::{Error, Result};
use crate::locks::{LockError, LockMode};
use crate::transaction::{Direction, Isolation, Transaction, as_slice, behind, is_above_low, is_ahead};

impl Transaction {
    /// Locks a key and reads its newest version. Where there is none, REPEATABLE READ keeps it so.
    ///
    /// # Errors
    /// Those of lock waits; the store's own.
    pub fn get_locked(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<Option<Vec<u8>>> {
        self.check_serial()?;
        self.unmatched = None;
        let found = self.read_newest(tree, key, mode)?;
        if self.isolation().decides_by_snapshot() {
            self.check_serial()?;
            return Ok(found);
        }
        if found.is_none() && self.isolation() == Isolation::RepeatableRead {
            self.lock_gap_around(tree, key, mode)?;
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
        Ok(LockedScan {
            tree: tree.clone(),
            range,
            direction,
            mode,
            position: Some(position),
            passed,
            is_for_newest: false,
        })
    }

    /// Lets go of a row that was locked by the last locking read and turned out not to matter: READ COMMITTED
    /// and those levels that decide by the snapshot only, and only if nothing else had locked it before.
    pub fn release_unmatched(&mut self, tree: &Tree, key: &[u8]) {
        if self.isolation() == Isolation::RepeatableRead {
            return;
        }
        self.outdated.take_if(|(id, locked)| *id == tree.id() && locked == key);
        if self.unmatched.take_if(|(id, locked)| *id == tree.id() && locked == key).is_some() {
            self.engine.locks().unlock_row(&mut self.owner, tree.id(), key);
        }
    }

    /// Locks a row; true if it was not locked before.
    pub(crate) fn lock_row(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<bool> {
        let engine = &self.engine;
        let id = tree.id();
        // Who has inserted nothing has nothing to find out before it waits.
        let waits_at_once = self.waits && self.writing.is_none();
        loop {
            let asked = match waits_at_once {
                true => engine.locks().lock_row(&mut self.owner, id, key, mode, &self.wait),
                false => engine.locks().try_lock_row(&mut self.owner, id, key, mode),
            };
            let granted = match asked {
                // It has inserted the row itself, and somebody is about to find that out.
                Err(LockError::WouldBlock) if self.has_inserted(id, key) => return Ok(false),
                Err(LockError::WouldBlock) if self.waits => {
                    engine.locks().lock_row(&mut self.owner, id, key, mode, &self.wait)?
                }
                done => done?,
            };
            // A transaction that the failed log kept from its end has let its locks go all the same: what it has
            // left in the leaves is for nobody.
            engine.log().check()?;
            if !granted.newly {
                return Ok(false);
            }
            let Some(inserter) = engine.versions.unfinished_writer(id, key, self.id.0) else {
                return Ok(true);
            };
            let lent = engine.locks().lend_row(&inserter.lent, id, key);
            engine.locks().unlock_row(&mut self.owner, id, key);
            lent?;
        }
    }

    /// Whether the newest version of a key is its own.
    fn has_inserted(&self, tree: TreeId, key: &[u8]) -> bool {
        let newest = self.writing.as_ref().and_then(|_| self.engine.versions.newest_writer(tree, key));
        newest.is_some_and(|writer| writer.transaction == self.id.0)
    }

    /// Locks a row and reads its newest version; does not keep a lock on what is not there.
    pub(crate) fn read_newest(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<Option<Vec<u8>>> {
        let newly = self.lock_row(tree, key, mode)?;
        if self.isolation().decides_by_snapshot() {
            return self.read_by_snapshot(tree, key, newly);
        }
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

    /// What was committed last at a key, whoever has it locked.
    fn last_committed(&self, tree: &Tree, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let engine = &self.engine;
        let csn = engine.commits.visible();
        tree.get(key, |entry, _| {
            engine.versions.resolve(tree.id(), key, entry, csn, self.id.0, |_| (), <[u8]>::to_vec)
        })?
    }

    /// Notes the commit of what was read, if it is not published yet: before that it need not be durable, and a
    /// snapshot that is taken later need not show it.
    pub(crate) fn observe(&mut self, tree: &Tree, key: &[u8]) {
        let writer = self.engine.versions.newest_writer(tree.id(), key);
        self.observe_commit(writer.and_then(|writer| writer.committed()));
    }

    /// The same of a commit's number and its record's position.
    fn observe_commit(&mut self, committed: Option<(u64, u64)>) {
        if let Some((csn, lsn)) = committed
            && csn > self.engine.commits.visible()
        {
            self.observed = self.observed.max(Lsn(lsn));
        }
    }

    /// Locks the gap that a missing key is in, from the key before it to the one behind it.
    fn lock_gap_around(&mut self, tree: &Tree, key: &[u8], mode: LockMode) -> Result<()> {
        let engine = self.engine.clone();
        let id = tree.id();
        // The key itself at once, so that the sides may be looked up one after the other.
        engine.locks().lock_range(&mut self.owner, id, Bound::Included(key), Bound::Included(key), mode);
        let owner = &mut self.owner;
        let mut position = Some(Bound::Excluded(key.to_vec()));
        while let Some(from) = position {
            let mut found = false;
            position = tree.scan_leaf_forward::<crate::Error>(&from, |next, entry, _| {
                if entry.is_tombstone {
                    return Ok(ControlFlow::Continue(()));
                }
                engine.locks().lock_range(owner, id, Bound::Included(key), Bound::Excluded(next), mode);
                found = true;
                Ok(ControlFlow::Break(()))
            })?;
            if position.is_none() && !found {
                engine.locks().lock_range(owner, id, Bound::Included(key), Bound::Unbounded, mode);
            }
        }
        let mut position = Some(Bound::Excluded(key.to_vec()));
        while let Some(from) = position {
            let mut found = false;
            position = tree.scan_leaf_backward::<crate::Error>(&from, |before, entry, _| {
                if entry.is_tombstone {
                    return Ok(ControlFlow::Continue(()));
                }
                engine.locks().lock_range(owner, id, Bound::Excluded(before), Bound::Included(key), mode);
                found = true;
                Ok(ControlFlow::Break(()))
            })?;
            if position.is_none() && !found {
                engine.locks().lock_range(owner, id, Bound::Unbounded, Bound::Included(key), mode);
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
    is_for_newest: bool,
}

/// A row that a scan has met without waiting for anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// Key and value; it is locked now.
    Locked(Vec<u8>, Vec<u8>),
    /// Somebody else has it locked: key, and the value that was committed last.
    Taken(Vec<u8>, Vec<u8>),
}

impl LockedScan {
    /// For a check that must hold for the newest rows (a foreign key): at the levels that decide by the snapshot,
    /// a row that came since is a conflict, too.
    #[must_use]
    pub fn for_newest(self) -> LockedScan {
        LockedScan { is_for_newest: true, ..self }
    }

    /// The next row, locked; `None` at the end. After [`crate::Error::WouldBlock`] the scan may go on: the row
    /// whose lock was not free is behind it.
    ///
    /// # Errors
    /// Those of lock waits; the store's own.
    pub fn next(&mut self, transaction: &mut Transaction) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        loop {
            transaction.check_serial()?;
            let Some(key) = self.next_key(transaction)? else { return Ok(None) };
            self.position = Some(Bound::Excluded(key.clone()));
            transaction.unmatched = None;
            if let Some(value) = transaction.read_newest(&self.tree, &key, self.mode)? {
                return Ok(Some((key, value)));
            }
            if self.is_for_newest
                && transaction.isolation().decides_by_snapshot()
                && !transaction.sees_newest(self.tree.id(), &key)
            {
                return Err(transaction.conflict(self.tree.id(), &key));
            }
        }
    }

    /// The next row, locked, or where somebody else has it locked, as it was last committed: who finds that it does not
    /// matter need not wait for it (InnoDB's semi-consistent read). For READ COMMITTED, which locks no gaps.
    ///
    /// # Errors
    /// Those of locks, but for waits; the store's own.
    pub fn next_without_waiting(&mut self, transaction: &mut Transaction) -> Result<Option<Met>> {
        loop {
            let Some(key) = self.next_key(transaction)? else { return Ok(None) };
            self.position = Some(Bound::Excluded(key.clone()));
            transaction.unmatched = None;
            let waits = std::mem::replace(&mut transaction.waits, false);
            let found = transaction.read_newest(&self.tree, &key, self.mode);
            transaction.waits = waits;
            match found {
                Ok(Some(value)) => return Ok(Some(Met::Locked(key, value))),
                Err(Error::WouldBlock) => {
                    // What was never committed is nobody's row yet.
                    if let Some(value) = transaction.last_committed(&self.tree, &key)? {
                        return Ok(Some(Met::Taken(key, value)));
                    }
                }
                done => done.map(drop)?,
            }
        }
    }

    /// The next key that has a row, or is being changed by somebody else.
    fn next_key(&mut self, transaction: &mut Transaction) -> Result<Option<Vec<u8>>> {
        let locks_gaps = transaction.isolation() == Isolation::RepeatableRead;
        // What the snapshot shows must be met even if it is deleted by now.
        let seen = match transaction.isolation().decides_by_snapshot() {
            true => transaction.snapshot().csn,
            false => u64::MAX,
        };
        let engine = transaction.engine.clone();
        let own = transaction.id.0;
        let id = self.tree.id();
        while let Some(from) = self.position.take() {
            let (range, direction, mode) = (&self.range, self.direction, self.mode);
            let end = as_slice(match direction {
                Direction::Forward => &range.high,
                Direction::Backward => &range.low,
            });
            let passed = RefCell::new(&mut self.passed);
            let holder = RefCell::new((&mut transaction.owner, transaction.member.as_mut()));
            // All up to here is locked against inserts, or known to be read; then the scan is at `at`.
            let cover = |to: Bound<&[u8]>, at: Option<ScanPosition>| {
                let (mut passed, mut holder) = (passed.borrow_mut(), holder.borrow_mut());
                let (low, high) = match direction {
                    Direction::Forward => (as_slice(&passed), to),
                    Direction::Backward => (to, as_slice(&passed)),
                };
                if locks_gaps {
                    engine.locks().lock_range(holder.0, id, low, high, mode);
                } else if let Some(member) = &mut holder.1 {
                    engine.serial.reads_range(member, id, low, high);
                } else {
                    return;
                }
                if let Some(at) = at {
                    **passed = at;
                }
            };
            let mut found = None;
            let mut is_at_end = false;
            let mut deleted = None;
            let each = |key: &[u8], entry: Entry<'_>, _: Lsn| -> Result<ControlFlow<()>> {
                let is_inside = match direction {
                    Direction::Forward => range.is_below_high(key),
                    Direction::Backward => is_above_low(range, key),
                };
                if entry.is_tombstone {
                    let writer = engine.versions.newest_writer(id, key);
                    let committed = writer.as_ref().and_then(|writer| writer.committed());
                    deleted = deleted.max(committed);
                    let is_settled = committed.is_some_and(|(csn, _)| csn <= seen)
                        || writer.is_none_or(|writer| writer.transaction == own);
                    if is_settled || !is_inside {
                        return Ok(ControlFlow::Continue(()));
                    }
                }
                let here = match (is_inside, locks_gaps) {
                    (true, _) => Bound::Included(key),
                    (false, true) => Bound::Excluded(key),
                    (false, false) => end,
                };
                cover(here, Some(Bound::Excluded(key.to_vec())));
                if is_inside {
                    found = Some(key.to_vec());
                } else {
                    is_at_end = true;
                }
                Ok(ControlFlow::Break(()))
            };
            // Under the leaf's latch: what comes into it later finds the gap locked.
            let at_fence = |next: Option<&ScanPosition>| match next {
                Some(position) if locks_gaps || is_ahead(range, direction, position) => {
                    cover(behind(position), Some(position.clone()));
                }
                Some(_) => cover(end, None),
                None if locks_gaps => cover(Bound::Unbounded, None),
                None => cover(end, None),
            };
            // It goes from key to key and changes what it finds: its pages count as used.
            let course = &mut Course::default();
            let next = match direction {
                Direction::Forward => self.tree.scan_forward(course, &from, each, at_fence)?,
                Direction::Backward => self.tree.scan_backward(course, &from, each, at_fence)?,
            };
            // That a row is gone is read as much as one that is there.
            transaction.observe_commit(deleted);
            if found.is_some() {
                return Ok(found);
            }
            if is_at_end {
                return Ok(None);
            }
            // The gap behind the range reaches to the next key, so with gaps the scan looks one key further.
            self.position =
                next.filter(|position| locks_gaps || is_ahead(&self.range, self.direction, position));
        }
        Ok(None)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use rustydb_storage::Options;
    use rustydb_storage::disk::SimulatedDisk;

    use super::*;
    use crate::{Engine, EngineOptions};

    /// Between the sync of a commit's record and its publishing, and before the sync: whoever answered from it and
    /// has waited finds it in the next snapshot, on whatever connection.
    #[test]
    fn an_answer_that_waited_for_what_it_saw_can_be_relied_on() {
        for (is_durable, by_scan) in [(false, false), (false, true), (true, false), (true, true)] {
            let disk = SimulatedDisk::new(1);
            let storage = Options { threads: false, segment_bytes: 1 << 20, ..Options::default() };
            let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
            let engine = Engine::open(Arc::new(disk.clone()), disk.clock(), &disk, options).unwrap();
            let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
            let begin = || engine.begin(Isolation::ReadCommitted, false);
            let mut first = begin();
            first.insert(&tree, b"a", b"old").unwrap();
            first.insert(&tree, b"b", b"old").unwrap();
            first.commit().unwrap();
            // A commit whose thread has not come to publishing it.
            let mut second = begin();
            second.update(&tree, b"a", b"new").unwrap();
            second.delete(&tree, b"b").unwrap();
            let (writer, first_record) = second.writing.take().unwrap();
            engine.log_commit(&writer, first_record, Vec::new()).unwrap();
            second.changes.clear();
            drop(second);
            if is_durable {
                engine.log().flush(engine.log().end()).unwrap();
            }
            let mut reader = begin();
            if by_scan {
                let range = KeyRange { low: Bound::Included(b"b".to_vec()), high: Bound::Unbounded };
                let mut scan =
                    reader.scan_locked(&tree, range, Direction::Forward, LockMode::Shared).unwrap();
                assert!(scan.next(&mut reader).unwrap().is_none());
            } else {
                let found = reader.get_locked(&tree, b"a", LockMode::Shared).unwrap();
                assert_eq!(found.as_deref(), Some(&b"new"[..]));
            }
            assert_eq!(begin().get(&tree, b"a", <[u8]>::to_vec).unwrap().as_deref(), Some(&b"old"[..]));
            reader.wait_observed_durable().unwrap();
            let mut later = begin();
            assert_eq!(later.get(&tree, b"a", <[u8]>::to_vec).unwrap().as_deref(), Some(&b"new"[..]));
            assert_eq!(later.get(&tree, b"b", <[u8]>::to_vec).unwrap(), None);
        }
    }
}
