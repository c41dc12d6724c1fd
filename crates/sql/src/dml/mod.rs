//! Changing rows: INSERT, REPLACE, UPDATE, DELETE.
//!
//! Values are converted for their columns before anything is written, rows and index entries go through one
//! [`writer::TableWriter`], and which rows an UPDATE or DELETE means is the executor's to find
//! (`exec::matching_rows`), locked and checked again in their newest version. A statement that fails
//! leaves changes behind; the session rolls them back to where the statement began.

pub(crate) mod auto_increment;
pub(crate) mod conversion;
pub(crate) mod defaults;
mod delete;
pub(crate) mod evaluation;
pub(crate) mod foreign_keys;
mod insert;
mod joined;
mod joined_update;
mod on_duplicate;
mod read_target;
pub(crate) mod rules;
mod update;
pub(crate) mod writer;

use rustydb_transaction::Savepoint;

use crate::context::ExecContext;
use crate::error::SqlError;

pub(crate) use delete::delete;
pub(crate) use insert::{insert, insert_rows};
pub(crate) use update::update;

/// What IGNORE makes of an error of one row: a broken constraint is a warning and the row stays as it was. Any
/// other error, and any without IGNORE (no savepoint), is one.
pub(crate) fn forgive(
    error: SqlError,
    before: Option<Savepoint>,
    context: &mut ExecContext<'_>,
) -> Result<(), SqlError> {
    match before {
        Some(before) if matches!(error.code, 1062 | 1451 | 1452 | 3819) => {
            context.txn.rollback_to(before)?;
            context.eval.session.warn(&error);
            Ok(())
        }
        _ => Err(error),
    }
}

/// What a statement did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Changes {
    /// What the client is told was affected.
    pub(crate) affected: u64,
    /// The first generated AUTO_INCREMENT value, or the last explicit one.
    pub(crate) insert_id: u64,
    /// The first generated value: what `LAST_INSERT_ID()` gives from now on.
    pub(crate) generated: Option<u64>,
    /// What the readable summary counts.
    pub(crate) summary: Summary,
}

/// The readable summary of a change; warnings are added when the statement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Summary {
    /// Nothing to say: a single row was inserted, or rows were deleted.
    #[default]
    None,
    /// INSERT of several rows.
    Records {
        /// Rows that the statement gave
        records: u64,
        /// Rows that met a duplicate key
        duplicates: u64,
    },
    /// UPDATE.
    Matched {
        /// Rows that the condition chose
        matched: u64,
        /// Rows that are different now
        changed: u64,
    },
}

impl Summary {
    /// The text that MySQL sends, given how many warnings there are.
    pub(crate) fn text(self, warnings: u64) -> String {
        match self {
            Summary::None => String::new(),
            Summary::Records { records, duplicates } => {
                format!("Records: {records}  Duplicates: {duplicates}  Warnings: {warnings}")
            }
            Summary::Matched { matched, changed } => {
                format!("Rows matched: {matched}  Changed: {changed}  Warnings: {warnings}")
            }
        }
    }
}
