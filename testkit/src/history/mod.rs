//! Histories: what clients did and were answered, and whether any order of transactions explains it.
//!
//! ```text
//!   clients record        versions                   graph                        check
//!   History          -->  who wrote version n,  -->  T1 -ww-> T2 -rw-> T3  -->   cycles, by Adya's class
//!   (reads, writes,       who read it                                            and by level: may this be?
//!    times, outcomes)
//! ```
//! Two kinds of objects let the order of versions be read off the answers:
//!
//! - A *list* grows by appending unique values. Whoever reads it sees the order in which they came, so all
//!   reads have to be prefixes of the longest.
//! - A *register* holds a unique value and a number that every write raises by one. The number is the version.
//!
//! From there the direct serialization graph follows (Adya, Weak Consistency, 1999): `wr` to who read a
//! version, `ww` to who wrote the next one, `rw` from who read a version to who wrote the next one. Times,
//! taken outside of the server, add what a strict order may not contradict: who was answered before
//! another began came first.
//!
//! A transaction whose answer was lost counts as committed if anybody saw what it wrote, else it is left out.
//! A read of nothing (a key that is not in a range) is a read of version zero; it is what makes phantoms show.
//!
//! The method is that of Elle (Alvaro, Kingsbury, VLDB 2020), for the objects and levels that we have.
//! Limits: a history is held in memory whole, and objects are never deleted.

pub mod check;
mod graph;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
mod versions;

pub use check::{Anomaly, Class, Findings, Level, check};

/// Something that has versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// Grows by unique values
    List(u64),
    /// Is overwritten by unique values under a rising number
    Register(u64),
}

/// What a read found in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A list's values, first first; none for a list that is not there
    List(Vec<u64>),
    /// A register's value and its version
    Register {
        /// The value
        value: u64,
        /// Its version
        version: u64,
    },
}

/// One statement and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A read of one or more objects in one statement
    Read {
        /// By FOR UPDATE, FOR SHARE or another read that decides: of the newest, under locks
        locking: bool,
        /// By a condition on a range, not by keys
        predicate: bool,
        /// What was found; what was asked for and is not there is listed as empty
        seen: Vec<(Object, Seen)>,
    },
    /// A value added to a list
    Append {
        /// The list's number
        list: u64,
        /// Unique in the history
        value: u64,
        /// Taken back by a savepoint
        retracted: bool,
    },
    /// A register overwritten
    Write {
        /// The register's number
        register: u64,
        /// Unique in the history
        value: u64,
        /// The version that came of it, where the writer was told
        version: Option<u64>,
        /// Taken back by a savepoint
        retracted: bool,
    },
}

impl Statement {
    /// What it wrote.
    fn written(&self) -> Option<(Object, u64)> {
        match *self {
            Statement::Read { .. } => None,
            Statement::Append { list, value, .. } => Some((Object::List(list), value)),
            Statement::Write { register, value, .. } => Some((Object::Register(register), value)),
        }
    }

    fn is_retracted(&self) -> bool {
        matches!(self, Statement::Append { retracted: true, .. } | Statement::Write { retracted: true, .. })
    }
}

/// How a transaction ended, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The commit was acknowledged
    Committed,
    /// It was rolled back, refused, or lost before its commit was sent
    Aborted,
    /// The answer to the commit was lost
    Unknown,
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Who ran it, for reports
    pub session: u32,
    /// When its first statement was about to be sent, in any unit
    pub began: u64,
    /// When its last answer had come
    pub ended: u64,
    /// How it ended
    pub outcome: Outcome,
    /// Its statements that were answered, in order; with an unknown outcome, all
    pub statements: Vec<Statement>,
}

/// All transactions, in no particular order.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The transactions
    pub transactions: Vec<Transaction>,
}
