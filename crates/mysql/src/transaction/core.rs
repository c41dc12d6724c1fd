//! An open transaction: its connection, how far it is, and what its statements did to it.

use super::options::{AccessMode, TransactionOptions};
use super::state::{Progress, TransactionState};
use super::{Held, SessionOf, quoted};
use crate::driver::{Driver, Results, Session, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::pool::PooledConnection;
use crate::request;
use crate::value::ToValue;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;

/// How a transaction ended that a deadlock met.
const DEADLOCK: &str = "rolled back by the server, to end a deadlock";

/// What a [`Transaction`](super::Transaction) owns, or lends to a closure.
pub(super) struct Core<H: Held> {
    pub(super) held: H,
    pub(super) progress: Progress,
    pub(super) options: TransactionOptions,
    /// Time of one statement
    statement_timeout: Duration,
    pub(super) begun: Instant,
    /// What failed last, with nothing that succeeded since
    pub(super) last_failure: Option<ErrorKind>,
    /// The depth of the outermost scope that was dropped half way
    pub(super) abandoned: Option<usize>,
}

impl<H: Held> Core<H> {
    pub(super) async fn begin(
        mut held: H,
        options: TransactionOptions,
        statement_timeout: Duration,
    ) -> Result<Box<Core<H>>> {
        let begun = Instant::now();
        let timeout = options.statement_timeout.unwrap_or(statement_timeout);
        let span = tracing::debug_span!("mysql.connection.begin");
        let outcome = start(held.connection(), &options, begun + timeout).instrument(span).await;
        held.observe(begun.elapsed(), &outcome);
        outcome?;
        let mut progress = Progress::default();
        progress.began();
        Ok(Box::new(Core {
            held,
            progress,
            options,
            statement_timeout: timeout,
            begun,
            last_failure: None,
            abandoned: None,
        }))
    }

    pub(super) async fn query<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
    ) -> Result<Results<'_, SessionOf<H>>> {
        self.ready().await?;
        let span = self.held.admit(sql)?;
        let begin = Instant::now();
        let deadline = begin + self.statement_timeout;
        let mut session = self.held.connection().request();
        let outcome = request::start(&mut *session, sql, parameters, deadline).instrument(span.clone()).await;
        drop(session);
        self.held.observe_statement(sql, parameters, &span, begin.elapsed(), &outcome);
        self.note(&outcome);
        outcome?;
        Ok(Results::of(self.held.connection()))
    }

    pub(super) async fn execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
    ) -> Result<Summary> {
        self.ready().await?;
        let span = self.held.admit(sql)?;
        let begin = Instant::now();
        let deadline = begin + self.statement_timeout;
        let mut session = self.held.connection().request();
        let work = async {
            request::start(&mut *session, sql, parameters, deadline).await?;
            Results::of(&mut *session).finish().await
        };
        let outcome = work.instrument(span.clone()).await;
        drop(session);
        self.held.observe_statement(sql, parameters, &span, begin.elapsed(), &outcome);
        self.note(&outcome);
        outcome
    }

    pub(super) async fn savepoint(&mut self, name: &str) -> Result<()> {
        self.ready().await?;
        self.command(&format!("SAVEPOINT {}", quoted(name))).await?;
        self.progress.saved(name);
        Ok(())
    }

    pub(super) async fn rollback_to_savepoint(&mut self, name: &str) -> Result<()> {
        self.ready().await?;
        self.command(&format!("ROLLBACK TO SAVEPOINT {}", quoted(name))).await?;
        self.progress.rolled_back_to(name);
        Ok(())
    }

    pub(super) async fn release_savepoint(&mut self, name: &str) -> Result<()> {
        self.ready().await?;
        self.command(&format!("RELEASE SAVEPOINT {}", quoted(name))).await?;
        self.progress.released(name);
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.ready().await?;
        self.progress.committing();
        let span = tracing::debug_span!("mysql.connection.commit");
        let outcome = self.command("COMMIT").instrument(span).await;
        match outcome {
            Ok(()) => {
                self.progress.committed();
                Ok(())
            }
            Err(error) => {
                self.progress.failed();
                let read_only = self.options.access == Some(AccessMode::ReadOnly);
                if !read_only && leaves_outcome_unknown(&error) {
                    Err(Error::UnknownOutcome { during: "COMMIT", source: Box::new(error) })
                } else {
                    Err(error)
                }
            }
        }
    }

    pub(super) async fn rollback(&mut self) -> Result<()> {
        let status = self.held.connection().status();
        if !status.broken && !status.in_transaction && !status.pending_results {
            // The server did it already.
            self.progress.rolled_back();
            return Ok(());
        }
        self.progress.rolling_back();
        let span = tracing::debug_span!("mysql.connection.rollback");
        let outcome = self.command("ROLLBACK").instrument(span).await;
        match outcome {
            Ok(()) => {
                self.progress.rolled_back();
                Ok(())
            }
            Err(error) => {
                self.progress.failed();
                Err(error)
            }
        }
    }

    /// Sees that the transaction is still open, and undoes scopes that were dropped half way.
    async fn ready(&mut self) -> Result<()> {
        self.is_open()?;
        if self.held.connection().status().pending_results {
            // Only behind the rows that nobody read it is known whether the transaction outlived them.
            let deadline = Instant::now() + self.statement_timeout;
            let read = self.held.connection().request().discard_results(deadline).await;
            self.note(&read);
            read?;
            self.is_open()?;
        }
        self.undo_abandoned().await
    }

    /// What failed last, with nothing that succeeded since: also where it failed behind rows that were given out.
    pub(super) fn seen(&mut self) -> Option<ErrorKind> {
        let late = self.held.connection().status().last_error.map(ErrorKind::of_code);
        self.last_failure = self.last_failure.or(late);
        self.last_failure
    }

    /// Undoes the outermost scope that was dropped half way, and with it those within.
    pub(super) async fn undo_abandoned(&mut self) -> Result<()> {
        let Some(depth) = self.abandoned else { return Ok(()) };
        self.is_open()?;
        if let Some(name) = self.progress.savepoints().get(depth).cloned() {
            self.command(&format!("ROLLBACK TO SAVEPOINT {}", quoted(&name))).await?;
            self.command(&format!("RELEASE SAVEPOINT {}", quoted(&name))).await?;
            self.progress.released(&name);
        }
        self.abandoned = None;
        Ok(())
    }

    fn is_open(&mut self) -> Result<()> {
        let ended = |how| Err(Error::TransactionEnded { how });
        if !self.progress.state().is_open() {
            return match self.last_failure {
                Some(ErrorKind::Deadlock) => ended(DEADLOCK),
                _ => ended(self.progress.state().name()),
            };
        }
        let status = self.held.connection().status();
        if status.broken {
            self.progress.failed();
            return ended("lost with its connection");
        }
        if status.last_error.map(ErrorKind::of_code) == Some(ErrorKind::Deadlock) {
            // Behind rows: whoever read them was told, but the transaction is gone for all.
            self.progress.failed();
            self.last_failure = Some(ErrorKind::Deadlock);
            return ended(DEADLOCK);
        }
        if !status.in_transaction && !status.pending_results {
            self.progress.failed();
            return ended("ended by a statement that commits implicitly, or by the server");
        }
        Ok(())
    }

    /// Runs a statement of the transaction itself.
    async fn command(&mut self, sql: &str) -> Result<()> {
        let begin = Instant::now();
        let deadline = begin + self.statement_timeout;
        let outcome = self.held.connection().request().run(sql, deadline).await.map(drop);
        self.held.observe(begin.elapsed(), &outcome);
        self.note(&outcome);
        outcome
    }

    /// Learns from a statement's outcome.
    fn note<T>(&mut self, outcome: &Result<T>) {
        match outcome {
            Ok(_) => self.last_failure = None,
            Err(error) => {
                let kind = error.kind();
                self.last_failure = Some(kind);
                // A deadlock rolls the whole transaction back; answers with errors do not say so.
                if kind == ErrorKind::Deadlock || error.breaks_session() {
                    self.progress.failed();
                }
            }
        }
    }
}

impl<H: Held> Drop for Core<H> {
    fn drop(&mut self) {
        let committed = self.progress.state() == TransactionState::Committed;
        self.held.ended(committed, self.begun.elapsed());
    }
}

/// Starts a transaction. When this is dropped or fails half way, the connection is reset before its next
/// use: SET TRANSACTION counts for the next transaction, whoever begins it.
async fn start<D: Driver>(
    connection: &mut PooledConnection<D>,
    options: &TransactionOptions,
    deadline: Instant,
) -> Result<()> {
    if let Some(sql) = options.set_statement() {
        connection.reset_on_return();
        connection.run(&sql, deadline).await?;
    }
    connection.run(&options.start_statement(), deadline).await?;
    connection.keep_on_return();
    Ok(())
}

/// Whether a COMMIT that ended so may have happened: its answer was lost, or the server was going down.
fn leaves_outcome_unknown(error: &Error) -> bool {
    match error {
        Error::Lost { .. } | Error::Timeout { .. } | Error::Protocol { .. } => true,
        Error::Server(server) => server.ends_session(),
        _ => false,
    }
}
