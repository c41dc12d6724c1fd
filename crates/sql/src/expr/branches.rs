//! What IF, CASE, NULLIF and ELT choose, converted branch by branch.
//!
//! The whole has one type, but where MySQL asks it for another it asks the branch that is chosen: an ENUM among texts is its
//! position as a number, an integer among decimals has no digits behind the point as a text.

use rustydb_value::Collation;

use super::average;
use super::coerce::coerce;
use super::types::{Class, ExprType};
use super::{BoundExpr, Comparison, Node};

/// ELT as a CASE of its positions, where what it chooses from is other things than texts.
pub(super) fn elt_by_position(expr: &BoundExpr) -> Option<BoundExpr> {
    let Node::Call { function, args } = &expr.node else { return None };
    let (position, values) = args.split_first()?;
    let other = |arg: &BoundExpr| {
        let inner = if let Node::Coerce(inner) = &arg.node { inner.as_ref() } else { arg };
        inner.ty.is_member() || !inner.ty.is_string() || matches!(inner.node, Node::Case { .. })
    };
    let volatile = |e: &BoundExpr| matches!(&e.node, Node::Call { function, .. } if function.volatile);
    if function.name != "elt" || !values.iter().any(other) || position.any(&mut |e| volatile(e)) {
        return None;
    }
    let branch = |(number, value): (i64, &BoundExpr)| {
        let sides = Box::new([position.clone(), super::build::literal_int(number)]);
        let node = Node::Compare { op: Comparison::Equal, sides, collation: Collation::BINARY };
        (BoundExpr { node, ty: ExprType::boolean().with_nullable(true) }, value.clone())
    };
    let branches = (1..).zip(values).map(branch).collect();
    Some(BoundExpr { node: Node::Case { branches, otherwise: None }, ty: expr.ty.clone() })
}

/// IF, CASE and NULLIF of texts as a number: each branch as the number that it is by itself. So an ENUM is its position
/// and a date its digits, though the text of the whole says something else. What is nothing of the kind comes back.
pub fn number_by_branch(mut expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    let Node::Case { branches, otherwise } = &mut expr.node else { return expr };
    if !expr.ty.class().is_string() {
        return expr;
    }
    let (branches, otherwise) = (std::mem::take(branches), otherwise.take());
    let number = |branch: BoundExpr| match branch.node {
        Node::Coerce(inner) if branch.ty.is_string() && (inner.ty.is_member() || !inner.ty.is_string()) => {
            coerce(*inner, ty.clone())
        }
        node => coerce(BoundExpr { node, ty: branch.ty }, ty.clone()),
    };
    let branches = branches.into_iter().map(|(when, then)| (when, number(then))).collect();
    let otherwise = otherwise.map(|value| Box::new(number(*value)));
    let nullable = expr.ty.nullable;
    BoundExpr { node: Node::Case { branches, otherwise }, ty: ty.clone().with_nullable(nullable) }
}

/// IF and CASE of exact numbers as a text: each branch with the digits behind the point that it has by itself. What has no
/// such branch comes back.
pub fn text_by_branch(mut expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    let number = |ty: &ExprType| ty.class().is_integer() || ty.class() == Class::Decimal;
    let longer = |branch: &BoundExpr| match &branch.node {
        Node::Coerce(inner) => number(&inner.ty) && average::uncovered(inner).is_none(),
        _ => false,
    };
    let Node::Case { branches, otherwise } = &mut expr.node else { return expr };
    let mut values = branches.iter().map(|(_, then)| then).chain(otherwise.as_deref());
    if expr.ty.class() != Class::Decimal || !values.any(longer) {
        return expr;
    }
    let (branches, otherwise) = (std::mem::take(branches), otherwise.take());
    let text = |branch: BoundExpr| match branch.node {
        Node::Coerce(inner) if number(&inner.ty) && average::uncovered(&inner).is_none() => {
            coerce(*inner, ty.clone())
        }
        node => coerce(BoundExpr { node, ty: branch.ty }, ty.clone()),
    };
    let branches = branches.into_iter().map(|(when, then)| (when, text(then))).collect();
    let otherwise = otherwise.map(|value| Box::new(text(*value)));
    let nullable = expr.ty.nullable;
    BoundExpr { node: Node::Case { branches, otherwise }, ty: ty.clone().with_nullable(nullable) }
}
