//! The first packet that answers COM_STMT_PREPARE.

use crate::wire::{Put, Reader};
use crate::{Error, Result};

/// A statement was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrepareOk {
    /// What later requests name it by.
    pub statement_id: u32,
    /// Columns of its result set; their definitions follow those of the parameters.
    pub columns: u16,
    /// Parameters; their definitions follow.
    pub parameters: u16,
    /// Warnings of preparing.
    pub warnings: u16,
}

impl PrepareOk {
    /// Appends the packet's payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u8(0x00);
        out.put_u32(self.statement_id);
        out.put_u16(self.columns);
        out.put_u16(self.parameters);
        out.put_u8(0);
        out.put_u16(self.warnings);
    }

    /// Reads the packet's payload.
    pub fn parse(packet: &[u8]) -> Result<PrepareOk> {
        let mut reader = Reader::new(packet);
        if reader.u8("prepared statement")? != 0 {
            return Err(Error::Malformed("prepared statement"));
        }
        let statement_id = reader.u32("statement id")?;
        let columns = reader.u16("column count")?;
        let parameters = reader.u16("parameter count")?;
        reader.u8("filler")?;
        let warnings = if reader.is_empty() { 0 } else { reader.u16("warnings")? };
        Ok(PrepareOk { statement_id, columns, parameters, warnings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        let ok = PrepareOk { statement_id: 7, columns: 2, parameters: 300, warnings: 1 };
        let mut out = Vec::new();
        ok.write(&mut out);
        assert_eq!(out, [0, 7, 0, 0, 0, 2, 0, 44, 1, 0, 1, 0]);
        assert_eq!(PrepareOk::parse(&out), Ok(ok));
        assert!(PrepareOk::parse(&out[..9]).is_err());
        assert!(PrepareOk::parse(&[0xff; 12]).is_err());
    }
}
