//! TPC-H: its tables loaded through SQL, its 22 queries with the validation values, their answers.
//!
//! Rows, query templates and the published answers at scale factor 1 come from the `tpchgen` crate (Apache-2.0),
//! whose rows equal dbgen's. At other scales answers are compared between servers, and at [`SMALL`] with
//! files of this repository.
//!
//! Every server gets the same tables, keys and collation, and the same statements. Left to others: other engines,
//! clocks and reports (`tpch_comparison` of the binary).

mod answers;
mod load;
mod queries;
mod schema;
mod server;

pub use answers::{Answer, published, small};
pub use load::{Loaded, load, write_files};
pub use queries::{QUERIES, Query};
pub use schema::{TABLES, Table};
pub use server::{Server, Timed};

/// The scale whose answers are in this repository: below it the rule that spreads suppliers over parts repeats keys.
pub const SMALL: f64 = 0.008;
