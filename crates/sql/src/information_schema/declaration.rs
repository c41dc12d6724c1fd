//! The columns of each table, in a notation short enough to read as a list.
//!
//! `NAME:type`, a `?` behind the type where NULL is possible. Types: `v64` is VARCHAR(64), `b64` the same
//! compared by its bytes, `text` and `longtext` compared by their bytes, `i4` `u4` `i8` `u8` integers by
//! size and sign, `ts` TIMESTAMP, `dt` DATETIME, `time` TIME. In performance_schema `w64` is VARCHAR(64) and `wtext` LONGTEXT of
//! utf8mb4, `e(YES,NO)` an ENUM, with `_` for a space in its members.

use std::sync::Arc;

use rustydb_catalog::{ColumnDef, IndexDef, RowLayout, TableDef, TableOptions};
use rustydb_storage::TreeId;
use rustydb_value::{Collation, ColumnType, LobSize, TypeKind, Value};

use super::{Listed, Rows, Source, innodb, keys, objects, server};
use crate::context::VirtualTable;
use crate::error::SqlError;

/// A table before its definition is made.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    /// The column that [`crate::context::VirtualFilter::schema`] speaks of.
    pub(super) schema: Option<&'static str>,
    /// The column that [`crate::context::VirtualFilter::table`] speaks of.
    pub(super) table: Option<&'static str>,
    pub(super) columns: &'static str,
    pub(super) rows: fn(&Source<'_>) -> Result<Rows, SqlError>,
}

impl Declared {
    /// The table, in its database.
    pub(crate) fn listed(&self, database: &str) -> Arc<dyn VirtualTable> {
        let def = definition(database, self.name, self.columns);
        let position = |name: Option<&str>| name.and_then(|n| def.column_index(n));
        let filter = (position(self.schema), position(self.table));
        Arc::new(Listed { filter, rows: self.rows, def: Arc::new(def) })
    }
}

/// A declaration in one line.
pub(crate) const fn declared(
    name: &'static str,
    schema: Option<&'static str>,
    table: Option<&'static str>,
    columns: &'static str,
    rows: fn(&Source<'_>) -> Result<Rows, SqlError>,
) -> Declared {
    Declared { name, schema, table, columns, rows }
}

/// A table of things that cannot exist yet.
fn none(_: &Source<'_>) -> Result<Rows, SqlError> {
    Ok(Vec::new())
}

const SCHEMA: Option<&str> = Some("TABLE_SCHEMA");
const TABLE: Option<&str> = Some("TABLE_NAME");

/// All tables, by name.
pub(super) static TABLES: &[Declared] = &[
    declared(
        "CHARACTER_SETS",
        None,
        None,
        "CHARACTER_SET_NAME:v64 DEFAULT_COLLATE_NAME:v64 DESCRIPTION:v2048 MAXLEN:u4",
        server::character_sets,
    ),
    declared(
        "CHECK_CONSTRAINTS",
        None,
        None,
        "CONSTRAINT_CATALOG:b64 CONSTRAINT_SCHEMA:b64 CONSTRAINT_NAME:v64 CHECK_CLAUSE:longtext",
        keys::check_constraints,
    ),
    declared(
        "COLLATIONS",
        None,
        None,
        "COLLATION_NAME:v64 CHARACTER_SET_NAME:v64 ID:u8 IS_DEFAULT:v3 IS_COMPILED:v3 SORTLEN:u4 \
         PAD_ATTRIBUTE:b9",
        server::collations,
    ),
    declared(
        "COLLATION_CHARACTER_SET_APPLICABILITY",
        None,
        None,
        "COLLATION_NAME:v64 CHARACTER_SET_NAME:v64",
        server::applicability,
    ),
    declared(
        "COLUMNS",
        SCHEMA,
        TABLE,
        "TABLE_CATALOG:b64 TABLE_SCHEMA:b64 TABLE_NAME:b64 COLUMN_NAME:v64? ORDINAL_POSITION:u4 \
         COLUMN_DEFAULT:text? IS_NULLABLE:v3 DATA_TYPE:longtext? CHARACTER_MAXIMUM_LENGTH:i8? \
         CHARACTER_OCTET_LENGTH:i8? NUMERIC_PRECISION:u8? NUMERIC_SCALE:u8? DATETIME_PRECISION:u4? \
         CHARACTER_SET_NAME:v64? COLLATION_NAME:v64? COLUMN_TYPE:text COLUMN_KEY:b3 EXTRA:v256? \
         PRIVILEGES:v154? COLUMN_COMMENT:text GENERATION_EXPRESSION:longtext SRS_ID:u4?",
        objects::columns,
    ),
    declared(
        "COLUMN_PRIVILEGES",
        None,
        None,
        "GRANTEE:v292 TABLE_CATALOG:v512 TABLE_SCHEMA:v64 TABLE_NAME:v64 COLUMN_NAME:v64 PRIVILEGE_TYPE:v64 \
         IS_GRANTABLE:v3",
        none,
    ),
    declared(
        "COLUMN_STATISTICS",
        Some("SCHEMA_NAME"),
        TABLE,
        "SCHEMA_NAME:b64 TABLE_NAME:b64 COLUMN_NAME:v64 HISTOGRAM:json",
        keys::column_statistics,
    ),
    declared(
        "ENGINES",
        None,
        None,
        "ENGINE:v64 SUPPORT:v8 COMMENT:v80 TRANSACTIONS:v3? XA:v3? SAVEPOINTS:v3?",
        server::engine_rows,
    ),
    declared(
        "EVENTS",
        None,
        None,
        "EVENT_CATALOG:b64 EVENT_SCHEMA:b64 EVENT_NAME:v64 DEFINER:b288 TIME_ZONE:b64 EVENT_BODY:v3 \
         EVENT_DEFINITION:longtext EVENT_TYPE:v9 EXECUTE_AT:dt? INTERVAL_VALUE:v256? INTERVAL_FIELD:b18? \
         SQL_MODE:b512 STARTS:dt? ENDS:dt? STATUS:b21 ON_COMPLETION:v12 CREATED:ts LAST_ALTERED:ts \
         LAST_EXECUTED:dt? EVENT_COMMENT:b2048 ORIGINATOR:u4 CHARACTER_SET_CLIENT:v64 COLLATION_CONNECTION:v64 \
         DATABASE_COLLATION:v64",
        none,
    ),
    declared(
        "FILES",
        None,
        None,
        "FILE_ID:i8? FILE_NAME:text? FILE_TYPE:v256? TABLESPACE_NAME:b268 TABLE_CATALOG:v64 TABLE_SCHEMA:v64? \
         TABLE_NAME:v64? LOGFILE_GROUP_NAME:v256? LOGFILE_GROUP_NUMBER:i8? ENGINE:v64 FULLTEXT_KEYS:v64? \
         DELETED_ROWS:i8? UPDATE_COUNT:i8? FREE_EXTENTS:i8? TOTAL_EXTENTS:i8? EXTENT_SIZE:i8? INITIAL_SIZE:i8? \
         MAXIMUM_SIZE:i8? AUTOEXTEND_SIZE:i8? CREATION_TIME:dt? LAST_UPDATE_TIME:dt? LAST_ACCESS_TIME:dt? \
         RECOVER_TIME:i8? TRANSACTION_COUNTER:i8? VERSION:i8? ROW_FORMAT:v256? TABLE_ROWS:i8? \
         AVG_ROW_LENGTH:i8? DATA_LENGTH:i8? MAX_DATA_LENGTH:i8? INDEX_LENGTH:i8? DATA_FREE:i8? CREATE_TIME:dt? \
         UPDATE_TIME:dt? CHECK_TIME:dt? CHECKSUM:i8? STATUS:v256? EXTRA:v256?",
        none,
    ),
    declared(
        "INNODB_TRX",
        None,
        None,
        "trx_id:u8 trx_state:v13 trx_started:dt trx_requested_lock_id:v126? trx_wait_started:dt? trx_weight:u8 \
         trx_mysql_thread_id:u8 trx_query:v1024? trx_operation_state:v64? trx_tables_in_use:u8 trx_tables_locked:u8 \
         trx_lock_structs:u8 trx_lock_memory_bytes:u8 trx_rows_locked:u8 trx_rows_modified:u8 \
         trx_concurrency_tickets:u8 trx_isolation_level:v16 trx_unique_checks:i4 trx_foreign_key_checks:i4 \
         trx_last_foreign_key_error:v256? trx_adaptive_hash_latched:i4 trx_adaptive_hash_timeout:u8 \
         trx_is_read_only:i4 trx_autocommit_non_locking:i4 trx_schedule_weight:u8?",
        innodb::transactions,
    ),
    declared(
        "KEY_COLUMN_USAGE",
        SCHEMA,
        TABLE,
        "CONSTRAINT_CATALOG:b64 CONSTRAINT_SCHEMA:b64 CONSTRAINT_NAME:v64? TABLE_CATALOG:b64 TABLE_SCHEMA:b64 \
         TABLE_NAME:b64 COLUMN_NAME:v64? ORDINAL_POSITION:u4 POSITION_IN_UNIQUE_CONSTRAINT:u4? \
         REFERENCED_TABLE_SCHEMA:b64? REFERENCED_TABLE_NAME:b64? REFERENCED_COLUMN_NAME:v64?",
        keys::key_column_usage,
    ),
    declared(
        "PARAMETERS",
        None,
        None,
        "SPECIFIC_CATALOG:b64 SPECIFIC_SCHEMA:b64 SPECIFIC_NAME:v64 ORDINAL_POSITION:u8 PARAMETER_MODE:b5? \
         PARAMETER_NAME:v64? DATA_TYPE:longtext? CHARACTER_MAXIMUM_LENGTH:i8? CHARACTER_OCTET_LENGTH:i8? \
         NUMERIC_PRECISION:u4? NUMERIC_SCALE:i8? DATETIME_PRECISION:u4? CHARACTER_SET_NAME:v64? \
         COLLATION_NAME:v64? DTD_IDENTIFIER:text ROUTINE_TYPE:b9",
        none,
    ),
    declared(
        "PARTITIONS",
        SCHEMA,
        TABLE,
        "TABLE_CATALOG:b64 TABLE_SCHEMA:b64 TABLE_NAME:b64 PARTITION_NAME:v64? SUBPARTITION_NAME:v64? \
         PARTITION_ORDINAL_POSITION:u4? SUBPARTITION_ORDINAL_POSITION:u4? PARTITION_METHOD:v13? \
         SUBPARTITION_METHOD:v13? PARTITION_EXPRESSION:b2048? SUBPARTITION_EXPRESSION:b2048? \
         PARTITION_DESCRIPTION:text? TABLE_ROWS:u8? AVG_ROW_LENGTH:u8? DATA_LENGTH:u8? MAX_DATA_LENGTH:u8? \
         INDEX_LENGTH:u8? DATA_FREE:u8? CREATE_TIME:ts UPDATE_TIME:dt? CHECK_TIME:dt? CHECKSUM:i8? \
         PARTITION_COMMENT:text NODEGROUP:v256? TABLESPACE_NAME:b268?",
        objects::partitions,
    ),
    declared(
        "PLUGINS",
        None,
        None,
        "PLUGIN_NAME:v64 PLUGIN_VERSION:v20 PLUGIN_STATUS:v10 PLUGIN_TYPE:v80 PLUGIN_TYPE_VERSION:v20 \
         PLUGIN_LIBRARY:v64? PLUGIN_LIBRARY_VERSION:v20? PLUGIN_AUTHOR:v64? PLUGIN_DESCRIPTION:text? \
         PLUGIN_LICENSE:v80? LOAD_OPTION:v64",
        server::plugins,
    ),
    declared(
        "PROCESSLIST",
        None,
        None,
        "ID:u8 USER:v32 HOST:v261 DB:v64? COMMAND:v16 TIME:i4 STATE:v64? INFO:longtext?",
        server::process_list,
    ),
    declared(
        "REFERENTIAL_CONSTRAINTS",
        None,
        None,
        "CONSTRAINT_CATALOG:b64 CONSTRAINT_SCHEMA:b64 CONSTRAINT_NAME:v64? UNIQUE_CONSTRAINT_CATALOG:b64 \
         UNIQUE_CONSTRAINT_SCHEMA:b64 UNIQUE_CONSTRAINT_NAME:v64? MATCH_OPTION:b7 UPDATE_RULE:b11 \
         DELETE_RULE:b11 TABLE_NAME:b64 REFERENCED_TABLE_NAME:b64",
        keys::referential_constraints,
    ),
    declared(
        "ROUTINES",
        None,
        None,
        "SPECIFIC_NAME:v64 ROUTINE_CATALOG:b64 ROUTINE_SCHEMA:b64 ROUTINE_NAME:v64 ROUTINE_TYPE:b9 \
         DATA_TYPE:longtext? CHARACTER_MAXIMUM_LENGTH:i8? CHARACTER_OCTET_LENGTH:i8? NUMERIC_PRECISION:u4? \
         NUMERIC_SCALE:u4? DATETIME_PRECISION:u4? CHARACTER_SET_NAME:v64? COLLATION_NAME:v64? \
         DTD_IDENTIFIER:longtext? ROUTINE_BODY:v8 ROUTINE_DEFINITION:longtext? EXTERNAL_NAME:v64? \
         EXTERNAL_LANGUAGE:b64 PARAMETER_STYLE:v3 IS_DETERMINISTIC:v3 SQL_DATA_ACCESS:b17 SQL_PATH:v64? \
         SECURITY_TYPE:b7 CREATED:ts LAST_ALTERED:ts SQL_MODE:b512 ROUTINE_COMMENT:text DEFINER:b288 \
         CHARACTER_SET_CLIENT:v64 COLLATION_CONNECTION:v64 DATABASE_COLLATION:v64",
        none,
    ),
    declared(
        "SCHEMATA",
        Some("SCHEMA_NAME"),
        None,
        "CATALOG_NAME:b64 SCHEMA_NAME:b64 DEFAULT_CHARACTER_SET_NAME:v64 DEFAULT_COLLATION_NAME:v64 \
         SQL_PATH:v64? DEFAULT_ENCRYPTION:b3",
        objects::schemata,
    ),
    declared(
        "SCHEMA_PRIVILEGES",
        None,
        None,
        "GRANTEE:v292 TABLE_CATALOG:v512 TABLE_SCHEMA:v64 PRIVILEGE_TYPE:v64 IS_GRANTABLE:v3",
        none,
    ),
    declared(
        "STATISTICS",
        SCHEMA,
        TABLE,
        "TABLE_CATALOG:b64 TABLE_SCHEMA:b64 TABLE_NAME:b64 NON_UNIQUE:i4 INDEX_SCHEMA:b64 INDEX_NAME:v64? \
         SEQ_IN_INDEX:u4 COLUMN_NAME:v64? COLLATION:v1? CARDINALITY:i8? SUB_PART:i8? PACKED:v64? NULLABLE:v3 \
         INDEX_TYPE:b11 COMMENT:v8 INDEX_COMMENT:b2048 IS_VISIBLE:v3 EXPRESSION:longtext?",
        keys::statistics,
    ),
    declared(
        "TABLES",
        SCHEMA,
        TABLE,
        "TABLE_CATALOG:b64 TABLE_SCHEMA:b64 TABLE_NAME:b64 TABLE_TYPE:b11 ENGINE:v64? VERSION:i4? \
         ROW_FORMAT:b10? TABLE_ROWS:u8? AVG_ROW_LENGTH:u8? DATA_LENGTH:u8? MAX_DATA_LENGTH:u8? INDEX_LENGTH:u8? \
         DATA_FREE:u8? AUTO_INCREMENT:u8? CREATE_TIME:ts UPDATE_TIME:dt? CHECK_TIME:dt? TABLE_COLLATION:v64? \
         CHECKSUM:i8? CREATE_OPTIONS:v256? TABLE_COMMENT:text?",
        objects::tables,
    ),
    declared(
        "TABLE_CONSTRAINTS",
        SCHEMA,
        TABLE,
        "CONSTRAINT_CATALOG:b64 CONSTRAINT_SCHEMA:b64 CONSTRAINT_NAME:v64? TABLE_SCHEMA:b64 TABLE_NAME:b64 \
         CONSTRAINT_TYPE:b11 ENFORCED:b3",
        keys::table_constraints,
    ),
    declared(
        "TABLE_PRIVILEGES",
        None,
        None,
        "GRANTEE:v292 TABLE_CATALOG:v512 TABLE_SCHEMA:v64 TABLE_NAME:v64 PRIVILEGE_TYPE:v64 IS_GRANTABLE:v3",
        none,
    ),
    declared(
        "TRIGGERS",
        None,
        None,
        "TRIGGER_CATALOG:b64 TRIGGER_SCHEMA:b64 TRIGGER_NAME:v64 EVENT_MANIPULATION:b6 EVENT_OBJECT_CATALOG:b64 \
         EVENT_OBJECT_SCHEMA:b64 EVENT_OBJECT_TABLE:b64 ACTION_ORDER:u4 ACTION_CONDITION:v64? \
         ACTION_STATEMENT:longtext ACTION_ORIENTATION:v3 ACTION_TIMING:b6 ACTION_REFERENCE_OLD_TABLE:v64? \
         ACTION_REFERENCE_NEW_TABLE:v64? ACTION_REFERENCE_OLD_ROW:v3 ACTION_REFERENCE_NEW_ROW:v3 CREATED:ts \
         SQL_MODE:b512 DEFINER:b288 CHARACTER_SET_CLIENT:v64 COLLATION_CONNECTION:v64 DATABASE_COLLATION:v64",
        none,
    ),
    declared(
        "USER_PRIVILEGES",
        None,
        None,
        "GRANTEE:v292 TABLE_CATALOG:v512 PRIVILEGE_TYPE:v64 IS_GRANTABLE:v3",
        server::user_privileges,
    ),
    declared(
        "VIEWS",
        SCHEMA,
        Some("TABLE_NAME"),
        "TABLE_CATALOG:b64 TABLE_SCHEMA:b64 TABLE_NAME:b64 VIEW_DEFINITION:longtext? CHECK_OPTION:b8? \
         IS_UPDATABLE:b3? DEFINER:b288? SECURITY_TYPE:b7? CHARACTER_SET_CLIENT:v64 COLLATION_CONNECTION:v64",
        objects::views,
    ),
];

/// The definition of a table whose rows lie nowhere.
fn definition(database: &str, name: &str, columns: &str) -> TableDef {
    let mut list: Vec<ColumnDef> = Vec::new();
    for part in columns.split_ascii_whitespace() {
        let (column, code) = part.split_once(':').unwrap_or((part, "longtext"));
        let (code, nullable) = match code.strip_suffix('?') {
            Some(code) => (code, true),
            None => (code, false),
        };
        list.push(ColumnDef {
            id: list.len() as u32,
            name: column.to_owned(),
            ty: column_type(code),
            nullable,
            default: None,
            on_update_now: None,
            auto_increment: false,
            visible: true,
            comment: String::new(),
            generated: None,
            explicit_collation: false,
            functional: false,
            absent: Value::Null,
        });
    }
    shell(database, name, list)
}

/// A definition of columns without anything stored behind them.
pub(crate) fn shell(database: &str, name: &str, list: Vec<ColumnDef>) -> TableDef {
    let layout = RowLayout { schema_version: 1, columns: list.iter().map(|c| c.id).collect() };
    TableDef {
        id: 0,
        database: database.to_owned(),
        name: name.to_owned(),
        schema_version: 1,
        version: 0,
        columns: list,
        layouts: vec![layout],
        primary: IndexDef {
            id: 0,
            name: "PRIMARY".to_owned(),
            tree: TreeId(0),
            unique: true,
            columns: Vec::new(),
            visible: true,
            comment: String::new(),
            collation_versions: Vec::new(),
            made_for_foreign_key: false,
        },
        indexes: Vec::new(),
        recorded: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        auto_increment: None,
        collation: Collation::UTF8MB3_GENERAL_CI,
        comment: String::new(),
        options: TableOptions::default(),
        created_micros: 0,
        histograms: Vec::new(),
    }
}

fn column_type(code: &str) -> ColumnType {
    let words = Collation::UTF8MB3_GENERAL_CI;
    let bytes = Collation::UTF8MB3_BIN;
    match code {
        "i4" => ColumnType::new(TypeKind::Int { unsigned: false }),
        "u4" => ColumnType::new(TypeKind::Int { unsigned: true }),
        "i8" => ColumnType::new(TypeKind::BigInt { unsigned: false }),
        "u8" => ColumnType::new(TypeKind::BigInt { unsigned: true }),
        "ts" => ColumnType::new(TypeKind::Timestamp { fsp: 0 }),
        "dt" => ColumnType::new(TypeKind::DateTime { fsp: 0 }),
        "json" => ColumnType::new(TypeKind::Json),
        "time" => ColumnType::new(TypeKind::Time { fsp: 0 }),
        "text" => ColumnType::with_collation(TypeKind::Text { size: LobSize::Regular }, bytes),
        "longtext" => ColumnType::with_collation(TypeKind::Text { size: LobSize::Long }, bytes),
        "wtext" => {
            ColumnType::with_collation(TypeKind::Text { size: LobSize::Long }, Collation::UTF8MB4_0900_AI_CI)
        }
        other if other.starts_with("e(") => {
            let members = other.trim_start_matches("e(").trim_end_matches(')').split(',');
            let members = members.map(|member| member.replace('_', " ")).collect();
            ColumnType::with_collation(TypeKind::Enum { members }, Collation::UTF8MB4_0900_AI_CI)
        }
        other => {
            let (kind, length) = other.split_at(1.min(other.len()));
            let len = length.parse().unwrap_or(64);
            let collation = match kind {
                "b" => bytes,
                "w" => Collation::UTF8MB4_0900_AI_CI,
                _ => words,
            };
            ColumnType::with_collation(TypeKind::VarChar { len }, collation)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DATABASE;
    use super::*;

    #[test]
    fn every_declaration_can_be_read() {
        for table in TABLES {
            let def = definition(DATABASE, table.name, table.columns);
            assert!(def.columns.len() >= 2, "{}", table.name);
            for column in &def.columns {
                let upper = column.name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                assert!(upper || table.name.starts_with("INNODB_"), "{}", column.name);
            }
            for filter in [table.schema, table.table].into_iter().flatten() {
                assert!(def.column_index(filter).is_some(), "{}.{filter}", table.name);
            }
        }
        assert!(TABLES.windows(2).all(|w| w[0].name < w[1].name));
    }
}
