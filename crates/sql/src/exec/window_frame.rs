//! Frames of windows, and aggregates over them.
//!
//! Both ends of a frame only ever move forward within a partition. Rows that come in are added to a running
//! state; when rows have to go out, the state is kept as two stacks: one of states of "from here to the
//! middle", made from the back, and one running state of what came in since. A frame's state is the merge of
//! the two tops, so each row is added twice at most whatever the frame's width, and nothing is ever
//! subtracted: sums of floating point stay what adding gives.

use std::ops::Range;

use arrow_buffer::i256;
use rustydb_value::Collation;

use super::accumulator::{Accumulator, raw_value};
use super::batch::Batch;
use super::run::Run;
use super::sort_key::append_value;
use super::window::Partition;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::compare::order_at;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::types::Class;
use crate::plan::aggregate::{AggregateCall, Operation};
use crate::plan::window::{Bound, WindowCall};

/// One end of the frames of a window, with what it needs of every row.
enum End {
    Unbounded,
    Current,
    Rows { count: usize, following: bool },
    Value { sides: Box<(Vector, Vector)>, class: Class },
}

/// The frames of a window over ordered rows.
pub(super) struct Frames {
    start: End,
    end: End,
    rows: bool,
    descending: bool,
}

impl Frames {
    /// The frames of a call.
    pub(super) fn of(call: &WindowCall, batch: &Batch, run: &mut Run<'_, '_>) -> Result<Frames, SqlError> {
        let mut end = |bound: &Bound| -> Result<End, SqlError> {
            let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
            Ok(match bound {
                Bound::Unbounded => End::Unbounded,
                Bound::Current => End::Current,
                Bound::Rows { count, following } => {
                    let count = evaluate(count, &Frame::constant(), &mut run.eval())?;
                    let rows = if count.is_null(0) { -1 } else { count.as_ints().at(0) };
                    let Ok(count) = usize::try_from(rows) else {
                        return Err(SqlError::frame_bound(&call.window));
                    };
                    End::Rows { count, following: *following }
                }
                Bound::Value { key, value } => {
                    let class = key.ty.class();
                    let key = evaluate(key, &frame, &mut run.eval())?;
                    let value = evaluate(value, &frame, &mut run.eval())?;
                    End::Value { sides: Box::new((key, value)), class }
                }
            })
        };
        let (start, last) = (end(&call.start)?, end(&call.end)?);
        let descending = call.order.first().is_some_and(|(_, descending)| *descending);
        Ok(Frames { start, end: last, rows: call.rows, descending })
    }

    /// Walks over a partition, row by row from its first.
    pub(super) fn walk<'f>(&'f self, partition: &'f Partition) -> Walk<'f> {
        let start = partition.rows.start;
        Walk { frames: self, partition, peer: 0, start, end: start }
    }
}

/// The frames of the rows of a partition, in order.
pub(super) struct Walk<'f> {
    frames: &'f Frames,
    partition: &'f Partition,
    /// The peers of the current row.
    peer: usize,
    start: usize,
    end: usize,
}

impl Walk<'_> {
    /// The frame of the next row.
    pub(super) fn frame(&mut self, row: usize) -> Range<usize> {
        let all = self.partition.rows.clone();
        while self.partition.peers.get(self.peer + 1).is_some_and(|next| *next <= row) {
            self.peer += 1;
        }
        let peers_start = self.partition.peers.get(self.peer).copied().unwrap_or(row);
        let peers_end = self.partition.peers.get(self.peer + 1).copied().unwrap_or(all.end);
        let start = match &self.frames.start {
            End::Unbounded => all.start,
            End::Current if self.frames.rows => row,
            End::Current => peers_start,
            End::Rows { count, following: false } => row.saturating_sub(*count).max(all.start),
            End::Rows { count, following: true } => row.saturating_add(*count).min(all.end),
            End::Value { sides, .. } if sides.1.is_null(row) => peers_start,
            End::Value { sides, class } => {
                let mut at = self.start;
                while at < all.end && self.before(sides, at, row, *class, false) {
                    at += 1;
                }
                at
            }
        };
        let end = match &self.frames.end {
            End::Unbounded => all.end,
            End::Current if self.frames.rows => row + 1,
            End::Current => peers_end,
            End::Rows { count, following: false } => {
                (row + 1).saturating_sub(*count).clamp(all.start, all.end)
            }
            End::Rows { count, following: true } => row.saturating_add(*count).saturating_add(1).min(all.end),
            End::Value { sides, .. } if sides.1.is_null(row) => peers_end,
            End::Value { sides, class } => {
                let mut at = self.end;
                while at < all.end && self.before(sides, at, row, *class, true) {
                    at += 1;
                }
                at
            }
        };
        // Both only move forward, so that what has gone out does not come in again.
        self.start = self.start.max(start);
        self.end = self.end.max(end);
        self.start..self.end.max(self.start)
    }

    /// Whether the key of a row lies before a value in the order of the window (or at it).
    fn before(
        &self,
        (key, value): &(Vector, Vector),
        at: usize,
        row: usize,
        class: Class,
        inclusive: bool,
    ) -> bool {
        if key.is_null(at) {
            // NULL stands first, or last going down.
            return !self.frames.descending;
        }
        let order = order_at(key, at, value, row, (class, class), Collation::BINARY);
        let order = if self.frames.descending { order.reverse() } else { order };
        order.is_lt() || inclusive && order.is_eq()
    }
}

/// The state of an aggregate over some rows.
#[derive(Clone)]
enum State {
    Count(i64),
    Integers(i128, u64),
    Decimals(i256, u64),
    Doubles(f64, u64),
    Spread(u64, f64, f64),
    Bits(u64),
    Best(Option<(Vec<u8>, usize)>),
}

/// An aggregate and its arguments.
struct Aggregated<'a> {
    call: &'a AggregateCall,
    args: &'a [Vector],
    class: Class,
    collation: Collation,
}

impl Aggregated<'_> {
    fn empty(&self) -> State {
        use Operation as O;
        match self.call.operation {
            O::Count => State::Count(0),
            O::Sum | O::Avg => match self.class {
                Class::Int | Class::UInt => State::Integers(0, 0),
                Class::Decimal => State::Decimals(i256::ZERO, 0),
                _ => State::Doubles(0.0, 0),
            },
            O::StddevPop | O::StddevSamp | O::VarPop | O::VarSamp => State::Spread(0, 0.0, 0.0),
            O::BitAnd => State::Bits(u64::MAX),
            O::BitOr | O::BitXor => State::Bits(0),
            O::Min | O::Max | O::First | O::GroupConcat | O::JsonArray | O::JsonObject => State::Best(None),
        }
    }

    fn one(&self, row: usize) -> State {
        let Some(arg) = self.args.first() else { return State::Count(1) };
        if self.args.iter().any(|a| a.is_null(row)) {
            return self.empty();
        }
        match self.empty() {
            State::Count(_) => State::Count(1),
            State::Integers(..) if self.class == Class::UInt => {
                State::Integers(i128::from(arg.as_uints().at(row)), 1)
            }
            State::Integers(..) => State::Integers(i128::from(arg.as_ints().at(row)), 1),
            State::Decimals(..) => State::Decimals(arg.as_decimals().at(row), 1),
            State::Doubles(..) => State::Doubles(arg.as_doubles().at(row), 1),
            State::Spread(..) => State::Spread(1, arg.as_doubles().at(row), 0.0),
            State::Bits(_) => State::Bits(arg.as_uints().at(row)),
            State::Best(_) => {
                let mut key = Vec::new();
                append_value(&mut key, arg, row, self.class, self.collation);
                State::Best(Some((key, row)))
            }
        }
    }

    /// The state of two neighbouring ranges together.
    fn merge(&self, a: &State, b: &State) -> State {
        match (a, b) {
            (State::Count(x), State::Count(y)) => State::Count(x + y),
            (State::Integers(x, n), State::Integers(y, m)) => State::Integers(x + y, n + m),
            (State::Decimals(x, n), State::Decimals(y, m)) => State::Decimals(x.wrapping_add(*y), n + m),
            (State::Doubles(x, n), State::Doubles(y, m)) => State::Doubles(x + y, n + m),
            (State::Spread(0, ..), other) | (other, State::Spread(0, ..)) => other.clone(),
            (State::Spread(n, mean, squares), State::Spread(m, other, more)) => {
                let count = n + m;
                let delta = other - mean;
                let mean = mean + delta * *m as f64 / count as f64;
                let cross = delta * delta * (*n as f64) * (*m as f64) / count as f64;
                State::Spread(count, mean, squares + more + cross)
            }
            (State::Bits(x), State::Bits(y)) => State::Bits(match self.call.operation {
                Operation::BitAnd => x & y,
                Operation::BitOr => x | y,
                _ => x ^ y,
            }),
            (State::Best(Some((x, _))), State::Best(Some((y, _)))) => {
                let second = if self.call.operation == Operation::Max { y > x } else { y < x };
                if second { b.clone() } else { a.clone() }
            }
            (State::Best(None), other) | (other, _) => other.clone(),
        }
    }

    /// Adds the state of a frame as the next result.
    fn give(&self, state: &State, out: &mut Accumulator) {
        match (state, out) {
            (State::Count(n), Accumulator::Count(all)) => all.push(*n),
            (State::Integers(sum, n), Accumulator::Integers(all)) => all.push((*sum, *n)),
            (State::Decimals(sum, n), Accumulator::Decimals(all)) => all.push((*sum, *n)),
            (State::Doubles(sum, n), Accumulator::Doubles(all)) => all.push((*sum, *n)),
            (State::Spread(n, mean, squares), Accumulator::Spread(all)) => all.push((*n, *mean, *squares)),
            (State::Bits(bits), Accumulator::Bits(all)) => all.push(*bits),
            (State::Best(best), Accumulator::BestInts(all)) => {
                all.push(best.as_ref().and_then(|(_, row)| Some(self.args.first()?.as_ints().at(*row))));
            }
            (State::Best(best), Accumulator::BestUInts(all)) => {
                all.push(best.as_ref().and_then(|(_, row)| Some(self.args.first()?.as_uints().at(*row))));
            }
            (State::Best(best), Accumulator::BestDoubles(all)) => {
                all.push(best.as_ref().and_then(|(_, row)| Some(self.args.first()?.as_doubles().at(*row))));
            }
            (State::Best(best), Accumulator::Best(all)) => all.push(best.as_ref().and_then(|(_, row)| {
                let (arg, expr) = (self.args.first()?, self.call.args.first()?);
                Some((Vec::new(), raw_value(arg, *row, &expr.ty)))
            })),
            _ => {}
        }
    }
}

/// The rows of a moving frame as two stacks.
struct Moving {
    /// The frame.
    rows: Range<usize>,
    /// States of "from row n to the middle", the first row's on top.
    front: Vec<State>,
    /// The state of what came in behind the middle, and where that begins.
    back: State,
    middle: usize,
}

impl Moving {
    fn to(&mut self, rows: Range<usize>, of: &Aggregated<'_>) -> State {
        if rows.start >= self.rows.end {
            self.front.clear();
            self.back = of.empty();
            self.middle = rows.start;
            self.rows = rows.start..rows.start;
        }
        while self.rows.end < rows.end {
            self.back = of.merge(&self.back, &of.one(self.rows.end));
            self.rows.end += 1;
        }
        while self.rows.start < rows.start {
            if self.front.is_empty() {
                // What came in so far becomes the front.
                let mut state = of.empty();
                for row in (self.middle.max(self.rows.start)..self.rows.end).rev() {
                    state = of.merge(&of.one(row), &state);
                    self.front.push(state.clone());
                }
                self.back = of.empty();
                self.middle = self.rows.end;
            }
            self.front.pop();
            self.rows.start += 1;
        }
        match self.front.last() {
            Some(front) => of.merge(front, &self.back),
            None => self.back.clone(),
        }
    }
}

/// An aggregate over the frame of every row.
pub(super) fn aggregate(
    call: &AggregateCall,
    args: &[Vector],
    frames: &Frames,
    partitions: &[Partition],
    rows: usize,
    run: &mut Run<'_, '_>,
) -> Result<Vector, SqlError> {
    let ty = call.args.first().map(|a| &a.ty);
    let of = Aggregated {
        call,
        args,
        class: ty.map_or(Class::Null, |ty| ty.class()),
        collation: ty.map_or(Collation::BINARY, |ty| ty.collation),
    };
    let mut out = Accumulator::new(call);
    for partition in partitions {
        run.check()?;
        let start = partition.rows.start;
        let mut moving = Moving { rows: start..start, front: Vec::new(), back: of.empty(), middle: start };
        let mut walk = frames.walk(partition);
        for row in partition.rows.clone() {
            let frame = walk.frame(row);
            let state = moving.to(frame, &of);
            of.give(&state, &mut out);
        }
    }
    Ok(out.finish(call, rows)?.0)
}
