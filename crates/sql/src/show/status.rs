//! SHOW STATUS: the figures that this server really counts, under MySQL's names.

use std::time::Duration;

use rustydb_transaction::locks::Wanted;

use super::server::VARIABLES;
use super::{Listing, text_row};
use crate::database::metrics::StatementKind;
use crate::session::Session;

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn status(session: &Session, global: bool) -> Listing {
    let database = session.database();
    let metrics = database.metrics();
    let engine = database.engine().statistics();
    let count = |kind| metrics.count(kind);
    let waits = database.engine().locks().waits();
    let row_waits = waits.iter().filter(|wait| !matches!(wait.wanted, Wanted::Definition { .. })).count();
    let ended = engine.locks.waits.saturating_sub(row_waits as u64);
    let temporary = database.temporary();
    let definitions = count(StatementKind::Definition);
    let mut figures: Vec<(&str, u64)> = vec![
        ("Com_begin", count(StatementKind::Begin)),
        ("Com_commit", count(StatementKind::Commit)),
        ("Com_delete", count(StatementKind::Delete)),
        ("Com_insert", count(StatementKind::Insert)),
        ("Com_replace", count(StatementKind::Replace)),
        ("Com_rollback", count(StatementKind::Rollback)),
        ("Com_select", count(StatementKind::Select)),
        ("Com_set_option", count(StatementKind::Set)),
        ("Com_stmt_prepare", metrics.prepared.get()),
        ("Com_update", count(StatementKind::Update)),
        ("Created_tmp_disk_tables", temporary.files.get()),
        ("Created_tmp_files", temporary.files.get()),
        ("Innodb_row_lock_current_waits", row_waits as u64),
        ("Innodb_row_lock_time", millis(engine.locks.wait_time)),
        ("Innodb_row_lock_time_avg", millis(engine.locks.wait_time).checked_div(ended).unwrap_or(0)),
        ("Innodb_row_lock_time_max", millis(engine.locks.longest_wait)),
        ("Innodb_row_lock_waits", engine.locks.waits),
        ("Prepared_stmt_count", database.prepared_statements().load(std::sync::atomic::Ordering::Relaxed)),
        ("Queries", metrics.total()),
        ("Questions", metrics.total()),
        ("Rustydb_commits", engine.commits),
        ("Rustydb_definition_statements", definitions),
        ("Rustydb_point_statements", metrics.point_statements.get()),
        ("Rustydb_purge_backlog", (engine.purge_backlog + engine.purge_parked) as u64),
        ("Rustydb_rollbacks", engine.rollbacks),
        ("Rustydb_rows_changed", metrics.rows_changed.get()),
        ("Rustydb_rows_sent", metrics.rows_sent.get()),
        ("Rustydb_snapshot_oldest_lag_commits", engine.snapshots.oldest_lag),
        ("Rustydb_snapshot_oldest_seconds", engine.snapshots.oldest_age.as_secs()),
        ("Rustydb_snapshots", engine.snapshots.in_use as u64),
        ("Rustydb_statement_cache_entries", database.cache.len() as u64),
        ("Rustydb_statement_cache_hits", metrics.cache_hits.get()),
        ("Rustydb_statement_cache_misses", metrics.cache_misses.get()),
        ("Rustydb_temporary_bytes", temporary.bytes()),
        ("Rustydb_temporary_bytes_written", temporary.written.get()),
        ("Rustydb_version_bytes", engine.version_bytes as u64),
        ("Rustydb_version_spilled_bytes", engine.version_spilled),
        ("Rustydb_wal_pinned_bytes", engine.log_pinned),
        ("Slow_queries", metrics.slow.get()),
        ("Sort_merge_passes", temporary.merge_passes.get()),
        ("Threads_connected", database.processes().count() as u64),
        ("Threads_running", running(session)),
        ("Uptime", database.uptime().as_secs()),
    ];
    let mut lines: Vec<(&str, String)> =
        figures.drain(..).map(|(name, value)| (name, value.to_string())).collect();
    lines.extend(transport(session, global));
    lines.sort_by_key(|line| line.0);
    let mut listing = Listing::new(&VARIABLES);
    for (name, value) in lines {
        listing.push(text_row(name, value));
    }
    listing
}

/// How this session's bytes come; compression has no global line.
fn transport(session: &Session, global: bool) -> Vec<(&'static str, String)> {
    let transport = &session.state().transport;
    let (version, cipher) = match &transport.tls {
        Some((version, cipher)) if !global => (version.clone(), cipher.clone()),
        _ => Default::default(),
    };
    let mut lines = vec![("Ssl_cipher", cipher), ("Ssl_version", version)];
    if !global {
        let (algorithm, level) = transport.compression.clone().unwrap_or_default();
        lines.push(("Compression", if algorithm.is_empty() { "OFF" } else { "ON" }.to_owned()));
        lines.push(("Compression_algorithm", algorithm));
        lines.push(("Compression_level", level.to_string()));
    }
    lines
}

fn running(session: &Session) -> u64 {
    session.database().process_list().iter().filter(|p| p.statement.is_some()).count() as u64
}
