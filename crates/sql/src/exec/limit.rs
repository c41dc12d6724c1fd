//! LIMIT and OFFSET.

use super::batch::Batch;
use super::run::{Operator, Run};
use crate::error::SqlError;
use crate::plan::RowLimit;

/// Some rows of an input.
pub struct Limit<'p> {
    input: Box<dyn Operator + 'p>,
    limit: &'p RowLimit,
    /// Rows behind the limit are counted.
    counts: bool,
    /// Rows still to skip and to give, once it has begun.
    left: Option<(u64, u64)>,
    /// Rows of the last batch behind the limit.
    rest: u64,
}

impl<'p> Limit<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, limit: &'p RowLimit, counts: bool) -> Limit<'p> {
        Limit { input, limit, counts, left: None, rest: 0 }
    }
}

impl Operator for Limit<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (mut skip, mut give) = match self.left {
            Some(left) => left,
            None => {
                let params = run.context.eval.params;
                (self.limit.offset.resolve(params)?, self.limit.count.resolve(params)?)
            }
        };
        let found = loop {
            if give == 0 {
                break None;
            }
            let Some(batch) = self.input.next(run)? else { break None };
            let rows = batch.rows as u64;
            if skip >= rows {
                skip -= rows;
                continue;
            }
            let from = usize::try_from(skip).unwrap_or(batch.rows);
            skip = 0;
            let count = usize::try_from(give).unwrap_or(usize::MAX).min(batch.rows - from);
            give -= count as u64;
            self.rest = (batch.rows - from - count) as u64;
            break Some(if from == 0 && count == batch.rows { batch } else { batch.slice(from, count) });
        };
        if self.counts && (found.is_none() || give == 0) && self.left.is_none_or(|(_, before)| before > 0) {
            // FOUND_ROWS() counts the skipped rows too.
            run.cut_off += self.limit.offset.resolve(run.context.eval.params)?.saturating_sub(skip);
            run.cut_off += self.rest;
            while let Some(batch) = self.input.next(run)? {
                run.cut_off += batch.rows as u64;
                run.check()?;
            }
        }
        self.left = Some((skip, if found.is_none() { 0 } else { give }));
        Ok(found)
    }
}
