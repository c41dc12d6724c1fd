//! Cuts a script into statements while it streams by, as MySQL's own client does.
//!
//! A statement ends at the delimiter outside of quotes and comments; `DELIMITER xx` on a line of its own
//! changes it; `\G` and `\g` end a statement too, the former asking for its result one column a line. What
//! stands before a statement and says nothing (white space, comments) is left out, except for comments that a
//! server reads (`/*! ... */`, `/*+ ... */`).
//!
//! [`Splitter::push`] takes any pieces of the script, [`Splitter::next`] gives the statements that are complete.
//! Invariants: every byte is looked at once; what is held is the unfinished statement and the last piece.

/// A statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its text, without the delimiter
    pub text: Vec<u8>,
    /// The line of the script on which it starts, from 1
    pub line: u64,
    /// `\G` ended it
    pub vertical: bool,
    /// A delimiter other than `;` ended it, so there may be a `;` in it
    pub compound: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    /// Inside quotes of this kind
    Quoted(u8),
    /// Behind a backslash inside them
    Escaped(u8),
    /// Up to the end of the line
    LineComment,
    /// Up to `*/`
    BlockComment,
}

/// Cuts a script into statements.
#[derive(Debug)]
pub struct Splitter {
    buffer: Vec<u8>,
    /// Where the statement in progress starts in the buffer
    start: usize,
    /// Up to where the buffer was looked at
    at: usize,
    state: State,
    /// Nothing of the statement in progress has been seen that would be kept
    blank: bool,
    delimiter: Vec<u8>,
    /// The line at `at`
    line: u64,
    /// The line at `start`
    start_line: u64,
    ended: bool,
}

impl Default for Splitter {
    fn default() -> Splitter {
        Splitter::new()
    }
}

impl Splitter {
    /// At the begin of a script.
    pub fn new() -> Splitter {
        Splitter {
            buffer: Vec::new(),
            start: 0,
            at: 0,
            state: State::Plain,
            blank: true,
            delimiter: b";".to_vec(),
            line: 1,
            start_line: 1,
            ended: false,
        }
    }

    /// Adds a piece of the script.
    pub fn push(&mut self, piece: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.at -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(piece);
    }

    /// Says that nothing more comes: what is left is the last statement, also without a delimiter.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether a statement has begun.
    pub fn is_inside(&self) -> bool {
        !self.blank || matches!(self.state, State::BlockComment)
    }

    /// Forgets the statement in progress.
    pub fn clear(&mut self) {
        self.start = self.buffer.len();
        self.at = self.start;
        self.state = State::Plain;
        self.blank = true;
    }

    /// The quote that is open, or `*` in a comment, or none.
    pub fn open_quote(&self) -> Option<char> {
        match self.state {
            State::Quoted(quote) | State::Escaped(quote) => Some(char::from(quote)),
            State::BlockComment => Some('*'),
            _ => None,
        }
    }

    /// The next complete statement.
    #[allow(clippy::should_implement_trait, reason = "more may follow after none")]
    pub fn next(&mut self) -> Option<Statement> {
        loop {
            if self.state == State::Plain {
                if self.blank && !self.skip_blank() {
                    return None;
                }
                match self.plain() {
                    Plain::Ended(statement) => return Some(statement),
                    Plain::More => return None,
                    Plain::Entered => continue,
                }
            }
            if !self.finish_state() {
                return self.last();
            }
        }
    }

    /// What is left at the end of the script.
    fn last(&mut self) -> Option<Statement> {
        if !self.ended || self.blank {
            return None;
        }
        let end = self.buffer.len();
        Some(self.cut(end, 0, false))
    }

    /// Moves over what stands before a statement. False when more of the script is needed.
    fn skip_blank(&mut self) -> bool {
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let Some(&first) = rest.first() else { return false };
            // Not enough to tell a comment or DELIMITER apart from a statement.
            let short = !self.ended
                && match first {
                    b'-' | b'/' => rest.len() < 3,
                    _ => {
                        rest.len() < 10
                            && b"delimiter"
                                .get(..rest.len())
                                .unwrap_or(b"delimiter")
                                .eq_ignore_ascii_case(rest)
                    }
                };
            if first == b'\n' {
                self.line += 1;
            }
            if first.is_ascii_whitespace() {
                self.at += 1;
                self.begin_here();
                continue;
            }
            if short {
                return false;
            }
            if is_line_comment(rest) {
                self.state = State::LineComment;
                if !self.finish_state() {
                    // Thrown away as it comes.
                    self.begin_here();
                    return false;
                }
                self.begin_here();
                continue;
            }
            if rest.starts_with(b"/*") && !matches!(rest.get(2), Some(b'!' | b'+')) {
                self.state = State::BlockComment;
                self.at += 2;
                if !self.finish_state() {
                    self.begin_here();
                    return false;
                }
                self.begin_here();
                continue;
            }
            let word = rest.get(..9).unwrap_or_default();
            if word.eq_ignore_ascii_case(b"delimiter") && rest.get(9).is_none_or(u8::is_ascii_whitespace) {
                let end = rest.iter().position(|&byte| byte == b'\n');
                let Some(end) = end.or(self.ended.then_some(rest.len())) else { return false };
                let argument = rest.get(9..end).unwrap_or_default().trim_ascii();
                let argument = argument.split(u8::is_ascii_whitespace).next().unwrap_or_default();
                if !argument.is_empty() {
                    self.delimiter = argument.to_vec();
                }
                self.at += end;
                self.begin_here();
                continue;
            }
            self.blank = false;
            self.begin_here();
            return true;
        }
    }

    fn begin_here(&mut self) {
        self.start = self.at;
        self.start_line = self.line;
    }

    /// Moves over plain text up to a delimiter, a quote or a comment.
    fn plain(&mut self) -> Plain {
        let first = self.delimiter.first().copied().unwrap_or(b';');
        while let Some(&byte) = self.buffer.get(self.at) {
            if byte == first {
                let rest = self.buffer.get(self.at..).unwrap_or_default();
                if rest.starts_with(&self.delimiter) {
                    let length = self.delimiter.len();
                    return Plain::Ended(self.cut(self.at, length, false));
                }
                if !self.ended && self.delimiter.starts_with(rest) {
                    return Plain::More;
                }
            }
            match byte {
                b'\n' => self.line += 1,
                b'\'' | b'"' | b'`' => {
                    self.state = State::Quoted(byte);
                    self.at += 1;
                    return Plain::Entered;
                }
                b'\\' => match self.buffer.get(self.at + 1) {
                    Some(b'G') => return Plain::Ended(self.cut(self.at, 2, true)),
                    Some(b'g') => return Plain::Ended(self.cut(self.at, 2, false)),
                    None if !self.ended => return Plain::More,
                    _ => {}
                },
                b'#' | b'-' | b'/' => {
                    let rest = self.buffer.get(self.at..).unwrap_or_default();
                    if rest.len() < 3 && !self.ended {
                        return Plain::More;
                    }
                    if is_line_comment(rest) {
                        self.state = State::LineComment;
                        return Plain::Entered;
                    }
                    if rest.starts_with(b"/*") {
                        self.state = State::BlockComment;
                        self.at += 2;
                        return Plain::Entered;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        match self.last() {
            Some(statement) => Plain::Ended(statement),
            None => Plain::More,
        }
    }

    /// Moves to the end of a quote or comment. False when more of the script is needed.
    fn finish_state(&mut self) -> bool {
        while let Some(&byte) = self.buffer.get(self.at) {
            if byte == b'\n' {
                self.line += 1;
            }
            match self.state {
                State::Quoted(quote) if byte == quote => self.state = State::Plain,
                State::Quoted(quote) if byte == b'\\' && quote != b'`' => self.state = State::Escaped(quote),
                State::Escaped(quote) => self.state = State::Quoted(quote),
                State::LineComment if byte == b'\n' => self.state = State::Plain,
                State::BlockComment if byte == b'*' => match self.buffer.get(self.at + 1) {
                    Some(b'/') => {
                        self.at += 1;
                        self.state = State::Plain;
                    }
                    None if !self.ended => return false,
                    _ => {}
                },
                _ => {}
            }
            self.at += 1;
            if self.state == State::Plain {
                return true;
            }
        }
        self.ended && self.state == State::LineComment && {
            self.state = State::Plain;
            true
        }
    }

    /// Takes the statement that ends at `end`, before a delimiter of `delimiter` bytes.
    fn cut(&mut self, end: usize, delimiter: usize, vertical: bool) -> Statement {
        let text = self.buffer.get(self.start..end).unwrap_or_default().trim_ascii_end().to_vec();
        let statement = Statement { text, line: self.start_line, vertical, compound: self.delimiter != b";" };
        self.at = (end + delimiter).min(self.buffer.len());
        self.state = State::Plain;
        self.blank = true;
        self.begin_here();
        statement
    }
}

enum Plain {
    Ended(Statement),
    /// A quote or a comment begins
    Entered,
    /// More of the script is needed
    More,
}

fn is_line_comment(text: &[u8]) -> bool {
    match text {
        [b'#', ..] | [b'-', b'-'] => true,
        [b'-', b'-', next, ..] => next.is_ascii_whitespace() || next.is_ascii_control(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split_by(script: &str, piece: usize) -> Vec<Statement> {
        let mut splitter = Splitter::new();
        let mut statements = Vec::new();
        for piece in script.as_bytes().chunks(piece.max(1)) {
            splitter.push(piece);
            statements.extend(std::iter::from_fn(|| splitter.next()));
        }
        splitter.end();
        statements.extend(std::iter::from_fn(|| splitter.next()));
        statements
    }

    fn texts(script: &str) -> Vec<(u64, String)> {
        let whole = split_by(script, usize::MAX);
        for piece in [1, 2, 3, 7] {
            assert_eq!(split_by(script, piece), whole, "pieces of {piece}");
        }
        whole.into_iter().map(|s| (s.line, String::from_utf8(s.text).unwrap())).collect()
    }

    #[test]
    fn statements_end_outside_of_quotes_and_comments() {
        let script = "-- first\nSELECT ';', \"a\\\";\", `b;``c`; # x ;\n/* ; */ SELECT 2 -- ;\n, 3 /* ; */;\n\nSELECT 4";
        assert_eq!(
            texts(script),
            [
                (2, "SELECT ';', \"a\\\";\", `b;``c`".to_owned()),
                (3, "SELECT 2 -- ;\n, 3 /* ; */".to_owned()),
                (6, "SELECT 4".to_owned()),
            ]
        );
    }

    #[test]
    fn the_delimiter_changes() {
        let script =
            "DELIMITER ;;\nCREATE TRIGGER t BEGIN a; b; END;;\ndelimiter //\nX //\nDELIMITER ;\nSELECT 1;";
        let found = texts(script);
        assert_eq!(found[0], (2, "CREATE TRIGGER t BEGIN a; b; END".to_owned()));
        assert_eq!(found[1..], [(4, "X".to_owned()), (6, "SELECT 1".to_owned())]);
        let compound: Vec<bool> = split_by(script, 5).iter().map(|s| s.compound).collect();
        assert_eq!(compound, [true, true, false]);
    }

    #[test]
    fn comments_for_the_server_are_kept() {
        let found = texts("/*!40101 SET NAMES utf8 */;\n/*!50003 CREATE*/ /*!50017 x*/;");
        assert_eq!(found[0].1, "/*!40101 SET NAMES utf8 */");
        assert_eq!(found[1], (2, "/*!50003 CREATE*/ /*!50017 x*/".to_owned()));
    }

    #[test]
    fn a_capital_g_asks_for_vertical_output() {
        let found = split_by("SELECT 1\\G SELECT '\\G'\\g SELECT 2;", 4);
        assert_eq!(found.iter().map(|s| s.vertical).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(found[1].text, b"SELECT '\\G'");
    }

    #[test]
    fn minus_minus_is_a_comment_only_before_white_space() {
        assert_eq!(texts("SELECT 5--1;"), [(1, "SELECT 5--1".to_owned())]);
        assert_eq!(texts("SELECT 5 -- 1"), [(1, "SELECT 5 -- 1".to_owned())]);
        assert!(texts("-- nothing\n# at all\n/* here */\n").is_empty());
        assert_eq!(texts(";;"), [(1, String::new()), (1, String::new())]);
    }

    #[test]
    fn what_is_open_is_known() {
        let mut splitter = Splitter::new();
        splitter.push(b"SELECT 'a");
        assert_eq!(splitter.next(), None);
        assert_eq!((splitter.is_inside(), splitter.open_quote()), (true, Some('\'')));
        splitter.clear();
        splitter.push(b"SELECT 1;");
        assert_eq!(splitter.next().unwrap().text, b"SELECT 1");
        assert!(!splitter.is_inside());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(script in "[;'\"`/*# \\\\\n\\-a!Ggdelimtr]{0,60}", piece in 1usize..9) {
            prop_assert_eq!(split_by(&script, piece), split_by(&script, usize::MAX));
        }
    }
}
