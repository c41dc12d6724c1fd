//! Types of a program as values, and back.

use super::{Date, DateTime, Decimal, Time, Value, ValueRef};
use crate::column::Plain;
use std::borrow::Cow;
use std::sync::Arc;

/// A type that can be a parameter.
pub trait ToValue {
    /// The value to send.
    fn to_value(&self) -> ValueRef<'_>;
}

/// A type that a cell can be read as. `'a` is how long the row lives, so that `&str` can borrow from it.
pub trait FromValue<'a>: Sized {
    /// What is asked for, in error messages.
    const WANTED: &'static str;

    /// Reads the value.
    ///
    /// # Errors
    /// [`Mismatch`] where the value is of another kind or does not fit.
    fn from_value(value: ValueRef<'a>) -> Result<Self, Mismatch>;

    /// Reads a cell of a prepared statement's row from its bytes, where that is what [`from_value`](Self::from_value)
    /// would give of its value, in fewer steps; none elsewhere.
    #[doc(hidden)]
    #[inline]
    fn from_plain(_cell: PlainCell<'a>) -> Option<Self> {
        None
    }
}

/// A cell of a prepared statement's row, not NULL, and what its bytes are.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct PlainCell<'a> {
    pub(crate) kind: Plain,
    /// Digits of a second.
    pub(crate) fsp: u8,
    pub(crate) bytes: &'a [u8],
}

impl PlainCell<'_> {
    #[inline]
    fn array<const N: usize>(self) -> Option<[u8; N]> {
        self.bytes.try_into().ok()
    }
}

/// A value is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch;

impl ToValue for Value {
    #[inline]
    fn to_value(&self) -> ValueRef<'_> {
        self.as_ref()
    }
}

impl ToValue for ValueRef<'_> {
    #[inline]
    fn to_value(&self) -> ValueRef<'_> {
        *self
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    #[inline]
    fn to_value(&self) -> ValueRef<'_> {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    #[inline]
    fn to_value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, ToValue::to_value)
    }
}

macro_rules! to_value {
    ($($type:ty => |$v:ident| $value:expr;)*) => {$(
        impl ToValue for $type {
            #[inline]
            fn to_value(&self) -> ValueRef<'_> {
                let $v = self;
                $value
            }
        }
    )*};
}

to_value! {
    bool => |v| ValueRef::Bool(*v);
    i8 => |v| ValueRef::Int(i64::from(*v));
    i16 => |v| ValueRef::Int(i64::from(*v));
    i32 => |v| ValueRef::Int(i64::from(*v));
    i64 => |v| ValueRef::Int(*v);
    u8 => |v| ValueRef::UInt(u64::from(*v));
    u16 => |v| ValueRef::UInt(u64::from(*v));
    u32 => |v| ValueRef::UInt(u64::from(*v));
    u64 => |v| ValueRef::UInt(*v);
    usize => |v| ValueRef::UInt(*v as u64);
    f32 => |v| ValueRef::Float(*v);
    f64 => |v| ValueRef::Double(*v);
    str => |v| ValueRef::String(v);
    String => |v| ValueRef::String(v);
    Box<str> => |v| ValueRef::String(v);
    Arc<str> => |v| ValueRef::String(v);
    Cow<'_, str> => |v| ValueRef::String(v);
    [u8] => |v| ValueRef::Bytes(v);
    Vec<u8> => |v| ValueRef::Bytes(v);
    Date => |v| ValueRef::Date(*v);
    Time => |v| ValueRef::Time(*v);
    DateTime => |v| ValueRef::DateTime(*v);
    Decimal => |v| ValueRef::Decimal(*v);
}

impl<const N: usize> ToValue for [u8; N] {
    #[inline]
    fn to_value(&self) -> ValueRef<'_> {
        ValueRef::Bytes(self)
    }
}

macro_rules! into_value {
    ($($type:ty => |$v:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($v: $type) -> Value {
                $value
            }
        }
    )*};
}

into_value! {
    bool => |v| Value::Bool(v);
    i8 => |v| Value::Int(i64::from(v));
    i16 => |v| Value::Int(i64::from(v));
    i32 => |v| Value::Int(i64::from(v));
    i64 => |v| Value::Int(v);
    u8 => |v| Value::UInt(u64::from(v));
    u16 => |v| Value::UInt(u64::from(v));
    u32 => |v| Value::UInt(u64::from(v));
    u64 => |v| Value::UInt(v);
    usize => |v| Value::UInt(v as u64);
    f32 => |v| Value::Float(v);
    f64 => |v| Value::Double(v);
    &str => |v| Value::String(v.to_owned());
    String => |v| Value::String(v);
    &[u8] => |v| Value::Bytes(v.to_vec());
    Vec<u8> => |v| Value::Bytes(v);
    Date => |v| Value::Date(v);
    Time => |v| Value::Time(v);
    DateTime => |v| Value::DateTime(v);
    Decimal => |v| Value::Decimal(v);
    ValueRef<'_> => |v| v.to_owned();
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl<'a> FromValue<'a> for ValueRef<'a> {
    const WANTED: &'static str = "a value";

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Result<Self, Mismatch> {
        Ok(value)
    }
}

impl FromValue<'_> for Value {
    const WANTED: &'static str = "a value";

    fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        Ok(value.to_owned())
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    const WANTED: &'static str = T::WANTED;

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Result<Self, Mismatch> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }

    #[inline]
    fn from_plain(cell: PlainCell<'a>) -> Option<Self> {
        T::from_plain(cell).map(Some)
    }
}

impl FromValue<'_> for bool {
    const WANTED: &'static str = "bool";

    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::Bool(v) => Ok(v),
            ValueRef::Int(0) | ValueRef::UInt(0) => Ok(false),
            ValueRef::Int(1) | ValueRef::UInt(1) => Ok(true),
            _ => Err(Mismatch),
        }
    }
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl FromValue<'_> for $type {
            const WANTED: &'static str = stringify!($type);

            #[inline]
            fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
                match value {
                    ValueRef::Int(v) => Self::try_from(v).map_err(|_| Mismatch),
                    ValueRef::UInt(v) => Self::try_from(v).map_err(|_| Mismatch),
                    ValueRef::Bool(v) => Ok(Self::from(v)),
                    // SUM and COUNT arithmetic give decimals without digits after the point.
                    ValueRef::Decimal(v) => whole(&v).and_then(|v| Self::try_from(v).map_err(|_| Mismatch)),
                    _ => Err(Mismatch),
                }
            }

            #[inline]
            fn from_plain(cell: PlainCell<'_>) -> Option<Self> {
                match cell.kind {
                    Plain::Signed64 => Self::try_from(i64::from_le_bytes(cell.array()?)).ok(),
                    Plain::Unsigned64 => Self::try_from(u64::from_le_bytes(cell.array()?)).ok(),
                    Plain::Signed32 => Self::try_from(i32::from_le_bytes(cell.array()?)).ok(),
                    Plain::Unsigned32 => Self::try_from(u32::from_le_bytes(cell.array()?)).ok(),
                    _ => None,
                }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64 usize isize);

/// A decimal that is a whole number.
fn whole(value: &Decimal) -> Result<i128, Mismatch> {
    let stripped = value.strip_trailing_zeros();
    if stripped.scale() != 0 {
        return Err(Mismatch);
    }
    match stripped.to_i64() {
        Ok(v) => Ok(i128::from(v)),
        Err(_) => stripped.to_u64().map(i128::from).map_err(|_| Mismatch),
    }
}

impl FromValue<'_> for f64 {
    const WANTED: &'static str = "f64";

    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        // Integers up to 2^53 are exact.
        const EXACT: u64 = 1 << 53;
        match value {
            ValueRef::Double(v) => Ok(v),
            ValueRef::Float(v) => Ok(f64::from(v)),
            ValueRef::Decimal(v) => Ok(v.to_f64()),
            ValueRef::Int(v) if v.unsigned_abs() <= EXACT => Ok(v as f64),
            ValueRef::UInt(v) if v <= EXACT => Ok(v as f64),
            _ => Err(Mismatch),
        }
    }

    #[inline]
    fn from_plain(cell: PlainCell<'_>) -> Option<Self> {
        match cell.kind {
            Plain::Double => cell.array().map(f64::from_le_bytes),
            _ => None,
        }
    }
}

impl FromValue<'_> for f32 {
    const WANTED: &'static str = "f32";

    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::Float(v) => Ok(v),
            _ => Err(Mismatch),
        }
    }
}

impl<'a> FromValue<'a> for &'a str {
    const WANTED: &'static str = "&str";

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::String(v) | ValueRef::Json(v) => Ok(v),
            _ => Err(Mismatch),
        }
    }

    #[inline]
    fn from_plain(cell: PlainCell<'a>) -> Option<Self> {
        match cell.kind {
            Plain::Text => std::str::from_utf8(cell.bytes).ok(),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    const WANTED: &'static str = "&[u8]";

    #[inline]
    fn from_value(value: ValueRef<'a>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::Bytes(v) => Ok(v),
            ValueRef::String(v) | ValueRef::Json(v) => Ok(v.as_bytes()),
            _ => Err(Mismatch),
        }
    }
}

macro_rules! through {
    ($($type:ty, $wanted:literal, $by:ty;)*) => {$(
        impl FromValue<'_> for $type {
            const WANTED: &'static str = $wanted;

            #[inline]
            fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
                <$by as FromValue<'_>>::from_value(value).map(Into::into)
            }

            #[inline]
            fn from_plain(cell: PlainCell<'_>) -> Option<Self> {
                <$by as FromValue<'_>>::from_plain(cell).map(Into::into)
            }
        }
    )*};
}

through! {
    String, "String", &str;
    Box<str>, "Box<str>", &str;
    Arc<str>, "Arc<str>", &str;
    Vec<u8>, "Vec<u8>", &[u8];
    Box<[u8]>, "Box<[u8]>", &[u8];
}

impl<'a> FromValue<'a> for Cow<'a, str> {
    const WANTED: &'static str = "Cow<str>";

    fn from_value(value: ValueRef<'a>) -> Result<Self, Mismatch> {
        <&str>::from_value(value).map(Cow::Borrowed)
    }
}

macro_rules! same_kind {
    ($($type:ty, $wanted:literal, $($kind:ident)|*;)*) => {$(
        impl FromValue<'_> for $type {
            const WANTED: &'static str = $wanted;

            #[inline]
            fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
                match value {
                    $(ValueRef::$kind(v))|* => Ok(v),
                    _ => Err(Mismatch),
                }
            }
        }
    )*};
}

same_kind! {
    Date, "Date", Date;
    Time, "Time", Time;
}

impl FromValue<'_> for DateTime {
    const WANTED: &'static str = "DateTime";

    #[inline]
    fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::DateTime(v) | ValueRef::Timestamp(v) => Ok(v),
            _ => Err(Mismatch),
        }
    }

    #[inline]
    fn from_plain(cell: PlainCell<'_>) -> Option<Self> {
        match (cell.kind, cell.bytes) {
            // Without fractions of a second, as most are.
            (Plain::Moment, &[y0, y1, month, day, hour, minute, second]) => {
                let year = u32::from(u16::from_le_bytes([y0, y1]));
                let date = Date::new(year, u32::from(month), u32::from(day))?;
                DateTime::new(date, u32::from(hour), u32::from(minute), u32::from(second), 0, cell.fsp)
            }
            _ => None,
        }
    }
}

impl FromValue<'_> for Decimal {
    const WANTED: &'static str = "Decimal";

    fn from_value(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::Decimal(v) => Ok(v),
            ValueRef::Int(v) => Ok(Decimal::from(v)),
            ValueRef::UInt(v) => Ok(Decimal::from(v)),
            _ => Err(Mismatch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(u8::from_value(ValueRef::Int(256)), Err(Mismatch));
        assert_eq!(u64::from_value(ValueRef::Int(-1)), Err(Mismatch));
        assert_eq!(i64::from_value(ValueRef::UInt(u64::MAX)), Err(Mismatch));
        assert_eq!(bool::from_value(ValueRef::Int(2)), Err(Mismatch));
        assert_eq!(f64::from_value(ValueRef::Int((1 << 53) + 1)), Err(Mismatch));
        assert_eq!(f32::from_value(ValueRef::Double(1.0)), Err(Mismatch));
        assert_eq!(String::from_value(ValueRef::Bytes(b"x")), Err(Mismatch));
        assert_eq!(i32::from_value(ValueRef::Null), Err(Mismatch));
        assert_eq!(i32::from_value(ValueRef::Decimal(Decimal::new(15, 1).unwrap())), Err(Mismatch));
    }

    #[test]
    fn what_fits_is_read() {
        assert_eq!(Option::<i32>::from_value(ValueRef::Null), Ok(None));
        assert_eq!(i32::from_value(ValueRef::Decimal(Decimal::new(1500, 2).unwrap())), Ok(15));
        assert_eq!(bool::from_value(ValueRef::UInt(1)), Ok(true));
        assert_eq!(<&str>::from_value(ValueRef::Json("{}")), Ok("{}"));
        assert_eq!(f64::from_value(ValueRef::Decimal(Decimal::new(15, 1).unwrap())), Ok(1.5));
    }

    proptest! {
        #[test]
        fn integers_come_back(signed: i64, unsigned: u64, small: i16) {
            prop_assert_eq!(i64::from_value(signed.to_value()), Ok(signed));
            prop_assert_eq!(u64::from_value(unsigned.to_value()), Ok(unsigned));
            prop_assert_eq!(i16::from_value(i64::from(small).to_value()), Ok(small));
            prop_assert_eq!(Value::from(signed).as_ref().to_owned(), Value::Int(signed));
        }
    }
}
