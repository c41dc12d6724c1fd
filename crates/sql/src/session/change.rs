//! INSERT, REPLACE, UPDATE and DELETE: by the point executor where it can, else by `crate::dml`.

use std::sync::Arc;

use rustydb_sql_parser::ast::Statement;

use super::Session;
use super::plan_cache::{CachedPlan, PlanBody};
use super::query::{Left, Scope};
use super::run::{Running, parsed_alone};
use crate::api::ResultSink;
use crate::dml::{self, Changes};
use crate::error::SqlError;
use crate::point;

/// How often a statement that is a transaction of its own is run again when a concurrent one had changed what
/// it needed (SNAPSHOT and SERIALIZABLE).
const REPEATS: u32 = 20;

impl Session {
    /// Runs a change of rows and sends its answer.
    pub(super) fn run_change(
        &mut self,
        running: &mut Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        if self.database.is_read_only() {
            return Err(SqlError::option_prevents("--super-read-only"));
        }
        let statement = Arc::clone(running.statement);
        let params = running.params;
        // Alone in its transaction it has shown nothing yet, so a refusal need not be the client's to repeat;
        // but user variables would be set twice.
        let is_alone = self.open.is_none() && self.state.settings.autocommit;
        let mut tries = if is_alone && !statement.sql.contains('@') { REPEATS } else { 0 };
        let mut kept = running.plan.take();
        let text = running.text;
        let (changes, plan) = loop {
            let done = self.within(|scope| {
                let plan = point_plan(&statement, kept.take(), scope)?;
                let compiled = match plan.as_deref().map(|plan| &plan.body) {
                    Some(PlanBody::Point(point)) if point.accepts(params) => {
                        point::change(point, params, scope)?
                    }
                    _ => None,
                };
                let changes = match compiled {
                    Some(changes) => changes,
                    None => match text {
                        None => general(&statement.ast, &statement.sql, params, scope)?,
                        // A template is only good for its compiled form: errors show the statement as it was written.
                        Some(text) => {
                            let written = parsed_alone(text, scope.state.settings.sql_mode)?;
                            general(&written, text, &[], scope)?
                        }
                    },
                };
                Ok(Left::Used((changes, plan)))
            });
            match done {
                Err(error) if tries > 0 && error.is_conflict_of_snapshots() => {
                    tries -= 1;
                    self.state.warnings.clear();
                }
                done => break done?,
            }
        };
        running.plan = plan;
        self.finish_change(&changes, running, sink)
    }

    fn finish_change(
        &mut self,
        changes: &Changes,
        running: &Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        if let Some(generated) = changes.generated {
            self.state.last_insert_id = generated;
        }
        if let Some(given) = self.state.last_insert_id_given {
            self.state.last_insert_id = given;
        }
        self.state.row_count = i64::try_from(changes.affected).unwrap_or(i64::MAX);
        self.database.metrics.rows_changed.inc(changes.affected);
        let info = changes.summary.text(self.state.warnings.total());
        let completion = self.completion(running, changes.affected, changes.insert_id, info);
        Ok(sink.end(&completion)?)
    }
}

/// The point plan of the statement with its tables locked, if it has one.
fn point_plan(
    statement: &crate::database::cache::CachedStatement,
    kept: Option<Arc<CachedPlan>>,
    scope: &mut Scope<'_>,
) -> Result<Option<Arc<CachedPlan>>, SqlError> {
    if let Some(plan) = kept.or_else(|| statement.plan())
        && plan.lock_and_check(scope.database, &mut scope.tables)?
    {
        return Ok(Some(plan));
    }
    let epoch = scope.database.catalog().epoch();
    scope.tables.used.clear();
    let Some(point) = point::compile_change(&statement.ast, &mut scope.tables, scope.state)? else {
        return Ok(None);
    };
    let tables = std::mem::take(&mut scope.tables.used);
    let plan = Arc::new(CachedPlan::new(PlanBody::Point(point), tables, epoch, &[]));
    statement.keep(Arc::clone(&plan));
    Ok(Some(plan))
}

fn general(
    statement: &Statement,
    sql: &str,
    params: &[rustydb_value::Value],
    scope: &mut Scope<'_>,
) -> Result<Changes, SqlError> {
    let (mut context, tables) = scope.exec(params);
    match statement {
        Statement::Insert(insert) => dml::insert(insert, sql, tables, &mut context),
        Statement::Update(update) => dml::update(update, sql, tables, &mut context),
        Statement::Delete(delete) => dml::delete(delete, sql, tables, &mut context),
        _ => Err(SqlError::not_supported("this statement")),
    }
}
