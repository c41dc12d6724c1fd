//! PEM: a named block of base 64 lines (RFC 7468), as keys and certificates are kept and sent.

use crate::{Error, Result};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The block with this label, in lines of 64 characters.
pub fn encode(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for character in 0..4 {
                if character <= group.len() {
                    text.push(char::from(ALPHABET[(bits >> (18 - 6 * character) & 63) as usize]));
                } else {
                    text.push('=');
                }
            }
        }
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// The bytes of the first block with this label.
pub fn decode(label: &str, text: &str) -> Result<Vec<u8>> {
    decode_all(label, text)?.into_iter().next().ok_or(Error::Malformed("PEM text"))
}

/// The bytes of every block with this label, in order; other blocks and text between them are passed over.
pub fn decode_all(label: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once(&begin) {
        let (body, tail) = tail.split_once(&end).ok_or(Error::Malformed("PEM text"))?;
        blocks.push(decode_base64(body)?);
        rest = tail;
    }
    Ok(blocks)
}

fn decode_base64(body: &str) -> Result<Vec<u8>> {
    let malformed = Error::Malformed("PEM text");
    let mut out = Vec::with_capacity(body.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0u32, 0u32);
    for character in body.bytes().filter(|b| !b.is_ascii_whitespace()) {
        if character == b'=' {
            padding += 1;
            continue;
        }
        let value = ALPHABET.iter().position(|&b| b == character).ok_or(malformed.clone())?;
        if padding > 0 {
            return Err(malformed);
        }
        bits = bits << 6 | value as u32;
        count = count.wrapping_add(1);
        if count % 4 == 0 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    match (count % 4, padding) {
        (0, 0) => {}
        (2, 2) => out.push((bits >> 4) as u8),
        (3, 1) => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return Err(malformed),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encodes_as_everybody_else() {
        assert_eq!(encode("X", b"Man"), "-----BEGIN X-----\nTWFu\n-----END X-----\n");
        assert_eq!(encode("X", b"Ma"), "-----BEGIN X-----\nTWE=\n-----END X-----\n");
        assert_eq!(encode("X", b"M"), "-----BEGIN X-----\nTQ==\n-----END X-----\n");
    }

    #[test]
    fn damaged_text_is_refused() {
        for bad in [
            "",
            "-----BEGIN X-----\nTWFu",
            "-----BEGIN X-----TW=u-----END X-----",
            "-----BEGIN X-----T-----END X-----",
        ] {
            assert!(decode("X", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_chain_of_blocks_is_read_in_order() {
        let text =
            format!("comment\n{}{}{}", encode("A", b"one"), encode("B", b"two"), encode("A", b"three"));
        assert_eq!(decode_all("A", &text), Ok(vec![b"one".to_vec(), b"three".to_vec()]));
        assert_eq!(decode_all("C", &text), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(der in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(decode("A KEY", &encode("A KEY", &der)), Ok(der));
        }
    }
}
