//! The client over a [scripted server](crate::scripted): repetition, guards, measures, spans, credentials.

mod credentials;
mod measures;
mod repetition;
mod spans;

use super::*;
use crate::config::ClientConfigBuilder;
use crate::pool::tests::{assert_at_rest, settle};
use crate::scripted::{Behaviour, Point, Server};
use crate::value::NO_PARAMETERS;
use std::time::Duration;

fn config() -> ClientConfigBuilder {
    ClientConfig::builder().min_connections(1).max_connections(2)
}

async fn client(server: &Server) -> Client<Server> {
    client_of(server, config().build().unwrap(), Services::default()).await
}

async fn client_of(server: &Server, config: ClientConfig, services: Services) -> Client<Server> {
    Client::with_driver(server.clone(), config, services).await.unwrap()
}

/// Lets the server meet the first `times` steps at `point` with statements that begin with `sql` in this way.
fn first(server: &Server, times: usize, point: Point, sql: &'static str, behaviour: Behaviour) {
    let mut left = times;
    server.on(move |step| {
        if left > 0 && step.point == point && step.sql.starts_with(sql) {
            left -= 1;
            return behaviour;
        }
        Behaviour::Usual
    });
}

#[tokio::test(start_paused = true)]
async fn statements_of_every_kind_are_served() {
    let server = Server::new();
    let client = client(&server).await;
    assert_eq!(client.execute("INSERT a", NO_PARAMETERS).await.unwrap().affected_rows, 1);
    let rows = client.query("ROWS 3 r", NO_PARAMETERS).await.unwrap();
    assert_eq!((rows.len(), rows.columns().len()), (3, 1));
    assert_eq!(rows.read::<(String,)>().unwrap()[2].0, "r-2");
    let row = client.query_one("SELECT b", NO_PARAMETERS).await.unwrap().unwrap();
    assert_eq!(row.get::<String>(0).unwrap(), "b");
    assert!(client.query_one("ROWS 0 r", NO_PARAMETERS).await.unwrap().is_none());
    let mut stream = client.query_stream("ROWS 5 s", NO_PARAMETERS).await.unwrap();
    assert_eq!(stream.next_batch().await.unwrap().len(), 5);
    assert!(stream.next().await.unwrap().is_none());
    drop(stream);
    let done = client.execute_batch(&[("INSERT b", &[]), ("INSERT c", &[])]).await.unwrap();
    assert_eq!(done.len(), 2);
    client.execute_batch(&[("INSERT d", &[]), ("BAD", &[])]).await.unwrap_err();
    assert_eq!(server.committed(), ["a", "b", "c"], "a batch is whole or not at all");
    settle().await;
    let pool = client.cluster().topology().primary.clone().unwrap().pool().clone();
    assert_at_rest(&pool, &server).await;
    assert_eq!(client.get_pool_status().unwrap().idle_connections, 1);
    assert_eq!(client.close(Instant::now() + Duration::from_secs(1)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_gives_its_connection_back_clean() {
    let server = Server::new();
    let client = client(&server).await;
    let mut stream = client.query_stream("ROWS 500 s", NO_PARAMETERS).await.unwrap();
    assert!(stream.next().await.unwrap().is_some());
    drop(stream);
    settle().await;
    assert_eq!(server.connects(), 1);
    let status = client.get_pool_status().unwrap();
    assert_eq!((status.active_connections, status.idle_connections), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn guards_refuse_before_anything_is_sent() {
    let server = Server::new();
    let mut config = config().build().unwrap();
    config.guards.block_ddl = true;
    config.limits.max_query_size = 40;
    config.limits.batch = 1;
    let client = client_of(&server, config, Services::default()).await;
    for sql in ["DROP TABLE t", "LOAD DATA INFILE 'x' INTO TABLE t"] {
        let error = client.execute(sql, NO_PARAMETERS).await.unwrap_err();
        assert!(matches!(error, Error::NotAllowed(_)), "{error}");
        let mut connection = client.acquire_connection().await.unwrap();
        assert!(matches!(connection.execute(sql, NO_PARAMETERS).await.unwrap_err(), Error::NotAllowed(_)));
    }
    let long = format!("SELECT {}", "x".repeat(40));
    assert!(matches!(client.query(&long, NO_PARAMETERS).await.unwrap_err(), Error::TooLarge { .. }));
    client.execute_batch(&[("INSERT b", &[]), ("INSERT c", &[])]).await.unwrap_err();
    assert!(server.statements().is_empty());
}

#[tokio::test(start_paused = true)]
async fn settings_of_pools_change_at_runtime() {
    let server = Server::new();
    let client = client(&server).await;
    client.reconfigure_pool(PoolConfig::sized(2, 7)).unwrap();
    settle().await;
    let status = client.get_pool_status().unwrap();
    assert_eq!((status.max_connections, status.idle_connections), (7, 2));
    assert!(matches!(client.reconfigure_pool(PoolConfig::sized(3, 1)), Err(Error::Configuration(_))));
}

/// The trait can be used by code that knows no driver, in tasks of any thread.
#[tokio::test(start_paused = true)]
async fn the_contract_is_usable_across_threads() {
    async fn use_it<C: MysqlClientTrait + 'static>(client: Arc<C>) -> Result<usize> {
        let task = tokio::spawn(async move {
            let rows = client.query("ROWS 2 r", NO_PARAMETERS).await?;
            let word = String::from("kept");
            client
                .with_transaction(TransactionOptions::default(), |transaction| async {
                    drop(transaction);
                    Err::<(), _>(Error::NotAllowed(if word.is_empty() { "nothing" } else { "this" }))
                })
                .await
                .unwrap_err();
            Ok::<usize, Error>(rows.len())
        });
        task.await.unwrap()
    }
    let server = Server::new();
    let client = client(&server).await;
    assert_eq!(use_it(Arc::new(client)).await.unwrap(), 2);
}
