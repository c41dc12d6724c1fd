//! What a snapshot that stays open costs: versions, purge lists and log do not grow with the number of updates,
//! and it sees what it saw.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::Options;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Disk, SimulatedDisk};
use rustydb_transaction::changelog::ChangeLogOptions;
use rustydb_transaction::{
    Cancel, CancelReason, Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange,
    Transaction, Tree, WaitOptions,
};

const ROWS: u32 = 100;

fn open(disk: &SimulatedDisk) -> Arc<Engine> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 256 * 4096,
        segment_bytes: 128 << 10,
        ..Options::default()
    };
    // No consumer of the change log wants what these tests want released.
    let change_log = ChangeLogOptions { bytes: 0, ..ChangeLogOptions::default() };
    let options = EngineOptions { storage, change_log, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options).unwrap()
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    engine.begin(Isolation::RepeatableRead, false)
}

fn key(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

fn fill(engine: &Arc<Engine>) -> Arc<Tree> {
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut first = begin(engine);
    for number in 0..ROWS {
        first.insert(&tree, &key(number), &[0; 100]).unwrap();
    }
    first.commit().unwrap();
    tree
}

fn rows(reader: &mut Transaction, tree: &Arc<Tree>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut scan = reader.scan(tree, KeyRange::all(), Direction::Forward).unwrap();
    let (mut found, mut batch) = (BTreeMap::new(), EntryBatch::new());
    loop {
        batch.clear();
        let more = scan.next_batch(reader, &mut batch, 50).unwrap();
        for index in 0..batch.len() {
            found.insert(batch.key(index).to_vec(), batch.value(index).to_vec());
        }
        if !more {
            return found;
        }
    }
}

/// Changes every row once, `round` written into it; every third is deleted and inserted again.
fn change_all(engine: &Arc<Engine>, tree: &Tree, round: u32) {
    for number in 0..ROWS {
        let mut transaction = begin(engine);
        if (number + round).is_multiple_of(3) {
            transaction.delete(tree, &key(number)).unwrap();
            transaction.insert(tree, &key(number), &[round as u8; 90]).unwrap();
        } else {
            transaction.update(tree, &key(number), &[round as u8; 100]).unwrap();
        }
        transaction.commit().unwrap();
    }
}

#[test]
fn an_old_snapshot_pins_one_version_of_a_key() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk);
    let tree = fill(&engine);
    let mut old = begin(&engine);
    let seen = rows(&mut old, &tree);
    let mut younger = Vec::new();
    let mut most = 0;
    for round in 1..60 {
        change_all(&engine, &tree, round);
        // Others come and go.
        if round % 10 == 0 {
            let mut reader = begin(&engine);
            let rows = rows(&mut reader, &tree);
            younger.push((reader, rows));
        }
        if round % 15 == 0 {
            younger.remove(0);
        }
        for _ in 0..2 {
            engine.purge().unwrap();
        }
        let statistics = engine.statistics();
        assert_eq!(statistics.purge_backlog, 0);
        assert_eq!(statistics.purge_parked, ROWS as usize);
        // At most one version a snapshot, of at most 100 bytes with its key and place.
        let snapshots = younger.len() + 1;
        assert!(statistics.version_bytes <= snapshots * ROWS as usize * 300, "{statistics:?}");
        most = most.max(statistics.version_bytes);
        assert_eq!(rows(&mut old, &tree), seen);
        for (reader, seen) in &mut younger {
            assert_eq!(rows(reader, &tree), *seen);
        }
    }
    assert!(most > 0);
    drop(old);
    drop(younger);
    engine.purge().unwrap();
    let statistics = engine.statistics();
    assert_eq!((statistics.version_keys, statistics.version_bytes), (0, 0));
    assert_eq!((statistics.purge_backlog, statistics.purge_parked), (0, 0));
    assert_eq!(check(engine.store()).unwrap().tombstones, 0);
}

#[test]
fn a_hot_row_keeps_a_short_chain_though_nobody_purges() {
    let disk = SimulatedDisk::new(2);
    let engine = open(&disk);
    let tree = fill(&engine);
    let mut old = begin(&engine);
    let seen = rows(&mut old, &tree);
    for round in 0..2000u32 {
        let mut transaction = begin(&engine);
        transaction.update(&tree, &key(7), &round.to_be_bytes()).unwrap();
        transaction.commit().unwrap();
        assert!(engine.statistics().version_bytes < (ROWS as usize + 20) * 150);
    }
    assert_eq!(rows(&mut old, &tree), seen);
}

/// Segments that are kept; those that wait to be used again have other names.
fn log_bytes(disk: &SimulatedDisk) -> usize {
    let is_kept = |name: &&String| name.strip_prefix("wal-").is_some_and(|first| first.len() == 16);
    disk.list().unwrap().iter().filter(is_kept).count() * (128 << 10)
}

/// Deleted rows that an old snapshot still sees do not keep the log from their deletes on, and are taken out
/// all the same after a crash.
#[test]
fn tombstones_that_wait_keep_little_log_and_survive_a_crash() {
    for seed in 0..4 {
        let disk = SimulatedDisk::new(seed);
        let engine = open(&disk);
        let tree = fill(&engine);
        let mut old = begin(&engine);
        let seen = rows(&mut old, &tree);
        let mut deletes = begin(&engine);
        for number in 0..ROWS / 2 {
            deletes.delete(&tree, &key(number)).unwrap();
        }
        deletes.commit().unwrap();
        let churn = |rounds: u32| {
            for round in 0..rounds {
                let mut transaction = begin(&engine);
                for number in ROWS / 2..ROWS {
                    transaction.update(&tree, &key(number), &[round as u8; 2000]).unwrap();
                }
                transaction.commit().unwrap();
                engine.store().log().prepare_next().unwrap();
                engine.purge().unwrap();
            }
        };
        churn(40);
        assert!(log_bytes(&disk) > 4 << 20, "{}", log_bytes(&disk));
        for _ in 0..3 {
            engine.checkpoint().unwrap();
            churn(2);
        }
        assert!(log_bytes(&disk) < 2 << 20, "{}", log_bytes(&disk));
        assert_eq!(rows(&mut old, &tree), seen);
        assert!(check(engine.store()).unwrap().tombstones > 0);
        let id = tree.id();
        drop(old);
        drop(tree);
        if seed % 2 == 0 {
            drop(engine);
            disk.crash();
        } else {
            // Closed in order, purge has taken them out.
            engine.close().unwrap();
            drop(engine);
        }
        let engine = open(&disk);
        assert_eq!(check(engine.store()).unwrap().tombstones, 0, "seed {seed}");
        assert_eq!(rows(&mut begin(&engine), &engine.tree(id).unwrap()).len(), ROWS as usize / 2);
    }
}

/// Only deletes keep log: an old snapshot beside updates does not.
#[test]
fn updates_under_an_old_snapshot_keep_no_log() {
    let disk = SimulatedDisk::new(3);
    let engine = open(&disk);
    let tree = fill(&engine);
    let mut old = begin(&engine);
    let seen = rows(&mut old, &tree);
    for round in 0..60 {
        let mut transaction = begin(&engine);
        for number in 0..ROWS {
            transaction.update(&tree, &key(number), &[round as u8; 1000]).unwrap();
        }
        transaction.commit().unwrap();
        engine.store().log().prepare_next().unwrap();
        if round % 10 == 9 {
            engine.purge().unwrap();
            engine.purge().unwrap();
            engine.checkpoint().unwrap();
            assert!(log_bytes(&disk) < 3 << 20, "{}", log_bytes(&disk));
        }
    }
    assert_eq!(rows(&mut old, &tree), seen);
}

#[test]
fn a_snapshot_that_keeps_too_much_for_too_long_is_refused() {
    for isolation in [Isolation::RepeatableRead, Isolation::Snapshot, Isolation::Serializable] {
        let disk = SimulatedDisk::new(4);
        let engine = open(&disk);
        let tree = fill(&engine);
        engine.set_max_snapshot_age(Duration::from_secs(60));
        engine.purge().unwrap();
        let mut old = engine.begin(isolation, false);
        assert_eq!(rows(&mut old, &tree).len(), ROWS as usize);
        disk.clock().advance(Duration::from_secs(50));
        engine.purge().unwrap();
        change_all(&engine, &tree, 1);
        let mut young = begin(&engine);
        let seen = rows(&mut young, &tree);
        change_all(&engine, &tree, 2);
        engine.purge().unwrap();
        assert_eq!(old.get(&tree, &key(1), <[u8]>::len).unwrap(), Some(100));
        disk.clock().advance(Duration::from_secs(20));
        engine.purge().unwrap();
        let read = old.get(&tree, &key(1), <[u8]>::len);
        assert!(matches!(read, Err(Error::SnapshotTooOld)), "{read:?}");
        let mut scan = old.scan(&tree, KeyRange::all(), Direction::Forward).unwrap();
        let scanned = scan.next_batch(&mut old, &mut EntryBatch::new(), 10);
        assert!(matches!(scanned, Err(Error::SnapshotTooOld)), "{scanned:?}");
        if isolation != Isolation::RepeatableRead {
            let written = old.update(&tree, &key(1), b"x");
            assert!(matches!(written, Err(Error::SnapshotTooOld | Error::Serialization)), "{written:?}");
        }
        assert_eq!(engine.statistics().snapshots.refused, 1);
        assert_eq!(rows(&mut young, &tree), seen);
        drop((old, young));
        engine.purge().unwrap();
        assert_eq!(engine.statistics().version_keys, 0);
    }
}

#[test]
fn a_transaction_that_keeps_too_much_log_is_refused_and_then_its_session_is_ended() {
    let disk = SimulatedDisk::new(5);
    let engine = open(&disk);
    let tree = fill(&engine);
    engine.set_max_wal_pinned(1 << 20);
    let cancel = Cancel::new();
    let mut long = begin(&engine);
    long.set_wait(WaitOptions { lock_wait: Duration::ZERO, cancel: cancel.clone() });
    long.update(&tree, &key(0), b"unfinished").unwrap();
    let churn = |bytes: u64| {
        let until = engine.store().log().end().0 + bytes;
        while engine.store().log().end().0 < until {
            let mut transaction = begin(&engine);
            transaction.update(&tree, &key(1), &[1; 2000]).unwrap();
            transaction.commit().unwrap();
            engine.store().log().prepare_next().unwrap();
            engine.purge().unwrap();
        }
    };
    churn(900 << 10);
    assert_eq!(long.get(&tree, &key(0), <[u8]>::to_vec).unwrap().unwrap(), b"unfinished");
    assert!(engine.statistics().log_pinned > 800 << 10);
    churn(200 << 10);
    assert_eq!(engine.statistics().log_refused, 1);
    assert!(matches!(long.get(&tree, &key(0), <[u8]>::to_vec), Err(Error::LogPinned)));
    assert!(matches!(long.update(&tree, &key(2), b"x"), Err(Error::LogPinned)));
    assert_eq!(cancel.reason(), None);
    churn(1 << 20);
    assert_eq!(cancel.reason(), Some(CancelReason::Killed));
    assert!(matches!(long.commit(), Err(Error::LogPinned)));
    let mut reader = begin(&engine);
    assert_eq!(reader.get(&tree, &key(0), <[u8]>::to_vec).unwrap().unwrap(), [0; 100]);
    engine.purge().unwrap();
    engine.checkpoint().unwrap();
    assert!(engine.statistics().log_pinned < 100 << 10);
}

/// An index entry that came and went since the snapshot is for nobody, and does not wait for it.
#[test]
fn rows_that_came_and_went_beside_an_old_snapshot_leave_nothing() {
    let disk = SimulatedDisk::new(6);
    let engine = open(&disk);
    let tree = fill(&engine);
    let mut old = begin(&engine);
    let seen = rows(&mut old, &tree);
    for number in ROWS..ROWS + 500 {
        let mut comes = begin(&engine);
        comes.insert(&tree, &key(number), &[1; 50]).unwrap();
        if number > ROWS {
            comes.delete(&tree, &key(number - 1)).unwrap();
        }
        comes.commit().unwrap();
        if number % 7 == 0 {
            engine.purge().unwrap();
        }
    }
    engine.purge().unwrap();
    engine.purge().unwrap();
    let statistics = engine.statistics();
    assert!(statistics.version_keys <= 2 && statistics.purge_parked <= 2, "{statistics:?}");
    assert!(check(engine.store()).unwrap().tombstones <= 1);
    assert_eq!(rows(&mut old, &tree), seen);
    assert_eq!(rows(&mut begin(&engine), &tree).len(), ROWS as usize + 1);
}

/// Beside the change log's retention and checkpoints that come as they do in the background, a load that goes on for
/// long makes no file once it is warm, and keeps no more of them.
#[test]
fn a_steady_load_uses_its_log_files_again() {
    const SEGMENT: u64 = 128 << 10;
    for retained in [0, 5, 20] {
        let disk = SimulatedDisk::new(retained);
        let storage = Options {
            page_size: 4096,
            buffer_pool_bytes: 256 * 4096,
            segment_bytes: SEGMENT,
            threads: false,
            ..Options::default()
        };
        let options = EngineOptions {
            storage,
            checkpoint_bytes: 12 * SEGMENT,
            change_log: ChangeLogOptions { bytes: retained * SEGMENT, ..ChangeLogOptions::default() },
            background: false,
            ..EngineOptions::default()
        };
        let engine = Engine::open(Arc::new(disk.clone()), disk.clock(), &disk, options).unwrap();
        let tree = fill(&engine);
        let load = |segments: u64| {
            let (end, mut most, mut round) = (engine.store().log().end().0 + segments * SEGMENT, 0, 0u8);
            while engine.store().log().end().0 < end {
                round = round.wrapping_add(1);
                let mut transaction = begin(&engine);
                for number in 0..ROWS / 4 {
                    transaction.update(&tree, &key(number * 4), &[round; 600]).unwrap();
                }
                transaction.commit().unwrap();
                engine.store().log().prepare_next().unwrap();
                engine.purge().unwrap();
                engine.write_back().unwrap();
                engine.release_log().unwrap();
                most = most.max(disk.list().unwrap().len());
            }
            most
        };
        load(100);
        let made = disk.files_made();
        let most = load(400);
        assert_eq!(disk.files_made(), made, "{retained} segments retained");
        assert!(most < 40 + retained as usize, "{most} files, {retained} segments retained");
    }
}
