//! One seed of the crash simulation.
//!
//! Four transactions take turns in one thread on a table tree and an index tree that must agree:
//! inserts, updates, deletes, transfers between accounts, savepoints, statement rollbacks, commits,
//! rollbacks, purges and checkpoints, and trees that come and go. At a random write the power goes, the
//! process dies, a sync fails, or the disk is full; or a bit flips at rest. The opening that follows is itself
//! interrupted, some times over. Then the store is opened and compared: every acknowledged
//! commit is there, nothing else but perhaps the one commit whose answer was lost, index and table agree,
//! the accounts' sum is what it was, and the check of all pages is clean. Trees that nobody remembers may be
//! left; they can be dropped. Damage must be reported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_storage::{Options, TreeId};
use rustydb_transaction::{
    Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, LockMode, Transaction, Tree,
    WaitOptions,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

const ACCOUNTS: u64 = 8;
const BALANCE: i64 = 1000;

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

    fn key(&mut self) -> Vec<u8> {
        let number = self.below(120);
        let mut key = format!("row-{number:04}").into_bytes();
        if number.is_multiple_of(11) {
            key.resize(400 + number as usize, b'.');
        }
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let length = match self.below(60) {
            0 => 16_000 + self.below(50_000),
            1..5 => self.below(12_000),
            _ => self.below(200),
        };
        let fill = self.below(256) as u8;
        vec![fill; 8 + length as usize]
    }
}

/// The index entry of a row: the value's first bytes, then the key.
fn index_key(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut index = value[..value.len().min(8)].to_vec();
    index.extend_from_slice(key);
    index
}

struct Open {
    transaction: Transaction,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Open {
    fn put(&mut self, trees: &Trees, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), Error> {
        let mark = self.transaction.begin_statement();
        let done = self.put_row(trees, &key, value.as_deref());
        match done {
            Ok(true) => {
                self.changes.push((key, value));
                Ok(())
            }
            // A missing row is not locked: what others make of it is theirs.
            Ok(false) => Ok(()),
            Err(error) => {
                self.transaction.rollback_statement(mark)?;
                Err(error)
            }
        }
    }

    /// Gives whether there was anything to do.
    fn put_row(&mut self, trees: &Trees, key: &[u8], value: Option<&[u8]>) -> Result<bool, Error> {
        let transaction = &mut self.transaction;
        let old = transaction.get_locked(&trees.table, key, LockMode::Exclusive)?;
        if let Some(old) = &old {
            transaction.delete(&trees.index, &index_key(key, old))?;
        }
        match (value, old) {
            (Some(value), Some(_)) => transaction.update(&trees.table, key, value)?,
            (Some(value), None) => transaction.insert(&trees.table, key, value)?,
            (None, Some(_)) => transaction.delete(&trees.table, key)?,
            (None, None) => return Ok(false),
        }
        if let Some(value) = value {
            transaction.insert(&trees.index, &index_key(key, value), b"")?;
        }
        Ok(true)
    }

    fn transfer(&mut self, trees: &Trees, random: &mut Random) -> Result<(), Error> {
        let mark = self.transaction.begin_statement();
        let before = self.changes.len();
        let amount = random.below(50) as i64;
        let done = self
            .add(trees, random.below(ACCOUNTS), -amount)
            .and_then(|()| self.add(trees, random.below(ACCOUNTS), amount));
        if done.is_err() {
            self.transaction.rollback_statement(mark)?;
            self.changes.truncate(before);
        }
        done
    }

    fn add(&mut self, trees: &Trees, account: u64, amount: i64) -> Result<(), Error> {
        let key = account_key(account);
        let Some(old) = self.transaction.get_locked(&trees.table, &key, LockMode::Exclusive)? else {
            return Err(Error::KeyNotFound);
        };
        let new = (balance(&old) + amount).to_be_bytes().to_vec();
        self.put_row(trees, &key, Some(&new))?;
        self.changes.push((key, Some(new)));
        Ok(())
    }
}

fn account_key(account: u64) -> Vec<u8> {
    format!("account-{account}").into_bytes()
}

fn balance(value: &[u8]) -> i64 {
    value.try_into().map_or(i64::MIN, i64::from_be_bytes)
}

struct Trees {
    table: Arc<Tree>,
    index: Arc<Tree>,
}

/// What must be there, and what may be.
#[derive(Default)]
struct Ledger {
    acknowledged: Rows,
    /// The state with the commit whose answer was lost.
    uncertain: Option<Rows>,
}

fn open(disk: &SimulatedDisk) -> Result<Arc<Engine>, Error> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 48 * 4096,
        segment_bytes: 128 << 10,
        ..Options::default()
    };
    let options =
        EngineOptions { storage, background: false, checkpoint_bytes: 512 << 10, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
}

fn apply(rows: &Rows, changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Rows {
    let mut rows = rows.clone();
    for (key, value) in changes {
        match value {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        };
    }
    rows
}

fn begin(engine: &Arc<Engine>, random: &mut Random) -> Open {
    let isolation = if random.below(2) == 0 { Isolation::ReadCommitted } else { Isolation::RepeatableRead };
    let mut transaction = engine.begin(isolation, false);
    // All are in one thread: who would have to wait gives up at once.
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    Open { transaction, changes: Vec::new() }
}

fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::LockWaitTimeout | Error::Deadlock | Error::DuplicateKey | Error::DiskFull)
}

/// Works until the disk fails or the steps are done.
fn work(
    engine: &Arc<Engine>,
    trees: &Trees,
    random: &mut Random,
    ledger: &mut Ledger,
    steps: u64,
) -> Result<(), Error> {
    let mut open: Vec<Open> = (0..4).map(|_| begin(engine, random)).collect();
    let mut passing = None;
    for _ in 0..steps {
        let turn = random.below(4) as usize;
        let done = match random.below(21) {
            0..10 => {
                let value = if random.below(4) == 0 { None } else { Some(random.value()) };
                let key = random.key();
                open[turn].put(trees, key, value)
            }
            10..13 => open[turn].transfer(trees, random),
            13 => {
                let (savepoint, count) = (open[turn].transaction.savepoint(), open[turn].changes.len());
                let (key, value) = (random.key(), random.value());
                let put = open[turn].put(trees, key, Some(value));
                open[turn].changes.truncate(count);
                open[turn].transaction.rollback_to(savepoint).and(put)
            }
            14..18 => {
                let ended = std::mem::replace(&mut open[turn], begin(engine, random));
                let after = apply(&ledger.acknowledged, &ended.changes);
                ledger.uncertain = Some(after.clone());
                ended.transaction.commit()?;
                ledger.acknowledged = after;
                ledger.uncertain = None;
                Ok(())
            }
            20 => come_and_go(engine, random, &mut passing),
            18 => std::mem::replace(&mut open[turn], begin(engine, random)).transaction.rollback(),
            _ => engine.purge().and_then(|_| engine.store().log().prepare_next().or(Ok(()))).and_then(|()| {
                match random.below(8) {
                    0 | 1 => engine.checkpoint(),
                    2..6 => engine.write_back().map(drop),
                    _ => Ok(()),
                }
            }),
        };
        match done {
            Err(error) if !is_refusal(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes a tree, fills one and deletes from it, or drops it.
fn come_and_go(engine: &Arc<Engine>, random: &mut Random, passing: &mut Option<TreeId>) -> Result<(), Error> {
    let Some(id) = *passing else {
        *passing = Some(engine.create_tree()?);
        return Ok(());
    };
    if random.below(3) == 0 {
        *passing = None;
        return engine.drop_tree(id);
    }
    let tree = engine.tree(id)?;
    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
    engine.counter_reserve(id, 3, 1)?;
    for _ in 0..random.below(40) {
        let key = random.key();
        match transaction.get_locked(&tree, &key, LockMode::Exclusive)? {
            Some(_) => transaction.delete(&tree, &key)?,
            None => transaction.insert(&tree, &key, &random.value())?,
        }
    }
    if random.below(3) == 0 { transaction.rollback() } else { transaction.commit().map(|_| ()) }
}

/// The power went or the process died, and may do so again while the store is being opened.
fn interrupt(disk: &SimulatedDisk, random: &mut Random) {
    let goes_down = random.below(4) > 0;
    if goes_down {
        disk.crash()
    } else {
        disk.heal()
    }
    for _ in 0..random.below(3) {
        disk.inject(Fault::PowerCut { after: random.below(60) });
        drop(open(disk));
        if random.below(4) > 0 { disk.crash() } else { disk.heal() }
    }
}

fn rows(engine: &Arc<Engine>, tree: &Arc<Tree>) -> Result<Rows, Error> {
    let mut reader = engine.begin(Isolation::ReadCommitted, true);
    let mut scan = reader.scan(tree, KeyRange::all(), Direction::Forward)?;
    let mut found = Rows::new();
    let mut batch = EntryBatch::new();
    loop {
        batch.clear();
        let more = scan.next_batch(&mut reader, &mut batch, 100)?;
        for index in 0..batch.len() {
            found.insert(batch.key(index).to_vec(), batch.value(index).to_vec());
        }
        if !more {
            return Ok(found);
        }
    }
}

/// Compares what is there with what must be. Gives what does not hold.
fn compare(engine: &Arc<Engine>, trees: &Trees, ledger: &mut Ledger) -> Result<(), String> {
    let failed = |error: Error| format!("reading after recovery: {error}");
    let found = check(engine.store()).map_err(|error| error.to_string())?;
    if let Some(problem) = found.problems.first() {
        return Err(format!("check: {problem}"));
    }
    for id in engine.trees().map_err(failed)? {
        if id != trees.table.id() && id != trees.index.id() {
            engine
                .drop_tree(id)
                .map_err(|error| format!("dropping tree {id}, which is left over: {error}"))?;
        }
    }
    let report = check(engine.store()).map_err(|error| error.to_string())?;
    if let Some(problem) = report.problems.first() {
        return Err(format!("check after dropping: {problem}"));
    }
    if report.tombstones > 0 {
        return Err(format!("{} tombstones were left", report.tombstones));
    }
    let table = rows(engine, &trees.table).map_err(failed)?;
    let index = rows(engine, &trees.index).map_err(failed)?;
    let expected: Rows = table.iter().map(|(key, value)| (index_key(key, value), Vec::new())).collect();
    if index != expected {
        return Err("index and table differ".to_owned());
    }
    if table != ledger.acknowledged && Some(&table) != ledger.uncertain.as_ref() {
        let lost = ledger.acknowledged.iter().filter(|(key, value)| table.get(*key) != Some(value)).count();
        let extra: Vec<String> = table
            .iter()
            .filter(|(key, _)| !ledger.acknowledged.contains_key(*key))
            .map(|(key, value)| format!("{} ({} bytes)", String::from_utf8_lossy(&key[..8]), value.len()))
            .collect();
        return Err(format!(
            "{lost} acknowledged rows of {} are missing or differ, too many: {extra:?}",
            table.len()
        ));
    }
    let sum: i64 = (0..ACCOUNTS)
        .filter_map(|account| table.get(&account_key(account)))
        .map(|value| balance(value))
        .sum();
    if sum != ACCOUNTS as i64 * BALANCE {
        return Err(format!("the accounts sum up to {sum}"));
    }
    ledger.acknowledged = table;
    ledger.uncertain = None;
    Ok(())
}

fn fill(engine: &Arc<Engine>, ledger: &mut Ledger) -> Result<(TreeId, TreeId), Error> {
    let (table, index) = (engine.create_tree()?, engine.create_tree()?);
    let trees = Trees { table: engine.tree(table)?, index: engine.tree(index)? };
    let mut first = Open { transaction: engine.begin(Isolation::RepeatableRead, false), changes: Vec::new() };
    for account in 0..ACCOUNTS {
        first.put(&trees, account_key(account), Some(BALANCE.to_be_bytes().to_vec()))?;
    }
    first.transaction.commit()?;
    ledger.acknowledged = apply(&ledger.acknowledged, &first.changes);
    Ok((table, index))
}

fn trees(engine: &Arc<Engine>, ids: (TreeId, TreeId)) -> Result<Trees, String> {
    let tree = |id| engine.tree(id).map_err(|error| format!("a tree is gone: {error}"));
    Ok(Trees { table: tree(ids.0)?, index: tree(ids.1)? })
}

/// Runs one seed.
///
/// # Errors
/// With what does not hold.
pub(crate) fn run(seed: u64) -> Result<(), String> {
    let disk = SimulatedDisk::new(seed);
    let mut random = Random(seed ^ 0x5EED);
    let mut ledger = Ledger::default();
    let ids = {
        let engine = open(&disk).map_err(|error| error.to_string())?;
        let ids = fill(&engine, &mut ledger).map_err(|error| error.to_string())?;
        engine.store().log().flush(engine.store().log().end()).map_err(|error| error.to_string())?;
        ids
    };
    disk.crash();
    for _ in 0..4 {
        let fault = random.below(6);
        match fault {
            0..3 => disk.inject(Fault::PowerCut { after: random.below(250) }),
            3 => disk.inject(Fault::FailingSync { after: random.below(80) }),
            4 => disk.inject(Fault::Full { capacity: disk.used() + random.below(300_000) }),
            _ => disk.inject(Fault::Slow { micros: 50_000 }),
        }
        // The fault may also hit the recovery.
        if let Ok(engine) = open(&disk) {
            let trees = trees(&engine, ids)?;
            // A stopped store or a refusal: either way what was acknowledged counts.
            let worked = work(&engine, &trees, &mut random, &mut ledger, 300);
            drop(trees);
            if worked.is_ok() && random.below(2) == 0 {
                let _ = engine.close();
            }
        }
        interrupt(&disk, &mut random);
        let engine = open(&disk).map_err(|error| format!("opening after a crash: {error}"))?;
        compare(&engine, &trees(&engine, ids)?, &mut ledger)?;
    }
    if seed.is_multiple_of(4) {
        flip(&disk, ids, &mut ledger)?;
    }
    Ok(())
}

/// A bit flips at rest: it is reported, or does not matter.
fn flip(disk: &SimulatedDisk, ids: (TreeId, TreeId), ledger: &mut Ledger) -> Result<(), String> {
    let engine = open(disk).map_err(|error| error.to_string())?;
    engine.close().map_err(|error| error.to_string())?;
    drop(engine);
    disk.flip_bit("pages", None).map_err(|error| error.to_string())?;
    let Ok(engine) = open(disk) else { return Ok(()) };
    let is_sound = check(engine.store()).map_err(|error| error.to_string())?.problems.is_empty();
    if is_sound { compare(&engine, &trees(&engine, ids)?, ledger) } else { Ok(()) }
}
