//! Stops asking somebody who does not answer.
//!
//! ```text
//!            `failures` within `window`
//!   closed -----------------------------> open
//!     ^                                   |  `open_for` passes
//!     |   `probes` successes              v
//!     +------------------------------- half open ----> open again at the first failure
//! ```
//!
//! Closed lets everybody through and remembers when failures happened. Open rejects at once, and says how long it
//! will. Half open lets at most `probes` calls through at a time to see whether the other side is back.
//!
//! A call takes a [`Permit`] and says how it went. A permit that is dropped without a word (its future was
//! cancelled) counts as neither, and gives its probe back. Permits know the period in which they were given:
//! a call that began before the breaker opened decides nothing about the time after.
//!
//! While closed, a permit and a success cost one atomic load each and no lock. The lock (`machine`) is taken
//! to record a failure and at every step while not closed; the observer runs under it, so that it sees
//! changes in their order, and must not call the breaker.

mod machine;
mod named;

pub use named::Breakers;

use machine::{Machine, Refusal, Ticket};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// When a breaker opens and how it closes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Opens at this many failures...
    pub failures: u32,
    /// ... within this time
    pub window: Duration,
    /// Rejects everybody for so long
    pub open_for: Duration,
    /// Then lets so many calls through at a time, and closes when so many succeeded
    pub probes: u32,
}

impl BreakerSettings {
    /// For the one server that takes writes: 5 failures in 30 s, open for 60 s, one probe.
    pub const PRIMARY: BreakerSettings = BreakerSettings {
        failures: 5,
        window: Duration::from_secs(30),
        open_for: Duration::from_secs(60),
        probes: 1,
    };

    /// For one of several that serve the same: 3 failures in 20 s, open for 30 s, two probes.
    pub const REPLICA: BreakerSettings = BreakerSettings {
        failures: 3,
        window: Duration::from_secs(20),
        open_for: Duration::from_secs(30),
        probes: 2,
    };
}

impl Default for BreakerSettings {
    fn default() -> BreakerSettings {
        BreakerSettings::PRIMARY
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Everybody passes
    Closed,
    /// Nobody passes
    Open,
    /// Probes pass
    HalfOpen,
}

impl BreakerState {
    /// The number that stands for it in metrics: 0 closed, 1 open, 2 half open.
    pub fn code(self) -> i64 {
        match self {
            BreakerState::Closed => 0,
            BreakerState::Open => 1,
            BreakerState::HalfOpen => 2,
        }
    }

    /// Its name in logs and views.
    pub fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        }
    }
}

/// The breaker did not let the call through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the circuit breaker is {}", state.name())]
pub struct Rejected {
    /// Open, or half open with all probes under way
    pub state: BreakerState,
    /// How long it stays open; None while probes decide
    pub retry_after: Option<Duration>,
}

/// What is told about each change, in the order of changes.
type Observer = Box<dyn Fn(BreakerState) + Send + Sync>;

struct Shared {
    /// The period in which the breaker is closed, or [`NOT_CLOSED`]
    closed_period: AtomicU64,
    machine: Mutex<Machine>,
    observer: Option<Observer>,
}

const NOT_CLOSED: u64 = u64::MAX;

/// A circuit breaker. Clones are the same breaker.
#[derive(Clone)]
pub struct Breaker {
    shared: Arc<Shared>,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Breaker {
        Breaker::build(settings, None)
    }

    /// A closed breaker that calls `observer` at every change, and once at once, to set a gauge or write a
    /// log line. `observer` runs under the breaker's lock: it must be quick and not call the breaker.
    pub fn observed(
        settings: BreakerSettings,
        observer: impl Fn(BreakerState) + Send + Sync + 'static,
    ) -> Breaker {
        observer(BreakerState::Closed);
        Breaker::build(settings, Some(Box::new(observer)))
    }

    fn build(settings: BreakerSettings, observer: Option<Observer>) -> Breaker {
        let machine = Machine::new(settings);
        let closed_period = AtomicU64::new(machine.period());
        Breaker { shared: Arc::new(Shared { closed_period, machine: Mutex::new(machine), observer }) }
    }

    /// Leave to make one call, or why not.
    pub fn try_acquire(&self) -> Result<Permit, Rejected> {
        let period = self.shared.closed_period.load(Ordering::Acquire);
        if period != NOT_CLOSED {
            return Ok(Permit { breaker: self.clone(), ticket: Some(Ticket::unlimited(period)) });
        }
        let refused = |refusal| match refusal {
            Refusal::Open { left } => Rejected { state: BreakerState::Open, retry_after: Some(left) },
            Refusal::ProbesUnderWay => Rejected { state: BreakerState::HalfOpen, retry_after: None },
        };
        let ticket = self.step(|machine, now| machine.admit(now)).map_err(refused)?;
        Ok(Permit { breaker: self.clone(), ticket: Some(ticket) })
    }

    /// Runs `work` if the breaker lets it through. `is_failure` says which errors speak against the other
    /// side: a syntax error does not, it was answered.
    pub async fn call<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        is_failure: impl FnOnce(&E) -> bool,
    ) -> Result<Result<T, E>, Rejected> {
        let permit = self.try_acquire()?;
        let result = work.await;
        match &result {
            Err(error) if is_failure(error) => permit.failure(),
            _ => permit.success(),
        }
        Ok(result)
    }

    /// Where it stands now. An open breaker whose time is over is half open.
    pub fn state(&self) -> BreakerState {
        if self.shared.closed_period.load(Ordering::Acquire) != NOT_CLOSED {
            return BreakerState::Closed;
        }
        self.step(|machine, now| machine.state(now))
    }

    /// Whether a call would be let through now. What a selector asks about endpoints that it may leave out.
    pub fn would_admit(&self) -> bool {
        self.shared.closed_period.load(Ordering::Acquire) != NOT_CLOSED
            || self.step(|machine, now| machine.would_admit(now))
    }

    /// Opens it now, whatever was counted: somebody knows that the other side is down.
    pub fn trip(&self) {
        self.step(|machine, now| machine.trip(now));
    }

    /// Closes it now and forgets what was counted: somebody knows that the other side is back.
    pub fn reset(&self) {
        self.step(|machine, _| machine.reset());
    }

    /// Takes one step of the machine, and tells what it changed.
    fn step<T>(&self, step: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let mut machine = self.shared.machine.lock();
        let before = machine.standing();
        let result = step(&mut machine, Instant::now());
        let after = machine.standing();
        let closed_period = if after == BreakerState::Closed { machine.period() } else { NOT_CLOSED };
        self.shared.closed_period.store(closed_period, Ordering::Release);
        if before != after
            && let Some(observer) = &self.shared.observer
        {
            observer(after);
        }
        result
    }
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breaker").field("state", &self.shared.machine.lock().standing()).finish()
    }
}

/// Leave to make one call. Dropped without a word it counts as neither success nor failure.
#[must_use = "a permit that says nothing counts as nothing"]
pub struct Permit {
    breaker: Breaker,
    /// None once it has spoken
    ticket: Option<Ticket>,
}

impl Permit {
    /// The other side answered.
    pub fn success(mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        // While closed a success changes nothing: what counts are failures within the window.
        if self.breaker.shared.closed_period.load(Ordering::Acquire) != ticket.period() {
            self.breaker.step(|machine, _| machine.success(ticket));
        }
    }

    /// The other side did not answer, or not in time.
    pub fn failure(mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        self.breaker.step(|machine, now| machine.failure(ticket, now));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take()
            && ticket.is_probe()
        {
            self.breaker.step(|machine, _| machine.abandoned(ticket));
        }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("ticket", &self.ticket).finish()
    }
}
