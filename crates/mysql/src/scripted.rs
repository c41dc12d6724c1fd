//! A server that does what a test's script says, for tests of everything above the driver.
//!
//! It keeps what matters of a real server and its wire: sessions with transactions, savepoints and state;
//! committed values; and answers that wait on a session's wire until somebody reads them. A session that is
//! used again after its exchange was cut, by whoever ignores [`SessionStatus::broken`], reads the answer of
//! the request before: a test sees the wrong value.
//!
//! Each exchange awaits twice (before the server has the request, and before its answer is there), each row
//! once, so that a test that drops a future at its n-th poll reaches every await for some n. The script
//! ([`Server::on`]) says for each step what happens: as usual, an error of the server, a lost connection
//! before or after the server did it, slowly, or never.
//!
//! | statement | answer |
//! |---|---|
//! | `SELECT x` | one row, `x` |
//! | `ROWS n x` | `n` rows, `x-0`, `x-1`, ... |
//! | `INSERT x` | adds `x` to what is committed, or to the open transaction |
//! | `START TRANSACTION`, `COMMIT`, `ROLLBACK`, savepoints | as ever |
//! | `SET TRANSACTION ...` | counts for the next transaction, and is not tracked as a change |
//! | other `SET`, `CREATE TEMPORARY ...` | makes the session dirty |
//! | `DDL` | commits what is open |
//! | `KILL n` | ends what session `n` left running, by [`Behaviour::Never`], when it was dropped |

use crate::column::{Column, Columns};
use crate::driver::{
    Credential, Driver, Endpoint, ServerIdentity, Session, SessionStatus, Statement, Summary,
};
use crate::error::{Error, Result, ServerError};
use crate::kill::{Abandoned, StatementHead};
use crate::row::RowRef;
use crate::value::{ToValue, Value};
use parking_lot::Mutex;
use rustydb_value::ProtocolType;
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::time::{Instant, sleep_until};

/// What a session is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Connect,
    Query,
    Prepare,
    Fetch,
    Discard,
    Reset,
    Ping,
    Close,
}

/// A step that the script decides about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) point: Point,
    /// The session, from 1; the number it would get, for a connect
    pub(crate) session: u64,
    pub(crate) sql: &'a str,
}

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As usual
    Usual,
    /// The server answers with this error
    Fail(u16),
    /// The connection is lost before the server has the request
    LostBefore,
    /// The connection is lost after the server did it
    LostAfter,
    /// As usual, after so many more polls
    Slow(u32),
    /// Until the deadline
    Never,
}

type Script = Box<dyn FnMut(Step<'_>) -> Behaviour + Send>;

#[derive(Default)]
struct World {
    script: Option<Script>,
    sessions: BTreeMap<u64, ServerSession>,
    connects: u64,
    password: String,
    committed: Vec<String>,
    log: Vec<(u64, String)>,
    resets: u64,
    pings: u64,
    goodbyes: u64,
    /// What sessions left running, and how many of them were killed
    running: BTreeMap<u64, String>,
    killed: u64,
}

#[derive(Default)]
struct ServerSession {
    /// Uncommitted values, when a transaction is open
    open: Option<Vec<String>>,
    savepoints: Vec<(String, usize)>,
    next_transaction: Option<String>,
    is_dirty: bool,
    wire: VecDeque<Answer>,
}

#[derive(Clone)]
struct Answer {
    result: Result<Vec<String>, u16>,
    has_rows: bool,
    in_transaction: bool,
    is_dirty: bool,
}

/// The server, and the driver that connects to it. Clones are the same server.
#[derive(Clone, Default)]
pub(crate) struct Server {
    world: Arc<Mutex<World>>,
    /// Polls that each step takes at least
    polls: u32,
}

impl Server {
    /// A server whose every step is done at once.
    pub(crate) fn new() -> Server {
        Server::default()
    }

    /// A server whose every step is pending once, so that it can be dropped there.
    pub(crate) fn pending() -> Server {
        Server { polls: 1, ..Server::default() }
    }

    /// Takes the place of the script.
    pub(crate) fn on(&self, script: impl FnMut(Step<'_>) -> Behaviour + Send + 'static) {
        self.world.lock().script = Some(Box::new(script));
    }

    /// Goes on as usual.
    pub(crate) fn behave(&self) {
        self.world.lock().script = None;
    }

    /// Takes only this password from now on.
    pub(crate) fn set_password(&self, password: &str) {
        self.world.lock().password = password.to_owned();
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::new("scripted", crate::driver::Address::tcp("scripted", 3306))
    }

    pub(crate) fn credential(&self, password: &str) -> Credential {
        Credential::new("app", password)
    }

    /// Sessions that are connected, as the server sees it.
    pub(crate) fn sessions(&self) -> usize {
        self.world.lock().sessions.len()
    }

    /// Transactions that are open, as the server sees it.
    pub(crate) fn open_transactions(&self) -> usize {
        self.world.lock().sessions.values().filter(|session| session.open.is_some()).count()
    }

    /// Sessions whose next transaction is to be other than usual.
    pub(crate) fn prepared_transactions(&self) -> usize {
        self.world.lock().sessions.values().filter(|session| session.next_transaction.is_some()).count()
    }

    pub(crate) fn connects(&self) -> u64 {
        self.world.lock().connects
    }

    pub(crate) fn committed(&self) -> Vec<String> {
        self.world.lock().committed.clone()
    }

    pub(crate) fn resets(&self) -> u64 {
        self.world.lock().resets
    }

    pub(crate) fn pings(&self) -> u64 {
        self.world.lock().pings
    }

    /// What sessions left running that are gone, and how many of them were killed.
    pub(crate) fn left_running(&self) -> (usize, u64) {
        let world = self.world.lock();
        (world.running.len(), world.killed)
    }

    pub(crate) fn goodbyes(&self) -> u64 {
        self.world.lock().goodbyes
    }

    /// Statements in the order in which the server did them.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.world.lock().log.iter().map(|(_, sql)| sql.clone()).collect()
    }

    /// Closes every session, as a restart does.
    pub(crate) fn restart(&self) {
        self.world.lock().sessions.clear();
    }

    fn behaviour(&self, step: Step<'_>) -> Behaviour {
        // The script is taken out while it runs, so that it may ask the server.
        let Some(mut script) = self.world.lock().script.take() else { return Behaviour::Usual };
        let behaviour = script(step);
        self.world.lock().script.get_or_insert(script);
        behaviour
    }

    /// The await of one half of an exchange.
    async fn half(&self, extra: u32) {
        let mut left = self.polls + extra;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Driver for Server {
    type Session = ScriptedSession;

    async fn connect(
        &self,
        _: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<ScriptedSession> {
        let session = self.world.lock().connects + 1;
        let behaviour = self.behaviour(Step { point: Point::Connect, session, sql: "" });
        self.half(0).await;
        let refused = |kind: std::io::ErrorKind| Error::Connect {
            address: crate::driver::Address::tcp("scripted", 3306),
            source: Box::new(std::io::Error::from(kind)),
        };
        match behaviour {
            Behaviour::Fail(code) => return Err(ServerError::new(code, None, "scripted").into()),
            Behaviour::LostBefore | Behaviour::LostAfter => {
                return Err(refused(std::io::ErrorKind::ConnectionRefused));
            }
            Behaviour::Never => {
                sleep_until(deadline).await;
                return Err(Error::Timeout { during: "connect" });
            }
            Behaviour::Slow(polls) => self.half(polls).await,
            Behaviour::Usual => self.half(0).await,
        }
        let mut world = self.world.lock();
        if !world.password.is_empty() && world.password != credential.password.expose_secret() {
            return Err(ServerError::new(1045, None, "Access denied").into());
        }
        world.connects += 1;
        let id = world.connects;
        world.sessions.insert(id, ServerSession::default());
        let status = SessionStatus {
            connection_id: id,
            autocommit: true,
            tracks_state: true,
            server: Arc::new(ServerIdentity {
                unique_id: Some("scripted".to_owned()),
                ..ServerIdentity::default()
            }),
            ..SessionStatus::default()
        };
        Ok(ScriptedSession {
            server: self.clone(),
            id,
            status,
            rows: VecDeque::new(),
            current: Vec::new(),
            columns: None,
            deadline,
            summary: Summary::default(),
            head: None,
        })
    }
}

/// A session with a [`Server`].
pub(crate) struct ScriptedSession {
    server: Server,
    id: u64,
    status: SessionStatus,
    rows: VecDeque<String>,
    current: Vec<Value>,
    columns: Option<Arc<Columns>>,
    deadline: Instant,
    summary: Summary,
    /// The statement that the server has
    head: Option<StatementHead>,
}

impl Drop for ScriptedSession {
    fn drop(&mut self) {
        self.server.world.lock().sessions.remove(&self.id);
    }
}

impl ScriptedSession {
    /// Sends a request, has the server do it, and reads its answer from the wire.
    async fn exchange(
        &mut self,
        point: Point,
        sql: &str,
        deadline: Instant,
        work: impl FnOnce(&mut World, u64) -> Answer + Send,
    ) -> Result<Answer> {
        if self.status.broken {
            return Err(Error::Broken);
        }
        let lost = || Error::Lost { during: "scripted", source: std::io::ErrorKind::ConnectionReset.into() };
        self.deadline = deadline;
        // Broken or whole: until the answer is read, the session is broken.
        self.status.broken = true;
        let behaviour = self.server.behaviour(Step { point, session: self.id, sql });
        self.server.half(0).await;
        match behaviour {
            Behaviour::LostBefore => {
                self.server.world.lock().sessions.remove(&self.id);
                self.head = None;
                return Err(lost());
            }
            Behaviour::Never => {
                if self.head.is_some() {
                    self.server.world.lock().running.insert(self.id, sql.to_owned());
                }
                sleep_until(deadline).await;
                return Err(Error::Timeout { during: "scripted" });
            }
            _ => {}
        }
        {
            let mut world = self.server.world.lock();
            if !world.sessions.contains_key(&self.id) {
                return Err(Error::Gone);
            }
            let answer = match behaviour {
                Behaviour::Fail(code) => fail(&mut world, self.id, code),
                _ => work(&mut world, self.id),
            };
            if let Some(session) = world.sessions.get_mut(&self.id) {
                session.wire.push_back(answer);
            }
            if behaviour == Behaviour::LostAfter {
                world.sessions.remove(&self.id);
                self.head = None;
                return Err(lost());
            }
        }
        self.server.half(if let Behaviour::Slow(polls) = behaviour { polls } else { 0 }).await;
        let answer = {
            let mut world = self.server.world.lock();
            world
                .sessions
                .get_mut(&self.id)
                .and_then(|session| session.wire.pop_front())
                .ok_or(Error::Gone)?
        };
        self.status.broken = false;
        self.status.in_transaction = answer.in_transaction;
        self.status.dirty |= answer.is_dirty;
        Ok(answer)
    }

    async fn statement(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.discard_results(deadline).await?;
        self.status.last_error = None;
        self.head = Some(StatementHead::new(sql));
        let answer = self.exchange(Point::Query, sql, deadline, |world, id| run(world, id, sql)).await?;
        self.head = None;
        self.summary = Summary::default();
        self.current.clear();
        match answer.result {
            Err(code) => {
                self.status.last_error = Some(code);
                Err(ServerError::new(code, None, "scripted").into())
            }
            Ok(rows) => {
                self.columns = answer
                    .has_rows
                    .then(|| Arc::new(Columns::new(vec![Column::simple("value", ProtocolType::VarString)])));
                self.status.pending_results = !rows.is_empty();
                self.summary.affected_rows = u64::from(sql.starts_with("INSERT"));
                self.rows = rows.into();
                Ok(())
            }
        }
    }
}

fn answer(session: &ServerSession, rows: Option<Vec<String>>) -> Answer {
    Answer {
        has_rows: rows.is_some(),
        result: Ok(rows.unwrap_or_default()),
        in_transaction: session.open.is_some(),
        is_dirty: session.is_dirty,
    }
}

fn fail(world: &mut World, id: u64, code: u16) -> Answer {
    let session = world.sessions.entry(id).or_default();
    if code == 1213 {
        session.open = None;
        session.savepoints.clear();
    }
    let mut answer = answer(session, None);
    answer.result = Err(code);
    answer
}

/// Does a statement as the server would.
fn run(world: &mut World, id: u64, sql: &str) -> Answer {
    world.log.push((id, sql.to_owned()));
    let mut committed = Vec::new();
    let session = world.sessions.entry(id).or_default();
    let mut rows = None;
    let mut failed = None;
    let words: Vec<&str> = sql.split_whitespace().collect();
    match words.as_slice() {
        ["SELECT", value] => rows = Some(vec![(*value).to_owned()]),
        ["ROWS", count, tag] => {
            rows = Some((0..count.parse::<usize>().unwrap_or(0)).map(|n| format!("{tag}-{n}")).collect());
        }
        ["INSERT", value] => match &mut session.open {
            Some(open) => open.push((*value).to_owned()),
            None => committed.push((*value).to_owned()),
        },
        ["BEGIN"] | ["START", "TRANSACTION", ..] => {
            committed.extend(session.open.take().unwrap_or_default());
            session.savepoints.clear();
            session.next_transaction = None;
            session.open = Some(Vec::new());
        }
        ["COMMIT"] | ["DDL"] => {
            committed.extend(session.open.take().unwrap_or_default());
            session.savepoints.clear();
        }
        ["ROLLBACK"] => {
            session.open = None;
            session.savepoints.clear();
        }
        ["SAVEPOINT", name] => {
            let at = session.open.as_ref().map_or(0, Vec::len);
            session.savepoints.retain(|(other, _)| other != name);
            session.savepoints.push(((*name).to_owned(), at));
        }
        ["ROLLBACK", "TO", "SAVEPOINT", name] => {
            match session.savepoints.iter().position(|(other, _)| other == name) {
                Some(at) => {
                    let length = session.savepoints[at].1;
                    session.savepoints.truncate(at + 1);
                    if let Some(open) = &mut session.open {
                        open.truncate(length);
                    }
                }
                None => failed = Some(1305),
            }
        }
        ["RELEASE", "SAVEPOINT", name] => {
            match session.savepoints.iter().position(|(other, _)| other == name) {
                Some(at) => session.savepoints.truncate(at),
                None => failed = Some(1305),
            }
        }
        ["SET", "TRANSACTION", rest @ ..] => session.next_transaction = Some(rest.join(" ")),
        ["SET", ..] | ["CREATE", "TEMPORARY", ..] => session.is_dirty = true,
        ["SELECT", "INFO", .., id] => {
            let running = id.parse().ok().and_then(|id: u64| world.running.get(&id));
            rows = Some(running.cloned().into_iter().collect());
        }
        ["KILL", id] => match id.parse().ok().and_then(|id: u64| world.running.remove(&id)) {
            Some(_) => world.killed += 1,
            None => failed = Some(1094),
        },
        ["BAD", ..] => failed = Some(1064),
        _ => {}
    }
    let mut answer = answer(session, rows);
    if let Some(code) = failed {
        answer.result = Err(code);
    }
    world.committed.extend(committed);
    answer
}

impl Session for ScriptedSession {
    fn status(&self) -> &SessionStatus {
        &self.status
    }

    fn abandoned(&self) -> Option<Abandoned> {
        self.head.map(|statement| Abandoned {
            connection_id: self.id,
            server: Arc::clone(&self.status.server),
            since: Instant::now(),
            is_direct: false,
            statement,
        })
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn mark_dirty(&mut self) {
        self.status.dirty = true;
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.statement(sql, deadline).await
    }

    async fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        _: &[P],
        deadline: Instant,
    ) -> Result<()> {
        if statement.session() != self.id {
            return Err(Error::ForeignStatement);
        }
        let sql = statement.sql().to_owned();
        self.statement(&sql, deadline).await
    }

    async fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        let statement = self.prepare(sql, deadline).await?;
        self.start_execute(&statement, parameters, deadline).await?;
        Ok(statement)
    }

    async fn prepare(&mut self, sql: &str, deadline: Instant) -> Result<Statement> {
        self.discard_results(deadline).await?;
        let answered = self.exchange(Point::Prepare, sql, deadline, |world, id| {
            answer(world.sessions.entry(id).or_default(), None)
        });
        if let Err(code) = answered.await?.result {
            return Err(ServerError::new(code, None, "scripted").into());
        }
        let none = || Arc::new(Columns::new(Vec::new()));
        Ok(Statement::new(self.id, 1, sql, none(), none()))
    }

    fn close_statement(&mut self, _: &Statement) {}

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.columns.as_ref()
    }

    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        if self.status.broken {
            return Err(Error::Broken);
        }
        if self.rows.is_empty() {
            self.status.pending_results = false;
            return Ok(None);
        }
        self.status.broken = true;
        match self.server.behaviour(Step { point: Point::Fetch, session: self.id, sql: "" }) {
            Behaviour::LostBefore | Behaviour::LostAfter => {
                self.server.half(0).await;
                return Err(Error::Lost {
                    during: "fetch",
                    source: std::io::ErrorKind::ConnectionReset.into(),
                });
            }
            Behaviour::Never => {
                self.server.half(0).await;
                sleep_until(self.deadline).await;
                return Err(Error::Timeout { during: "fetch" });
            }
            Behaviour::Fail(code) => {
                self.server.half(0).await;
                fail(&mut self.server.world.lock(), self.id, code);
                self.status.last_error = Some(code);
                self.status.broken = false;
                self.rows.clear();
                self.status.pending_results = false;
                return Err(ServerError::new(code, None, "scripted").into());
            }
            Behaviour::Slow(polls) => self.server.half(polls).await,
            Behaviour::Usual => self.server.half(0).await,
        }
        self.status.broken = false;
        let value = self.rows.pop_front().unwrap_or_default();
        self.current = vec![Value::String(value)];
        Ok(self.columns.as_ref().map(|columns| RowRef::from_values(columns, &self.current)))
    }

    async fn next_result(&mut self) -> Result<bool> {
        while self.next_row().await?.is_some() {}
        Ok(false)
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    async fn discard_results(&mut self, deadline: Instant) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.status.broken = true;
        let behaviour = self.server.behaviour(Step { point: Point::Discard, session: self.id, sql: "" });
        self.server.half(if let Behaviour::Slow(polls) = behaviour { polls } else { 0 }).await;
        match behaviour {
            Behaviour::Never => {
                sleep_until(deadline).await;
                Err(Error::Timeout { during: "discard" })
            }
            Behaviour::Fail(code) => {
                // Nobody wants the rows, so nobody is told of their end.
                fail(&mut self.server.world.lock(), self.id, code);
                self.status.last_error = Some(code);
                self.status.broken = false;
                self.status.pending_results = false;
                self.rows.clear();
                Ok(())
            }
            Behaviour::Usual | Behaviour::Slow(_) => {
                self.status.broken = false;
                self.status.pending_results = false;
                self.rows.clear();
                Ok(())
            }
            _ => Err(Error::Lost { during: "discard", source: std::io::ErrorKind::ConnectionReset.into() }),
        }
    }

    async fn ping(&mut self, deadline: Instant) -> Result<()> {
        let work = |world: &mut World, id: u64| {
            world.pings += 1;
            answer(world.sessions.entry(id).or_default(), None)
        };
        let answered = self.exchange(Point::Ping, "", deadline, work).await?;
        answered.result.map(drop).map_err(|code| ServerError::new(code, None, "scripted").into())
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        self.discard_results(deadline).await?;
        let work = |world: &mut World, id: u64| {
            world.resets += 1;
            let session = world.sessions.entry(id).or_default();
            let wire = std::mem::take(&mut session.wire);
            *session = ServerSession { wire, ..ServerSession::default() };
            answer(session, None)
        };
        let answered = self.exchange(Point::Reset, "", deadline, work).await?;
        match answered.result {
            Ok(_) => {
                self.status.dirty = false;
                Ok(())
            }
            Err(code) => Err(ServerError::new(code, None, "scripted").into()),
        }
    }

    async fn close(self, deadline: Instant) {
        let behaviour = self.server.behaviour(Step { point: Point::Close, session: self.id, sql: "" });
        self.server.half(0).await;
        if behaviour == Behaviour::Never {
            sleep_until(deadline).await;
        }
        self.server.world.lock().goodbyes += 1;
    }
}
