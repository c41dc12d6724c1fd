//! Sizes at their ends: every page size, values of many megabytes, queues, groups of pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustydb_storage::check::check;
use rustydb_storage::disk::{Disk, SimulatedDisk};
use rustydb_storage::{Error, Expect, Options, State, Store};

use crate::model::{Model, contents};
use crate::random::{Random, horizon, open};

fn open_with(disk: &SimulatedDisk, page_size: usize, frames: usize) -> Store {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let options = Options {
        page_size,
        buffer_pool_bytes: frames * page_size,
        segment_bytes: 1 << 20,
        ..Options::default()
    };
    Store::open(shared, disk, options).unwrap().0
}

/// Lengths around every limit that a page of this size has.
fn length(random: &mut Random, page_size: usize) -> usize {
    let limit = [page_size / 16, page_size / 5, page_size, 2 * page_size][random.below(4) as usize];
    match random.below(3) {
        0 => random.below(40) as usize,
        1 => limit - 40 + random.below(80) as usize,
        _ => random.below(limit as u64) as usize,
    }
}

#[test]
fn every_page_size_holds_every_length() {
    for page_size in [4096, 8192, 16384, 32768, 65536] {
        let disk = SimulatedDisk::new(page_size as u64);
        let mut random = Random(page_size as u64);
        let mut model = Model::new();
        let id = {
            let store = open_with(&disk, page_size, 64);
            let tree = store.tree(store.create_tree().unwrap()).unwrap();
            for round in 0..1500u32 {
                let number = random.below(300);
                // Some keys differ only behind what a page keeps inline.
                let mut key = vec![b'a' + (number % 3) as u8; length(&mut Random(number), page_size)];
                key.extend_from_slice(&number.to_be_bytes());
                if random.below(3) == 0 {
                    let deleted = tree.write(&key, State::Tombstone, Expect::Live, None, |_, _| ());
                    assert_eq!(deleted.is_ok(), model.remove(&key).is_some());
                    tree.remove_tombstone(&key, || true).unwrap();
                } else {
                    let value = vec![round as u8; length(&mut random, page_size)];
                    tree.write(&key, State::Value(&value), Expect::Any, None, |_, _| ()).unwrap();
                    model.insert(key, value);
                }
            }
            assert!(contents(&tree) == model, "{page_size}");
            store.log().flush(store.log().end()).unwrap();
            tree.id()
        };
        disk.crash();
        let store = open_with(&disk, page_size, 64);
        assert!(contents(&store.tree(id).unwrap()) == model, "{page_size}");
        assert_eq!(check(&store).unwrap().problems, Vec::<String>::new(), "{page_size}");
        let tree = store.tree(id).unwrap();
        for key in model.keys() {
            tree.write(key, State::Absent, Expect::Any, None, |_, _| ()).unwrap();
        }
        let report = check(&store).unwrap();
        assert_eq!(report.problems, Vec::<String>::new(), "{page_size}");
        assert!(report.pages < 10, "{page_size}: {} pages are left of an empty tree", report.pages);
    }
}

/// A value of twenty times the pool, twice, and a key of a megabyte.
#[test]
fn a_value_larger_than_the_pool() {
    let disk = SimulatedDisk::new(1);
    let big = |fill: u8| -> Vec<u8> { (0..18_000_000u32).map(|index| (index / 4093) as u8 ^ fill).collect() };
    let id = {
        let store = open_with(&disk, 16384, 32);
        let tree = store.tree(store.create_tree().unwrap()).unwrap();
        for fill in [1, 2] {
            tree.write(b"big", State::Value(&big(fill)), Expect::Any, None, |_, _| ()).unwrap();
        }
        tree.write(&big(3)[..1 << 20], State::Value(b"of a long key"), Expect::Any, None, |_, _| ()).unwrap();
        store.log().flush(store.log().end()).unwrap();
        tree.id()
    };
    disk.crash();
    let store = open_with(&disk, 16384, 32);
    let tree = store.tree(id).unwrap();
    assert!(tree.get(b"big", |entry, _| entry.is_some_and(|entry| entry.value == big(2))).unwrap());
    let long = tree.get(&big(3)[..1 << 20], |entry, _| entry.map(|entry| entry.value.to_vec())).unwrap();
    assert_eq!(long.unwrap(), b"of a long key");
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
    tree.write(b"big", State::Absent, Expect::Any, None, |_, _| ()).unwrap();
    let before = store.statistics().file_pages;
    tree.write(b"big", State::Value(&big(4)), Expect::Any, None, |_, _| ()).unwrap();
    assert_eq!(store.statistics().file_pages, before, "freed pages are used again");
}

/// Rows come at one end and go at the other: the pages between do not pile up.
#[test]
fn a_queue_takes_no_more_pages_than_its_rows() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    for number in 0..12_000u32 {
        tree.write(&number.to_be_bytes(), State::Value(&[7; 100]), Expect::NotLive, None, |_, _| ()).unwrap();
        if let Some(old) = number.checked_sub(300) {
            tree.write(&old.to_be_bytes(), State::Tombstone, Expect::Live, None, |_, _| ()).unwrap();
            tree.remove_tombstone(&old.to_be_bytes(), || true).unwrap();
        }
    }
    let report = check(&store).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.pages < 25, "{} pages for 300 rows", report.pages);
}

/// A counter that was raised for now is what it was after a crash, unless it was raised in the log behind that.
#[test]
fn a_counter_raised_for_now_is_logged_later() {
    let disk = SimulatedDisk::new(1);
    let (now, later, reserved) = {
        let (store, _) = open(&disk).unwrap();
        let [now, later, reserved] = [(); 3].map(|()| store.create_tree().unwrap());
        for id in [now, later, reserved] {
            for next in [7, 90, 30] {
                store.counter_raise_for_now(id, next).unwrap();
            }
            assert_eq!(store.counter_value(id).unwrap(), 90);
        }
        store.counter_raise(later, 90).unwrap();
        store.counter_raise(later, 12).unwrap();
        assert_eq!(store.counter_reserve(reserved, 10, 1).unwrap(), 90);
        store.log().flush(store.log().end()).unwrap();
        (now, later, reserved)
    };
    disk.crash();
    let (store, _) = open(&disk).unwrap();
    let values = [now, later, reserved].map(|id| store.counter_value(id).unwrap());
    assert_eq!(values, [1, 90, 100]);
}

#[test]
fn a_small_transaction_is_not_written_before_it_commits() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let before = store.log().durable();
    tree.write(b"small", State::Value(b"v"), Expect::Any, None, |_, _| ()).unwrap();
    store.log().write_ahead().unwrap();
    assert_eq!(store.log().durable(), before);
}

/// A thread beside the appenders takes what they leave to the disk, unasked.
#[test]
fn a_large_transaction_is_written_before_it_commits() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    let put = |from: u32| {
        for number in from..from + 30_000 {
            let value = State::Value(&[7; 100]);
            tree.write(&number.to_be_bytes(), value, Expect::NotLive, None, |_, _| ()).unwrap();
        }
    };
    let log = store.log();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                log.write_ahead().unwrap();
                std::thread::park();
            }
        });
        for round in 0..3 {
            let before = log.end();
            put(round * 30_000);
            while log.durable() <= before {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        beside.thread().unpark();
    });
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
}

/// Trees that come and go leave nothing in the directory.
#[test]
fn the_directory_shrinks_again() {
    let disk = SimulatedDisk::new(1);
    let (store, _) = open(&disk).unwrap();
    for _ in 0..3000 {
        let id = store.create_tree().unwrap();
        store.counter_reserve(id, 1, 1).unwrap();
        store.drop_tree(id).unwrap();
    }
    assert!(check(&store).unwrap().pages < 6);
}

/// What a change took before it was refused can be taken again.
#[test]
fn a_refused_change_gives_its_pages_back() {
    let disk = SimulatedDisk::new(1);
    let store = open_with(&disk, 4096, 64);
    let tree = store.tree(store.create_tree().unwrap()).unwrap();
    store.checkpoint(horizon(&store)).unwrap();
    disk.inject(rustydb_storage::disk::Fault::Full { capacity: disk.used() });
    for _ in 0..5 {
        let refused = tree.write(b"k", State::Value(&[1; 3_000_000]), Expect::Any, None, |_, _| ());
        assert!(matches!(refused, Err(Error::DiskFull { .. })), "{refused:?}");
    }
    // It fits into what the file has already.
    tree.write(b"k", State::Value(&[1; 300_000]), Expect::Any, None, |_, _| ()).unwrap();
    assert_eq!(check(&store).unwrap().problems, Vec::<String>::new());
}
