//! COMPRESS, UNCOMPRESS, UNCOMPRESSED_LENGTH: the length in four bytes, then zlib's stream.
//!
//! A stream that would end in a space gets a point behind it, so that CHAR columns keep it. What is no such
//! text is NULL with warning 1259 or 1258.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::{Call, Function, Invocation, each_int, each_string};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("compress", (1, 1), "The bytes of a text, compressed by zlib", bind_compress, compress),
    Function::new("uncompress", (1, 1), "What was compressed", bind_uncompress, uncompress),
    Function::new(
        "uncompressed_length",
        (1, 1),
        "The length of what was compressed",
        |call| {
            call.to_encoded(0);
            Ok(ExprType::int(11))
        },
        length,
    ),
];

/// The longest text that is made of a compressed one.
const MOST: u32 = 16_777_216;
/// Bytes of the length.
const HEAD: usize = 4;

fn bind_compress(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let ty = call.ty(0);
    let widest = if ty.class() == Class::Text { ty.collation.charset().max_bytes_per_char() } else { 1 };
    let length = ty.text_length().saturating_mul(widest);
    call.to_encoded(0);
    Ok(ExprType::binary(length.saturating_mul(120) / 100 + 18))
}

fn bind_uncompress(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_encoded(0);
    Ok(ExprType::binary(MOST))
}

fn compress(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |_, row, out| {
        let bytes = a.bytes(row);
        if bytes.is_empty() {
            return Ok(true);
        }
        out.extend_from_slice(&(u32::try_from(bytes.len()).unwrap_or(u32::MAX) & 0x3fff_ffff).to_le_bytes());
        let mut encoder = ZlibEncoder::new(out, Compression::default());
        let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
        let out = written.map_err(|error| SqlError::unknown(format_args!("zlib: {error}")))?;
        if out.last() == Some(&b' ') {
            out.push(b'.');
        }
        Ok(true)
    })
}

fn head(bytes: &[u8]) -> Option<u32> {
    let head = bytes.first_chunk::<HEAD>()?;
    (bytes.len() > HEAD).then(|| u32::from_le_bytes(*head) & 0x3fff_ffff)
}

fn uncompress(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |run, row, out| {
        let bytes = a.bytes(row);
        if bytes.is_empty() {
            return Ok(true);
        }
        let Some(length) = head(bytes) else {
            run.warn(SqlError::zlib_corrupted());
            return Ok(false);
        };
        if length as usize > super::string::packet_limit(run) {
            run.warn(SqlError::zlib_too_big(super::string::packet_limit(run)));
            return Ok(false);
        }
        // No more is read than the head promises, whatever the stream would give.
        let stream = ZlibDecoder::new(bytes.get(HEAD..).unwrap_or(&[]));
        let read = stream.take(u64::from(length) + 1).read_to_end(out);
        if !matches!(read, Ok(read) if read <= length as usize) {
            run.warn(SqlError::zlib_corrupted());
            return Ok(false);
        }
        Ok(true)
    })
}

fn length(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let mut corrupt = 0;
    let out = each_int(rows, |row| {
        if a.is_null(row) {
            return None;
        }
        if a.bytes(row).is_empty() {
            return Some(0);
        }
        let found = head(a.bytes(row));
        corrupt += usize::from(found.is_none());
        Some(found.map_or(0, i64::from))
    });
    for _ in 0..corrupt {
        run.warn(SqlError::zlib_corrupted());
    }
    Ok(out)
}
