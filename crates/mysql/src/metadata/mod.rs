//! What a server's databases hold: databases, tables, columns, indexes, foreign keys, sizes.
//!
//! | question | function |
//! |---|---|
//! | which databases | [`list_databases`] |
//! | which tables and views of one | [`list_tables`] |
//! | what is a table made of | [`describe_table`] |
//! | which indexes has it | [`list_indexes`] |
//! | how large is it | [`get_table_stats`] |
//!
//! All of it comes from `information_schema`, asked with parameters, so that a name is never part of a text.
//! A database of `None` is the session's own. Servers show what the account may see: a table without any
//! privilege is as one that is not there.
//!
//! Limits: row counts and sizes are the storage engine's estimates, and on MySQL they may be a day old
//! (`information_schema_stats_expiry`). Columns that only some servers have (invisible, expressions of indexes) are
//! read where they are there.

mod index;
mod read;
mod table;

pub use index::{IndexColumn, IndexInfo};
pub use read::{describe_table, get_table_stats, list_databases, list_indexes, list_tables};
pub use table::{ColumnInfo, ForeignKey, TableDescription, TableInfo, TableKind, TableStats};
