//! Connecting: failures, their causes, credentials.

use super::*;
use crate::error::ErrorKind;
use crate::pool::AcquireError;
use crate::scripted::{Behaviour, Point};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(start_paused = true)]
async fn a_refused_connect_is_told_at_once_where_there_is_nothing_to_wait_for() {
    let server = Server::new();
    server.on(|_| Behaviour::LostBefore);
    let pool = pool(&server, 0, 4);
    let before = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert!(matches!(error, AcquireError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(crate::Error::from(error).kind(), ErrorKind::ConnectionRefused);
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_hangs_ends_at_the_connect_timeout() {
    let server = Server::new();
    server.on(|_| Behaviour::Never);
    let pool = pool(&server, 0, 4);
    let before = Instant::now();
    let error = pool.acquire().await.unwrap_err();
    assert_eq!(before.elapsed(), CONNECT);
    assert_eq!(error.to_string(), "pool scripted: timed out during connect");
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn while_others_are_out_a_failed_connect_is_tried_again_and_named_at_the_deadline() {
    let server = Server::new();
    let pool = pool(&server, 1, 2);
    let held = pool.acquire().await.unwrap();
    server.on(|step| if step.point == Point::Connect { Behaviour::Fail(1040) } else { Behaviour::Usual });
    let error = pool.acquire().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("1 of 2 are in use") && text.contains("the last connect failed: ERROR 1040"),
        "{text}"
    );
    assert!(pool.stats().figures.connect_failures > 10, "tried again");

    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(drop) }
    });
    settle().await;
    drop(held);
    waiter.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_serves_those_who_wait() {
    let server = Server::new();
    let pool = pool(&server, 1, 2);
    let _held = pool.acquire().await.unwrap();
    let failures = Arc::new(AtomicUsize::new(0));
    server.on({
        let failures = Arc::clone(&failures);
        move |_| match failures.fetch_add(1, Ordering::Relaxed) {
            0..4 => Behaviour::LostBefore,
            _ => Behaviour::Usual,
        }
    });
    drop(pool.acquire().await.unwrap());
    assert_eq!(failures.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn refusals_that_no_waiting_mends_are_told_at_once() {
    let server = Server::new();
    let pool = pool(&server, 1, 4);
    let _held = pool.acquire().await.unwrap();
    for code in [1045, 1049] {
        server.on(move |_| Behaviour::Fail(code));
        let before = Instant::now();
        let error = crate::Error::from(pool.acquire().await.unwrap_err());
        assert_eq!((error.code(), before.elapsed()), (Some(code), Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn each_waiter_learns_of_a_failure_where_all_connects_fail() {
    let server = Server::pending();
    server.on(|_| Behaviour::LostBefore);
    let pool = pool(&server, 0, 2);
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(drop) })
        })
        .collect();
    for waiter in waiters {
        let error = waiter.await.unwrap().unwrap_err();
        assert!(matches!(error, AcquireError::Connect { .. }), "{error}");
    }
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_password_is_asked_for_once_when_the_known_one_is_refused() {
    let server = Server::new();
    server.set_password("new");
    let asked = Arc::new(AtomicUsize::new(0));
    let refresh = |answer: &'static str| -> crate::pool::Refresh {
        let (server, asked) = (server.clone(), Arc::clone(&asked));
        Arc::new(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            let credential = server.credential(answer);
            Box::pin(async move { Some(credential) })
        })
    };
    let make = |refresh| {
        let credential = server.credential("old");
        Pool::with_refresh(
            server.clone(),
            server.endpoint(),
            credential,
            CONNECT,
            PoolConfig::sized(0, 2),
            refresh,
        )
        .unwrap()
    };
    drop(make(Some(refresh("new"))).acquire().await.unwrap());
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    // The same password again is no reason to try again.
    let pool = make(Some(refresh("old")));
    let error = crate::Error::from(pool.acquire().await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::AuthenticationFailed);
    assert_eq!((asked.load(Ordering::Relaxed), pool.stats().figures.connect_failures), (2, 1));

    let error = crate::Error::from(make(None).acquire().await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::AuthenticationFailed);
}

#[tokio::test(start_paused = true)]
async fn warming_up_tells_why_it_cannot() {
    let server = Server::new();
    server.on(|_| Behaviour::Fail(1049));
    let pool = pool(&server, 2, 4);
    let error = pool.warm_up(Instant::now() + CONNECT).await.unwrap_err();
    assert_eq!(crate::Error::from(error).code(), Some(1049));
    server.behave();
    pool.warm_up(Instant::now() + CONNECT).await.unwrap();
    assert_eq!(assert_at_rest(&pool, &server).await.idle_connections, 2);
}
