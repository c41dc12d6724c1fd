//! What can go wrong on this floor, and what the caller can do about it.

use std::io;
use std::sync::Arc;

use crate::ids::{Lsn, PageNo, TreeId};

/// A result of this floor.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation of the store failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing a file failed; the store goes on, the operation did not happen.
    #[error("{action} failed: {source}")]
    Io {
        /// What was attempted, with the file's name.
        action: String,
        /// The operating system's answer.
        source: Arc<io::Error>,
    },
    /// No space is left for new data; reads go on, and writes go on once space is freed.
    #[error("no space is left on the disk ({action})")]
    DiskFull {
        /// What was attempted.
        action: String,
    },
    /// A write to the log or a sync failed earlier. What is on disk is unknown, so the store
    /// answers nothing more; open it again to recover what is durable.
    #[error("the store has stopped after a failed write: {reason}")]
    Poisoned {
        /// The failure that stopped the store.
        reason: Arc<str>,
    },
    /// A page's bytes are not what was written.
    #[error("page {page} is damaged: {detail}")]
    CorruptPage {
        /// The page.
        page: PageNo,
        /// What does not hold.
        detail: String,
    },
    /// A log record that was durable cannot be read.
    #[error("the log is damaged at {lsn}: {detail}")]
    CorruptLog {
        /// Where.
        lsn: Lsn,
        /// What does not hold.
        detail: String,
    },
    /// A reader of the log asked for records that are no longer kept.
    #[error("the log is kept from {oldest} on; {wanted} is released")]
    LogReleased {
        /// What was to be read.
        wanted: Lsn,
        /// The first position that is left.
        oldest: Lsn,
    },
    /// A file was written by a newer version, or is not one of ours.
    #[error("{file} cannot be used: {detail}")]
    Format {
        /// The file.
        file: String,
        /// What does not hold.
        detail: String,
    },
    /// Another process has the directory open.
    #[error("the directory is in use by {holder}")]
    InUse {
        /// Who, and where that process listens.
        holder: String,
    },
    /// No such tree.
    #[error("tree {tree} does not exist")]
    UnknownTree {
        /// The tree.
        tree: TreeId,
    },
    /// [`crate::Expect::NotLive`] did not hold: the key has a live value.
    #[error("the key exists")]
    Exists,
    /// [`crate::Expect::Live`] did not hold: the key has no live value.
    #[error("the key does not exist")]
    Missing,
    /// The caller's own condition did not hold when it came to the change.
    #[error("the change was not admitted")]
    NotAdmitted,
    /// An option has a value that cannot work.
    #[error("{0}")]
    Invalid(String),
    /// All frames of the buffer pool are in use at once.
    #[error("the buffer pool of {frames} pages is too small: every page is in use")]
    PoolExhausted {
        /// The pool's size.
        frames: usize,
    },
}

/// Whether the disk, or its user's share of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Error {
    /// Wraps an I/O error; a full disk becomes [`Error::DiskFull`].
    pub fn io(action: impl Into<String>, source: io::Error) -> Error {
        let action = action.into();
        match is_full(&source) {
            true => Error::DiskFull { action },
            false => Error::Io { action, source: Arc::new(source) },
        }
    }

    pub(crate) fn corrupt(page: PageNo, detail: impl Into<String>) -> Error {
        Error::CorruptPage { page, detail: detail.into() }
    }

    pub(crate) fn log(lsn: Lsn, detail: impl Into<String>) -> Error {
        Error::CorruptLog { lsn, detail: detail.into() }
    }
}
