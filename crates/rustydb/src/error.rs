//! What can go wrong for an embedding program.

use rustydb_sql::SqlError;
use std::path::PathBuf;

/// The errors of the embedded database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data directory cannot be made or reached
    #[error("cannot use the data directory {}: {source}", path.display())]
    Directory {
        /// The directory
        path: PathBuf,
        /// What the system said
        source: std::io::Error,
    },
    /// The database refused a statement, with MySQL's number, state and text
    #[error("ERROR {} ({}): {}", .0.code, String::from_utf8_lossy(&.0.sqlstate), .0.message)]
    Sql(SqlError),
    /// The result has no such column
    #[error("the result has no column {wanted}; it has {}", columns.join(", "))]
    NoColumn {
        /// The name, or the number from 0, that was asked for
        wanted: String,
        /// The columns there are
        columns: Vec<String>,
    },
    /// A value is not of the asked type, or does not fit it
    #[error("column {column} holds {value}, which is no {wanted}")]
    Conversion {
        /// The column's name
        column: String,
        /// What it holds, shortened
        value: String,
        /// The Rust type that was asked for
        wanted: &'static str,
    },
    /// A query had to give a row and gave none
    #[error("the query gave no row")]
    NoRow,
}

/// What the embedded database returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// MySQL's error number, when it was the database that refused.
    pub fn code(&self) -> Option<u16> {
        match self {
            Error::Sql(error) => Some(error.code),
            _ => None,
        }
    }

    /// Whether the same transaction may succeed when it is run again: deadlock (1213), lock wait timeout (1205).
    pub fn is_retryable(&self) -> bool {
        matches!(self.code(), Some(1205 | 1213))
    }
}

impl From<SqlError> for Error {
    fn from(error: SqlError) -> Error {
        Error::Sql(error)
    }
}
