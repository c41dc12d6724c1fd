//! The write-ahead log: records appended in memory, carried to disk in groups.
//!
//! ```text
//!   append ->  buffer = the frame being built  --flush-->  segment file, one write and one sync a frame
//!   LSN: the record's byte position, known at once, since a frame's place is fixed when it begins
//! ```
//! Group flush without a timer: the first that wants durability leads, writes and syncs everything
//! appended so far as one frame, and the others wait; what is appended meanwhile is the next group.
//!
//! A large transaction has nothing to wait for until it commits. A thread beside the appenders
//! ([`Log::write_ahead`]) takes what it leaves in the buffer to the disk meanwhile, so that its commit
//! finds little to write, the buffer stays small, and the appenders have the processor for themselves.
//!
//! Invariants:
//! - Frames are written one after another, each only after the sync of the one before. So a frame that
//!   reads well proves that all before it were durable, which tells a torn tail from damage.
//! - `durable` only grows, by whole frames.
//! - After a failed write or sync the log is poisoned: nothing is appended or acknowledged any more,
//!   since what the disk has kept is unknown.
//!
//! Lock order: `leading` for itself; `writer`, then `buffer`. None is held while waiting for the disk but
//! `writer`, which the leader takes, and who releases old segments.

mod ballast;
mod bell;
mod follower;
mod frame;
mod reader;
pub mod record;
mod retained;
mod segment;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic;
use std::thread::Thread;

use ballast::Ballast;
pub use bell::{Bell, Hearing};
pub use follower::Follower;
use frame::Origin;
pub(crate) use reader::{Chunk, has_frames, read_chunks};
pub use reader::{LogEnd, read_from};
pub use record::Record;
pub use retained::Mark;
use retained::Retained;
use segment::SegmentMaker;
pub(crate) use segment::{SegmentWriter, remove_prepared};

use crate::disk::{Disk, SECTOR};
use crate::error::{Error, Result};
use crate::ids::Lsn;
use crate::sync::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering};

/// Appenders help to flush once this much is buffered, so that the buffer stays bounded.
pub const BUFFER_LIMIT: usize = 8 << 20;

/// From so much on the thread beside the appenders writes: a sync then costs little of what the copying does.
const WRITE_AHEAD: u64 = 1 << 20;

/// A frame takes no further record past this: its length is 32 bits, and a record may be nearly as long.
const FRAME_LIMIT: usize = 1 << 30;

/// Counters of the log.
#[derive(Debug, Default)]
pub struct LogCounters {
    /// Records appended.
    pub records: atomic::AtomicU64,
    /// Bytes written, heads and padding included.
    pub bytes: atomic::AtomicU64,
    /// Frames written, each with one sync.
    pub flushes: atomic::AtomicU64,
}

struct Buffer {
    /// Head of the frame being built, then its records. Empty when no frame has begun.
    bytes: Vec<u8>,
    /// Where the frame begins.
    start: Lsn,
    /// The last written frame's memory, to be used again.
    spare: Vec<u8>,
}

/// The log of one store.
pub struct Log {
    buffer: Mutex<Buffer>,
    writer: Mutex<SegmentWriter>,
    leading: Mutex<bool>,
    flushed: Condvar,
    end: AtomicU64,
    durable: AtomicU64,
    poisoned: OnceLock<Arc<str>>,
    full: AtomicBool,
    /// Who writes beside the appenders, and whether it has been told to.
    beside: OnceLock<Thread>,
    told: AtomicBool,
    segments: Arc<SegmentMaker>,
    retained: Arc<Retained>,
    ballast: Arc<Ballast>,
    disk: Arc<dyn Disk>,
    origin: Origin,
    /// Rung when more is durable, and when the log is poisoned.
    grown: Bell,
    /// Counters, read by metrics.
    pub counters: LogCounters,
}

impl Log {
    /// A log that goes on where `writer` stands.
    pub(crate) fn new(writer: SegmentWriter) -> Log {
        let position = writer.position();
        let (segments, retained, ballast) = (writer.maker(), writer.retained(), writer.ballast());
        let (disk, origin) = (writer.disk(), writer.origin());
        Log {
            buffer: Mutex::new(Buffer { bytes: Vec::new(), start: position, spare: Vec::new() }),
            writer: Mutex::new(writer),
            leading: Mutex::new(false),
            flushed: Condvar::default(),
            end: AtomicU64::new(position.0),
            durable: AtomicU64::new(position.0),
            poisoned: OnceLock::new(),
            full: AtomicBool::new(false),
            beside: OnceLock::new(),
            told: AtomicBool::new(false),
            segments,
            retained,
            ballast,
            disk,
            origin,
            grown: Bell::default(),
            counters: LogCounters::default(),
        }
    }

    /// Where the next record will be at the earliest.
    #[must_use]
    pub fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire))
    }

    /// Everything before this is on disk.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Stops the log: all later calls fail with the first reason given.
    pub fn poison(&self, reason: &Error) {
        let text = match reason {
            Error::Poisoned { reason } => reason.clone(),
            other => other.to_string().into(),
        };
        let _ = self.poisoned.set(text);
        self.flushed.notify_all();
        self.grown.ring();
    }

    /// Fails when the log is poisoned.
    ///
    /// # Errors
    /// [`Error::Poisoned`].
    pub fn check(&self) -> Result<()> {
        match self.poisoned.get() {
            None => Ok(()),
            Some(reason) => Err(Error::Poisoned { reason: reason.clone() }),
        }
    }

    /// Fails when there is no room for the log to grow into; asks the disk again first.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub fn check_room(&self) -> Result<()> {
        let is_short = || self.ballast.is_short() || !self.segments.has_room(self.end());
        if self.full.load(Ordering::Relaxed) || is_short() {
            // Other failures are met, and told, by whoever needs what failed.
            if let Err(full @ Error::DiskFull { .. }) = self.prepare_next() {
                return Err(full);
            }
        }
        Ok(())
    }

    /// Promises that records of so many bytes, about to be made, can be taken back even if the disk is full by then.
    /// Who promised lets go of it ([`Log::redeem`]) when there is nothing to take back any more.
    ///
    /// # Errors
    /// [`Error::DiskFull`] where that cannot be promised: then nothing is.
    pub fn promise(&self, bytes: u64) -> Result<()> {
        self.ballast.promise(bytes)
    }

    /// Whether a record of so many bytes may be too long for a segment, so that the disk has to give room for it
    /// when it is written, too.
    #[must_use]
    pub fn is_long(&self, bytes: u64) -> bool {
        bytes > self.segments.nominal() / 4
    }

    /// Lets go of promises.
    pub fn redeem(&self, bytes: u64) {
        self.ballast.redeem(bytes);
    }

    /// Gives up some of what is kept back on the disk, for the page file to grow for what must be finished.
    pub(crate) fn spend(&self, bytes: u64) -> bool {
        self.ballast.spend(bytes)
    }

    /// Appends an encoded record; it is durable only after [`Log::flush`]. Gives its position.
    ///
    /// # Errors
    /// [`Error::Poisoned`].
    pub fn append(&self, record: &[u8]) -> Result<Lsn> {
        self.append_with(record, |_| ())
    }

    /// Appends a record and calls `ordered` before any other record can be appended.
    ///
    /// # Errors
    /// [`Error::Poisoned`].
    pub fn append_with(&self, record: &[u8], ordered: impl FnOnce(Lsn)) -> Result<Lsn> {
        self.append_encoded(record.len(), |out| out.extend_from_slice(record), ordered)
    }

    /// Appends a record that `encode` writes, which takes no more than `most` bytes.
    pub(crate) fn append_encoded(
        &self,
        most: usize,
        encode: impl FnOnce(&mut Vec<u8>),
        ordered: impl FnOnce(Lsn),
    ) -> Result<Lsn> {
        let mut buffer = loop {
            self.check()?;
            let buffer = self.buffer.lock();
            if buffer.bytes.is_empty() || buffer.bytes.len() + most <= FRAME_LIMIT {
                break buffer;
            }
            drop(buffer);
            self.flush(self.end())?;
        };
        if buffer.bytes.is_empty() {
            buffer.bytes.resize(frame::HEAD, 0);
        }
        let begin = buffer.bytes.len();
        let lsn = Lsn(buffer.start.0 + begin as u64);
        buffer.bytes.reserve(4 + most);
        buffer.bytes.extend_from_slice(&[0; 4]);
        encode(&mut buffer.bytes);
        let length = (buffer.bytes.len() - begin - 4) as u32;
        crate::page::put(&mut buffer.bytes, begin, &length.to_le_bytes());
        let end = buffer.start.0 + buffer.bytes.len() as u64;
        self.end.store(end, Ordering::Release);
        ordered(lsn);
        drop(buffer);
        if end.saturating_sub(self.durable.load(Ordering::Relaxed)) > WRITE_AHEAD {
            self.tell_beside();
        }
        self.counters.records.fetch_add(1, Ordering::Relaxed);
        Ok(lsn)
    }

    fn tell_beside(&self) {
        if let Some(thread) = self.beside.get()
            && !self.told.load(Ordering::Relaxed)
            && !self.told.swap(true, Ordering::Relaxed)
        {
            thread.unpark();
        }
    }

    /// Writes what large transactions have left in the buffer, if there is much. For one background thread, which
    /// calls it again and again: between its calls it parks, and whoever leaves more unparks it.
    ///
    /// # Errors
    /// When the write or sync failed, now or earlier.
    pub fn write_ahead(&self) -> Result<()> {
        self.beside.get_or_init(std::thread::current);
        // Before the flush: what is appended meanwhile is told anew.
        self.told.store(false, Ordering::Relaxed);
        let (end, durable) = (self.end(), self.durable());
        if end.0.saturating_sub(durable.0) > WRITE_AHEAD { self.flush(end) } else { Ok(()) }
    }

    /// True when appenders should flush before they go on.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        // Frames are not divided: two should fit into a segment, and one into what is left of a full disk's last.
        let most = (BUFFER_LIMIT as u64).min(self.segments.nominal() / 16 * 7);
        self.end().0.saturating_sub(self.durable().0) > most
    }

    /// Waits until everything before `up_to` is on disk, leading a flush where nobody does.
    ///
    /// # Errors
    /// When the write or sync failed, now or earlier.
    pub fn flush(&self, up_to: Lsn) -> Result<()> {
        let up_to = up_to.min(self.end());
        if self.durable() >= up_to {
            return self.check();
        }
        let mut leading = self.leading.lock();
        loop {
            self.check()?;
            if self.durable() >= up_to {
                return Ok(());
            }
            if *leading {
                leading = self.flushed.wait(leading);
                continue;
            }
            *leading = true;
            drop(leading);
            let written = self.write_frame();
            if let Err(error) = &written {
                self.poison(error);
            }
            leading = self.leading.lock();
            *leading = false;
            self.flushed.notify_all();
            self.grown.ring();
            written?;
        }
    }

    fn write_frame(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        let (mut bytes, start) = {
            let mut buffer = self.buffer.lock();
            if buffer.bytes.is_empty() {
                return Ok(());
            }
            let spare = std::mem::take(&mut buffer.spare);
            let bytes = std::mem::replace(&mut buffer.bytes, spare);
            let start = buffer.start;
            let length = bytes.len().next_multiple_of(SECTOR) as u64;
            buffer.start = Lsn(start.0 + length);
            self.end.store(buffer.start.0, Ordering::Release);
            (bytes, start)
        };
        writer.write_frame(start, &mut bytes)?;
        self.counters.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.counters.flushes.fetch_add(1, Ordering::Relaxed);
        self.durable.store(start.0 + bytes.len() as u64, Ordering::Release);
        bytes.clear();
        // It grows by doubling, so one that held what appenders let come together may be twice as large.
        if bytes.capacity() <= 2 * BUFFER_LIMIT {
            self.buffer.lock().spare = bytes;
        }
        Ok(())
    }

    /// Makes the next segment ready as soon as the last one was taken into use. For a background thread: the
    /// log can be written meanwhile.
    ///
    /// # Errors
    /// When the file cannot be made; a full disk is remembered for [`Log::check_room`].
    pub fn prepare_next(&self) -> Result<()> {
        let made = self.segments.prepare().and_then(|()| self.ballast.keep_even());
        self.full.store(matches!(made, Err(Error::DiskFull { .. })), Ordering::Relaxed);
        made
    }

    /// Lets go of segments whose records all are before `keep_from`; some are kept to be used again.
    ///
    /// # Errors
    /// When a name cannot be changed.
    pub fn release_before(&self, disk: &dyn Disk, keep_from: Lsn) -> Result<()> {
        self.writer.lock().release_before(disk, keep_from)
    }

    /// Reads the log from `from` on while it grows.
    #[must_use]
    pub fn follow(self: &Arc<Self>, from: Lsn) -> Follower {
        Follower::new(self.clone(), from)
    }

    /// Rung when more of the log is durable, and when the log is poisoned.
    #[must_use]
    pub fn grown(&self) -> &Bell {
        &self.grown
    }

    /// The first position that can still be read.
    #[must_use]
    pub fn retained_from(&self) -> Lsn {
        self.retained.oldest()
    }

    /// The first positions of the segments that can be read, oldest first, with what their heads tell.
    #[must_use]
    pub fn segments(&self) -> Vec<(Lsn, Option<Mark>)> {
        self.retained.all()
    }

    /// Takes note of a mark for the next segment's head. Its commit is durable.
    pub fn note_mark(&self, mark: Mark) {
        self.retained.note(mark);
    }

    /// The newest mark; after a restart the one of the last segment's head.
    #[must_use]
    pub fn newest_mark(&self) -> Option<Mark> {
        self.retained.newest()
    }
}
