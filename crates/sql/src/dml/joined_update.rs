//! UPDATE whose rows a query finds: over joins, with subqueries, with WITH.
//!
//! - A row changes once, however often the join gives it.
//! - Assignments run table by table in the order of FROM, each seeing what those before it assigned.
//! - Values with a subquery are computed by the query, from the rows as they were, unless they read a column that was
//!   assigned before them: then the subquery runs for the row as it is by then. Where it might read the table that
//!   changes, through a derived table, all rows of the only table are computed before the first one is changed; of
//!   several tables, the query computes it.

use std::rc::Rc;
use std::sync::Arc;

use rustydb_catalog::ColumnDef;
use rustydb_sql_parser::ast::{Expr, ExprKind, Ident, ObjectName, TableReference, Update};
use rustydb_transaction::LockMode;
use rustydb_value::Value;

use super::auto_increment::AutoIncrement;
use super::conversion::store_mode;
use super::evaluation::{Querying, Source, as_query, column_vector, evaluate_for, evaluate_querying};
use super::joined::{
    Clauses, Done, Found, Target, Walk, each_condition, has_subquery, key_bytes, qualified, target_of,
};
use super::read_target::{check_subqueries, may_read};
use super::rules::RowRules;
use super::update::{Updating, check_assigned};
use super::writer::{TableWriter, row_values};
use super::{Changes, Summary};
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::error::SqlError;
use crate::exec;
use crate::exec::collected::Records;
use crate::exec::spill::rows::Cursor;
use crate::expr::bind::Binder;
use crate::expr::planning::Planning;
use crate::expr::scope::Scope;
use crate::expr::vector::Builder;
use crate::expr::{BoundExpr, Vector};
use crate::view::change::{BoundChecks, ViewChecks};

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
    /// Whether a late subquery might read the only target
    computes_first: bool,
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
            computes_first: false,
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
        if self.assignments.is_empty() || !has_subquery(value) {
            return Ok(None);
        }
        let within;
        let value = match &statement.with {
            Some(with) => {
                within = Expr::new(ExprKind::Subquery(Box::new(as_query(value, Some(with)))));
                &within
            }
            None => value,
        };
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
        let computes_first = may_read(&self.targets, value, &mut is_view);
        if computes_first && self.scope.tables.len() > 1 {
            return Ok(None);
        }
        self.computes_first |= computes_first;
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
        let mut changing = self.open_targets(ignore, tables, context)?;
        match changing.as_mut_slice() {
            [only] if self.computes_first => self.change_as_computed(only, found, context)?,
            _ => self.change_as_found(&mut changing, found, context)?,
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

    /// What changes the rows of each target.
    fn open_targets(
        &mut self,
        ignore: bool,
        tables: &mut dyn TableLookup,
        context: &ExecContext<'_>,
    ) -> Result<Vec<Updating>, SqlError> {
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
        Ok(changing)
    }

    /// Computes the new values of all rows before it writes the first.
    fn change_as_computed(
        &self,
        updating: &mut Updating,
        found: &exec::Collected,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let mut computed = Records::new(2, "the new rows of a change", context);
        let mut walk = Walk::over(found);
        let mut number = 0;
        while let Some(row) = &walk.next()? {
            if context.eval.cancel.is_cancelled() {
                return Err(SqlError::query_interrupted());
            }
            let Some(key) = row.first().and_then(key_bytes) else { continue };
            let Some((_, values)) = current(updating, key, context)? else { continue };
            number += 1;
            context.eval.row = number;
            let mut new = [Some(values)];
            self.assign(0, updating, row, &mut new, context)?;
            let [values] = new;
            computed.push(&[key, updating.writer.encoded(&values.unwrap_or_default())?])?;
        }
        computed.settle()?;
        let trees = Arc::clone(updating.writer.trees());
        let mut cursor = Cursor::default();
        while let Some(batch) = computed.next(&mut cursor)? {
            let [keys, rows] = batch.columns.as_slice() else { break };
            for at in 0..batch.rows {
                if context.eval.cancel.is_cancelled() {
                    return Err(SqlError::query_interrupted());
                }
                let (key, new) = (keys.bytes(at), row_values(&trees.reader.row(rows.bytes(at))?)?);
                updating.matched += 1;
                context.eval.row = updating.matched;
                let Some((bytes, before)) = current(updating, key, context)? else { continue };
                // A cascade may have changed other columns by now.
                let mut values = before.clone();
                for column in &updating.assigned {
                    if let (Some(slot), Some(value)) = (values.get_mut(*column), new.get(*column)) {
                        slot.clone_from(value);
                    }
                }
                updating.write(key, &bytes, &before, values, context)?;
            }
        }
        Ok(())
    }

    /// Changes the rows in the order in which they were found, table by table.
    fn change_as_found(
        &self,
        changing: &mut [Updating],
        found: &exec::Collected,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
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
                if let Some(updating) = changing.get(target) {
                    self.assign(target, updating, row, &mut new, context)?;
                }
                let Some(values) = new.get(target).cloned().flatten() else { continue };
                if let Some(updating) = changing.get_mut(target) {
                    updating.write(key, bytes, before, values, context)?;
                }
            }
        }
        Ok(())
    }

    /// Runs the assignments of a target over the row as it is by now.
    fn assign(
        &self,
        target: usize,
        updating: &Updating,
        row: &Found,
        new: &mut [Option<Vec<Value>>],
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        for assignment in self.assignments.iter().filter(|a| a.target == target) {
            let value = self.value(assignment, updating, row, new, context)?;
            let values = new.get_mut(target).and_then(Option::as_mut);
            if let Some(slot) = values.and_then(|v| v.get_mut(assignment.column)) {
                *slot = value;
            }
        }
        Ok(())
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
