//! The versions of every object: in which order they came, who wrote them, who read them.
//!
//! What needs no graph is found on the way: reads of what was never written, was rolled back or was not its
//! writer's last word, reads that contradict each other or their own transaction, and writes that were
//! acknowledged and are gone.
//!
//! A transaction's reads of what it wrote itself are checked here and give no edge: they say nothing of
//! others that its writes do not say already, and what stood below them was read under the row's lock.

use std::collections::{BTreeMap, HashMap};

use super::check::{Class, Findings};
use super::{History, Object, Outcome, Seen, Statement};

/// One version of an object.
#[derive(Clone, Copy, Debug)]
struct Version {
    /// Who wrote it, if that is known and committed
    writer: Option<u32>,
}

/// A read of a version of one object, by a transaction that committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadOf {
    pub(super) reader: u32,
    /// Which of the transaction's statements
    pub(super) statement: u32,
    pub(super) object: u32,
    /// Place in the object's order; zero is before the first
    pub(super) place: u32,
    pub(super) locking: bool,
    pub(super) predicate: bool,
}

/// All versions and reads of a history.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// Transactions that count: committed, or seen by others
    pub(super) counts: Vec<bool>,
    pub(super) objects: Vec<Object>,
    chains: Vec<Vec<Version>>,
    pub(super) reads: Vec<ReadOf>,
}

/// Who wrote a value.
#[derive(Clone, Copy)]
struct Writing {
    transaction: u32,
    retracted: bool,
    /// Whether it is what its transaction wrote last into the object
    last: bool,
}

impl Versions {
    /// Who wrote the version at `place`; nobody for zero.
    pub(super) fn writer(&self, object: u32, place: u32) -> Option<u32> {
        let at = (place as usize).checked_sub(1)?;
        self.chains[object as usize].get(at)?.writer
    }

    /// Who wrote the next version behind `place`.
    pub(super) fn next_writer(&self, object: u32, place: u32) -> Option<u32> {
        self.chains[object as usize].iter().skip(place as usize).find_map(|version| version.writer)
    }

    /// The writers of an object's versions in order, those that are known, with their places.
    pub(super) fn writers(&self, object: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let chain = self.chains[object as usize].iter().enumerate();
        chain.filter_map(|(at, version)| Some((at as u32 + 1, version.writer?)))
    }

    /// Reads a history.
    pub(super) fn of(history: &History, findings: &mut Findings) -> Versions {
        let mut reading = Reading::new(history, findings);
        reading.note_observations();
        reading.note_unread();
        reading.order_versions();
        reading.place_reads();
        reading.look_for_lost();
        reading.versions
    }
}

/// What was observed of an object.
#[derive(Default)]
struct Observed {
    /// The longest list that was read
    list: Vec<u64>,
    /// A register's values by version
    register: BTreeMap<u64, u64>,
    /// When the last read by a committed transaction began
    last_read: Option<u64>,
}

struct Reading<'a> {
    history: &'a History,
    findings: &'a mut Findings,
    writings: HashMap<(Object, u64), Writing>,
    ids: HashMap<Object, u32>,
    observed: Vec<Observed>,
    /// By object: who has added how much that nobody read, if it is one transaction
    unread: Vec<Option<(u32, usize)>>,
    versions: Versions,
}

impl<'a> Reading<'a> {
    fn new(history: &'a History, findings: &'a mut Findings) -> Reading<'a> {
        let mut reading = Reading {
            history,
            findings,
            writings: HashMap::new(),
            ids: HashMap::new(),
            observed: Vec::new(),
            unread: Vec::new(),
            versions: Versions::default(),
        };
        for (index, transaction) in history.transactions.iter().enumerate() {
            let mut last: HashMap<Object, u64> = HashMap::new();
            for statement in &transaction.statements {
                if let Some((object, value)) = statement.written() {
                    reading.id(object);
                    let retracted = statement.is_retracted();
                    let writing = Writing { transaction: index as u32, retracted, last: false };
                    if reading.writings.insert((object, value), writing).is_some() {
                        let what = format!("{object:?}: the test wrote {value} twice");
                        reading.findings.note(Class::Contradiction, what);
                    }
                    if !retracted {
                        last.insert(object, value);
                    }
                }
            }
            for key in last {
                if let Some(writing) = reading.writings.get_mut(&key) {
                    writing.last = true;
                }
            }
        }
        reading.versions.counts = history
            .transactions
            .iter()
            .map(|transaction| transaction.outcome == Outcome::Committed)
            .collect();
        reading
    }

    fn id(&mut self, object: Object) -> u32 {
        let next = self.ids.len() as u32;
        *self.ids.entry(object).or_insert_with(|| {
            self.versions.objects.push(object);
            self.observed.push(Observed::default());
            next
        })
    }

    /// A list as others may see it, too: without what its reader put at the end and may have taken back.
    fn without_own_end<'s>(&self, reader: u32, object: Object, list: &'s [u64]) -> &'s [u64] {
        let mut end = list.len();
        while let Some(at) = end.checked_sub(1)
            && let Some(writing) = self.writings.get(&(object, list[at]))
            && writing.transaction == reader
            && (writing.retracted || self.history.transactions[reader as usize].outcome != Outcome::Committed)
        {
            end = at;
        }
        &list[..end]
    }

    /// Collects what was seen of each object, and which transactions of unknown outcome were seen at all.
    fn note_observations(&mut self) {
        let history = self.history;
        for (reader, transaction) in history.transactions.iter().enumerate() {
            let reader = reader as u32;
            for statement in &transaction.statements {
                match statement {
                    Statement::Read { seen, .. } => {
                        for (object, seen) in seen {
                            self.note_seen(reader, *object, seen);
                        }
                    }
                    Statement::Write { register, value, version: Some(version), retracted: false }
                        if transaction.outcome == Outcome::Committed =>
                    {
                        self.note_version(Object::Register(*register), *version, *value);
                    }
                    Statement::Write { .. } | Statement::Append { .. } => {}
                }
            }
        }
    }

    fn note_seen(&mut self, reader: u32, object: Object, seen: &Seen) {
        let id = self.id(object) as usize;
        let transaction = &self.history.transactions[reader as usize];
        if transaction.outcome == Outcome::Committed {
            let last = &mut self.observed[id].last_read;
            *last = (*last).max(Some(transaction.began));
        }
        match seen {
            Seen::List(list) => {
                let list = self.without_own_end(reader, object, list);
                for value in list {
                    self.was_seen(reader, object, *value);
                }
                if list.len() > self.observed[id].list.len() {
                    self.observed[id].list = list.to_vec();
                }
            }
            Seen::Register { version: 0, .. } => {}
            Seen::Register { value, version } => {
                let writing = self.writings.get(&(object, *value));
                let is_own = writing.is_some_and(|writing| writing.transaction == reader);
                if !is_own || (self.versions.counts[reader as usize] && !writing.is_some_and(|w| w.retracted))
                {
                    self.was_seen(reader, object, *value);
                    self.note_version(object, *version, *value);
                }
            }
        }
    }

    fn note_version(&mut self, object: Object, version: u64, value: u64) {
        let id = self.id(object) as usize;
        let there = *self.observed[id].register.entry(version).or_insert(value);
        if there != value {
            let what = format!("{object:?}: version {version} is {there} and {value}");
            self.findings.note(Class::Contradiction, what);
        }
    }

    /// Whoever's value is seen by another transaction has committed, if it is not known to have aborted.
    fn was_seen(&mut self, reader: u32, object: Object, value: u64) {
        if let Some(writing) = self.writings.get(&(object, value))
            && writing.transaction != reader
            && self.history.transactions[writing.transaction as usize].outcome == Outcome::Unknown
        {
            self.versions.counts[writing.transaction as usize] = true;
        }
    }

    /// Lists to which one transaction, and no other, has added what no read shows.
    fn note_unread(&mut self) {
        let mut unread: Vec<Vec<u32>> = vec![Vec::new(); self.observed.len()];
        for (index, transaction) in self.history.transactions.iter().enumerate() {
            for statement in transaction.statements.iter().filter(|statement| !statement.is_retracted()) {
                let Some((object @ Object::List(_), value)) = statement.written() else { continue };
                let Some(&id) = self.ids.get(&object) else { continue };
                if self.versions.counts[index] && !self.observed[id as usize].list.contains(&value) {
                    unread[id as usize].push(index as u32);
                }
            }
        }
        let of_one = unread.into_iter().map(|writers| {
            let first = *writers.first()?;
            writers.iter().all(|writer| *writer == first).then_some((first, writers.len()))
        });
        self.unread = of_one.collect();
    }

    fn order_versions(&mut self) {
        for id in 0..self.versions.objects.len() {
            let object = self.versions.objects[id];
            let values: Vec<u64> = match object {
                Object::List(_) => self.observed[id].list.clone(),
                Object::Register(_) => self.observed[id].register.values().copied().collect(),
            };
            let chain = values.iter().map(|value| {
                let writing = self.writings.get(&(object, *value));
                if writing.is_none() {
                    self.findings.note(Class::Garbage, format!("{object:?} has {value}, which nobody wrote"));
                }
                let real = writing.filter(|writing| {
                    !writing.retracted && self.versions.counts[writing.transaction as usize]
                });
                Version { writer: real.map(|writing| writing.transaction) }
            });
            let mut chain: Vec<Version> = chain.collect();
            // What one transaction added and nobody has read can only be at the end.
            if let Some((writer, count)) = self.unread[id] {
                chain.extend(std::iter::repeat_n(Version { writer: Some(writer) }, count));
            }
            self.versions.chains.push(chain);
        }
    }

    fn place_reads(&mut self) {
        let history = self.history;
        for (reader, transaction) in history.transactions.iter().enumerate() {
            let reader = reader as u32;
            let mut own: HashMap<Object, u64> = HashMap::new();
            for (number, statement) in transaction.statements.iter().enumerate() {
                if let Some((object, value)) = statement.written() {
                    if !statement.is_retracted() {
                        own.insert(object, value);
                    }
                    continue;
                }
                let Statement::Read { locking, predicate, seen } = statement else { continue };
                for (object, seen) in seen {
                    self.check_own(reader, *object, seen, own.get(object).copied());
                    let Some(place) = self.place(reader, *object, seen) else { continue };
                    if self.versions.counts[reader as usize] {
                        let (object, statement) = (self.id(*object), number as u32);
                        let (locking, predicate) = (*locking, *predicate);
                        let read = ReadOf { reader, statement, object, place, locking, predicate };
                        self.versions.reads.push(read);
                    }
                }
            }
        }
    }

    /// What a transaction wrote before, it has to see.
    fn check_own(&mut self, reader: u32, object: Object, seen: &Seen, own: Option<u64>) {
        let Some(own) = own else { return };
        let sees = match seen {
            Seen::List(list) => list.contains(&own),
            Seen::Register { value, .. } => {
                let writing = self.writings.get(&(object, *value));
                writing.is_some_and(|writing| writing.transaction == reader)
            }
        };
        if !sees {
            let what = format!("T{reader} wrote {own} into {object:?} and then read {seen:?}");
            self.findings.note(Class::Internal, what);
        }
    }

    /// Where a read stands in its object's order; none if it read its own or cannot be placed.
    fn place(&mut self, reader: u32, object: Object, seen: &Seen) -> Option<u32> {
        let id = self.id(object) as usize;
        match seen {
            Seen::List(whole) => {
                let list = self.without_own_end(reader, object, whole);
                let longest = &self.observed[id].list;
                if longest.get(..list.len()) != Some(list) {
                    let what = format!("{object:?}: T{reader} read {list:?}, others {longest:?}");
                    self.findings.note(Class::Contradiction, what);
                    return None;
                }
                for (at, value) in list.iter().enumerate() {
                    self.check_committed(reader, object, *value, at + 1 == list.len());
                }
                let last = list.last().and_then(|value| self.writings.get(&(object, *value)));
                let is_own = list.len() < whole.len() || last.is_some_and(|last| last.transaction == reader);
                (!is_own).then_some(list.len() as u32)
            }
            Seen::Register { version: 0, .. } => Some(0),
            Seen::Register { value, version } => {
                self.check_committed(reader, object, *value, true);
                let writing = self.writings.get(&(object, *value))?;
                if writing.transaction == reader {
                    return None;
                }
                let before = self.observed[id].register.range(..version).count();
                Some(before as u32 + 1)
            }
        }
    }

    fn check_committed(&mut self, reader: u32, object: Object, value: u64, is_end: bool) {
        let Some(writing) = self.writings.get(&(object, value)).copied() else { return };
        let writer = writing.transaction;
        if writer == reader {
            return;
        }
        if writing.retracted || self.history.transactions[writer as usize].outcome == Outcome::Aborted {
            let what = format!("T{reader} read {value} in {object:?}, which T{writer} took back");
            self.findings.note(Class::G1a, what);
        } else if is_end && !writing.last {
            let what =
                format!("T{reader} read {value} in {object:?}, which T{writer} wrote over or added to");
            self.findings.note(Class::G1b, what);
        }
    }

    /// Values that were acknowledged and that a read lacks which began later.
    fn look_for_lost(&mut self) {
        for (index, transaction) in self.history.transactions.iter().enumerate() {
            if transaction.outcome != Outcome::Committed {
                continue;
            }
            for statement in &transaction.statements {
                let Some((object, value)) = statement.written() else { continue };
                let Object::List(_) = object else { continue };
                let Some(&id) = self.ids.get(&object) else { continue };
                let observed = &self.observed[id as usize];
                let read_later = observed.last_read.is_some_and(|began| began > transaction.ended);
                if read_later && !statement.is_retracted() && !observed.list.contains(&value) {
                    let what = format!("{object:?} lacks {value}, which T{index} added and was acknowledged");
                    self.findings.note(Class::LostWrite, what);
                }
            }
        }
    }
}
