//! A small store with versions, for tests of the checker: transactions take turns in one thread, at a level.
//!
//! What is locked by another makes a transaction give up at once. Commits are numbered; a snapshot is a number.
//! With `Serial` transactions run one after the other.

use std::collections::HashMap;

use super::{History, Object, Outcome, Seen, Statement, Transaction};
use crate::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Serial,
    ReadCommitted,
    RepeatableRead,
    Snapshot,
}

/// A version: the commit that made it, and what it holds.
type Version = (u64, Vec<u64>);

struct Open {
    record: Transaction,
    snapshot: Option<u64>,
    written: HashMap<Object, Vec<u64>>,
    left: u64,
}

pub(super) struct Simulation {
    random: Random,
    mode: Mode,
    clock: u64,
    commits: u64,
    next_value: u64,
    objects: HashMap<Object, Vec<Version>>,
    locks: HashMap<Object, u32>,
}

const LISTS: u64 = 4;
const REGISTERS: u64 = 4;

/// Runs `count` transactions of up to four sessions.
pub(super) fn simulate(seed: u64, mode: Mode, count: usize) -> History {
    let mut simulation = Simulation {
        random: Random::new(seed),
        mode,
        clock: 0,
        commits: 0,
        next_value: 100,
        objects: HashMap::new(),
        locks: HashMap::new(),
    };
    let mut history = History::default();
    let sessions = if mode == Mode::Serial { 1 } else { 4 };
    let mut open: Vec<Open> = (0..sessions).map(|session| simulation.begin(session)).collect();
    while history.transactions.len() < count {
        let at = simulation.random.below(u64::from(sessions)) as usize;
        let ended = simulation.turn(&mut open[at], at as u32);
        if let Some(outcome) = ended {
            let fresh = simulation.begin(at as u32);
            let mut record = std::mem::replace(&mut open[at], fresh).record;
            record.outcome = outcome;
            record.ended = simulation.tick();
            history.transactions.push(record);
        }
    }
    for at in 0..open.len() {
        simulation.locks.retain(|_, holder| *holder != at as u32);
    }
    let last = simulation.last_reads();
    history.transactions.push(last);
    history
}

impl Simulation {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn begin(&mut self, session: u32) -> Open {
        let began = self.tick();
        Open {
            record: Transaction {
                session,
                began,
                ended: 0,
                outcome: Outcome::Aborted,
                statements: Vec::new(),
            },
            snapshot: None,
            written: HashMap::new(),
            left: 1 + self.random.below(5),
        }
    }

    fn object(&mut self) -> Object {
        match self.random.below(2) {
            0 => Object::List(self.random.below(LISTS)),
            _ => Object::Register(self.random.below(REGISTERS)),
        }
    }

    /// The newest version up to a commit.
    fn at(&self, object: Object, commit: u64) -> Vec<u64> {
        let versions = self.objects.get(&object).map_or(&[][..], Vec::as_slice);
        versions
            .iter()
            .rev()
            .find(|(made, _)| *made <= commit)
            .map_or_else(Vec::new, |(_, held)| held.clone())
    }

    fn seen(&self, object: Object, held: &[u64]) -> Seen {
        match object {
            Object::List(_) => Seen::List(held.to_vec()),
            // A register keeps its past here: its version is how much of it there is.
            Object::Register(_) => {
                Seen::Register { value: held.last().copied().unwrap_or(0), version: held.len() as u64 }
            }
        }
    }

    /// One statement or the end; gives the end.
    fn turn(&mut self, open: &mut Open, session: u32) -> Option<Outcome> {
        if open.left == 0 {
            return Some(self.end(open, session));
        }
        open.left -= 1;
        if self.random.below(2) == 0 {
            self.read(open);
            return None;
        }
        match self.write(open, session) {
            true => None,
            false => {
                self.locks.retain(|_, holder| *holder != session);
                Some(Outcome::Aborted)
            }
        }
    }

    fn read(&mut self, open: &mut Open) {
        let moment = match self.mode {
            Mode::ReadCommitted | Mode::Serial => self.commits,
            Mode::RepeatableRead | Mode::Snapshot => *open.snapshot.get_or_insert(self.commits),
        };
        let (count, predicate) = if self.random.once_in(3) { (3, true) } else { (1, false) };
        let mut seen: Vec<(Object, Seen)> = Vec::new();
        for _ in 0..count {
            let object = self.object();
            if seen.iter().all(|(there, _)| *there != object) {
                let held = open.written.get(&object).cloned().unwrap_or_else(|| self.at(object, moment));
                seen.push((object, self.seen(object, &held)));
            }
        }
        open.record.statements.push(Statement::Read { locking: false, predicate, seen });
    }

    /// False if it has to give up.
    fn write(&mut self, open: &mut Open, session: u32) -> bool {
        let object = self.object();
        if *self.locks.entry(object).or_insert(session) != session {
            return false;
        }
        let newest = self.at(object, u64::MAX);
        if self.mode == Mode::Snapshot {
            let snapshot = *open.snapshot.get_or_insert(self.commits);
            if self.at(object, snapshot) != newest {
                return false;
            }
        }
        self.next_value += 1;
        let value = self.next_value;
        let held = open.written.entry(object).or_insert(newest);
        held.push(value);
        let version = self.random.once_in(2).then_some(held.len() as u64);
        open.record.statements.push(match object {
            Object::List(list) => Statement::Append { list, value, retracted: false },
            Object::Register(register) => Statement::Write { register, value, version, retracted: false },
        });
        true
    }

    fn end(&mut self, open: &mut Open, session: u32) -> Outcome {
        self.locks.retain(|_, holder| *holder != session);
        if self.random.once_in(8) {
            return Outcome::Aborted;
        }
        let is_lost = self.random.once_in(20);
        if is_lost && self.random.once_in(2) {
            return Outcome::Unknown;
        }
        self.commits += 1;
        for (object, held) in open.written.drain() {
            self.objects.entry(object).or_default().push((self.commits, held));
        }
        if is_lost { Outcome::Unknown } else { Outcome::Committed }
    }

    /// A transaction that reads everything after all others.
    fn last_reads(&mut self) -> Transaction {
        let mut open = self.begin(99);
        let objects: Vec<Object> =
            (0..LISTS).map(Object::List).chain((0..REGISTERS).map(Object::Register)).collect();
        let seen = objects
            .into_iter()
            .map(|object| (object, self.seen(object, &self.at(object, u64::MAX))))
            .collect();
        open.record.statements.push(Statement::Read { locking: false, predicate: true, seen });
        open.record.outcome = Outcome::Committed;
        open.record.ended = self.tick();
        open.record
    }
}
