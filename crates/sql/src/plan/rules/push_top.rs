//! ORDER BY and LIMIT move to the left side of a left join, where the order reads that side alone.
//!
//! ```text
//! Limit(n, Sort(x, Left(a, b)))  ->  Limit(n, Sort(x, Left(Limit(n, Sort(x, a)), b)))
//! ```
//!
//! Every row of the left side gives one row or more, and none is lost: the first n rows come from its first n. What
//! stood above stays, since there may be more. An index may then give the left side in that order.

use crate::expr::{BoundExpr, Node};
use crate::plan::{JoinKind, Plan, RowCount, RowLimit, SortKey};

/// Applies to a whole block.
pub fn push(plan: &mut Plan) {
    if let Plan::Limit { input, limit, counts: false } = plan
        && let (RowCount::Fixed(count), RowCount::Fixed(offset)) = (&limit.count, &limit.offset)
        && let Some(most) = count.checked_add(*offset)
    {
        into_sorted(input, most);
    }
    plan.each_input_mut(&mut push);
}

/// Looks for the sort under projections.
fn into_sorted(plan: &mut Plan, most: u64) {
    match plan {
        Plan::Project { input, exprs } if !exprs.iter().any(BoundExpr::has_side_effects) => {
            into_sorted(input, most)
        }
        Plan::Narrow { input, .. } => into_sorted(input, most),
        Plan::Sort { input, keys, .. } => into_join(input, keys.clone(), most),
        _ => {}
    }
}

/// Puts a sort and a limit on the left side of the join that a plan is.
fn into_join(plan: &mut Plan, mut keys: Vec<SortKey>, most: u64) {
    match plan {
        Plan::Project { input, exprs } => {
            for key in &mut keys {
                match exprs.get(key.column).map(|expr| &expr.node) {
                    Some(Node::Column(column)) => key.column = column.index,
                    _ => return,
                }
            }
            into_join(input, keys, most);
        }
        Plan::Join(join) if join.kind == JoinKind::Left && !join.straight => {
            let of_left = keys.iter().all(|key| key.column < join.left_width);
            let mut locks = false;
            join.left.each_scan(&mut |scan| locks |= scan.lock.is_some());
            if !of_left || locks || matches!(join.left, Plan::Limit { .. }) {
                return;
            }
            let left = std::mem::replace(&mut join.left, Plan::Dual);
            let sorted = Plan::Sort { input: Box::new(left), keys, limit: None };
            let limit = RowLimit { offset: RowCount::Fixed(0), count: RowCount::Fixed(most) };
            join.left = Plan::Limit { input: Box::new(sorted), limit, counts: false };
        }
        _ => {}
    }
}
