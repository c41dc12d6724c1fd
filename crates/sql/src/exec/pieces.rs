//! Few rows at a time, for expressions that make long texts of short ones.
//!
//! REPEAT, SPACE, LPAD and RPAD give as many bytes as they are asked for, up to a packet, for each row. Of a batch of a thousand
//! rows that would be more than any memory; of [`FEW`] it is a few packets. What reads texts from tables has batches that are cut
//! by their bytes already.

use super::batch::Batch;
use super::run::{Operator, Run};
use crate::error::SqlError;
use crate::expr::BoundExpr;
use crate::expr::eval::FEW;

/// The rows of an input, few at a time.
struct Pieces<'p> {
    input: Box<dyn Operator + 'p>,
    batch: Option<Batch>,
    at: usize,
}

/// `input`, in pieces where one of the expressions over it needs them.
pub fn of_input<'p, 'e>(
    input: Box<dyn Operator + 'p>,
    exprs: impl IntoIterator<Item = &'e BoundExpr>,
) -> Box<dyn Operator + 'p> {
    match exprs.into_iter().any(BoundExpr::makes_long_texts) {
        true => Box::new(Pieces { input, batch: None, at: 0 }),
        false => input,
    }
}

impl Operator for Pieces<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
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
