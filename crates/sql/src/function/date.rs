//! Dates: parts, differences, intervals.
//!
//! Adding an interval keeps a DATE a DATE when only days or more are added, and makes it a DATETIME
//! otherwise; from a text comes a text. A result outside of years 0 to 9999 is NULL with warning 1441.

use rustydb_sql_parser::ast::IntervalUnit as U;
use rustydb_value::{Date, DateTime, Time, ValueRef};

use super::{Call, Function, Invocation, any_null};
use crate::error::SqlError;
use crate::expr::number::parse_double;
use crate::expr::types::{Class, Coercibility, ExprType, Kind};
use crate::expr::vector::{Builder, Vector, nulls_from};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("date_add", (3, 3), "A date and an interval later", bind_interval, |r, a, n| {
        add_interval(r, a, n, 1)
    }),
    Function::new("date_sub", (3, 3), "A date less an interval", bind_interval, |r, a, n| {
        add_interval(r, a, n, -1)
    }),
    Function::new("date", (1, 1), "The date of a date and time", bind_date, |_, a, n| {
        Ok(a.first().cloned().unwrap_or_else(|| Vector::null(n)))
    }),
    Function::new("timestamp", (1, 1), "As a date and time", bind_timestamp, |_, a, n| {
        Ok(a.first().cloned().unwrap_or_else(|| Vector::null(n)))
    }),
    Function::new("year", (1, 1), "Year", bind_year, |_, a, n| {
        uint_part(a, n, |d| Some(u64::from(d.year())))
    }),
    Function::new(
        "month",
        (1, 1),
        "Month, 1 to 12",
        |c| bind_part(c, 3),
        |_, a, n| part(a, n, |d| Some(i64::from(d.month()))),
    ),
    Function::new(
        "dayofmonth",
        (1, 1),
        "Day of the month",
        |c| bind_part(c, 3),
        |_, a, n| part(a, n, |d| Some(i64::from(d.day()))),
    )
    .aliases(&["day"]),
    Function::new(
        "quarter",
        (1, 1),
        "Quarter, 1 to 4",
        |c| bind_part(c, 2),
        |_, a, n| part(a, n, |d| Some(i64::from(d.month().div_ceil(3)))),
    ),
    Function::new(
        "dayofweek",
        (1, 1),
        "Day of the week, 1 is Sunday",
        |c| bind_part(c, 2),
        |_, a, n| part(a, n, |d| Some(i64::from((d.weekday()? + 1) % 7 + 1))),
    ),
    Function::new(
        "weekday",
        (1, 1),
        "Day of the week, 0 is Monday",
        |c| bind_part(c, 2),
        |_, a, n| part(a, n, |d| Some(i64::from(d.weekday()?))),
    ),
    Function::new(
        "dayofyear",
        (1, 1),
        "Day of the year",
        |c| bind_part(c, 4),
        |_, a, n| part(a, n, |d| Some(i64::from(d.day_of_year()?))),
    ),
    Function::new(
        "to_days",
        (1, 1),
        "Days since year 0",
        |c| bind_part(c, 8),
        |_, a, n| part(a, n, |d| Some(d.days_since_epoch()? + EPOCH)),
    ),
    Function::new("from_days", (1, 1), "The date so many days after year 0", bind_from_days, from_days),
    Function::new("last_day", (1, 1), "Last day of the month", bind_date, last_day),
    Function::new("week", (1, 2), "Week of the year, by the mode of the second argument", bind_week, week),
    Function::new(
        "weekofyear",
        (1, 1),
        "Week of the year, as ISO 8601 counts",
        |c| bind_part(c, 3),
        |_, a, n| part(a, n, |d| Some(week_of(d, 3)?.1)),
    ),
    Function::new(
        "yearweek",
        (1, 2),
        "Year and week, by the mode of the second argument",
        bind_yearweek,
        yearweek,
    ),
    Function::new("datediff", (2, 2), "Days between two dates", bind_datediff, datediff),
    Function::new(
        "timestampdiff",
        (3, 3),
        "Whole units from one time to another",
        bind_timestampdiff,
        timestampdiff,
    ),
    Function::new("timestampadd", (3, 3), "A date and an interval later", bind_interval, |r, a, n| {
        add_interval(r, a, n, 1)
    }),
    Function::new("extract", (2, 2), "A part of a date or time", bind_extract, extract),
    Function::new("makedate", (2, 2), "The date of a year and a day of it", bind_makedate, makedate),
];

/// Days from year 0 (as TO_DAYS counts) to 1970-01-01.
const EPOCH: i64 = 719_528;

const UNITS: [U; 20] = [
    U::Microsecond,
    U::Second,
    U::Minute,
    U::Hour,
    U::Day,
    U::Week,
    U::Month,
    U::Quarter,
    U::Year,
    U::SecondMicrosecond,
    U::MinuteMicrosecond,
    U::MinuteSecond,
    U::HourMicrosecond,
    U::HourSecond,
    U::HourMinute,
    U::DayMicrosecond,
    U::DaySecond,
    U::DayMinute,
    U::DayHour,
    U::YearMonth,
];

/// The number under which a unit travels as an argument.
pub fn unit_code(unit: U) -> u8 {
    UNITS.iter().position(|u| *u == unit).unwrap_or(0) as u8
}

fn unit_of(code: i64) -> U {
    usize::try_from(code).ok().and_then(|at| UNITS.get(at)).copied().unwrap_or(U::Day)
}

fn date_at(vector: &Vector, row: usize) -> Option<Date> {
    if vector.is_null(row) { None } else { Date::from_packed(vector.as_ints().at(row)) }
}

fn bind_date(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::date());
    Ok(ExprType::date())
}

fn bind_timestamp(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_datetime(0);
    Ok(ExprType::datetime(call.ty(0).decimals))
}

fn bind_part(call: &mut Call<'_>, length: u32) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::date());
    Ok(ExprType::int(length))
}

fn bind_year(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::date());
    Ok(ExprType { kind: Kind::Year, ..ExprType::uint(4) })
}

fn part(args: &[Vector], rows: usize, f: impl Fn(Date) -> Option<i64>) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    let parts: Vec<Option<i64>> = (0..rows).map(|row| date_at(a, row).and_then(&f)).collect();
    let valid = parts.iter().map(Option::is_some).collect();
    Ok(Vector::ints(parts.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

fn uint_part(args: &[Vector], rows: usize, f: impl Fn(Date) -> Option<u64>) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    let parts: Vec<Option<u64>> = (0..rows).map(|row| date_at(a, row).and_then(&f)).collect();
    let valid = parts.iter().map(Option::is_some).collect();
    Ok(Vector::uints(parts.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

/// Dates from optional ones.
fn dates(found: Vec<Option<Date>>) -> Vector {
    let valid = found.iter().map(Option::is_some).collect();
    Vector::ints(found.into_iter().map(|d| d.map_or(0, Date::packed)).collect(), nulls_from(valid))
}

fn bind_from_days(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    Ok(ExprType::date())
}

fn from_days(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    Ok(dates(
        (0..rows)
            .map(|row| {
                if a.is_null(row) {
                    return None;
                }
                // The first year is the zero date, as in MySQL.
                let days = a.as_ints().at(row);
                if days < 366 {
                    Some(Date::ZERO)
                } else {
                    Date::from_days_since_epoch(days.checked_sub(EPOCH)?)
                }
            })
            .collect(),
    ))
}

fn last_day(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let last = |d: Date| {
        if d.month() == 0 {
            return None;
        }
        Date::new(d.year(), d.month(), rustydb_value::temporal::days_in_month(d.year(), d.month()))
    };
    Ok(dates((0..rows).map(|row| date_at(a, row).and_then(last)).collect()))
}

/// Year and week of a date. Mode bits as MySQL's: 1 Monday first, 2 weeks count from 1, 4 the first week
/// is the first with its first day in the year.
pub fn week_of(date: Date, mode: i64) -> Option<(i64, i64)> {
    let monday_first = mode & 1 != 0;
    let week_year = mode & 2 != 0;
    // With Sunday first, the bit means the opposite.
    let first_weekday = (mode & 4 != 0) == monday_first;
    let days = date.days_since_epoch()?;
    let start = |year: i64| -> Option<i64> {
        let first = Date::new(u32::try_from(year).ok()?, 1, 1)?;
        let weekday = i64::from(first.weekday()?);
        let weekday = if monday_first { weekday } else { (weekday + 1) % 7 };
        let first_days = first.days_since_epoch()?;
        // The day on which week 1 starts.
        let late = if first_weekday { weekday != 0 } else { weekday > 3 };
        Some(first_days - weekday + if late { 7 } else { 0 })
    };
    let mut year = i64::from(date.year());
    let mut begin = start(year)?;
    if days < begin {
        if !week_year {
            return Some((year, 0));
        }
        year -= 1;
        begin = start(year)?;
    } else if week_year && days >= start(year + 1).unwrap_or(i64::MAX) {
        year += 1;
        begin = start(year)?;
    }
    Some((year, (days - begin) / 7 + 1))
}

fn bind_week(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() == 1 {
        let mode = i64::from(call.session.settings.default_week_format);
        call.args.push(crate::expr::bind::literal_int(mode));
    }
    call.to_int(1);
    bind_part(call, 3)
}

fn week(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, mode] = args else { return Ok(Vector::null(rows)) };
    let found: Vec<Option<i64>> = (0..rows)
        .map(|row| date_at(a, row).and_then(|d| week_of(d, mode.as_ints().at(row) & 7)).map(|w| w.1))
        .collect();
    let valid = found.iter().map(Option::is_some).collect();
    Ok(Vector::ints(found.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

fn bind_yearweek(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() == 1 {
        call.args.push(crate::expr::bind::literal_int(0));
    }
    call.to_int(1);
    bind_part(call, 7)
}

fn yearweek(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, mode] = args else { return Ok(Vector::null(rows)) };
    let found: Vec<Option<i64>> = (0..rows)
        .map(|row| {
            let mode = mode.as_ints().at(row) & 7 | 2;
            date_at(a, row).and_then(|d| week_of(d, mode)).map(|(y, w)| y * 100 + w)
        })
        .collect();
    let valid = found.iter().map(Option::is_some).collect();
    Ok(Vector::ints(found.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

fn bind_datediff(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::date());
    call.to(1, ExprType::date());
    Ok(ExprType::int(9))
}

fn datediff(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let found: Vec<Option<i64>> = (0..rows)
        .map(|row| Some(date_at(a, row)?.days_since_epoch()? - date_at(b, row)?.days_since_epoch()?))
        .collect();
    let valid = found.iter().map(Option::is_some).collect();
    Ok(Vector::ints(found.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

fn bind_makedate(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    call.to_int(1);
    Ok(ExprType::date())
}

fn makedate(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [year, day] = args else { return Ok(Vector::null(rows)) };
    Ok(dates(
        (0..rows)
            .map(|row| {
                if any_null(args, row) || day.as_ints().at(row) <= 0 {
                    return None;
                }
                let year = match year.as_ints().at(row) {
                    y @ 0..=69 => y + 2000,
                    y @ 70..=99 => y + 1900,
                    y => y,
                };
                Date::new(u32::try_from(year).ok()?, 1, 1)?.add_days(day.as_ints().at(row) - 1)
            })
            .collect(),
    ))
}

fn bind_timestampdiff(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_datetime(1);
    call.to_datetime(2);
    Ok(ExprType::int(21))
}

fn months_between(from: DateTime, to: DateTime) -> i64 {
    let (early, late, sign) = if from.packed() <= to.packed() { (from, to, 1) } else { (to, from, -1) };
    let (a, b) = (early.date(), late.date());
    let mut months =
        (i64::from(b.year()) - i64::from(a.year())) * 12 + i64::from(b.month()) - i64::from(a.month());
    if b.day() < a.day() || (b.day() == a.day() && late.micros_of_day() < early.micros_of_day()) {
        months -= 1;
    }
    months * sign
}

fn timestampdiff(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [unit, from, to] = args else { return Ok(Vector::null(rows)) };
    let unit = unit_of(unit.as_ints().at(0));
    let found: Vec<Option<i64>> = (0..rows)
        .map(|row| {
            if any_null(args, row) {
                return None;
            }
            let a = DateTime::from_packed(from.as_ints().at(row), 6)?;
            let b = DateTime::from_packed(to.as_ints().at(row), 6)?;
            let micros = b.micros_since_epoch()? - a.micros_since_epoch()?;
            Some(match unit {
                U::Year => months_between(a, b) / 12,
                U::Quarter => months_between(a, b) / 3,
                U::Month => months_between(a, b),
                U::Week => micros / (7 * 86_400_000_000),
                U::Day => micros / 86_400_000_000,
                U::Hour => micros / 3_600_000_000,
                U::Minute => micros / 60_000_000,
                U::Second => micros / 1_000_000,
                _ => micros,
            })
        })
        .collect();
    let valid = found.iter().map(Option::is_some).collect();
    Ok(Vector::ints(found.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

fn bind_extract(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let unit = unit_of(call.constant_int(0).unwrap_or(4));
    let (length, timed) = match unit {
        U::Year => (5, false),
        U::Quarter => (2, false),
        U::Month | U::Day | U::Week => (3, false),
        U::YearMonth => (7, false),
        U::Minute | U::Second => (3, true),
        U::Hour => (4, true),
        U::MinuteSecond => (5, true),
        U::HourMinute => (6, true),
        U::Microsecond => (7, true),
        U::HourSecond => (8, true),
        U::DayHour | U::SecondMicrosecond => (9, true),
        U::DayMinute | U::MinuteMicrosecond => (11, true),
        U::DaySecond => (13, true),
        U::HourMicrosecond => (14, true),
        _ => (20, true),
    };
    let has_day = matches!(unit, U::DayMicrosecond | U::DaySecond | U::DayMinute | U::DayHour);
    let dated = matches!(call.class(1), Class::Date | Class::DateTime) || call.ty(1).is_string();
    if !timed {
        call.to(1, ExprType::date());
    } else if has_day && dated {
        call.to(1, ExprType::datetime(6));
    } else {
        call.to(1, ExprType::time(6));
    }
    Ok(ExprType::int(length))
}

fn extract(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [unit, value] = args else { return Ok(Vector::null(rows)) };
    let unit = unit_of(unit.as_ints().at(0));
    let class = run.arg_ty(1).map_or(Class::Null, ExprType::class);
    let found: Vec<Option<i64>> = (0..rows)
        .map(|row| {
            if value.is_null(row) {
                return None;
            }
            let raw = value.as_ints().at(row);
            if class == Class::Date {
                let d = Date::from_packed(raw)?;
                let (y, m) = (i64::from(d.year()), i64::from(d.month()));
                return Some(match unit {
                    U::Year => y,
                    U::Quarter => (m + 2) / 3,
                    U::Month => m,
                    U::Week => week_of(d, 0)?.1,
                    U::YearMonth => y * 100 + m,
                    _ => i64::from(d.day()),
                });
            }
            let (day, time) = if class == Class::DateTime {
                let moment = DateTime::from_packed(raw, 6)?;
                (i64::from(moment.date().day()), moment.time())
            } else {
                (0, Time::from_micros(raw, 6)?)
            };
            let (h, m, s) = (i64::from(time.hour()), i64::from(time.minute()), i64::from(time.second()));
            let f = i64::from(time.micro());
            let h = if class == Class::DateTime { day * 100 + h } else { h };
            let amount = match unit {
                U::Hour | U::DayHour => h,
                U::Minute => m,
                U::Second => s,
                U::Microsecond => f,
                U::SecondMicrosecond => s * 1_000_000 + f,
                U::MinuteSecond => m * 100 + s,
                U::MinuteMicrosecond => (m * 100 + s) * 1_000_000 + f,
                U::HourMinute | U::DayMinute => h * 100 + m,
                U::HourSecond | U::DaySecond => (h * 100 + m) * 100 + s,
                _ => ((h * 100 + m) * 100 + s) * 1_000_000 + f,
            };
            Some(if time.is_negative() { -amount } else { amount })
        })
        .collect();
    let valid = found.iter().map(Option::is_some).collect();
    Ok(Vector::ints(found.into_iter().map(Option::unwrap_or_default).collect(), nulls_from(valid)))
}

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

/// What an amount of a unit is.
fn span_of(unit: U, value: &Vector, ty: &ExprType, row: usize) -> Span {
    let plain = |v: f64| v.round() as i64;
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
        if unit == U::YearMonth {
            let months = match parts.as_slice() {
                [(m, _)] => *m,
                [(y, _), (m, _), ..] => y.saturating_mul(12).saturating_add(*m),
                [] => 0,
            };
            return Span { months: months * sign, micros: 0 };
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
        return Span { months: 0, micros: micros * i128::from(sign) };
    }
    let exact = |v: &Vector| -> i64 {
        match ty.class() {
            Class::Int => v.as_ints().at(row),
            Class::UInt => i64::try_from(v.as_uints().at(row)).unwrap_or(i64::MAX),
            _ => {
                let text = v.cell(row, ty).to_text();
                plain(parse_double(&text).value)
            }
        }
    };
    match unit {
        U::Year => Span { months: exact(value).saturating_mul(12), micros: 0 },
        U::Quarter => Span { months: exact(value).saturating_mul(3), micros: 0 },
        U::Month => Span { months: exact(value), micros: 0 },
        U::Week => Span { months: 0, micros: i128::from(exact(value)) * 7 * DAY },
        U::Day => Span { months: 0, micros: i128::from(exact(value)) * DAY },
        U::Hour => Span { months: 0, micros: i128::from(exact(value)) * HOUR },
        U::Minute => Span { months: 0, micros: i128::from(exact(value)) * MINUTE },
        U::Second if !ty.class().is_integer() => {
            let text = value.cell(row, ty).to_text();
            let seconds = parse_double(&text).value;
            Span { months: 0, micros: (seconds * 1e6).round() as i128 }
        }
        U::Second => Span { months: 0, micros: i128::from(exact(value)) * SECOND },
        _ => Span { months: 0, micros: i128::from(exact(value)) },
    }
}

fn bind_interval(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let unit = unit_of(call.constant_int(2).unwrap_or(4));
    let whole_days = matches!(unit, U::Day | U::Week | U::Month | U::Quarter | U::Year | U::YearMonth);
    let fraction = match unit {
        U::Microsecond
        | U::SecondMicrosecond
        | U::MinuteMicrosecond
        | U::HourMicrosecond
        | U::DayMicrosecond => 6,
        U::Second => match call.class(1) {
            Class::Int | Class::UInt => 0,
            Class::Decimal => call.ty(1).decimals.min(6),
            _ => 6,
        },
        _ => 0,
    };
    let ty = call.ty(0);
    Ok(match ty.class() {
        Class::Date if whole_days => ExprType::date(),
        Class::Date => {
            call.to(0, ExprType::datetime(0));
            ExprType::datetime(fraction)
        }
        Class::DateTime => ExprType::datetime(ty.decimals.max(fraction)),
        Class::Time if !whole_days || unit == U::Day => ExprType::time(ty.decimals.max(fraction)),
        Class::Time => {
            call.to(0, ExprType::datetime(ty.decimals));
            ExprType::datetime(ty.decimals.max(fraction))
        }
        _ => {
            // Numbers are dates, texts give a text back.
            call.to_string(0);
            let collation = call.session.settings.collation_connection;
            ExprType { kind: Kind::String, ..ExprType::text(29, collation, Coercibility::Coercible) }
        }
    }
    .with_nullable(true))
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
        let span = span_of(unit, value, &value_ty, row);
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
                let timed = text.contains(&b':') || span.micros % DAY != 0;
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
