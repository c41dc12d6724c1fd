//! Point reads inside the process: starts the program that does them (`crates/rustydb/examples/embedded_reads.rs`) a few
//! times and keeps the medians.

use crate::options::Options;
use crate::report::{Report, median};
use rustydb_testkit::programs::output;
use rustydb_testkit::{Error, Result};
use std::process::Command;

/// Most that the median read may take, in microseconds.
const MOST_US: f64 = 5.0;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let rounds = if options.flag("--quick") { 3 } else { 5 };
    options.finish()?;
    let me = std::env::current_exe().map_err(Error::io("find my own place"))?;
    let program = me.with_file_name("examples").join("embedded_reads");
    let mut found: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        let text = output(&mut Command::new(&program))?;
        print!("{text}");
        for (name, values) in ["median ", "p95 ", "p99 "].iter().zip(&mut found) {
            let value = text.split_once(name).and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            values.push(value.ok_or_else(|| Error::Broken(format!("no {name}in {text:?}")))?);
        }
    }
    let mut report = Report::new("embedded", "");
    report.at_most("point read, median us", median(&found[0]), MOST_US);
    report.alone("point read, p95 us", median(&found[1]));
    report.alone("point read, p99 us", median(&found[2]));
    report.finish()
}
