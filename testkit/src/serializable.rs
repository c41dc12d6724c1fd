//! What SERIALIZABLE costs: sysbench's read_write on one server, at SERIALIZABLE and at REPEATABLE READ in turn.
//!
//! Both by transactions a second; sysbench runs a refused transaction again, so what is counted has committed. How
//! many were refused, by a hundred that committed, stands beside it.

use crate::options::Options;
use crate::report::{Report, median};
use crate::sysbench::{Figures, Size, figures, sysbench};
use mysql::prelude::Queryable;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};

const THREADS: u64 = 8;
const LEVELS: [&str; 2] = ["SERIALIZABLE", "REPEATABLE-READ"];
/// The ratio wanted
const WANTED: f64 = 0.7;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let size = Size::chosen(&mut options);
    let server = options.server()?;
    options.finish()?;
    // Beside the build, not in the temporary folder, which may be memory where a sync costs nothing.
    let near = server.parent().unwrap_or(&server).to_owned();
    let home = Home::new(&server, &near, &["--buffer-pool-size", "512M", "--socket", "off"])?;
    let ours = RustyDb::start(&home)?;
    let address = ours.address();
    address.connect()?.query_drop("CREATE DATABASE sbtest")?;
    let words = |more: &[String]| {
        let tables =
            ["--tables=4".to_owned(), format!("--table-size={}", size.rows), format!("--threads={THREADS}")];
        tables.iter().chain(more).cloned().collect::<Vec<_>>()
    };
    sysbench(address, "oltp_read_write", &words(&["prepare".to_owned()]))?;
    let measure = |level: &str, seconds: u64| -> Result<(Figures, f64)> {
        // Sessions take the level that stands when they begin.
        address.connect()?.query_drop(format!("SET GLOBAL transaction_isolation = '{level}'"))?;
        let time = format!("--time={seconds}");
        let ignore = "--mysql-ignore-errors=1213,1020,1205".to_owned();
        let text = sysbench(address, "oltp_read_write", &words(&[ignore, time, "run".to_owned()]))?;
        Ok((figures(&text)?, refused(&text)?))
    };
    let mut found: [Vec<(Figures, f64)>; 2] = [Vec::new(), Vec::new()];
    for level in LEVELS {
        measure(level, 2)?;
    }
    for round in 0..size.rounds {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for at in order {
            let (figures, refused) = measure(LEVELS[at], size.seconds)?;
            println!(
                "{:<16} round {} {:>9.0} /s  p95 {:.2} ms  {refused:.0} refused",
                LEVELS[at],
                round + 1,
                figures.per_second,
                figures.p95_ms
            );
            found[at].push((figures, refused));
        }
    }
    let of = |at: usize, figure: fn(&(Figures, f64)) -> f64| {
        median(&found[at].iter().map(figure).collect::<Vec<_>>())
    };
    let mut report = Report::new("serializable", "REPEATABLE READ");
    let per_second = |at| of(at, |(figures, _)| figures.per_second);
    report.rate("read_write per s", per_second(0), per_second(1), Some(WANTED));
    let p95 = |at| of(at, |(figures, _)| figures.p95_ms);
    report.beside("read_write p95 ms", p95(0), p95(1));
    let share = |at| of(at, |(figures, refused)| 100.0 * refused / figures.transactions);
    report.beside("refused by 100 commits", share(0), share(1));
    report.finish()
}

/// Reads `ignored errors: 12 (1.2 per sec.)`.
fn refused(text: &str) -> Result<f64> {
    let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix("ignored errors:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| Error::Broken(format!("sysbench printed no ignored errors:\n{text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refused_are_read() {
        let text = "    queries:   100 (10.00 per sec.)\n    ignored errors:                      17     (1.70 per sec.)\n";
        assert_eq!(refused(text).unwrap(), 17.0);
        assert!(refused("nothing").is_err());
    }
}
