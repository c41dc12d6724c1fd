//! The way in: compressed frames into a stream of packets.

use super::codec::Decoder;
use super::{Algorithm, COMPRESSED_HEADER};
use crate::wire::Reader;
use crate::{Error, Result};

/// Bytes of the wire that are taken at once.
const CHUNK: usize = 16 * 1024;

/// Decompresses a stream of packets.
///
/// The caller's loop is: [`read`](Self::read) until it gives bytes; when it gives none, read the socket into
/// [`space`](Self::space) and tell [`filled`](Self::filled).
pub struct Inflater {
    algorithm: Algorithm,
    /// Made when first needed; none after [`shrink`](Self::shrink).
    decoder: Option<Decoder>,
    /// Bytes of the wire; `start..end` is not used up yet.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    frame: Option<Frame>,
    sequence: u8,
}

/// The frame in progress.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Bytes of it that are still on the wire or in the buffer.
    wire: usize,
    /// Plain bytes that are still to come; none in a frame that is not compressed.
    plain: Option<usize>,
    /// The compressed stream has ended.
    ended: bool,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("algorithm", &self.algorithm).field("frame", &self.frame).finish()
    }
}

impl Inflater {
    /// Decompresses what was compressed by this algorithm, from frame 0 on.
    pub fn new(algorithm: Algorithm) -> Inflater {
        let (buffer, decoder) = (Vec::new(), None);
        Inflater { algorithm, decoder, buffer, start: 0, end: 0, frame: None, sequence: 0 }
    }

    /// The sequence number that the next frame must have.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the sequence number that the next frame must have.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// Whether a frame has begun to arrive and is not used up.
    pub fn is_mid_frame(&self) -> bool {
        self.frame.is_some() || self.end > self.start
    }

    /// Where to put bytes that arrive next; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < CHUNK / 2 {
            self.buffer.resize(self.end + CHUNK, 0);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that `count` bytes were put into [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Puts plain bytes into `out` and says how many; 0 asks for more of the wire. Bytes of one call belong
    /// to one frame.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] and [`Error::Compression`]; after either the stream cannot be read further.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(mut frame) = self.frame else {
                match self.begin_frame()? {
                    Some(frame) => {
                        self.frame = Some(frame);
                        continue;
                    }
                    None => return Ok(0),
                }
            };
            let here = frame.wire.min(self.end - self.start);
            let input = self.buffer.get(self.start..self.start + here).unwrap_or_default();
            let written = match frame.plain {
                None => {
                    let count = here.min(out.len());
                    if let (Some(to), Some(from)) = (out.get_mut(..count), input.get(..count)) {
                        to.copy_from_slice(from);
                    }
                    self.start += count;
                    frame.wire -= count;
                    count
                }
                // The stream's last bytes may say nothing but that it ends.
                Some(left) if left > 0 || !frame.ended => {
                    let Some(decoder) = &mut self.decoder else {
                        return Err(Error::Compression("no decoder"));
                    };
                    // One byte too many would be a lie about the length, so one is allowed to show itself.
                    let mut beyond = [0];
                    let room = match left {
                        0 => &mut beyond[..],
                        left => {
                            let room = left.min(out.len());
                            out.get_mut(..room).unwrap_or_default()
                        }
                    };
                    let step = decoder.step(input, room)?;
                    self.start += step.read;
                    frame.wire -= step.read;
                    frame.ended = step.ended;
                    frame.plain = Some(
                        left.checked_sub(step.written).ok_or(Error::Compression("a frame is too long"))?,
                    );
                    if step.read == 0 && step.written == 0 && !step.ended {
                        if here == frame.wire {
                            return Err(Error::Compression("a frame is too short"));
                        }
                        self.frame = Some(frame);
                        return Ok(0);
                    }
                    step.written
                }
                Some(_) => return Err(Error::Compression("a frame has bytes behind its end")),
            };
            let done = frame.wire == 0 && frame.plain.is_none_or(|left| left == 0 && frame.ended);
            if frame.ended && frame.plain.is_some_and(|left| left > 0) {
                return Err(Error::Compression("a frame is too short"));
            }
            self.frame = (!done).then_some(frame);
            if written > 0 {
                return Ok(written);
            }
            if self.start == self.end && self.frame.is_some_and(|frame| frame.wire > 0) {
                return Ok(0);
            }
        }
    }

    fn begin_frame(&mut self) -> Result<Option<Frame>> {
        let Some(header) = self.buffer.get(self.start..self.end).and_then(<[u8]>::first_chunk) else {
            return Ok(None);
        };
        let header: &[u8; COMPRESSED_HEADER] = header;
        let mut reader = Reader::new(header);
        let wire = reader.u24("frame length")? as usize;
        let sequence = reader.u8("frame number")?;
        let plain = reader.u24("plain length")? as usize;
        if sequence != self.sequence {
            return Err(Error::OutOfOrder { expected: self.sequence, found: sequence });
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.start += COMPRESSED_HEADER;
        if wire == 0 && plain > 0 {
            return Err(Error::Compression("a frame is too short"));
        }
        if plain > 0 {
            match &mut self.decoder {
                Some(decoder) => decoder.reset()?,
                None => self.decoder = Some(Decoder::new(self.algorithm)?),
            }
        }
        Ok(Some(Frame { wire, plain: (plain > 0).then_some(plain), ended: false }))
    }

    /// Bytes of memory that the buffer holds.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Gives the memory of an idle connection back, where no frame is in progress.
    pub fn shrink(&mut self) {
        if !self.is_mid_frame() {
            self.decoder = None;
            self.buffer = Vec::new();
            self.start = 0;
            self.end = 0;
        }
    }
}
