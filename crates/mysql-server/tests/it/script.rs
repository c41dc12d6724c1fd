//! A database for the door's tests: statements are words that say what the answer shall be.
//!
//! | statement | answer |
//! |---|---|
//! | `ok` | OK with two rows affected, id 7, a warning, a summary |
//! | `rows N` | rows of an INT and a VARCHAR |
//! | `bytes N` | one row with a VARCHAR of N bytes |
//! | `echo TEXT` | one row with the text |
//! | `error CODE` | that error |
//! | `broken N` | N rows, then error 1317 |
//! | `mismatch` | a row whose value is not of its column |
//! | `endless` | rows until nobody takes them |
//! | `wait` | nothing, until it is cancelled |
//! | `panic` | panics |
//! | `use NAME` | changes the database, which a tracking client is told |
//! | `names NAME` | changes the client's character set and that of results |
//! | `idle MILLIS` | sets how long the client may be idle |
//! | `kill N`, `kill query N` | ends another session, or its statement |
//! | anything with `?` | when executed, the parameters as text |

use parking_lot::Mutex;
use rustydb_mysql_protocol::auth::{caching_sha2, native};
use rustydb_mysql_server::{
    Account, AuthMethod, Backend, Config, Credential, Limits, Prepared, Server, Session,
};
use rustydb_sql::{ColumnMeta, Completion, ResultSink, SessionOptions, SqlError, StateChange, StatusFlags};
use rustydb_telemetry::Registry;
use rustydb_transaction::{Cancel, CancelReason};
use rustydb_value::{Charset, ProtocolType, Value, ValueRef};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

/// What a script's sessions share, and what a test can look at.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) accounts: Mutex<Vec<Account>>,
    pub(crate) limits: Mutex<Limits>,
    sessions: Mutex<HashMap<u64, Cancel>>,
    last_connection: AtomicU64,
    /// Sessions that are open.
    pub(crate) open: AtomicUsize,
    /// Statements that wait.
    pub(crate) waiting: AtomicUsize,
    /// Why waiting statements ended.
    pub(crate) reasons: Mutex<Vec<Option<CancelReason>>>,
    /// Rows that an endless statement could send.
    pub(crate) sent: AtomicU64,
    /// Options of every session, in order.
    pub(crate) opened: Mutex<Vec<SessionOptions>>,
    pub(crate) max_allowed_packet: AtomicUsize,
    pub(crate) net_read_timeout_millis: AtomicU64,
    pub(crate) net_write_timeout_millis: AtomicU64,
}

impl Stage {
    /// Cancels a session's statement from outside.
    pub(crate) fn cancel(&self, connection_id: u64, reason: CancelReason) {
        self.sessions.lock()[&connection_id].cancel(reason);
    }
}

/// A script behind the door.
pub(crate) struct Script(pub(crate) Arc<Stage>);

/// An account whose password is checked by `method`.
pub(crate) fn account(user: &str, password: &str, method: AuthMethod) -> Account {
    let credential = match (password, method) {
        ("", _) => Credential::Empty,
        (_, AuthMethod::CachingSha2) => {
            Credential::CachingSha2(caching_sha2::Verifier::new(password.as_bytes()).unwrap())
        }
        (_, AuthMethod::Native) => Credential::Native(native::Verifier::new(password.as_bytes())),
    };
    Account {
        user: user.into(),
        host: "%".into(),
        method,
        credential,
        locked: false,
        password_expired: false,
        require_tls: false,
        version: 1,
    }
}

/// A stage with root, who has no password.
pub(crate) fn stage() -> Arc<Stage> {
    let stage = Stage::default();
    stage.accounts.lock().push(account("root", "", AuthMethod::CachingSha2));
    stage.max_allowed_packet.store(64 << 20, Ordering::Relaxed);
    stage.net_read_timeout_millis.store(60_000, Ordering::Relaxed);
    stage.net_write_timeout_millis.store(60_000, Ordering::Relaxed);
    Arc::new(stage)
}

/// The settings of most tests: a free port, no TLS.
pub(crate) fn config() -> Config {
    Config {
        tcp: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        tls: rustydb_mysql_server::TlsConfig::Off,
        ..Config::default()
    }
}

/// An open door before a script.
pub(crate) struct Door {
    pub(crate) server: Server<Script>,
    pub(crate) stage: Arc<Stage>,
    pub(crate) registry: Registry,
    pub(crate) address: SocketAddr,
}

impl Door {
    pub(crate) fn open() -> Door {
        Door::with(stage(), config())
    }

    pub(crate) fn with(stage: Arc<Stage>, config: Config) -> Door {
        let registry = Registry::new();
        let server = Server::start(Script(Arc::clone(&stage)), config, &registry).unwrap();
        let address = server.local_addresses()[0];
        Door { server, stage, registry, address }
    }

    /// Waits until `condition` holds.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Door) -> bool) {
        for _ in 0..20_000 {
            if condition(self) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("never happened: {what}");
    }

    /// Waits until `count` statements wait.
    pub(crate) fn until_waiting(&self, count: usize) {
        self.until("a waiting statement", |door| door.stage.waiting.load(Ordering::SeqCst) == count);
    }

    /// Waits until `count` sessions are open.
    pub(crate) fn until_open(&self, count: usize) {
        self.until("so many sessions", |door| {
            door.stage.open.load(Ordering::SeqCst) == count && door.server.connection_count() == count
        });
    }

    /// A figure of the registry.
    pub(crate) fn figure(&self, series: &str) -> u64 {
        let text = self.registry.render();
        let line = text.lines().find(|line| line.starts_with(series));
        let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Backend for Script {
    type Session = Actor;

    fn account(&self, user: &str, _host: &str) -> Option<Account> {
        self.0.accounts.lock().iter().find(|account| account.user == user).cloned()
    }

    fn open(&self, options: &SessionOptions) -> Result<Actor, SqlError> {
        let cancel = Cancel::new();
        self.0.sessions.lock().insert(options.connection_id, cancel.clone());
        self.0.open.fetch_add(1, Ordering::SeqCst);
        self.0.opened.lock().push(options.clone());
        Ok(Actor {
            stage: Arc::clone(&self.0),
            options: options.clone(),
            cancel,
            status: StatusFlags(StatusFlags::AUTOCOMMIT),
            charset: if options.collation == 8 { Charset::Latin1 } else { Charset::Utf8mb4 },
            idle: Duration::from_secs(600),
            changes: Vec::new(),
            multi: options.multi_statements,
        })
    }

    fn next_connection_id(&self) -> u64 {
        self.0.last_connection.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn limits(&self) -> Limits {
        *self.0.limits.lock()
    }
}

/// A session of a script.
pub(crate) struct Actor {
    stage: Arc<Stage>,
    options: SessionOptions,
    cancel: Cancel,
    status: StatusFlags,
    charset: Charset,
    idle: Duration,
    changes: Vec<StateChange>,
    multi: bool,
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.stage.sessions.lock().remove(&self.options.connection_id);
        self.stage.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A prepared statement of a script.
pub(crate) struct Line {
    text: String,
    parameters: Vec<ColumnMeta>,
    columns: Vec<ColumnMeta>,
}

impl Prepared for Line {
    fn parameters(&self) -> &[ColumnMeta] {
        &self.parameters
    }

    fn columns(&self) -> &[ColumnMeta] {
        &self.columns
    }
}

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn number(name: &str) -> ColumnMeta {
    ColumnMeta::expression(name, ProtocolType::Long, 63, 11)
}

fn string(name: &str) -> ColumnMeta {
    ColumnMeta { table: "t".into(), ..ColumnMeta::expression(name, ProtocolType::VarString, 255, 400) }
}

fn interrupted() -> SqlError {
    SqlError::new(1317, b"70100", "Query execution was interrupted")
}

impl Actor {
    fn completion(&self, more_results: bool) -> Completion {
        Completion { status: self.status, more_results, ..Completion::default() }
    }

    fn run(&mut self, statement: &str, more: bool, sink: &mut dyn ResultSink) -> Result<(), SqlError> {
        let (word, rest) = statement.split_once(' ').unwrap_or((statement, ""));
        let count = rest.parse::<u64>().unwrap_or(0);
        match word {
            "ok" => {
                let info = "Rows matched: 2  Changed: 2  Warnings: 1".to_owned();
                let completion = Completion {
                    affected_rows: 2,
                    last_insert_id: 7,
                    warnings: 1,
                    info,
                    ..self.completion(more)
                };
                return Ok(sink.end(&completion)?);
            }
            "rows" | "broken" => {
                sink.columns(&[number("id"), string("name")])?;
                for id in 0..count {
                    let name = format!("row {id}");
                    let name = if id % 3 == 2 { ValueRef::Null } else { ValueRef::Text(&name) };
                    sink.row(&[ValueRef::Int(id as i64), name])?;
                }
                if word == "broken" {
                    return Err(interrupted());
                }
            }
            "bytes" => {
                sink.columns(&[string("b")])?;
                sink.row(&[ValueRef::Text(&"x".repeat(count as usize))])?;
            }
            "echo" => {
                sink.columns(&[string("é")])?;
                sink.row(&[ValueRef::Text(rest)])?;
            }
            "error" => return Err(SqlError::new(count as u16, b"HY000", "scripted: é")),
            "mismatch" => {
                sink.columns(&[number("id")])?;
                sink.row(&[ValueRef::Int(1)])?;
                sink.row(&[ValueRef::Int(1), ValueRef::Int(2)])?;
            }
            "endless" => {
                sink.columns(&[string("name")])?;
                let name = "y".repeat(1000);
                loop {
                    if self.cancel.is_cancelled() {
                        return Err(interrupted());
                    }
                    sink.row(&[ValueRef::Text(&name)])?;
                    self.stage.sent.fetch_add(1, Ordering::SeqCst);
                }
            }
            "wait" => {
                let _registration = self.cancel.register(Waker::from(Arc::new(Unpark(thread::current()))));
                self.stage.waiting.fetch_add(1, Ordering::SeqCst);
                while !self.cancel.is_cancelled() {
                    thread::park();
                }
                self.stage.reasons.lock().push(self.cancel.reason());
                self.stage.waiting.fetch_sub(1, Ordering::SeqCst);
                return Err(interrupted());
            }
            "panic" => std::panic::resume_unwind(Box::new("scripted")),
            "use" => self.use_database(rest)?,
            "names" => self.charset = Charset::from_name(rest).unwrap(),
            "idle" => self.idle = Duration::from_millis(count),
            "raw" => self.status.set(StatusFlags::NO_BACKSLASH_ESCAPES, true),
            "silent" => return Ok(()),
            "kill" => {
                let query = rest.strip_prefix("query ");
                let id: u64 = query.unwrap_or(rest).parse().unwrap();
                let found = self.stage.sessions.lock().get(&id).cloned();
                let unknown = || SqlError::new(1094, b"HY000", format!("Unknown thread id: {id}"));
                let reason = if query.is_some() { CancelReason::QueryKilled } else { CancelReason::Killed };
                found.ok_or_else(unknown)?.cancel(reason);
            }
            "KILL" => return self.run(&format!("kill {rest}"), more, sink),
            _ => return Err(SqlError::new(1064, b"42000", "You have an error in your script")),
        }
        Ok(sink.end(&self.completion(more))?)
    }
}

impl Session for Actor {
    type Prepared = Line;

    fn query(&mut self, sql: &str, sink: &mut dyn ResultSink) -> Result<(), SqlError> {
        self.cancel.reset();
        if !self.multi {
            return self.run(sql, false, sink);
        }
        let mut statements = sql.split(';').map(str::trim).peekable();
        while let Some(statement) = statements.next() {
            self.run(statement, statements.peek().is_some(), sink)?;
        }
        Ok(())
    }

    fn prepare(&mut self, sql: &str) -> Result<Line, SqlError> {
        if sql.starts_with("error") {
            return Err(SqlError::new(1064, b"42000", "You have an error in your script"));
        }
        let parameters = vec![ColumnMeta::parameter(); sql.matches('?').count()];
        let columns = match sql.split(' ').next() {
            Some("ok") => Vec::new(),
            Some("rows" | "broken" | "mismatch") => vec![number("id"), string("name")],
            _ => vec![string("p"); parameters.len()],
        };
        Ok(Line { text: sql.to_owned(), parameters, columns })
    }

    fn execute(
        &mut self,
        line: &mut Line,
        parameters: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        self.cancel.reset();
        if parameters.is_empty() {
            return self.run(&line.text, false, sink);
        }
        let texts: Vec<String> = parameters.iter().map(|value| format!("{value:?}")).collect();
        sink.columns(&line.columns)?;
        sink.row(&texts.iter().map(|text| ValueRef::Text(text)).collect::<Vec<_>>())?;
        Ok(sink.end(&self.completion(false))?)
    }

    fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        if name == "absent" {
            return Err(SqlError::new(1049, b"42000", "Unknown database 'absent'"));
        }
        self.changes.push(StateChange::Schema(name.to_owned()));
        Ok(())
    }

    fn reset(&mut self) -> Result<(), SqlError> {
        self.idle = Duration::from_secs(600);
        Ok(())
    }

    fn change_user(&mut self, options: &SessionOptions) -> Result<(), SqlError> {
        self.stage.opened.lock().push(options.clone());
        Ok(())
    }

    fn set_multi_statements(&mut self, on: bool) {
        self.multi = on;
    }

    fn status(&self) -> StatusFlags {
        self.status
    }

    fn warning_count(&self) -> u16 {
        0
    }

    fn character_set_client(&self) -> Charset {
        self.charset
    }

    fn character_set_results(&self) -> Option<Charset> {
        Some(self.charset)
    }

    fn statistics(&self) -> String {
        "Uptime: 1".into()
    }

    fn take_state_changes(&mut self) -> Vec<StateChange> {
        std::mem::take(&mut self.changes)
    }

    fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }

    fn max_allowed_packet(&self) -> usize {
        self.stage.max_allowed_packet.load(Ordering::Relaxed)
    }

    fn idle_timeout(&self) -> Duration {
        self.idle
    }

    fn net_read_timeout(&self) -> Duration {
        Duration::from_millis(self.stage.net_read_timeout_millis.load(Ordering::Relaxed))
    }

    fn net_write_timeout(&self) -> Duration {
        Duration::from_millis(self.stage.net_write_timeout_millis.load(Ordering::Relaxed))
    }
}
