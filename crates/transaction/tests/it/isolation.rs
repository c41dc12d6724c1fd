//! What two transactions see of each other.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::disk::SimulatedDisk;
use rustydb_transaction::{
    Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, LockMode, Transaction, Tree,
    WaitOptions,
};

fn engine() -> (Arc<Engine>, Arc<Tree>) {
    let disk = SimulatedDisk::new(1);
    let options = EngineOptions { background: false, ..EngineOptions::default() };
    let engine = Engine::open(Arc::new(disk.clone()), disk.clock(), &disk, options).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    (engine, tree)
}

fn begin(engine: &Arc<Engine>, isolation: Isolation) -> Transaction {
    let mut transaction = engine.begin(isolation, false);
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    transaction
}

fn read(transaction: &mut Transaction, tree: &Tree, key: &str) -> Option<String> {
    transaction.get(tree, key.as_bytes(), |value| String::from_utf8(value.to_vec()).unwrap()).unwrap()
}

fn list(transaction: &mut Transaction, tree: &Arc<Tree>, direction: Direction) -> Vec<String> {
    let mut scan = transaction.scan(tree, KeyRange::all(), direction).unwrap();
    let mut found = Vec::new();
    let mut batch = EntryBatch::new();
    loop {
        batch.clear();
        let more = scan.next_batch(transaction, &mut batch, 3).unwrap();
        for index in 0..batch.len() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            found.push(format!("{}={}", text(batch.key(index)), text(batch.value(index))));
        }
        if !more {
            return found;
        }
    }
}

fn put(engine: &Arc<Engine>, tree: &Tree, rows: &[(&str, &str)]) {
    let mut transaction = begin(engine, Isolation::RepeatableRead);
    for (key, value) in rows {
        transaction.insert(tree, key.as_bytes(), value.as_bytes()).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_snapshot_stays_and_a_new_one_moves_on() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("a", "1"), ("b", "1"), ("c", "1")]);
    let mut reader = begin(&engine, Isolation::RepeatableRead);
    let mut statement = begin(&engine, Isolation::ReadCommitted);
    assert_eq!(read(&mut reader, &tree, "a").as_deref(), Some("1"));
    assert_eq!(read(&mut statement, &tree, "a").as_deref(), Some("1"));
    let mut writer = begin(&engine, Isolation::RepeatableRead);
    writer.update(&tree, b"a", b"2").unwrap();
    writer.delete(&tree, b"b").unwrap();
    writer.insert(&tree, b"d", b"2").unwrap();
    assert_eq!(list(&mut writer, &tree, Direction::Forward), ["a=2", "c=1", "d=2"]);
    for other in [&mut reader, &mut statement] {
        other.begin_statement();
        assert_eq!(list(other, &tree, Direction::Forward), ["a=1", "b=1", "c=1"]);
    }
    writer.commit().unwrap();
    engine.purge().unwrap();
    assert_eq!(list(&mut reader, &tree, Direction::Forward), ["a=1", "b=1", "c=1"]);
    assert_eq!(list(&mut reader, &tree, Direction::Backward), ["c=1", "b=1", "a=1"]);
    statement.begin_statement();
    assert_eq!(list(&mut statement, &tree, Direction::Backward), ["d=2", "c=1", "a=2"]);
    drop((reader, statement));
    engine.purge().unwrap();
    let statistics = engine.statistics();
    assert_eq!((statistics.version_keys, statistics.version_bytes, statistics.purge_backlog), (0, 0, 0));
    assert_eq!(rustydb_storage::check::check(engine.store()).unwrap().tombstones, 0);
}

#[test]
fn a_counter_loses_no_increment() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("n", "5")]);
    let mut first = begin(&engine, Isolation::RepeatableRead);
    let mut second = begin(&engine, Isolation::RepeatableRead);
    assert_eq!(read(&mut second, &tree, "n").as_deref(), Some("5"));
    assert_eq!(first.get_locked(&tree, b"n", LockMode::Exclusive).unwrap().unwrap(), b"5");
    first.update(&tree, b"n", b"6").unwrap();
    assert!(matches!(second.get_locked(&tree, b"n", LockMode::Exclusive), Err(Error::LockWaitTimeout)));
    first.commit().unwrap();
    // The snapshot still says 5, the read that decides says 6.
    assert_eq!(read(&mut second, &tree, "n").as_deref(), Some("5"));
    assert_eq!(second.get_locked(&tree, b"n", LockMode::Exclusive).unwrap().unwrap(), b"6");
    second.update(&tree, b"n", b"7").unwrap();
    assert_eq!(read(&mut second, &tree, "n").as_deref(), Some("7"));
    second.commit().unwrap();
}

#[test]
fn rollbacks_take_back_the_last_first() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("a", "1"), ("b", "1")]);
    let mut transaction = begin(&engine, Isolation::RepeatableRead);
    transaction.update(&tree, b"a", b"2").unwrap();
    let savepoint = transaction.savepoint();
    transaction.update(&tree, b"a", b"3").unwrap();
    transaction.delete(&tree, b"b").unwrap();
    transaction.insert(&tree, b"b", b"again").unwrap();
    let mark = transaction.begin_statement();
    transaction.insert(&tree, b"c", b"1").unwrap();
    assert!(matches!(transaction.insert(&tree, b"a", b"x"), Err(Error::DuplicateKey)));
    transaction.rollback_statement(mark).unwrap();
    assert_eq!(list(&mut transaction, &tree, Direction::Forward), ["a=3", "b=again"]);
    transaction.rollback_to(savepoint).unwrap();
    assert_eq!(list(&mut transaction, &tree, Direction::Forward), ["a=2", "b=1"]);
    transaction.rollback().unwrap();
    let mut reader = begin(&engine, Isolation::ReadCommitted);
    assert_eq!(list(&mut reader, &tree, Direction::Forward), ["a=1", "b=1"]);
    assert_eq!(engine.locks().row_count(), 0);
}

/// What stands in the way is found before the first change or by a later one: what is held is the same.
#[test]
fn a_duplicate_is_locked_shared_and_a_new_key_exclusively() {
    for writes_before in [false, true] {
        let (engine, tree) = engine();
        put(&engine, &tree, &[("a", "1"), ("b", "1")]);
        let mut first = begin(&engine, Isolation::RepeatableRead);
        if writes_before {
            first.insert(&tree, b"x", b"1").unwrap();
        }
        let changes = usize::from(writes_before);
        assert!(matches!(first.insert(&tree, b"a", b"2"), Err(Error::DuplicateKey)));
        assert_eq!(first.has_writes(), writes_before);
        let mut second = begin(&engine, Isolation::RepeatableRead);
        assert_eq!(second.get_locked(&tree, b"a", LockMode::Shared).unwrap().unwrap(), b"1");
        assert!(matches!(second.update(&tree, b"a", b"3"), Err(Error::LockWaitTimeout)));
        second.rollback().unwrap();

        // Others hold it shared; it is a duplicate all the same, and nobody has to wait.
        let mut third = begin(&engine, Isolation::RepeatableRead);
        third.get_locked(&tree, b"b", LockMode::Shared).unwrap();
        assert!(matches!(first.insert(&tree, b"b", b"2"), Err(Error::DuplicateKey)));
        third.rollback().unwrap();

        // Its own row, and a row that it has deleted itself.
        first.insert(&tree, b"n", b"1").unwrap();
        assert!(matches!(first.insert(&tree, b"n", b"2"), Err(Error::DuplicateKey)));
        first.delete(&tree, b"n").unwrap();
        first.insert(&tree, b"n", b"3").unwrap();
        let mut fourth = begin(&engine, Isolation::RepeatableRead);
        let looked = fourth.get_locked(&tree, b"n", LockMode::Shared);
        assert!(matches!(looked, Err(Error::LockWaitTimeout)), "{looked:?}");
        fourth.rollback().unwrap();
        assert_eq!(engine.locks().row_count(), 3 + changes);
        first.commit().unwrap();
        assert_eq!(engine.locks().row_count(), 0);
    }
}

/// A transaction that has only met duplicates leaves nothing in the log.
#[test]
fn duplicates_alone_are_no_writes() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("a", "1")]);
    let end = engine.store().log().end();
    let mut transaction = begin(&engine, Isolation::RepeatableRead);
    assert!(matches!(transaction.insert(&tree, b"a", b"2"), Err(Error::DuplicateKey)));
    assert_eq!(transaction.commit().unwrap().csn, 0);
    assert_eq!(engine.store().log().end(), end);
}

#[test]
fn locked_ranges_keep_phantoms_out() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("b", "1"), ("d", "1"), ("h", "1")]);
    let range = KeyRange { low: Bound::Included(b"b".to_vec()), high: Bound::Excluded(b"f".to_vec()) };
    for direction in [Direction::Forward, Direction::Backward] {
        for (isolation, blocked) in
            [(Isolation::RepeatableRead, vec!["c", "e", "g"]), (Isolation::ReadCommitted, Vec::new())]
        {
            let mut reader = begin(&engine, isolation);
            let mut scan = reader.scan_locked(&tree, range.clone(), direction, LockMode::Exclusive).unwrap();
            let mut count = 0;
            while scan.next(&mut reader).unwrap().is_some() {
                count += 1;
            }
            assert_eq!(count, 2);
            for key in ["a", "c", "e", "g", "i"] {
                let mut other = begin(&engine, Isolation::RepeatableRead);
                let inserted = other.insert(&tree, key.as_bytes(), b"x");
                let is_blocked = matches!(inserted, Err(Error::LockWaitTimeout));
                // Backward, the gap behind the range is not passed.
                let expected = blocked.contains(&key) && !(key == "g" && direction == Direction::Backward);
                let before_range = key == "a" && is_blocked && direction == Direction::Backward;
                assert!(
                    is_blocked == expected || before_range,
                    "{isolation:?} {direction:?} {key}: {inserted:?}"
                );
            }
        }
    }
    let mut reader = begin(&engine, Isolation::RepeatableRead);
    assert_eq!(reader.get_locked(&tree, b"e", LockMode::Shared).unwrap(), None);
    for (key, is_free) in [("c", true), ("e", false), ("f", false), ("i", true)] {
        let mut other = begin(&engine, Isolation::RepeatableRead);
        assert_eq!(other.insert(&tree, key.as_bytes(), b"x").is_ok(), is_free, "{key}");
    }
}

#[test]
fn a_deadlock_ends_at_once() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("a", "0"), ("b", "0")]);
    let barrier = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let run = |first: &'static [u8], second: &'static [u8]| {
            let (engine, tree, barrier) = (&engine, &tree, &barrier);
            move || {
                let mut transaction = engine.begin(Isolation::RepeatableRead, false);
                transaction.update(tree, first, b"1").unwrap();
                barrier.wait();
                match transaction.update(tree, second, b"1") {
                    Ok(()) => transaction.commit().map(|_| true).unwrap(),
                    Err(Error::Deadlock) => transaction.rollback().map(|()| false).unwrap(),
                    Err(other) => panic!("{other}"),
                }
            }
        };
        let one = scope.spawn(run(b"a", b"b"));
        let two = scope.spawn(run(b"b", b"a"));
        assert_ne!(one.join().unwrap(), two.join().unwrap());
    });
}

#[test]
fn threads_transfer_and_the_sum_stays() {
    let (engine, tree) = engine();
    let keys: Vec<String> = (0..10).map(|number| format!("k{number}")).collect();
    let rows: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "100")).collect();
    put(&engine, &tree, &rows);
    let sum = |transaction: &mut Transaction| -> i64 {
        let rows = list(transaction, &tree, Direction::Forward);
        rows.iter().map(|row| row.split('=').nth(1).unwrap().parse::<i64>().unwrap()).sum()
    };
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (engine, tree, keys, sum) = (&engine, &tree, &keys, &sum);
            scope.spawn(move || {
                for round in 0..200u64 {
                    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
                    let from = &keys[((thread * 7 + round * 3) % 10) as usize];
                    let to = &keys[((thread * 3 + round * 7 + 1) % 10) as usize];
                    let mut step = |key: &str, change: i64| -> Result<(), Error> {
                        let value =
                            transaction.get_locked(tree, key.as_bytes(), LockMode::Exclusive)?.unwrap();
                        let value: i64 = String::from_utf8(value).unwrap().parse().unwrap();
                        transaction.update(tree, key.as_bytes(), (value + change).to_string().as_bytes())
                    };
                    match step(from, -1).and_then(|()| step(to, 1)) {
                        Ok(()) => drop(transaction.commit().unwrap()),
                        Err(Error::Deadlock) => transaction.rollback().unwrap(),
                        Err(other) => panic!("{other}"),
                    }
                    let mut reader = engine.begin(Isolation::ReadCommitted, true);
                    assert_eq!(sum(&mut reader), 1000);
                    if round % 20 == 0 {
                        engine.purge().unwrap();
                    }
                }
            });
        }
    });
    engine.purge().unwrap();
    assert_eq!(engine.statistics().version_keys, 0);
    assert_eq!((engine.locks().row_count(), engine.locks().range_count()), (0, 0));
}

/// Values of a range, leaf by leaf.
fn leaves(
    transaction: &mut Transaction,
    tree: &Arc<Tree>,
    range: &KeyRange,
    direction: Direction,
) -> Vec<Vec<u8>> {
    let mut scan = transaction.scan(tree, range.clone(), direction).unwrap();
    let (mut spare, mut found) = (EntryBatch::new(), Vec::new());
    let take = |found: &mut Vec<Vec<u8>>, values: &[&[u8]]| found.extend(values.iter().map(|v| v.to_vec()));
    while scan.next_leaf(transaction, &mut spare, |values| take(&mut found, values)).unwrap() {}
    found
}

fn batches(
    transaction: &mut Transaction,
    tree: &Arc<Tree>,
    range: &KeyRange,
    direction: Direction,
) -> Vec<Vec<u8>> {
    let mut scan = transaction.scan(tree, range.clone(), direction).unwrap();
    let mut batch = EntryBatch::new();
    while scan.next_batch(transaction, &mut batch, 7).unwrap() {}
    (0..batch.len()).map(|at| batch.value(at).to_vec()).collect()
}

#[test]
fn leaves_show_what_batches_copy() {
    let (engine, tree) = engine();
    let key = |n: usize| format!("{n:05}").into_bytes();
    let fill = |from: usize, to: usize| {
        let mut transaction = begin(&engine, Isolation::RepeatableRead);
        for n in from..to {
            // Some values are long enough to lie in pages of their own.
            let length = if n % 97 == 5 { 9_000 } else { 40 + n % 60 };
            transaction.insert(&tree, &key(n), &vec![n as u8; length]).unwrap();
        }
        transaction.commit().unwrap();
    };
    fill(0, 2_000);
    let mut bounds = vec![Bound::Unbounded];
    for n in [0, 1, 131, 500, 501, 900, 1_200, 1_999, 2_500] {
        bounds.extend([Bound::Included(key(n)), Bound::Excluded(key(n))]);
    }
    let compare = |transaction: &mut Transaction, when: &str| {
        for low in &bounds {
            for high in &bounds {
                let range = KeyRange { low: low.clone(), high: high.clone() };
                for direction in [Direction::Forward, Direction::Backward] {
                    let copied = batches(transaction, &tree, &range, direction);
                    assert_eq!(
                        leaves(transaction, &tree, &range, direction),
                        copied,
                        "{when}: {range:?} {direction:?}"
                    );
                }
            }
        }
    };
    compare(&mut begin(&engine, Isolation::RepeatableRead), "settled");
    let mut old = begin(&engine, Isolation::RepeatableRead);
    old.ensure_snapshot();
    let mut writer = begin(&engine, Isolation::RepeatableRead);
    for n in (400..700).step_by(3) {
        writer.update(&tree, &key(n), b"new").unwrap();
        writer.delete(&tree, &key(n + 1)).unwrap();
    }
    compare(&mut writer, "own changes");
    compare(&mut old, "changes of others");
    writer.commit().unwrap();
    fill(2_000, 2_300);
    compare(&mut old, "an old snapshot");
    compare(&mut begin(&engine, Isolation::Serializable), "serializable");
    drop(old);
    engine.purge().unwrap();
    compare(&mut begin(&engine, Isolation::RepeatableRead), "purged");
}
