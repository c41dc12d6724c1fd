//! Values into columns of numbers.

use super::issue::shown;
use super::number::{decimal_to_i128, parse_decimal, parse_f64, parse_integer, to_decimal as exact, to_f64};
use super::{Converted, StoreIssue};
use crate::decimal::Decimal;
use crate::types::{ColumnType, TypeKind};
use crate::value::{Bit, Value, ValueRef};

fn incorrect(kind: &'static str, value: &ValueRef<'_>) -> StoreIssue {
    StoreIssue::Incorrect { kind, value: shown(value) }
}

fn text_of<'a>(value: &ValueRef<'a>) -> Option<&'a [u8]> {
    match *value {
        ValueRef::Text(text) => Some(text.as_bytes()),
        ValueRef::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Into TINYINT to BIGINT.
pub(super) fn to_integer(value: ValueRef<'_>, ty: &ColumnType) -> Converted {
    let (low, high) = ty.kind.integer_range().unwrap_or((i64::MIN, i64::MAX as u64));
    let (wide, issue) = integer_of(&value);
    let clamped = wide.clamp(i128::from(low), i128::from(high));
    // An exact number below zero is out of range even where it would round to zero.
    let below = ty.is_unsigned() && matches!(value, ValueRef::Decimal(v) if v.is_negative());
    let issue = if clamped == wide && !below { issue } else { Some(StoreIssue::OutOfRange) };
    let value = if ty.is_unsigned() { Value::UInt(clamped as u64) } else { Value::Int(clamped as i64) };
    (value, issue)
}

/// The rounded integer of any value, far out of every range where it does not fit 128 bits.
fn integer_of(value: &ValueRef<'_>) -> (i128, Option<StoreIssue>) {
    const FAR: i128 = 1 << 100;
    let of_decimal = |v: Decimal| {
        let rounded = v.round(0).unwrap_or(v);
        decimal_to_i128(&rounded).unwrap_or(if v.is_negative() { -FAR } else { FAR })
    };
    match *value {
        ValueRef::Int(v) => (i128::from(v), None),
        ValueRef::UInt(v) => (i128::from(v), None),
        // Floats are rounded to the nearest even integer at .5, as rint does.
        ValueRef::Float(v) => (round_float(f64::from(v)), None),
        ValueRef::Double(v) => (round_float(v), None),
        ValueRef::Text(_) | ValueRef::Bytes(_) => {
            let parsed = parse_integer(text_of(value).unwrap_or_default());
            let issue = match (parsed.found, parsed.garbage) {
                (false, _) => Some(incorrect("integer", value)),
                (true, garbage) => garbage.then_some(StoreIssue::Truncated),
            };
            (parsed.value, issue)
        }
        ValueRef::Time(v) => (i128::from(v.round(0).unwrap_or(v).to_number()), None),
        ValueRef::DateTime(v) => (i128::from(v.round(0).unwrap_or(v).to_number()), None),
        ref other => match exact(other) {
            Some(number) => (of_decimal(number.value), None),
            None => (0, None),
        },
    }
}

fn round_float(v: f64) -> i128 {
    // The cast saturates, and NaN (which no column holds) is 0.
    v.round_ties_even() as i128
}

/// Into DECIMAL.
pub(super) fn to_decimal(value: ValueRef<'_>, ty: &ColumnType, strict: bool) -> Converted {
    let TypeKind::Decimal { precision, scale, unsigned } = ty.kind else { return (Value::Null, None) };
    let (number, issue) = match text_of(&value) {
        Some(text) => {
            let parsed = parse_decimal(text);
            let issue = match (parsed.found, parsed.garbage) {
                (false, _) => Some(incorrect("decimal", &value)),
                (true, true) if strict => return (Value::Null, Some(incorrect("decimal", &value))),
                (true, true) => Some(StoreIssue::TruncatedNote),
                (true, false) => Decimal::parse(text).rounded.then_some(StoreIssue::TruncatedNote),
            };
            (parsed, issue)
        }
        None => match exact(&value) {
            Some(number) => (number, None),
            None => return (Value::Null, None),
        },
    };
    let out_of_range = |negative: bool| {
        let most = Decimal::max_of(precision, scale);
        let value = match (negative, unsigned) {
            (true, true) => {
                Decimal::max_of(1, scale).sub(&Decimal::max_of(1, scale)).unwrap_or(Decimal::ZERO)
            }
            (true, false) => most.neg(),
            (false, _) => most,
        };
        (Value::Decimal(value), Some(StoreIssue::OutOfRange))
    };
    let negative = number.value.is_negative();
    if number.out_of_range {
        return out_of_range(negative);
    }
    let Ok(rounded) = number.value.round(scale) else { return out_of_range(negative) };
    if !rounded.fits(precision, scale) || (unsigned && rounded.is_negative()) {
        return out_of_range(negative);
    }
    let lost = (rounded != number.value).then_some(StoreIssue::TruncatedNote);
    (Value::Decimal(rounded), issue.or(lost))
}

/// Into FLOAT and DOUBLE.
pub(super) fn to_float(value: ValueRef<'_>, ty: &ColumnType, strict: bool) -> Converted {
    let (unsigned, digits, single) = match ty.kind {
        TypeKind::Float { unsigned, digits } => (unsigned, digits, true),
        TypeKind::Double { unsigned, digits } => (unsigned, digits, false),
        _ => return (Value::Null, None),
    };
    let (parsed, mut issue) = match text_of(&value) {
        Some(text) => {
            let parsed = parse_f64(text);
            let name = if single { "FLOAT" } else { "DOUBLE" };
            (parsed, (parsed.garbage || !parsed.found).then(|| incorrect(name, &value)))
        }
        None => match to_f64(&value) {
            Some(number) => (number, None),
            None => return (Value::Null, None),
        },
    };
    let mut number = parsed.value;
    let mut out_of_range = parsed.out_of_range;
    if number.is_nan() {
        (number, out_of_range) = (0.0, true);
    }
    let mut most = if single { f64::from(f32::MAX) } else { f64::MAX };
    if let Some((width, scale)) = digits {
        let unit = 10f64.powi(i32::from(scale));
        most = most.min(10f64.powi(i32::from(width) - i32::from(scale)) - 1.0 / unit);
        let whole = number.floor();
        number = whole + ((number - whole) * unit).round_ties_even() / unit;
    }
    if unsigned && number < 0.0 {
        (number, out_of_range) = (0.0, true);
    }
    if number.abs() > most {
        (number, out_of_range) = (most.copysign(number), true);
    }
    // Strict mode stops at the text.
    if out_of_range && !(strict && issue.is_some()) {
        issue = Some(StoreIssue::OutOfRange);
    }
    // Adding zero turns -0 into 0.
    (if single { Value::Float(number as f32) } else { Value::Double(number) }, issue)
}

/// Into YEAR.
pub(super) fn to_year(value: ValueRef<'_>) -> Converted {
    let (number, issue, text) = match value {
        ValueRef::Text(_) | ValueRef::Bytes(_) => {
            let text = text_of(&value).unwrap_or_default();
            let (number, issue) = integer_of(&value);
            (number, issue, Some(text))
        }
        ValueRef::Year(year) => return (Value::Year(year), None),
        ValueRef::Date(date) => (i128::from(date.year()), None, None),
        ValueRef::DateTime(moment) => (i128::from(moment.date().year()), None, None),
        // Floats are cut.
        ValueRef::Float(v) => (f64::from(v) as i128, None, None),
        ValueRef::Double(v) => (v as i128, None, None),
        ValueRef::Decimal(v) if v.is_negative() => (-1, None, None),
        ValueRef::Time(_) => (-1, None, None),
        ref other => {
            let (number, issue) = integer_of(other);
            (number, issue, None)
        }
    };
    // The number 0 is the year 0000; the text '0' or '00' is 2000.
    let zero_is_2000 = text.is_some_and(|text| {
        let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
        digits > 0 && digits != 4
    });
    match number {
        0 if !zero_is_2000 => (Value::Year(0), issue),
        0..=69 => (Value::Year(2000 + number as u16), issue),
        70..=99 => (Value::Year(1900 + number as u16), issue),
        1901..=2155 => (Value::Year(number as u16), issue),
        _ => (Value::Year(0), Some(StoreIssue::OutOfRange)),
    }
}

/// Into BIT.
pub(super) fn to_bit(value: ValueRef<'_>, width: u8) -> Converted {
    let most = if width >= 64 { u64::MAX } else { (1 << width) - 1 };
    let bits = match value {
        ValueRef::Bit(bit) => Some(bit.value),
        ValueRef::Int(v) => Some(v as u64),
        ValueRef::UInt(v) => Some(v),
        // Floats are cut, and below zero taken as the bits of a signed integer.
        ValueRef::Float(v) => Some(v as i64 as u64),
        ValueRef::Double(v) => Some(v as i64 as u64),
        ValueRef::Year(v) => Some(u64::from(v)),
        ValueRef::Decimal(v) => match v.to_u64() {
            Ok(bits) if !v.is_negative() => Some(bits),
            _ => {
                let value = if v.is_negative() { 0 } else { most };
                return (Value::Bit(Bit { value, width }), Some(StoreIssue::OutOfRange));
            }
        },
        // A string, and what is turned into one, is taken as its bytes.
        ref other => {
            let text = other.to_text();
            let significant = &text[text.iter().take_while(|&&byte| byte == 0).count()..];
            (significant.len() <= 8)
                .then(|| significant.iter().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte)))
        }
    };
    match bits {
        Some(bits) if bits <= most => (Value::Bit(Bit { value: bits, width }), None),
        _ => (Value::Bit(Bit { value: most, width }), Some(StoreIssue::TooLong)),
    }
}
