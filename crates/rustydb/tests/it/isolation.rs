//! A share of `cargo xtask isolation`: every level under load and a kill, its history checked.

use crate::home;
use rustydb_testkit::Result;
use rustydb_testkit::isolation::{Chosen, Plan, run};

fn holds(chosen: Chosen) -> Result<()> {
    let plan = Plan { chosen, transactions: 600, kills: 1, clients: 6, seed: 42 };
    let ran = run(&home(&[])?, plan)?;
    assert!(ran.committed > 0);
    ran.hold()
}

#[test]
fn read_committed_keeps_its_promise() -> Result<()> {
    holds(Chosen::ReadCommitted)
}

#[test]
fn repeatable_read_keeps_its_promise() -> Result<()> {
    holds(Chosen::RepeatableRead)
}

#[test]
fn snapshot_keeps_its_promise() -> Result<()> {
    holds(Chosen::Snapshot)
}

#[test]
fn serializable_keeps_its_promise() -> Result<()> {
    holds(Chosen::Serializable)
}

#[test]
fn serializable_by_locks_keeps_its_promise() -> Result<()> {
    holds(Chosen::Locking)
}
