//! Clocks and times of day: NOW and its kin, UNIX_TIMESTAMP, TIME arithmetic.
//!
//! All of a statement sees one moment; only SYSDATE looks at the clock again.

use rustydb_value::{DateTime, Time, ValueRef};

use super::{Call, Function, Invocation, any_null};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Builder, Vector, nulls_from, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("now", (0, 1), "Date and time of the statement", bind_now, now)
        .aliases(&["current_timestamp", "localtime", "localtimestamp"])
        .session(),
    Function::new("sysdate", (0, 1), "Date and time of this moment", bind_now, sysdate).volatile().session(),
    Function::new("utc_timestamp", (0, 1), "Date and time of the statement in UTC", bind_now, utc_timestamp)
        .session(),
    Function::new(
        "curdate",
        (0, 0),
        "Date of the statement",
        |_| Ok(ExprType::date().not_null()),
        |r, _, n| {
            let today = r.context.session.now().date();
            Ok(Vector::constant(ValueRef::Date(today), r.ty, n))
        },
    )
    .aliases(&["current_date"])
    .session(),
    Function::new(
        "utc_date",
        (0, 0),
        "Date of the statement in UTC",
        |_| Ok(ExprType::date().not_null()),
        |r, _, n| {
            let today = r.context.session.now_utc().date();
            Ok(Vector::constant(ValueRef::Date(today), r.ty, n))
        },
    )
    .session(),
    Function::new("curtime", (0, 1), "Time of day of the statement", bind_curtime, |r, _, n| {
        let now = r.context.session.now();
        clock(r, now, n)
    })
    .aliases(&["current_time"])
    .session(),
    Function::new("utc_time", (0, 1), "Time of day of the statement in UTC", bind_curtime, |r, _, n| {
        let now = r.context.session.now_utc();
        clock(r, now, n)
    })
    .session(),
    Function::new(
        "unix_timestamp",
        (0, 1),
        "Seconds since 1970-01-01 UTC",
        bind_unix_timestamp,
        unix_timestamp,
    )
    .session(),
    Function::new("time", (1, 1), "The time of day", bind_time, same),
    Function::new(
        "hour",
        (1, 1),
        "Hour",
        |c| bind_time_part(c, 4),
        |_, a, n| time_part(a, n, |t| i64::from(t.hour())),
    ),
    Function::new(
        "minute",
        (1, 1),
        "Minute",
        |c| bind_time_part(c, 3),
        |_, a, n| time_part(a, n, |t| i64::from(t.minute())),
    ),
    Function::new(
        "second",
        (1, 1),
        "Second",
        |c| bind_time_part(c, 3),
        |_, a, n| time_part(a, n, |t| i64::from(t.second())),
    ),
    Function::new(
        "microsecond",
        (1, 1),
        "Microseconds",
        |c| bind_time_part(c, 21),
        |_, a, n| time_part(a, n, |t| i64::from(t.micro())),
    ),
    Function::new(
        "time_to_sec",
        (1, 1),
        "A time in seconds",
        |c| bind_time_part(c, 10),
        |_, a, n| time_part(a, n, |t| t.micros() / 1_000_000),
    ),
    Function::new("sec_to_time", (1, 1), "Seconds as a time", bind_sec_to_time, sec_to_time),
    Function::new("maketime", (3, 3), "The time of an hour, a minute and a second", bind_maketime, maketime),
    Function::new("timediff", (2, 2), "The first time less the second", bind_timediff, timediff),
    Function::new(
        "addtime",
        (2, 2),
        "The sum of a time (or date and time) and a time",
        bind_addtime,
        |r, a, n| addtime(r, a, n, 1),
    ),
    Function::new("subtime", (2, 2), "A time (or date and time) less a time", bind_addtime, |r, a, n| {
        addtime(r, a, n, -1)
    }),
];

/// The fractional digits that a constant first argument asks for.
fn wanted_fsp(call: &Call<'_>) -> Result<u8, SqlError> {
    let fsp = if call.count() == 0 { 0 } else { call.constant_int(0).unwrap_or(-1) };
    u8::try_from(fsp)
        .ok()
        .filter(|f| *f <= 6)
        .ok_or_else(|| SqlError::precision_too_big(fsp, call.function.name, 6))
}

fn bind_now(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fsp = wanted_fsp(call)?;
    Ok(ExprType::datetime(fsp).not_null())
}

fn moment(run: &Invocation<'_, '_>, value: DateTime, rows: usize) -> Result<Vector, SqlError> {
    Ok(Vector::constant(ValueRef::DateTime(value.truncate(run.ty.decimals)), run.ty, rows))
}

fn now(run: &mut Invocation<'_, '_>, _: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    moment(run, run.context.session.now(), rows)
}

fn utc_timestamp(run: &mut Invocation<'_, '_>, _: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    moment(run, run.context.session.now_utc(), rows)
}

fn sysdate(run: &mut Invocation<'_, '_>, _: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let micros = i64::try_from(run.context.session.clock().wall_micros()).unwrap_or(i64::MAX);
    let utc = DateTime::from_micros_since_epoch(micros, 6).unwrap_or(DateTime::ZERO);
    let local = utc.to_local(run.context.session.settings.time_zone).unwrap_or(utc);
    moment(run, local, rows)
}

fn bind_curtime(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fsp = wanted_fsp(call)?;
    // One character less than a TIME: there is no sign and no third digit of hours.
    let ty = ExprType::time(fsp);
    Ok(ExprType { length: ty.length - 2, ..ty }.not_null())
}

fn clock(run: &Invocation<'_, '_>, now: DateTime, rows: usize) -> Result<Vector, SqlError> {
    Ok(Vector::constant(ValueRef::Time(now.time().truncate(run.ty.decimals)), run.ty, rows))
}

fn bind_unix_timestamp(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() == 0 {
        return Ok(ExprType::int(21).not_null());
    }
    let fsp = call.fsp(0);
    let nullable = call.nullable();
    call.to_datetime(0);
    Ok(if fsp == 0 {
        ExprType::int(21).with_nullable(nullable)
    } else {
        ExprType::decimal(11 + u32::from(fsp), fsp, false).with_nullable(nullable)
    })
}

fn unix_timestamp(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else {
        let seconds = i64::try_from(run.context.session.statement_micros / 1_000_000).unwrap_or(i64::MAX);
        return Ok(Vector::constant(ValueRef::Int(seconds), run.ty, rows));
    };
    let zone = run.context.session.settings.time_zone;
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        // A text that is no date is 0, not NULL.
        if a.is_null(row) && run.ty.nullable {
            out.push_null();
            continue;
        }
        let utc = DateTime::from_packed(a.as_ints().at(row), 6).and_then(|d| d.to_utc(zone));
        // What no TIMESTAMP can hold is 0.
        let micros = utc.and_then(DateTime::micros_since_epoch).filter(|m| *m >= 0).unwrap_or(0);
        if run.ty.class() == Class::Int {
            out.push(ValueRef::Int(micros / 1_000_000));
        } else {
            let exact =
                rustydb_value::Decimal::new(i128::from(micros), 6).and_then(|d| d.round(run.ty.decimals));
            out.push(ValueRef::Decimal(exact.map_err(|_| run.out_of_range())?));
        }
    }
    Ok(out.finish())
}

fn same(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    Ok(args.first().cloned().unwrap_or_else(|| Vector::null(rows)))
}

fn bind_time(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_time(0);
    Ok(ExprType::time(call.ty(0).decimals))
}

fn bind_time_part(call: &mut Call<'_>, length: u32) -> Result<ExprType, SqlError> {
    call.to_time(0);
    Ok(ExprType::int(length))
}

fn time_part(args: &[Vector], rows: usize, f: fn(Time) -> i64) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let out = (0..rows).map(|row| Time::from_micros(a.as_ints().at(row), 6).map_or(0, f)).collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn bind_sec_to_time(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fsp = call.digits_of_seconds(0);
    call.to(0, ExprType::decimal(20 + u32::from(fsp), fsp, false));
    Ok(ExprType::time(fsp))
}

fn sec_to_time(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let Some(ty) = run.arg_ty(0).cloned() else { return Ok(Vector::null(rows)) };
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        if a.is_null(row) {
            out.push(0);
            continue;
        }
        let seconds = super::math::decimal_at(a, row, &ty);
        let micros = (seconds.to_f64() * 1e6).round().clamp(-1e16, 1e16) as i64;
        let time = Time::clamped(micros, run.ty.decimals);
        if time.micros() != micros {
            let text = ValueRef::Decimal(seconds).to_text();
            run.warn(SqlError::truncated_wrong_value("time", String::from_utf8_lossy(&text)));
        }
        out.push(time.micros());
    }
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn bind_maketime(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_length(0);
    call.to_int(1);
    let fsp = call.digits_of_seconds(2);
    call.to_double(2);
    Ok(ExprType::time(fsp))
}

fn maketime(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [hour, minute, second] = args else { return Ok(Vector::null(rows)) };
    let hour = run.lengths(hour, 0);
    let mut valid = Vec::with_capacity(rows);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let (h, m, s) = (hour(row), minute.as_ints().at(row), second.as_doubles().at(row));
        if any_null(args, row) || !(0..60).contains(&m) || !(0.0..60.0).contains(&s) {
            valid.push(false);
            out.push(0);
            continue;
        }
        let amount =
            h.unsigned_abs().min(839) as i64 * 3_600_000_000 + m * 60_000_000 + (s * 1e6).round() as i64;
        valid.push(true);
        out.push(Time::clamped(if h < 0 { -amount } else { amount }, 6).micros());
    }
    Ok(Vector::ints(out, nulls_from(valid)))
}

fn bind_timediff(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fsp = call.fsp(0).max(call.fsp(1));
    for at in 0..2 {
        match call.class(at) {
            // What a text is shows only when it is read.
            Class::Text | Class::Binary => {}
            Class::Date | Class::DateTime => call.to(at, ExprType::datetime(fsp)),
            _ => call.to(at, ExprType::time(fsp)),
        }
    }
    Ok(ExprType::time(fsp))
}

/// A moment or a duration.
#[derive(Clone, Copy)]
enum Reading {
    Moment(DateTime),
    Duration(i64),
}

/// Reads a text as a date and time if it looks like one, else as a time.
fn read_text(text: &[u8], run: &mut Invocation<'_, '_>) -> Option<Reading> {
    let dated = text.iter().filter(|b| **b == b'-').count() >= 2;
    if dated {
        return crate::expr::coerce::read_datetime(text, 6, "datetime", run.context).map(Reading::Moment);
    }
    match rustydb_value::temporal::parse_time(text, 6) {
        Some(parsed) => {
            if parsed.truncated {
                run.warn(SqlError::truncated_wrong_value("time", crate::expr::coerce::shorten(text)));
            }
            Some(Reading::Duration(parsed.value.micros()))
        }
        None => {
            run.warn(SqlError::truncated_wrong_value("time", crate::expr::coerce::shorten(text)));
            None
        }
    }
}

fn reading(run: &mut Invocation<'_, '_>, at: usize, vector: &Vector, row: usize) -> Option<Reading> {
    if vector.is_null(row) {
        return None;
    }
    match run.arg_ty(at).map(ExprType::class) {
        Some(Class::DateTime) => DateTime::from_packed(vector.as_ints().at(row), 6).map(Reading::Moment),
        Some(Class::Text | Class::Binary) => read_text(vector.bytes(row), run),
        _ => Some(Reading::Duration(vector.as_ints().at(row))),
    }
}

fn timediff(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let mut valid = Vec::with_capacity(rows);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let difference = match (reading(run, 0, a, row), reading(run, 1, b, row)) {
            (Some(Reading::Duration(x)), Some(Reading::Duration(y))) => Some(x - y),
            (Some(Reading::Moment(x)), Some(Reading::Moment(y))) => {
                x.micros_since_epoch().zip(y.micros_since_epoch()).map(|(x, y)| x - y)
            }
            // A date and a time have no difference.
            _ => None,
        };
        valid.push(difference.is_some());
        out.push(difference.map_or(0, |d| Time::clamped(d, 6).micros()));
    }
    Ok(Vector::ints(out, nulls_from(valid)))
}

fn bind_addtime(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fsp = call.fsp(0).max(call.fsp(1));
    call.to_time(1);
    Ok(match call.class(0) {
        Class::Date | Class::DateTime => {
            call.to(0, ExprType::datetime(fsp));
            ExprType::datetime(fsp)
        }
        Class::Time => {
            call.to(0, ExprType::time(fsp));
            ExprType::time(fsp)
        }
        class => {
            if !class.is_string() {
                call.to(0, ExprType::time(fsp));
            }
            let collation = call.session.settings.collation_connection;
            let text = ExprType::text(29, collation, crate::expr::Coercibility::Coercible);
            ExprType { kind: crate::expr::Kind::String, ..text }
        }
    })
}

fn addtime(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    sign: i64,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let shift = b.as_ints().at(row) * sign;
        let digits = |micros: u32| if micros == 0 { 0 } else { 6 };
        let text = run.ty.class() == Class::Text;
        let fsp = run.ty.decimals.min(6);
        match reading(run, 0, a, row) {
            Some(Reading::Moment(moment)) => match moment.add_micros(shift) {
                Some(sum) if text => {
                    out.push_bytes(&ValueRef::DateTime(sum.with_fsp(digits(sum.micro()))).to_text());
                }
                Some(sum) => out.push(ValueRef::DateTime(sum.with_fsp(fsp))),
                None => out.push_null(),
            },
            Some(Reading::Duration(micros)) if text => {
                let sum = Time::clamped(micros + shift, fsp);
                out.push_bytes(&ValueRef::Time(sum.with_fsp(digits(sum.micro()))).to_text());
            }
            // A text goes to the end of what a time can be, a time beyond it is none.
            Some(Reading::Duration(micros)) => match Time::from_micros(micros + shift, fsp) {
                Some(sum) => out.push(ValueRef::Time(sum)),
                None => {
                    run.warn(SqlError::datetime_function_overflow("time"));
                    out.push_null();
                }
            },
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}
