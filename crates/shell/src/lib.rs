//! The shell: `rustydb sql` and `rustydb import`, clients of any server that speaks MySQL's protocol.
//!
//! Follow a statement:
//!
//! 1. [`target`]: where to connect and as whom, from options and a URL.
//! 2. [`connection`]: packets over TCP or a Unix socket, TLS and compression, results row by row.
//! 3. [`script`]: a text cut into statements while it streams by.
//! 4. [`output`]: tables and lists for people, CSV, TSV and JSON for programs.
//! 5. [`sql`] runs scripts and, at a terminal, `interactive`; [`import`] loads dumps.
//!
//! Invariants: memory is bounded by the longest statement and the longest row (tables hold some megabytes back);
//! nothing here ends the process: the exit code is returned. The crate knows the protocol and nothing of the
//! server's insides, so it is tested against real MySQL and MariaDB as well.

pub mod connection;
mod error;
pub mod import;
mod interactive;
mod interrupt;
pub mod output;
mod password;
pub mod script;
pub mod sql;
pub mod target;
mod tls;

pub use error::{Error, Result};

/// How the shell ended, as the process's exit code.
pub mod exit {
    /// Everything was carried out.
    pub const DONE: u8 = 0;
    /// A statement failed.
    pub const FAILED: u8 = 1;
    /// The command line makes no sense, or a file cannot be read.
    pub const USAGE: u8 = 2;
    /// The server could not be reached, or the connection was lost.
    pub const NO_SERVER: u8 = 3;
}

impl Error {
    /// The exit code that says so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Server { .. } => exit::FAILED,
            Error::Usage(_) | Error::Io { .. } => exit::USAGE,
            _ => exit::NO_SERVER,
        }
    }
}
