//! Rows without a table: SELECT without FROM, VALUES, and derived tables (the rows of a subquery).

use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run, open};
use super::subquery::Surroundings;
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate};
use crate::expr::{BoundExpr, Vector};
use crate::plan::SelectPlan;

/// One row without columns.
#[derive(Default)]
pub struct Dual {
    given: bool,
}

impl Operator for Dual {
    fn next(&mut self, _: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if std::mem::replace(&mut self.given, true) {
            return Ok(None);
        }
        Ok(Some(Batch { columns: Vec::new(), rows: 1 }))
    }
}

/// Rows of expressions.
pub struct Values<'p> {
    rows: &'p [Vec<BoundExpr>],
    next: usize,
}

impl<'p> Values<'p> {
    /// Of these rows.
    pub fn new(rows: &'p [Vec<BoundExpr>]) -> Values<'p> {
        Values { rows, next: 0 }
    }
}

impl Operator for Values<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let end = (self.next + MAX_ROWS).min(self.rows.len());
        let rows = self.rows.get(self.next..end).unwrap_or(&[]);
        if rows.is_empty() {
            return Ok(None);
        }
        self.next = end;
        let width = rows.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(width);
        for at in 0..width {
            let mut cells: Vec<Vector> = Vec::with_capacity(rows.len());
            for expr in rows.iter().filter_map(|row| row.get(at)) {
                let frame = Frame::constant().with_subqueries(run.subqueries);
                cells.push(evaluate(expr, &frame, &mut run.eval())?);
            }
            columns.push(Vector::concat(&cells)?);
        }
        Ok(Some(Batch { columns, rows: rows.len() }))
    }
}

/// The rows of a subquery in FROM; it has subqueries of its own.
pub struct Derived<'p> {
    plan: &'p SelectPlan,
    input: Box<dyn Operator + 'p>,
    subqueries: Option<Surroundings>,
}

impl<'p> Derived<'p> {
    /// Of this plan.
    pub fn new(plan: &'p SelectPlan) -> Derived<'p> {
        Derived { plan, input: open(&plan.root), subqueries: None }
    }
}

impl Operator for Derived<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        let subqueries = match &mut self.subqueries {
            Some(subqueries) => subqueries,
            None => self.subqueries.insert(run.subqueries.within(&self.plan.subplans)),
        };
        let mut inner = Run { context: run.context, subqueries, held: run.held, cut_off: 0 };
        let batch = self.input.next(&mut inner)?;
        run.held = inner.held;
        Ok(batch)
    }
}
