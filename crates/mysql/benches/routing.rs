//! What a routing decision costs: `cargo bench -p rustydb-mysql --bench routing`.
//!
//! Each line is one statement: nanoseconds of a decision whose class is kept, and of one that is made from the
//! text. Limits of this product: 200 ns and 2,000 ns, and for texts beyond the cache a nanosecond for each four bytes;
//! beyond them the run fails.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use rustydb_mysql::routing::{Router, RouterOptions, SessionPin};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const CACHED: f64 = 200.0;
const UNCACHED: f64 = 2_000.0;

fn main() -> ExitCode {
    let router = Router::new(RouterOptions::default());
    let statements = [
        ("point", "SELECT id, name FROM account WHERE id = ?".to_owned()),
        (
            "join",
            "SELECT f.title, c.name, COUNT(*) AS n FROM film f JOIN film_category fc ON fc.film_id = f.film_id \
             JOIN category c ON c.category_id = fc.category_id WHERE f.length BETWEEN ? AND ? AND \
             c.name IN ('Action', 'Drama', 'Sci-Fi') GROUP BY f.title, c.name HAVING COUNT(*) > 1 \
             ORDER BY n DESC LIMIT 50"
                .to_owned(),
        ),
        (
            "cte",
            "WITH RECURSIVE chain (id, manager, depth) AS (SELECT id, manager, 0 FROM staff WHERE id = ? UNION ALL \
             SELECT s.id, s.manager, c.depth + 1 FROM staff s JOIN chain c ON s.id = c.manager) \
             SELECT /*+ MAX_EXECUTION_TIME(1000) */ * FROM chain FOR UPDATE"
                .to_owned(),
        ),
        ("update", "UPDATE account SET balance = balance - ? WHERE id = ? AND balance >= ?".to_owned()),
        ("quoted", r"SELECT * FROM note WHERE body = 'it\'s a /* text */ with -- marks' /*!80000 LIMIT 5 */".to_owned()),
        ("insert of 64 KiB", format!("INSERT INTO t (a, b) VALUES {}(1,'x')", "(1,'some text'),".repeat(4096))),
    ];
    let mut slow = false;
    println!("{:<18} {:>8} {:>12} {:>12}", "statement", "bytes", "cached ns", "uncached ns");
    for (name, sql) in &statements {
        router.decide(sql, SessionPin::FREE);
        let cached = nanoseconds(|| _ = black_box(router.decide(black_box(sql), SessionPin::FREE)));
        let uncached = nanoseconds(|| _ = black_box(router.classify_anew(black_box(sql))));
        let long = if sql.len() > 2048 { sql.len() as f64 / 4.0 } else { 0.0 };
        slow |= cached > CACHED + long || uncached > UNCACHED + long;
        println!("{name:<18} {:>8} {cached:>12.0} {uncached:>12.0}", sql.len());
    }
    if slow { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The best of several rounds: what the code costs, not what its neighbours on the machine do.
fn nanoseconds(mut run: impl FnMut()) -> f64 {
    const CALLS: u32 = 20_000;
    let mut best = Duration::MAX;
    for _ in 0..15 {
        let start = Instant::now();
        for _ in 0..CALLS {
            run();
        }
        best = best.min(start.elapsed());
    }
    best.as_secs_f64() * 1e9 / f64::from(CALLS)
}
