//! The servers of a cluster and their roles at one moment, and a view of them for people.

use super::lag::Lag;
use super::member::{Member, Role};
use crate::driver::{Address, Driver};
use crate::pool::PoolStats;
use rustydb_resilience::BreakerState;
use std::sync::Arc;
use std::time::Duration;

/// Who is who. A new one is made whenever a role, or whether a server answers, changes.
pub struct Topology<D: Driver> {
    /// Grows when another server becomes the primary.
    pub epoch: u64,
    /// The server that takes writes; none while nobody is known to.
    pub primary: Option<Arc<Member<D>>>,
    /// The others.
    pub replicas: Vec<Arc<Member<D>>>,
}

impl<D: Driver> Topology<D> {
    /// All servers, the primary first.
    pub fn members(&self) -> impl Iterator<Item = &Arc<Member<D>>> {
        self.primary.iter().chain(&self.replicas)
    }

    /// What a person wants to know of each server now.
    pub fn view(&self) -> TopologyView {
        TopologyView { epoch: self.epoch, servers: self.members().map(|member| view(member)).collect() }
    }
}

impl<D: Driver> std::fmt::Debug for Topology<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topology")
            .field("epoch", &self.epoch)
            .field("primary", &self.primary)
            .field("replicas", &self.replicas)
            .finish()
    }
}

/// A cluster as a person sees it.
#[derive(Debug, Clone)]
pub struct TopologyView {
    /// Grows when another server becomes the primary.
    pub epoch: u64,
    /// The servers, the primary first.
    pub servers: Vec<ServerView>,
}

/// A server as a person sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerView {
    /// Its name in logs and metrics.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: Address,
    /// What it does.
    pub role: Role,
    /// Whether it answered when it was last asked.
    pub answers: bool,
    /// How far it is behind.
    pub lag: Lag,
    /// Its circuit breaker.
    pub breaker: BreakerState,
    /// Statements and transactions that have a connection of it.
    pub in_flight: usize,
    /// How long its statements take.
    pub latency: Duration,
    /// Its connections.
    pub pool: PoolStats,
    /// The transactions that it said it has.
    pub position: String,
    /// Why it was last found silent, while it is.
    pub last_error: Option<Box<str>>,
}

fn view<D: Driver>(member: &Member<D>) -> ServerView {
    let facts = member.facts.lock();
    ServerView {
        name: member.name().clone(),
        address: member.address().clone(),
        role: member.role(),
        answers: member.answers(),
        lag: if member.role() == Role::Primary { Lag::Behind(Duration::ZERO) } else { member.lag() },
        breaker: member.breaker().state(),
        in_flight: member.in_flight(),
        latency: member.latency(),
        pool: member.pool().stats(),
        position: facts.report.as_ref().map_or_else(String::new, |report| report.position.to_string()),
        last_error: facts.last_error.clone(),
    }
}
