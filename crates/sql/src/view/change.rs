//! Changes through views: a statement about a view becomes one about the tables under it.
//!
//! The view's FROM takes the place of the view, its condition joins the statement's, and each of its columns is
//! replaced by what it stands for. Only a view whose rows are rows of its tables can be changed (1288, 1471), only
//! columns that are columns of one table (1348, 1393), and a view of several tables loses no rows (1395).
//!
//! WITH CHECK OPTION comes along as conditions on the row as it will be: those of the view, and below it all (CASCADED)
//! or those of views that ask for it (LOCAL).
//!
//! Limits: the conditions of CHECK OPTION are over one table and hold no subquery (1235); a name without its table in
//! a subquery is not taken for a column of the view.

use std::sync::Arc;

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{TableDef, ViewAlgorithm, ViewCheck, ViewDef};
use rustydb_sql_parser::ast::{
    Assignment, ColumnName, Delete, DeleteTarget, Expr, ExprKind, Ident, Insert, InsertSource, Join,
    JoinKind, ObjectName, Part, Query, Select, SelectItem, TableReference, TableSource, Update,
};

use rustydb_value::Value;

use super::{plain_select, read};
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::ddl::names;
use crate::dml::evaluation::row_vectors;
use crate::error::SqlError;
use crate::expr::planning::Planning;
use crate::expr::{self, BoundExpr, Scope};

/// A condition that rows must satisfy which are written through a view.
pub(crate) struct ViewChecks {
    conditions: Vec<Expr>,
    /// The base table's name in them.
    pub(crate) alias: String,
    view: (String, String),
}

impl ViewChecks {
    /// Binds the conditions over the columns of the base table.
    pub(crate) fn bind(
        &self,
        table: &TableDef,
        tables: &mut dyn TableLookup,
        context: &ExecContext<'_>,
    ) -> Result<BoundChecks, SqlError> {
        let scope = Scope::of_table(table, Some(&self.alias));
        let mut conditions = Vec::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            let mut bind = BindContext { tables, session: context.eval.session };
            let mut planning = Planning::new(&mut bind, "", Some(&[]));
            conditions.push(expr::coerce::to_truth(expr::bind(condition, &scope, &mut planning)?));
        }
        Ok(BoundChecks { conditions, failed: SqlError::view_check_failed(&self.view.0, &self.view.1) })
    }
}

/// Conditions over the row of a table, and the error for a row that does not satisfy them.
pub(crate) struct BoundChecks {
    conditions: Vec<BoundExpr>,
    failed: SqlError,
}

impl BoundChecks {
    /// Whether a row of stored values may be written; for IGNORE one that may not is a warning, else error 1369.
    pub(crate) fn allow(
        &self,
        table: &TableDef,
        values: &[Value],
        ignore: bool,
        context: &mut ExecContext<'_>,
    ) -> Result<bool, SqlError> {
        let zone = context.eval.session.settings.time_zone;
        let row = row_vectors(table, values, zone);
        for condition in &self.conditions {
            let truth = expr::evaluate_row(condition, &row, &mut context.eval)?;
            if matches!(truth, Value::Int(n) if n != 0) || matches!(truth, Value::UInt(n) if n != 0) {
                continue;
            }
            if ignore {
                context.eval.session.warn(&self.failed);
                return Ok(false);
            }
            return Err(self.failed.clone());
        }
        Ok(true)
    }
}

/// A view as what it is made of.
struct Merged {
    view: Arc<ViewDef>,
    from: Vec<TableReference>,
    filter: Vec<Expr>,
    columns: Vec<(String, Expr)>,
    checks: Vec<Expr>,
    /// Names of the base tables in `from`: alias, database, name.
    bases: Vec<(String, String, String)>,
}

/// What a qualifier in a view's text means here.
enum Meaning {
    Renamed(String),
    View(Vec<(String, Expr)>),
}

/// The tables that an alias or a qualified name stands for.
type Names = Vec<((Option<String>, String), Meaning)>;

/// Takes a view apart; None if its rows are not rows of its tables.
fn merge(
    view: &Arc<ViewDef>,
    prefix: &str,
    cascade: bool,
    depth: usize,
    tables: &mut dyn TableLookup,
) -> Result<Option<Merged>, SqlError> {
    if depth > 60 {
        return Err(SqlError::view_recursion(&view.database, &view.name));
    }
    let query = read(view)?;
    if view.algorithm == ViewAlgorithm::TempTable {
        return Ok(None);
    }
    let Some(select) = plain_select(&query) else { return Ok(None) };
    let mut out = Merged {
        view: Arc::clone(view),
        from: Vec::new(),
        filter: Vec::new(),
        columns: Vec::new(),
        checks: Vec::new(),
        bases: Vec::new(),
    };
    let below = cascade || view.check == Some(ViewCheck::Cascaded);
    let mut known: Names = Vec::new();
    for reference in &select.from {
        let Some(reference) = leaf(reference, prefix, below, depth, &mut out, &mut known, tables, false)?
        else {
            return Ok(None);
        };
        out.from.push(reference);
    }
    for reference in &mut out.from {
        reference.each_condition(&mut |on| substitute(on, &known));
    }
    if let Some(filter) = &select.filter {
        let mut filter = filter.clone();
        substitute(&mut filter, &known);
        if cascade || view.check.is_some() {
            out.checks.push(filter.clone());
        }
        out.filter.push(filter);
    }
    for (at, item) in select.items.iter().enumerate() {
        let SelectItem::Expr { expr, alias } = item else { return Ok(None) };
        let mut expr = expr.clone();
        substitute(&mut expr, &known);
        let named = view.columns.get(at).cloned();
        let name = named.or_else(|| alias.as_ref().map(|a| a.as_str().to_owned())).unwrap_or_default();
        out.columns.push((name, expr));
    }
    Ok(Some(out))
}

/// One reference of a view's FROM under names that nothing else has.
#[expect(clippy::too_many_arguments, reason = "one recursion over a view's FROM")]
fn leaf(
    reference: &TableReference,
    prefix: &str,
    cascade: bool,
    depth: usize,
    out: &mut Merged,
    known: &mut Names,
    tables: &mut dyn TableLookup,
    inner: bool,
) -> Result<Option<TableReference>, SqlError> {
    match reference {
        TableReference::Table(source) => {
            let database = source.name.database.as_ref().map_or("", Ident::as_str).to_owned();
            let name = source.name.name.as_str().to_owned();
            let shown = source.alias.as_ref().map_or(name.as_str(), Ident::as_str).to_owned();
            let key = match &source.alias {
                Some(_) => (None, shown.clone()),
                None => (Some(database.clone()), shown.clone()),
            };
            let renamed = format!("{prefix}.{shown}");
            if !inner && let Some(view) = tables.view(&database, &name)? {
                if let Some(merged) = merge(&view, &renamed, cascade, depth + 1, tables)? {
                    out.filter.extend(merged.filter);
                    out.checks.extend(merged.checks);
                    out.bases.extend(merged.bases);
                    known.push((key, Meaning::View(merged.columns)));
                    let mut from = merged.from;
                    return Ok(match from.len() {
                        1 => from.pop(),
                        _ => Some(TableReference::List(from)),
                    });
                }
            } else {
                out.bases.push((renamed.clone(), database, name));
            }
            known.push((key, Meaning::Renamed(renamed.clone())));
            let alias = Some(Ident::new(renamed));
            Ok(Some(TableReference::Table(Box::new(TableSource { alias, ..source.as_ref().clone() }))))
        }
        TableReference::Derived(derived) => {
            let shown = derived.alias.as_str().to_owned();
            let renamed = format!("{prefix}.{shown}");
            known.push(((None, shown), Meaning::Renamed(renamed.clone())));
            let mut derived = derived.clone();
            derived.alias = Ident::new(renamed);
            Ok(Some(TableReference::Derived(derived)))
        }
        TableReference::Join(join) => {
            let left_inner = inner || join.kind == JoinKind::Right;
            let right_inner = inner || join.kind == JoinKind::Left;
            let left = leaf(&join.left, prefix, cascade, depth, out, known, tables, left_inner)?;
            let right = leaf(&join.right, prefix, cascade, depth, out, known, tables, right_inner)?;
            let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
            let join = Join { left, kind: join.kind, right, constraint: join.constraint.clone() };
            Ok(Some(TableReference::Join(Box::new(join))))
        }
        TableReference::List(list) => {
            let mut new = Vec::with_capacity(list.len());
            for reference in list {
                let Some(one) = leaf(reference, prefix, cascade, depth, out, known, tables, inner)? else {
                    return Ok(None);
                };
                new.push(one);
            }
            Ok(Some(TableReference::List(new)))
        }
        TableReference::JsonTable(_) => Ok(None),
    }
}

/// Replaces qualified columns by what they mean.
fn substitute(expr: &mut Expr, known: &Names) {
    if let ExprKind::Column(column) = &mut expr.kind {
        let Some(table) = &column.table else { return };
        let database = table.database.as_ref().map(|d| d.as_str().to_owned());
        let key = (database, table.name.as_str().to_owned());
        match known.iter().find(|(known, _)| *known == key).map(|(_, meaning)| meaning) {
            Some(Meaning::Renamed(alias)) => {
                let name = ObjectName { database: None, name: Ident::new(alias.as_str()) };
                column.table = Some(Box::new(name));
            }
            Some(Meaning::View(columns)) => {
                if let Some((_, value)) =
                    columns.iter().find(|(name, _)| same_name(name, column.name.as_str()))
                {
                    *expr = value.clone();
                }
            }
            None => {}
        }
        return;
    }
    expr.each_part(&mut |part| match part {
        Part::Expr(inner) => substitute(inner, known),
        Part::Query(query) => substitute_query(query, known),
        Part::Column(_) => {}
    });
}

fn substitute_query(query: &mut Query, known: &Names) {
    query.body.each_select(&mut |select: &mut Select| {
        // What the subquery itself has of that name is its own.
        let mut own: Vec<(Option<String>, String)> = Vec::new();
        for reference in &mut select.from {
            reference.each_leaf(&mut |leaf| match leaf {
                TableReference::Table(source) => own.push(match &source.alias {
                    Some(alias) => (None, alias.as_str().to_owned()),
                    None => (
                        source.name.database.as_ref().map(|d| d.as_str().to_owned()),
                        source.name.name.as_str().to_owned(),
                    ),
                }),
                TableReference::Derived(derived) => own.push((None, derived.alias.as_str().to_owned())),
                _ => {}
            });
        }
        let outer: Names = known
            .iter()
            .filter(|(key, _)| !own.contains(key))
            .map(|(key, meaning)| {
                let meaning = match meaning {
                    Meaning::Renamed(alias) => Meaning::Renamed(alias.clone()),
                    Meaning::View(columns) => Meaning::View(columns.clone()),
                };
                (key.clone(), meaning)
            })
            .collect();
        for reference in &mut select.from {
            reference.each_condition(&mut |on| substitute(on, &outer));
        }
        select.each_part(&mut |part| match part {
            Part::Expr(expr) => substitute(expr, &outer),
            Part::Query(query) => substitute_query(query, &outer),
            Part::Column(_) => {}
        });
    });
}

impl Merged {
    fn column(&self, name: &str) -> Option<&Expr> {
        self.columns.iter().find(|(known, _)| same_name(known, name)).map(|(_, expr)| expr)
    }

    /// Replaces the view's columns in an expression of the statement, whether or not they name the view.
    fn apply(&self, expr: &mut Expr, alias: &str) {
        if let ExprKind::Column(column) = &expr.kind {
            if column.table_name().is_none_or(|table| table == alias)
                && let Some(value) = self.column(column.name.as_str())
            {
                *expr = value.clone();
            }
            return;
        }
        let known: Names = vec![((None, alias.to_owned()), Meaning::View(self.columns.clone()))];
        expr.each_part(&mut |part| match part {
            Part::Expr(inner) => self.apply(inner, alias),
            Part::Query(query) => substitute_query(query, &known),
            Part::Column(_) => {}
        });
    }

    /// The base table's column that a column of the view is; 1348 if it is none.
    fn target(&self, name: &ColumnName) -> Result<ColumnName, SqlError> {
        let unknown = || SqlError::unknown_column(name.name.as_str(), "field list");
        match &self.column(name.name.as_str()).ok_or_else(unknown)?.kind {
            ExprKind::Column(column) => Ok(column.clone()),
            _ => Err(SqlError::column_not_updatable(name.name.as_str())),
        }
    }

    fn checks(&self) -> Result<Option<ViewChecks>, SqlError> {
        if self.checks.is_empty() {
            return Ok(None);
        }
        let [(alias, _, _)] = self.bases.as_slice() else {
            return Err(SqlError::not_supported("CHECK OPTION of a view of several tables"));
        };
        Ok(Some(ViewChecks {
            conditions: self.checks.clone(),
            alias: alias.clone(),
            view: (self.view.database.clone(), self.view.name.clone()),
        }))
    }
}

fn view_named(
    name: &ObjectName,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Option<Arc<ViewDef>>, SqlError> {
    let (database, name) = names::resolve(name, context.eval.session)?;
    tables.view(database, name)
}

fn and(conditions: Vec<Expr>) -> Option<Expr> {
    match conditions.len() {
        0 | 1 => conditions.into_iter().next(),
        _ => Some(Expr::new(ExprKind::And(conditions))),
    }
}

/// A statement about the tables under a view, and what its rows must satisfy.
pub(crate) type Rewritten<S> = Option<(S, Option<ViewChecks>)>;

/// UPDATE whose assignments are to columns of a view; None if there is no view to change.
pub(crate) fn update(
    statement: &Update,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Rewritten<Update>, SqlError> {
    let mut out = statement.clone();
    let mut checks = None;
    let mut any = false;
    // Views in FROM that assignments name, one after the other.
    let mut sources: Vec<TableSource> = Vec::new();
    for reference in &mut out.tables {
        reference.each_leaf(&mut |leaf| {
            if let TableReference::Table(source) = leaf {
                sources.push(source.as_ref().clone());
            }
        });
    }
    let single = sources.len() == 1 && matches!(statement.tables.as_slice(), [TableReference::Table(_)]);
    for source in &sources {
        let Some(view) = view_named(&source.name, tables, context)? else { continue };
        let alias = source.alias.as_ref().map_or(source.name.name.as_str(), Ident::as_str);
        let assigned = |a: &Assignment| a.column.table_name().map_or(single, |t| t == alias);
        let merged = merge(&view, alias, false, 0, tables)?;
        let bare = |a: &Assignment| a.column.table.is_none();
        let is_target = out.assignments.iter().any(|a| {
            assigned(a)
                || bare(a) && merged.as_ref().is_some_and(|m| m.column(a.column.name.as_str()).is_some())
        });
        if !is_target {
            continue;
        }
        let Some(merged) = merged.filter(|_| view.updatable) else {
            return Err(SqlError::not_updatable(alias, "UPDATE"));
        };
        any = true;
        let mut base: Option<ColumnName> = None;
        for assignment in &mut out.assignments {
            let own = assignment.column.table_name().is_none_or(|t| t == alias)
                && (single || merged.column(assignment.column.name.as_str()).is_some());
            if own {
                let target = merged.target(&assignment.column)?;
                if base.as_ref().is_some_and(|other| other.table_name() != target.table_name()) {
                    return Err(SqlError::view_several_tables(&view.database, &view.name));
                }
                base = Some(target.clone());
                assignment.column = target;
            }
            merged.apply(&mut assignment.value, alias);
        }
        checks = checks.or(merged.checks()?);
        let mut conditions = merged.filter.clone();
        if let Some(mut filter) = out.filter.take() {
            merged.apply(&mut filter, alias);
            conditions.push(filter);
        }
        out.filter = and(conditions);
        out.order_by.iter_mut().for_each(|item| merged.apply(&mut item.expr, alias));
        replace(&mut out.tables, alias, &merged);
    }
    Ok(any.then_some((out, checks)))
}

/// Puts the tables of a view in its place.
fn replace(from: &mut [TableReference], alias: &str, merged: &Merged) {
    for reference in from.iter_mut() {
        reference.each_condition(&mut |on| merged.apply(on, alias));
        reference.each_leaf(&mut |leaf| {
            let TableReference::Table(source) = leaf else { return };
            if source.alias.as_ref().map_or(source.name.name.as_str(), Ident::as_str) != alias {
                return;
            }
            let mut tables = merged.from.clone();
            *leaf = match tables.len() {
                1 => tables.remove(0),
                _ => TableReference::List(tables),
            };
        });
    }
}

/// DELETE from a view; None if there is no view to delete from.
pub(crate) fn delete(
    statement: &Delete,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Option<Delete>, SqlError> {
    let mut out = statement.clone();
    match &mut out.target {
        DeleteTarget::Single(source) => {
            let Some(view) = view_named(&source.name, tables, context)? else { return Ok(None) };
            let alias = source.alias.as_ref().map_or(source.name.name.as_str(), Ident::as_str).to_owned();
            let merged = deletable(&view, &alias, tables)?;
            let [TableReference::Table(base)] = merged.from.as_slice() else {
                return Err(SqlError::view_delete_join(&view.database, &view.name));
            };
            *source = base.clone();
            let mut conditions = merged.filter.clone();
            if let Some(mut filter) = out.filter.take() {
                merged.apply(&mut filter, &alias);
                conditions.push(filter);
            }
            out.filter = and(conditions);
            out.order_by.iter_mut().for_each(|item| merged.apply(&mut item.expr, &alias));
            Ok(Some(out))
        }
        DeleteTarget::Multiple { targets, from } => {
            let mut sources: Vec<TableSource> = Vec::new();
            for reference in from.iter_mut() {
                reference.each_leaf(&mut |leaf| {
                    if let TableReference::Table(source) = leaf {
                        sources.push(source.as_ref().clone());
                    }
                });
            }
            let mut any = false;
            for source in &sources {
                let alias = source.alias.as_ref().map_or(source.name.name.as_str(), Ident::as_str);
                if !targets.iter().any(|t| t.name.as_str() == alias) {
                    continue;
                }
                let Some(view) = view_named(&source.name, tables, context)? else { continue };
                let merged = deletable(&view, alias, tables)?;
                let [(base, _, _)] = merged.bases.as_slice() else {
                    return Err(SqlError::view_delete_join(&view.database, &view.name));
                };
                any = true;
                for target in targets.iter_mut().filter(|t| t.name.as_str() == alias) {
                    *target = ObjectName { database: None, name: Ident::new(base.as_str()) };
                }
                let mut conditions = merged.filter.clone();
                if let Some(mut filter) = out.filter.take() {
                    merged.apply(&mut filter, alias);
                    conditions.push(filter);
                }
                out.filter = and(conditions);
                replace(from, alias, &merged);
            }
            Ok(any.then_some(out))
        }
    }
}

fn deletable(view: &Arc<ViewDef>, alias: &str, tables: &mut dyn TableLookup) -> Result<Merged, SqlError> {
    let merged = merge(view, alias, false, 0, tables)?;
    merged.filter(|_| view.updatable).ok_or_else(|| SqlError::not_updatable(alias, "DELETE"))
}

/// INSERT into a view; None if the target is none.
pub(crate) fn insert(
    statement: &Insert,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Rewritten<Insert>, SqlError> {
    let Some(view) = view_named(&statement.table, tables, context)? else { return Ok(None) };
    let operation = if statement.replace { "REPLACE" } else { "INSERT" };
    let refused = || SqlError::not_insertable(&view.name, operation);
    let merged = merge(&view, &view.name, false, 0, tables)?;
    let merged = merged.filter(|_| view.updatable).ok_or_else(refused)?;
    let simple = |expr: &Expr| matches!(expr.kind, ExprKind::Column(_));
    if !merged.columns.iter().all(|(_, expr)| simple(expr)) {
        return Err(refused());
    }
    if statement.columns.is_empty() && merged.bases.len() != 1 {
        return Err(SqlError::view_no_fields(&view.database, &view.name));
    }
    let named: Vec<ColumnName> = if statement.columns.is_empty() {
        merged.columns.iter().map(|(n, _)| ColumnName { table: None, name: Ident::new(n.as_str()) }).collect()
    } else {
        statement.columns.clone()
    };
    let mut columns: Vec<ColumnName> = Vec::with_capacity(named.len());
    let mut base: Option<String> = None;
    for name in &named {
        let target = merged.target(name)?;
        let table = target.table_name().unwrap_or("").to_owned();
        if base.as_ref().is_some_and(|other| *other != table) {
            return Err(SqlError::view_several_tables(&view.database, &view.name));
        }
        base = Some(table);
        columns.push(ColumnName { table: None, name: target.name });
    }
    let found = merged.bases.iter().find(|(alias, _, _)| Some(alias) == base.as_ref());
    let Some((_, database, table)) = found.or(merged.bases.first()) else { return Err(refused()) };
    let def = tables.table(database, table, crate::context::TableUse::Write)?.def;
    let shown = |column: &str| {
        merged
            .columns
            .iter()
            .any(|(_, e)| matches!(&e.kind, ExprKind::Column(c) if same_name(c.name.as_str(), column)))
    };
    let strict = context.eval.session.settings.sql_mode.strict() && !statement.ignore;
    let missing = def.columns.iter().any(|c| !shown(&c.name) && crate::dml::defaults::needs_value(c));
    if strict && missing {
        return Err(SqlError::view_no_default(&view.database, &view.name));
    }
    let mut out = statement.clone();
    out.table =
        ObjectName { database: Some(Ident::new(database.as_str())), name: Ident::new(table.as_str()) };
    out.columns = columns;
    // Values see the columns of the table, which has no other name here.
    let plain: Vec<(String, Expr)> = merged
        .columns
        .iter()
        .map(|(name, expr)| {
            let mut expr = expr.clone();
            if let ExprKind::Column(column) = &mut expr.kind {
                column.table = None;
            }
            (name.clone(), expr)
        })
        .collect();
    let values = Merged { columns: plain, view: Arc::clone(&view), ..merged };
    if let InsertSource::Values(rows) = &mut out.source {
        rows.iter_mut().flatten().for_each(|expr| values.apply(expr, &view.name));
    }
    for assignment in &mut out.on_duplicate {
        let target = values.target(&assignment.column)?;
        assignment.column = target;
        values.apply(&mut assignment.value, &view.name);
        rename_inserted(&mut assignment.value, &values);
    }
    let checks = values.checks()?;
    Ok(Some((out, checks)))
}

/// `VALUES(column)` names a column of the view.
fn rename_inserted(expr: &mut Expr, view: &Merged) {
    if let ExprKind::InsertValue(column) = &mut expr.kind
        && let Some(Expr { kind: ExprKind::Column(base), .. }) = view.column(column.name.as_str())
    {
        column.name = base.name.clone();
        return;
    }
    expr.each_part(&mut |part| {
        if let Part::Expr(inner) = part {
            rename_inserted(inner, view);
        }
    });
}
