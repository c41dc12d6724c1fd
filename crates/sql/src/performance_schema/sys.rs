//! `sys.innodb_lock_waits` and `sys.schema_table_lock_waits`: who waits for whom, ready to read.
//!
//! In MySQL they are views; here their rows are put together from what the tables underneath have. The database `sys`
//! has no other tables and none of MySQL's functions.

use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;
use rustydb_transaction::locks::{MdlInfo, MdlKey};
use rustydb_value::{DateTime, Time, Value};

use super::lock_data::index_name;
use super::lock_view::{LockLine, LockView, MOST, lock_waits};
use super::locks::duration_name;
use crate::context::VirtualTable;
use crate::database::processes::ProcessInfo;
use crate::error::SqlError;
use crate::information_schema::innodb::{OpenTransaction, open_transactions, wall_micros};
use crate::information_schema::{Declared, Rows, Source, declared, maybe, text};

/// The database that they are in.
pub(crate) const DATABASE: &str = "sys";

/// How much of a statement is shown.
const SHOWN: usize = 64;

static DECLARED: &[Declared] = &[
    declared(
        "innodb_lock_waits",
        None,
        None,
        "wait_started:dt? wait_age:time? wait_age_secs:i8? locked_table:wtext? locked_table_schema:w64? \
         locked_table_name:w64? locked_table_partition:w64? locked_table_subpartition:w64? locked_index:w64? \
         locked_type:w32 waiting_trx_id:u8 waiting_trx_started:dt waiting_trx_age:time? waiting_trx_rows_locked:u8 \
         waiting_trx_rows_modified:u8 waiting_pid:u8 waiting_query:wtext? waiting_lock_id:w128 \
         waiting_lock_mode:w32 blocking_trx_id:u8 blocking_pid:u8 blocking_query:wtext? blocking_lock_id:w128 \
         blocking_lock_mode:w32 blocking_trx_started:dt blocking_trx_age:time? blocking_trx_rows_locked:u8 \
         blocking_trx_rows_modified:u8 sql_kill_blocking_query:w33 sql_kill_blocking_connection:w27",
        innodb_lock_waits,
    ),
    declared(
        "schema_table_lock_waits",
        None,
        None,
        "object_schema:w64? object_name:w64? waiting_thread_id:u8 waiting_pid:u8? waiting_account:wtext? \
         waiting_lock_type:w32 waiting_lock_duration:w32 waiting_query:wtext? waiting_query_secs:i8? \
         waiting_query_rows_affected:u8? waiting_query_rows_examined:u8? blocking_thread_id:u8 blocking_pid:u8? \
         blocking_account:wtext? blocking_lock_type:w32 blocking_lock_duration:w32 sql_kill_blocking_query:w31? \
         sql_kill_blocking_connection:w25?",
        schema_table_lock_waits,
    ),
];

static TABLES: LazyLock<Vec<Arc<dyn VirtualTable>>> =
    LazyLock::new(|| DECLARED.iter().map(|declared| declared.listed(DATABASE)).collect());

/// Both of them, by name.
pub(crate) fn tables() -> &'static [Arc<dyn VirtualTable>] {
    &TABLES
}

/// The one of this name.
pub(crate) fn table(database: &str, name: &str) -> Option<Arc<dyn VirtualTable>> {
    if database != DATABASE {
        return None;
    }
    tables().iter().find(|table| table.definition().name == name).cloned()
}

/// The beginning and the end of a statement, on one line.
fn shortened(statement: &str) -> String {
    let characters: Vec<char> = statement.chars().map(|c| if c == '\n' { ' ' } else { c }).collect();
    if characters.len() <= SHOWN {
        return characters.into_iter().collect();
    }
    let side = SHOWN / 2 - 2;
    let begin = characters.iter().take(side);
    let end = characters.iter().skip(characters.len() - side);
    begin.chain(&[' ', '.', '.', '.', ' ']).chain(end).collect()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Moments, and how long ago they were.
struct Clock {
    now_micros: u64,
    zone: rustydb_value::TimeZone,
}

impl Clock {
    fn moment(&self, micros: u64) -> Value {
        let seconds = i64::try_from(micros / 1_000_000).unwrap_or(0);
        let utc = DateTime::from_micros_since_epoch(seconds * 1_000_000, 0);
        utc.map_or(Value::Null, |utc| Value::DateTime(utc.to_local(self.zone).unwrap_or(utc)))
    }

    fn seconds_since(&self, micros: u64) -> i64 {
        i64::try_from((self.now_micros / 1_000_000).saturating_sub(micros / 1_000_000)).unwrap_or(i64::MAX)
    }

    fn age(&self, micros: u64) -> Value {
        Value::Time(Time::clamped(self.seconds_since(micros).saturating_mul(1_000_000), 0))
    }
}

fn innodb_lock_waits(source: &Source<'_>) -> Result<Rows, SqlError> {
    let database = source.database;
    let zone = source.session.settings.time_zone;
    let waits = lock_waits(database);
    let mut rows = Rows::new();
    if waits.is_empty() {
        return Ok(rows);
    }
    let lines = LockView::new(database, false).lines;
    let lines: HashMap<&str, &LockLine> = lines.iter().map(|line| (line.id.as_str(), line)).collect();
    let open = open_transactions(database);
    let open: HashMap<_, &OpenTransaction> = open.iter().map(|open| (open.owner, open)).collect();
    let clock = Clock { now_micros: database.clock().wall_micros(), zone };
    for wait in waits {
        let (waiting, blocking) = (open.get(&wait.requesting.0), open.get(&wait.blocking.0));
        let (asked, held) = (lines.get(wait.requesting.1.as_str()), lines.get(wait.blocking.1.as_str()));
        // Something has ended between two looks.
        let (Some(waiting), Some(blocking), Some(asked), Some(held)) = (waiting, blocking, asked, held)
        else {
            continue;
        };
        let since = waiting.requested.as_ref().map(|request| wall_micros(database, request.since));
        let (schema, name) = (asked.table.database.as_str(), asked.table.name.as_str());
        rows.push(vec![
            since.map_or(Value::Null, |since| clock.moment(since)),
            since.map_or(Value::Null, |since| clock.age(since)),
            since.map_or(Value::Null, |since| Value::Int(clock.seconds_since(since))),
            text(format!("{}.{}", quoted(schema), quoted(name))),
            text(schema),
            text(name),
            Value::Null,
            Value::Null,
            maybe(asked.index.map(|at| index_name(&asked.table, at))),
            text("RECORD"),
            Value::UInt(waiting.info.id),
            clock.moment(waiting.info.since_micros),
            clock.age(waiting.info.since_micros),
            Value::UInt(waiting.locked.rows),
            Value::UInt(waiting.info.rows),
            Value::UInt(waiting.session),
            maybe(waiting.query.as_deref().map(shortened)),
            text(asked.id.as_str()),
            text(asked.mode.as_str()),
            Value::UInt(blocking.info.id),
            Value::UInt(blocking.session),
            maybe(blocking.query.as_deref().map(shortened)),
            text(held.id.as_str()),
            text(held.mode.as_str()),
            clock.moment(blocking.info.since_micros),
            clock.age(blocking.info.since_micros),
            Value::UInt(blocking.locked.rows),
            Value::UInt(blocking.info.rows),
            text(format!("KILL QUERY {}", blocking.session)),
            text(format!("KILL {}", blocking.session)),
        ]);
    }
    Ok(rows)
}

fn schema_table_lock_waits(source: &Source<'_>) -> Result<Rows, SqlError> {
    let locks = source.database.engine().metadata_locks().list(MOST);
    let processes = source.database.process_list();
    let sessions: HashMap<_, &ProcessInfo> =
        processes.iter().map(|process| (process.owner, process)).collect();
    let account = |process: &ProcessInfo| {
        let host = process.host.split(':').next().unwrap_or("");
        text(format!("{}@{host}", process.user))
    };
    let (waiting, held): (Vec<&MdlInfo>, Vec<&MdlInfo>) =
        locks.iter().partition(|lock| lock.waiting_since.is_some());
    let mut rows = Rows::new();
    for wish in waiting {
        let MdlKey::Table(schema, name) = &wish.key else { continue };
        let Some(waits) = sessions.get(&wish.owner) else { continue };
        for lock in held.iter().filter(|lock| lock.key == wish.key) {
            let Some(blocks) = sessions.get(&lock.owner) else { continue };
            rows.push(vec![
                text(&**schema),
                text(&**name),
                Value::UInt(waits.id),
                Value::UInt(waits.id),
                account(waits),
                text(wish.mode.name()),
                text(duration_name(wish.duration)),
                maybe(waits.statement.as_deref().map(shortened)),
                Value::Int(i64::try_from(waits.time.as_secs()).unwrap_or(i64::MAX)),
                Value::Null,
                Value::Null,
                Value::UInt(blocks.id),
                Value::UInt(blocks.id),
                account(blocks),
                text(lock.mode.name()),
                text(duration_name(lock.duration)),
                text(format!("KILL QUERY {}", blocks.id)),
                text(format!("KILL {}", blocks.id)),
            ]);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_statement_shows_its_beginning_and_its_end() {
        assert_eq!(shortened("select\n1"), "select 1");
        let long = format!("{}{}", "a".repeat(50), "z".repeat(50));
        assert_eq!(shortened(&long), format!("{} ... {}", "a".repeat(30), "z".repeat(30)));
    }
}
