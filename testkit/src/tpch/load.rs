//! Loading: multi-row INSERTs, several connections over parts of a table.
//!
//! A part's rows become text on the thread that sends them; with two connections one generates while the other
//! waits for the server. Every INSERT commits by itself, as a dump without LOCK TABLES does.

use super::schema::{TABLES, Table};
use crate::client::Address;
use crate::{Error, Result};
use mysql::prelude::Queryable;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of text after which an INSERT is sent: below every server's default for the longest packet.
const STATEMENT: usize = 256 << 10;

/// Connections that load a table.
const CONNECTIONS: i32 = 2;

/// Longest wait for one INSERT.
const ANSWER: Duration = Duration::from_secs(120);

/// What was loaded.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// In all tables together
    pub rows: u64,
    /// From the first CREATE TABLE to the last answer
    pub took: Duration,
}

impl Loaded {
    /// Rows a second.
    pub fn rate(&self) -> f64 {
        self.rows as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Makes the database `tpch` and fills its tables.
pub fn load(address: &Address, scale: f64) -> Result<Loaded> {
    let begin = Instant::now();
    let mut connection = address.connect()?;
    connection.query_drop("DROP DATABASE IF EXISTS tpch")?;
    connection.query_drop("CREATE DATABASE tpch")?;
    connection.query_drop("USE tpch")?;
    let mut rows = 0;
    for table in TABLES {
        connection.query_drop(table.definition())?;
        let parts = if table.divisible { CONNECTIONS } else { 1 };
        let counts: Vec<Result<u64>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (1..=parts)
                .map(|part| scope.spawn(move || insert(address, table, scale, part, parts)))
                .collect();
            let broken = || Err(Error::Broken("a loader ended by itself".into()));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| broken())).collect()
        });
        for count in counts {
            rows += count?;
        }
    }
    Ok(Loaded { rows, took: begin.elapsed() })
}

fn insert(address: &Address, table: Table, scale: f64, part: i32, parts: i32) -> Result<u64> {
    let options = address.options().db_name(Some("tpch")).read_timeout(Some(ANSWER));
    let mut connection = mysql::Conn::new(mysql::Opts::from(options))?;
    let head = format!("INSERT INTO {} VALUES ", table.name);
    let (mut sql, mut line, mut rows) = (head.clone(), String::new(), 0);
    table.rows(scale, part, parts, |row| -> Result<()> {
        line.clear();
        let _ = write!(line, "{row}");
        if sql.len() > head.len() {
            sql.push(',');
        }
        table.append_tuple(&line, &mut sql);
        rows += 1;
        if sql.len() > STATEMENT {
            connection.query_drop(&sql)?;
            sql.truncate(head.len());
        }
        Ok(())
    })?;
    if sql.len() > head.len() {
        connection.query_drop(&sql)?;
    }
    Ok(rows)
}

/// Writes the tables as `NAME.tbl` for engines that read files.
pub fn write_files(folder: &Path, scale: f64) -> Result<()> {
    for table in TABLES {
        let path = folder.join(format!("{}.tbl", table.name));
        let writing = || Error::io(format!("write {}", path.display()));
        let file = std::fs::File::create(&path).map_err(writing())?;
        let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
        let mut line = String::new();
        table
            .rows(scale, 1, 1, |row| {
                line.clear();
                let _ = write!(line, "{row}");
                writeln!(file, "{}", line.trim_end_matches('|'))
            })
            .map_err(writing())?;
        file.flush().map_err(writing())?;
    }
    Ok(())
}
