//! Reads of one key without a transaction: what is committed at that moment, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustydb_storage::disk::SimulatedDisk;
use rustydb_transaction::{Engine, EngineOptions, Isolation, Tree};

fn engine(background: bool) -> (Arc<Engine>, Arc<Tree>) {
    let disk = SimulatedDisk::new(1);
    let options = EngineOptions { background, ..EngineOptions::default() };
    let engine = Engine::open(Arc::new(disk.clone()), disk.clock(), &disk, options).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    (engine, tree)
}

fn now(engine: &Engine, tree: &Tree, key: &[u8]) -> Option<Vec<u8>> {
    engine.read_now(tree, key, <[u8]>::to_vec).unwrap()
}

#[test]
fn it_sees_commits_and_nothing_unfinished() {
    let (engine, tree) = engine(false);
    let begin = || engine.begin(Isolation::RepeatableRead, false);
    assert_eq!(now(&engine, &tree, b"k"), None);
    let mut first = begin();
    first.insert(&tree, b"k", b"1").unwrap();
    assert_eq!(now(&engine, &tree, b"k"), None);
    first.commit().unwrap();
    assert_eq!(now(&engine, &tree, b"k").as_deref(), Some(&b"1"[..]));
    // An old reader keeps versions in the chain.
    let mut old = begin();
    assert!(old.get(&tree, b"k", |_| ()).unwrap().is_some());
    for value in [b"2", b"3"] {
        let mut writer = begin();
        writer.update(&tree, b"k", value).unwrap();
        writer.commit().unwrap();
    }
    let mut writer = begin();
    writer.update(&tree, b"k", b"4").unwrap();
    writer.update(&tree, b"k", b"5").unwrap();
    assert_eq!(now(&engine, &tree, b"k").as_deref(), Some(&b"3"[..]));
    writer.rollback().unwrap();
    assert_eq!(now(&engine, &tree, b"k").as_deref(), Some(&b"3"[..]));
    let mut writer = begin();
    writer.delete(&tree, b"k").unwrap();
    assert_eq!(now(&engine, &tree, b"k").as_deref(), Some(&b"3"[..]));
    writer.commit().unwrap();
    assert_eq!(now(&engine, &tree, b"k"), None);
    assert_eq!(old.get(&tree, b"k", <[u8]>::to_vec).unwrap().as_deref(), Some(&b"1"[..]));
}

/// Every commit writes a larger number; what is rolled back writes a smaller one. Purge and long chains run beside.
#[test]
fn beside_writers_it_goes_forward_only() {
    let (engine, tree) = engine(true);
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let mut first = engine.begin(Isolation::RepeatableRead, false);
    for key in 0..4u8 {
        first.insert(&tree, &[key], &0i64.to_be_bytes()).unwrap();
    }
    first.commit().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (engine, tree, done) = (&engine, &tree, &done);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let (mut seen, mut reads) = ([0i64; 4], 0u64);
                    while !done.load(Ordering::Relaxed) || reads < 1_000 {
                        for (key, last) in (0u8..).zip(&mut seen) {
                            let found = engine.read_now(tree, &[key], number).unwrap();
                            // A deleted row is put back with a larger number before its commit is seen.
                            let found = found.expect("no commit leaves a key without its row");
                            assert!(found >= *last, "key {key}: {found} after {last}");
                            *last = found;
                            reads += 1;
                        }
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..2u8)
            .map(|writer| {
                scope.spawn(move || {
                    for round in 1..1_500i64 {
                        let key = [writer * 2 + (round % 2) as u8];
                        let mut transaction = engine.begin(Isolation::RepeatableRead, false);
                        transaction.update(tree, &key, &(-round).to_be_bytes()).unwrap();
                        if round % 5 == 0 {
                            transaction.delete(tree, &key).unwrap();
                            transaction.insert(tree, &key, &round.to_be_bytes()).unwrap();
                        } else {
                            transaction.update(tree, &key, &round.to_be_bytes()).unwrap();
                        }
                        if round % 7 == 0 {
                            transaction.rollback().unwrap();
                        } else {
                            transaction.commit().unwrap();
                        }
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
