//! EXPLAIN: what a plan does, as MySQL tells it.
//!
//! ```text
//! SelectPlan --blocks--> Block   a line for every table that is read   FORMAT=TRADITIONAL, FORMAT=JSON of version 1
//!            --steps---> Step    a line for every operator             FORMAT=TREE, FORMAT=JSON of version 2
//! ```
//!
//! Both are made from the very plan that would run, never from the query. Where this server has an operator that MySQL
//! does not, or the other way round, it is told in MySQL's words for what is nearest: a table that a hash join reads
//! has `Using join buffer (hash join)`, groups are made in a `temporary` table.
//!
//! Numbers of query blocks are given in the order in which the plan names them. Estimates are the planner's.

pub mod blocks;
pub mod json;
pub mod scans;
pub mod steps;
pub mod text;
pub mod traditional;

/// In what form a plan is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Twelve columns, a row for each table.
    Traditional,
    /// A tree of operators.
    Tree,
    /// A document of one of two shapes.
    Json {
        /// 1 tells tables, 2 tells operators.
        version: u64,
    },
}

/// What stands above the plan of a statement that changes rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// INSERT, REPLACE, UPDATE or DELETE.
    pub word: &'static str,
    /// The table that is changed, as the statement calls it.
    pub table: String,
    /// Its rows come from a query of its own, rather than being the rows that are changed.
    pub from_query: bool,
}
