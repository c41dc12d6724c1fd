//! GROUP BY and aggregates by hashing.
//!
//! The keys of a batch are numbered by a [`KeyTable`]; new ones get the next number. The aggregates then take the
//! batch with its group numbers. The values of the keys are those of each group's first row, so `GROUP BY name` shows
//! the spelling that came first, and groups come in the order of their first rows.
//! WITH ROLLUP every row also belongs to the groups by fewer keys; then the groups come in the order of the keys.
//!
//! [`Groups`] is what is known after some of the rows. It says how much memory that is, after every batch, and takes
//! rows in any order: a caller that must part its input into partitions can have one for each.

use super::accumulator::Accumulator;
use super::batch::{Batch, MAX_ROWS};
use super::key_table::{KeyPart, KeyShape, KeyTable, Keys};
use super::run::{Operator, Run};
use super::sort_key::append_value;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::eval::{Frame, evaluate};
use crate::plan::Aggregate;
use crate::plan::aggregate::AggregateCall;

/// Stands in a key for the columns that are rolled up: behind all values.
const ROLLED_UP: &[u8] = &[0xff];

/// Groups its input.
pub struct HashAggregate<'p> {
    input: Option<Box<dyn Operator + 'p>>,
    plan: &'p Aggregate,
    result: Option<(Batch, usize)>,
}

impl<'p> HashAggregate<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Aggregate) -> HashAggregate<'p> {
        HashAggregate { input: Some(input), plan, result: None }
    }

    fn group(&mut self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let mut groups = Groups::new(self.plan);
        let mut held = 0;
        if let Some(mut input) = self.input.take() {
            while let Some(batch) = input.next(run)? {
                run.check()?;
                groups.add(&batch, run)?;
                let now = groups.memory();
                run.hold(now.saturating_sub(held), "GROUP BY")?;
                held = held.max(now);
            }
        }
        groups.finish(run)
    }
}

/// The groups of one number of keys: all of them, or with ROLLUP some of the first.
struct Level {
    /// How many keys tell its groups apart.
    keys: usize,
    made: Keys,
    table: KeyTable,
    /// The group of each key of the table; without ROLLUP they are the same.
    groups: Vec<u32>,
}

/// An aggregate over all groups.
struct State {
    accumulator: Accumulator,
    /// DISTINCT: the values that every group has had, behind the group's number.
    seen: Option<(Keys, KeyTable)>,
}

impl State {
    fn new(call: &AggregateCall) -> State {
        let seen = call.distinct.then(|| {
            let group =
                KeyPart { class: crate::expr::Class::UInt, collation: rustydb_value::Collation::BINARY };
            let parts = call.args.iter().take(call.parts()).map(|arg| KeyPart::of(&arg.ty));
            (Keys::new(KeyShape::new(std::iter::once(group).chain(parts).collect())), KeyTable::new())
        });
        State { accumulator: Accumulator::new(call), seen }
    }

    /// Takes the rows of a batch; gives the bytes that the accumulator newly holds.
    fn add(&mut self, call: &AggregateCall, args: &[Vector], groups: &[u32]) -> Result<usize, SqlError> {
        let Some((keys, table)) = &mut self.seen else {
            return self.accumulator.update(call, args, groups, None);
        };
        let group = Vector::uints(groups.iter().map(|group| u64::from(*group)).collect(), None);
        let columns: Vec<Vector> =
            std::iter::once(group).chain(args.iter().take(call.parts()).cloned()).collect();
        keys.make(&columns, groups.len());
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        table.insert(keys, false, &mut numbers, &mut fresh)?;
        let mut keep = vec![false; groups.len()];
        for row in fresh {
            if let Some(keep) = keep.get_mut(row as usize) {
                *keep = true;
            }
        }
        self.accumulator.update(call, args, groups, Some(&keep))
    }
}

/// The groups of the rows so far.
pub struct Groups<'p> {
    plan: &'p Aggregate,
    levels: Vec<Level>,
    states: Vec<State>,
    /// The values of the keys, in the order of the groups.
    keys: Vec<Vec<Vector>>,
    groups: usize,
    /// ROLLUP: of each group the bytes that order it, and how many keys it has.
    order: Vec<(Box<[u8]>, usize)>,
    /// Bytes held beside tables and counters.
    held: usize,
}

impl<'p> Groups<'p> {
    /// Of no rows.
    pub fn new(plan: &'p Aggregate) -> Groups<'p> {
        let fewest = if plan.rollup { 1 } else { plan.keys.len() };
        let level = |keys: usize| {
            let parts = plan.keys.iter().take(keys).map(|key| KeyPart::of(&key.ty)).collect();
            Level { keys, made: Keys::new(KeyShape::new(parts)), table: KeyTable::new(), groups: Vec::new() }
        };
        let mut groups = Groups {
            plan,
            levels: (fewest..=plan.keys.len()).filter(|_| !plan.scalar).map(level).collect(),
            states: plan.calls.iter().map(State::new).collect(),
            keys: plan.keys.iter().map(|_| Vec::new()).collect(),
            // The group of everything is there without rows too.
            groups: usize::from(plan.scalar || plan.rollup),
            order: Vec::new(),
            held: 0,
        };
        if plan.rollup {
            groups.order.push((ROLLED_UP.into(), 0));
            groups.keys.iter_mut().for_each(|parts| parts.push(Vector::null(1)));
        }
        for (state, call) in groups.states.iter_mut().zip(&plan.calls) {
            state.accumulator.grow(groups.groups, call);
        }
        groups
    }

    /// Bytes of memory that they take.
    pub fn memory(&self) -> usize {
        let tables = self.levels.iter().map(|level| level.table.memory() + level.groups.capacity() * 4);
        let seen = self.states.iter().filter_map(|state| Some(state.seen.as_ref()?.1.memory()));
        let states = self.plan.calls.len() * 32 * self.groups;
        tables.sum::<usize>() + seen.sum::<usize>() + states + self.held
    }

    /// Takes the rows of a batch.
    pub fn add(&mut self, batch: &Batch, run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        let plan = self.plan;
        let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
        let mut keys = Vec::with_capacity(plan.keys.len());
        for expr in &plan.keys {
            keys.push(evaluate(expr, &frame, &mut run.eval())?);
        }
        // The groups of each row: one, or with ROLLUP one for each number of keys.
        let mut of_rows: Vec<Vec<u32>> = Vec::with_capacity(self.levels.len() + 1);
        if plan.scalar || plan.rollup {
            of_rows.push(vec![0; batch.rows]);
        }
        for at in 0..self.levels.len() {
            of_rows.push(self.number(at, &keys, batch.rows)?);
        }
        for (state, call) in self.states.iter_mut().zip(&plan.calls) {
            state.accumulator.grow(self.groups, call);
            let mut args = Vec::with_capacity(call.args.len());
            for arg in &call.args {
                args.push(evaluate(arg, &frame, &mut run.eval())?);
            }
            for of_row in &of_rows {
                self.held += state.add(call, &args, of_row)?;
            }
        }
        Ok(())
    }

    /// The group of each row at a level; new ones are entered.
    fn number(&mut self, at: usize, keys: &[Vector], rows: usize) -> Result<Vec<u32>, SqlError> {
        let Some(level) = self.levels.get_mut(at) else { return Ok(Vec::new()) };
        let of_level = keys.get(..level.keys).unwrap_or(keys);
        let (mut numbers, mut fresh) = (Vec::with_capacity(rows), Vec::new());
        level.made.make(of_level, rows);
        level.table.insert(&level.made, false, &mut numbers, &mut fresh)?;
        let known = self.groups;
        self.groups += fresh.len();
        if self.plan.rollup {
            level.groups.extend((known..self.groups).map(|group| group as u32));
            for number in &mut numbers {
                *number = level.groups.get(*number as usize).copied().unwrap_or(0);
            }
            for row in &fresh {
                let mut bytes = Vec::new();
                for (vector, expr) in of_level.iter().zip(&self.plan.keys) {
                    append_value(&mut bytes, vector, *row as usize, expr.ty.class(), expr.ty.collation);
                }
                if level.keys < keys.len() {
                    bytes.extend_from_slice(ROLLED_UP);
                }
                self.held += bytes.len() + 40;
                self.order.push((bytes.into(), level.keys));
            }
        }
        if !fresh.is_empty() {
            let fresh = fresh.into();
            for (at, (vector, parts)) in keys.iter().zip(&mut self.keys).enumerate() {
                let taken = if at < level.keys { vector.take(&fresh)? } else { Vector::null(fresh.len()) };
                self.held += taken.memory();
                parts.push(taken);
            }
        }
        Ok(numbers)
    }

    /// A row for each group: the keys, then the aggregates.
    pub fn finish(self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let mut columns = Vec::with_capacity(self.plan.width());
        for parts in &self.keys {
            columns.push(if parts.is_empty() { Vector::null(self.groups) } else { Vector::concat(parts)? });
        }
        if self.plan.rollup {
            columns.push(Vector::ints(self.order.iter().map(|(_, keys)| *keys as i64).collect(), None));
        }
        for (state, call) in self.states.into_iter().zip(&self.plan.calls) {
            let (vector, cut) = state.accumulator.finish(call, self.groups)?;
            for row in cut {
                run.context.eval.session.warn(&SqlError::cut_group_concat(row));
            }
            columns.push(vector);
        }
        let batch = Batch { columns, rows: self.groups };
        if !self.plan.rollup {
            return Ok(batch);
        }
        // Each group is followed by the one that it is rolled up into.
        let bytes = |place: u32| self.order.get(place as usize).map(|(bytes, _)| bytes);
        let mut places: Vec<u32> = (0..self.groups as u32).collect();
        places.sort_unstable_by(|a, b| bytes(*a).cmp(&bytes(*b)));
        batch.select(Some(&places.into()))
    }
}

impl Operator for HashAggregate<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (batch, at) = match &mut self.result {
            Some(result) => result,
            None => {
                let batch = self.group(run)?;
                self.result.insert((batch, 0))
            }
        };
        if *at >= batch.rows {
            return Ok(None);
        }
        let part = batch.slice(*at, MAX_ROWS);
        *at += part.rows;
        Ok(Some(part))
    }
}
