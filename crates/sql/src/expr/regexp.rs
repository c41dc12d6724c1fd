//! Regular expressions as MySQL 8 has them (ICU's), on an engine whose time is linear in the text.
//!
//! [`Regexp::new`] reads the pattern once, reports what is wrong with it as MySQL does, and rewrites what
//! the two dialects spell differently: classes such as `[:alpha:]`, escapes such as `\h` and `\uFFFF`,
//! `\Q..\E`. Look-around, back references, atomic groups and possessive quantifiers cannot be had in linear
//! time and are refused with error 3690.
//!
//! `$` also matches before a line end at the end of the text. The engine's does not, so such a text is tried
//! again without its line end.

use regex::{Captures, Regex, RegexBuilder};

use crate::error::SqlError;

/// The most bytes that a compiled pattern may take.
const MOST_MEMORY: usize = 16 << 20;

/// How a pattern is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// Letters in either case are alike.
    pub ignore_case: bool,
    /// `^` and `$` match at line ends.
    pub multi_line: bool,
    /// `.` matches line ends.
    pub dot_all: bool,
    /// Only `\n` ends a line.
    pub unix_lines: bool,
}

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Regexp {
    regex: Regex,
    /// Whether a `$` might match before the last line end.
    ends_early: bool,
}

impl Regexp {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// 3685 to 3700 as MySQL numbers what is wrong with it.
    pub fn new(pattern: &str, flags: Flags) -> Result<Regexp, SqlError> {
        if pattern.is_empty() {
            return Err(SqlError::regexp_illegal_argument());
        }
        let mut translation = Translation::new(pattern);
        translation.run()?;
        let regex = RegexBuilder::new(&translation.out)
            .case_insensitive(flags.ignore_case)
            .multi_line(flags.multi_line)
            .dot_matches_new_line(flags.dot_all)
            .crlf(!flags.unix_lines)
            .size_limit(MOST_MEMORY)
            .dfa_size_limit(MOST_MEMORY)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => SqlError::regexp_too_big(),
                _ => SqlError::regexp_syntax(1, pattern.chars().count()),
            })?;
        Ok(Regexp { regex, ends_early: translation.has_end && !flags.multi_line })
    }

    /// The text without its last line end, if a `$` could match there.
    fn shortened<'t>(&self, text: &'t str) -> Option<&'t str> {
        if !self.ends_early {
            return None;
        }
        text.strip_suffix("\r\n")
            .or_else(|| text.strip_suffix(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']))
    }

    /// Whether the text has a match.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text) || self.shortened(text).is_some_and(|short| self.regex.is_match(short))
    }

    /// The first match from a byte offset on.
    pub fn captures_at<'t>(&self, text: &'t str, from: usize) -> Option<Captures<'t>> {
        let whole = self.regex.captures_at(text, from);
        let Some(short) = self.shortened(text).filter(|short| from <= short.len()) else { return whole };
        let begin = |found: &Option<Captures<'_>>| {
            found.as_ref().and_then(|c| c.get(0)).map_or(usize::MAX, |m| m.start())
        };
        let cut = self.regex.captures_at(short, from);
        if begin(&cut) < begin(&whole) { cut } else { whole }
    }

    /// The byte ranges of all matches from an offset on, none of which overlap.
    pub fn matches<'r, 't>(&'r self, text: &'t str, from: usize) -> impl Iterator<Item = Captures<'t>> + 'r
    where
        't: 'r,
    {
        let mut at = Some(from);
        std::iter::from_fn(move || {
            let found = self.captures_at(text, at?)?;
            let whole = found.get(0)?;
            at = if whole.is_empty() {
                // Past the character behind an empty match.
                text.get(whole.end()..).and_then(|r| r.chars().next()).map(|c| whole.end() + c.len_utf8())
            } else {
                Some(whole.end())
            };
            Some(found)
        })
    }
}

/// A pattern on its way from one dialect to the other.
struct Translation<'p> {
    pattern: &'p str,
    chars: std::iter::Peekable<std::str::Chars<'p>>,
    /// Characters taken, for messages.
    taken: usize,
    out: String,
    open: Vec<()>,
    groups: usize,
    has_end: bool,
    /// Whether the last thing written can be repeated, and whether it is a quantifier.
    repeatable: bool,
    quantified: bool,
}

impl<'p> Translation<'p> {
    fn new(pattern: &'p str) -> Translation<'p> {
        Translation {
            pattern,
            chars: pattern.chars().peekable(),
            taken: 0,
            out: String::with_capacity(pattern.len() + 8),
            open: Vec::new(),
            groups: 0,
            has_end: false,
            repeatable: false,
            quantified: false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let found = self.chars.next();
        self.taken += usize::from(found.is_some());
        found
    }

    fn take_if(&mut self, wanted: char) -> bool {
        if self.chars.peek() == Some(&wanted) {
            self.next();
            return true;
        }
        false
    }

    fn syntax(&self) -> SqlError {
        SqlError::regexp_syntax(1, self.taken)
    }

    fn run(&mut self) -> Result<(), SqlError> {
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    self.escape(false)?;
                    self.atom();
                }
                '[' => {
                    self.class()?;
                    self.atom();
                }
                '(' => self.group()?,
                ')' => {
                    if self.open.pop().is_none() {
                        return Err(SqlError::regexp_parenthesis());
                    }
                    self.out.push(')');
                    self.atom();
                }
                '*' | '+' | '?' => self.quantifier(c)?,
                '{' => self.interval()?,
                '|' => {
                    self.out.push('|');
                    (self.repeatable, self.quantified) = (false, false);
                }
                '^' => {
                    self.out.push('^');
                    self.atom();
                }
                '$' => {
                    self.has_end = true;
                    self.out.push('$');
                    self.atom();
                }
                other => {
                    // A closing brace alone is itself.
                    if other == '}' {
                        self.out.push('\\');
                    }
                    self.out.push(other);
                    self.atom();
                }
            }
        }
        if !self.open.is_empty() {
            return Err(SqlError::regexp_parenthesis());
        }
        Ok(())
    }

    fn atom(&mut self) {
        (self.repeatable, self.quantified) = (true, false);
    }

    fn quantifier(&mut self, c: char) -> Result<(), SqlError> {
        if self.quantified {
            // A second sign makes the first one lazy or possessive.
            return match c {
                '?' => {
                    self.out.push('?');
                    (self.repeatable, self.quantified) = (false, false);
                    Ok(())
                }
                '+' => Err(SqlError::regexp_unimplemented()),
                _ => Err(self.syntax()),
            };
        }
        if !self.repeatable {
            return Err(self.syntax());
        }
        self.out.push(c);
        (self.repeatable, self.quantified) = (false, true);
        Ok(())
    }

    fn interval(&mut self) -> Result<(), SqlError> {
        if !self.repeatable || self.quantified {
            return Err(self.syntax());
        }
        let mut text = String::new();
        loop {
            match self.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => text.push(c),
                _ => return Err(SqlError::regexp_bad_interval()),
            }
        }
        let number = |part: &str| part.parse::<u32>().map_err(|_| SqlError::regexp_bad_interval());
        match text.split_once(',') {
            None => {
                number(&text)?;
            }
            Some((low, "")) => {
                number(low)?;
            }
            Some((low, high)) => {
                if number(low)? > number(high)? {
                    return Err(SqlError::regexp_max_below_min());
                }
            }
        }
        self.out.push('{');
        self.out.push_str(&text);
        self.out.push('}');
        (self.repeatable, self.quantified) = (false, true);
        Ok(())
    }

    fn group(&mut self) -> Result<(), SqlError> {
        if !self.take_if('?') {
            self.out.push('(');
            self.open.push(());
            self.groups += 1;
            (self.repeatable, self.quantified) = (false, false);
            return Ok(());
        }
        match self.chars.peek() {
            Some('#') => {
                // A comment.
                loop {
                    match self.next() {
                        Some(')') => return Ok(()),
                        Some(_) => {}
                        None => return Err(SqlError::regexp_parenthesis()),
                    }
                }
            }
            Some('=' | '!' | '>') => return Err(SqlError::regexp_unimplemented()),
            Some('<') => {
                self.next();
                if matches!(self.chars.peek(), Some('=' | '!')) {
                    return Err(SqlError::regexp_unimplemented());
                }
                let mut name = String::new();
                loop {
                    match self.next() {
                        Some('>') => break,
                        Some(c) if c.is_ascii_alphanumeric() => name.push(c),
                        _ => return Err(SqlError::regexp_group_name()),
                    }
                }
                if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    return Err(SqlError::regexp_group_name());
                }
                self.out.push_str("(?<");
                self.out.push_str(&name);
                self.out.push('>');
                self.groups += 1;
            }
            _ => {
                let mut flags = String::new();
                let closed = loop {
                    match self.next() {
                        Some(c @ ('i' | 'm' | 's' | 'x' | '-')) => flags.push(c),
                        Some(':') => break false,
                        Some(')') => break true,
                        Some('w' | 'd' | 'u') => return Err(SqlError::regexp_unimplemented()),
                        _ => return Err(self.syntax()),
                    }
                };
                if flags.is_empty() && closed {
                    return Err(self.syntax());
                }
                self.out.push_str("(?");
                self.out.push_str(&flags);
                self.out.push(if closed { ')' } else { ':' });
                if closed {
                    return Ok(());
                }
            }
        }
        self.open.push(());
        (self.repeatable, self.quantified) = (false, false);
        Ok(())
    }

    /// So many hexadecimal digits as a character.
    fn code(&mut self, digits: usize) -> Result<(), SqlError> {
        let mut code = 0u32;
        for _ in 0..digits {
            let digit = self.next().and_then(|c| c.to_digit(16)).ok_or_else(SqlError::regexp_bad_escape)?;
            code = code.wrapping_mul(16).wrapping_add(digit);
        }
        self.character(code)
    }

    fn character(&mut self, code: u32) -> Result<(), SqlError> {
        let c = char::from_u32(code).ok_or_else(SqlError::regexp_bad_escape)?;
        self.plain(c);
        Ok(())
    }

    /// A character that stands for itself.
    fn plain(&mut self, c: char) {
        let mut one = [0u8; 4];
        let text: &str = c.encode_utf8(&mut one);
        self.out.push_str(&regex::escape(text));
    }

    /// What stands behind a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), SqlError> {
        let Some(c) = self.next() else { return Err(SqlError::regexp_bad_escape()) };
        match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'b' | 'B' | 'A' | 'z' if !in_class => {
                self.out.push('\\');
                self.out.push(c);
            }
            'n' | 'r' | 't' | 'f' | 'a' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'e' => self.out.push_str("\\x1B"),
            'h' => self.out.push_str(if in_class { "\\t\\p{Zs}" } else { "[\\t\\p{Zs}]" }),
            'H' if !in_class => self.out.push_str("[^\\t\\p{Zs}]"),
            'v' => {
                let ends = "\\n\\x0B\\f\\r\\x{85}\\x{2028}\\x{2029}";
                self.out.push_str(&if in_class { ends.to_string() } else { format!("[{ends}]") });
            }
            'V' if !in_class => self.out.push_str("[^\\n\\x0B\\f\\r\\x{85}\\x{2028}\\x{2029}]"),
            'R' if !in_class => self.out.push_str("(?:\\r\\n|[\\n\\x0B\\f\\r\\x{85}\\x{2028}\\x{2029}])"),
            'p' | 'P' => self.property(c)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            'x' => {
                if self.take_if('{') {
                    let mut code = 0u32;
                    loop {
                        match self.next() {
                            Some('}') => break,
                            Some(c) => {
                                let digit = c.to_digit(16).ok_or_else(SqlError::regexp_bad_escape)?;
                                code = code.checked_mul(16).map(|n| n + digit).unwrap_or(u32::MAX);
                            }
                            None => return Err(SqlError::regexp_bad_escape()),
                        }
                    }
                    self.character(code)?;
                } else {
                    self.code(2)?;
                }
            }
            '0' => {
                let mut code = 0;
                let mut digits = 0;
                while digits < 3
                    && let Some(digit) = self.chars.peek().and_then(|c| c.to_digit(8))
                {
                    self.next();
                    code = code * 8 + digit;
                    digits += 1;
                }
                if digits == 0 {
                    return Err(SqlError::regexp_bad_escape());
                }
                self.character(code)?;
            }
            'c' => {
                let c = self.next().ok_or_else(SqlError::regexp_bad_escape)?;
                self.character(u32::from(c) & 0x1f)?;
            }
            'Q' => {
                let rest = &self.pattern[self.pattern.len() - self.rest().len()..];
                let quoted = rest.split_once("\\E").map_or(rest, |(quoted, _)| quoted);
                for c in quoted.chars() {
                    self.plain(c);
                    self.next();
                }
                if rest.len() > quoted.len() {
                    self.next();
                    self.next();
                }
            }
            'E' => {}
            '1'..='9' => {
                let group = c.to_digit(10).unwrap_or(0) as usize;
                return Err(if group > self.groups {
                    SqlError::regexp_back_reference()
                } else {
                    SqlError::regexp_unimplemented()
                });
            }
            'k' | 'G' | 'X' | 'Z' | 'N' => return Err(SqlError::regexp_unimplemented()),
            c if c.is_ascii_alphabetic() => {
                // ICU takes letters without a meaning as themselves.
                self.plain(c);
            }
            c => self.plain(c),
        }
        Ok(())
    }

    /// The text that is not read yet.
    fn rest(&self) -> &'p str {
        let at = self.pattern.char_indices().nth(self.taken).map_or(self.pattern.len(), |(at, _)| at);
        self.pattern.get(at..).unwrap_or("")
    }

    /// `\p{..}`
    fn property(&mut self, sign: char) -> Result<(), SqlError> {
        let mut name = String::new();
        if self.take_if('{') {
            loop {
                match self.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return Err(SqlError::regexp_illegal_argument()),
                }
            }
        } else {
            name.extend(self.next());
        }
        self.out.push('\\');
        self.out.push(sign);
        self.out.push('{');
        self.out.push_str(&name);
        self.out.push('}');
        Ok(())
    }

    /// A set in brackets; its opening bracket is taken.
    fn class(&mut self) -> Result<(), SqlError> {
        self.out.push('[');
        if self.take_if('^') {
            self.out.push('^');
        }
        if self.take_if(']') {
            self.out.push_str("\\]");
        }
        let mut last: Option<char> = None;
        loop {
            let Some(c) = self.next() else { return Err(SqlError::regexp_unclosed_bracket()) };
            match c {
                ']' => break,
                '[' if self.chars.peek() == Some(&':') => {
                    self.posix()?;
                    last = None;
                }
                '[' => {
                    self.class()?;
                    last = None;
                }
                '\\' => {
                    self.escape(true)?;
                    last = None;
                }
                '-' if self.chars.peek() == Some(&']')
                    || last.is_none() && self.chars.peek() != Some(&'-') =>
                {
                    self.out.push_str("\\-");
                    last = None;
                }
                '-' => {
                    self.out.push('-');
                    if let (Some(low), Some(high)) = (last, self.chars.peek().copied())
                        && !matches!(high, '\\' | '[' | '-')
                        && low > high
                    {
                        return Err(SqlError::regexp_bad_range());
                    }
                    if self.take_if('-') {
                        self.out.push('-');
                    }
                    last = None;
                    if let Some(high) = self.chars.peek().copied()
                        && !matches!(high, '\\' | '[' | ']')
                    {
                        self.next();
                        self.plain_in_class(high);
                    }
                }
                '&' if self.chars.peek() == Some(&'&') => {
                    self.next();
                    self.out.push_str("&&");
                    last = None;
                }
                c => {
                    self.plain_in_class(c);
                    last = Some(c);
                }
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn plain_in_class(&mut self, c: char) {
        if matches!(c, '~' | '&' | '^' | '-') {
            self.out.push('\\');
            self.out.push(c);
        } else {
            self.plain(c);
        }
    }

    /// `[:name:]`; its opening bracket is taken.
    fn posix(&mut self) -> Result<(), SqlError> {
        self.next();
        let mut name = String::new();
        loop {
            match self.next() {
                Some(':') if self.chars.peek() == Some(&']') => break,
                Some(c) => name.push(c),
                None => return Err(SqlError::regexp_unclosed_bracket()),
            }
        }
        self.next();
        let (negated, name) = match name.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, name.as_str()),
        };
        let set = match name.to_ascii_lowercase().as_str() {
            "alpha" => "\\p{Alphabetic}",
            "digit" => "\\p{Nd}",
            "alnum" => "\\p{Alphabetic}\\p{Nd}",
            "upper" => "\\p{Uppercase}",
            "lower" => "\\p{Lowercase}",
            "space" => "\\s",
            "blank" => "\\t\\p{Zs}",
            "punct" => "\\p{P}",
            "cntrl" => "\\p{Cc}",
            "xdigit" => "0-9A-Fa-f\\x{FF10}-\\x{FF19}\\x{FF21}-\\x{FF26}\\x{FF41}-\\x{FF46}",
            "word" => "\\w",
            "graph" => "[^\\s\\p{Cc}\\p{Cn}\\p{Cs}]",
            "print" => "[^\\p{Cc}\\p{Cn}\\p{Cs}]",
            _ => return Err(SqlError::regexp_illegal_argument()),
        };
        self.out.push_str(if negated { "[^" } else { "[" });
        self.out.push_str(set);
        self.out.push(']');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Flags = Flags { ignore_case: true, multi_line: false, dot_all: false, unix_lines: false };

    fn matches(text: &str, pattern: &str) -> bool {
        Regexp::new(pattern, PLAIN).unwrap().is_match(text)
    }

    #[test]
    fn what_both_dialects_have() {
        for (text, pattern, expected) in [
            ("abc", "B", true),
            ("abc", "^b", false),
            ("abc", "a.c$", true),
            ("a\nb", "a.b", false),
            ("a\n", "a$", true),
            ("a\nb", "a$", false),
            ("é", "[[:alpha:]]", true),
            ("7", "[[:^digit:]]", false),
            ("a]", "[]]", true),
            ("a-b", "[x-]b", true),
            ("a-b", "[-x]b", true),
            ("x\ty", "x\\hy", true),
            ("a.b", "a\\Q.\\Eb", true),
            ("axb", "a\\Q.\\Eb", false),
            ("ü", "\\u00fc", true),
            ("<", "\\<", true),
            ("a}b", "a}b", true),
            ("aaa", "^a{2,3}$", true),
            ("c", "[a-z&&[^b]]", true),
            ("b", "[a-z&&[^b]]", false),
            ("ab", "(?#no)ab", true),
            ("~", "[~~]", true),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text:?} {pattern:?}");
        }
    }

    #[test]
    fn mistakes_are_numbered_as_mysqls() {
        for (pattern, code) in [
            ("", 3685),
            ("[", 3696),
            ("[a", 3696),
            ("(", 3691),
            ("a)", 3691),
            ("*", 3688),
            ("a**", 3688),
            ("{", 3688),
            ("a{,2}", 3692),
            ("a{2,1}", 3693),
            ("a{x", 3692),
            ("[b-a]", 3697),
            ("\\", 3689),
            ("[[:foo:]]", 3685),
            ("\\1", 3694),
            ("(a)\\1", 3690),
            ("(?=a)", 3690),
            ("(?<!a)b", 3690),
            ("a++", 3690),
            ("(?>a)", 3690),
            ("(((((a{99}){99}){99}){99}){99})", 3700),
        ] {
            assert_eq!(Regexp::new(pattern, PLAIN).unwrap_err().code, code, "{pattern}");
        }
    }

    #[test]
    fn matches_do_not_overlap_and_empty_ones_advance() {
        let all = |text: &str, pattern: &str| -> Vec<(usize, usize)> {
            let regexp = Regexp::new(pattern, PLAIN).unwrap();
            regexp.matches(text, 0).filter_map(|c| c.get(0).map(|m| (m.start(), m.end()))).collect()
        };
        assert_eq!(all("aXa", "a"), [(0, 1), (2, 3)]);
        assert_eq!(all("äb", "x*"), [(0, 0), (2, 2), (3, 3)]);
    }
}
