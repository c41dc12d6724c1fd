//! From text to a document, with the complaints that MySQL's users know.

use super::{Json, MAX_DEPTH, Object};

/// Why a text is no JSON document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text breaks the grammar.
    #[error("{reason} at position {position}")]
    Syntax {
        /// What is wrong.
        reason: &'static str,
        /// The byte where it was seen.
        position: usize,
    },
    /// More than [`MAX_DEPTH`] levels.
    #[error("the document has more than {MAX_DEPTH} levels")]
    TooDeep,
}

type Result<T> = std::result::Result<T, ParseError>;

pub(super) fn parse(text: &str) -> Result<Json> {
    let mut parser = Parser { text, at: 0 };
    parser.skip_space();
    if parser.peek().is_none() {
        return parser.fail("The document is empty.");
    }
    let value = parser.value(1)?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => parser.fail("The document root must not be followed by other values."),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fail<T>(&self, reason: &'static str) -> Result<T> {
        Err(ParseError::Syntax { reason, position: self.at })
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json> {
        for byte in word.bytes() {
            if !self.take(byte) {
                return self.fail("Invalid value.");
            }
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json> {
        if depth > MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(Object::new()));
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.fail("Missing a name for object member.");
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return self.fail("Missing a colon after a name of object member.");
            }
            self.skip_space();
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(Object::from_members(members)));
            }
            if !self.take(b',') {
                return self.fail("Missing a comma or '}' after an object member.");
            }
            self.skip_space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json> {
        if depth > MAX_DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.at += 1;
        let mut elements = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(elements));
            }
            if !self.take(b',') {
                return self.fail("Missing a comma or ']' after an array element.");
            }
            self.skip_space();
        }
    }

    fn string(&mut self) -> Result<String> {
        const OPEN: &str = "Missing a closing quotation mark in string.";
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            while self.peek().is_some_and(|byte| byte != b'"' && byte != b'\\' && byte >= 0x20) {
                self.at += 1;
            }
            out.push_str(self.text.get(from..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    let escape = self.at;
                    out.push(self.escape(escape)?);
                }
                Some(_) => return self.fail("Invalid encoding in string."),
                None => {
                    self.at = start;
                    return self.fail(OPEN);
                }
            }
        }
    }

    fn escape(&mut self, from: usize) -> Result<char> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(from);
            }
            _ => {
                self.at = from;
                return self.fail("Invalid escape character in string.");
            }
        };
        self.at += 1;
        Ok(escaped)
    }

    /// What follows `\u`: one unit of UTF-16, or two.
    fn unicode(&mut self, from: usize) -> Result<char> {
        let first = self.hex(from)?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !(self.take(b'\\') && self.take(b'u')) {
                    self.at = from;
                    return self.fail("The surrogate pair in string is invalid.");
                }
                let second = self.hex(from)?;
                match second {
                    0xDC00..=0xDFFF => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => 0xD800,
                }
            }
            other => other,
        };
        match char::from_u32(code) {
            Some(character) => Ok(character),
            None => {
                self.at = from;
                self.fail("The surrogate pair in string is invalid.")
            }
        }
    }

    fn hex(&mut self, from: usize) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => {
                self.at = from;
                self.fail("Incorrect hex digit after \\u escape in string.")
            }
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<Json> {
        let from = self.at;
        let is_negative = self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        if leading_zero {
            self.at += 1;
        } else if self.digits() == 0 {
            return self.fail("Invalid value.");
        }
        let mut is_double = false;
        if self.take(b'.') {
            is_double = true;
            if self.digits() == 0 {
                return self.fail("Miss fraction part in number.");
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_double = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.fail("Miss exponent in number.");
            }
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        if !is_double {
            if let Ok(int) = text.parse::<i64>() {
                return Ok(Json::Int(int));
            }
            if let (false, Ok(uint)) = (is_negative, text.parse::<u64>()) {
                return Ok(Json::UInt(uint));
            }
        }
        match text.parse::<f64>() {
            Ok(double) if double.is_finite() => Ok(Json::Double(double)),
            _ => {
                self.at = from;
                self.fail("Number too big to be stored in double.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_kind() {
        for (text, value) in [
            ("0", Json::Int(0)),
            ("-0", Json::Int(0)),
            ("-9223372036854775808", Json::Int(i64::MIN)),
            ("9223372036854775808", Json::UInt(1 << 63)),
            ("18446744073709551616", Json::Double(18_446_744_073_709_551_616.0)),
            ("1.0", Json::Double(1.0)),
            ("1e2", Json::Double(100.0)),
        ] {
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn complaints() {
        for (text, reason, position) in [
            ("", "The document is empty.", 0),
            ("abc", "Invalid value.", 0),
            ("{", "Missing a name for object member.", 1),
            (r#"{"a" 1}"#, "Missing a colon after a name of object member.", 5),
            ("[1 2]", "Missing a comma or ']' after an array element.", 3),
            ("[1] 2", "The document root must not be followed by other values.", 4),
            (r#"["a]"#, "Missing a closing quotation mark in string.", 1),
            ("1e400", "Number too big to be stored in double.", 0),
        ] {
            assert_eq!(parse(text), Err(ParseError::Syntax { reason, position }), "{text}");
        }
    }

    #[test]
    fn levels_are_counted() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(ParseError::TooDeep));
        assert_eq!(parse(&nested(1_000_000)), Err(ParseError::TooDeep));
    }

    #[test]
    fn escapes() {
        assert_eq!(parse(r#""\ud83d\ude00\n\/\u00e9""#), Ok(Json::String("😀\n/é".into())));
        assert!(parse(r#""\ud83d""#).is_err());
        assert!(parse("\"\u{1}\"").is_err());
    }
}
