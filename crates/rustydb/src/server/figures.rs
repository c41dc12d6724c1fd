//! The store's own counts, shown at `/metrics`: read at each scrape, so they cost nothing between.
//!
//! Statements, connections and traffic are registered by the crates that count them.

use crate::budget::Budget;
use rustydb_sql::database::Database;
use rustydb_telemetry::Registry;
use rustydb_transaction::changelog::ChangeLogStatistics;
use rustydb_transaction::{Engine, EngineStatistics};
use std::sync::{Arc, Weak};

type Figure = (&'static str, &'static str, fn(&EngineStatistics) -> f64);

const TOTALS: [Figure; 19] = [
    ("rustydb_buffer_hits_total", "Page accesses found in the buffer pool", |s| s.storage.pool_hits as f64),
    ("rustydb_buffer_reads_total", "Pages read from disk", |s| s.storage.pool_reads as f64),
    ("rustydb_buffer_reads_ahead_total", "Pages read before they were needed", |s| {
        s.storage.pool_reads_ahead as f64
    }),
    ("rustydb_buffer_writes_total", "Pages written to disk", |s| s.storage.pool_writes as f64),
    (
        "rustydb_buffer_own_batches_total",
        "Batches of pages that a statement in need of room had to write itself",
        |s| s.storage.pool_own_batches as f64,
    ),
    ("rustydb_wal_records_total", "Records appended to the log", |s| s.storage.log_records as f64),
    ("rustydb_wal_bytes_total", "Bytes written to the log", |s| s.storage.log_bytes as f64),
    ("rustydb_wal_syncs_total", "Flushes of the log, each with one sync", |s| s.storage.log_flushes as f64),
    ("rustydb_checkpoints_total", "Checkpoints taken", |s| s.storage.checkpoints as f64),
    ("rustydb_commits_total", "Transactions committed; by syncs, the size of a group", |s| s.commits as f64),
    ("rustydb_rollbacks_total", "Transactions rolled back", |s| s.rollbacks as f64),
    ("rustydb_snapshots_refused_total", "Snapshots given up for their age (max_snapshot_age)", |s| {
        s.snapshots.refused as f64
    }),
    ("rustydb_wal_pinned_refused_total", "Transactions rolled back over max_wal_pinned", |s| {
        s.log_refused as f64
    }),
    ("rustydb_lock_waits_total", "Requests for a row or gap lock that waited", |s| s.locks.waits as f64),
    ("rustydb_lock_wait_timeouts_total", "Lock waits that took too long (1205)", |s| s.locks.timeouts as f64),
    ("rustydb_deadlocks_total", "Transactions that gave way in a deadlock (1213)", |s| {
        s.locks.deadlocks as f64
    }),
    (
        "rustydb_serialization_failures_total",
        "Transactions refused at SNAPSHOT or SERIALIZABLE (1213)",
        |s| s.serial.refused as f64,
    ),
    (
        "rustydb_lock_waits_cancelled_total",
        "Lock waits ended by KILL, a timeout of the statement or a lost client",
        |s| s.locks.cancelled as f64,
    ),
    ("rustydb_lock_wait_seconds_total", "Time spent in lock waits that have ended", |s| {
        s.locks.wait_time.as_secs_f64()
    }),
];

const LEVELS: [Figure; 18] = [
    ("rustydb_buffer_pages", "Pages that the buffer pool can hold", |s| s.storage.pool_pages as f64),
    ("rustydb_buffer_pages_present", "Pages in the buffer pool", |s| s.storage.pool_pages_present as f64),
    ("rustydb_buffer_pages_dirty", "Pages changed and not yet written", |s| {
        s.storage.pool_pages_dirty as f64
    }),
    ("rustydb_wal_since_checkpoint_bytes", "Log that a restart would replay", |s| {
        s.storage.log_since_checkpoint as f64
    }),
    (
        "rustydb_redo_bytes_per_second",
        "Log that a restart replays in a second, as the last ones have shown; 0 before",
        |s| s.storage.redo_rate as f64,
    ),
    ("rustydb_file_pages", "Pages of the page file", |s| s.storage.file_pages as f64),
    ("rustydb_snapshots", "Snapshots in use", |s| s.snapshots.in_use as f64),
    ("rustydb_serializable_transactions", "Serializable transactions that run or are remembered", |s| {
        s.serial.members as f64
    }),
    ("rustydb_snapshot_oldest_seconds", "For how long the oldest snapshot has been in use", |s| {
        s.snapshots.oldest_age.as_secs_f64()
    }),
    ("rustydb_snapshot_oldest_lag_commits", "Commits since the oldest snapshot in use", |s| {
        s.snapshots.oldest_lag as f64
    }),
    ("rustydb_version_keys", "Keys with older versions in memory", |s| s.version_keys as f64),
    ("rustydb_version_bytes", "Memory of older versions and unfinished changes", |s| s.version_bytes as f64),
    ("rustydb_version_spilled_bytes", "Older versions in temporary files", |s| s.version_spilled as f64),
    ("rustydb_purge_backlog", "Commits that purge has yet to look at", |s| s.purge_backlog as f64),
    ("rustydb_purge_parked_keys", "Keys whose older versions wait for a snapshot to end", |s| {
        s.purge_parked as f64
    }),
    (
        "rustydb_purge_unreachable_keys",
        "Deleted rows that purge cannot take out, as their page cannot be read",
        |s| s.purge_set_aside as f64,
    ),
    ("rustydb_wal_pinned_bytes", "Log kept for unfinished transactions and deleted rows", |s| {
        s.log_pinned as f64
    }),
    ("rustydb_lock_wait_longest_seconds", "Longest lock wait that has ended", |s| {
        s.locks.longest_wait.as_secs_f64()
    }),
];

/// Registers the limits that the budget of memory has come to.
pub(crate) fn register_budget(registry: &Registry, budget: Budget, database: &Database) {
    for (name, help, bytes) in [
        ("rustydb_memory_buffer_pool_bytes", "Memory for pages", budget.buffer_pool),
        ("rustydb_memory_statement_bytes", "Memory that one statement may hold", budget.statement),
        (
            "rustydb_memory_statements_bytes",
            "Memory that all statements together may hold",
            budget.statements,
        ),
        ("rustydb_memory_undo_bytes", "Memory for older versions and unfinished changes", budget.undo),
    ] {
        registry.gauge_from(name, help, &[], move || bytes as f64);
    }
    let memory = database.memory().clone();
    let (name, help) = ("rustydb_memory_statements_granted_bytes", "Memory that statements are granted now");
    registry.gauge_from(name, help, &[], move || memory.granted() as f64);
}

type ChangeFigure = (&'static str, &'static str, fn(&ChangeLogStatistics) -> f64);

const CHANGES: [ChangeFigure; 6] = [
    ("rustydb_change_log_bytes", "Log that readers of changes can go back to", |s| s.bytes as f64),
    ("rustydb_change_log_oldest_commit", "The commit behind which the change log is kept", |s| {
        s.oldest_csn as f64
    }),
    ("rustydb_change_log_oldest_seconds", "That commit's time, in seconds since 1970", |s| {
        s.oldest_time as f64 / 1e6
    }),
    ("rustydb_change_log_consumers", "Readers of changes", |s| s.consumers as f64),
    ("rustydb_change_log_lag_commits", "Commits that the slowest reader is behind", |s| s.lag_commits as f64),
    ("rustydb_change_log_lag_bytes", "Log that the slowest reader is behind", |s| s.lag_bytes as f64),
];

/// Registers all of them. The registry must not keep the store open, so it holds it weakly.
pub(crate) fn register(registry: &Registry, engine: &Arc<Engine>) {
    let reading = |figure: fn(&EngineStatistics) -> f64| {
        let engine: Weak<Engine> = Arc::downgrade(engine);
        move || engine.upgrade().map_or(0.0, |engine| figure(&engine.statistics()))
    };
    for (name, help, figure) in TOTALS {
        registry.counter_from(name, help, &[], reading(figure));
    }
    for (name, help, figure) in LEVELS {
        registry.gauge_from(name, help, &[], reading(figure));
    }
    for (name, help, figure) in CHANGES {
        let engine: Weak<Engine> = Arc::downgrade(engine);
        let read = move || engine.upgrade().map_or(0.0, |engine| figure(&engine.change_log().statistics()));
        registry.gauge_from(name, help, &[], read);
    }
}
