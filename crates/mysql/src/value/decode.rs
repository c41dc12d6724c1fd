//! Cells of rows into values, by the type of their column.
//!
//! A cell that is not what its column promises (a date with month 13, a text that is no UTF-8) is given as the
//! bytes or the text that came, never dropped and never an error: the row is the server's to answer for.
//! Only lengths are trusted to nobody; they are checked when a row is split into cells.

use super::{Decimal, ValueRef};
use crate::column::{Column, ColumnType};
use rustydb_mysql_protocol::row::binary;
use rustydb_mysql_protocol::wire::Reader;
use rustydb_value::temporal::{DateMode, parse_datetime, parse_time};
use rustydb_value::{Date, DateTime, ProtocolType, ValueRef as Wire};

/// What MySQL can send is wider than what a strict session can store.
const ANY_DATE: DateMode =
    DateMode { no_zero_date: false, no_zero_in_date: false, allow_invalid_dates: true };

/// A string cell of a binary or text row whose column holds strings.
#[inline]
fn string<'a>(column: &Column, bytes: &'a [u8]) -> ValueRef<'a> {
    if column.is_binary() {
        return ValueRef::Bytes(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if column.column_type() == ColumnType::Json => ValueRef::Json(text),
        Ok(text) => ValueRef::String(text),
        Err(_) => ValueRef::Bytes(bytes),
    }
}

/// A cell that should have been a number or a date.
fn as_it_came(bytes: &[u8]) -> ValueRef<'_> {
    std::str::from_utf8(bytes).map_or(ValueRef::Bytes(bytes), ValueRef::String)
}

/// The value of a cell of a text row.
#[inline]
pub(crate) fn text_cell<'a>(column: &Column, bytes: &'a [u8]) -> ValueRef<'a> {
    use ProtocolType as T;
    let Some(wire) = column.protocol_type() else { return ValueRef::Bytes(bytes) };
    match wire {
        T::Tiny | T::Short | T::Int24 | T::Long | T::LongLong | T::Year => integer(column, bytes),
        T::Float => parsed(bytes, ValueRef::Float),
        T::Double => parsed(bytes, ValueRef::Double),
        T::Decimal | T::NewDecimal => decimal(bytes),
        T::Date => date_time(bytes, 0).map_or_else(|| as_it_came(bytes), |v| ValueRef::Date(v.date())),
        T::DateTime => date_time(bytes, column.fsp()).map_or_else(|| as_it_came(bytes), ValueRef::DateTime),
        T::Timestamp => date_time(bytes, column.fsp()).map_or_else(|| as_it_came(bytes), ValueRef::Timestamp),
        T::Time => match parse_time(bytes, column.fsp()) {
            Some(read) if !read.truncated => ValueRef::Time(read.value.with_fsp(column.fsp())),
            _ => as_it_came(bytes),
        },
        T::Bit => bits(bytes),
        T::Null => ValueRef::Null,
        _ => string(column, bytes),
    }
}

/// Reads the value of a cell of a binary row, which is not NULL. `bytes` are exactly the cell's: a number's
/// bytes, or a date's or a string's behind the length.
#[inline]
pub(crate) fn binary_cell<'a>(column: &Column, bytes: &'a [u8]) -> ValueRef<'a> {
    use ProtocolType as T;
    let Some(wire) = column.protocol_type() else { return ValueRef::Bytes(bytes) };
    match wire {
        T::Tiny | T::Short | T::Int24 | T::Long | T::LongLong | T::Float | T::Double | T::Year => {
            number(wire, column.is_unsigned(), bytes)
        }
        T::Date | T::DateTime | T::Timestamp | T::Time => moment(wire, column, bytes),
        T::Decimal | T::NewDecimal => decimal(bytes),
        T::Bit => bits(bytes),
        T::Null => ValueRef::Null,
        _ => string(column, bytes),
    }
}

#[inline]
fn number(wire: ProtocolType, unsigned: bool, bytes: &[u8]) -> ValueRef<'_> {
    match binary::read_value(&mut Reader::new(bytes), wire, unsigned) {
        Ok(Wire::Int(v)) => ValueRef::Int(v),
        Ok(Wire::UInt(v)) => ValueRef::UInt(v),
        Ok(Wire::Float(v)) => ValueRef::Float(v),
        Ok(Wire::Double(v)) => ValueRef::Double(v),
        _ => ValueRef::Bytes(bytes),
    }
}

/// A date or time, of which the cell is what stands behind its length.
fn moment<'a>(wire: ProtocolType, column: &Column, bytes: &'a [u8]) -> ValueRef<'a> {
    // The reader of values wants the length in front; a moment has twelve bytes at most.
    let mut whole = [0; 13];
    let Some(place) = whole.get_mut(1..=bytes.len()) else { return ValueRef::Bytes(bytes) };
    place.copy_from_slice(bytes);
    whole[0] = bytes.len() as u8;
    match binary::read_value(&mut Reader::new(&whole), wire, false) {
        Ok(Wire::Date(v)) => ValueRef::Date(v),
        Ok(Wire::Time(v)) => ValueRef::Time(v.with_fsp(column.fsp())),
        Ok(Wire::DateTime(v)) if wire == ProtocolType::Timestamp => {
            ValueRef::Timestamp(v.with_fsp(column.fsp()))
        }
        Ok(Wire::DateTime(v)) => ValueRef::DateTime(v.with_fsp(column.fsp())),
        _ => ValueRef::Bytes(bytes),
    }
}

/// An integer in text. Digits are read by hand: it is the commonest cell of all.
#[inline]
fn integer<'a>(column: &Column, bytes: &'a [u8]) -> ValueRef<'a> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut number = 0u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        let next = number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit)));
        match next {
            Some(next) if digit <= 9 => number = next,
            _ => return as_it_came(bytes),
        }
    }
    let unsigned = column.is_unsigned() || column.protocol_type() == Some(ProtocolType::Year);
    match (negative, unsigned) {
        _ if digits.is_empty() => as_it_came(bytes),
        (false, true) => ValueRef::UInt(number),
        (false, false) => i64::try_from(number).map_or_else(|_| as_it_came(bytes), ValueRef::Int),
        (true, _) => 0i64.checked_sub_unsigned(number).map_or_else(|| as_it_came(bytes), ValueRef::Int),
    }
}

fn parsed<'a, T: std::str::FromStr>(bytes: &'a [u8], value: impl FnOnce(T) -> ValueRef<'a>) -> ValueRef<'a> {
    match std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()) {
        Some(number) => value(number),
        None => as_it_came(bytes),
    }
}

/// A decimal. MariaDB has up to 38 digits after the point: what does not fit stays text.
fn decimal(bytes: &[u8]) -> ValueRef<'_> {
    let read = Decimal::parse(bytes);
    if read.consumed == bytes.len() && !bytes.is_empty() && !read.rounded && !read.overflow {
        ValueRef::Decimal(read.value)
    } else {
        as_it_came(bytes)
    }
}

/// A bit string: its bytes, highest first.
fn bits(bytes: &[u8]) -> ValueRef<'_> {
    if bytes.len() > 8 {
        return ValueRef::Bytes(bytes);
    }
    ValueRef::UInt(bytes.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte)))
}

/// `YYYY-MM-DD` and what may follow, as a server writes it.
fn date_time(bytes: &[u8], fsp: u8) -> Option<DateTime> {
    match bytes {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] => {
            let pair = |a: u8, b: u8| Some(digit(a)? * 10 + digit(b)?);
            let year = pair(*y1, *y2)? * 100 + pair(*y3, *y4)?;
            let date = Date::new(year, pair(*m1, *m2)?, pair(*d1, *d2)?)?;
            match rest {
                [] => Some(DateTime::from_date(date).with_fsp(fsp)),
                [b' ', h1, h2, b':', n1, n2, b':', s1, s2, fraction @ ..] => {
                    let micro = micros(fraction)?;
                    let (hour, minute, second) = (pair(*h1, *h2)?, pair(*n1, *n2)?, pair(*s1, *s2)?);
                    DateTime::new(date, hour, minute, second, micro, fsp)
                }
                _ => None,
            }
        }
        _ => parse_datetime(bytes, fsp, ANY_DATE).filter(|read| !read.truncated).map(|read| read.value),
    }
}

fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

/// The microseconds of `.123`.
fn micros(fraction: &[u8]) -> Option<u32> {
    let digits = match fraction {
        [] => return Some(0),
        [b'.', digits @ ..] if digits.len() <= 6 => digits,
        _ => return None,
    };
    let mut micro = 0;
    for place in 0..6 {
        micro = micro * 10 + digits.get(place).map_or(Some(0), |&byte| digit(byte))?;
    }
    Some(micro)
}
