//! Puts transactions together from records that lie mixed in the log.
//!
//! Each unfinished transaction has its *runs*: stretches of its records of which nothing was taken back.
//! A compensation takes the last step off, as it was written, so what a rolled-back statement or savepoint
//! did is gone before the commit comes. Beside the runs the rows themselves are kept, without their page
//! operations, while there is room. When the rows of all transactions need more than the limit, those of the
//! largest are let go: they are read a second time from the log, run by run, once it has committed. So
//! memory is bounded without a copy on disk.
//!
//! Beyond the limit a transaction takes 24 bytes for each run, that is for each rollback amid its steps.

use std::collections::HashMap;

use rustydb_storage::wal::Record;
use rustydb_storage::wal::record::Row;
use rustydb_storage::{Lsn, TreeId};

/// Records of one transaction with nothing of its own between them that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: Lsn,
    pub(super) last: Lsn,
    pub(super) steps: u64,
}

/// Rows of a transaction, as records without page operations.
#[derive(Debug, Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The record of a row; empty where the row was not wanted.
    pub(super) fn record(&self, index: usize) -> &[u8] {
        let Some(&start) = self.starts.get(index) else { return &[] };
        let end = self.starts.get(index + 1).copied().unwrap_or(self.bytes.len());
        self.bytes.get(start..end).unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.starts.len() * size_of::<usize>()
    }
}

/// A transaction as the log has told of it so far.
#[derive(Debug)]
pub(super) struct Transaction {
    /// Its first record.
    pub(super) first: Lsn,
    pub(super) runs: Vec<Run>,
    /// None: too many to be kept, to be read again from the log.
    pub(super) rows: Option<Rows>,
    /// It may have changed the tree that is looked out for.
    pub(super) touches_watched: bool,
    /// The record before was one of its steps.
    goes_on: bool,
}

/// The unfinished transactions.
#[derive(Debug)]
pub(super) struct Assembly {
    open: HashMap<u64, Transaction>,
    bytes: usize,
    limit: usize,
    watched: Option<TreeId>,
}

impl Assembly {
    pub(super) fn new(limit: usize, watched: Option<TreeId>) -> Assembly {
        Assembly { open: HashMap::new(), bytes: 0, limit, watched }
    }

    /// The first record of the oldest unfinished transaction.
    pub(super) fn oldest(&self) -> Option<Lsn> {
        self.open.values().map(|transaction| transaction.first).min()
    }

    /// Bytes of rows that are kept.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a row change in; `is_wanted` says whether its content is.
    pub(super) fn row(&mut self, lsn: Lsn, row: &Row<'_>, is_wanted: bool) {
        let transaction = self.open.entry(row.transaction).or_insert_with(|| Transaction::beginning(lsn));
        let before = transaction.rows.as_ref().map_or(0, Rows::size);
        if row.is_compensation {
            transaction.pop(row.undo_next);
        } else {
            transaction.push(lsn, row, is_wanted);
            transaction.touches_watched |= self.watched == Some(row.tree);
        }
        self.bytes += transaction.rows.as_ref().map_or(0, Rows::size);
        self.bytes -= before;
        if self.bytes > self.limit {
            self.let_go();
        }
    }

    /// Takes a transaction out that has ended; None if it has changed no row.
    pub(super) fn take(&mut self, transaction: u64) -> Option<Transaction> {
        let taken = self.open.remove(&transaction)?;
        self.bytes -= taken.rows.as_ref().map_or(0, Rows::size);
        Some(taken)
    }

    /// Lets rows go, those of the largest transaction first, until the rest is within the limit.
    fn let_go(&mut self) {
        while self.bytes > self.limit {
            let size = |transaction: &Transaction| transaction.rows.as_ref().map_or(0, Rows::size);
            let Some(largest) = self.open.values_mut().max_by_key(|transaction| size(transaction)) else {
                return;
            };
            self.bytes -= size(largest);
            largest.rows = None;
        }
    }
}

impl Transaction {
    /// One without rows.
    pub(super) fn beginning(first: Lsn) -> Transaction {
        Transaction {
            first,
            runs: Vec::new(),
            rows: Some(Rows::default()),
            touches_watched: false,
            goes_on: false,
        }
    }

    fn push(&mut self, lsn: Lsn, row: &Row<'_>, is_wanted: bool) {
        match self.runs.last_mut().filter(|_| self.goes_on) {
            Some(run) => {
                run.last = lsn;
                run.steps += 1;
            }
            None => self.runs.push(Run { first: lsn, last: lsn, steps: 1 }),
        }
        self.goes_on = true;
        if let Some(rows) = &mut self.rows {
            rows.starts.push(rows.bytes.len());
            if is_wanted {
                Record::Row(*row, &[]).encode(&mut rows.bytes);
            }
        }
    }

    /// Takes the last step off; the one before it is at `undo_next`, if it is of the same run.
    fn pop(&mut self, undo_next: Lsn) {
        self.goes_on = false;
        let Some(run) = self.runs.last_mut() else { return };
        run.steps -= 1;
        run.last = undo_next;
        if run.steps == 0 {
            self.runs.pop();
        }
        if let Some(rows) = &mut self.rows
            && let Some(start) = rows.starts.pop()
        {
            rows.bytes.truncate(start);
        }
    }
}

#[cfg(test)]
mod tests {
    use rustydb_storage::wal::record::RowState;

    use super::*;

    /// The log of one transaction as the engine writes it.
    struct Log {
        assembly: Assembly,
        next: u64,
        last: Lsn,
        /// Steps that are not taken back, with the record before each.
        steps: Vec<(Lsn, Lsn)>,
    }

    impl Log {
        fn new(limit: usize) -> Log {
            Log { assembly: Assembly::new(limit, None), next: 100, last: Lsn::ZERO, steps: Vec::new() }
        }

        fn record(&mut self, is_compensation: bool, undo_next: Lsn, value: &[u8]) -> Lsn {
            let row = Row {
                transaction: 1,
                previous: self.last,
                undo_next,
                is_compensation,
                tree: TreeId(20),
                schema_version: 3,
                key: b"k",
                before: RowState::Absent,
                after: RowState::Value(value),
            };
            let lsn = Lsn(self.next);
            self.next += 10;
            self.assembly.row(lsn, &row, true);
            self.last = lsn;
            lsn
        }

        fn step(&mut self, value: &[u8]) {
            let previous = self.last;
            let lsn = self.record(false, Lsn::ZERO, value);
            self.steps.push((lsn, previous));
        }

        fn back(&mut self, count: usize) {
            for _ in 0..count {
                let (_, previous) = self.steps.pop().unwrap();
                self.record(true, previous, b"");
            }
        }
    }

    fn values(rows: &Rows) -> Vec<Vec<u8>> {
        let value = |index| match Record::decode(Lsn::ZERO, rows.record(index)).unwrap() {
            Record::Row(Row { after: RowState::Value(value), schema_version: 3, .. }, []) => value.to_vec(),
            other => panic!("{other:?}"),
        };
        (0..rows.len()).map(value).collect()
    }

    #[test]
    fn what_was_taken_back_leaves_neither_rows_nor_runs() {
        let mut log = Log::new(1 << 20);
        for value in [b"a", b"b", b"c", b"d"] {
            log.step(value);
        }
        log.back(2);
        log.step(b"e");
        log.step(b"f");
        // Back over the gap that the first way back has left.
        log.back(3);
        log.step(b"g");
        let steps: Vec<Lsn> = log.steps.iter().map(|(lsn, _)| *lsn).collect();
        let taken = log.assembly.take(1).unwrap();
        assert_eq!(values(taken.rows.as_ref().unwrap()), [b"a", b"g"]);
        let of = |lsn| Run { first: lsn, last: lsn, steps: 1 };
        assert_eq!(taken.runs, [of(steps[0]), of(steps[1])]);
        assert_eq!((log.assembly.bytes(), log.assembly.oldest()), (0, None));
    }

    #[test]
    fn the_largest_transaction_is_let_go_when_there_is_no_room() {
        let mut log = Log::new(1000);
        log.step(&[1; 400]);
        assert!(log.assembly.bytes() > 400);
        log.step(&[1; 600]);
        assert_eq!(log.assembly.bytes(), 0);
        log.step(&[1; 5]);
        log.back(1);
        let taken = log.assembly.take(1).unwrap();
        assert!(taken.rows.is_none());
        assert_eq!(taken.runs, [Run { first: Lsn(100), last: Lsn(110), steps: 2 }]);
    }
}
