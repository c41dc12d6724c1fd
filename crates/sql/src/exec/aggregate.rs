//! GROUP BY and aggregates by hashing.
//!
//! Every row's group key is made as bytes (equal for values that are equal under the collation) and looked
//! up; new keys get the next number. The aggregates then take the batch with its group numbers. The values
//! of the keys are those of each group's first row, so `GROUP BY name` shows the spelling that came first.

use hashbrown::{HashMap, HashSet};

use super::accumulator::Accumulator;
use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run};
use super::sort_key::append_value;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::eval::{Frame, evaluate};
use crate::plan::Aggregate;

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
        let mut groups = usize::from(plan.scalar);
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
            let mut of_row = vec![0u32; batch.rows];
            if !plan.scalar {
                let mut keys = Vec::with_capacity(plan.keys.len());
                for expr in &plan.keys {
                    keys.push(evaluate(expr, &frame, &mut run.eval())?);
                }
                let mut fresh = Vec::new();
                let mut held = 0;
                for (row, slot) in of_row.iter_mut().enumerate() {
                    key.clear();
                    for (vector, expr) in keys.iter().zip(&plan.keys) {
                        append_value(&mut key, vector, row, expr.ty.class(), expr.ty.collation);
                    }
                    *slot = match numbers.get(key.as_slice()) {
                        Some(number) => *number,
                        None => {
                            let number = groups as u32;
                            groups += 1;
                            held += key.len() + 64;
                            numbers.insert(key.as_slice().into(), number);
                            fresh.push(row as u32);
                            number
                        }
                    };
                }
                if !fresh.is_empty() {
                    let fresh = fresh.into();
                    for (vector, parts) in keys.iter().zip(&mut key_parts) {
                        let taken = vector.take(&fresh)?;
                        held += taken.memory();
                        parts.push(taken);
                    }
                }
                run.hold(held, "GROUP BY")?;
            }
            for ((state, call), seen) in states.iter_mut().zip(&plan.calls).zip(&mut seen) {
                state.grow(groups, call);
                let mut args = Vec::with_capacity(call.args.len());
                for arg in &call.args {
                    args.push(evaluate(arg, &frame, &mut run.eval())?);
                }
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
                held += state.update(call, &args, &of_row, keep.as_deref())?;
                run.hold(held, "aggregates")?;
            }
        }
        let mut columns = Vec::with_capacity(plan.keys.len() + plan.calls.len());
        for parts in &key_parts {
            columns.push(if parts.is_empty() { Vector::null(groups) } else { Vector::concat(parts)? });
        }
        for (state, call) in states.into_iter().zip(&plan.calls) {
            let (vector, cut) = state.finish(call, groups)?;
            if cut {
                let warning = SqlError::new(1260, b"HY000", "Row 1 was cut by GROUP_CONCAT()");
                run.context.eval.session.warn(&warning);
            }
            columns.push(vector);
        }
        Ok(Batch { columns, rows: groups })
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
