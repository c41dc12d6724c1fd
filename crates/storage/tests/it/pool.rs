//! Data larger than the pool: who waits for a write, what a scan pushes out, how far back a restart has to look.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use rustydb_storage::check::check;
use rustydb_storage::disk::{Disk, SimulatedDisk};
use rustydb_storage::{Course, Error, Expect, Options, Progress, State, Store, Tree, WriteBack};

use crate::model::contents;
use crate::random::{horizon, open, options};

const ROWS: u32 = 4000;

fn key(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn put(tree: &Tree, number: u32, fill: u8) {
    tree.write(&key(number), State::Value(&[fill; 200]), Expect::Any, None, |_, _| ()).unwrap();
}

/// A tree of about five times the pool.
fn filled(store: &Store) -> Arc<Tree> {
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    (0..ROWS).for_each(|number| put(&tree, number, 1));
    store.checkpoint(horizon(store)).unwrap();
    tree
}

fn scan(tree: &Tree, forward: bool) -> usize {
    let (mut course, mut seen) = (Course::default(), 0);
    let mut position = Some(Bound::Unbounded);
    while let Some(from) = position {
        let each = |_: &[u8], _: rustydb_storage::btree::Entry<'_>, _| {
            seen += 1;
            Ok::<_, Error>(ControlFlow::Continue(()))
        };
        position = match forward {
            true => tree.scan_forward(&mut course, &from, each, |_| ()).unwrap(),
            false => tree.scan_backward(&mut course, &from, each, |_| ()).unwrap(),
        };
    }
    seen
}

#[test]
fn what_is_in_use_survives_a_scan_of_everything() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = filled(&store);
    let hot: Vec<u32> = (0..10).map(|number| number * 390).collect();
    let touch = || {
        for &number in &hot {
            assert!(tree.get(&key(number), |entry, _| entry.is_some()).unwrap());
        }
    };
    // What filled the tree has used every page alike; the first scan only finds a quiet pool.
    scan(&tree, true);
    for forward in [true, false] {
        (0..4).for_each(|_| touch());
        assert_eq!(scan(&tree, forward), ROWS as usize);
        let before = store.statistics().pool_reads;
        touch();
        let read = store.statistics().pool_reads - before;
        assert!(read <= 1, "{read} of 10 pages in use were pushed out by the scan");
    }
}

/// A fresh start with a pool that is larger than the tree.
#[test]
fn what_a_scan_has_read_stays_while_there_is_room() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let id = filled(&store).id();
    drop(store);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let large = Options { buffer_pool_bytes: 1024 * 4096, ..options() };
    let (store, _) = Store::open(shared, &disk, large).unwrap();
    let tree = store.tree(id).unwrap();
    for forward in [true, false, true] {
        assert_eq!(scan(&tree, forward), ROWS as usize);
    }
    let before = store.statistics().pool_reads;
    scan(&tree, true);
    assert_eq!(store.statistics().pool_reads, before);
}

/// A pool that others' pages fill, which nobody uses any more.
#[test]
fn what_is_scanned_again_and_again_comes_into_a_full_pool() {
    let disk = SimulatedDisk::new(1);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let half = Options { buffer_pool_bytes: 400 * 4096, ..options() };
    let (store, _) = Store::open(shared, &disk, half).unwrap();
    let (first, second) = (filled(&store), filled(&store));
    let reads = |tree: &Tree| {
        let before = store.statistics().pool_reads;
        scan(tree, true);
        store.statistics().pool_reads - before
    };
    let all: Vec<u64> = (0..60).map(|_| reads(&first)).collect();
    assert!(all[0] > 60 && all[59] < 25, "pages read: {all:?}");
    assert!(reads(&second) > 0);
}

#[test]
fn a_scan_reads_ahead_where_there_are_threads_for_it() {
    let disk = SimulatedDisk::new(1);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (store, _) = Store::open(shared, &disk, Options { threads: true, ..options() }).unwrap();
    let tree = filled(&store);
    // Whether a thread is quicker than the scan is for the scheduler.
    let is_ahead = (0..1000).any(|round| {
        assert_eq!(scan(&tree, round % 2 == 0), ROWS as usize);
        store.statistics().pool_reads_ahead > 0
    });
    assert!(is_ahead);
}

#[test]
fn who_needs_room_finds_clean_victims() {
    let disk = SimulatedDisk::new(2);
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let half = Options { buffer_pool_bytes: 128 * 4096, ..options() };
    let (store, _) = Store::open(shared, &disk, half).unwrap();
    let tree = filled(&store);
    let mut writer = WriteBack::default();
    let own = store.statistics().pool_own_batches;
    for step in 0..3000 {
        put(&tree, step * 997 % ROWS, 2);
        store.log().flush(store.log().end()).unwrap();
        writer.step(&store, u64::MAX).unwrap();
    }
    let few = store.statistics().pool_own_batches - own;
    assert!(few < 5, "{few} batches were written by who needed room");
    let own = store.statistics().pool_own_batches;
    // Without it readers write for themselves.
    for step in 0..3000 {
        put(&tree, step * 997 % ROWS, 3);
    }
    assert!(store.statistics().pool_own_batches > own + 20);
}

#[test]
fn checkpoints_follow_the_log_without_a_burst() {
    let disk = SimulatedDisk::new(3);
    let (store, _) = open(&disk).unwrap();
    let tree = filled(&store);
    let (limit, mut writer, mut noted) = (400_000, WriteBack::default(), 0);
    let (mut most_written, mut longest_log) = (0, 0);
    for step in 0..20_000 {
        put(&tree, step * 7 % 300, 4);
        store.log().flush(store.log().end()).unwrap();
        let before = store.statistics().pool_writes;
        loop {
            match writer.step(&store, limit).unwrap() {
                Progress::Idle => break,
                Progress::Busy => {}
                Progress::CheckpointDue => {
                    store.note_checkpoint(horizon(&store)).unwrap();
                    noted += 1;
                }
            }
        }
        most_written = most_written.max(store.statistics().pool_writes - before);
        longest_log = longest_log.max(store.log_since_checkpoint());
    }
    assert!(noted > 10, "{noted} checkpoints");
    assert!(longest_log < limit, "{longest_log} bytes of log since a checkpoint");
    assert!(most_written <= 64, "{most_written} pages at once");
    let id = tree.id();
    let expected = contents(&tree);
    drop((tree, store));
    disk.crash();
    let (store, recovered) = open(&disk).unwrap();
    assert!(recovered.replayed < limit, "{} bytes replayed", recovered.replayed);
    assert_eq!(contents(&store.tree(id).unwrap()), expected);
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
}

#[test]
fn several_threads_replay_what_one_does() {
    for seed in 0..6 {
        let disk = SimulatedDisk::new(seed);
        let (id, expected) = {
            let (store, _) = open(&disk).unwrap();
            let tree = filled(&store);
            for step in 0..6000u32 {
                match step % 5 {
                    0 => put(&tree, step % ROWS, 5),
                    1 => put(&tree, ROWS + step, 6),
                    _ => {
                        tree.write(&key(step % ROWS), State::Absent, Expect::Any, None, |_, _| ()).unwrap();
                    }
                }
            }
            store.log().flush(store.log().end()).unwrap();
            (tree.id(), contents(&tree))
        };
        disk.crash();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let threads = Options { threads: seed % 2 == 0, ..options() };
        let (store, recovered) = Store::open(shared, &disk, threads).unwrap();
        assert!(recovered.replayed > 0);
        assert_eq!(contents(&store.tree(id).unwrap()), expected);
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn a_page_that_cannot_be_replayed_is_reported_by_all_threads_as_by_one() {
    for threads in [false, true] {
        let disk = SimulatedDisk::new(9);
        {
            let (store, _) = open(&disk).unwrap();
            let tree = filled(&store);
            (0..ROWS).for_each(|number| put(&tree, number, 7));
            store.log().flush(store.log().end()).unwrap();
        }
        // Both copies of the doublewrite area end before the trees do.
        let pages = disk.open("pages", false, rustydb_storage::disk::Caching::Direct).unwrap();
        let length = pages.len().unwrap();
        for page in 200..length / 4096 {
            pages.write_at(&[0x5A; 16], page * 4096 + 2000).unwrap();
        }
        pages.sync_data().unwrap();
        disk.crash();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let opened = Store::open(shared, &disk, Options { threads, ..options() });
        assert!(matches!(opened.err(), Some(Error::CorruptPage { .. })));
    }
}

#[test]
fn the_speed_of_replaying_is_kept() {
    let disk = SimulatedDisk::new(4);
    {
        let (store, _) = open(&disk).unwrap();
        assert_eq!(store.redo_rate(), None);
        store.note_replay(1 << 20, std::time::Duration::from_secs(1));
        assert_eq!(store.redo_rate(), None, "too little to tell");
        store.note_replay(64 << 20, std::time::Duration::ZERO);
        assert_eq!(store.redo_rate(), None, "a clock that stands still tells nothing");
        store.note_replay(64 << 20, std::time::Duration::from_secs(1));
        store.note_replay(64 << 20, std::time::Duration::from_secs(2));
        assert_eq!(store.redo_rate(), Some(48 << 20));
        store.checkpoint(horizon(&store)).unwrap();
    }
    disk.crash();
    assert_eq!(open(&disk).unwrap().0.redo_rate(), Some(48 << 20));
}
