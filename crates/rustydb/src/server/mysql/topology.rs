//! `rustydb mysql topology`: a live view of a cluster, as a client sees it.
//!
//! A cluster of the client library is opened with small pools, and its view is painted anew each second: what
//! each server does, whether it answers, how far it is behind, its breaker, its latency and its connections.
//! Below stand the last changes: who went silent, who came back, who is the primary now. At a terminal it uses the
//! other screen and gives the old one back at the end (Ctrl-C); elsewhere, and with `--once`, it prints one
//! view.

use super::table::Table;
use super::{ServerArguments, shown};
use rustydb_mysql::config::{ClientConfig, PoolConfig, ReplicaConfig};
use rustydb_mysql::replicas::{Cluster, ClusterConfig, Lag, Role, ServerView, TopologyView};
use rustydb_telemetry::Registry;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// Changes that are shown.
const CHANGES: usize = 8;

/// The options of `rustydb mysql topology`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TopologyArguments {
    #[command(flatten)]
    servers: ServerArguments,
    /// Only the servers that were named: others are not looked for
    #[arg(long)]
    no_discover: bool,
    /// One view, then leave
    #[arg(long)]
    once: bool,
    /// Milliseconds between two views
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    interval: u64,
    /// Show the transactions that each server has
    #[arg(long)]
    gtid: bool,
}

pub(super) async fn run(arguments: &TopologyArguments) -> Result<ExitCode, String> {
    let servers = arguments.servers.resolve()?;
    let mut pool = PoolConfig::default();
    (pool.min_connections, pool.max_connections) = (1, 4);
    let mut builder = ClientConfig::builder().primary(servers.primary.clone());
    for address in &servers.replicas {
        builder = builder.replica(ReplicaConfig::new(address.clone()));
    }
    let config = builder.build().map_err(|error| error.to_string())?;
    let mut config = ClusterConfig::from(&config);
    config.reads.discover = !arguments.no_discover;
    config.connect_timeout = servers.timeout;
    config.monitor.timeout = servers.timeout;
    (config.pool, config.replica_pool) = (pool.clone(), pool);
    let registry = Registry::new();
    let cluster = Cluster::new(servers.driver, config, servers.credential, None, &registry)
        .map_err(|error| error.to_string())?;
    cluster.ready(Instant::now() + servers.timeout).await;

    let live = !arguments.once && std::io::stdout().is_terminal();
    let view = match live {
        false => {
            let view = cluster.view();
            let text = painted(&view, &VecDeque::new(), arguments.gtid);
            println!("{}", text.join("\n"));
            view
        }
        true => watch(&cluster, arguments).await?,
    };
    cluster.close(Instant::now() + Duration::from_secs(1)).await;
    let all_well = view.servers.iter().all(|server| server.answers);
    Ok(if live || all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Paints until Ctrl-C.
async fn watch(
    cluster: &Cluster<rustydb_mysql::ServerDriver>,
    arguments: &TopologyArguments,
) -> Result<TopologyView, String> {
    let mut screen = Screen::open()?;
    let mut changes = VecDeque::new();
    let mut before: Option<TopologyView> = None;
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(arguments.interval.max(100)));
    let mut ended = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let view = cluster.view();
        for change in before.iter().flat_map(|before| differences(before, &view)) {
            changes.push_front(format!("{:>7}  {change}", format!("{} s", began.elapsed().as_secs())));
            changes.truncate(CHANGES);
        }
        screen.paint(&painted(&view, &changes, arguments.gtid))?;
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut ended => return Ok(view),
        }
        before = Some(view);
    }
}

/// The terminal's other screen, given back when dropped.
struct Screen(std::io::Stdout);

impl Screen {
    fn open() -> Result<Screen, String> {
        let screen = Screen(std::io::stdout());
        screen.put("\x1b[?1049h\x1b[?25l")?;
        Ok(screen)
    }

    fn put(&self, text: &str) -> Result<(), String> {
        let mut out = self.0.lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| format!("the terminal: {error}"))
    }

    /// Line by line over what stood there, so that nothing flickers.
    fn paint(&mut self, lines: &[String]) -> Result<(), String> {
        let body: String = lines.iter().map(|line| format!("{line}\x1b[K\r\n")).collect();
        self.put(&format!("\x1b[H{body}\x1b[J"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.put("\x1b[?25h\x1b[?1049l");
    }
}

fn painted(view: &TopologyView, changes: &VecDeque<String>, gtid: bool) -> Vec<String> {
    let servers = match view.servers.len() {
        1 => "1 server".to_owned(),
        n => format!("{n} servers"),
    };
    let mut lines = vec![format!("{servers}, epoch {}", view.epoch), String::new()];
    let mut headings =
        vec!["SERVER", "ROLE", "STATE", "LAG", "BREAKER", "LATENCY", "USED", "IDLE", "WAIT", "MAX"];
    if gtid {
        headings.push("HAS");
    }
    let mut table = Table::new(&headings);
    for server in &view.servers {
        let mut cells = vec![
            server.name.to_string(),
            server.role.name().to_owned(),
            if server.answers { "up".to_owned() } else { "silent".to_owned() },
            lag(server),
            server.breaker.name().to_owned(),
            if server.latency.is_zero() { "-".to_owned() } else { shown(server.latency) },
            server.pool.active_connections.to_string(),
            server.pool.idle_connections.to_string(),
            server.pool.waiting_requests.to_string(),
            server.pool.max_connections.to_string(),
        ];
        if gtid {
            cells.push(server.position.clone());
        }
        table.row(cells);
    }
    lines.extend(table.lines());
    let silent: Vec<_> = view.servers.iter().filter_map(|server| Some((server, reason(server)?))).collect();
    if !silent.is_empty() {
        lines.push(String::new());
        lines.extend(silent.iter().map(|(server, why)| format!("{}: {why}", server.name)));
    }
    if !changes.is_empty() {
        lines.push(String::new());
        lines.extend(changes.iter().cloned());
    }
    lines
}

fn reason(server: &ServerView) -> Option<&str> {
    let told = server.last_error.as_deref();
    told.or(server.pool.last_connect_error.as_deref()).filter(|_| !server.answers)
}

fn lag(server: &ServerView) -> String {
    match server.lag {
        _ if server.role == Role::Primary => "-".to_owned(),
        Lag::Behind(lag) => shown(lag),
        Lag::Unbounded => "unknown".to_owned(),
    }
}

/// What changed from one view to the next, in words.
fn differences(before: &TopologyView, now: &TopologyView) -> Vec<String> {
    let mut told = Vec::new();
    for server in &now.servers {
        let Some(was) = before.servers.iter().find(|was| was.name == server.name) else {
            told.push(format!("{} was found, a {}", server.name, server.role.name()));
            continue;
        };
        if was.role != server.role {
            told.push(format!("{} is the {} now", server.name, server.role.name()));
        }
        match (was.answers, server.answers) {
            (true, false) => told.push(format!("{} went silent", server.name)),
            (false, true) => told.push(format!("{} answers again", server.name)),
            _ => {}
        }
        if was.breaker != server.breaker {
            told.push(format!("{}: breaker {}", server.name, server.breaker.name()));
        }
    }
    let gone = before.servers.iter().filter(|was| now.servers.iter().all(|server| server.name != was.name));
    told.extend(gone.map(|was| format!("{} is gone", was.name)));
    told
}
