//! A value as the integer that it counts as: an amount of days, a position, a length.
//!
//! IF, CASE and NULLIF count by the branch that is chosen, not by the type that all branches were brought to:
//! `IF(FALSE, 1e0, 2.5)` is 2.5 of DECIMAL, which counts as 3, and `IF(FALSE, 1, 1 | -7)` keeps the bits that a DECIMAL
//! of it is too large to give back. COALESCE, GREATEST and LEAST count by the type of the whole. AVG over groups counts by
//! its value as a DOUBLE, which rounds half to even.

use super::average;
use super::coerce::coerce;
use super::types::{Class, ExprType};
use super::{BoundExpr, Node};

/// The expression as an integer of type `ty`.
pub fn whole(mut expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    if expr.ty.class().is_integer() {
        return coerce(expr, ty.clone());
    }
    if average::of_group(&expr) {
        return coerce(coerce(expr, ExprType::double()), ty.clone());
    }
    let Node::Case { branches, otherwise } = &mut expr.node else { return coerce(expr, ty.clone()) };
    for (_, then) in branches {
        take(then, ty);
    }
    if let Some(value) = otherwise {
        take(value, ty);
    }
    expr.ty = ty.clone().with_nullable(expr.ty.nullable);
    expr
}

fn take(branch: &mut BoundExpr, ty: &ExprType) {
    let taken = std::mem::replace(branch, BoundExpr::null());
    *branch = whole(own(taken), ty);
}

/// A branch as it was before it was brought to the type of all branches.
fn own(branch: BoundExpr) -> BoundExpr {
    let Node::Coerce(inner) = branch.node else { return branch };
    let (from, to) = (inner.ty.class(), branch.ty.class());
    let number = matches!(to, Class::Decimal | Class::Double);
    let wider = (number && from.is_integer()) || (to == Class::Double && from == Class::Decimal);
    let shown = to.is_string() && (inner.ty.is_member() || !inner.ty.is_string());
    if wider || shown { *inner } else { BoundExpr { node: Node::Coerce(inner), ty: branch.ty } }
}
