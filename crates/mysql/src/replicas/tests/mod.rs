//! A cluster in memory under paused time: roles, lag, fallbacks, failover, causal reads, step by step.

mod servers;

use super::*;
use crate::client::{Client, Services, SplitSession};
use crate::config::{Balancing, ClientConfig, MonitorConfig, PoolConfig, ReplicaConfig, ReplicaReads};
use crate::driver::{Address, Credential, Session};
use crate::error::{Error, Result};
use crate::pool::Refresh;
use crate::value::NO_PARAMETERS;
use rustydb_telemetry::Registry;
use servers::{Reach, Servers};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

async fn cluster(servers: &Servers, replicas: u16, reads: ReplicaReads) -> Cluster<Servers> {
    let replicas = (2..=replicas + 1).map(|number| ReplicaConfig::new(Address::tcp("db", number)));
    cluster_of(servers, replicas.collect(), reads).await
}

async fn cluster_of(
    servers: &Servers,
    replicas: Vec<ReplicaConfig>,
    reads: ReplicaReads,
) -> Cluster<Servers> {
    cluster_with(servers, replicas, reads, None).await
}

async fn cluster_with(
    servers: &Servers,
    replicas: Vec<ReplicaConfig>,
    reads: ReplicaReads,
    refresh: Option<Refresh>,
) -> Cluster<Servers> {
    let config = ClusterConfig {
        primary: Address::tcp("db", 1),
        replicas,
        reads,
        monitor: MonitorConfig::default(),
        pool: PoolConfig::sized(0, 10),
        replica_pool: PoolConfig::sized(0, 10),
        connect_timeout: Duration::from_secs(5),
        timeouts_trip_breaker: true,
    };
    let registry = Registry::new();
    let cluster =
        Cluster::new(servers.clone(), config, Credential::new("app", ""), refresh, &registry).unwrap();
    cluster.ready(within(2_000)).await;
    // Lag is measured against what the primary said before.
    sleep(600 * MS).await;
    cluster
}

fn within(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

fn port<D: crate::driver::Driver + Clone>(checkout: &Checkout<D>) -> u16 {
    match checkout.member().address() {
        Address::Tcp { port, .. } => *port,
        Address::Unix(_) => 0,
    }
}

/// Where a read goes, and why.
async fn read(cluster: &Cluster<Servers>) -> (u16, ServedBy) {
    let checkout = cluster.reader(None, within(3_000)).await.unwrap();
    (port(&checkout), checkout.served_by())
}

async fn write(cluster: &Cluster<Servers>, value: &str) -> Result<u16> {
    let mut checkout = cluster.primary(within(10_000)).await?;
    let begin = Instant::now();
    let outcome = checkout.run(&format!("INSERT {value}"), within(1_000)).await;
    checkout.observe(begin.elapsed(), &outcome);
    outcome.map(|_| port(&checkout))
}

#[tokio::test(start_paused = true)]
async fn reads_go_to_replicas_in_turn_and_to_the_primary_when_none_is_fit() {
    let servers = Servers::new(3);
    let cluster = cluster(&servers, 2, ReplicaReads::default()).await;
    let mut ports = Vec::new();
    for _ in 0..4 {
        ports.push(read(&cluster).await);
    }
    let replica = |number| (number, ServedBy::Replica);
    assert_eq!(ports, [replica(2), replica(3), replica(2), replica(3)]);

    // Replication that does not run is a lag that nobody knows.
    servers.change(2, |server| server.running = false);
    sleep(600 * MS).await;
    assert_eq!(cluster.topology().replicas[0].lag(), Lag::Unbounded);
    assert_eq!([read(&cluster).await, read(&cluster).await], [replica(3), replica(3)]);

    servers.change(3, |server| server.reach = Reach::Refuses);
    sleep(600 * MS).await;
    assert_eq!(read(&cluster).await, (1, ServedBy::NoFitReplica));

    servers.change(2, |server| server.running = true);
    sleep(600 * MS).await;
    assert_eq!(read(&cluster).await, replica(2));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_lags_beyond_the_limit_gets_no_reads_until_it_has_caught_up() {
    let servers = Servers::new(2);
    let cluster = cluster(&servers, 1, ReplicaReads::default()).await;
    for n in 0..30 {
        write(&cluster, &n.to_string()).await.unwrap();
        sleep(100 * MS).await;
    }
    assert!(!cluster.topology().replicas[0].lag().is_within(Duration::from_secs(1)));
    assert_eq!(read(&cluster).await, (1, ServedBy::NoFitReplica));
    servers.change(2, |server| server.applied = 30);
    sleep(600 * MS).await;
    assert_eq!(read(&cluster).await, (2, ServedBy::Replica));
}

#[tokio::test(start_paused = true)]
async fn priorities_come_before_balancing() {
    let servers = Servers::new(3);
    let replica = |number, priority| ReplicaConfig::new(Address::tcp("db", number)).with_priority(priority);
    let replicas = vec![replica(2, 1), replica(3, 0)];
    let cluster = cluster_of(&servers, replicas, ReplicaReads::default()).await;
    for _ in 0..3 {
        assert_eq!(read(&cluster).await, (3, ServedBy::Replica));
    }
    servers.change(3, |server| server.reach = Reach::Refuses);
    sleep(600 * MS).await;
    assert_eq!(read(&cluster).await, (2, ServedBy::Replica));
}

#[tokio::test(start_paused = true)]
async fn servers_that_nobody_configured_are_found_and_used() {
    let servers = Servers::new(3);
    let reads = ReplicaReads { discover: true, ..ReplicaReads::default() };
    // Only a replica is known: it tells its source.
    let one = ReplicaConfig::new(Address::tcp("db", 3));
    let cluster = cluster_of(&servers, vec![one], reads).await;
    servers.change(1, |server| (server.writable, server.follows) = (false, Some(2)));
    servers.change(2, |server| (server.writable, server.follows) = (true, None));
    servers.change(3, |server| server.follows = Some(2));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(write(&cluster, "a").await.unwrap(), 2);
    assert_eq!(cluster.view().servers.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_replica_with_the_fewest_statements_is_taken() {
    let servers = Servers::new(3);
    let reads = ReplicaReads { balancing: Balancing::LeastConnections, ..ReplicaReads::default() };
    let cluster = cluster(&servers, 2, reads).await;
    let first = cluster.reader(None, within(1_000)).await.unwrap();
    let second = cluster.reader(None, within(1_000)).await.unwrap();
    assert_ne!(port(&first), port(&second));
    let in_flight: Vec<_> = cluster.topology().replicas.iter().map(|replica| replica.in_flight()).collect();
    assert_eq!(in_flight, [1, 1]);
    drop((first, second));
    assert!(cluster.topology().replicas.iter().all(|replica| replica.in_flight() == 0));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_after_three_failures_and_its_replica_is_left_out() {
    let servers = Servers::new(3);
    let cluster = cluster(&servers, 2, ReplicaReads::default()).await;
    for _ in 0..3 {
        let mut checkout = cluster.reader(None, within(1_000)).await.unwrap();
        while port(&checkout) != 2 {
            checkout = cluster.reader(None, within(1_000)).await.unwrap();
        }
        checkout.observe(MS, &Err::<(), _>(Error::Timeout { during: "query" }));
    }
    let state = |cluster: &Cluster<Servers>| cluster.topology().replicas[0].breaker().state();
    assert_eq!(state(&cluster), rustydb_resilience::BreakerState::Open);
    for _ in 0..4 {
        assert_eq!(read(&cluster).await, (3, ServedBy::Replica));
    }
    sleep(Duration::from_secs(31)).await;
    for _ in 0..4 {
        let mut checkout = cluster.reader(None, within(1_000)).await.unwrap();
        checkout.observe(MS, &Ok(()));
    }
    assert_eq!(state(&cluster), rustydb_resilience::BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_dies_is_replaced_and_writers_wait_for_the_new_one() {
    let servers = Servers::new(3);
    let cluster = cluster(&servers, 2, ReplicaReads::default()).await;
    assert_eq!(write(&cluster, "a").await.unwrap(), 1);
    servers.change(1, |server| server.reach = Reach::Refuses);
    // What was under way on a connection of the dead one is lost, and says so.
    assert!(matches!(write(&cluster, "lost").await, Err(Error::Lost { .. })));
    let waiting = tokio::spawn({
        let cluster = cluster.clone();
        async move { write(&cluster, "b").await }
    });
    sleep(Duration::from_secs(3)).await;
    assert!(!waiting.is_finished());
    // Reads go on: the replicas have all that is known of the primary.
    servers.change(2, |server| server.applied = 1);
    servers.change(3, |server| server.applied = 1);
    sleep(600 * MS).await;
    assert_eq!(read(&cluster).await.1, ServedBy::Replica);

    let promoted = Instant::now();
    servers.change(3, |server| (server.writable, server.follows) = (true, None));
    servers.change(2, |server| server.follows = Some(3));
    assert_eq!(waiting.await.unwrap().unwrap(), 3);
    assert!(promoted.elapsed() < Duration::from_secs(1), "{:?}", promoted.elapsed());
    assert_eq!(servers.get(3).writes, ["b"]);

    // The old one comes back and takes writes: its replicas have left it.
    servers.change(1, |server| server.reach = Reach::Up);
    sleep(Duration::from_secs(2)).await;
    let topology = cluster.topology();
    assert_eq!(topology.epoch, 2);
    assert_eq!(write(&cluster, "c").await.unwrap(), 3);
    assert_eq!(servers.get(1).writes, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_primary_turned_read_only_is_left_at_its_first_refusal() {
    let servers = Servers::new(2);
    let cluster = cluster(&servers, 1, ReplicaReads::default()).await;
    assert_eq!(write(&cluster, "a").await.unwrap(), 1);
    let before = servers.get(1).connects;
    servers.change(1, |server| (server.writable, server.follows) = (false, Some(2)));
    servers.change(2, |server| (server.writable, server.follows, server.applied) = (true, None, 1));
    let refused = write(&cluster, "b").await.unwrap_err();
    assert!(refused.is_read_only_server());
    let begin = Instant::now();
    assert_eq!(write(&cluster, "b").await.unwrap(), 2);
    assert!(begin.elapsed() < 200 * MS, "{:?}", begin.elapsed());
    assert_eq!(servers.get(2).writes, ["b"]);
    // Its old connections were closed, not used again.
    let stats = cluster.topology().replicas[0].pool().stats();
    assert_eq!(stats.figures.closed_for(crate::pool::CloseReason::Retired), 1, "{before} {stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_primary_is_waited_for_and_the_error_names_what_is_wrong() {
    let servers = Servers::new(2);
    let cluster = cluster(&servers, 1, ReplicaReads::default()).await;
    servers.change(1, |server| server.reach = Reach::Refuses);
    sleep(600 * MS).await;
    let begin = Instant::now();
    let error = cluster.primary(within(2_000)).await.unwrap_err();
    assert!(begin.elapsed() >= 1_900 * MS, "{:?}", begin.elapsed());
    assert!(matches!(error, Error::NoPrimary { .. }), "{error}");
    assert!(error.to_string().contains("db:1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_swallows_packets_is_left_after_two_looks_without_an_answer() {
    let servers = Servers::new(3);
    let cluster = cluster(&servers, 2, ReplicaReads::default()).await;
    servers.change(1, |server| server.reach = Reach::Silent);
    servers.change(2, |server| (server.writable, server.follows) = (true, None));
    servers.change(3, |server| server.follows = Some(2));
    let begin = Instant::now();
    assert_eq!(write(&cluster, "a").await.unwrap(), 2);
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    // It answers late, and then again: nobody else is asked meanwhile.
    servers.change(3, |server| server.reach = Reach::Silent);
    sleep(Duration::from_millis(1_200)).await;
    servers.change(3, |server| server.reach = Reach::Up);
    sleep(Duration::from_secs(2)).await;
    assert!(cluster.topology().replicas.iter().any(|replica| replica.answers()));
}

#[tokio::test(start_paused = true)]
async fn a_single_server_is_not_watched_and_its_failures_are_told_at_once() {
    let servers = Servers::new(1);
    let cluster = cluster(&servers, 0, ReplicaReads::default()).await;
    assert_eq!(servers.get(1).connects, 0);
    assert_eq!(write(&cluster, "a").await.unwrap(), 1);
    assert_eq!(read(&cluster).await.0, 1);
    servers.change(1, |server| server.reach = Reach::Refuses);
    assert!(matches!(write(&cluster, "b").await, Err(Error::Lost { .. })));
    let begin = Instant::now();
    assert!(matches!(cluster.primary(within(5_000)).await, Err(Error::Acquire(_))));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

fn causal() -> ReplicaReads {
    ReplicaReads { causal: true, max_lag: Duration::from_secs(10), ..ReplicaReads::default() }
}

#[tokio::test(start_paused = true)]
async fn a_causal_read_waits_for_its_replica_and_goes_to_the_primary_at_its_deadline() {
    let servers = Servers::new(2);
    let cluster = cluster(&servers, 1, causal()).await;
    write(&cluster, "a").await.unwrap();
    assert_eq!(cluster.token().to_string(), "0-1-1");

    // The replica has it after 50 ms.
    let applies = tokio::spawn({
        let servers = servers.clone();
        async move {
            sleep(50 * MS).await;
            servers.change(2, |server| server.applied = 1);
        }
    });
    let begin = Instant::now();
    let checkout = cluster.reader(Some(cluster.token()), within(3_000)).await.unwrap();
    assert_eq!((port(&checkout), checkout.served_by()), (2, ServedBy::Replica));
    assert!(begin.elapsed() >= 49 * MS && begin.elapsed() < 80 * MS, "{:?}", begin.elapsed());
    drop(checkout);
    applies.await.unwrap();
    // From then on it is known to have it.
    let begin = Instant::now();
    let checkout = cluster.reader(Some(cluster.token()), within(3_000)).await.unwrap();
    assert_eq!((port(&checkout), begin.elapsed()), (2, Duration::ZERO));
    drop(checkout);

    write(&cluster, "b").await.unwrap();
    let begin = Instant::now();
    let checkout = cluster.reader(Some(cluster.token()), within(3_000)).await.unwrap();
    assert_eq!((port(&checkout), checkout.served_by()), (1, ServedBy::NotCaughtUp));
    assert!(begin.elapsed() >= 499 * MS && begin.elapsed() < 600 * MS, "{:?}", begin.elapsed());
    // Without the token nobody waits, and the read is stale.
    let mut stale = cluster.reader(None, within(3_000)).await.unwrap();
    let applied: Option<(u64,)> =
        stale.query("SELECT applied", within(100)).await.unwrap().first().await.unwrap();
    assert_eq!((port(&stale), applied), (2, Some((1,))));
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_with_the_primary_is_not_waited_for() {
    let servers = Servers::new(2);
    let cluster = cluster(&servers, 1, causal()).await;
    for n in 0..5 {
        write(&cluster, &n.to_string()).await.unwrap();
    }
    servers.change(1, |server| server.reach = Reach::Refuses);
    servers.change(2, |server| (server.writable, server.follows, server.applied) = (true, None, 3));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(cluster.topology().primary.as_ref().map(|primary| primary.role()), Some(Role::Primary));
    assert_eq!(cluster.token().to_string(), "0-1-3");
}

#[tokio::test(start_paused = true)]
async fn a_password_that_changed_is_asked_for_anew_and_a_server_that_refuses_it_is_not_silent() {
    let servers = Servers::new(2);
    let known = std::sync::Arc::new(parking_lot::Mutex::new(""));
    let refresh: Refresh = {
        let known = known.clone();
        std::sync::Arc::new(move || {
            let password = *known.lock();
            Box::pin(async move { Some(Credential::new("app", password)) })
        })
    };
    let replica = ReplicaConfig::new(Address::tcp("db", 2));
    let cluster = cluster_with(&servers, vec![replica], ReplicaReads::default(), Some(refresh)).await;
    let lose_connections = async || {
        servers.change(2, |server| server.reach = Reach::Refuses);
        sleep(600 * MS).await;
        servers.change(2, |server| server.reach = Reach::Up);
        sleep(600 * MS).await;
    };
    servers.change(2, |server| server.password = "other");
    lose_connections().await;
    // Nobody knows the new password yet: what the server said last holds on.
    let replica = cluster.topology().replicas[0].clone();
    assert!(replica.facts.lock().last_error.is_some());
    *known.lock() = "other";
    lose_connections().await;
    assert!(replica.answers());
    assert_eq!(read(&cluster).await, (2, ServedBy::Replica));
}

/// A client of a primary and a replica.
async fn client(servers: &Servers) -> Client<Servers> {
    let config = ClientConfig {
        primary: Address::tcp("db", 1),
        replicas: vec![ReplicaConfig::new(Address::tcp("db", 2))],
        pool: PoolConfig::sized(0, 10),
        ..ClientConfig::default()
    };
    let client = Client::with_driver(servers.clone(), config, Services::default()).await.unwrap();
    client.ready(within(2_000)).await;
    sleep(600 * MS).await;
    client
}

#[tokio::test(start_paused = true)]
async fn a_session_over_the_cluster_is_tied_while_it_has_a_transaction_or_state() {
    let servers = Servers::new(2);
    let client = client(&servers).await;
    let mut session = client.session();
    let mut run = async |sql: &str| {
        let outcome = session.query(sql, NO_PARAMETERS).await;
        if sql == "SET NAMES utf8mb4" {
            assert!(session.pin().holds() && !session.pin().in_transaction());
            session.reset();
        }
        outcome.map(|_| session.served_by())
    };
    let (primary, replica) = (Some(ServedBy::Primary), Some(ServedBy::Replica));
    assert_eq!(run("SELECT 1").await.unwrap(), replica);
    for sql in ["BEGIN", "SELECT 1", "INSERT a", "SELECT 1", "COMMIT"] {
        assert_eq!(run(sql).await.unwrap(), primary, "{sql}");
    }
    assert_eq!(run("SELECT 1").await.unwrap(), replica);
    assert_eq!(run("SET @a = 1").await.unwrap(), primary);
    assert_eq!(run("SELECT 1").await.unwrap(), primary);
    assert_eq!(run("SET NAMES utf8mb4").await.unwrap(), primary);
    assert_eq!(run("SELECT 1").await.unwrap(), replica);
    // What tied it is gone with its connection, and the statement that lost it says so.
    assert_eq!(run("SET @a = 1").await.unwrap(), primary);
    servers.change(1, |server| server.reach = Reach::Refuses);
    assert!(matches!(run("SELECT 1").await, Err(Error::Lost { .. })));
    assert_eq!(run("SELECT 1").await.unwrap(), replica);
    let members = client.cluster().topology();
    assert_eq!(members.members().map(|member| member.in_flight()).sum::<usize>(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_statement_dropped_within_a_transaction_is_never_followed_by_one_outside_of_it() {
    let servers = Servers::new(2);
    let client = client(&servers).await;
    let mut session = client.session();
    let dropped = async |session: &mut SplitSession<Servers>, sql: &str| {
        servers.change(1, |server| server.reach = Reach::Silent);
        assert!(tokio::time::timeout(100 * MS, session.execute(sql, NO_PARAMETERS)).await.is_err());
        servers.change(1, |server| server.reach = Reach::Up);
    };
    session.execute("BEGIN", NO_PARAMETERS).await.unwrap();
    dropped(&mut session, "INSERT a").await;
    assert!(session.pin().in_transaction());
    for sql in ["INSERT b", "SELECT 1"] {
        // The first statement is told, and only the first.
        let outcome = session.execute(sql, NO_PARAMETERS).await;
        assert_eq!(matches!(outcome, Err(Error::Broken)), sql == "INSERT b", "{sql}: {outcome:?}");
    }
    assert!(servers.get(1).writes.is_empty() && !session.pin().holds());
    // Where nothing tied it, nothing was lost.
    dropped(&mut session, "INSERT c").await;
    session.execute("INSERT d", NO_PARAMETERS).await.unwrap();
    assert_eq!(servers.get(1).writes, ["d"]);
}

#[tokio::test(start_paused = true)]
async fn another_credential_reaches_pools_and_monitors_and_closing_ends_all() {
    let servers = Servers::new(2);
    let cluster = cluster(&servers, 1, ReplicaReads::default()).await;
    write(&cluster, "a").await.unwrap();
    for number in [1, 2] {
        servers.change(number, |server| server.password = "other");
    }
    cluster.rotate(Credential::new("app", "other"));
    write(&cluster, "b").await.unwrap();
    let view = cluster.view();
    assert_eq!(view.servers.len(), 2);
    assert!(view.servers[0].role == Role::Primary && view.servers[0].answers);
    assert_eq!(cluster.close(within(1_000)).await, 0);
    assert!(cluster.primary(within(100)).await.is_err());
}
