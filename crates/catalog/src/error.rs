//! What can go wrong in the catalog.

use rustydb_storage::TreeId;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the catalog could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database exists (MySQL 1007).
    #[error("database '{name}' exists")]
    DatabaseExists {
        /// Its name.
        name: String,
    },
    /// There is no such database (MySQL 1049; 1008 when it was to be dropped).
    #[error("unknown database '{name}'")]
    UnknownDatabase {
        /// Its name.
        name: String,
    },
    /// The database belongs to the system and can not be changed (MySQL 1044).
    #[error("database '{name}' belongs to the system")]
    SystemDatabase {
        /// Its name.
        name: String,
    },
    /// The table exists (MySQL 1050).
    #[error("table '{database}.{name}' exists")]
    TableExists {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
    },
    /// There is no such table (MySQL 1146; 1051 when it was to be dropped).
    #[error("unknown table '{database}.{name}'")]
    UnknownTable {
        /// Its database.
        database: String,
        /// Its name.
        name: String,
    },
    /// There is no such index in the table (MySQL 1091 when it was to be dropped).
    #[error("unknown index '{name}'")]
    UnknownIndex {
        /// Its name.
        name: String,
    },
    /// The account exists.
    #[error("user '{name}'@'{host}' exists")]
    UserExists {
        /// Its name.
        name: String,
        /// Its host.
        host: String,
    },
    /// There is no such account.
    #[error("unknown user '{name}'@'{host}'")]
    UnknownUser {
        /// Its name.
        name: String,
        /// Its host.
        host: String,
    },
    /// Not a name: empty, longer than 255 bytes, or with a NUL in it (MySQL 1059, 1102, 1103).
    #[error("'{name}' can not be a name")]
    Name {
        /// The text.
        name: String,
    },
    /// Two columns of a table have the same name (MySQL 1060).
    #[error("duplicate column name '{name}'")]
    DuplicateColumn {
        /// The name.
        name: String,
    },
    /// Two indexes of a table have the same name (MySQL 1061).
    #[error("duplicate index name '{name}'")]
    DuplicateIndex {
        /// The name.
        name: String,
    },
    /// The definition contradicts itself or exceeds a limit; what SQL checks first should have found it.
    #[error("the definition is not possible: {detail}")]
    Definition {
        /// What does not hold.
        detail: &'static str,
    },
    /// The catalog was written by a newer version: use that one.
    #[error("{what} was written by a newer version")]
    Newer {
        /// Which part.
        what: String,
    },
    /// The catalog's rows are not what was written: run the offline check, restore a backup.
    #[error("the catalog is damaged: {what}: {detail}")]
    Corrupt {
        /// Which part.
        what: String,
        /// What does not hold.
        detail: String,
    },
    /// The store's first tree is not the catalog's: it was not made by this product.
    #[error("the first tree of the store is {found}, and not the catalog's")]
    NotOurs {
        /// The tree that was created first.
        found: TreeId,
    },
    /// The transaction or the store failed.
    #[error(transparent)]
    Transaction(#[from] rustydb_transaction::Error),
}
