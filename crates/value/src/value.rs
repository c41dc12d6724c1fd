//! SQL values: [`Value`] owns, [`ValueRef`] borrows and is `Copy`.
//!
//! A value knows what it needs to print itself: a decimal its scale, a time its fractional digits,
//! a bit string its width. It does not know its column: collation, ENUM members and display width
//! are in [`crate::ColumnType`]. ENUM is an index (`UInt`, 0 is the empty error value), SET is a
//! bit mask (`UInt`).
//!
//! [`ValueRef::write_text`] is on the way of every text-protocol row: it appends to the caller's
//! buffer and allocates nothing.

use std::cmp::Ordering;

use crate::collation::Collation;
use crate::decimal::Decimal;
use crate::float_text;
use crate::json::Json;
use crate::temporal::{Date, DateTime, Time};

/// A bit string of up to 64 bits, as a `BIT(n)` column holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bit {
    /// The bits, the last one lowest.
    pub value: u64,
    /// The number of bits, 1 to 64.
    pub width: u8,
}

impl Bit {
    /// The number of bytes of the binary form.
    #[inline]
    pub const fn byte_len(self) -> usize {
        (self.width as usize).div_ceil(8)
    }

    /// Appends the binary form, which is also what the protocol sends: big-endian bytes.
    #[inline]
    pub fn write_bytes(self, out: &mut Vec<u8>) {
        let bytes = self.value.to_be_bytes();
        out.extend_from_slice(&bytes[8 - self.byte_len().min(8)..]);
    }
}

/// An owned SQL value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// SQL NULL.
    #[default]
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, an ENUM index or a SET mask.
    UInt(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// An exact number.
    Decimal(Decimal),
    /// A binary string.
    Bytes(Vec<u8>),
    /// A text; its collation is known from its type.
    Text(String),
    /// A date.
    Date(Date),
    /// A time of day or a duration.
    Time(Time),
    /// A date and a time. In a TIMESTAMP column's row and key it is UTC.
    DateTime(DateTime),
    /// A YEAR: 0, or 1901 to 2155.
    Year(u16),
    /// A bit string.
    Bit(Bit),
    /// A JSON document in its stored form ([`crate::json`]).
    Json(Vec<u8>),
}

/// A borrowed SQL value.
#[derive(Clone, Copy, Debug, Default)]
pub enum ValueRef<'a> {
    /// SQL NULL.
    #[default]
    Null,
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, an ENUM index or a SET mask.
    UInt(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// An exact number.
    Decimal(Decimal),
    /// A binary string.
    Bytes(&'a [u8]),
    /// A text; its collation is known from its type.
    Text(&'a str),
    /// A date.
    Date(Date),
    /// A time of day or a duration.
    Time(Time),
    /// A date and a time. In a TIMESTAMP column's row and key it is UTC.
    DateTime(DateTime),
    /// A YEAR: 0, or 1901 to 2155.
    Year(u16),
    /// A bit string.
    Bit(Bit),
    /// A JSON document in its stored form ([`crate::json`]).
    Json(&'a [u8]),
}

impl Value {
    /// Borrows the value.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Int(*v),
            Self::UInt(v) => ValueRef::UInt(*v),
            Self::Float(v) => ValueRef::Float(*v),
            Self::Double(v) => ValueRef::Double(*v),
            Self::Decimal(v) => ValueRef::Decimal(*v),
            Self::Bytes(v) => ValueRef::Bytes(v),
            Self::Text(v) => ValueRef::Text(v),
            Self::Date(v) => ValueRef::Date(*v),
            Self::Time(v) => ValueRef::Time(*v),
            Self::DateTime(v) => ValueRef::DateTime(*v),
            Self::Year(v) => ValueRef::Year(*v),
            Self::Bit(v) => ValueRef::Bit(*v),
            Self::Json(v) => ValueRef::Json(v),
        }
    }

    /// Whether the value is NULL.
    #[inline]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<'a> ValueRef<'a> {
    /// Copies the value into one that owns.
    #[inline]
    pub fn to_owned(&self) -> Value {
        match *self {
            Self::Null => Value::Null,
            Self::Int(v) => Value::Int(v),
            Self::UInt(v) => Value::UInt(v),
            Self::Float(v) => Value::Float(v),
            Self::Double(v) => Value::Double(v),
            Self::Decimal(v) => Value::Decimal(v),
            Self::Bytes(v) => Value::Bytes(v.to_vec()),
            Self::Text(v) => Value::Text(v.to_string()),
            Self::Date(v) => Value::Date(v),
            Self::Time(v) => Value::Time(v),
            Self::DateTime(v) => Value::DateTime(v),
            Self::Year(v) => Value::Year(v),
            Self::Bit(v) => Value::Bit(v),
            Self::Json(v) => Value::Json(v.to_vec()),
        }
    }

    /// Whether the value is NULL.
    #[inline]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The name of the kind, for messages.
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "INT",
            Self::UInt(_) => "UNSIGNED INT",
            Self::Float(_) => "FLOAT",
            Self::Double(_) => "DOUBLE",
            Self::Decimal(_) => "DECIMAL",
            Self::Bytes(_) => "BINARY",
            Self::Text(_) => "CHAR",
            Self::Date(_) => "DATE",
            Self::Time(_) => "TIME",
            Self::DateTime(_) => "DATETIME",
            Self::Year(_) => "YEAR",
            Self::Bit(_) => "BIT",
            Self::Json(_) => "JSON",
        }
    }

    /// Appends the text form that MySQL sends in a text-protocol row. NULL appends nothing: the
    /// protocol has its own mark for it.
    #[inline]
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Null => {}
            Self::Int(v) => write_i64(v, out),
            Self::UInt(v) => write_u64(v, out),
            Self::Bytes(v) => out.extend_from_slice(v),
            Self::Text(v) => out.extend_from_slice(v.as_bytes()),
            Self::Float(v) => float_text::write_f32(v, out),
            Self::Double(v) => float_text::write_f64(v, out),
            Self::Decimal(v) => v.write_text(out),
            Self::Date(v) => v.write_text(out),
            Self::Time(v) => v.write_text(out),
            Self::DateTime(v) => v.write_text(out),
            Self::Year(v) => write_padded(u64::from(v), 4, out),
            Self::Bit(v) => v.write_bytes(out),
            // Damaged bytes show as what they are: nothing that could be read as a document.
            Self::Json(v) => match Json::decode(v) {
                Ok(document) => out.extend_from_slice(document.to_text().as_bytes()),
                Err(_) => out.extend_from_slice(v),
            },
        }
    }

    /// The text form as a new string of bytes; for messages and tests.
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_text(&mut out);
        out
    }

    /// The order of two values of one column type: NULL first, numbers by amount, temporal values
    /// by time, text by `collation`, binary strings by bytes.
    ///
    /// Any two numbers are compared exactly. `None` for pairs that MySQL would convert first (text
    /// with a number, a date with a time): their meaning is the expression evaluator's.
    pub fn compare(&self, other: &ValueRef<'_>, collation: Collation) -> Option<Ordering> {
        use ValueRef as V;
        Some(match (*self, *other) {
            (V::Null, V::Null) => Ordering::Equal,
            (V::Null, _) => Ordering::Less,
            (_, V::Null) => Ordering::Greater,
            (V::Int(a), V::Int(b)) => a.cmp(&b),
            (V::UInt(a), V::UInt(b)) => a.cmp(&b),
            (V::Text(a), V::Text(b)) => collation.compare(a, b),
            (V::Bytes(a), V::Bytes(b)) => a.cmp(b),
            (V::Json(a), V::Json(b)) => Json::decode(a).ok()?.compare(&Json::decode(b).ok()?),
            (V::Date(a), V::Date(b)) => a.cmp(&b),
            (V::Time(a), V::Time(b)) => a.cmp(&b),
            (V::DateTime(a), V::DateTime(b)) => a.cmp(&b),
            (V::Date(a), V::DateTime(b)) => a.at_midnight().cmp(&b),
            (V::DateTime(a), V::Date(b)) => a.cmp(&b.at_midnight()),
            (a, b) => return a.number()?.compare(b.number()?),
        })
    }

    fn number(&self) -> Option<Number> {
        Some(match *self {
            Self::Int(v) => Number::Exact(Decimal::from(v)),
            Self::UInt(v) => Number::Exact(Decimal::from(v)),
            Self::Year(v) => Number::Exact(Decimal::from(u64::from(v))),
            Self::Bit(v) => Number::Exact(Decimal::from(v.value)),
            Self::Decimal(v) => Number::Exact(v),
            Self::Float(v) => Number::Float(f64::from(v)),
            Self::Double(v) => Number::Float(v),
            _ => return None,
        })
    }
}

/// A number on its way into a comparison.
#[derive(Clone, Copy)]
enum Number {
    Exact(Decimal),
    Float(f64),
}

impl Number {
    /// Exact with exact; as soon as a float takes part, as floats, which is MySQL's rule.
    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => Some(a.cmp(&b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Exact(v) => v.to_f64(),
            Self::Float(v) => v,
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    #[inline]
    fn from(value: &'a Value) -> Self {
        value.as_ref()
    }
}

impl From<ValueRef<'_>> for Value {
    #[inline]
    fn from(value: ValueRef<'_>) -> Self {
        value.to_owned()
    }
}

macro_rules! from_plain {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            #[inline]
            fn from(v: $from) -> Self {
                Self::$variant(v.into())
            }
        }
    )*};
}
from_plain!(i64 => Int, i32 => Int, u64 => UInt, u32 => UInt, f32 => Float, f64 => Double, Decimal => Decimal,
    Vec<u8> => Bytes, String => Text, &str => Text, Date => Date, Time => Time, DateTime => DateTime, Bit => Bit);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// Equality of representation: kind and content (a decimal's scale and a time's digits do not
/// count; `-0.0` equals `0.0`). Text is compared by bytes; SQL equality is [`ValueRef::compare`].
impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &ValueRef<'_>) -> bool {
        use ValueRef as V;
        match (*self, *other) {
            (V::Null, V::Null) => true,
            (V::Int(a), V::Int(b)) => a == b,
            (V::UInt(a), V::UInt(b)) => a == b,
            (V::Float(a), V::Float(b)) => a == b,
            (V::Double(a), V::Double(b)) => a == b,
            (V::Decimal(a), V::Decimal(b)) => a == b,
            (V::Bytes(a), V::Bytes(b)) => a == b,
            (V::Text(a), V::Text(b)) => a == b,
            (V::Date(a), V::Date(b)) => a == b,
            (V::Time(a), V::Time(b)) => a == b,
            (V::DateTime(a), V::DateTime(b)) => a == b,
            (V::Year(a), V::Year(b)) => a == b,
            (V::Bit(a), V::Bit(b)) => a == b,
            _ => false,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

const DIGIT_PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// Appends a signed integer in decimal.
#[inline]
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(value.unsigned_abs(), out);
}

/// Appends an unsigned integer in decimal.
#[inline]
pub fn write_u64(mut value: u64, out: &mut Vec<u8>) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGIT_PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&DIGIT_PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        buffer[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Appends an unsigned integer in decimal with leading zeros to at least `width` digits.
#[inline]
pub fn write_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    let digits = value.checked_ilog10().unwrap_or(0) as usize + 1;
    for _ in digits..width {
        out.push(b'0');
    }
    write_u64(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_borrowed_value_is_small() {
        assert!(size_of::<ValueRef<'_>>() <= 48, "{}", size_of::<ValueRef<'_>>());
        assert!(size_of::<Value>() <= 48, "{}", size_of::<Value>());
    }

    #[test]
    fn numbers_of_all_kinds_compare_by_amount() {
        let decimal = |text: &str| ValueRef::Decimal(Decimal::parse(text.as_bytes()).value);
        let compare = |a: ValueRef<'_>, b: ValueRef<'_>| a.compare(&b, Collation::BINARY);
        assert_eq!(compare(ValueRef::Int(-1), ValueRef::UInt(u64::MAX)), Some(Ordering::Less));
        assert_eq!(compare(ValueRef::Int(i64::MAX), ValueRef::UInt(1 << 63)), Some(Ordering::Less));
        assert_eq!(compare(decimal("1.50"), ValueRef::Double(1.5)), Some(Ordering::Equal));
        assert_eq!(
            compare(decimal("9007199254740993"), ValueRef::Int(9_007_199_254_740_992)),
            Some(Ordering::Greater)
        );
        assert_eq!(compare(ValueRef::Year(2024), ValueRef::Int(2023)), Some(Ordering::Greater));
        assert_eq!(compare(ValueRef::Null, ValueRef::Int(i64::MIN)), Some(Ordering::Less));
        assert_eq!(compare(ValueRef::Text("1"), ValueRef::Int(1)), None);
        assert_eq!(compare(ValueRef::Double(f64::NAN), ValueRef::Int(1)), None);
    }

    #[test]
    fn dates_compare_with_moments() {
        let day = Date::new(2024, 2, 29).expect("a date");
        let later = DateTime::new(day, 0, 0, 0, 1, 6).expect("a moment");
        let compare = |a: ValueRef<'_>, b: ValueRef<'_>| a.compare(&b, Collation::BINARY);
        assert_eq!(compare(ValueRef::Date(day), ValueRef::DateTime(later)), Some(Ordering::Less));
        assert_eq!(
            compare(ValueRef::DateTime(day.at_midnight()), ValueRef::Date(day)),
            Some(Ordering::Equal)
        );
    }

    #[test]
    fn text_forms() {
        let text = |value: ValueRef<'_>| String::from_utf8(value.to_text()).expect("UTF-8");
        assert_eq!(text(ValueRef::Null), "");
        assert_eq!(text(ValueRef::Year(0)), "0000");
        assert_eq!(text(ValueRef::Date(Date::ZERO)), "0000-00-00");
        assert_eq!(
            text(ValueRef::Time(Time::from_micros(-3_723_450_000, 2).expect("a time"))),
            "-01:02:03.45"
        );
        assert_eq!(text(ValueRef::Time(Time::MAX)), "838:59:59");
        let moment = DateTime::new(Date::MAX, 1, 2, 3, 40, 6).expect("a moment");
        assert_eq!(text(ValueRef::DateTime(moment)), "9999-12-31 01:02:03.000040");
        assert_eq!(ValueRef::Bit(Bit { value: 0x1ff, width: 9 }).to_text(), [1, 0xff]);
        let mut out = Vec::new();
        write_padded(7, 3, &mut out);
        write_padded(1234, 3, &mut out);
        assert_eq!(out, b"0071234");
    }
}
