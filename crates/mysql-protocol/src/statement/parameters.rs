//! Parameter blocks: NULL bits, types, names, values; shared by COM_STMT_EXECUTE and by the query attributes
//! of COM_QUERY.

use crate::row::binary::{put_value, read_value};
use crate::wire::{Put, Reader};
use crate::{Error, Result};
use rustydb_value::{ProtocolType, ValueRef};

/// The bit of a type's second byte that says unsigned.
const UNSIGNED: u16 = 0x8000;

/// The type that a client gave a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterType {
    /// How its value is encoded.
    pub protocol_type: ProtocolType,
    /// Whether an integer is unsigned.
    pub unsigned: bool,
}

impl ParameterType {
    /// The type under which a value goes over the wire.
    pub fn of(value: &ValueRef<'_>) -> ParameterType {
        use ProtocolType as T;
        let (protocol_type, unsigned) = match value {
            ValueRef::Null => (T::Null, false),
            ValueRef::Int(_) => (T::LongLong, false),
            ValueRef::UInt(_) => (T::LongLong, true),
            ValueRef::Year(_) => (T::Short, true),
            ValueRef::Bit(_) => (T::LongLong, true),
            ValueRef::Float(_) => (T::Float, false),
            ValueRef::Double(_) => (T::Double, false),
            ValueRef::Decimal(_) => (T::NewDecimal, false),
            ValueRef::Bytes(_) => (T::Blob, false),
            ValueRef::Text(_) | ValueRef::Json(_) => (T::VarString, false),
            ValueRef::Date(_) => (T::Date, false),
            ValueRef::Time(_) => (T::Time, false),
            ValueRef::DateTime(_) => (T::DateTime, false),
        };
        ParameterType { protocol_type, unsigned }
    }

    /// Reads the two bytes of a type.
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<ParameterType> {
        let bits = reader.u16("parameter type")?;
        let protocol_type = ProtocolType::from_byte(bits as u8).ok_or(Error::Malformed("parameter type"))?;
        Ok(ParameterType { protocol_type, unsigned: bits & UNSIGNED != 0 })
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.put_u16(u16::from(self.protocol_type.byte()) | if self.unsigned { UNSIGNED } else { 0 });
    }

    /// Whether a string of this type is binary; other strings are in the client's character set.
    pub fn is_binary(self) -> bool {
        use ProtocolType as T;
        matches!(
            self.protocol_type,
            T::TinyBlob | T::MediumBlob | T::LongBlob | T::Blob | T::Bit | T::Geometry
        )
    }
}

/// One parameter of an execution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter<'a> {
    /// Its type.
    pub parameter_type: ParameterType,
    /// Its value. None: it came before, as long data.
    pub value: Option<ValueRef<'a>>,
}

/// A named value beside a statement, for the server's components to see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryAttribute<'a> {
    /// Its name; empty for one without.
    pub name: &'a [u8],
    /// Its value.
    pub value: ValueRef<'a>,
}

/// The NULL bits of a block that is being read.
#[derive(Clone, Copy)]
pub(super) struct NullBits<'a>(&'a [u8]);

impl<'a> NullBits<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, count: usize) -> Result<NullBits<'a>> {
        Ok(NullBits(reader.bytes(count.div_ceil(8), "NULL bits")?))
    }

    pub(super) fn is_null(self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte & 1 << (index % 8) != 0)
    }
}

/// Reads one value, NULL by its bit or by its type.
pub(super) fn read_parameter<'a>(
    reader: &mut Reader<'a>,
    nulls: NullBits<'_>,
    index: usize,
    parameter_type: ParameterType,
) -> Result<ValueRef<'a>> {
    if nulls.is_null(index) {
        return Ok(ValueRef::Null);
    }
    read_value(reader, parameter_type.protocol_type, parameter_type.unsigned)
}

/// Appends NULL bits, the mark that types follow, types (with names, where the block has them) and values.
/// A parameter of none was sent as long data.
pub(super) fn write_block<'v>(
    out: &mut Vec<u8>,
    parameters: impl Iterator<Item = (&'v [u8], Option<ValueRef<'v>>)> + Clone,
    named: bool,
) -> Result<()> {
    let nulls = out.len();
    let count = parameters.clone().count();
    out.resize(nulls + count.div_ceil(8), 0);
    out.put_u8(1);
    for (index, (name, value)) in parameters.clone().enumerate() {
        if matches!(value, Some(ValueRef::Null)) {
            out[nulls + index / 8] |= 1 << (index % 8);
        }
        // Long data is a string of bytes.
        ParameterType::of(&value.unwrap_or(ValueRef::Bytes(&[]))).write(out);
        if named {
            out.put_lenenc_bytes(name);
        }
    }
    for (_, value) in parameters {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            put_value(out, ParameterType::of(&value).protocol_type, &value)?;
        }
    }
    Ok(())
}
