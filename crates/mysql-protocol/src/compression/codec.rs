//! The two algorithms behind one pair of calls.
//!
//! Contexts are made at the first use and kept, since making one costs more than compressing a packet. A
//! zstd frame may ask for a window of at most 16 MiB, the longest plain length that a header can name.

use super::Algorithm;
use crate::{Error, Result};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd_safe::{CCtx, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

/// The largest window of a zstd frame, as a power of two.
const WINDOW_LOG: u32 = 24;

const BROKEN: Error = Error::Compression("compressed bytes are broken");
const NO_MEMORY: Error = Error::Compression("no memory for compression");

/// Compresses whole pieces.
pub(super) enum Encoder {
    Zlib(Box<Compress>),
    Zstd(CCtx<'static>, i32),
}

impl Encoder {
    pub(super) fn new(algorithm: Algorithm) -> Result<Encoder> {
        match algorithm {
            Algorithm::Zlib => Ok(Encoder::Zlib(Box::new(Compress::new(Compression::default(), true)))),
            Algorithm::Zstd(level) => {
                CCtx::try_create().map(|context| Encoder::Zstd(context, i32::from(level))).ok_or(NO_MEMORY)
            }
        }
    }

    /// Compresses `plain` into `out`; gives the length, or none where `out` is too small for it.
    pub(super) fn compress(&mut self, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        match self {
            Encoder::Zlib(context) => {
                context.reset();
                let status = context.compress(plain, out, FlushCompress::Finish).ok()?;
                let length = usize::try_from(context.total_out()).ok()?;
                (status == Status::StreamEnd).then_some(length)
            }
            Encoder::Zstd(context, level) => context.compress(out, plain, *level).ok(),
        }
    }
}

/// Decompresses one frame after the other.
pub(super) enum Decoder {
    Zlib(Box<Decompress>),
    Zstd(DCtx<'static>),
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) read: usize,
    pub(super) written: usize,
    /// The compressed stream has ended.
    pub(super) ended: bool,
}

impl Decoder {
    pub(super) fn new(algorithm: Algorithm) -> Result<Decoder> {
        match algorithm {
            Algorithm::Zlib => Ok(Decoder::Zlib(Box::new(Decompress::new(true)))),
            Algorithm::Zstd(_) => {
                let mut context = DCtx::try_create().ok_or(NO_MEMORY)?;
                context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(|_| NO_MEMORY)?;
                Ok(Decoder::Zstd(context))
            }
        }
    }

    /// Begins a new stream.
    pub(super) fn reset(&mut self) -> Result<()> {
        match self {
            Decoder::Zlib(context) => context.reset(true),
            Decoder::Zstd(context) => {
                context.reset(ResetDirective::SessionOnly).map_err(|_| BROKEN)?;
            }
        }
        Ok(())
    }

    /// Decompresses from `input` into `out`, as much as both allow.
    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step> {
        match self {
            Decoder::Zlib(context) => {
                let (read, written) = (context.total_in(), context.total_out());
                let status = context.decompress(input, out, FlushDecompress::None).map_err(|_| BROKEN)?;
                Ok(Step {
                    read: (context.total_in() - read) as usize,
                    written: (context.total_out() - written) as usize,
                    ended: status == Status::StreamEnd,
                })
            }
            Decoder::Zstd(context) => {
                let mut input = InBuffer::around(input);
                let mut out = OutBuffer::around(out);
                let left = context.decompress_stream(&mut out, &mut input).map_err(|_| BROKEN)?;
                Ok(Step { read: input.pos(), written: out.pos(), ended: left == 0 })
            }
        }
    }
}
