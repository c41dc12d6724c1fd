//! `cargo xtask points`: the point executor against the general one, over as many statements as one likes.
//!
//! Each seed makes tables of its own and runs [`PER_SEED`] statements on them.

#![allow(clippy::print_stdout, reason = "a tool talks to its user")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/it/console.rs"]
mod console;
#[path = "../../tests/points/mod.rs"]
mod points;

use std::process::ExitCode;

/// Statements between one pair of databases and the next.
const PER_SEED: u64 = 2_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let at = words.iter().position(|word| word == name);
        at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (count, first) = (number("--statements", 100_000), number("--seed", 1));
    let mut done = 0;
    let mut seed = first;
    while done < count {
        let share = PER_SEED.min(count - done);
        if let Err(difference) = points::run(seed, share) {
            println!("{difference}");
            return ExitCode::FAILURE;
        }
        done += share;
        seed += 1;
    }
    println!("{done} statements of {} schemas: no difference", seed - first);
    ExitCode::SUCCESS
}
