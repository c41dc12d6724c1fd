//! Truth: NOT, XOR, and the IS tests. AND and OR are nodes of their own, because they skip operands.

use super::{Call, Function, Invocation};
use crate::error::SqlError;
use crate::expr::coerce::to_truth;
use crate::expr::types::ExprType;
use crate::expr::vector::{Vector, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "not",
        (1, 1),
        "1 if the argument is 0, 0 if it is not, NULL if it is NULL",
        bind_truth,
        not,
    ),
    Function::new("xor", (2, 2), "1 if exactly one argument is true", bind_truth, xor).infix(),
    Function::new("isnull", (1, 1), "1 if the argument is NULL, else 0", bind_test, is_null),
    Function::new("is not null", (1, 1), "1 if the argument is not NULL, else 0", bind_test, is_not_null),
    Function::new("is true", (1, 1), "1 if the argument is neither 0 nor NULL, else 0", bind_is, is_true),
    Function::new("is not true", (1, 1), "1 if the argument is 0 or NULL, else 0", bind_is, is_not_true),
    Function::new("is false", (1, 1), "1 if the argument is 0, else 0", bind_is, is_false),
    Function::new(
        "is not false",
        (1, 1),
        "1 if the argument is not 0 or is NULL, else 0",
        bind_is,
        is_not_false,
    ),
];

fn bind_truth(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    for arg in &mut call.args {
        let taken = std::mem::replace(arg, crate::expr::BoundExpr::null());
        *arg = to_truth(taken);
    }
    Ok(ExprType::boolean().with_nullable(call.nullable()))
}

fn bind_test(_: &mut Call<'_>) -> Result<ExprType, SqlError> {
    Ok(ExprType::boolean().not_null())
}

fn bind_is(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    bind_truth(call)?;
    Ok(ExprType::boolean().not_null())
}

fn not(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    Ok(Vector::booleans(rows, union_nulls(rows, &[a]), |row| !a.is_true(row)))
}

fn xor(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    Ok(Vector::booleans(rows, union_nulls(rows, &[a, b]), |row| a.is_true(row) != b.is_true(row)))
}

fn test(args: &[Vector], rows: usize, f: impl Fn(&Vector, usize) -> bool) -> Result<Vector, SqlError> {
    let [a] = args else { return Ok(Vector::null(rows)) };
    Ok(Vector::booleans(rows, None, |row| f(a, row)))
}

fn is_null(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    test(args, rows, |a, row| a.is_null(row))
}

fn is_not_null(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    test(args, rows, |a, row| !a.is_null(row))
}

fn is_true(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    test(args, rows, |a, row| a.is_true(row))
}

fn is_not_true(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    test(args, rows, |a, row| !a.is_true(row))
}

fn is_false(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    test(args, rows, |a, row| !a.is_null(row) && !a.is_true(row))
}

fn is_not_false(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    test(args, rows, |a, row| a.is_null(row) || a.is_true(row))
}
