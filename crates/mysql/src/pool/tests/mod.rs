//! A pool over a [scripted server](crate::scripted), under paused time: nothing here waits for a clock.

mod care;
mod control;
mod health;
mod kills;
mod opening;
mod order;

use super::{Pool, PoolStats};
use crate::config::PoolConfig;
use crate::driver::{Driver, Session};
use crate::error::Result;
use crate::scripted::{ScriptedSession, Server};
use std::time::Duration;
use tokio::time::Instant;

const CONNECT: Duration = Duration::from_secs(10);

pub(crate) fn pool_of(server: &Server, config: PoolConfig) -> Pool<Server> {
    Pool::new(server.clone(), server.endpoint(), server.credential(""), CONNECT, config).unwrap()
}

/// From `min` to `max` connections.
pub(crate) fn pool(server: &Server, min: usize, max: usize) -> Pool<Server> {
    pool_of(server, PoolConfig::sized(min, max))
}

/// Lets every task run until all of them wait for a clock.
pub(crate) async fn settle() {
    // Tokio moves paused time only when no task can run.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Asks a session for a value and returns what it answers.
pub(crate) async fn ask<S: Session>(session: &mut S, value: &str) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    session.query(&format!("SELECT {value}"), deadline).await?.one::<(String,)>().await.map(|(value,)| value)
}

pub(crate) async fn run<S: Session>(session: &mut S, sql: &str) -> Result<()> {
    session.run(sql, Instant::now() + Duration::from_secs(5)).await.map(drop)
}

/// Checks what holds of a pool that nobody uses, and gives its figures.
pub(crate) async fn assert_at_rest(pool: &Pool<Server>, server: &Server) -> PoolStats {
    let stats = pool.stats();
    assert_eq!(stats.active_connections, 0, "{stats:?}");
    assert_eq!(stats.waiting_requests, 0, "{stats:?}");
    assert_eq!(stats.opening_connections, 0, "{stats:?}");
    assert_eq!(stats.connections_in_care, 0, "{stats:?}");
    assert_eq!(stats.total_connections, stats.idle_connections, "{stats:?}");
    assert!(stats.total_connections <= stats.max_connections, "{stats:?}");
    let (created, closed) = (stats.figures.created, stats.figures.closed());
    assert_eq!(created - closed, stats.total_connections as u64, "{stats:?}");
    assert_eq!(server.sessions(), stats.total_connections, "sessions on the server; {stats:?}");
    assert_eq!(server.open_transactions(), 0, "transactions left open on the server");
    stats
}

/// The driver's sessions can be told apart by their number.
fn id(session: &ScriptedSession) -> u64 {
    session.status().connection_id
}

/// A driver is what a pool is of.
fn _is_driver<D: Driver>(_: &D) {}
