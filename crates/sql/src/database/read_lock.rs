//! The global read lock: FLUSH TABLES WITH READ LOCK keeps every session from changing anything, so that a backup
//! finds everything at one moment.
//!
//! It is three metadata locks on things that are no tables: a statement that changes rows holds `Global` in
//! intention, a commit `Commit`, and the global read lock holds both shared. But nearly always nobody asks for it, and
//! then a statement pays for two stores to a word of its own session instead of a lock that all sessions share:
//!
//! ```text
//! writer       stage = Writing; closed == 0 ? go on : stage = Idle, lock Global in intention and wait there
//! read lock    closed += 1; lock Global shared; wait until no stage is Writing
//!                           lock Commit shared; wait until no stage is Committing
//! ```
//!
//! Invariants:
//! - Store and load are sequentially consistent on both sides: a writer that does not see `closed` is seen by whoever
//!   closed it.
//! - Statements are closed out before commits: a statement that waits for the rows of a transaction which is about to
//!   commit gets them, so that the read lock waits for statements that end.
//! - Whoever holds the read lock may not change anything itself (1223), temporary tables apart.
//!
//! Lock order: `sessions` alone; nothing is called under it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Instant;

use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex};
use rustydb_transaction::locks::{
    LockError, MdlDuration, MdlKey, MdlMode, MetadataLockOwner, MetadataLocks, WaitOptions,
};

use crate::error::SqlError;
use crate::session::tables::lock_error;

const IDLE: u8 = 0;
const WRITING: u8 = 1;
const COMMITTING: u8 = 2;

/// What all sessions share.
#[derive(Debug, Default)]
pub(crate) struct GlobalReadLock {
    /// How many sessions hold the read lock or want it.
    closed: AtomicUsize,
    sessions: Mutex<Sessions>,
    /// A session has become idle, or somebody who waits is cancelled.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Sessions {
    next: u64,
    stages: HashMap<u64, Arc<AtomicU8>>,
}

impl GlobalReadLock {
    fn announce(&self) {
        // Taken, so that who has just looked is asleep before it is woken.
        drop(self.sessions.lock());
        self.changed.notify_all();
    }

    /// Waits until no session but `own` is at this stage.
    fn wait_until_none(self: &Arc<Self>, own: u64, stage: u8, wait: &WaitOptions) -> Result<(), LockError> {
        let _registered = wait.cancel.register(Waker::from(Arc::clone(self)));
        let deadline = Instant::now().checked_add(wait.lock_wait);
        let mut sessions = self.sessions.lock();
        while sessions.stages.iter().any(|(id, at)| *id != own && at.load(Ordering::SeqCst) == stage) {
            if let Some(reason) = wait.cancel.reason() {
                return Err(LockError::Cancelled(reason));
            }
            match deadline {
                Some(deadline) if self.changed.wait_until(&mut sessions, deadline).timed_out() => {
                    return Err(LockError::Timeout);
                }
                Some(_) => {}
                None => self.changed.wait(&mut sessions),
            }
        }
        Ok(())
    }
}

impl Wake for GlobalReadLock {
    fn wake(self: Arc<Self>) {
        self.announce();
    }
}

/// One session's part in it.
#[derive(Debug)]
pub(crate) struct WritePass {
    shared: Arc<GlobalReadLock>,
    id: u64,
    stage: Arc<AtomicU8>,
    /// The session holds the read lock itself.
    holds: bool,
    /// It holds metadata locks in intention until it leaves.
    queued: bool,
}

impl WritePass {
    /// Of a session that begins.
    pub(crate) fn new(shared: &Arc<GlobalReadLock>) -> WritePass {
        let stage = Arc::new(AtomicU8::new(IDLE));
        let mut sessions = shared.sessions.lock();
        let id = sessions.next;
        sessions.next += 1;
        sessions.stages.insert(id, Arc::clone(&stage));
        drop(sessions);
        WritePass { shared: Arc::clone(shared), id, stage, holds: false, queued: false }
    }

    /// Whether the session holds the read lock.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    /// Comes to `stage` if nobody is in the way.
    fn pass(&self, stage: u8) -> bool {
        self.stage.store(stage, Ordering::SeqCst);
        if self.shared.closed.load(Ordering::SeqCst) == 0 {
            return true;
        }
        self.stage.store(IDLE, Ordering::SeqCst);
        self.shared.announce();
        false
    }

    /// A statement is about to change rows, until [`leave`](Self::leave).
    #[inline]
    pub(crate) fn begin_write(
        &mut self,
        locks: &MetadataLocks,
        owner: &mut MetadataLockOwner,
        wait: &WaitOptions,
    ) -> Result<(), SqlError> {
        if self.holds {
            return Err(SqlError::conflicting_read_lock());
        }
        if self.stage.load(Ordering::Relaxed) != IDLE || self.pass(WRITING) {
            return Ok(());
        }
        self.queue(&MdlKey::Global, locks, owner, wait)
    }

    /// A transaction is about to commit, until [`leave`](Self::leave).
    #[inline]
    pub(crate) fn begin_commit(
        &mut self,
        locks: &MetadataLocks,
        owner: &mut MetadataLockOwner,
        wait: &WaitOptions,
    ) -> Result<(), SqlError> {
        // A statement that changes rows keeps the read lock from closing commits out.
        if self.holds || self.stage.load(Ordering::Relaxed) != IDLE || self.pass(COMMITTING) {
            return Ok(());
        }
        self.queue(&MdlKey::Commit, locks, owner, wait)
    }

    #[cold]
    fn queue(
        &mut self,
        key: &MdlKey,
        locks: &MetadataLocks,
        owner: &mut MetadataLockOwner,
        wait: &WaitOptions,
    ) -> Result<(), SqlError> {
        self.queued = true;
        let mode = MdlMode::IntentionExclusive;
        locks.acquire(owner, key, mode, MdlDuration::Statement, wait).map_err(|e| lock_error(&e))
    }

    /// The statement or the commit is over.
    #[inline]
    pub(crate) fn leave(&mut self, locks: &MetadataLocks, owner: &mut MetadataLockOwner) {
        if std::mem::take(&mut self.queued) {
            locks.release_statement(owner);
        }
        if self.stage.load(Ordering::Relaxed) == IDLE {
            return;
        }
        self.stage.store(IDLE, Ordering::SeqCst);
        if self.shared.closed.load(Ordering::SeqCst) > 0 {
            self.shared.announce();
        }
    }

    /// Takes the read lock: when this returns, nothing is being changed.
    pub(crate) fn close(
        &mut self,
        locks: &MetadataLocks,
        owner: &mut MetadataLockOwner,
        wait: &WaitOptions,
    ) -> Result<(), SqlError> {
        if self.holds {
            return Ok(());
        }
        self.shared.closed.fetch_add(1, Ordering::SeqCst);
        self.holds = true;
        for (key, stage) in [(MdlKey::Global, WRITING), (MdlKey::Commit, COMMITTING)] {
            let closed = locks
                .acquire(owner, &key, MdlMode::Shared, MdlDuration::Explicit, wait)
                .and_then(|()| self.shared.wait_until_none(self.id, stage, wait));
            if let Err(error) = closed {
                self.open(locks, owner);
                return Err(lock_error(&error));
            }
        }
        Ok(())
    }

    /// Gives the read lock back, if the session has it.
    pub(crate) fn open(&mut self, locks: &MetadataLocks, owner: &mut MetadataLockOwner) {
        if std::mem::take(&mut self.holds) {
            locks.release_explicit_where(owner, |key| matches!(key, MdlKey::Global | MdlKey::Commit));
            self.shared.closed.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for WritePass {
    fn drop(&mut self) {
        self.shared.sessions.lock().stages.remove(&self.id);
        self.shared.changed.notify_all();
        if self.holds {
            // Its metadata locks went with their owner.
            self.shared.closed.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
