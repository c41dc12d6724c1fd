//! What can go wrong with a journal or a script. Requests that nothing answers are no errors of this kind: see
//! [`Miss`](crate::miss::Miss) and [`Unexpected`](crate::expectation::Unexpected).

use std::path::PathBuf;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a journal or a script could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened, read or written.
    #[error("{attempt} {}: {source}", path.display())]
    Io {
        /// What was attempted
        attempt: &'static str,
        /// On which file
        path: PathBuf,
        /// What the system said
        source: std::io::Error,
    },
    /// The file is no journal: its first line is not a header.
    #[error("not a journal: {0}")]
    NotAJournal(String),
    /// A newer program wrote it.
    #[error("the journal has version {found}; this program reads up to {known}")]
    NewerVersion {
        /// The journal's version
        found: u32,
        /// The newest that is understood
        known: u32,
    },
    /// The journal is of another kind of server.
    #[error("the journal holds conversations with {found}, not with {wanted}")]
    OtherSubject {
        /// What the header says
        found: String,
        /// What was wanted
        wanted: String,
    },
    /// A line that is not the last one cannot be read.
    #[error("line {line} of the journal: {why}")]
    Line {
        /// Counted from 1; the header is line 1
        line: u64,
        /// What is wrong with it
        why: String,
    },
    /// A fault script cannot be read.
    #[error("fault script: {0}")]
    Script(String),
    /// The journal would grow beyond what it may hold; recording ends, the conversation does not.
    #[error("the journal is full: {limit} bytes")]
    Full {
        /// What it may hold
        limit: u64,
    },
    /// The key of the journal was kept apart and another one was given.
    #[error("the journal was written with another key: its requests cannot be recognised")]
    OtherKey,
    /// The system gave no random bytes for the journal's key.
    #[error("no random bytes for the journal's key: {0}")]
    Random(String),
}
