//! MariaDB's own capabilities: 32 bits more, in places that MySQL reserves.
//!
//! A MariaDB server leaves the lowest of MySQL's bits (LONG_PASSWORD) out of its greeting to say that it is one;
//! only then do the last four of the ten reserved bytes hold these bits. A client that wants some of them leaves
//! the same bit out of its answer and writes the bits into the last four of its 23 reserved bytes.

use crate::wire::Reader;
use crate::{Capabilities, Result};
use std::ops::BitAnd;

/// A set of MariaDB's capability bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct MariaDbCapabilities(pub u32);

/// Where the bits lie in the payload of a client's answer: behind capabilities, largest packet, collation
/// and 19 reserved bytes.
const IN_ANSWER: std::ops::Range<usize> = 28..32;

impl MariaDbCapabilities {
    /// Progress reports of long statements.
    pub const PROGRESS: Self = Self(1);
    /// COM_STMT_BULK_EXECUTE.
    pub const STMT_BULK_OPERATIONS: Self = Self(1 << 2);
    /// Column definitions say more (JSON, geometry).
    pub const EXTENDED_METADATA: Self = Self(1 << 3);
    /// A prepared statement's columns are sent only where they changed: one byte behind the column count of
    /// a result says whether they follow.
    pub const CACHE_METADATA: Self = Self(1 << 4);
    /// COM_STMT_BULK_EXECUTE can answer with a result for each row.
    pub const BULK_UNIT_RESULTS: Self = Self(1 << 5);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set with the bits of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What a greeting offers; nothing where the server is not MariaDB.
    pub fn of_greeting(packet: &[u8]) -> Result<MariaDbCapabilities> {
        let mut reader = Reader::new(packet);
        reader.u8("greeting version")?;
        reader.nul_bytes("server version")?;
        reader.bytes(4 + 8 + 1, "scramble")?;
        let low = reader.u16("capabilities")?;
        reader.bytes(1 + 2 + 2 + 1 + 6, "reserved bytes")?;
        let bits = reader.u32("reserved bytes")?;
        let mysql = Capabilities(u32::from(low)).has(Capabilities::LONG_PASSWORD);
        Ok(MariaDbCapabilities(if mysql { 0 } else { bits }))
    }

    /// Writes the bits into the payload of an answer or of a request for TLS. The answer's own capabilities
    /// have to be without LONG_PASSWORD.
    pub fn put_into(self, answer: &mut [u8]) {
        if let Some(place) = answer.get_mut(IN_ANSWER) {
            place.copy_from_slice(&self.0.to_le_bytes());
        }
    }
}

impl BitAnd for MariaDbCapabilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Greeting, SslRequest};
    use super::*;
    use crate::auth::Scramble;

    fn greeting(capabilities: Capabilities) -> Vec<u8> {
        let mut out = Vec::new();
        Greeting {
            server_version: b"11.8.2-MariaDB",
            connection_id: 1,
            scramble: Scramble::from_bytes(*b"abcdefghijklmnopqrst"),
            capabilities,
            collation: 45,
            status: 2,
            auth_plugin: b"mysql_native_password",
        }
        .write(&mut out);
        // The last four of the ten reserved bytes in front of the scramble's second part.
        let place = out.len() - b"mysql_native_password\0".len() - 13 - 4;
        out[place..place + 4].copy_from_slice(&[0x1d, 0, 0, 0]);
        out
    }

    #[test]
    fn only_a_server_that_leaves_the_lowest_bit_out_is_mariadb() {
        let mysql = Capabilities::LONG_PASSWORD;
        let maria =
            MariaDbCapabilities::of_greeting(&greeting(Capabilities(u32::MAX).without(mysql))).unwrap();
        assert!(
            maria.has(MariaDbCapabilities::CACHE_METADATA.with(MariaDbCapabilities::STMT_BULK_OPERATIONS))
        );
        assert!(!maria.has(MariaDbCapabilities::BULK_UNIT_RESULTS));
        let none = MariaDbCapabilities::of_greeting(&greeting(Capabilities(u32::MAX))).unwrap();
        assert_eq!(none, MariaDbCapabilities::default());
        for cut in 0..47 {
            assert!(MariaDbCapabilities::of_greeting(&greeting(Capabilities(u32::MAX))[..cut]).is_err());
        }
    }

    #[test]
    fn the_bits_are_the_last_of_the_reserved_bytes() {
        let mut out = Vec::new();
        SslRequest { capabilities: Capabilities::PROTOCOL_41, max_packet: 1, collation: 45 }.write(&mut out);
        MariaDbCapabilities(0x0403_0201).put_into(&mut out);
        assert_eq!((out.len(), &out[27..]), (32, &[0, 1, 2, 3, 4][..]));
        MariaDbCapabilities(1).put_into(&mut []);
    }
}
