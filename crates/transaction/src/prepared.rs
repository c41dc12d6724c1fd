//! Prepared transactions: the first half of a two-phase commit.
//!
//! ```text
//! Transaction --prepare--> PreparedTransaction --commit----> as any commit
//!                            |  ^              `-rollback--> changes taken back, logged
//!                   crash or close, open again
//! ```
//! A prepared transaction has made its promise: whatever happens, it can still be committed and still be taken
//! back, until it is told which. Its prepare record is durable before anybody hears of it, in the durability
//! `second` as well. It belongs to no session; dropping it decides nothing.
//!
//! What recovery gives back is what was there: its changes in the leaves, what stood there before as versions (so
//! that no snapshot sees it), its locks, and its place among the unfinished, which keeps its records in the log.
//!
//! Invariants:
//! - After a prepare record the transaction writes nothing but the compensations of its rollback. A crash in the
//!   midst of that rollback has recovery finish it: what is half taken back could not be committed.
//! - Recovery locks the keys that it changed exclusively, and those that its record lists besides as they were
//!   (the parent row that an inserted child depends on). All of them fit, since they did before.
//! - That it was decided is durable before the decision is acknowledged: it does not come back.
//!
//! Limits: a transaction that is serializable by snapshots is not prepared: what others do later could still refuse
//! it. Gaps are not locked again. They kept others from inserting what a read had not found; the reads are over.
//!
//! Left to others: names and who may decide (the SQL floor); keeping its tables' definitions still.

use std::sync::Arc;

use hashbrown::HashSet;
use rustydb_storage::wal::Record;
use rustydb_storage::{Loser, Lsn, TreeId};

use crate::commits::{Committed, FirstRecord};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::locks::{LockMode, LockOwner, OwnerId};
use crate::transaction::{Change, Isolation, Transaction, TransactionId};
use crate::versions::Writer;

/// A transaction that waits for its coordinator's decision.
#[derive(Debug)]
pub struct PreparedTransaction(Transaction);

/// A prepared transaction as recovery has put it together, without its engine.
pub(crate) struct Restored {
    name: Vec<u8>,
    id: TransactionId,
    owner: LockOwner,
    writer: Arc<Writer>,
    first: FirstRecord,
    changes: Vec<Change>,
    last: Lsn,
    schema_version: u32,
}

impl Transaction {
    /// Promises to commit: when this returns, the transaction waits for a decision, through crashes too.
    ///
    /// # Errors
    /// [`Error::NotPreparable`] at SERIALIZABLE; [`Error::TooManyLocks`] when what it has locked does not fit into
    /// one record; it is rolled back then. When the log or the disk fails; then the store has stopped, and whether it
    /// is prepared shows when it is opened again.
    pub fn prepare(mut self, name: &[u8]) -> Result<PreparedTransaction> {
        if self.isolation() == Isolation::Serializable {
            return Err(Error::NotPreparable);
        }
        self.drop_snapshot();
        let locks = self.locks_beyond_changes()?;
        let first = match &self.writing {
            Some((_, first)) => *first,
            None => {
                let writer = Arc::new(Writer::new(self.id.0, false, self.owner.lent().clone()));
                let cancel = self.wait.cancel.clone();
                let first = self.engine.commits.begin_writing(&writer, cancel, self.engine.log());
                self.writing = Some((writer, first));
                first
            }
        };
        // It keeps the log until it is decided, however long that takes.
        self.engine.commits.exempt(first);
        self.check_writing()?;
        let mut record = Vec::with_capacity(32 + name.len() + locks.len());
        Record::Prepare { transaction: self.id.0, name, locks: &locks }.encode(&mut record);
        let log = self.engine.log();
        let lsn = log.append(&record)?;
        // Once it may be on disk, the drop of this half must not take anything back.
        self.is_over = true;
        log.flush(Lsn(lsn.0 + 1))?;
        Ok(PreparedTransaction(self))
    }

    fn locks_beyond_changes(&self) -> Result<Vec<u8>> {
        /// A record is appended in one piece; a larger one would stand in everybody's way.
        const LIMIT: usize = 64 << 20;
        let changed: HashSet<(TreeId, &[u8])> =
            self.changes.iter().map(|change| (change.tree, &*change.key)).collect();
        let mut out = Vec::new();
        for (tree, key, mode) in self.engine.locks().held_rows(&self.owner) {
            if changed.contains(&(tree, key.as_slice())) {
                continue;
            }
            out.extend_from_slice(&tree.0.to_le_bytes());
            out.push(u8::from(mode == LockMode::Exclusive));
            out.extend_from_slice(&(key.len() as u32).to_le_bytes());
            out.extend_from_slice(&key);
            if out.len() > LIMIT {
                return Err(Error::TooManyLocks);
            }
        }
        Ok(out)
    }
}

/// Reads one lock off the front.
fn take_lock<'a>(bytes: &mut &'a [u8]) -> Option<(TreeId, LockMode, &'a [u8])> {
    let (tree, rest) = bytes.split_first_chunk::<4>()?;
    let (mode, rest) = rest.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    let mode = if *mode == 0 { LockMode::Shared } else { LockMode::Exclusive };
    Some((TreeId(u32::from_le_bytes(*tree)), mode, key))
}

impl PreparedTransaction {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.0.id
    }

    /// Under which its locks are listed.
    #[must_use]
    pub fn owner(&self) -> OwnerId {
        self.0.owner.id()
    }

    /// How many changes it has made.
    #[must_use]
    pub fn change_count(&self) -> usize {
        self.0.changes.len()
    }

    /// How many of its changes are such that `is_row` says they are rows, by their trees.
    #[must_use]
    pub fn count_changes(&self, is_row: impl Fn(TreeId) -> bool) -> usize {
        self.0.changes.iter().filter(|change| is_row(change.tree)).count()
    }

    /// The trees that it has changed.
    #[must_use]
    pub fn changed_trees(&self) -> HashSet<TreeId> {
        self.0.changes.iter().map(|change| change.tree).collect()
    }

    /// Commits; see [`Transaction::commit`].
    ///
    /// # Errors
    /// When the log or the disk fails; then the store has stopped, and what became of the transaction shows when it
    /// is opened again.
    pub fn commit(self) -> Result<Committed> {
        let engine = Arc::clone(&self.0.engine);
        let committed = self.0.commit()?;
        if committed.csn == 0 {
            // It has changed nothing: its end is an abort record, which nobody has waited for.
            engine.log().flush(engine.log().end())?;
        }
        Ok(committed)
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// When the log or the disk fails; the next opening finds it prepared, or takes back what is left.
    pub fn rollback(self) -> Result<()> {
        let engine = Arc::clone(&self.0.engine);
        self.0.rollback()?;
        Ok(engine.log().flush(engine.log().end())?)
    }
}

impl Engine {
    /// The prepared transactions that opening the store has found, with their names; the first call takes them all.
    #[must_use]
    pub fn take_prepared(self: &Arc<Self>) -> Vec<(Vec<u8>, PreparedTransaction)> {
        let restored = std::mem::take(&mut *self.restored.lock());
        let whole = |parts: Restored| {
            let mut transaction =
                Transaction::new(self.clone(), parts.id, parts.owner.id(), Isolation::RepeatableRead, false);
            transaction.owner = parts.owner;
            transaction.writing = Some((parts.writer, parts.first));
            transaction.changes = parts.changes;
            transaction.last = parts.last;
            transaction.schema_version = parts.schema_version;
            transaction.is_over = true;
            (parts.name, PreparedTransaction(transaction))
        };
        restored.into_iter().map(whole).collect()
    }

    /// Puts a prepared transaction's versions, locks and place among the unfinished back. Nobody reads yet.
    pub(crate) fn restore(&self, loser: Loser) -> Result<()> {
        let prepared = loser.prepared.unwrap_or_default();
        let mut owner = LockOwner::new(self.locks().new_owner());
        let writer = Arc::new(Writer::new(loser.transaction, false, owner.lent().clone()));
        let first = (loser.first, loser.transaction);
        self.commits.go_on_writing(first);
        let mut changes = Vec::with_capacity(loser.steps.len());
        let mut schema_version = 0;
        for (_, step) in &loser.steps {
            let key: Arc<[u8]> = step.key.as_slice().into();
            let _ = self.locks().try_lock_row(&mut owner, step.tree, &key, LockMode::Exclusive)?;
            self.versions.push(step.tree, &key, &writer, step.state());
            // Whether it was a delete is not known any more: purge looks.
            changes.push(Change {
                tree: step.tree,
                key,
                previous: step.previous,
                is_delete: true,
                is_row: false,
            });
            schema_version = step.schema_version;
        }
        owner.weight = changes.len() as u64;
        let mut locks = prepared.locks.as_slice();
        while !locks.is_empty() {
            let Some((tree, mode, key)) = take_lock(&mut locks) else {
                return Err(Error::Corrupt { detail: "the locks of a prepared transaction".to_owned() });
            };
            let _ = self.locks().try_lock_row(&mut owner, tree, key, mode)?;
        }
        let id = TransactionId(loser.transaction);
        let last = loser.last;
        self.restored.lock().push(Restored {
            name: prepared.name,
            id,
            owner,
            writer,
            first,
            changes,
            last,
            schema_version,
        });
        Ok(())
    }
}
