//! sysbench's OLTP scripts, unmodified, against ours and MariaDB in one run.
//!
//! Both servers sync at commit, keep no binary log, and have equal buffer pools on the same disk. Rounds are
//! interleaved (ours, theirs, theirs, ours, ..), so that a machine that slows down slows both; the medians are
//! compared. One server rests while the other is measured.

use crate::canned;
use crate::options::Options;
use crate::report::{Report, median};
use mysql::prelude::Queryable;
use rustydb_testkit::client::Address;
use rustydb_testkit::programs::{find, output};
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, mariadb};
use std::process::Command;

/// Script, and the ratio to MariaDB that is wanted.
const SCRIPTS: [(&str, Option<f64>); 4] = [
    ("oltp_point_select", Some(2.0)),
    ("oltp_read_only", Some(1.8)),
    ("oltp_read_write", Some(1.6)),
    ("oltp_write_only", Some(1.2)),
];

/// Most processor time of our server for a point read, as a multiple of that of a server which only sends packets.
const MOST_COST: f64 = 1.8;

/// Buffer pool of each server, in MiB: everything fits.
const POOL: u64 = 512;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) rows: u64,
}

impl Size {
    pub(crate) fn chosen(options: &mut Options) -> Size {
        match options.flag("--quick") {
            true => Size { rounds: 3, seconds: 3, rows: 10_000 },
            false => Size { rounds: 5, seconds: 15, rows: 100_000 },
        }
    }
}

/// What sysbench prints at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) transactions: f64,
    pub(crate) per_second: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Both servers, fresh, with the database `sbtest`.
pub(crate) struct Pair {
    pub(crate) ours: RustyDb,
    pub(crate) peer: MariaDb,
    _home: Home,
}

impl Pair {
    pub(crate) fn start(options: &mut Options) -> Result<Pair> {
        let server = options.server()?;
        // Beside the build, not in the temporary folder, which may be memory where a sync costs nothing.
        let near = server.parent().unwrap_or(&server).to_owned();
        let home =
            Home::new(&server, &near, &["--buffer-pool-size", &format!("{POOL}M"), "--socket", "off"])?;
        let ours = RustyDb::start(&home)?;
        let peer = MariaDb::start(&near, &mariadb::Options { buffer_pool_mib: POOL, ..Default::default() })?;
        for address in [ours.address(), peer.address()] {
            address.connect()?.query_drop("CREATE DATABASE sbtest")?;
        }
        Ok(Pair { ours, peer, _home: home })
    }
}

pub(crate) fn run(mut options: Options) -> Result<()> {
    let size = Size::chosen(&mut options);
    let pair = Pair::start(&mut options)?;
    options.finish()?;
    let (ours, peer) = (pair.ours.address(), pair.peer.address());
    let tables = ["--tables=4".to_owned(), format!("--table-size={}", size.rows), "--threads=8".to_owned()];
    let words = |more: &[&str]| {
        tables.iter().cloned().chain(more.iter().map(|w| (*w).to_owned())).collect::<Vec<_>>()
    };

    for address in [ours, peer] {
        sysbench(address, "oltp_read_write", &words(&["prepare"]))?;
    }
    let mut report = Report::new("sysbench", "MariaDB");
    let mut cost = None;
    for (script, wanted) in SCRIPTS {
        if cost.is_none() && script.contains("write") {
            // Before anything is written: what writes leave to be done later would count as the reads'.
            let run = words(&[&format!("--time={}", size.seconds), "run"]);
            cost = Some(canned::point_read_cost((ours, pair.ours.pid()), &run, size.rounds)?);
        }
        let time = format!("--time={}", size.seconds);
        let warm = words(&["--time=2", "run"]);
        let words = words(&[&time, "run"]);
        let rounds = interleaved(size.rounds, script, [ours, peer], |address, warming| {
            sysbench(address, script, if warming { &warm } else { &words })
        })?;
        let of =
            |n: usize, figure: fn(&Figures) -> f64| median(&rounds[n].iter().map(figure).collect::<Vec<_>>());
        let name = script.trim_start_matches("oltp_");
        report.rate(format!("{name} per s"), of(0, |f| f.per_second), of(1, |f| f.per_second), wanted);
        report.time(format!("{name} p95 ms"), of(0, |f| f.p95_ms), of(1, |f| f.p95_ms), Some(1.0));
        report.beside(format!("{name} p99 ms"), of(0, |f| f.p99_ms), of(1, |f| f.p99_ms));
    }
    if let Some((cost, least)) = cost {
        report.peer("canned packets");
        report.time("point read, server us", cost, least, Some(MOST_COST));
    }
    for address in [ours, peer] {
        sysbench(address, "oltp_read_write", &words(&["cleanup"]))?;
    }
    report.finish()
}

/// Measures both servers in turn, in the order that changes with every round, after a short warming of each.
pub(crate) fn interleaved(
    rounds: usize,
    name: &str,
    servers: [&Address; 2],
    measure: impl Fn(&Address, bool) -> Result<String>,
) -> Result<[Vec<Figures>; 2]> {
    let mut found = [Vec::new(), Vec::new()];
    for address in servers {
        measure(address, true)?;
    }
    for round in 0..rounds {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for server in order {
            let figures = figures(&measure(servers[server], false)?)?;
            let who = ["rustydb", "MariaDB"][server];
            println!(
                "{name:<20} round {} {who:<8} {:>9.0} /s  p95 {:.2}, p99 {:.2} ms",
                round + 1,
                figures.per_second,
                figures.p95_ms,
                figures.p99_ms
            );
            found[server].push(figures);
        }
    }
    Ok(found)
}

/// Runs sysbench and gives its output.
pub(crate) fn sysbench(address: &Address, script: &str, words: &[String]) -> Result<String> {
    let mut command = Command::new(find("sysbench")?);
    command.arg(script).args(["--db-driver=mysql", "--mysql-host=127.0.0.1", "--mysql-db=sbtest"]);
    command.arg(format!("--mysql-port={}", address.port)).arg(format!("--mysql-user={}", address.user));
    command.arg(format!("--mysql-password={}", address.password)).arg("--histogram").args(words);
    output(&mut command)
}

/// Reads `transactions: 1234 (56.7 per sec.)`, and the percentiles from the histogram's lines (`1.23 |*** 56`): its
/// closing lines have one percentile only.
pub(crate) fn figures(text: &str) -> Result<Figures> {
    let line = |name: &str| text.lines().map(str::trim).find_map(|line| line.strip_prefix(name));
    let number = |word: Option<&str>| word.and_then(|word| word.trim_matches(['(', ')']).parse().ok());
    let bar = |line: &str| {
        let (value, rest) = line.split_once('|')?;
        Some((value.trim().parse().ok()?, rest.split_whitespace().next_back()?.parse().ok()?))
    };
    let histogram: Vec<(f64, u64)> = text.lines().filter_map(bar).collect();
    let parsed = || {
        let mut transactions = line("transactions:")?.split_whitespace();
        Some(Figures {
            transactions: number(transactions.next())?,
            per_second: number(transactions.next())?,
            p95_ms: percentile(&histogram, 0.95)?,
            p99_ms: percentile(&histogram, 0.99)?,
        })
    };
    parsed().ok_or_else(|| Error::Broken(format!("sysbench printed no figures:\n{text}")))
}

/// The smallest latency that this share of a histogram does not exceed.
fn percentile(histogram: &[(f64, u64)], share: f64) -> Option<f64> {
    let all: u64 = histogram.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    let reaches = |&&(_, count): &&(f64, u64)| {
        seen += count;
        seen as f64 >= all as f64 * share
    };
    histogram.iter().find(reaches).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_figures_of_sysbench_are_read() {
        let text = "Latency histogram (values are in milliseconds)\n\
                    \x20      value  ------------- distribution ------------- count\n\
                    \x20      0.052 |                                         5\n\
                    \x20      0.153 |****************************************  900\n\
                    \x20      1.415 |***                                      80\n\
                    \x20      9.900 |*                                        15\n\
                    SQL statistics:\n    transactions:                        83341  (8333.21 per sec.)\n";
        let expected = Figures { transactions: 83_341.0, per_second: 8_333.21, p95_ms: 1.415, p99_ms: 9.9 };
        assert_eq!(figures(text).unwrap(), expected);
        assert!(figures("nothing").is_err());
    }
}
