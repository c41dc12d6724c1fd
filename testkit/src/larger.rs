//! Data ten times the buffer pool: sysbench's read_write with rows chosen evenly, so that most pages come from
//! disk and leave changed.
//!
//! Each server is measured in a memory cgroup of its own, both of the same size, page cache included: what the pool
//! does not hold the machine must not hold for it. The tables are filled before, without a limit: building indexes is
//! not what is measured. One run of many minutes after the other, since what is looked for
//! beside the rate is the stall: a thread reads the server's count of commits all the time, and the longest time
//! without a change is the figure.

use crate::options::Options;
use crate::report::Report;
use crate::sysbench::{figures, sysbench};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::cgroup::Cgroup;
use rustydb_testkit::client::Address;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, mariadb};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TABLES: u64 = 4;
const THREADS: u64 = 8;
/// Bytes of pages that a row takes on either server, its index entry included: about.
const ROW: u64 = 250;
/// Data, in pools.
const TIMES: u64 = 10;
/// Longest time without a commit, in seconds.
const MOST_GAP: f64 = 1.0;
/// Between two looks at the count of commits.
const LOOK: Duration = Duration::from_millis(10);
/// Longest start that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Seconds that each server runs before it is measured.
const WARMING: u64 = 15;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let quick = options.flag("--quick");
    let minutes = options.number("--minutes", if quick { 1 } else { 10 })?;
    let pool = options.number("--pool", if quick { 32 } else { 64 })?;
    let memory = options.number("--memory", pool + 256)?;
    let spread = options.word("--rand-type")?.unwrap_or_else(|| "uniform".into());
    let server = options.server()?;
    options.finish()?;
    let near = server.parent().unwrap_or(&server).to_owned();
    let groups =
        Cgroup::new("ours", memory << 20).and_then(|ours| Ok([ours, Cgroup::new("peer", memory << 20)?]));
    let groups = match groups {
        Ok(groups) => groups,
        Err(error) => {
            println!("larger: left out, memory cannot be limited here: {error}");
            return Ok(());
        }
    };
    let settings = ["--buffer-pool-size", &format!("{pool}M"), "--socket", "off"];
    let home = Home::new(&server, &near, &settings)?;
    let ours = RustyDb::start(&home)?;
    let mut peer = MariaDb::start(&near, &mariadb::Options { buffer_pool_mib: pool, ..Default::default() })?;

    let rows = (pool << 20) * TIMES / ROW / TABLES;
    let load = |more: &[String]| {
        let mut words = vec![
            format!("--tables={TABLES}"),
            format!("--table-size={rows}"),
            format!("--threads={THREADS}"),
            format!("--rand-type={spread}"),
            // A client that gives way in a deadlock begins again.
            "--mysql-ignore-errors=1213,1205".to_owned(),
        ];
        words.extend_from_slice(more);
        words
    };
    let mut report = Report::new("larger", "MariaDB");
    let mut found = Vec::new();
    for (name, address) in [("rustydb", ours.address()), ("MariaDB", peer.address())] {
        address.connect()?.query_drop("CREATE DATABASE sbtest")?;
        let begin = Instant::now();
        sysbench(address, "oltp_read_write", &load(&["prepare".into()]))?;
        println!("{name}: {} rows prepared in {:.0} s", rows * TABLES, begin.elapsed().as_secs_f64());
    }
    ours.stop()?;
    let home = home.wrapped_in(groups[0].enter());
    let ours = RustyDb::start(&home)?;
    peer.stop()?;
    peer.wrap_in(groups[1].enter());
    peer.launch()?;
    let again = peer.address().clone();
    peer.wait_until(PATIENCE, || again.connect().is_ok())?;
    for (name, address) in [("rustydb", ours.address()), ("MariaDB", peer.address())] {
        sysbench(address, "oltp_read_write", &load(&[format!("--time={WARMING}"), "run".into()]))?;
        let time = format!("--time={}", minutes * 60);
        let words = load(&[time, "--report-interval=1".into(), "run".into()]);
        let before = work(&ours, &peer)?;
        let (text, gap) = watched(address, || sysbench(address, "oltp_read_write", &words))?;
        let after = work(&ours, &peer)?;
        let seconds = by_second(&text);
        show(name, &seconds);
        let figures = figures(&text)?;
        // What the other server did meanwhile is not looked at.
        let server = usize::from(address.port == peer.address().port);
        let each = [0, 1, 2].map(|n| (after[n][server] - before[n][server]) / figures.transactions);
        found.push((figures, gap, seconds, each));
    }
    report.beside("data MiB", size_mib(&home.data(), "pages"), size_mib(&peer.data().join("sbtest"), "ibd"));
    let peak = |n: usize| groups[n].peak().map_or(f64::NAN, |bytes| bytes as f64 / f64::from(1 << 20));
    report.beside("memory at most MiB", peak(0), peak(1));
    let slowest = |n: usize| found[n].2.iter().copied().fold(f64::INFINITY, f64::min);
    report.rate("read_write per s", found[0].0.per_second, found[1].0.per_second, Some(1.0));
    report.beside("slowest second per s", slowest(0), slowest(1));
    report.beside("p95 ms", found[0].0.p95_ms, found[1].0.p95_ms);
    for (n, (name, _, _)) in WORK.iter().enumerate() {
        report.beside(*name, found[0].3[n], found[1].3[n]);
    }
    report.beside("longest gap without commit s", found[0].1, found[1].1);
    report.at_most("longest gap, ours s", found[0].1, MOST_GAP);
    report.finish()
}

/// What a transaction costs the disk: the name, our metric, MariaDB's status.
const WORK: [(&str, &str, &str); 3] = [
    ("pages read a transaction", "rustydb_buffer_reads_total", "Innodb_pages_read"),
    ("pages written a transaction", "rustydb_buffer_writes_total", "Innodb_pages_written"),
    ("bytes of log a transaction", "rustydb_wal_bytes_total", "Innodb_os_log_written"),
];

/// The counts of [`WORK`] now, ours and the peer's.
fn work(ours: &RustyDb, peer: &MariaDb) -> Result<[[f64; 2]; 3]> {
    let mut counts = [[0.0; 2]; 3];
    for (count, (_, metric, status)) in counts.iter_mut().zip(WORK) {
        *count = [ours.metric(metric)?, peer.status(status)? as f64];
    }
    Ok(counts)
}

/// Runs `load` and gives its output with the longest time that the server's count of commits stood still.
fn watched(address: &Address, load: impl FnOnce() -> Result<String>) -> Result<(String, f64)> {
    let mut connection = address.connect()?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| longest_gap(&mut connection, &done));
        let text = load();
        done.store(true, Ordering::Relaxed);
        let gap = watch.join().unwrap_or_else(|_| Err(Error::Broken("the watch ended by itself".into())));
        Ok((text?, gap?))
    })
}

fn longest_gap(connection: &mut Conn, done: &AtomicBool) -> Result<f64> {
    let (mut last, mut since, mut longest) = (None, Instant::now(), Duration::ZERO);
    let mut commits = || -> Result<Option<(String, u64)>> {
        Ok(connection.query_first("SHOW GLOBAL STATUS LIKE 'Com_commit'")?)
    };
    let first = commits()?;
    while !done.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let count = commits()?;
        if count != last {
            // The load's own beginning is no stall.
            if last.is_some() && last != first {
                longest = longest.max(asked - since);
            }
            (last, since) = (count, asked);
        }
        std::thread::sleep(LOOK);
    }
    Ok(longest.as_secs_f64())
}

/// The transactions of each second, from lines such as `[ 7s ] thds: 8 tps: 512.01 qps: ...`.
fn by_second(text: &str) -> Vec<f64> {
    let rate = |line: &str| line.split_once("tps: ")?.1.split(' ').next()?.parse().ok();
    text.lines().filter(|line| line.starts_with("[ ")).filter_map(rate).collect()
}

fn show(name: &str, seconds: &[f64]) {
    println!("{name}: transactions a second");
    for (minute, chunk) in seconds.chunks(60).enumerate() {
        let chunk: Vec<String> = chunk.iter().map(|rate| format!("{rate:.0}")).collect();
        println!("  minute {:>2}: {}", minute + 1, chunk.join(" "));
    }
}

/// The size of the files in a folder whose names end so, in MiB.
fn size_mib(folder: &Path, end: &str) -> f64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes: u64 = files
        .filter(|file| file.file_name().to_string_lossy().ends_with(end))
        .filter_map(|file| file.metadata().ok())
        .map(|about| about.len())
        .sum();
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_of_sysbench_are_read() {
        let text = "Threads started!\n[ 1s ] thds: 8 tps: 512.01 qps: 10 (r/w/o: 1/2/3)\n[ 2s ] thds: 8 tps: 0.00 qps: 0\n";
        assert_eq!(by_second(text), [512.01, 0.0]);
    }
}
