//! Reads the log forward, and tells a torn tail from damage.
//!
//! A frame that does not read well ends the log if nothing that was written later reads well: it is
//! the write that a crash interrupted, and nobody was told of it. If a later frame does read well,
//! the bad one had been durable, and reading stops with [`Error::CorruptLog`]. What this cannot tell:
//! damage to the very last frame looks like a torn write.
//!
//! A log that ended in a failed sync may have its last frame in the operating system's cache and not on disk, and a
//! later sync does not know of it any more. So the last frame is read around the cache where that can be done, and
//! written again if the disk does not have it. Earlier frames were synced before the next was written.
//!
//! Files are read in pieces of [`READ`] bytes, or of one frame where that is longer. A piece is handed on whole, with
//! the places of its records, so that several threads can read it.

use std::ops::Range;
use std::sync::Arc;

use super::frame::{self, Head};
use super::segment::{self, SEGMENT_HEAD, SegmentHead, SegmentWriter};
use crate::disk::{Caching, Disk, File, SECTOR};
use crate::error::{Error, Result};
use crate::ids::Lsn;
use crate::page::Aligned;

/// Where the log ends, and what goes on there.
pub struct LogEnd {
    /// The position after the last frame.
    pub end: Lsn,
    /// A frame begins there that was not completely written.
    pub is_torn: bool,
    /// Goes on writing at `end`.
    pub(crate) writer: SegmentWriter,
}

/// Bytes that are read at once.
const READ: usize = 1 << 20;

/// Frames that were read together, intact and in order.
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    records: Vec<(Lsn, Range<usize>)>,
}

impl Chunk {
    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// A record, with its position.
    pub(crate) fn record(&self, index: usize) -> Option<(Lsn, &[u8])> {
        let (lsn, range) = self.records.get(index)?;
        Some((*lsn, self.bytes.get(range.clone())?))
    }
}

/// Calls `each` for every record from `from` on.
///
/// # Errors
/// When the log is damaged, belongs to another store, does not reach back to `from`, or `each` fails.
pub fn read_from(
    disk: &Arc<dyn Disk>,
    database: [u8; 16],
    nominal: u64,
    from: Lsn,
    each: &mut dyn FnMut(Lsn, &[u8]) -> Result<()>,
) -> Result<LogEnd> {
    read_chunks(disk, database, nominal, from, &mut |chunk| {
        (0..chunk.len())
            .filter_map(|index| chunk.record(index))
            .try_for_each(|(lsn, record)| each(lsn, record))
    })
}

/// The same in the pieces in which the files are read.
pub(crate) fn read_chunks(
    disk: &Arc<dyn Disk>,
    database: [u8; 16],
    nominal: u64,
    from: Lsn,
    each: &mut dyn FnMut(Chunk) -> Result<()>,
) -> Result<LogEnd> {
    let segments = segment::list(&**disk)?;
    let start = segments.partition_point(|&first| first <= from);
    let Some(start) = start.checked_sub(1) else {
        return Err(Error::log(from, "no segment holds this position"));
    };
    if let Some(&last) = segments.last() {
        // What was written but not synced before the crash is acted on from now, so it must last; the segment's
        // name too, where the process died between giving it and making it durable. Only the last segment can
        // have such a frame, and it has one at most.
        let file = segment::open(&**disk, last)?;
        file.sync_data().map_err(|error| Error::io("syncing the log", error))?;
        disk.sync_directory().map_err(|error| Error::io("syncing the directory", error))?;
    }
    let mut state: Option<(Arc<dyn File>, SegmentHead, Lsn, u32)> = None;
    let mut last_frame = None;
    for (index, &first) in segments.iter().enumerate().skip(start) {
        let file = segment::open(&**disk, first)?;
        let expected = state.as_ref().map(|(_, _, position, _)| *position);
        let head = match segment::read_head(&*file, first)? {
            Some(head) if head.origin.database == database && head.first == first => head,
            Some(head) if head.origin.database != database => {
                let detail = "belongs to another store".to_owned();
                return Err(Error::Format { file: segment::name(first), detail });
            }
            // The head is durable before the name is: a name without its head is damage.
            _ => return Err(Error::log(first, "a segment's head is damaged")),
        };
        if expected.is_some_and(|position| position != first) {
            return Err(Error::log(expected.unwrap_or(first), "a part of the log is missing"));
        }
        if state.as_ref().is_some_and(|(_, _, _, chain)| *chain != head.chain) {
            return Err(Error::log(first, "a segment does not follow the one before"));
        }
        let (position, chain) = read_segment(&*file, &head, from, &mut last_frame, each)?;
        // A segment is begun only after all frames before it are durable.
        let is_damaged = match segments.get(index + 1) {
            Some(&following) => following != position,
            None => any_intact_in(&*file, &head, Lsn(position.0 + SECTOR as u64))?,
        };
        if is_damaged {
            return Err(Error::log(position, "a record that was durable does not read well"));
        }
        state = Some((file, head, position, chain));
    }
    let Some((file, head, position, chain)) = state else {
        return Err(Error::log(from, "no segment holds this position"));
    };
    if position < from {
        return Err(Error::log(position, format!("the log ends before {from}, which was durable")));
    }
    if let Some((frame, length)) = last_frame.filter(|(frame, _)| *frame >= head.first) {
        confirm(&**disk, &*file, &head, frame, length)?;
    }
    let is_torn = {
        let mut sector = [0; SECTOR];
        let offset = SEGMENT_HEAD as u64 + position.0 - head.first.0;
        file.read_at(&mut sector, offset).map_err(|error| Error::io("reading the log's end", error))?;
        frame::head(&sector, position).is_some()
    };
    let writer =
        SegmentWriter::resume(disk.clone(), head.origin, nominal, file, head.first, position, chain)?;
    Ok(LogEnd { end: position, is_torn, writer })
}

/// Makes sure that the disk has the log's last frame, and not only the cache in front of it.
fn confirm(disk: &dyn Disk, file: &dyn File, head: &SegmentHead, position: Lsn, length: usize) -> Result<()> {
    const ALIGNED: u64 = 4096;
    let name = segment::name(head.first);
    let failed = |error| Error::io(format!("reading the end of {name}"), error);
    let direct = disk.open(&name, false, Caching::Direct).map_err(failed)?;
    if !direct.is_direct() {
        return Ok(());
    }
    let offset = SEGMENT_HEAD as u64 + position.0 - head.first.0;
    let start = offset / ALIGNED * ALIGNED;
    let at = (offset - start) as usize;
    let mut bytes = Aligned::new(at + length);
    match direct.read_at(&mut bytes, start) {
        Ok(()) => {}
        // A file whose end is not aligned cannot be read to its end this way.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    let on_disk = &bytes[at..at + length];
    if frame::head(on_disk, position).is_some() && frame::is_intact(on_disk, head.origin) {
        return Ok(());
    }
    let mut cached = vec![0; length];
    file.read_at(&mut cached, offset).map_err(failed)?;
    let failed = |error| Error::io(format!("writing the end of {name} again"), error);
    file.write_at(&cached, offset).map_err(failed)?;
    file.sync_data().map_err(failed)
}

/// Whether any frame was ever written.
///
/// # Errors
/// When the segments cannot be read.
pub(crate) fn has_frames(disk: &dyn Disk) -> Result<bool> {
    for first in segment::list(disk)? {
        let file = segment::open(disk, first)?;
        if let Some(head) = segment::read_head(&*file, first)?
            && any_intact_in(&*file, &head, first)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads frames until one does not read well; gives its position and the last good checksum.
fn read_segment(
    file: &dyn File,
    head: &SegmentHead,
    from: Lsn,
    last_frame: &mut Option<(Lsn, usize)>,
    each: &mut dyn FnMut(Chunk) -> Result<()>,
) -> Result<(Lsn, u32)> {
    let failed = |error| Error::io(format!("reading {}", segment::name(head.first)), error);
    let offset_of = |position: Lsn| SEGMENT_HEAD as u64 + position.0 - head.first.0;
    let length = file.len().map_err(failed)?;
    let (mut position, mut chain) = (head.first, head.chain);
    let mut wanted = READ;
    loop {
        let left = length.saturating_sub(offset_of(position));
        let mut chunk = Chunk { bytes: vec![0; wanted.min(left as usize)], records: Vec::new() };
        file.read_at(&mut chunk.bytes, offset_of(position)).map_err(failed)?;
        let (start, mut at) = (position, 0);
        let mut next = NextFrame::None;
        while let Some(rest) = chunk.bytes.get(at..) {
            next = next_frame(rest, head, position, chain, left - at as u64);
            let NextFrame::Whole(found) = next else { break };
            let end = Lsn(position.0 + (frame::HEAD + found.length).next_multiple_of(SECTOR) as u64);
            if end > from {
                let records = at..at + frame::HEAD + found.length;
                find_records(&chunk.bytes, records, position, from, &mut chunk.records)?;
            }
            *last_frame = Some((position, frame::HEAD + found.length));
            (chain, position) = (found.sum, end);
            at = (end.0 - start.0) as usize;
        }
        if !chunk.records.is_empty() {
            each(chunk)?;
        }
        match next {
            // One that is longer than a piece is read as a piece of its own.
            NextFrame::Longer(bytes) if position == start => wanted = bytes,
            NextFrame::Longer(_) => wanted = READ,
            NextFrame::Whole(_) => {}
            NextFrame::None => return Ok((position, chain)),
        }
    }
}

/// What is found where a frame may begin.
#[derive(Clone, Copy)]
enum NextFrame {
    /// It reads well.
    Whole(Head),
    /// One that is longer than what was read; how long.
    Longer(usize),
    /// None that reads well.
    None,
}

/// Looks at the frame at `position`, where `bytes` begin; the file has `left` bytes from there on.
fn next_frame(bytes: &[u8], head: &SegmentHead, position: Lsn, chain: u32, left: u64) -> NextFrame {
    if bytes.len() < frame::HEAD {
        return if left >= frame::HEAD as u64 { NextFrame::Longer(READ) } else { NextFrame::None };
    }
    let Some(found) = frame::head(bytes, position).filter(|found| found.chain == chain) else {
        return NextFrame::None;
    };
    let length = frame::HEAD + found.length;
    match bytes.get(..length) {
        Some(frame) if frame::is_intact(frame, head.origin) => NextFrame::Whole(found),
        Some(_) => NextFrame::None,
        None if length as u64 <= left => NextFrame::Longer(length),
        None => NextFrame::None,
    }
}

fn read_frame(
    file: &dyn File,
    head: &SegmentHead,
    position: Lsn,
    buffer: &mut Vec<u8>,
) -> Result<Option<Head>> {
    let offset = SEGMENT_HEAD as u64 + position.0 - head.first.0;
    let failed = |error| Error::io(format!("reading {}", segment::name(head.first)), error);
    let mut sector = [0; SECTOR];
    file.read_at(&mut sector, offset).map_err(failed)?;
    let Some(found) = frame::head(&sector, position) else { return Ok(None) };
    let length = file.len().map_err(failed)?;
    if offset + frame::HEAD as u64 + found.length as u64 > length {
        return Ok(None);
    }
    buffer.resize(frame::HEAD + found.length, 0);
    file.read_at(buffer, offset).map_err(failed)?;
    Ok(Some(found))
}

/// Notes where the records of a frame are.
fn find_records(
    bytes: &[u8],
    within: Range<usize>,
    position: Lsn,
    from: Lsn,
    records: &mut Vec<(Lsn, Range<usize>)>,
) -> Result<()> {
    let mut at = within.start + frame::HEAD;
    while at < within.end {
        let lsn = Lsn(position.0 + (at - within.start) as u64);
        let record = bytes
            .get(at..at + 4)
            .and_then(|length| length.try_into().ok())
            .map(|length| at + 4..at + 4 + u32::from_le_bytes(length) as usize)
            .filter(|record| record.end <= within.end)
            .ok_or_else(|| Error::log(lsn, "a record leaves its frame"))?;
        at = record.end;
        if lsn >= from {
            records.push((lsn, record));
        }
    }
    Ok(())
}

/// Looks for a frame from `from` on.
fn any_intact_in(file: &dyn File, head: &SegmentHead, from: Lsn) -> Result<bool> {
    const CHUNK: usize = 1 << 20;
    let failed = |error| Error::io(format!("reading {}", segment::name(head.first)), error);
    let length = file.len().map_err(failed)?;
    let mut offset = SEGMENT_HEAD as u64 + from.0 - head.first.0;
    let mut chunk = vec![0; CHUNK];
    let mut buffer = Vec::new();
    while offset < length {
        file.read_at(&mut chunk, offset).map_err(failed)?;
        for (index, sector) in chunk.chunks_exact(SECTOR).enumerate() {
            let position = Lsn(head.first.0 + offset - SEGMENT_HEAD as u64 + (index * SECTOR) as u64);
            if frame::head(sector, position).is_some()
                && read_frame(file, head, position, &mut buffer)?.is_some()
                && frame::is_intact(&buffer, head.origin)
            {
                return Ok(true);
            }
        }
        offset += CHUNK as u64;
    }
    Ok(false)
}
