//! `rustydb check`: is everything in a data directory as it has to be?
//!
//! Opening replays the log as a start of the server would; then every page, every tree and the allocation of
//! every page are verified by the storage floor, and every index against its table's rows by what writes its entries ([`tables`]).

mod tables;

use rustydb_sql::OpenOptions;
use rustydb_storage::disk::{SystemClock, SystemDisk};
use std::path::Path;
use std::sync::Arc;

/// Checks a directory and prints what was looked at; the error is what does not hold.
pub(crate) fn run(data_dir: &Path) -> Result<(), String> {
    let shown = data_dir.display();
    if !data_dir.is_dir() {
        return Err(format!("there is no data directory {shown} (--data-dir)"));
    }
    let disk = SystemDisk::new(data_dir).map_err(|error| format!("cannot use {shown}: {error}"))?;
    let machine = Arc::new(SystemClock::default());
    let mut options = OpenOptions::new(Arc::new(disk), machine.clone(), machine);
    // Nothing may change while we look, and nothing is served.
    options.engine.background = false;
    let database = rustydb_sql::Database::open(options).map_err(|error| error.message)?;
    let engine = database.engine();
    let report = rustydb_storage::check::check(engine.store()).map_err(|error| error.to_string())?;
    let tables = tables::check(&database).map_err(|error| error.message)?;
    println!(
        "{shown}: {} trees, {} pages, {} entries, {} deleted and not yet purged; {} tables, {} rows, {} index entries",
        report.trees,
        report.pages,
        report.entries,
        report.tombstones,
        tables.tables,
        tables.rows,
        tables.entries
    );
    let problems: Vec<_> = report.problems.into_iter().chain(tables.problems).collect();
    // Closing writes a checkpoint, which a damaged store should not get.
    if problems.is_empty() {
        return database.close().map_err(|error| error.message);
    }
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    Err(format!("{shown} is damaged, {} problems:{lines}", problems.len()))
}
