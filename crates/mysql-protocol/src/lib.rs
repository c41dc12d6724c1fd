//! The MySQL client/server protocol without I/O, for both of its ends.
//!
//! Everything here turns bytes into values or values into bytes; sockets, threads, time and sessions
//! belong to the server's door and to the client library, which both use this crate.
//!
//! Follow a connection and you have the map:
//!
//! 1. [`frame`]: packets with sequence numbers, split and joined at 16 MiB.
//!    [`compression`] wraps them where that was agreed on.
//! 2. [`handshake`]: the server's greeting, the client's answer, a change of user; [`capability`] says
//!    what both ends agreed on.
//! 3. [`auth`]: scrambles, verifiers and the RSA exchange of `mysql_native_password` and
//!    `caching_sha2_password`.
//! 4. [`command`]: what a client may ask, by number.
//! 5. [`statement`]: prepared statements and query attributes.
//! 6. [`response`]: OK, ERR and EOF with the session state changes they carry; [`mod@column`] and [`row`]:
//!    result sets in text and binary form.
//!
//! Invariants: no parser panics, whatever the bytes; none allocates more than a small multiple of the
//! packet it was given; text stays bytes, because only the session knows its character set. Names and
//! layouts follow MySQL's published protocol documentation; where the real server differs from it, the
//! server wins and the place says so.
//!
//! Left out for now: the replication commands.

pub mod auth;
pub mod capability;
pub mod column;
pub mod command;
pub mod compression;
mod error;
pub mod frame;
pub mod handshake;
pub mod response;
pub mod row;
pub mod statement;
pub mod wire;

pub use capability::Capabilities;
pub use command::Command;
pub use error::{Error, ErrorClass, Result};

/// Status bits of OK and EOF packets.
pub mod status {
    /// A transaction is open.
    pub const IN_TRANSACTION: u16 = 0x0001;
    /// `autocommit` is on.
    pub const AUTOCOMMIT: u16 = 0x0002;
    /// Another result of the same request follows.
    pub const MORE_RESULTS_EXISTS: u16 = 0x0008;
    /// The statement used an index badly.
    pub const NO_GOOD_INDEX_USED: u16 = 0x0010;
    /// The statement used no index.
    pub const NO_INDEX_USED: u16 = 0x0020;
    /// The executed statement has an open cursor to fetch from.
    pub const CURSOR_EXISTS: u16 = 0x0040;
    /// The fetch has returned the last row of its cursor.
    pub const LAST_ROW_SENT: u16 = 0x0080;
    /// A database was dropped.
    pub const DB_DROPPED: u16 = 0x0100;
    /// `sql_mode` has NO_BACKSLASH_ESCAPES: a backslash in a literal is a backslash.
    pub const NO_BACKSLASH_ESCAPES: u16 = 0x0200;
    /// The columns of a prepared statement changed when it was prepared again.
    pub const METADATA_CHANGED: u16 = 0x0400;
    /// The statement was slow by `long_query_time`.
    pub const QUERY_WAS_SLOW: u16 = 0x0800;
    /// The result holds the OUT parameters of a procedure.
    pub const PS_OUT_PARAMS: u16 = 0x1000;
    /// The open transaction is READ ONLY.
    pub const IN_READ_ONLY_TRANSACTION: u16 = 0x2000;
    /// The packet carries session state changes.
    pub const SESSION_STATE_CHANGED: u16 = 0x4000;
}
