//! What can fail, and what a caller may do then.
//!
//! [`Error`] says what was attempted; [`Error::class`] what it means for a retry; [`Error::kind`] names it for
//! metrics and policies. Servers quote values in their messages (`Duplicate entry 'secret' for key ...`), so a
//! message is shown only after [`ServerError`] has taken them out; whoever needs the original asks for
//! [`ServerError::full_message`] by name and keeps it out of logs.
//!
//! | class | examples | what a caller does |
//! |---|---|---|
//! | [`Retryable`](ErrorClass::Retryable) | deadlock, lock wait, too many connections, query timeout | repeat the whole unit of work, after a pause |
//! | [`Terminal`](ErrorClass::Terminal) | syntax, duplicate key, foreign key, data too long | nothing: the same statement fails again |
//! | [`Connection`](ErrorClass::Connection) | refused, lost, gone, credential refused | drop the connection, take another, try once more |
//! | [`UnknownOutcome`](ErrorClass::UnknownOutcome) | connection lost while COMMIT was under way | never repeat blindly: ask the database what happened |

use crate::driver::Address;
use crate::pool::AcquireError;
use std::time::Duration;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error. The connection goes on, unless [`ServerError::ends_session`].
    #[error("{0}")]
    Server(Box<ServerError>),

    /// No connection could be made: nobody listens, the name is unknown, TLS failed.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: Address,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The connection was lost while something was under way, which may have happened or not.
    #[error("connection lost during {during}: {source}")]
    Lost {
        /// What was under way.
        during: &'static str,
        /// What the socket said.
        source: std::io::Error,
    },

    /// The server had closed the connection before the request was sent: it cannot have had an effect.
    #[error("the server has gone away")]
    Gone,

    /// The session was cut in the middle of an exchange and cannot be used any more.
    #[error("the session is broken: an earlier exchange was not completed")]
    Broken,

    /// The deadline passed first.
    #[error("timed out during {during}")]
    Timeout {
        /// What was waited for.
        during: &'static str,
    },

    /// The other end does not keep to the protocol.
    #[error("protocol violation during {during}: {source}")]
    Protocol {
        /// What was under way.
        during: &'static str,
        /// What was wrong.
        source: rustydb_mysql_protocol::Error,
    },

    /// This end refuses to authenticate as the server asks, because it would give the password away.
    #[error("authentication by {method} refused: {reason}")]
    Authentication {
        /// The method that the server asked for.
        method: String,
        /// Why it is refused.
        reason: &'static str,
    },

    /// It cannot be known whether the server did what was asked; it is never repeated.
    #[error("the outcome of {during} is unknown: {source}")]
    UnknownOutcome {
        /// What was under way, usually COMMIT.
        during: &'static str,
        /// What was lost.
        source: Box<Error>,
    },

    /// A value cannot be read as the type that was asked for.
    #[error("{column} is {found} and cannot be read as {wanted}")]
    Conversion {
        /// Which column, by name or number.
        column: String,
        /// The kind of value that is there.
        found: &'static str,
        /// The type that was asked for.
        wanted: &'static str,
    },

    /// A result has no such column.
    #[error("no column {0}")]
    NoSuchColumn(String),

    /// A query that has to give a row gave none.
    #[error("the query gave no row")]
    NoRow,

    /// A statement was executed with another number of parameters than it has.
    #[error("the statement has {expected} parameters, {given} were given")]
    Parameters {
        /// How many the statement has.
        expected: usize,
        /// How many were given.
        given: usize,
    },

    /// A prepared statement of another session, or one that was closed.
    #[error("the statement does not belong to this session")]
    ForeignStatement,

    /// A request is larger than configuration or the server allows; it was not sent.
    #[error("a request of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// The most bytes allowed.
        limit: usize,
    },

    /// A batch has more statements or rows than configuration allows; nothing was sent.
    #[error("a batch of {size} exceeds the limit of {limit}")]
    BatchTooLarge {
        /// Its statements or rows.
        size: usize,
        /// The most allowed.
        limit: usize,
    },

    /// Configuration does not allow it; nothing was sent.
    #[error("{0} is not allowed by configuration")]
    NotAllowed(&'static str),

    /// A file that `LOAD DATA LOCAL` asked for could not be read; the server was given what came before.
    #[error("local file: {source}")]
    LocalFile {
        /// Why not.
        source: std::io::Error,
    },

    /// The configuration makes no sense.
    #[error("configuration: {0}")]
    Configuration(String),

    /// The transaction is not open any more; nothing was sent.
    #[error("the transaction is over: {how}")]
    TransactionEnded {
        /// How it ended.
        how: &'static str,
    },

    /// A pool had no connection to give.
    #[error(transparent)]
    Acquire(Box<AcquireError>),

    /// No server of the cluster took writes until the deadline.
    #[error("no server takes writes, for {} ms now{}", waited.as_millis(), because(last))]
    NoPrimary {
        /// How long it was waited for one.
        waited: Duration,
        /// What the last one that was the primary said.
        last: Option<Box<Error>>,
    },

    /// The server failed so often lately that it is not asked for a while.
    #[error("the circuit breaker of {server} is open")]
    BreakerOpen {
        /// Which server.
        server: std::sync::Arc<str>,
        /// How long it stays open; none while probes decide.
        retry_after: Option<Duration>,
    },

    /// A replay or a double of a server has no answer to a request; the report names what comes nearest.
    #[error("{0}")]
    NoAnswer(Box<crate::simulation::NoAnswer>),
}

/// An error that a server sent. Shown without values; see the module's description.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    code: u16,
    sqlstate: [u8; 5],
    message: Box<str>,
}

impl ServerError {
    /// An error as a server sends it. Without a state it gets `HY000`, as MySQL's own clients have it.
    pub fn new(code: u16, sqlstate: Option<[u8; 5]>, message: impl Into<Box<str>>) -> ServerError {
        let sqlstate = sqlstate.filter(|state| state.is_ascii()).unwrap_or(*b"HY000");
        ServerError { code, sqlstate, message: message.into() }
    }

    /// MySQL's number of the error.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// SQLSTATE.
    pub fn sqlstate(&self) -> &str {
        std::str::from_utf8(&self.sqlstate).unwrap_or("HY000")
    }

    /// The message as the server sent it. It may hold values of the statement: keep it out of logs.
    pub fn full_message(&self) -> &str {
        &self.message
    }

    /// The message without values: what is quoted becomes `'?'` where it can be a value, names stay.
    pub fn message(&self) -> String {
        redaction::redacted(self.code, &self.message)
    }

    /// Whether the server closes the connection behind this error.
    pub fn ends_session(&self) -> bool {
        // Shutdown, killed, idle too long (MySQL, MariaDB), packets out of order or too large.
        matches!(self.code, 1053 | 1077 | 1079 | 1152..=1161 | 1184 | 1927 | 3169 | 4031)
    }

    /// Whether the server said that it takes no writes, by being a replica or being demoted. 1290 is also
    /// the answer to `--secure-file-priv` and other options, which say nothing about the role.
    pub fn is_read_only_server(&self) -> bool {
        match self.code {
            1836 => true,
            1290 => self.message.contains("read-only") || self.message.contains("read_only"),
            _ => false,
        }
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ERROR {} ({}): {}", self.code, self.sqlstate(), self.message())
    }
}

impl std::fmt::Debug for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerError({self})")
    }
}

impl std::error::Error for ServerError {}

/// What an error means for a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The same unit of work may succeed later.
    Retryable,
    /// The same statement fails again.
    Terminal,
    /// The connection is of no use; another may be.
    Connection,
    /// Nobody knows whether it happened.
    UnknownOutcome,
}

/// How often and after which pauses an error is worth another try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryRule {
    /// Tries after the first.
    pub retries: u32,
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// Part of a pause that is random.
    pub jitter: f64,
}

impl RetryRule {
    const fn new(retries: u32, first_ms: u64, longest_ms: u64) -> RetryRule {
        let (first, longest) = (Duration::from_millis(first_ms), Duration::from_millis(longest_ms));
        RetryRule { retries, first, longest, jitter: 0.2 }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $class:ident;)*) => {
        /// What an error is, for policies and as a metric's label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name,)*];

            /// Its name as a label.
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorKind::$name => $text,)* }
            }

            /// What it means for a retry.
            pub const fn class(self) -> ErrorClass {
                match self { $(ErrorKind::$name => ErrorClass::$class,)* }
            }
        }
    };
}

kinds! {
    /// 1213: this transaction was chosen to end a deadlock, and is rolled back.
    Deadlock = "deadlock", Retryable;
    /// 1205: a lock was not had in time; only the statement is rolled back.
    LockWait = "lock_wait", Retryable;
    /// 1040, 1203, 1226: no room for another connection.
    TooManyConnections = "too_many_connections", Retryable;
    /// The deadline passed, or the server ended the statement at its own limit (3024, 1969).
    QueryTimeout = "query_timeout", Retryable;
    /// 1317: somebody ended the statement.
    Interrupted = "interrupted", Terminal;
    /// 1064, 1149.
    Syntax = "syntax", Terminal;
    /// 1062, 1022, 1169, 1586.
    DuplicateKey = "duplicate_key", Terminal;
    /// 1451, 1452, 1216, 1217.
    ForeignKey = "foreign_key", Terminal;
    /// 1406, 1264.
    DataTooLong = "data_too_long", Terminal;
    /// 1049.
    UnknownDatabase = "unknown_database", Terminal;
    /// 1146, 1051.
    UnknownTable = "unknown_table", Terminal;
    /// 1142, 1044, 1143, 1227, 1370.
    PermissionDenied = "permission_denied", Terminal;
    /// 1290, 1792, 1836: writing is not possible here.
    ReadOnly = "read_only", Terminal;
    /// 1180: the engine could not commit.
    CommitFailed = "commit_failed", Terminal;
    /// 1615: the server could not prepare a statement again; the client has to.
    StatementStale = "statement_stale", Retryable;
    /// 2003: nobody answers at the address.
    ConnectionRefused = "connection_refused", Connection;
    /// 1045, 1698, 1820 and refusals of this end.
    AuthenticationFailed = "authentication_failed", Connection;
    /// 2013: lost while something was under way.
    ConnectionLost = "connection_lost", Connection;
    /// No server of the cluster takes writes.
    NoPrimary = "no_primary", Connection;
    /// The server is not asked for a while.
    BreakerOpen = "breaker_open", Connection;
    /// 2006: closed before the request.
    GoneAway = "gone_away", Connection;
    /// The peer broke the protocol.
    Protocol = "protocol", Connection;
    /// Lost where only the server knows how it ended.
    UnknownOutcome = "unknown_outcome", UnknownOutcome;
    /// A value of another type, a missing column or row, a wrong number of parameters.
    Conversion = "conversion", Terminal;
    /// A guard of this end refused it.
    NotAllowed = "not_allowed", Terminal;
    /// The configuration makes no sense.
    Configuration = "configuration", Terminal;
    /// A statement for a transaction that is not open any more.
    TransactionEnded = "transaction_ended", Terminal;
    /// No connection of a pool came free in time.
    PoolTimeout = "pool_timeout", Retryable;
    /// Too many waited for a connection of a pool already.
    PoolRejected = "pool_rejected", Retryable;
    /// The pool was closed.
    PoolClosed = "pool_closed", Terminal;
    /// A replay or a double of a server has no answer.
    NoAnswer = "no_answer", Terminal;
    /// Any other error of a server.
    Other = "other", Terminal;
}

impl ErrorKind {
    /// The kind of a server's error number.
    pub const fn of_code(code: u16) -> ErrorKind {
        match code {
            1213 | 1613 | 1614 => ErrorKind::Deadlock,
            1205 | 3572 => ErrorKind::LockWait,
            1040 | 1203 | 1226 => ErrorKind::TooManyConnections,
            3024 | 1969 => ErrorKind::QueryTimeout,
            1317 => ErrorKind::Interrupted,
            1064 | 1149 => ErrorKind::Syntax,
            1062 | 1022 | 1169 | 1586 => ErrorKind::DuplicateKey,
            1451 | 1452 | 1216 | 1217 => ErrorKind::ForeignKey,
            1406 | 1264 => ErrorKind::DataTooLong,
            1049 => ErrorKind::UnknownDatabase,
            1146 | 1051 => ErrorKind::UnknownTable,
            1142 | 1044 | 1143 | 1227 | 1370 => ErrorKind::PermissionDenied,
            1290 | 1792 | 1836 => ErrorKind::ReadOnly,
            1180 => ErrorKind::CommitFailed,
            1615 => ErrorKind::StatementStale,
            2003 | 2002 | 2005 => ErrorKind::ConnectionRefused,
            1045 | 1698 | 1820 | 1862 | 3118 => ErrorKind::AuthenticationFailed,
            2013 | 1053 | 1077 | 1079 | 1152..=1161 | 1184 | 1927 | 3169 => ErrorKind::ConnectionLost,
            2006 | 4031 => ErrorKind::GoneAway,
            _ => ErrorKind::Other,
        }
    }

    /// How often and after which pauses another try is worth it; none where it is not.
    pub const fn retry_rule(self) -> Option<RetryRule> {
        Some(match self {
            ErrorKind::Deadlock => RetryRule::new(3, 50, 500),
            ErrorKind::LockWait => RetryRule::new(2, 100, 1000),
            ErrorKind::TooManyConnections => RetryRule::new(3, 500, 2000),
            ErrorKind::ConnectionLost => RetryRule::new(2, 100, 1000),
            ErrorKind::ConnectionRefused => RetryRule::new(1, 100, 1000),
            ErrorKind::GoneAway | ErrorKind::QueryTimeout => RetryRule::new(1, 0, 1000),
            ErrorKind::StatementStale => RetryRule::new(1, 0, 0),
            _ => return None,
        })
    }
}

impl Error {
    /// What it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Server(server) => ErrorKind::of_code(server.code),
            Error::Connect { .. } => ErrorKind::ConnectionRefused,
            Error::Lost { .. } => ErrorKind::ConnectionLost,
            Error::Gone | Error::Broken => ErrorKind::GoneAway,
            Error::Timeout { .. } => ErrorKind::QueryTimeout,
            Error::Protocol { .. } => ErrorKind::Protocol,
            Error::Authentication { .. } => ErrorKind::AuthenticationFailed,
            Error::UnknownOutcome { .. } => ErrorKind::UnknownOutcome,
            Error::Conversion { .. }
            | Error::NoSuchColumn(_)
            | Error::NoRow
            | Error::Parameters { .. }
            | Error::ForeignStatement => ErrorKind::Conversion,
            Error::TooLarge { .. }
            | Error::BatchTooLarge { .. }
            | Error::NotAllowed(_)
            | Error::LocalFile { .. } => ErrorKind::NotAllowed,
            Error::Configuration(_) => ErrorKind::Configuration,
            Error::NoPrimary { .. } => ErrorKind::NoPrimary,
            Error::BreakerOpen { .. } => ErrorKind::BreakerOpen,
            Error::TransactionEnded { .. } => ErrorKind::TransactionEnded,
            Error::Acquire(error) => match &**error {
                AcquireError::Timeout { .. } => ErrorKind::PoolTimeout,
                AcquireError::Rejected { .. } => ErrorKind::PoolRejected,
                AcquireError::Closed { .. } => ErrorKind::PoolClosed,
                AcquireError::Connect { cause, .. } => cause.error().kind(),
            },
            Error::NoAnswer(_) => ErrorKind::NoAnswer,
        }
    }

    /// What it means for a retry.
    pub fn class(&self) -> ErrorClass {
        self.kind().class()
    }

    /// Whether another try of the same unit of work may help. What writes may only be repeated where the
    /// caller knows that nothing was applied.
    pub fn is_retryable(&self) -> bool {
        self.kind().retry_rule().is_some()
    }

    /// MySQL's number: the server's own, or the one that MySQL's client library has for what happened here.
    pub fn code(&self) -> Option<u16> {
        Some(match self {
            Error::Server(server) => server.code,
            Error::Connect { .. } => 2003,
            Error::Lost { .. } => 2013,
            Error::Gone | Error::Broken => 2006,
            Error::Protocol { .. } => 2027,
            Error::Authentication { .. } => 2059,
            Error::UnknownOutcome { source, .. } => return source.code(),
            Error::Acquire(error) => return error.cause().and_then(Error::code),
            Error::Parameters { .. } => 2031,
            Error::TooLarge { .. } => 2020,
            _ => return None,
        })
    }

    /// The server's error, where it was one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Error::Server(server) => Some(server),
            Error::UnknownOutcome { source, .. } => source.server(),
            _ => None,
        }
    }

    /// Whether the server said that it takes no writes ([`ServerError::is_read_only_server`]).
    pub fn is_read_only_server(&self) -> bool {
        self.server().is_some_and(ServerError::is_read_only_server)
    }

    /// Whether the session that gave this error is of no further use.
    pub fn breaks_session(&self) -> bool {
        match self {
            Error::Server(server) => server.ends_session(),
            Error::UnknownOutcome { source, .. } => source.breaks_session(),
            Error::Connect { .. }
            | Error::Lost { .. }
            | Error::Gone
            | Error::Broken
            | Error::Timeout { .. }
            | Error::Protocol { .. }
            | Error::Authentication { .. } => true,
            _ => false,
        }
    }
}

impl From<AcquireError> for Error {
    fn from(error: AcquireError) -> Error {
        Error::Acquire(Box::new(error))
    }
}

fn because(last: &Option<Box<Error>>) -> String {
    last.as_ref().map_or_else(String::new, |error| format!("; the last one: {error}"))
}

impl From<ServerError> for Error {
    fn from(error: ServerError) -> Error {
        Error::Server(Box::new(error))
    }
}

mod redaction;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16) -> Error {
        ServerError::new(code, None, "x").into()
    }

    #[test]
    fn classes_are_those_of_the_table() {
        for code in [1213, 1205, 1040, 3024] {
            assert_eq!(server(code).class(), ErrorClass::Retryable, "{code}");
        }
        for code in [1064, 1062, 1451, 1452, 1406, 1049, 1146, 1142, 1792, 1180] {
            assert_eq!(server(code).class(), ErrorClass::Terminal, "{code}");
            assert!(!server(code).is_retryable(), "{code}");
        }
        for code in [2003, 1045, 2006, 2013] {
            assert_eq!(server(code).class(), ErrorClass::Connection, "{code}");
        }
        for code in [2003, 1213, 1205, 2006, 2013, 1040] {
            assert!(server(code).is_retryable(), "{code}");
        }
        assert!(!server(1045).is_retryable());
        assert!(Error::Timeout { during: "query" }.is_retryable());
    }

    #[test]
    fn retry_rules_are_those_of_the_requirements() {
        let rule = |code: u16| ErrorKind::of_code(code).retry_rule().unwrap();
        let ms = Duration::from_millis;
        assert_eq!((rule(1213).retries, rule(1213).first, rule(1213).longest), (3, ms(50), ms(500)));
        assert_eq!((rule(1205).retries, rule(1205).first, rule(1205).longest), (2, ms(100), ms(1000)));
        assert_eq!((rule(1040).retries, rule(1040).first, rule(1040).longest), (3, ms(500), ms(2000)));
        assert_eq!((rule(2013).retries, rule(2006).retries), (2, 1));
        assert_eq!(ErrorKind::QueryTimeout.retry_rule().unwrap().retries, 1);
    }

    #[test]
    fn only_a_role_makes_a_server_read_only() {
        let told = |code, message: &str| ServerError::new(code, None, message).is_read_only_server();
        assert!(told(1290, "The MySQL server is running with the --read-only option so it cannot"));
        assert!(told(1290, "The MySQL server is running with the --super-read-only option so"));
        assert!(!told(1290, "The MySQL server is running with the --secure-file-priv option so"));
        assert!(told(1836, "Running in read-only mode"));
        assert!(!told(1792, "Cannot execute statement in a READ ONLY transaction."));
    }

    #[test]
    fn a_lost_commit_is_never_retryable() {
        let lost = Error::Lost { during: "COMMIT", source: std::io::ErrorKind::UnexpectedEof.into() };
        let unknown = Error::UnknownOutcome { during: "COMMIT", source: Box::new(lost) };
        assert_eq!(unknown.class(), ErrorClass::UnknownOutcome);
        assert!(!unknown.is_retryable() && unknown.breaks_session());
        assert_eq!(unknown.code(), Some(2013));
    }
}
