//! The way out: a stream of packets into compressed frames.

use super::codec::Encoder;
use super::{Algorithm, COMPRESSED_HEADER};
use crate::Result;
use crate::wire::Put;

/// Pieces shorter than this are not compressed, as in MySQL.
const WORTH_IT: usize = 50;

/// The most plain bytes of one frame. A header could name 16 MiB; less keeps the second copy small.
const PIECE: usize = 1 << 20;

/// Compresses a stream of packets.
pub struct Deflater {
    algorithm: Algorithm,
    /// Made when first needed; none after [`shrink`](Self::shrink).
    encoder: Option<Encoder>,
    sequence: u8,
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater")
            .field("algorithm", &self.algorithm)
            .field("sequence", &self.sequence)
            .finish()
    }
}

impl Deflater {
    /// Compresses by this algorithm, from frame 0 on.
    pub fn new(algorithm: Algorithm) -> Deflater {
        Deflater { algorithm, encoder: None, sequence: 0 }
    }

    /// The sequence number of the next frame.
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Sets the sequence number of the next frame.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// Appends frames that hold `plain`.
    ///
    /// # Errors
    /// [`crate::Error::Compression`] where there is no memory for it.
    pub fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        for piece in plain.chunks(PIECE) {
            let start = out.len();
            out.extend_from_slice(&[0; COMPRESSED_HEADER]);
            let compressed = if piece.len() < WORTH_IT { None } else { self.compress(piece, out)? };
            let announced = match compressed {
                Some(length) => {
                    out.truncate(start + COMPRESSED_HEADER + length);
                    piece.len()
                }
                None => {
                    out.truncate(start + COMPRESSED_HEADER);
                    out.extend_from_slice(piece);
                    0
                }
            };
            let length = out.len() - start - COMPRESSED_HEADER;
            let mut header = Vec::with_capacity(COMPRESSED_HEADER);
            header.put_u24(length as u32);
            header.put_u8(self.sequence);
            header.put_u24(announced as u32);
            if let Some(place) = out.get_mut(start..start + COMPRESSED_HEADER) {
                place.copy_from_slice(&header);
            }
            self.sequence = self.sequence.wrapping_add(1);
        }
        Ok(())
    }

    /// Appends the compressed piece, and gives its length; none where it is not shorter than the piece.
    fn compress(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            None => self.encoder.insert(Encoder::new(self.algorithm)?),
        };
        let start = out.len();
        // One byte less than the piece: what needs more is not worth sending.
        out.resize(start + piece.len() - 1, 0);
        Ok(encoder.compress(piece, out.get_mut(start..).unwrap_or_default()))
    }

    /// Gives the memory of an idle connection back.
    pub fn shrink(&mut self) {
        self.encoder = None;
    }
}
