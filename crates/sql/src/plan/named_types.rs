//! The types that the columns of a query have under a name in FROM.
//!
//! They are those of its expressions, but for what MySQL makes of them where it keeps the rows in a table of its own, and
//! for NULL: what was a bare NULL stays one, and what has only NULLs in it is a string.

use rustydb_sql_parser::ast;

use super::{Plan, SelectPlan};
use crate::api::{ColumnMeta, column_flags};
use crate::expr::types::{Coercibility, ExprType, Kind, NOT_FIXED};
use crate::expr::{BoundExpr, Node, cast};

/// Converts the columns of a query that are only NULL to what they are under a name.
pub fn settle_nulls(query: &ast::Query, plan: &mut SelectPlan) {
    if plan.types.iter().all(|ty| ty.kind != Kind::Null) {
        return;
    }
    let items = items(query, plan.types.len());
    let kept = is_kept(query, plan);
    let mut exprs = Vec::with_capacity(plan.types.len());
    for (at, (ty, meta)) in plan.types.iter_mut().zip(&mut plan.columns).enumerate() {
        let from = ty.clone();
        if from.kind == Kind::Null {
            *ty = match items {
                Some(items) => items.get(at).map_or_else(|| from.clone(), |item| null_of_item(item, &from)),
                None if matches!(query.body, ast::QueryBody::SetOperation(_)) => string_of_nulls(),
                None => from.clone(),
            };
            // A NULL that is kept has no number of digits.
            if ty.kind == Kind::Null && kept {
                ty.decimals = NOT_FIXED;
            }
            *meta = ty.stored_meta(&meta.name);
        }
        exprs.push(cast::as_type(BoundExpr::column(at, "", from), ty));
    }
    let input = Box::new(std::mem::replace(&mut plan.root, Plan::Dual));
    plan.root = Plan::Project { input, exprs };
}

/// The select list of a query, where its items stand at the places of the columns.
fn items(query: &ast::Query, width: usize) -> Option<&[ast::SelectItem]> {
    match &query.body {
        ast::QueryBody::Select(select) if select.items.len() == width => Some(&select.items),
        _ => None,
    }
}

/// The type under a name of an item that is NULL.
fn null_of_item(item: &ast::SelectItem, from: &ExprType) -> ExprType {
    let ast::SelectItem::Expr { expr, .. } = item else { return from.clone() };
    match (&expr.kind, source(expr)) {
        (ast::ExprKind::Literal(_), _) | (_, From::Column | From::Extreme) => from.clone(),
        (ast::ExprKind::Subquery(query), _) => match items(query, 1) {
            Some([item]) if is_of_no_table(query) => null_of_item(item, from),
            _ => string_of_nulls(),
        },
        (ast::ExprKind::Aggregate(call), _) if call.over.is_none() => {
            ExprType { coercibility: Coercibility::Implicit, ..ExprType::binary(0) }
        }
        _ => string_of_nulls(),
    }
}

fn is_of_no_table(query: &ast::Query) -> bool {
    matches!(&query.body, ast::QueryBody::Select(select) if select.from.is_empty())
}

/// What IFNULL(NULL, NULL) is: a string without characters, whose collation gives way to all others.
fn string_of_nulls() -> ExprType {
    ExprType { coercibility: Coercibility::Ignorable, ..ExprType::binary(0) }
}

/// The columns under a name, and their types.
///
/// What is not a column already gets the type that MySQL keeps it in, where it keeps it; a year that is calculated stays one
/// where the query is merged into the one around it. What an aggregate makes ranks as the text of a column does.
pub fn columns_of(query: &ast::Query, plan: &SelectPlan) -> (Vec<ColumnMeta>, Vec<ExprType>) {
    let (mut columns, mut types) = (plan.columns.clone(), plan.types.clone());
    let Some(items) = items(query, types.len()) else { return (columns, types) };
    let kept = is_kept(query, plan);
    for (item, (ty, meta)) in items.iter().zip(types.iter_mut().zip(&mut columns)) {
        let ast::SelectItem::Expr { expr, .. } = item else { continue };
        let aggregate = matches!(&expr.kind, ast::ExprKind::Aggregate(call) if call.over.is_none());
        if aggregate && ty.is_string() && ty.coercibility != Coercibility::Ignorable {
            ty.coercibility = Coercibility::Implicit;
        }
        match source(expr) {
            From::Column if kept => meta.flags &= !FLAGS_OF_KEYS,
            From::Column => {}
            From::Extreme if kept => {
                match ty.kind {
                    Kind::Json => *ty = ty.clone().stored(),
                    _ if ty.is_string() => ty.decimals = 0,
                    _ => {}
                }
                *meta = ty.stored_meta(&meta.name);
            }
            From::Expression if kept => {
                *ty = ty.clone().kept();
                *meta = ty.stored_meta(&meta.name);
            }
            _ if ty.kind == Kind::Year => ty.set_calculated(true),
            _ => {}
        }
    }
    (columns, types)
}

/// The flags that a column has of the indexes of its table.
const FLAGS_OF_KEYS: u16 = column_flags::PRIMARY_KEY
    | column_flags::UNIQUE_KEY
    | column_flags::MULTIPLE_KEY
    | column_flags::PART_KEY;

/// What an item of a select list is.
enum From {
    Column,
    /// MIN or MAX of a column, which is kept in a column of its type.
    Extreme,
    Expression,
}

fn source(expr: &ast::Expr) -> From {
    use ast::AggregateFunction::{Max, Min};
    match &expr.kind {
        ast::ExprKind::Column(_) => From::Column,
        ast::ExprKind::Aggregate(call) if call.over.is_none() && matches!(call.function, Min | Max) => {
            let of_column = matches!(call.args.first().map(source), Some(From::Column));
            if of_column { From::Extreme } else { From::Expression }
        }
        _ => From::Expression,
    }
}

/// Whether MySQL keeps the rows of a query in a table instead of taking its parts into the block around it.
fn is_kept(query: &ast::Query, plan: &SelectPlan) -> bool {
    let having = matches!(&query.body, ast::QueryBody::Select(select) if select.having.is_some());
    having || keeps_rows(&plan.root)
}

/// Whether it does for what the plan does.
fn keeps_rows(plan: &Plan) -> bool {
    match plan {
        Plan::Project { exprs, .. } if exprs.iter().any(has_subquery_beside_the_row) => true,
        Plan::Project { input, .. } | Plan::Filter { input, .. } | Plan::Sort { input, limit: None, .. } => {
            keeps_rows(input)
        }
        Plan::Scan(_) | Plan::Join(_) | Plan::Derived(_) | Plan::Shared(_) => false,
        _ => true,
    }
}

/// Whether there is a subquery in an expression that reads the row.
fn has_subquery_beside_the_row(expr: &BoundExpr) -> bool {
    let reads_the_row = |e: &BoundExpr| match &e.node {
        Node::Column(_) => true,
        Node::Subquery { captures, .. } => !captures.is_empty(),
        _ => false,
    };
    expr.has_subquery() && expr.any(&mut |e| reads_the_row(e))
}
