//! Joins: index lookups for every left row, or a hash table (or plain list) of the right side.
//!
//! Both keep the order of the left side. What ON says beyond keys is tested on pairs; a left row of an
//! outer join that no pair satisfies appears once with NULLs. The right side of a hash join is held in
//! memory under the statement's grant.

use arrow_array::UInt32Array;
use hashbrown::HashMap;

use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run, open};
use super::scan::TableScan;
use super::sort_key::append_value;
use super::subquery::{Subquery, Surroundings, states};
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate, filter};
use crate::expr::{BoundExpr, Vector};
use crate::plan::{Join, JoinKey, Plan, SelectPlan};

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
        let mut found: Vec<Batch> = Vec::new();
        let mut rows = 0;
        loop {
            let (batch, at) = match &mut self.current {
                Some(current) => current,
                None => match self.left.next(run)? {
                    Some(batch) => self.current.insert((batch, 0)),
                    None => break,
                },
            };
            if *at as usize >= batch.rows {
                self.current = None;
                if rows > 0 {
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
                    rows += pairs.rows;
                    found.push(pairs);
                }
            }
            if !matched && self.plan.outer {
                rows += 1;
                found.push(lonely(self.plan, batch, row)?);
            }
            if rows >= MAX_ROWS {
                break;
            }
            run.check()?;
        }
        if found.is_empty() { Ok(None) } else { Ok(Some(Batch::concat(&found)?)) }
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
        let mut found: Vec<Batch> = Vec::new();
        let mut rows = 0;
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
                self.current = None;
                if rows > 0 {
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
                    rows += pairs.rows;
                    found.push(pairs);
                }
            }
            if !matched && self.plan.outer {
                rows += 1;
                found.push(lonely(self.plan, batch, row)?);
            }
            if rows >= MAX_ROWS {
                break;
            }
            run.check()?;
        }
        if found.is_empty() { Ok(None) } else { Ok(Some(Batch::concat(&found)?)) }
    }
}

/// The right side of a hash join.
struct Table {
    rows: Batch,
    /// Rows by key; everything under the empty key when there are none.
    by_key: HashMap<Box<[u8]>, Vec<u32>>,
}

/// Finds the right rows in a hash table.
struct HashJoin<'p> {
    plan: &'p Join,
    left: Box<dyn Operator + 'p>,
    right: Option<Box<dyn Operator + 'p>>,
    table: Option<Table>,
    /// The left batch, its keys, and the next row.
    pending: Option<(Batch, Vec<Vector>, u32)>,
}

/// The bytes of a row's join keys; None if one is NULL, which equals nothing.
fn join_key(vectors: &[Vector], keys: &[JoinKey], left: bool, row: usize, out: &mut Vec<u8>) -> bool {
    out.clear();
    for (vector, key) in vectors.iter().zip(keys) {
        if vector.is_null(row) {
            return false;
        }
        let side = if left { &key.left } else { &key.right };
        append_value(out, vector, row, side.ty.class(), key.collation);
    }
    true
}

impl HashJoin<'_> {
    fn build(&mut self, run: &mut Run<'_, '_>) -> Result<Table, SqlError> {
        let mut batches = Vec::new();
        let mut table = HashMap::new();
        let mut base = 0u32;
        let mut key = Vec::new();
        let mut right = self.right.take();
        while let Some(batch) = match &mut right {
            Some(right) => right.next(run)?,
            None => None,
        } {
            run.hold(batch.memory(), "join")?;
            let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
            let mut vectors = Vec::with_capacity(self.plan.keys.len());
            for join_key in &self.plan.keys {
                vectors.push(evaluate(&join_key.right, &frame, &mut run.eval())?);
            }
            let mut held = 0;
            for row in 0..batch.rows {
                if join_key(&vectors, &self.plan.keys, false, row, &mut key) {
                    held += 4;
                    match table.get_mut(key.as_slice()) {
                        Some(rows) => {
                            let rows: &mut Vec<u32> = rows;
                            rows.push(base + row as u32);
                        }
                        None => {
                            held += key.len() + 64;
                            table.insert(key.as_slice().into(), vec![base + row as u32]);
                        }
                    }
                }
            }
            run.hold(held, "join")?;
            base += batch.rows as u32;
            batches.push(batch);
            run.check()?;
        }
        let rows = if batches.is_empty() {
            let columns = self.plan.right_types.iter().map(|_| Vector::null(0)).collect();
            Batch { columns, rows: 0 }
        } else {
            Batch::concat(&batches)?
        };
        Ok(Table { rows, by_key: table })
    }
}

impl Operator for HashJoin<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if self.table.is_none() {
            self.table = Some(self.build(run)?);
        }
        let mut found: Vec<Batch> = Vec::new();
        let mut rows = 0;
        let mut key = Vec::new();
        loop {
            let (batch, vectors, at) = match &mut self.pending {
                Some(pending) => pending,
                None => match self.left.next(run)? {
                    Some(batch) => {
                        let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
                        let mut vectors = Vec::with_capacity(self.plan.keys.len());
                        for join_key in &self.plan.keys {
                            vectors.push(evaluate(&join_key.left, &frame, &mut run.eval())?);
                        }
                        self.pending.insert((batch, vectors, 0))
                    }
                    None => break,
                },
            };
            if *at as usize >= batch.rows {
                self.pending = None;
                if rows > 0 {
                    break;
                }
                continue;
            }
            let row = *at;
            *at += 1;
            let Some(table) = &self.table else { break };
            let matches = if join_key(vectors, &self.plan.keys, true, row as usize, &mut key) {
                table.by_key.get(key.as_slice())
            } else {
                None
            };
            let mut matched = false;
            for part in matches.map_or(&[][..], Vec::as_slice).chunks(MAX_ROWS) {
                let positions = UInt32Array::from(part.to_vec());
                let right = table.rows.clone().select(Some(&positions))?;
                let pairs = pairs(self.plan, batch, row, &right, run)?;
                if pairs.rows > 0 {
                    matched = true;
                    rows += pairs.rows;
                    run.hold(0, "join")?;
                    found.push(pairs);
                }
            }
            if !matched && self.plan.outer {
                rows += 1;
                found.push(lonely(self.plan, batch, row)?);
            }
            if rows >= MAX_ROWS {
                break;
            }
            run.check()?;
        }
        if found.is_empty() { Ok(None) } else { Ok(Some(Batch::concat(&found)?)) }
    }
}
