//! Tests of metadata locks on real threads: order, priority, durations, deadlocks as MySQL resolves them.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::{LockError, LockTable, WaitOptions};
use super::*;

struct Names {
    locks: LockTable,
    metadata: MetadataLocks,
}

fn names() -> Arc<Names> {
    let locks = LockTable::default();
    let metadata = locks.metadata_locks();
    Arc::new(Names { locks, metadata })
}

fn wait() -> WaitOptions {
    WaitOptions::timeout(Duration::from_secs(60))
}

fn table_key() -> MdlKey {
    MdlKey::table("shop", "orders")
}

impl Names {
    fn owner(&self) -> MetadataLockOwner {
        MetadataLockOwner::new(self.locks.new_owner())
    }

    fn until_waiting(&self, count: usize) {
        while self.locks.waits().len() != count {
            thread::yield_now();
        }
    }

    fn now(&self, owner: &mut MetadataLockOwner, mode: MdlMode) -> Result<(), LockError> {
        self.metadata.try_acquire(owner, &table_key(), mode, MdlDuration::Transaction)
    }
}

/// Waits for `mode` on a thread of its own, lets go of all, and says how it went.
fn asks(
    names: &Arc<Names>,
    mut owner: MetadataLockOwner,
    mode: MdlMode,
) -> thread::JoinHandle<Result<(), LockError>> {
    let names = Arc::clone(names);
    thread::spawn(move || {
        let result =
            names.metadata.acquire(&mut owner, &table_key(), mode, MdlDuration::Transaction, &wait());
        names.metadata.release_all(&mut owner);
        result
    })
}

#[test]
fn every_pair_of_modes_behaves_as_the_relation_says() {
    for held in MdlMode::ALL {
        for asked in MdlMode::ALL {
            let names = names();
            let (mut a, mut b) = (names.owner(), names.owner());
            assert_eq!(names.now(&mut a, held), Ok(()));
            let expected = if held.conflicts_with(asked) { Err(LockError::WouldBlock) } else { Ok(()) };
            assert_eq!(names.now(&mut b, asked), expected, "{held:?} {asked:?}");
            // One's own locks are no obstacle.
            assert!(!names.metadata.release_explicit(&mut a, &table_key()));
            names.metadata.release_all(&mut b);
            assert_eq!(names.now(&mut a, asked), Ok(()), "{held:?} {asked:?}");
            names.metadata.release_transaction(&mut a);
            assert!(names.metadata.is_empty() && a.is_empty());
        }
    }
}

#[test]
fn a_waiting_ddl_keeps_new_statements_out_but_for_those_of_high_priority() {
    let names = names();
    let (mut reader, mut newcomer) = (names.owner(), names.owner());
    assert_eq!(names.now(&mut reader, MdlMode::SharedRead), Ok(()));
    let ddl = asks(&names, names.owner(), MdlMode::Exclusive);
    names.until_waiting(1);
    for mode in [MdlMode::SharedRead, MdlMode::SharedWrite, MdlMode::Shared] {
        assert_eq!(names.now(&mut newcomer, mode), Err(LockError::WouldBlock), "{mode:?}");
    }
    assert_eq!(names.now(&mut newcomer, MdlMode::SharedHighPriority), Ok(()));
    // The reader's transaction goes on reading.
    assert_eq!(names.now(&mut reader, MdlMode::SharedRead), Ok(()));
    let waits = names.locks.waits();
    let mut blocking = waits[0].blocking.clone();
    blocking.sort();
    assert_eq!(blocking, [reader.id(), newcomer.id()], "the newcomer blocks the DDL as well");
    assert_eq!(names.metadata.list(10).iter().filter(|info| info.waiting_since.is_some()).count(), 1);
    names.metadata.release_transaction(&mut newcomer);
    assert_eq!(names.locks.waits()[0].blocking, [reader.id()]);
    names.metadata.release_transaction(&mut reader);
    assert_eq!(ddl.join().unwrap(), Ok(()));
    assert!(names.metadata.is_empty());
}

#[test]
fn statements_wait_behind_the_ddl_and_all_go_on_after_it() {
    let names = names();
    let mut reader = names.owner();
    assert_eq!(names.now(&mut reader, MdlMode::SharedRead), Ok(()));
    let ddl = asks(&names, names.owner(), MdlMode::Exclusive);
    names.until_waiting(1);
    let behind: Vec<_> = (0..4).map(|_| asks(&names, names.owner(), MdlMode::SharedWrite)).collect();
    names.until_waiting(5);
    names.metadata.release_all(&mut reader);
    assert_eq!(ddl.join().unwrap(), Ok(()));
    for statement in behind {
        assert_eq!(statement.join().unwrap(), Ok(()));
    }
    assert!(names.metadata.is_empty());
    assert_eq!(names.metadata.counters().waits, 5);
}

#[test]
fn a_ddl_that_gives_up_lets_those_behind_it_go_on() {
    let names = names();
    let mut reader = names.owner();
    assert_eq!(names.now(&mut reader, MdlMode::SharedRead), Ok(()));
    let cancel = crate::cancel::Cancel::new();
    let ddl = {
        let (names, cancel) = (Arc::clone(&names), cancel.clone());
        thread::spawn(move || {
            let mut owner = names.owner();
            let options = WaitOptions { cancel, ..wait() };
            names.metadata.acquire(
                &mut owner,
                &table_key(),
                MdlMode::Exclusive,
                MdlDuration::Statement,
                &options,
            )
        })
    };
    names.until_waiting(1);
    let behind = asks(&names, names.owner(), MdlMode::SharedRead);
    names.until_waiting(2);
    cancel.cancel(crate::cancel::CancelReason::Killed);
    assert!(matches!(ddl.join().unwrap(), Err(LockError::Cancelled(_))));
    // The reader still holds its lock.
    assert_eq!(behind.join().unwrap(), Ok(()));
    names.metadata.release_all(&mut reader);
    assert!(names.metadata.is_empty());
}

/// A transaction that has read a table and now writes it while DDL waits: MySQL gives the write 1213, at
/// once and however much the transaction has changed.
#[test]
fn a_stronger_request_of_a_transaction_behind_its_waiting_ddl_is_the_victim() {
    let names = names();
    let mut transaction = names.owner();
    transaction.weight = 1_000_000;
    assert_eq!(names.now(&mut transaction, MdlMode::SharedRead), Ok(()));
    let ddl = asks(&names, names.owner(), MdlMode::Exclusive);
    names.until_waiting(1);
    let key = table_key();
    assert_eq!(
        names.metadata.acquire(
            &mut transaction,
            &key,
            MdlMode::SharedWrite,
            MdlDuration::Transaction,
            &wait()
        ),
        Err(LockError::Deadlock)
    );
    assert!(names.metadata.holds(&transaction, &key, MdlMode::SharedRead));
    assert!(!names.metadata.holds(&transaction, &key, MdlMode::SharedWrite));
    names.metadata.release_transaction(&mut transaction);
    assert_eq!(ddl.join().unwrap(), Ok(()));
}

#[test]
fn an_upgrade_passes_those_who_wait_for_it() {
    let names = names();
    let mut alter = names.owner();
    assert_eq!(names.now(&mut alter, MdlMode::SharedUpgradable), Ok(()));
    let mut reader = names.owner();
    assert_eq!(names.now(&mut reader, MdlMode::SharedRead), Ok(()));
    assert_eq!(names.now(&mut alter, MdlMode::SharedNoWrite), Ok(()));
    let writer = asks(&names, names.owner(), MdlMode::SharedWrite);
    names.until_waiting(1);
    let alter = asks(&names, alter, MdlMode::Exclusive);
    names.until_waiting(2);
    names.metadata.release_all(&mut reader);
    assert_eq!(alter.join().unwrap(), Ok(()));
    assert_eq!(writer.join().unwrap(), Ok(()));
    assert!(names.metadata.is_empty());
}

#[test]
fn locks_end_with_their_duration_savepoint_or_count() {
    let names = names();
    let metadata = &names.metadata;
    let mut owner = names.owner();
    let [s, t, u, v] = ["s", "t", "u", "v"].map(|name| MdlKey::table("d", name));
    let read = MdlMode::SharedRead;
    assert_eq!(metadata.try_acquire(&mut owner, &s, read, MdlDuration::Statement), Ok(()));
    assert_eq!(metadata.try_acquire(&mut owner, &t, read, MdlDuration::Transaction), Ok(()));
    let mark = owner.mark();
    assert_eq!(metadata.try_acquire(&mut owner, &u, read, MdlDuration::Transaction), Ok(()));
    // Held for the statement, and now for the transaction as well.
    assert_eq!(metadata.try_acquire(&mut owner, &s, read, MdlDuration::Transaction), Ok(()));
    for _ in 0..2 {
        assert_eq!(metadata.try_acquire(&mut owner, &v, MdlMode::Exclusive, MdlDuration::Explicit), Ok(()));
    }
    assert_eq!(metadata.exclusive_holder(&v), Some(owner.id()));
    assert_eq!(owner.len(), 6);
    metadata.release_statement(&mut owner);
    assert!(metadata.holds(&owner, &s, read));
    metadata.release_since(&mut owner, mark);
    assert!(metadata.holds(&owner, &t, read) && !metadata.holds(&owner, &u, read));
    metadata.release_transaction(&mut owner);
    assert_eq!((owner.len(), metadata.len()), (2, 1));
    assert!(metadata.release_explicit(&mut owner, &v) && metadata.holds(&owner, &v, read));
    assert!(metadata.release_explicit(&mut owner, &v) && !metadata.holds(&owner, &v, read));
    assert!(!metadata.release_explicit(&mut owner, &v));
    assert_eq!(metadata.try_acquire(&mut owner, &v, read, MdlDuration::Explicit), Ok(()));
    assert_eq!(metadata.release_explicit_where(&mut owner, |key| *key == v), 1);
    assert!(metadata.is_empty() && owner.is_empty());
}

#[test]
fn a_strong_lock_waits_for_brief_reads_and_keeps_them_out_while_it_is_wanted_or_held() {
    let names = names();
    let reader = names.owner();
    let read = names.metadata.read_briefly(&reader).unwrap();
    let ddl = asks(&names, names.owner(), MdlMode::Exclusive);
    let other = names.owner();
    // From the moment that the way is closed.
    while names.metadata.read_briefly(&other).is_some() {
        thread::yield_now();
    }
    thread::sleep(Duration::from_millis(20));
    assert!(!ddl.is_finished());
    drop(read);
    assert_eq!(ddl.join().unwrap(), Ok(()));
    assert!(names.metadata.read_briefly(&reader).is_some());

    // A lock that is waited for in vain opens the way again.
    let mut holder = names.owner();
    assert_eq!(names.now(&mut holder, MdlMode::SharedRead), Ok(()));
    let mut ddl = names.owner();
    assert_eq!(names.now(&mut ddl, MdlMode::Exclusive), Err(LockError::WouldBlock));
    assert!(names.metadata.read_briefly(&reader).is_some());
    names.metadata.release_all(&mut holder);

    for (mode, is_open) in [
        (MdlMode::SharedWrite, true),
        (MdlMode::SharedNoWrite, true),
        (MdlMode::SharedNoReadWrite, false),
        (MdlMode::Exclusive, false),
    ] {
        assert_eq!(names.now(&mut ddl, mode), Ok(()));
        assert_eq!(names.metadata.read_briefly(&reader).is_some(), is_open, "{mode:?}");
        // What is covered has no ticket of its own, and takes nothing with it.
        assert_eq!(names.now(&mut ddl, mode), Ok(()));
        assert_eq!(names.metadata.read_briefly(&reader).is_some(), is_open, "{mode:?}");
        names.metadata.release_transaction(&mut ddl);
        assert!(names.metadata.read_briefly(&reader).is_some(), "{mode:?}");
    }

    // Explicit locks count, and so do those of several objects.
    for _ in 0..2 {
        let explicit = MdlDuration::Explicit;
        assert_eq!(names.metadata.try_acquire(&mut ddl, &table_key(), MdlMode::Exclusive, explicit), Ok(()));
    }
    assert!(names.metadata.release_explicit(&mut ddl, &table_key()));
    assert!(names.metadata.read_briefly(&reader).is_none());
    assert!(names.metadata.release_explicit(&mut ddl, &table_key()));
    assert!(names.metadata.read_briefly(&reader).is_some());

    // A name of GET_LOCK is no table.
    let name = MdlKey::user_lock("n");
    let result = names.metadata.try_acquire(&mut ddl, &name, MdlMode::Exclusive, MdlDuration::Explicit);
    assert_eq!(result, Ok(()));
    assert!(names.metadata.read_briefly(&reader).is_some());
    names.metadata.release_all(&mut ddl);
}

#[test]
fn random_statements_and_ddl_end_and_leave_nothing() {
    let names = names();
    let threads: Vec<_> = (0..6u64)
        .map(|seed| {
            let names = Arc::clone(&names);
            thread::spawn(move || {
                let mut random = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mut next = move |below: u64| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random % below
                };
                let mut owner = names.owner();
                let mut deadlocks = 0;
                for _ in 0..2000 {
                    for _ in 0..=next(3) {
                        let key = MdlKey::table("d", ["a", "b", "c"][next(3) as usize]);
                        let mode = MdlMode::ALL[1 + next(9) as usize];
                        let duration = match next(3) {
                            0 => MdlDuration::Statement,
                            1 => MdlDuration::Transaction,
                            _ => MdlDuration::Explicit,
                        };
                        match names.metadata.acquire(&mut owner, &key, mode, duration, &wait()) {
                            Ok(()) => assert!(names.metadata.holds(&owner, &key, mode)),
                            Err(LockError::Deadlock) => {
                                deadlocks += 1;
                                break;
                            }
                            Err(other) => panic!("{other}"),
                        }
                        if next(4) == 0 {
                            names.metadata.release_statement(&mut owner);
                        }
                    }
                    names.metadata.release_all(&mut owner);
                }
                deadlocks
            })
        })
        .collect();
    let deadlocks: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(deadlocks > 0);
    assert_eq!(names.metadata.counters().deadlocks, deadlocks as u64);
    assert!(names.metadata.is_empty());
    assert!(names.locks.waits().is_empty());
    assert!(names.metadata.read_briefly(&names.owner()).is_some(), "each closing was taken back");
}
