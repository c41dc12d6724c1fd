//! The breaker as a state machine, with time as an argument: no lock, no clock.
//!
//! Invariants: `period` grows at every change of state; a ticket of an earlier period changes nothing. In half
//! open `running + succeeded <= probes`. At most `failures` moments are kept.

use super::{BreakerSettings, BreakerState};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Leave to make a call, given in one period.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    period: u64,
    probe: bool,
}

impl Ticket {
    /// A ticket of a closed breaker.
    pub(super) fn unlimited(period: u64) -> Ticket {
        Ticket { period, probe: false }
    }

    pub(super) fn period(&self) -> u64 {
        self.period
    }

    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }
}

/// Why there is no ticket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Open { left: Duration },
    ProbesUnderWay,
}

enum Phase {
    Closed {
        failures: VecDeque<Instant>,
    },
    /// `until` None: beyond what the clock can count
    Open {
        until: Option<Instant>,
    },
    HalfOpen {
        running: u32,
        succeeded: u32,
    },
}

pub(super) struct Machine {
    settings: BreakerSettings,
    period: u64,
    phase: Phase,
}

impl Machine {
    /// Closed. A setting of 0 failures or probes counts as 1.
    pub(super) fn new(settings: BreakerSettings) -> Machine {
        let settings = BreakerSettings {
            failures: settings.failures.max(1),
            probes: settings.probes.max(1),
            ..settings
        };
        Machine { settings, period: 0, phase: Phase::Closed { failures: VecDeque::new() } }
    }

    pub(super) fn period(&self) -> u64 {
        self.period
    }

    /// Where it stands, without looking at the clock.
    pub(super) fn standing(&self) -> BreakerState {
        match self.phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Where it stands at `now`.
    pub(super) fn state(&mut self, now: Instant) -> BreakerState {
        if let Phase::Open { until: Some(until) } = self.phase
            && until <= now
        {
            self.enter(Phase::HalfOpen { running: 0, succeeded: 0 });
        }
        self.standing()
    }

    pub(super) fn would_admit(&mut self, now: Instant) -> bool {
        self.state(now);
        match self.phase {
            Phase::Closed { .. } => true,
            Phase::Open { .. } => false,
            Phase::HalfOpen { running, succeeded } => running + succeeded < self.settings.probes,
        }
    }

    pub(super) fn admit(&mut self, now: Instant) -> Result<Ticket, Refusal> {
        self.state(now);
        let period = self.period;
        match &mut self.phase {
            Phase::Closed { .. } => Ok(Ticket { period, probe: false }),
            Phase::Open { until } => {
                let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(now));
                Err(Refusal::Open { left })
            }
            Phase::HalfOpen { running, succeeded } if *running + *succeeded < self.settings.probes => {
                *running += 1;
                Ok(Ticket { period, probe: true })
            }
            Phase::HalfOpen { .. } => Err(Refusal::ProbesUnderWay),
        }
    }

    pub(super) fn success(&mut self, ticket: Ticket) {
        if ticket.period != self.period {
            return;
        }
        if let Phase::HalfOpen { running, succeeded } = &mut self.phase {
            *running = running.saturating_sub(1);
            *succeeded += 1;
            if *succeeded >= self.settings.probes {
                self.enter(Phase::Closed { failures: VecDeque::new() });
            }
        }
    }

    pub(super) fn failure(&mut self, ticket: Ticket, now: Instant) {
        if ticket.period != self.period {
            return;
        }
        let opens = match &mut self.phase {
            Phase::Closed { failures } => {
                while failures
                    .front()
                    .is_some_and(|first| now.saturating_duration_since(*first) >= self.settings.window)
                {
                    failures.pop_front();
                }
                failures.push_back(now);
                failures.len() >= self.settings.failures as usize
            }
            Phase::HalfOpen { .. } => true,
            Phase::Open { .. } => false,
        };
        if opens {
            self.trip(now);
        }
    }

    /// A call that ended without an answer of either kind.
    pub(super) fn abandoned(&mut self, ticket: Ticket) {
        if ticket.period == self.period
            && let Phase::HalfOpen { running, .. } = &mut self.phase
        {
            *running = running.saturating_sub(1);
        }
    }

    pub(super) fn trip(&mut self, now: Instant) {
        self.enter(Phase::Open { until: now.checked_add(self.settings.open_for) });
    }

    pub(super) fn reset(&mut self) {
        self.enter(Phase::Closed { failures: VecDeque::new() });
    }

    fn enter(&mut self, phase: Phase) {
        // u64::MAX stands for "not closed"; a change each nanosecond reaches it after 584 years.
        self.period = self.period.wrapping_add(1);
        self.phase = phase;
    }
}
