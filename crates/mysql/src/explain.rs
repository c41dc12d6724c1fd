//! How a server would run a statement, and what is doubtful about that.
//!
//! The plan is asked for in the tabular form that MySQL, MariaDB and RustyDB share: one [`ExplainResult`] for each
//! table that is read, in the order of reading. [`ExplainWarning`]s say what usually makes such a plan slow:
//!
//! | warning | in the plan | usual cure |
//! |---|---|---|
//! | [`FullScan`](ExplainWarning::FullScan) | `type` is ALL | an index on the columns of WHERE or ON |
//! | [`FullIndexScan`](ExplainWarning::FullIndexScan) | `type` is index | a condition that the index can begin with |
//! | [`UnusedIndex`](ExplainWarning::UnusedIndex) | `possible_keys` without `key` | ANALYZE TABLE; a condition that selects less |
//! | [`Filesort`](ExplainWarning::Filesort) | Using filesort | an index in the order of ORDER BY |
//! | [`TemporaryTable`](ExplainWarning::TemporaryTable) | Using temporary | an index in the order of GROUP BY |
//! | [`JoinBuffer`](ExplainWarning::JoinBuffer) | Using join buffer | an index on the join's column |
//! | [`ManyForFew`](ExplainWarning::ManyForFew) | a tenth of `rows` or less is `filtered` through | an index that selects what the filter throws away |
//!
//! The statement is not run. Only statements with a plan are taken, and one at a time: EXPLAIN ANALYZE, which runs
//! what it explains, cannot come in by this door.

use crate::cells::{number, rows, text};
use crate::driver::{Flavor, Session};
use crate::error::{Error, Result};
use crate::routing::{Marks, Router, RouterOptions, StatementKind};
use crate::row::RowRef;
use crate::value::ToValue;
use std::fmt;
use tokio::time::Instant;

/// Plans that read fewer rows than this are quick whatever they do.
const FEW_ROWS: u64 = 1_000;

/// One step of a plan: how one table is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExplainResult {
    /// Which SELECT of the statement it belongs to; none for the result of a UNION
    pub id: Option<u64>,
    /// What kind of SELECT that is: `SIMPLE`, `PRIMARY`, `DERIVED`, `SUBQUERY`
    pub select_type: String,
    /// The table, or what stands for one: `<derived2>`; none where no table is read
    pub table: Option<String>,
    /// Partitions that are read
    pub partitions: Option<String>,
    /// How it is read: `const`, `eq_ref`, `ref`, `range`, `index`, `ALL`
    pub access_type: Option<String>,
    /// Indexes that could have served
    pub possible_keys: Vec<String>,
    /// The index that does
    pub key: Option<String>,
    /// Bytes of the index's key that are used
    pub key_length: Option<String>,
    /// What is looked up in the index: `const`, a column
    pub reference: Option<String>,
    /// Rows that are looked at, about
    pub rows: Option<u64>,
    /// Percentage of them that the conditions let through, about
    pub filtered: Option<f64>,
    /// What else: `Using where`, `Using filesort`
    pub extra: Vec<String>,
    /// What is doubtful
    pub warnings: Vec<ExplainWarning>,
}

/// Something that usually makes a plan slow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExplainWarning {
    /// Every row of the table is read
    FullScan {
        /// Which table
        table: String,
        /// Its rows, about
        rows: Option<u64>,
    },
    /// Every entry of an index is read
    FullIndexScan {
        /// Of which table
        table: String,
        /// Which index
        index: String,
    },
    /// There are indexes that could serve, and none is used
    UnusedIndex {
        /// Of which table
        table: String,
        /// Which indexes
        indexes: Vec<String>,
    },
    /// Rows are sorted after they were read
    Filesort {
        /// Of which table, the first of its SELECT
        table: String,
    },
    /// Rows are put into a table of their own first
    TemporaryTable {
        /// Of which table, the first of its SELECT
        table: String,
    },
    /// Each row is compared with every row of a buffer, for want of an index
    JoinBuffer {
        /// Which table has no index
        table: String,
    },
    /// Many rows are read and most of them thrown away
    ManyForFew {
        /// Of which table
        table: String,
        /// Rows that are read, about
        rows: u64,
        /// Rows that are left, about
        left: u64,
    },
}

impl fmt::Display for ExplainWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExplainWarning::FullScan { table, rows: Some(rows) } => {
                write!(f, "{table}: all of about {rows} rows are read")
            }
            ExplainWarning::FullScan { table, rows: None } => write!(f, "{table}: all rows are read"),
            ExplainWarning::FullIndexScan { table, index } => {
                write!(f, "{table}: all of index {index} is read")
            }
            ExplainWarning::UnusedIndex { table, indexes } => {
                write!(f, "{table}: {} could serve and is not used", indexes.join(", "))
            }
            ExplainWarning::Filesort { table } => write!(f, "{table}: rows are sorted after they were read"),
            ExplainWarning::TemporaryTable { table } => write!(f, "{table}: a temporary table is filled"),
            ExplainWarning::JoinBuffer { table } => write!(f, "{table}: joined without an index"),
            ExplainWarning::ManyForFew { table, rows, left } => {
                write!(f, "{table}: about {rows} rows are read for {left}")
            }
        }
    }
}

/// The plan of a statement with its warnings. Parameters may change a plan, so they are given as for execution.
///
/// # Errors
/// [`Error::NotAllowed`] for what has no plan and for several statements at once; whatever fails a query.
pub async fn explain<S: Session, P: ToValue + Sync>(
    session: &mut S,
    sql: &str,
    parameters: &[P],
    deadline: Instant,
) -> Result<Vec<ExplainResult>> {
    let statement = explain_statement(sql, session.status().server.flavor)?;
    let found = rows(session, &statement, parameters, deadline).await?;
    Ok(found.iter().map(|row| step(row.as_ref())).collect())
}

/// EXPLAIN before a statement that has a plan. MySQL's plain EXPLAIN draws a tree from 9.x on; MariaDB's has no
/// word for the tabular form.
fn explain_statement(sql: &str, flavor: Flavor) -> Result<String> {
    let class = Router::new(RouterOptions::default()).classify_anew(sql);
    let has_plan = matches!(
        class.kind,
        StatementKind::Select
            | StatementKind::Insert
            | StatementKind::Update
            | StatementKind::Delete
            | StatementKind::Replace
    );
    if !has_plan || class.marks.contains(Marks::SEVERAL) {
        return Err(Error::NotAllowed(
            "EXPLAIN of anything but one SELECT, INSERT, UPDATE, DELETE or REPLACE",
        ));
    }
    Ok(match flavor {
        Flavor::MySql => format!("EXPLAIN FORMAT=TRADITIONAL {sql}"),
        Flavor::MariaDb | Flavor::RustyDb => format!("EXPLAIN {sql}"),
    })
}

fn step(row: RowRef<'_>) -> ExplainResult {
    let list = |column: &str, by: char| -> Vec<String> {
        let parts = text(row, column).unwrap_or_default();
        parts.split(by).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let mut step = ExplainResult {
        id: number(row, "id"),
        select_type: text(row, "select_type").unwrap_or_default(),
        table: text(row, "table"),
        partitions: text(row, "partitions"),
        access_type: text(row, "type"),
        possible_keys: list("possible_keys", ','),
        key: text(row, "key"),
        key_length: text(row, "key_len"),
        reference: text(row, "ref"),
        rows: number(row, "rows"),
        filtered: number(row, "filtered"),
        extra: list("Extra", ';'),
        warnings: Vec::new(),
    };
    step.warnings = warnings(&step);
    step
}

fn warnings(step: &ExplainResult) -> Vec<ExplainWarning> {
    let Some(table) = step.table.clone() else { return Vec::new() };
    let says = |what: &str| step.extra.iter().any(|extra| extra.starts_with(what));
    let mut warnings = Vec::new();
    // <derived2>, <union1,2>: what a part of this statement made, which has no index to miss.
    let is_made_here = table.starts_with('<');
    match step.access_type.as_deref() {
        Some("ALL") if !is_made_here => {
            warnings.push(ExplainWarning::FullScan { table: table.clone(), rows: step.rows });
        }
        Some("index") => {
            let index = step.key.clone().unwrap_or_default();
            warnings.push(ExplainWarning::FullIndexScan { table: table.clone(), index });
        }
        _ => {}
    }
    if step.key.is_none() && !step.possible_keys.is_empty() {
        let indexes = step.possible_keys.clone();
        warnings.push(ExplainWarning::UnusedIndex { table: table.clone(), indexes });
    }
    if says("Using filesort") {
        warnings.push(ExplainWarning::Filesort { table: table.clone() });
    }
    if says("Using temporary") {
        warnings.push(ExplainWarning::TemporaryTable { table: table.clone() });
    }
    if says("Using join buffer") {
        warnings.push(ExplainWarning::JoinBuffer { table: table.clone() });
    }
    if let (Some(rows), Some(filtered)) = (step.rows, step.filtered)
        && rows >= FEW_ROWS
        && filtered <= 10.0
    {
        let left = (rows as f64 * filtered / 100.0).round() as u64;
        warnings.push(ExplainWarning::ManyForFew { table, rows, left });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Column, Columns};
    use crate::row::Row;
    use crate::value::Value;
    use rustydb_value::ProtocolType;
    use std::sync::Arc;

    /// `table type possible_keys key rows filtered Extra`, `-` for NULL.
    fn plan(line: &str) -> ExplainResult {
        let names = ["table", "type", "possible_keys", "key", "rows", "filtered", "Extra"];
        let columns = names.map(|name| Column::simple(name, ProtocolType::VarString));
        let value = |cell: &str| if cell == "-" { Value::Null } else { Value::String(cell.to_owned()) };
        let values = line.splitn(7, ' ').map(value).collect();
        step(Row::from_values(Arc::new(Columns::new(columns.into())), values).as_ref())
    }

    fn told(line: &str) -> Vec<String> {
        plan(line).warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn good_plans_have_no_warnings() {
        for line in [
            "t const PRIMARY PRIMARY 1 100.00 -",
            "t ref a,b a 12 100.00 Using where",
            "t range a a 900 5.00 Using index condition",
            "- - - - - - No tables used",
            "<derived2> ALL - - 20 100.00 -",
        ] {
            assert!(told(line).is_empty(), "{line}: {:?}", told(line));
        }
    }

    #[test]
    fn each_doubt_is_named() {
        assert_eq!(told("t ALL - - 5000 100.00 -"), ["t: all of about 5000 rows are read"]);
        assert_eq!(
            told("t ALL a,b - 5000 1.50 Using where; Using temporary; Using filesort"),
            [
                "t: all of about 5000 rows are read",
                "t: a, b could serve and is not used",
                "t: rows are sorted after they were read",
                "t: a temporary table is filled",
                "t: about 5000 rows are read for 75",
            ]
        );
        assert_eq!(told("t index - k 5000 100.00 Using index"), ["t: all of index k is read"]);
        assert_eq!(
            told("u ALL - - 10 100.00 Using where; Using join buffer (hash join)"),
            ["u: all of about 10 rows are read", "u: joined without an index"]
        );
    }

    #[test]
    fn only_one_statement_with_a_plan_is_explained() {
        for sql in
            ["SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a", "UPDATE t SET a = 1", "REPLACE t VALUES (1)"]
        {
            assert_eq!(explain_statement(sql, Flavor::MariaDb).expect(sql), format!("EXPLAIN {sql}"));
        }
        for sql in [
            "ANALYZE SELECT 1",
            "ANALYZE TABLE t",
            "DROP TABLE t",
            "SELECT 1; DELETE FROM t",
            "",
            "FOR CONNECTION 7",
        ] {
            assert!(explain_statement(sql, Flavor::MySql).is_err(), "{sql}");
        }
    }
}
