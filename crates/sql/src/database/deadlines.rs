//! Time limits of statements: one thread that cancels what ran too long (`max_execution_time`).
//!
//! The thread starts with the first limit and sleeps until the nearest one; a statement that ends in
//! time drops its [`Limit`], and the entry is skipped when its time comes. So a limit costs a heap
//! push, and no statement reads a clock while it runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustydb_transaction::{Cancel, CancelReason};

struct Entry {
    at: Instant,
    number: u64,
    limit: Weak<Armed>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

struct Armed {
    cancel: Cancel,
    fired: AtomicBool,
}

/// A running limit; dropping it lifts the limit.
pub(crate) struct Limit {
    #[cfg_attr(not(test), expect(dead_code, reason = "held so that dropping it lifts the limit"))]
    armed: Arc<Armed>,
}

impl Limit {
    /// Whether the limit was what ended the statement.
    #[cfg(test)]
    fn fired(&self) -> bool {
        self.armed.fired.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct Queue {
    entries: BinaryHeap<Reverse<Entry>>,
    next: u64,
    started: bool,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// The limits of all running statements.
#[derive(Default)]
pub(crate) struct Deadlines {
    shared: Arc<Shared>,
}

impl Deadlines {
    /// Cancels `cancel` with [`CancelReason::Timeout`] after `limit`, unless the returned value is dropped
    /// before. None when the operating system gives no thread: then the statement has no limit.
    pub(crate) fn arm(&self, limit: Duration, cancel: &Cancel) -> Option<Limit> {
        let armed = Arc::new(Armed { cancel: cancel.clone(), fired: AtomicBool::new(false) });
        let mut queue = self.shared.queue.lock();
        if !queue.started {
            let shared = Arc::clone(&self.shared);
            let builder = std::thread::Builder::new().name("sql-deadlines".into());
            builder.spawn(move || watch(&shared)).ok()?;
            queue.started = true;
        }
        let number = queue.next;
        queue.next += 1;
        let entry = Entry { at: Instant::now() + limit, number, limit: Arc::downgrade(&armed) };
        queue.entries.push(Reverse(entry));
        drop(queue);
        self.shared.wake.notify_one();
        Some(Limit { armed })
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        self.shared.queue.lock().stopped = true;
        self.shared.wake.notify_one();
    }
}

fn watch(shared: &Shared) {
    let mut queue = shared.queue.lock();
    while !queue.stopped {
        let Some(Reverse(next)) = queue.entries.peek() else {
            shared.wake.wait(&mut queue);
            continue;
        };
        let at = next.at;
        if at > Instant::now() && next.limit.strong_count() > 0 {
            shared.wake.wait_until(&mut queue, at);
            continue;
        }
        let Some(Reverse(due)) = queue.entries.pop() else { continue };
        if let Some(armed) = due.limit.upgrade() {
            armed.fired.store(true, Ordering::Release);
            armed.cancel.cancel(CancelReason::Timeout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_fires_unless_it_was_dropped() {
        let deadlines = Deadlines::default();
        let (kept, dropped) = (Cancel::new(), Cancel::new());
        drop(deadlines.arm(Duration::ZERO, &dropped));
        let limit = deadlines.arm(Duration::ZERO, &kept).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while (!limit.fired() || kept.reason().is_none()) && Instant::now() < end {
            std::thread::yield_now();
        }
        assert!(limit.fired());
        assert_eq!(kept.reason(), Some(CancelReason::Timeout));
        // The dropped limit was due before the kept one, so it has been passed over by now, or the
        // thread looked at it before the drop; both orders are right, a hang is not.
        let _ = dropped.reason();
    }
}
