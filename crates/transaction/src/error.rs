//! What can go wrong in a transaction, and what its owner can do.

use rustydb_storage as storage;

use crate::cancel::CancelReason;
use crate::locks::LockError;

/// A result of this floor.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The statement may be run again, in the same transaction.
    RetryStatement,
    /// The transaction was, or must be, rolled back, and may be run again.
    RetryTransaction,
    /// Running it again will not help.
    Terminal,
}

/// Why an operation of a transaction failed. But for [`Error::Deadlock`] and
/// [`Error::Serialization`] the transaction goes on; what the
/// statement has done is taken back by [`crate::Transaction::rollback_statement`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key to insert exists.
    #[error("the key exists already")]
    DuplicateKey,
    /// The key to change or delete does not exist.
    #[error("the key does not exist")]
    KeyNotFound,
    /// A lock was not free for longer than the transaction waits (MySQL 1205).
    #[error("waiting for a lock took too long")]
    LockWaitTimeout,
    /// The wait closed a circle, and this transaction is the one to give way (MySQL 1213). Roll it back.
    #[error("the transaction was chosen as victim of a deadlock")]
    Deadlock,
    /// A row is not any more what the transaction's snapshot shows, or the transaction has no place in an order of
    /// all serializable ones (MySQL 1213). Roll it back.
    #[error("the transaction conflicts with another that ran beside it")]
    Serialization,
    /// The lock is not free, and the statement does not wait (MySQL 3572).
    #[error("the lock is not free")]
    WouldBlock,
    /// More rows are locked than the lock table holds (MySQL 1206).
    #[error("too many rows are locked")]
    TooManyLocks,
    /// The statement was cancelled while it waited (MySQL 1317).
    #[error("the statement was cancelled: {0:?}")]
    Cancelled(CancelReason),
    /// The table or index was made, or made anew, after the transaction's snapshot: it lacks what the snapshot
    /// has to see (MySQL 1412). Roll it back and begin again.
    #[error("the table was changed after the transaction began to read")]
    DefinitionChanged,
    /// A transaction that is serializable by snapshots cannot promise to commit. Use locks for it.
    #[error("a transaction that is serializable by snapshots cannot be prepared")]
    NotPreparable,
    /// The transaction read for so long that the versions it needs were given up (`max_snapshot_age`). Roll it
    /// back and begin again.
    #[error("the transaction's snapshot is too old: what it reads was given up")]
    SnapshotTooOld,
    /// The transaction has kept more of the log than it may (`max_wal_pinned`). Roll it back and begin again.
    #[error("the transaction keeps more of the log than max_wal_pinned")]
    LogPinned,
    /// Unfinished transactions and old snapshots keep as much in memory as they may (`undo_memory`): change fewer rows
    /// in one transaction (MySQL 1206).
    #[error("unfinished transactions and old snapshots keep more than undo_memory")]
    UndoFull,
    /// A write in a transaction that only reads (MySQL 1792).
    #[error("the transaction is read only")]
    ReadOnly,
    /// No space is left for new data; what is there can be read, and deleted.
    #[error("the disk is full")]
    DiskFull,
    /// A write to the log failed: the store answers nothing more until it is opened again. The outcome of
    /// a commit that gets this is unknown.
    #[error("{reason}")]
    Poisoned {
        /// The failure.
        reason: String,
    },
    /// Stored bytes are not what was written.
    #[error("{detail}")]
    Corrupt {
        /// Where and what.
        detail: String,
    },
    /// The change log is no longer kept that far back. Begin again: with the oldest commit that is kept, or
    /// with a copy of the data and the next commit.
    #[error("the change log is kept behind commit {oldest} only{}", after_text(*.after))]
    ChangeLogTruncated {
        /// The last commit that the consumer has seen, if it has seen any.
        after: Option<u64>,
        /// The log is kept behind this commit.
        oldest: u64,
    },
    /// A position of the change log that cannot be used here.
    #[error("the position of the change log cannot be used: {detail}")]
    ChangeLogPosition {
        /// Why.
        detail: String,
    },
    /// The storage floor's own.
    #[error(transparent)]
    Storage(storage::Error),
}

fn after_text(after: Option<u64>) -> String {
    after.map_or_else(String::new, |after| format!(", not behind commit {after}"))
}

impl Error {
    /// What the caller can do.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::LockWaitTimeout | Error::WouldBlock | Error::DiskFull => ErrorClass::RetryStatement,
            Error::Deadlock
            | Error::Serialization
            | Error::DefinitionChanged
            | Error::SnapshotTooOld
            | Error::LogPinned => ErrorClass::RetryTransaction,
            _ => ErrorClass::Terminal,
        }
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Error {
        match error {
            storage::Error::Exists => Error::DuplicateKey,
            storage::Error::Missing => Error::KeyNotFound,
            storage::Error::DiskFull { .. } => Error::DiskFull,
            storage::Error::Poisoned { .. } => Error::Poisoned { reason: error.to_string() },
            storage::Error::CorruptPage { .. } | storage::Error::CorruptLog { .. } => {
                Error::Corrupt { detail: error.to_string() }
            }
            other => Error::Storage(other),
        }
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Error {
        match error {
            LockError::Timeout => Error::LockWaitTimeout,
            LockError::Deadlock => Error::Deadlock,
            LockError::Cancelled(reason) => Error::Cancelled(reason),
            LockError::WouldBlock => Error::WouldBlock,
            LockError::TableFull => Error::TooManyLocks,
        }
    }
}
