//! The change log: each commit once, in order, with what it did and nothing that was taken back; over crashes,
//! restarts, releases of the log and jumps of the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::disk::{Fault, SimulatedDisk};
use rustydb_storage::{Options, TreeId};
use rustydb_transaction::changelog::{
    ChangeLogOptions, Consumer, ConsumerOptions, Position, Start, TransactionHead,
};
use rustydb_transaction::{
    Cancel, CancelReason, Direction, Engine, EngineOptions, EntryBatch, Error, Isolation, KeyRange,
    Transaction, Tree, WaitOptions,
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

const AT_ONCE: Duration = Duration::ZERO;

fn open_with(disk: &SimulatedDisk, change_log: ChangeLogOptions) -> Result<Arc<Engine>, Error> {
    let storage = Options {
        page_size: 4096,
        buffer_pool_bytes: 64 * 4096,
        segment_bytes: 64 << 10,
        ..Options::default()
    };
    let options = EngineOptions { storage, background: false, change_log, ..EngineOptions::default() };
    Engine::open(Arc::new(disk.clone()), disk.clock(), disk, options)
}

fn open(disk: &SimulatedDisk) -> Result<Arc<Engine>, Error> {
    open_with(disk, ChangeLogOptions::default())
}

fn begin(engine: &Arc<Engine>) -> Transaction {
    engine.begin(Isolation::RepeatableRead, false)
}

fn put(txn: &mut Transaction, tree: &Tree, key: &[u8], value: &[u8]) -> Result<(), Error> {
    match txn.update(tree, key, value) {
        Err(Error::KeyNotFound) => txn.insert(tree, key, value),
        done => done,
    }
}

fn set(engine: &Arc<Engine>, tree: &Tree, key: &[u8], value: &[u8]) -> u64 {
    let mut txn = begin(engine);
    put(&mut txn, tree, key, value).unwrap();
    txn.commit().unwrap().csn
}

fn next(consumer: &mut Consumer) -> Option<TransactionHead> {
    consumer.next(&WaitOptions::timeout(AT_ONCE)).unwrap()
}

/// The rows of the transaction as text: key, before and after.
fn shown(consumer: &mut Consumer) -> Vec<String> {
    let text = |bytes: Option<&[u8]>| bytes.map_or("-".into(), |b| String::from_utf8_lossy(b).into_owned());
    let mut found = Vec::new();
    while let Some(row) = consumer.next_row().unwrap() {
        found.push(format!("{} {}>{}", text(Some(row.key)), text(row.before), text(row.after)));
    }
    found
}

fn rows(engine: &Arc<Engine>, tree: &Arc<Tree>) -> Rows {
    let mut reader = engine.begin(Isolation::ReadCommitted, true);
    let mut scan = reader.scan(tree, KeyRange::all(), Direction::Forward).unwrap();
    let (mut found, mut batch) = (Rows::new(), EntryBatch::new());
    loop {
        batch.clear();
        let more = scan.next_batch(&mut reader, &mut batch, 100).unwrap();
        found.extend((0..batch.len()).map(|at| (batch.key(at).to_vec(), batch.value(at).to_vec())));
        if !more {
            return found;
        }
    }
}

/// A copy of a tree that is kept by what the change log says; it checks every image before it is replaced.
#[derive(Clone, Default)]
struct Replica {
    rows: Rows,
    csn: u64,
    position: Option<Position>,
}

impl Replica {
    fn subscribe(&self, engine: &Arc<Engine>, memory: usize) -> Result<Consumer, Error> {
        let start = self.position.map_or(Start::Oldest, Start::After);
        engine.change_log().subscribe(start, ConsumerOptions { memory, ..ConsumerOptions::default() })
    }

    /// Takes up to `most` transactions in; gives how many there were.
    fn follow(&mut self, consumer: &mut Consumer, tree: TreeId, most: usize) -> Result<usize, Error> {
        for count in 0..most {
            let Some(head) = consumer.next(&WaitOptions::timeout(AT_ONCE))? else { return Ok(count) };
            assert_eq!(head.csn, self.csn + 1, "a commit is missing or comes twice");
            let mut rows = self.rows.clone();
            while let Some(row) = consumer.next_row()? {
                if row.tree != tree {
                    continue;
                }
                assert_eq!(rows.get(row.key).map(Vec::as_slice), row.before, "the image before");
                match row.after {
                    Some(value) => rows.insert(row.key.to_vec(), value.to_vec()),
                    None => rows.remove(row.key),
                };
            }
            // Kept together, as a consumer does that counts on it.
            *self = Replica { rows, csn: head.csn, position: Some(consumer.position()) };
        }
        Ok(most)
    }
}

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

/// Three transactions take turns: puts, deletes, savepoints, rollbacks, commits, checkpoints.
fn work(engine: &Arc<Engine>, tree: &Arc<Tree>, random: &mut Random, steps: u64) -> Result<(), Error> {
    let refused = |done: Result<(), Error>| match done {
        Err(Error::LockWaitTimeout | Error::KeyNotFound | Error::DiskFull | Error::DuplicateKey) => Ok(()),
        done => done,
    };
    let fresh = || {
        let mut txn = begin(engine);
        txn.set_wait(WaitOptions::timeout(AT_ONCE));
        txn
    };
    let mut open = [fresh(), fresh(), fresh()];
    for _ in 0..steps {
        let txn = &mut open[random.below(3) as usize];
        let key = format!("k{:02}", random.below(40)).into_bytes();
        let value = vec![b'a' + random.below(26) as u8; random.below(900) as usize];
        let mark = txn.begin_statement();
        let done = match random.below(14) {
            0..6 => put(txn, tree, &key, &value),
            6 => txn.delete(tree, &key),
            7 => {
                let savepoint = txn.savepoint();
                let done = put(txn, tree, &key, &value).and_then(|()| put(txn, tree, b"shared", &value));
                txn.rollback_to(savepoint)?;
                done
            }
            8..11 => std::mem::replace(txn, fresh()).commit().map(|_| ()),
            11 => std::mem::replace(txn, fresh()).rollback(),
            12 => engine.purge().and_then(|_| engine.store().log().prepare_next().or(Ok(()))),
            _ => engine.checkpoint(),
        };
        if matches!(done, Err(Error::LockWaitTimeout | Error::KeyNotFound | Error::DiskFull)) {
            txn.rollback_statement(mark)?;
        }
        refused(done)?;
    }
    Ok(())
}

#[test]
fn commits_come_in_order_without_what_was_taken_back() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut consumer = engine.change_log().subscribe(Start::Now, ConsumerOptions::default()).unwrap();
    let (mut first, mut second, mut third) = (begin(&engine), begin(&engine), begin(&engine));
    first.set_schema_version(7);
    put(&mut first, &tree, b"a", b"1").unwrap();
    put(&mut second, &tree, b"b", b"1").unwrap();
    let savepoint = first.savepoint();
    put(&mut first, &tree, b"a", b"2").unwrap();
    put(&mut first, &tree, b"c", b"2").unwrap();
    first.rollback_to(savepoint).unwrap();
    put(&mut third, &tree, b"d", b"1").unwrap();
    put(&mut first, &tree, b"a", b"3").unwrap();
    assert!(next(&mut consumer).is_none());
    second.commit().unwrap();
    third.rollback().unwrap();
    first.delete(&tree, b"a").unwrap();
    let committed = first.commit().unwrap();
    let head = next(&mut consumer).unwrap();
    assert_eq!(shown(&mut consumer), ["b ->1"]);
    let position = consumer.position();
    let last = next(&mut consumer).unwrap();
    assert_eq!((last.csn, last.number), (committed.csn, committed.number));
    assert!(last.csn == head.csn + 1 && last.time > head.time);
    assert_eq!(consumer.next_row().unwrap().unwrap().schema_version, 7);
    consumer.rewind();
    assert_eq!(shown(&mut consumer), ["a ->1", "a 1>3", "a 3>-"]);
    assert!(next(&mut consumer).is_none());
    // The first transaction began before the second committed, and is found from that position all the same.
    let mut again =
        engine.change_log().subscribe(Start::After(position), ConsumerOptions::default()).unwrap();
    assert_eq!(next(&mut again), Some(last));
    assert_eq!(shown(&mut again), ["a ->1", "a 1>3", "a 3>-"]);
}

/// What does not fit into memory is read again from the log, with the same rows.
#[test]
fn a_transaction_larger_than_the_memory_is_given_whole() {
    let disk = SimulatedDisk::new(2);
    let engine = open(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut small = engine
        .change_log()
        .subscribe(Start::Now, ConsumerOptions { memory: 2000, ..ConsumerOptions::default() })
        .unwrap();
    let mut large = engine.change_log().subscribe(Start::Now, ConsumerOptions::default()).unwrap();
    let mut txn = begin(&engine);
    for number in 0..300_u32 {
        let savepoint = txn.savepoint();
        put(&mut txn, &tree, &number.to_be_bytes(), &[b'x'; 700]).unwrap();
        if number % 3 == 0 {
            txn.rollback_to(savepoint).unwrap();
        }
        set(&engine, &tree, b"other", &number.to_be_bytes());
    }
    txn.commit().unwrap();
    for _ in 0..300 {
        assert_eq!(next(&mut small), next(&mut large));
        assert_eq!(shown(&mut small), shown(&mut large));
    }
    assert!(next(&mut small).is_some() && next(&mut large).is_some());
    let found = shown(&mut small);
    assert_eq!(found.len(), 200);
    assert_eq!(found, shown(&mut large));
    small.rewind();
    assert_eq!(shown(&mut small), found);
}

/// The power goes at every write; the consumer, which keeps rows and position together, sees each commit once.
#[test]
fn each_commit_is_seen_once_over_a_crash_at_every_write() {
    for (seed, cuts) in [(11, 0..150), (12, 150..300)] {
        for after in cuts {
            let disk = SimulatedDisk::new(seed * 1000 + after);
            let mut random = Random(seed * 7919 + after);
            let id = {
                let engine = open(&disk).unwrap();
                let id = engine.create_tree().unwrap();
                set(&engine, &engine.tree(id).unwrap(), b"first", b"1");
                id
            };
            disk.crash();
            let mut replica = Replica::default();
            for round in 0..3 {
                disk.inject(Fault::PowerCut { after: after + round });
                if let Ok(engine) = open(&disk) {
                    let tree = engine.tree(id).unwrap();
                    let mut done = Ok(());
                    let mut consumer = replica.subscribe(&engine, 3000).unwrap();
                    while done.is_ok() && engine.executed_number() < 200 {
                        done = work(&engine, &tree, &mut random, 20);
                        // Reading goes on after writing has failed, as long as the disk answers.
                        let most = random.below(30) as usize;
                        let _ = replica.follow(&mut consumer, id, most);
                        if random.below(4) == 0 {
                            match replica.subscribe(&engine, 500) {
                                Ok(again) => consumer = again,
                                Err(error) => assert!(done.is_err(), "{error}"),
                            }
                        }
                    }
                }
                disk.crash();
                let engine = open(&disk).unwrap();
                let tree = engine.tree(id).unwrap();
                let mut consumer = replica.subscribe(&engine, 1000).unwrap();
                replica.follow(&mut consumer, id, usize::MAX).unwrap();
                assert_eq!(replica.rows, rows(&engine, &tree), "seed {seed}, cut after {after}");
                assert_eq!(replica.csn, engine.executed_number());
            }
        }
    }
}

#[test]
fn a_consumer_past_retention_is_told_at_once() {
    let disk = SimulatedDisk::new(3);
    let keep = ChangeLogOptions { bytes: 256 << 10, ..ChangeLogOptions::default() };
    let engine = open_with(&disk, keep).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    set(&engine, &tree, b"a", b"1");
    let first = engine.change_log().now();
    let mut slow = engine.change_log().subscribe(Start::After(first), ConsumerOptions::default()).unwrap();
    set(&engine, &tree, b"a", b"2");
    assert!(next(&mut slow).is_some());
    let mut replica = Replica::default();
    let mut consumer = replica.subscribe(&engine, 1 << 20).unwrap();
    for round in 0..12 {
        for number in 0..60_u32 {
            set(&engine, &tree, &number.to_be_bytes(), &[round; 1000]);
        }
        engine.purge().unwrap();
        engine.checkpoint().unwrap();
        // One that keeps up is never cut off, whatever is released.
        replica.follow(&mut consumer, tree.id(), usize::MAX).unwrap();
        engine.store().log().prepare_next().unwrap();
    }
    let statistics = engine.change_log().statistics();
    assert!(statistics.bytes < 600 << 10, "{statistics:?}");
    assert!(statistics.oldest_csn > first.csn());
    assert_eq!((statistics.consumers, statistics.lag_commits > 500), (2, true));
    let truncated = |error: Error| matches!(error, Error::ChangeLogTruncated { .. });
    assert!(truncated(slow.next(&WaitOptions::timeout(AT_ONCE)).unwrap_err()));
    assert!(truncated(
        engine.change_log().subscribe(Start::After(first), ConsumerOptions::default()).unwrap_err()
    ));
    // From the oldest on there is no gap, today and after a restart.
    for restart in [false, true] {
        let engine = if restart {
            engine.close().unwrap();
            disk.crash();
            open_with(&disk, keep).unwrap()
        } else {
            engine.clone()
        };
        let oldest = engine.change_log().oldest();
        assert!(oldest.csn() > first.csn() && oldest.csn() + 50 < engine.executed_number());
        let mut consumer = engine.change_log().subscribe(Start::Oldest, ConsumerOptions::default()).unwrap();
        for csn in oldest.csn() + 1..=engine.executed_number() {
            assert_eq!(next(&mut consumer).unwrap().csn, csn);
            assert_eq!(shown(&mut consumer).len(), 1);
        }
        assert!(next(&mut consumer).is_none());
        drop(consumer);
    }
}

/// Age is the time that the store was open, so a jump of the wall clock releases nothing.
#[test]
fn the_log_is_kept_by_age_whatever_the_wall_clock_says() {
    let disk = SimulatedDisk::new(4);
    let keep = ChangeLogOptions { age: Duration::from_secs(3600), ..ChangeLogOptions::default() };
    let mut engine = open_with(&disk, keep).unwrap();
    let id = engine.create_tree().unwrap();
    let fill = |engine: &Arc<Engine>| {
        let tree = engine.tree(id).unwrap();
        for number in 0..200_u32 {
            set(engine, &tree, &number.to_be_bytes(), &[1; 1000]);
        }
        engine.purge().unwrap();
        engine.checkpoint().unwrap();
        engine.release_log().unwrap();
    };
    fill(&engine);
    let oldest = engine.change_log().oldest();
    for wall in [4_000_000_000_000_000, 1_000_000] {
        disk.clock().set_wall_micros(wall);
        fill(&engine);
        assert_eq!(engine.change_log().oldest(), oldest);
    }
    // Half of the time before a restart, and half of it behind.
    disk.clock().advance(Duration::from_secs(1900));
    fill(&engine);
    engine.close().unwrap();
    drop(engine);
    disk.crash();
    engine = open_with(&disk, keep).unwrap();
    assert_eq!(engine.change_log().oldest(), oldest);
    disk.clock().advance(Duration::from_secs(1900));
    engine.release_log().unwrap();
    assert!(engine.change_log().oldest().csn() > oldest.csn() + 400);
    let last = engine.change_log().now();
    assert!(engine.change_log().subscribe(Start::After(last), ConsumerOptions::default()).is_ok());
}

#[test]
fn a_consumer_begins_at_a_time_or_a_number() {
    let disk = SimulatedDisk::new(5);
    let engine = open(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let mut heads = Vec::new();
    let mut all = engine.change_log().subscribe(Start::Oldest, ConsumerOptions::default()).unwrap();
    for number in 0..300_u32 {
        disk.clock().advance(Duration::from_millis(10));
        set(&engine, &tree, &number.to_be_bytes(), &[1; 1000]);
        heads.push(next(&mut all).unwrap());
    }
    assert!(engine.store().log().segments().len() > 3);
    for at in [0, 1, 40, 150, 299] {
        for start in [Start::At(heads[at].time), Start::AfterNumber(heads[at].number - 1)] {
            let mut consumer = engine.change_log().subscribe(start, ConsumerOptions::default()).unwrap();
            assert_eq!(next(&mut consumer), Some(heads[at]), "{start:?}");
        }
    }
    let mut later =
        engine.change_log().subscribe(Start::At(heads[299].time + 1), ConsumerOptions::default()).unwrap();
    assert_eq!(next(&mut later), None);
}

#[test]
fn positions_of_other_stores_and_of_the_future_are_refused() {
    let (disk, other) = (SimulatedDisk::new(6), SimulatedDisk::new(7));
    let (engine, other) = (open(&disk).unwrap(), open(&other).unwrap());
    let tree = other.tree(other.create_tree().unwrap()).unwrap();
    set(&other, &tree, b"a", b"1");
    let refused = |position| {
        let done = engine.change_log().subscribe(Start::After(position), ConsumerOptions::default());
        matches!(done, Err(Error::ChangeLogPosition { .. }))
    };
    assert!(refused(other.change_log().now()));
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    set(&engine, &tree, b"a", b"1");
    let position = engine.change_log().now();
    assert_eq!(position.to_string().parse(), Ok(position));
    assert!(!refused(position));
    // A store that went back to an older copy of itself.
    let copy = SimulatedDisk::new(6);
    let engine = open(&copy).unwrap();
    let done = engine.change_log().subscribe(Start::After(position), ConsumerOptions::default());
    assert!(matches!(done, Err(Error::ChangeLogPosition { .. })), "{done:?}");
}

#[test]
fn waiting_ends_with_a_commit_or_a_cancellation() {
    let disk = SimulatedDisk::new(8);
    let engine = open(&disk).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    let cancel = Cancel::new();
    let wait = WaitOptions { lock_wait: Duration::from_secs(60), cancel: cancel.clone() };
    std::thread::scope(|scope| {
        let mut consumer = engine.change_log().subscribe(Start::Now, ConsumerOptions::default()).unwrap();
        let reader = scope.spawn(move || {
            let mut found = Vec::new();
            loop {
                match consumer.next(&wait) {
                    Ok(Some(head)) => found.push(head.csn),
                    Ok(None) => panic!("nobody waits that long"),
                    Err(Error::Cancelled(reason)) => return (found, reason),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let first = set(&engine, &tree, b"a", b"1");
        let last = (0..50).fold(first, |_, _| set(&engine, &tree, b"a", b"2"));
        assert!(engine.wait_executed(last, &WaitOptions::timeout(Duration::from_secs(60))).unwrap());
        assert!(!engine.wait_executed(last + 1, &WaitOptions::timeout(AT_ONCE)).unwrap());
        // The reader has to have seen them all before it is told to stop.
        while engine.change_log().statistics().lag_commits > 0 {
            std::thread::yield_now();
        }
        cancel.cancel(CancelReason::Shutdown);
        let (found, reason) = reader.join().unwrap();
        assert_eq!(found, (first..=last).collect::<Vec<_>>());
        assert_eq!(reason, CancelReason::Shutdown);
    });
}

/// Segments are written, released and used again while five read at their own speed.
#[test]
fn consumers_read_beside_writers_and_the_release_of_segments() {
    let disk = SimulatedDisk::new(9);
    let keep = ChangeLogOptions { bytes: 128 << 10, ..ChangeLogOptions::default() };
    let engine = open_with(&disk, keep).unwrap();
    let tree = engine.tree(engine.create_tree().unwrap()).unwrap();
    const COMMITS: u64 = 1500;
    std::thread::scope(|scope| {
        for reader in 0..5_u64 {
            let (engine, id) = (engine.clone(), tree.id());
            scope.spawn(move || {
                let mut random = Random(reader);
                // What is before the oldest is not known, so the rows are not looked at.
                let oldest = || {
                    let oldest = engine.change_log().oldest();
                    Replica { csn: oldest.csn(), position: Some(oldest), rows: Rows::new() }
                };
                let mut replica = oldest();
                while replica.csn < COMMITS {
                    let mut consumer = match replica.subscribe(&engine, 4000) {
                        Ok(consumer) => consumer,
                        Err(Error::ChangeLogTruncated { .. }) => {
                            replica = oldest();
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    };
                    for _ in 0..random.below(40) {
                        match consumer.next(&WaitOptions::timeout(Duration::from_millis(5))) {
                            Ok(Some(head)) => {
                                assert_eq!(head.csn, replica.csn + 1);
                                let mut last = None;
                                loop {
                                    match consumer.next_row() {
                                        Ok(Some(row)) => {
                                            assert_eq!(row.tree, id);
                                            last = row.after.map(<[u8]>::to_vec);
                                        }
                                        Ok(None) => break,
                                        Err(Error::ChangeLogTruncated { .. }) => break,
                                        Err(error) => panic!("{error}"),
                                    }
                                }
                                // Every transaction writes its own number last.
                                if let Some(last) = last {
                                    assert_eq!(last[..8], head.csn.to_be_bytes());
                                }
                                replica.csn = head.csn;
                                replica.position = Some(consumer.position());
                            }
                            Ok(None) | Err(Error::ChangeLogTruncated { .. }) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
        for number in 1..=COMMITS {
            let mut txn = begin(&engine);
            put(&mut txn, &tree, b"filler", &[number as u8; 900]).unwrap();
            put(&mut txn, &tree, b"number", &number.to_be_bytes()).unwrap();
            assert_eq!(txn.commit().unwrap().csn, number);
            if number.is_multiple_of(20) {
                engine.purge().unwrap();
                engine.checkpoint().unwrap();
                engine.store().log().prepare_next().unwrap();
            }
        }
    });
}

/// A prepared transaction comes when it commits, with what it did before the crash.
#[test]
fn a_prepared_transaction_comes_at_its_commit_after_a_restart() {
    let disk = SimulatedDisk::new(10);
    let (id, position) = {
        let engine = open(&disk).unwrap();
        let id = engine.create_tree().unwrap();
        let tree = engine.tree(id).unwrap();
        let mut consumer = engine.change_log().subscribe(Start::Now, ConsumerOptions::default()).unwrap();
        let mut txn = begin(&engine);
        put(&mut txn, &tree, b"a", b"1").unwrap();
        let savepoint = txn.savepoint();
        put(&mut txn, &tree, b"b", b"1").unwrap();
        txn.rollback_to(savepoint).unwrap();
        drop(txn.prepare(b"x").unwrap());
        set(&engine, &tree, b"c", b"1");
        assert!(next(&mut consumer).is_some());
        assert_eq!(shown(&mut consumer), ["c ->1"]);
        (id, consumer.position())
    };
    disk.crash();
    let engine = open(&disk).unwrap();
    let mut consumer =
        engine.change_log().subscribe(Start::After(position), ConsumerOptions::default()).unwrap();
    assert!(next(&mut consumer).is_none());
    let (_, prepared) = engine.take_prepared().remove(0);
    let committed = prepared.commit().unwrap();
    assert_eq!(next(&mut consumer).unwrap().csn, committed.csn);
    assert_eq!(consumer.next_row().unwrap().map(|row| row.tree), Some(id));
    consumer.rewind();
    assert_eq!(shown(&mut consumer), ["a ->1"]);
}
