//! UPDATE of one table; what a query has to find goes through [`joined_update`].
//!
//! Assignments run from the left, and each sees the values of those before it, as in MySQL. A row whose
//! values come out as they were is matched but not changed: it is not written, and its ON UPDATE columns
//! stay.
//!
//! Rows are changed while they are being found when no index can notice. When a column of an index is
//! assigned, all rows are found first: else a row could move ahead of the scan and be met again.

use std::sync::Arc;

use rustydb_catalog::{ColumnDef, ColumnDefault, TableDef};
use rustydb_sql_parser::ast::{Expr, ExprKind, LimitValue, TableReference, TableSource, Update};
use rustydb_transaction::Savepoint;
use rustydb_value::{StoreMode, Value};

use super::auto_increment::AutoIncrement;
use super::conversion::{store_mode, to_column};
use super::defaults::{default_of, now_for};
use super::evaluation::{Source, evaluate_for, evaluate_querying, row_vectors};
use super::forgive;
use super::insert::target_table;
use super::joined::has_subquery;
use super::joined_update;
use super::rules::RowRules;
use super::writer::{TableWriter, differences, row_values};
use super::{Changes, Summary};
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::ddl::table::implicit_default;
use crate::error::SqlError;
use crate::exec::collected::Records;
use crate::exec::spill::rows::Cursor;
use crate::exec::{self, Matching};
use crate::expr::Scope;
use crate::session::SessionState;
use crate::view;
use crate::view::change::{BoundChecks, ViewChecks};

/// Runs an UPDATE.
pub(crate) fn update(
    statement: &Update,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    match view::change::update(statement, tables, context)? {
        Some((statement, checks)) => run(&statement, checks.as_ref(), sql, tables, context),
        None => run(statement, None, sql, tables, context),
    }
}

/// Runs an UPDATE of tables; `checks` are those of the view that the statement was about.
fn run(
    statement: &Update,
    checks: Option<&ViewChecks>,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let Some(source) = single_table(statement) else {
        return joined_update::update(statement, checks, sql, tables, context);
    };
    if !source.partitions.is_empty() {
        return Err(SqlError::not_supported("PARTITION clause"));
    }
    let table = target_table("UPDATE", &source.name, source.alias.as_ref(), tables, context)?;
    let alias = source.alias.as_ref().map(|a| a.as_str());
    let scope = Scope::of_table(&table, alias);
    let assignments = bind_assignments(statement, &table, alias, &scope, sql, tables, context)?;
    let assigned: Vec<usize> = assignments.iter().map(|(at, _)| *at).collect();
    let limit = limit_count(statement.limit.as_ref(), context.eval.params)?;
    let mut matching = {
        let mut bind = BindContext { tables, session: context.eval.session };
        Matching::bind(
            &table,
            &scope,
            statement.filter.as_ref(),
            &statement.order_by,
            limit,
            sql,
            Some(context.eval.params),
            context.database.statistics(),
            &mut bind,
        )?
        .of_update()
    };
    let checks = checks.map(|c| c.bind(&table, tables, context)).transpose()?;
    let mut updating = Updating {
        checks,
        writer: TableWriter::open(&table, tables, context)?,
        rules: RowRules::bind(&table, context.eval.session)?,
        automatic: AutoIncrement::of(&table).filter(|a| assigned.contains(&a.column())),
        mode: store_mode(&context.eval.session.settings, statement.ignore),
        ignore: statement.ignore,
        matched: 0,
        changed: 0,
        assignments,
        assigned,
        table,
    };
    let mut rows = exec::matching_rows(&mut matching, context)?;
    if updating.touches_index() || updating.writer.cascades() {
        let mut found = Records::new(2, "UPDATE", context);
        while let Some((key, row)) = rows.next(context)? {
            found.push(&[&key, &row])?;
        }
        drop(rows);
        found.settle()?;
        let mut cursor = Cursor::default();
        while let Some(batch) = found.next(&mut cursor)? {
            let [keys, rows] = batch.columns.as_slice() else { break };
            for at in 0..batch.rows {
                if context.eval.cancel.is_cancelled() {
                    return Err(SqlError::query_interrupted());
                }
                updating.row(keys.bytes(at), rows.bytes(at), context)?;
            }
        }
    } else {
        while let Some((key, row)) = rows.next(context)? {
            updating.row(&key, &row, context)?;
        }
    }
    let found_rows = context.eval.session.found_rows_mode;
    Ok(Changes {
        affected: if found_rows { updating.matched } else { updating.changed },
        summary: Summary::Matched { matched: updating.matched, changed: updating.changed },
        ..Changes::default()
    })
}

/// The table, if rows of one alone are found and changed without a query beside.
fn single_table(statement: &Update) -> Option<&TableSource> {
    let [TableReference::Table(source)] = statement.tables.as_slice() else { return None };
    let values = statement.assignments.iter().map(|a| &a.value);
    let others = statement.filter.iter().chain(statement.order_by.iter().map(|item| &item.expr));
    let plain = statement.with.is_none() && !values.chain(others).any(has_subquery);
    plain.then_some(source)
}

fn bind_assignments(
    statement: &Update,
    table: &TableDef,
    alias: Option<&str>,
    scope: &Scope,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Vec<(usize, Source)>, SqlError> {
    let shown = alias.unwrap_or(&table.name);
    let mut assignments = Vec::with_capacity(statement.assignments.len());
    for assignment in &statement.assignments {
        let name = &assignment.column;
        let known_table = name.table_name().is_none_or(|t| t == shown);
        let at = table.column_index(name.name.as_str()).filter(|_| known_table);
        let at = at.ok_or_else(|| {
            let text = match name.table_name() {
                Some(table) => format!("{table}.{}", name.name.as_str()),
                None => name.name.as_str().to_owned(),
            };
            SqlError::unknown_column(text, "field list")
        })?;
        let Some(column) = table.columns.get(at) else { continue };
        check_assigned(table, column, &assignment.value)?;
        let mut bind = BindContext { tables, session: context.eval.session };
        let source = Source::bind(&assignment.value, column, scope, &mut bind, sql, context.eval.params)?;
        assignments.push((at, source));
    }
    Ok(assignments)
}

/// A generated column takes no value but DEFAULT (3105).
pub(super) fn check_assigned(table: &TableDef, column: &ColumnDef, value: &Expr) -> Result<(), SqlError> {
    if column.generated.is_some() && !matches!(value.kind, ExprKind::Default(None)) {
        return Err(SqlError::generated_value(&column.name, &table.name));
    }
    Ok(())
}

/// The number behind LIMIT.
pub(super) fn limit_count(limit: Option<&LimitValue>, params: &[Value]) -> Result<Option<u64>, SqlError> {
    Ok(match limit {
        None => None,
        Some(LimitValue::Number(n)) => Some(*n),
        Some(LimitValue::Parameter(n)) => match params.get(*n as usize) {
            Some(Value::UInt(n)) => Some(*n),
            Some(Value::Int(n)) if *n >= 0 => Some(*n as u64),
            _ => return Err(SqlError::wrong_arguments("LIMIT")),
        },
        Some(LimitValue::Variable(name)) => return Err(SqlError::unknown_column(name.as_str(), "LIMIT")),
    })
}

/// Sets the ON UPDATE columns of a row that changes, except those that the statement assigned.
pub(super) fn touch_times(
    table: &TableDef,
    assigned: &[usize],
    values: &mut [Value],
    session: &SessionState,
) {
    for (at, (column, value)) in table.columns.iter().zip(values).enumerate() {
        if column.on_update_now.is_some() && !assigned.contains(&at) {
            *value = now_for(column, session);
        }
    }
}

/// The number that an AUTO_INCREMENT column holds, 0 for NULL and negative ones.
pub(super) fn positive(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(n)) => u64::try_from(*n).unwrap_or(0),
        Some(Value::UInt(n)) => *n,
        _ => 0,
    }
}

/// The changes of one table's rows within one statement.
pub(super) struct Updating {
    pub(super) table: Arc<TableDef>,
    pub(super) writer: TableWriter,
    pub(super) rules: Option<RowRules>,
    /// Of a view WITH CHECK OPTION
    pub(super) checks: Option<BoundChecks>,
    pub(super) automatic: Option<AutoIncrement>,
    pub(super) mode: StoreMode,
    pub(super) ignore: bool,
    pub(super) assignments: Vec<(usize, Source)>,
    pub(super) assigned: Vec<usize>,
    pub(super) matched: u64,
    pub(super) changed: u64,
}

impl Updating {
    /// Whether an index could notice a change.
    fn touches_index(&self) -> bool {
        let timed = self.table.columns.iter().enumerate().filter(|(_, c)| c.on_update_now.is_some());
        let columns: Vec<usize> = self.assigned.iter().copied().chain(timed.map(|(at, _)| at)).collect();
        let follows = |at: usize| self.table.columns.get(at).is_some_and(|c| c.generated.is_some());
        let moves = |at: usize| columns.contains(&at) || follows(at);
        self.table.all_indexes().any(|index| index.columns.iter().any(|p| moves(p.column)))
    }

    fn row(&mut self, key: &[u8], bytes: &[u8], context: &mut ExecContext<'_>) -> Result<(), SqlError> {
        self.matched += 1;
        context.eval.row = self.matched;
        let trees = Arc::clone(self.writer.trees());
        let stored = trees.reader.row(bytes)?;
        let old = row_values(&stored)?;
        let mut values = old.clone();
        for at in 0..self.assignments.len() {
            self.assign(at, &mut values, context)?;
        }
        self.write(key, bytes, &old, values, context)
    }

    /// Writes the row under `key` with its new values, if they differ from the `old` ones.
    pub(super) fn write(
        &mut self,
        key: &[u8],
        bytes: &[u8],
        old: &[Value],
        mut values: Vec<Value>,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        if let Some(rules) = &self.rules {
            rules.complete(&self.table, &mut values, &self.mode, &mut context.eval)?;
        }
        if values == old {
            return Ok(());
        }
        let trees = Arc::clone(self.writer.trees());
        let stored = trees.reader.row(bytes)?;
        touch_times(&self.table, &self.assigned, &mut values, context.eval.session);
        if let Some(rules) = &self.rules {
            // The time may be what a generated column is made of.
            rules.complete(&self.table, &mut values, &self.mode, &mut context.eval)?;
            if let Err(broken) = rules.check(&self.table, &values, &mut context.eval) {
                let before = self.ignore.then(|| context.txn.savepoint());
                return forgive(broken, before, context);
            }
        }
        if let Some(checks) = &self.checks
            && !checks.allow(&self.table, &values, self.ignore, context)?
        {
            return Ok(());
        }
        let raised = self.automatic.as_ref().map_or(0, |a| positive(values.get(a.column())));
        let before: Option<Savepoint> = self.ignore.then(|| context.txn.savepoint());
        if let Err(refused) = self.writer.update(context, key, &stored, &differences(old, values)) {
            return forgive(refused, before, context);
        }
        if let Some(automatic) = &mut self.automatic {
            automatic.raise(context.database.engine(), raised)?;
            automatic.settle(context.database.engine())?;
        }
        self.changed += 1;
        Ok(())
    }

    /// Runs one assignment over the row as it is by now.
    fn assign(
        &self,
        assignment: usize,
        values: &mut [Value],
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let Some((at, source)) = self.assignments.get(assignment) else { return Ok(()) };
        let value = self.source_value(*at, source, values, context)?;
        if let Some(slot) = values.get_mut(*at) {
            *slot = value;
        }
        Ok(())
    }

    /// The value of a source for column `at`, as it is stored; `row` is what a bound one is evaluated over.
    pub(super) fn source_value(
        &self,
        at: usize,
        source: &Source,
        row: &[Value],
        context: &mut ExecContext<'_>,
    ) -> Result<Value, SqlError> {
        let Some(column) = self.table.columns.get(at) else { return Ok(Value::Null) };
        match source {
            // It is computed when the row is complete.
            Source::Default if column.generated.is_some() => Ok(row.get(at).cloned().unwrap_or(Value::Null)),
            Source::Default if matches!(column.default, Some(ColumnDefault::Expression(_))) => {
                let mut values = row.to_vec();
                if let Some(rules) = &self.rules {
                    rules.fill_default(&self.table, at, &mut values, &self.mode, &mut context.eval)?;
                }
                Ok(values.get(at).cloned().unwrap_or(Value::Null))
            }
            Source::Default => {
                let value = default_of(column, self.mode.strict, context.eval.session)?;
                self.checked(at, value, context)
            }
            Source::Constant(value) => self.stored_value(at, value, context),
            Source::Bound(bound) => {
                let zone = context.eval.session.settings.time_zone;
                let vectors = row_vectors(&self.table, row, zone);
                let value = evaluate_for(bound, &vectors, &column.ty, &mut context.eval)?;
                self.stored_value(at, &value, context)
            }
            Source::Querying(querying) => {
                let zone = context.eval.session.settings.time_zone;
                let vectors = row_vectors(&self.table, row, zone);
                let value = evaluate_querying(querying, &vectors, &column.ty, context)?;
                self.stored_value(at, &value, context)
            }
        }
    }

    /// A value converted for column `at`.
    pub(super) fn stored_value(
        &self,
        at: usize,
        value: &Value,
        context: &mut ExecContext<'_>,
    ) -> Result<Value, SqlError> {
        let Some(column) = self.table.columns.get(at) else { return Ok(Value::Null) };
        let value = to_column(value, column, context.eval.row, &self.mode, context.eval.session)?;
        self.checked(at, value, context)
    }

    /// NOT NULL: an error, or the type's zero with a warning outside strict mode.
    fn checked(&self, at: usize, value: Value, context: &mut ExecContext<'_>) -> Result<Value, SqlError> {
        let Some(column) = self.table.columns.get(at) else { return Ok(value) };
        if !value.is_null() || column.nullable {
            return Ok(value);
        }
        let refused = SqlError::column_null(&column.name);
        if self.mode.strict {
            return Err(refused);
        }
        context.eval.session.warn(&refused);
        Ok(implicit_default(&column.ty))
    }
}
