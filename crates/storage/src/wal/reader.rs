//! Reads the log forward, and tells a torn tail from damage.
//!
//! A frame that does not read well ends the log if nothing that was written later reads well: it is
//! the write that a crash interrupted, and nobody was told of it. If a later frame does read well,
//! the bad one had been durable, and reading stops with [`Error::CorruptLog`]. What this cannot tell:
//! damage to the very last frame looks like a torn write.

use std::sync::Arc;

use super::frame::{self, Head};
use super::segment::{self, SEGMENT_HEAD, SegmentHead, SegmentWriter};
use crate::disk::{Caching, Disk, File, SECTOR};
use crate::error::{Error, Result};
use crate::ids::Lsn;

/// Where the log ends, and what goes on there.
pub struct LogEnd {
    /// The position after the last frame.
    pub end: Lsn,
    /// Goes on writing at `end`.
    pub(crate) writer: SegmentWriter,
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
    let segments = segment::list(&**disk)?;
    let start = segments.partition_point(|&first| first <= from);
    let Some(start) = start.checked_sub(1) else {
        return Err(Error::log(from, "no segment holds this position"));
    };
    let mut state: Option<(Arc<dyn File>, SegmentHead, Lsn, u32)> = None;
    for (index, &first) in segments.iter().enumerate().skip(start) {
        let file = open(&**disk, first)?;
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
        let (position, chain) = read_segment(&*file, &head, from, each)?;
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
    // What was written but not synced before the crash is acted on from now, so it must last; the segment's
    // name too, where the process died between giving it and making it durable.
    file.sync_data().map_err(|error| Error::io("syncing the log", error))?;
    disk.sync_directory().map_err(|error| Error::io("syncing the directory", error))?;
    let writer = SegmentWriter::resume(disk.clone(), head.origin, nominal, file, head.first, position, chain);
    Ok(LogEnd { end: position, writer })
}

/// Whether any frame was ever written.
///
/// # Errors
/// When the segments cannot be read.
pub(crate) fn has_frames(disk: &dyn Disk) -> Result<bool> {
    for first in segment::list(disk)? {
        let file = open(disk, first)?;
        if let Some(head) = segment::read_head(&*file, first)?
            && any_intact_in(&*file, &head, first)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn open(disk: &dyn Disk, first: Lsn) -> Result<Arc<dyn File>> {
    let name = segment::name(first);
    disk.open(&name, false, Caching::Buffered).map_err(|error| Error::io(format!("opening {name}"), error))
}

/// Reads frames until one does not read well; gives its position and the last good checksum.
fn read_segment(
    file: &dyn File,
    head: &SegmentHead,
    from: Lsn,
    each: &mut dyn FnMut(Lsn, &[u8]) -> Result<()>,
) -> Result<(Lsn, u32)> {
    let (mut position, mut chain) = (head.first, head.chain);
    let mut buffer = Vec::new();
    while let Some(found) = read_frame(file, head, position, &mut buffer)? {
        if found.chain != chain || !frame::is_intact(&buffer, head.origin) {
            break;
        }
        let end = Lsn(position.0 + buffer.len().next_multiple_of(SECTOR) as u64);
        if end > from {
            read_records(&buffer, position, from, each)?;
        }
        chain = found.sum;
        position = end;
    }
    Ok((position, chain))
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

fn read_records(
    frame_bytes: &[u8],
    position: Lsn,
    from: Lsn,
    each: &mut dyn FnMut(Lsn, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut at = frame::HEAD;
    while at < frame_bytes.len() {
        let lsn = Lsn(position.0 + at as u64);
        let record = frame_bytes
            .get(at..at + 4)
            .and_then(|length| length.try_into().ok())
            .map(u32::from_le_bytes)
            .and_then(|length| frame_bytes.get(at + 4..at + 4 + length as usize))
            .ok_or_else(|| Error::log(lsn, "a record leaves its frame"))?;
        if lsn >= from {
            each(lsn, record)?;
        }
        at += 4 + record.len();
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
