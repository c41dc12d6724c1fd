//! Locks by name, which applications take and give back themselves (`GET_LOCK`).
//!
//! They have nothing to do with transactions: a session holds as many as it likes, one may be taken several
//! times and has to be given back as often, and all go when the session ends ([`SessionLocks`] is dropped).
//! Who would wait for a lock whose owner waits, through others, for the one who asks, gets error 3058.
//!
//! Invariant: the table is locked only for a look or a change, never while anybody waits; who waits sleeps
//! until a lock is given back, its time is over or its statement is cancelled.

use std::sync::Arc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;
use rustydb_transaction::Cancel;

use crate::error::SqlError;

/// The most locks of one session.
const MOST: usize = 100_000;

/// The locks of a server.
#[derive(Debug, Default)]
pub struct UserLocks {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<String, Held>,
    /// Who waits, by session.
    waiting: HashMap<u64, Waiting>,
}

#[derive(Debug)]
struct Held {
    owner: u64,
    depth: u64,
}

#[derive(Debug)]
struct Waiting {
    name: String,
    thread: Thread,
}

/// A lock by name, or a wait for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserLockInfo {
    pub(crate) name: String,
    pub(crate) session: u64,
    pub(crate) is_waiting: bool,
}

impl UserLocks {
    /// All locks and waits, by name.
    pub(crate) fn list(&self) -> Vec<UserLockInfo> {
        let table = self.table.lock();
        let held = table.held.iter().map(|(name, held)| (name, held.owner, false));
        let waiting = table.waiting.iter().map(|(session, waiting)| (&waiting.name, *session, true));
        let info = |(name, session, is_waiting): (&String, u64, bool)| UserLockInfo {
            name: name.clone(),
            session,
            is_waiting,
        };
        let mut list: Vec<UserLockInfo> = held.chain(waiting).map(info).collect();
        list.sort_by(|a, b| (&a.name, a.is_waiting, a.session).cmp(&(&b.name, b.is_waiting, b.session)));
        list
    }

    /// The sessions that wait for one.
    pub(crate) fn waiting_sessions(&self) -> Vec<u64> {
        self.table.lock().waiting.keys().copied().collect()
    }
}

impl Table {
    /// Whether waiting for `name` would close a circle that ends at `session`.
    fn deadlocks(&self, session: u64, name: &str) -> bool {
        let mut name = name;
        // No path is longer than there are sessions that wait.
        for _ in 0..=self.waiting.len() {
            let Some(held) = self.held.get(name) else { return false };
            if held.owner == session {
                return true;
            }
            let Some(waiting) = self.waiting.get(&held.owner) else { return false };
            name = &waiting.name;
        }
        false
    }

    fn wake(&self, name: &str) {
        for waiting in self.waiting.values().filter(|w| w.name == name) {
            waiting.thread.unpark();
        }
    }
}

/// How an attempt to take a lock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquired {
    /// It is held.
    Yes,
    /// The time was over first.
    TimedOut,
    /// The statement was cancelled first.
    Cancelled,
}

/// The locks of one session.
#[derive(Debug)]
pub struct SessionLocks {
    locks: Arc<UserLocks>,
    session: u64,
    /// Names that the session holds.
    names: Vec<String>,
}

/// Wakes the thread that waits when its statement is cancelled.
struct Unpark(Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl SessionLocks {
    /// No locks yet; `session` is the number of the connection.
    pub fn new(locks: Arc<UserLocks>, session: u64) -> SessionLocks {
        SessionLocks { locks, session, names: Vec::new() }
    }

    /// Takes a lock, waiting at most `limit` (None: for ever).
    ///
    /// # Errors
    /// 3058 if waiting could never end, 1206 for too many locks.
    pub fn acquire(
        &mut self,
        name: &str,
        limit: Option<Duration>,
        cancel: &Cancel,
    ) -> Result<Acquired, SqlError> {
        if self.names.len() >= MOST {
            return Err(SqlError::too_many_locks());
        }
        let begun = Instant::now();
        let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
        let _registered = cancel.register(waker);
        let outcome = loop {
            let mut table = self.locks.table.lock();
            match table.held.get_mut(name) {
                None => {
                    table.held.insert(name.to_owned(), Held { owner: self.session, depth: 1 });
                    self.names.push(name.to_owned());
                    break Ok(Acquired::Yes);
                }
                Some(held) if held.owner == self.session => {
                    held.depth += 1;
                    break Ok(Acquired::Yes);
                }
                Some(_) => {}
            }
            if cancel.is_cancelled() {
                break Ok(Acquired::Cancelled);
            }
            let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                break Ok(Acquired::TimedOut);
            }
            if table.deadlocks(self.session, name) {
                break Err(SqlError::user_lock_deadlock());
            }
            let waiting = Waiting { name: name.to_owned(), thread: std::thread::current() };
            table.waiting.insert(self.session, waiting);
            drop(table);
            match left {
                Some(left) => std::thread::park_timeout(left),
                None => std::thread::park(),
            }
        };
        self.locks.table.lock().waiting.remove(&self.session);
        outcome
    }

    /// Gives a lock back once: whether it was this session's, None if nobody holds it.
    pub fn release(&mut self, name: &str) -> Option<bool> {
        let mut table = self.locks.table.lock();
        let held = table.held.get_mut(name)?;
        if held.owner != self.session {
            return Some(false);
        }
        held.depth -= 1;
        if held.depth == 0 {
            table.held.remove(name);
            table.wake(name);
            self.names.retain(|n| n != name);
        }
        Some(true)
    }

    /// Gives all locks back; how often they had been taken.
    pub fn release_all(&mut self) -> u64 {
        let mut table = self.locks.table.lock();
        let mut count = 0;
        for name in self.names.drain(..) {
            count += table.held.remove(&name).map_or(0, |held| held.depth);
            table.wake(&name);
        }
        count
    }

    /// The session that holds a lock.
    pub fn owner(&self, name: &str) -> Option<u64> {
        self.locks.table.lock().held.get(name).map(|held| held.owner)
    }
}

impl Drop for SessionLocks {
    fn drop(&mut self) {
        if !self.names.is_empty() {
            self.release_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> (Arc<UserLocks>, SessionLocks, SessionLocks) {
        let locks = Arc::new(UserLocks::default());
        let (a, b) = (SessionLocks::new(Arc::clone(&locks), 1), SessionLocks::new(Arc::clone(&locks), 2));
        (locks, a, b)
    }

    fn now(locks: &mut SessionLocks, name: &str) -> Acquired {
        locks.acquire(name, Some(Duration::ZERO), &Cancel::new()).unwrap()
    }

    #[test]
    fn a_lock_is_given_back_as_often_as_it_was_taken() {
        let (_, mut a, mut b) = sessions();
        assert_eq!(now(&mut a, "x"), Acquired::Yes);
        assert_eq!(now(&mut a, "x"), Acquired::Yes);
        assert_eq!(now(&mut b, "x"), Acquired::TimedOut);
        assert_eq!(b.release("x"), Some(false));
        assert_eq!(b.release("y"), None);
        assert_eq!(a.release("x"), Some(true));
        assert_eq!(b.owner("x"), Some(1));
        assert_eq!(a.release("x"), Some(true));
        assert_eq!(now(&mut b, "x"), Acquired::Yes);
    }

    #[test]
    fn the_end_of_a_session_wakes_who_waits() {
        let (locks, mut a, mut b) = sessions();
        assert_eq!(now(&mut a, "x"), Acquired::Yes);
        let waiter = std::thread::spawn(move || b.acquire("x", None, &Cancel::new()));
        while locks.table.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        drop(a);
        assert_eq!(waiter.join().unwrap().unwrap(), Acquired::Yes);
    }

    #[test]
    fn a_circle_is_refused() {
        let (locks, mut a, mut b) = sessions();
        assert_eq!(now(&mut a, "x"), Acquired::Yes);
        assert_eq!(now(&mut b, "y"), Acquired::Yes);
        let waiter = std::thread::spawn(move || b.acquire("x", None, &Cancel::new()));
        while locks.table.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(a.acquire("y", None, &Cancel::new()).unwrap_err().code, 3058);
        assert_eq!(a.release_all(), 1);
        assert_eq!(waiter.join().unwrap().unwrap(), Acquired::Yes);
    }

    #[test]
    fn a_cancelled_wait_ends() {
        let (locks, mut a, mut b) = sessions();
        assert_eq!(now(&mut a, "x"), Acquired::Yes);
        let cancel = Cancel::new();
        let other = cancel.clone();
        let waiter = std::thread::spawn(move || b.acquire("x", None, &other));
        while locks.table.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        cancel.cancel(rustydb_transaction::CancelReason::QueryKilled);
        assert_eq!(waiter.join().unwrap().unwrap(), Acquired::Cancelled);
        assert!(locks.table.lock().waiting.is_empty());
    }
}
