//! Window functions over their collected input.
//!
//! The rows are put in the order that a call needs (partition, then ORDER BY; calls that need the same order
//! share it), partitions and peers are found by comparing neighbours, and each call is computed in one walk
//! over a partition: ranks by counting, values of other rows by position, aggregates by frames
//! ([`super::window_frame`]). So a call takes n log n at most. The rows leave in the order of the last sort, as
//! MySQL's do.
//!
//! ```text
//!   input -> Stage (sort, whole partitions, calls of one order) -> Stage (the next order) -> ... -> rows
//! ```
//! Each order is a [`Stage`]: the rows are sorted, in a temporary file if need be, and whole partitions are taken from
//! the sorted rows, some thousand rows at a time. A partition for which there is not enough memory goes on in a file
//! and is computed from there ([`super::window_list`]).

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use rustydb_sql_parser::ast::WindowFunction as W;

use super::batch::{Batch, MAX_ROWS, Slices};
use super::run::{Operator, Run};
use super::sort::InParts;
use super::sort_key::append_sorted;
use super::spill::rows::bytes_of;
use super::spill::sort::Sorter;
use super::window_frame::{Bounds, CHECKED_ROWS, Frames, Walk, Whole, aggregate};
use super::window_list::PartitionList;
use crate::database::memory::Reservation;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::expr::eval::{Frame, evaluate};
use crate::plan::SortKey;
use crate::plan::window::{Operation, WindowCall, Windows};

pub(super) const PURPOSE: &str = "window";
/// Rows in memory count so many times: as they come, as one batch, and what is computed of them.
const SHARES: usize = 3;

/// Computes the window functions of a query block.
pub struct WindowRows<'p> {
    input: Option<Box<dyn Operator + 'p>>,
    plan: &'p Windows,
    /// The last stage, and where each call's column is in what it gives.
    last: Option<(Box<Stage<'p>>, Vec<usize>)>,
    current: Slices,
}

impl<'p> WindowRows<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Windows) -> WindowRows<'p> {
        WindowRows { input: Some(input), plan, last: None, current: Slices::default() }
    }

    /// Runs all stages but the last one.
    fn begin(&mut self, run: &mut Run<'_, '_>) -> Result<(Box<Stage<'p>>, Vec<usize>), SqlError> {
        let width = self.plan.input.width();
        // Which call each column behind the input's is of.
        let mut done: Vec<usize> = Vec::with_capacity(self.plan.calls.len());
        let mut source = Source::Input(self.input.take());
        loop {
            let Some(first) = self.plan.calls.iter().enumerate().find(|(at, _)| !done.contains(at)) else {
                return Err(SqlError::unknown("plan: windows without calls"));
            };
            let columns = width + done.len();
            let mut calls = Vec::new();
            for (at, call) in self.plan.calls.iter().enumerate() {
                if !done.contains(&at) && call.same_order(first.1) {
                    calls.push(call);
                    done.push(at);
                }
            }
            let stage = Box::new(Stage::open(calls, columns, source, run)?);
            if done.len() == self.plan.calls.len() {
                let places = (0..done.len())
                    .filter_map(|call| done.iter().position(|d| *d == call).map(|place| width + place));
                return Ok((stage, places.collect()));
            }
            source = Source::Stage(stage);
        }
    }
}

impl Operator for WindowRows<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if self.last.is_none() {
            self.last = Some(self.begin(run)?);
        }
        let Some((stage, places)) = &mut self.last else { return Ok(None) };
        loop {
            if let Some(part) = self.current.next() {
                return Ok(Some(part));
            }
            let Some(found) = stage.next(run)? else { return Ok(None) };
            let mut columns: Vec<Vector> =
                found.columns.get(..self.plan.input.width()).unwrap_or_default().to_vec();
            columns.extend(places.iter().filter_map(|place| found.columns.get(*place).cloned()));
            self.current.put(Batch { columns, rows: found.rows });
        }
    }
}

/// Where the rows of a stage come from.
enum Source<'p> {
    Input(Option<Box<dyn Operator + 'p>>),
    Stage(Box<Stage<'p>>),
    Sorted(Box<InParts>),
}

impl Source<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        match self {
            Source::Input(Some(input)) => input.next(run),
            Source::Input(None) => Ok(None),
            Source::Stage(stage) => stage.next(run),
            Source::Sorted(sorted) => sorted.next(run),
        }
    }
}

/// The calls of one order.
struct Stage<'p> {
    calls: Vec<&'p WindowCall>,
    /// Columns before the keys.
    width: usize,
    keys: Rc<[SortKey]>,
    source: Source<'p>,
    /// Rows that the source gave and that were not looked at.
    waiting: Option<Batch>,
    /// The partition that did not fit into memory.
    list: Option<PartitionList<'p>>,
    reservation: Arc<Reservation>,
    /// Rows of whole partitions.
    whole: Vec<Batch>,
    /// Rows of the partition that the source is in, and its key.
    begun: Vec<Batch>,
    key: Vec<u8>,
    held: usize,
}

/// A partition of the ordered rows.
pub(super) struct Partition {
    /// Its rows.
    pub(super) rows: Range<usize>,
    /// Where each group of peers begins, and behind them the end.
    pub(super) peers: Vec<usize>,
}

impl<'p> Stage<'p> {
    /// Sorts the rows of a source.
    fn open(
        calls: Vec<&'p WindowCall>,
        width: usize,
        mut source: Source<'p>,
        run: &mut Run<'_, '_>,
    ) -> Result<Stage<'p>, SqlError> {
        let mut exprs = Vec::new();
        if let Some(first) = calls.first() {
            exprs.extend(first.partition.iter().map(|expr| (expr, false)));
            exprs.extend(first.order.iter().map(|(expr, descending)| (expr, *descending)));
        }
        let keys: Rc<[SortKey]> = exprs
            .iter()
            .enumerate()
            .map(|(at, (expr, descending))| SortKey {
                column: width + at,
                ty: expr.ty.clone(),
                descending: *descending,
            })
            .collect();
        if !keys.is_empty() {
            let mut sorter = Sorter::new(&keys, usize::MAX, run);
            while let Some(mut batch) = source.next(run)? {
                let mut values = Vec::with_capacity(exprs.len());
                let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
                for (expr, _) in &exprs {
                    values.push(evaluate(expr, &frame, &mut run.eval())?);
                }
                batch.columns.append(&mut values);
                sorter.push(batch, run)?;
                run.check()?;
            }
            source = Source::Sorted(Box::new(InParts::new(sorter.finish(run)?)));
        }
        Ok(Stage {
            calls,
            width,
            keys,
            source,
            waiting: None,
            list: None,
            reservation: Arc::new(run.context.memory.reserve()),
            whole: Vec::new(),
            begun: Vec::new(),
            key: Vec::new(),
            held: 0,
        })
    }

    /// The bytes of the first keys of a row.
    fn key_of(&self, batch: &Batch, row: usize, keys: usize, out: &mut Vec<u8>) {
        bytes_of_key(self.keys.get(..keys).unwrap_or_default(), batch, row, out);
    }

    fn partition_keys(&self) -> usize {
        self.calls.first().map_or(0, |call| call.partition.len())
    }

    /// Some rows with the columns of the calls: whole partitions, or a part of a large one.
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if let Some(list) = &mut self.list {
            if let Some(found) = list.next(run)? {
                return Ok(Some(found));
            }
            self.list = None;
        }
        while self.whole.iter().map(|b| b.rows).sum::<usize>() < MAX_ROWS {
            let Some(batch) = self.take(run)? else {
                self.whole.append(&mut self.begun);
                break;
            };
            let bytes = bytes_of(&batch) * SHARES;
            if !self.reservation.grow(bytes) {
                if self.whole.is_empty() {
                    return self.spill(batch, run);
                }
                self.waiting = Some(batch);
                break;
            }
            self.held += bytes;
            // Where the last partition of the batch begins.
            let mut last = None;
            let mut key = Vec::new();
            for row in 0..batch.rows {
                self.key_of(&batch, row, self.partition_keys(), &mut key);
                let first_of_all = row == 0 && self.begun.is_empty();
                if first_of_all || key != self.key {
                    last = Some(row);
                    std::mem::swap(&mut self.key, &mut key);
                }
            }
            match last {
                Some(row) => {
                    self.whole.append(&mut self.begun);
                    if row > 0 {
                        self.whole.push(batch.slice(0, row));
                    }
                    self.begun.push(batch.slice(row, batch.rows));
                }
                None => self.begun.push(batch),
            }
        }
        if self.whole.is_empty() {
            return Ok(None);
        }
        let batch = Batch::concat(&std::mem::take(&mut self.whole))?;
        let found = self.compute(batch, run)?;
        let begun = self.begun.iter().map(bytes_of).sum::<usize>() * SHARES;
        self.reservation.shrink(self.held.saturating_sub(begun));
        self.held = begun;
        Ok(Some(found))
    }

    /// The next rows of the source.
    fn take(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        run.check()?;
        match self.waiting.take() {
            Some(batch) => Ok(Some(batch)),
            None => self.source.next(run),
        }
    }

    /// Makes a list of the partition that has begun, or begins with a batch, and gives its first rows.
    fn spill(&mut self, batch: Batch, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let begun = std::mem::take(&mut self.begun);
        if begun.is_empty() {
            let keys = self.partition_keys();
            bytes_of_key(self.keys.get(..keys).unwrap_or_default(), &batch, 0, &mut self.key);
        }
        let shape = (self.width, &self.keys, self.partition_keys());
        self.reservation.shrink(std::mem::take(&mut self.held));
        let mut list = PartitionList::new(shape, &self.calls, &self.reservation, run)?;
        for batch in begun {
            list.push(batch)?;
            run.check()?;
        }
        self.waiting = Some(batch);
        let mut key = Vec::new();
        while let Some(batch) = self.take(run)? {
            let mut end = 0;
            while end < batch.rows {
                self.key_of(&batch, end, self.partition_keys(), &mut key);
                if key != self.key {
                    break;
                }
                end += 1;
            }
            if end < batch.rows {
                list.push(batch.slice(0, end))?;
                self.waiting = Some(batch.slice(end, batch.rows));
                break;
            }
            list.push(batch)?;
        }
        list.begin(&self.calls, run)?;
        self.list.insert(list).next(run)
    }

    /// The columns of the calls over some whole partitions.
    fn compute(&self, batch: Batch, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let partitions = self.partitions(&batch, run)?;
        let mut columns: Vec<Vector> = batch.columns.get(..self.width).unwrap_or_default().to_vec();
        for call in &self.calls {
            columns.push(call_column(call, &batch, &partitions, &self.reservation, run)?);
            run.check()?;
        }
        Ok(Batch { columns, rows: batch.rows })
    }

    fn partitions(&self, batch: &Batch, run: &Run<'_, '_>) -> Result<Vec<Partition>, SqlError> {
        let mut partitions: Vec<Partition> = Vec::new();
        let (mut part, mut key) = (Vec::new(), Vec::new());
        let (mut part_before, mut key_before) = (Vec::new(), Vec::new());
        for row in 0..batch.rows {
            if row.is_multiple_of(CHECKED_ROWS) {
                run.check()?;
            }
            self.key_of(batch, row, self.partition_keys(), &mut part);
            self.key_of(batch, row, self.keys.len(), &mut key);
            match partitions.last_mut() {
                Some(current) if part == part_before => {
                    if key != key_before {
                        current.peers.push(row);
                    }
                    current.rows.end = row + 1;
                }
                _ => partitions.push(Partition { rows: row..row + 1, peers: vec![row] }),
            }
            std::mem::swap(&mut part, &mut part_before);
            std::mem::swap(&mut key, &mut key_before);
        }
        for partition in &mut partitions {
            partition.peers.push(partition.rows.end);
        }
        Ok(partitions)
    }
}

/// The bytes of the keys of a row.
pub(super) fn bytes_of_key(keys: &[SortKey], batch: &Batch, row: usize, out: &mut Vec<u8>) {
    out.clear();
    for key in keys {
        if let Some(column) = batch.columns.get(key.column) {
            append_sorted(out, column, row, &key.ty, key.descending, false);
        }
    }
}

/// The column of a call over ordered rows.
fn call_column(
    call: &WindowCall,
    batch: &Batch,
    partitions: &[Partition],
    reservation: &Arc<Reservation>,
    run: &mut Run<'_, '_>,
) -> Result<Vector, SqlError> {
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let mut args = Vec::with_capacity(call.args.len());
    for arg in &call.args {
        args.push(evaluate(arg, &frame, &mut run.eval())?);
    }
    let function = match &call.operation {
        Operation::Aggregate(of) => {
            return aggregate(call, of, (batch, &args), partitions, reservation, run);
        }
        Operation::Function(function) => *function,
    };
    match function {
        W::RowNumber | W::Rank | W::DenseRank | W::Ntile => {
            Ok(numbers(function, &args, partitions, batch.rows))
        }
        W::PercentRank | W::CumeDist => Ok(shares(function, partitions, batch.rows)),
        W::Lead | W::Lag => neighbours(function, &args, partitions, batch.rows),
        W::FirstValue | W::LastValue | W::NthValue => {
            let (frames, bounds) = (Frames::of(call, run)?, Bounds::of(call, batch, run)?);
            let mut picks = Vec::with_capacity(batch.rows);
            for partition in partitions {
                let mut walk = Walk::over(partition.rows.clone());
                let mut ordered = Whole::new(partition, &bounds);
                for row in partition.rows.clone() {
                    if row.is_multiple_of(CHECKED_ROWS) {
                        run.check()?;
                    }
                    let rows = walk.frame(row, &frames, &mut ordered, run)?;
                    let nth = match function {
                        W::FirstValue => Some(rows.start),
                        W::LastValue => rows.end.checked_sub(1),
                        _ => {
                            count_of(args.get(1), row).and_then(|n| rows.start.checked_add(n.checked_sub(1)?))
                        }
                    };
                    picks.push(match nth.filter(|at| rows.contains(at)) {
                        Some(at) => (0, at),
                        None => (1, 0),
                    });
                }
            }
            picked(&args, &picks, 1)
        }
    }
}

/// A count that an argument gives; None for NULL and what is not positive.
pub(super) fn count_of(arg: Option<&Vector>, row: usize) -> Option<usize> {
    let arg = arg?;
    if arg.is_null(row) {
        return None;
    }
    usize::try_from(arg.as_ints().at(row)).ok()
}

/// Values of the first argument (part 0), of another part, or NULL.
fn picked(args: &[Vector], picks: &[(usize, usize)], parts: usize) -> Result<Vector, SqlError> {
    let mut from: Vec<Vector> = args.iter().take(1).cloned().collect();
    if parts > 1 {
        from.extend(args.get(2).cloned());
    }
    from.push(Vector::null(1));
    Vector::interleave(&from, picks)
}

fn numbers(function: W, args: &[Vector], partitions: &[Partition], rows: usize) -> Vector {
    let mut out: Vec<u64> = Vec::with_capacity(rows);
    let mut valid = vec![true; rows];
    for partition in partitions {
        let start = partition.rows.start;
        let size = partition.rows.len();
        match function {
            W::RowNumber => out.extend((1..=size).map(|n| n as u64)),
            W::Ntile => {
                let Some(buckets) = count_of(args.first(), start).filter(|n| *n > 0) else {
                    valid.iter_mut().skip(start).take(size).for_each(|v| *v = false);
                    out.extend(std::iter::repeat_n(0, size));
                    continue;
                };
                // The first buckets take one row more.
                let (each, more) = (size / buckets, size % buckets);
                for bucket in 0..buckets.min(size) {
                    let count = each + usize::from(bucket < more);
                    out.extend(std::iter::repeat_n(bucket as u64 + 1, count));
                }
            }
            _ => {
                for (number, peers) in partition.peers.windows(2).enumerate() {
                    let [from, to] = *peers else { continue };
                    let rank = if function == W::Rank { from - start + 1 } else { number + 1 };
                    out.extend(std::iter::repeat_n(rank as u64, to - from));
                }
            }
        }
    }
    Vector::uints(out, crate::expr::vector::nulls_from(valid))
}

fn shares(function: W, partitions: &[Partition], rows: usize) -> Vector {
    let mut out: Vec<f64> = Vec::with_capacity(rows);
    for partition in partitions {
        let (start, size) = (partition.rows.start, partition.rows.len());
        for peers in partition.peers.windows(2) {
            let [from, to] = *peers else { continue };
            let share = if function == W::CumeDist {
                (to - start) as f64 / size as f64
            } else if size > 1 {
                (from - start) as f64 / (size - 1) as f64
            } else {
                0.0
            };
            out.extend(std::iter::repeat_n(share, to - from));
        }
    }
    Vector::doubles(out, None)
}

fn neighbours(
    function: W,
    args: &[Vector],
    partitions: &[Partition],
    rows: usize,
) -> Result<Vector, SqlError> {
    let has_default = args.len() > 2;
    let mut picks = Vec::with_capacity(rows);
    for partition in partitions {
        for row in partition.rows.clone() {
            let distance = if args.len() > 1 { count_of(args.get(1), row) } else { Some(1) };
            let other = distance.and_then(|n| match function {
                W::Lead => row.checked_add(n),
                _ => row.checked_sub(n),
            });
            picks.push(match other.filter(|at| partition.rows.contains(at)) {
                Some(at) => (0, at),
                None => (1, if has_default { row } else { 0 }),
            });
        }
    }
    picked(args, &picks, if has_default { 2 } else { 1 })
}
