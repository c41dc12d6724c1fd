//! A session with a statement cache beside it.

use super::cache::{CacheStats, StatementCache};
use crate::column::Columns;
use crate::driver::{Credential, Driver, Endpoint, Results, Session, SessionStatus, Statement, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::kill::Abandoned;
use crate::row::RowRef;
use crate::value::ToValue;
use std::sync::Arc;
use tokio::time::Instant;

/// The server does not know the statement.
const UNKNOWN_STATEMENT: u16 = 1243;

/// Gives the sessions of another driver a statement cache.
#[derive(Debug, Clone)]
pub struct CachingDriver<D> {
    inner: D,
    capacity: usize,
}

impl<D> CachingDriver<D> {
    /// With room for `capacity` statements beside each session; 0 prepares every statement anew.
    pub fn new(inner: D, capacity: usize) -> CachingDriver<D> {
        CachingDriver { inner, capacity }
    }

    /// The driver that makes the sessions.
    pub fn inner(&self) -> &D {
        &self.inner
    }
}

impl<D: Driver> Driver for CachingDriver<D> {
    type Session = CachedSession<D::Session>;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<Self::Session> {
        let session = self.inner.connect(endpoint, credential, deadline).await?;
        Ok(CachedSession { session, cache: StatementCache::new(self.capacity) })
    }
}

/// A session with a statement cache beside it.
#[derive(Debug)]
pub struct CachedSession<S> {
    session: S,
    cache: StatementCache,
}

impl<S: Session> CachedSession<S> {
    /// What the cache has seen.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.stats()
    }

    /// The session itself.
    pub fn inner(&mut self) -> &mut S {
        &mut self.session
    }

    /// Forgets the statement with this text, here and at the server.
    pub fn invalidate(&mut self, sql: &str) {
        if let Some(statement) = self.cache.invalidate(sql) {
            self.session.close_statement(&statement);
        }
    }

    /// Prepares a statement, if the cache does not have it.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub async fn prepare_cached(&mut self, sql: &str, deadline: Instant) -> Result<Statement> {
        if let Some(statement) = self.cache.get(sql) {
            return Ok(statement);
        }
        let statement = self.session.prepare(sql, deadline).await?;
        self.keep(statement.clone());
        Ok(statement)
    }

    /// Executes a statement by its text.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub async fn execute_cached<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Results<'_, S>> {
        if let Some(statement) = self.cache.get(sql) {
            match self.session.start_execute(&statement, parameters, deadline).await {
                Ok(()) => return Ok(Results::of(&mut self.session)),
                Err(error) if is_stale(&error) && !self.session.status().broken => self.invalidate(sql),
                Err(error) => return Err(error),
            }
        }
        let statement = self.session.start_prepare_execute(sql, parameters, deadline).await?;
        self.keep(statement);
        Ok(Results::of(&mut self.session))
    }

    fn keep(&mut self, statement: Statement) {
        if let Some(given_up) = self.cache.insert(statement) {
            self.session.close_statement(&given_up);
        }
    }
}

/// Whether the server has to be given the statement again. It has executed nothing then.
fn is_stale(error: &Error) -> bool {
    let unknown = error.server().is_some_and(|error| error.code() == UNKNOWN_STATEMENT);
    unknown || error.kind() == ErrorKind::StatementStale
}

impl<S: Session> Session for CachedSession<S> {
    #[inline]
    fn status(&self) -> &SessionStatus {
        self.session.status()
    }

    fn is_alive(&mut self) -> bool {
        self.session.is_alive()
    }

    fn abandoned(&self) -> Option<Abandoned> {
        self.session.abandoned()
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.session.set_deadline(deadline);
    }

    fn mark_dirty(&mut self) {
        self.session.mark_dirty();
    }

    fn start_query(&mut self, sql: &str, deadline: Instant) -> impl Future<Output = Result<()>> + Send {
        self.session.start_query(sql, deadline)
    }

    fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<()>> + Send {
        self.session.start_execute(statement, parameters, deadline)
    }

    fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<Statement>> + Send {
        self.session.start_prepare_execute(sql, parameters, deadline)
    }

    async fn start_by_text<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<()> {
        self.execute_cached(sql, parameters, deadline).await.map(drop)
    }

    fn prepare(&mut self, sql: &str, deadline: Instant) -> impl Future<Output = Result<Statement>> + Send {
        self.session.prepare(sql, deadline)
    }

    fn close_statement(&mut self, statement: &Statement) {
        self.session.close_statement(statement);
    }

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.session.columns()
    }

    fn next_row(&mut self) -> impl Future<Output = Result<Option<RowRef<'_>>>> + Send {
        self.session.next_row()
    }

    fn next_result(&mut self) -> impl Future<Output = Result<bool>> + Send {
        self.session.next_result()
    }

    fn summary(&self) -> &Summary {
        self.session.summary()
    }

    fn discard_results(&mut self, deadline: Instant) -> impl Future<Output = Result<()>> + Send {
        self.session.discard_results(deadline)
    }

    fn ping(&mut self, deadline: Instant) -> impl Future<Output = Result<()>> + Send {
        self.session.ping(deadline)
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        // The server forgets the statements, whether the answer arrives or not.
        self.cache.clear();
        self.session.reset(deadline).await
    }

    fn close(self, deadline: Instant) -> impl Future<Output = ()> + Send {
        self.session.close(deadline)
    }
}
