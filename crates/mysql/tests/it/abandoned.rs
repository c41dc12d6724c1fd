//! Statements that nobody waits for any more are ended at real servers, and nothing else is.
//!
//! Servers look by themselves, every five seconds, whether somebody still waits for a SLEEP; what is ended here has
//! to be gone sooner, and the client's own count has to say that it was ended.

use crate::server::{Server, block_on, run_sql, soon};
use rustydb_mysql::config::{Address, ClientConfig, PasswordSource, PoolConfig};
use rustydb_mysql::connection::{ConnectOptions, Connection, ServerDriver};
use rustydb_mysql::driver::{Credential, Driver, Flavor, Session, Statement};
use rustydb_mysql::kill::{self, Killed, StatementHead};
use rustydb_mysql::pool::KillStats;
use rustydb_mysql::transaction::TransactionOptions;
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Error, ErrorKind, MysqlClient, Services, params};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Sooner than servers notice by themselves.
const AT_ONCE: Duration = Duration::from_secs(3);
/// After this a statement is given up.
const PATIENCE: Duration = Duration::from_millis(300);

async fn client(server: &Server, change: impl FnOnce(&mut ClientConfig)) -> MysqlClient {
    let mut config = ClientConfig::default();
    config.primary = Address::tcp("127.0.0.1", server.port);
    config.password = PasswordSource::Plain(server.password.into());
    config.pool = PoolConfig::sized(0, 8);
    change(&mut config);
    MysqlClient::connect(config, Services::default()).await.unwrap()
}

fn kills(client: &MysqlClient) -> KillStats {
    client.get_pool_status().unwrap().figures.kills
}

/// Statements of this beginning that the server is at, the one that asks aside.
async fn running(other: &mut Connection, begins: &str) -> i64 {
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '{begins}%' AND COMMAND <> 'Sleep'"
    );
    other.query(&sql, soon()).await.unwrap().one::<(i64,)>().await.unwrap().0
}

async fn until(other: &mut Connection, begins: &str, count: i64, within: Duration) {
    let end = Instant::now() + within;
    while running(other, begins).await != count {
        assert!(Instant::now() < end, "{begins}: not {count} of them after {within:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the client counts so many statements as ended.
async fn until_ended(client: &MysqlClient, count: u64) {
    let end = soon();
    while kills(client).ended + kills(client).already_over < count {
        assert!(Instant::now() < end, "{:?}", kills(client));
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whatever way a statement is given up, it is gone at once; what runs beside it stays.
async fn every_way_of_giving_up(server: &Server) {
    let mut other = server.connect().await;
    run_sql(&mut other, "CREATE DATABASE abandoned").await;
    let client = client(server, |_| {}).await;
    let beside = tokio::spawn({
        let client = client.clone();
        async move { client.query_one("SELECT SLEEP(8)", NO_PARAMETERS).await }
    });
    let plain = "SELECT SLEEP(100)";
    let sleeps = "SELECT SLEEP(10";
    let mut given_up = 0;

    // By the future, as text and prepared.
    timeout(PATIENCE, client.query(plain, NO_PARAMETERS)).await.unwrap_err();
    until(&mut other, sleeps, 0, AT_ONCE).await;
    timeout(PATIENCE, client.execute("SELECT SLEEP(101 + ?)", &params![0])).await.unwrap_err();
    until(&mut other, sleeps, 0, AT_ONCE).await;
    timeout(PATIENCE, client.query_stream(plain, NO_PARAMETERS)).await.unwrap_err();
    until(&mut other, sleeps, 0, AT_ONCE).await;
    given_up += 3;

    // Within a procedure the server shows the procedure's statement. RustyDB has none.
    if server.flavor != Flavor::RustyDb {
        run_sql(&mut other, "CREATE PROCEDURE abandoned.p () BEGIN SELECT SLEEP(103); END").await;
        timeout(PATIENCE, client.query("CALL abandoned.p()", NO_PARAMETERS)).await.unwrap_err();
        until(&mut other, sleeps, 0, AT_ONCE).await;
        given_up += 1;
    }

    // On a connection that is still held.
    let mut held = client.acquire_connection().await.unwrap();
    timeout(PATIENCE, held.query(plain, NO_PARAMETERS)).await.unwrap_err();
    until(&mut other, sleeps, 0, AT_ONCE).await;
    assert!(held.status().broken);
    given_up += 1;

    // In a transaction, which stays open no longer either.
    let work = client.with_transaction(TransactionOptions::default(), |mut transaction| async move {
        transaction.execute("CREATE TEMPORARY TABLE abandoned.t (a INT)", NO_PARAMETERS).await?;
        transaction.query(plain, NO_PARAMETERS).await?.finish().await?;
        Ok::<(), Error>(())
    });
    timeout(PATIENCE, work).await.unwrap_err();
    until(&mut other, sleeps, 0, AT_ONCE).await;
    given_up += 1;

    until_ended(&client, given_up).await;
    drop(held);
    let slept = beside.await.unwrap().unwrap().unwrap();
    assert_eq!(slept.get::<i64>(0).unwrap(), 0, "what ran beside was interrupted");
    let told = kills(&client);
    // RustyDB notices by itself, and at once, that nobody waits.
    let by_itself = if server.flavor == Flavor::RustyDb { told.already_over } else { 0 };
    assert_eq!((told.ended, told.already_over), (given_up - by_itself, by_itself), "{told:?}");
    assert_eq!(told.spared + told.failed + told.turned_away, 0, "{told:?}");
    let shown = client.registry().render();
    assert!(shown.contains("mysql_queries_killed"), "{shown}");
}

/// A deadline ends the statement like a drop does.
async fn a_deadline(server: &Server) {
    let mut other = server.connect().await;
    let client = client(server, |config| config.limits.query_timeout = PATIENCE).await;
    let error = client.execute("SELECT SLEEP(104)", NO_PARAMETERS).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QueryTimeout, "{error}");
    until(&mut other, "SELECT SLEEP(104", 0, AT_ONCE).await;
    // A read that timed out was tried once more.
    until_ended(&client, 2).await;
}

/// A statement that is given up just when it ends is never followed by a kill of the next one, although both have the
/// same text and the pool has one connection.
async fn successors_are_spared(server: &Server) {
    let client = client(server, |config| config.pool = PoolConfig::sized(1, 1)).await;
    let sql = "SELECT SLEEP(0.02)";
    for round in 0..60u64 {
        let patience = Duration::from_micros(19_000 + round * 60);
        let _ = timeout(patience, client.query(sql, NO_PARAMETERS)).await;
        let row = client.query_one(sql, NO_PARAMETERS).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 0, "round {round} was interrupted");
    }
    let stats = client.get_pool_status().unwrap();
    assert!(stats.figures.created > 1, "no statement was given up: {stats:?}");
}

/// It can be switched off. RustyDB ends by itself what nobody waits for.
async fn where_it_is_switched_off(server: &Server) {
    let mut other = server.connect().await;
    let client = client(server, |config| config.pool.kill_abandoned = false).await;
    timeout(PATIENCE, client.query("SELECT SLEEP(3.5)", NO_PARAMETERS)).await.unwrap_err();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(running(&mut other, "SELECT SLEEP(3.5").await, 1);
    assert_eq!(kills(&client), KillStats::default());
}

/// Without a pool: what is not certainly the abandoned statement is spared.
async fn others_are_spared(server: &Server) {
    let mut other = server.connect().await;
    let mut session = server.connect().await;
    assert!(session.abandoned().is_none());
    let cut = timeout(PATIENCE, session.run("SELECT SLEEP(5)", soon())).await;
    assert!(cut.is_err());
    let abandoned = session.abandoned().unwrap();
    assert!(abandoned.is_direct);

    let mut elsewhere = abandoned.clone();
    let mut stranger = (*elsewhere.server).clone();
    stranger.unique_id = Some("another".to_owned());
    stranger.hostname = Some("another".to_owned());
    elsewhere.server = Arc::new(stranger);
    assert_eq!(kill::end(&mut other, &elsewhere, soon()).await.unwrap(), Killed::OtherServer);

    let mut shared = abandoned.clone();
    shared.is_direct = false;
    shared.statement = StatementHead::new("DELETE FROM t");
    assert_eq!(kill::end(&mut other, &shared, soon()).await.unwrap(), Killed::OtherStatement);
    assert_eq!(running(&mut other, "SELECT SLEEP(5").await, 1, "it was to be spared");

    shared.statement = abandoned.statement;
    assert_eq!(kill::end(&mut other, &shared, soon()).await.unwrap(), Killed::Ended);
    until(&mut other, "SELECT SLEEP(5", 0, AT_ONCE).await;
    drop(session);
    assert_eq!(kill::end(&mut other, &abandoned, soon()).await.unwrap(), Killed::AlreadyOver);
}

/// What an application has that holds its sessions itself.
async fn sessions_say_what_they_left(server: &Server) {
    let driver = ServerDriver::new(ConnectOptions::default()).unwrap();
    let root = Credential::new("root", server.password);
    let mut session = driver.connect(&server.tcp(), &root, soon()).await.unwrap();
    let statement: Statement = session.prepare("SELECT SLEEP(?)", soon()).await.unwrap();
    assert!(session.abandoned().is_none(), "a statement that was prepared is no work");
    session.execute(&statement, &[0], soon()).await.unwrap().finish().await.unwrap();
    assert!(session.abandoned().is_none());
    session.query("SELECT 1 FROM nothing", soon()).await.unwrap_err();
    assert!(session.abandoned().is_none(), "what failed is over");
    let mut results = session.query("SELECT 1 UNION ALL SELECT 2", soon()).await.unwrap();
    assert!(results.next_row().await.unwrap().is_some());
    assert!(session.abandoned().is_some(), "rows are left");
    session.discard_results(soon()).await.unwrap();
    assert!(session.abandoned().is_none());
}

async fn everything(server: &Server) {
    sessions_say_what_they_left(server).await;
    others_are_spared(server).await;
    every_way_of_giving_up(server).await;
    a_deadline(server).await;
    successors_are_spared(server).await;
    if server.flavor != Flavor::RustyDb {
        where_it_is_switched_off(server).await;
    }
}

#[test]
fn statements_given_up_are_ended_at_mariadb() {
    block_on(async {
        let Some(server) = Server::mariadb(&[]).await else { return };
        everything(&server).await;
    });
}

#[test]
fn statements_given_up_are_ended_at_mysql() {
    block_on(async {
        let Some(server) = Server::mysql().await else { return };
        everything(&server).await;
    });
}

#[test]
fn statements_given_up_are_ended_at_rustydb() {
    block_on(async {
        let Some(server) = Server::rustydb().await else { return };
        everything(&server).await;
    });
}
