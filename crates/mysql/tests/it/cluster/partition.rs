//! A network that swallows packets between the client and some servers.

use super::failover::Writers;
use super::shop::{Shop, Wishes, verify};
use super::{Outcome, amount, beside, both_products, servers};
use rustydb_mysql::replicas::ServedBy;
use rustydb_testkit::cluster::{Flavor, ProxyPath};
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn a_primary_behind_a_partition_is_left_for_its_successor(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, Wishes::default()).await?;
    let mut writers = Writers::start(&shop, 8);
    sleep(amount(Duration::from_millis(500), Duration::from_secs(5))).await;

    // Nobody reaches the primary; it lives on and believes in itself.
    servers.node(0).proxy().set(ProxyPath::Silent);
    let parted = Instant::now();
    let (servers, new) = beside(servers, |servers| servers.replace_primary()).await?;
    let promoted = Instant::now();
    sleep(amount(Duration::from_secs(4), Duration::from_secs(10))).await;
    let back = writers.first_after(promoted).ok_or("no write succeeded behind the partition")?;

    // It is back and takes writes, but its replicas have left it.
    servers.node(0).proxy().set(ProxyPath::Open);
    let healed = Instant::now();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(shop.primary(&servers), Some(new));
    assert!(writers.first_after(healed).is_some());
    writers.stop().await?;
    let (acknowledged, unknown) = verify(&servers, &writers.written)?;
    println!(
        "{flavor:?}: promoted {:.1?} after the partition, first write {back:.1?} later; {acknowledged} acknowledged, \
         {unknown} of unknown outcome\n{}",
        promoted - parted,
        writers.reasons()
    );
    assert!(back < Duration::from_secs(10), "{back:?}");
    Ok(())
}

async fn a_replica_behind_a_partition_costs_reads_little(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, Wishes::default()).await?;
    shop.order(1, Duration::from_secs(5)).await?;
    servers.catch_up()?;
    for path in [ProxyPath::Silent, ProxyPath::Cut] {
        servers.node(1).proxy().set(path);
        let begin = Instant::now();
        let mut slowest = Duration::ZERO;
        let mut reads = 0;
        while begin.elapsed() < amount(Duration::from_secs(4), Duration::from_secs(10)) {
            let one = Instant::now();
            match shop.count(1, None).await {
                Ok((count, _)) => assert_eq!(count, 1),
                // Only what was under way when the packets began to vanish may end by its timeout.
                Err(error) => {
                    assert!(path == ProxyPath::Silent && begin.elapsed() < Duration::from_secs(4), "{error}")
                }
            }
            slowest = slowest.max(one.elapsed());
            reads += 1;
            sleep(Duration::from_millis(5)).await;
        }
        println!("{flavor:?}: {path:?}: {reads} reads, the slowest {slowest:.1?}");
        // Known to be silent, it is not asked any more.
        let begin = Instant::now();
        for _ in 0..20 {
            assert_eq!(shop.count(1, None).await?.1, ServedBy::Replica);
        }
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        servers.node(1).proxy().set(ProxyPath::Open);
        sleep(Duration::from_secs(1)).await;
        assert!(shop.cluster.view().servers.iter().all(|server| server.answers));
    }
    Ok(())
}

both_products! {
    a_primary_behind_a_partition_is_left_for_its_successor =>
        a_primary_of_mariadb_behind_a_partition_is_left_for_its_successor,
        a_primary_of_mysql_behind_a_partition_is_left_for_its_successor;
    a_replica_behind_a_partition_costs_reads_little =>
        a_replica_of_mariadb_behind_a_partition_costs_reads_little,
        a_replica_of_mysql_behind_a_partition_costs_reads_little;
}
