//! Many rows by few statements.
//!
//! A statement `INSERT ... VALUES (?, ?) ...` is written again with many rows of parameters. Batches have sizes
//! of powers of two up to [`LARGEST_BATCH`], so that any number of rows needs at most eleven texts and the
//! statement cache keeps them; none has more parameters than a server takes (65,535).
//!
//! ```text
//! INSERT INTO t (a, b) VALUES (?, ?) ON DUPLICATE KEY UPDATE b = 1
//! '------- head ------------''- row -''--------- tail -----------'
//! ```

use super::CachedSession;
use crate::driver::{Session, Summary};
use crate::error::{Error, Result};
use crate::value::ToValue;
use tokio::time::Instant;

/// The most rows of one statement.
pub const LARGEST_BATCH: usize = 1024;
/// The most parameters of one statement.
const MOST_PARAMETERS: usize = 65_535;

/// A statement that inserts one row, ready to insert many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkInsert {
    head: String,
    row: String,
    tail: String,
    parameters: usize,
    largest: usize,
}

impl BulkInsert {
    /// Takes the statement apart.
    ///
    /// # Errors
    /// [`Error::Configuration`] where it is no `INSERT` or `REPLACE` with one list of values that holds
    /// parameters and nothing that is quoted.
    pub fn new(sql: &str) -> Result<BulkInsert> {
        BulkInsert::parse(sql).ok_or_else(|| {
            Error::Configuration("a bulk insert is INSERT or REPLACE ... VALUES (?, ...) with one row".into())
        })
    }

    fn parse(sql: &str) -> Option<BulkInsert> {
        let sql = sql.trim().trim_end_matches(';');
        let first = sql.split_ascii_whitespace().next()?;
        if !first.eq_ignore_ascii_case("INSERT") && !first.eq_ignore_ascii_case("REPLACE") {
            return None;
        }
        let values = word(sql, "VALUES").or_else(|| word(sql, "VALUE"))?;
        let open = values + sql.get(values..)?.find('(')?;
        if !sql.get(values..open)?.trim().is_empty() {
            return None;
        }
        let close = open + matching(sql.get(open..)?)?;
        let (head, row, tail) = (sql.get(..open)?, sql.get(open..=close)?, sql.get(close + 1..)?);
        let parameters = row.matches('?').count();
        let quoted =
            |text: &str| text.contains(['\'', '"', '#']) || text.contains("--") || text.contains("/*");
        if parameters == 0
            || tail.contains('?')
            || head.contains('?')
            || quoted(row)
            || tail.trim().starts_with(',')
        {
            return None;
        }
        let fits = (MOST_PARAMETERS / parameters).min(LARGEST_BATCH);
        // The largest power of two that is not larger.
        let largest = if fits == 0 { return None } else { 1 << fits.ilog2() };
        Some(BulkInsert { head: head.into(), row: row.into(), tail: tail.into(), parameters, largest })
    }

    /// The parameters of one row.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The statement for so many rows.
    fn text(&self, rows: usize) -> String {
        let mut sql = String::with_capacity(self.head.len() + self.tail.len() + rows * (self.row.len() + 1));
        sql.push_str(&self.head);
        for row in 0..rows {
            if row > 0 {
                sql.push(',');
            }
            sql.push_str(&self.row);
        }
        sql.push_str(&self.tail);
        sql
    }

    /// Inserts rows, whose values stand one behind the other, and adds their summaries up. Each statement is
    /// a transaction of its own unless one is open: a failure leaves the batches before it inserted.
    ///
    /// # Errors
    /// [`Error::Parameters`] where the values make no whole rows, before anything is sent; the failure of the
    /// first batch that fails.
    pub async fn run<S: Session, P: ToValue + Sync>(
        &self,
        session: &mut CachedSession<S>,
        values: &[P],
        deadline: Instant,
    ) -> Result<Summary> {
        if !values.len().is_multiple_of(self.parameters) {
            let expected = values.len().next_multiple_of(self.parameters);
            return Err(Error::Parameters { expected, given: values.len() });
        }
        let mut sum = Summary::default();
        let mut rest = values;
        while !rest.is_empty() {
            let rows = (rest.len() / self.parameters).min(self.largest);
            let rows = 1 << rows.ilog2();
            let (batch, others) = rest.split_at(rows * self.parameters);
            rest = others;
            let done = session.execute_cached(&self.text(rows), batch, deadline).await?.finish().await?;
            sum.affected_rows += done.affected_rows;
            if sum.last_insert_id == 0 {
                sum.last_insert_id = done.last_insert_id;
            }
            sum.warnings = sum.warnings.saturating_add(done.warnings);
            sum.info = done.info;
            sum.gtid = done.gtid.or(sum.gtid);
        }
        Ok(sum)
    }
}

/// Where a word of the statement ends, outside of quotes and parentheses.
fn word(sql: &str, word: &str) -> Option<usize> {
    let bytes = sql.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    let name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'`' | b'\'' | b'"' => at += bytes.get(at + 1..)?.iter().position(|&other| other == byte)? + 1,
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1)?,
            _ if depth == 0
                && !name(at.checked_sub(1).and_then(|before| bytes.get(before)))
                && bytes
                    .get(at..at + word.len())
                    .is_some_and(|part| part.eq_ignore_ascii_case(word.as_bytes()))
                && !name(bytes.get(at + word.len())) =>
            {
                return Some(at + word.len());
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the parenthesis that opens the text is closed.
fn matching(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statements_are_written_again_with_many_rows() {
        let insert = BulkInsert::new(
            "INSERT INTO t (a, `values (`) VALUES (?, NOW(?)) ON DUPLICATE KEY UPDATE a = 1;",
        );
        let insert = insert.unwrap();
        assert_eq!(insert.parameters(), 2);
        assert_eq!(
            insert.text(2),
            "INSERT INTO t (a, `values (`) VALUES (?, NOW(?)),(?, NOW(?)) ON DUPLICATE KEY UPDATE a = 1"
        );
        assert_eq!(BulkInsert::new("replace into t value (?)").unwrap().text(1), "replace into t value (?)");
        assert_eq!(insert.largest, LARGEST_BATCH);
        let wide = format!("INSERT INTO t VALUES ({})", vec!["?"; 1000].join(","));
        assert_eq!(BulkInsert::new(&wide).unwrap().largest, 64);
    }

    #[test]
    fn what_is_no_insert_of_one_row_is_refused() {
        for sql in [
            "SELECT ?",
            "INSERT INTO t SELECT ?",
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t VALUES (?), (?)",
            "INSERT INTO t VALUES (?, ')')",
            "INSERT INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = ?",
            "INSERT INTO t VALUES (?",
            "INSERT INTO `t VALUES (?)",
            "",
        ] {
            assert!(BulkInsert::new(sql).is_err(), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(sql in "(INSERT |VALUES|[()?`', ]){0,12}") {
            let _ = BulkInsert::new(&sql);
        }
    }
}
