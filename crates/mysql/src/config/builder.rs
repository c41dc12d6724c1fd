//! Making a configuration step by step.
//!
//! Each method sets one thing; [`ClientConfigBuilder::build`] checks the whole. A maximum of connections
//! below the minimum lowers the minimum, unless the minimum was set too: that is a contradiction, which
//! `build` reports.

use super::{
    Address, Balancing, ClientConfig, CompressionMode, ConfigError, GuardConfig, Limits, MonitorConfig,
    PasswordSource, PoolConfig, Profile, ReplicaConfig, ReplicaReads, SslMode, TlsConfig,
};
use secrecy::SecretString;
use std::path::PathBuf;
use std::time::Duration;

/// Makes a [`ClientConfig`].
///
/// ```
/// use rustydb_mysql::config::{Address, ClientConfig, ReplicaConfig, SslMode};
///
/// let config = ClientConfig::builder()
///     .primary(Address::tcp("db1", 3306))
///     .replica(ReplicaConfig::new(Address::tcp("db2", 3306)).with_weight(2))
///     .user("app")
///     .credential_key("mysql/production/primary")
///     .database("shop")
///     .ssl_mode(SslMode::VerifyIdentity)
///     .ssl_ca("/etc/ssl/db-ca.pem")
///     .max_connections(40)
///     .build()?;
/// assert_eq!(config.pool.max_connections, 40);
/// # Ok::<(), rustydb_mysql::config::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientConfigBuilder {
    config: ClientConfig,
    minimum_is_set: bool,
}

impl ClientConfigBuilder {
    /// Goes on from a configuration that is there.
    pub fn from_config(config: ClientConfig) -> ClientConfigBuilder {
        ClientConfigBuilder { config, minimum_is_set: false }
    }

    /// How strict validation is.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.config.profile = profile;
        self
    }

    /// The server that takes writes.
    pub fn primary(mut self, address: Address) -> Self {
        self.config.primary = address;
        self
    }

    /// One more server that takes reads.
    pub fn replica(mut self, replica: ReplicaConfig) -> Self {
        self.config.replicas.push(replica);
        self
    }

    /// The account.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.config.user = user.into();
        self
    }

    /// A password that is known here. Production takes [`credential_key`](Self::credential_key) instead.
    pub fn password(mut self, password: impl Into<SecretString>) -> Self {
        self.config.password = PasswordSource::Plain(password.into());
        self
    }

    /// The key of the password in the secret store.
    pub fn credential_key(mut self, key: impl Into<String>) -> Self {
        self.config.password = PasswordSource::Key(key.into());
        self
    }

    /// The default database.
    pub fn database(mut self, database: impl Into<String>) -> Self {
        self.config.database = Some(database.into());
        self
    }

    /// Character set and collation of each connection.
    pub fn charset(mut self, charset: impl Into<String>, collation: impl Into<String>) -> Self {
        self.config.charset = charset.into();
        self.config.collation = collation.into();
        self
    }

    /// All of TLS.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.config.tls = tls;
        self
    }

    /// What is asked of encryption.
    pub fn ssl_mode(mut self, mode: SslMode) -> Self {
        self.config.tls.mode = mode;
        self
    }

    /// PEM file of the CAs that are trusted.
    pub fn ssl_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.tls.ca = Some(path.into());
        self
    }

    /// Compression of connections.
    pub fn compression(mut self, mode: CompressionMode) -> Self {
        self.config.compression = mode;
        self
    }

    /// Time to open a connection.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout = timeout;
        self
    }

    /// All settings of the pool.
    pub fn pool(mut self, pool: PoolConfig) -> Self {
        self.config.pool = pool;
        self.minimum_is_set = true;
        self
    }

    /// Settings of the pools of replicas, where they are not those of the primary.
    pub fn replica_pool(mut self, pool: PoolConfig) -> Self {
        self.config.replica_pool = Some(pool);
        self
    }

    /// Connections kept open.
    pub fn min_connections(mut self, min: usize) -> Self {
        self.config.pool.min_connections = min;
        self.minimum_is_set = true;
        self
    }

    /// Connections open at most.
    pub fn max_connections(mut self, max: usize) -> Self {
        self.config.pool.max_connections = max;
        self
    }

    /// How long an acquire waits.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.config.pool.acquire_timeout = timeout;
        self
    }

    /// Time of one statement.
    pub fn query_timeout(mut self, timeout: Duration) -> Self {
        self.config.limits.query_timeout = timeout;
        self
    }

    /// Whether statements that nobody waits for any more are ended at the server.
    pub fn kill_abandoned(mut self, on: bool) -> Self {
        self.config.pool.kill_abandoned = on;
        self
    }

    /// Limits of one call.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// How reads use replicas.
    pub fn reads(mut self, reads: ReplicaReads) -> Self {
        self.config.reads = reads;
        self
    }

    /// How servers are watched.
    pub fn monitor(mut self, monitor: MonitorConfig) -> Self {
        self.config.monitor = monitor;
        self
    }

    /// How a replica is picked.
    pub fn balancing(mut self, balancing: Balancing) -> Self {
        self.config.reads.balancing = balancing;
        self
    }

    /// Reads see every write that this client made before, on any connection and server.
    pub fn causal_reads(mut self, on: bool) -> Self {
        self.config.reads.causal = on;
        self
    }

    /// Statements that are refused.
    pub fn guards(mut self, guards: GuardConfig) -> Self {
        self.config.guards = guards;
        self
    }

    /// Whether statements and transactions are counted, timed and have spans.
    pub fn observe(mut self, on: bool) -> Self {
        self.config.observe = on;
        self
    }

    /// The name that the server shows of this client.
    pub fn application_name(mut self, name: impl Into<String>) -> Self {
        self.config.application_name = Some(name.into());
        self
    }

    /// Checks the whole and gives it.
    pub fn build(mut self) -> Result<ClientConfig, ConfigError> {
        let pool = &mut self.config.pool;
        if !self.minimum_is_set {
            pool.min_connections = pool.min_connections.min(pool.max_connections);
        }
        self.config.validate()?;
        Ok(self.config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigProblem;

    #[test]
    fn a_small_maximum_lowers_only_a_minimum_that_nobody_set() {
        let config = ClientConfig::builder().max_connections(2).build().unwrap();
        assert_eq!(config.pool.min_connections, 2);
        let error = ClientConfig::builder().max_connections(2).min_connections(3).build().unwrap_err();
        assert_eq!(error.problems(), [ConfigProblem::MinimumAboveMaximum { pool: "pool", min: 3, max: 2 }]);
    }
}
