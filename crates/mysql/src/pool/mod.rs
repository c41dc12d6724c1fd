//! A pool of sessions with one server.
//!
//! ```text
//!             acquire                       first waiter, or idle
//!    caller ----------> [idle] ----> out <----------------------+
//!               |         ^           | drop                    |
//!               |         |           v                         |
//!               |         |     changed, or in a transaction?   |
//!               |         |        no |        | yes            |
//!               |         +-----------+        v                |
//!               |                          [in care] reset, rollback
//!               v no idle one                  |
//!           [waiting] FIFO <-------------------+
//!               ^                       connect in a task of its own
//!               +---------------------- [opening]
//! ```
//!
//! | file | its idea |
//! |---|---|
//! | `state.rs` | the figures and queues, all under one lock, changed without any I/O |
//! | `entry.rs` | a connection with the times that decide when it ends |
//! | `waiting.rs` | the queue of those who wait, which a dropped future leaves |
//! | `acquire.rs` | taking a connection |
//! | `guard.rs` | [`PooledConnection`], and what its drop decides |
//! | `care.rs` | connections in the pool's own hands: reset, rollback, validation, closing |
//! | `opening.rs` | connecting, for those who wait and for the minimum |
//! | `kills.rs` | what users abandoned is ended at the server |
//! | `maintenance.rs` | the health loop, idle and lifetime limits, leaks |
//! | `control.rs` | reconfigure, credential rotation, drain, close |
//! | `error.rs`, `reason.rs`, `stats.rs` | why there is no connection; why one was closed; the figures |
//!
//! Invariants, checked after every step of the cancellation tests:
//!
//! 1. `idle + active + in care + opening <= max_connections` (a maximum that was lowered is reached by
//!    closing, never by waiting);
//! 2. nobody waits while a connection is idle;
//! 3. connections are handed to waiters in the order in which they came; a newcomer does not overtake them;
//! 4. whatever future is dropped wherever, what it held goes back: a place in the queue, a connection, the
//!    right to open one;
//! 5. a connection that was cut in the middle of an exchange, or whose session holds what its last user
//!    left there, reaches nobody;
//! 6. `created - closed = idle + active + in care`, at every moment.
//!
//! Taking and giving back an idle connection is one short lock each, without I/O: there is no ping, the
//! session's own tracker says whether it changed. A connection that the server closed meanwhile is found by
//! the socket's readiness where the driver can tell without a system call, and otherwise by its first use,
//! which the client repeats on another connection.
//!
//! Opening is done by a task of its own: a caller that gives up wastes no connect, a connection that comes
//! back serves the first waiter even while another is being opened, and waiters learn why opening fails.
//!
//! The one lock (`State`) is never held across an await, a wake-up or foreign code: sessions, spans and
//! waiters leave it before they are dropped or told. Left to others: which server (`replicas/`), retries and
//! breakers (`client.rs`), the password (`rustydb-secrets`).

mod acquire;
mod care;
mod control;
mod entry;
mod error;
mod guard;
mod kills;
mod maintenance;
mod opening;
mod reason;
mod state;
mod stats;
mod waiting;

#[cfg(test)]
pub(crate) mod tests;

pub use control::Closed;
pub use error::AcquireError;
pub(crate) use guard::UnderWay;
pub use guard::{ConnectionState, PooledConnection};
pub use kills::KillStats;
pub use opening::Refresh;
pub use reason::CloseReason;
pub use stats::{Figures, PoolStats};

use crate::config::{ConfigError, PoolConfig, ResetPolicy};
use crate::driver::{Credential, Driver, Endpoint};
use parking_lot::Mutex;
use rustydb_resilience::Randomness;
use rustydb_telemetry::Histogram;
use state::State;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Why a pool could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Its settings contradict each other
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no tokio runtime to connect and look after connections in
    #[error("a pool has to be made inside a tokio runtime")]
    NoRuntime,
}

/// Sessions with one server, taken and given back. Clones are the same pool; it ends with the last of them
/// and the last connection that is out.
pub struct Pool<D: Driver> {
    inner: Arc<Inner<D>>,
}

/// What the pool, its connections and its tasks share.
pub(crate) struct Inner<D: Driver> {
    driver: D,
    /// In metrics, spans and errors: the endpoint's name
    name: Arc<str>,
    connect_timeout: Duration,
    /// Asks for the password anew after the server refused it
    refresh: Option<Refresh>,
    runtime: Handle,
    random: Randomness,
    acquire_time: OnceLock<Histogram>,
    /// Whether acquirers leave their place and span for the leak detector
    watches_leaks: AtomicBool,
    /// The reset policy in force, readable without the lock
    reset: AtomicU8,
    kills: kills::Kills,
    state: Mutex<State<D>>,
    /// Told when a connection leaves or comes back while somebody drains
    settled: Notify,
    /// Told when settings change
    reconfigured: Arc<Notify>,
    maintenance: Mutex<Option<AbortHandle>>,
}

impl<D: Driver> Pool<D> {
    /// A pool of sessions with `endpoint`. Connecting to reach the minimum begins at once, in the
    /// background; [`Pool::warm_up`] waits for it.
    pub fn new(
        driver: D,
        endpoint: Endpoint,
        credential: Credential,
        connect_timeout: Duration,
        config: PoolConfig,
    ) -> Result<Pool<D>, PoolError> {
        Pool::with_refresh(driver, endpoint, credential, connect_timeout, config, None)
    }

    /// As [`Pool::new`]; `refresh` is asked for the credential anew when the server refuses the one that is
    /// known, and connecting is tried once more if it changed.
    pub fn with_refresh(
        driver: D,
        endpoint: Endpoint,
        credential: Credential,
        connect_timeout: Duration,
        config: PoolConfig,
        refresh: Option<Refresh>,
    ) -> Result<Pool<D>, PoolError> {
        config.validate()?;
        let runtime = Handle::try_current().map_err(|_| PoolError::NoRuntime)?;
        let inner = Arc::new(Inner {
            driver,
            name: Arc::clone(endpoint.name()),
            connect_timeout,
            refresh,
            runtime,
            random: Randomness::new(),
            acquire_time: OnceLock::new(),
            watches_leaks: AtomicBool::new(config.leak_threshold.is_some()),
            reset: AtomicU8::new(config.reset as u8),
            kills: kills::Kills::new(config.kill_abandoned),
            state: Mutex::new(State::new(config, endpoint, credential)),
            settled: Notify::new(),
            reconfigured: Arc::default(),
            maintenance: Mutex::new(None),
        });
        let pool = Pool { inner };
        pool.inner.open_what_is_missing();
        maintenance::start(&pool.inner);
        Ok(pool)
    }

    /// The name of its endpoint.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The driver.
    pub fn driver(&self) -> &D {
        &self.inner.driver
    }

    /// The figures of this moment, all of one instant.
    pub fn stats(&self) -> PoolStats {
        self.inner.state.lock().stats()
    }

    /// Where connections go now.
    pub fn endpoint(&self) -> Endpoint {
        self.inner.state.lock().target.endpoint.clone()
    }

    /// The settings in force.
    pub fn config(&self) -> PoolConfig {
        (*self.inner.state.lock().config).clone()
    }

    /// How long acquires took, those that failed included.
    pub fn acquire_time(&self) -> Histogram {
        self.inner.acquire_time().clone()
    }

    /// Has acquires recorded in this histogram, where nothing was recorded yet.
    pub(crate) fn record_acquires_in(&self, histogram: Histogram) {
        let _ = self.inner.acquire_time.set(histogram);
    }

    /// A function that reads the figures, none once the pool is gone.
    pub(crate) fn figures_reader(&self) -> impl Fn() -> Option<PoolStats> + Send + Sync + use<D> {
        let inner = Arc::downgrade(&self.inner);
        move || inner.upgrade().map(|inner| inner.state.lock().stats())
    }

    /// Connections that are out: what a balancer compares.
    pub fn in_use(&self) -> usize {
        self.inner.state.lock().active
    }
}

impl<D: Driver> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Pool { inner: Arc::clone(&self.inner) }
    }
}

impl<D: Driver> std::fmt::Debug for Pool<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.inner.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl<D: Driver> Inner<D> {
    fn acquire_time(&self) -> &Histogram {
        self.acquire_time.get_or_init(Histogram::default)
    }

    /// Whether acquirers are remembered for the leak detector.
    fn watches_leaks(&self) -> bool {
        self.watches_leaks.load(Ordering::Relaxed)
    }

    /// When sessions are reset.
    fn reset_policy(&self) -> ResetPolicy {
        match self.reset.load(Ordering::Relaxed) {
            n if n == ResetPolicy::Always as u8 => ResetPolicy::Always,
            n if n == ResetPolicy::Never as u8 => ResetPolicy::Never,
            _ => ResetPolicy::WhenChanged,
        }
    }

    /// Lets what is read without the lock follow the settings.
    fn follow(&self, config: &PoolConfig) {
        self.watches_leaks.store(config.leak_threshold.is_some(), Ordering::Relaxed);
        self.reset.store(config.reset as u8, Ordering::Relaxed);
        self.kills.enable(config.kill_abandoned);
    }
}

impl<D: Driver> Drop for Inner<D> {
    fn drop(&mut self) {
        if let Some(task) = self.maintenance.get_mut().take() {
            task.abort();
        }
        // Nobody is left who could wait or give back; idle sessions say goodbye in tasks of their own.
        let idle = std::mem::take(&mut self.state.get_mut().idle);
        for entry in idle {
            care::say_goodbye(&self.runtime, entry.into_session());
        }
    }
}
