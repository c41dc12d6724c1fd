//! `cargo xtask test`: what has to hold before a change lands.
//!
//! Cheap checks come first, so that a slip is told in seconds: format, tidy, lints, tests, doc tests, the
//! listing of public items, real clients.
//! With cargo-nextest on the path the tests run by it, else by cargo's own runner. The last line counts tests only
//! when every runner named its count, and is printed only when all of them passed.

use crate::arguments::Arguments;
use crate::process::{Result, cargo, on_path, run, run_watched};
use crate::{api, packages, shuttle, testkit, tidy};
use std::sync::atomic::{AtomicU64, Ordering};

fn run_all(install: bool) -> Result<()> {
    if install {
        packages::ensure()?;
    }
    run(cargo().args(["fmt", "--all", "--check"]))?;
    tidy::check()?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    api::check()?;

    let passed = AtomicU64::new(0);
    let count = |line: &str| {
        passed.fetch_add(passed_in(line).unwrap_or(0), Ordering::Relaxed);
    };
    let mut tests = cargo();
    if on_path("cargo-nextest") {
        tests.args(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "slow"]);
        tests.args(["--final-status-level", "slow"]);
    } else {
        tests.args(["test", "--workspace", "--lib", "--bins", "--tests", "--examples", "--no-fail-fast"]);
    }
    if install {
        // Without this, a test that needs mariadb or sysbench steps aside where they are not installed.
        tests.env("RUSTYDB_TEST_PROGRAMS", "required");
    }
    run_watched(&mut tests, count)?;
    shuttle::run(1, count)?;
    run_watched(cargo().args(["test", "--workspace", "--doc", "--quiet"]), count)?;
    testkit::quick_clients()?;
    println!("\n{} passed, 0 failed", passed.into_inner());
    Ok(())
}

pub(crate) fn run_from(mut arguments: Arguments) -> Result<()> {
    let install = !arguments.flag("--no-install");
    arguments.finish()?;
    run_all(install)
}

/// The passed tests that a runner's closing line counts.
///
/// nextest: `Summary [   0.052s] 13 tests run: 13 passed, 0 skipped`; cargo: `test result: ok. 13 passed; 0 failed; ..`
fn passed_in(line: &str) -> Option<u64> {
    let line = line.trim();
    let counts = match line.strip_prefix("test result: ") {
        Some(counts) => counts,
        None => line.strip_prefix("Summary [")?.split_once("run: ")?.1,
    };
    let before = counts.split_once(" passed")?.0;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_runners_closing_lines_are_read() {
        let nextest = "     Summary [   0.052s] 13 tests run: 11 passed (1 slow), 0 skipped";
        assert_eq!(passed_in(nextest), Some(11));
        assert_eq!(passed_in("test result: ok. 7 passed; 0 failed; 0 ignored"), Some(7));
        assert_eq!(passed_in("     PASS [ 0.01s] crate tests::ten_passed"), None);
    }
}
