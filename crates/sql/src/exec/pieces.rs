//! Few rows at a time, for expressions that make long strings ([`crate::expr::long`]) which then stay in a batch.

use super::batch::Batch;
use super::run::{Operator, Run};
use crate::error::SqlError;
use crate::expr::BoundExpr;
use crate::expr::long::FEW;

/// Whether some of these expressions make long strings with the values at hand.
pub fn make_long_strings<'e>(exprs: impl IntoIterator<Item = &'e BoundExpr>, run: &mut Run<'_, '_>) -> bool {
    let (around, context) = (run.subqueries, run.eval());
    exprs.into_iter().any(|expr| expr.makes_long_strings(Some(around), &context))
}

/// The rows of an input, few at a time if expressions over them make long strings.
pub struct Pieces<'p> {
    input: Box<dyn Operator + 'p>,
    /// Those that may make some; none once it is known that they do not.
    exprs: Vec<&'p BoundExpr>,
    /// Whether they do is known.
    known: bool,
    batch: Option<Batch>,
    at: usize,
}

impl<'p> Pieces<'p> {
    /// Of an input that these expressions will be evaluated over.
    pub fn new(input: Box<dyn Operator + 'p>, exprs: impl IntoIterator<Item = &'p BoundExpr>) -> Pieces<'p> {
        let exprs = exprs.into_iter().filter(|expr| expr.may_make_long_strings()).collect();
        Pieces { input, exprs, known: false, batch: None, at: 0 }
    }
}

impl Operator for Pieces<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if !self.known && !self.exprs.is_empty() {
            let around = run.subqueries;
            let context = run.eval();
            self.exprs.retain(|expr| expr.makes_long_strings(Some(around), &context));
            self.known = true;
        }
        if self.exprs.is_empty() {
            return self.input.next(run);
        }
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.at < batch.rows) {
                run.check()?;
                let piece = batch.slice(self.at, FEW);
                self.at += FEW;
                return Ok(Some(piece));
            }
            (self.batch, self.at) = (self.input.next(run)?, 0);
            if self.batch.is_none() {
                return Ok(None);
            }
        }
    }
}
