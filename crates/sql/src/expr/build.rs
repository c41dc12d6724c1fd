//! Bound expressions made of bound expressions: operands brought to one type, calls, comparisons, constants. No syntax
//! tree and no names; those are the [`super::bind::Binder`]'s.

use rustydb_value::Value;

use super::average;
use super::coerce::coerce;
use super::collations::collations_meet;
use super::compare::unify;
use super::types::{Class, Coercibility, ExprType, Kind};
use super::{BoundExpr, Comparison, Node};
use crate::error::SqlError;
use crate::function::{self, Call};
use crate::session::SessionState;

/// Gives an expression that still has no type (a lone `?`) the type of text.
pub fn finish(expr: BoundExpr, session: &SessionState) -> BoundExpr {
    if matches!(expr.node, Node::Parameter(_)) && expr.ty.kind == Kind::Null {
        let collation = session.settings.collation_connection;
        return coerce(expr, ExprType::text(16_383, collation, Coercibility::Coercible));
    }
    expr
}

/// `needle IN (list)`, all of which meet in one class; the needle comes first.
pub(super) fn in_one_class(
    mut operands: Vec<BoundExpr>,
    negated: bool,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    // One value is compared as with `=`.
    let mut operation = " IN ";
    if let [needle, only] = operands.as_slice() {
        operation = "=";
        collations_meet(&[&needle.ty, &only.ty], operation, session)?;
    }
    let collation = unify(&mut operands, operation, session)?;
    if operands.len() > 2 && operands.iter().skip(1).any(|o| !o.is_row_free() || o.has_outer()) {
        by_bits(&mut operands);
    }
    let nullable = operands.iter().any(|o| o.ty.nullable);
    let mut operands = operands.into_iter();
    let Some(needle) = operands.next() else { return Err(SqlError::operand_columns(1)) };
    let node = Node::In { needle: Box::new(needle), list: operands.collect(), negated, collation };
    Ok(BoundExpr { node, ty: ExprType::boolean().with_nullable(nullable) })
}

/// Integers by their bits, so that -1 is the largest unsigned one: how MySQL compares in CASE, in FIELD, and in a list that
/// is not of constants.
pub(crate) fn by_bits(operands: &mut [BoundExpr]) {
    if operands.iter().all(|o| o.ty.class().is_integer() && !o.ty.is_member()) {
        for operand in operands.iter_mut().filter(|o| o.ty.class() == Class::UInt) {
            let unsigned = std::mem::replace(operand, BoundExpr::null());
            *operand = coerce(unsigned, ExprType::int(21));
        }
    }
}

/// A small constant.
pub fn literal_int(value: i64) -> BoundExpr {
    BoundExpr::literal(&Value::Int(value), ExprType::int(21).not_null())
}

/// A call of an entry of the library; the number of arguments was checked.
pub fn bind_call(
    function: &'static function::Function,
    args: Vec<BoundExpr>,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    let mut call = Call { args, session, function };
    let ty = (function.bind)(&mut call)?;
    let args = call.args.into_iter().map(|arg| finish(arg, session)).collect();
    Ok(BoundExpr { node: Node::Call { function, args }, ty })
}

/// A comparison, its sides brought to one class.
pub fn compare(
    op: Comparison,
    left: BoundExpr,
    right: BoundExpr,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    compare_for(op.symbol(), op, left, right, session)
}

/// The same for an operation that has another name than the operator.
pub(super) fn compare_for(
    operation: &str,
    op: Comparison,
    left: BoundExpr,
    right: BoundExpr,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    let mut sides = [left, right];
    let collation = unify(&mut sides, operation, session)?;
    let nullable = op != Comparison::NullSafeEqual && sides.iter().any(|s| s.ty.nullable);
    let node = Node::Compare { op, sides: Box::new(sides), collation };
    Ok(BoundExpr { node, ty: ExprType::boolean().with_nullable(nullable) })
}

/// Integers of two signs in one class that holds the values of both, the operand first. A subquery's column stays as
/// it is, so that its index can be used, where `equal` says that nothing but equality is asked: what a sign changes
/// then is no value that the column has.
pub(super) fn in_one_sign(sides: [BoundExpr; 2], equal: bool) -> [BoundExpr; 2] {
    let [needle, value] = sides;
    let differ = needle.ty.class() != value.ty.class();
    if !needle.ty.class().is_integer() || !value.ty.class().is_integer() || !differ {
        return [needle, value];
    }
    let (signed, unsigned) = (ExprType::int(21), ExprType::uint(21));
    let narrow =
        |ty: &ExprType| matches!(ty.kind, Kind::Tiny | Kind::Short | Kind::Int24 | Kind::Long | Kind::Year);
    match (needle.ty.class(), narrow(&needle.ty), narrow(&value.ty)) {
        (Class::UInt, true, _) => [coerce(needle, signed), value],
        (Class::Int, _, true) if equal => [coerce(needle, unsigned), value],
        (Class::Int, _, true) => [needle, coerce(value, signed)],
        _ => {
            let both = ExprType::decimal(20, 0, false);
            [coerce(needle, both.clone()), coerce(value, both)]
        }
    }
}

/// CASE and IF: all values brought to one type.
pub fn choose(
    whens: Vec<BoundExpr>,
    values: Vec<BoundExpr>,
    otherwise: Option<BoundExpr>,
    operation: &str,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    let mut types: Vec<&ExprType> = values.iter().map(|v| &v.ty).collect();
    let null = ExprType::null();
    types.push(otherwise.as_ref().map_or(&null, |o| &o.ty));
    let ty = super::merge::merge_types(&types, operation, session)?;
    let ty = untyped_as_text(ty, values.iter().chain(&otherwise), session);
    let value = |v: BoundExpr| {
        // An average stays as it is shown, with zeros behind.
        if ty.class() == Class::Decimal && v.ty.decimals < ty.decimals && average::uncovered(&v).is_some() {
            return super::cast::force(v, ty.clone());
        }
        super::cast::chosen(v, &ty)
    };
    let branches = whens.into_iter().zip(values.into_iter().map(value)).collect();
    let otherwise = otherwise.map(|o| Box::new(value(o)));
    Ok(BoundExpr { node: Node::Case { branches, otherwise }, ty })
}

/// COALESCE: all operands brought to one type.
pub(super) fn coalesce(
    args: Vec<BoundExpr>,
    operation: &str,
    session: &SessionState,
) -> Result<BoundExpr, SqlError> {
    let types: Vec<&ExprType> = args.iter().map(|a| &a.ty).collect();
    let mut ty = super::merge::merge_types(&types, operation, session)?;
    ty = untyped_as_text(ty, args.iter(), session);
    // NULL only if every operand may be.
    ty.nullable = args.iter().all(|a| a.ty.nullable);
    let args = args.into_iter().map(|a| super::cast::as_type(a, &ty)).collect();
    Ok(BoundExpr { node: Node::Coalesce(args), ty })
}

/// A choice between untyped markers is text.
fn untyped_as_text<'e>(
    ty: ExprType,
    mut operands: impl Iterator<Item = &'e BoundExpr>,
    session: &SessionState,
) -> ExprType {
    if ty.kind == Kind::Null && operands.any(|o| matches!(o.node, Node::Parameter(_))) {
        return ExprType::text(16_383, session.settings.collation_connection, Coercibility::Coercible);
    }
    ty
}
