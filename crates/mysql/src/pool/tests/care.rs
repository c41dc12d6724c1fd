//! What a connection leaves behind, and what the next user finds.

use super::*;
use crate::config::ResetPolicy;
use crate::pool::CloseReason;
use crate::scripted::{Behaviour, Point};

#[tokio::test(start_paused = true)]
async fn a_session_is_reset_only_when_it_changed() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut connection = pool.acquire().await.unwrap();
    assert_eq!(ask(&mut *connection, "plain").await.unwrap(), "plain");
    drop(connection);
    settle().await;
    assert_eq!(server.resets(), 0);

    let mut connection = pool.acquire().await.unwrap();
    run(&mut *connection, "SET sql_mode").await.unwrap();
    drop(connection);
    let connection = pool.acquire().await.unwrap();
    assert!(!connection.status().dirty);
    assert_eq!((server.resets(), server.connects()), (1, 1));
    drop(connection);
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.resets, 1);
}

#[tokio::test(start_paused = true)]
async fn policies_reset_always_or_never() {
    for (policy, expected) in [(ResetPolicy::Always, 2), (ResetPolicy::Never, 0)] {
        let server = Server::new();
        let mut config = PoolConfig::sized(1, 1);
        config.reset = policy;
        let pool = pool_of(&server, config);
        for sql in ["SELECT 1", "SET a"] {
            let mut connection = pool.acquire().await.unwrap();
            run(&mut *connection, sql).await.unwrap();
            drop(connection);
            settle().await;
        }
        assert_eq!(server.resets(), expected, "{policy:?}");
        assert_at_rest(&pool, &server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_left_open_is_rolled_back_and_counted_without_losing_the_session() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut connection = pool.acquire().await.unwrap();
    run(&mut *connection, "BEGIN").await.unwrap();
    run(&mut *connection, "INSERT lost").await.unwrap();
    drop(connection);
    settle().await;
    assert!(server.committed().is_empty());
    assert_eq!((server.connects(), server.resets()), (1, 0));
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.orphaned, 1);
}

#[tokio::test(start_paused = true)]
async fn rows_left_unread_are_read_before_the_next_user_comes() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut connection = pool.acquire().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut results = connection.query("ROWS 9 old", deadline).await.unwrap();
    assert!(results.next_row().await.unwrap().is_some());
    drop(connection);
    let mut connection = pool.acquire().await.unwrap();
    assert!(!connection.status().pending_results);
    assert_eq!(ask(&mut *connection, "new").await.unwrap(), "new");
    assert_eq!(server.connects(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_session_is_closed_and_replaced() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut connection = pool.acquire().await.unwrap();
    server.on(|step| if step.point == Point::Query { Behaviour::LostBefore } else { Behaviour::Usual });
    ask(&mut *connection, "x").await.unwrap_err();
    drop(connection);
    server.behave();
    settle().await;
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.closed_for(CloseReason::Broken), 1);
    assert_eq!(stats.total_connections, 1, "the minimum is opened again");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_be_reset_in_time_is_closed() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut connection = pool.acquire().await.unwrap();
    run(&mut *connection, "SET a").await.unwrap();
    server.on(|step| if step.point == Point::Reset { Behaviour::Never } else { Behaviour::Usual });
    drop(connection);
    let before = Instant::now();
    let connection = pool.acquire().await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(5), "the maintenance timeout");
    assert_eq!(id(&connection), 2);
    drop(connection);
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.closed_for(CloseReason::ResetFailed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_that_is_not_heard_holds_nobody_up() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    server.on(|step| if step.point == Point::Close { Behaviour::Never } else { Behaviour::Usual });
    let mut connection = pool.acquire().await.unwrap();
    connection.close_on_return(CloseReason::Requested);
    drop(connection);
    let before = Instant::now();
    drop(pool.acquire().await.unwrap());
    assert_eq!(before.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_can_be_asked_for_and_called_off() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut connection = pool.acquire().await.unwrap();
    connection.reset_on_return();
    connection.keep_on_return();
    drop(connection);
    settle().await;
    assert_eq!(server.resets(), 0);
    let mut connection = pool.acquire().await.unwrap();
    connection.reset_on_return();
    drop(connection);
    settle().await;
    assert_eq!(server.resets(), 1);
}
