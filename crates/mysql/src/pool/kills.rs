//! What a pool's users abandoned is ended at the server.
//!
//! A connection that is closed while its server works for it (its deadline passed, its future was dropped, its
//! result was too long to be thrown away) leaves an [`Abandoned`] in a queue of at most [`MOST_WAITING`], and one
//! task ends what stands there, over one connection of its own: however many statements are given up at once,
//! there is never more than one connection for it, which does not count as one of the pool's. Each has the
//! pool's connect timeout from the moment it was given up; what cannot be ended in that time goes on, and is
//! counted and logged, without the statement's text.
//!
//! A statement that is not given up costs nothing here.

use super::Inner;
use crate::driver::{Driver, Session};
use crate::error::{Error, Result};
use crate::kill::{self, Abandoned, Killed};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

/// What may wait for its end; more than that is turned away.
const MOST_WAITING: usize = 256;

/// What became of statements that nobody waited for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KillStats {
    /// Connections ended at the server
    pub ended: u64,
    /// Those that had ended by themselves
    pub already_over: u64,
    /// Nothing was ended, because server or statement were not the right ones
    pub spared: u64,
    /// Those that could not be ended
    pub failed: u64,
    /// Those that were not tried, because too many waited
    pub turned_away: u64,
}

/// What waits for its end. The lock is a leaf.
pub(super) struct Kills {
    enabled: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Abandoned, Instant)>,
    /// Whether a task looks after them
    is_worked_on: bool,
}

impl Kills {
    pub(super) fn new(enabled: bool) -> Kills {
        Kills { enabled: AtomicBool::new(enabled), queue: Mutex::default() }
    }

    pub(super) fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// The next one; none ends the task.
    fn next(&self) -> Option<(Abandoned, Instant)> {
        let mut queue = self.queue.lock();
        let next = queue.waiting.pop_front();
        queue.is_worked_on = next.is_some();
        next
    }
}

impl<D: Driver> Inner<D> {
    /// Has what this session left its server with ended there. The session must not be used again.
    pub(super) fn end_abandoned(self: &Arc<Self>, session: &D::Session) {
        if !self.kills.enabled.load(Ordering::Relaxed) {
            return;
        }
        let Some(abandoned) = session.abandoned() else { return };
        let deadline = Instant::now() + self.connect_timeout;
        let begins = {
            let mut queue = self.kills.queue.lock();
            if queue.waiting.len() >= MOST_WAITING {
                drop(queue);
                self.state.lock().figures.kills.turned_away += 1;
                return;
            }
            queue.waiting.push_back((abandoned, deadline));
            !std::mem::replace(&mut queue.is_worked_on, true)
        };
        if begins {
            let span = tracing::debug_span!("mysql.kill", pool = %self.name);
            self.runtime.spawn(Arc::clone(self).end_all().instrument(span));
        }
    }

    /// Ends what waits, one after the other.
    async fn end_all(self: Arc<Self>) {
        let mut session: Option<D::Session> = None;
        while let Some((abandoned, deadline)) = self.kills.next() {
            let told = match timeout_at(deadline, self.end_one(&mut session, &abandoned, deadline)).await {
                Ok(told) => told,
                Err(_) => Err(Error::Timeout { during: "kill" }),
            };
            if session.as_ref().is_some_and(|session| session.status().broken) {
                session = None;
            }
            let connection_id = abandoned.connection_id;
            let figures = |state: &mut super::State<D>| {
                let kills = &mut state.figures.kills;
                match told {
                    Ok(Killed::Ended) => kills.ended += 1,
                    Ok(Killed::AlreadyOver) => kills.already_over += 1,
                    Ok(Killed::OtherStatement | Killed::OtherServer) => kills.spared += 1,
                    Err(_) => kills.failed += 1,
                }
            };
            figures(&mut self.state.lock());
            match &told {
                Ok(how) => tracing::debug!(connection_id, ?how, "a statement was given up"),
                Err(error) => {
                    tracing::warn!(connection_id, %error, "a statement that was given up goes on");
                }
            }
        }
        if let Some(session) = session {
            super::care::say_goodbye(&self.runtime, session);
        }
    }

    /// Ends one over `session`, which is made where there is none.
    async fn end_one(
        &self,
        session: &mut Option<D::Session>,
        abandoned: &Abandoned,
        deadline: Instant,
    ) -> Result<Killed> {
        let session = match session {
            Some(session) => session,
            None => {
                let target = Arc::clone(&self.state.lock().target);
                let made = self.driver.connect(&target.endpoint, &target.credential, deadline).await?;
                session.insert(made)
            }
        };
        kill::end(session, abandoned, deadline).await
    }
}
