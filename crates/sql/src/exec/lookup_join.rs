//! Lookup joins: the keys of a whole left batch, then the index entries of each in turn, then one gather.
//!
//! The expressions that make keys are evaluated once for a left batch. Entries are read key by key, in the order of
//! the left rows, until about a batch of them is there, however many keys that took; every entry remembers its left
//! row. Then rows are fetched, decoded and filtered together, and [`Pairing`] does the rest.
//!
//! Left to [`super::join`], which goes row by row: lookups that lock rows or have a limit of their own, and semi and
//! anti joins whose ON could fail or warn about pairs behind the first match.

use std::sync::Arc;

use rustydb_transaction::{Direction, EntryBatch, KeyRange, Scan as TreeScan, Tree};

use super::batch::{Batch, MAX_ROWS};
use super::counted::Counter;
use super::join_pairs::{LeftRows, Pairing, RightRows};
use super::key_range::{KeyValues, Ranges};
use super::run::{Operator, Run, open};
use super::scan::TableScan;
use crate::error::SqlError;
use crate::expr::eval::Frame;
use crate::plan::{Access, IndexAccess, Join, JoinKind, Scan};

/// Looks the right rows of left batches up.
pub struct LookupJoin<'p> {
    pairing: Pairing<'p>,
    kind: JoinKind,
    /// One entry is enough: nothing else is asked of a match.
    first_decides: bool,
    left: Box<dyn Operator + 'p>,
    right: TableScan<'p>,
    access: &'p IndexAccess,
    /// EXPLAIN ANALYZE: what the right side gives.
    counter: Option<&'p Counter>,
    current: Option<Lookups<'p>>,
}

/// The lookups of a left batch.
struct Lookups<'p> {
    left: LeftRows,
    values: KeyValues<'p>,
    tree: Arc<Tree>,
    direction: Direction,
    /// The left row whose entries are read, and what is still to read of them.
    row: usize,
    ranges: Option<Ranges>,
    next: usize,
    scan: Option<TreeScan>,
}

impl<'p> LookupJoin<'p> {
    /// Of a join with a scan on its right; None if it has to go row by row.
    pub fn new(plan: &'p Join, scan: &'p Scan) -> Option<LookupJoin<'p>> {
        LookupJoin::over(plan, scan, || open(&plan.left))
    }

    /// The same over a left side that is made when it is sure that it will be read.
    pub fn over(
        plan: &'p Join,
        scan: &'p Scan,
        left: impl FnOnce() -> Box<dyn Operator + 'p>,
    ) -> Option<LookupJoin<'p>> {
        let Access::Index(access) = &scan.access else { return None };
        let pairing = Pairing::new(plan);
        let gives_right = plan.kind.gives_right();
        if scan.lock.is_some() || scan.limit.is_some() || scan.one_by_one {
            return None;
        }
        if !plan.not_in.is_empty() || !plan.keys.is_empty() || (!gives_right && !pairing.is_quiet()) {
            return None;
        }
        Some(LookupJoin {
            pairing,
            kind: plan.kind,
            first_decides: !gives_right && plan.on.is_empty() && scan.filter.is_empty(),
            left: left(),
            right: TableScan::new(scan),
            access,
            counter: plan.right.counter(),
            current: None,
        })
    }

    fn begin(&mut self, batch: Batch, run: &mut Run<'_, '_>) -> Result<Lookups<'p>, SqlError> {
        let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
        let values = KeyValues::evaluate(self.access, &frame, &mut run.eval())?;
        let reverse = self.right.plan().reverse;
        Ok(Lookups {
            left: LeftRows::new(batch, self.kind),
            values,
            tree: self.right.open_trees(run)?,
            direction: if reverse { Direction::Backward } else { Direction::Forward },
            row: 0,
            ranges: None,
            next: 0,
            scan: None,
        })
    }
}

impl Lookups<'_> {
    /// Reads entries for about a batch; gives the left row of each.
    fn fill(
        &mut self,
        plan: &Scan,
        first_decides: bool,
        entries: &mut EntryBatch,
        run: &mut Run<'_, '_>,
    ) -> Result<Vec<u32>, SqlError> {
        let def = &plan.table.def;
        let most = if first_decides { 1 } else { MAX_ROWS };
        let mut from = Vec::with_capacity(self.left.batch.rows);
        while entries.len() < MAX_ROWS && self.row < self.left.batch.rows {
            let ranges = match &mut self.ranges {
                Some(ranges) => ranges,
                None => {
                    let mut ranges = self.values.ranges(def, self.row)?;
                    if self.direction == Direction::Backward {
                        match &mut ranges {
                            Ranges::Points(keys) => keys.reverse(),
                            Ranges::Ranges(ranges) => ranges.reverse(),
                        }
                    }
                    self.ranges.insert(ranges)
                }
            };
            let more = match ranges {
                Ranges::Points(keys) => {
                    for key in keys.iter() {
                        run.context.txn.get(&self.tree, key, |value| entries.push(key, value))?;
                    }
                    false
                }
                Ranges::Ranges(ranges) => {
                    if self.scan.is_none()
                        && let Some(range) = ranges.get_mut(self.next)
                    {
                        self.next += 1;
                        let range = std::mem::replace(range, KeyRange::all());
                        self.scan = Some(run.context.txn.scan(&self.tree, range, self.direction)?);
                    }
                    if let Some(scan) = &mut self.scan
                        && !scan.next_batch(run.context.txn, entries, most)?
                    {
                        self.scan = None;
                    }
                    self.scan.is_some() || self.next < ranges.len()
                }
            };
            let found = entries.len() > from.len();
            from.resize(entries.len(), self.row as u32);
            if !more || (first_decides && found) || self.left.has_match(self.row) {
                (self.ranges, self.next, self.scan) = (None, 0, None);
                self.row += 1;
            } else if !found {
                // Only versions that this snapshot does not see.
                run.check()?;
            }
        }
        Ok(from)
    }
}

impl Operator for LookupJoin<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            run.check()?;
            if self.current.is_none() {
                let Some(batch) = self.left.next(run)? else { return Ok(None) };
                self.current = Some(self.begin(batch, run)?);
            }
            let Some(lookups) = &mut self.current else { return Ok(None) };
            let mut entries = EntryBatch::new();
            let (opened, began) =
                (lookups.row, self.counter.map(|_| run.context.database.clock().monotonic()));
            let first_decides = self.first_decides && !run.context.txn.has_overtaken();
            let from = lookups.fill(self.right.plan(), first_decides, &mut entries, run)?;
            let (right, kept) = self.right.rows_that_pass(run, entries)?;
            if let (Some(counter), Some(began)) = (self.counter, began) {
                (opened..lookups.row).for_each(|_| counter.open());
                let took = run.context.database.clock().monotonic().saturating_sub(began);
                counter.gave(from.len().min(kept.as_ref().map_or(usize::MAX, |kept| kept.len())), took, true);
            }
            let mut left = match kept {
                Some(kept) => kept.iter().filter_map(|at| from.get(*at as usize).copied()).collect(),
                None => from,
            };
            let mut positions = RightRows::InOrder;
            self.pairing.test(&lookups.left.batch, &mut left, &right.columns, &mut positions, run)?;
            let closed = lookups.row;
            let given = self.pairing.give(&mut lookups.left, left, &right.columns, positions, closed)?;
            if closed >= lookups.left.batch.rows {
                self.current = None;
            }
            if given.is_some() {
                return Ok(given);
            }
        }
    }
}
