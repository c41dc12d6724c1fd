//! Runs the crash simulation over many seeds: `simulate --seeds 5000 [--from 0]`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

mod simulation;

fn option(name: &str) -> Option<u64> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}

#[expect(clippy::print_stdout, reason = "a program's output")]
fn main() -> ExitCode {
    let (seeds, from) = (option("--seeds").unwrap_or(1000), option("--from").unwrap_or(0));
    let (next, failed) = (AtomicU64::new(from), AtomicU64::new(0));
    let sums: [AtomicU64; 4] = Default::default();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    match simulation::run(seed) {
                        Ok(tally) => {
                            let parts = [tally.commits, tally.steps, tally.refused, tally.crashes];
                            for (sum, part) in sums.iter().zip(parts) {
                                sum.fetch_add(part, Ordering::Relaxed);
                            }
                        }
                        Err(problem) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("seed {seed}: {problem}");
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    let [commits, steps, refused, crashes] = sums.map(AtomicU64::into_inner);
    println!("{commits} commits acknowledged, {steps} steps, {refused} refused, {crashes} crashes");
    println!("{} passed, {failed} failed ({} s)", seeds - failed, start.elapsed().as_secs());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
