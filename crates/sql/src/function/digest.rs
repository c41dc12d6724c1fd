//! Digests, checksums and random numbers: MD5, SHA1, SHA2, CRC32, RANDOM_BYTES.
//!
//! RAND() and UUID() need to differ, not to be secret: their numbers come from a generator per thread,
//! seeded by the standard library's random hasher state. RANDOM_BYTES promises secrecy and asks the system.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

use md5::Digest;

use super::string::typed;
use super::{Call, Function, Invocation, StringWriter};
use crate::error::SqlError;
use crate::expr::types::{Coercibility, ExprType};
use crate::expr::vector::{Vector, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "md5",
        (1, 1),
        "MD5 digest, 32 hexadecimal digits",
        |c| bind_digest(c, 32),
        |r, a, n| digest(r, a, n, |bytes| Some(md5::Md5::digest(bytes).to_vec())),
    ),
    Function::new(
        "sha1",
        (1, 1),
        "SHA-1 digest, 40 hexadecimal digits",
        |c| bind_digest(c, 40),
        |r, a, n| digest(r, a, n, |bytes| Some(sha1::Sha1::digest(bytes).to_vec())),
    )
    .aliases(&["sha"]),
    Function::new(
        "sha2",
        (2, 2),
        "SHA-2 digest of 224, 256, 384 or 512 bits, in hexadecimal",
        bind_sha2,
        sha2_digest,
    ),
    Function::new("random_bytes", (1, 1), "So many random bytes, fit for secrets", bind_random, random)
        .volatile(),
    Function::new("crc32", (1, 1), "Cyclic redundancy checksum", bind_crc32, crc32),
];

fn bind_digest(call: &mut Call<'_>, length: u32) -> Result<ExprType, SqlError> {
    call.to_encoded(0);
    let collation = call.session.settings.collation_connection;
    Ok(typed(length, collation, Coercibility::Coercible, call.nullable()))
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

fn digest(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        match if a.is_null(row) { None } else { f(a.bytes(row)) } {
            Some(sum) => {
                push_hex(&sum, &mut out.buffer);
                out.end_row();
            }
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn bind_sha2(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let length = match call.constant_int(1) {
        Some(224) => 56,
        Some(384) => 96,
        Some(512) => 128,
        Some(0 | 256) => 64,
        _ => 128,
    };
    call.to_encoded(0);
    call.to_int(1);
    let collation = call.session.settings.collation_connection;
    Ok(typed(length, collation, Coercibility::Coercible, true))
}

fn sha2_digest(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [text, bits] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if super::any_null(args, row) {
            out.push_null();
            continue;
        }
        let bytes = text.bytes(row);
        let sum = match bits.as_ints().at(row) {
            224 => sha2::Sha224::digest(bytes).to_vec(),
            0 | 256 => sha2::Sha256::digest(bytes).to_vec(),
            384 => sha2::Sha384::digest(bytes).to_vec(),
            512 => sha2::Sha512::digest(bytes).to_vec(),
            _ => {
                run.warn(SqlError::new(
                    1583,
                    b"42000",
                    "Incorrect parameters in the call to native function 'sha2'",
                ));
                out.push_null();
                continue;
            }
        };
        push_hex(&sum, &mut out.buffer);
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_random(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    Ok(ExprType::binary(MOST_RANDOM as u32))
}

/// The most bytes of one call.
const MOST_RANDOM: usize = 1024;

fn random(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [count] = args else { return Ok(Vector::null(rows)) };
    super::each_string(run, args, rows, |run, row, out| {
        let count = usize::try_from(count.as_ints().at(row)).unwrap_or(0);
        if !(1..=MOST_RANDOM).contains(&count) {
            return Err(SqlError::value_out_of_range("length", "random_bytes"));
        }
        let Some(entropy) = &run.context.session.entropy else {
            return Err(SqlError::not_supported("RANDOM_BYTES without a source of them"));
        };
        out.resize(count, 0);
        entropy.fill(out).map_err(|error| SqlError::unknown(format_args!("random bytes: {error}")))?;
        Ok(true)
    })
}

fn bind_crc32(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_encoded(0);
    Ok(ExprType::uint(10).with_nullable(call.nullable()))
}

/// The table of the reflected polynomial 0xEDB88320.
static CRC_TABLE: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut n = 0;
    while n < 256 {
        let mut value = n as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
};

fn crc32(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let out = (0..rows)
        .map(|row| {
            let crc = a
                .bytes(row)
                .iter()
                .fold(u32::MAX, |crc, byte| CRC_TABLE[usize::from((crc as u8) ^ byte)] ^ (crc >> 8));
            u64::from(!crc)
        })
        .collect();
    Ok(Vector::uints(out, union_nulls(rows, &[a])))
}

/// 64 bits that differ from call to call (xorshift64*).
pub fn random_bits() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish() | 1);
    }
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

/// A number from 0 up to 1.
pub fn random_unit() -> f64 {
    (random_bits() >> 11) as f64 / (1u64 << 53) as f64
}
