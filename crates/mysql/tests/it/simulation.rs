//! Sakila's queries recorded on a real server and replayed when it is gone.
//!
//! The folder of Sakila is found as the other tests find it: `RUSTYDB_SAKILA_DIR`, else `../shared/data/sakila`
//! beside the repository.

use crate::server::{Server, block_on, soon};
use rustydb_mysql::connection::{ConnectOptions, ServerDriver};
use rustydb_mysql::driver::{Credential, Driver, Endpoint, Session};
use rustydb_mysql::simulation::{
    CompareOptions, Journal, LearningDriver, Mode, Recorder, Redaction, ReplayingDriver, Verdict, compare,
};
use rustydb_mysql::{Backend, BackendSession, Error, params};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILM: &str = "SELECT title, rental_rate, length FROM film WHERE film_id = ? AND rating = ?";

fn sakila() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sakila");
    let folder = std::env::var_os("RUSTYDB_SAKILA_DIR").map_or_else(beside, PathBuf::from);
    match folder.join("sakila-schema.sql").is_file() {
        true => Some(folder),
        false => {
            eprintln!("no Sakila in {}: nothing is recorded of it", folder.display());
            None
        }
    }
}

/// Loads the dump by the unmodified client; what a server refuses is its own affair.
fn load(server: &Server, folder: &Path) {
    for name in ["sakila-schema.sql", "sakila-data.sql"] {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--force", "-h127.0.0.1", "-uroot", "--skip-ssl"]);
        command.arg(format!("-P{}", server.port)).arg(format!("--password={}", server.password));
        let input = std::fs::File::open(folder.join(name)).unwrap();
        command.stdin(input).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }
}

/// The texts of the queries, and whether they are asked with parameters.
fn queries(folder: &Path) -> Vec<(String, String)> {
    let mut queries: Vec<_> = std::fs::read_dir(folder.join("queries"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap().trim().to_owned())
        })
        .collect();
    queries.sort();
    queries
}

/// Everything that a caller can see of the answers, to the last digit.
async fn everything(session: &mut BackendSession, queries: &[(String, String)]) -> String {
    let mut seen = String::new();
    for (name, sql) in queries {
        seen.push_str(&format!("\n== {name}\n"));
        // As text, with all its statements, and prepared.
        let answered = answers(session.query(sql, soon()).await.map(|_| ()), session).await;
        seen.push_str(&answered);
        let started =
            session.prepare_execute(sql, rustydb_mysql::value::NO_PARAMETERS, soon()).await.map(|_| ());
        let answered = answers(started, session).await;
        seen.push_str(&answered);
    }
    for (film, rating) in [(1, "PG"), (42, "NC-17"), (3, "none")] {
        let started = session.prepare_execute(FILM, &params![film, rating], soon()).await.map(|_| ());
        let answered = answers(started, session).await;
        seen.push_str(&answered);
    }
    seen
}

async fn answers(started: rustydb_mysql::Result<()>, session: &mut BackendSession) -> String {
    let mut seen = String::new();
    let outcome = async {
        started?;
        loop {
            let parts = session.columns().map(|columns| {
                columns.as_slice().iter().map(|column| format!("{:?}\n", column.parts())).collect::<String>()
            });
            seen.push_str(&parts.unwrap_or_default());
            while let Some(row) = session.next_row().await? {
                seen.push_str(&format!("{:?}\n", row.values().collect::<Vec<_>>()));
            }
            seen.push_str(&format!("{:?}\n", session.summary()));
            if !session.next_result().await? {
                return Ok::<(), Error>(());
            }
        }
    }
    .await;
    if let Err(error) = outcome {
        let full = error.server().map(|server| server.full_message().to_owned());
        seen.push_str(&format!("{:?} {:?} {full:?}\n", error.kind(), error.code()));
    }
    let status = session.status();
    seen + &format!("{} {:?} {:?}\n", status.in_transaction, status.last_gtid, status.server.version)
}

async fn connect(backend: &Backend, endpoint: &Endpoint, password: &str) -> BackendSession {
    backend.connect(endpoint, &Credential::new("root", password), soon()).await.unwrap()
}

async fn recorded_and_replayed(server: Server, folder: &Path) {
    load(&server, folder);
    let keep = tempfile::tempdir().unwrap();
    let path = keep.path().join("sakila.jsonl");
    let options = ConnectOptions {
        database: Some("sakila".into()),
        multi_statements: true,
        ..ConnectOptions::default()
    };
    let driver = ServerDriver::new(options).unwrap();
    let (endpoint, password) = (server.tcp(), server.password);

    let recorder = Recorder::create(&path, Redaction::secrets()).unwrap();
    let backend = Backend::from(recorder.driver(driver.clone()));
    let queries = queries(folder);
    let mut session = connect(&backend, &endpoint, password).await;
    let told = everything(&mut session, &queries).await;
    assert!(told.contains("ACADEMY DINOSAUR") && told.contains("DuplicateKey"), "{told}");
    drop(session);
    assert_eq!((recorder.lost(), recorder.last_error()), (0, None));

    // The server says the same again, where nothing was changed on it.
    let journal = Journal::open(&path).unwrap();
    let mut verdicts = Vec::new();
    let session = connect(&Backend::from(driver.clone()), &endpoint, password).await;
    let seen = |compared: rustydb_mysql::simulation::Compared| verdicts.push(compared);
    compare(&journal, session, CompareOptions::default(), seen).await.unwrap();
    for compared in &verdicts {
        assert!(!matches!(compared.verdict, Verdict::Different(_)), "{compared:?}");
    }
    assert!(verdicts.iter().filter(|compared| compared.verdict == Verdict::Equal).count() > queries.len());

    // What is missing is learned from it.
    let learning = LearningDriver::open(&path, driver.clone(), Redaction::secrets()).unwrap();
    let mut session = connect(&Backend::from(learning), &endpoint, password).await;
    let started = session.prepare_execute(FILM, &params![7, "PG-13"], soon()).await.map(|_| ());
    let learned = answers(started, &mut session).await;
    assert!(learned.contains("AIRPLANE SIERRA"), "{learned}");
    drop(session);

    drop(server);
    let gone = driver.connect(&endpoint, &Credential::new("root", password), soon()).await;
    assert!(gone.is_err(), "the server is stopped");

    let backend = Backend::from(ReplayingDriver::open(&path, Mode::Strict).unwrap());
    let mut session = connect(&backend, &endpoint, "no password is looked at").await;
    let replayed = everything(&mut session, &queries).await;
    assert!(replayed == told, "{}", first_difference(&told, &replayed));
    let started = session.prepare_execute(FILM, &params![7, "PG-13"], soon()).await.map(|_| ());
    assert_eq!(answers(started, &mut session).await, learned);

    let changed = session.prepare_execute(FILM, &params![1, "R"], soon()).await.map(|_| ());
    let Err(Error::NoAnswer(why)) = changed else { panic!("answered without a recording") };
    let report = why.to_string();
    assert!(report.contains("no recording answers execute `select title, rental_rate, length"), "{report}");
    assert!(report.contains("parameter 2 differs (text)"), "{report}");
    assert!(!report.contains("PG"), "{report}");
    assert!(why.with_values().contains(r#"parameter 2 differs: recorded "PG", asked "R""#));
}

fn first_difference(told: &str, replayed: &str) -> String {
    let differs = told.lines().zip(replayed.lines()).enumerate().find(|(_, (a, b))| a != b);
    match differs {
        Some((line, (a, b))) => format!("line {line}\n  told     {a}\n  replayed {b}"),
        None => "one is longer than the other".to_owned(),
    }
}

#[test]
fn sakila_of_mariadb_is_replayed_without_it() {
    let Some(folder) = sakila() else { return };
    block_on(async {
        let Some(server) = Server::mariadb(&[]).await else { return };
        recorded_and_replayed(server, &folder).await;
    });
}

#[test]
fn sakila_of_mysql_is_replayed_without_it() {
    let Some(folder) = sakila() else { return };
    block_on(async {
        let Some(server) = Server::mysql().await else { return };
        recorded_and_replayed(server, &folder).await;
    });
}

#[test]
fn sakila_of_rustydb_is_replayed_without_it() {
    let Some(folder) = sakila() else { return };
    block_on(async {
        let Some(server) = Server::rustydb().await else { return };
        recorded_and_replayed(server, &folder).await;
    });
}
