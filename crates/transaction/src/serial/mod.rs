//! Serializable snapshot isolation: transactions that read from snapshots and yet behave as if they had run
//! one after the other.
//!
//! Each serializable transaction reads from its snapshot and changes only rows whose newest version it sees.
//! What is left to go wrong is that one reads what another changes beside it: *R* reads a version that *W*
//! replaces, so R comes before W in any order, though it may commit after it (Cahill, Roehm and Fekete 2008). When
//! a transaction commits, it is refused if that would close a circle of such edges and of the order in time
//! (Revilak, O'Neil and O'Neil 2011; others refuse whoever might be part of one):
//!
//! ```text
//!   R -> W          R has read what W replaced
//!   A -> B          A committed before B's snapshot was taken
//!
//!   T commits: T -> W1 -> ... -> X -> T ?    W1 .. X have committed
//! ```
//! *Why that is enough.* In a circle one commits last. By then all edges between the others are known: each was
//! noticed by whichever of its ends acted later, and both have ended. What one transaction read of another, wrote
//! over, or began after the other was acknowledged, lies in the order in time. So no circle comes about: there is an
//! order of all, and in it everybody comes after all that was acknowledged before it began. That is strict
//! serializability, among serializable transactions. Transactions of other levels leave no edges.
//!
//! *Why it is cheap.* Edges out of T lead to those that committed after T's snapshot, and a way from there either
//! stays among them or reaches one that T's snapshot has, which closes the circle. So a commit looks at what has
//! committed during its own life, and an abort means that somebody else has got through.
//!
//! | question | answered by |
//! |---|---|
//! | who has read what this one changes | [`reads`] |
//! | who has changed what this one reads | the chain of versions, while it is walked |
//! | does the commit close a circle | the graph here |
//!
//! Invariants:
//! - A member is entered, with its snapshot, under the graph's mutex; commits are numbered under it too. So who
//!   commits after a snapshot was taken stays here as long as that snapshot's transaction runs.
//! - `earliest_out` is the smallest commit number of those that the member has an edge to, remembered or not.
//!
//! Limits: what has committed is kept while something runs that began before it. Above [`MAX_KEPT`] entries the
//! oldest of those that run is refused, so memory is bounded whatever anybody forgets to end.
//!
//! Lock order: graph, then the order of commits and the log, or the snapshots; the reads are locked alone.

mod reads;

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hashbrown::{HashMap, HashSet};
use rustydb_storage::TreeId;
use rustydb_storage::sync::{AtomicBool, Mutex, Ordering};
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
    /// Set when it keeps too much of others alive.
    is_refused: Arc<AtomicBool>,
    entered: Entered,
}

#[derive(Debug)]
struct Node {
    snapshot: u64,
    /// Its commit number, once it has committed.
    committed: Option<u64>,
    is_refused: Arc<AtomicBool>,
    /// Who read what this one has replaced.
    ins: SmallVec<[u64; 4]>,
    /// Who replaced what this one has read.
    outs: SmallVec<[u64; 4]>,
    earliest_out: u64,
    /// What it had read, once it has committed.
    entered: Entered,
}

#[derive(Debug, Default)]
struct Graph {
    nodes: HashMap<u64, Node>,
    /// Those that have committed: number and transaction.
    committed: BTreeSet<(u64, u64)>,
    /// Snapshots of those that run: commit number and transaction.
    running: BTreeSet<(u64, u64)>,
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
    pub(crate) fn enter(&self, transaction: u64, take: impl FnOnce() -> Snapshot) -> (Member, Snapshot) {
        let is_refused = Arc::new(AtomicBool::new(false));
        let mut graph = self.graph.lock();
        let snapshot = take();
        let node = Node {
            snapshot: snapshot.csn,
            committed: None,
            is_refused: is_refused.clone(),
            ins: SmallVec::new(),
            outs: SmallVec::new(),
            earliest_out: NEVER,
            entered: Entered::default(),
        };
        graph.nodes.insert(transaction, node);
        graph.running.insert((snapshot.csn, transaction));
        (Member { transaction, is_refused, entered: Entered::default() }, snapshot)
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
    pub(crate) fn replaced_by(&self, member: &Member, writers: &[u64]) {
        if writers.is_empty() {
            return;
        }
        let mut graph = self.graph.lock();
        for &writer in writers {
            graph.add_edge(member.transaction, writer);
        }
    }

    /// Notes that the member has changed a key. To be said after the change.
    pub(crate) fn writes(&self, member: &Member, tree: TreeId, key: &[u8]) {
        let readers = self.reads.readers_of(member.transaction, tree, key);
        if !readers.is_empty() {
            let mut graph = self.graph.lock();
            for reader in readers {
                graph.add_edge(reader, member.transaction);
            }
        }
    }

    /// Whether the member may go on.
    ///
    /// # Errors
    /// [`Error::Serialization`] when it was refused.
    pub(crate) fn check(&self, member: &Member) -> Result<()> {
        if member.is_refused.load(Ordering::Acquire) { Err(Error::Serialization) } else { Ok(()) }
    }

    /// Commits a member: `number` numbers and logs the commit, under the graph's mutex, and gives its number;
    /// for one that wrote nothing, the last number given to anybody.
    ///
    /// # Errors
    /// [`Error::Serialization`], and then `number` was not called; its own.
    pub(crate) fn commit<R>(
        &self,
        member: Member,
        visible: impl FnOnce() -> u64,
        number: impl FnOnce() -> Result<(u64, R)>,
    ) -> Result<R> {
        let mut graph = self.graph.lock();
        let done = match self.check(&member) {
            Ok(()) if graph.closes_circle(member.transaction) => Err(Error::Serialization),
            Ok(()) => number(),
            Err(refused) => Err(refused),
        };
        let mut left = Vec::new();
        match &done {
            Ok((csn, _)) => graph.commit(member, *csn),
            Err(_) => {
                graph.remove(member.transaction);
                left.push((member.transaction, member.entered));
            }
        }
        graph.forget(visible(), &mut left);
        drop(graph);
        self.leave(&left);
        match done {
            Ok((_, result)) => Ok(result),
            Err(error) => {
                if matches!(error, Error::Serialization) {
                    self.count_refused();
                }
                Err(error)
            }
        }
    }

    /// Takes a member out that is rolled back.
    pub(crate) fn rolled_back(&self, member: Member, visible: impl FnOnce() -> u64) {
        if member.is_refused.load(Ordering::Relaxed) {
            self.count_refused();
        }
        let mut left = Vec::new();
        let mut graph = self.graph.lock();
        graph.remove(member.transaction);
        graph.forget(visible(), &mut left);
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
    /// Enters `reader -> writer`, if both are members that ran beside each other.
    fn add_edge(&mut self, reader: u64, writer: u64) {
        if reader == writer {
            return;
        }
        let [Some(r), Some(w)] = self.nodes.get_disjoint_mut([&reader, &writer]) else { return };
        let are_apart = match (r.committed, w.committed) {
            (Some(csn), _) => w.snapshot >= csn,
            (None, Some(csn)) => r.snapshot >= csn,
            (None, None) => false,
        };
        if are_apart || r.outs.contains(&writer) {
            return;
        }
        r.outs.push(writer);
        w.ins.push(reader);
        if let Some(csn) = w.committed {
            r.earliest_out = r.earliest_out.min(csn);
        }
    }

    /// Whether there is a way from a member that is about to commit back to it, through those that have committed.
    fn closes_circle(&self, member: u64) -> bool {
        let Some(node) = self.nodes.get(&member) else { return false };
        if node.earliest_out == NEVER {
            return false;
        }
        let mut reached: HashSet<u64> = HashSet::new();
        let mut ahead: SmallVec<[u64; 16]> = SmallVec::from_slice(&node.outs);
        // Whoever began when this commit could be seen comes after it, and so after one that was reached.
        let mut earliest = NEVER;
        while let Some(transaction) = ahead.pop() {
            let Some(at) = self.nodes.get(&transaction) else { continue };
            let Some(csn) = at.committed else { continue };
            if !reached.insert(transaction) {
                continue;
            }
            // It, or one that comes after it, was there when the member began; or it has read what the member replaces.
            if csn.min(at.earliest_out) <= node.snapshot || at.outs.contains(&member) {
                return true;
            }
            ahead.extend(at.outs.iter().copied().filter(|next| !reached.contains(next)));
            if csn < earliest {
                // Those that began after `earliest` as it was are on the list already. One that wrote nothing has the
                // number of the commit before it.
                let later = self.committed.range((csn, 0)..).map(|(_, transaction)| *transaction);
                let came_after = |transaction: &u64| {
                    !reached.contains(transaction)
                        && self
                            .nodes
                            .get(transaction)
                            .is_some_and(|later| later.snapshot >= csn && later.snapshot < earliest)
                };
                ahead.extend(later.filter(came_after));
                earliest = csn;
            }
        }
        false
    }

    fn commit(&mut self, member: Member, csn: u64) {
        let Some(node) = self.nodes.get_mut(&member.transaction) else { return };
        self.running.remove(&(node.snapshot, member.transaction));
        self.committed.insert((csn, member.transaction));
        node.committed = Some(csn);
        self.kept += member.entered.len() + 1;
        node.entered = member.entered;
        let ins = node.ins.clone();
        for reader in ins {
            if let Some(reader) = self.nodes.get_mut(&reader) {
                reader.earliest_out = reader.earliest_out.min(csn);
            }
        }
    }

    /// Forgets what committed before everything that runs, and whatever begins now, began; what it had read goes
    /// to `left`.
    fn forget(&mut self, visible: u64, left: &mut Vec<(u64, Entered)>) {
        let oldest = self.running.first().map_or(NEVER, |(snapshot, _)| *snapshot).min(visible);
        while let Some(&(csn, transaction)) = self.committed.first() {
            if csn > oldest {
                break;
            }
            self.committed.pop_first();
            left.extend(self.remove(transaction).map(|entered| (transaction, entered)));
        }
        if self.kept > MAX_KEPT
            && let Some((_, oldest)) = self.running.first()
            && let Some(node) = self.nodes.get(oldest)
        {
            node.is_refused.store(true, Ordering::Release);
        }
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
        let Some(csn) = node.committed else {
            self.running.remove(&(node.snapshot, transaction));
            return None;
        };
        self.committed.remove(&(csn, transaction));
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
        fn begin(&self, transaction: u64) -> Member {
            let take = || Snapshot { csn: self.csn, settled_before: Lsn::ZERO };
            self.serial.enter(transaction, take).0
        }

        fn commit(&mut self, member: Member) -> Result<()> {
            let csn = self.csn + 1;
            self.serial.commit(member, || csn, || Ok((csn, ())))?;
            self.csn = csn;
            Ok(())
        }
    }

    fn world() -> World {
        World { serial: Serial::default(), csn: 10 }
    }

    /// The pivot (2) has read what the third (3) replaced and committed; it goes on to replace what a first one reads.
    fn pivot() -> (World, Member) {
        let mut world = world();
        let (mut pivot, third) = (world.begin(2), world.begin(3));
        world.serial.reads_key(&mut pivot, T, b"b");
        world.serial.writes(&third, T, b"b");
        world.commit(third).unwrap();
        (world, pivot)
    }

    /// Members each of which reads one key and then writes another; who commits, in this order.
    fn commits(deeds: &[(&[u8], &[u8])], order: &[usize]) -> Vec<bool> {
        let mut world = world();
        let mut members: Vec<_> = (1..=deeds.len() as u64).map(|n| Some(world.begin(n))).collect();
        for (member, (reads, _)) in members.iter_mut().zip(deeds) {
            world.serial.reads_key(member.as_mut().unwrap(), T, reads);
        }
        for (member, (_, writes)) in members.iter().zip(deeds) {
            world.serial.writes(member.as_ref().unwrap(), T, writes);
        }
        let ends = order.iter().map(|&at| world.commit(members[at].take().unwrap()).is_ok()).collect();
        // One that comes and goes takes along what is left.
        let last = world.begin(99);
        world.serial.rolled_back(last, || 100);
        assert_eq!(world.serial.counters().members, 0);
        assert!(world.serial.reads.is_empty());
        assert_eq!(world.serial.graph.lock().kept, 0);
        ends
    }

    #[test]
    fn the_last_of_a_circle_is_refused() {
        assert_eq!(commits(&[(b"a", b"b"), (b"b", b"a")], &[0, 1]), [true, false]);
        let three: [(&[u8], &[u8]); 3] = [(b"a", b"b"), (b"b", b"c"), (b"c", b"a")];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0]] {
            assert_eq!(commits(&three, &order), [true, true, false], "{order:?}");
        }
    }

    #[test]
    fn a_chain_is_no_circle() {
        let chain: [(&[u8], &[u8]); 3] = [(b"a", b"x"), (b"b", b"a"), (b"c", b"b")];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(commits(&chain, &order), [true, true, true], "{order:?}");
        }
    }

    #[test]
    fn a_circle_closes_through_the_order_in_time() {
        // A reader that sees the third does not see the pivot.
        let (mut world, pivot) = pivot();
        let mut first = world.begin(1);
        world.serial.writes(&pivot, T, b"a");
        world.serial.reads_key(&mut first, T, b"a");
        world.serial.replaced_by(&first, &[2]);
        world.commit(pivot).unwrap();
        assert!(world.commit(first).is_err());
        // Had it begun before the third committed, it would come first of all.
        let mut world = self::world();
        let (mut first, mut pivot, third) = (world.begin(1), world.begin(2), world.begin(3));
        world.serial.reads_key(&mut first, T, b"a");
        world.serial.reads_key(&mut pivot, T, b"b");
        world.serial.writes(&third, T, b"b");
        world.commit(third).unwrap();
        world.serial.writes(&pivot, T, b"a");
        world.commit(pivot).unwrap();
        world.commit(first).unwrap();
    }

    #[test]
    fn a_circle_closes_through_one_that_came_between() {
        // 1 -> 2, then 2 is seen by 3, and 3 -> 1: 3 began after 2 and read what 1 replaces.
        let mut world = world();
        let (mut one, two) = (world.begin(1), world.begin(2));
        world.serial.reads_key(&mut one, T, b"x");
        world.serial.writes(&two, T, b"x");
        world.commit(two).unwrap();
        let mut three = world.begin(3);
        world.serial.reads_key(&mut three, T, b"y");
        world.commit(three).unwrap();
        world.serial.writes(&one, T, b"y");
        assert!(world.commit(one).is_err());
    }

    #[test]
    fn what_was_forgotten_still_closes_a_circle() {
        let (mut world, pivot) = pivot();
        let mut first = world.begin(1);
        world.serial.writes(&pivot, T, b"a");
        world.commit(pivot).unwrap();
        assert!(world.serial.graph.lock().nodes.get(&3).is_none(), "nobody runs who began before it");
        world.serial.reads_key(&mut first, T, b"a");
        world.serial.replaced_by(&first, &[2]);
        assert!(world.commit(first).is_err());
    }

    #[test]
    fn what_is_not_needed_is_forgotten_and_leaves_nothing() {
        let mut world = world();
        let old = world.begin(1);
        for transaction in 2..50 {
            let mut member = world.begin(transaction);
            world.serial.reads_key(&mut member, T, &transaction.to_be_bytes());
            world.serial.reads_range(&mut member, T, Bound::Unbounded, Bound::Excluded(b"x"));
            world.serial.writes(&member, T, b"y");
            world.commit(member).unwrap();
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
        let old = world.begin(1);
        let mut transaction = 1;
        while world.serial.check(&old).is_ok() {
            transaction += 1;
            let mut member = world.begin(transaction);
            for key in 0..10_000u32 {
                world.serial.reads_key(&mut member, T, &key.to_be_bytes());
            }
            world.commit(member).unwrap();
            assert!(transaction < 200);
        }
        world.serial.rolled_back(old, || 1000);
        assert_eq!(world.serial.counters().members, 0);
    }
}
