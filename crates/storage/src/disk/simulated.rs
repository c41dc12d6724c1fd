//! A disk in memory that loses, tears, refuses and delays, by a seed.
//!
//! Each file has two images: what a reader sees now, and what a crash is sure to leave. Writes go to
//! the first; `sync_data` carries them to the second. [`SimulatedDisk::crash`] decides for every
//! unsynced write, sector by sector, whether it reached the platter, and forgets the rest. Names
//! behave the same way around `sync_directory`. The same seed and the same calls give the same disk.
//!
//! Limits: one process, so the lock only refuses a second opener of the same disk.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Caching, Clock, Disk, Entropy, File, Locked, SECTOR};

/// What the disk does wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes at the n-th write, sync or name change from now: it and all later calls fail.
    PowerCut {
        /// Calls until then.
        after: u64,
    },
    /// The n-th sync from now fails once; what it should have carried may be lost.
    FailingSync {
        /// Syncs until then.
        after: u64,
    },
    /// Files cannot grow past this many bytes in total.
    Full {
        /// The disk's size.
        capacity: u64,
    },
    /// The n-th time from now that a file is to grow the disk is full: files together cannot grow any more.
    FullAtGrowth {
        /// Times that still go well.
        after: u64,
    },
    /// From the n-th write or growth on all fail as on a full disk, those within a file too: so do file systems that
    /// write nothing in place.
    NoSpace {
        /// Times that still go well.
        after: u64,
    },
    /// Every call takes this long on the simulated clock.
    Slow {
        /// Simulated microseconds a call.
        micros: u64,
    },
}

#[derive(Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Ranges of `now` that differ from `durable`, oldest first, with the bytes of that write.
    pending: Vec<Pending>,
}

enum Pending {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Content {
    fn apply(image: &mut Vec<u8>, change: &Pending) {
        match change {
            Pending::Write { offset, data } => {
                if image.len() < offset + data.len() {
                    image.resize(offset + data.len(), 0);
                }
                image[*offset..offset + data.len()].copy_from_slice(data);
            }
            Pending::Length(length) => image.resize(*length, 0),
        }
    }
}

type Inode = Arc<Mutex<Content>>;

enum NameChange {
    Link(String, Inode),
    Unlink(String),
}

#[derive(Default)]
struct Names {
    now: BTreeMap<String, Inode>,
    durable: BTreeMap<String, Inode>,
    pending: Vec<NameChange>,
}

#[derive(Default)]
struct Faults {
    cut_after: Option<u64>,
    dead: bool,
    failing_sync_after: Option<u64>,
    capacity: Option<u64>,
    growths_left: Option<u64>,
    writes_left: Option<u64>,
    slow_micros: u64,
}

/// The disk. Cheap to clone: all clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    shared: Arc<Shared>,
}

struct Shared {
    names: Mutex<Names>,
    faults: Mutex<Faults>,
    random: Mutex<u64>,
    clock: Arc<SimulatedClock>,
    locked: Arc<AtomicBool>,
    operations: AtomicU64,
    syncs: AtomicU64,
    made: AtomicU64,
}

/// A clock that stands still unless moved.
#[derive(Debug, Default)]
pub struct SimulatedClock {
    micros: AtomicU64,
    wall_offset: AtomicU64,
}

impl SimulatedClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.micros.fetch_add(by.as_micros() as u64, Ordering::Relaxed);
    }

    /// Sets the wall clock, as an administrator or NTP would; the monotonic clock is not moved.
    pub fn set_wall_micros(&self, micros: u64) {
        let passed = self.micros.load(Ordering::Relaxed);
        self.wall_offset.store(micros.wrapping_sub(passed), Ordering::Relaxed);
    }
}

impl Clock for SimulatedClock {
    fn wall_micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed).wrapping_add(self.wall_offset.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

impl SimulatedDisk {
    /// An empty disk whose faults follow `seed`.
    #[must_use]
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk {
            shared: Arc::new(Shared {
                names: Mutex::default(),
                faults: Mutex::default(),
                random: Mutex::new(seed.wrapping_mul(2).wrapping_add(1)),
                clock: Arc::default(),
                locked: Arc::default(),
                operations: AtomicU64::new(0),
                syncs: AtomicU64::new(0),
                made: AtomicU64::new(0),
            }),
        }
    }

    /// The disk's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<SimulatedClock> {
        self.shared.clock.clone()
    }

    /// Arms a fault.
    pub fn inject(&self, fault: Fault) {
        let mut faults = self.shared.faults.lock();
        match fault {
            Fault::PowerCut { after } => faults.cut_after = Some(after),
            Fault::FailingSync { after } => faults.failing_sync_after = Some(after),
            Fault::Full { capacity } => faults.capacity = Some(capacity),
            Fault::FullAtGrowth { after } => faults.growths_left = Some(after),
            Fault::NoSpace { after } => faults.writes_left = Some(after),
            Fault::Slow { micros } => faults.slow_micros = micros,
        }
    }

    /// Takes all faults away, a crash included.
    pub fn heal(&self) {
        *self.shared.faults.lock() = Faults::default();
    }

    /// How many writes, syncs and name changes there were: the points at which the power can go.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::Relaxed)
    }

    /// How many syncs of files there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.shared.syncs.load(Ordering::Relaxed)
    }

    /// Takes the faults of a full disk away, and no other.
    pub fn make_room(&self) {
        let mut faults = self.shared.faults.lock();
        (faults.capacity, faults.growths_left, faults.writes_left) = (None, None, None);
    }

    /// How many files were made.
    #[must_use]
    pub fn files_made(&self) -> u64 {
        self.shared.made.load(Ordering::Relaxed)
    }

    /// How many bytes all files have.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.shared.names.lock().now.values().map(|inode| inode.lock().now.len() as u64).sum()
    }

    /// The power went and came back: unsynced writes are kept, torn or lost, and faults are gone.
    pub fn crash(&self) {
        self.heal();
        self.shared.locked.store(false, Ordering::Relaxed);
        let mut names = self.shared.names.lock();
        let pending = std::mem::take(&mut names.pending);
        // A journaling file system keeps the order of name changes: some prefix of them survives.
        let kept = self.random_below(pending.len() as u64 + 1) as usize;
        for change in pending.into_iter().take(kept) {
            match change {
                NameChange::Link(name, inode) => names.durable.insert(name, inode),
                NameChange::Unlink(name) => names.durable.remove(&name),
            };
        }
        for inode in names.durable.values() {
            let mut content = inode.lock();
            let pending = std::mem::take(&mut content.pending);
            for change in pending {
                match change {
                    Pending::Write { offset, data } => self.settle(&mut content.durable, offset, &data),
                    Pending::Length(_) if self.random_below(2) == 0 => {}
                    length @ Pending::Length(_) => Content::apply(&mut content.durable, &length),
                }
            }
            content.now = content.durable.clone();
        }
        names.now = names.durable.clone();
    }

    /// Decides for one unsynced write which of its sectors reached the platter.
    fn settle(&self, image: &mut Vec<u8>, offset: usize, data: &[u8]) {
        let fate = self.random_below(3);
        let mut position = 0;
        while position < data.len() {
            let sector_end = ((offset + position) / SECTOR + 1) * SECTOR - offset;
            let end = sector_end.min(data.len());
            let keep = match fate {
                0 => false,
                1 => true,
                _ => self.random_below(2) == 0,
            };
            if keep {
                let piece = Pending::Write { offset: offset + position, data: data[position..end].to_vec() };
                Content::apply(image, &piece);
            }
            position = end;
        }
    }

    /// Flips one bit of a file at rest: in `range`, or anywhere. Gives the byte's offset.
    ///
    /// # Errors
    /// When there is no such file or the range is empty.
    pub fn flip_bit(&self, name: &str, range: Option<std::ops::Range<u64>>) -> io::Result<u64> {
        let inode = self.find(name)?;
        let mut content = inode.lock();
        let length = content.durable.len() as u64;
        let range = range.unwrap_or(0..length);
        if range.is_empty() || range.end > length {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let offset = range.start + self.random_below(range.end - range.start);
        let bit = 1u8 << self.random_below(8);
        content.durable[offset as usize] ^= bit;
        if let Some(byte) = content.now.get_mut(offset as usize) {
            *byte ^= bit;
        }
        Ok(offset)
    }

    /// A number below `bound` from the disk's own seeded generator.
    #[must_use]
    pub fn random_below(&self, bound: u64) -> u64 {
        let mut state = self.shared.random.lock();
        // splitmix64 (Steele, Lea, Flood 2014).
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn find(&self, name: &str) -> io::Result<Inode> {
        self.shared.names.lock().now.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Shared {
    /// One call that can fail; `mutates` calls count towards the power cut.
    fn step(&self, mutates: bool) -> io::Result<()> {
        let mut faults = self.faults.lock();
        if faults.slow_micros > 0 {
            self.clock.advance(Duration::from_micros(faults.slow_micros));
        }
        if faults.dead {
            return Err(io::Error::other("the simulated power is off"));
        }
        if mutates {
            self.operations.fetch_add(1, Ordering::Relaxed);
            if let Some(left) = faults.cut_after.as_mut() {
                if *left == 0 {
                    faults.dead = true;
                    return Err(io::Error::other("the simulated power is off"));
                }
                *left -= 1;
            }
        }
        Ok(())
    }

    /// A write that lets its file grow by so much.
    fn check_room(&self, growth: u64) -> io::Result<()> {
        let used = || self.names.lock().now.values().map(|inode| inode.lock().now.len() as u64).sum::<u64>();
        let capacity = {
            let mut faults = self.faults.lock();
            if let Some(left) = &mut faults.writes_left {
                *left = left.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            }
            match &mut faults.growths_left {
                Some(0) => {
                    faults.growths_left = None;
                    faults.capacity = Some(used());
                }
                Some(left) if growth > 0 => *left -= 1,
                _ => {}
            }
            faults.capacity
        };
        let (Some(capacity), used) = (capacity, used()) else { return Ok(()) };
        if growth > 0 && used + growth > capacity { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, name: &str, create: bool, _: Caching) -> io::Result<Arc<dyn File>> {
        self.shared.step(false)?;
        let mut names = self.shared.names.lock();
        let inode = match names.now.get(name) {
            Some(inode) => inode.clone(),
            None if create => {
                if self.shared.faults.lock().writes_left == Some(0) {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let inode = Inode::default();
                names.now.insert(name.to_owned(), inode.clone());
                names.pending.push(NameChange::Link(name.to_owned(), inode.clone()));
                self.shared.made.fetch_add(1, Ordering::Relaxed);
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(SimulatedFile { inode, shared: self.shared.clone() }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.shared.step(false)?;
        Ok(self.shared.names.lock().now.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shared.step(true)?;
        let mut names = self.shared.names.lock();
        let inode = names.now.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.now.insert(to.to_owned(), inode.clone());
        names.pending.push(NameChange::Link(to.to_owned(), inode));
        names.pending.push(NameChange::Unlink(from.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.shared.step(true)?;
        let mut names = self.shared.names.lock();
        names.now.remove(name).ok_or(io::ErrorKind::NotFound)?;
        names.pending.push(NameChange::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.shared.step(true)?;
        let mut names = self.shared.names.lock();
        names.pending.clear();
        names.durable = names.now.clone();
        Ok(())
    }

    fn lock(&self, _: &str, _: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        self.shared.step(false)?;
        if self.shared.locked.swap(true, Ordering::Relaxed) {
            return Ok(Err("this process".to_owned()));
        }
        Ok(Ok(Box::new(SimulatedLock { locked: self.shared.locked.clone() })))
    }
}

struct SimulatedLock {
    locked: Arc<AtomicBool>,
}

impl Locked for SimulatedLock {
    fn describe(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.locked.store(false, Ordering::Relaxed);
    }
}

struct SimulatedFile {
    inode: Inode,
    shared: Arc<Shared>,
}

impl SimulatedFile {
    fn change(&self, change: Pending) {
        let mut content = self.inode.lock();
        Content::apply(&mut content.now, &change);
        content.pending.push(change);
    }
}

impl File for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.shared.step(false)?;
        let content = self.inode.lock();
        buffer.fill(0);
        let start = (offset as usize).min(content.now.len());
        let end = (start + buffer.len()).min(content.now.len());
        buffer[..end - start].copy_from_slice(&content.now[start..end]);
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let length = self.inode.lock().now.len() as u64;
        self.shared.check_room((offset + data.len() as u64).saturating_sub(length))?;
        let cut = self.shared.step(true);
        // A write that the power cut interrupts may still have reached the platter in part.
        if cut.is_ok() || self.shared.operations.load(Ordering::Relaxed).is_multiple_of(2) {
            self.change(Pending::Write { offset: offset as usize, data: data.to_vec() });
        }
        cut
    }

    fn sync_data(&self) -> io::Result<()> {
        self.shared.step(true)?;
        self.shared.syncs.fetch_add(1, Ordering::Relaxed);
        {
            let mut faults = self.shared.faults.lock();
            if let Some(left) = faults.failing_sync_after.as_mut() {
                if *left == 0 {
                    faults.failing_sync_after = None;
                    return Err(io::Error::other("simulated failure to sync"));
                }
                *left -= 1;
            }
        }
        let mut content = self.inode.lock();
        let pending = std::mem::take(&mut content.pending);
        for change in &pending {
            Content::apply(&mut content.durable, change);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.inode.lock().now.len() as u64)
    }

    fn reserve(&self, length: u64) -> io::Result<()> {
        let present = self.inode.lock().now.len() as u64;
        if length > present {
            self.shared.check_room(length - present)?;
            self.shared.step(true)?;
            self.change(Pending::Length(length as usize));
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.shared.step(true)?;
        self.change(Pending::Length(length as usize));
        Ok(())
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.shared.step(true)?;
        let present = self.inode.lock().now.len() as u64;
        if offset < present {
            let length = length.min(present - offset) as usize;
            self.change(Pending::Write { offset: offset as usize, data: vec![0; length] });
        }
        Ok(())
    }
}

impl Entropy for SimulatedDisk {
    fn fill(&self, buffer: &mut [u8]) -> io::Result<()> {
        for byte in buffer {
            *byte = self.random_below(256) as u8;
        }
        Ok(())
    }
}
