//! PERIOD_ADD and PERIOD_DIFF: months written as `YYMM` or `YYYYMM`.

use super::{Call, Function, Invocation, any_null};
use crate::error::SqlError;
use crate::expr::types::ExprType;
use crate::expr::vector::{Vector, union_nulls};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("period_add", (2, 2), "A month so many months later", bind_period, add),
    Function::new("period_diff", (2, 2), "Months between two months", bind_period, difference),
];

fn bind_period(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    let nullable = call.nullable();
    call.to_int(0);
    call.to_int(1);
    Ok(ExprType::int(21).with_nullable(nullable))
}

/// The months since year 0; error 1210 for what is no month of a year.
fn months(period: i64, function: &str) -> Result<i64, SqlError> {
    let (year, month) = (period / 100, period % 100);
    if period <= 0 || !(1..=12).contains(&month) {
        return Err(SqlError::wrong_arguments(function));
    }
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        other => other,
    };
    Ok(year * 12 + month - 1)
}

/// The month of a number of months; two digits of a year are taken for those of this time.
fn period(months: i64) -> i64 {
    if months <= 0 {
        return 0;
    }
    let year = match months / 12 {
        year @ 0..=69 => year + 2000,
        year @ 70..=99 => year + 1900,
        year => year,
    };
    year.saturating_mul(100) + months % 12 + 1
}

fn two(
    args: &[Vector],
    rows: usize,
    f: impl Fn(i64, i64) -> Result<i64, SqlError>,
) -> Result<Vector, SqlError> {
    let [a, b] = args else { return Ok(Vector::null(rows)) };
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        out.push(if any_null(args, row) { 0 } else { f(a.as_ints().at(row), b.as_ints().at(row))? });
    }
    Ok(Vector::ints(out, union_nulls(rows, &[a, b])))
}

fn add(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    two(args, rows, |at, more| Ok(period(months(at, "period_add")?.saturating_add(more))))
}

fn difference(_: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    two(args, rows, |a, b| Ok(months(a, "period_diff")? - months(b, "period_diff")?))
}
