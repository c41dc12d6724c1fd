//! Changing rows: lock the key, change the leaf, remember what stood there.
//!
//! A row that is new takes no lock: others find its unfinished version (the file `locks/lent.rs` says how).

use std::cell::Cell;
use std::sync::Arc;

use rustydb_storage::{Error as StorageError, Expect, RowContext, State, Tree};

use crate::error::{Error, Result};
use crate::limits::MANY_CHANGES;
use crate::locks::LockMode;
use crate::transaction::{Change, Transaction};
use crate::versions::Writer;

/// What keeps others from a row that is being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LockedBy {
    /// A row lock, which the transaction holds.
    Table,
    /// The version that the change leaves behind; the row is new.
    Version,
}

/// A row's record takes about so much beside its key and values.
const ROW_BYTES: u64 = 128;
/// Less is not promised at a time.
const LEAST_PROMISE: u64 = 4 << 10;

fn value_len(state: State<'_>) -> usize {
    if let State::Value(value) = state { value.len() } else { 0 }
}

impl Transaction {
    /// Inserts a row.
    ///
    /// A key that exists stays locked shared, as the transaction now knows of it; a new one exclusively.
    ///
    /// # Errors
    /// [`Error::DuplicateKey`]; those of lock waits; the store's own.
    pub fn insert(&mut self, tree: &Tree, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.check_serial()?;
        // Nearly always the key is new and nobody's: then the leaf is looked at once, by the change itself. Not
        // for the first change, as a transaction that has only met duplicates must not count as one that writes.
        if self.writing.is_some() {
            match self.change(tree, key, State::Value(value), Expect::NotLive, LockedBy::Version) {
                // Somebody has it or its gap, or has had it since the snapshot; or it exists, and is found again
                // below so that others may find the same.
                Err(Error::Storage(StorageError::NotAdmitted) | Error::DuplicateKey) => {}
                done => return done,
            }
        }
        // Most duplicates are found here, under a shared lock that lets others find the same.
        if tree.get(key, |entry, _| entry.is_some_and(|entry| !entry.is_tombstone))? {
            let mine = self.engine.versions.newest_writer(tree.id(), key);
            let is_own = mine.is_some_and(|writer| writer.transaction == self.id.0);
            if is_own {
                return Err(Error::DuplicateKey);
            }
            if self.read_newest(tree, key, LockMode::Shared)?.is_some() {
                self.check_serial()?;
                return Err(Error::DuplicateKey);
            }
        }
        self.lock_row(tree, key, LockMode::Exclusive)?;
        let done = self.insert_admitted(tree, key, value);
        if matches!(done, Err(Error::DuplicateKey)) {
            self.observe(tree, key);
            if let Some(member) = &mut self.member {
                self.engine.serial.reads_key(member, tree.id(), key);
            }
        }
        done
    }

    /// Writes a new row as soon as no other transaction's range keeps it out.
    fn insert_admitted(&mut self, tree: &Tree, key: &[u8], value: &[u8]) -> Result<()> {
        loop {
            match self.change(tree, key, State::Value(value), Expect::NotLive, LockedBy::Table) {
                Err(Error::Storage(StorageError::NotAdmitted)) => {
                    self.engine.locks().wait_insert(&self.owner, tree.id(), key, &self.wait)?;
                }
                done => return done,
            }
        }
    }

    /// Replaces a row's value, locking the row if it is not locked yet.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`]; those of lock waits; the store's own.
    pub fn update(&mut self, tree: &Tree, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.check_serial()?;
        self.lock_row(tree, key, LockMode::Exclusive)?;
        self.change(tree, key, State::Value(value), Expect::Live, LockedBy::Table)
    }

    /// Deletes a row, locking it if it is not locked yet.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`]; those of lock waits; the store's own.
    pub fn delete(&mut self, tree: &Tree, key: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.check_serial()?;
        self.lock_row(tree, key, LockMode::Exclusive)?;
        self.change(tree, key, State::Tombstone, Expect::Live, LockedBy::Table)
    }

    /// Sees to it that a record of so many bytes can be taken back, whatever becomes of the disk.
    fn promise(&mut self, bytes: u64) -> Result<()> {
        let logged = self.logged + bytes;
        if logged > self.promised {
            // Somewhat more, so that not every row asks.
            let more = (logged - self.promised).max(LEAST_PROMISE).max(logged / 4);
            self.engine.log().promise(more)?;
            self.promised += more;
        }
        self.logged = logged;
        Ok(())
    }

    fn change(
        &mut self,
        tree: &Tree,
        key: &[u8],
        new: State<'_>,
        expect: Expect,
        locked_by: LockedBy,
    ) -> Result<()> {
        // A transaction that has written has its snapshot.
        let snapshot = self.snapshot.filter(|_| self.isolation().decides_by_snapshot());
        if self.isolation().decides_by_snapshot() && locked_by == LockedBy::Table {
            self.settle_snapshot(tree.id(), key)?;
            if !self.sees_newest(tree.id(), key) {
                return Err(self.conflict(tree.id(), key));
            }
        }
        self.check_refused()?;
        if self.changes.len() >= MANY_CHANGES && self.engine.versions.is_full() {
            return Err(Error::UndoFull);
        }
        let writer = match &self.writing {
            Some((writer, _)) => writer.clone(),
            None => {
                let writer =
                    Arc::new(Writer::new(self.id.0, self.member.is_some(), self.owner.lent().clone()));
                let cancel = self.wait.cancel.clone();
                let first = self.engine.commits.begin_writing(&writer, cancel, self.engine.log());
                self.writing = Some((writer.clone(), first));
                writer
            }
        };
        let context = RowContext {
            transaction: self.id.0,
            previous: self.last,
            schema_version: self.schema_version,
            ..RowContext::default()
        };
        let mut bytes = ROW_BYTES + (key.len() + value_len(new)) as u64;
        if self.engine.log().is_long(bytes) {
            bytes *= 2;
        }
        self.promise(bytes)?;
        let shared: Arc<[u8]> = key.into();
        let (engine, owner) = (&self.engine, &self.owner);
        let is_insert = expect == Expect::NotLive;
        let is_delete = new == State::Tombstone;
        let pushed = Cell::new(None);
        let push = |before: State<'_>| {
            let new = engine.versions.push(tree.id(), &shared, &writer, before);
            pushed.set(Some(new));
            new
        };
        let before_len = Cell::new(0);
        let admit = |before: State<'_>| {
            before_len.set(value_len(before));
            if is_insert && engine.locks().blocks_insert(owner, tree.id(), key) {
                return false;
            }
            if locked_by == LockedBy::Version {
                // In this order: see `locks/lent.rs`.
                let built_on = push(before).built_on;
                let is_newer = snapshot.is_some_and(|snapshot| built_on > Some(snapshot.csn));
                return !is_newer && !engine.locks().is_row_used(tree.id(), key);
            }
            true
        };
        let applied = |before: State<'_>, _| {
            if locked_by == LockedBy::Table {
                push(before);
            }
        };
        let written = tree.write_if(key, new, expect, Some(&context), admit, applied);
        if written.is_err() && pushed.get().is_some() {
            engine.versions.pop(tree.id(), key);
        }
        match written {
            Ok(_) => self.logged += before_len.get() as u64,
            Err(_) => self.logged -= bytes,
        }
        let lsn = written?;
        let pushed = pushed.get().unwrap_or_default();
        if pushed.is_long {
            engine.versions.prune(tree.id(), &shared, &engine.view());
        }
        let seen = self.seen_up_to();
        self.has_just_overtaken = pushed.built_on.is_some_and(|csn| csn > seen);
        self.has_overtaken |= self.has_just_overtaken;
        let is_row = std::mem::take(&mut self.is_row_next);
        self.changes.push(Change { tree: tree.id(), key: shared, previous: self.last, is_delete, is_row });
        if is_row {
            self.set_rows(self.rows + 1);
        }
        self.last = lsn;
        self.owner.weight += 1;
        if let Some(member) = &self.member {
            // After the change: who reads now finds it, who has read is found here.
            self.engine.serial.writes(member, tree.id(), key);
        }
        Ok(())
    }
}
