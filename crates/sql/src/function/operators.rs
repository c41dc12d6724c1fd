//! Arithmetic operators: `+ - * / DIV %` and the sign.
//!
//! The class of the result is that of the wider operand: DOUBLE if one is a double or a string, DECIMAL
//! if one is a decimal (or a time with a fraction), else an integer, unsigned if one is. Integers are
//! exact: what does not fit 64 bits is error 1690. Division by zero is NULL with warning 1365.

use arrow_buffer::i256;
use rustydb_value::Decimal;

use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::average::precise;
use crate::expr::decimals as narrow;
use crate::expr::number::{decimal_from_i256, power_of_ten, rescale};
use crate::expr::types::{Class, DIVISION_SCALE, ExprType, MAX_PRECISION, MAX_SCALE, NOT_FIXED};
use crate::expr::vector::{Builder, Vector, nulls_from, union_nulls};
use crate::expr::{BoundExpr, Coercibility, Kind, Node};
use crate::variables::SqlMode;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("+", (2, 2), "Sum", bind_add, add).infix(),
    Function::new("-", (2, 2), "Difference", bind_subtract, subtract).infix(),
    Function::new("*", (2, 2), "Product", bind_multiply, multiply).infix(),
    Function::new("/", (2, 2), "Quotient, with four more digits after the point", bind_divide, divide)
        .infix(),
    Function::new("div", (2, 2), "Integer part of the quotient", bind_div, div).infix(),
    Function::new("%", (2, 2), "Remainder, with the sign of the dividend", bind_mod, modulo)
        .infix()
        .aliases(&["mod"]),
    Function::new("neg", (1, 1), "The number with the opposite sign", bind_negate, negate),
];

/// The class in which the operands are calculated. A NULL without a type counts as a DOUBLE, as in MySQL; a marker
/// that nothing has given a type yet does not.
fn numeric_class(call: &Call<'_>) -> Class {
    let one = |arg: &BoundExpr| match arg.ty.kind {
        Kind::Null if !matches!(arg.node, Node::Parameter(_)) => Class::Double,
        _ => number_class(&arg.ty),
    };
    wider(call.args.iter().map(one))
}

/// The class in which a value is calculated.
fn number_class(ty: &ExprType) -> Class {
    match ty.class() {
        Class::Text | Class::Binary | Class::Double => Class::Double,
        _ if ty.is_member() => Class::Double,
        Class::Decimal => Class::Decimal,
        Class::Time | Class::DateTime if ty.decimals > 0 => Class::Decimal,
        _ => Class::Int,
    }
}

/// Digits before the point and behind it, of what has a number of them: a DOUBLE as well, where it comes of NULLs that are
/// written, whose type says nothing. A column of NULLs is a text.
pub(super) fn fixed_digits(arg: &BoundExpr) -> Option<(u32, u8)> {
    match arg.ty.kind {
        Kind::Null => {
            let unknown = |e: &BoundExpr| {
                e.ty.kind == Kind::Null
                    && matches!(e.node, Node::Column(_) | Node::Outer(_) | Node::Parameter(_))
            };
            (!arg.any(&mut |e| unknown(e))).then_some((0, 0))
        }
        Kind::Double | Kind::Float if arg.ty.decimals < NOT_FIXED => {
            let point = u32::from(arg.ty.decimals > 0);
            Some((arg.ty.length.saturating_sub(u32::from(arg.ty.decimals) + point), arg.ty.decimals))
        }
        _ if number_class(&arg.ty) == Class::Double => None,
        _ => Some(arg.ty.digits()),
    }
}

/// The same of both operands.
fn fixed_operands(call: &Call<'_>) -> Option<[(u32, u8); 2]> {
    let [a, b] = call.args.as_slice() else { return None };
    Some([fixed_digits(a)?, fixed_digits(b)?])
}

/// A DOUBLE of so many digits, or of as many as it needs.
pub(super) fn double_of(digits: Option<(u32, u8)>) -> ExprType {
    match digits {
        Some((int, scale)) => {
            let point = u32::from(int > 0 && scale > 0);
            ExprType { length: int + u32::from(scale) + point, decimals: scale, ..ExprType::double() }
        }
        None => ExprType::double(),
    }
}

fn wider(classes: impl Iterator<Item = Class>) -> Class {
    classes.fold(Class::Int, |wide, class| match (wide, class) {
        (Class::Double, _) | (_, Class::Double) => Class::Double,
        (Class::Decimal, _) | (_, Class::Decimal) => Class::Decimal,
        _ => Class::Int,
    })
}

/// Brings both arguments to the class; integers stay signed or unsigned as they are.
fn coerce_operands(call: &mut Call<'_>, class: Class) {
    for at in 0..call.count() {
        match class {
            Class::Double => call.to_double(at),
            Class::Decimal => {
                let (int, scale) = call.ty(at).digits();
                let unsigned = call.ty(at).unsigned;
                if call.class(at) != Class::Decimal {
                    call.to(at, ExprType::decimal(int + u32::from(scale), scale, unsigned));
                } else if let Some(arg) = call.args.get_mut(at) {
                    *arg = precise(std::mem::replace(arg, BoundExpr::null()));
                }
            }
            _ => call.to_integer(at),
        }
    }
}

fn result(call: &Call<'_>, ty: ExprType) -> ExprType {
    ExprType { coercibility: Coercibility::Numeric, ..ty.with_nullable(call.nullable()) }
}

fn integer_type(digits: u32, unsigned: bool) -> ExprType {
    if unsigned { ExprType::uint(digits) } else { ExprType::int(digits + 1) }
}

fn bind_sum(call: &mut Call<'_>, unsigned: bool) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let (a, b) = (call.ty(0), call.ty(1));
    let class = numeric_class(call);
    let fixed = fixed_operands(call);
    let ((ai, asc), (bi, bsc)) = (a.digits(), b.digits());
    coerce_operands(call, class);
    Ok(result(
        call,
        match class {
            Class::Double => {
                double_of(fixed.map(|[(ai, asc), (bi, bsc)]| {
                    ((ai.max(bi) + 1) * u32::from(ai.max(bi) > 0), asc.max(bsc))
                }))
            }
            Class::Decimal => {
                let scale = asc.max(bsc);
                ExprType::decimal(ai.max(bi) + 1 + u32::from(scale), scale, a.unsigned && b.unsigned)
            }
            _ => integer_type(ai.max(bi) + 1, unsigned),
        },
    ))
}

fn bind_add(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let unsigned = call.ty(0).unsigned || call.ty(1).unsigned;
    bind_sum(call, unsigned)
}

fn bind_subtract(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let unsigned = (call.ty(0).unsigned || call.ty(1).unsigned)
        && !call.session.settings.sql_mode.has(SqlMode::NO_UNSIGNED_SUBTRACTION);
    bind_sum(call, unsigned)
}

fn bind_multiply(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let (a, b) = (call.ty(0), call.ty(1));
    let class = numeric_class(call);
    let fixed = fixed_operands(call);
    let ((ai, asc), (bi, bsc)) = (a.digits(), b.digits());
    coerce_operands(call, class);
    let unsigned = a.unsigned || b.unsigned;
    Ok(result(
        call,
        match class {
            Class::Double => double_of(fixed.map(|[(ai, asc), (bi, bsc)]| (ai + bi, asc.max(bsc)))),
            Class::Decimal => {
                let scale = asc.saturating_add(bsc).min(MAX_SCALE);
                ExprType::decimal(ai + bi + u32::from(scale), scale, a.unsigned && b.unsigned)
            }
            _ => integer_type(ai + bi, unsigned),
        },
    ))
}

fn bind_divide(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let (a, b) = (call.ty(0), call.ty(1));
    let ((ai, asc), (_, bsc)) = (a.digits(), b.digits());
    if numeric_class(call) == Class::Double {
        let fixed = fixed_operands(call);
        coerce_operands(call, Class::Double);
        return Ok(double_of(fixed.map(|[(ai, asc), (_, bsc)]| {
            (ai + u32::from(asc > 0), asc.max(bsc).saturating_add(DIVISION_SCALE).min(MAX_SCALE))
        })));
    }
    coerce_operands(call, Class::Decimal);
    let scale = asc.saturating_add(DIVISION_SCALE).min(MAX_SCALE);
    let precision = ai + u32::from(asc) + u32::from(DIVISION_SCALE) + u32::from(bsc);
    Ok(ExprType::decimal(precision, scale, a.unsigned && b.unsigned))
}

fn bind_div(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let (a, b) = (call.ty(0), call.ty(1));
    let whole = wider([&a, &b].into_iter().map(number_class)) == Class::Int;
    let class = if whole { Class::Int } else { Class::Decimal };
    let (digits, _) = digits_of(&a);
    let (_, scale) = digits_of(&b);
    for at in 0..2 {
        // A DOUBLE is divided as the DECIMAL that it shows.
        if class == Class::Decimal && call.class(at) == Class::Double {
            call.to(at, ExprType::decimal(MAX_PRECISION, MAX_SCALE, false));
        }
    }
    coerce_operands(call, class);
    // A small divisor makes a large quotient.
    Ok(integer_type(digits.saturating_add(scale).min(21), a.unsigned || b.unsigned).with_nullable(true))
}

/// Digits before the point of a dividend, and behind it of a divisor; a text may have as many as it is long.
fn digits_of(ty: &ExprType) -> (u32, u32) {
    match ty.class() {
        Class::Text | Class::Binary => (ty.length, ty.length),
        Class::Double => (u32::from(NOT_FIXED), u32::from(NOT_FIXED)),
        _ => {
            let (int, scale) = ty.digits();
            (int, u32::from(scale))
        }
    }
}

fn bind_mod(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let (a, b) = (call.ty(0), call.ty(1));
    let class = numeric_class(call);
    let fixed = fixed_operands(call);
    let ((ai, asc), (bi, bsc)) = (a.digits(), b.digits());
    coerce_operands(call, class);
    Ok(match class {
        Class::Double => double_of(
            fixed.map(|[(ai, asc), (bi, bsc)]| (ai.max(bi) + u32::from(ai.max(bi) > 0), asc.max(bsc))),
        ),
        Class::Decimal => {
            // As wide as the wider one, though the other may have more digits behind the point.
            let precision = (ai + u32::from(asc)).max(bi + u32::from(bsc));
            ExprType { unsigned: a.unsigned, ..ExprType::decimal(precision, asc.max(bsc), false) }
        }
        _ => integer_type(ai.max(bi), a.unsigned),
    }
    .with_nullable(true))
}

fn bind_negate(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    let a = call.ty(0);
    let class = numeric_class(call);
    let fixed = call.args.first().and_then(fixed_digits);
    let (int, scale) = a.digits();
    // The sign changes nothing but what is shown of an average.
    if class != Class::Decimal || call.class(0) != class {
        coerce_operands(call, class);
    }
    Ok(result(
        call,
        match class {
            Class::Double => double_of(fixed),
            Class::Decimal => ExprType::decimal(int + u32::from(scale), scale, false),
            _ => ExprType::int(int + 1),
        },
    ))
}

/// An integer argument, whichever sign it has, as one wide integer per row.
fn wide(vector: &Vector, class: Class) -> impl Fn(usize) -> i128 + '_ {
    let (ints, uints) = (vector.as_ints(), vector.as_uints());
    let unsigned = class == Class::UInt;
    move |row| if unsigned { i128::from(uints.at(row)) } else { i128::from(ints.at(row)) }
}

/// Integers: `f` on 128 bits, which no operand pair overflows but by `*`, whose bounds fit as well.
fn integers(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    fast: fn(i64, i64) -> Option<i64>,
    f: fn(i128, i128) -> i128,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let nulls = union_nulls(rows, &[a, b]);
    let valid = |row| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let (ca, cb) = (class_at(run, 0), class_at(run, 1));
    if ca == Class::Int && cb == Class::Int && run.ty.class() == Class::Int {
        let (x, y) = (a.as_ints(), b.as_ints());
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            match fast(x.at(row), y.at(row)) {
                Some(v) => out.push(v),
                None if valid(row) => return Err(run.out_of_range()),
                None => out.push(0),
            }
        }
        return Ok(Vector::ints(out, nulls));
    }
    let (x, y) = (wide(a, ca), wide(b, cb));
    if run.ty.class() == Class::UInt {
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            match u64::try_from(f(x(row), y(row))) {
                Ok(v) => out.push(v),
                Err(_) if valid(row) => return Err(run.out_of_range()),
                Err(_) => out.push(0),
            }
        }
        Ok(Vector::uints(out, nulls))
    } else {
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            match i64::try_from(f(x(row), y(row))) {
                Ok(v) => out.push(v),
                Err(_) if valid(row) => return Err(run.out_of_range()),
                Err(_) => out.push(0),
            }
        }
        Ok(Vector::ints(out, nulls))
    }
}

fn class_at(run: &Invocation<'_, '_>, at: usize) -> Class {
    run.arg_ty(at).map_or(Class::Null, ExprType::class)
}

fn scale_at(run: &Invocation<'_, '_>, at: usize) -> u8 {
    run.arg_ty(at).map_or(0, |t| t.decimals.min(MAX_SCALE))
}

fn doubles(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(f64, f64) -> f64,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let nulls = union_nulls(rows, &[a, b]);
    let (x, y) = (a.as_doubles(), b.as_doubles());
    let mut finite = true;
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let v = f(x.at(row), y.at(row));
        finite &= v.is_finite();
        out.push(v);
    }
    if !finite {
        for (row, v) in out.iter_mut().enumerate() {
            if !v.is_finite() {
                if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
                    return Err(run.out_of_range());
                }
                *v = 0.0;
            }
        }
    }
    Ok(Vector::doubles(out, nulls))
}

/// The largest magnitude of 65 digits, exclusive.
fn decimal_bound() -> i256 {
    power_of_ten(65)
}

/// Decimals that only need a common scale: sum and difference.
fn decimals_sum(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    is_difference: bool,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let nulls = union_nulls(rows, &[a, b]);
    let (x, y) = (a.as_decimals(), b.as_decimals());
    let (sa, sb, scale) = (scale_at(run, 0), scale_at(run, 1), run.ty.decimals);
    if let (Some(up_a), Some(up_b)) = (scale.checked_sub(sa), scale.checked_sub(sb))
        && let Some(sum) = narrow::sum((a, up_a), (b, up_b), is_difference, rows, nulls.clone())
    {
        return Ok(sum);
    }
    if sa.max(sb) > scale {
        // Of an average, which has more digits than it shows: rounded once they are together.
        return decimals(run, args, rows, if is_difference { Decimal::sub } else { Decimal::add });
    }
    let f = if is_difference { i256::checked_sub } else { i256::checked_add };
    let bound = decimal_bound();
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let sum = rescale(x.at(row), sa, scale)
            .zip(rescale(y.at(row), sb, scale))
            .and_then(|(p, q)| f(p, q))
            .filter(|v| v.wrapping_abs() < bound);
        match sum {
            Some(v) => out.push(v),
            None if nulls.as_ref().is_none_or(|n| n.is_valid(row)) => return Err(run.out_of_range()),
            None => out.push(i256::ZERO),
        }
    }
    Ok(Vector::decimals(out, nulls))
}

/// Decimals by the exact arithmetic of `rustydb-value`; None is NULL.
fn decimals(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: impl Fn(&Decimal, &Decimal) -> rustydb_value::Result<Decimal>,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let (x, y) = (a.as_decimals(), b.as_decimals());
    let (sa, sb) = (scale_at(run, 0), scale_at(run, 1));
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        if a.is_null(row) || b.is_null(row) {
            out.push_null();
            continue;
        }
        let (p, q) = (decimal_from_i256(x.at(row), sa), decimal_from_i256(y.at(row), sb));
        match f(&p, &q) {
            Ok(v) => out.push(rustydb_value::ValueRef::Decimal(v)),
            Err(rustydb_value::Error::DivisionByZero) => {
                division_by_zero(run)?;
                out.push_null();
            }
            Err(_) => return Err(run.out_of_range()),
        }
    }
    Ok(out.finish())
}

fn product(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    if let [a, b] = args
        && scale_at(run, 0) + scale_at(run, 1) == run.ty.decimals
        && let Some(product) = narrow::product(a, b, rows, union_nulls(rows, &[a, b]))
    {
        return Ok(product);
    }
    decimals(run, args, rows, Decimal::mul)
}

/// Warning 1365, if the session asked for it.
fn division_by_zero(run: &mut Invocation<'_, '_>) -> Result<(), SqlError> {
    let mode = run.context.session.settings.sql_mode;
    if mode.has(SqlMode::ERROR_FOR_DIVISION_BY_ZERO) {
        if run.context.row > 0 && mode.strict() {
            return Err(SqlError::division_by_zero());
        }
        run.warn(SqlError::division_by_zero());
    }
    Ok(())
}

fn add(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    match run.ty.class() {
        Class::Double => doubles(run, args, rows, |a, b| a + b),
        Class::Decimal => decimals_sum(run, args, rows, false),
        _ => integers(run, args, rows, i64::checked_add, |a, b| a + b),
    }
}

fn subtract(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    match run.ty.class() {
        Class::Double => doubles(run, args, rows, |a, b| a - b),
        Class::Decimal => decimals_sum(run, args, rows, true),
        _ => integers(run, args, rows, i64::checked_sub, |a, b| a - b),
    }
}

fn multiply(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    match run.ty.class() {
        Class::Double => doubles(run, args, rows, |a, b| a * b),
        Class::Decimal => product(run, args, rows),
        _ => integers(run, args, rows, i64::checked_mul, i128::wrapping_mul),
    }
}

fn divide(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    if run.ty.class() == Class::Double {
        return double_quotients(run, args, rows, |a, b| a / b);
    }
    let scale = run.ty.decimals;
    decimals(run, args, rows, |a, b| a.quotient(b, scale, DIVISION_SCALE))
}

/// Doubles where a zero divisor gives NULL.
fn double_quotients(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(f64, f64) -> f64,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let (x, y) = (a.as_doubles(), b.as_doubles());
    let mut out = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        let known = !a.is_null(row) && !b.is_null(row);
        if known && y.at(row) == 0.0 {
            division_by_zero(run)?;
            out.push(0.0);
            valid.push(false);
            continue;
        }
        let v = f(x.at(row), y.at(row));
        if known && !v.is_finite() {
            return Err(run.out_of_range());
        }
        out.push(if known { v } else { 0.0 });
        valid.push(known);
    }
    Ok(Vector::doubles(out, nulls_from(valid)))
}

fn div(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    if class_at(run, 0) == Class::Decimal {
        let [a, b] = args else { return Ok(Vector::null(rows)) };
        let (sa, sb) = (scale_at(run, 0), scale_at(run, 1));
        let (x, y) = (a.as_decimals(), b.as_decimals());
        let mut out = Builder::of(run.ty, rows);
        for row in 0..rows {
            if a.is_null(row) || b.is_null(row) {
                out.push_null();
                continue;
            }
            let (p, q) = (decimal_from_i256(x.at(row), sa), decimal_from_i256(y.at(row), sb));
            match p.div_integer(&q) {
                Ok(v) => {
                    let integer = if run.ty.unsigned {
                        v.to_u64().map(rustydb_value::ValueRef::UInt)
                    } else {
                        v.to_i64().map(rustydb_value::ValueRef::Int)
                    };
                    out.push(integer.map_err(|_| run.out_of_range())?);
                }
                Err(rustydb_value::Error::DivisionByZero) => {
                    division_by_zero(run)?;
                    out.push_null();
                }
                Err(_) => return Err(run.out_of_range()),
            }
        }
        return Ok(out.finish());
    }
    integer_quotients(run, args, rows, |a, b| a / b)
}

/// Integers where a zero divisor gives NULL.
fn integer_quotients(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(i128, i128) -> i128,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let (x, y) = (wide(a, class_at(run, 0)), wide(b, class_at(run, 1)));
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        if a.is_null(row) || b.is_null(row) {
            out.push_null();
            continue;
        }
        let divisor = y(row);
        if divisor == 0 {
            division_by_zero(run)?;
            out.push_null();
            continue;
        }
        let value = f(x(row), divisor);
        if run.ty.class() == Class::UInt {
            out.push(rustydb_value::ValueRef::UInt(u64::try_from(value).map_err(|_| run.out_of_range())?));
        } else {
            out.push(rustydb_value::ValueRef::Int(i64::try_from(value).map_err(|_| run.out_of_range())?));
        }
    }
    Ok(out.finish())
}

fn modulo(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    match run.ty.class() {
        Class::Double => double_quotients(run, args, rows, |a, b| a % b),
        Class::Decimal => decimals(run, args, rows, Decimal::rem),
        _ => integer_quotients(run, args, rows, |a, b| a % b),
    }
}

fn negate(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let nulls = union_nulls(rows, &[a]);
    match run.ty.class() {
        Class::Double => {
            let x = a.as_doubles();
            Ok(Vector::doubles((0..rows).map(|row| -x.at(row)).collect(), nulls))
        }
        Class::Decimal => {
            let x = a.as_decimals();
            Ok(Vector::decimals((0..rows).map(|row| x.at(row).wrapping_neg()).collect(), nulls))
        }
        _ => {
            let x = wide(a, class_at(run, 0));
            let mut out = Vec::with_capacity(rows);
            for row in 0..rows {
                match i64::try_from(-x(row)) {
                    Ok(v) => out.push(v),
                    Err(_) if nulls.as_ref().is_none_or(|n| n.is_valid(row)) => {
                        return Err(run.out_of_range());
                    }
                    Err(_) => out.push(0),
                }
            }
            Ok(Vector::ints(out, nulls))
        }
    }
}
