//! The client's own door on real clusters: what an application sees when the primary is killed, and whether its
//! reads see its writes, without knowing of any server but by configuration.

use super::shop::{STATEMENT, Written, ended, verify};
use super::{Outcome, amount, beside, both_products, servers};
use rustydb_mysql::config::{Address, ClientConfig, PasswordSource, PoolConfig, ReplicaConfig, SslMode};
use rustydb_mysql::transaction::TransactionOptions;
use rustydb_mysql::{Error, MysqlClient, Services};
use rustydb_testkit::cluster::{APPLICATION, Cluster, DATABASE, Flavor, PASSWORD};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn client(servers: &Cluster) -> Outcome<MysqlClient> {
    servers.execute(&format!(
        "CREATE TABLE {DATABASE}.orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, number BIGINT, KEY (number))"
    ))?;
    servers.catch_up()?;
    let address = |number: usize| Address::tcp("127.0.0.1", servers.node(number).proxy().port());
    let mut config = ClientConfig::default();
    config.primary = address(0);
    config.replicas = (1..servers.nodes().len()).map(|number| ReplicaConfig::new(address(number))).collect();
    config.user = APPLICATION.to_owned();
    config.password = PasswordSource::Plain(PASSWORD.into());
    config.database = Some(DATABASE.to_owned());
    config.tls.mode = SslMode::Disabled;
    config.pool = PoolConfig::sized(1, 20);
    config.limits.query_timeout = STATEMENT;
    config.reads.causal = true;
    let client = MysqlClient::connect(config, Services::default()).await?;
    client.cluster().ready(Instant::now() + Duration::from_secs(10)).await;
    sleep(Duration::from_millis(1_100)).await;
    Ok(client)
}

async fn an_application_lives_through_the_loss_of_its_primary(flavor: Flavor) -> Outcome {
    let Some(servers) = servers(flavor).await? else { return Ok(()) };
    let client = client(&servers).await?;
    let (written, stop, next) =
        (Written::default(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(1)));
    let stale = Arc::new(AtomicI64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (client, written, stop) = (client.clone(), written.clone(), stop.clone());
        let (next, stale) = (next.clone(), stale.clone());
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let outcome = match number % 2 {
                    0 => client.execute("INSERT INTO orders (number) VALUES (?)", &[number]).await.map(drop),
                    _ => {
                        let work = |mut transaction: rustydb_mysql::transaction::Transaction<_>| async move {
                            transaction.execute("INSERT INTO orders (number) VALUES (?)", &[number]).await?;
                            Ok::<(), Error>(())
                        };
                        let done = client.with_transaction(TransactionOptions::default(), work).await;
                        // What was lost before COMMIT was rolled back with its connection.
                        done.map_err(|error| match error {
                            Error::Lost { .. } | Error::Timeout { .. } | Error::Protocol { .. } => {
                                Error::Gone
                            }
                            other => other,
                        })
                    }
                };
                let how = ended(&outcome);
                written.lock().insert(number, how);
                if outcome.is_ok() {
                    let seen = client.query_one("SELECT id FROM orders WHERE number = ?", &[number]).await;
                    stale.fetch_add(i64::from(matches!(seen, Ok(None))), Ordering::Relaxed);
                }
                sleep(Duration::from_millis(2)).await;
            }
        }));
    }
    sleep(amount(Duration::from_millis(500), Duration::from_secs(10))).await;
    let (servers, _) = beside(servers, |servers| {
        servers.kill(0)?;
        servers.replace_primary()
    })
    .await?;
    let promoted = Instant::now();
    client.execute("INSERT INTO orders (number) VALUES (?)", &[0]).await?;
    written.lock().insert(0, super::shop::Ended::Acknowledged);
    let back = promoted.elapsed();
    sleep(amount(Duration::from_secs(1), Duration::from_secs(10))).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    let (acknowledged, unknown) = verify(&servers, &written)?;
    println!(
        "{flavor:?}: {acknowledged} writes acknowledged, {unknown} of unknown outcome, of {} in all; first write \
         {back:.1?} after the promotion",
        written.lock().len()
    );
    assert_eq!(stale.load(Ordering::Relaxed), 0, "reads that did not see the write before them");
    assert!(back < Duration::from_secs(10), "{back:?}");
    Ok(())
}

both_products! {
    an_application_lives_through_the_loss_of_its_primary =>
        an_application_lives_through_the_loss_of_its_primary_of_mariadb,
        an_application_lives_through_the_loss_of_its_primary_of_mysql;
}
