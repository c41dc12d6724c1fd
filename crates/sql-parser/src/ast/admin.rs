//! Table maintenance, FLUSH, RESET, plugins, server control.

use super::{Ident, ObjectName, PartitionNames, StringLiteral};

/// ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR TABLE.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MaintainTables {
    /// What is done.
    pub action: TableMaintenance,
    /// `NO_WRITE_TO_BINLOG`, `LOCAL`.
    pub no_binlog: bool,
    /// The tables.
    pub tables: Vec<ObjectName>,
    /// `FOR UPGRADE`, `QUICK`, `EXTENDED`, .. in upper case, in order.
    pub options: Vec<&'static str>,
    /// `UPDATE | DROP HISTOGRAM ON columns` of ANALYZE TABLE.
    pub histogram: Option<HistogramChange>,
}

/// What is done to tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum TableMaintenance {
    Analyze,
    Check,
    Checksum,
    Optimize,
    Repair,
}

/// `UPDATE | DROP HISTOGRAM ON columns ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HistogramChange {
    /// DROP rather than UPDATE.
    pub drop: bool,
    /// The columns.
    pub columns: Vec<Ident>,
    /// `WITH n BUCKETS`.
    pub buckets: Option<u64>,
    /// `USING DATA '..'`.
    pub data: Option<StringLiteral>,
    /// `AUTO UPDATE` is true, `MANUAL UPDATE` is false.
    pub auto_update: Option<bool>,
}

/// FLUSH.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flush {
    /// `NO_WRITE_TO_BINLOG`, `LOCAL`.
    pub no_binlog: bool,
    /// What is flushed.
    pub target: FlushTarget,
}

/// What is flushed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FlushTarget {
    /// `TABLES [names] [WITH READ LOCK | FOR EXPORT]`.
    Tables {
        /// The tables; empty is all.
        tables: Vec<ObjectName>,
        /// `WITH READ LOCK`.
        read_lock: bool,
        /// `FOR EXPORT`.
        export: bool,
    },
    /// `PRIVILEGES`, `LOGS`, `BINARY LOGS`, `STATUS`, .. in upper case.
    Options(Vec<FlushOption>),
}

/// One thing to flush.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlushOption {
    /// Its name in upper case with single blanks.
    pub name: &'static str,
    /// `FOR CHANNEL 'name'` of RELAY LOGS.
    pub channel: Option<StringLiteral>,
}

/// RESET.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reset {
    /// `RESET PERSIST [[IF EXISTS] variable]`.
    Persist {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The variable; `None` is all.
        variable: Option<Ident>,
    },
    /// `RESET BINARY LOGS AND GTIDS [TO n]`.
    BinaryLogs(Option<u64>),
    /// `RESET REPLICA [ALL] [FOR CHANNEL 'name']`.
    Replica {
        /// `ALL`.
        all: bool,
        /// `FOR CHANNEL`.
        channel: Option<StringLiteral>,
    },
}

/// `PURGE BINARY LOGS TO 'file' | BEFORE time`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant)] // one per statement
pub enum PurgeLogs {
    /// `TO 'file'`.
    To(StringLiteral),
    /// `BEFORE time`.
    Before(super::Expr),
}

/// `CACHE INDEX .. IN cache` and `LOAD INDEX INTO CACHE ..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheIndex {
    /// The tables.
    pub tables: Vec<CacheIndexTable>,
    /// The key cache of CACHE INDEX; `None` is LOAD INDEX INTO CACHE.
    pub cache: Option<Ident>,
}

/// A table of CACHE INDEX.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheIndexTable {
    /// The table.
    pub table: ObjectName,
    /// `PARTITION (..)`.
    pub partitions: Option<PartitionNames>,
    /// The indexes; empty is all.
    pub indexes: Vec<Ident>,
    /// `IGNORE LEAVES`.
    pub ignore_leaves: bool,
}

/// INSTALL and UNINSTALL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Install {
    /// `INSTALL PLUGIN name SONAME 'library'`.
    Plugin {
        /// The plugin.
        name: Ident,
        /// The library.
        library: StringLiteral,
    },
    /// `INSTALL COMPONENT 'urn', ..`.
    Components(Vec<StringLiteral>),
    /// `UNINSTALL PLUGIN name`.
    RemovePlugin(Ident),
    /// `UNINSTALL COMPONENT 'urn', ..`.
    RemoveComponents(Vec<StringLiteral>),
}
