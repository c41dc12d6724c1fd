//! `performance_schema`: what sessions, transactions and locks do at this moment.
//!
//! Columns have the names, order and types of MySQL 8.4 and 9.7. Rows are read from the lock tables and the process
//! list when a table is scanned, so two tables of one query may show two moments; a lock has the same id in all of
//! them for as long as it lives. A session has the same number here (THREAD_ID) as in the process list.
//!
//! | file | what |
//! |---|---|
//! | `locks` | data_locks, data_lock_waits, metadata_locks |
//! | `sessions` | threads, events_transactions_current |
//! | `lock_view` | what the first two are made of: locks with tables, modes and who waits for whom |
//! | `lock_data` | a key as MySQL prints it |
//! | `sys` | `sys.innodb_lock_waits`, `sys.schema_table_lock_waits`: the same, joined |
//!
//! Limits: only these tables. Events other than transactions are not counted (EVENT_ID of a lock is NULL), there is
//! no history, there are no indexes, and nothing here can be changed. Figures of memory are 0.

pub(crate) mod lock_data;
pub(crate) mod lock_view;
mod locks;
pub(crate) mod sessions;
pub(crate) mod sys;

use std::sync::{Arc, LazyLock};

use crate::context::VirtualTable;
use crate::information_schema::{Declared, declared};

/// The name of the database.
pub const DATABASE: &str = "performance_schema";

/// All tables, by name.
static DECLARED: &[Declared] = &[
    declared(
        "data_lock_waits",
        None,
        None,
        "ENGINE:w32 REQUESTING_ENGINE_LOCK_ID:w128 REQUESTING_ENGINE_TRANSACTION_ID:u8? REQUESTING_THREAD_ID:u8? \
         REQUESTING_EVENT_ID:u8? REQUESTING_OBJECT_INSTANCE_BEGIN:u8 BLOCKING_ENGINE_LOCK_ID:w128 \
         BLOCKING_ENGINE_TRANSACTION_ID:u8? BLOCKING_THREAD_ID:u8? BLOCKING_EVENT_ID:u8? \
         BLOCKING_OBJECT_INSTANCE_BEGIN:u8",
        locks::data_lock_waits,
    ),
    declared(
        "data_locks",
        None,
        None,
        "ENGINE:w32 ENGINE_LOCK_ID:w128 ENGINE_TRANSACTION_ID:u8? THREAD_ID:u8? EVENT_ID:u8? OBJECT_SCHEMA:w64? \
         OBJECT_NAME:w64? PARTITION_NAME:w64? SUBPARTITION_NAME:w64? INDEX_NAME:w64? OBJECT_INSTANCE_BEGIN:u8 \
         LOCK_TYPE:w32 LOCK_MODE:w32 LOCK_STATUS:w32 LOCK_DATA:w8192?",
        locks::data_locks,
    ),
    declared(
        "events_transactions_current",
        None,
        None,
        "THREAD_ID:u8 EVENT_ID:u8 END_EVENT_ID:u8? EVENT_NAME:w128 STATE:e(ACTIVE,COMMITTED,ROLLED_BACK)? TRX_ID:u8? \
         GTID:w90? XID_FORMAT_ID:i4? XID_GTRID:w130? XID_BQUAL:w130? XA_STATE:w64? SOURCE:w64? TIMER_START:u8? \
         TIMER_END:u8? TIMER_WAIT:u8? ACCESS_MODE:e(READ_ONLY,READ_WRITE)? ISOLATION_LEVEL:w64? \
         AUTOCOMMIT:e(YES,NO) NUMBER_OF_SAVEPOINTS:u8? NUMBER_OF_ROLLBACK_TO_SAVEPOINT:u8? \
         NUMBER_OF_RELEASE_SAVEPOINT:u8? OBJECT_INSTANCE_BEGIN:u8? NESTING_EVENT_ID:u8? \
         NESTING_EVENT_TYPE:e(TRANSACTION,STATEMENT,STAGE,WAIT)?",
        sessions::transactions,
    ),
    declared(
        "metadata_locks",
        None,
        None,
        "OBJECT_TYPE:w64 OBJECT_SCHEMA:w64? OBJECT_NAME:w64? COLUMN_NAME:w64? OBJECT_INSTANCE_BEGIN:u8 LOCK_TYPE:w32 \
         LOCK_DURATION:w32 LOCK_STATUS:w32 SOURCE:w64? OWNER_THREAD_ID:u8? OWNER_EVENT_ID:u8?",
        locks::metadata_locks,
    ),
    declared(
        "threads",
        None,
        None,
        "THREAD_ID:u8 NAME:w128 TYPE:w10 PROCESSLIST_ID:u8? PROCESSLIST_USER:w32? PROCESSLIST_HOST:w255? \
         PROCESSLIST_DB:w64? PROCESSLIST_COMMAND:w16? PROCESSLIST_TIME:i8? PROCESSLIST_STATE:w64? \
         PROCESSLIST_INFO:wtext? PARENT_THREAD_ID:u8? ROLE:w64? INSTRUMENTED:e(YES,NO) HISTORY:e(YES,NO) \
         CONNECTION_TYPE:w16? THREAD_OS_ID:u8? RESOURCE_GROUP:w64? EXECUTION_ENGINE:e(PRIMARY,SECONDARY)? \
         CONTROLLED_MEMORY:u8 MAX_CONTROLLED_MEMORY:u8 TOTAL_MEMORY:u8 MAX_TOTAL_MEMORY:u8 \
         TELEMETRY_ACTIVE:e(YES,NO)",
        sessions::threads,
    ),
];

static TABLES: LazyLock<Vec<Arc<dyn VirtualTable>>> =
    LazyLock::new(|| DECLARED.iter().map(|declared| declared.listed(DATABASE)).collect());

/// All tables, by name.
pub(crate) fn tables() -> &'static [Arc<dyn VirtualTable>] {
    &TABLES
}
