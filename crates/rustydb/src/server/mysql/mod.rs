//! `rustydb mysql`: looking at servers by the client library.
//!
//! | command | what it tells |
//! |---|---|
//! | `ping` | which servers answer, how fast, what they are |
//! | `topology` | a live view of a cluster: roles, lag, breakers, pools, and what changes |
//! | `explain` | a statement's plan, and what is doubtful about it |
//! | `replay` | what a recording holds, what it answers, what a server answers otherwise |
//!
//! Connections are given as for `rustydb sql`. Exit codes: 0 as wished, 1 where a server, a plan or a recording
//! is not, 2 for a command line that is none.

mod explain;
mod ping;
mod replay;
mod table;
mod topology;

use rustydb_mysql::config::Address;
use rustydb_mysql::connection::{Compression, ConnectOptions, PemSource, ServerDriver, SslMode, TlsOptions};
use rustydb_mysql::driver::{Credential, Endpoint};
use rustydb_shell::target::{Compress, ConnectionArguments, SslMode as Wanted, Target};
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

/// What of `rustydb mysql`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MysqlCommand {
    /// Ask servers whether they are alive
    Ping(ping::PingArguments),
    /// Watch a cluster: roles, lag, breakers, pools
    Topology(topology::TopologyArguments),
    /// Show a statement's plan, and what is doubtful about it
    Explain(explain::ExplainArguments),
    /// Look into a recording, ask it, or compare it with a server
    Replay(replay::ReplayArguments),
}

/// The servers of a cluster on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
struct ServerArguments {
    /// The primary, or the one server
    #[command(flatten)]
    connection: ConnectionArguments,
    /// A replica's host:port; may be given several times
    #[arg(long, value_name = "HOST:PORT")]
    replica: Vec<Address>,
    /// Seconds that a connection or an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    timeout: u64,
}

/// Where to connect, and how.
struct Servers {
    primary: Address,
    replicas: Vec<Address>,
    credential: Credential,
    driver: ServerDriver,
    timeout: Duration,
}

impl ServerArguments {
    fn resolve(&self) -> Result<Servers, String> {
        let target = rustydb_shell::sql::resolve(&self.connection).map_err(|error| error.to_string())?;
        let driver = ServerDriver::new(options(&target)).map_err(|error| error.to_string())?;
        let primary = match &target.socket {
            Some(path) => Address::Unix(path.clone()),
            None => Address::tcp(target.host.as_str(), target.port),
        };
        Ok(Servers {
            primary,
            replicas: self.replica.clone(),
            credential: Credential::new(target.user.as_str(), target.password.as_str()),
            driver,
            timeout: Duration::from_secs(self.timeout.max(1)),
        })
    }
}

impl Servers {
    /// Every server, the primary first.
    fn endpoints(&self) -> Vec<Endpoint> {
        let all = std::iter::once(&self.primary).chain(&self.replicas);
        all.map(|address| Endpoint::new(address.to_string(), address.clone())).collect()
    }
}

/// How the client library connects to a shell's target.
fn options(target: &Target) -> ConnectOptions {
    let mode = match target.ssl_mode {
        Wanted::Disabled => SslMode::Disabled,
        Wanted::Preferred => SslMode::Preferred,
        Wanted::Required => SslMode::Required,
        Wanted::VerifyCa => SslMode::VerifyCA,
        Wanted::VerifyIdentity => SslMode::VerifyIdentity,
    };
    ConnectOptions {
        database: target.database.clone(),
        tls: TlsOptions {
            mode,
            authorities: target.ssl_ca.clone().map(PemSource::File),
            ..TlsOptions::default()
        },
        compression: target.compress.map(|how| match how {
            Compress::Zlib => Compression::Zlib,
            Compress::Zstd => Compression::Zstd(3),
        }),
        program_name: "rustydb mysql".to_owned(),
        ..ConnectOptions::default()
    }
}

/// Runs a command on a runtime of its own.
pub(crate) fn run(command: &MysqlCommand) -> Result<ExitCode, String> {
    match command {
        MysqlCommand::Ping(arguments) => block_on(ping::run(arguments)),
        MysqlCommand::Topology(arguments) => block_on(topology::run(arguments)),
        MysqlCommand::Explain(arguments) => block_on(explain::run(arguments)),
        MysqlCommand::Replay(arguments) => block_on(replay::run(arguments)),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime: {error}"))?.block_on(future)
}

/// A duration as a person reads it.
fn shown(time: Duration) -> String {
    match time.as_micros() {
        0 => "0 ms".to_owned(),
        micros @ 1..=9_999 => format!("{:.2} ms", micros as f64 / 1_000.0),
        micros @ 10_000..=999_999 => format!("{} ms", micros / 1_000),
        micros => format!("{:.1} s", micros as f64 / 1_000_000.0),
    }
}
