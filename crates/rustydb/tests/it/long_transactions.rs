//! Transactions that stay open: what their readers see, what they cost, and how they end beyond a limit.

use crate::{home, server};
use mysql::prelude::Queryable;
use rustydb_testkit::client::code;
use rustydb_testkit::old_reader::{Load, run};
use rustydb_testkit::{Result, RustyDb};

/// A share of what `cargo xtask bench snapshot` does.
#[test]
fn a_reader_that_stays_sees_what_it_saw_and_costs_a_version_a_row() -> Result<()> {
    let home = home(&["--durability", "second"])?;
    let server = RustyDb::start(&home)?;
    let load = Load { rows: 1_000, changes: 6_000, writers: 4, seed: 7 };
    let found = run(&server, &home.data(), &load)?;
    assert_eq!(found.changes, 6_000);
    assert!(found.reads > 1, "{found:?}");
    assert!(found.versions > 0.0 && found.versions < 1_000.0 * 700.0 * 3.0, "{found:?}");
    assert_eq!(found.versions_after, 0.0, "{found:?}");
    server.stop()?;
    home.check()?;
    Ok(())
}

#[test]
fn a_transaction_that_keeps_too_much_log_is_told_so_and_rolled_back() -> Result<()> {
    let (server, _home) = server()?;
    let mut long = server.address().connect()?;
    let mut other = server.address().connect()?;
    long.query_drop("CREATE DATABASE d")?;
    long.query_drop("CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT)")?;
    long.query_drop("INSERT INTO d.t VALUES (1, 'first'), (2, '')")?;
    long.query_drop("SET GLOBAL max_wal_pinned = 1048576")?;
    long.query_drop("BEGIN")?;
    long.query_drop("UPDATE d.t SET v = 'mine' WHERE id = 1")?;
    let mut refused = None;
    for round in 0..200 {
        other.query_drop(format!("UPDATE d.t SET v = REPEAT('{}', 30000) WHERE id = 2", round % 10))?;
        if let Err(error) = long.query_drop("SELECT v FROM d.t WHERE id = 1") {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(code(&refused), Some(1213), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("40001") && text.contains("max_wal_pinned"), "{text}");
    // It is gone, with its locks, and the session goes on.
    other.query_drop("UPDATE d.t SET v = CONCAT(v, '!') WHERE id = 1")?;
    let value: Option<String> = long.query_first("SELECT v FROM d.t WHERE id = 1")?;
    assert_eq!(value.as_deref(), Some("first!"));
    Ok(())
}
