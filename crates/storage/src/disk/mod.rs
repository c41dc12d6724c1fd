//! Disk, time and randomness as traits, so that a seeded simulation can stand in for the machine.
//!
//! Invariants that every [`Disk`] keeps, and nothing more is assumed (see `docs/storage.md`):
//! a write is durable once `sync_data` of its file has returned after it; a created, renamed or
//! removed name is durable once `sync_directory` has returned; writes that were not synced survive a
//! crash wholly, partly (by sectors of 512 bytes) or not at all, in any order; a failed sync says
//! nothing about any write since the last good one.

mod overlay;
mod simulated;
mod system;
mod temporary;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use overlay::Overlay;
pub use simulated::{Fault, SimulatedClock, SimulatedDisk};
pub use system::{SystemClock, SystemDisk};
pub use temporary::remove_leftovers;

/// The unit in which writes may be torn.
pub const SECTOR: usize = 512;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Through the operating system's cache (the log: small writes, read once).
    Buffered,
    /// Around it where the file system can (the page file: the pool is the cache).
    Direct,
}

/// One directory of files.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing; makes it when `create` is set and it is missing.
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Renames a file, replacing what has that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// Takes the lock that keeps a second process out, for as long as the returned value lives.
    /// `Ok(Err(text))` gives what the holder has written about itself.
    fn lock(&self, name: &str, about: &str) -> io::Result<std::result::Result<Box<dyn Locked>, String>>;
}

/// A held directory lock; dropping it lets go.
pub trait Locked: Send + Sync {
    /// Replaces the text that a second process is shown.
    fn describe(&self, about: &str) -> io::Result<()>;
}

/// One open file, addressed by byte offset.
pub trait File: Send + Sync {
    /// Fills `buffer` from `offset`; bytes past the end read as zero.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `data` at `offset`, extending the file where needed.
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Whether reads and writes go around the operating system's cache.
    fn is_direct(&self) -> bool {
        false
    }
    /// Makes all earlier writes durable.
    fn sync_data(&self) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// True when the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reserves space up to `length` bytes, which reads as zero; never shrinks.
    fn reserve(&self, length: u64) -> io::Result<()>;
    /// Cuts or extends to `length` bytes.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Gives the space of a range back; it reads as zero afterwards. Best effort.
    fn discard(&self, offset: u64, length: u64) -> io::Result<()>;
}

/// The time.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01 UTC. May jump.
    fn wall_micros(&self) -> u64;
    /// Time since some fixed moment. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// Random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `buffer`.
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()>;
}
