//! A deadlock that real servers tell of behind the head of a result: the transaction is gone, and the client knows.

use crate::server::{Server, block_on, run_sql};
use rustydb_mysql::config::{Address, ClientConfig, PasswordSource, PoolConfig};
use rustydb_mysql::transaction::TransactionOptions;
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Error, ErrorKind, MysqlClient, Services, params};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Barrier;

async fn client(server: &Server) -> MysqlClient {
    let mut config = ClientConfig::default();
    config.primary = Address::tcp("127.0.0.1", server.port);
    config.password = PasswordSource::Plain(server.password.into());
    config.database = Some("deadlock".to_owned());
    config.pool = PoolConfig::sized(0, 4);
    MysqlClient::connect(config, Services::default()).await.unwrap()
}

/// Two transactions take two rows in opposite orders, reading them FOR UPDATE: one of them is rolled back. It goes on
/// as if nothing had happened, and must not write outside of its transaction.
async fn the_one_that_swallows_it_writes_nothing(client: &MysqlClient) {
    let both = Arc::new(Barrier::new(2));
    let task = |first: i64, second: i64| {
        let (client, both) = (client.clone(), Arc::clone(&both));
        tokio::spawn(async move {
            let lock = "SELECT b FROM t WHERE a = ? FOR UPDATE";
            let mut transaction = client.begin(TransactionOptions::default()).await?;
            transaction.query(lock, &params![first]).await?.owned_rows().await?;
            both.wait().await;
            let read = match transaction.query(lock, &params![second]).await {
                Ok(mut results) => results.owned_rows().await.map(drop),
                Err(error) => Err(error),
            };
            let written = transaction.execute("UPDATE t SET b = b + 1", NO_PARAMETERS).await;
            let committed = transaction.commit().await;
            Ok::<_, Error>((read.err().map(|error| error.kind()), written.is_ok(), committed.is_ok()))
        })
    };
    let (one, other) = (task(1, 2), task(2, 1));
    let mut ends = [one.await.unwrap().unwrap(), other.await.unwrap().unwrap()];
    ends.sort_by_key(|(failed, _, _)| failed.is_some());
    assert_eq!(ends, [(None, true, true), (Some(ErrorKind::Deadlock), false, false)]);
    let row = client.query_one("SELECT SUM(b) + 0e0 FROM t", NO_PARAMETERS).await.unwrap().unwrap();
    assert_eq!(row.get::<f64>(0).unwrap(), 2.0, "both rows were changed once");
}

/// The same by closures: the one that was rolled back is run again.
async fn closures_are_run_again(client: &MysqlClient) {
    let (both, tries) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let task = |first: i64, second: i64| {
        let (client, both, tries) = (client.clone(), Arc::clone(&both), Arc::clone(&tries));
        tokio::spawn(async move {
            let meets = Arc::new(AtomicU32::new(1));
            client
                .with_transaction(TransactionOptions::default(), |mut transaction| {
                    tries.fetch_add(1, Ordering::Relaxed);
                    let (both, meets) = (Arc::clone(&both), Arc::clone(&meets));
                    async move {
                        let lock = "SELECT b FROM t WHERE a = ? FOR UPDATE";
                        transaction.query(lock, &params![first]).await?.owned_rows().await?;
                        if meets.swap(0, Ordering::Relaxed) == 1 {
                            both.wait().await;
                        }
                        transaction.query(lock, &params![second]).await?.owned_rows().await?;
                        transaction.execute("UPDATE t SET b = b + 1", NO_PARAMETERS).await?;
                        Ok::<(), Error>(())
                    }
                })
                .await
        })
    };
    let (one, other) = (task(1, 2), task(2, 1));
    one.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    assert_eq!(tries.load(Ordering::Relaxed), 3);
    let row = client.query_one("SELECT SUM(b) + 0e0 FROM t", NO_PARAMETERS).await.unwrap().unwrap();
    assert_eq!(row.get::<f64>(0).unwrap(), 6.0);
}

async fn on(server: Option<Server>) {
    let Some(server) = server else { return };
    let mut root = server.connect().await;
    run_sql(&mut root, "CREATE DATABASE deadlock").await;
    run_sql(&mut root, "CREATE TABLE deadlock.t (a INT PRIMARY KEY, b INT NOT NULL)").await;
    run_sql(&mut root, "INSERT INTO deadlock.t VALUES (1, 0), (2, 0)").await;
    let client = client(&server).await;
    the_one_that_swallows_it_writes_nothing(&client).await;
    closures_are_run_again(&client).await;
}

#[test]
fn deadlocks_of_mariadb() {
    block_on(async { on(Server::mariadb(&[]).await).await });
}

#[test]
fn deadlocks_of_mysql() {
    block_on(async { on(Server::mysql().await).await });
}

#[test]
fn deadlocks_of_rustydb() {
    block_on(async { on(Server::rustydb().await).await });
}
