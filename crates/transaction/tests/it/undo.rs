//! Large transactions and long snapshots in little memory: images of rows go to files, and at the limit whoever
//! fills it is told.

use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::disk::{Disk, Fault, SimulatedDisk};
use rustydb_transaction::{Engine, EngineOptions, Error, Isolation, Transaction, Tree};

const ROWS: u32 = 3_000;

fn open(disk: &SimulatedDisk, undo_memory: u64) -> Arc<Engine> {
    let options = EngineOptions { undo_memory, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options).unwrap()
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    engine.begin(Isolation::RepeatableRead, false)
}

fn fill(engine: &Arc<Engine>) -> Arc<Tree> {
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    for chunk in 0..ROWS / 500 {
        let mut first = begin(engine);
        for number in chunk * 500..(chunk + 1) * 500 {
            first.insert(&tree, &number.to_be_bytes(), &row(number, 0)).unwrap();
        }
        first.commit().unwrap();
        engine.purge().unwrap();
    }
    tree
}

fn row(number: u32, round: u8) -> Vec<u8> {
    [number.to_be_bytes().as_slice(), &[round; 400]].concat()
}

fn check(reader: &mut Transaction, tree: &Tree, round: u8) {
    for number in 0..ROWS {
        let found = reader.get(tree, &number.to_be_bytes(), <[u8]>::to_vec).unwrap();
        assert_eq!(found, Some(row(number, round)));
    }
}

fn temporary(disk: &SimulatedDisk) -> usize {
    disk.list().unwrap().iter().filter(|name| name.starts_with("versions-")).count()
}

#[test]
fn images_that_memory_has_no_room_for_are_read_and_put_back_from_files() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, 1 << 20);
    let tree = fill(&engine);
    let mut old = begin(&engine);
    check(&mut old, &tree, 0);
    for (round, commits) in [(1, false), (2, true)] {
        let mut large = begin(&engine);
        for number in 0..ROWS {
            large.update(&tree, &number.to_be_bytes(), &row(number, round)).unwrap();
        }
        let statistics = engine.statistics();
        assert!(statistics.version_spilled > 500_000, "{statistics:?}");
        assert!(statistics.version_bytes < 1 << 20, "{statistics:?}");
        assert!(temporary(&disk) > 0);
        check(&mut large, &tree, round);
        check(&mut old, &tree, 0);
        if commits {
            large.commit().unwrap();
        } else {
            large.rollback().unwrap();
            check(&mut begin(&engine), &tree, 0);
        }
        engine.purge().unwrap();
    }
    check(&mut old, &tree, 0);
    check(&mut begin(&engine), &tree, 2);
    old.rollback().unwrap();
    engine.purge().unwrap();
    engine.purge().unwrap();
    let statistics = engine.statistics();
    assert_eq!((statistics.version_keys, statistics.version_bytes, statistics.version_spilled), (0, 0, 0));
    assert_eq!(temporary(&disk), 0);
}

#[test]
fn what_a_crash_leaves_of_them_is_removed_and_the_log_takes_back() {
    let disk = SimulatedDisk::new(2);
    let id = {
        let engine = open(&disk, 1 << 20);
        let tree = fill(&engine);
        let mut large = begin(&engine);
        for number in 0..ROWS {
            large.update(&tree, &number.to_be_bytes(), &row(number, 1)).unwrap();
        }
        engine.store().log().flush(engine.store().log().end()).unwrap();
        disk.sync_directory().unwrap();
        disk.inject(Fault::PowerCut { after: 0 });
        tree.id()
    };
    disk.crash();
    let engine = open(&disk, 1 << 20);
    assert_eq!(temporary(&disk), 0);
    check(&mut begin(&engine), &engine.tree(id).unwrap(), 0);
}

#[test]
fn a_transaction_that_fills_the_memory_is_refused_and_small_ones_go_on() {
    let disk = SimulatedDisk::new(3);
    let engine = open(&disk, 256 << 10);
    let tree = fill(&engine);
    let mut large = begin(&engine);
    let mut changed = 0;
    let refused = loop {
        match large.update(&tree, &u32::to_be_bytes(changed), &row(changed, 1)) {
            Ok(()) => changed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::UndoFull), "{refused}");
    assert!((1_000..2_000).contains(&changed), "{changed}");
    let mut small = begin(&engine);
    small.insert(&tree, b"small", b"1").unwrap();
    small.commit().unwrap();
    // What it had is there, and can be taken back.
    let seen = large.get(&tree, &0u32.to_be_bytes(), <[u8]>::to_vec).unwrap();
    assert_eq!(seen, Some(row(0, 1)));
    large.rollback().unwrap();
    check(&mut begin(&engine), &tree, 0);
    engine.set_undo_memory(1 << 30);
    let mut large = begin(&engine);
    for number in 0..ROWS {
        large.update(&tree, &number.to_be_bytes(), &row(number, 2)).unwrap();
    }
    large.commit().unwrap();
}

#[test]
fn a_snapshot_that_has_been_in_use_for_long_gives_way_when_memory_is_full() {
    let disk = SimulatedDisk::new(4);
    let engine = open(&disk, 256 << 10);
    let tree = fill(&engine);
    engine.purge().unwrap();
    let mut old = begin(&engine);
    check(&mut old, &tree, 0);
    let change = |from: u32, to: u32| {
        let mut small = begin(&engine);
        for number in from..to {
            small.update(&tree, &number.to_be_bytes(), &row(number, 1)).unwrap();
        }
        small.commit().unwrap();
        engine.purge().unwrap();
    };
    change(0, 500);
    disk.clock().advance(Duration::from_secs(90));
    change(500, 900);
    assert!(old.get(&tree, b"x", <[u8]>::len).is_ok(), "there is room for it");
    for from in [900, 1_600, 2_200] {
        change(from, from + 600);
    }
    let read = old.get(&tree, &0u32.to_be_bytes(), <[u8]>::to_vec);
    assert!(matches!(read, Err(Error::SnapshotTooOld)), "{read:?}");
    engine.purge().unwrap();
    assert_eq!(engine.statistics().version_keys, 0);
}
