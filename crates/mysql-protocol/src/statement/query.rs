//! COM_QUERY: a text, and the query attributes in front of it.

use super::parameters::{NullBits, ParameterType, QueryAttribute, read_parameter, write_block};
use crate::wire::{Put, Reader};
use crate::{Capabilities, Error, Result};
use rustydb_value::ValueRef;

/// The body of COM_QUERY, behind its command byte.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryRequest<'a> {
    /// Named values beside the text.
    pub attributes: Vec<QueryAttribute<'a>>,
    /// The statement's text in the client's character set.
    pub text: &'a [u8],
}

impl<'a> QueryRequest<'a> {
    /// Reads the body. `capabilities` are those that the connection agreed on.
    pub fn parse(body: &'a [u8], capabilities: Capabilities) -> Result<QueryRequest<'a>> {
        let mut reader = Reader::new(body);
        let mut attributes = Vec::new();
        if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
            let count = reader.lenenc("attribute count")?;
            if reader.lenenc("attribute set count")? != 1 {
                return Err(Error::Malformed("attribute set count"));
            }
            if count > 0 {
                // Each attribute takes three bytes at least, so a larger count is a lie.
                let count = usize::try_from(count).ok().filter(|&count| count <= reader.rest().len() / 3);
                attributes = read_attributes(&mut reader, count.ok_or(Error::Truncated("attributes"))?)?;
            }
        }
        Ok(QueryRequest { attributes, text: reader.take_rest() })
    }
}

fn read_attributes<'a>(reader: &mut Reader<'a>, count: usize) -> Result<Vec<QueryAttribute<'a>>> {
    let nulls = NullBits::read(reader, count)?;
    if reader.u8("attribute types mark")? != 1 {
        return Err(Error::Malformed("attribute types mark"));
    }
    let mut types = Vec::new();
    for _ in 0..count {
        let parameter_type = ParameterType::parse(reader)?;
        types.push((parameter_type, reader.lenenc_bytes("attribute name")?));
    }
    let read = |(index, (parameter_type, name))| {
        Ok(QueryAttribute { name, value: read_parameter(reader, nulls, index, parameter_type)? })
    };
    types.into_iter().enumerate().map(read).collect()
}

/// Appends the body of COM_QUERY.
///
/// # Errors
/// None for values that a [`ValueRef`] can hold; the type is that of the encoder.
pub fn write_query(
    out: &mut Vec<u8>,
    text: &[u8],
    attributes: &[(&[u8], ValueRef<'_>)],
    capabilities: Capabilities,
) -> Result<()> {
    if capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
        out.put_lenenc(attributes.len() as u64);
        out.put_lenenc(1);
        if !attributes.is_empty() {
            write_block(out, attributes.iter().map(|&(name, value)| (name, Some(value))), true)?;
        }
    }
    out.put_bytes(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ATTRIBUTES: Capabilities = Capabilities::QUERY_ATTRIBUTES;

    #[test]
    fn text_comes_back_with_and_without_attributes() {
        let attributes: [(&[u8], ValueRef<'_>); 3] =
            [(b"trace", ValueRef::Bytes(b"00-ab")), (b"n", ValueRef::Int(-5)), (b"", ValueRef::Null)];
        let mut out = Vec::new();
        write_query(&mut out, b"SELECT 1", &attributes, ATTRIBUTES).unwrap();
        let read = QueryRequest::parse(&out, ATTRIBUTES).unwrap();
        assert_eq!(read.text, b"SELECT 1");
        let pairs: Vec<_> = read.attributes.iter().map(|a| (a.name, a.value)).collect();
        assert_eq!(pairs, attributes);

        out.clear();
        write_query(&mut out, b"SELECT 2", &attributes, Capabilities::default()).unwrap();
        assert_eq!(out, b"SELECT 2");
        assert_eq!(QueryRequest::parse(&out, Capabilities::default()).unwrap().text, b"SELECT 2");
    }

    #[test]
    fn what_a_mysql_client_sends_without_attributes_is_read() {
        let read = QueryRequest::parse(b"\x00\x01SELECT 3", ATTRIBUTES).unwrap();
        assert_eq!((read.text, read.attributes.len()), (&b"SELECT 3"[..], 0));
    }

    #[test]
    fn a_lying_count_is_refused_without_allocating() {
        let mut out = vec![0xfe];
        out.put_u64(u64::MAX);
        out.push(1);
        assert!(QueryRequest::parse(&out, ATTRIBUTES).is_err());
        assert!(QueryRequest::parse(&[0xfc, 0xff, 0xff, 1, 0, 0, 0], ATTRIBUTES).is_err());
        assert!(QueryRequest::parse(&[0, 2], ATTRIBUTES).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(read) = QueryRequest::parse(&bytes, ATTRIBUTES) {
                prop_assert!(read.attributes.len() <= bytes.len());
            }
        }
    }
}
