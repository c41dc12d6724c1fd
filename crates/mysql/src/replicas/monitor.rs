//! Watching the servers of a cluster: one task for each, with a connection of its own.
//!
//! A task asks its server at the monitor's pace, or at once when a statement failed in a way that speaks against
//! the server, and five times as often while no primary answers. After each answer and each silence the roles
//! are considered anew under one lock (`notes`), so that they change in one order. A server is silent when it
//! refuses a connection, or when two probes in a row had no answer: one that is late is not dead.
//!
//! A task ends when the cluster is dropped, or when its server, which nobody configured, was silent for
//! [`FORGOTTEN`].

use super::cluster::Shared;
use super::election::{self, Candidate};
use super::lag::{Lag, PrimaryNotes};
use super::member::{Member, Place, Role};
use super::probe::{Questions, Report, Running, probe};
use super::topology::Topology;
use crate::driver::{Address, Driver, Endpoint, Session};
use crate::error::{Error, ErrorKind, Result};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Servers watched at most; what is found beyond is not taken.
const MOST_MEMBERS: usize = 64;
/// A server that was found, and is silent for so long, is not watched any more.
const FORGOTTEN: Duration = Duration::from_secs(300);
/// Probes without an answer that make a server silent.
const SILENT_AFTER: u32 = 2;
/// The least time between two looks at a server.
const BREATH: Duration = Duration::from_millis(20);

/// Watches one server until the cluster is gone or forgets it.
pub(super) async fn watch<D: Driver + Clone>(shared: Weak<Shared<D>>, member: Weak<Member<D>>) {
    let mut session: Option<D::Session> = None;
    loop {
        let pause = {
            let (Some(shared), Some(member)) = (shared.upgrade(), member.upgrade()) else { return };
            let outcome = shared.look_at(&member, &mut session).await;
            if !shared.heard(&member, outcome) {
                return;
            }
            match shared.topology().primary.as_ref().is_some_and(|primary| primary.answers()) {
                true => shared.config.monitor.interval,
                false => shared.config.monitor.interval / 5,
            }
        };
        tokio::time::sleep(BREATH).await;
        let Some(watched) = member.upgrade() else { return };
        // Being told early and being told late are both well.
        let _ = tokio::time::timeout(pause.saturating_sub(BREATH), watched.look.notified()).await;
    }
}

impl<D: Driver + Clone> Shared<D> {
    async fn look_at(&self, member: &Member<D>, session: &mut Option<D::Session>) -> Result<Report> {
        let deadline = Instant::now() + self.config.monitor.timeout;
        let used = session.is_some();
        let first = self.ask(member, session, deadline).await;
        match first {
            // The server may have closed a connection that it had for long: ask on a new one.
            Err(_) if used => self.ask(member, session, deadline).await,
            other => other,
        }
    }

    async fn ask(
        &self,
        member: &Member<D>,
        session: &mut Option<D::Session>,
        deadline: Instant,
    ) -> Result<Report> {
        let late = || Error::Timeout { during: "probe" };
        // Taken out while it is used: a failure leaves none.
        let mut asked = match session.take() {
            Some(session) => session,
            None => {
                let endpoint = &member.place.endpoint;
                let credential = self.credential();
                let connect = |credential| async move {
                    let connect = self.driver.connect(endpoint, credential, deadline);
                    timeout_at(deadline, connect).await.map_err(|_| late())?
                };
                match connect(&credential).await {
                    Err(error) if error.kind() == ErrorKind::AuthenticationFailed => {
                        let changed = timeout_at(deadline, self.refreshed(&credential)).await.ok().flatten();
                        connect(&changed.ok_or(error)?).await?
                    }
                    outcome => outcome?,
                }
            }
        };
        let monitor = &self.config.monitor;
        let heartbeat = monitor.heartbeat.as_ref().map(|known| (known.table.as_str(), known.column.as_str()));
        let questions = Questions { neighbours: self.config.reads.discover, heartbeat };
        let report =
            timeout_at(deadline, probe(&mut asked, questions, deadline)).await.map_err(|_| late())??;
        if !asked.status().broken {
            *session = Some(asked);
        }
        Ok(report)
    }

    /// Takes in what a server said, or that it is silent. False when it need not be watched any more.
    fn heard(self: &Arc<Self>, member: &Arc<Member<D>>, outcome: Result<Report>) -> bool {
        let now = Instant::now();
        let neighbours = {
            let mut facts = member.facts.lock();
            match outcome {
                Ok(mut report) => {
                    let neighbours = std::mem::take(&mut report.neighbours);
                    member.set_known(report.position.clone());
                    facts.report = Some(Arc::new(report));
                    (facts.failures, facts.last_error, facts.heard_of) = (0, None, Some(now));
                    neighbours
                }
                Err(error) => {
                    let more = match &error {
                        Error::Server(_) | Error::Authentication { .. } => 0,
                        error if error.kind() == ErrorKind::ConnectionRefused => SILENT_AFTER,
                        _ => 1,
                    };
                    facts.failures = facts.failures.saturating_add(more);
                    facts.last_error = Some(error.to_string().into());
                    let since = *facts.heard_of.get_or_insert(now);
                    if !member.place.configured && now.saturating_duration_since(since) > FORGOTTEN {
                        drop(facts);
                        self.forget(member);
                        return false;
                    }
                    Vec::new()
                }
            }
        };
        for neighbour in neighbours {
            self.meet(&neighbour.host, neighbour.port, &neighbour.key);
        }
        self.reconsider();
        true
    }

    /// A statement found out that the primary takes no writes.
    pub(super) fn demoted(self: &Arc<Self>, member: &Arc<Member<D>>) {
        member.pool.retire();
        if self.is_watched() {
            {
                let mut facts = member.facts.lock();
                if let Some(report) = &mut facts.report {
                    Arc::make_mut(report).writable = false;
                }
            }
            tracing::warn!(server = %member.name(), "a server that was the primary refuses writes");
            self.reconsider();
            self.look_at_all();
        }
    }

    /// Wakes all monitors.
    pub(super) fn look_at_all(&self) {
        for member in self.topology().members() {
            member.look.notify_one();
        }
    }

    /// Considers roles, lags and who answers, from what all servers said.
    fn reconsider(self: &Arc<Self>) {
        let mut notes = self.notes.lock();
        let old = self.topology();
        let members: Vec<Arc<Member<D>>> = self.members.lock().clone();
        let candidates: Vec<Candidate> = members.iter().map(|member| candidate(member)).collect();
        let current = old.primary.as_ref().and_then(|old| members.iter().position(|m| Arc::ptr_eq(m, old)));
        let elected = election::elect(&candidates, current);
        let mut changed = false;
        for (member, candidate) in members.iter().zip(&candidates) {
            let asked = member.facts.lock().heard_of.is_some() || candidate.report.is_some();
            changed |= asked && member.set_answers(candidate.report.is_some());
        }
        let epoch = if elected.is_some() && elected != current { old.epoch + 1 } else { old.epoch };
        if elected != current {
            changed = true;
            self.roles_change(&mut notes, &members, current, elected);
        }
        changed |= old.members().count() != members.len();
        self.measure(&mut notes, &members, &candidates, elected);
        if changed {
            let primary = elected.map(|index| members[index].clone());
            let replicas = (0..members.len()).filter(|n| Some(*n) != elected).map(|n| members[n].clone());
            self.publish(Topology { epoch, primary, replicas: replicas.collect() });
        }
    }

    fn roles_change(
        &self,
        notes: &mut PrimaryNotes,
        members: &[Arc<Member<D>>],
        current: Option<usize>,
        elected: Option<usize>,
    ) {
        notes.clear();
        if let Some(old) = current.map(|index| &members[index]) {
            old.set_role(Role::Replica);
            old.set_lag(Lag::Unbounded);
            // What is connected to it was connected to a primary.
            old.pool.retire();
            self.resize(old, Role::Replica);
        }
        let Some(new) = elected.map(|index| &members[index]) else {
            tracing::warn!("no server takes writes");
            return;
        };
        new.set_role(Role::Primary);
        new.breaker().reset();
        self.resize(new, Role::Primary);
        if let Some(report) = &new.facts.lock().report {
            self.token.forget_lost(&report.position);
        }
        tracing::info!(server = %new.name(), "the primary is another server now");
    }

    /// How far each replica is behind.
    fn measure(
        &self,
        notes: &mut PrimaryNotes,
        members: &[Arc<Member<D>>],
        candidates: &[Candidate],
        elected: Option<usize>,
    ) {
        let primary = elected.and_then(|index| candidates[index].report.as_ref());
        if let Some(report) = primary.filter(|report| !report.position.is_empty()) {
            notes.add(report.asked, report.position.clone());
        }
        for (index, (member, candidate)) in members.iter().zip(candidates).enumerate() {
            if Some(index) == elected {
                if candidate.report.is_some()
                    && member.breaker().state() != rustydb_resilience::BreakerState::Closed
                {
                    // It answers and takes writes: no need to wait until the breaker finds out.
                    member.breaker().reset();
                }
                continue;
            }
            let lag = candidate
                .report
                .as_ref()
                .map_or(Lag::Unbounded, |report| lag_of(report, notes, primary.is_some()));
            member.set_lag(lag);
        }
    }
}

/// A replica's lag by the best measure there is.
fn lag_of(report: &Report, notes: &PrimaryNotes, primary_answers: bool) -> Lag {
    let by_position = || notes.lag(report.answered, &report.position);
    let Some(source) = &report.source else {
        // A member of a group, or a server that does not show its replication to this account.
        return match report.group {
            Some(super::probe::GroupRole::Apart) => Lag::Unbounded,
            _ => by_position().unwrap_or(Lag::Unbounded),
        };
    };
    // It cannot receive from a primary that is gone, and lacks nothing for that.
    let receives = match source.receives {
        Running::Yes => true,
        Running::Connecting => !primary_answers,
        Running::No => false,
    };
    if !receives || source.applies != Running::Yes {
        return Lag::Unbounded;
    }
    let by_word = source.seconds_behind.map(|seconds| Lag::Behind(Duration::from_secs(seconds)));
    match report.heartbeat_age {
        Some(age) => Lag::Behind(age),
        None => by_position().or(by_word).unwrap_or(Lag::Unbounded),
    }
}

fn candidate<D: Driver>(member: &Member<D>) -> Candidate {
    let facts = member.facts.lock();
    let (host, port) = match member.address() {
        Address::Tcp { host, port } => (host.clone(), *port),
        Address::Unix(path) => (path.to_string_lossy().into(), 0),
    };
    let report = facts.report.clone().filter(|_| facts.failures < SILENT_AFTER);
    Candidate { host, port, report }
}

impl<D: Driver + Clone> Shared<D> {
    /// A server heard of from another: watched from now on, unless it is one that is known.
    fn meet(self: &Arc<Self>, host: &str, port: u16, key: &super::probe::ServerKey) {
        let known = {
            let members = self.members.lock();
            let candidates: Vec<Candidate> = members.iter().map(|member| candidate(member)).collect();
            // While one is not known by its name in replication, a new address may be that one.
            let unclear =
                members.iter().any(|member| member.place.configured && member.facts.lock().report.is_none());
            unclear || members.len() >= MOST_MEMBERS || election::find(&candidates, host, port, key).is_some()
        };
        if known {
            return;
        }
        let address = Address::tcp(host, port);
        let endpoint = Endpoint::new(address.to_string(), address);
        let place = Place { endpoint, weight: 1, priority: 0, configured: false };
        match self.join(place) {
            Ok(member) => tracing::info!(server = %member.name(), "a server was found"),
            Err(error) => tracing::warn!(host, port, %error, "a server was found and cannot be used"),
        }
    }

    fn forget(self: &Arc<Self>, member: &Arc<Member<D>>) {
        self.members.lock().retain(|known| !Arc::ptr_eq(known, member));
        tracing::info!(server = %member.name(), "a server that was found is silent and forgotten");
        self.reconsider();
    }
}
