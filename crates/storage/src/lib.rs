//! Floor 1: ordered trees of bytes on one page file and a write-ahead log.
//!
//! ```text
//!   Tree (btree/)      ordered keys and values; splits, merges, overflow chains
//!     |  pages under latches             every change is one log record
//!   Pool (buffer/)     frames, eviction         Log (wal/)   frames, group flush
//!     |  batches through the doublewrite area     |
//!   Disk (disk/)       the machine's files, or a simulated disk with faults
//! ```
//!
//! What this floor guarantees: a record that [`wal::Log::flush`] has returned for is replayed after
//! any crash; each log record is applied to all of its pages or to none; a page that was torn by a
//! crash is restored; a page that was damaged otherwise is reported and never used. Which rows a
//! reader may see, who waits for whom and what is rolled back is for the transaction floor.
//! Byte layouts and the argument why recovery is correct stand in `docs/storage.md`.

pub mod btree;
pub mod buffer;
pub mod check;
pub mod disk;
mod error;
mod ids;
#[cfg(all(test, feature = "shuttle"))]
mod interleavings;
mod lock_file;
mod mini_transaction;
mod pacing;
pub mod page;
mod recovery;
pub mod repair;
mod replay;
mod space;
mod store;
mod superblock;
pub mod sync;
pub mod wal;

pub use btree::{Course, EntryBatch, Expect, KeyRange, ScanPosition, Settled, State, Tree, TreeSize};
pub use error::{Error, Result};
pub use ids::{Lsn, PageNo, TreeId};
pub use lock_file::Holder;
pub use pacing::{Progress, WriteBack};
pub use recovery::{Loser, Prepared, Recovered, UndoStep};
pub use store::{Durability, Opening, Options, RowContext, Statistics, Store, TransactionHorizon};
