//! A statement with its values taken out: `SELECT c FROM t WHERE id = 7` is `SELECT c FROM t WHERE id = ?` and 7.
//!
//! Many programs write values into the text, so that no text comes twice. The text without them does, and what was
//! worked out for it can be used again. Only whole numbers and strings are taken out; whatever else a value may look
//! like stays where it is. Not every template is a statement (`SELECT c AS 'x'` takes no marker there), and one that is
//! may mean something else (`ORDER BY 1`): that is for whoever uses it to find out.

use crate::ParseOptions;
use crate::lexer::Lexer;
use crate::parser::string_content;
use crate::token::Tok;

/// More values than this are not taken out.
const MOST_VALUES: usize = 64;

/// A text and its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The text, with a `?` for each value.
    pub text: String,
    /// What stood there.
    pub values: Vec<TakenValue>,
}

/// A value that stood in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenValue {
    /// Digits.
    Integer(u64),
    /// The content of a string.
    String(String),
}

impl Template {
    /// Becomes the template of a text that holds one statement; false where there is none to be had: without values,
    /// with markers already, with too many values.
    pub fn take(&mut self, sql: &str, options: &ParseOptions) -> bool {
        self.text.clear();
        self.values.clear();
        let options = ParseOptions { parameters: true, ..*options };
        let mut lexer = Lexer::new(sql.as_bytes(), 0, options);
        let mut copied = 0;
        loop {
            let token = lexer.next();
            let (start, end) = (token.start as usize, token.end as usize);
            let value = match token.tok {
                Tok::End => break,
                Tok::Semicolon => {
                    let (before, behind) = (sql.get(copied..start), sql.get(end..));
                    let (Some(before), Some(behind)) = (before, behind) else { return false };
                    self.text.push_str(before);
                    return behind.trim_ascii().is_empty() && !self.values.is_empty();
                }
                Tok::Abort | Tok::Parameter => return false,
                Tok::Integer => match sql.get(start..end).and_then(|digits| digits.parse().ok()) {
                    Some(number) => TakenValue::Integer(number),
                    None => return false,
                },
                Tok::String => {
                    let Some(token) = sql.as_bytes().get(start..end) else { return false };
                    match String::from_utf8(string_content(token, &options).into_owned()) {
                        Ok(content) => TakenValue::String(content),
                        Err(_) => return false,
                    }
                }
                _ => continue,
            };
            if self.values.len() == MOST_VALUES {
                return false;
            }
            let Some(before) = sql.get(copied..start) else { return false };
            self.text.push_str(before);
            self.text.push('?');
            self.values.push(value);
            copied = end;
        }
        self.text.push_str(sql.get(copied..).unwrap_or_default());
        !self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(sql: &str) -> Option<Template> {
        let mut template = Template::default();
        template.take(sql, &ParseOptions::default()).then_some(template)
    }

    #[test]
    fn numbers_and_strings_are_taken_out() {
        use TakenValue::{Integer, String};
        let found = template("SELECT c2 FROM `t 1` WHERE id=7 AND s = 'it''s\\n' /* 8 '9' */ -- 10").unwrap();
        assert_eq!(found.text, "SELECT c2 FROM `t 1` WHERE id=? AND s = ? /* 8 '9' */ -- 10");
        assert_eq!(found.values, [Integer(7), String("it's\n".into())]);
        assert_eq!(template("SELECT 7 ; ").unwrap().text, "SELECT ? ");
        let found = template("SELECT 1.5, 1e3, x'41', 18446744073709551615, ''").unwrap();
        assert_eq!(found.text, "SELECT 1.5, 1e3, x'41', ?, ?");
        assert_eq!(found.values, [Integer(u64::MAX), String("".into())]);
    }

    #[test]
    fn where_there_is_none() {
        for sql in [
            "SELECT c FROM t",
            "SELECT c FROM t WHERE id = ?",
            "SELECT 1; SELECT 2",
            "SELECT 1; -- more",
            "SELECT 'open",
            "SELECT 18446744073709551616",
            "",
        ] {
            assert_eq!(template(sql), None, "{sql}");
        }
        let many = format!("SELECT {}", vec!["1"; MOST_VALUES + 1].join(","));
        assert_eq!(template(&many), None);
    }

    /// Filled with what was taken out, a template that is a statement is the one it was made from.
    #[test]
    fn a_template_parses_with_as_many_markers_as_values() {
        for sql in [
            "SELECT c FROM t WHERE id = 7",
            "INSERT INTO t VALUES (1, 'a'), (-2, NULL)",
            "UPDATE t SET a=a+1 WHERE id='x'",
        ] {
            let found = template(sql).unwrap();
            let options = ParseOptions { parameters: true, ..ParseOptions::default() };
            let parsed = crate::parse_next(&found.text, 0, &options).unwrap();
            assert_eq!(parsed.parameters as usize, found.values.len(), "{sql}");
        }
    }
}
