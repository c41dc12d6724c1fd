//! The database of the product behind the door: `rustydb-sql` as a [`Backend`].
//!
//! Nothing is decided here; every call is handed on under the name that the door uses.

use crate::backend::{Account, AuthMethod, Backend, Credential, Limits, Prepared, Session};
use rustydb_mysql_protocol::auth::{caching_sha2, native};
use rustydb_sql::{ColumnMeta, Database, ResultSink, SessionOptions, SqlError, StateChange, StatusFlags};
use rustydb_transaction::Cancel;
use rustydb_value::{Charset, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A [`Database`] behind the door.
pub struct SqlBackend {
    database: Arc<Database>,
    last_connection: AtomicU64,
}

impl SqlBackend {
    /// The backend over this database. Connections are numbered from 1.
    pub fn new(database: Arc<Database>) -> SqlBackend {
        SqlBackend { database, last_connection: AtomicU64::new(0) }
    }

    /// The database.
    pub fn database(&self) -> &Arc<Database> {
        &self.database
    }
}

impl Backend for SqlBackend {
    type Session = rustydb_sql::Session;

    fn account(&self, user: &str, host: &str) -> Option<Account> {
        let found = self.database.user(user, host)?;
        let method = AuthMethod::from_name(found.plugin.name())?;
        let credential = match found.verifier(found.plugin) {
            None if !found.has_password() => Credential::Empty,
            None => Credential::Unusable,
            Some(text) => match method {
                AuthMethod::CachingSha2 => {
                    caching_sha2::Verifier::parse(text).map_or(Credential::Unusable, Credential::CachingSha2)
                }
                AuthMethod::Native => {
                    native::Verifier::parse(text).map_or(Credential::Unusable, Credential::Native)
                }
            },
        };
        Some(Account {
            user: found.name.clone(),
            host: found.host.clone(),
            method,
            credential,
            locked: found.locked,
            password_expired: found.password_expired,
            require_tls: found.require_tls,
            version: found.version,
        })
    }

    fn open(&self, options: &SessionOptions) -> Result<rustydb_sql::Session, SqlError> {
        self.database.session(options)
    }

    fn next_connection_id(&self) -> u64 {
        self.last_connection.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn limits(&self) -> Limits {
        let default = Limits::default();
        let number = |name| self.database.global_number(name);
        Limits {
            max_connections: number("max_connections").map_or(default.max_connections, |n| n as usize),
            connect_timeout: number("connect_timeout").map_or(default.connect_timeout, Duration::from_secs),
        }
    }
}

impl Session for rustydb_sql::Session {
    type Prepared = rustydb_sql::Prepared;

    #[inline]
    fn query(&mut self, sql: &str, sink: &mut dyn ResultSink) -> Result<(), SqlError> {
        self.query(sql, sink)
    }

    fn prepare(&mut self, sql: &str) -> Result<rustydb_sql::Prepared, SqlError> {
        self.prepare(sql)
    }

    #[inline]
    fn execute(
        &mut self,
        prepared: &mut rustydb_sql::Prepared,
        parameters: &[Value],
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        self.execute(prepared, parameters, sink)
    }

    fn use_database(&mut self, name: &str) -> Result<(), SqlError> {
        self.use_database(name)
    }

    fn reset(&mut self) -> Result<(), SqlError> {
        self.reset()
    }

    fn change_user(&mut self, options: &SessionOptions) -> Result<(), SqlError> {
        self.change_user(options)
    }

    fn set_multi_statements(&mut self, on: bool) {
        self.set_multi_statements(on);
    }

    fn status(&self) -> StatusFlags {
        self.status()
    }

    fn warning_count(&self) -> u16 {
        self.warning_count()
    }

    fn character_set_client(&self) -> Charset {
        self.character_set_client()
    }

    fn character_set_results(&self) -> Option<Charset> {
        self.character_set_results()
    }

    fn statistics(&self) -> String {
        self.statistics()
    }

    fn take_state_changes(&mut self) -> Vec<StateChange> {
        self.take_state_changes()
    }

    fn cancel_handle(&self) -> Cancel {
        self.cancel_handle()
    }

    fn max_allowed_packet(&self) -> usize {
        self.max_allowed_packet()
    }

    fn idle_timeout(&self) -> Duration {
        self.idle_timeout()
    }

    fn idle_transaction_limit(&self) -> Option<Duration> {
        self.idle_transaction_limit()
    }

    fn end_idle_transaction(&mut self) {
        self.end_idle_transaction();
    }

    fn net_read_timeout(&self) -> Duration {
        self.net_read_timeout()
    }

    fn net_write_timeout(&self) -> Duration {
        self.net_write_timeout()
    }
}

impl Prepared for rustydb_sql::Prepared {
    fn parameters(&self) -> &[ColumnMeta] {
        &self.params
    }

    fn columns(&self) -> &[ColumnMeta] {
        &self.columns
    }
}
