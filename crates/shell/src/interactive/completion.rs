//! Completion of names: databases, tables and columns of the database in use, and the words of SQL.
//!
//! Names are asked of the server once per change of database or definition; a server that does not tell leaves
//! the words. At most [`MOST`] names are kept.

use crate::connection::Connection;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

/// The most names that are completed.
const MOST: usize = 50_000;

/// The words that statements are made of.
const WORDS: &str = "ADD ALL ALTER AND AS ASC AUTO_INCREMENT BEGIN BETWEEN BIGINT BY CASE CAST CHARACTER CHECK COALESCE COLLATE \
COLUMN COMMIT CONCAT CONSTRAINT COUNT CREATE CROSS CURRENT_TIMESTAMP DATABASE DATE DATETIME DECIMAL DEFAULT DELETE DESC \
DESCRIBE DISTINCT DROP ELSE END ENUM EXISTS EXPLAIN FOREIGN FROM FULL GROUP HAVING IF IFNULL IGNORE IN INDEX INNER INSERT INT \
INTERVAL INTO IS JOIN KEY LEFT LIKE LIMIT LONGTEXT MAX MIN MODIFY NATURAL NOT NOW NULL OFFSET ON OR ORDER OUTER OVER PARTITION \
PRIMARY PROCESSLIST RECURSIVE REFERENCES REGEXP RENAME REPLACE RIGHT ROLLBACK ROW SELECT SESSION SET SHOW START STATUS SUM TABLE \
TABLES TEMPORARY TEXT THEN TIMESTAMP TRANSACTION TRUNCATE UNION UNIQUE UNSIGNED UPDATE USE USING VALUES VARCHAR VARIABLES VIEW \
WARNINGS WHEN WHERE WITH";

/// What can be completed.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Sorted without regard to case.
    names: Vec<String>,
}

impl Names {
    /// Asks the server for its names.
    pub(super) fn ask(connection: &mut Connection) -> Names {
        let mut names = Vec::new();
        for question in [
            "SHOW DATABASES",
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
            "SELECT DISTINCT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()",
        ] {
            let rows = connection.rows(question).unwrap_or_default();
            names.extend(rows.into_iter().filter_map(|row| row.into_iter().next()).take(MOST));
        }
        names.sort_by_key(|name| name.to_lowercase());
        names.dedup();
        names.truncate(MOST);
        Names { names }
    }

    /// What `word` may become. Words of SQL keep the case in which they were begun.
    fn candidates(&self, word: &str) -> Vec<String> {
        let lower = word.to_lowercase();
        let begins = |name: &&String| name.to_lowercase().starts_with(&lower);
        let mut found: Vec<String> = self.names.iter().filter(begins).cloned().collect();
        if !word.is_empty() {
            let small = word.chars().all(|c| !c.is_uppercase());
            let words = WORDS.split_whitespace().filter(|known| known.to_lowercase().starts_with(&lower));
            found.extend(words.map(|word| if small { word.to_lowercase() } else { word.to_owned() }));
        }
        found
    }
}

impl Helper for Names {}
impl Highlighter for Names {}
impl Validator for Names {}
impl Hinter for Names {
    type Hint = String;
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..at).unwrap_or_default();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        let start =
            before.char_indices().rev().find(|(_, c)| !is_part(*c)).map_or(0, |(i, c)| i + c.len_utf8());
        let word = before.get(start..).unwrap_or_default();
        let pairs = self.candidates(word).into_iter();
        Ok((start, pairs.map(|name| Pair { display: name.clone(), replacement: name }).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_words_and_words_keep_their_case() {
        let names = Names { names: vec!["Selection".into(), "t_selected".into()] };
        assert_eq!(names.candidates("sel"), ["Selection", "select"]);
        assert_eq!(names.candidates("SEL"), ["Selection", "SELECT"]);
        assert_eq!(names.candidates("t_"), ["t_selected"]);
        assert_eq!(names.candidates("").len(), 2);
    }
}
