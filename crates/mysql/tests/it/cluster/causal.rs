//! Reading one's own writes: on delayed replicas, on quick ones, and what happens without asking for it.

use super::shop::{Shop, Wishes};
use super::{Outcome, amount, both_products, servers};
use rustydb_mysql::Credential;
use rustydb_mysql::config::ReplicaReads;
use rustydb_mysql::replicas::ServedBy;
use rustydb_testkit::cluster::{DATABASE, Flavor};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Write-then-read pairs, as many at a time as there are tasks.
struct Pairs {
    /// Reads that did not see the write before them.
    stale: usize,
    /// Reads that a replica served.
    by_replicas: usize,
    took: Duration,
}

async fn pairs(shop: &Shop, first: i64, count: i64, causal: bool) -> Outcome<Pairs> {
    const TASKS: usize = 16;
    let begin = Instant::now();
    let next = Arc::new(AtomicI64::new(first));
    let (stale, by_replicas) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let (shop, next, stale, by_replicas) =
            (shop.clone(), next.clone(), stale.clone(), by_replicas.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= first + count {
                    return Outcome::Ok(());
                }
                shop.order(number, Duration::from_secs(10)).await?;
                let token = causal.then(|| shop.cluster.token());
                let (seen, served_by) = shop.count(number, token).await?;
                stale.fetch_add(usize::from(seen == 0), Ordering::Relaxed);
                by_replicas.fetch_add(usize::from(served_by == ServedBy::Replica), Ordering::Relaxed);
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    let [stale, by_replicas] = [stale, by_replicas].map(|counter| counter.load(Ordering::Relaxed));
    Ok(Pairs { stale, by_replicas, took: begin.elapsed() })
}

/// Reads may be as old as they like, unless they are causal.
fn patient() -> Wishes {
    let reads = ReplicaReads { max_lag: Duration::from_secs(3600), causal: true, ..ReplicaReads::default() };
    Wishes { reads, ..Wishes::default() }
}

async fn own_writes_are_read_from_replicas_that_lag_by_a_second(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, patient()).await?;
    for number in [1, 2] {
        servers.node(number).delay(Duration::from_secs(1))?;
    }
    let count = amount(300, 10_000);
    let causal = pairs(&shop, 0, count, true).await?;
    println!(
        "{flavor:?}: {count} pairs over replicas delayed by 1 s in {:.1?}: {} stale, {} by replicas",
        causal.took, causal.stale, causal.by_replicas
    );
    assert_eq!(causal.stale, 0);

    let count = amount(100, 1_000);
    let plain = pairs(&shop, 1_000_000, count, false).await?;
    println!("{flavor:?}: without the option {} of {count} reads are stale", plain.stale);
    assert!(plain.stale > count as usize / 2, "the delay is not seen, so the test above proves nothing");
    assert_eq!(plain.by_replicas, count as usize);
    Ok(())
}

async fn quick_replicas_serve_nearly_all_reads_of_own_writes(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let shop = Shop::open(&servers, patient()).await?;
    let count = amount(300, 10_000);
    let causal = pairs(&shop, 0, count, true).await?;
    let share = 100.0 * causal.by_replicas as f64 / count as f64;
    println!(
        "{flavor:?}: {count} pairs over undelayed replicas in {:.1?}: {} stale, {share:.1} % by replicas",
        causal.took, causal.stale
    );
    assert_eq!(causal.stale, 0);
    assert!(share >= 90.0, "only {share:.1} % by replicas");
    Ok(())
}

/// One server: every read sees every write, and nobody waits for anything.
#[tokio::test]
async fn own_writes_are_read_from_the_one_server_of_rustydb() -> Outcome {
    let Some(server) = crate::server::Server::rustydb().await else { return Ok(()) };
    let mut connection = server.connect_to(DATABASE).await;
    let table = "CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, number BIGINT, KEY (number))";
    crate::server::run_sql(&mut connection, table).await;
    let credential = Credential::new("root", server.password);
    let shop = Shop::connect(vec![server.port], credential, patient()).await?;
    let count = amount(300, 10_000);
    let causal = pairs(&shop, 0, count, true).await?;
    println!("RustyDb: {count} pairs in {:.1?}: {} stale", causal.took, causal.stale);
    assert_eq!((causal.stale, causal.by_replicas), (0, 0));
    Ok(())
}

both_products! {
    own_writes_are_read_from_replicas_that_lag_by_a_second =>
        own_writes_are_read_from_replicas_of_mariadb_that_lag_by_a_second,
        own_writes_are_read_from_replicas_of_mysql_that_lag_by_a_second;
    quick_replicas_serve_nearly_all_reads_of_own_writes =>
        quick_replicas_of_mariadb_serve_nearly_all_reads_of_own_writes,
        quick_replicas_of_mysql_serve_nearly_all_reads_of_own_writes;
}
