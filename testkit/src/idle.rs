//! What idle connections cost: memory of the server, and time of the one client that works.
//!
//! Memory is read twice: at once, when the crowd has just logged in, and when it has been idle long enough for
//! the server's memory to stand still; the bound is on the second, the first is shown beside it. Each round
//! reads points right before the crowd comes and while it is there, and the two are compared within the round:
//! what the machine does from minute to minute falls out, and the bound on the ratio is fixed.

use crate::options::Options;
use crate::report::{Report, median};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};
use std::time::{Duration, Instant};

/// Most growth of the server's resident memory, in MiB.
const MOST_GROWTH: f64 = 100.0;
/// Most that a point read may take with the crowd, as a multiple of without.
const MOST_SLOWER: f64 = 1.10;
/// Memory that has not moved by this much, in MiB, between two looks stands still.
const STILL: f64 = 0.25;
/// Between two looks, and how many at most.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 15;
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

    let (mut alone, mut crowded, mut peaks, mut growth) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let before = resident_mib(server.pid())?;
        let without = point_reads(&mut reader, reads)?;
        let crowd: Vec<Conn> = (0..connections).map(|_| server.address().connect()).collect::<Result<_>>()?;
        peaks.push(resident_mib(server.pid())? - before);
        growth.push(settled_mib(server.pid())? - before);
        let with = point_reads(&mut reader, reads)?;
        println!(
            "round {round}: {} connections cost {:.1} MiB at once, {:.1} MiB idle; point read p50 {:.1} us without, \
             {:.1} us with; p95 {:.1} and {:.1} us",
            crowd.len(),
            peaks[round - 1],
            growth[round - 1],
            without.p50,
            with.p50,
            without.p95,
            with.p95
        );
        alone.push(without);
        crowded.push(with);
        drop(crowd);
    }
    // Later rounds find memory that the allocator has kept, so the worst round is the cost.
    let worst = |all: &[f64]| all.iter().copied().fold(f64::MIN, f64::max);
    let of =
        |all: &[Latency], figure: fn(&Latency) -> f64| median(&all.iter().map(figure).collect::<Vec<_>>());
    let ratios: Vec<f64> = alone.iter().zip(&crowded).map(|(without, with)| with.p50 / without.p50).collect();
    let mut report = Report::new("idle", "without");
    report.alone(format!("growth by {connections} at once MiB"), worst(&peaks));
    report.at_most(format!("growth by {connections} idle MiB"), worst(&growth), MOST_GROWTH);
    report.alone("growth per idle connection KiB", worst(&growth) * 1024.0 / connections as f64);
    report.beside("point read p50 us", of(&crowded, |l| l.p50), of(&alone, |l| l.p50));
    report.beside("point read p95 us", of(&crowded, |l| l.p95), of(&alone, |l| l.p95));
    report.at_most("p50 with / without, by round", median(&ratios), MOST_SLOWER);
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

/// Resident memory once it stands still.
fn settled_mib(pid: u32) -> Result<f64> {
    let mut last = resident_mib(pid)?;
    for _ in 0..LOOKS {
        std::thread::sleep(LOOK);
        let now = resident_mib(pid)?;
        if (now - last).abs() < STILL {
            return Ok(now);
        }
        last = now;
    }
    Ok(last)
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
