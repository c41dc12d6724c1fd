//! Taking a connection.
//!
//! With an idle connection and nobody waiting it is one short lock. Otherwise the caller joins the queue
//! and is told: a connection, or why there is none. A caller that stops polling leaves its place, and what
//! was handed to it meanwhile goes on to the next.

use super::error::{AcquireError, ConnectCause};
use super::guard::PooledConnection;
use super::state::CheckOut;
use super::waiting::{Answer, Place};
use super::{Inner, Pool};
use crate::driver::{Driver, Session};
use std::panic::Location;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

/// What the first look at the pool gave.
enum Look<'a, D: Driver> {
    Taken(PooledConnection<D>),
    Wait(Place<'a, D>, oneshot::Receiver<Answer<D>>),
}

impl<D: Driver> Pool<D> {
    /// A connection: an idle one at once, or the next that comes free or is opened, in the order of asking,
    /// within the pool's acquire timeout.
    #[track_caller]
    pub fn acquire(
        &self,
    ) -> impl Future<Output = Result<PooledConnection<D>, AcquireError>> + Send + use<'_, D> {
        self.inner.acquire(None, Location::caller())
    }

    /// As [`acquire`](Pool::acquire), at most until `deadline`.
    #[track_caller]
    pub fn acquire_by(
        &self,
        deadline: Instant,
    ) -> impl Future<Output = Result<PooledConnection<D>, AcquireError>> + Send + use<'_, D> {
        self.inner.acquire(Some(deadline), Location::caller())
    }

    /// An idle connection, if there is one and nobody waits.
    #[track_caller]
    pub fn try_acquire(&self) -> Option<PooledConnection<D>> {
        let mut holder = self.inner.holder();
        self.inner.take_idle(Instant::now(), Location::caller(), &mut holder)
    }
}

impl<D: Driver> Inner<D> {
    async fn acquire(
        self: &Arc<Self>,
        deadline: Option<Instant>,
        caller: &'static Location<'static>,
    ) -> Result<PooledConnection<D>, AcquireError> {
        let started = Instant::now();
        let span = tracing::debug_span!("mysql.pool.acquire", pool = %self.name);
        let mut holder = self.holder();
        let look = span.in_scope(|| self.look(started, caller, &mut holder));
        let result = match look {
            Ok(Look::Taken(connection)) => Ok(connection),
            Ok(Look::Wait(place, answer)) => {
                let waiting = self.wait(place, answer, started, deadline).instrument(span);
                waiting.await.map(|lease| (lease, holder)).and_then(|(lease, holder)| {
                    let id = lease.connection_id();
                    let check_out = holder.map(|span| CheckOut::new(Instant::now(), caller, span, id));
                    PooledConnection::handed(lease, check_out).ok_or_else(|| self.closed_error())
                })
            }
            Err(error) => Err(error),
        };
        self.acquire_time().record(started.elapsed());
        result
    }

    /// The span that a connection is taken in, where leaks are watched.
    fn holder(&self) -> Option<tracing::Span> {
        self.watches_leaks().then(tracing::Span::current)
    }

    /// An idle connection if nobody waits, for `holder`.
    fn take_idle(
        self: &Arc<Self>,
        now: Instant,
        caller: &'static Location<'static>,
        holder: &mut Option<tracing::Span>,
    ) -> Option<PooledConnection<D>> {
        let mut refused = Vec::new();
        let (taken, begin) = {
            let mut state = self.state.lock();
            let entry = if state.closed || !state.waiters.is_empty() {
                None
            } else {
                state.take_idle(now, &mut refused)
            };
            let taken = entry.map(|entry| {
                let id = entry.session().status().connection_id;
                let slot = holder.take().map(|span| state.out.add(CheckOut::new(now, caller, span, id)));
                (entry, slot)
            });
            let begin = if refused.is_empty() { 0 } else { state.begin_opening() };
            (taken, begin)
        };
        self.begin(begin);
        self.say_goodbye_to(refused);
        taken.map(|(entry, slot)| PooledConnection::new(Arc::clone(self), entry, slot))
    }

    /// Takes an idle connection or joins the queue.
    fn look(
        self: &Arc<Self>,
        now: Instant,
        caller: &'static Location<'static>,
        holder: &mut Option<tracing::Span>,
    ) -> Result<Look<'_, D>, AcquireError> {
        if let Some(connection) = self.take_idle(now, caller, holder) {
            return Ok(Look::Taken(connection));
        }
        let mut state = self.state.lock();
        if state.closed {
            return Err(self.closed_error());
        }
        // One may have come back since the lock was open.
        if state.waiters.is_empty() && !state.idle.is_empty() {
            drop(state);
            return self.look(now, caller, holder);
        }
        let (waiting, limit) = (state.waiters.len(), state.config.waiter_limit());
        if waiting >= limit {
            state.figures.rejected += 1;
            let cause = state.obstacle.clone().map(ConnectCause);
            return Err(AcquireError::Rejected { pool: Arc::clone(&self.name), waiting, limit, cause });
        }
        let (number, answer) = state.waiters.join();
        let begin = state.begin_opening();
        drop(state);
        let place = Place { inner: self, number };
        self.begin(begin);
        Ok(Look::Wait(place, answer))
    }

    async fn wait(
        self: &Arc<Self>,
        place: Place<'_, D>,
        mut answer: oneshot::Receiver<Answer<D>>,
        started: Instant,
        deadline: Option<Instant>,
    ) -> Answer<D> {
        let limit = self.state.lock().config.acquire_timeout;
        let until = [started.checked_add(limit), deadline].into_iter().flatten().min();
        let told = match until {
            Some(until) => timeout_at(until, &mut answer).await.map_err(|_| ()),
            None => Ok((&mut answer).await),
        };
        let told = match told {
            Ok(told) => told.ok(),
            Err(()) => {
                drop(place);
                // What was handed over in the last moment is not given up.
                answer.close();
                answer.try_recv().ok()
            }
        };
        match told {
            Some(answer) => answer,
            None => Err(self.timeout_error(started)),
        }
    }

    pub(super) fn timeout_error(&self, started: Instant) -> AcquireError {
        let mut state = self.state.lock();
        if state.closed {
            return self.closed_error();
        }
        state.figures.timeouts += 1;
        AcquireError::Timeout {
            pool: Arc::clone(&self.name),
            waited: started.elapsed(),
            active: state.active,
            max: state.config.max_connections,
            opening: state.opening,
            cause: state.obstacle.clone().map(ConnectCause),
        }
    }

    pub(super) fn closed_error(&self) -> AcquireError {
        AcquireError::Closed { pool: Arc::clone(&self.name) }
    }
}
