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

const SCHEDULES: usize = 100;

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

/// Two rows in pages of their own.
struct Accounts {
    a: Arc<Tree>,
    b: Arc<Tree>,
}

impl Accounts {
    fn of(engine: &Engine, [a, b]: [TreeId; 2]) -> Accounts {
        Accounts { a: engine.tree(a).unwrap(), b: engine.tree(b).unwrap() }
    }
}

/// An engine with two rows, both of 100.
fn with_two_rows(disk: &SimulatedDisk) -> (Arc<Engine>, [TreeId; 2]) {
    let engine = open(disk);
    let ids = [(); 2].map(|()| engine.create_tree().unwrap());
    let accounts = Accounts::of(&engine, ids);
    let mut first = engine.begin(Isolation::RepeatableRead, false);
    for tree in [&accounts.a, &accounts.b] {
        first.insert(tree, b"k", &100u64.to_be_bytes()).unwrap();
    }
    first.commit().unwrap();
    (engine, ids)
}

/// Moves one from a to b.
fn transfer(engine: &Arc<Engine>, accounts: &Accounts) -> Result<crate::Committed, Error> {
    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
    for (tree, is_from) in [(&accounts.a, true), (&accounts.b, false)] {
        let old = transaction.get_locked(tree, b"k", LockMode::Exclusive)?.map_or(0, |old| number(&old));
        let new = if is_from { old - 1 } else { old + 1 };
        transaction.update(tree, b"k", &new.to_be_bytes())?;
    }
    transaction.commit()
}

fn read_both(engine: &Arc<Engine>, accounts: &Accounts) -> Result<(u64, u64), Error> {
    let mut reader = engine.begin(Isolation::RepeatableRead, true);
    let a = reader.get(&accounts.a, b"k", number)?.unwrap_or(0);
    let b = reader.get(&accounts.b, b"k", number)?.unwrap_or(0);
    Ok((a, b))
}

/// Commits become visible whole, in their order, and at the latest when their transaction is told.
#[test]
fn snapshots_see_whole_commits_in_their_order() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, ids) = with_two_rows(&disk);
        let accounts = Accounts::of(&engine, ids);
        let commits = Mutex::new(Vec::new());
        thread::scope(|scope| {
            let (engine, accounts, commits) = (&engine, &accounts, &commits);
            for _ in 0..2 {
                scope.spawn(move || {
                    for _ in 0..2 {
                        let committed = transfer(engine, accounts).unwrap();
                        commits.lock().push((committed.csn, committed.lsn));
                        assert!(committed.csn <= engine.commits.visible());
                        assert!(committed.lsn < engine.store().log().durable());
                        let (a, b) = read_both(engine, accounts).unwrap();
                        assert!(a + b == 200 && a < 100);
                    }
                });
            }
            scope.spawn(move || {
                let mut before = 100;
                for _ in 0..3 {
                    let (a, b) = read_both(engine, accounts).unwrap();
                    assert!(a + b == 200 && a <= before, "{a} {b}");
                    before = a;
                }
            });
            scope.spawn(move || {
                engine.purge().unwrap();
                engine.checkpoint().unwrap();
                engine.purge().unwrap();
            });
            // Of its own row: nobody's lock puts it in order with the others.
            scope.spawn(move || {
                let mut other = engine.begin(Isolation::RepeatableRead, false);
                other.insert(&accounts.a, b"other", b"row").unwrap();
                let committed = other.commit().unwrap();
                commits.lock().push((committed.csn, committed.lsn));
            });
        });
        let mut commits = commits.into_inner();
        commits.sort_unstable();
        assert!(commits.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{commits:?}");
        assert_eq!(read_both(&engine, &accounts).unwrap(), (96, 104));
        assert_eq!(engine.commits.oldest_active(), rustydb_storage::Lsn::MAX);
    });
}

/// A row that was inserted without a lock is its inserter's, for those who lock it and those who insert it too.
#[test]
fn one_at_a_time_has_a_row_that_was_inserted() {
    in_all_orders(4 * SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let engine = open(&disk);
        let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
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
        let (engine, ids) = with_two_rows(&disk);
        let accounts = Accounts::of(&engine, ids);
        let answered = Mutex::new(100);
        thread::scope(|scope| {
            let (engine, accounts, answered, disk) = (&engine, &accounts, &answered, &disk);
            for _ in 0..2 {
                scope.spawn(move || transfer(engine, accounts).map(drop));
            }
            scope.spawn(move || {
                for _ in 0..2 {
                    let mut reader = engine.begin(Isolation::ReadCommitted, false);
                    let Ok(found) = reader.get_locked(&accounts.a, b"k", LockMode::Shared) else { return };
                    let found = found.map_or(0, |value| number(&value));
                    if reader.wait_observed_durable().is_err() {
                        return;
                    }
                    let Ok((a, _)) = read_both(engine, accounts) else { return };
                    assert!(a <= found, "{found} was answered, {a} is seen");
                    let mut answered = answered.lock();
                    *answered = found.min(*answered);
                }
            });
            scope.spawn(move || {
                for _ in 0..3 {
                    // A plain read waits for nothing: what it sees is durable.
                    let Ok((a, b)) = read_both(engine, accounts) else { return };
                    assert_eq!(a + b, 200);
                    let mut answered = answered.lock();
                    *answered = a.min(*answered);
                }
            });
            scope.spawn(move || disk.inject(Fault::PowerCut { after: seed % 6 }));
        });
        drop((accounts, engine));
        disk.crash();
        let engine = open(&disk);
        let (a, b) = read_both(&engine, &Accounts::of(&engine, ids)).unwrap();
        assert!(a <= *answered.lock() && a + b == 200);
    });
}

/// A sync fails: whoever was told of a commit finds it when the store is opened again, nobody waits for ever, and
/// nobody is shown a half.
#[test]
fn a_failed_sync_loses_nothing_that_was_acknowledged() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, ids) = with_two_rows(&disk);
        let accounts = Accounts::of(&engine, ids);
        disk.inject(Fault::FailingSync { after: seed % 5 });
        let acknowledged = Mutex::new(0);
        thread::scope(|scope| {
            let (engine, accounts, acknowledged) = (&engine, &accounts, &acknowledged);
            for _ in 0..3 {
                scope.spawn(move || {
                    for _ in 0..2 {
                        match transfer(engine, accounts) {
                            Ok(_) => *acknowledged.lock() += 1,
                            Err(error) => {
                                let again = transfer(engine, accounts);
                                assert!(matches!(again, Err(Error::Poisoned { .. })), "{error}, {again:?}");
                                return;
                            }
                        }
                    }
                });
            }
            scope.spawn(move || {
                for _ in 0..3 {
                    if let Ok((a, b)) = read_both(engine, accounts) {
                        assert_eq!(a + b, 200);
                    }
                }
            });
        });
        drop((accounts, engine));
        disk.crash();
        let engine = open(&disk);
        let (a, b) = read_both(&engine, &Accounts::of(&engine, ids)).unwrap();
        assert!(a + b == 200 && b - 100 >= *acknowledged.lock(), "{a} {b}");
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new());
    });
}

/// A rollback, a delete and its purge beside readers: nobody sees what was taken back, and no row that is gone.
#[test]
fn what_is_taken_back_or_deleted_is_seen_by_nobody_who_should_not() {
    in_all_orders(SCHEDULES, |seed| {
        let disk = SimulatedDisk::new(seed);
        let (engine, ids) = with_two_rows(&disk);
        let accounts = Accounts::of(&engine, ids);
        thread::scope(|scope| {
            let (engine, accounts) = (&engine, &accounts);
            scope.spawn(move || {
                let mut taken_back = engine.begin(Isolation::RepeatableRead, false);
                taken_back.update(&accounts.a, b"k", &1u64.to_be_bytes()).unwrap();
                taken_back.insert(&accounts.a, b"c", &1u64.to_be_bytes()).unwrap();
                taken_back.rollback().unwrap();
                let mut deletes = engine.begin(Isolation::RepeatableRead, false);
                deletes.delete(&accounts.b, b"k").unwrap();
                deletes.commit().unwrap();
            });
            scope.spawn(move || {
                let mut was_gone = false;
                for _ in 0..3 {
                    let mut reader = engine.begin(Isolation::RepeatableRead, true);
                    assert_eq!(reader.get(&accounts.a, b"k", number).unwrap(), Some(100));
                    assert_eq!(reader.get(&accounts.a, b"c", number).unwrap(), None);
                    let is_gone = reader.get(&accounts.b, b"k", number).unwrap().is_none();
                    assert_eq!(reader.get(&accounts.b, b"k", number).unwrap().is_none(), is_gone);
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
