//! A driver that writes down what goes through it.
//!
//! A [`RecordingDriver`] stands before another driver and passes everything on; each session keeps the exchange
//! under way and hands it to the [`Recorder`] when it has ended: read to its end, failed, or given up by whoever
//! read it (then it is noted as incomplete, and a replay stops where the reading stopped). A session that is
//! dropped in the middle of a request hands over what it has.
//!
//! Costs: rows are copied as they pass, up to the journal's limit of one exchange; one write to a file for each
//! request, from the task that made it. A recording that cannot be written does not disturb the program: what
//! was lost is counted ([`Recorder::lost`]).

use super::convert::{
    column_to_tape, failure_to_tape, server_to_tape, status_to_tape, summary_to_tape, to_tape,
};
use super::{Limits, SUBJECT, operation};
use crate::column::Columns;
use crate::driver::{Credential, Driver, Endpoint, Session, SessionStatus, Statement, Summary};
use crate::error::{Error, Result};
use crate::kill::Abandoned;
use crate::row::RowRef;
use crate::value::{NO_PARAMETERS, ToValue, Value};
use parking_lot::Mutex;
use rustydb_simulation::exchange::{Exchange, Incomplete, Request, ResultSet};
use rustydb_simulation::fingerprint::Fingerprint;
use rustydb_simulation::journal::{Header, Journal, JournalWriter};
use rustydb_simulation::redaction::{Level, Redaction};
use rustydb_simulation::value::Value as TapeValue;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Where exchanges go. Cloning it is cheap; all clones write one journal.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    writer: JournalWriter,
    hides_values: bool,
    began: Instant,
    sessions: AtomicU64,
    last_error: Mutex<Option<rustydb_simulation::Error>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("path", &self.writer.path()).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Creates a journal at `path`, which must not exist. [`Redaction::values`] hides every value,
    /// [`Redaction::secrets`] keeps what has to be replayed byte by byte.
    ///
    /// # Errors
    /// [`Error::Configuration`] with what the file system said.
    pub fn create(path: &Path, redaction: Redaction) -> Result<Recorder> {
        Recorder::create_within(path, redaction, Limits::default())
    }

    /// As [`create`](Self::create), with limits of its own.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_within(path: &Path, redaction: Redaction, limits: Limits) -> Result<Recorder> {
        #[expect(clippy::disallowed_methods, reason = "a date for people who read the journal")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let hides_values = redaction.level() == Level::Values;
        let header = Header::new(SUBJECT).at(now);
        let writer = JournalWriter::create(path, header, redaction, limits).map_err(refused)?;
        Ok(Recorder::over(writer, hides_values))
    }

    /// Goes on with a journal that was read from `path`.
    ///
    /// # Errors
    /// [`Error::Configuration`] with what the file system said.
    pub fn append_to(path: &Path, journal: &Journal, redaction: Redaction) -> Result<Recorder> {
        journal.header.expect_subject(SUBJECT).map_err(refused)?;
        let hides_values = redaction.level() == Level::Values;
        let writer =
            JournalWriter::append_to(path, journal, redaction, Limits::default()).map_err(refused)?;
        Ok(Recorder::over(writer, hides_values))
    }

    fn over(writer: JournalWriter, hides_values: bool) -> Recorder {
        let shared = Shared {
            writer,
            hides_values,
            began: Instant::now(),
            sessions: AtomicU64::new(0),
            last_error: Mutex::new(None),
        };
        Recorder { shared: Arc::new(shared) }
    }

    /// A driver that writes down what goes through it.
    pub fn driver<D: Driver>(&self, inner: D) -> RecordingDriver<D> {
        RecordingDriver { inner, recorder: self.clone() }
    }

    /// How many exchanges were written.
    pub fn written(&self) -> u64 {
        // The header of a new journal is no exchange.
        self.shared.writer.counts().0.saturating_sub(1)
    }

    /// How many could not be written.
    pub fn lost(&self) -> u64 {
        self.shared.writer.counts().1
    }

    /// Why the last one that was lost could not be written.
    pub fn last_error(&self) -> Option<String> {
        self.shared.last_error.lock().as_ref().map(ToString::to_string)
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// [`Error::Configuration`] with what the file system said.
    pub fn sync(&self) -> Result<()> {
        self.shared.writer.sync().map_err(refused)
    }

    /// What an exchange may take.
    pub(super) fn limit(&self) -> usize {
        self.shared.writer.limits().exchange
    }

    pub(super) fn record(&self, exchange: Exchange) {
        if let Err(error) = self.shared.writer.append(exchange) {
            *self.shared.last_error.lock() = Some(error);
        }
    }
}

pub(super) fn refused(error: rustydb_simulation::Error) -> Error {
    Error::Configuration(error.to_string())
}

/// A driver that writes down what goes through it. Clones write the same journal.
#[derive(Debug, Clone)]
pub struct RecordingDriver<D> {
    inner: D,
    recorder: Recorder,
}

impl<D> RecordingDriver<D> {
    /// The driver behind it.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// Where its exchanges go.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl<D: Driver> Driver for RecordingDriver<D> {
    type Session = RecordingSession<D::Session>;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<RecordingSession<D::Session>> {
        let shared = &self.recorder.shared;
        let began = Instant::now();
        let connected = self.inner.connect(endpoint, credential, deadline).await;
        let request = Request::new(operation::CONNECT, "", &[]).to(endpoint.name());
        let mut exchange = Exchange::of(request);
        exchange.session = shared.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        exchange.at = began - shared.began.min(began);
        exchange.latency = began.elapsed();
        match &connected {
            Ok(session) => exchange.metadata = server_to_tape(session.status()),
            Err(error) => exchange.failure = failure_to_tape(error, shared.hides_values),
        }
        let number = exchange.session;
        self.recorder.record(exchange);
        let track = Track {
            sink: Sink::Recorder(self.recorder.clone()),
            session: number,
            endpoint: endpoint.name().clone(),
            current: None,
        };
        Ok(RecordingSession { inner: connected?, track, row: Vec::new() })
    }
}

/// Where a session's exchanges go.
enum Sink {
    Recorder(Recorder),
    /// To whoever asked for just this one: learning looks at it first.
    Kept {
        limit: usize,
        last: Option<Box<Exchange>>,
    },
}

impl Sink {
    fn limit(&self) -> usize {
        match self {
            Sink::Recorder(recorder) => recorder.shared.writer.limits().exchange,
            Sink::Kept { limit, .. } => *limit,
        }
    }

    fn hides_values(&self) -> bool {
        match self {
            Sink::Recorder(recorder) => recorder.shared.hides_values,
            Sink::Kept { .. } => false,
        }
    }

    fn began(&self) -> Option<Instant> {
        match self {
            Sink::Recorder(recorder) => Some(recorder.shared.began),
            Sink::Kept { .. } => None,
        }
    }

    fn take(&mut self, exchange: Exchange) {
        match self {
            Sink::Recorder(recorder) => recorder.record(exchange),
            Sink::Kept { last, .. } => *last = Some(Box::new(exchange)),
        }
    }
}

/// An exchange under way.
struct Current {
    exchange: Exchange,
    began: Instant,
    size: usize,
    /// The result under way was read to its end
    ended: bool,
    /// Rows were passed over, which a replay cannot know
    skipped: bool,
}

/// What a session has under way, and where it goes; dropped in the middle, it hands over what it has.
struct Track {
    sink: Sink,
    session: u64,
    endpoint: Arc<str>,
    current: Option<Current>,
}

impl Drop for Track {
    fn drop(&mut self) {
        self.finish(None);
    }
}

impl Track {
    fn begin<P: ToValue>(&mut self, operation: &str, sql: &str, parameters: &[P]) {
        let params: Vec<TapeValue> = parameters.iter().map(|value| to_tape(value.to_value())).collect();
        let mut exchange = Exchange::of(Request::new(operation, sql, &params).to(&self.endpoint));
        let began = Instant::now();
        exchange.session = self.session;
        exchange.fingerprint = Some(Fingerprint::of(sql));
        exchange.at = self.sink.began().map_or(Duration::ZERO, |start| began - start.min(began));
        // Until it ends, it is what it is if the session ends here.
        exchange.incomplete = Some(Incomplete::Abandoned);
        let size = exchange.size();
        self.current = Some(Current { exchange, began, size, ended: false, skipped: false });
    }

    fn open_result(&mut self, columns: Option<&Arc<Columns>>) {
        if let Some(current) = &mut self.current {
            let columns = columns.map(|columns| columns.as_slice().iter().map(column_to_tape).collect());
            let result = ResultSet { columns: columns.unwrap_or_default(), ..ResultSet::default() };
            current.size += result.size();
            current.skipped |= !current.ended && !current.exchange.results.is_empty();
            current.ended = false;
            current.exchange.results.push(result);
        }
    }

    fn row(&mut self, values: &[Value]) {
        let limit = self.sink.limit();
        if let Some(current) = &mut self.current
            && let Some(result) = current.exchange.results.last_mut()
            && current.size <= limit
        {
            let row: Vec<TapeValue> = values.iter().map(|value| to_tape(value.as_ref())).collect();
            current.size += row.iter().map(|value| value.size() + 1).sum::<usize>() + 3;
            result.rows.push(row);
        }
    }

    /// Notes how the result under way ended, and hands over behind the last one.
    fn end_result(&mut self, summary: &Summary, status: &SessionStatus) {
        if let Some(current) = &mut self.current {
            if let Some(result) = current.exchange.results.last_mut() {
                result.summary = summary_to_tape(summary);
            }
            current.ended = true;
            if !status.pending_results {
                if !current.skipped {
                    current.exchange.incomplete = None;
                }
                self.finish(Some(status));
            }
        }
    }

    /// Notes a failure and hands over. What never reached the server is not an exchange.
    fn fail(&mut self, error: &Error, status: &SessionStatus) {
        match (failure_to_tape(error, self.sink.hides_values()), &mut self.current) {
            (Some(failure), Some(current)) => {
                current.exchange.failure = Some(failure);
                current.exchange.incomplete = None;
                self.finish(Some(status));
            }
            _ => self.current = None,
        }
    }

    fn finish(&mut self, status: Option<&SessionStatus>) {
        if let Some(Current { mut exchange, size, .. }) = self.current.take() {
            exchange.metadata = status.map(status_to_tape).unwrap_or_default();
            if size > self.sink.limit() {
                exchange.results.clear();
                exchange.incomplete = Some(Incomplete::TooLarge);
            }
            self.sink.take(exchange);
        }
    }
}

/// A session that writes down what goes through it.
pub struct RecordingSession<S> {
    inner: S,
    track: Track,
    /// The row that was read last
    row: Vec<Value>,
}

impl<S> fmt::Debug for RecordingSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingSession").field("session", &self.track.session).finish_non_exhaustive()
    }
}

impl<S: Session> RecordingSession<S> {
    /// A session whose exchanges are kept for whoever asks, one at a time.
    pub(super) fn keeping(inner: S, endpoint: Arc<str>, limit: usize) -> RecordingSession<S> {
        let sink = Sink::Kept { limit, last: None };
        RecordingSession {
            inner,
            track: Track { sink, session: 0, endpoint, current: None },
            row: Vec::new(),
        }
    }

    /// The exchange that was kept last.
    pub(super) fn take_last(&mut self) -> Option<Exchange> {
        self.hand_over();
        match &mut self.track.sink {
            Sink::Kept { last, .. } => last.take().map(|exchange| *exchange),
            Sink::Recorder(_) => None,
        }
    }

    /// The session behind it.
    pub(super) fn into_inner(mut self) -> S {
        self.hand_over();
        self.inner
    }

    /// Hands over what is under way, as far as it came.
    fn hand_over(&mut self) {
        self.track.finish(Some(self.inner.status()));
    }

    /// Notes the head of the first answer.
    fn head<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if let Some(current) = &mut self.track.current {
            current.exchange.latency = current.began.elapsed();
        }
        match &outcome {
            Ok(_) => self.open_result(),
            Err(error) => self.track.fail(error, self.inner.status()),
        }
        outcome
    }

    fn open_result(&mut self) {
        self.track.open_result(self.inner.columns());
        if self.inner.columns().is_none() {
            self.track.end_result(self.inner.summary(), self.inner.status());
        }
    }
}

impl<S: Session> Session for RecordingSession<S> {
    fn status(&self) -> &SessionStatus {
        self.inner.status()
    }

    fn abandoned(&self) -> Option<Abandoned> {
        self.inner.abandoned()
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.inner.set_deadline(deadline);
    }

    fn mark_dirty(&mut self) {
        self.inner.mark_dirty();
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.hand_over();
        self.track.begin(operation::QUERY, sql, NO_PARAMETERS);
        let outcome = self.inner.start_query(sql, deadline).await;
        self.head(outcome)
    }

    async fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<()> {
        self.hand_over();
        self.track.begin(operation::EXECUTE, statement.sql(), parameters);
        let outcome = self.inner.start_execute(statement, parameters, deadline).await;
        self.head(outcome)
    }

    async fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        self.hand_over();
        self.track.begin(operation::EXECUTE, sql, parameters);
        let outcome = self.inner.start_prepare_execute(sql, parameters, deadline).await;
        self.head(outcome)
    }

    async fn prepare(&mut self, sql: &str, deadline: Instant) -> Result<Statement> {
        self.hand_over();
        self.track.begin(operation::PREPARE, sql, NO_PARAMETERS);
        let outcome = self.inner.prepare(sql, deadline).await;
        match &outcome {
            // A replay prepares whatever it is given.
            Ok(_) => self.track.current = None,
            Err(error) => self.track.fail(error, self.inner.status()),
        }
        outcome
    }

    fn close_statement(&mut self, statement: &Statement) {
        self.inner.close_statement(statement);
    }

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.inner.columns()
    }

    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        let has_row = match self.inner.next_row().await {
            Ok(Some(row)) => {
                self.row.clear();
                self.row.extend(row.values().map(|value| value.to_owned()));
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.track.fail(&error, self.inner.status());
                return Err(error);
            }
        };
        match self.inner.columns() {
            Some(columns) if has_row => {
                self.track.row(&self.row);
                Ok(Some(RowRef::from_values(columns, &self.row)))
            }
            _ => {
                self.track.end_result(self.inner.summary(), self.inner.status());
                Ok(None)
            }
        }
    }

    async fn next_result(&mut self) -> Result<bool> {
        match self.inner.next_result().await {
            Ok(true) => {
                self.open_result();
                Ok(true)
            }
            Ok(false) => {
                self.hand_over();
                Ok(false)
            }
            Err(error) => {
                self.track.fail(&error, self.inner.status());
                Err(error)
            }
        }
    }

    fn summary(&self) -> &Summary {
        self.inner.summary()
    }

    async fn discard_results(&mut self, deadline: Instant) -> Result<()> {
        self.hand_over();
        self.inner.discard_results(deadline).await
    }

    async fn ping(&mut self, deadline: Instant) -> Result<()> {
        self.hand_over();
        self.inner.ping(deadline).await
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        self.hand_over();
        self.inner.reset(deadline).await
    }

    async fn close(mut self, deadline: Instant) {
        self.hand_over();
        self.inner.close(deadline).await;
    }
}
