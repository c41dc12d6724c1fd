//! What idle connections cost: memory of the server, and time of the one client that works.
//!
//! Rounds with and without the idle crowd alternate. Noise is how far the rounds without it lie apart.

use crate::options::Options;
use crate::report::{Report, median};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};
use std::time::Instant;

/// Most growth of the server's resident memory, in MiB.
const MOST_GROWTH: f64 = 100.0;
const ROWS: u32 = 10_000;
const WARMING: u32 = 2_000;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let connections = options.number("--connections", 2_000)?;
    let quick = options.flag("--quick");
    let server = options.server()?;
    options.finish()?;
    let (rounds, reads) = if quick { (3, 5_000) } else { (5, 40_000) };
    allow_open_files(connections + 200);

    let most = (connections + 50).to_string();
    let near = server.parent().unwrap_or(&server);
    let home = Home::new(&server, near, &["--max-connections", &most, "--socket", "off"])?;
    let server = RustyDb::start(&home)?;
    let mut reader = server.address().connect()?;
    fill(&mut reader)?;
    point_reads(&mut reader, WARMING)?;

    let (mut alone, mut crowded, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let without = point_reads(&mut reader, reads)?;
        let before = resident_mib(server.pid())?;
        let crowd: Vec<Conn> = (0..connections).map(|_| server.address().connect()).collect::<Result<_>>()?;
        let after = resident_mib(server.pid())?;
        let with = point_reads(&mut reader, reads)?;
        println!(
            "round {round}: {} connections cost {:.1} MiB; point read p50 {:.1} us without, {:.1} us with; \
             p95 {:.1} and {:.1} us",
            crowd.len(),
            after - before,
            without.p50,
            with.p50,
            without.p95,
            with.p95
        );
        // Later rounds find memory that the allocator has kept: the first one is the cost.
        growth.push(after - before);
        alone.push(without);
        crowded.push(with);
        drop(crowd);
    }
    let growth = growth.iter().copied().fold(f64::MIN, f64::max);
    let p50 = |all: &[Latency]| all.iter().map(|latency| latency.p50).collect::<Vec<_>>();
    let p95 = |all: &[Latency]| median(&all.iter().map(|latency| latency.p95).collect::<Vec<_>>());
    let (without, with) = (p50(&alone), p50(&crowded));
    let spread =
        without.iter().copied().fold(f64::MIN, f64::max) - without.iter().copied().fold(f64::MAX, f64::min);
    let noise = spread.max(median(&without) * 0.05);
    let mut report = Report::new("idle", "without");
    report.at_most(format!("growth by {connections} MiB"), growth, MOST_GROWTH);
    report.alone("growth per connection KiB", growth * 1024.0 / connections as f64);
    report.beside("point read p50 us", median(&with), median(&without));
    report.beside("point read p95 us", p95(&crowded), p95(&alone));
    report.at_most("p50 slower by us (bound: noise)", median(&with) - median(&without), noise);
    report.finish()
}

#[derive(Debug, Clone, Copy)]
struct Latency {
    p50: f64,
    p95: f64,
}

fn fill(connection: &mut Conn) -> Result<()> {
    connection.query_drop("CREATE DATABASE idle")?;
    connection.query_drop("USE idle")?;
    connection.query_drop("CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v VARCHAR(100) NOT NULL)")?;
    let rows: Vec<_> = (0..ROWS).map(|id| format!("({id}, '{}')", "x".repeat(100))).collect();
    for part in rows.chunks(500) {
        connection.query_drop(format!("INSERT INTO t VALUES {}", part.join(",")))?;
    }
    Ok(())
}

/// Prepared reads by primary key, one after the other: microseconds.
fn point_reads(connection: &mut Conn, reads: u32) -> Result<Latency> {
    let statement = connection.prep("SELECT v FROM idle.t WHERE id = ?")?;
    let mut times = Vec::with_capacity(reads as usize);
    for n in 0..reads {
        let begin = Instant::now();
        let row: Option<String> = connection.exec_first(&statement, (n.wrapping_mul(7_919) % ROWS,))?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
        if row.is_none() {
            return Err(Error::Broken("a row that was inserted is not found".into()));
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times.get((times.len() as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    Ok(Latency { p50: at(0.5), p95: at(0.95) })
}

/// Resident memory of a process, from /proc.
fn resident_mib(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Error::Broken(format!("{path} says no VmRSS")))
}

/// Raises our own limit of open files as far as we may.
fn allow_open_files(wanted: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
        // When it is refused, opening the connections says so.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
