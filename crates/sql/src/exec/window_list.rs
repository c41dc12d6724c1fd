//! A partition that does not fit into memory: window functions over a list of rows in a file.
//!
//! The rows of the partition are a [`Rows`] in the order of the window. Every call goes over them once, some thousand
//! rows at a time, and reads what it needs of other rows through followers: cursors that move forward with it, each
//! with its own place in the file.
//!
//! ```text
//!   current row   the row whose result is computed
//!   peers         first row that is not a peer of it             ranks, RANGE
//!   key           the row that a bound by value has come to      RANGE n PRECEDING
//!   values        the row that comes into the frame, or is picked: SUM, LAST_VALUE, LAG
//! ```
//! So a partition of any size takes a record in hand for each follower. Limit: an aggregate whose frame has a moving
//! start keeps a state for each row of one frame, under the statement's grant ([`super::window_frame::Moving`]).

use std::cmp::Ordering;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use rustydb_sql_parser::ast::WindowFunction as W;

use super::accumulator::Accumulator;
use super::batch::Batch;
use super::run::Run;
use super::spill::rows::{Cursor, Rows, Space};
use super::spill::{LEAST_RECORD_BYTES, RECORD_BYTES};
use super::window::{PURPOSE, bytes_of_key, count_of};
use super::window_frame::{Aggregated, Frames, Moving, Ordered, Side, Walk, order_of_keys};
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::vector::nulls_from;
use crate::expr::{BoundExpr, Vector};
use crate::plan::SortKey;
use crate::plan::aggregate::AggregateCall;
use crate::plan::window::{Bound, Operation, WindowCall};

/// How many followers a call has.
fn followers(call: &WindowCall) -> usize {
    let of_bound = |bound: &Bound| match bound {
        Bound::Value { .. } => 2,
        Bound::Current => 1,
        Bound::Unbounded | Bound::Rows { .. } => 0,
    };
    let of_frame = of_bound(&call.start) + of_bound(&call.end);
    match &call.operation {
        Operation::Aggregate(_) => 1 + of_frame,
        Operation::Function(function) => match function {
            W::RowNumber => 0,
            W::Rank | W::DenseRank | W::PercentRank | W::CumeDist | W::Ntile => 1,
            W::Lead | W::Lag => 2,
            W::FirstValue | W::LastValue | W::NthValue => 2 + of_frame,
        },
    }
}

/// A partition in a file and the calls over it.
pub(super) struct PartitionList<'p> {
    rows: Rows,
    /// Columns of the rows before their keys.
    width: usize,
    keys: Rc<[SortKey]>,
    partition_keys: usize,
    reservation: Arc<Reservation>,
    charged: usize,
    at: usize,
    cursor: Cursor,
    calls: Vec<CallWalk<'p>>,
}

impl<'p> PartitionList<'p> {
    /// An empty one, over which calls will be computed.
    pub(super) fn new(
        (width, keys, partition_keys): (usize, &Rc<[SortKey]>, usize),
        calls: &[&WindowCall],
        reservation: &Arc<Reservation>,
        run: &Run<'_, '_>,
    ) -> Result<PartitionList<'p>, SqlError> {
        let followers = 1 + calls.iter().map(|call| followers(call)).sum::<usize>();
        let record = (reservation.allowance() / (4 * followers)).clamp(LEAST_RECORD_BYTES / 8, RECORD_BYTES);
        let columns = width + keys.len();
        let mut rows =
            Rows::within(columns, PURPOSE, Arc::clone(reservation), Space::of(run)).with_record(record);
        rows.spill()?;
        let charged = followers * record;
        reservation.require(charged, PURPOSE)?;
        Ok(PartitionList {
            rows,
            width,
            keys: Rc::clone(keys),
            partition_keys,
            reservation: Arc::clone(reservation),
            charged,
            at: 0,
            cursor: Cursor::default(),
            calls: Vec::new(),
        })
    }

    /// Appends rows.
    pub(super) fn push(&mut self, batch: Batch) -> Result<(), SqlError> {
        self.rows.push(batch)
    }

    /// Begins to compute when all rows are there.
    pub(super) fn begin(&mut self, calls: &[&'p WindowCall], run: &mut Run<'_, '_>) -> Result<(), SqlError> {
        self.rows.end()?;
        let count = usize::try_from(self.rows.len()).unwrap_or(usize::MAX);
        for call in calls {
            let peers = Peers::new(&self.keys, self.partition_keys, count);
            self.calls.push(CallWalk::new(call, peers, &self.reservation, run)?);
        }
        Ok(())
    }

    /// The next rows with the columns of the calls.
    pub(super) fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let Some(batch) = self.rows.read(&mut self.cursor, u64::MAX)? else { return Ok(None) };
        let range = self.at..self.at + batch.rows;
        self.at = range.end;
        let mut columns: Vec<Vector> = batch.columns.get(..self.width).unwrap_or_default().to_vec();
        for call in &mut self.calls {
            columns.push(call.column(&self.rows, range.clone(), run)?);
            run.check()?;
        }
        Ok(Some(Batch { columns, rows: batch.rows }))
    }
}

impl Drop for PartitionList<'_> {
    fn drop(&mut self) {
        self.reservation.shrink(self.charged);
    }
}

/// Reads rows of a list as they are asked for, and evaluates expressions over them.
struct Follower<'p> {
    exprs: Vec<&'p BoundExpr>,
    cursor: Cursor,
    /// The first of the rows in hand.
    start: usize,
    batch: Batch,
    values: Vec<Vector>,
    /// Which part of the values being gathered they are.
    part: Option<usize>,
}

impl<'p> Follower<'p> {
    fn new(exprs: impl IntoIterator<Item = &'p BoundExpr>) -> Follower<'p> {
        Follower {
            exprs: exprs.into_iter().collect(),
            cursor: Cursor::default(),
            start: 0,
            batch: Batch { columns: Vec::new(), rows: 0 },
            values: Vec::new(),
            part: None,
        }
    }

    /// Brings a row into hand; gives its place among the rows in hand.
    fn at(&mut self, row: usize, list: &Rows, run: &mut Run<'_, '_>) -> Result<usize, SqlError> {
        let there = row.checked_sub(self.start).filter(|at| *at < self.batch.rows);
        if let Some(at) = there {
            return Ok(at);
        }
        run.check()?;
        self.cursor.seek(row as u64);
        self.batch = list
            .read(&mut self.cursor, u64::MAX)?
            .ok_or_else(|| SqlError::unknown("window: a row beyond its partition"))?;
        self.start = row;
        self.part = None;
        self.values.clear();
        let frame = Frame::new(&self.batch.columns, self.batch.rows).with_subqueries(run.subqueries);
        for expr in &self.exprs {
            self.values.push(evaluate(expr, &frame, &mut run.eval())?);
        }
        Ok(0)
    }

    fn value(&self, number: usize) -> Result<&Vector, SqlError> {
        self.values.get(number).ok_or_else(|| SqlError::unknown("window: an argument that is not there"))
    }
}

/// Values that are picked row by row.
#[derive(Default)]
struct Gathered {
    parts: Vec<Vector>,
    picks: Vec<Option<(usize, usize)>>,
}

impl Gathered {
    /// The value of a follower's row.
    fn pick(&mut self, follower: &mut Follower<'_>, number: usize, at: usize) -> Result<(), SqlError> {
        let part = match follower.part {
            Some(part) => part,
            None => {
                self.parts.push(follower.value(number)?.clone());
                *follower.part.insert(self.parts.len() - 1)
            }
        };
        self.picks.push(Some((part, at)));
        Ok(())
    }

    fn finish(mut self) -> Result<Vector, SqlError> {
        let null = (self.parts.len(), 0);
        self.parts.push(Vector::null(1));
        let picks: Vec<(usize, usize)> = self.picks.into_iter().map(|pick| pick.unwrap_or(null)).collect();
        Vector::interleave(&self.parts, &picks)
    }
}

/// The peers of one row after the other.
struct Peers<'p> {
    follower: Follower<'p>,
    keys: Rc<[SortKey]>,
    /// All rows are peers.
    all: bool,
    count: usize,
    current: Range<usize>,
    /// How many groups of peers there were, with the current one.
    number: u64,
    /// The key of the row behind the current ones.
    key: Vec<u8>,
}

impl Peers<'_> {
    fn new(keys: &Rc<[SortKey]>, partition_keys: usize, count: usize) -> Peers<'static> {
        Peers {
            follower: Follower::new([]),
            keys: Rc::clone(keys),
            all: keys.len() == partition_keys,
            count,
            current: 0..0,
            number: 0,
            key: Vec::new(),
        }
    }

    fn of(&mut self, row: usize, list: &Rows, run: &mut Run<'_, '_>) -> Result<Range<usize>, SqlError> {
        if self.all {
            self.number = 1;
            return Ok(0..self.count);
        }
        let mut key = Vec::new();
        while row >= self.current.end && self.current.end < self.count {
            let start = self.current.end;
            let mut end = start + 1;
            if start == 0 {
                let at = self.follower.at(start, list, run)?;
                bytes_of_key(&self.keys, &self.follower.batch, at, &mut self.key);
            }
            while end < self.count {
                let at = self.follower.at(end, list, run)?;
                bytes_of_key(&self.keys, &self.follower.batch, at, &mut key);
                if key != self.key {
                    std::mem::swap(&mut key, &mut self.key);
                    break;
                }
                end += 1;
            }
            self.current = start..end;
            self.number += 1;
        }
        Ok(self.current.clone())
    }
}

/// A bound by value: the rows that its keys have come to, and the current row with its value.
struct ValueBound<'p> {
    key: Follower<'p>,
    value: Follower<'p>,
    class: crate::expr::Class,
}

impl<'p> ValueBound<'p> {
    fn of(bound: &'p Bound) -> Option<ValueBound<'p>> {
        let Bound::Value { key, value } = bound else { return None };
        Some(ValueBound { class: key.ty.class(), key: Follower::new([key]), value: Follower::new([value]) })
    }
}

/// What frames need of a list.
struct Ends<'p> {
    peers: Peers<'p>,
    start: Option<ValueBound<'p>>,
    end: Option<ValueBound<'p>>,
}

/// The same with the list.
struct Listed<'a, 'p> {
    ends: &'a mut Ends<'p>,
    list: &'a Rows,
}

impl<'p> Listed<'_, 'p> {
    fn bound(&mut self, side: Side) -> Result<&mut ValueBound<'p>, SqlError> {
        let bound = if side == Side::Start { &mut self.ends.start } else { &mut self.ends.end };
        bound.as_mut().ok_or_else(|| SqlError::unknown("window: a frame without its bound"))
    }
}

impl Ordered for Listed<'_, '_> {
    fn peers(&mut self, row: usize, run: &mut Run<'_, '_>) -> Result<Range<usize>, SqlError> {
        self.ends.peers.of(row, self.list, run)
    }

    fn is_null(&mut self, side: Side, row: usize, run: &mut Run<'_, '_>) -> Result<bool, SqlError> {
        let list = self.list;
        let bound = self.bound(side)?;
        let at = bound.value.at(row, list, run)?;
        Ok(bound.value.value(0)?.is_null(at))
    }

    fn order(
        &mut self,
        side: Side,
        at: usize,
        row: usize,
        run: &mut Run<'_, '_>,
    ) -> Result<Option<Ordering>, SqlError> {
        let list = self.list;
        let bound = self.bound(side)?;
        let (at, row) = (bound.key.at(at, list, run)?, bound.value.at(row, list, run)?);
        Ok(order_of_keys((bound.key.value(0)?, at), (bound.value.value(0)?, row), bound.class))
    }
}

/// A call on its way over a partition.
struct CallWalk<'p> {
    call: &'p WindowCall,
    count: usize,
    frames: Frames,
    walk: Walk,
    ends: Ends<'p>,
    /// Evaluates all arguments of an aggregate, the first one of a function.
    values: Follower<'p>,
    /// The further arguments of a function, of the current row.
    further: Follower<'p>,
    moving: Option<Moving>,
}

impl<'p> CallWalk<'p> {
    fn new(
        call: &'p WindowCall,
        peers: Peers<'p>,
        reservation: &Arc<Reservation>,
        run: &mut Run<'_, '_>,
    ) -> Result<CallWalk<'p>, SqlError> {
        let frames = Frames::of(call, run)?;
        let (moving, first) = match &call.operation {
            Operation::Aggregate(of) => {
                (Some(Moving::new(0, frames.slide(), &Aggregated::new(of), reservation)), usize::MAX)
            }
            Operation::Function(_) => (None, 1),
        };
        Ok(CallWalk {
            call,
            count: peers.count,
            walk: Walk::over(0..peers.count),
            frames,
            ends: Ends { peers, start: ValueBound::of(&call.start), end: ValueBound::of(&call.end) },
            values: Follower::new(call.args.iter().take(first)),
            further: Follower::new(call.args.iter().skip(first)),
            moving,
        })
    }

    fn frame(&mut self, row: usize, list: &Rows, run: &mut Run<'_, '_>) -> Result<Range<usize>, SqlError> {
        self.walk.frame(row, &self.frames, &mut Listed { ends: &mut self.ends, list }, run)
    }

    /// The results of the next rows.
    fn column(&mut self, list: &Rows, rows: Range<usize>, run: &mut Run<'_, '_>) -> Result<Vector, SqlError> {
        let call = self.call;
        match &call.operation {
            Operation::Aggregate(of) => self.aggregate(of, list, rows, run),
            Operation::Function(function) => match function {
                W::RowNumber | W::Rank | W::DenseRank => self.ranks(*function, list, rows, run),
                W::Ntile => self.buckets(list, rows, run),
                W::PercentRank | W::CumeDist => self.shares(*function, list, rows, run),
                W::Lead | W::Lag => self.neighbours(*function, list, rows, run),
                W::FirstValue | W::LastValue | W::NthValue => self.picked(*function, list, rows, run),
            },
        }
    }

    fn aggregate(
        &mut self,
        call: &AggregateCall,
        list: &Rows,
        rows: Range<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vector, SqlError> {
        let of = Aggregated::new(call);
        let mut out = Accumulator::new(call);
        let count = rows.len();
        for row in rows {
            let frame = self.frame(row, list, run)?;
            let CallWalk { moving: Some(moving), values, .. } = self else { continue };
            let mut one = |row: usize, run: &mut Run<'_, '_>| {
                if values.exprs.is_empty() {
                    return Ok(of.one(&[], 0));
                }
                let at = values.at(row, list, run)?;
                Ok(of.one(&values.values, at))
            };
            let state = moving.to(frame, &of, &mut one, run)?;
            of.give(&state, &mut out);
        }
        Ok(out.finish(call, count)?.0)
    }

    fn ranks(
        &mut self,
        function: W,
        list: &Rows,
        rows: Range<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vector, SqlError> {
        let mut out: Vec<u64> = Vec::with_capacity(rows.len());
        for row in rows {
            out.push(match function {
                W::RowNumber => row as u64 + 1,
                W::Rank => self.ends.peers.of(row, list, run)?.start as u64 + 1,
                _ => {
                    self.ends.peers.of(row, list, run)?;
                    self.ends.peers.number
                }
            });
        }
        Ok(Vector::uints(out, None))
    }

    fn buckets(
        &mut self,
        list: &Rows,
        rows: Range<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vector, SqlError> {
        let at = self.values.at(0, list, run)?;
        let Some(buckets) = count_of(self.values.values.first(), at).filter(|n| *n > 0) else {
            return Ok(Vector::uints(vec![0; rows.len()], nulls_from(vec![false; rows.len()])));
        };
        // The first buckets take one row more.
        let (each, more) = (self.count / buckets, self.count % buckets);
        let longer = more * (each + 1);
        let bucket = |row: usize| match row.checked_sub(longer) {
            Some(behind) => more + behind.checked_div(each).unwrap_or(0) + 1,
            None => row / (each + 1) + 1,
        };
        Ok(Vector::uints(rows.map(|row| bucket(row) as u64).collect(), None))
    }

    fn shares(
        &mut self,
        function: W,
        list: &Rows,
        rows: Range<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vector, SqlError> {
        let mut out: Vec<f64> = Vec::with_capacity(rows.len());
        for row in rows {
            let peers = self.ends.peers.of(row, list, run)?;
            out.push(match function {
                W::CumeDist => peers.end as f64 / self.count as f64,
                _ if self.count > 1 => peers.start as f64 / (self.count - 1) as f64,
                _ => 0.0,
            });
        }
        Ok(Vector::doubles(out, None))
    }

    fn neighbours(
        &mut self,
        function: W,
        list: &Rows,
        rows: Range<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vector, SqlError> {
        let mut out = self.gather();
        for row in rows {
            let distance = match self.further.exprs.is_empty() {
                true => Some(1),
                false => {
                    let at = self.further.at(row, list, run)?;
                    count_of(self.further.values.first(), at)
                }
            };
            let other = distance.and_then(|n| match function {
                W::Lead => row.checked_add(n).filter(|other| *other < self.count),
                _ => row.checked_sub(n),
            });
            if let Some(other) = other {
                let at = self.values.at(other, list, run)?;
                out.pick(&mut self.values, 0, at)?;
            } else if self.further.exprs.len() > 1 {
                let at = self.further.at(row, list, run)?;
                out.pick(&mut self.further, 1, at)?;
            } else {
                out.picks.push(None);
            }
        }
        out.finish()
    }

    fn picked(
        &mut self,
        function: W,
        list: &Rows,
        rows: Range<usize>,
        run: &mut Run<'_, '_>,
    ) -> Result<Vector, SqlError> {
        let mut out = self.gather();
        for row in rows {
            let frame = self.frame(row, list, run)?;
            let nth = match function {
                W::FirstValue => Some(frame.start),
                W::LastValue => frame.end.checked_sub(1),
                _ => {
                    let at = self.further.at(row, list, run)?;
                    count_of(self.further.values.first(), at)
                        .and_then(|n| frame.start.checked_add(n.checked_sub(1)?))
                }
            };
            match nth.filter(|at| frame.contains(at)) {
                Some(other) => {
                    let at = self.values.at(other, list, run)?;
                    out.pick(&mut self.values, 0, at)?;
                }
                None => out.picks.push(None),
            }
        }
        out.finish()
    }

    /// Begins to gather values for some rows.
    fn gather(&mut self) -> Gathered {
        self.values.part = None;
        self.further.part = None;
        Gathered::default()
    }
}
