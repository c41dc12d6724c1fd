//! Why a text is not a statement.

/// A statement that could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Byte offset of the offending token in the text given to the parser.
    pub offset: usize,
    /// Line of the offending token, from 1.
    pub line: u32,
    /// The statement's text from the offending token on, cut to 80 characters as MySQL does.
    pub near: Box<str>,
}

/// What is wrong with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The grammar does not allow this token here (1064).
    Syntax,
    /// The grammar allows this token, a rule beside it does not; the text stands before "near" (1064).
    SyntaxRule(&'static str),
    /// Nothing but blanks (1065).
    Empty,
    /// Nested deeper than the parser's limit (1436).
    TooDeep,
    /// Longer than 4 GiB, which no packet can carry (1153).
    TooLong,
    /// MySQL's grammar allows it, this parser does not know it yet (1235).
    NotSupported(&'static str),
    /// A rule that MySQL checks while parsing, with its own error.
    Rule {
        /// MySQL's error number.
        code: u16,
        /// Its SQLSTATE.
        sqlstate: &'static str,
        /// Its text.
        message: Box<str>,
    },
}

impl ParseError {
    /// MySQL's error number.
    pub fn code(&self) -> u16 {
        match &self.kind {
            ParseErrorKind::Syntax | ParseErrorKind::SyntaxRule(_) => 1064,
            ParseErrorKind::Empty => 1065,
            ParseErrorKind::TooDeep => 1436,
            ParseErrorKind::TooLong => 1153,
            ParseErrorKind::NotSupported(_) => 1235,
            ParseErrorKind::Rule { code, .. } => *code,
        }
    }

    /// MySQL's SQLSTATE for [`ParseError::code`].
    pub fn sqlstate(&self) -> &'static str {
        match &self.kind {
            ParseErrorKind::Syntax | ParseErrorKind::SyntaxRule(_) | ParseErrorKind::Empty => "42000",
            ParseErrorKind::TooDeep => "HY000",
            ParseErrorKind::TooLong => "08S01",
            ParseErrorKind::NotSupported(_) => "42000",
            ParseErrorKind::Rule { sqlstate, .. } => sqlstate,
        }
    }

    /// MySQL's error text.
    pub fn message(&self) -> String {
        match &self.kind {
            ParseErrorKind::Syntax => format!(
                "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server \
                 version for the right syntax to use near '{}' at line {}",
                self.near, self.line
            ),
            ParseErrorKind::SyntaxRule(rule) => format!("{rule} near '{}' at line {}", self.near, self.line),
            ParseErrorKind::Empty => "Query was empty".to_owned(),
            ParseErrorKind::TooDeep => {
                "Thread stack overrun: the statement is nested too deeply; use fewer levels of parentheses, \
                 subqueries or operators"
                    .to_owned()
            }
            ParseErrorKind::TooLong => "Got a packet bigger than 'max_allowed_packet' bytes".to_owned(),
            ParseErrorKind::NotSupported(what) => {
                format!("This version of MySQL doesn't yet support '{what}'")
            }
            ParseErrorKind::Rule { message, .. } => message.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ParseErrorKind) -> ParseError {
        ParseError { kind, offset: 0, line: 2, near: "x y".into() }
    }

    #[test]
    fn the_texts_are_those_of_mysql() {
        let syntax = error(ParseErrorKind::Syntax);
        assert!(syntax.message().ends_with("the right syntax to use near 'x y' at line 2"));
        assert_eq!((syntax.code(), syntax.sqlstate()), (1064, "42000"));
        assert_eq!(
            error(ParseErrorKind::SyntaxRule("No tables used")).to_string(),
            "No tables used near 'x y' at line 2"
        );
        let unsupported = error(ParseErrorKind::NotSupported("CLONE"));
        assert_eq!(unsupported.code(), 1235);
        assert_eq!(unsupported.message(), "This version of MySQL doesn't yet support 'CLONE'");
    }
}
