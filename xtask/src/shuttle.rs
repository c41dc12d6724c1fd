//! `cargo xtask shuttle`: the tests named `interleavings`, which run locks, buffer pool, log and commits under many
//! thread schedules.
//!
//! They need the synchronisation types of another build (feature `shuttle` of the two lowest crates), so `cargo xtask
//! test` runs them by this too, each with the number of schedules that takes a second.

use crate::arguments::Arguments;
use crate::process::{Result, cargo, on_path, run_watched};

/// How many times as many schedules as `cargo xtask test` are run.
const TIMES: u64 = 100;

pub(crate) fn run_from(mut arguments: Arguments) -> Result<()> {
    let times = arguments.number("--times")?.unwrap_or(TIMES);
    arguments.finish()?;
    run(times, |_| ())
}

/// Runs them, so many times as many schedules as by default.
pub(crate) fn run(times: u64, see: impl Fn(&str) + Sync) -> Result<()> {
    const PACKAGES: [&str; 6] =
        ["-p", "rustydb-storage", "-p", "rustydb-transaction", "--features", "rustydb-transaction/shuttle"];
    let mut tests = cargo();
    if on_path("cargo-nextest") {
        tests.args(["nextest", "run", "--no-fail-fast", "--status-level", "slow"]);
        tests.args(PACKAGES).args(["--lib", "interleavings"]);
    } else {
        tests.args(["test", "--lib"]).args(PACKAGES).arg("interleavings");
    }
    tests.env("RUSTYDB_SCHEDULES", times.to_string());
    run_watched(&mut tests, see)
}
