//! `cargo xtask sakila`: loads the Sakila database, says what was refused and which queries are answered
//! otherwise than by MySQL, and compares the loading time with MariaDB's.
//!
//! Rounds of loading alternate between the servers, each over what it loaded before; the medians are compared.

use crate::options::Options;
use crate::report::{Report, median};
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::sakila::{Sakila, difference};
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, mariadb};
use std::collections::BTreeMap;

/// The most that loading may take, in loading times of MariaDB.
const MOST_TIMES: f64 = 1.0;

pub(crate) fn run(mut options: Options) -> Result<()> {
    let rounds = options.number("--rounds", 3)?.max(1);
    let server = options.server()?;
    let source = options.source()?;
    let data = options.word("--data")?;
    options.finish()?;
    let sakila = match data {
        Some(folder) => Sakila::at(folder.as_ref())?,
        None => Sakila::find(&source).ok_or_else(|| {
            Error::Usage("where is Sakila? give --data DIR, or set RUSTYDB_SAKILA_DIR".to_owned())
        })?,
    };
    // Beside the build, not in the temporary folder, which may be memory where a sync costs nothing.
    let near = server.parent().unwrap_or(&server);
    let home = Home::new(&server, near, &["--socket", "off"])?;
    let ours = RustyDb::start(&home)?;
    let peer = MariaDb::start(near, &mariadb::Options::default())?;

    let mut seconds = [Vec::new(), Vec::new()];
    let mut refused = Vec::new();
    for round in 0..rounds {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for server in order {
            let address = if server == 0 { ours.address() } else { peer.address() };
            let loading = sakila.load(address)?;
            println!(
                "round {} {:<8} {:>8.2} s",
                round + 1,
                ["rustydb", "MariaDB"][server],
                loading.took.as_secs_f64()
            );
            seconds[server].push(loading.took.as_secs_f64());
            if server == 0 {
                refused = loading.refused;
            }
        }
    }

    let (expected, wrong): (Vec<_>, Vec<_>) = refused.iter().partition(|refused| refused.is_expected());
    println!("\nrefused as not built: {} statements", expected.len());
    for refused in &expected {
        println!("  {}", head(&refused.statement));
    }
    println!("refused otherwise: {} statements", wrong.len());
    let mut by_error: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for refused in &wrong {
        by_error.entry(without_line(&refused.error)).or_default().push(&refused.statement);
    }
    for (error, statements) in by_error {
        println!("  {:>5} x {error}\n          {}", statements.len(), head(statements[0]));
    }

    let (mut equal, mut differing) = (0, Vec::new());
    for query in sakila.queries()? {
        let answer = query.answer(ours.address())?;
        match (answer == query.expected, query.is_wanted()) {
            (true, true) => equal += 1,
            (false, true) => {
                println!("\n{} differs:\n{}", query.name, difference(&query.expected, &answer));
                differing.push(query.name);
            }
            (same, false) => {
                println!(
                    "{:<16} not compared ({})",
                    query.name,
                    if same { "equal already" } else { "differs" }
                );
            }
        }
    }
    println!("\n{equal} queries equal, {} differ: {}", differing.len(), differing.join(", "));

    let mut report = Report::new("sakila", "MariaDB");
    let (our_time, their_time) = (median(&seconds[0]), median(&seconds[1]));
    report.beside("loading s", our_time, their_time);
    report.at_most("loading in MariaDB's times", our_time / their_time, MOST_TIMES);
    report.at_most("statements refused wrongly", wrong.len() as f64, 0.0);
    report.at_most("queries that differ", differing.len() as f64, 0.0);
    report.finish()
}

/// The first line of a statement, cut.
fn head(statement: &str) -> String {
    statement.lines().next().unwrap_or_default().chars().take(100).collect()
}

/// An error without the place in the file, so that equal ones are counted together.
fn without_line(error: &str) -> String {
    match (error.split_once(" at line "), error.split_once(": ")) {
        (Some((code, _)), Some((_, message))) => format!("{code}: {message}"),
        _ => error.to_owned(),
    }
}
