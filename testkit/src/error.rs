//! What can go wrong around a server, in words for the person who reads a failed run.

use std::path::PathBuf;

/// The errors of this package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something
    #[error("cannot {what}: {source}")]
    Io {
        /// What was attempted
        what: String,
        /// Why not
        source: std::io::Error,
    },
    /// A program is not installed
    #[error("{0} is not installed; `cargo xtask test` installs it where it may")]
    Missing(&'static str),
    /// A server ended, or did not answer in time
    #[error("{server} {how}; the end of its log {}:\n{tail}", log.display())]
    Server {
        /// Which server
        server: String,
        /// What happened
        how: String,
        /// Its log
        log: PathBuf,
        /// The log's last lines
        tail: String,
    },
    /// A statement failed that had to succeed
    #[error("{0}")]
    Sql(#[from] mysql::Error),
    /// A program ended with an error
    #[error("`{line}` failed ({status}):\n{output}")]
    Program {
        /// Its command line
        line: String,
        /// How it ended
        status: std::process::ExitStatus,
        /// What it printed
        output: String,
    },
    /// A promise of the server did not hold
    #[error("{0}")]
    Broken(String),
    /// The command line was not understood
    #[error("{0}")]
    Usage(String),
}

/// What the functions of this package return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Turns an operating system error into ours, with what was attempted.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }
}
