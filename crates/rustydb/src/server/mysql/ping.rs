//! `rustydb mysql ping`: which servers answer, how fast, what they are.

use super::table::Table;
use super::{ServerArguments, Servers, shown};
use rustydb_mysql::driver::{Driver, Endpoint, Flavor, Session};
use std::process::ExitCode;
use tokio::time::Instant;

/// The options of `rustydb mysql ping`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PingArguments {
    #[command(flatten)]
    servers: ServerArguments,
    /// How often each server is asked
    #[arg(long, short = 'n', value_name = "N", default_value_t = 5)]
    count: u32,
}

pub(super) async fn run(arguments: &PingArguments) -> Result<ExitCode, String> {
    let servers = arguments.servers.resolve()?;
    let mut table = Table::new(&["SERVER", "VERSION", "TAKES", "CONNECT", "PING MIN", "MEDIAN", "MAX"]);
    let mut failures = Vec::new();
    for endpoint in servers.endpoints() {
        match ask(&servers, &endpoint, arguments.count.max(1)).await {
            Ok(cells) => table.row(cells),
            Err(error) => {
                table.row([endpoint.name().to_string(), "-".into(), "no answer".into()]);
                failures.push(format!("{}: {error}", endpoint.name()));
            }
        }
    }
    table.print();
    failures.iter().for_each(|failure| eprintln!("{failure}"));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(servers: &Servers, endpoint: &Endpoint, count: u32) -> rustydb_mysql::Result<Vec<String>> {
    let began = Instant::now();
    let soon = || Instant::now() + servers.timeout;
    let mut session = servers.driver.connect(endpoint, &servers.credential, soon()).await?;
    let connected = began.elapsed();
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        session.ping(soon()).await?;
        times.push(began.elapsed());
    }
    times.sort();
    let read_only = session.query("SELECT @@global.read_only", soon()).await?.one::<(i64,)>().await;
    let takes = match read_only {
        Ok((0,)) => "writes",
        Ok(_) => "reads",
        Err(_) => "-",
    };
    let server = session.status().server.clone();
    let product = match server.flavor {
        Flavor::MariaDb => "MariaDB",
        Flavor::RustyDb => "RustyDB",
        Flavor::MySql => "MySQL",
    };
    session.close(soon()).await;
    let (least, median, most) = (times.first(), times.get(times.len() / 2), times.last());
    let cell = |time: Option<&std::time::Duration>| time.map_or("-".to_owned(), |time| shown(*time));
    Ok(vec![
        endpoint.name().to_string(),
        // MariaDB before 11 says 5.5.5 first, for replicas of an age long gone.
        format!("{product} {}", server.version.trim_start_matches("5.5.5-")),
        takes.to_owned(),
        shown(connected),
        cell(least),
        cell(median),
        cell(most),
    ])
}
