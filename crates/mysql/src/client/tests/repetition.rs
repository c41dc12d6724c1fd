//! What is run again, and what never.

use super::*;
use crate::error::ErrorClass;

#[tokio::test(start_paused = true)]
async fn reads_are_repeated_on_another_connection() {
    for behaviour in [Behaviour::LostBefore, Behaviour::LostAfter] {
        let server = Server::new();
        let client = client(&server).await;
        first(&server, 1, Point::Query, "SELECT", behaviour);
        let row = client.query_one("SELECT a", NO_PARAMETERS).await.unwrap().unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), "a");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_lost_among_its_rows_is_read_anew_and_whole() {
    let server = Server::new();
    let client = client(&server).await;
    let mut rows = 0;
    server.on(move |step| {
        rows += usize::from(step.point == Point::Fetch);
        if rows == 1 && step.point == Point::Fetch { Behaviour::LostBefore } else { Behaviour::Usual }
    });
    assert_eq!(client.query("SELECT a", NO_PARAMETERS).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_connection_is_lost_is_unknown_and_never_repeated() {
    for (behaviour, done) in [(Behaviour::LostBefore, 0), (Behaviour::LostAfter, 1), (Behaviour::Never, 0)] {
        let server = Server::new();
        let client = client(&server).await;
        first(&server, 1, Point::Query, "INSERT", behaviour);
        let error = client.execute("INSERT a", NO_PARAMETERS).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::UnknownOutcome);
        assert_eq!(server.committed().len(), done);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_repeated_where_nothing_happened() {
    for code in [1213, 1205, 1040] {
        let server = Server::new();
        let client = client(&server).await;
        first(&server, 1, Point::Query, "INSERT", Behaviour::Fail(code));
        client.execute("INSERT a", NO_PARAMETERS).await.unwrap();
        assert_eq!(server.committed(), ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_succeed_is_told_at_once() {
    for code in [1064, 1062, 1452, 1406, 1142] {
        let server = Server::new();
        let client = client(&server).await;
        first(&server, 1, Point::Query, "", Behaviour::Fail(code));
        let before = Instant::now();
        assert_eq!(client.execute("INSERT a", NO_PARAMETERS).await.unwrap_err().code(), Some(code));
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_a_restart_closed_are_replaced_without_an_error() {
    let server = Server::new();
    let client = client(&server).await;
    client.execute("INSERT a", NO_PARAMETERS).await.unwrap();
    server.restart();
    client.execute("INSERT b", NO_PARAMETERS).await.unwrap();
    assert_eq!(server.committed(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_held_repeats_nothing() {
    let server = Server::new();
    let client = client(&server).await;
    let mut connection = client.acquire_connection().await.unwrap();
    first(&server, 1, Point::Query, "SELECT", Behaviour::Fail(1205));
    connection.query("SELECT a", NO_PARAMETERS).await.unwrap_err();
    assert_eq!(connection.query("SELECT a", NO_PARAMETERS).await.unwrap().len(), 1);
}
