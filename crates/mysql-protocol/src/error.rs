//! What can be wrong with bytes from the other end.

/// The result of reading protocol bytes.
pub type Result<T> = std::result::Result<T, Error>;

/// Why bytes from the other end were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The packet ends inside a field.
    #[error("the packet ends inside {0}")]
    Truncated(&'static str),
    /// A field has a value that the protocol does not allow there.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A packet is larger than this end accepts.
    #[error("a packet of over {limit} bytes")]
    TooLarge {
        /// The largest accepted payload in bytes.
        limit: usize,
    },
    /// A packet came with another sequence number than the one that was due.
    #[error("packet number {found} came where {expected} was due")]
    OutOfOrder {
        /// The number that was due.
        expected: u8,
        /// The number that came.
        found: u8,
    },
    /// The first byte of a request is no command of the protocol.
    #[error("unknown command {0:#04x}")]
    UnknownCommand(u8),
    /// The other end speaks a form of the protocol that is not built (before 4.1).
    #[error("unsupported: {0}")]
    Unsupported(&'static str),
    /// A compressed frame could not be read, or none could be made.
    #[error("compression: {0}")]
    Compression(&'static str),
    /// A key or an encrypted field could not be used.
    #[error("cryptography: {0}")]
    Crypto(&'static str),
}

/// What a failure means for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request is refused; the connection goes on.
    Request,
    /// The two ends no longer agree where a packet starts; the connection has to be closed.
    Connection,
}

impl Error {
    /// Whether the connection survives.
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::TooLarge { .. } | Error::OutOfOrder { .. } | Error::Compression(_) => {
                ErrorClass::Connection
            }
            _ => ErrorClass::Request,
        }
    }
}
