//! Which templates the general executor may run by one plan, whatever their values.
//!
//! Two things have to hold. A value must mean as a parameter what it meant in the text: it is compared with a column, or
//! says how many rows are wanted; anywhere else it might be a column's number, a heading, or part of a type. And the plan must be the right one for every value: it begins with one row by
//! a unique index and looks the others up, or reads a range of the primary key alone. A plan that depends on how
//! frequent a value is would serve the next value badly.

use rustydb_sql_parser::ast::{
    BinaryOp, Expr, ExprKind, Join, JoinConstraint, LimitValue, Query, QueryBody, TableReference,
};

use crate::plan::{Access, IndexAccess, KeyEqual, Plan, Scan, SelectPlan};

/// Whether all of a query's parameters are compared with columns, or are numbers of rows.
pub(super) fn only_compares(query: &Query, parameters: usize) -> bool {
    let QueryBody::Select(select) = &query.body else { return false };
    if query.with.is_some() || query.into.is_some() || !query.locking.is_empty() {
        return false;
    }
    let mut found = 0;
    select.filter.iter().for_each(|condition| compared(condition, &mut found));
    select.from.iter().for_each(|table| in_joins(table, &mut found));
    if let Some(limit) = &query.limit {
        let rows = std::iter::once(&limit.count).chain(&limit.offset);
        found += rows.filter(|rows| matches!(rows, LimitValue::Parameter(_))).count();
    }
    found == parameters
}

fn in_joins(table: &TableReference, found: &mut usize) {
    match table {
        TableReference::Join(join) => {
            let Join { left, right, constraint, .. } = join.as_ref();
            in_joins(left, found);
            in_joins(right, found);
            if let JoinConstraint::On(condition) = constraint {
                compared(condition, found);
            }
        }
        TableReference::List(tables) => tables.iter().for_each(|table| in_joins(table, found)),
        _ => {}
    }
}

/// Counts the parameters that a condition compares with columns.
fn compared(condition: &Expr, found: &mut usize) {
    use BinaryOp as B;
    let is_column = |expr: &Expr| matches!(expr.kind, ExprKind::Column(_));
    let count = |expr: &Expr| usize::from(matches!(expr.kind, ExprKind::Parameter(_)));
    match &condition.kind {
        ExprKind::And(operands) | ExprKind::Or(operands) => {
            operands.iter().for_each(|operand| compared(operand, found));
        }
        ExprKind::Binary {
            op:
                B::Equal
                | B::NullSafeEqual
                | B::NotEqual
                | B::Less
                | B::LessOrEqual
                | B::Greater
                | B::GreaterOrEqual,
            left,
            right,
        } => {
            if is_column(left) {
                *found += count(right);
            } else if is_column(right) {
                *found += count(left);
            }
        }
        ExprKind::Between(between) if is_column(&between.expr) => {
            *found += count(&between.low) + count(&between.high);
        }
        ExprKind::InList { expr, list, .. } if is_column(expr) => {
            *found += list.iter().map(count).sum::<usize>();
        }
        _ => {}
    }
}

/// Whether a plan is as good for any other values.
pub(super) fn holds_for_all_values(plan: &SelectPlan) -> bool {
    plan.is_cacheable() && plan.subplans.is_empty() && begins_with_few(&plan.root, false)
}

fn begins_with_few(plan: &Plan, joined: bool) -> bool {
    match plan {
        Plan::Filter { input, .. }
        | Plan::Project { input, .. }
        | Plan::Distinct { input, .. }
        | Plan::Sort { input, .. }
        | Plan::Limit { input, .. }
        | Plan::Narrow { input, .. } => begins_with_few(input, joined),
        Plan::Aggregate(aggregate) => begins_with_few(&aggregate.input, joined),
        Plan::Join(join) => {
            join.lookup && matches!(join.right, Plan::Scan(_)) && begins_with_few(&join.left, true)
        }
        Plan::Scan(scan) => match &scan.access {
            Access::Index(access) => {
                is_one_row(scan, access) || !joined && access.index == 0 && scan.filter.is_empty()
            }
            Access::Virtual(_) => false,
        },
        _ => false,
    }
}

fn is_one_row(scan: &Scan, access: &IndexAccess) -> bool {
    let one = |equal: &KeyEqual| matches!(equal, KeyEqual::Values(values) if values.len() == 1);
    scan.table.def.all_indexes().nth(access.index).is_some_and(|index| {
        index.unique
            && !index.columns.is_empty()
            && access.equals.len() == index.columns.len()
            && access.equals.iter().all(one)
            && access.others.is_empty()
    })
}
