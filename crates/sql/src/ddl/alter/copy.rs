//! The rows of ALTER TABLE: read under the old definition, written under the new one.
//!
//! Everything happens in the statement's transaction while nobody else uses the table: an error leaves the old
//! trees as they were, and the new ones are dropped.

use std::sync::Arc;

use rustydb_catalog::{ColumnDef, ColumnDefault, IndexDef, TableDef};
use rustydb_storage::EntryBatch;
use rustydb_transaction::{Direction, Error as TransactionError, KeyRange, Transaction};
use rustydb_value::{ColumnType, StoreMode, TypeKind, Value, encode_key_part};

use super::super::Definition;
use super::super::foreign_key::shown;
use super::super::table::implicit_default;
use crate::context::EvalContext;
use crate::dml::auto_increment::counter_tree;
use crate::dml::conversion::{store_mode, to_column};
use crate::dml::defaults::now_for;
use crate::dml::foreign_keys::row_has_parent;
use crate::dml::rules::RowRules;
use crate::dml::writer::{TableTrees, TableWriter, duplicate_row, encode_entry, row_values};
use crate::error::SqlError;
use crate::stored::RowReader;

/// Rows that are read at a time.
const BATCH: usize = 256;

/// What a rebuild is to do beside copying.
pub(super) struct Copying<'a> {
    pub(super) old: &'a Arc<TableDef>,
    pub(super) new: &'a Arc<TableDef>,
    /// For each new column the position that it had.
    pub(super) origins: &'a [Option<usize>],
    /// `AUTO_INCREMENT = n`
    pub(super) first_auto_increment: Option<u64>,
    /// Positions of new columns to sort by, and whether downwards.
    pub(super) order: &'a [(usize, bool)],
    /// Checks that rows have to pass that are new, or enforced anew.
    pub(super) checks: bool,
}

impl Definition<'_> {
    /// Calls `each` with every row of a table, key and bytes.
    pub(super) fn each_row(
        &mut self,
        txn: &mut Transaction,
        def: &Arc<TableDef>,
        mut each: impl FnMut(&mut Self, &mut Transaction, &[u8], &[u8]) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let primary = self.database.engine().tree(def.primary.tree)?;
        let mut scan = txn.scan(&primary, KeyRange::all(), Direction::Forward)?;
        let mut batch = EntryBatch::default();
        loop {
            batch.clear();
            let more = scan.next_batch(txn, &mut batch, BATCH)?;
            for at in 0..batch.len() {
                each(self, txn, batch.key(at), batch.value(at))?;
            }
            if self.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Writes the entry of every row into a new index.
    pub(super) fn fill(
        &mut self,
        txn: &mut Transaction,
        def: &Arc<TableDef>,
        index: &IndexDef,
    ) -> Result<(), SqlError> {
        let tree = self.database.engine().tree(index.tree)?;
        let reader = RowReader::new(Arc::clone(def));
        let (mut key, mut value) = (Vec::new(), Vec::new());
        self.each_row(txn, def, |_, txn, row_key, bytes| {
            let row = reader.row(bytes)?;
            key.clear();
            value.clear();
            encode_entry(def, index, row_key, &row, &mut key, &mut value)?;
            match txn.insert(&tree, &key, &value) {
                Ok(()) => Ok(()),
                Err(TransactionError::DuplicateKey) => Err(duplicate_row(def, index, &row)),
                Err(other) => Err(other.into()),
            }
        })
    }

    /// Checks the rows of a table against its CHECK constraints; gives their number.
    pub(super) fn check_rows(&mut self, txn: &mut Transaction, def: &Arc<TableDef>) -> Result<u64, SqlError> {
        let rules = RowRules::bind(def, self.state)?;
        let reader = RowReader::new(Arc::clone(def));
        let mut rows = 0;
        self.each_row(txn, def, |this, _, _, bytes| {
            rows += 1;
            let values = row_values(&reader.row(bytes)?)?;
            match &rules {
                Some(rules) => rules.check(def, &values, &mut this.eval(rows)),
                None => Ok(()),
            }
        })?;
        Ok(rows)
    }

    /// Checks that every row has its parents, for the foreign keys from position `from` on.
    pub(in crate::ddl) fn check_foreign_keys(
        &mut self,
        txn: &mut Transaction,
        def: &Arc<TableDef>,
        new: &[usize],
    ) -> Result<(), SqlError> {
        let reader = RowReader::new(Arc::clone(def));
        for at in new {
            let Some(key) = def.foreign_keys.get(*at) else { continue };
            let own = (&key.parent_database, &key.parent_table) == (&def.database, &def.name);
            let parent = if own {
                Some(Arc::clone(def))
            } else {
                self.database.catalog().table(&key.parent_database, &key.parent_table)
            };
            let Some(parent) = parent else { return Err(SqlError::no_parent(&key.parent_table)) };
            let parent = TableTrees::open(self.database.engine(), &parent)?;
            self.each_row(txn, def, |_, txn, _, bytes| {
                let row = reader.row(bytes)?;
                let mut column = |c: usize| row.value(c).unwrap_or(rustydb_value::ValueRef::Null);
                if row_has_parent(def, *at, &parent, txn, &mut column)? {
                    return Ok(());
                }
                Err(SqlError::no_referenced_row(shown(def, key)))
            })?;
        }
        Ok(())
    }

    fn eval(&mut self, row: u64) -> EvalContext<'_> {
        EvalContext { params: &[], session: self.state, cancel: self.cancel, row, store: None }
    }

    /// Copies all rows into the trees of the new definition; gives their number.
    pub(super) fn copy(&mut self, txn: &mut Transaction, what: &Copying<'_>) -> Result<u64, SqlError> {
        let engine = Arc::clone(self.database.engine());
        let trees = TableTrees::open(&engine, what.new)?;
        let mut writer = TableWriter::new(Arc::clone(&trees), None);
        let reader = RowReader::new(Arc::clone(what.old));
        let rules = RowRules::bind(what.new, self.state)?;
        let mode = store_mode(&self.state.settings, false);
        let mut rows = 0u64;
        let mut next = what.first_auto_increment.unwrap_or(1).max(1);
        let mut largest = 0u64;
        let mut sorted: Vec<(Vec<u8>, Vec<Value>)> = Vec::new();
        let mut row_id = 0u64;
        let numbered = what.new.auto_increment;
        self.each_row(txn, what.old, |this, txn, _, bytes| {
            rows += 1;
            let old = row_values(&reader.row(bytes)?)?;
            let mut values = this.converted(what, &old, rows, &mode)?;
            if let Some(at) = numbered
                && let Some(slot) = values.get_mut(at)
            {
                let fresh = what.origins.get(at) == Some(&None);
                if fresh || matches!(slot, Value::Null | Value::Int(0) | Value::UInt(0)) {
                    let unsigned = what.new.columns.get(at).is_some_and(|c| c.ty.is_unsigned());
                    *slot = if unsigned { Value::UInt(next) } else { Value::Int(next as i64) };
                    next += 1;
                }
                let number = match slot {
                    Value::Int(n) => u64::try_from(*n).unwrap_or(0),
                    Value::UInt(n) => *n,
                    _ => 0,
                };
                largest = largest.max(number);
                next = next.max(number.saturating_add(1));
            }
            if let Some(rules) = &rules {
                let new_columns: Vec<usize> = (0..values.len())
                    .filter(|at| what.origins.get(*at).copied().flatten().is_some())
                    .collect();
                let mut eval = this.eval(rows);
                rules.fill_defaults(what.new, &new_columns, &mut values, &mode, &mut eval)?;
                rules.complete(what.new, &mut values, &mode, &mut eval)?;
                if what.checks {
                    rules.check(what.new, &values, &mut eval)?;
                }
            }
            if !what.order.is_empty() {
                sorted.push((sort_key(what, &values)?, values));
                return Ok(());
            }
            row_id += 1;
            writer.insert_row(txn, &values, row_id)
        })?;
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, values) in sorted {
            row_id += 1;
            writer.insert_row(txn, &values, row_id)?;
        }
        if what.new.has_hidden_key() && row_id > 0 {
            engine.counter_raise(what.new.primary.tree, row_id + 1)?;
        }
        if numbered.is_some() {
            let mut next = largest.saturating_add(1).max(what.first_auto_increment.unwrap_or(1));
            if what.old.auto_increment.is_some() && what.first_auto_increment.is_none() {
                next = next.max(engine.counter_value(counter_tree(what.old))?);
            }
            engine.counter_raise(counter_tree(what.new), next)?;
        }
        Ok(rows)
    }

    /// A row as the new columns hold it.
    fn converted(
        &mut self,
        what: &Copying<'_>,
        old: &[Value],
        number: u64,
        mode: &StoreMode,
    ) -> Result<Vec<Value>, SqlError> {
        let mut values = Vec::with_capacity(what.new.columns.len());
        for (at, column) in what.new.columns.iter().enumerate() {
            let origin = what.origins.get(at).copied().flatten();
            let Some((value, before)) = origin.and_then(|at| old.get(at).zip(what.old.columns.get(at)))
            else {
                values.push(self.first_value(column, number, mode)?);
                continue;
            };
            values.push(self.converted_value(value, before, column, number, mode)?);
        }
        Ok(values)
    }

    fn converted_value(
        &mut self,
        value: &Value,
        before: &ColumnDef,
        column: &ColumnDef,
        number: u64,
        mode: &StoreMode,
    ) -> Result<Value, SqlError> {
        let same_type = stored_alike(&before.ty, &column.ty)
            || (before.ty.kind == column.ty.kind && before.ty.charset() == column.ty.charset());
        if value.is_null() {
            if column.nullable || column.generated.is_some() || column.auto_increment {
                return Ok(Value::Null);
            }
            let refused = if same_type {
                SqlError::invalid_null()
            } else {
                SqlError::data_truncated(&column.name, number)
            };
            if mode.strict {
                return Err(refused);
            }
            self.state.warn(&SqlError::data_truncated(&column.name, number));
            return Ok(implicit_default(&column.ty));
        }
        if same_type || column.generated.is_some() {
            return Ok(value.clone());
        }
        let seen = as_seen(&before.ty, value, mode);
        to_column(&seen, column, number, mode, self.state)
    }

    /// What a new column holds in a row that was there before it.
    fn first_value(&mut self, column: &ColumnDef, number: u64, mode: &StoreMode) -> Result<Value, SqlError> {
        match &column.default {
            Some(ColumnDefault::Literal(value)) => Ok(value.clone()),
            Some(ColumnDefault::CurrentTimestamp { .. }) => Ok(now_for(column, self.state)),
            Some(ColumnDefault::Expression(_)) => Ok(Value::Null),
            _ if column.nullable || column.auto_increment || column.generated.is_some() => Ok(Value::Null),
            _ => {
                let zero = implicit_default(&column.ty);
                if matches!(column.ty.kind, TypeKind::Geometry { .. }) {
                    return Err(SqlError::new(
                        1416,
                        b"22003",
                        "Cannot get geometry object from data you send to the GEOMETRY field",
                    ));
                }
                // A zero date is refused where one that is written would be.
                if column.ty.kind.is_temporal() && !matches!(column.ty.kind, TypeKind::Time { .. }) {
                    return to_column(&zero, column, number, mode, self.state);
                }
                Ok(zero)
            }
        }
    }
}

/// A stored value as an expression would see it: what a conversion to another type starts from.
fn as_seen(ty: &ColumnType, value: &Value, mode: &StoreMode) -> Value {
    match (&ty.kind, value) {
        (TypeKind::Timestamp { fsp }, Value::DateTime(utc)) => {
            Value::DateTime(utc.to_local(mode.time_zone).unwrap_or(*utc).with_fsp(*fsp))
        }
        (TypeKind::Enum { .. } | TypeKind::Set { .. }, value) => {
            let mut text = Vec::new();
            ty.write_text(&value.as_ref(), &mut text);
            Value::Text(String::from_utf8_lossy(&text).into_owned())
        }
        _ => value.clone(),
    }
}

fn sort_key(what: &Copying<'_>, values: &[Value]) -> Result<Vec<u8>, SqlError> {
    let mut key = Vec::new();
    for (at, descending) in what.order {
        if let (Some(column), Some(value)) = (what.new.columns.get(*at), values.get(*at)) {
            encode_key_part(&mut key, &column.ty, value.as_ref(), *descending)
                .map_err(|e| crate::stored::damaged(what.new, e))?;
        }
    }
    Ok(key)
}

/// Whether rows that hold the one type hold the other as well, byte for byte, in rows and in keys.
pub(super) fn stored_alike(old: &ColumnType, new: &ColumnType) -> bool {
    use TypeKind as K;
    if old.collation != new.collation {
        return false;
    }
    match (&old.kind, &new.kind) {
        (K::VarChar { len: a }, K::VarChar { len: b })
        | (K::VarBinary { len: a }, K::VarBinary { len: b }) => a <= b,
        (K::Geometry { shape: a, srid: None }, K::Geometry { shape: b, srid: None }) => a == b,
        (a, b) => a == b,
    }
}
