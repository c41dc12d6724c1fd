//! ON DUPLICATE KEY UPDATE: its assignments, bound over three rows.
//!
//! An assignment sees the row that is there, the row that was to be inserted (as `VALUES(column)`, or by the alias of
//! `AS new`), and, in INSERT ... SELECT without grouping, the columns of the query's tables. The last are added to
//! the query behind its own columns.

use rustydb_catalog::TableDef;
use rustydb_catalog::definitions::same_name;
use rustydb_sql_parser::ast::{
    ColumnName, Expr, ExprKind, Ident, Insert, InsertSource, ObjectName, Part, Query, QueryBody, RowAlias,
    SelectItem,
};

use super::evaluation::Source;
use super::joined::Target;
use super::read_target::check_subqueries;
use super::update::check_assigned;
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::error::SqlError;
use crate::expr::Scope;
use crate::expr::planning::Planning;
use crate::expr::scope::ROW_KEY;
use crate::plan;

/// The name of the row that was to be inserted, when the statement gives it none: no identifier of SQL can be this.
const NEW_ROW: &str = "\0new";

/// What ON DUPLICATE KEY UPDATE does.
pub(super) struct OnDuplicateUpdate {
    /// Column and value, over the old row, the new one, and the further columns of the query.
    pub(super) assignments: Vec<(usize, Source)>,
    /// Items that the query has to give behind its own.
    pub(super) further: Vec<Expr>,
    /// Their names and types.
    pub(super) scope: Scope,
}

/// Binds the assignments of a statement that has some.
pub(super) fn bind(
    table: &TableDef,
    target: &Target,
    statement: &Insert,
    targets: &[usize],
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<OnDuplicateUpdate, SqlError> {
    let alias = statement.row_alias.as_ref();
    let mut scope = rows_scope(table, alias, targets)?;
    if let InsertSource::Query(query) = &statement.source
        && alias.is_none()
        && let Some(names) = query_names(query, sql, tables, context)?
    {
        names.tables.into_iter().for_each(|table| scope.add(table));
    }
    let own = 2 * table.columns.len();
    let values = |f: &mut dyn FnMut(&Expr)| statement.on_duplicate.iter().for_each(|a| f(&a.value));
    check_subqueries(std::slice::from_ref(target), None, &mut |f| values(f), context.eval.session)?;
    let mut assignments = Vec::with_capacity(statement.on_duplicate.len());
    let mut used: Vec<usize> = Vec::new();
    for assignment in &statement.on_duplicate {
        let name = assignment.column.name.as_str();
        let of_table = assignment.column.table_name().is_none_or(|t| t == table.name);
        let at = table.column_index(name).filter(|_| of_table);
        let shown = || match assignment.column.table_name() {
            Some(table) => format!("{table}.{name}"),
            None => name.to_owned(),
        };
        let at = at.ok_or_else(|| SqlError::unknown_column(shown(), "field list"))?;
        let Some(column) = table.columns.get(at) else { continue };
        check_assigned(table, column, &assignment.value)?;
        let mut value = assignment.value.clone();
        let uses = replace_values(&mut value, alias.map_or(NEW_ROW, |a| a.name.as_str()));
        for _ in 0..uses {
            context.eval.session.warn(&SqlError::values_deprecated());
        }
        let mut bind = BindContext { tables, session: context.eval.session };
        let mut source = Source::bind(&value, column, &scope, &mut bind, sql, context.eval.params)?;
        if let Some(bound) = source.expression() {
            let mut columns = Vec::new();
            bound.columns(&mut columns);
            for column in columns.into_iter().filter(|c| *c >= own) {
                if !used.contains(&column) {
                    used.push(column);
                }
            }
            bound.remap(&|at| used.iter().position(|u| *u == at).map_or(at, |place| own + place));
        }
        assignments.push((at, source));
    }
    let mut further = Vec::with_capacity(used.len());
    let mut kept = Scope::empty();
    for at in used {
        let Some(of) = scope.tables.iter().rfind(|t| t.offset <= at) else { continue };
        let Some(column) = of.columns.get(at - of.offset) else { continue };
        let database = (!of.database.is_empty()).then(|| Ident::new(&*of.database));
        let name = ObjectName { database, name: Ident::new(&*of.name) };
        let column_name = ColumnName { table: Some(Box::new(name)), name: Ident::new(&*column.name) };
        further.push(Expr::new(ExprKind::Column(column_name)));
        let mut one = of.clone();
        one.columns = vec![column.clone()];
        kept.add(one);
    }
    Ok(OnDuplicateUpdate { assignments, further, scope: kept })
}

/// Columns of the old row, then those of the new one under its own name and names.
fn rows_scope(table: &TableDef, alias: Option<&RowAlias>, targets: &[usize]) -> Result<Scope, SqlError> {
    let mut scope = Scope::of_table(table, None);
    let name = alias.map_or(NEW_ROW, |a| a.name.as_str());
    if name == table.name {
        return Err(SqlError::table_not_unique(name));
    }
    let mut new = crate::expr::scope::stored_table(table, Some(name));
    for column in &mut new.columns {
        // Without a name of its own the row is not in anybody's way.
        column.qualified_only = alias.is_none();
    }
    if let Some(alias) = alias.filter(|a| !a.columns.is_empty()) {
        for (at, name) in alias.columns.iter().enumerate() {
            if alias.columns.iter().take(at).any(|other| same_name(other.as_str(), name.as_str())) {
                return Err(SqlError::duplicate_column(name.as_str()));
            }
        }
        if alias.columns.len() != targets.len() {
            return Err(plan::column_names_differ());
        }
        for (at, column) in new.columns.iter_mut().enumerate() {
            column.name = match targets.iter().position(|t| *t == at).and_then(|p| alias.columns.get(p)) {
                Some(name) => name.as_str().into(),
                // Not among the inserted ones: it has no name here.
                None => "\0".into(),
            };
        }
    }
    scope.add(new);
    Ok(scope)
}

/// The tables that the assignments may name of a query; none if its rows are not rows of its tables.
fn query_names(
    query: &Query,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Option<Scope>, SqlError> {
    let QueryBody::Select(select) = &query.body else { return Ok(None) };
    let aggregates = select.items.iter().any(|item| match item {
        SelectItem::Expr { expr, .. } => {
            expr.any(&mut |e| matches!(&e.kind, ExprKind::Aggregate(call) if call.over.is_none()))
        }
        SelectItem::Wildcard { .. } => false,
    });
    if select.options.distinct || select.group_by.is_some() || aggregates || select.from.is_empty() {
        return Ok(None);
    }
    let mut bind = BindContext { tables, session: context.eval.session };
    let mut planning = Planning::new(&mut bind, sql, Some(context.eval.params));
    planning.row_keys = true;
    plan::plan_query(query, &mut planning)?;
    let mut names = planning.row_key_scope.take();
    for table in names.iter_mut().flat_map(|scope| &mut scope.tables) {
        table.columns.retain(|column| &*column.name != ROW_KEY);
    }
    Ok(names)
}

/// The query with the further items behind its own.
pub(super) fn with_further(query: &Query, further: &[Expr]) -> Query {
    let mut query = query.clone();
    if let QueryBody::Select(select) = &mut query.body {
        let items = further.iter().map(|expr| SelectItem::Expr { expr: expr.clone(), alias: None });
        select.items.extend(items);
    }
    query
}

/// Turns every `VALUES(column)` into that column of the new row; gives how many there were.
fn replace_values(expr: &mut Expr, new_row: &str) -> usize {
    if let ExprKind::InsertValue(column) = &expr.kind {
        let table = ObjectName { database: None, name: Ident::new(new_row) };
        let name = column.name.clone();
        expr.kind = ExprKind::Column(ColumnName { table: Some(Box::new(table)), name });
        return 1;
    }
    let mut count = 0;
    expr.each_part(&mut |part| {
        if let Part::Expr(inner) = part {
            count += replace_values(inner, new_row);
        }
    });
    count
}
