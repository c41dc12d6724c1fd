//! A derived table that is nothing but tables, joins, conditions and expressions becomes part of the block that reads it.
//!
//! Views and queries of WITH that are mentioned in FROM are derived tables too. What groups, sorts, limits, removes
//! duplicates or computes windows stays a block, and so does what may not be evaluated another number of times than
//! once a row: RAND(), assignments, subqueries in the select list, conditions of which the order of evaluation shows.
//!
//! An ORDER BY of a derived table without a limit is of no meaning there, but, as in MySQL, where the table is all that a
//! block reads and the block neither groups nor sorts: then it is the block's.

use crate::expr::BoundExpr;
use crate::plan::{Plan, SelectPlan};

/// Merges the derived tables of a block.
pub fn merge(plan: &mut SelectPlan) {
    let mut adopted = std::mem::take(&mut plan.subplans);
    walk(&mut plan.root, true, &mut adopted);
    plan.subplans = adopted;
}

/// `keeps_order` is whether the rows of the block come in the order of those of this part.
fn walk(plan: &mut Plan, keeps_order: bool, subplans: &mut Vec<std::sync::Arc<SelectPlan>>) {
    if let Plan::Join(join) = plan
        && join.lateral.is_some()
    {
        // The row around the right side is another one.
        return walk(&mut join.left, false, subplans);
    }
    // The operands of a set operation stay blocks of their own.
    if let Plan::SetOperation(_) = plan {
        return;
    }
    if let Plan::Derived(derived) = plan
        && is_mergeable(derived)
        && !(keeps_order && is_ordered(&derived.root))
    {
        let mut inner = std::mem::replace(&mut derived.root, Plan::Dual);
        inner.shift_subqueries(subplans.len());
        subplans.append(&mut derived.subplans);
        *plan = without_order(inner);
        return;
    }
    let keeps_order = keeps_order
        && matches!(
            plan,
            Plan::Filter { .. }
                | Plan::Project { .. }
                | Plan::Limit { .. }
                | Plan::Counted { .. }
                | Plan::Narrow { .. }
        );
    plan.each_input_mut(&mut |input| walk(input, keeps_order, subplans));
}

/// Whether its rows come in an order that was asked for.
fn is_ordered(plan: &Plan) -> bool {
    match plan {
        Plan::Sort { .. } => true,
        Plan::Project { input, .. } => is_ordered(input),
        _ => false,
    }
}

/// The same without the order that nothing asks it for.
fn without_order(plan: Plan) -> Plan {
    match plan {
        Plan::Sort { input, limit: None, .. } => without_order(*input),
        Plan::Project { input, exprs } => Plan::Project { input: Box::new(without_order(*input)), exprs },
        other => other,
    }
}

/// Whether a derived table can be part of the block around it.
pub fn is_mergeable(plan: &SelectPlan) -> bool {
    top(&plan.root)
}

fn top(plan: &Plan) -> bool {
    match plan {
        Plan::Sort { input, limit: None, .. } => top(input),
        Plan::Project { input, exprs } => exprs.iter().all(BoundExpr::is_movable) && top(input),
        other => rows(other),
    }
}

fn rows(plan: &Plan) -> bool {
    match plan {
        Plan::Scan(_) | Plan::Derived(_) | Plan::Shared(_) => true,
        Plan::Filter { input, predicates } => {
            !predicates.iter().any(|p| p.has_side_effects() || is_volatile(p)) && rows(input)
        }
        Plan::Project { input, exprs } => exprs.iter().all(BoundExpr::is_movable) && rows(input),
        Plan::Join(join) => {
            let lateral = join.lateral.is_some();
            rows(&join.left) && (lateral || rows(&join.right)) && !join.on.iter().any(is_volatile)
        }
        _ => false,
    }
}

fn is_volatile(expr: &BoundExpr) -> bool {
    expr.any(&mut |e| match &e.node {
        crate::expr::Node::Assign { .. } => true,
        crate::expr::Node::Call { function, .. } => function.volatile,
        _ => false,
    })
}
