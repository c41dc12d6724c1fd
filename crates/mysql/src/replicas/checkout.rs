//! A connection of the right server, and what its use teaches about that server.
//!
//! [`Cluster::primary`] waits through a failover: while no server takes writes, or the one that did does not
//! answer, it waits for a change of the topology, until its deadline. [`Cluster::reader`] looks for a fit replica
//! and ends at the primary. Both give a [`Checkout`], which is a connection that also remembers its server; every
//! outcome is shown to it by [`Checkout::observe`].
//!
//! What an outcome says:
//!
//! | outcome | said of its server |
//! |---|---|
//! | a result, or an error that needed an answer | it is well |
//! | 1290 for read-only, 1836, 1792 outside a READ ONLY transaction | it is no primary any more |
//! | no connection, connection lost, 1040, a timeout where configured | a failure for its breaker, and a reason to look |

use super::causal::{CausalToken, wait_statement};
use super::cluster::{Cluster, Shared};
use super::gtid::Position;
use super::member::{Member, Role};
use crate::driver::{Driver, Session};
use crate::error::{Error, Result};
use crate::pool::{AcquireError, CloseReason, PooledConnection};
use crate::resilience::speaks_against_server;
use crate::transaction::Held;
use rustydb_resilience::{Permit, Rejected};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Who a checkout is served by, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServedBy {
    /// The primary, as was asked.
    Primary,
    /// A replica.
    Replica,
    /// The primary, because no replica answers, is near enough or lets calls through.
    NoFitReplica,
    /// The primary, because no replica had in time what a causal read must see.
    NotCaughtUp,
}

/// A connection of one server of a cluster. Dropped it goes back to its pool.
pub struct Checkout<D: Driver + Clone> {
    connection: PooledConnection<D>,
    member: Arc<Member<D>>,
    shared: Arc<Shared<D>>,
    permit: Option<Permit>,
    served_by: ServedBy,
    /// The last transaction of the session that the token knows.
    last_gtid: Option<Arc<str>>,
}

/// How long one try to reach a silent primary may take before the topology is looked at again.
const PATIENCE: Duration = Duration::from_millis(100);
/// What a replica may take to answer beyond the time that it was told to wait.
const GRACE: Duration = Duration::from_millis(250);

impl<D: Driver + Clone> Cluster<D> {
    /// A connection of the server that takes writes. Waits for one through a failover, until `deadline`.
    ///
    /// # Errors
    /// [`Error::NoPrimary`] when nobody takes writes until then, [`Error::BreakerOpen`], and what the primary's
    /// pool says.
    pub async fn primary(&self, deadline: Instant) -> Result<Checkout<D>> {
        self.primary_as(ServedBy::Primary, deadline).await
    }

    /// A connection for reads: of a fit replica, else of the primary. With a token, it sees all that the token
    /// asks for.
    ///
    /// # Errors
    /// As [`primary`](Self::primary).
    pub async fn reader(&self, token: Option<&CausalToken>, deadline: Instant) -> Result<Checkout<D>> {
        let mut instead = ServedBy::NoFitReplica;
        let must_see = token.map(CausalToken::position).filter(|position| !position.is_empty());
        if self.shared.is_watched() {
            match self.replica(must_see.as_deref(), deadline).await {
                Ok(checkout) => return Ok(checkout),
                Err(why) => instead = why,
            }
            self.shared.fallbacks.inc(1);
        }
        self.primary_as(instead, deadline).await
    }

    async fn primary_as(&self, served_by: ServedBy, deadline: Instant) -> Result<Checkout<D>> {
        let begin = Instant::now();
        let mut changes = self.shared.changes();
        let mut last: Option<Error> = None;
        loop {
            let primary = changes.borrow_and_update().primary.clone();
            // One that is known to be silent is tried once, for its error, and then by its monitor alone.
            let silent = |member: &Member<D>| self.shared.is_watched() && !member.answers();
            if let Some(member) = primary.filter(|member| last.is_none() || !silent(member)) {
                let answers = member.answers();
                let taken = async {
                    let permit = member.breaker().try_acquire().map_err(|why| breaker_open(&member, why))?;
                    match member.pool.acquire_by(deadline).await {
                        Ok(connection) => Ok((connection, permit)),
                        Err(error) => Err(self.shared.no_connection(&member, permit, error)),
                    }
                };
                tokio::select! {
                    biased;
                    taken = taken => match taken {
                        Ok((connection, permit)) => {
                            return Ok(Checkout::new(&self.shared, member, connection, permit, served_by));
                        }
                        Err(error) if !self.may_change(&error) => return Err(error),
                        Err(error) => last = Some(error),
                    },
                    // Somebody else may be the primary now, or this one is known to be silent.
                    () = changed_from(&mut changes, &member, answers) => continue,
                }
            }
            if Instant::now() >= deadline {
                return Err(Error::NoPrimary { waited: begin.elapsed(), last: last.map(Box::new) });
            }
            self.shared.look_at_all();
            // A change is looked at above; without one the same server may answer again.
            let pause = deadline.min(Instant::now() + PATIENCE);
            let _ = timeout_at(pause, changes.changed()).await;
        }
    }

    /// Whether an error in taking a connection may go away by itself, because another server takes over.
    fn may_change(&self, error: &Error) -> bool {
        self.shared.is_watched()
            && match error {
                Error::BreakerOpen { .. } => true,
                Error::Acquire(error) => {
                    matches!(**error, AcquireError::Connect { .. })
                        && error.cause().is_some_and(|cause| speaks_against_server(cause, true))
                }
                _ => false,
            }
    }

    /// A connection of a fit replica, or why there is none.
    async fn replica(&self, must_see: Option<&Position>, deadline: Instant) -> Result<Checkout<D>, ServedBy> {
        let reads = &self.shared.config.reads;
        let mut tried: Vec<Arc<Member<D>>> = Vec::new();
        let mut why = ServedBy::NoFitReplica;
        let wait_until = Instant::now() + reads.causal_wait;
        loop {
            let topology = self.shared.topology();
            let untried = |member: &&Arc<Member<D>>| !tried.iter().any(|tried| Arc::ptr_eq(tried, member));
            let fit: Vec<_> =
                topology.replicas.iter().filter(untried).filter(|r| r.takes_reads(reads.max_lag)).collect();
            let picked = match must_see {
                None => self.pick(&fit),
                Some(position) => {
                    let having: Vec<_> = fit.iter().copied().filter(|member| member.has(position)).collect();
                    let near = || -> Vec<_> {
                        fit.iter()
                            .copied()
                            .filter(|member| member.lag().is_within(reads.causal_wait))
                            .collect()
                    };
                    if !fit.is_empty() {
                        why = ServedBy::NotCaughtUp;
                    }
                    self.pick(&having).or_else(|| self.pick(&near()))
                }
            };
            let Some(member) = picked.cloned() else { return Err(why) };
            tried.push(member.clone());
            let Ok(permit) = member.breaker().try_acquire() else { continue };
            let mut changes = self.shared.changes();
            let taken = tokio::select! {
                biased;
                taken = member.pool.acquire_by(deadline) => taken,
                () = silent(&mut changes, &member) => continue,
            };
            let connection = match taken {
                Ok(connection) => connection,
                Err(error) => {
                    self.shared.no_connection(&member, permit, error);
                    continue;
                }
            };
            let mut checkout = Checkout::new(&self.shared, member, connection, permit, ServedBy::Replica);
            match must_see.filter(|position| !checkout.member.has(position)) {
                None => return Ok(checkout),
                Some(position) if checkout.waits_for(position, wait_until).await => return Ok(checkout),
                Some(_) => why = ServedBy::NotCaughtUp,
            }
        }
    }

    /// The balancer's choice among the replicas of the first priority.
    fn pick<'m>(&self, fit: &[&'m Arc<Member<D>>]) -> Option<&'m Arc<Member<D>>> {
        let first = fit.iter().map(|member| member.place.priority).min()?;
        let now = Instant::now();
        let among: Vec<_> = fit.iter().copied().filter(|member| member.place.priority == first).collect();
        let candidates: Vec<_> = among.iter().map(|member| member.candidate(now)).collect();
        among.get(self.shared.balancer.pick(&candidates)?).copied()
    }
}

/// Waits until `member` is not the primary any more, or stops answering.
async fn changed_from<D: Driver>(
    changes: &mut tokio::sync::watch::Receiver<Arc<super::Topology<D>>>,
    member: &Arc<Member<D>>,
    answered: bool,
) {
    let other = changes.wait_for(|topology| {
        let same = topology.primary.as_ref().is_some_and(|primary| Arc::ptr_eq(primary, member));
        !same || (answered && !member.answers())
    });
    if other.await.is_err() {
        // The cluster is gone; what is under way ends by itself.
        std::future::pending::<()>().await;
    }
}

/// Waits until `member` stops answering.
async fn silent<D: Driver>(
    changes: &mut tokio::sync::watch::Receiver<Arc<super::Topology<D>>>,
    member: &Arc<Member<D>>,
) {
    if changes.wait_for(|_| !member.answers()).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn breaker_open<D: Driver>(member: &Member<D>, why: Rejected) -> Error {
    Error::BreakerOpen { server: member.name().clone(), retry_after: why.retry_after }
}

impl<D: Driver + Clone> Shared<D> {
    /// Learns from a connection that was not had.
    fn no_connection(&self, member: &Member<D>, permit: Permit, error: AcquireError) -> Error {
        match error.cause() {
            Some(cause) if speaks_against_server(cause, self.config.timeouts_trip_breaker) => {
                permit.failure();
                member.look.notify_one();
            }
            // A full pool says nothing about its server.
            _ => drop(permit),
        }
        Error::from(error)
    }
}

impl<D: Driver + Clone> Checkout<D> {
    fn new(
        shared: &Arc<Shared<D>>,
        member: Arc<Member<D>>,
        connection: PooledConnection<D>,
        permit: Permit,
        served_by: ServedBy,
    ) -> Checkout<D> {
        member.begin();
        let last_gtid = connection.status().last_gtid.clone();
        Checkout { connection, member, shared: shared.clone(), permit: Some(permit), served_by, last_gtid }
    }

    /// Its server.
    pub fn member(&self) -> &Arc<Member<D>> {
        &self.member
    }

    /// Who it is served by, and why.
    pub fn served_by(&self) -> ServedBy {
        self.served_by
    }

    /// The connection, with what its pool has to say about it.
    pub fn connection(&mut self) -> &mut PooledConnection<D> {
        &mut self.connection
    }

    /// Learns from how something ended that took `time` on this connection: what its server is, what reads must
    /// see from now on. To be called after each statement.
    pub fn observe<T>(&mut self, time: Duration, outcome: &Result<T>) {
        self.note_writes();
        if outcome.is_err() {
            self.connection.end_abandoned();
        }
        match outcome {
            Ok(_) => {
                self.member.took(time);
                self.is_well();
            }
            Err(error) if self.is_refused_write(error) => {
                self.is_well();
                if self.member.role() == Role::Primary {
                    self.connection.close_on_return(CloseReason::Retired);
                    self.shared.demoted(&self.member);
                }
            }
            Err(error) if speaks_against_server(error, self.shared.config.timeouts_trip_breaker) => {
                // One that is open already needs no more failures.
                if let Ok(permit) = self.permit.take().map_or_else(|| self.member.breaker().try_acquire(), Ok)
                {
                    permit.failure();
                }
                self.member.took(time);
                self.member.look.notify_one();
            }
            Err(_) => self.is_well(),
        }
    }

    fn is_well(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.success();
        }
    }

    /// Adds what the session committed to what reads must see.
    fn note_writes(&mut self) {
        let last = &self.connection.status().last_gtid;
        let news = match (last, &self.last_gtid) {
            (Some(last), Some(known)) => !Arc::ptr_eq(last, known),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if news && let Some(last) = last.clone() {
            // Given out as the primary's: it may have lost its role since, and what it acknowledged counts.
            if self.served_by != ServedBy::Replica {
                self.shared.token.add(&last);
            }
            self.last_gtid = Some(last);
        }
    }

    /// Whether the server refused a write for what it is, not for what the transaction is.
    fn is_refused_write(&self, error: &Error) -> bool {
        let status = self.connection.status();
        error.is_read_only_server()
            || (error.server().is_some_and(|error| error.code() == 1792) && !status.read_only_transaction)
    }

    /// Waits on the server until it has `position`, until `until` at most. Whether it has it.
    async fn waits_for(&mut self, position: &Position, until: Instant) -> bool {
        let begin = Instant::now();
        let left = until.saturating_duration_since(begin);
        let Some(sql) = wait_statement(self.connection.status().server.flavor, position, left) else {
            return false;
        };
        let asked = async {
            let results = self.connection.query(&sql, until + GRACE).await?;
            results.first::<(Option<i64>,)>().await
        };
        let answer = match timeout_at(until + GRACE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Timeout { during: "causal wait" }),
        };
        match &answer {
            Ok(Some((Some(0),))) => {
                self.member.learned(position);
                true
            }
            Ok(_) => false,
            Err(_) => {
                // Waiting says nothing about how quick the server is, a failure does about whether it is there.
                self.observe(Duration::ZERO, &answer);
                false
            }
        }
    }
}

impl<D: Driver + Clone> Held for Checkout<D> {
    type Driver = D;

    fn connection(&mut self) -> &mut PooledConnection<D> {
        &mut self.connection
    }

    fn observe<T>(&mut self, time: Duration, outcome: &Result<T>) {
        Checkout::observe(self, time, outcome);
    }
}

impl<D: Driver + Clone> Deref for Checkout<D> {
    type Target = D::Session;

    fn deref(&self) -> &D::Session {
        &self.connection
    }
}

impl<D: Driver + Clone> DerefMut for Checkout<D> {
    fn deref_mut(&mut self) -> &mut D::Session {
        &mut self.connection
    }
}

impl<D: Driver + Clone> Drop for Checkout<D> {
    fn drop(&mut self) {
        // A session that was cut, and whose outcome nobody saw, may have written.
        self.note_writes();
        self.member.end();
    }
}

impl<D: Driver + Clone> std::fmt::Debug for Checkout<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkout")
            .field("server", self.member.name())
            .field("served_by", &self.served_by)
            .finish_non_exhaustive()
    }
}
