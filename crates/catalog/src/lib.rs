//! The catalog: databases, tables, columns, indexes and accounts as rows in a tree, changed in transactions.
//!
//! ```text
//!  statement ---> Catalog: Arc<TableDef> by name (catalog, contents)            definitions
//!  DDL ---------> NewTable (creation) -> databases, tables, users -> CatalogChange (change)
//!                        rows of the catalog's tree (rows, codec)  <- load: open, bootstrap, sweep
//! ```
//!
//! What it promises: DDL is atomic over a crash. Trees are created before the row that names them commits and
//! dropped after the row that named them is gone; opening drops what no committed row names.
//!
//! A change is made in the caller's transaction, which the caller hands back to [`Catalog::commit`]:
//!
//! ```text
//! let change = catalog.create_table(&mut transaction, new)?;   // on an error: roll back
//! catalog.commit(transaction, change)?;                        // committed, visible to all statements
//! ```
//!
//! Left to others: what SQL allows (`rustydb-sql`), metadata locks (`rustydb-transaction`), the arithmetic of
//! passwords (`rustydb-mysql-protocol`).

pub mod alteration;
pub mod creation;
pub mod definitions;
pub mod names;

mod catalog;
mod change;
mod check;
mod codec;
mod contents;
mod databases;
mod error;
mod histogram;
mod history;
mod hosts;
mod load;
mod rows;
mod tables;
mod temporary;
mod users;
mod views;

pub use alteration::{AlteredColumn, AlteredIndex, AlteredTable};
pub use catalog::Catalog;
pub use change::CatalogChange;
pub use creation::{NewColumn, NewIndex, NewRecordedKey, NewTable};
pub use definitions::{
    AuthPlugin, CheckDef, ColumnDef, ColumnDefault, DatabaseDef, ForeignKeyDef, GeneratedColumn, IndexColumn,
    IndexDef, RecordedKey, RecordedKind, ReferenceAction, RowFormat, RowLayout, SqlSecurity, TableDef,
    TableOptions, UserDef, Verifier, ViewAlgorithm, ViewCheck, ViewDef,
};
pub use error::{Error, Result};
pub use histogram::{Bucket, HistogramDef, MAX_BUCKETS};
pub use history::{CatalogHistory, CatalogRow, SchemaChange};
pub use tables::{HIDDEN_PRIMARY, PRIMARY, Rename};
