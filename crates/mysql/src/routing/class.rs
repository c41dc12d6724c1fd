//! What is known about a statement from its text alone: its kind, whether a replica may run it, what it leaves
//! behind in its session.
//!
//! A class is a few bytes, copied freely and kept in the cache of decisions. Where a text leaves doubt the class
//! says [`Access::Write`]: a read on the primary costs some load, a write on a replica is an error or worse.

use std::ops::{BitOr, BitOrAssign};

/// The kind of a statement, by its verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StatementKind {
    /// SELECT, TABLE, VALUES, and WITH before one of them.
    Select,
    /// SHOW and HELP.
    Show,
    /// DESCRIBE and DESC of a table.
    Describe,
    /// EXPLAIN, and MariaDB's ANALYZE of a statement.
    Explain,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// REPLACE.
    Replace,
    /// CALL and DO.
    Call,
    /// BEGIN, START TRANSACTION, XA START.
    Begin,
    /// COMMIT, XA COMMIT.
    Commit,
    /// ROLLBACK, XA ROLLBACK, ROLLBACK TO SAVEPOINT.
    Rollback,
    /// SAVEPOINT, RELEASE SAVEPOINT.
    Savepoint,
    /// SET.
    Set,
    /// USE.
    Use,
    /// LOCK TABLES, LOCK INSTANCE.
    Lock,
    /// UNLOCK TABLES, UNLOCK INSTANCE.
    Unlock,
    /// PREPARE, EXECUTE, DEALLOCATE PREPARE, EXECUTE IMMEDIATE.
    Prepared,
    /// CREATE, ALTER, DROP, RENAME.
    Definition,
    /// TRUNCATE.
    Truncate,
    /// LOAD DATA, LOAD XML, IMPORT TABLE.
    Load,
    /// GRANT, REVOKE, FLUSH, KILL, ANALYZE TABLE and what else operates a server.
    Administration,
    /// Nothing but space and comments.
    Empty,
    /// A verb that is not known here.
    Other,
}

impl StatementKind {
    /// The name of the operation in metrics and spans.
    pub fn name(self) -> &'static str {
        match self {
            StatementKind::Select => "SELECT",
            StatementKind::Show => "SHOW",
            StatementKind::Describe => "DESCRIBE",
            StatementKind::Explain => "EXPLAIN",
            StatementKind::Insert => "INSERT",
            StatementKind::Update => "UPDATE",
            StatementKind::Delete => "DELETE",
            StatementKind::Replace => "REPLACE",
            StatementKind::Call => "CALL",
            StatementKind::Begin => "BEGIN",
            StatementKind::Commit => "COMMIT",
            StatementKind::Rollback => "ROLLBACK",
            StatementKind::Savepoint => "SAVEPOINT",
            StatementKind::Set => "SET",
            StatementKind::Use => "USE",
            StatementKind::Lock => "LOCK",
            StatementKind::Unlock => "UNLOCK",
            StatementKind::Prepared => "PREPARE",
            StatementKind::Definition => "DDL",
            StatementKind::Truncate => "TRUNCATE",
            StatementKind::Load => "LOAD",
            StatementKind::Administration => "ADMIN",
            StatementKind::Empty => "EMPTY",
            StatementKind::Other => "OTHER",
        }
    }
}

/// Who may run a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// A replica or the primary.
    Read,
    /// The primary alone.
    Write,
}

/// Why a statement got its [`Access`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It only reads.
    Reads,
    /// Its verb changes data, definitions or the server.
    Writes,
    /// It begins, ends or structures a transaction.
    TransactionControl,
    /// FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE.
    LocksRows,
    /// SELECT .. INTO a file or a variable.
    Into,
    /// It reads or sets what belongs to one session: variables, LAST_INSERT_ID(), prepared names.
    SessionState,
    /// It calls a function that writes, or takes a lock of its server.
    Function,
    /// A hint `/*+ PRIMARY */`.
    PrimaryHint,
    /// A hint `/*+ REPLICA */` overruled the doubt about a function.
    ReplicaHint,
    /// A server refused it as a write before.
    Learned,
    /// The text is not understood, so the primary gets it.
    Unknown,
}

/// What else a text says, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(u16);

impl Marks {
    /// Begins a transaction.
    pub const BEGINS: Marks = Marks(1);
    /// Ends a transaction, by itself or by an implicit commit.
    pub const ENDS: Marks = Marks(2);
    /// Leaves something in the session that later statements may need there.
    pub const SESSION_STATE: Marks = Marks(4);
    /// Holds a statement that changes definitions (CREATE, ALTER, DROP, RENAME, TRUNCATE).
    pub const DEFINITION: Marks = Marks(8);
    /// Holds LOAD DATA or LOAD XML.
    pub const LOADS: Marks = Marks(16);
    /// More than one statement.
    pub const SEVERAL: Marks = Marks(32);
    /// FROM outside parentheses, or the table of UPDATE and DELETE.
    pub const FROM: Marks = Marks(64);
    /// WHERE outside parentheses.
    pub const WHERE: Marks = Marks(128);
    /// LIMIT or FETCH FIRST outside parentheses.
    pub const LIMIT: Marks = Marks(256);
    /// START TRANSACTION READ ONLY.
    pub const READ_ONLY: Marks = Marks(512);

    /// Whether all of `marks` are set.
    pub fn contains(self, marks: Marks) -> bool {
        self.0 & marks.0 == marks.0
    }
}

impl BitOr for Marks {
    type Output = Marks;

    fn bitor(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Marks) {
        self.0 |= other.0;
    }
}

/// What a statement's text says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatementClass {
    /// Its verb; of several statements, the first that only the primary may run, else the first.
    pub kind: StatementKind,
    /// Who may run it.
    pub access: Access,
    /// Why.
    pub reason: Reason,
    /// What else it says, all statements of the text together.
    pub marks: Marks,
}

impl StatementClass {
    pub(crate) fn read(kind: StatementKind) -> StatementClass {
        StatementClass { kind, access: Access::Read, reason: Reason::Reads, marks: Marks::default() }
    }

    pub(crate) fn write(kind: StatementKind) -> StatementClass {
        StatementClass { kind, access: Access::Write, reason: Reason::Writes, marks: Marks::default() }
    }

    pub(crate) fn because(self, reason: Reason) -> StatementClass {
        StatementClass { reason, ..self }
    }

    pub(crate) fn with(self, marks: Marks) -> StatementClass {
        StatementClass { marks: self.marks | marks, ..self }
    }

    /// The same without what it says of `marks`.
    pub(crate) fn without(self, marks: Marks) -> StatementClass {
        StatementClass { marks: Marks(self.marks.0 & !marks.0), ..self }
    }

    /// Only the primary may run it, for `reason`, unless an earlier reason said so.
    pub(crate) fn deny_replicas(&mut self, reason: Reason) {
        if self.access == Access::Read {
            self.access = Access::Write;
            self.reason = reason;
        }
    }

    /// Both statements, one after the other or one reading of the text or the other: what either needs.
    pub(crate) fn and(self, other: StatementClass) -> StatementClass {
        let marks = self.marks | other.marks;
        let stricter = if self.access == Access::Read { other } else { self };
        let first = if stricter.access == Access::Read { self } else { stricter };
        StatementClass { marks, ..first }
    }

    /// Whether it changes definitions: what a guard against DDL asks.
    pub fn changes_definitions(self) -> bool {
        self.marks.contains(Marks::DEFINITION)
    }

    /// Whether it loads a file into a table: what a guard against LOAD DATA asks.
    pub fn loads_files(self) -> bool {
        self.marks.contains(Marks::LOADS)
    }

    /// Whether it reads rows of a table without a bound on their number.
    pub fn is_unbounded_read(self) -> bool {
        self.kind == StatementKind::Select
            && self.marks.contains(Marks::FROM)
            && !self.marks.contains(Marks::WHERE)
            && !self.marks.contains(Marks::LIMIT)
    }

    /// Whether it changes or deletes rows of a table without saying which.
    pub fn is_unbounded_write(self) -> bool {
        matches!(self.kind, StatementKind::Update | StatementKind::Delete)
            && !self.marks.contains(Marks::WHERE)
            && !self.marks.contains(Marks::LIMIT)
    }
}
