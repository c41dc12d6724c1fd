//! Numbers: sign, powers, logarithms, angles, RAND, CONV, CRC32 is with the digests.

use super::operators::{double_of, fixed_digits};
use super::random::Generator;
use super::{Call, Function, Invocation, StringWriter};
use crate::error::SqlError;
use crate::expr::Kind;
use crate::expr::number::decimal_from_i256;
use crate::expr::types::{Class, Coercibility, ExprType};
use crate::expr::vector::{Vector, nulls_from, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("abs", (1, 1), "The amount without its sign", bind_abs, abs),
    Function::new("sign", (1, 1), "-1, 0 or 1", bind_sign, sign),
    Function::new("sqrt", (1, 1), "Square root, NULL of a negative number", bind_doubles, |_, a, n| {
        one(a, n, |x| valid(x >= 0.0, x.sqrt()))
    }),
    Function::new("exp", (1, 1), "e to the power of the argument", bind_doubles, |r, a, n| {
        ranged(r, a, n, f64::exp)
    }),
    Function::new("ln", (1, 1), "Natural logarithm, NULL if not above 0", bind_doubles, |r, a, n| {
        logarithm(r, a, n, f64::ln)
    }),
    Function::new("log2", (1, 1), "Logarithm to base 2", bind_doubles, |r, a, n| {
        logarithm(r, a, n, f64::log2)
    }),
    Function::new("log10", (1, 1), "Logarithm to base 10", bind_doubles, |r, a, n| {
        logarithm(r, a, n, f64::log10)
    }),
    Function::new(
        "log",
        (1, 2),
        "Natural logarithm, or the logarithm of the second to the base of the first",
        bind_doubles,
        log,
    ),
    Function::new("pow", (2, 2), "The first to the power of the second", bind_doubles, pow)
        .aliases(&["power"]),
    Function::new("sin", (1, 1), "Sine", bind_doubles, |r, a, n| ranged(r, a, n, f64::sin)),
    Function::new("cos", (1, 1), "Cosine", bind_doubles, |r, a, n| ranged(r, a, n, f64::cos)),
    Function::new("tan", (1, 1), "Tangent", bind_doubles, |r, a, n| ranged(r, a, n, f64::tan)),
    Function::new("cot", (1, 1), "Cotangent", bind_doubles, |r, a, n| ranged(r, a, n, |x| 1.0 / x.tan())),
    Function::new("asin", (1, 1), "Arc sine, NULL outside of -1 to 1", bind_doubles, |_, a, n| {
        one(a, n, |x| valid(x.abs() <= 1.0, x.asin()))
    }),
    Function::new("acos", (1, 1), "Arc cosine, NULL outside of -1 to 1", bind_doubles, |_, a, n| {
        one(a, n, |x| valid(x.abs() <= 1.0, x.acos()))
    }),
    Function::new("atan", (1, 2), "Arc tangent of one number or of a quotient", bind_doubles, atan)
        .aliases(&["atan2"]),
    Function::new("degrees", (1, 1), "Radians as degrees", bind_angle, |r, a, n| {
        ranged(r, a, n, f64::to_degrees)
    }),
    Function::new("radians", (1, 1), "Degrees as radians", bind_angle, |r, a, n| {
        ranged(r, a, n, f64::to_radians)
    }),
    Function::new("pi", (0, 0), "The ratio of a circle to its diameter", bind_pi, |_, _, rows| {
        Ok(Vector::doubles(vec![std::f64::consts::PI; rows], None))
    }),
    Function::new(
        "rand",
        (0, 1),
        "A random number from 0 up to 1; with a seed, a repeatable sequence",
        bind_rand,
        rand,
    )
    .volatile(),
    Function::new("conv", (3, 3), "A number's digits in another base", bind_conv, conv),
    Function::new("bin", (1, 1), "Binary digits", bind_base, |r, a, n| base(r, a, n, 2)),
    Function::new("oct", (1, 1), "Octal digits", bind_base, |r, a, n| base(r, a, n, 8)),
];

fn valid(ok: bool, value: f64) -> Option<f64> {
    if ok && value.is_finite() { Some(value) } else { None }
}

/// All arguments as DOUBLE, giving DOUBLE.
pub fn bind_doubles(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    for at in 0..call.count() {
        call.to_double(at);
    }
    Ok(ExprType::double())
}

/// One number that is only multiplied.
fn bind_angle(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_double(0);
    Ok(ExprType::double().with_nullable(call.nullable()))
}

fn one(args: &[Vector], rows: usize, f: impl Fn(f64) -> Option<f64>) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let x = a.as_doubles();
    let mut mask = Vec::with_capacity(rows);
    let out = (0..rows)
        .map(|row| {
            let value = if a.is_null(row) { None } else { f(x.at(row)) };
            mask.push(value.is_some());
            value.unwrap_or(0.0)
        })
        .collect();
    Ok(Vector::doubles(out, nulls_from(mask)))
}

/// A function whose result must be finite, else error 1690.
fn ranged(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(f64) -> f64,
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let x = a.as_doubles();
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let value = f(x.at(row));
        if !value.is_finite() && !a.is_null(row) {
            return Err(run.out_of_range());
        }
        out.push(if value.is_finite() { value } else { 0.0 });
    }
    Ok(Vector::doubles(out, union_nulls(rows, &[a])))
}

fn invalid_logarithm(run: &mut Invocation<'_, '_>) {
    run.warn(SqlError::new(3020, b"2201E", "Invalid argument for logarithm"));
}

fn logarithm(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    f: fn(f64) -> f64,
) -> Result<Vector, SqlError> {
    if let [a] = args {
        for row in 0..rows {
            if !a.is_null(row) && a.as_doubles().at(row) <= 0.0 {
                invalid_logarithm(run);
            }
        }
    }
    one(args, rows, |x| valid(x > 0.0, f(x)))
}

fn log(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [base, value] = args else { return logarithm(run, args, rows, f64::ln) };
    let mut mask = Vec::with_capacity(rows);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let (b, x) = (base.as_doubles().at(row), value.as_doubles().at(row));
        let known = !base.is_null(row) && !value.is_null(row);
        let fits = b > 0.0 && b != 1.0 && x > 0.0;
        if known && !fits {
            invalid_logarithm(run);
        }
        mask.push(known && fits);
        out.push(if known && fits { x.ln() / b.ln() } else { 0.0 });
    }
    Ok(Vector::doubles(out, nulls_from(mask)))
}

fn pow(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let nulls = union_nulls(rows, &[a, b]);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let value = a.as_doubles().at(row).powf(b.as_doubles().at(row));
        if !value.is_finite() {
            if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
                return Err(run.out_of_range());
            }
            out.push(0.0);
        } else {
            out.push(value);
        }
    }
    Ok(Vector::doubles(out, nulls))
}

fn atan(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [y, x] = args else { return ranged(run, args, rows, f64::atan) };
    let out = (0..rows).map(|row| y.as_doubles().at(row).atan2(x.as_doubles().at(row))).collect();
    Ok(Vector::doubles(out, union_nulls(rows, &[y, x])))
}

fn bind_pi(_: &mut Call<'_>) -> Result<ExprType, SqlError> {
    Ok(ExprType { length: 8, decimals: 6, ..ExprType::double() }.not_null())
}

/// Brings a number to the class in which rounding and signs keep its kind.
pub fn keep_kind(call: &mut Call<'_>, at: usize) -> Class {
    let marker = call.args.get(at).is_some_and(|arg| matches!(arg.node, crate::expr::Node::Parameter(_)));
    let class = match call.class(at) {
        _ if call.ty(at).is_member() => Class::Double,
        Class::Null if !marker => Class::Double,
        Class::Text | Class::Binary | Class::Double => Class::Double,
        Class::Decimal => Class::Decimal,
        Class::Time | Class::DateTime if call.ty(at).decimals > 0 => Class::Decimal,
        _ => Class::Int,
    };
    match class {
        Class::Double => call.to_double(at),
        Class::Decimal => {
            let (int, scale) = call.ty(at).digits();
            if call.class(at) != Class::Decimal {
                call.to(at, ExprType::decimal(int + u32::from(scale), scale, false));
            }
        }
        _ => call.to_integer(at),
    }
    class
}

fn bind_abs(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let fixed = call.args.first().and_then(fixed_digits);
    let class = keep_kind(call, 0);
    let ty = call.ty(0);
    Ok(match class {
        Class::Double => double_of(fixed),
        Class::Decimal => ExprType { kind: Kind::Decimal, ..ty.clone() },
        _ => ExprType { kind: Kind::LongLong, ..ty.clone() },
    }
    .with_nullable(ty.nullable))
}

fn abs(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let nulls = union_nulls(rows, &[a]);
    Ok(match run.ty.class() {
        Class::Double => Vector::doubles((0..rows).map(|r| a.as_doubles().at(r).abs()).collect(), nulls),
        Class::Decimal => {
            Vector::decimals((0..rows).map(|r| a.as_decimals().at(r).wrapping_abs()).collect(), nulls)
        }
        Class::UInt => a.clone(),
        _ => {
            let mut out = Vec::with_capacity(rows);
            for row in 0..rows {
                match a.as_ints().at(row).checked_abs() {
                    Some(v) => out.push(v),
                    None => return Err(run.out_of_range()),
                }
            }
            Vector::ints(out, nulls)
        }
    })
}

fn bind_sign(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    keep_kind(call, 0);
    Ok(ExprType::int(21).with_nullable(call.nullable()))
}

fn sign(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let class = run.arg_ty(0).map_or(Class::Int, ExprType::class);
    let out = (0..rows)
        .map(|row| match class {
            Class::Double => {
                let v = a.as_doubles().at(row);
                i64::from(v > 0.0) - i64::from(v < 0.0)
            }
            Class::Decimal => i64::from(a.as_decimals().at(row).signum().as_i128() as i8),
            Class::UInt => i64::from(a.as_uints().at(row) > 0),
            _ => a.as_ints().at(row).signum(),
        })
        .collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

fn bind_rand(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.count() == 1 {
        call.to_int(0);
    }
    Ok(ExprType::double().not_null())
}

fn rand(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [seed] = args else {
        return Ok(Vector::doubles((0..rows).map(|_| super::digest::random_unit()).collect(), None));
    };
    // A constant seed starts one sequence of the statement; a column seeds every row.
    let out = if seed.is_constant() {
        let generator = run.context.session.sequences.of(run.expr, seed.as_ints().at(0) as u32);
        (0..rows).map(|_| generator.draw()).collect()
    } else {
        (0..rows).map(|row| Generator::seeded(seed.as_ints().at(row) as u32).draw()).collect()
    };
    Ok(Vector::doubles(out, None))
}

fn base_type(call: &Call<'_>) -> ExprType {
    ExprType::text(65, call.session.settings.collation_connection, Coercibility::Coercible)
}

fn bind_conv(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.bits_as_numbers();
    call.to_string(0);
    call.to_int(1);
    call.to_int(2);
    Ok(base_type(call))
}

/// The digits of a number in a base of 2 to 36.
fn in_base(mut value: u64, base: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        let digit = (value % base) as u8;
        out.push(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
        value /= base;
        if value == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// The number that a text begins with in a base, without its sign; None where it is larger than any.
fn of_digits(digits: &[u8], base: u64) -> Option<u64> {
    let mut value = 0u64;
    for byte in digits {
        let Some(digit) = char::from(*byte).to_digit(36).map(u64::from).filter(|d| *d < base) else { break };
        value = value.checked_mul(base).and_then(|v| v.checked_add(digit))?;
    }
    Some(value)
}

/// Digits and their sign as 64 bits. A negative base reads a signed number, and stops at the ends of those; a positive one
/// has the largest for what is larger, and nothing for what is that far below.
fn read(negative: bool, digits: &[u8], base: i64) -> u64 {
    let magnitude = of_digits(digits, base.unsigned_abs());
    match (base < 0, negative) {
        (true, false) => magnitude.unwrap_or(u64::MAX).min(i64::MAX as u64),
        (true, true) => magnitude.unwrap_or(u64::MAX).min(i64::MIN.unsigned_abs()).wrapping_neg(),
        (false, false) => magnitude.unwrap_or(u64::MAX),
        (false, true) => magnitude.map_or(0, u64::wrapping_neg),
    }
}

fn conv(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [text, from, to] = args else { return Ok(Vector::null(rows)) };
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        let (f, t) = (from.as_ints().at(row), to.as_ints().at(row));
        let fits = |base: i64| (2..=36).contains(&base.unsigned_abs());
        if super::any_null(args, row) || !fits(f) || !fits(t) || text.bytes(row).is_empty() {
            out.push_null();
            continue;
        }
        let bytes = text.bytes(row).trim_ascii_start();
        let (negative, digits) = match bytes.first() {
            Some(b'-') => (true, bytes.get(1..).unwrap_or(&[])),
            Some(b'+') => (false, bytes.get(1..).unwrap_or(&[])),
            _ => (false, bytes),
        };
        let mut value = read(negative, digits, f);
        if t < 0 && (value as i64) < 0 {
            out.buffer.push(b'-');
            value = value.wrapping_neg();
        }
        in_base(value, t.unsigned_abs(), &mut out.buffer);
        out.end_row();
    }
    Ok(out.finish())
}

fn bind_base(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.class(0) != Class::UInt {
        // As of CONV: the integer that the text of the number begins with.
        if matches!(call.class(0), Class::Double | Class::Decimal) {
            call.to_string(0);
            return Ok(base_type(call));
        }
        call.to_int(0);
        call.to(0, ExprType::uint(21));
    }
    Ok(base_type(call))
}

fn base(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize, base: u64) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let texts = run.arg_ty(0).is_some_and(|t| t.class().is_string());
    let mut out = StringWriter::new(run.ty, rows, usize::MAX);
    for row in 0..rows {
        if a.is_null(row) {
            out.push_null();
        } else {
            let value = if texts {
                match a.bytes(row).strip_prefix(b"-") {
                    Some(digits) => read(true, digits, 10),
                    None => read(false, a.bytes(row), 10),
                }
            } else {
                a.as_uints().at(row)
            };
            in_base(value, base, &mut out.buffer);
            out.end_row();
        }
    }
    Ok(out.finish())
}

/// The decimal of a row, for functions that calculate one by one.
pub fn decimal_at(vector: &Vector, row: usize, ty: &ExprType) -> rustydb_value::Decimal {
    decimal_from_i256(vector.as_decimals().at(row), ty.decimals)
}
