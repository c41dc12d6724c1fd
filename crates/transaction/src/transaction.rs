//! A transaction: its snapshot, what it has locked and changed, and how it ends.
//!
//! A transaction that changes nothing costs no log record and no entry anywhere but its snapshot's. Its
//! changes are listed in order; a savepoint is a place in that list, and going back to it takes the
//! changes behind it back, last first, each logged as a compensation. Locks stay until the end.

mod scan;

use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::{Error as StorageError, Expect, KeyRange, Lsn, RowContext, Tree, TreeId};

use crate::cancel::Cancel;
use crate::commits::{Committed, FirstRecord};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::locks::{LockOwner, OwnerId, WaitOptions};
use crate::purge::Changed;
use crate::serial::{Member, Unseen};
use crate::snapshot::Snapshot;
use crate::versions::{Before, Writer};
use crate::watch::Progress;

pub use scan::Scan;
pub(crate) use scan::{as_slice, behind, is_above_low, is_ahead};

/// A transaction's number; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u64);

/// What a transaction sees of others; see the crate's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// Each statement sees what was committed when it began.
    ReadCommitted,
    /// All statements see what was committed at the first read.
    #[default]
    RepeatableRead,
    /// As REPEATABLE READ, and a row that somebody changed since cannot be changed or locked: the first to
    /// change it wins, the other is refused.
    Snapshot,
    /// As SNAPSHOT, and transactions that could not have run one after the other are refused.
    Serializable,
}

impl Isolation {
    /// Whether writes and locking reads see the snapshot too, instead of the newest rows.
    #[must_use]
    pub fn decides_by_snapshot(self) -> bool {
        matches!(self, Isolation::Snapshot | Isolation::Serializable)
    }
}

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending.
    Forward,
    /// Descending.
    Backward,
}

/// How often a change is tried to be taken back while the buffer pool is too small for all at work.
const RETRIES: usize = 100;

/// A place to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint {
    changes: usize,
}

/// Where a statement began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementMark {
    changes: usize,
}

/// One change, to be taken back or purged.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) tree: TreeId,
    pub(crate) key: Arc<[u8]>,
    /// The transaction's record before this change's.
    pub(crate) previous: Lsn,
    pub(crate) is_delete: bool,
    /// It counts as a changed row (an entry of an index does not).
    pub(crate) is_row: bool,
}

/// A transaction. Dropped without a commit it is rolled back.
pub struct Transaction {
    pub(crate) engine: Arc<Engine>,
    pub(crate) id: TransactionId,
    isolation: Isolation,
    read_only: bool,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) owner: LockOwner,
    pub(crate) wait: WaitOptions,
    /// Whether it waits for rows that others have locked.
    pub(crate) waits: bool,
    /// Set with the first write.
    pub(crate) writing: Option<(Arc<Writer>, FirstRecord)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) last: Lsn,
    /// The newest commit it has built on that was not published then.
    pub(crate) observed: Lsn,
    /// It has changed a row whose version before that its snapshot does not show.
    pub(crate) has_overtaken: bool,
    /// The last change did so.
    pub(crate) has_just_overtaken: bool,
    pub(crate) unmatched: Option<(TreeId, Vec<u8>)>,
    /// A row that was locked and is not what the snapshot shows any more; whether it matters is for the owner to say.
    pub(crate) outdated: Option<(TreeId, Vec<u8>)>,
    /// Set with the snapshot, at SERIALIZABLE.
    pub(crate) member: Option<Member>,
    pub(crate) schema_version: u32,
    /// The next change is that of a row.
    pub(crate) is_row_next: bool,
    /// Rows that it has changed.
    pub(crate) rows: u64,
    /// Who wants to know how far it is.
    pub(crate) progress: Option<Arc<Progress>>,
    /// Keys at which a tombstone was put back, whose own purge may have been and gone.
    restored_tombstones: Vec<Changed>,
    pub(crate) is_over: bool,
    /// Bytes of its records, about, all of which the log can take back.
    pub(crate) logged: u64,
    /// What the log has promised for that.
    pub(crate) promised: u64,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transaction({})", self.id.0)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_over {
            // A failure has poisoned the store; there is nobody to tell.
            let _ = self.end_rolled_back();
        }
        self.engine.log().redeem(self.promised);
    }
}

impl Transaction {
    pub(crate) fn new(
        engine: Arc<Engine>,
        id: TransactionId,
        owner: OwnerId,
        isolation: Isolation,
        read_only: bool,
    ) -> Transaction {
        Transaction {
            engine,
            id,
            isolation,
            read_only,
            snapshot: None,
            owner: LockOwner::new(owner),
            wait: WaitOptions { lock_wait: Duration::from_secs(50), cancel: Cancel::new() },
            waits: true,
            writing: None,
            changes: Vec::new(),
            last: Lsn::ZERO,
            observed: Lsn::ZERO,
            has_overtaken: false,
            has_just_overtaken: false,
            unmatched: None,
            outdated: None,
            member: None,
            schema_version: 0,
            is_row_next: false,
            rows: 0,
            progress: None,
            restored_tombstones: Vec::new(),
            is_over: false,
            logged: 0,
            promised: 0,
        }
    }

    /// Whether it has changed rows on top of versions that its snapshot does not show: then a plain read may find
    /// such a row through two entries of one index, the snapshot's and its own, and has to ask the row which one holds.
    #[must_use]
    pub fn has_overtaken(&self) -> bool {
        self.has_overtaken
    }

    /// Whether the last change did so. Index entries of that row that did not change are then to be written again,
    /// or its plain reads would not find the row by them.
    #[must_use]
    pub fn has_just_overtaken(&self) -> bool {
        self.has_just_overtaken
    }

    /// The last commit that its plain reads see, now or, without a snapshot, at the least when they begin.
    pub(crate) fn seen_up_to(&self) -> u64 {
        self.snapshot.map_or_else(|| self.engine.commits.visible(), |snapshot| snapshot.csn)
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// Its isolation level.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Whether it refuses writes.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether it has read, locked or changed anything yet.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.snapshot.is_some() || self.writing.is_some() || !self.owner.is_empty()
    }

    /// Whether it has changed anything that was not taken back.
    #[must_use]
    pub fn has_writes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The engine it works on.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// How long it waits for locks, and what ends such a wait.
    pub fn set_wait(&mut self, wait: WaitOptions) {
        self.wait = wait;
    }

    /// Whether what follows waits for rows that others have locked, or fails with [`Error::WouldBlock`] (NOWAIT,
    /// SKIP LOCKED).
    pub fn set_waits(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// The schema version that the following changes are written under, for readers of the log.
    pub fn set_schema_version(&mut self, version: u32) {
        self.schema_version = version;
    }

    /// Has others see how far the transaction is from here on.
    pub fn show_progress(&mut self, progress: Arc<Progress>) {
        progress.begin();
        self.progress = Some(progress);
    }

    /// Says that the next change is that of a row, and not of an entry of an index, for those who count rows.
    pub fn count_row(&mut self) {
        self.is_row_next = true;
    }

    pub(crate) fn set_rows(&mut self, rows: u64) {
        self.rows = rows;
        if let Some(progress) = &self.progress {
            progress.set_rows(rows);
        }
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// A statement begins: under READ COMMITTED its reads take a new snapshot.
    pub fn begin_statement(&mut self) -> StatementMark {
        if self.isolation == Isolation::ReadCommitted {
            self.drop_snapshot();
        }
        self.unmatched = None;
        StatementMark { changes: self.changes.len() }
    }

    /// Takes back what the statement has changed; the transaction and its locks stay.
    ///
    /// # Errors
    /// When the log or the disk fails.
    pub fn rollback_statement(&mut self, mark: StatementMark) -> Result<()> {
        self.keep_inserts_locked(mark.changes);
        self.take_back(mark.changes)
    }

    /// Takes the snapshot now, if it has none yet.
    pub fn ensure_snapshot(&mut self) {
        self.snapshot();
    }

    /// The last commit that it sees; takes the snapshot if it has none yet.
    pub fn snapshot_csn(&mut self) -> u64 {
        self.snapshot().csn
    }

    pub(crate) fn snapshot(&mut self) -> Snapshot {
        if let Some(snapshot) = self.snapshot {
            return snapshot;
        }
        if let Some(progress) = &self.progress {
            progress.note_snapshot();
        }
        let engine = &self.engine;
        let snapshot = if self.isolation == Isolation::Serializable {
            let (member, snapshot) = engine.serial.enter(self.id.0, || engine.take_snapshot(true));
            self.member = Some(member);
            snapshot
        } else {
            engine.take_snapshot(false)
        };
        *self.snapshot.insert(snapshot)
    }

    pub(crate) fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    pub(crate) fn drop_snapshot(&mut self) {
        if let Some(snapshot) = self.snapshot.take() {
            self.engine.snapshots.release(snapshot, self.isolation == Isolation::Serializable);
        }
    }

    /// A transaction for another thread that reads what this one reads: at its snapshot, with its own changes. It
    /// has to end before this one changes anything, and is given back by [`Transaction::take_back_reader`]. None at
    /// SERIALIZABLE, where it is kept account of who reads what.
    #[must_use]
    pub fn reader(&mut self) -> Option<Transaction> {
        if self.isolation == Isolation::Serializable {
            return None;
        }
        let snapshot = self.snapshot();
        self.engine.snapshots.share(snapshot);
        let owner = self.engine.locks().new_owner();
        let mut reader = Transaction::new(self.engine.clone(), self.id, owner, self.isolation, true);
        reader.snapshot = Some(snapshot);
        reader.has_overtaken = self.has_overtaken;
        Some(reader)
    }

    /// Takes a reader back: what it has read that is not durable yet counts as read by this one.
    pub fn take_back_reader(&mut self, reader: Transaction) {
        self.observed = self.observed.max(reader.observed);
    }

    /// A place to go back to.
    #[must_use]
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { changes: self.changes.len() }
    }

    /// Takes back all changes since `savepoint`; locks stay.
    ///
    /// # Errors
    /// When the log or the disk fails.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        self.keep_inserts_locked(savepoint.changes);
        self.take_back(savepoint.changes)
    }

    /// Rows that were inserted are locked by their versions, which are about to go while the transaction goes on: the
    /// locks stay, as InnoDB keeps them above READ COMMITTED.
    fn keep_inserts_locked(&mut self, from: usize) {
        if self.isolation == Isolation::ReadCommitted {
            return;
        }
        let Some((writer, _)) = &self.writing else { return };
        for change in self.changes.iter().skip(from) {
            // A full lock table keeps nobody from rolling back. Nothing changes for a row that it has in the table.
            let _ = self.engine.locks().lend_row(&writer.lent, change.tree, &change.key);
        }
    }

    fn take_back(&mut self, keep: usize) -> Result<()> {
        while self.changes.len() > keep {
            let Some(change) = self.changes.last().cloned() else { return Ok(()) };
            let mut taken_back = self.take_back_one(&change);
            for _ in 0..RETRIES {
                // Others have all of the pool's pages at the moment.
                if !matches!(taken_back, Err(Error::Storage(StorageError::PoolExhausted { .. }))) {
                    break;
                }
                taken_back = self.take_back_one(&change);
            }
            if let Err(error) = taken_back {
                // Half taken back is a state that nobody may see.
                self.engine.log().poison(&StorageError::Invalid(format!("a rollback failed: {error}")));
                return Err(error);
            }
            self.changes.pop();
            if change.is_row {
                self.set_rows(self.rows.saturating_sub(1));
            }
        }
        Ok(())
    }

    fn take_back_one(&mut self, change: &Change) -> Result<()> {
        let Some(before) = self.engine.versions.newest_before(change.tree, &change.key) else {
            return Err(Error::Corrupt { detail: "a change has no version to go back to".to_owned() });
        };
        let context = RowContext {
            transaction: self.id.0,
            previous: self.last,
            undo_next: change.previous,
            is_compensation: true,
            schema_version: self.schema_version,
        };
        let tree = self.engine.tree(change.tree)?;
        let versions = &self.engine.versions;
        let mut image = Vec::new();
        let state = before.state(&mut image)?;
        self.last = tree.write(&change.key, state, Expect::Any, Some(&context), |_, _| {
            versions.pop(change.tree, &change.key);
        })?;
        if matches!(before, Before::Tombstone) {
            let key = (change.tree, change.key.clone());
            self.restored_tombstones.push(Changed { key, is_delete: true });
        }
        Ok(())
    }

    /// Fails if the transaction keeps too much of the log.
    pub(crate) fn check_writing(&self) -> Result<()> {
        match &self.writing {
            Some((writer, _)) if writer.is_refused() => Err(Error::LogPinned),
            _ => Ok(()),
        }
    }

    /// Fails if what was just read need not be what the snapshot shows, or if the transaction has to go.
    pub(crate) fn check_refused(&self) -> Result<()> {
        // A change that the stopped log refused is in its leaf all the same.
        self.engine.log().check()?;
        self.check_writing()?;
        match self.snapshot {
            Some(snapshot) if self.engine.snapshots.is_refused(snapshot) => Err(Error::SnapshotTooOld),
            _ => Ok(()),
        }
    }

    /// The snapshot to read a tree at.
    fn snapshot_for(&mut self, tree: TreeId) -> Result<Snapshot> {
        self.check_serial()?;
        let snapshot = self.snapshot();
        match self.engine.births.are_seen(tree, snapshot.csn) {
            true => Ok(snapshot),
            false => Err(Error::DefinitionChanged),
        }
    }

    /// Reads a key at the snapshot; `f` sees the value, and must not call back into the engine.
    ///
    /// # Errors
    /// When the tree is younger than the snapshot, or a page cannot be read or is damaged.
    pub fn get<R>(&mut self, tree: &Tree, key: &[u8], f: impl FnOnce(&[u8]) -> R) -> Result<Option<R>> {
        let snapshot = self.snapshot_for(tree.id())?;
        let (versions, reader) = (&self.engine.versions, self.id.0);
        if let Some(member) = &mut self.member {
            self.engine.serial.reads_key(member, tree.id(), key);
        }
        let mut unseen = Unseen::new();
        let found = tree.get(key, |entry, changed| {
            if changed < snapshot.settled_before {
                return Ok(entry.filter(|entry| !entry.is_tombstone).map(|entry| f(entry.value)));
            }
            let note = |writer| unseen.push(writer);
            versions.resolve(tree.id(), key, entry, snapshot.csn, reader, note, f)
        })??;
        self.check_refused()?;
        self.note_unseen(&unseen);
        Ok(found)
    }

    /// Begins to read a range at the snapshot.
    ///
    /// # Errors
    /// When the tree is younger than the snapshot.
    pub fn scan(&mut self, tree: &Arc<Tree>, range: KeyRange, direction: Direction) -> Result<Scan> {
        self.snapshot_for(tree.id())?;
        Ok(Scan::new(tree.clone(), range, direction))
    }

    /// Waits until everything that this transaction has read to decide is durable, and in every snapshot from now
    /// on: before a statement's answer goes out inside an open transaction. A commit does the same by itself.
    ///
    /// # Errors
    /// When the log or the disk fails.
    pub fn wait_observed_durable(&mut self) -> Result<()> {
        if self.observed > Lsn::ZERO {
            self.engine.wait_visible(self.observed)?;
            self.observed = Lsn::ZERO;
        }
        Ok(())
    }

    /// Commits. When this returns, the changes are as durable as configured, and visible to all.
    ///
    /// # Errors
    /// When the log or the disk fails; then the store has stopped, and what became of the transaction shows
    /// when it is opened again.
    pub fn commit(mut self) -> Result<Committed> {
        if let Err(refused) = self.check_serial().and_then(|()| self.check_writing()) {
            self.end_rolled_back()?;
            return Err(refused);
        }
        let nothing = Committed { csn: 0, lsn: Lsn::ZERO, number: 0 };
        if self.changes.is_empty()
            && let Some(member) = self.member.take()
        {
            let commits = &self.engine.commits;
            let ended =
                self.engine.serial.commit(member, || commits.visible(), || Ok((commits.last().0, ())));
            if let Err(refused) = ended {
                self.end_rolled_back()?;
                return Err(refused);
            }
        }
        if self.writing.is_none() {
            self.is_over = true;
            self.drop_snapshot();
            self.engine.locks().release_all(&mut self.owner);
            self.wait_observed_durable()?;
            return Ok(nothing);
        }
        if self.changes.is_empty()
            && let Some((_, first)) = self.writing.take()
        {
            self.is_over = true;
            self.drop_snapshot();
            let logged = self.engine.log_abort(self.id.0);
            self.engine.rolled_back(first, std::mem::take(&mut self.restored_tombstones));
            self.engine.locks().release_all(&mut self.owner);
            logged?;
            self.wait_observed_durable()?;
            return Ok(nothing);
        }
        let logged = match self.member.take() {
            None => self.log_commit(),
            Some(member) => {
                let engine = self.engine.clone();
                let number = || self.log_commit().map(|committed| (committed.csn, committed));
                engine.serial.commit(member, || engine.commits.visible(), number)
            }
        };
        if matches!(logged, Err(Error::Serialization)) {
            self.end_rolled_back()?;
            return logged;
        }
        self.is_over = true;
        self.drop_snapshot();
        self.engine.locks().release_all(&mut self.owner);
        let committed = logged?;
        self.engine.finish_commit(committed)?;
        Ok(committed)
    }

    /// Numbers and logs the commit of what was changed.
    fn log_commit(&mut self) -> Result<Committed> {
        let Some((writer, first)) = self.writing.take() else {
            return Ok(Committed { csn: 0, lsn: Lsn::ZERO, number: 0 });
        };
        let mut keys = std::mem::take(&mut self.restored_tombstones);
        keys.extend(
            std::mem::take(&mut self.changes)
                .into_iter()
                .map(|change| Changed { key: (change.tree, change.key), is_delete: change.is_delete }),
        );
        self.engine.log_commit(&writer, first, keys)
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// When the log or the disk fails; the next opening takes back what is left.
    pub fn rollback(mut self) -> Result<()> {
        self.end_rolled_back()
    }

    fn end_rolled_back(&mut self) -> Result<()> {
        self.is_over = true;
        self.drop_snapshot();
        let mut ended = self.take_back(0);
        if let Some(member) = self.member.take() {
            self.engine.serial.rolled_back(member, || self.engine.commits.visible());
        }
        if let Some((_, first)) = self.writing.take() {
            if ended.is_ok() {
                ended = self.engine.log_abort(self.id.0);
            }
            self.engine.rolled_back(first, std::mem::take(&mut self.restored_tombstones));
        }
        self.engine.locks().release_all(&mut self.owner);
        ended
    }
}
