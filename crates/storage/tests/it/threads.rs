//! Many threads on one store with hardly any memory: nothing is lost, nothing waits for ever.
//!
//! Each thread has keys of its own, but they lie between the others', so pages are shared: all split, merge,
//! evict and free each other's. A thread makes and drops trees, another takes checkpoints and makes
//! segments ready. At the end, or where the power went, every thread's keys are in a state they may be in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustydb_storage::btree::Entry;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Disk, Entropy, Fault, SimulatedDisk, SystemClock, SystemDisk};
use rustydb_storage::{Error, Expect, Options, Result, State, Store, TreeId};

use crate::model::{Model, contents};
use crate::random::{Random, horizon};

const THREADS: u64 = 8;

fn options(frames: usize) -> Options {
    Options {
        page_size: 4096,
        buffer_pool_bytes: frames * 4096,
        segment_bytes: 64 << 10,
        ..Options::default()
    }
}

/// What a thread has written: what is sure to be there, and the states since.
#[derive(Clone, Default)]
struct Written {
    flushed: Model,
    since: Vec<Model>,
    tombstones: Tombstones,
}

/// Where tombstones may stand: a delete may last that is taken out of its leaf by a later record that does not.
#[derive(Clone, Default)]
struct Tombstones {
    now: BTreeSet<Vec<u8>>,
    /// And where they would stand again after a crash.
    gone_since: BTreeSet<Vec<u8>>,
}

impl Tombstones {
    fn gone(&mut self, key: &[u8]) {
        self.gone_since.extend(self.now.take(key));
    }

    fn after_a_crash(mut self) -> Tombstones {
        self.now.append(&mut self.gone_since);
        self
    }
}

/// A key of one thread; neighbours are other threads'.
fn key(random: &mut Random, thread: u64) -> Vec<u8> {
    let number = random.below(150);
    let mut key = number.to_be_bytes()[6..].to_vec();
    if number.is_multiple_of(9) {
        key.resize(300 + (number as usize * 7) % 300, b'k');
    }
    key.push(thread as u8);
    key
}

fn work(store: &Store, id: TreeId, thread: u64, seed: u64, steps: u64, written: &mut Written) -> Result<()> {
    let mut random = Random(seed * THREADS + thread);
    let tree = store.tree(id)?;
    let mut model = written.flushed.clone();
    for _ in 0..steps {
        let key = key(&mut random, thread);
        match random.below(10) {
            0..5 => {
                let value = random.value();
                tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ())?;
                written.tombstones.gone(&key);
                model.insert(key, value);
            }
            5 => {
                tree.write(&key, State::Absent, Expect::Any, None, |_, _| ())?;
                written.tombstones.gone(&key);
                model.remove(&key);
            }
            6..9 => match tree.write(&key, State::Tombstone, Expect::Live, None, |_, _| ()) {
                Ok(_) => {
                    assert!(model.remove(&key).is_some());
                    written.since.push(model.clone());
                    // The power may go between these two.
                    written.tombstones.now.insert(key.clone());
                    assert!(tree.remove_tombstone(&key, || true)?);
                    written.tombstones.gone(&key);
                }
                Err(Error::Missing) => assert!(!model.contains_key(&key)),
                Err(other) => return Err(other),
            },
            _ => {
                let read = |entry: Option<Entry<'_>>| entry.map(|e| (e.is_tombstone, e.value.to_vec()));
                let found = tree.get(&key, |entry, _| read(entry))?;
                match model.get(&key) {
                    Some(value) => assert_eq!(found, Some((false, value.clone()))),
                    None if written.tombstones.now.contains(&key) => {
                        assert!(found.is_none_or(|found| found == (true, Vec::new())));
                    }
                    None => assert_eq!(found, None),
                }
            }
        }
        written.since.push(model.clone());
        if random.below(6) == 0 {
            store.log().flush(store.log().end())?;
            written.flushed = model.clone();
            written.since.clear();
            written.tombstones.gone_since.clear();
        }
    }
    Ok(())
}

fn trees_come_and_go(store: &Store, stop: &AtomicBool) -> Result<()> {
    let mut random = Random(7);
    while !stop.load(Ordering::Relaxed) {
        let id = store.create_tree()?;
        let tree = store.tree(id)?;
        for number in 0..random.below(60) {
            tree.write(&number.to_be_bytes(), State::Value(&random.value()), Expect::Any, None, |_, _| ())?;
        }
        store.drop_tree(id)?;
        assert!(matches!(store.tree(id), Err(Error::UnknownTree { .. })));
    }
    Ok(())
}

fn keep_house(store: &Store, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        store.log().prepare_next()?;
        store.checkpoint(horizon(store))?;
    }
    Ok(())
}

/// Runs all threads; gives what each has written, and the errors that ended any.
fn run(store: &Store, id: TreeId, seed: u64, steps: u64, before: Vec<Written>) -> (Vec<Written>, Vec<Error>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        let house = scope.spawn(move || keep_house(store, stop));
        let trees = scope.spawn(move || trees_come_and_go(store, stop));
        let workers: Vec<_> = before
            .into_iter()
            .enumerate()
            .map(|(thread, mut written)| {
                scope.spawn(move || {
                    let ended = work(store, id, thread as u64, seed, steps, &mut written);
                    (written, ended)
                })
            })
            .collect();
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        for worker in workers {
            let (written, ended) = worker.join().unwrap();
            all.push(written);
            errors.extend(ended.err());
        }
        stop.store(true, Ordering::Relaxed);
        errors.extend(house.join().unwrap().err());
        errors.extend(trees.join().unwrap().err());
        (all, errors)
    })
}

fn assert_sound(store: &Store) {
    assert_eq!(check(store).unwrap().problems, Vec::<String>::new());
}

/// Compares what is there with what each thread wrote; gives it by thread, as what the next ones begin with.
fn compare(store: &Store, id: TreeId, written: Vec<Written>) -> Vec<Written> {
    let mut found: Vec<Model> = vec![BTreeMap::new(); written.len()];
    for (key, value) in contents(&store.tree(id).unwrap()) {
        let thread = usize::from(*key.last().unwrap());
        found[thread].insert(key, value);
    }
    let threads = found.into_iter().zip(written).enumerate();
    threads
        .map(|(thread, (found, written))| {
            let is_expected = found == written.flushed || written.since.contains(&found);
            assert!(is_expected, "thread {thread}: its keys are in none of the states they may be in");
            let tombstones = written.tombstones.after_a_crash();
            Written { flushed: found, since: Vec::new(), tombstones }
        })
        .collect()
}

fn settle(store: &Store, written: &mut [Written]) {
    store.log().flush(store.log().end()).unwrap();
    for written in written {
        if let Some(last) = written.since.pop() {
            (written.flushed, written.since) = (last, Vec::new());
        }
    }
}

fn works_together(disk: &Arc<dyn Disk>, entropy: &dyn Entropy, frames: usize, seed: u64, steps: u64) {
    let id = {
        let (store, _) = Store::open(disk.clone(), entropy, options(frames)).unwrap();
        let id = store.create_tree().unwrap();
        let (mut written, errors) = run(&store, id, seed, steps, vec![Written::default(); THREADS as usize]);
        assert!(errors.is_empty(), "seed {seed}: {}", errors[0]);
        settle(&store, &mut written);
        compare(&store, id, written);
        assert_sound(&store);
        id
    };
    let (store, _) = Store::open(disk.clone(), entropy, options(frames)).unwrap();
    assert!(!contents(&store.tree(id).unwrap()).is_empty());
    assert_sound(&store);
}

#[test]
fn on_a_simulated_disk() {
    for seed in 0..3 {
        let disk = SimulatedDisk::new(seed);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        works_together(&shared, &disk, [48, 64, 100][seed as usize % 3], seed, 300);
    }
}

#[test]
fn on_a_real_disk_with_real_syncs() {
    let directory = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk::new(directory.path()).unwrap());
    works_together(&disk, &SystemClock::default(), 64, 1, 80);
}

#[test]
fn until_the_power_goes() {
    for seed in 0..12 {
        let disk = SimulatedDisk::new(seed);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut random = Random(seed);
        let id = {
            let (store, _) = Store::open(shared.clone(), &disk, options(64)).unwrap();
            let id = store.create_tree().unwrap();
            store.log().flush(store.log().end()).unwrap();
            id
        };
        let mut before = vec![Written::default(); THREADS as usize];
        for round in 0..3 {
            let (store, _) = Store::open(shared.clone(), &disk, options(64)).unwrap();
            disk.inject(Fault::PowerCut { after: random.below(700) });
            let (written, _) = run(&store, id, seed * 10 + round, 120, before);
            drop(store);
            // The machine goes down, or only the process.
            if random.below(3) == 0 {
                disk.heal()
            } else {
                disk.crash()
            }
            let (store, _) = Store::open(shared.clone(), &disk, options(64)).unwrap();
            assert_sound(&store);
            before = compare(&store, id, written);
        }
    }
}
