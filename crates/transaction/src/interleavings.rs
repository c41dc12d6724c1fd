//! The whole way of a commit under shuttle: row locks, the leaf and its versions, the number, the log's buffer, the
//! flush of the group, publishing, snapshots, purge and checkpoints, on a simulated disk.
//!
//! `cargo xtask shuttle`, or `cargo test -p rustydb-transaction --features shuttle interleavings`
//!
//! What runs is the engine as it ships, but for the threads that it starts itself: their work is called from the
//! checker's threads.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use std::sync::Arc;

use rustydb_storage::Options;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_storage::sync::{Mutex, in_all_orders};
use shuttle::thread;

use crate::{Durability, Engine, EngineOptions, Error, Isolation, LockMode, Tree, TreeId};

const SCHEDULES: usize = 20;

fn open(disk: &SimulatedDisk) -> Arc<Engine> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 32 * 4096,
        segment_bytes: 16 << 10,
        durability: Durability::Commit,
        threads: false,
    };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options).unwrap()
}

fn number(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}

/// An engine with two rows, both of 100.
fn with_two_rows(disk: &SimulatedDisk) -> (Arc<Engine>, TreeId) {
    let engine = open(disk);
    let id = engine.create_tree().unwrap();
    let tree = engine.tree(id).unwrap();
    let mut first = engine.begin(Isolation::RepeatableRead, false);
    for key in [b"a", b"b"] {
        first.insert(&tree, key, &100u64.to_be_bytes()).unwrap();
    }
    first.commit().unwrap();
    (engine, id)
}

/// Takes one from a row and gives it to the other.
fn transfer(engine: &Arc<Engine>, tree: &Tree, from: &[u8], to: &[u8]) -> Result<crate::Committed, Error> {
    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
    // In one order: a deadlock is another test's matter.
    let (first, second) = if from < to { (from, to) } else { (to, from) };
    for key in [first, second] {
        let old = transaction.get_locked(tree, key, LockMode::Exclusive)?.map_or(0, |old| number(&old));
        let new = if key == from { old - 1 } else { old + 1 };
        transaction.update(tree, key, &new.to_be_bytes())?;
    }
    transaction.commit()
}

fn read_both(engine: &Arc<Engine>, tree: &Tree) -> Result<(u64, u64), Error> {
    let mut reader = engine.begin(Isolation::RepeatableRead, true);
    let a = reader.get(tree, b"a", number)?.unwrap_or(0);
    let b = reader.get(tree, b"b", number)?.unwrap_or(0);
    Ok((a, b))
}

/// Commits become visible whole, in their order, and at the latest when their transaction is told.
#[test]
fn snapshots_see_whole_commits_in_their_order() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, id) = with_two_rows(&disk);
        let tree = engine.tree(id).unwrap();
        thread::scope(|scope| {
            let (engine, tree) = (&engine, &tree);
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..2 {
                        let committed = transfer(engine, tree, b"a", b"b").unwrap();
                        assert!(committed.csn <= engine.commits.visible());
                        assert!(committed.lsn < engine.store().log().durable());
                        let (a, b) = read_both(engine, tree).unwrap();
                        assert!(a + b == 200 && a < 100);
                    }
                });
            }
            scope.spawn(move || {
                let mut before = 100;
                for _ in 0..3 {
                    let (a, b) = read_both(engine, tree).unwrap();
                    assert!(a + b == 200 && a <= before, "{a} {b}");
                    before = a;
                }
            });
            scope.spawn(move || {
                engine.purge().unwrap();
                engine.checkpoint().unwrap();
                engine.purge().unwrap();
            });
        });
        assert_eq!(read_both(&engine, &tree).unwrap(), (96, 104));
        assert_eq!(engine.commits.oldest_active(), rustydb_storage::Lsn::MAX);
    });
}

/// A row that was inserted without a lock is its inserter's, for those who lock it and those who insert it too.
#[test]
fn one_at_a_time_has_a_row_that_was_inserted() {
    in_all_orders(20 * SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, id) = with_two_rows(&disk);
        let tree = engine.tree(id).unwrap();
        let inside = Mutex::new(0u32);
        thread::scope(|scope| {
            let (engine, tree, inside) = (&engine, &tree, &inside);
            for thread in 0..3u64 {
                scope.spawn(move || {
                    let mut transaction = engine.begin(Isolation::ReadCommitted, false);
                    transaction.insert(tree, &[b't', thread as u8], b"").unwrap();
                    let has_it = match thread {
                        0 => transaction.get_locked(tree, b"k", LockMode::Exclusive).unwrap().is_some(),
                        _ => match transaction.insert(tree, b"k", b"") {
                            Err(Error::DuplicateKey) => false,
                            done => done.map(|()| true).unwrap(),
                        },
                    };
                    if has_it {
                        *inside.lock() += 1;
                        assert_eq!(*inside.lock(), 1);
                        thread::yield_now();
                        *inside.lock() -= 1;
                    }
                    match (seed + thread) % 2 {
                        0 => transaction.commit().map(drop).unwrap(),
                        _ => transaction.rollback().unwrap(),
                    }
                });
            }
        });
        assert_eq!(engine.locks().row_count(), 0);
    });
}

/// Whoever has read a commit that was not durable yet, and then waited, sees it in every later snapshot, and it is
/// there after a crash.
#[test]
fn an_answer_that_waited_for_what_it_saw_can_be_relied_on() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, id) = with_two_rows(&disk);
        let tree = engine.tree(id).unwrap();
        let answered = Mutex::new(100);
        thread::scope(|scope| {
            let (engine, tree, answered, disk) = (&engine, &tree, &answered, &disk);
            for _ in 0..2 {
                scope.spawn(move || transfer(engine, tree, b"a", b"b").map(drop));
            }
            scope.spawn(move || {
                for _ in 0..2 {
                    let mut reader = engine.begin(Isolation::ReadCommitted, false);
                    let Ok(found) = reader.get_locked(tree, b"a", LockMode::Shared) else { return };
                    let found = found.map_or(0, |value| number(&value));
                    if reader.wait_observed_durable().is_err() {
                        return;
                    }
                    let Ok((a, _)) = read_both(engine, tree) else { return };
                    assert!(a <= found, "{found} was answered, {a} is seen");
                    *answered.lock() = found;
                }
            });
            scope.spawn(move || disk.inject(Fault::PowerCut { after: seed % 6 }));
        });
        drop((tree, engine));
        disk.crash();
        let engine = open(&disk);
        let (a, b) = read_both(&engine, &engine.tree(id).unwrap()).unwrap();
        assert!(a <= *answered.lock() && a + b == 200);
    });
}

/// A sync fails: whoever was told of a commit finds it when the store is opened again, nobody waits for ever, and
/// nobody is shown a half.
#[test]
fn a_failed_sync_loses_nothing_that_was_acknowledged() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, id) = with_two_rows(&disk);
        let tree = engine.tree(id).unwrap();
        disk.inject(Fault::FailingSync { after: seed % 5 });
        let acknowledged = Mutex::new(0);
        thread::scope(|scope| {
            let (engine, tree, acknowledged) = (&engine, &tree, &acknowledged);
            for _ in 0..3 {
                scope.spawn(move || {
                    for _ in 0..2 {
                        match transfer(engine, tree, b"a", b"b") {
                            Ok(_) => *acknowledged.lock() += 1,
                            Err(error) => {
                                let again = transfer(engine, tree, b"a", b"b");
                                assert!(matches!(again, Err(Error::Poisoned { .. })), "{error}, {again:?}");
                                return;
                            }
                        }
                    }
                });
            }
            scope.spawn(move || {
                for _ in 0..3 {
                    if let Ok((a, b)) = read_both(engine, tree) {
                        assert_eq!(a + b, 200);
                    }
                }
            });
        });
        drop((tree, engine));
        disk.crash();
        let engine = open(&disk);
        let (a, b) = read_both(&engine, &engine.tree(id).unwrap()).unwrap();
        assert!(a + b == 200 && b - 100 >= *acknowledged.lock(), "{a} {b}");
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new());
    });
}

/// A rollback, a delete and its purge beside readers: nobody sees what was taken back, and no row that is gone.
#[test]
fn what_is_taken_back_or_deleted_is_seen_by_nobody_who_should_not() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, id) = with_two_rows(&disk);
        let tree = engine.tree(id).unwrap();
        thread::scope(|scope| {
            let (engine, tree) = (&engine, &tree);
            scope.spawn(move || {
                let mut taken_back = engine.begin(Isolation::RepeatableRead, false);
                taken_back.update(tree, b"a", &1u64.to_be_bytes()).unwrap();
                taken_back.insert(tree, b"c", &1u64.to_be_bytes()).unwrap();
                taken_back.rollback().unwrap();
                let mut deletes = engine.begin(Isolation::RepeatableRead, false);
                deletes.delete(tree, b"b").unwrap();
                deletes.commit().unwrap();
            });
            scope.spawn(move || {
                let mut was_gone = false;
                for _ in 0..3 {
                    let mut reader = engine.begin(Isolation::RepeatableRead, true);
                    assert_eq!(reader.get(tree, b"a", number).unwrap(), Some(100));
                    assert_eq!(reader.get(tree, b"c", number).unwrap(), None);
                    let is_gone = reader.get(tree, b"b", number).unwrap().is_none();
                    assert_eq!(reader.get(tree, b"b", number).unwrap().is_none(), is_gone);
                    assert!(is_gone || !was_gone);
                    was_gone = is_gone;
                }
            });
            scope.spawn(move || {
                for _ in 0..3 {
                    engine.purge().unwrap();
                }
            });
        });
        engine.purge().unwrap();
        assert_eq!(check(engine.store()).unwrap().tombstones, 0);
        assert_eq!(engine.versions.keys(), 0);
    });
}
