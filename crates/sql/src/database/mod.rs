//! What all sessions share: the store, the catalog, global variables, the process list, caches, figures.
//!
//! A [`Database`] is opened once over a disk and lives until the last session is gone. It hands out
//! [`Session`](crate::session::Session)s and answers what doors ask before there is one: accounts for
//! authentication, limits, KILL.
//!
//! Lock order: none of the locks in here is held while another is taken.

mod accounts;
pub mod cache;
pub(crate) mod deadlines;
pub(crate) mod deadlocks;
pub mod memory;
pub mod metrics;
pub mod processes;
pub(crate) mod read_lock;
mod reclaim;
pub mod temporary;
#[cfg(test)]
mod test_file;
pub mod user_locks;
pub(crate) mod xa;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hashbrown::HashMap;
use rustydb_catalog::{Catalog, UserDef};
use rustydb_storage::disk::{Clock, Disk, Entropy};
use rustydb_telemetry::Registry;
use rustydb_transaction::{Engine, EngineOptions, OwnerId};

use crate::api::SessionOptions;
use crate::error::SqlError;
use crate::gtid::Executed;
use crate::plan::statistics::Statistics;
use crate::session::Session;
use crate::variables::registry::position;
use crate::variables::{Facts, GlobalVariables, SystemValue};
use cache::StatementCache;
use deadlines::Deadlines;
use deadlocks::LatestDeadlock;
use memory::StatementMemory;
use metrics::Metrics;
use processes::{ProcessInfo, Processes};
use read_lock::GlobalReadLock;
use temporary::TemporaryFiles;
use user_locks::UserLocks;
use xa::XaTransactions;

/// A statement that took longer than its session's `long_query_time`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowStatement {
    /// The statement with its values left out
    pub template: String,
    /// How long it took
    pub took: Duration,
    /// Rows sent, or changed
    pub rows: u64,
    /// Default database
    pub database: Option<String>,
    /// User name
    pub user: String,
    /// Number of the connection
    pub connection_id: u64,
    /// The error it ended with
    pub error: Option<u16>,
}

/// Where slow statements are reported.
pub type SlowStatementHook = Box<dyn Fn(&SlowStatement) + Send + Sync>;

/// How a database is opened.
pub struct OpenOptions {
    /// Where it lies.
    pub disk: Arc<dyn Disk>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// For the engine below.
    pub engine: EngineOptions,
    /// What the process says about itself.
    pub facts: Facts,
    /// Global variables that the configuration sets.
    pub variables: Vec<(String, SystemValue)>,
    /// Where figures are registered.
    pub registry: Arc<Registry>,
    /// Bytes that one statement may hold in sorts, groups and the like.
    pub statement_memory: usize,
    /// Bytes that all statements together may hold so.
    pub all_statements_memory: usize,
    /// Told of every slow statement; without one they go to the log.
    pub slow_statements: Option<SlowStatementHook>,
}

/// The default of [`OpenOptions::statement_memory`].
pub const DEFAULT_STATEMENT_MEMORY: usize = 256 << 20;

impl OpenOptions {
    /// Everything at its default over this disk.
    pub fn new(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> OpenOptions {
        OpenOptions {
            disk,
            clock,
            entropy,
            engine: EngineOptions::default(),
            facts: Facts {
                version: format!("8.4.6-RustyDB-{}", env!("CARGO_PKG_VERSION")),
                hostname: "localhost".into(),
                ..Facts::default()
            },
            variables: Vec::new(),
            registry: Arc::new(Registry::new()),
            statement_memory: DEFAULT_STATEMENT_MEMORY,
            all_statements_memory: 4 * DEFAULT_STATEMENT_MEMORY,
            slow_statements: None,
        }
    }
}

/// What all sessions share.
pub struct Database {
    engine: Arc<Engine>,
    catalog: Arc<Catalog>,
    statistics: Arc<Statistics>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    globals: Arc<GlobalVariables>,
    processes: Processes,
    pub(crate) cache: StatementCache,
    pub(crate) metrics: Metrics,
    pub(crate) deadlines: Deadlines,
    latest_deadlock: LatestDeadlock,
    user_locks: Arc<UserLocks>,
    read_lock: Arc<GlobalReadLock>,
    xa: XaTransactions,
    registry: Arc<Registry>,
    prepared_statements: Arc<AtomicU64>,
    memory: Arc<StatementMemory>,
    temporary: Arc<TemporaryFiles>,
    slow_statements: Option<SlowStatementHook>,
    started: Duration,
}

impl Database {
    /// Opens the store (recovering it if need be) and everything above it.
    pub fn open(options: OpenOptions) -> Result<Arc<Database>, SqlError> {
        let globals = Arc::new(GlobalVariables::new(&options.facts));
        for (name, value) in options.variables {
            globals.configure(&name, value)?;
        }
        let (temporary, background) = (Arc::clone(&options.disk), options.engine.background);
        let engine =
            Engine::open(options.disk, Arc::clone(&options.clock), &*options.entropy, options.engine)?;
        // Only now is the directory ours alone.
        let temporary = Arc::new(TemporaryFiles::open(temporary, background, &options.registry)?);
        let catalog = Catalog::open(Arc::clone(&engine), Arc::clone(&options.clock))?;
        let xa = XaTransactions::default();
        xa.restore(&engine, &catalog, options.clock.wall_micros())?;
        globals.set_executed(Executed::new(Arc::clone(&engine)));
        let database = Arc::new(Database {
            statistics: Arc::new(Statistics::new(Arc::clone(&engine))),
            engine,
            catalog,
            started: options.clock.monotonic(),
            clock: options.clock,
            entropy: options.entropy,
            globals,
            processes: Processes::default(),
            cache: StatementCache::default(),
            metrics: Metrics::new(&options.registry),
            deadlines: Deadlines::default(),
            latest_deadlock: LatestDeadlock::default(),
            user_locks: Arc::default(),
            read_lock: Arc::default(),
            xa,
            registry: options.registry,
            prepared_statements: Arc::default(),
            memory: Arc::new(StatementMemory::new(options.statement_memory, options.all_statements_memory)),
            temporary,
            slow_statements: options.slow_statements,
        });
        database.watch_deadlocks();
        database.apply_limits();
        Ok(database)
    }

    /// Tells the engine what the global variables allow a transaction to keep.
    pub(crate) fn apply_limits(&self) {
        let number = |at| match self.globals.get(at) {
            SystemValue::UInt(number) => number,
            _ => 0,
        };
        self.engine.set_max_wal_pinned(number(const { position("max_wal_pinned") }));
        self.engine.set_undo_memory(number(const { position("undo_memory") }));
        self.temporary.set_limit(number(const { position("max_temporary_bytes") }));
        self.engine.set_max_snapshot_age(Duration::from_secs(number(const { position("max_snapshot_age") })));
    }

    /// Opens a session. The caller has authenticated the account; an unknown default database is error 1049.
    pub fn session(self: &Arc<Self>, options: &SessionOptions) -> Result<Session, SqlError> {
        Session::open(Arc::clone(self), options)
    }

    /// The transactional store.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The definitions.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// What the planner knows of tables.
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.statistics
    }

    /// What FLUSH TABLES WITH READ LOCK takes.
    pub(crate) fn read_lock(&self) -> &Arc<GlobalReadLock> {
        &self.read_lock
    }

    /// The time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Random bytes.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }

    /// The global values of system variables.
    pub fn globals(&self) -> &Arc<GlobalVariables> {
        &self.globals
    }

    /// The figures of this crate.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where all figures are registered.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What statements may hold to sort, group and join.
    pub fn memory(&self) -> &Arc<StatementMemory> {
        &self.memory
    }

    /// Temporary files of statements.
    pub fn temporary(&self) -> &Arc<TemporaryFiles> {
        &self.temporary
    }

    /// How many prepared statements all sessions have together.
    pub(crate) fn prepared_statements(&self) -> &Arc<AtomicU64> {
        &self.prepared_statements
    }

    /// How long it has been open.
    pub fn uptime(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// The account that a client of this name and host is matched with.
    pub fn user(&self, name: &str, host: &str) -> Option<Arc<UserDef>> {
        self.catalog.user(name, host)
    }

    /// Locks that sessions take by name.
    pub(crate) fn user_locks(&self) -> &Arc<UserLocks> {
        &self.user_locks
    }

    /// The last circle of waits that was broken.
    pub(crate) fn latest_deadlock(&self) -> &LatestDeadlock {
        &self.latest_deadlock
    }

    /// Transactions in two phases.
    pub(crate) fn xa(&self) -> &XaTransactions {
        &self.xa
    }

    /// Who is connected and what each does.
    pub fn process_list(&self) -> Vec<ProcessInfo> {
        let mut list = self.processes.list(self.clock.monotonic());
        let waits: HashMap<OwnerId, &'static str> = {
            let waits = self.engine.locks().waits().into_iter();
            waits.filter_map(|wait| Some((wait.waiting, processes::wait_state(&wait.wanted)?))).collect()
        };
        let waiting = self.user_locks.waiting_sessions();
        for process in list.iter_mut().filter(|process| process.statement.is_some()) {
            match waits.get(&process.owner) {
                Some(state) => process.state = state,
                None if waiting.contains(&process.id) => process.state = "User lock",
                None => {}
            }
        }
        list
    }

    /// The connections.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Ends a connection's statement, or the connection (1094 if there is none).
    pub fn kill(&self, id: u64, statement_only: bool) -> Result<(), SqlError> {
        self.processes.kill(id, statement_only)
    }

    /// A global variable that holds a number, for the doors (`max_connections`, `connect_timeout`).
    pub fn global_number(&self, name: &str) -> Option<u64> {
        let (at, _) = crate::variables::find(name)?;
        Some(self.globals.get(at).as_u64())
    }

    /// Whether `super_read_only` forbids changes.
    pub(crate) fn is_read_only(&self) -> bool {
        self.globals.get(const { position("super_read_only") }) == SystemValue::Bool(true)
    }

    /// Reports a slow statement.
    pub(crate) fn report_slow(&self, slow: &SlowStatement) {
        self.metrics.slow.inc(1);
        if self.globals.get(const { position("slow_query_log") }) != SystemValue::Bool(true) {
            return;
        }
        match &self.slow_statements {
            Some(hook) => hook(slow),
            None => tracing::warn!(
                target: "rustydb::slow",
                template = %slow.template,
                seconds = slow.took.as_secs_f64(),
                rows = slow.rows,
                database = slow.database.as_deref().unwrap_or(""),
                user = %slow.user,
                connection = slow.connection_id,
                error = slow.error,
                "slow statement"
            ),
        }
    }

    /// Ends all statements, writes everything out and closes the store. Sessions that are still there get
    /// errors from then on.
    pub fn close(&self) -> Result<(), SqlError> {
        self.processes.shut_down();
        Ok(self.engine.close()?)
    }
}

impl Drop for Database {
    /// Whoever drops the last handle may open the directory again at once.
    fn drop(&mut self) {
        self.engine.stop_threads();
    }
}
