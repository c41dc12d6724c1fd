//! Parameters in the form in which COM_STMT_EXECUTE carries them.

use super::ValueRef;
use rustydb_mysql_protocol::row::binary;
use rustydb_mysql_protocol::wire::Put;
use rustydb_value::ProtocolType;

/// The bit of a type's second byte that says unsigned.
const UNSIGNED: u16 = 0x8000;

/// Appends the two bytes of the type under which a value goes over the wire.
#[inline]
pub(crate) fn put_type(out: &mut Vec<u8>, value: &ValueRef<'_>) {
    use ProtocolType as T;
    let (wire, unsigned) = match value {
        ValueRef::Null => (T::Null, false),
        ValueRef::Bool(_) => (T::Tiny, false),
        ValueRef::Int(_) => (T::LongLong, false),
        ValueRef::UInt(_) => (T::LongLong, true),
        ValueRef::Float(_) => (T::Float, false),
        ValueRef::Double(_) => (T::Double, false),
        ValueRef::String(_) | ValueRef::Json(_) => (T::VarString, false),
        ValueRef::Bytes(_) => (T::Blob, false),
        ValueRef::Date(_) => (T::Date, false),
        ValueRef::Time(_) => (T::Time, false),
        ValueRef::DateTime(_) | ValueRef::Timestamp(_) => (T::DateTime, false),
        ValueRef::Decimal(_) => (T::NewDecimal, false),
    };
    out.put_u16(u16::from(wire.byte()) | if unsigned { UNSIGNED } else { 0 });
}

/// Appends a value that is not NULL.
#[inline]
pub(crate) fn put_parameter(out: &mut Vec<u8>, value: &ValueRef<'_>) {
    use rustydb_value::ValueRef as V;
    let (wire, value) = match *value {
        ValueRef::Null => return,
        ValueRef::Bool(v) => return out.put_u8(u8::from(v)),
        ValueRef::Int(v) => return out.put_u64(v as u64),
        ValueRef::UInt(v) => return out.put_u64(v),
        ValueRef::Float(v) => return out.put_bytes(&v.to_le_bytes()),
        ValueRef::Double(v) => return out.put_bytes(&v.to_le_bytes()),
        ValueRef::String(v) | ValueRef::Json(v) => return out.put_lenenc_bytes(v.as_bytes()),
        ValueRef::Bytes(v) => return out.put_lenenc_bytes(v),
        ValueRef::Date(v) => (ProtocolType::Date, V::Date(v)),
        ValueRef::Time(v) => (ProtocolType::Time, V::Time(v)),
        ValueRef::DateTime(v) | ValueRef::Timestamp(v) => (ProtocolType::DateTime, V::DateTime(v)),
        ValueRef::Decimal(v) => (ProtocolType::NewDecimal, V::Decimal(v)),
    };
    // The value is of its type's kind, so the encoder has nothing to refuse.
    let _ = binary::put_value(out, wire, &value);
}
