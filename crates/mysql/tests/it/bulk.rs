//! Many rows through the client's own door, on real servers.

use crate::server::{Server, block_on, run_sql, soon};
use rustydb_mysql::config::{Address, ClientConfig, PasswordSource, PoolConfig};
use rustydb_mysql::driver::{Flavor, Session};
use rustydb_mysql::statements::BulkInsert;
use rustydb_mysql::transaction::TransactionOptions;
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Error, ErrorKind, MysqlClient, Services, Value, params};

const INSERT: &str = "INSERT INTO t (a, b) VALUES (?, ?)";

async fn client(server: &Server) -> MysqlClient {
    let mut config = ClientConfig::default();
    config.primary = Address::tcp("127.0.0.1", server.port);
    config.password = PasswordSource::Plain(server.password.into());
    config.database = Some("bulk_client".to_owned());
    config.pool = PoolConfig::sized(0, 4);
    MysqlClient::connect(config, Services::default()).await.unwrap()
}

async fn count(client: &MysqlClient) -> i64 {
    let row = client.query_one("SELECT COUNT(*) FROM t WHERE a >= 0", NO_PARAMETERS).await.unwrap();
    row.unwrap().get(0).unwrap()
}

fn rows(from: i64, count: i64) -> Vec<Value> {
    let row =
        |n: i64| [Value::Int(n), if n % 7 == 0 { Value::Null } else { Value::String(format!("row {n}")) }];
    (from..from + count).flat_map(row).collect()
}

async fn everything(server: &Server) {
    run_sql(&mut server.connect().await, "CREATE DATABASE bulk_client").await;
    let client = client(server).await;
    let table = "CREATE TABLE t (a BIGINT PRIMARY KEY, b VARCHAR(16000) NULL)";
    client.execute(table, NO_PARAMETERS).await.unwrap();

    // Few rows, and none, are no transaction.
    assert_eq!(client.bulk_insert::<Value>(INSERT, &[]).await.unwrap().affected_rows, 0);
    let few = [params![0, "zero"], params![1, None::<&str>], params![2, "two"]];
    assert_eq!(client.bulk_insert(INSERT, few.as_flattened()).await.unwrap().affected_rows, 3);
    assert_eq!(client.bulk_insert(INSERT, &rows(3, 5_552)).await.unwrap().affected_rows, 5_552);
    assert_eq!(count(&client).await, 5_555);
    let told = client.query_one("SELECT CAST(SUM(a) AS SIGNED), COUNT(b) FROM t WHERE a > 2", NO_PARAMETERS);
    let told: (i64, i64) = told.await.unwrap().unwrap().read().unwrap();
    assert_eq!(told, (15_426_232, 5_552 - 793));

    // All or none: the very last row is there already.
    let mut again = rows(10_000, 2_000);
    again.extend(rows(5, 1));
    let error = client.bulk_insert(INSERT, &again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey, "{error}");
    assert_eq!(count(&client).await, 5_555);

    // What is no insert of one row, or no whole rows, is not sent.
    let refused = client.bulk_insert("DELETE FROM t WHERE a = ?", &[1]).await.unwrap_err();
    assert!(matches!(refused, Error::Configuration(_)), "{refused}");
    let refused = client.bulk_insert(INSERT, &[1, 2, 3]).await.unwrap_err();
    assert!(matches!(refused, Error::Parameters { expected: 4, given: 3 }), "{refused}");

    // In a transaction that is rolled back, and on a connection.
    let insert = BulkInsert::new(INSERT).unwrap();
    let mut transaction = client.begin(TransactionOptions::default()).await.unwrap();
    assert_eq!(transaction.bulk_insert(&insert, &rows(20_000, 40)).await.unwrap().affected_rows, 40);
    transaction.rollback().await.unwrap();
    assert_eq!(count(&client).await, 5_555);
    let mut connection = client.acquire_connection().await.unwrap();
    assert_eq!(connection.bulk_insert(&insert, &rows(20_000, 40)).await.unwrap().affected_rows, 40);
    drop(connection);
    assert_eq!(count(&client).await, 5_595);
    client.execute("DROP DATABASE bulk_client", NO_PARAMETERS).await.unwrap();
    client.close(soon()).await;
}

/// Rows that do not fit into one packet of the server are sent in more of them.
async fn rows_beyond_a_packet(server: &Server) {
    let mut root = server.connect().await;
    run_sql(&mut root, "CREATE DATABASE bulk_client").await;
    run_sql(&mut root, "SET GLOBAL max_allowed_packet = 1048576").await;
    let client = client(server).await;
    client.execute("CREATE TABLE t (a BIGINT PRIMARY KEY, b VARCHAR(16000))", NO_PARAMETERS).await.unwrap();
    let long = "x".repeat(10_000);
    for (from, count) in [(0i64, 512i64), (1_000, 1_000)] {
        let values: Vec<Value> =
            (from..from + count).flat_map(|n| params![n, &long].map(|value| value.to_owned())).collect();
        assert_eq!(client.bulk_insert(INSERT, &values).await.unwrap().affected_rows, count as u64);
    }
    assert_eq!(count(&client).await, 1_512);
    let huge = "x".repeat(2 << 20);
    let error = client.bulk_insert(INSERT, &params![9_000, &huge, 9_001, "y"]).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert_eq!(count(&client).await, 1_512);
    root.run("DROP DATABASE bulk_client", soon()).await.unwrap();
}

async fn on(server: Option<Server>) {
    let Some(server) = server else { return };
    everything(&server).await;
    if server.flavor != Flavor::RustyDb {
        rows_beyond_a_packet(&server).await;
    }
}

#[test]
fn many_rows_are_inserted_into_mariadb() {
    block_on(async { on(Server::mariadb(&[]).await).await });
}

#[test]
fn many_rows_are_inserted_into_mysql() {
    block_on(async { on(Server::mysql().await).await });
}

#[test]
fn many_rows_are_inserted_into_rustydb() {
    block_on(async { on(Server::rustydb().await).await });
}
