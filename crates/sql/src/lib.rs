//! SQL as MySQL means it: sessions, statements, plans and their execution over transactional trees.
//!
//! A text enters through [`Session::query`] and takes one of two ways. Statements of the commonest
//! shapes (a row by its key, a single-row write) run compiled, straight on the trees (`point`);
//! everything else is bound, planned and run over Arrow batches (`expr`, `plan`, `exec`). Definitions
//! (`ddl`), rows (`dml`), and what describes them (`show`, `information_schema`, `performance_schema`) share the catalog
//! and one error type whose numbers and texts are MySQL's.
//!
//! [`Database`] is what all sessions share; a door opens one [`Session`] per connection and gives it
//! a [`ResultSink`] for the answers. Everything here is synchronous: a statement runs on the thread
//! that brought it.

pub mod api;
pub mod canonical;
pub mod changes;
pub mod context;
pub mod database;
mod ddl;
mod dml;
pub mod error;
pub mod exec;
pub mod expr;
pub mod function;
pub mod gtid;
pub mod information_schema;
mod literal;
pub mod performance_schema;
pub mod plan;
mod point;
pub mod session;
mod show;
pub mod stored;
pub mod variables;
pub(crate) mod view;
pub(crate) mod virtual_database;

pub use api::*;
pub use database::{Database, OpenOptions};
pub use error::{ErrorClass, SqlError};
pub use session::{Prepared, Session};
