//! What is about evaluation itself: SLEEP, BENCHMARK, ANY_VALUE, NAME_CONST, the cuts of CAST.
//!
//! IF, IFNULL, NULLIF, COALESCE and CASE are nodes of the tree, since they leave operands out.

use std::time::Duration;

use rustydb_transaction::Cancel;

use super::{Call, Function, Invocation, StringWriter};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType, Kind};
use crate::expr::vector::{Builder, Vector, nulls_from};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("sleep", (1, 1), "Waits so many seconds; 0, or 1 if it was interrupted", bind_sleep, sleep)
        .volatile(),
    Function::new(
        "any_value",
        (1, 1),
        "The argument, allowed where only grouped columns are",
        |call| Ok(call.ty(0)),
        |_, args, rows| Ok(args.first().cloned().unwrap_or_else(|| Vector::null(rows))),
    ),
    Function::new(
        "benchmark",
        (2, 2),
        "Computes the second argument so many times and gives 0",
        |call| {
            call.to_int(0);
            Ok(ExprType::boolean())
        },
        benchmark,
    )
    .volatile(),
    Function::new("name_const", (2, 2), "A constant under a name", bind_name_const, |_, a, n| {
        Ok(a.get(1).cloned().unwrap_or_else(|| Vector::null(n)))
    }),
    Function::new("cast as char", (2, 2), "CAST(text AS CHAR(n)): the first n characters", bind_cut, cut),
    Function::new(
        "cast as binary",
        (2, 2),
        "CAST(value AS BINARY(n)): exactly n bytes",
        bind_cut_bytes,
        cut_bytes,
    ),
    Function::new("cast as year", (1, 1), "CAST(value AS YEAR)", bind_year, year),
];

fn bind_sleep(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_double(0);
    Ok(ExprType::int(21).not_null())
}

fn sleep(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [seconds] = args else { return Ok(Vector::null(rows)) };
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let wanted = seconds.as_doubles().at(row);
        if seconds.is_null(row) || wanted < 0.0 {
            return Err(SqlError::wrong_arguments("sleep"));
        }
        let duration = Duration::try_from_secs_f64(wanted).unwrap_or(Duration::MAX);
        out.push(i64::from(wait(run.context.cancel, duration)));
    }
    Ok(Vector::ints(out, None))
}

/// Wakes the thread that sleeps.
struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Sleeps until the time has passed or the statement is cancelled; whether it was.
fn wait(cancel: &Cancel, duration: Duration) -> bool {
    let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let _registered = cancel.register(waker);
    let begun = std::time::Instant::now();
    while !cancel.is_cancelled() {
        let Some(left) = duration.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else {
            return false;
        };
        std::thread::park_timeout(left);
    }
    true
}

fn benchmark(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(count) = args.first() else { return Ok(Vector::null(rows)) };
    let Some(work) = run.args.get(1) else { return Ok(Vector::null(rows)) };
    if !work.is_row_free() || work.any(&mut |e| matches!(e.node, crate::expr::Node::Subquery { .. })) {
        return Err(SqlError::not_supported("BENCHMARK of what reads rows"));
    }
    let frame = crate::expr::Frame::constant();
    let mut found = Vec::with_capacity(rows);
    for row in 0..rows {
        let times = count.as_ints().at(row);
        if count.is_null(row) || times < 0 {
            if times < 0 {
                run.warn(SqlError::wrong_value_for_type("count", times, "benchmark"));
            }
            found.push(None);
            continue;
        }
        for _ in 0..times {
            if run.context.cancel.is_cancelled() {
                return Ok(Vector::null(rows));
            }
            crate::expr::evaluate(work, &frame, run.context)?;
        }
        found.push(Some(0));
    }
    Ok(super::each_int(rows, |row| found.get(row).copied().flatten()))
}

fn bind_name_const(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let literal = |at: usize| {
        let arg = call.args.get(at);
        arg.is_some_and(|a| matches!(a.node, crate::expr::Node::Literal(_)))
    };
    if !literal(0) || !literal(1) {
        return Err(SqlError::wrong_arguments("NAME_CONST"));
    }
    Ok(call.ty(1).with_nullable(true))
}

fn bind_cut(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let length = u32::try_from(call.constant_int(1).unwrap_or(0)).unwrap_or(u32::MAX);
    let ty = call.ty(0);
    Ok(ExprType { length, ..ty })
}

fn cut(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [text, length] = args else { return Ok(Vector::null(rows)) };
    let most = usize::try_from(length.as_ints().at(0)).unwrap_or(usize::MAX);
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if text.is_null(row) {
            out.push_null();
            continue;
        }
        let bytes = text.bytes(row);
        let end = if run.ty.class() == Class::Text {
            text.text(row).char_indices().nth(most).map_or(bytes.len(), |(at, _)| at)
        } else {
            most.min(bytes.len())
        };
        let kept = bytes.get(..end).unwrap_or(bytes);
        if end < bytes.len() {
            let kind = if run.ty.class() == Class::Text { "CHAR" } else { "BINARY" };
            let shown = crate::expr::coerce::shorten(bytes);
            run.warn(SqlError::truncated_wrong_value(format_args!("{kind}({most})"), shown));
        }
        out.push(kept);
    }
    Ok(out.finish())
}

fn bind_cut_bytes(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    bind_cut(call)
}

fn cut_bytes(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [_, length] = args else { return Ok(Vector::null(rows)) };
    let wanted = usize::try_from(length.as_ints().at(0)).unwrap_or(0);
    let shorter = cut(run, args, rows)?;
    let mut out = Builder::of(run.ty, rows);
    let mut buffer = Vec::new();
    for row in 0..rows {
        if shorter.is_null(row) {
            out.push_null();
            continue;
        }
        buffer.clear();
        buffer.extend_from_slice(shorter.bytes(row));
        // BINARY(n) is filled with zero bytes.
        buffer.resize(wanted.min(super::string::packet_limit(run)), 0);
        out.push_bytes(&buffer);
    }
    Ok(out.finish())
}

fn bind_year(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    match call.class(0) {
        Class::Date | Class::DateTime => call.to(0, ExprType::date()),
        _ => call.to_int(0),
    }
    Ok(ExprType { kind: Kind::Year, ..ExprType::uint(4) })
}

fn year(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [value] = args else { return Ok(Vector::null(rows)) };
    let from_date = run.arg_ty(0).is_some_and(|t| t.class() == Class::Date);
    let mut valid = Vec::with_capacity(rows);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        if value.is_null(row) {
            valid.push(false);
            out.push(0);
            continue;
        }
        let raw = value.as_ints().at(row);
        let year = if from_date {
            rustydb_value::Date::from_packed(raw).map_or(0, |d| i64::from(d.year()))
        } else {
            match raw {
                0 => 0,
                1..=69 => raw + 2000,
                70..=99 => raw + 1900,
                other => other,
            }
        };
        if year == 0 || (1901..=2155).contains(&year) {
            valid.push(true);
            out.push(year as u64);
        } else {
            run.warn(SqlError::truncated_wrong_value("YEAR", raw));
            valid.push(false);
            out.push(0);
        }
    }
    Ok(Vector::uints(out, nulls_from(valid)))
}
