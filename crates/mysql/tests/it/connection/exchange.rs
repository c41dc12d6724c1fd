//! Requests and answers: what a session can do, and what is left of it when something is cut.

use crate::server::{Server, run_sql, soon};
use rustydb_mysql::connection::{ConnectOptions, InMemory};
use rustydb_mysql::driver::{Flavor, Session};
use rustydb_mysql::error::ErrorKind;
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Error, params};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) async fn statements_are_prepared_executed_and_closed(server: &Server) {
    let mut session = server.connect().await;
    let (statement, results) = session.prepare_execute("SELECT ? + 1", &params![41], soon()).await.unwrap();
    assert_eq!(results.one::<(i64,)>().await.unwrap(), (42,));
    for number in [1i64, 5, -7] {
        let results = session.execute(&statement, &[number], soon()).await.unwrap();
        assert_eq!(results.one::<(i64,)>().await.unwrap(), (number + 1,));
    }
    let told = session.execute(&statement, NO_PARAMETERS, soon()).await.unwrap_err();
    assert!(matches!(told, Error::Parameters { expected: 1, given: 0 }), "{told}");
    let mut other = server.connect().await;
    let told = other.execute(&statement, &[1i64], soon()).await.unwrap_err();
    assert!(matches!(told, Error::ForeignStatement), "{told}");
    // The number of parameters is wrong in the pipelined form, too.
    let told = session.prepare_execute("SELECT ?, ?", &[1i64], soon()).await.unwrap_err();
    assert!(matches!(told, Error::Parameters { expected: 2, given: 1 }), "{told}");
    session.close_statement(&statement);
    session.ping(soon()).await.unwrap();
    let told = session.execute(&statement, &[1i64], soon()).await.unwrap_err();
    assert_eq!(told.code(), Some(1243), "{told}");
    for round in 0..50u64 {
        let sql = format!("SELECT {round}, ?");
        let (statement, results) = session.prepare_execute(&sql, &[round], soon()).await.unwrap();
        assert_eq!(results.one::<(u64, u64)>().await.unwrap(), (round, round));
        if round % 3 == 0 {
            session.close_statement(&statement);
        }
    }
    session.close(soon()).await;
}

pub(super) async fn a_refused_prepare_executes_nothing(server: &Server) {
    let mut session = server.connect_to("refused").await;
    run_sql(&mut session, "CREATE TABLE t (a INT)").await;
    let (_, results) =
        session.prepare_execute("INSERT INTO t VALUES (1)", NO_PARAMETERS, soon()).await.unwrap();
    results.finish().await.unwrap();
    for _ in 0..2 {
        let told = session.prepare_execute("SELEC 1", NO_PARAMETERS, soon()).await.unwrap_err();
        assert_eq!(told.kind(), ErrorKind::Syntax, "{told}");
        let told = session.prepare_execute("SELECT * FROM none", NO_PARAMETERS, soon()).await.unwrap_err();
        assert_eq!(told.kind(), ErrorKind::UnknownTable, "{told}");
    }
    let (_, results) =
        session.prepare_execute("SELECT COUNT(*) FROM t", NO_PARAMETERS, soon()).await.unwrap();
    assert_eq!(results.one::<(i64,)>().await.unwrap(), (1,));
    run_sql(&mut session, "DROP DATABASE refused").await;
}

pub(super) async fn numbers_of_statements_survive_dynamic_sql(server: &Server) {
    let mut session = server.connect_to("dynamic").await;
    run_sql(&mut session, "CREATE TABLE t (a INT)").await;
    run_sql(&mut session, "INSERT INTO t VALUES (1), (2)").await;
    let (_, results) = session.prepare_execute("SELECT 1", NO_PARAMETERS, soon()).await.unwrap();
    results.finish().await.unwrap();
    run_sql(&mut session, "PREPARE s FROM 'DELETE FROM t'").await;
    for _ in 0..3 {
        let (_, results) =
            session.prepare_execute("SELECT COUNT(*) FROM t", NO_PARAMETERS, soon()).await.unwrap();
        assert_eq!(results.one::<(i64,)>().await.unwrap(), (2,));
    }
    run_sql(&mut session, "DROP DATABASE dynamic").await;
}

pub(super) async fn errors_leave_a_session_whole(server: &Server) {
    let mut session = server.connect_to("errors").await;
    run_sql(&mut session, "CREATE TABLE t (a INT PRIMARY KEY, name VARCHAR(3))").await;
    for (sql, kind) in [
        ("SELEC 1", ErrorKind::Syntax),
        ("SELECT * FROM none", ErrorKind::UnknownTable),
        ("USE none_such", ErrorKind::UnknownDatabase),
        ("INSERT INTO t VALUES (1, 'a'), (1, 'b')", ErrorKind::DuplicateKey),
        ("INSERT INTO t VALUES (2, 'secret-value')", ErrorKind::DataTooLong),
    ] {
        let told = session.run(sql, soon()).await.unwrap_err();
        assert_eq!(told.kind(), kind, "{told}");
        assert!(!told.to_string().contains("secret-value") && !format!("{told:?}").contains("secret-value"));
        assert!(!session.status().broken);
    }
    assert_eq!(session.query("SELECT 1", soon()).await.unwrap().one::<(i64,)>().await.unwrap(), (1,));
    run_sql(&mut session, "DROP DATABASE errors").await;
}

pub(super) async fn several_results_are_read_one_after_the_other(server: &Server) {
    let options = ConnectOptions { multi_statements: true, ..ConnectOptions::default() };
    let mut session = server.connect_with(options).await;
    let mut results =
        session.query("SELECT 1, 2; DO 0; SELECT 'x' UNION SELECT 'y'; SELEC", soon()).await.unwrap();
    assert_eq!(results.rows::<(i64, i64)>().await.unwrap(), [(1, 2)]);
    assert!(results.next_result().await.unwrap());
    assert!(results.columns().is_none() && results.next_row().await.unwrap().is_none());
    assert!(results.next_result().await.unwrap());
    assert_eq!(results.rows::<(String,)>().await.unwrap(), [("x".into(),), ("y".into(),)]);
    assert_eq!(results.next_result().await.unwrap_err().kind(), ErrorKind::Syntax);
    assert!(!results.next_result().await.unwrap());

    // Without the option one text is one statement.
    let mut plain = server.connect().await;
    assert_eq!(plain.run("SELECT 1; SELECT 2", soon()).await.unwrap_err().kind(), ErrorKind::Syntax);
    if server.flavor == Flavor::RustyDb {
        // It has no procedures yet.
        return;
    }
    run_sql(&mut session, "CREATE DATABASE several; USE several").await;
    run_sql(&mut session, "CREATE PROCEDURE p(OUT n INT) BEGIN SELECT 1; SELECT 2, 3; SET n = 9; END").await;
    let (_, mut results) = session.prepare_execute("CALL p(?)", &[5i64], soon()).await.unwrap();
    assert_eq!(results.rows::<(i64,)>().await.unwrap(), [(1,)]);
    assert!(results.next_result().await.unwrap());
    assert_eq!(results.rows::<(i64, i64)>().await.unwrap(), [(2, 3)]);
    results.finish().await.unwrap();
    run_sql(&mut session, "DROP DATABASE several").await;
}

/// A query of 10,000 rows.
const MANY: &str = "WITH RECURSIVE n AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM n WHERE a < 1000) \
                    SELECT x.a, y.a FROM n x JOIN n y ON y.a <= 10";

pub(super) async fn results_dropped_early_are_read_by_the_next_request(server: &Server) {
    let mut session = server.connect().await;
    let mut results = session.query(MANY, soon()).await.unwrap();
    assert!(results.next_row().await.unwrap().is_some());
    assert!(session.status().pending_results && !session.status().broken);
    assert_eq!(session.query("SELECT 7", soon()).await.unwrap().one::<(i64,)>().await.unwrap(), (7,));
    let mut results = session.query(MANY, soon()).await.unwrap();
    assert!(results.next_row().await.unwrap().is_some());
    session.discard_results(soon()).await.unwrap();
    assert!(!session.status().pending_results);
    assert_eq!(session.query(MANY, soon()).await.unwrap().owned_rows().await.unwrap().len(), 10_000);
}

pub(super) async fn a_cut_exchange_breaks_the_session(server: &Server) {
    let mut session = server.connect().await;
    let deadline = Instant::now() + Duration::from_millis(100);
    let told = session.run("SELECT SLEEP(20)", deadline).await.unwrap_err();
    assert!(matches!(told, Error::Timeout { .. }), "{told}");
    assert!(session.status().broken && !session.is_alive());
    assert!(matches!(session.ping(soon()).await, Err(Error::Broken)));

    let mut session = server.connect().await;
    let dropped =
        tokio::time::timeout(Duration::from_millis(50), session.run("SELECT SLEEP(20)", soon())).await;
    assert!(dropped.is_err() && session.status().broken);
    assert!(matches!(session.query("SELECT 1", soon()).await, Err(Error::Broken)));
}

pub(super) async fn a_connection_closed_by_the_server_is_seen(server: &Server) {
    let mut session = server.connect().await;
    let mut killer = server.connect().await;
    assert!(session.is_alive());
    run_sql(&mut killer, &format!("KILL {}", session.status().connection_id)).await;
    let until = soon();
    while session.is_alive() {
        assert!(Instant::now() < until, "the server's goodbye is never seen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = session.run("SELECT 1", soon()).await.unwrap_err();
    assert!(matches!(told, Error::Gone), "{told}");
}

pub(super) async fn packets_beyond_16_mib_go_both_ways(server: &Server) {
    let mut session = server.connect().await;
    for length in [(1 << 24) - 2, (1 << 24) - 1, 1 << 24, 40_000_000usize] {
        if server.flavor == Flavor::RustyDb && length > 1 << 23 {
            continue;
        }
        let bytes = vec![b'x'; length];
        let sql = "SELECT LENGTH(?), ?";
        let (_, results) =
            session.prepare_execute(sql, &[&bytes[..], &bytes[..1 << 20]], soon()).await.unwrap();
        let (told, back): (u64, Vec<u8>) = results.one().await.unwrap();
        assert_eq!((told as usize, back.len()), (length, 1 << 20));
        let sql = format!("SELECT REPEAT('x', {length})");
        let text: (String,) = session.query(&sql, soon()).await.unwrap().one().await.unwrap();
        assert_eq!(text.0.len(), length);
    }
    let told = session.run(&format!("SELECT '{}'", "x".repeat(70 << 20)), soon()).await.unwrap_err();
    assert!(matches!(told, Error::TooLarge { .. }), "{told}");
    session.ping(soon()).await.unwrap();
}

pub(super) async fn state_is_tracked_and_reset(server: &Server) {
    let mut session = server.connect_to("tracked").await;
    assert!(session.status().tracks_state && !session.status().dirty);
    run_sql(&mut session, "CREATE TABLE t (a INT)").await;
    let insert = "INSERT INTO t VALUES (?)";
    let (statement, results) = session.prepare_execute(insert, &[1i64], soon()).await.unwrap();
    results.finish().await.unwrap();
    let results = session.execute(&statement, &[1i64], soon()).await.unwrap();
    results.finish().await.unwrap();
    run_sql(&mut session, "BEGIN").await;
    assert!(session.status().in_transaction);
    run_sql(&mut session, "INSERT INTO t VALUES (1)").await;
    run_sql(&mut session, "COMMIT").await;
    assert!(!session.status().in_transaction);
    let rows = session.query("SELECT * FROM t", soon()).await.unwrap().rows::<(i64,)>().await.unwrap();
    assert_eq!(rows.len(), 3);
    assert!(!session.status().dirty, "plain statements leave nothing behind");
    for sql in [
        "SET @a = 1",
        "SET time_zone = '+01:00'",
        "SET autocommit = 0",
        "SET sql_mode = ''",
        "USE mysql",
        "CREATE TEMPORARY TABLE tracked.x (a INT)",
        "SELECT GET_LOCK('a', 1)",
        "PREPARE s FROM 'SELECT 1'",
    ] {
        run_sql(&mut session, sql).await;
        assert!(session.status().dirty, "{sql}");
        session.reset(soon()).await.unwrap();
        assert!(!session.status().dirty && session.status().tracks_state, "{sql}");
        let fresh = "SELECT @a IS NULL, @@autocommit, DATABASE()";
        let told: (i64, i64, String) = session.query(fresh, soon()).await.unwrap().one().await.unwrap();
        assert_eq!(told, (1, 1, "tracked".into()), "{sql}");
    }
    // After a reset statements are prepared as before.
    let (_, results) = session.prepare_execute("SELECT ?", &[3i64], soon()).await.unwrap();
    assert_eq!(results.one::<(i64,)>().await.unwrap(), (3,));
    run_sql(&mut session, "DROP DATABASE tracked").await;
}

pub(super) async fn commits_tell_their_gtid(server: &Server) {
    let mut session = server.connect_to("gtids").await;
    run_sql(&mut session, "CREATE TABLE t (a INT)").await;
    let summary = session.run("INSERT INTO t VALUES (1)", soon()).await.unwrap();
    if server.flavor == Flavor::RustyDb && summary.gtid.is_none() {
        return;
    }
    let gtid = summary.gtid.expect("a commit tells its GTID");
    assert_eq!(session.status().last_gtid.as_ref(), Some(&gtid));
    run_sql(&mut session, "BEGIN").await;
    run_sql(&mut session, "INSERT INTO t VALUES (2)").await;
    assert_eq!(session.status().last_gtid.as_ref(), Some(&gtid));
    let next = session.run("COMMIT", soon()).await.unwrap().gtid.expect("COMMIT tells its GTID");
    assert_ne!(next, gtid);
    assert!(!session.status().dirty);
    run_sql(&mut session, "DROP DATABASE gtids").await;
}

pub(super) async fn local_files_are_given_only_when_asked_for(server: &Server) {
    let load = "LOAD DATA LOCAL INFILE 'rows.csv' INTO TABLE files.t FIELDS TERMINATED BY ','";
    let mut plain = server.connect_to("files").await;
    run_sql(&mut plain, "CREATE TABLE t (a INT, b VARCHAR(10))").await;
    assert!(plain.run(load, soon()).await.is_err());
    plain.ping(soon()).await.unwrap();
    if server.flavor == Flavor::RustyDb {
        // It loads no files of clients.
        return;
    }

    let text: String = (0..20_000).map(|n| format!("{n},x{n}\n")).collect();
    let files = InMemory::new().with("rows.csv", text.into_bytes());
    let options = ConnectOptions { local_infile: Some(Arc::new(files)), ..ConnectOptions::default() };
    let mut session = server.connect_with(options).await;
    assert_eq!(session.run(load, soon()).await.unwrap().affected_rows, 20_000);
    let told = session.run(&load.replace("rows", "others"), soon()).await.unwrap_err();
    assert!(matches!(told, Error::LocalFile { .. }), "{told}");
    session.ping(soon()).await.unwrap();
    run_sql(&mut session, "DROP DATABASE files").await;
}
