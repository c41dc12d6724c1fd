//! The figures and queues of a pool, all under one lock, changed without any I/O.
//!
//! Every method is one step that keeps the invariants of `pool/mod.rs`; what it takes out of the state
//! (entries to close, waiters to tell) is returned, so that nothing foreign runs under the lock.

use super::entry::Entry;
use super::error::Obstacle;
use super::reason::CloseReason;
use super::stats::{Figures, PoolStats};
use super::waiting::{Waiter, Waiters};
use crate::config::PoolConfig;
use crate::driver::{Credential, Driver, Endpoint, Session};
use std::collections::VecDeque;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Where connections go. A connection of an older generation is closed when it comes back.
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) credential: Credential,
    pub(super) generation: u64,
    /// What ends connections of older generations
    pub(super) retires: CloseReason,
}

/// Whose hands a connection was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A user's
    Active,
    /// The pool's own
    Care,
    /// Opened just now
    Opening,
}

/// Where a connection that came back goes.
pub(super) enum Placed<D: Driver> {
    /// Among the idle
    Idle,
    /// To the first waiter; it counts as active from now on
    Hand(Box<Entry<D::Session>>, Waiter<D>),
    /// Nowhere; it counts as closed from now on
    Close(Box<Entry<D::Session>>, CloseReason),
}

/// Everything that changes in a pool.
pub(super) struct State<D: Driver> {
    pub(super) config: Arc<PoolConfig>,
    pub(super) target: Arc<Target>,
    pub(super) closed: bool,
    /// Longest unused first; taken from the back, so that those above need can end
    pub(super) idle: VecDeque<Box<Entry<D::Session>>>,
    pub(super) waiters: Waiters<D>,
    pub(super) active: usize,
    pub(super) in_care: usize,
    pub(super) opening: usize,
    pub(super) out: CheckOuts,
    /// Why the last connect failed; none once one succeeded
    pub(super) obstacle: Option<Arc<Obstacle>>,
    /// Whether the minimum may be reached for: not right after a connect failed
    pub(super) may_fill: bool,
    pub(super) figures: Figures,
}

impl<D: Driver> State<D> {
    pub(super) fn new(config: PoolConfig, endpoint: Endpoint, credential: Credential) -> State<D> {
        let retires = CloseReason::Retired;
        State {
            config: Arc::new(config),
            target: Arc::new(Target { endpoint, credential, generation: 0, retires }),
            closed: false,
            idle: VecDeque::new(),
            waiters: Waiters::new(),
            active: 0,
            in_care: 0,
            opening: 0,
            out: CheckOuts::default(),
            obstacle: None,
            may_fill: true,
            figures: Figures::default(),
        }
    }

    /// Connections that exist.
    pub(super) fn live(&self) -> usize {
        self.idle.len() + self.active + self.in_care
    }

    pub(super) fn stats(&self) -> PoolStats {
        PoolStats {
            total_connections: self.live(),
            active_connections: self.active,
            idle_connections: self.idle.len(),
            waiting_requests: self.waiters.len(),
            max_connections: self.config.max_connections,
            min_connections: self.config.min_connections,
            opening_connections: self.opening,
            connections_in_care: self.in_care,
            closed: self.closed,
            last_connect_error: self.obstacle.as_ref().map(|obstacle| obstacle.error.to_string()),
            figures: self.figures.clone(),
        }
    }

    /// The idle connection used last, made active. Those that turn out to be of no use leave through
    /// `refused`.
    pub(super) fn take_idle(
        &mut self,
        now: Instant,
        refused: &mut Vec<(Box<Entry<D::Session>>, CloseReason)>,
    ) -> Option<Box<Entry<D::Session>>> {
        while let Some(mut entry) = self.idle.pop_back() {
            let reason = if entry.has_expired(now) {
                CloseReason::MaxLifetime
            } else if !entry.session_mut().is_alive() {
                CloseReason::LostWhileIdle
            } else {
                self.active += 1;
                self.figures.acquired += 1;
                return Some(entry);
            };
            self.figures.count_closed(reason);
            refused.push((entry, reason));
        }
        None
    }

    /// Takes a connection back from `origin` and finds its place.
    pub(super) fn place(&mut self, entry: Box<Entry<D::Session>>, origin: Origin, now: Instant) -> Placed<D> {
        self.leave(origin);
        if let Some(reason) = self.reason_to_close(&entry, now) {
            self.figures.count_closed(reason);
            return Placed::Close(entry, reason);
        }
        if let Some(waiter) = self.waiters.first() {
            self.active += 1;
            self.figures.acquired += 1;
            return Placed::Hand(entry, waiter);
        }
        // A connection that was only looked after keeps its place in the order of use.
        let at = match self.idle.back() {
            Some(last) if last.idle_since > entry.idle_since => {
                self.idle.partition_point(|other| other.idle_since <= entry.idle_since)
            }
            _ => self.idle.len(),
        };
        self.idle.insert(at, entry);
        Placed::Idle
    }

    /// Counts a connection out of `origin` that ends.
    pub(super) fn discard(&mut self, origin: Origin, reason: CloseReason) {
        self.leave(origin);
        self.figures.count_closed(reason);
    }

    /// Takes back a connection that a waiter did not take any more.
    pub(super) fn not_taken(&mut self) {
        self.figures.acquired -= 1;
    }

    fn leave(&mut self, origin: Origin) {
        match origin {
            Origin::Active => self.active -= 1,
            Origin::Care => self.in_care -= 1,
            Origin::Opening => {
                self.opening -= 1;
                self.figures.created += 1;
            }
        }
    }

    fn reason_to_close(&self, entry: &Entry<D::Session>, now: Instant) -> Option<CloseReason> {
        if self.closed {
            Some(CloseReason::PoolClosed)
        } else if entry.generation != self.target.generation {
            Some(self.target.retires)
        } else if self.live() >= self.config.max_connections {
            // This one is not counted any more, so the others alone are as many as may be.
            Some(CloseReason::AboveMaximum)
        } else if entry.has_expired(now) {
            Some(CloseReason::MaxLifetime)
        } else {
            None
        }
    }

    /// How many connects to begin now, counted as opening from now on: one for each waiter that none is
    /// under way for, and as many as the minimum lacks, within the maximum.
    pub(super) fn begin_opening(&mut self) -> usize {
        if self.closed {
            return 0;
        }
        let there = self.live() + self.opening;
        let for_waiters = self.waiters.len().saturating_sub(self.opening);
        let for_minimum = if self.may_fill { self.config.min_connections.saturating_sub(there) } else { 0 };
        let room = self.config.max_connections.saturating_sub(there);
        let begin = for_waiters.max(for_minimum).min(room);
        self.opening += begin;
        begin
    }

    /// Takes out the idle connections that `reason` finds one for, counted as closed from now on.
    pub(super) fn take_idle_where(
        &mut self,
        mut reason: impl FnMut(&Entry<D::Session>, usize) -> Option<CloseReason>,
    ) -> Vec<(Box<Entry<D::Session>>, CloseReason)> {
        let mut taken = Vec::new();
        let mut live = self.live();
        let mut index = 0;
        while index < self.idle.len() {
            match reason(&self.idle[index], live) {
                Some(reason) => {
                    live -= 1;
                    self.figures.count_closed(reason);
                    taken.extend(self.idle.remove(index).map(|entry| (entry, reason)));
                }
                None => index += 1,
            }
        }
        taken
    }

    /// Takes an idle connection that nobody checked since `before` into care.
    pub(super) fn take_unchecked(&mut self, before: Instant) -> Option<Box<Entry<D::Session>>> {
        let at = self.idle.iter().position(|entry| entry.checked < before)?;
        let entry = self.idle.remove(at)?;
        self.in_care += 1;
        Some(entry)
    }
}

/// Who has connections out, for the leak detector. Slots are reused; the number of slots is the most
/// connections that were ever out at once.
#[derive(Default)]
pub(super) struct CheckOuts {
    slots: Vec<Option<CheckOut>>,
    free: Vec<usize>,
}

/// One connection that is out.
#[derive(Clone)]
pub(super) struct CheckOut {
    pub(super) since: Instant,
    /// Where `acquire` was called
    pub(super) caller: &'static Location<'static>,
    /// The span in which it was called
    pub(super) span: tracing::Span,
    pub(super) connection_id: u64,
    reported: bool,
}

impl CheckOut {
    pub(super) fn new(
        since: Instant,
        caller: &'static Location<'static>,
        span: tracing::Span,
        connection_id: u64,
    ) -> CheckOut {
        CheckOut { since, caller, span, connection_id, reported: false }
    }
}

impl CheckOuts {
    /// Files a connection and says under which number.
    pub(super) fn add(&mut self, check_out: CheckOut) -> usize {
        match self.free.pop() {
            Some(slot) => {
                self.slots[slot] = Some(check_out);
                slot
            }
            None => {
                self.slots.push(Some(check_out));
                self.slots.len() - 1
            }
        }
    }

    /// Forgets the connection of this number. It is returned so that its span ends outside the lock.
    pub(super) fn remove(&mut self, slot: usize) -> Option<CheckOut> {
        let check_out = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(check_out)
    }

    /// Those out for at least `threshold` that were not reported yet; they count as reported from now on.
    pub(super) fn overdue(&mut self, now: Instant, threshold: Duration) -> Vec<CheckOut> {
        let late = |check_out: &&mut CheckOut| {
            !check_out.reported && now.saturating_duration_since(check_out.since) >= threshold
        };
        let mark = |check_out: &mut CheckOut| {
            check_out.reported = true;
            check_out.clone()
        };
        self.slots.iter_mut().flatten().filter(late).map(mark).collect()
    }
}
