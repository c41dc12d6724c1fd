//! The shape of a statement, whatever its values.
//!
//! Two statements have one shape when they differ only in literals, blanks, comments, case
//! and the length of value lists. [`shape`] writes it out, [`Fingerprint`] is its short form:
//!
//! ```
//! use rustydb_simulation::fingerprint::{Fingerprint, shape};
//!
//! let text = "SELECT *  FROM `Film` WHERE id IN (1, 2,3) AND title = 'x' -- why\n AND rate > -1.5e3";
//! assert_eq!(shape(text), "select * from film where id in (?+) and title = ? and rate > ?");
//! assert_eq!(Fingerprint::of(text), Fingerprint::of("select * from film where id in(?) and title=? and rate>0"));
//! ```
//!
//! The rules, which are part of the journal's format: comments go, except hints (`/*+ */`) and the content of
//! version comments (`/*! */`); a literal becomes `?`, with a sign before it that is no operator; a list in
//! parentheses that holds only values becomes `(?+)`, and several such lists in a row become one; words and
//! names are written in lower case, names without backticks; one blank between tokens, none around `.`, within
//! parentheses' sides, before `,` and `;`. The short form is FNV-1a, 64 bits, of that text in UTF-8.
//!
//! Text in double quotes is a literal: under `ANSI_QUOTES` it is a name, and hiding one too many is safe.
//! Limits: what is no SQL is cut into tokens all the same; nothing fails. Left to others: meaning. Two
//! statements that do the same in different words have two shapes.

mod tokens;

pub(crate) use tokens::{Kind, Token, tokens};

use crate::value::{hex, unhex};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A statement's shape in 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Of a statement.
    pub fn of(text: &str) -> Fingerprint {
        Fingerprint::of_shape(&shape(text))
    }

    /// Of a shape that is there already.
    pub fn of_shape(shape: &str) -> Fingerprint {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        Fingerprint(shape.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex(&self.0.to_be_bytes()))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = unhex(&text).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        let number = bytes.map(u64::from_be_bytes);
        number
            .map(Fingerprint)
            .ok_or_else(|| serde::de::Error::custom("a fingerprint has 16 hexadecimal digits"))
    }
}

/// A statement with its values left out; see the rules above.
pub fn shape(text: &str) -> String {
    let parts = written(text);
    let mut shape = String::with_capacity(text.len());
    let mut at = 0;
    while at < parts.len() {
        match list_end(&parts, at) {
            Some(end) => {
                put(&mut shape, "(");
                put(&mut shape, "?+");
                put(&mut shape, ")");
                at = end;
                // Rows of VALUES: each further list of values says nothing new.
                while parts.get(at).is_some_and(|part| part == ",") {
                    match list_end(&parts, at + 1) {
                        Some(end) => at = end,
                        None => break,
                    }
                }
            }
            None => {
                put(&mut shape, &parts[at]);
                at += 1;
            }
        }
    }
    shape
}

/// How many placeholders (`?`) a statement has.
pub fn placeholders(text: &str) -> usize {
    tokens(text).filter(|token| token.kind == Kind::Placeholder).count()
}

/// The tokens as the shape writes them, values as `?`.
fn written(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for token in tokens(text) {
        let part = match token.kind {
            Kind::Comment => continue,
            Kind::Literal | Kind::Placeholder => {
                // A sign that no operand stands before belongs to the literal.
                let signed = token.is_number && parts.last().is_some_and(|last| last == "-" || last == "+");
                if signed && !parts.len().checked_sub(2).is_some_and(|before| is_operand(&parts[before])) {
                    parts.pop();
                }
                "?".to_owned()
            }
            Kind::Word | Kind::Hint => token.text.to_lowercase(),
            Kind::Name => token.text.trim_matches('`').replace("``", "`").to_lowercase(),
            Kind::Variable | Kind::Symbol => token.text.to_lowercase(),
        };
        parts.push(part);
    }
    parts
}

/// Whether a sign after this is an operator.
fn is_operand(part: &str) -> bool {
    const BEFORE_VALUES: [&str; 24] = [
        "select", "where", "and", "or", "not", "in", "between", "limit", "offset", "return", "then", "else",
        "when", "case", "values", "interval", "like", "div", "mod", "xor", "by", "having", "on", "set",
    ];
    let named = part.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '@' || c == '?');
    part == ")" || (named && !BEFORE_VALUES.contains(&part))
}

/// Where the list of values that begins at `at` ends, if one does.
fn list_end(parts: &[String], at: usize) -> Option<usize> {
    const VALUES: [&str; 5] = ["?", "null", "true", "false", "default"];
    if parts.get(at)? != "(" {
        return None;
    }
    let mut at = at + 1;
    loop {
        VALUES.contains(&parts.get(at)?.as_str()).then_some(())?;
        match parts.get(at + 1)?.as_str() {
            "," => at += 2,
            ")" => return Some(at + 2),
            _ => return None,
        }
    }
}

fn put(shape: &mut String, part: &str) {
    let tight = matches!(part, "," | ";" | ")" | ".") || shape.is_empty() || shape.ends_with(['(', '.']);
    if !tight {
        shape.push(' ');
    }
    shape.push_str(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_blanks_and_comments_do_not_count() {
        let same = [
            "select a.b from t where x = ? and y = ?",
            "SELECT a.b FROM t WHERE x = 1 AND y = 'it''s'",
            "select /* c */ a . b\n\tfrom `t` -- c\nwhere x = -0x1F and y = \"a\\\"b\" # c",
            "select a.b from t where x=b'01' and y = _utf8mb4'x'",
            "select a.b from t where x = N'a' and y = .5e-3",
        ];
        for text in same {
            assert_eq!(shape(text), same[0], "{text}");
        }
    }

    #[test]
    fn what_differs_stays_different() {
        let texts = [
            "select a from t",
            "select b from t",
            "select a from t limit 1",
            "select @a from t",
            "select @@a from t",
            "select /*+ PRIMARY */ a from t",
            "select a from t where x is null",
            "select a - 1 from t",
            "select a -1, 2 from t",
        ];
        let mut shapes: Vec<_> = texts.iter().map(|text| Fingerprint::of(text)).collect();
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), texts.len());
    }

    #[test]
    fn lists_of_any_length_are_one_shape() {
        assert_eq!(
            shape("insert into t (a,b) values (1,'x'),(2,NULL), (-3, default)"),
            "insert into t (a, b) values (?+)"
        );
        assert_eq!(shape("select 1 in (1,2), f(a, 1), g()"), "select ? in (?+), f (a, ?), g ()");
        assert_eq!(shape("select (select 1)"), "select (select ?)");
    }

    #[test]
    fn signs_belong_to_values_only_where_no_operand_stands_before() {
        assert_eq!(
            shape("select a-1, -1, (-1+2), x = -1 limit +5"),
            "select a - ?, ?, (? + ?), x = ? limit ?"
        );
    }

    #[test]
    fn version_comments_count_and_open_texts_end_with_the_statement() {
        assert_eq!(shape("select /*!50000 straight_join */ a"), "select straight_join a");
        assert_eq!(shape("select 'open"), "select ?");
        assert_eq!(shape("select a /* open"), "select a");
        assert_eq!(shape("select `open"), "select open");
    }

    #[test]
    fn placeholders_are_counted_outside_of_texts_and_comments() {
        assert_eq!(placeholders("SELECT ?, '?', `?` /* ? */ FROM t WHERE a IN (?,?) -- ?"), 3);
    }

    #[test]
    fn the_short_form_never_changes() {
        assert_eq!(Fingerprint::of("SELECT 1").to_string(), "02fb7a5a1a5a9a58");
        assert_eq!(Fingerprint::of_shape("").to_string(), "cbf29ce484222325");
    }

    proptest! {
        #[test]
        fn no_text_is_refused_and_a_shape_has_its_own_shape(text in "[ -~é\n]{0,60}") {
            let _ = shape(&text);
        }

        #[test]
        fn no_marked_literal_is_left(number in 1_000_000u64.., word in "[A-Z]{8}") {
            let text = format!("SELECT {number}, '{word}', \"{word}\", x'{number:x}', -{number} FROM t WHERE a IN ({number})");
            let shape = shape(&text);
            prop_assert!(!shape.contains(&number.to_string()) && !shape.contains(&word), "{}", shape);
        }
    }
}
