//! Cycles in the order of transactions, by class and by level.
//!
//! The classes are Adya's; a wider one counts what a narrower one has found, too. Each is one question to a
//! graph that takes linear time:
//!
//! | class | edges of the cycle |
//! |---|---|
//! | G0 | `ww` only |
//! | G1c | `ww` and `wr`, one `wr` at least |
//! | G-single | one `rw` |
//! | G-nonadjacent | `rw`, but never two after each other |
//! | G2-item | `rw`, of reads by key |
//! | G2 | `rw` |
//! | strict | any of these and the times at which clients began and were answered |
//!
//! Snapshots have a question of their own ([`super::check::Class::StatementSkew`],
//! [`super::check::Class::ReadSkew`]): is there a moment for every snapshot and every commit, such that each
//! snapshot has all that was committed before it and nothing else? The graph's nodes are then these moments:
//!
//! ```text
//!   commit W -> snapshot   a version was read      snapshot -> commit W'   the next one was not
//!   commit   -> commit     one wrote over another  snapshot -> commit      of one transaction
//! ```
//! A read under locks is of the newest, so it is after the commit it saw and its own commit is before the next;
//! where it decides by the snapshot (SNAPSHOT, SERIALIZABLE) it is a read like the others.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::graph::Graph;
use super::versions::{ReadOf, Versions};
use super::{History, Object, Outcome};

/// Examples of each class that are kept.
const EXAMPLES: usize = 3;
/// Transactions looked at for the way back of one anti-dependency: longer cycles count in the wider classes only.
const LOOK: usize = 200;

/// What may be wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A value that nobody wrote
    Garbage,
    /// Reads that no order of versions allows, or two values of one version
    Contradiction,
    /// A transaction did not see what it wrote itself
    Internal,
    /// An acknowledged write is not there
    LostWrite,
    /// Dirty write
    G0,
    /// Read of what was rolled back
    G1a,
    /// Read of what its writer wrote over later
    G1b,
    /// Circular flow of information
    G1c,
    /// One statement saw parts of different moments
    StatementSkew,
    /// A transaction's plain reads saw different moments (not repeatable, phantoms)
    ReadSkew,
    /// A version was read, and written over after another had done so
    LostUpdate,
    /// Cycles with one anti-dependency
    GSingle,
    /// Cycles without two anti-dependencies next to each other
    GNonadjacent,
    /// Cycles with anti-dependencies by key (write skew)
    G2Item,
    /// Cycles with anti-dependencies
    G2,
    /// Cycles with anti-dependencies or real time
    Strict,
}

impl Class {
    /// All of them, the narrower first.
    pub const ALL: [Class; 16] = [
        Class::Garbage,
        Class::Contradiction,
        Class::Internal,
        Class::LostWrite,
        Class::G0,
        Class::G1a,
        Class::G1b,
        Class::G1c,
        Class::StatementSkew,
        Class::ReadSkew,
        Class::LostUpdate,
        Class::GSingle,
        Class::GNonadjacent,
        Class::G2Item,
        Class::G2,
        Class::Strict,
    ];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Garbage => "garbage",
            Class::Contradiction => "contradiction",
            Class::Internal => "own write unseen",
            Class::LostWrite => "lost write",
            Class::G0 => "G0",
            Class::G1a => "G1a",
            Class::G1b => "G1b",
            Class::G1c => "G1c",
            Class::StatementSkew => "statement skew",
            Class::ReadSkew => "read skew",
            Class::LostUpdate => "lost update",
            Class::GSingle => "G-single",
            Class::GNonadjacent => "G-nonadjacent",
            Class::G2Item => "G2-item",
            Class::G2 => "G2",
            Class::Strict => "strict",
        }
    }
}

/// What a level promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Each statement reads one moment
    ReadCommitted,
    /// All plain reads of a transaction are of one moment
    RepeatableRead,
    /// The same, and nothing is written over that came later
    Snapshot,
    /// As if one after the other, in the order in which clients saw them end
    Serializable,
}

impl Level {
    /// Whether a history at this level must be free of the class.
    #[must_use]
    pub fn forbids(self, class: Class) -> bool {
        match class {
            Class::ReadSkew => self != Level::ReadCommitted,
            Class::LostUpdate | Class::GSingle | Class::GNonadjacent => {
                matches!(self, Level::Snapshot | Level::Serializable)
            }
            Class::G2Item | Class::G2 | Class::Strict => self == Level::Serializable,
            _ => true,
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Its class
    pub class: Class,
    /// What it is, for a person
    pub what: String,
}

/// All that was found in a history.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    counts: BTreeMap<Class, u64>,
    examples: Vec<Anomaly>,
}

impl Findings {
    /// How often a class occurred: reads for those of single reads, transactions in cycles for the others.
    #[must_use]
    pub fn count(&self, class: Class) -> u64 {
        self.counts.get(&class).copied().unwrap_or(0)
    }

    /// Some of what was found of each class.
    #[must_use]
    pub fn examples(&self) -> &[Anomaly] {
        &self.examples
    }

    /// What was found and is forbidden at a level.
    #[must_use]
    pub fn forbidden(&self, level: Level) -> Vec<Class> {
        Class::ALL.into_iter().filter(|class| level.forbids(*class) && self.count(*class) > 0).collect()
    }

    /// Adds to a class's count, with what happened.
    pub(super) fn note(&mut self, class: Class, what: String) {
        self.note_many(class, 1, || what);
    }

    fn note_many(&mut self, class: Class, count: u64, what: impl FnOnce() -> String) {
        *self.counts.entry(class).or_default() += count;
        if self.examples.iter().filter(|example| example.class == class).count() < EXAMPLES {
            self.examples.push(Anomaly { class, what: what() });
        }
    }
}

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ww,
    Wr,
    Rw { predicate: bool },
    Time,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    kind: Kind,
    object: u32,
}

impl Edge {
    fn is_rw(self) -> bool {
        matches!(self.kind, Kind::Rw { .. })
    }
}

/// Looks for everything. The level tells how a read under locks is to be taken: as the newest, or by the snapshot.
#[must_use]
pub fn check(history: &History, level: Level) -> Findings {
    let mut findings = Findings::default();
    let versions = Versions::of(history, &mut findings);
    lost_updates(&versions, &mut findings);
    let by_snapshot = matches!(level, Level::Snapshot | Level::Serializable);
    moments(history, &versions, Class::StatementSkew, by_snapshot, &mut findings);
    moments(history, &versions, Class::ReadSkew, by_snapshot, &mut findings);

    let mut graph = dependencies(history.transactions.len(), &versions);
    let shown = |steps: &[(u32, Edge, u32)]| show(steps, &versions.objects);
    let is_ww = |edge: &Edge| edge.kind == Kind::Ww;
    let is_wr = |edge: &Edge| edge.kind == Kind::Wr;
    cycles(&graph, Class::G0, |_| true, is_ww, &mut findings, shown);
    cycles(&graph, Class::G1c, is_wr, |edge| !edge.is_rw(), &mut findings, shown);
    single(&graph, &mut findings, shown);
    nonadjacent(&graph, &mut findings, shown);
    let by_key = |edge: &Edge| edge.kind != (Kind::Rw { predicate: true });
    cycles(&graph, Class::G2Item, |edge| edge.is_rw(), by_key, &mut findings, shown);
    cycles(&graph, Class::G2, |edge| edge.is_rw(), |_| true, &mut findings, shown);
    let nodes: Vec<(u32, u32)> = (0..history.transactions.len() as u32).map(|node| (node, node)).collect();
    add_times(history, &versions, &mut graph, &nodes, Edge { kind: Kind::Time, object: 0 });
    cycles(&graph, Class::Strict, |_| true, |_| true, &mut findings, shown);
    findings
}

/// The direct serialization graph.
fn dependencies(count: usize, versions: &Versions) -> Graph<Edge> {
    let mut graph = Graph::new(count);
    for object in 0..versions.objects.len() as u32 {
        let mut before = None;
        for (_, writer) in versions.writers(object) {
            if let Some(before) = before.replace(writer) {
                graph.add(before, writer, Edge { kind: Kind::Ww, object });
            }
        }
    }
    for &ReadOf { reader, object, place, predicate, .. } in &versions.reads {
        if let Some(writer) = versions.writer(object, place) {
            graph.add(writer, reader, Edge { kind: Kind::Wr, object });
        }
        if let Some(writer) = versions.next_writer(object, place) {
            graph.add(reader, writer, Edge { kind: Kind::Rw { predicate }, object });
        }
    }
    graph
}

/// Adds that who was answered before another began came first, by a chain of moments: `nodes` gives for each
/// transaction the node that its begin leads to and the one that its end comes from.
fn add_times<L: Copy>(
    history: &History,
    versions: &Versions,
    graph: &mut Graph<L>,
    nodes: &[(u32, u32)],
    label: L,
) {
    let mut moments: Vec<(u64, bool, u32)> = Vec::new();
    for (index, transaction) in history.transactions.iter().enumerate() {
        if versions.counts[index] {
            moments.push((transaction.began, false, index as u32));
            if transaction.outcome == Outcome::Committed {
                moments.push((transaction.ended, true, index as u32));
            }
        }
    }
    // Of a begin and an end at one time, the begin is first: they may have overlapped.
    moments.sort_unstable();
    let mut last = None;
    for (_, is_end, index) in moments {
        let (begin, end) = nodes[index as usize];
        if is_end {
            let moment = graph.grow();
            graph.add(end, moment, label);
            if let Some(last) = last.replace(moment) {
                graph.add(last, moment, label);
            }
        } else if let Some(last) = last {
            graph.add(last, begin, label);
        }
    }
}

/// Components that `keep` leaves connected and that hold an edge which the class needs.
fn cycles(
    graph: &Graph<Edge>,
    class: Class,
    needs: impl Fn(&Edge) -> bool,
    keep: impl Fn(&Edge) -> bool,
    findings: &mut Findings,
    show: impl Fn(&[(u32, Edge, u32)]) -> String,
) {
    let (component, sizes) = graph.components(&keep);
    let mut seen = HashSet::new();
    for node in 0..graph.len() as u32 {
        let own = component[node as usize];
        if sizes[own as usize] < 2 {
            continue;
        }
        for &(to, edge) in graph.from(node) {
            if component[to as usize] != own || !keep(&edge) || !needs(&edge) || !seen.insert(own) {
                continue;
            }
            findings.note_many(class, u64::from(sizes[own as usize]), || {
                let inside = |from: u32, to: u32, edge: &Edge| {
                    keep(edge) && component[from as usize] == own && component[to as usize] == own
                };
                let mut steps = vec![(node, edge, to)];
                steps.extend(graph.path(to, node, usize::MAX, inside).unwrap_or_default());
                show(&steps)
            });
        }
    }
}

/// Cycles with exactly one anti-dependency: the way back of each is looked for.
fn single(graph: &Graph<Edge>, findings: &mut Findings, show: impl Fn(&[(u32, Edge, u32)]) -> String) {
    let (component, _) = graph.components(|_| true);
    for node in 0..graph.len() as u32 {
        let mut tried = HashSet::new();
        for &(to, edge) in graph.from(node) {
            if !edge.is_rw() || component[node as usize] != component[to as usize] || !tried.insert(to) {
                continue;
            }
            if let Some(back) = graph.path(to, node, LOOK, |_, _, edge| !edge.is_rw()) {
                findings.note_many(Class::GSingle, 1, || {
                    let mut steps = vec![(node, edge, to)];
                    steps.extend(back);
                    show(&steps)
                });
            }
        }
    }
}

/// Cycles in which no two anti-dependencies follow each other: each transaction stands twice, for how it was
/// come to, and none is left by an anti-dependency where it was come to by one.
fn nonadjacent(graph: &Graph<Edge>, findings: &mut Findings, show: impl Fn(&[(u32, Edge, u32)]) -> String) {
    let mut twofold = Graph::new(graph.len() * 2);
    for node in 0..graph.len() as u32 {
        for &(to, edge) in graph.from(node) {
            if edge.is_rw() {
                twofold.add(node * 2, to * 2 + 1, edge);
            } else {
                twofold.add(node * 2, to * 2, edge);
                twofold.add(node * 2 + 1, to * 2, edge);
            }
        }
    }
    let halved = |steps: &[(u32, Edge, u32)]| {
        let steps: Vec<_> = steps.iter().map(|(from, edge, to)| (from / 2, *edge, to / 2)).collect();
        show(&steps)
    };
    cycles(&twofold, Class::GNonadjacent, |edge| edge.is_rw(), |_| true, findings, halved);
}

/// Versions that were read, plainly, and written over by the reader after another had done so.
fn lost_updates(versions: &Versions, findings: &mut Findings) {
    let mut written: std::collections::HashMap<(u32, u32), u32> = std::collections::HashMap::new();
    for object in 0..versions.objects.len() as u32 {
        for (place, writer) in versions.writers(object) {
            written.entry((writer, object)).or_insert(place);
        }
    }
    let mut seen = HashSet::new();
    for read in &versions.reads {
        let Some(place) = written.get(&(read.reader, read.object)) else { continue };
        let Some(between) = versions.next_writer(read.object, read.place) else { continue };
        if *place > read.place && between != read.reader && seen.insert((read.reader, read.object)) {
            let object = versions.objects[read.object as usize];
            let what = format!("T{} read {object:?} and wrote it after T{between} had", read.reader);
            findings.note(Class::LostUpdate, what);
        }
    }
}

/// Whether there is a moment for every snapshot and commit; `class` says whether each statement or each
/// transaction has a snapshot, `by_snapshot` that reads under locks are of it, too.
fn moments(history: &History, versions: &Versions, class: Class, by_snapshot: bool, findings: &mut Findings) {
    let count = history.transactions.len();
    let mut graph: Graph<u32> = Graph::new(count);
    // The commits are the nodes below `count`; snapshots come behind.
    let mut nodes: Vec<(u32, u32)> = (0..count as u32).map(|node| (node, node)).collect();
    let mut of: std::collections::HashMap<(u32, u32), u32> = std::collections::HashMap::new();
    let mut plain: Vec<(u32, u32)> = versions
        .reads
        .iter()
        .filter(|read| by_snapshot || !read.locking)
        .map(|read| (read.reader, read.statement))
        .collect();
    plain.sort_unstable();
    plain.dedup();
    let mut owners: Vec<u32> = (0..count as u32).collect();
    let mut last: Option<(u32, u32)> = None;
    for (reader, statement) in plain {
        let node = match last {
            Some((before, node)) if before == reader && class == Class::ReadSkew => node,
            _ => {
                let node = graph.grow();
                owners.push(reader);
                match last {
                    Some((before, earlier)) if before == reader => graph.add(earlier, node, 0),
                    _ => nodes[reader as usize].0 = node,
                }
                graph.add(node, reader, 0);
                node
            }
        };
        of.insert((reader, statement), node);
        last = Some((reader, node));
    }
    for object in 0..versions.objects.len() as u32 {
        let mut before = None;
        for (_, writer) in versions.writers(object) {
            if let Some(before) = before.replace(writer) {
                graph.add(before, writer, object);
            }
        }
    }
    for read in &versions.reads {
        let moment = of.get(&(read.reader, read.statement)).copied().unwrap_or(read.reader);
        if let Some(writer) = versions.writer(read.object, read.place) {
            graph.add(writer, moment, read.object);
        }
        // Where gaps are not locked, what a locking read did not find may come at any time.
        let holds = by_snapshot || !read.locking || class == Class::ReadSkew;
        if let Some(writer) = versions.next_writer(read.object, read.place).filter(|_| holds) {
            graph.add(moment, writer, read.object);
        }
    }
    add_times(history, versions, &mut graph, &nodes, 0);
    let (component, sizes) = graph.components(|_| true);
    let mut seen = HashSet::new();
    for node in 0..owners.len() as u32 {
        let own = component[node as usize];
        if sizes[own as usize] < 2 || !seen.insert(own) {
            continue;
        }
        let members: HashSet<u32> =
            (0..owners.len()).filter(|node| component[*node] == own).map(|node| owners[node]).collect();
        findings.note_many(class, members.len() as u64, || {
            let steps = graph.path(node, node, usize::MAX, |from, to, _| {
                component[from as usize] == own && component[to as usize] == own
            });
            let name = |node: u32| match owners.get(node as usize) {
                Some(owner) if node < count as u32 => format!("commit of T{owner}"),
                Some(owner) => format!("snapshot of T{owner}"),
                None => "a moment".to_owned(),
            };
            let steps = steps.unwrap_or_default();
            let parts: Vec<String> = steps
                .iter()
                .map(|(from, object, _)| {
                    format!("{} -[{:?}]->", name(*from), versions.objects.get(*object as usize))
                })
                .collect();
            format!("{} (again)", parts.join(" "))
        });
    }
}

fn show(steps: &[(u32, Edge, u32)], objects: &[Object]) -> String {
    let mut text = String::new();
    for (from, edge, _) in steps {
        let kind = match edge.kind {
            Kind::Ww => "ww",
            Kind::Wr => "wr",
            Kind::Rw { predicate: false } => "rw",
            Kind::Rw { predicate: true } => "rw by predicate",
            Kind::Time => "time",
        };
        text.push_str(&match edge.kind {
            Kind::Time => format!("T{from} -{kind}-> "),
            _ => format!("T{from} -{kind} {:?}-> ", objects[edge.object as usize]),
        });
    }
    text + "(again)"
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class.name(), self.what)
    }
}
