//! The narrow trait between everything in this crate and a server, a recording or a replay.
//!
//! A [`Driver`] makes sessions, a [`Session`] is one connection with its state. A session is used by one task
//! at a time and answers one request at a time:
//!
//! ```text
//! query / execute / ...  ->  Results  -- next_row* -- next_result -- next_row* ... -- finish
//! ```
//!
//! Rules that every implementation keeps, and every user may build on:
//!
//! - **Broken or whole.** A future that is dropped, times out or fails between request and answer leaves
//!   [`SessionStatus::broken`] set, and every later request fails with [`Error::Broken`]. Between rows a
//!   session is whole: a [`Results`] may be dropped early, its rest is then read and thrown away by the next
//!   request or by [`Session::discard_results`].
//! - **Deadlines.** Every request has one; it holds for all waits up to the last row, unless it is moved on by
//!   [`Session::set_deadline`]. A deadline that passes is [`Error::Timeout`] and breaks the session.
//! - **No round trips nobody asked for.** [`Session::status`] is what the last answer said, and closing a
//!   statement waits for the next request's packet.
//! - **State.** [`SessionStatus::dirty`] says that the session may differ from a fresh one (variables, user
//!   variables, temporary tables, default database); it is cleared by [`Session::reset`] alone.
//!
//! Methods that begin with `start_`, `next_` and `columns` are the implementor's side; users take the provided
//! [`Session::query`], [`Session::execute`] and the [`Results`] they give. Futures are `Send`, none is boxed.

use crate::column::Columns;
use crate::connection::state;
use crate::error::{Error, Result};
use crate::kill::Abandoned;
use crate::row::{FromRow, Row, RowRef};
use crate::value::ToValue;
use parking_lot::Mutex;
use secrecy::SecretString;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::time::Instant;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host name or an IP address, and a port.
    Tcp {
        /// Name or address.
        host: Box<str>,
        /// Port; MySQL's is 3306.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// A host and a port.
    pub fn tcp(host: impl Into<Box<str>>, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One server of a topology. Cloning it is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    name: Arc<str>,
    address: Arc<Address>,
}

impl Endpoint {
    /// A server under a name for logs and metrics.
    pub fn new(name: impl Into<Arc<str>>, address: Address) -> Endpoint {
        Endpoint { name: name.into(), address: Arc::new(address) }
    }

    /// Its name in logs and metrics.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Who connects.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The account's name.
    pub user: Arc<str>,
    /// Its password; empty for none.
    pub password: SecretString,
}

impl Credential {
    /// An account and its password.
    pub fn new(user: impl Into<Arc<str>>, password: impl Into<SecretString>) -> Credential {
        Credential { user: user.into(), password: password.into() }
    }
}

/// Makes sessions.
pub trait Driver: Send + Sync + 'static {
    /// Its sessions.
    type Session: Session;

    /// Connects and authenticates, and leaves the session as configuration wants it (default database,
    /// character set, session tracking), with nothing dirty.
    ///
    /// # Errors
    /// Of every class; among them the server's own 1045 and 1040.
    fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Session>> + Send;
}

/// Whose product a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flavor {
    /// MySQL, or one that behaves like it.
    #[default]
    MySql,
    /// MariaDB.
    MariaDb,
    /// RustyDB.
    RustyDb,
}

/// Who the server behind a session is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerIdentity {
    /// Whose product it is.
    pub flavor: Flavor,
    /// The version as it says it: `8.4.6`, `11.8.2-MariaDB-1`.
    pub version: String,
    /// Its major, minor and patch version.
    pub numbers: (u16, u16, u16),
    /// What is unique to this server and stays over a restart: `server_uuid`, or on MariaDB `server_uid`;
    /// none where the server tells neither.
    pub unique_id: Option<String>,
    /// `server_id`.
    pub server_id: Option<u64>,
    /// The name of its machine.
    pub hostname: Option<String>,
    /// The largest packet that it takes.
    pub max_allowed_packet: Option<usize>,
}

/// What the last answers said about a session.
#[derive(Debug, Clone, Default)]
pub struct SessionStatus {
    /// The server behind it.
    pub server: Arc<ServerIdentity>,
    /// The server's number for the connection, by which it is killed.
    pub connection_id: u64,
    /// An exchange was cut: no request can be made any more.
    pub broken: bool,
    /// Rows or results of the last request were not read yet.
    pub pending_results: bool,
    /// A transaction is open.
    pub in_transaction: bool,
    /// The open transaction is READ ONLY.
    pub read_only_transaction: bool,
    /// `autocommit` is on.
    pub autocommit: bool,
    /// The session may differ from a fresh one.
    pub dirty: bool,
    /// Whether the server tells of state changes. Where it does not, every request makes the session dirty.
    pub tracks_state: bool,
    /// `sql_mode` has NO_BACKSLASH_ESCAPES.
    pub no_backslash_escapes: bool,
    /// The GTIDs of the last transaction that this session committed: a set on MySQL and RustyDB, one GTID
    /// on MariaDB.
    pub last_gtid: Option<Arc<str>>,
    /// The server's error by which the last request was answered, also where it came behind rows.
    pub last_error: Option<u16>,
    /// The default database, once a change was told.
    pub schema: Option<Arc<str>>,
}

/// How a statement of a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows inserted, changed or deleted.
    pub affected_rows: u64,
    /// The first value that AUTO_INCREMENT gave out.
    pub last_insert_id: u64,
    /// Warnings of the statement.
    pub warnings: u16,
    /// The server's readable summary (`Rows matched: 1  Changed: 1  Warnings: 0`).
    pub info: Box<str>,
    /// GTIDs that this statement committed.
    pub gtid: Option<Arc<str>>,
}

/// A prepared statement of one session. Cloning it is cheap.
#[derive(Clone)]
pub struct Statement {
    shared: Arc<Prepared>,
}

struct Prepared {
    session: u64,
    id: u32,
    sql: Box<str>,
    leaves_state: bool,
    keeps_numbers: bool,
    parameters: Arc<Columns>,
    /// The columns of the last execution; only ever held for an exchange of the pointer.
    columns: Mutex<Arc<Columns>>,
}

impl Statement {
    /// A statement of the session that calls itself `session`, by the number that it gave it.
    pub fn new(
        session: u64,
        id: u32,
        sql: impl Into<Box<str>>,
        parameters: Arc<Columns>,
        columns: Arc<Columns>,
    ) -> Statement {
        let (sql, columns) = (sql.into(), Mutex::new(columns));
        let (leaves_state, keeps_numbers) = (state::leaves_state(&sql), state::keeps_statement_numbers(&sql));
        let prepared = Prepared { session, id, sql, leaves_state, keeps_numbers, parameters, columns };
        Statement { shared: Arc::new(prepared) }
    }

    /// The session that it belongs to.
    pub fn session(&self) -> u64 {
        self.shared.session
    }

    /// The server's number for it.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Its text.
    pub fn sql(&self) -> &str {
        &self.shared.sql
    }

    /// Its parameters.
    pub fn parameters(&self) -> &Arc<Columns> {
        &self.shared.parameters
    }

    /// The columns of its result, as they were last; none for a statement without a result.
    pub fn columns(&self) -> Arc<Columns> {
        self.shared.columns.lock().clone()
    }

    /// Whether it may leave state behind that servers do not tell of.
    pub(crate) fn leaves_state(&self) -> bool {
        self.shared.leaves_state
    }

    /// Whether it certainly prepares no statement itself.
    pub(crate) fn keeps_numbers(&self) -> bool {
        self.shared.keeps_numbers
    }

    /// Remembers the columns of an execution.
    pub(crate) fn set_columns(&self, columns: &Arc<Columns>) {
        self.shared.columns.lock().clone_from(columns);
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("id", &self.id())
            .field("parameters", &self.parameters().len())
            .finish()
    }
}

/// A connection with its state; see the module's description for the rules.
pub trait Session: Send + Sized + 'static {
    /// What the last answers said.
    fn status(&self) -> &SessionStatus;

    /// Whether it can be used, as far as is known without a round trip: not broken, and the server has not
    /// closed it meanwhile.
    fn is_alive(&mut self) -> bool {
        !self.status().broken
    }

    /// What the server may still be at for this session, should the session be given up now: none where every
    /// request was answered to its end, or the connection was lost.
    fn abandoned(&self) -> Option<Abandoned> {
        None
    }

    /// Moves the deadline of the request under way.
    fn set_deadline(&mut self, deadline: Instant);

    /// Says that the session differs from a fresh one, where the caller knows what the server does not tell.
    fn mark_dirty(&mut self);

    /// Sends statements as text and reads the head of the first answer.
    fn start_query(&mut self, sql: &str, deadline: Instant) -> impl Future<Output = Result<()>> + Send;

    /// Executes a prepared statement and reads the head of the first answer.
    ///
    /// # Errors
    /// [`Error::Parameters`] and [`Error::ForeignStatement`] before anything is sent; 1615 where the server
    /// wants the statement prepared again.
    fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Prepares a statement and executes it, in one round trip where the server allows it, and reads the head
    /// of the first answer.
    fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<Statement>> + Send;

    /// Prepares a statement.
    fn prepare(&mut self, sql: &str, deadline: Instant) -> impl Future<Output = Result<Statement>> + Send;

    /// Forgets a statement. It is told to the server with the next request.
    fn close_statement(&mut self, statement: &Statement);

    /// The columns of the result under way; none where the statement has no result.
    fn columns(&self) -> Option<&Arc<Columns>>;

    /// The next row of the result under way; none behind the last.
    fn next_row(&mut self) -> impl Future<Output = Result<Option<RowRef<'_>>>> + Send;

    /// Goes on to the next result of the request, over rows that were not read; false behind the last.
    fn next_result(&mut self) -> impl Future<Output = Result<bool>> + Send;

    /// How the last statement ended; empty before its end.
    fn summary(&self) -> &Summary;

    /// Reads and throws away what is left of the last request.
    fn discard_results(&mut self, deadline: Instant) -> impl Future<Output = Result<()>> + Send;

    /// Asks whether the server is alive.
    fn ping(&mut self, deadline: Instant) -> impl Future<Output = Result<()>> + Send;

    /// Makes the session as it was when it was connected. Prepared statements are gone.
    fn reset(&mut self, deadline: Instant) -> impl Future<Output = Result<()>> + Send;

    /// Says goodbye and closes. Dropping a session closes it without a word.
    fn close(self, deadline: Instant) -> impl Future<Output = ()> + Send;

    /// Executes a statement by its text, with parameters, and reads the head of the first answer. It is
    /// prepared for that and forgotten; a session with a statement cache keeps it.
    ///
    /// # Errors
    /// As [`start_prepare_execute`](Self::start_prepare_execute).
    fn start_by_text<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let statement = self.start_prepare_execute(sql, parameters, deadline).await?;
            self.close_statement(&statement);
            Ok(())
        }
    }

    /// Sends statements as text.
    fn query(
        &mut self,
        sql: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<Results<'_, Self>>> + Send {
        async move {
            self.start_query(sql, deadline).await?;
            Ok(Results { session: self })
        }
    }

    /// Executes a prepared statement; see [`start_execute`](Self::start_execute).
    fn execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<Results<'_, Self>>> + Send {
        async move {
            self.start_execute(statement, parameters, deadline).await?;
            Ok(Results { session: self })
        }
    }

    /// Prepares a statement and executes it; see [`start_prepare_execute`](Self::start_prepare_execute).
    fn prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> impl Future<Output = Result<(Statement, Results<'_, Self>)>> + Send {
        async move {
            let statement = self.start_prepare_execute(sql, parameters, deadline).await?;
            Ok((statement, Results { session: self }))
        }
    }

    /// Sends statements as text and reads all results to their end: for statements that give no rows.
    fn run(&mut self, sql: &str, deadline: Instant) -> impl Future<Output = Result<Summary>> + Send {
        async move { self.query(sql, deadline).await?.finish().await }
    }
}

/// The results of one request, read one after the other.
#[derive(Debug)]
#[must_use = "results are read by next_row and finish"]
pub struct Results<'s, S: Session> {
    session: &'s mut S,
}

impl<'s, S: Session> Results<'s, S> {
    /// The results of the request that this session has under way.
    pub fn of(session: &'s mut S) -> Results<'s, S> {
        Results { session }
    }

    /// The session.
    pub fn session(&self) -> &S {
        self.session
    }

    /// The columns of the result under way; none where the statement has no result.
    pub fn columns(&self) -> Option<&Arc<Columns>> {
        self.session.columns()
    }

    /// The next row of the result under way; none behind the last.
    ///
    /// # Errors
    /// A failure of the statement after its first rows, and whatever breaks a session.
    pub async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        self.session.next_row().await
    }

    /// Goes on to the next result of the request; false behind the last.
    ///
    /// # Errors
    /// The failure of that statement, and whatever breaks a session.
    pub async fn next_result(&mut self) -> Result<bool> {
        self.session.next_result().await
    }

    /// How the last statement ended; empty before its end.
    pub fn summary(&self) -> &Summary {
        self.session.summary()
    }

    /// Moves the deadline of the waits to come.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.session.set_deadline(deadline);
    }

    /// Reads the rest of the result under way.
    ///
    /// # Errors
    /// As [`next_row`](Self::next_row), and where a row cannot be read as a `T`.
    pub async fn rows<T: for<'r> FromRow<'r>>(&mut self) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        while let Some(row) = self.session.next_row().await? {
            rows.push(T::from_row(row)?);
        }
        Ok(rows)
    }

    /// Reads the first row, and the rest of all results without keeping it.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn first<T: for<'r> FromRow<'r>>(self) -> Result<Option<T>> {
        let first = self.session.next_row().await?.map(T::from_row).transpose()?;
        self.finish().await?;
        Ok(first)
    }

    /// Reads the first row, and the rest of all results without keeping it.
    ///
    /// # Errors
    /// As [`rows`](Self::rows), and [`Error::NoRow`].
    pub async fn one<T: for<'r> FromRow<'r>>(self) -> Result<T> {
        self.first().await?.ok_or(Error::NoRow)
    }

    /// Reads the rest of the result under way into rows of their own.
    ///
    /// # Errors
    /// As [`next_row`](Self::next_row).
    pub async fn owned_rows(&mut self) -> Result<Vec<Row>> {
        self.rows().await
    }

    /// Reads all results to their end, without keeping rows, and says how the last statement ended.
    ///
    /// # Errors
    /// The first failure of a statement, and whatever breaks a session.
    pub async fn finish(self) -> Result<Summary> {
        loop {
            while self.session.next_row().await?.is_some() {}
            if !self.session.next_result().await? {
                return Ok(self.session.summary().clone());
            }
        }
    }
}
