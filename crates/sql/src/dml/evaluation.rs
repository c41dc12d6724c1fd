//! Expressions over the rows of a table that is being changed.
//!
//! Rows are held as stored values (TIMESTAMP in UTC, ENUM by number); the evaluator sees them as a client
//! would. The two functions here are the passage between both.

use std::rc::Rc;

use rustydb_catalog::{ColumnDef, TableDef};
use rustydb_sql_parser::ast::{Expr, ExprKind, Query, QueryBody, Select, SelectItem, Span, With};
use rustydb_value::{ColumnType, TimeZone, TypeKind, Value, ValueRef};

use crate::context::{BindContext, EvalContext, ExecContext, TableLookup};
use crate::error::SqlError;
use crate::exec::subquery::Surroundings;
use crate::expr::planning::Planning;
use crate::expr::vector::Builder;
use crate::expr::{self, BoundExpr, ExprType, Frame, Kind, Scope, Vector};
use crate::{exec, literal, plan};

/// What gives a column its new value.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The keyword DEFAULT
    Default,
    /// A value known before the row is
    Constant(Value),
    /// To be evaluated for each row
    Bound(Box<BoundExpr>),
    /// To be evaluated for each row, running queries
    Querying(Rc<Querying>),
}

/// An expression and the queries inside of it, which remember their results for the statement.
#[derive(Debug)]
pub(crate) struct Querying {
    bound: BoundExpr,
    around: Surroundings,
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
        let (bound, subplans) = expr::bind_with_subqueries(expr, scope, &mut planning)?;
        if subplans.is_empty() {
            return Ok(Source::Bound(Box::new(bound)));
        }
        let around = Surroundings::of_statement(&subplans);
        Ok(Source::Querying(Rc::new(Querying { bound, around })))
    }

    /// The expression that is evaluated for each row, as long as nobody else holds it.
    pub(crate) fn expression(&mut self) -> Option<&mut BoundExpr> {
        match self {
            Source::Default | Source::Constant(_) => None,
            Source::Bound(bound) => Some(bound.as_mut()),
            Source::Querying(querying) => Rc::get_mut(querying).map(|q| &mut q.bound),
        }
    }
}

/// `SELECT expr`, behind a statement's WITH.
pub(super) fn as_query(expr: &Expr, with: Option<&With>) -> Query {
    let item = SelectItem::Expr { expr: expr.clone(), alias: None };
    Query {
        with: with.cloned(),
        body: QueryBody::Select(Box::new(Select { items: vec![item], ..Select::default() })),
        order_by: Vec::new(),
        limit: None,
        locking: Vec::new(),
        into: None,
        span: Span::default(),
    }
}

/// The value of an expression with subqueries that reads no row around it: `SELECT expr`, run.
pub(crate) fn evaluate_query(
    expr: &Expr,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Value, SqlError> {
    let query = as_query(expr, None);
    let plan = {
        let mut bind = BindContext { tables, session: context.eval.session };
        plan::plan_query(&query, &mut Planning::new(&mut bind, sql, Some(context.eval.params)))?
    };
    let found_rows = context.eval.session.found_rows;
    let mut value = Value::Null;
    exec::run(&plan, context, &mut |cells| {
        value = cells.first().map_or(Value::Null, |cell| cell.to_owned());
        Ok(())
    })?;
    context.eval.session.found_rows = found_rows;
    Ok(value)
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
    Ok(for_target(bound, value, target))
}

/// The same for an expression that runs queries.
pub(crate) fn evaluate_querying(
    querying: &Querying,
    row: &[Vector],
    target: &ColumnType,
    context: &mut ExecContext<'_>,
) -> Result<Value, SqlError> {
    let frame = Frame::new(row, 1).with_subqueries(&querying.around);
    let vector = expr::evaluate(&querying.bound, &frame, &mut context.for_expressions(0))?;
    Ok(for_target(&querying.bound, vector.value(0, &querying.bound.ty), target))
}

fn for_target(bound: &BoundExpr, value: Value, target: &ColumnType) -> Value {
    // The number of a member means nothing to a column with other members: give the text.
    match (&bound.ty.kind, value) {
        (Kind::Set(members), Value::UInt(mask)) if !target.is_numeric() => {
            let source = ColumnType::new(TypeKind::Set { members: members.clone() });
            let mut text = Vec::new();
            source.write_set_text(mask, &mut text);
            Value::Text(String::from_utf8_lossy(&text).into_owned())
        }
        (_, value) => value,
    }
}
