//! Filter, projection, and dropping columns.

use super::batch::Batch;
use super::pieces::Pieces;
use super::run::{Operator, Run};
use crate::error::SqlError;
use crate::expr::BoundExpr;
use crate::expr::eval::{Frame, evaluate_all, filter};

/// The rows for which all predicates are true.
pub struct Filter<'p> {
    input: Box<dyn Operator + 'p>,
    predicates: &'p [BoundExpr],
}

impl<'p> Filter<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, predicates: &'p [BoundExpr]) -> Filter<'p> {
        Filter { input, predicates }
    }
}

impl Operator for Filter<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        while let Some(batch) = self.input.next(run)? {
            let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
            let kept = filter(self.predicates, &frame, &mut run.eval())?;
            let batch = batch.select(kept.as_ref())?;
            if batch.rows > 0 {
                return Ok(Some(batch));
            }
            run.check()?;
        }
        Ok(None)
    }
}

/// One column per expression.
pub struct Project<'p> {
    input: Pieces<'p>,
    exprs: &'p [BoundExpr],
}

impl<'p> Project<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, exprs: &'p [BoundExpr]) -> Project<'p> {
        Project { input: Pieces::new(input, exprs), exprs }
    }
}

impl Operator for Project<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let Some(batch) = self.input.next(run)? else { return Ok(None) };
        let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
        let columns = evaluate_all(self.exprs, &frame, &mut run.eval())?;
        Ok(Some(Batch { columns, rows: batch.rows }))
    }
}

/// Only the first columns.
pub struct Narrow<'p> {
    input: Box<dyn Operator + 'p>,
    width: usize,
}

impl<'p> Narrow<'p> {
    /// Of an input.
    pub fn new(input: Box<dyn Operator + 'p>, width: usize) -> Narrow<'p> {
        Narrow { input, width }
    }
}

impl Operator for Narrow<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let Some(mut batch) = self.input.next(run)? else { return Ok(None) };
        batch.columns.truncate(self.width);
        Ok(Some(batch))
    }
}
