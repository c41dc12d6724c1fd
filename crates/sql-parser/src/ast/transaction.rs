//! Transactions, XA and table locks.

use super::{Ident, ObjectName, VariableScope};

/// START TRANSACTION (also BEGIN [WORK]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StartTransaction {
    /// `WITH CONSISTENT SNAPSHOT`.
    pub consistent_snapshot: bool,
    /// `READ ONLY` is true, `READ WRITE` is false.
    pub read_only: Option<bool>,
}

/// What follows COMMIT and ROLLBACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CompletionOptions {
    /// `AND CHAIN` is true, `AND NO CHAIN` is false.
    pub chain: Option<bool>,
    /// `RELEASE` is true, `NO RELEASE` is false.
    pub release: Option<bool>,
}

/// SET TRANSACTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SetTransaction {
    /// GLOBAL or SESSION; `None` is the next transaction only.
    pub scope: Option<VariableScope>,
    /// `ISOLATION LEVEL ..`.
    pub isolation: Option<IsolationLevel>,
    /// `READ ONLY` is true, `READ WRITE` is false.
    pub read_only: Option<bool>,
}

/// The isolation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are SQL's
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// XA statements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Xa {
    /// `XA START xid [JOIN | RESUME]`.
    Start {
        /// The transaction.
        xid: Xid,
        /// `JOIN` is false, `RESUME` is true.
        resume: Option<bool>,
    },
    /// `XA END xid [SUSPEND [FOR MIGRATE]]`.
    End {
        /// The transaction.
        xid: Xid,
        /// `SUSPEND` is false, `SUSPEND FOR MIGRATE` is true.
        suspend: Option<bool>,
    },
    /// `XA PREPARE xid`.
    Prepare(Xid),
    /// `XA COMMIT xid [ONE PHASE]`.
    Commit {
        /// The transaction.
        xid: Xid,
        /// `ONE PHASE`.
        one_phase: bool,
    },
    /// `XA ROLLBACK xid`.
    Rollback(Xid),
    /// `XA RECOVER [CONVERT XID]`.
    Recover {
        /// `CONVERT XID`.
        convert: bool,
    },
}

/// The name of an XA transaction: `'gtrid', 'bqual', format`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Xid {
    /// Global transaction id, at most 64 bytes.
    pub global: Box<[u8]>,
    /// Branch qualifier, at most 64 bytes.
    pub branch: Box<[u8]>,
    /// Format, 1 if not written.
    pub format: u64,
}

/// One table of LOCK TABLES.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TableLock {
    /// The table.
    pub table: ObjectName,
    /// Its alias.
    pub alias: Option<Ident>,
    /// The kind of lock.
    pub kind: TableLockKind,
}

/// The kinds of table lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's; LOW_PRIORITY WRITE is Write
pub enum TableLockKind {
    Read,
    ReadLocal,
    Write,
}
