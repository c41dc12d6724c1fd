//! The door, driven over real sockets by a small client of its own.
//!
//! Most tests put a script behind the door ([`script`]), so that what the door does is seen alone; `sql` runs
//! the product's database behind it.

#![allow(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod client;
mod script;

mod cancellation;
mod charsets;
mod commands;
mod compression;
mod handshake;
mod limits;
mod prepared;
mod results;
mod shutdown;
mod sql;
mod tls;
mod tracking;
