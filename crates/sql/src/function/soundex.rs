//! SOUNDEX and SOUNDS LIKE: a text by its first letter and the kinds of its consonants.
//!
//! MySQL's form: not cut after four characters, vowels do not part equal consonants, and letters that
//! are not ASCII count as vowels.

use super::{Call, Function, Invocation, each_string};
use crate::error::SqlError;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::Vector;

/// The entries.
pub static FUNCTIONS: &[Function] =
    &[Function::new("soundex", (1, 1), "How a text sounds: a letter and digits", bind_soundex, soundex)];

/// The kind of each letter from A to Z, 0 for vowels.
const KINDS: &[u8; 26] = b"01230120022455012623010202";

fn bind_soundex(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    if call.class(0) == Class::Null {
        return Ok(ExprType::binary(4));
    }
    let (collation, coercibility) = call.combine_strings(0)?;
    Ok(super::string::typed(call.ty(0).length.max(4), collation, coercibility, true))
}

fn kind(letter: char) -> u8 {
    let upper = letter.to_ascii_uppercase();
    if upper.is_ascii_uppercase() { KINDS[usize::from(upper as u8 - b'A')] } else { b'0' }
}

/// Appends the code of a text.
fn write(letters: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    let mut letters = letters.filter(|c| if c.is_ascii() { c.is_ascii_alphabetic() } else { true });
    let Some(first) = letters.next() else { return };
    let mut one = [0u8; 4];
    out.extend_from_slice(first.to_ascii_uppercase().encode_utf8(&mut one).as_bytes());
    let mut last = kind(first);
    let mut written = 1;
    for letter in letters {
        let kind = kind(letter);
        if kind != b'0' && kind != last {
            out.push(kind);
            written += 1;
            last = kind;
        }
    }
    while written < 4 {
        out.push(b'0');
        written += 1;
    }
}

fn soundex(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    let text = run.ty.class() == Class::Text;
    each_string(run, args, rows, |_, row, out| {
        if text {
            write(a.text(row).chars(), out);
        } else {
            write(a.bytes(row).iter().filter(|b| b.is_ascii()).map(|b| char::from(*b)), out);
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn sounds() {
        for (text, code) in [
            ("Hello", "H400"),
            ("Quadratically", "Q36324"),
            ("Tymczak", "T520"),
            ("Ashcraft", "A2613"),
            ("  Robert", "R163"),
            ("123", ""),
            ("äpfel", "ä140"),
        ] {
            let mut out = Vec::new();
            super::write(text.chars(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), code, "{text}");
        }
    }
}
