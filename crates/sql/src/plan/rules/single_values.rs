//! Subqueries that give one value become the right side of a left join: groups, or the row of a unique key.
//!
//! An aggregate over the rows that belong to an outer row is that of the group of these rows, and for an outer row
//! without a group what the aggregate gives for no rows. A row that a whole unique key finds is there once or not at
//! all.

use super::hoist;
use super::lift_projections::{substitute, types};
use crate::context::TableRows;
use crate::expr::build::literal_int;
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, ExprType, Node};
use crate::plan::aggregate::Operation;
use crate::plan::{Aggregate, Join, JoinKind, Plan, Scan};

/// Where the expressions of a subquery stand once it is the right side of a join.
pub struct Place<'e> {
    /// What it reads of the row on the left.
    pub captures: &'e [BoundExpr],
    /// Number of columns of the left.
    pub left_width: usize,
}

impl Place<'_> {
    /// An expression over the subquery's rows and captures as one over both sides of the join.
    pub fn over_both(&self, mut expr: BoundExpr) -> BoundExpr {
        expr.remap(&|at| at + self.left_width);
        self.release(&mut expr);
        expr
    }

    /// Puts what was captured in the place of the captures.
    pub fn release(&self, expr: &mut BoundExpr) {
        if let Node::Outer(column) = &expr.node {
            if let Some(captured) = self.captures.get(column.index) {
                *expr = captured.clone();
            }
            return;
        }
        expr.for_children_mut(&mut |child| self.release(child));
    }
}

/// The left join of one that finds its group, and what the values are over the joined rows; None if it cannot be said
/// so, or `stays` says of the groups that they are not worth it.
pub fn groups(
    node: Aggregate,
    values: Vec<BoundExpr>,
    captures: &[BoundExpr],
    stays: &mut dyn FnMut(&Aggregate) -> bool,
    left_width: usize,
) -> Option<(Join, Vec<BoundExpr>)> {
    let own = node.keys.is_empty() && node.scalar && !node.rollup;
    if !own || node.calls.iter().flat_map(|call| &call.args).any(BoundExpr::has_outer) {
        return None;
    }
    let mut conditions = Vec::new();
    let mut grouped = hoist::by_outer(node, &mut conditions, 0)?;
    if conditions.is_empty() || stays(&grouped) {
        return None;
    }
    grouped.scalar = false;
    let place = Place { captures, left_width };
    let on = conditions.into_iter().map(|c| place.over_both(c)).collect();
    let base = left_width + grouped.keys.len();
    // What each aggregate gives for a row without a group.
    let mut calls = Vec::with_capacity(grouped.calls.len());
    for (at, call) in grouped.calls.iter().enumerate() {
        let column = BoundExpr::column(base + at, call.to_string(), call.ty.clone().with_nullable(true));
        calls.push(match call.operation {
            Operation::Count => {
                let node = Node::Coalesce(vec![column, literal_int(0)]);
                BoundExpr { node, ty: call.ty.clone() }
            }
            // Not NULL, and seldom asked for without a group.
            Operation::BitAnd | Operation::BitOr | Operation::BitXor => return None,
            _ => column,
        });
    }
    let values = values
        .into_iter()
        .map(|mut value| {
            substitute(&mut value, &calls);
            place.release(&mut value);
            value
        })
        .collect();
    let key_types = grouped.keys.iter().map(|key| key.ty.clone());
    let right_types = key_types.chain(grouped.calls.iter().map(|call| call.ty.clone())).collect();
    Some((left_join(Plan::Aggregate(Box::new(grouped)), on, left_width, right_types), values))
}

/// The left join of the row that a whole unique key finds.
pub fn only_row(
    rows: Plan,
    values: Vec<BoundExpr>,
    captures: &[BoundExpr],
    left_width: usize,
) -> Option<(Join, Vec<BoundExpr>)> {
    let mut conditions = Vec::new();
    let rows = hoist::hoist(rows, &mut conditions)?;
    let mut input = &rows;
    let mut local: &[BoundExpr] = &[];
    if let Plan::Filter { input: below, predicates } = input {
        (input, local) = (below, predicates);
    }
    let Plan::Scan(scan) = input else { return None };
    let fixed: Vec<usize> =
        conditions.iter().chain(local).filter_map(|condition| fixed_column(condition, scan)).collect();
    if !has_unique_key(scan, &fixed) || !values.iter().all(|v| matches!(v.node, Node::Column(_))) {
        return None;
    }
    let right_types = types(&rows)?;
    let place = Place { captures, left_width };
    let on = conditions.into_iter().map(|c| place.over_both(c)).collect();
    let values = values.into_iter().map(|value| place.over_both(value)).collect();
    Some((left_join(rows, on, left_width, right_types), values))
}

fn left_join(right: Plan, on: Vec<BoundExpr>, left_width: usize, right_types: Vec<ExprType>) -> Join {
    Join { on, left_width, ..Join::new(JoinKind::Left, Plan::Dual, right, right_types) }
}

/// The column of the table that an expression is.
fn table_column(expr: &BoundExpr, scan: &Scan) -> Option<usize> {
    let Node::Column(column) = &expr.node else { return None };
    scan.columns.get(column.index).copied()
}

/// The column of the table that a condition makes equal to one value, so that equal values are one.
fn fixed_column(condition: &BoundExpr, scan: &Scan) -> Option<usize> {
    let Node::Compare { op: Comparison::Equal, sides, collation } = &condition.node else { return None };
    let [a, b] = sides.as_ref();
    let reads_row = |e: &BoundExpr| e.any(&mut |e| matches!(e.node, Node::Column(_)));
    let column = match (table_column(a, scan), table_column(b, scan)) {
        (Some(column), None) if !reads_row(b) => column,
        (None, Some(column)) if !reads_row(a) => column,
        _ => return None,
    };
    let def = scan.table.def.columns.get(column)?;
    let text = a.ty.class() == Class::Text;
    if text && def.ty.collation != *collation { None } else { Some(column) }
}

fn has_unique_key(scan: &Scan, fixed: &[usize]) -> bool {
    matches!(scan.table.rows, TableRows::Stored)
        && scan.table.def.all_indexes().enumerate().any(|(at, index)| {
            (at == 0 || index.unique)
                && !index.columns.is_empty()
                && index.columns.iter().all(|part| part.prefix.is_none() && fixed.contains(&part.column))
        })
}
