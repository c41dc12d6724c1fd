//! Adding an interval to a date or time: DATE_ADD, DATE_SUB, TIMESTAMPADD.
//!
//! A DATE stays a DATE when only days or more are added, and becomes a DATETIME otherwise; from a text
//! comes a text. A result outside of years 0 to 9999 is NULL with warning 1441.
//!
//! The amount of a unit of one number counts as the integer that it is, a text by its integer part; that of SECOND has a
//! fraction if its type has one.

use arrow_buffer::i256;
use rustydb_sql_parser::ast::IntervalUnit as U;
use rustydb_value::{Date, DateTime, Time, ValueRef};

use super::date::{unit_code, unit_of};
use super::{Call, Function, Invocation, any_null};
use crate::error::SqlError;
use crate::expr::coerce::coerce;
use crate::expr::number::{decimal_from_i256, parse_decimal, rescale};
use crate::expr::types::{Class, Coercibility, ExprType, Kind, MAX_PRECISION, MAX_SCALE};
use crate::expr::vector::{Builder, Vector};
use crate::expr::{BoundExpr, Node};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("date_add", (3, 3), "A date and an interval later", bind_interval, |r, a, n| {
        add_interval(r, a, n, 1)
    }),
    Function::new("date_sub", (3, 3), "A date less an interval", bind_interval, |r, a, n| {
        add_interval(r, a, n, -1)
    }),
    Function::new("adddate", (2, 2), "A date so many days later", bind_days, |r, a, n| {
        add_interval(r, a, n, 1)
    }),
    Function::new("subdate", (2, 2), "A date so many days earlier", bind_days, |r, a, n| {
        add_interval(r, a, n, -1)
    }),
    Function::new("timestampadd", (3, 3), "A date and an interval later", bind_interval, |r, a, n| {
        add_interval(r, a, n, 1)
    }),
];

/// An interval: months, and microseconds.
#[derive(Clone, Copy, Default)]
struct Span {
    months: i64,
    micros: i128,
}

const SECOND: i128 = 1_000_000;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;
const DAY: i128 = 24 * HOUR;

/// The numbers in a text such as `'1:30'`, in order, and whether a minus stands in front.
fn numbers(text: &str) -> (Vec<(i64, usize)>, bool) {
    let trimmed = text.trim_start();
    let negative = trimmed.starts_with('-');
    let parts = trimmed
        .split(|c: char| !c.is_ascii_digit())
        .filter(|p| !p.is_empty())
        .map(|p| (p.parse().unwrap_or(i64::MAX), p.len()))
        .collect();
    (parts, negative)
}

/// What an amount of a unit is; None for a text of more numbers than the unit has parts.
fn span_of(unit: U, value: &Vector, ty: &ExprType, row: usize) -> Option<Span> {
    let compound: &[i128] = match unit {
        U::SecondMicrosecond => &[SECOND, 1],
        U::MinuteMicrosecond => &[MINUTE, SECOND, 1],
        U::MinuteSecond => &[MINUTE, SECOND],
        U::HourMicrosecond => &[HOUR, MINUTE, SECOND, 1],
        U::HourSecond => &[HOUR, MINUTE, SECOND],
        U::HourMinute => &[HOUR, MINUTE],
        U::DayMicrosecond => &[DAY, HOUR, MINUTE, SECOND, 1],
        U::DaySecond => &[DAY, HOUR, MINUTE, SECOND],
        U::DayMinute => &[DAY, HOUR, MINUTE],
        U::DayHour => &[DAY, HOUR],
        _ => &[],
    };
    if !compound.is_empty() || unit == U::YearMonth {
        let text = value.cell(row, ty).to_text();
        let (parts, negative) = numbers(&String::from_utf8_lossy(&text));
        let sign = if negative { -1 } else { 1 };
        let most = if unit == U::YearMonth { 2 } else { compound.len() };
        if parts.len() > most {
            return None;
        }
        if unit == U::YearMonth {
            let months = match parts.as_slice() {
                [(m, _)] => *m,
                [(y, _), (m, _), ..] => y.saturating_mul(12).saturating_add(*m),
                [] => 0,
            };
            return Some(Span { months: months.saturating_mul(sign), micros: 0 });
        }
        // Fewer numbers than units fill from the right.
        let skip = compound.len().saturating_sub(parts.len());
        let mut micros = 0;
        for (unit, (amount, digits)) in compound.iter().skip(skip).zip(&parts) {
            let amount = i128::from(*amount);
            micros += if *unit == 1 {
                amount * 10i128.pow(6u32.saturating_sub(u32::try_from(*digits).unwrap_or(6)))
            } else {
                amount * unit
            };
        }
        return Some(Span { months: 0, micros: micros * i128::from(sign) });
    }
    if ty.class() != Class::Int {
        return Some(Span { months: 0, micros: micros_of(value, ty, row)? });
    }
    let amount = value.as_ints().at(row);
    let months = |each: i64| Span { months: amount.saturating_mul(each), micros: 0 };
    let micros = |each: i128| Span { months: 0, micros: i128::from(amount) * each };
    Some(match unit {
        U::Year => months(12),
        U::Quarter => months(3),
        U::Month => months(1),
        U::Week => micros(7 * DAY),
        U::Day => micros(DAY),
        U::Hour => micros(HOUR),
        U::Minute => micros(MINUTE),
        U::Second => micros(SECOND),
        _ => micros(1),
    })
}

/// Seconds with a fraction, of which digits behind the sixth are cut off.
fn micros_of(seconds: &Vector, ty: &ExprType, row: usize) -> Option<i128> {
    let exact = match ty.class() {
        Class::Decimal => decimal_from_i256(seconds.as_decimals().at(row), ty.decimals),
        _ => parse_decimal(&seconds.cell(row, ty).to_text()).value,
    };
    let cut = exact.truncate(6).ok()?;
    rescale(i256::from_le_bytes(cut.to_le_bytes()), cut.scale(), 6)?.to_i128()
}

/// Whether a unit leaves the time of day alone.
fn in_days(unit: U) -> bool {
    matches!(unit, U::Day | U::Week | U::Month | U::Quarter | U::Year | U::YearMonth)
}

fn bind_days(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.args.push(crate::expr::build::literal_int(i64::from(unit_code(U::Day))));
    bind_interval(call)
}

/// Brings the amount of a unit that has one number to what it is counted in: integers, but seconds with a fraction as
/// DECIMAL. A marker of seconds stays what is given for it.
fn take_amount(call: &mut Call<'_>, unit: U, fraction: u8) {
    let single = unit_code(unit) <= unit_code(U::Year);
    let marker = unit == U::Second && call.class(1) == Class::Null;
    if !single || marker {
        return;
    }
    if unit == U::Second && fraction > 0 {
        if call.class(1) != Class::Decimal {
            call.to(1, ExprType::decimal(MAX_PRECISION, MAX_SCALE, false));
        }
    } else {
        call.to_int(1);
    }
}

fn bind_interval(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let unit = unit_of(call.constant_int(2).unwrap_or(4));
    let whole_days = in_days(unit);
    let has_day = matches!(unit, U::DayMicrosecond | U::DaySecond | U::DayMinute | U::DayHour);
    let fraction = match unit {
        U::Microsecond
        | U::SecondMicrosecond
        | U::MinuteMicrosecond
        | U::HourMicrosecond
        | U::DayMicrosecond => 6,
        U::Second => call.digits_of_seconds(1),
        _ => 0,
    };
    take_amount(call, unit, fraction);
    let ty = call.ty(0);
    Ok(match ty.class() {
        Class::Date if whole_days => ExprType::date(),
        Class::Date => {
            call.to(0, ExprType::datetime(0));
            ExprType::datetime(fraction)
        }
        Class::DateTime => ExprType::datetime(ty.decimals.max(fraction)),
        Class::Time if !whole_days && !has_day => ExprType::time(ty.decimals.max(fraction)),
        Class::Time => {
            call.to(0, ExprType::datetime(ty.decimals));
            ExprType::datetime(ty.decimals.max(fraction))
        }
        _ => {
            // Numbers are dates, texts give a text back.
            if let Some(arg) = call.args.get_mut(0) {
                with_time_of_day(arg);
            }
            call.to_string(0);
            let collation = call.session.settings.collation_connection;
            ExprType { kind: Kind::String, ..ExprType::text(29, collation, Coercibility::Coercible) }
        }
    }
    .with_nullable(true))
}

/// A DATE that IF or CASE chooses among texts is the moment at midnight.
fn with_time_of_day(arg: &mut BoundExpr) {
    let Node::Case { branches, otherwise } = &mut arg.node else { return };
    let text = arg.ty.clone();
    if !text.class().is_string() {
        return;
    }
    for value in branches.iter_mut().map(|(_, then)| then).chain(otherwise.as_deref_mut()) {
        with_time_of_day(value);
        if let Node::Coerce(inner) = &mut value.node
            && inner.ty.class() == Class::Date
        {
            let date = std::mem::replace(inner.as_mut(), BoundExpr::null());
            **inner = coerce(date, ExprType::datetime(0));
        }
    }
}

fn shifted(moment: DateTime, span: Span) -> Option<DateTime> {
    let date = moment.date().add_months(span.months)?;
    let moved = DateTime::new(date, moment.hour(), moment.minute(), moment.second(), moment.micro(), 6)?;
    if span.micros == 0 { Some(moved) } else { moved.add_micros(i64::try_from(span.micros).ok()?) }
}

fn overflow(run: &mut Invocation<'_, '_>) {
    run.warn(SqlError::datetime_function_overflow("datetime"));
}

fn add_interval(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    sign: i64,
) -> Result<Vector, SqlError> {
    let [date, value, unit] = args else { return Ok(Vector::null(rows)) };
    let unit = unit_of(unit.as_ints().at(0));
    let (Some(date_ty), Some(value_ty)) = (run.arg_ty(0).cloned(), run.arg_ty(1).cloned()) else {
        return Ok(Vector::null(rows));
    };
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let Some(span) = span_of(unit, value, &value_ty, row) else {
            out.push_null();
            continue;
        };
        let span = Span { months: span.months.saturating_mul(sign), micros: span.micros * i128::from(sign) };
        let raw = date.as_ints().at(row);
        let fsp = run.ty.decimals.min(6);
        match date_ty.class() {
            Class::Date => {
                let moved = Date::from_packed(raw).and_then(|d| shifted(DateTime::from_date(d), span));
                match moved {
                    Some(moved) => out.push(ValueRef::Date(moved.date())),
                    None => {
                        overflow(run);
                        out.push_null();
                    }
                }
            }
            Class::DateTime => match DateTime::from_packed(raw, 6).and_then(|d| shifted(d, span)) {
                Some(moved) => out.push(ValueRef::DateTime(moved.with_fsp(fsp))),
                None => {
                    overflow(run);
                    out.push_null();
                }
            },
            Class::Time => {
                let sum = i128::from(raw) + span.micros;
                let fits = i64::try_from(sum).ok().and_then(|m| Time::from_micros(m, fsp));
                match fits {
                    Some(time) => out.push(ValueRef::Time(time)),
                    None => {
                        run.warn(SqlError::datetime_function_overflow("time"));
                        out.push_null();
                    }
                }
            }
            _ => {
                let text = date.bytes(row);
                let Some(moment) = crate::expr::coerce::read_datetime(text, 6, "datetime", run.context)
                else {
                    out.push_null();
                    continue;
                };
                let timed = text.contains(&b':') || !in_days(unit);
                match shifted(moment, span) {
                    Some(moved) if !timed => out.push_bytes(&ValueRef::Date(moved.date()).to_text()),
                    Some(moved) => {
                        let digits = if moved.micro() == 0 { 0 } else { 6 };
                        out.push_bytes(&ValueRef::DateTime(moved.with_fsp(digits)).to_text());
                    }
                    None => {
                        overflow(run);
                        out.push_null();
                    }
                }
            }
        }
    }
    Ok(out.finish())
}
