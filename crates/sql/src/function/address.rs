//! Addresses of IP: INET_ATON and its kin.
//!
//! INET_ATON takes the short forms too (`127.1`); the others want all parts. What is no address is NULL
//! with warning 1411.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Call, Function, Invocation, each_string};
use crate::error::SqlError;
use crate::expr::types::{Coercibility, ExprType};
use crate::expr::vector::{Builder, Vector, union_nulls};
use rustydb_value::ValueRef;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("inet_aton", (1, 1), "The number of an IPv4 address", bind_aton, aton),
    Function::new("inet_ntoa", (1, 1), "The IPv4 address of a number", bind_ntoa, ntoa),
    Function::new("inet6_aton", (1, 1), "The bytes of an address", bind_aton6, aton6),
    Function::new("inet6_ntoa", (1, 1), "The address of 4 or 16 bytes", bind_ntoa6, ntoa6),
    Function::new("is_ipv4", (1, 1), "Whether a text is an IPv4 address", bind_is, |r, a, n| {
        is(r, a, n, |bytes| parse4(bytes).is_some())
    }),
    Function::new("is_ipv6", (1, 1), "Whether a text is an IPv6 address", bind_is, |r, a, n| {
        is(r, a, n, |bytes| parse6(bytes).is_some())
    }),
    Function::new(
        "is_ipv4_compat",
        (1, 1),
        "Whether 16 bytes are an IPv4 address as the first IPv6 wrote it",
        bind_is,
        |r, a, n| is(r, a, n, |bytes| tail4(bytes, 0).is_some_and(|four| four > 1)),
    ),
    Function::new(
        "is_ipv4_mapped",
        (1, 1),
        "Whether 16 bytes are an IPv4 address mapped into IPv6",
        bind_is,
        |r, a, n| is(r, a, n, |bytes| tail4(bytes, 0xffff).is_some()),
    ),
];

/// The last four bytes of an address whose first twelve are this number.
fn tail4(bytes: &[u8], head: u128) -> Option<u32> {
    let number = u128::from_be_bytes(bytes.try_into().ok()?);
    (number >> 32 == head).then_some(number as u32)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn parse4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = [0u8; 4];
    let mut given = text(bytes)?.split('.');
    for part in &mut parts {
        let digits = given.next()?;
        if digits.is_empty() || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *part = digits.parse().ok()?;
    }
    given.next().is_none().then_some(Ipv4Addr::from(parts))
}

fn parse6(bytes: &[u8]) -> Option<Ipv6Addr> {
    text(bytes)?.parse().ok()
}

fn no_address(run: &mut Invocation<'_, '_>, kind: &str) {
    let name = match &run.expr.node {
        crate::expr::Node::Call { function, .. } => function.name,
        _ => "",
    };
    let shown = run.args.first().map(ToString::to_string).unwrap_or_default();
    run.warn(SqlError::wrong_value_for_type(kind, shown, name));
}

fn bind_aton(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    Ok(ExprType::uint(21))
}

/// The number of an address of one to four parts; the last part stands for the rest.
fn number(bytes: &[u8]) -> Option<u64> {
    let (mut total, mut part, mut dots, mut last) = (0u64, 0u64, 0u32, b'.');
    for byte in bytes {
        last = *byte;
        match byte {
            b'0'..=b'9' => {
                part = part * 10 + u64::from(byte - b'0');
                if part > 255 {
                    return None;
                }
            }
            b'.' => {
                dots += 1;
                total = total.checked_mul(256)?.checked_add(part)?;
                part = 0;
            }
            _ => return None,
        }
    }
    if last == b'.' || dots > 3 {
        return None;
    }
    // `127.1` has two parts: the ones left out are zeros in the middle.
    if (1..3).contains(&dots) {
        total <<= 8 * (3 - dots);
    }
    Some((total << 8) + part)
}

fn aton(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        if a.is_null(row) {
            out.push_null();
            continue;
        }
        match number(a.bytes(row)) {
            Some(number) => out.push(ValueRef::UInt(number)),
            None => {
                no_address(run, "string");
                out.push_null();
            }
        }
    }
    Ok(out.finish())
}

fn bind_ntoa(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_int(0);
    Ok(ExprType::text(31, call.session.settings.collation_connection, Coercibility::Coercible))
}

fn ntoa(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |run, row, out| {
        let Ok(number) = u32::try_from(a.as_ints().at(row)) else {
            no_address(run, "integer");
            return Ok(false);
        };
        out.extend_from_slice(Ipv4Addr::from(number).to_string().as_bytes());
        Ok(true)
    })
}

fn bind_aton6(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    Ok(ExprType::binary(16))
}

fn aton6(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |run, row, out| {
        let bytes = a.bytes(row);
        if let Some(four) = parse4(bytes) {
            out.extend_from_slice(&four.octets());
        } else if let Some(six) = parse6(bytes) {
            out.extend_from_slice(&six.octets());
        } else {
            no_address(run, "string");
            return Ok(false);
        }
        Ok(true)
    })
}

fn bind_ntoa6(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    Ok(ExprType::text(39, call.session.settings.collation_connection, Coercibility::Coercible))
}

/// An address as MySQL writes it: the longest run of zero groups left out, even of one group, and the
/// last four bytes as IPv4 where the address is such a one.
fn write6(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let four = Ipv4Addr::from(number as u32);
    match number >> 32 {
        0 if number as u32 > 0xffff => return format!("::{four}"),
        0xffff => return format!("::ffff:{four}"),
        _ => {}
    }
    let groups = Ipv6Addr::from(bytes).segments();
    let (mut from, mut length) = (8, 0);
    let mut at = 0;
    while at < 8 {
        let run = groups.iter().skip(at).take_while(|g| **g == 0).count();
        if run > length {
            (from, length) = (at, run);
        }
        at += run.max(1);
    }
    let hex = |part: &[u16]| part.iter().map(|g| format!("{g:x}")).collect::<Vec<_>>().join(":");
    if length == 0 {
        return hex(&groups);
    }
    format!("{}::{}", hex(&groups[..from]), hex(&groups[from + length..]))
}

fn ntoa6(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let binary = run.arg_ty(0).is_some_and(|t| t.class() == crate::expr::Class::Binary);
    each_string(run, args, rows, |run, row, out| {
        let bytes = a.bytes(row);
        let four: Result<[u8; 4], _> = bytes.try_into();
        let sixteen: Result<[u8; 16], _> = bytes.try_into();
        match (four, sixteen) {
            (Ok(four), _) if binary => out.extend_from_slice(Ipv4Addr::from(four).to_string().as_bytes()),
            (_, Ok(sixteen)) if binary => out.extend_from_slice(write6(sixteen).as_bytes()),
            _ => {
                no_address(run, "string");
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn bind_is(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let nullable = call.nullable();
    call.to_string(0);
    Ok(ExprType::boolean().with_nullable(nullable))
}

fn is(
    _: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    test: fn(&[u8]) -> bool,
) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let out = (0..rows).map(|row| i64::from(test(a.bytes(row)))).collect();
    Ok(Vector::ints(out, union_nulls(rows, &[a])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_fill_the_middle() {
        assert_eq!(number(b"10.0.5.9"), Some(167_773_449));
        assert_eq!(number(b"127.1"), Some(2_130_706_433));
        assert_eq!(number(b"1.2.3"), Some(16_908_291));
        assert_eq!(number(b"1..2"), Some(16_777_218));
        assert_eq!(number(b"1"), Some(1));
        for wrong in ["", "1.", "256.0.0.1", "1.2.3.4.5", "a"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn the_longest_run_of_zeros_is_left_out() {
        let of = |text: &str| write6(text.parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(of("2001:db8:0:1::1"), "2001:db8:0:1::1");
        assert_eq!(of("::"), "::");
        assert_eq!(of("::1"), "::1");
        assert_eq!(of("1:0:0:0:1::"), "1::1:0:0:0");
        assert_eq!(of("1:2:3:4:5:6:7:0"), "1:2:3:4:5:6:7::");
        assert_eq!(of("::1.2.3.4"), "::1.2.3.4");
        assert_eq!(of("::ffff:1.2.3.4"), "::ffff:1.2.3.4");
    }
}
