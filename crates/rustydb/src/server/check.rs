//! `rustydb check`: is everything in a data directory as it has to be? And what of it can be mended?
//!
//! Opening replays the log as a start of the server would; then every page, every tree and the allocation of every
//! page are verified by the storage floor, and every index against its table's rows by what writes its entries
//! ([`tables`]).
//!
//! `--repair` tries out on an overlay, which keeps every change to itself, what opening and mending would do, and says
//! it. `--repair --write` does it. Only what is certain is mended (`rustydb_storage::repair`); where anything else is
//! found nothing is, and the exit code says so.

mod tables;

use rustydb_sql::{Database, OpenOptions};
use rustydb_storage::check::Report;
use rustydb_storage::disk::{Disk, Overlay, SystemClock, SystemDisk};
use rustydb_storage::{Opening, repair};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// What of a directory a trial may keep changed in memory.
const TRIAL_BYTES: u64 = 1 << 30;
/// The trial found something to mend, all of it certain.
const MENDABLE: u8 = 3;

/// What is to be done about what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Nothing
    Check,
    /// Say what would be mended
    Try,
    /// Mend it
    Repair,
}

/// Checks a directory and prints what was looked at; the error is what does not hold.
pub(crate) fn run(data_dir: &Path, purpose: Purpose) -> Result<ExitCode, String> {
    let shown = data_dir.display();
    if !data_dir.is_dir() {
        return Err(format!("there is no data directory {shown} (--data-dir)"));
    }
    let disk = SystemDisk::new(data_dir).map_err(|error| format!("cannot use {shown}: {error}"))?;
    let mut disk: Arc<dyn Disk> = Arc::new(disk);
    if purpose == Purpose::Try {
        let overlay =
            Overlay::new(disk, TRIAL_BYTES).map_err(|error| format!("cannot read {shown}: {error}"))?;
        disk = Arc::new(overlay);
    }
    let machine = Arc::new(SystemClock::default());
    let mut options = OpenOptions::new(disk, machine.clone(), machine);
    // Nothing may change while we look, and nothing is served.
    options.engine.background = false;
    let refusal = match purpose {
        Purpose::Check => "",
        _ => {
            "\nthis cannot be mended without a guess, and nothing was mended; restore a backup, or copy what can be read"
        }
    };
    let database = Database::open(options).map_err(|error| error.message + refusal)?;
    let engine = database.engine();
    let opening = engine.store().opening();
    let report = rustydb_storage::check::check(engine.store()).map_err(|error| error.to_string())?;
    let tables = tables::check(&database).map_err(|error| error.message + refusal)?;
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
    let is_sound = report.problems.is_empty() && tables.problems.is_empty();
    if purpose == Purpose::Check || is_sound {
        say_opening(purpose, &opening);
    }
    if is_sound {
        close(&database)?;
        return Ok(match purpose {
            Purpose::Try if is_work(&opening) => ExitCode::from(MENDABLE),
            _ => ExitCode::SUCCESS,
        });
    }
    if purpose != Purpose::Check && tables.problems.is_empty() && repair::is_certain(&report) {
        return mend(&database, purpose, &opening, &report);
    }
    // Closing writes a checkpoint, which a damaged store should not get.
    let problems: Vec<_> = report.problems.into_iter().chain(tables.problems).collect();
    let lines: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    let refusal = match purpose {
        Purpose::Check => "",
        _ => {
            "\nthis cannot be mended without a guess, and nothing was mended; restore a backup, or copy what can be read"
        }
    };
    Err(format!("{shown} is damaged, {} problems:{lines}{refusal}", problems.len()))
}

fn mend(
    database: &Database,
    purpose: Purpose,
    opening: &Opening,
    report: &Report,
) -> Result<ExitCode, String> {
    say_opening(purpose, opening);
    let store = database.engine().store();
    let lists = [
        ("in use, but not allocated", &report.unallocated),
        ("allocated, but used by nothing", &report.orphans),
    ];
    for (what, pages) in lists.into_iter().filter(|(_, pages)| !pages.is_empty()) {
        println!("found: {} pages {what}: {}", pages.len(), repair::listed(pages));
    }
    for map in &report.damaged_maps {
        println!("found: page {}, a map of free pages, cannot be used", map.page);
    }
    for line in repair::repair(store, report).map_err(|error| error.to_string())? {
        println!("{} {line}", if purpose == Purpose::Try { "would be mended:" } else { "mended:" });
    }
    let again = rustydb_storage::check::check(store).map_err(|error| error.to_string())?;
    if !again.problems.is_empty() {
        return Err(format!("still damaged after mending: {}", again.problems.join("; ")));
    }
    close(database)?;
    if purpose == Purpose::Try {
        println!("nothing was changed; --repair --write does it");
        return Ok(ExitCode::from(MENDABLE));
    }
    Ok(ExitCode::SUCCESS)
}

fn is_work(opening: &Opening) -> bool {
    opening.restored_pages > 0 || opening.torn_tail.is_some()
}

/// Says what opening the directory did, or would do.
fn say_opening(purpose: Purpose, opening: &Opening) {
    let did = |what: &str| match purpose {
        Purpose::Try => println!("would be mended: {what}"),
        Purpose::Check | Purpose::Repair => println!("mended: {what}"),
    };
    if opening.restored_pages > 0 {
        did(&format!("{} torn pages put back from their copies", opening.restored_pages));
    }
    if let Some(end) = opening.torn_tail {
        did(&format!(
            "the log's end at {end}, a write that was cut short and never acknowledged, left behind"
        ));
    }
    if opening.losers > 0 {
        did(&format!("{} transactions that a crash left unfinished taken back", opening.losers));
    }
}

fn close(database: &Database) -> Result<(), String> {
    database.close().map_err(|error| error.message)
}
