//! What is answered when the disk fails or is full, and what a crash makes of trees that were going.

use std::sync::Arc;

use rustydb_storage::Options;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_transaction::{
    Direction, Durability, Engine, EngineOptions, Error, Isolation, KeyRange, LockMode, Transaction,
};

fn open(disk: &SimulatedDisk) -> Result<Arc<Engine>, Error> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        // Room for what a test takes back on a full disk: one segment is kept ready for that.
        segment_bytes: 1 << 20,
        durability: Durability::Commit,
        threads: false,
    };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    engine.begin(Isolation::RepeatableRead, false)
}

/// A commit that could not be logged lets its locks go; what it wrote is shown to nobody.
#[test]
fn after_a_failed_commit_nobody_reads_what_it_wrote() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut first = begin(&engine);
    first.insert(&tree, b"k", b"old").unwrap();
    first.commit().unwrap();
    let mut second = begin(&engine);
    second.update(&tree, b"k", b"new").unwrap();
    disk.inject(Fault::FailingSync { after: 0 });
    assert!(second.commit().is_err());
    let mut reader = begin(&engine);
    let read = reader.get_locked(&tree, b"k", LockMode::Shared);
    assert!(matches!(read, Err(Error::Poisoned { .. })), "{read:?}");
    let mut scan = reader.scan_locked(&tree, KeyRange::all(), Direction::Forward, LockMode::Shared).unwrap();
    assert!(matches!(scan.next(&mut reader), Err(Error::Poisoned { .. })));
    // Nor by its snapshot: who was in the midst of a change may have left it in the leaf.
    let plain = reader.get(&tree, b"k", <[u8]>::to_vec);
    assert!(matches!(plain, Err(Error::Poisoned { .. })), "{plain:?}");
}

/// On a full disk a transaction that made rows smaller takes that back, splits and all.
#[test]
fn a_full_disk_does_not_keep_a_transaction_from_going_back() {
    for seed in 0..12 {
        let disk = SimulatedDisk::new(seed);
        let engine = open(&disk).unwrap();
        let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
        let key = |number: u32| number.to_be_bytes();
        let mut first = begin(&engine);
        for number in 0..200 {
            first.insert(&tree, &key(number), &[1; 500]).unwrap();
        }
        first.commit().unwrap();
        engine.purge().unwrap();
        engine.checkpoint().unwrap();
        let mut shrinks = begin(&engine);
        for number in 0..200 {
            shrinks.update(&tree, &key(number), b"").unwrap();
        }
        let mut grows = begin(&engine);
        let mut is_full = false;
        for number in 0..4000u32 {
            let between = [&key(number % 200)[..], &number.to_be_bytes()].concat();
            engine
                .store()
                .log()
                .prepare_next()
                .or_else(|error| match error {
                    rustydb_storage::Error::DiskFull { .. } => Ok(()),
                    other => Err(other),
                })
                .unwrap();
            if number == 20 {
                disk.inject(Fault::Full { capacity: disk.used() + seed * 20_000 });
            }
            match grows.insert(&tree, &between, &[2; 700]) {
                Ok(()) => engine.store().log().flush(engine.store().log().end()).unwrap(),
                Err(Error::DiskFull) => {
                    is_full = true;
                    break;
                }
                Err(other) => panic!("seed {seed}: {other}"),
            }
        }
        assert!(is_full);
        shrinks.rollback().unwrap();
        drop(grows);
        let mut reader = begin(&engine);
        for number in 0..200 {
            let found = reader.get(&tree, &key(number), <[u8]>::len).unwrap();
            assert_eq!(found, Some(500), "seed {seed}");
        }
        drop(reader);
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new());
    }
}

/// Deleted rows of a tree that a crash has left half dropped do not keep the store from opening.
#[test]
fn a_half_dropped_tree_does_not_keep_the_store_shut() {
    for seed in 0..15 {
        let disk = SimulatedDisk::new(seed);
        {
            let engine = open(&disk).unwrap();
            let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
            let key = |number: u32| [&number.to_be_bytes()[..], &[b'k'; 200]].concat();
            let mut writer = begin(&engine);
            for number in 0..300 {
                writer.insert(&tree, &key(number), &[1; 300]).unwrap();
            }
            writer.commit().unwrap();
            let mut writer = begin(&engine);
            for number in (0..300).step_by(7) {
                writer.delete(&tree, &key(number)).unwrap();
            }
            writer.commit().unwrap();
            disk.inject(Fault::PowerCut { after: disk.random_below(40) });
            let id = tree.id();
            std::thread::scope(|scope| {
                let dropping = scope.spawn(|| engine.drop_tree(id));
                let log = engine.store().log();
                while log.flush(log.end()).is_ok() && !dropping.is_finished() {}
            });
        }
        disk.crash();
        let engine = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new(), "seed {seed}");
        for id in engine.trees().unwrap() {
            engine.drop_tree(id).unwrap();
        }
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new(), "seed {seed}");
    }
}

/// That a row is gone is an answer too: it is given only once the delete is durable.
#[test]
fn a_locking_scan_waits_for_the_delete_it_saw() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut first = begin(&engine);
    first.insert(&tree, b"k", b"v").unwrap();
    first.commit().unwrap();
    // A commit whose locks are gone and whose record is not durable: as seen while another thread flushes.
    std::thread::scope(|scope| {
        disk.inject(Fault::FailingSync { after: 0 });
        let mut second = begin(&engine);
        second.delete(&tree, b"k").unwrap();
        let committing = scope.spawn(move || second.commit());
        assert!(committing.join().unwrap().is_err());
    });
    let mut reader = begin(&engine);
    let mut scan = reader.scan_locked(&tree, KeyRange::all(), Direction::Forward, LockMode::Shared).unwrap();
    let answer = scan.next(&mut reader).and_then(|row| reader.wait_observed_durable().map(|()| row));
    assert!(answer.is_err(), "{answer:?}");
    assert!(reader.commit().is_err() || answer.is_err());
}
