//! How rows and index entries of a table lie in its trees: the one place that knows the mapping.
//!
//! ```text
//! primary tree    key    the primary key's columns, order-preserving; or a hidden row id (8 bytes, big-endian)
//!                 value  all columns of the row (rustydb-value's row format), schema version in its head
//! index tree      key    the index's columns, then the primary key's bytes
//!                        (a unique index leaves them away where no column is NULL)
//!                 value  an index entry: see [`entry`]
//! ```
//!
//! TIMESTAMP columns are in UTC here. Key columns with a prefix length hold the first characters
//! (bytes, of binary strings) of the value.

pub mod entry;
mod key;
mod row;
mod shown;

pub use entry::IndexEntry;
pub use key::{IndexKey, encode_index_key, encode_primary_key, entry_text, hidden_key, key_value, prefix_of};
pub use row::{RowReader, StoredRow};
pub(crate) use shown::ShownColumns;

use crate::error::SqlError;

/// A stored byte sequence that cannot be read: the store is damaged or newer than this program.
pub fn damaged(table: &rustydb_catalog::TableDef, error: rustydb_value::Error) -> SqlError {
    SqlError::storage(format_args!("table {}.{}: {error}", table.database, table.name))
}
