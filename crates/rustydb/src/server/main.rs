//! `rustydb`: the server and its tools.
//!
//! The way in: this file reads the command line, [`settings`] decides every setting, [`serve`] opens the store and
//! the doors and waits for a signal, [`check`] verifies a data directory offline, [`changes`] prints its changes.
//! `sql` and `import` are clients, of this server and of others, in a crate of their own (`rustydb_shell`). Libraries
//! `mysql` looks at clusters by the client library (`rustydb_mysql`). Libraries
//! return errors; here they become sentences on standard error and exit codes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its user")]

mod budget;
mod changes;
mod check;
mod figures;
mod http;
mod logging;
mod mysql;
mod quantity;
mod root_password;
mod serve;
mod settings;

use clap::Parser;
use rustydb_shell::import::ImportArguments;
use rustydb_shell::sql::SqlArguments;
use settings::Settings;
use std::path::PathBuf;
use std::process::ExitCode;

// glibc's allocator keeps what many threads have freed; this one gives it back and is faster under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A MySQL server over a durable store of its own.
#[derive(Debug, Parser)]
#[command(name = "rustydb", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArguments,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve a data directory (also what happens without a command)
    Serve(Box<ServeArguments>),
    /// Verify every page, tree and index of a data directory that no server has open
    Check {
        /// The data directory
        #[arg(long, env = "RUSTYDB_DATA_DIR", value_name = "DIR", default_value = "rustydb-data")]
        data_dir: PathBuf,
        /// Say what can be mended with certainty; nothing is changed without --write
        #[arg(long)]
        repair: bool,
        /// Mend it
        #[arg(long, requires = "repair")]
        write: bool,
    },
    /// Print what was committed, in order, as JSON lines: of a data directory that no server has open
    Changes(changes::ChangesArguments),
    /// Run SQL on a server: at a terminal, from -e or from standard input
    Sql(Box<SqlArguments>),
    /// Load SQL dumps into a server
    Import(Box<ImportArguments>),
    /// Look at MySQL, MariaDB and RustyDB servers: who answers, who is who, plans, recordings
    Mysql {
        #[command(subcommand)]
        command: mysql::MysqlCommand,
    },
}

#[derive(Debug, clap::Args)]
struct ServeArguments {
    /// A configuration file in TOML; flags and RUSTYDB_* variables win over it
    #[arg(long, env = "RUSTYDB_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Help and version come this way too; clap knows which stream they belong to.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match line.command {
        None => run_server(line.serve).map(|()| ExitCode::SUCCESS),
        Some(Command::Serve(arguments)) => run_server(*arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Check { data_dir, repair, write }) => {
            let purpose = match (repair, write) {
                (false, _) => check::Purpose::Check,
                (true, false) => check::Purpose::Try,
                (true, true) => check::Purpose::Repair,
            };
            check::run(&data_dir, purpose)
        }
        Some(Command::Changes(arguments)) => changes::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Sql(arguments)) => return ExitCode::from(rustydb_shell::sql::run(&arguments)),
        Some(Command::Mysql { command }) => mysql::run(&command),
        Some(Command::Import(arguments)) => return ExitCode::from(rustydb_shell::import::run(&arguments)),
    };
    match outcome {
        Ok(code) => code,
        Err(why) => {
            eprintln!("rustydb: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run_server(arguments: ServeArguments) -> Result<(), String> {
    let ServeArguments { config, settings } = arguments;
    let file = match config {
        Some(path) => Settings::read(&path).map_err(|error| error.to_string())?,
        None => Settings::default(),
    };
    let config = settings.over(file).resolve().map_err(|error| error.to_string())?;
    logging::start(config.log_format, &config.log_level)?;
    for unknown in unknown_variables() {
        tracing::warn!(variable = unknown, "an environment variable that looks like a setting is none");
    }
    serve::run(config)
}

/// Variables that begin like ours and mean nothing: most likely a slip of the keyboard.
fn unknown_variables() -> Vec<String> {
    use clap::CommandFactory;
    let line = CommandLine::command();
    let known: Vec<_> = line.get_arguments().filter_map(|argument| argument.get_env()).collect();
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("RUSTYDB_"))
        .filter(|name| !known.contains(&name.as_os_str()) && name != root_password::VARIABLE)
        // Those of the shell, of the tests and of CI.
        .filter(|name| {
            !["RUSTYDB_URL", "RUSTYDB_HISTORY", "RUSTYDB_TEST_", "RUSTYDB_CI_", "RUSTYDB_SAKILA_"]
                .iter()
                .any(|p| name.to_string_lossy().starts_with(p))
        })
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}
