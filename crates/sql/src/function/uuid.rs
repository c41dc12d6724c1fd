//! Universally unique identifiers: UUID, UUID_SHORT, IS_UUID, UUID_TO_BIN, BIN_TO_UUID.
//!
//! UUID gives version 1: the time, and a node that this process made up. The swapped form of the two
//! converters puts the slowly changing part of the time first, so that new keys of an index lie together.

use rustydb_value::{Collation, ValueRef};

use super::digest::random_bits;
use super::{Call, Function, Invocation, StringWriter, each_int, each_string};
use crate::error::SqlError;
use crate::expr::types::{Coercibility, ExprType};
use crate::expr::vector::{Builder, Vector};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("uuid", (0, 0), "A new universally unique identifier (version 1)", bind_uuid, uuid)
        .volatile(),
    Function::new(
        "uuid_short",
        (0, 0),
        "A number that no other call on this server gives",
        |_| Ok(ExprType::uint(21).not_null()),
        uuid_short,
    )
    .volatile(),
    Function::new("is_uuid", (1, 1), "Whether a text is an identifier", bind_is, is_uuid),
    Function::new("uuid_to_bin", (1, 2), "The 16 bytes of an identifier", bind_to_bin, to_bin),
    Function::new("bin_to_uuid", (1, 2), "The identifier of 16 bytes", bind_to_text, to_text),
];

/// The bytes of an identifier: 32 hexadecimal digits, plain, or with dashes, or with dashes and braces.
fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let inner = match text.len() {
        32 | 36 => text,
        38 if text.first() == Some(&b'{') && text.last() == Some(&b'}') => text.get(1..37)?,
        _ => return None,
    };
    let dashed = inner.len() == 36;
    let mut out = [0u8; 16];
    let mut digits = 0;
    for (at, byte) in inner.iter().enumerate() {
        if dashed && matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(*byte).to_digit(16)? as u8;
        let slot = out.get_mut(digits / 2)?;
        *slot = *slot << 4 | digit;
        digits += 1;
    }
    (digits == 32).then_some(out)
}

/// Moves the high part of the time to the front.
fn swap(b: [u8; 16]) -> [u8; 16] {
    let mut out = b;
    out[0..2].copy_from_slice(&b[6..8]);
    out[2..4].copy_from_slice(&b[4..6]);
    out[4..8].copy_from_slice(&b[0..4]);
    out
}

/// The opposite of [`swap`].
fn swap_back(b: [u8; 16]) -> [u8; 16] {
    let mut out = b;
    out[0..4].copy_from_slice(&b[4..8]);
    out[4..6].copy_from_slice(&b[2..4]);
    out[6..8].copy_from_slice(&b[0..2]);
    out
}

fn bind_is(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    Ok(ExprType::boolean())
}

fn is_uuid(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    Ok(each_int(rows, |row| (!a.is_null(row)).then(|| i64::from(parse(a.bytes(row)).is_some()))))
}

fn bind_to_bin(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    if call.count() == 2 {
        call.to_int(1);
    }
    Ok(ExprType::binary(16))
}

fn swapped(args: &[Vector], row: usize) -> bool {
    args.get(1).is_some_and(|flag| !flag.is_null(row) && flag.as_ints().at(row) != 0)
}

fn wrong(bytes: &[u8], function: &str) -> SqlError {
    SqlError::wrong_value_for_type("string", crate::expr::coerce::shorten(bytes), function)
}

fn to_bin(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    each_string(run, std::slice::from_ref(a), rows, |_, row, out| {
        let bytes = parse(a.bytes(row)).ok_or_else(|| wrong(a.bytes(row), "uuid_to_bin"))?;
        out.extend_from_slice(&if swapped(args, row) { swap(bytes) } else { bytes });
        Ok(true)
    })
}

fn bind_to_text(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    if call.count() == 2 {
        call.to_int(1);
    }
    Ok(ExprType::text(36, call.session.settings.collation_connection, Coercibility::Coercible))
}

fn to_text(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    each_string(run, std::slice::from_ref(a), rows, |_, row, out| {
        let given = a.bytes(row);
        let bytes: [u8; 16] = given.try_into().map_err(|_| wrong(given, "bin_to_uuid"))?;
        let bytes = if swapped(args, row) { swap_back(bytes) } else { bytes };
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.push(b'-');
            }
            out.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        Ok(true)
    })
}

fn uuid_short(run: &mut Invocation<'_, '_>, _: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    use std::sync::atomic::{AtomicU64, Ordering};
    /// The last number; it begins with the time, as MySQL's begins with that of the server's start.
    static LAST: AtomicU64 = AtomicU64::new(0);
    let begin = (run.context.session.clock().wall_micros() / 1_000_000) << 24;
    let mut out = Builder::of(run.ty, rows);
    for _ in 0..rows {
        let next = |last: u64| begin.max(last + 1);
        let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        out.push(ValueRef::UInt(next(before.unwrap_or(0))));
    }
    Ok(out.finish())
}

fn bind_uuid(_: &mut Call<'_>) -> Result<ExprType, SqlError> {
    Ok(ExprType::text(36, Collation::default(), Coercibility::Coercible))
}

fn uuid(run: &mut Invocation<'_, '_>, _: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    use std::sync::atomic::{AtomicU64, Ordering};
    /// Ticks of the last identifier of the process, so that no two are alike.
    static LAST: AtomicU64 = AtomicU64::new(0);
    /// 100 ns intervals from 1582-10-15 to 1970-01-01.
    const GREGORIAN: u64 = 0x01b2_1dd2_1381_4000;
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    let now = run.context.session.clock().wall_micros().wrapping_mul(10).wrapping_add(GREGORIAN);
    for _ in 0..rows {
        let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        let ticks = before.map_or(now, |last| now.max(last + 1));
        let node = node_id();
        let text = format!(
            "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}",
            ticks as u32,
            (ticks >> 32) as u16,
            (ticks >> 48) & 0xfff,
            (node >> 48) as u16 & 0x3fff | 0x8000,
            node & 0xffff_ffff_ffff | 0x0100_0000_0000,
        );
        out.push(text.as_bytes());
    }
    Ok(out.finish())
}

/// A random node and clock sequence of this process (with the multicast bit, as RFC 9562 asks).
fn node_id() -> u64 {
    static NODE: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *NODE.get_or_init(random_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_of_writing_one() {
        let bytes = parse(b"6ccd780c-baba-1026-9564-5b8c656024db").unwrap();
        assert_eq!(parse(b"{6CCD780C-baba-1026-9564-5b8c656024db}"), Some(bytes));
        assert_eq!(parse(b"6ccd780cbaba102695645b8c656024db"), Some(bytes));
        assert_eq!(swap_back(swap(bytes)), bytes);
        assert_eq!(swap(bytes)[..4], [0x10, 0x26, 0xba, 0xba]);
        for wrong in [
            "",
            "6ccd780c",
            "6ccd780cbaba1026-95645b8c656024db12-x",
            "(6ccd780c-baba-1026-9564-5b8c656024db)",
        ] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
