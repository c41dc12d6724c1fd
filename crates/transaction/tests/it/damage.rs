//! A page that cannot be read any more, and what goes on beside it.

use std::sync::Arc;

use rustydb_storage::disk::{Caching, Disk, SimulatedDisk};
use rustydb_storage::{Lsn, Options};
use rustydb_transaction::changelog::ChangeLogOptions;
use rustydb_transaction::{Engine, EngineOptions, Error, Isolation, Transaction, Tree, TreeId};

const PAGE: usize = 4096;

fn open(disk: &SimulatedDisk) -> Arc<Engine> {
    let storage = Options {
        page_size: PAGE,
        buffer_pool_bytes: 64 * PAGE,
        segment_bytes: 128 << 10,
        threads: false,
        ..Options::default()
    };
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

fn fill(engine: &Arc<Engine>, rows: u32, bytes: usize) -> Arc<Tree> {
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut first = begin(engine);
    for number in 0..rows {
        first.insert(&tree, &key(number), &vec![1; bytes]).unwrap();
    }
    first.commit().unwrap();
    tree
}

/// Where the only page of a small tree is.
fn page_of(disk: &SimulatedDisk, tree: TreeId) -> u64 {
    let file = disk.open("pages", false, Caching::Direct).unwrap();
    let mut page = vec![0; PAGE];
    // Behind the doublewrite area.
    (132..file.len().unwrap() / PAGE as u64)
        .find(|number| {
            file.read_at(&mut page, number * PAGE as u64).unwrap();
            page[4] == 3 && page[24..28] == tree.0.to_le_bytes()
        })
        .unwrap()
}

/// Reads so much else that nothing of it is in the pool any more.
fn push_out(engine: &Arc<Engine>, other: &Tree) {
    for _ in 0..3 {
        let mut reader = begin(engine);
        for number in 0..600 {
            assert!(reader.get(other, &key(number), <[u8]>::len).unwrap().is_some());
        }
    }
}

fn tombstones(engine: &Engine) -> u64 {
    rustydb_storage::check::check(engine.store()).unwrap().tombstones
}

#[test]
fn a_damaged_page_stops_neither_purge_nor_the_release_of_the_log() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk);
    let [damaged, sound] = [(); 2].map(|()| fill(&engine, 20, 50));
    let other = fill(&engine, 600, 500);
    engine.purge().unwrap();
    let mut old = begin(&engine);
    assert!(old.get(&sound, &key(0), <[u8]>::len).unwrap().is_some());
    let mut deletes = begin(&engine);
    for number in 0..10 {
        deletes.delete(&damaged, &key(number)).unwrap();
        deletes.delete(&sound, &key(number)).unwrap();
    }
    deletes.commit().unwrap();
    engine.purge().unwrap();
    engine.checkpoint().unwrap();
    push_out(&engine, &other);
    let page = page_of(&disk, damaged.id());
    disk.flip_bit("pages", Some(page * PAGE as u64..(page + 1) * PAGE as u64)).unwrap();
    drop(old);

    engine.purge().unwrap();
    let statistics = engine.statistics();
    assert_eq!((statistics.purge_set_aside, statistics.purge_backlog, statistics.purge_parked), (10, 0, 0));
    assert!(engine.purge_damage().is_some_and(|why| why.contains(&format!("page {page} "))));
    assert_eq!(tombstones(&engine), 0);
    let mut reader = begin(&engine);
    assert!(matches!(reader.get(&damaged, &key(0), <[u8]>::len), Err(Error::Corrupt { .. })));
    drop(reader);
    // The log grows and goes.
    let mut kept = 0;
    for round in 0..40u32 {
        let mut writer = begin(&engine);
        for number in 0..100 {
            writer.update(&other, &key(number), &[round as u8; 500]).unwrap();
        }
        writer.commit().unwrap();
        engine.purge().unwrap();
        engine.checkpoint().unwrap();
        let log = engine.store().log();
        kept = kept.max(log.end().0 - log.retained_from().0);
    }
    assert!(kept < 3 << 20, "{kept} bytes of log are kept");
    assert!(engine.store().log().retained_from() > Lsn(2 << 20));
    // Purge came back for them now and then, and gave up; it works on with others.
    for _ in 0..20 {
        disk.clock().advance(std::time::Duration::from_secs(61));
        engine.purge().unwrap();
    }
    let mut deletes = begin(&engine);
    deletes.delete(&sound, &key(15)).unwrap();
    deletes.commit().unwrap();
    engine.purge().unwrap();
    assert_eq!((engine.statistics().purge_set_aside, tombstones(&engine)), (10, 0));

    // Nor does it keep the store shut.
    let (damaged, sound) = (damaged.id(), sound.id());
    drop((other, engine));
    disk.crash();
    let engine = open(&disk);
    assert!(engine.purge_damage().is_some());
    let mut reader = begin(&engine);
    let sound = engine.tree(sound).unwrap();
    assert_eq!(reader.get(&sound, &key(12), <[u8]>::len).unwrap(), Some(50));
    assert_eq!(reader.get(&sound, &key(1), <[u8]>::len).unwrap(), None);
    drop(reader);
    let damaged = engine.tree(damaged).unwrap();
    let mut reader = begin(&engine);
    assert!(matches!(reader.get(&damaged, &key(12), <[u8]>::len), Err(Error::Corrupt { .. })));
}

/// What cannot be read for a while is purged when it can be read again.
#[test]
fn purge_comes_back_for_a_page_that_could_not_be_read() {
    let disk = SimulatedDisk::new(2);
    let engine = open(&disk);
    let tree = fill(&engine, 20, 50);
    let other = fill(&engine, 600, 500);
    engine.purge().unwrap();
    let mut old = begin(&engine);
    assert!(old.get(&tree, &key(0), <[u8]>::len).unwrap().is_some());
    let mut deletes = begin(&engine);
    for number in 0..10 {
        deletes.delete(&tree, &key(number)).unwrap();
    }
    deletes.commit().unwrap();
    engine.checkpoint().unwrap();
    push_out(&engine, &other);
    let at = page_of(&disk, tree.id()) * PAGE as u64;
    let file = disk.open("pages", false, Caching::Direct).unwrap();
    let mut good = vec![0; PAGE];
    file.read_at(&mut good, at).unwrap();
    file.write_at(&[0xFF; 700], at + 200).unwrap();
    drop(old);
    engine.purge().unwrap();
    assert_eq!(engine.statistics().purge_set_aside, 10);
    file.write_at(&good, at).unwrap();
    engine.purge().unwrap();
    assert_eq!((engine.statistics().purge_set_aside, tombstones(&engine)), (10, 10));
    disk.clock().advance(std::time::Duration::from_secs(61));
    engine.purge().unwrap();
    assert_eq!((engine.statistics().purge_set_aside, tombstones(&engine)), (0, 0));
    assert_eq!(engine.purge_damage(), None);
}
