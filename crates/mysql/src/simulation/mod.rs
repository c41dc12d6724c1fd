//! Servers that are not there: recordings, replays and doubles behind the driver trait.
//!
//! Everything above the [driver](crate::driver) (pool, routing, transactions, retries) runs unchanged on these; only
//! the server is another. The journals, matchers, faults and reports are those of `rustydb_simulation`; here
//! is what MySQL adds: its values, columns, errors and session state.
//!
//! ```text
//! recording   RecordingDriver over a real one  -> one exchange per request -> Recorder -> journal
//! replaying   ReplayingDriver over a Tape      -> journal -> rows
//! learning    LearningDriver over both         -> journal -> rows, else a real driver, whose answer is recorded
//! comparing   compare()                        -> journal -> a server's answers now -> what differs
//! by hand     MockMysqlClient                  -> responses, error injections, expectations, tables
//! ```
//!
//! What is recorded is the statement with typed parameters and results, never bytes of the protocol and never
//! numbers that a server gave out (of statements and connections): the same program replays a journal with
//! another pool size, another statement cache, text or binary rows. Pings, resets and closing are not
//! recorded; in a replay they succeed, unless a fault script says otherwise.
//!
//! No module here opens a socket, and a replay that is not learning has nothing that could.

mod compare;
mod convert;
mod learning;
mod mock;
mod recording;
mod replaying;
#[cfg(test)]
mod tests;

pub use compare::{CompareOptions, Compared, Verdict, compare};
pub use learning::{LearningDriver, LearningSession};
pub use mock::{MockColumn, MockMysqlClient, MockRows, MockTable, MockTransaction};
pub use recording::{Recorder, RecordingDriver, RecordingSession};
pub use replaying::{ReplayingDriver, ReplayingSession};

pub use rustydb_simulation::exchange::Failure;
pub use rustydb_simulation::expectation::{Expectation, Reply, Unmet};
pub use rustydb_simulation::fault::{Effect, FaultRule, FaultScript, When};
pub use rustydb_simulation::fingerprint::{Fingerprint, shape};
pub use rustydb_simulation::journal::{Journal, Limits};
pub use rustydb_simulation::operation::{Operation, OperationLog, Outcome};
pub use rustydb_simulation::pattern::{Argument, Pattern as QueryPattern, TextPattern};
pub use rustydb_simulation::redaction::Redaction;
pub use rustydb_simulation::tape::{Mode, Tape};
pub use rustydb_simulation::timing::Timing;

use rustydb_simulation::expectation::Unexpected;
use rustydb_simulation::miss::Miss;

/// What journals of this crate say they hold.
pub const SUBJECT: &str = "mysql";

/// The operations of a MySQL journal.
pub mod operation {
    /// A connection was made; what the server said of itself is in the metadata
    pub const CONNECT: &str = "connect";
    /// Statements as text
    pub const QUERY: &str = "query";
    /// A prepared statement with parameters, prepared on the way or before
    pub const EXECUTE: &str = "execute";
    /// A statement that could not be prepared
    pub const PREPARE: &str = "prepare";
    /// A check that the server is alive; asked of fault scripts, never recorded
    pub const PING: &str = "ping";
    /// A session made fresh; asked of fault scripts, never recorded
    pub const RESET: &str = "reset";
}

/// A request that a replay or a double has no answer for. Shown without values.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// No recording answers it; the report names the nearest ones.
    #[error("{0}")]
    Recording(Box<Miss>),
    /// No response and no expectation is of it.
    #[error("{0}")]
    Response(Unexpected),
}

impl NoAnswer {
    /// The report with the values of parameters and literals in it, for a person at a test: keep it out of logs.
    pub fn with_values(&self) -> String {
        match self {
            NoAnswer::Recording(miss) => miss.with_values().to_string(),
            NoAnswer::Response(unexpected) => unexpected.to_string(),
        }
    }
}
