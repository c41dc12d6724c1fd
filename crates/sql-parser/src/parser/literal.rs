//! Literals: their values from their spelling.

use super::{Parser, Result};
use crate::ParseOptions;
use crate::ast::{BitString, Ident, Literal, Span, StringLiteral};
use crate::keyword::Keyword;
use crate::token::Tok;
use std::borrow::Cow;

/// The content of a string token: its quotes off, doubled quotes and escapes resolved.
pub(crate) fn string_content<'b>(token: &'b [u8], options: &ParseOptions) -> Cow<'b, [u8]> {
    let quote = token.first().copied().unwrap_or(b'\'');
    let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    let escapes = !options.no_backslash_escapes;
    if !inner.iter().any(|b| *b == quote || (*b == b'\\' && escapes)) {
        return Cow::Borrowed(inner);
    }
    let mut content = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte == quote {
            bytes.next();
            content.push(byte);
        } else if byte == b'\\' && escapes {
            match bytes.next() {
                Some(b'0') => content.push(0),
                Some(b'b') => content.push(8),
                Some(b'n') => content.push(b'\n'),
                Some(b'r') => content.push(b'\r'),
                Some(b't') => content.push(b'\t'),
                Some(b'Z') => content.push(0x1A),
                // LIKE sees these two with their backslash.
                Some(wildcard @ (b'%' | b'_')) => content.extend([b'\\', wildcard]),
                Some(other) => content.push(other),
                None => {}
            }
        } else {
            content.push(byte);
        }
    }
    Cow::Owned(content)
}

impl Parser<'_> {
    /// The content of a string token.
    pub(super) fn string_content<'b>(&self, token: &'b [u8]) -> Cow<'b, [u8]> {
        string_content(token, &self.options)
    }

    /// A single string without introducer, where the grammar takes only that.
    pub(super) fn string(&mut self) -> Result<StringLiteral> {
        if !self.at(Tok::String) {
            return self.fail();
        }
        let value = self.string_content(self.bytes(self.token)).into();
        self.advance();
        Ok(StringLiteral { charset: None, value })
    }

    /// A string, or a hexadecimal or bit literal as one (`TEXT_STRING_literal` and its like).
    pub(super) fn text_or_bits(&mut self) -> Result<StringLiteral> {
        if self.at(Tok::String) {
            return self.string();
        }
        match self.bits(None) {
            Some(Literal::Hex(bits) | Literal::Bit(bits)) => {
                Ok(StringLiteral { charset: None, value: bits.value })
            }
            _ => self.fail(),
        }
    }

    /// A string with everything that belongs to it: introducer and adjacent strings.
    pub(super) fn text_path(&mut self) -> Result<StringLiteral> {
        if !matches!(self.token.tok, Tok::String | Tok::NationalString | Tok::Introducer) {
            return self.fail();
        }
        match self.literal()? {
            Some(Literal::String(text)) => Ok(text),
            _ => self.fail_at(self.previous_start),
        }
    }

    /// A hexadecimal or bit literal.
    fn bits(&mut self, charset: Option<Box<str>>) -> Option<Literal> {
        let bytes = self.bytes(self.token);
        let digits = match self.token.tok {
            Tok::HexNumber | Tok::BitNumber => bytes.get(2..),
            Tok::HexString | Tok::BitString => bytes.get(2..bytes.len().saturating_sub(1)),
            _ => return None,
        }
        .unwrap_or_default();
        let literal = if matches!(self.token.tok, Tok::HexNumber | Tok::HexString) {
            Literal::Hex(BitString { charset, value: pack(digits, 4) })
        } else {
            Literal::Bit(BitString { charset, value: pack(digits, 1) })
        };
        self.advance();
        Some(literal)
    }

    /// Any literal that begins at the current token, without sign. `None` if none does.
    pub(super) fn literal(&mut self) -> Result<Option<Literal>> {
        let bytes = self.bytes(self.token);
        let literal = match self.token.tok {
            Tok::Integer => self.integer_literal(bytes)?,
            Tok::Decimal => Literal::Decimal(self.utf8(bytes)?.into()),
            Tok::Float => Literal::Float(self.utf8(bytes)?.into()),
            Tok::String => return self.text_literal(None).map(Some),
            Tok::NationalString => {
                let first = self.string_content(&bytes[1..]).into_owned();
                self.advance();
                return Ok(Some(self.joined(Some("utf8mb3".into()), first)));
            }
            Tok::Introducer => {
                let charset = self.utf8(&bytes[1..])?.to_ascii_lowercase().into_boxed_str();
                self.advance();
                if self.at(Tok::String) {
                    return self.text_literal(Some(charset)).map(Some);
                }
                return match self.bits(Some(charset)) {
                    Some(literal) => Ok(Some(literal)),
                    None => self.fail(),
                };
            }
            Tok::Keyword(Keyword::Null) => Literal::Null,
            Tok::Keyword(Keyword::True) => Literal::Boolean(true),
            Tok::Keyword(Keyword::False) => Literal::Boolean(false),
            _ => return Ok(self.bits(None)),
        };
        self.advance();
        Ok(Some(literal))
    }

    fn integer_literal(&self, bytes: &[u8]) -> Result<Literal> {
        let text = self.utf8(bytes)?;
        Ok(match text.parse() {
            Ok(value) => Literal::Integer(value),
            Err(_) => Literal::Decimal(text.into()),
        })
    }

    /// A string and the strings that follow it, as one.
    fn text_literal(&mut self, charset: Option<Box<str>>) -> Result<Literal> {
        let content = self.string_content(self.bytes(self.token));
        self.advance();
        if !self.at(Tok::String) {
            return Ok(Literal::String(StringLiteral { charset, value: content.into() }));
        }
        let first = content.into_owned();
        Ok(self.joined(charset, first))
    }

    fn joined(&mut self, charset: Option<Box<str>>, mut value: Vec<u8>) -> Literal {
        while self.at(Tok::String) {
            value.extend_from_slice(&self.string_content(self.bytes(self.token)));
            self.advance();
        }
        Literal::String(StringLiteral { charset, value: value.into() })
    }

    /// An unsigned number of at most 64 bits; a decimal or float is cut, as MySQL does (`ulonglong_num`).
    pub(super) fn number(&mut self) -> Result<u64> {
        let bytes = self.bytes(self.token);
        let value = match self.token.tok {
            Tok::Integer | Tok::Decimal | Tok::Float => leading_digits(bytes),
            Tok::HexNumber | Tok::HexString => match self.bits(None) {
                Some(Literal::Hex(bits)) => return Ok(big_endian(&bits.value)),
                _ => return self.fail(),
            },
            _ => return self.fail(),
        };
        self.advance();
        Ok(value)
    }

    /// A plain integer.
    pub(super) fn integer(&mut self) -> Result<u64> {
        if !self.at(Tok::Integer) {
            return self.fail();
        }
        let value = leading_digits(self.bytes(self.token));
        self.advance();
        Ok(value)
    }

    /// A plain integer of at most 32 bits; a larger one becomes the largest.
    pub(super) fn small_integer(&mut self) -> Result<u32> {
        Ok(u32::try_from(self.integer()?).unwrap_or(u32::MAX))
    }

    /// The current keyword as a name in upper case.
    pub(super) fn keyword_ident(&mut self, keyword: Keyword) -> Ident {
        let span = Span { start: self.token.start, end: self.token.end };
        self.advance();
        Ident { value: keyword.word().into(), span }
    }
}

fn leading_digits(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b - b'0')))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// Digits of `bits` bits each to bytes, left-padded.
fn pack(digits: &[u8], bits: usize) -> Box<[u8]> {
    let per_byte = 8 / bits;
    let mut bytes = vec![0u8; digits.len().div_ceil(per_byte)];
    for (i, digit) in digits.iter().rev().enumerate() {
        let value = char::from(*digit).to_digit(16).unwrap_or(0) as u8;
        let at = bytes.len() - 1 - i / per_byte;
        bytes[at] |= value << (i % per_byte * bits);
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParseOptions;

    #[test]
    fn digits_pack_from_the_right() {
        assert_eq!(*pack(b"1fF", 4), [0x01, 0xFF]);
        assert_eq!(*pack(b"101", 1), [5]);
        assert_eq!(*pack(b"100000000", 1), [1, 0]);
        assert!(pack(b"", 4).is_empty());
    }

    #[test]
    fn escapes() {
        let parser = Parser::new(b"", 0, ParseOptions::default());
        let content = |text: &str| String::from_utf8(parser.string_content(text.as_bytes()).into_owned());
        assert_eq!(content(r"'a\0\b\n\r\t\Z\\\'\q\%\_'").as_deref(), Ok("a\0\u{8}\n\r\t\u{1A}\\'q\\%\\_"));
        assert_eq!(content("'it''s \"x\"'").as_deref(), Ok("it's \"x\""));
        assert_eq!(content("\"a\"\"b''\"").as_deref(), Ok("a\"b''"));
    }

    #[test]
    fn numbers_saturate() {
        assert_eq!(leading_digits(b"18446744073709551615"), u64::MAX);
        assert_eq!(leading_digits(b"99999999999999999999999"), u64::MAX);
        assert_eq!(leading_digits(b"12.9"), 12);
    }
}
