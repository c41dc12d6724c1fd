//! Conditions move down: to the scan whose columns they read, to one side of a join, or into its ON.
//!
//! What is above a semi or anti join reads the left side only and moves there; so does what ON of a semi join asks of
//! the left side, but not what ON of an anti join does.
//! A condition on the inner side of an outer join stays above it, except when it cannot be true for the
//! NULLs that the join makes up: then the join is an inner one. The right side of a LATERAL join is left as it is.

use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::{Join, JoinKind, Plan};

/// Pushes all filters of a plan down.
pub fn push_filters(plan: Plan) -> Plan {
    push(plan, Vec::new())
}

fn wrap(plan: Plan, conditions: Vec<BoundExpr>) -> Plan {
    if conditions.is_empty() { plan } else { Plan::Filter { input: Box::new(plan), predicates: conditions } }
}

fn push(plan: Plan, mut conditions: Vec<BoundExpr>) -> Plan {
    match plan {
        Plan::Filter { input, predicates } => {
            // What stood lower is tested first.
            let mut all = predicates;
            all.append(&mut conditions);
            all.sort_by_key(BoundExpr::has_subquery);
            push(*input, all)
        }
        Plan::Scan(mut scan) => {
            let (stay, go): (Vec<_>, Vec<_>) = conditions.into_iter().partition(BoundExpr::has_side_effects);
            scan.filter.extend(go);
            // What runs queries is tested last.
            scan.filter.sort_by_key(BoundExpr::has_subquery);
            wrap(Plan::Scan(scan), stay)
        }
        Plan::Join(join) => push_into_join(*join, conditions),
        mut other => {
            other.each_input_mut(&mut |input| {
                let taken = std::mem::replace(input, Plan::Dual);
                *input = push(taken, Vec::new());
            });
            wrap(other, conditions)
        }
    }
}

/// Which side of a join an expression reads: left, right, both or neither.
pub fn sides(expr: &BoundExpr, left_width: usize) -> (bool, bool) {
    let mut columns = Vec::new();
    expr.columns(&mut columns);
    (columns.iter().any(|c| *c < left_width), columns.iter().any(|c| *c >= left_width))
}

/// Whether a condition is never true when all columns of the right side are NULL.
fn rejects_nulls(condition: &BoundExpr, left_width: usize) -> bool {
    let strict = |expr: &BoundExpr| {
        let mut inner = expr;
        while let Node::Coerce(next) = &inner.node {
            inner = next;
        }
        matches!(&inner.node, Node::Column(column) if column.index >= left_width)
    };
    match &condition.node {
        Node::Compare { op, sides, .. } => *op != Comparison::NullSafeEqual && sides.iter().any(strict),
        Node::In { needle, .. } => strict(needle),
        Node::Call { function, args } => {
            matches!(function.name, "is not null" | "like" | "is true") && args.first().is_some_and(strict)
        }
        _ => false,
    }
}

fn push_into_join(mut join: Join, conditions: Vec<BoundExpr>) -> Plan {
    let width = join.left_width;
    if join.kind == JoinKind::Left && conditions.iter().any(|c| rejects_nulls(c, width)) {
        join.kind = JoinKind::Inner;
    }
    let (mut left, mut right, mut above) = (Vec::new(), Vec::new(), Vec::new());
    let on = std::mem::take(&mut join.on);
    if matches!(join.kind, JoinKind::Left | JoinKind::Anti | JoinKind::NullAwareAnti) {
        for condition in on {
            match sides(&condition, width) {
                (false, true) if join.lateral.is_none() => right.push(shifted(condition, width)),
                _ => join.on.push(condition),
            }
        }
        for condition in conditions {
            match sides(&condition, width) {
                (_, true) => above.push(condition),
                _ if condition.has_side_effects() => above.push(condition),
                _ => left.push(condition),
            }
        }
    } else {
        for condition in on.into_iter().chain(conditions) {
            if condition.has_side_effects() {
                above.push(condition);
                continue;
            }
            match sides(&condition, width) {
                (false, true) if join.lateral.is_none() => right.push(shifted(condition, width)),
                (_, true) => join.on.push(condition),
                _ => left.push(condition),
            }
        }
    }
    let taken = std::mem::replace(&mut join.left, Plan::Dual);
    join.left = push(taken, left);
    let taken = std::mem::replace(&mut join.right, Plan::Dual);
    join.right = push(taken, right);
    wrap(Plan::Join(Box::new(join)), above)
}

fn shifted(mut condition: BoundExpr, width: usize) -> BoundExpr {
    condition.remap(&|at| at.saturating_sub(width));
    condition
}
