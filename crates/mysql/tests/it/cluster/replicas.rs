//! Replicas that are broken, dead or slow.

use super::shop::{Shop, Wishes};
use super::{Outcome, amount, beside, both_products, servers};
use rustydb_mysql::config::{Balancing, HeartbeatTable, MonitorConfig, ReplicaReads};
use rustydb_mysql::replicas::{Lag, ServedBy};
use rustydb_testkit::cluster::Flavor;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Reads, by the server that served them.
async fn served(shop: &Shop, reads: usize) -> Outcome<BTreeMap<String, usize>> {
    let mut by_name = BTreeMap::new();
    for _ in 0..reads {
        let mut checkout = shop.cluster.reader(None, Instant::now() + Duration::from_secs(5)).await?;
        let begin = Instant::now();
        let outcome =
            rustydb_mysql::Session::run(&mut *checkout, "SELECT 1", begin + super::shop::STATEMENT).await;
        checkout.observe(begin.elapsed(), &outcome);
        outcome?;
        *by_name.entry(checkout.member().name().to_string()).or_default() += 1;
    }
    Ok(by_name)
}

async fn broken_and_dead_replicas_are_left_out_and_taken_back(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, Wishes::default()).await?;
    shop.order(1, Duration::from_secs(5)).await?;
    servers.catch_up()?;
    let pause = Duration::from_millis(1_200);
    let lag = |name: &str| {
        let view = shop.cluster.view();
        view.servers.iter().find(|server| &*server.name == name).map(|server| server.lag)
    };
    assert_eq!(served(&shop, 20).await?.len(), 2);

    servers.node(1).break_replication()?;
    sleep(pause).await;
    assert_eq!(lag("node-1"), Some(Lag::Unbounded));
    assert_eq!(served(&shop, 20).await?, BTreeMap::from([("node-2".to_owned(), 20)]));

    let (servers, ()) = beside(servers, |servers| servers.kill(2)).await?;
    let mut after = Vec::new();
    for _ in 0..20 {
        after.push(shop.count(1, None).await?);
    }
    assert!(after.iter().all(|(count, _)| *count == 1), "{after:?}");
    assert_eq!(after.last().map(|(_, by)| *by), Some(ServedBy::NoFitReplica));

    servers.node(1).mend_replication()?;
    let (servers, ()) = beside(servers, |servers| servers.rejoin(2)).await?;
    servers.catch_up()?;
    sleep(pause).await;
    // Both are well, and the breaker of the one that died stays open for its time.
    assert!(served(&shop, 20).await?.contains_key("node-1"));
    assert!(lag("node-2").is_some_and(|lag| lag.is_within(Duration::from_secs(1))));
    if amount(false, true) {
        sleep(Duration::from_secs(31)).await;
        served(&shop, 10).await?;
        assert_eq!(served(&shop, 20).await?.len(), 2, "{:?}", shop.cluster.view());
    }
    Ok(())
}

async fn a_heartbeat_table_tells_the_lag(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    servers.execute("CREATE TABLE shop.beat (at DATETIME(6) NOT NULL)")?;
    servers.execute("INSERT INTO shop.beat VALUES (UTC_TIMESTAMP(6))")?;
    servers.catch_up()?;
    let mut monitor = MonitorConfig::default();
    monitor.heartbeat = Some(HeartbeatTable::new("shop.beat", "at"));
    let shop = Shop::open(&servers, Wishes { monitor, ..Wishes::default() }).await?;
    let beat = || servers.execute("UPDATE shop.beat SET at = UTC_TIMESTAMP(6)");
    servers.node(1).delay(Duration::from_secs(2))?;
    for _ in 0..35 {
        beat()?;
        sleep(Duration::from_millis(100)).await;
    }
    let view = shop.cluster.view();
    let lag = |name: &str| view.servers.iter().find(|server| &*server.name == name).map(|server| server.lag);
    println!("{flavor:?}: by heartbeat, delayed by 2 s: {:?}, undelayed: {:?}", lag("node-1"), lag("node-2"));
    let seconds =
        |from: u64, to: u64| Lag::Behind(Duration::from_millis(from))..Lag::Behind(Duration::from_millis(to));
    // MariaDB counts a delay from the beginning of the second in which an event was written.
    assert!(lag("node-1").is_some_and(|lag| seconds(1_000, 4_000).contains(&lag)), "{view:?}");
    assert!(lag("node-2").is_some_and(|lag| seconds(0, 1_000).contains(&lag)), "{view:?}");
    assert_eq!(served(&shop, 10).await?, BTreeMap::from([("node-2".to_owned(), 10)]));
    Ok(())
}

async fn a_slow_replica_gets_few_reads(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let reads = ReplicaReads { balancing: Balancing::PeakEwma, ..ReplicaReads::default() };
    let shop = Shop::open(&servers, Wishes { reads, ..Wishes::default() }).await?;
    served(&shop, 20).await?;
    servers.node(1).proxy().delay(Duration::from_millis(50));
    let by_name = served(&shop, amount(200, 2_000)).await?;
    println!("{flavor:?}: node-1 slowed by 100 ms a round trip: {by_name:?}");
    let slow = by_name.get("node-1").copied().unwrap_or(0);
    let quick = by_name.get("node-2").copied().unwrap_or(0);
    assert!(slow * 10 < quick, "{by_name:?}");
    Ok(())
}

async fn servers_are_found_from_one_that_is_known(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let reads = ReplicaReads { discover: true, ..ReplicaReads::default() };
    let shop = Shop::open_knowing(&servers, Wishes { reads, ..Wishes::default() }, 0).await?;
    sleep(Duration::from_secs(2)).await;
    let view = shop.cluster.view();
    assert_eq!(view.servers.len(), 3, "{view:?}");
    assert!(view.servers.iter().all(|server| server.answers), "{view:?}");
    assert_eq!(served(&shop, 20).await?.len(), 2);
    Ok(())
}

both_products! {
    broken_and_dead_replicas_are_left_out_and_taken_back =>
        broken_and_dead_replicas_of_mariadb_are_left_out_and_taken_back,
        broken_and_dead_replicas_of_mysql_are_left_out_and_taken_back;
    a_heartbeat_table_tells_the_lag =>
        a_heartbeat_table_of_mariadb_tells_the_lag, a_heartbeat_table_of_mysql_tells_the_lag;
    a_slow_replica_gets_few_reads => a_slow_replica_of_mariadb_gets_few_reads, a_slow_replica_of_mysql_gets_few_reads;
    servers_are_found_from_one_that_is_known =>
        servers_of_mariadb_are_found_from_one_that_is_known, servers_of_mysql_are_found_from_one_that_is_known;
}
