//! System variables: what they are called, what they may hold, and what they make the server do.
//!
//! Each variable of the [`registry`] is one of three honest kinds. A *settable* one acts: something in
//! this server reads it. A *fixed* one exists in MySQL with a choice that this server does not have;
//! setting it to the value it already has is accepted (clients restore what they read), any other
//! value is refused with error 1231. A *read-only* one informs, and setting it is error 1238.
//!
//! Global values live in [`GlobalVariables`]; a session starts with the same shared list and copies it
//! on its first SET, so that an idle connection costs nothing here. What statements need at speed is
//! derived from the list into plain fields ([`Settings`]) whenever the list changes.

mod assignment;
mod global;
pub mod optimizer_switch;
pub mod registry;
mod settings;
pub mod sql_mode;

use std::sync::Arc;

use rustydb_value::{Decimal, Value};

pub use assignment::{Assigned, check_scope, convert};
pub use global::{Facts, GlobalVariables};
pub use optimizer_switch::OptimizerSwitch;
pub use registry::{Access, Kind, Scope, VARIABLES, Variable, find, position};
pub use settings::{Isolation, Settings, TransactionTracking};
pub use sql_mode::SqlMode;

/// The value of a system variable.
#[derive(Debug, Clone, PartialEq)]
pub enum SystemValue {
    /// NULL (only some character variables)
    Null,
    /// ON or OFF
    Bool(bool),
    /// A signed number
    Int(i64),
    /// An unsigned number
    UInt(u64),
    /// Seconds and ratios
    Double(f64),
    /// Everything else
    Text(Arc<str>),
}

impl SystemValue {
    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> SystemValue {
        SystemValue::Text(text.into())
    }

    /// What `SELECT @@name` gives: ON and OFF are 1 and 0.
    pub fn to_value(&self) -> Value {
        match self {
            SystemValue::Null => Value::Null,
            SystemValue::Bool(on) => Value::Int(i64::from(*on)),
            SystemValue::Int(n) => Value::Int(*n),
            SystemValue::UInt(n) => Value::UInt(*n),
            // Six digits after the point, whatever they are.
            SystemValue::Double(x) => match Decimal::new((*x * 1e6).round() as i128, 6) {
                Ok(shown) => Value::Decimal(shown),
                Err(_) => Value::Double(*x),
            },
            SystemValue::Text(text) => Value::Text(text.to_string()),
        }
    }

    /// What SHOW VARIABLES prints.
    pub fn shown(&self) -> String {
        match self {
            SystemValue::Null => String::new(),
            SystemValue::Bool(on) => if *on { "ON" } else { "OFF" }.to_string(),
            SystemValue::Int(n) => n.to_string(),
            SystemValue::UInt(n) => n.to_string(),
            SystemValue::Double(x) => format!("{x:.6}"),
            SystemValue::Text(text) => text.to_string(),
        }
    }

    /// The number behind ON, OFF and numeric values.
    pub fn as_u64(&self) -> u64 {
        match self {
            SystemValue::Bool(on) => u64::from(*on),
            SystemValue::Int(n) => u64::try_from(*n).unwrap_or(0),
            SystemValue::UInt(n) => *n,
            SystemValue::Double(x) => *x as u64,
            SystemValue::Null | SystemValue::Text(_) => 0,
        }
    }

    /// The text of a text value, empty for others.
    pub fn as_text(&self) -> &str {
        match self {
            SystemValue::Text(text) => text,
            _ => "",
        }
    }
}

/// A value as error 1231 quotes it.
pub(crate) fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_string(),
        other => String::from_utf8_lossy(&other.as_ref().to_text()).into_owned(),
    }
}

/// The integer that a value of an integer kind (or an exact DECIMAL without fraction) is.
pub(crate) fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::UInt(n) => Some(i128::from(*n)),
        Value::Year(n) => Some(i128::from(*n)),
        Value::Bit(bit) => Some(i128::from(bit.value)),
        _ => None,
    }
}

/// The number that a value of any numeric kind is.
pub(crate) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Float(x) => Some(f64::from(*x)),
        Value::Double(x) => Some(*x),
        Value::Decimal(d) => Some(Decimal::to_f64(d)),
        other => integer(other).map(|n| n as f64),
    }
}
