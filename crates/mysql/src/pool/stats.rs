//! The figures of a pool.

use super::kills::KillStats;
use super::reason::CloseReason;

/// What a pool was at one moment. All figures are of the same instant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections that exist: active, idle and in care
    pub total_connections: usize,
    /// Connections that are out
    pub active_connections: usize,
    /// Connections that can be taken at once
    pub idle_connections: usize,
    /// Acquires that wait
    pub waiting_requests: usize,
    /// Connections that may exist
    pub max_connections: usize,
    /// Connections that are kept
    pub min_connections: usize,
    /// Connects under way; they count against the maximum
    pub opening_connections: usize,
    /// Connections that the pool resets, rolls back or validates just now
    pub connections_in_care: usize,
    /// Whether the pool was closed
    pub closed: bool,
    /// Why the last connect failed; none once one succeeded
    pub last_connect_error: Option<String>,
    /// Totals since the pool was made
    pub figures: Figures,
}

/// Totals of a pool since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Connections opened
    pub created: u64,
    /// Connects that failed
    pub connect_failures: u64,
    /// Connections handed out
    pub acquired: u64,
    /// Acquires that timed out
    pub timeouts: u64,
    /// Acquires turned away because too many waited
    pub rejected: u64,
    /// Sessions reset when they came back
    pub resets: u64,
    /// Transactions that were left open and rolled back
    pub orphaned: u64,
    /// Connections that were out for longer than the leak threshold
    pub leaked: u64,
    /// Statements that nobody waited for any more, ended at the server
    pub kills: KillStats,
    closed: [u64; CloseReason::ALL.len()],
}

impl Figures {
    /// Connections closed, whatever for.
    pub fn closed(&self) -> u64 {
        self.closed.iter().sum()
    }

    /// Connections closed for this reason.
    pub fn closed_for(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize]
    }

    pub(super) fn count_closed(&mut self, reason: CloseReason) {
        self.closed[reason as usize] += 1;
    }
}
