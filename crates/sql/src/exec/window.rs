//! Window functions over their collected input.
//!
//! The rows are put in the order that a call needs (partition, then ORDER BY; calls that need the same order
//! share it), partitions and peers are found by comparing neighbours, and each call is computed in one walk
//! over a partition: ranks by counting, values of other rows by position, aggregates by frames
//! ([`super::window_frame`]). So a call takes n log n at most. The rows leave in the order of the last sort, as
//! MySQL's do.
//!
//! The input is held in memory under the statement's grant.

use std::ops::Range;

use arrow_array::UInt32Array;
use rustydb_sql_parser::ast::WindowFunction as W;

use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run};
use super::shared::collect;
use super::sort_key::append_sorted;
use super::window_frame::{Frames, aggregate};
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::{BoundExpr, Vector};
use crate::plan::window::{Operation, WindowCall, Windows};

/// Computes the window functions of a query block.
pub struct WindowRows<'p> {
    input: Option<Box<dyn Operator + 'p>>,
    plan: &'p Windows,
    result: Option<(Batch, usize)>,
}

impl<'p> WindowRows<'p> {
    /// Over an input.
    pub fn new(input: Box<dyn Operator + 'p>, plan: &'p Windows) -> WindowRows<'p> {
        WindowRows { input: Some(input), plan, result: None }
    }

    fn compute(&mut self, run: &mut Run<'_, '_>) -> Result<Batch, SqlError> {
        let width = self.plan.input.width();
        let Some(mut input) = self.input.take() else { return Ok(Batch { columns: Vec::new(), rows: 0 }) };
        let mut batch = collect(input.as_mut(), width, "window", run)?;
        drop(input);
        if batch.rows == 0 {
            return Ok(batch);
        }
        // Which call each column behind the input's is of.
        let mut done: Vec<usize> = Vec::with_capacity(self.plan.calls.len());
        for (at, first) in self.plan.calls.iter().enumerate() {
            if done.contains(&at) {
                continue;
            }
            let (ordered, partitions) = arrange(batch, first, run)?;
            batch = ordered;
            for (other, call) in self.plan.calls.iter().enumerate().skip(at) {
                if done.contains(&other) || !call.same_order(first) {
                    continue;
                }
                let column = call_column(call, &batch, &partitions, run)?;
                run.hold(column.memory(), "window")?;
                batch.columns.push(column);
                done.push(other);
                run.check()?;
            }
        }
        let mut columns: Vec<Vector> = batch.columns.get(..width).unwrap_or(&[]).to_vec();
        for call in 0..done.len() {
            let place = done.iter().position(|d| *d == call).map(|place| width + place);
            if let Some(column) = place.and_then(|place| batch.columns.get(place)) {
                columns.push(column.clone());
            }
        }
        Ok(Batch { columns, rows: batch.rows })
    }
}

impl Operator for WindowRows<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let (batch, at) = match &mut self.result {
            Some(result) => result,
            None => {
                let batch = self.compute(run)?;
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

/// A partition of the ordered rows.
pub(super) struct Partition {
    /// Its rows.
    pub(super) rows: Range<usize>,
    /// Where each group of peers begins, and behind them the end.
    pub(super) peers: Vec<usize>,
}

/// Puts rows in the order of a window and finds its partitions.
fn arrange(
    batch: Batch,
    call: &WindowCall,
    run: &mut Run<'_, '_>,
) -> Result<(Batch, Vec<Partition>), SqlError> {
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let mut keys: Vec<(Vector, &BoundExpr, bool)> = Vec::new();
    for expr in &call.partition {
        keys.push((evaluate(expr, &frame, &mut run.eval())?, expr, false));
    }
    for (expr, descending) in &call.order {
        keys.push((evaluate(expr, &frame, &mut run.eval())?, expr, *descending));
    }
    // The key of a row, and how much of it is of the partition.
    let mut rows: Vec<(Vec<u8>, usize, u32)> = Vec::with_capacity(batch.rows);
    let mut held = 0;
    for row in 0..batch.rows {
        let mut bytes = Vec::new();
        let mut partition = 0;
        for (at, (vector, expr, descending)) in keys.iter().enumerate() {
            append_sorted(&mut bytes, vector, row, &expr.ty, *descending, false);
            if at + 1 == call.partition.len() {
                partition = bytes.len();
            }
        }
        held += bytes.len() + size_of::<(Vec<u8>, usize, u32)>();
        rows.push((bytes, partition, row as u32));
    }
    run.hold(held, "sort")?;
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut partitions: Vec<Partition> = Vec::new();
    for (at, (bytes, partition, _)) in rows.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| rows.get(before));
        let same_partition =
            before.is_some_and(|(other, length, _)| other.get(..*length) == bytes.get(..*partition));
        match partitions.last_mut() {
            Some(current) if same_partition => {
                if before.is_some_and(|(other, _, _)| other != bytes) {
                    current.peers.push(at);
                }
                current.rows.end = at + 1;
            }
            _ => partitions.push(Partition { rows: at..at + 1, peers: vec![at] }),
        }
    }
    for partition in &mut partitions {
        partition.peers.push(partition.rows.end);
    }
    let order: Vec<u32> = rows.iter().map(|(_, _, row)| *row).collect();
    drop(keys);
    drop(rows);
    run.release(held);
    let batch = batch.select(Some(&UInt32Array::from(order)))?;
    Ok((batch, partitions))
}

/// The column of a call over ordered rows.
fn call_column(
    call: &WindowCall,
    batch: &Batch,
    partitions: &[Partition],
    run: &mut Run<'_, '_>,
) -> Result<Vector, SqlError> {
    let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
    let mut args = Vec::with_capacity(call.args.len());
    for arg in &call.args {
        args.push(evaluate(arg, &frame, &mut run.eval())?);
    }
    let function = match &call.operation {
        Operation::Aggregate(of) => {
            let frames = Frames::of(call, batch, run)?;
            return aggregate(of, &args, &frames, partitions, batch.rows, run);
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
            let frames = Frames::of(call, batch, run)?;
            let mut picks = Vec::with_capacity(batch.rows);
            for partition in partitions {
                let mut walk = frames.walk(partition);
                for row in partition.rows.clone() {
                    let rows = walk.frame(row);
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
fn count_of(arg: Option<&Vector>, row: usize) -> Option<usize> {
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
