//! The disk is full at any write: statements are refused and say so, what they began is taken back, nothing that was
//! acknowledged is lost, and the store goes on when there is room again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustydb_storage::Options;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_transaction::{
    Direction, Durability, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, Transaction, Tree,
    TreeId,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(disk: &SimulatedDisk, segment_bytes: u64) -> Result<Arc<Engine>, Error> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        segment_bytes,
        durability: Durability::Commit,
        threads: false,
    };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    engine.begin(Isolation::RepeatableRead, false)
}

fn rows(engine: &Arc<Engine>, tree: &Arc<Tree>) -> Rows {
    let mut reader = begin(engine);
    let mut scan = reader.scan(tree, KeyRange::all(), Direction::Forward).unwrap();
    let (mut found, mut batch) = (Rows::new(), EntryBatch::new());
    loop {
        batch.clear();
        let more = scan.next_batch(&mut reader, &mut batch, 50).unwrap();
        found.extend((0..batch.len()).map(|index| (batch.key(index).to_vec(), batch.value(index).to_vec())));
        if !more {
            return found;
        }
    }
}

/// What threads do meanwhile, whose failures nobody sees.
fn keep_house(engine: &Engine, checkpoints: bool) {
    let _ = engine.store().log().prepare_next();
    let _ = engine.purge();
    if checkpoints {
        let _ = engine.checkpoint();
    }
}

/// One transaction of several statements; each that is refused for want of room is taken back by itself.
/// `attempted` is what it would leave, where it fails.
fn transaction(
    engine: &Arc<Engine>,
    tree: &Tree,
    disk: &SimulatedDisk,
    known: &Rows,
    attempted: &mut Rows,
) -> Result<Rows, Error> {
    let mut rows = known.clone();
    let mut writes = begin(engine);
    for _ in 0..=disk.random_below(8) {
        let mark = writes.begin_statement();
        let before = rows.clone();
        let statement = (|| {
            for _ in 0..=disk.random_below(6) {
                let key = (disk.random_below(60) as u16).to_be_bytes().to_vec();
                let length = [10, 300, 700, 3000][disk.random_below(4) as usize];
                let value = vec![disk.random_below(256) as u8; length];
                match (rows.contains_key(&key), disk.random_below(3)) {
                    (true, 0) => {
                        writes.delete(tree, &key)?;
                        rows.remove(&key);
                    }
                    (true, _) => {
                        writes.update(tree, &key, &value)?;
                        rows.insert(key, value);
                    }
                    (false, _) => {
                        writes.insert(tree, &key, &value)?;
                        rows.insert(key, value);
                    }
                }
            }
            Ok(())
        })();
        match statement {
            Ok(()) => {}
            Err(Error::DiskFull) => {
                writes.rollback_statement(mark)?;
                rows = before;
            }
            Err(other) => return Err(other),
        }
    }
    if disk.random_below(4) == 0 {
        writes.rollback()?;
        return Ok(known.clone());
    }
    attempted.clone_from(&rows);
    writes.commit()?;
    Ok(rows)
}

fn prepared(seed: u64) -> (SimulatedDisk, Arc<Engine>, TreeId, Rows) {
    let disk = SimulatedDisk::new(seed);
    let engine = open(&disk, 64 << 10).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut known = Rows::new();
    for _ in 0..10 {
        known = transaction(&engine, &tree, &disk, &known, &mut Rows::new()).unwrap();
        keep_house(&engine, false);
    }
    (disk, engine, tree.id(), known)
}

/// No file can grow from the n-th time on: nothing stops, whichever n.
#[test]
fn a_disk_that_fills_at_any_growth_stops_no_store() {
    let mut refused = 0;
    for after in 0..60 {
        let (disk, engine, id, mut known) = prepared(after);
        let tree = engine.tree(id).unwrap();
        disk.inject(Fault::FullAtGrowth { after });
        for round in 0..40 {
            let done = transaction(&engine, &tree, &disk, &known, &mut Rows::new());
            known = done.unwrap_or_else(|error| panic!("after {after}, round {round}: {error}"));
            keep_house(&engine, round % 10 == 9);
        }
        refused +=
            u64::from(matches!(begin(&engine).insert(&tree, b"more", &[1; 900]), Err(Error::DiskFull)));
        assert_eq!(rows(&engine, &tree), known, "after {after}");
        disk.make_room();
        for _ in 0..10 {
            known = transaction(&engine, &tree, &disk, &known, &mut Rows::new()).unwrap();
        }
        begin(&engine).insert(&tree, b"more", &[1; 900]).unwrap();
        assert_eq!(rows(&engine, &tree), known, "after {after}");
        drop((tree, engine));
        disk.crash();
        let engine = open(&disk, 64 << 10).unwrap();
        assert_eq!(rows(&engine, &engine.tree(id).unwrap()), known, "after {after}");
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new(), "after {after}");
    }
    assert!(refused > 30, "{refused}");
}

/// Even a write within a file fails from the n-th on. Then a store may stop, but loses nothing that it has
/// acknowledged, and opens again when there is room.
#[test]
fn a_disk_that_fills_at_any_write_loses_nothing() {
    let (mut stopped, mut refused_to_open) = (0, 0);
    for after in 0..80 {
        let (disk, engine, id, mut known) = prepared(after);
        let mut attempted = known.clone();
        {
            let tree = engine.tree(id).unwrap();
            disk.inject(Fault::NoSpace { after });
            for round in 0..30 {
                match transaction(&engine, &tree, &disk, &known, &mut attempted) {
                    Ok(rows) => known = rows,
                    Err(error) => {
                        assert!(
                            matches!(error, Error::Poisoned { .. } | Error::DiskFull),
                            "{after}: {error}"
                        );
                        let again = transaction(&engine, &tree, &disk, &known, &mut Rows::new());
                        assert!(again.is_err());
                        stopped += 1;
                        break;
                    }
                }
                keep_house(&engine, round % 7 == 6);
            }
        }
        drop(engine);
        disk.make_room();
        disk.inject(Fault::NoSpace { after: after % 7 });
        refused_to_open += u64::from(open(&disk, 64 << 10).is_err());
        if after % 2 == 0 {
            disk.crash()
        } else {
            disk.heal()
        }
        let engine = open(&disk, 64 << 10).unwrap();
        let tree = engine.tree(id).unwrap();
        let found = rows(&engine, &tree);
        // What was being committed when the store stopped has happened or not.
        assert!(found == known || found == attempted, "after {after}");
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new(), "after {after}");
        let next = transaction(&engine, &tree, &disk, &found, &mut Rows::new()).unwrap();
        assert_eq!(rows(&engine, &tree), next);
    }
    assert!(stopped > 20 && refused_to_open > 10, "{stopped} {refused_to_open}");
}

/// A transaction that has written many segments' worth goes back on a disk without a byte to spare, and so do two.
#[test]
fn a_rollback_of_many_segments_goes_through_on_a_full_disk() {
    for seed in 0..6 {
        let disk = SimulatedDisk::new(seed);
        let engine = open(&disk, 128 << 10).unwrap();
        let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
        let key = |number: u32| number.to_be_bytes();
        let mut first = begin(&engine);
        for number in 0..1500 {
            first.insert(&tree, &key(number), &[1; 500]).unwrap();
        }
        first.commit().unwrap();
        engine.purge().unwrap();
        engine.checkpoint().unwrap();
        let before = rows(&engine, &tree);
        let mut many = [begin(&engine), begin(&engine)];
        for round in 0..3u8 {
            for number in 0..1500 {
                // Rows that shrink, so that pages have to split on the way back.
                let value = vec![round; if round == 2 { 3 } else { 520 }];
                many[number as usize % 2].update(&tree, &key(number), &value).unwrap();
                keep_house(&engine, false);
            }
        }
        // Somebody fills what the rows have left free.
        let mut others = begin(&engine);
        for number in 0..1500 {
            let between = [&key(number)[..], b"x"].concat();
            others.insert(&tree, &between, &[9; 300]).unwrap();
        }
        others.commit().unwrap();
        assert!(engine.store().log().end().0 > 20 * (128 << 10));
        disk.inject(Fault::Full { capacity: disk.used() });
        let [one, two] = many;
        if seed % 2 == 0 {
            one.rollback().unwrap();
            two.rollback().unwrap();
        } else {
            // It is the next opening that takes them back.
            engine.store().log().flush(engine.store().log().end()).unwrap();
            disk.inject(Fault::PowerCut { after: 0 });
            drop((one, two));
            let id = tree.id();
            drop((tree, engine));
            let used = disk.used();
            disk.crash();
            disk.inject(Fault::Full { capacity: used });
            let engine = open(&disk, 128 << 10).unwrap();
            let tree = engine.tree(id).unwrap();
            let mut found = rows(&engine, &tree);
            found.retain(|key, _| key.len() == 4);
            assert!(found == before, "seed {seed}");
            continue;
        }
        let mut found = rows(&engine, &tree);
        found.retain(|key, _| key.len() == 4);
        assert!(found == before, "seed {seed}");
        disk.make_room();
        let mut last = begin(&engine);
        last.insert(&tree, b"last", b"row").unwrap();
        last.commit().unwrap();
        keep_house(&engine, true);
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new());
    }
}
