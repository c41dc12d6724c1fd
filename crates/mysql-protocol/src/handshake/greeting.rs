//! The server's first packet (HandshakeV10).

use crate::auth::{SCRAMBLE_LENGTH, Scramble};
use crate::wire::{Put, Reader};
use crate::{Capabilities, Error, Result};

/// The version of the greeting's layout.
const PROTOCOL_VERSION: u8 = 10;

/// The server's first packet: who it is and what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting<'a> {
    /// `8.4.6-RustyDB-0.1.0` and the like; bytes before the first zero byte.
    pub server_version: &'a [u8],
    /// Number of the connection (its low 32 bits).
    pub connection_id: u32,
    /// The challenge that the client's answer is made from.
    pub scramble: Scramble,
    /// What the server can do.
    pub capabilities: Capabilities,
    /// The server's default collation (its low byte).
    pub collation: u8,
    /// [`crate::status`] bits.
    pub status: u16,
    /// The authentication method that `scramble` is meant for.
    pub auth_plugin: &'a [u8],
}

impl<'a> Greeting<'a> {
    /// Appends the packet's payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (first, second) = self.scramble.bytes().split_at(8);
        out.put_u8(PROTOCOL_VERSION);
        out.put_nul_bytes(self.server_version);
        out.put_u32(self.connection_id);
        out.put_nul_bytes(first);
        out.put_u16(self.capabilities.0 as u16);
        out.put_u8(self.collation);
        out.put_u16(self.status);
        out.put_u16((self.capabilities.0 >> 16) as u16);
        let plugin = self.capabilities.has(Capabilities::PLUGIN_AUTH);
        out.put_u8(if plugin { SCRAMBLE_LENGTH as u8 + 1 } else { 0 });
        out.put_bytes(&[0; 10]);
        out.put_nul_bytes(second);
        if plugin {
            out.put_nul_bytes(self.auth_plugin);
        }
    }

    /// Reads the packet's payload. An ERR packet in its place ([`crate::response::ErrPacket`]) has to be
    /// recognised before, by its first byte.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for servers older than 4.1.
    pub fn parse(packet: &'a [u8]) -> Result<Greeting<'a>> {
        let mut reader = Reader::new(packet);
        if reader.u8("greeting version")? != PROTOCOL_VERSION {
            return Err(Error::Unsupported("a greeting of another version than 10"));
        }
        let server_version = reader.nul_bytes("server version")?;
        let connection_id = reader.u32("connection id")?;
        let mut scramble = [0; SCRAMBLE_LENGTH];
        let (first, second) = scramble.split_at_mut(8);
        first.copy_from_slice(reader.bytes(8, "scramble")?);
        reader.u8("filler")?;
        let low = reader.u16("capabilities")?;
        let collation = reader.u8("collation")?;
        let status = reader.u16("status")?;
        let high = reader.u16("capabilities")?;
        let capabilities = Capabilities(u32::from(low) | u32::from(high) << 16);
        if !capabilities.has(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
            return Err(Error::Unsupported("a server older than 4.1"));
        }
        let length = usize::from(reader.u8("scramble length")?);
        reader.bytes(10, "reserved bytes")?;
        // The second part holds 12 bytes and a zero byte, and is padded to 13 whatever the length says.
        let part = reader.bytes(length.saturating_sub(8).max(13), "scramble")?;
        second.copy_from_slice(part.get(..SCRAMBLE_LENGTH - 8).ok_or(Error::Truncated("scramble"))?);
        let auth_plugin =
            if capabilities.has(Capabilities::PLUGIN_AUTH) { reader.nul_bytes_or_rest() } else { b"" };
        Ok(Greeting {
            server_version,
            connection_id,
            scramble: Scramble::from_bytes(scramble),
            capabilities,
            collation,
            status,
            auth_plugin,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn greeting() -> Greeting<'static> {
        Greeting {
            server_version: b"8.4.6-RustyDB-0.1.0",
            connection_id: 77,
            scramble: Scramble::from_bytes(*b"abcdefghijklmnopqrst"),
            capabilities: Capabilities(0xdfff_ffff),
            collation: 255,
            status: 2,
            auth_plugin: b"caching_sha2_password",
        }
    }

    #[test]
    fn comes_back_as_it_was_written() {
        let mut out = Vec::new();
        greeting().write(&mut out);
        assert_eq!(Greeting::parse(&out), Ok(greeting()));
    }

    #[test]
    fn bytes_are_those_of_the_documented_layout() {
        let mut out = Vec::new();
        greeting().write(&mut out);
        assert_eq!(out[0], 10);
        assert_eq!(&out[1..21], b"8.4.6-RustyDB-0.1.0\0");
        assert_eq!(&out[21..25], &[77, 0, 0, 0]);
        assert_eq!(&out[25..34], b"abcdefgh\0");
        assert_eq!(&out[34..36], &[0xff, 0xff]);
        assert_eq!(out[36], 255);
        assert_eq!(&out[37..39], &[2, 0]);
        assert_eq!(&out[39..41], &[0xff, 0xdf]);
        assert_eq!(out[41], 21);
        assert_eq!(&out[42..52], &[0; 10]);
        assert_eq!(&out[52..65], b"ijklmnopqrst\0");
        assert_eq!(&out[65..], b"caching_sha2_password\0");
    }

    #[test]
    fn every_cut_is_an_error_or_a_shorter_method_name() {
        let mut out = Vec::new();
        greeting().write(&mut out);
        for cut in 0..65 {
            assert!(Greeting::parse(&out[..cut]).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Greeting::parse(&bytes);
        }
    }
}
