//! Floating-point numbers as MySQL prints them.
//!
//! DOUBLE prints the shortest digits that read back as the same number; FLOAT prints at most six
//! significant digits, shorter where fewer do. Plain notation is used where the point stands within the
//! digits, at most 15 places behind the first of them or 14 before; else `1.5e20`: lower-case `e`, no
//! plus sign.

use std::io::Write as _;

/// The significant digits of a FLOAT.
const FLOAT_DIGITS: usize = 6;

/// Decimal digits and the place of the point: `0.digits * 10^point`.
struct Digits {
    bytes: [u8; 24],
    len: usize,
    point: i32,
}

impl Digits {
    /// Reads them off Rust's `{:e}` form (`1.234e5`), which is the shortest or of a given precision.
    fn of(scientific: &[u8]) -> Self {
        let mut out = Self { bytes: [0; 24], len: 0, point: 0 };
        let mut rest = scientific.iter();
        for &byte in rest.by_ref() {
            match byte {
                b'0'..=b'9' if out.len < out.bytes.len() => {
                    out.bytes[out.len] = byte;
                    out.len += 1;
                }
                b'e' => break,
                _ => {}
            }
        }
        let mut exponent = 0i32;
        let mut negative = false;
        for &byte in rest {
            match byte {
                b'-' => negative = true,
                digit => exponent = exponent * 10 + i32::from(digit - b'0'),
            }
        }
        out.point = if negative { -exponent } else { exponent } + 1;
        while out.len > 1 && out.bytes[out.len - 1] == b'0' {
            out.len -= 1;
        }
        out
    }
}

/// Appends a DOUBLE.
pub(crate) fn write_f64(value: f64, out: &mut Vec<u8>) {
    if !write_special(value, out) {
        write_digits(value.is_sign_negative(), &shortest(value.abs()), out);
    }
}

/// Appends a FLOAT.
pub(crate) fn write_f32(value: f32, out: &mut Vec<u8>) {
    if write_special(f64::from(value), out) {
        return;
    }
    let mut buffer = [0u8; 32];
    let mut cursor = &mut buffer[..];
    let room = cursor.len();
    // A buffer of 32 bytes holds any exponent form of 6 digits.
    let _ = write!(cursor, "{:.*e}", FLOAT_DIGITS - 1, value.abs());
    let len = room - cursor.len();
    write_digits(value.is_sign_negative(), &Digits::of(&buffer[..len]), out);
}

/// Appends the shortest form of a finite number, for reading it back as a decimal.
pub(crate) fn write_shortest(value: f64, out: &mut Vec<u8>) {
    write_f64(value, out);
}

fn shortest(value: f64) -> Digits {
    let mut buffer = [0u8; 32];
    let mut cursor = &mut buffer[..];
    let room = cursor.len();
    // A buffer of 32 bytes holds any exponent form of 17 digits.
    let _ = write!(cursor, "{value:e}");
    let len = room - cursor.len();
    Digits::of(&buffer[..len])
}

/// Zeros, and what no column holds but arithmetic could hand over.
fn write_special(value: f64, out: &mut Vec<u8>) -> bool {
    let text: &[u8] = if value == 0.0 {
        if value.is_sign_negative() { b"-0" } else { b"0" }
    } else if value.is_nan() {
        b"nan"
    } else if value.is_infinite() {
        if value > 0.0 { b"inf" } else { b"-inf" }
    } else {
        return false;
    };
    out.extend_from_slice(text);
    true
}

fn write_digits(negative: bool, digits: &Digits, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let text = &digits.bytes[..digits.len];
    let point = digits.point;
    if (-14..=0).contains(&point) {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
        out.extend_from_slice(text);
    } else if point > 0 && (point <= 15 || text.len() > point as usize) {
        let point = point as usize;
        if text.len() <= point {
            out.extend_from_slice(text);
            out.extend(std::iter::repeat_n(b'0', point - text.len()));
        } else {
            out.extend_from_slice(&text[..point]);
            out.push(b'.');
            out.extend_from_slice(&text[point..]);
        }
    } else {
        out.push(text[0]);
        if text.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&text[1..]);
        }
        out.push(b'e');
        crate::value::write_i64(i64::from(point - 1), out);
    }
}
