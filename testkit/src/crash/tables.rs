//! The client that creates and drops tables while the others change rows: DDL is atomic over a crash.

use crate::outcome::{Outcome, outcome};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::random::Random;
use std::collections::BTreeMap;

/// Tables that exist at the same time.
const MOST: usize = 6;

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create(u64),
    Insert(u64),
    Drop(u64),
}

/// The tables `step_N` and how many rows each holds.
#[derive(Debug)]
pub(crate) struct Tables {
    rows: BTreeMap<u64, u64>,
    undecided: Option<Step>,
    next: u64,
    random: Random,
    /// Statements that were acknowledged
    pub(crate) acknowledged: u64,
}

impl Tables {
    pub(crate) fn new(seed: u64) -> Tables {
        Tables {
            rows: BTreeMap::new(),
            undecided: None,
            next: 0,
            random: Random::new(!seed),
            acknowledged: 0,
        }
    }

    /// Runs statements until the connection breaks. An error is a defect of the server.
    pub(crate) fn load(&mut self, connection: &mut Conn) -> Result<(), String> {
        loop {
            let step = self.choose();
            let sql = match step {
                Step::Create(n) => {
                    format!(
                        "CREATE TABLE step_{n} (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT, UNIQUE KEY (v))"
                    )
                }
                Step::Insert(n) => {
                    format!("INSERT INTO step_{n} (v) VALUES ({})", self.rows.get(&n).unwrap_or(&0))
                }
                Step::Drop(n) => format!("DROP TABLE step_{n}"),
            };
            self.undecided = Some(step);
            match outcome(connection.query_drop(&sql)) {
                Outcome::Done => {
                    self.undecided = None;
                    self.apply(step);
                    self.acknowledged += 1;
                }
                Outcome::Conflict => self.undecided = None,
                Outcome::Lost => return Ok(()),
                Outcome::Defect(why) => return Err(format!("{sql}: {why}")),
            }
        }
    }

    fn choose(&mut self) -> Step {
        let known: Vec<_> = self.rows.keys().copied().collect();
        match (self.random.below(4), self.random.pick(&known)) {
            (0, Some(n)) if known.len() >= MOST => Step::Drop(*n),
            (1..=3, Some(n)) => Step::Insert(*n),
            _ if known.len() < MOST => {
                self.next += 1;
                Step::Create(self.next)
            }
            _ => Step::Insert(known.first().copied().unwrap_or(self.next)),
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Create(n) => drop(self.rows.insert(n, 0)),
            Step::Insert(n) => *self.rows.entry(n).or_default() += 1,
            Step::Drop(n) => drop(self.rows.remove(&n)),
        }
    }

    /// Compares with what the restarted server shows.
    pub(crate) fn settle(&mut self, connection: &mut Conn) -> rustydb_testkit::Result<Result<(), String>> {
        let mut shown = BTreeMap::new();
        for name in connection.query::<String, _>("SHOW TABLES FROM crash")? {
            let Some(n) = name.strip_prefix("step_").and_then(|n| n.parse().ok()) else { continue };
            let count: Option<u64> = connection.query_first(format!("SELECT COUNT(*) FROM crash.{name}"))?;
            let by_index: Vec<u64> = connection.query(format!("SELECT v FROM crash.{name} ORDER BY v"))?;
            let expected: Vec<u64> = (0..by_index.len() as u64).collect();
            if count != Some(by_index.len() as u64) || by_index != expected {
                return Ok(Err(format!("{name} holds {by_index:?} and counts {count:?}")));
            }
            shown.insert(n, by_index.len() as u64);
        }
        let before = self.rows.clone();
        if let Some(step) = self.undecided.take() {
            self.apply(step);
            if shown == self.rows {
                return Ok(Ok(()));
            }
            self.rows = before;
        }
        Ok(match shown == self.rows {
            true => Ok(()),
            false => Err(format!("tables and their rows are {shown:?}, not {:?}", self.rows)),
        })
    }
}
