//! The shapes of the Join Order Benchmark: skewed tables in the form of a film database, queries of four to twelve
//! joins, the planner's order beside the best of many random ones.
//!
//! The tables are generated ([`data`]), with keys as skewed as those of films, people and words are: a few are in many
//! rows. Each query ([`queries`]) is run as it is, and then in random orders that STRAIGHT_JOIN forces, each of which
//! joins every table to one before it; a random order gets as much time as the best so far took. All of them must give
//! the same answer. What preparing a statement takes is the time of planning.

mod data;
mod queries;

use crate::options::Options;
use mysql::Conn;
use mysql::prelude::Queryable;
use queries::Query;
use rustydb_testkit::random::Random;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb, client};
use std::time::{Duration, Instant};

/// How many times slower than the best order a plan may be.
const MOST_TIMES: f64 = 10.0;
/// Differences of this time are not worth a word.
const NOISE: Duration = Duration::from_millis(3);
/// Longest planning.
const MOST_PLANNING: Duration = Duration::from_millis(20);
/// Longest run of one statement, in milliseconds.
const PATIENCE: u128 = 50_000;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let quick = options.flag("--quick");
    let orders = options.number("--orders", if quick { 20 } else { 100 })?;
    let scale = options.number("--scale", if quick { 1 } else { 5 })?;
    let seed = options.number("--seed", 1)?;
    let server = options.server()?;
    options.finish()?;
    let near = server.parent().unwrap_or(&server).to_owned();
    let home = Home::new(&server, &near, &["--buffer-pool-size", "512M", "--socket", "off"])?;
    let ours = RustyDb::start(&home)?;
    let mut conn = ours.address().connect()?;
    let begin = Instant::now();
    let rows = data::load(&mut conn, scale, seed)?;
    println!("joins: {rows} rows loaded in {:.0} s", begin.elapsed().as_secs_f64());
    let mut random = Random::new(seed);
    let (mut slow, mut worst, mut longest) = (Vec::new(), 0.0f64, Duration::ZERO);
    println!(
        "{:<6}{:>7}{:>14}{:>12}{:>12}{:>9}",
        "query", "tables", "planning ms", "plan ms", "best ms", "times"
    );
    for (at, query) in queries::ALL.iter().enumerate() {
        let number = at + 1;
        let planning = planning_of(&mut conn, query)?;
        longest = longest.max(planning);
        let (mut own, mut answer) = (Duration::MAX, None);
        for _ in 0..3 {
            if let Some((took, found)) = ask(&mut conn, &query.sql(None, PATIENCE))? {
                own = own.min(took);
                answer = Some(found);
            }
        }
        let answer = answer.ok_or_else(|| Error::Broken(format!("query {number} did not end")))?;
        let mut best = Duration::from_secs(60);
        for _ in 0..orders {
            let order = query.random_order(&mut random);
            let within = best.as_millis().clamp(20, PATIENCE);
            if let Some((took, found)) = ask(&mut conn, &query.sql(Some(&order), within))? {
                best = best.min(took);
                if found != answer {
                    return Err(Error::Broken(format!(
                        "query {number}: {found:?} and {answer:?} by another order"
                    )));
                }
            }
        }
        let times = own.as_secs_f64() / best.as_secs_f64();
        println!(
            "{number:<6}{:>7}{:>14.2}{:>12.1}{:>12.1}{times:>9.2}",
            query.tables.len(),
            planning.as_secs_f64() * 1e3,
            own.as_secs_f64() * 1e3,
            best.as_secs_f64() * 1e3,
        );
        worst = worst.max(times);
        if times > MOST_TIMES && own > best + NOISE {
            slow.push(number);
        }
    }
    println!(
        "joins: worst {worst:.2} times the best order, planning at most {:.2} ms",
        longest.as_secs_f64() * 1e3
    );
    drop(conn);
    ours.stop()?;
    if !slow.is_empty() {
        return Err(Error::Broken(format!(
            "queries {slow:?} are more than {MOST_TIMES} times slower than the best"
        )));
    }
    if longest > MOST_PLANNING {
        return Err(Error::Broken(format!("planning took {longest:?}")));
    }
    Ok(())
}

/// The shortest of some preparations, each of a text that was not seen before: the first may gather what is known of
/// the tables.
fn planning_of(conn: &mut Conn, query: &Query) -> Result<Duration> {
    let mut shortest = Duration::MAX;
    for more in 1..=5 {
        let sql = query.sql(None, PATIENCE + more);
        let begin = Instant::now();
        let statement = conn.prep(sql)?;
        shortest = shortest.min(begin.elapsed());
        conn.close(statement)?;
    }
    Ok(shortest)
}

/// How long a query took and what it answered; None if it took too long.
fn ask(conn: &mut Conn, sql: &str) -> Result<Option<(Duration, Vec<mysql::Row>)>> {
    let begin = Instant::now();
    match conn.query(sql) {
        Ok(rows) => Ok(Some((begin.elapsed(), rows))),
        // The time is up, or the memory that a statement may take.
        Err(error) if matches!(client::code(&error), Some(3024 | 3170 | 1038 | 1041 | 1114)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
