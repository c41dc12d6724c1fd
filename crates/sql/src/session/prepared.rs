//! Prepared statements, from the protocol and from SQL's PREPARE.
//!
//! A [`Prepared`] is the parsed statement, its column descriptions and the plan that last ran. It belongs
//! to the session that made it. DDL between executions is noticed by the plan's own check; a statement
//! whose result columns changed answers with the new ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustydb_sql_parser::ast::{Execute, Prepare, PrepareSource, Show, Statement};
use rustydb_value::Value;

use super::Session;
use super::plan_cache::CachedPlan;
use super::query::Left;
use super::run::{Running, trailing_text};
use crate::api::{ColumnMeta, ResultSink};
use crate::context::BindContext;
use crate::database::cache::{CachedStatement, Form, Surroundings};
use crate::database::processes::Command;
use crate::error::SqlError;
use crate::plan;
use crate::variables::registry::position;

/// The most parameter markers of a statement.
const MAX_PARAMETERS: usize = 65_535;

/// A prepared statement.
pub struct Prepared {
    /// Descriptions of the parameters.
    pub params: Vec<ColumnMeta>,
    /// Descriptions of the result columns; empty where there is no result set.
    pub columns: Vec<ColumnMeta>,
    statement: Arc<CachedStatement>,
    plan: Option<Arc<CachedPlan>>,
    _counted: Counted,
}

impl Prepared {
    /// The text.
    pub fn sql(&self) -> &str {
        self.statement.text()
    }
}

/// Counts against `max_prepared_stmt_count` while it lives.
struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    /// Prepares the one statement of a text (COM_STMT_PREPARE).
    pub fn prepare(&mut self, sql: &str) -> Result<Prepared, SqlError> {
        let started = self.database.clock().monotonic();
        self.cancel.reset();
        self.process.begin(Command::Prepare, sql, started);
        self.state.warnings.clear();
        let done = self.prepare_text(sql);
        self.process.end(self.database.clock().monotonic());
        done.map_err(|error| {
            let error = self.explain_cancellation(error);
            self.refuse(error)
        })
    }

    fn prepare_text(&mut self, sql: &str) -> Result<Prepared, SqlError> {
        let counted = self.count_prepared()?;
        let statement = self.statement_to_prepare(sql)?;
        let columns = self.describe(&statement)?;
        self.database.metrics.prepared.inc(1);
        Ok(Prepared {
            params: (0..statement.parameters).map(|_| ColumnMeta::parameter()).collect(),
            columns,
            plan: None,
            statement,
            _counted: counted,
        })
    }

    /// The one statement of a text, which may have parameter markers.
    fn statement_to_prepare(&mut self, sql: &str) -> Result<Arc<CachedStatement>, SqlError> {
        let surroundings = Surroundings { form: Form::Prepared, ..self.surroundings.clone() };
        match self.database.cache.find(sql, &surroundings) {
            Some(statement) => {
                self.database.metrics.cache_hits.inc(1);
                Ok(statement)
            }
            None => {
                self.database.metrics.cache_misses.inc(1);
                let (statement, end) = self.parse(&sql.into(), 0, true)?;
                if !rustydb_sql_parser::is_at_end(sql, end, &self.parse_options(true)) {
                    return Err(trailing_text(sql, end));
                }
                if statement.parameters > MAX_PARAMETERS {
                    return Err(SqlError::too_many_parameters());
                }
                if !can_be_prepared(&statement.ast) {
                    return Err(SqlError::not_preparable());
                }
                self.database.cache.insert(surroundings, &statement);
                Ok(statement)
            }
        }
    }

    fn count_prepared(&self) -> Result<Counted, SqlError> {
        let limit = self.database.globals().get(const { position("max_prepared_stmt_count") }).as_u64();
        let count = self.database.prepared_statements();
        if count.fetch_add(1, Ordering::Relaxed) >= limit {
            count.fetch_sub(1, Ordering::Relaxed);
            return Err(SqlError::too_many_statements(limit));
        }
        Ok(Counted(Arc::clone(count)))
    }

    /// The result columns that the statement will have, and with that the check that its names exist.
    fn describe(&mut self, statement: &Arc<CachedStatement>) -> Result<Vec<ColumnMeta>, SqlError> {
        match &statement.ast {
            Statement::Query(query) if super::query::into_target(query).is_none() => {
                if let Some(kept) = statement.plan() {
                    let columns = self.within(|scope| {
                        let holds = kept.lock_and_check(scope.database, &mut scope.tables)?;
                        Ok(Left::Untouched(holds.then(|| kept.columns().to_vec())))
                    })?;
                    if let Some(columns) = columns {
                        return Ok(columns);
                    }
                }
                self.within(|scope| {
                    let point = crate::point::compile_query(query, &mut scope.tables, scope.state)?;
                    if let Some(point) = point {
                        return Ok(Left::Untouched(point.columns().to_vec()));
                    }
                    let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
                    let plan = plan::prepare_select(query, &statement.sql, None, &mut bind)?;
                    Ok(Left::Untouched(plan.columns().to_vec()))
                })
            }
            Statement::Show(show) => Ok(crate::show::columns(show)),
            Statement::Explain(explain) => self.explain_columns(explain),
            Statement::Describe(_) => Ok(crate::show::describe_columns()),
            Statement::MaintainTables(_) => Ok(crate::show::Listing::new(&super::maintain::COLUMNS).columns),
            Statement::Insert(insert) => {
                self.check_table(&insert.table)?;
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// That a table exists: what a PREPARE of a change is refused for.
    fn check_table(&mut self, name: &rustydb_sql_parser::ast::ObjectName) -> Result<(), SqlError> {
        use crate::context::{TableLookup, TableUse};
        let (database, table) = {
            let (database, table) = crate::ddl::names::resolve(name, &self.state)?;
            (database.to_owned(), table.to_owned())
        };
        self.within(|scope| {
            scope.tables.table(&database, &table, TableUse::Read)?;
            Ok(Left::Untouched(()))
        })
    }

    /// Runs the one statement of a text with these parameters: prepared, executed and forgotten, without what only a
    /// client far away needs to be told.
    pub fn execute_text(
        &mut self,
        sql: &str,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        let statement = match self.statement_to_prepare(sql) {
            Ok(statement) if statement.parameters == params.len() => statement,
            Ok(_) => return Err(self.refuse(SqlError::wrong_arguments("EXECUTE"))),
            Err(error) => return Err(self.refuse(error)),
        };
        let mut running = Running { statement: &statement, plan: None, params, more: false, text: None };
        self.run(&mut running, Command::Execute, sink)
    }

    /// Runs a prepared statement with these parameters (COM_STMT_EXECUTE).
    pub fn execute(
        &mut self,
        prepared: &mut Prepared,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        if params.len() != prepared.statement.parameters {
            let error = SqlError::wrong_arguments("EXECUTE");
            return Err(self.refuse(error));
        }
        let mut running = Running {
            statement: &prepared.statement,
            plan: prepared.plan.take(),
            params,
            more: false,
            text: None,
        };
        let done = self.run(&mut running, Command::Execute, sink);
        prepared.plan = running.plan;
        done
    }

    /// `PREPARE name FROM ..`: one of the same name is replaced, and gone even when this one is refused.
    pub(super) fn sql_prepare(&mut self, prepare: &Prepare) -> Result<(), SqlError> {
        let name = prepare.name.as_str().to_lowercase();
        self.prepared.remove(&name);
        let text = match &prepare.source {
            PrepareSource::Text(text) => String::from_utf8_lossy(&text.value).into_owned(),
            PrepareSource::Variable(variable) => {
                let value = self.state.user_variable(variable.as_str()).map(|v| v.value.clone());
                match value {
                    // MySQL parses the word NULL and points at it.
                    None | Some(Value::Null) => "NULL".to_owned(),
                    Some(value) => String::from_utf8_lossy(&value.as_ref().to_text()).into_owned(),
                }
            }
        };
        let prepared = self.prepare_text(&text)?;
        self.prepared.insert(name, prepared);
        Ok(())
    }

    /// `EXECUTE name USING @a, @b`
    pub(super) fn sql_execute(
        &mut self,
        execute: &Execute,
        more: bool,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        let name = execute.name.as_str().to_lowercase();
        let Some(mut prepared) = self.prepared.remove(&name) else {
            return Err(SqlError::unknown_statement(execute.name.as_str(), "EXECUTE"));
        };
        let params: Vec<Value> = execute
            .using
            .iter()
            .map(|name| self.state.user_variable(name.as_str()).map_or(Value::Null, |v| v.value.clone()))
            .collect();
        let done = if params.len() == prepared.statement.parameters {
            let statement = Arc::clone(&prepared.statement);
            let mut running = Running {
                statement: &statement,
                plan: prepared.plan.take(),
                params: &params,
                more,
                text: None,
            };
            let done = self.dispatch(&mut running, sink);
            prepared.plan = running.plan;
            done
        } else {
            Err(SqlError::wrong_arguments("EXECUTE"))
        };
        self.prepared.insert(name, prepared);
        done
    }

    /// `DEALLOCATE PREPARE name`
    pub(super) fn sql_deallocate(&mut self, name: &str) -> Result<(), SqlError> {
        match self.prepared.remove(&name.to_lowercase()) {
            Some(_) => Ok(()),
            None => Err(SqlError::unknown_statement(name, "DEALLOCATE PREPARE")),
        }
    }
}

/// What MySQL does not take in PREPARE, of the statements that are built here.
fn can_be_prepared(statement: &Statement) -> bool {
    match statement {
        Statement::Use(_)
        | Statement::LockTables(_)
        | Statement::UnlockTables
        | Statement::StartTransaction(_)
        | Statement::Savepoint(_)
        | Statement::Xa(_)
        | Statement::RollbackToSavepoint(_)
        | Statement::ReleaseSavepoint(_)
        | Statement::Prepare(_)
        | Statement::Execute(_)
        | Statement::Deallocate(_) => false,
        Statement::MaintainTables(what) => what.action != rustydb_sql_parser::ast::TableMaintenance::Check,
        Statement::Show(show) => {
            !matches!(**show, Show::Warnings(_) | Show::Errors(_) | Show::WarningCount | Show::ErrorCount)
        }
        _ => true,
    }
}
