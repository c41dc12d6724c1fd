//! SHOW ENGINE: the state of the engine as a text, in the layout of InnoDB's monitor.
//!
//! ```text
//! LATEST DETECTED DEADLOCK   the transactions of the last circle, what each had and waited for, who was rolled back
//! TRANSACTIONS               how much history there is; the transactions that have done anything
//! LOG                        its end, how far it is durable, where a restart would begin
//! BUFFER POOL AND MEMORY     pages, and how often they were found
//! ROW OPERATIONS             snapshots in use
//! ```
//! Every figure is one of this engine: what InnoDB shows beyond (semaphores, I/O threads, the adaptive hash index,
//! averages of the last seconds, addresses of pages) is left out. Totals count from the start of the server.
//!
//! MySQL asks for the privilege PROCESS; until grants are built every account has it.

use std::fmt::Write as _;

use rustydb_sql_parser::ast::{EngineReport, Ident};
use rustydb_value::{DateTime, Value};

use super::{Cell, Listing};
use crate::database::Database;
use crate::database::deadlocks::DeadlockReport;
use crate::database::processes::ProcessInfo;
use crate::error::SqlError;
use crate::information_schema::innodb::{OpenTransaction, open_transactions, wall_micros};
use crate::performance_schema::lock_view::{ShownLock, wanted_lock};
use crate::session::Session;

const COLUMNS: [(&str, Cell); 3] =
    [("Type", Cell::Text(10)), ("Name", Cell::Text(512)), ("Status", Cell::Text(65_535))];

/// Engines that MySQL has beside InnoDB; there is nothing to tell of them.
const OTHERS: &[&str] =
    &["MyISAM", "MEMORY", "HEAP", "MRG_MYISAM", "MERGE", "ARCHIVE", "CSV", "BLACKHOLE", "FEDERATED"];

/// Where the list of transactions ends.
const MOST_BYTES: usize = 1 << 20;

/// Runs SHOW ENGINE.
pub(super) fn engine(
    session: &Session,
    name: Option<&Ident>,
    what: EngineReport,
) -> Result<Listing, SqlError> {
    let mut listing = Listing::new(&COLUMNS);
    let is = |known: &str| name.is_none_or(|name| name.is(known));
    if is("PERFORMANCE_SCHEMA") && name.is_some() {
        return match what {
            EngineReport::Status => Err(SqlError::not_supported("SHOW ENGINE PERFORMANCE_SCHEMA STATUS")),
            EngineReport::Mutex | EngineReport::Logs => Ok(listing),
        };
    }
    if !is("InnoDB") && !is("INNOBASE") {
        return match OTHERS.iter().any(|other| is(other)) {
            true => Ok(listing),
            false => Err(SqlError::unknown_engine(name.map_or("", Ident::as_str))),
        };
    }
    match what {
        EngineReport::Status => {
            let text = status(session);
            listing.push(vec![
                Value::Text("InnoDB".to_owned()),
                Value::Text(String::new()),
                Value::Text(text),
            ]);
            Ok(listing)
        }
        // Latches count nothing.
        EngineReport::Mutex => Err(SqlError::not_supported("SHOW ENGINE ... MUTEX")),
        // InnoDB lists none here.
        EngineReport::Logs => Ok(listing),
    }
}

/// The monitor, as it is written.
struct Monitor<'a> {
    session: &'a Session,
    database: &'a Database,
    now_micros: u64,
    out: String,
}

fn status(session: &Session) -> String {
    let database = session.database();
    let now_micros = database.clock().wall_micros();
    let mut monitor = Monitor { session, database, now_micros, out: String::from("\n") };
    let title = format!("{} INNODB MONITOR OUTPUT", monitor.moment(now_micros));
    let line = "=".repeat(37);
    monitor.lines(&[&line, &title, &line]);
    if let Some(deadlock) = database.latest_deadlock().get() {
        monitor.deadlock(&deadlock);
    }
    monitor.transactions();
    monitor.figures();
    monitor.lines(&[
        "----------------------------",
        "END OF INNODB MONITOR OUTPUT",
        "============================",
    ]);
    monitor.out
}

/// How much there is to take back, if there is anything.
fn undo(rows: u64) -> String {
    if rows > 0 { format!(", undo log entries {rows}") } else { String::new() }
}

fn seconds(micros: u64) -> u64 {
    micros / 1_000_000
}

impl Monitor<'_> {
    fn lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    fn section(&mut self, title: &str) {
        let line = "-".repeat(title.len());
        self.lines(&[&line, title, &line]);
    }

    /// A line; writing into a text cannot fail.
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "{line}");
    }

    /// A moment in the session's zone.
    fn moment(&self, micros: u64) -> String {
        let micros = i64::try_from(seconds(micros) * 1_000_000).unwrap_or(0);
        let utc = DateTime::from_micros_since_epoch(micros, 0).unwrap_or(DateTime::ZERO);
        let zone = self.session.state().settings.time_zone;
        let mut text = Vec::new();
        utc.to_local(zone).unwrap_or(utc).write_text(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn lock(&mut self, lock: &ShownLock, transaction: Option<u64>, is_waiting: bool) {
        let waiting = if is_waiting { " waiting" } else { "" };
        let id = transaction.map(|id| format!(" trx id {id}")).unwrap_or_default();
        self.line(format_args!("{}{id} {}{waiting}", lock.on, lock.mode));
        if let Some(record) = &lock.record {
            self.line(format_args!("Record lock: {record}"));
        }
    }

    fn client(&mut self, session: u64, host: &str, user: &str, state: &str) {
        let line = format!("MySQL thread id {session} {host} {user} {state}");
        self.lines(&[line.trim_end()]);
    }

    fn deadlock(&mut self, report: &DeadlockReport) {
        self.section("LATEST DETECTED DEADLOCK");
        let at = self.moment(report.at_micros);
        self.lines(&[&at]);
        for (number, member) in (1..).zip(&report.members) {
            self.line(format_args!("*** ({number}) TRANSACTION:"));
            let transaction = member.process.as_ref().and_then(|process| process.transaction.as_ref());
            let id = transaction.map(|transaction| transaction.id);
            match (transaction, &member.process) {
                (Some(transaction), Some(process)) => {
                    let active = seconds(report.at_micros.saturating_sub(transaction.since_micros));
                    self.line(format_args!("TRANSACTION {}, ACTIVE {active} sec", transaction.id));
                    self.line(format_args!("LOCK WAIT{}", undo(transaction.rows)));
                    self.process(process);
                }
                // A definition statement has no transaction while it waits.
                (None, Some(process)) => self.process(process),
                (_, None) => {}
            }
            self.line(format_args!("\n*** ({number}) HOLDS THE LOCK(S):"));
            self.lock(&member.holds, id, false);
            self.line(format_args!("\n*** ({number}) WAITING FOR THIS LOCK TO BE GRANTED:"));
            self.lock(&member.wants, id, true);
            self.lines(&[""]);
        }
        self.line(format_args!("*** WE ROLL BACK TRANSACTION ({})", report.victim + 1));
    }

    fn process(&mut self, process: &ProcessInfo) {
        self.client(process.id, &process.host, &process.user, process.state);
        if let Some(statement) = &process.statement {
            self.lines(&[statement]);
        }
    }

    fn transactions(&mut self) {
        let engine = self.database.engine().statistics();
        self.section("TRANSACTIONS");
        self.line(format_args!("Trx id counter {}", engine.next_transaction));
        self.line(format_args!("History list length {}", engine.purge_backlog + engine.purge_parked));
        self.line(format_args!("Old row versions {}, {} bytes", engine.version_keys, engine.version_bytes));
        self.lines(&["LIST OF TRANSACTIONS FOR EACH SESSION:"]);
        for transaction in open_transactions(self.database) {
            if self.out.len() > MOST_BYTES {
                self.lines(&["... truncated..."]);
                break;
            }
            self.transaction(&transaction);
        }
    }

    fn transaction(&mut self, transaction: &OpenTransaction) {
        let OpenTransaction { info, locked, requested, .. } = transaction;
        let age = seconds(self.now_micros.saturating_sub(info.since_micros));
        let state = match &info.xa {
            Some((_, "PREPARED")) => "ACTIVE (PREPARED)",
            _ if info.is_rolling_back => "ROLLING BACK",
            _ => "ACTIVE",
        };
        self.line(format_args!("---TRANSACTION {}, {state} {age} sec", info.id));
        if transaction.query.is_some() {
            self.line(format_args!("mysql tables in use {0}, locked {0}", locked.tables));
        }
        let wait = if requested.is_some() { "LOCK WAIT " } else { "" };
        let undo = undo(info.rows);
        self.line(format_args!("{wait}{} lock struct(s), {} row lock(s){undo}", locked.groups, locked.rows));
        if transaction.session > 0 {
            self.client(transaction.session, &transaction.host, &transaction.user, transaction.state);
        }
        if let Some(query) = &transaction.query {
            self.lines(&[query]);
        }
        if let Some(request) = requested {
            let since = wall_micros(self.database, request.since);
            let waits = seconds(self.now_micros.saturating_sub(since));
            self.line(format_args!("------- TRX HAS BEEN WAITING {waits} SEC FOR THIS LOCK TO BE GRANTED:"));
            let lock = wanted_lock(self.database, transaction.owner, &request.wanted);
            self.lock(&lock, Some(info.id), true);
            self.lines(&["------------------"]);
        }
    }

    fn figures(&mut self) {
        let engine = self.database.engine().statistics();
        let store = &engine.storage;
        self.section("LOG");
        self.line(format_args!("Log sequence number          {}", engine.log_end));
        self.line(format_args!("Log flushed up to            {}", engine.log_durable));
        let checkpoint = engine.log_end.saturating_sub(store.log_since_checkpoint);
        self.line(format_args!("Last checkpoint at           {checkpoint}"));
        self.line(format_args!("{} log i/o's done, {} bytes", store.log_flushes, store.log_bytes));
        self.section("BUFFER POOL AND MEMORY");
        self.line(format_args!("Buffer pool size   {}", store.pool_pages));
        let free = store.pool_pages.saturating_sub(store.pool_pages_present);
        self.line(format_args!("Free buffers       {free}"));
        self.line(format_args!("Database pages     {}", store.pool_pages_present));
        self.line(format_args!("Modified db pages  {}", store.pool_pages_dirty));
        self.line(format_args!(
            "Pages read {}, read ahead {}, written {}",
            store.pool_reads, store.pool_reads_ahead, store.pool_writes
        ));
        let asked = store.pool_hits.saturating_add(store.pool_reads);
        if let Some(rate) = store.pool_hits.saturating_mul(1000).checked_div(asked) {
            self.line(format_args!("Buffer pool hit rate {rate} / 1000"));
        }
        self.section("ROW OPERATIONS");
        self.line(format_args!("{} read views open inside InnoDB", engine.snapshots.in_use));
    }
}
