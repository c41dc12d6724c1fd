//! Real clusters of MariaDB and MySQL, and what a client sees of them when things go wrong.
//!
//! In a plain test run each test does a share that takes seconds. `cargo xtask mysql-client-cluster` sets
//! `RUSTYDB_CLUSTER=full`, and the same tests do the numbers that were promised, one after the other, and print
//! what they saw. Without a server on this machine a test says so and passes.

#![allow(clippy::print_stdout, reason = "a test tells what it saw")]

mod causal;
mod client;
mod failover;
mod partition;
mod replicas;
mod rotation;
mod shop;

use rustydb_testkit::cluster::{Cluster, Flavor};
use std::path::Path;

/// What a test's functions give.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// `full` where the promised numbers were asked for, else `share`.
fn amount<T>(share: T, full: T) -> T {
    match std::env::var("RUSTYDB_CLUSTER").as_deref() {
        Ok("full") => full,
        _ => share,
    }
}

/// A primary (node 0) and two replicas, where the product is installed.
async fn servers(flavor: Flavor) -> Outcome<Option<Cluster>> {
    if !flavor.present()? {
        return Ok(None);
    }
    let near = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let started = tokio::task::spawn_blocking(move || Cluster::start(flavor, 2, near)).await??;
    Ok(Some(started))
}

/// Does something with the servers that takes long, beside the client's tasks.
async fn beside<T: Send + 'static>(
    mut servers: Cluster,
    work: impl FnOnce(&mut Cluster) -> rustydb_testkit::Result<T> + Send + 'static,
) -> Outcome<(Cluster, T)> {
    let both = tokio::task::spawn_blocking(move || {
        let result = work(&mut servers);
        result.map(|result| (servers, result))
    });
    Ok(both.await??)
}

/// The same test for both products.
macro_rules! both_products {
    ($($(#[$attribute:meta])* $name:ident => $mariadb:ident, $mysql:ident;)*) => {$(
        $(#[$attribute])*
        #[tokio::test]
        async fn $mariadb() -> super::Outcome {
            $name(rustydb_testkit::cluster::Flavor::MariaDb).await
        }

        $(#[$attribute])*
        #[tokio::test]
        async fn $mysql() -> super::Outcome {
            $name(rustydb_testkit::cluster::Flavor::MySql).await
        }
    )*};
}
use both_products;
