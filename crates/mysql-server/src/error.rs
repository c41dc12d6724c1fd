//! Why a door did not open. What goes wrong on a connection later is said to its client and counted.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened at; another program may have it.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The local socket cannot be made; another server may be at it.
    #[error("cannot listen at socket {}: {source}", path.display())]
    ListenLocal {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key or certificate file cannot be read or written.
    #[error("key file {}: {source}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key or certificate cannot be used.
    #[error("key file {}: {reason}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Keys or certificates cannot be made.
    #[error("cannot make keys: {0}")]
    MakeKey(String),
    /// A thread of the server cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}
