//! A data directory, opened.

use crate::changes::{ChangeLogOptions, Changes, Start};
use crate::row::Rows;
use crate::{Connection, Error, FromRow, Outcome, Parameters, Result};
use rustydb_sql::{OpenOptions, SessionOptions};
use rustydb_storage::disk::{SystemClock, SystemDisk};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use rustydb_storage::Durability;

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for pages, in bytes
    pub buffer_pool_bytes: usize,
    /// When a commit returns
    pub durability: Durability,
    /// Bytes a page; only looked at when the directory is made
    pub page_size: usize,
    /// Default database of every connection, made when it is missing
    pub database: Option<String>,
    /// How long the log is kept for readers of changes
    pub change_log: ChangeLogOptions,
}

impl Default for Options {
    fn default() -> Options {
        let storage = rustydb_storage::Options::default();
        Options {
            buffer_pool_bytes: 64 << 20,
            durability: storage.durability,
            page_size: storage.page_size,
            database: None,
            change_log: ChangeLogOptions::default(),
        }
    }
}

/// An open database. Clones share it; it is closed by [`Database::close`], or when the last clone and the last
/// connection are gone (then the next open replays the log).
#[derive(Clone)]
pub struct Database {
    shared: Arc<rustydb_sql::Database>,
    connections: Arc<AtomicU64>,
    default_database: Option<String>,
}

impl Database {
    /// Opens the data directory at `path` with default options, making it when it is missing.
    ///
    /// # Errors
    /// [`Error::Directory`]; [`Error::Sql`] when another process has it open, it was written by a newer
    /// version, or it is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(path, &Options::default())
    }

    /// Opens the data directory at `path`.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(path: impl AsRef<Path>, options: &Options) -> Result<Database> {
        let path = path.as_ref();
        let unusable = |source| Error::Directory { path: path.to_owned(), source };
        let disk = SystemDisk::new(path).map_err(unusable)?;
        let machine = Arc::new(SystemClock::default());
        let mut open = OpenOptions::new(Arc::new(disk), machine.clone(), machine);
        open.engine.storage.buffer_pool_bytes = options.buffer_pool_bytes;
        open.engine.storage.durability = options.durability;
        open.engine.storage.page_size = options.page_size;
        open.engine.change_log = options.change_log;
        open.facts.data_directory = path.display().to_string();
        open.facts.buffer_pool_bytes = options.buffer_pool_bytes as u64;
        let shared = rustydb_sql::Database::open(open)?;
        let mut database =
            Database { shared, connections: Arc::new(AtomicU64::new(0)), default_database: None };
        if let Some(name) = &options.database {
            let quoted = name.replace('`', "``");
            database.execute(&format!("CREATE DATABASE IF NOT EXISTS `{quoted}`"), ())?;
            database.default_database = Some(name.clone());
        }
        Ok(database)
    }

    /// Opens a connection: a session with its own variables and transaction.
    ///
    /// # Errors
    /// [`Error::Sql`], when the default database was dropped.
    pub fn connect(&self) -> Result<Connection> {
        let id = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let options = SessionOptions { database: self.default_database.clone(), ..SessionOptions::root(id) };
        Ok(Connection::new(self.shared.session(&options)?))
    }

    /// Begins to read what is committed, in order; see [`crate::changes`].
    ///
    /// # Errors
    /// [`Error::Sql`]: number 1236 when the log is no longer kept that far back, or the position is not of this
    /// store.
    pub fn changes(&self, start: Start) -> Result<Changes> {
        Ok(Changes::new(self.shared.changes(start)?))
    }

    /// Runs one statement on a connection of its own and keeps its rows; see [`Connection::query`].
    ///
    /// # Errors
    /// [`Error::Sql`], with MySQL's number.
    pub fn query(&self, sql: &str, parameters: impl Parameters) -> Result<Rows> {
        self.connect()?.query(sql, parameters)
    }

    /// Runs one statement and reads its rows as a type; see [`Connection::query_as`].
    ///
    /// # Errors
    /// As [`Connection::query_as`].
    pub fn query_as<T: FromRow>(&self, sql: &str, parameters: impl Parameters) -> Result<Vec<T>> {
        self.connect()?.query_as(sql, parameters)
    }

    /// Runs one statement for what it does, under autocommit; see [`Connection::execute`].
    ///
    /// # Errors
    /// [`Error::Sql`], with MySQL's number.
    pub fn execute(&self, sql: &str, parameters: impl Parameters) -> Result<Outcome> {
        self.connect()?.execute(sql, parameters)
    }

    /// Ends all statements, writes everything out and closes the directory. Connections that are still there
    /// get errors from then on.
    ///
    /// # Errors
    /// [`Error::Sql`] when the disk fails; what was committed is in the log all the same.
    pub fn close(&self) -> Result<()> {
        Ok(self.shared.close()?)
    }
}
