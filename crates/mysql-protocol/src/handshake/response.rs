//! The client's answer to the greeting (HandshakeResponse41), and its short form that asks for TLS.

use crate::wire::{Put, Reader};
use crate::{Capabilities, Error, Result};

/// What comes first from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientHello<'a> {
    /// TLS starts now; the whole answer follows inside it.
    Ssl(SslRequest),
    /// The answer.
    Response(HandshakeResponse<'a>),
}

impl<'a> ClientHello<'a> {
    /// Reads the client's first packet. `server` is what the greeting offered: bits that were not offered
    /// do not count.
    pub fn parse(packet: &'a [u8], server: Capabilities) -> Result<ClientHello<'a>> {
        let mut reader = Reader::new(packet);
        let head = Head::parse(&mut reader, server)?;
        if head.capabilities.has(Capabilities::SSL) && reader.is_empty() {
            return Ok(ClientHello::Ssl(SslRequest {
                capabilities: head.capabilities,
                max_packet: head.max_packet,
                collation: head.collation,
            }));
        }
        HandshakeResponse::parse_body(head, reader).map(ClientHello::Response)
    }
}

/// The first 32 bytes of an answer, sent alone to start TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SslRequest {
    /// What both ends can do.
    pub capabilities: Capabilities,
    /// The largest packet that the client takes.
    pub max_packet: u32,
    /// Collation number.
    pub collation: u8,
}

impl SslRequest {
    /// Appends the packet's payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        Head { capabilities: self.capabilities, max_packet: self.max_packet, collation: self.collation }
            .write(out);
    }
}

struct Head {
    capabilities: Capabilities,
    max_packet: u32,
    collation: u8,
}

impl Head {
    fn parse(reader: &mut Reader<'_>, server: Capabilities) -> Result<Head> {
        let capabilities = Capabilities(reader.u32("client capabilities")?);
        if !capabilities.has(Capabilities::PROTOCOL_41) {
            return Err(Error::Unsupported("a client older than 4.1"));
        }
        let max_packet = reader.u32("largest packet")?;
        let collation = reader.u8("collation")?;
        reader.bytes(23, "reserved bytes")?;
        Ok(Head { capabilities: capabilities & server, max_packet, collation })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(self.capabilities.0);
        out.put_u32(self.max_packet);
        out.put_u8(self.collation);
        out.put_bytes(&[0; 23]);
    }
}

/// The client's answer: who connects, the answer to the scramble, where to start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandshakeResponse<'a> {
    /// What both ends can do.
    pub capabilities: Capabilities,
    /// The largest packet that the client takes.
    pub max_packet: u32,
    /// Collation number; it also names the client's character set.
    pub collation: u8,
    /// The user's name, in the client's character set.
    pub user: &'a [u8],
    /// The answer to the scramble by `auth_plugin`'s method; empty for no password.
    pub auth_response: &'a [u8],
    /// The default database.
    pub database: Option<&'a [u8]>,
    /// The method of `auth_response`; none from clients without PLUGIN_AUTH.
    pub auth_plugin: Option<&'a [u8]>,
    /// Names and values that describe the client.
    pub attributes: ConnectAttributes<'a>,
    /// The level of zstd compression, where that was negotiated.
    pub zstd_level: Option<u8>,
}

impl<'a> HandshakeResponse<'a> {
    /// Reads the packet's payload.
    pub fn parse(packet: &'a [u8], server: Capabilities) -> Result<HandshakeResponse<'a>> {
        let mut reader = Reader::new(packet);
        let head = Head::parse(&mut reader, server)?;
        HandshakeResponse::parse_body(head, reader)
    }

    fn parse_body(head: Head, mut reader: Reader<'a>) -> Result<HandshakeResponse<'a>> {
        let capabilities = head.capabilities;
        let user = reader.nul_bytes("user name")?;
        let auth_response = if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC_DATA) {
            reader.lenenc_bytes("authentication answer")?
        } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let length = reader.u8("authentication answer")?;
            reader.bytes(usize::from(length), "authentication answer")?
        } else {
            reader.nul_bytes("authentication answer")?
        };
        // Clients exist that set a capability and leave its field out at the end; the server takes them.
        let database = (capabilities.has(Capabilities::CONNECT_WITH_DB) && !reader.is_empty())
            .then(|| reader.nul_bytes_or_rest())
            .filter(|name| !name.is_empty());
        let auth_plugin = (capabilities.has(Capabilities::PLUGIN_AUTH) && !reader.is_empty())
            .then(|| reader.nul_bytes_or_rest());
        let attributes = if capabilities.has(Capabilities::CONNECT_ATTRS) && !reader.is_empty() {
            ConnectAttributes::parse(reader.lenenc_bytes("connection attributes")?)?
        } else {
            ConnectAttributes::default()
        };
        let zstd_level = if capabilities.has(Capabilities::ZSTD_COMPRESSION) && !reader.is_empty() {
            Some(reader.u8("zstd level")?)
        } else {
            None
        };
        Ok(HandshakeResponse {
            capabilities,
            max_packet: head.max_packet,
            collation: head.collation,
            user,
            auth_response,
            database,
            auth_plugin,
            attributes,
            zstd_level,
        })
    }

    /// Appends the packet's payload. Which fields are written is decided by `capabilities`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let capabilities = self.capabilities;
        Head { capabilities, max_packet: self.max_packet, collation: self.collation }.write(out);
        out.put_nul_bytes(self.user);
        if capabilities.has(Capabilities::PLUGIN_AUTH_LENENC_DATA) {
            out.put_lenenc_bytes(self.auth_response);
        } else if capabilities.has(Capabilities::SECURE_CONNECTION) {
            let answer = &self.auth_response[..self.auth_response.len().min(255)];
            out.put_u8(answer.len() as u8);
            out.put_bytes(answer);
        } else {
            out.put_nul_bytes(self.auth_response);
        }
        if capabilities.has(Capabilities::CONNECT_WITH_DB) {
            out.put_nul_bytes(self.database.unwrap_or_default());
        }
        if capabilities.has(Capabilities::PLUGIN_AUTH) {
            out.put_nul_bytes(self.auth_plugin.unwrap_or_default());
        }
        if capabilities.has(Capabilities::CONNECT_ATTRS) {
            out.put_lenenc_bytes(self.attributes.encoded);
        }
        if capabilities.has(Capabilities::ZSTD_COMPRESSION) {
            out.put_u8(self.zstd_level.unwrap_or(3));
        }
    }
}

/// Names and values that describe the client (`_client_name`, `program_name`, ...), as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectAttributes<'a> {
    /// Length-encoded strings, checked to be whole pairs.
    encoded: &'a [u8],
}

impl<'a> ConnectAttributes<'a> {
    /// Takes the encoded form after checking it.
    pub fn parse(encoded: &'a [u8]) -> Result<ConnectAttributes<'a>> {
        let mut reader = Reader::new(encoded);
        while !reader.is_empty() {
            reader.lenenc_bytes("connection attribute")?;
            reader.lenenc_bytes("connection attribute")?;
        }
        Ok(ConnectAttributes { encoded })
    }

    /// Appends one pair to the encoded form that [`parse`](Self::parse) takes.
    pub fn write_pair(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        out.put_lenenc_bytes(name);
        out.put_lenenc_bytes(value);
    }

    /// The encoded form.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// The pairs in the client's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut reader = Reader::new(self.encoded);
        std::iter::from_fn(move || {
            let name = reader.lenenc_bytes("connection attribute").ok()?;
            let value = reader.lenenc_bytes("connection attribute").ok()?;
            Some((name, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attributes() -> Vec<u8> {
        let mut out = Vec::new();
        ConnectAttributes::write_pair(&mut out, b"_client_name", b"test");
        ConnectAttributes::write_pair(&mut out, b"_pid", b"");
        out
    }

    fn full(attributes: &[u8]) -> HandshakeResponse<'_> {
        HandshakeResponse {
            capabilities: Capabilities(u32::MAX),
            max_packet: 1 << 24,
            collation: 45,
            user: b"root",
            auth_response: b"01234567890123456789",
            database: Some(b"shop"),
            auth_plugin: Some(b"mysql_native_password"),
            attributes: ConnectAttributes::parse(attributes).unwrap(),
            zstd_level: Some(7),
        }
    }

    #[test]
    fn every_field_comes_back() {
        let attributes = attributes();
        let mut out = Vec::new();
        full(&attributes).write(&mut out);
        let read = HandshakeResponse::parse(&out, Capabilities(u32::MAX)).unwrap();
        assert_eq!(read, full(&attributes));
        let pairs: Vec<_> = read.attributes.iter().collect();
        assert_eq!(pairs, [(&b"_client_name"[..], &b"test"[..]), (b"_pid", b"")]);
    }

    #[test]
    fn fields_that_were_not_offered_are_not_read() {
        let mut response = full(&[]);
        response.capabilities = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION;
        let mut out = Vec::new();
        response.write(&mut out);
        let read = HandshakeResponse::parse(&out, Capabilities(u32::MAX)).unwrap();
        assert_eq!((read.user, read.auth_response), (&b"root"[..], &b"01234567890123456789"[..]));
        assert_eq!((read.database, read.auth_plugin, read.zstd_level), (None, None, None));
    }

    #[test]
    fn an_answer_that_stops_after_the_scramble_is_taken() {
        let mut out = Vec::new();
        let mut response = full(&[]);
        response.capabilities = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION;
        response.write(&mut out);
        out[..4].copy_from_slice(&(0x00ff_ffffu32 & !Capabilities::PLUGIN_AUTH_LENENC_DATA.0).to_le_bytes());
        let read = HandshakeResponse::parse(&out, Capabilities(u32::MAX)).unwrap();
        assert_eq!((read.database, read.auth_plugin), (None, None));
    }

    #[test]
    fn a_short_first_packet_with_the_tls_bit_asks_for_tls() {
        let request = SslRequest { capabilities: Capabilities(u32::MAX), max_packet: 9, collation: 33 };
        let mut out = Vec::new();
        request.write(&mut out);
        assert_eq!(out.len(), 32);
        let offered = Capabilities(u32::MAX);
        assert_eq!(ClientHello::parse(&out, offered), Ok(ClientHello::Ssl(request)));
        // Without TLS on offer it is an answer that lacks its fields.
        assert!(ClientHello::parse(&out, offered.without(Capabilities::SSL)).is_err());
    }

    #[test]
    fn a_client_of_3_23_is_refused() {
        assert_eq!(
            ClientHello::parse(&[0x05, 0x24, 0, 0, 0, b'r', 0], Capabilities(u32::MAX)),
            Err(Error::Unsupported("a client older than 4.1"))
        );
    }

    #[test]
    fn attributes_that_overrun_are_refused() {
        let mut out = Vec::new();
        full(&[]).write(&mut out);
        out.truncate(out.len() - 2);
        for bad in [&[5u8, 4, b'a'][..], &[1, 0xff], &[2, 1, b'a']] {
            let mut packet = out.clone();
            packet.extend_from_slice(bad);
            assert!(HandshakeResponse::parse(&packet, Capabilities(u32::MAX)).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), offered: u32) {
            if let Ok(ClientHello::Response(response)) = ClientHello::parse(&bytes, Capabilities(offered)) {
                prop_assert!(response.attributes.iter().count() <= bytes.len());
            }
        }

        #[test]
        fn garbage_behind_a_good_head_never_panics(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut out = Vec::new();
            SslRequest { capabilities: Capabilities(u32::MAX), max_packet: 1, collation: 1 }.write(&mut out);
            out.extend_from_slice(&tail);
            let _ = HandshakeResponse::parse(&out, Capabilities(u32::MAX));
        }
    }
}
