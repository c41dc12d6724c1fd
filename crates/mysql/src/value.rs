//! Values: what goes to a server as a parameter and what comes back in a cell.
//!
//! [`Value`] owns, [`ValueRef`] borrows from the packet that a row came in, and is `Copy`. Both have the same
//! fourteen kinds. Types of a program go to the server by [`ToValue`] and come back by [`FromValue`], which
//! refuses what does not fit instead of cutting it.
//!
//! How a column's values are read:
//!
//! | column | kind |
//! |---|---|
//! | TINYINT to BIGINT | `Int`, or `UInt` where UNSIGNED (`bool` reads 0 and 1) |
//! | YEAR, BIT | `UInt` |
//! | FLOAT, DOUBLE, DECIMAL | `Float`, `Double`, `Decimal` |
//! | CHAR to LONGTEXT, ENUM, SET | `String` (`Bytes` where it is not UTF-8) |
//! | BINARY to LONGBLOB, GEOMETRY, VECTOR | `Bytes` |
//! | DATE, TIME, DATETIME, TIMESTAMP | `Date`, `Time`, `DateTime`, `Timestamp` |
//! | JSON | `Json`: the document's text |
//!
//! MySQL has no boolean: `Bool` is for parameters, which go as 0 and 1.

mod convert;
pub(crate) mod decode;
mod encode;

pub use convert::{FromValue, Mismatch, PlainCell, ToValue};
pub(crate) use encode::{put_parameter, put_type};
pub use rustydb_value::{Date, DateTime, Decimal, Time};

/// A value of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// SQL NULL.
    #[default]
    Null,
    /// A truth value; sent as 0 or 1.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, a YEAR or a bit string.
    UInt(u64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// A text.
    String(String),
    /// A binary string.
    Bytes(Vec<u8>),
    /// A date, possibly zero or with zero parts.
    Date(Date),
    /// A time of day or a duration.
    Time(Time),
    /// A date and a time, of no time zone.
    DateTime(DateTime),
    /// A date and a time in the session's time zone.
    Timestamp(DateTime),
    /// An exact number.
    Decimal(Decimal),
    /// The text of a JSON document.
    Json(String),
}

/// A borrowed value; see [`Value`] for its kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs, reason = "the kinds are those of Value")]
pub enum ValueRef<'a> {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f32),
    Double(f64),
    String(&'a str),
    Bytes(&'a [u8]),
    Date(Date),
    Time(Time),
    DateTime(DateTime),
    Timestamp(DateTime),
    Decimal(Decimal),
    Json(&'a str),
}

/// No parameters.
pub const NO_PARAMETERS: &[Value] = &[];

impl Value {
    /// Borrows it.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Null => ValueRef::Null,
            Value::Bool(v) => ValueRef::Bool(*v),
            Value::Int(v) => ValueRef::Int(*v),
            Value::UInt(v) => ValueRef::UInt(*v),
            Value::Float(v) => ValueRef::Float(*v),
            Value::Double(v) => ValueRef::Double(*v),
            Value::String(v) => ValueRef::String(v),
            Value::Bytes(v) => ValueRef::Bytes(v),
            Value::Date(v) => ValueRef::Date(*v),
            Value::Time(v) => ValueRef::Time(*v),
            Value::DateTime(v) => ValueRef::DateTime(*v),
            Value::Timestamp(v) => ValueRef::Timestamp(*v),
            Value::Decimal(v) => ValueRef::Decimal(*v),
            Value::Json(v) => ValueRef::Json(v),
        }
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The name of its kind, which may be shown where the value may not.
    pub fn kind(&self) -> &'static str {
        self.as_ref().kind()
    }
}

impl<'a> ValueRef<'a> {
    /// A value of its own.
    pub fn to_owned(self) -> Value {
        match self {
            ValueRef::Null => Value::Null,
            ValueRef::Bool(v) => Value::Bool(v),
            ValueRef::Int(v) => Value::Int(v),
            ValueRef::UInt(v) => Value::UInt(v),
            ValueRef::Float(v) => Value::Float(v),
            ValueRef::Double(v) => Value::Double(v),
            ValueRef::String(v) => Value::String(v.into()),
            ValueRef::Bytes(v) => Value::Bytes(v.into()),
            ValueRef::Date(v) => Value::Date(v),
            ValueRef::Time(v) => Value::Time(v),
            ValueRef::DateTime(v) => Value::DateTime(v),
            ValueRef::Timestamp(v) => Value::Timestamp(v),
            ValueRef::Decimal(v) => Value::Decimal(v),
            ValueRef::Json(v) => Value::Json(v.into()),
        }
    }

    /// Whether it is NULL.
    #[inline]
    pub fn is_null(self) -> bool {
        matches!(self, ValueRef::Null)
    }

    /// The name of its kind, which may be shown where the value may not.
    pub fn kind(self) -> &'static str {
        match self {
            ValueRef::Null => "NULL",
            ValueRef::Bool(_) => "Bool",
            ValueRef::Int(_) => "Int",
            ValueRef::UInt(_) => "UInt",
            ValueRef::Float(_) => "Float",
            ValueRef::Double(_) => "Double",
            ValueRef::String(_) => "String",
            ValueRef::Bytes(_) => "Bytes",
            ValueRef::Date(_) => "Date",
            ValueRef::Time(_) => "Time",
            ValueRef::DateTime(_) => "DateTime",
            ValueRef::Timestamp(_) => "Timestamp",
            ValueRef::Decimal(_) => "Decimal",
            ValueRef::Json(_) => "Json",
        }
    }
}

/// Makes an array of parameters from values of different types.
///
/// ```
/// use rustydb_mysql::{params, ValueRef};
///
/// let name = String::from("ann");
/// let parameters = params![7, name, None::<i64>];
/// assert_eq!(parameters, [ValueRef::Int(7), ValueRef::String("ann"), ValueRef::Null]);
/// ```
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::ToValue::to_value(&$value)),*] as [$crate::ValueRef<'_>; _]
    };
}
