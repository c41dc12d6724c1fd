//! Values as bytes whose order is the order of the values: sort keys, group keys, join keys.
//!
//! Every value is a marker (0 for NULL, 1 for a value) and a form of its class: integers big-endian with the sign
//! turned, doubles likewise, decimals of one scale as the bytes that they need, text as its collation's sort key, documents
//! as theirs. Strings are escaped and ended, so that keys of several columns can stand one after the other. For a
//! descending column all its bytes are turned over.

use arrow_buffer::i256;
use rustydb_value::{Collation, Json};

use crate::expr::types::{Class, ExprType};
use crate::expr::vector::Vector;

/// The bits of a value of a fixed width, in the order of the values; zero for other classes.
pub fn fixed_bits(vector: &Vector, row: usize, class: Class) -> u64 {
    match class {
        Class::Int | Class::Date | Class::Time | Class::DateTime => {
            (vector.as_ints().at(row) as u64) ^ (1 << 63)
        }
        Class::UInt => vector.as_uints().at(row),
        Class::Double => {
            // -0.0 and 0.0 are one value.
            let value = vector.as_doubles().at(row) + 0.0;
            let bits = value.to_bits();
            if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) }
        }
        Class::Null | Class::Decimal | Class::Text | Class::Binary | Class::Json => 0,
    }
}

/// Appends one value. Equal values of one class and collation give equal bytes.
pub fn append_value(out: &mut Vec<u8>, vector: &Vector, row: usize, class: Class, collation: Collation) {
    if vector.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match class {
        Class::Null => {}
        Class::Int | Class::Date | Class::Time | Class::DateTime | Class::UInt | Class::Double => {
            out.extend_from_slice(&fixed_bits(vector, row, class).to_be_bytes());
        }
        Class::Decimal => append_decimal(out, vector.as_decimals().at(row)),
        Class::Text => {
            let start = out.len();
            collation.sort_key(vector.text(row), out);
            escape_from(out, start);
        }
        Class::Binary => {
            let start = out.len();
            out.extend_from_slice(vector.bytes(row));
            escape_from(out, start);
        }
        Class::Json => {
            let start = out.len();
            Json::decode(vector.bytes(row)).unwrap_or(Json::Null).sort_key(out);
            escape_from(out, start);
        }
    }
}

/// The number of bytes that a scaled integer needs, above 128 with a plus and below with a minus, then those bytes: most
/// decimals take two to six bytes in place of 32.
fn append_decimal(out: &mut Vec<u8>, value: i256) {
    let bytes = value.to_be_bytes();
    let sign = if value < i256::ZERO { 0xff } else { 0 };
    let first = bytes.iter().position(|byte| *byte != sign).unwrap_or(bytes.len());
    let count = (bytes.len() - first) as u8;
    out.push(if sign == 0 { 0x80 + count } else { 0x7f - count });
    out.extend_from_slice(bytes.get(first..).unwrap_or_default());
}

/// Appends a value that no other follows in its key: strings need no end then.
pub fn append_last(out: &mut Vec<u8>, vector: &Vector, row: usize, class: Class, collation: Collation) {
    match class {
        Class::Text if !vector.is_null(row) => {
            out.push(1);
            collation.sort_key(vector.text(row), out);
        }
        Class::Binary if !vector.is_null(row) => {
            out.push(1);
            out.extend_from_slice(vector.bytes(row));
        }
        _ => append_value(out, vector, row, class, collation),
    }
}

/// Makes the bytes from `start` on end below every longer string: zero bytes become `00 ff`, the end is
/// `00 00`.
fn escape_from(out: &mut Vec<u8>, start: usize) {
    let zeros = out.get(start..).unwrap_or(&[]).iter().filter(|b| **b == 0).count();
    if zeros > 0 {
        let plain = out.split_off(start);
        out.reserve(plain.len() + zeros + 2);
        for byte in plain {
            out.push(byte);
            if byte == 0 {
                out.push(0xff);
            }
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Appends one value of a sort column; `last` says that no other column follows.
pub fn append_sorted(
    out: &mut Vec<u8>,
    vector: &Vector,
    row: usize,
    ty: &ExprType,
    descending: bool,
    last: bool,
) {
    let start = out.len();
    if last && !descending {
        return append_last(out, vector, row, ty.class(), ty.collation);
    }
    append_value(out, vector, row, ty.class(), ty.collation);
    if descending && let Some(bytes) = out.get_mut(start..) {
        for byte in bytes {
            *byte = !*byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(vector: &Vector, row: usize, class: Class) -> Vec<u8> {
        let mut out = Vec::new();
        append_value(&mut out, vector, row, class, Collation::UTF8MB4_0900_AI_CI);
        out
    }

    #[test]
    fn bytes_order_as_the_values_do() {
        let ints = Vector::ints(vec![i64::MIN, -1, 0, 1, i64::MAX], None);
        let doubles = Vector::doubles(vec![f64::MIN, -1.5, 0.0, 1e-300, f64::MAX], None);
        for row in 1..5 {
            assert!(key(&ints, row - 1, Class::Int) < key(&ints, row, Class::Int));
            assert!(key(&doubles, row - 1, Class::Double) < key(&doubles, row, Class::Double));
        }
        assert_eq!(
            key(&Vector::doubles(vec![-0.0], None), 0, Class::Double),
            key(&doubles, 2, Class::Double)
        );
        assert!(key(&Vector::null(1), 0, Class::Int) < key(&ints, 0, Class::Int));
    }

    #[test]
    fn decimals_order_by_their_bytes() {
        let mut values: Vec<i256> = vec![i256::MIN, i256::MAX, i256::ZERO];
        for shift in 0..120 {
            for near in [-1, 0, 1] {
                values.extend([1i128, -1].map(|sign| i256::from_i128(sign * ((1i128 << shift) + near))));
            }
        }
        values.sort();
        values.dedup();
        let vector = Vector::wide_decimals(values, None);
        for row in 1..vector.len() {
            assert!(key(&vector, row - 1, Class::Decimal) < key(&vector, row, Class::Decimal), "{row}");
        }
    }

    #[test]
    fn a_string_ends_before_every_longer_one() {
        let mut builder = crate::expr::vector::Builder::new(Class::Binary, 0, 4);
        for text in [&b"a"[..], b"a\0", b"a\0b", b"ab"] {
            builder.push_bytes(text);
        }
        let vector = builder.finish();
        for row in 1..4 {
            assert!(key(&vector, row - 1, Class::Binary) < key(&vector, row, Class::Binary), "{row}");
        }
    }
}
