//! One server of a cluster: its pool, its breakers, and what is known of it at the moment.
//!
//! What every read looks at (whether it answers, its lag, its load) is atomic; what it said in full is behind a
//! lock (`facts`), as are the average of its latency and what it is known to have. These locks are leaves and
//! held for moments.

use super::balance::{Candidate, PeakAverage};
use super::gtid::Position;
use super::lag::Lag;
use super::probe::Report;
use crate::driver::{Address, Driver, Endpoint};
use crate::pool::Pool;
use parking_lot::Mutex;
use rustydb_resilience::{Breaker, BreakerSettings};
use rustydb_telemetry::{Counter, Gauge, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What a server does in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows the primary.
    Replica,
}

impl Role {
    /// Its name in views and logs.
    pub fn name(self) -> &'static str {
        match self {
            Role::Primary => "primary",
            Role::Replica => "replica",
        }
    }
}

/// Where a member comes from and how it is used.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    pub(super) weight: u32,
    pub(super) priority: u32,
    /// Named by the configuration; one that was found goes when it is not heard of any more.
    pub(super) configured: bool,
}

/// What the monitor knows.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// What it said when it last answered.
    pub(super) report: Option<Arc<Report>>,
    /// Probes that failed since.
    pub(super) failures: u32,
    /// Why the last one did.
    pub(super) last_error: Option<Box<str>>,
    /// When it last answered, or was met first.
    pub(super) heard_of: Option<Instant>,
}

/// A server of a cluster.
pub struct Member<D: Driver> {
    pub(super) place: Place,
    pub(super) pool: Pool<D>,
    is_primary: AtomicBool,
    answers: AtomicBool,
    lag_millis: AtomicU64,
    in_flight: AtomicUsize,
    latency: Mutex<PeakAverage>,
    /// The transactions that it is known to have: at least these.
    known: Mutex<Arc<Position>>,
    pub(super) facts: Mutex<Facts>,
    /// Tells its monitor to look at once.
    pub(super) look: Notify,
    as_primary: Breaker,
    as_replica: Breaker,
    lag: Gauge,
    queries: Counter,
}

impl<D: Driver> Member<D> {
    pub(super) fn new(place: Place, pool: Pool<D>, registry: &Registry) -> Member<D> {
        let name = place.endpoint.name().clone();
        let labels = [("server", &*name)];
        let state = registry.gauge(
            "mysql.circuit_breaker.state",
            "State of a server's circuit breaker: 0 closed, 1 open, 2 half open",
            &labels,
        );
        let breaker = |settings| {
            let state = state.clone();
            Breaker::observed(settings, move |now| state.set(now.code()))
        };
        Member {
            pool,
            is_primary: AtomicBool::new(false),
            // Until a monitor knows better: without one, connecting is how it is found out.
            answers: AtomicBool::new(true),
            lag_millis: AtomicU64::new(Lag::Unbounded.as_millis()),
            in_flight: AtomicUsize::new(0),
            latency: Mutex::new(PeakAverage::new(Instant::now())),
            known: Mutex::default(),
            facts: Mutex::default(),
            look: Notify::new(),
            as_primary: breaker(BreakerSettings::PRIMARY),
            as_replica: breaker(BreakerSettings::REPLICA),
            lag: registry.gauge(
                "mysql.replica.lag_ms",
                "How far a replica is behind, in milliseconds; -1 when nobody can say",
                &labels,
            ),
            queries: registry.counter(
                "mysql.replica.queries",
                "Statements that a replica was given",
                &labels,
            ),
            place,
        }
    }

    /// Its name in logs and metrics.
    pub fn name(&self) -> &Arc<str> {
        self.place.endpoint.name()
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        self.place.endpoint.address()
    }

    /// Its connections.
    pub fn pool(&self) -> &Pool<D> {
        &self.pool
    }

    /// What it does at the moment.
    pub fn role(&self) -> Role {
        match self.is_primary.load(Ordering::Acquire) {
            true => Role::Primary,
            false => Role::Replica,
        }
    }

    pub(super) fn set_role(&self, role: Role) {
        self.is_primary.store(role == Role::Primary, Ordering::Release);
    }

    /// Whether it answered when it was last asked.
    pub fn answers(&self) -> bool {
        self.answers.load(Ordering::Acquire)
    }

    /// Notes whether it answers; says whether that is news.
    pub(super) fn set_answers(&self, answers: bool) -> bool {
        self.answers.swap(answers, Ordering::AcqRel) != answers
    }

    /// How far it is behind the primary.
    pub fn lag(&self) -> Lag {
        Lag::from_millis(self.lag_millis.load(Ordering::Acquire))
    }

    pub(super) fn set_lag(&self, lag: Lag) {
        self.lag_millis.store(lag.as_millis(), Ordering::Release);
        let shown = match lag {
            Lag::Behind(lag) => i64::try_from(lag.as_millis()).unwrap_or(i64::MAX),
            Lag::Unbounded => -1,
        };
        self.lag.set(shown);
    }

    /// Its circuit breaker: that of its present role.
    pub fn breaker(&self) -> &Breaker {
        match self.role() {
            Role::Primary => &self.as_primary,
            Role::Replica => &self.as_replica,
        }
    }

    /// Statements and transactions that have a connection of it.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether a read may be sent to it.
    pub(super) fn takes_reads(&self, max_lag: Duration) -> bool {
        self.answers() && self.lag().is_within(max_lag) && self.breaker().would_admit()
    }

    /// What a balancer compares.
    pub(super) fn candidate(&self, now: Instant) -> Candidate {
        Candidate {
            weight: self.place.weight,
            in_flight: self.in_flight(),
            latency: self.latency.lock().get(now),
        }
    }

    /// How long its statements take.
    pub fn latency(&self) -> Duration {
        Duration::from_nanos(self.latency.lock().get(Instant::now()) as u64)
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if self.role() == Role::Replica {
            self.queries.inc(1);
        }
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn took(&self, time: Duration) {
        self.latency.lock().record(time, Instant::now());
    }

    /// Whether it is known to have `position`.
    pub(super) fn has(&self, position: &Position) -> bool {
        self.known.lock().contains(position)
    }

    /// It said that it has exactly `position`, or its history began anew.
    pub(super) fn set_known(&self, position: Arc<Position>) {
        *self.known.lock() = position;
    }

    /// It has `position` as well.
    pub(super) fn learned(&self, position: &Position) {
        let mut known = self.known.lock();
        if !known.contains(position) {
            Arc::make_mut(&mut known).add(position);
        }
    }
}

impl<D: Driver> std::fmt::Debug for Member<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member")
            .field("name", self.name())
            .field("role", &self.role())
            .field("answers", &self.answers())
            .field("lag", &self.lag())
            .finish_non_exhaustive()
    }
}
