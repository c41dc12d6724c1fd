//! RustyDB inside your process: the engine of the server, without a socket.
//!
//! [`Database::open`] opens (or makes) a data directory and recovers it if the last process crashed;
//! [`Connection`]s run MySQL's SQL on it with bound parameters and typed rows. Everything the server promises
//! holds here too: a commit that returned survives `kill -9`, and the same directory can be served by the
//! binary later. One process at a time has a directory: a second is told who holds it.
//!
//! ```
//! use rustydb::{Database, Options};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("app-data");
//! let db = Database::open_with(&path, &Options { database: Some("app".into()), ..Options::default() })?;
//! db.execute("CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL)", ())?;
//! let outcome = db.execute("INSERT INTO notes (text) VALUES (?), (?)", ("milk", "bread"))?;
//! assert_eq!((outcome.affected_rows, outcome.last_insert_id), (2, 1));
//!
//! // By column name,
//! let rows = db.query("SELECT id, text FROM notes WHERE id > ? ORDER BY id", (1,))?;
//! assert_eq!(rows[0].get::<String>("text")?, "bread");
//! // or as tuples.
//! let notes: Vec<(u32, String)> = db.query_as("SELECT id, text FROM notes ORDER BY id", ())?;
//! assert_eq!(notes.len(), 2);
//!
//! // Several statements that happen together or not at all:
//! let mut connection = db.connect()?;
//! connection.transaction(|tx| {
//!     tx.execute("UPDATE notes SET text = ? WHERE id = ?", ("oat milk", 1))?;
//!     tx.execute("DELETE FROM notes WHERE id = ?", (2,))
//! })?;
//! # drop(connection);
//! db.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Calls block the thread that makes them; from async code, call them on a blocking pool. Left to the binary:
//! doors, configuration, logging.

pub mod changes;
mod collector;
mod connection;
mod database;
mod error;
mod from_value;
mod parameters;
mod row;

pub use connection::{Connection, Outcome, TransactionOptions};
pub use database::{Database, Durability, Options};
pub use error::{Error, Result};
pub use from_value::FromValue;
pub use parameters::{Parameters, ToValue};
pub use row::{ColumnIndex, FromRow, Row, Rows};
pub use rustydb_sql::SqlError;
pub use rustydb_transaction::Isolation;
pub use rustydb_value::{Date, DateTime, Decimal, Time, Value};
