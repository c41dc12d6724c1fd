//! Queries: a kept plan or a new one, rows into the sink, the transaction around them.

use std::sync::Arc;

use rustydb_sql_parser::ast::{IntoTarget, Limit, LimitValue, Query, QueryBody, Statement, VariableTarget};
use rustydb_transaction::{Cancel, Transaction};
use rustydb_value::{Value, ValueRef};

use super::plan_cache::{CachedPlan, PlanBody};
use super::run::{Running, parsed_alone};
use super::tables::{Bounds, Tables};
use super::transaction::{NextTransaction, OpenTransaction};
use super::xa::{Lost, XaState};
use super::{Session, SessionState};
use crate::api::ResultSink;
use crate::context::{BindContext, EvalContext, ExecContext};
use crate::database::Database;
use crate::database::processes::TransactionInfo;
use crate::error::SqlError;
use crate::exec;
use crate::plan::{self, SelectPlan};
use crate::point;
use crate::variables::Isolation;

/// The parts of a session that a statement inside a transaction works with.
pub(crate) struct Scope<'a> {
    pub(crate) database: &'a Arc<Database>,
    pub(crate) state: &'a mut SessionState,
    pub(crate) cancel: &'a Cancel,
    pub(crate) tables: Tables<'a>,
    pub(crate) txn: &'a mut Transaction,
}

impl<'a> Scope<'a> {
    /// What the executor gets, with the tables that binding needs beside it.
    pub(crate) fn exec<'b>(&'b mut self, params: &'b [Value]) -> (ExecContext<'b>, &'b mut Tables<'a>) {
        let context = ExecContext {
            database: self.database,
            txn: self.txn,
            eval: EvalContext { params, session: self.state, cancel: self.cancel, row: 0, store: None },
            memory: Arc::new(self.database.memory().grant()),
        };
        (context, &mut self.tables)
    }
}

/// How a statement leaves its transaction.
pub(super) enum Left<R> {
    /// It worked in it.
    Used(R),
    /// It needed none: one that was begun for it goes away without a trace.
    Untouched(R),
}

impl Session {
    /// Runs `work` in the session's transaction, or in one of its own.
    ///
    /// A failed statement is undone alone when the transaction stays, with it when it does not; after a
    /// deadlock the whole transaction is gone. When this returns, what the statement changed is durable (its
    /// transaction committed) or belongs to the open transaction.
    pub(super) fn within<R>(
        &mut self,
        work: impl FnOnce(&mut Scope<'_>) -> Result<Left<R>, SqlError>,
    ) -> Result<R, SqlError> {
        let done = self.within_transaction(work);
        self.leave();
        done
    }

    fn within_transaction<R>(
        &mut self,
        work: impl FnOnce(&mut Scope<'_>) -> Result<Left<R>, SqlError>,
    ) -> Result<R, SqlError> {
        let began = self.open.is_none();
        let next = self.next;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(None)?,
        };
        open.txn.set_wait(self.row_wait());
        let mark = open.txn.begin_statement();
        let wait = self.metadata_wait();
        let stays = open.explicit || !self.state.settings.autocommit;
        self.state.shares_reads = open.shares_reads && stays;
        let mut scope = Scope {
            database: &self.database,
            state: &mut self.state,
            cancel: &self.cancel,
            tables: Tables::new(
                &self.database,
                &mut self.owner,
                wait,
                &self.temporary,
                Bounds {
                    locked: self.locked.as_deref(),
                    barred: self.xa.barred(),
                    read_only: open.read_only,
                    pass: Some(&mut self.pass),
                },
            ),
            txn: &mut open.txn,
        };
        let result = work(&mut scope);
        open.traces.reads |= scope.tables.reads;
        open.traces.writes |= scope.tables.writes;
        match result {
            Ok(Left::Untouched(value)) if began => {
                self.process.drop_transaction();
                open.rollback(&self.database, &mut self.owner, &self.process)?;
                self.next = next;
                Ok(value)
            }
            Ok(Left::Used(value) | Left::Untouched(value)) if stays => {
                let durable = open.txn.wait_observed_durable();
                self.open = Some(open);
                durable?;
                Ok(value)
            }
            Ok(Left::Used(value) | Left::Untouched(value)) => {
                self.commit_transaction(open)?;
                Ok(value)
            }
            // It came to nothing: what was set for the next transaction still is, and none is open.
            Err(error) if began && !open.explicit && !open.txn.has_begun() => {
                self.process.drop_transaction();
                open.rollback(&self.database, &mut self.owner, &self.process)?;
                self.next = next;
                Err(error)
            }
            // Without room for its locks a transaction must give those back that it has, as in InnoDB.
            Err(error) if matches!(error.code, 1206 | 1213) || !stays => {
                // The statement's error is what the client needs; a failed rollback has stopped the store.
                if !matches!(error.code, 1206 | 1213) {
                    // A refusal, too, may tell of what is not durable yet (a duplicate).
                    let _ = open.txn.wait_observed_durable();
                }
                let _ = open.rollback(&self.database, &mut self.owner, &self.process);
                self.xa_lost(if error.code == 1206 { Lost::Other } else { Lost::Deadlock });
                Err(error)
            }
            Err(error) => {
                let durable = open.txn.wait_observed_durable();
                let undone = open.txn.rollback_statement(mark).and(durable);
                self.open = Some(open);
                match undone {
                    Ok(()) => Err(error),
                    Err(failed) => {
                        let _ = self.rollback_open();
                        self.xa_lost(Lost::Other);
                        Err(failed.into())
                    }
                }
            }
        }
    }

    /// Looks tables up outside of a statement's transaction (SHOW, DESCRIBE); their locks go with this call unless
    /// a transaction is open.
    pub(crate) fn with_tables<R>(
        &mut self,
        work: impl FnOnce(&mut Tables<'_>, &mut SessionState, &Cancel) -> Result<R, SqlError>,
    ) -> Result<R, SqlError> {
        let wait = self.metadata_wait();
        let read_only = self.is_read_only();
        let mut tables = Tables::new(
            &self.database,
            &mut self.owner,
            wait,
            &self.temporary,
            Bounds {
                locked: self.locked.as_deref(),
                barred: self.xa.barred(),
                read_only,
                pass: Some(&mut self.pass),
            },
        );
        let result = work(&mut tables, &mut self.state, &self.cancel);
        if self.open.is_none() {
            self.database.engine().metadata_locks().release_transaction(&mut self.owner);
        }
        self.leave();
        result
    }

    /// Rows were sent.
    pub(super) fn trace_results(&mut self) {
        if let Some(open) = &mut self.open {
            open.traces.results = true;
        }
    }

    /// What the statement has passed through for its changes is open again.
    fn leave(&mut self) {
        self.pass.leave(self.database.engine().metadata_locks(), &mut self.owner);
    }

    /// A new transaction of the kind that comes next.
    pub(super) fn begin(&mut self, read_only: Option<bool>) -> Result<OpenTransaction, SqlError> {
        let next = std::mem::take(&mut self.next);
        let isolation = next.isolation.unwrap_or(self.state.settings.isolation);
        let read_only = read_only.or(next.read_only).unwrap_or(self.state.settings.transaction_read_only);
        let has_temporary = !self.temporary.is_empty();
        let settings = &self.state.settings;
        let mut open = OpenTransaction::begin(
            &self.database,
            &self.owner,
            isolation,
            settings,
            read_only,
            has_temporary,
        );
        open.named = next.named;
        open.show(&self.process, settings, self.state.statement_micros);
        Ok(open)
    }

    /// A new XA transaction. At SERIALIZABLE it goes by locks: one that is prepared must not be refused any more,
    /// whatever others do, which snapshots could not promise.
    pub(super) fn begin_xa(&mut self) -> OpenTransaction {
        let next = std::mem::take(&mut self.next);
        let mut settings = self.state.settings.clone();
        settings.serializable_locks = true;
        let isolation = next.isolation.unwrap_or(settings.isolation);
        let read_only = next.read_only.unwrap_or(settings.transaction_read_only);
        let mut open =
            OpenTransaction::begin(&self.database, &self.owner, isolation, &settings, read_only, false);
        open.explicit = true;
        open.named = next.named;
        self.tracker.began = true;
        open.show(&self.process, &settings, self.state.statement_micros);
        open
    }

    /// Ends the open transaction, if there is one, for good.
    pub(super) fn commit_open(&mut self) -> Result<(), SqlError> {
        let done = match self.open.take() {
            Some(open) => self.commit_transaction(open),
            None => Ok(()),
        };
        self.leave();
        self.temporary.sweep(self.database.catalog());
        done
    }

    /// Commits, once no global read lock is in the way; is there one for too long, the transaction is rolled back.
    fn commit_transaction(&mut self, open: OpenTransaction) -> Result<(), SqlError> {
        if open.txn.has_writes() {
            let wait = self.metadata_wait();
            let locks = self.database.engine().metadata_locks();
            if let Err(error) = self.pass.begin_commit(locks, &mut self.owner, &wait) {
                open.rollback(&self.database, &mut self.owner, &self.process)?;
                return Err(error);
            }
        }
        let number = open.commit(&self.database, &mut self.owner, &self.process)?;
        self.state.committed(number);
        Ok(())
    }

    /// Commits for a statement that does so by itself: what was set for the next transaction is spent on it.
    pub(super) fn commit_implicitly(&mut self) -> Result<(), SqlError> {
        self.next = NextTransaction::default();
        self.commit_open()
    }

    /// Whether the open transaction, or the next, may change nothing but temporary tables.
    pub(super) fn is_read_only(&self) -> bool {
        match &self.open {
            Some(open) => open.read_only,
            None => self.next.read_only.unwrap_or(self.state.settings.transaction_read_only),
        }
    }

    /// Refuses in a transaction that only reads what changes more than rows (1792).
    pub(super) fn check_may_write(&self) -> Result<(), SqlError> {
        if self.is_read_only() { Err(SqlError::read_only_transaction()) } else { Ok(()) }
    }

    /// Undoes the open transaction, if there is one.
    pub(super) fn rollback_open(&mut self) -> Result<(), SqlError> {
        let done = match self.open.take() {
            Some(open) => open.rollback(&self.database, &mut self.owner, &self.process),
            None => Ok(()),
        };
        self.temporary.sweep(self.database.catalog());
        done
    }

    /// Runs a query and sends its rows.
    pub(super) fn run_query(
        &mut self,
        query: &Query,
        running: &mut Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        match into_target(query) {
            None => {}
            Some(IntoTarget::Variables(targets)) => {
                return self.run_query_into(&without_into(query), targets, running, sink);
            }
            Some(IntoTarget::OutFile { .. } | IntoTarget::DumpFile(_)) => {
                return Err(SqlError::option_prevents("--secure-file-priv"));
            }
        }
        let statement = running.statement;
        let params = running.params;
        let kept = running.plan.take().or_else(|| statement.plan());
        if let Some(plan) = &kept
            && let Some(rows) = self.get_alone(plan, params, sink)?
        {
            if rows == 0 {
                sink.columns(plan.columns())?;
            }
            running.plan = kept;
            self.state.found_rows = rows;
            return self.finish_rows(rows, running, sink);
        }
        let mut rows = 0u64;
        let text = running.text;
        let plan = self.within(|scope| {
            let plan = plan_for(statement, kept, query, (params, text), scope)?;
            // The columns go out with the first row: a statement that fails before it answers with its error alone.
            match &plan.body {
                PlanBody::Point(point) => {
                    scope.database.metrics.point_statements.inc(1);
                    let zone = scope.state.settings.time_zone;
                    rows = point::get(point, params, zone, scope.txn, sink)?;
                }
                PlanBody::Select(select) => {
                    select.warnings.iter().for_each(|warning| scope.state.warn(warning));
                    let (mut context, _) = scope.exec(params);
                    exec::run(select, &mut context, &mut |cells| {
                        if rows == 0 {
                            sink.columns(select.columns())?;
                        }
                        rows += 1;
                        Ok(sink.row(cells)?)
                    })?;
                }
            }
            if rows == 0 {
                sink.columns(plan.columns())?;
            }
            let untouched = plan.tables.is_empty() && !plan.once;
            Ok(if untouched { Left::Untouched(plan) } else { Left::Used(plan) })
        })?;
        if let PlanBody::Select(select) = &plan.body {
            // The executor has set FOUND_ROWS(), which may count past the LIMIT.
            self.no_index_used = select.scans_fully();
        } else {
            self.state.found_rows = rows;
        }
        running.plan = Some(plan);
        self.trace_results();
        self.finish_rows(rows, running, sink)
    }

    /// Ends the answer of a query that gave so many rows.
    fn finish_rows(
        &mut self,
        rows: u64,
        running: &Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        self.state.row_count = -1;
        self.database.metrics.rows_sent.inc(rows);
        let completion = self.completion(running, rows, 0, String::new());
        Ok(sink.end(&completion)?)
    }

    /// The rows of a plan, in a transaction of its own.
    #[cfg(test)]
    pub(crate) fn rows_of(&mut self, plan: &SelectPlan) -> Result<Vec<Vec<Value>>, SqlError> {
        self.within(|scope| {
            let mut rows = Vec::new();
            let (mut context, _) = scope.exec(&[]);
            exec::run(plan, &mut context, &mut |cells: &[ValueRef<'_>]| {
                rows.push(cells.iter().map(|cell| cell.to_owned()).collect());
                Ok(())
            })?;
            Ok(Left::Untouched(rows))
        })
    }

    /// Runs a get that is a transaction of its own and needs none: one key, read as it is committed now. None where it
    /// is part of a transaction, or something stands in the way of the shortest one.
    fn get_alone(
        &mut self,
        plan: &CachedPlan,
        params: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<Option<u64>, SqlError> {
        let PlanBody::Point(point) = &plan.body else { return Ok(None) };
        let settings = &self.state.settings;
        // A reader that is alone is in order at any level but the one where order has to be proved.
        let is_alone = self.open.is_none()
            && settings.autocommit
            && settings.isolation != Isolation::Serializable
            && self.next == NextTransaction::default()
            && self.locked.is_none()
            && self.temporary.is_empty()
            && matches!(self.xa, XaState::None);
        if !is_alone || !point.reads_one_key() || !point.accepts(params) {
            return Ok(None);
        }
        self.state.shares_reads = false;
        let zone = self.state.settings.time_zone;
        let engine = self.database.engine();
        let locks = engine.metadata_locks();
        let done = if let Some(brief) = locks.read_briefly(&self.owner) {
            if !plan.check_kept(&self.database) {
                return Ok(None);
            }
            let mut now = point::Now { engine, brief: Some(brief) };
            point::get(point, params, zone, &mut now, sink).map(Some)
        } else {
            let wait = self.metadata_wait();
            let mut tables =
                Tables::new(&self.database, &mut self.owner, wait, &self.temporary, Bounds::none());
            let done = match plan.lock_and_check(&self.database, &mut tables) {
                Ok(true) => {
                    let mut now = point::Now { engine, brief: None };
                    point::get(point, params, zone, &mut now, sink).map(Some)
                }
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            locks.release_transaction(&mut self.owner);
            done
        };
        if matches!(done, Ok(Some(_))) {
            self.database.metrics.point_statements.inc(1);
            self.process.note_transaction_of_one_read(TransactionInfo {
                id: self.read_ids.next(self.database.engine()),
                since_micros: self.state.statement_micros,
                level: self.state.settings.isolation.words(),
                read_only: self.state.settings.transaction_read_only,
                autocommit: true,
                unique_checks: self.state.settings.unique_checks,
                foreign_key_checks: self.state.settings.foreign_key_checks,
                ..TransactionInfo::default()
            });
        }
        done
    }

    /// `SELECT .. INTO @a, @b`: exactly one row, or none with warning 1329.
    fn run_query_into(
        &mut self,
        query: &Query,
        targets: &[VariableTarget],
        running: &mut Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        let statement = Arc::clone(running.statement);
        let params = running.params;
        let row = self.within(|scope| {
            let select = {
                let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
                plan::prepare_select(query, &statement.sql, Some(params), &mut bind)?
            };
            if select.columns().len() != targets.len() {
                return Err(SqlError::different_column_counts());
            }
            select.warnings.iter().for_each(|warning| scope.state.warn(warning));
            let untouched = scope.tables.used.is_empty() && !scope.tables.temporary_used;
            let mut row: Option<Vec<Value>> = None;
            let (mut context, _) = scope.exec(params);
            exec::run(&select, &mut context, &mut |cells: &[ValueRef<'_>]| {
                if row.is_some() {
                    return Err(SqlError::too_many_rows());
                }
                row = Some(cells.iter().map(|cell| cell.to_owned()).collect());
                Ok(())
            })?;
            let row = row.map(|row| (row, select.types.clone()));
            Ok(if untouched { Left::Untouched(row) } else { Left::Used(row) })
        })?;
        let affected = u64::from(row.is_some());
        match row {
            None => self.state.warn(&SqlError::no_data()),
            Some((values, types)) => {
                for ((target, value), ty) in targets.iter().zip(&values).zip(&types) {
                    let VariableTarget::User(name) = target else {
                        return Err(SqlError::undeclared_variable(target_name(target)));
                    };
                    self.state.set_user_variable(name.as_str(), value.as_ref(), ty)?;
                }
            }
        }
        self.finish_ok(running, affected, sink)
    }
}

/// What the rows go into: INTO stands behind the select list or at the end.
pub(super) fn into_target(query: &Query) -> Option<&IntoTarget> {
    match (&query.into, &query.body) {
        (Some(target), _) => Some(target),
        (None, QueryBody::Select(select)) => select.into.as_deref(),
        (None, _) => None,
    }
}

/// The query alone.
fn without_into(query: &Query) -> Query {
    let mut query = query.clone();
    query.into = None;
    if let QueryBody::Select(select) = &mut query.body {
        select.into = None;
    }
    query
}

fn target_name(target: &VariableTarget) -> &str {
    match target {
        VariableTarget::User(name) | VariableTarget::Local(name) => name.as_str(),
    }
}

/// A plan that holds for the statement, its tables locked: the one that was kept, or a new one.
fn plan_for(
    statement: &crate::database::cache::CachedStatement,
    kept: Option<Arc<CachedPlan>>,
    query: &Query,
    running: (&[Value], Option<&str>),
    scope: &mut Scope<'_>,
) -> Result<Arc<CachedPlan>, SqlError> {
    let (params, text) = running;
    // A plan that locks what it reads is for this transaction only.
    let shares_reads = scope.state.shares_reads;
    if !shares_reads
        && let Some(plan) = kept.or_else(|| statement.plan())
        && plan.fits(params)
    {
        if plan.lock_and_check(scope.database, &mut scope.tables)? {
            return Ok(plan);
        }
        statement.forget();
    }
    let epoch = scope.database.catalog().epoch();
    scope.tables.used.clear();
    scope.tables.virtual_used = false;
    scope.tables.temporary_used = false;
    // A template is only good for its compiled form.
    let written = text.map(|text| parsed_alone(text, scope.state.settings.sql_mode)).transpose()?;
    let (query, sql, params, statement) = match &written {
        None => (query, &*statement.sql, params, Some(statement)),
        Some(Statement::Query(query)) => (&**query, text.unwrap_or_default(), &[][..], None),
        Some(_) => return Err(SqlError::reprepare()),
    };
    // sql_select_limit is a LIMIT for queries that have none.
    let limit = Some(scope.state.settings.sql_select_limit).filter(|rows| *rows < u64::MAX);
    let limited = limit.filter(|_| query.limit.is_none()).map(|rows| Query {
        limit: Some(Limit { count: LimitValue::Number(rows), offset: None }),
        ..query.clone()
    });
    let query = limited.as_ref().unwrap_or(query);
    let point = match shares_reads || limited.is_some() {
        true => None,
        false => point::compile_query(query, &mut scope.tables, scope.state)?,
    };
    // A point plan is kept even if these parameters are not for it: the next ones may be.
    let has_point = point.is_some();
    let (body, cacheable) = match point {
        Some(plan) if plan.accepts(params) => (PlanBody::Point(plan), true),
        _ => {
            let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
            let plan: SelectPlan = plan::prepare_result(query, sql, Some(params), &mut bind)?;
            let cacheable = plan.is_cacheable() && !has_point;
            (PlanBody::Select(plan), cacheable)
        }
    };
    let tables = std::mem::take(&mut scope.tables.used);
    let mut plan = CachedPlan::new(body, tables, epoch, params);
    plan.once = scope.tables.temporary_used || shares_reads;
    let plan = Arc::new(plan);
    if cacheable
        && !plan.once
        && let Some(statement) = statement
    {
        statement.keep(Arc::clone(&plan));
    }
    Ok(plan)
}
