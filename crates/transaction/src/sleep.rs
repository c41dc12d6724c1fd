//! Sleeping until something has grown: with a limit in time, and ended by a cancellation.
//!
//! The sleeper registers with the bell and with the cancellation before it looks at what it waits for, so
//! neither is missed.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use rustydb_storage::sync::{Condvar, Mutex};
use rustydb_storage::wal::Bell;

use crate::cancel::CancelReason;
use crate::locks::WaitOptions;

/// Why a sleep ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time is over.
    TimedOut,
    /// The wait was cancelled.
    Cancelled(CancelReason),
}

#[derive(Default)]
struct Sleeper {
    is_woken: Mutex<bool>,
    wakeup: Condvar,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.is_woken.lock() = true;
        self.wakeup.notify_one();
    }
}

/// Sleeps until `ready` gives something; it is asked first, and after every ring of the bell.
pub(crate) fn sleep_until<T>(
    bell: &Bell,
    wait: &WaitOptions,
    mut ready: impl FnMut() -> Option<T>,
) -> Result<T, Woken> {
    if let Some(found) = ready() {
        return Ok(found);
    }
    // A time too large to be added is as good as for ever.
    let deadline = Instant::now().checked_add(wait.lock_wait);
    let sleeper = Arc::new(Sleeper::default());
    let _hearing = bell.hear(Waker::from(sleeper.clone()));
    let _registration = wait.cancel.register(Waker::from(sleeper.clone()));
    loop {
        if let Some(found) = ready() {
            return Ok(found);
        }
        if let Some(reason) = wait.cancel.reason() {
            return Err(Woken::Cancelled(reason));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Woken::TimedOut);
        }
        let mut is_woken = sleeper.is_woken.lock();
        if !*is_woken {
            is_woken = sleeper.wakeup.wait_until(is_woken, deadline);
        }
        *is_woken = false;
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_sleep_ends_by_growth_by_time_and_by_cancellation() {
        let bell = Arc::new(Bell::default());
        let grown = Arc::new(AtomicBool::new(false));
        let wait = WaitOptions::timeout(Duration::from_secs(60));
        let at_once = WaitOptions::timeout(Duration::ZERO);
        let look = || grown.load(Ordering::SeqCst).then_some(7);
        assert_eq!(sleep_until(&bell, &at_once, look), Err(Woken::TimedOut));
        let other = {
            let (bell, grown) = (bell.clone(), grown.clone());
            std::thread::spawn(move || {
                grown.store(true, Ordering::SeqCst);
                bell.ring();
            })
        };
        assert_eq!(sleep_until(&bell, &wait, look), Ok(7));
        other.join().unwrap();
        let cancel = wait.cancel.clone();
        let other = std::thread::spawn(move || cancel.cancel(CancelReason::QueryKilled));
        let never = || None::<()>;
        assert_eq!(sleep_until(&bell, &wait, never), Err(Woken::Cancelled(CancelReason::QueryKilled)));
        other.join().unwrap();
    }
}
