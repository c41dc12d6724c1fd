//! The process list: who is connected and what each connection does now.
//!
//! A session updates its own entry under a lock that nobody else holds for long; a list reader or a
//! KILL takes the map of entries first and one entry after. Keeping the text of the running statement
//! copies at most [`SHOWN_BYTES`] into a buffer that is used again, so it costs no allocation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use rustydb_sql_parser::ast::Xid;
use rustydb_transaction::locks::{MdlKey, Wanted};
use rustydb_transaction::{Cancel, CancelReason, OwnerId, Progress};

use crate::api::{Transport, Way};
use crate::error::SqlError;

/// The most bytes of a statement that the list keeps.
pub const SHOWN_BYTES: usize = 4096;

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Waits for its client
    Sleep,
    /// Runs a text
    Query,
    /// Runs a prepared statement
    Execute,
    /// Prepares one
    Prepare,
}

impl Command {
    /// As SHOW PROCESSLIST prints it.
    pub fn name(self) -> &'static str {
        match self {
            Command::Sleep => "Sleep",
            Command::Query => "Query",
            Command::Execute => "Execute",
            Command::Prepare => "Prepare",
        }
    }
}

struct Activity {
    command: Command,
    since: Duration,
    database: Option<String>,
    user: String,
    statement: String,
    /// How many transactions there were.
    transactions: u64,
    current: Option<TransactionInfo>,
    /// The last that has ended.
    last: Option<TransactionInfo>,
}

/// What has become of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionState {
    /// It is open
    #[default]
    Active,
    /// It was committed
    Committed,
    /// It was rolled back
    RolledBack,
}

/// What lists show of a session's transaction; noted when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionInfo {
    /// How many transactions the session had up to this one
    pub event: u64,
    /// Its number
    pub id: u64,
    /// When the statement began that began it, on the monotonic clock
    pub since: Duration,
    /// The same moment, in microseconds since 1970 UTC
    pub since_micros: u64,
    /// Its isolation level
    pub level: &'static str,
    /// It refuses writes
    pub read_only: bool,
    /// It ends with its statement
    pub autocommit: bool,
    /// `unique_checks` when it began
    pub unique_checks: bool,
    /// `foreign_key_checks` when it began
    pub foreign_key_checks: bool,
    /// How often SAVEPOINT, ROLLBACK TO and RELEASE were used
    pub savepoints: [u64; 3],
    /// The name and state of an XA transaction
    pub xa: Option<(Xid, &'static str)>,
    /// Its changes are being taken back
    pub is_rolling_back: bool,
    /// What has become of it
    pub state: TransactionState,
    /// When the statement ended that ended it; None before
    pub ended: Option<Duration>,
    /// Rows that it has changed
    pub rows: u64,
    /// It has taken a snapshot
    pub has_read: bool,
}

/// One connection's entry.
pub struct Process {
    /// Number of the connection
    pub id: u64,
    host: String,
    connection_type: Option<&'static str>,
    cancel: Cancel,
    /// Of the session's locks; changes with XA PREPARE.
    owner: AtomicU64,
    progress: Arc<Progress>,
    activity: Mutex<Activity>,
}

/// Who connects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) id: u64,
    pub(crate) user: &'a str,
    pub(crate) host: &'a str,
    pub(crate) transport: &'a Transport,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Number of the connection
    pub id: u64,
    /// User name
    pub user: String,
    /// Where the client is
    pub host: String,
    /// Default database
    pub database: Option<String>,
    /// What it does
    pub command: Command,
    /// For how long
    pub time: Duration,
    /// The running statement, cut after [`SHOWN_BYTES`]
    pub statement: Option<String>,
    /// What it does, in the words of SHOW PROCESSLIST; empty for one that waits for its client
    pub state: &'static str,
    /// How the client is connected, as performance_schema.threads has it
    pub connection_type: Option<&'static str>,
    /// Whose its locks are
    pub owner: OwnerId,
    /// Its open transaction
    pub transaction: Option<TransactionInfo>,
    /// The last transaction that has ended
    pub last_transaction: Option<TransactionInfo>,
}

/// The state of one that waits for a metadata lock.
pub(super) fn wait_state(wanted: &Wanted) -> Option<&'static str> {
    let Wanted::Definition { key, .. } = wanted else { return None };
    Some(match key {
        MdlKey::Global => "Waiting for global read lock",
        MdlKey::Commit => "Waiting for commit lock",
        MdlKey::Backup => "Waiting for backup lock",
        MdlKey::Database(_) => "Waiting for schema metadata lock",
        MdlKey::UserLock(_) => "User lock",
        _ => "Waiting for table metadata lock",
    })
}

/// The state of one that runs a statement, which MySQL names by its kind.
fn running_state(statement: &str) -> &'static str {
    let word = statement.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    let is = |known: &str| word.eq_ignore_ascii_case(known);
    if is("UPDATE") || is("DELETE") {
        "updating"
    } else if is("INSERT") || is("REPLACE") {
        "update"
    } else {
        "executing"
    }
}

/// How a client is connected, in the words of performance_schema.threads.
fn connection_type(transport: &Transport) -> Option<&'static str> {
    match (transport.way, &transport.tls) {
        (Way::Embedded, _) => None,
        (_, Some(_)) => Some("SSL/TLS"),
        (Way::Tcp, None) => Some("TCP/IP"),
        (Way::Socket, None) => Some("Socket"),
    }
}

impl Process {
    /// Notes that a statement begins.
    pub(crate) fn begin(&self, command: Command, statement: &str, now: Duration) {
        let mut end = statement.len().min(SHOWN_BYTES);
        while !statement.is_char_boundary(end) {
            end -= 1;
        }
        let mut activity = self.activity.lock();
        activity.command = command;
        activity.since = now;
        activity.statement.clear();
        activity.statement.push_str(statement.get(..end).unwrap_or(""));
    }

    /// Notes that the statement has ended.
    pub(crate) fn end(&self, now: Duration) {
        let mut activity = self.activity.lock();
        activity.command = Command::Sleep;
        activity.since = now;
        if let Some(last) = activity
            .last
            .as_mut()
            .filter(|last| last.ended.is_none() && last.state != TransactionState::Active)
        {
            last.ended = Some(now);
        }
    }

    /// Where the session's transactions say how far they are.
    pub(crate) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Notes that a transaction begins, with the statement that runs.
    pub(crate) fn begin_transaction(&self, mut info: TransactionInfo) {
        let mut activity = self.activity.lock();
        activity.transactions += 1;
        info.event = activity.transactions;
        info.since = activity.since;
        activity.current = Some(info);
    }

    /// Notes a transaction that was no more than the statement that runs: it has committed.
    pub(crate) fn note_transaction_of_one_read(&self, mut info: TransactionInfo) {
        let mut activity = self.activity.lock();
        activity.transactions += 1;
        info.event = activity.transactions;
        info.since = activity.since;
        info.state = TransactionState::Committed;
        activity.last = Some(info);
    }

    /// Notes something of the open transaction.
    pub(crate) fn note_transaction(&self, note: impl FnOnce(&mut TransactionInfo)) {
        if let Some(current) = &mut self.activity.lock().current {
            note(current);
        }
    }

    /// Notes how the open transaction has ended, with the statement that runs.
    pub(crate) fn end_transaction(&self, state: TransactionState) {
        let mut activity = self.activity.lock();
        if let Some(mut ended) = activity.current.take() {
            ended.state = state;
            activity.last = Some(ended);
        }
    }

    /// The open transaction is prepared and belongs to no session any more, though the list of the session's events
    /// goes on to show it. Gives when it began.
    pub(crate) fn prepared_transaction(&self, xid: &Xid) -> u64 {
        let mut activity = self.activity.lock();
        let Some(mut prepared) = activity.current.take() else { return 0 };
        let since_micros = prepared.since_micros;
        prepared.xa = Some((xid.clone(), "PREPARED"));
        activity.last = Some(prepared);
        since_micros
    }

    /// Forgets the open transaction, which its statement did not need.
    pub(crate) fn drop_transaction(&self) {
        let mut activity = self.activity.lock();
        if activity.current.take().is_some() {
            activity.transactions -= 1;
        }
    }

    /// Notes whose the session's locks are from here on.
    pub(crate) fn set_owner(&self, owner: OwnerId) {
        self.owner.store(owner.0, Ordering::Relaxed);
    }

    /// Notes the default database.
    pub(crate) fn set_database(&self, database: Option<&str>) {
        self.activity.lock().database = database.map(str::to_owned);
    }

    /// Notes the user after COM_CHANGE_USER.
    pub(crate) fn set_user(&self, user: &str) {
        self.activity.lock().user = user.to_owned();
    }

    fn info(&self, now: Duration) -> ProcessInfo {
        let activity = self.activity.lock();
        let running = activity.command != Command::Sleep;
        let mut transaction = activity.current.clone();
        if let Some(transaction) = &mut transaction {
            transaction.rows = self.progress.rows();
            transaction.has_read = self.progress.has_read();
        }
        ProcessInfo {
            id: self.id,
            user: activity.user.clone(),
            host: self.host.clone(),
            database: activity.database.clone(),
            command: activity.command,
            time: now.saturating_sub(activity.since),
            statement: running.then(|| activity.statement.clone()),
            state: if running { running_state(&activity.statement) } else { "" },
            connection_type: self.connection_type,
            owner: OwnerId(self.owner.load(Ordering::Relaxed)),
            transaction,
            last_transaction: activity.last.clone(),
        }
    }
}

/// All connections.
#[derive(Default)]
pub struct Processes {
    entries: RwLock<HashMap<u64, Arc<Process>>>,
}

impl Processes {
    /// Adds a connection.
    pub(crate) fn add(
        &self,
        client: &Client<'_>,
        owner: OwnerId,
        cancel: Cancel,
        now: Duration,
    ) -> Arc<Process> {
        let activity = Activity {
            command: Command::Sleep,
            since: now,
            database: None,
            user: client.user.to_owned(),
            statement: String::new(),
            transactions: 0,
            current: None,
            last: None,
        };
        let process = Arc::new(Process {
            id: client.id,
            host: client.host.to_owned(),
            connection_type: connection_type(client.transport),
            cancel,
            owner: AtomicU64::new(owner.0),
            progress: Arc::default(),
            activity: Mutex::new(activity),
        });
        self.entries.write().insert(client.id, Arc::clone(&process));
        process
    }

    /// Removes a connection; nothing happens when another one has taken the number meanwhile.
    pub(crate) fn remove(&self, process: &Arc<Process>) {
        let mut entries = self.entries.write();
        if entries.get(&process.id).is_some_and(|entry| Arc::ptr_eq(entry, process)) {
            entries.remove(&process.id);
        }
    }

    /// The list, by number.
    pub fn list(&self, now: Duration) -> Vec<ProcessInfo> {
        let entries: Vec<Arc<Process>> = self.entries.read().values().cloned().collect();
        let mut list: Vec<ProcessInfo> = entries.iter().map(|p| p.info(now)).collect();
        list.sort_by_key(|p| p.id);
        list
    }

    /// The lines of those whose locks are these owners'.
    pub(crate) fn of_owners(&self, owners: &[OwnerId], now: Duration) -> Vec<ProcessInfo> {
        let entries = self.entries.read();
        let is_one =
            |process: &&Arc<Process>| owners.contains(&OwnerId(process.owner.load(Ordering::Relaxed)));
        entries.values().filter(is_one).map(|process| process.info(now)).collect()
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.entries.read().len()
    }

    /// Ends the running statement of a connection, or the whole connection.
    pub fn kill(&self, id: u64, statement_only: bool) -> Result<(), SqlError> {
        let entry = self.entries.read().get(&id).cloned();
        let entry = entry.ok_or_else(|| SqlError::no_such_thread(id))?;
        if statement_only {
            // An idle connection has no statement to end; the flag must not hit its next one.
            let activity = entry.activity.lock();
            if activity.command != Command::Sleep {
                entry.cancel.cancel(CancelReason::QueryKilled);
            }
        } else {
            entry.cancel.cancel(CancelReason::Killed);
        }
        Ok(())
    }

    /// Ends every connection because the server stops.
    pub fn shut_down(&self) {
        for entry in self.entries.read().values() {
            entry.cancel.cancel(CancelReason::Shutdown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: u64) -> Client<'static> {
        const TRANSPORT: &Transport = &Transport { way: Way::Tcp, tls: None, compression: None };
        Client { id, user: "root", host: "h:1", transport: TRANSPORT }
    }

    #[test]
    fn the_last_transaction_stays_until_another_has_ended() {
        let list = Processes::default();
        let process = list.add(&client(3), OwnerId(1), Cancel::new(), Duration::ZERO);
        let shown = || list.list(Duration::from_secs(9)).remove(0);
        process.begin(Command::Query, "COMMIT", Duration::from_secs(1));
        process.begin_transaction(TransactionInfo { id: 5, ..TransactionInfo::default() });
        assert_eq!(shown().transaction.map(|t| (t.id, t.event, t.since.as_secs())), Some((5, 1, 1)));
        process.end_transaction(TransactionState::Committed);
        process.end(Duration::from_secs(2));
        process.begin_transaction(TransactionInfo::default());
        process.drop_transaction();
        let shown = shown();
        assert_eq!(shown.transaction, None);
        let last = shown.last_transaction.map(|t| (t.id, t.state, t.ended.map(|at| at.as_secs())));
        assert_eq!(last, Some((5, TransactionState::Committed, Some(2))));
    }

    #[test]
    fn kill_query_spares_an_idle_connection() {
        let list = Processes::default();
        let cancel = Cancel::new();
        let process = list.add(&client(7), OwnerId(1), cancel.clone(), Duration::ZERO);
        list.kill(7, true).unwrap();
        assert!(!cancel.is_cancelled());
        process.begin(Command::Query, "SELECT SLEEP(10)", Duration::from_secs(1));
        list.kill(7, true).unwrap();
        assert_eq!(cancel.reason(), Some(CancelReason::QueryKilled));
        list.kill(7, false).unwrap();
        assert_eq!(cancel.reason(), Some(CancelReason::Killed));
        assert_eq!(list.kill(8, false).unwrap_err().code, 1094);
    }

    #[test]
    fn the_list_tells_what_runs_and_for_how_long() {
        let list = Processes::default();
        let process = list.add(&client(3), OwnerId(1), Cancel::new(), Duration::from_secs(10));
        process.set_database(Some("test"));
        process.begin(Command::Query, &"é".repeat(SHOWN_BYTES), Duration::from_secs(12));
        let shown = &list.list(Duration::from_secs(15))[0];
        assert_eq!((shown.time, shown.command), (Duration::from_secs(3), Command::Query));
        assert_eq!(shown.statement.as_ref().map(String::len), Some(SHOWN_BYTES));
        assert_eq!(shown.state, "executing");
        process.begin(Command::Query, " delete from t", Duration::from_secs(13));
        assert_eq!(list.list(Duration::from_secs(15))[0].state, "updating");
        process.end(Duration::from_secs(15));
        assert_eq!(list.list(Duration::from_secs(15))[0].statement, None);
        list.remove(&process);
        assert_eq!(list.count(), 0);
    }
}
