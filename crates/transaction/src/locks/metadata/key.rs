//! What a metadata lock is on.

use std::sync::Arc;

/// A named object. Cloning one copies no text, so a cached plan keeps the keys that it locks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MdlKey {
    /// The whole store: a global read lock is `Shared` here, a change is `IntentionExclusive`.
    Global,
    /// The right to commit: FLUSH TABLES WITH READ LOCK takes it as well.
    Commit,
    /// What definitions are: LOCK INSTANCE FOR BACKUP is `Shared` here, a definition statement `IntentionExclusive`.
    Backup,
    /// A database.
    Database(Arc<str>),
    /// A table: its database and its name.
    Table(Arc<str>, Arc<str>),
    /// A name of GET_LOCK.
    UserLock(Arc<str>),
}

impl MdlKey {
    /// A database's key.
    pub fn database(name: &str) -> Self {
        Self::Database(name.into())
    }

    /// A table's key.
    pub fn table(database: &str, name: &str) -> Self {
        Self::Table(database.into(), name.into())
    }

    /// The key of a name of GET_LOCK.
    pub fn user_lock(name: &str) -> Self {
        Self::UserLock(name.into())
    }

    /// As performance_schema.metadata_locks names the kind of object.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Global => "GLOBAL",
            Self::Commit => "COMMIT",
            Self::Backup => "BACKUP LOCK",
            Self::Database(_) => "SCHEMA",
            Self::Table(..) => "TABLE",
            Self::UserLock(_) => "USER LEVEL LOCK",
        }
    }
}
