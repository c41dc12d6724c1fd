//! The cancellation matrix: every future of pool, query, stream and transaction, dropped at every await.
//!
//! Each await of the [scripted server](crate::scripted) is pending once, so a future that is dropped after
//! its n-th poll, for every n until it ends by itself, is dropped at every await. That is done for each
//! operation, with each way in which each kind of step can end: as usual, with an error, lost before or
//! after the server did it, slowly, never. After each drop:
//!
//! - no place, permit or connection is lost: the figures are those of a pool at rest, `created - closed` is
//!   what the server has open, and all connections can be had at once;
//! - the next users read their own answers, on sessions without a transaction or anything left of the last;
//! - what was written is there once when the operation said so, not at all when it said that it failed, and
//!   at most once otherwise.

use crate::client::{Client, Services};
use crate::config::ClientConfig;
use crate::driver::Session;
use crate::error::{Error, ErrorClass, Result};
use crate::pool::tests::{ask, assert_at_rest, pool};
use crate::pool::{Pool, PooledConnection};
use crate::scripted::{Behaviour, Point, Server};
use crate::transaction::{IsolationLevel, Transaction, TransactionOptions};
use crate::value::NO_PARAMETERS;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// Connections of the pools here.
const MAX: usize = 2;

/// Polls `future` at most `polls` times and drops it; its output when it ended before.
async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    if polls == 0 {
        return None;
    }
    let mut future = pin!(future);
    let mut done = 0;
    std::future::poll_fn(|context| {
        done += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if done == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What is made different while the operation runs.
#[derive(Debug, Clone, Copy)]
struct Disturbance {
    point: Point,
    /// Only statements that begin with this
    sql: &'static str,
    behaviour: Behaviour,
}

fn disturbances() -> Vec<Disturbance> {
    let places = [
        (Point::Connect, ""),
        (Point::Query, "SELECT"),
        (Point::Query, "ROWS"),
        (Point::Query, "INSERT"),
        (Point::Query, "SET"),
        (Point::Query, "START TRANSACTION"),
        (Point::Query, "SAVEPOINT"),
        (Point::Query, "RELEASE"),
        (Point::Query, "COMMIT"),
        (Point::Query, "ROLLBACK"),
        (Point::Prepare, ""),
        (Point::Fetch, ""),
        (Point::Discard, ""),
        (Point::Reset, ""),
        (Point::Ping, ""),
        (Point::Close, ""),
    ];
    let behaviours = [
        Behaviour::Fail(1105),
        Behaviour::Fail(1213),
        Behaviour::Fail(1205),
        Behaviour::LostBefore,
        Behaviour::LostAfter,
        Behaviour::Slow(3),
        Behaviour::Never,
    ];
    let usual = Disturbance { point: Point::Ping, sql: "", behaviour: Behaviour::Usual };
    let others = places.into_iter().flat_map(|(point, sql)| {
        behaviours.into_iter().map(move |behaviour| Disturbance { point, sql, behaviour })
    });
    std::iter::once(usual).chain(others).collect()
}

impl Disturbance {
    fn begin(self, server: &Server) {
        server.on(move |step| {
            let here = step.point == self.point && step.sql.starts_with(self.sql);
            if here { self.behaviour } else { Behaviour::Usual }
        });
    }
}

/// Whether an operation's end says that its write is there (`Some(true)`), is not, or neither.
fn written<T>(outcome: &Option<Result<T>>) -> Option<bool> {
    match outcome {
        Some(Ok(_)) => Some(true),
        Some(Err(error)) if error.class() == ErrorClass::UnknownOutcome => None,
        Some(Err(_)) => Some(false),
        None => None,
    }
}

/// Lets everything end that goes on by itself: deadlines, goodbyes, a round of the health loop.
async fn calm(server: &Server) {
    server.behave();
    tokio::time::sleep(Duration::from_secs(65)).await;
}

/// Checks that all connections can be had, and that each reads its own answers on a clean session.
async fn assert_usable(pool: &Pool<Server>, server: &Server, context: &str) {
    let mut held = Vec::new();
    for number in 0..MAX {
        let mut connection = pool.acquire().await.unwrap();
        let status = connection.status();
        assert!(
            !status.in_transaction && !status.dirty && !status.broken && !status.pending_results,
            "{context}"
        );
        let marker = format!("marker-{number}");
        assert_eq!(ask(&mut *connection, &marker).await.unwrap(), marker, "{context}");
        held.push(connection);
    }
    assert_eq!(server.prepared_transactions(), 0, "{context}: options of a transaction that never began");
    drop(held);
}

/// Runs `operation` under every disturbance, dropped at every poll. It gives how its write ended, where it
/// writes `INSERT x`.
async fn matrix<F>(name: &str, warm: bool, operation: impl Fn(Client<Server>, Pool<Server>) -> F)
where
    F: Future<Output = Result<()>>,
{
    let mut drops = 0;
    for disturbance in disturbances() {
        for polls in 0.. {
            let context = format!("{name}, {disturbance:?}, dropped after {polls} polls");
            let server = Server::pending();
            let config = ClientConfig::builder().min_connections(usize::from(warm)).max_connections(MAX);
            let config = config.query_timeout(Duration::from_secs(5)).build().unwrap();
            let client = Client::with_driver(server.clone(), config, Services::default()).await.unwrap();
            let member = client.cluster().topology().primary.clone().unwrap();
            let pool = member.pool().clone();
            if warm {
                pool.warm_up(Instant::now() + Duration::from_secs(1)).await.unwrap();
            }
            disturbance.begin(&server);
            let outcome = polled(operation(client.clone(), pool.clone()), polls).await;
            let is_over = outcome.is_some();
            calm(&server).await;
            let committed = server.committed().len();
            match written(&outcome) {
                Some(true) => assert_eq!(committed, 1, "{context}: {outcome:?}"),
                Some(false) => assert_eq!(committed, 0, "{context}: {outcome:?}"),
                None => assert!(committed <= 1, "{context}: {outcome:?}"),
            }
            assert_at_rest(&pool, &server).await;
            assert_eq!(member.in_flight(), 0, "{context}");
            assert_usable(&pool, &server, &context).await;
            calm(&server).await;
            assert_at_rest(&pool, &server).await;
            drops += 1;
            if is_over {
                break;
            }
            assert!(polls < 500, "{context}: it does not end");
        }
    }
    assert!(drops > 2 * disturbances().len(), "{name}: only {drops} drops");
}

/// The write that the matrix looks for, where an operation does not write itself.
async fn write(client: &Client<Server>) -> Result<()> {
    client.execute("INSERT x", NO_PARAMETERS).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn execute() {
    for warm in [true, false] {
        matrix("execute", warm, |client, _| async move { write(&client).await }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_and_a_write_on_one_connection() {
    matrix("connection", true, |client, _| async move {
        let mut connection = client.acquire_connection().await?;
        connection.query("SELECT a", NO_PARAMETERS).await?;
        connection.execute("SET variable", NO_PARAMETERS).await?;
        connection.query("ROWS 3 r", NO_PARAMETERS).await?;
        // Nothing of the connection is converted: a lost write is an error of the connection here.
        match connection.execute("INSERT x", NO_PARAMETERS).await {
            Err(error) if error.breaks_session() => {
                Err(Error::UnknownOutcome { during: "a write", source: Box::new(error) })
            }
            other => other.map(drop),
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn queries_that_are_read_whole() {
    matrix("query", true, |client, _| async move {
        assert_eq!(client.query("SELECT a", NO_PARAMETERS).await?.read::<(String,)>()?, [("a".to_owned(),)]);
        let row = client.query_one("ROWS 3 r", NO_PARAMETERS).await?;
        assert_eq!(row.map(|row| row.get::<String>(0)).transpose()?.as_deref(), Some("r-0"));
        let statement = client.prepare("SELECT b").await?;
        assert_eq!(client.execute_prepared(&statement, NO_PARAMETERS).await?.len(), 1);
        write(&client).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn streams_read_to_the_end_or_not() {
    for rows in [2, 9] {
        matrix("stream", true, |client, _| async move {
            write(&client).await?;
            // What happens to the stream does not undo the write.
            let _ = async {
                let mut stream = client.query_stream("ROWS 5 s", NO_PARAMETERS).await?;
                for number in 0..rows {
                    match stream.next().await? {
                        Some(row) => assert_eq!(row.get::<String>(0)?, format!("s-{number}")),
                        None => {
                            assert_eq!(number, 5);
                            break;
                        }
                    }
                }
                Ok::<(), Error>(())
            }
            .await;
            Ok(())
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn transactions_by_closure() {
    matrix("with_transaction", true, |client, _| async move {
        let options = TransactionOptions::default().isolation(IsolationLevel::Serializable);
        client
            .with_transaction(options, |mut transaction| async move {
                transaction.execute("INSERT x", NO_PARAMETERS).await?;
                let mut rows = transaction.query("ROWS 2 r", NO_PARAMETERS).await?;
                while rows.next_row().await?.is_some() {}
                Ok(())
            })
            .await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn transactions_with_scopes() {
    matrix("scopes", true, |client, _| async move {
        let mut transaction = client.begin(TransactionOptions::default()).await?;
        transaction.execute("INSERT x", NO_PARAMETERS).await?;
        let undone: Result<()> = transaction
            .with_savepoint(|mut transaction| async move {
                transaction.execute("INSERT y", NO_PARAMETERS).await?;
                Err(Error::NoRow)
            })
            .await;
        if !matches!(undone, Err(Error::NoRow)) {
            // The scope itself failed; what is not committed is gone.
            return transaction.rollback().await.and(undone);
        }
        transaction.commit().await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn scopes_dropped_within_a_transaction_that_goes_on() {
    for polls in 0..60 {
        let server = Server::pending();
        let pool = pool(&server, 1, MAX);
        let connection = pool.acquire().await.unwrap();
        let mut transaction =
            Transaction::begin(connection, TransactionOptions::default(), Duration::from_secs(5))
                .await
                .unwrap();
        transaction.execute("INSERT x", NO_PARAMETERS).await.unwrap();
        let scope =
            transaction.with_savepoint(|mut transaction: Transaction<PooledConnection<Server>>| async move {
                tokio::task::yield_now().await;
                transaction.execute("INSERT y", NO_PARAMETERS).await?;
                tokio::task::yield_now().await;
                let inner = transaction.with_savepoint(|mut transaction| async move {
                    transaction.execute("INSERT z", NO_PARAMETERS).await?;
                    tokio::task::yield_now().await;
                    Ok::<(), Error>(())
                });
                inner.await
            });
        let outcome = polled(scope, polls).await;
        let ended = transaction.commit().await;
        calm(&server).await;
        let committed = server.committed();
        match (&outcome, &ended) {
            (Some(Ok(())), Ok(())) => assert_eq!(committed, ["x", "y", "z"]),
            // Dropped between exchanges: the scope is undone, the rest goes on.
            (None, Ok(())) => assert_eq!(committed, ["x"], "{polls}"),
            // Dropped within an exchange: the connection is lost, and all with it.
            (None, Err(_)) => assert!(committed.is_empty(), "{polls}: {committed:?}"),
            other => panic!("{other:?}"),
        }
        assert_at_rest(&pool, &server).await;
        assert_usable(&pool, &server, "scope").await;
    }
}

#[tokio::test(start_paused = true)]
async fn acquiring_while_others_wait_and_give_back() {
    matrix("contended acquire", true, |client, pool| async move {
        let mut held = Vec::new();
        for _ in 0..MAX {
            held.push(pool.acquire().await?);
        }
        let others: Vec<_> = (0..2)
            .map(|number| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    let Ok(mut connection) = pool.acquire().await else { return };
                    let marker = format!("other-{number}");
                    if let Ok(answer) = ask(&mut *connection, &marker).await {
                        assert_eq!(answer, marker);
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        held.pop();
        let mut mine = pool.acquire().await?;
        let answer = ask(&mut *mine, "mine").await;
        drop((mine, held));
        for other in others {
            assert!(!other.await.is_err_and(|error| error.is_panic()));
        }
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer == "mine"));
        write(&client).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn looking_after_and_changing_the_pool() {
    matrix("control", true, |client, pool| async move {
        write(&client).await?;
        pool.health_check().await;
        pool.drain_idle();
        let _ = pool.warm_up(Instant::now() + Duration::from_secs(3)).await;
        pool.retire();
        drop(pool.acquire().await);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn closing() {
    for polls in 0..20 {
        let server = Server::pending();
        let pool = pool(&server, 2, MAX);
        pool.warm_up(Instant::now() + Duration::from_secs(1)).await.unwrap();
        let held = pool.acquire().await.unwrap();
        polled(pool.close(Instant::now() + Duration::from_secs(5)), polls).await;
        drop(held);
        // Whatever became of the first close, the second one ends it.
        let closed = pool.close(Instant::now() + Duration::from_secs(5)).await;
        assert_eq!(closed.still_out, 0);
        calm(&server).await;
        assert_eq!(assert_at_rest(&pool, &server).await.total_connections, 0);
    }
}

#[test]
fn tasks_that_end_with_their_runtime_leave_exact_figures() {
    for polls in 0..12 {
        for what in [Point::Connect, Point::Reset, Point::Query, Point::Ping] {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let server = Server::pending();
            let pool = runtime.block_on(async {
                let pool = pool(&server, 1, MAX);
                pool.warm_up(Instant::now() + Duration::from_secs(1)).await.unwrap();
                let mut connection = pool.acquire().await.unwrap();
                if what == Point::Reset {
                    connection.reset_on_return();
                }
                if what == Point::Connect {
                    let mut waiting = Box::pin(pool.acquire());
                    polled(&mut waiting, 1).await;
                    for _ in 0..polls {
                        polled(&mut waiting, 1).await;
                    }
                }
                drop(connection);
                if what == Point::Query {
                    polled(pool.health_check(), polls).await;
                }
                pool
            });
            // Connects, resets and validations end in the middle.
            drop(runtime);
            let stats = pool.stats();
            let context = format!("{what:?} {polls} {stats:?}");
            assert_eq!((stats.opening_connections, stats.connections_in_care), (0, 0), "{context}");
            assert_eq!((stats.active_connections, stats.waiting_requests), (0, 0), "{context}");
            assert_eq!(
                stats.figures.created - stats.figures.closed(),
                stats.total_connections as u64,
                "{context}"
            );
            assert_eq!(server.sessions(), stats.total_connections, "{context}");
        }
    }
}
