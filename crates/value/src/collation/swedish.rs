//! The weights of `latin1_swedish_ci`: one byte for a character of code page 1252.
//!
//! Letters fold to their base in upper case, but å, ä and ö are the last letters of the alphabet,
//! behind z, where they take the weights of `[`, `\` and `]`.

use super::latin1_byte;

/// The weights of the bytes from 0xc0 on.
const LETTERS: &[u8; 64] = b"AAAA\\[\\CEEEEIIIIDNOOOO]\xd7\xd8UUUYY\xde\xdf\
AAAA\\[\\CEEEEIIIIDNOOOO]\xf7\xd8UUUYY\xde\xff";

/// The weight of a character; that of `?` for one that the code page does not have.
#[inline]
pub(super) fn weight(character: char) -> u16 {
    let byte = latin1_byte(character).unwrap_or(b'?');
    u16::from(match byte {
        0xc0.. => LETTERS[usize::from(byte - 0xc0)],
        byte => byte.to_ascii_uppercase(),
    })
}
