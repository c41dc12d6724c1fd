//! The process list: who is connected and what each connection does now.
//!
//! A session updates its own entry under a lock that nobody else holds for long; a list reader or a
//! KILL takes the map of entries first and one entry after. Keeping the text of the running statement
//! copies at most [`SHOWN_BYTES`] into a buffer that is used again, so it costs no allocation.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use rustydb_transaction::{Cancel, CancelReason};

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
}

/// One connection's entry.
pub struct Process {
    /// Number of the connection
    pub id: u64,
    host: String,
    cancel: Cancel,
    activity: Mutex<Activity>,
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
        ProcessInfo {
            id: self.id,
            user: activity.user.clone(),
            host: self.host.clone(),
            database: activity.database.clone(),
            command: activity.command,
            time: now.saturating_sub(activity.since),
            statement: running.then(|| activity.statement.clone()),
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
    pub(crate) fn add(&self, id: u64, user: &str, host: &str, cancel: Cancel, now: Duration) -> Arc<Process> {
        let activity = Activity {
            command: Command::Sleep,
            since: now,
            database: None,
            user: user.to_owned(),
            statement: String::new(),
        };
        let process = Arc::new(Process { id, host: host.to_owned(), cancel, activity: Mutex::new(activity) });
        self.entries.write().insert(id, Arc::clone(&process));
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

    #[test]
    fn kill_query_spares_an_idle_connection() {
        let list = Processes::default();
        let cancel = Cancel::new();
        let process = list.add(7, "root", "localhost", cancel.clone(), Duration::ZERO);
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
        let process = list.add(3, "root", "h:1", Cancel::new(), Duration::from_secs(10));
        process.set_database(Some("test"));
        process.begin(Command::Query, &"é".repeat(SHOWN_BYTES), Duration::from_secs(12));
        let shown = &list.list(Duration::from_secs(15))[0];
        assert_eq!((shown.time, shown.command), (Duration::from_secs(3), Command::Query));
        assert_eq!(shown.statement.as_ref().map(String::len), Some(SHOWN_BYTES));
        process.end(Duration::from_secs(15));
        assert_eq!(list.list(Duration::from_secs(15))[0].statement, None);
        list.remove(&process);
        assert_eq!(list.count(), 0);
    }
}
