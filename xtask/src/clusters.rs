//! `cargo xtask mysql-client-cluster`: what the client promises on real clusters, with the promised numbers.
//!
//! The tests are those that `cargo xtask test` does a share of (`crates/mysql/tests/it/cluster`). Here they run one
//! after the other, since each has three servers and measures times, and print what they saw.

use crate::arguments::Arguments;
use crate::packages;
use crate::process::{Result, cargo, run};

pub(crate) fn run_from(mut arguments: Arguments) -> Result<()> {
    packages::ensure()?;
    let name = arguments.next().unwrap_or_default();
    arguments.finish()?;
    let mut tests = cargo();
    tests.args(["test", "-p", "rustydb-mysql", "--test", "it", "--", "--nocapture", "--test-threads=1"]);
    // Every test whose path has this in it.
    tests.arg(format!("cluster::{name}"));
    run(tests.env("RUSTYDB_CLUSTER", "full"))
}
