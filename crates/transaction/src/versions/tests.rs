//! The chains against a model that forgets nothing.

use proptest::prelude::*;

use super::*;

fn writer(transaction: u64) -> Writer {
    Writer::new(
        transaction,
        false,
        crate::locks::LockOwner::new(crate::locks::OwnerId(transaction)).lent().clone(),
    )
}

const TREE: TreeId = TreeId(9);
const KEYS: usize = 3;
const SLOTS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// A writer changes a key, if nobody else's change is unfinished there; no value deletes it.
    Write {
        slot: usize,
        key: usize,
        value: Option<u8>,
    },
    TakeBackOne {
        slot: usize,
    },
    Commit {
        slot: usize,
    },
    RollBack {
        slot: usize,
    },
    Publish,
    Snapshot,
    Release {
        at: usize,
    },
    /// Drops versions, by the view of now or an older one.
    Prune {
        key: usize,
        view: usize,
        visits: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..SLOTS, 0..KEYS, prop::option::weighted(0.8, any::<u8>()))
            .prop_map(|(slot, key, value)| Step::Write { slot, key, value }),
        1 => (0..SLOTS).prop_map(|slot| Step::TakeBackOne { slot }),
        4 => (0..SLOTS).prop_map(|slot| Step::Commit { slot }),
        1 => (0..SLOTS).prop_map(|slot| Step::RollBack { slot }),
        4 => Just(Step::Publish),
        2 => Just(Step::Snapshot),
        1 => any::<prop::sample::Index>().prop_map(|at| Step::Release { at: at.index(1 << 16) }),
        4 => (0..KEYS, 0usize..4, any::<bool>())
            .prop_map(|(key, view, visits)| Step::Prune { key, view, visits }),
    ]
}

type Stored = Option<Option<Vec<u8>>>;

fn state(stored: &Stored) -> State<'_> {
    match stored {
        None => State::Absent,
        Some(None) => State::Tombstone,
        Some(Some(value)) => State::Value(value),
    }
}

/// Everything that ever stood there, beside the chains under test.
#[derive(Default)]
struct Model {
    versions: Versions,
    leaves: [Stored; KEYS],
    /// What each commit has left at each key, oldest first.
    history: [Vec<(u64, Stored)>; KEYS],
    writers: [Option<(Arc<Writer>, Vec<usize>)>; SLOTS],
    next: u64,
    committed: u64,
    visible: u64,
    snapshots: Vec<u64>,
    views: Vec<View>,
}

impl Model {
    fn key(key: usize) -> Arc<[u8]> {
        vec![b'k'; key + 1].into()
    }

    fn view(&self) -> View {
        let mut in_use = self.snapshots.clone();
        in_use.sort_unstable();
        in_use.dedup();
        View::new(self.visible, &in_use)
    }

    fn take_back_one(&mut self, slot: usize) {
        let Some((_, changes)) = &mut self.writers[slot] else { return };
        let Some(key) = changes.pop() else { return };
        let before = self.versions.newest_before(TREE, &Self::key(key)).unwrap();
        self.leaves[key] = match before.state(&mut Vec::new()).unwrap() {
            State::Absent => None,
            State::Tombstone => Some(None),
            State::Value(value) => Some(Some(value.to_vec())),
        };
        self.versions.pop(TREE, &Self::key(key));
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Write { slot, key, value } => {
                let holder = self
                    .writers
                    .iter()
                    .position(|w| w.as_ref().is_some_and(|(_, changes)| changes.contains(&key)));
                if holder.is_some_and(|holder| holder != slot) {
                    return;
                }
                self.next += 1;
                let number = self.next;
                let (writer, changes) =
                    self.writers[slot].get_or_insert_with(|| (Arc::new(writer(number)), Vec::new()));
                let pushed = self.versions.push(TREE, &Self::key(key), writer, state(&self.leaves[key]));
                changes.push(key);
                self.leaves[key] = Some(value.map(|fill| vec![fill; usize::from(fill) / 16]));
                if pushed.is_long {
                    self.versions.prune(TREE, &Self::key(key), &self.view());
                }
            }
            Step::TakeBackOne { slot } => self.take_back_one(slot),
            Step::Commit { slot } => {
                let Some((writer, changes)) = self.writers[slot].take() else { return };
                self.committed += 1;
                writer.commit(self.committed, 0);
                for key in changes {
                    self.history[key].push((self.committed, self.leaves[key].clone()));
                }
            }
            Step::RollBack { slot } => {
                while self.writers[slot].as_ref().is_some_and(|(_, changes)| !changes.is_empty()) {
                    self.take_back_one(slot);
                }
                self.writers[slot] = None;
            }
            Step::Publish => self.visible = self.committed.min(self.visible + 1),
            Step::Snapshot => self.snapshots.push(self.visible),
            Step::Release { at } => {
                if !self.snapshots.is_empty() {
                    self.snapshots.swap_remove(at % self.snapshots.len());
                }
            }
            Step::Prune { key, view, visits } => {
                self.views.push(self.view());
                let view = self.views[self.views.len() - 1 - view.min(self.views.len() - 1)].clone();
                if visits {
                    self.forget_or_visit(key, &view);
                } else {
                    self.versions.prune(TREE, &Self::key(key), &view);
                }
            }
        }
    }

    /// What purge does at a key that was deleted.
    fn forget_or_visit(&mut self, key: usize, view: &View) {
        let is_tombstone = self.leaves[key] == Some(None);
        if self.versions.visit(TREE, &Self::key(key), view, None, true) == Visit::Dead
            && is_tombstone
            && self.versions.forget_dead(TREE, &Self::key(key), view).0
        {
            self.leaves[key] = None;
        }
    }

    fn read(&self, key: usize, csn: u64, reader: u64) -> Option<Vec<u8>> {
        let entry = self.leaves[key]
            .as_ref()
            .map(|leaf| Entry { value: leaf.as_deref().unwrap_or(&[]), is_tombstone: leaf.is_none() });
        self.versions.resolve(TREE, &Self::key(key), entry, csn, reader, |_| (), <[u8]>::to_vec).unwrap()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for key in 0..KEYS {
            // Those in use, and the one that would be taken now.
            for &csn in self.snapshots.iter().chain([&self.visible]) {
                let seen = self.history[key].iter().rev().find(|(by, _)| *by <= csn);
                let expected = seen.and_then(|(_, stored)| stored.clone().flatten());
                prop_assert_eq!(self.read(key, csn, 0), expected, "key {} at {}", key, csn);
                for (writer, changes) in self.writers.iter().flatten() {
                    if changes.contains(&key) {
                        let own = self.leaves[key].clone().flatten();
                        prop_assert_eq!(self.read(key, csn, writer.transaction), own);
                    }
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever is dropped, by views new and old, each snapshot sees what it has always seen, each writer
    /// its own, and rollbacks find what stood there.
    #[test]
    fn no_reader_notices_what_is_dropped(
        steps in prop::collection::vec(step(), 1..120),
        spills in any::<bool>(),
    ) {
        let mut model = Model::default();
        if spills {
            let spill = Spill::open(Arc::new(rustydb_storage::disk::SimulatedDisk::new(1))).unwrap();
            model.versions = Versions { least_spilled: 1, ..Versions::new(spill, 0) };
        }
        for step in steps {
            model.run(step);
            model.check()?;
        }
        // With everything ended and visible, a key has at most one version for each snapshot.
        for slot in 0..SLOTS {
            model.run(Step::RollBack { slot });
        }
        model.visible = model.committed;
        let view = model.view();
        for key in 0..KEYS {
            let before = model.history[key].len();
            model.forget_or_visit(key, &view);
            let shared = Model::key(key);
            let wanted = model.versions.place(TREE, &shared);
            let left = model.versions.shard(&wanted).lock().get(&wanted).map_or(0, |c| c.versions.len());
            let distinct: std::collections::BTreeSet<_> = model.snapshots.iter().collect();
            prop_assert!(left <= distinct.len().min(before), "{} of {}", left, before);
        }
        model.check()?;
        model.snapshots.clear();
        let view = model.view();
        for key in 0..KEYS {
            prop_assert_eq!(model.versions.visit(TREE, &Model::key(key), &view, None, false), Visit::Gone);
        }
        prop_assert_eq!((model.versions.keys(), model.versions.bytes(), model.versions.spilled_bytes()), (0, 0, 0));
    }
}

#[test]
fn a_key_waits_for_the_newest_snapshot_below_its_oldest_version() {
    let versions = Versions::default();
    let key: Arc<[u8]> = b"k".as_slice().into();
    for csn in [5, 8, 9, 12] {
        let writer = Arc::new(writer(csn));
        versions.push(TREE, &key, &writer, State::Value(b"old"));
        writer.commit(csn, csn);
    }
    let view = View::new(12, &[2, 4, 8]);
    assert_eq!(versions.visit(TREE, &key, &view, None, false), Visit::Waits(4));
    assert_eq!(versions.visit(TREE, &key, &view, None, false), Visit::WaitsAlready);
    let view = View::new(12, &[2, 8]);
    assert_eq!(versions.visit(TREE, &key, &view, Some(4), false), Visit::Waits(2));
    assert_eq!(versions.visit(TREE, &key, &view, Some(4), false), Visit::WaitsAlready);
    let view = View::new(12, &[8]);
    assert_eq!(versions.visit(TREE, &key, &view, Some(2), false), Visit::Waits(8));
    assert_eq!(versions.visit(TREE, &key, &View::new(12, &[]), Some(8), false), Visit::Gone);
}
