//! Our own connection: [`ServerDriver`] makes them, [`Connection`] is one.
//!
//! ```text
//! stream   bytes: TCP or Unix socket, plain or TLS
//! wire     packets with deadlines, compressed or not
//! handshake, auth, tls      from a stream to an authenticated session
//! setup    session tracking, who the server is
//! exchange answers: heads, columns, rows, further results
//! prepare  prepared statements; prepare and execute in one round trip
//! state    what a statement may leave behind in a session
//! ```
//!
//! Invariants:
//! - Before anything waits in an exchange, `status.broken` is set; it is cleared only where the exchange is
//!   at a point from which it can go on. So a future dropped at any wait leaves a broken session.
//! - One buffer for what is read, one for what is sent; rows are slices of the first. Nothing is allocated
//!   for a row or a cell.
//! - Whatever a server sends is bounded: packets by `max_packet`, columns by `exchange`'s limits, the
//!   handshake by its own.
//!
//! Left to others: which connection to take (pool), which server (routing), when to try again.

mod auth;
mod exchange;
mod handshake;
mod local_infile;
mod options;
mod prepare;
mod setup;
pub(crate) mod state;
mod stream;
mod tls;
mod wire;

pub use local_infile::{InMemory, LocalFile, LocalInfile};
pub use options::{Compression, ConnectOptions, PemSource, ServerKey, SslMode, TlsOptions};

use crate::column::Columns;
use crate::driver::{Credential, Driver, Endpoint, Session, SessionStatus, Statement, Summary};
use crate::error::{Error, Result};
use crate::kill::{Abandoned, StatementHead};
use crate::row::{Cell, Form, RowRef};
use crate::value::ToValue;
use exchange::Phase;
use rustydb_mysql_protocol::handshake::MariaDbCapabilities;
use rustydb_mysql_protocol::{Capabilities, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;
use wire::Wire;

/// Connects to real servers.
#[derive(Debug, Clone)]
pub struct ServerDriver {
    options: Arc<ConnectOptions>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl ServerDriver {
    /// A driver that connects as these options say. Certificates are read here, once.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn new(options: ConnectOptions) -> Result<ServerDriver> {
        options.validate()?;
        let tls = tls::config(&options.tls)?;
        Ok(ServerDriver { options: Arc::new(options), tls })
    }

    /// How it connects.
    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }
}

impl Driver for ServerDriver {
    type Session = Connection;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<Connection> {
        let greeted =
            handshake::greet(endpoint, credential, &self.options, self.tls.as_ref(), deadline).await?;
        let mut connection = Connection::new(greeted, Arc::clone(&self.options));
        connection.set_up().await?;
        Ok(connection)
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    options: Arc<ConnectOptions>,
    /// What this connection calls itself; its statements carry it.
    number: u64,
    capabilities: Capabilities,
    mariadb: MariaDbCapabilities,
    status: SessionStatus,
    phase: Phase,
    /// The form of the rows of the request under way.
    form: Form,
    /// Columns of the result under way; kept for the next result to be compared with.
    columns: Arc<Columns>,
    has_columns: bool,
    cells: Vec<Cell>,
    summary: Summary,
    /// Statements to be closed with the next request.
    closing: Vec<u32>,
    /// The number that the server gives to the next statement; see [`prepare`].
    next_statement: Option<u32>,
    /// Whether numbers can be known beforehand at all.
    predicts: bool,
    /// The most bytes of a request.
    limit: usize,
    /// The text under way, where it may ask for a file of this end.
    infile_text: Option<Box<str>>,
    /// The beginning of the statement that the server has, and whether it may still be at it.
    head: StatementHead,
    is_running: bool,
    /// When it was connected.
    since: Instant,
    /// The server calls the connection what it was called in the greeting.
    is_direct: bool,
}

/// Numbers for connections.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

impl Connection {
    fn new(greeted: handshake::Greeted, options: Arc<ConnectOptions>) -> Connection {
        let mut status = SessionStatus {
            connection_id: u64::from(greeted.connection_id),
            schema: options.database.as_deref().map(Arc::from),
            ..SessionStatus::default()
        };
        state::apply_bits(&mut status, greeted.status);
        let predicts = greeted.server.flavor != crate::driver::Flavor::MariaDb;
        status.server = Arc::new(greeted.server);
        Connection {
            wire: greeted.wire,
            number: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            capabilities: greeted.capabilities,
            mariadb: greeted.mariadb,
            status,
            phase: Phase::Idle,
            form: Form::Text,
            columns: Arc::default(),
            has_columns: false,
            cells: Vec::new(),
            summary: Summary::default(),
            closing: Vec::new(),
            next_statement: None,
            predicts,
            limit: options.max_packet,
            infile_text: None,
            head: StatementHead::new(""),
            is_running: false,
            since: Instant::now(),
            is_direct: false,
            options,
        }
    }

    /// Whether the connection is inside TLS.
    pub fn is_tls(&mut self) -> bool {
        self.wire.stream().is_tls()
    }

    /// What both ends agreed on.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// What both ends agreed on, of what only MariaDB has.
    pub fn mariadb_capabilities(&self) -> MariaDbCapabilities {
        self.mariadb
    }

    /// The session before a request: whole, with nothing left to be read, and not closed by the server.
    async fn enter(&mut self, deadline: Instant) -> Result<()> {
        if self.status.broken {
            return Err(Error::Broken);
        }
        if self.phase != Phase::Idle {
            self.discard_results(deadline).await?;
        }
        self.wire.set_deadline(deadline);
        if !self.wire.is_quiet() {
            self.status.broken = true;
            return Err(Error::Gone);
        }
        self.wire.begin();
        self.status.last_error = None;
        self.has_columns = false;
        if !self.closing.is_empty() {
            self.append_closing()?;
        }
        Ok(())
    }

    /// Sends a request that was appended and reads the head of its answer.
    async fn exchange(
        &mut self,
        during: &'static str,
        from: wire::AnswerFrom,
        statement: Option<&Statement>,
    ) -> Result<()> {
        self.status.broken = true;
        self.wire.send(during).await?;
        self.wire.answers_from(from);
        self.read_head(during, statement).await
    }

    /// A request whose answer is OK or ERR.
    async fn command(
        &mut self,
        command: Command,
        during: &'static str,
        body: &[u8],
        deadline: Instant,
    ) -> Result<()> {
        self.enter(deadline).await?;
        let from = self.wire.request(command, self.limit, |out| out.extend_from_slice(body))?;
        self.exchange(during, from, None).await
    }
}

impl Session for Connection {
    #[inline]
    fn status(&self) -> &SessionStatus {
        &self.status
    }

    fn is_alive(&mut self) -> bool {
        !self.status.broken && (self.phase != Phase::Idle || self.wire.is_quiet())
    }

    fn abandoned(&self) -> Option<Abandoned> {
        (self.is_running && !self.wire.is_lost()).then(|| Abandoned {
            connection_id: self.status.connection_id,
            server: Arc::clone(&self.status.server),
            since: self.since,
            is_direct: self.is_direct,
            statement: self.head,
        })
    }

    fn set_deadline(&mut self, deadline: Instant) {
        self.wire.set_deadline(deadline);
    }

    fn mark_dirty(&mut self) {
        self.status.dirty = true;
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.enter(deadline).await?;
        let from =
            self.wire.request(Command::Query, self.limit, |out| out.extend_from_slice(sql.as_bytes()))?;
        self.before_text(sql);
        self.exchange("query", from, None).await
    }

    async fn start_execute<P: ToValue + Sync>(
        &mut self,
        statement: &Statement,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<()> {
        self.enter(deadline).await?;
        let from = self.append_execute(statement, parameters)?;
        self.exchange("execute", from, Some(statement)).await
    }

    async fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        self.prepare_and_execute(sql, parameters, deadline).await
    }

    async fn prepare(&mut self, sql: &str, deadline: Instant) -> Result<Statement> {
        self.enter(deadline).await?;
        self.prepare_alone(sql).await
    }

    fn close_statement(&mut self, statement: &Statement) {
        if statement.session() == self.number {
            self.closing.push(statement.id());
        }
    }

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.has_columns.then_some(&self.columns)
    }

    #[inline]
    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        if self.phase != Phase::Rows {
            return if self.status.broken { Err(Error::Broken) } else { Ok(None) };
        }
        if self.status.broken {
            return Err(Error::Broken);
        }
        // Rows that are here already cost no wait.
        self.status.broken = true;
        if !self.wire.has_packet("fetch")? {
            self.wait_for_row().await?;
        }
        self.take_row()
    }

    async fn next_result(&mut self) -> Result<bool> {
        if self.status.broken {
            return Err(Error::Broken);
        }
        while self.phase == Phase::Rows {
            self.next_row().await?;
        }
        if self.phase == Phase::Idle {
            return Ok(false);
        }
        self.status.broken = true;
        self.read_head("fetch", None).await?;
        Ok(true)
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    async fn discard_results(&mut self, deadline: Instant) -> Result<()> {
        self.wire.set_deadline(deadline);
        loop {
            match self.next_result().await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // The failure of a statement whose result nobody wants.
                Err(Error::Server(_)) if !self.status.broken => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn ping(&mut self, deadline: Instant) -> Result<()> {
        self.command(Command::Ping, "ping", b"", deadline).await
    }

    async fn reset(&mut self, deadline: Instant) -> Result<()> {
        self.enter(deadline).await?;
        self.set_up_again().await
    }

    async fn close(mut self, deadline: Instant) {
        if self.enter(deadline).await.is_ok() && self.wire.request(Command::Quit, self.limit, |_| {}).is_ok()
        {
            // The server answers by closing; whether it does is of no interest any more.
            let _ = self.wire.send("close").await;
        }
    }
}
