//! An application with orders: each is written under a number of its own, so that what was lost or applied twice
//! can be told afterwards.

use super::Outcome;
use mysql::prelude::Queryable;
use rustydb_mysql::config::{MonitorConfig, PoolConfig, ReplicaConfig, ReplicaReads};
use rustydb_mysql::connection::{ConnectOptions, ServerDriver, SslMode, TlsOptions};
use rustydb_mysql::replicas::{CausalToken, Cluster, ClusterConfig, ServedBy};
use rustydb_mysql::transaction::{Transaction, TransactionOptions};
use rustydb_mysql::{Address, Credential, Error, ErrorClass, Result, Session};
use rustydb_telemetry::Registry;
use rustydb_testkit::cluster::{APPLICATION, Cluster as Servers, DATABASE, PASSWORD};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a statement may take.
pub(super) const STATEMENT: Duration = Duration::from_secs(2);

/// A client of a cluster, reached through its proxies.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) cluster: Cluster<ServerDriver>,
}

/// What a client asks of its reads, and the most connections to each server.
#[derive(Clone)]
pub(super) struct Wishes {
    pub(super) reads: ReplicaReads,
    pub(super) monitor: MonitorConfig,
    pub(super) connections: usize,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes { reads: ReplicaReads::default(), monitor: MonitorConfig::default(), connections: 20 }
    }
}

/// How a write ended, as far as its caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Acknowledged,
    /// It may have happened.
    Unknown,
    /// It did not happen.
    Failed,
}

impl Shop {
    /// Makes the table, waits until all replicas have it, and connects.
    pub(super) async fn open(servers: &Servers, wishes: Wishes) -> Outcome<Shop> {
        Shop::open_knowing(servers, wishes, servers.nodes().len() - 1).await
    }

    /// The same, told only the first `replicas` replicas.
    pub(super) async fn open_knowing(servers: &Servers, wishes: Wishes, replicas: usize) -> Outcome<Shop> {
        servers.execute(&format!(
            "CREATE TABLE IF NOT EXISTS {DATABASE}.orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, number BIGINT, KEY (number))"
        ))?;
        servers.catch_up()?;
        let ports = (0..=replicas).map(|number| servers.node(number).proxy().port()).collect();
        Shop::connect(ports, Credential::new(APPLICATION, PASSWORD), wishes).await
    }

    /// Connects to servers of this machine, the first of them the primary.
    pub(super) async fn connect(ports: Vec<u16>, credential: Credential, wishes: Wishes) -> Outcome<Shop> {
        let mut addresses = ports.into_iter().map(|port| Address::tcp("127.0.0.1", port));
        let mut pool = PoolConfig::sized(1, wishes.connections);
        pool.max_waiters = Some(10_000);
        let config = ClusterConfig {
            primary: addresses.next().ok_or("a cluster needs a primary")?,
            replicas: addresses
                .enumerate()
                .map(|(n, address)| {
                    let mut replica = ReplicaConfig::new(address);
                    replica.name = format!("node-{}", n + 1);
                    replica
                })
                .collect(),
            reads: wishes.reads,
            monitor: wishes.monitor,
            pool: pool.clone(),
            replica_pool: pool,
            connect_timeout: Duration::from_secs(5),
            timeouts_trip_breaker: true,
        };
        let options = ConnectOptions {
            database: Some(DATABASE.to_owned()),
            tls: TlsOptions { mode: SslMode::Disabled, ..TlsOptions::default() },
            ..ConnectOptions::default()
        };
        let driver = ServerDriver::new(options)?;
        let cluster = Cluster::new(driver, config, credential, None, &Registry::new())?;
        cluster.ready(Instant::now() + Duration::from_secs(10)).await;
        // Lag is known once the primary was asked before the replicas.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        Ok(Shop { cluster })
    }

    /// Writes an order.
    pub(super) async fn order(&self, number: i64, patience: Duration) -> Result<()> {
        let mut checkout = self.cluster.primary(Instant::now() + patience).await?;
        let begin = Instant::now();
        let outcome =
            checkout.run(&format!("INSERT INTO orders (number) VALUES ({number})"), begin + STATEMENT).await;
        checkout.observe(begin.elapsed(), &outcome);
        outcome.map(drop)
    }

    /// The same in a transaction. What is lost before COMMIT cannot have happened, and counts as gone.
    pub(super) async fn order_in_transaction(&self, number: i64, patience: Duration) -> Result<()> {
        let not_happened = |error: Error| if error.breaks_session() { Error::Gone } else { error };
        let checkout = self.cluster.primary(Instant::now() + patience).await?;
        let begun = Transaction::begin(checkout, TransactionOptions::default(), STATEMENT).await;
        let mut transaction = begun.map_err(not_happened)?;
        let inserted = transaction.execute("INSERT INTO orders (number) VALUES (?)", &[number]).await;
        inserted.map_err(not_happened)?;
        transaction.commit().await
    }

    /// How often an order is there, and who said so. A connection that was lost is replaced once, as it may be for
    /// what only reads.
    pub(super) async fn count(&self, number: i64, token: Option<&CausalToken>) -> Result<(u64, ServedBy)> {
        let mut tries = 0;
        loop {
            match self.count_once(number, token).await {
                Err(error) if error.class() == ErrorClass::Connection && tries < 2 => tries += 1,
                other => return other,
            }
        }
    }

    async fn count_once(&self, number: i64, token: Option<&CausalToken>) -> Result<(u64, ServedBy)> {
        let mut checkout = self.cluster.reader(token, Instant::now() + Duration::from_secs(10)).await?;
        let begin = Instant::now();
        let sql = format!("SELECT COUNT(*) FROM orders WHERE number = {number}");
        let outcome = async {
            let results = checkout.query(&sql, begin + STATEMENT).await?;
            results.one::<(u64,)>().await
        }
        .await;
        checkout.observe(begin.elapsed(), &outcome);
        outcome.map(|(count,)| (count, checkout.served_by()))
    }

    /// The number of the node that is the primary, as this client sees it.
    pub(super) fn primary(&self, servers: &Servers) -> Option<usize> {
        let topology = self.cluster.topology();
        let address = topology.primary.as_ref()?.address().clone();
        let port = match address {
            Address::Tcp { port, .. } => port,
            Address::Unix(_) => return None,
        };
        (0..servers.nodes().len()).find(|number| servers.node(*number).proxy().port() == port)
    }
}

/// What an error says about whether a write happened.
pub(super) fn ended(outcome: &Result<()>) -> Ended {
    match outcome {
        Ok(()) => Ended::Acknowledged,
        Err(
            Error::UnknownOutcome { .. }
            | Error::Lost { .. }
            | Error::Timeout { .. }
            | Error::Protocol { .. },
        ) => Ended::Unknown,
        Err(Error::Server(error)) if error.ends_session() || error.code() == 1317 => Ended::Unknown,
        Err(_) => Ended::Failed,
    }
}

/// What was written, by order number.
pub(super) type Written = Arc<parking_lot::Mutex<BTreeMap<i64, Ended>>>;

/// Compares what writers were told with what the primary has: no acknowledged order is missing, none is there
/// twice, and none is there that was said to have failed.
pub(super) fn verify(servers: &Servers, written: &Written) -> Outcome<(usize, usize)> {
    let mut connection = servers.node(servers.primary()).connect()?;
    let rows: Vec<(i64, u64)> =
        connection.query(format!("SELECT number, COUNT(*) FROM {DATABASE}.orders GROUP BY number"))?;
    let there: BTreeMap<i64, u64> = rows.into_iter().collect();
    let written = written.lock();
    let twice: Vec<_> = there.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "applied twice: {twice:?}");
    let of = |how: Ended| written.iter().filter(move |(_, ended)| **ended == how).map(|(number, _)| number);
    let lost: Vec<_> = of(Ended::Acknowledged).filter(|number| !there.contains_key(number)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let surprising: Vec<_> = of(Ended::Failed).filter(|number| there.contains_key(number)).collect();
    assert!(surprising.is_empty(), "said to have failed and there: {surprising:?}");
    assert!(there.keys().all(|number| written.contains_key(number)), "orders that nobody wrote");
    Ok((of(Ended::Acknowledged).count(), of(Ended::Unknown).count()))
}
