//! Column definitions: what a result set says about its columns, and a prepared statement about its
//! parameters.

use crate::wire::{Put, Reader};
use crate::{Error, Result};

/// Bytes of the fixed fields at the end of the packet.
const FIXED_FIELDS: u64 = 0x0c;

/// One column of a result set, or one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ColumnDefinition<'a> {
    /// Database of the table; empty for an expression.
    pub schema: &'a [u8],
    /// Alias of the table.
    pub table: &'a [u8],
    /// Name of the table.
    pub org_table: &'a [u8],
    /// Alias of the column.
    pub name: &'a [u8],
    /// Name of the column in its table.
    pub org_name: &'a [u8],
    /// Collation number; 63 is binary.
    pub collation: u16,
    /// Largest length in bytes.
    pub length: u32,
    /// `rustydb_value::ProtocolType` as a byte; kept raw so that a client can pass on what it does not know.
    pub column_type: u8,
    /// `rustydb_value::column_flags`.
    pub flags: u16,
    /// Digits after the point.
    pub decimals: u8,
}

impl<'a> ColumnDefinition<'a> {
    /// Appends the packet's payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_lenenc_bytes(b"def");
        out.put_lenenc_bytes(self.schema);
        out.put_lenenc_bytes(self.table);
        out.put_lenenc_bytes(self.org_table);
        out.put_lenenc_bytes(self.name);
        out.put_lenenc_bytes(self.org_name);
        out.put_lenenc(FIXED_FIELDS);
        out.put_u16(self.collation);
        out.put_u32(self.length);
        out.put_u8(self.column_type);
        out.put_u16(self.flags);
        out.put_u8(self.decimals);
        out.put_u16(0);
    }

    /// Reads the packet's payload.
    pub fn parse(packet: &'a [u8]) -> Result<ColumnDefinition<'a>> {
        let mut reader = Reader::new(packet);
        reader.lenenc_bytes("catalog")?;
        let schema = reader.lenenc_bytes("schema")?;
        let table = reader.lenenc_bytes("table")?;
        let org_table = reader.lenenc_bytes("table")?;
        let name = reader.lenenc_bytes("column name")?;
        let org_name = reader.lenenc_bytes("column name")?;
        if reader.lenenc("fixed fields")? < FIXED_FIELDS {
            return Err(Error::Malformed("column definition"));
        }
        Ok(ColumnDefinition {
            schema,
            table,
            org_table,
            name,
            org_name,
            collation: reader.u16("collation")?,
            length: reader.u32("column length")?,
            column_type: reader.u8("column type")?,
            flags: reader.u16("column flags")?,
            decimals: reader.u8("decimals")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column() -> ColumnDefinition<'static> {
        ColumnDefinition {
            schema: b"shop",
            table: b"t",
            org_table: b"things",
            name: b"n",
            org_name: b"name",
            collation: 255,
            length: 400,
            column_type: 253,
            flags: 0x1001,
            decimals: 0,
        }
    }

    #[test]
    fn comes_back_and_has_the_documented_layout() {
        let mut out = Vec::new();
        column().write(&mut out);
        assert_eq!(
            out,
            b"\x03def\x04shop\x01t\x06things\x01n\x04name\x0c\xff\x00\x90\x01\x00\x00\xfd\x01\x10\x00\x00\x00"
        );
        assert_eq!(ColumnDefinition::parse(&out), Ok(column()));
        for cut in 0..out.len() - 2 {
            assert!(ColumnDefinition::parse(&out[..cut]).is_err());
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = ColumnDefinition::parse(&bytes);
        }
    }
}
