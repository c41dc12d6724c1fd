//! One of the clients that load the server until it is killed under them.
//!
//! A client repeats transactions of one to five steps, ended by COMMIT, sometimes by ROLLBACK, or single
//! statements under autocommit: insert, update and delete of its own rows, transfers between accounts that
//! all clients share (so they wait for each other and deadlock), rows numbered by AUTO_INCREMENT, and parents
//! and children that refer to each other across clients ([`super::families`]).
//! Text and prepared statements are mixed. The schema and what each number means is in [`super::schema`].

use super::families::{self, End};
use super::ledger::{Change, Ledger, Table};
use super::schema::{ACCOUNTS, pad};
use crate::outcome::{Outcome, outcome};
use mysql::prelude::Queryable;
use mysql::{Conn, params};
use rustydb_testkit::random::Random;
use std::collections::BTreeSet;

/// A client and everything it has been told.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) ledger: Ledger,
    /// AUTO_INCREMENT values that were acknowledged
    pub(crate) numbers: BTreeSet<u64>,
    /// Transactions that were acknowledged, and those refused by a deadlock or a lock wait timeout
    pub(crate) acknowledged: u64,
    pub(crate) conflicts: u64,
    /// Children refused because their parent was gone
    pub(crate) orphans: u64,
    /// A parent that another client had when this one looked
    seen: Option<families::Seen>,
    random: Random,
}

impl Client {
    pub(crate) fn new(id: u64, seed: u64) -> Client {
        Client {
            id,
            ledger: Ledger::default(),
            numbers: BTreeSet::new(),
            acknowledged: 0,
            conflicts: 0,
            orphans: 0,
            seen: None,
            random: Random::new(seed ^ id.wrapping_mul(0x9e37_79b9)),
        }
    }

    /// Runs transactions until the connection breaks. An error is a defect of the server.
    pub(crate) fn load(&mut self, connection: &mut Conn) -> Result<(), String> {
        loop {
            let outcome = match self.random.below(12) {
                0 => self.number(connection),
                10 if self.random.once_in(4) => families::look(connection),
                10 | 11 => self.family(connection),
                1..=3 => self.single(connection),
                _ => self.transaction(connection),
            };
            match outcome {
                Outcome::Done => self.acknowledged += 1,
                Outcome::Conflict => self.conflicts += 1,
                Outcome::Lost => return Ok(()),
                Outcome::Defect(why) => return Err(format!("client {}: {why}", self.id)),
            }
        }
    }

    /// A row numbered by the server, under autocommit.
    fn number(&mut self, connection: &mut Conn) -> Outcome {
        let sql = format!("INSERT INTO numbers (client) VALUES ({})", self.id);
        let outcome = outcome(connection.query_drop(sql));
        let number = connection.last_insert_id();
        if matches!(outcome, Outcome::Done) && !self.numbers.insert(number) {
            return Outcome::Defect(format!("AUTO_INCREMENT gave {number} twice"));
        }
        outcome
    }

    /// One statement under autocommit.
    fn single(&mut self, connection: &mut Conn) -> Outcome {
        let (mut change, step) = (Change::default(), self.item_step(&Change::default()));
        step.record(&mut change);
        self.ledger.sent(change);
        let outcome = step.run(self.id, connection);
        self.told(&outcome);
        outcome
    }

    /// One step of a family under autocommit.
    fn family(&mut self, connection: &mut Conn) -> Outcome {
        let mut change = Change::default();
        let step = match self.family_step(&change, connection) {
            Ok(step) => step,
            Err(outcome) => return outcome,
        };
        step.record(&mut change);
        self.ledger.sent(change);
        match step.run(self.id, connection) {
            End::NoParent => {
                self.orphans += 1;
                self.ledger.refused();
                Outcome::Conflict
            }
            End::Outcome(outcome) => {
                self.told(&outcome);
                outcome
            }
        }
    }

    /// One step of a family within a transaction, which goes on where a child had no parent.
    fn family_in(&mut self, change: &mut Change, connection: &mut Conn) -> Outcome {
        let step = match self.family_step(change, connection) {
            Ok(step) => step,
            Err(outcome) => return outcome,
        };
        match step.run(self.id, connection) {
            End::NoParent => {
                self.orphans += 1;
                Outcome::Done
            }
            End::Outcome(outcome) => {
                step.record(change);
                outcome
            }
        }
    }

    /// Several statements and an end.
    fn transaction(&mut self, connection: &mut Conn) -> Outcome {
        let mut change = Change::default();
        let begin = if self.random.once_in(2) { "BEGIN" } else { "START TRANSACTION" };
        let mut last = outcome(connection.query_drop(begin));
        for _ in 0..=self.random.below(5) {
            let Outcome::Done = last else { break };
            let step = match self.random.below(12) {
                0..4 => self.transfer_step(),
                4..8 => self.item_step(&change),
                _ => {
                    last = self.family_in(&mut change, connection);
                    continue;
                }
            };
            step.record(&mut change);
            last = step.run(self.id, connection);
        }
        match last {
            // A lock wait timeout undoes the statement only, a deadlock the whole transaction: end both.
            Outcome::Conflict => match outcome(connection.query_drop("ROLLBACK")) {
                Outcome::Done => Outcome::Conflict,
                other => other,
            },
            Outcome::Done if self.random.once_in(6) => outcome(connection.query_drop("ROLLBACK")),
            Outcome::Done => {
                self.ledger.sent(change);
                let outcome = outcome(connection.query_drop("COMMIT"));
                self.told(&outcome);
                outcome
            }
            other => other,
        }
    }

    fn told(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Done => self.ledger.acknowledged(),
            Outcome::Conflict => self.ledger.refused(),
            // Lost: it stays undecided until the server is back.
            Outcome::Lost | Outcome::Defect(_) => {}
        }
    }

    fn item_step(&mut self, change: &Change) -> Step {
        let live = self.ledger.live(Table::Items, change);
        // Mostly small rows; some need overflow pages.
        let content = match self.random.once_in(40) {
            true => 1_000_000 + self.random.below(60_000),
            false => self.random.below(1_500),
        };
        match (self.random.below(4), self.random.pick(&live)) {
            (1 | 2, Some(seq)) => Step::Update { seq: *seq, content },
            (3, Some(seq)) if live.len() > 20 => Step::Delete { seq: *seq },
            _ => Step::Insert { seq: self.ledger.fresh(), content },
        }
    }

    fn family_step(&mut self, change: &Change, connection: &mut Conn) -> Result<families::Step, Outcome> {
        families::choose(self.id, &mut self.ledger, change, &mut self.random, &mut self.seen, connection)
    }

    fn transfer_step(&mut self) -> Step {
        let from = self.random.below(ACCOUNTS);
        let to = (from + 1 + self.random.below(ACCOUNTS - 1)) % ACCOUNTS;
        Step::Transfer { seq: self.ledger.fresh(), from, to, amount: 1 + self.random.below(50) }
    }
}

/// One step of a transaction.
#[derive(Debug, Clone, Copy)]
enum Step {
    Insert { seq: u64, content: u64 },
    Update { seq: u64, content: u64 },
    Delete { seq: u64 },
    Transfer { seq: u64, from: u64, to: u64, amount: u64 },
}

impl Step {
    fn record(self, change: &mut Change) {
        match self {
            Step::Insert { seq, content } | Step::Update { seq, content } => {
                change.put((Table::Items, seq), content);
            }
            Step::Delete { seq } => change.remove((Table::Items, seq)),
            Step::Transfer { seq, from, to, amount } => {
                change.put((Table::Transfers, seq), super::schema::transfer(from, to, amount));
            }
        }
    }

    fn run(self, client: u64, connection: &mut Conn) -> Outcome {
        let result = match self {
            Step::Insert { seq, content } => connection.exec_drop(
                "INSERT INTO items (client, seq, content, pad) VALUES (:client, :seq, :content, :pad)",
                params! { client, seq, content, "pad" => pad(content) },
            ),
            Step::Update { seq, content } => connection.exec_drop(
                "UPDATE items SET content = :content, pad = :pad WHERE client = :client AND seq = :seq",
                params! { client, seq, content, "pad" => pad(content) },
            ),
            Step::Delete { seq } => {
                connection.query_drop(format!("DELETE FROM items WHERE client = {client} AND seq = {seq}"))
            }
            Step::Transfer { seq, from, to, amount } => {
                return transfer(client, connection, seq, from, to, amount);
            }
        };
        let outcome = outcome(result);
        match outcome {
            // The ledger says that the row is there, so exactly one has to be found. An UPDATE to the same
            // content changes none.
            Outcome::Done if connection.affected_rows() != 1 && !matches!(self, Step::Update { .. }) => {
                Outcome::Defect(format!("{self:?} changed {} rows", connection.affected_rows()))
            }
            other => other,
        }
    }
}

fn transfer(client: u64, connection: &mut Conn, seq: u64, from: u64, to: u64, amount: u64) -> Outcome {
    let statements = [
        format!("UPDATE accounts SET balance = balance - {amount} WHERE id = {from}"),
        format!("UPDATE accounts SET balance = balance + {amount} WHERE id = {to}"),
        format!("INSERT INTO transfers VALUES ({client}, {seq}, {from}, {to}, {amount})"),
    ];
    for sql in statements {
        match outcome(connection.query_drop(&sql)) {
            Outcome::Done if connection.affected_rows() == 1 => {}
            Outcome::Done => {
                return Outcome::Defect(format!("{} rows changed by {sql}", connection.affected_rows()));
            }
            other => return other,
        }
    }
    Outcome::Done
}
