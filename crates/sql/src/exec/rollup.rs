//! GROUP BY ... WITH ROLLUP.
//!
//! Every number of keys, from none to all, is a GROUP BY of its own over the same evaluated rows, with everything that
//! [`super::aggregate::Groups`] do when memory is short. What they give is sorted, so that the groups come in the order
//! of the keys and each is followed by the one that it is rolled up into.
//!
//! ```text
//!   rows -> keys and arguments -> groups by no key, by one, .. by all -> NULL for what is rolled up -> sort
//! ```
//! The groups of all numbers share one reservation: half of it, as of a GROUP BY alone.

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;

use super::aggregate::{Groups, evaluated, overflowed};
use super::batch::{Batch, MAX_ROWS};
use super::pieces::Pieces;
use super::run::{Operator, Run};
use super::sort::InParts;
use super::sort_key::append_value;
use super::spill::rows::{Cursor, Rows, Space};
use super::spill::sort::{Sorted, Sorter, key_column};
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::types::ExprType;
use crate::plan::{Aggregate, Plan, SortKey};

/// Stands in a key for the columns that are rolled up: behind all values.
const ROLLED_UP: u8 = 0xff;

/// Groups its input by every number of its keys.
pub struct Rollup<'p> {
    input: Option<Pieces<'p>>,
    plan: &'p Aggregate,
    sorted: Option<InParts>,
}

impl<'p> Rollup<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Aggregate) -> Rollup<'p> {
        Rollup { input: Some(Pieces::new(input, plan.exprs())), plan, sorted: None }
    }

    fn run(&mut self, run: &mut Run<'_, '_>) -> Result<Sorted, SqlError> {
        let plan = self.plan;
        let level = |keys: usize| Aggregate {
            input: Plan::Dual,
            keys: plan.keys.iter().take(keys).cloned().collect(),
            calls: plan.calls.clone(),
            scalar: keys == 0,
            rollup: false,
        };
        let levels: Vec<Aggregate> = (0..=plan.keys.len()).map(level).collect();
        let (reservation, space) = (Arc::new(run.context.memory.reserve()), Space::of(run));
        let groups = |level| Groups::new(level, Arc::clone(&reservation), space.clone());
        let mut all: Vec<Groups<'_>> = levels.iter().map(groups).collect();
        if let Some(mut input) = self.input.take() {
            while let Some(batch) = input.next(run)? {
                let batch = evaluated(plan, &batch, run)?;
                for (keys, groups) in all.iter_mut().enumerate() {
                    run.check()?;
                    groups.add(&by_keys(&batch, keys, plan.keys.len()))?;
                }
            }
        }
        let order = [SortKey { column: plan.width(), ty: ExprType::binary(u32::MAX), descending: false }];
        let mut sorter = Sorter::new(&order, usize::MAX, run);
        let mut left: Vec<(usize, Rows, u32)> = Vec::new();
        for (keys, mut groups) in all.into_iter().enumerate() {
            left.extend(overflowed(&mut groups)?.into_iter().map(|(rows, level)| (keys, rows, level)));
            let held = groups.reserved();
            let found = groups.finish(run)?;
            give(plan, keys, &found, &mut sorter, run)?;
            reservation.shrink(held);
        }
        while let Some((keys, rows, level)) = left.pop() {
            let Some(of_level) = levels.get(keys) else { continue };
            let mut part = groups(of_level).of_level(level);
            let mut cursor = Cursor::default();
            while let Some(batch) = rows.read(&mut cursor, u64::MAX)? {
                run.check()?;
                part.add(&batch)?;
            }
            drop(rows);
            left.extend(overflowed(&mut part)?.into_iter().map(|(rows, level)| (keys, rows, level)));
            let held = part.reserved();
            let found = part.finish(run)?;
            give(plan, keys, &found, &mut sorter, run)?;
            reservation.shrink(held);
        }
        reservation.clear();
        reservation.settle();
        sorter.finish(run)
    }
}

/// Evaluated rows with only some of their keys.
fn by_keys(batch: &Batch, keys: usize, all: usize) -> Batch {
    let columns = batch.columns.iter().enumerate().filter(|(at, _)| *at < keys || *at >= all);
    Batch { columns: columns.map(|(_, column)| column.clone()).collect(), rows: batch.rows }
}

/// Hands the groups by some of the keys on, with NULL for the others.
fn give(
    plan: &Aggregate,
    keys: usize,
    found: &Batch,
    sorter: &mut Sorter<'_>,
    run: &mut Run<'_, '_>,
) -> Result<(), SqlError> {
    for at in (0..found.rows).step_by(MAX_ROWS) {
        let part = found.slice(at, MAX_ROWS);
        let mut order = BinaryBuilder::new();
        let mut bytes = Vec::new();
        for row in 0..part.rows {
            bytes.clear();
            for (column, key) in part.columns.iter().zip(plan.keys.iter().take(keys)) {
                append_value(&mut bytes, column, row, key.ty.class(), key.ty.collation);
            }
            if keys < plan.keys.len() {
                bytes.push(ROLLED_UP);
            }
            order.append_value(&bytes);
        }
        let mut columns = part.columns;
        let calls = columns.split_off(keys.min(columns.len()));
        columns.extend((keys..plan.keys.len()).map(|_| Vector::null(part.rows)));
        columns.push(Vector::ints(vec![keys as i64; part.rows], None));
        columns.extend(calls);
        columns.push(key_column(order));
        sorter.push(Batch { columns, rows: part.rows }, run)?;
        run.check()?;
    }
    Ok(())
}

impl Operator for Rollup<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let sorted = match &mut self.sorted {
            Some(sorted) => sorted,
            None => {
                let sorted = InParts::new(self.run(run)?);
                self.sorted.insert(sorted)
            }
        };
        let Some(mut batch) = sorted.next(run)? else { return Ok(None) };
        batch.columns.truncate(self.plan.width());
        Ok(Some(batch))
    }
}
