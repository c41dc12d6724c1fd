//! GROUP BY whose aggregates keep values of every row: GROUP_CONCAT, JSON_ARRAYAGG, JSON_OBJECTAGG.
//!
//! A group of these can grow with every row, so counting on for the groups that are known ([`super::aggregate`]) would
//! need ever more memory. Instead the evaluated rows wait until the input has ended. Where they are few, they are
//! grouped at once; else they are dealt into parts by the hash of their keys, until a part is small enough to be
//! grouped with what its values take. The rows of a group stay in the order they came.
//!
//! Limit: the values of one group are held in memory, of GROUP_CONCAT no more than its longest result needs (3170
//! beyond the statement's grant).

use std::sync::Arc;

use super::aggregate::{Groups, evaluated, overflowed};
use super::batch::{Batch, Slices};
use super::key_table::{KeyPart, KeyShape, Keys};
use super::pieces::Pieces;
use super::run::{Operator, Run};
use super::spill::parts::{FANOUT, Parts};
use super::spill::rows::{Cursor, Rows, Space, bytes_of};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::plan::Aggregate;
use crate::plan::aggregate::Operation;

const PURPOSE: &str = "GROUP BY";
/// Rows that are grouped at once may take this part of the memory: their values take several times as much.
const PART: usize = 8;
/// How often rows are dealt out: what is still large then is a few groups.
const MOST_LEVELS: u32 = 4;

/// Whether an aggregate keeps values of every row of its groups.
pub fn collects(plan: &Aggregate) -> bool {
    use Operation as O;
    let collects = |operation| matches!(operation, O::GroupConcat | O::JsonArray | O::JsonObject);
    !plan.scalar && !plan.rollup && plan.calls.iter().any(|call| collects(call.operation))
}

/// Groups its input when it has all of it.
pub struct CollectingAggregate<'p> {
    input: Option<Pieces<'p>>,
    plan: &'p Aggregate,
    memory: Option<(Arc<Reservation>, Space)>,
    /// Parts that are to be grouped, each with its level.
    left: Vec<(Rows, u32)>,
    result: Slices,
}

impl<'p> CollectingAggregate<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Aggregate) -> CollectingAggregate<'p> {
        CollectingAggregate {
            input: Some(Pieces::new(input, plan.exprs())),
            plan,
            memory: None,
            left: Vec::new(),
            result: Slices::default(),
        }
    }

    fn keys(&self) -> Keys {
        Keys::new(KeyShape::new(self.plan.keys.iter().map(|key| KeyPart::of(&key.ty)).collect()))
    }

    /// Reads all of the input: gives it, or deals it out.
    fn read(
        &mut self,
        input: &mut dyn Operator,
        run: &mut Run<'_, '_>,
    ) -> Result<Option<Vec<Batch>>, SqlError> {
        let waiting = run.context.memory.reserve();
        let (reservation, space) =
            self.memory.get_or_insert_with(|| (Arc::new(run.context.memory.reserve()), Space::of(run)));
        let (reservation, space) = (Arc::clone(reservation), space.clone());
        let mut batches = Vec::new();
        let mut dealt: Option<(Parts, Keys)> = None;
        while let Some(batch) = input.next(run)? {
            run.check()?;
            let batch = evaluated(self.plan, &batch, run)?;
            if let Some((parts, keys)) = &mut dealt {
                deal(parts, keys, self.plan, &batch, 0)?;
                continue;
            }
            let bytes = bytes_of(&batch);
            let fits = waiting.held() + bytes <= waiting.allowance() / PART && waiting.grow(bytes);
            batches.push(batch);
            if !fits {
                let width =
                    self.plan.keys.len() + self.plan.calls.iter().map(|c| c.args.len()).sum::<usize>();
                let (parts, keys) =
                    dealt.insert((Parts::new(width, PURPOSE, &reservation, &space)?, self.keys()));
                for batch in std::mem::take(&mut batches) {
                    deal(parts, keys, self.plan, &batch, 0)?;
                    run.check()?;
                }
                waiting.clear();
                waiting.settle();
            }
        }
        let Some((parts, _)) = dealt else { return Ok(Some(batches)) };
        self.leave(parts, 1)?;
        Ok(None)
    }

    fn leave(&mut self, parts: Parts, level: u32) -> Result<(), SqlError> {
        let parts = parts.finish()?.into_iter().filter(|rows| !rows.is_empty());
        self.left.extend(parts.map(|rows| (rows, level)));
        Ok(())
    }

    /// The groups of the input, or of a part; None when there is none left.
    fn group(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if let Some(mut input) = self.input.take()
            && let Some(batches) = self.read(&mut input, run)?
        {
            let Some((reservation, space)) = &self.memory else { return Ok(None) };
            let mut groups = Groups::new(self.plan, Arc::clone(reservation), space.clone());
            for batch in batches {
                groups.add(&batch)?;
                run.check()?;
            }
            self.left.extend(overflowed(&mut groups)?);
            return groups.finish(run).map(Some);
        }
        loop {
            let Some((rows, level)) = self.left.pop() else { return Ok(None) };
            let Some((reservation, space)) = &self.memory else { return Ok(None) };
            // What the last groups took; they have been given.
            reservation.clear();
            let mut cursor = Cursor::default();
            if rows.bytes() > (reservation.allowance() / PART) as u64 && level < MOST_LEVELS {
                let mut parts = Parts::new(rows.width(), PURPOSE, reservation, space)?;
                let mut keys = self.keys();
                while let Some(batch) = rows.read(&mut cursor, u64::MAX)? {
                    run.check()?;
                    deal(&mut parts, &mut keys, self.plan, &batch, level)?;
                }
                drop(rows);
                self.leave(parts, level + 1)?;
                continue;
            }
            let mut groups = Groups::new(self.plan, Arc::clone(reservation), space.clone()).of_level(level);
            while let Some(batch) = rows.read(&mut cursor, u64::MAX)? {
                run.check()?;
                groups.add(&batch)?;
            }
            drop(rows);
            self.left.extend(overflowed(&mut groups)?);
            return groups.finish(run).map(Some);
        }
    }
}

/// Deals the rows of a batch out by the hash of their keys.
fn deal(
    parts: &mut Parts,
    keys: &mut Keys,
    plan: &Aggregate,
    batch: &Batch,
    level: u32,
) -> Result<(), SqlError> {
    keys.make(batch.columns.get(..plan.keys.len()).unwrap_or_default(), batch.rows);
    for row in 0..batch.rows {
        parts.choose(keys.partition(row, FANOUT, level), row as u32);
    }
    parts.take(batch)
}

impl Operator for CollectingAggregate<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            if let Some(part) = self.result.next() {
                return Ok(Some(part));
            }
            let Some(batch) = self.group(run)? else { return Ok(None) };
            self.result.put(batch);
        }
    }
}
