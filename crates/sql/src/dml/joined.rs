//! UPDATE and DELETE whose rows a query finds: over joins, with subqueries, with WITH.
//!
//! The statement becomes a query for the keys of the rows that change and for what the assignments read of other
//! tables. It runs to its end before the first row is changed, under exclusive locks on the rows of the tables that
//! change and, under REPEATABLE READ, shared ones on the others; so a statement never sees its own changes.
//!
//! - A row changes once, however often the join gives it.
//! - A subquery may not read a table that changes (1093), unless through a derived table.
//!
//! What the query finds goes on in a temporary file, and of a join so do the keys of the rows that have changed.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_sql_parser::ast::{
    ColumnName, Delete, DeleteTarget, Expr, ExprKind, Ident, Limit, LimitValue, LockWait, Locking,
    ObjectName, OrderItem, Query, QueryBody, Select, SelectItem, Span, TableReference, With,
};
use rustydb_transaction::LockMode;
use rustydb_value::Value;

use super::Changes;
use super::delete::delete_row;
use super::read_target::check_subqueries;
use super::writer::TableWriter;
use crate::context::{BindContext, ExecContext, TableLookup, TableUse};
use crate::ddl::names;
use crate::error::SqlError;
use crate::exec;
use crate::exec::spill::key_set::KeySet;
use crate::exec::spill::rows::{Cursor, Space};
use crate::expr::planning::Planning;
use crate::expr::scope::{ROW_KEY, Scope, ScopeTable};
use crate::plan;
use crate::virtual_database;

/// A table whose rows change.
pub(super) struct Target {
    /// Its definition.
    pub(super) def: Arc<TableDef>,
    /// The name that the statement has for it.
    pub(super) alias: String,
    /// Position of its first column among those of FROM.
    pub(super) offset: usize,
}

impl Target {
    /// A table that a statement names alone.
    pub(super) fn of(def: &Arc<TableDef>) -> Target {
        Target { def: Arc::clone(def), alias: def.name.clone(), offset: 0 }
    }
}

/// The clauses that find the rows.
pub(super) struct Clauses<'q> {
    pub(super) with: Option<&'q With>,
    pub(super) from: &'q [TableReference],
    pub(super) filter: Option<&'q Expr>,
    pub(super) order_by: &'q [OrderItem],
    pub(super) limit: Option<&'q LimitValue>,
}

/// A row of the query: the key of each target's row, then the further cells.
pub(super) type Found = Vec<Value>;

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
    pub(super) fn scope(
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
    pub(super) fn find(
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
pub(super) fn qualified(scope: &Scope, offset: usize, column: &str) -> ColumnName {
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
pub(super) fn target_of(
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

pub(super) fn each_condition(clauses: &Clauses<'_>, f: &mut dyn FnMut(&Expr)) {
    clauses.filter.iter().for_each(|e| f(e));
    clauses.order_by.iter().for_each(|item| f(&item.expr));
    for reference in clauses.from {
        reference.clone().each_condition(&mut |condition| f(condition));
    }
}

pub(super) fn key_bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(key) => Some(key),
        Value::Text(key) => Some(key.as_bytes()),
        _ => None,
    }
}

/// The rows of a query, one by one.
pub(super) struct Walk<'f> {
    found: &'f exec::Collected,
    cursor: Cursor,
    part: std::vec::IntoIter<Found>,
}

impl<'f> Walk<'f> {
    pub(super) fn over(found: &'f exec::Collected) -> Walk<'f> {
        Walk { found, cursor: Cursor::default(), part: Vec::new().into_iter() }
    }

    pub(super) fn next(&mut self) -> Result<Option<Found>, SqlError> {
        if self.part.len() == 0 {
            self.part = self.found.next(&mut self.cursor)?.into_iter();
        }
        Ok(self.part.next())
    }
}

/// Which rows of which targets have changed.
pub(super) struct Done {
    keys: KeySet,
    key: Vec<u8>,
}

impl Done {
    pub(super) fn new(context: &ExecContext<'_>) -> Done {
        let (reservation, space) = (context.memory.reserve(), Space::new(context.database));
        Done { keys: KeySet::new("the rows of a change", reservation, space), key: Vec::new() }
    }

    /// Remembers a row; false if it was known.
    pub(super) fn insert(
        &mut self,
        target: usize,
        key: &[u8],
        context: &ExecContext<'_>,
    ) -> Result<bool, SqlError> {
        self.key.clear();
        self.key.extend_from_slice(&(target as u32).to_be_bytes());
        self.key.extend_from_slice(key);
        self.keys.insert(&self.key, &|| match context.eval.cancel.is_cancelled() {
            true => Err(SqlError::query_interrupted()),
            false => Ok(()),
        })
    }
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
