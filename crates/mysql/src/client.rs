//! The client: one door to a server or a cluster.
//!
//! ```text
//!  statement -> guards -> router -> connection of the right server -> execute -> learn from the outcome
//!                           ^                                                        |
//!                           +--- again, where nothing can have happened twice <------+
//! ```
//!
//! | file | its idea |
//! |---|---|
//! | `statement.rs` | running a statement, and when it may be run again |
//! | `catalog.rs` | metadata, plans, health |
//! | `connection.rs` | [`Connection`]: a connection that is held |
//! | `session.rs` | [`SplitSession`]: a session over all servers |
//! | `bulk.rs` | many rows by few statements |
//! | `stream.rs` | [`RowStream`]: rows as they come |
//! | `credentials.rs` | passwords from a secret store, and their rotation |
//! | `contract.rs` | [`MysqlClientTrait`] |
//!
//! What is repeated: reads, after errors that another try can mend ([`crate::resilience::ByKind`]); writes, only
//! where the server said that it did nothing (deadlock, lock wait, too many connections, not the primary any
//! more) or where nothing was sent. A write whose connection was lost is [`Error::UnknownOutcome`]. All
//! repetition shares a [`RetryBudget`].
//!
//! [`Client`] is generic over its [`Driver`], so that recordings, doubles and scripted servers run all of
//! this. Left to others: everything named above.

mod bulk;
mod catalog;
mod connection;
mod contract;
mod credentials;
mod session;
mod statement;
mod stream;
#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use contract::MysqlClientTrait;
pub use session::SplitSession;
pub use statement::{ExecuteResult, PreparedStatement, ResultSet};
pub use stream::RowStream;

use crate::backend::Backend;
use crate::config::{ClientConfig, CompressionMode, ConfigError, PoolConfig};
use crate::connection::{Compression, ConnectOptions, ServerDriver};
use crate::driver::{Credential, Driver};
use crate::error::{Error, Result};
use crate::guards::Guards;
use crate::observe::ClientMetrics;
use crate::pool::{PoolError, PoolStats};
use crate::replicas::{CausalToken, Cluster, ClusterConfig, TopologyView};
use crate::routing::{Router, RouterOptions};
use crate::slow_log::SlowLog;
use crate::statements::CachingDriver;
use crate::transaction::{AccessMode, Transaction, TransactionOptions, TransactionRetry, with_transaction};
use rustydb_resilience::RetryBudget;
use rustydb_secrets::Secrets;
use rustydb_telemetry::Registry;
use std::sync::Arc;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::Instrument;

/// What a client is made with, besides its configuration.
#[derive(Clone, Default)]
pub struct Services {
    /// Where instruments are shown; a registry of its own when it is not given
    pub registry: Registry,
    /// Where passwords come from that the configuration names by a key
    pub secrets: Option<Secrets>,
    /// Where statements are kept that are slow, by its own threshold; one of this process and the configured
    /// threshold when it is not given
    pub slow_log: Option<Arc<SlowLog>>,
}

/// A client. Clones are the same client; it ends with the last of them and the last connection that is out.
pub struct Client<D: Driver + Clone> {
    shared: Arc<Shared<D>>,
}

pub(crate) struct Shared<D: Driver + Clone> {
    config: ClientConfig,
    cluster: Cluster<D>,
    router: Router,
    guards: Guards,
    metrics: ClientMetrics,
    slow_log: Arc<SlowLog>,
    registry: Registry,
    budget: RetryBudget,
    rotation: Option<AbortHandle>,
    /// Where every statement goes, where there is one server and no other is looked for
    only_server: Option<Box<str>>,
}

/// A client of servers, or of a recording or a double of them.
pub type MysqlClient = Client<CachingDriver<Backend>>;

impl MysqlClient {
    /// A client of the servers that the configuration names. Its pools begin to connect at once, in the
    /// background; the first statement says what is wrong with a server.
    ///
    /// # Errors
    /// [`Error::Configuration`]; what the secret store says when the password is there.
    pub async fn connect(config: ClientConfig, services: Services) -> Result<MysqlClient> {
        config.validate()?;
        let driver = ServerDriver::new(connect_options(&config)?)?;
        MysqlClient::over(driver, config, services).await
    }

    /// A client over another backend: a recording, a replay, a double.
    ///
    /// # Errors
    /// As [`connect`](MysqlClient::connect).
    pub async fn over(
        backend: impl Into<Backend>,
        config: ClientConfig,
        services: Services,
    ) -> Result<MysqlClient> {
        let driver = CachingDriver::new(backend.into(), config.limits.prepared_cache);
        Client::with_driver(driver, config, services).await
    }
}

/// How connections are made that the configuration asks for.
fn connect_options(config: &ClientConfig) -> Result<ConnectOptions> {
    if config.charset != "utf8mb4" {
        return Err(Error::Configuration(format!(
            "charset is {}, but connections speak utf8mb4",
            config.charset
        )));
    }
    Ok(ConnectOptions {
        database: config.database.clone(),
        tls: (&config.tls).into(),
        compression: match config.compression {
            CompressionMode::Off => None,
            CompressionMode::Zlib => Some(Compression::Zlib),
            CompressionMode::Zstd(level) => Some(Compression::Zstd(level)),
        },
        collation: config.collation.clone(),
        program_name: config.application_name.clone().unwrap_or_default(),
        ..ConnectOptions::default()
    })
}

impl<D: Driver + Clone> Client<D> {
    /// A client over `driver`. Its pools begin to connect at once, in the background.
    ///
    /// # Errors
    /// [`Error::Configuration`]; what the secret store says when the password is there.
    pub async fn with_driver(driver: D, config: ClientConfig, services: Services) -> Result<Client<D>> {
        config.validate()?;
        let slow_log = match services.slow_log.clone() {
            Some(log) => log,
            None => {
                let log = SlowLog::new(config.limits.slow_query);
                Arc::new(log.map_err(|error| Error::Configuration(error.to_string()))?)
            }
        };
        let login = credentials::Login::resolve(&config, &services).await?;
        let cluster = Cluster::new(
            driver,
            ClusterConfig::from(&config),
            login.credential(),
            login.refresh(),
            &services.registry,
        )?;
        // From here on nothing fails: what follows rotations lives until the client ends it.
        let rotation = login.follow(&cluster);
        let split_reads = !config.replicas.is_empty() || config.reads.discover;
        let only_server = (!split_reads).then(|| config.primary.to_string().into());
        let router = Router::new(RouterOptions { split_reads, ..RouterOptions::default() });
        let guards = Guards::new(&config.guards, &config.limits);
        let shared = Shared {
            config,
            cluster,
            router,
            guards,
            metrics: ClientMetrics::new(&services.registry),
            slow_log,
            registry: services.registry,
            budget: RetryBudget::default(),
            rotation,
            only_server,
        };
        Ok(Client { shared: Arc::new(shared) })
    }

    /// What it was told.
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// Its servers.
    pub fn cluster(&self) -> &Cluster<D> {
        &self.shared.cluster
    }

    /// Decides where statements go.
    pub fn router(&self) -> &Router {
        &self.shared.router
    }

    /// Where its instruments are.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Which statements were slow, and which are like them.
    pub fn slow_log(&self) -> &Arc<SlowLog> {
        &self.shared.slow_log
    }

    /// Who is who among its servers, their lag, breakers and pools.
    pub fn topology(&self) -> TopologyView {
        self.shared.cluster.view()
    }

    /// What causal reads have to see: every write made through this client, and whatever is merged into it.
    pub fn causal_token(&self) -> &CausalToken {
        self.shared.cluster.token()
    }

    /// A connection of the primary, to be used as a session: what is set on it stays until it is dropped.
    ///
    /// # Errors
    /// As [`Cluster::primary`].
    pub async fn acquire_connection(&self) -> Result<Connection<D>> {
        self.get_primary().await
    }

    /// Gives a connection back; dropping it does the same.
    pub fn release_connection(&self, connection: Connection<D>) {
        drop(connection);
    }

    /// A connection of the server that takes writes.
    ///
    /// # Errors
    /// As [`Cluster::primary`].
    pub async fn get_primary(&self) -> Result<Connection<D>> {
        let checkout = self.shared.cluster.primary(self.acquire_deadline()).await?;
        Ok(Connection::new(Arc::clone(&self.shared), checkout))
    }

    /// A connection of a replica that is fit, else of the primary.
    ///
    /// # Errors
    /// As [`Cluster::reader`].
    pub async fn get_replica(&self) -> Result<Connection<D>> {
        let checkout = self.shared.cluster.reader(self.token(), self.acquire_deadline()).await?;
        Ok(Connection::new(Arc::clone(&self.shared), checkout))
    }

    /// The figures of the primary's pool; those of all servers are in [`topology`](Self::topology).
    ///
    /// # Errors
    /// [`Error::NoPrimary`] while nobody takes writes.
    pub fn get_pool_status(&self) -> Result<PoolStats> {
        let topology = self.shared.cluster.topology();
        let none = Error::NoPrimary { waited: std::time::Duration::ZERO, last: None };
        topology.primary.as_ref().map(|member| member.pool().stats()).ok_or(none)
    }

    /// Validates the idle connections of every server now, and opens what their minimum lacks.
    pub async fn health_check(&self) {
        let topology = self.shared.cluster.topology();
        for member in topology.members() {
            member.pool().health_check().await;
        }
    }

    /// Gives the pools of all servers other settings.
    ///
    /// # Errors
    /// When they contradict each other; nothing is changed then.
    pub fn reconfigure_pool(&self, config: PoolConfig) -> Result<()> {
        config.validate()?;
        for member in self.shared.cluster.topology().members() {
            member.pool().reconfigure(config.clone())?;
        }
        Ok(())
    }

    /// Connects with another credential from now on; what is under way ends undisturbed.
    pub fn rotate_credential(&self, credential: Credential) {
        self.shared.cluster.rotate(credential);
    }

    /// Begins a transaction: on the primary, or on a replica when it is READ ONLY.
    ///
    /// # Errors
    /// As the server has them.
    pub async fn begin(&self, options: TransactionOptions) -> Result<Transaction<Connection<D>>> {
        let connection = self.connection_for(&options).await?;
        Transaction::begin(connection, options, self.shared.config.limits.query_timeout).await
    }

    /// Runs `work` in a transaction, which is committed when it gives `Ok` and rolled back when it gives
    /// `Err`. After a deadlock or a lock wait the whole of it is run again.
    ///
    /// ```no_run
    /// # use rustydb_mysql::client::Client;
    /// # use rustydb_mysql::transaction::TransactionOptions;
    /// # use rustydb_mysql::{Driver, Error, params};
    /// # async fn f<D: Driver + Clone>(client: Client<D>, from: i64, to: i64) -> Result<(), Error> {
    /// client
    ///     .with_transaction(TransactionOptions::default(), |mut transaction| async move {
    ///         transaction.execute("UPDATE account SET b = b - 1 WHERE id = ?", &params![from]).await?;
    ///         transaction.execute("UPDATE account SET b = b + 1 WHERE id = ?", &params![to]).await?;
    ///         Ok::<(), Error>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `work`, and of beginning and committing; [`Error::UnknownOutcome`] when the answer to COMMIT
    /// was lost.
    pub async fn with_transaction<T, E, F, Fut>(&self, options: TransactionOptions, work: F) -> Result<T, E>
    where
        E: From<Error>,
        F: FnMut(Transaction<Connection<D>>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let span = match self.shared.config.observe {
            true => tracing::info_span!("mysql.transaction", otel.kind = "client", db.system.name = "mysql"),
            false => tracing::Span::none(),
        };
        with_transaction(
            TransactionRetry::within(self.shared.budget.clone()),
            options.clone(),
            self.shared.config.limits.query_timeout,
            || self.connection_for(&options),
            work,
        )
        .instrument(span)
        .await
    }

    /// Waits until every server was asked once who it is, at most until `deadline`: reads before that go to the
    /// primary. A single server is not asked.
    pub async fn ready(&self, deadline: Instant) {
        self.shared.cluster.ready(deadline).await;
    }

    /// Ends the client: turns away who comes, and waits until connections came back, at most until
    /// `deadline`. Gives how many were still out.
    pub async fn close(&self, deadline: Instant) -> usize {
        self.shared.cluster.close(deadline).await
    }

    /// What reads have to see: all that was written through this client, on whichever server.
    fn token(&self) -> Option<&CausalToken> {
        self.shared.config.reads.causal.then(|| self.shared.cluster.token())
    }

    fn acquire_deadline(&self) -> Instant {
        Instant::now() + self.shared.config.pool.acquire_timeout
    }

    async fn connection_for(&self, options: &TransactionOptions) -> Result<Connection<D>> {
        match options.access {
            Some(AccessMode::ReadOnly) => self.get_replica().await,
            _ => self.get_primary().await,
        }
    }
}

impl<D: Driver + Clone> Drop for Shared<D> {
    fn drop(&mut self) {
        if let Some(task) = self.rotation.take() {
            task.abort();
        }
    }
}

impl<D: Driver + Clone> Clone for Client<D> {
    fn clone(&self) -> Self {
        Client { shared: Arc::clone(&self.shared) }
    }
}

impl<D: Driver + Clone> std::fmt::Debug for Client<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("cluster", &self.shared.cluster).finish_non_exhaustive()
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        Error::Configuration(error.to_string())
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Error {
        Error::Configuration(error.to_string())
    }
}
