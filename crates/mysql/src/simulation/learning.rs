//! A driver that answers from a journal, and asks a real server for what is missing.
//!
//! A request that the journal answers never leaves the program. For any other one, a connection is made to the
//! real server, the whole answer is read, written to the journal and given out as a recording; the next run
//! needs no server for it.
//!
//! What is answered from the journal is not done on the server. So a session that opened a transaction there stays
//! there until it has ended, and a request that is asked of the server within a replayed transaction begins
//! one there first. Learning is for reads and for tests that bring their own data; it is no way to write.

use super::convert::server_to_tape;
use super::recording::{Recorder, RecordingSession};
use super::replaying::{ReplayingDriver, ReplayingSession, taped};
use super::{Journal, Mode, NoAnswer, Redaction, operation};
use crate::column::Columns;
use crate::driver::{Credential, Driver, Endpoint, Results, Session, SessionStatus, Statement, Summary};
use crate::error::{Error, Result};
use crate::row::RowRef;
use crate::value::{ToValue, Value};
use rustydb_simulation::exchange::{Exchange, Request};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::time::Instant;

/// A driver that answers from a journal and learns what is missing. Clones share the journal.
pub struct LearningDriver<D> {
    replay: ReplayingDriver,
    live: Arc<D>,
    recorder: Recorder,
}

impl<D> Clone for LearningDriver<D> {
    fn clone(&self) -> Self {
        LearningDriver {
            replay: self.replay.clone(),
            live: Arc::clone(&self.live),
            recorder: self.recorder.clone(),
        }
    }
}

impl<D> fmt::Debug for LearningDriver<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearningDriver").field("recorder", &self.recorder).finish_non_exhaustive()
    }
}

impl<D: Driver> LearningDriver<D> {
    /// Answers from the journal at `path`, which is created where there is none, and asks `live` for the rest.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the journal cannot be read or written.
    pub fn open(path: &Path, live: D, redaction: Redaction) -> Result<LearningDriver<D>> {
        let (journal, recorder) = match path.exists() {
            true => {
                let journal = Journal::open(path).map_err(super::recording::refused)?;
                let recorder = Recorder::append_to(path, &journal, redaction)?;
                (journal, recorder)
            }
            false => {
                let recorder = Recorder::create(path, redaction)?;
                (Journal::open(path).map_err(super::recording::refused)?, recorder)
            }
        };
        let replay = ReplayingDriver::over(Mode::Learning, journal)?;
        Ok(LearningDriver { replay, live: Arc::new(live), recorder })
    }

    /// Where new exchanges go.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl<D: Driver> Driver for LearningDriver<D> {
    type Session = LearningSession<D>;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<LearningSession<D>> {
        let mut real = Real {
            driver: Arc::clone(&self.live),
            recorder: self.recorder.clone(),
            endpoint: endpoint.clone(),
            credential: credential.clone(),
            session: None,
        };
        // The first connection of all tells what the server is.
        if self.replay.server(endpoint.name()).is_none() {
            let metadata = server_to_tape(real.connected(deadline).await?.status());
            let request = Request::new(operation::CONNECT, "", &[]).to(endpoint.name());
            let exchange = Exchange { metadata, ..Exchange::of(request) };
            self.learn(exchange);
        }
        let replay = self.replay.connect(endpoint, credential, deadline).await?;
        Ok(LearningSession { replay, tape: self.replay.clone(), real })
    }
}

impl<D> LearningDriver<D> {
    fn learn(&self, exchange: Exchange) {
        self.recorder.record(exchange.clone());
        if let Some(tape) = self.replay.tape() {
            tape.learn(exchange);
        }
    }
}

/// The way to the real server, made when it is first needed.
struct Real<D: Driver> {
    driver: Arc<D>,
    recorder: Recorder,
    endpoint: Endpoint,
    credential: Credential,
    session: Option<RecordingSession<D::Session>>,
}

impl<D: Driver> Real<D> {
    async fn connected(&mut self, deadline: Instant) -> Result<&mut RecordingSession<D::Session>> {
        let session = match self.session.take().filter(|session| !session.status().broken) {
            Some(session) => session,
            None => {
                let session = self.driver.connect(&self.endpoint, &self.credential, deadline).await?;
                RecordingSession::keeping(session, self.endpoint.name().clone(), self.recorder.limit())
            }
        };
        Ok(self.session.insert(session))
    }

    fn in_transaction(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.status().in_transaction)
    }

    /// The whole answer to a request.
    async fn ask<P: ToValue + Sync>(
        &mut self,
        request: Asked<'_, P>,
        in_transaction: bool,
        deadline: Instant,
    ) -> Result<Exchange> {
        let session = self.connected(deadline).await?;
        if in_transaction && !session.status().in_transaction {
            session.run("BEGIN", deadline).await?;
        }
        let outcome = read_all(session, request, deadline).await;
        match (session.take_last(), outcome) {
            (Some(exchange), _) => Ok(exchange),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::Broken),
        }
    }
}

/// What is asked of the real server.
enum Asked<'a, P> {
    Query(&'a str),
    Execute(&'a str, &'a [P]),
}

async fn read_all<S: Session, P: ToValue + Sync>(
    session: &mut RecordingSession<S>,
    asked: Asked<'_, P>,
    deadline: Instant,
) -> Result<()> {
    let statement = match asked {
        Asked::Query(sql) => {
            session.start_query(sql, deadline).await?;
            None
        }
        Asked::Execute(sql, parameters) => {
            Some(session.start_prepare_execute(sql, parameters, deadline).await?)
        }
    };
    let read = Results::of(session).finish().await;
    if let Some(statement) = &statement {
        session.close_statement(statement);
    }
    read.map(drop)
}

/// A session that answers from a journal and learns what is missing.
pub struct LearningSession<D: Driver> {
    replay: ReplayingSession,
    tape: ReplayingDriver,
    real: Real<D>,
}

impl<D: Driver> fmt::Debug for LearningSession<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearningSession").field("replay", &self.replay).finish_non_exhaustive()
    }
}

/// Whether the journal has nothing, and the server may be asked.
fn is_missing(error: &Error) -> bool {
    matches!(error, Error::NoAnswer(why) if matches!(**why, NoAnswer::Recording(_)))
}

impl<D: Driver> LearningSession<D> {
    async fn start<P: ToValue + Sync>(&mut self, asked: Asked<'_, P>, deadline: Instant) -> Result<()> {
        if !self.real.in_transaction() {
            let answered = match &asked {
                Asked::Query(sql) => self.replay.start(operation::QUERY, sql, &[], deadline).await,
                Asked::Execute(sql, parameters) => {
                    self.replay.start(operation::EXECUTE, sql, &taped(parameters), deadline).await
                }
            };
            match answered {
                Err(error) if is_missing(&error) => {}
                answered => return answered,
            }
        }
        let in_transaction = self.replay.status().in_transaction;
        let exchange = self.real.ask(asked, in_transaction, deadline).await?;
        self.real.recorder.record(exchange.clone());
        if let Some(tape) = self.tape.tape() {
            tape.learn(exchange.clone());
        }
        self.replay.play(Arc::new(exchange), None)
    }
}

impl<D: Driver> Session for LearningSession<D> {
    fn status(&self) -> &SessionStatus {
        self.replay.status()
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.replay.set_deadline(deadline);
    }

    fn mark_dirty(&mut self) {
        self.replay.mark_dirty();
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.start(Asked::<Value>::Query(sql), deadline).await
    }

    async fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<()> {
        self.replay.check(statement, parameters.len())?;
        self.start(Asked::Execute(statement.sql(), parameters), deadline).await
    }

    async fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        let statement = self.replay.prepare(sql, deadline).await?;
        self.start_execute(&statement, parameters, deadline).await?;
        Ok(statement)
    }

    async fn prepare(&mut self, sql: &str, deadline: Instant) -> Result<Statement> {
        self.replay.prepare(sql, deadline).await
    }

    fn close_statement(&mut self, statement: &Statement) {
        self.replay.close_statement(statement);
    }

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.replay.columns()
    }

    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        self.replay.next_row().await
    }

    async fn next_result(&mut self) -> Result<bool> {
        self.replay.next_result().await
    }

    fn summary(&self) -> &Summary {
        self.replay.summary()
    }

    async fn discard_results(&mut self, deadline: Instant) -> Result<()> {
        self.replay.discard_results(deadline).await
    }

    async fn ping(&mut self, deadline: Instant) -> Result<()> {
        self.replay.ping(deadline).await
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        if let Some(session) = &mut self.real.session {
            session.reset(deadline).await?;
        }
        self.replay.reset(deadline).await
    }

    async fn close(self, deadline: Instant) {
        if let Some(session) = self.real.session {
            session.close(deadline).await;
        }
        self.replay.close(deadline).await;
    }
}
