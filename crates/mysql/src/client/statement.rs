//! Running a statement, and when it may be run again.

use super::{Client, RowStream, Shared};
use crate::column::Columns;
use crate::driver::{Driver, Results, Session, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::observe;
use crate::replicas::{Checkout, ServedBy};
use crate::request;
use crate::resilience::ByKind;
use crate::routing::{Access, Decision, SessionPin, StatementClass, Target};
use crate::row::{FromRow, Row};
use crate::transaction::TransactionOptions;
use crate::value::{NO_PARAMETERS, ToValue, Value};
use crate::within::within;
use rustydb_resilience::{Retry, RetryPolicy, Schedule};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{Instrument, Span};

/// What a statement did.
pub type ExecuteResult = Summary;

/// All rows of a statement, read.
#[derive(Debug, Clone)]
pub struct ResultSet {
    columns: Arc<Columns>,
    rows: Vec<Row>,
    summary: Summary,
}

impl ResultSet {
    /// Its columns.
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// Its rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Its rows, taken out.
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How the statement ended.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Its rows read as `T`s.
    ///
    /// # Errors
    /// Where a row cannot be read as a `T`.
    pub fn read<T: for<'r> FromRow<'r>>(&self) -> Result<Vec<T>> {
        self.rows.iter().map(Row::read).collect()
    }
}

/// A statement that was prepared once, to see that it can be; each connection that executes it prepares it
/// for itself and keeps it.
#[derive(Debug, Clone)]
pub struct PreparedStatement {
    sql: Arc<str>,
    parameters: Arc<Columns>,
}

impl PreparedStatement {
    /// Its text.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Its parameters.
    pub fn parameters(&self) -> &Arc<Columns> {
        &self.parameters
    }
}

/// When a statement may be run again.
struct Again {
    /// It only reads
    reads: bool,
}

impl RetryPolicy<Error> for Again {
    fn schedule(&self, error: &Error) -> Option<Schedule> {
        if error.is_read_only_server() {
            // The server did nothing, and is no primary any more: the next one is asked.
            return Some(Schedule::once());
        }
        let nothing_happened = matches!(
            error.kind(),
            ErrorKind::Deadlock
                | ErrorKind::LockWait
                | ErrorKind::TooManyConnections
                | ErrorKind::StatementStale
        ) || matches!(error, Error::Gone | Error::Acquire(_));
        if self.reads || nothing_happened { ByKind.schedule(error) } else { None }
    }
}

impl<D: Driver + Clone> Client<D> {
    /// Runs a statement to its end and says what it did.
    ///
    /// # Errors
    /// As the server has them; [`Error::UnknownOutcome`] when the connection of a write was lost.
    pub async fn execute<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<ExecuteResult> {
        self.execute_served(sql, parameters).await.map(|(done, _)| done)
    }

    /// As [`execute`](Self::execute), and who served it.
    pub(super) async fn execute_served<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> Result<(ExecuteResult, ServedBy)> {
        self.observed(sql, parameters, |decision: Decision, span: Span| async move {
            let (mut checkout, begin) = self.start(sql, parameters, decision, &span).await?;
            let outcome = Results::of(&mut **checkout.connection()).finish().await;
            let done = self.shared.learn(&mut checkout, begin, sql, decision, outcome)?;
            Ok((done, checkout.served_by()))
        })
        .await
    }

    /// Runs a statement and gives all its rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn query<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<ResultSet> {
        self.query_served(sql, parameters).await.map(|(rows, _)| rows)
    }

    /// As [`query`](Self::query), and who served it.
    pub(super) async fn query_served<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> Result<(ResultSet, ServedBy)> {
        self.observed(sql, parameters, |decision: Decision, span: Span| async move {
            let (mut checkout, begin) = self.start(sql, parameters, decision, &span).await?;
            let outcome = read_all(&mut **checkout.connection()).await;
            let rows = self.shared.learn(&mut checkout, begin, sql, decision, outcome)?;
            Ok((rows, checkout.served_by()))
        })
        .await
    }

    /// Runs a statement and gives its first row.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn query_one<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<Option<Row>> {
        self.query_one_served(sql, parameters).await.map(|(row, _)| row)
    }

    /// As [`query_one`](Self::query_one), and who served it.
    pub(super) async fn query_one_served<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> Result<(Option<Row>, ServedBy)> {
        self.observed(sql, parameters, |decision: Decision, span: Span| async move {
            let (mut checkout, begin) = self.start(sql, parameters, decision, &span).await?;
            let outcome = Results::of(&mut **checkout.connection()).first::<Row>().await;
            let row = self.shared.learn(&mut checkout, begin, sql, decision, outcome)?;
            Ok((row, checkout.served_by()))
        })
        .await
    }

    /// Runs a statement and gives its rows as they come. The connection is held until the stream is dropped.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn query_stream<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<RowStream<D>> {
        self.observed(sql, parameters, |decision: Decision, span: Span| async move {
            let (checkout, _) = self.start(sql, parameters, decision, &span).await?;
            Ok(RowStream::new(checkout, self.shared.config.limits))
        })
        .await
    }

    /// Runs statements one after the other in one transaction: all of them, or none.
    ///
    /// # Errors
    /// The first that fails; [`Error::BatchTooLarge`] when there are more than the limit.
    pub async fn execute_batch(&self, statements: &[(&str, &[Value])]) -> Result<Vec<ExecuteResult>> {
        self.shared.guards.check_batch(statements.len())?;
        for (sql, _) in statements {
            self.shared.guards.check(sql, self.shared.router.classify(sql))?;
        }
        self.with_transaction(TransactionOptions::default(), |mut transaction| async move {
            let mut done = Vec::with_capacity(statements.len());
            for (sql, parameters) in statements {
                done.push(transaction.execute(sql, parameters).await?);
            }
            Ok(done)
        })
        .await
    }

    /// Sees that a statement can be prepared.
    ///
    /// # Errors
    /// As the server has them.
    pub async fn prepare(&self, sql: &str) -> Result<PreparedStatement> {
        self.observed(sql, NO_PARAMETERS, |decision: Decision, span: Span| async move {
            let mut checkout = self.checkout(decision).await?;
            observe::note_server(&span, checkout.member().name());
            let begin = Instant::now();
            let deadline = begin + self.shared.config.limits.query_timeout;
            let prepared = checkout.connection().prepare(sql, deadline).await;
            if let Ok(statement) = &prepared {
                checkout.connection().close_statement(statement);
            }
            let outcome = prepared.map(|statement| PreparedStatement {
                sql: sql.into(),
                parameters: Arc::clone(statement.parameters()),
            });
            checkout.observe(begin.elapsed(), &outcome);
            outcome
        })
        .await
    }

    /// Executes a prepared statement and gives all its rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and [`Error::Parameters`].
    pub async fn execute_prepared<P: ToValue + Sync>(
        &self,
        statement: &PreparedStatement,
        parameters: &[P],
    ) -> Result<ResultSet> {
        let (expected, given) = (statement.parameters.len(), parameters.len());
        if expected != given {
            return Err(Error::Parameters { expected, given });
        }
        self.query(&statement.sql, parameters).await
    }

    /// Guards, routes, runs, and runs again; measures all of it.
    async fn observed<P, T, F, Fut>(&self, sql: &str, parameters: &[P], attempt: F) -> Result<T>
    where
        P: ToValue,
        F: Fn(Decision, Span) -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let shared = &self.shared;
        let begin = Instant::now();
        let class = shared.router.classify(sql);
        let span = shared.span(class, sql);
        // Its server is named once it is known.
        let unnamed = if shared.only_server.is_none() { span.clone() } else { Span::none() };
        let work = async {
            shared.guards.check(sql, class)?;
            let policy = Again { reads: class.access == Access::Read };
            let decide = || {
                let _span = tracing::debug_span!("mysql.router.decide").entered();
                shared.router.decide(sql, SessionPin::FREE)
            };
            Retry::new(&policy).budget(&shared.budget).run(|_| attempt(decide(), unnamed.clone())).await
        };
        let mut work = std::pin::pin!(within(span, work));
        let outcome = work.as_mut().await;
        let (span, error) = (work.span(), outcome.as_ref().err());
        shared.ended(class, span, sql, parameters, begin.elapsed(), error);
        if let Some(error) = error {
            observe::note_error(span, error);
        }
        outcome
    }

    async fn checkout(&self, decision: Decision) -> Result<Checkout<D>> {
        let deadline = self.acquire_deadline();
        match decision.target {
            Target::Primary => self.shared.cluster.primary(deadline).await,
            Target::Replica => self.shared.cluster.reader(self.token(), deadline).await,
        }
    }

    /// Sends a statement to the server that it belongs to and reads the head of its answer.
    async fn start<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
        decision: Decision,
        span: &Span,
    ) -> Result<(Checkout<D>, Instant)> {
        let mut checkout = self.checkout(decision).await?;
        let begin = Instant::now();
        let deadline = begin + self.shared.config.limits.query_timeout;
        let server = checkout.member().name();
        observe::note_server(span, server);
        let span = tracing::debug_span!("mysql.connection.execute", %server);
        let session = &mut **checkout.connection();
        match request::start(session, sql, parameters, deadline).instrument(span).await {
            Ok(()) => Ok((checkout, begin)),
            Err(error) => self.shared.learn(&mut checkout, begin, sql, decision, Err(error)),
        }
    }
}

impl<D: Driver + Clone> Shared<D> {
    /// The span that a statement runs in.
    pub(super) fn span(&self, class: StatementClass, sql: &str) -> tracing::Span {
        if !self.config.observe {
            return tracing::Span::none();
        }
        let (database, server) = (self.config.database.as_deref(), self.only_server.as_deref());
        observe::query_span(class, database, server, || self.router.shape(sql))
    }

    /// Measures a statement that ended, and keeps it if it was slow.
    pub(super) fn ended<P: ToValue>(
        &self,
        class: StatementClass,
        span: &tracing::Span,
        sql: &str,
        parameters: &[P],
        time: Duration,
        error: Option<&Error>,
    ) {
        if self.config.observe {
            self.metrics.statement(class, time, error, self.config.limits.slow_query);
        }
        if time >= self.slow_log.threshold() {
            span.in_scope(|| self.slow_log.observe(&self.guards, sql, parameters, time));
        }
    }

    /// Learns from an outcome, and says what it means for a write that was lost.
    pub(super) fn learn<T>(
        &self,
        checkout: &mut Checkout<D>,
        begin: Instant,
        sql: &str,
        decision: Decision,
        outcome: Result<T>,
    ) -> Result<T> {
        checkout.observe(begin.elapsed(), &outcome);
        outcome.map_err(|error| {
            let writes = decision.class.access == Access::Write;
            match error {
                Error::Lost { .. } | Error::Timeout { .. } | Error::Protocol { .. } if writes => {
                    Error::UnknownOutcome { during: "a write", source: Box::new(error) }
                }
                error => {
                    if !writes && error.kind() == ErrorKind::ReadOnly {
                        // A replica knows better than the text: the next try goes to the primary.
                        self.router.learn_write(sql);
                    }
                    error
                }
            }
        })
    }
}

/// Reads all rows of the first result, and the rest of the request without keeping it.
pub(super) async fn read_all<S: Session>(session: &mut S) -> Result<ResultSet> {
    let span = tracing::debug_span!("mysql.result.parse");
    async {
        let mut results = Results::of(session);
        let columns = results.columns().cloned().unwrap_or_default();
        let rows = results.owned_rows().await?;
        let summary = results.finish().await?;
        Ok(ResultSet { columns, rows, summary })
    }
    .instrument(span)
    .await
}
