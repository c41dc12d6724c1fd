//! `cargo xtask bench tpch`: TPC-H on ours, MariaDB and DuckDB, in one run.
//!
//! ```text
//! --scale F      scale factor (1)          --quick         scale 0.05, three rounds
//! --memory SIZE  ours alone, in a memory cgroup of that size with settings for it, loading included
//! --alone        ours alone                --queries 1,6   some of the queries
//! --cap SECONDS  longest time of a query (600 for ours; MariaDB has 60)
//! --answers PORT only writes what the MySQL server on that port answers at scale 0.008 into the repository
//! ```
//!
//! Ours and MariaDB are loaded by the same INSERTs, DuckDB from files by COPY, which is its own way. All have two
//! cores; DuckDB is told two threads. Every query runs once on MariaDB, capped; on ours and DuckDB the median of five
//! is taken, the first run of all included. Answers are compared with the published ones at scale factor 1, with
//! this repository's at 0.008, and with DuckDB's and MariaDB's at any scale.

mod duckdb;

use crate::options::Options;
use crate::report::{Report, median};
use duckdb::DuckDb;
use mysql::prelude::Queryable;
use rustydb_testkit::cgroup::Cgroup;
use rustydb_testkit::client::Address;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::tpch::{Answer, QUERIES, Query, SMALL, Server, Timed, load, published, small};
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, mariadb};
use std::path::{Path, PathBuf};

/// MariaDB's longest time for one query, in seconds.
const PEER_CAP: u64 = 60;
/// Buffer pool of ours and MariaDB's, in MiB: at scale factor 1 everything fits.
const POOL: u64 = 3072;
/// What one statement of ours may hold beside it, in MiB.
const STATEMENT: u64 = 1024;

/// Wanted: the geometric mean of our times to MariaDB's.
const MOST_OF_MARIADB: f64 = 0.2;
/// Wanted: our total to DuckDB's, and the worst query.
const MOST_OF_DUCKDB: (f64, f64) = (6.0, 15.0);

/// Where the answers at [`SMALL`] stand.
const ANSWERS: &str = "testkit/tpch";
/// Whose the answers at scale factor 1 are.
const PUBLISHED: &str = "the published answer";

struct Choice {
    scale: f64,
    rounds: usize,
    memory: Option<u64>,
    alone: bool,
    cap: u64,
    queries: Vec<Query>,
    source: PathBuf,
    server: PathBuf,
}

impl Choice {
    fn read(mut options: Options) -> Result<Choice> {
        let quick = options.flag("--quick");
        let scale = options.word("--scale")?.unwrap_or_else(|| if quick { "0.05" } else { "1" }.into());
        let scale =
            scale.parse().map_err(|_| Error::Usage(format!("--scale wants a number, not '{scale}'")))?;
        let memory = options.word("--memory")?.map(|word| mebibytes(&word)).transpose()?;
        let wanted = options.word("--queries")?;
        let queries = match &wanted {
            None => QUERIES.to_vec(),
            Some(list) => list.split(',').map(numbered).collect::<Result<_>>()?,
        };
        let choice = Choice {
            scale,
            rounds: if quick { 3 } else { 5 },
            alone: options.flag("--alone") || memory.is_some(),
            memory,
            cap: options.number("--cap", 600)?,
            queries,
            source: options.source()?,
            server: options.server()?,
        };
        options.finish()?;
        Ok(choice)
    }

    fn near(&self) -> &Path {
        self.server.parent().unwrap_or(&self.server)
    }
}

/// The MiB of `1g`, `512m` or `512`.
fn mebibytes(word: &str) -> Result<u64> {
    let lower = word.to_ascii_lowercase();
    let (digits, times) = match lower.strip_suffix('g') {
        Some(digits) => (digits, 1024),
        None => (lower.strip_suffix('m').unwrap_or(&lower), 1),
    };
    let number: Option<u64> = digits.parse().ok().filter(|number| *number > 0);
    let wrong = || Error::Usage(format!("--memory wants a size such as 1g, not '{word}'"));
    number.map(|number| number * times).ok_or_else(wrong)
}

fn numbered(word: &str) -> Result<Query> {
    let number: Option<u8> = word.parse().ok();
    let found = QUERIES.into_iter().find(|query| Some(query.number) == number);
    found.ok_or_else(|| Error::Usage(format!("no query '{word}': 1 to 22")))
}

pub(crate) fn run(mut options: Options) -> Result<()> {
    let port = options.number("--answers", 0)?;
    if port > 0 {
        return write_answers(port, &options.source()?.join(ANSWERS));
    }
    let choice = Choice::read(options)?;
    let group = choice.memory.map(|mib| Cgroup::new("tpch", mib << 20)).transpose()?;
    let settings = match choice.memory {
        Some(mib) => vec!["--memory".to_owned(), format!("{}M", mib * 3 / 4)],
        None => vec![
            "--buffer-pool-size".to_owned(),
            format!("{POOL}M"),
            "--statement-memory".to_owned(),
            format!("{STATEMENT}M"),
        ],
    };
    let words: Vec<&str> = settings.iter().map(String::as_str).chain(["--socket", "off"]).collect();
    let home = Home::new(&choice.server, choice.near(), &words)?;
    let home = match &group {
        Some(group) => home.wrapped_in(group.enter()),
        None => home,
    };
    let ours = RustyDb::start(&home)?;
    let loaded = load(ours.address(), choice.scale)?;
    println!("rustydb: {} rows loaded, {:.0} rows/s", loaded.rows, loaded.rate());

    let mut report = Report::new("tpch", "MariaDB");
    let mut wrong = Vec::new();
    let peers = match choice.alone {
        true => None,
        false => Some(Peers::start(&choice, loaded.rows, loaded.rate(), &mut report)?),
    };
    let times = measure(&choice, &ours, peers, &mut wrong)?;
    summary(&times, &mut report);
    report.alone("queries that finished", times.iter().filter(|time| time.ours.is_some()).count() as f64);
    report.at_most("wrong or missing answers", wrong.len() as f64, 0.0);
    if let Some(peak) = group.as_ref().and_then(Cgroup::peak) {
        let most = choice.memory.unwrap_or_default();
        report.at_most("memory at most MiB", peak as f64 / f64::from(1 << 20), most as f64);
    }
    report.finish()
}

/// Asks a MySQL (root without a password) and keeps what it answers.
fn write_answers(port: u64, folder: &Path) -> Result<()> {
    let port = u16::try_from(port).map_err(|_| Error::Usage("--answers PORT".into()))?;
    let address = Address { port, user: "root".into(), password: String::new() };
    load(&address, SMALL)?;
    let mut server = Server::new(&address, "max_execution_time", 600)?;
    std::fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))?;
    for query in QUERIES {
        match server.ask(&query.text(SMALL))? {
            Timed::Answered(_, answer) => {
                let file = folder.join(format!("q{:02}.txt", query.number));
                let writing = Error::io(format!("write {}", file.display()));
                std::fs::write(&file, answer.to_lines()).map_err(writing)?;
            }
            Timed::Refused(why) => return Err(Error::Broken(why)),
        }
    }
    address.connect()?.query_drop("DROP DATABASE tpch")?;
    Ok(())
}

struct Peers {
    mariadb: MariaDb,
    duckdb: DuckDb,
}

impl Peers {
    fn start(choice: &Choice, rows: u64, rate: f64, report: &mut Report) -> Result<Peers> {
        let settings = ["--sort-buffer-size=64M", "--join-buffer-size=64M", "--tmp-table-size=256M"];
        let options = mariadb::Options {
            buffer_pool_mib: POOL,
            settings: settings
                .iter()
                .chain(&["--max-heap-table-size=256M"])
                .map(|s| (*s).to_owned())
                .collect(),
            ..Default::default()
        };
        let mariadb = MariaDb::start(choice.near(), &options)?;
        let loaded = load(mariadb.address(), choice.scale)?;
        println!("MariaDB: {} rows loaded, {:.0} rows/s", loaded.rows, loaded.rate());
        // As good a plan as it can make.
        Server::new(mariadb.address(), "max_statement_time", PEER_CAP)?.analyze()?;
        let mut duckdb = DuckDb::start(&choice.source, choice.near(), 2, POOL + STATEMENT)?;
        let seconds = duckdb.load(choice.scale)?;
        println!("DuckDB: loaded from files, {:.0} rows/s", rows as f64 / seconds);
        report.rate("rows loaded per s", rate, loaded.rate(), None);
        report.peer("DuckDB");
        report.rate("rows loaded per s (COPY there)", rate, rows as f64 / seconds, None);
        Ok(Peers { mariadb, duckdb })
    }
}

/// What one query took, in seconds; None where it did not finish.
struct Times {
    query: u8,
    ours: Option<f64>,
    mariadb: Option<f64>,
    duckdb: Option<f64>,
}

fn measure(
    choice: &Choice,
    ours: &RustyDb,
    mut peers: Option<Peers>,
    wrong: &mut Vec<String>,
) -> Result<Vec<Times>> {
    let mut server = Server::new(ours.address(), "max_execution_time", choice.cap)?;
    server.analyze()?;
    let mut times = Vec::new();
    for query in &choice.queries {
        let text = query.text(choice.scale);
        let name = format!("Q{}", query.number);
        let mut seconds = Vec::new();
        let mut answer = None;
        for _ in 0..choice.rounds {
            match server.ask(&text)? {
                Timed::Answered(took, rows) => {
                    seconds.push(took);
                    answer = Some(rows);
                    // What takes minutes is not run five times.
                    if took > 60.0 {
                        break;
                    }
                }
                Timed::Refused(why) => {
                    println!("WRONG {name}: {why}");
                    wrong.push(format!("{name}: {why}"));
                    break;
                }
            }
        }
        let mut time = Times { query: query.number, ours: None, mariadb: None, duckdb: None };
        time.ours = answer.is_some().then(|| median(&seconds));
        let mut known: Vec<(&str, Answer)> = Vec::new();
        if choice.scale == 1.0 {
            known.push((PUBLISHED, published(query)));
        } else if choice.scale == SMALL {
            known.push(("this repository", small(&choice.source.join(ANSWERS), query)?));
        }
        if let Some(peers) = &mut peers {
            let (seconds, rows) = peers.duckdb.ask(&text, choice.rounds)?;
            time.duckdb = Some(median(&seconds));
            known.push(("DuckDB", rows));
            let mut mariadb = Server::new(peers.mariadb.address(), "max_statement_time", PEER_CAP)?;
            match mariadb.ask(&text)? {
                Timed::Answered(took, rows) => {
                    time.mariadb = Some(took);
                    known.push(("MariaDB", rows));
                }
                Timed::Refused(why) => println!("MariaDB {name}: {why}"),
            }
        }
        if let Some(answer) = answer {
            for (whose, expected) in &known {
                let seen = match *whose {
                    PUBLISHED => answer.as_published(query),
                    _ => answer.clone(),
                };
                if let Some(difference) = seen.difference(expected, query) {
                    let line = format!("{name} beside {whose}: {difference}");
                    println!("WRONG {line}");
                    wrong.push(line);
                }
            }
        }
        let shown = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{:.1} ms", time * 1e3));
        println!(
            "{name:<4} rustydb {:>12}  MariaDB {:>12}  DuckDB {:>12}",
            shown(time.ours),
            shown(time.mariadb),
            shown(time.duckdb)
        );
        times.push(time);
    }
    Ok(times)
}

fn summary(times: &[Times], report: &mut Report) {
    let all = times.iter().all(|time| time.ours.is_some());
    if times.iter().all(|time| time.duckdb.is_none()) {
        for time in times {
            report.alone(format!("Q{} ms", time.query), time.ours.map_or(f64::NAN, |ours| ours * 1e3));
        }
        report.alone("total s", if all { times.iter().filter_map(|time| time.ours).sum() } else { f64::NAN });
        return;
    }
    report.peer("DuckDB");
    let ours = |time: &Times| time.ours.unwrap_or(f64::INFINITY);
    for time in times {
        let peer = time.duckdb.unwrap_or(f64::NAN);
        report.time(format!("Q{} ms", time.query), ours(time) * 1e3, peer * 1e3, Some(MOST_OF_DUCKDB.1));
    }
    let total: f64 = times.iter().map(ours).sum();
    let duckdb: f64 = times.iter().filter_map(|time| time.duckdb).sum();
    report.time("total s", total, duckdb, Some(MOST_OF_DUCKDB.0));
    report.peer("MariaDB");
    let mut logarithms = Vec::new();
    for time in times {
        // One that was stopped counts with the time it had.
        let peer = time.mariadb.unwrap_or(PEER_CAP as f64);
        report.time(format!("Q{} ms", time.query), ours(time) * 1e3, peer * 1e3, Some(1.0));
        logarithms.push((ours(time) / peer).ln());
    }
    let mean = (logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64).exp();
    report.at_most("geometric mean of ratios", mean, MOST_OF_MARIADB);
}
