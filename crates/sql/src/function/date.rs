//! Dates: parts, differences, days and weeks by number. Intervals are in [`super::interval`].

use rustydb_sql_parser::ast::IntervalUnit as U;
use rustydb_value::{Date, DateTime, Time, ValueRef};

use super::{Call, Function, Invocation, any_null, each_int};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType, Kind};
use crate::expr::vector::{Builder, Vector, nulls_from};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("date", (1, 1), "The date of a date and time", bind_date, |_, a, n| {
        Ok(a.first().cloned().unwrap_or_else(|| Vector::null(n)))
    }),
    Function::new("timestamp", (1, 2), "As a date and time, a time later", bind_timestamp, timestamp),
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
    Function::new("to_seconds", (1, 1), "Seconds since year 0", bind_to_seconds, to_seconds),
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

/// The unit of such a number.
pub fn unit_of(code: i64) -> U {
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
    let mut fsp = call.ty(0).decimals;
    if call.count() == 2 {
        call.to_time(1);
        fsp = fsp.max(call.ty(1).decimals);
    }
    Ok(ExprType::datetime(fsp))
}

fn timestamp(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(moment) = args.first() else { return Ok(Vector::null(rows)) };
    let Some(later) = args.get(1) else { return Ok(moment.clone()) };
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        let given =
            if any_null(args, row) { None } else { DateTime::from_packed(moment.as_ints().at(row), 6) };
        match given.and_then(|m| m.add_micros(later.as_ints().at(row))) {
            Some(sum) => out.push(ValueRef::DateTime(sum.with_fsp(run.ty.decimals.min(6)))),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn bind_to_seconds(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_datetime(0);
    Ok(ExprType::int(21))
}

fn to_seconds(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    Ok(each_int(rows, |row| {
        let moment = if a.is_null(row) { None } else { DateTime::from_packed(a.as_ints().at(row), 6) }?;
        Some((moment.date().days_since_epoch()? + EPOCH) * 86_400 + moment.micros_of_day() / 1_000_000)
    }))
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
    Ok(each_int(rows, |row| date_at(a, row).and_then(&f)))
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
                Date::from_days_since_epoch(a.as_ints().at(row).checked_sub(EPOCH)?)
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
        call.args.push(crate::expr::build::literal_int(mode));
    }
    call.to_int(1);
    bind_part(call, 3)
}

fn week(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, mode] = args else { return Ok(Vector::null(rows)) };
    Ok(each_int(rows, |row| {
        date_at(a, row).and_then(|d| week_of(d, mode.as_ints().at(row) & 7)).map(|w| w.1)
    }))
}

fn bind_yearweek(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() == 1 {
        call.args.push(crate::expr::build::literal_int(0));
    }
    call.to_int(1);
    bind_part(call, 7)
}

fn yearweek(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, mode] = args else { return Ok(Vector::null(rows)) };
    Ok(each_int(rows, |row| {
        let mode = mode.as_ints().at(row) & 7 | 2;
        date_at(a, row).and_then(|d| week_of(d, mode)).map(|(y, w)| y * 100 + w)
    }))
}

fn bind_datediff(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::date());
    call.to(1, ExprType::date());
    Ok(ExprType::int(9))
}

fn datediff(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    Ok(each_int(rows, |row| {
        Some(date_at(a, row)?.days_since_epoch()? - date_at(b, row)?.days_since_epoch()?)
    }))
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
                Date::new(u32::try_from(year).ok()?, 1, 1)?.add_days(day.as_ints().at(row).saturating_sub(1))
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
    Ok(each_int(rows, |row| {
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
    }))
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
    Ok(each_int(rows, |row| {
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
    }))
}
