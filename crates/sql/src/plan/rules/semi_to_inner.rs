//! A semi join whose right side is small becomes an inner join with each of its values once.
//!
//! ```text
//! Semi(x, y) on x.a = y.b   ->   Inner(x, Distinct(y.b)) on x.a = y.b
//! ```
//!
//! Then the values may be read first, and an index on `x.a` finds the rows of x: `WHERE id IN (SELECT ..)` over a large
//! table reads what the subquery names, not the table. It is done where an index of the left side begins with the
//! column and the right side is estimated to be much smaller than that table.

use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::estimate::Estimator;
use crate::plan::rules::decorrelate::first_columns;
use crate::plan::rules::{access_path, push_filters};
use crate::plan::{JoinKind, Plan, Scan};

/// So many times smaller must the right side be.
const SMALLER: f64 = 10.0;

/// Applies to a whole block.
pub fn convert(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    plan.each_input_mut(&mut |input| convert(input, estimator));
    let Plan::Join(join) = plan else { return };
    if join.kind != JoinKind::Semi || join.lateral.is_some() || join.on.is_empty() {
        return;
    }
    let width = join.left_width;
    // As small as the way to its rows will make it.
    let mut right = join.right.clone();
    access_path::choose_access_paths(&mut right, estimator);
    let small = right.estimate().rows * SMALLER;
    let mut values = Vec::with_capacity(join.on.len());
    let mut on = Vec::with_capacity(join.on.len());
    let mut found = false;
    for condition in &join.on {
        let Some((left, right)) = pair(condition, width) else { return };
        if let Node::Column(column) = &left.node {
            found |= finds(&join.left, column.index, small);
        }
        let at = BoundExpr::column(width + values.len(), right.to_string(), right.ty.clone());
        let mut condition = condition.clone();
        if let Node::Compare { sides, .. } = &mut condition.node {
            **sides = [left, at];
        }
        on.push(condition);
        values.push(right);
    }
    if !found {
        return;
    }
    for value in &mut values {
        value.remap(&|at| at.saturating_sub(width));
    }
    let types: Vec<_> = values.iter().map(|value| value.ty.clone()).collect();
    let right = Box::new(std::mem::replace(&mut join.right, Plan::Dual));
    let project = Plan::Project { input: right, exprs: values };
    join.right = Plan::Distinct { input: Box::new(project), types: types.clone(), sorted: false };
    join.right_types = types;
    join.on = on;
    join.kind = JoinKind::Inner;
    let joined = std::mem::replace(plan, Plan::Dual);
    *plan = first_columns(joined, width);
}

/// An equality between the sides whose right values can be told apart as it does itself.
fn pair(condition: &BoundExpr, width: usize) -> Option<(BoundExpr, BoundExpr)> {
    let Node::Compare { op: Comparison::Equal, sides, collation } = &condition.node else { return None };
    if !condition.is_movable() {
        return None;
    }
    let [a, b] = sides.as_ref();
    let (left, right) = match (push_filters::sides(a, width), push_filters::sides(b, width)) {
        ((true, false), (false, true)) => (a, b),
        ((false, true), (true, false)) => (b, a),
        _ => return None,
    };
    let text = right.ty.class() == Class::Text;
    if text && right.ty.collation != *collation || left.ty.class() != right.ty.class() {
        return None;
    }
    Some((left.clone(), right.clone()))
}

/// Whether a column is one that an index of its table begins with, and the table gives more rows than `rows`.
fn finds(plan: &Plan, column: usize, rows: f64) -> bool {
    match plan {
        Plan::Scan(scan) => starts_index(scan, column) && scan.estimated().given > rows,
        Plan::Filter { input, .. } => finds(input, column, rows),
        Plan::Join(join) if column < join.left_width => finds(&join.left, column, rows),
        Plan::Join(join) if join.kind == JoinKind::Inner => {
            finds(&join.right, column - join.left_width, rows)
        }
        _ => false,
    }
}

fn starts_index(scan: &Scan, column: usize) -> bool {
    let Some(column) = scan.columns.get(column) else { return false };
    scan.table.def.all_indexes().any(|index| {
        access_path::allowed(scan, index)
            && index.columns.first().is_some_and(|part| part.prefix.is_none() && part.column == *column)
    })
}
