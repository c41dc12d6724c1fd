//! The MySQL client beside mysql_async and sqlx: pooled point queries, a fetch of 10,000 rows, 64 tasks over 8
//! connections; what taking and returning a connection costs, and what metrics and spans cost.
//!
//! All three talk to the same MariaDB over TCP without TLS, from the same runtime, in interleaved rounds whose
//! medians are compared. mysql_async is measured with its pool's reset on return switched off as well, which is
//! kinder to it: with the reset, which is its default, it prepares every statement anew.
//!
//! `cargo xtask bench mysql-client [--quick] [--spread] [observed|fetch]`: `observed` measures the cost of metrics and
//! spans alone, `fetch` the 10,000 rows; without `--spread` the clients and the server share one processor.
//! Fails where a figure that is wanted is missed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod clients;
mod figures;
mod observed;
mod server;

use clients::{Client, Ours, Theirs, Third};
use figures::{Figure, median};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Connections of every pool.
const CONNECTIONS: usize = 8;
/// Tasks that share them.
const TASKS: usize = 64;

struct Plan {
    rounds: usize,
    points: u32,
    fetches: u32,
    crowd: Duration,
    only: Option<Part>,
}

/// What is measured alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Observed,
    Fetch,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    if let Some(code) = (!has("--spread")).then(|| on_one_processor(&words)).flatten() {
        return code;
    }
    let only = match (has("observed"), has("fetch")) {
        (true, _) => Some(Part::Observed),
        (false, true) => Some(Part::Fetch),
        (false, false) => None,
    };
    let plan = if has("--quick") {
        Plan { rounds: 5, points: 2_000, fetches: 10, crowd: Duration::from_millis(500), only }
    } else {
        Plan { rounds: 9, points: 10_000, fetches: 40, crowd: Duration::from_secs(2), only }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let told = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(measure(&plan)));
    match told.and_then(|figures| figures::tell(&figures)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("mysql-client: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again with itself and its server on one processor. Where each of the two runs decides over the figures
/// otherwise: one that wakes the other on a processor that sleeps has a third of the point queries of one that need not, and
/// that changes from round to round. On one processor a query takes the work that it makes.
fn on_one_processor(words: &[String]) -> Option<ExitCode> {
    const PINNED: &str = "RUSTYDB_BENCH_PINNED";
    if std::env::var_os(PINNED).is_some() {
        return None;
    }
    let last = std::thread::available_parallelism().map_or(0, |count| count.get() - 1);
    let mut again = std::process::Command::new("taskset");
    again.args(["-c", &last.to_string()]).arg(std::env::current_exe().ok()?).args(words).env(PINNED, "1");
    match again.status() {
        Ok(status) => Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        Err(error) => {
            eprintln!("mysql-client: not on one processor: taskset: {error}");
            None
        }
    }
}

type Clients = Arc<[Client; 4]>;

async fn measure(plan: &Plan) -> Result<Vec<Figure>, Failure> {
    let server = server::Server::start().await?;
    if plan.only == Some(Part::Observed) {
        return Ok(observed::figures(&server, plan.rounds, plan.points).await?.into());
    }
    let clients: Clients = Arc::new([
        Client::Ours(Ours::connect(&server, CONNECTIONS).await?),
        Client::Theirs(Theirs::connect(&server, CONNECTIONS, false)),
        Client::Theirs(Theirs::connect(&server, CONNECTIONS, true)),
        Client::Third(Third::connect(&server, CONNECTIONS).await?),
    ]);
    if plan.only == Some(Part::Fetch) {
        return Ok(fetch_figures(&clients, plan).await?.into());
    }
    let mut figures = vec![check_out(&clients).await?];

    let mut told = [const { Vec::new() }; 4];
    for round in 0..=plan.rounds {
        for (index, told) in told.iter_mut().enumerate() {
            let rate = point_rate(&clients, index, plan.points).await?;
            told.extend((round > 0).then_some(rate));
        }
    }
    let points = told.map(median);
    figures.push(Figure::at_least("point query, beside mysql_async", "/s", points[0], points[1], 1.1));
    figures.push(Figure::shown("  beside mysql_async as it comes (reset)", "/s", points[0], points[2]));
    figures.push(Figure::at_least("point query, beside sqlx", "/s", points[0], points[3], 1.3));

    figures.extend(fetch_figures(&clients, plan).await?);

    let mut rates = [const { Vec::new() }; 4];
    let mut waits = [const { Vec::new() }; 4];
    for round in 0..=plan.rounds.min(5) {
        for index in 0..4 {
            let (rate, waited) = crowd(&clients, index, plan.crowd).await?;
            if round > 0 {
                rates[index].push(rate);
                waits[index].extend(waited);
            }
        }
    }
    let rates = rates.map(median);
    figures.push(Figure::at_least("64 tasks over 8, beside mysql_async", "/s", rates[0], rates[1], 1.0));
    figures.push(Figure::at_least("64 tasks over 8, beside sqlx", "/s", rates[0], rates[3], 1.0));
    for (name, waits) in ["ours", "mysql_async", "mysql_async, reset", "sqlx"].into_iter().zip(waits) {
        figures.push(Figure::waits(name, waits));
    }
    figures.extend(observed::figures(&server, plan.rounds, plan.points).await?);
    Ok(figures)
}

/// The lines of the 10,000 rows.
async fn fetch_figures(clients: &Clients, plan: &Plan) -> Result<[Figure; 2], Failure> {
    let mut told = [const { Vec::new() }; 4];
    for round in 0..=plan.rounds {
        for (index, told) in told.iter_mut().enumerate() {
            let time = fetch_time(clients, index, plan.fetches).await?;
            told.extend((round > 0).then_some(time));
        }
    }
    let fetches = told.map(median);
    Ok([
        Figure::at_most("10,000-row fetch, beside mysql_async", "ms", fetches[0], fetches[1], 0.7),
        Figure::shown("  beside sqlx", "ms", fetches[0], fetches[3]),
    ])
}

/// Taking a connection and giving it back, with nobody else there; the server's own count says that it is not
/// asked.
async fn check_out(clients: &Clients) -> Result<Figure, Failure> {
    const TIMES: u32 = 200_000;
    let Client::Ours(ours) = &clients[0] else { return Err("the first client is ours".into()) };
    let before = ours.questions().await?;
    let start = Instant::now();
    for _ in 0..TIMES {
        drop(ours.acquire().await?);
    }
    let each = start.elapsed().as_nanos() as f64 / f64::from(TIMES);
    let asked = ours.questions().await? - before;
    // One question is the count itself; the pool's health loop may ask a few.
    if asked > 10 {
        return Err(format!("{asked} round trips in {TIMES} times of taking a connection").into());
    }
    Ok(Figure::below("take and return a connection", "ns", each, 1_000.0))
}

/// Point queries in a second, one after the other, each with a connection of the pool.
async fn point_rate(clients: &Clients, index: usize, count: u32) -> Result<f64, Failure> {
    let clients = Arc::clone(clients);
    // On a worker, as in a program: the main thread would have to wake one for every answer.
    let task = tokio::spawn(async move {
        let start = Instant::now();
        for number in 0..count {
            clients[index].point(i64::from(number * 7919 % server::ROWS)).await?;
        }
        Ok::<_, Failure>(f64::from(count) / start.elapsed().as_secs_f64())
    });
    task.await?
}

/// Milliseconds of one fetch of 10,000 rows.
async fn fetch_time(clients: &Clients, index: usize, count: u32) -> Result<f64, Failure> {
    let clients = Arc::clone(clients);
    let task = tokio::spawn(async move {
        let start = Instant::now();
        for _ in 0..count {
            let rows = clients[index].fetch().await?;
            if rows != server::ROWS as usize {
                return Err(Failure::from(format!("{rows} rows")));
            }
        }
        Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(count))
    });
    task.await?
}

/// Point queries in a second by many tasks over few connections, and how long each took, in microseconds.
async fn crowd(clients: &Clients, index: usize, time: Duration) -> Result<(f64, Vec<f64>), Failure> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let clients = Arc::clone(clients);
            tokio::spawn(async move {
                let mut waits = Vec::new();
                let mut number = task as u32 * 131;
                while start.elapsed() < time {
                    let begun = Instant::now();
                    clients[index].point(i64::from(number % server::ROWS)).await?;
                    waits.push(begun.elapsed().as_secs_f64() * 1e6);
                    number = number.wrapping_add(7919);
                }
                Ok::<_, Failure>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    Ok((waits.len() as f64 / start.elapsed().as_secs_f64(), waits))
}
