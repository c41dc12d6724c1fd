//! Reading dates and times from text and numbers, as liberally as MySQL does.
//!
//! Accepted, as in the reference manual ("Date and Time Literals"): fields between any punctuation
//! (`2024-01-31 10:20:30`, `2024/1/31T10+20`), runs of digits (`20240131`, `240131102030`), years of
//! two digits (70 to 99 are 19xx), fractions of a second of any length, and an offset from UTC at
//! the end of a date and time. What follows the last field is reported, not refused.

use super::calendar::{DateMode, TimeZone};
use super::{Date, DateTime, MICROS_PER_SECOND, POW10, SECONDS_PER_DAY, Time};

/// A value that was read at the head of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedTemporal<T> {
    /// The value, rounded to the asked fractional digits.
    pub value: T,
    /// Something other than spaces followed, or the value was clamped: MySQL's "truncated" warning.
    pub truncated: bool,
    /// Whether a time of day was written.
    pub has_time: bool,
    /// An offset from UTC that was written behind a date and time. The value is still the local
    /// time there; the caller shifts it into the session's zone.
    pub offset: Option<TimeZone>,
}

/// A position in a text.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn digit_run(&self) -> usize {
        self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count()
    }

    /// Reads at most `most` digits; their number and value.
    fn number(&mut self, most: usize) -> (usize, u32) {
        let len = self.digit_run().min(most);
        let mut value = 0u32;
        for &digit in &self.text[self.at..self.at + len] {
            value = value.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
        }
        self.at += len;
        (len, value)
    }

    /// Reads the digits of a fraction; nanoseconds, cut.
    fn fraction(&mut self) -> u32 {
        let run = self.digit_run();
        let mut nanos = 0u32;
        for i in 0..9 {
            let digit = if i < run { u32::from(self.text[self.at + i] - b'0') } else { 0 };
            nanos = nanos * 10 + digit;
        }
        self.at += run;
        nanos
    }

    fn only_spaces_left(&self) -> bool {
        self.text[self.at..].iter().copied().all(is_space)
    }
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

/// 1970 to 2069 for two digits.
fn full_year(two_digits: u32) -> u32 {
    if two_digits < 70 { two_digits + 2000 } else { two_digits + 1900 }
}

/// Reads a DATE or DATETIME and rounds it half up to `fsp` digits. `None` for what is no date, or
/// one that `mode` refuses.
pub fn parse_datetime(text: &[u8], fsp: u8, mode: DateMode) -> Option<ParsedTemporal<DateTime>> {
    let read = read_datetime(text, mode)?;
    Some(ParsedTemporal {
        value: read.round(fsp)?,
        truncated: read.truncated,
        has_time: read.has_time,
        offset: read.offset,
    })
}

/// A date and time as it was written, before rounding.
pub(crate) struct ReadDateTime {
    /// With all microseconds.
    pub(crate) exact: DateTime,
    /// What was written behind the microseconds, below 1000.
    pub(crate) nanos: u32,
    pub(crate) truncated: bool,
    pub(crate) has_time: bool,
    pub(crate) offset: Option<TimeZone>,
}

impl ReadDateTime {
    /// Rounded half up to `fsp` digits. `None` where that leaves year 9999.
    pub(crate) fn round(&self, fsp: u8) -> Option<DateTime> {
        // Below the sixth digit the microseconds alone decide.
        let exact = if fsp >= 6 && self.nanos >= 500 { self.exact.plus_micros(1)? } else { self.exact };
        exact.round(fsp)
    }
}

/// Reads a DATE or DATETIME without rounding.
pub(crate) fn read_datetime(text: &[u8], mode: DateMode) -> Option<ReadDateTime> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_spaces();
    let run = reader.digit_run();
    if run == 0 {
        return None;
    }
    let follows = text.get(reader.at + run).copied();
    let packed_digits = run >= 5 || follows.is_none_or(|b| b == b'.' || b == b'T' || is_space(b)) && run > 2;
    let delimited = !packed_digits || (run <= 4 && follows.is_some());
    // Year, month, day, hour, minute, second.
    let mut fields = [0u32; 6];
    let mut count = 0;
    let mut two_digit_year = false;
    if delimited {
        while count < 6 {
            let (len, value) = reader.number(if count == 0 { 4 } else { 2 });
            if len == 0 {
                break;
            }
            if count == 0 {
                two_digit_year = len <= 2;
            }
            fields[count] = value;
            count += 1;
            if count == 6 {
                break;
            }
            let before = reader.at;
            if !skip_delimiter(&mut reader, count) {
                reader.at = before;
                break;
            }
        }
    } else {
        let year_digits = if run == 8 || run >= 14 { 4 } else { 2 };
        two_digit_year = year_digits == 2;
        while count < 6 {
            let (len, value) = reader.number(if count == 0 { year_digits } else { 2 });
            if len == 0 {
                break;
            }
            fields[count] = value;
            count += 1;
            if count == 3
                && reader.peek() == Some(b'T')
                && reader.text.get(reader.at + 1).is_some_and(u8::is_ascii_digit)
            {
                reader.at += 1;
            }
        }
    }
    if count < 3 {
        return None;
    }
    let mut nanos = 0;
    if count == 6 && reader.peek() == Some(b'.') {
        reader.at += 1;
        nanos = reader.fraction();
    }
    let mut offset = None;
    if count > 3 && matches!(reader.peek(), Some(b'+' | b'-')) {
        let rest = std::str::from_utf8(&text[reader.at..]).ok()?.trim_end();
        offset = Some(TimeZone::parse_offset(rest).filter(|_| rest.len() == 6)?);
        reader.at = text.len();
    }
    let [year, month, day, hour, minute, second] = fields;
    // 00-00-00 is the zero date, not the year 2000.
    let all_zero = fields.iter().all(|&field| field == 0);
    let year = if two_digit_year && !all_zero { full_year(year) } else { year };
    let date = Date::new(year, month, day)?;
    if !date.is_allowed(mode) || (date.is_zero() && !all_zero) {
        return None;
    }
    Some(ReadDateTime {
        exact: DateTime::new(date, hour, minute, second, nanos / 1000, 6)?,
        nanos: nanos % 1000,
        truncated: !reader.only_spaces_left(),
        has_time: count > 3,
        offset,
    })
}

/// Skips what stands between two fields of a date and time; whether another field may follow.
fn skip_delimiter(reader: &mut Reader<'_>, fields_read: usize) -> bool {
    let mut found = false;
    while let Some(byte) = reader.peek() {
        let separates = match byte {
            b'T' => fields_read == 3 && !found,
            b if is_space(b) => fields_read == 3,
            // After the seconds a point starts the fraction.
            b => b.is_ascii_punctuation(),
        };
        if !separates {
            break;
        }
        found = true;
        reader.at += 1;
    }
    found && reader.peek().is_some_and(|b| b.is_ascii_digit())
}

/// Reads a TIME and rounds it half away from zero to `fsp` digits. A text that is a date and time
/// gives its time of day. `None` for what is no time; what is out of range is clamped and reported.
pub fn parse_time(text: &[u8], fsp: u8) -> Option<ParsedTemporal<Time>> {
    let read = read_time(text, fsp)?;
    if read.impossible {
        return None;
    }
    let truncated = read.truncated || read.clamped;
    Some(ParsedTemporal { value: read.value, truncated, has_time: true, offset: read.offset })
}

/// A time as it was read.
#[derive(Default)]
pub(crate) struct ReadTime {
    pub(crate) value: Time,
    /// Something followed that is not part of it.
    pub(crate) truncated: bool,
    /// It was beyond 838:59:59.
    pub(crate) clamped: bool,
    /// Minutes or seconds above 59: the value is zero.
    pub(crate) impossible: bool,
    /// The text was a date and time, of which the date was dropped.
    pub(crate) dropped_date: bool,
    pub(crate) offset: Option<TimeZone>,
}

/// Reads a TIME. `None` for what is none.
pub(crate) fn read_time(text: &[u8], fsp: u8) -> Option<ReadTime> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_spaces();
    let negative = reader.peek() == Some(b'-');
    if negative {
        reader.at += 1;
    }
    if reader.only_spaces_left() {
        return Some(ReadTime { value: Time::ZERO.with_fsp(fsp), ..ReadTime::default() });
    }
    // A long text is taken for a date and time where it reads as one: digits alone, or two parts
    // with a space between them.
    let long = &text[reader.at..];
    let spaced = long.trim_ascii_end().iter().any(|&byte| is_space(byte)) && !long.contains(&b'T');
    if !negative
        && long.len() >= 12
        && (spaced || reader.digit_run() >= 12)
        && let Some(read) = read_datetime(long, DateMode::default())
        && read.has_time
    {
        let nanos = read.exact.micro() * 1000 + read.nanos;
        let seconds = (read.exact.micros_of_day() / MICROS_PER_SECOND) as u64;
        let (value, clamped) = build_time(false, seconds, nanos, fsp);
        let (truncated, offset) = (read.truncated, read.offset);
        let dropped_date = !read.exact.date().is_zero();
        return Some(ReadTime { value, truncated, clamped, dropped_date, offset, ..ReadTime::default() });
    }
    let (len, first) = long_number(&mut reader);
    if first > u64::from(u32::MAX) {
        return None;
    }
    let mut days = 0u64;
    let mut fields = [0u64; 3];
    let after = reader.at;
    reader.skip_spaces();
    let more = text.len() - reader.at > 1 && reader.peek().is_some_and(|b| b.is_ascii_digit());
    if len > 0 && reader.at > after && more {
        // D hh[:mm[:ss]]
        days = first;
        read_fields(&mut reader, &mut fields, 0);
    } else {
        reader.at = after;
        let colon = reader.peek() == Some(b':') && text.get(reader.at + 1).is_some_and(u8::is_ascii_digit);
        if colon && len > 0 {
            fields[0] = first;
            reader.at += 1;
            read_fields(&mut reader, &mut fields, 1);
        } else if len > 0 || reader.peek() == Some(b'.') {
            // hhmmss, counted from the right.
            fields = [first / 10_000, first / 100 % 100, first % 100];
        } else {
            return None;
        }
    }
    let mut nanos = 0;
    if reader.peek() == Some(b'.') {
        reader.at += 1;
        nanos = reader.fraction();
    }
    let truncated = !reader.only_spaces_left();
    let [hours, minutes, seconds] = fields;
    if minutes > 59 || seconds > 59 {
        let value = Time::ZERO.with_fsp(fsp);
        return Some(ReadTime { value, truncated, impossible: true, ..ReadTime::default() });
    }
    let hours = days.saturating_mul(24).saturating_add(hours);
    let total = hours.saturating_mul(3600).saturating_add(minutes * 60 + seconds);
    let (value, clamped) = build_time(negative, total, nanos, fsp);
    Some(ReadTime { value, truncated, clamped, ..ReadTime::default() })
}

fn long_number(reader: &mut Reader<'_>) -> (usize, u64) {
    let len = reader.digit_run();
    let digits = &reader.text[reader.at..reader.at + len];
    let value = digits
        .iter()
        .fold(0u64, |value, &digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    reader.at += len;
    (len, value)
}

/// Reads `hh:mm:ss` from the field `from` on.
fn read_fields(reader: &mut Reader<'_>, fields: &mut [u64; 3], from: usize) {
    for (i, field) in fields.iter_mut().enumerate().skip(from) {
        *field = long_number(reader).1;
        let more = i < 2
            && reader.peek() == Some(b':')
            && reader.text.get(reader.at + 1).is_some_and(u8::is_ascii_digit);
        if !more {
            return;
        }
        reader.at += 1;
    }
}

/// A time of whole seconds and nanoseconds, rounded and clamped; whether it was clamped.
fn build_time(negative: bool, seconds: u64, nanos: u32, fsp: u8) -> (Time, bool) {
    let sign = if negative { -1 } else { 1 };
    let limit = Time::MAX.micros() / MICROS_PER_SECOND;
    let Some(seconds) = i64::try_from(seconds).ok().filter(|&s| s <= limit) else {
        return (Time::clamped(sign * Time::MAX.micros(), fsp), true);
    };
    let fsp = fsp.min(6);
    let unit = i64::from(POW10[9 - fsp as usize]);
    let nanos = (i64::from(nanos) + unit / 2) / unit * unit;
    let micros = sign * (seconds * MICROS_PER_SECOND + nanos / 1000);
    match Time::from_micros(micros, fsp) {
        Some(value) => (value, false),
        None => (Time::clamped(micros, fsp), true),
    }
}

/// The date and time of a number: `YYMMDD`, `YYYYMMDD`, `YYMMDDhhmmss` or `YYYYMMDDhhmmss`, told
/// apart by size. `None` for what is none, or what `mode` refuses.
pub fn datetime_from_number(number: i64, mode: DateMode) -> Option<DateTime> {
    let full = match number {
        0 => {
            return DateTime::ZERO.is_allowed(mode).then_some(DateTime::ZERO);
        }
        101..=691_231 => (number + 20_000_000) * 1_000_000,
        700_101..=991_231 => (number + 19_000_000) * 1_000_000,
        10_000_101..=99_991_231 => number * 1_000_000,
        101_000_000..=691_231_235_959 => number + 20_000_000_000_000,
        700_101_000_000..=991_231_235_959 => number + 19_000_000_000_000,
        10_000_101_000_000..=99_991_231_235_959 => number,
        _ => return None,
    };
    let (date, clock) = ((full / 1_000_000) as u32, (full % 1_000_000) as u32);
    let date = Date::new(date / 10_000, date / 100 % 100, date % 100)?;
    if !date.is_allowed(mode) {
        return None;
    }
    DateTime::new(date, clock / 10_000, clock / 100 % 100, clock % 100, 0, 0)
}

/// The time of a number `hhmmss`, and whether it was clamped; a larger number is taken as a date
/// and time. `None` for what is none.
pub fn time_from_number(number: i64) -> Option<(Time, bool)> {
    const LARGEST: u64 = 8_385_959;
    let magnitude = number.unsigned_abs();
    if magnitude > LARGEST {
        if number >= 10_000_000_000
            && let Some(datetime) = datetime_from_number(number, DateMode::default())
        {
            return Some((datetime.time(), false));
        }
        return Some((Time::clamped(number.signum() * Time::MAX.micros(), 0), true));
    }
    let (hour, minute, second) =
        ((magnitude / 10_000) as u32, (magnitude / 100 % 100) as u32, (magnitude % 100) as u32);
    Time::new(number < 0, hour, minute, second, 0, 0).map(|time| (time, false))
}

const _: () = assert!(SECONDS_PER_DAY == 24 * 3600);
