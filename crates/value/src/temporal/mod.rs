//! Dates, times and their MySQL text forms.
//!
//! [`Date`] and [`DateTime`] are packed into an integer whose order is their order and whose fields
//! are had by shifts. They can hold what MySQL can: the zero date `0000-00-00`, zero months and days
//! (`2024-00-00`), and, where `sql_mode` allows, days that no month has (`2024-02-31`).
//! [`DateMode`] says which of these a statement accepts.
//!
//! [`Time`] is a signed duration of at most 838:59:59.000000 with microseconds.
//!
//! Values carry their fractional digits (`fsp`, 0 to 6) for printing; order and equality ignore them.
//! Time zones are given as [`TimeZone`] offsets; named zones are resolved to one by the caller.

mod calendar;
mod date;
mod datetime;
mod parse;
mod time;

pub use calendar::{DateMode, TimeZone, days_in_month};
pub use date::Date;
pub use datetime::DateTime;
pub use parse::{ParsedTemporal, datetime_from_number, parse_datetime, parse_time, time_from_number};
pub(crate) use parse::{ReadDateTime, ReadTime, read_datetime, read_time};
pub use time::Time;

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Seconds in a day.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// Powers of ten that fractional seconds need.
const POW10: [u32; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Appends `.` and the first `fsp` digits of the microseconds.
#[inline]
fn write_fraction(micros: u32, fsp: u8, out: &mut Vec<u8>) {
    if fsp == 0 {
        return;
    }
    let fsp = fsp.min(6) as usize;
    out.push(b'.');
    crate::value::write_padded(u64::from(micros / POW10[6 - fsp]), fsp, out);
}

/// Appends two digits.
#[inline]
fn write_two(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8]);
}
