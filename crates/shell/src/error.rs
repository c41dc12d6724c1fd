//! What can go wrong between a shell and a server.

use rustydb_mysql_protocol as protocol;
use std::io;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused a statement or a login; the connection goes on after a statement.
    #[error("ERROR {code} ({state}): {message}")]
    Server {
        /// MySQL's number
        code: u16,
        /// The SQLSTATE
        state: String,
        /// The text
        message: String,
    },
    /// The server could not be reached.
    #[error("cannot connect to {place}: {source}")]
    Connect {
        /// Where it should be
        place: String,
        /// Why not
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the server was lost: {0}")]
    Lost(io::Error),
    /// The server sent what is not the protocol.
    #[error("the server does not speak the protocol: {0}")]
    Protocol(#[from] protocol::Error),
    /// TLS could not be set up or established.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server asks for something that is not built here.
    #[error("the server asks for {0}, which this client cannot do")]
    Unsupported(String),
    /// What the user gave makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file, or the terminal.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was attempted
        what: String,
        /// Why not
        source: io::Error,
    },
}

impl Error {
    /// Turns an error of the operating system into ours, with what was attempted.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }

    /// Whether only the statement failed and the connection can be used further.
    pub fn is_statement_only(&self) -> bool {
        matches!(self, Error::Server { .. })
    }
}
