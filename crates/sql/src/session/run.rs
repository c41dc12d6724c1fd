//! Running statements: the loop over a text, and what happens around each statement.
//!
//! Around every statement: its start is noted in the process list, warnings of the one before are
//! forgotten (except by those that ask about them), a time limit is armed, and afterwards it is counted,
//! timed, and reported if it was slow. A statement that fails leaves its error as the only condition.

use std::sync::Arc;
use std::time::Duration;

use rustydb_sql_parser::ast::{Show, Statement};
use rustydb_sql_parser::{ParseError, ParseErrorKind, ParseOptions};
use rustydb_value::Value;

use super::Session;
use super::diagnostics::Level;
use super::plan_cache::CachedPlan;
use crate::api::{Completion, ResultSink};
use crate::database::SlowStatement;
use crate::database::cache::CachedStatement;
use crate::database::metrics::StatementKind;
use crate::database::processes::Command;
use crate::error::SqlError;
use crate::variables::SqlMode;

/// A statement about to run.
pub(super) struct Running<'a> {
    pub(super) statement: &'a Arc<CachedStatement>,
    /// The plan that a prepared statement keeps for itself.
    pub(super) plan: Option<Arc<CachedPlan>>,
    pub(super) params: &'a [Value],
    /// Another statement of the same text follows.
    pub(super) more: bool,
    /// As it came, where the statement is its template.
    pub(super) text: Option<&'a str>,
}

impl Session {
    /// Runs a text: one statement, or several where the session allows that.
    ///
    /// Each statement gives its answer to the sink in order. The first error ends the text; the answers before
    /// it stand.
    pub fn query(&mut self, sql: &str, sink: &mut dyn ResultSink) -> Result<(), SqlError> {
        if let Some(statement) = self.database.cache.find(sql, &self.surroundings) {
            self.database.metrics.cache_hits.inc(1);
            let mut running =
                Running { statement: &statement, plan: None, params: &[], more: false, text: None };
            return self.run(&mut running, Command::Query, sink);
        }
        let has_template = self.take_template(sql);
        if has_template && let Some(done) = self.query_by_template(sql, sink) {
            return done;
        }
        self.database.metrics.cache_misses.inc(1);
        let text: Arc<str> = sql.into();
        let mut from = 0;
        loop {
            let (statement, end) = match self.parse(&text, from, false) {
                Ok(parsed) => parsed,
                Err(error) => return Err(self.refuse(error)),
            };
            // Comments behind the last statement are one more, empty, statement where several are allowed.
            let more = if self.multi_statements {
                !rustydb_sql_parser::is_blank(sql, end)
            } else {
                !rustydb_sql_parser::is_at_end(sql, end, &self.parse_options(false))
            };
            if more && !self.multi_statements {
                let error = trailing_text(sql, end);
                return Err(self.refuse(error));
            }
            if !more && from == 0 {
                self.database.cache.insert(self.surroundings.clone(), &statement);
            }
            let mut running = Running { statement: &statement, plan: None, params: &[], more, text: None };
            self.run(&mut running, Command::Query, sink)?;
            if !more {
                if has_template {
                    self.learn_template(statement.kind);
                }
                return Ok(());
            }
            from = end;
        }
    }

    /// How this session's statements are read.
    pub(super) fn parse_options(&self, prepared: bool) -> ParseOptions {
        parse_options(self.state.settings.sql_mode, prepared)
    }

    /// Parses the statement that begins at byte `from`, and says where the next may begin.
    pub(super) fn parse(
        &self,
        sql: &Arc<str>,
        from: usize,
        prepared: bool,
    ) -> Result<(Arc<CachedStatement>, usize), SqlError> {
        let options = self.parse_options(prepared);
        let parsed = rustydb_sql_parser::parse_next(sql, from, &options).map_err(|e| parse_error(&e))?;
        let kind = kind_of(&parsed.statement);
        let statement = CachedStatement::new(
            Arc::clone(sql),
            parsed.span,
            parsed.statement,
            parsed.parameters as usize,
            kind,
        );
        Ok((Arc::new(statement), parsed.end))
    }

    /// Records the error of a statement that did not come to run.
    pub(super) fn refuse(&mut self, error: SqlError) -> SqlError {
        self.state.warnings.clear();
        self.state.warnings.push_error(Level::Error, &error, self.state.settings.max_error_count);
        self.database.metrics.errors.inc(1);
        error
    }

    /// Runs one statement with everything around it.
    pub(super) fn run(
        &mut self,
        running: &mut Running<'_>,
        command: Command,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        let statement = running.statement;
        let started = self.database.clock().monotonic();
        self.cancel.reset();
        let text = running.text.unwrap_or_else(|| statement.text());
        self.process.begin(command, text, started);
        self.state.start_clock();
        self.no_index_used = false;
        if asks_for_counts(&statement.ast) {
            self.state.kept_counts = Some((self.state.warnings.total(), self.state.warnings.errors()));
        } else {
            self.state.kept_counts = None;
        }
        if !asks_about_warnings(&statement.ast) {
            self.state.warnings.clear();
        }
        let rows_before = self.state.found_rows;
        let hinted = self.set_hinted(&statement.ast);
        let limit = self.time_limit(&statement.ast);
        let limit = limit.and_then(|time| self.database.deadlines.arm(time, &self.cancel));
        let mut done = if self.cancel.is_cancelled() {
            Err(SqlError::query_interrupted())
        } else if std::mem::take(&mut self.was_idle) && !matches!(statement.ast, Statement::Rollback(_)) {
            Err(SqlError::idle_transaction())
        } else {
            self.dispatch(running, sink)
        };
        drop(limit);
        self.restore_hinted(hinted);
        if let Err(error) = done {
            let error = self.explain_cancellation(error);
            self.state.row_count = -1;
            self.state.warnings.push_error(Level::Error, &error, self.state.settings.max_error_count);
            self.database.metrics.errors.inc(1);
            done = Err(error);
        }
        let ended = self.database.clock().monotonic();
        let took = ended.saturating_sub(started);
        self.process.end(ended);
        self.database.metrics.statement(statement.kind, took);
        if took >= self.state.settings.long_query_time {
            let rows = match u64::try_from(self.state.row_count) {
                Ok(changed) => changed,
                Err(_) if statement.kind == StatementKind::Select => self.state.found_rows,
                Err(_) => rows_before,
            };
            self.report_slow(text, took, rows, done.as_ref().err().map(|e| e.code));
        }
        done
    }

    fn report_slow(&self, sql: &str, took: Duration, rows: u64, error: Option<u16>) {
        self.database.report_slow(&SlowStatement {
            template: rustydb_sql_parser::digest(sql, &self.parse_options(false)).text,
            took,
            rows,
            database: self.state.database.clone(),
            user: self.state.user.clone(),
            connection_id: self.state.connection_id,
            error,
        });
    }

    /// Ends the answer of a statement without rows.
    pub(super) fn finish_ok(
        &mut self,
        running: &Running<'_>,
        affected: u64,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        self.state.row_count = i64::try_from(affected).unwrap_or(i64::MAX);
        let completion = self.completion(running, affected, 0, String::new());
        Ok(sink.end(&completion)?)
    }

    /// The end of an answer, with the status of this moment.
    pub(super) fn completion(
        &self,
        running: &Running<'_>,
        affected_rows: u64,
        last_insert_id: u64,
        info: String,
    ) -> Completion {
        let mut status = self.status();
        status.set(crate::api::StatusFlags::MORE_RESULTS, running.more);
        Completion {
            affected_rows,
            last_insert_id: self.state.last_insert_id_given.unwrap_or(last_insert_id),
            warnings: self.state.warnings.count(),
            status,
            info,
            more_results: running.more,
        }
    }
}

fn parse_options(mode: SqlMode, prepared: bool) -> ParseOptions {
    ParseOptions {
        ansi_quotes: mode.ansi_quotes(),
        no_backslash_escapes: mode.has(SqlMode::NO_BACKSLASH_ESCAPES),
        pipes_as_concat: mode.has(SqlMode::PIPES_AS_CONCAT),
        high_not_precedence: mode.has(SqlMode::HIGH_NOT_PRECEDENCE),
        ignore_space: mode.has(SqlMode::IGNORE_SPACE),
        parameters: prepared,
        ..ParseOptions::default()
    }
}

/// The statement of a text that holds one.
pub(super) fn parsed_alone(sql: &str, mode: SqlMode) -> Result<Statement, SqlError> {
    let parsed = rustydb_sql_parser::parse_next(sql, 0, &parse_options(mode, false));
    parsed.map(|parsed| parsed.statement).map_err(|error| parse_error(&error))
}

/// The error for a second statement where only one is allowed: MySQL points at its first token.
pub(super) fn trailing_text(sql: &str, end: usize) -> SqlError {
    let after = sql.get(end..).unwrap_or("");
    let near = after.trim_start();
    let start = sql.len() - near.len();
    let line = 1 + sql.get(..start).unwrap_or("").matches('\n').count();
    let shown: String = near.chars().take(80).collect();
    SqlError::syntax(shown, line)
}

/// The error of a text that is no statement.
pub(super) fn parse_error(error: &ParseError) -> SqlError {
    match &error.kind {
        ParseErrorKind::Empty => SqlError::empty_query(),
        _ => {
            let state = <[u8; 5]>::try_from(error.sqlstate().as_bytes()).unwrap_or(*b"HY000");
            SqlError::new(error.code(), &state, error.message())
        }
    }
}

/// Statements that list the conditions of the one before, and so must not clear them.
pub(super) fn asks_about_warnings(statement: &Statement) -> bool {
    match statement {
        Statement::Show(show) => {
            matches!(**show, Show::Warnings(_) | Show::Errors(_) | Show::WarningCount | Show::ErrorCount)
        }
        Statement::GetDiagnostics(_) => true,
        _ => false,
    }
}

/// Statements that ask how many conditions there were: they see the counts, and the list is gone after.
pub(super) fn asks_for_counts(statement: &Statement) -> bool {
    match statement {
        Statement::Show(show) => matches!(**show, Show::WarningCount | Show::ErrorCount),
        Statement::Query(query) => selects_counts(query),
        _ => false,
    }
}

/// `SELECT @@warning_count`, `SELECT @@error_count`
fn selects_counts(query: &rustydb_sql_parser::ast::Query) -> bool {
    use rustydb_sql_parser::ast::{ExprKind, QueryBody, SelectItem};
    let QueryBody::Select(select) = &query.body else { return false };
    select.from.is_empty()
        && select.items.iter().any(|item| match item {
            SelectItem::Expr { expr, .. } => match &expr.kind {
                ExprKind::SystemVariable(v) => v.name.is("warning_count") || v.name.is("error_count"),
                _ => false,
            },
            SelectItem::Wildcard { .. } => false,
        })
}

/// How a statement is counted.
fn kind_of(statement: &Statement) -> StatementKind {
    use Statement as S;
    match statement {
        S::Query(_) => StatementKind::Select,
        S::Insert(insert) if insert.replace => StatementKind::Replace,
        S::Insert(_) => StatementKind::Insert,
        S::Update(_) => StatementKind::Update,
        S::Delete(_) => StatementKind::Delete,
        S::StartTransaction(_) => StatementKind::Begin,
        S::Commit(_) => StatementKind::Commit,
        S::Rollback(_) | S::RollbackToSavepoint(_) => StatementKind::Rollback,
        S::Set(_) | S::SetTransaction(_) => StatementKind::Set,
        S::Show(_) | S::Describe(_) | S::Explain(_) => StatementKind::Show,
        S::Use(_) => StatementKind::Use,
        definition if definition.is_definition() => StatementKind::Definition,
        _ => StatementKind::Other,
    }
}
