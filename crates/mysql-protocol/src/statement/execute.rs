//! COM_STMT_EXECUTE: parameters for a prepared statement.
//!
//! A client sends the parameters' types with the first execution and may leave them out later, so the caller
//! keeps them with the statement. Parameters that came before as long data have a type here but no value.

use super::parameters::{NullBits, Parameter, ParameterType, QueryAttribute, read_parameter, write_block};
use crate::wire::{Put, Reader};
use crate::{Capabilities, Error, Result};
use rustydb_value::ValueRef;

/// The flag that asks for a cursor.
const READ_ONLY: u8 = 0x01;

/// The flag that says that a parameter count follows (query attributes).
const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;

/// Whether the rows are sent at once or wait for COM_STMT_FETCH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CursorType {
    /// At once.
    #[default]
    NoCursor,
    /// They wait.
    ReadOnly,
}

/// The body of COM_STMT_EXECUTE, behind its command byte; parameters are read in a second step, because
/// their number is known only by the statement.
#[derive(Debug, Clone, Copy)]
pub struct ExecuteRequest<'a> {
    /// The statement.
    pub statement_id: u32,
    /// What becomes of the rows.
    pub cursor: CursorType,
    parameter_count_follows: bool,
    rest: Reader<'a>,
}

impl<'a> ExecuteRequest<'a> {
    /// Reads the body up to the parameters.
    pub fn parse(body: &'a [u8]) -> Result<ExecuteRequest<'a>> {
        let mut reader = Reader::new(body);
        let statement_id = reader.u32("statement id")?;
        let flags = reader.u8("execute flags")?;
        // The iteration count, always 1.
        reader.u32("iteration count")?;
        // MySQL has no scrollable or updatable cursors and ignores the bits that ask for them.
        let cursor = if flags & READ_ONLY != 0 { CursorType::ReadOnly } else { CursorType::NoCursor };
        let parameter_count_follows = flags & PARAMETER_COUNT_AVAILABLE != 0;
        Ok(ExecuteRequest { statement_id, cursor, parameter_count_follows, rest: reader })
    }

    /// Reads the parameters of a statement with `count` of them, gives each in order to `each`, and returns
    /// the query attributes that follow.
    ///
    /// `types` are the types of the last execution; they are replaced when new ones came.
    /// `is_long_data(index)` says which parameters came as long data.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Malformed`]; among them types that were never sent.
    pub fn parameters(
        &self,
        count: usize,
        types: &mut Vec<ParameterType>,
        is_long_data: impl Fn(usize) -> bool,
        capabilities: Capabilities,
        mut each: impl FnMut(Parameter<'a>),
    ) -> Result<Vec<QueryAttribute<'a>>> {
        let mut reader = self.rest;
        let named = capabilities.has(Capabilities::QUERY_ATTRIBUTES);
        if count == 0 && !(named && self.parameter_count_follows) {
            return Ok(Vec::new());
        }
        let mut total = count;
        if named {
            let announced = reader.lenenc("parameter count")?;
            // Eight parameters share a byte of NULL bits, so a larger count is a lie.
            total = usize::try_from(announced)
                .ok()
                .filter(|&total| total >= count && total.div_ceil(8) <= reader.rest().len())
                .ok_or(Error::Malformed("parameter count"))?;
        }
        if total == 0 {
            return Ok(Vec::new());
        }
        let nulls = NullBits::read(&mut reader, total)?;
        let mut attribute_names = Vec::new();
        let mut attribute_types = Vec::new();
        match reader.u8("parameter types mark")? {
            0 if types.len() == count && total == count => {}
            0 => return Err(Error::Malformed("parameter types: none were sent")),
            1 => {
                types.clear();
                for index in 0..total {
                    let parameter_type = ParameterType::parse(&mut reader)?;
                    let name = if named { reader.lenenc_bytes("parameter name")? } else { b"" };
                    if index < count {
                        types.push(parameter_type);
                    } else {
                        attribute_types.push(parameter_type);
                        attribute_names.push(name);
                    }
                }
            }
            _ => return Err(Error::Malformed("parameter types mark")),
        }
        for (index, &parameter_type) in types.iter().enumerate() {
            let value = if is_long_data(index) {
                None
            } else {
                Some(read_parameter(&mut reader, nulls, index, parameter_type)?)
            };
            each(Parameter { parameter_type, value });
        }
        let mut attributes = Vec::new();
        for (index, (name, parameter_type)) in attribute_names.into_iter().zip(attribute_types).enumerate() {
            let value = read_parameter(&mut reader, nulls, count + index, parameter_type)?;
            attributes.push(QueryAttribute { name, value });
        }
        Ok(attributes)
    }
}

/// Appends the body of COM_STMT_EXECUTE, with types. A parameter of none was sent as long data.
///
/// # Errors
/// None for values that a [`ValueRef`] can hold; the type is that of the encoder.
pub fn write_execute(
    out: &mut Vec<u8>,
    statement_id: u32,
    cursor: CursorType,
    parameters: &[Option<ValueRef<'_>>],
    attributes: &[(&[u8], ValueRef<'_>)],
    capabilities: Capabilities,
) -> Result<()> {
    let named = capabilities.has(Capabilities::QUERY_ATTRIBUTES);
    let attributes = if named { attributes } else { &[] };
    let mut flags = u8::from(cursor == CursorType::ReadOnly);
    if named {
        flags |= PARAMETER_COUNT_AVAILABLE;
    }
    out.put_u32(statement_id);
    out.put_u8(flags);
    out.put_u32(1);
    let total = parameters.len() + attributes.len();
    if named {
        out.put_lenenc(total as u64);
    }
    if total == 0 {
        return Ok(());
    }
    let unnamed = parameters.iter().map(|&value| (&b""[..], value));
    write_block(out, unnamed.chain(attributes.iter().map(|&(name, value)| (name, Some(value)))), named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustydb_value::{Date, ProtocolType};

    const PLAIN: Capabilities = Capabilities::PROTOCOL_41;
    const NAMED: Capabilities = Capabilities::QUERY_ATTRIBUTES;

    fn read<'a>(
        body: &'a [u8],
        count: usize,
        types: &mut Vec<ParameterType>,
        capabilities: Capabilities,
    ) -> Result<(Vec<Parameter<'a>>, Vec<QueryAttribute<'a>>)> {
        let request = ExecuteRequest::parse(body)?;
        let mut parameters = Vec::new();
        let attributes = request.parameters(count, types, |_| false, capabilities, |p| parameters.push(p))?;
        Ok((parameters, attributes))
    }

    #[test]
    fn sysbench_sends_this() {
        // SELECT c FROM sbtest1 WHERE id=? with one INT parameter, as libmysqlclient sends it.
        let body = b"\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x03\x00\x39\x30\x00\x00";
        let mut types = Vec::new();
        let (parameters, _) = read(body, 1, &mut types, PLAIN).unwrap();
        assert_eq!(parameters[0].value, Some(ValueRef::Int(12345)));
        // The next execution leaves the types out.
        let body = b"\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x3a\x30\x00\x00";
        let (parameters, _) = read(body, 1, &mut types, PLAIN).unwrap();
        assert_eq!(parameters[0].value, Some(ValueRef::Int(12346)));
        assert!(read(body, 1, &mut Vec::new(), PLAIN).is_err(), "types were never sent");
    }

    #[test]
    fn parameters_and_attributes_come_back() {
        let parameters = [
            Some(ValueRef::Int(-1)),
            Some(ValueRef::UInt(u64::MAX)),
            Some(ValueRef::Null),
            Some(ValueRef::Bytes(b"\x00\xff")),
            Some(ValueRef::Date(Date::new(2024, 1, 2).unwrap())),
            Some(ValueRef::Double(0.5)),
            Some(ValueRef::Null),
            Some(ValueRef::Null),
            Some(ValueRef::Null),
        ];
        let attributes: [(&[u8], ValueRef<'_>); 2] = [(b"a", ValueRef::Null), (b"b", ValueRef::Bytes(b"x"))];
        for capabilities in [PLAIN, NAMED] {
            let mut out = Vec::new();
            write_execute(&mut out, 9, CursorType::ReadOnly, &parameters, &attributes, capabilities).unwrap();
            let mut types = Vec::new();
            let (read, named) = read(&out, parameters.len(), &mut types, capabilities).unwrap();
            let values: Vec<_> = read.iter().map(|p| p.value).collect();
            assert_eq!(values, parameters);
            assert_eq!(named.len(), if capabilities == NAMED { 2 } else { 0 });
            assert!(named.iter().all(|a| attributes.contains(&(a.name, a.value))));
            let request = ExecuteRequest::parse(&out).unwrap();
            assert_eq!((request.statement_id, request.cursor), (9, CursorType::ReadOnly));
        }
    }

    #[test]
    fn long_data_has_a_type_and_no_value() {
        let mut out = Vec::new();
        let parameters = [None, Some(ValueRef::Int(5))];
        write_execute(&mut out, 1, CursorType::NoCursor, &parameters, &[], PLAIN).unwrap();
        let request = ExecuteRequest::parse(&out).unwrap();
        let mut read = Vec::new();
        request.parameters(2, &mut Vec::new(), |index| index == 0, PLAIN, |p| read.push(p)).unwrap();
        assert_eq!(read[0].value, None);
        assert!(read[0].parameter_type.is_binary());
        assert_eq!(read[1].value, Some(ValueRef::Int(5)));
    }

    #[test]
    fn attributes_alone_are_read_for_a_statement_without_parameters() {
        let mut out = Vec::new();
        write_execute(&mut out, 1, CursorType::NoCursor, &[], &[(b"k", ValueRef::Int(1))], NAMED).unwrap();
        let (_, attributes) = read(&out, 0, &mut Vec::new(), NAMED).unwrap();
        assert_eq!(attributes[0].name, b"k");
        let (_, attributes) = read(&[1, 0, 0, 0, 0, 1, 0, 0, 0], 0, &mut Vec::new(), NAMED).unwrap();
        assert!(attributes.is_empty());
    }

    #[test]
    fn cursors_that_nobody_has_are_ignored() {
        for (flags, cursor) in
            [(2, CursorType::NoCursor), (4, CursorType::NoCursor), (5, CursorType::ReadOnly)]
        {
            assert_eq!(ExecuteRequest::parse(&[1, 0, 0, 0, flags, 1, 0, 0, 0]).unwrap().cursor, cursor);
        }
    }

    #[test]
    fn lying_counts_are_refused() {
        let mut body = vec![1, 0, 0, 0, 8, 1, 0, 0, 0, 0xfe];
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(read(&body, 0, &mut Vec::new(), NAMED).is_err());
        // Fewer parameters than the statement has.
        let body = [1, 0, 0, 0, 8, 1, 0, 0, 0, 1, 0, 1, 3, 0, 0, 1, 0, 0, 0];
        assert!(read(&body, 2, &mut Vec::new(), NAMED).is_err());
        assert_eq!(
            ParameterType::of(&ValueRef::Year(1)),
            ParameterType { protocol_type: ProtocolType::Short, unsigned: true }
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            count in 0usize..70_000,
            named: bool,
        ) {
            let mut packet = vec![1, 0, 0, 0, if named { 8 } else { 0 }, 1, 0, 0, 0];
            packet.extend_from_slice(&bytes);
            let mut types = Vec::new();
            let _ = read(&packet, count, &mut types, if named { NAMED } else { PLAIN });
            prop_assert!(types.len() <= bytes.len());
        }

        #[test]
        fn garbage_behind_types_never_panics(types in proptest::collection::vec(any::<u8>(), 1..12), tail in proptest::collection::vec(any::<u8>(), 0..60)) {
            let types: Vec<_> = types.into_iter().filter_map(ProtocolType::from_byte).collect();
            let mut packet = vec![1, 0, 0, 0, 0, 1, 0, 0, 0];
            packet.resize(packet.len() + types.len().div_ceil(8), 0);
            packet.push(1);
            types.iter().for_each(|t| packet.extend_from_slice(&[t.byte(), 0]));
            packet.extend_from_slice(&tail);
            let _ = read(&packet, types.len(), &mut Vec::new(), PLAIN);
        }
    }
}
