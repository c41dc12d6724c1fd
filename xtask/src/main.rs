//! `cargo xtask`: the chores of this repository, each one file.
//!
//! It has no dependencies, so that the first command on a fresh clone starts within seconds. What needs a
//! MySQL client or a running server (crash test, benchmarks) lives in `testkit`, which these commands build
//! and run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod api;
mod arguments;
mod clusters;
mod fuzz;
mod packages;
mod process;
mod shuttle;
mod test;
mod testkit;
mod tidy;

use arguments::Arguments;
use process::Failure;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test [--no-install]          format, tidy, lints, every test
cargo xtask tidy                         house rules that no other tool checks
cargo xtask api [--check]                writes the listing of the MySQL client's public items, or says if it is current
cargo xtask crash [--rounds N] [--seed S]
                                         kill -9 the real server under load, N rounds (50)
cargo xtask crash --simulated SEEDS      the same on a simulated disk, in process
cargo xtask shuttle [--times N]          locks, pool, log and commits under many thread schedules, N times those of a
                                         test run (100)
cargo xtask isolation [--level L] [--transactions N] [--kills K] [--seed S]
                                         dependency cycles under load and kill -9, at each isolation level
cargo xtask consumers [--transactions N] [--kills K] [--seed S]
                                         five readers of the change log over N transactions (1,000,000)
cargo xtask clients [--quick] [NAME ...]  real clients, one after the other: client x step
cargo xtask mysql-client-cluster [causal|client|failover|partition|replicas|rotation]
                                         the client on clusters of MariaDB and MySQL: 10,000 causal pairs, failover
cargo xtask sakila [--data DIR]          loads the Sakila database, compares its queries with MySQL's answers
cargo xtask bench sysbench [--quick]     four sysbench scripts against MariaDB
cargo xtask bench serializable [--quick] read_write at SERIALIZABLE against REPEATABLE READ
cargo xtask bench hotrow [--quick]       32 clients on one row, 8 on disjoint rows, against MariaDB
cargo xtask bench restart [--quick]      SIGKILL with 1 GiB of log, time to the first answer, against MariaDB
cargo xtask bench larger [--minutes N]   data ten times the pool, both servers in cgroups of the same memory
cargo xtask bench joins [--quick]        join orders of a film database against the best of 100 random ones
cargo xtask bench idle                   what 2,000 idle connections cost
cargo xtask bench snapshot [--quick]     a reader open beside a million changes: what it sees, what it costs
cargo xtask bench mysql-client [--quick] our client beside mysql_async and sqlx, and what routing costs
cargo xtask bench tpch [--scale F]       TPC-H against MariaDB and DuckDB; --memory MIB, --alone, --queries 1,6
cargo xtask bench large [--quick]        sorts, groups and recursion beyond their memory, against MariaDB
cargo xtask bench mixed [--quick]        point reads while TPC-H runs beside them
cargo xtask bench startup                time from clone to the first answer
cargo xtask scripts --peer PORT [NAME..] the golden SQL scripts against a real MySQL on this port
cargo xtask points [--statements N]      the point executor against the general one [--seed S]
cargo xtask queries [--minutes N]        random queries [--peer PORT of a MySQL] [--seed S]
cargo xtask fuzz [--minutes N] [TARGET]  every fuzz target, N minutes each (10)";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_env();
    let outcome = match arguments.next().as_deref() {
        Some("test") => test::run_from(arguments),
        Some("tidy") => tidy::run(arguments),
        Some("api") => api::run_from(arguments),
        Some("shuttle") => shuttle::run_from(arguments),
        Some("crash") => testkit::crash(arguments),
        Some("isolation") => testkit::isolation(arguments),
        Some("points") => testkit::points(arguments),
        Some("queries") => testkit::queries(arguments),
        Some("consumers") => testkit::consumers(arguments),
        Some("clients") => testkit::clients(arguments),
        Some("mysql-client-cluster") => clusters::run_from(arguments),
        Some("sakila") => testkit::sakila(arguments),
        Some("bench") => testkit::bench(arguments),
        Some("scripts") => testkit::scripts(arguments),
        Some("fuzz") => fuzz::run_from(arguments),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(Failure::new(format!("unknown command '{other}'\n\n{USAGE}"))),
        None => Err(Failure::new(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
