//! Many rows by few statements.
//!
//! A statement `INSERT ... VALUES (?, ?) ...` is written again with many rows of parameters. Up to 16 rows
//! make one statement, more are cut into powers of two up to [`LARGEST_BATCH`]: any number of rows needs few
//! texts, and the statement cache keeps them. None has more parameters than a server takes (65,535), and one that
//! is larger than a packet is cut in halves.
//!
//! ```text
//! INSERT INTO t (a, b) VALUES (?, ?) ON DUPLICATE KEY UPDATE b = 1
//! '------- head ------------''- row -''--------- tail -----------'
//! ```

use crate::driver::{Results, Session, Summary};
use crate::error::{Error, Result};
use crate::value::ToValue;
use tokio::time::Instant;

/// The most rows of one statement.
pub const LARGEST_BATCH: usize = 1024;
/// Up to so many rows, each number has a text of its own.
const ANY_NUMBER: usize = 16;
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
        if fits == 0 {
            return None;
        }
        let largest = power_within(fits);
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

    /// The same with at most so many rows in a statement.
    pub fn at_most(mut self, rows: usize) -> BulkInsert {
        self.largest = self.largest.min(power_within(rows.max(1)));
        self
    }

    /// Cuts values, which stand one row behind the other, into statements.
    ///
    /// # Errors
    /// [`Error::Parameters`] where they make no whole rows.
    pub fn batches<'v, P>(&'v self, values: &'v [P]) -> Result<Batches<'v, P>> {
        if !values.len().is_multiple_of(self.parameters) {
            let expected = values.len().next_multiple_of(self.parameters);
            return Err(Error::Parameters { expected, given: values.len() });
        }
        Ok(Batches {
            insert: self,
            values,
            begun: 0,
            given: 0,
            largest: self.largest,
            sum: Summary::default(),
        })
    }

    /// Inserts rows, whose values stand one behind the other, and adds their summaries up. Each statement is
    /// a transaction of its own unless one is open: a failure leaves the batches before it inserted.
    ///
    /// # Errors
    /// [`Error::Parameters`] where the values make no whole rows, before anything is sent; the failure of the
    /// first batch that fails.
    pub async fn run<S: Session, P: ToValue + Sync>(
        &self,
        session: &mut S,
        values: &[P],
        deadline: Instant,
    ) -> Result<Summary> {
        let mut batches = self.batches(values)?;
        while let Some((sql, batch)) = batches.next_batch() {
            let done = match session.start_by_text(&sql, batch, deadline).await {
                Ok(()) => Results::of(session).finish().await,
                Err(error) => Err(error),
            };
            batches.ended(done)?;
        }
        Ok(batches.into_sum())
    }
}

/// The largest power of two that is not larger than `rows`, which is not 0.
fn power_within(rows: usize) -> usize {
    1 << rows.max(1).ilog2()
}

/// Values cut into statements, to be run one after the other; each is told how it [`ended`](Self::ended).
#[derive(Debug)]
pub struct Batches<'v, P> {
    insert: &'v BulkInsert,
    values: &'v [P],
    /// Where the values of the batch that was given last begin, and where they end
    begun: usize,
    given: usize,
    largest: usize,
    sum: Summary,
}

impl<'v, P> Batches<'v, P> {
    /// Whether the next statement is the last one.
    pub fn is_one(&self) -> bool {
        self.rows() == self.left()
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.left() == 0
    }

    /// Rows that were not given yet.
    fn left(&self) -> usize {
        (self.values.len() - self.given) / self.insert.parameters
    }

    /// Rows of the next statement.
    fn rows(&self) -> usize {
        let rows = self.left();
        if rows <= ANY_NUMBER.min(self.largest) { rows } else { power_within(rows.min(self.largest)) }
    }

    /// The next statement and its parameters; none behind the last.
    pub fn next_batch(&mut self) -> Option<(String, &'v [P])> {
        let rows = if self.left() == 0 { return None } else { self.rows() };
        self.begun = self.given;
        self.given += rows * self.insert.parameters;
        Some((self.insert.text(rows), self.values.get(self.begun..self.given)?))
    }

    /// Adds what the statement given last did. One that was too large to be sent is given again, in halves.
    ///
    /// # Errors
    /// The failure of the statement.
    pub fn ended(&mut self, outcome: Result<Summary>) -> Result<()> {
        let done = match outcome {
            Ok(done) => done,
            Err(Error::TooLarge { .. }) if self.given - self.begun > self.insert.parameters => {
                self.largest = power_within((self.given - self.begun) / self.insert.parameters / 2);
                self.given = self.begun;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let sum = &mut self.sum;
        sum.affected_rows += done.affected_rows;
        if sum.last_insert_id == 0 {
            sum.last_insert_id = done.last_insert_id;
        }
        sum.warnings = sum.warnings.saturating_add(done.warnings);
        sum.info = done.info;
        sum.gtid = done.gtid.or(sum.gtid.take());
        Ok(())
    }

    /// What all statements did.
    pub fn into_sum(self) -> Summary {
        self.sum
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
    fn rows_are_cut_into_statements_of_few_sizes_and_in_halves_where_they_are_too_large() {
        let insert = BulkInsert::new("INSERT INTO t VALUES (?, ?)").unwrap();
        let sizes = |insert: &BulkInsert, rows: usize, fits: usize| {
            let values = vec![7; rows * 2];
            let mut batches = insert.batches(&values).unwrap();
            let mut sizes = Vec::new();
            while let Some((sql, values)) = batches.next_batch() {
                let rows = values.len() / 2;
                assert_eq!(sql, insert.text(rows));
                let outcome = match rows > fits {
                    true => Err(Error::TooLarge { size: 2, limit: 1 }),
                    false => Ok(Summary { affected_rows: rows as u64, ..Summary::default() }),
                };
                sizes.extend(outcome.is_ok().then_some(rows));
                if batches.ended(outcome).is_err() {
                    return (sizes, false);
                }
            }
            assert!(batches.is_over() && batches.into_sum().affected_rows == rows as u64);
            (sizes, true)
        };
        assert!(sizes(&insert, 0, 9999).0.is_empty());
        assert_eq!(sizes(&insert, 13, 9999).0, [13]);
        assert_eq!(sizes(&insert, 1060, 9999).0, [1024, 32, 4]);
        assert_eq!(sizes(&insert.clone().at_most(1000), 1060, 9999).0, [512, 512, 32, 4]);
        assert_eq!(sizes(&insert, 20, 5).0, [4, 4, 4, 4, 4]);
        assert_eq!(sizes(&insert, 3, 2).0, [1, 1, 1]);
        assert_eq!(sizes(&insert, 3, 0), (vec![], false), "one row is too large");
        assert!(matches!(insert.batches(&[1; 3]), Err(Error::Parameters { expected: 4, given: 3 })));
        assert!(insert.batches(&[1; 26]).unwrap().is_one() && !insert.batches(&[1; 34]).unwrap().is_one());
        assert!(insert.batches(&[1; 64]).unwrap().is_one());
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
