//! What CREATE DATABASE, CREATE TABLE and CREATE INDEX ask for: definitions without the ids, trees and
//! versions that the catalog gives out itself.
//!
//! The catalog checks what would make a definition inconsistent (names, duplicates, positions, limits); what
//! MySQL allows of a type in a key, a default or an option is checked by who read the SQL.

use rustydb_value::{Collation, ColumnType};

use crate::definitions::{
    CheckDef, ColumnDefault, ForeignKeyDef, GeneratedColumn, IndexColumn, RecordedKind, TableOptions,
};

/// A table to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTable {
    /// Name of its database, which must exist.
    pub database: String,
    /// Its name.
    pub name: String,
    /// In declared order, at least one.
    pub columns: Vec<NewColumn>,
    /// The columns of the primary key. Empty: rows are keyed by a hidden row id.
    pub primary: Vec<IndexColumn>,
    /// Comment of the primary key.
    pub primary_comment: String,
    /// Secondary indexes. Names must be given: `rustydb-sql` makes up MySQL's (`a`, `a_2`, ...).
    pub indexes: Vec<NewIndex>,
    /// FULLTEXT and SPATIAL keys, each with the number of `indexes` that stand before it.
    pub recorded: Vec<NewRecordedKey>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKeyDef>,
    /// CHECK constraints.
    pub checks: Vec<CheckDef>,
    /// Default of its columns.
    pub collation: Collation,
    /// COMMENT of the table.
    pub comment: String,
    /// Options to be read back.
    pub options: TableOptions,
    /// The first value of AUTO_INCREMENT, if it was given.
    pub first_auto_increment: Option<u64>,
}

/// A column to be created; the fields mean what they mean in [`crate::ColumnDef`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "same names and meaning as in ColumnDef")]
pub struct NewColumn {
    pub name: String,
    pub ty: ColumnType,
    pub nullable: bool,
    pub default: Option<ColumnDefault>,
    pub on_update_now: Option<u8>,
    pub auto_increment: bool,
    pub visible: bool,
    pub comment: String,
    pub generated: Option<GeneratedColumn>,
    pub explicit_collation: bool,
    pub functional: bool,
}

/// A secondary index to be created; the fields mean what they mean in [`crate::IndexDef`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "same names and meaning as in IndexDef")]
pub struct NewIndex {
    pub name: String,
    pub unique: bool,
    pub columns: Vec<IndexColumn>,
    pub visible: bool,
    pub comment: String,
    pub made_for_foreign_key: bool,
}

/// A key to be recorded; the fields mean what they mean in [`crate::RecordedKey`].
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "same names and meaning as in RecordedKey")]
pub struct NewRecordedKey {
    pub name: String,
    pub kind: RecordedKind,
    pub columns: Vec<usize>,
    pub visible: bool,
    pub comment: String,
    pub parser: String,
    /// How many of the new table's `indexes` stand before it.
    pub behind: usize,
}
