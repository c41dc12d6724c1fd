//! Tables that a statement makes once and reads in several places: queries of WITH that are mentioned more
//! than once, derived tables inside of subqueries that run for many rows, and the growing table of a
//! recursive query.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;

use super::batch::{Batch, MAX_ROWS};
use super::recursive::grow;
use super::run::{Operator, Run, open};
use super::values::Derived;
use crate::error::SqlError;
use crate::expr::Vector;
use crate::plan::SharedTable;

/// What is materialised, by the number that the plan gave it.
#[derive(Default)]
pub struct Shared {
    tables: RefCell<HashMap<usize, Rc<Batch>>>,
}

impl Shared {
    /// The rows of a table, if they were made.
    pub fn get(&self, number: usize) -> Option<Rc<Batch>> {
        self.tables.borrow().get(&number).map(Rc::clone)
    }

    /// Puts rows in the place of those that were there.
    pub fn put(&self, number: usize, rows: Rc<Batch>) {
        self.tables.borrow_mut().insert(number, rows);
    }
}

/// Reads a shared table; the first reader makes it.
pub struct SharedRows<'p> {
    table: &'p SharedTable,
    /// Its rows as they are made, when nobody else reads them.
    only: Option<Derived<'p>>,
    rows: Option<(Rc<Batch>, usize)>,
}

impl<'p> SharedRows<'p> {
    /// Of this table.
    pub fn new(table: &'p SharedTable) -> SharedRows<'p> {
        let alone =
            table.recursion.is_none() && (table.readers.load(Ordering::Relaxed) <= 1 || table.has_outer());
        SharedRows { table, only: alone.then(|| Derived::new(&table.plan)), rows: None }
    }
}

/// All rows of an operator as one batch of `width` columns, charged to the statement.
pub fn collect(
    operator: &mut dyn Operator,
    width: usize,
    purpose: &str,
    run: &mut Run<'_, '_>,
) -> Result<Batch, SqlError> {
    let mut parts = Vec::new();
    while let Some(batch) = operator.next(run)? {
        run.hold(batch.memory(), purpose)?;
        parts.push(batch);
        run.check()?;
    }
    if parts.is_empty() {
        return Ok(Batch { columns: (0..width).map(|_| Vector::null(0)).collect(), rows: 0 });
    }
    Batch::concat(&parts)
}

fn materialise(table: &SharedTable, run: &mut Run<'_, '_>) -> Result<Rc<Batch>, SqlError> {
    if !table.has_outer()
        && let Some(known) = run.subqueries.shared.get(table.number)
    {
        return Ok(known);
    }
    let around = run.subqueries.within(&table.plan.subplans);
    let mut inner = Run { context: run.context, subqueries: &around, held: run.held, cut_off: 0 };
    let rows = match &table.recursion {
        Some(recursion) => grow(table, recursion, &mut inner)?,
        None => {
            let mut operator = open(&table.plan.root);
            collect(operator.as_mut(), table.plan.types.len(), "derived table", &mut inner)?
        }
    };
    run.held = inner.held;
    let rows = Rc::new(rows);
    run.subqueries.shared.put(table.number, Rc::clone(&rows));
    Ok(rows)
}

impl Operator for SharedRows<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if let Some(only) = &mut self.only {
            return only.next(run);
        }
        let (rows, at) = match &mut self.rows {
            Some(rows) => rows,
            None => {
                let rows = materialise(self.table, run)?;
                self.rows.insert((rows, 0))
            }
        };
        if *at >= rows.rows {
            return Ok(None);
        }
        let part = rows.slice(*at, MAX_ROWS);
        *at += part.rows;
        Ok(Some(part))
    }
}
