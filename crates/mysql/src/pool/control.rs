//! Changing a pool while it is used: settings, credentials, calling connections in, the end.

use super::error::{AcquireError, ConnectCause};
use super::opening::ROTATED;
use super::reason::CloseReason;
use super::state::Target;
use super::{Inner, Pool};
use crate::config::{ConfigError, PoolConfig};
use crate::driver::{Credential, Driver, Endpoint};
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// How a close ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Connections that were still out at the deadline; each is closed when it comes back
    pub still_out: usize,
}

impl<D: Driver> Pool<D> {
    /// Takes other settings. A lower maximum closes idle connections at once and others when they come
    /// back; a higher minimum is opened in the background. Lifetimes count for connections opened from now on.
    ///
    /// # Errors
    /// When the settings contradict each other; nothing is changed then.
    pub fn reconfigure(&self, config: PoolConfig) -> Result<(), ConfigError> {
        config.validate()?;
        let inner = &self.inner;
        inner.follow(&config);
        let (surplus, begin) = {
            let mut state = inner.state.lock();
            state.config = Arc::new(config);
            let max = state.config.max_connections;
            let surplus = state.take_idle_where(|_, live| (live > max).then_some(CloseReason::AboveMaximum));
            (surplus, state.begin_opening())
        };
        inner.say_goodbye_to(surplus);
        inner.begin(begin);
        inner.reconfigured.notify_one();
        Ok(())
    }

    /// Connects with another credential from now on. Idle connections of the old one are closed, others
    /// when they come back: what is under way ends undisturbed.
    pub fn rotate(&self, credential: Credential) {
        self.inner.call_in(None, None, Some(credential), ROTATED);
    }

    /// Connects to another endpoint from now on, and closes the connections to the old one as
    /// [`rotate`](Pool::rotate) does.
    pub fn redirect(&self, endpoint: Endpoint) {
        self.inner.call_in(None, Some(endpoint), None, CloseReason::Retired);
    }

    /// Closes every connection that exists now, those that are out when they come back: their server is not
    /// what it was.
    pub fn retire(&self) {
        self.inner.call_in(None, None, None, CloseReason::Retired);
    }

    /// Closes the idle connections. Those that the minimum needs are opened again.
    pub fn drain_idle(&self) {
        let (idle, begin) = {
            let mut state = self.inner.state.lock();
            (state.take_idle_where(|_, _| Some(CloseReason::Requested)), state.begin_opening())
        };
        self.inner.say_goodbye_to(idle);
        self.inner.begin(begin);
    }

    /// Waits until the minimum is open.
    ///
    /// # Errors
    /// The first connect that fails, and the deadline.
    pub async fn warm_up(&self, deadline: Instant) -> Result<(), AcquireError> {
        let inner = &self.inner;
        let started = Instant::now();
        let begin = {
            let mut state = inner.state.lock();
            (state.may_fill, state.obstacle) = (true, None);
            state.begin_opening()
        };
        inner.begin(begin);
        loop {
            let settled = inner.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            {
                let state = inner.state.lock();
                if state.closed {
                    return Err(inner.closed_error());
                }
                if state.live() >= state.config.min_connections {
                    return Ok(());
                }
                if let Some(obstacle) = state.obstacle.clone() {
                    let pool = Arc::clone(&inner.name);
                    return Err(AcquireError::Connect { pool, cause: ConnectCause(obstacle) });
                }
            }
            if timeout_at(deadline, settled).await.is_err() {
                return Err(inner.timeout_error(started));
            }
        }
    }

    /// Ends the pool: turns away those who wait and those who come, closes idle connections, and waits
    /// until those that are out came back, at most until `deadline`.
    pub async fn close(&self, deadline: Instant) -> Closed {
        let inner = &self.inner;
        let (waiters, idle) = {
            let mut state = inner.state.lock();
            state.closed = true;
            (state.waiters.all(), state.take_idle_where(|_, _| Some(CloseReason::PoolClosed)))
        };
        for waiter in waiters {
            waiter.refuse(inner.closed_error());
        }
        inner.say_goodbye_to(idle);
        loop {
            let settled = inner.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let still_out = {
                let state = inner.state.lock();
                state.active + state.in_care
            };
            if still_out == 0 || timeout_at(deadline, settled).await.is_err() {
                return Closed { still_out };
            }
        }
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.state.lock().closed
    }
}

impl<D: Driver> Inner<D> {
    /// Takes a credential in the place of the one of `generation`, unless that was replaced already.
    pub(super) fn rotate_from(self: &Arc<Self>, generation: u64, credential: Credential) {
        self.call_in(Some(generation), None, Some(credential), ROTATED);
    }

    /// Begins another generation and closes the idle connections of this one.
    fn call_in(
        self: &Arc<Self>,
        only_from: Option<u64>,
        endpoint: Option<Endpoint>,
        credential: Option<Credential>,
        retires: CloseReason,
    ) {
        let (idle, begin) = {
            let mut state = self.state.lock();
            let old = Arc::clone(&state.target);
            if only_from.is_some_and(|generation| generation != old.generation) {
                return;
            }
            // What is not given stays as it is now, whatever it was when the caller looked.
            let endpoint = endpoint.unwrap_or_else(|| old.endpoint.clone());
            let credential = credential.unwrap_or_else(|| old.credential.clone());
            state.target = Arc::new(Target { endpoint, credential, generation: old.generation + 1, retires });
            (state.obstacle, state.may_fill) = (None, true);
            (state.take_idle_where(|_, _| Some(retires)), state.begin_opening())
        };
        self.say_goodbye_to(idle);
        self.begin(begin);
    }
}
