//! Settings of one pool.

use std::time::Duration;

/// When a connection that comes back has its session reset on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ResetPolicy {
    /// When the server said that the session changed (variables, temporary tables, user variables, ...):
    /// a plain connection costs no round trip and keeps its prepared statements
    #[default]
    WhenChanged,
    /// After every use, at the price of a round trip and of the prepared statements
    Always,
    /// Never: what one user of a connection sets is seen by the next
    Never,
}

/// How many connections a pool keeps, for how long, and how it watches them.
///
/// The pool takes a new value at runtime by `reconfigure`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PoolConfig {
    /// Connections kept open even when nobody uses them; 5 by default
    pub min_connections: usize,
    /// Connections open at most; 20 by default
    pub max_connections: usize,
    /// How long an acquire waits before it fails; 30 s by default
    pub acquire_timeout: Duration,
    /// Above the minimum, a connection that nobody used for this long is closed; 10 min by default
    pub idle_timeout: Duration,
    /// A connection older than this is closed when it is idle or comes back; 30 min by default
    pub max_lifetime: Duration,
    /// Each connection's lifetime is shortened by a random part of up to this fraction, so that those that
    /// were opened together are not closed together; 0.1 by default, at most 0.9
    pub lifetime_jitter: f64,
    /// How often idle connections are looked after; 30 s by default
    pub validation_interval: Duration,
    /// The statement that shows that an idle connection works; a protocol ping when `None`
    pub validation_query: Option<String>,
    /// How long validation, reset or rollback of a connection may take before it is closed; 5 s by default
    pub maintenance_timeout: Duration,
    /// A connection that is out for longer than this is reported once, with the place and the span that
    /// acquired it; 2 min by default, `None` does not look
    pub leak_threshold: Option<Duration>,
    /// An acquire fails at once when this many wait already; twice the maximum when `None`
    pub max_waiters: Option<usize>,
    /// When sessions are reset
    pub reset: ResetPolicy,
    /// A statement that nobody waits for any more, because its deadline passed or its future was dropped, is
    /// ended at the server, with its connection; on by default
    pub kill_abandoned: bool,
}

impl Default for PoolConfig {
    fn default() -> PoolConfig {
        PoolConfig {
            min_connections: 5,
            max_connections: 20,
            acquire_timeout: Duration::from_millis(30_000),
            idle_timeout: Duration::from_millis(600_000),
            max_lifetime: Duration::from_millis(1_800_000),
            lifetime_jitter: 0.1,
            validation_interval: Duration::from_millis(30_000),
            validation_query: Some("SELECT 1".to_owned()),
            maintenance_timeout: Duration::from_secs(5),
            leak_threshold: Some(Duration::from_secs(120)),
            max_waiters: None,
            reset: ResetPolicy::WhenChanged,
            kill_abandoned: true,
        }
    }
}

impl PoolConfig {
    /// The defaults with these bounds.
    pub fn sized(min_connections: usize, max_connections: usize) -> PoolConfig {
        PoolConfig { min_connections, max_connections, ..PoolConfig::default() }
    }

    /// How many may wait at once.
    pub fn waiter_limit(&self) -> usize {
        self.max_waiters.unwrap_or(self.max_connections.saturating_mul(2))
    }
}
