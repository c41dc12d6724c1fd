//! The health loop: limits of age and idleness, validation, the minimum, leaks.
//!
//! One task per pool. It holds the pool weakly while it sleeps, so that a pool ends when its last user
//! drops it. Validation takes connections out a few at a time, so that acquirers find the others; what is
//! being validated counts as in care and goes to the first waiter when it is found well.

use super::care::Care;
use super::reason::CloseReason;
use super::{Inner, Pool};
use crate::driver::Driver;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Connections that are validated at once, at most.
const VALIDATED_AT_ONCE: usize = 8;

/// How often leaks are looked for: this many times per threshold.
const LOOKS_PER_THRESHOLD: u32 = 4;

/// Starts the task.
pub(super) fn start<D: Driver>(inner: &Arc<Inner<D>>) {
    let task = inner.runtime.spawn(run(Arc::downgrade(inner), Arc::clone(&inner.reconfigured)));
    *inner.maintenance.lock() = Some(task.abort_handle());
}

async fn run<D: Driver>(pool: Weak<Inner<D>>, reconfigured: Arc<Notify>) {
    let mut last_health = Instant::now();
    let mut last_leaks = last_health;
    loop {
        let Some(inner) = pool.upgrade() else { return };
        let (health, leaks) = inner.intervals();
        drop(inner);
        let next = [last_health.checked_add(health), leaks.and_then(|leaks| last_leaks.checked_add(leaks))];
        let has_time_come = match next.into_iter().flatten().min() {
            Some(next) => timeout_at(next, reconfigured.notified()).await.is_err(),
            None => {
                reconfigured.notified().await;
                false
            }
        };
        if !has_time_come {
            // Settings changed: look at the intervals again.
            continue;
        }
        let Some(inner) = pool.upgrade() else { return };
        let now = Instant::now();
        if leaks.is_some_and(|leaks| now.saturating_duration_since(last_leaks) >= leaks) {
            last_leaks = now;
            inner.report_leaks(now);
        }
        if now.saturating_duration_since(last_health) >= health {
            last_health = now;
            inner.look_after_idle(now, health).await;
        }
    }
}

impl<D: Driver> Pool<D> {
    /// Runs the health loop's step now.
    pub async fn health_check(&self) {
        self.inner.look_after_idle(Instant::now(), Duration::ZERO).await;
    }
}

impl<D: Driver> Inner<D> {
    fn intervals(&self) -> (Duration, Option<Duration>) {
        let state = self.state.lock();
        let leaks = state.config.leak_threshold.map(|threshold| {
            (threshold / LOOKS_PER_THRESHOLD).clamp(Duration::from_millis(1), Duration::from_secs(30))
        });
        (state.config.validation_interval, leaks)
    }

    fn report_leaks(&self, now: Instant) {
        let late = {
            let mut state = self.state.lock();
            let Some(threshold) = state.config.leak_threshold else { return };
            let late = state.out.overdue(now, threshold);
            state.figures.leaked += late.len() as u64;
            late
        };
        for check_out in late {
            let held_ms = now.saturating_duration_since(check_out.since).as_millis() as u64;
            tracing::warn!(
                parent: &check_out.span,
                pool = %self.name,
                connection_id = check_out.connection_id,
                held_ms,
                acquired_at = %check_out.caller,
                "a connection is out for longer than the leak threshold"
            );
        }
    }

    /// Closes what is too old or too long idle, validates what nobody heard of for half an `interval`, opens
    /// what the minimum lacks.
    async fn look_after_idle(self: &Arc<Self>, now: Instant, interval: Duration) {
        let (ended, begin) = {
            let mut state = self.state.lock();
            let (idle_timeout, min) = (state.config.idle_timeout, state.config.min_connections);
            let ended = state.take_idle_where(|entry, live| {
                if entry.has_expired(now) {
                    Some(CloseReason::MaxLifetime)
                } else if live > min && now.saturating_duration_since(entry.idle_since) >= idle_timeout {
                    Some(CloseReason::IdleTimeout)
                } else {
                    None
                }
            });
            state.may_fill = true;
            (ended, state.begin_opening())
        };
        self.say_goodbye_to(ended);
        self.begin(begin);

        let before = now.checked_sub(interval / 2).unwrap_or(now);
        let at_once = (self.state.lock().idle.len() / 4).clamp(1, VALIDATED_AT_ONCE);
        let mut validations = JoinSet::new();
        loop {
            let entry = self.state.lock().take_unchecked(before);
            match entry {
                Some(entry) => {
                    validations.spawn_on(Care::new(Arc::clone(self), entry).validate(), &self.runtime);
                }
                None => break,
            }
            if validations.len() >= at_once {
                validations.join_next().await;
            }
        }
        while validations.join_next().await.is_some() {}
    }
}
