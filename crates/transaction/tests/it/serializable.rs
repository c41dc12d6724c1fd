//! SNAPSHOT and SERIALIZABLE: who is refused, and that what is not refused has an order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::Options;
use rustydb_storage::disk::SimulatedDisk;
use rustydb_transaction::{
    Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, LockMode, Transaction, Tree,
    WaitOptions,
};

fn engine() -> (Arc<Engine>, Arc<Tree>) {
    let disk = SimulatedDisk::new(1);
    // Small pages, so that a few long rows are several leaves.
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        segment_bytes: 64 << 10,
        ..Options::default()
    };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    let engine = Engine::open(Arc::new(disk.clone()), disk.clock(), &disk, options).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    (engine, tree)
}

fn begin(engine: &Arc<Engine>, isolation: Isolation) -> Transaction {
    let mut transaction = engine.begin(isolation, false);
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    transaction
}

fn put(engine: &Arc<Engine>, tree: &Tree, rows: &[(&str, &str)]) {
    let mut transaction = begin(engine, Isolation::RepeatableRead);
    for (key, value) in rows {
        transaction.insert(tree, key.as_bytes(), value.as_bytes()).unwrap();
    }
    transaction.commit().unwrap();
}

fn read(transaction: &mut Transaction, tree: &Tree, key: &str) -> Result<Option<String>, Error> {
    transaction.get(tree, key.as_bytes(), |value| String::from_utf8_lossy(value).into_owned())
}

/// The first `most` rows from `low` up to, and without, `high`.
fn list(
    transaction: &mut Transaction,
    tree: &Arc<Tree>,
    (low, high): (&str, &str),
    direction: Direction,
    most: usize,
) -> Result<Vec<(String, String)>, Error> {
    let range = KeyRange {
        low: Bound::Included(low.as_bytes().to_vec()),
        high: Bound::Excluded(high.as_bytes().to_vec()),
    };
    let mut scan = transaction.scan(tree, range, direction)?;
    let mut batch = EntryBatch::new();
    while batch.len() < most && scan.next_batch(transaction, &mut batch, most)? {}
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((0..batch.len()).map(|index| (text(batch.key(index)), text(batch.value(index)))).collect())
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    match result {
        Err(Error::Serialization) => true,
        Ok(_) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_first_to_change_a_row_wins() {
    for level in [Isolation::Snapshot, Isolation::Serializable] {
        let (engine, tree) = engine();
        put(&engine, &tree, &[("a", "1"), ("b", "1")]);
        let mut late = begin(&engine, level);
        read(&mut late, &tree, "b").unwrap();
        put(&engine, &tree, &[("c", "1")]);
        let mut first = begin(&engine, Isolation::ReadCommitted);
        first.update(&tree, b"a", b"2").unwrap();
        first.delete(&tree, b"b").unwrap();
        first.commit().unwrap();
        // In each way to need the row; a refused transaction is rolled back, this one tries on.
        assert_eq!(read(&mut late, &tree, "a").unwrap().as_deref(), Some("1"));
        assert!(is_refused(late.update(&tree, b"a", b"3")), "{level:?}");
        assert!(is_refused(late.get_locked(&tree, b"a", LockMode::Shared)));
        assert!(is_refused(late.delete(&tree, b"b")));
        assert!(is_refused(late.insert(&tree, b"b", b"3")), "deleted since");
        assert!(is_refused(late.insert(&tree, b"c", b"3")), "inserted since");
        late.rollback().unwrap();
        assert_eq!(engine.locks().row_count(), 0);
    }
}

#[test]
fn a_row_that_was_changed_since_matters_only_if_it_matches() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("a", "1"), ("b", "1"), ("c", "1")]);
    let scan_all = |late: &mut Transaction, matching: &str| -> Result<Vec<String>, Error> {
        let mut scan = late.scan_locked(&tree, KeyRange::all(), Direction::Forward, LockMode::Exclusive)?;
        let mut found = Vec::new();
        while let Some((key, value)) = scan.next(late)? {
            assert_eq!(value, b"1", "as the snapshot shows it");
            if key == matching.as_bytes() {
                found.push(String::from_utf8(key).unwrap());
            } else {
                late.release_unmatched(&tree, &key);
            }
        }
        Ok(found)
    };
    let mut late = begin(&engine, Isolation::Snapshot);
    late.ensure_snapshot();
    let mut first = begin(&engine, Isolation::Snapshot);
    first.update(&tree, b"a", b"2").unwrap();
    first.delete(&tree, b"b").unwrap();
    first.insert(&tree, b"bb", b"1").unwrap();
    first.commit().unwrap();
    assert_eq!(scan_all(&mut late, "c").unwrap(), ["c"]);
    assert!(is_refused(scan_all(&mut late, "b")), "it was deleted");
    assert!(is_refused(scan_all(&mut late, "a")), "it was updated");
}

#[test]
fn a_transaction_that_begins_by_locking_is_not_refused() {
    let (engine, tree) = engine();
    put(&engine, &tree, &[("n", "0")]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (engine, tree) = (engine.clone(), tree.clone());
            std::thread::spawn(move || {
                for _ in 0..100 {
                    let mut transaction = engine.begin(Isolation::Serializable, false);
                    let old = transaction.get_locked(&tree, b"n", LockMode::Exclusive).unwrap().unwrap();
                    let new = String::from_utf8(old).unwrap().parse::<u32>().unwrap() + 1;
                    transaction.update(&tree, b"n", new.to_string().as_bytes()).unwrap();
                    transaction.commit().unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut reader = begin(&engine, Isolation::Serializable);
    assert_eq!(read(&mut reader, &tree, "n").unwrap().as_deref(), Some("400"));
}

#[test]
fn write_skew_is_refused_at_serializable_alone() {
    for (level, refused) in [(Isolation::Snapshot, false), (Isolation::Serializable, true)] {
        let (engine, tree) = engine();
        put(&engine, &tree, &[("a", "1"), ("b", "1")]);
        let (mut one, mut two) = (begin(&engine, level), begin(&engine, level));
        read(&mut one, &tree, "a").unwrap();
        read(&mut two, &tree, "b").unwrap();
        one.update(&tree, b"b", b"2").unwrap();
        let last = two.update(&tree, b"a", b"2");
        let ends = [one.commit().map(|_| ()), last.and_then(|()| two.commit().map(|_| ()))];
        assert_eq!(ends.into_iter().any(is_refused), refused, "{level:?}");
    }
}

#[test]
fn phantoms_are_seen_in_ranges_in_both_directions_and_at_missing_keys() {
    for direction in [Direction::Forward, Direction::Backward] {
        let (engine, tree) = engine();
        put(&engine, &tree, &[("b", "1"), ("x", "1")]);
        let (mut one, mut two) =
            (begin(&engine, Isolation::Serializable), begin(&engine, Isolation::Serializable));
        assert_eq!(list(&mut one, &tree, ("a", "m"), direction, 9).unwrap().len(), 1);
        assert_eq!(read(&mut two, &tree, "y").unwrap(), None);
        one.insert(&tree, b"y", b"1").unwrap();
        let last = two.insert(&tree, b"c", b"1");
        let ends = [one.commit().map(|_| ()), last.and_then(|()| two.commit().map(|_| ()))];
        assert_eq!(ends.into_iter().filter_map(Result::err).count(), 1);
    }
}

#[test]
fn a_read_only_transaction_sees_no_state_that_never_was() {
    // Fekete, O'Neil and O'Neil 2004: the report makes two harmless withdrawals and deposits harmful.
    let (engine, tree) = engine();
    put(&engine, &tree, &[("savings", "0"), ("checking", "0")]);
    let mut withdraw = begin(&engine, Isolation::Serializable);
    read(&mut withdraw, &tree, "savings").unwrap();
    read(&mut withdraw, &tree, "checking").unwrap();
    let mut deposit = begin(&engine, Isolation::Serializable);
    read(&mut deposit, &tree, "savings").unwrap();
    deposit.update(&tree, b"savings", b"20").unwrap();
    deposit.commit().unwrap();
    let mut report = engine.begin(Isolation::Serializable, true);
    assert_eq!(read(&mut report, &tree, "savings").unwrap().as_deref(), Some("20"));
    let report_read = read(&mut report, &tree, "checking").and_then(|_| report.commit().map(|_| ()));
    let withdrawn = withdraw.update(&tree, b"checking", b"-11").and_then(|()| withdraw.commit().map(|_| ()));
    assert_eq!([report_read, withdrawn].into_iter().filter_map(Result::err).count(), 1);
}

#[test]
fn transactions_that_do_not_touch_each_other_are_not_refused() {
    let (engine, tree) = engine();
    let keys: Vec<String> = (0..2000).map(|n| format!("{n:04}")).collect();
    let rows: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "1")).collect();
    put(&engine, &tree, &rows);
    let (mut one, mut two) =
        (begin(&engine, Isolation::Serializable), begin(&engine, Isolation::Serializable));
    // Each reads what it changes and the first rows of a long range.
    let found = list(&mut one, &tree, ("0000", "1999"), Direction::Forward, 3).unwrap();
    assert_eq!(found.len(), 3);
    list(&mut two, &tree, ("0000", "1999"), Direction::Backward, 3).unwrap();
    one.update(&tree, b"0001", b"2").unwrap();
    two.update(&tree, b"1998", b"2").unwrap();
    // In the middle of the range, but behind what was read.
    one.update(&tree, b"1000", b"2").unwrap();
    two.update(&tree, b"0900", b"2").unwrap();
    one.commit().unwrap();
    two.commit().unwrap();
    let mut last = begin(&engine, Isolation::Serializable);
    read(&mut last, &tree, "0001").unwrap();
    last.commit().unwrap();
    assert!(engine.statistics().serial.members <= 1, "what nobody needs is forgotten");
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

const KEYS: u64 = 8;

/// What a transaction did: versions that it read and wrote, by key; a version is named by its writer, with
/// zero for what was there first. When it began and was acknowledged, in steps.
#[derive(Clone, Default, Debug)]
struct Deed {
    reads: HashSet<(u64, u64)>,
    writes: HashMap<u64, bool>,
    began: u64,
    ended: u64,
    csn: u64,
}

struct Running {
    transaction: Transaction,
    deed: Deed,
    number: u64,
}

/// Who wrote the version of each key that the transaction sees. What is absent was deleted by the last that
/// did so: the snapshot tells which.
fn note(
    running: &mut Running,
    key: u64,
    value: Option<&str>,
    deleters: &BTreeMap<(u64, u64), u64>,
    snapshot: u64,
) {
    if running.deed.writes.contains_key(&key) {
        return;
    }
    let writer = match value {
        Some(value) => value.trim_end().parse().unwrap(),
        None => deleters.range((key, 0)..=(key, snapshot)).next_back().map_or(0, |(_, &writer)| writer),
    };
    running.deed.reads.insert((key, writer));
}

/// One random history of short transactions in one thread, checked for an order.
fn history(level: Isolation, seed: u64) -> Result<(usize, usize), String> {
    let mut random = Random(seed);
    let (engine, tree) = engine();
    let name = |key: u64| format!("k{key}");
    let mut done: BTreeMap<u64, Deed> = BTreeMap::new();
    // Deletions by key and commit number.
    let mut deleters: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut last_csn = 0;
    let mut running: Vec<Option<(Running, u64)>> = (0..4).map(|_| None).collect();
    let (mut step, mut numbers, mut refused) = (0, 0, 0);
    while step < 160 {
        step += 1;
        let at = random.below(4) as usize;
        let Some((mut one, snapshot)) = running[at].take() else {
            numbers += 1;
            let mut transaction = begin(&engine, level);
            transaction.ensure_snapshot();
            let deed = Deed { began: step, ..Deed::default() };
            running[at] = Some((Running { transaction, deed, number: numbers }, last_csn));
            continue;
        };
        let key = random.below(KEYS);
        let result = match random.below(10) {
            0..3 => read(&mut one.transaction, &tree, &name(key))
                .map(|value| note(&mut one, key, value.as_deref(), &deleters, snapshot)),
            3 => {
                let high = key + 1 + random.below(KEYS - key);
                let bounds = (name(key), name(high));
                let direction = if random.below(2) == 0 { Direction::Forward } else { Direction::Backward };
                list(&mut one.transaction, &tree, (&bounds.0, &bounds.1), direction, 99).map(|rows| {
                    let rows: HashMap<String, String> = rows.into_iter().collect();
                    for key in key..high {
                        note(&mut one, key, rows.get(&name(key)).map(String::as_str), &deleters, snapshot);
                    }
                })
            }
            4..7 => {
                // So long that two or three rows fill a leaf.
                let value = format!("{:<700}", one.number);
                let key_name = name(key);
                let found = one.transaction.get_locked(&tree, key_name.as_bytes(), LockMode::Exclusive);
                found.and_then(|found| {
                    let found = found.map(|value| String::from_utf8(value).unwrap());
                    note(&mut one, key, found.as_deref(), &deleters, snapshot);
                    let transaction = &mut one.transaction;
                    let is_delete = found.is_some() && random.below(3) == 0;
                    match (&found, is_delete) {
                        (Some(_), true) => transaction.delete(&tree, key_name.as_bytes())?,
                        (Some(_), false) => {
                            transaction.update(&tree, key_name.as_bytes(), value.as_bytes())?
                        }
                        (None, _) => transaction.insert(&tree, key_name.as_bytes(), value.as_bytes())?,
                    }
                    one.deed.writes.insert(key, is_delete);
                    Ok(())
                })
            }
            7 => {
                one.transaction.rollback().unwrap();
                continue;
            }
            _ => {
                let (mut deed, number) = (one.deed, one.number);
                match one.transaction.commit() {
                    Ok(committed) => {
                        deed.ended = step;
                        deed.csn = committed.csn;
                        last_csn = last_csn.max(committed.csn);
                        for (&key, _) in deed.writes.iter().filter(|(_, is_delete)| **is_delete) {
                            deleters.insert((key, committed.csn), number);
                        }
                        done.insert(number, deed);
                    }
                    Err(Error::Serialization) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
                engine.purge().unwrap();
                continue;
            }
        };
        match result {
            Ok(()) => running[at] = Some((one, snapshot)),
            Err(Error::Serialization) => {
                refused += 1;
                one.transaction.rollback().unwrap();
            }
            Err(Error::LockWaitTimeout | Error::Deadlock) => one.transaction.rollback().unwrap(),
            Err(other) => panic!("{other}"),
        }
    }
    drop(running);
    check_order(&done)?;
    Ok((done.len(), refused))
}

/// Fails unless all that committed could have happened one after the other, nobody before one that was
/// acknowledged before it began.
fn check_order(done: &BTreeMap<u64, Deed>) -> Result<(), String> {
    // Versions of a key in the order of their commits.
    let mut versions: HashMap<u64, Vec<u64>> = (0..KEYS).map(|key| (key, vec![0])).collect();
    let mut by_commit: Vec<_> = done.iter().filter(|(_, deed)| !deed.writes.is_empty()).collect();
    by_commit.sort_by_key(|(_, deed)| deed.csn);
    for (&number, deed) in by_commit {
        for key in deed.writes.keys() {
            versions.get_mut(key).unwrap().push(number);
        }
    }
    let mut edges: HashMap<u64, HashSet<u64>> = HashMap::new();
    let mut edge = |from: u64, to: u64| {
        if from != 0 && from != to {
            edges.entry(from).or_default().insert(to);
        }
    };
    for (&number, deed) in done {
        for &(key, writer) in &deed.reads {
            edge(writer, number);
            let order = &versions[&key];
            let at = order
                .iter()
                .position(|&version| version == writer)
                .ok_or_else(|| format!("{number} read a version of {key} that {writer} never committed"))?;
            if let Some(&next) = order.get(at + 1) {
                edge(number, next);
            }
        }
        for (&other, later) in done {
            if deed.ended < later.began {
                edge(number, other);
            }
        }
    }
    for order in versions.values() {
        order.windows(2).for_each(|pair| edge(pair[0], pair[1]));
    }
    // Take out, again and again, what nothing has to come before.
    let mut left: HashSet<u64> = done.keys().copied().collect();
    loop {
        let next = left.iter().copied().find(|number| {
            !left.iter().any(|other| edges.get(other).is_some_and(|targets| targets.contains(number)))
        });
        match next {
            Some(number) => left.remove(&number),
            None => break,
        };
    }
    let circle: Vec<_> = left.iter().map(|number| (number, &done[number], edges.get(number))).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("no order for {circle:#?}")) }
}

#[test]
fn random_histories_have_an_order() {
    let (mut committed, mut refused) = (0, 0);
    for seed in 0..400 {
        let (done, not_done) =
            history(Isolation::Serializable, seed).unwrap_or_else(|found| panic!("seed {seed}: {found}"));
        committed += done;
        refused += not_done;
    }
    // It would be easy to refuse everything.
    assert!(committed > 3 * refused, "{committed} committed, {refused} refused");
    assert!(refused > 100, "{refused} refused: the histories hardly conflict");
    // And the check would find it.
    assert!((0..50).any(|seed| history(Isolation::Snapshot, seed).is_err()));
}
