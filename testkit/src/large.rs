//! `cargo xtask bench large`: statements whose intermediate rows do not fit the memory that they may hold.
//!
//! Each runs once on a fresh server of ours, whose settings are the memory of the case, and once on MariaDB with the
//! same buffer pool and sort buffer. What is measured is that it finishes, its time beside MariaDB's, that both answer the
//! same, and how much memory our server had at most: the pool, what the statement may hold, and [`REST`] for everything
//! else. Most rows are made by cross joins of two small tables, so that nothing large has to be loaded.

use crate::options::Options;
use crate::report::Report;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, Row, Value};
use rustydb_testkit::client::Address;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, mariadb};
use std::path::Path;
use std::time::{Duration, Instant};

/// Buffer pool of either server, in MiB.
const POOL: u64 = 64;
/// What a server has beside its pool and its statement, in MiB: code, threads, the log, packets.
const REST: u64 = 160;
/// Longest time of a statement, in seconds.
const CAP: u64 = 600;

/// A statement with the memory that it may hold.
struct Case {
    name: &'static str,
    /// In MiB
    memory: u64,
    sql: String,
    /// Whether the rows come in the order of their first column
    ordered: bool,
}

fn cases(quick: bool) -> Vec<Case> {
    let part = if quick { 10 } else { 1 };
    // (a.n, b.n) numbers the pairs of a cross join.
    let (wide, long) = (3_000 / part, 10_000 / part);
    let case = |name, memory, sql, ordered| Case { name, memory, sql, ordered };
    vec![
        case(
            "correlated, by key",
            128,
            "SELECT COUNT(*), SUM(s) FROM (SELECT (SELECT SUM(i.v) FROM inside i WHERE i.g = o.id) AS s FROM outside o) x"
                .to_owned(),
            false,
        ),
        case(
            "correlated, by range",
            128,
            "SELECT COUNT(*), SUM(s) FROM (SELECT (SELECT SUM(i.v) FROM inside i WHERE i.id > o.id AND i.id <= o.id + 3) AS s \
             FROM outside o) x"
                .to_owned(),
            false,
        ),
        case(
            "recursive, 1,000,000 rows",
            128,
            format!(
                "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {}) SELECT COUNT(*), SUM(n) FROM r",
                1_000_000 / part
            ),
            false,
        ),
        case(
            "sort of 3 GB in 128 MiB",
            128,
            format!(
                "SELECT CRC32(a.n * 10000 + b.n) AS k, REPEAT(CHAR(65 + b.n % 26), 1000) AS pad FROM numbers a, numbers b \
                 WHERE a.n < 1000 AND b.n < {wide} ORDER BY k"
            ),
            true,
        ),
        case(
            "10,000,000 groups in 256 MiB",
            256,
            format!(
                "SELECT COUNT(*), SUM(c), MAX(g) FROM (SELECT a.n * 10000 + b.n AS g, COUNT(*) AS c \
                 FROM numbers a, numbers b WHERE a.n < 1000 AND b.n < {long} GROUP BY a.n * 10000 + b.n) x"
            ),
            false,
        ),
    ]
}

pub(crate) fn run(mut options: Options) -> Result<()> {
    let quick = options.flag("--quick");
    let alone = options.flag("--alone");
    let only = options.word("--only")?;
    let server = options.server()?;
    options.finish()?;
    let near = server.parent().unwrap_or(&server).to_owned();
    let mut report = Report::new("large", "MariaDB");
    let mut failed = Vec::new();
    for case in
        cases(quick).iter().filter(|case| only.as_ref().is_none_or(|part| case.name.contains(part.as_str())))
    {
        let (seconds, memory, ours) = match measured(case, &server, &near) {
            Ok(done) => done,
            Err(error) => {
                println!("{}: {error}", case.name);
                failed.push(case.name);
                continue;
            }
        };
        println!("{:<30} rustydb {seconds:.2} s, {memory:.0} MiB", case.name);
        report.at_most(format!("{} MiB", case.name), memory, (POOL + case.memory + REST) as f64);
        if alone {
            report.alone(format!("{} s", case.name), seconds);
            continue;
        }
        match on_mariadb(case, &near)? {
            Some((theirs, answer)) => {
                println!("{:<30} MariaDB {theirs:.2} s", case.name);
                report.time(format!("{} s", case.name), seconds, theirs, None);
                if answer != ours {
                    println!("{}: {ours:?}, MariaDB {answer:?}", case.name);
                    failed.push(case.name);
                }
            }
            None => report.beside(format!("{} s", case.name), seconds, f64::NAN),
        }
    }
    report.at_most("not finished or answered otherwise", failed.len() as f64, 0.0);
    report.finish()
}

/// Seconds, MiB and answer of ours.
fn measured(case: &Case, server: &Path, near: &Path) -> Result<(f64, f64, Vec<String>)> {
    let words = [
        "--buffer-pool-size".to_owned(),
        format!("{POOL}M"),
        "--statement-memory".to_owned(),
        format!("{}M", case.memory),
        "--socket".to_owned(),
        "off".to_owned(),
    ];
    let home = Home::new(server, near, &words.each_ref().map(String::as_str))?;
    let ours = RustyDb::start(&home)?;
    prepare(ours.address())?;
    let limit = format!("SET max_execution_time = {}, cte_max_recursion_depth = 1000001", CAP * 1000);
    let (seconds, answer) = ask(ours.address(), &limit, case)?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", ours.pid()))
        .map_err(Error::io("read how much memory the server had"))?;
    let most =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok());
    let kib: f64 =
        most.ok_or_else(|| Error::Broken("the kernel does not say how much memory there was".into()))?;
    Ok((seconds, kib / 1024.0, answer))
}

/// Seconds and answer of MariaDB's; None when it did not finish in time.
fn on_mariadb(case: &Case, near: &Path) -> Result<Option<(f64, Vec<String>)>> {
    let settings = vec![
        format!("--sort-buffer-size={}M", case.memory),
        format!("--tmp-table-size={}M", case.memory),
        format!("--max-heap-table-size={}M", case.memory),
    ];
    let peer =
        MariaDb::start(near, &mariadb::Options { buffer_pool_mib: POOL, settings, ..Default::default() })?;
    prepare(peer.address())?;
    let limit = format!("SET max_statement_time = {CAP}, max_recursive_iterations = 1000001");
    match ask(peer.address(), &limit, case) {
        Ok(done) => Ok(Some(done)),
        Err(Error::Sql(mysql::Error::MySqlError(refused))) => {
            println!("{}: MariaDB: {refused}", case.name);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn connect(address: &Address, database: Option<&str>) -> Result<Conn> {
    let options = address.options().db_name(database).read_timeout(Some(Duration::from_secs(CAP + 30)));
    Ok(Conn::new(Opts::from(options))?)
}

fn prepare(address: &Address) -> Result<()> {
    connect(address, None)?.query_drop("CREATE DATABASE large")?;
    let mut connection = connect(address, Some("large"))?;
    connection.query_drop("CREATE TABLE numbers (n INT PRIMARY KEY)")?;
    connection.query_drop("CREATE TABLE outside (id INT PRIMARY KEY)")?;
    connection.query_drop("CREATE TABLE inside (id INT PRIMARY KEY, g INT, v INT, KEY (g))")?;
    let mut fill = |table: &str, rows: u32, row: &dyn Fn(u32) -> String| -> Result<()> {
        for from in (0..rows).step_by(5_000) {
            let rows: Vec<String> = (from..rows.min(from + 5_000)).map(row).collect();
            connection.query_drop(format!("INSERT INTO {table} VALUES {}", rows.join(",")))?;
        }
        Ok(())
    };
    fill("numbers", 10_000, &|n| format!("({n})"))?;
    fill("outside", 100_000, &|n| format!("({n})"))?;
    fill("inside", 100_000, &|n| format!("({n},{},{})", n % 50_000, n % 97))
}

/// Runs the case's statement: its seconds, and what it answered, of many rows a digest.
fn ask(address: &Address, limit: &str, case: &Case) -> Result<(f64, Vec<String>)> {
    let mut connection = connect(address, Some("large"))?;
    connection.query_drop(limit)?;
    let begin = Instant::now();
    let (mut count, mut bytes, mut last, mut one) = (0_u64, 0_u64, 0_u64, Vec::new());
    for row in connection.query_iter(&case.sql)? {
        let row: Row = row?;
        count += 1;
        let cells = row.unwrap_raw();
        bytes += cells
            .iter()
            .map(|cell| if let Some(Value::Bytes(text)) = cell { text.len() as u64 } else { 0 })
            .sum::<u64>();
        let text = |cell: &Option<Value>| match cell {
            Some(Value::Bytes(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => "NULL".to_owned(),
        };
        if case.ordered {
            let key = cells.first().map(text).and_then(|key| key.parse().ok()).unwrap_or(0);
            if key < last {
                return Err(Error::Broken(format!("{}: {key} came after {last}", case.name)));
            }
            last = key;
        } else {
            one = cells.iter().map(text).collect();
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    one.extend([count.to_string(), bytes.to_string()]);
    Ok((seconds, one))
}
