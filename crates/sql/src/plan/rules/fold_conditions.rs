//! Conditions that constants decide: `1 = 1` goes away, and nothing is read under `1 = 0` or `a = 1 AND a = 2`.
//!
//! Only what is written as constants of one class is decided here; a conversion may warn, and is left to be made when
//! the statement runs. NULL as a condition lets nothing through, as false does.

use crate::expr::compare::order_at;
use crate::expr::{BoundExpr, Class, Comparison, ExprType, Node};
use crate::plan::rules::index_order::fixed_limit;
use crate::plan::{JoinKind, Plan};
use rustydb_value::Value;

/// Folds the conditions of a block.
pub fn fold(plan: &mut Plan) {
    plan.each_input_mut(&mut fold);
    match plan {
        Plan::Filter { input, predicates } => {
            predicates.retain(|condition| verdict(condition) != Some(true));
            if predicates.iter().any(|condition| verdict(condition) == Some(false)) || contradict(predicates)
            {
                let never = BoundExpr::literal(&Value::Int(0), ExprType::boolean().not_null());
                *predicates = vec![never];
                let below = Box::new(std::mem::replace(input.as_mut(), Plan::Dual));
                **input = Plan::Limit { input: below, limit: fixed_limit(0), counts: false };
            } else if predicates.is_empty() {
                *plan = std::mem::replace(input.as_mut(), Plan::Dual);
            }
        }
        Plan::Join(join) if matches!(join.kind, JoinKind::Inner | JoinKind::Left) => {
            join.on.retain(|condition| verdict(condition) != Some(true));
        }
        _ => {}
    }
}

/// Whether a condition is true for every row, or for none.
fn verdict(condition: &BoundExpr) -> Option<bool> {
    match &condition.node {
        Node::Literal(value) if value.is_null(0) => Some(false),
        Node::Literal(value) if condition.ty.class() == Class::Int => Some(value.as_ints().at(0) != 0),
        Node::Compare { op, sides, collation } => {
            let [a, b] = sides.as_ref();
            let (Node::Literal(x), Node::Literal(y)) = (&a.node, &b.node) else { return None };
            let order = match (x.is_null(0), y.is_null(0)) {
                (false, false) => order_at(x, 0, y, 0, (a.ty.class(), b.ty.class()), *collation),
                (true, true) if *op == Comparison::NullSafeEqual => return Some(true),
                _ => return Some(false),
            };
            Some(op.accepts(order))
        }
        Node::And(list) => {
            let verdicts: Vec<_> = list.iter().map(verdict).collect();
            if verdicts.contains(&Some(false)) {
                return Some(false);
            }
            verdicts.iter().all(|v| *v == Some(true)).then_some(true)
        }
        Node::Or(list) => {
            let verdicts: Vec<_> = list.iter().map(verdict).collect();
            if verdicts.contains(&Some(true)) {
                return Some(true);
            }
            verdicts.iter().all(|v| *v == Some(false)).then_some(false)
        }
        _ => None,
    }
}

/// Whether two conditions make one column equal to different constants.
fn contradict(conditions: &[BoundExpr]) -> bool {
    let equal = |condition: &BoundExpr| {
        let Node::Compare { op: Comparison::Equal, sides, collation } = &condition.node else { return None };
        let [a, b] = sides.as_ref();
        match (&a.node, &b.node) {
            (Node::Column(column), Node::Literal(value)) | (Node::Literal(value), Node::Column(column)) => {
                let constant = if matches!(a.node, Node::Literal(_)) { a } else { b };
                Some((column.index, value.clone(), constant.ty.class(), *collation))
            }
            _ => None,
        }
    };
    let known: Vec<_> = conditions.iter().filter_map(equal).collect();
    known.iter().enumerate().any(|(at, (column, value, class, collation))| {
        known.iter().skip(at + 1).any(|(other, against, its, its_collation)| {
            column == other
                && class == its
                && collation == its_collation
                && !value.is_null(0)
                && !against.is_null(0)
                && order_at(value, 0, against, 0, (*class, *class), *collation).is_ne()
        })
    })
}
