//! GROUP BY and aggregates by hashing.
//!
//! Every row's group key is made as bytes (equal for values that are equal under the collation) and looked
//! up; new keys get the next number. The aggregates then take the batch with its group numbers. The values
//! of the keys are those of each group's first row, so `GROUP BY name` shows the spelling that came first.
//! WITH ROLLUP every row also belongs to the groups by fewer keys; then the groups come in the order of the keys.

use hashbrown::{HashMap, HashSet};

use super::accumulator::Accumulator;
use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run};
use super::sort_key::append_value;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::eval::{Frame, evaluate};
use crate::plan::Aggregate;

/// Stands in a key for the columns that are rolled up: behind all values.
const ROLLED_UP: &[u8] = &[0xff];

/// Groups its input.
pub struct HashAggregate<'p> {
    input: Option<Box<dyn Operator + 'p>>,
    plan: &'p Aggregate,
    result: Option<(Batch, usize)>,
}

impl<'p> HashAggregate<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Aggregate) -> HashAggregate<'p> {
        HashAggregate { input: Some(input), plan, result: None }
    }

    fn group(&mut self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let plan = self.plan;
        let mut states: Vec<Accumulator> = plan.calls.iter().map(Accumulator::new).collect();
        let mut seen: Vec<HashSet<Box<[u8]>>> = plan.calls.iter().map(|_| HashSet::new()).collect();
        let mut numbers: HashMap<Box<[u8]>, u32> = HashMap::new();
        let mut key_parts: Vec<Vec<Vector>> = plan.keys.iter().map(|_| Vec::new()).collect();
        // The group of everything is there without rows too.
        let mut groups = usize::from(plan.scalar || plan.rollup);
        let mut order: Vec<Box<[u8]>> = Vec::new();
        if plan.rollup {
            order.push(ROLLED_UP.into());
            numbers.insert(ROLLED_UP.into(), 0);
        }
        let mut kept_keys: Vec<usize> = Vec::new();
        if plan.rollup {
            kept_keys.push(0);
            key_parts.iter_mut().for_each(|parts| parts.push(Vector::null(1)));
        }
        for (state, call) in states.iter_mut().zip(&plan.calls) {
            state.grow(groups, call);
        }
        let mut input = self.input.take();
        let mut key = Vec::new();
        while let Some(batch) = match &mut input {
            Some(input) => input.next(run)?,
            None => None,
        } {
            run.check()?;
            let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
            let mut keys = Vec::with_capacity(plan.keys.len());
            for expr in &plan.keys {
                keys.push(evaluate(expr, &frame, &mut run.eval())?);
            }
            // The numbers of each row's groups: one, or with ROLLUP one for each number of keys.
            let mut levels: Vec<Vec<u32>> = Vec::new();
            if plan.scalar {
                levels.push(vec![0; batch.rows]);
            }
            let fewest = if plan.rollup { 0 } else { plan.keys.len() };
            let mut held = 0;
            for level in (fewest..=plan.keys.len()).filter(|_| !plan.scalar) {
                let mut of_row = Vec::with_capacity(batch.rows);
                let mut fresh = Vec::new();
                for row in 0..batch.rows {
                    key.clear();
                    for (vector, expr) in keys.iter().zip(&plan.keys).take(level) {
                        append_value(&mut key, vector, row, expr.ty.class(), expr.ty.collation);
                    }
                    if level < plan.keys.len() {
                        key.extend_from_slice(ROLLED_UP);
                    }
                    of_row.push(match numbers.get(key.as_slice()) {
                        Some(number) => *number,
                        None => {
                            let number = groups as u32;
                            groups += 1;
                            held += key.len() + 64;
                            numbers.insert(key.as_slice().into(), number);
                            fresh.push(row as u32);
                            if plan.rollup {
                                held += key.len() + 24;
                                order.push(key.as_slice().into());
                                kept_keys.push(level);
                            }
                            number
                        }
                    });
                }
                if !fresh.is_empty() {
                    let fresh = fresh.into();
                    for (at, (vector, parts)) in keys.iter().zip(&mut key_parts).enumerate() {
                        let taken = if at < level { vector.take(&fresh)? } else { Vector::null(fresh.len()) };
                        held += taken.memory();
                        parts.push(taken);
                    }
                }
                levels.push(of_row);
            }
            run.hold(held, "GROUP BY")?;
            for ((state, call), seen) in states.iter_mut().zip(&plan.calls).zip(&mut seen) {
                state.grow(groups, call);
                let mut args = Vec::with_capacity(call.args.len());
                for arg in &call.args {
                    args.push(evaluate(arg, &frame, &mut run.eval())?);
                }
                for of_row in &levels {
                    let mut held = 0;
                    let keep = if call.distinct {
                        let mut keep = Vec::with_capacity(batch.rows);
                        for (row, group) in of_row.iter().enumerate() {
                            key.clear();
                            key.extend_from_slice(&group.to_be_bytes());
                            let parts = call.parts();
                            for (vector, expr) in args.iter().zip(&call.args).take(parts) {
                                append_value(&mut key, vector, row, expr.ty.class(), expr.ty.collation);
                            }
                            let fresh = !seen.contains(key.as_slice());
                            if fresh {
                                held += key.len() + 48;
                                seen.insert(key.as_slice().into());
                            }
                            keep.push(fresh);
                        }
                        Some(keep)
                    } else {
                        None
                    };
                    held += state.update(call, &args, of_row, keep.as_deref())?;
                    run.hold(held, "aggregates")?;
                }
            }
        }
        let mut columns = Vec::with_capacity(plan.width());
        for parts in &key_parts {
            columns.push(if parts.is_empty() { Vector::null(groups) } else { Vector::concat(parts)? });
        }
        if plan.rollup {
            columns.push(Vector::ints(kept_keys.iter().map(|n| *n as i64).collect(), None));
        }
        for (state, call) in states.into_iter().zip(&plan.calls) {
            let (vector, cut) = state.finish(call, groups)?;
            for row in cut {
                run.context.eval.session.warn(&SqlError::cut_group_concat(row));
            }
            columns.push(vector);
        }
        let batch = Batch { columns, rows: groups };
        if !plan.rollup {
            return Ok(batch);
        }
        // Each group is followed by the one that it is rolled up into.
        let mut places: Vec<u32> = (0..groups as u32).collect();
        places.sort_unstable_by(|a, b| order.get(*a as usize).cmp(&order.get(*b as usize)));
        batch.select(Some(&places.into()))
    }
}

impl Operator for HashAggregate<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (batch, at) = match &mut self.result {
            Some(result) => result,
            None => {
                let batch = self.group(run)?;
                self.result.insert((batch, 0))
            }
        };
        if *at >= batch.rows {
            return Ok(None);
        }
        let part = batch.slice(*at, MAX_ROWS);
        *at += part.rows;
        Ok(Some(part))
    }
}
