//! `cargo xtask bench snapshot`: a reader that stays open beside a million changes, and what that costs.

use crate::options::Options;
use crate::report::Report;
use rustydb_testkit::old_reader::{Load, run as run_load};
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};

const MIB: f64 = (1 << 20) as f64;
/// Memory for pages, in MiB.
const POOL: f64 = 128.0;
/// Two versions of a row, one in each index, with keys and places, take no more bytes.
const A_ROW: f64 = 700.0;
/// What the server may grow by beside pages and versions, in MiB.
const REST: f64 = 128.0;
/// The log of four checkpoints, in MiB.
const LOG: f64 = 1024.0;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let quick = options.flag("--quick");
    let (rows, changes) = if quick { (10_000, 50_000) } else { (100_000, 1_000_000) };
    let load = Load {
        rows: options.number("--rows", rows)?,
        changes: options.number("--changes", changes)?,
        writers: options.number("--writers", 8)?,
        seed: options.number("--seed", 1)?,
    };
    let server = options.server()?;
    options.finish()?;
    let near = server.parent().unwrap_or(&server);
    let words = ["--buffer-pool-size", "128M", "--durability", "second", "--socket", "off"];
    let home = Home::new(&server, near, &words)?;
    let server = RustyDb::start(&home)?;
    let found = run_load(&server, &home.data(), &load)?;
    println!(
        "{} changes in {:.0} s beside {} reads of one snapshot, each as the first",
        found.changes, found.seconds, found.reads
    );
    let versions = load.rows as f64 * A_ROW / MIB;
    let mut report = Report::new("snapshot", "most");
    report.alone("changes per s", found.changes as f64 / found.seconds);
    report.alone("reads of the table", found.reads as f64);
    report.at_most("older versions MiB", found.versions / MIB, versions);
    report.at_most("resident MiB", found.resident / MIB, POOL + versions + REST);
    report.alone("resident before MiB", found.resident_before / MIB);
    report.alone("keys and commits that wait for purge", found.backlog);
    report.at_most("log MiB", found.log / MIB, LOG);
    report.at_most("older versions after its end MiB", found.versions_after / MIB, 0.0);
    report.finish()?;
    server.stop()?;
    match home.check()? {
        text if text.contains("no problems") || !text.contains("problem") => Ok(()),
        text => Err(Error::Broken(text)),
    }
}
