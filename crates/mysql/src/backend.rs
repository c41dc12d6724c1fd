//! What stands behind a client: a server, a recording of one, a replay.
//!
//! [`Backend`] is the one driver that the client is built on, so that a client has no type parameter and a
//! program changes from a server to a replay by its configuration alone. It passes every request on to the
//! driver inside; a session of a server is held in place, the others behind a box, because they are the rare
//! ones.

use crate::column::Columns;
use crate::connection::{Connection, ServerDriver};
use crate::driver::{Credential, Driver, Endpoint, Session, SessionStatus, Statement, Summary};
use crate::error::Result;
use crate::kill::Abandoned;
use crate::row::RowRef;
use crate::simulation::{
    LearningDriver, LearningSession, RecordingDriver, RecordingSession, ReplayingDriver, ReplayingSession,
};
use crate::value::ToValue;
use std::sync::Arc;
use tokio::time::Instant;

/// What stands behind a client. Cloning it is cheap.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Backend {
    /// Servers over the network.
    Server(ServerDriver),
    /// The same, and what is said is written down.
    Recording(Box<RecordingDriver<ServerDriver>>),
    /// A journal, or a double written by hand. No server, no network.
    Replaying(Box<ReplayingDriver>),
    /// A journal, and servers for what it lacks.
    Learning(Box<LearningDriver<ServerDriver>>),
}

impl From<ServerDriver> for Backend {
    fn from(driver: ServerDriver) -> Backend {
        Backend::Server(driver)
    }
}

impl From<RecordingDriver<ServerDriver>> for Backend {
    fn from(driver: RecordingDriver<ServerDriver>) -> Backend {
        Backend::Recording(Box::new(driver))
    }
}

impl From<ReplayingDriver> for Backend {
    fn from(driver: ReplayingDriver) -> Backend {
        Backend::Replaying(Box::new(driver))
    }
}

impl From<LearningDriver<ServerDriver>> for Backend {
    fn from(driver: LearningDriver<ServerDriver>) -> Backend {
        Backend::Learning(Box::new(driver))
    }
}

/// A session of a [`Backend`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the common one is held in place, the rare ones in boxes")]
#[non_exhaustive]
pub enum BackendSession {
    /// A connection to a server.
    Server(Connection),
    /// A connection whose exchanges are written down.
    Recording(Box<RecordingSession<Connection>>),
    /// A session of a replay.
    Replaying(Box<ReplayingSession>),
    /// A session of a replay that learns.
    Learning(Box<LearningSession<ServerDriver>>),
}

impl Driver for Backend {
    type Session = BackendSession;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<BackendSession> {
        Ok(match self {
            Backend::Server(driver) => {
                BackendSession::Server(driver.connect(endpoint, credential, deadline).await?)
            }
            Backend::Recording(driver) => {
                BackendSession::Recording(Box::new(driver.connect(endpoint, credential, deadline).await?))
            }
            Backend::Replaying(driver) => {
                BackendSession::Replaying(Box::new(driver.connect(endpoint, credential, deadline).await?))
            }
            Backend::Learning(driver) => {
                BackendSession::Learning(Box::new(driver.connect(endpoint, credential, deadline).await?))
            }
        })
    }
}

/// The same call on whichever session it is.
macro_rules! each {
    ($session:expr, $inner:ident => $call:expr) => {
        match $session {
            BackendSession::Server($inner) => $call,
            BackendSession::Recording($inner) => $call,
            BackendSession::Replaying($inner) => $call,
            BackendSession::Learning($inner) => $call,
        }
    };
}

impl Session for BackendSession {
    #[inline]
    fn status(&self) -> &SessionStatus {
        each!(self, session => session.status())
    }

    fn is_alive(&mut self) -> bool {
        each!(self, session => session.is_alive())
    }

    #[inline]
    fn abandoned(&self) -> Option<Abandoned> {
        each!(self, session => session.abandoned())
    }

    fn set_deadline(&mut self, deadline: Instant) {
        each!(self, session => session.set_deadline(deadline))
    }

    fn mark_dirty(&mut self) {
        each!(self, session => session.mark_dirty())
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        each!(self, session => session.start_query(sql, deadline).await)
    }

    async fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<()> {
        each!(self, session => session.start_execute(statement, parameters, deadline).await)
    }

    async fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        each!(self, session => session.start_prepare_execute(sql, parameters, deadline).await)
    }

    async fn prepare(&mut self, sql: &str, deadline: Instant) -> Result<Statement> {
        each!(self, session => session.prepare(sql, deadline).await)
    }

    fn close_statement(&mut self, statement: &Statement) {
        each!(self, session => session.close_statement(statement))
    }

    #[inline]
    fn columns(&self) -> Option<&Arc<Columns>> {
        each!(self, session => session.columns())
    }

    #[inline]
    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        each!(self, session => session.next_row().await)
    }

    async fn next_result(&mut self) -> Result<bool> {
        each!(self, session => session.next_result().await)
    }

    #[inline]
    fn summary(&self) -> &Summary {
        each!(self, session => session.summary())
    }

    async fn discard_results(&mut self, deadline: Instant) -> Result<()> {
        each!(self, session => session.discard_results(deadline).await)
    }

    async fn ping(&mut self, deadline: Instant) -> Result<()> {
        each!(self, session => session.ping(deadline).await)
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        each!(self, session => session.reset(deadline).await)
    }

    async fn close(self, deadline: Instant) {
        each!(self, session => session.close(deadline).await)
    }
}
