//! `rustydb mysql explain`: a statement's plan, and what is doubtful about it.

use super::ServerArguments;
use super::table::Table;
use rustydb_mysql::driver::{Driver, Session};
use rustydb_mysql::explain::explain;
use rustydb_mysql::value::NO_PARAMETERS;
use std::process::ExitCode;
use tokio::time::Instant;

/// The options of `rustydb mysql explain`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    servers: ServerArguments,
    /// The statement; it is not run
    #[arg(value_name = "SQL")]
    sql: String,
    /// Fail where something is doubtful, as a check in CI
    #[arg(long)]
    strict: bool,
}

pub(super) async fn run(arguments: &ExplainArguments) -> Result<ExitCode, String> {
    let servers = arguments.servers.resolve()?;
    let soon = || Instant::now() + servers.timeout;
    let endpoint = servers.endpoints().remove(0);
    let connected = servers.driver.connect(&endpoint, &servers.credential, soon()).await;
    let mut session = connected.map_err(|error| error.to_string())?;
    let plan = explain(&mut session, &arguments.sql, NO_PARAMETERS, soon()).await;
    session.close(soon()).await;
    let plan = plan.map_err(|error| error.to_string())?;

    let mut table = Table::new(&["ID", "SELECT", "TABLE", "ACCESS", "KEY", "ROWS", "FILTERED", "EXTRA"]);
    let mut warnings = Vec::new();
    for step in plan {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row([
            or_dash(step.id.map(|id| id.to_string())),
            step.select_type,
            or_dash(step.table),
            or_dash(step.access_type),
            or_dash(step.key),
            or_dash(step.rows.map(|rows| rows.to_string())),
            or_dash(step.filtered.map(|share| format!("{share:.0} %"))),
            step.extra.join("; "),
        ]);
        warnings.extend(step.warnings.iter().map(ToString::to_string));
    }
    table.print();
    if !warnings.is_empty() {
        println!();
        warnings.iter().for_each(|warning| println!("warning: {warning}"));
    }
    Ok(if arguments.strict && !warnings.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
