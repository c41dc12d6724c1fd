//! data_locks, data_lock_waits, metadata_locks.

use hashbrown::HashMap;
use rustydb_transaction::OwnerId;
use rustydb_transaction::locks::{MdlDuration, MdlKey};
use rustydb_value::Value;

use super::lock_data::index_name;
use super::lock_view::{LockView, MOST, lock_waits};
use super::sessions::{Owner, owners};
use crate::error::SqlError;
use crate::information_schema::{Rows, Source, maybe, text};

fn number(value: Option<u64>) -> Value {
    value.map_or(Value::Null, Value::UInt)
}

/// Stands for an address: a number that differs from lock to lock.
fn instance(id: &str) -> Value {
    Value::UInt(id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

fn transaction_and_thread(owner: OwnerId, owners: &HashMap<OwnerId, Owner>) -> [Value; 2] {
    let known = owners.get(&owner);
    [number(known.and_then(|owner| owner.transaction)), number(known.and_then(|owner| owner.thread))]
}

pub(super) fn data_locks(source: &Source<'_>) -> Result<Rows, SqlError> {
    let lines = LockView::new(source.database, true).sorted();
    let owners = owners(source.database);
    let mut rows = Rows::with_capacity(lines.len());
    for line in lines {
        let [transaction, thread] = transaction_and_thread(line.owner, &owners);
        rows.push(vec![
            text("INNODB"),
            text(line.id.as_str()),
            transaction,
            thread,
            Value::Null,
            text(line.table.database.as_str()),
            text(line.table.name.as_str()),
            Value::Null,
            Value::Null,
            maybe(line.index.map(|at| index_name(&line.table, at))),
            instance(&line.id),
            text(if line.index.is_some() { "RECORD" } else { "TABLE" }),
            text(line.mode),
            text(if line.waiting { "WAITING" } else { "GRANTED" }),
            maybe(line.data),
        ]);
    }
    Ok(rows)
}

pub(super) fn data_lock_waits(source: &Source<'_>) -> Result<Rows, SqlError> {
    let waits = lock_waits(source.database);
    let owners = owners(source.database);
    let mut rows = Rows::with_capacity(waits.len());
    for wait in waits {
        let mut row = vec![text("INNODB")];
        for (owner, id) in [wait.requesting, wait.blocking] {
            let [transaction, thread] = transaction_and_thread(owner, &owners);
            let instance = instance(&id);
            row.extend([text(id), transaction, thread, Value::Null, instance]);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// For how long a metadata lock is held.
pub(super) fn duration_name(duration: MdlDuration) -> &'static str {
    match duration {
        MdlDuration::Statement => "STATEMENT",
        MdlDuration::Transaction => "TRANSACTION",
        MdlDuration::Explicit => "EXPLICIT",
    }
}

pub(super) fn metadata_locks(source: &Source<'_>) -> Result<Rows, SqlError> {
    let owners = owners(source.database);
    let mut rows = Rows::new();
    let mut push =
        |kind: &str, names: (Option<&str>, Option<&str>), words: [&str; 3], thread: Option<u64>| {
            let id = format!("{kind} {names:?} {words:?} {thread:?}");
            rows.push(vec![
                text(kind),
                maybe(names.0),
                maybe(names.1),
                Value::Null,
                instance(&id),
                text(words[0]),
                text(words[1]),
                text(words[2]),
                Value::Null,
                number(thread),
                Value::Null,
            ]);
        };
    let mut locks = source.database.engine().metadata_locks().list(MOST);
    locks.sort_by(|a, b| (&a.key, a.waiting_since, a.owner).cmp(&(&b.key, b.waiting_since, b.owner)));
    for lock in locks {
        let names = match &lock.key {
            MdlKey::Table(database, name) => (Some(&**database), Some(&**name)),
            MdlKey::Database(name) => (Some(&**name), None),
            MdlKey::UserLock(name) => (None, Some(&**name)),
            _ => (None, None),
        };
        let status = if lock.waiting_since.is_some() { "PENDING" } else { "GRANTED" };
        let thread = owners.get(&lock.owner).and_then(|owner| owner.thread);
        push(lock.key.kind_name(), names, [lock.mode.name(), duration_name(lock.duration), status], thread);
    }
    for lock in source.database.user_locks().list() {
        let status = if lock.is_waiting { "PENDING" } else { "GRANTED" };
        let names = (None, Some(lock.name.as_str()));
        push("USER LEVEL LOCK", names, ["EXCLUSIVE", "EXPLICIT", status], Some(lock.session));
    }
    Ok(rows)
}
