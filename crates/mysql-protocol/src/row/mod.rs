//! Rows of result sets: [`text`] for COM_QUERY, [`binary`] for prepared statements.
//!
//! Both write from [`rustydb_value::ValueRef`], so that a server copies a stored column into the packet
//! without a value in between, and read into borrowed slices, so that a client does the same.

pub mod binary;
pub mod text;
