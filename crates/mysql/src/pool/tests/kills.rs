//! What users abandoned is ended at the server: at once, few connections at a time, nothing else.

use super::*;
use crate::pool::{KillStats, PooledConnection};
use crate::scripted::{Behaviour, Point};
use crate::transaction::{Transaction, TransactionOptions};
use crate::value::NO_PARAMETERS;

/// The server never answers statements that begin so.
fn never(server: &Server, sql: &'static str) {
    server.on(move |step| match step.point == Point::Query && step.sql.starts_with(sql) {
        true => Behaviour::Never,
        false => Behaviour::Usual,
    });
}

/// Gives up a statement that the server works on.
async fn abandon(connection: &mut PooledConnection<Server>) {
    let asked = ask(&mut **connection, "long");
    assert!(tokio::time::timeout(Duration::from_millis(10), asked).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_many_abandon_at_once_is_ended_over_one_connection() {
    let server = Server::new();
    let pool = pool(&server, 0, 20);
    never(&server, "SELECT long");
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut connection = pool.acquire().await.unwrap();
        abandon(&mut connection).await;
        held.push(connection);
    }
    assert_eq!((server.left_running(), server.connects()), ((20, 0), 20));
    drop(held);
    settle().await;
    assert_eq!((server.left_running(), server.connects()), ((0, 20), 21));
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.figures.kills.ended, stats.figures.created), (20, 20));
    assert_eq!(ask(&mut *pool.acquire().await.unwrap(), "x").await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_ends_the_statement() {
    let server = Server::new();
    let pool = pool(&server, 0, 2);
    never(&server, "SELECT long");
    let mut connection = pool.acquire().await.unwrap();
    ask(&mut *connection, "long").await.unwrap_err();
    drop(connection);
    settle().await;
    assert_eq!(server.left_running(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_need_not_be_given_back_first() {
    let server = Server::new();
    let pool = pool(&server, 0, 2);
    let begun = Transaction::begin(
        pool.acquire().await.unwrap(),
        TransactionOptions::default(),
        Duration::from_secs(5),
    );
    let mut transaction = begun.await.unwrap();
    never(&server, "INSERT");
    let work = transaction.execute("INSERT x", NO_PARAMETERS);
    assert!(tokio::time::timeout(Duration::from_millis(10), work).await.is_err());
    settle().await;
    assert_eq!(server.left_running(), (0, 1));
    drop(transaction);
    settle().await;
    assert_eq!(pool.stats().figures.kills, KillStats { ended: 1, ..KillStats::default() });
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_or_lost_or_is_not_to_be_ended_is_not() {
    let server = Server::new();
    let pool = pool(&server, 0, 2);
    ask(&mut *pool.acquire().await.unwrap(), "x").await.unwrap();
    server.on(|_| Behaviour::LostAfter);
    ask(&mut *pool.acquire().await.unwrap(), "y").await.unwrap_err();
    settle().await;
    assert_eq!((server.connects(), pool.stats().figures.kills), (1, KillStats::default()));

    let mut config = PoolConfig::sized(0, 2);
    config.kill_abandoned = false;
    pool.reconfigure(config).unwrap();
    never(&server, "SELECT long");
    abandon(&mut pool.acquire().await.unwrap()).await;
    settle().await;
    assert_eq!((server.left_running(), pool.stats().figures.kills), ((1, 0), KillStats::default()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_holds_no_more_than_the_bound() {
    const ABANDONED: u64 = 300;
    let server = Server::new();
    let pool = pool(&server, 0, ABANDONED as usize);
    never(&server, "SELECT long");
    let mut held = Vec::new();
    for _ in 0..ABANDONED {
        let mut connection = pool.acquire().await.unwrap();
        abandon(&mut connection).await;
        held.push(connection);
    }
    server.on(|step| if step.point == Point::Connect { Behaviour::Never } else { Behaviour::Usual });
    drop(held);
    tokio::time::sleep(2 * CONNECT).await;
    let kills = pool.stats().figures.kills;
    assert!(kills.turned_away > 0 && kills.failed + kills.turned_away == ABANDONED, "{kills:?}");
    assert_eq!(server.left_running(), (ABANDONED as usize, 0));
    // Afterwards it works again.
    never(&server, "SELECT long");
    abandon(&mut pool.acquire().await.unwrap()).await;
    settle().await;
    assert_eq!(pool.stats().figures.kills.ended, 1);
    assert_at_rest(&pool, &server).await;
}
