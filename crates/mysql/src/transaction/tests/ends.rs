//! How transactions begin and end.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_committed_stays_and_the_connection_comes_back() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    assert_eq!(transaction.state(), TransactionState::Active);
    let summary = transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    assert_eq!(summary.affected_rows, 1);
    transaction.commit().await.unwrap();
    assert_eq!(server.committed(), ["a"]);
    let stats = assert_at_rest(&pool, &server).await;
    assert_eq!((stats.figures.orphaned, server.connects()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_rolled_back_or_dropped_is_gone() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = begin(&pool).await;
    transaction.execute("INSERT b", NO_PARAMETERS).await.unwrap();
    drop(transaction);
    settle().await;
    assert!(server.committed().is_empty());
    assert_eq!(assert_at_rest(&pool, &server).await.figures.orphaned, 1);
}

#[tokio::test(start_paused = true)]
async fn options_are_said_before_it_begins_and_count_for_it_alone() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let options = TransactionOptions::read_only().isolation(IsolationLevel::Serializable);
    begin_with(&pool, options).await.unwrap().commit().await.unwrap();
    let expected = ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "START TRANSACTION READ ONLY", "COMMIT"];
    assert_eq!(server.statements(), expected);
    assert_eq!(server.resets(), 0);
}

#[tokio::test(start_paused = true)]
async fn options_of_a_transaction_that_did_not_begin_reach_nobody() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    at(&server, "START TRANSACTION", 1, Behaviour::Fail(1105));
    let options = TransactionOptions::default().isolation(IsolationLevel::ReadUncommitted);
    begin_with(&pool, options).await.unwrap_err();
    settle().await;
    assert_eq!((server.resets(), server.prepared_transactions()), (1, 0));
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_terminal_error_of_a_statement_leaves_the_transaction_open() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    at(&server, "INSERT a", 1, Behaviour::Fail(1062));
    transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap_err();
    transaction.execute("INSERT b", NO_PARAMETERS).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(server.committed(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_deadlock_nothing_runs_as_if_the_transaction_were_open() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    at(&server, "INSERT b", 1, Behaviour::Fail(1213));
    transaction.execute("INSERT b", NO_PARAMETERS).await.unwrap_err();
    assert_eq!(transaction.state(), TransactionState::Error);
    // It would be committed at once: the server has no transaction.
    let error = transaction.execute("INSERT c", NO_PARAMETERS).await.unwrap_err();
    assert!(matches!(error, Error::TransactionEnded { .. }), "{error}");
    transaction.commit().await.unwrap_err();
    assert!(server.committed().is_empty());
    settle().await;
    assert_at_rest(&pool, &server).await;
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_commits_implicitly_ends_it() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    transaction.execute("DDL", NO_PARAMETERS).await.unwrap();
    transaction.execute("INSERT b", NO_PARAMETERS).await.unwrap_err();
    transaction.rollback().await.unwrap();
    assert_eq!(server.committed(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_unknown_and_not_repeated() {
    for (behaviour, committed) in
        [(Behaviour::LostBefore, 0), (Behaviour::LostAfter, 1), (Behaviour::Never, 0)]
    {
        let server = Server::new();
        let pool = pool(&server, 1, 1);
        let mut transaction = begin(&pool).await;
        transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
        at(&server, "COMMIT", 1, behaviour);
        let error = transaction.commit().await.unwrap_err();
        assert!(matches!(error, Error::UnknownOutcome { during: "COMMIT", .. }), "{error}");
        assert_eq!(server.committed().len(), committed);
        settle().await;
        assert_at_rest(&pool, &server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_commit_of_a_read_only_transaction_is_no_riddle() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let transaction = begin_with(&pool, TransactionOptions::read_only()).await.unwrap();
    at(&server, "COMMIT", 1, Behaviour::LostAfter);
    assert!(matches!(transaction.commit().await.unwrap_err(), Error::Lost { .. }));
}

#[tokio::test(start_paused = true)]
async fn rows_can_be_left_unread_within_a_transaction() {
    let server = Server::new();
    let pool = pool(&server, 1, 1);
    let mut transaction = begin(&pool).await;
    let mut rows = transaction.query("ROWS 5 x", NO_PARAMETERS).await.unwrap();
    assert!(rows.next_row().await.unwrap().is_some());
    transaction.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(server.committed(), ["a"]);
    assert_at_rest(&pool, &server).await;
}
