//! Literals, kept exactly as far as their value goes.

/// A constant written in the statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// `TRUE` or `FALSE`.
    Boolean(bool),
    /// Digits only, at most `u64::MAX`; more digits than that make a [`Literal::Decimal`].
    Integer(u64),
    /// An exact number with a point or too large for 64 bits, as written: `1.50`, `.5`, `5.`.
    Decimal(Box<str>),
    /// A number with an exponent, as written: `1e3`.
    Float(Box<str>),
    /// A string.
    String(StringLiteral),
    /// `x'4D79'`, `0x4D79`: the bytes. With a character set introducer it is a string of that set.
    Hex(BitString),
    /// `b'101'`, `0b101`: the bytes, left-padded to whole bytes.
    Bit(BitString),
    /// `DATE '2020-01-01'`, with the text as written.
    Date(Box<str>),
    /// `TIME '10:00:00'`.
    Time(Box<str>),
    /// `TIMESTAMP '2020-01-01 10:00:00'`.
    Timestamp(Box<str>),
}

/// A character string literal after unescaping and joining of adjacent parts.
///
/// The bytes are UTF-8 unless the statement came in as raw bytes (a `_binary'..'` literal of a dump or of
/// a client that interpolates parameters).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StringLiteral {
    /// The introducer's character set, lower case without the underscore: `_utf8mb4'x'`; `N'x'` is `utf8mb3`.
    pub charset: Option<Box<str>>,
    /// The content.
    pub value: Box<[u8]>,
}

impl StringLiteral {
    /// A literal without introducer.
    pub fn plain(value: &str) -> StringLiteral {
        StringLiteral { charset: None, value: value.as_bytes().into() }
    }

    /// The content as text, if it is UTF-8 (always, when the statement was parsed from `&str`).
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.value).ok()
    }
}

/// A hexadecimal or bit literal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitString {
    /// The introducer's character set, if written.
    pub charset: Option<Box<str>>,
    /// Big-endian bytes.
    pub value: Box<[u8]>,
}
