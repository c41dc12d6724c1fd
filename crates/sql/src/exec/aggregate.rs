//! GROUP BY and aggregates by hashing.
//!
//! The keys of a batch are numbered by a [`KeyTable`]; new ones get the next number. The aggregates then take the
//! batch with its group numbers. The values of the keys are those of each group's first row, so `GROUP BY name` shows
//! the spelling that came first, and groups come in the order of their first rows.
//! WITH ROLLUP is made of several such groupings ([`super::rollup`]).
//!
//! [`Groups`] is what is known after some of the rows. When it may not grow any more it *closes*: rows of groups that
//! are known go on to be counted, so a frequent group is never written anywhere; the others (their keys and arguments
//! as they were evaluated) are dealt into parts by the hash of their key, and each part is grouped for itself when the
//! input has ended. What DISTINCT inside of an aggregate has not seen is dealt into parts in the same way, by group and
//! value, and counted at the end.
//!
//! Where several threads run the pipeline below, they group the rows of their parts themselves as far as that changes no
//! result ([`super::partial_groups`]), and what comes is the states of groups instead of rows; all else is the same.
//!
//! Limit: what GROUP_CONCAT and JSON_ARRAYAGG collect for the groups at hand is held in memory (3170 beyond it);
//! [`super::collecting`] sees to it that these are few.

use std::sync::Arc;

use super::accumulator::Accumulator;
use super::batch::{Batch, Slices};
use super::key_table::{KeyPart, KeyShape, KeyTable, Keys, NO_KEY};
use super::morsel::{Gather, open_wide};
use super::partial_groups;
use super::pieces::make_long_strings;
use super::run::{Operator, Run};
use super::short_keys::ShortKeys;
use super::spill::parts::{FANOUT, Parts};
use super::spill::rows::{Cursor, Rows, Space};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::long::FEW;
use crate::plan::Aggregate;
use crate::plan::aggregate::AggregateCall;

const PURPOSE: &str = "GROUP BY";

/// Groups its input.
pub struct HashAggregate<'p> {
    input: Option<Input<'p>>,
    /// The input gives states of groups, not rows.
    merges: bool,
    plan: &'p Aggregate,
    memory: Option<(Arc<Reservation>, Space)>,
    /// Parts that are to be grouped, each with its level.
    left: Vec<(Rows, u32)>,
    result: Slices,
}

/// What is grouped.
enum Input<'p> {
    /// Rows.
    Rows(Box<dyn Operator + 'p>),
    /// Rows, or what the workers that run a pipeline have made of theirs.
    Parts(Box<Gather<'p>>),
}

impl<'p> HashAggregate<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Aggregate) -> HashAggregate<'p> {
        HashAggregate::over(Input::Rows(input), plan)
    }

    /// Of a plan; wide, if it can be.
    pub fn of_plan(plan: &'p Aggregate) -> HashAggregate<'p> {
        let input = match Gather::grouped(plan) {
            Some(gather) => Input::Parts(Box::new(gather)),
            None => Input::Rows(open_wide(&plan.input)),
        };
        HashAggregate::over(input, plan)
    }

    fn over(input: Input<'p>, plan: &'p Aggregate) -> HashAggregate<'p> {
        let input = Some(input);
        HashAggregate {
            input,
            merges: false,
            plan,
            memory: None,
            left: Vec::new(),
            result: Slices::default(),
        }
    }

    /// The groups of the input, or of a part; None when there is none left.
    fn group(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (reservation, space) =
            self.memory.get_or_insert_with(|| (Arc::new(run.context.memory.reserve()), Space::of(run)));
        // What the last groups took; they have been given.
        reservation.clear();
        let mut groups = Groups::new(self.plan, Arc::clone(reservation), space.clone());
        if let Some(mut input) = self.input.take() {
            loop {
                let (batch, merges) = match &mut input {
                    Input::Rows(rows) => (rows.next(run)?, false),
                    Input::Parts(gather) => (gather.next(run)?, gather.gives_groups()),
                };
                let Some(batch) = batch else { break };
                run.check()?;
                if merges {
                    (self.merges, groups.merges) = (true, true);
                    groups.add(&batch)?;
                } else if batch.rows > FEW && make_long_strings(self.plan.exprs(), run) {
                    for at in (0..batch.rows).step_by(FEW) {
                        run.check()?;
                        groups.add(&evaluated(self.plan, &batch.slice(at, FEW), run)?)?;
                    }
                } else {
                    groups.add(&evaluated(self.plan, &batch, run)?)?;
                }
            }
        } else {
            let Some((rows, level)) = self.left.pop() else { return Ok(None) };
            groups.level = level;
            groups.merges = self.merges;
            let mut cursor = Cursor::default();
            while let Some(batch) = rows.read(&mut cursor, u64::MAX)? {
                run.check()?;
                groups.add(&batch)?;
            }
        }
        self.left.extend(overflowed(&mut groups)?);
        groups.finish(run).map(Some)
    }
}

/// The rows of groups for which there was no room, in parts with their level.
pub(super) fn overflowed(groups: &mut Groups<'_>) -> Result<Vec<(Rows, u32)>, SqlError> {
    let Some(parts) = groups.overflow.take() else { return Ok(Vec::new()) };
    let level = groups.level + 1;
    Ok(parts.finish()?.into_iter().filter(|rows| !rows.is_empty()).map(|rows| (rows, level)).collect())
}

/// The keys of a batch, then the arguments of all aggregates.
pub(super) fn evaluated(plan: &Aggregate, batch: &Batch, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let mut columns = Vec::with_capacity(plan.keys.len() + plan.calls.len());
    for expr in plan.exprs() {
        columns.push(evaluate(expr, &frame, &mut run.eval())?);
    }
    Ok(Batch { columns, rows: batch.rows })
}

/// The numbers of the groups by their keys.
struct Numbers {
    /// Numbers of the table for keys of short texts.
    short: Option<ShortKeys>,
    made: Keys,
    table: KeyTable,
}

/// An aggregate over all groups.
struct State {
    accumulator: Accumulator,
    /// DISTINCT: the values that every group has had.
    seen: Option<Seen>,
}

/// The values that every group has had, behind the group's number.
struct Seen {
    keys: Keys,
    table: KeyTable,
    /// Rows for which there is no room: the group, then the arguments.
    overflow: Option<Parts>,
    level: u32,
}

impl Seen {
    fn new(call: &AggregateCall, level: u32) -> Seen {
        let group = KeyPart { class: crate::expr::Class::UInt, collation: rustydb_value::Collation::BINARY };
        let parts = call.args.iter().take(call.parts()).map(|arg| KeyPart::of(&arg.ty));
        let shape = KeyShape::new(std::iter::once(group).chain(parts).collect());
        Seen { keys: Keys::new(shape), table: KeyTable::new(), overflow: None, level }
    }

    /// Which rows are new; when `closed`, those that are not known wait in parts.
    fn fresh(
        &mut self,
        call: &AggregateCall,
        args: &[Vector],
        groups: &[u32],
        closed: Option<&Memory>,
    ) -> Result<Vec<bool>, SqlError> {
        let group = Vector::uints(groups.iter().map(|group| u64::from(*group)).collect(), None);
        let columns: Vec<Vector> = std::iter::once(group).chain(args.iter().cloned()).collect();
        self.keys.make(columns.get(..=call.parts()).unwrap_or(&columns), groups.len());
        let mut numbers = Vec::new();
        let mut keep = vec![false; groups.len()];
        let Some(memory) = closed else {
            let mut fresh = Vec::new();
            self.table.insert(&self.keys, false, &mut numbers, &mut fresh)?;
            for row in fresh {
                if let Some(keep) = keep.get_mut(row as usize) {
                    *keep = true;
                }
            }
            return Ok(keep);
        };
        self.table.find(&self.keys, &mut numbers);
        let parts = match &mut self.overflow {
            Some(parts) => parts,
            None => self.overflow.insert(memory.parts(columns.len())?),
        };
        for (row, _) in (0u32..).zip(&numbers).filter(|(_, number)| **number == NO_KEY) {
            parts.choose(self.keys.partition(row as usize, FANOUT, self.level), row);
        }
        parts.take(&Batch { columns, rows: groups.len() })?;
        Ok(keep)
    }
}

impl State {
    fn new(call: &AggregateCall) -> State {
        State { accumulator: Accumulator::new(call), seen: call.distinct.then(|| Seen::new(call, 0)) }
    }

    /// Takes the rows of a batch; gives the bytes that the accumulator newly holds.
    fn add(
        &mut self,
        call: &AggregateCall,
        args: &[Vector],
        groups: &[u32],
        closed: Option<&Memory>,
    ) -> Result<usize, SqlError> {
        let Some(seen) = &mut self.seen else {
            return self.accumulator.update(call, args, groups, None);
        };
        let keep = seen.fresh(call, args, groups, closed)?;
        self.accumulator.update(call, args, groups, Some(&keep))
    }

    /// Counts what had to wait, part by part.
    fn settle(&mut self, call: &AggregateCall, memory: &Memory, run: &Run<'_, '_>) -> Result<(), SqlError> {
        let Some(seen) = self.seen.take() else { return Ok(()) };
        let mut left: Vec<(Rows, u32)> = Vec::new();
        let mut waiting = seen.overflow.map(|parts| (parts, seen.level + 1));
        drop((seen.table, seen.keys));
        loop {
            if let Some((parts, level)) = waiting.take() {
                left.extend(parts.finish()?.into_iter().filter(|r| !r.is_empty()).map(|rows| (rows, level)));
            }
            let Some((rows, level)) = left.pop() else { return Ok(()) };
            let mut seen = Seen::new(call, level);
            let mut cursor = Cursor::default();
            let mut held = 0;
            let mut closed = false;
            while let Some(batch) = rows.read(&mut cursor, u64::MAX)? {
                run.check()?;
                let Some((group, args)) = batch.columns.split_first() else { break };
                let groups: Vec<u32> = (0..batch.rows).map(|row| group.as_uints().at(row) as u32).collect();
                if !closed && !seen.table.is_empty() {
                    let wanted = seen.table.memory_for(batch.rows);
                    closed = wanted > memory.room() || !memory.reservation.grow(wanted.saturating_sub(held));
                    held = if closed { held } else { held.max(wanted) };
                }
                let keep = seen.fresh(call, args, &groups, closed.then_some(memory))?;
                self.accumulator.update(call, args, &groups, Some(&keep))?;
            }
            waiting = seen.overflow.take().map(|parts| (parts, level + 1));
            memory.reservation.shrink(held);
        }
    }
}

/// What groups may hold, and where the others go.
#[derive(Clone)]
struct Memory {
    reservation: Arc<Reservation>,
    space: Space,
}

impl Memory {
    /// Groups close here: half is for giving them, and for what the parts take.
    fn room(&self) -> usize {
        self.reservation.allowance() / 2
    }

    fn parts(&self, width: usize) -> Result<Parts, SqlError> {
        Parts::new(width, PURPOSE, &self.reservation, &self.space)
    }
}

/// The groups of the rows so far.
pub struct Groups<'p> {
    plan: &'p Aggregate,
    /// None where everything is one group.
    numbers: Option<Numbers>,
    states: Vec<State>,
    /// The values of the keys, in the order of the groups.
    keys: Vec<Vec<Vector>>,
    groups: usize,
    /// Bytes held beside tables and counters.
    held: usize,
    memory: Memory,
    /// Bytes of the reservation.
    reserved: usize,
    /// No group is added any more.
    closed: bool,
    /// Rows of other groups, by the hash of their keys.
    overflow: Option<Parts>,
    /// Which bits of the hash deal them out.
    level: u32,
    /// What comes are states of groups, not rows.
    merges: bool,
    /// Its memory is somebody else's care.
    is_part: bool,
}

impl<'p> Groups<'p> {
    /// Of a part of the rows, whose memory its caller bounds.
    pub fn of_part(plan: &'p Aggregate, reservation: Arc<Reservation>, space: Space) -> Groups<'p> {
        Groups { is_part: true, ..Groups::new(plan, reservation, space) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.groups
    }

    /// The keys and the states of all groups, as columns ([`super::partial_groups`]).
    pub fn into_states(self) -> Result<Batch, SqlError> {
        let mut columns = Vec::with_capacity(self.keys.len() + 2 * self.plan.calls.len());
        for parts in &self.keys {
            columns.push(if parts.is_empty() { Vector::null(self.groups) } else { Vector::concat(parts)? });
        }
        for (state, call) in self.states.into_iter().zip(&self.plan.calls) {
            partial_groups::columns(state.accumulator, call, self.groups, &mut columns)?;
        }
        Ok(Batch { columns, rows: self.groups })
    }

    /// Of no rows.
    pub fn new(plan: &'p Aggregate, reservation: Arc<Reservation>, space: Space) -> Groups<'p> {
        let numbers = (!plan.scalar).then(|| {
            let parts: Vec<KeyPart> = plan.keys.iter().map(|key| KeyPart::of(&key.ty)).collect();
            Numbers {
                short: ShortKeys::of(&parts),
                made: Keys::new(KeyShape::new(parts)),
                table: KeyTable::new(),
            }
        });
        let mut groups = Groups {
            plan,
            numbers,
            states: plan.calls.iter().map(State::new).collect(),
            keys: plan.keys.iter().map(|_| Vec::new()).collect(),
            // The group of everything is there without rows too.
            groups: usize::from(plan.scalar),
            held: 0,
            memory: Memory { reservation, space },
            reserved: 0,
            closed: false,
            overflow: None,
            level: 0,
            merges: false,
            is_part: false,
        };
        for (state, call) in groups.states.iter_mut().zip(&plan.calls) {
            state.accumulator.grow(groups.groups, call);
        }
        groups
    }

    /// Of rows that were dealt out by the bits of the hash that are for the levels before this one.
    pub(super) fn of_level(self, level: u32) -> Groups<'p> {
        Groups { level, ..self }
    }

    /// Bytes that they have of the reservation.
    pub(super) fn reserved(&self) -> usize {
        self.reserved
    }

    /// Bytes of memory that they take when `more` groups have come.
    pub fn memory_for(&self, more: usize) -> usize {
        let table = self.numbers.as_ref().map_or(0, |numbers| {
            numbers.table.memory_for(more) + numbers.short.as_ref().map_or(0, ShortKeys::memory)
        });
        let seen = self.states.iter().filter_map(|state| Some(state.seen.as_ref()?.table.memory_for(more)));
        let states = self.plan.calls.len() * 48 * (self.groups + more);
        table + seen.sum::<usize>() + states + self.held
    }

    /// Makes sure that a batch may be taken, or closes.
    fn make_room(&mut self, rows: usize) -> Result<(), SqlError> {
        if self.closed || self.is_part {
            return Ok(());
        }
        let wanted = self.memory_for(rows);
        let more = wanted.saturating_sub(self.reserved);
        // Others may have the same reservation.
        let all = self.memory.reservation.held() + more;
        let fits = all <= self.memory.room() && self.memory.reservation.grow(more);
        if fits {
            self.reserved += more;
        } else if self.groups == 0 {
            // The first batch is always taken.
            self.memory.reservation.require(more, PURPOSE)?;
            self.reserved += more;
        } else {
            self.closed = true;
        }
        Ok(())
    }

    /// Takes evaluated rows.
    pub fn add(&mut self, batch: &Batch) -> Result<(), SqlError> {
        let plan = self.plan;
        self.make_room(batch.rows)?;
        let mut batch = batch.clone();
        let key_count = plan.keys.len();
        let of_rows = if plan.scalar {
            vec![0; batch.rows]
        } else if self.closed {
            let (known, numbers) = self.known(&batch)?;
            batch = batch.select(known.as_ref())?;
            numbers
        } else {
            self.number(batch.columns.get(..key_count).unwrap_or_default(), batch.rows)?
        };
        if batch.rows == 0 {
            return Ok(());
        }
        let mut args = batch.columns.get(key_count..).unwrap_or_default();
        let held = self.held;
        for (state, call) in self.states.iter_mut().zip(&plan.calls) {
            let width = if self.merges { partial_groups::width(call) } else { call.args.len() };
            let (own, others) = args.split_at(width.min(args.len()));
            args = others;
            state.accumulator.grow(self.groups, call);
            self.held += if self.merges {
                partial_groups::merge(&mut state.accumulator, call, own, &of_rows)?
            } else {
                state.add(call, own, &of_rows, self.closed.then_some(&self.memory))?
            };
        }
        if self.closed && self.held > held {
            let more = self.held - held;
            self.memory.reservation.require(more, "aggregates")?;
            self.reserved += more;
        }
        Ok(())
    }

    /// The rows whose groups are known, and the numbers of those; the other rows wait.
    fn known(&mut self, batch: &Batch) -> Result<(Option<arrow_array::UInt32Array>, Vec<u32>), SqlError> {
        let Some(Numbers { made, table, .. }) = &mut self.numbers else {
            return Ok((None, Vec::new()));
        };
        made.make(batch.columns.get(..self.plan.keys.len()).unwrap_or_default(), batch.rows);
        let mut numbers = Vec::new();
        table.find(made, &mut numbers);
        if numbers.iter().all(|number| *number != NO_KEY) {
            return Ok((None, numbers));
        }
        let parts = match &mut self.overflow {
            Some(parts) => parts,
            None => self.overflow.insert(self.memory.parts(batch.columns.len())?),
        };
        let mut known = Vec::with_capacity(batch.rows);
        for (row, number) in (0u32..).zip(&numbers) {
            match *number {
                NO_KEY => parts.choose(made.partition(row as usize, FANOUT, self.level), row),
                _ => known.push(row),
            }
        }
        parts.take(batch)?;
        numbers.retain(|number| *number != NO_KEY);
        Ok((Some(known.into()), numbers))
    }

    /// The group of each row; new ones are entered.
    fn number(&mut self, keys: &[Vector], rows: usize) -> Result<Vec<u32>, SqlError> {
        let Some(Numbers { short, made, table }) = &mut self.numbers else { return Ok(Vec::new()) };
        let (mut numbers, mut fresh) = (Vec::with_capacity(rows), Vec::new());
        if short.as_ref().is_some_and(ShortKeys::is_lost) {
            *short = None;
        }
        match short {
            None => {
                made.make(keys, rows);
                table.insert(made, false, &mut numbers, &mut fresh)?;
            }
            Some(short) => {
                let others = short.find(keys, rows, &mut numbers);
                if !others.is_empty() {
                    let positions = others.clone().into();
                    let taken: Vec<Vector> =
                        keys.iter().map(|vector| vector.take(&positions)).collect::<Result<_, _>>()?;
                    made.make(&taken, others.len());
                    let mut found = Vec::with_capacity(others.len());
                    table.insert(made, false, &mut found, &mut fresh)?;
                    for (row, number) in others.iter().zip(found) {
                        if let Some(slot) = numbers.get_mut(*row as usize) {
                            *slot = number;
                        }
                        short.learn(*row, number);
                    }
                    fresh.iter_mut().for_each(|row| *row = others.get(*row as usize).copied().unwrap_or(0));
                }
            }
        }
        self.groups += fresh.len();
        if !fresh.is_empty() {
            let fresh = fresh.into();
            for (vector, parts) in keys.iter().zip(&mut self.keys) {
                let taken = vector.take(&fresh)?;
                self.held += taken.memory();
                parts.push(taken);
            }
        }
        Ok(numbers)
    }

    /// A row for each group: the keys, then the aggregates.
    pub fn finish(mut self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        self.numbers = None;
        for (state, call) in self.states.iter_mut().zip(&self.plan.calls) {
            state.settle(call, &self.memory, run)?;
        }
        let mut columns = Vec::with_capacity(self.plan.width());
        for parts in &self.keys {
            run.check()?;
            columns.push(if parts.is_empty() { Vector::null(self.groups) } else { Vector::concat(parts)? });
        }
        for (state, call) in self.states.into_iter().zip(&self.plan.calls) {
            run.check()?;
            let (vector, cut) = state.accumulator.finish(call, self.groups)?;
            for row in cut {
                run.context.eval.session.warn(&SqlError::cut_group_concat(row));
            }
            columns.push(vector);
        }
        Ok(Batch { columns, rows: self.groups })
    }
}

impl Operator for HashAggregate<'_> {
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
