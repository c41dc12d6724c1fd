//! Subqueries inside expressions: runs them for the rows of a frame and answers what is asked of them.
//!
//! A subquery without captures gives one answer for all rows. Any other is run with the values that its
//! captures have in a row; [`crate::exec::subquery`] remembers results by those values, so that equal rows
//! do not run it again.
//!
//! Invariant: a subquery runs only if the frame has rows: what AND, CASE or an empty table leave out, with
//! its errors, does not happen.

use std::rc::Rc;

use rustydb_value::Collation;

use super::compare::{CHECKED_ROWS, ValueSet, order_at};
use super::eval::{Frame, assemble, evaluate};
use super::vector::nulls_from;
use super::{BoundExpr, SubqueryForm, Vector};
use crate::context::EvalContext;
use crate::error::SqlError;
use crate::exec::subquery::{Subquery, SubqueryRows};

/// Evaluates a subquery of the frame's query block.
pub fn evaluate_subquery(
    index: usize,
    captures: &[BoundExpr],
    form: &SubqueryForm,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let rows = frame.rows;
    let Some(around) = frame.subqueries else {
        return Err(SqlError::unknown("a subquery stands where none can be run"));
    };
    let Some(subquery) = around.subqueries.get(index) else {
        return Err(SqlError::unknown("a subquery is missing"));
    };
    if rows == 0 {
        return Ok(Vector::null(0));
    }
    let most = match form {
        SubqueryForm::Scalar { .. } => 2,
        SubqueryForm::Exists { .. } => 1,
        _ => usize::MAX,
    };
    let mut needles = Vec::new();
    for needle in form.needles() {
        needles.push(evaluate(needle, frame, context)?);
    }
    let mut outer = Vec::with_capacity(captures.len());
    for capture in captures {
        outer.push(evaluate(capture, frame, context)?);
    }
    let same_for_all = outer.iter().all(Vector::is_constant) && !subquery.is_volatile();
    if same_for_all {
        let outer = outer.into_iter().map(|v| v.repeat(1)).collect();
        let result = subquery.rows(outer, captures, most, &around.shared, context)?;
        return answer_all(form, &needles, &result, rows, context);
    }
    let mut parts = Vec::with_capacity(rows);
    let mut last: Option<(Vec<u8>, Rc<SubqueryRows>)> = None;
    for row in 0..rows {
        let key = Subquery::key(&outer, captures, row);
        let result = match &last {
            Some((known, result)) if *known == key && !subquery.is_volatile() => Rc::clone(result),
            _ => {
                let values = outer.iter().map(|v| v.slice(row, 1).repeat(1)).collect();
                subquery.rows(values, captures, most, &around.shared, context)?
            }
        };
        let needles: Vec<Vector> = needles.iter().map(|n| n.slice(row, 1)).collect();
        parts.push((vec![row as u32], answer_all(form, &needles, &result, 1, context)?));
        last = Some((key, result));
    }
    assemble(rows, &parts)
}

/// What a result answers for rows that all have it; the needles have a value for each.
fn answer_all(
    form: &SubqueryForm,
    needles: &[Vector],
    result: &SubqueryRows,
    rows: usize,
    context: &EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let check = || match context.cancel.is_cancelled() {
        true => Err(SqlError::query_interrupted()),
        false => Ok(()),
    };
    match form {
        SubqueryForm::Scalar { .. } if result.rows > 1 => Err(SqlError::subquery_rows()),
        SubqueryForm::Scalar { column } => Ok(match result.columns.get(*column) {
            Some(values) if result.rows > 0 => values.slice(0, 1).repeat(rows),
            _ => Vector::null(rows),
        }),
        SubqueryForm::Exists { negated } => {
            Ok(Vector::ints(vec![i64::from((result.rows > 0) != *negated)], None).repeat(rows))
        }
        SubqueryForm::Compare { needle, op, all, collation } => {
            let (Some(value), Some(list)) = (needles.first(), result.column(0)) else {
                return Ok(Vector::ints(vec![i64::from(*all)], None).repeat(rows));
            };
            let class = needle.ty.class();
            let (mut out, mut valid) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
            for row in 0..rows {
                // ALL is false as soon as one is false, ANY true as soon as one is true.
                let (mut decided, mut unknown) = (false, false);
                for other in 0..result.rows {
                    if other.is_multiple_of(CHECKED_ROWS) {
                        check()?;
                    }
                    if value.is_null(row) || list.is_null(other) {
                        unknown = true;
                        continue;
                    }
                    let order = order_at(value, row, list, other, (class, class), *collation);
                    if op.accepts(order) != *all {
                        decided = true;
                        break;
                    }
                }
                out.push(i64::from(decided != *all));
                valid.push(decided || !unknown);
            }
            Ok(Vector::ints(out, nulls_from(valid)))
        }
        SubqueryForm::In { needle, negated, collation } => {
            let (Some(value), Some(list)) = (needles.first(), result.column(0)) else {
                return Ok(Vector::ints(vec![i64::from(*negated)], None).repeat(rows));
            };
            let (mut out, mut valid) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
            let make = || ValueSet::build(list, result.rows, &needle.ty, *collation, &check);
            let set = result.set(ValueSet::memory_for(list, result.rows), make)?;
            for row in 0..rows {
                let (hit, unknown) = set.contains(value, &needle.ty, *collation, row);
                out.push(i64::from(hit != *negated));
                valid.push(hit || !unknown);
            }
            Ok(Vector::ints(out, nulls_from(valid)))
        }
        SubqueryForm::RowIn { needles: exprs, negated, collations } => {
            let (mut out, mut valid) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
            for row in 0..rows {
                let (hit, unknown) = row_in(exprs, needles, collations, result, row, &check)?;
                out.push(i64::from(hit != *negated));
                valid.push(hit || !unknown);
            }
            Ok(Vector::ints(out, nulls_from(valid)))
        }
    }
}

/// Whether a row is among those of a result, and whether NULLs leave that unknown.
fn row_in(
    exprs: &[BoundExpr],
    needles: &[Vector],
    collations: &[Collation],
    result: &SubqueryRows,
    row: usize,
    check: &dyn Fn() -> Result<(), SqlError>,
) -> Result<(bool, bool), SqlError> {
    let mut unknown = false;
    for other in 0..result.rows {
        if other.is_multiple_of(CHECKED_ROWS) {
            check()?;
        }
        let (mut equal, mut null) = (true, false);
        for (((expr, needle), list), collation) in
            exprs.iter().zip(needles).zip(&result.columns).zip(collations)
        {
            if needle.is_null(row) || list.is_null(other) {
                null = true;
                continue;
            }
            let class = expr.ty.class();
            if order_at(needle, row, list, other, (class, class), *collation).is_ne() {
                equal = false;
                break;
            }
        }
        match (equal, null) {
            (true, false) => return Ok((true, false)),
            (true, true) => unknown = true,
            _ => {}
        }
    }
    Ok((false, unknown))
}
