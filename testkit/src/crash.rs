//! The crash test: SIGKILL the real server at random moments under load, and hold it to its word.
//!
//! A round starts the server, checks everything that was ever acknowledged, stops it by SIGTERM, runs `rustydb
//! check`, starts it again, loads it by eight clients, one that creates and drops tables and one that alters those of
//! the eight, and kills it. The eight also work on a foreign key that cascades across clients, and compare views with
//! their tables, which are compared again after each restart. Some rounds kill it again while it restarts; some kill
//! a second, fresh server at its very first start. Moments and work follow from the seed (the interleaving of threads
//! does not).
//!
//! What a kill cannot show is what the disk would lose with the power: the operating system keeps written
//! pages. That is the simulated disk's part (`cargo xtask crash --simulated`).

mod alterations;
mod client;
mod families;
mod ledger;
mod schema;
mod tables;
mod verify;

use crate::options::Options;
use alterations::Alterations;
use client::Client;
use rustydb_testkit::random::Random;
use rustydb_testkit::rustydb::Home;
use rustydb_testkit::{Error, Result, RustyDb};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};
use tables::Tables;

const CLIENTS: u64 = 8;
/// Short enough that clients of a deadlock-prone load do not sit in lock waits.
const SETTINGS: [&str; 4] = ["--buffer-pool-size", "16M", "--socket", "off"];

pub(crate) fn run(mut options: Options) -> Result<()> {
    let rounds = options.number("--rounds", 50)?;
    let seed = options.number("--seed", fresh_seed())?;
    let server = options.server()?;
    options.finish()?;

    println!("crash: {rounds} rounds, seed {seed}");
    let home = Home::new(&server, &std::env::temp_dir(), &SETTINGS)?;
    let mut test = Test {
        clients: (0..CLIENTS).map(|id| Client::new(id, seed)).collect(),
        tables: Tables::new(seed),
        alterations: Alterations::new(seed),
        random: Random::new(seed),
    };
    match test.all_rounds(&home, rounds) {
        Ok(()) => {
            let (acknowledged, conflicts) = test.totals();
            println!(
                "crash: {rounds} rounds, {acknowledged} transactions, {} table changes and {} alterations under load \
                 acknowledged, none lost ({} undecided at a kill, {} of which had happened); {conflicts} conflicts; {} children of lost parents refused, none without \
                 its parent; views agree; sums conserved; every check clean (seed {seed})",
                test.tables.acknowledged,
                test.alterations.acknowledged,
                test.alterations.unanswered,
                test.alterations.survived,
                test.clients.iter().map(|client| client.orphans).sum::<u64>(),
            );
            Ok(())
        }
        Err(error) => {
            println!("crash: seed {seed}; data and log kept in {}", home.keep().display());
            Err(error)
        }
    }
}

struct Test {
    clients: Vec<Client>,
    tables: Tables,
    alterations: Alterations,
    random: Random,
}

impl Test {
    fn all_rounds(&mut self, home: &Home, rounds: u64) -> Result<()> {
        self.first_start(home)?;
        for round in 1..=rounds {
            self.round(home, round)?;
        }
        let server = RustyDb::start(home)?;
        self.verify(&server)?;
        stop(server)?;
        home.check()?;
        Ok(())
    }

    /// Makes the directory, killed in the middle of doing so a few times, then the tables.
    fn first_start(&mut self, home: &Home) -> Result<()> {
        self.killed_starts(home, 3)?;
        let server = RustyDb::start(home)?;
        schema::create(&mut server.address().connect()?)?;
        server.kill()
    }

    fn round(&mut self, home: &Home, round: u64) -> Result<()> {
        if self.random.once_in(3) {
            let times = 1 + self.random.below(3);
            self.killed_starts(home, times)?;
        }
        let begin = Instant::now();
        let server = RustyDb::start(home)?;
        let restart = begin.elapsed();
        self.verify(&server)?;
        stop(server)?;
        home.check()?;

        let (before, _) = self.totals();
        let server = RustyDb::start(home)?;
        let load = Duration::from_millis(20 + self.random.below(1_500));
        self.load(server, load)?;
        let (acknowledged, _) = self.totals();
        println!(
            "round {round:>3}: restart {:>4} ms, checked; then {} transactions in {} ms, killed with {} undecided",
            restart.as_millis(),
            acknowledged - before,
            load.as_millis(),
            self.clients.iter().filter(|client| client.ledger.is_undecided()).count(),
        );
        Ok(())
    }

    /// Starts and kills at once, so that recovery (or the making of a fresh directory) is cut short.
    fn killed_starts(&mut self, home: &Home, times: u64) -> Result<()> {
        for _ in 0..times {
            let server = RustyDb::launch(home)?;
            std::thread::sleep(Duration::from_micros(self.random.below(150_000)));
            server.kill()?;
        }
        Ok(())
    }

    /// Runs all clients until the server is killed under them.
    fn load(&mut self, server: RustyDb, load: Duration) -> Result<()> {
        let mut connections = Vec::new();
        for _ in 0..self.clients.len() + 2 {
            connections.push(server.address().connect_to("crash")?);
        }
        let (clients, tables, alterations) = (&mut self.clients, &mut self.tables, &mut self.alterations);
        let found = std::thread::scope(|scope| {
            let mut running = Vec::new();
            if let Some(mut connection) = connections.pop() {
                running.push(scope.spawn(move || tables.load(&mut connection)));
            }
            if let Some(mut connection) = connections.pop() {
                running.push(scope.spawn(move || alterations.load(&mut connection)));
            }
            for (client, mut connection) in clients.iter_mut().zip(connections) {
                running.push(scope.spawn(move || client.load(&mut connection)));
            }
            let begin = Instant::now();
            while begin.elapsed() < load && !running.iter().any(|thread| thread.is_finished()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            // A client that ended before the kill met a defect, or lost its connection without one.
            let early = running.iter().any(|thread| thread.is_finished());
            let error = early.then(|| server.error("let a client down under load"));
            let killed = server.kill();
            let ends: Vec<_> = running.into_iter().map(|thread| thread.join()).collect();
            (error, killed, ends)
        });
        let (early, killed, ends) = found;
        killed?;
        for end in ends {
            match end {
                Ok(Ok(())) => {}
                Ok(Err(why)) => return Err(Error::Broken(why)),
                Err(_) => return Err(Error::Broken("a client of the test panicked".into())),
            }
        }
        early.map_or(Ok(()), Err)
    }

    fn verify(&mut self, server: &RustyDb) -> Result<()> {
        let mut connection = server.address().connect()?;
        verify::verify(&mut connection, &mut self.clients)?;
        self.tables.settle(&mut connection)?.map_err(Error::Broken)?;
        self.alterations.settle(&mut connection)?.map_err(Error::Broken)
    }

    fn totals(&self) -> (u64, u64) {
        let sum = |of: fn(&Client) -> u64| self.clients.iter().map(of).sum();
        (sum(|client| client.acknowledged), sum(|client| client.conflicts))
    }
}

fn stop(server: RustyDb) -> Result<()> {
    let status = server.stop()?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::Broken(format!("SIGTERM ended the server with {status}, not 0"))),
    }
}

fn fresh_seed() -> u64 {
    // The standard library's hasher is keyed by the operating system's randomness.
    RandomState::new().build_hasher().finish()
}
