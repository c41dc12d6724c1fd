//! Segment files: where frames go.
//!
//! A segment is named `wal-` and its first LSN in hex, and begins with a head of 4096 bytes:
//!
//! ```text
//!   0 magic "RUSTYWAL" | 8 version u32 | 12 checksum u32 of bytes 16..60 | 16 database id [u8; 16]
//!  32 timeline u32 | 36 chain u32 (checksum of the frame before) | 40 first LSN u64 | 48 reserved
//!  64 checksum u32 of bytes 68..128 | 68 kind u32: 1, or 2 with a mark
//!  72 first LSN of the segment before u64, or 0 | 80 mark: csn u64, time u64, number u64, low u64, running u64
//! 120 reserved
//! ```
//! Bytes 64 and on are zero in segments of early programs, which say nothing of the segment before.
//!
//! The byte of LSN `l` is at `4096 + l - first`. A frame that would cross a segment's nominal size begins
//! the next one, so no frame is split, and only one that is longer than a segment makes a file grow: what
//! was made ready while there was room can be filled when there is none. Files are filled with zeros
//! when made, so that a later sync has no file length to write, and used again under a new name when
//! their records are no longer needed: as many are kept for that as were in use beside the others at a time
//! lately, so that a steady load makes no new files, and one that has become less keeps fewer. The next segment is
//! made ready before it is needed: a full disk is noticed while there is still room to finish.
//!
//! Only one file is being made ready at a time, and what is ready is handed over once: two that made the
//! file `wal-next` together would zero a segment that is in use. Files that an earlier run left ready
//! are removed, not used: a crash inside a rename may have left one file under two names.

use std::sync::Arc;

use super::ballast::{self, Ballast};
use super::frame::{self, Origin};
use super::retained::{Mark, Retained};
use crate::disk::{Caching, Disk, File, SECTOR};
use crate::error::{Error, Result, is_full};
use crate::ids::Lsn;
use crate::page::{get_u32, get_u64, put};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

/// Bytes before the first frame.
pub(super) const SEGMENT_HEAD: usize = 4096;
const MAGIC: &[u8; 8] = b"RUSTYWAL";
const VERSION: u32 = 1;
const PREFIX: &str = "wal-";
const SPARE: &str = "wal-spare-";
/// The file that becomes the next segment.
const NEXT: &str = "wal-next";
/// Old segments kept to be used again, beyond those that were in use at a time lately.
const SPARES: usize = 2;
/// How many segments long that is, at the least.
const WINDOW: usize = 128;
/// The most that are kept.
const MOST_SPARES: usize = 64;

/// A segment's head, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentHead {
    pub(super) origin: Origin,
    pub(super) chain: u32,
    pub(super) first: Lsn,
    /// The segment before, or zero where there is none or it is not known.
    pub(super) previous: Lsn,
    pub(super) mark: Option<Mark>,
}

pub(super) fn name(first: Lsn) -> String {
    format!("{PREFIX}{:016x}", first.0)
}

/// The first LSNs of all segments, ascending.
pub(super) fn list(disk: &dyn Disk) -> Result<Vec<Lsn>> {
    let names = disk.list().map_err(|error| Error::io("listing log segments", error))?;
    let mut found: Vec<Lsn> = names
        .iter()
        .filter_map(|name| name.strip_prefix(PREFIX))
        .filter(|hex| hex.len() == 16)
        .filter_map(|hex| u64::from_str_radix(hex, 16).ok().map(Lsn))
        .collect();
    found.sort_unstable();
    Ok(found)
}

pub(super) fn open(disk: &dyn Disk, first: Lsn) -> Result<Arc<dyn File>> {
    let name = name(first);
    disk.open(&name, false, Caching::Buffered).map_err(|error| Error::io(format!("opening {name}"), error))
}

fn write_head(file: &dyn File, head: &SegmentHead) -> std::io::Result<()> {
    let mut bytes = [0; SECTOR];
    put(&mut bytes, 0, MAGIC);
    put(&mut bytes, 8, &VERSION.to_le_bytes());
    put(&mut bytes, 16, &head.origin.database);
    put(&mut bytes, 32, &head.origin.timeline.to_le_bytes());
    put(&mut bytes, 36, &head.chain.to_le_bytes());
    put(&mut bytes, 40, &head.first.0.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[16..60]);
    put(&mut bytes, 12, &sum.to_le_bytes());
    let kind: u32 = if head.mark.is_some() { 2 } else { 1 };
    put(&mut bytes, 68, &kind.to_le_bytes());
    let mark = head.mark.unwrap_or_default();
    let numbers = [head.previous.0, mark.csn, mark.time, mark.number, mark.low.0, mark.running];
    for (index, number) in numbers.iter().enumerate() {
        put(&mut bytes, 72 + index * 8, &number.to_le_bytes());
    }
    let sum = crc32c::crc32c(&bytes[68..128]);
    put(&mut bytes, 64, &sum.to_le_bytes());
    file.write_at(&bytes, 0)
}

/// Reads a segment's head; `None` when it was not completely written.
pub(super) fn read_head(file: &dyn File, first: Lsn) -> Result<Option<SegmentHead>> {
    let mut bytes = [0; SECTOR];
    file.read_at(&mut bytes, 0).map_err(|error| Error::io(format!("reading {}", name(first)), error))?;
    if &bytes[..8] != MAGIC || crc32c::crc32c(&bytes[16..60]) != get_u32(&bytes, 12) {
        return Ok(None);
    }
    if get_u32(&bytes, 8) > VERSION {
        let detail = format!("its format {} is newer than this program's {VERSION}", get_u32(&bytes, 8));
        return Err(Error::Format { file: name(first), detail });
    }
    let mut database = [0; 16];
    database.copy_from_slice(&bytes[16..32]);
    let origin = Origin { database, timeline: get_u32(&bytes, 32) };
    let kind = match get_u32(&bytes, 64) == crc32c::crc32c(&bytes[68..128]) {
        true => get_u32(&bytes, 68),
        false => 0,
    };
    let mark = Mark {
        csn: get_u64(&bytes, 80),
        time: get_u64(&bytes, 88),
        number: get_u64(&bytes, 96),
        low: Lsn(get_u64(&bytes, 104)),
        running: get_u64(&bytes, 112),
    };
    Ok(Some(SegmentHead {
        origin,
        chain: get_u32(&bytes, 36),
        first: Lsn(get_u64(&bytes, 40)),
        previous: if kind == 0 { Lsn::ZERO } else { Lsn(get_u64(&bytes, 72)) },
        mark: (kind == 2).then_some(mark),
    }))
}

/// Writes frames one after another.
pub(crate) struct SegmentWriter {
    origin: Origin,
    nominal: u64,
    file: Arc<dyn File>,
    first: Lsn,
    position: Lsn,
    chain: u32,
    maker: Arc<SegmentMaker>,
    retained: Arc<Retained>,
    ballast: Arc<Ballast>,
    demand: Demand,
    /// Spares named so far.
    spares: u64,
}

/// The most segments that were in use at a time lately: so many files a load needs in all.
#[derive(Debug, Default)]
struct Demand {
    /// Begun since this window began.
    begun: usize,
    /// The most in this window, and in the one before.
    most: usize,
    most_before: usize,
}

impl Demand {
    /// So many are in use before some are released, and so many afterwards: gives how many of those to keep.
    fn spares(&mut self, before: usize, after: usize) -> usize {
        self.most = self.most.max(before);
        if self.begun >= WINDOW {
            *self = Demand { begun: 0, most: before, most_before: self.most };
        }
        (self.most.max(self.most_before) + SPARES).saturating_sub(after).min(MOST_SPARES)
    }
}

impl SegmentWriter {
    /// Begins a log whose first segment starts at `first`.
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        database: [u8; 16],
        timeline: u32,
        nominal: u64,
        first: Lsn,
        chain: u32,
    ) -> Result<SegmentWriter> {
        let origin = Origin { database, timeline };
        let name = name(first);
        let file = fresh_file(&*disk, &name, nominal)?;
        let failed = |error| Error::io(format!("creating {name}"), error);
        let mark = Some(Mark { low: first, ..Mark::default() });
        let head = SegmentHead { origin, chain, first, previous: Lsn::ZERO, mark };
        write_head(&*file, &head).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        disk.sync_directory().map_err(failed)?;
        SegmentWriter::resume(disk, origin, nominal, file, first, first, chain)
    }

    /// Goes on in a segment that a reader has followed to its end.
    pub(super) fn resume(
        disk: Arc<dyn Disk>,
        origin: Origin,
        nominal: u64,
        file: Arc<dyn File>,
        first: Lsn,
        position: Lsn,
        chain: u32,
    ) -> Result<SegmentWriter> {
        let retained = Arc::new(Retained::read(&*disk, origin, first)?);
        let ballast = Arc::new(Ballast::new(disk.clone(), nominal));
        let maker = Arc::new(SegmentMaker::new(disk, nominal, first));
        Ok(SegmentWriter {
            origin,
            nominal,
            file,
            first,
            position,
            chain,
            maker,
            retained,
            ballast,
            demand: Demand::default(),
            spares: 0,
        })
    }

    /// Whose log it is.
    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// The segments there are.
    pub(super) fn retained(&self) -> Arc<Retained> {
        self.retained.clone()
    }

    /// What is kept back on the disk.
    pub(super) fn ballast(&self) -> Arc<Ballast> {
        self.ballast.clone()
    }

    /// Where the files are.
    pub(super) fn disk(&self) -> Arc<dyn Disk> {
        self.maker.disk.clone()
    }

    /// Where the next frame goes.
    pub(crate) fn position(&self) -> Lsn {
        self.position
    }

    /// Writes and syncs one frame; `bytes` grows to whole sectors.
    pub(super) fn write_frame(&mut self, start: Lsn, bytes: &mut Vec<u8>) -> Result<()> {
        let length = bytes.len().next_multiple_of(SECTOR) as u64;
        if start > self.first && start.0 - self.first.0 + length > self.nominal {
            self.roll(start)?;
        }
        let sum = frame::seal(bytes, self.origin, start, self.chain);
        bytes.resize(bytes.len().next_multiple_of(SECTOR), 0);
        let failed = |error| Error::io("writing the log", error);
        let at = SEGMENT_HEAD as u64 + start.0 - self.first.0;
        while let Err(error) = self.file.write_at(bytes, at) {
            // It is longer than what is left of the file. What a full disk took of it is no matter: all of it is
            // written again before it is synced.
            if !is_full(&error) || !self.ballast.spend(bytes.len() as u64) {
                return Err(failed(error));
            }
        }
        self.file.sync_data().map_err(|error| Error::io("syncing the log", error))?;
        self.chain = sum;
        self.position = Lsn(start.0 + bytes.len() as u64);
        Ok(())
    }

    /// Goes over to the next segment; stays in this one when there is no room for another.
    fn roll(&mut self, start: Lsn) -> Result<()> {
        let (previous, mark) = (self.first, self.retained.mark_for(start));
        let head = SegmentHead { origin: self.origin, chain: self.chain, first: start, previous, mark };
        let next = loop {
            match self.maker.take(&name(start), &head)? {
                Ok(next) => break next,
                Err(Error::DiskFull { .. }) if self.ballast.spend(self.nominal + SEGMENT_HEAD as u64) => {}
                Err(_) => return Ok(()),
            }
        };
        self.retained.add(&head);
        self.demand.begun += 1;
        self.file = next;
        self.first = start;
        Ok(())
    }

    /// What makes segments ready without this writer.
    pub(super) fn maker(&self) -> Arc<SegmentMaker> {
        self.maker.clone()
    }

    /// Sets segments aside whose records all are before `keep_from`.
    pub(super) fn release_before(&mut self, disk: &dyn Disk, keep_from: Lsn) -> Result<()> {
        let failed = |error| Error::io("releasing log segments", error);
        let segments = list(disk)?;
        let is_free = |pair: &&[Lsn]| pair[1] <= keep_from && pair[0] < self.first;
        let free: Vec<(Lsn, Lsn)> =
            segments.windows(2).take_while(is_free).map(|pair| (pair[0], pair[1])).collect();
        if free.is_empty() {
            return Ok(());
        }
        let mut names = disk.list().map_err(failed)?;
        names.retain(|name| name.starts_with(SPARE));
        let most = self.demand.spares(segments.len(), segments.len() - free.len());
        for spare in names.iter().skip(most) {
            // It may just have been taken to become the next segment.
            match disk.remove(spare) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        let mut spares = names.len().min(most);
        for (segment, following) in free {
            let is_plain = disk
                .open(&name(segment), false, Caching::Buffered)
                .and_then(|file| file.len())
                .is_ok_and(|length| length < 2 * (self.nominal + SEGMENT_HEAD as u64));
            // First of all: who reads it looks there when it finds other bytes.
            self.retained.remove(segment, following);
            if spares < most && is_plain {
                self.spares += 1;
                let spare = format!("{SPARE}{:016x}-{}", segment.0, self.spares);
                disk.rename(&name(segment), &spare).map_err(failed)?;
                spares += 1;
            } else {
                disk.remove(&name(segment)).map_err(failed)?;
            }
        }
        disk.sync_directory().map_err(failed)
    }
}

/// Makes segment files ready, one at a time.
pub(super) struct SegmentMaker {
    disk: Arc<dyn Disk>,
    nominal: u64,
    /// The file [`NEXT`], made and not yet taken. Locked while it is being made.
    ready: Mutex<Option<Arc<dyn File>>>,
    /// The last one was taken, or there was no room for one.
    wanted: AtomicBool,
    /// What is new may be logged up to here; behind that only what finishes what has begun. A half segment is left
    /// for that where the next one is not ready.
    room_until: AtomicU64,
}

impl SegmentMaker {
    /// Beside a segment that begins at `first`.
    fn new(disk: Arc<dyn Disk>, nominal: u64, first: Lsn) -> SegmentMaker {
        SegmentMaker {
            disk,
            nominal,
            ready: Mutex::default(),
            wanted: AtomicBool::new(true),
            room_until: AtomicU64::new(first.0 + nominal / 2),
        }
    }

    /// A segment's size.
    pub(super) fn nominal(&self) -> u64 {
        self.nominal
    }

    /// Whether something new may still be logged at `end`.
    pub(super) fn has_room(&self, end: Lsn) -> bool {
        end.0 <= self.room_until.load(Ordering::Relaxed)
    }

    /// Makes the next segment's file if none is ready.
    pub(super) fn prepare(&self) -> Result<()> {
        if !self.wanted.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Whoever is at it does this one's work too.
        let Some(mut ready) = self.ready.try_lock() else { return Ok(()) };
        if ready.is_none() {
            *ready = Some(self.make()?);
        }
        self.room_until.store(u64::MAX, Ordering::Relaxed);
        self.wanted.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the next segment's file its head and name, waiting for it or making it where it is not ready;
    /// why there is none, if there is none.
    ///
    /// It is held on to until it has its name: whoever made the next one before would make the same file.
    fn take(&self, name: &str, head: &SegmentHead) -> Result<Result<Arc<dyn File>>> {
        let mut ready = self.ready.lock();
        self.wanted.store(true, Ordering::Relaxed);
        self.room_until.store(head.first.0 + self.nominal / 2, Ordering::Relaxed);
        let made = match ready.take() {
            Some(file) => Ok(file),
            None => self.make(),
        };
        let next = match made {
            Ok(next) => next,
            Err(error) => return Ok(Err(error)),
        };
        let failed = |error| Error::io("starting a log segment", error);
        write_head(&*next, head).map_err(failed)?;
        next.sync_data().map_err(failed)?;
        self.disk.rename(NEXT, name).map_err(failed)?;
        self.disk.sync_directory().map_err(failed)?;
        Ok(Ok(next))
    }

    /// The next segment's file, under the name [`NEXT`], from an old one where there is one.
    fn make(&self) -> Result<Arc<dyn File>> {
        let failed = |error| Error::io("preparing a log segment", error);
        let names = self.disk.list().map_err(failed)?;
        for spare in names.iter().filter(|name| name.starts_with(SPARE)) {
            match self.disk.rename(spare, NEXT) {
                Ok(()) => return self.disk.open(NEXT, false, Caching::Buffered).map_err(failed),
                // A release has just found it one too many.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        fresh_file(&*self.disk, NEXT, self.nominal).inspect_err(|_| {
            // What it took of a full disk is needed to finish what has begun.
            let _ = self.disk.remove(NEXT);
        })
    }
}

/// Removes the files that an earlier run left ready to be used.
pub(crate) fn remove_prepared(disk: &dyn Disk) -> Result<()> {
    let failed = |error| Error::io("removing old log segments", error);
    for name in disk.list().map_err(failed)? {
        if name == NEXT || name == ballast::NAME || name.starts_with(SPARE) {
            disk.remove(&name).map_err(failed)?;
        }
    }
    Ok(())
}

/// A file of zeros of the nominal size.
fn fresh_file(disk: &dyn Disk, name: &str, nominal: u64) -> Result<Arc<dyn File>> {
    const CHUNK: usize = 1 << 20;
    let failed = |error| Error::io(format!("creating {name}"), error);
    let file = disk.open(name, true, Caching::Buffered).map_err(failed)?;
    let length = nominal + SEGMENT_HEAD as u64;
    file.reserve(length).map_err(failed)?;
    let zeros = vec![0; CHUNK.min(length as usize)];
    let mut offset = 0;
    while offset < length {
        let part = zeros.len().min((length - offset) as usize);
        file.write_at(&zeros[..part], offset).map_err(failed)?;
        offset += part as u64;
    }
    file.sync_data().map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;

    #[test]
    fn a_head_is_read_as_it_was_written_and_as_early_programs_wrote_it() {
        let disk = SimulatedDisk::new(1);
        let first = Lsn(8192);
        let file = disk.open(&name(first), true, Caching::Buffered).unwrap();
        let origin = Origin { database: [7; 16], timeline: 3 };
        let mark = Some(Mark { csn: 1, time: 2, number: 3, low: Lsn(4), running: 5 });
        for mark in [mark, None] {
            write_head(&*file, &SegmentHead { origin, chain: 9, first, previous: Lsn(4096), mark }).unwrap();
            let head = read_head(&*file, first).unwrap().unwrap();
            assert_eq!((head.origin, head.chain, head.first), (origin, 9, first));
            assert_eq!((head.previous, head.mark), (Lsn(4096), mark));
        }
        // Format 1 had nothing there before it had marks.
        file.write_at(&[0; SECTOR - 64], 64).unwrap();
        let head = read_head(&*file, first).unwrap().unwrap();
        assert_eq!((head.first, head.previous, head.mark), (first, Lsn::ZERO, None));
        // Half of a mark is none.
        write_head(&*file, &SegmentHead { origin, chain: 9, first, previous: Lsn(4096), mark }).unwrap();
        file.write_at(&[1], 90).unwrap();
        assert_eq!(read_head(&*file, first).unwrap().unwrap().mark, None);
    }
}
