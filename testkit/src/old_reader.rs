//! A reader that stays: one REPEATABLE READ transaction reads a whole table again and again, while eight others
//! update, delete and insert its rows. Each time it has to see exactly what it saw first, and what the server
//! keeps for it must not grow with the number of changes.
//!
//! Figures are looked at a few times a second, so a peak between two looks is missed; a growth is not.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql::Conn;
use mysql::prelude::Queryable;

use crate::client::{Address, code};
use crate::random::Random;
use crate::{Error, Result, RustyDb};

const LOOK: Duration = Duration::from_millis(250);

/// What is done beside the reader.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Rows of the table.
    pub rows: u64,
    /// Changes by all writers together: nine of ten are updates.
    pub changes: u64,
    /// Connections that write.
    pub writers: u64,
    /// Of the random choices.
    pub seed: u64,
}

/// What it came to; sizes in bytes, each the largest seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Findings {
    /// Changes made.
    pub changes: u64,
    /// How often the whole table was read, and compared.
    pub reads: u64,
    /// For how long.
    pub seconds: f64,
    /// Resident memory of the server before the load.
    pub resident_before: f64,
    /// Resident memory of the server.
    pub resident: f64,
    /// Older versions in memory.
    pub versions: f64,
    /// Commits and keys that wait for purge.
    pub backlog: f64,
    /// Segments of the log in the data directory.
    pub log: f64,
    /// Older versions in memory a moment after the reader had ended.
    pub versions_after: f64,
}

type Row = (u64, u64, String);

/// Runs it against a server without a database `kept`, whose data directory is `data`.
pub fn run(server: &RustyDb, data: &Path, load: &Load) -> Result<Findings> {
    fill(server.address(), load)?;
    let mut found = Findings { resident_before: resident(server.pid())?, ..Findings::default() };
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let reader = scope.spawn(|| read_on(server.address(), &stop, &done, load.changes));
        let writers: Vec<_> = (0..load.writers)
            .map(|number| {
                let done = &done;
                scope.spawn(move || write(server.address(), load, number, done))
            })
            .collect();
        while !reader.is_finished() && !writers.iter().all(|writer| writer.is_finished()) {
            look(server, data, &mut found).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            std::thread::sleep(LOOK);
        }
        stop.store(true, Ordering::Relaxed);
        let panicked = || Error::Broken("a client of the test panicked".into());
        for writer in writers {
            writer.join().map_err(|_| panicked())??;
        }
        found.reads = reader.join().map_err(|_| panicked())??;
        Ok(())
    })?;
    found.changes = done.load(Ordering::Relaxed);
    found.seconds = begun.elapsed().as_secs_f64();
    // The reader has ended: what was kept for it goes.
    for _ in 0..40 {
        found.versions_after = server.metric("rustydb_version_bytes")?;
        if found.versions_after == 0.0 {
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(found)
}

fn fill(address: &Address, load: &Load) -> Result<()> {
    let mut connection = address.connect()?;
    connection.query_drop("CREATE DATABASE kept")?;
    connection.query_drop(
        "CREATE TABLE kept.t (id INT NOT NULL PRIMARY KEY, n INT NOT NULL, c VARCHAR(120) NOT NULL, KEY (n))",
    )?;
    for from in (0..load.rows).step_by(1000) {
        let rows: Vec<String> = (from..load.rows.min(from + 1000))
            .map(|id| format!("({id}, {}, '{}')", id % 1000, "x".repeat(100)))
            .collect();
        connection.query_drop(format!("INSERT INTO kept.t VALUES {}", rows.join(",")))?;
    }
    Ok(())
}

/// Reads the table over and over in one transaction, once more after the writers are done; gives how often.
fn read_on(address: &Address, stop: &AtomicBool, done: &AtomicU64, changes: u64) -> Result<u64> {
    let mut connection = address.connect_to("kept")?;
    connection.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
    connection.query_drop("START TRANSACTION")?;
    let all = |connection: &mut Conn| -> Result<Vec<Row>> {
        Ok(connection.query("SELECT id, n, c FROM t ORDER BY id")?)
    };
    let first = all(&mut connection)?;
    // The same rows by the other index, which has versions of its own.
    let by_index = "SELECT COUNT(*), SUM(n) FROM t FORCE INDEX (n) WHERE n BETWEEN 100 AND 300";
    let summed: Option<(u64, Option<u64>)> = connection.query_first(by_index)?;
    let mut reads = 1;
    loop {
        let is_last = stop.load(Ordering::Relaxed) || done.load(Ordering::Relaxed) >= changes;
        let now = all(&mut connection)?;
        if now != first {
            let differing = now.iter().zip(&first).find(|(now, first)| now != first);
            return Err(Error::Broken(format!(
                "read {reads} of one snapshot gave {} rows, the first {}; first difference: {differing:?}",
                now.len(),
                first.len()
            )));
        }
        let again: Option<(u64, Option<u64>)> = connection.query_first(by_index)?;
        if again != summed {
            return Err(Error::Broken(format!("the index gave {summed:?}, then {again:?} in one snapshot")));
        }
        reads += 1;
        if is_last {
            connection.query_drop("COMMIT")?;
            return Ok(reads);
        }
    }
}

fn write(address: &Address, load: &Load, number: u64, done: &AtomicU64) -> Result<()> {
    let mut connection = address.connect_to("kept")?;
    let update = connection.prep("UPDATE t SET n = n + 1, c = ? WHERE id = ?")?;
    let delete = connection.prep("DELETE FROM t WHERE id = ?")?;
    let insert = connection.prep("INSERT INTO t VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE n = n + 1")?;
    let mut random = Random::new(load.seed.wrapping_mul(1000) + number);
    let mut text = String::new();
    for _ in 0..load.changes / load.writers {
        let id = random.below(load.rows + load.rows / 10);
        text.clear();
        text.extend(std::iter::repeat_n(char::from(b'a' + random.below(26) as u8), 100));
        let kind = random.below(20);
        loop {
            let changed = match kind {
                0 => connection.exec_drop(&delete, (id,)),
                1 => connection.exec_drop(&insert, (id, id % 1000, &text)),
                _ => connection.exec_drop(&update, (&text, id)),
            };
            match changed {
                // A deadlock or a wait that took too long: again.
                Err(error) if matches!(code(&error), Some(1205 | 1213)) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => break,
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn look(server: &RustyDb, data: &Path, found: &mut Findings) -> Result<()> {
    found.resident = found.resident.max(resident(server.pid())?);
    found.versions = found.versions.max(server.metric("rustydb_version_bytes")?);
    let backlog = server.metric("rustydb_purge_backlog")? + server.metric("rustydb_purge_parked_keys")?;
    found.backlog = found.backlog.max(backlog);
    let mut log = 0.0;
    for entry in std::fs::read_dir(data).map_err(Error::io("list the data directory"))? {
        let entry = entry.map_err(Error::io("list the data directory"))?;
        if entry.file_name().to_string_lossy().starts_with("wal-") {
            // A segment may be renamed meanwhile.
            log += entry.metadata().map_or(0.0, |about| about.len() as f64);
        }
    }
    found.log = found.log.max(log);
    Ok(())
}

/// Resident memory of a process, from /proc.
fn resident(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| Error::Broken(format!("{path} says no VmRSS")))
}
