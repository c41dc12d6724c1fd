//! Real servers for tests and measurements: ours and MariaDB, each on a free port and a private folder.
//!
//! Everything here is used from outside, by unmodified clients: the `mysql` crate, the `mariadb` program,
//! PyMySQL, sysbench. A server is a value: it is started by `start`, ends when it is dropped, and takes its
//! folder with it. The binary of this package holds the crash test and the benchmarks; `crates/rustydb`
//! takes the library for its integration tests.
//!
//! Left to others: starting these tools (`cargo xtask`), and tests inside one process (each crate's own).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

pub mod cgroup;
pub mod client;
mod error;
pub mod history;
pub mod isolation;
pub mod mariadb;
pub mod old_reader;
pub mod programs;
pub mod random;
pub mod rustydb;
pub mod sakila;
mod watched;

pub use error::{Error, Result};
pub use mariadb::MariaDb;
pub use rustydb::RustyDb;

use std::net::TcpListener;

/// A TCP port on the loopback address that was free a moment ago.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("find a free port"))?;
    Ok(listener.local_addr().map_err(Error::io("read the free port"))?.port())
}
