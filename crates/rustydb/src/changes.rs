//! The change log for an embedding program: what was committed, in order, with the rows before and after.
//!
//! ```
//! use rustydb::Database;
//! use rustydb::changes::Start;
//! use std::time::Duration;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app-data");
//! let db = Database::open(&path)?;
//! db.execute("CREATE DATABASE shop", ())?;
//! db.execute("CREATE TABLE shop.stock (id INT PRIMARY KEY, n INT)", ())?;
//! let mut changes = db.changes(Start::Now)?;
//! db.execute("INSERT INTO shop.stock VALUES (1, 5)", ())?;
//! db.execute("UPDATE shop.stock SET n = 4", ())?;
//!
//! let mut seen = Vec::new();
//! while let Some(transaction) = changes.next(Duration::ZERO)? {
//!     while let Some(row) = changes.next_row()? {
//!         seen.push((transaction.number, row.table.name.clone(), row.before.is_some(), row.after.is_some()));
//!     }
//! }
//! assert_eq!(seen.len(), 2);
//! assert_eq!((&*seen[0].1, seen[0].2, seen[0].3), ("stock", false, true));
//! assert_eq!(seen[1].0, seen[0].0 + 1);
//!
//! // Kept, and come back to at any time, after a crash too:
//! let position = changes.position().to_string();
//! # drop(changes);
//! let mut later = db.changes(Start::After(position.parse()?))?;
//! assert!(later.next(Duration::ZERO)?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::Result;
use rustydb_sql::changes::ChangeStream;
use rustydb_transaction::WaitOptions;
use std::time::Duration;

pub use rustydb_catalog::{SchemaChange, TableDef};
pub use rustydb_sql::changes::TableRow;
pub use rustydb_transaction::changelog::{ChangeLogOptions, NoPosition, Position, Start, TransactionHead};

/// Reads what was committed.
#[derive(Debug)]
pub struct Changes {
    stream: ChangeStream,
}

impl Changes {
    pub(crate) fn new(stream: ChangeStream) -> Changes {
        Changes { stream }
    }

    /// Goes on to the next transaction, waiting up to `wait` for one; None when there was none.
    ///
    /// # Errors
    /// [`crate::Error::Sql`]: number 1236 when the log was released before it was read.
    pub fn next(&mut self, wait: Duration) -> Result<Option<TransactionHead>> {
        Ok(self.stream.next(&WaitOptions::timeout(wait))?)
    }

    /// What the transaction has done to databases, tables and views.
    pub fn schema_changes(&self) -> &[SchemaChange] {
        self.stream.schema_changes()
    }

    /// The next row of the transaction; None behind the last.
    ///
    /// # Errors
    /// As [`Changes::next`].
    pub fn next_row(&mut self) -> Result<Option<TableRow>> {
        Ok(self.stream.next_row()?)
    }

    /// Where to come back to: behind the transaction that [`Changes::next`] gave last.
    pub fn position(&self) -> Position {
        self.stream.position()
    }
}
