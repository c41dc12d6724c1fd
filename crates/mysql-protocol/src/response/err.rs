//! ERR: a request failed.

use crate::wire::{Put, Reader};
use crate::{Error, Result};

/// The longest message that MySQL sends, in bytes.
const MAX_MESSAGE: usize = 512;

/// A failure: code, SQLSTATE and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// MySQL's error number.
    pub code: u16,
    /// SQLSTATE. None before the handshake, where the packet has no room for it.
    pub sqlstate: Option<[u8; 5]>,
    /// The message, in the session's character set of results.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// Appends the packet's payload. The message is cut at MySQL's limit of 512 bytes, never inside a
    /// UTF-8 character.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_u8(0xff);
        out.put_u16(self.code);
        if let Some(sqlstate) = self.sqlstate {
            out.put_u8(b'#');
            out.put_bytes(&sqlstate);
        }
        let mut end = self.message.len();
        if end > MAX_MESSAGE {
            end = MAX_MESSAGE;
            while end > MAX_MESSAGE - 4 && self.message.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
                end -= 1;
            }
        }
        out.put_bytes(&self.message[..end]);
    }

    /// Reads the packet's payload.
    pub fn parse(packet: &'a [u8]) -> Result<ErrPacket<'a>> {
        let mut reader = Reader::new(packet);
        if reader.u8("ERR")? != 0xff {
            return Err(Error::Malformed("ERR"));
        }
        let code = reader.u16("ERR code")?;
        let sqlstate = match reader.peek() {
            Some(b'#') => {
                reader.u8("ERR mark")?;
                Some(reader.array("SQLSTATE")?)
            }
            _ => None,
        };
        Ok(ErrPacket { code, sqlstate, message: reader.take_rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_with_and_without_sqlstate() {
        for sqlstate in [Some(*b"42S02"), None] {
            let err = ErrPacket { code: 1146, sqlstate, message: b"Table 'a.b' doesn't exist" };
            let mut out = Vec::new();
            err.write(&mut out);
            assert_eq!(ErrPacket::parse(&out), Ok(err));
        }
        assert!(ErrPacket::parse(&[0xff, 1]).is_err());
        assert!(ErrPacket::parse(b"\xff\x01\x01#420").is_err());
        assert!(ErrPacket::parse(&[0, 1, 1]).is_err());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        for padding in 0..3 {
            let message = format!("{}{}", "x".repeat(padding), "€".repeat(400));
            let mut out = Vec::new();
            ErrPacket { code: 1, sqlstate: None, message: message.as_bytes() }.write(&mut out);
            assert!(out.len() <= 3 + MAX_MESSAGE && out.len() > MAX_MESSAGE - 3);
            assert!(std::str::from_utf8(&out[3..]).is_ok());
        }
        // Bytes that are no UTF-8 are cut all the same.
        let mut out = Vec::new();
        ErrPacket { code: 1, sqlstate: None, message: &[0x80; 600] }.write(&mut out);
        assert!(out.len() <= 3 + MAX_MESSAGE);
    }
}
