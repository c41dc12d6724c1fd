//! Numbers between their forms: text to number as MySQL reads it, doubles to integers, decimals to the
//! scaled integers of Arrow and back.
//!
//! MySQL reads as much of a text as is a number and warns about the rest; nothing here fails.

use arrow_buffer::i256;
use rustydb_value::Decimal;

/// A scaled integer of a vector as a decimal.
#[inline]
pub fn decimal_from_i256(value: i256, scale: u8) -> Decimal {
    Decimal::from_le_bytes(value.to_le_bytes(), scale).unwrap_or_else(|_| {
        let bound = Decimal::max_of(65, scale);
        if value.is_negative() { bound.neg() } else { bound }
    })
}

/// A decimal as the scaled integer of a vector, rounded if the vector has fewer digits.
#[inline]
pub fn i256_from_decimal(value: Decimal, scale: u8) -> i256 {
    let rounded = if value.scale() == scale {
        value
    } else {
        value.round(scale).unwrap_or_else(|_| {
            let bound = Decimal::max_of(65, scale);
            if value.is_negative() { bound.neg() } else { bound }
        })
    };
    i256::from_le_bytes(rounded.to_le_bytes())
}

/// Ten to the power of `exponent`, up to 76.
pub fn power_of_ten(exponent: u8) -> i256 {
    let mut out = i256::ONE;
    let ten = i256::from_i128(10);
    for _ in 0..exponent.min(76) {
        out = out.wrapping_mul(ten);
    }
    out
}

/// A scaled integer at another scale, rounded half away from zero; None if it has too many digits.
#[inline]
pub fn rescale(value: i256, from: u8, to: u8) -> Option<i256> {
    if from == to {
        return Some(value);
    }
    if to > from {
        return value.checked_mul(power_of_ten(to - from));
    }
    let divisor = power_of_ten(from - to);
    let (quotient, remainder) = value.checked_div_rem(divisor)?;
    let twice = remainder.wrapping_abs().checked_mul(i256::from_i128(2))?;
    if twice < divisor {
        return Some(quotient);
    }
    let one = if value.is_negative() { i256::MINUS_ONE } else { i256::ONE };
    quotient.checked_add(one)
}

/// What a text gave when it was read as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parsed<T> {
    /// The number; zero if the text starts with none.
    pub value: T,
    /// Whether all of the text (but for blanks around it) was the number.
    pub whole: bool,
    /// Whether the number did not fit and was cut to the nearest bound.
    pub clipped: bool,
}

/// The length of the longest prefix that is a number: digits, point, exponent; and where it starts.
fn number_span(text: &[u8], exponent: bool) -> (usize, usize) {
    let start = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(text.len());
    let mut at = start;
    if matches!(text.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let digits_from = at;
    let mut digits = 0;
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
        digits += 1;
    }
    if text.get(at) == Some(&b'.') {
        let point = at;
        at += 1;
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
            digits += 1;
        }
        if digits == 0 {
            at = point;
        }
    }
    if digits == 0 || at == digits_from {
        return (start, start);
    }
    if exponent && matches!(text.get(at), Some(b'e' | b'E')) {
        let mut ahead = at + 1;
        if matches!(text.get(ahead), Some(b'+' | b'-')) {
            ahead += 1;
        }
        if text.get(ahead).is_some_and(u8::is_ascii_digit) {
            while text.get(ahead).is_some_and(u8::is_ascii_digit) {
                ahead += 1;
            }
            at = ahead;
        }
    }
    (start, at)
}

fn only_blanks(rest: &[u8]) -> bool {
    rest.iter().all(u8::is_ascii_whitespace)
}

/// Reads a text as DOUBLE.
pub fn parse_double(text: &[u8]) -> Parsed<f64> {
    let (start, end) = number_span(text, true);
    let number = text.get(start..end).and_then(|n| std::str::from_utf8(n).ok()).unwrap_or("");
    let value: f64 = number.strip_prefix('+').unwrap_or(number).parse().unwrap_or(0.0);
    let clipped = value.is_infinite();
    let value = if clipped { f64::MAX.copysign(value) } else { value };
    let whole = end > start && only_blanks(text.get(end..).unwrap_or(&[]));
    Parsed { value, whole, clipped }
}

/// Reads a text as an integer: the digits at its start, so `'3.9'` is 3.
pub fn parse_integer(text: &[u8]) -> Parsed<i128> {
    let start = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(text.len());
    let mut at = start;
    let negative = text.get(at) == Some(&b'-');
    if matches!(text.get(at), Some(b'+' | b'-')) {
        at += 1;
    }
    let digits_from = at;
    let mut value: i128 = 0;
    let mut clipped = false;
    while let Some(digit) = text.get(at).filter(|b| b.is_ascii_digit()) {
        value = value * 10 + i128::from(digit - b'0');
        if value > i128::from(u64::MAX) {
            value = i128::from(u64::MAX);
            clipped = true;
        }
        at += 1;
    }
    let whole = at > digits_from && only_blanks(text.get(at..).unwrap_or(&[]));
    Parsed { value: if negative { -value } else { value }, whole, clipped }
}

/// Reads a text as DECIMAL.
pub fn parse_decimal(text: &[u8]) -> Parsed<Decimal> {
    let (start, end) = number_span(text, true);
    let number = text.get(start..end).unwrap_or(&[]);
    if number.is_empty() {
        return Parsed { value: Decimal::ZERO, whole: false, clipped: false };
    }
    let parsed = Decimal::parse(number);
    let whole = only_blanks(text.get(end..).unwrap_or(&[]));
    Parsed { value: parsed.value, whole, clipped: parsed.overflow }
}

/// A double as a signed integer, rounded half away from zero (ties to even, as `rint` does in MySQL, are
/// for ROUND of doubles only); None if it does not fit.
pub fn double_to_i64(value: f64) -> Option<i64> {
    let rounded = value.round_ties_even();
    // 2^63 is a double, i64::MAX is not.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        Some(rounded as i64)
    } else {
        None
    }
}

/// A double as an unsigned integer; None if it does not fit.
pub fn double_to_u64(value: f64) -> Option<u64> {
    let rounded = value.round_ties_even();
    if (0.0..18_446_744_073_709_551_616.0).contains(&rounded) { Some(rounded as u64) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_far_as_it_is_a_number() {
        for (text, value, whole) in [
            ("12", 12.0, true),
            (" -1.5e2 ", -150.0, true),
            ("1e", 1.0, false),
            ("1.5abc", 1.5, false),
            ("abc", 0.0, false),
            ("", 0.0, false),
            (".5", 0.5, true),
            (".", 0.0, false),
            ("+7", 7.0, true),
            ("-", 0.0, false),
        ] {
            let parsed = parse_double(text.as_bytes());
            assert_eq!((parsed.value, parsed.whole), (value, whole), "{text:?}");
        }
        assert!(parse_double(b"1e999").clipped);
    }

    #[test]
    fn integers_stop_at_the_point() {
        assert_eq!(parse_integer(b"3.9"), Parsed { value: 3, whole: false, clipped: false });
        assert_eq!(parse_integer(b"-42 ").value, -42);
        assert!(parse_integer(b"99999999999999999999").clipped);
    }

    #[test]
    fn scaled_integers_survive_the_way_through_decimal() {
        for text in ["0.00", "-12.50", "99999999999999999999999999999999999999999999999999999999999999999"] {
            let decimal = Decimal::parse(text.as_bytes()).value;
            let scaled = i256_from_decimal(decimal, decimal.scale());
            assert_eq!(decimal_from_i256(scaled, decimal.scale()), decimal);
        }
    }

    #[test]
    fn rescaling_rounds_half_away_from_zero() {
        let r = |v: i128, from, to| rescale(i256::from_i128(v), from, to).and_then(|v| v.to_i128());
        assert_eq!(r(125, 2, 1), Some(13));
        assert_eq!(r(-125, 2, 1), Some(-13));
        assert_eq!(r(124, 2, 1), Some(12));
        assert_eq!(r(12, 1, 3), Some(1200));
    }

    #[test]
    fn doubles_out_of_range_are_told() {
        assert_eq!(double_to_i64(1e19), None);
        assert_eq!(double_to_i64(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(double_to_u64(-1.0), None);
        assert_eq!(double_to_u64(1e19), Some(10_000_000_000_000_000_000));
    }
}
