//! INNODB_TRX: the transactions that have read, locked or changed anything.
//!
//! Rows that are locked are counted as data_locks lists them; what that list has no room for is counted with them.
//! Left to others: what those locks are ([`crate::performance_schema`]).

use std::time::Instant;

use hashbrown::{HashMap, HashSet};
use rustydb_transaction::OwnerId;
use rustydb_value::{DateTime, Value};

use super::{Rows, Source, maybe, text};
use crate::database::Database;
use crate::database::processes::TransactionInfo;
use crate::error::SqlError;
use crate::performance_schema::lock_view::{LockView, RequestedLock, TreeNames, requested};

/// What one lock on a row takes in memory, about (see the lock table).
const LOCK_BYTES: u64 = 120;

/// What a transaction has locked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Locked {
    /// Tables with rows that are locked, each counted once for each intention
    pub(crate) tables: u64,
    /// Groups of locks: by table, and by index and mode
    pub(crate) groups: u64,
    /// Records
    pub(crate) rows: u64,
}

/// A transaction that is open or prepared.
#[derive(Debug, Clone)]
pub(crate) struct OpenTransaction {
    pub(crate) info: TransactionInfo,
    /// The session; zero without one
    pub(crate) session: u64,
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) state: &'static str,
    pub(crate) query: Option<String>,
    pub(crate) owner: OwnerId,
    pub(crate) locked: Locked,
    pub(crate) requested: Option<RequestedLock>,
}

/// What each owner has locked.
fn locked_by_owner(database: &Database) -> HashMap<OwnerId, Locked> {
    let view = LockView::new(database, false);
    let mut owners: HashMap<OwnerId, Locked> = HashMap::new();
    let mut groups = HashSet::new();
    for line in &view.lines {
        let locked = owners.entry(line.owner).or_default();
        match line.index {
            None => {
                locked.tables += 1;
                locked.groups += 1;
            }
            Some(index) => {
                locked.rows += 1;
                let group = (line.owner, line.table.id, index, line.mode.as_str(), line.waiting);
                locked.groups += u64::from(groups.insert(group));
            }
        }
    }
    for (owner, more) in &view.more {
        owners.entry(*owner).or_default().rows += *more as u64;
    }
    owners
}

/// The transactions that are open or prepared and have done anything, the newest first.
pub(crate) fn open_transactions(database: &Database) -> Vec<OpenTransaction> {
    let mut locked = locked_by_owner(database);
    let mut requested = requested(database);
    let names = TreeNames::new(database);
    let mut list = Vec::new();
    for process in database.process_list() {
        let Some(info) = process.transaction else { continue };
        let own = locked.remove(&process.owner);
        if own.is_none() && !info.has_read && info.rows == 0 {
            continue;
        }
        list.push(OpenTransaction {
            info,
            session: process.id,
            user: process.user,
            host: process.host,
            state: process.state,
            query: process.statement,
            owner: process.owner,
            locked: own.unwrap_or_default(),
            requested: requested.remove(&process.owner),
        });
    }
    for prepared in database.xa().prepared(|tree| names.has_rows(tree)) {
        let info = TransactionInfo {
            id: prepared.id,
            since_micros: prepared.since_micros,
            level: "REPEATABLE READ",
            unique_checks: true,
            foreign_key_checks: true,
            rows: prepared.rows,
            xa: Some((prepared.xid, "PREPARED")),
            ..TransactionInfo::default()
        };
        list.push(OpenTransaction {
            info,
            session: 0,
            user: String::new(),
            host: String::new(),
            state: "",
            query: None,
            owner: prepared.owner,
            locked: locked.remove(&prepared.owner).unwrap_or_default(),
            requested: None,
        });
    }
    list.sort_by_key(|transaction| std::cmp::Reverse(transaction.info.id));
    list
}

/// The wall clock's time of a moment in the past, in microseconds since 1970 UTC.
pub(crate) fn wall_micros(database: &Database, since: Instant) -> u64 {
    let ago = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    database.clock().wall_micros().saturating_sub(ago)
}

fn cut(query: &str, most: usize) -> String {
    query.chars().take(most).collect()
}

pub(super) fn transactions(source: &Source<'_>) -> Result<Rows, SqlError> {
    let zone = source.session.settings.time_zone;
    let moment = |micros: u64| {
        let seconds = i64::try_from(micros / 1_000_000).unwrap_or(0);
        let utc = DateTime::from_micros_since_epoch(seconds * 1_000_000, 0);
        utc.map_or(Value::Null, |utc| Value::DateTime(utc.to_local(zone).unwrap_or(utc)))
    };
    let flag = |on: bool| Value::Int(i64::from(on));
    let row = |transaction: OpenTransaction| {
        let OpenTransaction { info, locked, requested, .. } = transaction;
        let in_use = if transaction.query.is_some() { locked.tables } else { 0 };
        let operation = requested.as_ref().map(|lock| match lock.is_insert {
            true => "inserting",
            false => "starting index read",
        });
        vec![
            Value::UInt(info.id),
            text(match &requested {
                Some(_) => "LOCK WAIT",
                None if info.is_rolling_back => "ROLLING BACK",
                None => "RUNNING",
            }),
            moment(info.since_micros),
            maybe(requested.as_ref().map(|lock| lock.id.as_str())),
            requested.as_ref().map_or(Value::Null, |lock| moment(wall_micros(source.database, lock.since))),
            Value::UInt(info.rows + locked.groups),
            Value::UInt(transaction.session),
            maybe(transaction.query.as_deref().map(|query| cut(query, 1024))),
            maybe(operation),
            Value::UInt(in_use),
            Value::UInt(locked.tables),
            Value::UInt(locked.groups),
            Value::UInt(locked.rows.saturating_mul(LOCK_BYTES)),
            Value::UInt(locked.rows),
            Value::UInt(info.rows),
            Value::UInt(0),
            text(info.level),
            flag(info.unique_checks),
            flag(info.foreign_key_checks),
            Value::Null,
            Value::Int(0),
            Value::UInt(0),
            flag(info.read_only),
            flag(info.autocommit && locked.rows == 0 && info.rows == 0),
            Value::Null,
        ]
    };
    Ok(open_transactions(source.database).into_iter().map(row).collect())
}
