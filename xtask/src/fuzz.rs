//! `cargo xtask fuzz`: every target of the harness in `fuzz/`, for a while each.
//!
//! libFuzzer by cargo-fuzz without a sanitizer (`-s none`), which stable Rust can build: the code under test
//! is safe Rust, so what is looked for are panics, runaway memory and time, and broken invariants. Two
//! targets run at a time, one per core of the reference machine. A finding stops its target and fails us.

use crate::arguments::Arguments;
use crate::process::{Failure, Result, cargo, on_path, root, run};
use std::process::Stdio;

/// Most memory of one input, in MiB.
const MEMORY: u32 = 2048;
/// Most seconds of one input.
const TIME: u32 = 10;
/// Targets that run at once.
const AT_ONCE: usize = 2;

pub(crate) fn run_from(mut arguments: Arguments) -> Result<()> {
    let minutes = arguments.number("--minutes")?.unwrap_or(10);
    let only = arguments.next();
    arguments.finish()?;
    let mut targets = targets()?;
    if let Some(only) = only {
        targets.retain(|target| *target == only);
    }
    if targets.is_empty() {
        return Err(Failure::new("no such fuzz target under fuzz/fuzz_targets"));
    }
    if !on_path("cargo-fuzz") {
        run(cargo().args(["install", "cargo-fuzz", "--locked"]))?;
    }
    run(&mut fuzz("build"))?;
    for pair in targets.chunks(AT_ONCE) {
        campaign(pair, minutes)?;
    }
    println!("\nfuzz: {} targets, {minutes} minutes each, no finding", targets.len());
    Ok(())
}

/// The targets, one file each.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(&folder).map_err(|e| Failure::new(format!("{}: {e}", folder.display())))?;
    let names = files.filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

fn fuzz(command: &str) -> std::process::Command {
    let mut cargo = cargo();
    cargo.args(["fuzz", command, "--sanitizer", "none"]);
    cargo
}

fn campaign(targets: &[String], minutes: u64) -> Result<()> {
    let mut running = Vec::new();
    for target in targets {
        eprintln!("\n$ cargo fuzz run {target} ({minutes} minutes)");
        let corpus = root().join("fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus).map_err(|e| Failure::new(format!("{}: {e}", corpus.display())))?;
        let mut command = fuzz("run");
        command.arg(target).arg(corpus);
        // Small inputs worth beginning from, where there are some.
        let seeds = root().join("fuzz/seeds").join(target);
        command
            .args(seeds.is_dir().then_some(seeds))
            .arg("--")
            .arg(format!("-max_total_time={}", minutes * 60));
        command.arg(format!("-rss_limit_mb={MEMORY}")).arg(format!("-timeout={TIME}"));
        command.args(["-print_final_stats=1", "-verbosity=0", "-len_control=20"]).stdin(Stdio::null());
        let child =
            command.spawn().map_err(|error| Failure::new(format!("cannot start {target}: {error}")))?;
        running.push((target, child));
    }
    let mut findings = Vec::new();
    for (target, mut child) in running {
        let status = child.wait().map_err(|error| Failure::new(format!("lost {target}: {error}")))?;
        if !status.success() {
            findings.push(target.as_str());
        }
    }
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!("findings in {} (see fuzz/artifacts)", findings.join(", ")))),
    }
}
