//! A consumer: commits one after the other, each with its rows.
//!
//! ```text
//! while let Some(transaction) = consumer.next(&wait)? {
//!     while let Some(row) = consumer.next_row()? { ... }
//!     keep(consumer.position());       // behind this transaction
//! }
//! ```
//! Each consumer reads the log by itself, at its own speed; nobody waits for it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustydb_storage::wal::record::{Row, RowState};
use rustydb_storage::wal::{Follower, Record};
use rustydb_storage::{Lsn, TreeId};

use super::assembly::{self, Assembly};
use super::position::Position;
use super::{Progress, Start};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::locks::WaitOptions;
use crate::sleep::{Woken, sleep_until};

/// How a consumer reads.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerOptions {
    /// Bytes of rows of unfinished transactions to hold; what is beyond is read again from the log.
    pub memory: usize,
    /// Only rows of this tree are wanted.
    pub only: Option<TreeId>,
    /// A tree to look out for: see [`TransactionHead::touches_watched`].
    pub watched: Option<TreeId>,
}

impl Default for ConsumerOptions {
    fn default() -> ConsumerOptions {
        ConsumerOptions { memory: 16 << 20, only: None, watched: None }
    }
}

/// A committed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionHead {
    /// Its number in the order of commits.
    pub csn: u64,
    /// Its hybrid time: microseconds since 1970 UTC, but never going back.
    pub time: u64,
    /// The number in its global transaction id, `server_uuid:number`.
    pub number: u64,
    /// It may have changed the tree that is looked out for; false is certain.
    pub touches_watched: bool,
}

/// A changed row: None is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowChange<'a> {
    /// The tree.
    pub tree: TreeId,
    /// Version of the schema that its writer wrote under.
    pub schema_version: u32,
    /// The key.
    pub key: &'a [u8],
    /// What stood there.
    pub before: Option<&'a [u8]>,
    /// What stands there now.
    pub after: Option<&'a [u8]>,
}

/// Reads the change log.
#[derive(Debug)]
pub struct Consumer {
    engine: Arc<Engine>,
    id: u64,
    progress: Arc<Progress>,
    store: u32,
    follower: Follower,
    assembly: Assembly,
    options: ConsumerOptions,
    unwanted: HashSet<TreeId>,
    /// Commits before this are passed over.
    threshold: Option<Start>,
    /// The last commit that was seen.
    csn: u64,
    /// All records before this were seen.
    read_to: Lsn,
    current: Option<Current>,
}

/// The transaction whose rows are being read.
#[derive(Debug)]
struct Current {
    id: u64,
    transaction: assembly::Transaction,
    /// The next row of those in memory, or the next run of those in the log.
    next: usize,
    /// Reads rows again that are not in memory.
    again: Option<Follower>,
    record: Vec<u8>,
}

/// How many records are read between two looks at the clock and the cancellation.
const PATIENCE: u32 = 256;

impl Consumer {
    pub(super) fn new(
        engine: Arc<Engine>,
        position: Position,
        threshold: Option<Start>,
        options: ConsumerOptions,
    ) -> Consumer {
        let registry = &engine.change_consumers;
        let id = registry.next_id.fetch_add(1, Ordering::Relaxed);
        let progress = Arc::new(Progress::default());
        progress.csn.store(position.csn, Ordering::Relaxed);
        progress.read_to.store(position.low.0, Ordering::Relaxed);
        registry.consumers.lock().insert(id, progress.clone());
        Consumer {
            follower: engine.store().follow_log(position.low),
            assembly: Assembly::new(options.memory, options.watched),
            engine,
            id,
            progress,
            store: position.store,
            options,
            unwanted: HashSet::new(),
            threshold,
            csn: position.csn,
            read_to: position.low,
            current: None,
        }
    }

    /// Goes on to the next transaction, whether the rows of the last were read or not, and waits for one if
    /// there is none yet; None when the time is over (what was read meanwhile is not lost).
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::ChangeLogTruncated`] when the log was released before it was read; when
    /// the log cannot be read, is damaged, or the store has stopped.
    pub fn next(&mut self, wait: &WaitOptions) -> Result<Option<TransactionHead>> {
        self.current = None;
        let deadline = Instant::now().checked_add(wait.lock_wait);
        loop {
            let found = self.read_on(wait, deadline);
            self.progress.csn.store(self.csn, Ordering::Relaxed);
            self.progress.read_to.store(self.read_to.0, Ordering::Relaxed);
            match found? {
                Read::Transaction(head) => return Ok(Some(head)),
                Read::Late => return Ok(None),
                Read::All => {}
            }
            let (log, position) = (self.engine.log(), self.follower.position());
            let left = deadline.map_or(wait.lock_wait, |at| at.saturating_duration_since(Instant::now()));
            let rest = WaitOptions { lock_wait: left, cancel: wait.cancel.clone() };
            let more = || (log.durable() > position || log.check().is_err()).then_some(());
            match sleep_until(log.grown(), &rest, more) {
                Ok(()) if log.durable() <= position => log.check()?,
                Ok(()) => {}
                Err(Woken::TimedOut) => return Ok(None),
                Err(Woken::Cancelled(reason)) => return Err(Error::Cancelled(reason)),
            }
        }
    }

    /// Reads records until a transaction is complete or none is left.
    fn read_on(&mut self, wait: &WaitOptions, deadline: Option<Instant>) -> Result<Read> {
        let mut patience = PATIENCE;
        loop {
            let Some((lsn, bytes)) =
                self.follower.next_record().map_err(|error| late(error, self.csn, &self.engine))?
            else {
                return Ok(Read::All);
            };
            let mut ended = None;
            match Record::decode(lsn, bytes)? {
                Record::Row(row, _) => {
                    let is_wanted = self.options.only.is_none_or(|only| only == row.tree)
                        && !self.unwanted.contains(&row.tree);
                    self.assembly.row(lsn, &row, is_wanted);
                }
                Record::Commit { transaction, csn, time, number } => {
                    let taken = self.assembly.take(transaction);
                    if csn > self.csn {
                        self.csn = csn;
                        let is_passed_over = match self.threshold {
                            Some(Start::At(from)) => time < from,
                            Some(Start::AfterNumber(last)) => number <= last,
                            _ => false,
                        };
                        if !is_passed_over {
                            let taken = taken.unwrap_or_else(|| assembly::Transaction::beginning(lsn));
                            ended = Some((transaction, taken, csn, time, number));
                        }
                    }
                }
                Record::Abort { transaction } => {
                    self.assembly.take(transaction);
                }
                _ => {}
            }
            self.read_to = Lsn(lsn.0 + 1);
            if let Some((id, transaction, csn, time, number)) = ended {
                let touches_watched = transaction.touches_watched;
                self.current = Some(Current { id, transaction, next: 0, again: None, record: Vec::new() });
                return Ok(Read::Transaction(TransactionHead { csn, time, number, touches_watched }));
            }
            patience -= 1;
            if patience == 0 {
                patience = PATIENCE;
                if let Some(reason) = wait.cancel.reason() {
                    return Err(Error::Cancelled(reason));
                }
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return Ok(Read::Late);
                }
            }
        }
    }

    /// The next row of the transaction that [`Consumer::next`] gave; None behind the last.
    ///
    /// # Errors
    /// As [`Consumer::next`]: a large transaction is read again from the log.
    pub fn next_row(&mut self) -> Result<Option<RowChange<'_>>> {
        let Some(current) = &mut self.current else { return Ok(None) };
        let (engine, unwanted, only) = (&self.engine, &self.unwanted, self.options.only);
        let is_wanted =
            |row: &Row<'_>| only.is_none_or(|only| only == row.tree) && !unwanted.contains(&row.tree);
        let found = match &current.transaction.rows {
            Some(rows) => loop {
                if current.next >= rows.len() {
                    break false;
                }
                let record = rows.record(current.next);
                current.next += 1;
                if !record.is_empty() {
                    current.record.clear();
                    current.record.extend_from_slice(record);
                    break true;
                }
            },
            None => {
                let read = current.read_again(engine, &is_wanted);
                read.map_err(|error| late(error, self.csn, engine))?
            }
        };
        if !found {
            return Ok(None);
        }
        match Record::decode(self.read_to, &current.record)? {
            Record::Row(row, _) => Ok(Some(RowChange {
                tree: row.tree,
                schema_version: row.schema_version,
                key: row.key,
                before: value(row.before),
                after: value(row.after),
            })),
            _ => Ok(None),
        }
    }

    /// Begins the rows of this transaction again.
    pub fn rewind(&mut self) {
        if let Some(current) = &mut self.current {
            (current.next, current.again) = (0, None);
        }
    }

    /// Where to come back to: behind the transaction that [`Consumer::next`] gave last.
    #[must_use]
    pub fn position(&self) -> Position {
        let low = self.assembly.oldest().unwrap_or(self.read_to);
        Position { store: self.store, csn: self.csn, low }
    }

    /// Rows of this tree are not wanted any more.
    pub fn leave_out(&mut self, tree: TreeId) {
        self.unwanted.insert(tree);
    }

    /// A tree that was left out is gone, and its number is never used again.
    pub fn forget(&mut self, tree: TreeId) {
        self.unwanted.remove(&tree);
    }

    /// The engine it reads from.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.engine.change_consumers.consumers.lock().remove(&self.id);
    }
}

enum Read {
    Transaction(TransactionHead),
    /// Everything that is durable.
    All,
    /// The time is over.
    Late,
}

impl Current {
    /// Finds the next row in the log; true if there is one, in `record`.
    fn read_again(
        &mut self,
        engine: &Engine,
        is_wanted: &dyn Fn(&Row<'_>) -> bool,
    ) -> rustydb_storage::Result<bool> {
        let Some(first) = self.transaction.runs.first() else { return Ok(false) };
        let follower = self.again.get_or_insert_with(|| engine.store().follow_log(first.first));
        while let Some(run) = self.transaction.runs.get(self.next) {
            let Some((lsn, bytes)) = follower.next_record()? else { return Ok(false) };
            if lsn > run.last {
                self.next += 1;
            }
            let is_within = self.transaction.runs.get(self.next).is_some_and(|run| lsn >= run.first);
            if is_within
                && let Record::Row(row, _) = Record::decode(lsn, bytes)?
                && row.transaction == self.id
                && is_wanted(&row)
            {
                self.record.clear();
                Record::Row(row, &[]).encode(&mut self.record);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn value(state: RowState<'_>) -> Option<&[u8]> {
    match state {
        RowState::Value(value) => Some(value),
        RowState::Absent | RowState::Tombstone => None,
    }
}

/// A log that was released before it was read is a truncated change log.
fn late(error: rustydb_storage::Error, csn: u64, engine: &Arc<Engine>) -> Error {
    match error {
        rustydb_storage::Error::LogReleased { .. } => {
            Error::ChangeLogTruncated { after: Some(csn), oldest: engine.change_log().oldest().csn() }
        }
        other => other.into(),
    }
}
