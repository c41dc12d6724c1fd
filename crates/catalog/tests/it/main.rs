//! The catalog over a real engine on a simulated disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crash;
mod ddl;
mod open;
mod store;
mod threads;
