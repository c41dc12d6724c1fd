//! The packets between the client's first answer and the final OK or ERR.

use crate::auth::Scramble;
use crate::response::{ErrPacket, OkPacket};
use crate::wire::{Put, Reader};
use crate::{Capabilities, Error, Result};

const SWITCH: u8 = 0xfe;
const MORE_DATA: u8 = 0x01;

/// Appends the request to answer a fresh scramble by the method `plugin`.
pub fn write_auth_switch(out: &mut Vec<u8>, plugin: &[u8], scramble: &Scramble) {
    out.put_u8(SWITCH);
    out.put_nul_bytes(plugin);
    out.put_nul_bytes(scramble.bytes());
}

/// Appends data that the method in use understands.
pub fn write_auth_more_data(out: &mut Vec<u8>, data: &[u8]) {
    out.put_u8(MORE_DATA);
    out.put_bytes(data);
}

/// What a server says during authentication, as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthReply<'a> {
    /// Authentication succeeded.
    Ok(OkPacket<'a>),
    /// It failed.
    Err(ErrPacket<'a>),
    /// Answer `data` by the method `plugin`.
    Switch {
        /// Name of the method.
        plugin: &'a [u8],
        /// The challenge, without its closing zero byte.
        data: &'a [u8],
    },
    /// Data of the method in use.
    MoreData(&'a [u8]),
}

impl<'a> AuthReply<'a> {
    /// Reads the packet's payload.
    pub fn parse(packet: &'a [u8], capabilities: Capabilities) -> Result<AuthReply<'a>> {
        match packet.first() {
            Some(0x00) => OkPacket::parse(packet, capabilities).map(AuthReply::Ok),
            Some(0xff) => ErrPacket::parse(packet).map(AuthReply::Err),
            Some(&MORE_DATA) => Ok(AuthReply::MoreData(&packet[1..])),
            Some(&SWITCH) => {
                let mut reader = Reader::new(&packet[1..]);
                if reader.is_empty() {
                    return Err(Error::Unsupported("authentication of servers older than 4.1"));
                }
                let plugin = reader.nul_bytes("authentication method")?;
                let data = reader.take_rest();
                Ok(AuthReply::Switch { plugin, data: data.strip_suffix(&[0]).unwrap_or(data) })
            }
            Some(_) => Err(Error::Malformed("authentication packet")),
            None => Err(Error::Truncated("authentication packet")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switch_and_more_data_come_back() {
        let scramble = Scramble::from_bytes(*b"abcdefghijklmnopqrst");
        let mut out = Vec::new();
        write_auth_switch(&mut out, b"mysql_native_password", &scramble);
        assert_eq!(
            AuthReply::parse(&out, Capabilities::default()),
            Ok(AuthReply::Switch { plugin: b"mysql_native_password", data: scramble.bytes() })
        );
        out.clear();
        write_auth_more_data(&mut out, &[3]);
        assert_eq!(AuthReply::parse(&out, Capabilities::default()), Ok(AuthReply::MoreData(&[3])));
    }

    #[test]
    fn the_method_of_3_23_and_garbage_are_refused() {
        assert!(AuthReply::parse(&[0xfe], Capabilities::default()).is_err());
        assert!(AuthReply::parse(&[], Capabilities::default()).is_err());
        assert!(AuthReply::parse(&[9, 9], Capabilities::default()).is_err());
        assert!(AuthReply::parse(b"\xfeno end", Capabilities::default()).is_err());
    }
}
