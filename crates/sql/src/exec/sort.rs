//! ORDER BY: the rows of the input by sort keys.
//!
//! A known limit keeps no more rows than it needs. What does not fit into memory is sorted in a temporary file
//! ([`super::spill::sort`]). Rows with equal keys stay in the order they came.

use super::batch::{Batch, Slices};
use super::morsel::Gather;
use super::run::{Operator, Run};
use super::spill::sort::{Sorted, Sorter};
use crate::error::SqlError;
use crate::plan::{Plan, RowLimit, SortKey};

/// Sorts its input.
pub struct Sort<'p> {
    input: &'p Plan,
    keys: &'p [SortKey],
    limit: Option<&'p RowLimit>,
    sorted: Option<InParts>,
}

impl<'p> Sort<'p> {
    /// Over an input.
    pub fn new(input: &'p Plan, keys: &'p [SortKey], limit: Option<&'p RowLimit>) -> Sort<'p> {
        Sort { input, keys, limit, sorted: None }
    }

    fn collect(&mut self, run: &mut Run<'_, '_>) -> Result<Sorted, SqlError> {
        let keep = match self.limit {
            Some(limit) => {
                let params = run.context.eval.params;
                let rows = limit.offset.resolve(params)?.saturating_add(limit.count.resolve(params)?);
                usize::try_from(rows).unwrap_or(usize::MAX)
            }
            None => usize::MAX,
        };
        let mut sorter = Sorter::new(self.keys, keep, run);
        let mut input = Gather::sorted(self.input, self.keys, keep);
        while let Some(batch) = input.next(run)? {
            match input.gives_pieces() {
                true => sorter.push_sorted(batch, run)?,
                false => sorter.push(batch, run)?,
            }
            run.check()?;
        }
        sorter.finish(run)
    }
}

impl Operator for Sort<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let sorted = match &mut self.sorted {
            Some(sorted) => sorted,
            None => {
                let sorted = InParts::new(self.collect(run)?);
                self.sorted.insert(sorted)
            }
        };
        sorted.next(run)
    }
}

/// Sorted rows in batches of the common size.
pub struct InParts {
    sorted: Sorted,
    current: Slices,
}

impl InParts {
    /// Of these.
    pub fn new(sorted: Sorted) -> InParts {
        InParts { sorted, current: Slices::default() }
    }

    /// The next batch.
    pub fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            if let Some(part) = self.current.next() {
                return Ok(Some(part));
            }
            run.check()?;
            let Some(batch) = self.sorted.read()? else { return Ok(None) };
            self.current.put(batch);
        }
    }
}
