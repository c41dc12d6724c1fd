//! Rows that were just inserted are locked by their version alone: others have to find them locked all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustydb_storage::disk::SimulatedDisk;
use rustydb_transaction::{
    Direction, Engine, EngineOptions, Error, Isolation, KeyRange, LockMode, Met, Transaction, Tree,
    WaitOptions,
};

fn engine() -> (Arc<Engine>, Arc<Tree>) {
    let disk = SimulatedDisk::new(1);
    let options = EngineOptions { background: false, ..EngineOptions::default() };
    let engine = Engine::open(Arc::new(disk.clone()), disk.clock(), &disk, options).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    (engine, tree)
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    transaction
}

/// A transaction that has written something, so that its next inserts take no lock.
fn inserter(engine: &Arc<Engine>, tree: &Tree, key: &[u8]) -> Transaction {
    inserter_at(engine, tree, key, Isolation::RepeatableRead)
}

fn inserter_at(engine: &Arc<Engine>, tree: &Tree, key: &[u8], level: Isolation) -> Transaction {
    let mut transaction = engine.begin(level, false);
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    transaction.insert(tree, b"first", b"1").unwrap();
    let locked = engine.locks().row_count();
    transaction.insert(tree, key, b"1").unwrap();
    assert_eq!(engine.locks().row_count(), locked);
    transaction
}

#[test]
fn everybody_else_finds_an_inserted_row_locked() {
    let (engine, tree) = engine();
    let first = inserter(&engine, &tree, b"k");
    for mode in [LockMode::Shared, LockMode::Exclusive] {
        let mut other = begin(&engine);
        assert!(matches!(other.get_locked(&tree, b"k", mode), Err(Error::LockWaitTimeout)));
    }
    let mut other = begin(&engine);
    assert!(matches!(other.insert(&tree, b"k", b"2"), Err(Error::LockWaitTimeout)));
    assert!(matches!(other.update(&tree, b"k", b"2"), Err(Error::LockWaitTimeout)));
    assert!(matches!(other.delete(&tree, b"k"), Err(Error::LockWaitTimeout)));
    other.set_waits(false);
    assert!(matches!(other.get_locked(&tree, b"k", LockMode::Shared), Err(Error::WouldBlock)));
    for level in [Isolation::Snapshot, Isolation::Serializable, Isolation::ReadCommitted] {
        let mut other = engine.begin(level, false);
        other.set_wait(WaitOptions::timeout(Duration::ZERO));
        let found = other.get_locked(&tree, b"k", LockMode::Exclusive);
        assert!(matches!(found, Err(Error::LockWaitTimeout)), "{level:?} {found:?}");
    }
    // Its own, before and after somebody has asked for it.
    let mut first = first;
    assert_eq!(first.get_locked(&tree, b"k", LockMode::Shared).unwrap().unwrap(), b"1");
    first.update(&tree, b"k", b"2").unwrap();
    first.commit().unwrap();
    other.set_waits(true);
    assert_eq!(other.get_locked(&tree, b"k", LockMode::Shared).unwrap().unwrap(), b"2");
    other.rollback().unwrap();
    assert_eq!(engine.locks().row_count(), 0);
}

#[test]
fn inserts_at_every_level_are_locked_by_their_version() {
    for level in
        [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Snapshot, Isolation::Serializable]
    {
        let (engine, tree) = engine();
        let first = inserter_at(&engine, &tree, b"k", level);
        for other in [Isolation::RepeatableRead, Isolation::Snapshot, Isolation::Serializable] {
            let mut other = engine.begin(other, false);
            other.set_wait(WaitOptions::timeout(Duration::ZERO));
            assert!(matches!(other.insert(&tree, b"k", b"2"), Err(Error::LockWaitTimeout)));
            other.insert(&tree, b"other", b"2").unwrap();
            assert!(matches!(other.insert(&tree, b"k", b"2"), Err(Error::LockWaitTimeout)));
        }
        first.commit().unwrap();
        assert_eq!(engine.locks().row_count(), 0);
    }
}

#[test]
fn a_key_that_came_or_went_since_the_snapshot_is_a_conflict() {
    for level in [Isolation::Snapshot, Isolation::Serializable] {
        for goes in [false, true] {
            let (engine, tree) = engine();
            let mut first = inserter_at(&engine, &tree, b"own", level);
            let mut other = begin(&engine);
            other.insert(&tree, b"k", b"1").unwrap();
            other.commit().unwrap();
            if goes {
                let mut other = begin(&engine);
                other.delete(&tree, b"k").unwrap();
                other.commit().unwrap();
            }
            let found = first.insert(&tree, b"k", b"2");
            assert!(matches!(found, Err(Error::Serialization)), "{level:?} {goes} {found:?}");
            first.rollback().unwrap();
            assert_eq!(engine.locks().row_count(), 0);
        }
    }
}

#[test]
fn a_row_taken_back_to_a_savepoint_stays_locked_above_read_committed() {
    for level in
        [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Snapshot, Isolation::Serializable]
    {
        let (engine, tree) = engine();
        let mut first = engine.begin(level, false);
        first.insert(&tree, b"first", b"1").unwrap();
        let savepoint = first.savepoint();
        first.insert(&tree, b"k", b"1").unwrap();
        first.insert(&tree, b"asked", b"1").unwrap();
        let mut other = begin(&engine);
        assert!(matches!(other.get_locked(&tree, b"asked", LockMode::Shared), Err(Error::LockWaitTimeout)));
        first.rollback_to(savepoint).unwrap();
        let inserted = other.insert(&tree, b"k", b"2");
        assert_eq!(inserted.is_ok(), level == Isolation::ReadCommitted, "{level:?} {inserted:?}");
        // Whoever has asked counts on the lock: it stays.
        assert!(matches!(other.insert(&tree, b"asked", b"2"), Err(Error::LockWaitTimeout)));
        if level != Isolation::ReadCommitted {
            first.insert(&tree, b"k", b"again").unwrap();
        }
        first.rollback().unwrap();
        other.insert(&tree, b"asked", b"2").unwrap();
        other.commit().unwrap();
        assert_eq!(engine.locks().row_count(), 0);
    }
}

/// What an UPDATE at READ COMMITTED does with rows that others have locked.
#[test]
fn a_scan_that_waits_for_nobody_sees_what_was_committed_last() {
    let (engine, tree) = engine();
    let mut first = begin(&engine);
    for key in [b"a", b"b", b"c", b"d"] {
        first.insert(&tree, key, b"old").unwrap();
    }
    first.commit().unwrap();
    let mut holder = begin(&engine);
    holder.update(&tree, b"a", b"new").unwrap();
    holder.delete(&tree, b"b").unwrap();
    holder.insert(&tree, b"bb", b"new").unwrap();
    holder.get_locked(&tree, b"c", LockMode::Shared).unwrap();
    let mut other = engine.begin(Isolation::ReadCommitted, false);
    let mut scan =
        other.scan_locked(&tree, KeyRange::all(), Direction::Forward, LockMode::Exclusive).unwrap();
    let mut met = Vec::new();
    while let Some(row) = scan.next_without_waiting(&mut other).unwrap() {
        met.push(row);
    }
    let taken = |key: &[u8]| Met::Taken(key.to_vec(), b"old".to_vec());
    assert_eq!(met, [taken(b"a"), taken(b"b"), taken(b"c"), Met::Locked(b"d".to_vec(), b"old".to_vec())]);
    holder.commit().unwrap();
}

#[test]
fn who_waits_for_an_inserted_row_goes_on_when_it_is_committed_or_gone() {
    for commits in [true, false] {
        let (engine, tree) = engine();
        let first = inserter(&engine, &tree, b"k");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut other = engine.begin(Isolation::RepeatableRead, false);
                other.get_locked(&tree, b"k", LockMode::Exclusive).unwrap()
            });
            while engine.locks().waits().is_empty() {
                std::thread::yield_now();
            }
            if commits {
                first.commit().unwrap();
            } else {
                first.rollback().unwrap();
            }
            assert_eq!(waiting.join().unwrap(), commits.then(|| b"1".to_vec()));
        });
        assert_eq!(engine.locks().row_count(), 0);
    }
}

#[test]
fn a_deadlock_over_two_inserted_rows_is_found() {
    let (engine, tree) = engine();
    let barrier = std::sync::Barrier::new(2);
    let run = |mine: &'static [u8], other: &'static [u8]| {
        let mut transaction = engine.begin(Isolation::RepeatableRead, false);
        transaction.insert(&tree, &[mine, b"-first"].concat(), b"1").unwrap();
        transaction.insert(&tree, mine, b"1").unwrap();
        barrier.wait();
        match transaction.insert(&tree, other, b"1") {
            Err(Error::Deadlock) => transaction.rollback().map(|()| false).unwrap(),
            // The victim's row is gone.
            Ok(()) => transaction.commit().map(|_| true).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    std::thread::scope(|scope| {
        let one = scope.spawn(|| run(b"a", b"b"));
        let two = scope.spawn(|| run(b"b", b"a"));
        assert_ne!(one.join().unwrap(), two.join().unwrap());
    });
    assert_eq!(engine.locks().row_count(), 0);
}

/// Threads insert, lock, take back and count the same few keys: one at a time is inside a key.
#[test]
fn inserts_and_locks_of_the_same_keys_exclude_each_other() {
    let (engine, tree) = engine();
    let owners: Vec<AtomicU64> = (0..4).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 1..=4u64 {
            let (engine, tree, owners) = (&engine, &tree, &owners);
            scope.spawn(move || {
                for round in 0..2_000u64 {
                    let number = (thread + round * 3) as usize % owners.len();
                    let key = format!("k{number}");
                    let mut transaction = engine.begin(Isolation::ReadCommitted, false);
                    transaction.insert(tree, format!("t{thread}").as_bytes(), b"").unwrap();
                    let done = match round % 3 {
                        0 => transaction
                            .get_locked(tree, key.as_bytes(), LockMode::Exclusive)
                            .map(|row| row.is_some()),
                        _ => transaction.insert(tree, key.as_bytes(), b"").map(|()| true),
                    };
                    match done {
                        Ok(true) => {
                            let before = owners[number].swap(thread, Ordering::SeqCst);
                            assert_eq!(before, 0, "two at a time in {key}");
                            std::thread::yield_now();
                            assert_eq!(owners[number].swap(0, Ordering::SeqCst), thread);
                        }
                        Ok(false) | Err(Error::DuplicateKey) => {}
                        Err(other) => panic!("{other}"),
                    }
                    if thread % 2 == 0 {
                        transaction.delete(tree, format!("t{thread}").as_bytes()).unwrap();
                        transaction.rollback().unwrap();
                    } else {
                        let existed =
                            transaction.get_locked(tree, key.as_bytes(), LockMode::Exclusive).unwrap();
                        if existed.is_some() {
                            transaction.delete(tree, key.as_bytes()).unwrap();
                        }
                        transaction.delete(tree, format!("t{thread}").as_bytes()).unwrap();
                        transaction.commit().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(engine.locks().row_count(), 0);
}
