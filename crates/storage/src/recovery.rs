//! What a crash left: read the log, replay it, and say which transactions must be undone.
//!
//! 1. *Analysis*: read the log from where the oldest transaction that was unfinished at the last
//!    checkpoint began. A transaction without a commit or abort record is a loser; its row changes
//!    that no compensation has undone yet are its steps. One whose last record is its prepare record is
//!    given back as it was, to be decided by its coordinator; any later record is that of its rollback.
//! 2. *Redo*: from the oldest change on that was not on disk at that checkpoint, apply each page operation
//!    whose page is older than its record ([`crate::replay`]). History is repeated, losers included.
//! 3. *Undo* is for the transaction floor: it takes [`Loser::steps`] back, last first, through the
//!    same logged row changes as any other, marked as compensations.
//!
//! Both in one reading of the log. Pages may reach the disk meanwhile: only with changes whose frames read well,
//! and so are in the log whatever is found behind them.
//!
//! A crash during any of these only adds compensations to the log, so the next recovery has less to do.
//!
//! Memory: the keys and former values of unfinished transactions, and the keys of deletes since the
//! checkpoint: at most the log that is read.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::ids::{Lsn, TreeId};
use crate::superblock::Superblock;
use crate::wal::record::{self, Record, RowState};

/// A row change to take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoStep {
    /// The tree.
    pub tree: TreeId,
    /// The key.
    pub key: Vec<u8>,
    /// The value that stood there; `Ok(None)` is a tombstone, `Err(())` is nothing.
    pub before: std::result::Result<Option<Vec<u8>>, ()>,
    /// The transaction's record before the one to take back.
    pub previous: Lsn,
    /// The schema version the value was written under.
    pub schema_version: u32,
}

impl UndoStep {
    /// What must stand at the key again.
    #[must_use]
    pub fn state(&self) -> RowState<'_> {
        match &self.before {
            Err(()) => RowState::Absent,
            Ok(None) => RowState::Tombstone,
            Ok(Some(value)) => RowState::Value(value),
        }
    }
}

/// A transaction that a crash left unfinished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loser {
    /// Its number.
    pub transaction: u64,
    /// Its changes with their LSNs, first to last.
    pub steps: Vec<(Lsn, UndoStep)>,
    /// Its first record.
    pub first: Lsn,
    /// Its last record.
    pub last: Lsn,
    /// Set if it is not to be undone, but waits for its coordinator.
    pub prepared: Option<Prepared>,
}

/// What the prepare record of a transaction says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What its coordinator calls it.
    pub name: Vec<u8>,
    /// Locks beyond those on the keys that it has changed.
    pub locks: Vec<u8>,
}

impl Loser {
    fn of(transaction: u64, first: Lsn) -> Loser {
        Loser { transaction, first, ..Loser::default() }
    }
}

/// What recovery found.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Transactions to undo, and those that are prepared.
    pub losers: Vec<Loser>,
    /// Keys that were deleted, whose entries may still wait to be purged.
    pub tombstones: Vec<(TreeId, Vec<u8>)>,
    /// Above every transaction number in use.
    pub next_transaction: u64,
    /// The last commit.
    pub csn: u64,
    /// The last commit's time.
    pub time: u64,
    /// The last commit's global transaction number.
    pub number: u64,
    /// Bytes of log replayed.
    pub replayed: u64,
    /// Torn pages put back.
    pub restored_pages: usize,
    /// The store was not closed in order.
    pub was_unclean: bool,
}

/// What the log says about transactions, record by record.
pub(crate) struct Analysis {
    found: Recovered,
    open: BTreeMap<u64, Loser>,
}

impl Analysis {
    pub(crate) fn new(head: &Superblock) -> Analysis {
        let found = Recovered {
            next_transaction: head.next_transaction,
            csn: head.csn,
            time: head.time,
            number: head.number,
            was_unclean: !head.clean,
            ..Recovered::default()
        };
        Analysis { found, open: BTreeMap::new() }
    }

    /// Takes the next record in.
    pub(crate) fn see(&mut self, lsn: Lsn, record: &Record<'_>) -> Result<()> {
        let Analysis { found, open } = self;
        match *record {
            Record::Row(row, _) => {
                found.next_transaction = found.next_transaction.max(row.transaction + 1);
                if row.after == RowState::Tombstone {
                    found.tombstones.push((row.tree, row.key.to_vec()));
                }
                let loser = open.entry(row.transaction).or_insert_with(|| Loser::of(row.transaction, lsn));
                loser.last = lsn;
                // Only a rollback comes after a prepare record.
                loser.prepared = None;
                if row.is_compensation {
                    // Compensations take changes back in strict reverse order.
                    loser.steps.pop();
                } else {
                    let before = match row.before {
                        RowState::Absent => Err(()),
                        RowState::Tombstone => Ok(None),
                        RowState::Value(value) => Ok(Some(value.to_vec())),
                    };
                    let step = UndoStep {
                        tree: row.tree,
                        key: row.key.to_vec(),
                        before,
                        previous: row.previous,
                        schema_version: row.schema_version,
                    };
                    loser.steps.push((lsn, step));
                }
            }
            Record::Commit { transaction, csn, time, number } => {
                found.next_transaction = found.next_transaction.max(transaction + 1);
                found.csn = found.csn.max(csn);
                found.time = found.time.max(time);
                found.number = found.number.max(number);
                open.remove(&transaction);
            }
            Record::Abort { transaction } => {
                open.remove(&transaction);
            }
            Record::Prepare { transaction, name, locks } => {
                found.next_transaction = found.next_transaction.max(transaction + 1);
                let loser = open.entry(transaction).or_insert_with(|| Loser::of(transaction, lsn));
                loser.prepared = Some(Prepared { name: name.to_vec(), locks: locks.to_vec() });
            }
            Record::Tombstones(keys) => record::tombstones(lsn, keys, |tree, key| {
                found.tombstones.push((tree, key.to_vec()));
            })?,
            Record::Group(_) => {}
        }
        Ok(())
    }

    /// The log is at its end: who is still open has lost.
    pub(crate) fn finish(self) -> Recovered {
        Recovered { losers: self.open.into_values().collect(), ..self.found }
    }
}
