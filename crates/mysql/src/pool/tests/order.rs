//! Taking and giving back: order, hand-over, limits of waiting, and what it costs.

use super::*;
use crate::pool::AcquireError;
use crate::scripted::Behaviour;
use std::sync::Arc;

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_taken_and_given_back_without_a_round_trip() {
    let server = Server::new();
    let pool = pool(&server, 1, 2);
    settle().await;
    for _ in 0..100 {
        drop(pool.acquire().await.unwrap());
    }
    assert_eq!(server.connects(), 1);
    assert!(server.statements().is_empty());
    assert_eq!((server.pings(), server.resets()), (0, 0));
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.acquired, 100);
}

#[tokio::test(start_paused = true)]
async fn the_connection_used_last_is_taken_first() {
    let server = Server::new();
    let pool = pool(&server, 2, 2);
    settle().await;
    let (a, b) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    let last = id(&a);
    drop(b);
    drop(a);
    assert_eq!(id(&pool.acquire().await.unwrap()), last);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_served_in_the_order_in_which_they_came() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..2 {
        let (pool, order) = (pool.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let connection = pool.acquire().await.unwrap();
            order.lock().push(number);
            // Others run meanwhile, and none overtakes.
            tokio::task::yield_now().await;
            drop(connection);
        }));
        settle().await;
    }
    assert_eq!(pool.stats().waiting_requests, 2);
    drop(held);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock(), [0, 1]);
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_and_a_returned_connection_is_handed_over() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.unwrap() }
    });
    settle().await;
    drop(held);
    // The waiter's task has not run yet, but the connection is its own already.
    assert!(pool.try_acquire().is_none());
    let stats = pool.stats();
    assert_eq!((stats.active_connections, stats.idle_connections, stats.waiting_requests), (1, 0, 0));
    drop(waiter.await.unwrap());
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_leaves_the_queue() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let first = tokio::spawn({
        let pool = pool.clone();
        async move { drop(pool.acquire().await) }
    });
    settle().await;
    let second = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    settle().await;
    first.abort();
    settle().await;
    assert_eq!(pool.stats().waiting_requests, 1);
    drop(held);
    second.await.unwrap().unwrap();
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_to_a_waiter_that_gives_up_goes_to_the_next() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let mut first = Box::pin(pool.acquire());
    assert!(futures_poll_once(&mut first).await.is_none());
    let second = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    settle().await;
    drop(held);
    // Handed over, but never looked at.
    drop(first);
    second.await.unwrap().unwrap();
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn an_acquire_fails_at_once_when_too_many_wait() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(drop) })
        })
        .collect();
    settle().await;
    let before = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(matches!(error, AcquireError::Rejected { waiting: 2, limit: 2, .. }), "{error}");
    drop(held);
    for waiter in waiters {
        waiter.await.unwrap().unwrap();
    }
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.figures.rejected, stats.figures.acquired), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn an_acquire_times_out_at_the_pools_limit_and_says_why() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let held = pool.acquire().await.unwrap();
    let before = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::from_secs(30));
    assert_eq!(error.to_string(), "pool scripted: no connection within 30s: 1 of 1 are in use");
    drop(held);
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!(stats.figures.timeouts, 1);
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_counts_where_it_is_earlier() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let _held = pool.acquire().await.unwrap();
    let before = Instant::now();
    pool.acquire_by(before + Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::from_secs(2));
    pool.acquire_by(before + Duration::from_secs(200)).await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::from_secs(32));
}

#[tokio::test(start_paused = true)]
async fn a_returned_connection_serves_the_waiter_for_whom_another_is_being_opened() {
    let server = Server::new();
    let pool = pool(&server, 1, 2);
    let held = pool.acquire().await.unwrap();
    server.on(|_| Behaviour::Never);
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(|connection| id(&connection)) }
    });
    settle().await;
    assert_eq!(pool.stats().opening_connections, 1);
    let first = id(&held);
    drop(held);
    assert_eq!(waiter.await.unwrap().unwrap(), first);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_maximum_are_opened() {
    let server = Server::pending();
    let pool = pool(&server, 0, 3);
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let connection = pool.acquire().await.unwrap();
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(connection);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.connects(), 3);
    assert_at_rest(&pool, &server).await;
}

/// Polls once; none while pending.
async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
