//! Joins: index lookups for every left row, or a hash table (or plain list) of the right side.
//!
//! The contract, which every way of joining keeps for every [`JoinKind`]:
//!
//! - A left and a right row *match* if all `keys` are equal, all of `on` is true, and (NOT IN only) nothing of
//!   `not_in` is false. A NULL in a key or in `on` is no match; a NULL in `not_in` may be one.
//! - Inner gives each pair that matches; Left also each left row without a match, once, beside NULLs; Semi each left
//!   row that has a match, once; Anti and NullAwareAnti each left row that has none. Semi and anti joins give the left
//!   columns alone.
//! - The order is that of the left side. Matches of one left row come in the order of the right side.
//! - ON is not evaluated for a pair whose keys differ. Semi and anti joins stop at the first match of a left row:
//!   what ON would have said of later pairs (an error, a warning) is not met.
//! - With an empty right side Semi gives nothing, Anti everything, and NullAwareAnti everything too: NULL NOT IN
//!   (nothing) is true.
//!
//! The right side of a hash join is held in memory under the statement's grant.

use arrow_array::UInt32Array;
use hashbrown::HashMap;

use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run, open};
use super::scan::TableScan;
use super::sort_key::append_value;
use super::subquery::{Subquery, Surroundings, states};
use crate::error::SqlError;
use crate::expr::compare::order_at;
use crate::expr::eval::{Frame, evaluate, filter};
use crate::expr::{BoundExpr, Vector};
use crate::plan::{Join, JoinKey, JoinKind, Plan, SelectPlan};

/// Opens the operator for a join.
pub fn open_join(plan: &Join) -> Box<dyn Operator + '_> {
    if plan.lookup
        && let Plan::Scan(scan) = &plan.right
    {
        return Box::new(LookupJoin {
            plan,
            left: open(&plan.left),
            right: TableScan::new(scan),
            current: None,
        });
    }
    if let (Some(captures), Plan::Derived(right)) = (&plan.lateral, &plan.right) {
        return Box::new(LateralJoin {
            plan,
            left: open(&plan.left),
            right,
            captures,
            inner: None,
            current: None,
        });
    }
    Box::new(HashJoin {
        plan,
        left: open(&plan.left),
        right: Some(open(&plan.right)),
        table: None,
        pending: None,
    })
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
struct LookupJoin<'p> {
    plan: &'p Join,
    left: Box<dyn Operator + 'p>,
    right: TableScan<'p>,
    /// The left batch and the next row of it.
    current: Option<(Batch, u32)>,
}

impl Operator for LookupJoin<'_> {
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
            while let Some(right) = self.right.next(run)? {
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

/// Row numbers by the bytes of their keys.
type Rows = HashMap<Box<[u8]>, Vec<u32>>;

/// The right side of a hash join.
#[derive(Default)]
struct Table {
    /// None if there is no row.
    rows: Option<Batch>,
    /// By `keys` and then `not_in`: the rows without NULL in any of them; all under the empty key if there are none.
    by_key: Rows,
    /// NOT IN: by `keys` alone, the rows with a NULL among what is compared.
    unsure: Rows,
    /// NOT IN: by `keys` alone, all rows: what a left row with a NULL may match.
    all: Rows,
    /// NOT IN: what is compared.
    compared: Vec<Vector>,
}

/// Finds the right rows in a hash table.
struct HashJoin<'p> {
    plan: &'p Join,
    left: Box<dyn Operator + 'p>,
    right: Option<Box<dyn Operator + 'p>>,
    table: Option<Table>,
    /// The left batch, its keys, what NOT IN compares of it, and the next row.
    pending: Option<(Batch, Vec<Vector>, Vec<Vector>, u32)>,
}

/// Appends the bytes of a row's join keys; false if one is NULL, which equals nothing.
fn append_key(vectors: &[Vector], keys: &[JoinKey], left: bool, row: usize, out: &mut Vec<u8>) -> bool {
    for (vector, key) in vectors.iter().zip(keys) {
        if vector.is_null(row) {
            return false;
        }
        let side = if left { &key.left } else { &key.right };
        append_value(out, vector, row, side.ty.class(), key.collation);
    }
    true
}

/// Adds a row under its key; the bytes that this takes.
fn add(rows: &mut Rows, key: &[u8], row: u32) -> usize {
    match rows.get_mut(key) {
        Some(known) => {
            known.push(row);
            4
        }
        None => {
            rows.insert(key.into(), vec![row]);
            key.len() + 68
        }
    }
}

/// One side of the keys, over a batch.
fn side(keys: &[JoinKey], left: bool, batch: &Batch, run: &mut Run<'_, '_>) -> Result<Vec<Vector>, SqlError> {
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let mut vectors = Vec::with_capacity(keys.len());
    for key in keys {
        let expr = if left { &key.left } else { &key.right };
        vectors.push(evaluate(expr, &frame, &mut run.eval())?);
    }
    Ok(vectors)
}

impl HashJoin<'_> {
    fn build(&mut self, run: &mut Run<'_, '_>) -> Result<Table, SqlError> {
        let (keys, not_in) = (&self.plan.keys, &self.plan.not_in);
        let left_may_be_null = not_in.iter().any(|pair| pair.left.ty.nullable);
        let mut batches = Vec::new();
        let mut compared: Vec<Vec<Vector>> = not_in.iter().map(|_| Vec::new()).collect();
        let mut table = Table::default();
        let mut base = 0u32;
        let mut key = Vec::new();
        let mut right = self.right.take();
        while let Some(batch) = match &mut right {
            Some(right) => right.next(run)?,
            None => None,
        } {
            run.hold(batch.memory(), "join")?;
            let vectors = side(keys, false, &batch, run)?;
            let values = side(not_in, false, &batch, run)?;
            let mut held = 0;
            for row in 0..batch.rows {
                key.clear();
                if !append_key(&vectors, keys, false, row, &mut key) {
                    continue;
                }
                let at = base + row as u32;
                let plain = key.len();
                let sure = append_key(&values, not_in, false, row, &mut key);
                if sure {
                    held += add(&mut table.by_key, &key, at);
                }
                key.truncate(plain);
                if !sure {
                    held += add(&mut table.unsure, &key, at);
                }
                if left_may_be_null {
                    held += add(&mut table.all, &key, at);
                }
            }
            for (parts, value) in compared.iter_mut().zip(values) {
                held += value.memory();
                parts.push(value);
            }
            run.hold(held, "join")?;
            base += batch.rows as u32;
            batches.push(batch);
            run.check()?;
        }
        if !batches.is_empty() {
            table.rows = Some(Batch::concat(&batches)?);
            for parts in &compared {
                table.compared.push(Vector::concat(parts)?);
            }
        }
        Ok(table)
    }
}

/// Whether nothing that NOT IN compares tells a left row from a right one for certain.
fn may_be_in(pairs: &[JoinKey], left: &[Vector], row: usize, right: &[Vector], other: usize) -> bool {
    pairs.iter().zip(left).zip(right).all(|((pair, a), b)| {
        let classes = (pair.left.ty.class(), pair.right.ty.class());
        a.is_null(row) || b.is_null(other) || order_at(a, row, b, other, classes, pair.collation).is_eq()
    })
}

impl Table {
    /// The right rows that may match a left row by its keys, in order.
    fn candidates<'t>(
        &'t self,
        plan: &Join,
        vectors: &[Vector],
        compared: &[Vector],
        row: usize,
        key: &mut Vec<u8>,
    ) -> std::borrow::Cow<'t, [u32]> {
        key.clear();
        if !append_key(vectors, &plan.keys, true, row, key) {
            return [].as_slice().into();
        }
        let rows = |rows: &'t Rows, key: &[u8]| rows.get(key).map_or(&[][..], Vec::as_slice);
        if plan.not_in.is_empty() {
            return rows(&self.by_key, key).into();
        }
        let plain = key.len();
        let sure = append_key(compared, &plan.not_in, true, row, key);
        let near = |list: &[u32]| -> Vec<u32> {
            let near = |other: &u32| may_be_in(&plan.not_in, compared, row, &self.compared, *other as usize);
            list.iter().copied().filter(near).collect()
        };
        if !sure {
            key.truncate(plain);
            return near(rows(&self.all, key)).into();
        }
        let equal = rows(&self.by_key, key);
        let unsure = near(rows(&self.unsure, key.get(..plain).unwrap_or(&[])));
        if unsure.is_empty() { equal.into() } else { [equal, &unsure].concat().into() }
    }
}

impl Operator for HashJoin<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if self.table.is_none() {
            self.table = Some(self.build(run)?);
        }
        let mut ready = Ready::new(self.plan);
        let mut key = Vec::new();
        loop {
            let (batch, vectors, compared, at) = match &mut self.pending {
                Some(pending) => pending,
                None => match self.left.next(run)? {
                    Some(batch) => {
                        let vectors = side(&self.plan.keys, true, &batch, run)?;
                        let compared = side(&self.plan.not_in, true, &batch, run)?;
                        self.pending.insert((batch, vectors, compared, 0))
                    }
                    None => break,
                },
            };
            if *at as usize >= batch.rows {
                ready.leave(batch)?;
                self.pending = None;
                if ready.rows > 0 {
                    break;
                }
                continue;
            }
            let row = *at;
            *at += 1;
            let Some(table) = &self.table else { break };
            let matches = table.candidates(self.plan, vectors, compared, row as usize, &mut key);
            let mut matched = false;
            if !self.plan.kind.gives_right() && self.plan.on.is_empty() {
                matched = !matches.is_empty();
            } else if let Some(rows) = &table.rows {
                for part in matches.chunks(MAX_ROWS) {
                    let positions = UInt32Array::from(part.to_vec());
                    let right = rows.clone().select(Some(&positions))?;
                    let pairs = pairs(self.plan, batch, row, &right, run)?;
                    if pairs.rows > 0 {
                        matched = true;
                        run.hold(0, "join")?;
                        if ready.matched(pairs) {
                            break;
                        }
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
