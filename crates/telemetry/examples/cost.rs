//! What one record costs, alone and with two threads at once: the figures of `docs/decisions/0002-metrics.md`.
//!
//! `cargo run --release -p rustydb-telemetry --example cost`

use rustydb_telemetry::Registry;
use std::hint::black_box;
use std::time::{Duration, Instant};

const RECORDS: u32 = 20_000_000;

#[allow(clippy::print_stdout, reason = "printing is what this program is for")]
fn measure(name: &str, threads: u32, record: impl Fn(u32) + Sync) {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..RECORDS).for_each(|n| record(black_box(n))));
        }
    });
    println!(
        "{name:<10} {threads} threads {:>6.2} ns",
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(RECORDS)
    );
}

fn main() {
    let registry = Registry::new();
    let counter = registry.counter("c_total", "", &[]);
    let histogram = registry.histogram("h_seconds", "", &[]);
    for threads in [1, 2] {
        measure("counter", threads, |_| counter.inc(1));
        measure("histogram", threads, |n| histogram.record(Duration::from_nanos(u64::from(n))));
    }
}
