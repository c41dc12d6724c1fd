//! The latest deadlock, as it was when it was found.
//!
//! The engine tells of a circle of waits before anybody in it is woken ([`rustydb_transaction::locks::Deadlock`]), so
//! the statements, transactions and locks that are noted here are those of that moment. Only the last one is kept.
//!
//! Left to others: how it is shown ([`crate::show`]).

use std::sync::Arc;

use parking_lot::Mutex;
use rustydb_transaction::OwnerId;
use rustydb_transaction::locks::{Deadlock, Wanted};

use super::Database;
use super::processes::ProcessInfo;
use crate::performance_schema::lock_view::{ShownLock, held_lock, wanted_lock};

/// One of those who waited for each other.
#[derive(Debug, Clone)]
pub(crate) struct ReportedMember {
    /// The session with its transaction; None if it has gone meanwhile.
    pub(crate) process: Option<ProcessInfo>,
    /// What it had that the one before waited for.
    pub(crate) holds: ShownLock,
    /// What it waited for.
    pub(crate) wants: ShownLock,
}

/// A circle of waits, in the order of waiting; the last has closed it.
#[derive(Debug, Clone)]
pub(crate) struct DeadlockReport {
    /// In microseconds since 1970 UTC
    pub(crate) at_micros: u64,
    pub(crate) members: Vec<ReportedMember>,
    /// The position of the one that was rolled back
    pub(crate) victim: usize,
}

/// Where the latest deadlock is kept.
#[derive(Debug, Default)]
pub(crate) struct LatestDeadlock {
    report: Mutex<Option<Arc<DeadlockReport>>>,
}

impl LatestDeadlock {
    pub(crate) fn get(&self) -> Option<Arc<DeadlockReport>> {
        self.report.lock().clone()
    }
}

impl Database {
    /// Has the engine tell of deadlocks.
    pub(super) fn watch_deadlocks(self: &Arc<Database>) {
        let database = Arc::downgrade(self);
        self.engine().locks().on_deadlock(move |deadlock| {
            if let Some(database) = database.upgrade() {
                database.note_deadlock(deadlock);
            }
        });
    }

    fn note_deadlock(&self, deadlock: &Deadlock) {
        let owners: Vec<OwnerId> = deadlock.members.iter().map(|member| member.owner).collect();
        let mut processes = self.processes.of_owners(&owners, self.clock.monotonic());
        let before = deadlock.members.iter().cycle().skip(deadlock.members.len().saturating_sub(1));
        let members = deadlock.members.iter().zip(before).map(|(member, before)| {
            let wanted: &Wanted = &before.wanted;
            let process = processes.iter().position(|process| process.owner == member.owner);
            ReportedMember {
                process: process.map(|at| processes.swap_remove(at)),
                holds: held_lock(self, member.owner, wanted),
                wants: wanted_lock(self, member.owner, &member.wanted),
            }
        });
        let members = members.collect();
        let at_micros = self.clock.wall_micros();
        let report = DeadlockReport { at_micros, members, victim: deadlock.victim };
        *self.latest_deadlock.report.lock() = Some(Arc::new(report));
    }
}
