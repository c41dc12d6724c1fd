//! UNION, EXCEPT and INTERSECT.
//!
//! UNION streams: the operands one after the other, each row once as far as the last UNION that says DISTINCT, all rows
//! behind it. The others count rows by their bytes: the operands are collected, and each operator makes the next list
//! of rows from the one before. Operands that are too large for that are dealt into parts by the hash of their rows
//! ([`super::spill::parts`]), and the chain is evaluated for each part: equal rows are in the same one.

use std::sync::Arc;

use arrow_array::UInt32Array;
use hashbrown::HashMap;

use super::batch::{Batch, Slices};
use super::distinct::{Once, row_key};
use super::run::{Operator, Run, open};
use super::spill::parts::{Dealer, FANOUT, Parts};
use super::spill::rows::{Cursor, Rows, Space};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::plan::set_operation::{Operator as SetOperator, SetOperation};

const PURPOSE: &str = "set operation";
/// How often the parts of parts are dealt out again; rows that are still too many are the same few rows.
const MOST_LEVELS: u32 = 8;

/// Evaluates a chain.
pub struct SetOperations<'p> {
    plan: &'p SetOperation,
    /// The operand that is streamed, and its input.
    streaming: Option<(usize, Box<dyn Operator + 'p>)>,
    /// Of the operands before this one every row is given once.
    distinct: usize,
    once: Option<Once<'p>>,
    counted: Option<Counted>,
    streams: bool,
}

impl<'p> SetOperations<'p> {
    /// Of a plan.
    pub fn new(plan: &'p SetOperation) -> SetOperations<'p> {
        let unites = |operator: &SetOperator| matches!(operator, SetOperator::First | SetOperator::Union);
        let streams = plan.inputs.iter().all(|i| unites(&i.operator));
        let last_distinct =
            plan.inputs.iter().rposition(|i| matches!(i.operator, SetOperator::Union) && !i.all);
        let streaming = plan.inputs.first().filter(|_| streams).map(|i| (0, open(&i.plan)));
        SetOperations {
            plan,
            streaming,
            distinct: last_distinct.map_or(0, |at| at + 1),
            once: last_distinct.map(|_| Once::new(&plan.types)),
            counted: None,
            streams,
        }
    }

    fn stream(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            if self.streaming.as_ref().is_none_or(|(at, _)| *at >= self.distinct)
                && let Some(once) = &mut self.once
            {
                // What had to wait of the operands whose rows are given once.
                if let Some(batch) = once.rest(run)? {
                    return Ok(Some(batch));
                }
                self.once = None;
            }
            let Some((at, input)) = &mut self.streaming else { return Ok(None) };
            let Some(batch) = input.next(run)? else {
                let next = *at + 1;
                self.streaming = self.plan.inputs.get(next).map(|i| (next, open(&i.plan)));
                continue;
            };
            run.check()?;
            match &mut self.once {
                None => return Ok(Some(batch)),
                Some(once) => {
                    if let Some(batch) = once.take(batch, run)? {
                        return Ok(Some(batch));
                    }
                }
            }
        }
    }
}

/// Work on collected operands.
struct Counted {
    reservation: Arc<Reservation>,
    space: Space,
    dealer: Dealer,
    /// Lists of operands to be evaluated, each with its level.
    left: Vec<(Vec<Rows>, u32)>,
    result: Slices,
}

impl Counted {
    fn collect(plan: &SetOperation, run: &mut Run<'_, '_>) -> Result<Counted, SqlError> {
        let reservation = Arc::new(run.context.memory.reserve());
        let space = Space::of(run);
        let mut operands = Vec::with_capacity(plan.inputs.len());
        for input in &plan.inputs {
            let mut rows = Rows::within(plan.types.len(), PURPOSE, Arc::clone(&reservation), space.clone());
            let mut operator = open(&input.plan);
            while let Some(batch) = operator.next(run)? {
                rows.push(batch)?;
                run.check()?;
            }
            rows.end()?;
            operands.push(rows);
        }
        let left = vec![(operands, 0)];
        Ok(Counted { reservation, space, dealer: Dealer::default(), left, result: Slices::default() })
    }

    /// The next result that has rows.
    fn next(&mut self, plan: &SetOperation, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        while let Some((operands, level)) = self.left.pop() {
            run.check()?;
            // The operands, their result and the keys of both are held at the same time.
            let bytes: u64 = operands.iter().map(Rows::bytes).sum();
            let needed = usize::try_from(bytes.saturating_mul(3)).unwrap_or(usize::MAX);
            let fits = self.reservation.grow(needed);
            if !fits && level < MOST_LEVELS {
                self.deal(plan, operands, level, run)?;
                continue;
            }
            if !fits {
                self.reservation.require(needed, PURPOSE)?;
            }
            let found = evaluate(plan, &operands, run);
            drop(operands);
            self.reservation.shrink(needed);
            let found = found?;
            if found.rows > 0 {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn deal(
        &mut self,
        plan: &SetOperation,
        operands: Vec<Rows>,
        level: u32,
        run: &mut Run<'_, '_>,
    ) -> Result<(), SqlError> {
        let mut lists: Vec<Vec<Rows>> = (0..FANOUT).map(|_| Vec::new()).collect();
        let mut key = Vec::new();
        for rows in operands {
            let mut parts = Parts::new(rows.width(), PURPOSE, &self.reservation, &self.space)?;
            let mut cursor = Cursor::default();
            while let Some(batch) = rows.read(&mut cursor, u64::MAX)? {
                for row in 0..batch.rows {
                    row_key(&batch, row, &plan.types, &mut key);
                    parts.choose(self.dealer.part(&key, level), row as u32);
                }
                parts.take(&batch)?;
                run.check()?;
            }
            for (list, part) in lists.iter_mut().zip(parts.finish()?) {
                list.push(part);
            }
        }
        // The last one is taken first.
        self.left.extend(lists.into_iter().rev().map(|list| (list, level + 1)));
        Ok(())
    }
}

fn count(batch: &Batch, plan: &SetOperation) -> HashMap<Vec<u8>, usize> {
    let mut counts = HashMap::new();
    let mut key = Vec::new();
    for row in 0..batch.rows {
        row_key(batch, row, &plan.types, &mut key);
        match counts.get_mut(key.as_slice()) {
            Some(count) => *count += 1,
            None => drop(counts.insert(key.clone(), 1)),
        }
    }
    counts
}

/// The chain over operands that fit into memory.
fn evaluate(plan: &SetOperation, operands: &[Rows], run: &Run<'_, '_>) -> Result<Batch, SqlError> {
    let mut held = operands.first().map(Rows::all).transpose()?.unwrap_or_else(|| empty(0));
    let mut key = Vec::new();
    for (input, other) in plan.inputs.iter().zip(operands).skip(1) {
        let other = other.all()?;
        let joined = if input.operator == SetOperator::Union { join(held, &other)? } else { held };
        let mut counts = count(&other, plan);
        run.check()?;
        let mut seen: HashMap<Vec<u8>, ()> = HashMap::new();
        let mut kept = Vec::new();
        for row in 0..joined.rows {
            row_key(&joined, row, &plan.types, &mut key);
            let first = !seen.contains_key(&key);
            if !input.all && !first {
                continue;
            }
            let there = counts.get(&key).copied().unwrap_or(0);
            let keep = match input.operator {
                SetOperator::First | SetOperator::Union => true,
                SetOperator::Except => there == 0,
                SetOperator::Intersect => there > 0,
            };
            if input.all && there > 0 && input.operator != SetOperator::Union {
                // Each row of the operand answers for one.
                counts.insert(key.clone(), there - 1);
            }
            if keep {
                kept.push(row as u32);
            }
            if !input.all {
                seen.insert(key.clone(), ());
            }
        }
        held = joined.select(Some(&UInt32Array::from(kept)))?;
    }
    Ok(held)
}

fn empty(width: usize) -> Batch {
    Batch { columns: (0..width).map(|_| crate::expr::Vector::null(0)).collect(), rows: 0 }
}

fn join(a: Batch, b: &Batch) -> Result<Batch, SqlError> {
    if a.rows == 0 {
        return Ok(b.clone());
    }
    if b.rows == 0 {
        return Ok(a);
    }
    Batch::concat(&[a, b.clone()])
}

impl Operator for SetOperations<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if self.streams {
            return self.stream(run);
        }
        let counted = match &mut self.counted {
            Some(counted) => counted,
            None => self.counted.insert(Counted::collect(self.plan, run)?),
        };
        loop {
            if let Some(part) = counted.result.next() {
                return Ok(Some(part));
            }
            let Some(batch) = counted.next(self.plan, run)? else { return Ok(None) };
            counted.result.put(batch);
        }
    }
}
