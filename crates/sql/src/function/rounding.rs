//! ROUND, TRUNCATE, CEILING, FLOOR: integers stay integers, decimals exact, doubles doubles.

use rustydb_value::{Decimal, ValueRef};

use super::math::{decimal_at, keep_kind};
use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Builder, Vector, union_nulls};
use crate::plan::estimate::constant_value;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "round",
        (1, 2),
        "Rounded half away from zero (doubles: half to even)",
        |c| bind_round(c, true),
        |r, a, n| round(r, a, n, true),
    ),
    Function::new(
        "truncate",
        (2, 2),
        "Cut towards zero",
        |c| bind_round(c, false),
        |r, a, n| round(r, a, n, false),
    ),
    Function::new("ceiling", (1, 1), "The smallest integer not below", bind_whole, |r, a, n| {
        whole(r, a, n, true)
    })
    .aliases(&["ceil"]),
    Function::new("floor", (1, 1), "The largest integer not above", bind_whole, |r, a, n| {
        whole(r, a, n, false)
    }),
];

fn bind_round(call: &mut Call<'_>, rounds: bool) -> Result<ExprType, SqlError> {
    let class = keep_kind(call, 0);
    let ty = call.ty(0);
    let mut digits = Some(0);
    if call.count() == 2 {
        call.to_length(1);
        digits = constant_digits(call);
    }
    let nullable = call.nullable();
    Ok(match class {
        Class::Double => ExprType::double(),
        Class::Decimal => {
            let (int, scale) = ty.digits();
            let kept = match digits {
                Some(d) => u8::try_from(d.clamp(0, 30)).unwrap_or(0).min(scale),
                None => scale,
            };
            // Rounding can carry into one more digit.
            let carry = u32::from(rounds && kept < scale);
            ExprType::decimal(int + carry + u32::from(kept), kept, ty.unsigned)
        }
        _ if ty.unsigned => ExprType::uint(21),
        _ => ExprType::int(21),
    }
    .with_nullable(nullable))
}

/// The digits to keep, if they are the same in every execution.
fn constant_digits(call: &Call<'_>) -> Option<i64> {
    let digits = call.args.get(1)?;
    let value = constant_value(digits, call.session).filter(|value| !value.is_null(0))?;
    match digits.ty.class() {
        Class::Int => Some(value.as_ints().at(0)),
        Class::UInt => Some(i64::try_from(value.as_uints().at(0)).unwrap_or(i64::MAX)),
        _ => None,
    }
}

fn round_double(value: f64, digits: i64, rounds: bool) -> f64 {
    let power = 10f64.powi(i32::try_from(digits.unsigned_abs().min(400)).unwrap_or(400));
    if digits >= 0 {
        let scaled = value * power;
        if !scaled.is_finite() {
            return value;
        }
        let whole = if rounds { scaled.round_ties_even() } else { scaled.trunc() };
        whole / power
    } else {
        if power.is_infinite() {
            return 0.0;
        }
        let scaled = value / power;
        (if rounds { scaled.round_ties_even() } else { scaled.trunc() }) * power
    }
}

/// An integer rounded to a power of ten; None if that does not fit.
fn round_integer(value: i128, digits: i64, rounds: bool) -> i128 {
    if digits >= 0 {
        return value;
    }
    let Some(power) = 10i128.checked_pow(u32::try_from(digits.unsigned_abs()).unwrap_or(u32::MAX)) else {
        return 0;
    };
    let cut = value / power * power;
    let rest = (value - cut).abs();
    if rounds && rest * 2 >= power { cut + if value < 0 { -power } else { power } } else { cut }
}

fn round(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    rounds: bool,
) -> Result<Vector, SqlError> {
    let Some(a) = args.first() else { return Ok(Vector::null(rows)) };
    let digits = args.get(1);
    let lengths = digits.map(|digits| run.lengths(digits, 1));
    let digits_at = |row: usize| lengths.as_ref().map_or(0, |digits| digits(row));
    let nulls = match digits {
        Some(d) => union_nulls(rows, &[a, d]),
        None => union_nulls(rows, &[a]),
    };
    let is_null = |row: usize| nulls.as_ref().is_some_and(|n| n.is_null(row));
    match run.ty.class() {
        Class::Double => {
            let x = a.as_doubles();
            let out = (0..rows).map(|row| round_double(x.at(row), digits_at(row), rounds)).collect();
            Ok(Vector::doubles(out, nulls))
        }
        Class::Decimal => {
            let Some(ty) = run.arg_ty(0).cloned() else { return Ok(Vector::null(rows)) };
            let mut out = Builder::of(run.ty, rows);
            for row in 0..rows {
                if is_null(row) {
                    out.push_null();
                    continue;
                }
                let value = decimal_at(a, row, &ty);
                let digits = digits_at(row);
                let left = u8::try_from(digits.unsigned_abs().min(80)).unwrap_or(80);
                let rounded = match (digits >= 0, rounds) {
                    (true, true) => value.round(left.min(ty.decimals)),
                    (true, false) => value.truncate(left.min(ty.decimals)),
                    (false, true) => value.round_left(left),
                    (false, false) => Ok(value.truncate_left(left)),
                };
                out.push(ValueRef::Decimal(rounded.map_err(|_| run.out_of_range())?));
            }
            Ok(out.finish())
        }
        class => {
            let mut out = Builder::of(run.ty, rows);
            for row in 0..rows {
                if is_null(row) {
                    out.push_null();
                    continue;
                }
                let value = if class == Class::UInt {
                    i128::from(a.as_uints().at(row))
                } else {
                    i128::from(a.as_ints().at(row))
                };
                let rounded = round_integer(value, digits_at(row), rounds);
                if class == Class::UInt {
                    out.push(ValueRef::UInt(u64::try_from(rounded).map_err(|_| run.out_of_range())?));
                } else {
                    out.push(ValueRef::Int(i64::try_from(rounded).map_err(|_| run.out_of_range())?));
                }
            }
            Ok(out.finish())
        }
    }
}

fn bind_whole(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let class = keep_kind(call, 0);
    let ty = call.ty(0);
    Ok(match class {
        Class::Double => ExprType::double(),
        Class::Decimal => {
            let (int, _) = ty.digits();
            // What surely fits 64 bits is given as an integer.
            if int < 18 {
                if ty.unsigned { ExprType::uint(21) } else { ExprType::int(21) }
            } else {
                ExprType::decimal(int + 1, 0, ty.unsigned)
            }
        }
        _ if ty.unsigned => ExprType::uint(21),
        _ => ExprType::int(21),
    }
    .with_nullable(ty.nullable))
}

fn whole(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize, up: bool) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let Some(ty) = run.arg_ty(0).cloned() else { return Ok(Vector::null(rows)) };
    match ty.class() {
        Class::Double => {
            let x = a.as_doubles();
            let out = (0..rows).map(|row| if up { x.at(row).ceil() } else { x.at(row).floor() }).collect();
            Ok(Vector::doubles(out, union_nulls(rows, &[a])))
        }
        Class::Decimal => {
            let mut out = Builder::of(run.ty, rows);
            for row in 0..rows {
                if a.is_null(row) {
                    out.push_null();
                    continue;
                }
                let value: Decimal = decimal_at(a, row, &ty);
                let value =
                    if up { value.ceiling() } else { value.floor() }.map_err(|_| run.out_of_range())?;
                match run.ty.class() {
                    Class::Int => out.push(ValueRef::Int(value.to_i64().map_err(|_| run.out_of_range())?)),
                    Class::UInt => out.push(ValueRef::UInt(value.to_u64().map_err(|_| run.out_of_range())?)),
                    _ => out.push(ValueRef::Decimal(value)),
                }
            }
            Ok(out.finish())
        }
        _ => Ok(a.clone()),
    }
}
