//! Asking a server who it is, what it may do, whom it follows and how far it has come.
//!
//! A probe is two statements, and one or two more where they make sense: the members of a replication group, the
//! replicas that a primary knows, a heartbeat table. A server that does not let the account see something (1227,
//! 1142) or does not know it is no failure: what is not known is left out, and the election and the lag do with
//! what is there. Only a connection that fails is.

use super::gtid::Position;
use crate::cells::{as_number, as_text, plain_rows};
use crate::driver::{Flavor, Session};
use crate::error::{Error, Result};
use crate::row::{Row, RowRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Who a server is, by what replication calls it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServerKey {
    pub(super) id: u64,
    pub(super) uuid: Option<Box<str>>,
}

impl ServerKey {
    /// Whether both are the same server.
    pub(super) fn is(&self, other: &ServerKey) -> bool {
        match (&self.uuid, &other.uuid) {
            (Some(mine), Some(other)) => mine.eq_ignore_ascii_case(other),
            _ => self.id != 0 && self.id == other.id,
        }
    }
}

/// A thread of replication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    /// It tries to reach its source.
    Connecting,
    No,
}

/// Whom a replica follows, and how that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) key: ServerKey,
    pub(super) receives: Running,
    pub(super) applies: Running,
    /// NULL is `None`.
    pub(super) seconds_behind: Option<u64>,
}

/// A server's part in its replication group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupRole {
    Primary,
    Secondary,
    /// Not online: recovering, expelled, in error.
    Apart,
}

/// Another server that a server knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) key: ServerKey,
}

/// What a server said.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) key: ServerKey,
    pub(super) writable: bool,
    pub(super) position: Arc<Position>,
    pub(super) source: Option<Source>,
    pub(super) group: Option<GroupRole>,
    pub(super) neighbours: Vec<Neighbour>,
    /// By the heartbeat table.
    pub(super) heartbeat_age: Option<Duration>,
    /// When it was asked, and when it had answered.
    pub(super) asked: Instant,
    pub(super) answered: Instant,
}

/// What a probe asks beyond the usual.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Questions<'a> {
    /// Members and replicas, to find servers that were not configured.
    pub(super) neighbours: bool,
    /// The heartbeat table, `schema.table`, and its column with the time in UTC.
    pub(super) heartbeat: Option<(&'a str, &'a str)>,
}

/// Asks the server behind `session`.
pub(super) async fn probe<S: Session>(
    session: &mut S,
    questions: Questions<'_>,
    deadline: Instant,
) -> Result<Report> {
    let asked = Instant::now();
    let flavor = session.status().server.flavor;
    let mut report = Report {
        key: ServerKey::default(),
        writable: true,
        position: Arc::default(),
        source: None,
        group: None,
        neighbours: Vec::new(),
        heartbeat_age: None,
        asked,
        answered: asked,
    };
    if let Some(sql) = identity_statement(flavor)
        && let Some(row) = first(session, sql, deadline).await?
    {
        let row = row.as_ref();
        report.key = ServerKey { id: number(row, 0).unwrap_or(0), uuid: text(row, 1).map(Into::into) };
        report.writable = (2..5).all(|column| text(row, column).is_none_or(|value| is_off(&value)));
        let position = text(row, 5).and_then(|gtids| Position::parse(&gtids));
        report.position = Arc::new(position.unwrap_or_default());
    }
    // The position was true no later than now.
    report.answered = Instant::now();
    if let Some(sql) = status_statement(flavor, session.status().server.numbers) {
        report.source =
            known(plain_rows(session, sql, deadline).await)?.iter().find_map(|row| source(row.as_ref()));
    }
    if flavor == Flavor::MySql {
        let members = known(plain_rows(session, GROUP, deadline).await)?;
        for member in members.iter().filter_map(|row| group_member(row.as_ref())) {
            if member.neighbour.key.is(&report.key) {
                report.group = Some(member.role);
            } else if questions.neighbours {
                report.neighbours.push(member.neighbour);
            }
        }
    }
    if questions.neighbours {
        if let Some(source) = &report.source {
            let Source { host, port, key, .. } = source;
            report.neighbours.push(Neighbour { host: host.clone(), port: *port, key: key.clone() });
        }
        if let Some(sql) = replicas_statement(flavor, session.status().server.numbers) {
            let rows = known(plain_rows(session, sql, deadline).await)?;
            report.neighbours.extend(rows.iter().filter_map(|row| listed_replica(row.as_ref())));
        }
    }
    if let Some((table, column)) = questions.heartbeat {
        let sql = format!("SELECT TIMESTAMPDIFF(MICROSECOND, MAX({column}), UTC_TIMESTAMP(6)) FROM {table}");
        if let Some(row) = known(first(session, &sql, deadline).await)? {
            // A clock that is behind the primary's reads as no lag.
            report.heartbeat_age =
                number::<i64>(row.as_ref(), 0).map(|age| Duration::from_micros(age.max(0) as u64));
        }
    }
    Ok(report)
}

/// `server_id, server_uuid, read_only, innodb_read_only, transaction_read_only, position`
fn identity_statement(flavor: Flavor) -> Option<&'static str> {
    match flavor {
        Flavor::MySql => Some(
            "SELECT @@global.server_id, @@global.server_uuid, @@global.read_only, @@global.innodb_read_only, \
             @@global.transaction_read_only, @@global.gtid_executed",
        ),
        Flavor::MariaDb => Some(
            "SELECT @@global.server_id, NULL, @@global.read_only, @@global.innodb_read_only, \
             @@global.tx_read_only, @@global.gtid_current_pos",
        ),
        // One server that takes writes.
        Flavor::RustyDb => None,
    }
}

fn status_statement(flavor: Flavor, version: (u16, u16, u16)) -> Option<&'static str> {
    match flavor {
        Flavor::MySql if version >= (8, 0, 22) => Some("SHOW REPLICA STATUS"),
        Flavor::MySql => Some("SHOW SLAVE STATUS"),
        Flavor::MariaDb => Some("SHOW ALL SLAVES STATUS"),
        Flavor::RustyDb => None,
    }
}

fn replicas_statement(flavor: Flavor, version: (u16, u16, u16)) -> Option<&'static str> {
    match flavor {
        Flavor::MySql if version >= (8, 0, 22) => Some("SHOW REPLICAS"),
        Flavor::MySql | Flavor::MariaDb => Some("SHOW SLAVE HOSTS"),
        Flavor::RustyDb => None,
    }
}

const GROUP: &str = "SELECT MEMBER_ID, MEMBER_HOST, MEMBER_PORT, MEMBER_STATE, MEMBER_ROLE \
                     FROM performance_schema.replication_group_members";

async fn first<S: Session>(session: &mut S, sql: &str, deadline: Instant) -> Result<Option<Row>> {
    Ok(plain_rows(session, sql, deadline).await?.into_iter().next())
}

/// What a server refuses to tell, or does not know, is not there.
fn known<T: Default>(answer: Result<T>) -> Result<T> {
    match answer {
        Err(Error::Server(error)) if !error.ends_session() => Ok(T::default()),
        other => other,
    }
}

fn source(row: RowRef<'_>) -> Option<Source> {
    let of = |new: &str, old: &str| row.value_of(new).or_else(|| row.value_of(old));
    let string = |new: &str, old: &str| of(new, old).and_then(as_text);
    let running = |new: &str, old: &str| match string(new, old).as_deref() {
        Some("Yes") => Running::Yes,
        // MariaDB says Preparing while it does.
        Some("Connecting" | "Preparing") => Running::Connecting,
        _ => Running::No,
    };
    let host = string("Source_Host", "Master_Host").filter(|host| !host.is_empty() && host != "<NULL>")?;
    let uuid = string("Source_UUID", "Master_UUID").filter(|uuid| !uuid.is_empty());
    Some(Source {
        host: host.into(),
        port: of("Source_Port", "Master_Port").and_then(as_number).unwrap_or(3306),
        key: ServerKey {
            id: of("Source_Server_Id", "Master_Server_Id").and_then(as_number).unwrap_or(0),
            uuid: uuid.map(Into::into),
        },
        receives: running("Replica_IO_Running", "Slave_IO_Running"),
        applies: running("Replica_SQL_Running", "Slave_SQL_Running"),
        seconds_behind: of("Seconds_Behind_Source", "Seconds_Behind_Master").and_then(as_number),
    })
}

struct GroupMember {
    neighbour: Neighbour,
    role: GroupRole,
}

fn group_member(row: RowRef<'_>) -> Option<GroupMember> {
    let uuid = text(row, 0).filter(|uuid| !uuid.is_empty())?;
    let role = match (text(row, 3).as_deref(), text(row, 4).as_deref()) {
        (Some("ONLINE"), Some("PRIMARY")) => GroupRole::Primary,
        (Some("ONLINE"), _) => GroupRole::Secondary,
        _ => GroupRole::Apart,
    };
    let key = ServerKey { id: 0, uuid: Some(uuid.into()) };
    let neighbour = Neighbour { host: text(row, 1)?.into(), port: number(row, 2)?, key };
    Some(GroupMember { neighbour, role })
}

/// `Server_Id, Host, Port, Source_Id, Replica_UUID`; a replica that does not report its host is not listed by it.
fn listed_replica(row: RowRef<'_>) -> Option<Neighbour> {
    let host = text(row, 1).filter(|host| !host.is_empty())?;
    let uuid = text(row, 4).filter(|uuid| !uuid.is_empty());
    let key = ServerKey { id: number(row, 0)?, uuid: uuid.map(Into::into) };
    Some(Neighbour { host: host.into(), port: number(row, 2)?, key })
}

fn is_off(value: &str) -> bool {
    value == "0" || value.eq_ignore_ascii_case("OFF")
}

fn text(row: RowRef<'_>, column: usize) -> Option<String> {
    row.value(column).and_then(as_text)
}

fn number<N: std::str::FromStr>(row: RowRef<'_>, column: usize) -> Option<N> {
    row.value(column).and_then(as_number)
}
