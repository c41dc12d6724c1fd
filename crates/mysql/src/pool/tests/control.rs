//! Settings, credentials and the end, while the pool is used.

use super::*;
use crate::pool::{AcquireError, CloseReason, Closed};
use crate::scripted::Behaviour;

#[tokio::test(start_paused = true)]
async fn a_lower_maximum_is_reached_by_closing() {
    let server = Server::new();
    let pool = pool(&server, 4, 8);
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(pool.acquire().await.unwrap());
    }
    held.truncate(4);
    pool.reconfigure(PoolConfig::sized(1, 3)).unwrap();
    let stats = pool.stats();
    assert_eq!((stats.total_connections, stats.idle_connections, stats.max_connections), (4, 0, 3));
    drop(held);
    settle().await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.figures.closed_for(CloseReason::AboveMaximum)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_higher_minimum_and_maximum_count_at_once() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    settle().await;
    pool.reconfigure(PoolConfig::sized(3, 5)).unwrap();
    waiter.await.unwrap().unwrap();
    drop(held);
    settle().await;
    assert_eq!(assert_at_rest(&pool, &server).await.total_connections, 3);
}

#[tokio::test(start_paused = true)]
async fn settings_that_contradict_each_other_change_nothing() {
    let server = Server::new();
    let pool = pool(&server, 1, 2);
    pool.reconfigure(PoolConfig::sized(5, 2)).unwrap_err();
    assert_eq!(pool.config(), PoolConfig::sized(1, 2));
}

#[tokio::test(start_paused = true)]
async fn intervals_follow_at_once() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    settle().await;
    let mut config = PoolConfig::sized(1, 1);
    config.validation_interval = Duration::from_secs(1);
    pool.reconfigure(config).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(server.statements().len() >= 4, "{:?}", server.statements());
}

#[tokio::test(start_paused = true)]
async fn a_rotated_credential_disturbs_nobody() {
    let server = Server::new();
    server.set_password("one");
    let credential = server.credential("one");
    let pool =
        Pool::new(server.clone(), server.endpoint(), credential, CONNECT, PoolConfig::sized(3, 3)).unwrap();
    settle().await;
    let mut held = pool.acquire().await.unwrap();
    server.set_password("two");
    pool.rotate(server.credential("two"));
    assert_eq!(ask(&mut *held, "undisturbed").await.unwrap(), "undisturbed");
    drop(held);
    settle().await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.figures.closed_for(CloseReason::CredentialRotated)), (3, 3));
    assert_eq!(stats.figures.connect_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connect_under_way_while_the_credential_is_rotated_is_repeated_with_the_new_one() {
    let server = Server::new();
    server.on(|_| Behaviour::Slow(500));
    server.set_password("two");
    let credential = server.credential("one");
    let pool =
        Pool::new(server.clone(), server.endpoint(), credential, CONNECT, PoolConfig::sized(0, 3)).unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    while pool.stats().opening_connections == 0 {
        tokio::task::yield_now().await;
    }
    pool.rotate(server.credential("two"));
    waiter.await.unwrap().unwrap();
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.figures.connect_failures, stats.figures.created), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn retired_connections_are_replaced() {
    let server = Server::new();
    let pool = pool(&server, 2, 2);
    settle().await;
    let held = pool.acquire().await.unwrap();
    pool.retire();
    drop(held);
    settle().await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.figures.closed_for(CloseReason::Retired)), (2, 2));
    assert_eq!(server.connects(), 4);
}

#[tokio::test(start_paused = true)]
async fn draining_closes_what_is_idle_and_leaves_what_is_out() {
    let server = Server::new();
    let pool = pool(&server, 0, 4);
    let held = pool.acquire().await.unwrap();
    drop(pool.acquire().await.unwrap());
    pool.drain_idle();
    let stats = pool.stats();
    assert_eq!((stats.active_connections, stats.idle_connections), (1, 0));
    drop(held);
    settle().await;
    assert_eq!(assert_at_rest(&pool, &server).await.idle_connections, 1);
}

#[tokio::test(start_paused = true)]
async fn closing_turns_waiters_away_and_waits_for_those_that_are_out() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    settle().await;
    let close = tokio::spawn({
        let pool = pool.clone();
        async move { pool.close(Instant::now() + Duration::from_secs(60)).await }
    });
    let error = waiter.await.unwrap().unwrap_err();
    assert!(matches!(error, AcquireError::Closed { .. }));
    assert!(matches!(pool.acquire().await.unwrap_err(), AcquireError::Closed { .. }));
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(held);
    assert_eq!(close.await.unwrap(), Closed { still_out: 0 });
    settle().await;
    assert_eq!(assert_at_rest(&pool, &server).await.total_connections, 0);
}

#[tokio::test(start_paused = true)]
async fn closing_ends_at_its_deadline_and_says_what_is_still_out() {
    let server = Server::new();
    let pool = pool(&server, 2, 2);
    settle().await;
    let held = pool.acquire().await.unwrap();
    let closed = pool.close(Instant::now() + Duration::from_secs(3)).await;
    assert_eq!(closed, Closed { still_out: 1 });
    drop(held);
    settle().await;
    assert_eq!(assert_at_rest(&pool, &server).await.total_connections, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_opened_while_the_pool_closes_is_closed() {
    let server = Server::new();
    server.on(|_| Behaviour::Slow(500));
    let pool = pool(&server, 2, 2);
    tokio::task::yield_now().await;
    assert_eq!(pool.stats().opening_connections, 2);
    pool.close(Instant::now()).await;
    settle().await;
    assert_eq!(assert_at_rest(&pool, &server).await.total_connections, 0);
}
