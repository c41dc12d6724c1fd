//! A frame: what one flush writes.
//!
//! ```text
//!   0  magic u32
//!   4  checksum u32     CRC32C of the database id, then of all bytes from 8 on, padding left out
//!   8  length u32       bytes of records
//!  12  chain u32        the checksum of the frame before
//!  16  position u64     the frame's own LSN
//!  24  timeline u32
//!  28  flags u32        zero
//!  32  reserved [u8; 48] for encryption: key id, nonce, tag
//!  80  records          each: length u32, bytes
//! ```
//! Frames begin at multiples of 512, and the rest of the last sector is zero: the sectors of an
//! acknowledged frame are never written again. The position keeps a used-again segment's old frames
//! from being taken for new ones; the chain keeps a frame that a lost predecessor left behind from
//! being read after that predecessor's replacement.

use crate::ids::Lsn;
use crate::page::{get_u32, get_u64, put};

/// Bytes of the head.
pub(super) const HEAD: usize = 80;
const MAGIC: u32 = 0x4C41_5752;

/// Which store's log a frame belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) database: [u8; 16],
    pub(super) timeline: u32,
}

/// A frame's head, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) sum: u32,
    pub(super) length: usize,
    pub(super) chain: u32,
}

fn checksum(origin: Origin, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&origin.database), &frame[8..])
}

/// Fills the head of a frame whose records are in place; gives its checksum.
pub(super) fn seal(frame: &mut [u8], origin: Origin, position: Lsn, chain: u32) -> u32 {
    let length = (frame.len() - HEAD) as u32;
    put(frame, 0, &MAGIC.to_le_bytes());
    put(frame, 8, &length.to_le_bytes());
    put(frame, 12, &chain.to_le_bytes());
    put(frame, 16, &position.0.to_le_bytes());
    put(frame, 24, &origin.timeline.to_le_bytes());
    let sum = checksum(origin, frame);
    put(frame, 4, &sum.to_le_bytes());
    sum
}

/// Reads a head that should stand at `position`; `None` when it does not.
pub(super) fn head(bytes: &[u8], position: Lsn) -> Option<Head> {
    if bytes.len() < HEAD || get_u32(bytes, 0) != MAGIC || get_u64(bytes, 16) != position.0 {
        return None;
    }
    Some(Head { sum: get_u32(bytes, 4), length: get_u32(bytes, 8) as usize, chain: get_u32(bytes, 12) })
}

/// Whether a whole frame is as it was written.
pub(super) fn is_intact(frame: &[u8], origin: Origin) -> bool {
    frame.len() >= HEAD && checksum(origin, frame) == get_u32(frame, 4)
}
