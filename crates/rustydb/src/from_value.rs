//! SQL values as Rust types.
//!
//! A conversion never loses anything: a number that does not fit, a text that is no UTF-8 or a NULL where no
//! Option was asked for is an error, never a rounded or empty value. Text becomes a number only by SQL's CAST.

use rustydb_value::{Date, DateTime, Decimal, Json, Time, Value};

/// A type that SQL values can be read as.
pub trait FromValue: Sized {
    /// What the type is called in an error.
    const WANTED: &'static str;

    /// The value as this type; the value back where it is none.
    fn from_value(value: Value) -> Result<Self, Value>;
}

macro_rules! integers {
    ($($ty:ty),*) => {$(
        impl FromValue for $ty {
            const WANTED: &'static str = stringify!($ty);

            fn from_value(value: Value) -> Result<$ty, Value> {
                let fits = match &value {
                    Value::Int(n) => <$ty>::try_from(*n).ok(),
                    Value::UInt(n) => <$ty>::try_from(*n).ok(),
                    Value::Year(n) => <$ty>::try_from(*n).ok(),
                    Value::Bit(bit) => <$ty>::try_from(bit.value).ok(),
                    // SUM of integers is a DECIMAL without a fraction.
                    Value::Decimal(decimal) => decimal.to_string().parse().ok(),
                    _ => None,
                };
                fits.ok_or(value)
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, usize, isize);

macro_rules! exact {
    ($($ty:ty => $($variant:ident)|+),* $(,)?) => {$(
        impl FromValue for $ty {
            const WANTED: &'static str = stringify!($ty);

            fn from_value(value: Value) -> Result<$ty, Value> {
                match value {
                    $(Value::$variant(inner) => Ok(inner.into()),)+
                    other => Err(other),
                }
            }
        }
    )*};
}

exact! {
    f32 => Float,
    f64 => Double | Float,
    Decimal => Decimal,
    Date => Date,
    Time => Time,
    DateTime => DateTime,
    Vec<u8> => Bytes | Text,
}

impl FromValue for bool {
    const WANTED: &'static str = "bool";

    fn from_value(value: Value) -> Result<bool, Value> {
        match i64::from_value(value)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Value::Int(other)),
        }
    }
}

impl FromValue for String {
    const WANTED: &'static str = "String";

    fn from_value(value: Value) -> Result<String, Value> {
        match value {
            Value::Text(text) => Ok(text),
            Value::Bytes(bytes) => String::from_utf8(bytes).map_err(|error| Value::Bytes(error.into_bytes())),
            Value::Json(stored) => match Json::decode(&stored) {
                Ok(document) => Ok(document.to_text()),
                Err(_) => Err(Value::Json(stored)),
            },
            other => Err(other),
        }
    }
}

impl FromValue for Value {
    const WANTED: &'static str = "Value";

    fn from_value(value: Value) -> Result<Value, Value> {
        Ok(value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_value(value: Value) -> Result<Option<T>, Value> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_fit_are_given_back() {
        assert_eq!(u8::from_value(Value::Int(255)).ok(), Some(255));
        assert!(u8::from_value(Value::Int(256)).is_err());
        assert!(u64::from_value(Value::Int(-1)).is_err());
        assert!(i64::from_value(Value::UInt(u64::MAX)).is_err());
        assert!(i64::from_value(Value::Text("7".into())).is_err());
        assert!(bool::from_value(Value::Int(2)).is_err());
        assert!(f32::from_value(Value::Double(0.1)).is_err());
    }

    #[test]
    fn null_needs_an_option() {
        assert!(String::from_value(Value::Null).is_err());
        assert_eq!(Option::<String>::from_value(Value::Null).ok(), Some(None));
    }

    #[test]
    fn bytes_become_text_only_as_utf8() {
        assert_eq!(String::from_value(Value::Bytes(b"ab".into())).ok().as_deref(), Some("ab"));
        assert!(String::from_value(Value::Bytes(vec![0xff])).is_err());
    }
}
