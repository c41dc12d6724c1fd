//! What a crash left: read the log, replay it, and say which transactions must be undone.
//!
//! 1. *Analysis*: read the log from where the oldest transaction that was unfinished at the last
//!    checkpoint began. A transaction without a commit or abort record is a loser; its row changes
//!    that no compensation has undone yet are its steps.
//! 2. *Redo*: read again from the oldest change that was not on disk at that checkpoint, and apply
//!    each page operation whose page is older than its record. History is repeated, losers included.
//! 3. *Undo* is for the transaction floor: it takes [`Loser::steps`] back, last first, through the
//!    same logged row changes as any other, marked as compensations.
//!
//! A crash during any of these only adds compensations to the log, so the next recovery has less to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::disk::Disk;
use crate::error::Result;
use crate::ids::{Lsn, PageNo, TreeId};
use crate::page;
use crate::store::Core;
use crate::superblock::Superblock;
use crate::wal::record::{self, Operation, Record, RowState};
use crate::wal::{LogEnd, read_from};

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
    /// Its last record.
    pub last: Lsn,
}

/// What recovery found.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Transactions to undo.
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
    /// Records replayed.
    pub replayed: u64,
    /// Torn pages put back.
    pub restored_pages: usize,
    /// The store was not closed in order.
    pub was_unclean: bool,
}

/// Reads the log once, without touching a page.
pub(crate) fn analyse(disk: &Arc<dyn Disk>, head: &Superblock, segment: u64) -> Result<(Recovered, LogEnd)> {
    let mut found = Recovered {
        next_transaction: head.next_transaction,
        csn: head.csn,
        time: head.time,
        number: head.number,
        was_unclean: !head.clean,
        ..Recovered::default()
    };
    let mut open: BTreeMap<u64, Loser> = BTreeMap::new();
    let end = read_from(disk, head.database, segment, head.read_from, &mut |lsn, bytes| {
        match Record::decode(lsn, bytes)? {
            Record::Row(row, _) => {
                found.next_transaction = found.next_transaction.max(row.transaction + 1);
                if row.after == RowState::Tombstone {
                    found.tombstones.push((row.tree, row.key.to_vec()));
                }
                let loser = open.entry(row.transaction).or_default();
                loser.transaction = row.transaction;
                loser.last = lsn;
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
            Record::Group(_) => {}
        }
        Ok(())
    })?;
    if end.end < head.durable {
        return Err(crate::Error::log(
            end.end,
            format!("the log ends before {}, which was durable", head.durable),
        ));
    }
    found.losers = open.into_values().collect();
    Ok((found, end))
}

/// Replays page operations.
pub(crate) fn redo(core: &Core, disk: &Arc<dyn Disk>, head: &Superblock, segment: u64) -> Result<u64> {
    let mut replayed = 0;
    read_from(disk, head.database, segment, head.redo_from, &mut |lsn, bytes| {
        let record = Record::decode(lsn, bytes)?;
        // Whether the record is newer than each page it touches, decided at the first touch.
        let mut verdicts: SmallVec<[(PageNo, bool); 8]> = SmallVec::new();
        let mut any = false;
        record::operations(lsn, &record, |number, operation| {
            any |= redo_operation(core, lsn, number, &operation, &mut verdicts)?;
            Ok(())
        })?;
        replayed += u64::from(any);
        Ok(())
    })?;
    Ok(replayed)
}

fn redo_operation(
    core: &Core,
    lsn: Lsn,
    number: PageNo,
    operation: &Operation<'_>,
    verdicts: &mut SmallVec<[(PageNo, bool); 8]>,
) -> Result<bool> {
    let mut held = match core.pool.write(number) {
        Ok(held) => held,
        // What a whole new content replaces need not read well.
        Err(crate::Error::CorruptPage { .. }) if operation.replaces_page() => {
            // The frame's bytes are no page's, and neither is their LSN.
            verdicts.push((number, true));
            core.pool.create(number)?
        }
        Err(error) => return Err(error),
    };
    let known = verdicts.iter().find(|(page, _)| *page == number).map(|(_, newer)| *newer);
    let is_newer = known.unwrap_or_else(|| {
        let newer = page::lsn(&held) < lsn;
        verdicts.push((number, newer));
        newer
    });
    if is_newer {
        let bytes = held.bytes_mut(lsn);
        operation.apply(number, bytes)?;
        page::set_lsn(bytes, lsn);
    }
    Ok(is_newer)
}
