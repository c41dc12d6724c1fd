//! INSERT and REPLACE.
//!
//! For each row: evaluate and convert its values, generate AUTO_INCREMENT, check NOT NULL, write. What a
//! duplicate key means depends on the statement: an error (the row is written first and the tree says
//! so), or, for IGNORE, REPLACE and ON DUPLICATE KEY UPDATE, something to be decided: there the unique
//! keys are locked and looked at before the row is written.

use std::sync::Arc;

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{ColumnDefault, TableDef};
use rustydb_sql_parser::ast::{ColumnName, Expr, Ident, Insert, InsertSource, ObjectName};
use rustydb_transaction::LockMode;
use rustydb_value::{StoreMode, TypeKind, Value, ValueRef};

use super::auto_increment::AutoIncrement;
use super::conversion::{borrowed_to_column, store_mode, to_column};
use super::defaults::{blank_row, default_of};
use super::evaluation::{Source, evaluate_for, evaluate_query, evaluate_querying, row_vectors};
use super::forgive;
use super::joined::{Target, has_subquery};
use super::on_duplicate::{self, OnDuplicateUpdate};
use super::read_target::check_inserted;
use super::rules::RowRules;
use super::update::{check_assigned, positive};
use super::writer::{TableTrees, TableWriter, differences, duplicate, row_values};
use super::{Changes, Summary};
use crate::context::{BindContext, ExecContext, TableLookup, TableUse};
use crate::ddl::names;
use crate::ddl::table::implicit_default;
use crate::error::SqlError;
use crate::exec;
use crate::exec::spill::rows::Cursor;
use crate::expr::vector::Builder;
use crate::expr::{Scope, Vector};
use crate::literal;
use crate::plan;
use crate::view;
use crate::view::change::{BoundChecks, ViewChecks};
use crate::virtual_database;

/// What a duplicate key means to the statement.
enum OnDuplicate {
    /// Error 1062
    Fail,
    /// A warning; the row is left out
    Ignore,
    /// The old rows make way
    Replace,
    /// The old row is changed
    Update(Arc<OnDuplicateUpdate>),
}

/// Rows on their way into one table.
struct Insertion {
    table: Arc<TableDef>,
    writer: TableWriter,
    rules: Option<RowRules>,
    mode: StoreMode,
    automatic: Option<AutoIncrement>,
    on_duplicate: OnDuplicate,
    ignore: bool,
    /// NULL into NOT NULL is an error even outside strict mode: the statement gives a single row.
    single: bool,
    /// Hidden row ids reserved and not used: next, end.
    row_ids: (u64, u64),
    changes: Changes,
    records: u64,
    duplicates: u64,
    sql: String,
    /// What the query gave behind the columns of the row that is being inserted.
    further: Vec<Value>,
    /// Of a view WITH CHECK OPTION.
    checks: Option<BoundChecks>,
}

/// Runs an INSERT or REPLACE.
pub(crate) fn insert(
    statement: &Insert,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    match view::change::insert(statement, tables, context)? {
        Some((statement, checks)) => run(&statement, checks.as_ref(), sql, tables, context),
        None => run(statement, None, sql, tables, context),
    }
}

/// Runs an INSERT into a table; `checks` are those of the view that the statement was about.
fn run(
    statement: &Insert,
    checks: Option<&ViewChecks>,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let table = target_table("INSERT", &statement.table, None, tables, context)?;
    if !statement.partitions.is_empty() {
        return Err(SqlError::not_supported("PARTITION clause"));
    }
    let targets = target_columns(&table, &statement.columns)?;
    let mode = store_mode(&context.eval.session.settings, statement.ignore);
    let mut insertion = Insertion {
        writer: TableWriter::open(&table, tables, context)?,
        rules: RowRules::bind(&table, context.eval.session)?,
        automatic: AutoIncrement::of(&table),
        on_duplicate: OnDuplicate::Fail,
        ignore: statement.ignore,
        single: matches!(&statement.source, InsertSource::Values(rows) if rows.len() == 1),
        row_ids: (0, 0),
        changes: Changes::default(),
        records: 0,
        duplicates: 0,
        sql: sql.to_owned(),
        further: Vec::new(),
        checks: None,
        mode,
        table,
    };
    insertion.checks = checks.map(|c| c.bind(&insertion.table, tables, context)).transpose()?;
    insertion.on_duplicate = insertion.bind_on_duplicate(statement, &targets, tables, context)?;
    let done = match &statement.source {
        InsertSource::Values(rows) => insertion.values(rows, &targets, tables, context),
        InsertSource::Query(query) => insertion.query(query, &targets, tables, context),
    };
    insertion.settle(done, context)?;
    Ok(insertion.finish(statement))
}

/// Inserts rows into a table that is being made: CREATE TABLE ... SELECT.
pub(crate) fn insert_rows(
    table: &Arc<TableDef>,
    rows: &exec::Collected,
    targets: &[usize],
    ignore: bool,
    replace: bool,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let mut insertion = Insertion {
        // Its foreign keys are checked when it is filled.
        writer: TableWriter::new(TableTrees::open(context.engine(), table)?, None),
        rules: RowRules::bind(table, context.eval.session)?,
        automatic: AutoIncrement::of(table),
        on_duplicate: match (replace, ignore) {
            (true, _) => OnDuplicate::Replace,
            (false, true) => OnDuplicate::Ignore,
            (false, false) => OnDuplicate::Fail,
        },
        ignore,
        single: false,
        row_ids: (0, 0),
        changes: Changes::default(),
        records: 0,
        duplicates: 0,
        sql: String::new(),
        further: Vec::new(),
        checks: None,
        mode: store_mode(&context.eval.session.settings, ignore),
        table: Arc::clone(table),
    };
    let done = insertion.rows(rows, targets, context);
    insertion.settle(done, context)?;
    Ok(insertion.counted(true))
}

/// The table to be changed by a command, or MySQL's error for one that cannot be.
pub(super) fn target_table(
    command: &str,
    name: &ObjectName,
    alias: Option<&Ident>,
    tables: &mut dyn TableLookup,
    context: &ExecContext<'_>,
) -> Result<Arc<TableDef>, SqlError> {
    let (database, name) = names::resolve(name, context.eval.session)?;
    if names::is_system_database(database) {
        return Err(virtual_database::denied(command, database, name, context.eval.session));
    }
    if tables.view(database, name)?.is_some() {
        return Err(SqlError::not_supported("changes through this view"));
    }
    let alias = alias.map_or(name, Ident::as_str);
    Ok(tables.table_as(database, name, alias, TableUse::Write)?.def)
}

/// Positions of the named columns; all visible ones when none are named.
fn target_columns(table: &TableDef, columns: &[ColumnName]) -> Result<Vec<usize>, SqlError> {
    if columns.is_empty() {
        let visible = table.columns.iter().enumerate().filter(|(_, c)| c.visible);
        return Ok(visible.map(|(at, _)| at).collect());
    }
    let mut targets = Vec::with_capacity(columns.len());
    for column in columns {
        let qualifier = column.table_name().is_none_or(|t| t == table.name);
        let found = table.columns.iter().position(|c| same_name(&c.name, column.name.as_str()));
        let at = found
            .filter(|_| qualifier)
            .ok_or_else(|| SqlError::unknown_column(column.name.as_str(), "field list"))?;
        if targets.contains(&at) {
            return Err(SqlError::column_twice(column.name.as_str()));
        }
        targets.push(at);
    }
    Ok(targets)
}

impl Insertion {
    fn bind_on_duplicate(
        &self,
        statement: &Insert,
        targets: &[usize],
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<OnDuplicate, SqlError> {
        if statement.replace {
            return Ok(OnDuplicate::Replace);
        }
        if statement.on_duplicate.is_empty() {
            return Ok(if statement.ignore { OnDuplicate::Ignore } else { OnDuplicate::Fail });
        }
        let target = Target::of(&self.table);
        let update =
            on_duplicate::bind(&self.table, &target, statement, targets, &self.sql, tables, context)?;
        Ok(OnDuplicate::Update(update.into()))
    }

    /// `VALUES (..), (..)`
    fn values(
        &mut self,
        rows: &[Vec<Expr>],
        targets: &[usize],
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        // A row without values means all defaults, where no columns were named or none exist to name.
        for (number, row) in (1u64..).zip(rows) {
            if row.len() != targets.len() && !row.is_empty() {
                return Err(SqlError::column_count(number));
            }
        }
        let table = Arc::clone(&self.table);
        for (expr, at) in rows.iter().flat_map(|row| row.iter().zip(targets)) {
            if let Some(column) = table.columns.get(*at) {
                check_assigned(&table, column, expr)?;
            }
        }
        let mut scope = None;
        let total = rows.len() as u64;
        for (number, row) in (1u64..).zip(rows) {
            context.eval.row = number;
            let given: &[usize] = if row.is_empty() { &[] } else { targets };
            let mut values = blank_row(&table, given, self.mode.strict, context.eval.session)?;
            for (expr, at) in row.iter().zip(given) {
                let Some(column) = table.columns.get(*at) else { continue };
                // Constants need no names; the scope is made when the first expression does.
                let owned;
                let constant = match literal::plain_text(expr) {
                    Some(text) => Some(ValueRef::Text(text)),
                    None => {
                        owned = literal::for_column(expr, context.eval.params, &column.ty)?;
                        owned.as_ref().map(Value::as_ref)
                    }
                };
                let value = match constant {
                    Some(value) => {
                        let session = &mut *context.eval.session;
                        let value = borrowed_to_column(value, column, number, &self.mode, session)?;
                        self.checked(value, *at, context)?
                    }
                    None if has_subquery(expr) => {
                        check_inserted(&Target::of(&table), expr, context.eval.session)?;
                        let value = evaluate_query(expr, &self.sql, tables, context)?;
                        let value = to_column(&value, column, number, &self.mode, context.eval.session)?;
                        self.checked(value, *at, context)?
                    }
                    None => {
                        let scope = scope.get_or_insert_with(|| Scope::of_table(&table, None));
                        let mut bind = BindContext { tables, session: context.eval.session };
                        let source =
                            Source::bind(expr, column, scope, &mut bind, &self.sql, context.eval.params)?;
                        match source {
                            Source::Default => self.default_value(*at, &values, context)?,
                            source => {
                                self.source_value(&source, *at, &values, &[], &Scope::empty(), context)?
                            }
                        }
                    }
                };
                if let Some(slot) = values.get_mut(*at) {
                    *slot = value;
                }
            }
            self.write(values, given, total - number + 1, number, context)?;
        }
        Ok(())
    }

    /// INSERT .. SELECT. The rows are read before the first is written, so that a statement that reads the
    /// table it writes sees what was there before it.
    fn query(
        &mut self,
        query: &rustydb_sql_parser::ast::Query,
        targets: &[usize],
        tables: &mut dyn TableLookup,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let further: &[Expr] = match &self.on_duplicate {
            OnDuplicate::Update(update) => &update.further,
            _ => &[],
        };
        let query = on_duplicate::with_further(query, further);
        let plan = {
            let mut bind = BindContext { tables, session: context.eval.session };
            plan::prepare_select(&query, &self.sql, Some(context.eval.params), &mut bind)?
        };
        if plan.columns().len() != targets.len() + further.len() {
            return Err(SqlError::column_count(1));
        }
        for column in targets.iter().filter_map(|at| self.table.columns.get(*at)) {
            if column.generated.is_some() {
                return Err(SqlError::generated_value(&column.name, &self.table.name));
            }
        }
        let rows = exec::Collected::run(&plan, "INSERT ... SELECT", context)?;
        self.rows(&rows, targets, context)
    }

    /// Writes rows of values for the columns `targets`; what a row has behind those is for ON DUPLICATE KEY.
    fn rows(
        &mut self,
        rows: &exec::Collected,
        targets: &[usize],
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let table = Arc::clone(&self.table);
        let total = rows.len();
        let mut cursor = Cursor::default();
        let mut number = 0;
        loop {
            let part = rows.next(&mut cursor)?;
            if part.is_empty() {
                return Ok(());
            }
            for mut row in part {
                if context.eval.cancel.is_cancelled() {
                    return Err(SqlError::query_interrupted());
                }
                number += 1;
                context.eval.row = number;
                self.further = row.split_off(targets.len().min(row.len()));
                let mut values = blank_row(&table, targets, self.mode.strict, context.eval.session)?;
                for (value, at) in row.iter().zip(targets) {
                    let (Some(column), Some(slot)) = (table.columns.get(*at), values.get_mut(*at)) else {
                        continue;
                    };
                    let value = to_column(value, column, number, &self.mode, context.eval.session)?;
                    *slot = self.checked(value, *at, context)?;
                }
                self.write(values, targets, total - number + 1, number, context)?;
            }
        }
    }

    /// The columns of the query that ON DUPLICATE KEY UPDATE reads, of its current row.
    fn further_vectors(&self, further: &Scope) -> Vec<Vector> {
        let columns = further.tables.iter().flat_map(|t| &t.columns);
        let mut out = Vec::with_capacity(self.further.len());
        for (column, value) in columns.zip(&self.further) {
            let mut builder = Builder::of(&column.ty, 1);
            builder.push(value.as_ref());
            out.push(builder.finish());
        }
        out
    }

    /// The keyword DEFAULT for a column, over the row as it is by now.
    fn default_value(
        &self,
        at: usize,
        values: &[Value],
        context: &mut ExecContext<'_>,
    ) -> Result<Value, SqlError> {
        let Some(column) = self.table.columns.get(at) else { return Ok(Value::Null) };
        if let (Some(ColumnDefault::Expression(_)), Some(rules)) = (&column.default, &self.rules) {
            let mut row = values.to_vec();
            rules.fill_default(&self.table, at, &mut row, &self.mode, &mut context.eval)?;
            return Ok(row.get(at).cloned().unwrap_or(Value::Null));
        }
        if column.generated.is_some() {
            return Ok(Value::Null);
        }
        let value = default_of(column, self.mode.strict, context.eval.session)?;
        self.checked(value, at, context)
    }

    /// The value of a source for column `at`, converted for it. `row` are the columns so far, `new` the row that
    /// an INSERT wanted to write (for `VALUES(column)`).
    fn source_value(
        &self,
        source: &Source,
        at: usize,
        row: &[Value],
        new: &[Value],
        further: &Scope,
        context: &mut ExecContext<'_>,
    ) -> Result<Value, SqlError> {
        let Some(column) = self.table.columns.get(at) else { return Ok(Value::Null) };
        let value = match source {
            Source::Default => return self.default_value(at, row, context),
            Source::Constant(value) => value.clone(),
            Source::Bound(bound) => {
                let zone = context.eval.session.settings.time_zone;
                let mut vectors = row_vectors(&self.table, row, zone);
                vectors.extend(row_vectors(&self.table, new, zone));
                vectors.extend(self.further_vectors(further));
                evaluate_for(bound, &vectors, &column.ty, &mut context.eval)?
            }
            Source::Querying(querying) => {
                let zone = context.eval.session.settings.time_zone;
                let mut vectors = row_vectors(&self.table, row, zone);
                vectors.extend(row_vectors(&self.table, new, zone));
                vectors.extend(self.further_vectors(further));
                evaluate_querying(querying, &vectors, &column.ty, context)?
            }
        };
        let number = context.eval.row;
        let value = to_column(&value, column, number, &self.mode, context.eval.session)?;
        self.checked(value, at, context)
    }

    /// NOT NULL: an error, or the type's zero with a warning where the statement is lenient.
    fn checked(&self, value: Value, at: usize, context: &mut ExecContext<'_>) -> Result<Value, SqlError> {
        let Some(column) = self.table.columns.get(at) else { return Ok(value) };
        if !value.is_null() || column.nullable || column.auto_increment {
            return Ok(value);
        }
        let refused = match column.ty.kind {
            TypeKind::Geometry { .. } => SqlError::spatial_null(&column.name),
            _ => SqlError::column_null(&column.name),
        };
        if self.mode.strict || (self.single && !self.ignore) {
            return Err(refused);
        }
        context.eval.session.warn(&refused);
        Ok(implicit_default(&column.ty))
    }

    /// Completes a converted row and writes it. `given` are the columns that the statement named, `left` counts its
    /// rows from this one on.
    fn write(
        &mut self,
        mut values: Vec<Value>,
        given: &[usize],
        left: u64,
        number: u64,
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        if number.is_multiple_of(256) && context.eval.cancel.is_cancelled() {
            return Err(SqlError::query_interrupted());
        }
        self.records += 1;
        let engine = Arc::clone(context.engine());
        if let Some(automatic) = &mut self.automatic {
            automatic.fill(&engine, context.eval.session, &mut values, left)?;
        }
        if let Some(rules) = &self.rules {
            rules.fill_defaults(&self.table, given, &mut values, &self.mode, &mut context.eval)?;
            rules.complete(&self.table, &mut values, &self.mode, &mut context.eval)?;
            if let Err(broken) = rules.check(&self.table, &values, &mut context.eval) {
                let before = self.ignore.then(|| context.txn.savepoint());
                self.records -= 1;
                return forgive(broken, before, context);
            }
        }
        if let Some(checks) = &self.checks
            && !checks.allow(&self.table, &values, self.ignore, context)?
        {
            // It is as if the statement had not had this row.
            self.records -= 1;
            return Ok(());
        }
        if !matches!(self.on_duplicate, OnDuplicate::Fail) && !self.resolve_duplicates(&values, context)? {
            return Ok(());
        }
        let row_id = if self.table.has_hidden_key() { self.next_row_id(&engine, left)? } else { 0 };
        let before = self.ignore.then(|| context.txn.savepoint());
        if let Err(refused) = self.writer.insert(context, &values, row_id) {
            self.records -= 1;
            return forgive(refused, before, context);
        }
        self.changes.affected += 1;
        Ok(())
    }

    fn next_row_id(&mut self, engine: &rustydb_transaction::Engine, left: u64) -> Result<u64, SqlError> {
        let (next, end) = self.row_ids;
        if next < end {
            self.row_ids.0 += 1;
            return Ok(next);
        }
        let count = left.clamp(1, 4096);
        let first = engine.counter_reserve(self.table.primary.tree, count, 1)?;
        self.row_ids = (first + 1, first + count);
        Ok(first)
    }

    /// Decides about rows that are in the way. False: there is nothing left to insert.
    fn resolve_duplicates(
        &mut self,
        values: &[Value],
        context: &mut ExecContext<'_>,
    ) -> Result<bool, SqlError> {
        let table = Arc::clone(&self.table);
        while let Some(collision) = self.writer.collision(context.txn, values)? {
            match &self.on_duplicate {
                OnDuplicate::Fail => break,
                OnDuplicate::Ignore => {
                    self.duplicates += 1;
                    if let Some(index) = table.all_indexes().nth(collision.index) {
                        context.eval.session.warn(&duplicate(&table, index, values));
                    }
                    return Ok(false);
                }
                OnDuplicate::Replace => {
                    let trees = Arc::clone(self.writer.trees());
                    let key = &collision.primary_key;
                    if let Some(old) = context.txn.get_locked(&trees.primary, key, LockMode::Exclusive)? {
                        if row_values(&trees.reader.row(&old)?)? == values {
                            // Nothing would be another: the row counts once.
                            self.changes.affected += 1;
                            return Ok(false);
                        }
                        self.duplicates += 1;
                        self.writer.delete(context, key, &trees.reader.row(&old)?)?;
                        self.changes.affected += 1;
                    }
                }
                OnDuplicate::Update(update) => {
                    let update = Arc::clone(update);
                    self.update_duplicate(&collision.primary_key, &update, values, context)?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// ON DUPLICATE KEY UPDATE of the row under `key`: two affected rows if it changes, one if it was found
    /// unchanged and the client counts found rows, none otherwise.
    fn update_duplicate(
        &mut self,
        key: &[u8],
        update: &OnDuplicateUpdate,
        new: &[Value],
        context: &mut ExecContext<'_>,
    ) -> Result<(), SqlError> {
        let trees = Arc::clone(self.writer.trees());
        let Some(bytes) = context.txn.get_locked(&trees.primary, key, LockMode::Exclusive)? else {
            return Ok(());
        };
        let stored = trees.reader.row(&bytes)?;
        let old = row_values(&stored)?;
        let table = Arc::clone(&self.table);
        let mut values = old.clone();
        for (at, source) in &update.assignments {
            let value = self.source_value(source, *at, &values, new, &update.scope, context)?;
            if let Some(slot) = values.get_mut(*at) {
                *slot = value;
            }
        }
        self.complete(&mut values, context)?;
        if values == old {
            let counted = u64::from(context.eval.session.found_rows_mode);
            self.changes.affected += counted;
            self.duplicates += counted;
            return Ok(());
        }
        if let Some(checks) = &self.checks
            && !checks.allow(&self.table, &values, self.ignore, context)?
        {
            return Ok(());
        }
        let assigned: Vec<usize> = update.assignments.iter().map(|(at, _)| *at).collect();
        super::update::touch_times(&table, &assigned, &mut values, context.eval.session);
        self.complete(&mut values, context)?;
        if let Some(rules) = &self.rules
            && let Err(broken) = rules.check(&table, &values, &mut context.eval)
        {
            let before = self.ignore.then(|| context.txn.savepoint());
            return forgive(broken, before, context);
        }
        if let Some(automatic) = &mut self.automatic {
            let raised = positive(values.get(automatic.column()));
            automatic.raise(context.engine(), raised)?;
            automatic.last = raised;
        }
        let before = self.ignore.then(|| context.txn.savepoint());
        if let Err(refused) = self.writer.update(context, key, &stored, &differences(&old, values)) {
            return forgive(refused, before, context);
        }
        self.changes.affected += 2;
        self.duplicates += 1;
        Ok(())
    }

    /// Computes the generated columns of a row.
    fn complete(&self, values: &mut [Value], context: &mut ExecContext<'_>) -> Result<(), SqlError> {
        match &self.rules {
            Some(rules) => rules.complete(&self.table, values, &self.mode, &mut context.eval),
            None => Ok(()),
        }
    }

    /// Logs what explicit values have made of the counter, also where the statement has failed: so do counters
    /// outlive their rows.
    fn settle(&self, done: Result<(), SqlError>, context: &ExecContext<'_>) -> Result<(), SqlError> {
        let settled = self.automatic.as_ref().map_or(Ok(()), |automatic| automatic.settle(context.engine()));
        done.and(settled)
    }

    fn finish(self, statement: &Insert) -> Changes {
        let several = match &statement.source {
            InsertSource::Values(rows) => rows.len() > 1,
            InsertSource::Query(_) => true,
        };
        self.counted(several)
    }

    fn counted(mut self, several: bool) -> Changes {
        if let Some(automatic) = &self.automatic {
            self.changes.generated = automatic.first;
            self.changes.insert_id = automatic.first.unwrap_or(automatic.last);
        }
        if several {
            self.changes.summary = Summary::Records { records: self.records, duplicates: self.duplicates };
        }
        self.changes
    }
}
