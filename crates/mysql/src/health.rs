//! How a server is doing: does it answer, does it replicate, what is it busy with.
//!
//! | question | function |
//! |---|---|
//! | does it answer, and how fast | [`ping`] |
//! | whom does it follow, how far behind | [`check_replication`] |
//! | connections, statements, buffer pool | [`server_status`] |
//! | who does what now | [`process_list`] |
//!
//! Lag that is NULL is [`None`], which whoever compares it has to read as infinite: the replica does not apply, or
//! does not know. Statements of others are shown by their shape: what they hold is not ours to show.

use crate::cells::{number, plain_rows, text};
use crate::driver::{Flavor, Session};
use crate::error::{Error, Result};
use crate::row::RowRef;
use rustydb_simulation::fingerprint::shape;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Asks the server for a sign of life: how long it took to come.
///
/// # Errors
/// Whatever breaks a session.
pub async fn ping<S: Session>(session: &mut S, deadline: Instant) -> Result<Duration> {
    let begun = Instant::now();
    session.ping(deadline).await?;
    Ok(begun.elapsed())
}

/// One source that a server follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// The channel, or connection on MariaDB; empty for the only one
    pub channel: String,
    /// Where the source listens
    pub source: String,
    /// It receives changes
    pub receives: bool,
    /// It applies them
    pub applies: bool,
    /// How far behind it says it is; none for NULL, which counts as infinite
    pub lag: Option<Duration>,
    /// GTIDs that it has received or applied, as the server writes them
    pub gtids: String,
    /// The number of the error that stopped it, if one did
    pub error: Option<u16>,
}

impl ReplicaStatus {
    /// Whether it receives and applies, and knows how far behind it is.
    pub fn is_healthy(&self) -> bool {
        self.receives && self.applies && self.lag.is_some()
    }
}

/// The sources that a server follows; none for one that follows nobody.
///
/// # Errors
/// 1227 where the account may not ask (it needs REPLICATION CLIENT), and whatever fails a query.
pub async fn check_replication<S: Session>(session: &mut S, deadline: Instant) -> Result<Vec<ReplicaStatus>> {
    let server = &session.status().server;
    let sql = match server.flavor {
        Flavor::MySql if server.numbers >= (8, 0, 22) => "SHOW REPLICA STATUS",
        Flavor::MySql => "SHOW SLAVE STATUS",
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
        // One server that takes writes.
        Flavor::RustyDb => return Ok(Vec::new()),
    };
    let found = plain_rows(session, sql, deadline).await?;
    Ok(found.iter().map(|row| replica_status(row.as_ref())).collect())
}

fn replica_status(row: RowRef<'_>) -> ReplicaStatus {
    let of = |new: &str, old: &str| text(row, new).or_else(|| text(row, old));
    let is_running = |new: &str, old: &str| of(new, old).as_deref() == Some("Yes");
    let host = of("Source_Host", "Master_Host").unwrap_or_default();
    let port = of("Source_Port", "Master_Port").unwrap_or_default();
    let errors = ["Last_IO_Errno", "Last_SQL_Errno"].into_iter().filter_map(|name| number::<u16>(row, name));
    ReplicaStatus {
        channel: of("Channel_Name", "Connection_name").unwrap_or_default(),
        source: format!("{host}:{port}"),
        receives: is_running("Replica_IO_Running", "Slave_IO_Running"),
        applies: is_running("Replica_SQL_Running", "Slave_SQL_Running"),
        lag: number(row, "Seconds_Behind_Source")
            .or_else(|| number(row, "Seconds_Behind_Master"))
            .map(Duration::from_secs),
        gtids: of("Executed_Gtid_Set", "Gtid_Slave_Pos").unwrap_or_default().replace('\n', ""),
        error: errors.into_iter().find(|error| *error != 0),
    }
}

/// What a server counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerStatus {
    /// The version as the server says it
    pub version: String,
    /// How long it has been running
    pub uptime: Duration,
    /// Connections that are open
    pub connections: u64,
    /// Connections that do something now
    pub running: u64,
    /// Connections that may be open at most
    pub max_connections: u64,
    /// The most that ever were open
    pub most_connections: u64,
    /// Statements since the start
    pub questions: u64,
    /// Statements slower than the server's own limit
    pub slow_queries: u64,
    /// Attempts to connect that failed
    pub aborted_connects: u64,
    /// Connections that were lost
    pub aborted_clients: u64,
    /// Pages that were read through the buffer pool
    pub buffer_pool_reads: u64,
    /// Pages that were not in it
    pub buffer_pool_misses: u64,
}

impl ServerStatus {
    /// The part of page reads that found their page in memory; none before the first.
    pub fn buffer_pool_hit_ratio(&self) -> Option<f64> {
        let (reads, misses) = (self.buffer_pool_reads as f64, self.buffer_pool_misses as f64);
        (reads > 0.0).then(|| (1.0 - misses / reads).clamp(0.0, 1.0))
    }
}

/// What the server counts, now.
///
/// # Errors
/// Whatever fails a query.
pub async fn server_status<S: Session>(session: &mut S, deadline: Instant) -> Result<ServerStatus> {
    let mut counted = variables(session, "SHOW GLOBAL STATUS", deadline).await?;
    counted.extend(variables(session, "SHOW GLOBAL VARIABLES LIKE 'max\\_connections'", deadline).await?);
    let of = |name: &str| counted.get(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    Ok(ServerStatus {
        version: session.status().server.version.clone(),
        uptime: Duration::from_secs(of("uptime")),
        connections: of("threads_connected"),
        running: of("threads_running"),
        max_connections: of("max_connections"),
        most_connections: of("max_used_connections"),
        questions: of("questions"),
        slow_queries: of("slow_queries"),
        aborted_connects: of("aborted_connects"),
        aborted_clients: of("aborted_clients"),
        buffer_pool_reads: of("innodb_buffer_pool_read_requests"),
        buffer_pool_misses: of("innodb_buffer_pool_reads"),
    })
}

/// Names in lower case, because servers do not agree on theirs, and values.
async fn variables<S: Session>(
    session: &mut S,
    sql: &str,
    deadline: Instant,
) -> Result<HashMap<String, String>> {
    let found = plain_rows(session, sql, deadline).await?;
    let pair =
        |row: RowRef<'_>| Some((text(row, "Variable_name")?.to_ascii_lowercase(), text(row, "Value")?));
    Ok(found.iter().filter_map(|row| pair(row.as_ref())).collect())
}

/// A connection to the server and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The server's number for it
    pub id: u64,
    /// Its account
    pub user: String,
    /// Where it comes from
    pub host: String,
    /// Its default database
    pub database: Option<String>,
    /// What kind of request it works on: `Query`, `Sleep`
    pub command: String,
    /// For how long
    pub time: Duration,
    /// In which step
    pub state: String,
    /// The shape of the statement that it runs
    pub statement: Option<String>,
}

/// Who is connected and does what. Without the PROCESS privilege: the account's own connections.
///
/// # Errors
/// Whatever fails a query.
pub async fn process_list<S: Session>(session: &mut S, deadline: Instant) -> Result<Vec<Process>> {
    let found = plain_rows(session, "SHOW FULL PROCESSLIST", deadline).await?;
    found
        .iter()
        .map(|row| process(row.as_ref()).ok_or_else(|| Error::NoSuchColumn("Id".to_owned())))
        .collect()
}

fn process(row: RowRef<'_>) -> Option<Process> {
    // A cut statement ends anywhere, within a literal too; the shape takes that for a literal.
    let statement = text(row, "Info").filter(|info| !info.is_empty()).map(|info| shape(&info));
    Some(Process {
        id: number(row, "Id")?,
        user: text(row, "User").unwrap_or_default(),
        host: text(row, "Host").unwrap_or_default(),
        database: text(row, "db"),
        command: text(row, "Command").unwrap_or_default(),
        time: Duration::from_secs(number::<i64>(row, "Time").unwrap_or(0).max(0) as u64),
        state: text(row, "State").unwrap_or_default(),
        statement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Column, Columns};
    use crate::row::Row;
    use crate::value::Value;
    use rustydb_value::ProtocolType;
    use std::sync::Arc;

    fn row(cells: &[(&str, Option<&str>)]) -> Row {
        let column = |name: &str| Column::simple(name, ProtocolType::VarString);
        let columns = Columns::new(cells.iter().map(|(name, _)| column(name)).collect());
        let value = |text: &Option<&str>| text.map_or(Value::Null, |text| Value::String(text.to_owned()));
        Row::from_values(Arc::new(columns), cells.iter().map(|(_, text)| value(text)).collect())
    }

    #[test]
    fn lag_that_is_null_is_unknown_and_old_names_are_known() {
        let new = row(&[
            ("Source_Host", Some("db1")),
            ("Source_Port", Some("3306")),
            ("Replica_IO_Running", Some("Yes")),
            ("Replica_SQL_Running", Some("Yes")),
            ("Seconds_Behind_Source", Some("3")),
            ("Last_SQL_Errno", Some("0")),
            ("Channel_Name", Some("")),
        ]);
        let status = replica_status(new.as_ref());
        assert!(status.is_healthy() && status.error.is_none());
        assert_eq!((status.source.as_str(), status.lag), ("db1:3306", Some(Duration::from_secs(3))));
        let old = row(&[
            ("Master_Host", Some("db1")),
            ("Master_Port", Some("3306")),
            ("Slave_IO_Running", Some("Connecting")),
            ("Slave_SQL_Running", Some("No")),
            ("Seconds_Behind_Master", None),
            ("Last_IO_Errno", Some("0")),
            ("Last_SQL_Errno", Some("1062")),
            ("Connection_name", Some("north")),
        ]);
        let status = replica_status(old.as_ref());
        assert!(!status.is_healthy() && !status.receives && !status.applies);
        assert_eq!((status.lag, status.error, status.channel.as_str()), (None, Some(1062), "north"));
    }

    #[test]
    fn statements_of_others_are_shown_without_their_values() {
        let found = row(&[
            ("Id", Some("7")),
            ("User", Some("app")),
            ("Host", Some("10.0.0.1:5000")),
            ("db", None),
            ("Command", Some("Query")),
            ("Time", Some("-1")),
            ("State", Some("executing")),
            ("Info", Some("SELECT * FROM t WHERE card = '4711-M4RKED")),
        ]);
        let process = process(found.as_ref()).expect("a process");
        assert_eq!(process.statement.as_deref(), Some("select * from t where card = ?"));
        assert_eq!((process.id, process.time, process.database), (7, Duration::ZERO, None));
    }

    #[test]
    fn the_hit_ratio_is_between_none_and_all() {
        let status =
            ServerStatus { buffer_pool_reads: 200, buffer_pool_misses: 50, ..ServerStatus::default() };
        assert_eq!(status.buffer_pool_hit_ratio(), Some(0.75));
        assert_eq!(ServerStatus::default().buffer_pool_hit_ratio(), None);
    }
}
