//! The wait-for graph: who waits for whom, over row, range and metadata locks, and the search for cycles.
//!
//! An edge runs from an owner that waits to each owner that must let go first. A row lock's waiters share
//! their edges: they wait for its *resource*, and the resource lists its holders, so a queue of a thousand
//! costs one list. (A waiter further back waits for the holders too: whoever is ahead of it waits for them.)
//! Range and metadata waiters list their blockers themselves.
//!
//! Why the search is exact:
//! - Only a request that begins to wait can close a cycle, or a lock that is put into the table in the name of an owner
//!   that may be asleep ([`super::lent`]). Either searches, with its edge entered, under the graph's mutex: the last of a
//!   cycle to come sees all others.
//! - A wait is granted, abandoned or ended as a victim under this mutex, together with the removal of its
//!   node: a node in the graph is pending. So a cycle that is found has all its members asleep.
//! - Other edges into an owner change only by what that owner does, which it can not do asleep.
//!
//! The victim is the member of the cycle with the least weight (changed rows); among equals the one whose
//! request closed the cycle, then the youngest. It gets what MySQL calls a deadlock, the others go on.
//!
//! Lock order: shard -> graph -> waiter. Limits: one wait per owner; the search visits each waiting owner once.

use std::sync::{Arc, OnceLock};

use hashbrown::HashMap;
use rustydb_storage::sync::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::deadlock::{Deadlock, DeadlockMember};
use super::ids::OwnerId;
use super::waiter::{WaitState, Waiter, Woken, notify_all};

/// A row lock that has waiters: its shard and slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ResourceId(pub(super) u64);

pub(super) type Owners = SmallVec<[OwnerId; 4]>;

#[derive(Debug)]
enum BlockedBy {
    Resource(ResourceId),
    Owners(Owners),
}

#[derive(Debug)]
struct Node {
    waiter: Arc<Waiter>,
    blocked_by: BlockedBy,
}

/// Who is told of deadlocks.
pub(super) type DeadlockWatch = Box<dyn Fn(&Deadlock) + Send + Sync>;

#[derive(Default)]
pub(super) struct WaitGraph {
    inner: Mutex<Graph>,
    watch: OnceLock<DeadlockWatch>,
}

impl std::fmt::Debug for WaitGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitGraph").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: HashMap<OwnerId, Node>,
    holders: HashMap<ResourceId, Owners>,
}

impl WaitGraph {
    pub(super) fn lock(&self) -> MutexGuard<'_, Graph> {
        self.inner.lock()
    }

    /// Has deadlocks told to `watch`; false if somebody is told already.
    pub(super) fn set_watch(&self, watch: DeadlockWatch) -> bool {
        self.watch.set(watch).is_ok()
    }

    /// Tells of deadlocks, then wakes. To be called without any lock.
    pub(super) fn wake(&self, woken: Woken) {
        if let Some(watch) = self.watch.get() {
            woken.deadlocks.iter().for_each(watch);
        }
        notify_all(woken);
    }

    /// The row locks that have waiters.
    pub(super) fn resources(&self) -> Vec<ResourceId> {
        self.inner.lock().holders.keys().copied().collect()
    }

    /// Who waits for whom, and since when, for introspection.
    pub(super) fn waits(&self) -> Vec<(Arc<Waiter>, Owners)> {
        let graph = self.inner.lock();
        graph
            .nodes
            .values()
            .map(|node| {
                let owner = node.waiter.owner;
                let blockers = graph.blockers(node).iter().copied().filter(|b| *b != owner).collect();
                (Arc::clone(&node.waiter), blockers)
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let graph = self.inner.lock();
        graph.nodes.is_empty() && graph.holders.is_empty()
    }
}

impl Graph {
    /// Says who holds a resource that has waiters.
    pub(super) fn set_holders(&mut self, resource: ResourceId, holders: impl Iterator<Item = OwnerId>) {
        let list = self.holders.entry(resource).or_default();
        list.clear();
        list.extend(holders);
    }

    /// Forgets a resource that has no waiters any more.
    pub(super) fn forget(&mut self, resource: ResourceId) {
        self.holders.remove(&resource);
    }

    /// Enters a wait for a resource whose holders have been said. Returns false if the waiter is the victim
    /// of a deadlock that it closed, and then does not wait; other victims are put into `woken`.
    #[must_use]
    pub(super) fn wait_for_resource(
        &mut self,
        waiter: &Arc<Waiter>,
        resource: ResourceId,
        woken: &mut Woken,
    ) -> bool {
        self.enter(waiter, BlockedBy::Resource(resource), woken)
    }

    /// Enters a wait for these owners; otherwise as [`Graph::wait_for_resource`].
    #[must_use]
    pub(super) fn wait_for_owners(
        &mut self,
        waiter: &Arc<Waiter>,
        owners: Owners,
        woken: &mut Woken,
    ) -> bool {
        self.enter(waiter, BlockedBy::Owners(owners), woken)
    }

    /// Changes whom a waiter waits for. Only owners that are awake may be added.
    pub(super) fn update_owners(&mut self, waiter: OwnerId, update: impl FnOnce(&mut Owners)) {
        if let Some(Node { blocked_by: BlockedBy::Owners(owners), .. }) = self.nodes.get_mut(&waiter) {
            update(owners);
        }
    }

    /// Ends a wait as granted or abandoned. False if it had been settled before.
    pub(super) fn settle(&mut self, waiter: &Arc<Waiter>, state: WaitState) -> bool {
        if !waiter.settle(state) {
            return false;
        }
        self.nodes.remove(&waiter.owner);
        true
    }

    fn enter(&mut self, waiter: &Arc<Waiter>, blocked_by: BlockedBy, woken: &mut Woken) -> bool {
        self.nodes.insert(waiter.owner, Node { waiter: Arc::clone(waiter), blocked_by });
        self.break_cycles(waiter.owner, woken).is_none()
    }

    /// Ends the cycles that a holder closes who may be waiting elsewhere; the victims are put into `woken`.
    pub(super) fn break_cycles_of_holder(&mut self, holder: OwnerId, woken: &mut Woken) {
        if let Some(itself) = self.break_cycles(holder, woken) {
            woken.push(itself);
        }
    }

    /// Ends all cycles through an owner; gives its own wait if that was the victim of one.
    fn break_cycles(&mut self, start: OwnerId, woken: &mut Woken) -> Option<Arc<Waiter>> {
        while let Some(cycle) = self.cycle_through(start) {
            let victim = cycle
                .iter()
                .filter_map(|owner| self.nodes.get(owner))
                .map(|node| &node.waiter)
                .min_by_key(|w| (w.weight, w.owner != start, std::cmp::Reverse(w.owner)));
            let victim = victim.cloned()?;
            woken.deadlocks.push(self.describe(&cycle, victim.owner));
            self.settle(&victim, WaitState::Deadlock);
            if victim.owner == start {
                return Some(victim);
            }
            woken.push(victim);
        }
        None
    }

    /// A cycle from its last member to its first, as [`Deadlock`] lists it.
    fn describe(&self, cycle: &[OwnerId], victim: OwnerId) -> Deadlock {
        let mut members: Vec<DeadlockMember> = cycle
            .iter()
            .rev()
            .filter_map(|owner| self.nodes.get(owner))
            .map(|Node { waiter, .. }| DeadlockMember {
                owner: waiter.owner,
                wanted: waiter.wanted.clone(),
                since: waiter.since,
            })
            .collect();
        if !members.is_empty() {
            members.rotate_left(1);
        }
        let victim = members.iter().position(|member| member.owner == victim).unwrap_or(0);
        Deadlock { members, victim }
    }

    fn blockers<'a>(&'a self, node: &'a Node) -> &'a [OwnerId] {
        match &node.blocked_by {
            BlockedBy::Owners(owners) => owners,
            BlockedBy::Resource(resource) => {
                self.holders.get(resource).map_or(&[], |owners| owners.as_slice())
            }
        }
    }

    /// The members of the shortest cycle through `start`, if there is one.
    fn cycle_through(&self, start: OwnerId) -> Option<SmallVec<[OwnerId; 8]>> {
        // Breadth first: every entry is a waiting owner and the entry it was reached from.
        let mut reached: SmallVec<[(OwnerId, usize); 16]> = SmallVec::new();
        let mut seen: HashMap<OwnerId, ()> = HashMap::new();
        // Who came to a resource first: it has followed all edges but the one to itself.
        let mut resources: HashMap<ResourceId, OwnerId> = HashMap::new();
        reached.push((start, 0));
        let mut at = 0;
        while let Some(&(owner, _)) = reached.get(at) {
            if let Some(node) = self.nodes.get(&owner) {
                let mut only = None;
                if let BlockedBy::Resource(resource) = node.blocked_by {
                    only = resources.get(&resource).copied();
                    resources.entry(resource).or_insert(owner);
                }
                for &blocker in self.blockers(node) {
                    if blocker == owner || only.is_some_and(|only| only != blocker) {
                        continue;
                    }
                    if blocker == start {
                        return Some(path(&reached, at));
                    }
                    if self.nodes.contains_key(&blocker) && seen.insert(blocker, ()).is_none() {
                        reached.push((blocker, at));
                    }
                }
            }
            at += 1;
        }
        None
    }
}

fn path(reached: &[(OwnerId, usize)], last: usize) -> SmallVec<[OwnerId; 8]> {
    let mut members = SmallVec::new();
    let mut at = last;
    while let Some(&(owner, from)) = reached.get(at) {
        members.push(owner);
        if at == 0 {
            break;
        }
        at = from;
    }
    members
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::super::deadlock::Wanted;
    use super::super::ids::TreeId;
    use super::*;

    fn owners(ids: &[u64]) -> Owners {
        ids.iter().copied().map(OwnerId).collect()
    }

    fn wanted() -> Wanted {
        Wanted::Insert { tree: TreeId(1), key: b"k".as_slice().into() }
    }

    /// Enters `owner` (weight) waiting for `blockers`; returns (may wait, other victims).
    fn enter(graph: &mut Graph, owner: u64, weight: u64, blockers: &[u64]) -> (bool, Vec<u64>) {
        let mut woken = Woken::new();
        let waiter = Waiter::new(OwnerId(owner), weight, wanted());
        let waits = graph.wait_for_owners(&waiter, owners(blockers), &mut woken);
        (waits, woken.waiters.iter().map(|w| w.owner.0).collect())
    }

    #[test]
    fn the_cheapest_member_is_the_victim_and_the_closer_among_equals() {
        for (weights, victim) in [([5, 5, 5], 3), ([1, 5, 5], 1), ([5, 0, 1], 2), ([0, 0, 9], 2)] {
            let mut graph = Graph::default();
            assert_eq!(enter(&mut graph, 1, weights[0], &[2]), (true, vec![]));
            assert_eq!(enter(&mut graph, 2, weights[1], &[3]), (true, vec![]));
            let (waits, others) = enter(&mut graph, 3, weights[2], &[1]);
            assert_eq!((waits, others), if victim == 3 { (false, vec![]) } else { (true, vec![victim]) });
            assert_eq!(graph.nodes.len(), 2);
        }
    }

    #[test]
    fn a_deadlock_lists_its_members_in_the_order_of_waiting() {
        let mut graph = Graph::default();
        assert_eq!(enter(&mut graph, 1, 9, &[7, 2]), (true, vec![]));
        assert_eq!(enter(&mut graph, 2, 1, &[3]), (true, vec![]));
        let mut woken = Woken::new();
        let closer = Waiter::new(OwnerId(3), 9, wanted());
        assert!(graph.wait_for_owners(&closer, owners(&[1]), &mut woken));
        let [deadlock] = woken.deadlocks.as_slice() else { panic!("{woken:?}") };
        let members: Vec<u64> = deadlock.members.iter().map(|member| member.owner.0).collect();
        assert_eq!((members, deadlock.victim), (vec![1, 2, 3], 1));
    }

    #[test]
    fn a_branching_wait_without_a_cycle_is_none_and_every_cycle_is_broken() {
        let mut graph = Graph::default();
        assert_eq!(enter(&mut graph, 1, 9, &[10, 11]), (true, vec![]));
        assert_eq!(enter(&mut graph, 2, 9, &[10, 1]), (true, vec![]));
        assert_eq!(enter(&mut graph, 3, 9, &[1, 2]), (true, vec![]));
        // 10 waits for 3: cycles 10-3-1, 10-3-2; and 3 is in both of them and the cheapest but for none.
        let (waits, others) = enter(&mut graph, 10, 20, &[3]);
        assert!(waits);
        assert!(!others.is_empty());
        assert!(graph.cycle_through(OwnerId(10)).is_none());
    }

    #[test]
    fn two_upgrades_of_one_resource_are_a_cycle_and_one_is_not() {
        let mut graph = Graph::default();
        let resource = ResourceId(1);
        graph.set_holders(resource, [OwnerId(1), OwnerId(2)].into_iter());
        let mut woken = Woken::new();
        let first = Waiter::new(OwnerId(1), 0, wanted());
        assert!(graph.wait_for_resource(&first, resource, &mut woken));
        let second = Waiter::new(OwnerId(2), 0, wanted());
        assert!(!graph.wait_for_resource(&second, resource, &mut woken));
        assert!(woken.waiters.is_empty());
        assert_eq!(second.state(), WaitState::Deadlock);
        assert!(graph.settle(&first, WaitState::Granted));
        graph.forget(resource);
        assert!(graph.nodes.is_empty() && graph.holders.is_empty());
    }

    #[test]
    fn a_cycle_through_the_second_visitor_of_a_resource_is_found() {
        // 1 holds r (as does 2) and waits for 3's; 3 waits for r; 2 waits for r too (an upgrade).
        let mut graph = Graph::default();
        let r = ResourceId(7);
        graph.set_holders(r, [OwnerId(1), OwnerId(2)].into_iter());
        let mut woken = Woken::new();
        assert!(graph.wait_for_resource(&Waiter::new(OwnerId(2), 1, wanted()), r, &mut woken));
        assert_eq!(enter(&mut graph, 1, 1, &[3]), (true, vec![]));
        assert!(!graph.wait_for_resource(&Waiter::new(OwnerId(3), 0, wanted()), r, &mut woken));
    }
}
