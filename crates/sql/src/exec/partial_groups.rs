//! Groups of parts of the rows, for others to put together: what the workers of a parallel aggregate give.
//!
//! ```text
//!   worker   rows of a morsel -> groups of its own   -> a row for each group: the keys, then the state of each call
//!   statement                                            takes these rows in the order of the morsels, and merges
//! ```
//! A state as columns: COUNT the number; SUM and AVG the exact sum and the number of values; MIN, MAX, BIT_AND and the
//! like, and the value of a group's first row are their own state. So only calls whose result does not depend on how
//! rows are parted can be split: not those over DOUBLE, nor DISTINCT, nor lists. Groups and their first rows come in
//! the order of the scan, because morsels do, and groups within them.
//!
//! A worker that sees that its rows hardly share groups, or that gets no memory, stops grouping and gives every row as
//! a group of one, which costs next to nothing.
//!
//! Bounds: a worker's groups are given away at [`MOST_GROUPS`], or when they take [`MOST_BYTES`].

use std::sync::Arc;

use arrow_buffer::i256;

use super::accumulator::Accumulator;
use super::aggregate::{Groups, evaluated};
use super::batch::{Batch, MAX_ROWS, Slices};
use super::pieces::Pieces;
use super::run::{Operator, Run};
use super::spill::rows::Space;
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::decimals::Decimals;
use crate::expr::types::Class;
use crate::expr::vector::{Vector, union_nulls};
use crate::plan::Aggregate;
use crate::plan::aggregate::{AggregateCall, Operation};

/// Groups that a worker holds at once.
const MOST_GROUPS: usize = 16 * MAX_ROWS;
/// Bytes that they may take.
const MOST_BYTES: usize = 4 << 20;
/// Rows after which it is decided whether grouping them is worth it.
const TRIAL: usize = 4 * MAX_ROWS;

/// Whether parts of the rows can be grouped apart, as far as the calls are concerned.
pub fn can_split(plan: &Aggregate) -> bool {
    !plan.rollup && plan.calls.iter().all(|call| !call.distinct && can_split_call(call))
}

fn can_split_call(call: &AggregateCall) -> bool {
    match call.operation {
        Operation::Count | Operation::First => true,
        Operation::BitAnd | Operation::BitOr | Operation::BitXor => call.arg_class() != Class::Binary,
        Operation::Sum | Operation::Avg => {
            matches!(call.arg_class(), Class::Int | Class::UInt | Class::Decimal)
        }
        Operation::Min | Operation::Max => call.args.first().is_some_and(|arg| {
            // The best value so far is a value like any other.
            let same = arg.ty.class() == call.ty.class() && arg.ty.decimals == call.ty.decimals;
            same && !arg.ty.is_member() && arg.ty.class() != Class::Null
        }),
        _ => false,
    }
}

/// How many columns the state of a call is.
pub fn width(call: &AggregateCall) -> usize {
    match call.operation {
        Operation::Sum | Operation::Avg => 2,
        _ => 1,
    }
}

/// The state of a call over all groups, as columns.
pub fn columns(
    accumulator: Accumulator,
    call: &AggregateCall,
    groups: usize,
    out: &mut Vec<Vector>,
) -> Result<(), SqlError> {
    let counts =
        |counts: Vec<u64>| Vector::ints(counts.into_iter().map(|count| count as i64).collect(), None);
    match accumulator {
        Accumulator::Integers(states) => {
            let (sums, numbers): (Vec<i128>, Vec<u64>) = states.into_iter().unzip();
            out.push(Vector::decimals(sums.into_iter().map(i256::from_i128).collect(), None));
            out.push(counts(numbers));
        }
        Accumulator::Decimals(states) => {
            let (sums, numbers): (Vec<i256>, Vec<u64>) = states.into_iter().unzip();
            out.push(Vector::decimals(sums, None));
            out.push(counts(numbers));
        }
        other => out.push(other.finish(call, groups)?.0),
    }
    Ok(())
}

/// The state of a call over groups of one row each.
fn of_rows(call: &AggregateCall, args: &[Vector], rows: usize, out: &mut Vec<Vector>) {
    let all: Vec<&Vector> = args.iter().collect();
    let ones = || {
        let nulls = union_nulls(rows, &all);
        let one = |row: usize| i64::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
        Vector::ints((0..rows).map(one).collect(), None)
    };
    match (call.operation, args.first()) {
        (Operation::Count, _) | (_, None) => out.push(ones()),
        (Operation::Sum | Operation::Avg, Some(values)) => {
            out.push(match call.arg_class() {
                Class::Int => Vector::short_decimals(values.as_ints().map(rows, |value| value), None),
                Class::UInt => Vector::long_decimals(values.as_uints().map(rows, i128::from), None),
                _ => values.clone(),
            });
            out.push(ones());
        }
        (_, Some(values)) => out.push(values.clone()),
    }
}

/// Adds states, as columns, to the groups that they are named for.
pub fn merge(
    accumulator: &mut Accumulator,
    call: &AggregateCall,
    state: &[Vector],
    groups: &[u32],
) -> Result<usize, SqlError> {
    let (Some(first), second) = (state.first(), state.get(1)) else { return Ok(0) };
    let numbers = second.unwrap_or(first).as_ints();
    let rows = groups.iter().map(|group| *group as usize).enumerate();
    match accumulator {
        Accumulator::Count(states) => {
            for (row, group) in rows {
                if let Some(count) = states.get_mut(group) {
                    *count += numbers.at(row);
                }
            }
        }
        Accumulator::Integers(states) => {
            let sums = first.as_decimals();
            for (row, group) in rows {
                let number = numbers.at(row) as u64;
                if let Some((sum, count)) = states.get_mut(group)
                    && number > 0
                {
                    *sum += sums.at(row).to_i128().unwrap_or(0);
                    *count += number;
                }
            }
        }
        Accumulator::Decimals(states) => {
            let sums = first.as_decimals();
            for (row, group) in rows {
                let number = numbers.at(row) as u64;
                if let Some((sum, count)) = states.get_mut(group)
                    && number > 0
                {
                    let value = match &sums {
                        Decimals::Short(values) => i256::from_i128(i128::from(values.at(row))),
                        sums => sums.at(row),
                    };
                    *sum = sum.wrapping_add(value);
                    *count += number;
                }
            }
        }
        other => return other.update(call, state, groups, None),
    }
    Ok(0)
}

/// Groups the rows of its input, as far as that pays.
pub struct PartialGroups<'p> {
    input: Pieces<'p>,
    plan: &'p Aggregate,
    memory: Option<(Arc<Reservation>, Space)>,
    groups: Option<Groups<'p>>,
    /// Rows that the groups at hand were made of.
    rows: usize,
    passes: bool,
    given: Slices,
}

impl<'p> PartialGroups<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Aggregate) -> PartialGroups<'p> {
        PartialGroups {
            input: Pieces::new(input, plan.exprs()),
            plan,
            memory: None,
            groups: None,
            rows: 0,
            passes: false,
            given: Slices::default(),
        }
    }

    /// Rows as groups of one.
    fn pass(&self, batch: &Batch) -> Batch {
        let (keys, mut args) = batch.columns.split_at(self.plan.keys.len().min(batch.columns.len()));
        let mut columns = keys.to_vec();
        for call in &self.plan.calls {
            let (own, others) = args.split_at(call.args.len().min(args.len()));
            args = others;
            of_rows(call, own, batch.rows, &mut columns);
        }
        Batch { columns, rows: batch.rows }
    }

    /// The next states.
    fn more(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if self.memory.is_none() {
            let reservation = Arc::new(run.context.memory.reserve());
            self.passes = !reservation.grow(MOST_BYTES);
            self.memory = Some((reservation, Space::of(run)));
        }
        while let Some(batch) = self.input.next(run)? {
            let batch = evaluated(self.plan, &batch, run)?;
            if self.passes {
                return Ok(Some(self.pass(&batch)));
            }
            let Some((reservation, space)) = &self.memory else { return Ok(None) };
            let groups = self.groups.get_or_insert_with(|| {
                self.rows = 0;
                Groups::of_part(self.plan, Arc::clone(reservation), space.clone())
            });
            groups.add(&batch)?;
            self.rows += batch.rows;
            self.passes = self.rows >= TRIAL && groups.count() > self.rows / 3 * 2;
            if self.passes || groups.count() >= MOST_GROUPS || groups.memory_for(0) >= MOST_BYTES {
                break;
            }
        }
        match self.groups.take() {
            Some(groups) => groups.into_states().map(Some),
            None => Ok(None),
        }
    }
}

impl Operator for PartialGroups<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        loop {
            if let Some(part) = self.given.next() {
                return Ok(Some(part));
            }
            let Some(batch) = self.more(run)? else { return Ok(None) };
            self.given.put(batch);
        }
    }
}
