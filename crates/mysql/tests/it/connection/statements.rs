//! Statements kept per connection, rows in bulk, streams; and statements that are ended at the server.

use crate::server::{Server, run_sql, soon};
use rustydb_mysql::connection::{ConnectOptions, ServerDriver};
use rustydb_mysql::driver::{Credential, Driver, Session};
use rustydb_mysql::statements::{BulkInsert, CachedSession, CachingDriver, RowStream};
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Connection, FromRow, Value, params};
use std::time::Duration;

async fn cached(server: &Server, database: &str, capacity: usize) -> CachedSession<Connection> {
    run_sql(&mut server.connect().await, &format!("CREATE DATABASE IF NOT EXISTS {database}")).await;
    let options = ConnectOptions { database: Some(database.into()), ..ConnectOptions::default() };
    let driver = CachingDriver::new(ServerDriver::new(options).unwrap(), capacity);
    driver.connect(&server.tcp(), &Credential::new("root", server.password), soon()).await.unwrap()
}

#[derive(FromRow, Debug, PartialEq)]
struct Pair {
    b: String,
    #[mysql(rename = "a")]
    number: i64,
}

pub(super) async fn statements_are_kept_and_prepared_again(server: &Server) {
    let mut session = cached(server, "kept", 2).await;
    session.run("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20))", soon()).await.unwrap();
    let insert = "INSERT INTO t VALUES (?, ?)";
    for number in 0..10i64 {
        let results = session.execute_cached(insert, &params![number, "x"], soon()).await.unwrap();
        assert_eq!(results.finish().await.unwrap().affected_rows, 1);
    }
    assert_eq!((session.cache_stats().hits, session.cache_stats().misses), (9, 1));
    let select = "SELECT * FROM t WHERE a = ?";
    let read = async |session: &mut CachedSession<Connection>| {
        let mut results = session.execute_cached(select, &[3i64], soon()).await.unwrap();
        let columns = results.columns().unwrap().len();
        (columns, results.rows::<Pair>().await.unwrap())
    };
    assert_eq!(read(&mut session).await, (2, vec![Pair { b: "x".into(), number: 3 }]));
    // The table changes under the statement.
    session.run("ALTER TABLE t ADD COLUMN c INT", soon()).await.unwrap();
    assert_eq!(read(&mut session).await.0, 3);
    session.run("ALTER TABLE t DROP COLUMN c, MODIFY a BIGINT", soon()).await.unwrap();
    assert_eq!(read(&mut session).await.0, 2);
    // What was given up is closed at the server, and a reset empties the cache.
    for number in 0..20 {
        let results =
            session.execute_cached(&format!("SELECT {number}"), NO_PARAMETERS, soon()).await.unwrap();
        results.finish().await.unwrap();
    }
    session.reset(soon()).await.unwrap();
    assert_eq!(read(&mut session).await.0, 2);
    // A statement that the server lost behind our back.
    let statement = session.prepare_cached(select, soon()).await.unwrap();
    session.inner().close_statement(&statement);
    session.ping(soon()).await.unwrap();
    assert_eq!(read(&mut session).await.0, 2);
    assert_eq!(session.cache_stats().invalidated, 1);
    session.run("DROP DATABASE kept", soon()).await.unwrap();
}

pub(super) async fn rows_are_inserted_in_bulk_and_streamed(server: &Server) {
    let mut session = cached(server, "bulk", 100).await;
    session.run("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20) NULL)", soon()).await.unwrap();
    let insert = BulkInsert::new("INSERT INTO t (a, b) VALUES (?, ?)").unwrap();
    let values: Vec<Value> = (0..5_555i64)
        .flat_map(|n| {
            [Value::Int(n), if n % 7 == 0 { Value::Null } else { Value::String(format!("row {n}")) }]
        })
        .collect();
    assert!(insert.run(&mut session, &values[1..], soon()).await.is_err());
    assert_eq!(insert.run(&mut session, &values, soon()).await.unwrap().affected_rows, 5_555);

    let check = "SELECT COUNT(*), COUNT(b), CAST(SUM(a) AS SIGNED) FROM t";
    let told: (i64, i64, i64) = session.query(check, soon()).await.unwrap().one().await.unwrap();
    assert_eq!(told, (5_555, 5_555 - 794, 5_555 * 5_554 / 2));

    session.start_query("SELECT * FROM t ORDER BY a", soon()).await.unwrap();
    let mut stream = RowStream::new(Box::new(session), Duration::from_secs(20));
    assert_eq!(stream.next().await.unwrap().unwrap().get::<i64>(0).unwrap(), 0);
    let (mut sizes, mut last) = (Vec::new(), 0);
    loop {
        let batch = stream.next_batch(1000).await.unwrap();
        let Some(row) = batch.last() else { break };
        (last, _) = row.read::<(i64, Option<String>)>().unwrap();
        sizes.push(batch.len());
    }
    assert_eq!((sizes.as_slice(), last), (&[1000, 1000, 1000, 1000, 1000, 554][..], 5_554));
    let mut session = stream.into_inner();
    session.run("DROP DATABASE bulk", soon()).await.unwrap();
}
