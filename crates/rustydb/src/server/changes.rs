//! `rustydb changes`: what was committed in a data directory, one JSON object a line.
//!
//! It opens the directory as the server does, recovery and all, so no server may have it open. The last line of a
//! transaction carries its position; `--from` with that position goes on behind it.

use rustydb_sql::changes::JsonLines;
use rustydb_sql::{Database, OpenOptions};
use rustydb_storage::disk::{SystemClock, SystemDisk};
use rustydb_transaction::changelog::{ChangeLogOptions, Position, Start};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct ChangesArguments {
    /// The data directory
    #[arg(long, env = "RUSTYDB_DATA_DIR", value_name = "DIR", default_value = "rustydb-data")]
    data_dir: PathBuf,
    /// Begin behind this position, or with the oldest commit that is kept
    #[arg(long, value_name = "POSITION|oldest", default_value = "oldest")]
    from: String,
    /// End after so many transactions
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub(crate) fn run(arguments: &ChangesArguments) -> Result<(), String> {
    let start = match arguments.from.as_str() {
        "oldest" => Start::Oldest,
        text => {
            let position = text.parse::<Position>();
            Start::After(position.map_err(|error| format!("--from {text}: {error}"))?)
        }
    };
    let shown = arguments.data_dir.display();
    if !arguments.data_dir.join("pages").exists() {
        return Err(format!("there is no store in {shown}"));
    }
    let disk =
        SystemDisk::new(&arguments.data_dir).map_err(|error| format!("cannot open {shown}: {error}"))?;
    let machine = Arc::new(SystemClock::default());
    let mut options = OpenOptions::new(Arc::new(disk), machine.clone(), machine);
    // Who only looks lets go of nothing.
    options.engine.change_log = ChangeLogOptions { bytes: u64::MAX, age: Duration::MAX };
    let database =
        Database::open(options).map_err(|error| format!("cannot open {shown}: {}", error.message))?;
    let printed = print(&database, start, arguments.limit.unwrap_or(u64::MAX));
    let closed = database.close().map_err(|error| error.message);
    printed.and(closed)
}

fn print(database: &Arc<Database>, start: Start, limit: u64) -> Result<(), String> {
    let stream = database.changes(start).map_err(|error| error.message)?;
    let uuid = database.globals().executed().map(|executed| executed.server_uuid()).unwrap_or_default();
    let mut lines = JsonLines::new(stream, uuid);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = String::new();
    let mut left = limit;
    while left > 0 && lines.next_line(&JsonLines::no_wait(), &mut line).map_err(|error| error.message)? {
        match out.write_all(line.as_bytes()) {
            Ok(()) => {}
            // Whoever reads has had enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(format!("writing: {error}")),
        }
        left -= u64::from(lines.is_between_transactions());
        line.clear();
    }
    out.flush().or_else(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(format!("writing: {error}")),
    })
}
