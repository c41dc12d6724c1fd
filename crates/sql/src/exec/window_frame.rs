//! Frames of windows, and aggregates over them.
//!
//! Both ends of a frame only ever move forward within a partition. Rows that come in are added to a running
//! state; when rows have to go out, the state is kept as two stacks: one of states of "from here to the
//! middle", made from the back, and one running state of what came in since. A frame's state is the merge of
//! the two tops, so each row is added twice at most whatever the frame's width, and nothing is ever
//! subtracted: sums of floating point stay what adding gives.
//!
//! Where the rows are is another's matter ([`Ordered`]): vectors of whole partitions here ([`Whole`]), or a list in a
//! file ([`super::window_list`]). What the stacks hold is charged to the statement's grant; frames that begin with
//! their partition need none.

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::i256;
use rustydb_value::{Collation, Value};

use super::accumulator::{Accumulator, raw_value};
use super::batch::Batch;
use super::run::Run;
use super::sort_key::append_value;
use super::window::{PURPOSE, Partition};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::compare::order_at;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::types::Class;
use crate::plan::aggregate::{AggregateCall, Operation};
use crate::plan::window::{Bound, WindowCall};

/// Cancelling is looked at once for so many rows.
pub(super) const CHECKED_ROWS: usize = 16 << 10;

/// The memory of frames grows by this much.
const CHARGED_BYTES: usize = 16 << 10;

/// One end of the frames of a window.
#[derive(Clone, Copy)]
enum End {
    Unbounded,
    Current,
    Rows { count: usize, following: bool },
    Value,
}

impl End {
    fn of(bound: &Bound, call: &WindowCall, run: &mut Run<'_, '_>) -> Result<End, SqlError> {
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
            Bound::Value { .. } => End::Value,
        })
    }
}

/// Which end of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Start,
    End,
}

/// The rows of a partition as a frame needs them. Rows are asked for in order.
pub(super) trait Ordered {
    /// The peers of a row.
    fn peers(&mut self, row: usize, run: &mut Run<'_, '_>) -> Result<Range<usize>, SqlError>;

    /// Whether the value that bounds the frame of a row is NULL: then its peers do.
    fn is_null(&mut self, side: Side, row: usize, run: &mut Run<'_, '_>) -> Result<bool, SqlError>;

    /// How the key of the row `at` lies to the value of a row; None if the key is NULL.
    fn order(
        &mut self,
        side: Side,
        at: usize,
        row: usize,
        run: &mut Run<'_, '_>,
    ) -> Result<Option<std::cmp::Ordering>, SqlError>;
}

/// How a key lies to the value of another row.
pub(super) fn order_of_keys(
    (key, at): (&Vector, usize),
    (value, row): (&Vector, usize),
    class: Class,
) -> Option<std::cmp::Ordering> {
    (!key.is_null(at)).then(|| order_at(key, at, value, row, (class, class), Collation::BINARY))
}

/// The frames of a window.
pub(super) struct Frames {
    start: End,
    end: End,
    rows: bool,
    descending: bool,
}

impl Frames {
    /// The frames of a call.
    pub(super) fn of(call: &WindowCall, run: &mut Run<'_, '_>) -> Result<Frames, SqlError> {
        let (start, end) = (End::of(&call.start, call, run)?, End::of(&call.end, call, run)?);
        let descending = call.order.first().is_some_and(|(_, descending)| *descending);
        Ok(Frames { start, end, rows: call.rows, descending })
    }

    /// Whether rows go out of a frame again.
    pub(super) fn slide(&self) -> bool {
        !matches!(self.start, End::Unbounded)
    }
}

/// The frames of the rows of a partition, in order.
pub(super) struct Walk {
    all: Range<usize>,
    start: usize,
    end: usize,
}

impl Walk {
    /// Over a partition, row by row from its first.
    pub(super) fn over(all: Range<usize>) -> Walk {
        Walk { start: all.start, end: all.start, all }
    }

    /// The frame of the next row.
    pub(super) fn frame(
        &mut self,
        row: usize,
        frames: &Frames,
        ordered: &mut dyn Ordered,
        run: &mut Run<'_, '_>,
    ) -> Result<Range<usize>, SqlError> {
        let all = self.all.clone();
        let start = match frames.start {
            End::Unbounded => all.start,
            End::Current if frames.rows => row,
            End::Current => ordered.peers(row, run)?.start,
            End::Rows { count, following: false } => row.saturating_sub(count).max(all.start),
            End::Rows { count, following: true } => row.saturating_add(count).min(all.end),
            End::Value if ordered.is_null(Side::Start, row, run)? => ordered.peers(row, run)?.start,
            End::Value => {
                let mut at = self.start;
                while at < all.end
                    && before(ordered.order(Side::Start, at, row, run)?, frames.descending, false)
                {
                    at += 1;
                }
                at
            }
        };
        let end = match frames.end {
            End::Unbounded => all.end,
            End::Current if frames.rows => row + 1,
            End::Current => ordered.peers(row, run)?.end,
            End::Rows { count, following: false } => {
                (row + 1).saturating_sub(count).clamp(all.start, all.end)
            }
            End::Rows { count, following: true } => row.saturating_add(count).saturating_add(1).min(all.end),
            End::Value if ordered.is_null(Side::End, row, run)? => ordered.peers(row, run)?.end,
            End::Value => {
                let mut at = self.end;
                while at < all.end && before(ordered.order(Side::End, at, row, run)?, frames.descending, true)
                {
                    at += 1;
                }
                at
            }
        };
        // Both only move forward, so that what has gone out does not come in again.
        self.start = self.start.max(start);
        self.end = self.end.max(end);
        Ok(self.start..self.end.max(self.start))
    }
}

/// Whether a key lies before a value in the order of the window (or at it). NULL stands first, or last going down.
fn before(order: Option<std::cmp::Ordering>, descending: bool, inclusive: bool) -> bool {
    let Some(order) = order else { return !descending };
    let order = if descending { order.reverse() } else { order };
    order.is_lt() || inclusive && order.is_eq()
}

/// The keys and values of an end that is bounded by value.
struct Values {
    key: Vector,
    value: Vector,
    class: Class,
}

impl Values {
    fn of(bound: &Bound, batch: &Batch, run: &mut Run<'_, '_>) -> Result<Option<Values>, SqlError> {
        let Bound::Value { key, value } = bound else { return Ok(None) };
        let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
        let class = key.ty.class();
        let key = evaluate(key, &frame, &mut run.eval())?;
        Ok(Some(Values { key, value: evaluate(value, &frame, &mut run.eval())?, class }))
    }
}

/// What the ends of the frames of a call need of ordered rows in memory.
pub(super) struct Bounds {
    start: Option<Values>,
    end: Option<Values>,
}

impl Bounds {
    /// Of a call over these rows.
    pub(super) fn of(call: &WindowCall, batch: &Batch, run: &mut Run<'_, '_>) -> Result<Bounds, SqlError> {
        Ok(Bounds { start: Values::of(&call.start, batch, run)?, end: Values::of(&call.end, batch, run)? })
    }
}

/// A partition in memory.
pub(super) struct Whole<'f> {
    partition: &'f Partition,
    bounds: &'f Bounds,
    /// The peers of the current row.
    peer: usize,
}

impl<'f> Whole<'f> {
    /// From its first row.
    pub(super) fn new(partition: &'f Partition, bounds: &'f Bounds) -> Whole<'f> {
        Whole { partition, bounds, peer: 0 }
    }

    fn values(&self, side: Side) -> Option<&'f Values> {
        let values = if side == Side::Start { &self.bounds.start } else { &self.bounds.end };
        values.as_ref()
    }
}

impl Ordered for Whole<'_> {
    fn peers(&mut self, row: usize, _: &mut Run<'_, '_>) -> Result<Range<usize>, SqlError> {
        let peers = &self.partition.peers;
        while peers.get(self.peer + 1).is_some_and(|next| *next <= row) {
            self.peer += 1;
        }
        let start = peers.get(self.peer).copied().unwrap_or(row);
        Ok(start..peers.get(self.peer + 1).copied().unwrap_or(self.partition.rows.end))
    }

    fn is_null(&mut self, side: Side, row: usize, _: &mut Run<'_, '_>) -> Result<bool, SqlError> {
        Ok(self.values(side).is_none_or(|values| values.value.is_null(row)))
    }

    fn order(
        &mut self,
        side: Side,
        at: usize,
        row: usize,
        _: &mut Run<'_, '_>,
    ) -> Result<Option<std::cmp::Ordering>, SqlError> {
        Ok(self.values(side).and_then(|v| order_of_keys((&v.key, at), (&v.value, row), v.class)))
    }
}

/// The state of an aggregate over some rows.
#[derive(Clone)]
pub(super) enum State {
    Count(i64),
    Integers(i128, u64),
    Decimals(i256, u64),
    Doubles(f64, u64),
    Spread(u64, f64, f64),
    Bits(u64),
    Best(Option<(Vec<u8>, Best)>),
}

/// A value of MIN or MAX.
#[derive(Clone)]
pub(super) enum Best {
    Int(i64),
    UInt(u64),
    Double(f64),
    Other(Box<Value>),
}

impl State {
    fn memory(&self) -> usize {
        let more = match self {
            State::Best(Some((key, Best::Other(_)))) => 64 + 2 * key.capacity(),
            State::Best(Some((key, _))) => key.capacity(),
            _ => 0,
        };
        size_of::<State>() + more
    }
}

/// An aggregate over frames.
pub(super) struct Aggregated<'a> {
    call: &'a AggregateCall,
    class: Class,
    collation: Collation,
}

impl<'a> Aggregated<'a> {
    /// Of a call.
    pub(super) fn new(call: &'a AggregateCall) -> Aggregated<'a> {
        let ty = call.args.first().map(|a| &a.ty);
        Aggregated {
            call,
            class: ty.map_or(Class::Null, |ty| ty.class()),
            collation: ty.map_or(Collation::BINARY, |ty| ty.collation),
        }
    }

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

    /// The state of one row by its arguments.
    pub(super) fn one(&self, args: &[Vector], row: usize) -> State {
        let Some(arg) = args.first() else { return State::Count(1) };
        if args.iter().any(|a| a.is_null(row)) {
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
                State::Best(Some((key, self.best(arg, row))))
            }
        }
    }

    fn best(&self, arg: &Vector, row: usize) -> Best {
        match (self.class, self.call.args.first()) {
            (Class::Int | Class::Date | Class::Time | Class::DateTime, _) => Best::Int(arg.as_ints().at(row)),
            (Class::UInt, _) => Best::UInt(arg.as_uints().at(row)),
            (Class::Double, _) => Best::Double(arg.as_doubles().at(row)),
            (_, Some(expr)) => Best::Other(Box::new(raw_value(arg, row, &expr.ty))),
            (_, None) => Best::Other(Box::new(Value::Null)),
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
    pub(super) fn give(&self, state: &State, out: &mut Accumulator) {
        match (state, out) {
            (State::Count(n), Accumulator::Count(all)) => all.push(*n),
            (State::Integers(sum, n), Accumulator::Integers(all)) => all.push((*sum, *n)),
            (State::Decimals(sum, n), Accumulator::Decimals(all)) => all.push((*sum, *n)),
            (State::Doubles(sum, n), Accumulator::Doubles(all)) => all.push((*sum, *n)),
            (State::Spread(n, mean, squares), Accumulator::Spread(all)) => all.push((*n, *mean, *squares)),
            (State::Bits(bits), Accumulator::Bits(all)) => all.push(*bits),
            (State::Best(None), Accumulator::BestInts(all)) => all.push(None),
            (State::Best(None), Accumulator::BestUInts(all)) => all.push(None),
            (State::Best(None), Accumulator::BestDoubles(all)) => all.push(None),
            (State::Best(None), Accumulator::Best(all)) => all.push(None),
            (State::Best(Some((_, best))), out) => match (best, out) {
                (Best::Int(value), Accumulator::BestInts(all)) => all.push(Some(*value)),
                (Best::UInt(value), Accumulator::BestUInts(all)) => all.push(Some(*value)),
                (Best::Double(value), Accumulator::BestDoubles(all)) => all.push(Some(*value)),
                (Best::Other(value), Accumulator::Best(all)) => {
                    all.push(Some((Vec::new(), (**value).clone())));
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// The rows of a moving frame as two stacks.
pub(super) struct Moving {
    /// The frame.
    rows: Range<usize>,
    /// States of "from row n to the middle", the first row's on top.
    front: Vec<State>,
    /// The state of what came in behind the middle, and of each row of it.
    back: State,
    entered: Vec<State>,
    /// Whether rows go out again.
    slides: bool,
    reservation: Arc<Reservation>,
    charged: usize,
}

impl Moving {
    /// Before the first row of a partition that begins at `start`.
    pub(super) fn new(
        start: usize,
        slides: bool,
        of: &Aggregated<'_>,
        reservation: &Arc<Reservation>,
    ) -> Moving {
        Moving {
            rows: start..start,
            front: Vec::new(),
            back: of.empty(),
            entered: Vec::new(),
            slides,
            reservation: Arc::clone(reservation),
            charged: 0,
        }
    }

    /// The state of a frame; `one` gives that of a row.
    pub(super) fn to(
        &mut self,
        rows: Range<usize>,
        of: &Aggregated<'_>,
        one: &mut dyn FnMut(usize, &mut Run<'_, '_>) -> Result<State, SqlError>,
        run: &mut Run<'_, '_>,
    ) -> Result<State, SqlError> {
        if rows.start >= self.rows.end {
            self.front.clear();
            self.entered.clear();
            self.back = of.empty();
            self.rows = rows.start..rows.start;
        }
        while self.rows.end < rows.end {
            if self.rows.end.is_multiple_of(CHECKED_ROWS) {
                run.check()?;
            }
            let state = one(self.rows.end, run)?;
            self.back = of.merge(&self.back, &state);
            if self.slides {
                self.charge(state.memory())?;
                self.entered.push(state);
            }
            self.rows.end += 1;
        }
        while self.rows.start < rows.start {
            if self.front.is_empty() {
                // What came in so far becomes the front.
                let mut state = of.empty();
                for (at, entered) in std::mem::take(&mut self.entered).into_iter().rev().enumerate() {
                    if at.is_multiple_of(CHECKED_ROWS) {
                        run.check()?;
                    }
                    state = of.merge(&entered, &state);
                    self.front.push(state.clone());
                }
                self.back = of.empty();
            }
            self.front.pop();
            self.rows.start += 1;
        }
        Ok(match self.front.last() {
            Some(front) => of.merge(front, &self.back),
            None => self.back.clone(),
        })
    }

    /// Makes sure that there may be one state more.
    fn charge(&mut self, bytes: usize) -> Result<(), SqlError> {
        // Those of the front and those that have come in are there at the same time when the front is made.
        let wanted = (self.front.len() + 2 * (self.entered.len() + 1)) * bytes;
        if wanted > self.charged {
            let more = (wanted - self.charged).max(CHARGED_BYTES);
            self.reservation.require(more, PURPOSE)?;
            self.charged += more;
        }
        Ok(())
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.reservation.shrink(self.charged);
    }
}

/// An aggregate over the frame of every row of some partitions in memory.
pub(super) fn aggregate(
    call: &WindowCall,
    aggregate: &AggregateCall,
    (batch, args): (&Batch, &[Vector]),
    partitions: &[Partition],
    reservation: &Arc<Reservation>,
    run: &mut Run<'_, '_>,
) -> Result<Vector, SqlError> {
    let (frames, bounds) = (Frames::of(call, run)?, Bounds::of(call, batch, run)?);
    let of = Aggregated::new(aggregate);
    let mut out = Accumulator::new(aggregate);
    for partition in partitions {
        run.check()?;
        let mut moving = Moving::new(partition.rows.start, frames.slide(), &of, reservation);
        let mut walk = Walk::over(partition.rows.clone());
        let mut ordered = Whole::new(partition, &bounds);
        for row in partition.rows.clone() {
            if row.is_multiple_of(CHECKED_ROWS) {
                run.check()?;
            }
            let frame = walk.frame(row, &frames, &mut ordered, run)?;
            let state = moving.to(frame, &of, &mut |row, _| Ok(of.one(args, row)), run)?;
            of.give(&state, &mut out);
        }
    }
    Ok(out.finish(aggregate, batch.rows)?.0)
}
