//! Pinning: why a session's statements stay with the connection that they have.
//!
//! Inside a transaction every statement goes to the primary, on the transaction's own connection. A session that
//! keeps state (variables, temporary tables, locks, prepared names) must send what follows to where that state
//! is, until the connection is reset. The server's own word about both (status flags and session tracking)
//! overrules what a statement's text promises.

use super::class::{Marks, StatementClass};

/// What holds a session to its connection on the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionPin {
    transaction: bool,
    state: bool,
}

impl SessionPin {
    /// A session that nothing holds.
    pub const FREE: SessionPin = SessionPin { transaction: false, state: false };

    /// A session with an open transaction.
    pub const IN_TRANSACTION: SessionPin = SessionPin { transaction: true, state: false };

    /// Notes a statement that was run: its class, and what the server said afterwards: whether a transaction is
    /// open (after `SET autocommit = 0` that begins with the next statement) and whether session tracking reported
    /// a change of state.
    pub fn ran(&mut self, class: StatementClass, in_transaction: bool, state_changed: bool) {
        self.transaction = in_transaction;
        self.state |= state_changed || class.marks.contains(Marks::SESSION_STATE);
    }

    /// The connection was reset: the session is as new.
    pub fn reset(&mut self) {
        *self = SessionPin::FREE;
    }

    /// Whether a transaction is open.
    pub fn in_transaction(self) -> bool {
        self.transaction
    }

    /// Whether the next statement must use the same connection.
    pub fn holds(self) -> bool {
        self.transaction || self.state
    }
}
