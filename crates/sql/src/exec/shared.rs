//! Tables that a statement makes once and reads in several places: queries of WITH that are mentioned more
//! than once, derived tables inside of subqueries that run for many rows, and the growing table of a
//! recursive query. Their rows are in memory or, beyond their share of it, in a temporary file.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;

use super::batch::Batch;
use super::recursive::grow;
use super::run::{Operator, Run, open};
use super::spill::rows::{Cursor, Rows};
use super::values::Derived;
use crate::error::SqlError;
use crate::plan::SharedTable;

/// Some rows of a table: its list, where they begin and end.
#[derive(Clone)]
pub struct Part {
    /// All rows of the table.
    pub rows: Rc<RefCell<Rows>>,
    /// The first one of the part.
    pub start: u64,
    /// The one behind the last.
    pub end: u64,
}

/// What is materialised, by the number that the plan gave it.
#[derive(Default)]
pub struct Shared {
    tables: RefCell<HashMap<usize, Part>>,
}

impl Shared {
    /// The rows of a table, if they were made.
    pub fn get(&self, number: usize) -> Option<Part> {
        self.tables.borrow().get(&number).cloned()
    }

    /// Puts rows in the place of those that were there.
    pub fn put(&self, number: usize, part: Part) {
        self.tables.borrow_mut().insert(number, part);
    }
}

/// Reads a part from its beginning to its end.
pub struct PartReader {
    part: Part,
    cursor: Cursor,
}

impl PartReader {
    /// At the first row.
    pub fn new(part: Part) -> PartReader {
        let cursor = Cursor::at(part.start);
        PartReader { part, cursor }
    }

    /// The next rows.
    pub fn next(&mut self, run: &Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        run.check()?;
        self.part.rows.borrow().read(&mut self.cursor, self.part.end)
    }
}

/// Reads a shared table; the first reader makes it.
pub struct SharedRows<'p> {
    table: &'p SharedTable,
    /// Its rows as they are made, when nobody else reads them.
    only: Option<Derived<'p>>,
    rows: Option<PartReader>,
}

impl<'p> SharedRows<'p> {
    /// Of this table.
    pub fn new(table: &'p SharedTable) -> SharedRows<'p> {
        let alone =
            table.recursion.is_none() && (table.readers.load(Ordering::Relaxed) <= 1 || table.has_outer());
        SharedRows { table, only: alone.then(|| Derived::new(&table.plan)), rows: None }
    }
}

/// Appends all rows of an operator to a list.
pub fn collect_into(
    rows: &RefCell<Rows>,
    operator: &mut dyn Operator,
    run: &mut Run<'_, '_>,
) -> Result<(), SqlError> {
    while let Some(batch) = operator.next(run)? {
        rows.borrow_mut().push(batch)?;
        run.check()?;
    }
    Ok(())
}

fn materialise(table: &SharedTable, run: &mut Run<'_, '_>) -> Result<Part, SqlError> {
    if !table.has_outer()
        && let Some(known) = run.subqueries.shared.get(table.number)
    {
        return Ok(known);
    }
    let around = run.subqueries.within(&table.plan.subplans);
    let mut inner = Run { context: run.context, subqueries: &around, held: run.held, cut_off: 0 };
    let part = match &table.recursion {
        Some(recursion) => grow(table, recursion, &mut inner)?,
        None => {
            let rows = RefCell::new(Rows::new(table.plan.types.len(), "derived table", &inner));
            let mut operator = open(&table.plan.root);
            collect_into(&rows, operator.as_mut(), &mut inner)?;
            let end = rows.borrow().len();
            Part { rows: Rc::new(rows), start: 0, end }
        }
    };
    part.rows.borrow_mut().settle()?;
    run.held = inner.held;
    run.subqueries.shared.put(table.number, part.clone());
    Ok(part)
}

impl Operator for SharedRows<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if let Some(only) = &mut self.only {
            return only.next(run);
        }
        let reader = match &mut self.rows {
            Some(reader) => reader,
            None => {
                let part = materialise(self.table, run)?;
                self.rows.insert(PartReader::new(part))
            }
        };
        reader.next(run)
    }
}
