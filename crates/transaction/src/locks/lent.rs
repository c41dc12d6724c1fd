//! Locks that stand in no table: an unfinished insert is its own lock.
//!
//! A row that nobody had and one transaction has just made is that transaction's alone until it ends: everybody who
//! meets it finds an unfinished writer on its newest version. So an insert takes no lock, as in InnoDB; whoever
//! wants to lock such a row first puts the lock into the table in the writer's name (lends it), and then waits for
//! it as for any other:
//!
//! ```text
//! inserter                          who wants the row
//!   leaf latched                      lock_row: granted, as the table has no entry
//!   version pushed   (1)              newest version is of an unfinished writer?  (4)
//!   no entry in the table?  (2)         yes: lend it the lock, let go, lock_row again: waits
//!     yes: row written                  no: the row is locked
//!     no: version popped, lock_row
//!   ends: lent locks let go (3)
//! ```
//! The version is pushed (1) before the table is looked at (2), and an entry is made before versions are looked at
//! (4): at least one of the two sees the other.
//!
//! Invariants:
//! - The list is closed (3) after the writer's versions are committed or popped: who finds it closed looks again and
//!   finds no unfinished writer.
//! - Each lent lock is listed here or with its owner, never twice: a place in the table may be another row's later.
//!
//! A rollback to a savepoint takes the rows back and with them their locks. Above READ COMMITTED the transaction lends
//! them to itself first, as InnoDB does: what others may do with the keys does not change before it ends.
//!
//! Lock order: the list, then one shard.

use rustydb_storage::sync::Mutex;

use super::ids::OwnerId;
use super::rows::HeldRow;

/// The locks that others have put into the table in one owner's name.
#[derive(Debug)]
pub(crate) struct LentLocks {
    pub(super) owner: OwnerId,
    /// None: the owner has ended.
    pub(super) rows: Mutex<Option<Vec<HeldRow>>>,
}

impl LentLocks {
    pub(super) fn new(owner: OwnerId) -> LentLocks {
        LentLocks { owner, rows: Mutex::new(Some(Vec::new())) }
    }
}
