//! Strings: lengths, parts, padding, letters, HEX. What searches in strings is in [`super::string_search`].
//!
//! Positions and lengths count characters of text and bytes of binary strings. A result longer than
//! `max_allowed_packet` is NULL with a warning.

use super::comparison::MANY;
use super::{Call, Function, Invocation, StringWriter, any_null};
use crate::error::SqlError;
use crate::expr::BoundExpr;
use crate::expr::cast::chosen;
use crate::expr::types::{Class, Coercibility, ExprType, MAX_TEXT};
use crate::expr::vector::{Vector, union_nulls};
use rustydb_value::Collation;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("length", (1, 1), "Length in bytes", bind_length, length).aliases(&["octet_length"]),
    Function::new("bit_length", (1, 1), "Length in bits", bind_length, |r, a, n| {
        lengths(r, a, n, |b, _| b.len() * 8)
    }),
    Function::new("char_length", (1, 1), "Length in characters", bind_char_length, char_length)
        .aliases(&["character_length"]),
    Function::new(
        "concat",
        (1, MANY),
        "The arguments one after the other; NULL if any is NULL",
        bind_concat,
        concat,
    ),
    Function::new(
        "concat_ws",
        (2, MANY),
        "The arguments with the first one between them; NULLs are left out",
        bind_concat_ws,
        concat_ws,
    ),
    Function::new(
        "substring",
        (2, 3),
        "Part from a position (from 1, or from the end) and a length",
        bind_substring,
        substring,
    )
    .aliases(&["substr", "mid"]),
    Function::new("left", (2, 2), "The first characters", bind_part, |r, a, n| part(r, a, n, true)),
    Function::new("right", (2, 2), "The last characters", bind_part, |r, a, n| part(r, a, n, false)),
    Function::new("upper", (1, 1), "In capital letters", bind_same, |r, a, n| map(r, a, n, upper))
        .aliases(&["ucase"]),
    Function::new("lower", (1, 1), "In small letters", bind_same, |r, a, n| map(r, a, n, lower))
        .aliases(&["lcase"]),
    Function::new("reverse", (1, 1), "The characters backwards", bind_same, |r, a, n| map(r, a, n, reverse)),
    Function::new("trim", (1, 2), "Without spaces (or another text) at both ends", bind_trim, |r, a, n| {
        trim(r, a, n, true, true)
    }),
    Function::new("ltrim", (1, 2), "Without spaces at the beginning", bind_trim, |r, a, n| {
        trim(r, a, n, true, false)
    }),
    Function::new("rtrim", (1, 2), "Without spaces at the end", bind_trim, |r, a, n| {
        trim(r, a, n, false, true)
    }),
    Function::new("repeat", (2, 2), "The text so many times", bind_repeat, repeat),
    Function::new("space", (1, 1), "So many spaces", bind_space, space),
    Function::new("lpad", (3, 3), "Filled at the beginning to a length", bind_pad, |r, a, n| {
        pad(r, a, n, true)
    }),
    Function::new("rpad", (3, 3), "Filled at the end to a length", bind_pad, |r, a, n| pad(r, a, n, false)),
    Function::new("hex", (1, 1), "Hexadecimal digits of a number or of the bytes of a text", bind_hex, hex),
    Function::new("unhex", (1, 1), "The bytes of hexadecimal digits", bind_unhex, unhex),
    Function::new("ascii", (1, 1), "Number of the first byte", bind_code, ascii),
    Function::new("ord", (1, 1), "Number of the first character's bytes", bind_code, ord),
    Function::new("char", (1, MANY), "The bytes of numbers", bind_char, char_bytes),
    Function::new("quote", (1, 1), "As an SQL string literal", bind_quote, quote),
    Function::new("elt", (2, MANY), "The argument at a position", bind_elt, elt),
    Function::new("insert", (4, 4), "With a part replaced", bind_insert, insert),
];

/// The longest result, in bytes.
pub fn packet_limit(run: &Invocation<'_, '_>) -> usize {
    let _ = run;
    MAX_TEXT as usize
}

/// The most characters of a text of no known length, which MySQL takes to have 16 MiB.
pub fn longest(collation: Collation) -> u32 {
    (16 << 20) / collation.charset().max_bytes_per_char().max(1)
}

/// Warning 1301.
pub fn too_long(run: &mut Invocation<'_, '_>) {
    let limit = packet_limit(run);
    let name =
        if let crate::expr::Node::Call { function, .. } = &run.expr.node { function.name } else { "concat" };
    run.warn(SqlError::new(
        1301,
        b"HY000",
        format!("Result of {name}() was larger than max_allowed_packet ({limit}) - truncated"),
    ));
}

/// A text type in the collation of the arguments from `from` on.
pub fn text_result(call: &mut Call<'_>, from: usize, length: u32) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.combine_strings(from)?;
    Ok(typed(length, collation, coercibility, call.nullable()))
}

/// A string type, bytes if the collation is `binary`.
///
/// It may always be NULL: a result longer than a packet is.
pub fn typed(length: u32, collation: Collation, coercibility: Coercibility, _: bool) -> ExprType {
    ExprType::text(length.min(MAX_TEXT), collation, coercibility).with_nullable(true)
}

fn bind_char_length(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    Ok(ExprType::int(11).with_nullable(call.nullable()))
}

fn bind_length(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_encoded(0);
    Ok(ExprType::int(11).with_nullable(call.nullable()))
}

fn lengths(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(&[u8], bool) -> usize,
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let text = run.arg_ty(0).is_some_and(|t| t.class() == Class::Text);
    let out = (0..rows).map(|row| f(a.bytes(row), text) as i64).collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn length(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    lengths(run, args, rows, |bytes, _| bytes.len())
}

/// Characters of UTF-8: bytes that do not continue one.
fn count_chars(bytes: &[u8], text: bool) -> usize {
    if text { bytes.iter().filter(|b| **b & 0xc0 != 0x80).count() } else { bytes.len() }
}

fn char_length(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    lengths(run, args, rows, count_chars)
}

fn bind_concat(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.combine_strings(0)?;
    let length = call.args.iter().fold(0u32, |sum, a| sum.saturating_add(a.ty.length));
    Ok(typed(length, collation, coercibility, call.nullable()))
}

fn concat(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let limit = packet_limit(run);
    let mut out = StringWriter::new(run.ty, rows, limit);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        for arg in args {
            out.buffer.extend_from_slice(arg.bytes(row));
        }
        if out.buffer.len() > limit {
            too_long(run);
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_concat_ws(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.combine_strings(0)?;
    let separator = call.ty(0).length;
    let between = u32::try_from(call.count().saturating_sub(2)).unwrap_or(0);
    let texts = call.args.iter().skip(1).fold(0u32, |sum, a| sum.saturating_add(a.ty.length));
    let nullable = call.ty(0).nullable;
    Ok(typed(texts.saturating_add(separator.saturating_mul(between)), collation, coercibility, nullable))
}

fn concat_ws(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some((separator, texts)) = args.split_first() else { return Ok(Vector::null(rows)) };
    let limit = packet_limit(run);
    let mut out = StringWriter::new(run.ty, rows, limit);
    for row in 0..rows {
        if separator.is_null(row) {
            out.push_null();
            continue;
        }
        let mut first = true;
        for text in texts.iter().filter(|t| !t.is_null(row)) {
            if !first {
                out.buffer.extend_from_slice(separator.bytes(row));
            }
            first = false;
            out.buffer.extend_from_slice(text.bytes(row));
        }
        if out.buffer.len() > limit {
            too_long(run);
        }
        out.end_row();
    }
    Ok(out.finish())
}

/// The bytes of characters `from` (from 0) to `from + count`.
fn slice_chars(bytes: &[u8], text: bool, from: usize, count: usize) -> &[u8] {
    if !text || bytes.is_ascii() {
        let start = from.min(bytes.len());
        return bytes.get(start..start.saturating_add(count).min(bytes.len())).unwrap_or(&[]);
    }
    let mut starts =
        bytes.iter().enumerate().filter(|(_, b)| **b & 0xc0 != 0x80).map(|(at, _)| at).skip(from);
    let Some(start) = starts.next() else { return &[] };
    if count == 0 {
        return &[];
    }
    let end = starts.nth(count - 1).unwrap_or(bytes.len());
    bytes.get(start..end).unwrap_or(&[])
}

fn bind_substring(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.combine(0, 1)?;
    let mut length = call.ty(0).length;
    if let Some(from) = call.constant_int(1) {
        let from = u32::try_from(from.unsigned_abs()).unwrap_or(u32::MAX);
        length = match call.constant_int(1) {
            Some(0) => 0,
            Some(f) if f < 0 => from.min(length),
            _ => length.saturating_sub(from.saturating_sub(1)),
        };
    }
    if let Some(count) = call.constant_int(2) {
        length = length.min(u32::try_from(count.max(0)).unwrap_or(u32::MAX));
    }
    for at in 1..call.count() {
        call.to_length(at);
    }
    Ok(typed(length, collation, coercibility, call.nullable()))
}

fn substring(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let (Some(source), Some(position)) = (args.first(), args.get(1)) else { return Ok(Vector::null(rows)) };
    let position = run.lengths(position, 1);
    let count = args.get(2).map(|count| run.lengths(count, 2));
    let text = run.ty.class() == Class::Text;
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let bytes = source.bytes(row);
        let total = count_chars(bytes, text) as i64;
        let position = position(row);
        let count = count.as_ref().map_or(i64::MAX, |count| count(row));
        let start = if position < 0 { total.saturating_add(position) } else { position - 1 };
        if count <= 0 || start < 0 || start >= total {
            out.push(b"");
            continue;
        }
        out.push(slice_chars(bytes, text, start as usize, usize::try_from(count).unwrap_or(usize::MAX)));
    }
    Ok(out.finish())
}

fn bind_part(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.combine(0, 1)?;
    let mut length = call.ty(0).length;
    if let Some(count) = call.constant_int(1) {
        length = length.min(u32::try_from(count.max(0)).unwrap_or(u32::MAX));
    }
    call.to_length(1);
    Ok(typed(length, collation, coercibility, call.nullable()))
}

fn part(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize, first: bool) -> Result<Vector, SqlError> {
    let [source, count] = args else { return Ok(Vector::null(rows)) };
    let count = run.lengths(count, 1);
    let text = run.ty.class() == Class::Text;
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let bytes = source.bytes(row);
        let count = usize::try_from(count(row)).unwrap_or(0);
        let from = if first { 0 } else { count_chars(bytes, text).saturating_sub(count) };
        out.push(slice_chars(bytes, text, from, count));
    }
    Ok(out.finish())
}

fn bind_same(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let length = {
        call.to_string(0);
        call.ty(0).length
    };
    text_result(call, 0, length)
}

/// A function of one string: `f` appends the answer for text, or for bytes.
fn map(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(Result<&str, &[u8]>, &mut Vec<u8>),
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let text = run.ty.class() == Class::Text;
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if a.is_null(row) {
            out.push_null();
            continue;
        }
        if text {
            f(Ok(a.text(row)), &mut out.buffer);
        } else {
            f(Err(a.bytes(row)), &mut out.buffer);
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn upper(source: Result<&str, &[u8]>, out: &mut Vec<u8>) {
    match source {
        Ok(text) if text.is_ascii() => out.extend(text.bytes().map(|b| b.to_ascii_uppercase())),
        // One character stays one: MySQL does not make ß two letters.
        Ok(text) => {
            let mut one = [0u8; 4];
            for c in text.chars() {
                let mut mapped = c.to_uppercase();
                let up = match (mapped.next(), mapped.next()) {
                    (Some(single), None) => single,
                    _ => c,
                };
                out.extend_from_slice(up.encode_utf8(&mut one).as_bytes());
            }
        }
        // Letters of binary strings have no case.
        Err(bytes) => out.extend_from_slice(bytes),
    }
}

fn lower(source: Result<&str, &[u8]>, out: &mut Vec<u8>) {
    match source {
        Ok(text) if text.is_ascii() => out.extend(text.bytes().map(|b| b.to_ascii_lowercase())),
        Ok(text) => {
            let mut one = [0u8; 4];
            for c in text.chars() {
                let mut mapped = c.to_lowercase();
                let low = match (mapped.next(), mapped.next()) {
                    (Some(single), None) => single,
                    _ => c,
                };
                out.extend_from_slice(low.encode_utf8(&mut one).as_bytes());
            }
        }
        Err(bytes) => out.extend_from_slice(bytes),
    }
}

fn reverse(source: Result<&str, &[u8]>, out: &mut Vec<u8>) {
    match source {
        Ok(text) => {
            let mut one = [0u8; 4];
            for c in text.chars().rev() {
                out.extend_from_slice(c.encode_utf8(&mut one).as_bytes());
            }
        }
        Err(bytes) => out.extend(bytes.iter().rev()),
    }
}

fn bind_trim(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let places: Vec<usize> = (0..call.count()).collect();
    let (collation, coercibility) = call.follow(&places);
    Ok(typed(call.ty(0).length, collation, coercibility, call.nullable()))
}

fn trim(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    front: bool,
    back: bool,
) -> Result<Vector, SqlError> {
    let Some(source) = args.first() else { return Ok(Vector::null(rows)) };
    let remove = args.get(1);
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let mut bytes = source.bytes(row);
        let cut: &[u8] = remove.map_or(b" ", |r| r.bytes(row));
        if !cut.is_empty() {
            while front && let Some(rest) = bytes.strip_prefix(cut) {
                bytes = rest;
            }
            while back && let Some(rest) = bytes.strip_suffix(cut) {
                bytes = rest;
            }
        }
        out.push(bytes);
    }
    Ok(out.finish())
}

fn bind_repeat(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.combine(0, 1)?;
    let length = match call.constant_int(1) {
        Some(count) => call.ty(0).length.saturating_mul(u32::try_from(count.max(0)).unwrap_or(u32::MAX)),
        None => u32::MAX,
    };
    call.to_int(1);
    Ok(typed(length.min(longest(collation)), collation, coercibility, call.nullable()))
}

fn repeat(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [source, count] = args else { return Ok(Vector::null(rows)) };
    let limit = packet_limit(run);
    let mut out = StringWriter::new(run.ty, rows, limit);
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let bytes = source.bytes(row);
        let count = usize::try_from(count.as_ints().at(row)).unwrap_or(0);
        if bytes.len().saturating_mul(count) > limit {
            too_long(run);
            out.push_null();
            continue;
        }
        for _ in 0..count {
            out.buffer.extend_from_slice(bytes);
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_space(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let collation = call.session.settings.collation_connection;
    let most = longest(collation);
    let length = match call.class(0) {
        Class::Null => 0,
        _ => call.constant_int(0).map_or(most, |n| u32::try_from(n.max(0)).unwrap_or(most)).min(most),
    };
    call.to_length(0);
    Ok(typed(length, collation, Coercibility::Coercible, call.nullable()))
}

fn space(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [count] = args else { return Ok(Vector::null(rows)) };
    let limit = packet_limit(run);
    let length = run.lengths(count, 0);
    let mut out = StringWriter::new(run.ty, rows, limit);
    for row in 0..rows {
        let wanted = usize::try_from(length(row)).unwrap_or(0);
        if count.is_null(row) || wanted > limit {
            out.push_null();
            continue;
        }
        out.buffer.resize(wanted, b' ');
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_pad(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.follow(&[0, 2]);
    let longest = longest(collation);
    let length = call.constant_int(1).map_or(longest, |n| u32::try_from(n.max(0)).unwrap_or(longest));
    call.to_int(1);
    Ok(typed(length.min(longest), collation, coercibility, true))
}

fn pad(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize, front: bool) -> Result<Vector, SqlError> {
    let [source, length, filler] = args else { return Ok(Vector::null(rows)) };
    let text = run.ty.class() == Class::Text;
    let limit = packet_limit(run);
    let mut out = StringWriter::new(run.ty, rows, limit);
    for row in 0..rows {
        let Ok(wanted) = usize::try_from(length.as_ints().at(row)) else {
            out.push_null();
            continue;
        };
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let bytes = source.bytes(row);
        let have = count_chars(bytes, text);
        if have >= wanted {
            out.push(slice_chars(bytes, text, 0, wanted));
            continue;
        }
        let fill = filler.bytes(row);
        let unit = count_chars(fill, text);
        if unit == 0 {
            out.push(bytes);
            continue;
        }
        let missing = wanted - have;
        // What could take more than a packet is NULL, whatever it takes.
        let widest = if text { run.ty.collation.charset().max_bytes_per_char() as usize } else { 1 };
        let room = fill.len().saturating_mul(missing / unit + 1).saturating_add(bytes.len());
        if wanted.saturating_mul(widest) > limit || room > limit {
            too_long(run);
            out.push_null();
            continue;
        }
        if !front {
            out.buffer.extend_from_slice(bytes);
        }
        for _ in 0..missing / unit {
            out.buffer.extend_from_slice(fill);
        }
        out.buffer.extend_from_slice(slice_chars(fill, text, 0, missing % unit));
        if front {
            out.buffer.extend_from_slice(bytes);
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_hex(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let collation = call.session.settings.collation_connection;
    let ty = call.ty(0);
    let length = if ty.is_string() || ty.class().is_temporal() {
        call.to_encoded(0);
        let widest = if call.class(0) == Class::Text { 4 } else { 1 };
        call.ty(0).length.saturating_mul(2 * widest)
    } else if ty.kind == crate::expr::Kind::Null {
        call.to_string(0);
        0
    } else {
        if ty.class() != Class::UInt {
            // Larger than any signed number becomes the largest.
            call.to_integer(0);
            call.to(0, ExprType::uint(21));
        }
        16
    };
    Ok(typed(length, collation, Coercibility::Coercible, call.nullable()))
}

fn hex(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let [a] = args else { return Ok(Vector::null(rows)) };
    let number = run.arg_ty(0).is_some_and(|t| t.class() == Class::UInt);
    let mut out = StringWriter::new(run.ty, rows, packet_limit(run));
    for row in 0..rows {
        if a.is_null(row) {
            out.push_null();
            continue;
        }
        if number {
            out.buffer.extend_from_slice(format!("{:X}", a.as_uints().at(row)).as_bytes());
        } else {
            for byte in a.bytes(row) {
                out.buffer.push(DIGITS[usize::from(byte >> 4)]);
                out.buffer.push(DIGITS[usize::from(byte & 15)]);
            }
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_unhex(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    let widest = if call.class(0) == Class::Text { 4 } else { 1 };
    Ok(ExprType::binary(call.ty(0).length.saturating_mul(widest).div_ceil(2)))
}

fn unhex(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    'rows: for row in 0..rows {
        if a.is_null(row) {
            out.push_null();
            continue;
        }
        let digits = a.bytes(row);
        let mut half = if digits.len() % 2 == 1 { Some(0u8) } else { None };
        for byte in digits {
            let Some(digit) = char::from(*byte).to_digit(16) else {
                let shown = format!("'{}", crate::expr::coerce::shorten(digits));
                run.warn(SqlError::wrong_value_for_type("string", format_args!("{shown}'"), "unhex"));
                out.push_null();
                continue 'rows;
            };
            match half.take() {
                Some(high) => out.buffer.push(high << 4 | digit as u8),
                None => half = Some(digit as u8),
            }
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_code(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_encoded(0);
    let length = if call.function.name == "ascii" { 4 } else { 21 };
    Ok(ExprType::int(length).with_nullable(call.nullable()))
}

fn ascii(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let out = (0..rows).map(|row| a.bytes(row).first().map_or(0, |b| i64::from(*b))).collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn ord(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let text = run.arg_ty(0).is_some_and(|t| t.class() == Class::Text);
    let out = (0..rows)
        .map(|row| slice_chars(a.bytes(row), text, 0, 1).iter().fold(0i64, |n, b| n << 8 | i64::from(*b)))
        .collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn bind_char(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let count = u32::try_from(call.count()).unwrap_or(1);
    for at in 0..call.count() {
        call.to_int(at);
    }
    Ok(ExprType::binary(count.saturating_mul(4)))
}

fn char_bytes(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        for arg in args.iter().filter(|a| !a.is_null(row)) {
            let bytes = (arg.as_ints().at(row) as u32).to_be_bytes();
            let skip = bytes.iter().take(3).take_while(|b| **b == 0).count();
            out.buffer.extend_from_slice(bytes.get(skip..).unwrap_or(&[]));
        }
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_quote(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    let length = call.ty(0).length.saturating_mul(2).saturating_add(2);
    let ty = text_result(call, 0, length)?;
    // Of a NULL it is the word.
    Ok(match ty.coercibility {
        Coercibility::Ignorable => {
            typed(length, call.session.settings.collation_connection, Coercibility::Ignorable, true)
        }
        _ => ty,
    })
}

fn quote(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, packet_limit(run));
    for row in 0..rows {
        if a.is_null(row) {
            out.push(b"NULL");
            continue;
        }
        out.buffer.push(b'\'');
        for byte in a.bytes(row) {
            match byte {
                b'\'' | b'\\' => out.buffer.extend_from_slice(&[b'\\', *byte]),
                0 => out.buffer.extend_from_slice(b"\\0"),
                0x1a => out.buffer.extend_from_slice(b"\\Z"),
                other => out.buffer.push(*other),
            }
        }
        out.buffer.push(b'\'');
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_elt(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    for arg in call.args.iter_mut().skip(1) {
        let ty = arg.ty.clone();
        if ty.class().is_string() {
            let taken = std::mem::replace(arg, BoundExpr::null());
            *arg = chosen(taken, &ty);
        }
    }
    let (collation, coercibility) = call.combine_strings(1)?;
    let length = call.args.iter().skip(1).map(|a| a.ty.length).max().unwrap_or(0);
    Ok(typed(length, collation, coercibility, true))
}

fn elt(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some((index, texts)) = args.split_first() else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        let at = if index.is_null(row) {
            None
        } else {
            usize::try_from(index.as_ints().at(row).saturating_sub(1)).ok()
        };
        match at.and_then(|at| texts.get(at)).filter(|t| !t.is_null(row)) {
            Some(text) => out.push(text.bytes(row)),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn bind_insert(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, coercibility) = call.follow(&[0, 3]);
    call.to_int(1);
    call.to_int(2);
    let length = call.ty(0).length.saturating_add(call.ty(3).length);
    Ok(typed(length, collation, coercibility, call.nullable()))
}

fn insert(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [source, position, length, new] = args else { return Ok(Vector::null(rows)) };
    let text = run.ty.class() == Class::Text;
    let mut out = StringWriter::new(run.ty, rows, packet_limit(run));
    for row in 0..rows {
        if any_null(args, row) {
            out.push_null();
            continue;
        }
        let bytes = source.bytes(row);
        let total = count_chars(bytes, text);
        let from = usize::try_from(position.as_ints().at(row)).unwrap_or(0);
        if from == 0 || from > total {
            out.push(bytes);
            continue;
        }
        let cut = usize::try_from(length.as_ints().at(row)).unwrap_or(usize::MAX).min(total - from + 1);
        out.buffer.extend_from_slice(slice_chars(bytes, text, 0, from - 1));
        out.buffer.extend_from_slice(new.bytes(row));
        out.buffer.extend_from_slice(slice_chars(bytes, text, from - 1 + cut, usize::MAX));
        out.end_row();
    }
    Ok(out.finish())
}
