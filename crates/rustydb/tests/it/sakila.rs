//! The Sakila database, where its folder is present: loaded by the unmodified client, its queries answered
//! byte for byte as MySQL does.

use crate::server;
use rustydb_testkit::sakila::{Sakila, difference};
use rustydb_testkit::{Result, programs};
use std::path::Path;

#[test]
fn sakila_loads_and_answers_as_mysql_does() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let Some(sakila) = Sakila::find(root) else {
        eprintln!("left out: no Sakila folder; RUSTYDB_SAKILA_DIR says where it is");
        return Ok(());
    };
    if !programs::require(&["mariadb"])? {
        return Ok(());
    }
    let (server, _home) = server()?;
    let loading = sakila.load(server.address())?;
    let wrong: Vec<_> = loading.refused.iter().filter(|refused| !refused.is_expected()).collect();
    assert!(wrong.is_empty(), "{} statements were refused, first {:#?}", wrong.len(), wrong[0]);
    let mut differences = Vec::new();
    for query in sakila.queries()?.iter().filter(|query| query.is_wanted()) {
        let answer = query.answer(server.address())?;
        if answer != query.expected {
            differences.push(format!("{}:\n{}", query.name, difference(&query.expected, &answer)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}
