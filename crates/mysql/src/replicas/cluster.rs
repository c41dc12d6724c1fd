//! All servers of a cluster together: made from configuration, watched, given another credential, closed.

use super::balance::Balancer;
use super::causal::CausalToken;
use super::lag::PrimaryNotes;
use super::member::{Member, Place, Role};
use super::monitor;
use super::topology::{Topology, TopologyView};
use crate::config::{ClientConfig, MonitorConfig, PoolConfig, ReplicaConfig, ReplicaReads};
use crate::driver::{Address, Credential, Driver, Endpoint};
use crate::observe::PoolMetrics;
use crate::pool::{Pool, PoolError, Refresh};
use parking_lot::Mutex;
use rustydb_telemetry::{Counter, Registry};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What a cluster is told.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The server that takes writes, until another is found to
    pub primary: Address,
    /// The others
    pub replicas: Vec<ReplicaConfig>,
    /// Reads on replicas
    pub reads: ReplicaReads,
    /// How servers are watched
    pub monitor: MonitorConfig,
    /// The pool of the primary
    pub pool: PoolConfig,
    /// The pool of each replica
    pub replica_pool: PoolConfig,
    /// Time to open a connection
    pub connect_timeout: Duration,
    /// A timeout of a statement speaks against its server
    pub timeouts_trip_breaker: bool,
}

impl From<&ClientConfig> for ClusterConfig {
    fn from(config: &ClientConfig) -> ClusterConfig {
        ClusterConfig {
            primary: config.primary.clone(),
            replicas: config.replicas.clone(),
            reads: config.reads,
            monitor: config.monitor.clone(),
            pool: config.pool.clone(),
            replica_pool: config.replica_pool().clone(),
            connect_timeout: config.connect_timeout,
            timeouts_trip_breaker: config.timeouts_trip_breaker,
        }
    }
}

/// The servers of a cluster. Clones are the same cluster; its tasks end with the last of them.
pub struct Cluster<D: Driver + Clone> {
    pub(super) shared: Arc<Shared<D>>,
}

/// What a cluster's users and tasks share. Order of locks: `notes`, `members`, `tasks`, then those of a member.
pub(super) struct Shared<D: Driver> {
    pub(super) driver: D,
    pub(super) config: ClusterConfig,
    credential: Mutex<Credential>,
    refresh: Option<Refresh>,
    registry: Registry,
    pool_metrics: PoolMetrics,
    runtime: Handle,
    pub(super) members: Mutex<Vec<Arc<Member<D>>>>,
    topology: watch::Sender<Arc<Topology<D>>>,
    /// Held while roles are considered.
    pub(super) notes: Mutex<PrimaryNotes>,
    pub(super) balancer: Balancer,
    pub(super) token: CausalToken,
    pub(super) fallbacks: Counter,
    tasks: Mutex<Vec<AbortHandle>>,
    watched: bool,
}

impl<D: Driver + Clone> Cluster<D> {
    /// A cluster whose pools begin to connect and whose servers begin to be watched.
    ///
    /// # Errors
    /// When a pool's settings contradict each other, or outside a tokio runtime.
    pub fn new(
        driver: D,
        config: ClusterConfig,
        credential: Credential,
        refresh: Option<Refresh>,
        registry: &Registry,
    ) -> Result<Cluster<D>, PoolError> {
        let runtime = Handle::try_current().map_err(|_| PoolError::NoRuntime)?;
        let watched = !config.replicas.is_empty() || config.reads.discover;
        let empty = Topology { epoch: 0, primary: None, replicas: Vec::new() };
        let fallbacks = registry.counter(
            "mysql.replica.fallback_to_primary",
            "Reads that went to the primary because no replica was fit",
            &[],
        );
        let shared = Arc::new(Shared {
            driver,
            balancer: Balancer::new(config.reads.balancing),
            credential: Mutex::new(credential),
            refresh,
            registry: registry.clone(),
            pool_metrics: PoolMetrics::default(),
            runtime,
            members: Mutex::default(),
            topology: watch::Sender::new(Arc::new(empty)),
            notes: Mutex::default(),
            token: CausalToken::new(),
            fallbacks,
            tasks: Mutex::default(),
            watched,
            config,
        });
        let primary = Place {
            endpoint: Endpoint::new(shared.config.primary.to_string(), shared.config.primary.clone()),
            weight: 1,
            priority: 0,
            configured: true,
        };
        let primary = shared.add(primary, Role::Primary)?;
        let mut replicas = Vec::new();
        for ReplicaConfig { name, address, weight, priority } in shared.config.replicas.clone() {
            let endpoint = Endpoint::new(name, address);
            replicas.push(shared.add(Place { endpoint, weight, priority, configured: true }, Role::Replica)?);
        }
        let members: Vec<_> = std::iter::once(&primary).chain(&replicas).cloned().collect();
        shared.publish(Topology { epoch: 1, primary: Some(primary), replicas });
        for member in &members {
            shared.watch(member);
        }
        Ok(Cluster { shared })
    }

    /// Who is who at the moment.
    pub fn topology(&self) -> Arc<Topology<D>> {
        self.shared.topology()
    }

    /// Who is who, and what a person wants to know of each server.
    pub fn view(&self) -> TopologyView {
        self.topology().view()
    }

    /// Tells of each change of roles, and of who answers.
    pub fn changes(&self) -> watch::Receiver<Arc<Topology<D>>> {
        self.shared.topology.subscribe()
    }

    /// What this cluster's causal reads must see: every write made through it, and whatever is merged into it.
    pub fn token(&self) -> &CausalToken {
        &self.shared.token
    }

    /// Connects with another credential from now on; connections of the old one end as they come back.
    pub fn rotate(&self, credential: Credential) {
        *self.shared.credential.lock() = credential.clone();
        for member in self.shared.members.lock().iter() {
            member.pool().rotate(credential.clone());
        }
    }

    /// Waits until every server was asked once, or answers are overdue.
    pub async fn ready(&self, deadline: Instant) {
        if !self.shared.watched {
            return;
        }
        let asked = |member: &Arc<Member<D>>| {
            let facts = member.facts.lock();
            facts.report.is_some() || facts.failures > 0
        };
        while Instant::now() < deadline && !self.shared.members.lock().iter().all(asked) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops watching, and closes all pools: waits until connections came back, at most until `deadline`. Gives
    /// how many were still out.
    pub async fn close(&self, deadline: Instant) -> usize {
        self.shared.stop();
        let members = self.shared.members.lock().clone();
        let mut still_out = 0;
        for member in members {
            still_out += member.pool().close(deadline).await.still_out;
        }
        still_out
    }
}

impl<D: Driver + Clone> Clone for Cluster<D> {
    fn clone(&self) -> Self {
        Cluster { shared: self.shared.clone() }
    }
}

impl<D: Driver + Clone> std::fmt::Debug for Cluster<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("topology", &self.topology()).finish_non_exhaustive()
    }
}

impl<D: Driver> Shared<D> {
    pub(super) fn topology(&self) -> Arc<Topology<D>> {
        self.topology.borrow().clone()
    }

    pub(super) fn changes(&self) -> watch::Receiver<Arc<Topology<D>>> {
        self.topology.subscribe()
    }

    pub(super) fn publish(&self, topology: Topology<D>) {
        self.topology.send_replace(Arc::new(topology));
    }

    pub(super) fn credential(&self) -> Credential {
        self.credential.lock().clone()
    }

    /// Another credential than `refused`, from where credentials come from; none where there is none. Pools ask for
    /// themselves.
    pub(super) async fn refreshed(&self, refused: &Credential) -> Option<Credential> {
        let differs = |other: &Credential| {
            other.user != refused.user || other.password.expose_secret() != refused.password.expose_secret()
        };
        let known = self.credential();
        if differs(&known) {
            return Some(known);
        }
        let fresh = self.refresh.as_ref()?().await.filter(differs)?;
        *self.credential.lock() = fresh.clone();
        Some(fresh)
    }

    /// Whether roles can change: there is more than one server, or more may be found.
    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    /// Gives a member's pool the size of its role.
    pub(super) fn resize(&self, member: &Member<D>, role: Role) {
        let config = match role {
            Role::Primary => &self.config.pool,
            Role::Replica => &self.config.replica_pool,
        };
        if let Err(error) = member.pool.reconfigure(config.clone()) {
            tracing::warn!(server = %member.name(), %error, "a pool keeps its size");
        }
    }

    fn stop(&self) {
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
    }

    fn add(&self, place: Place, role: Role) -> Result<Arc<Member<D>>, PoolError>
    where
        D: Clone,
    {
        let pool = Pool::with_refresh(
            self.driver.clone(),
            place.endpoint.clone(),
            self.credential(),
            self.config.connect_timeout,
            match role {
                Role::Primary => self.config.pool.clone(),
                Role::Replica => self.config.replica_pool.clone(),
            },
            self.refresh.clone(),
        )?;
        self.pool_metrics.watch(&self.registry, &pool);
        let member = Arc::new(Member::new(place, pool, &self.registry));
        member.set_role(role);
        self.members.lock().push(member.clone());
        Ok(member)
    }

    /// Takes a server in that was found, and watches it.
    pub(super) fn join(self: &Arc<Self>, place: Place) -> Result<Arc<Member<D>>, PoolError>
    where
        D: Clone,
    {
        let member = self.add(place, Role::Replica)?;
        self.watch(&member);
        Ok(member)
    }

    fn watch(self: &Arc<Self>, member: &Arc<Member<D>>)
    where
        D: Clone,
    {
        if self.watched {
            let task = monitor::watch(Arc::downgrade(self), Arc::downgrade(member));
            let task = self.runtime.spawn(task).abort_handle();
            let mut tasks = self.tasks.lock();
            tasks.retain(|task| !task.is_finished());
            tasks.push(task);
        }
    }
}

impl<D: Driver> Drop for Shared<D> {
    fn drop(&mut self) {
        self.stop();
    }
}
