//! TPC-H at a scale that a test can afford: all 22 queries answer as MySQL does.

use crate::home;
use rustydb_testkit::tpch::{QUERIES, SMALL, Server, Timed, load, small};
use rustydb_testkit::{Result, RustyDb};
use std::path::Path;

/// Longest time of a query, in seconds: this is the debug build.
const CAP: u64 = 30;

#[test]
fn the_queries_of_tpch_answer_as_mysql_does() -> Result<()> {
    let answers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testkit/tpch");
    let home = home(&["--durability", "second"])?;
    let server = RustyDb::start(&home)?;
    load(server.address(), SMALL)?;
    let mut session = Server::new(server.address(), "max_execution_time", CAP)?;
    session.analyze()?;
    let mut wrong = Vec::new();
    for query in QUERIES {
        match session.ask(&query.text(SMALL))? {
            Timed::Answered(took, answer) => {
                eprintln!("Q{}: {took:.2} s", query.number);
                let difference = answer.difference(&small(&answers, &query)?, &query);
                wrong.extend(difference.map(|difference| format!("Q{}: {difference}", query.number)));
            }
            Timed::Refused(why) => wrong.push(format!("Q{}: {why}", query.number)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
