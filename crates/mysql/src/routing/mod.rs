//! Routing: which statements a replica may run, decided from their text.
//!
//! A [`Router`] reads a statement by a real tokenizer (`token`), finds its class (`classify`, [`StatementClass`])
//! and keeps it by the statement's text (`cache`), so that the next decision costs a hash and a comparison. With
//! the session's [`SessionPin`] the class becomes a [`Decision`]: the primary or a replica, and why.
//!
//! Rules: reads go to replicas; everything else, everything inside a transaction, everything of a session that
//! keeps state, and everything that is not understood goes to the primary. A hint `/*+ PRIMARY */` sends a read
//! there too; `/*+ REPLICA */` says that the functions a statement calls do not write.
//!
//! Left to others: which replica (`replicas`), and connections (`pool`).
//!
//! ```
//! use rustydb_mysql::routing::{Reason, Router, RouterOptions, SessionPin, Target};
//!
//! let router = Router::new(RouterOptions::default());
//! let decision = router.decide("SELECT * FROM film", SessionPin::FREE);
//! assert_eq!(decision.target, Target::Replica);
//! let locking = router.decide("WITH f AS (SELECT 1) SELECT * FROM f FOR UPDATE", SessionPin::FREE);
//! assert_eq!((locking.target, locking.reason), (Target::Primary, Reason::LocksRows));
//! let inside = router.decide("SELECT * FROM film", SessionPin::IN_TRANSACTION);
//! assert_eq!(inside.target, Target::Primary);
//! ```

mod cache;
mod class;
mod classify;
mod functions;
mod pin;
#[cfg(test)]
mod tests;
pub(crate) mod token;

pub use class::{Access, Marks, Reason, StatementClass, StatementKind};
pub use pin::SessionPin;
pub(crate) use token::{Reading, Token, Tokens};

use cache::Classes;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// What a router needs to know beyond the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterOptions {
    /// Whether reads may go to replicas at all; when not, every decision is the primary.
    pub split_reads: bool,
    /// Names of stored functions that write, without their database, in any case.
    pub writing_functions: Vec<String>,
}

impl Default for RouterOptions {
    fn default() -> RouterOptions {
        RouterOptions { split_reads: true, writing_functions: Vec::new() }
    }
}

/// Where a statement goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The server that takes writes.
    Primary,
    /// A replica, or the primary where no replica is fit.
    Replica,
}

/// Why a statement goes where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Where.
    pub target: Target,
    /// What about the statement decided it.
    pub reason: Reason,
    /// The session decided it, whatever the statement is.
    pub pinned: bool,
    /// What is known about the statement.
    pub class: StatementClass,
}

/// Decides where statements go. Shared by all tasks of a client.
pub struct Router {
    classes: Classes,
    split_reads: bool,
    writing_functions: HashSet<String>,
}

impl Router {
    /// A router with an empty cache.
    pub fn new(options: RouterOptions) -> Router {
        let names = options.writing_functions.into_iter();
        Router {
            classes: Classes::new(),
            split_reads: options.split_reads,
            writing_functions: names.map(|name| name.to_lowercase()).collect(),
        }
    }

    /// What is known about a statement, from its text alone.
    pub fn classify(&self, sql: &str) -> StatementClass {
        self.classes.get_or(sql, || self.classify_anew(sql))
    }

    /// The same from the text alone, without looking at what is kept or keeping it.
    pub fn classify_anew(&self, sql: &str) -> StatementClass {
        classify::classify(sql, &|name| self.writes(name))
    }

    /// A statement without its values, as spans and logs show it.
    pub fn shape(&self, sql: &str) -> Arc<str> {
        self.classes.shape(sql)
    }

    fn writes(&self, function: &[u8]) -> bool {
        !self.writing_functions.is_empty()
            && self.writing_functions.contains(&String::from_utf8_lossy(function).to_lowercase())
    }

    /// Where a statement of a session goes.
    pub fn decide(&self, sql: &str, pin: SessionPin) -> Decision {
        let class = self.classify(sql);
        let pinned = pin.holds();
        let target = match class.access {
            Access::Read if self.split_reads && !pinned => Target::Replica,
            _ => Target::Primary,
        };
        Decision { target, reason: class.reason, pinned, class }
    }

    /// A replica refused this statement as a write (1290, 1792, 1836): it goes to the primary from now on.
    pub fn learn_write(&self, sql: &str) {
        let class = self.classify(sql);
        let learned = StatementClass { access: Access::Write, reason: Reason::Learned, ..class };
        self.classes.insert(sql, learned);
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("split_reads", &self.split_reads)
            .field("writing_functions", &self.writing_functions)
            .finish_non_exhaustive()
    }
}
