//! Values into columns of dates and times.
//!
//! What cannot be read is [`StoreIssue::Truncated`], what is no possible date or time
//! [`StoreIssue::OutOfRange`]; strict mode words both as an incorrect value of the type.

use super::{Converted, StoreIssue, StoreMode};
use crate::temporal::{
    Date, DateMode, DateTime, MICROS_PER_SECOND, ReadDateTime, ReadTime, SECONDS_PER_DAY, Time, TimeZone,
    datetime_from_number, read_datetime, read_time, time_from_number,
};
use crate::types::{ColumnType, TypeKind};
use crate::value::{Value, ValueRef};

fn whole(exact: DateTime) -> ReadDateTime {
    ReadDateTime { exact, nanos: 0, truncated: false, has_time: true, offset: None }
}

/// The date and time that a value means, not yet rounded; or why it means none.
fn moment_of(value: &ValueRef<'_>, mode: DateMode) -> Result<ReadDateTime, StoreIssue> {
    let found = match *value {
        ValueRef::Text(text) => read_datetime(text.as_bytes(), mode),
        ValueRef::Bytes(bytes) => read_datetime(bytes, mode),
        ValueRef::Date(date) => date.is_allowed(mode).then(|| whole(date.at_midnight())),
        ValueRef::DateTime(moment) => moment.is_allowed(mode).then(|| whole(moment)),
        ValueRef::Int(number) => datetime_from_number(number, mode).map(whole),
        ValueRef::UInt(number) => {
            i64::try_from(number).ok().and_then(|number| datetime_from_number(number, mode)).map(whole)
        }
        ValueRef::Year(0) => Date::ZERO.is_allowed(mode).then(|| whole(DateTime::ZERO)),
        ValueRef::Decimal(_) | ValueRef::Float(_) | ValueRef::Double(_) => {
            of_fraction(value, mode).map(whole)
        }
        _ => None,
    };
    found.ok_or_else(|| match *value {
        ValueRef::Text(_) | ValueRef::Bytes(_) | ValueRef::Date(_) | ValueRef::DateTime(_) => {
            // A date that another mode would take is out of range; all else cannot be read.
            let lax = DateMode { allow_invalid_dates: true, ..DateMode::default() };
            match mode == lax || moment_of(value, lax).is_err() {
                true => StoreIssue::Truncated,
                false => StoreIssue::OutOfRange,
            }
        }
        _ => match split_fraction(value) {
            Some((seconds @ 0..=LAST_NUMBER, micros)) if seconds + micros >= 0 => StoreIssue::Truncated,
            _ => StoreIssue::OutOfRange,
        },
    })
}

/// The largest number that may be a date and time.
const LAST_NUMBER: i64 = 99_991_231_235_959;

/// Seconds and microseconds of a number like `20240131102030.5`.
fn of_fraction(value: &ValueRef<'_>, mode: DateMode) -> Option<DateTime> {
    let (seconds, micros) = split_fraction(value)?;
    let moment = datetime_from_number(seconds, mode)?;
    moment.with_fsp(6).plus_micros(u32::try_from(micros).ok()?)
}

/// A number's integer part, and the rest in microseconds with the same sign.
fn split_fraction(value: &ValueRef<'_>) -> Option<(i64, i64)> {
    let number = super::number::to_decimal(value)?.value;
    let seconds = number.truncate(0).ok()?;
    let micros = number.sub(&seconds).ok()?.mul(&crate::Decimal::from(MICROS_PER_SECOND)).ok()?;
    Some((seconds.to_i64().ok()?, micros.to_i64().ok()?))
}

fn is_text_or_number(value: &ValueRef<'_>) -> bool {
    !matches!(value, ValueRef::Date(_) | ValueRef::DateTime(_) | ValueRef::Time(_))
}

/// Into DATE.
pub(super) fn to_date(value: ValueRef<'_>, mode: &StoreMode) -> Converted {
    let read = match moment_of(&value, mode.dates) {
        Ok(read) => read,
        Err(issue) => return (Value::Date(Date::ZERO), Some(issue)),
    };
    // A DATETIME is rounded to seconds first, a text to microseconds.
    let fsp = if is_text_or_number(&value) { 6 } else { 0 };
    let Some(moment) = read.round(fsp) else {
        return (Value::Date(Date::ZERO), Some(StoreIssue::DatetimeOverflow));
    };
    let issue = if read.truncated {
        Some(StoreIssue::Truncated)
    } else {
        // The clock is dropped; MySQL notes it where there is one.
        (moment.micros_of_day() != 0).then_some(StoreIssue::TruncatedNote)
    };
    (Value::Date(moment.date()), issue)
}

/// Into DATETIME and TIMESTAMP.
pub(super) fn to_datetime(value: ValueRef<'_>, ty: &ColumnType, mode: &StoreMode) -> Converted {
    let fsp = ty.kind.fsp();
    let zero = |issue| (Value::DateTime(DateTime::ZERO.with_fsp(fsp)), Some(issue));
    let read = match moment_of(&value, mode.dates) {
        Ok(read) => read,
        Err(issue) => return zero(issue),
    };
    let rounded = if mode.truncate_fraction { Some(read.exact.truncate(fsp)) } else { read.round(fsp) };
    let Some(mut moment) = rounded else { return zero(StoreIssue::DatetimeOverflow) };
    if let Some(offset) = read.offset {
        let shifted = moment.to_utc(offset).and_then(|utc| utc.to_local(mode.time_zone));
        let Some(shifted) = shifted else { return zero(StoreIssue::OutOfRange) };
        moment = shifted;
    }
    let issue = read.truncated.then_some(StoreIssue::Truncated);
    if matches!(ty.kind, TypeKind::Timestamp { .. }) {
        // A date with zero parts has no place in UTC.
        let utc = moment.to_utc(mode.time_zone).filter(|utc| utc.to_timestamp_micros().is_some());
        return match utc {
            Some(utc) => (Value::DateTime(utc), issue),
            None => zero(StoreIssue::OutOfRange),
        };
    }
    (Value::DateTime(moment), issue)
}

/// Into TIME.
pub(super) fn to_time(value: ValueRef<'_>, fsp: u8, mode: &StoreMode) -> Converted {
    // Where the fraction is cut, it is read in full first.
    let read_fsp = if mode.truncate_fraction { 6 } else { fsp };
    let whole = |value: Time| ReadTime { value, ..ReadTime::default() };
    let read = match value {
        ValueRef::Text(text) => read_time(text.as_bytes(), read_fsp),
        ValueRef::Bytes(bytes) => read_time(bytes, read_fsp),
        ValueRef::Time(time) => Some(whole(time)),
        ValueRef::DateTime(moment) => Some(whole(moment.time())),
        ValueRef::Date(_) => Some(whole(Time::ZERO)),
        ref other => of_number(other),
    };
    let Some(read) = read else {
        return (Value::Time(Time::ZERO.with_fsp(fsp)), Some(StoreIssue::Truncated));
    };
    let mut time = if mode.truncate_fraction {
        read.value.truncate(fsp)
    } else {
        read.value.round(fsp).unwrap_or(Time::clamped(read.value.micros(), fsp).truncate(fsp))
    };
    if let Some(offset) = read.offset {
        time = of_day_in_zone(time, offset, mode.time_zone);
    }
    let issue = if read.truncated {
        Some(StoreIssue::Truncated)
    } else if read.clamped || read.impossible {
        Some(StoreIssue::OutOfRange)
    } else {
        read.dropped_date.then_some(StoreIssue::TruncatedNote)
    };
    (Value::Time(time), issue)
}

fn of_number(value: &ValueRef<'_>) -> Option<ReadTime> {
    let number = super::number::to_decimal(value)?.value;
    let beyond =
        |value: i64| ReadTime { value: Time::clamped(value, 6), clamped: true, ..ReadTime::default() };
    let Some((seconds, micros)) = split_fraction(value) else {
        return Some(beyond(if number.is_negative() { i64::MIN } else { i64::MAX }));
    };
    let Some((time, clamped)) = time_from_number(seconds) else {
        return Some(ReadTime { impossible: true, ..ReadTime::default() });
    };
    if clamped {
        return Some(beyond(time.micros()));
    }
    let dropped_date = seconds > 10_000_000_000;
    Some(ReadTime { value: Time::clamped(time.micros() + micros, 6), dropped_date, ..ReadTime::default() })
}

/// A time of day of one zone in another.
fn of_day_in_zone(time: Time, from: TimeZone, to: TimeZone) -> Time {
    let shift = i64::from(to.offset_seconds - from.offset_seconds) * MICROS_PER_SECOND;
    let micros = (time.micros() + shift).rem_euclid(SECONDS_PER_DAY * MICROS_PER_SECOND);
    Time::from_micros(micros, time.fsp()).unwrap_or(time)
}
