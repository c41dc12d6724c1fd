//! The evaluator: a bound expression and a batch in, a vector out.
//!
//! Under a *selection* only the rows at the given positions exist: a column is taken at those rows, a
//! constant does not care. That is how AND, OR, CASE and COALESCE leave out operands: the rows still
//! undecided become the selection for the next operand, and the answers are put back in their places. So
//! no operand is evaluated for a row that does not need it, and none of its warnings or errors appear.
//!
//! Invariant: the vector that comes back stands for exactly the rows of the frame.

use arrow_array::UInt32Array;
use rustydb_value::Value;

use super::compare::{TextSet, compare_vectors, contains};
use super::long::FEW;
use super::{BoundExpr, Node, Vector};
use crate::context::EvalContext;
use crate::error::SqlError;
use crate::exec::subquery::Surroundings;
use crate::function::Invocation;

use super::types::{Class, ExprType, Kind};
use super::vector::Data;

/// The rows that an expression is evaluated over.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Columns of the batch.
    pub columns: &'a [Vector],
    /// How many rows to give.
    pub rows: usize,
    /// Which rows of the batch they are; all if None.
    pub selection: Option<&'a UInt32Array>,
    /// The subqueries of the query block, and the row around it.
    pub subqueries: Option<&'a Surroundings>,
}

impl<'a> Frame<'a> {
    /// All rows of these columns.
    pub fn new(columns: &'a [Vector], rows: usize) -> Frame<'a> {
        Frame { columns, rows, selection: None, subqueries: None }
    }
    /// One row without columns: for constants.
    pub fn constant() -> Frame<'static> {
        Frame { columns: &[], rows: 1, selection: None, subqueries: None }
    }
    /// The same with subqueries and the row around the query block.
    #[must_use]
    pub fn with_subqueries(mut self, subqueries: &'a Surroundings) -> Frame<'a> {
        self.subqueries = Some(subqueries);
        self
    }
}

/// Records a warning of the running statement.
pub fn warn(context: &mut EvalContext<'_>, warning: &SqlError) {
    context.session.warn(warning);
}

/// Evaluates an expression for all rows of the frame.
pub fn evaluate(
    expr: &BoundExpr,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let rows = frame.rows;
    if rows > FEW
        && !matches!(expr.node, Node::Literal(_) | Node::Column(_) | Node::Outer(_) | Node::Parameter(_))
        && expr.makes_long_strings(frame.subqueries, context)
    {
        return evaluate_few(expr, FEW, frame, context);
    }
    match &expr.node {
        Node::Literal(vector) => Ok(vector.clone().repeat(rows)),
        Node::Column(column) => {
            let Some(vector) = frame.columns.get(column.index) else {
                return Err(SqlError::unknown("batch: a column is missing"));
            };
            match frame.selection {
                Some(selection) => vector.take(selection),
                None => Ok(vector.clone()),
            }
        }
        Node::Outer(column) => match frame.subqueries.and_then(|s| s.outer.get(column.index)) {
            Some(value) => Ok(value.clone().repeat(rows)),
            None => Err(SqlError::unknown("batch: a value of the query around is missing")),
        },
        Node::Parameter(index) => parameter(*index, &expr.ty, rows, context),
        Node::Coerce(inner) => {
            let input = evaluate(inner, frame, context)?;
            if input.is_constant() {
                let one = super::coerce::convert(&input.with_len(1), &inner.ty, &expr.ty, 1, context)?;
                return Ok(one.repeat(rows));
            }
            super::coerce::convert(&input, &inner.ty, &expr.ty, rows, context)
        }
        Node::And(list) => logical(list, true, frame, context),
        Node::Or(list) => logical(list, false, frame, context),
        Node::Compare { op, sides, collation } => {
            let [left, right] = sides.as_ref();
            let a = evaluate(left, frame, context)?;
            let b = evaluate(right, frame, context)?;
            let class = if left.ty.class() == Class::Null { right.ty.class() } else { left.ty.class() };
            Ok(compare_vectors(*op, &a, &b, (&left.ty, &right.ty), class, *collation, rows))
        }
        Node::In { needle, list, negated, collation } => {
            in_list(needle, list, *negated, *collation, frame, context)
        }
        Node::Case { branches, otherwise } => case(branches, otherwise.as_deref(), &expr.ty, frame, context),
        Node::Coalesce(list) => coalesce(list, frame, context),
        // What a row puts into a variable is seen by the next one.
        Node::Assign { .. } if rows > 1 => evaluate_few(expr, 1, frame, context),
        Node::Assign { name, value } => assign(name, value, frame, context),
        Node::Call { function, args } => {
            let mut inputs = smallvec::SmallVec::<[Vector; 4]>::new();
            let mut constant = !function.volatile;
            for arg in args {
                let input = evaluate(arg, frame, context)?;
                constant &= input.is_constant();
                inputs.push(input);
            }
            // Of long texts one call can take long.
            context.check()?;
            let mut run = Invocation { ty: &expr.ty, args, expr, context };
            if constant && rows != 1 {
                if rows == 0 {
                    return Ok(Vector::null(0));
                }
                for input in &mut inputs {
                    *input = std::mem::replace(input, Vector::null(0)).with_len(1);
                }
                return Ok((function.kernel)(&mut run, &inputs, 1)?.repeat(rows));
            }
            (function.kernel)(&mut run, &inputs, rows)
        }
        Node::Subquery { index, captures, form } => {
            super::subquery::evaluate_subquery(*index, captures, form, frame, context)
        }
        Node::Aggregate(_) => Err(SqlError::invalid_group_function()),
        Node::Window(call) => Err(SqlError::window_function_here(call.name())),
    }
}

/// Evaluates an expression for one row of values.
pub fn evaluate_row(
    expr: &BoundExpr,
    columns: &[Vector],
    context: &mut EvalContext<'_>,
) -> Result<Value, SqlError> {
    let vector = evaluate(expr, &Frame::new(columns, 1), context)?;
    Ok(vector.value(0, &expr.ty))
}

/// The rows of the frame for which all predicates are true, as positions in the batch; None for all.
///
/// Each predicate sees only the rows that the ones before it let through.
pub fn filter(
    predicates: &[BoundExpr],
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Option<UInt32Array>, SqlError> {
    let mut kept: Option<UInt32Array> = None;
    for predicate in predicates {
        let rows = kept.as_ref().map_or(frame.rows, |k| k.len());
        if rows == 0 {
            break;
        }
        let selection = kept.as_ref().or(frame.selection);
        let narrowed = Frame { rows, selection, ..*frame };
        let truth = match predicate.has_side_effects() && rows > 1 {
            true => evaluate_few(predicate, 1, &narrowed, context)?,
            false => evaluate(predicate, &narrowed, context)?,
        };
        if truth.is_constant() {
            if truth.is_true(0) {
                continue;
            }
            kept = Some(UInt32Array::from(Vec::<u32>::new()));
            break;
        }
        let mut positions = truth.true_rows(rows);
        if let Some(selection) = selection {
            positions.iter_mut().for_each(|row| *row = selection.value(*row as usize));
        }
        if positions.len() < rows {
            kept = Some(UInt32Array::from(positions));
        }
    }
    Ok(kept)
}

/// The positions in the batch of some rows of a frame.
fn compose(frame: &Frame<'_>, rows: &[u32]) -> UInt32Array {
    match frame.selection {
        Some(selection) => rows.iter().map(|row| selection.value(*row as usize)).collect::<Vec<u32>>().into(),
        None => UInt32Array::from(rows.to_vec()),
    }
}

/// Evaluates an expression for a few rows at a time: what it does, or what is long inside it, is of those alone.
fn evaluate_few(
    expr: &BoundExpr,
    few: usize,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let all: Vec<u32> = (0..frame.rows as u32).collect();
    let mut parts = Vec::with_capacity(all.len().div_ceil(few));
    for some in all.chunks(few) {
        context.check()?;
        parts.push(evaluate_at(expr, frame, some, context)?);
    }
    Vector::concat(&parts)
}

/// Evaluates an operand for some rows of the frame.
pub(super) fn evaluate_at(
    expr: &BoundExpr,
    frame: &Frame<'_>,
    rows: &[u32],
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    if rows.len() == frame.rows {
        return evaluate(expr, frame, context);
    }
    let selection = compose(frame, rows);
    evaluate(expr, &Frame { rows: rows.len(), selection: Some(&selection), ..*frame }, context)
}

fn parameter(
    index: usize,
    ty: &ExprType,
    rows: usize,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let Some(value) = context.params.get(index) else { return Err(SqlError::wrong_arguments("EXECUTE")) };
    if value.is_null() {
        return Ok(Vector::null(rows));
    }
    let given = value_type(value);
    let vector = Vector::constant(value.as_ref(), &given, 1);
    if given.class() == ty.class() && given.decimals == ty.decimals {
        return Ok(vector.repeat(rows));
    }
    Ok(super::coerce::convert(&vector, &given, ty, 1, context)?.repeat(rows))
}

/// The type of a value that came without one: a parameter, a user variable.
pub fn value_type(value: &Value) -> ExprType {
    use super::types::Coercibility;
    let ty = match value {
        Value::Null => return ExprType::null(),
        Value::Int(_) => ExprType::int(21),
        Value::UInt(_) | Value::Year(_) => ExprType::uint(21),
        Value::Bit(bit) => ExprType { kind: Kind::Bit, length: u32::from(bit.width), ..ExprType::uint(64) },
        Value::Float(_) => ExprType { kind: Kind::Float, length: 12, ..ExprType::double() },
        Value::Double(_) => ExprType::double(),
        Value::Decimal(d) => ExprType::decimal(u32::from(d.digits().max(d.scale())), d.scale(), false),
        Value::Bytes(bytes) => ExprType::binary(u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
        Value::Text(text) => ExprType::text(
            u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
            rustydb_value::Collation::default(),
            Coercibility::Coercible,
        ),
        Value::Date(_) => ExprType::date(),
        Value::Time(t) => ExprType::time(t.fsp()),
        Value::DateTime(d) => ExprType::datetime(d.fsp()),
        Value::Json(_) => ExprType::json(),
    };
    ty.not_null()
}

/// AND and OR with three values: an operand that decides (`false` for AND, `true` for OR) ends it; else
/// NULL wins over the neutral value.
fn logical(
    list: &[BoundExpr],
    and: bool,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let rows = frame.rows;
    let mut undecided: Vec<u32> = (0..rows as u32).collect();
    let mut decided = vec![false; rows];
    let mut unknown = vec![false; rows];
    for operand in list {
        if undecided.is_empty() {
            break;
        }
        let truth = evaluate_at(operand, frame, &undecided, context)?;
        let mut at = 0;
        undecided.retain(|row| {
            let here = at;
            at += 1;
            let row = *row as usize;
            if truth.is_null(here) {
                if let Some(slot) = unknown.get_mut(row) {
                    *slot = true;
                }
                return true;
            }
            let ends = truth.is_true(here) != and;
            if ends && let Some(slot) = decided.get_mut(row) {
                *slot = true;
            }
            !ends
        });
    }
    let valid: Vec<bool> = decided.iter().zip(&unknown).map(|(d, u)| *d || !*u).collect();
    let values = decided.iter().map(|d| i64::from(*d != and)).collect();
    Ok(Vector::ints(values, super::vector::nulls_from(valid)))
}

fn in_list(
    needle: &BoundExpr,
    list: &[BoundExpr],
    negated: bool,
    collation: rustydb_value::Collation,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let rows = frame.rows;
    let value = evaluate(needle, frame, context)?;
    let mut items = Vec::with_capacity(list.len());
    for item in list {
        items.push((evaluate(item, frame, context)?, &item.ty));
    }
    let mut found = vec![false; rows];
    let mut valid = vec![true; rows];
    let texts = TextSet::of(&needle.ty, &items, collation, rows);
    let mut key = Vec::new();
    for row in 0..rows {
        let (hit, unknown) = match &texts {
            Some(texts) => texts.contains(&value, row, &mut key),
            None => contains(&value, &needle.ty, &items, collation, row),
        };
        if let (Some(f), Some(v)) = (found.get_mut(row), valid.get_mut(row)) {
            *f = hit != negated;
            *v = hit || !unknown;
        }
    }
    Ok(Vector::ints(found.into_iter().map(i64::from).collect(), super::vector::nulls_from(valid)))
}

/// Puts the answers of several operands, each for some rows, back in order.
pub(super) fn assemble(rows: usize, parts: &[(Vec<u32>, Vector)]) -> Result<Vector, SqlError> {
    if let [(only, vector)] = parts
        && only.len() == rows
    {
        return Ok(vector.clone());
    }
    let mut picks = vec![(0usize, 0usize); rows];
    for (part, (positions, _)) in parts.iter().enumerate() {
        for (at, row) in positions.iter().enumerate() {
            if let Some(pick) = picks.get_mut(*row as usize) {
                *pick = (part, at);
            }
        }
    }
    let vectors: Vec<Vector> = parts.iter().map(|(_, v)| v.clone()).collect();
    Vector::interleave(&vectors, &picks)
}

fn case(
    branches: &[(BoundExpr, BoundExpr)],
    otherwise: Option<&BoundExpr>,
    _: &ExprType,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let mut left: Vec<u32> = (0..frame.rows as u32).collect();
    let mut parts: Vec<(Vec<u32>, Vector)> = Vec::with_capacity(branches.len() + 1);
    for (when, then) in branches {
        if left.is_empty() {
            break;
        }
        let truth = evaluate_at(when, frame, &left, context)?;
        let mut taken = Vec::new();
        let mut at = 0;
        left.retain(|row| {
            let hit = truth.is_true(at);
            at += 1;
            if hit {
                taken.push(*row);
            }
            !hit
        });
        if !taken.is_empty() {
            let value = evaluate_at(then, frame, &taken, context)?;
            parts.push((taken, value));
        }
    }
    if !left.is_empty() {
        let value = match otherwise {
            Some(otherwise) => evaluate_at(otherwise, frame, &left, context)?,
            None => Vector::null(left.len()),
        };
        parts.push((left, value));
    }
    if frame.rows == 0 {
        return Ok(Vector::null(0));
    }
    assemble(frame.rows, &parts)
}

fn coalesce(
    list: &[BoundExpr],
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let mut left: Vec<u32> = (0..frame.rows as u32).collect();
    let mut parts: Vec<(Vec<u32>, Vector)> = Vec::with_capacity(list.len());
    for operand in list {
        if left.is_empty() {
            break;
        }
        let value = evaluate_at(operand, frame, &left, context)?;
        if !value.has_nulls() {
            parts.push((std::mem::take(&mut left), value));
            break;
        }
        let (mut rows, mut inside) = (Vec::new(), Vec::new());
        let mut at = 0u32;
        left.retain(|row| {
            let null = value.is_null(at as usize);
            if !null {
                rows.push(*row);
                inside.push(at);
            }
            at += 1;
            null
        });
        if !rows.is_empty() {
            parts.push((rows, value.take(&UInt32Array::from(inside))?));
        }
    }
    if !left.is_empty() {
        parts.push((left.clone(), Vector::null(left.len())));
    }
    if frame.rows == 0 {
        return Ok(Vector::null(0));
    }
    assemble(frame.rows, &parts)
}

fn assign(
    name: &str,
    value: &BoundExpr,
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vector, SqlError> {
    let vector = evaluate(value, frame, context)?;
    if frame.rows > 0 {
        context.session.set_user_variable(name, vector.cell(0, &value.ty), &value.ty)?;
    }
    Ok(vector)
}

/// Evaluates several expressions for one batch. If one has side effects, row by row and from left to
/// right, as MySQL does; else column by column.
pub fn evaluate_all(
    exprs: &[BoundExpr],
    frame: &Frame<'_>,
    context: &mut EvalContext<'_>,
) -> Result<Vec<Vector>, SqlError> {
    if frame.rows <= 1 || !exprs.iter().any(BoundExpr::has_side_effects) {
        return exprs.iter().map(|expr| evaluate(expr, frame, context)).collect();
    }
    let mut parts: Vec<Vec<Vector>> = exprs.iter().map(|_| Vec::with_capacity(frame.rows)).collect();
    for row in 0..frame.rows as u32 {
        for (expr, part) in exprs.iter().zip(&mut parts) {
            let vector = evaluate_at(expr, frame, &[row], context)?;
            part.push(match vector.data() {
                Data::Null => Vector::null(1),
                _ => vector,
            });
        }
    }
    parts.iter().map(|part| Vector::concat(part)).collect()
}
