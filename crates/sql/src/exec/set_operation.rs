//! UNION, EXCEPT and INTERSECT.
//!
//! A chain of UNION ALL streams. Everything else counts rows by their bytes: the result so far is a list of
//! rows, and each operator makes the next one from it.

use arrow_array::UInt32Array;
use hashbrown::HashMap;

use super::batch::{Batch, MAX_ROWS};
use super::distinct::row_key;
use super::run::{Operator, Run, open};
use crate::error::SqlError;
use crate::plan::set_operation::{Operator as SetOperator, SetOperation};

/// Evaluates a chain.
pub struct SetOperations<'p> {
    plan: &'p SetOperation,
    /// The operand that is streamed, and its input.
    streaming: Option<(usize, Box<dyn Operator + 'p>)>,
    result: Option<(Batch, usize)>,
    streams: bool,
}

impl<'p> SetOperations<'p> {
    /// Of a plan.
    pub fn new(plan: &'p SetOperation) -> SetOperations<'p> {
        let streams = plan
            .inputs
            .iter()
            .all(|i| matches!(i.operator, SetOperator::First | SetOperator::Union) && i.all);
        let streaming = plan.inputs.first().filter(|_| streams).map(|i| (0, open(&i.plan)));
        SetOperations { plan, streaming, result: None, streams }
    }

    fn rows_of(&self, at: usize, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let mut batches = Vec::new();
        let Some(input) = self.plan.inputs.get(at) else { return Ok(empty(0)) };
        let mut operator = open(&input.plan);
        while let Some(batch) = operator.next(run)? {
            run.hold(batch.memory(), "set operation")?;
            batches.push(batch);
            run.check()?;
        }
        if batches.is_empty() { Ok(empty(self.plan.types.len())) } else { Batch::concat(&batches) }
    }

    fn count(&self, batch: &Batch, run: &mut Run<'_, '_>) -> Result<HashMap<Vec<u8>, usize>, SqlError> {
        let mut counts = HashMap::new();
        let mut key = Vec::new();
        for row in 0..batch.rows {
            row_key(batch, row, &self.plan.types, &mut key);
            run.hold(key.len() + 48, "set operation")?;
            *counts.entry(key.clone()).or_insert(0) += 1;
        }
        Ok(counts)
    }

    fn evaluate(&self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let mut held = self.rows_of(0, run)?;
        let mut key = Vec::new();
        for at in 1..self.plan.inputs.len() {
            let Some(input) = self.plan.inputs.get(at) else { break };
            let other = self.rows_of(at, run)?;
            let joined = if input.operator == SetOperator::Union { join(held, &other)? } else { held };
            let mut counts = self.count(&other, run)?;
            let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
            let mut kept = Vec::new();
            for row in 0..joined.rows {
                row_key(&joined, row, &self.plan.types, &mut key);
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
                run.hold(key.len() + 48, "set operation")?;
                seen.insert(key.clone(), 1);
            }
            held = joined.select(Some(&UInt32Array::from(kept)))?;
        }
        Ok(held)
    }
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
            while let Some((at, input)) = &mut self.streaming {
                if let Some(batch) = input.next(run)? {
                    return Ok(Some(batch));
                }
                let next = *at + 1;
                self.streaming = self.plan.inputs.get(next).map(|i| (next, open(&i.plan)));
            }
            return Ok(None);
        }
        if self.result.is_none() {
            let batch = self.evaluate(run)?;
            self.result = Some((batch, 0));
        }
        let Some((batch, at)) = &mut self.result else { return Ok(None) };
        if *at >= batch.rows {
            return Ok(None);
        }
        let part = batch.slice(*at, MAX_ROWS);
        *at += part.rows;
        Ok(Some(part))
    }
}
