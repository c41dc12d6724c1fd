//! The order of commits.
//!
//! ```text
//!   number and log the commit, in one step     -> locks go, others may build on it
//!   the log is durable beyond its record       -> published: new snapshots see it, the client is told
//! ```
//! Numbers are given, records appended and commits published in one order, so the order in the log, the
//! order of visibility and the order of numbers are the same.
//!
//! Also here: where each unfinished transaction's first record is, which bounds recovery's reading and
//! tells pages that are settled. An entry stays until its commit is published.
//!
//! Lock order: `order`, then `active`; the log's own lock inside `order`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rustydb_storage::disk::Clock;
use rustydb_storage::sync::{AtomicU64, Mutex, Ordering};
use rustydb_storage::wal::{Bell, Log, Mark, Record};
use rustydb_storage::{Lsn, Recovered};

use crate::cancel::{Cancel, CancelReason};
use crate::error::Result;
use crate::locks::WaitOptions;
use crate::sleep::{Woken, sleep_until};
use crate::versions::Writer;

/// A commit's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number in the order of commits; zero for a transaction that wrote nothing.
    pub csn: u64,
    /// Where its record is.
    pub lsn: Lsn,
    /// The number in its global transaction id, `server_uuid:number`; zero for none.
    pub number: u64,
}

/// Where an unfinished transaction begins in the log, with its number to tell equals apart.
pub(crate) type FirstRecord = (Lsn, u64);

/// Who keeps the log from its first record on.
struct Pin {
    writer: Arc<Writer>,
    /// Ends its session, if it does not come back.
    cancel: Cancel,
}

struct Pending {
    csn: u64,
    time: u64,
    number: u64,
    lsn: Lsn,
    first: FirstRecord,
}

struct Order {
    csn: u64,
    time: u64,
    number: u64,
    pending: VecDeque<Pending>,
    published: Published,
}

/// The last commit that is published.
#[derive(Clone, Copy, Default)]
struct Published {
    csn: u64,
    time: u64,
    number: u64,
    lsn: Lsn,
}

/// Numbers commits and publishes them.
pub(crate) struct Commits {
    order: Mutex<Order>,
    visible: AtomicU64,
    /// The unfinished and unpublished. Without a pin it may keep the log for as long as it takes: a prepared one.
    active: Mutex<BTreeMap<FirstRecord, Option<Pin>>>,
    oldest_active: AtomicU64,
    clock: Arc<dyn Clock>,
    /// The number of the last commit that is published, in its global transaction id.
    executed: AtomicU64,
    /// Rung when commits are published.
    published: Bell,
    /// How long the store had been open before, less the monotonic time at this opening.
    run_before: u64,
}

impl Commits {
    /// `run_before` says for how many microseconds the store had been open before.
    pub(crate) fn new(recovered: &Recovered, clock: Arc<dyn Clock>, run_before: u64) -> Commits {
        let published =
            Published { csn: recovered.csn, time: recovered.time, number: recovered.number, lsn: Lsn::ZERO };
        Commits {
            order: Mutex::new(Order {
                csn: recovered.csn,
                time: recovered.time,
                number: recovered.number,
                pending: VecDeque::new(),
                published,
            }),
            visible: AtomicU64::new(recovered.csn),
            active: Mutex::default(),
            oldest_active: AtomicU64::new(u64::MAX),
            executed: AtomicU64::new(recovered.number),
            published: Bell::default(),
            run_before: run_before.wrapping_sub(monotonic(&*clock)),
            clock,
        }
    }

    /// Notes that a transaction is about to write its first record. `cancel` ends its session.
    pub(crate) fn begin_writing(&self, writer: &Arc<Writer>, cancel: Cancel, log: &Log) -> FirstRecord {
        let pin = Pin { writer: writer.clone(), cancel };
        let mut active = self.active.lock();
        let first = (log.end(), writer.transaction);
        active.insert(first, Some(pin));
        self.note_oldest(&active);
        first
    }

    /// Enters a transaction that has records of a former life and is to be decided yet.
    pub(crate) fn go_on_writing(&self, first: FirstRecord) {
        let mut active = self.active.lock();
        active.insert(first, None);
        self.note_oldest(&active);
    }

    /// Lets a transaction keep the log for as long as it takes. It may have been refused before.
    pub(crate) fn exempt(&self, first: FirstRecord) {
        if let Some(pin) = self.active.lock().get_mut(&first) {
            *pin = None;
        }
    }

    /// Takes a transaction out that was rolled back.
    pub(crate) fn forget(&self, first: FirstRecord) {
        let mut active = self.active.lock();
        active.remove(&first);
        self.note_oldest(&active);
    }

    /// Refuses the unfinished transactions that have records before `before`; those that have some before
    /// `long_before` have not come back since, and their sessions are ended. Gives how many were newly refused.
    pub(crate) fn refuse_before(&self, before: Lsn, long_before: Lsn) -> usize {
        let (mut refused, mut gone) = (0, Vec::new());
        {
            let active = self.active.lock();
            for ((first, _), pin) in active.range(..(before, 0)) {
                let Some(pin) = pin.as_ref().filter(|pin| pin.writer.committed().is_none()) else { continue };
                refused += usize::from(pin.writer.refuse());
                if *first < long_before {
                    gone.push(pin.cancel.clone());
                }
            }
        }
        // Wakers are called without a lock.
        gone.iter().for_each(|cancel| cancel.cancel(CancelReason::Killed));
        refused
    }

    fn note_oldest(&self, active: &BTreeMap<FirstRecord, Option<Pin>>) {
        let oldest = active.first_key_value().map_or(u64::MAX, |((lsn, _), _)| lsn.0);
        self.oldest_active.store(oldest, Ordering::Release);
    }

    /// Before this no transaction that is unfinished or unpublished has a record. `log_end` is read first.
    pub(crate) fn settled_before(&self, log: &Log) -> Lsn {
        let end = log.end();
        end.min(Lsn(self.oldest_active.load(Ordering::Acquire)))
    }

    /// The first record of the oldest transaction that is unfinished or unpublished.
    pub(crate) fn oldest_active(&self) -> Lsn {
        Lsn(self.oldest_active.load(Ordering::Acquire))
    }

    /// Numbers a commit and appends its record. From here on others may lock and read what it wrote.
    pub(crate) fn commit(&self, log: &Log, writer: &Writer, first: FirstRecord) -> Result<Committed> {
        let mut order = self.order.lock();
        let csn = order.csn + 1;
        let time = self.clock.wall_micros().max(order.time + 1);
        let number = order.number + 1;
        let mut record = Vec::with_capacity(40);
        Record::Commit { transaction: writer.transaction, csn, time, number }.encode(&mut record);
        let lsn = log.append(&record)?;
        (order.csn, order.time, order.number) = (csn, time, number);
        writer.commit(csn, lsn.0);
        order.pending.push_back(Pending { csn, time, number, lsn, first });
        Ok(Committed { csn, lsn, number })
    }

    /// Publishes the commits whose records are before `durable`.
    pub(crate) fn publish(&self, durable: Lsn, log: &Log) {
        let mut order = self.order.lock();
        let mut published = Vec::new();
        while let Some(next) = order.pending.pop_front_if(|next| next.lsn < durable) {
            published.push(next.first);
            self.visible.store(next.csn, Ordering::Release);
            self.executed.store(next.number, Ordering::Release);
            let Pending { csn, time, number, lsn, .. } = next;
            order.published = Published { csn, time, number, lsn };
        }
        if published.is_empty() {
            return;
        }
        // Seen before it is settled: the other way round a reader could take it for settled and not see it.
        let mut active = self.active.lock();
        for first in published {
            active.remove(&first);
        }
        self.note_oldest(&active);
        let mark = self.mark_in(&order, &active, log);
        if order.published.lsn < log.durable() {
            log.note_mark(mark);
        }
        drop(active);
        drop(order);
        self.published.ring();
    }

    /// The place behind the last commit that is published.
    pub(crate) fn mark(&self, log: &Log) -> Mark {
        let order = self.order.lock();
        self.mark_in(&order, &self.active.lock(), log)
    }

    /// Has the next segment of the log begin with a mark of the commits published so far, all durable.
    pub(crate) fn note_mark(&self, log: &Log) {
        let order = self.order.lock();
        let mark = self.mark_in(&order, &self.active.lock(), log);
        if order.published.lsn < log.durable() {
            log.note_mark(mark);
        }
    }

    /// Commits that are numbered and not published are active still; whoever begins to write later enters
    /// itself with a later end of the log.
    fn mark_in(&self, order: &Order, active: &BTreeMap<FirstRecord, Option<Pin>>, log: &Log) -> Mark {
        let Published { csn, time, number, .. } = order.published;
        let low = active.first_key_value().map_or_else(|| log.end(), |((lsn, _), _)| *lsn);
        Mark { csn, time, number, low, running: self.running() }
    }

    /// For how many microseconds the store has been open, in all its life.
    pub(crate) fn running(&self) -> u64 {
        self.run_before.wrapping_add(monotonic(&*self.clock))
    }

    /// The number of the last commit that is published, in its global transaction id.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.load(Ordering::Acquire)
    }

    /// Waits until the commit with this number is published.
    pub(crate) fn wait_executed(&self, number: u64, wait: &WaitOptions) -> std::result::Result<(), Woken> {
        sleep_until(&self.published, wait, || (self.executed() >= number).then_some(()))
    }

    /// The time since some fixed moment.
    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The last commit that is published.
    pub(crate) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    /// The last commit's number, time and transaction number, published or not.
    pub(crate) fn last(&self) -> (u64, u64, u64) {
        let order = self.order.lock();
        (order.csn, order.time, order.number)
    }
}

fn monotonic(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.monotonic().as_micros()).unwrap_or(u64::MAX)
}
