//! SQL values and types, and the two byte forms they are stored in.
//!
//! This crate is the ground that every floor of RustyDB stands on. It holds what MySQL means by a
//! value, without knowing a statement, a table or a disk:
//!
//! - [`value`]: [`Value`] (owned) and [`ValueRef`] (borrowed, `Copy`), their text form and order.
//! - [`decimal`] and [`temporal`]: exact decimals to 65 digits; dates, times and their text forms.
//! - [`types`]: every MySQL column type, its names, sizes and protocol numbers.
//! - [`collation`]: character sets, collations, sort keys.
//! - [`row`]: the stored form of a row, from which one column is read without decoding the others.
//! - [`key`]: the stored form of a key, whose byte order is the order of the values.
//! - [`json`]: JSON documents, their stored form and the paths into them.
//! - [`convert`]: what MySQL does when a value is stored into a column of another type, and how
//!   text is read as a number.
//!
//! Row and key formats are final: files written by one version are read by every later one. A
//! change needs a new row format byte, or a new table version of a collation.
//!
//! Nothing here panics on any input: bytes from disk or from a client end in an [`Error`].

pub mod collation;
pub mod convert;
pub mod decimal;
mod error;
mod float_text;
pub mod json;
pub mod key;
pub mod protocol;
pub mod row;
pub mod temporal;
pub mod types;
pub mod value;

pub use collation::{Charset, Collation, PadAttribute, find_bytes};
pub use convert::{StoreIssue, StoreMode, Stored, convert_for_store};
pub use decimal::Decimal;
pub use error::{Error, Result};
pub use json::Json;
pub use key::{KeyBuilder, decode_key_part, encode_key_part, prefix_successor, skip_key_part};
pub use protocol::{ProtocolType, column_flags};
pub use row::{RowBuilder, RowRef, decode_column, encode_column};
pub use temporal::{Date, DateMode, DateTime, Time, TimeZone};
pub use types::{ColumnType, GeometryShape, LobSize, TypeKind};
pub use value::{Bit, Value, ValueRef};
