//! DATE_FORMAT and what goes through its format letters: FROM_UNIXTIME, TIME_FORMAT, names of days.
//!
//! Names are English, as with `lc_time_names = en_US`. The opposite way is [`super::str_to_date`].

use rustydb_value::{DateTime, Time, ValueRef};

use super::date::week_of;
use super::{Call, Function, Invocation, StringWriter, any_null};
use crate::error::SqlError;
use crate::expr::number::decimal_from_i256;
use crate::expr::types::{Coercibility, ExprType};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "date_format",
        (2, 2),
        "A date and time by a format of % letters",
        bind_date_format,
        date_format,
    ),
    Function::new("time_format", (2, 2), "A time by a format of % letters", bind_time_format, time_format),
    Function::new(
        "from_unixtime",
        (1, 2),
        "The date and time of seconds since 1970 UTC, or its text by a format",
        bind_from_unixtime,
        from_unixtime,
    )
    .session(),
    Function::new("dayname", (1, 1), "Name of the day", bind_name, |r, a, n| {
        name(r, a, n, |d| d.date().weekday().and_then(|w| DAYS.get(w as usize)).copied())
    }),
    Function::new("monthname", (1, 1), "Name of the month", bind_name, |r, a, n| {
        name(r, a, n, |d| d.date().month().checked_sub(1).and_then(|m| MONTHS.get(m as usize)).copied())
    }),
];

pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn text_type(call: &Call<'_>, length: u32) -> ExprType {
    ExprType::text(length, call.session.settings.collation_connection, Coercibility::Coercible)
}

fn bind_name(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_datetime(0);
    Ok(text_type(call, 9))
}

fn name(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(DateTime) -> Option<&'static str>,
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        let found =
            if a.is_null(row) { None } else { DateTime::from_packed(a.as_ints().at(row), 6).and_then(f) };
        match found {
            Some(name) => out.push(name.as_bytes()),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

/// The longest text of a format: each letter at its widest.
fn format_length(call: &Call<'_>, at: usize) -> u32 {
    let Some(crate::expr::BoundExpr { node: crate::expr::Node::Literal(vector), .. }) = call.args.get(at)
    else {
        return call.ty(at).length.saturating_mul(10);
    };
    let mut length = 0;
    let mut bytes = vector.bytes(0).iter();
    while let Some(byte) = bytes.next() {
        length += if *byte == b'%' {
            match bytes.next() {
                Some(b'M' | b'W') => 64,
                Some(b'D' | b'Y' | b'x' | b'X') => 4,
                Some(b'a' | b'b') => 32,
                Some(b'j') => 3,
                Some(
                    b'u' | b'U' | b'v' | b'V' | b'y' | b'm' | b'd' | b'h' | b'i' | b'I' | b'l' | b'p' | b'S'
                    | b's' | b'c' | b'e',
                ) => 2,
                Some(b'k' | b'H') => 7,
                Some(b'r') => 11,
                Some(b'T') => 8,
                Some(b'f') => 6,
                _ => 1,
            }
        } else {
            1
        };
    }
    length
}

fn bind_date_format(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::datetime(6));
    let length = format_length(call, 1);
    call.to_string(1);
    Ok(text_type(call, length))
}

fn bind_time_format(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to(0, ExprType::time(6));
    let length = format_length(call, 1);
    call.to_string(1);
    Ok(text_type(call, length))
}

fn two(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{value:02}").as_bytes());
}

/// Appends a moment by a format. False if a letter has no value (the weekday of a zero date).
fn write(moment: DateTime, hours: u32, format: &[u8], out: &mut Vec<u8>) -> bool {
    let date = moment.date();
    let mut letters = format.iter();
    let put = |out: &mut Vec<u8>, text: String| out.extend_from_slice(text.as_bytes());
    while let Some(byte) = letters.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let Some(letter) = letters.next() else {
            out.push(b'%');
            break;
        };
        let twelve = (hours % 24 + 11) % 12 + 1;
        let half = if hours % 24 >= 12 { "PM" } else { "AM" };
        match letter {
            b'Y' => put(out, format!("{:04}", date.year())),
            b'y' => two(date.year() % 100, out),
            b'm' => two(date.month(), out),
            b'c' => put(out, date.month().to_string()),
            b'd' => two(date.day(), out),
            b'e' => put(out, date.day().to_string()),
            b'H' => put(out, format!("{hours:02}")),
            b'k' => put(out, hours.to_string()),
            b'h' | b'I' => two(twelve, out),
            b'l' => put(out, twelve.to_string()),
            b'i' => two(moment.minute(), out),
            b's' | b'S' => two(moment.second(), out),
            b'f' => put(out, format!("{:06}", moment.micro())),
            b'p' => out.extend_from_slice(half.as_bytes()),
            b'T' => put(out, format!("{hours:02}:{:02}:{:02}", moment.minute(), moment.second())),
            b'r' => put(out, format!("{twelve:02}:{:02}:{:02} {half}", moment.minute(), moment.second())),
            b'D' => {
                let day = date.day();
                let suffix = match (day % 10, day / 10) {
                    (_, 1) => "th",
                    (1, _) => "st",
                    (2, _) => "nd",
                    (3, _) => "rd",
                    _ => "th",
                };
                put(out, format!("{day}{suffix}"));
            }
            b'M' | b'b' => {
                let Some(name) = date.month().checked_sub(1).and_then(|m| MONTHS.get(m as usize)) else {
                    return false;
                };
                let shown = if *letter == b'b' { name.get(..3).unwrap_or(name) } else { name };
                out.extend_from_slice(shown.as_bytes());
            }
            b'W' | b'a' => {
                let Some(name) = date.weekday().and_then(|w| DAYS.get(w as usize)) else { return false };
                let shown = if *letter == b'a' { name.get(..3).unwrap_or(name) } else { name };
                out.extend_from_slice(shown.as_bytes());
            }
            b'w' => {
                let Some(day) = date.weekday() else { return false };
                put(out, ((day + 1) % 7).to_string());
            }
            b'j' => {
                let Some(day) = date.day_of_year() else { return false };
                put(out, format!("{day:03}"));
            }
            b'U' | b'u' | b'V' | b'v' => {
                let mode = match letter {
                    b'U' => 0,
                    b'u' => 1,
                    b'V' => 2,
                    _ => 3,
                };
                let Some((_, week)) = week_of(date, mode) else { return false };
                put(out, format!("{week:02}"));
            }
            b'X' | b'x' => {
                let Some((year, _)) = week_of(date, if *letter == b'X' { 2 } else { 3 }) else {
                    return false;
                };
                put(out, format!("{year:04}"));
            }
            other => out.push(*other),
        }
    }
    true
}

fn date_format(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, format] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        let moment = if any_null(args, row) { None } else { DateTime::from_packed(a.as_ints().at(row), 6) };
        match moment {
            Some(moment) if write(moment, moment.hour(), format.bytes(row), &mut out.buffer) => out.end_row(),
            _ => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn time_format(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, format] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        let time = if any_null(args, row) { None } else { Time::from_micros(a.as_ints().at(row), 6) };
        let Some(time) = time else {
            out.push_null();
            continue;
        };
        if time.is_negative() {
            out.buffer.push(b'-');
        }
        let moment =
            DateTime::new(rustydb_value::Date::ZERO, 0, time.minute(), time.second(), time.micro(), 6)
                .unwrap_or(DateTime::ZERO);
        if write(moment, time.hour(), format.bytes(row), &mut out.buffer) {
            out.end_row();
        } else {
            out.push_null();
        }
    }
    Ok(out.finish())
}

fn bind_from_unixtime(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fsp = call.digits_of_seconds(0);
    call.to(0, ExprType::decimal(20 + u32::from(fsp), fsp, false));
    if call.count() == 2 {
        let length = format_length(call, 1);
        call.to_string(1);
        return Ok(text_type(call, length));
    }
    Ok(ExprType::datetime(fsp))
}

fn from_unixtime(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(seconds) = args.first() else { return Ok(Vector::null(rows)) };
    let scale = run.arg_ty(0).map_or(0, |t| t.decimals);
    let zone = run.context.session.settings.time_zone;
    let moment_at = |row: usize| -> Option<DateTime> {
        if any_null(args, row) {
            return None;
        }
        let value = decimal_from_i256(seconds.as_decimals().at(row), scale);
        if value.is_negative() {
            return None;
        }
        let micros = value.round(6).ok()?.to_le_bytes();
        let micros =
            arrow_buffer::i256::from_le_bytes(micros).to_i128().and_then(|m| i64::try_from(m).ok())?;
        // The last second that MySQL gives: 3001-01-18 23:59:59 UTC.
        if micros >= 32_536_771_200_000_000 {
            return None;
        }
        DateTime::from_micros_since_epoch(micros, 6)?.to_local(zone)
    };
    if let Some(format) = args.get(1) {
        let mut out = StringWriter::new(run.ty, rows, usize::MAX);
        for row in 0..rows {
            match moment_at(row) {
                Some(moment) if write(moment, moment.hour(), format.bytes(row), &mut out.buffer) => {
                    out.end_row()
                }
                _ => out.push_null(),
            }
        }
        return Ok(out.finish());
    }
    let mut out = crate::expr::vector::Builder::of(run.ty, rows);
    for row in 0..rows {
        match moment_at(row) {
            Some(moment) => out.push(ValueRef::DateTime(moment.with_fsp(run.ty.decimals.min(6)))),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}
