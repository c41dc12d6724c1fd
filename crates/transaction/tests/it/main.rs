//! Transactions from outside: what they see, whom they wait for, what is left of them.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod changelog;
mod damage;
mod failures;
mod full_disk;
mod inserts;
mod isolation;
mod prepared;
mod purge;
mod read_now;
mod serializable;
mod simulated;
mod threads;
mod undo;

#[path = "../../examples/simulate/simulation.rs"]
mod simulation;
