//! Compressed frames: what both ends wrap around packets once compression was agreed on.
//!
//! A compressed frame has a header of seven bytes (length on the wire, sequence number, length of the plain
//! bytes) and carries a piece of the packet stream: several packets, or a part of one. A plain length of 0
//! says that the bytes are as they are; short pieces are sent so, because compressing them would not pay.
//!
//! ```text
//! packets --Deflater--> frames ~~~~ socket ~~~~ frames --Inflater--> packets
//! ```
//!
//! The frames have a sequence of their own, which starts at 0 with each request; the numbers of the packets
//! inside are not checked by real servers and clients, and so not by us
//! ([`PacketReader::ignore_sequence`](crate::frame::PacketReader::ignore_sequence)).
//!
//! Invariants: [`Inflater`] decompresses into the space that its caller offers and never ahead of it, so a
//! frame that expands a thousandfold takes no more memory than the packet limit of its reader allows; what
//! it holds of the wire grows only as bytes arrive. A frame that yields more or less than it announced is an
//! error.

mod codec;
mod deflater;
mod inflater;

pub use deflater::Deflater;
pub use inflater::Inflater;

/// Bytes of a compressed frame's header.
pub const COMPRESSED_HEADER: usize = 7;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// zlib, at its usual level.
    Zlib,
    /// zstd at this level, 1 to 22.
    Zstd(u8),
}

impl Algorithm {
    /// What a connection uses that agreed on these capabilities; as in MySQL's list, zlib comes first.
    /// `zstd_level` is what the client asked for; a level that zstd does not have becomes the nearest.
    pub fn agreed(capabilities: crate::Capabilities, zstd_level: Option<u8>) -> Option<Algorithm> {
        use crate::Capabilities;
        if capabilities.has(Capabilities::COMPRESS) {
            Some(Algorithm::Zlib)
        } else if capabilities.has(Capabilities::ZSTD_COMPRESSION) {
            Some(Algorithm::Zstd(zstd_level.unwrap_or(3).clamp(1, 22)))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use proptest::prelude::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd(3)];

    /// Gives `wire` to the inflater in pieces of `piece` bytes and reads into buffers of `room` bytes.
    fn inflate(
        inflater: &mut Inflater,
        mut wire: &[u8],
        piece: usize,
        room: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::new();
        let mut buffer = vec![0; room];
        loop {
            match inflater.read(&mut buffer)? {
                0 if wire.is_empty() => return Ok(plain),
                0 => {
                    let space = inflater.space();
                    let count = space.len().min(piece).min(wire.len());
                    space[..count].copy_from_slice(&wire[..count]);
                    inflater.filled(count);
                    wire = &wire[count..];
                }
                count => plain.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn deflate(algorithm: Algorithm, plain: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        Deflater::new(algorithm).write(plain, &mut wire).unwrap();
        wire
    }

    #[test]
    fn short_pieces_go_as_they_are() {
        for algorithm in BOTH {
            assert_eq!(deflate(algorithm, b"\x01\0\0\0\x0e"), b"\x05\0\0\0\0\0\0\x01\0\0\0\x0e");
            let wire = deflate(algorithm, &[7; 1000]);
            assert!(wire.len() < 100, "{algorithm:?}");
            assert_eq!(wire[4..7], [0xe8, 3, 0]);
        }
    }

    #[test]
    fn what_does_not_shrink_goes_as_it_is() {
        let mut state = 1u32;
        let noise: Vec<u8> = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for algorithm in BOTH {
            let wire = deflate(algorithm, &noise);
            assert_eq!(wire.len(), noise.len() + COMPRESSED_HEADER);
            assert_eq!(wire[4..7], [0, 0, 0]);
            assert_eq!(inflate(&mut Inflater::new(algorithm), &wire, 100, 333).unwrap(), noise);
        }
    }

    #[test]
    fn long_streams_are_cut_into_frames_and_joined() {
        let plain: Vec<u8> = (0..40_000_000u32).map(|i| (i / 3) as u8).collect();
        for algorithm in BOTH {
            let wire = deflate(algorithm, &plain);
            assert!(wire.len() < plain.len() / 10);
            let mut inflater = Inflater::new(algorithm);
            assert!(inflate(&mut inflater, &wire, 65_536, 100_000).unwrap() == plain);
            assert!(!inflater.is_mid_frame());
            assert!(inflater.sequence() > 2);
        }
    }

    #[test]
    fn frames_are_counted() {
        let mut deflater = Deflater::new(Algorithm::Zlib);
        deflater.set_sequence(255);
        let mut wire = Vec::new();
        deflater.write(b"a", &mut wire).unwrap();
        deflater.write(b"b", &mut wire).unwrap();
        assert_eq!((wire[3], wire[11], deflater.sequence()), (255, 0, 1));
        let mut inflater = Inflater::new(Algorithm::Zlib);
        assert_eq!(inflate(&mut inflater, &wire, 99, 99), Err(Error::OutOfOrder { expected: 0, found: 255 }));
    }

    #[test]
    fn a_lie_about_the_plain_length_is_refused() {
        for algorithm in BOTH {
            for lie in [999u32, 1001, 0xff_ffff, 1] {
                let mut wire = deflate(algorithm, &[7; 1000]);
                wire[4..7].copy_from_slice(&lie.to_le_bytes()[..3]);
                let wire = [wire, deflate(algorithm, b"next")].concat();
                let told = inflate(&mut Inflater::new(algorithm), &wire, 4096, 64);
                assert!(matches!(told, Err(Error::Compression(_))), "{algorithm:?} {lie}: {told:?}");
            }
        }
    }

    #[test]
    fn a_bomb_takes_no_more_memory_than_its_reader_offers() {
        for algorithm in BOTH {
            let wire = deflate(algorithm, &vec![0; 1 << 20]);
            let mut inflater = Inflater::new(algorithm);
            let space = inflater.space();
            let count = space.len().min(wire.len());
            space[..count].copy_from_slice(&wire[..count]);
            inflater.filled(count);
            let mut buffer = [1; 100];
            assert_eq!(inflater.read(&mut buffer).unwrap(), 100);
            assert_eq!(buffer, [0; 100]);
            assert!(inflater.capacity() < 70_000, "{}", inflater.capacity());
        }
    }

    proptest! {
        #[test]
        fn any_stream_comes_back_in_any_pieces(
            plain in proptest::collection::vec(proptest::num::u8::ANY, 0..3000),
            repeat in 1usize..5, piece in 1usize..500, room in 1usize..500, zstd: bool,
        ) {
            let plain = plain.repeat(repeat);
            let algorithm = BOTH[usize::from(zstd)];
            let wire = deflate(algorithm, &plain);
            prop_assert_eq!(inflate(&mut Inflater::new(algorithm), &wire, piece, room).unwrap(), plain);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), zstd: bool) {
            let mut wire = vec![bytes.len() as u8, (bytes.len() >> 8) as u8, 0, 0, 0, 1, 0];
            wire.extend_from_slice(&bytes);
            let _ = inflate(&mut Inflater::new(BOTH[usize::from(zstd)]), &wire, 50, 50);
        }
    }
}
