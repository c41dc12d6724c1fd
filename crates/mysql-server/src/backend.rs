//! What the door needs of the database behind it.
//!
//! The door knows packets, connections and their limits; it runs no statement and keeps no account. Both
//! come through [`Backend`]: in the product it is SQL over our store ([`crate::SqlBackend`]), in tests a script, and
//! in a gateway it can be another server.
//!
//! A [`Session`] is used by one thread at a time, the one that serves its connection, so it needs no lock; it
//! changes threads when its connection has idled.

use rustydb_mysql_protocol::auth::{caching_sha2, native};
use rustydb_sql::{ColumnMeta, ResultSink, SessionOptions, SqlError, StateChange, StatusFlags};
use rustydb_transaction::Cancel;
use rustydb_value::{Charset, Value};
use std::time::Duration;

/// Accounts, sessions and limits.
pub trait Backend: Send + Sync + 'static {
    /// One connection's session.
    type Session: Session;

    /// The account that a user of this name, coming from this host, logs in to. The host is `localhost` for
    /// local sockets and loopback addresses, otherwise an address.
    fn account(&self, user: &str, host: &str) -> Option<Account>;

    /// Opens a session for an account that has proven itself.
    fn open(&self, options: &SessionOptions) -> Result<Self::Session, SqlError>;

    /// A number for a new connection, never used before.
    fn next_connection_id(&self) -> u64;

    /// The limits in force now; asked at every connection.
    fn limits(&self) -> Limits;
}

/// Limits that belong to all connections. They are MySQL's variables of the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max_connections`: a further one is refused with 1040.
    pub max_connections: usize,
    /// `connect_timeout`: how long the whole handshake may take.
    pub connect_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_connections: 151, connect_timeout: Duration::from_secs(10) }
    }
}

/// An authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// `caching_sha2_password`
    CachingSha2,
    /// `mysql_native_password`
    Native,
}

impl AuthMethod {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            AuthMethod::CachingSha2 => caching_sha2::NAME,
            AuthMethod::Native => native::NAME,
        }
    }

    /// The method of that name.
    pub fn from_name(name: &str) -> Option<AuthMethod> {
        [AuthMethod::CachingSha2, AuthMethod::Native].into_iter().find(|method| method.name() == name)
    }
}

/// What a password is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// No password: an empty answer logs in.
    Empty,
    /// A salted digest.
    CachingSha2(caching_sha2::Verifier),
    /// SHA1(SHA1(password)).
    Native(native::Verifier),
    /// Nothing that could be understood was stored; nobody logs in.
    Unusable,
}

/// An account as the door sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its user name, as `CURRENT_USER()` shows it.
    pub user: String,
    /// Its host pattern.
    pub host: String,
    /// The method it asks for.
    pub method: AuthMethod,
    /// What a password is checked against.
    pub credential: Credential,
    /// Nobody may log in (3118).
    pub locked: bool,
    /// The password has to be changed first (1862).
    pub password_expired: bool,
    /// Only over TLS or a local socket.
    pub require_tls: bool,
    /// Changes whenever the account does, so that cached digests of an old password are not used.
    pub version: u64,
}

/// One connection's session; see `rustydb_sql::Session` for what each call means.
pub trait Session: Send {
    /// A prepared statement.
    type Prepared: Prepared;

    /// Runs a text of one statement, or of several.
    fn query(&mut self, sql: &str, sink: &mut dyn ResultSink) -> Result<(), SqlError>;
    /// Prepares a statement.
    fn prepare(&mut self, sql: &str) -> Result<Self::Prepared, SqlError>;
    /// Runs a prepared statement.
    fn execute(
        &mut self,
        prepared: &mut Self::Prepared,
        parameters: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError>;
    /// Changes the default database.
    fn use_database(&mut self, name: &str) -> Result<(), SqlError>;
    /// Goes back to the state of a fresh session of the same user.
    fn reset(&mut self) -> Result<(), SqlError>;
    /// Goes on as a fresh session of another user.
    fn change_user(&mut self, options: &SessionOptions) -> Result<(), SqlError>;
    /// Allows several statements in one text, or not.
    fn set_multi_statements(&mut self, on: bool);
    /// The bits that every answer carries.
    fn status(&self) -> StatusFlags;
    /// Warnings of the last statement.
    fn warning_count(&self) -> u16;
    /// `character_set_client`: how a text from the client is read.
    fn character_set_client(&self) -> Charset;
    /// `character_set_results`; none for NULL, which converts nothing.
    fn character_set_results(&self) -> Option<Charset>;
    /// The line that COM_STATISTICS answers.
    fn statistics(&self) -> String;
    /// The changes of session state since the last call.
    fn take_state_changes(&mut self) -> Vec<StateChange>;
    /// The flag that ends the session's statement, or the session.
    fn cancel_handle(&self) -> Cancel;
    /// `max_allowed_packet` in bytes.
    fn max_allowed_packet(&self) -> usize;
    /// `wait_timeout` or `interactive_timeout`: how long the client may be idle.
    fn idle_timeout(&self) -> Duration;
    /// How long the open transaction may wait for its next statement, if it may not wait as long as it likes.
    fn idle_transaction_limit(&self) -> Option<Duration> {
        None
    }
    /// Rolls back the transaction that has waited for too long; the session stays.
    fn end_idle_transaction(&mut self) {}
    /// `net_read_timeout`: how long a packet may pause on its way in.
    fn net_read_timeout(&self) -> Duration;
    /// `net_write_timeout`: how long the client may read nothing of an answer.
    fn net_write_timeout(&self) -> Duration;
}

/// What a prepared statement says about itself.
pub trait Prepared: Send {
    /// Its parameters, in order.
    fn parameters(&self) -> &[ColumnMeta];
    /// The columns of its result; empty when it has none.
    fn columns(&self) -> &[ColumnMeta];
}
