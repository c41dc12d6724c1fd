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
pub mod cluster;
mod error;
pub mod history;
pub mod isolation;
pub mod mariadb;
pub mod old_reader;
pub mod programs;
pub mod random;
pub mod rustydb;
pub mod sakila;
pub mod tpch;
mod watched;

pub use error::{Error, Result};
pub use mariadb::MariaDb;
pub use rustydb::RustyDb;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections (32768 and up by default), above those of known services.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// How many ports of [`PORTS`] belong to a process: those with neighbouring numbers share none.
const PORTS_OF_PROCESS: u16 = 20;

/// A TCP port on the loopback address that was free a moment ago, and that nobody is likely to take: neither the
/// system for a connection nor another test that looks for a port at the same time.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let width = PORTS.end - PORTS.start;
    let own = (std::process::id() % u32::from(width / PORTS_OF_PROCESS)) as u16 * PORTS_OF_PROCESS;
    for _ in 0..width {
        let port = PORTS.start + (own + NEXT.fetch_add(1, Ordering::Relaxed) % width) % width;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::Broken("no TCP port is free".to_owned()))
}
