//! TO_BASE64 and FROM_BASE64: RFC 4648's alphabet, a line break after every 76 characters.

use super::{Call, Function, Invocation, each_string};
use crate::error::SqlError;
use crate::expr::types::{Class, Coercibility, ExprType, MAX_TEXT};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("to_base64", (1, 1), "The bytes of a text in base 64", bind_to, to_base64),
    Function::new(
        "from_base64",
        (1, 1),
        "The bytes of a text in base 64; NULL if it is none",
        bind_from,
        from_base64,
    ),
];

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LINE: usize = 76;

/// The most bytes of an argument.
fn bytes_of(call: &Call<'_>, at: usize) -> u32 {
    let ty = call.ty(at);
    let widest = if ty.class() == Class::Text { 4 } else { 1 };
    ty.text_length().saturating_mul(widest)
}

fn bind_to(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let digits = bytes_of(call, 0).div_ceil(3).saturating_mul(4);
    call.to_encoded(0);
    let breaks = digits.saturating_sub(1) / LINE as u32;
    let collation = call.session.settings.collation_connection;
    Ok(ExprType::text(digits.saturating_add(breaks).min(MAX_TEXT), collation, Coercibility::Coercible))
}

fn to_base64(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |_, row, out| {
        let mut column = 0;
        for three in a.bytes(row).chunks(3) {
            if column == LINE {
                out.push(b'\n');
                column = 0;
            }
            let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for at in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
                out.push(if at <= three.len() { digit } else { b'=' });
            }
            column += 4;
        }
        Ok(true)
    })
}

fn bind_from(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let length = bytes_of(call, 0).div_ceil(4).saturating_mul(3);
    call.to_string(0);
    Ok(ExprType::binary(length.min(MAX_TEXT)))
}

fn digit(byte: u8) -> Option<u32> {
    ALPHABET.iter().position(|d| *d == byte).map(|at| at as u32)
}

/// Decodes, white space left out. None if the text is not of whole groups.
fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut digits =
        text.iter().copied().filter(|b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c));
    while let Some(first) = digits.next() {
        let group = [first, digits.next()?, digits.next()?, digits.next()?];
        let padding = match group {
            [_, _, b'=', b'='] => 2,
            [_, _, _, b'='] => 1,
            _ => 0,
        };
        let mut bits = 0;
        for byte in group.iter().take(4 - padding) {
            bits = bits << 6 | digit(*byte)?;
        }
        bits <<= 6 * padding;
        let bytes = bits.to_be_bytes();
        out.extend_from_slice(bytes.get(1..4 - padding)?);
        if padding > 0 {
            // Nothing may follow the end.
            return digits.next().is_none().then_some(());
        }
    }
    Some(())
}

fn from_base64(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    each_string(run, args, rows, |_, row, out| Ok(decode(a.bytes(row), out).is_some()))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn what_is_no_whole_group_is_refused() {
        let of = |text: &str| {
            let mut out = Vec::new();
            decode(text.as_bytes(), &mut out).map(|()| out)
        };
        assert_eq!(of("YWJj").as_deref(), Some(b"abc".as_slice()));
        assert_eq!(of(" Y Q\n== ").as_deref(), Some(b"a".as_slice()));
        assert_eq!(of(""), Some(vec![]));
        for wrong in ["YWJ", "!!!!", "YQ==YQ==", "=QQQ", "Y===", "YQ=Q"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
