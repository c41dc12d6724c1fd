//! `cargo xtask bench mixed`: how long point reads take while TPC-H's queries run beside them.
//!
//! sysbench's point_select runs alone, then with one or more sessions that go round the 22 queries, on one server of
//! ours. What is wanted is a ratio of the two p99.

use crate::options::Options;
use crate::report::{Report, median};
use crate::sysbench::{Figures, figures, sysbench};
use mysql::prelude::Queryable;
use rustydb_testkit::client::Address;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::tpch::{QUERIES, Server, Timed, load};
use rustydb_testkit::{Error, Result, RustyDb};
use std::sync::atomic::{AtomicBool, Ordering};

/// Wanted: p99 beside TPC-H to p99 alone.
const MOST: f64 = 3.0;
/// Longest time of one of TPC-H's queries, in seconds.
const CAP: u64 = 120;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let quick = options.flag("--quick");
    let scale = options.word("--scale")?.unwrap_or_else(|| if quick { "0.05" } else { "0.5" }.into());
    let scale: f64 =
        scale.parse().map_err(|_| Error::Usage(format!("--scale wants a number, not '{scale}'")))?;
    let seconds = options.number("--seconds", if quick { 5 } else { 20 })?;
    let threads = options.number("--threads", 8)?;
    let sessions = options.number("--sessions", 1)?;
    let rounds = if quick { 1 } else { 3 };
    let server = options.server()?;
    options.finish()?;
    let near = server.parent().unwrap_or(&server).to_owned();
    let home = Home::new(&server, &near, &["--buffer-pool-size", "2G", "--socket", "off"])?;
    let ours = RustyDb::start(&home)?;
    let address = ours.address();
    load(address, scale)?;
    Server::new(address, "max_execution_time", CAP)?.analyze()?;
    address.connect()?.query_drop("CREATE DATABASE sbtest")?;
    let words = |last: &str, time: u64| {
        let words = [
            "--tables=4",
            "--table-size=100000",
            &format!("--threads={threads}"),
            &format!("--time={time}"),
            last,
        ];
        words.map(str::to_owned).to_vec()
    };
    sysbench(address, "oltp_point_select", &words("prepare", 0))?;
    sysbench(address, "oltp_point_select", &words("run", 2))?;
    let measure = || figures(&sysbench(address, "oltp_point_select", &words("run", seconds))?);
    let (mut alone, mut beside, mut queries) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        alone.push(measure()?);
        let stop = AtomicBool::new(false);
        let (figures, done) = std::thread::scope(|scope| {
            let running: Vec<_> = (0..sessions)
                .map(|n| {
                    scope.spawn({
                        let stop = &stop;
                        move || around(address, scale, n, stop)
                    })
                })
                .collect();
            let figures = measure();
            stop.store(true, Ordering::Relaxed);
            let broken = || Err(Error::Broken("a session of TPC-H ended by itself".into()));
            let done: Result<u64> =
                running.into_iter().map(|one| one.join().unwrap_or_else(|_| broken())).sum();
            (figures, done)
        });
        beside.push(figures?);
        queries += done?;
    }
    let of =
        |all: &[Figures], figure: fn(&Figures) -> f64| median(&all.iter().map(figure).collect::<Vec<_>>());
    let mut report = Report::new("mixed", "alone");
    report.beside("point_select per s", of(&beside, |f| f.per_second), of(&alone, |f| f.per_second));
    report.beside("p95 ms", of(&beside, |f| f.p95_ms), of(&alone, |f| f.p95_ms));
    report.time("p99 ms", of(&beside, |f| f.p99_ms), of(&alone, |f| f.p99_ms), Some(MOST));
    report.alone("TPC-H queries done meanwhile", queries as f64);
    report.finish()
}

/// Goes round the queries until it is stopped; how many it did.
fn around(address: &Address, scale: f64, from: u64, stop: &AtomicBool) -> Result<u64> {
    let mut server = Server::new(address, "max_execution_time", CAP)?;
    let mut done = 0;
    for query in QUERIES.iter().cycle().skip(from as usize * 7) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match server.ask(&query.text(scale))? {
            Timed::Answered(..) => done += 1,
            Timed::Refused(why) => println!("Q{}: {why}", query.number),
        }
    }
    Ok(done)
}
