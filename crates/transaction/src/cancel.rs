//! Cancellation: one flag per session that ends whatever its statement is doing, waits included.
//!
//! A [`Cancel`] is shared by who runs a statement and by who may end it (KILL, a vanished client, a time
//! limit, shutdown). A running statement looks at the flag between batches; a waiting one registers a
//! [`Waker`] and is woken at once, so that nobody polls.
//!
//! Invariants:
//! - The reason only ever gets graver until [`Cancel::reset`]; a reset forgets what concerned one statement
//!   and keeps what concerns the session.
//! - A waker registered before the cancellation is woken by it; one registered after finds the reason set.
//!   So who registers and then looks at the reason before sleeping misses nothing.
//! - Wakers are called without any lock of this module.
//!
//! Left to others: turning a reason into an error, and ending the session.

use std::sync::Arc;
use std::task::Waker;

use rustydb_storage::sync::{AtomicU8, Mutex, Ordering};

/// Why a statement has to end, from the least grave to the gravest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CancelReason {
    /// The statement ran into its time limit (`max_execution_time`).
    Timeout = 1,
    /// KILL QUERY: this statement ends, the session goes on.
    QueryKilled = 2,
    /// The client has gone.
    ClientGone = 3,
    /// KILL: the session ends.
    Killed = 4,
    /// The server stops.
    Shutdown = 5,
}

impl CancelReason {
    /// Whether it ends the statement only and not the session.
    pub fn is_statement_only(self) -> bool {
        self <= Self::QueryKilled
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Timeout),
            2 => Some(Self::QueryKilled),
            3 => Some(Self::ClientGone),
            4 => Some(Self::Killed),
            5 => Some(Self::Shutdown),
            _ => None,
        }
    }
}

/// A flag that ends a statement. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The code of a [`CancelReason`], zero for none.
    reason: AtomicU8,
    wakers: Mutex<Wakers>,
}

#[derive(Debug, Default)]
struct Wakers {
    next_id: u64,
    /// Seldom more than one: a session waits for one thing at a time.
    registered: Vec<(u64, Waker)>,
}

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag, unless it is set for a graver reason already, and wakes all who wait under it.
    pub fn cancel(&self, reason: CancelReason) {
        self.inner.reason.fetch_max(reason as u8, Ordering::SeqCst);
        let wakers: Vec<Waker> = {
            let wakers = self.inner.wakers.lock();
            wakers.registered.iter().map(|(_, waker)| waker.clone()).collect()
        };
        for waker in wakers {
            waker.wake();
        }
    }

    /// Why the statement has to end, if it has to.
    pub fn reason(&self) -> Option<CancelReason> {
        CancelReason::from_code(self.inner.reason.load(Ordering::SeqCst))
    }

    /// Whether the statement has to end.
    pub fn is_cancelled(&self) -> bool {
        self.inner.reason.load(Ordering::SeqCst) != 0
    }

    /// Forgets what ended one statement, before the next one begins. What ends the session stays.
    pub fn reset(&self) {
        for reason in [CancelReason::Timeout, CancelReason::QueryKilled] {
            // A graver reason that arrives meanwhile makes the exchange fail, as it should.
            let _ = self.inner.reason.compare_exchange(reason as u8, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// Has `waker` called by every cancellation until the returned registration is dropped.
    pub fn register(&self, waker: Waker) -> Registration<'_> {
        let mut wakers = self.inner.wakers.lock();
        let id = wakers.next_id;
        wakers.next_id += 1;
        wakers.registered.push((id, waker));
        Registration { cancel: self, id }
    }

    /// Has `waker` called by every cancellation for as long as the flag exists. A waker that holds the flag
    /// keeps both alive for ever.
    pub fn attach(&self, waker: Waker) {
        let mut wakers = self.inner.wakers.lock();
        let id = wakers.next_id;
        wakers.next_id += 1;
        wakers.registered.push((id, waker));
    }
}

/// Keeps a waker registered.
#[derive(Debug)]
#[must_use = "dropping it unregisters the waker"]
pub struct Registration<'a> {
    cancel: &'a Cancel,
    id: u64,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let mut wakers = self.cancel.inner.wakers.lock();
        wakers.registered.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_graver_reason_wins_and_a_lesser_one_does_not() {
        let cancel = Cancel::new();
        assert_eq!(cancel.reason(), None);
        cancel.cancel(CancelReason::QueryKilled);
        cancel.cancel(CancelReason::Killed);
        cancel.cancel(CancelReason::Timeout);
        assert_eq!(cancel.clone().reason(), Some(CancelReason::Killed));
    }

    #[test]
    fn a_reset_forgets_the_statement_and_keeps_the_session() {
        let cancel = Cancel::new();
        for (reason, after) in [
            (CancelReason::Timeout, None),
            (CancelReason::QueryKilled, None),
            (CancelReason::ClientGone, Some(CancelReason::ClientGone)),
            (CancelReason::Shutdown, Some(CancelReason::Shutdown)),
        ] {
            cancel.cancel(reason);
            assert!(cancel.is_cancelled());
            cancel.reset();
            assert_eq!(cancel.reason(), after, "{reason:?}");
        }
    }

    #[test]
    fn wakers_are_called_while_registered_only() {
        let cancel = Cancel::new();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let registration = cancel.register(Waker::from(count.clone()));
        cancel.cancel(CancelReason::QueryKilled);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        drop(registration);
        cancel.cancel(CancelReason::Killed);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(cancel.inner.wakers.lock().registered.is_empty());
    }

    #[test]
    fn an_attached_waker_is_called_every_time() {
        let cancel = Cancel::new();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        cancel.attach(Waker::from(count.clone()));
        cancel.clone().cancel(CancelReason::QueryKilled);
        cancel.cancel(CancelReason::Killed);
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }
}
