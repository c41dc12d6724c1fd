//! A connection that is held: a session of one's own, until it is dropped.
//!
//! Statements run where they are sent, whatever the router would say, and nothing is repeated: what was set
//! on the session is only here. Guards and measures are those of the client.

use super::statement::read_all;
use super::{ExecuteResult, ResultSet, Shared};
use crate::driver::{Driver, Results, Session, SessionStatus};
use crate::error::Result;
use crate::observe;
use crate::pool::{ConnectionState, PooledConnection, UnderWay};
use crate::replicas::{Checkout, ServedBy};
use crate::routing::StatementClass;
use crate::row::Row;
use crate::transaction::Held;
use crate::value::ToValue;
use crate::within::within;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A connection of one server. Dropped it goes back to its pool, and its session is cleaned up there.
#[must_use = "the connection goes back when it is dropped"]
pub struct Connection<D: Driver + Clone> {
    shared: Arc<Shared<D>>,
    checkout: Checkout<D>,
}

impl<D: Driver + Clone> Connection<D> {
    pub(super) fn new(shared: Arc<Shared<D>>, checkout: Checkout<D>) -> Connection<D> {
        Connection { shared, checkout }
    }

    /// Runs a statement to its end and says what it did.
    ///
    /// # Errors
    /// As the server has them.
    pub async fn execute<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<ExecuteResult> {
        let request = self.request(sql);
        let work = async {
            let mut session = self.start(&request, sql, parameters).await?;
            Results::of(&mut *session).finish().await
        };
        let outcome = within(request.span.clone(), work).await;
        self.done(request, sql, parameters, outcome)
    }

    /// Runs a statement and gives all its rows.
    ///
    /// # Errors
    /// As the server has them.
    pub async fn query<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<ResultSet> {
        let request = self.request(sql);
        let work = async {
            let mut session = self.start(&request, sql, parameters).await?;
            read_all(&mut *session).await
        };
        let outcome = within(request.span.clone(), work).await;
        self.done(request, sql, parameters, outcome)
    }

    /// Runs a statement and gives its first row.
    ///
    /// # Errors
    /// As the server has them.
    pub async fn query_one<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<Option<Row>> {
        let request = self.request(sql);
        let work = async {
            let mut session = self.start(&request, sql, parameters).await?;
            Results::of(&mut *session).first().await
        };
        let outcome = within(request.span.clone(), work).await;
        self.done(request, sql, parameters, outcome)
    }

    /// Asks whether the server is alive.
    ///
    /// # Errors
    /// When it is not.
    pub async fn ping(&mut self) -> Result<()> {
        let begin = Instant::now();
        let outcome = self.checkout.ping(begin + self.shared.config.limits.query_timeout).await;
        self.checkout.observe(begin.elapsed(), &outcome);
        outcome
    }

    /// What its session is in.
    pub fn state(&mut self) -> ConnectionState {
        self.checkout.connection().state()
    }

    /// What the last answers said of the session.
    pub fn status(&self) -> &SessionStatus {
        self.checkout.status()
    }

    /// The server that it is of.
    pub fn server(&self) -> &Arc<str> {
        self.checkout.member().name()
    }

    /// Whether that is the primary or a replica, and why.
    pub fn served_by(&self) -> ServedBy {
        self.checkout.served_by()
    }

    /// The session itself. What is done on it is not measured, and not learned from.
    pub fn session(&mut self) -> &mut D::Session {
        self.checkout.connection()
    }

    /// Learns how something ended on the session itself.
    pub(super) fn learn<T>(&mut self, time: Duration, outcome: &Result<T>) {
        self.checkout.observe(time, outcome);
    }

    /// What is known of a statement before it runs.
    fn request(&self, sql: &str) -> Request {
        let class = self.shared.router.classify(sql);
        let span = self.shared.span(class, sql);
        if self.shared.only_server.is_none() {
            observe::note_server(&span, self.checkout.member().name());
        }
        Request { class, span, begin: Instant::now() }
    }

    /// Sends a statement that the guards let through, and reads the head of its answer.
    async fn start<P: ToValue + Sync>(
        &mut self,
        request: &Request,
        sql: &str,
        parameters: &[P],
    ) -> Result<UnderWay<'_, D>> {
        self.shared.guards.check(sql, request.class)?;
        let deadline = request.begin + self.shared.config.limits.query_timeout;
        let mut session = self.checkout.connection().request();
        crate::request::start(&mut *session, sql, parameters, deadline).await?;
        Ok(session)
    }

    /// Measures a statement, and learns from its outcome.
    fn done<T, P: ToValue>(
        &mut self,
        request: Request,
        sql: &str,
        parameters: &[P],
        outcome: Result<T>,
    ) -> Result<T> {
        let (time, error) = (request.begin.elapsed(), outcome.as_ref().err());
        self.shared.ended(request.class, &request.span, sql, parameters, time, error);
        if let Some(error) = error {
            observe::note_error(&request.span, error);
        }
        self.checkout.observe(time, &outcome);
        outcome
    }
}

impl<D: Driver + Clone> Held for Connection<D> {
    type Driver = D;

    fn connection(&mut self) -> &mut PooledConnection<D> {
        self.checkout.connection()
    }

    fn observe<T>(&mut self, time: Duration, outcome: &Result<T>) {
        if let Err(error) = outcome
            && self.shared.config.observe
        {
            self.shared.metrics.error(error.kind());
        }
        self.checkout.observe(time, outcome);
    }

    fn ended(&mut self, committed: bool, time: Duration) {
        if self.shared.config.observe {
            self.shared.metrics.transaction(committed, time);
        }
    }

    fn admit(&mut self, sql: &str) -> Result<tracing::Span> {
        let request = self.request(sql);
        self.shared.guards.check(sql, request.class)?;
        Ok(request.span)
    }

    fn observe_statement<T, P: ToValue>(
        &mut self,
        sql: &str,
        parameters: &[P],
        span: &tracing::Span,
        time: Duration,
        outcome: &Result<T>,
    ) {
        let class = self.shared.router.classify(sql);
        let error = outcome.as_ref().err();
        self.shared.ended(class, span, sql, parameters, time, error);
        if let Some(error) = error {
            observe::note_error(span, error);
        }
        self.checkout.observe(time, outcome);
    }
}

/// A statement under way.
struct Request {
    class: StatementClass,
    span: tracing::Span,
    begin: Instant,
}

impl<D: Driver + Clone> std::fmt::Debug for Connection<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("checkout", &self.checkout).finish_non_exhaustive()
    }
}
