//! `rustydb serve`: opens the store, then the doors; waits for a signal; closes in the opposite order.
//!
//! ```text
//! ports free? -> HTTP door -> store opened (log replayed) -> root has a password -> MySQL door -> ready
//! SIGTERM    -> not ready  -> MySQL door closed, statements ended -> checkpoint -> exit 0
//! ```
//!
//! HTTP and signals share one thread with a small reactor; everything else blocks on threads of its own. The
//! way down has a deadline: when it passes, the process ends with an error, which is safe, since the next
//! start replays the log.

use crate::figures;
use crate::http::{self, Readiness};
use crate::root_password::{self, First};
use crate::settings::{Config, Durability, Socket, TlsMode};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustydb_catalog::{AuthPlugin, CatalogChange, Verifier};
use rustydb_mysql_protocol::auth::caching_sha2;
use rustydb_mysql_server::{SqlBackend, TlsConfig};
use rustydb_sql::variables::SystemValue;
use rustydb_sql::{Database, OpenOptions};
use rustydb_storage::Opening;
use rustydb_storage::disk::{SystemClock, SystemDisk};
use rustydb_telemetry::Registry;
use rustydb_transaction::Isolation;
use rustydb_transaction::changelog::ChangeLogOptions;
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

type Server = rustydb_mysql_server::Server<SqlBackend>;

/// The longest path that a Unix socket can have on Linux.
const SOCKET_PATH: usize = 107;

/// Serves until a signal. The error is a sentence for the person who started it.
pub(crate) fn run(config: Config) -> Result<(), String> {
    allow_open_files();
    if let Some(address) = config.mysql {
        // Told now, before a data directory is made and a password generated.
        listen(address, "--mysql").map(drop)?;
    }
    let http = config.http.map(|address| listen(address, "--http")).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the reactor: {error}"))?;
    let outcome = runtime.block_on(serve(config, http));
    // What still runs past the deadline is left behind: the process ends.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: Config, http: Option<TcpListener>) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("cannot wait for signals: {error}"))?;
    let registry = Registry::new();
    let readiness = Readiness::not_yet("the store is being opened");
    if let Some(listener) = http {
        let adopted =
            listener.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(listener));
        let listener = adopted.map_err(|error| format!("cannot serve HTTP (--http): {error}"))?;
        tokio::spawn(http::serve(listener, registry.clone(), readiness.clone()));
    }

    let opening = {
        let (config, registry) = (config.clone(), registry.clone());
        tokio::task::spawn_blocking(move || Serving::open(&config, &registry))
    };
    let serving = tokio::select! {
        opened = opening => opened.map_err(|error| format!("opening the store: {error}"))??,
        // A replay cannot be hurried and need not be finished: the next start does it again.
        () = signals.next() => return Ok(()),
    };
    let database = Arc::downgrade(&serving.database);
    readiness.set(move || match database.upgrade() {
        Some(database) => database.engine().store().log().check().err().map(|error| error.to_string()),
        None => Some("the store is closed".into()),
    });
    println!("{}", serving.welcome);
    tracing::info!(
        data_dir = %config.data_dir.display(),
        memory = config.budget.memory.unwrap_or(0),
        buffer_pool_size = config.budget.buffer_pool,
        statement_memory = config.budget.statement,
        "ready"
    );

    signals.next().await;
    tracing::info!("stopping");
    readiness.set(|| Some("the server is stopping".into()));
    let deadline = config.stop_timeout;
    let closing = tokio::task::spawn_blocking(move || serving.close(deadline));
    tokio::select! {
        closed = closing => closed.map_err(|error| format!("closing the store: {error}"))?,
        () = tokio::time::sleep(deadline) => Err(format!(
            "not everything was closed within {} s (--stop-timeout); the next start replays the log",
            deadline.as_secs_f64()
        )),
        () = signals.next() => Err("a second signal; the next start replays the log".into()),
    }
}

/// The open store and its MySQL door.
struct Serving {
    database: Arc<Database>,
    server: Option<Server>,
    welcome: String,
}

impl Serving {
    fn open(config: &Config, registry: &Registry) -> Result<Serving, String> {
        let disk = SystemDisk::new(&config.data_dir).map_err(|error| {
            format!("cannot use the data directory {} (--data-dir): {error}", config.data_dir.display())
        })?;
        let machine = Arc::new(SystemClock::default());
        let mut options = OpenOptions::new(Arc::new(disk), machine.clone(), machine);
        let storage = &mut options.engine.storage;
        storage.buffer_pool_bytes = in_memory(config.budget.buffer_pool);
        storage.page_size = config.page_size.map_or(storage.page_size, |bytes| bytes as usize);
        storage.durability = match config.durability {
            Durability::Commit => rustydb_storage::Durability::Commit,
            Durability::Second => rustydb_storage::Durability::Second,
        };
        options.engine.recovery_target = config.recovery_target;
        options.engine.checkpoint_bytes = config.checkpoint_size;
        options.engine.undo_memory = config.budget.undo;
        options.engine.max_row_locks = in_memory(config.budget.row_locks);
        options.engine.change_log =
            ChangeLogOptions { bytes: config.change_log_bytes, age: config.change_log_age };
        options.registry = Arc::new(registry.clone());
        options.facts.hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
        options.facts.data_directory = config.data_dir.display().to_string();
        options.facts.buffer_pool_bytes = config.budget.buffer_pool;
        options.statement_memory = in_memory(config.budget.statement);
        options.all_statements_memory = in_memory(config.budget.statements);
        options.variables = variables(config);
        let database = Database::open(options).map_err(|error| error.message)?;
        figures::register(registry, database.engine());
        figures::register_budget(registry, config.budget, &database);
        say_opened(&database.engine().store().opening());

        let first = secure_root(&database, &config.data_dir)?;
        let server = start_door(config, registry, &database)?;
        let listening = listening(config, server.as_ref());
        database
            .engine()
            .store()
            .describe_holder(&listening)
            .map_err(|error| format!("cannot write the lock file: {error}"))?;
        let welcome = welcome(config, &listening, first.as_ref(), server.as_ref());
        Ok(Serving { database, server, welcome })
    }

    fn close(mut self, deadline: Duration) -> Result<(), String> {
        if let Some(server) = self.server.take() {
            // Statements are ended, not waited for; a client that reads slowly may take its share of the time.
            let cut = server.stop(deadline / 2);
            if cut > 0 {
                tracing::warn!(connections = cut, "connections were cut off in the middle of a statement");
            }
        }
        self.database.close().map_err(|error| error.message)
    }
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Says in the log what the store's opening found.
fn say_opened(opening: &Opening) {
    if opening.was_unclean {
        tracing::info!(
            replayed_bytes = opening.replayed,
            restored_pages = opening.restored_pages,
            unfinished_transactions = opening.losers,
            torn_tail = opening.torn_tail.is_some(),
            "the store was not closed in order; its log was replayed"
        );
    }
    if !opening.is_direct {
        tracing::warn!(
            "the file system has no direct I/O: pages are also kept in the operating system's cache, \
             and what a failed sync has left there may be read as if it were on disk"
        );
    }
}

/// The global variables that settings decide.
fn variables(config: &Config) -> Vec<(String, SystemValue)> {
    let mut set = vec![
        ("max_connections", SystemValue::UInt(config.max_connections.into())),
        ("max_allowed_packet", SystemValue::UInt(config.max_allowed_packet)),
        ("connect_timeout", SystemValue::UInt(config.connect_timeout.as_secs().max(1))),
        ("wait_timeout", SystemValue::UInt(config.wait_timeout.as_secs().max(1))),
        ("interactive_timeout", SystemValue::UInt(config.wait_timeout.as_secs().max(1))),
        ("slow_query_log", SystemValue::Bool(config.slow_statement.is_some())),
        ("undo_memory", SystemValue::UInt(config.budget.undo)),
        ("max_wal_pinned", SystemValue::UInt(config.max_wal_pinned)),
        ("max_snapshot_age", SystemValue::UInt(config.max_snapshot_age.map_or(0, |age| age.as_secs()))),
        ("require_secure_transport", SystemValue::Bool(config.tls == TlsMode::Required)),
    ];
    if let Some(slow) = config.slow_statement {
        set.push(("long_query_time", SystemValue::Double(slow.as_secs_f64())));
    }
    if let Some(address) = config.mysql {
        set.push(("port", SystemValue::UInt(address.port().into())));
        set.push(("bind_address", SystemValue::text(address.ip().to_string())));
    }
    if let Some(path) = socket(config) {
        set.push(("socket", SystemValue::text(path.display().to_string())));
    }
    set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Gives root a password where it has none: in a directory that is new, or that only programs have opened so far.
/// All its accounts in one transaction, before the door opens. None when it has one.
fn secure_root(database: &Database, data_dir: &Path) -> Result<Option<First>, String> {
    let catalog = database.catalog();
    let open: Vec<_> =
        catalog.users().into_iter().filter(|user| user.name == "root" && !user.has_password()).collect();
    if open.is_empty() {
        return Ok(None);
    }
    let first = root_password::first(std::env::var(root_password::VARIABLE).ok(), data_dir)
        .map_err(|error| format!("cannot keep root's password in {}: {error}", data_dir.display()))?;
    if first.password().is_empty() {
        return Err(format!(
            "{} is empty; leave it out to have a password generated",
            root_password::VARIABLE
        ));
    }
    let refused = |error: &dyn std::fmt::Display| format!("setting root's password: {error}");
    let verifier =
        caching_sha2::Verifier::new(first.password().as_bytes()).map_err(|error| refused(&error))?;
    let mut transaction = database.engine().begin(Isolation::ReadCommitted, false);
    let mut change = CatalogChange::default();
    for user in open {
        // No SHA-1 verifier is made unasked.
        let plugin = AuthPlugin::CachingSha2Password;
        let verifiers = vec![Verifier { plugin, text: verifier.text() }];
        let set = catalog.set_verifiers(&mut transaction, &user.name, &user.host, plugin, verifiers);
        change.join(set.map_err(|error| refused(&error))?);
    }
    catalog.commit(transaction, change).map_err(|error| refused(&error))?;
    Ok(Some(first))
}

fn start_door(
    config: &Config,
    registry: &Registry,
    database: &Arc<Database>,
) -> Result<Option<Server>, String> {
    let socket = socket(config);
    if config.mysql.is_none() && socket.is_none() {
        return Ok(None);
    }
    let door = rustydb_mysql_server::Config {
        tcp: config.mysql.into_iter().collect(),
        socket,
        keys: Some(config.data_dir.clone()),
        tls: match (config.tls, &config.certificate) {
            (TlsMode::Off, _) => TlsConfig::Off,
            (_, Some((certificate, key))) => {
                TlsConfig::Files { certificate: certificate.clone(), key: key.clone() }
            }
            (_, None) => TlsConfig::SelfSigned,
        },
        require_secure_transport: config.tls == TlsMode::Required,
        ..rustydb_mysql_server::Config::default()
    };
    Server::start(SqlBackend::new(Arc::clone(database)), door, registry)
        .map(Some)
        .map_err(|error| door_error(&error))
}

/// The socket to listen at: none where it was only a default and the system cannot have it.
fn socket(config: &Config) -> Option<PathBuf> {
    match &config.socket {
        Socket::Off => None,
        Socket::Asked(path) => Some(path.clone()),
        Socket::Default(path) if path.as_os_str().len() > SOCKET_PATH => {
            tracing::warn!(path = %path.display(), "no Unix socket: its default path is too long; --socket names another");
            None
        }
        Socket::Default(path) => Some(path.clone()),
    }
}

fn door_error(error: &rustydb_mysql_server::Error) -> String {
    use rustydb_mysql_server::Error;
    match error {
        Error::Listen { .. } => format!("{error} (--mysql)"),
        Error::ListenLocal { .. } => format!("{error} (--socket)"),
        Error::KeyFile { .. } | Error::BadKey { .. } => format!("{error} (--tls-certificate, --tls-key)"),
        _ => error.to_string(),
    }
}

/// Binds, and says by which flag another place is named.
fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| {
        format!("cannot listen on {address}: {error}; name another address with {flag} ADDR, or leave it out with {flag} off")
    })
}

/// Where the doors are, in a few words: for the welcome and for whoever finds the directory locked.
fn listening(config: &Config, server: Option<&Server>) -> String {
    let mut places = Vec::new();
    if let (Some(address), Some(_)) = (config.mysql, server) {
        places.push(format!("MySQL on {address}"));
    }
    if let (Some(path), Some(_)) = (socket(config), server) {
        places.push(format!("MySQL on socket {}", path.display()));
    }
    if let Some(address) = config.http {
        places.push(format!("HTTP on {address}"));
    }
    if places.is_empty() { "no door".to_owned() } else { places.join(", ") }
}

fn welcome(config: &Config, listening: &str, first: Option<&First>, server: Option<&Server>) -> String {
    let mut text = format!(
        "RustyDB {} is ready: {listening}; data in {}",
        env!("CARGO_PKG_VERSION"),
        config.data_dir.display()
    );
    if let Some(First::Generated(password, file)) = first {
        let _ = write!(text, "\nroot's password is {password}, kept in {}", file.display());
    }
    let word = match first {
        Some(First::Generated(password, _)) => format!("--password='{password}'"),
        _ => "--password".to_owned(),
    };
    if let (Some(address), Some(_)) = (config.mysql, server) {
        // A server on all addresses is reached at the local one.
        let host =
            if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
        let _ = write!(
            text,
            "\nconnect with: mariadb --host={host} --port={} --user=root {word}",
            address.port()
        );
    } else if let (Some(path), Some(_)) = (socket(config), server) {
        let _ = write!(text, "\nconnect with: mariadb --socket={} --user=root {word}", path.display());
    }
    text
}

/// Every connection is an open file: as many as the system lets us have.
fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
