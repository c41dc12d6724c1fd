//! Serializable snapshot isolation: transactions that read from snapshots and yet behave as if they had run
//! one after the other (Cahill, Roehm and Fekete 2008; Ports and Grittner 2012).
//!
//! Each serializable transaction reads from its snapshot and changes only rows whose newest version it sees.
//! What is left to go wrong is that one reads what another changes beside it: *R* reads a version that *W*
//! replaces, written `R -> W`, so R comes before W in any order. In every execution that has no order there is
//! a *pivot* with such an edge in and one out,
//!
//! ```text
//!   T1 -> pivot -> T3      with T3 the first of the three to commit (T1 and T3 may be one)
//! ```
//! and one of them is refused before that stands: the pivot while it runs, else who acts. Some are refused that
//! would have done no harm; a client runs them again.
//!
//! All other reasons for an order (one read what the other wrote, wrote over it, or began after the other was
//! acknowledged) go from one that committed to one that began later, so they cannot close a circle by
//! themselves: what is promised is strict serializability, among serializable transactions. Transactions of other
//! levels leave no edges.
//!
//! A transaction that writes nothing can be T1 only, and only if T3 committed before its snapshot.
//!
//! | question | answered by |
//! |---|---|
//! | who has read what this one changes | [`reads`] |
//! | who has changed what this one reads | the chain of versions, while it is walked |
//! | which edges there are, and whom they forbid | the graph here |
//!
//! Invariants:
//! - A member is entered, with its snapshot, under the graph's mutex; commits are numbered under it too. So who
//!   commits after a snapshot was taken stays here as long as that snapshot's transaction runs.
//! - An edge is entered while one of its ends runs, by that end's thread; a rolled back member takes its edges along.
//! - `earliest_out` is the smallest commit number of those that the member has an edge to.
//!
//! Limits: what has committed is kept while something runs that began before it. Above [`MAX_KEPT`] entries the
//! oldest of those that run is refused, so memory is bounded whatever anybody forgets to end.
//!
//! Lock order: graph, then the order of commits and the log, or the snapshots; the reads are locked alone.

mod reads;

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;
use rustydb_storage::TreeId;
use smallvec::SmallVec;

use self::reads::{Entered, Reads};
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;

/// Read keys and ranges of committed transactions that are kept at most.
const MAX_KEPT: usize = 1 << 20;

/// No commit.
const NEVER: u64 = u64::MAX;

/// Transactions whose changes a reader did not see, as it met them.
pub(crate) type Unseen = SmallVec<[u64; 4]>;

/// One serializable transaction, as its own thread knows it.
#[derive(Debug)]
pub(crate) struct Member {
    transaction: u64,
    /// Set by whoever refuses it.
    doomed: Arc<AtomicBool>,
    entered: Entered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Committed(u64),
}

#[derive(Debug)]
struct Node {
    snapshot: u64,
    state: State,
    /// It writes nothing, or has committed without a write.
    reads_only: bool,
    doomed: Arc<AtomicBool>,
    /// Who read what this one has replaced.
    ins: SmallVec<[u64; 4]>,
    /// Who replaced what this one has read.
    outs: SmallVec<[u64; 4]>,
    earliest_out: u64,
    /// What it had read, once it has committed.
    entered: Entered,
}

impl Node {
    fn is_running(&self) -> bool {
        self.state == State::Running
    }

    fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Relaxed)
    }

    /// Whether this one as T1 and a pivot whose T3 committed as `third` can have no order.
    fn closes(&self, third: u64) -> bool {
        if self.is_doomed() && self.is_running() {
            return false;
        }
        match (self.reads_only, self.state) {
            (true, _) => third <= self.snapshot,
            (false, State::Running) => true,
            (false, State::Committed(csn)) => csn >= third,
        }
    }
}

#[derive(Debug, Default)]
struct Graph {
    nodes: HashMap<u64, Node>,
    /// Entries of committed members.
    kept: usize,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SerialCounters {
    /// Transactions refused because they could have had no place in an order, or a row was changed since.
    pub refused: u64,
    /// Serializable transactions that run, and those that are remembered.
    pub members: usize,
}

/// All serializable transactions of an engine.
#[derive(Debug, Default)]
pub(crate) struct Serial {
    graph: Mutex<Graph>,
    reads: Reads,
    refused: AtomicU64,
}

impl Serial {
    /// Enters a transaction with the snapshot that `take` takes.
    pub(crate) fn enter(
        &self,
        transaction: u64,
        reads_only: bool,
        take: impl FnOnce() -> Snapshot,
    ) -> (Member, Snapshot) {
        let doomed = Arc::new(AtomicBool::new(false));
        let mut graph = self.graph.lock();
        let snapshot = take();
        let node = Node {
            snapshot: snapshot.csn,
            state: State::Running,
            reads_only,
            doomed: doomed.clone(),
            ins: SmallVec::new(),
            outs: SmallVec::new(),
            earliest_out: NEVER,
            entered: Entered::default(),
        };
        graph.nodes.insert(transaction, node);
        (Member { transaction, doomed, entered: Entered::default() }, snapshot)
    }

    /// Notes that a key is read, whether it is there or not. To be said before it is looked at.
    pub(crate) fn reads_key(&self, member: &mut Member, tree: TreeId, key: &[u8]) {
        self.reads.enter_key(member.transaction, &mut member.entered, tree, key);
    }

    /// Notes that a range is read; under the latch of the leaf that shows it.
    pub(crate) fn reads_range(
        &self,
        member: &mut Member,
        tree: TreeId,
        low: Bound<&[u8]>,
        high: Bound<&[u8]>,
    ) {
        self.reads.enter_range(member.transaction, &mut member.entered, tree, low, high);
    }

    /// Notes that what the member has read was replaced by these transactions, some of them perhaps not members.
    ///
    /// # Errors
    /// [`Error::Serialization`] when the member has to give way.
    pub(crate) fn replaced_by(&self, member: &Member, writers: &[u64]) -> Result<()> {
        if writers.is_empty() {
            return Ok(());
        }
        let mut graph = self.graph.lock();
        for &writer in writers {
            graph.add_edge(member.transaction, writer);
        }
        drop(graph);
        self.check(member)
    }

    /// Notes that the member has changed a key. To be said after the change.
    ///
    /// # Errors
    /// [`Error::Serialization`] when the member has to give way.
    pub(crate) fn writes(&self, member: &Member, tree: TreeId, key: &[u8]) -> Result<()> {
        let readers = self.reads.readers_of(member.transaction, tree, key);
        if !readers.is_empty() {
            let mut graph = self.graph.lock();
            for reader in readers {
                graph.add_edge(reader, member.transaction);
            }
        }
        self.check(member)
    }

    /// Whether the member may go on.
    ///
    /// # Errors
    /// [`Error::Serialization`] when it was refused.
    pub(crate) fn check(&self, member: &Member) -> Result<()> {
        if member.doomed.load(Ordering::Acquire) { Err(Error::Serialization) } else { Ok(()) }
    }

    /// Commits a member: `number` numbers and logs the commit, under the graph's mutex, and gives its number;
    /// for one that wrote nothing, the last number given to anybody.
    ///
    /// # Errors
    /// [`Error::Serialization`], and then `number` was not called; its own.
    pub(crate) fn commit<R>(
        &self,
        member: Member,
        wrote: bool,
        visible: impl FnOnce() -> u64,
        number: impl FnOnce() -> Result<(u64, R)>,
    ) -> Result<R> {
        let mut graph = self.graph.lock();
        let done = match self.check(&member) {
            Ok(()) => {
                graph.refuse_pivots_of(member.transaction, wrote);
                number()
            }
            Err(refused) => Err(refused),
        };
        let left = match &done {
            Ok((csn, _)) => {
                graph.committed(member, *csn, wrote);
                graph.forget(visible())
            }
            Err(_) => {
                graph.remove(member.transaction);
                SmallVec::from_iter([(member.transaction, member.entered)])
            }
        };
        drop(graph);
        self.leave(&left);
        match done {
            Ok((_, result)) => Ok(result),
            Err(error) => {
                self.refused.fetch_add(u64::from(matches!(error, Error::Serialization)), Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Takes a member out that is rolled back.
    pub(crate) fn rolled_back(&self, member: Member, visible: impl FnOnce() -> u64) {
        if member.doomed.load(Ordering::Relaxed) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        let mut graph = self.graph.lock();
        graph.remove(member.transaction);
        let mut left = graph.forget(visible());
        drop(graph);
        left.push((member.transaction, member.entered));
        self.leave(&left);
    }

    fn leave(&self, left: &[(u64, Entered)]) {
        for (transaction, entered) in left {
            self.reads.leave(*transaction, entered);
        }
    }

    /// Counts a transaction that was refused because a row was changed since its snapshot.
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Figures of now.
    pub(crate) fn counters(&self) -> SerialCounters {
        SerialCounters {
            refused: self.refused.load(Ordering::Relaxed),
            members: self.graph.lock().nodes.len(),
        }
    }
}

impl Graph {
    /// Enters `reader -> writer`, and refuses whom it forbids.
    fn add_edge(&mut self, reader: u64, writer: u64) {
        if reader == writer {
            return;
        }
        let [Some(r), Some(w)] = self.nodes.get_disjoint_mut([&reader, &writer]) else { return };
        let are_concurrent = match (r.state, w.state) {
            (State::Committed(csn), _) => w.snapshot < csn,
            (_, State::Committed(csn)) => r.snapshot < csn,
            _ => true,
        };
        if !are_concurrent || r.outs.contains(&writer) {
            return;
        }
        r.outs.push(writer);
        w.ins.push(reader);
        if let State::Committed(csn) = w.state {
            r.earliest_out = r.earliest_out.min(csn);
        }
        // The reader as the pivot, its T3 committed.
        let (third, ins) = (r.earliest_out, r.ins.clone());
        if third != NEVER && ins.iter().any(|first| self.nodes.get(first).is_some_and(|n| n.closes(third))) {
            self.doom(reader);
        }
        // The writer as the pivot. It may have committed: then the reader gives way.
        let [Some(r), Some(w)] = [self.nodes.get(&reader), self.nodes.get(&writer)] else { return };
        if w.earliest_out != NEVER && r.closes(w.earliest_out) && !(w.is_running() && w.is_doomed()) {
            self.doom(if w.is_running() { writer } else { reader });
        }
    }

    /// Refuses a transaction that runs; one that has committed is out of reach.
    fn doom(&mut self, transaction: u64) {
        if let Some(node) = self.nodes.get(&transaction)
            && node.is_running()
        {
            node.doomed.store(true, Ordering::Release);
        }
    }

    /// Refuses the pivots that `third` makes into such by committing.
    fn refuse_pivots_of(&mut self, third: u64, wrote: bool) {
        if !wrote {
            return;
        }
        let Some(node) = self.nodes.get(&third) else { return };
        let pivots: SmallVec<[u64; 4]> = node
            .ins
            .iter()
            .copied()
            .filter(|pivot| {
                self.nodes.get(pivot).is_some_and(|pivot| {
                    let has_first = |first: &u64| {
                        *first == third
                            || self.nodes.get(first).is_some_and(|first| {
                                first.is_running() && !first.is_doomed() && !first.reads_only
                            })
                    };
                    pivot.is_running() && pivot.ins.iter().any(has_first)
                })
            })
            .collect();
        for pivot in pivots {
            self.doom(pivot);
        }
    }

    fn committed(&mut self, member: Member, csn: u64, wrote: bool) {
        let Some(node) = self.nodes.get_mut(&member.transaction) else { return };
        node.state = State::Committed(csn);
        node.reads_only |= !wrote;
        self.kept += member.entered.len() + 1;
        node.entered = member.entered;
        let ins = node.ins.clone();
        for reader in ins {
            if let Some(reader) = self.nodes.get_mut(&reader)
                && reader.is_running()
            {
                reader.earliest_out = reader.earliest_out.min(csn);
            }
        }
    }

    /// Forgets what committed before everything that runs, and whatever begins now, began.
    fn forget(&mut self, visible: u64) -> SmallVec<[(u64, Entered); 1]> {
        let running = self.nodes.values().filter(|node| node.is_running());
        let oldest = running.map(|node| node.snapshot).min().unwrap_or(NEVER).min(visible);
        let gone: SmallVec<[u64; 8]> = self
            .nodes
            .iter()
            .filter(|(_, node)| matches!(node.state, State::Committed(csn) if csn <= oldest))
            .map(|(&transaction, _)| transaction)
            .collect();
        let left =
            gone.iter().filter_map(|&transaction| Some((transaction, self.remove(transaction)?))).collect();
        if self.kept > MAX_KEPT {
            let running = self.nodes.iter().filter(|(_, node)| node.is_running() && !node.is_doomed());
            if let Some((&oldest, _)) = running.min_by_key(|(_, node)| node.snapshot) {
                self.doom(oldest);
            }
        }
        left
    }

    /// Takes a node and its edges out; gives what it had read, if it had committed.
    fn remove(&mut self, transaction: u64) -> Option<Entered> {
        let node = self.nodes.remove(&transaction)?;
        for reader in &node.ins {
            if let Some(reader) = self.nodes.get_mut(reader) {
                reader.outs.retain(|other| *other != transaction);
            }
        }
        for writer in &node.outs {
            if let Some(writer) = self.nodes.get_mut(writer) {
                writer.ins.retain(|other| *other != transaction);
            }
        }
        if node.is_running() {
            return None;
        }
        self.kept = self.kept.saturating_sub(node.entered.len() + 1);
        Some(node.entered)
    }
}

#[cfg(test)]
mod tests {
    use rustydb_storage::Lsn;

    use super::*;

    const T: TreeId = TreeId(1);

    struct World {
        serial: Serial,
        csn: u64,
    }

    impl World {
        fn begin(&self, transaction: u64, reads_only: bool) -> Member {
            let take = || Snapshot { csn: self.csn, settled_before: Lsn::ZERO };
            self.serial.enter(transaction, reads_only, take).0
        }

        fn commit(&mut self, member: Member, wrote: bool) -> Result<()> {
            let csn = self.csn + u64::from(wrote);
            self.serial.commit(member, wrote, || csn, || Ok((csn, ())))?;
            self.csn = csn;
            Ok(())
        }
    }

    fn world() -> World {
        World { serial: Serial::default(), csn: 10 }
    }

    /// `first` reads a, `pivot` writes a and reads b, `third` writes b; in the order of commits that is given.
    fn triangle(order: [usize; 3], first_reads_only: bool, first_is_late: bool) -> Vec<bool> {
        let mut world = world();
        let mut pivot = world.begin(2, false);
        let third = world.begin(3, false);
        world.serial.reads_key(&mut pivot, T, b"b");
        let mut members = [None, Some(pivot), Some(third)];
        let mut ends = vec![true; 3];
        let begin_first = |world: &World| {
            let mut first = world.begin(1, first_reads_only);
            world.serial.reads_key(&mut first, T, b"a");
            first
        };
        if !first_is_late {
            members[0] = Some(begin_first(&world));
        }
        let mut written = [false; 3];
        for at in order {
            for (writer, key) in [(1, b"a"), (2, b"b")] {
                // All has been written when the first of them ends.
                if !written[writer]
                    && let Some(member) = &members[writer]
                {
                    written[writer] = true;
                    let _ = world.serial.writes(member, T, key);
                }
            }
            if let Some(member) = members[at].take() {
                ends[at] = world.commit(member, at != 0 || !first_reads_only).is_ok();
            }
            if members[0].is_none() && first_is_late && at == 2 {
                let first = begin_first(&world);
                // It reads the version before the pivot's.
                let _ = world.serial.replaced_by(&first, &[2]);
                members[0] = Some(first);
            }
        }
        for member in members.into_iter().flatten() {
            world.serial.rolled_back(member, || 10);
        }
        ends
    }

    #[test]
    fn a_pivot_is_refused_if_the_third_commits_first() {
        assert_eq!(triangle([2, 1, 0], false, false), [true, false, true]);
        assert_eq!(triangle([2, 0, 1], false, false), [true, false, true]);
    }

    #[test]
    fn nobody_is_refused_if_another_commits_first() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0]] {
            assert_eq!(triangle(order, false, false), [true, true, true], "{order:?}");
        }
    }

    #[test]
    fn a_reader_counts_only_if_it_began_after_the_third_committed() {
        assert_eq!(triangle([2, 1, 0], true, false), [true, true, true]);
        assert_eq!(triangle([2, 1, 0], true, true), [true, false, true]);
    }

    #[test]
    fn what_is_not_needed_is_forgotten_and_leaves_nothing() {
        let mut world = world();
        let old = world.begin(1, false);
        for transaction in 2..50 {
            let mut member = world.begin(transaction, false);
            world.serial.reads_key(&mut member, T, &transaction.to_be_bytes());
            world.serial.reads_range(&mut member, T, Bound::Unbounded, Bound::Excluded(b"x"));
            world.serial.writes(&member, T, b"y").unwrap();
            world.commit(member, true).unwrap();
        }
        assert_eq!(world.serial.counters().members, 49);
        world.serial.rolled_back(old, || 100);
        assert_eq!(world.serial.counters().members, 0);
        assert!(world.serial.reads.is_empty());
        assert_eq!(world.serial.graph.lock().kept, 0);
    }

    #[test]
    fn who_keeps_too_much_alive_is_refused() {
        let mut world = world();
        let old = world.begin(1, false);
        let mut transaction = 1;
        while world.serial.check(&old).is_ok() {
            transaction += 1;
            let mut member = world.begin(transaction, false);
            for key in 0..10_000u32 {
                world.serial.reads_key(&mut member, T, &key.to_be_bytes());
            }
            world.commit(member, true).unwrap();
            assert!(transaction < 200);
        }
        world.serial.rolled_back(old, || 1000);
        assert_eq!(world.serial.counters().members, 0);
    }
}
