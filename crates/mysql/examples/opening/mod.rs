//! What the examples share: servers from the command line.
//!
//! The first word is the primary's URL (`mysql://user:password@host:port/database`), every further one a replica's
//! `host:port`.

#![allow(dead_code, reason = "each example uses what it needs")]

use rustydb_mysql::config::{ClientConfig, PasswordSource, ReplicaConfig};
use rustydb_mysql::connection::{ConnectOptions, ServerDriver, TlsOptions};
use rustydb_mysql::driver::Credential;
use std::time::Duration;
use tokio::time::Instant;

/// What an example may fail with.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// A deadline for one request.
pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// The configuration that the command line gives.
pub(crate) fn configuration() -> Outcome<ClientConfig> {
    let mut words = std::env::args().skip(1);
    let url =
        words.next().ok_or("give mysql://user:password@host:port/database, then replicas as host:port")?;
    let mut builder = ClientConfig::builder().url(&url)?;
    for replica in words {
        builder = builder.replica(ReplicaConfig::new(replica.parse()?));
    }
    Ok(builder.build()?)
}

/// Connects as the configuration says.
pub(crate) fn driver(config: &ClientConfig) -> Outcome<ServerDriver> {
    Ok(ServerDriver::new(ConnectOptions {
        database: config.database.clone(),
        tls: TlsOptions::from(&config.tls),
        ..ConnectOptions::default()
    })?)
}

/// The account that the configuration names.
pub(crate) fn credential(config: &ClientConfig) -> Credential {
    match &config.password {
        PasswordSource::Plain(password) => Credential::new(config.user.as_str(), password.clone()),
        _ => Credential::new(config.user.as_str(), ""),
    }
}
