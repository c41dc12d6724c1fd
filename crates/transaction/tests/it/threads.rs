//! Transactions of many threads on hardly any memory, with housekeeping and a crash.
//!
//! Tables and an index that must agree, transfers whose sum must stay in every snapshot, rollbacks, purge,
//! checkpoints, trees that come and go. After the power went every thread finds its acknowledged rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustydb_storage::Options;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_transaction::{
    Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, LockMode, Tree,
};

const THREADS: u8 = 8;
const ACCOUNTS: u64 = 10;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

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

struct Trees {
    table: Arc<Tree>,
    index: Arc<Tree>,
    accounts: Arc<Tree>,
}

fn open(disk: &SimulatedDisk) -> Result<Arc<Engine>, Error> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        segment_bytes: 128 << 10,
        ..Options::default()
    };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
}

fn rows(engine: &Arc<Engine>, tree: &Arc<Tree>, direction: Direction) -> Result<Rows, Error> {
    let mut reader = engine.begin(Isolation::ReadCommitted, true);
    let mut scan = reader.scan(tree, KeyRange::all(), direction)?;
    let (mut found, mut batch) = (Rows::new(), EntryBatch::new());
    loop {
        batch.clear();
        let more = scan.next_batch(&mut reader, &mut batch, 7)?;
        for index in 0..batch.len() {
            assert!(found.insert(batch.key(index).to_vec(), batch.value(index).to_vec()).is_none());
        }
        if !more {
            return Ok(found);
        }
    }
}

fn sum(accounts: &Rows) -> u64 {
    accounts.values().map(|value| u64::from_be_bytes(value.as_slice().try_into().unwrap())).sum()
}

fn index_key(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&value[..2], key].concat()
}

/// What a thread wrote: acknowledged, and with the commit whose answer was lost.
#[derive(Default)]
struct Written {
    acknowledged: Rows,
    uncertain: Option<Rows>,
}

fn is_retried(error: &Error) -> bool {
    matches!(error, Error::Deadlock | Error::LockWaitTimeout)
}

fn work(
    engine: &Arc<Engine>,
    trees: &Trees,
    thread: u8,
    seed: u64,
    written: &mut Written,
) -> Result<(), Error> {
    let mut random = Random(seed * 100 + u64::from(thread));
    for _ in 0..60 {
        let isolation =
            if random.below(2) == 0 { Isolation::ReadCommitted } else { Isolation::RepeatableRead };
        let mut transaction = engine.begin(isolation, false);
        let mut after = written.acknowledged.clone();
        let mut done = Ok(());
        for _ in 0..1 + random.below(5) {
            let mut key = random.below(60).to_be_bytes()[7..].to_vec();
            if key[0].is_multiple_of(9) {
                key.resize(350, b'k');
            }
            key.push(thread);
            let length = if random.below(15) == 0 { random.below(20_000) } else { random.below(300) };
            let value = (random.below(3) > 0).then(|| vec![random.below(256) as u8; 2 + length as usize]);
            done = put(&mut transaction, trees, &key, value.as_deref());
            if done.is_err() {
                break;
            }
            match value {
                Some(value) => after.insert(key, value),
                None => after.remove(&key),
            };
        }
        if done.is_ok() && random.below(2) == 0 {
            done = transfer(&mut transaction, trees, &mut random);
        }
        match done {
            Err(error) if is_retried(&error) => transaction.rollback()?,
            Err(error) => return Err(error),
            Ok(()) if random.below(5) == 0 => transaction.rollback()?,
            Ok(()) => {
                written.uncertain = Some(after.clone());
                transaction.commit()?;
                (written.acknowledged, written.uncertain) = (after, None);
            }
        }
        if random.below(6) == 0 {
            let direction = if random.below(2) == 0 { Direction::Forward } else { Direction::Backward };
            assert_eq!(sum(&rows(engine, &trees.accounts, direction)?), ACCOUNTS * 1000);
        }
    }
    Ok(())
}

fn put(
    transaction: &mut rustydb_transaction::Transaction,
    trees: &Trees,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), Error> {
    let old = transaction.get_locked(&trees.table, key, LockMode::Exclusive)?;
    if let Some(old) = &old {
        transaction.delete(&trees.index, &index_key(key, old))?;
    }
    match (value, old) {
        (Some(value), Some(_)) => transaction.update(&trees.table, key, value)?,
        (Some(value), None) => transaction.insert(&trees.table, key, value)?,
        (None, Some(_)) => transaction.delete(&trees.table, key)?,
        (None, None) => {}
    }
    match value {
        Some(value) => transaction.insert(&trees.index, &index_key(key, value), b""),
        None => Ok(()),
    }
}

fn transfer(
    transaction: &mut rustydb_transaction::Transaction,
    trees: &Trees,
    random: &mut Random,
) -> Result<(), Error> {
    let (from, to, amount) = (random.below(ACCOUNTS), random.below(ACCOUNTS), random.below(20));
    for (account, is_from) in [(from, true), (to, false)] {
        let key = account.to_be_bytes();
        let old = transaction.get_locked(&trees.accounts, &key, LockMode::Exclusive)?.unwrap();
        let old = u64::from_be_bytes(old.try_into().unwrap());
        let new = if is_from { old.wrapping_sub(amount) } else { old.wrapping_add(amount) };
        transaction.update(&trees.accounts, &key, &new.to_be_bytes())?;
    }
    Ok(())
}

fn keep_house(engine: &Arc<Engine>, stop: &AtomicBool) -> Result<(), Error> {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        engine.store().log().prepare_next()?;
        engine.purge()?;
        round += 1;
        if round % 4 == 0 {
            engine.checkpoint()?;
        }
    }
    Ok(())
}

/// Makes trees, fills them in a transaction, deletes from them, drops them.
fn make_and_drop(engine: &Arc<Engine>, stop: &AtomicBool) -> Result<(), Error> {
    let mut random = Random(3);
    while !stop.load(Ordering::Relaxed) {
        let id = engine.create_tree()?;
        let tree = engine.tree(id)?;
        let mut transaction = engine.begin(Isolation::RepeatableRead, false);
        for number in 0..random.below(80) {
            transaction.insert(&tree, &number.to_be_bytes(), &vec![1; random.below(900) as usize])?;
            if number % 3 == 0 {
                transaction.delete(&tree, &number.to_be_bytes())?;
            }
        }
        if random.below(2) == 0 {
            transaction.rollback()?;
        } else {
            transaction.commit()?;
        }
        engine.drop_tree(id)?;
    }
    Ok(())
}

fn run(engine: &Arc<Engine>, trees: &Trees, seed: u64, before: Vec<Rows>) -> (Vec<Written>, Vec<Error>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        let others =
            [scope.spawn(move || keep_house(engine, stop)), scope.spawn(move || make_and_drop(engine, stop))];
        let workers: Vec<_> = (0..THREADS)
            .zip(before)
            .map(|(thread, acknowledged)| {
                scope.spawn(move || {
                    let mut written = Written { acknowledged, uncertain: None };
                    let ended = work(engine, trees, thread, seed, &mut written);
                    (written, ended)
                })
            })
            .collect();
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        for worker in workers {
            let (written, ended) = worker.join().unwrap();
            all.push(written);
            errors.extend(ended.err());
        }
        stop.store(true, Ordering::Relaxed);
        errors.extend(others.into_iter().filter_map(|other| other.join().unwrap().err()));
        (all, errors)
    })
}

fn compare(engine: &Arc<Engine>, trees: &Trees, written: &[Written]) -> Vec<Rows> {
    assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new());
    let table = rows(engine, &trees.table, Direction::Forward).unwrap();
    let index = rows(engine, &trees.index, Direction::Backward).unwrap();
    let expected: Rows = table.iter().map(|(key, value)| (index_key(key, value), Vec::new())).collect();
    assert!(index == expected, "index and table differ");
    assert_eq!(sum(&rows(engine, &trees.accounts, Direction::Forward).unwrap()), ACCOUNTS * 1000);
    let mut found = vec![Rows::new(); written.len()];
    for (key, value) in table {
        let thread = usize::from(*key.last().unwrap());
        found[thread].insert(key, value);
    }
    for (thread, (found, written)) in found.iter().zip(written).enumerate() {
        let is_expected = *found == written.acknowledged || Some(found) == written.uncertain.as_ref();
        assert!(is_expected, "thread {thread}: rows are lost or too many");
    }
    found
}

#[test]
fn work_together_until_the_power_goes() {
    for seed in 0..8 {
        let disk = SimulatedDisk::new(seed);
        let mut random = Random(seed);
        let ids = {
            let engine = open(&disk).unwrap();
            let ids = [(); 3].map(|()| engine.create_tree().unwrap());
            let accounts = engine.tree(ids[2]).unwrap();
            let mut transaction = engine.begin(Isolation::RepeatableRead, false);
            for account in 0..ACCOUNTS {
                transaction.insert(&accounts, &account.to_be_bytes(), &1000u64.to_be_bytes()).unwrap();
            }
            transaction.commit().unwrap();
            ids
        };
        let open_trees = |engine: &Arc<Engine>| {
            let tree = |at: usize| engine.tree(ids[at]).unwrap();
            Trees { table: tree(0), index: tree(1), accounts: tree(2) }
        };
        let mut acknowledged = vec![Rows::new(); usize::from(THREADS)];
        for round in 0..3 {
            let engine = open(&disk).unwrap();
            let goes_down = round > 0;
            if goes_down {
                disk.inject(Fault::PowerCut { after: random.below(1500) });
            }
            let (written, errors) = run(&engine, &open_trees(&engine), seed * 3 + round, acknowledged);
            if goes_down {
                drop(engine);
                if random.below(3) == 0 { disk.heal() } else { disk.crash() }
            } else {
                assert!(errors.is_empty(), "seed {seed}: {:?}", errors[0]);
                engine.purge().unwrap();
                let statistics = engine.statistics();
                assert_eq!((statistics.version_keys, statistics.version_bytes), (0, 0));
                assert_eq!(check(engine.store()).unwrap().tombstones, 0);
                drop(engine);
            }
            let engine = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            acknowledged = compare(&engine, &open_trees(&engine), &written);
        }
    }
}
