//! `cargo xtask clients`: the clients that people use, each doing the same steps against the real server.
//!
//! The programs stand in the repository's `clients/` folder, whose README says what a step does and how a
//! program is called. What one needs is installed when it is absent: Debian's packages by apt-get, everything
//! else into a folder of the target directory. The server runs on a fresh home; each program gets a database of
//! its own. `--quick` takes those that start at once, `--present` those that are installed. A step that failed
//! is an error, after the table.

mod catalogue;
mod install;

use crate::options::Options;
use catalogue::{CLIENTS, Client};
use install::Place;
pub(crate) use install::python as python_with;
use mysql::prelude::Queryable;
use rustydb_testkit::rustydb::{Home, PASSWORD};
use rustydb_testkit::{Error, MariaDb, Result, RustyDb, free_port, mariadb};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The steps, in the order of the table.
const STEPS: [&str; 14] = [
    "tcp",
    "socket",
    "tls",
    "password",
    "text",
    "prepared",
    "transactions",
    "types",
    "multi",
    "big",
    "errors",
    "user",
    "pool",
    "compression",
];

impl Client {
    /// The steps that it has to tell of.
    fn steps(&self) -> Vec<&'static str> {
        match self.own {
            [] => STEPS.into_iter().filter(|step| !self.skips.contains(step)).collect(),
            own => own.to_vec(),
        }
    }
}

/// The most that one program may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Done,
    Failed(String),
    /// The client has no such thing
    Absent,
}

pub(crate) fn run(mut options: Options) -> Result<()> {
    let (server, source) = (options.server()?, options.source()?);
    let quick = options.flag("--quick");
    let present = options.flag("--present");
    let names = options.rest()?;
    let wanted: Vec<&Client> = match names.is_empty() {
        true => CLIENTS
            .iter()
            .filter(|client| client.quick || !quick)
            .filter(|client| !present || client.is_present())
            .collect(),
        false => names.iter().map(|name| find(name)).collect::<Result<_>>()?,
    };
    let target = server.ancestors().nth(2).unwrap_or(&server);
    let place = Place { programs: source.join("clients"), installed: target.join("clients") };
    let near = server.parent().unwrap_or(&server);
    let socket = std::env::temp_dir().join(format!("rustydb-clients-{}.sock", free_port()?));
    let home = Home::new(&server, near, &["--socket", &socket.to_string_lossy()])?;
    let ours = RustyDb::start(&home)?;
    let peer = match wanted.iter().any(|client| client.peer) {
        true => Some(MariaDb::start(near, &mariadb::Options::default())?),
        false => None,
    };

    let mut table = Vec::new();
    for client in wanted {
        // What cannot be installed is told as such and is a failure too.
        let verdicts = match install::ensure(client, &place) {
            Ok(mut command) => {
                if let Some(peer) = &peer {
                    command.env("DB_PEER_PORT", peer.address().port.to_string());
                    command.env("DB_PEER_PASSWORD", &peer.address().password);
                }
                steps(client, command, &place, &ours, &home, &socket)?
            }
            Err(error) => {
                eprintln!("{}: {error}", client.name);
                let failed = |step: &&str| ((*step).to_owned(), Verdict::Failed("not installed".into()));
                client.steps().iter().map(failed).collect()
            }
        };
        for (step, verdict) in &verdicts {
            if let Verdict::Failed(why) = verdict {
                println!("{} {step}: {why}", client.name);
            }
        }
        table.push((client.name, verdicts));
    }
    println!("\n{}", shown(&table));
    let failed: usize = table.iter().map(|(_, steps)| failures(steps)).sum();
    match failed {
        0 => Ok(()),
        failed => Err(Error::Broken(format!("{failed} steps failed"))),
    }
}

fn find(name: &str) -> Result<&'static Client> {
    CLIENTS.iter().find(|client| client.name == name).ok_or_else(|| {
        let known: Vec<_> = CLIENTS.iter().map(|client| client.name).collect();
        Error::Usage(format!("no client '{name}': {}", known.join(", ")))
    })
}

/// Runs a program and reads its lines.
fn steps(
    client: &Client,
    mut command: Command,
    place: &Place,
    server: &RustyDb,
    home: &Home,
    socket: &Path,
) -> Result<BTreeMap<String, Verdict>> {
    let database = format!("client_{}", client.name.replace('-', "_"));
    let address = server.address();
    let mut connection = address.connect()?;
    connection.query_drop(format!("DROP DATABASE IF EXISTS {database}"))?;
    connection.query_drop(format!("CREATE DATABASE {database}"))?;
    command
        .env("DB_HOST", "127.0.0.1")
        .env("DB_PORT", address.port.to_string())
        .env("DB_SOCKET", socket)
        .env("DB_USER", &address.user)
        .env("DB_PASSWORD", PASSWORD)
        .env("DB_CA", home.data().join("mysql-server-cert.pem"))
        .env("DB_NAME", &database)
        .env("DB_VALUES", place.programs.join("values.tsv"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn().map_err(Error::io(format!("start {}", client.name)))?;
    let mut out = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(out) = &mut out {
            // What was printed before a failure counts.
            let _ = std::io::Read::read_to_end(out, &mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let mut late = false;
    while child.try_wait().map_err(Error::io("wait for a client"))?.is_none() {
        if begin.elapsed() > PATIENCE {
            late = true;
            child.kill().map_err(Error::io("end a client"))?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = reader.join().unwrap_or_default();
    let wanted = client.steps();
    let mut verdicts: BTreeMap<String, Verdict> =
        text.lines().filter_map(|line| verdict(line, &wanted)).collect();
    for step in &wanted {
        let why = if late { "not done in time" } else { "the program said nothing of it" };
        verdicts.entry((*step).to_owned()).or_insert_with(|| Verdict::Failed(why.into()));
    }
    println!("{:<16} {:>6.1} s", client.name, begin.elapsed().as_secs_f64());
    Ok(verdicts)
}

/// `STEP ok`, `STEP failed WHY`, `STEP none WHY`
fn verdict(line: &str, steps: &[&str]) -> Option<(String, Verdict)> {
    let (step, rest) = line.split_once(' ')?;
    let (word, why) = rest.split_once(' ').unwrap_or((rest, ""));
    let verdict = match word {
        "ok" => Verdict::Done,
        "failed" => Verdict::Failed(why.to_owned()),
        "none" => Verdict::Absent,
        _ => return None,
    };
    steps.contains(&step).then(|| (step.to_owned(), verdict))
}

fn failures(steps: &BTreeMap<String, Verdict>) -> usize {
    steps.values().filter(|verdict| matches!(verdict, Verdict::Failed(_))).count()
}

fn shown(table: &[(&str, BTreeMap<String, Verdict>)]) -> String {
    let mut text = format!("{:<16}", "");
    STEPS.iter().for_each(|step| text.push_str(&format!(" {step}")));
    for (name, steps) in table {
        text.push_str(&format!("\n{name:<16}"));
        let mark = |step: &str| match steps.get(step) {
            Some(Verdict::Done) => "ok",
            Some(Verdict::Failed(_)) => "FAIL",
            Some(Verdict::Absent) | None => "-",
        };
        if steps.keys().any(|step| !STEPS.contains(&step.as_str())) {
            // Steps of its own have no columns.
            steps.keys().for_each(|step| text.push_str(&format!(" {step} {}", mark(step))));
            continue;
        }
        STEPS.iter().for_each(|step| text.push_str(&format!(" {:^width$}", mark(step), width = step.len())));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_program_become_verdicts_and_a_table() {
        let lines = ["tcp ok", "tls failed no such file", "user none not here", "noise ok", "warning: x"];
        let verdicts: BTreeMap<_, _> = lines.iter().filter_map(|line| verdict(line, &STEPS)).collect();
        assert_eq!(verdicts.len(), 3);
        assert_eq!(verdicts["tls"], Verdict::Failed("no such file".into()));
        assert_eq!(failures(&verdicts), 1);
        let table = shown(&[("php", verdicts)]);
        assert!(table.lines().next().unwrap().contains(" tcp socket tls "), "{table}");
        assert!(table.contains("php              ok    -    FAIL"), "{table}");
    }
}
