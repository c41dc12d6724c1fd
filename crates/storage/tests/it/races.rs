//! Interleavings that once lost something, each forced into the order that does the harm.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustydb_storage::check::check;
use rustydb_storage::disk::{Caching, Disk, Fault, File, Locked, SimulatedDisk};
use rustydb_storage::wal::Record;
use rustydb_storage::{Expect, RowContext, State, Store};

use crate::model::contents;
use crate::random::{Random, horizon, open, options};

/// A commit that the horizon no longer counts as open is durable before the superblock forgets where its
/// transaction began; else half of it would be undone.
#[test]
fn a_checkpoint_does_not_overtake_a_commit() {
    let disk = SimulatedDisk::new(1);
    let id = {
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        let row = |key: &[u8]| {
            let context = RowContext { transaction: 7, ..RowContext::default() };
            tree.write(key, State::Value(b"v"), Expect::Any, Some(&context), |_, _| ()).unwrap();
        };
        row(b"first");
        let finished = horizon(&store);
        store
            .checkpoint(|| {
                row(b"second");
                store.log().flush(store.log().end()).unwrap();
                let mut record = Vec::new();
                Record::Commit { transaction: 7, csn: 1, time: 1, number: 1 }.encode(&mut record);
                store.log().append(&record).unwrap();
                finished()
            })
            .unwrap();
        tree.id()
    };
    disk.crash();
    let (store, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.losers, []);
    assert_eq!(contents(&store.tree(id).unwrap()).len(), 2);
}

/// The power goes between a delete and the purge of its tombstone. `threads::until_the_power_goes` once took what
/// is left then, a tombstone, for a row with an empty value.
#[test]
fn a_tombstone_that_a_crash_has_left_is_no_row() {
    let disk = SimulatedDisk::new(1);
    let id = {
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        let context = RowContext { transaction: 7, ..RowContext::default() };
        tree.write(b"k", State::Value(b"v"), Expect::Any, Some(&context), |_, _| ()).unwrap();
        tree.write(b"k", State::Tombstone, Expect::Live, Some(&context), |_, _| ()).unwrap();
        store.log().flush(store.log().end()).unwrap();
        assert!(tree.remove_tombstone(b"k", || true).unwrap());
        tree.id()
    };
    disk.crash();
    let (store, recovered) = open(&disk).unwrap();
    let tree = store.tree(id).unwrap();
    assert_eq!(recovered.tombstones, [(id, b"k".to_vec())]);
    let found = tree.get(b"k", |entry, _| entry.map(|entry| (entry.is_tombstone, entry.value.to_vec())));
    assert_eq!(found.unwrap(), Some((true, Vec::new())));
    assert!(contents(&tree).is_empty());
    let again = tree.write(b"k", State::Tombstone, Expect::Live, None, |_, _| ());
    assert!(matches!(again, Err(rustydb_storage::Error::Missing)));
    assert!(tree.remove_tombstone(b"k", || true).unwrap());
    assert!(!tree.get(b"k", |entry, _| entry.is_some()).unwrap());
}

/// A disk whose first write to `wal-next` waits until that file has been renamed, or for a while.
struct HesitantDisk {
    disk: SimulatedDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_armed: bool,
    is_waiting: bool,
    is_renamed: bool,
}

struct HesitantFile {
    file: Arc<dyn File>,
    gate: Arc<Gate>,
}

impl Disk for HesitantDisk {
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(name, create, caching)?;
        if name != "wal-next" {
            return Ok(file);
        }
        Ok(Arc::new(HesitantFile { file, gate: self.gate.clone() }))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)?;
        if from == "wal-next" {
            self.gate.state.lock().is_renamed = true;
            self.gate.changed.notify_all();
        }
        Ok(())
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
    fn lock(&self, name: &str, about: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        self.disk.lock(name, about)
    }
}

impl File for HesitantFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        {
            let mut state = self.gate.state.lock();
            if std::mem::take(&mut state.is_armed) {
                state.is_waiting = true;
                self.gate.changed.notify_all();
                let is_renamed = |state: &mut GateState| !state.is_renamed;
                self.gate.changed.wait_while_for(&mut state, is_renamed, Duration::from_millis(300));
            }
        }
        self.file.write_at(data, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn reserve(&self, length: u64) -> io::Result<()> {
        self.file.reserve(length)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.discard(offset, length)
    }
}

/// Who makes the next segment ready still fills it with zeros when the log has need of it.
#[test]
fn a_segment_in_use_is_not_zeroed() {
    let disk = SimulatedDisk::new(3);
    let gate = Arc::new(Gate::default());
    let slow: Arc<dyn Disk> = Arc::new(HesitantDisk { disk: disk.clone(), gate: gate.clone() });
    let (store, _) = Store::open(slow, &disk, options()).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let put = |number: u32| {
        tree.write(&number.to_be_bytes(), State::Value(&[7; 700]), Expect::Any, None, |_, _| ()).unwrap();
        store.log().flush(store.log().end()).unwrap();
    };
    put(0);
    gate.state.lock().is_armed = true;
    std::thread::scope(|scope| {
        scope.spawn(|| store.log().prepare_next().unwrap());
        gate.changed.wait_while(&mut gate.state.lock(), |state| !state.is_waiting);
        // Over the end of the segment and into the next.
        (1..120).for_each(put);
    });
    let id = tree.id();
    drop((tree, store));
    disk.crash();
    let (store, _) = open(&disk).unwrap();
    assert_eq!(contents(&store.tree(id).unwrap()).len(), 120);
}

/// The process dies between giving a new segment its name and making the name durable; the next one
/// acknowledges changes in that segment; then the machine goes down.
#[test]
fn a_name_that_a_dead_process_left_unsynced_lasts() {
    for seed in 0..160 {
        let (disk, after) = (SimulatedDisk::new(seed), seed % 40);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        let id = tree.id();
        store.close(horizon(&store)).unwrap();
        disk.inject(Fault::PowerCut { after });
        let mut acknowledged = 0;
        for number in 0..200u32 {
            let written = tree
                .write(&number.to_be_bytes(), State::Value(&[7; 8000]), Expect::Any, None, |_, _| ())
                .and_then(|_| store.log().flush(store.log().end()));
            if written.is_err() {
                break;
            }
            acknowledged = number as usize + 1;
        }
        drop((tree, store));
        disk.heal();
        {
            let (store, _) = open(&disk).unwrap();
            let tree = store.tree(id).unwrap();
            tree.write(b"later", State::Value(b"v"), Expect::Any, None, |_, _| ()).unwrap();
            store.log().flush(store.log().end()).unwrap();
        }
        disk.crash();
        let (store, _) = open(&disk).unwrap();
        let found = contents(&store.tree(id).unwrap());
        assert!(found.contains_key(b"later".as_slice()), "after {after}");
        assert!(found.len() > acknowledged, "after {after}: {} of {acknowledged}", found.len());
    }
}

/// A crash leaves half of a tree that was being dropped: nobody finds it, and it can be dropped again.
#[test]
fn half_a_dropped_tree_is_in_nobodys_way() {
    let halves = std::cell::Cell::new(0);
    // How far the drop gets before the power goes is for the scheduler: on until it was half the way.
    for seed in (0..1000).take_while(|seed| *seed < 40 || halves.get() == 0) {
        let disk = SimulatedDisk::new(seed);
        let mut random = Random(seed);
        let (store, _) = open(&disk).unwrap();
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        for number in 0..400u32 {
            let key = [&number.to_be_bytes()[..], &[b'k'; 200]].concat();
            tree.write(&key, State::Value(&[1; 100]), Expect::Any, None, |_, _| ()).unwrap();
        }
        let id = tree.id();
        store.counter_reserve(id, 5, 1).unwrap();
        store.checkpoint(horizon(&store)).unwrap();
        disk.inject(Fault::PowerCut { after: random.below(30) });
        std::thread::scope(|scope| {
            let dropping = scope.spawn(|| store.drop_tree(id));
            // What is dropped becomes durable bit by bit.
            while store.log().flush(store.log().end()).is_ok() && !dropping.is_finished() {}
        });
        drop((tree, store));
        disk.crash();
        let (store, _) = open(&disk).unwrap();
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new(), "seed {seed}");
        if store.trees().unwrap().contains(&id) && store.tree(id).is_err() {
            halves.set(halves.get() + 1);
        }
        if store.trees().unwrap().contains(&id) {
            store.drop_tree(id).unwrap();
        }
        assert_eq!(store.counter_value(id).unwrap(), 1);
        let report = check(&store).unwrap();
        assert_eq!((report.problems, report.trees), (Vec::<String>::new(), 2), "seed {seed}");
    }
    assert!(halves.get() > 0);
}

/// A cache in front of the disk that a failed sync has left with a frame which the disk does not have: what is read
/// through it is the frame, what is read around it is what was there before.
struct StaleCache {
    disk: SimulatedDisk,
    missing: Arc<Mutex<Option<std::ops::Range<u64>>>>,
}

struct StaleFile {
    file: Arc<dyn File>,
    is_direct: bool,
    missing: Arc<Mutex<Option<std::ops::Range<u64>>>>,
}

impl Disk for StaleCache {
    fn open(&self, name: &str, create: bool, caching: Caching) -> io::Result<Arc<dyn File>> {
        let file = self.disk.open(name, create, caching)?;
        if !name.starts_with("wal-") {
            return Ok(file);
        }
        let is_direct = caching == Caching::Direct;
        Ok(Arc::new(StaleFile { file, is_direct, missing: self.missing.clone() }))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }
    fn lock(&self, name: &str, about: &str) -> io::Result<Result<Box<dyn Locked>, String>> {
        self.disk.lock(name, about)
    }
}

impl File for StaleFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)?;
        if let Some(missing) = self.missing.lock().clone().filter(|_| self.is_direct) {
            for at in missing.start.max(offset)..missing.end.min(offset + buffer.len() as u64) {
                buffer[(at - offset) as usize] = 0;
            }
        }
        Ok(())
    }
    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut missing = self.missing.lock();
        if missing.as_ref().is_some_and(|gap| gap.start >= offset && gap.start < offset + data.len() as u64) {
            *missing = None;
        }
        self.file.write_at(data, offset)
    }
    fn is_direct(&self) -> bool {
        self.is_direct
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn reserve(&self, length: u64) -> io::Result<()> {
        self.file.reserve(length)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.discard(offset, length)
    }
}

/// What was only in the cache when the log was read is on disk before anybody builds on it.
#[test]
fn a_frame_that_a_failed_sync_left_in_the_cache_is_written_again() {
    let disk = SimulatedDisk::new(5);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let mut last = 0;
    for number in 0..3u32 {
        last = store.log().durable().0;
        tree.write(&number.to_be_bytes(), State::Value(b"v"), Expect::Any, None, |_, _| ()).unwrap();
        store.log().flush(store.log().end()).unwrap();
    }
    let id = tree.id();
    drop((tree, store));
    // The log of these few rows begins with its first segment, at 4096.
    let missing = Arc::new(Mutex::new(Some(last..last + 512)));
    let stale: Arc<dyn Disk> = Arc::new(StaleCache { disk: disk.clone(), missing: missing.clone() });
    let (store, _) = Store::open(stale, &disk, options()).unwrap();
    assert_eq!(*missing.lock(), None, "the frame is not on disk");
    assert_eq!(contents(&store.tree(id).unwrap()).len(), 3);
}
