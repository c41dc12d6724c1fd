//! Opens a plan's operators, runs its subqueries and hands its rows to a callback.

use rustydb_value::ValueRef;

use super::batch::Batch;
use super::direct::Direct;
use super::morsel::open_wide;
use super::subquery::Surroundings;
use super::{
    aggregate, collecting, counted, distinct, distinct_sorted, filter, join, limit, recursive, rollup, scan,
    set_operation, shared, sort, spill, values, virtual_scan, window,
};
use crate::context::{EvalContext, ExecContext};
use crate::error::SqlError;
use crate::expr::Kind;
use crate::expr::types::ExprType;
use crate::expr::vector::set_text;
use crate::plan::{Access, Plan, SelectPlan};

/// What all operators of a running plan share.
pub struct Run<'r, 'c> {
    /// The transaction, the session, limits.
    pub context: &'r mut ExecContext<'c>,
    /// The subqueries of the query block, and the row around it.
    pub subqueries: &'r Surroundings,
    /// Bytes that operators hold.
    pub held: usize,
    /// Rows that a LIMIT of the whole query cut off, when they are counted.
    pub cut_off: u64,
}

impl Run<'_, '_> {
    /// What expressions get: they may run subqueries.
    pub fn eval(&mut self) -> EvalContext<'_> {
        self.context.for_expressions(self.held)
    }

    /// Ends the statement if it was cancelled.
    pub fn check(&self) -> Result<(), SqlError> {
        self.context.eval.check()
    }

    /// Charges memory to the statement; refused beyond its limit, and beyond that of all statements.
    pub fn hold(&mut self, bytes: usize, purpose: &str) -> Result<(), SqlError> {
        self.held += bytes;
        if purpose != "sort" {
            return self.context.memory.charge(self.held, purpose, "The statement was refused.");
        }
        self.context.memory.cover(self.held).map_err(|_| SqlError::out_of_sort_memory())
    }

    /// Gives memory back.
    pub fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }
}

/// An operator that gives batches.
pub trait Operator {
    /// The next batch, never empty; None at the end.
    fn next(&mut self, run: &mut Run<'_, '_>) -> Result<Option<Batch>, SqlError>;
}

/// Opens the operator of a plan.
pub fn open(plan: &Plan) -> Box<dyn Operator + '_> {
    match plan {
        Plan::Dual => Box::new(values::Dual::default()),
        Plan::Values(rows) => Box::new(values::Values::new(rows)),
        Plan::Scan(scan) => match &scan.access {
            Access::Index(_) => Box::new(scan::TableScan::new(scan)),
            Access::Virtual(_) => Box::new(virtual_scan::VirtualScan::new(scan)),
        },
        Plan::Derived(plan) => Box::new(values::Derived::new(plan)),
        Plan::Shared(table) => Box::new(shared::SharedRows::new(table)),
        Plan::Work { number, .. } => Box::new(recursive::WorkRows::new(*number)),
        Plan::Join(node) => join::open_join(node),
        Plan::Filter { input, predicates } => Box::new(filter::Filter::new(open(input), predicates)),
        Plan::Aggregate(node) if node.rollup => Box::new(rollup::Rollup::new(open_wide(&node.input), node)),
        Plan::Aggregate(node) if collecting::collects(node) => {
            Box::new(collecting::CollectingAggregate::new(open_wide(&node.input), node))
        }
        Plan::Aggregate(node) => Box::new(aggregate::HashAggregate::of_plan(node)),
        Plan::Windows(node) => Box::new(window::WindowRows::new(open(&node.input), node)),
        Plan::Project { input, exprs } => Box::new(filter::Project::new(open(input), exprs)),
        Plan::Distinct { input, types, sorted: false } => {
            Box::new(distinct::Distinct::new(open(input), types))
        }
        Plan::Distinct { input, types, sorted: true } => {
            Box::new(distinct_sorted::DistinctSorted::new(open(input), types))
        }
        Plan::Sort { input, keys, limit } => Box::new(sort::Sort::new(input, keys, limit.as_ref())),
        Plan::Limit { input, limit, counts } => Box::new(limit::Limit::new(open(input), limit, *counts)),
        Plan::Counted { input, counter } => Box::new(counted::CountedRows::new(input, counter)),
        Plan::Narrow { input, width } => Box::new(filter::Narrow::new(open(input), *width)),
        Plan::SetOperation(node) => Box::new(set_operation::SetOperations::new(node)),
    }
}

/// Opens the operator of a plan whose rows will all be read: a scan need not begin with few.
pub fn open_all(plan: &Plan) -> Box<dyn Operator + '_> {
    match plan {
        Plan::Scan(scan) if matches!(scan.access, Access::Index(_)) => {
            Box::new(scan::TableScan::new(scan).to_its_end())
        }
        Plan::Filter { input, predicates } => Box::new(filter::Filter::new(open_all(input), predicates)),
        Plan::Project { input, exprs } => Box::new(filter::Project::new(open_all(input), exprs)),
        Plan::Distinct { input, types, sorted: false } => {
            Box::new(distinct::Distinct::new(open_all(input), types))
        }
        Plan::Narrow { input, width } => Box::new(filter::Narrow::new(open_all(input), *width)),
        other => open(other),
    }
}

/// The callback that takes the rows.
pub type RowSink<'s> = dyn FnMut(&[ValueRef<'_>]) -> Result<(), SqlError> + 's;

/// Runs a plan. Every row is given to `sink` as one cell per column; FOUND_ROWS() is set at the end.
pub fn run(plan: &SelectPlan, context: &mut ExecContext<'_>, sink: &mut RowSink<'_>) -> Result<(), SqlError> {
    if let Some(direct) = Direct::of(plan) {
        let subqueries = Surroundings::of_statement(&plan.subplans);
        let mut run = Run { context, subqueries: &subqueries, held: 0, cut_off: 0 };
        if let Some(found) = direct.run(&mut run, sink)? {
            run.context.eval.session.found_rows = found;
            return Ok(());
        }
    }
    run_batches(plan, context, &mut |batch| give_rows(&batch, &plan.types, sink))
}

/// The same, batch by batch.
pub fn run_batches(
    plan: &SelectPlan,
    context: &mut ExecContext<'_>,
    sink: &mut dyn FnMut(Batch) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    let subqueries = Surroundings::of_statement(&plan.subplans);
    context.memory.set_width(spill::width(plan));
    let mut run = Run { context, subqueries: &subqueries, held: 0, cut_off: 0 };
    let mut operator = open(&plan.root);
    let mut found = 0u64;
    while let Some(batch) = operator.next(&mut run)? {
        found += batch.rows as u64;
        sink(batch)?;
        run.check()?;
    }
    drop(operator);
    let found = found + run.cut_off;
    run.context.eval.session.found_rows = found;
    Ok(())
}

/// Hands the rows of a batch to the sink. One vector of cells serves all of them.
pub(crate) fn give_rows(batch: &Batch, types: &[ExprType], sink: &mut RowSink<'_>) -> Result<(), SqlError> {
    // SET members are joined once per batch: a cell only borrows.
    let texts: Vec<Option<Vec<String>>> = batch
        .columns
        .iter()
        .zip(types)
        .map(|(column, ty)| match &ty.kind {
            Kind::Set(members) => {
                Some((0..batch.rows).map(|row| set_text(members, column.as_uints().at(row))).collect())
            }
            _ => None,
        })
        .collect();
    let mut cells: Vec<ValueRef<'_>> = Vec::with_capacity(batch.columns.len());
    for row in 0..batch.rows {
        cells.clear();
        for ((column, ty), text) in batch.columns.iter().zip(types).zip(&texts) {
            cells.push(match text {
                Some(texts) if !column.is_null(row) => {
                    texts.get(row).map_or(ValueRef::Null, |t| ValueRef::Text(t.as_str()))
                }
                _ => column.cell(row, ty),
            });
        }
        sink(&cells)?;
    }
    Ok(())
}
