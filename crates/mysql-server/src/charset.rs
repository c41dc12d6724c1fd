//! Between the client's character sets and the UTF-8 that everything else here speaks.
//!
//! Statements come in `character_set_client`, results leave in `character_set_results`. utf8mb4, utf8mb3,
//! ascii and binary are UTF-8 already; latin1 (cp1252, as MySQL has it) is transcoded, and a character that
//! the client's set lacks becomes `?`, as in MySQL.
//!
//! MySQL takes a statement as bytes, and drivers use that: they write binary values into the text behind the
//! introducer `_binary` or plainly. Our SQL takes text only, so a statement that is no UTF-8 has those literals
//! rewritten in hexadecimal ([`crate::binary_literal`]); one that is no UTF-8 elsewhere is refused with 1300.

use crate::binary_literal;
use rustydb_mysql_protocol::wire::{Put, put_lenenc_written};
use rustydb_sql::SqlError;
use rustydb_value::collation::{latin1_byte, latin1_char};
use rustydb_value::{Charset, Collation};
use std::borrow::Cow;

/// Bytes of a bad string that an error shows.
const SHOWN: usize = 6;

/// A name or another short text from the client.
///
/// # Errors
/// 1300 for bytes that are no text in `charset`.
pub(crate) fn decode_text(bytes: &[u8], charset: Charset) -> Result<Cow<'_, str>, SqlError> {
    match charset {
        Charset::Latin1 => Ok(decode_latin1(bytes)),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err(invalid(bytes, error.valid_up_to(), charset)),
        },
    }
}

/// A statement's text.
///
/// # Errors
/// 1300 for bytes outside binary literals that are no text in `charset`.
pub(crate) fn decode_statement(
    bytes: &[u8],
    charset: Charset,
    no_backslash_escapes: bool,
) -> Result<Cow<'_, str>, SqlError> {
    match decode_text(bytes, charset) {
        Ok(text) => Ok(text),
        Err(error) => binary_literal::rewrite(bytes, no_backslash_escapes).map(Cow::Owned).ok_or(error),
    }
}

/// What a name or message becomes when some of it cannot be read.
pub(crate) fn decode_lossy(bytes: &[u8], charset: Charset) -> Cow<'_, str> {
    match charset {
        Charset::Latin1 => decode_latin1(bytes),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn decode_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|&byte| latin1_char(byte)).collect()),
    }
}

fn invalid(bytes: &[u8], at: usize, charset: Charset) -> SqlError {
    let shown = bytes.get(at..).unwrap_or_default().iter().take(SHOWN);
    let digits = shown.fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
    let name = charset.name();
    SqlError::new(1300, b"HY000", format!("Invalid {name} character string: '{digits}'"))
}

/// How text leaves for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResultText {
    /// The character set that text columns report; none reports each column's own.
    charset: Option<Charset>,
    /// The character set into which text is converted; none leaves it in UTF-8.
    convert: Option<Charset>,
}

impl ResultText {
    /// Text for a session with these results; see [`crate::Session::character_set_results`].
    pub(crate) fn new(charset: Option<Charset>) -> ResultText {
        let convert = charset.filter(|charset| match charset {
            Charset::Latin1 | Charset::Ascii | Charset::Utf8mb3 => true,
            Charset::Utf8mb4 | Charset::Binary => false,
        });
        ResultText { charset, convert }
    }

    /// Whether text has to be converted.
    #[inline]
    pub(crate) fn converts(self) -> bool {
        self.convert.is_some()
    }

    /// Appends a text as a length-encoded string.
    pub(crate) fn put_lenenc(self, out: &mut Vec<u8>, text: &str) {
        match self.convert {
            Some(charset) if !text.is_ascii() => {
                put_lenenc_written(out, |out| encode(out, text, charset));
            }
            _ => out.put_lenenc_bytes(text.as_bytes()),
        }
    }

    /// A text's bytes.
    pub(crate) fn bytes(self, text: &str) -> Cow<'_, [u8]> {
        match self.convert {
            Some(charset) if !text.is_ascii() => {
                let mut out = Vec::with_capacity(text.len());
                encode(&mut out, text, charset);
                Cow::Owned(out)
            }
            _ => Cow::Borrowed(text.as_bytes()),
        }
    }

    /// The collation number and length in bytes that a column reports, from its own.
    ///
    /// MySQL counts the characters that the column's bytes can hold, and reports the bytes that so many take
    /// in the results' character set; for TEXT types it counts a character a byte.
    pub(crate) fn reported(self, collation: u16, length: u32, is_lob: bool) -> (u16, u32) {
        const BINARY: u16 = Collation::BINARY.id();
        let Some(results) = self.charset.filter(|_| collation != BINARY) else {
            return (collation, length);
        };
        let own = Collation::from_id(collation).map_or(1, |own| own.charset().max_bytes_per_char());
        let characters = if is_lob { length } else { length / own.max(1) };
        (results.default_collation().id(), characters.saturating_mul(results.max_bytes_per_char()))
    }
}

fn encode(out: &mut Vec<u8>, text: &str, charset: Charset) {
    match charset {
        Charset::Latin1 => out.extend(text.chars().map(|c| latin1_byte(c).unwrap_or(b'?'))),
        Charset::Ascii => out.extend(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' })),
        Charset::Utf8mb3 => {
            for character in text.chars() {
                let character = if character.len_utf8() > 3 { '?' } else { character };
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Charset::Utf8mb4 | Charset::Binary => out.extend_from_slice(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(charset: Charset, text: &str) -> Vec<u8> {
        ResultText::new(Some(charset)).bytes(text).into_owned()
    }

    #[test]
    fn latin1_goes_in_and_out_as_cp1252() {
        let text = decode_statement(b"SELECT '\xe9\x80\x81'", Charset::Latin1, false).unwrap();
        assert_eq!(text, "SELECT 'é€\u{81}'");
        assert_eq!(sent(Charset::Latin1, "é€\u{81}中"), b"\xe9\x80\x81?");
        assert_eq!(sent(Charset::Utf8mb4, "é"), "é".as_bytes());
        assert_eq!(sent(Charset::Ascii, "aé"), b"a?");
        assert_eq!(sent(Charset::Utf8mb3, "é😀"), "é?".as_bytes());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_mysqls_error() {
        let error = decode_statement(b"SELECT \xff\x00", Charset::Utf8mb4, false).unwrap_err();
        assert_eq!((error.code, error.sqlstate), (1300, *b"HY000"));
        assert_eq!(error.message, "Invalid utf8mb4 character string: 'FF00'");
    }

    #[test]
    fn binary_literals_are_taken_as_they_are() {
        let text = decode_statement(b"INSERT INTO t VALUES (_binary'\xff\\0a')", Charset::Utf8mb4, false);
        assert_eq!(text.unwrap(), "INSERT INTO t VALUES (_binary X'FF0061')");
    }

    #[test]
    fn columns_report_what_mysql_reports() {
        let utf8 = ResultText::new(Some(Charset::Utf8mb4));
        let latin1 = ResultText::new(Some(Charset::Latin1));
        assert_eq!(utf8.reported(255, 400, false), (255, 400));
        assert_eq!(latin1.reported(255, 400, false), (8, 100));
        assert_eq!(utf8.reported(8, 100, false), (255, 400));
        assert_eq!(utf8.reported(255, 65_535, true), (255, 262_140));
        assert_eq!(utf8.reported(255, u32::MAX, true), (255, u32::MAX));
        assert_eq!(utf8.reported(63, 11, false), (63, 11));
        assert_eq!(ResultText::new(None).reported(255, 400, false), (255, 400));
    }
}
