//! One query block: FROM, WHERE, GROUP BY, HAVING, the select list, DISTINCT, ORDER BY, LIMIT.

use std::sync::Arc;

use rustydb_sql_parser::ast;
use rustydb_value::{Charset, Collation, Value};

use super::dependencies::dependencies;
use super::from::{Source, plan_from};
use super::grouping::Grouping;
use super::hints::{BlockHints, warn_of_waiting};
use super::window::{Windows, take_calls};
use super::{Aggregate, Plan, RowCount, RowLimit, SelectPlan, SortKey, rules, set_operation};
use crate::api::{ColumnMeta, FieldType};
use crate::context::BindContext;
use crate::error::SqlError;
use crate::expr::bind::{AggregateUse, Binder};
use crate::expr::bind_window::{WindowUse, resolve_windows};
use crate::expr::branches::text_by_branch;
use crate::expr::planning::{NamedQuery, Planning};
use crate::expr::scope::{Scope, derived_table};
use crate::expr::types::{Class, Coercibility, ExprType};
use crate::expr::{BoundExpr, Node};
use crate::variables::SqlMode;

/// Plans a query.
///
/// `sql` is the text the query was parsed from. `given` holds the values of the parameter markers if they
/// are known: they decide the markers' types; without them the types follow from the use. Whoever keeps the
/// plan asks [`SelectPlan::accepts`] before running it with other values.
pub fn prepare_select(
    query: &ast::Query,
    sql: &str,
    given: Option<&[Value]>,
    context: &mut BindContext<'_>,
) -> Result<SelectPlan, SqlError> {
    finish(query, Planning::new(context, sql, given))
}

/// The same for a query whose rows go to a client.
pub fn prepare_result(
    query: &ast::Query,
    sql: &str,
    given: Option<&[Value]>,
    context: &mut BindContext<'_>,
) -> Result<SelectPlan, SqlError> {
    let mut planning = Planning::new(context, sql, given);
    planning.to_client = true;
    finish(query, planning)
}

fn finish(query: &ast::Query, mut planning: Planning<'_, '_>) -> Result<SelectPlan, SqlError> {
    let mut plan = plan_query(query, &mut planning)?;
    if planning.uncacheable {
        plan.cacheable = false;
    }
    warn_of_waiting(&mut planning);
    plan.warnings = planning.warnings;
    if let Some(charset) = planning.context.session.settings.character_set_results {
        for column in &mut plan.columns {
            in_results(column, charset);
        }
    }
    Ok(plan)
}

/// Describes a text column as the client will receive it: in the character set of results.
fn in_results(column: &mut ColumnMeta, charset: Charset) {
    if column.collation == Collation::BINARY.id() {
        return;
    }
    if charset == Charset::Binary {
        return;
    }
    let widest = Charset::Utf8mb4.max_bytes_per_char();
    // A stored TEXT counts bytes.
    let stored_text = column.ty == FieldType::Blob && column.decimals == 0;
    if column.length < u32::MAX && !stored_text {
        column.length = column.length / widest * charset.max_bytes_per_char();
    }
    column.collation = charset.default_collation().id();
}

/// Sends what IF and CASE choose of exact numbers with the digits that it has by itself: 0 and not 0.00 beside an amount.
/// The column is described as it is, and its numbers are sent as texts anyway.
fn show_branches(root: &mut Plan) {
    match root {
        Plan::Limit { input, .. } => show_branches(input),
        // What windows were computed over was kept with the digits of its type.
        Plan::Project { input, .. } if matches!(**input, Plan::Windows(_)) => {}
        Plan::Project { exprs, .. } => {
            for expr in exprs.iter_mut().filter(|expr| expr.ty.class() == Class::Decimal) {
                let ty =
                    ExprType::text(expr.ty.text_length(), Collation::UTF8MB4_BIN, Coercibility::Coercible);
                let taken = std::mem::replace(expr, BoundExpr::null());
                *expr = text_by_branch(taken, &ty);
            }
        }
        _ => {}
    }
}

/// Plans a query or subquery.
pub fn plan_query(query: &ast::Query, planning: &mut Planning<'_, '_>) -> Result<SelectPlan, SqlError> {
    let outside = planning.named.len();
    if let Some(with) = &query.with {
        for table in &with.tables {
            let again = planning.named.iter().skip(outside).any(|n| n.table.name.value == table.name.value);
            if again {
                return Err(SqlError::table_not_unique(table.name.as_str()));
            }
            planning.named.push(NamedQuery {
                table: table.clone(),
                visible: planning.named.len(),
                depth: planning.levels.len(),
                planned: None,
                recursive: with.recursive,
                work: None,
            });
        }
    }
    planning.nested += 1;
    let plan = plan_named(query, planning);
    planning.nested -= 1;
    planning.named.truncate(outside);
    let mut plan = plan?;
    if planning.nested == 0 {
        if planning.to_client {
            show_branches(&mut plan.root);
        }
        rules::improve(&mut plan, planning);
    }
    Ok(plan)
}

fn plan_named(query: &ast::Query, planning: &mut Planning<'_, '_>) -> Result<SelectPlan, SqlError> {
    let plan = match &query.body {
        ast::QueryBody::Select(select) => plan_select(select, query, planning)?,
        body => {
            let mut inner = plan_body(body, &query.locking, planning)?;
            order_result(&mut inner, query, planning)?;
            inner
        }
    };
    // INTO of variables is the session's; files are not written.
    if matches!(query.into.as_deref(), Some(ast::IntoTarget::OutFile { .. } | ast::IntoTarget::DumpFile(_))) {
        return Err(SqlError::not_supported("INTO OUTFILE"));
    }
    Ok(plan)
}

/// Plans what makes the rows, without the clauses around it.
pub fn plan_body(
    body: &ast::QueryBody,
    locking: &[ast::Locking],
    planning: &mut Planning<'_, '_>,
) -> Result<SelectPlan, SqlError> {
    match body {
        ast::QueryBody::Select(select) => {
            let query = ast::Query {
                with: None,
                body: ast::QueryBody::Values(Vec::new()),
                order_by: Vec::new(),
                limit: None,
                locking: locking.to_vec(),
                into: None,
                span: ast::Span::default(),
            };
            plan_select(select, &query, planning)
        }
        ast::QueryBody::SetOperation(operation) => {
            set_operation::plan_set_operation(operation, locking, planning)
        }
        ast::QueryBody::Nested(query) if locking.is_empty() => plan_query(query, planning),
        ast::QueryBody::Nested(query) => {
            let mut query = query.clone();
            query.locking.extend_from_slice(locking);
            plan_query(&query, planning)
        }
        ast::QueryBody::Values(rows) => plan_values(rows, planning),
        ast::QueryBody::Table(name) => {
            let source = ast::TableSource {
                name: name.as_ref().clone(),
                partitions: Vec::new(),
                alias: None,
                index_hints: Vec::new(),
            };
            let select = ast::Select {
                items: vec![ast::SelectItem::Wildcard { table: None, span: ast::Span::default() }],
                from: vec![ast::TableReference::Table(Box::new(source))],
                ..ast::Select::default()
            };
            plan_body(&ast::QueryBody::Select(Box::new(select)), locking, planning)
        }
    }
}

fn plan_values(rows: &[Vec<ast::Expr>], planning: &mut Planning<'_, '_>) -> Result<SelectPlan, SqlError> {
    let width = rows.first().map_or(0, Vec::len);
    let scope = Scope::empty();
    let around = std::mem::take(&mut planning.subplans);
    let mut bound = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        if row.len() != width {
            return Err(SqlError::column_count(at + 1));
        }
        let mut binder = Binder::new(planning, &scope, "field list");
        let mut cells = Vec::with_capacity(width);
        for expr in row {
            if matches!(expr.kind, ast::ExprKind::Default(None)) {
                return Err(SqlError::default_in_values());
            }
            cells.push(binder.bind_typed(expr)?);
        }
        bound.push(cells);
    }
    let subplans = std::mem::replace(&mut planning.subplans, around);
    let mut types = Vec::with_capacity(width);
    for column in 0..width {
        let cells: Vec<&ExprType> = bound.iter().filter_map(|r| r.get(column)).map(|c| &c.ty).collect();
        types.push(crate::expr::merge::merge_types(&cells, "VALUES", planning.session())?);
    }
    let bound = bound
        .into_iter()
        .map(|row| row.into_iter().zip(&types).map(|(c, t)| crate::expr::cast::as_type(c, t)).collect())
        .collect();
    let columns = types.iter().enumerate().map(|(at, ty)| ty.meta(&format!("column_{at}"))).collect();
    Ok(SelectPlan {
        columns,
        types,
        root: Plan::Values(bound),
        subplans,
        dependencies: Vec::new(),
        cacheable: true,
        warnings: Vec::new(),
    })
}

/// ORDER BY and LIMIT around a set operation or a parenthesised query: by its result columns.
fn order_result(
    plan: &mut SelectPlan,
    query: &ast::Query,
    planning: &mut Planning<'_, '_>,
) -> Result<(), SqlError> {
    if !query.order_by.is_empty() {
        sort_result(plan, &query.order_by, planning)?;
    }
    if let Some(limit) = row_limit(query.limit.as_ref())? {
        let input = Box::new(std::mem::replace(&mut plan.root, Plan::Dual));
        plan.root = Plan::Limit { input, limit, counts: false };
    }
    Ok(())
}

/// Sorts a result by its columns or by expressions over them.
fn sort_result(
    plan: &mut SelectPlan,
    items: &[ast::OrderItem],
    planning: &mut Planning<'_, '_>,
) -> Result<(), SqlError> {
    let mut scope = Scope::empty();
    scope.add(derived_table("", &plan.columns, &plan.types, &[]));
    let width = plan.types.len();
    let mut keys = Vec::with_capacity(items.len());
    // Its columns, and behind them what only the order needs.
    let mut exprs: Vec<BoundExpr> =
        plan.types.iter().enumerate().map(|(at, ty)| BoundExpr::column(at, "", ty.clone())).collect();
    let around = std::mem::replace(&mut planning.subplans, std::mem::take(&mut plan.subplans));
    for (number, item) in items.iter().enumerate() {
        if let Some(column) = positional(&item.expr, width)? {
            let ty = plan.types.get(column).cloned().unwrap_or_else(ExprType::null);
            keys.push(SortKey { column, ty, descending: item.descending });
            continue;
        }
        if let Some(table) = qualifier(&item.expr) {
            return Err(SqlError::table_in_global_order(table));
        }
        let mut binder = Binder::new(planning, &scope, "order clause");
        binder.aggregates = AggregateUse::Allowed;
        let expr = binder.bind_typed(&item.expr)?;
        if expr.has_aggregate() {
            return Err(SqlError::aggregate_order_of_set(number + 1));
        }
        let column = match &expr.node {
            Node::Column(column) => column.index,
            _ => {
                exprs.push(expr.clone());
                exprs.len() - 1
            }
        };
        keys.push(SortKey { column, ty: expr.ty.clone(), descending: item.descending });
    }
    plan.subplans = std::mem::replace(&mut planning.subplans, around);
    let extended = exprs.len() > width;
    let mut root = std::mem::replace(&mut plan.root, Plan::Dual);
    if extended {
        root = Plan::Project { input: Box::new(root), exprs };
    }
    root = Plan::Sort { input: Box::new(root), keys, limit: None };
    plan.root = if extended { Plan::Narrow { input: Box::new(root), width } } else { root };
    Ok(())
}

/// The table that a column is named with, if an expression holds such a column.
fn qualifier(expr: &ast::Expr) -> Option<String> {
    let mut found = None;
    expr.any(&mut |e| {
        if let ast::ExprKind::Column(name) = &e.kind
            && let Some(table) = name.table_name()
        {
            found = Some(table.to_owned());
        }
        found.is_some()
    });
    found
}

/// The column of the select list that a bare number in ORDER BY or GROUP BY means.
pub fn positional(expr: &ast::Expr, width: usize) -> Result<Option<usize>, SqlError> {
    let ast::ExprKind::Literal(ast::Literal::Integer(number)) = &expr.kind else { return Ok(None) };
    match usize::try_from(*number).ok().and_then(|n| n.checked_sub(1)).filter(|at| *at < width) {
        Some(at) => Ok(Some(at)),
        None => Err(SqlError::unknown_column(number, "order clause")),
    }
}

/// LIMIT and OFFSET as the plan holds them.
pub fn row_limit(limit: Option<&ast::Limit>) -> Result<Option<RowLimit>, SqlError> {
    let Some(limit) = limit else { return Ok(None) };
    let count = |value: &ast::LimitValue| match value {
        ast::LimitValue::Number(n) => Ok(RowCount::Fixed(*n)),
        ast::LimitValue::Parameter(at) => Ok(RowCount::Parameter(*at as usize)),
        ast::LimitValue::Variable(name) => {
            Err(SqlError::new(1327, b"42000", format!("Undeclared variable: {}", name.as_str())))
        }
    };
    Ok(Some(RowLimit {
        offset: limit.offset.as_ref().map_or(Ok(RowCount::Fixed(0)), count)?,
        count: count(&limit.count)?,
    }))
}

/// An element of the select list.
struct Item {
    expr: BoundExpr,
    meta: ColumnMeta,
    /// The name by which HAVING and ORDER BY find it.
    name: Arc<str>,
}

struct Block<'q> {
    select: &'q ast::Select,
    items: Vec<Item>,
    windows: &'q [(String, ast::WindowSpec)],
}

fn plan_select(
    select: &ast::Select,
    query: &ast::Query,
    planning: &mut Planning<'_, '_>,
) -> Result<SelectPlan, SqlError> {
    let windows = resolve_windows(&select.windows)?;
    let hints = BlockHints::of(select, planning);
    let around = std::mem::take(&mut planning.subplans);
    let Source { plan: mut source, scope } = plan_from(&select.from, &query.locking, planning)?;
    hints.apply(&mut source, &scope, planning);
    if select.options.straight_join {
        source.keep_join_order();
    }
    let mut block = Block { select, items: Vec::new(), windows: &windows };
    let conditions = match &select.filter {
        Some(filter) => block.bind(planning, &scope, "where clause", AggregateUse::Refused, &[], |b| {
            b.bind_condition(filter)
        })?,
        None => Vec::new(),
    };
    block.bind_items(planning, &scope)?;
    let aliases: Vec<(Arc<str>, BoundExpr)> =
        block.items.iter().map(|i| (i.name.clone(), i.expr.clone())).collect();

    let rollup = select.group_by.as_ref().is_some_and(|g| g.rollup);
    let (group_keys, grouped) = block.bind_group_by(planning, &scope, &aliases)?;
    let having = match &select.having {
        Some(having) => {
            let items = block.items.iter().map(|item| &item.expr);
            let visible: Vec<BoundExpr> = items.chain(&group_keys).cloned().collect();
            let mut binder = Binder::new(planning, &scope, "having clause");
            binder.aggregates = AggregateUse::Allowed;
            binder.aliases = &aliases;
            binder.visible = Some(&visible);
            binder.bind_condition(having)?
        }
        None => Vec::new(),
    };
    let order = block.bind_order_by(planning, &scope, &aliases, &query.order_by)?;

    let mut plan = source;
    if !conditions.is_empty() {
        plan = Plan::Filter { input: Box::new(plan), predicates: conditions.clone() };
    }
    let mut exprs: Vec<BoundExpr> = block.items.iter().map(|i| i.expr.clone()).collect();
    let mut order = order;
    let mut having = having;
    let aggregated = grouped || exprs.iter().chain(&having).any(BoundExpr::has_aggregate);
    if !aggregated && let Some(at) = order.iter().position(|key| key.expr.has_aggregate()) {
        return Err(SqlError::aggregate_order(at + 1));
    }
    if aggregated && !grouped {
        // There is one row.
        order.clear();
    }
    if aggregated {
        let strict = planning.session().settings.sql_mode.has(SqlMode::ONLY_FULL_GROUP_BY);
        let mut grouping = Grouping::new(&scope, group_keys, grouped, strict, rollup, &dependencies(&plan));
        for (at, expr) in exprs.iter_mut().enumerate() {
            *expr = grouping.rewrite(expr, at + 1, "SELECT list")?;
        }
        for (at, expr) in having.iter_mut().enumerate() {
            *expr = grouping.rewrite(expr, at + 1, "HAVING clause")?;
        }
        for (at, key) in order.iter_mut().enumerate() {
            key.expr = grouping.rewrite(&key.expr, at + 1, "ORDER BY clause")?;
        }
        for (item, expr) in block.items.iter_mut().zip(&exprs) {
            if expr.ty.nullable {
                item.meta.flags &= !crate::api::column_flags::NOT_NULL;
            }
        }
        let (keys, calls) = grouping.finish();
        plan = Plan::Aggregate(Box::new(Aggregate { input: plan, keys, calls, scalar: !grouped, rollup }));
    }
    if !having.is_empty() {
        plan = Plan::Filter { input: Box::new(plan), predicates: having };
    }
    let mut calls = Vec::new();
    let width = plan.width();
    for expr in exprs.iter_mut().chain(order.iter_mut().map(|key| &mut key.expr)) {
        take_calls(expr, width, &mut calls);
    }
    if !calls.is_empty() {
        plan = Plan::Windows(Box::new(Windows { input: plan, calls }));
    }
    let limit = row_limit(query.limit.as_ref())?;
    let types: Vec<ExprType> = exprs.iter().map(|e| e.ty.clone()).collect();
    let limit = limit.map(|limit| (limit, select.options.sql_calc_found_rows));
    plan = if select.options.distinct {
        shape_distinct(plan, exprs, &order, &types, limit)?
    } else {
        shape(plan, exprs, &order, limit)
    };
    let columns = block.items.iter().map(|i| i.meta.clone()).collect();
    let subplans = std::mem::replace(&mut planning.subplans, around);
    let dependencies = dependencies(&plan);
    let cacheable = !planning.uncacheable;
    Ok(SelectPlan { columns, types, root: plan, subplans, dependencies, cacheable, warnings: Vec::new() })
}

/// A limit, and whether the rows behind it are counted.
type Counted = Option<(RowLimit, bool)>;

fn limited(plan: Plan, limit: Counted) -> Plan {
    match limit {
        Some((limit, counts)) => Plan::Limit { input: Box::new(plan), limit, counts },
        None => plan,
    }
}

/// An element of ORDER BY.
struct OrderKey {
    expr: BoundExpr,
    descending: bool,
    /// The element of the select list that it names, by position or alias.
    item: Option<usize>,
}

/// ORDER BY, LIMIT and projection over the rows (or groups), in this order: what is not shown is not
/// evaluated. Only what is sorted by is computed before.
fn shape(plan: Plan, exprs: Vec<BoundExpr>, order: &[OrderKey], limit: Counted) -> Plan {
    let order: Vec<&OrderKey> = order.iter().filter(|key| !key.expr.is_constant()).collect();
    if order.is_empty() {
        return Plan::Project { input: Box::new(limited(plan, limit)), exprs };
    }
    let mut lower: Vec<BoundExpr> = Vec::new();
    let mut upper = Vec::with_capacity(exprs.len());
    for (at, expr) in exprs.iter().enumerate() {
        // RAND() is not the same as another RAND(), but as itself under its alias.
        let sorted = order.iter().any(|key| key.item == Some(at) || key.expr.same(expr));
        if sorted || matches!(expr.node, Node::Column(_)) {
            let known = lower.iter().position(|e| e.same(expr));
            let place = known.unwrap_or(lower.len());
            if known.is_none() {
                lower.push(expr.clone());
            }
            upper.push(BoundExpr::column(place, expr.to_string(), expr.ty.clone()));
        } else {
            let mut moved = expr.clone();
            take_columns(&mut moved, &mut lower);
            upper.push(moved);
        }
    }
    let mut keys = Vec::with_capacity(order.len());
    for key in order {
        let named = key.item.and_then(|at| upper.get(at)).and_then(|e| match &e.node {
            Node::Column(column) => Some(column.index),
            _ => None,
        });
        let column = match named.or_else(|| lower.iter().position(|e| e.same(&key.expr))) {
            Some(column) => column,
            None => {
                lower.push(key.expr.clone());
                lower.len() - 1
            }
        };
        keys.push(SortKey { column, ty: key.expr.ty.clone(), descending: key.descending });
    }
    let width = lower.len();
    let project = Plan::Project { input: Box::new(plan), exprs: lower };
    let out = limited(Plan::Sort { input: Box::new(project), keys, limit: None }, limit);
    let in_place =
        upper.iter().enumerate().all(|(at, e)| matches!(&e.node, Node::Column(c) if c.index == at));
    match (in_place, upper.len() == width) {
        (true, true) => out,
        (true, false) => Plan::Narrow { input: Box::new(out), width: upper.len() },
        _ => Plan::Project { input: Box::new(out), exprs: upper },
    }
}

/// Has the columns that an expression reads given by `lower`, and reads them there.
fn take_columns(expr: &mut BoundExpr, lower: &mut Vec<BoundExpr>) {
    if let Node::Column(column) = &mut expr.node {
        let known = lower.iter().position(|e| matches!(&e.node, Node::Column(c) if c.index == column.index));
        let at = known.unwrap_or(lower.len());
        if known.is_none() {
            lower.push(BoundExpr::column(column.index, column.name.clone(), expr.ty.clone()));
        }
        column.index = at;
        return;
    }
    expr.for_children_mut(&mut |child| take_columns(child, lower));
}

/// SELECT DISTINCT: it may only be sorted by what it shows.
fn shape_distinct(
    plan: Plan,
    exprs: Vec<BoundExpr>,
    order: &[OrderKey],
    types: &[ExprType],
    limit: Counted,
) -> Result<Plan, SqlError> {
    let mut keys = Vec::with_capacity(order.len());
    for (at, key) in order.iter().enumerate() {
        let expr = &key.expr;
        if expr.is_constant() {
            continue;
        }
        let Some(column) = key.item.or_else(|| exprs.iter().position(|e| e.same(expr))) else {
            return Err(SqlError::distinct_order(at + 1, expr.to_string().replace('`', "")));
        };
        keys.push(SortKey { column, ty: expr.ty.clone(), descending: key.descending });
    }
    let project = Plan::Project { input: Box::new(plan), exprs };
    let mut out = Plan::Distinct { input: Box::new(project), types: types.to_vec(), sorted: false };
    if !keys.is_empty() {
        out = Plan::Sort { input: Box::new(out), keys, limit: None };
    }
    Ok(limited(out, limit))
}

impl Block<'_> {
    /// Binds something in one clause.
    fn bind<T>(
        &self,
        planning: &mut Planning<'_, '_>,
        scope: &Scope,
        clause: &'static str,
        aggregates: AggregateUse,
        aliases: &[(Arc<str>, BoundExpr)],
        f: impl FnOnce(&mut Binder<'_, '_, '_>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let mut binder = Binder::new(planning, scope, clause);
        binder.aggregates = aggregates;
        binder.aliases = aliases;
        binder.aliases_first = clause == "order clause";
        if clause == "order clause" {
            binder.window_use = WindowUse::Allowed;
            binder.windows = self.windows;
        }
        f(&mut binder)
    }

    fn bind_items(&mut self, planning: &mut Planning<'_, '_>, scope: &Scope) -> Result<(), SqlError> {
        let sql = planning.sql;
        for item in &self.select.items {
            match item {
                ast::SelectItem::Wildcard { table, .. } => {
                    for at in scope.wildcard(table.as_deref())? {
                        let (Some(column), Some(expr)) = (scope.column(at), scope.expression(at)) else {
                            continue;
                        };
                        self.items.push(Item { expr, meta: column.meta.clone(), name: column.name.clone() });
                    }
                }
                ast::SelectItem::Expr { expr, alias } => {
                    let earlier: Vec<(Arc<str>, BoundExpr)> =
                        if matches!(expr.kind, ast::ExprKind::Column(_) | ast::ExprKind::Literal(_)) {
                            Vec::new()
                        } else {
                            self.items.iter().map(|i| (i.name.clone(), i.expr.clone())).collect()
                        };
                    let mut binder = Binder::new(planning, scope, "field list");
                    binder.aggregates = AggregateUse::Allowed;
                    binder.earlier = &earlier;
                    binder.window_use = WindowUse::Allowed;
                    binder.windows = self.windows;
                    let bound = binder.bind_typed(expr)?;
                    let name = item.heading(sql).unwrap_or("");
                    let shown = if alias.is_some() { name } else { heading(name) };
                    let meta = match &bound.node {
                        Node::Column(column) => match scope.column(column.index) {
                            // The columns of information_schema are headed as it writes them.
                            Some(source)
                                if alias.is_none()
                                    && source.meta.schema == crate::information_schema::DATABASE =>
                            {
                                source.meta.clone()
                            }
                            Some(source) => ColumnMeta { name: shown.to_string(), ..source.meta.clone() },
                            None => bound.ty.meta(shown),
                        },
                        _ if is_window(expr) => bound.ty.clone().kept().stored_meta(shown),
                        _ => bound.ty.meta(shown),
                    };
                    self.items.push(Item { expr: bound, meta, name: shown.into() });
                }
            }
        }
        if self.items.is_empty() {
            return Err(SqlError::no_tables_used());
        }
        Ok(())
    }

    fn bind_group_by(
        &mut self,
        planning: &mut Planning<'_, '_>,
        scope: &Scope,
        aliases: &[(Arc<str>, BoundExpr)],
    ) -> Result<(Vec<BoundExpr>, bool), SqlError> {
        let Some(group_by) = &self.select.group_by else { return Ok((Vec::new(), false)) };
        let mut keys: Vec<BoundExpr> = Vec::with_capacity(group_by.items.len());
        for item in &group_by.items {
            let key = match positional(item, self.items.len()).map_err(group_position)? {
                Some(at) => self.items.get(at).map(|i| i.expr.clone()),
                None => None,
            };
            let key = match key {
                Some(key) => key,
                None => {
                    self.bind(planning, scope, "group statement", AggregateUse::Refused, aliases, |b| {
                        b.bind_typed(item)
                    })?
                }
            };
            if key.has_aggregate() {
                return Err(SqlError::wrong_group_field(&key));
            }
            if !keys.iter().any(|k| k.same(&key)) {
                keys.push(key);
            }
        }
        Ok((keys, true))
    }

    fn bind_order_by(
        &mut self,
        planning: &mut Planning<'_, '_>,
        scope: &Scope,
        aliases: &[(Arc<str>, BoundExpr)],
        items: &[ast::OrderItem],
    ) -> Result<Vec<OrderKey>, SqlError> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let alias = match &item.expr.kind {
                ast::ExprKind::Column(name) if name.table.is_none() => {
                    aliases.iter().position(|(alias, _)| {
                        rustydb_catalog::definitions::same_name(alias, name.name.as_str())
                    })
                }
                _ => None,
            };
            let named = match positional(&item.expr, self.items.len())? {
                Some(at) => Some(at),
                None => alias,
            };
            let expr = match named.and_then(|at| self.items.get(at)) {
                Some(named) => named.expr.clone(),
                None => self.bind(planning, scope, "order clause", AggregateUse::Allowed, aliases, |b| {
                    b.bind_typed(&item.expr)
                })?,
            };
            out.push(OrderKey { expr, descending: item.descending, item: named });
        }
        Ok(out)
    }
}

fn group_position(error: SqlError) -> SqlError {
    SqlError { message: error.message.replace("order clause", "group statement"), ..error }
}

/// Whether it is a call over a window, whose answers MySQL keeps in a table.
fn is_window(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ast::ExprKind::Window(_) => true,
        ast::ExprKind::Aggregate(call) => call.over.is_some(),
        _ => false,
    }
}

/// A heading taken from the text: MySQL cuts it at 256 characters.
fn heading(text: &str) -> &str {
    match text.char_indices().nth(256) {
        Some((at, _)) => text.get(..at).unwrap_or(text),
        None => text,
    }
}
