//! A cluster of servers in memory: enough of MariaDB for the monitor, causal waits and writes.
//!
//! Each server has a number of applied transactions, may take writes, follow another, refuse or swallow
//! connections. Nothing replicates by itself: a test says what a replica has.

use crate::column::{Column, Columns};
use crate::driver::{
    Address, Credential, Driver, Endpoint, Flavor, ServerIdentity, Session, SessionStatus, Statement, Summary,
};
use crate::error::{Error, Result, ServerError};
use crate::row::RowRef;
use crate::value::{ToValue, Value};
use parking_lot::Mutex;
use rustydb_value::ProtocolType;
use secrecy::ExposeSecret;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Whether a server can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Up,
    Refuses,
    Silent,
}

/// A server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) reach: Reach,
    pub(super) writable: bool,
    /// The number of the server that it follows.
    pub(super) follows: Option<u16>,
    pub(super) running: bool,
    pub(super) applied: u64,
    pub(super) password: &'static str,
    pub(super) connects: u64,
    pub(super) writes: Vec<String>,
}

/// The servers, numbered from 1: also their ports and `server_id`.
#[derive(Clone)]
pub(super) struct Servers(Arc<Mutex<Vec<Server>>>);

impl Servers {
    /// One primary (number 1) and replicas of it.
    pub(super) fn new(count: u16) -> Servers {
        let server = |number: u16| Server {
            reach: Reach::Up,
            writable: number == 1,
            follows: (number > 1).then_some(1),
            running: true,
            applied: 0,
            password: "",
            connects: 0,
            writes: Vec::new(),
        };
        Servers(Arc::new(Mutex::new((1..=count).map(server).collect())))
    }

    pub(super) fn change(&self, number: u16, change: impl FnOnce(&mut Server)) {
        change(&mut self.0.lock()[usize::from(number) - 1]);
    }

    pub(super) fn get(&self, number: u16) -> Server {
        self.0.lock()[usize::from(number) - 1].clone()
    }
}

fn lost() -> Error {
    Error::Lost { during: "query", source: std::io::ErrorKind::ConnectionReset.into() }
}

impl Driver for Servers {
    type Session = FakeSession;

    async fn connect(
        &self,
        endpoint: &Endpoint,
        credential: &Credential,
        deadline: Instant,
    ) -> Result<FakeSession> {
        let Address::Tcp { port, .. } = *endpoint.address() else { return Err(Error::Gone) };
        match self.get(port).reach {
            Reach::Up => {}
            Reach::Refuses => {
                let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into();
                return Err(Error::Connect { address: endpoint.address().clone(), source });
            }
            Reach::Silent => {
                sleep_until(deadline).await;
                return Err(Error::Timeout { during: "connect" });
            }
        }
        if credential.password.expose_secret() != self.get(port).password {
            return Err(ServerError::new(1045, None, "Access denied").into());
        }
        self.change(port, |server| server.connects += 1);
        let identity =
            ServerIdentity { flavor: Flavor::MariaDb, numbers: (11, 8, 0), ..ServerIdentity::default() };
        let status = SessionStatus {
            server: Arc::new(identity),
            autocommit: true,
            tracks_state: true,
            ..SessionStatus::default()
        };
        Ok(FakeSession {
            servers: self.clone(),
            number: port,
            status,
            columns: None,
            rows: VecDeque::new(),
            current: Vec::new(),
            summary: Summary::default(),
        })
    }
}

pub(super) struct FakeSession {
    servers: Servers,
    number: u16,
    status: SessionStatus,
    columns: Option<Arc<Columns>>,
    rows: VecDeque<Vec<Value>>,
    current: Vec<Value>,
    summary: Summary,
}

impl FakeSession {
    fn answer(&mut self, row: Vec<(&str, Value)>) {
        let columns = row.iter().map(|(name, _)| Column::simple(name, ProtocolType::VarString));
        self.columns = Some(Arc::new(Columns::new(columns.collect())));
        self.rows = [row.into_iter().map(|(_, value)| value).collect()].into();
    }

    fn text(text: impl Into<String>) -> Value {
        Value::String(text.into())
    }
}

impl Session for FakeSession {
    fn status(&self) -> &SessionStatus {
        &self.status
    }

    fn set_deadline(&mut self, _: Instant) {}

    fn mark_dirty(&mut self) {
        self.status.dirty = true;
    }

    async fn start_query(&mut self, sql: &str, deadline: Instant) -> Result<()> {
        self.status.broken = true;
        self.columns = None;
        let server = self.servers.get(self.number);
        match server.reach {
            Reach::Up => {}
            Reach::Refuses => return Err(lost()),
            Reach::Silent => {
                sleep_until(deadline).await;
                return Err(Error::Timeout { during: "query" });
            }
        }
        if sql.starts_with("SELECT @@global.server_id") {
            let flag = |on: bool| Value::Int(i64::from(on));
            self.answer(vec![
                ("id", Value::UInt(self.number.into())),
                ("uuid", Value::Null),
                ("read_only", flag(!server.writable)),
                ("innodb", flag(false)),
                ("tx", flag(false)),
                ("position", Self::text(format!("0-1-{}", server.applied))),
            ]);
        } else if sql.starts_with("SHOW ALL SLAVES STATUS") {
            if let Some(source) = server.follows {
                let running = if server.running { "Yes" } else { "No" };
                self.answer(vec![
                    ("Master_Host", Self::text("db")),
                    ("Master_Port", Value::UInt(source.into())),
                    ("Master_Server_Id", Value::UInt(source.into())),
                    ("Slave_IO_Running", Self::text(running)),
                    ("Slave_SQL_Running", Self::text(running)),
                    ("Seconds_Behind_Master", Value::Null),
                ]);
            }
        } else if let Some(arguments) = sql.strip_prefix("SELECT MASTER_GTID_WAIT('0-1-") {
            let (wanted, seconds) = arguments.trim_end_matches(')').split_once("', ").unwrap_or_default();
            let wanted: u64 = wanted.parse().unwrap_or(u64::MAX);
            let until = Instant::now() + Duration::from_secs_f64(seconds.parse().unwrap_or(0.0));
            while self.servers.get(self.number).applied < wanted && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let has = self.servers.get(self.number).applied >= wanted;
            self.answer(vec![("wait", Value::Int(if has { 0 } else { -1 }))]);
        } else if let Some(value) = sql.strip_prefix("INSERT ") {
            if !server.writable {
                self.status.broken = false;
                let message =
                    "The MariaDB server is running with the --read-only option so it cannot execute";
                return Err(ServerError::new(1290, None, message).into());
            }
            self.servers.change(self.number, |server| {
                server.applied += 1;
                server.writes.push(value.to_owned());
            });
            self.status.last_gtid = Some(format!("0-1-{}", server.applied + 1).into());
        } else if matches!(sql, "BEGIN" | "COMMIT") {
            self.status.in_transaction = sql == "BEGIN";
        } else {
            self.answer(vec![("applied", Value::UInt(server.applied))]);
        }
        self.status.broken = false;
        Ok(())
    }

    async fn start_execute<P: ToValue + Sync>(&mut self, _: &Statement, _: &[P], _: Instant) -> Result<()> {
        Err(Error::ForeignStatement)
    }

    async fn start_prepare_execute<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        _: &[P],
        deadline: Instant,
    ) -> Result<Statement> {
        self.prepare(sql, deadline).await
    }

    async fn prepare(&mut self, _: &str, _: Instant) -> Result<Statement> {
        Err(Error::ForeignStatement)
    }

    fn close_statement(&mut self, _: &Statement) {}

    fn columns(&self) -> Option<&Arc<Columns>> {
        self.columns.as_ref()
    }

    async fn next_row(&mut self) -> Result<Option<RowRef<'_>>> {
        let (Some(row), Some(columns)) = (self.rows.pop_front(), &self.columns) else { return Ok(None) };
        self.current = row;
        Ok(Some(RowRef::from_values(columns, &self.current)))
    }

    async fn next_result(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    async fn discard_results(&mut self, _: Instant) -> Result<()> {
        self.rows.clear();
        Ok(())
    }

    async fn ping(&mut self, _: Instant) -> Result<()> {
        Ok(())
    }

    async fn reset(&mut self, _: Instant) -> Result<()> {
        self.status.dirty = false;
        Ok(())
    }

    async fn close(self, _: Instant) {}
}
