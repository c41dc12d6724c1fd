//! Packets on the wire: a three-byte length, a sequence number, the payload.
//!
//! A payload of 16 MiB - 1 bytes says that the packet goes on in the next frame, so a packet whose length
//! is a multiple of that ends with an empty frame. Sequence numbers start at 0 with each request and count
//! the frames of both ends until the answer is complete; they wrap after 255.
//!
//! [`PacketReader`] takes bytes as they arrive and gives whole packets as slices of its buffer: header and
//! payload of a small request come in with one read of the socket and are never copied. [`PacketWriter`]
//! collects packets so that a small answer leaves with one write.
//!
//! Invariants: the reader's buffer grows only as bytes arrive, at most to twice what arrived plus one
//! chunk, so a header that announces a gigabyte costs nothing; a packet above the limit is refused at the
//! header that exceeds it. Left to the caller: reading, writing, timeouts.

use crate::{Error, Result};
use std::ops::Range;

/// The longest payload of one frame.
pub const MAX_FRAME: usize = 0xff_ffff;

/// Bytes of a frame's header.
pub const HEADER: usize = 4;

/// The space that [`PacketReader::space`] offers until it is told otherwise, at least half of it.
const CHUNK: usize = 4096;

/// Collects arriving bytes into packets.
///
/// The caller's loop is: [`next`](Self::next) until it gives a packet; when it gives none, read into
/// [`space`](Self::space) and tell [`filled`](Self::filled).
#[derive(Debug)]
pub struct PacketReader {
    /// Always initialised to its full length; `start..end` holds bytes that arrived.
    buffer: Vec<u8>,
    /// Where the packet in progress starts (its header while `frame` is none, its payload after).
    start: usize,
    end: usize,
    /// The frame in progress.
    frame: Option<Frame>,
    /// The packet handed out last; its bytes are given up at the next call.
    handed_out: Option<Range<usize>>,
    sequence: u8,
    /// Whether frames have to come in order.
    in_order: bool,
    limit: usize,
    /// The space offered at once, at least half of it.
    chunk: usize,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Where its payload will end in the buffer, relative to `start`.
    end: usize,
    /// Another frame of the same packet follows.
    continues: bool,
}

impl PacketReader {
    /// A reader that accepts packets of up to `limit` bytes. It allocates at the first read.
    pub fn new(limit: usize) -> PacketReader {
        PacketReader {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            frame: None,
            handed_out: None,
            sequence: 0,
            in_order: true,
            limit,
            chunk: CHUNK,
        }
    }

    /// Sets the largest accepted payload, from the next frame on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Sets how many bytes [`space`](Self::space) offers at least by half, for a peer that is known to send
    /// much: fewer, larger reads. At least 4 KiB, which is where a reader begins.
    pub fn set_chunk(&mut self, bytes: usize) {
        self.chunk = bytes.max(CHUNK);
    }

    /// The sequence number that the next frame must have.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the sequence number that the next frame must have: 0 before a request, otherwise the number
    /// after the last frame that was sent.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// Takes frames whatever their number: inside compressed frames, which are counted themselves, real
    /// servers and clients do not agree on it.
    pub fn ignore_sequence(&mut self) {
        self.in_order = false;
    }

    /// The next whole packet, if its bytes have arrived. The slice lives until the next call.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] and [`Error::TooLarge`]; after either the stream cannot be read further.
    #[allow(clippy::should_implement_trait, reason = "it lends from itself, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        self.release();
        match self.advance()? {
            None => Ok(None),
            Some(range) => {
                self.handed_out = Some(range);
                Ok(Some(self.current()))
            }
        }
    }

    /// The packet that [`next`](Self::next) gave last; empty when it gave none.
    pub fn current(&self) -> &[u8] {
        self.handed_out.clone().and_then(|packet| self.buffer.get(packet)).unwrap_or_default()
    }

    /// Whether bytes of an unfinished packet are here: a peer that stops now stops mid-packet.
    pub fn is_mid_packet(&self) -> bool {
        self.handed_out.is_none() && (self.frame.is_some() || self.end > self.start)
    }

    /// Where to put bytes that arrive next; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.release();
        if self.start == self.end && self.frame.is_none() {
            self.start = 0;
            self.end = 0;
        }
        if self.buffer.len() - self.end < self.chunk / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.buffer.len() - self.end < self.chunk / 2 {
                let doubled = (self.end * 2).max(self.chunk);
                // No further than the frame in progress needs, plus the header that may follow it.
                let wanted = match self.frame {
                    Some(frame) => doubled.min((frame.end + HEADER).max(self.end + self.chunk)),
                    None => doubled,
                };
                self.buffer.resize(wanted.max(self.end + self.chunk), 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes were put into [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Takes all bytes that arrived but belong to no packet yet. When TLS starts they are its first
    /// bytes, and must not be read as plain packets.
    pub fn take_unread(&mut self) -> Vec<u8> {
        self.release();
        let unread = self.buffer[self.start..self.end].to_vec();
        self.start = 0;
        self.end = 0;
        self.frame = None;
        unread
    }

    /// Bytes of memory that the buffer holds.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Gives memory back: a buffer larger than `keep` is dropped, or cut to the bytes that are in it. The
    /// last packet handed out is given up.
    pub fn shrink(&mut self, keep: usize) {
        self.release();
        if self.buffer.capacity() <= keep {
            return;
        }
        let mut fresh = self.buffer[self.start..self.end].to_vec();
        fresh.shrink_to_fit();
        self.end -= self.start;
        self.start = 0;
        self.buffer = fresh;
    }

    fn release(&mut self) {
        if let Some(packet) = self.handed_out.take() {
            self.start = packet.end;
            self.frame = None;
        }
    }

    /// Moves on over the bytes that are here; gives the payload's range once the packet is whole.
    fn advance(&mut self) -> Result<Option<Range<usize>>> {
        loop {
            let Some(frame) = self.frame else {
                let Some(header) = self.header_at(self.start) else { return Ok(None) };
                let length = self.accept(header, 0)?;
                self.start += HEADER;
                self.frame = Some(Frame { end: length, continues: length == MAX_FRAME });
                continue;
            };
            let payload_end = self.start + frame.end;
            if self.end < payload_end {
                return Ok(None);
            }
            if !frame.continues {
                return Ok(Some(self.start..payload_end));
            }
            let Some(header) = self.header_at(payload_end) else { return Ok(None) };
            let length = self.accept(header, frame.end)?;
            // The header is taken out, so that the packet's payload lies in one piece.
            self.buffer.copy_within(payload_end + HEADER..self.end, payload_end);
            self.end -= HEADER;
            self.frame = Some(Frame { end: frame.end + length, continues: length == MAX_FRAME });
        }
    }

    fn header_at(&self, at: usize) -> Option<[u8; HEADER]> {
        self.buffer.get(at..self.end)?.first_chunk().copied()
    }

    fn accept(&mut self, [a, b, c, sequence]: [u8; HEADER], joined: usize) -> Result<usize> {
        if self.in_order && sequence != self.sequence {
            return Err(Error::OutOfOrder { expected: self.sequence, found: sequence });
        }
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if joined + length > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        self.sequence = self.sequence.wrapping_add(1);
        Ok(length)
    }
}

/// Collects packets to be sent.
#[derive(Debug, Default)]
pub struct PacketWriter {
    buffer: Vec<u8>,
    sequence: u8,
}

/// Where a packet that is being written starts; see [`PacketWriter::begin`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct PacketStart(usize);

impl PacketWriter {
    /// An empty writer.
    pub fn new() -> PacketWriter {
        PacketWriter::default()
    }

    /// The sequence number of the next frame.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the sequence number of the next frame: one after the last frame that came in.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// Appends one packet whose payload `build` appends.
    #[inline]
    pub fn packet(&mut self, build: impl FnOnce(&mut Vec<u8>)) {
        let start = self.begin();
        build(&mut self.buffer);
        self.finish(start);
    }

    /// Starts a packet; append its payload to [`buffer`](Self::buffer), then call
    /// [`finish`](Self::finish) or [`abandon`](Self::abandon).
    #[inline]
    pub fn begin(&mut self) -> PacketStart {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEADER]);
        PacketStart(start)
    }

    /// The buffer that a begun packet is appended to.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends the packet: writes its header, and splits it where it is longer than a frame.
    #[inline]
    pub fn finish(&mut self, start: PacketStart) {
        let payload = self.buffer.len() - start.0 - HEADER;
        if payload < MAX_FRAME {
            self.put_header(start.0, payload);
        } else {
            self.split(start.0, payload);
        }
    }

    /// Takes a begun packet back.
    pub fn abandon(&mut self, start: PacketStart) {
        self.buffer.truncate(start.0);
    }

    /// The finished bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Bytes waiting to be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing waits to be sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Forgets the bytes, after they were sent.
    #[inline]
    pub fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Bytes of memory that the buffer holds.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Gives memory beyond `keep` bytes back.
    pub fn shrink(&mut self, keep: usize) {
        self.buffer.shrink_to(keep);
    }

    #[inline]
    fn put_header(&mut self, at: usize, length: usize) {
        let [a, b, c, ..] = (length as u32).to_le_bytes();
        if let Some(header) = self.buffer.get_mut(at..at + HEADER) {
            header.copy_from_slice(&[a, b, c, self.sequence]);
        }
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Opens a gap for a header in front of every further frame, from the last one backwards.
    #[cold]
    fn split(&mut self, start: usize, payload: usize) {
        let further = payload / MAX_FRAME;
        let first = start + HEADER;
        self.buffer.resize(first + payload + further * HEADER, 0);
        for frame in (1..=further).rev() {
            let from = first + frame * MAX_FRAME;
            let length = (payload - frame * MAX_FRAME).min(MAX_FRAME);
            self.buffer.copy_within(from..from + length, from + frame * HEADER);
        }
        for frame in 0..=further {
            let length = (payload - frame * MAX_FRAME).min(MAX_FRAME);
            self.put_header(start + frame * (MAX_FRAME + HEADER), length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn feed(reader: &mut PacketReader, mut bytes: &[u8], piece: usize) {
        while !bytes.is_empty() {
            let space = reader.space();
            let count = space.len().min(bytes.len()).min(piece);
            space[..count].copy_from_slice(&bytes[..count]);
            reader.filled(count);
            bytes = &bytes[count..];
        }
    }

    fn written(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = PacketWriter::new();
        for payload in payloads {
            writer.packet(|out| out.extend_from_slice(payload));
        }
        writer.bytes().to_vec()
    }

    #[test]
    fn a_packet_of_a_multiple_of_the_frame_ends_with_an_empty_frame() {
        for (length, frames) in
            [(0, 1), (MAX_FRAME - 1, 1), (MAX_FRAME, 2), (MAX_FRAME + 1, 2), (2 * MAX_FRAME, 3)]
        {
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let mut writer = PacketWriter::new();
            writer.packet(|out| out.extend_from_slice(b"before"));
            writer.packet(|out| out.extend_from_slice(&payload));
            writer.packet(|out| out.extend_from_slice(b"after"));
            assert_eq!(writer.len(), 6 + 5 + length + (frames + 2) * HEADER);
            assert_eq!(usize::from(writer.sequence()), frames + 2);

            let mut reader = PacketReader::new(usize::MAX);
            feed(&mut reader, writer.bytes(), usize::MAX);
            assert_eq!(reader.next().unwrap().unwrap(), b"before");
            assert!(reader.next().unwrap().unwrap() == payload, "payload of {length}");
            assert_eq!(reader.next().unwrap().unwrap(), b"after");
            assert_eq!(reader.next(), Ok(None));
            assert!(!reader.is_mid_packet());
        }
    }

    #[test]
    fn a_long_packet_arriving_in_small_pieces_is_joined() {
        let payload: Vec<u8> = (0..MAX_FRAME + 70_000).map(|i| (i % 253) as u8).collect();
        let bytes = written(&[payload.clone(), b"next".to_vec()]);
        let mut reader = PacketReader::new(1 << 30);
        let mut packets = Vec::new();
        for piece in bytes.chunks(60_001) {
            let mut piece = piece;
            while !piece.is_empty() {
                let space = reader.space();
                let count = space.len().min(piece.len());
                space[..count].copy_from_slice(&piece[..count]);
                reader.filled(count);
                piece = &piece[count..];
                while let Some(packet) = reader.next().unwrap() {
                    packets.push(packet.to_vec());
                }
            }
        }
        assert_eq!(packets.len(), 2);
        assert!(packets[0] == payload);
        assert_eq!(packets[1], b"next");
    }

    #[test]
    fn a_header_that_announces_much_costs_nothing() {
        let mut reader = PacketReader::new(1 << 30);
        feed(&mut reader, &[0xff, 0xff, 0xff, 0, 1, 2, 3], usize::MAX);
        assert_eq!(reader.next(), Ok(None));
        assert!(reader.is_mid_packet());
        assert!(reader.capacity() <= 2 * CHUNK, "{}", reader.capacity());
    }

    #[test]
    fn the_limit_counts_all_frames_of_a_packet() {
        let bytes = written(&[vec![7; MAX_FRAME + 10]]);
        let mut reader = PacketReader::new(MAX_FRAME + 9);
        feed(&mut reader, &bytes, usize::MAX);
        assert_eq!(reader.next(), Err(Error::TooLarge { limit: MAX_FRAME + 9 }));
        let mut reader = PacketReader::new(MAX_FRAME + 10);
        feed(&mut reader, &bytes, usize::MAX);
        assert_eq!(reader.next().unwrap().unwrap().len(), MAX_FRAME + 10);
    }

    #[test]
    fn sequence_numbers_wrap_and_a_wrong_one_is_refused() {
        let bytes = written(&vec![vec![1]; 300]);
        let mut reader = PacketReader::new(10);
        feed(&mut reader, &bytes, usize::MAX);
        for _ in 0..300 {
            assert!(reader.next().unwrap().is_some());
        }
        assert_eq!(reader.sequence(), 44);
        feed(&mut reader, &[1, 0, 0, 45, 9], usize::MAX);
        assert_eq!(reader.next(), Err(Error::OutOfOrder { expected: 44, found: 45 }));
    }

    #[test]
    fn shrinking_keeps_bytes_that_arrived() {
        let mut reader = PacketReader::new(1 << 20);
        feed(&mut reader, &written(&[vec![1; 100_000], vec![2; 3]]), usize::MAX);
        assert_eq!(reader.next().unwrap().unwrap().len(), 100_000);
        reader.shrink(16 * 1024);
        assert!(reader.capacity() < 100);
        assert_eq!(reader.next().unwrap().unwrap(), [2, 2, 2]);
        reader.shrink(0);
        assert_eq!(reader.capacity(), 0);
        assert_eq!(reader.next(), Ok(None));
        assert!(!reader.space().is_empty());
    }

    #[test]
    fn bytes_behind_the_last_packet_can_be_taken_for_tls() {
        let mut reader = PacketReader::new(100);
        let mut bytes = written(&[vec![1; 32]]);
        bytes.extend_from_slice(&[0x16, 3, 1]);
        feed(&mut reader, &bytes, usize::MAX);
        assert_eq!(reader.next().unwrap().unwrap().len(), 32);
        assert_eq!(reader.take_unread(), [0x16, 3, 1]);
        assert_eq!(reader.next(), Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_whatever_the_pieces(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 0..8),
            pieces in proptest::collection::vec(1usize..5000, 1..40),
        ) {
            let bytes = written(&payloads);
            let mut reader = PacketReader::new(10_000);
            let mut packets = Vec::new();
            let mut rest = &bytes[..];
            let mut sizes = pieces.iter().cycle();
            while !rest.is_empty() {
                let space = reader.space();
                let count = space.len().min(rest.len()).min(*sizes.next().unwrap());
                space[..count].copy_from_slice(&rest[..count]);
                reader.filled(count);
                rest = &rest[count..];
                while let Some(packet) = reader.next().unwrap() {
                    packets.push(packet.to_vec());
                }
            }
            prop_assert_eq!(packets, payloads);
            prop_assert!(!reader.is_mid_packet());
        }

        #[test]
        fn garbage_never_panics_and_never_grows(bytes in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let mut reader = PacketReader::new(1 << 16);
            let mut rest = &bytes[..];
            'stream: while !rest.is_empty() {
                let space = reader.space();
                let count = space.len().min(rest.len());
                space[..count].copy_from_slice(&rest[..count]);
                reader.filled(count);
                rest = &rest[count..];
                loop {
                    match reader.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                }
            }
            prop_assert!(reader.capacity() <= 2 * bytes.len() + 2 * CHUNK);
        }
    }
}
