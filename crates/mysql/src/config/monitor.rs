//! How the servers of a cluster are watched.

use std::time::Duration;

/// How the servers of a cluster are watched. A single server is not, unless replicas are to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MonitorConfig {
    /// Time between two looks at a server; 500 ms by default. Lag by GTID is as fine as this
    pub interval: Duration,
    /// Time that a look may take; 1 s by default
    pub timeout: Duration,
    /// A table that somebody writes the time into on the primary, for lag by heartbeat; none by default
    pub heartbeat: Option<HeartbeatTable>,
}

impl Default for MonitorConfig {
    fn default() -> MonitorConfig {
        MonitorConfig {
            interval: Duration::from_millis(500),
            timeout: Duration::from_millis(1_000),
            heartbeat: None,
        }
    }
}

/// A heartbeat table, as pt-heartbeat writes one. Both names go into a statement as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatTable {
    /// `schema.table`, quoted where it has to be
    pub table: String,
    /// The column with the time of the last beat in UTC
    pub column: String,
}

impl HeartbeatTable {
    /// A table and its column.
    pub fn new(table: impl Into<String>, column: impl Into<String>) -> HeartbeatTable {
        HeartbeatTable { table: table.into(), column: column.into() }
    }
}
