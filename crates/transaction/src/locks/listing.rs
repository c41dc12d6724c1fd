//! Tests of what those who look at the lock table are told.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;

const TREE: TreeId = TreeId(20);

fn wait() -> WaitOptions {
    WaitOptions::timeout(Duration::from_secs(60))
}

#[test]
fn more_locks_than_are_copied_are_counted() {
    let locks = LockTable::new(&LockOptions { shards: 4, max_row_locks: 10_000 });
    let (mut a, mut b) = (LockOwner::new(locks.new_owner()), LockOwner::new(locks.new_owner()));
    for key in 0..3000u32 {
        assert!(locks.try_lock_row(&mut a, TREE, &key.to_be_bytes(), LockMode::Exclusive).is_ok());
    }
    // Holes in the table are no locks.
    for key in (0..3000u32).step_by(3) {
        locks.unlock_row(&mut a, TREE, &key.to_be_bytes());
    }
    assert!(locks.try_lock_row(&mut b, TREE, b"b", LockMode::Shared).is_ok());
    let all = locks.row_locks(usize::MAX);
    assert_eq!((all.locks.len(), all.more.len()), (2001, 0));
    let some = locks.row_locks(100);
    assert_eq!((some.locks.len(), some.more.values().sum::<usize>()), (100, 1901));
    let mut keys: Vec<_> = all.locks.iter().map(|lock| &lock.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 2001);
    locks.release_all(&mut a);
    locks.release_all(&mut b);
    assert_eq!(locks.row_locks(10), RowLockList::default());
}

#[test]
fn a_deadlock_is_told_while_its_members_hold_what_they_held() {
    let locks = Arc::new(LockTable::default());
    let told = Arc::new(Mutex::new(Vec::new()));
    let watch = {
        let (locks, told) = (Arc::downgrade(&locks), Arc::clone(&told));
        move |deadlock: &Deadlock| {
            let Some(locks) = locks.upgrade() else { return };
            // The member before has asked for what this one holds.
            let held = deadlock.members.iter().enumerate().map(|(at, member)| {
                let before = &deadlock.members[(at + deadlock.members.len() - 1) % deadlock.members.len()];
                let Wanted::Row { tree, key, .. } = &before.wanted else { return None };
                locks.row_mode(member.owner, *tree, key)
            });
            let held: Vec<_> = held.collect();
            told.lock().push((deadlock.clone(), held, locks.contended_rows().len()));
        }
    };
    assert!(locks.on_deadlock(watch));
    assert!(!locks.on_deadlock(|_| ()));
    let (mut a, mut b) = (LockOwner::new(locks.new_owner()), LockOwner::new(locks.new_owner()));
    a.weight = 1;
    b.weight = 9;
    let (first, second) = (a.id(), b.id());
    assert!(locks.lock_row(&mut a, TREE, b"1", LockMode::Exclusive, &wait()).is_ok());
    assert!(locks.lock_row(&mut b, TREE, b"2", LockMode::Shared, &wait()).is_ok());
    let other = {
        let locks = Arc::clone(&locks);
        thread::spawn(move || {
            let result = locks.lock_row(&mut a, TREE, b"2", LockMode::Exclusive, &wait());
            locks.release_all(&mut a);
            result
        })
    };
    while locks.waits().is_empty() {
        thread::yield_now();
    }
    let queues = locks.contended_rows();
    assert_eq!(queues[0].holders, [(second, LockMode::Shared)]);
    assert_eq!(queues[0].queue[0].0, first);
    assert!(locks.lock_row(&mut b, TREE, b"1", LockMode::Exclusive, &wait()).is_ok());
    assert_eq!(other.join().unwrap(), Err(LockError::Deadlock));
    locks.release_all(&mut b);
    let told = told.lock();
    let [(deadlock, held, _)] = told.as_slice() else { panic!("{told:?}") };
    let members: Vec<_> = deadlock.members.iter().map(|member| member.owner).collect();
    assert_eq!((members, deadlock.victim), (vec![first, second], 0));
    assert_eq!(*held, [Some(LockMode::Exclusive), Some(LockMode::Shared)]);
    assert!(locks.contended_rows().is_empty());
}

#[test]
fn ranges_tell_the_strongest_mode_they_were_locked_in() {
    let locks = LockTable::default();
    let mut a = LockOwner::new(locks.new_owner());
    let lock = |a: &mut LockOwner, key: &[u8], mode| {
        locks.lock_range(a, TREE, Bound::Included(key), Bound::Included(key), mode);
        locks.range_mode(a.id(), TREE)
    };
    assert_eq!(lock(&mut a, b"a", LockMode::Shared), Some(LockMode::Shared));
    assert_eq!(lock(&mut a, b"c", LockMode::Exclusive), Some(LockMode::Exclusive));
    assert_eq!(lock(&mut a, b"e", LockMode::Shared), Some(LockMode::Exclusive));
    assert_eq!(locks.range_locks(2).len(), 2);
    locks.release_all(&mut a);
    assert_eq!(locks.range_mode(a.id(), TREE), None);
}
