//! EOF: the end of column definitions and rows, for clients without DEPRECATE_EOF.

use crate::wire::{Put, Reader};
use crate::{Error, Result};

/// The end of a list of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EofPacket {
    /// Warnings of the statement.
    pub warnings: u16,
    /// [`crate::status`] bits.
    pub status: u16,
}

impl EofPacket {
    /// Appends the packet's payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u8(0xfe);
        out.put_u16(self.warnings);
        out.put_u16(self.status);
    }

    /// Reads the packet's payload.
    pub fn parse(packet: &[u8]) -> Result<EofPacket> {
        let mut reader = Reader::new(packet);
        if reader.u8("EOF")? != 0xfe {
            return Err(Error::Malformed("EOF"));
        }
        Ok(EofPacket { warnings: reader.u16("EOF warnings")?, status: reader.u16("EOF status")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        let eof = EofPacket { warnings: 3, status: 0x0a02 };
        let mut out = Vec::new();
        eof.write(&mut out);
        assert_eq!(out, [0xfe, 3, 0, 2, 0x0a]);
        assert_eq!(EofPacket::parse(&out), Ok(eof));
        assert!(EofPacket::parse(&out[..4]).is_err());
        assert!(EofPacket::parse(&[0; 5]).is_err());
    }
}
