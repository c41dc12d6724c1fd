//! Tests of the whole lock table on real threads. None depends on how long something takes: a thread is
//! known to wait when the wait-for graph says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::*;
use crate::cancel::Cancel;

const TREE: TreeId = TreeId(20);
const LONG: Duration = Duration::from_secs(60);

fn long() -> WaitOptions {
    WaitOptions::timeout(LONG)
}

struct Table {
    locks: LockTable,
    metadata: MetadataLocks,
}

impl Table {
    fn new() -> Arc<Self> {
        let locks = LockTable::default();
        let metadata = locks.metadata_locks();
        Arc::new(Self { locks, metadata })
    }

    fn owner(&self) -> LockOwner {
        LockOwner::new(self.locks.new_owner())
    }

    /// Blocks until `count` owners wait.
    fn until_waiting(&self, count: usize) {
        while self.locks.waits().len() != count {
            thread::yield_now();
        }
    }

    fn assert_empty(&self) {
        assert_eq!((self.locks.row_count(), self.locks.range_count(), self.metadata.len()), (0, 0, 0));
        assert!(self.locks.graph.is_empty());
        assert_eq!(self.locks.row_locks(10), RowLockList::default());
        assert_eq!(self.locks.range_locks(10), []);
    }
}

fn exclusive(table: &Table, owner: &mut LockOwner, key: &[u8]) -> Result<Granted, LockError> {
    table.locks.lock_row(owner, TREE, key, LockMode::Exclusive, &long())
}

#[test]
fn modes_reentry_upgrade_and_release() {
    let table = Table::new();
    let (mut a, mut b) = (table.owner(), table.owner());
    let locks = &table.locks;
    assert_eq!(locks.try_lock_row(&mut a, TREE, b"k", LockMode::Shared), Ok(Granted { newly: true }));
    assert_eq!(locks.try_lock_row(&mut b, TREE, b"k", LockMode::Shared), Ok(Granted { newly: true }));
    assert_eq!(locks.try_lock_row(&mut a, TREE, b"k", LockMode::Shared), Ok(Granted { newly: false }));
    assert_eq!(locks.try_lock_row(&mut a, TREE, b"k", LockMode::Exclusive), Err(LockError::WouldBlock));
    locks.unlock_row(&mut b, TREE, b"k");
    assert!(b.is_empty());
    assert_eq!(locks.try_lock_row(&mut a, TREE, b"k", LockMode::Exclusive), Ok(Granted { newly: false }));
    assert_eq!(locks.holds(&a, TREE, b"k"), Some(LockMode::Exclusive));
    assert_eq!(locks.holds(&b, TREE, b"k"), None);
    assert_eq!(locks.try_lock_row(&mut b, TREE, b"k", LockMode::Shared), Err(LockError::WouldBlock));
    // The same key of another tree is another row.
    assert_eq!(
        locks.try_lock_row(&mut b, TreeId(21), b"k", LockMode::Exclusive),
        Ok(Granted { newly: true })
    );
    assert_eq!(locks.row_count(), 2);
    assert_eq!(a.row_count(), 1);
    locks.release_all(&mut a);
    locks.release_all(&mut b);
    table.assert_empty();
}

#[test]
fn the_number_of_locks_is_bounded() {
    let locks = LockTable::new(&LockOptions { shards: 1, max_row_locks: 3 });
    let mut a = LockOwner::new(locks.new_owner());
    for key in [b"1", b"2", b"3"] {
        assert!(locks.try_lock_row(&mut a, TREE, key, LockMode::Shared).is_ok());
    }
    assert_eq!(locks.try_lock_row(&mut a, TREE, b"4", LockMode::Shared), Err(LockError::TableFull));
    assert!(locks.try_lock_row(&mut a, TREE, b"3", LockMode::Shared).is_ok());
    locks.unlock_row(&mut a, TREE, b"1");
    assert!(locks.try_lock_row(&mut a, TREE, b"4", LockMode::Shared).is_ok());
    locks.release_all(&mut a);
    assert_eq!(locks.row_count(), 0);
}

#[test]
fn a_large_transaction_gives_its_memory_back() {
    let table = Table::new();
    let mut a = table.owner();
    for key in 0..200_000u32 {
        assert!(exclusive(&table, &mut a, &key.to_be_bytes()).is_ok());
    }
    assert_eq!((table.locks.row_count(), a.row_count()), (200_000, 200_000));
    table.locks.release_all(&mut a);
    table.assert_empty();
    assert_eq!(a.rows.capacity(), 0);
}

#[test]
fn waiters_are_served_in_the_order_they_came() {
    let table = Table::new();
    let mut a = table.owner();
    assert!(exclusive(&table, &mut a, b"k").is_ok());
    let order = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (theirs, order) = (Arc::clone(&table), Arc::clone(&order));
            let thread = thread::spawn(move || {
                let mut owner = theirs.owner();
                assert_eq!(exclusive(&theirs, &mut owner, b"k"), Ok(Granted { newly: true }));
                order.lock().push(number);
                theirs.locks.release_all(&mut owner);
            });
            table.until_waiting(number + 1);
            thread
        })
        .collect();
    assert_eq!(table.locks.row_locks(100).locks.len(), 9);
    table.locks.release_all(&mut a);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*order.lock(), (0..8).collect::<Vec<_>>());
    assert_eq!(table.locks.counters().waits, 8);
    table.assert_empty();
}

/// A row that is never free of shared locks is given to the one who waits for it alone before anybody gets it who
/// came later, again and again.
#[test]
fn a_stream_of_shared_lockers_starves_nobody() {
    const ROUNDS: usize = 50;
    let table = Table::new();
    let (waiting_since, granted, stop) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let shared: Vec<_> = (0..4)
        .map(|_| {
            let table = Arc::clone(&table);
            let (waiting_since, granted, stop) =
                (Arc::clone(&waiting_since), Arc::clone(&granted), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let before_me = waiting_since.load(Ordering::SeqCst);
                    let mut owner = table.owner();
                    let got = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Shared, &long());
                    assert_eq!(got, Ok(Granted { newly: true }));
                    assert!(granted.load(Ordering::SeqCst) >= before_me, "passed one who had come first");
                    thread::yield_now();
                    table.locks.release_all(&mut owner);
                }
            })
        })
        .collect();
    for round in 1..=ROUNDS {
        // The row is held shared until the writer stands in the queue.
        let mut holder = table.owner();
        let held = table.locks.lock_row(&mut holder, TREE, b"k", LockMode::Shared, &long());
        assert_eq!(held, Ok(Granted { newly: true }));
        let (theirs, has_it) = (Arc::clone(&table), Arc::clone(&granted));
        let mut owner = table.owner();
        let id = owner.id();
        let writer = thread::spawn(move || {
            assert!(exclusive(&theirs, &mut owner, b"k").is_ok());
            has_it.store(round, Ordering::SeqCst);
            theirs.locks.release_all(&mut owner);
        });
        while !table.locks.waits().iter().any(|wait| wait.waiting == id) {
            thread::yield_now();
        }
        waiting_since.store(round, Ordering::SeqCst);
        table.locks.release_all(&mut holder);
        writer.join().unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    for thread in shared {
        thread.join().unwrap();
    }
    table.assert_empty();
}

#[test]
fn the_number_of_ranges_is_bounded_and_none_is_given_up() {
    let table = Table::new();
    let mut owner = table.owner();
    let other = table.owner();
    let keys: Vec<[u8; 4]> = (0..20_000u32).map(|number| (number * 7).to_be_bytes()).collect();
    for key in &keys {
        table.locks.lock_range(
            &mut owner,
            TREE,
            Bound::Included(key),
            Bound::Included(key),
            LockMode::Exclusive,
        );
    }
    assert!(table.locks.range_count() <= 8192, "{}", table.locks.range_count());
    assert!(keys.iter().all(|key| table.locks.blocks_insert(&other, TREE, key)));
    assert!(!table.locks.blocks_insert(&other, TREE, &u32::MAX.to_be_bytes()));
    table.locks.release_all(&mut owner);
    table.assert_empty();
}

#[test]
fn a_shared_newcomer_queues_behind_a_waiting_exclusive_and_all_shared_wake_together() {
    let table = Table::new();
    let mut holder = table.owner();
    assert!(table.locks.try_lock_row(&mut holder, TREE, b"k", LockMode::Shared).is_ok());
    let writer = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            let mut owner = table.owner();
            exclusive(&table, &mut owner, b"k").map(|_| owner)
        })
    };
    table.until_waiting(1);
    let mut newcomer = table.owner();
    assert_eq!(
        table.locks.try_lock_row(&mut newcomer, TREE, b"k", LockMode::Shared),
        Err(LockError::WouldBlock)
    );
    // Who holds it asks again and is served at once.
    assert!(table.locks.try_lock_row(&mut holder, TREE, b"k", LockMode::Shared).is_ok());
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (table, barrier) = (Arc::clone(&table), Arc::clone(&barrier));
            thread::spawn(move || {
                let mut owner = table.owner();
                let granted = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Shared, &long());
                // Passes only if all three hold it at the same time.
                barrier.wait();
                table.locks.release_all(&mut owner);
                granted
            })
        })
        .collect();
    table.until_waiting(4);
    table.locks.release_all(&mut holder);
    let mut owner = writer.join().unwrap().unwrap();
    table.until_waiting(3);
    table.locks.release_all(&mut owner);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), Ok(Granted { newly: true }));
    }
    table.assert_empty();
}

#[test]
fn an_upgrade_goes_ahead_of_the_queue() {
    let table = Table::new();
    let (mut a, mut b) = (table.owner(), table.owner());
    for owner in [&mut a, &mut b] {
        assert!(table.locks.try_lock_row(owner, TREE, b"k", LockMode::Shared).is_ok());
    }
    let (done, order) = mpsc::channel();
    let writer = {
        let (table, done) = (Arc::clone(&table), done.clone());
        thread::spawn(move || {
            let mut owner = table.owner();
            let granted = exclusive(&table, &mut owner, b"k");
            done.send("writer").unwrap();
            table.locks.release_all(&mut owner);
            granted
        })
    };
    table.until_waiting(1);
    let upgrade = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            let granted = exclusive(&table, &mut a, b"k");
            done.send("upgrade").unwrap();
            table.locks.release_all(&mut a);
            granted
        })
    };
    table.until_waiting(2);
    table.locks.release_all(&mut b);
    assert_eq!(upgrade.join().unwrap(), Ok(Granted { newly: false }));
    assert_eq!(writer.join().unwrap(), Ok(Granted { newly: true }));
    assert_eq!(order.iter().take(2).collect::<Vec<_>>(), ["upgrade", "writer"]);
    table.assert_empty();
}

/// `parties` owners each hold one row and ask for the next one's: in all sizes exactly one is the victim, the
/// one with the least weight, and the others finish.
#[test]
fn a_deadlock_of_two_to_five_has_one_victim_the_cheapest() {
    for parties in 2..=5usize {
        for cheapest in 0..parties {
            let table = Table::new();
            let mut owners: Vec<LockOwner> = (0..parties).map(|_| table.owner()).collect();
            for (number, owner) in owners.iter_mut().enumerate() {
                owner.weight = if number == cheapest { 1 } else { 10 };
                assert!(exclusive(&table, owner, &[number as u8]).is_ok());
            }
            let threads: Vec<_> = owners
                .into_iter()
                .enumerate()
                .map(|(number, mut owner)| {
                    let theirs = Arc::clone(&table);
                    let thread = thread::spawn(move || {
                        let next = ((number + 1) % parties) as u8;
                        let result = exclusive(&theirs, &mut owner, &[next]);
                        theirs.locks.release_all(&mut owner);
                        result
                    });
                    if number + 1 < parties {
                        table.until_waiting(number + 1);
                    }
                    thread
                })
                .collect();
            let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            for (number, result) in results.iter().enumerate() {
                let expected =
                    if number == cheapest { Err(LockError::Deadlock) } else { Ok(Granted { newly: true }) };
                assert_eq!(*result, expected, "{parties} parties, cheapest {cheapest}: {results:?}");
            }
            assert_eq!(table.locks.counters().deadlocks, 1);
            table.assert_empty();
        }
    }
}

#[test]
fn a_deadlock_over_a_row_a_range_and_a_table_is_found() {
    let table = Table::new();
    let key = MdlKey::table("d", "t");
    // a holds a range, b a row, c (DDL) the table.
    let (mut a, mut b, mut c) = (table.owner(), table.owner(), table.owner());
    let mut a_tables = MetadataLockOwner::new(a.id());
    let mut c_tables = MetadataLockOwner::new(c.id());
    table.locks.lock_range(&mut a, TREE, Bound::Included(b"m"), Bound::Unbounded, LockMode::Exclusive);
    assert!(exclusive(&table, &mut b, b"b").is_ok());
    assert_eq!(
        table.metadata.try_acquire(&mut c_tables, &key, MdlMode::Exclusive, MdlDuration::Statement),
        Ok(())
    );
    (a.weight, b.weight, c.weight) = (5, 5, 5);
    a_tables.weight = 1;
    let c_thread = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            let result = exclusive(&table, &mut c, b"b");
            table.locks.release_all(&mut c);
            table.metadata.release_all(&mut c_tables);
            result
        })
    };
    table.until_waiting(1);
    let b_thread = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            let result = table.locks.wait_insert(&b, TREE, b"x", &long());
            table.locks.release_all(&mut b);
            result
        })
    };
    table.until_waiting(2);
    assert!(table.locks.blocks_insert(&c_owner(&table), TREE, b"m"));
    assert!(!table.locks.blocks_insert(&c_owner(&table), TREE, b"lz"));
    let closing =
        table.metadata.acquire(&mut a_tables, &key, MdlMode::SharedRead, MdlDuration::Transaction, &long());
    assert_eq!(closing, Err(LockError::Deadlock));
    table.locks.release_all(&mut a);
    assert_eq!(b_thread.join().unwrap(), Ok(()));
    assert_eq!(c_thread.join().unwrap(), Ok(Granted { newly: true }));
    assert!(a_tables.is_empty());
    table.assert_empty();
}

fn c_owner(table: &Table) -> LockOwner {
    table.owner()
}

#[test]
fn a_range_locked_while_an_insert_waits_blocks_it_too() {
    let table = Table::new();
    let (mut a, mut b, inserter) = (table.owner(), table.owner(), table.owner());
    table.locks.lock_range(&mut a, TREE, Bound::Excluded(b"a"), Bound::Excluded(b"m"), LockMode::Exclusive);
    let inserter_id = inserter.id();
    let insert = {
        let table = Arc::clone(&table);
        thread::spawn(move || table.locks.wait_insert(&inserter, TREE, b"g", &long()))
    };
    table.until_waiting(1);
    table.locks.lock_range(&mut b, TREE, Bound::Included(b"g"), Bound::Included(b"g"), LockMode::Exclusive);
    // Its own range never keeps an owner from inserting, others' ranges do not overlap in vain.
    assert!(table.locks.blocks_insert(&a, TREE, b"g") && !table.locks.blocks_insert(&a, TREE, b"b"));
    table.locks.release_all(&mut a);
    let waits = table.locks.waits();
    assert_eq!((waits[0].waiting, waits[0].blocking.as_slice()), (inserter_id, [b.id()].as_slice()));
    table.locks.release_all(&mut b);
    assert_eq!(insert.join().unwrap(), Ok(()));
    table.assert_empty();
}

#[test]
fn a_wait_times_out_alone_and_leaves_the_others_waiting() {
    let table = Table::new();
    let mut a = table.owner();
    assert!(exclusive(&table, &mut a, b"k").is_ok());
    let patient = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            let mut owner = table.owner();
            let result = exclusive(&table, &mut owner, b"k");
            table.locks.release_all(&mut owner);
            result
        })
    };
    table.until_waiting(1);
    let mut b = table.owner();
    let limit = Duration::from_millis(20);
    let begin = Instant::now();
    let wait = WaitOptions::timeout(limit);
    assert_eq!(table.locks.lock_row(&mut b, TREE, b"k", LockMode::Shared, &wait), Err(LockError::Timeout));
    assert!(begin.elapsed() >= limit);
    assert!(b.is_empty());
    table.locks.lock_range(&mut a, TREE, Bound::Unbounded, Bound::Unbounded, LockMode::Exclusive);
    assert_eq!(table.locks.wait_insert(&b, TREE, b"z", &wait), Err(LockError::Timeout));
    let key = MdlKey::database("d");
    let mut a_names = MetadataLockOwner::new(a.id());
    let mut b_names = MetadataLockOwner::new(b.id());
    let x = MdlMode::Exclusive;
    assert_eq!(table.metadata.try_acquire(&mut a_names, &key, x, MdlDuration::Explicit), Ok(()));
    assert_eq!(
        table.metadata.acquire(&mut b_names, &key, x, MdlDuration::Statement, &wait),
        Err(LockError::Timeout)
    );
    assert_eq!(table.locks.counters().timeouts, 2);
    assert!(table.locks.counters().longest_wait >= limit);
    assert_eq!(table.metadata.counters().timeouts, 1);
    assert_eq!(table.locks.waits().len(), 1);
    table.metadata.release_all(&mut a_names);
    table.locks.release_all(&mut a);
    assert!(patient.join().unwrap().is_ok());
    table.assert_empty();
}

#[test]
fn a_cancellation_ends_each_kind_of_wait_and_one_that_came_before() {
    let table = Table::new();
    let mut a = table.owner();
    let mut a_names = MetadataLockOwner::new(a.id());
    let key = MdlKey::table("d", "t");
    assert!(exclusive(&table, &mut a, b"k").is_ok());
    table.locks.lock_range(&mut a, TREE, Bound::Unbounded, Bound::Unbounded, LockMode::Exclusive);
    assert_eq!(
        table.metadata.try_acquire(&mut a_names, &key, MdlMode::SharedWrite, MdlDuration::Transaction),
        Ok(())
    );
    let wait_for = [
        |t: &Table, o: &mut LockOwner, w: &WaitOptions| {
            t.locks.lock_row(o, TREE, b"k", LockMode::Shared, w).map(|_| ())
        },
        |t: &Table, o: &mut LockOwner, w: &WaitOptions| t.locks.wait_insert(o, TREE, b"k", w),
        |t: &Table, o: &mut LockOwner, w: &WaitOptions| {
            let mut names = MetadataLockOwner::new(o.id());
            let key = MdlKey::table("d", "t");
            t.metadata.acquire(&mut names, &key, MdlMode::Exclusive, MdlDuration::Statement, w)
        },
    ];
    for wait_for in wait_for {
        let cancel = Cancel::new();
        let options = WaitOptions { lock_wait: LONG, cancel: cancel.clone() };
        let waiting = {
            let (table, options) = (Arc::clone(&table), options.clone());
            thread::spawn(move || {
                let mut owner = table.owner();
                wait_for(&table, &mut owner, &options)
            })
        };
        table.until_waiting(1);
        cancel.cancel(CancelReason::QueryKilled);
        assert_eq!(waiting.join().unwrap(), Err(LockError::Cancelled(CancelReason::QueryKilled)));
        let mut late = table.owner();
        assert_eq!(
            wait_for(&table, &mut late, &options),
            Err(LockError::Cancelled(CancelReason::QueryKilled))
        );
    }
    assert_eq!(table.locks.counters().cancelled, 2);
    table.metadata.release_all(&mut a_names);
    table.locks.release_all(&mut a);
    table.assert_empty();
}

/// Threads lock random rows in random order and modes, with deadlocks, timeouts and cancellations among them.
/// A row that is held exclusively is held by one thread, shared ones by no writer; nobody sleeps for ever.
#[test]
fn many_threads_exclude_each_other_and_leave_nothing_behind() {
    const ROWS: usize = 6;
    let table = Table::new();
    // Readers count up by 1, a writer by 1000.
    let inside: Arc<Vec<AtomicUsize>> = Arc::new((0..ROWS).map(|_| AtomicUsize::new(0)).collect());
    let finished = Arc::new(AtomicBool::new(false));
    let cancels: Vec<Cancel> = (0..8).map(|_| Cancel::new()).collect();
    let threads: Vec<_> = (0..8u64)
        .map(|seed| {
            let (table, inside) = (Arc::clone(&table), Arc::clone(&inside));
            let cancel = cancels[seed as usize].clone();
            thread::spawn(move || {
                let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                let mut next = move |below: u64| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random % below
                };
                let mut results = BTreeMap::new();
                for _ in 0..1500 {
                    cancel.reset();
                    let mut owner = table.owner();
                    owner.weight = next(3);
                    let mut held: BTreeMap<usize, LockMode> = BTreeMap::new();
                    for _ in 0..1 + next(4) {
                        let row = next(ROWS as u64) as usize;
                        let mode = if next(2) == 0 { LockMode::Shared } else { LockMode::Exclusive };
                        let lock_wait = if next(8) == 0 { Duration::from_micros(next(300)) } else { LONG };
                        let wait = WaitOptions { lock_wait, cancel: cancel.clone() };
                        let result = table.locks.lock_row(&mut owner, TREE, &[row as u8], mode, &wait);
                        let name = format!("{result:?}");
                        *results.entry(name).or_insert(0) += 1;
                        match result {
                            Ok(granted) => {
                                assert_eq!(granted.newly, !held.contains_key(&row));
                                let before = held.get(&row).copied();
                                let now = before.map_or(mode, |before| before.max(mode));
                                let add = |m: Option<LockMode>| match m {
                                    None => 0,
                                    Some(LockMode::Shared) => 1,
                                    Some(LockMode::Exclusive) => 1000,
                                };
                                let more = add(Some(now)) - add(before);
                                let seen = inside[row].fetch_add(more, Ordering::SeqCst) + more;
                                match now {
                                    LockMode::Exclusive => assert_eq!(seen, 1000),
                                    LockMode::Shared => assert!(seen < 1000, "{seen}"),
                                }
                                held.insert(row, now);
                            }
                            Err(LockError::Deadlock) => break,
                            Err(_) => {}
                        }
                        if next(6) == 0 {
                            table.locks.lock_range(
                                &mut owner,
                                TREE,
                                Bound::Included(&[row as u8]),
                                Bound::Included(&[row as u8]),
                                LockMode::Exclusive,
                            );
                        }
                        if next(6) == 0
                            && table.locks.wait_insert(&owner, TREE, &[row as u8], &wait)
                                == Err(LockError::Deadlock)
                        {
                            break;
                        }
                    }
                    for (row, mode) in &held {
                        let less = if *mode == LockMode::Exclusive { 1000 } else { 1 };
                        inside[*row].fetch_sub(less, Ordering::SeqCst);
                    }
                    assert_eq!(owner.row_count(), held.len());
                    table.locks.release_all(&mut owner);
                }
                results
            })
        })
        .collect();
    let canceller = {
        let finished = Arc::clone(&finished);
        thread::spawn(move || {
            let mut at = 0;
            while !finished.load(Ordering::SeqCst) {
                cancels[at % cancels.len()].cancel(CancelReason::QueryKilled);
                at += 1;
                thread::yield_now();
            }
        })
    };
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for thread in threads {
        for (name, count) in thread.join().unwrap() {
            *all.entry(name).or_default() += count;
        }
    }
    finished.store(true, Ordering::SeqCst);
    canceller.join().unwrap();
    assert!(all.contains_key("Err(Deadlock)"), "the test was to meet deadlocks: {all:?}");
    assert!(table.locks.counters().waits > 100, "{:?}", table.locks.counters());
    table.assert_empty();
}

/// Not a check but a measurement: `cargo test --release -p rustydb-transaction uncontended -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn uncontended_cost() {
    let table = Table::new();
    let mut owner = table.owner();
    let wait = long();
    let rounds = 1_000_000u32;
    let begin = Instant::now();
    for number in 0..rounds {
        let key = number.to_be_bytes();
        let _ = table.locks.lock_row(&mut owner, TREE, &key, LockMode::Exclusive, &wait);
        table.locks.release_all(&mut owner);
    }
    println!("row: lock and release {:?}", begin.elapsed() / rounds);
    let begin = Instant::now();
    for number in 0..rounds {
        let key = number.to_be_bytes();
        let _ = table.locks.lock_row(&mut owner, TREE, &key, LockMode::Exclusive, &wait);
    }
    println!("row: lock, of a million held {:?}", begin.elapsed() / rounds);
    let begin = Instant::now();
    table.locks.release_all(&mut owner);
    println!("row: release, of a million held {:?}", begin.elapsed() / rounds);
    let begin = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(table.locks.blocks_insert(&owner, TREE, b"k"));
    }
    println!("range: insert into a tree without ranges {:?}", begin.elapsed() / rounds);
    let key = MdlKey::table("sbtest", "sbtest1");
    let mut names = MetadataLockOwner::new(table.locks.new_owner());
    let begin = Instant::now();
    for _ in 0..rounds {
        let _ =
            table.metadata.acquire(&mut names, &key, MdlMode::SharedRead, MdlDuration::Transaction, &wait);
        table.metadata.release_transaction(&mut names);
    }
    println!("metadata: acquire and release {:?}", begin.elapsed() / rounds);
    let threads = 8u32;
    let begin = Instant::now();
    let all: Vec<_> = (0..threads)
        .map(|_| {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let mut owner = table.owner();
                for _ in 0..20_000 {
                    let _ = exclusive(&table, &mut owner, b"hot");
                    table.locks.release_all(&mut owner);
                }
            })
        })
        .collect();
    for thread in all {
        thread.join().unwrap();
    }
    println!("row: one row, {threads} threads, a turn {:?}", begin.elapsed() / (threads * 20_000));
}

/// A lock that is lent to a sleeper can close a cycle: somebody queues already for the row behind its lender, and the
/// sleeper waits for that one.
#[test]
fn a_cycle_that_a_lent_lock_closes_is_found() {
    let table = Table::new();
    let (mut reader, mut queued, mut inserter) = (table.owner(), table.owner(), table.owner());
    assert!(exclusive(&table, &mut reader, b"k").is_ok());
    assert!(exclusive(&table, &mut queued, b"x").is_ok());
    let lent = inserter.lent().clone();
    let wait = |mut owner: LockOwner, key: &'static [u8]| {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            let short = WaitOptions::timeout(Duration::from_secs(10));
            let granted = table.locks.lock_row(&mut owner, TREE, key, LockMode::Exclusive, &short);
            table.locks.release_all(&mut owner);
            granted
        })
    };
    let queued = wait(queued, b"k");
    table.until_waiting(1);
    let inserter = wait(inserter, b"x");
    table.until_waiting(2);
    assert_eq!(table.locks.lend_row(&lent, TREE, b"k"), Ok(true));
    table.locks.unlock_row(&mut reader, TREE, b"k");
    let granted = [queued.join().unwrap(), inserter.join().unwrap()];
    assert_eq!(granted.iter().filter(|g| g.is_ok()).count(), 1, "{granted:?}");
    assert!(granted.contains(&Err(LockError::Deadlock)), "{granted:?}");
    table.assert_empty();
}
