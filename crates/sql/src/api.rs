//! What the doors see of SQL: results pushed into a sink, described by columns, ended by a completion.
//!
//! A statement does not return rows; it pushes them. The door that ran the statement encodes each row
//! straight into its own buffer (text or binary packets, typed Rust rows), so no result is ever held
//! in memory here, and a slow reader slows the statement down through the sink's own write.
//!
//! The order of calls for one statement is `columns` once, `row` any number of times, `end` once; a
//! statement without a result set calls `end` alone. An error is returned by the session instead of
//! `end`; several statements in one text give several such sequences.

pub use rustydb_value::{ProtocolType as FieldType, column_flags};

use rustydb_value::ValueRef;

/// The reader of a result has gone away; the statement stops and its work is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkClosed;

/// Where the results of statements go. Implemented by the doors.
pub trait ResultSink {
    /// Starts a result set with these columns.
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed>;
    /// One row of the open result set; there are as many cells as there were columns.
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed>;
    /// Ends the open result set, or is the whole answer when `columns` was not called.
    fn end(&mut self, completion: &Completion) -> Result<(), SinkClosed>;
}

/// The description of one result column (or parameter), as MySQL's column definition packet has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMeta {
    /// Database of the table; empty for an expression
    pub schema: String,
    /// Alias of the table
    pub table: String,
    /// Name of the table
    pub org_table: String,
    /// Alias of the column
    pub name: String,
    /// Name of the column in its table
    pub org_name: String,
    /// Collation number; 63 is binary
    pub collation: u16,
    /// Largest length in bytes (characters times the widest character)
    pub length: u32,
    /// Type byte
    pub ty: FieldType,
    /// Bits of [`column_flags`]
    pub flags: u16,
    /// Digits after the point; 31 when a float's are not fixed
    pub decimals: u8,
}

impl ColumnMeta {
    /// The description of a parameter marker, as MySQL answers a PREPARE.
    pub fn parameter() -> ColumnMeta {
        ColumnMeta::expression("?", FieldType::VarString, 63, 0)
    }

    /// The description of an expression without a table behind it.
    pub fn expression(name: impl Into<String>, ty: FieldType, collation: u16, length: u32) -> ColumnMeta {
        ColumnMeta {
            schema: String::new(),
            table: String::new(),
            org_table: String::new(),
            name: name.into(),
            org_name: String::new(),
            collation,
            length,
            ty,
            flags: 0,
            decimals: 0,
        }
    }
}

/// Status bits that every answer carries, with the protocol's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct StatusFlags(pub u16);

impl StatusFlags {
    /// A transaction is open
    pub const IN_TRANSACTION: u16 = 0x0001;
    /// `autocommit` is on
    pub const AUTOCOMMIT: u16 = 0x0002;
    /// Another result of the same text follows
    pub const MORE_RESULTS: u16 = 0x0008;
    /// The statement read a table without an index
    pub const NO_INDEX_USED: u16 = 0x0020;
    /// `sql_mode` has NO_BACKSLASH_ESCAPES
    pub const NO_BACKSLASH_ESCAPES: u16 = 0x0200;
    /// The open transaction is READ ONLY
    pub const IN_READ_ONLY_TRANSACTION: u16 = 0x2000;

    /// Whether all bits of `bits` are set.
    pub fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }

    /// Sets or clears `bits`.
    pub fn set(&mut self, bits: u16, on: bool) {
        if on {
            self.0 |= bits;
        } else {
            self.0 &= !bits;
        }
    }
}

/// How a statement ended: the content of MySQL's OK (or closing EOF) packet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// Rows inserted, changed or deleted
    pub affected_rows: u64,
    /// First value given out by AUTO_INCREMENT, or set by LAST_INSERT_ID(expr); 0 without one
    pub last_insert_id: u64,
    /// Warnings that SHOW WARNINGS would now list
    pub warnings: u16,
    /// Status bits after the statement
    pub status: StatusFlags,
    /// Readable summary, such as `Rows matched: 1  Changed: 1  Warnings: 0`
    pub info: String,
    /// Another result of the same text follows
    pub more_results: bool,
}

/// A change of session state that a client asked to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateChange {
    /// A variable named in `session_track_system_variables` was set
    SystemVariable {
        /// Its name
        name: String,
        /// Its new value as text
        value: String,
    },
    /// The default database is now this one
    Schema(String),
    /// Something of the session changed (`session_track_state_change`)
    StateChanged,
    /// A transaction has committed (`session_track_gtids`): its id, or all of the server's
    Gtids(String),
    /// Eight places that tell what the transaction has done (`session_track_transaction_info`)
    TransactionState(String),
    /// The statements that begin the same transaction again
    TransactionCharacteristics(String),
}

/// Who opens a session and where it starts.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Name that the client gave
    pub user: String,
    /// Host name or address that the client came from
    pub host: String,
    /// The account that matched, as `CURRENT_USER()` shows it: user, host
    pub account: (String, String),
    /// Number of the connection, as `CONNECTION_ID()` and KILL know it; unique among open sessions
    pub connection_id: u64,
    /// Default database
    pub database: Option<String>,
    /// Collation number from the handshake; 0 or unknown takes the server's default
    pub collation: u16,
    /// The client allowed several statements in one text
    pub multi_statements: bool,
    /// UPDATE reports the rows found, not the rows changed (CLIENT_FOUND_ROWS)
    pub found_rows: bool,
    /// The client is a person (CLIENT_INTERACTIVE): `interactive_timeout` applies
    pub interactive: bool,
    /// How the client's bytes come
    pub transport: Transport,
}

/// Where a client's bytes come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// The same process
    #[default]
    Embedded,
    /// A socket of the file system
    Socket,
    /// The network
    Tcp,
}

/// How a client's bytes come, as SHOW SESSION STATUS tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// Where they come from
    pub way: Way,
    /// Version and cipher of TLS, named as by OpenSSL
    pub tls: Option<(String, String)>,
    /// Algorithm and level of compression
    pub compression: Option<(String, u8)>,
}

impl SessionOptions {
    /// Options of an embedded or test session: root, everything else at its default.
    pub fn root(connection_id: u64) -> SessionOptions {
        SessionOptions {
            user: "root".into(),
            host: "localhost".into(),
            account: ("root".into(), "localhost".into()),
            connection_id,
            database: None,
            collation: 255,
            multi_statements: false,
            found_rows: false,
            interactive: false,
            transport: Transport::default(),
        }
    }
}
