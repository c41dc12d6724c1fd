//! The point executor: the commonest statements, straight on the trees.
//!
//! A statement of one of these shapes over one table is compiled once into a [`PointPlan`] and then runs
//! without a syntax tree, names, batches or operators:
//!
//! ```text
//! SELECT columns FROM t WHERE <primary or unique key> = constants     get
//! INSERT INTO t (..) VALUES (constants), ..                           insert
//! UPDATE t SET c = constant | d + constant .. WHERE <primary key> = constants
//! DELETE FROM t WHERE <primary key> = constants
//! ```
//!
//! where a constant is a literal or a parameter. The shapes are narrow on purpose: whatever would need
//! a coercion that is more than exact (`id = 'abc'`, `id = 1.5`), raise a warning that only the general
//! evaluator words right, or overflow, is left to the general executor, which gives the same answers for
//! everything that runs here (a differential test holds both against each other).
//!
//! Reads of several rows (`id IN (..)`, short ranges, pages) are planned like any other query, and what is no more than
//! a part of an index is then given out without operators: [`crate::exec`]'s direct reads.

mod change;
mod compile;
mod key;
mod read;

use rustydb_value::Value;

use crate::api::ColumnMeta;

pub(crate) use change::change;
pub(crate) use compile::{compile_change, compile_query};
pub(crate) use read::{Now, get};

use change::{PointDelete, PointInsert, PointUpdate};

use read::PointGet;

/// A compiled statement.
pub(crate) struct PointPlan {
    columns: Vec<ColumnMeta>,
    body: Body,
}

enum Body {
    Get(PointGet),
    Insert(PointInsert),
    Update(PointUpdate),
    Delete(PointDelete),
}

impl PointPlan {
    /// The result columns; none for a change.
    pub(crate) fn columns(&self) -> &[ColumnMeta] {
        &self.columns
    }

    /// Whether it is a get that reads one key of one tree.
    pub(crate) fn reads_one_key(&self) -> bool {
        matches!(&self.body, Body::Get(get) if get.index.is_none())
    }

    /// Whether it can run with these parameters; what it cannot take goes to the general executor.
    pub(crate) fn accepts(&self, params: &[Value]) -> bool {
        match &self.body {
            Body::Get(get) => get.key.accepts(params),
            Body::Update(update) => update.accepts(params),
            Body::Delete(delete) => delete.key.accepts(params),
            Body::Insert(_) => true,
        }
    }
}
