//! Savepoints, by name and by closure.

use super::*;
use crate::error::ServerError;

type Tx = Transaction<PooledConnection<Server>>;

async fn insert(transaction: &mut Tx, value: &str) {
    transaction.execute(&format!("INSERT {value}"), NO_PARAMETERS).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rolling_back_to_a_savepoint_undoes_what_came_after_it() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    for name in ["sp1", "sp2", "sp3"] {
        transaction.savepoint(name).await.unwrap();
        insert(&mut transaction, name).await;
    }
    assert_eq!((transaction.depth(), transaction.state()), (3, TransactionState::SavepointCreated));
    let error = transaction.rollback_to_savepoint("sp9").await.unwrap_err();
    assert_eq!(error.code(), Some(1305));
    let before = transaction.depth();
    assert_eq!(before, 3);
}

#[tokio::test(start_paused = true)]
async fn scopes_keep_what_succeeds_and_undo_what_fails() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    insert(&mut transaction, "a").await;
    transaction
        .with_savepoint(async |mut transaction| {
            insert(&mut transaction, "b").await;
            let inner: Result<()> = transaction
                .with_savepoint(async |mut transaction| {
                    insert(&mut transaction, "c").await;
                    Err(ServerError::new(1062, None, "x").into())
                })
                .await;
            assert_eq!(inner.unwrap_err().code(), Some(1062));
            insert(&mut transaction, "d").await;
            Ok::<(), Error>(())
        })
        .await
        .unwrap();
    assert_eq!(transaction.depth(), 0);
    transaction.commit().await.unwrap();
    assert_eq!(server.committed(), ["a", "b", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_scope_dropped_half_way_is_undone_before_anything_else_happens() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    insert(&mut transaction, "a").await;
    let scope = transaction.with_savepoint(async |mut transaction| {
        insert(&mut transaction, "b").await;
        let inner = transaction.with_savepoint(async |mut transaction| {
            insert(&mut transaction, "c").await;
            std::future::pending::<Result<()>>().await
        });
        inner.await
    });
    tokio::time::timeout(Duration::from_secs(1), scope).await.unwrap_err();
    transaction.commit().await.unwrap();
    assert_eq!(server.committed(), ["a"]);
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_name_is_quoted() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    transaction.savepoint("a`; DROP").await.unwrap();
    assert_eq!(server.statements().last().unwrap(), "SAVEPOINT `a``; DROP`");
}
