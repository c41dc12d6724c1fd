//! Pool, log and store under shuttle, which runs small programs under many thread schedules: whoever waits for ever, a
//! lost change, a page written before its log show as a schedule that fails and can be repeated.
//!
//! `cargo xtask shuttle`, or `cargo test -p rustydb-storage --features shuttle interleavings`
//!
//! What runs is the code that ships, on a simulated disk whose every operation is a place where the schedule may
//! change. Left out: threads that the store starts itself ([`crate::sync`]), and weak memory orderings.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod log;
mod pool;
mod store;

use std::io;
use std::sync::{Arc, OnceLock};

use crate::disk::{Caching, Disk, File, Locked, SimulatedDisk};
use crate::ids::PageNo;
use crate::page;
use crate::sync::{AtomicU64, Ordering};
use crate::wal::Log;

/// Bytes of the pages in these tests.
const PAGE: usize = 4096;

/// A simulated disk whose operations are places where the schedule may change, and which sees to it that no page
/// is written whose log is not durable.
#[derive(Clone)]
struct WatchedDisk {
    disk: SimulatedDisk,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Watch {
    steps: AtomicU64,
    log: OnceLock<Arc<Log>>,
    /// Pages from here on are looked at.
    from: OnceLock<PageNo>,
}

impl WatchedDisk {
    fn new(disk: &SimulatedDisk) -> WatchedDisk {
        WatchedDisk { disk: disk.clone(), watch: Arc::default() }
    }

    fn watch(&self, log: Arc<Log>, from: PageNo) {
        let _ = self.watch.log.set(log);
        let _ = self.watch.from.set(from);
    }
}

impl Watch {
    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    fn look(&self, data: &[u8], offset: u64) {
        let (Some(log), Some(from)) = (self.log.get(), self.from.get()) else { return };
        if offset < from.0 * PAGE as u64 {
            return;
        }
        for page in data.chunks(PAGE) {
            assert!(page::lsn(page) < log.durable(), "page {} is ahead of its log", page::number(page));
        }
    }
}

impl Disk for WatchedDisk {
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(name, create, caching)?;
        let has_pages = name == crate::superblock::FILE;
        Ok(Arc::new(WatchedFile { file, watch: self.watch.clone(), has_pages }))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.watch.step();
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.watch.step();
        self.disk.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.watch.step();
        self.disk.sync_directory()
    }
    fn lock(&self, name: &str, about: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        self.disk.lock(name, about)
    }
}

struct WatchedFile {
    file: Arc<dyn File>,
    watch: Arc<Watch>,
    has_pages: bool,
}

impl File for WatchedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.watch.step();
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.watch.step();
        if self.has_pages {
            self.watch.look(data, offset);
        }
        self.file.write_at(data, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.watch.step();
        self.file.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn reserve(&self, length: u64) -> io::Result<()> {
        self.watch.step();
        self.file.reserve(length)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.watch.step();
        self.file.set_len(length)
    }
    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.watch.step();
        self.file.discard(offset, length)
    }
}
