//! Rows of one table straight from its tree to the client: no batches, no vectors.
//!
//! For plans that are nothing but a part of an index and some of its columns, in the index's order, with or without a
//! limit: several rows by their keys, a short range, a page of a listing. A stored row is decoded where it lies and
//! handed on; what it costs beyond that is the same few calls for one row as for a thousand. The part of the index is
//! found by the same code as for a scan ([`super::key_range`]), so the two cannot disagree on which rows those are.
//!
//! Left to the general operators: conditions beyond the index's, expressions, locking reads, and transactions
//! that may meet two entries of one row in an index (they have changed it on top of what they see).

use rustydb_transaction::{Direction, EntryBatch, KeyRange};
use rustydb_value::Value;

use super::entry_columns::EntryReader;
use super::key_range::{Ranges, key_ranges};
use super::run::{RowSink, Run};
use crate::error::SqlError;
use crate::expr::Node;
use crate::expr::eval::Frame;
use crate::plan::{Access, IndexAccess, Plan, RowLimit, Scan, SelectPlan};
use crate::stored::{IndexEntry, RowReader, ShownColumns, damaged};

/// Entries that are read at first, and at most, without the tree's pages being let go.
const FIRST: usize = 16;
const MOST: usize = 256;

/// A plan that this executor takes.
pub(super) struct Direct<'p> {
    scan: &'p Scan,
    access: &'p IndexAccess,
    columns: ShownColumns,
    limit: Option<&'p RowLimit>,
}

impl<'p> Direct<'p> {
    /// Of a plan, if it is of that shape.
    pub(super) fn of(plan: &'p SelectPlan) -> Option<Direct<'p>> {
        let mut node = &plan.root;
        let mut limit = None;
        if let Plan::Limit { input, limit: rows, counts: false } = node {
            limit = Some(rows);
            node = input;
        }
        let mut narrow = usize::MAX;
        if let Plan::Narrow { input, width } = node {
            narrow = *width;
            node = input;
        }
        let project = match node {
            Plan::Project { input, exprs } => {
                node = input;
                Some(exprs)
            }
            _ => None,
        };
        let Plan::Scan(scan) = node else { return None };
        let Access::Index(access) = &scan.access else { return None };
        if !scan.filter.is_empty() || scan.lock.is_some() || !access.is_plain() {
            return None;
        }
        let column =
            |at: usize| scan.columns.get(at).copied().filter(|at| *at < scan.table.def.columns.len());
        let columns: Vec<usize> = match project {
            None => (0..scan.columns.len().min(narrow)).map(column).collect::<Option<_>>()?,
            Some(exprs) => {
                let of = |expr: &crate::expr::BoundExpr| match &expr.node {
                    Node::Column(used) => column(used.index),
                    _ => None,
                };
                exprs.iter().take(narrow).map(of).collect::<Option<_>>()?
            }
        };
        if columns.is_empty() {
            return None;
        }
        let columns = ShownColumns::new(&scan.table.def, &columns)?;
        Some(Direct { scan, access, columns, limit })
    }

    /// Gives the rows to `sink`; their number, or None if the transaction is not one for this executor.
    pub(super) fn run(&self, run: &mut Run<'_, '_>, sink: &mut RowSink<'_>) -> Result<Option<u64>, SqlError> {
        let def = &self.scan.table.def;
        if self.access.index != 0 && run.context.txn.has_overtaken() {
            return Ok(None);
        }
        let params = run.context.eval.params;
        let (mut skip, mut give) = match self.limit {
            Some(limit) => (limit.offset.resolve(params)?, limit.count.resolve(params)?),
            None => (0, u64::MAX),
        };
        if let Some(limit) = &self.scan.limit {
            let wanted = limit.offset.resolve(params)?.saturating_add(limit.count.resolve(params)?);
            give = give.min(wanted.saturating_sub(skip));
        }
        if give == 0 {
            return Ok(Some(0));
        }
        let Some(index) = def.all_indexes().nth(self.access.index) else {
            return Err(SqlError::unknown("plan: an index is missing"));
        };
        let tree = run.context.engine().tree(index.tree)?;
        let reader = RowReader::new(def.clone());
        let entries = match self.access.covering {
            true => {
                let positions: Vec<usize> = self.columns.positions().collect();
                EntryReader::new(def, self.access.index, &positions)
            }
            false => None,
        };
        let rows = match self.access.index != 0 && entries.is_none() {
            true => Some(run.context.engine().tree(def.primary.tree)?),
            false => None,
        };
        let zone = run.context.eval.session.settings.time_zone;
        let subqueries = run.subqueries;
        let frame = Frame::constant().with_subqueries(subqueries);
        let mut source =
            Source::new(key_ranges(def, self.access, &frame, &mut run.eval())?, self.scan.reverse);

        let (mut batch, mut row) = (EntryBatch::new(), Vec::new());
        let (mut most, mut given) = (FIRST, 0);
        let mut values: Vec<Value> = Vec::new();
        loop {
            batch.clear();
            let wanted = usize::try_from(skip.saturating_add(give)).unwrap_or(usize::MAX).min(most);
            let more = source.fill(run, &tree, &mut batch, wanted)?;
            most = (most * 4).min(MOST);
            for at in 0..batch.len() {
                if let Some(rows) = &rows {
                    let entry =
                        IndexEntry::read(batch.key(at), batch.value(at)).map_err(|e| damaged(def, e))?;
                    row.clear();
                    let found =
                        run.context.txn.get(rows, entry.primary_key, |bytes| row.extend_from_slice(bytes))?;
                    if found.is_none() {
                        continue;
                    }
                }
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                match (&entries, &rows) {
                    (Some(reader), _) => {
                        reader.read(def, self.access.index, batch.key(at), batch.value(at), &mut values)?;
                        let values = values.iter().map(|value| Ok(value.as_ref()));
                        self.columns.give(def, zone, values, sink)?;
                    }
                    (None, from) => {
                        let bytes = if from.is_some() { row.as_slice() } else { batch.value(at) };
                        let row = reader.row(bytes)?;
                        let values = self.columns.positions().map(|column| row.value(column));
                        self.columns.give(def, zone, values, sink)?;
                    }
                }
                given += 1;
                give -= 1;
                if give == 0 {
                    return Ok(Some(given));
                }
            }
            if !more {
                return Ok(Some(given));
            }
            run.check()?;
        }
    }
}

/// Where entries come from.
struct Source {
    ranges: Ranges,
    next: usize,
    open: Option<rustydb_transaction::Scan>,
    direction: Direction,
}

impl Source {
    fn new(mut ranges: Ranges, reverse: bool) -> Source {
        if reverse {
            match &mut ranges {
                Ranges::Points(keys) => keys.reverse(),
                Ranges::Ranges(ranges) => ranges.reverse(),
            }
        }
        let direction = if reverse { Direction::Backward } else { Direction::Forward };
        Source { ranges, next: 0, open: None, direction }
    }

    /// Adds at most `most` entries; whether there may be more.
    fn fill(
        &mut self,
        run: &mut Run<'_, '_>,
        tree: &std::sync::Arc<rustydb_transaction::Tree>,
        batch: &mut EntryBatch,
        most: usize,
    ) -> Result<bool, SqlError> {
        let txn = &mut *run.context.txn;
        match &mut self.ranges {
            Ranges::Points(keys) => {
                while batch.len() < most {
                    let Some(key) = keys.get(self.next) else { return Ok(false) };
                    self.next += 1;
                    txn.get(tree, key, |value| batch.push(key, value))?;
                }
                Ok(self.next < keys.len())
            }
            Ranges::Ranges(ranges) => {
                if self.open.is_none() {
                    let Some(range) = ranges.get_mut(self.next) else { return Ok(false) };
                    self.next += 1;
                    let range = std::mem::replace(range, KeyRange::all());
                    self.open = Some(txn.scan(tree, range, self.direction)?);
                }
                if let Some(open) = &mut self.open
                    && !open.next_batch(txn, batch, most)?
                {
                    self.open = None;
                    return Ok(self.next < ranges.len());
                }
                Ok(true)
            }
        }
    }
}
