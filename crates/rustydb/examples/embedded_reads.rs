//! How long a point read takes inside the process: `SELECT c FROM t WHERE id = ?` on sysbench's table, one thread.
//!
//! ```text
//! cargo run --release -p rustydb --no-default-features --example embedded_reads -- [ROWS [READS]]
//! ```
//!
//! Prints the time to the row, parameters and reading the value included, in microseconds.

#![allow(clippy::print_stdout, reason = "a tool talks to its user")]

use std::time::Instant;

use rustydb::{Database, Durability, Options};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const BATCH: u64 = 1_000;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut number = |default: u64| words.next().map_or(Ok(default), |word| word.parse::<u64>());
    let (rows, reads) = (number(100_000)?.max(1), number(1_000_000)?.max(1));
    let folder = tempfile::tempdir()?;
    let options = Options {
        buffer_pool_bytes: 512 << 20,
        durability: Durability::Second,
        database: Some("d".into()),
        ..Options::default()
    };
    let db = Database::open_with(folder.path().join("data"), &options)?;
    fill(&db, rows)?;

    let mut connection = db.connect()?;
    let mut times: Vec<u32> = Vec::with_capacity(usize::try_from(reads)?);
    let mut id = 1;
    for read in 0..reads + reads / 10 {
        // A step that is prime to most numbers of rows visits them all, far from each other.
        id = (id + 7_368_787) % rows;
        let began = Instant::now();
        let (c,): (String,) = connection.query_one("SELECT c FROM sbtest1 WHERE id = ?", (id + 1,))?;
        let took = began.elapsed();
        if c.len() != 119 {
            return Err(format!("row {} holds {c:?}", id + 1).into());
        }
        // The first tenth warms up.
        if read >= reads / 10 {
            times.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
        }
    }
    times.sort_unstable();
    let at = |share: f64| f64::from(times[((times.len() - 1) as f64 * share) as usize]) / 1_000.0;
    println!("median {:.2} us, p95 {:.2} us, p99 {:.2} us", at(0.5), at(0.95), at(0.99));
    Ok(())
}

fn fill(db: &Database, rows: u64) -> Result<()> {
    db.execute(
        "CREATE TABLE sbtest1 (id INT PRIMARY KEY AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, \
         c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', KEY k_1 (k))",
        (),
    )?;
    let mut at = 0;
    while at < rows {
        let upto = (at + BATCH).min(rows);
        let values: Vec<String> =
            (at..upto).map(|n| format!("({}, '{}', '{}')", n % 50_000, text(n, 10), text(n, 5))).collect();
        db.execute(&format!("INSERT INTO sbtest1 (k, c, pad) VALUES {}", values.join(",")), ())?;
        at = upto;
    }
    Ok(())
}

/// Groups of eleven digits, as sysbench makes them.
fn text(seed: u64, groups: u64) -> String {
    let group = |n: u64| format!("{:011}", (seed + n).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 100_000_000_000);
    (0..groups).map(group).collect::<Vec<_>>().join("-")
}
