//! Closures, and what is repeated.

use super::*;

type Tx = Transaction<PooledConnection<Server>>;

/// Inserts `value` in a transaction and says how many tries that took.
async fn insert(pool: &Pool<Server>, value: &str) -> (Result<()>, u32) {
    let mut tries = 0;
    let outcome = with_transaction(
        TransactionRetry::default(),
        TransactionOptions::default(),
        TIMEOUT,
        async || Ok(pool.acquire().await?),
        |mut transaction: Tx| {
            tries += 1;
            async move {
                transaction.execute(&format!("INSERT {value}"), NO_PARAMETERS).await?;
                Ok::<(), Error>(())
            }
        },
    )
    .await;
    (outcome, tries)
}

#[tokio::test(start_paused = true)]
async fn deadlocks_and_lock_waits_are_repeated_as_often_as_the_requirements_say() {
    for (code, expected) in [(1213, 4), (1205, 3), (1062, 1), (1040, 1)] {
        let server = Server::new();
        let pool = pool(&server, 1, 1);
        server.on(
            move |step| {
                if step.sql.starts_with("INSERT") { Behaviour::Fail(code) } else { Behaviour::Usual }
            },
        );
        let (outcome, tries) = insert(&pool, "a").await;
        assert_eq!((outcome.unwrap_err().code(), tries), (Some(code), expected));
        settle().await;
        assert_at_rest(&pool, &server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_succeeds_at_last_is_committed_once() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    at(&server, "INSERT a", 1, Behaviour::Fail(1213));
    let (outcome, tries) = insert(&pool, "a").await;
    outcome.unwrap();
    assert_eq!((tries, server.committed()), (2, vec!["a".to_owned()]));
    assert_eq!(assert_at_rest(&pool, &server).await.figures.orphaned, 0);
}

#[tokio::test(start_paused = true)]
async fn a_deadlock_at_commit_is_repeated() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    at(&server, "COMMIT", 1, Behaviour::Fail(1213));
    let (outcome, tries) = insert(&pool, "a").await;
    outcome.unwrap();
    assert_eq!((tries, server.committed().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_within_is_not_silently_replaced() {
    for (sql, behaviour) in [
        ("INSERT a", Behaviour::LostBefore),
        ("INSERT a", Behaviour::LostAfter),
        ("INSERT a", Behaviour::Never),
        ("COMMIT", Behaviour::LostAfter),
        ("COMMIT", Behaviour::Never),
    ] {
        let server = Server::new();
        let pool = pool(&server, 1, 1);
        at(&server, sql, 1, behaviour);
        let (outcome, tries) = insert(&pool, "a").await;
        outcome.unwrap_err();
        assert_eq!(tries, 1);
        settle().await;
        assert_at_rest(&pool, &server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_closure_may_have_errors_of_its_own_and_swallow_those_of_statements() {
    #[derive(Debug)]
    enum Business {
        Wrapped,
        Client,
    }
    impl From<Error> for Business {
        fn from(_: Error) -> Business {
            Business::Client
        }
    }
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    at(&server, "INSERT a", 1, Behaviour::Fail(1213));
    let mut tries = 0;
    with_transaction(
        TransactionRetry::default(),
        TransactionOptions::default(),
        TIMEOUT,
        async || Ok(pool.acquire().await?),
        |mut transaction: Tx| {
            tries += 1;
            async move {
                transaction.execute("INSERT a", NO_PARAMETERS).await.map_err(|_| Business::Wrapped)?;
                Ok::<(), Business>(())
            }
        },
    )
    .await
    .unwrap();
    assert_eq!((tries, server.committed().len()), (2, 1));

    // Swallowed: the commit finds that there is nothing to commit, and it is done again.
    at(&server, "INSERT b", 1, Behaviour::Fail(1213));
    let mut tries = 0;
    with_transaction(
        TransactionRetry::default(),
        TransactionOptions::default(),
        TIMEOUT,
        async || Ok(pool.acquire().await?),
        |mut transaction: Tx| {
            tries += 1;
            async move {
                let _ = transaction.execute("INSERT b", NO_PARAMETERS).await;
                Ok::<(), Error>(())
            }
        },
    )
    .await
    .unwrap();
    assert_eq!((tries, server.committed()), (2, vec!["a".to_owned(), "b".to_owned()]));
}

/// The next fetch, or the next time that rows are thrown away, fails in this way, once.
fn behind_rows(server: &Server, point: Point, code: u16) {
    let mut left = 1;
    server.on(move |step| match step.point == point && std::mem::take(&mut left) == 1 {
        true => Behaviour::Fail(code),
        false => Behaviour::Usual,
    });
}

#[tokio::test(start_paused = true)]
async fn a_deadlock_behind_the_head_of_a_result_ends_the_transaction_too() {
    for (point, reads) in [(Point::Fetch, true), (Point::Discard, false)] {
        let server = Server::new();
        let pool = pool(&server, 1, 1);
        behind_rows(&server, point, 1213);
        let mut transaction = begin(&pool).await;
        transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
        let mut results = transaction.query("ROWS 3 r", NO_PARAMETERS).await.unwrap();
        if reads {
            results.next_row().await.unwrap_err();
        }
        // Swallowed, or never looked at: nothing runs as if the transaction were still there.
        let refused = transaction.execute("INSERT b", NO_PARAMETERS).await.unwrap_err();
        assert!(matches!(refused, Error::TransactionEnded { .. }), "{refused}");
        transaction.commit().await.unwrap_err();
        settle().await;
        assert!(server.committed().is_empty(), "{:?}", server.committed());
        assert_at_rest(&pool, &server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn deadlocks_and_lock_waits_behind_the_head_of_a_result_are_repeated() {
    for (code, swallows) in [(1213, false), (1213, true), (1205, false)] {
        let server = Server::new();
        let pool = pool(&server, 1, 1);
        behind_rows(&server, Point::Fetch, code);
        let mut tries = 0;
        let outcome = with_transaction(
            TransactionRetry::default(),
            TransactionOptions::default(),
            TIMEOUT,
            async || Ok(pool.acquire().await?),
            |mut transaction: Tx| {
                tries += 1;
                async move {
                    let read = transaction.query("ROWS 3 r", NO_PARAMETERS).await?.owned_rows().await;
                    if !swallows {
                        read?;
                    }
                    transaction.execute("INSERT a", NO_PARAMETERS).await?;
                    Ok::<(), Error>(())
                }
            },
        );
        outcome.await.unwrap();
        assert_eq!((tries, server.committed()), (2, vec!["a".to_owned()]), "{code} {swallows}");
        settle().await;
        assert_at_rest(&pool, &server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn its_future_can_be_sent_to_another_thread() {
    let server = Server::new();
    let pool = pool(&server, 1, 2);
    let task = tokio::spawn({
        let pool = pool.clone();
        async move {
            let word = String::from("sent");
            with_transaction(
                TransactionRetry::default(),
                TransactionOptions::default(),
                TIMEOUT,
                async || Ok(pool.acquire().await?),
                async |mut transaction: Tx| {
                    transaction.execute(&format!("INSERT {word}"), NO_PARAMETERS).await?;
                    Ok::<usize, Error>(word.len())
                },
            )
            .await
        }
    });
    assert_eq!(task.await.unwrap().unwrap(), 4);
    assert_eq!(server.committed(), ["sent"]);
}

#[tokio::test(start_paused = true)]
async fn a_closure_may_end_it_itself_but_not_keep_it() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let run = async |keep: bool| {
        let kept = parking_lot::Mutex::new(None);
        let outcome = with_transaction(
            TransactionRetry::default(),
            TransactionOptions::default(),
            TIMEOUT,
            async || Ok(pool.acquire().await?),
            async |mut transaction: Tx| {
                transaction.execute("INSERT a", NO_PARAMETERS).await?;
                if keep {
                    *kept.lock() = Some(transaction);
                } else {
                    transaction.rollback().await?;
                }
                Ok::<(), Error>(())
            },
        )
        .await;
        drop(kept);
        outcome
    };
    run(false).await.unwrap();
    assert!(matches!(run(true).await.unwrap_err(), Error::TransactionEnded { .. }));
    settle().await;
    assert!(server.committed().is_empty());
    assert_at_rest(&pool, &server).await;
}
