//! Many clients against the real server at one isolation level, killed and started again in between, and their
//! history held to what the level promises ([`crate::history`]).
//!
//! ```text
//!   lists      (id, grp, items)      items grows by unique values; a block of eight ids is a group,
//!                                    found by a secondary index; rows come with their first value
//!   registers  (id, value, version)  each write gives a fresh value, which a unique index finds,
//!                                    and raises the version
//! ```
//! Clients read and write few lists and registers at a time, so that they meet; a list is left alone after some
//! thirty values, so that answers stay short. When the work is done one transaction reads everything, and the
//! files are checked.
//!
//! Work follows from the seed, the interleaving of the clients does not.

mod client;

use crate::history::{self, Class, Findings, History, Level, Outcome};
use crate::random::Random;
use crate::rustydb::Home;
use crate::{Error, Result, RustyDb};
use client::{Client, Shared};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Registers there are.
const REGISTERS: u64 = 16;

/// An isolation level as clients choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// READ COMMITTED
    ReadCommitted,
    /// REPEATABLE READ
    RepeatableRead,
    /// SNAPSHOT
    Snapshot,
    /// SERIALIZABLE by refusing
    Serializable,
    /// SERIALIZABLE by blocking
    Locking,
}

impl Chosen {
    /// All levels, the weakest first.
    pub const ALL: [Chosen; 5] = [
        Chosen::ReadCommitted,
        Chosen::RepeatableRead,
        Chosen::Snapshot,
        Chosen::Serializable,
        Chosen::Locking,
    ];

    /// Its name on the command line and in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Chosen::ReadCommitted => "read-committed",
            Chosen::RepeatableRead => "repeatable-read",
            Chosen::Snapshot => "snapshot",
            Chosen::Serializable => "serializable",
            Chosen::Locking => "serializable-locking",
        }
    }

    /// The level of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Chosen> {
        Chosen::ALL.into_iter().find(|chosen| chosen.name() == name)
    }

    /// What is promised.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Chosen::ReadCommitted => Level::ReadCommitted,
            Chosen::RepeatableRead => Level::RepeatableRead,
            Chosen::Snapshot => Level::Snapshot,
            Chosen::Serializable | Chosen::Locking => Level::Serializable,
        }
    }

    /// What a session says to have it.
    #[must_use]
    pub fn statements(self) -> &'static [&'static str] {
        match self {
            Chosen::ReadCommitted => &["SET SESSION transaction_isolation = 'READ-COMMITTED'"],
            Chosen::RepeatableRead => &["SET SESSION transaction_isolation = 'REPEATABLE-READ'"],
            Chosen::Snapshot => &[
                "SET SESSION innodb_snapshot_isolation = ON",
                "SET SESSION transaction_isolation = 'REPEATABLE-READ'",
            ],
            Chosen::Serializable => &["SET SESSION transaction_isolation = 'SERIALIZABLE'"],
            Chosen::Locking => &[
                "SET SESSION serializable_mode = 'locking'",
                "SET SESSION transaction_isolation = 'SERIALIZABLE'",
            ],
        }
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// At which level
    pub chosen: Chosen,
    /// Transactions, refused ones included
    pub transactions: u64,
    /// SIGKILLs, spread over them
    pub kills: u64,
    /// Clients at a time
    pub clients: u32,
    /// What the work follows from
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    /// The plan
    pub plan: Plan,
    /// Transactions that committed
    pub committed: u64,
    /// Those that the server refused: deadlock, conflict, lock wait timeout
    pub refused: u64,
    /// Those whose answer was lost
    pub unknown: u64,
    /// What the checker found
    pub findings: Findings,
    /// How long the clients worked
    pub worked: Duration,
    /// How long the checker took
    pub checked: Duration,
    /// The history, to look into
    pub history: History,
}

impl Ran {
    /// Refused transactions by a hundred that came to their end.
    #[must_use]
    pub fn refused_percent(&self) -> f64 {
        100.0 * self.refused as f64 / (self.refused + self.committed).max(1) as f64
    }

    /// Fails with the first findings that the level forbids.
    ///
    /// # Errors
    /// When there are any.
    pub fn hold(&self) -> Result<()> {
        let forbidden = self.findings.forbidden(self.plan.chosen.level());
        if forbidden.is_empty() {
            return Ok(());
        }
        let mut text =
            format!("{} (seed {}) is not what it promises:", self.plan.chosen.name(), self.plan.seed);
        for example in self.findings.examples().iter().filter(|example| forbidden.contains(&example.class)) {
            let _ = write!(text, "\n  {example}");
        }
        Err(Error::Broken(text))
    }
}

/// Works on a fresh server in `home` and checks the history.
///
/// # Errors
/// When the server fails, answers what it must not, or its files do not check.
pub fn run(home: &Home, plan: Plan) -> Result<Ran> {
    let begin = Instant::now();
    let mut random = Random::new(plan.seed);
    let shared = Shared::default();
    let mut clients: Vec<Client> =
        (0..plan.clients).map(|id| Client::new(id, plan.seed, plan.chosen, begin)).collect();
    let server = RustyDb::start(home)?;
    create(&mut server.address().connect()?)?;
    let mut running = Some(server);
    for kill in 1..=plan.kills + 1 {
        let server = running.take().map_or_else(|| RustyDb::start(home), Ok)?;
        // A kill comes somewhere in its share of the transactions.
        let share = plan.transactions / (plan.kills + 1);
        let (goal, is_last) = match kill > plan.kills {
            true => (plan.transactions, true),
            false => (share * kill - random.below(share / 2 + 1), false),
        };
        running = load(server, &mut clients, &shared, goal, is_last)?;
    }
    let server = running.map_or_else(|| RustyDb::start(home), Ok)?;
    let mut reader = Client::new(plan.clients, plan.seed, plan.chosen, begin);
    reader.read_everything(&mut server.address().connect_to("isolation")?, &shared)?;
    clients.push(reader);
    let worked = begin.elapsed();
    let status = server.stop()?;
    if !status.success() {
        return Err(Error::Broken(format!("SIGTERM ended the server with {status}, not 0")));
    }
    home.check()?;
    let (mut history, mut refused) = (History::default(), 0);
    for client in clients {
        refused += client.refused;
        history.transactions.extend(client.transactions);
    }
    let ended = |outcome| history.transactions.iter().filter(|ended| ended.outcome == outcome).count() as u64;
    let (committed, unknown) = (ended(Outcome::Committed), ended(Outcome::Unknown));
    let begin = Instant::now();
    let findings = history::check(&history, plan.chosen.level());
    Ok(Ran { plan, committed, refused, unknown, findings, worked, checked: begin.elapsed(), history })
}

fn create(connection: &mut Conn) -> Result<()> {
    for sql in [
        "CREATE DATABASE isolation",
        "USE isolation",
        "CREATE TABLE lists (id BIGINT PRIMARY KEY, grp BIGINT NOT NULL, items TEXT NOT NULL, KEY by_grp (grp))",
        "CREATE TABLE registers (id BIGINT PRIMARY KEY, value BIGINT NOT NULL, version BIGINT NOT NULL, \
         UNIQUE KEY by_value (value))",
    ] {
        connection.query_drop(sql)?;
    }
    let rows: Vec<String> = (0..REGISTERS).map(|id| format!("({id}, {id}, 0)")).collect();
    Ok(connection.query_drop(format!("INSERT INTO registers VALUES {}", rows.join(", ")))?)
}

/// Runs all clients until `goal` transactions have ended, in all; then the server is killed under them, or
/// given back if it is the last time.
fn load(
    server: RustyDb,
    clients: &mut [Client],
    shared: &Shared,
    goal: u64,
    is_last: bool,
) -> Result<Option<RustyDb>> {
    let mut connections = Vec::new();
    for _ in 0..clients.len() {
        connections.push(server.address().connect_to("isolation")?);
    }
    shared.stop.store(false, Ordering::Relaxed);
    let (server, ends) = std::thread::scope(|scope| {
        let running: Vec<_> = clients
            .iter_mut()
            .zip(connections)
            .map(|(client, mut connection)| scope.spawn(move || client.load(&mut connection, shared)))
            .collect();
        while shared.ended.load(Ordering::Relaxed) < goal
            && !running.iter().any(|thread| thread.is_finished())
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        // A client that ended before its time met a defect, or lost its connection without one.
        let early = running.iter().any(|thread| thread.is_finished());
        let error = early.then(|| server.error("let a client down under load"));
        let server = match is_last && !early {
            true => {
                shared.stop.store(true, Ordering::Relaxed);
                Ok(Some(server))
            }
            false => server.kill().map(|()| None),
        };
        let ends: Vec<_> = running.into_iter().map(|thread| thread.join()).collect();
        (error.map_or(server, Err), ends)
    });
    for end in ends {
        match end {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Err(Error::Broken(why)),
            Err(_) => return Err(Error::Broken("a client of the test panicked".into())),
        }
    }
    server
}

/// What was found at each level, class by class, with what is forbidden there.
#[must_use]
pub fn table(runs: &[Ran]) -> String {
    let mut text = format!("{:<18}", "anomaly");
    for run in runs {
        let _ = write!(text, " {:>22}", run.plan.chosen.name());
    }
    text.push('\n');
    let mut line = |name: &str, cell: &dyn Fn(&Ran) -> String| {
        let _ = write!(text, "{name:<18}");
        for run in runs {
            let _ = write!(text, " {:>22}", cell(run));
        }
        text.push('\n');
    };
    for class in Class::ALL {
        line(class.name(), &|run| {
            let count = run.findings.count(class);
            match (run.plan.chosen.level().forbids(class), count) {
                (true, 0) => "none, as promised".to_owned(),
                (true, _) => format!("{count} FORBIDDEN"),
                (false, _) => format!("{count} allowed"),
            }
        });
    }
    line("committed", &|run| run.committed.to_string());
    line("refused", &|run| format!("{} ({:.1} %)", run.refused, run.refused_percent()));
    line("answer lost", &|run| format!("{} in {} kills", run.unknown, run.plan.kills));
    line("seconds + check", &|run| format!("{} + {:.1}", run.worked.as_secs(), run.checked.as_secs_f64()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_by_their_names() {
        for chosen in Chosen::ALL {
            assert_eq!(Chosen::from_name(chosen.name()), Some(chosen));
        }
        assert_eq!(Chosen::from_name("none"), None);
    }
}
