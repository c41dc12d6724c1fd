//! Bit operators: `& | ^ << >> ~` and BIT_COUNT, on 64-bit unsigned integers.
//!
//! Limit: MySQL 8 also has them for binary strings; those are calculated here as numbers.

use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Vector, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("&", (2, 2), "Bits that both have", bind, |r, a, n| two(r, a, n, |x, y| x & y)).infix(),
    Function::new("|", (2, 2), "Bits that either has", bind, |r, a, n| two(r, a, n, |x, y| x | y)).infix(),
    Function::new("^", (2, 2), "Bits that exactly one has", bind, |r, a, n| two(r, a, n, |x, y| x ^ y))
        .infix(),
    Function::new("<<", (2, 2), "Bits moved to the left", bind, |r, a, n| {
        two(r, a, n, |x, y| if y < 64 { x << y } else { 0 })
    })
    .infix(),
    Function::new(">>", (2, 2), "Bits moved to the right", bind, |r, a, n| {
        two(r, a, n, |x, y| if y < 64 { x >> y } else { 0 })
    })
    .infix(),
    Function::new("~", (1, 1), "All bits turned", bind, |r, a, n| one(r, a, n, |x| !x)),
    Function::new("bit_count", (1, 1), "Number of bits that are set", bind_count, |_, args, rows| {
        let [a] = args else { return Ok(Vector::null(rows)) };
        let x = a.as_uints();
        let out = (0..rows).map(|row| i64::from(x.at(row).count_ones())).collect();
        Ok(Vector::ints(out, union_nulls(rows, &[a])))
    }),
];

fn bind(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    for at in 0..call.count() {
        if call.class(at) != Class::UInt || call.ty(at).is_member() {
            call.to(at, ExprType::uint(21));
        }
    }
    Ok(ExprType::uint(21).with_nullable(call.nullable()))
}

fn bind_count(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    bind(call)?;
    Ok(ExprType::int(21).with_nullable(call.nullable()))
}

fn two(
    _: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(u64, u64) -> u64,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let (x, y) = (a.as_uints(), b.as_uints());
    Ok(Vector::uints((0..rows).map(|row| f(x.at(row), y.at(row))).collect(), union_nulls(rows, &[a, b])))
}

fn one(
    _: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(u64) -> u64,
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let x = a.as_uints();
    Ok(Vector::uints((0..rows).map(|row| f(x.at(row))).collect(), union_nulls(rows, &[a])))
}
