//! Golden scripts: SQL and its answers, in `testscripts/`.
//!
//! `> SELECT 1` runs in the session `root`; `b:> SELECT 1` in a session of that name. Each session has a thread.
//! A statement that comes to wait for a lock is answered with `(waits)`; its own answer stands below the
//! command that let it go on. Statements for a session that waits are kept for it. Whether a session waits is
//! asked of the lock table, so nothing depends on time; `b:[answered]> ..` is for waits that end by themselves.
//!
//! The session `types` describes the columns that it answers with: type, length, digits, collation, flags.
//!
//! `m:[deadlock]> SHOW ENGINE INNODB STATUS` shows that section alone, `m:[transactions]>` that one.
//!
//! Regenerate the answers with `UPDATE_GOLDENFILES=1` and read the difference before keeping it. The answers
//! were compared with a real MySQL: where they differ, the script says why.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustydb_sql::Database;

use crate::console;

/// A session on a thread of its own.
struct Worker {
    statements: Sender<String>,
    answers: Receiver<String>,
    /// Statements that were sent and not answered.
    open: usize,
}

impl Worker {
    fn new(database: &Arc<Database>, id: u64, describes: bool) -> Worker {
        let (statements, inbox) = channel::<String>();
        let (outbox, answers) = channel();
        let mut session = console::session(database, id);
        std::thread::spawn(move || {
            while let Ok(sql) = inbox.recv() {
                let answer = match describes {
                    true => console::ask_described(&mut session, &sql),
                    false => console::ask(&mut session, &sql),
                };
                if outbox.send(answer).is_err() {
                    return;
                }
            }
        });
        Worker { statements, answers, open: 0 }
    }
}

struct Script {
    database: Arc<Database>,
    workers: BTreeMap<String, Worker>,
}

impl Script {
    fn new() -> Script {
        let mut script = Script { database: console::database(), workers: BTreeMap::new() };
        script.ask("root", "CREATE DATABASE test", false).expect("it answers");
        script.ask("root", "USE test", false).expect("it answers");
        script
    }

    /// Runs a statement until it is answered or waits for a lock.
    fn ask(&mut self, name: &str, sql: &str, answered: bool) -> Result<String, Box<dyn Error>> {
        if !self.workers.contains_key(name) {
            let worker = Worker::new(&self.database, self.workers.len() as u64 + 1, name == "types");
            self.workers.insert(name.to_owned(), worker);
            if name != "root" {
                self.ask(name, "USE test", false)?;
            }
        }
        let worker = self.workers.get_mut(name).ok_or("the worker was just made")?;
        worker.statements.send(sql.to_owned())?;
        worker.open += 1;
        let mut own = None;
        let mut others: BTreeMap<String, String> = BTreeMap::new();
        let limit = Instant::now() + Duration::from_secs(60);
        // Settled when every session that has not answered is known to wait.
        loop {
            for (other, worker) in &mut self.workers {
                while worker.open > 0
                    && let Ok(answer) = worker.answers.try_recv()
                {
                    worker.open -= 1;
                    if other == name && worker.open == 0 {
                        own = Some(answer);
                    } else {
                        write!(others.entry(other.clone()).or_default(), "{other} goes on: {answer}")?;
                    }
                }
            }
            let open = self.workers.values().filter(|w| w.open > 0).count();
            let waiting = self.database.engine().locks().waits().len();
            if waiting == open && (own.is_some() || !answered) {
                break;
            }
            if Instant::now() > limit {
                return Err("a session neither answers nor waits".into());
            }
            std::thread::yield_now();
        }
        let others: String = others.into_values().collect();
        Ok(own.unwrap_or_else(|| "(waits)\n".to_owned()) + &others)
    }
}

impl goldenscript::Runner for Script {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        context: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let name = context.prefix.as_deref().unwrap_or("root");
        let answer = self.ask(name, &command.name, context.tags.contains("answered"))?;
        match (context.tags.contains("deadlock"), context.tags.contains("transactions")) {
            (true, _) => section(&answer, "LATEST DETECTED DEADLOCK"),
            (_, true) => section(&answer, "TRANSACTIONS"),
            _ => Ok(answer),
        }
    }
}

/// A section of SHOW ENGINE INNODB STATUS, without the numbers that depend on what went before.
fn section(answer: &str, title: &str) -> Result<String, Box<dyn Error>> {
    let lines = answer.lines().skip_while(|line| *line != title).skip(2);
    // A line of dashes ends it, with the next title behind: but not the short ones inside.
    let lines = lines.take_while(|line| *line != "------------" && *line != "---");
    let lines: Vec<&str> = lines.collect();
    let text = lines.join("\n");
    let counters = regex::Regex::new(r"(Trx id counter|History list length|Old row versions) .*\n")?;
    let numbers = regex::Regex::new(r"(?i)(transaction |trx id |active |waiting )[0-9]+")?;
    let times = regex::Regex::new(r"(?m)^[0-9]{4}-.*$")?;
    let text = counters.replace_all(&text, "");
    let text = numbers.replace_all(&text, "${1}N");
    Ok(times.replace_all(&text, "(time)").into_owned() + "\n")
}

macro_rules! scripts {
    ($folder:literal: $($name:ident)*) => {
        $(#[test]
        fn $name() {
            let path = concat!("testscripts/", $folder, stringify!($name), ".script");
            if let Err(error) = goldenscript::run(&mut Script::new(), path) {
                panic!("{path}: {error}");
            }
        })*
    };
}

scripts! {
    "":
    alter
    basics
    change
    change_subqueries
    checks
    collations
    column_types
    column_values
    create_select
    definitions
    explain
    foreign_key_rows
    foreign_keys
    generated
    gtid
    histograms
    index_versions
    innodb_status
    insert
    insert_forms
    interleavings
    interleavings_snapshot
    interleavings_writers
    joined_changes
    json
    locking_clauses
    lock_views
    locks
    maintenance
    optimizer_hints
    performance_schema
    prepared
    serializable
    show
    spatial
    table_locks
    temporary
    transaction_control
    transactions
    user_locks
    user_variables
    variables
    view_changes
    views
    xa
}

/// Martin Kleppmann's Hermitage: each anomaly tried at each isolation level.
mod hermitage {
    use super::Script;

    scripts! {
        "hermitage/":
        g0
        g1a
        g1b
        g1c
        g2
        g2_item
        g2_two_edges
        g_single
        g_single_predicate
        g_single_write_predicate
        otv
        p4
        p4_locking
        p4_statement
        pmp
        pmp_write
    }
}
