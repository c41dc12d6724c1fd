//! Rows and their index entries, changed together.
//!
//! Invariants: a row has exactly one entry in each index, under the key that its columns give; entries are
//! written after the row and in the order of the indexes, so the first violated key is the one that
//! MySQL names. A failure half-way leaves changes behind: the caller rolls the statement back.
//!
//! Foreign keys are seen to here, after the row is written, so no change of a row goes around them
//! ([`super::foreign_keys`]). Generated columns and CHECK constraints are the caller's ([`super::rules`]).
//!
//! Rows are held as stored values: TIMESTAMP in UTC, ENUM and SET as numbers.

use std::sync::Arc;

use rustydb_catalog::{IndexDef, TableDef};
use rustydb_transaction::{Engine, Error as TransactionError, LockMode, Transaction, Tree};
use rustydb_value::{RowBuilder, Value, ValueRef};

use super::foreign_keys::{Place, Relations, check_parents};
use crate::context::{ExecContext, TableLookup};
use crate::error::SqlError;
use crate::stored::{
    self, RowReader, StoredRow, encode_index_key, encode_primary_key, entry, entry_text, hidden_key,
};

/// A unique key that a row collides with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Collision {
    /// Position among [`TableDef::all_indexes`].
    pub(crate) index: usize,
    /// Key of the row that is there already.
    pub(crate) primary_key: Vec<u8>,
}

/// A table and its opened trees; a kept plan shares one.
pub(crate) struct TableTrees {
    pub(crate) reader: RowReader,
    pub(crate) primary: Arc<Tree>,
    pub(crate) indexes: Vec<Arc<Tree>>,
}

impl TableTrees {
    /// Opens the trees of a table.
    pub(crate) fn open(engine: &Engine, def: &Arc<TableDef>) -> Result<Arc<TableTrees>, SqlError> {
        let primary = engine.tree(def.primary.tree)?;
        let indexes = def.indexes.iter().map(|i| engine.tree(i.tree)).collect::<Result<_, _>>()?;
        Ok(Arc::new(TableTrees { reader: RowReader::new(Arc::clone(def)), primary, indexes }))
    }

    /// The table.
    pub(crate) fn table(&self) -> &Arc<TableDef> {
        self.reader.table()
    }
}

/// Writes the rows of one table within one statement.
pub(crate) struct TableWriter {
    trees: Arc<TableTrees>,
    builder: RowBuilder,
    row: Vec<u8>,
    key: Vec<u8>,
    index_key: Vec<u8>,
    index_value: Vec<u8>,
    old_key: Vec<u8>,
    /// None: no foreign key reaches to or from here, or they are not to be checked.
    place: Option<Place>,
}

impl TableWriter {
    /// Opens the trees of a table, and those that its foreign keys lead to.
    pub(crate) fn open(
        def: &Arc<TableDef>,
        tables: &mut dyn TableLookup,
        context: &ExecContext<'_>,
    ) -> Result<TableWriter, SqlError> {
        let trees = TableTrees::open(context.engine(), def)?;
        let session = &context.eval.session;
        let relations = if session.settings.foreign_key_checks {
            Relations::open(&trees, context.engine(), tables, session)?
        } else {
            None
        };
        Ok(TableWriter::new(trees, relations))
    }

    /// Over trees that are open.
    pub(crate) fn new(trees: Arc<TableTrees>, relations: Option<Arc<Relations>>) -> TableWriter {
        TableWriter::at(trees, relations.map(Place::first))
    }

    /// Over trees that are open, somewhere in a cascade.
    pub(super) fn at(trees: Arc<TableTrees>, place: Option<Place>) -> TableWriter {
        TableWriter {
            trees,
            place,
            builder: RowBuilder::new(),
            row: Vec::new(),
            key: Vec::new(),
            index_key: Vec::new(),
            index_value: Vec::new(),
            old_key: Vec::new(),
        }
    }

    /// The table and its trees.
    pub(crate) fn trees(&self) -> &Arc<TableTrees> {
        &self.trees
    }

    /// Whether a row that is found may be changed by a cascade before its turn comes.
    pub(crate) fn cascades(&self) -> bool {
        self.place.as_ref().is_some_and(Place::has_children)
    }

    /// Inserts a row of stored values, one per column; `row_id` is the key where the table declares none.
    pub(crate) fn insert(
        &mut self,
        context: &mut ExecContext<'_>,
        values: &[Value],
        row_id: u64,
    ) -> Result<(), SqlError> {
        self.insert_row(context.txn, values, row_id)
    }

    /// The same, where nothing can cascade.
    pub(crate) fn insert_row(
        &mut self,
        txn: &mut Transaction,
        values: &[Value],
        row_id: u64,
    ) -> Result<(), SqlError> {
        let trees = Arc::clone(&self.trees);
        let def = trees.table().as_ref();
        txn.set_schema_version(def.schema_version);
        txn.count_row();
        let mut column = |c| value_at(values, c);
        self.encode_row(def, &mut column)?;
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        encode_key(def, &mut column, row_id, &mut key)?;
        let done = self.insert_encoded(txn, &trees, &mut column, &key);
        self.key = key;
        done
    }

    fn insert_encoded<'v>(
        &mut self,
        txn: &mut Transaction,
        trees: &TableTrees,
        column: &mut dyn FnMut(usize) -> ValueRef<'v>,
        key: &[u8],
    ) -> Result<(), SqlError> {
        let def = trees.table().as_ref();
        match txn.insert(&trees.primary, key, &self.row) {
            Ok(()) => {}
            Err(TransactionError::DuplicateKey) => return Err(duplicate_of(def, &def.primary, column)),
            Err(other) => return Err(other.into()),
        }
        for (index, tree) in def.indexes.iter().zip(&trees.indexes) {
            self.insert_entry(txn, def, index, tree, column, key)?;
        }
        match &self.place {
            Some(place) => check_parents(&place.relations, place.node, txn, column, None),
            None => Ok(()),
        }
    }

    fn insert_entry<'v>(
        &mut self,
        txn: &mut Transaction,
        def: &TableDef,
        index: &IndexDef,
        tree: &Tree,
        column: &mut dyn FnMut(usize) -> ValueRef<'v>,
        primary_key: &[u8],
    ) -> Result<(), SqlError> {
        self.index_key.clear();
        self.index_value.clear();
        encode_entry_of(def, index, primary_key, column, &mut self.index_key, &mut self.index_value)?;
        match txn.insert(tree, &self.index_key, &self.index_value) {
            Ok(()) => Ok(()),
            Err(TransactionError::DuplicateKey) => Err(duplicate_of(def, index, column)),
            Err(other) => Err(other.into()),
        }
    }

    /// Gives columns of the row under `key` new values; all of them differ from the old ones. The row is locked
    /// by this transaction.
    pub(crate) fn update(
        &mut self,
        context: &mut ExecContext<'_>,
        key: &[u8],
        old: &StoredRow<'_>,
        changed: &[(usize, Value)],
    ) -> Result<(), SqlError> {
        let trees = Arc::clone(&self.trees);
        let def = trees.table().as_ref();
        let txn = &mut *context.txn;
        txn.set_schema_version(def.schema_version);
        txn.count_row();
        self.rebuild_row(def, old, changed)?;
        let is_changed = |c: usize| changed.iter().any(|(at, _)| *at == c);
        let mut before = |c: usize| old.value(c).unwrap_or(ValueRef::Null);
        let mut after = |c: usize| match changed.iter().find(|(at, _)| *at == c) {
            Some((_, value)) => value.as_ref(),
            None => old.value(c).unwrap_or(ValueRef::Null),
        };
        let mut new_key = std::mem::take(&mut self.key);
        new_key.clear();
        let moved = def.primary.columns.iter().any(|p| is_changed(p.column)) && {
            encode_key(def, &mut after, 0, &mut new_key)?;
            new_key != key
        };
        let target: &[u8] = if moved { &new_key } else { key };
        if moved {
            match txn.insert(&trees.primary, target, &self.row) {
                Ok(()) => {}
                Err(TransactionError::DuplicateKey) => {
                    return Err(duplicate_of(def, &def.primary, &mut after));
                }
                Err(other) => return Err(other.into()),
            }
            txn.delete(&trees.primary, key)?;
        } else {
            txn.update(&trees.primary, key, &self.row)?;
        }
        let has_overtaken = txn.has_just_overtaken();
        for (index, tree) in def.indexes.iter().zip(&trees.indexes) {
            if !moved && !index.columns.iter().any(|p| is_changed(p.column)) {
                if has_overtaken {
                    // Its entry may be of a transaction that this one's plain reads do not see.
                    self.index_key.clear();
                    self.index_value.clear();
                    let (entry, value) = (&mut self.index_key, &mut self.index_value);
                    encode_entry_of(def, index, target, &mut after, entry, value)?;
                    txn.update(tree, entry, value).map_err(|e| entry_error(e, index))?;
                }
                continue;
            }
            self.old_key.clear();
            encode_index_key(def, index, key, &mut before, &mut self.old_key)
                .map_err(|e| stored::damaged(def, e))?;
            self.index_key.clear();
            self.index_value.clear();
            encode_entry_of(def, index, target, &mut after, &mut self.index_key, &mut self.index_value)?;
            if self.old_key == self.index_key {
                // The same place in the index (another spelling of an equal text): the entry says new things.
                txn.update(tree, &self.old_key, &self.index_value).map_err(|e| entry_error(e, index))?;
                continue;
            }
            match txn.insert(tree, &self.index_key, &self.index_value) {
                Ok(()) => {}
                Err(TransactionError::DuplicateKey) => return Err(duplicate_of(def, index, &mut after)),
                Err(other) => return Err(other.into()),
            }
            txn.delete(tree, &self.old_key).map_err(|e| entry_error(e, index))?;
        }
        self.key = new_key;
        if let Some(place) = self.place.clone() {
            check_parents(&place.relations, place.node, context.txn, &mut after, Some(&is_changed))?;
            place.after_update(&mut before, &mut after, &is_changed, context)?;
        }
        Ok(())
    }

    /// Deletes the row under `key`. The row is locked by this transaction.
    pub(crate) fn delete(
        &mut self,
        context: &mut ExecContext<'_>,
        key: &[u8],
        old: &StoredRow<'_>,
    ) -> Result<(), SqlError> {
        let trees = Arc::clone(&self.trees);
        let def = trees.table().as_ref();
        let txn = &mut *context.txn;
        txn.set_schema_version(def.schema_version);
        txn.count_row();
        txn.delete(&trees.primary, key)?;
        let mut column = |c: usize| old.value(c).unwrap_or(ValueRef::Null);
        for (index, tree) in def.indexes.iter().zip(&trees.indexes) {
            self.index_key.clear();
            encode_index_key(def, index, key, &mut column, &mut self.index_key)
                .map_err(|e| stored::damaged(def, e))?;
            txn.delete(tree, &self.index_key).map_err(|e| entry_error(e, index))?;
        }
        match self.place.clone() {
            Some(place) => place.after_delete(&mut column, context),
            None => Ok(()),
        }
    }

    /// The first unique key, in the order of the indexes, under which another row lies already. That row's key
    /// is locked, so it cannot come or go before the statement has decided.
    pub(crate) fn collision(
        &mut self,
        txn: &mut Transaction,
        values: &[Value],
    ) -> Result<Option<Collision>, SqlError> {
        let trees = Arc::clone(&self.trees);
        let def = trees.table().as_ref();
        let mut column = |c| value_at(values, c);
        if !def.has_hidden_key() {
            let mut key = Vec::new();
            encode_key(def, &mut column, 0, &mut key)?;
            if txn.get_locked(&trees.primary, &key, LockMode::Exclusive)?.is_some() {
                return Ok(Some(Collision { index: 0, primary_key: key }));
            }
        }
        for (at, (index, tree)) in def.indexes.iter().zip(&trees.indexes).enumerate() {
            if !index.unique {
                continue;
            }
            self.index_key.clear();
            let key = encode_index_key(def, index, &[], &mut column, &mut self.index_key)
                .map_err(|e| stored::damaged(def, e))?;
            if !key.unique {
                continue;
            }
            if let Some(found) = txn.get_locked(tree, &self.index_key, LockMode::Exclusive)? {
                let entry =
                    stored::IndexEntry::read(&self.index_key, &found).map_err(|e| stored::damaged(def, e))?;
                return Ok(Some(Collision { index: at + 1, primary_key: entry.primary_key.to_vec() }));
            }
        }
        Ok(None)
    }

    /// A row of stored values as it would be stored.
    pub(crate) fn encoded(&mut self, values: &[Value]) -> Result<&[u8], SqlError> {
        let trees = Arc::clone(&self.trees);
        self.encode_row(trees.table(), &mut |column| value_at(values, column))?;
        Ok(&self.row)
    }

    fn encode_row<'v>(
        &mut self,
        def: &TableDef,
        column: &mut dyn FnMut(usize) -> ValueRef<'v>,
    ) -> Result<(), SqlError> {
        self.builder.clear();
        let builder = &mut self.builder;
        for_each_stored(def, &mut |at| match at.and_then(|at| def.columns.get(at).map(|d| (at, d))) {
            Some((at, definition)) => builder.push(&definition.ty, &column(at)),
            None => builder.push_null(),
        })
        .map_err(|e| stored::damaged(def, e))?;
        self.row.clear();
        self.builder.finish_into(def.schema_version, &mut self.row);
        Ok(())
    }

    /// The row with some columns changed; the others are copied as they are stored.
    fn rebuild_row(
        &mut self,
        def: &TableDef,
        old: &StoredRow<'_>,
        changed: &[(usize, Value)],
    ) -> Result<(), SqlError> {
        self.builder.clear();
        let builder = &mut self.builder;
        for_each_stored(def, &mut |at| {
            let Some((at, definition)) = at.and_then(|at| def.columns.get(at).map(|d| (at, d))) else {
                return builder.push_null();
            };
            match changed.iter().find(|(c, _)| *c == at) {
                Some((_, value)) => builder.push(&definition.ty, &value.as_ref()),
                None => match old.raw(at) {
                    Ok(raw) => builder.push_raw(raw),
                    Err(absent) => builder.push(&definition.ty, &absent),
                },
            }
        })
        .map_err(|e| stored::damaged(def, e))?;
        self.row.clear();
        self.builder.finish_into(def.schema_version, &mut self.row);
        Ok(())
    }
}

/// Calls `each` with the table's column (None: one that was dropped) for every column of a stored row.
fn for_each_stored(
    def: &TableDef,
    each: &mut dyn FnMut(Option<usize>) -> rustydb_value::Result<()>,
) -> rustydb_value::Result<()> {
    match def.layout(def.schema_version) {
        Some(layout) => {
            for (at, id) in layout.columns.iter().enumerate() {
                // Nearly always the columns are stored in their order.
                let same = def.columns.get(at).is_some_and(|c| c.id == *id);
                each(if same { Some(at) } else { def.columns.iter().position(|c| c.id == *id) })?;
            }
            Ok(())
        }
        None => (0..def.columns.len()).try_for_each(|at| each(Some(at))),
    }
}

/// A row without its index entry is damage, not a missing key.
fn entry_error(error: TransactionError, index: &IndexDef) -> SqlError {
    match error {
        TransactionError::KeyNotFound => SqlError::index_corrupt(&index.name),
        other => other.into(),
    }
}

fn value_at(values: &[Value], column: usize) -> ValueRef<'_> {
    values.get(column).map_or(ValueRef::Null, Value::as_ref)
}

fn encode_key<'v>(
    def: &TableDef,
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
    row_id: u64,
    out: &mut Vec<u8>,
) -> Result<(), SqlError> {
    if def.has_hidden_key() {
        out.extend_from_slice(&hidden_key(row_id));
        return Ok(());
    }
    encode_primary_key(def, column, out).map_err(|e| stored::damaged(def, e))
}

fn encode_entry_of<'v>(
    def: &TableDef,
    index: &IndexDef,
    primary_key: &[u8],
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
    key: &mut Vec<u8>,
    value: &mut Vec<u8>,
) -> Result<(), SqlError> {
    encode_index_key(def, index, primary_key, column, key)
        .and_then(|k| entry::write(def, index, primary_key, !k.unique, column, value))
        .map_err(|e| stored::damaged(def, e))
}

/// Appends key and value of the entry of `index` for a stored row.
pub(crate) fn encode_entry(
    def: &TableDef,
    index: &IndexDef,
    primary_key: &[u8],
    row: &StoredRow<'_>,
    key: &mut Vec<u8>,
    value: &mut Vec<u8>,
) -> Result<(), SqlError> {
    let mut column = |c: usize| row.value(c).unwrap_or(ValueRef::Null);
    encode_entry_of(def, index, primary_key, &mut column, key, value)
}

fn duplicate_of<'v>(
    def: &TableDef,
    index: &IndexDef,
    column: &mut dyn FnMut(usize) -> ValueRef<'v>,
) -> SqlError {
    let entry = entry_text(def, index, column);
    SqlError::duplicate_entry(entry, format_args!("{}.{}", def.name, index.name))
}

/// Error 1062 for this row and index.
pub(crate) fn duplicate(def: &TableDef, index: &IndexDef, values: &[Value]) -> SqlError {
    duplicate_of(def, index, &mut |c| value_at(values, c))
}

/// Error 1062 for a stored row and index.
pub(crate) fn duplicate_row(def: &TableDef, index: &IndexDef, row: &StoredRow<'_>) -> SqlError {
    duplicate_of(def, index, &mut |c| row.value(c).unwrap_or(ValueRef::Null))
}

/// All columns of a stored row; TIMESTAMP in UTC.
pub(crate) fn row_values(row: &StoredRow<'_>) -> Result<Vec<Value>, SqlError> {
    (0..row.table().columns.len()).map(|c| row.value(c).map(|v| v.to_owned())).collect()
}

/// The columns in which two rows differ, with their new values.
pub(crate) fn differences(old: &[Value], new: Vec<Value>) -> Vec<(usize, Value)> {
    let differs = |(at, value): &(usize, Value)| old.get(*at) != Some(value);
    new.into_iter().enumerate().filter(differs).collect()
}
