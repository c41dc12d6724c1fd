//! Connections in the pool's own hands: placed, reset, rolled back, validated, closed.
//!
//! A [`Care`] is the pool's own guard of a connection. However its task ends (done, failed, timed out,
//! aborted with its runtime), the connection is counted: given back, or closed.

use super::Inner;
use super::entry::Entry;
use super::guard::Lease;
use super::reason::CloseReason;
use super::state::{Origin, Placed};
use crate::config::ResetPolicy;
use crate::driver::{Driver, Session, SessionStatus};
use crate::error::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

/// How long a goodbye to a server may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Closes a session in a task of its own, so that a server that does not answer holds nobody up.
pub(super) fn say_goodbye<S: Session>(runtime: &Handle, session: S) {
    // A session that is broken has nobody to say goodbye to: its drop closes the socket.
    if !session.status().broken {
        runtime.spawn(async move {
            let _ = timeout(GOODBYE, session.close(Instant::now() + GOODBYE)).await;
        });
    }
}

impl<D: Driver> Inner<D> {
    /// Finds the place of a connection of use that leaves `origin`: the first waiter, the idle ones, or
    /// none, when its time is over.
    pub(super) fn settle(
        self: &Arc<Self>,
        mut entry: Box<Entry<D::Session>>,
        origin: Origin,
        slot: Option<usize>,
    ) {
        let now = Instant::now();
        let mut origin = origin;
        let mut slot = slot;
        loop {
            let mut check_out = None;
            let (placed, begin, closed) = {
                let mut state = self.state.lock();
                if let Some(slot) = slot.take() {
                    check_out = state.out.remove(slot);
                }
                let placed = state.place(entry, origin, now);
                let begin = match placed {
                    Placed::Close(..) => state.begin_opening(),
                    _ => 0,
                };
                (placed, begin, state.closed)
            };
            drop(check_out);
            self.begin(begin);
            if closed || origin == Origin::Opening {
                self.settled.notify_waiters();
            }
            match placed {
                Placed::Idle => return,
                Placed::Close(entry, reason) => return self.say_goodbye_to(vec![(entry, reason)]),
                Placed::Hand(taken, waiter) => match waiter.hand(Lease::new(Arc::clone(self), taken)) {
                    Ok(()) => return,
                    // It has gone: the next one.
                    Err(lease) => {
                        self.state.lock().not_taken();
                        let Some(back) = lease.into_entry() else { return };
                        (entry, origin) = (back, Origin::Active);
                    }
                },
            }
        }
    }

    /// Closes a connection that leaves `origin`.
    pub(super) fn close(
        self: &Arc<Self>,
        session: D::Session,
        origin: Origin,
        slot: Option<usize>,
        reason: CloseReason,
    ) {
        let (check_out, begin, closed) = {
            let mut state = self.state.lock();
            let check_out = slot.and_then(|slot| state.out.remove(slot));
            state.discard(origin, reason);
            (check_out, state.begin_opening(), state.closed)
        };
        drop(check_out);
        self.begin(begin);
        if closed {
            self.settled.notify_waiters();
        }
        tracing::debug!(pool = %self.name, reason = reason.as_str(), "connection closed");
        say_goodbye(&self.runtime, session);
    }

    /// Says goodbye to connections that count as closed already.
    pub(super) fn say_goodbye_to(&self, entries: Vec<(Box<Entry<D::Session>>, CloseReason)>) {
        for (entry, reason) in entries {
            tracing::debug!(pool = %self.name, reason = reason.as_str(), "connection closed");
            say_goodbye(&self.runtime, entry.into_session());
        }
    }

    /// Takes an active connection into care and cleans its session up in a task.
    pub(super) fn restore(self: &Arc<Self>, entry: Box<Entry<D::Session>>, slot: Option<usize>, reset: bool) {
        let check_out = {
            let mut state = self.state.lock();
            state.active -= 1;
            state.in_care += 1;
            slot.and_then(|slot| state.out.remove(slot))
        };
        drop(check_out);
        let care = Care::new(Arc::clone(self), entry);
        self.runtime.spawn(care.restore(reset));
    }

    /// Whether a session of this status has to be cleaned up before somebody else may use it.
    pub(super) fn needs_care(&self, status: &SessionStatus) -> bool {
        status.pending_results
            || status.in_transaction
            || match self.reset_policy() {
                ResetPolicy::WhenChanged => status.dirty,
                ResetPolicy::Always => true,
                ResetPolicy::Never => false,
            }
    }
}

/// A connection in the pool's own hands, counted as in care. Dropped it is closed.
pub(super) struct Care<D: Driver> {
    inner: Arc<Inner<D>>,
    entry: Option<Box<Entry<D::Session>>>,
}

impl<D: Driver> Care<D> {
    /// Of an entry that counts as in care.
    pub(super) fn new(inner: Arc<Inner<D>>, entry: Box<Entry<D::Session>>) -> Care<D> {
        Care { inner, entry: Some(entry) }
    }

    /// Ends what its user left open, then gives it back; closes it when that fails or takes too long.
    async fn restore(mut self, reset: bool) {
        let (limit, policy) = (self.limit(), self.inner.reset_policy());
        let Some(entry) = &mut self.entry else { return };
        let session = entry.session_mut();
        let mut figures = Restored::default();
        let restored =
            matches!(timeout(limit, restore(session, reset, policy, limit, &mut figures)).await, Ok(Ok(())));
        let status = session.status();
        let usable = !status.broken && !status.in_transaction && !status.pending_results;
        let connection_id = status.connection_id;
        {
            let mut state = self.inner.state.lock();
            state.figures.orphaned += u64::from(figures.orphaned);
            state.figures.resets += u64::from(figures.reset);
        }
        if figures.orphaned {
            let pool = &*self.inner.name;
            tracing::warn!(pool, connection_id, "a transaction was left open when its connection came back");
        }
        if restored && usable {
            self.give_back(true);
        } else {
            self.close(CloseReason::ResetFailed);
        }
    }

    /// Asks the server whether it is there, then gives the connection back; closes it when there is no
    /// answer in time.
    pub(super) async fn validate(mut self) {
        let limit = self.limit();
        let query = self.inner.state.lock().config.validation_query.clone();
        let Some(entry) = &mut self.entry else { return };
        let session = entry.session_mut();
        let deadline = Instant::now() + limit;
        let work = async {
            match &query {
                Some(sql) => session.run(sql, deadline).await.map(drop),
                None => session.ping(deadline).await,
            }
        };
        let valid = matches!(timeout(limit, work).await, Ok(Ok(()))) && !session.status().broken;
        if valid {
            self.give_back(false);
        } else {
            self.close(CloseReason::ValidationFailed);
        }
    }

    fn limit(&self) -> Duration {
        self.inner.state.lock().config.maintenance_timeout
    }

    fn give_back(mut self, was_used: bool) {
        if let Some(mut entry) = self.entry.take() {
            let now = Instant::now();
            entry.checked = now;
            if was_used {
                entry.idle_since = now;
            }
            self.inner.settle(entry, Origin::Care, None);
        }
    }

    fn close(mut self, reason: CloseReason) {
        if let Some(entry) = self.entry.take() {
            // A validation that has no answer is no work to be ended.
            if reason == CloseReason::ResetFailed {
                self.inner.end_abandoned(entry.session());
            }
            self.inner.close(entry.into_session(), Origin::Care, None, reason);
        }
    }
}

impl<D: Driver> Drop for Care<D> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            // Its exchange was cut: no goodbye, and nothing is opened in its place from here, because the
            // runtime may be going down with it.
            let mut state = self.inner.state.lock();
            state.discard(Origin::Care, CloseReason::Abandoned);
            drop(state);
            drop(entry);
        }
    }
}

/// What was done to a session.
#[derive(Default)]
struct Restored {
    orphaned: bool,
    reset: bool,
}

/// Reads what was left unread, ends an open transaction, resets a session that changed.
async fn restore<S: Session>(
    session: &mut S,
    reset: bool,
    policy: ResetPolicy,
    limit: Duration,
    done: &mut Restored,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    if session.status().pending_results {
        session.discard_results(deadline).await?;
    }
    // Only behind the last result it is known what the session is in.
    let status = session.status();
    done.orphaned = status.in_transaction;
    let changed = match policy {
        ResetPolicy::WhenChanged => status.dirty,
        ResetPolicy::Always => true,
        ResetPolicy::Never => false,
    };
    if reset || changed {
        // It rolls back too.
        session.reset(deadline).await?;
        done.reset = true;
    } else if status.in_transaction {
        session.run("ROLLBACK", deadline).await?;
    }
    Ok(())
}
