//! STR_TO_DATE, the opposite of DATE_FORMAT, and GET_FORMAT, which gives formats by name.
//!
//! Spaces of the text are skipped before every letter of the format; every other character of the format
//! stands for itself. A constant format decides whether the answer is a DATE, a TIME or a DATETIME; another
//! one gives a DATETIME(6). What does not match, or is no date of the session's mode, is NULL with warning
//! 1411; text behind the end of the format is left out with warning 1292.

use rustydb_value::{Date, DateTime, Time, ValueRef};

use super::date_format::{DAYS, MONTHS};
use super::{Call, Function, Invocation, any_null, each_string};
use crate::error::SqlError;
use crate::expr::coerce::{date_mode, shorten};
use crate::expr::types::{Class, Coercibility, ExprType};
use crate::expr::vector::{Builder, Vector};
use crate::expr::{BoundExpr, Node};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "str_to_date",
        (2, 2),
        "The date or time that a text has by a format of % letters",
        bind_str_to_date,
        str_to_date,
    )
    .session(),
    Function::new(
        "get_format",
        (2, 2),
        "A format by the name of a country or standard",
        bind_get_format,
        get_format,
    ),
];

/// What the letters of a format ask for.
fn result_type(format: &[u8]) -> ExprType {
    let (mut date, mut time, mut fraction) = (false, false, false);
    let mut bytes = format.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            continue;
        }
        match bytes.next() {
            Some(b'f') => (time, fraction) = (true, true),
            Some(b'H' | b'I' | b'S' | b'T' | b'h' | b'i' | b'k' | b'l' | b'r' | b's') => time = true,
            Some(letter) if b"MVUXYWabcjmvuxywDde".contains(letter) => date = true,
            _ => {}
        }
    }
    let fsp = if fraction { 6 } else { 0 };
    match (date, time) {
        (true, true) => ExprType::datetime(fsp),
        (false, true) => ExprType::time(fsp),
        _ => ExprType::date(),
    }
}

fn bind_str_to_date(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    call.to_string(1);
    Ok(match call.args.get(1) {
        Some(BoundExpr { node: Node::Literal(format), .. }) if !format.is_null(0) => {
            result_type(format.bytes(0))
        }
        _ => ExprType::datetime(6),
    })
}

/// The parts that letters have given so far.
#[derive(Default)]
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    /// 12 behind PM.
    half: i64,
    twelve: bool,
    weekday: i64,
    day_of_year: i64,
    week: Option<i64>,
    sunday_first: bool,
    strict_week: bool,
    week_year: Option<(i64, bool)>,
}

/// The text that is left.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }
    fn skip(&mut self, test: impl Fn(u8) -> bool) {
        while let [first, rest @ ..] = self.0
            && test(*first)
        {
            self.0 = rest;
        }
    }
    /// A number of at most `most` digits, and how many it has.
    fn number(&mut self, most: usize) -> Option<(i64, usize)> {
        let count = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some((digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')), count))
    }
    fn two(&mut self) -> Option<i64> {
        self.number(2).map(|(n, _)| n)
    }
    /// The position of the word that the text begins with.
    fn word(&mut self, words: &[&str], letters: Option<usize>) -> Option<usize> {
        let count = self.0.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let given = self.0.get(..count)?;
        let at = words.iter().position(|w| {
            let w = letters.and_then(|n| w.get(..n)).unwrap_or(w);
            w.as_bytes().eq_ignore_ascii_case(given)
        })?;
        self.0 = self.0.get(count..)?;
        Some(at)
    }
}

fn century(year: i64) -> i64 {
    match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        other => other,
    }
}

/// Reads the text by the format; None if they do not match.
fn read(format: &[u8], rest: &mut Rest<'_>, parts: &mut Parts) -> Option<()> {
    let mut letters = format.iter();
    while let Some(byte) = letters.next() {
        rest.skip_spaces();
        if rest.0.is_empty() {
            break;
        }
        let letter = if *byte == b'%' { letters.next() } else { None };
        let Some(letter) = letter else {
            if !byte.is_ascii_whitespace() {
                rest.0 = rest.0.strip_prefix(&[*byte])?;
            }
            continue;
        };
        match letter {
            b'Y' => {
                let (year, digits) = rest.number(4)?;
                parts.year = if digits <= 2 { century(year) } else { year };
            }
            b'y' => parts.year = century(rest.two()?),
            b'm' | b'c' => parts.month = rest.two()?,
            b'M' => parts.month = rest.word(&MONTHS, None)? as i64 + 1,
            b'b' => parts.month = rest.word(&MONTHS, Some(3))? as i64 + 1,
            b'd' | b'e' => parts.day = rest.two()?,
            b'D' => {
                parts.day = rest.two()?;
                rest.0 = rest.0.get(2..).unwrap_or(&[]);
            }
            b'h' | b'I' | b'l' => {
                parts.twelve = true;
                parts.hour = rest.two()?;
            }
            b'k' | b'H' => parts.hour = rest.two()?,
            b'i' => parts.minute = rest.two()?,
            b's' | b'S' => parts.second = rest.two()?,
            b'f' => {
                let (number, digits) = rest.number(6)?;
                parts.micro = number * 10i64.pow(6 - digits as u32);
            }
            b'p' => {
                let (given, behind) = rest.0.split_at_checked(2)?;
                if !parts.twelve {
                    return None;
                }
                if given.eq_ignore_ascii_case(b"PM") {
                    parts.half = 12;
                } else if !given.eq_ignore_ascii_case(b"AM") {
                    return None;
                }
                rest.0 = behind;
            }
            b'W' => parts.weekday = rest.word(&DAYS, None)? as i64 + 1,
            b'a' => parts.weekday = rest.word(&DAYS, Some(3))? as i64 + 1,
            b'w' => {
                let (day, _) = rest.number(1)?;
                if day > 6 {
                    return None;
                }
                parts.weekday = if day == 0 { 7 } else { day };
            }
            b'j' => parts.day_of_year = rest.number(3)?.0,
            b'V' | b'U' | b'v' | b'u' => {
                parts.sunday_first = matches!(letter, b'U' | b'V');
                parts.strict_week = matches!(letter, b'V' | b'v');
                let week = rest.two()?;
                if week > 53 || (parts.strict_week && week == 0) {
                    return None;
                }
                parts.week = Some(week);
            }
            b'X' | b'x' => parts.week_year = Some((rest.number(4)?.0, *letter == b'X')),
            b'r' => read(b"%I:%i:%S %p", rest, parts)?,
            b'T' => read(b"%H:%i:%S", rest, parts)?,
            b'.' => rest.skip(|b| b.is_ascii_punctuation()),
            b'@' => rest.skip(|b| b.is_ascii_alphabetic()),
            b'#' => rest.skip(|b| b.is_ascii_digit()),
            _ => return None,
        }
    }
    Some(())
}

impl Parts {
    /// Takes what weeks and days of the year say into the date.
    fn settle(&mut self) -> Option<()> {
        if self.twelve {
            if !(1..=12).contains(&self.hour) {
                return None;
            }
            self.hour = self.hour % 12 + self.half;
        }
        let first = |year: i64| Date::new(u32::try_from(year).ok()?, 1, 1)?.days_since_epoch();
        let mut days = None;
        if self.day_of_year > 0 {
            days = Some(first(self.year)? + self.day_of_year - 1);
        }
        if let Some(week) = self.week
            && self.weekday > 0
        {
            let year = match (self.strict_week, self.week_year) {
                (true, Some((year, sunday))) if sunday == self.sunday_first => year,
                (false, None) => self.year,
                _ => return None,
            };
            let begin = first(year)?;
            let monday = i64::from(Date::from_days_since_epoch(begin)?.weekday()?);
            days = Some(if self.sunday_first {
                let weekday = (monday + 1) % 7;
                begin + if weekday == 0 { 0 } else { 7 } - weekday + (week - 1) * 7 + self.weekday % 7
            } else {
                begin + if monday <= 3 { 0 } else { 7 } - monday + (week - 1) * 7 + self.weekday - 1
            });
        }
        if let Some(days) = days {
            let date = Date::from_days_since_epoch(days)?;
            self.year = i64::from(date.year());
            self.month = i64::from(date.month());
            self.day = i64::from(date.day());
        }
        Some(())
    }

    /// The moment, where every part is in its range.
    fn moment(&self) -> Option<DateTime> {
        let part = |n: i64| u32::try_from(n).ok();
        if self.month > 12 || self.day > 31 {
            return None;
        }
        let date = Date::new(part(self.year)?, part(self.month)?, part(self.day)?)?;
        DateTime::new(date, part(self.hour)?, part(self.minute)?, part(self.second)?, part(self.micro)?, 6)
    }
}

fn str_to_date(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [text, format] = args else { return Ok(Vector::null(rows)) };
    let mode = date_mode(run.context.session);
    let fsp = run.ty.decimals.min(6);
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let mut rest = Rest(text.bytes(row));
        let mut parts = Parts::default();
        let read = read(format.bytes(row), &mut rest, &mut parts);
        let moment = read.and_then(|()| parts.settle()).and_then(|()| parts.moment());
        let class = run.ty.class();
        let moment = moment.filter(|m| class == Class::Time || m.date().is_allowed(mode));
        let Some(moment) = moment else {
            let shown = shorten(text.bytes(row));
            run.warn(SqlError::wrong_value_for_type("datetime", shown, "str_to_date"));
            out.push_null();
            continue;
        };
        if !rest.0.trim_ascii_start().is_empty() {
            let kind = match class {
                Class::Time => "time",
                Class::Date => "date",
                _ => "datetime",
            };
            run.warn(SqlError::truncated_wrong_value(kind, shorten(text.bytes(row))));
        }
        match class {
            Class::Date => out.push(ValueRef::Date(moment.date())),
            Class::Time => {
                let days = i64::from(moment.date().day()) * 86_400_000_000;
                out.push(ValueRef::Time(Time::clamped(days + moment.micros_of_day(), fsp)));
            }
            _ => out.push(ValueRef::DateTime(moment.with_fsp(fsp))),
        }
    }
    Ok(out.finish())
}

fn bind_get_format(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    call.to_string(1);
    Ok(ExprType::text(17, call.session.settings.collation_connection, Coercibility::Coercible))
}

/// The formats of a name: of a date, a time, and both.
const FORMATS: [(&str, [&str; 3]); 5] = [
    ("USA", ["%m.%d.%Y", "%h:%i:%s %p", "%Y-%m-%d %H.%i.%s"]),
    ("JIS", ["%Y-%m-%d", "%H:%i:%s", "%Y-%m-%d %H:%i:%s"]),
    ("ISO", ["%Y-%m-%d", "%H:%i:%s", "%Y-%m-%d %H:%i:%s"]),
    ("EUR", ["%d.%m.%Y", "%H.%i.%s", "%Y-%m-%d %H.%i.%s"]),
    ("INTERNAL", ["%Y%m%d", "%H%i%s", "%Y%m%d%H%i%s"]),
];

fn get_format(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [kind, name] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |_, row, out| {
        let found = FORMATS.iter().find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name.bytes(row)));
        let at = usize::try_from(kind.as_ints().at(row)).unwrap_or(0);
        let Some(format) = found.and_then(|(_, formats)| formats.get(at)) else { return Ok(false) };
        out.extend_from_slice(format.as_bytes());
        Ok(true)
    })
}
