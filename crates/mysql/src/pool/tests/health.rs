//! The health loop: ages, idleness, validation, the minimum, leaks.

use super::*;
use crate::pool::CloseReason;
use crate::scripted::{Behaviour, Point};

async fn take_and_give_back(pool: &Pool<Server>, connections: usize) {
    let mut held = Vec::new();
    for _ in 0..connections {
        held.push(pool.acquire().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_minimum_is_kept_warm_from_the_start() {
    let server = Server::new();
    let pool = pool(&server, 3, 8);
    pool.warm_up(Instant::now() + CONNECT).await.unwrap();
    assert_eq!(assert_at_rest(&pool, &server).await.idle_connections, 3);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_end_above_the_minimum_only() {
    let server = Server::new();
    let pool = pool(&server, 2, 6);
    take_and_give_back(&pool, 6).await;
    tokio::time::sleep(Duration::from_secs(700)).await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.figures.closed_for(CloseReason::IdleTimeout)), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn lifetimes_end_at_different_times_and_the_minimum_stays() {
    let server = Server::new();
    let pool = pool(&server, 4, 4);
    let mut ends = Vec::new();
    let begin = Instant::now();
    let mut seen = 0;
    while ends.len() < 4 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let closed = pool.stats().figures.closed_for(CloseReason::MaxLifetime);
        while seen < closed {
            seen += 1;
            ends.push(begin.elapsed().as_secs());
        }
        assert!(begin.elapsed() < Duration::from_secs(2_000), "{ends:?}");
    }
    // 30 min less up to a tenth, seen at the next tick of 30 s.
    assert!(ends.iter().all(|end| (1_620..=1_831).contains(end)), "{ends:?}");
    settle().await;
    assert_eq!(assert_at_rest(&pool, &server).await.total_connections, 4);
}

#[tokio::test(start_paused = true)]
async fn a_connection_too_old_is_not_given_out_nor_taken_back() {
    let server = Server::new();
    let mut config = PoolConfig::sized(0, 2);
    config.max_lifetime = Duration::from_secs(20);
    config.lifetime_jitter = 0.0;
    let pool = pool_of(&server, config);
    drop(pool.acquire().await.unwrap());
    tokio::time::sleep(Duration::from_secs(21)).await;
    let connection = pool.acquire().await.unwrap();
    assert_eq!(id(&connection), 2);
    tokio::time::sleep(Duration::from_secs(21)).await;
    drop(connection);
    settle().await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.figures.closed_for(CloseReason::MaxLifetime)), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_validated_at_each_interval_and_dead_ones_replaced() {
    let server = Server::new();
    let pool = pool(&server, 3, 3);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(server.statements(), ["SELECT 1"; 3]);
    server.restart();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.figures.closed_for(CloseReason::ValidationFailed)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn connections_in_use_are_not_validated() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    for _ in 0..50 {
        drop(pool.acquire().await.unwrap());
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert!(server.statements().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_ping_takes_the_place_of_the_validation_query() {
    let server = Server::new();
    let mut config = PoolConfig::sized(2, 2);
    config.validation_query = None;
    let pool = pool_of(&server, config);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!((server.pings(), server.statements().len()), (2, 0));
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_validation_is_given_up_in_time() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    settle().await;
    server.on(|step| if step.point == Point::Query { Behaviour::Never } else { Behaviour::Usual });
    tokio::time::sleep(Duration::from_secs(36)).await;
    server.behave();
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.closed_for(CloseReason::ValidationFailed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_the_connection_that_is_being_validated() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    settle().await;
    server.on(|step| if step.sql == "SELECT 1" { Behaviour::Slow(500) } else { Behaviour::Usual });
    let check = tokio::spawn({
        let pool = pool.clone();
        async move { pool.health_check().await }
    });
    while pool.stats().connections_in_care == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(id(&pool.acquire().await.unwrap()), 1);
    check.await.unwrap();
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn the_minimum_is_reached_for_again_at_the_next_look_after_connecting_failed() {
    let server = Server::new();
    server.on(|_| Behaviour::LostBefore);
    let pool = pool(&server, 2, 4);
    tokio::time::sleep(Duration::from_secs(29)).await;
    let tried = pool.stats().figures.connect_failures;
    assert!((1..=2).contains(&tried), "no storm of connects: {tried}");
    assert!(pool.stats().last_connect_error.is_some());
    server.behave();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.total_connections, stats.last_connect_error), (2, None));
}

#[tokio::test(start_paused = true)]
async fn a_connection_held_too_long_is_reported_once() {
    let server = Server::new();
    let mut config = PoolConfig::sized(1, 2);
    config.leak_threshold = Some(Duration::from_secs(10));
    let pool = pool_of(&server, config);
    let held = pool.acquire().await.unwrap();
    let short = pool.acquire().await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(short);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(pool.stats().figures.leaked, 1);
    drop(held);
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn the_pool_ends_with_its_last_user() {
    let server = Server::new();
    let pool = pool(&server, 2, 2);
    settle().await;
    let connection = pool.acquire().await.unwrap();
    drop(pool);
    settle().await;
    assert_eq!(server.sessions(), 2);
    drop(connection);
    settle().await;
    assert_eq!((server.sessions(), server.goodbyes()), (0, 2));
}
