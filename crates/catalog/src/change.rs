//! A change of the catalog on its way: made in a transaction, published once that has committed.
//!
//! ```text
//! create trees -> write rows in the transaction -> commit -> publish -> drop the trees that were let go of
//!       \___ a crash anywhere before the commit: the next open finds trees that no row names and drops them
//!                                       a crash behind it: the same for the trees that were let go of ___/
//! ```
//!
//! So at every moment the committed rows name trees that exist, and no crash leaves anything to be mended.

use std::sync::Arc;

use rustydb_storage::TreeId;

use crate::contents::Edit;
use crate::definitions::TableDef;

/// What a transaction has changed in the catalog. Hand it to `Catalog::commit`, or to `Catalog::abandon` when
/// the transaction was rolled back; dropped without either, its new trees stay until the next open.
#[derive(Debug, Default)]
#[must_use = "commit it, or abandon it after a rollback"]
pub struct CatalogChange {
    pub(crate) edits: Vec<Edit>,
    /// Of no use if the transaction is rolled back.
    pub(crate) created: Vec<TreeId>,
    /// Of no use once the transaction has committed.
    pub(crate) freed: Vec<TreeId>,
}

impl CatalogChange {
    /// Joins a later change of the same transaction to this one.
    pub fn join(&mut self, later: CatalogChange) {
        self.edits.extend(later.edits);
        self.created.extend(later.created);
        self.freed.extend(later.freed);
    }

    /// The definitions of tables as they will be, in the order of the changes: to fill a new index from.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.edits.iter().filter_map(|edit| match edit {
            Edit::PutTable(def) => Some(def),
            _ => None,
        })
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.created.is_empty() && self.freed.is_empty()
    }
}
