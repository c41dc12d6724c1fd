//! No value and no password gets out: marked ones are put everywhere, and looked for in every log line, span,
//! metric, error and recording.
//!
//! Marks go in as literals and parameters of every kind, as passwords right and wrong, as texts of SIGNAL, into
//! statements that succeed and into those that fail in the ways in which servers quote what they were given.

use crate::server::Server;
use parking_lot::Mutex;
use rustydb_mysql::client::{Client, Services};
use rustydb_mysql::config::{ClientConfig, GuardConfig, Limits};
use rustydb_mysql::connection::{ConnectOptions, ServerDriver};
use rustydb_mysql::driver::{Address, Flavor};
use rustydb_mysql::simulation::{Recorder, RecordingDriver, Redaction};
use rustydb_mysql::slow_log::SlowLog;
use rustydb_mysql::transaction::TransactionOptions;
use rustydb_mysql::{Error, Value, params};
use rustydb_telemetry::Registry;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::fmt::format::FmtSpan;

const VALUE: &str = "M4RKEDvalue";
const NUMBER: i64 = 471_147_114_711;
const PASSWORD: &str = "M4RKED-Pass_1";
const WRONG: &str = "M4RKED-Wrong_1";

/// Whether a text holds a mark, as it is or in hexadecimal.
fn mark_in(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    ["m4rked", "471147114711", "4d34524b4544", "6db28e70d7"].into_iter().find(|mark| lower.contains(mark))
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that the test could see.
#[derive(Default)]
struct Seen {
    texts: String,
    errors: usize,
    quoted: usize,
}

impl Seen {
    /// An error as logs show it: displayed, debugged, with its sources.
    fn error(&mut self, error: &Error) {
        let _ = writeln!(self.texts, "{error} | {error:?} | {:?} {:?}", error.kind(), error.code());
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            let _ = writeln!(self.texts, "{inner} | {inner:?}");
            source = inner.source();
        }
        self.errors += 1;
        self.quoted +=
            usize::from(error.server().is_some_and(|server| mark_in(server.full_message()).is_some()));
    }

    fn failed<T>(&mut self, outcome: Result<T, Error>, what: &str) {
        match outcome {
            Ok(_) => panic!("{what} succeeded"),
            Err(error) => self.error(&error),
        }
    }

    fn shown(&mut self, shown: &dyn std::fmt::Debug) {
        let _ = writeln!(self.texts, "{shown:?}");
    }
}

type Recorded = Client<RecordingDriver<ServerDriver>>;

fn config(server: &Server, user: &str, password: &str) -> ClientConfig {
    let address = Address::tcp("127.0.0.1", server.port);
    let mut config = ClientConfig::builder().primary(address).user(user).password(password).build().unwrap();
    (config.pool.min_connections, config.pool.max_connections) = (0, 3);
    config.limits = Limits { slow_query: Duration::ZERO, ..Limits::default() };
    config.guards = GuardConfig { sensitive_tables: vec!["card".to_owned()], ..GuardConfig::default() };
    config
}

struct Stage {
    recorder: Recorder,
    registry: Registry,
    slow: Arc<SlowLog>,
}

impl Stage {
    fn new(folder: &Path) -> Stage {
        Stage {
            recorder: Recorder::create(&folder.join("recording"), Redaction::values()).unwrap(),
            registry: Registry::new(),
            slow: Arc::new(SlowLog::open(folder.join("slow"), Duration::ZERO, 500).unwrap()),
        }
    }

    async fn client(&self, config: ClientConfig) -> Result<Recorded, Error> {
        let database = config.database.as_deref().map(Into::into);
        let options = ConnectOptions { database, ..ConnectOptions::default() };
        let driver = self.recorder.driver(ServerDriver::new(options)?);
        let services = Services {
            registry: self.registry.clone(),
            slow_log: Some(Arc::clone(&self.slow)),
            ..Services::default()
        };
        Client::with_driver(driver, config, services).await
    }
}

async fn accounts(stage: &Stage, server: &Server, seen: &mut Seen) {
    let root = stage.client(config(server, "root", server.password)).await.unwrap();
    root.execute("CREATE DATABASE marked", &params![]).await.unwrap();
    let create = "CREATE USER marked IDENTIFIED BY 'M4RKED-Pass_1'";
    // RustyDB has no accounts but those of its settings: there it is refused each time.
    if server.flavor != Flavor::RustyDb {
        root.execute(create, &params![]).await.unwrap();
        root.execute("GRANT ALL ON *.* TO marked", &params![]).await.unwrap();
    }
    seen.failed(root.execute(create, &params![]).await, "the same account again");
    for password in [WRONG, ""] {
        let wrong = stage.client(config(server, "marked", password)).await;
        match wrong {
            Ok(client) => {
                seen.failed(client.query("SELECT 1", &params![]).await, "a wrong password");
                seen.shown(&client.topology());
            }
            Err(error) => seen.error(&error),
        }
    }
}

async fn statements(stage: &Stage, server: &Server, seen: &mut Seen) {
    let (user, password) = match server.flavor {
        Flavor::RustyDb => ("root", server.password),
        _ => ("marked", PASSWORD),
    };
    let mut config = config(server, user, password);
    config.database = Some("marked".to_owned());
    seen.shown(&config);
    let client = stage.client(config).await.unwrap();
    for sql in [
        "CREATE TABLE card (id BIGINT PRIMARY KEY, name VARCHAR(40) UNIQUE, cents DECIMAL(20,2), raw VARBINARY(80), \
         doc JSON, kind ENUM('a','b'), day DATE)",
        "CREATE TABLE charge (card BIGINT NOT NULL, FOREIGN KEY (card) REFERENCES card (id))",
        "INSERT INTO card VALUES (471147114711, 'M4RKEDvalue', 4711471147.11, 0x4D34524B4544, \
         '{\"M4RKED\": \"M4RKEDvalue\"}', 'a', '2026-01-01')",
    ] {
        client.execute(sql, &params![]).await.unwrap();
    }
    let insert = "INSERT INTO card (id, name, cents, raw, doc) VALUES (?, ?, ?, ?, ?)";
    let raw: &[u8] = b"M4RKEDraw";
    client.execute(insert, &params![NUMBER + 1, "M4RKEDother", 7, raw, "[\"M4RKED\"]"]).await.unwrap();
    for (sql, parameters) in [
        ("SELECT * FROM card WHERE id = ? AND name = 'M4RKEDvalue'", vec![Value::Int(NUMBER)]),
        (
            "SELECT 'M4RKEDvalue', 471147114711, name FROM card WHERE name LIKE ?",
            vec![Value::String(VALUE.into())],
        ),
        ("SHOW TABLES LIKE 'M4RKED%'", vec![]),
    ] {
        let found = client.query(sql, &parameters).await.unwrap();
        seen.texts.push_str(&format!("{} rows\n", found.len()));
        let wrong = found.rows().first().map(|row| row.get::<f32>(0).and(row.get::<u8>(1)));
        if let Some(Err(error)) = wrong {
            seen.error(&error);
        }
    }
    let mut stream =
        client.query_stream("SELECT name, doc FROM card WHERE id >= ?", &params![NUMBER]).await.unwrap();
    while stream.next().await.unwrap().is_some() {}
    drop(stream);

    failures(&client, server.flavor, seen).await;
    transactions(&client, seen).await;

    client
        .explain("SELECT * FROM card WHERE name = 'M4RKEDvalue' AND id = ?", &params![NUMBER])
        .await
        .unwrap();
    seen.shown(&client.process_list().await.unwrap());
    seen.failed(client.describe_table(None, "nothing").await, "a table that is not there");
    seen.shown(&client.topology());
    seen.shown(&client.get_pool_status());
    seen.shown(&client);
}

/// Statements that fail as servers fail them, with marks in them.
async fn failures(client: &Recorded, flavor: Flavor, seen: &mut Seen) {
    for sql in [
        "INSERT INTO card (id) VALUES (471147114711)",
        "INSERT INTO card (id, name) VALUES (1, 'M4RKEDvalue')",
        "INSERT INTO charge VALUES (471147114711471)",
        "INSERT INTO card (id, day) VALUES (2, 'M4RKEDvalue')",
        "INSERT INTO card (id, cents) VALUES (3, 'M4RKEDvalue')",
        "INSERT INTO card (id, kind) VALUES (4, 'M4RKEDvalue')",
        "INSERT INTO card (id, doc) VALUES (5, '{M4RKEDvalue')",
        "INSERT INTO card (id, name) VALUES (6, REPEAT('M4RKEDvalue', 9))",
        "SELEC 'M4RKEDvalue'",
        "SELECT 'M4RKEDvalue' FROM card WHERE id = = 471147114711",
        "SELECT * FROM card WHERE id = 9223372036854775807 + 471147114711",
        "SELECT JSON_EXTRACT('M4RKEDvalue', '$.a')",
        "SELECT JSON_EXTRACT(doc, '$M4RKEDvalue') FROM card",
        "SELECT nothing FROM card WHERE name = 'M4RKEDvalue'",
        "SELECT * FROM nothing WHERE name = 'M4RKEDvalue'",
        "SELECT NO_SUCH_FUNCTION('M4RKEDvalue')",
        "SELECT CONVERT_TZ('M4RKEDvalue', 1), nothing",
        "LOAD DATA LOCAL INFILE '/M4RKEDvalue' INTO TABLE card",
        "SET time_zone = 'M4RKEDvalue'",
        "SET character_set_client = 'M4RKEDvalue'",
    ] {
        // One server refuses what another only warns of; how many fail is looked at in the end.
        if let Err(error) = client.execute(sql, &params![]).await {
            seen.error(&error);
        }
    }
    if flavor != Flavor::RustyDb {
        let signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'M4RKEDvalue is 471147114711'";
        let mut connection = client.get_primary().await.unwrap();
        seen.failed(connection.execute(signal, &params![]).await, signal);
    }
    let insert = "INSERT INTO card (id, name, day) VALUES (?, ?, ?)";
    seen.failed(client.execute(insert, &params![NUMBER, "x", None::<i64>]).await, "a key twice");
    seen.failed(client.execute(insert, &params![7, VALUE, None::<i64>]).await, "a name twice");
    seen.failed(client.execute(insert, &params![8, "y", VALUE]).await, "a day that is none");
    seen.failed(client.execute(insert, &params![NUMBER, VALUE]).await, "too few parameters");
    let prepared = client.prepare("SELECT ? FROM card WHERE name = 'M4RKEDvalue'").await.unwrap();
    seen.shown(&prepared.parameters());
    seen.failed(client.execute_prepared(&prepared, &params![VALUE, NUMBER]).await, "too many parameters");
    let many = vec![("SELECT 'M4RKEDvalue'", [].as_slice()); 1_001];
    seen.failed(client.execute_batch(&many).await, "too large a batch");
}

async fn transactions(client: &Recorded, seen: &mut Seen) {
    let mut transaction = client.begin(TransactionOptions::default()).await.unwrap();
    transaction.execute("UPDATE card SET cents = ? WHERE name = 'M4RKEDvalue'", &params![5]).await.unwrap();
    seen.failed(transaction.execute("UPDATE card SET id = 471147114711", &params![]).await, "a key twice");
    seen.shown(&transaction);
    transaction.rollback().await.unwrap();
    let failed: Result<(), Error> = client
        .with_transaction(TransactionOptions::default(), |mut transaction| async move {
            transaction.execute("DELETE FROM card WHERE name = ?", &params![VALUE]).await?;
            transaction.execute("INSERT INTO charge VALUES (471147114711471)", &params![]).await?;
            Ok(())
        })
        .await;
    seen.failed(failed, "a charge of nobody");
}

async fn everything(server: &Server) {
    let folder = tempfile::tempdir().unwrap();
    let (stage, mut seen) = (Stage::new(folder.path()), Seen::default());
    accounts(&stage, server, &mut seen).await;
    statements(&stage, server, &mut seen).await;
    stage.slow.flush().unwrap();

    assert!(seen.errors >= 25 && seen.quoted >= 5, "{} errors, {} quote marks", seen.errors, seen.quoted);
    clean("errors and what is shown", &seen.texts);
    let metrics = stage.registry.render();
    assert!(metrics.contains("mysql_queries_count") && metrics.contains("mysql_queries_errors"), "{metrics}");
    clean("metrics", &metrics);
    clean("slow log", &format!("{:?}", stage.slow.worst(1_000)));
    assert!(stage.recorder.written() > 40 && stage.recorder.lost() == 0, "{:?}", stage.recorder.last_error());
    for name in ["recording", "slow"] {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        assert!(bytes.len() > 1_000, "{name}");
        clean(name, &String::from_utf8_lossy(&bytes));
    }
}

fn clean(what: &str, text: &str) {
    for line in text.lines() {
        if let Some(mark) = mark_in(line) {
            let at = line.to_lowercase().find(mark).unwrap_or(0);
            let from = line.floor_char_boundary(at.saturating_sub(300));
            let to = line.floor_char_boundary(at + 100);
            panic!("'{mark}' in {what}: {}", &line[from..to]);
        }
    }
}

/// Runs the test with every span and event of this thread written down, at every level.
fn watched(server: impl Future<Output = Option<Server>>) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // One thread, so that every task is watched.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ran = runtime.block_on(async {
        let Some(server) = server.await else { return false };
        everything(&server).await;
        true
    });
    let text = String::from_utf8_lossy(&lines.0.lock()).into_owned();
    if ran {
        for expected in ["mysql.query", "mysql.pool.acquire", "slow query", "(sensitive)"] {
            assert!(text.contains(expected), "no {expected} in the log");
        }
    }
    clean("logs and spans", &text);
}

#[test]
fn nothing_marked_gets_out_with_mariadb() {
    watched(async { Server::mariadb(&[]).await });
}

#[test]
fn nothing_marked_gets_out_with_mysql() {
    watched(async { Server::mysql().await });
}

#[test]
fn nothing_marked_gets_out_with_rustydb() {
    watched(async { Server::rustydb().await });
}

#[test]
fn marks_are_found_however_they_are_written() {
    for marked in ["x M4RKEDvalue", "m4rked-pass_1", "0x4D34524B4544", "id 471147114711", "6DB28E70D7"] {
        assert!(mark_in(marked).is_some(), "{marked}");
    }
    assert_eq!(mark_in("select * from card where id = ?"), None);
}
