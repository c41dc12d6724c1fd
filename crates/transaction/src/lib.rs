//! Floor 2: transactions over trees.
//!
//! ```text
//!   Transaction --reads--> Snapshot ----------.
//!        |                                     v
//!        |            leaf (newest) + Versions (older) -> the version it may see
//!        |--writes--> LockTable, then leaf + Versions + log record
//!        '--commit--> Commits: number, log, let locks go, wait for the disk, publish
//! ```
//! What is promised, by isolation level:
//!
//! - READ COMMITTED: each statement reads what was committed when it began.
//! - REPEATABLE READ: all plain reads see what was committed at the first one. Reads that decide
//!   (writes, locking reads) see the newest committed row, under its lock, and ranges they read are locked
//!   against inserts. So a counter incremented by two never loses one; a transaction that mixes plain
//!   reads with writes may see its own write next to older rows, as in InnoDB. Write skew between
//!   plain reads is possible.
//! - SNAPSHOT: decides by the snapshot too: what somebody has changed since cannot be changed or locked.
//! - SERIALIZABLE: as SNAPSHOT, and what could not have happened one after the other is refused (see `serial`).
//!
//! A commit is seen by new snapshots only once it is durable. Its locks go earlier, when its record is in
//! the log's buffer; who then reads what it wrote, to decide, is told only after that record is durable
//! ([`Transaction::wait_observed_durable`]). So one row can be changed at the speed of memory.

mod births;
mod by_snapshot;
pub mod cancel;
pub mod changelog;
mod commits;
mod current;
mod engine;
mod error;
#[cfg(all(test, feature = "shuttle"))]
mod interleavings;
mod key_ranges;
mod keyed;
mod limits;
pub mod locks;
mod prepared;
mod purge;
mod serial;
mod set_aside;
mod sleep;
mod snapshot;
mod spill;
mod transaction;
mod versions;
mod watch;
mod write;

pub use cancel::{Cancel, CancelReason};
pub use commits::Committed;
pub use current::{LockedScan, Met};
pub use engine::{Engine, EngineOptions, EngineStatistics};
pub use error::{Error, ErrorClass, Result};
pub use locks::{LockMode, LockTable, MetadataLocks, OwnerId, WaitOptions};
pub use prepared::PreparedTransaction;
pub use rustydb_storage::{Durability, EntryBatch, KeyRange, Tree, TreeId, TreeSize};
pub use serial::SerialCounters;
pub use snapshot::SnapshotCounters;
pub use transaction::{Direction, Isolation, Savepoint, Scan, StatementMark, Transaction, TransactionId};
pub use watch::{Progress, UnfinishedChange};
