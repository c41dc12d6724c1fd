//! The same statements on RustyDB and on MariaDB, through the same client: the answers have to agree.
//!
//! Only what MySQL and MariaDB agree on stands in the script; where they differ, MySQL is right and the golden
//! scripts of the crates say so.

use crate::server;
use rustydb_testkit::client::Address;
use rustydb_testkit::{MariaDb, Result, mariadb, programs};
use std::process::Command;

/// Each line is a statement; both servers have to give the same rows or the same error.
const SCRIPT: &str = include_str!("../../testscripts/both_servers.sql");

#[test]
fn rustydb_and_mariadb_give_the_same_answers() -> Result<()> {
    if !programs::require(&["mariadb", "mariadbd", "mariadb-install-db"])? {
        return Ok(());
    }
    let (ours, _home) = server()?;
    let peer = MariaDb::start(&std::env::temp_dir(), &mariadb::Options::default())?;
    let (ours, theirs) = (answers(ours.address())?, answers(peer.address())?);
    let differing = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs);
    let differences: Vec<_> = differing.map(|(o, t)| format!("ours:\n{o}\nMariaDB's:\n{t}\n")).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(ours.len(), theirs.len());
    Ok(())
}

/// The client's whole output for the script, errors in their places, cut at each statement.
fn answers(address: &Address) -> Result<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let marked: String = SCRIPT
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("--"))
        .map(|line| format!("{line}\nSELECT '---' AS `{}`;\n", line.replace(['`', ';'], "")))
        .collect();
    let file = folder.path().join("script.sql");
    std::fs::write(&file, marked).unwrap();
    let mut client = Command::new("sh");
    let line = "mariadb --no-defaults --force --batch --default-character-set=utf8mb4 \"$@\" < \"$SCRIPT\" 2>&1; true";
    client.env("SCRIPT", &file).args(["-c", line, "mariadb"]).args(address.words());
    client.arg(format!("--password={}", address.password));
    let text = programs::output(&mut client)?;
    Ok(text.split("---\n").map(normal).collect())
}

/// Takes out where MariaDB words an error differently from MySQL 8.4, which we follow.
fn normal(answer: &str) -> String {
    [
        ("MariaDB server version", "MySQL server version"),
        ("in 'SELECT'", "in 'field list'"),
        ("for key 't.", "for key '"),
    ]
    .iter()
    .fold(answer.to_owned(), |answer, (from, to)| answer.replace(from, to))
}
