//! LIKE, GREATEST, LEAST, INTERVAL, STRCMP: comparisons that are functions.

use rustydb_value::Collation;

use super::{Call, Function, Invocation, any_null, push_collation, pushed_collation};
use crate::error::SqlError;
use crate::expr::build::by_bits;
use crate::expr::collations::combine_collations;
use crate::expr::compare::{order_at, unify};
use crate::expr::like::Pattern;
use crate::expr::merge::merge_types;
use crate::expr::types::{Class, ExprType};
use crate::expr::vector::{Vector, nulls_from, union_nulls};
use crate::expr::{BoundExpr, Kind, Node, cast};
use crate::variables::SqlMode;

/// The most arguments of a function without a limit of its own.
pub const MANY: usize = 4096;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("like", (2, 3), "Whether a text matches a pattern of % and _", bind_like, like),
    Function::new("greatest", (2, MANY), "The largest argument, NULL if any is NULL", bind_extreme, greatest),
    Function::new("least", (2, MANY), "The smallest argument, NULL if any is NULL", bind_extreme, least),
    Function::new(
        "interval",
        (2, MANY),
        "Index of the last argument that is not above the first",
        bind_interval,
        interval,
    ),
    Function::new(
        "strcmp",
        (2, 2),
        "-1, 0 or 1 as the first text sorts before, with or after the second",
        bind_strcmp,
        strcmp,
    ),
];

fn bind_like(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let (collation, _) = call.combine_compared(0, 2)?;
    let nullable = call.nullable();
    if call.count() == 3 {
        call.to_string(2);
    } else {
        let escapes = !call.session.settings.sql_mode.has(SqlMode::NO_BACKSLASH_ESCAPES);
        let escape = if escapes { "\\" } else { "" };
        call.args.push(cast::text_constant(escape, Collation::UTF8MB4_BIN));
    }
    push_collation(call, collation);
    Ok(ExprType::boolean().with_nullable(nullable))
}

fn like(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [text, pattern, escape, _] = args else { return Ok(Vector::null(rows)) };
    let collation = pushed_collation(args);
    let binary = collation == Collation::BINARY;
    let build = |row: usize| -> Result<Pattern, SqlError> {
        let escape = escape.bytes(row);
        let mut chars = std::str::from_utf8(escape).unwrap_or("").chars();
        let escape = chars.next();
        if chars.next().is_some() {
            return Err(SqlError::wrong_arguments("ESCAPE"));
        }
        Ok(if binary {
            Pattern::of_bytes(pattern.bytes(row), escape)
        } else {
            Pattern::new(pattern.text(row), escape, collation)
        })
    };
    let fixed =
        if pattern.is_constant() && escape.is_constant() && rows > 0 { Some(build(0)?) } else { None };
    let nulls = union_nulls(rows, &[text, pattern]);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            out.push(0);
            continue;
        }
        let built;
        let pattern = match &fixed {
            Some(pattern) => pattern,
            None => {
                built = build(row)?;
                &built
            }
        };
        let hit =
            if binary { pattern.matches_bytes(text.bytes(row)) } else { pattern.matches(text.text(row)) };
        out.push(i64::from(hit));
    }
    Ok(Vector::ints(out, nulls))
}

fn bind_extreme(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let types: Vec<&ExprType> = call.args.iter().map(|a| &a.ty).collect();
    let mut ty = merge_types(&types, call.function.name, call.session)?;
    let nullable = call.nullable();
    let dated = call.args.iter().any(|arg| matches!(arg.ty.class(), Class::Date | Class::DateTime));
    if ty.class().is_string() && dated {
        as_moments(call, &mut ty);
    }
    if ty.kind == Kind::Null && call.args.iter().any(|arg| matches!(arg.node, Node::Parameter(_))) {
        ty = ExprType::text(
            16_383,
            call.session.settings.collation_connection,
            crate::expr::Coercibility::Coercible,
        );
    }
    // One class for all, so that order and result are of one kind.
    for arg in &mut call.args {
        let taken = std::mem::replace(arg, BoundExpr::null());
        *arg = cast::as_type(taken, &ty);
    }
    ty.nullable = if dated { nullable } else { call.nullable() };
    push_collation(call, ty.collation);
    Ok(ty)
}

/// Texts and numbers beside dates are compared as the moments that they are: each argument as the text of its moment, in
/// one form for all. What is no moment stays as it is.
fn as_moments(call: &mut Call<'_>, ty: &mut ExprType) {
    let timed = call.args.iter().any(|arg| matches!(arg.ty.class(), Class::DateTime | Class::Time));
    let fsp = (0..call.count()).map(|at| call.fsp(at)).max().unwrap_or(0);
    let moment = if timed { ExprType::datetime(fsp) } else { ExprType::date() };
    ty.length = ty.length.max(moment.length);
    for arg in &mut call.args {
        let taken = std::mem::replace(arg, BoundExpr::null());
        if taken.ty.kind == Kind::Null {
            continue;
        }
        let shown = cast::as_type(cast::force(taken.clone(), moment.clone()), ty);
        *arg = if taken.ty.class().is_temporal() {
            shown
        } else {
            let nullable = taken.ty.nullable;
            let node = Node::Coalesce(vec![shown, cast::as_type(taken, ty)]);
            BoundExpr { node, ty: ty.clone().with_nullable(nullable) }
        };
    }
}

fn extreme(
    run: &mut Invocation<'_, '_>,
    args: &[Vector],
    rows: usize,
    wanted: std::cmp::Ordering,
) -> Result<Vector, SqlError> {
    let collation = pushed_collation(args);
    let Some((_, values)) = args.split_last() else { return Ok(Vector::null(rows)) };
    let mut picks = Vec::with_capacity(rows);
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        if any_null(values, row) {
            valid.push(false);
            picks.push((0, row));
            continue;
        }
        valid.push(true);
        let mut best = 0;
        for at in 1..values.len() {
            let (Some(a), Some(b)) = (values.get(at), values.get(best)) else { continue };
            let classes = (
                run.arg_ty(at).map_or(Class::Null, ExprType::class),
                run.arg_ty(best).map_or(Class::Null, ExprType::class),
            );
            let order = order_at(a, row, b, row, classes, collation);
            // Of texts that are equal, and need not be the same, GREATEST has the last and LEAST the first.
            let last = wanted.is_gt() && order.is_eq() && classes.0 == Class::Text;
            if order == wanted || last {
                best = at;
            }
        }
        picks.push((best, row));
    }
    if valid.iter().all(|v| *v) {
        return Vector::interleave(values, &picks);
    }
    // A NULL anywhere: one more part that is only NULL.
    let mut parts = values.to_vec();
    parts.push(Vector::null(rows));
    for (pick, valid) in picks.iter_mut().zip(&valid) {
        if !valid {
            *pick = (values.len(), 0);
        }
    }
    Vector::interleave(&parts, &picks)
}

fn greatest(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    extreme(run, args, rows, std::cmp::Ordering::Greater)
}

fn least(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    extreme(run, args, rows, std::cmp::Ordering::Less)
}

fn bind_interval(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    for at in 0..call.count() {
        call.to_double(at);
    }
    Ok(ExprType::int(2).not_null())
}

fn interval(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some((first, bounds)) = args.split_first() else { return Ok(Vector::null(rows)) };
    let out = (0..rows)
        .map(|row| {
            if first.is_null(row) {
                return -1;
            }
            let value = first.as_doubles().at(row);
            let above = bounds.iter().position(|b| !b.is_null(row) && b.as_doubles().at(row) > value);
            above.unwrap_or(bounds.len()) as i64
        })
        .collect();
    Ok(Vector::ints(out, None))
}

fn bind_strcmp(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    call.to_string(1);
    // As for `=`, and other than for LOCATE, texts of no collation do not even go with themselves.
    combine_collations(&[&call.ty(0), &call.ty(1)], "strcmp", call.session)?;
    let (collation, _) = call.combine(0, 2)?;
    let nullable = call.nullable();
    push_collation(call, collation);
    Ok(ExprType::int(2).with_nullable(nullable))
}

fn strcmp(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, b, _] = args else { return Ok(Vector::null(rows)) };
    let collation = pushed_collation(args);
    let class = run.arg_ty(0).map_or(Class::Text, ExprType::class);
    let nulls = union_nulls(rows, &[a, b]);
    let out = (0..rows)
        .map(|row| {
            if a.is_null(row) || b.is_null(row) {
                return 0;
            }
            order_at(a, row, b, row, (class, class), collation) as i64
        })
        .collect();
    Ok(Vector::ints(out, nulls))
}

/// The position of each row's value among the others, under the class that all were brought to.
pub fn bind_positions(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let texts = call.args.iter().all(|arg| arg.ty.is_string() || arg.ty.kind == Kind::Null);
    let collation = if texts {
        // Texts are compared by the collation of the first.
        call.follow(&(0..call.count()).collect::<Vec<_>>()).0
    } else {
        let collation = unify(&mut call.args, call.function.name, call.session)?;
        by_bits(&mut call.args);
        collation
    };
    push_collation(call, collation);
    Ok(ExprType::int(11).not_null())
}

/// FIELD: the position of the first argument among the others, 0 if it is not there.
pub fn field(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let collation = pushed_collation(args);
    let Some((_, values)) = args.split_last() else { return Ok(Vector::null(rows)) };
    let Some((wanted, list)) = values.split_first() else { return Ok(Vector::null(rows)) };
    let class = |at: usize| run.arg_ty(at).map_or(Class::Null, ExprType::class);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let hit = !wanted.is_null(row);
        let position = list.iter().enumerate().position(|(at, item)| {
            hit && !item.is_null(row)
                && order_at(wanted, row, item, row, (class(0), class(at + 1)), collation).is_eq()
        });
        out.push(position.map_or(0, |p| p as i64 + 1));
    }
    Ok(Vector::ints(out, nulls_from(vec![true; rows])))
}
