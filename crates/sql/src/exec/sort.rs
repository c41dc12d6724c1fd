//! ORDER BY: rows by sort keys, all keys in one arena.
//!
//! The input is collected as it comes; of every row only its sort key is made, as bytes whose order is the
//! wanted one, and rows are sorted as numbers with the key's place. A known limit keeps no more rows than
//! it needs: when twice as many are held, the rest is dropped. Rows with equal keys stay in the order they
//! came.

use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run};
use super::sort_key::append_sorted;
use crate::error::SqlError;
use crate::plan::{RowLimit, SortKey};

/// Sorts its input.
pub struct Sort<'p> {
    input: Box<dyn Operator + 'p>,
    keys: &'p [SortKey],
    limit: Option<&'p RowLimit>,
    sorted: Option<(Batch, usize)>,
}

impl<'p> Sort<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, keys: &'p [SortKey], limit: Option<&'p RowLimit>) -> Sort<'p> {
        Sort { input, keys, limit, sorted: None }
    }

    fn collect(&mut self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let keep = match self.limit {
            Some(limit) => {
                let params = run.context.eval.params;
                let rows = limit.offset.resolve(params)?.saturating_add(limit.count.resolve(params)?);
                usize::try_from(rows).unwrap_or(usize::MAX)
            }
            None => usize::MAX,
        };
        let mut batches: Vec<Batch> = Vec::new();
        let mut held = 0;
        let mut rows = 0;
        while let Some(batch) = self.input.next(run)? {
            let bytes = batch.memory();
            run.hold(bytes, "sort")?;
            held += bytes;
            rows += batch.rows;
            batches.push(batch);
            if keep < usize::MAX / 2 && rows > (keep * 2).max(MAX_ROWS) {
                let kept = self.order(&batches, keep, run)?;
                run.release(held);
                held = kept.memory();
                run.hold(held, "sort")?;
                rows = kept.rows;
                batches = vec![kept];
            }
            run.check()?;
        }
        if rows == 0 || keep == 0 {
            return Ok(Batch { columns: Vec::new(), rows: 0 });
        }
        self.order(&batches, keep, run)
    }

    /// The first rows of some batches, in order.
    fn order(&self, batches: &[Batch], keep: usize, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let all = Batch::concat(batches)?;
        let mut arena: Vec<u8> = Vec::with_capacity(all.rows * 16);
        let mut places: Vec<(u32, u32, u32)> = Vec::with_capacity(all.rows);
        for row in 0..all.rows {
            let start = arena.len();
            for (at, key) in self.keys.iter().enumerate() {
                if let Some(column) = all.columns.get(key.column) {
                    let last = at + 1 == self.keys.len();
                    append_sorted(&mut arena, column, row, &key.ty, key.descending, last);
                }
            }
            let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(arena.len())) else {
                return Err(SqlError::new(
                    1038,
                    b"HY001",
                    "Out of sort memory, consider increasing server sort buffer size",
                ));
            };
            places.push((start, end, row as u32));
        }
        run.hold(arena.len(), "sort")?;
        let key = |place: &(u32, u32, u32)| arena.get(place.0 as usize..place.1 as usize).unwrap_or(&[]);
        let by_key = |a: &(u32, u32, u32), b: &(u32, u32, u32)| key(a).cmp(key(b)).then(a.2.cmp(&b.2));
        if keep < places.len() {
            if keep > 0 {
                places.select_nth_unstable_by(keep - 1, by_key);
            }
            places.truncate(keep);
        }
        places.sort_unstable_by(by_key);
        run.release(arena.len());
        let positions: Vec<u32> = places.iter().map(|p| p.2).collect();
        all.select(Some(&positions.into()))
    }
}

impl Operator for Sort<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (batch, at) = match &mut self.sorted {
            Some(sorted) => sorted,
            None => {
                let batch = self.collect(run)?;
                self.sorted.insert((batch, 0))
            }
        };
        if *at >= batch.rows {
            return Ok(None);
        }
        if *at == 0 && batch.rows <= MAX_ROWS {
            *at = batch.rows;
            return Ok(Some(batch.clone()));
        }
        let part = batch.slice(*at, MAX_ROWS);
        *at += part.rows;
        Ok(Some(part))
    }
}
