//! DISTINCT: every row once, in the order of first appearance.

use arrow_array::UInt32Array;
use hashbrown::HashSet;

use super::batch::Batch;
use super::run::{Operator, Run};
use super::sort_key::{append_last, append_value};
use crate::error::SqlError;
use crate::expr::types::ExprType;

/// Leaves out rows that were there before.
pub struct Distinct<'p> {
    input: Box<dyn Operator + 'p>,
    types: &'p [ExprType],
    seen: HashSet<Box<[u8]>>,
}

impl<'p> Distinct<'p> {
    /// Over an input; columns beyond the types do not count.
    pub fn new(input: Box<dyn Operator + 'p>, types: &'p [ExprType]) -> Distinct<'p> {
        Distinct { input, types, seen: HashSet::new() }
    }
}

/// The bytes by which a row is known.
pub fn row_key(batch: &Batch, row: usize, types: &[ExprType], out: &mut Vec<u8>) {
    out.clear();
    let mut columns = batch.columns.iter().zip(types).peekable();
    while let Some((column, ty)) = columns.next() {
        // Nothing follows the last one that it could be confused with.
        if columns.peek().is_none() {
            append_last(out, column, row, ty.class(), ty.collation);
        } else {
            append_value(out, column, row, ty.class(), ty.collation);
        }
    }
}

impl Operator for Distinct<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let mut key = Vec::new();
        while let Some(batch) = self.input.next(run)? {
            let mut fresh = Vec::new();
            for row in 0..batch.rows {
                row_key(&batch, row, self.types, &mut key);
                if !self.seen.contains(key.as_slice()) {
                    run.hold(key.len() + 48, "DISTINCT")?;
                    self.seen.insert(key.as_slice().into());
                    fresh.push(row as u32);
                }
            }
            if fresh.len() == batch.rows {
                return Ok(Some(batch));
            }
            if !fresh.is_empty() {
                return Ok(Some(batch.select(Some(&UInt32Array::from(fresh)))?));
            }
            run.check()?;
        }
        Ok(None)
    }
}
