//! How a statement comes to its tables: metadata lock first, definition after.
//!
//! Every table that was looked up is recorded, so that a plan which is kept knows what it depends on and
//! what to lock when it is used again.

use std::sync::Arc;

use rustydb_catalog::{TableDef, ViewDef};
use rustydb_transaction::locks::{LockError, MdlDuration, MdlKey, MdlMode, MetadataLockOwner, WaitOptions};

use crate::context::{TableLookup, TableRef, TableRows, TableUse, VirtualTable};
use crate::database::Database;
use crate::database::read_lock::WritePass;
use crate::error::SqlError;
use crate::information_schema;
use crate::session::temporary::TemporaryTables;
use crate::virtual_database;

/// A stored table, or a view, that a statement uses.
#[derive(Debug, Clone)]
pub(crate) struct UsedTable {
    pub(crate) key: MdlKey,
    pub(crate) usage: TableUse,
    pub(crate) database: String,
    pub(crate) name: String,
    /// What the statement calls it, if not by its name.
    pub(crate) alias: Option<Box<str>>,
    /// Of the table or view.
    pub(crate) id: u64,
    /// Its definition's.
    pub(crate) version: u64,
    /// A foreign key led to it, and not the statement: LOCK TABLES need not name it.
    pub(crate) related: bool,
}

/// A table that LOCK TABLES named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockedTable {
    pub(crate) database: String,
    pub(crate) name: String,
    pub(crate) alias: String,
    pub(crate) write: bool,
    /// It is locked as a part of a view.
    pub(crate) of_view: bool,
}

impl LockedTable {
    /// Whether it was locked for what goes by `alias` in a statement. Parts of a view that became part of the statement
    /// are called `view.alias` there.
    pub(super) fn goes_by(&self, alias: &str) -> bool {
        let same = |alias: &str| self.alias == alias || self.alias.to_lowercase() == alias.to_lowercase();
        same(alias) || (self.of_view && alias.rsplit('.').next().is_some_and(same))
    }
}

/// The entry of LOCK TABLES that a table is used under, the strongest that fits; by any alias if none is given.
pub(super) fn find_locked<'a>(
    locked: &'a [LockedTable],
    database: &str,
    name: &str,
    alias: Option<&str>,
) -> Option<&'a LockedTable> {
    let fits = |t: &&LockedTable| {
        t.database == database && t.name == name && alias.is_none_or(|alias| t.goes_by(alias))
    };
    locked.iter().filter(fits).max_by_key(|table| table.write)
}

/// Which tables an XA transaction keeps a statement from.
#[derive(Debug)]
pub(crate) enum Barred {
    None,
    Temporary,
    /// With this error.
    All(SqlError),
}

/// What keeps a statement from tables that are there.
pub(crate) struct Bounds<'a> {
    /// What LOCK TABLES allows; None when it is not in force.
    pub(crate) locked: Option<&'a [LockedTable]>,
    pub(crate) barred: Barred,
    /// Nothing but temporary tables may be written (1792).
    pub(crate) read_only: bool,
    /// What writers pass through; None where there are none.
    pub(crate) pass: Option<&'a mut WritePass>,
}

impl Bounds<'_> {
    /// Nothing does: for definition statements, which have looked after that themselves.
    pub(crate) fn none() -> Bounds<'static> {
        Bounds { locked: None, barred: Barred::None, read_only: false, pass: None }
    }
}

/// Looks tables up for one statement.
pub(crate) struct Tables<'a> {
    database: &'a Arc<Database>,
    owner: &'a mut MetadataLockOwner,
    wait: WaitOptions,
    /// What was looked up, in order, stored tables only.
    pub(crate) used: Vec<UsedTable>,
    /// A virtual table was looked up: its rows depend on more than table versions.
    pub(crate) virtual_used: bool,
    /// Tables were looked up to be read, and to be written.
    pub(crate) reads: bool,
    pub(crate) writes: bool,
    /// A temporary table was looked up: what was made of it is for this once.
    pub(crate) temporary_used: bool,
    temporary: &'a TemporaryTables,
    hidden: Option<(String, String)>,
    bounds: Bounds<'a>,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(
        database: &'a Arc<Database>,
        owner: &'a mut MetadataLockOwner,
        wait: WaitOptions,
        temporary: &'a TemporaryTables,
        bounds: Bounds<'a>,
    ) -> Tables<'a> {
        Tables {
            database,
            owner,
            wait,
            temporary,
            used: Vec::new(),
            virtual_used: false,
            temporary_used: false,
            reads: false,
            writes: false,
            hidden: None,
            bounds,
        }
    }

    /// Whether this session has a temporary table in place of one of these: plans made with them are not for it.
    pub(crate) fn shadows(&self, used: &[UsedTable]) -> bool {
        !self.temporary.is_empty() && used.iter().any(|u| self.temporary.find(&u.database, &u.name).is_some())
    }

    /// Whether a name is that of a temporary table.
    pub(crate) fn is_temporary(&self, database: &str, name: &str) -> bool {
        self.temporary.find(database, name).is_some()
    }

    /// The shared parts of the server.
    pub(crate) fn database(&self) -> &Arc<Database> {
        self.database
    }

    /// Takes the lock of a table that a kept plan uses.
    pub(crate) fn relock(&mut self, table: &UsedTable) -> Result<(), SqlError> {
        self.check_barred()?;
        self.check_writable(table.usage)?;
        if !table.related {
            let alias = table.alias.as_deref().unwrap_or(&table.name);
            self.check_locked(&table.database, &table.name, alias, table.usage)?;
            self.trace(table.usage);
        }
        self.acquire(&table.key, table.usage)
    }

    fn trace(&mut self, usage: TableUse) {
        match usage {
            TableUse::Read => self.reads = true,
            TableUse::Write => self.writes = true,
        }
    }

    fn check_barred(&self) -> Result<(), SqlError> {
        if let Barred::All(error) = &self.bounds.barred { Err(error.clone()) } else { Ok(()) }
    }

    fn check_writable(&self, usage: TableUse) -> Result<(), SqlError> {
        let refused = self.bounds.read_only && usage == TableUse::Write;
        if refused { Err(SqlError::read_only_transaction()) } else { Ok(()) }
    }

    fn acquire(&mut self, key: &MdlKey, usage: TableUse) -> Result<(), SqlError> {
        let mode = match usage {
            TableUse::Read => MdlMode::SharedRead,
            TableUse::Write => MdlMode::SharedWrite,
        };
        let locks = self.database.engine().metadata_locks();
        if usage == TableUse::Write
            && let Some(pass) = &mut self.bounds.pass
        {
            pass.begin_write(locks, self.owner, &self.wait)?;
        }
        locks.acquire(self.owner, key, mode, MdlDuration::Transaction, &self.wait).map_err(|e| lock_error(&e))
    }

    /// Makes a name mean nothing: that of the view which is being made, so that it cannot be in its own query.
    pub(crate) fn hide(&mut self, database: &str, name: &str) {
        self.hidden = Some((database.to_owned(), name.to_owned()));
    }

    fn is_hidden(&self, database: &str, name: &str) -> bool {
        self.hidden.as_ref().is_some_and(|(d, n)| d == database && n == name)
    }

    fn use_object(&mut self, key: MdlKey, usage: TableUse, path: (&str, &str), version: (u64, u64)) {
        let (database, name) = (path.0.to_owned(), path.1.to_owned());
        let (id, version) = version;
        self.used.push(UsedTable { key, usage, database, name, alias: None, id, version, related: false });
    }

    fn check_locked(&self, database: &str, name: &str, alias: &str, usage: TableUse) -> Result<(), SqlError> {
        let Some(locked) = self.bounds.locked else { return Ok(()) };
        match find_locked(locked, database, name, Some(alias)) {
            None => Err(SqlError::table_not_locked(alias)),
            Some(table) if !table.write && usage == TableUse::Write => {
                Err(SqlError::table_read_locked(&table.alias))
            }
            Some(_) => Ok(()),
        }
    }
}

/// What a metadata lock that was not given means to a client.
pub(crate) fn lock_error(error: &LockError) -> SqlError {
    match error {
        LockError::Timeout => SqlError::lock_wait_timeout(),
        LockError::Deadlock => SqlError::deadlock(),
        LockError::Cancelled(_) => SqlError::query_interrupted(),
        LockError::WouldBlock => SqlError::lock_nowait(),
        LockError::TableFull => SqlError::too_many_locks(),
        other => SqlError::storage(other),
    }
}

fn computed(table: Arc<dyn VirtualTable>) -> TableRef {
    TableRef { def: Arc::clone(table.definition()), rows: TableRows::Virtual(table), statistics: None }
}

impl TableLookup for Tables<'_> {
    fn table(&mut self, database: &str, name: &str, usage: TableUse) -> Result<TableRef, SqlError> {
        self.table_as(database, name, name, usage)
    }

    fn table_as(
        &mut self,
        database: &str,
        name: &str,
        alias: &str,
        usage: TableUse,
    ) -> Result<TableRef, SqlError> {
        self.check_barred()?;
        if let Some(home) = virtual_database::find(database) {
            let table = home.table(name).ok_or_else(|| match home.name {
                information_schema::DATABASE => {
                    SqlError::unknown_table(name.to_uppercase(), information_schema::DATABASE)
                }
                _ => SqlError::no_such_table(database, name),
            })?;
            self.virtual_used = true;
            self.trace(TableUse::Read);
            return Ok(computed(table));
        }
        if let Some(table) = virtual_database::lone_table(database, name) {
            self.virtual_used = true;
            return Ok(computed(table));
        }
        if let Some(def) = self.temporary.find(database, name) {
            if matches!(self.bounds.barred, Barred::Temporary) {
                return Err(SqlError::xa_temporary_table());
            }
            self.temporary_used = true;
            self.trace(usage);
            let statistics = Some(Arc::clone(self.database.statistics()));
            return Ok(TableRef { def: Arc::clone(def), rows: TableRows::Stored, statistics });
        }
        if self.is_hidden(database, name) {
            return Err(SqlError::no_such_table(database, name));
        }
        self.check_writable(usage)?;
        self.check_locked(database, name, alias, usage)?;
        let key = MdlKey::table(database, name);
        self.acquire(&key, usage)?;
        let Some(def) = self.database.catalog().table(database, name) else {
            if self.database.catalog().database(database).is_none() {
                return Err(SqlError::unknown_database(database));
            }
            return Err(SqlError::no_such_table(database, name));
        };
        self.trace(usage);
        self.use_object(key, usage, (database, name), (def.id, def.version));
        if alias != name
            && let Some(used) = self.used.last_mut()
        {
            used.alias = Some(alias.into());
        }
        let statistics = Some(Arc::clone(self.database.statistics()));
        Ok(TableRef { def, rows: TableRows::Stored, statistics })
    }

    fn view(&mut self, database: &str, name: &str) -> Result<Option<Arc<ViewDef>>, SqlError> {
        let other = self.is_temporary(database, name) || self.is_hidden(database, name);
        if other || self.database.catalog().view(database, name).is_none() {
            return Ok(None);
        }
        if self.bounds.locked.is_some_and(|locked| find_locked(locked, database, name, None).is_none()) {
            return Err(SqlError::table_not_locked(name));
        }
        let key = MdlKey::table(database, name);
        self.acquire(&key, TableUse::Read)?;
        // It may have gone while this waited; then the name is looked up as that of a table.
        let found = self.database.catalog().view(database, name);
        if let Some(def) = &found {
            self.use_object(key, TableUse::Read, (database, name), (def.id, def.version));
        }
        Ok(found)
    }

    fn related(
        &mut self,
        database: &str,
        name: &str,
        usage: TableUse,
    ) -> Result<Option<Arc<TableDef>>, SqlError> {
        let key = MdlKey::table(database, name);
        self.acquire(&key, usage)?;
        let found = self.database.catalog().table(database, name);
        if let Some(def) = &found {
            self.use_object(key, usage, (database, name), (def.id, def.version));
            if let Some(used) = self.used.last_mut() {
                used.related = true;
            }
        }
        Ok(found)
    }

    fn children(&self, database: &str, name: &str) -> Vec<Arc<TableDef>> {
        self.database.catalog().children(database, name)
    }
}
