//! Writers, and consumers that come and go, on one data directory.
//!
//! A consumer keeps copies of all tables by what the change log says, and saves them with its position in one
//! file that replaces the one before. Whatever happens between two saves is repeated from the saved position. It
//! stops at the first commit that is missing or comes twice, and at the first image before a change that is not
//! what it has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustydb::changes::{Changes, Start, TableRow};
use rustydb::{Connection, Database, Value};

pub(crate) const CONSUMERS: u64 = 5;
const WRITERS: u64 = 4;
/// Keys of each table.
const KEYS: u64 = 500;
const TABLES: [&str; 3] = ["load.plain", "load.wide", "load.keyless"];

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// splitmix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

fn executed(db: &Database) -> Result<u64> {
    let (text,): (String,) = db.connect()?.query_one("SELECT @@gtid_executed", ())?;
    Ok(text.rsplit(['-', ':']).next().and_then(|number| number.parse().ok()).unwrap_or(0))
}

fn prepare(db: &Database) -> Result<()> {
    db.execute("CREATE DATABASE IF NOT EXISTS `load`", ())?;
    db.execute("CREATE TABLE IF NOT EXISTS `load`.plain (id INT PRIMARY KEY, n BIGINT, KEY (n))", ())?;
    let wide = "CREATE TABLE IF NOT EXISTS `load`.wide (id INT PRIMARY KEY, s VARCHAR(2000), d DECIMAL(9,2))";
    db.execute(wide, ())?;
    db.execute("CREATE TABLE IF NOT EXISTS `load`.keyless (id INT, s VARCHAR(20), KEY (id))", ())?;
    Ok(())
}

/// One transaction of one to four changes, some of them taken back.
fn write(connection: &mut Connection, random: &mut Random) -> rustydb::Result<()> {
    let changes = 1 + random.below(4);
    connection.execute("BEGIN", ())?;
    for _ in 0..changes {
        let (id, n) = (random.below(KEYS), random.below(1_000_000));
        let is_taken_back = random.below(12) == 0;
        if is_taken_back {
            connection.execute("SAVEPOINT s", ())?;
        }
        let text = "x".repeat(n as usize % 300);
        match random.below(8) {
            0..3 => {
                let sql = "INSERT INTO `load`.plain VALUES (?, ?) ON DUPLICATE KEY UPDATE n = VALUES(n)";
                connection.execute(sql, (id, n))?
            }
            3 => connection.execute("DELETE FROM `load`.plain WHERE id = ?", (id,))?,
            4 => connection.execute("REPLACE INTO `load`.wide VALUES (?, ?, ? / 100)", (id, text, n))?,
            5 => connection.execute("UPDATE `load`.plain SET n = n + 1 WHERE id = ?", (id,))?,
            6 => connection.execute("INSERT INTO `load`.keyless VALUES (?, ?)", (id, n.to_string()))?,
            _ => connection.execute("DELETE FROM `load`.keyless WHERE id = ?", (id,))?,
        };
        if is_taken_back {
            connection.execute("ROLLBACK TO s", ())?;
        }
    }
    connection.execute(if random.below(20) == 0 { "ROLLBACK" } else { "COMMIT" }, ())?;
    Ok(())
}

fn write_until(db: &Database, seed: u64, transactions: u64, stop: &AtomicBool) -> Result<()> {
    let mut random = Random(seed);
    let mut connection = db.connect()?;
    while !stop.load(Ordering::Relaxed) && executed(db)? < transactions {
        for _ in 0..50 {
            match write(&mut connection, &mut random) {
                Ok(()) => {}
                Err(error) if error.is_retryable() => {
                    connection.execute("ROLLBACK", ())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// What a consumer has made of the change log.
#[derive(Default)]
struct Copies {
    position: String,
    commit: u64,
    /// Transactions that were taken in, and how often it came back to its position.
    seen: u64,
    restarts: u64,
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl Copies {
    fn read(path: &Path) -> Result<Copies> {
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(Copies::default()) };
        let mut lines = text.lines();
        let head: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let [position, commit, seen, restarts] = head[..] else { return Err("a saved copy is cut".into()) };
        let mut copies = Copies {
            position: position.to_owned(),
            commit: commit.parse()?,
            seen: seen.parse()?,
            restarts: restarts.parse()?,
            tables: BTreeMap::new(),
        };
        for line in lines {
            let mut parts = line.splitn(3, '\t').map(str::to_owned);
            let (Some(table), Some(key), Some(row)) = (parts.next(), parts.next(), parts.next()) else {
                return Err("a row of a saved copy is cut".into());
            };
            copies.tables.entry(table).or_default().insert(key, row);
        }
        Ok(copies)
    }

    fn save(&self, path: &Path) -> Result<()> {
        let mut text = format!("{} {} {} {}\n", self.position, self.commit, self.seen, self.restarts);
        for (table, rows) in &self.tables {
            for (key, row) in rows {
                writeln!(text, "{table}\t{key}\t{row}")?;
            }
        }
        let new = path.with_extension("new");
        std::fs::write(&new, text)?;
        std::fs::rename(&new, path)?;
        Ok(())
    }

    fn take(&mut self, changes: &mut Changes, csn: u64) -> Result<()> {
        if csn != self.commit + 1 {
            return Err(format!("commit {csn} came after {}", self.commit).into());
        }
        while let Some(row) = changes.next_row()? {
            self.row(&row).map_err(|what| format!("commit {csn}: {what}"))?;
        }
        self.commit = csn;
        self.seen += 1;
        Ok(())
    }

    fn row(&mut self, row: &TableRow) -> std::result::Result<(), String> {
        let rows = self.tables.entry(format!("{}.{}", row.table.database, row.table.name)).or_default();
        let key = |values: &[Value]| match (row.row_id, values.first()) {
            (Some(id), _) => id.to_string(),
            (None, first) => format!("{first:?}"),
        };
        if let Some(before) = &row.before {
            let had = rows.remove(&key(before));
            if had.as_deref() != Some(&format!("{before:?}")) {
                return Err(format!("the row before is {before:?}, the copy has {had:?}"));
            }
        }
        if let Some(after) = &row.after
            && let Some(had) = rows.insert(key(after), format!("{after:?}"))
        {
            return Err(format!("{after:?} is inserted where {had} is"));
        }
        Ok(())
    }

    /// Compares the copies with the tables, which nobody writes any more.
    fn compare(&self, db: &Database) -> Result<usize> {
        let mut count = 0;
        for table in TABLES {
            let (database, name) = table.split_once('.').unwrap_or_default();
            let found = db.query(&format!("SELECT * FROM `{database}`.{name}"), ())?;
            let mut found: Vec<String> = found.iter().map(|row| format!("{:?}", row.values())).collect();
            let mut copied: Vec<String> =
                self.tables.get(table).into_iter().flat_map(|rows| rows.values().cloned()).collect();
            found.sort();
            copied.sort();
            if found != copied {
                return Err(format!("{table} has {} rows, its copy {}", found.len(), copied.len()).into());
            }
            count += found.len();
        }
        Ok(count)
    }
}

/// Follows the change log with pauses and restarts until the last commit, then compares.
fn consume(db: &Database, path: &Path, seed: u64, last: &impl Fn() -> Option<u64>) -> Result<String> {
    let mut random = Random(seed);
    loop {
        let mut copies = Copies::read(path)?;
        copies.restarts += 1;
        let start = match copies.position.as_str() {
            "" => Start::Oldest,
            position => Start::After(position.parse()?),
        };
        let mut changes = db.changes(start)?;
        for _ in 0..1 + random.below(4000) {
            if let Some(head) = changes.next(Duration::from_millis(20))? {
                copies.take(&mut changes, head.csn)?;
            } else if last() == Some(copies.commit) {
                copies.position = changes.position().to_string();
                copies.save(path)?;
                let rows = copies.compare(db)?;
                let Copies { commit, seen, restarts, .. } = copies;
                if seen != commit {
                    return Err(format!("{seen} transactions were seen of {commit}").into());
                }
                return Ok(format!(
                    "{seen} transactions, each once, over {restarts} starts; {rows} rows are the same"
                ));
            }
            if random.below(2000) == 0 {
                std::thread::sleep(Duration::from_millis(random.below(100)));
            }
        }
        // One time in four it dies without saving and repeats what it did since.
        if random.below(4) > 0 {
            copies.position = changes.position().to_string();
            copies.save(path)?;
        }
    }
}

/// Runs writers until there are so many transactions, beside all consumers; gives what each consumer says.
pub(crate) fn run(db: &Database, folder: &Path, seed: u64, transactions: u64) -> Result<Vec<String>> {
    prepare(db)?;
    let stop = AtomicBool::new(false);
    let is_written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let consumers: Vec<_> = (0..CONSUMERS)
            .map(|number| {
                let path: PathBuf = folder.join(format!("consumer-{number}"));
                let (is_written, stop) = (&is_written, &stop);
                let last = move || is_written.load(Ordering::Acquire).then(|| executed(db).ok()).flatten();
                scope.spawn(move || {
                    let done = consume(db, &path, seed ^ (number + 1) << 32, &last);
                    if done.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    done
                })
            })
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let stop = &stop;
                scope.spawn(move || write_until(db, seed ^ (number + 100) << 40, transactions, stop))
            })
            .collect();
        let mut failed = None;
        for writer in writers {
            match writer.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some("a writer panicked".into()),
            }
        }
        is_written.store(true, Ordering::Release);
        let mut said = Vec::new();
        for consumer in consumers {
            match consumer.join() {
                Ok(Ok(text)) => said.push(text),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some("a consumer panicked".into()),
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(said),
        }
    })
}
