//! `rustydb-testkit`: the crash test and the benchmarks, each against the real binary from outside.
//!
//! Started by `cargo xtask crash` and `cargo xtask bench`, which build both and say where they are:
//! `rustydb-testkit COMMAND --server PATH --source PATH [options]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

mod canned;
mod clients;
mod crash;
mod embedded;
mod hotrow;
mod idle;
mod isolation_levels;
mod joins;
mod large;
mod larger;
mod mixed;
mod old_snapshot;
mod options;
mod outcome;
mod queries;
mod report;
mod restart;
mod sakila_comparison;
mod scripts;
mod serializable;
mod startup;
mod sysbench;
mod tpch_comparison;

use options::Options;
use rustydb_testkit::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next();
    let options = Options::new(words);
    let outcome = match command.as_deref() {
        Some("clients") => clients::run(options),
        Some("crash") => crash::run(options),
        Some("sysbench") => sysbench::run(options),
        Some("embedded") => embedded::run(options),
        Some("hotrow") => hotrow::run(options),
        Some("idle") => idle::run(options),
        Some("isolation") => isolation_levels::isolation(options),
        Some("joins") => joins::run(options),
        Some("large") => large::run(options),
        Some("mixed") => mixed::run(options),
        Some("larger") => larger::run(options),
        Some("queries") => queries::run(options),
        Some("restart") => restart::run(options),
        Some("snapshot") => old_snapshot::run(options),
        Some("sakila") => sakila_comparison::run(options),
        Some("serializable") => serializable::run(options),
        Some("startup") => startup::run(options),
        Some("scripts") => scripts::run(options),
        Some("tpch") => tpch_comparison::run(options),
        other => Err(Error::Usage(format!(
            "clients, crash, isolation, sakila, sysbench, serializable, hotrow, idle, joins, large, larger, mixed, queries, restart, snapshot, startup, tpch \
             or scripts, not {other:?}"
        ))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testkit: {error}");
            ExitCode::FAILURE
        }
    }
}
