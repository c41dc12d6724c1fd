//! A driver that answers from a journal, or from responses written by hand. No server, no network.
//!
//! ```text
//! request -> fault script -> tape or responses -> timing -> rows, one by one -> end, or the recorded failure
//!                               | nothing there
//!                               +-> Error::NoAnswer with the nearest recordings
//! ```
//!
//! What is not looked up: connecting (the journal's word about the server, else MySQL 8.4), preparing (a
//! statement is prepared by counting its placeholders, unless the journal says that it could not be), pings,
//! resets, and `KILL`, whose number only a server knows. A fault script is asked about all of them.
//!
//! A replayed session keeps the driver's rules: one deadline for a request, broken when a request is dropped in
//! the middle, transactions and GTIDs as the journal tells them; where it does not, `BEGIN`, `COMMIT` and
//! the like are followed. Health checks of a topology (`SELECT @@...`, `SHOW REPLICA STATUS`) are answered by
//! their last recording as often as they come.

use super::convert::{
    columns_from_tape, failure_from_tape, from_tape, server_from_tape, status_from_tape, summary_from_tape,
    to_tape,
};
use super::mock::MockState;
use super::recording::refused;
use super::{
    Effect, Failure, FaultScript, Journal, Mode, NoAnswer, Operation, OperationLog, Outcome, QueryPattern,
    SUBJECT, Tape, Timing, operation,
};
use crate::column::{Column, Columns};
use crate::driver::{Credential, Driver, Endpoint, Session, SessionStatus, Statement, Summary};
use crate::error::{Error, Result};
use crate::row::RowRef;
use crate::value::{ToValue, Value};
use rustydb_simulation::exchange::{Attributes, Exchange, Incomplete, Request, ResultSet};
use rustydb_simulation::fault::Faults;
use rustydb_simulation::fingerprint::placeholders;
use rustydb_simulation::miss::{Miss, Reason};
use rustydb_simulation::value::Value as TapeValue;
use rustydb_value::ProtocolType;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Where answers come from.
enum Answers {
    Tape(Tape),
    Responses(Arc<MockState>),
}

/// A driver that answers from a journal. Cloning it is cheap; all clones share the journal.
#[derive(Clone)]
pub struct ReplayingDriver {
    answers: Arc<Answers>,
    faults: Arc<Faults>,
    timing: Timing,
    log: Option<Arc<OperationLog>>,
    connections: Arc<AtomicU64>,
}

impl fmt::Debug for ReplayingDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayingDriver").field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// What a topology asks again and again.
const HEALTH_CHECKS: [&str; 6] = [
    "select @@*",
    "show*replica*status*",
    "show*slave*status*",
    "show*global status*",
    "show*variables*",
    "select*from*replication_group_members*",
];

impl ReplayingDriver {
    /// Answers from a journal on disk. Health checks repeat.
    ///
    /// # Errors
    /// [`Error::Configuration`] when it cannot be read or is of another kind of server.
    pub fn open(path: &Path, mode: Mode) -> Result<ReplayingDriver> {
        ReplayingDriver::over(mode, Journal::open(path).map_err(refused)?)
    }

    /// Answers from a journal. Health checks repeat.
    ///
    /// # Errors
    /// [`Error::Configuration`] when it is of another kind of server.
    pub fn over(mode: Mode, journal: Journal) -> Result<ReplayingDriver> {
        journal.header.expect_subject(SUBJECT).map_err(refused)?;
        let tape = Tape::over(mode, journal);
        let tape = HEALTH_CHECKS.iter().fold(tape, |tape, like| tape.repeating(QueryPattern::like(like)));
        Ok(ReplayingDriver::of(tape))
    }

    /// Answers from a tape, as it is.
    pub fn of(tape: Tape) -> ReplayingDriver {
        ReplayingDriver::answering(Answers::Tape(tape))
    }

    /// Answers from responses written by hand.
    pub(super) fn mock(state: Arc<MockState>) -> ReplayingDriver {
        ReplayingDriver::answering(Answers::Responses(state))
    }

    fn answering(answers: Answers) -> ReplayingDriver {
        ReplayingDriver {
            answers: Arc::new(answers),
            faults: Arc::default(),
            timing: Timing::Immediate,
            log: None,
            connections: Arc::default(),
        }
    }

    /// Lets answers take their time.
    #[must_use]
    pub fn timing(self, timing: Timing) -> ReplayingDriver {
        ReplayingDriver { timing, ..self }
    }

    /// Lets things go wrong as a script says.
    #[must_use]
    pub fn faults(self, script: FaultScript) -> ReplayingDriver {
        ReplayingDriver { faults: Arc::new(Faults::new(script)), ..self }
    }

    /// Notes every request and its outcome.
    #[must_use]
    pub fn logging(self, log: Arc<OperationLog>) -> ReplayingDriver {
        ReplayingDriver { log: Some(log), ..self }
    }

    /// Requests that were recorded and not asked for, without values.
    pub fn unused(&self) -> Vec<String> {
        let Some(tape) = self.tape() else { return Vec::new() };
        let asked = |e: &Arc<Exchange>| e.operation == operation::QUERY || e.operation == operation::EXECUTE;
        let shown =
            |e: Arc<Exchange>| format!("{} {}", e.operation, rustydb_simulation::fingerprint::shape(&e.text));
        tape.unused().into_iter().filter(asked).map(shown).collect()
    }

    pub(super) fn tape(&self) -> Option<&Tape> {
        match &*self.answers {
            Answers::Tape(tape) => Some(tape),
            Answers::Responses(_) => None,
        }
    }

    /// What the journal knows of a server by this name, or of any.
    pub(super) fn server(&self, endpoint: &str) -> Option<Attributes> {
        let connects = self.tape()?.of_operation(operation::CONNECT);
        let good: Vec<_> = connects.into_iter().filter(|exchange| exchange.failure.is_none()).collect();
        let named = good.iter().find(|exchange| exchange.endpoint == endpoint);
        named.or(good.first()).map(|exchange| exchange.metadata.clone())
    }

    fn find(&self, request: Request<'_>, behind: usize) -> Result<Arc<Exchange>> {
        let found = match &*self.answers {
            Answers::Tape(tape) => {
                let answer = tape.answer_behind(request, behind);
                answer.map(|answer| answer.exchange).map_err(NoAnswer::Recording)
            }
            Answers::Responses(state) => state.answer(request).map(Arc::new).map_err(NoAnswer::Response),
        };
        found.map_err(|why| Error::NoAnswer(Box::new(why)))
    }

    /// The answer to a request after whatever happens on the way, and after how many rows it is cut.
    async fn answer(&self, request: Request<'_>, deadline: Instant) -> Result<(Arc<Exchange>, Option<u64>)> {
        let strike = self.faults.strike(request);
        wait(strike.delay, deadline).await?;
        let (exchange, cut) = match strike.effect {
            None => (self.find(request, 0)?, None),
            Some(Effect::Stale(behind)) => (self.find(request, behind)?, None),
            Some(Effect::CutAfterRows(rows)) => (self.find(request, 0)?, Some(rows)),
            Some(Effect::CutAfter) => {
                self.find(request, 0)?;
                return Err(lost("query"));
            }
            Some(effect) => return Err(struck(effect, deadline).await),
        };
        wait(self.timing.delay(exchange.latency), deadline).await?;
        Ok((exchange, cut))
    }

    /// What happens to a request that has no answer of its own: a ping, a reset.
    async fn pass(&self, operation: &str, text: &str, endpoint: &str, deadline: Instant) -> Result<()> {
        let strike = self.faults.strike(Request::new(operation, text, &[]).to(endpoint));
        wait(strike.delay, deadline).await?;
        match strike.effect {
            None | Some(Effect::Stale(_)) => Ok(()),
            Some(Effect::CutAfter | Effect::CutAfterRows(_)) => Err(lost("request")),
            Some(effect) => Err(struck(effect, deadline).await),
        }
    }

    fn note(&self, session: u64, request: Request<'_>, began: Instant, result: Outcome) {
        if let Some(log) = &self.log {
            #[expect(clippy::disallowed_methods, reason = "a date for people who read the log")]
            let now = SystemTime::now();
            let latency = began.elapsed();
            log.push(Operation {
                timestamp: now.checked_sub(latency).unwrap_or(now),
                operation_type: request.operation.to_owned(),
                text: request.text.to_owned(),
                params: request.params.to_vec(),
                result,
                latency,
                session,
                endpoint: request.endpoint.to_owned(),
            });
        }
    }
}

fn lost(during: &'static str) -> Error {
    Error::Lost { during, source: io::Error::from(io::ErrorKind::ConnectionReset) }
}

/// What an effect is that needs no answer.
async fn struck(effect: Effect, deadline: Instant) -> Error {
    match effect {
        Effect::Error { code, state, message } => failure_from_tape(&Failure::server(code, &state, message)),
        Effect::Hang => {
            sleep_until(deadline).await;
            Error::Timeout { during: "query" }
        }
        // Nothing was sent.
        _ => Error::Gone,
    }
}

async fn wait(delay: Duration, deadline: Instant) -> Result<()> {
    match delay.is_zero() {
        true => Ok(()),
        false => {
            let waited = timeout_at(deadline, tokio::time::sleep(delay)).await;
            waited.map_err(|_| Error::Timeout { during: "query" })
        }
    }
}

impl Driver for ReplayingDriver {
    type Session = ReplayingSession;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        _: &Credential,
        deadline: Instant,
    ) -> Result<ReplayingSession> {
        let name = endpoint.name();
        let passed = self.pass(operation::CONNECT, "", name, deadline).await;
        passed.map_err(|error| match error {
            Error::Gone | Error::Lost { .. } => Error::Connect {
                address: endpoint.address().clone(),
                source: Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)),
            },
            other => other,
        })?;
        let connection_id = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let known = self.server(name).unwrap_or_default();
        Ok(ReplayingSession {
            driver: self.clone(),
            endpoint: name.clone(),
            status: server_from_tape(&known, connection_id),
            deadline,
            playing: None,
            columns: None,
            summary: Summary::default(),
            row: Vec::new(),
            statements: 0,
            first_statement: 0,
        })
    }
}

/// A recording that is being given out.
struct Playing {
    exchange: Arc<Exchange>,
    result: usize,
    row: usize,
    /// After so many rows in all the connection is lost
    cut_after: Option<u64>,
    given: u64,
    /// The result under way was given to its end
    ended: bool,
}

/// A session that answers from a journal.
pub struct ReplayingSession {
    driver: ReplayingDriver,
    endpoint: Arc<str>,
    status: SessionStatus,
    deadline: Instant,
    playing: Option<Playing>,
    columns: Option<Arc<Columns>>,
    summary: Summary,
    row: Vec<Value>,
    statements: u32,
    /// Statements before this one are gone
    first_statement: u32,
}

impl fmt::Debug for ReplayingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayingSession").field("id", &self.status.connection_id).finish_non_exhaustive()
    }
}

impl ReplayingSession {
    /// Answers a request up to the head of its first result.
    pub(super) async fn start(
        &mut self,
        operation: &str,
        sql: &str,
        params: &[TapeValue],
        deadline: Instant,
    ) -> Result<()> {
        self.stop();
        self.deadline = deadline;
        if self.status.broken {
            return Err(Error::Broken);
        }
        // Dropped before the answer, the session is of no use any more.
        self.status.broken = true;
        let began = Instant::now();
        let endpoint = Arc::clone(&self.endpoint);
        let request = Request::new(operation, sql, params).to(&endpoint);
        let driver = self.driver.clone();
        let answer = match first_word(sql).eq_ignore_ascii_case("kill") {
            true => {
                let passed = driver.pass(operation, sql, &endpoint, deadline).await;
                passed.map(|()| (Arc::new(Exchange::of(request)), None))
            }
            false => driver.answer(request, deadline).await,
        };
        let played = answer.and_then(|(exchange, cut_after)| self.play(exchange, cut_after));
        if let Err(error) = &played {
            self.status.broken = error.breaks_session();
        } else {
            self.status.broken = false;
        }
        driver.note(
            self.status.connection_id,
            request,
            began,
            outcome(&played, self.playing.as_ref(), &self.summary),
        );
        played
    }

    /// Begins to give a recording out.
    pub(super) fn play(&mut self, exchange: Arc<Exchange>, cut_after: Option<u64>) -> Result<()> {
        self.stop();
        self.status.broken = false;
        if exchange.incomplete == Some(Incomplete::TooLarge) {
            return Err(incomplete(&exchange, Incomplete::TooLarge));
        }
        if !status_from_tape(&exchange.metadata, &mut self.status) {
            follow(&exchange, &mut self.status);
        }
        if exchange.results.is_empty()
            && let Some(failure) = &exchange.failure
        {
            let error = failure_from_tape(failure);
            self.status.broken = error.breaks_session();
            return Err(error);
        }
        self.playing = Some(Playing { exchange, result: 0, row: 0, cut_after, given: 0, ended: false });
        self.open_result();
        Ok(())
    }

    fn open_result(&mut self) {
        self.columns = None;
        self.summary = Summary::default();
        let Some(playing) = &mut self.playing else { return };
        playing.ended = false;
        match playing.exchange.results.get(playing.result) {
            Some(result) if !result.columns.is_empty() => {
                self.columns = Some(columns_from_tape(result));
                self.status.pending_results = true;
            }
            _ => self.end_result(),
        }
    }

    fn end_result(&mut self) {
        let Some(playing) = &mut self.playing else { return };
        playing.ended = true;
        if let Some(ResultSet { summary, .. }) = playing.exchange.results.get(playing.result) {
            self.summary = summary_from_tape(summary);
        }
        let last = playing.result + 1 >= playing.exchange.results.len();
        self.status.pending_results = !(last && playing.exchange.failure.is_none());
    }

    /// Goes on to the next row, if there is one.
    fn advance(&mut self) -> bool {
        let Some(playing) = &mut self.playing else { return false };
        let cut = playing.cut_after.is_some_and(|cut| playing.given >= cut);
        let result = playing.exchange.results.get(playing.result).filter(|_| !cut && !playing.ended);
        let Some(row) = result.and_then(|result| result.rows.get(playing.row)) else { return false };
        self.row.clear();
        self.row.extend(row.iter().map(from_tape));
        playing.row += 1;
        playing.given += 1;
        true
    }

    /// What comes behind the last row: the end, the recorded failure, the fault script's cut.
    fn end_of_rows(&mut self) -> Result<()> {
        let Some(playing) = &self.playing else { return Ok(()) };
        if playing.ended {
            return Ok(());
        }
        let exchange = Arc::clone(&playing.exchange);
        let last = playing.result + 1 >= exchange.results.len();
        let error = match (&exchange.failure, exchange.incomplete) {
            _ if playing.cut_after.is_some() => Some(lost("rows")),
            (Some(failure), _) if last => Some(failure_from_tape(failure)),
            (None, Some(reason)) if last => Some(incomplete(&exchange, reason)),
            _ => None,
        };
        match error {
            Some(error) => {
                self.stop();
                self.status.broken = error.breaks_session();
                Err(error)
            }
            None => {
                self.end_result();
                Ok(())
            }
        }
    }

    fn stop(&mut self) {
        self.playing = None;
        self.columns = None;
        self.status.pending_results = false;
    }

    fn statement(&mut self, sql: &str) -> Statement {
        self.statements += 1;
        let parameters = (0..placeholders(sql)).map(|_| Column::simple("?", ProtocolType::VarString));
        let parameters = Arc::new(Columns::new(parameters.collect()));
        Statement::new(self.status.connection_id, self.statements, sql, parameters, Arc::default())
    }

    pub(super) fn check(&self, statement: &Statement, given: usize) -> Result<()> {
        let expected = statement.parameters().len();
        if statement.session() != self.status.connection_id || statement.id() <= self.first_statement {
            return Err(Error::ForeignStatement);
        }
        match expected == given {
            true => Ok(()),
            false => Err(Error::Parameters { expected, given }),
        }
    }
}

fn incomplete(exchange: &Exchange, reason: Incomplete) -> Error {
    let miss = Miss::of(exchange.request(), Reason::Incomplete(reason));
    Error::NoAnswer(Box::new(NoAnswer::Recording(Box::new(miss))))
}

fn outcome(played: &Result<()>, playing: Option<&Playing>, summary: &Summary) -> Outcome {
    match (played, playing.and_then(|playing| playing.exchange.results.first())) {
        (Err(error), _) => {
            let code = error.code().map_or(0, i64::from);
            let kind = error.kind().as_str().to_owned();
            Outcome::Failed(Failure { kind, code, state: String::new(), message: error.to_string() })
        }
        (Ok(()), Some(result)) if !result.columns.is_empty() => Outcome::Rows(result.rows.len() as u64),
        (Ok(()), _) => Outcome::Done(summary.affected_rows),
    }
}

/// The parameters of a request as a journal has them.
pub(super) fn taped<P: ToValue>(parameters: &[P]) -> Vec<TapeValue> {
    parameters.iter().map(|value| to_tape(value.to_value())).collect()
}

fn first_word(sql: &str) -> &str {
    sql.trim_start().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
}

/// Where a statement leads, by its words: for journals and responses that do not say it.
fn follow(exchange: &Exchange, status: &mut SessionStatus) {
    let text = exchange.text.trim_start().to_lowercase();
    let begins = |words: &str| {
        text.split_whitespace().zip(words.split(' ')).all(|(a, b)| a.trim_end_matches(';') == b)
    };
    if let Some(failure) = &exchange.failure {
        // A deadlock rolls the whole transaction back.
        status.in_transaction &= failure.code != 1213;
        return;
    }
    if begins("begin") || begins("start transaction") {
        status.in_transaction = true;
        status.read_only_transaction = text.contains("read only");
    } else if begins("commit") || (begins("rollback") && !text.contains(" to ")) {
        (status.in_transaction, status.read_only_transaction) = (false, false);
    } else if begins("set") && !begins("set transaction") {
        status.dirty = true;
    } else if begins("use") {
        let name = text.trim_start_matches("use").trim_matches([' ', '`', ';']);
        (status.dirty, status.schema) = (true, Some(name.into()));
    }
}

impl Session for ReplayingSession {
    fn status(&self) -> &SessionStatus {
        &self.status
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn mark_dirty(&mut self) {
        self.status.dirty = true;
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.start(operation::QUERY, sql, &[], deadline).await
    }

    async fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<()> {
        self.check(statement, parameters.len())?;
        let params = taped(parameters);
        self.start(operation::EXECUTE, statement.sql(), &params, deadline).await?;
        if let Some(columns) = &self.columns {
            statement.set_columns(columns);
        }
        Ok(())
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
        self.stop();
        if self.status.broken {
            return Err(Error::Broken);
        }
        self.status.broken = true;
        let endpoint = Arc::clone(&self.endpoint);
        let passed = self.driver.pass(operation::PREPARE, sql, &endpoint, deadline).await;
        let refused = || {
            let known =
                self.driver.tape()?.last_of(Request::new(operation::PREPARE, sql, &[]).to(&endpoint))?;
            known.failure.as_ref().map(failure_from_tape)
        };
        let failed = passed.err().or_else(refused);
        self.status.broken = failed.as_ref().is_some_and(Error::breaks_session);
        match failed {
            Some(error) => Err(error),
            None => Ok(self.statement(sql)),
        }
    }

    fn close_statement(&mut self, _: &Statement) {}

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.columns.as_ref()
    }

    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        if !self.advance() {
            self.end_of_rows()?;
            return Ok(None);
        }
        Ok(self.columns.as_ref().map(|columns| RowRef::from_values(columns, &self.row)))
    }

    async fn next_result(&mut self) -> Result<bool> {
        if let Some(playing) = &mut self.playing
            && let Some(result) = playing.exchange.results.get(playing.result)
        {
            playing.row = result.rows.len();
        }
        self.end_of_rows()?;
        let Some(playing) = &mut self.playing else { return Ok(false) };
        if playing.result + 1 < playing.exchange.results.len() {
            playing.result += 1;
            playing.row = 0;
            self.open_result();
            return Ok(true);
        }
        let failure = playing.exchange.failure.as_ref().map(failure_from_tape);
        self.status.pending_results = false;
        self.playing = None;
        match failure {
            Some(error) => {
                self.stop();
                self.status.broken = error.breaks_session();
                Err(error)
            }
            None => Ok(false),
        }
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    async fn discard_results(&mut self, _: Instant) -> Result<()> {
        self.stop();
        match self.status.broken {
            true => Err(Error::Broken),
            false => Ok(()),
        }
    }

    async fn ping(&mut self, deadline: Instant) -> Result<()> {
        self.plain(operation::PING, deadline).await
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        self.plain(operation::RESET, deadline).await?;
        let status = &mut self.status;
        (status.dirty, status.in_transaction, status.read_only_transaction) = (false, false, false);
        status.autocommit = true;
        self.first_statement = self.statements;
        Ok(())
    }

    async fn close(self, _: Instant) {}
}

impl ReplayingSession {
    async fn plain(&mut self, operation: &str, deadline: Instant) -> Result<()> {
        self.stop();
        if self.status.broken {
            return Err(Error::Broken);
        }
        self.status.broken = true;
        let passed = self.driver.pass(operation, "", &self.endpoint, deadline).await;
        self.status.broken = passed.as_ref().err().is_some_and(Error::breaks_session);
        passed
    }
}
