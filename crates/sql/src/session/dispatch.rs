//! Which statement goes where, and what is refused.
//!
//! A statement that the parser knows and this server does not do is refused by name (1235): nothing is
//! accepted and ignored, except where ignoring is what MySQL itself does, or where there is truly
//! nothing to do (FLUSH PRIVILEGES: accounts are always in force).

use rustydb_sql_parser::ast::{
    CompletionOptions, CreateTable, Kill, StartTransaction, Statement, TableChange, Xa,
};
use rustydb_transaction::{self as transaction, CancelReason};
use rustydb_value::Value;

use std::sync::Arc;

use super::Session;
use super::query::Left;
use super::run::Running;
use super::transaction::{NextTransaction, OpenTransaction};
use crate::api::ResultSink;
use crate::ddl::{self, create_select};
use crate::dml::Changes;
use crate::error::SqlError;
use crate::show;
use crate::variables::Isolation;
use crate::variables::registry::position;

impl Session {
    /// Runs one statement by its kind.
    pub(super) fn dispatch(
        &mut self,
        running: &mut Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        use Statement as S;
        let statement = running.statement;
        self.xa.check(&statement.ast)?;
        match &statement.ast {
            S::Query(query) => return self.run_query(query, running, sink),
            S::Insert(_) | S::Update(_) | S::Delete(_) => return self.run_change(running, sink),
            S::Show(show) => return self.run_show(|s, e| show::show(show, s, e), running, sink),
            S::Describe(what) => return self.run_show(|s, e| show::describe(what, s, e), running, sink),
            S::Explain(explain) => return self.run_explain(explain, running, sink),
            S::Xa(xa) if let Xa::Recover { convert } = **xa => {
                return self.run_show(|s, _| Ok(s.xa_recover(convert)), running, sink);
            }
            S::MaintainTables(what) => return self.run_show(|s, _| s.maintain(what), running, sink),
            S::Execute(execute) => return self.sql_execute(execute, running.more, sink),
            definition if definition.is_definition() => {
                let (affected, filled) =
                    self.run_definition(&statement.ast, &statement.sql, running.params)?;
                self.state.row_count = i64::try_from(affected).unwrap_or(i64::MAX);
                let mut completion = self.completion(running, affected, 0, String::new());
                if let Some(filled) = filled {
                    if let Some(generated) = filled.generated {
                        self.state.last_insert_id = generated;
                    }
                    completion.last_insert_id = filled.insert_id;
                    completion.info = filled.summary.text(self.state.warnings.total());
                }
                if changes_table(&statement.ast) {
                    completion.info =
                        format!("Records: {affected}  Duplicates: 0  Warnings: {}", completion.warnings);
                }
                return Ok(sink.end(&completion)?);
            }
            // Nothing but comments: OK, as MySQL.
            S::Empty => {}
            S::Use(name) => self.use_database(name.as_str())?,
            S::Set(items) => self.set(items, &statement.sql, running.params)?,
            S::SetTransaction(what) => self.set_transaction(what)?,
            S::SetPassword(what) => self.set_password(what)?,
            S::CreateUser(what) => self.alter_user(what)?,
            S::Prepare(prepare) => {
                self.sql_prepare(prepare)?;
                self.state.row_count = 0;
                let completion = self.completion(running, 0, 0, "Statement prepared".to_owned());
                return Ok(sink.end(&completion)?);
            }
            S::Deallocate(name) => self.sql_deallocate(name.as_str())?,
            S::StartTransaction(what) => self.start_transaction(*what)?,
            S::Commit(options) => self.commit(*options)?,
            S::Rollback(options) => self.rollback(*options)?,
            S::Xa(what) => self.xa(what)?,
            S::Savepoint(name) => self.savepoint(name.as_str())?,
            S::RollbackToSavepoint(name) => self.rollback_to(name.as_str())?,
            S::ReleaseSavepoint(name) => self.release_savepoint(name.as_str())?,
            S::LockTables(list) => self.lock_tables(list)?,
            S::UnlockTables => self.unlock_everything()?,
            S::LockInstance => self.lock_instance()?,
            S::UnlockInstance => self.unlock_instance(),
            S::Do(items) => {
                self.evaluate_items(items, &statement.sql, running.params)?;
            }
            S::Kill(kill) => self.kill(kill, &statement.sql, running.params)?,
            S::Flush(what) => self.flush(what)?,
            S::LoadData(load) if load.local => return Err(SqlError::local_data_disabled()),
            other => return Err(SqlError::not_supported(unsupported(other))),
        }
        self.finish_ok(running, 0, sink)
    }

    /// Begins a transaction as START TRANSACTION does, at a level that SQL may have no word for.
    ///
    /// # Errors
    /// When the transaction that was open cannot be committed.
    pub fn start_transaction_at(
        &mut self,
        level: transaction::Isolation,
        read_only: bool,
    ) -> Result<(), SqlError> {
        self.commit_open()?;
        self.unlock_tables()?;
        self.next = NextTransaction::default();
        self.tracker.began = true;
        let mut open = OpenTransaction::begin_at(&self.database, &self.owner, level, read_only);
        open.show(&self.process, &self.state.settings, self.state.statement_micros);
        self.open = Some(open);
        Ok(())
    }

    /// START TRANSACTION and BEGIN: what was open is committed, LOCK TABLES is let go.
    fn start_transaction(&mut self, what: StartTransaction) -> Result<(), SqlError> {
        // What began on top of another is of its kind.
        self.next = self.open_kind();
        self.commit_open()?;
        self.unlock_tables()?;
        let mut open = self.begin(what.read_only)?;
        open.explicit = true;
        open.named.read_only |= what.read_only.is_some();
        open.traces.snapshot = what.consistent_snapshot;
        open.traces.reads = what.consistent_snapshot;
        self.tracker.began = true;
        self.process.note_transaction(|shown| shown.autocommit = false);
        match what.consistent_snapshot {
            true if open.level == Isolation::RepeatableRead => open.txn.ensure_snapshot(),
            true => self.state.warn(&SqlError::snapshot_ignored()),
            false => {}
        }
        self.open = Some(open);
        Ok(())
    }

    fn commit(&mut self, options: CompletionOptions) -> Result<(), SqlError> {
        let kind = self.open_kind();
        self.next = NextTransaction::default();
        self.commit_open()?;
        self.follow(kind, options)
    }

    fn rollback(&mut self, options: CompletionOptions) -> Result<(), SqlError> {
        let kind = self.open_kind();
        self.next = NextTransaction::default();
        self.rollback_open()?;
        self.follow(kind, options)
    }

    /// What a transaction that follows the open one is to be; without one, the next.
    fn open_kind(&self) -> NextTransaction {
        match &self.open {
            Some(open) => open.kind(),
            None => self.next,
        }
    }

    /// What COMMIT and ROLLBACK do when the transaction has ended, as written or as `completion_type` says: AND CHAIN
    /// begins another of the same kind, RELEASE ends the session as KILL does.
    fn follow(&mut self, kind: NextTransaction, options: CompletionOptions) -> Result<(), SqlError> {
        let usual = self.state.session_value(const { position("completion_type") });
        if options.chain.unwrap_or(usual.as_text() == "CHAIN") {
            self.next = kind;
            let mut open = self.begin(None)?;
            open.explicit = true;
            self.tracker.began = true;
            self.process.note_transaction(|shown| shown.autocommit = false);
            self.open = Some(open);
        }
        if options.release.unwrap_or(usual.as_text() == "RELEASE") {
            self.cancel.cancel(CancelReason::Killed);
        }
        Ok(())
    }

    /// SAVEPOINT outside a transaction does nothing, as in MySQL.
    fn savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        if self.open.is_none() && !self.state.settings.autocommit {
            self.open = Some(self.begin(None)?);
        }
        if let Some(open) = &mut self.open {
            open.savepoint(name, &self.owner);
            self.process.note_transaction(|shown| shown.savepoints[0] += 1);
        }
        Ok(())
    }

    fn rollback_to(&mut self, name: &str) -> Result<(), SqlError> {
        match &mut self.open {
            Some(open) => {
                open.rollback_to(name, &self.database, &mut self.owner)?;
                self.process.note_transaction(|shown| shown.savepoints[1] += 1);
                Ok(())
            }
            None => Err(SqlError::no_such_savepoint(name)),
        }
    }

    fn release_savepoint(&mut self, name: &str) -> Result<(), SqlError> {
        match &mut self.open {
            Some(open) => {
                open.release(name)?;
                self.process.note_transaction(|shown| shown.savepoints[2] += 1);
                Ok(())
            }
            None => Err(SqlError::no_such_savepoint(name)),
        }
    }

    fn kill(&mut self, kill: &Kill, sql: &str, params: &[Value]) -> Result<(), SqlError> {
        let value = self.evaluate(&kill.id, sql, params)?;
        let id = match value {
            Value::Int(n) => u64::try_from(n).map_err(|_| SqlError::no_such_thread(n))?,
            Value::UInt(n) => n,
            other => return Err(SqlError::no_such_thread(crate::variables::quoted(&other))),
        };
        self.database.kill(id, kill.query_only)?;
        if self.cancel.is_cancelled() {
            return Err(SqlError::query_interrupted());
        }
        Ok(())
    }

    /// DDL: the open transaction is committed first, and a definition statement commits itself.
    fn run_definition(
        &mut self,
        statement: &Statement,
        sql: &str,
        params: &[Value],
    ) -> Result<(u64, Option<Changes>), SqlError> {
        // Temporary tables are nobody else's business: nothing is committed for them.
        let temporary = match statement {
            Statement::CreateTable(what) if what.temporary && what.query.is_some() => {
                self.check_may_write()?;
                return self.create_temporary_from(what, sql, params);
            }
            Statement::CreateTable(what) => what.temporary,
            Statement::DropTable(what) => what.temporary,
            _ => false,
        };
        if !temporary && self.database.is_read_only() {
            return Err(SqlError::option_prevents("--super-read-only"));
        }
        if !temporary {
            self.commit_implicitly()?;
        }
        self.check_may_write()?;
        if !temporary {
            self.check_definition_locked(statement)?;
            self.begin_definition()?;
        }
        let wait = self.metadata_wait();
        let mut definition = ddl::Definition {
            database: &self.database,
            state: &mut self.state,
            owner: &mut self.owner,
            cancel: &self.cancel,
            wait,
            temporary: &mut self.temporary,
            params,
            filled: None,
            dropped_default: false,
        };
        let done = definition.run(statement, sql);
        let dropped = definition.dropped_default;
        let filled = definition.filled.take();
        let done = match done {
            Ok(affected) => self.follow_definition(statement).map(|()| affected),
            failed => failed,
        };
        if self.open.is_none() {
            self.database.engine().metadata_locks().release_transaction(&mut self.owner);
            self.temporary.sweep(self.database.catalog());
        }
        if dropped {
            self.forget_database();
        }
        Ok((done?, filled))
    }

    /// CREATE TEMPORARY TABLE ... SELECT: its rows are written in the session's own transaction, where the rest of it
    /// can see them.
    fn create_temporary_from(
        &mut self,
        what: &CreateTable,
        sql: &str,
        params: &[Value],
    ) -> Result<(u64, Option<Changes>), SqlError> {
        let (database, name) = {
            let (database, name) = ddl::names::resolve(&what.name, &self.state)?;
            (database.to_owned(), name.to_owned())
        };
        if self.temporary.find(&database, &name).is_some() {
            let exists = SqlError::table_exists(&name);
            if !what.if_not_exists {
                return Err(exists);
            }
            self.state.note(&exists);
            return Ok((0, None));
        }
        let (def, filled) = self.within(|scope| {
            let catalog = Arc::clone(scope.database.catalog());
            let home = catalog.database(&database).ok_or_else(|| SqlError::unknown_database(&database))?;
            let source =
                create_select::plan_source(what, sql, params, &mut scope.tables, scope.state, &catalog)?;
            let Some(source) = source else { return Err(SqlError::no_columns()) };
            let columns = source.columns.clone();
            let new = ddl::table::new_table(what, &database, home.collation, columns, &catalog, scope.state)?;
            let def = catalog.create_temporary(new)?;
            let (mut context, _) = scope.exec(params);
            match create_select::fill(&source, &def, &mut context) {
                Ok(filled) => Ok(Left::Used((def, filled))),
                Err(error) => Err(error),
            }
        })?;
        self.temporary.put(def);
        Ok((filled.affected, Some(filled)))
    }

    fn run_show(
        &mut self,
        make: impl FnOnce(&mut Session, &str) -> Result<show::Listing, SqlError>,
        running: &Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        let sql = std::sync::Arc::clone(&running.statement.sql);
        let listing = make(self, &sql)?;
        self.send_listing(&listing, running, sink)
    }

    /// Sends what was listed.
    pub(super) fn send_listing(
        &mut self,
        listing: &show::Listing,
        running: &Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        self.trace_results();
        sink.columns(&listing.columns)?;
        for row in &listing.rows {
            let cells: Vec<rustydb_value::ValueRef<'_>> = row.iter().map(Value::as_ref).collect();
            sink.row(&cells)?;
        }
        let rows = listing.rows.len() as u64;
        if !super::run::asks_about_warnings(&running.statement.ast) {
            self.state.found_rows = rows;
        }
        self.state.row_count = -1;
        let mut completion = self.completion(running, rows, 0, String::new());
        if super::run::asks_about_warnings(&running.statement.ast) {
            // The list that was just sent is not the answer's own.
            completion.warnings = 0;
        }
        if super::run::asks_for_counts(&running.statement.ast) {
            self.state.warnings.clear();
        }
        Ok(sink.end(&completion)?)
    }
}

/// The definition statements that MySQL answers with a summary of copied rows (there are none: nothing is copied).
fn changes_table(statement: &Statement) -> bool {
    match statement {
        Statement::CreateIndex(_) | Statement::DropIndex(_) => true,
        Statement::AlterTable(alter) => !alter.changes.iter().all(|c| {
            matches!(c, TableChange::Rename(_) | TableChange::EnableKeys | TableChange::DisableKeys)
        }),
        _ => false,
    }
}

/// The name of a statement that is not built.
fn unsupported(statement: &Statement) -> &'static str {
    use Statement as S;
    match statement {
        S::LoadData(_) => "LOAD DATA",
        S::Call(_) => "CALL",
        S::Handler(_) => "HANDLER",
        S::CreateRoutine(_) => "CREATE PROCEDURE",
        S::CreateLoadableFunction(_) => "CREATE FUNCTION ... SONAME",
        S::AlterRoutine(_) => "ALTER PROCEDURE",
        S::CreateTrigger(_) => "CREATE TRIGGER",
        S::CreateEvent(_) => "CREATE EVENT",
        S::DropProgram(_) => "DROP PROCEDURE",
        S::Signal(_) => "SIGNAL",
        S::GetDiagnostics(_) => "GET DIAGNOSTICS",
        S::SetRole(_) | S::SetDefaultRole(_) | S::AlterUserDefaultRole { .. } => "roles",
        S::Help(_) => "HELP",
        S::DropUser(_) => "DROP USER",
        S::RenameUser(_) => "RENAME USER",
        S::CreateRole(_) => "CREATE ROLE",
        S::DropRole(_) => "DROP ROLE",
        S::Grant(_) => "GRANT",
        S::Revoke(_) => "REVOKE",
        S::Reset(_) => "RESET",
        S::PurgeLogs(_) => "PURGE BINARY LOGS",
        S::CacheIndex(_) => "CACHE INDEX",
        S::Install(_) => "INSTALL",
        S::Shutdown => "SHUTDOWN",
        S::Restart => "RESTART",
        S::Binlog(_) => "BINLOG",
        _ => "this statement",
    }
}
