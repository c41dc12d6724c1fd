//! The client against real servers, which are started as processes. A test whose server is not installed
//! says so and steps aside.

#![allow(clippy::unwrap_used, reason = "a test fails where it is surprised")]
#![allow(clippy::print_stderr, reason = "a test that steps aside says so")]

mod abandoned;
mod bulk;
mod catalog;
mod cluster;
mod connection;
mod deadlock;
mod hostile;
mod redaction;
mod server;
mod simulation;
