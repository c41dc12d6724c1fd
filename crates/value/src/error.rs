//! What can go wrong when values are calculated with, encoded or decoded.
//!
//! Storing into a column has its own vocabulary, [`crate::convert::StoreIssue`], because there the
//! same event is an error or a warning depending on `sql_mode`.

/// The result of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on values failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Stored bytes are not a row of a known format. The store is damaged or newer than this program.
    #[error("row bytes are damaged: {0}")]
    CorruptRow(&'static str),
    /// Stored bytes are not a key of the expected types.
    #[error("key bytes are damaged: {0}")]
    CorruptKey(&'static str),
    /// The bytes of one column do not fit its type.
    #[error("column bytes are damaged: {0}")]
    CorruptColumn(&'static str),
    /// A value was given to an encoder of a type that cannot hold it exactly. Convert it first
    /// with [`crate::convert::convert_for_store`].
    #[error("a value of kind {value} cannot be encoded as {column} without conversion")]
    NotOfType {
        /// The kind of the value.
        value: &'static str,
        /// The kind of the column.
        column: &'static str,
    },
    /// The type has no key form: it cannot be indexed (JSON, GEOMETRY).
    #[error("{0} cannot be part of a key")]
    NoKeyForm(&'static str),
    /// The key holds only a sort key of the value, from which the value cannot be had back.
    #[error("a key of {0} cannot be decoded: it holds a sort key, not the value")]
    KeyNotDecodable(&'static str),
    /// The stored form cannot hold that much.
    #[error("{0} is too large to be stored")]
    TooLarge(&'static str),
    /// A number does not fit the asked type, or a decimal result needs more than 65 digits.
    #[error("numeric value is out of range")]
    Overflow,
    /// Division by zero, where the caller did not ask for NULL.
    #[error("division by zero")]
    DivisionByZero,
    /// More columns, or a longer row, than the row format can hold.
    #[error("row is too large for its format")]
    RowTooLarge,
    /// The collation is known by name and number, but this version has no weight table for it.
    #[error("collation {0} has no weight table in this version")]
    CollationNotBuilt(&'static str),
}
