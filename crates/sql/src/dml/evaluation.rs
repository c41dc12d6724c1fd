//! Expressions over the rows of a table that is being changed.
//!
//! Rows are held as stored values (TIMESTAMP in UTC, ENUM by number); the evaluator sees them as a client
//! would. The two functions here are the passage between both.

use rustydb_catalog::{ColumnDef, TableDef};
use rustydb_sql_parser::ast::{Expr, ExprKind};
use rustydb_value::{ColumnType, TimeZone, TypeKind, Value, ValueRef};

use crate::context::{BindContext, EvalContext};
use crate::error::SqlError;
use crate::expr::bind::Planning;
use crate::expr::vector::Builder;
use crate::expr::{self, BoundExpr, ExprType, Kind, Scope, Vector};
use crate::literal;

/// What gives a column its new value.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The keyword DEFAULT
    Default,
    /// A value known before the row is
    Constant(Value),
    /// To be evaluated for each row
    Bound(Box<BoundExpr>),
}

impl Source {
    /// Binds the expression that is assigned to `column`.
    pub(crate) fn bind(
        expr: &Expr,
        column: &ColumnDef,
        scope: &Scope,
        context: &mut BindContext<'_>,
        sql: &str,
        params: &[Value],
    ) -> Result<Source, SqlError> {
        if let ExprKind::Default(None) = &expr.kind {
            return Ok(Source::Default);
        }
        if let Some(value) = literal::for_column(expr, params, &column.ty)? {
            return Ok(Source::Constant(value));
        }
        let mut planning = Planning::new(context, sql, Some(params));
        let bound = expr::bind(expr, scope, &mut planning)?;
        Ok(Source::Bound(Box::new(bound)))
    }
}

/// A row of stored values as vectors of length one, in the session's time zone.
pub(crate) fn row_vectors(table: &TableDef, values: &[Value], zone: TimeZone) -> Vec<Vector> {
    table.columns.iter().zip(values).map(|(column, value)| column_vector(column, value, zone)).collect()
}

/// One column of it.
pub(crate) fn column_vector(column: &ColumnDef, value: &Value, zone: TimeZone) -> Vector {
    let ty = ExprType::of_column(&column.ty, column.nullable);
    let mut builder = Builder::of(&ty, 1);
    builder.push(local(&column.ty, value.as_ref(), zone));
    builder.finish()
}

/// A stored value as the session sees it: TIMESTAMP in its time zone.
pub(crate) fn local<'a>(ty: &ColumnType, value: ValueRef<'a>, zone: TimeZone) -> ValueRef<'a> {
    match (&ty.kind, value) {
        (TypeKind::Timestamp { fsp }, ValueRef::DateTime(utc)) => {
            ValueRef::DateTime(utc.to_local(zone).unwrap_or(utc).with_fsp(*fsp))
        }
        _ => value,
    }
}

/// Evaluates a bound expression over a row for a column of this type.
pub(crate) fn evaluate_for(
    bound: &BoundExpr,
    row: &[Vector],
    target: &ColumnType,
    context: &mut EvalContext<'_>,
) -> Result<Value, SqlError> {
    let value = expr::evaluate_row(bound, row, context)?;
    // The number of a member means nothing to a column with other members: give the text.
    Ok(match (&bound.ty.kind, value) {
        (Kind::Set(members), Value::UInt(mask)) if !target.is_numeric() => {
            let source = ColumnType::new(TypeKind::Set { members: members.clone() });
            let mut text = Vec::new();
            source.write_set_text(mask, &mut text);
            Value::Text(String::from_utf8_lossy(&text).into_owned())
        }
        (_, value) => value,
    })
}
