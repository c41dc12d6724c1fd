//! `crash`, `isolation`, `queries`, `clients`, `sakila`, `bench` and `scripts`: builds the testkit, and the server where it is
//! needed, then hands over.
//!
//! The server is built with the profile that was asked for: `release` is what a user runs, `dist` what is
//! packaged and measured, `dev` is what the tests have built already.

use crate::arguments::Arguments;
use crate::packages;
use crate::process::{Failure, Result, cargo, root, run};
use std::path::PathBuf;
use std::process::Command;

/// `cargo xtask crash`
pub(crate) fn crash(mut arguments: Arguments) -> Result<()> {
    if let Some(seeds) = arguments.number("--simulated")? {
        let mut simulate = cargo();
        simulate.args(["run", "--release", "-p", "rustydb-transaction", "--example", "simulate", "--"]);
        return run(simulate.args(["--seeds", &seeds.to_string()]).args(arguments.rest()));
    }
    let profile = profile(&mut arguments, "release")?;
    hand_over("crash", profile, arguments)
}

/// `cargo xtask isolation`
pub(crate) fn isolation(mut arguments: Arguments) -> Result<()> {
    let profile = profile(&mut arguments, "release")?;
    hand_over("isolation", profile, arguments)
}

/// `cargo xtask points`
pub(crate) fn points(arguments: Arguments) -> Result<()> {
    let mut points = cargo();
    points.args(["run", "--release", "-p", "rustydb-sql", "--example", "points", "--"]);
    run(points.args(arguments.rest()))
}

/// `cargo xtask queries`
pub(crate) fn queries(mut arguments: Arguments) -> Result<()> {
    let profile = profile(&mut arguments, "release")?;
    hand_over("queries", profile, arguments)
}

/// `cargo xtask consumers`
pub(crate) fn consumers(arguments: Arguments) -> Result<()> {
    let mut consumers = cargo();
    consumers.args([
        "run",
        "--release",
        "-p",
        "rustydb",
        "--no-default-features",
        "--example",
        "consumers",
        "--",
    ]);
    run(consumers.args(arguments.rest()))
}

/// `cargo xtask clients`
pub(crate) fn clients(mut arguments: Arguments) -> Result<()> {
    let profile = profile(&mut arguments, "dev")?;
    hand_over("clients", profile, arguments)
}

/// `cargo xtask sakila`
pub(crate) fn sakila(mut arguments: Arguments) -> Result<()> {
    packages::ensure()?;
    let profile = profile(&mut arguments, "dist")?;
    hand_over("sakila", profile, arguments)
}

/// `cargo xtask bench NAME`
pub(crate) fn bench(mut arguments: Arguments) -> Result<()> {
    const NAMES: &str = "sysbench, serializable, hotrow, restart, larger, embedded, idle, joins, snapshot, startup, tpch, large, mixed or mysql-client";
    let name = arguments.next().ok_or_else(|| Failure::new(format!("bench what? {NAMES}")))?;
    match name.as_str() {
        "sysbench" | "serializable" | "hotrow" | "restart" | "larger" | "tpch" | "large" | "mixed" => {
            packages::ensure()?
        }
        "mysql-client" => {
            packages::ensure()?;
            let mut clients = cargo();
            clients.args(["run", "--release", "-p", "rustydb-mysql-client-bench", "--"]);
            let beside = run(clients.args(arguments.rest()));
            let routing = run(cargo().args(["bench", "-p", "rustydb-mysql", "--bench", "routing"]));
            return beside.and(routing);
        }
        "embedded" => run(cargo().args([
            "build",
            "--release",
            "-p",
            "rustydb",
            "--no-default-features",
            "--example",
            "embedded_reads",
        ]))?,
        "idle" | "joins" | "snapshot" | "startup" => {}
        _ => return Err(Failure::new(format!("no benchmark '{name}': {NAMES}"))),
    }
    let profile = profile(&mut arguments, "dist")?;
    hand_over(&name, profile, arguments)
}

/// `cargo xtask scripts`
pub(crate) fn scripts(arguments: Arguments) -> Result<()> {
    run(cargo().args(["build", "-p", "rustydb-testkit"]))?;
    let mut testkit = Command::new(built("dev", "rustydb-testkit")?);
    run(testkit.current_dir(root()).args(["scripts", "--source"]).arg(root()).args(arguments.rest()))
}

/// What `--release`, `--dist` or `--dev` says.
fn profile(arguments: &mut Arguments, default: &'static str) -> Result<&'static str> {
    let given: Vec<_> =
        ["--release", "--dist", "--dev"].into_iter().filter(|word| arguments.flag(word)).collect();
    match given[..] {
        [] => Ok(default),
        [one] => Ok(&one[2..]),
        _ => Err(Failure::new("give one of --release, --dist and --dev")),
    }
}

/// The share of the real clients that a test run does: quick ones that are installed.
pub(crate) fn quick_clients() -> Result<()> {
    hand_over("clients", "dev", Arguments::of(&["--quick", "--present"]))
}

fn hand_over(command: &str, profile: &str, arguments: Arguments) -> Result<()> {
    // `startup` builds the server itself: how long that takes is what it measures. `embedded` has none.
    if !matches!(command, "startup" | "embedded") {
        run(cargo().args(["build", "--profile", profile, "-p", "rustydb", "--bin", "rustydb"]))?;
    }
    let tools = if profile == "dev" { "dev" } else { "release" };
    run(cargo().args(["build", "--profile", tools, "-p", "rustydb-testkit", "-p", "rustydb-canned"]))?;
    let server = built(profile, "rustydb")?;
    let mut testkit = Command::new(built(tools, "rustydb-testkit")?);
    testkit.current_dir(root()).arg(command).arg("--server").arg(server);
    run(testkit.arg("--source").arg(root()).args(arguments.rest()))
}

/// Where cargo put a program, seen from our own place in the target directory.
fn built(profile: &str, name: &str) -> Result<PathBuf> {
    let me = std::env::current_exe().map_err(|error| Failure::new(format!("where am I? {error}")))?;
    let target = me.ancestors().nth(2).ok_or_else(|| Failure::new("xtask is not in a target directory"))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target.join(folder).join(name))
}
