//! Numbers at the head of texts, and numbers of any value.
//!
//! MySQL reads `'12abc'` as 12 and warns. The functions here give the number and how it was read;
//! the caller words the warning.

use crate::decimal::Decimal;
use crate::value::{Bit, ValueRef};

/// A number read at the head of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParsedNumber<T> {
    /// The number, 0 where there was none, the nearest where it is out of range.
    pub value: T,
    /// Whether there was a number at all.
    pub found: bool,
    /// Whether something other than spaces stood behind it (or instead of it).
    pub garbage: bool,
    /// Whether it was beyond the range of the type.
    pub out_of_range: bool,
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

fn only_spaces(text: &[u8]) -> bool {
    text.iter().copied().all(is_space)
}

/// The length of the floating-point number at the head of `text` (behind spaces), spaces included.
fn float_extent(text: &[u8]) -> (usize, usize) {
    let start = text.iter().take_while(|&&b| is_space(b)).count();
    let mut at = start;
    let digits = |from: usize| text[from.min(text.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    if matches!(text.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let whole = digits(at);
    at += whole;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        fraction = digits(at + 1);
        if whole + fraction > 0 {
            at += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return (start, start);
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let mut from = at + 1;
        if matches!(text.get(from), Some(b'+' | b'-')) {
            from += 1;
        }
        let exponent = digits(from);
        if exponent > 0 {
            at = from + exponent;
        }
    }
    (start, at)
}

/// Reads a double-precision number.
pub fn parse_f64(text: &[u8]) -> ParsedNumber<f64> {
    let (start, end) = float_extent(text);
    let number = std::str::from_utf8(&text[start..end]).ok().and_then(|s| s.parse::<f64>().ok());
    let garbage = !only_spaces(&text[end..]);
    match number {
        None => ParsedNumber { value: 0.0, found: false, garbage: true, out_of_range: false },
        Some(value) if value.is_infinite() => {
            ParsedNumber { value: f64::MAX.copysign(value), found: true, garbage, out_of_range: true }
        }
        Some(value) => ParsedNumber { value, found: true, garbage, out_of_range: false },
    }
}

/// Reads an exact number.
pub fn parse_decimal(text: &[u8]) -> ParsedNumber<Decimal> {
    let parsed = Decimal::parse(text);
    let found = parsed.consumed > 0;
    ParsedNumber {
        value: parsed.value,
        found,
        garbage: !found || !only_spaces(&text[parsed.consumed..]),
        out_of_range: parsed.overflow,
    }
}

/// Reads an integer, rounding digits after the point half away from zero. An `e` without digits
/// behind it counts as read. The value is wide enough for every MySQL integer; what is far beyond
/// them is given as plus or minus 2^100.
pub fn parse_integer(text: &[u8]) -> ParsedNumber<i128> {
    let parsed = Decimal::parse(text);
    let limit = if parsed.value.is_negative() { -(1i128 << 100) } else { 1 << 100 };
    let rounded = parsed.value.round(0).ok().and_then(|value| decimal_to_i128(&value));
    let value = if parsed.overflow { limit } else { rounded.unwrap_or(limit) };
    let found = parsed.consumed > 0;
    let mut rest = &text[parsed.consumed..];
    if found && let [b'e' | b'E', after @ ..] = rest {
        rest = after;
    }
    ParsedNumber { value, found, garbage: !found || !only_spaces(rest), out_of_range: parsed.overflow }
}

/// Reads a signed integer; out of range gives the nearest.
pub fn parse_i64(text: &[u8]) -> ParsedNumber<i64> {
    let parsed = parse_integer(text);
    let value = parsed.value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
    ParsedNumber {
        value,
        found: parsed.found,
        garbage: parsed.garbage,
        out_of_range: parsed.out_of_range || i128::from(value) != parsed.value,
    }
}

/// A decimal's integer part where it fits 128 bits.
pub(super) fn decimal_to_i128(value: &Decimal) -> Option<i128> {
    let cut = value.truncate(0).ok()?;
    let bytes = cut.to_le_bytes();
    let (low, high) = bytes.split_at(16);
    let low = i128::from_le_bytes(low.try_into().ok()?);
    let fill = if low < 0 { 0xff } else { 0 };
    high.iter().all(|&byte| byte == fill).then_some(low)
}

/// A value as a double-precision number, as in `value + 0e0`. `None` for NULL.
pub fn to_f64(value: &ValueRef<'_>) -> Option<ParsedNumber<f64>> {
    let plain = |value| Some(ParsedNumber { value, found: true, garbage: false, out_of_range: false });
    match *value {
        ValueRef::Null => None,
        ValueRef::Int(v) => plain(v as f64),
        ValueRef::UInt(v) => plain(v as f64),
        ValueRef::Float(v) => plain(f64::from(v)),
        ValueRef::Double(v) => plain(v),
        ValueRef::Decimal(v) => plain(v.to_f64()),
        ValueRef::Bytes(v) => Some(parse_f64(v)),
        ValueRef::Text(v) => Some(parse_f64(v.as_bytes())),
        ValueRef::Date(v) => plain(v.to_number() as f64),
        ValueRef::Time(_) | ValueRef::DateTime(_) => plain(to_decimal(value)?.value.to_f64()),
        ValueRef::Year(v) => plain(f64::from(v)),
        ValueRef::Bit(Bit { value, .. }) => plain(value as f64),
        ValueRef::Json(v) => to_f64(&super::json::scalar_from(v).as_ref()),
    }
}

/// A value as an exact number, as in `value + 0`. A float that is not finite, or beyond 65 digits,
/// is out of range. `None` for NULL.
pub fn to_decimal(value: &ValueRef<'_>) -> Option<ParsedNumber<Decimal>> {
    let plain = |value| Some(ParsedNumber { value, found: true, garbage: false, out_of_range: false });
    let of_float = |v: f64| {
        let (value, out_of_range) = match Decimal::from_f64(v) {
            Ok(value) => (value, false),
            Err(_) if v < 0.0 => (Decimal::max_of(65, 0).neg(), true),
            Err(_) => (Decimal::max_of(65, 0), true),
        };
        Some(ParsedNumber { value, found: true, garbage: false, out_of_range })
    };
    match *value {
        ValueRef::Null => None,
        ValueRef::Int(v) => plain(Decimal::from(v)),
        ValueRef::UInt(v) => plain(Decimal::from(v)),
        ValueRef::Float(v) => of_float(f64::from(v)),
        ValueRef::Double(v) => of_float(v),
        ValueRef::Decimal(v) => plain(v),
        ValueRef::Bytes(v) => Some(parse_decimal(v)),
        ValueRef::Text(v) => Some(parse_decimal(v.as_bytes())),
        ValueRef::Date(v) => plain(Decimal::from(v.to_number())),
        ValueRef::Time(v) => {
            let whole = i128::from(v.to_number().unsigned_abs()) * 1_000_000 + i128::from(v.micro());
            with_fraction(if v.is_negative() { -whole } else { whole }, v.fsp()).and_then(plain)
        }
        ValueRef::DateTime(v) => {
            with_fraction(i128::from(v.to_number()) * 1_000_000 + i128::from(v.micro()), v.fsp())
                .and_then(plain)
        }
        ValueRef::Year(v) => plain(Decimal::from(u64::from(v))),
        ValueRef::Bit(Bit { value, .. }) => plain(Decimal::from(value)),
        ValueRef::Json(v) => to_decimal(&super::json::scalar_from(v).as_ref()),
    }
}

fn with_fraction(micros: i128, fsp: u8) -> Option<Decimal> {
    Decimal::new(micros, 6).and_then(|value| value.truncate(fsp)).ok()
}

/// A value as a signed integer, rounded half away from zero. `None` for NULL.
pub fn to_i64(value: &ValueRef<'_>) -> Option<ParsedNumber<i64>> {
    if let ValueRef::Int(value) = *value {
        return Some(ParsedNumber { value, found: true, garbage: false, out_of_range: false });
    }
    let number = to_decimal(value)?;
    let exact = number.value.to_i64();
    let value = exact.unwrap_or(if number.value.is_negative() { i64::MIN } else { i64::MAX });
    Some(ParsedNumber {
        value,
        found: number.found,
        garbage: number.garbage,
        out_of_range: number.out_of_range || exact.is_err(),
    })
}
