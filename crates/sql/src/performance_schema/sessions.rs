//! Sessions and what they do: threads, events_transactions_current.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use rustydb_sql_parser::ast::Xid;
use rustydb_transaction::OwnerId;
use rustydb_transaction::locks::MdlKey;
use rustydb_value::Value;

use super::lock_view::MOST;
use crate::database::Database;
use crate::database::processes::{Command, ProcessInfo, TransactionInfo, TransactionState};
use crate::error::SqlError;
use crate::information_schema::{Rows, Source, maybe, text};

/// Who an owner of locks is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owner {
    /// None: no transaction that would have a number.
    pub(crate) transaction: Option<u64>,
    /// The session; None for a prepared transaction, which belongs to none.
    pub(crate) thread: Option<u64>,
}

/// The owners of locks that are known: sessions and prepared transactions.
pub(crate) fn owners(database: &Database) -> HashMap<OwnerId, Owner> {
    let mut owners = HashMap::new();
    for process in database.process_list() {
        let transaction = process.transaction.as_ref().map(|transaction| transaction.id);
        owners.insert(process.owner, Owner { transaction, thread: Some(process.id) });
    }
    for prepared in database.xa().prepared(|_| false) {
        owners.insert(prepared.owner, Owner { transaction: Some(prepared.id), thread: None });
    }
    owners
}

/// The first of two, or the second: as an ENUM has it.
fn either(is_first: bool) -> Value {
    Value::UInt(if is_first { 1 } else { 2 })
}

pub(super) fn threads(source: &Source<'_>) -> Result<Rows, SqlError> {
    let row = |process: ProcessInfo| {
        let state = (process.command != Command::Sleep).then_some(process.state);
        let mut row = vec![
            Value::UInt(process.id),
            text("thread/sql/one_connection"),
            text("FOREGROUND"),
            Value::UInt(process.id),
            text(process.user.as_str()),
            // The port is the process list's alone.
            text(process.host.split(':').next().unwrap_or("")),
            maybe(process.database.clone()),
            text(process.command.name()),
            Value::Int(i64::try_from(process.time.as_secs()).unwrap_or(i64::MAX)),
            maybe(state),
            maybe(process.statement.clone()),
            Value::Null,
            Value::Null,
            either(true),
            either(false),
            maybe(process.connection_type),
            Value::Null,
            Value::Null,
            either(true),
        ];
        row.extend((0..4).map(|_| Value::UInt(0)));
        row.push(either(false));
        row
    };
    Ok(source.database.process_list().into_iter().map(row).collect())
}

/// A part of an XA transaction's name: as text if it can be read, else its bytes.
fn xid_part(part: &[u8]) -> Value {
    match std::str::from_utf8(part) {
        Ok(readable) if part.iter().all(|byte| (b' '..=b'~').contains(byte)) => text(readable),
        _ => text(part.iter().fold("0x".to_owned(), |shown, byte| shown + &format!("{byte:02X}"))),
    }
}

fn xid_cells(xa: Option<&(Xid, &'static str)>) -> [Value; 4] {
    match xa {
        Some((xid, state)) => [
            Value::Int(i64::try_from(xid.format).unwrap_or(i64::MAX)),
            xid_part(&xid.global),
            if xid.branch.is_empty() { Value::Null } else { xid_part(&xid.branch) },
            text(*state),
        ],
        None => [Value::Null, Value::Null, Value::Null, Value::Null],
    }
}

/// Time since the server began, in picoseconds.
fn timer(since_start: Duration) -> Value {
    Value::UInt(u64::try_from(since_start.as_nanos().saturating_mul(1000)).unwrap_or(u64::MAX))
}

/// The owners that have the definition of a table locked: their transaction has used it.
fn users_of_tables(database: &Database) -> HashSet<OwnerId> {
    let locks = database.engine().metadata_locks().list(MOST).into_iter();
    locks.filter(|lock| matches!(lock.key, MdlKey::Table(..))).map(|lock| lock.owner).collect()
}

pub(super) fn transactions(source: &Source<'_>) -> Result<Rows, SqlError> {
    let now = source.database.clock().monotonic();
    let started = now.saturating_sub(source.database.uptime());
    let users = users_of_tables(source.database);
    let mut rows = Rows::new();
    for process in source.database.process_list() {
        let counts = |open: &TransactionInfo| {
            !open.autocommit || open.has_read || open.rows > 0 || users.contains(&process.owner)
        };
        // A statement that uses no table (as this one) is no transaction; the one before stays in sight.
        let Some(shown) = process.transaction.filter(counts).or(process.last_transaction) else { continue };
        let end = shown.ended.unwrap_or(now);
        let is_over = shown.state != TransactionState::Active;
        let [format, global, branch, xa_state] = xid_cells(shown.xa.as_ref());
        let [saved, returned, released] = shown.savepoints.map(Value::UInt);
        rows.push(vec![
            Value::UInt(process.id),
            Value::UInt(shown.event),
            if is_over { Value::UInt(shown.event) } else { Value::Null },
            text("transaction"),
            Value::UInt(match shown.state {
                TransactionState::Active => 1,
                TransactionState::Committed => 2,
                TransactionState::RolledBack => 3,
            }),
            Value::UInt(shown.id),
            text("AUTOMATIC"),
            format,
            global,
            branch,
            xa_state,
            Value::Null,
            timer(shown.since.saturating_sub(started)),
            timer(end.saturating_sub(started)),
            timer(end.saturating_sub(shown.since)),
            either(shown.read_only),
            text(shown.level),
            either(shown.autocommit),
            saved,
            returned,
            released,
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
    }
    Ok(rows)
}
