//! Getting one row by a unique key at the statement's snapshot.
//!
//! The row's bytes are copied out of the leaf (no latch is held while the client is written to), and its
//! columns go to the sink as they lie there.
//!
//! A get by the primary key that is a transaction of its own reads what is committed now and takes no snapshot: one
//! key has one state at one moment. By another unique key it needs one, as the entry and its row are read one after the
//! other.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_transaction::locks::BriefRead;
use rustydb_transaction::{Engine, Transaction, Tree};
use rustydb_value::{TimeZone, Value, ValueRef};
use smallvec::SmallVec;

use super::key::Key;
use super::{Body, PointPlan};
use crate::api::ResultSink;
use crate::dml::writer::TableTrees;
use crate::error::SqlError;
use crate::stored::{IndexEntry, ShownColumns, damaged, encode_index_key};

/// The compiled form of a get.
pub(super) struct PointGet {
    pub(super) trees: Arc<TableTrees>,
    pub(super) key: Key,
    /// The tree of the unique index that the key is of; None: the primary key's.
    pub(super) index: Option<Arc<Tree>>,
    /// Columns of the result.
    pub(super) outputs: ShownColumns,
}

/// Where a get reads: in a transaction, or what is committed now.
pub(crate) trait Source {
    /// A copy of what is at a key, made by `copy`.
    fn get<R>(
        &mut self,
        tree: &Tree,
        key: &[u8],
        copy: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, SqlError>;

    /// Everything is read.
    fn finish(&mut self) {}

    /// Whether an index entry may be of another version of its row than the row that it leads to: the entry the
    /// snapshot's, the row this transaction's own.
    fn may_disagree(&self) -> bool;
}

impl Source for Transaction {
    fn get<R>(
        &mut self,
        tree: &Tree,
        key: &[u8],
        copy: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, SqlError> {
        Ok(Transaction::get(self, tree, key, copy)?)
    }

    fn may_disagree(&self) -> bool {
        self.has_overtaken()
    }
}

/// What is committed at the moment of the read: for gets that [read one key](PointPlan::reads_one_key).
pub(crate) struct Now<'a> {
    pub(crate) engine: &'a Engine,
    /// Keeps the table as it is until all is read, where no lock does.
    pub(crate) brief: Option<BriefRead<'a>>,
}

impl Source for Now<'_> {
    fn get<R>(
        &mut self,
        tree: &Tree,
        key: &[u8],
        copy: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, SqlError> {
        Ok(self.engine.read_now(tree, key, copy)?)
    }

    /// The client, to whom the row goes next, may be slow.
    fn finish(&mut self) {
        self.brief = None;
    }

    fn may_disagree(&self) -> bool {
        false
    }
}

/// Runs a get; gives the number of rows, 0 or 1.
pub(crate) fn get(
    plan: &PointPlan,
    params: &[Value],
    zone: TimeZone,
    source: &mut impl Source,
    sink: &mut dyn ResultSink,
) -> Result<u64, SqlError> {
    let Body::Get(get) = &plan.body else { return Err(SqlError::reprepare()) };
    let def: &TableDef = get.trees.table();
    let mut key = Vec::with_capacity(32);
    if !get.key.encode(def, params, &mut key)? {
        return Ok(0);
    }
    let mut entry_key = None;
    if let Some(index) = &get.index {
        let entry = source.get(index, &key, |value| {
            IndexEntry::read(&key, value).map(|entry| entry.primary_key.to_vec())
        })?;
        match entry {
            Some(primary) => {
                let primary = primary.map_err(|e| damaged(def, e))?;
                entry_key = Some((index.id(), std::mem::replace(&mut key, primary)));
            }
            None => return Ok(0),
        }
    }
    let Some(bytes) = source.get(&get.trees.primary, &key, SmallVec::<[u8; 256]>::from_slice)? else {
        return Ok(0);
    };
    source.finish();
    let row = get.trees.reader.row(&bytes)?;
    if let Some((tree, entry_key)) = entry_key.filter(|_| source.may_disagree())
        && let Some(index) = def.indexes.iter().find(|index| index.tree == tree)
    {
        let mut own = Vec::new();
        let mut column = |column: usize| row.value(column).unwrap_or(ValueRef::Null);
        encode_index_key(def, index, &key, &mut column, &mut own).map_err(|e| damaged(def, e))?;
        if own != entry_key {
            return Ok(0);
        }
    }
    let values = get.outputs.positions().map(|column| row.value(column));
    get.outputs.give(def, zone, values, &mut |cells| {
        sink.columns(&plan.columns)?;
        Ok(sink.row(cells)?)
    })?;
    Ok(1)
}
