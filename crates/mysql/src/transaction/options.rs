//! How a transaction is begun.

use std::fmt;
use std::time::Duration;

/// What a transaction sees of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IsolationLevel {
    /// What others have not committed, too
    ReadUncommitted,
    /// What is committed when each statement begins
    ReadCommitted,
    /// What was committed when it first read
    RepeatableRead,
    /// As if transactions ran one after the other
    Serializable,
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IsolationLevel::ReadUncommitted => "READ UNCOMMITTED",
            IsolationLevel::ReadCommitted => "READ COMMITTED",
            IsolationLevel::RepeatableRead => "REPEATABLE READ",
            IsolationLevel::Serializable => "SERIALIZABLE",
        })
    }
}

/// Whether a transaction may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessMode {
    /// It may
    ReadWrite,
    /// It may not; a replica can serve it
    ReadOnly,
}

/// How a transaction is begun. What is not said is as the session has it.
///
/// ```
/// use rustydb_mysql::transaction::{AccessMode, IsolationLevel, TransactionOptions};
///
/// let options = TransactionOptions::default()
///     .isolation(IsolationLevel::Serializable)
///     .access(AccessMode::ReadOnly);
/// assert_eq!(options.isolation, Some(IsolationLevel::Serializable));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// What it sees of others
    pub isolation: Option<IsolationLevel>,
    /// Whether it may write
    pub access: Option<AccessMode>,
    /// It sees what is committed now, not at its first read; only with REPEATABLE READ
    pub consistent_snapshot: bool,
    /// Time of each of its statements, where it is not the client's query timeout
    pub statement_timeout: Option<Duration>,
}

impl TransactionOptions {
    /// Sets what it sees of others.
    pub fn isolation(mut self, level: IsolationLevel) -> Self {
        self.isolation = Some(level);
        self
    }

    /// Sets whether it may write.
    pub fn access(mut self, mode: AccessMode) -> Self {
        self.access = Some(mode);
        self
    }

    /// A transaction that writes nothing.
    pub fn read_only() -> Self {
        TransactionOptions::default().access(AccessMode::ReadOnly)
    }

    /// Has it see what is committed now.
    pub fn consistent_snapshot(mut self, on: bool) -> Self {
        self.consistent_snapshot = on;
        self
    }

    /// Sets the time of each of its statements.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// What has to be said before it begins.
    pub(super) fn set_statement(&self) -> Option<String> {
        self.isolation.map(|level| format!("SET TRANSACTION ISOLATION LEVEL {level}"))
    }

    /// What begins it.
    pub(super) fn start_statement(&self) -> String {
        let snapshot = self.consistent_snapshot.then_some("WITH CONSISTENT SNAPSHOT");
        let access = self.access.map(|mode| match mode {
            AccessMode::ReadWrite => "READ WRITE",
            AccessMode::ReadOnly => "READ ONLY",
        });
        let how: Vec<&str> = snapshot.into_iter().chain(access).collect();
        if how.is_empty() {
            "START TRANSACTION".to_owned()
        } else {
            format!("START TRANSACTION {}", how.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_those_of_mysql() {
        let plain = TransactionOptions::default();
        assert_eq!((plain.set_statement(), plain.start_statement()), (None, "START TRANSACTION".to_owned()));
        let full = TransactionOptions::read_only()
            .isolation(IsolationLevel::RepeatableRead)
            .consistent_snapshot(true);
        assert_eq!(full.set_statement().unwrap(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        assert_eq!(full.start_statement(), "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY");
    }
}
