//! The product from outside: the real binary with unmodified clients, and the library as another crate uses it.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod changes;
mod clients;
mod command_line;
mod compatibility;
mod embedding;
mod first_start;
mod isolation;
mod long_transactions;
mod operators;
mod peer;
mod sakila;
mod shell;
mod tpch;
mod xa;

use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Result, RustyDb};
use std::path::Path;

/// The server under test.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rustydb"))
}

/// A fresh home with small memory and more words for its command line.
fn home(settings: &[&str]) -> Result<Home> {
    let mut words = vec!["--buffer-pool-size", "16M"];
    words.extend(settings);
    if !settings.contains(&"--socket") {
        words.extend(["--socket", "off"]);
    }
    Home::new(binary(), &std::env::temp_dir(), &words)
}

/// A server on a fresh home.
fn server() -> Result<(RustyDb, Home)> {
    let home = home(&[])?;
    Ok((RustyDb::start(&home)?, home))
}
