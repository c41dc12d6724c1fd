//! What a session remembers between statements, and what expressions may ask and change.
//!
//! Binding reads it, evaluation reads and writes it (user variables, warnings, `LAST_INSERT_ID(expr)`),
//! and the session sets it up before each statement. It knows nothing of transactions or tables.

use std::sync::Arc;

use hashbrown::HashMap;
use rustydb_storage::disk::{Clock, Entropy};
use rustydb_value::{Collation, DateTime, ValueRef};

use super::UserVariable;
use super::diagnostics::{Diagnostics, Level};
use crate::api::StateChange;
use crate::database::user_locks::SessionLocks;
use rustydb_sql_parser::ast::VariableScope;

use crate::error::SqlError;
use crate::expr::{ExprType, Kind};
use crate::function::random::Sequences;
use crate::variables::registry::{Scope, find, position};
use crate::variables::{GlobalVariables, Settings, SystemValue};

/// The most user variables that a session may have.
const MAX_USER_VARIABLES: usize = 10_000;

/// What a session remembers.
pub struct SessionState {
    /// `CONNECTION_ID()`
    pub connection_id: u64,
    /// The name that the client gave, for `USER()`
    pub user: String,
    /// Where the client is, for `USER()`
    pub host: String,
    /// The account that matched, for `CURRENT_USER()`: user and host
    pub account: (String, String),
    /// How the client's bytes come
    pub(crate) transport: crate::api::Transport,
    /// Default database
    pub database: Option<String>,
    /// Plain reads of the running statement lock what they read
    pub(crate) shares_reads: bool,
    /// Variables in the form that statements use
    pub settings: Settings,
    /// The conditions of the last statement
    pub warnings: Diagnostics,
    /// Warnings and errors of the statement before, for a statement that asks for their number
    pub(crate) kept_counts: Option<(u64, u64)>,
    /// `LAST_INSERT_ID()`
    pub last_insert_id: u64,
    /// Set by `LAST_INSERT_ID(expr)` in the running statement; sent with its completion
    pub last_insert_id_given: Option<u64>,
    /// `ROW_COUNT()`
    pub row_count: i64,
    /// `FOUND_ROWS()`
    pub found_rows: u64,
    /// The next AUTO_INCREMENT value of this session, when `SET insert_id` gave one
    pub insert_id: Option<u64>,
    /// When the statement began, in microseconds since 1970 UTC; `NOW()` and TIMESTAMP defaults
    pub statement_micros: u64,
    /// `SET timestamp`
    fixed_micros: Option<u64>,
    /// Locks that `GET_LOCK` took
    pub user_locks: SessionLocks,
    /// What `RAND(seed)` has come to in the running statement
    pub(crate) sequences: Sequences,
    /// Where `RANDOM_BYTES` gets them; None in sessions without a database
    pub(crate) entropy: Option<Arc<dyn Entropy>>,
    /// UPDATE reports rows found instead of rows changed
    pub found_rows_mode: bool,
    values: Arc<Vec<SystemValue>>,
    globals: Arc<GlobalVariables>,
    clock: Arc<dyn Clock>,
    user_variables: HashMap<String, UserVariable>,
    changes: Vec<StateChange>,
}

impl SessionState {
    /// A session of this account with every variable at its global value.
    pub(crate) fn new(
        options: &crate::api::SessionOptions,
        globals: Arc<GlobalVariables>,
        clock: Arc<dyn Clock>,
    ) -> SessionState {
        let values = globals.snapshot();
        SessionState {
            connection_id: options.connection_id,
            user: options.user.clone(),
            host: options.host.clone(),
            account: options.account.clone(),
            transport: options.transport.clone(),
            database: None,
            shares_reads: false,
            settings: Settings::from_values(&values),
            warnings: Diagnostics::default(),
            kept_counts: None,
            last_insert_id: 0,
            last_insert_id_given: None,
            row_count: -1,
            found_rows: 0,
            insert_id: None,
            statement_micros: clock.wall_micros(),
            fixed_micros: None,
            user_locks: SessionLocks::new(Arc::default(), options.connection_id),
            sequences: Sequences::default(),
            entropy: None,
            found_rows_mode: options.found_rows,
            values,
            globals,
            clock,
            user_variables: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// The state that a worker thread evaluates expressions with: settings and times are this session's, everything
    /// else is as in a new one.
    pub(crate) fn for_worker(&self) -> SessionState {
        SessionState {
            connection_id: self.connection_id,
            user: self.user.clone(),
            host: self.host.clone(),
            account: self.account.clone(),
            transport: self.transport.clone(),
            database: self.database.clone(),
            shares_reads: self.shares_reads,
            settings: self.settings.clone(),
            warnings: Diagnostics::default(),
            kept_counts: None,
            last_insert_id: self.last_insert_id,
            last_insert_id_given: None,
            row_count: self.row_count,
            found_rows: self.found_rows,
            insert_id: None,
            statement_micros: self.statement_micros,
            fixed_micros: self.fixed_micros,
            user_locks: SessionLocks::new(Arc::default(), self.connection_id),
            sequences: Sequences::default(),
            entropy: None,
            found_rows_mode: self.found_rows_mode,
            values: Arc::clone(&self.values),
            globals: Arc::clone(&self.globals),
            clock: Arc::clone(&self.clock),
            user_variables: HashMap::new(),
            changes: Vec::new(),
        }
    }

    /// Which commits the server has executed; None in sessions without a database.
    pub fn executed(&self) -> Option<&crate::gtid::Executed> {
        self.globals.executed()
    }

    /// A transaction of this session has committed; a client that tracks ids is told. Zero is the number of one
    /// that wrote nothing.
    pub(crate) fn committed(&mut self, number: u64) {
        if number == 0 {
            return;
        }
        let tracked = self.session_value(const { position("session_track_gtids") });
        let Some(executed) = self.globals.executed() else { return };
        let gtids = match tracked.as_text() {
            "OWN_GTID" => executed.gtid(number),
            "ALL_GTIDS" => executed.set().text(),
            _ => return,
        };
        self.changed(StateChange::Gtids(gtids));
    }

    /// Fixes the time of the statement that begins now.
    pub(crate) fn start_clock(&mut self) {
        self.statement_micros = self.fixed_micros.unwrap_or_else(|| self.clock.wall_micros());
        self.last_insert_id_given = None;
        self.sequences.clear();
    }

    /// The clock itself, for what must not stand still within a statement (`SYSDATE`).
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time of the statement in the session's zone, with all six digits.
    pub fn now(&self) -> DateTime {
        let utc = self.now_utc();
        utc.to_local(self.settings.time_zone).unwrap_or(utc)
    }

    /// The time of the statement in UTC, as TIMESTAMP columns store it, with all six digits.
    pub fn now_utc(&self) -> DateTime {
        let micros = i64::try_from(self.statement_micros).unwrap_or(i64::MAX);
        DateTime::from_micros_since_epoch(micros, 6).unwrap_or(DateTime::ZERO)
    }

    /// The value of `@@name` for this scope (None: the session's where there is one).
    pub fn system_variable(&self, scope: Option<VariableScope>, name: &str) -> Result<SystemValue, SqlError> {
        let (at, variable) = find(name).ok_or_else(|| SqlError::unknown_variable(name))?;
        match (scope, variable.scope) {
            (Some(VariableScope::Global), Scope::Session) => {
                return Err(SqlError::incorrect_variable_scope(variable.name, "SESSION"));
            }
            (Some(VariableScope::Session), Scope::Global) => {
                return Err(SqlError::incorrect_variable_scope(variable.name, "GLOBAL"));
            }
            _ => {}
        }
        if scope == Some(VariableScope::Global) || variable.scope == Scope::Global {
            return Ok(self.globals.get(at));
        }
        Ok(self.session_value(at))
    }

    /// The session's value at a position of the registry.
    pub fn session_value(&self, at: usize) -> SystemValue {
        const LAST_INSERT_ID: usize = position("last_insert_id");
        const IDENTITY: usize = position("identity");
        const INSERT_ID: usize = position("insert_id");
        const WARNING_COUNT: usize = position("warning_count");
        const ERROR_COUNT: usize = position("error_count");
        const PSEUDO_THREAD_ID: usize = position("pseudo_thread_id");
        const TIMESTAMP: usize = position("timestamp");
        match at {
            LAST_INSERT_ID | IDENTITY => SystemValue::UInt(self.last_insert_id),
            INSERT_ID => SystemValue::UInt(self.insert_id.unwrap_or(0)),
            WARNING_COUNT => SystemValue::UInt(self.kept_counts.map_or(self.warnings.total(), |c| c.0)),
            ERROR_COUNT => SystemValue::UInt(self.kept_counts.map_or(self.warnings.errors(), |c| c.1)),
            PSEUDO_THREAD_ID => SystemValue::UInt(self.connection_id),
            TIMESTAMP => SystemValue::Double(self.statement_micros as f64 / 1e6),
            _ => self.values.get(at).cloned().unwrap_or(SystemValue::Null),
        }
    }

    /// Gives a session variable a value that was checked, and derives the settings again.
    pub(crate) fn set_session_value(&mut self, at: usize, value: SystemValue) {
        const LAST_INSERT_ID: usize = position("last_insert_id");
        const IDENTITY: usize = position("identity");
        const INSERT_ID: usize = position("insert_id");
        const TIMESTAMP: usize = position("timestamp");
        match at {
            LAST_INSERT_ID | IDENTITY => self.last_insert_id = value.as_u64(),
            INSERT_ID => self.insert_id = Some(value.as_u64()).filter(|id| *id != 0),
            TIMESTAMP => {
                self.fixed_micros = match value {
                    SystemValue::Double(seconds) if seconds > 0.0 => Some((seconds * 1e6).round() as u64),
                    _ => None,
                };
            }
            _ => self.put(at, value),
        }
        self.settings = Settings::from_values(&self.values);
    }

    /// Sets the three character sets and the collation of the connection, as the handshake and SET NAMES do.
    pub(crate) fn set_connection_collation(&mut self, collation: Collation) {
        let charset = SystemValue::text(collation.charset().name());
        for at in [
            const { position("character_set_client") },
            const { position("character_set_results") },
            const { position("character_set_connection") },
        ] {
            self.put(at, charset.clone());
        }
        self.put(const { position("collation_connection") }, SystemValue::text(collation.name()));
        self.settings = Settings::from_values(&self.values);
    }

    fn put(&mut self, at: usize, value: SystemValue) {
        if let Some(slot) = Arc::make_mut(&mut self.values).get_mut(at) {
            *slot = value;
        }
    }

    /// The global values behind this session's.
    pub fn globals(&self) -> &Arc<GlobalVariables> {
        &self.globals
    }

    /// The value of `@name`; None when it was never set (which reads as NULL).
    pub fn user_variable(&self, name: &str) -> Option<&UserVariable> {
        if let Some(found) = self.user_variables.get(name) {
            return Some(found);
        }
        self.user_variables.get(name.to_lowercase().as_str())
    }

    /// Sets `@name` to a value of a type. Names ignore case.
    pub fn set_user_variable(
        &mut self,
        name: &str,
        cell: ValueRef<'_>,
        ty: &ExprType,
    ) -> Result<(), SqlError> {
        let name = name.to_lowercase();
        let mut variable = UserVariable::of(cell, ty);
        // NULL alone has no collation: that of the string before stays.
        if ty.kind == Kind::Null
            && let Some(before) = self.user_variables.get(&name).filter(|before| before.ty.is_string())
        {
            variable.ty = before.ty.clone();
        }
        if self.user_variables.len() >= MAX_USER_VARIABLES && !self.user_variables.contains_key(&name) {
            return Err(SqlError::memory_capacity(MAX_USER_VARIABLES, "user variables", "Too many of them."));
        }
        self.user_variables.insert(name, variable);
        Ok(())
    }

    /// Records a warning of the running statement.
    pub fn warn(&mut self, error: &SqlError) {
        self.warnings.push_error(Level::Warning, error, self.settings.max_error_count);
    }

    /// Records a note of the running statement, unless `sql_notes` is off.
    pub fn note(&mut self, error: &SqlError) {
        if self.settings.sql_notes {
            self.warnings.push_error(Level::Note, error, self.settings.max_error_count);
        }
    }

    /// Tells a client that tracks session state of a change.
    pub(crate) fn changed(&mut self, change: StateChange) {
        // A client that never reads its changes must not make the list grow.
        if self.changes.len() < 1024 {
            self.changes.push(change);
        }
    }

    /// The changes since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<StateChange> {
        std::mem::take(&mut self.changes)
    }

    /// Whether `session_track_system_variables` names this variable.
    pub(crate) fn tracks(&self, name: &str) -> bool {
        let list = self.session_value(const { position("session_track_system_variables") });
        list.as_text().split(',').any(|part| part.trim() == "*" || part.trim().eq_ignore_ascii_case(name))
    }

    /// Back to the state of a new connection (COM_RESET_CONNECTION, COM_CHANGE_USER); the default
    /// database stays.
    pub(crate) fn reset(&mut self) {
        self.values = self.globals.snapshot();
        self.settings = Settings::from_values(&self.values);
        self.user_variables.clear();
        self.user_locks.release_all();
        self.warnings.clear();
        self.last_insert_id = 0;
        self.last_insert_id_given = None;
        self.insert_id = None;
        self.fixed_micros = None;
        self.row_count = -1;
        self.found_rows = 0;
        self.changes.clear();
    }
}
