//! Getting one row by a unique key at the statement's snapshot.
//!
//! The row's bytes are copied out of the leaf (no latch is held while the client is written to), and its
//! columns go to the sink as they lie there.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_transaction::Tree;
use rustydb_value::{ColumnType, TimeZone, TypeKind, Value, ValueRef};
use smallvec::SmallVec;

use super::key::Key;
use super::{Body, PointPlan};
use crate::api::ResultSink;
use crate::dml::writer::TableTrees;
use crate::error::SqlError;
use crate::session::query::Scope;
use crate::stored::{IndexEntry, StoredRow, damaged, encode_index_key};

/// How a column of the row becomes a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As it is stored
    Plain,
    /// UTC to the session's zone
    Timestamp,
    /// A number to the text of its member
    Enum,
    /// A number to the texts of its members
    Set,
}

impl Shown {
    pub(super) fn of(ty: &ColumnType) -> Shown {
        match ty.kind {
            TypeKind::Timestamp { .. } => Shown::Timestamp,
            TypeKind::Enum { .. } => Shown::Enum,
            TypeKind::Set { .. } => Shown::Set,
            _ => Shown::Plain,
        }
    }
}

/// The compiled form of a get.
pub(super) struct PointGet {
    pub(super) trees: Arc<TableTrees>,
    pub(super) key: Key,
    /// The tree of the unique index that the key is of; None: the primary key's.
    pub(super) index: Option<Arc<Tree>>,
    /// Columns of the result, by position in the table.
    pub(super) outputs: Vec<(usize, Shown)>,
}

/// Runs a get; gives the number of rows, 0 or 1.
pub(crate) fn get(
    plan: &PointPlan,
    params: &[Value],
    scope: &mut Scope<'_>,
    sink: &mut dyn ResultSink,
) -> Result<u64, SqlError> {
    let Body::Get(get) = &plan.body else { return Err(SqlError::reprepare()) };
    scope.database.metrics.point_statements.inc(1);
    let def: &TableDef = get.trees.table();
    let mut key = Vec::with_capacity(32);
    if !get.key.encode(def, params, &mut key)? {
        return Ok(0);
    }
    let mut entry_key = None;
    if let Some(index) = &get.index {
        let entry = scope.txn.get(index, &key, |value| {
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
    let Some(bytes) = scope.txn.get(&get.trees.primary, &key, <[u8]>::to_vec)? else { return Ok(0) };
    let row = get.trees.reader.row(&bytes)?;
    if let Some((tree, entry_key)) = entry_key.filter(|_| scope.txn.has_overtaken())
        && let Some(index) = def.indexes.iter().find(|index| index.tree == tree)
    {
        // The entry may be the snapshot's and the row this transaction's own.
        let mut own = Vec::new();
        let mut column = |column: usize| row.value(column).unwrap_or(ValueRef::Null);
        encode_index_key(def, index, &key, &mut column, &mut own).map_err(|e| damaged(def, e))?;
        if own != entry_key {
            return Ok(0);
        }
    }
    let zone = scope.state.settings.time_zone;
    let sets = set_texts(get, &row)?;
    let mut cells: SmallVec<[ValueRef<'_>; 16]> = SmallVec::new();
    for (at, (column, shown)) in get.outputs.iter().enumerate() {
        let value = row.value(*column)?;
        cells.push(match shown {
            Shown::Plain => value,
            _ => cell(def, *column, *shown, value, zone, sets.get(&at)),
        });
    }
    sink.columns(&plan.columns)?;
    sink.row(&cells)?;
    Ok(1)
}

/// The texts of the SET columns, by position in the result: cells borrow them.
fn set_texts(get: &PointGet, row: &StoredRow<'_>) -> Result<hashbrown::HashMap<usize, String>, SqlError> {
    let mut texts = hashbrown::HashMap::new();
    for (at, (column, shown)) in get.outputs.iter().enumerate() {
        if *shown != Shown::Set {
            continue;
        }
        if let (ValueRef::UInt(mask), Some(definition)) =
            (row.value(*column)?, row.table().columns.get(*column))
        {
            let mut text = Vec::new();
            definition.ty.write_set_text(mask, &mut text);
            texts.insert(at, String::from_utf8_lossy(&text).into_owned());
        }
    }
    Ok(texts)
}

fn cell<'a>(
    def: &'a TableDef,
    column: usize,
    shown: Shown,
    value: ValueRef<'a>,
    zone: TimeZone,
    set: Option<&'a String>,
) -> ValueRef<'a> {
    match (shown, value) {
        (Shown::Timestamp, ValueRef::DateTime(utc)) => {
            ValueRef::DateTime(utc.to_local(zone).unwrap_or(utc).with_fsp(utc.fsp()))
        }
        (Shown::Enum, ValueRef::UInt(index)) => {
            ValueRef::Text(def.columns.get(column).map_or("", |c| c.ty.enum_text(index)))
        }
        (Shown::Set, ValueRef::UInt(_)) => ValueRef::Text(set.map_or("", String::as_str)),
        (_, value) => value,
    }
}
