//! What is refused before it reaches a server, and what may be said about a statement in a log.
//!
//! | guard | refuses | unless |
//! |---|---|---|
//! | size | texts over `limits.max_query_size` bytes | |
//! | batch | batches over `limits.batch` | |
//! | LOAD DATA | LOAD DATA, LOAD XML, IMPORT TABLE | `guards.allow_load_data` |
//! | DDL | CREATE, ALTER, DROP, RENAME, TRUNCATE | `guards.block_ddl` is off |
//! | parameters | texts in quotes within a statement, which should have been parameters | `guards.parameters_only` is off |
//!
//! A log says a statement's shape and the kinds of its parameters ([`LoggedStatement`]), never a value; a statement
//! that names a table of `guards.sensitive_tables` is flagged.
//!
//! Guards look at text, so they keep honest code from mistakes. What an account may do is for its privileges:
//! a stored procedure with DDL inside passes here.

use crate::config::{GuardConfig, Limits};
use crate::error::{Error, Result};
use crate::routing::{Reading, StatementClass, Token, Tokens};
use crate::value::ToValue;
use rustydb_simulation::fingerprint::shape;
use std::collections::HashSet;
use std::fmt;

/// The guards of one client.
#[derive(Debug, Clone)]
pub struct Guards {
    config: GuardConfig,
    max_query_size: usize,
    max_batch: usize,
    /// In lower case
    sensitive: HashSet<String>,
}

impl Guards {
    /// Guards as configured.
    pub fn new(config: &GuardConfig, limits: &Limits) -> Guards {
        Guards {
            sensitive: config.sensitive_tables.iter().map(|table| table.to_lowercase()).collect(),
            config: config.clone(),
            max_query_size: limits.max_query_size,
            max_batch: limits.batch,
        }
    }

    /// Whether a statement may be sent. `class` is what routing knows of it.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotAllowed`].
    pub fn check(&self, sql: &str, class: StatementClass) -> Result<()> {
        if sql.len() > self.max_query_size {
            return Err(Error::TooLarge { size: sql.len(), limit: self.max_query_size });
        }
        if class.loads_files() && !self.config.allow_load_data {
            return Err(Error::NotAllowed("LOAD DATA"));
        }
        if class.changes_definitions() && self.config.block_ddl {
            return Err(Error::NotAllowed("a change of definitions (DDL)"));
        }
        if self.config.parameters_only && has_text(sql) {
            return Err(Error::NotAllowed("a text in quotes within a statement, instead of a parameter,"));
        }
        Ok(())
    }

    /// Whether a batch of so many statements or rows may be sent.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`].
    pub fn check_batch(&self, size: usize) -> Result<()> {
        if size > self.max_batch {
            return Err(Error::BatchTooLarge { size, limit: self.max_batch });
        }
        Ok(())
    }

    /// Whether a statement names a sensitive table, in any database.
    pub fn is_sensitive(&self, sql: &str) -> bool {
        !self.sensitive.is_empty() && names(sql).any(|name| self.sensitive.contains(&name))
    }

    /// What a log may say about a statement.
    pub fn logged<P: ToValue>(&self, sql: &str, parameters: &[P]) -> LoggedStatement {
        LoggedStatement {
            shape: shape(sql),
            parameters: parameters.iter().map(|parameter| parameter.to_value().kind()).collect(),
            is_sensitive: self.is_sensitive(sql),
        }
    }
}

/// Whether a text in quotes stands in the statement, however backslashes are read.
fn has_text(sql: &str) -> bool {
    tokens(sql).any(|token| matches!(token, Token::Text(_)))
}

/// Every word and name, in lower case, without backticks. A text in double quotes counts as a name: under
/// `ANSI_QUOTES` it is one.
fn names(sql: &str) -> impl Iterator<Item = String> {
    tokens(sql).filter_map(|token| {
        let name = match token {
            Token::Word(name) | Token::Number(name) => String::from_utf8_lossy(name).into_owned(),
            Token::QuotedName(name) => unquoted(name, '`'),
            Token::Text(text) if text.first() == Some(&b'"') => unquoted(text, '"'),
            _ => return None,
        };
        Some(name.to_lowercase())
    })
}

fn unquoted(name: &[u8], quote: char) -> String {
    let name = String::from_utf8_lossy(name);
    let inner = name.strip_prefix(quote).unwrap_or(&name);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    inner.replace(&format!("{quote}{quote}"), &quote.to_string())
}

fn tokens(sql: &str) -> impl Iterator<Item = Token<'_>> {
    let mut tokens = Tokens::new(sql, Reading::DEFAULT);
    std::iter::from_fn(move || tokens.next())
}

/// A statement as a log may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedStatement {
    /// Its text without values
    pub shape: String,
    /// The kinds of its parameters
    pub parameters: Vec<&'static str>,
    /// It names a sensitive table
    pub is_sensitive: bool,
}

impl fmt::Display for LoggedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shape)?;
        if !self.parameters.is_empty() {
            write!(f, " [{}]", self.parameters.join(", "))?;
        }
        if self.is_sensitive { f.write_str(" (sensitive)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{Router, RouterOptions};
    use crate::value::Value;

    fn check(config: GuardConfig, sql: &str) -> Result<()> {
        let class = Router::new(RouterOptions::default()).classify(sql);
        Guards::new(&config, &Limits { max_query_size: 200, batch: 3, ..Limits::default() }).check(sql, class)
    }

    #[test]
    fn sizes_have_their_limits() {
        let long = format!("SELECT '{}'", "x".repeat(300));
        let refused = check(GuardConfig::default(), &long).expect_err("too long");
        assert!(matches!(refused, Error::TooLarge { size: 309, limit: 200 }), "{refused}");
        let guards = Guards::new(&GuardConfig::default(), &Limits { batch: 3, ..Limits::default() });
        guards.check_batch(3).expect("within");
        let refused = guards.check_batch(4).expect_err("too many");
        assert_eq!(refused.to_string(), "a batch of 4 exceeds the limit of 3");
    }

    #[test]
    fn files_and_definitions_are_guarded_however_they_are_written() {
        let strict = || GuardConfig { block_ddl: true, ..GuardConfig::default() };
        for sql in [
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "/* c */ load data local infile 'x' into table t",
            "/*!50000 LOAD */ DATA INFILE 'x' INTO TABLE t",
            "SELECT 1; LOAD DATA INFILE 'x' INTO TABLE t",
        ] {
            assert!(check(GuardConfig::default(), sql).is_err(), "{sql}");
            let allowed = GuardConfig { allow_load_data: true, ..GuardConfig::default() };
            check(allowed, sql).expect(sql);
        }
        for sql in [
            "CREATE TABLE t (a INT)",
            "-- x\nDROP TABLE t",
            "truncate t",
            "ALTER TABLE t ADD b INT",
            "SELECT 1; DROP TABLE t",
        ] {
            check(GuardConfig::default(), sql).expect(sql);
            assert!(check(strict(), sql).is_err(), "{sql}");
        }
        for sql in
            ["SELECT 'DROP TABLE t'", "INSERT INTO t VALUES ('LOAD DATA')", "SELECT `create` FROM `drop`"]
        {
            check(strict(), sql).expect(sql);
        }
    }

    #[test]
    fn texts_can_be_required_to_be_parameters() {
        let strict = || GuardConfig { parameters_only: true, ..GuardConfig::default() };
        for sql in ["SELECT * FROM t WHERE a = ? LIMIT 10", "SELECT `it's` FROM t -- don't"] {
            check(strict(), sql).expect(sql);
        }
        for sql in ["SELECT * FROM t WHERE a = '' OR '1'='1'", "SELECT \"x\"", "SELECT N'x'"] {
            assert!(check(strict(), sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn logs_have_shapes_and_kinds_and_flags_but_no_values() {
        let config = GuardConfig { sensitive_tables: vec!["Cards".to_owned()], ..GuardConfig::default() };
        let guards = Guards::new(&config, &Limits::default());
        let parameters = [Value::String("M4RKED".to_owned()), Value::Int(4711), Value::Null];
        let logged =
            guards.logged("SELECT * FROM shop.`cards` WHERE no = '4711' AND a IN (?, ?, ?)", &parameters);
        assert_eq!(
            logged.to_string(),
            "select * from shop.cards where no = ? and a in (?+) [String, Int, NULL] (sensitive)"
        );
        assert!(!guards.is_sensitive("SELECT 'cards' FROM orders"));
        assert!(guards.is_sensitive("SELECT 1 FROM \"cards\""), "a name under ANSI_QUOTES");
        assert!(guards.is_sensitive("/*!80000 DELETE FROM CARDS */"));
    }
}
