//! Prepared transactions outlive crashes at any write, locked and unseen, until they are decided.
//!
//! The story that is cut short: rows are there; a transaction changes some, inserts, deletes, goes back to a
//! savepoint, is prepared; others commit, checkpoints are taken; it is decided. The power goes at each write in
//! turn. What was answered before tells what must be found.

use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::Options;
use rustydb_storage::check::check;
use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_transaction::{
    Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange, LockMode, PreparedTransaction,
    Transaction, Tree, TreeId, WaitOptions,
};

fn open(disk: &SimulatedDisk) -> Result<Arc<Engine>, Error> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        segment_bytes: 64 << 10,
        ..Options::default()
    };
    let options = EngineOptions { storage, background: false, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    let mut transaction = engine.begin(Isolation::RepeatableRead, false);
    transaction.set_wait(WaitOptions::timeout(Duration::ZERO));
    transaction
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows(engine: &Arc<Engine>, tree: TreeId) -> Rows {
    let tree = engine.tree(tree).unwrap();
    let mut reader = begin(engine);
    let mut scan = reader.scan(&tree, KeyRange::all(), Direction::Forward).unwrap();
    let mut batch = EntryBatch::new();
    while scan.next_batch(&mut reader, &mut batch, 100).unwrap() {}
    (0..batch.len()).map(|at| (batch.key(at).to_vec(), batch.value(at).to_vec())).collect()
}

fn row(key: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

fn before() -> Rows {
    vec![row("a", "1"), row("b", "1"), row("parent", "1")]
}

fn after() -> Rows {
    let large = "x".repeat(9000);
    vec![row("a", "2"), row("c", &large), row("d", "3"), row("parent", "1")]
}

fn fill(engine: &Arc<Engine>) -> TreeId {
    let id = engine.create_tree().unwrap();
    let tree = engine.tree(id).unwrap();
    let mut first = begin(engine);
    for (key, value) in before() {
        first.insert(&tree, &key, &value).unwrap();
    }
    // Its tombstone is what the prepared transaction inserts over.
    first.insert(&tree, b"d", b"old").unwrap();
    first.commit().unwrap();
    let mut second = begin(engine);
    second.delete(&tree, b"d").unwrap();
    second.commit().unwrap();
    id
}

/// Makes [`after`] of [`before`], and locks the parent.
fn change(engine: &Arc<Engine>, tree: &Tree) -> Result<Transaction, Error> {
    let mut transaction = begin(engine);
    assert!(transaction.get_locked(tree, b"parent", LockMode::Shared)?.is_some());
    transaction.update(tree, b"a", b"2")?;
    transaction.delete(tree, b"b")?;
    let savepoint = transaction.savepoint();
    transaction.insert(tree, b"gone", b"1")?;
    transaction.update(tree, b"a", b"9")?;
    transaction.rollback_to(savepoint)?;
    transaction.insert(tree, b"c", "x".repeat(9000).as_bytes())?;
    transaction.insert(tree, b"d", b"3")?;
    Ok(transaction)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Changing,
    Preparing,
    Prepared,
    Deciding,
    Decided,
}

/// The story; `stage` says how far it was sure to have come when the disk failed.
fn story(engine: &Arc<Engine>, id: TreeId, commits: bool, stage: &mut Stage) -> Result<(), Error> {
    let tree = engine.tree(id)?;
    let transaction = change(engine, &tree)?;
    *stage = Stage::Preparing;
    let prepared = transaction.prepare(b"name")?;
    *stage = Stage::Prepared;
    for _ in 0..2 {
        let mut other = begin(engine);
        other.update(&tree, b"parent", b"2").unwrap_err();
        other.insert(&tree, b"other", b"1")?;
        other.rollback()?;
        engine.purge()?;
        engine.store().log().prepare_next()?;
        engine.checkpoint()?;
    }
    *stage = Stage::Deciding;
    decide(prepared, commits)?;
    *stage = Stage::Decided;
    engine.purge()?;
    engine.checkpoint()
}

fn decide(prepared: PreparedTransaction, commits: bool) -> Result<(), Error> {
    if commits { prepared.commit().map(|_| ()) } else { prepared.rollback() }
}

/// What must hold after a crash; gives the transaction if it is still prepared.
fn look(engine: &Arc<Engine>, id: TreeId, stage: Stage, commits: bool) -> Option<PreparedTransaction> {
    let mut found = engine.take_prepared();
    assert!(engine.take_prepared().is_empty(), "they are given once");
    assert!(found.len() <= 1);
    let now = rows(engine, id);
    let Some((name, prepared)) = found.pop() else {
        match stage {
            Stage::Changing | Stage::Preparing => assert_eq!(now, before()),
            Stage::Prepared => panic!("a prepared transaction is gone"),
            Stage::Deciding | Stage::Decided => assert_eq!(now, if commits { after() } else { before() }),
        }
        assert_eq!(engine.locks().row_count(), 0);
        return None;
    };
    assert_eq!(name, b"name");
    assert!(!matches!(stage, Stage::Changing | Stage::Decided), "{stage:?}");
    assert_eq!(now, before(), "nobody sees what is not decided");
    let tree = engine.tree(id).unwrap();
    // What was taken back to the savepoint stays locked too, as before the crash.
    for key in ["a", "b", "c", "d", "gone", "parent"] {
        for mode in [LockMode::Shared, LockMode::Exclusive] {
            let free = key == "parent" && mode == LockMode::Shared;
            let got = begin(engine).get_locked(&tree, key.as_bytes(), mode);
            assert_eq!(got.is_ok(), free, "{key} {mode:?}: {got:?}");
        }
    }
    Some(prepared)
}

fn cut_short(after: u64, commits: bool) -> Stage {
    let disk = SimulatedDisk::new(after);
    let id = {
        let engine = open(&disk).unwrap();
        let id = fill(&engine);
        engine.store().log().flush(engine.store().log().end()).unwrap();
        id
    };
    disk.crash();
    let mut stage = Stage::Changing;
    {
        let engine = open(&disk).unwrap();
        disk.inject(Fault::PowerCut { after });
        let done = story(&engine, id, commits, &mut stage);
        assert!(done.is_err() || stage == Stage::Decided);
    }
    if after.is_multiple_of(2) {
        disk.crash()
    } else {
        disk.heal()
    }
    // The opening is cut short too, some times over, and what is prepared stays so.
    for again in 0..3 {
        disk.inject(Fault::PowerCut { after: after % 7 + again * 5 });
        drop(open(&disk));
        if again == 1 {
            disk.heal()
        } else {
            disk.crash()
        }
        let engine = open(&disk).unwrap();
        let prepared = look(&engine, id, stage, commits);
        if prepared.is_some() && stage != Stage::Deciding {
            // From here on it is known to be.
            stage = Stage::Prepared;
        }
        assert_eq!(check(engine.store()).unwrap().problems, Vec::<String>::new());
        if again == 0 {
            engine.close().unwrap();
        }
        drop(prepared);
        drop(engine);
        disk.crash();
    }
    let engine = open(&disk).unwrap();
    if let Some(prepared) = look(&engine, id, stage, commits) {
        decide(prepared, commits).unwrap();
        drop(engine);
        disk.crash();
        let engine = open(&disk).unwrap();
        assert!(look(&engine, id, Stage::Decided, commits).is_none(), "what was decided does not come back");
        let report = check(engine.store()).unwrap();
        assert_eq!((report.problems, report.tombstones), (Vec::new(), 0));
    }
    stage
}

/// How many writes and syncs the whole story takes, and one more.
fn writes(commits: bool) -> u64 {
    let disk = SimulatedDisk::new(0);
    let engine = open(&disk).unwrap();
    let id = fill(&engine);
    let before = disk.operations();
    story(&engine, id, commits, &mut Stage::Changing).unwrap();
    disk.operations() - before + 1
}

#[test]
fn the_power_goes_at_any_write_between_prepare_and_decision() {
    for commits in [true, false] {
        let mut seen = Vec::new();
        for after in 0..writes(commits) {
            let stage = cut_short(after, commits);
            if !seen.contains(&stage) {
                seen.push(stage);
            }
        }
        for stage in [Stage::Changing, Stage::Prepared, Stage::Decided] {
            assert!(seen.contains(&stage), "the power never went at {stage:?}: {seen:?}");
        }
    }
}

/// Without a write there is nothing in the log but the promise, and it is kept.
#[test]
fn a_transaction_that_only_locked_is_prepared_like_others() {
    for commits in [true, false] {
        let disk = SimulatedDisk::new(3);
        let engine = open(&disk).unwrap();
        let id = fill(&engine);
        let mut reader = begin(&engine);
        let tree = engine.tree(id).unwrap();
        reader.get_locked(&tree, b"a", LockMode::Exclusive).unwrap();
        let prepared = reader.prepare(b"r").unwrap();
        engine.checkpoint().unwrap();
        drop((prepared, engine));
        disk.crash();
        let engine = open(&disk).unwrap();
        let (name, prepared) = engine.take_prepared().pop().unwrap();
        assert_eq!(name, b"r");
        assert_eq!(prepared.change_count(), 0);
        assert!(begin(&engine).get_locked(&tree_of(&engine, id), b"a", LockMode::Shared).is_err());
        decide(prepared, commits).unwrap();
        assert!(begin(&engine).get_locked(&tree_of(&engine, id), b"a", LockMode::Exclusive).is_ok());
        drop(engine);
        disk.crash();
        assert!(open(&disk).unwrap().take_prepared().is_empty());
    }
}

fn tree_of(engine: &Arc<Engine>, id: TreeId) -> Arc<Tree> {
    engine.tree(id).unwrap()
}

/// Several at once, one decided while another waits for the decision through further crashes.
#[test]
fn each_waits_for_its_own_decision() {
    let disk = SimulatedDisk::new(5);
    let mut engine = open(&disk).unwrap();
    let id = fill(&engine);
    for (key, name) in [(b"a", b"1"), (b"b", b"2")] {
        let mut transaction = begin(&engine);
        transaction.update(&tree_of(&engine, id), key, name).unwrap();
        drop(transaction.prepare(name).unwrap());
    }
    drop(engine);
    disk.crash();
    engine = open(&disk).unwrap();
    for (name, prepared) in engine.take_prepared() {
        if name == b"1" {
            prepared.commit().unwrap();
        }
    }
    drop(engine);
    disk.crash();
    engine = open(&disk).unwrap();
    let mut expected = before();
    expected[0].1 = b"1".to_vec();
    assert_eq!(rows(&engine, id), expected);
    let (name, prepared) = engine.take_prepared().pop().unwrap();
    assert_eq!(name, b"2");
    prepared.rollback().unwrap();
    assert_eq!(rows(&engine, id), expected);
    begin(&engine).update(&tree_of(&engine, id), b"b", b"3").unwrap();
}

/// What others do later could still refuse it, so it must not promise.
#[test]
fn a_serializable_transaction_does_not_promise() {
    let disk = SimulatedDisk::new(7);
    let engine = open(&disk).unwrap();
    let id = fill(&engine);
    let mut transaction = engine.begin(Isolation::Serializable, false);
    transaction.update(&tree_of(&engine, id), b"a", b"5").unwrap();
    assert!(matches!(transaction.prepare(b"s"), Err(Error::NotPreparable)));
    assert_eq!(rows(&engine, id), before());
    assert_eq!(engine.locks().row_count(), 0);
}
