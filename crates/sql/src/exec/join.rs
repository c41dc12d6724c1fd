//! Joins: index lookups for every left row, or a hash table (or plain list) of the right side.
//!
//! The contract, which every way of joining keeps for every [`JoinKind`]:
//!
//! - A left and a right row *match* if all `keys` are equal, all of `on` is true, and (NOT IN only) nothing of
//!   `not_in` is false. A NULL in a key or in `on` is no match; a NULL in `not_in` may be one.
//! - Inner gives each pair that matches; Left also each left row without a match, once, beside NULLs; Semi each left
//!   row that has a match, once; Anti and NullAwareAnti each left row that has none. Semi and anti joins give the left
//!   columns alone.
//! - The order is that of the left side (but for a hash join that has spilled, see [`super::spilled_join`]). Matches of one left row come in the order of the right side.
//! - ON is not evaluated for a pair whose keys differ. Semi and anti joins stop at the first match of a left row:
//!   what ON would have said of later pairs (an error, a warning) is not met.
//! - With an empty right side Semi gives nothing, Anti everything, and NullAwareAnti everything too: NULL NOT IN
//!   (nothing) is true.
//!
//! Here are the joins that go row by row: LATERAL, and lookups that lock rows. [`super::hash_join`] and
//! [`super::lookup_join`] take batches.

use arrow_array::UInt32Array;

use super::batch::{Batch, MAX_ROWS};
use super::counted;
use super::hash_join::HashJoin;
use super::lookup_join::LookupJoin;
use super::run::{Operator, Run, open};
use super::scan::TableScan;
use super::subquery::{Subquery, Surroundings, states};
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate, filter};
use crate::expr::{BoundExpr, Vector};
use crate::plan::{Join, JoinKind, Plan, SelectPlan};

/// Opens the operator for a join.
pub fn open_join(plan: &Join) -> Box<dyn Operator + '_> {
    if plan.lookup
        && let Plan::Scan(scan) = plan.right.bare()
    {
        if let Some(join) = LookupJoin::new(plan, scan) {
            return Box::new(join);
        }
        return Box::new(RowLookup {
            plan,
            left: open(&plan.left),
            right: TableScan::new(scan),
            current: None,
        });
    }
    if let (Some(captures), Plan::Derived(right)) = (&plan.lateral, plan.right.bare()) {
        return Box::new(LateralJoin {
            plan,
            left: open(&plan.left),
            right,
            captures,
            inner: None,
            current: None,
        });
    }
    Box::new(HashJoin::new(plan))
}

/// What a join has to give so far.
struct Ready<'p> {
    plan: &'p Join,
    parts: Vec<Batch>,
    /// Rows of the current left batch that are given alone.
    alone: Vec<u32>,
    rows: usize,
}

impl<'p> Ready<'p> {
    fn new(plan: &'p Join) -> Ready<'p> {
        Ready { plan, parts: Vec::new(), alone: Vec::new(), rows: 0 }
    }

    /// Takes pairs that match; whether the rest of the left row's pairs is of no interest.
    fn matched(&mut self, pairs: Batch) -> bool {
        if !self.plan.kind.gives_right() {
            return true;
        }
        self.rows += pairs.rows;
        self.parts.push(pairs);
        false
    }

    /// All that matters of a left row's pairs was seen.
    fn close(&mut self, left: &Batch, row: u32, matched: bool) -> Result<(), SqlError> {
        match (self.plan.kind, matched) {
            (JoinKind::Left, false) => {
                self.parts.push(lonely(self.plan, left, row)?);
                self.rows += 1;
            }
            (JoinKind::Semi, true) | (JoinKind::Anti | JoinKind::NullAwareAnti, false) => {
                self.alone.push(row);
                self.rows += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// The left batch is left, for now or for good.
    fn leave(&mut self, left: &Batch) -> Result<(), SqlError> {
        if !self.alone.is_empty() {
            let positions = UInt32Array::from(std::mem::take(&mut self.alone));
            self.parts.push(left.clone().select(Some(&positions))?);
        }
        Ok(())
    }

    fn batch(self) -> Result<Option<Batch>, SqlError> {
        if self.parts.is_empty() { Ok(None) } else { Ok(Some(Batch::concat(&self.parts)?)) }
    }
}

/// A left row repeated beside each row of a right batch, filtered by ON.
fn pairs(
    plan: &Join,
    left: &Batch,
    row: u32,
    right: &Batch,
    run: &mut Run<'_, '_>,
) -> Result<Batch, SqlError> {
    let repeated = UInt32Array::from(vec![row; right.rows]);
    let mut columns = Vec::with_capacity(left.columns.len() + right.columns.len());
    for column in &left.columns {
        columns.push(column.take(&repeated)?);
    }
    columns.extend(right.columns.iter().cloned());
    let batch = Batch { columns, rows: right.rows };
    if plan.on.is_empty() {
        return Ok(batch);
    }
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let kept = filter(&plan.on, &frame, &mut run.eval())?;
    batch.select(kept.as_ref())
}

/// A left row with NULLs beside it.
fn lonely(plan: &Join, left: &Batch, row: u32) -> Result<Batch, SqlError> {
    let one = UInt32Array::from(vec![row]);
    let mut columns = Vec::with_capacity(left.columns.len() + plan.right_types.len());
    for column in &left.columns {
        columns.push(column.take(&one)?);
    }
    columns.extend(plan.right_types.iter().map(|_| Vector::null(1)));
    Ok(Batch { columns, rows: 1 })
}

/// Looks the right rows up for each left row.
struct RowLookup<'p> {
    plan: &'p Join,
    left: Box<dyn Operator + 'p>,
    right: TableScan<'p>,
    /// The left batch and the next row of it.
    current: Option<(Batch, u32)>,
}

impl Operator for RowLookup<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let mut ready = Ready::new(self.plan);
        loop {
            let (batch, at) = match &mut self.current {
                Some(current) => current,
                None => match self.left.next(run)? {
                    Some(batch) => self.current.insert((batch, 0)),
                    None => break,
                },
            };
            if *at as usize >= batch.rows {
                ready.leave(batch)?;
                self.current = None;
                if ready.rows > 0 {
                    break;
                }
                continue;
            }
            let row = *at;
            *at += 1;
            let selection = UInt32Array::from(vec![row]);
            let outer = Frame {
                columns: &batch.columns,
                rows: 1,
                selection: Some(&selection),
                subqueries: Some(run.subqueries),
            };
            self.right.open(run, &outer)?;
            let mut matched = false;
            let mut first = true;
            if let Some(counter) = self.plan.right.counter() {
                counter.open();
            }
            while let Some(right) =
                counted::next(&mut self.right, self.plan.right.counter(), &mut first, run)?
            {
                let pairs = pairs(self.plan, batch, row, &right, run)?;
                if pairs.rows > 0 {
                    matched = true;
                    if ready.matched(pairs) {
                        break;
                    }
                }
            }
            ready.close(batch, row, matched)?;
            if ready.rows >= MAX_ROWS {
                ready.leave(batch)?;
                break;
            }
            run.check()?;
        }
        ready.batch()
    }
}

/// Runs the right side for each left row.
struct LateralJoin<'p> {
    plan: &'p Join,
    left: Box<dyn Operator + 'p>,
    right: &'p SelectPlan,
    captures: &'p [BoundExpr],
    /// The subqueries of the right side.
    inner: Option<std::rc::Rc<[Subquery]>>,
    /// The left batch, what the right side reads of it, and the next row.
    current: Option<(Batch, Vec<Vector>, u32)>,
}

impl Operator for LateralJoin<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let inner = std::rc::Rc::clone(self.inner.get_or_insert_with(|| states(&self.right.subplans)));
        let mut ready = Ready::new(self.plan);
        loop {
            let (batch, values, at) = match &mut self.current {
                Some(current) => current,
                None => match self.left.next(run)? {
                    Some(batch) => {
                        let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
                        let mut values = Vec::with_capacity(self.captures.len());
                        for capture in self.captures {
                            values.push(evaluate(capture, &frame, &mut run.eval())?);
                        }
                        self.current.insert((batch, values, 0))
                    }
                    None => break,
                },
            };
            if *at as usize >= batch.rows {
                ready.leave(batch)?;
                self.current = None;
                if ready.rows > 0 {
                    break;
                }
                continue;
            }
            let row = *at;
            *at += 1;
            let around = Surroundings {
                subqueries: std::rc::Rc::clone(&inner),
                outer: values.iter().map(|v| v.slice(row as usize, 1).repeat(1)).collect(),
                shared: std::rc::Rc::clone(&run.subqueries.shared),
            };
            let mut operator = open(&self.right.root);
            let mut matched = false;
            loop {
                let mut inside =
                    Run { context: run.context, subqueries: &around, held: run.held, cut_off: 0 };
                let next = operator.next(&mut inside)?;
                let Some(right) = next else { break };
                let pairs = pairs(self.plan, batch, row, &right, run)?;
                if pairs.rows > 0 {
                    matched = true;
                    if ready.matched(pairs) {
                        break;
                    }
                }
            }
            ready.close(batch, row, matched)?;
            if ready.rows >= MAX_ROWS {
                ready.leave(batch)?;
                break;
            }
            run.check()?;
        }
        ready.batch()
    }
}
