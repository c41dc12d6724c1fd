//! From bytes to tokens.
//!
//! A token is its kind and its byte range; its text stays in the statement and nothing is copied here.
//! The lexer gives what MySQL's gives, its oddities included, because the parser reports errors by token:
//! a name directly before `.x` is never a keyword, nor is the one behind the dot; `@` switches to host
//! names, `@@` to variable names; `=!` is no operator; `1e` is a name and `1e5` a number; an executable
//! comment (`/*!80406 .. */`) is read as if its frame were blank.
//!
//! A text that ends inside a string, a quoted name or a comment gives [`Tok::Abort`] where that began.

use crate::ParseOptions;
use crate::charset::is_charset;
use crate::keyword::Keyword;
use crate::token::{Tok, Token};

/// What the previous token makes of the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Start,
    /// Directly behind a name: a dot with a name behind it.
    Dot,
    /// Directly behind a dot: a name, whatever it spells.
    Name,
    /// Behind `@`.
    Host,
    /// At the second `@` of `@@`.
    SystemVariable,
    /// Behind `@@`: a name or keyword.
    VariableName,
}

/// The tokens of a text, one by one.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
    mode: Mode,
    /// Inside `/*! .. */`.
    in_comment: bool,
    options: ParseOptions,
}

const SPACE: u8 = 1;
const NAME: u8 = 2;
const DIGIT: u8 = 4;
const COMPARISON: u8 = 8;

/// Byte classes.
static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0u8; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        if matches!(byte, b' ' | 9..=13) {
            table[b] |= SPACE;
        }
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80 {
            table[b] |= NAME;
        }
        if byte.is_ascii_digit() {
            table[b] |= DIGIT;
        }
        if matches!(byte, b'<' | b'=' | b'>' | b'!') {
            table[b] |= COMPARISON;
        }
        b += 1;
    }
    table
}

fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

impl<'a> Lexer<'a> {
    /// The tokens of `text` from `position` on.
    pub(crate) fn new(text: &'a [u8], position: usize, options: ParseOptions) -> Lexer<'a> {
        Lexer { text, position, mode: Mode::Start, in_comment: false, options }
    }

    /// The byte `ahead` of the current position; 0 behind the end.
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.position + ahead).copied().unwrap_or(0)
    }

    fn at_end(&self) -> bool {
        self.position >= self.text.len()
    }

    /// The next token. Behind the end it is [`Tok::End`] again and again.
    pub(crate) fn next(&mut self) -> Token {
        match self.mode {
            Mode::Start => {}
            Mode::Dot => {
                let start = self.position;
                self.position += 1;
                self.mode = if is(self.peek(0), NAME) { Mode::Name } else { Mode::Start };
                return self.token(Tok::Dot, start);
            }
            Mode::Name => {
                self.mode = Mode::Start;
                let start = self.position;
                return self.name_behind_dot(start);
            }
            Mode::Host => {
                self.mode = Mode::Start;
                let start = self.position;
                while is(self.peek(0), NAME) || self.peek(0) == b'.' {
                    self.position += 1;
                }
                return self.token(Tok::HostName, start);
            }
            Mode::SystemVariable => {
                let start = self.position;
                self.position += 1;
                self.mode = if self.peek(0) == b'`' { Mode::Start } else { Mode::VariableName };
                return self.token(Tok::At, start);
            }
            Mode::VariableName => {
                self.mode = Mode::Start;
                return self.variable_name();
            }
        }
        if let Some(abort) = self.skip_blanks() {
            return abort;
        }
        let start = self.position;
        if self.at_end() {
            let tok = if self.in_comment { Tok::Abort } else { Tok::End };
            return self.token(tok, start);
        }
        let tok = self.scan(start);
        self.token(tok, start)
    }

    fn token(&self, tok: Tok, start: usize) -> Token {
        Token { tok, start: start as u32, end: self.position as u32 }
    }

    /// Skips blanks and comments; an open comment gives the token that stops the parser.
    fn skip_blanks(&mut self) -> Option<Token> {
        loop {
            while is(self.peek(0), SPACE) {
                self.position += 1;
            }
            match self.peek(0) {
                b'#' => self.skip_line(),
                b'-' if self.peek(1) == b'-' => {
                    // `--5` is two signs: a comment needs a blank, a control character or the end.
                    let behind = self.peek(2);
                    if !is(behind, SPACE) && behind >= b' ' && behind != 0x7F {
                        return None;
                    }
                    self.skip_line();
                }
                b'/' if self.peek(1) == b'*' => {
                    let start = self.position;
                    if !self.skip_comment() {
                        self.position = self.text.len();
                        return Some(self.token(Tok::Abort, start));
                    }
                }
                b'*' if self.in_comment && self.peek(1) == b'/' => {
                    self.in_comment = false;
                    self.position += 2;
                }
                _ => return None,
            }
        }
    }

    fn skip_line(&mut self) {
        while !self.at_end() && self.peek(0) != b'\n' {
            self.position += 1;
        }
    }

    /// At `/*`: skips a comment, or enters an executable one. False if it has no end.
    fn skip_comment(&mut self) -> bool {
        self.position += 2;
        if self.peek(0) != b'!' {
            return self.skip_comment_body(false);
        }
        self.position += 1;
        let digits = (0..6).take_while(|&i| is(self.peek(i), DIGIT)).count();
        if digits < 5 {
            self.in_comment = true;
            return true;
        }
        let number = (0..digits).fold(0u32, |n, i| n * 10 + u32::from(self.peek(i) - b'0'));
        if number <= self.options.version {
            self.position += digits;
            self.in_comment = true;
            return true;
        }
        self.skip_comment_body(true)
    }

    /// Skips to behind `*/`. A skipped executable comment may hold plain comments.
    fn skip_comment_body(&mut self, nested: bool) -> bool {
        while !self.at_end() {
            if self.peek(0) == b'*' && self.peek(1) == b'/' {
                self.position += 2;
                return true;
            }
            if nested && self.peek(0) == b'/' && self.peek(1) == b'*' {
                self.position += 2;
                if !self.skip_comment_body(false) {
                    return false;
                }
                continue;
            }
            self.position += 1;
        }
        false
    }

    /// The optimizer hints directly behind SELECT and its like: the range between `/*+` and `*/`.
    /// The parser asks before it takes the next token.
    pub(crate) fn hint(&mut self) -> Option<(usize, usize)> {
        let saved = self.position;
        while is(self.peek(0), SPACE) {
            self.position += 1;
        }
        if self.peek(0) == b'/' && self.peek(1) == b'*' && self.peek(2) == b'+' {
            let start = self.position + 3;
            self.position = start;
            if self.skip_comment_body(false) {
                return Some((start, self.position - 2));
            }
        }
        self.position = saved;
        None
    }

    /// Scans one token at a byte that is neither blank nor the start of a comment.
    fn scan(&mut self, start: usize) -> Tok {
        let byte = self.peek(0);
        match byte {
            b'x' | b'X' if self.peek(1) == b'\'' => return self.radix_string(Tok::HexString),
            b'b' | b'B' if self.peek(1) == b'\'' => return self.radix_string(Tok::BitString),
            b'n' | b'N' if self.peek(1) == b'\'' => {
                self.position += 1;
                return match self.string(b'\'') {
                    Tok::String => Tok::NationalString,
                    other => other,
                };
            }
            b'0'..=b'9' => return self.number(start),
            _ if is(byte, NAME) => return self.word(start),
            b'\'' => return self.string(b'\''),
            b'"' if self.options.ansi_quotes => return self.quoted_name(b'"'),
            b'"' => return self.string(b'"'),
            b'`' => return self.quoted_name(b'`'),
            b'<' | b'=' | b'>' | b'!' => return self.comparison(start),
            _ => {}
        }
        self.position += 1;
        match byte {
            b'(' => Tok::LeftParen,
            b')' => Tok::RightParen,
            b',' => Tok::Comma,
            b';' => Tok::Semicolon,
            b'+' => Tok::Plus,
            b'*' => Tok::Star,
            b'/' => Tok::Slash,
            b'%' => Tok::Percent,
            b'^' => Tok::Caret,
            b'~' => Tok::Tilde,
            b'{' => Tok::LeftBrace,
            b'}' => Tok::RightBrace,
            b'.' if is(self.peek(0), DIGIT) => self.fraction(),
            b'.' => {
                if is(self.peek(0), NAME) {
                    self.mode = Mode::Name;
                }
                Tok::Dot
            }
            b'-' if self.peek(0) == b'>' => {
                self.position += 1;
                self.one_more(b'>', Tok::ArrowText, Tok::Arrow)
            }
            b'-' => Tok::Minus,
            b'|' => self.one_more(b'|', Tok::PipePipe, Tok::Pipe),
            b'&' => self.one_more(b'&', Tok::AndAnd, Tok::Ampersand),
            b':' => self.one_more(b'=', Tok::Assign, Tok::Colon),
            b'@' => {
                self.mode = match self.peek(0) {
                    b'\'' | b'"' | b'`' => Mode::Start,
                    b'@' => Mode::SystemVariable,
                    _ => Mode::Host,
                };
                Tok::At
            }
            b'?' if self.options.parameters && !is(self.peek(0), NAME) => Tok::Parameter,
            _ => Tok::Abort,
        }
    }

    fn one_more(&mut self, byte: u8, long: Tok, short: Tok) -> Tok {
        if self.peek(0) == byte {
            self.position += 1;
            long
        } else {
            short
        }
    }

    /// Up to three comparison characters are one token, even if they make no operator.
    fn comparison(&mut self, start: usize) -> Tok {
        let first = self.peek(0);
        self.position += 1;
        if is(self.peek(0), COMPARISON) {
            self.position += 1;
            if first == b'<' && is(self.peek(0), COMPARISON) && self.peek(0) != b'<' {
                self.position += 1;
            }
        }
        match &self.text[start..self.position] {
            b"=" => Tok::Equal,
            b"<" => Tok::Less,
            b">" => Tok::Greater,
            b"<=" => Tok::LessOrEqual,
            b">=" => Tok::GreaterOrEqual,
            b"<>" | b"!=" => Tok::NotEqual,
            b"<=>" => Tok::NullSafeEqual,
            b"<<" => Tok::ShiftLeft,
            b">>" => Tok::ShiftRight,
            [b'!', ..] => Tok::Bang,
            _ => Tok::Abort,
        }
    }

    /// A word: a keyword, an introducer or a name.
    fn word(&mut self, start: usize) -> Tok {
        while is(self.peek(0), NAME) {
            self.position += 1;
        }
        let end = self.position;
        if self.peek(0) == b'.' && is(self.peek(1), NAME) {
            self.mode = Mode::Dot;
        } else {
            let mut behind = 0;
            if self.options.ignore_space {
                while is(self.peek(behind), SPACE) {
                    behind += 1;
                }
            }
            if let Some(keyword) = Keyword::lookup(&self.text[start..end], self.peek(behind) == b'(') {
                return Tok::Keyword(keyword);
            }
        }
        if self.text[start] == b'_' && is_charset(&self.text[start + 1..end]) {
            return Tok::Introducer;
        }
        Tok::Ident
    }

    /// A name directly behind a dot.
    fn name_behind_dot(&mut self, start: usize) -> Token {
        while is(self.peek(0), NAME) {
            self.position += 1;
        }
        if self.peek(0) == b'.' && is(self.peek(1), NAME) {
            self.mode = Mode::Dot;
        }
        self.token(Tok::Ident, start)
    }

    /// The name behind `@@`.
    fn variable_name(&mut self) -> Token {
        let start = self.position;
        while is(self.peek(0), NAME) {
            self.position += 1;
        }
        if self.peek(0) == b'.' {
            self.mode = Mode::Dot;
        }
        let tok = match &self.text[start..self.position] {
            [] => Tok::Abort,
            word => Keyword::lookup(word, false).map_or(Tok::Ident, Tok::Keyword),
        };
        self.token(tok, start)
    }

    /// A number, or a name that begins with digits.
    fn number(&mut self, start: usize) -> Tok {
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'b') {
            let (tok, valid): (Tok, fn(u8) -> bool) = match self.peek(1) {
                b'x' => (Tok::HexNumber, |b| b.is_ascii_hexdigit()),
                _ => (Tok::BitNumber, |b| matches!(b, b'0' | b'1')),
            };
            let digits = self.text[start + 2..].iter().take_while(|b| valid(**b)).count();
            if digits > 0 && !is(self.peek(2 + digits), NAME) {
                self.position += 2 + digits;
                return tok;
            }
            return self.name_of_digits();
        }
        while is(self.peek(0), DIGIT) {
            self.position += 1;
        }
        match self.peek(0) {
            b'.' => {
                self.position += 1;
                self.fraction()
            }
            b'e' | b'E' => {
                let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
                if is(self.peek(1 + sign), DIGIT) {
                    self.position += 1 + sign;
                    while is(self.peek(0), DIGIT) {
                        self.position += 1;
                    }
                    return Tok::Float;
                }
                self.name_of_digits()
            }
            byte if is(byte, NAME) => self.name_of_digits(),
            _ => Tok::Integer,
        }
    }

    /// The rest of a name that began like a number.
    fn name_of_digits(&mut self) -> Tok {
        while is(self.peek(0), NAME) {
            self.position += 1;
        }
        if self.peek(0) == b'.' && is(self.peek(1), NAME) {
            self.mode = Mode::Dot;
        }
        Tok::Ident
    }

    /// What follows the point of a number.
    fn fraction(&mut self) -> Tok {
        while is(self.peek(0), DIGIT) {
            self.position += 1;
        }
        if !matches!(self.peek(0), b'e' | b'E') {
            return Tok::Decimal;
        }
        let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
        self.position += 1 + sign;
        if !is(self.peek(0), DIGIT) {
            return Tok::Abort;
        }
        while is(self.peek(0), DIGIT) {
            self.position += 1;
        }
        Tok::Float
    }

    /// `x'..'` or `b'..'`.
    fn radix_string(&mut self, tok: Tok) -> Tok {
        self.position += 2;
        let start = self.position;
        let hex = tok == Tok::HexString;
        while (hex && self.peek(0).is_ascii_hexdigit()) || matches!(self.peek(0), b'0' | b'1') {
            self.position += 1;
        }
        if self.peek(0) != b'\'' || (hex && (self.position - start) % 2 == 1) {
            return Tok::Abort;
        }
        self.position += 1;
        tok
    }

    /// At a quote: a string.
    fn string(&mut self, quote: u8) -> Tok {
        self.position += 1;
        let escapes = !self.options.no_backslash_escapes;
        while let Some(&byte) = self.text.get(self.position) {
            self.position += 1;
            if byte == quote {
                if self.peek(0) != quote {
                    return Tok::String;
                }
                self.position += 1;
            } else if byte == b'\\' && escapes {
                self.position += 1;
            }
        }
        self.position = self.text.len();
        Tok::Abort
    }

    /// At a quote: a quoted name.
    fn quoted_name(&mut self, quote: u8) -> Tok {
        self.position += 1;
        while let Some(&byte) = self.text.get(self.position) {
            self.position += 1;
            if byte == quote {
                if self.peek(0) != quote {
                    return Tok::QuotedIdent;
                }
                self.position += 1;
            }
        }
        Tok::Abort
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str, options: ParseOptions) -> Vec<(Tok, &str)> {
        let mut lexer = Lexer::new(text.as_bytes(), 0, options);
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next();
            if token.tok == Tok::End {
                return tokens;
            }
            tokens.push((token.tok, &text[token.start as usize..token.end as usize]));
            if token.tok == Tok::Abort {
                return tokens;
            }
        }
    }

    fn kinds(text: &str) -> Vec<Tok> {
        tokens(text, ParseOptions::default()).into_iter().map(|(tok, _)| tok).collect()
    }

    #[test]
    fn numbers_and_names_that_begin_like_numbers() {
        use Tok::*;
        for (text, tok) in [
            ("1", Integer),
            ("1.", Decimal),
            (".5", Decimal),
            ("1.5", Decimal),
            ("1e5", Float),
            ("1.e5", Float),
            (".5E-3", Float),
            ("1e", Ident),
            ("1e+", Ident),
            ("1a", Ident),
            ("0x1F", HexNumber),
            ("0x", Ident),
            ("0xG", Ident),
            ("0X1F", Ident),
            ("0b01", BitNumber),
            ("0b2", Ident),
            ("x'1F'", HexString),
            ("X'1f'", HexString),
            ("x'1'", Abort),
            ("b'01'", BitString),
            ("b'2'", Abort),
            ("n'a'", NationalString),
            ("1.5e", Abort),
        ] {
            assert_eq!(kinds(text)[0], tok, "{text}");
        }
    }

    #[test]
    fn a_word_beside_a_dot_is_a_name() {
        use crate::keyword::Keyword::*;
        use Tok::{Dot, Ident, Keyword, QuotedIdent};
        assert_eq!(kinds("select.from"), [Ident, Dot, Ident]);
        assert_eq!(kinds("t.select.1a"), [Ident, Dot, Ident, Dot, Ident]);
        assert_eq!(kinds("t . select"), [Ident, Dot, Keyword(Select)]);
        assert_eq!(kinds("`t`.select"), [QuotedIdent, Dot, Ident]);
        assert_eq!(kinds("`t`.1"), [QuotedIdent, Tok::Decimal]);
    }

    #[test]
    fn variables() {
        use crate::keyword::Keyword::*;
        use Tok::{Abort, At, Dot, HostName, Ident, Keyword, QuotedIdent, String};
        assert_eq!(kinds("@a.b"), [At, HostName]);
        assert_eq!(kinds("@"), [At, HostName]);
        assert_eq!(kinds("@'a'"), [At, String]);
        assert_eq!(kinds("@@global.x"), [At, At, Keyword(Global), Dot, Ident]);
        assert_eq!(kinds("@@`x`"), [At, At, QuotedIdent]);
        assert_eq!(kinds("@@ x"), [At, At, Abort]);
    }

    #[test]
    fn comparisons_are_cut_as_mysql_cuts_them() {
        use Tok::*;
        assert_eq!(kinds("= < > <= >= <> != <=> << >>").len(), 10);
        assert_eq!(kinds("1<=-1"), [Integer, LessOrEqual, Minus, Integer]);
        assert_eq!(kinds("1=!1"), [Integer, Abort]);
        assert_eq!(kinds("!!1"), [Bang, Integer]);
        assert_eq!(kinds("a->'b'"), [Ident, Arrow, String]);
        assert_eq!(kinds("a->>'b'"), [Ident, ArrowText, String]);
        assert_eq!(kinds("a-->b"), [Ident, Minus, Arrow, Ident]);
    }

    #[test]
    fn comments() {
        use Tok::*;
        assert_eq!(kinds("1 -- 2\n 3 # 4\n 5 /* 6 */ 7"), [Integer; 4]);
        assert_eq!(kinds("1--2"), [Integer, Minus, Minus, Integer]);
        assert_eq!(kinds("1 --"), [Integer]);
        assert_eq!(kinds("/*! 1 */ /*!80406 2 */ /*!80407 3 */ /*!99999 4 /* 5 */ 6 */ 7"), [Integer; 3]);
        assert_eq!(kinds("/*!080406 1 */ /*!999999 2 */ /*M! 3 */"), [Integer]);
        assert_eq!(kinds("/* open"), [Abort]);
        assert_eq!(kinds("/*! 1"), [Integer, Abort]);
        assert_eq!(kinds("1 */"), [Integer, Star, Slash]);
    }

    #[test]
    fn strings_and_quoted_names() {
        let plain = ParseOptions::default();
        assert_eq!(tokens("'a''b' 'c\\'d'", plain), [(Tok::String, "'a''b'"), (Tok::String, "'c\\'d'")]);
        assert_eq!(tokens("`a``b`", plain), [(Tok::QuotedIdent, "`a``b`")]);
        assert_eq!(tokens("'a", plain), [(Tok::Abort, "'a")]);
        assert_eq!(tokens("\"a\"", plain)[0].0, Tok::String);
        assert_eq!(tokens("\"a\"", ParseOptions { ansi_quotes: true, ..plain })[0].0, Tok::QuotedIdent);
        let literal = ParseOptions { no_backslash_escapes: true, ..plain };
        assert_eq!(tokens("'a\\'", literal), [(Tok::String, "'a\\'")]);
    }

    #[test]
    fn hints_stand_only_directly_behind_the_keyword() {
        let text = b"SELECT /*+ a(b) */ 1";
        let mut lexer = Lexer::new(text, 0, ParseOptions::default());
        lexer.next();
        assert_eq!(lexer.hint(), Some((10, 16)));
        assert_eq!(lexer.hint(), None);
        assert_eq!(lexer.next().tok, Tok::Integer);
    }
}
