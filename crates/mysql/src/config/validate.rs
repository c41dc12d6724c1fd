//! The rules of a configuration.
//!
//! [`ClientConfig::validate`] looks at everything and reports all that is wrong at once, so that a
//! deployment is not mended one restart at a time.

use super::{Address, ClientConfig, CompressionMode, PasswordSource, PoolConfig, Profile, SslMode};
use std::fmt;
use std::time::Duration;

/// Connections that one pool may have at most: servers allow 100,000.
const MOST_CONNECTIONS: usize = 100_000;

/// The largest packet of the protocol that servers can be set to take.
const LARGEST_QUERY: usize = 1 << 30;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// An address that cannot be read
    #[error("'{text}' is no address: write host, host:port, [ipv6]:port or the path of a socket")]
    InvalidAddress {
        /// What was given
        text: String,
    },
    /// A TLS mode that does not exist
    #[error("'{text}' is no ssl_mode: write disabled, preferred, required, verify_ca or verify_identity")]
    InvalidSslMode {
        /// What was given
        text: String,
    },
    /// A URL that cannot be read. Its text is not repeated: it may hold a password
    #[error("the URL cannot be read: {reason}")]
    InvalidUrl {
        /// What is wrong with it
        reason: &'static str,
    },
    /// An option that does not exist
    #[error("there is no option '{name}'")]
    UnknownOption {
        /// Its name
        name: String,
    },
    /// A variable or option that should be a number in range
    #[error("{name} is '{text}', which is no number in its range")]
    InvalidNumber {
        /// Its name
        name: String,
        /// What was given
        text: String,
    },
    /// Something that must not be empty
    #[error("{name} is empty")]
    Empty {
        /// What it is
        name: &'static str,
    },
    /// A time that must not be zero
    #[error("{name} is zero")]
    Zero {
        /// What it is
        name: &'static str,
    },
    /// A number beyond its bounds
    #[error("{name} is {value}, but at most {most} is possible")]
    TooLarge {
        /// What it is
        name: &'static str,
        /// What was given
        value: usize,
        /// What is possible
        most: usize,
    },
    /// `min_connections` above `max_connections`
    #[error("{pool}: min_connections ({min}) is above max_connections ({max})")]
    MinimumAboveMaximum {
        /// `pool` or `replica_pool`
        pool: &'static str,
        /// The minimum
        min: usize,
        /// The maximum
        max: usize,
    },
    /// A pool that could never hold a connection
    #[error("{pool}: max_connections is 0")]
    NoConnections {
        /// `pool` or `replica_pool`
        pool: &'static str,
    },
    /// A fraction outside 0 to 0.9
    #[error("{pool}: lifetime_jitter is {value}, but it has to be from 0 to 0.9")]
    InvalidJitter {
        /// `pool` or `replica_pool`
        pool: &'static str,
        /// What was given
        value: f64,
    },
    /// Two servers of one name, or a replica at the primary's address
    #[error("the server '{name}' is configured twice")]
    DuplicateServer {
        /// Its name
        name: String,
    },
    /// A replica of weight 0
    #[error("the replica '{name}' has weight 0: leave it out, or give it at least 1")]
    ZeroWeight {
        /// Its name
        name: String,
    },
    /// A client certificate without its key, or a key without its certificate
    #[error("a client certificate and its key have to be set together")]
    HalfClientCertificate,
    /// A zstd level that does not exist
    #[error("zstd has levels 1 to 22, not {level}")]
    InvalidCompressionLevel {
        /// What was given
        level: u8,
    },
    /// Production without encryption
    #[error("the production profile refuses ssl_mode {mode}: use required, verify_ca or verify_identity")]
    UnencryptedProduction {
        /// What was given
        mode: SslMode,
    },
    /// A mode that verifies, without a CA to verify against
    #[error("the production profile needs ssl_ca for ssl_mode {mode}")]
    MissingCa {
        /// What was given
        mode: SslMode,
    },
    /// A password in the configuration of production
    #[error("the production profile takes a credential_key of a secret store, not a password")]
    PlainPassword,
}

/// A configuration that cannot be used, with every reason.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    /// An error of these problems, if there is one.
    pub(super) fn of(problems: Vec<ConfigProblem>) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// Everything that is wrong, at least one thing.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl From<ConfigProblem> for ConfigError {
    fn from(problem: ConfigProblem) -> ConfigError {
        ConfigError { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used: ")?;
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl ClientConfig {
    /// Checks everything, without I/O.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        self.check_servers(&mut problems);
        self.check_session(&mut problems);
        self.pool.check("pool", &mut problems);
        if let Some(pool) = &self.replica_pool {
            pool.check("replica_pool", &mut problems);
        }
        self.check_limits(&mut problems);
        if self.profile == Profile::Production {
            self.check_production(&mut problems);
        }
        ConfigError::of(problems)
    }

    fn check_servers(&self, problems: &mut Vec<ConfigProblem>) {
        let addresses =
            std::iter::once(&self.primary).chain(self.replicas.iter().map(|replica| &replica.address));
        for address in addresses {
            match address {
                Address::Tcp { host, .. } if host.is_empty() => {
                    problems.push(ConfigProblem::Empty { name: "host" })
                }
                Address::Tcp { host, port: 0 } => {
                    problems.push(ConfigProblem::InvalidAddress { text: format!("{host}:0") });
                }
                Address::Unix(path) if path.as_os_str().is_empty() => {
                    problems.push(ConfigProblem::Empty { name: "socket path" });
                }
                _ => {}
            }
        }
        for (index, replica) in self.replicas.iter().enumerate() {
            let before = &self.replicas[..index];
            let again =
                |other: &super::ReplicaConfig| other.name == replica.name || other.address == replica.address;
            if replica.address == self.primary || before.iter().any(again) {
                problems.push(ConfigProblem::DuplicateServer { name: replica.name.clone() });
            }
            if replica.weight == 0 {
                problems.push(ConfigProblem::ZeroWeight { name: replica.name.clone() });
            }
        }
    }

    fn check_session(&self, problems: &mut Vec<ConfigProblem>) {
        for (name, value) in [("charset", &self.charset), ("collation", &self.collation)] {
            if value.is_empty() {
                problems.push(ConfigProblem::Empty { name });
            }
        }
        if matches!(&self.password, PasswordSource::Key(key) if key.is_empty()) {
            problems.push(ConfigProblem::Empty { name: "credential_key" });
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            problems.push(ConfigProblem::HalfClientCertificate);
        }
        if let CompressionMode::Zstd(level) = self.compression
            && !(1..=22).contains(&level)
        {
            problems.push(ConfigProblem::InvalidCompressionLevel { level });
        }
    }

    fn check_limits(&self, problems: &mut Vec<ConfigProblem>) {
        for (name, time) in
            [("connect_timeout", self.connect_timeout), ("query_timeout", self.limits.query_timeout)]
        {
            if time == Duration::ZERO {
                problems.push(ConfigProblem::Zero { name });
            }
        }
        let sizes = [
            ("max_query_size", self.limits.max_query_size, LARGEST_QUERY),
            ("stream_batch", self.limits.stream_batch, 1_000_000),
            ("batch", self.limits.batch, 1_000_000),
        ];
        for (name, value, most) in sizes {
            if value == 0 {
                problems.push(ConfigProblem::Zero { name });
            } else if value > most {
                problems.push(ConfigProblem::TooLarge { name, value, most });
            }
        }
        if self.limits.prepared_cache > 65_536 {
            let value = self.limits.prepared_cache;
            problems.push(ConfigProblem::TooLarge { name: "prepared_cache", value, most: 65_536 });
        }
    }

    fn check_production(&self, problems: &mut Vec<ConfigProblem>) {
        let mode = self.tls.mode;
        if mode < SslMode::Required {
            problems.push(ConfigProblem::UnencryptedProduction { mode });
        }
        if mode.verifies() && self.tls.ca.is_none() {
            problems.push(ConfigProblem::MissingCa { mode });
        }
        if matches!(self.password, PasswordSource::Plain(_)) {
            problems.push(ConfigProblem::PlainPassword);
        }
    }
}

impl PoolConfig {
    /// Checks these settings alone, as `reconfigure` does.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        self.check("pool", &mut problems);
        ConfigError::of(problems)
    }

    fn check(&self, pool: &'static str, problems: &mut Vec<ConfigProblem>) {
        let (min, max) = (self.min_connections, self.max_connections);
        if max == 0 {
            problems.push(ConfigProblem::NoConnections { pool });
        } else if min > max {
            problems.push(ConfigProblem::MinimumAboveMaximum { pool, min, max });
        }
        if max > MOST_CONNECTIONS {
            problems.push(ConfigProblem::TooLarge {
                name: "max_connections",
                value: max,
                most: MOST_CONNECTIONS,
            });
        }
        let times = [
            ("acquire_timeout", self.acquire_timeout),
            ("idle_timeout", self.idle_timeout),
            ("max_lifetime", self.max_lifetime),
            ("validation_interval", self.validation_interval),
            ("maintenance_timeout", self.maintenance_timeout),
            ("leak_threshold", self.leak_threshold.unwrap_or(Duration::MAX)),
        ];
        problems.extend(
            times
                .iter()
                .filter(|(_, time)| *time == Duration::ZERO)
                .map(|(name, _)| ConfigProblem::Zero { name }),
        );
        if !(0.0..=0.9).contains(&self.lifetime_jitter) {
            problems.push(ConfigProblem::InvalidJitter { pool, value: self.lifetime_jitter });
        }
        if self.validation_query.as_deref().is_some_and(|sql| sql.trim().is_empty()) {
            problems.push(ConfigProblem::Empty { name: "validation_query" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ReplicaConfig, TlsConfig};

    fn problems(change: impl FnOnce(&mut ClientConfig)) -> Vec<ConfigProblem> {
        let mut config = ClientConfig::default();
        change(&mut config);
        config.validate().err().map(|error| error.problems().to_vec()).unwrap_or_default()
    }

    #[test]
    fn production_refuses_what_can_be_read_on_the_way() {
        for (mode, ca, expected) in [
            (
                SslMode::Disabled,
                false,
                vec![ConfigProblem::UnencryptedProduction { mode: SslMode::Disabled }],
            ),
            (
                SslMode::Preferred,
                true,
                vec![ConfigProblem::UnencryptedProduction { mode: SslMode::Preferred }],
            ),
            (SslMode::Required, false, vec![]),
            (SslMode::VerifyCA, false, vec![ConfigProblem::MissingCa { mode: SslMode::VerifyCA }]),
            (
                SslMode::VerifyIdentity,
                false,
                vec![ConfigProblem::MissingCa { mode: SslMode::VerifyIdentity }],
            ),
            (SslMode::VerifyIdentity, true, vec![]),
        ] {
            let found = problems(|config| {
                config.profile = Profile::Production;
                config.password = PasswordSource::Key("mysql/production/primary".to_owned());
                config.tls = TlsConfig::mode(mode);
                config.tls.ca = ca.then(|| "/ca.pem".into());
            });
            assert_eq!(found, expected, "{mode}");
        }
    }

    #[test]
    fn production_takes_no_password() {
        let found = problems(|config| {
            config.profile = Profile::Production;
            config.tls = TlsConfig::mode(SslMode::Required);
            config.password = PasswordSource::Plain("secret".into());
        });
        assert_eq!(found, [ConfigProblem::PlainPassword]);
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        let found = problems(|config| {
            config.pool.min_connections = 9;
            config.pool.max_connections = 3;
            config.pool.lifetime_jitter = 1.5;
            config.limits.query_timeout = Duration::ZERO;
            config.limits.max_query_size = 0;
            config.tls.key = Some("key.pem".into());
            config.compression = CompressionMode::Zstd(23);
            config.replicas = vec![
                ReplicaConfig::new(Address::default()).with_weight(0),
                ReplicaConfig::new(Address::tcp("b", 1)),
                ReplicaConfig::new(Address::tcp("b", 1)),
            ];
        });
        assert_eq!(found.len(), 9, "{found:?}");
    }
}
