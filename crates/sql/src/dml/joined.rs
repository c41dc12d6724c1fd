//! UPDATE and DELETE whose rows a query finds: over joins, with subqueries, with WITH.
//!
//! The statement becomes a query for the keys of the rows that change and for what the assignments read of other
//! tables. It runs to its end before the first row is changed, under exclusive locks on the rows of the tables that
//! change and, under REPEATABLE READ, shared ones on the others; so a statement never sees its own changes.
//!
//! - A row changes once, however often the join gives it.
//! - Assignments run table by table in the order of FROM, each seeing what those before it assigned.
//! - Values with a subquery are computed by the query, from the rows as they were, unless they read a column of the only
//!   table that was assigned before them: then the subquery runs when the row is changed, if it reads nothing but other
//!   tables.
//! - A subquery may not read a table that changes (1093), unless through a derived table.
//!
//! What the query finds goes on in a temporary file, and of a join so do the keys of the rows that have changed.

use std::rc::Rc;
use std::sync::Arc;

use rustydb_catalog::{ColumnDef, TableDef};
use rustydb_sql_parser::ast::{
    ColumnName, Delete, DeleteTarget, Expr, ExprKind, Ident, Limit, LimitValue, LockWait, Locking,
    ObjectName, OrderItem, Query, QueryBody, Select, SelectItem, Span, TableReference, Update, With,
};
use rustydb_transaction::LockMode;
use rustydb_value::Value;

use super::auto_increment::AutoIncrement;
use super::conversion::store_mode;
use super::delete::delete_row;
use super::evaluation::{Querying, Source, column_vector, evaluate_for, evaluate_querying};
use super::read_target::{check_subqueries, reads_tables_alone};
use super::rules::RowRules;
use super::update::Updating;
use super::update::check_assigned;
use super::writer::{TableWriter, row_values};
use super::{Changes, Summary};
use crate::context::{BindContext, ExecContext, TableLookup, TableUse};
use crate::ddl::names;
use crate::error::SqlError;
use crate::exec;
use crate::exec::spill::key_set::KeySet;
use crate::exec::spill::rows::{Cursor, Space};
use crate::expr::bind::Binder;
use crate::expr::planning::Planning;
use crate::expr::scope::{ROW_KEY, Scope, ScopeTable};
use crate::expr::vector::Builder;
use crate::expr::{BoundExpr, Vector};
use crate::plan;
use crate::view::change::{BoundChecks, ViewChecks};
use crate::virtual_database;

/// A table whose rows change.
pub(super) struct Target {
    /// Its definition.
    pub(super) def: Arc<TableDef>,
    /// The name that the statement has for it.
    pub(super) alias: String,
    /// Position of its first column among those of FROM.
    offset: usize,
}

impl Target {
    /// A table that a statement names alone.
    pub(super) fn of(def: &Arc<TableDef>) -> Target {
        Target { def: Arc::clone(def), alias: def.name.clone(), offset: 0 }
    }
}

/// The clauses that find the rows.
struct Clauses<'q> {
    with: Option<&'q With>,
    from: &'q [TableReference],
    filter: Option<&'q Expr>,
    order_by: &'q [OrderItem],
    limit: Option<&'q LimitValue>,
}

/// A row of the query: the key of each target's row, then the further cells.
type Found = Vec<Value>;

/// Whether an expression holds a subquery.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    expr.any(&mut |e| {
        matches!(
            e.kind,
            ExprKind::Subquery(_)
                | ExprKind::Exists(_)
                | ExprKind::InSubquery { .. }
                | ExprKind::Quantified(_)
        )
    })
}

impl Clauses<'_> {
    fn query(&self, items: Vec<SelectItem>, locking: Vec<Locking>) -> Query {
        Query {
            with: self.with.cloned(),
            body: QueryBody::Select(Box::new(Select {
                items,
                from: self.from.to_vec(),
                filter: self.filter.cloned(),
                ..Select::default()
            })),
            order_by: self.order_by.to_vec(),
            limit: self.limit.map(|count| Limit { count: count.clone(), offset: None }),
            locking,
            into: None,
            span: Span::default(),
        }
    }

    /// The names that FROM gives.
    fn scope(
        &self,
        sql: &str,
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<Scope, SqlError> {
        let one = Expr::new(ExprKind::Literal(rustydb_sql_parser::ast::Literal::Integer(1)));
        let bare = Clauses { filter: None, order_by: &[], limit: None, ..*self };
        let query = bare.query(vec![SelectItem::Expr { expr: one, alias: None }], Vec::new());
        let mut bind = BindContext { tables, session: context.eval.session };
        let mut planning = Planning::new(&mut bind, sql, Some(context.eval.params));
        planning.row_keys = true;
        plan::plan_query(&query, &mut planning)?;
        planning.row_key_scope.take().ok_or_else(|| SqlError::unknown("FROM without tables"))
    }

    /// Finds the rows: the keys of the targets' rows and the cells of `further` items.
    fn find(
        &self,
        scope: &Scope,
        targets: &[Target],
        further: Vec<Expr>,
        sql: &str,
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<exec::Collected, SqlError> {
        let key = |target: &Target| Expr::new(ExprKind::Column(qualified(scope, target.offset, ROW_KEY)));
        let items: Vec<SelectItem> = targets
            .iter()
            .map(key)
            .chain(further)
            .map(|expr| SelectItem::Expr { expr, alias: None })
            .collect();
        let query = self.query(items, locking(scope, targets, context));
        let plan = {
            let mut bind = BindContext { tables, session: context.eval.session };
            let mut planning = Planning::new(&mut bind, sql, Some(context.eval.params));
            planning.row_keys = true;
            plan::plan_query(&query, &mut planning)?
        };
        let found_rows = context.eval.session.found_rows;
        // What the query finds leaves a share for the keys of rows that have changed.
        let share = context.memory.reserve();
        let found = exec::Collected::run(&plan, "the rows of a change", context)?;
        drop(share);
        context.eval.session.found_rows = found_rows;
        Ok(found)
    }
}

/// A column of the table that begins at `offset`, by a name that nothing else has.
fn qualified(scope: &Scope, offset: usize, column: &str) -> ColumnName {
    let table = scope.tables.iter().find(|t| t.offset == offset).map(|t| {
        let database = (!t.database.is_empty()).then(|| Ident::new(&*t.database));
        Box::new(ObjectName { database, name: Ident::new(&*t.name) })
    });
    ColumnName { table, name: Ident::new(column) }
}

/// Exclusive locks for the targets; shared ones for other stored tables where rows read must not change before the
/// transaction ends.
fn locking(scope: &Scope, targets: &[Target], context: &ExecContext<'_>) -> Vec<Locking> {
    let clause =
        |exclusive: bool, tables: Vec<ObjectName>| Locking { exclusive, tables, wait: LockWait::Wait };
    let is_target = |t: &&ScopeTable| targets.iter().any(|target| target.offset == t.offset);
    let name = |t: &ScopeTable| ObjectName {
        database: Some(Ident::new(&*t.database)).filter(|_| !t.database.is_empty()),
        name: Ident::new(&*t.name),
    };
    let mut out = vec![clause(true, scope.tables.iter().filter(is_target).map(name).collect())];
    let others: Vec<ObjectName> =
        scope.tables.iter().filter(|t| has_row_key(t) && !is_target(t)).map(name).collect();
    if !others.is_empty() && isolation_keeps_reads(context) {
        out.push(clause(false, others));
    }
    out
}

fn isolation_keeps_reads(context: &ExecContext<'_>) -> bool {
    context.txn.isolation() == rustydb_transaction::Isolation::RepeatableRead
}

fn has_row_key(table: &ScopeTable) -> bool {
    table.columns.last().is_some_and(|c| &*c.name == ROW_KEY)
}

/// The table that a part of FROM stands for, to be changed; 1288 if it stands for none.
fn target_of(
    table: &ScopeTable,
    operation: &str,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Target, SqlError> {
    let key = table.columns.last().filter(|c| &*c.name == ROW_KEY);
    let schema = table.columns.first().map_or("", |c| c.meta.schema.as_str());
    if names::is_system_database(schema) {
        let session = &*context.eval.session;
        return Err(virtual_database::denied(operation, schema, &table.name, session));
    }
    let Some(key) = key else { return Err(SqlError::not_updatable(&table.name, operation)) };
    let found = tables.table_as(&key.meta.schema, &key.meta.org_table, &table.name, TableUse::Write)?;
    Ok(Target { def: found.def, alias: table.name.to_string(), offset: table.offset })
}

/// Runs an UPDATE through a query.
pub(super) fn update(
    statement: &Update,
    checks: Option<&ViewChecks>,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let several = !matches!(statement.tables.as_slice(), [TableReference::Table(_)]);
    if several && !statement.order_by.is_empty() {
        return Err(SqlError::incorrect_usage("UPDATE", "ORDER BY"));
    }
    if several && statement.limit.is_some() {
        return Err(SqlError::incorrect_usage("UPDATE", "LIMIT"));
    }
    let clauses = Clauses {
        with: statement.with.as_ref(),
        from: &statement.tables,
        filter: statement.filter.as_ref(),
        order_by: &statement.order_by,
        limit: statement.limit.as_ref(),
    };
    let scope = clauses.scope(sql, tables, context)?;
    let mut update = JoinedUpdate::bind(statement, scope, sql, tables, context)?;
    let targets: Vec<Target> = std::mem::take(&mut update.targets);
    check_subqueries(
        &targets,
        clauses.with,
        &mut |f| {
            statement.assignments.iter().for_each(|a| f(&a.value));
            each_condition(&clauses, f);
        },
        context.eval.session,
    )?;
    let further = std::mem::take(&mut update.further);
    let found = clauses.find(&update.scope, &targets, further, sql, tables, context)?;
    update.targets = targets;
    if let Some(checks) = checks
        && let Some(at) = update.targets.iter().position(|t| t.alias == checks.alias)
        && let Some(def) = update.targets.get(at).map(|t| Arc::clone(&t.def))
    {
        update.checks = Some((at, checks.bind(&def, tables, context)?));
    }
    update.run(statement.ignore, &found, tables, context)
}

fn each_condition(clauses: &Clauses<'_>, f: &mut dyn FnMut(&Expr)) {
    clauses.filter.iter().for_each(|e| f(e));
    clauses.order_by.iter().for_each(|item| f(&item.expr));
    for reference in clauses.from {
        reference.clone().each_condition(&mut |condition| f(condition));
    }
}

/// What one assignment does.
struct Assignment {
    /// Position in [`JoinedUpdate::targets`].
    target: usize,
    /// Position in the table.
    column: usize,
    value: Assigned,
}

enum Assigned {
    /// DEFAULT, or a constant.
    Known(Source),
    /// Evaluated when the row is changed, over [`JoinedUpdate::used`].
    Late(Box<BoundExpr>),
    /// The same, running queries.
    Querying(Rc<Querying>),
    /// Computed by the query: position among the further cells.
    Cell(usize),
}

struct JoinedUpdate {
    scope: Scope,
    targets: Vec<Target>,
    assignments: Vec<Assignment>,
    /// What the query gives behind the keys.
    further: Vec<Expr>,
    /// The columns that late assignments read.
    used: Vec<UsedColumn>,
    /// Those of a view WITH CHECK OPTION, and for which target.
    checks: Option<(usize, BoundChecks)>,
}

/// A column that a late assignment reads.
struct UsedColumn {
    /// Position in the scope.
    at: usize,
    from: UsedFrom,
}

#[derive(Clone, Copy)]
enum UsedFrom {
    /// Target and column: the row as it is by now.
    Target(usize, usize),
    /// A further cell.
    Cell(usize),
}

impl JoinedUpdate {
    fn bind(
        statement: &Update,
        scope: Scope,
        sql: &str,
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<JoinedUpdate, SqlError> {
        let mut out = JoinedUpdate {
            scope,
            targets: Vec::new(),
            assignments: Vec::new(),
            further: Vec::new(),
            used: Vec::new(),
            checks: None,
        };
        // (position in FROM, column, which assignment): tables in the order of FROM.
        let mut places = Vec::with_capacity(statement.assignments.len());
        for (number, assignment) in statement.assignments.iter().enumerate() {
            let at = out.scope.find(&assignment.column, "field list")?;
            let table =
                out.scope.tables.iter().position(|t| at >= t.offset && at < t.offset + t.columns.len());
            let table = table.ok_or_else(|| SqlError::unknown("a column without a table"))?;
            places.push((table, at, number));
        }
        places.sort_by_key(|(table, _, number)| (*table, *number));
        let mut known: Vec<usize> = Vec::new();
        for (table, _, _) in &places {
            if !known.contains(table)
                && let Some(named) = out.scope.tables.get(*table)
            {
                out.targets.push(target_of(named, "UPDATE", tables, context)?);
                known.push(*table);
            }
        }
        for (table, at, number) in places {
            let Some(target) = known.iter().position(|t| *t == table) else { continue };
            let Some(assignment) = statement.assignments.get(number) else { continue };
            let Some(of) = out.targets.get(target) else { continue };
            let column = at - of.offset;
            let Some(definition) = of.def.columns.get(column).cloned() else { continue };
            check_assigned(&of.def, &definition, &assignment.value)?;
            let value = if let Some(querying) =
                out.querying(statement, &assignment.value, &definition, (sql, &mut *tables), context)?
            {
                Assigned::Querying(querying)
            } else if has_subquery(&assignment.value) {
                out.further.push(assignment.value.clone());
                Assigned::Cell(out.further.len() - 1)
            } else {
                let mut bind = BindContext { tables, session: context.eval.session };
                let params = context.eval.params;
                match Source::bind(&assignment.value, &definition, &out.scope, &mut bind, sql, params)? {
                    Source::Bound(bound) => {
                        let mut bound = *bound;
                        out.use_columns(&mut bound);
                        Assigned::Late(Box::new(bound))
                    }
                    known => Assigned::Known(known),
                }
            };
            out.assignments.push(Assignment { target, column, value });
        }
        // Values that the query computes must be right before it runs.
        for expr in &out.further {
            let mut bind = BindContext { tables, session: context.eval.session };
            let mut planning = Planning::new(&mut bind, sql, Some(context.eval.params));
            if let (None, ExprKind::Column(_)) = (&statement.with, &expr.kind) {
                Binder::new(&mut planning, &out.scope, "field list").bind(expr)?;
            }
        }
        Ok(out)
    }

    /// A value with subqueries that reads what was assigned before it, to be evaluated when the row is changed.
    fn querying(
        &mut self,
        statement: &Update,
        value: &Expr,
        column: &ColumnDef,
        (sql, tables): (&str, &mut dyn TableLookup),
        context: &mut ExecContext<'_>,
    ) -> Result<Option<Rc<Querying>>, SqlError> {
        // Of several tables, MySQL does not promise an order.
        let several = self.scope.tables.len() > 1;
        if several || self.assignments.is_empty() || statement.with.is_some() || !has_subquery(value) {
            return Ok(None);
        }
        let mut bind = BindContext { tables: &mut *tables, session: context.eval.session };
        let params = context.eval.params;
        let mut source = Source::bind(value, column, &self.scope, &mut bind, sql, params)?;
        let mut read = Vec::new();
        if let Some(bound) = source.expression() {
            bound.columns(&mut read);
        }
        let assigned = |a: &Assignment| self.targets.get(a.target).map(|t| t.offset + a.column);
        if !self.assignments.iter().filter_map(assigned).any(|at| read.contains(&at)) {
            return Ok(None);
        }
        let mut is_view = |name: &ObjectName| {
            let database =
                name.database.as_ref().map(Ident::as_str).or(context.eval.session.database.as_deref());
            // What cannot be looked up is refused when the statement is planned.
            database.is_none_or(|database| !matches!(tables.view(database, name.name.as_str()), Ok(None)))
        };
        if !reads_tables_alone(value, &mut is_view) {
            return Ok(None);
        }
        if let Some(bound) = source.expression() {
            self.use_columns(bound);
        }
        Ok(match source {
            Source::Querying(querying) => Some(querying),
            _ => None,
        })
    }

    /// Numbers the columns of an expression among [`JoinedUpdate::used`].
    fn use_columns(&mut self, bound: &mut BoundExpr) {
        let mut columns = Vec::new();
        bound.columns(&mut columns);
        for at in columns {
            if self.used.iter().any(|u| u.at == at) {
                continue;
            }
            let of = self.targets.iter().position(|t| at >= t.offset && at - t.offset < t.def.columns.len());
            let from = match of {
                Some(target) => {
                    let offset = self.targets.get(target).map_or(0, |t| t.offset);
                    UsedFrom::Target(target, at - offset)
                }
                None => {
                    let table = self.scope.tables.iter().rfind(|t| t.offset <= at);
                    let offset = table.map_or(0, |t| t.offset);
                    let name = self.scope.column(at).map(|c| c.name.clone()).unwrap_or_default();
                    let column = qualified(&self.scope, offset, &name);
                    self.further.push(Expr::new(ExprKind::Column(column)));
                    UsedFrom::Cell(self.further.len() - 1)
                }
            };
            self.used.push(UsedColumn { at, from });
        }
        let used = &self.used;
        bound.remap(&|at| used.iter().position(|u| u.at == at).unwrap_or(at));
    }

    fn run(
        mut self,
        ignore: bool,
        found: &exec::Collected,
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<Changes, SqlError> {
        let mut changing = Vec::with_capacity(self.targets.len());
        for (number, target) in self.targets.iter().enumerate() {
            let assigned: Vec<usize> =
                self.assignments.iter().filter(|a| a.target == number).map(|a| a.column).collect();
            changing.push(Updating {
                writer: TableWriter::open(&target.def, tables, context)?,
                rules: RowRules::bind(&target.def, context.eval.session)?,
                checks: match self.checks.take() {
                    Some((at, checks)) if at == number => Some(checks),
                    other => {
                        self.checks = other;
                        None
                    }
                },
                automatic: AutoIncrement::of(&target.def).filter(|a| assigned.contains(&a.column())),
                mode: store_mode(&context.eval.session.settings, ignore),
                ignore,
                matched: 0,
                changed: 0,
                assignments: Vec::new(),
                assigned,
                table: Arc::clone(&target.def),
            });
        }
        // The only table of a query gives each of its rows once.
        let mut done = (self.scope.tables.len() > 1).then(|| Done::new(context));
        let mut number = 0;
        let mut found = Walk::over(found);
        while let Some(row) = &found.next()? {
            if context.eval.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            // The rows of all targets as they are by now.
            let mut old: Vec<Option<OldRow<'_>>> = Vec::with_capacity(changing.len());
            for (updating, key) in changing.iter().zip(row) {
                old.push(match key_bytes(key) {
                    Some(key) => current(updating, key, context)?.map(|(bytes, values)| (key, bytes, values)),
                    None => None,
                });
            }
            let mut new: Vec<Option<Vec<Value>>> =
                old.iter().map(|o| o.as_ref().map(|(_, _, values)| values.clone())).collect();
            for target in 0..changing.len() {
                let Some(key) = old.get(target).and_then(|o| o.as_ref().map(|(key, _, _)| *key)) else {
                    continue;
                };
                if let Some(done) = &mut done
                    && !done.insert(target, key, context)?
                {
                    continue;
                }
                let cascades = changing.iter().any(|updating| updating.writer.cascades());
                if (cascades || self.shares_table(target))
                    && let Some(updating) = changing.get(target)
                {
                    // Another alias of the same table, or a cascade, may have changed this very row.
                    let again = current(updating, key, context)?;
                    if let Some(slot) = new.get_mut(target) {
                        *slot = again.as_ref().map(|(_, values)| values.clone());
                    }
                    if let Some(slot) = old.get_mut(target) {
                        *slot = again.map(|(bytes, values)| (key, bytes, values));
                    }
                }
                let Some(Some((_, bytes, before))) = old.get(target) else { continue };
                number += 1;
                context.eval.row = number;
                if let Some(updating) = changing.get_mut(target) {
                    updating.matched += 1;
                }
                for assignment in self.assignments.iter().filter(|a| a.target == target) {
                    let Some(updating) = changing.get(target) else { continue };
                    let value = self.value(assignment, updating, row, &new, context)?;
                    if let Some(slot) = new
                        .get_mut(target)
                        .and_then(Option::as_mut)
                        .and_then(|v| v.get_mut(assignment.column))
                    {
                        *slot = value;
                    }
                }
                let Some(values) = new.get(target).cloned().flatten() else { continue };
                if let Some(updating) = changing.get_mut(target) {
                    updating.write(key, bytes, before, values, context)?;
                }
            }
        }
        let matched = changing.iter().map(|u| u.matched).sum();
        let changed = changing.iter().map(|u| u.changed).sum();
        let found_rows = context.eval.session.found_rows_mode;
        Ok(Changes {
            affected: if found_rows { matched } else { changed },
            summary: Summary::Matched { matched, changed },
            ..Changes::default()
        })
    }

    /// Whether a target before this one is the same table under another name.
    fn shares_table(&self, target: usize) -> bool {
        let id = self.targets.get(target).map(|t| t.def.id);
        self.targets.iter().take(target).any(|t| Some(t.def.id) == id)
    }

    /// The value of an assignment, as the column stores it.
    fn value(
        &self,
        assignment: &Assignment,
        updating: &Updating,
        row: &Found,
        new: &[Option<Vec<Value>>],
        context: &mut ExecContext<'_>,
    ) -> Result<Value, SqlError> {
        let cell = |at: usize| row.get(self.targets.len() + at).cloned().unwrap_or(Value::Null);
        match &assignment.value {
            Assigned::Known(source) => {
                let values = new.get(assignment.target).and_then(Option::as_deref).unwrap_or_default();
                updating.source_value(assignment.column, source, values, context)
            }
            Assigned::Cell(at) => updating.stored_value(assignment.column, &cell(*at), context),
            Assigned::Late(bound) => {
                let vectors = self.vectors(row, new, context);
                let Some(column) = updating.table.columns.get(assignment.column) else {
                    return Ok(Value::Null);
                };
                let value = evaluate_for(bound, &vectors, &column.ty, &mut context.eval)?;
                updating.stored_value(assignment.column, &value, context)
            }
            Assigned::Querying(querying) => {
                let vectors = self.vectors(row, new, context);
                let Some(column) = updating.table.columns.get(assignment.column) else {
                    return Ok(Value::Null);
                };
                let value = evaluate_querying(querying, &vectors, &column.ty, context)?;
                updating.stored_value(assignment.column, &value, context)
            }
        }
    }

    /// What late assignments read, as it is by now.
    fn vectors(&self, row: &Found, new: &[Option<Vec<Value>>], context: &ExecContext<'_>) -> Vec<Vector> {
        let cell = |at: usize| row.get(self.targets.len() + at).cloned().unwrap_or(Value::Null);
        let zone = context.eval.session.settings.time_zone;
        let mut vectors: Vec<Vector> = Vec::with_capacity(self.used.len());
        for used in &self.used {
            vectors.push(match used.from {
                UsedFrom::Target(target, column) => {
                    let definition = self.targets.get(target).and_then(|t| t.def.columns.get(column));
                    let value = new.get(target).and_then(Option::as_ref).and_then(|v| v.get(column));
                    match (definition, value) {
                        (Some(definition), Some(value)) => column_vector(definition, value, zone),
                        _ => Vector::null(1),
                    }
                }
                UsedFrom::Cell(at) => match self.scope.column(used.at) {
                    Some(column) => {
                        let mut builder = Builder::of(&column.ty, 1);
                        builder.push(cell(at).as_ref());
                        builder.finish()
                    }
                    None => Vector::null(1),
                },
            });
        }
        vectors
    }
}

fn key_bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(key) => Some(key),
        Value::Text(key) => Some(key.as_bytes()),
        _ => None,
    }
}

/// The rows of a query, one by one.
struct Walk<'f> {
    found: &'f exec::Collected,
    cursor: Cursor,
    part: std::vec::IntoIter<Found>,
}

impl<'f> Walk<'f> {
    fn over(found: &'f exec::Collected) -> Walk<'f> {
        Walk { found, cursor: Cursor::default(), part: Vec::new().into_iter() }
    }

    fn next(&mut self) -> Result<Option<Found>, SqlError> {
        if self.part.len() == 0 {
            self.part = self.found.next(&mut self.cursor)?.into_iter();
        }
        Ok(self.part.next())
    }
}

/// Which rows of which targets have changed.
struct Done {
    keys: KeySet,
    key: Vec<u8>,
}

impl Done {
    fn new(context: &ExecContext<'_>) -> Done {
        let (reservation, space) = (context.memory.reserve(), Space::new(context.database));
        Done { keys: KeySet::new("the rows of a change", reservation, space), key: Vec::new() }
    }

    /// Remembers a row; false if it was known.
    fn insert(&mut self, target: usize, key: &[u8], context: &ExecContext<'_>) -> Result<bool, SqlError> {
        self.key.clear();
        self.key.extend_from_slice(&(target as u32).to_be_bytes());
        self.key.extend_from_slice(key);
        self.keys.insert(&self.key, &|| match context.eval.cancel.is_cancelled() {
            true => Err(SqlError::query_interrupted()),
            false => Ok(()),
        })
    }
}

type Row = (Vec<u8>, Vec<Value>);

/// The key of a row, its bytes and its values.
type OldRow<'k> = (&'k [u8], Vec<u8>, Vec<Value>);

/// A row of a target as it is by now, unless this statement has moved it elsewhere.
fn current(updating: &Updating, key: &[u8], context: &mut ExecContext<'_>) -> Result<Option<Row>, SqlError> {
    let trees = Arc::clone(updating.writer.trees());
    let Some(bytes) = context.txn.get_locked(&trees.primary, key, LockMode::Exclusive)? else {
        return Ok(None);
    };
    let values = row_values(&trees.reader.row(&bytes)?)?;
    Ok(Some((bytes, values)))
}

/// Runs a DELETE through a query.
pub(super) fn delete(
    statement: &Delete,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let single;
    let from: &[TableReference] = match &statement.target {
        DeleteTarget::Single(source) => {
            single = [TableReference::Table(source.clone())];
            &single
        }
        DeleteTarget::Multiple { from, .. } => from,
    };
    let clauses = Clauses {
        with: statement.with.as_ref(),
        from,
        filter: statement.filter.as_ref(),
        order_by: &statement.order_by,
        limit: statement.limit.as_ref(),
    };
    let scope = clauses.scope(sql, tables, context)?;
    let mut targets: Vec<Target> = Vec::new();
    match &statement.target {
        DeleteTarget::Single(_) => {
            if let Some(table) = scope.tables.first() {
                targets.push(target_of(table, "DELETE", tables, context)?);
            }
        }
        DeleteTarget::Multiple { targets: named, .. } => {
            for name in named {
                let found = scope.tables.iter().find(|t| {
                    *t.name == *name.name.as_str()
                        && name.database.as_ref().is_none_or(|d| *t.database == *d.as_str())
                });
                let unknown = || SqlError::unknown_table(name.name.as_str(), "MULTI DELETE");
                let table = found.ok_or_else(unknown)?;
                if targets.iter().any(|t| t.offset == table.offset) {
                    return Err(SqlError::table_not_unique(&table.name));
                }
                targets.push(target_of(table, "DELETE", tables, context)?);
            }
        }
    }
    check_subqueries(&targets, clauses.with, &mut |f| each_condition(&clauses, f), context.eval.session)?;
    let found = clauses.find(&scope, &targets, Vec::new(), sql, tables, context)?;
    let mut affected = 0;
    for (at, target) in targets.iter().enumerate() {
        let mut writer = TableWriter::open(&target.def, tables, context)?;
        let trees = Arc::clone(writer.trees());
        let mut done = (scope.tables.len() > 1).then(|| Done::new(context));
        let mut walk = Walk::over(&found);
        while let Some(row) = walk.next()? {
            if context.eval.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            let Some(key) = row.get(at).and_then(key_bytes) else { continue };
            if let Some(done) = &mut done
                && !done.insert(at, key, context)?
            {
                continue;
            }
            context.eval.row = affected + 1;
            // Under another alias it may be gone already.
            let Some(bytes) = context.txn.get_locked(&trees.primary, key, LockMode::Exclusive)? else {
                continue;
            };
            if delete_row(&mut writer, key, &bytes, statement.ignore, context)? {
                affected += 1;
            }
        }
    }
    Ok(Changes { affected, ..Changes::default() })
}
