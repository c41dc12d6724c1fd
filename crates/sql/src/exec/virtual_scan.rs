//! Reads a table whose rows are computed (`information_schema`).

use rustydb_value::ValueRef;

use super::batch::{Batch, MAX_ROWS};
use super::run::{Operator, Run};
use crate::context::{TableRows, VirtualFilter};
use crate::error::SqlError;
use crate::expr::eval::{Frame, evaluate, filter};
use crate::expr::types::ExprType;
use crate::expr::vector::Builder;
use crate::expr::{BoundExpr, Class};
use crate::plan::{Access, Scan};

/// The scan of a virtual table.
pub struct VirtualScan<'p> {
    plan: &'p Scan,
    rows: Option<std::vec::IntoIter<Vec<rustydb_value::Value>>>,
    types: Vec<ExprType>,
}

impl<'p> VirtualScan<'p> {
    /// Of this plan.
    pub fn new(plan: &'p Scan) -> VirtualScan<'p> {
        let def = &plan.table.def;
        let types = plan
            .columns
            .iter()
            .filter_map(|at| def.columns.get(*at))
            .map(|c| ExprType::of_column(&c.ty, c.nullable))
            .collect();
        VirtualScan { plan, rows: None, types }
    }
}

/// A condition's value as text; None leaves the table unbounded, which is always right.
fn text_of(expr: Option<&BoundExpr>, run: &mut Run<'_, '_>) -> Result<Option<String>, SqlError> {
    let Some(expr) = expr else { return Ok(None) };
    if expr.ty.class() != Class::Text {
        return Ok(None);
    }
    let frame = Frame::constant().with_subqueries(run.subqueries);
    let value = evaluate(expr, &frame, &mut run.eval())?;
    Ok(if value.is_null(0) { None } else { Some(value.text(0).to_string()) })
}

impl Operator for VirtualScan<'_> {
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError> {
        if self.rows.is_none() {
            let TableRows::Virtual(table) = &self.plan.table.rows else {
                return Err(SqlError::unknown("plan: not a virtual table"));
            };
            let wanted = match &self.plan.access {
                Access::Virtual(access) => VirtualFilter {
                    schema: text_of(access.schema.as_ref(), run)?,
                    table: text_of(access.table.as_ref(), run)?,
                },
                Access::Index(_) => VirtualFilter::default(),
            };
            let rows = table.rows(run.context.database, run.context.eval.session, &wanted)?;
            self.rows = Some(rows.into_iter());
        }
        loop {
            run.check()?;
            let Some(rows) = &mut self.rows else { return Ok(None) };
            let part: Vec<_> = rows.by_ref().take(MAX_ROWS).collect();
            if part.is_empty() {
                return Ok(None);
            }
            let mut columns = Vec::with_capacity(self.types.len());
            for (at, ty) in self.plan.columns.iter().zip(&self.types) {
                let mut builder = Builder::of(ty, part.len());
                for row in &part {
                    builder.push(row.get(*at).map_or(ValueRef::Null, |v| v.as_ref()));
                }
                columns.push(builder.finish());
            }
            let mut batch = Batch { columns, rows: part.len() };
            if !self.plan.filter.is_empty() {
                let frame = Frame::new(&batch.columns, batch.rows).with_subqueries(run.subqueries);
                let kept = filter(&self.plan.filter, &frame, &mut run.eval())?;
                batch = batch.select(kept.as_ref())?;
            }
            if batch.rows > 0 {
                return Ok(Some(batch));
            }
        }
    }
}
