//! The MySQL door: listeners, connections, sessions; the protocol's server half with I/O.
//!
//! Follow a connection:
//!
//! 1. [`Server`] (`server`) listens and accepts; `connections` knows who is there, `workers` gives threads,
//!    `parking` takes them back from connections that idle.
//! 2. `handshake` greets, does TLS and proves the password; `keys` are made at first start.
//! 3. `connection` waits for requests and answers them, one function per command; `transport` moves packets.
//! 4. Statements run in the [`Session`] of a [`Backend`], on the connection's thread; results come back through
//!    a `ResultSink` and leave as packets, so a slow client slows its own statement and nothing grows.
//! 5. `watcher` cancels the statements of clients that have vanished.
//!
//! Invariants: every wait has a deadline (`connect_timeout`, `wait_timeout`, `net_read_timeout`,
//! `net_write_timeout`); every buffer has a bound (`max_allowed_packet`, 32 KiB of outgoing rows, cursors);
//! no input ends the process, and an unknown command is an error. Idle connections hold neither buffers nor
//! threads.
//!
//! Left to others: what SQL means (`rustydb-sql`), packets as such (`rustydb-mysql-protocol`). Not built and
//! never offered: replication commands.

mod backend;
mod binary_literal;
mod charset;
mod config;
mod connection;
mod connections;
mod ending;
mod error;
mod handshake;
mod keys;
mod metrics;
mod parking;
mod server;
mod sql;
mod transport;
mod watcher;
mod workers;

pub use backend::{Account, AuthMethod, Backend, Credential, Limits, Prepared, Session};
pub use config::{Config, TlsConfig};
pub use error::Error;
pub use server::Server;
pub use sql::SqlBackend;
