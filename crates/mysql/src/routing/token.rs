//! A tokenizer for MySQL's SQL: enough of the language to know words from what only looks like words.
//!
//! It knows quoted texts and names, numbers, variables, the three kinds of comments, hints (`/*+ .. */`) and
//! version comments (`/*!80000 .. */`, MariaDB's `/*M!100100 .. */`). It allocates nothing and reads each byte
//! once. What a text means can depend on things that a client does not know for certain: whether a backslash
//! escapes (`NO_BACKSLASH_ESCAPES`), whether `"` quotes a name (`ANSI_QUOTES`), whether a server's version is
//! high enough for a version comment. A [`Reading`] fixes these three; [`Tokens::doubts`] says which of them
//! would have mattered, and the caller reads again the other way where it must be sure.
//!
//! Invariants: never panics, always moves forward, ends at the end of the text. Left to others: grammar.

/// How to read what depends on the session or the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// A backslash in a text in single quotes escapes the next byte.
    pub(crate) single_escapes: bool,
    /// A backslash in a text in double quotes escapes the next byte.
    pub(crate) double_escapes: bool,
    /// What stands in a version comment is part of the statement.
    pub(crate) version_comments: bool,
}

impl Reading {
    /// A server with default settings and a version beyond every version comment.
    pub(crate) const DEFAULT: Reading =
        Reading { single_escapes: true, double_escapes: true, version_comments: true };
}

/// Which parts of a [`Reading`] a text depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Doubts {
    /// A backslash stands before a quote.
    pub(crate) escapes: bool,
    /// There is a version comment.
    pub(crate) version_comments: bool,
    /// A text, a name or a comment has no end.
    pub(crate) unfinished: bool,
}

/// One token; slices are of the text without quotes' meaning resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A keyword or an unquoted name.
    Word(&'a [u8]),
    /// A name in backticks, with them.
    QuotedName(&'a [u8]),
    /// A text in single or double quotes, with them.
    Text(&'a [u8]),
    /// A number, or a name that begins with a digit.
    Number(&'a [u8]),
    /// `@name`, with the `@`.
    UserVariable(&'a [u8]),
    /// `@@name` up to the first dot, with the `@@`.
    SystemVariable(&'a [u8]),
    /// What stands inside `/*+ .. */`.
    Hint(&'a [u8]),
    /// `:=`
    Assign,
    /// Any other byte.
    Symbol(u8),
}

/// The tokens of a text.
pub(crate) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    reading: Reading,
    in_version_comment: bool,
    doubts: Doubts,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(sql: &'a str, reading: Reading) -> Tokens<'a> {
        Tokens { text: sql.as_bytes(), at: 0, reading, in_version_comment: false, doubts: Doubts::default() }
    }

    /// What another reading of the text so far might see differently.
    pub(crate) fn doubts(&self) -> Doubts {
        self.doubts
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Moves to behind the next `end`, or to the end of the text.
    fn skip_past(&mut self, end: &[u8]) {
        let rest = self.rest();
        match rest.windows(end.len()).position(|window| window == end) {
            Some(found) => self.at += found + end.len(),
            None => {
                self.doubts.unfinished = true;
                self.at = self.text.len();
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |found| found + 1);
    }

    fn skip_word(&mut self) {
        let rest = self.rest();
        self.at += rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
    }

    /// Moves behind the quoted run whose opening quote is at the current place.
    fn skip_quoted(&mut self, quote: u8) {
        let escapes = match quote {
            b'\'' => self.reading.single_escapes,
            b'"' => self.reading.double_escapes,
            _ => false,
        };
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == quote {
                if self.peek(0) != Some(quote) {
                    return;
                }
                self.at += 1;
            } else if byte == b'\\' && quote != b'`' {
                self.doubts.escapes |= self.peek(0) == Some(quote);
                if escapes {
                    // A backslash and the byte it escapes can stand before a quote that only one reading ends at.
                    self.doubts.escapes |= self.peek(1) == Some(quote);
                    self.at += 1;
                }
            }
        }
        self.at = self.text.len();
        self.doubts.unfinished = true;
    }

    /// Reads the comment at the current place; a hint is a token, a version comment opens.
    fn comment(&mut self) -> Option<Token<'a>> {
        match (self.peek(2), self.peek(3)) {
            (Some(b'+'), _) => {
                let start = self.at + 3;
                self.at = start;
                self.skip_past(b"*/");
                let inside = self.text.get(start..self.at).unwrap_or_default();
                return Some(Token::Hint(inside.strip_suffix(b"*/").unwrap_or(inside)));
            }
            (Some(b'!'), _) | (Some(b'M'), Some(b'!')) if !self.in_version_comment => {
                self.doubts.version_comments = true;
                if self.reading.version_comments {
                    self.at += if self.peek(2) == Some(b'M') { 4 } else { 3 };
                    let digits = self.rest().iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                    // Five or six digits are a version; fewer belong to the statement.
                    self.at += if digits >= 5 { digits } else { 0 };
                    self.in_version_comment = true;
                } else {
                    self.at += 2;
                    self.skip_past(b"*/");
                }
            }
            _ => {
                self.at += 2;
                self.skip_past(b"*/");
            }
        }
        None
    }

    fn variable(&mut self) -> Token<'a> {
        let start = self.at;
        let system = self.peek(1) == Some(b'@');
        self.at += if system { 2 } else { 1 };
        match self.peek(0) {
            Some(quote @ (b'`' | b'\'' | b'"')) => self.skip_quoted(quote),
            _ => {
                self.skip_word();
                // A user variable's name may hold dots.
                while !system && self.peek(0) == Some(b'.') {
                    self.at += 1;
                    self.skip_word();
                }
            }
        }
        match system {
            true => Token::SystemVariable(self.since(start)),
            false => Token::UserVariable(self.since(start)),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let start = self.at;
            let byte = self.peek(0)?;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0 => self.at += 1,
                b'0'..=b'9' => {
                    self.skip_word();
                    return Some(Token::Number(self.since(start)));
                }
                _ if is_word(byte) => {
                    self.skip_word();
                    return Some(Token::Word(self.since(start)));
                }
                b'\'' | b'"' => {
                    self.skip_quoted(byte);
                    return Some(Token::Text(self.since(start)));
                }
                b'`' => {
                    self.skip_quoted(byte);
                    return Some(Token::QuotedName(self.since(start)));
                }
                b'@' => return Some(self.variable()),
                b'#' => self.skip_line(),
                b'-' if self.peek(1) == Some(b'-') && self.peek(2).is_none_or(|byte| byte <= b' ') => {
                    self.skip_line();
                }
                b'/' if self.peek(1) == Some(b'*') => {
                    if let Some(hint) = self.comment() {
                        return Some(hint);
                    }
                }
                b'*' if self.in_version_comment && self.peek(1) == Some(b'/') => {
                    self.in_version_comment = false;
                    self.at += 2;
                }
                b':' if self.peek(1) == Some(b'=') => {
                    self.at += 2;
                    return Some(Token::Assign);
                }
                _ => {
                    self.at += 1;
                    return Some(Token::Symbol(byte));
                }
            }
        }
    }
}

/// Bytes of unquoted names; everything beyond ASCII may be part of one.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80;
        byte += 1;
    }
    table
};

#[inline]
fn is_word(byte: u8) -> bool {
    WORD[byte as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(sql: &str, reading: Reading) -> String {
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Tokens::new(sql, reading)
            .map(|token| match token {
                Token::Word(word) => show(word),
                Token::QuotedName(name) => format!("name{}", show(name)),
                Token::Text(text) => format!("text{}", show(text)),
                Token::Number(number) => format!("number({})", show(number)),
                Token::UserVariable(name) | Token::SystemVariable(name) => show(name),
                Token::Hint(hint) => format!("hint({})", show(hint)),
                Token::Assign => ":=".to_owned(),
                Token::Symbol(byte) => show(&[byte]),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn comments_hints_and_literals_are_told_from_words() {
        let sql = "SELECT /*+ PRIMARY */ a.`for` /* UPDATE */ -- INTO\n, 'it''s -- x', \"/*\" # FOR\n FROM t1 WHERE b=--1";
        let expected = "SELECT hint( PRIMARY ) a . name`for` , text'it''s -- x' , text\"/*\" FROM t1 WHERE b = - - number(1)";
        assert_eq!(shown(sql, Reading::DEFAULT), expected);
        assert_eq!(
            shown("SELECT @a.b := @@global.x, @`q`, 0x1F", Reading::DEFAULT),
            "SELECT @a.b := @@global . x , @`q` , number(0x1F)"
        );
    }

    #[test]
    fn version_comments_are_code_or_comments_as_asked() {
        let sql = "SELECT 1 /*!80000 /* inner */ INTO */ /*M!100100 x */ /*!12 y */";
        assert_eq!(shown(sql, Reading::DEFAULT), "SELECT number(1) INTO x number(12) y");
        let without = Reading { version_comments: false, ..Reading::DEFAULT };
        assert_eq!(shown("SELECT 1 /*!80000 INTO */ x", without), "SELECT number(1) x");
    }

    #[test]
    fn a_backslash_before_a_quote_is_a_doubt() {
        let sql = r"SELECT '\' OR '";
        assert_eq!(shown(sql, Reading::DEFAULT), r"SELECT text'\' OR '");
        let plain = Reading { single_escapes: false, double_escapes: false, ..Reading::DEFAULT };
        assert_eq!(shown(sql, plain), r"SELECT text'\' OR text'");
        let mut tokens = Tokens::new(sql, Reading::DEFAULT);
        tokens.by_ref().for_each(drop);
        assert!(tokens.doubts().escapes && !tokens.doubts().unfinished);
    }

    #[test]
    fn what_has_no_end_is_said_and_read_to_the_end() {
        for sql in ["SELECT 'a", "SELECT /* a", "SELECT `a", "SELECT \"\\", "/*+ a", "/*!50000 'x"] {
            let mut tokens = Tokens::new(sql, Reading::DEFAULT);
            tokens.by_ref().for_each(drop);
            assert!(tokens.doubts().unfinished, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(sql in "[a-z'\"`\\\\/*!+@:;\\-# \n0-9MÄ]{0,60}") {
            for version_comments in [true, false] {
                let reading = Reading { version_comments, ..Reading::DEFAULT };
                let mut tokens = Tokens::new(&sql, reading);
                let count = tokens.by_ref().count();
                prop_assert!(count <= sql.len());
                prop_assert!(tokens.rest().is_empty());
            }
        }
    }
}
