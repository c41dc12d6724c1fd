//! A statement cut into tokens, loosely: enough to tell literals from everything else.
//!
//! Every byte of the text belongs to a token or is a blank between two. Nothing fails: an open quote or
//! comment ends with the text. Strings know backslashes and doubled quotes, as MySQL reads them by default.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word: keyword or name
    Word,
    /// A name in backticks
    Name,
    /// A text, a number, bits: a value written in the statement
    Literal,
    /// `?`
    Placeholder,
    /// `@a`, `@@b`
    Variable,
    /// An operator or a sign
    Symbol,
    /// A hint: `/*+ ... */`
    Hint,
    /// A comment
    Comment,
}

/// A piece of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Where it begins, in bytes
    pub(crate) start: usize,
    /// A literal that a sign may stand before
    pub(crate) is_number: bool,
}

/// The tokens of a text in order, comments included.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    Tokens { text, at: 0, in_version: false }
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Within `/*! ... */`, whose content counts and whose end does not
    in_version: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let blank = rest.len() - rest.trim_start().len();
            self.at += blank;
            let rest = &self.text[self.at..];
            if rest.is_empty() {
                return None;
            }
            if self.in_version && rest.starts_with("*/") {
                (self.in_version, self.at) = (false, self.at + 2);
                continue;
            }
            if let Some(inside) = rest.strip_prefix("/*!") {
                let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
                (self.in_version, self.at) = (true, self.at + 3 + digits);
                continue;
            }
            let (kind, length, is_number) = token(rest);
            let start = self.at;
            self.at += length;
            return Some(Token { kind, text: &rest[..length], start, is_number });
        }
    }
}

/// Kind and length of the token that a text begins with.
fn token(rest: &str) -> (Kind, usize, bool) {
    let bytes = rest.as_bytes();
    let line = || rest.find('\n').unwrap_or(rest.len());
    let block = || rest.get(2..).and_then(|r| r.find("*/")).map_or(rest.len(), |end| end + 4);
    match bytes[0] {
        b'#' => (Kind::Comment, line(), false),
        b'-' if rest.starts_with("--") && bytes.get(2).is_none_or(u8::is_ascii_whitespace) => {
            (Kind::Comment, line(), false)
        }
        b'/' if rest.starts_with("/*+") => (Kind::Hint, block(), false),
        b'/' if rest.starts_with("/*") => (Kind::Comment, block(), false),
        quote @ (b'\'' | b'"') => (Kind::Literal, quoted(bytes, quote), false),
        b'`' => (Kind::Name, quoted(bytes, b'`'), false),
        b'?' => (Kind::Placeholder, 1, false),
        b'@' => (Kind::Variable, variable(bytes), false),
        b'0'..=b'9' => number_or_word(rest),
        b'.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => (Kind::Literal, number(bytes), true),
        byte if is_word(byte) => word(rest),
        _ => (Kind::Symbol, symbol(bytes), false),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_word(**byte)).count()
}

/// Length of a quoted piece with both its quotes.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    // A backslash at the very end must not cut a character: the text ends here.
    bytes.len()
}

fn variable(bytes: &[u8]) -> usize {
    let signs = bytes.iter().take_while(|byte| **byte == b'@').count();
    match bytes.get(signs) {
        Some(quote @ (b'\'' | b'"' | b'`')) => signs + quoted(&bytes[signs..], *quote),
        _ => {
            let name = bytes[signs..].iter().take_while(|byte| is_word(**byte) || **byte == b'.').count();
            signs + name
        }
    }
}

/// A number, or a name that begins with digits.
fn number_or_word(rest: &str) -> (Kind, usize, bool) {
    let bytes = rest.as_bytes();
    let word = word_length(bytes);
    let prefixed = (rest.starts_with("0x") && bytes[2..word].iter().all(u8::is_ascii_hexdigit))
        || (rest.starts_with("0b") && bytes[2..word].iter().all(|b| matches!(b, b'0' | b'1')));
    if prefixed && word > 2 {
        return (Kind::Literal, word, true);
    }
    let length = number(bytes);
    match length >= word {
        true => (Kind::Literal, length, true),
        false => (Kind::Word, word, false),
    }
}

/// Length of digits, a fraction and an exponent.
fn number(bytes: &[u8]) -> usize {
    let digits =
        |from: usize| bytes[from.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut length = digits(0);
    if bytes.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// A word, or a literal that a word introduces: `N'a'`, `x'ff'`, `_utf8mb4'a'`.
fn word(rest: &str) -> (Kind, usize, bool) {
    let bytes = rest.as_bytes();
    let length = word_length(bytes);
    let introduces = bytes[0] == b'_' || (length == 1 && matches!(bytes[0] | 0x20, b'n' | b'x' | b'b'));
    match bytes.get(length) {
        Some(quote @ (b'\'' | b'"')) if introduces => {
            (Kind::Literal, length + quoted(&bytes[length..], *quote), false)
        }
        _ => (Kind::Word, length, false),
    }
}

fn symbol(bytes: &[u8]) -> usize {
    const LONGER: [&[u8]; 13] =
        [b"<=>", b"->>", b"<=", b">=", b"<>", b"!=", b":=", b"||", b"&&", b"<<", b">>", b"->", b"::"];
    LONGER.iter().find(|symbol| bytes.starts_with(symbol)).map_or(1, |symbol| symbol.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn literals_are_told_from_names() {
        use Kind::*;
        assert_eq!(
            kinds("1a 0xfg 0xff 1e5 1.e x'ff' xs 'a\\'b' `c``d` @'e' @@f.g _h'i'"),
            [
                (Word, "1a"),
                (Word, "0xfg"),
                (Literal, "0xff"),
                (Literal, "1e5"),
                (Literal, "1."),
                (Word, "e"),
                (Literal, "x'ff'"),
                (Word, "xs"),
                (Literal, "'a\\'b'"),
                (Name, "`c``d`"),
                (Variable, "@'e'"),
                (Variable, "@@f.g"),
                (Literal, "_h'i'"),
            ]
        );
    }

    #[test]
    fn comments_need_what_mysql_needs() {
        use Kind::*;
        assert_eq!(
            kinds("a--1 -- b\n/**/ /*+ c */ #d"),
            [
                (Word, "a"),
                (Symbol, "-"),
                (Symbol, "-"),
                (Literal, "1"),
                (Comment, "-- b"),
                (Comment, "/**/"),
                (Hint, "/*+ c */"),
                (Comment, "#d"),
            ]
        );
    }

    #[test]
    fn a_backslash_or_quote_at_the_end_is_no_trap() {
        for text in ["'\\", "'é\\", "`", "@", "@'", "/*", "/*!", "0x", "0b", "é\u{a0}"] {
            let _ = tokens(text).count();
        }
    }
}
