//! Tokens: what the lexer gives and the parser decides by.

use crate::keyword::Keyword;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tok {
    /// The end of the text.
    End,
    /// Something that no grammar accepts: an open quote, a stray byte, a malformed literal.
    Abort,
    /// A name without quotes that is no keyword.
    Ident,
    /// A name in quotes.
    QuotedIdent,
    /// What follows `@` without a quote; may be empty.
    HostName,
    /// A keyword.
    Keyword(Keyword),
    /// Digits.
    Integer,
    /// Digits with a point.
    Decimal,
    /// A number with an exponent.
    Float,
    /// A string in quotes.
    String,
    /// `N'..'`.
    NationalString,
    /// `x'..'`.
    HexString,
    /// `0x..`.
    HexNumber,
    /// `b'..'`.
    BitString,
    /// `0b..`.
    BitNumber,
    /// `_utf8mb4` and the other character sets.
    Introducer,
    /// `?`.
    Parameter,
    /// `(`.
    LeftParen,
    /// `)`.
    RightParen,
    /// `,`.
    Comma,
    /// `.`.
    Dot,
    /// `;`.
    Semicolon,
    /// `:`.
    Colon,
    /// `@`.
    At,
    /// `=`.
    Equal,
    /// `<=>`.
    NullSafeEqual,
    /// `<>`, `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `<<`.
    ShiftLeft,
    /// `>>`.
    ShiftRight,
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Star,
    /// `/`.
    Slash,
    /// `%`.
    Percent,
    /// `|`.
    Pipe,
    /// `||`.
    PipePipe,
    /// `&`.
    Ampersand,
    /// `&&`.
    AndAnd,
    /// `^`.
    Caret,
    /// `~`.
    Tilde,
    /// `!`.
    Bang,
    /// `:=`.
    Assign,
    /// `->`.
    Arrow,
    /// `->>`.
    ArrowText,
    /// `{`.
    LeftBrace,
    /// `}`.
    RightBrace,
}

/// A token: its kind and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) start: u32,
    pub(crate) end: u32,
}
