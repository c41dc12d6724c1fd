//! What a client is told: servers, credentials, TLS, the pool, limits, guards, retries.
//!
//! One value, [`ClientConfig`], is built once at the edge (by [`ClientConfig::builder`], from a URL or from
//! the environment), checked as a whole by [`ClientConfig::validate`], and passed down. Its `Default` holds
//! every default of the module and can be used as it is against a server on this machine.
//!
//! | file | holds |
//! |---|---|
//! | `mod.rs` | [`ClientConfig`] and its smaller parts |
//! | `address.rs` | reading an [`Address`] from text |
//! | `builder.rs` | [`ClientConfigBuilder`] |
//! | `environment.rs` | the `MYSQL_*` variables |
//! | `monitor.rs` | [`MonitorConfig`] |
//! | `pool.rs` | [`PoolConfig`] |
//! | `tls.rs` | [`SslMode`], [`TlsConfig`] |
//! | `url.rs` | `mysql://user:password@host:3306/database?ssl_mode=required` |
//! | `validate.rs` | every rule, and [`ConfigError`], which names all that are broken at once |
//!
//! Invariants: no password is shown by `Debug`; validation does no I/O (a certificate file that is missing
//! is found by the first connect, which says so). Left to others: resolving a credential key
//! (`rustydb-secrets`) and opening connections (`driver.rs`).

mod address;
mod builder;
mod environment;
mod monitor;
mod pool;
mod tls;
mod url;
mod validate;

pub use crate::driver::Address;
pub use builder::ClientConfigBuilder;
pub use monitor::{HeartbeatTable, MonitorConfig};
pub use pool::{PoolConfig, ResetPolicy};
pub use tls::{SslMode, TlsConfig};
pub use validate::{ConfigError, ConfigProblem};

use secrecy::SecretString;
use std::time::Duration;

/// How strict validation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// A server on the way to production, or on this machine: everything that works is allowed
    #[default]
    Development,
    /// TLS is a must (`Disabled` and `Preferred` are refused), `VerifyCA` and `VerifyIdentity` need their
    /// CA named, and a password has to come from a secret store, not from the configuration
    Production,
}

/// How a replica is picked among the healthy ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Balancing {
    /// One after the other
    #[default]
    RoundRobin,
    /// In turn, each as many times in a row as its weight says: weights 3, 2, 1 give 1,1,1,2,2,3
    WeightedRoundRobin,
    /// The one with the fewest statements under way
    LeastConnections,
    /// Any
    Random,
    /// The one with the least latency times load, by a moving average that rises at once with a peak
    PeakEwma,
}

/// Whether the bytes on the connection are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CompressionMode {
    /// As they are
    #[default]
    Off,
    /// zlib, which every server knows
    Zlib,
    /// zstd at this level (1 to 22), which MySQL knows from 8.0.18 on
    Zstd(u8),
}

/// Where the password comes from.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum PasswordSource {
    /// There is none
    #[default]
    None,
    /// This one. Refused by [`Profile::Production`]
    Plain(SecretString),
    /// What the secret store holds under this key, such as `mysql/production/primary`; rotated when the
    /// store says so
    Key(String),
}

/// One configured replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// Its name in metrics, spans and errors
    pub name: String,
    /// Where it listens
    pub address: Address,
    /// Its share under [`Balancing::WeightedRoundRobin`], at least 1; 1 by default
    pub weight: u32,
    /// Replicas of a smaller priority are used before those of a larger one; 0 by default
    pub priority: u32,
}

impl ReplicaConfig {
    /// A replica named by its address, of weight 1 and priority 0.
    pub fn new(address: Address) -> ReplicaConfig {
        ReplicaConfig { name: address.to_string(), address, weight: 1, priority: 0 }
    }

    /// The same with another weight.
    pub fn with_weight(mut self, weight: u32) -> ReplicaConfig {
        self.weight = weight;
        self
    }

    /// The same with another priority.
    pub fn with_priority(mut self, priority: u32) -> ReplicaConfig {
        self.priority = priority;
        self
    }
}

/// What reads on replicas may miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaReads {
    /// A replica that lags more than this gets no reads; 1 s by default
    pub max_lag: Duration,
    /// How a replica is picked
    pub balancing: Balancing,
    /// Reads see every write that this client made before, on any connection; off by default
    pub causal: bool,
    /// How long a causal read waits for a replica to catch up before it goes to the primary; 500 ms by default
    pub causal_wait: Duration,
    /// Servers that are not configured are looked for: a primary's replicas, a replica's source, the members of a
    /// replication group; off by default
    pub discover: bool,
}

impl Default for ReplicaReads {
    fn default() -> ReplicaReads {
        ReplicaReads {
            max_lag: Duration::from_millis(1_000),
            balancing: Balancing::default(),
            causal: false,
            causal_wait: Duration::from_millis(500),
            discover: false,
        }
    }
}

/// How much one call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time of one statement; 30 s by default
    pub query_timeout: Duration,
    /// Bytes of one statement's text; 16,777,216 by default
    pub max_query_size: usize,
    /// Rows that a stream reads ahead of its reader; 1000 by default
    pub stream_batch: usize,
    /// Rows or statements of one batch; 1000 by default
    pub batch: usize,
    /// Statements slower than this are logged and counted; 1 s by default
    pub slow_query: Duration,
    /// Prepared statements kept per connection; 256 by default, 0 keeps none
    pub prepared_cache: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            query_timeout: Duration::from_millis(30_000),
            max_query_size: 16_777_216,
            stream_batch: 1_000,
            batch: 1_000,
            slow_query: Duration::from_millis(1_000),
            prepared_cache: 256,
        }
    }
}

/// Statements that are refused before they reach a server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuardConfig {
    /// CREATE, ALTER, DROP, RENAME and TRUNCATE are refused; off by default
    pub block_ddl: bool,
    /// LOAD DATA is let through; off by default
    pub allow_load_data: bool,
    /// Statements with texts in quotes are refused: what they hold has to be parameters; off by default
    pub parameters_only: bool,
    /// Tables whose statements are flagged as sensitive in logs and spans, by name without its database
    pub sensitive_tables: Vec<String>,
}

/// Everything that a client needs to know. See the module for how one is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// How strict validation is
    pub profile: Profile,
    /// The server that takes writes; `localhost:3306` by default
    pub primary: Address,
    /// Servers that take reads
    pub replicas: Vec<ReplicaConfig>,
    /// The account; `root` by default
    pub user: String,
    /// Where its password comes from
    pub password: PasswordSource,
    /// The default database of each connection
    pub database: Option<String>,
    /// Character set of each connection; `utf8mb4`
    pub charset: String,
    /// Collation of each connection; `utf8mb4_unicode_ci`
    pub collation: String,
    /// Encryption of connections
    pub tls: TlsConfig,
    /// Compression of connections
    pub compression: CompressionMode,
    /// Time to open a connection, authentication included; 10 s by default
    pub connect_timeout: Duration,
    /// The pool of the primary
    pub pool: PoolConfig,
    /// The pool of each replica; the same as [`pool`](Self::pool) when `None`
    pub replica_pool: Option<PoolConfig>,
    /// Reads on replicas
    pub reads: ReplicaReads,
    /// How servers are watched
    pub monitor: MonitorConfig,
    /// Limits of one call
    pub limits: Limits,
    /// Statements that are refused
    pub guards: GuardConfig,
    /// A query timeout counts as a failure of its server for the circuit breaker; on by default
    pub timeouts_trip_breaker: bool,
    /// Statements and transactions are counted and timed, and have spans; on by default. What pools count stays
    pub observe: bool,
    /// `program_name` among the attributes that the server shows of this client
    pub application_name: Option<String>,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            profile: Profile::default(),
            primary: Address::default(),
            replicas: Vec::new(),
            user: "root".to_owned(),
            password: PasswordSource::None,
            database: None,
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_unicode_ci".to_owned(),
            tls: TlsConfig::default(),
            compression: CompressionMode::Off,
            connect_timeout: Duration::from_millis(10_000),
            pool: PoolConfig::default(),
            replica_pool: None,
            reads: ReplicaReads::default(),
            monitor: MonitorConfig::default(),
            limits: Limits::default(),
            guards: GuardConfig::default(),
            timeouts_trip_breaker: true,
            observe: true,
            application_name: None,
        }
    }
}

impl ClientConfig {
    /// Begins a configuration from the defaults.
    pub fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder::default()
    }

    /// The pool settings of replicas.
    pub fn replica_pool(&self) -> &PoolConfig {
        self.replica_pool.as_ref().unwrap_or(&self.pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_requirements_and_valid() {
        let config = ClientConfig::default();
        config.validate().unwrap();
        assert_eq!(config.primary, Address::tcp("localhost", 3306));
        assert_eq!((config.charset.as_str(), config.collation.as_str()), ("utf8mb4", "utf8mb4_unicode_ci"));
        assert_eq!(config.connect_timeout.as_millis(), 10_000);
        assert_eq!((config.pool.min_connections, config.pool.max_connections), (5, 20));
        assert_eq!(config.pool.acquire_timeout.as_millis(), 30_000);
        assert_eq!(config.pool.idle_timeout.as_millis(), 600_000);
        assert_eq!(config.pool.max_lifetime.as_millis(), 1_800_000);
        assert_eq!(config.pool.validation_interval.as_millis(), 30_000);
        assert_eq!(config.pool.validation_query.as_deref(), Some("SELECT 1"));
        assert_eq!(config.pool.waiter_limit(), 40);
        assert_eq!(config.limits.query_timeout.as_millis(), 30_000);
        assert_eq!(config.limits.max_query_size, 16_777_216);
        assert_eq!((config.limits.stream_batch, config.limits.batch), (1000, 1000));
        assert_eq!(config.limits.slow_query.as_millis(), 1000);
        assert_eq!(config.limits.prepared_cache, 256);
        assert_eq!(config.reads.max_lag.as_millis(), 1000);
        let replica = ReplicaConfig::new(Address::default());
        assert_eq!((replica.weight, replica.priority), (1, 0));
        assert!(!config.guards.allow_load_data);
    }

    #[test]
    fn debug_shows_no_password() {
        let config = ClientConfig {
            password: PasswordSource::Plain("hunter2-marked".into()),
            ..ClientConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
