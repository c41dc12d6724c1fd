//! Values into JSON columns, and JSON into others.

use super::StoreIssue;
use crate::json::{Json, ParseError};
use crate::value::{Value, ValueRef};

/// The document that a text is; a column takes nothing else but JSON, in no mode.
pub(super) fn to_json(value: ValueRef<'_>) -> Result<Value, StoreIssue> {
    let document = match value {
        ValueRef::Null => return Ok(Value::Null),
        ValueRef::Json(stored) => return Ok(Value::Json(stored.to_vec())),
        ValueRef::Text(text) => Json::parse(text).map_err(|error| match error {
            ParseError::Syntax { reason, position } => StoreIssue::InvalidJson { reason, position },
            ParseError::TooDeep => StoreIssue::JsonTooDeep,
        })?,
        ValueRef::Bytes(_) => return Err(StoreIssue::JsonFromBytes),
        _ => {
            let reason = "not a JSON text, may need CAST";
            return Err(StoreIssue::InvalidJson { reason, position: 0 });
        }
    };
    let mut stored = Vec::new();
    document.encode(&mut stored).map_err(|_| StoreIssue::TooLong)?;
    Ok(Value::Json(stored))
}

/// A SQL value as a JSON scalar; text as a string.
pub(crate) fn scalar_of(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Int(v) => Json::Int(v),
        ValueRef::UInt(v) => Json::UInt(v),
        ValueRef::Year(v) => Json::UInt(u64::from(v)),
        ValueRef::Float(v) if v.is_finite() => Json::Double(f64::from(v)),
        ValueRef::Double(v) if v.is_finite() => Json::Double(v),
        ValueRef::Float(_) | ValueRef::Double(_) => Json::Null,
        ValueRef::Decimal(v) => Json::Decimal(v),
        ValueRef::Text(v) => Json::String(v.to_owned()),
        ValueRef::Bytes(v) => Json::Opaque(253, v.to_vec()),
        ValueRef::Date(v) => Json::Date(v),
        ValueRef::Time(v) => Json::Time(v),
        ValueRef::DateTime(v) => Json::DateTime(v),
        ValueRef::Bit(v) => {
            let mut bytes = Vec::new();
            v.write_bytes(&mut bytes);
            Json::Opaque(16, bytes)
        }
        ValueRef::Json(v) => Json::decode(v).unwrap_or(Json::Null),
    }
}

/// A JSON scalar as the SQL value of its kind, for columns of other types; arrays and objects as their text.
pub(super) fn scalar_from(stored: &[u8]) -> Value {
    Json::decode(stored).map_or_else(|_| Value::Bytes(stored.to_vec()), |document| document.to_value())
}
