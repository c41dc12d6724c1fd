//! The same table under shuttle, which runs small programs under many thread schedules: a lost wake-up or a
//! missed deadlock shows as a program that cannot go on.
//!
//! `cargo xtask shuttle`, or `cargo test -p rustydb-transaction --features shuttle interleavings`
//!
//! Deadlines never come here, so whatever is waited for has to be granted, cancelled or a victim.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use rustydb_storage::sync::in_all_orders;

use super::*;
use crate::cancel::Cancel;

const TREE: TreeId = TreeId(20);
const SCHEDULES: usize = 1_000;

struct Table {
    locks: LockTable,
    metadata: MetadataLocks,
}

/// One shard: which rows share one must not depend on a random hash, or a schedule could not be repeated.
fn table() -> Arc<Table> {
    let locks = LockTable::new(&LockOptions { shards: 1, max_row_locks: 100 });
    let metadata = locks.metadata_locks();
    Arc::new(Table { locks, metadata })
}

fn wait() -> WaitOptions {
    WaitOptions::timeout(Duration::from_secs(1))
}

fn assert_empty(table: &Table) {
    assert_eq!((table.locks.row_count(), table.locks.range_count(), table.metadata.len()), (0, 0, 0));
    assert!(table.locks.graph.is_empty());
}

#[test]
fn three_writers_of_one_row_exclude_each_other_and_all_come_through() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (table, inside) = (Arc::clone(&table), Arc::clone(&inside));
                thread::spawn(move || {
                    let mut owner = LockOwner::new(table.locks.new_owner());
                    let granted = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Exclusive, &wait());
                    assert_eq!(granted, Ok(Granted { newly: true }));
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    table.locks.release_all(&mut owner);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_empty(&table);
    });
}

#[test]
fn a_ring_of_three_always_ends_with_two_through_or_all() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let threads: Vec<_> = (0..3u8)
            .map(|number| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    let mut owner = LockOwner::new(table.locks.new_owner());
                    owner.weight = u64::from(number % 2);
                    let x = LockMode::Exclusive;
                    let first = table.locks.lock_row(&mut owner, TREE, &[number], x, &wait());
                    // Somebody may wait for it already, but it waits for nobody.
                    assert!(first.is_ok() || owner.is_empty());
                    let second = table.locks.lock_row(&mut owner, TREE, &[(number + 1) % 3], x, &wait());
                    table.locks.release_all(&mut owner);
                    usize::from(first.is_err() || second.is_err())
                })
            })
            .collect();
        let victims: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(victims <= 1, "{victims}");
        assert_empty(&table);
    });
}

#[test]
fn two_upgrades_have_one_victim_unless_they_miss_each_other() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    let mut owner = LockOwner::new(table.locks.new_owner());
                    let shared = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Shared, &wait());
                    assert!(shared.is_ok());
                    let result = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Exclusive, &wait());
                    if result.is_ok() {
                        assert_eq!(table.locks.holds(&owner, TREE, b"k"), Some(LockMode::Exclusive));
                    }
                    table.locks.release_all(&mut owner);
                    usize::from(result.is_err())
                })
            })
            .collect();
        let victims: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(victims <= 1);
        assert_empty(&table);
    });
}

#[test]
fn a_cancellation_wakes_a_waiter_whenever_it_comes() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let mut holder = LockOwner::new(table.locks.new_owner());
        assert!(table.locks.try_lock_row(&mut holder, TREE, b"k", LockMode::Exclusive).is_ok());
        let cancel = Cancel::new();
        let waiter = {
            let (table, cancel) = (Arc::clone(&table), cancel.clone());
            thread::spawn(move || {
                let mut owner = LockOwner::new(table.locks.new_owner());
                let wait = WaitOptions { cancel, ..wait() };
                let result = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Shared, &wait);
                assert_eq!(result, Err(LockError::Cancelled(CancelReason::Killed)));
                assert!(owner.is_empty());
            })
        };
        cancel.cancel(CancelReason::Killed);
        // The holder keeps its lock until the waiter has gone.
        waiter.join().unwrap();
        table.locks.release_all(&mut holder);
        assert_empty(&table);
    });
}

#[test]
fn a_grant_and_a_cancellation_at_once_leave_the_lock_with_its_owner_or_free() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let mut holder = LockOwner::new(table.locks.new_owner());
        assert!(table.locks.try_lock_row(&mut holder, TREE, b"k", LockMode::Exclusive).is_ok());
        let cancel = Cancel::new();
        let waiter = {
            let (table, cancel) = (Arc::clone(&table), cancel.clone());
            thread::spawn(move || {
                let mut owner = LockOwner::new(table.locks.new_owner());
                let wait = WaitOptions { cancel, ..wait() };
                let result = table.locks.lock_row(&mut owner, TREE, b"k", LockMode::Exclusive, &wait);
                assert_eq!(result.is_ok(), owner.row_count() == 1);
                table.locks.release_all(&mut owner);
            })
        };
        let canceller = thread::spawn(move || cancel.cancel(CancelReason::QueryKilled));
        table.locks.release_all(&mut holder);
        waiter.join().unwrap();
        canceller.join().unwrap();
        assert_empty(&table);
    });
}

#[test]
fn an_insert_and_a_range_never_both_overlook_each_other() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        // The leaf: whether the row is in it. Its mutex is the latch.
        let leaf = Arc::new(shuttle::sync::Mutex::new(false));
        let scan = {
            let (table, leaf) = (Arc::clone(&table), Arc::clone(&leaf));
            thread::spawn(move || {
                let mut owner = LockOwner::new(table.locks.new_owner());
                table.locks.lock_range(
                    &mut owner,
                    TREE,
                    Bound::Excluded(b"a"),
                    Bound::Excluded(b"z"),
                    LockMode::Exclusive,
                );
                let first = *leaf.lock().unwrap();
                let second = *leaf.lock().unwrap();
                assert_eq!(first, second, "a row appeared in a locked range");
                table.locks.release_all(&mut owner);
            })
        };
        let insert = {
            let (table, leaf) = (Arc::clone(&table), Arc::clone(&leaf));
            thread::spawn(move || {
                let owner = LockOwner::new(table.locks.new_owner());
                loop {
                    let mut row = leaf.lock().unwrap();
                    if !table.locks.blocks_insert(&owner, TREE, b"k") {
                        *row = true;
                        break;
                    }
                    drop(row);
                    assert_eq!(table.locks.wait_insert(&owner, TREE, b"k", &wait()), Ok(()));
                }
            })
        };
        scan.join().unwrap();
        insert.join().unwrap();
        assert!(*leaf.lock().unwrap());
        assert_empty(&table);
    });
}

/// The versions of one row: whose unfinished insert is its newest.
type Newest = Arc<shuttle::sync::Mutex<Option<Arc<super::LentLocks>>>>;

/// An insert as a transaction makes it, and its end: the row stays locked in between.
fn insert_and_end(table: &Table, newest: &Newest, inside: &shuttle::sync::Mutex<u32>) {
    let mut owner = LockOwner::new(table.locks.new_owner());
    *newest.lock().unwrap() = Some(owner.lent().clone());
    if table.locks.is_row_used(TREE, b"k") {
        *newest.lock().unwrap() = None;
        if lock_as_reader(table, newest, &mut owner).is_err() {
            table.locks.release_all(&mut owner);
            return;
        }
        *newest.lock().unwrap() = Some(owner.lent().clone());
    }
    *inside.lock().unwrap() += 1;
    shuttle::thread::yield_now();
    *inside.lock().unwrap() -= 1;
    // Rolled back or committed: either way no unfinished version is left.
    *newest.lock().unwrap() = None;
    table.locks.release_all(&mut owner);
}

/// The loop of `Transaction::lock_row`.
fn lock_as_reader(table: &Table, newest: &Newest, owner: &mut LockOwner) -> Result<(), LockError> {
    loop {
        if !table.locks.lock_row(owner, TREE, b"k", LockMode::Exclusive, &wait())?.newly {
            return Ok(());
        }
        let found = newest.lock().unwrap().clone();
        let Some(lent) = found.filter(|lent| lent.owner != owner.id()) else { return Ok(()) };
        let lent = table.locks.lend_row(&lent, TREE, b"k");
        table.locks.unlock_row(owner, TREE, b"k");
        lent?;
    }
}

#[test]
fn an_insert_without_a_lock_and_those_who_want_the_row_exclude_each_other() {
    in_all_orders(SCHEDULES, |_| {
        let (table, newest) = (table(), Newest::default());
        let inside = Arc::new(shuttle::sync::Mutex::new(0u32));
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let (table, newest, inside) = (Arc::clone(&table), newest.clone(), Arc::clone(&inside));
                thread::spawn(move || {
                    if number == 0 {
                        return insert_and_end(&table, &newest, &inside);
                    }
                    let mut owner = LockOwner::new(table.locks.new_owner());
                    lock_as_reader(&table, &newest, &mut owner).unwrap();
                    assert_eq!(*inside.lock().unwrap(), 0, "locked while an unfinished insert stands there");
                    shuttle::thread::yield_now();
                    assert_eq!(*inside.lock().unwrap(), 0, "inserted under somebody's lock");
                    table.locks.release_all(&mut owner);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_empty(&table);
    });
}

#[test]
fn ddl_and_statements_on_two_tables_come_through_or_are_victims() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let keys = [MdlKey::table("d", "a"), MdlKey::table("d", "b")];
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let (table, keys) = (Arc::clone(&table), keys.clone());
                thread::spawn(move || {
                    let mut owner = MetadataLockOwner::new(table.locks.new_owner());
                    let (mode, order) = match number {
                        0 => (MdlMode::Exclusive, [0, 1]),
                        1 => (MdlMode::SharedRead, [1, 0]),
                        _ => (MdlMode::SharedWrite, [0, 1]),
                    };
                    let mut result = Ok(());
                    for at in order {
                        result = result.and_then(|()| {
                            let duration = MdlDuration::Transaction;
                            table.metadata.acquire(&mut owner, &keys[at], mode, duration, &wait())
                        });
                    }
                    table.metadata.release_all(&mut owner);
                    if number == 0 {
                        assert_eq!(result, Ok(()), "statements give way to DDL");
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_empty(&table);
    });
}

/// Nobody reads briefly while a definition changes, and all come through.
#[test]
fn brief_reads_and_ddl_keep_each_other_out() {
    in_all_orders(SCHEDULES, |_| {
        let table = table();
        let changing = Arc::new(AtomicUsize::new(0));
        let mut threads = Vec::new();
        for number in 0..2 {
            let (table, changing) = (Arc::clone(&table), Arc::clone(&changing));
            threads.push(thread::spawn(move || {
                let mut owner = MetadataLockOwner::new(table.locks.new_owner());
                let key = MdlKey::table("d", ["a", "b"][number]);
                for mode in [MdlMode::Exclusive, MdlMode::SharedNoReadWrite] {
                    let duration = MdlDuration::Transaction;
                    table.metadata.acquire(&mut owner, &key, mode, duration, &wait()).unwrap();
                    changing.fetch_add(1, Ordering::SeqCst);
                    changing.fetch_sub(1, Ordering::SeqCst);
                    table.metadata.release_transaction(&mut owner);
                }
            }));
        }
        for _ in 0..2 {
            let (table, changing) = (Arc::clone(&table), Arc::clone(&changing));
            threads.push(thread::spawn(move || {
                let mut owner = MetadataLockOwner::new(table.locks.new_owner());
                for _ in 0..2 {
                    if let Some(_read) = table.metadata.read_briefly(&owner) {
                        assert_eq!(changing.load(Ordering::SeqCst), 0);
                        continue;
                    }
                    let (key, duration) = (MdlKey::table("d", "a"), MdlDuration::Transaction);
                    table.metadata.acquire(&mut owner, &key, MdlMode::SharedRead, duration, &wait()).unwrap();
                    table.metadata.release_transaction(&mut owner);
                }
            }));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_empty(&table);
        assert!(table.metadata.read_briefly(&MetadataLockOwner::new(table.locks.new_owner())).is_some());
    });
}
