//! COMPATIBILITY.md is true: each statement in its tables is carried out, or refused with the number it names.

use crate::server;
use mysql::prelude::Queryable;
use rustydb_testkit::{Result, client};

const GUIDE: &str = include_str!("../../../../COMPATIBILITY.md");

const BEFORE: [&str; 5] = [
    "CREATE DATABASE p",
    "USE p",
    "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20))",
    "INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')",
    "CREATE TABLE u (id INT PRIMARY KEY, t_id INT)",
];

/// The statements of the tables and what is said of each.
fn claims() -> Vec<(&'static str, &'static str)> {
    GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect()
}

#[test]
fn every_statement_of_the_guide_is_answered_as_it_says() -> Result<()> {
    let (server, _home) = server()?;
    let mut connection = server.address().connect()?;
    for sql in BEFORE {
        connection.query_drop(sql)?;
    }
    let claims = claims();
    assert!(claims.len() > 80, "only {} claims were found in the guide", claims.len());
    let mut wrong = Vec::new();
    for (sql, claimed) in claims {
        let answer = match connection.query_drop(sql) {
            Ok(()) => "works".to_owned(),
            Err(error) => match client::code(&error) {
                Some(code) => format!("error {code}"),
                None => return Err(server.error(format!("did not answer {sql}: {error}"))),
            },
        };
        if answer != claimed {
            wrong.push(format!("{sql}: the guide says {claimed}, the server {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
