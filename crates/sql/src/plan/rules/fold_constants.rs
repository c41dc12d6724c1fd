//! What is computed of constants alone is computed once: `DATE '1994-01-01' + INTERVAL 1 YEAR`, `0.06 - 0.01`.
//!
//! Arithmetic of numbers and of dates, which depends on nothing of the session but what the expression's type says. An
//! expression that fails, or warns, stays as it is: it does so when, and if, the statement comes to it.

use crate::expr::types::Class;
use crate::expr::{BoundExpr, Node};
use crate::plan::Plan;
use crate::plan::estimate::Estimator;

/// The functions that are computed.
const COMPUTED: [&str; 11] =
    ["neg", "+", "-", "*", "/", "div", "%", "date_add", "date_sub", "adddate", "subdate"];

/// Applies to a whole block.
pub fn fold(plan: &mut Plan, estimator: &mut Estimator<'_>) {
    plan.each_own_expr_mut(&mut |expr| compute(expr, estimator));
}

fn compute(expr: &mut BoundExpr, estimator: &mut Estimator<'_>) {
    if matches!(expr.node, Node::Call { .. }) && is_of_constants(expr) {
        if let Some(value) = estimator.constant(expr) {
            expr.node = Node::Literal(value);
        }
        return;
    }
    expr.for_children_mut(&mut |child| compute(child, estimator));
}

fn is_of_constants(expr: &BoundExpr) -> bool {
    match &expr.node {
        Node::Literal(_) => true,
        Node::Coerce(inner) => {
            let read = is_number(inner.ty.class()) || inner.ty.class().is_string();
            read && is_number(expr.ty.class()) && is_of_constants(inner)
        }
        Node::Call { function, args } => {
            COMPUTED.contains(&function.name) && args.iter().all(is_of_constants)
        }
        _ => false,
    }
}

fn is_number(class: Class) -> bool {
    matches!(class, Class::Int | Class::UInt | Class::Decimal | Class::Double)
}
