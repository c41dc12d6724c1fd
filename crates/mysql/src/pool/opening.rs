//! Connecting, for those who wait and for the minimum.
//!
//! Each connect is a task of its own, counted as opening until it ends. Its connection goes to the first
//! waiter, who need not be the one that it was begun for. Its failure goes to the first waiter only where
//! waiting longer makes no sense: the server refuses the account or the database, or there is no other
//! connection that could come back. Otherwise the task tries again, with growing pauses, while somebody
//! waits; the last error goes into the error of those whose time runs out.

use super::Inner;
use super::entry::Entry;
use super::error::{AcquireError, ConnectCause, Obstacle};
use super::reason::CloseReason;
use super::state::{Origin, Target};
use crate::driver::{Credential, Driver};
use crate::error::{Error, ErrorClass, ErrorKind};
use rustydb_resilience::Backoff;
use secrecy::ExposeSecret;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;

/// Asks for the credential anew; none when it cannot be had.
pub type Refresh = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Option<Credential>> + Send>> + Send + Sync>;

/// The pauses between connects of one task.
const PAUSES: Backoff = Backoff::exponential(Duration::from_millis(50), Duration::from_secs(1));

impl<D: Driver> Inner<D> {
    /// Begins the connects that waiters and the minimum lack.
    pub(super) fn open_what_is_missing(self: &Arc<Self>) {
        let begin = self.state.lock().begin_opening();
        self.begin(begin);
    }

    /// Begins `connects` connects that count as opening.
    pub(super) fn begin(self: &Arc<Self>, connects: usize) {
        for _ in 0..connects {
            let opening = Opening { inner: Arc::clone(self), is_counted: true };
            let span = tracing::debug_span!("mysql.connection.create", pool = %self.name);
            self.runtime.spawn(opening.run().instrument(span));
        }
    }
}

/// The right to open one connection, counted as opening. Dropped it is given up.
struct Opening<D: Driver> {
    inner: Arc<Inner<D>>,
    is_counted: bool,
}

/// What a task does after a connect that failed.
enum Next {
    End,
    Again(Duration),
}

impl<D: Driver> Opening<D> {
    async fn run(mut self) {
        let mut tries = 0;
        let mut may_refresh = true;
        loop {
            let target = Arc::clone(&self.inner.state.lock().target);
            let error = match self.connect(&target).await {
                Ok(session) => return self.succeeded(session, &target),
                Err(error) => error,
            };
            if error.kind() == ErrorKind::AuthenticationFailed && may_refresh {
                may_refresh = false;
                if self.refresh(&target).await {
                    continue;
                }
            }
            match self.failed(error, &target, tries) {
                Next::End => return,
                Next::Again(pause) => sleep(pause).await,
            }
            if !self.is_still_wanted() {
                return;
            }
            tries += 1;
        }
    }

    async fn connect(&self, target: &Target) -> Result<D::Session, Error> {
        let deadline = Instant::now() + self.inner.connect_timeout;
        let connect = self.inner.driver.connect(&target.endpoint, &target.credential, deadline);
        match timeout_at(deadline, connect).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { during: "connect" }),
        }
    }

    /// Asks for the credential anew. True when there is another one now than the one refused.
    async fn refresh(&self, refused: &Target) -> bool {
        let inner = &self.inner;
        if inner.state.lock().target.generation != refused.generation {
            return true;
        }
        let Some(refresh) = &inner.refresh else { return false };
        let limit = Instant::now() + inner.connect_timeout;
        let Ok(Some(fresh)) = timeout_at(limit, refresh()).await else { return false };
        let same = fresh.user == refused.credential.user
            && fresh.password.expose_secret() == refused.credential.password.expose_secret();
        if same {
            return false;
        }
        inner.rotate_from(refused.generation, fresh);
        true
    }

    fn succeeded(mut self, session: D::Session, target: &Target) {
        let inner = Arc::clone(&self.inner);
        let config = Arc::clone(&inner.state.lock().config);
        let (lifetime, jitter) = (config.max_lifetime, config.lifetime_jitter);
        let entry = Entry::new(session, target.generation, lifetime, jitter, &inner.random);
        {
            let mut state = inner.state.lock();
            state.obstacle = None;
            state.may_fill = true;
        }
        self.is_counted = false;
        inner.settle(entry, Origin::Opening, None);
    }

    fn failed(&mut self, error: Error, target: &Target, tries: u32) -> Next {
        let inner = &self.inner;
        let is_final =
            error.class() == ErrorClass::Terminal || error.kind() == ErrorKind::AuthenticationFailed;
        tracing::debug!(pool = %inner.name, error = %error, "connect failed");
        let cause = Arc::new(Obstacle { error });
        let mut state = inner.state.lock();
        state.figures.connect_failures += 1;
        if state.target.generation != target.generation && !state.closed {
            // It failed against what is not wanted any more.
            return Next::Again(Duration::ZERO);
        }
        state.obstacle = Some(Arc::clone(&cause));
        state.may_fill = false;
        let waits = !state.waiters.is_empty() && !state.closed;
        if waits && !is_final && state.live() > 0 {
            return Next::Again(PAUSES.wait(tries, &inner.random));
        }
        state.opening -= 1;
        self.is_counted = false;
        let refused = if waits { state.waiters.first() } else { None };
        let begin = state.begin_opening();
        drop(state);
        inner.begin(begin);
        if let Some(waiter) = refused {
            let pool = Arc::clone(&inner.name);
            waiter.refuse(AcquireError::Connect { pool, cause: ConnectCause(cause) });
        }
        inner.settled.notify_waiters();
        Next::End
    }

    /// Whether there are waiters or a minimum for this connect and those that are under way besides.
    /// When there are not, it is given up.
    fn is_still_wanted(&mut self) -> bool {
        let mut state = self.inner.state.lock();
        if !state.closed && state.waiters.len() >= state.opening {
            return true;
        }
        state.opening -= 1;
        self.is_counted = false;
        let begin = state.begin_opening();
        drop(state);
        self.inner.begin(begin);
        false
    }
}

impl<D: Driver> Drop for Opening<D> {
    fn drop(&mut self) {
        // The task was stopped with its runtime: nothing new is begun from here.
        if self.is_counted {
            self.inner.state.lock().opening -= 1;
        }
    }
}

/// Why connections of the old credential end.
pub(super) const ROTATED: CloseReason = CloseReason::CredentialRotated;
