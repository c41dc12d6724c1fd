//! The syntax tree of MySQL statements.
//!
//! Every node owns its strings, so that a tree can be kept in a statement cache after the text is
//! gone. Nodes that error messages and column headings point at carry a [`Span`], a byte range into the
//! text they were parsed from; spans are invisible to `==` and `Hash`, so two trees are equal when they
//! mean the same statement, wherever it stood.
//!
//! The tree is normalised where MySQL's grammar has two spellings of one thing (`!a` and `NOT a`,
//! `DATE_ADD(d, INTERVAL 1 DAY)` and `d + INTERVAL 1 DAY`, `INSERT .. SET` and `INSERT .. VALUES`, `a || b`
//! under PIPES_AS_CONCAT and `CONCAT(a, b)`), and
//! keeps apart what behaves apart. Nothing here is resolved: names are as written, literals are as
//! written without their quotes and escapes, `?` are numbered from zero in the order of the text.
//!
//! Limits: the height of a tree is bounded by [`ParseOptions::max_depth`](crate::ParseOptions), so a
//! recursive walk (and the recursive drop) needs a bounded stack. `AND`, `OR` and set operations are
//! n-ary, because generated statements chain thousands of them.
//!
//! The files: [`name`] (identifiers), [`literal`], [`expression`], [`function`] (calls with a shape of
//! their own), [`query`], [`table_source`] (FROM), [`dml`], [`data_type`], [`table`] (CREATE TABLE),
//! [`alter`], [`schema`] (databases, indexes, views), [`program`] (stored programs), [`session`] (SET,
//! USE, PREPARE), [`transaction`], [`account`] (users and grants), [`show`], [`admin`], [`statement`].

pub mod account;
pub mod admin;
pub mod alter;
pub mod data_type;
pub mod dml;
pub mod expression;
pub mod function;
pub mod literal;
pub mod name;
pub mod program;
pub mod query;
pub mod schema;
pub mod session;
pub mod show;
pub mod statement;
pub mod table;
pub mod table_source;
pub mod transaction;
pub mod walk;

pub use account::*;
pub use admin::*;
pub use alter::*;
pub use data_type::*;
pub use dml::*;
pub use expression::*;
pub use function::*;
pub use literal::*;
pub use name::*;
pub use program::*;
pub use query::*;
pub use schema::*;
pub use session::*;
pub use show::*;
pub use statement::*;
pub use table::*;
pub use table_source::*;
pub use transaction::*;
pub use walk::*;
