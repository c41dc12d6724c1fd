//! Sessions: one client's statements, transaction and settings.
//!
//! A session belongs to one connection and one thread at a time. It is the only owner of its transaction
//! and metadata locks; dropping it rolls back and lets go of everything. What expressions may see of it is
//! [`SessionState`]; what others may do to it is its [`Cancel`] and its entry in the process list.
//!
//! ```text
//! query (text) --cache, parse--> run --> answer into the sink
//! prepare -> Prepared --execute--^ |
//!                                  +-- point plan     straight on the trees   (crate::point)
//!                                  +-- select plan    general executor        (crate::exec)
//!                                  +-- dml, ddl, show, set, transaction control
//! ```

mod account;
mod change;
pub mod diagnostics;
mod dispatch;
mod explain;
mod flush;
mod hints;
mod histograms;
mod lock_tables;
pub(crate) mod maintain;
pub(crate) mod plan_cache;
mod prepared;
pub(crate) mod query;
mod run;
mod set;
mod state;
pub(crate) mod tables;
mod template;
mod template_shape;
pub(crate) mod temporary;
pub(crate) mod transaction;
mod transaction_tracker;
pub(crate) mod user_variable;
mod xa;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use rustydb_transaction::locks::{MetadataLockOwner, WaitOptions};
use rustydb_transaction::{Cancel, CancelReason};
use rustydb_value::{Charset, Collation};

use crate::api::{SessionOptions, StateChange, StatusFlags};
use crate::database::Database;
use crate::database::cache::{Form, Surroundings};
use crate::database::processes::{Client, Process};
use crate::database::read_lock::WritePass;
use crate::database::user_locks::SessionLocks;
use crate::error::SqlError;
use crate::variables::SystemValue;
use crate::variables::registry::position;

pub use diagnostics::{Condition, Diagnostics, Level};
pub use prepared::Prepared;
pub use state::SessionState;
pub use user_variable::UserVariable;

use tables::LockedTable;
use template::TemplateText;
use temporary::TemporaryTables;
use transaction::{NextTransaction, OpenTransaction, ReadIds};
use transaction_tracker::TransactionTracker;
use xa::{Lost, XaState};

/// One client's session.
pub struct Session {
    database: Arc<Database>,
    state: SessionState,
    open: Option<OpenTransaction>,
    next: NextTransaction,
    xa: XaState,
    owner: MetadataLockOwner,
    cancel: Cancel,
    process: Arc<Process>,
    multi_statements: bool,
    interactive: bool,
    surroundings: Surroundings,
    template_text: TemplateText,
    prepared: HashMap<String, Prepared>,
    locked: Option<Vec<LockedTable>>,
    pass: WritePass,
    tracker: TransactionTracker,
    temporary: TemporaryTables,
    no_index_used: bool,
    /// Its transaction was idle for too long and is gone, which its next statement is told.
    was_idle: bool,
    read_ids: ReadIds,
}

impl Session {
    /// Opens a session of an account that the caller has authenticated.
    pub(crate) fn open(database: Arc<Database>, options: &SessionOptions) -> Result<Session, SqlError> {
        let mut state =
            SessionState::new(options, Arc::clone(database.globals()), Arc::clone(database.clock()));
        state.user_locks = SessionLocks::new(Arc::clone(database.user_locks()), options.connection_id);
        state.entropy = Some(Arc::clone(database.entropy()));
        if let Some(collation) =
            Collation::from_id(options.collation).filter(|c| c.charset() != Charset::Binary)
        {
            state.set_connection_collation(collation);
        }
        let cancel = Cancel::new();
        let owner = MetadataLockOwner::new(database.engine().locks().new_owner());
        let process = database.processes().add(
            &Client {
                id: options.connection_id,
                user: &options.user,
                host: &options.host,
                transport: &options.transport,
            },
            owner.id(),
            cancel.clone(),
            database.clock().monotonic(),
        );
        let pass = WritePass::new(database.read_lock());
        let mut session = Session {
            surroundings: Surroundings {
                database: None,
                sql_mode: 0,
                text: 0,
                optimizer: 0,
                form: Form::Text,
            },
            database,
            state,
            open: None,
            next: NextTransaction::default(),
            xa: XaState::None,
            owner,
            cancel,
            process,
            multi_statements: options.multi_statements,
            interactive: options.interactive,
            template_text: TemplateText::default(),
            prepared: HashMap::new(),
            locked: None,
            pass,
            tracker: TransactionTracker::default(),
            temporary: TemporaryTables::default(),
            no_index_used: false,
            was_idle: false,
            read_ids: ReadIds::default(),
        };
        if let Some(name) = &options.database {
            session.use_database(name)?;
        }
        session.refresh_surroundings();
        session.state.take_changes();
        Ok(session)
    }

    /// The shared parts of the server.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// What the session remembers.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// Whether a definition is that of one of this session's temporary tables.
    pub(crate) fn is_temporary(&self, def: &rustydb_catalog::TableDef) -> bool {
        self.temporary.find(&def.database, &def.name).is_some_and(|own| own.id == def.id)
    }

    /// Whether a name is that of one of this session's temporary tables.
    fn is_temporary_name(&self, database: &str, name: &str) -> bool {
        self.temporary.find(database, name).is_some()
    }

    /// Number of the connection.
    pub fn connection_id(&self) -> u64 {
        self.state.connection_id
    }

    /// The default database.
    pub fn current_database(&self) -> Option<&str> {
        self.state.database.as_deref()
    }

    /// Ends the running statement or the session from another thread.
    pub fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Whether the session was killed or the server stops: the door should close the connection.
    pub fn must_end(&self) -> bool {
        self.cancel.reason().is_some_and(|reason| !reason.is_statement_only())
    }

    /// The status bits of this moment.
    pub fn status(&self) -> StatusFlags {
        let mut status = StatusFlags::default();
        status.set(StatusFlags::AUTOCOMMIT, self.state.settings.autocommit);
        let escapes = self.state.settings.sql_mode.has(crate::variables::SqlMode::NO_BACKSLASH_ESCAPES);
        status.set(StatusFlags::NO_BACKSLASH_ESCAPES, escapes);
        status.set(StatusFlags::NO_INDEX_USED, self.no_index_used);
        if let Some(open) = &self.open {
            status.set(StatusFlags::IN_TRANSACTION, true);
            status.set(StatusFlags::IN_READ_ONLY_TRANSACTION, open.read_only);
        }
        status
    }

    /// How many warnings SHOW WARNINGS would list.
    pub fn warning_count(&self) -> u16 {
        self.state.warnings.count()
    }

    /// The character set that statements and parameters arrive in.
    pub fn character_set_client(&self) -> Charset {
        self.state.settings.character_set_client
    }

    /// The collation of the connection.
    pub fn collation_connection(&self) -> Collation {
        self.state.settings.collation_connection
    }

    /// The character set that text leaves in; None sends it as it is stored.
    pub fn character_set_results(&self) -> Option<Charset> {
        self.state.settings.character_set_results
    }

    /// The largest packet in bytes, either way.
    pub fn max_allowed_packet(&self) -> usize {
        self.number(const { position("max_allowed_packet") }) as usize
    }

    /// How long the door waits for the next command.
    pub fn idle_timeout(&self) -> Duration {
        let at = if self.interactive {
            const { position("interactive_timeout") }
        } else {
            const { position("wait_timeout") }
        };
        Duration::from_secs(self.number(at))
    }

    /// How long the open transaction may wait for its next statement (`idle_transaction_timeout`, and
    /// `idle_write_transaction_timeout` once it has changed something); None without a transaction, and without a
    /// limit.
    pub fn idle_transaction_limit(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        let any = self.number(const { position("idle_transaction_timeout") });
        let writes = match open.txn.has_writes() {
            true => self.number(const { position("idle_write_transaction_timeout") }),
            false => 0,
        };
        [any, writes].into_iter().filter(|limit| *limit > 0).min().map(Duration::from_secs)
    }

    /// Rolls back the transaction that was idle for too long: its locks are free at once. The session stays, and its
    /// next statement learns of it, unless that is ROLLBACK.
    pub fn end_idle_transaction(&mut self) {
        if self.open.is_none() {
            return;
        }
        // A failure has stopped the store, which the next statement meets.
        let _ = self.rollback_open();
        match self.xa.check_none() {
            Ok(()) => self.was_idle = true,
            Err(_) => self.xa_lost(Lost::Timeout),
        }
        self.database.metrics.idle_transactions.inc(1);
    }

    /// How long the door waits for the client to take data.
    pub fn net_write_timeout(&self) -> Duration {
        Duration::from_secs(self.number(const { position("net_write_timeout") }))
    }

    /// How long the door waits for the rest of a packet.
    pub fn net_read_timeout(&self) -> Duration {
        Duration::from_secs(self.number(const { position("net_read_timeout") }))
    }

    fn number(&self, at: usize) -> u64 {
        self.state.session_value(at).as_u64()
    }

    /// The changes that a tracking client has not been told of yet.
    pub fn take_state_changes(&mut self) -> Vec<StateChange> {
        let mut changes = self.state.take_changes();
        self.track_transaction(&mut changes);
        changes
    }

    /// Whether several statements may come in one text (COM_SET_OPTION).
    pub fn set_multi_statements(&mut self, on: bool) {
        self.multi_statements = on;
    }

    /// USE and COM_INIT_DB.
    pub fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        if name.is_empty() {
            return Err(SqlError::no_database());
        }
        let (name, collation) = if let Some(home) = crate::virtual_database::find(name) {
            (home.name.to_owned(), home.collation)
        } else {
            let found = self.database.catalog().database(name);
            let def = found.ok_or_else(|| SqlError::unknown_database(name))?;
            (def.name.clone(), def.collation)
        };
        self.process.set_database(Some(&name));
        if self.state.settings.track_schema {
            self.state.changed(StateChange::Schema(name.clone()));
        }
        self.state.database = Some(name);
        self.set_database_collation(collation);
        self.refresh_surroundings();
        Ok(())
    }

    /// No default database any more: it was dropped.
    fn forget_database(&mut self) {
        self.process.set_database(None);
        self.state.database = None;
        self.set_database_collation(self.state.settings.collation_server);
        self.refresh_surroundings();
    }

    fn set_database_collation(&mut self, collation: Collation) {
        self.state.set_session_value(
            const { position("character_set_database") },
            SystemValue::text(collation.charset().name()),
        );
        self.state
            .set_session_value(const { position("collation_database") }, SystemValue::text(collation.name()));
    }

    /// COM_RESET_CONNECTION: rolls back and forgets everything but account and default database.
    pub fn reset(&mut self) -> Result<(), SqlError> {
        let ended = self.end_everything();
        let database = self.state.database.take();
        let collation = self.state.settings.collation_connection;
        self.state.reset();
        self.state.set_connection_collation(collation);
        if let Some(name) = database {
            // It may have been dropped meanwhile; then there is no default database, as in MySQL.
            if self.use_database(&name).is_err() {
                self.forget_database();
            }
        }
        self.refresh_surroundings();
        self.state.take_changes();
        ended
    }

    /// COM_CHANGE_USER, after the caller has authenticated the new account.
    pub fn change_user(&mut self, options: &SessionOptions) -> Result<(), SqlError> {
        let ended = self.end_everything();
        self.state.reset();
        self.state.user.clone_from(&options.user);
        self.state.account.clone_from(&options.account);
        self.process.set_user(&options.user);
        if let Some(collation) =
            Collation::from_id(options.collation).filter(|c| c.charset() != Charset::Binary)
        {
            self.state.set_connection_collation(collation);
        }
        self.forget_database();
        if let Some(name) = options.database.as_deref().filter(|name| !name.is_empty()) {
            self.use_database(name)?;
        }
        self.refresh_surroundings();
        self.state.take_changes();
        ended
    }

    /// Rolls back, unlocks, forgets prepared statements.
    fn end_everything(&mut self) -> Result<(), SqlError> {
        let rolled_back = self.rollback_open();
        self.xa_over();
        self.was_idle = false;
        self.tracker = TransactionTracker::default();
        self.locked = None;
        let locks = self.database.engine().metadata_locks();
        self.pass.open(locks, &mut self.owner);
        locks.release_all(&mut self.owner);
        self.next = NextTransaction::default();
        self.prepared.clear();
        self.temporary.clear(self.database.catalog());
        rolled_back
    }

    /// The line that COM_STATISTICS answers.
    pub fn statistics(&self) -> String {
        let metrics = self.database.metrics();
        let uptime = self.database.uptime().as_secs();
        let questions = metrics.total();
        let rate = questions as f64 / (uptime.max(1)) as f64;
        format!(
            "Uptime: {uptime}  Threads: {}  Questions: {questions}  Slow queries: {}  Opens: 0  Flush tables: 0  \
             Open tables: 0  Queries per second avg: {rate:.3}",
            self.database.processes().count(),
            metrics.slow.get(),
        )
    }

    fn row_wait(&self) -> WaitOptions {
        WaitOptions { lock_wait: self.state.settings.row_lock_wait, cancel: self.cancel.clone() }
    }

    fn metadata_wait(&self) -> WaitOptions {
        WaitOptions { lock_wait: self.state.settings.metadata_lock_wait, cancel: self.cancel.clone() }
    }

    /// What the statement cache must know of this session; to be called when any of it changes.
    fn refresh_surroundings(&mut self) {
        let settings = &self.state.settings;
        let text = u64::from(settings.collation_connection.id())
            | (settings.character_set_client as u64) << 16
            | settings.character_set_results.map_or(0xff, |c| c as u64) << 24;
        self.surroundings = Surroundings {
            database: self.state.database.as_deref().map(Arc::from),
            sql_mode: settings.sql_mode.0,
            text,
            optimizer: settings.rules.bits()
                ^ u64::from(settings.optimizer_switch.bits()).rotate_left(32)
                // Limits of different sizes make different plans; no limit leaves the number as it is.
                ^ (!settings.sql_select_limit).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            form: Form::Text,
        };
    }

    /// Turns the error of a cancelled statement into the one for its reason.
    fn explain_cancellation(&self, error: SqlError) -> SqlError {
        if error.code != 1317 {
            return error;
        }
        match self.cancel.reason() {
            Some(CancelReason::Timeout) => SqlError::max_execution_time(),
            Some(CancelReason::Shutdown) => SqlError::server_shutdown(),
            _ => error,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // There is nobody left to tell of an error; the store itself knows if it failed.
        let _ = self.end_everything();
        self.database.processes().remove(&self.process);
    }
}
