//! SHOW, DESCRIBE and EXPLAIN.

use super::{AccountName, Expr, Ident, Limit, ObjectName, Statement, StringLiteral, VariableScope};

/// `LIKE 'pattern'` or `WHERE condition` of SHOW.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ShowFilter {
    /// `LIKE 'pattern'`.
    Like(StringLiteral),
    /// `WHERE condition`.
    Where(Box<Expr>),
}

/// SHOW.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Show {
    /// `SHOW DATABASES`.
    Databases(Option<ShowFilter>),
    /// `SHOW [EXTENDED] [FULL] TABLES [FROM db]`.
    Tables {
        /// `EXTENDED`.
        extended: bool,
        /// `FULL`.
        full: bool,
        /// `FROM database`.
        database: Option<Ident>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW TABLE STATUS`.
    TableStatus {
        /// `FROM database`.
        database: Option<Ident>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW OPEN TABLES`.
    OpenTables {
        /// `FROM database`.
        database: Option<Ident>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [EXTENDED] [FULL] COLUMNS FROM t [FROM db]`.
    Columns {
        /// `EXTENDED`.
        extended: bool,
        /// `FULL`.
        full: bool,
        /// The table, with the database of either spelling.
        table: ObjectName,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [EXTENDED] INDEX FROM t [FROM db]`.
    Index {
        /// `EXTENDED`.
        extended: bool,
        /// The table, with the database of either spelling.
        table: ObjectName,
        /// `WHERE`.
        filter: Option<Box<Expr>>,
    },
    /// `SHOW CREATE DATABASE [IF NOT EXISTS] db`.
    CreateDatabase {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The database.
        name: Ident,
    },
    /// `SHOW CREATE TABLE | VIEW | PROCEDURE | FUNCTION | TRIGGER | EVENT name`.
    Create {
        /// What.
        kind: ShowCreateKind,
        /// Its name.
        name: ObjectName,
    },
    /// `SHOW CREATE USER user`.
    CreateUser(AccountName),
    /// `SHOW [GLOBAL | SESSION] VARIABLES`.
    Variables {
        /// GLOBAL or SESSION.
        scope: Option<VariableScope>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW [GLOBAL | SESSION] STATUS`.
    Status {
        /// GLOBAL or SESSION.
        scope: Option<VariableScope>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW WARNINGS [LIMIT ..]`.
    Warnings(Option<Limit>),
    /// `SHOW ERRORS [LIMIT ..]`.
    Errors(Option<Limit>),
    /// `SHOW COUNT(*) WARNINGS`.
    WarningCount,
    /// `SHOW COUNT(*) ERRORS`.
    ErrorCount,
    /// `SHOW CHARACTER SET`.
    CharacterSets(Option<ShowFilter>),
    /// `SHOW COLLATION`.
    Collations(Option<ShowFilter>),
    /// `SHOW [STORAGE] ENGINES`.
    Engines,
    /// `SHOW ENGINE name STATUS | MUTEX | LOGS`.
    Engine {
        /// The engine; `None` is ALL.
        name: Option<Ident>,
        /// What of it.
        what: EngineReport,
    },
    /// `SHOW PLUGINS`.
    Plugins,
    /// `SHOW PRIVILEGES`.
    Privileges,
    /// `SHOW [FULL] PROCESSLIST`.
    ProcessList {
        /// `FULL`.
        full: bool,
    },
    /// `SHOW GRANTS [FOR user [USING roles]]`.
    Grants {
        /// Whose; `None` is one's own.
        user: Option<AccountName>,
        /// `USING`.
        using: Vec<AccountName>,
    },
    /// `SHOW TRIGGERS [FROM db]`.
    Triggers {
        /// `FULL`.
        full: bool,
        /// `FROM database`.
        database: Option<Ident>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW EVENTS [FROM db]`.
    Events {
        /// `FROM database`.
        database: Option<Ident>,
        /// LIKE or WHERE.
        filter: Option<ShowFilter>,
    },
    /// `SHOW PROCEDURE STATUS`.
    ProcedureStatus(Option<ShowFilter>),
    /// `SHOW FUNCTION STATUS`.
    FunctionStatus(Option<ShowFilter>),
    /// `SHOW PROCEDURE CODE name`.
    ProcedureCode(ObjectName),
    /// `SHOW FUNCTION CODE name`.
    FunctionCode(ObjectName),
    /// `SHOW PROFILES`.
    Profiles,
    /// `SHOW PROFILE [types] [FOR QUERY n] [LIMIT ..]`.
    Profile {
        /// `ALL`, `CPU`, `BLOCK IO`, .. in upper case.
        types: Vec<Box<str>>,
        /// `FOR QUERY n`.
        query: Option<u64>,
        /// `LIMIT`.
        limit: Option<Limit>,
    },
    /// `SHOW BINARY LOGS`.
    BinaryLogs,
    /// `SHOW BINARY LOG STATUS`.
    BinaryLogStatus,
    /// `SHOW BINLOG EVENTS`, `SHOW RELAYLOG EVENTS`.
    LogEvents {
        /// RELAYLOG rather than BINLOG.
        relay: bool,
        /// `IN 'file'`.
        file: Option<StringLiteral>,
        /// `FROM position`.
        position: Option<u64>,
        /// `LIMIT`.
        limit: Option<Limit>,
        /// `FOR CHANNEL 'name'`.
        channel: Option<StringLiteral>,
    },
    /// `SHOW REPLICAS`.
    Replicas,
    /// `SHOW REPLICA STATUS [FOR CHANNEL 'name']`.
    ReplicaStatus {
        /// `FOR CHANNEL`.
        channel: Option<StringLiteral>,
    },
}

/// What SHOW CREATE shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum ShowCreateKind {
    Table,
    View,
    Procedure,
    Function,
    Trigger,
    Event,
}

/// What SHOW ENGINE shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are MySQL's
pub enum EngineReport {
    Status,
    Mutex,
    Logs,
}

/// `DESCRIBE table [column | 'pattern']`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Describe {
    /// The table.
    pub table: ObjectName,
    /// A column or a pattern.
    pub column: Option<StringLiteral>,
}

/// EXPLAIN of a statement or a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Explain {
    /// `ANALYZE`.
    pub analyze: bool,
    /// `FORMAT = name`, as written.
    pub format: Option<Ident>,
    /// `INTO @variable`.
    pub into: Option<Ident>,
    /// `FOR SCHEMA name`.
    pub schema: Option<Ident>,
    /// What is explained.
    pub target: ExplainTarget,
}

/// What is explained.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExplainTarget {
    /// SELECT, INSERT, REPLACE, UPDATE, DELETE.
    Statement(Box<Statement>),
    /// `FOR CONNECTION n`.
    Connection(u64),
}
