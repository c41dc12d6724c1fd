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
pub fn number_by_branch(expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    if !matches!(expr.node, Node::Case { .. }) || !expr.ty.class().is_string() {
        return expr;
    }
    by_branch(expr, ty, |inner, branch| branch.is_string() && (inner.ty.is_member() || !inner.ty.is_string()))
}

/// IF and CASE of exact numbers as a text: each branch with the digits behind the point that it has by itself. What has no
/// such branch comes back.
pub fn text_by_branch(expr: BoundExpr, ty: &ExprType) -> BoundExpr {
    let number = |ty: &ExprType| ty.class().is_integer() || ty.class() == Class::Decimal;
    let own_digits = |inner: &BoundExpr| number(&inner.ty) && average::uncovered(inner).is_none();
    let longer = |branch: &BoundExpr| matches!(&branch.node, Node::Coerce(inner) if own_digits(inner));
    let Node::Case { branches, otherwise } = &expr.node else { return expr };
    let mut values = branches.iter().map(|(_, then)| then).chain(otherwise.as_deref());
    if expr.ty.class() != Class::Decimal || !values.any(longer) {
        return expr;
    }
    by_branch(expr, ty, |inner, _| own_digits(inner))
}

/// A CASE with each branch as a type: what `by_itself` says so of, given what a branch was made of and its type, from what
/// it was made of.
fn by_branch(
    mut expr: BoundExpr,
    ty: &ExprType,
    by_itself: impl Fn(&BoundExpr, &ExprType) -> bool,
) -> BoundExpr {
    let Node::Case { branches, otherwise } = &mut expr.node else { return expr };
    let (branches, otherwise) = (std::mem::take(branches), otherwise.take());
    let converted = |branch: BoundExpr| match branch.node {
        Node::Coerce(inner) if by_itself(&inner, &branch.ty) => coerce(*inner, ty.clone()),
        node => coerce(BoundExpr { node, ty: branch.ty }, ty.clone()),
    };
    let branches = branches.into_iter().map(|(when, then)| (when, converted(then))).collect();
    let otherwise = otherwise.map(|value| Box::new(converted(*value)));
    let nullable = expr.ty.nullable;
    BoundExpr { node: Node::Case { branches, otherwise }, ty: ty.clone().with_nullable(nullable) }
}
