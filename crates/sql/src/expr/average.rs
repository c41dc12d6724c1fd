//! The digits of an average behind those that it shows.
//!
//! AVG of exact numbers shows four digits more than its argument has, but MySQL divides by whole words of nine digits and
//! cuts only when the value leaves: `AVG(i)` of 1, 2, 4 shows 2.3333, and `AVG(i) * 1000000000` is 2333333333.0000.
//! So the aggregate here has all digits of the words, and stands under [`SHOWN`], which rounds. What calculates or
//! compares takes the value from under it ([`precise`]): arithmetic, comparisons, CAST, also through IF, CASE, NULLIF and a
//! subquery of one value, and so does what has room for more digits: COALESCE with a longer decimal, UNION. Everything else
//! has the shown digits, and so has an operator's result. As a DOUBLE
//! ([`double`]), which it also is before it counts as an integer, an average is the sum divided as doubles are, except where groups are made in a table: MySQL
//! then has the words only.

use crate::error::SqlError;
use crate::expr::coerce::coerce;
use crate::expr::number::rescale;
use crate::expr::types::{Class, DIVISION_SCALE, ExprType, MAX_PRECISION, MAX_SCALE};
use crate::expr::vector::{Builder, Vector};
use crate::expr::{BoundExpr, Node};
use crate::function::{Function, Invocation};
use crate::plan::aggregate::{AggregateCall, Operation};

/// Rounds an average to the digits that it shows.
pub static SHOWN: Function =
    Function::new("average", (1, 1), "An average as it is shown", |call| Ok(call.ty(0)), round);

fn round(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [value] = args else { return Ok(Vector::null(rows)) };
    let from = run.arg_ty(0).map_or(0, |ty| ty.decimals);
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        match rescale(value.as_decimals().at(row), from, run.ty.decimals) {
            Some(rounded) if !value.is_null(row) => out.push_scaled(rounded),
            Some(_) => out.push_null(),
            None => return Err(run.out_of_range()),
        }
    }
    Ok(out.finish())
}

/// The type of an average with all digits of its words, of the type that it shows and the scale of what it is of.
pub fn wide_type(shown: &ExprType, scale: u8) -> ExprType {
    let words = |digits: u8| digits.div_ceil(9) * 9;
    let more = DIVISION_SCALE;
    let spare = words(scale) - scale;
    let (int, _) = shown.digits();
    let room = u8::try_from(MAX_PRECISION.saturating_sub(int)).unwrap_or(0).min(MAX_SCALE);
    let scale = words(words(scale) + more.saturating_sub(spare)).min(room).max(shown.decimals);
    ExprType::decimal(int + u32::from(scale), scale, false).with_nullable(shown.nullable)
}

/// An aggregate over groups with all of its digits, under what rounds it, if it is an average of exact numbers. `carried` is
/// what stands for it where it is used.
pub fn shown(carried: BoundExpr, ty: ExprType) -> BoundExpr {
    BoundExpr { node: Node::Call { function: &SHOWN, args: vec![carried] }, ty }
}

/// Gives an average of exact numbers all its digits, and says which type it shows; None for what is none.
pub fn widen(call: &mut AggregateCall) -> Option<ExprType> {
    if call.operation != Operation::Avg || call.ty.class() != Class::Decimal {
        return None;
    }
    let scale = match call.args.first()?.ty {
        // MySQL keeps the values that it tells apart with the digits of the average, and divides a sum of those.
        _ if call.distinct => call.ty.decimals,
        ref ty if ty.class() == Class::Decimal => ty.decimals,
        _ => 0,
    };
    let ty = wide_type(&call.ty, scale);
    Some(std::mem::replace(&mut call.ty, ty))
}

/// What stands under the rounding, if it is one.
fn unrounded(expr: &BoundExpr) -> Option<&BoundExpr> {
    match &expr.node {
        Node::Call { function, args } if std::ptr::eq(*function, &SHOWN) => args.first(),
        // Brought to the scale of other branches.
        Node::Coerce(inner) if expr.ty.class() == Class::Decimal => match &inner.node {
            Node::Call { function, args } if std::ptr::eq(*function, &SHOWN) => args.first(),
            _ => None,
        },
        _ => None,
    }
}

/// Whether it is IF, CASE or NULLIF of decimals with an average in a branch.
fn chooses_average(expr: &BoundExpr) -> bool {
    let Node::Case { branches, otherwise } = &expr.node else { return false };
    expr.ty.class() == Class::Decimal
        && branches.iter().map(|(_, then)| then).chain(otherwise.as_deref()).any(|e| unrounded(e).is_some())
}

/// The expression with the digits that an average in it has behind those that it shows.
pub fn precise(expr: BoundExpr) -> BoundExpr {
    if let Node::Call { function, args } = &expr.node
        && std::ptr::eq(*function, &SHOWN)
    {
        return args.first().cloned().unwrap_or(expr);
    }
    if !chooses_average(&expr) {
        return expr;
    }
    let Node::Case { branches, otherwise } = expr.node else { return expr };
    let value = |branch: BoundExpr| unrounded(&branch).cloned().unwrap_or(branch);
    let branches: Vec<_> = branches.into_iter().map(|(when, then)| (when, value(then))).collect();
    let otherwise = otherwise.map(|e| value(*e));
    let scale =
        branches.iter().map(|(_, then)| then).chain(&otherwise).map(|e| e.ty.decimals).max().unwrap_or(0);
    let (int, _) = expr.ty.digits();
    let ty = ExprType::decimal(int + u32::from(scale), scale, false).with_nullable(expr.ty.nullable);
    let branches = branches.into_iter().map(|(when, then)| (when, coerce(then, ty.clone()))).collect();
    let otherwise = otherwise.map(|e| Box::new(coerce(e, ty.clone())));
    BoundExpr { node: Node::Case { branches, otherwise }, ty }
}

/// An average, or a choice of one, as a DOUBLE; None for anything else.
pub fn double(expr: &BoundExpr, ty: &ExprType) -> Option<BoundExpr> {
    if chooses_average(expr) {
        let Node::Case { branches, otherwise } = &expr.node else { return None };
        let value = |branch: &BoundExpr| match unrounded(branch) {
            Some(average) => divided(average, ty),
            None => coerce(branch.clone(), ty.clone()),
        };
        let branches = branches.iter().map(|(when, then)| (when.clone(), value(then))).collect();
        let otherwise = otherwise.as_ref().map(|e| Box::new(value(e)));
        let ty = ty.clone().with_nullable(expr.ty.nullable);
        return Some(BoundExpr { node: Node::Case { branches, otherwise }, ty });
    }
    match &expr.node {
        Node::Call { function, args } if std::ptr::eq(*function, &SHOWN) => Some(divided(args.first()?, ty)),
        _ => None,
    }
}

/// Whether it is an average over groups, not one of a subquery or of a window.
pub fn of_group(expr: &BoundExpr) -> bool {
    uncovered(expr).is_some_and(|average| matches!(average.node, Node::Aggregate(_)))
}

/// What a column of a subquery rounds, if it is an average as it is shown.
pub fn uncovered(expr: &BoundExpr) -> Option<BoundExpr> {
    match &expr.node {
        Node::Call { function, args } if std::ptr::eq(*function, &SHOWN) => args.first().cloned(),
        _ => None,
    }
}

/// The sum divided as a double, or what is known of it.
fn divided(average: &BoundExpr, ty: &ExprType) -> BoundExpr {
    match &average.node {
        Node::Aggregate(call) => {
            let ty = ty.clone().with_nullable(true);
            let call = AggregateCall { ty: ty.clone(), ..call.as_ref().clone() };
            BoundExpr { node: Node::Aggregate(Box::new(call)), ty }
        }
        _ => coerce(average.clone(), ty.clone()),
    }
}

/// The words of an average that is asked for as a DOUBLE, where groups are made in a table.
pub fn in_words(call: &AggregateCall) -> Option<AggregateCall> {
    let arg = call.args.first()?;
    let exact = arg.ty.class().is_integer() || arg.ty.class() == Class::Decimal;
    if call.operation != Operation::Avg || call.ty.class() != Class::Double || call.distinct || !exact {
        return None;
    }
    let (int, scale) = arg.ty.digits();
    let scale = if arg.ty.class() == Class::Decimal { scale } else { 0 };
    let shown = ExprType::decimal(
        int + u32::from(scale) + u32::from(DIVISION_SCALE),
        scale.saturating_add(DIVISION_SCALE),
        false,
    );
    Some(AggregateCall { ty: wide_type(&shown, scale), ..call.clone() })
}
