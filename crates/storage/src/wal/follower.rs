//! Follows the log while it grows: every durable record from a position on, in order.
//!
//! A follower reads the segment files by itself, beside the writer, and holds nothing: segments it has not
//! read yet may be released at any time. It then gets [`Error::LogReleased`] and never wrong bytes:
//!
//! - A frame is used only if it stands where it says it stands, follows the frame before by its chain,
//!   and its checksum holds. A file that is used again under a new name can show none of that.
//! - The log says that a segment is released before its file is touched. So after any failure to read
//!   one look at [`Log::retained_from`] tells "too late" from damage.
//!
//! Memory: one frame and a window of 256 KiB. A frame is as large as what was appended during one sync, 8
//! MiB under load, or the largest record.

use std::sync::Arc;

use super::Log;
use super::frame;
use super::segment::{self, SEGMENT_HEAD, SegmentHead};
use crate::disk::{File, SECTOR};
use crate::error::{Error, Result};
use crate::ids::Lsn;

/// How much is read at once where frames are small.
const WINDOW: usize = 256 << 10;

/// A reader of the log that goes on where it stopped.
pub struct Follower {
    log: Arc<Log>,
    /// Records before this are passed over.
    from: Lsn,
    segment: Option<(Arc<dyn File>, SegmentHead)>,
    /// Bytes of the log from `window_start` on.
    window: Vec<u8>,
    window_start: Lsn,
    /// The next record of the frame being read, and where its records end.
    record: Lsn,
    records_end: Lsn,
    /// The next frame.
    position: Lsn,
    /// The checksum of the frame before `position`; none before the first.
    chain: Option<u32>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("from", &self.from).field("position", &self.position).finish()
    }
}

impl Follower {
    pub(super) fn new(log: Arc<Log>, from: Lsn) -> Follower {
        // Frames are found one from another, so the first is that of the segment.
        let position = log.retained.holding(from).unwrap_or(from);
        Follower {
            log,
            from,
            segment: None,
            window: Vec::new(),
            window_start: Lsn::ZERO,
            record: Lsn::ZERO,
            records_end: Lsn::ZERO,
            position,
            chain: None,
        }
    }

    /// The next record that is durable, with its position; none where there is no more yet.
    ///
    /// # Errors
    /// [`Error::LogReleased`] once the log no longer reaches back to where this reader is; when a file cannot
    /// be read or is damaged.
    pub fn next_record(&mut self) -> Result<Option<(Lsn, &[u8])>> {
        let (lsn, range) = loop {
            if self.record < self.records_end {
                let lsn = self.record;
                let at = (lsn.0 - self.window_start.0) as usize;
                let length = self
                    .window
                    .get(at..at + 4)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map_or(u32::MAX, u32::from_le_bytes) as usize;
                let end = lsn.0 + 4 + length as u64;
                if end > self.records_end.0 {
                    return Err(Error::log(lsn, "a record leaves its frame"));
                }
                self.record = Lsn(end);
                if lsn >= self.from {
                    break (lsn, at + 4..at + 4 + length);
                }
            } else if !self.next_frame()? {
                return Ok(None);
            }
        };
        Ok(Some((lsn, self.window.get(range).unwrap_or_default())))
    }

    /// Everything before this has been read.
    #[must_use]
    pub fn position(&self) -> Lsn {
        if self.record < self.records_end { self.record } else { self.position.max(self.from) }
    }

    /// Goes on to the next frame; false where none is durable yet.
    fn next_frame(&mut self) -> Result<bool> {
        let wanted = self.position.max(self.from);
        let is_released = |log: &Log| log.retained.oldest() > self.position || wanted < log.retained.oldest();
        if is_released(&self.log) {
            return Err(Error::LogReleased { wanted, oldest: self.log.retained.oldest() });
        }
        let durable = self.log.durable();
        if self.position >= durable {
            return Ok(false);
        }
        let read = self.read_frame(durable);
        if read.is_err() && self.log.retained.oldest() > self.position {
            return Err(Error::LogReleased { wanted, oldest: self.log.retained.oldest() });
        }
        read.map(|()| true)
    }

    fn read_frame(&mut self, durable: Lsn) -> Result<()> {
        let position = self.position;
        self.enter_segment(position)?;
        self.load(position, frame::HEAD, durable)?;
        let Some((_, segment)) = &self.segment else {
            return Err(Error::log(position, "no segment holds this position"));
        };
        let origin = segment.origin;
        let found = frame::head(self.loaded(position), position)
            .ok_or_else(|| Error::log(position, "no frame begins here"))?;
        if self.chain.is_some_and(|chain| chain != found.chain) {
            return Err(Error::log(position, "a frame does not follow the one before"));
        }
        let length = frame::HEAD + found.length;
        let end = Lsn(position.0 + length.next_multiple_of(SECTOR) as u64);
        if end > durable {
            return Err(Error::log(position, "a frame reaches beyond the end of the log"));
        }
        if end > self.from {
            self.load(position, length, durable)?;
            if !self.loaded(position).get(..length).is_some_and(|bytes| frame::is_intact(bytes, origin)) {
                return Err(Error::log(position, "a record that was durable does not read well"));
            }
            self.record = Lsn(position.0 + frame::HEAD as u64);
            self.records_end = Lsn(position.0 + length as u64);
        }
        self.chain = Some(found.sum);
        self.position = end;
        Ok(())
    }

    /// Opens the segment that holds `position`, unless it is open.
    fn enter_segment(&mut self, position: Lsn) -> Result<()> {
        let first = self.log.retained.holding(position);
        let first = first.ok_or_else(|| Error::log(position, "no segment holds this position"))?;
        if self.segment.as_ref().is_some_and(|(_, head)| head.first == first) {
            return Ok(());
        }
        let file = segment::open(&*self.log.disk, first)?;
        let head = segment::read_head(&*file, first)?;
        let head = head
            .filter(|head| head.origin == self.log.origin && head.first == first)
            .ok_or_else(|| Error::log(first, "a segment's head is damaged"))?;
        self.chain.get_or_insert(head.chain);
        self.segment = Some((file, head));
        self.window.clear();
        Ok(())
    }

    /// What of the window is at `position` and behind it.
    fn loaded(&self, position: Lsn) -> &[u8] {
        let at = position.0.checked_sub(self.window_start.0).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.window.get(at..)).unwrap_or_default()
    }

    /// Makes sure that `length` bytes at `position` are in the window.
    fn load(&mut self, position: Lsn, length: usize, durable: Lsn) -> Result<()> {
        if self.loaded(position).len() >= length {
            return Ok(());
        }
        let Some((file, head)) = &self.segment else { return Ok(()) };
        let present = usize::try_from(durable.0 - position.0).unwrap_or(usize::MAX);
        let wanted = length.max(present.min(WINDOW));
        self.window.clear();
        if self.window.capacity() > 4 * WINDOW && wanted <= WINDOW {
            self.window.shrink_to(WINDOW);
        }
        self.window.resize(wanted, 0);
        self.window_start = position;
        let offset = SEGMENT_HEAD as u64 + position.0 - head.first.0;
        file.read_at(&mut self.window, offset)
            .map_err(|error| Error::io(format!("reading {}", segment::name(head.first)), error))
    }
}
