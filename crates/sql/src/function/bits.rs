//! Bit operators: `& | ^ << >> ~` and BIT_COUNT.
//!
//! On numbers they work on 64-bit unsigned integers. On binary strings (columns, `_binary'..'`, what other
//! functions give, but not two bare hexadecimal literals) they work on all bits of strings of equal length.

use super::{Call, Function, Invocation, each_int, each_string};
use crate::error::SqlError;
use crate::expr::literal::number_of_bits;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Vector, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("&", (2, 2), "Bits that both have", bind_two, |r, a, n| {
        two(r, a, n, |x, y| x & y, |x, y| x & y)
    })
    .infix(),
    Function::new("|", (2, 2), "Bits that either has", bind_two, |r, a, n| {
        two(r, a, n, |x, y| x | y, |x, y| x | y)
    })
    .infix(),
    Function::new("^", (2, 2), "Bits that exactly one has", bind_two, |r, a, n| {
        two(r, a, n, |x, y| x ^ y, |x, y| x ^ y)
    })
    .infix(),
    Function::new("<<", (2, 2), "Bits moved to the left", bind_shift, |r, a, n| shift(r, a, n, true)).infix(),
    Function::new(">>", (2, 2), "Bits moved to the right", bind_shift, |r, a, n| shift(r, a, n, false))
        .infix(),
    Function::new("~", (1, 1), "All bits turned", bind_not, not),
    Function::new("bit_count", (1, 1), "Number of bits that are set", bind_count, count),
];

/// Whether an argument is a binary string, and whether it is a bare literal of digits or bits.
fn binary(call: &Call<'_>, at: usize) -> (bool, bool) {
    let literal = call.args.get(at).is_some_and(|a| number_of_bits(a).is_some());
    (call.class(at) == Class::Binary, literal)
}

fn to_number(call: &mut Call<'_>, at: usize) {
    if call.class(at) == Class::UInt && !call.ty(at).is_member() {
        return;
    }
    // Signed values keep their bits; what is larger than any signed one becomes the largest.
    call.to_integer(at);
    call.to(at, ExprType::uint(21));
}

fn numbers(call: &mut Call<'_>) -> ExprType {
    let nullable = call.nullable();
    for at in 0..call.count() {
        to_number(call, at);
    }
    ExprType::uint(21).with_nullable(nullable)
}

fn bind_two(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let ((first, literal), (second, also)) = (binary(call, 0), binary(call, 1));
    if first && second && !(literal && also) {
        let length = call.ty(0).length.max(call.ty(1).length);
        return Ok(ExprType::binary(length).with_nullable(call.nullable()));
    }
    Ok(numbers(call))
}

fn bind_shift(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if let (true, false) = binary(call, 0) {
        let (length, nullable) = (call.ty(0).length, call.nullable());
        to_number(call, 1);
        return Ok(ExprType::binary(length).with_nullable(nullable));
    }
    Ok(numbers(call))
}

fn bind_not(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if let (true, false) = binary(call, 0) {
        return Ok(ExprType::binary(call.ty(0).length).with_nullable(call.nullable()));
    }
    Ok(numbers(call))
}

fn bind_count(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let nullable = call.nullable();
    if binary(call, 0) != (true, false) {
        to_number(call, 0);
    }
    Ok(ExprType::int(21).with_nullable(nullable))
}

fn count(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    if run.arg_ty(0).is_some_and(|t| t.class() == Class::Binary) {
        return Ok(each_int(rows, |row| {
            let ones = || a.bytes(row).iter().map(|b| i64::from(b.count_ones())).sum();
            (!a.is_null(row)).then(ones)
        }));
    }
    let x = a.as_uints();
    let out = (0..rows).map(|row| i64::from(x.at(row).count_ones())).collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn two(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    of_numbers: fn(u64, u64) -> u64,
    of_bytes: fn(u8, u8) -> u8,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    if run.ty.class() == Class::Binary {
        return each_string(run, args, rows, |_, row, out| {
            let (x, y) = (a.bytes(row), b.bytes(row));
            if x.len() != y.len() {
                return Err(SqlError::bit_lengths());
            }
            out.extend(x.iter().zip(y).map(|(x, y)| of_bytes(*x, *y)));
            Ok(true)
        });
    }
    let (x, y) = (a.as_uints(), b.as_uints());
    let out = (0..rows).map(|row| of_numbers(x.at(row), y.at(row))).collect();
    Ok(Vector::uints(out, union_nulls(rows, &[a, b])))
}

/// Moves the bits of a string; what leaves it is lost.
fn moved(bytes: &[u8], by: u64, left: bool, out: &mut Vec<u8>) {
    let bits = (bytes.len() as u64).saturating_mul(8);
    if by >= bits {
        out.resize(out.len() + bytes.len(), 0);
        return;
    }
    let (whole, part) = ((by / 8) as usize, (by % 8) as u32);
    let at = |index: Option<usize>| index.and_then(|i| bytes.get(i)).map_or(0, |b| u16::from(*b));
    for index in 0..bytes.len() {
        let byte = if left {
            let pair = at(index.checked_add(whole)) << 8 | at(index.checked_add(whole + 1));
            (pair << part >> 8) as u8
        } else {
            let pair = at(index.checked_sub(whole + 1)) << 8 | at(index.checked_sub(whole));
            (pair >> part) as u8
        };
        out.push(byte);
    }
}

fn shift(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize, left: bool) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    if run.ty.class() == Class::Binary {
        return each_string(run, args, rows, |_, row, out| {
            moved(a.bytes(row), b.as_uints().at(row), left, out);
            Ok(true)
        });
    }
    let (x, y) = (a.as_uints(), b.as_uints());
    let one = |row: usize| match u32::try_from(y.at(row)) {
        Ok(by) if left => x.at(row).checked_shl(by).unwrap_or(0),
        Ok(by) => x.at(row).checked_shr(by).unwrap_or(0),
        Err(_) => 0,
    };
    Ok(Vector::uints((0..rows).map(one).collect(), union_nulls(rows, &[a, b])))
}

fn not(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    if run.ty.class() == Class::Binary {
        return each_string(run, args, rows, |_, row, out| {
            out.extend(a.bytes(row).iter().map(|b| !b));
            Ok(true)
        });
    }
    let x = a.as_uints();
    Ok(Vector::uints((0..rows).map(|row| !x.at(row)).collect(), union_nulls(rows, &[a])))
}

#[cfg(test)]
mod tests {
    #[test]
    fn bits_move_across_bytes() {
        let of = |bytes: &[u8], by, left| {
            let mut out = Vec::new();
            super::moved(bytes, by, left, &mut out);
            out
        };
        for by in 0..40u64 {
            let number = 0x8123_4567u32;
            let small = u32::try_from(by).unwrap();
            let left = number.checked_shl(small).unwrap_or(0);
            let right = number.checked_shr(small).unwrap_or(0);
            assert_eq!(of(&number.to_be_bytes(), by, true), left.to_be_bytes(), "left {by}");
            assert_eq!(of(&number.to_be_bytes(), by, false), right.to_be_bytes(), "right {by}");
        }
        assert_eq!(of(b"ab", u64::MAX, true), [0, 0]);
    }
}
