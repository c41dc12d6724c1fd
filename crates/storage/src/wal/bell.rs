//! A bell that is rung when something grows: the durable log, the visible commits.
//!
//! Who waits for growth registers a [`Waker`] first and looks at what grew then; who lets it grow does that
//! first and rings then. So one of both sees the other, and nobody polls. Ringing a bell that nobody hears
//! costs a fence and one load, which is why it may stand on the way of every commit.
//!
//! Wakers are called under the bell's lock: a waker may not register with, or leave, the same bell.

use std::sync::atomic::fence;
use std::task::Waker;

use crate::sync::{AtomicUsize, Mutex, Ordering};

/// Wakes those who wait for something to grow.
#[derive(Debug, Default)]
pub struct Bell {
    hearers: AtomicUsize,
    wakers: Mutex<Wakers>,
}

#[derive(Debug, Default)]
struct Wakers {
    next_id: u64,
    registered: Vec<(u64, Waker)>,
}

/// Keeps a waker registered with a [`Bell`].
#[derive(Debug)]
#[must_use = "dropping it unregisters the waker"]
pub struct Hearing<'a> {
    bell: &'a Bell,
    id: u64,
}

impl Bell {
    /// Has `waker` called by every ring until the returned value is dropped.
    pub fn hear(&self, waker: Waker) -> Hearing<'_> {
        let mut wakers = self.wakers.lock();
        let id = wakers.next_id;
        wakers.next_id += 1;
        wakers.registered.push((id, waker));
        self.hearers.store(wakers.registered.len(), Ordering::SeqCst);
        drop(wakers);
        fence(Ordering::SeqCst);
        Hearing { bell: self, id }
    }

    /// Wakes all who listen.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.hearers.load(Ordering::SeqCst) == 0 {
            return;
        }
        for (_, waker) in &self.wakers.lock().registered {
            waker.wake_by_ref();
        }
    }
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        let mut wakers = self.bell.wakers.lock();
        wakers.registered.retain(|(id, _)| *id != self.id);
        self.bell.hearers.store(wakers.registered.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn only_those_who_listen_are_woken() {
        let bell = Bell::default();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        bell.ring();
        let hearing = bell.hear(Waker::from(count.clone()));
        bell.ring();
        bell.ring();
        drop(hearing);
        bell.ring();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }
}
