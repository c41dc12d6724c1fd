//! What can fail. No variant holds metadata or numbers of a vector.

use std::path::PathBuf;

/// Why an embedding was not stored or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The vector has another number of dimensions than the memory
    #[error("a vector of {given} dimensions in a memory of {expected}")]
    Dimensions {
        /// Of the memory
        expected: usize,
        /// Of the vector
        given: usize,
    },
    /// The vector has no direction: all zeros, or numbers that are none
    #[error("the vector has no direction")]
    NoDirection,
    /// Key or metadata are longer than they may be
    #[error("{what} of {size} bytes, at most {most} are kept")]
    TooLong {
        /// `a key` or `metadata`
        what: &'static str,
        /// Its bytes
        size: usize,
        /// The most bytes
        most: usize,
    },
    /// There is no room; remove something first
    #[error("the memory holds {most} embeddings already")]
    Full {
        /// The most embeddings
        most: usize,
    },
    /// The file is one of another program, another version or another number of dimensions
    #[error("{}: {why}", path.display())]
    Foreign {
        /// Which file
        path: PathBuf,
        /// What it is
        why: String,
    },
    /// The file is damaged before its end: whole records stand behind a broken one
    #[error("{}: damaged at byte {at}", path.display())]
    Damaged {
        /// Which file
        path: PathBuf,
        /// Where
        at: u64,
    },
    /// Another process has it open
    #[error("{}: open in another process", path.display())]
    Locked {
        /// Which file
        path: PathBuf,
    },
    /// The file could not be read or written
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file
        path: PathBuf,
        /// What happened
        source: std::io::Error,
    },
    /// A write or sync failed before, so nobody knows what is on disk: open the memory again
    #[error("a write failed before; open the memory again")]
    Poisoned,
}
