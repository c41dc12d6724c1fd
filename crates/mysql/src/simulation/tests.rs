//! Recording a double, replaying what was recorded, learning the rest.

use super::*;
use crate::driver::{Address, Credential, Driver, Endpoint, Session};
use crate::error::{Error, ErrorKind};
use crate::value::{NO_PARAMETERS, Value};
use crate::{Row, params};
use rustydb_simulation::exchange::{Attributes, Exchange, Request, ResultSet};
use rustydb_simulation::value::Value as TapeValue;
use std::path::{Path, PathBuf};
use tokio::time::{Duration, Instant, timeout};

const FILM: &str = "SELECT title, length FROM film WHERE film_id = ? AND rating = ?";

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn connect<D: Driver>(driver: &D) -> D::Session {
    let endpoint = Endpoint::new("primary", Address::tcp("nowhere", 3306));
    driver.connect(&endpoint, &Credential::new("app", "hunter2"), soon()).await.unwrap()
}

async fn rows<S: Session>(session: &mut S, sql: &str) -> crate::Result<Vec<Row>> {
    session.query(sql, soon()).await?.owned_rows().await
}

async fn film<S: Session>(session: &mut S, id: i64, rating: &str) -> crate::Result<Vec<Row>> {
    let (_, mut results) = session.prepare_execute(FILM, &params![id, rating], soon()).await?;
    results.owned_rows().await
}

/// A double with a film, a failure and a statement that changes something.
fn server() -> MockMysqlClient {
    let mock = MockMysqlClient::new();
    mock.query_response(
        QueryPattern::exact(FILM).with([TapeValue::Int(1), TapeValue::from("PG")]),
        MockRows::of(["title", "length"])
            .row(params!["ACADEMY DINOSAUR", 86])
            .row(params!["SECOND", None::<i64>]),
    );
    mock.query_response(QueryPattern::begins("SELECT COUNT"), MockRows::of(["n"]).row(params![2]));
    mock.execute_response(QueryPattern::begins("INSERT"), 3, 17);
    mock.error_injection(QueryPattern::begins("DELETE"), 1451, 1_000);
    mock
}

struct Recorded {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// A journal of the double, and its rows.
async fn recorded(redaction: Redaction) -> (Recorded, Vec<Row>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.jsonl");
    let recorder = Recorder::create(&path, redaction).unwrap();
    let mut session = connect(&recorder.driver(server().driver().clone())).await;
    let told = film(&mut session, 1, "PG").await.unwrap();
    session.run("START TRANSACTION", soon()).await.unwrap();
    assert_eq!(session.run("INSERT INTO film VALUES (1)", soon()).await.unwrap().last_insert_id, 17);
    session.run("COMMIT", soon()).await.unwrap();
    assert!(session.run("DELETE FROM film", soon()).await.is_err());
    assert_eq!(recorder.lost(), 0);
    // The connection is one, too; nothing waits for the session's end.
    assert_eq!(recorder.written(), 6);
    (Recorded { path, _folder: folder }, told)
}

#[tokio::test]
async fn a_replay_gives_what_was_recorded() {
    let (journal, told) = recorded(Redaction::secrets()).await;
    let replay = ReplayingDriver::open(&journal.path, Mode::Strict).unwrap();
    let mut session = connect(&replay).await;
    let again = film(&mut session, 1, "PG").await.unwrap();
    assert_eq!(again, told);
    assert_eq!(again[0].columns(), told[0].columns());
    session.run("START TRANSACTION", soon()).await.unwrap();
    assert!(session.status().in_transaction);
    let summary = session.run("INSERT INTO film VALUES (1)", soon()).await.unwrap();
    assert_eq!((summary.affected_rows, summary.last_insert_id), (3, 17));
    session.run("COMMIT", soon()).await.unwrap();
    assert!(!session.status().in_transaction);
    let error = session.run("DELETE FROM film", soon()).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ForeignKey, Some(1451)));
    assert!(!session.status().broken);
    assert!(replay.unused().is_empty(), "{:?}", replay.unused());
}

#[tokio::test]
async fn a_changed_parameter_gives_a_report_of_the_nearest_recording() {
    let (journal, _) = recorded(Redaction::secrets()).await;
    let mut session = connect(&ReplayingDriver::open(&journal.path, Mode::Strict).unwrap()).await;
    let Err(Error::NoAnswer(why)) = film(&mut session, 1, "HIDDEN").await else { panic!("answered") };
    let told = why.to_string();
    assert!(told.contains("nearest: recording 2, execute: parameter 2 differs (text)"), "{told}");
    assert!(!told.contains("HIDDEN") && !told.contains("PG"), "{told}");
    assert!(why.with_values().contains(r#"recorded "PG", asked "HIDDEN""#), "{}", why.with_values());
    assert!(film(&mut session, 1, "PG").await.is_ok(), "the session goes on");
    let used = film(&mut session, 1, "PG").await.unwrap_err();
    assert_eq!(used.kind(), ErrorKind::NoAnswer);
    assert!(used.to_string().contains("was used already"), "{used}");
}

#[tokio::test]
async fn by_pattern_other_parameters_are_answered_too() {
    let (journal, told) = recorded(Redaction::secrets()).await;
    let mut session = connect(&ReplayingDriver::open(&journal.path, Mode::Pattern).unwrap()).await;
    assert_eq!(film(&mut session, 99, "R").await.unwrap(), told);
    assert!(rows(&mut session, "SELECT nothing").await.is_err());
}

#[tokio::test]
async fn hidden_values_are_in_no_journal_and_requests_are_found_all_the_same() {
    let (journal, told) = recorded(Redaction::values()).await;
    let text = std::fs::read_to_string(&journal.path).unwrap();
    for mark in ["ACADEMY", "SECOND", "PG", "hunter2"] {
        assert!(!text.contains(mark), "{mark} in {text}");
    }
    let mut session = connect(&ReplayingDriver::open(&journal.path, Mode::Strict).unwrap()).await;
    let hidden = film(&mut session, 1, "PG").await.unwrap();
    assert_eq!(hidden.len(), told.len());
    assert_ne!(hidden[0].get::<&str>(0).unwrap(), "ACADEMY DINOSAUR");
    assert!(hidden[0].get::<i8>(1).is_ok(), "a small number stays small");
}

#[tokio::test]
async fn results_that_were_not_read_to_their_end_stop_where_they_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.jsonl");
    {
        let driver = Recorder::create(&path, Redaction::secrets()).unwrap().driver(server().driver().clone());
        let mut session = connect(&driver).await;
        let (_, mut results) = session.prepare_execute(FILM, &params![1, "PG"], soon()).await.unwrap();
        assert!(results.next_row().await.unwrap().is_some());
    }
    let mut session = connect(&ReplayingDriver::open(&path, Mode::Strict).unwrap()).await;
    let (_, mut results) = session.prepare_execute(FILM, &params![1, "PG"], soon()).await.unwrap();
    assert!(results.next_row().await.unwrap().is_some());
    let end = results.next_row().await.unwrap_err();
    assert!(end.to_string().contains("not read to its end"), "{end}");
}

/// A journal in memory: `SELECT a` gave two results, then failed; `SELECT b` was told three times.
fn tape() -> Tape {
    let request = |text: &'static str| Request::new(operation::QUERY, text, &[]);
    let told = |n: i64| ResultSet::of(&["n"], vec![vec![TapeValue::Int(n)], vec![TapeValue::Int(n + 1)]]);
    let mut broken = Exchange::answered(request("SELECT a"), vec![told(1), told(3)]);
    broken.failure = Some(Failure::server(1317, "", ""));
    let mut all = vec![broken];
    all.extend([10, 20, 30].map(|n| Exchange::answered(request("SELECT b"), vec![told(n)])));
    Tape::of(Mode::Strict, all)
}

async fn numbers<S: Session>(session: &mut S, sql: &str) -> crate::Result<Vec<i64>> {
    let rows: Vec<(i64,)> = session.query(sql, soon()).await?.rows().await?;
    Ok(rows.into_iter().map(|(n,)| n).collect())
}

#[tokio::test]
async fn several_results_come_one_after_the_other_and_then_the_failure() {
    let mut session = connect(&ReplayingDriver::of(tape())).await;
    let mut results = session.query("SELECT a", soon()).await.unwrap();
    assert_eq!(results.rows::<(i64,)>().await.unwrap(), [(1,), (2,)]);
    assert!(results.session().status().pending_results);
    assert!(results.next_result().await.unwrap());
    assert_eq!(results.next_row().await.unwrap().unwrap().get::<i64>(0).unwrap(), 3);
    assert!(results.next_row().await.unwrap().is_some());
    assert_eq!(results.next_row().await.unwrap_err().code(), Some(1317));
    assert!(!session.status().pending_results && !session.status().broken);
    assert_eq!(numbers(&mut session, "SELECT b").await.unwrap(), [10, 11]);
}

#[tokio::test]
async fn rows_that_are_passed_over_are_gone() {
    let mut session = connect(&ReplayingDriver::of(tape())).await;
    let mut results = session.query("SELECT a", soon()).await.unwrap();
    assert!(results.next_result().await.unwrap());
    assert_eq!(results.next_row().await.unwrap().unwrap().get::<i64>(0).unwrap(), 3);
    drop(results);
    session.discard_results(soon()).await.unwrap();
    assert!(!session.status().pending_results);
    assert!(session.next_row().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn faults_strike_as_the_script_says() {
    let rule = |effect, nth| FaultRule::new(effect).operation(operation::QUERY).when(When::Nth(nth));
    let script = FaultScript::of([
        rule(Effect::Error { code: 1213, state: String::new(), message: String::new() }, 1),
        rule(Effect::Stale(1), 3),
        rule(Effect::DelayMs(700), 4),
        rule(Effect::CutAfterRows(1), 4),
        FaultRule::new(Effect::CutBefore).operation(operation::PING),
    ]);
    let driver = ReplayingDriver::of(tape()).faults(script);
    let mut session = connect(&driver).await;
    let deadlock = numbers(&mut session, "SELECT b").await.unwrap_err();
    assert_eq!((deadlock.kind(), deadlock.to_string().contains("40001")), (ErrorKind::Deadlock, true));
    assert_eq!(numbers(&mut session, "SELECT b").await.unwrap(), [10, 11]);
    assert_eq!(numbers(&mut session, "SELECT b").await.unwrap(), [10, 11], "a replica that is behind");
    let began = Instant::now();
    let mut results = session.query("SELECT b", soon()).await.unwrap();
    assert_eq!(began.elapsed().as_millis(), 700);
    assert_eq!(results.next_row().await.unwrap().unwrap().get::<i64>(0).unwrap(), 30);
    let cut = results.next_row().await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::ConnectionLost);
    assert!(session.status().broken);
    assert!(matches!(session.ping(soon()).await, Err(Error::Broken)));
    assert!(matches!(connect(&driver).await.ping(soon()).await, Err(Error::Gone)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_costs_the_deadline_and_the_session() {
    let script = FaultScript::of([FaultRule::new(Effect::Hang)]);
    let endpoint = Endpoint::new("primary", Address::tcp("nowhere", 3306));
    let began = Instant::now();
    let driver = ReplayingDriver::of(tape()).faults(script);
    let hung = driver.connect(&endpoint, &Credential::new("app", ""), soon()).await.unwrap_err();
    assert_eq!((hung.kind(), began.elapsed().as_secs()), (ErrorKind::QueryTimeout, 5));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_in_the_middle_breaks_the_session() {
    let driver = ReplayingDriver::of(tape()).timing(Timing::Fixed(Duration::from_secs(1)));
    let mut session = connect(&driver).await;
    let dropped = timeout(Duration::from_millis(10), session.start_query("SELECT b", soon())).await;
    assert!(dropped.is_err() && session.status().broken);
    assert!(matches!(numbers(&mut session, "SELECT b").await, Err(Error::Broken)));
}

#[tokio::test]
async fn statements_belong_to_their_session_until_it_is_reset() {
    let (journal, _) = recorded(Redaction::secrets()).await;
    let replay = ReplayingDriver::open(&journal.path, Mode::Pattern).unwrap();
    let (mut one, mut two) = (connect(&replay).await, connect(&replay).await);
    let statement = one.prepare(FILM, soon()).await.unwrap();
    assert_eq!(statement.parameters().len(), 2);
    let given = one.execute(&statement, &params![1], soon()).await;
    assert!(matches!(given, Err(Error::Parameters { expected: 2, given: 1 })));
    assert!(one.execute(&statement, &params![1, "PG"], soon()).await.is_ok());
    let foreign = two.execute(&statement, &params![1, "PG"], soon()).await;
    assert!(matches!(foreign, Err(Error::ForeignStatement)));
    one.reset(soon()).await.unwrap();
    let gone = one.execute(&statement, &params![1, "PG"], soon()).await;
    assert!(matches!(gone, Err(Error::ForeignStatement)));
}

#[tokio::test]
async fn what_is_missing_is_learned_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("learned.jsonl");
    let learn = |path: &Path| {
        let mock = server();
        (LearningDriver::open(path, mock.driver().clone(), Redaction::secrets()).unwrap(), mock)
    };
    let (driver, mock) = learn(&path);
    let mut session = connect(&driver).await;
    let told = film(&mut session, 1, "PG").await.unwrap();
    assert_eq!(rows(&mut session, "SELECT COUNT(*) FROM film").await.unwrap().len(), 1);
    assert_eq!(mock.operations().len(), 2);
    assert_eq!(driver.recorder().written(), 3);
    drop(session);

    let (driver, mock) = learn(&path);
    let mut session = connect(&driver).await;
    assert_eq!(film(&mut session, 1, "PG").await.unwrap(), told);
    assert!(mock.operations().is_empty(), "the journal answers");
    assert!(session.run("DELETE FROM film", soon()).await.is_err());
    assert_eq!(mock.operations().len(), 1, "the server answers what is missing");
    drop((session, driver));

    let mut session = connect(&ReplayingDriver::open(&path, Mode::Strict).unwrap()).await;
    assert_eq!(film(&mut session, 1, "PG").await.unwrap(), told);
    assert_eq!(session.run("DELETE FROM film", soon()).await.unwrap_err().code(), Some(1451));
}

#[tokio::test]
async fn learning_within_a_transaction_stays_on_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("learned.jsonl");
    {
        let mock = server();
        let driver = LearningDriver::open(&path, mock.driver().clone(), Redaction::secrets()).unwrap();
        let mut session = connect(&driver).await;
        session.run("BEGIN", soon()).await.unwrap();
        session.run("COMMIT", soon()).await.unwrap();
    }
    let mock = server();
    let driver = LearningDriver::open(&path, mock.driver().clone(), Redaction::secrets()).unwrap();
    let mut session = connect(&driver).await;
    session.run("BEGIN", soon()).await.unwrap();
    assert!(mock.operations().is_empty());
    session.run("INSERT INTO film VALUES (1)", soon()).await.unwrap();
    session.run("COMMIT", soon()).await.unwrap();
    let asked: Vec<_> = mock.operations().into_iter().map(|operation| operation.text).collect();
    assert_eq!(asked, ["BEGIN", "INSERT INTO film VALUES (1)", "COMMIT"]);
    assert!(!session.status().in_transaction);
}

#[tokio::test]
async fn a_double_follows_transactions_tables_and_expectations() {
    let mock = MockMysqlClient::new();
    mock.table(MockTable {
        name: "film".into(),
        columns: vec![MockColumn {
            name: "title".into(),
            column_type: "varchar(128)".into(),
            nullable: false,
        }],
    });
    mock.expect(Expectation::of(QueryPattern::like("update film*")).reply(Reply::default()).times(2));
    let mut session = connect(mock.driver()).await;
    assert_eq!(mock.transaction(), MockTransaction::None);
    session.run("BEGIN", soon()).await.unwrap();
    assert_eq!((mock.transaction(), session.status().in_transaction), (MockTransaction::Active, true));
    session.run("UPDATE film SET a = 1", soon()).await.unwrap();
    session.run("ROLLBACK TO SAVEPOINT a", soon()).await.unwrap();
    assert_eq!(mock.transaction(), MockTransaction::Active);
    session.run("ROLLBACK", soon()).await.unwrap();
    assert_eq!(mock.transaction(), MockTransaction::RolledBack);
    let tables = rows(&mut session, "SHOW TABLES").await.unwrap();
    assert_eq!(tables[0].get::<&str>(0).unwrap(), "film");
    let columns = rows(&mut session, "DESCRIBE `film`;").await.unwrap();
    assert_eq!(columns[0].get_named::<&str>("Type").unwrap(), "varchar(128)");

    let unknown = session.run("DROP TABLE film", soon()).await.unwrap_err();
    assert!(unknown.to_string().contains("nothing expects query `drop table film`"), "{unknown}");
    let unmet = mock.verify().unwrap_err().to_string();
    assert!(unmet.contains("asked 1 times, expected 2") && unmet.contains("drop table film"), "{unmet}");
    let operations = mock.operations();
    assert_eq!((operations.len(), operations[0].operation_type.as_str()), (7, "query"));
    assert!(matches!(operations[6].result, Outcome::Failed(_)));
}

#[tokio::test]
async fn health_checks_repeat_and_kill_needs_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("health.jsonl");
    let header = r#"{"journal":"rustydb-simulation","version":1,"subject":"mysql"}"#;
    let check = r#"{"operation":"query","text":"SELECT @@read_only","results":[{"columns":[{"name":"r"}],"rows":[[0]]}]}"#;
    let connect_line = r#"{"operation":"connect","endpoint":"primary","metadata":{"version":"11.8.2-MariaDB","flavor":"mariadb","numbers":"11.8.2"}}"#;
    std::fs::write(&path, format!("{header}\n{connect_line}\n{check}\n")).unwrap();
    let mut session = connect(&ReplayingDriver::open(&path, Mode::Strict).unwrap()).await;
    assert_eq!(session.status().server.version, "11.8.2-MariaDB");
    for _ in 0..3 {
        assert_eq!(numbers(&mut session, "SELECT @@read_only").await.unwrap(), [0]);
    }
    session.run("KILL QUERY 17", soon()).await.unwrap();
    let other = std::fs::read_to_string(&path).unwrap().replace("\"mysql\"", "\"mongodb\"");
    std::fs::write(&path, other).unwrap();
    assert!(matches!(ReplayingDriver::open(&path, Mode::Strict), Err(Error::Configuration(_))));
}

#[tokio::test]
async fn text_and_prepared_answers_are_told_apart() {
    let mut exchange = Exchange::of(Request::new(operation::EXECUTE, "SELECT 1", &[]));
    exchange.results = vec![ResultSet::of(&["n"], vec![vec![TapeValue::Int(1)]])];
    exchange.metadata = Attributes::new();
    let mut session = connect(&ReplayingDriver::of(Tape::of(Mode::Strict, vec![exchange]))).await;
    assert!(numbers(&mut session, "SELECT 1").await.is_err());
    let (_, results) = session.prepare_execute("SELECT 1", NO_PARAMETERS, soon()).await.unwrap();
    assert_eq!(results.one::<(Value,)>().await.unwrap().0, Value::Int(1));
}

#[tokio::test]
async fn a_journal_is_compared_with_a_server_and_writes_are_left_alone() {
    let (journal, _) = recorded(Redaction::secrets()).await;
    let journal = Journal::open(&journal.path).unwrap();
    let verdicts = async |mock: &MockMysqlClient, options| {
        let mut seen = Vec::new();
        let session = connect(mock.driver()).await;
        compare(&journal, session, options, |compared| seen.push(compared.verdict)).await.unwrap();
        seen
    };
    let skipped = Verdict::Skipped("it may write");
    let same = server();
    let reads = verdicts(&same, CompareOptions::default()).await;
    assert_eq!(reads[0], Verdict::Equal);
    assert_eq!(reads[2], skipped);
    assert_eq!(same.operations().len(), 1);
    let all = verdicts(&server(), CompareOptions { writes: true, ..CompareOptions::default() }).await;
    assert!(all.iter().all(|verdict| *verdict == Verdict::Equal), "{all:?}");

    let other = |rows: MockRows| {
        let mock = MockMysqlClient::new();
        mock.query_response(QueryPattern::exact(FILM), rows);
        mock
    };
    let of = || MockRows::of(["title", "length"]);
    let (first, second) = (params!["ACADEMY DINOSAUR", 86], params!["SECOND", None::<i64>]);
    let turned = other(of().row(second).row(first));
    assert_eq!(verdicts(&turned, CompareOptions::default()).await[0], Verdict::Reordered);
    let changed = other(of().row(first).row(params!["OTHER", None::<i64>]));
    let told = verdicts(&changed, CompareOptions::default()).await;
    assert_eq!(told[0], Verdict::Different("row 2, column 1 title".into()));
    let fewer = verdicts(&other(of().row(first)), CompareOptions::default()).await;
    assert_eq!(fewer[0], Verdict::Different("2 rows then, 1 now".into()));
    let failing = MockMysqlClient::new();
    failing.error_injection(QueryPattern::any(), 1146, 9);
    let failed = verdicts(&failing, CompareOptions::default()).await;
    assert_eq!(failed[0], Verdict::Different("it fails now, with error 1146".into()));
}

#[tokio::test]
async fn a_whole_client_runs_on_a_double_and_on_a_recording() {
    let config = || crate::config::ClientConfig::builder().max_connections(2).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.jsonl");
    let mock = server();
    let client = mock.client(config()).await.unwrap();
    let found = client.query(FILM, &params![1, "PG"]).await.unwrap();
    assert_eq!(found.rows()[0].get::<&str>(0).unwrap(), "ACADEMY DINOSAUR");
    assert_eq!(client.execute("INSERT INTO film VALUES (?)", &params![1]).await.unwrap().affected_rows, 3);
    assert_eq!(mock.prepared_statements().len(), 2);
    {
        let driver = Recorder::create(&path, Redaction::secrets()).unwrap().driver(mock.driver().clone());
        let mut session = connect(&driver).await;
        film(&mut session, 1, "PG").await.unwrap();
    }
    let replay = ReplayingDriver::open(&path, Mode::Strict).unwrap();
    let client = crate::MysqlClient::over(replay, config(), crate::Services::default()).await.unwrap();
    assert_eq!(client.query(FILM, &params![1, "PG"]).await.unwrap().rows(), found.rows());
    let missing = client.query(FILM, &params![1, "R"]).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NoAnswer);
}
