//! Golden scripts of `crates/sql/testscripts` against a real MySQL: is what we hold for right what it answers?
//!
//! `rustydb-testkit scripts --peer PORT [NAME...]` runs each script in a fresh database `test` of the server on
//! that port (root without a password, as `mysqld --initialize-insecure` makes it) and prints the blocks whose
//! answers differ. Whether a session waits is asked of the performance schema.
//!
//! `--keep` writes the server's answers into the scripts instead. A difference is for a person to judge: the scripts
//! say in a comment where we differ knowingly.

use crate::options::Options;
use mysql::consts::ColumnType;
use mysql::prelude::Queryable;
use mysql::{Conn, Value};
use rustydb_testkit::client::Address;
use rustydb_testkit::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Longest time for a session to answer or to be seen waiting.
const SETTLE: Duration = Duration::from_secs(60);

/// Looks in a row that have to find the same sessions waiting: a definition statement waits for moments, too.
const LOOKS: u32 = 10;

/// Connections that wait for a lock on a row or on a definition.
const WAITING: &str = "SELECT t.processlist_id FROM performance_schema.threads t WHERE t.processlist_id > 0 AND (t.thread_id IN \
    (SELECT requesting_thread_id FROM performance_schema.data_lock_waits) OR t.thread_id IN \
    (SELECT owner_thread_id FROM performance_schema.metadata_locks WHERE lock_status = 'PENDING'))";

pub(crate) fn run(mut options: Options) -> Result<()> {
    let port = options.number("--peer", 0)?;
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| Error::Usage("--peer PORT is needed".into()))?;
    let folder = options.source()?.join("crates/sql/testscripts");
    let keep = options.flag("--keep");
    let names = options.rest()?;
    let peer = Address { port, user: "root".into(), password: String::new() };
    let mut differing = 0;
    for script in scripts(&folder, &names)? {
        let golden =
            std::fs::read_to_string(&script).map_err(Error::io(format!("read {}", script.display())))?;
        let answers = goldenscript::generate(&mut Script::new(&peer)?, &golden)
            .map_err(Error::io(format!("run {}", script.display())))?;
        if keep {
            std::fs::write(&script, answers).map_err(Error::io(format!("write {}", script.display())))?;
            continue;
        }
        let (blocks, different) = compare(&golden, &answers);
        println!("{}: {blocks} blocks, {different} differ", script.display());
        differing += different;
    }
    match differing {
        0 => Ok(()),
        count => Err(Error::Broken(format!("{count} blocks differ"))),
    }
}

/// The scripts with these names, or all.
fn scripts(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>> {
    if !names.is_empty() {
        return Ok(names.iter().map(|name| folder.join(format!("{name}.script"))).collect());
    }
    let mut found = Vec::new();
    for folder in [folder.to_owned(), folder.join("hermitage")] {
        let entries = std::fs::read_dir(&folder).map_err(Error::io(format!("list {}", folder.display())))?;
        found.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "script"));
    found.sort();
    Ok(found)
}

/// Prints the blocks that differ; how many there are and how many differ.
fn compare(golden: &str, answers: &str) -> (usize, usize) {
    let blocks = |text: &str| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>();
    let (ours, theirs) = (blocks(golden), blocks(answers));
    let mut different = 0;
    for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours.trim() != theirs.trim()) {
        different += 1;
        println!("--- held for right\n{ours}\n--- answered\n{}\n", answer_of(theirs));
    }
    (ours.len(), different + ours.len().abs_diff(theirs.len()))
}

fn answer_of(block: &str) -> &str {
    block.split_once("---\n").map_or(block, |(_, answer)| answer)
}

/// A session on a thread of its own.
struct Worker {
    id: u64,
    statements: Sender<String>,
    answers: Receiver<String>,
    /// Statements that were sent and not answered.
    open: usize,
}

impl Worker {
    fn new(peer: &Address) -> Result<Worker> {
        let mut connection = peer.connect()?;
        // The script's clock, and the time zone of a server in a container.
        connection.query_drop("SET time_zone = '+00:00', timestamp = 1767323045")?;
        let id = u64::from(connection.connection_id());
        let (statements, inbox) = channel::<String>();
        let (outbox, answers) = channel();
        std::thread::spawn(move || {
            while let Ok(sql) = inbox.recv() {
                if outbox.send(ask(&mut connection, &sql)).is_err() {
                    return;
                }
            }
        });
        Ok(Worker { id, statements, answers, open: 0 })
    }
}

/// The sessions of one script.
struct Script {
    peer: Address,
    watcher: Conn,
    workers: BTreeMap<String, Worker>,
}

impl Script {
    fn new(peer: &Address) -> Result<Script> {
        let mut watcher = peer.connect()?;
        watcher.query_drop("DROP DATABASE IF EXISTS test")?;
        watcher.query_drop("CREATE DATABASE test")?;
        Ok(Script { peer: peer.clone(), watcher, workers: BTreeMap::new() })
    }

    /// Runs a statement until it is answered or waits for a lock.
    fn ask(&mut self, name: &str, sql: &str, answered: bool) -> Result<String> {
        if !self.workers.contains_key(name) {
            self.workers.insert(name.to_owned(), Worker::new(&self.peer)?);
            self.ask(name, "USE test", true)?;
        }
        let gone = || Error::Broken(format!("session {name} is gone"));
        let worker = self.workers.get_mut(name).ok_or_else(gone)?;
        worker.statements.send(sql.to_owned()).map_err(|_| gone())?;
        worker.open += 1;
        let (mut own, mut looks) = (None, 0);
        let mut others: BTreeMap<String, String> = BTreeMap::new();
        let limit = Instant::now() + SETTLE;
        loop {
            for (other, worker) in &mut self.workers {
                while worker.open > 0
                    && let Ok(answer) = worker.answers.recv_timeout(Duration::from_millis(1))
                {
                    worker.open -= 1;
                    looks = 0;
                    if other == name && worker.open == 0 {
                        own = Some(answer);
                    } else {
                        let _ = write!(others.entry(other.clone()).or_default(), "{other} goes on: {answer}");
                    }
                }
            }
            let open: Vec<u64> = self.workers.values().filter(|w| w.open > 0).map(|w| w.id).collect();
            let settled = open.is_empty() || {
                let waiting: Vec<u64> = self.watcher.query(WAITING)?;
                open.iter().all(|id| waiting.contains(id))
            };
            looks = if settled { looks + 1 } else { 0 };
            if (open.is_empty() || looks >= LOOKS) && (own.is_some() || !answered) {
                break;
            }
            if Instant::now() > limit {
                return Err(Error::Broken(format!("'{sql}' neither answers nor waits")));
            }
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
    ) -> std::result::Result<String, Box<dyn std::error::Error>> {
        let name = context.prefix.as_deref().unwrap_or("root");
        Ok(self.ask(name, &command.name, context.tags.contains("answered"))?)
    }
}

/// One statement's answer, in the form that the scripts have.
fn ask(connection: &mut Conn, sql: &str) -> String {
    let mut out = String::new();
    if let Err(error) = answer(connection, sql, &mut out) {
        let _ = match error {
            mysql::Error::MySqlError(refused) => {
                writeln!(out, "ERROR {} ({}): {}", refused.code, refused.state, refused.message)
            }
            other => writeln!(out, "{other}"),
        };
    }
    out
}

fn answer(connection: &mut Conn, sql: &str, out: &mut String) -> mysql::Result<()> {
    let mut sets = connection.query_iter(sql)?;
    while let Some(set) = sets.iter() {
        let columns: Vec<(String, ColumnType)> = {
            let columns = set.columns();
            columns.as_ref().iter().map(|c| (c.name_str().into_owned(), c.column_type())).collect()
        };
        if columns.is_empty() {
            let _ = write!(out, "ok");
            if set.affected_rows() > 0 {
                let _ = write!(out, ", {} affected", set.affected_rows());
            }
            if let Some(id) = set.last_insert_id().filter(|id| *id > 0) {
                let _ = write!(out, ", id {id}");
            }
            if !set.info_str().is_empty() {
                let _ = write!(out, ", {}", set.info_str());
            }
            out.push('\n');
        } else {
            let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let _ = writeln!(out, "{}", names.join(" | "));
        }
        let warnings = set.warnings();
        for row in set {
            let row = row?;
            let cells = row.unwrap_raw().into_iter().zip(&columns);
            let cells: Vec<String> = cells.map(|(cell, (_, ty))| text(cell, *ty)).collect();
            let _ = writeln!(out, "{}", cells.join(" | "));
        }
        if warnings > 0 {
            let _ = writeln!(out, "{warnings} warning(s)");
        }
    }
    Ok(())
}

fn text(cell: Option<Value>, ty: ColumnType) -> String {
    match cell {
        Some(Value::Bytes(bytes)) if ty == ColumnType::MYSQL_TYPE_BIT => {
            let number = bytes.iter().fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
            format!("b'{number:b}'")
        }
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        None | Some(Value::NULL) => "NULL".to_owned(),
        Some(other) => other.as_sql(true),
    }
}
