//! Capability bits: what an end can do, and what both agreed on.

use std::ops::{BitAnd, BitOr};

/// A set of capability bits. What counts on a connection is the intersection of both ends' sets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// Improved old passwords; always set.
    pub const LONG_PASSWORD: Self = Self(1);
    /// UPDATE reports found rows instead of changed rows.
    pub const FOUND_ROWS: Self = Self(1 << 1);
    /// Longer column flags; always set.
    pub const LONG_FLAG: Self = Self(1 << 2);
    /// The handshake names a default database.
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// `database.table.column` is not allowed.
    pub const NO_SCHEMA: Self = Self(1 << 4);
    /// zlib compression.
    pub const COMPRESS: Self = Self(1 << 5);
    /// ODBC client; no effect.
    pub const ODBC: Self = Self(1 << 6);
    /// `LOAD DATA LOCAL`.
    pub const LOCAL_FILES: Self = Self(1 << 7);
    /// Spaces before `(` of a function are ignored.
    pub const IGNORE_SPACE: Self = Self(1 << 8);
    /// The protocol of 4.1; the only one that is built.
    pub const PROTOCOL_41: Self = Self(1 << 9);
    /// A person is at the client: `interactive_timeout` applies.
    pub const INTERACTIVE: Self = Self(1 << 10);
    /// TLS follows the first packet of the client.
    pub const SSL: Self = Self(1 << 11);
    /// The client ignores SIGPIPE; no effect.
    pub const IGNORE_SIGPIPE: Self = Self(1 << 12);
    /// Transaction status bits.
    pub const TRANSACTIONS: Self = Self(1 << 13);
    /// Old name of the 4.1 protocol; no effect.
    pub const RESERVED: Self = Self(1 << 14);
    /// 4.1 authentication: scrambles of 20 bytes.
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    /// Several statements in one COM_QUERY.
    pub const MULTI_STATEMENTS: Self = Self(1 << 16);
    /// Several results of one COM_QUERY.
    pub const MULTI_RESULTS: Self = Self(1 << 17);
    /// Several results and OUT parameters of a prepared statement.
    pub const PS_MULTI_RESULTS: Self = Self(1 << 18);
    /// Authentication by named methods.
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    /// Connection attributes.
    pub const CONNECT_ATTRS: Self = Self(1 << 20);
    /// The authentication answer may be longer than 255 bytes.
    pub const PLUGIN_AUTH_LENENC_DATA: Self = Self(1 << 21);
    /// The client knows what to do with an expired password.
    pub const CAN_HANDLE_EXPIRED_PASSWORDS: Self = Self(1 << 22);
    /// OK packets tell of session state changes.
    pub const SESSION_TRACK: Self = Self(1 << 23);
    /// An OK packet ends a result set, in place of EOF.
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    /// Column definitions may be left out (`resultset_metadata`).
    pub const OPTIONAL_RESULTSET_METADATA: Self = Self(1 << 25);
    /// zstd compression.
    pub const ZSTD_COMPRESSION: Self = Self(1 << 26);
    /// COM_QUERY and COM_STMT_EXECUTE carry query attributes.
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    /// Several authentication factors.
    pub const MULTI_FACTOR_AUTHENTICATION: Self = Self(1 << 28);
    /// Reserved for extensions.
    pub const CAPABILITY_EXTENSION: Self = Self(1 << 29);
    /// The client checks the server's certificate.
    pub const SSL_VERIFY_SERVER_CERT: Self = Self(1 << 30);
    /// A client-side option only.
    pub const REMEMBER_OPTIONS: Self = Self(1 << 31);

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set with the bits of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the bits of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitAnd for Capabilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl std::fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Capabilities({:#010x})", self.0)
    }
}
