//! INSERT of constants, UPDATE and DELETE of one row by primary key.
//!
//! A change gives up ([`change`] returns None) before it has written anything when it meets what the general
//! executor words better: an overflow, a value of another class. The locks it took stay, as they would.

use std::sync::Arc;

use rustydb_transaction::LockMode;
use rustydb_value::convert::fits_as_it_is;
use rustydb_value::{StoreMode, TypeKind, Value, ValueRef};

use super::key::{Constant, Key};
use super::{Body, PointPlan};
use crate::dml::auto_increment::AutoIncrement;
use crate::dml::conversion::{store_mode, to_column};
use crate::dml::defaults::default_of;
use crate::dml::foreign_keys::Relations;
use crate::dml::writer::{TableTrees, TableWriter};
use crate::dml::{Changes, Summary};
use crate::error::SqlError;
use crate::session::query::Scope;

/// INSERT of one row or several.
pub(super) struct PointInsert {
    pub(super) trees: Arc<TableTrees>,
    pub(super) relations: Option<Arc<Relations>>,
    /// The columns that each row gives, in the order of the statement; the others take their defaults.
    pub(super) rows: Vec<Vec<(usize, Constant)>>,
}

/// Where an updated column gets its value.
pub(super) enum UpdateSource {
    Constant(Constant),
    /// An integer column of the same row, plus or minus a constant
    Sum {
        column: usize,
        constant: Constant,
        minus: bool,
    },
}

/// UPDATE by primary key.
pub(super) struct PointUpdate {
    pub(super) trees: Arc<TableTrees>,
    pub(super) relations: Option<Arc<Relations>>,
    pub(super) key: Key,
    pub(super) assignments: Vec<(usize, UpdateSource)>,
}

/// DELETE by primary key.
pub(super) struct PointDelete {
    pub(super) trees: Arc<TableTrees>,
    pub(super) relations: Option<Arc<Relations>>,
    pub(super) key: Key,
}

impl PointUpdate {
    pub(super) fn accepts(&self, params: &[Value]) -> bool {
        self.key.accepts(params)
            && self.assignments.iter().all(|(_, source)| match source {
                UpdateSource::Constant(_) => true,
                UpdateSource::Sum { constant, .. } => {
                    matches!(constant.value(params), ValueRef::Int(_) | ValueRef::UInt(_))
                }
            })
    }
}

/// Runs a compiled change; None when the general executor has to.
pub(crate) fn change(
    plan: &PointPlan,
    params: &[Value],
    scope: &mut Scope<'_>,
) -> Result<Option<Changes>, SqlError> {
    let done = match &plan.body {
        Body::Insert(insert) => insert.run(params, scope)?,
        Body::Update(update) => update.run(params, scope)?,
        Body::Delete(delete) => delete.run(params, scope).map(Some)?,
        Body::Get(_) => None,
    };
    if done.is_some() {
        scope.database.metrics.point_statements.inc(1);
    }
    Ok(done)
}

impl PointInsert {
    fn run(&self, params: &[Value], scope: &mut Scope<'_>) -> Result<Option<Changes>, SqlError> {
        let def = self.trees.table();
        let mode = store_mode(&scope.state.settings, false);
        if self.rows.len() > 1 && !mode.strict {
            // What a single row is refused for becomes a warning there.
            return Ok(None);
        }
        let engine = Arc::clone(scope.database.engine());
        let mut automatic = AutoIncrement::of(def);
        let done = self.insert_rows(params, &mode, automatic.as_mut(), scope);
        // Counters outlive the rows of a statement that fails.
        let settled = automatic.as_ref().map_or(Ok(()), |automatic| automatic.settle(&engine));
        done.and(settled)?;
        let records = self.rows.len() as u64;
        let mut changes = Changes { affected: records, ..Changes::default() };
        if let Some(automatic) = &automatic {
            changes.generated = automatic.first;
            changes.insert_id = automatic.first.unwrap_or(automatic.last);
        }
        if records > 1 {
            changes.summary = Summary::Records { records, duplicates: 0 };
        }
        Ok(Some(changes))
    }

    fn insert_rows(
        &self,
        params: &[Value],
        mode: &StoreMode,
        mut automatic: Option<&mut AutoIncrement>,
        scope: &mut Scope<'_>,
    ) -> Result<(), SqlError> {
        let def = self.trees.table();
        let engine = Arc::clone(scope.database.engine());
        let relations = self.relations.clone().filter(|_| scope.state.settings.foreign_key_checks);
        let mut writer = TableWriter::new(Arc::clone(&self.trees), relations);
        let total = self.rows.len() as u64;
        let mut row_id = match def.has_hidden_key() {
            true => engine.counter_reserve(def.primary.tree, total, 1)?,
            false => 0,
        };
        for (number, given) in (1u64..).zip(&self.rows) {
            if number.is_multiple_of(256) && scope.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            let mut values = Vec::with_capacity(def.columns.len());
            for (at, column) in def.columns.iter().enumerate() {
                let is_given = given.iter().any(|(target, _)| *target == at);
                values.push(if is_given {
                    Value::Null
                } else {
                    default_of(column, mode.strict, scope.state)?
                });
            }
            for (at, constant) in given {
                let (Some(column), Some(slot)) = (def.columns.get(*at), values.get_mut(*at)) else {
                    continue;
                };
                let value = constant.value(params);
                if value.is_null() && !column.nullable && !column.auto_increment {
                    return Err(match column.ty.kind {
                        TypeKind::Geometry { .. } => SqlError::spatial_null(&column.name),
                        _ => SqlError::column_null(&column.name),
                    });
                }
                *slot = if fits_as_it_is(&value, &column.ty) {
                    value.to_owned()
                } else {
                    to_column(&value.to_owned(), column, number, mode, scope.state)?
                };
            }
            if let Some(automatic) = automatic.as_deref_mut() {
                automatic.fill(&engine, scope.state, &mut values, total - number + 1)?;
            }
            writer.insert_row(scope.txn, &values, row_id)?;
            row_id += u64::from(def.has_hidden_key());
        }
        Ok(())
    }
}

impl PointUpdate {
    fn run(&self, params: &[Value], scope: &mut Scope<'_>) -> Result<Option<Changes>, SqlError> {
        let def = self.trees.table();
        let none = Changes { summary: Summary::Matched { matched: 0, changed: 0 }, ..Changes::default() };
        let mut key = Vec::with_capacity(32);
        if !self.key.encode(def, params, &mut key)? {
            return Ok(Some(none));
        }
        let Some(bytes) = scope.txn.get_locked(&self.trees.primary, &key, LockMode::Exclusive)? else {
            return Ok(Some(none));
        };
        let row = self.trees.reader.row(&bytes)?;
        let mode = store_mode(&scope.state.settings, false);
        // First whether all of them are certain: a conversion below may warn, and would again in the general executor.
        for (at, source) in &self.assignments {
            let Some(column) = def.columns.get(*at) else { return Ok(None) };
            let is_certain = match source {
                UpdateSource::Constant(constant) => column.nullable || !constant.value(params).is_null(),
                UpdateSource::Sum { column: from, constant, minus } => {
                    sum(row.value(*from)?, constant.value(params), *minus).is_some_and(|value| {
                        fits_as_it_is(&value, &column.ty) && (column.nullable || !value.is_null())
                    })
                }
            };
            if !is_certain {
                return Ok(None);
            }
        }
        let mut changed: Vec<(usize, Value)> = Vec::with_capacity(self.assignments.len());
        for (at, source) in &self.assignments {
            let Some(column) = def.columns.get(*at) else { return Ok(None) };
            let new = match source {
                UpdateSource::Constant(constant) => {
                    let value = constant.value(params);
                    if fits_as_it_is(&value, &column.ty) {
                        value.to_owned()
                    } else {
                        to_column(&value.to_owned(), column, 1, &mode, scope.state)?
                    }
                }
                UpdateSource::Sum { column: from, constant, minus } => {
                    match sum(row.value(*from)?, constant.value(params), *minus) {
                        Some(value) => value.to_owned(),
                        None => return Ok(None),
                    }
                }
            };
            if row.value(*at)?.to_owned() != new {
                changed.push((*at, new));
            }
        }
        let altered = u64::from(!changed.is_empty());
        if altered > 0 {
            let relations = self.relations.clone().filter(|_| scope.state.settings.foreign_key_checks);
            let (mut context, _) = scope.exec(&[]);
            TableWriter::new(Arc::clone(&self.trees), relations).update(
                &mut context,
                &key,
                &row,
                &changed,
            )?;
        }
        Ok(Some(Changes {
            affected: if scope.state.found_rows_mode { 1 } else { altered },
            summary: Summary::Matched { matched: 1, changed: altered },
            ..Changes::default()
        }))
    }
}

/// Integer arithmetic where its result is certain to be MySQL's: no overflow of 64 bits, no change of sign
/// rules.
fn sum(value: ValueRef<'_>, constant: ValueRef<'_>, minus: bool) -> Option<ValueRef<'static>> {
    if value.is_null() {
        return Some(ValueRef::Null);
    }
    let number = |v: ValueRef<'_>| match v {
        ValueRef::Int(n) => Some((i128::from(n), false)),
        ValueRef::UInt(n) => Some((i128::from(n), true)),
        _ => None,
    };
    let ((a, unsigned), (b, beside)) = (number(value)?, number(constant)?);
    let result = if minus { a - b } else { a + b };
    // What an unsigned number is beside is unsigned too, and less than nothing is out of its range.
    if beside && result < 0 {
        return None;
    }
    if unsigned {
        u64::try_from(result).ok().map(ValueRef::UInt)
    } else {
        i64::try_from(result).ok().map(ValueRef::Int)
    }
}

impl PointDelete {
    fn run(&self, params: &[Value], scope: &mut Scope<'_>) -> Result<Changes, SqlError> {
        let def = self.trees.table();
        let mut key = Vec::with_capacity(32);
        if !self.key.encode(def, params, &mut key)? {
            return Ok(Changes::default());
        }
        let Some(bytes) = scope.txn.get_locked(&self.trees.primary, &key, LockMode::Exclusive)? else {
            return Ok(Changes::default());
        };
        let row = self.trees.reader.row(&bytes)?;
        let relations = self.relations.clone().filter(|_| scope.state.settings.foreign_key_checks);
        let (mut context, _) = scope.exec(&[]);
        TableWriter::new(Arc::clone(&self.trees), relations).delete(&mut context, &key, &row)?;
        Ok(Changes { affected: 1, ..Changes::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_give_up_where_mysql_would_complain() {
        assert_eq!(sum(ValueRef::Int(5), ValueRef::Int(1), false), Some(ValueRef::Int(6)));
        assert_eq!(sum(ValueRef::Int(0), ValueRef::UInt(3), true), None);
        assert_eq!(sum(ValueRef::Int(4), ValueRef::UInt(3), true), Some(ValueRef::Int(1)));
        assert_eq!(sum(ValueRef::UInt(0), ValueRef::Int(1), true), None);
        assert_eq!(sum(ValueRef::Int(i64::MAX), ValueRef::Int(1), false), None);
        assert_eq!(sum(ValueRef::Null, ValueRef::Int(1), false), Some(ValueRef::Null));
        assert_eq!(sum(ValueRef::Double(1.0), ValueRef::Int(1), false), None);
    }
}
