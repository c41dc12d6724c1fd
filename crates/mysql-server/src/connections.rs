//! The open connections: who may come in, who is busy, who has to leave.
//!
//! The acceptor adds a connection before it has a thread, so that connections in the handshake count against
//! `max_connections` too; the connection's thread removes it. What others may do to a connection goes through
//! its [`Entry`]: make its reads end, set its session's cancel flag, look whether its client is still there.
//!
//! `open` is guarded by one lock, taken when a connection comes or goes and by the watcher a few times a
//! second; nothing is called under it that waits.

use crate::transport::Socket;
use hashbrown::HashMap;
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustydb_transaction::{Cancel, CancelReason};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// One open connection, as others see it.
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) socket: Arc<Socket>,
    /// Odd while a request runs; grows at its begin and its end.
    activity: AtomicU64,
    /// Set while a session is open.
    cancel: Mutex<Option<Cancel>>,
}

impl Entry {
    /// Notes that a request begins or ends. Only the connection's thread calls it.
    #[inline]
    pub(crate) fn switch(&self) {
        self.activity.store(self.activity.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The number of the running request, if one runs.
    pub(crate) fn running(&self) -> Option<u64> {
        let activity = self.activity.load(Ordering::Relaxed);
        (activity % 2 == 1).then_some(activity)
    }

    /// Makes the session's cancel flag known, and has the connection's thread woken in its socket when the flag
    /// ends the session.
    pub(crate) fn set_cancel(self: &Arc<Self>, cancel: &Cancel) {
        cancel.attach(Waker::from(Arc::clone(self)));
        *self.cancel.lock() = Some(cancel.clone());
    }

    /// Lets go of the session's flag, which holds this entry as its waker.
    pub(crate) fn forget_cancel(&self) {
        *self.cancel.lock() = None;
    }

    /// Why the session has to end, if it has to.
    pub(crate) fn end_reason(&self) -> Option<CancelReason> {
        let reason = self.cancel.lock().as_ref()?.reason()?;
        (!reason.is_statement_only()).then_some(reason)
    }

    /// Ends the running statement and the session.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        let cancel = self.cancel.lock().clone();
        match cancel {
            Some(cancel) => cancel.cancel(reason),
            None => self.socket.stop_reading(),
        }
    }
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        if self.end_reason().is_some() {
            self.socket.stop_reading();
        }
    }
}

/// The open connections.
#[derive(Default)]
pub(crate) struct Connections {
    open: Mutex<HashMap<u64, Arc<Entry>>>,
    changed: Condvar,
    draining: AtomicBool,
}

impl Connections {
    /// Adds a connection unless there are `limit` already.
    pub(crate) fn add(&self, id: u64, socket: Arc<Socket>, limit: usize) -> Option<Arc<Entry>> {
        let mut open = self.open.lock();
        if open.len() >= limit || self.is_draining() {
            return None;
        }
        let entry = Arc::new(Entry { id, socket, activity: AtomicU64::new(0), cancel: Mutex::new(None) });
        open.insert(id, Arc::clone(&entry));
        self.changed.notify_all();
        Some(entry)
    }

    /// Removes a connection.
    pub(crate) fn remove(&self, entry: &Entry) {
        self.open.lock().remove(&entry.id);
        self.changed.notify_all();
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().len()
    }

    /// Whether the server stops.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The connections that run a request.
    pub(crate) fn running(&self) -> Vec<(Arc<Entry>, u64)> {
        let open = self.open.lock();
        open.values().filter_map(|entry| Some((Arc::clone(entry), entry.running()?))).collect()
    }

    /// Waits while there is no connection, or for `tick` while there are. Gives up when the server stops.
    pub(crate) fn wait_tick(&self, tick: Duration) {
        let mut open = self.open.lock();
        if open.is_empty() && !self.is_draining() {
            self.changed.wait(&mut open);
        }
        let until = Instant::now() + tick;
        while !self.is_draining() && !self.changed.wait_until(&mut open, until).timed_out() {}
    }

    /// Lets nobody in any more, sends idle connections away, gives busy ones until `grace` to finish their
    /// request and until `deadline` to end it. Returns how many are still there then.
    pub(crate) fn drain(&self, grace: Instant, deadline: Instant) -> usize {
        let mut open = self.open.lock();
        // Under the lock, or a thread about to wait would miss it.
        self.draining.store(true, Ordering::Release);
        self.changed.notify_all();
        // Whoever is idle reads the end of its connection now; who is busy, after its answer.
        open.values().for_each(|entry| entry.socket.stop_reading());
        self.wait_empty(&mut open, grace);
        let left: Vec<Arc<Entry>> = open.values().cloned().collect();
        MutexGuard::unlocked(&mut open, || {
            for entry in &left {
                entry.cancel(CancelReason::Shutdown);
            }
        });
        self.wait_empty(&mut open, deadline);
        // Their threads are stuck in a write or in a statement that does not look at its flag.
        open.values().for_each(|entry| entry.socket.close());
        open.len()
    }

    fn wait_empty(&self, open: &mut MutexGuard<'_, HashMap<u64, Arc<Entry>>>, until: Instant) {
        while !open.is_empty() && !self.changed.wait_until(open, until).timed_out() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    fn socket() -> (Arc<Socket>, UnixStream) {
        let (server, client) = UnixStream::pair().unwrap();
        (Arc::new(Socket::Unix(server)), client)
    }

    #[test]
    fn no_more_than_the_limit_come_in() {
        let connections = Connections::default();
        let first = connections.add(1, socket().0, 2).unwrap();
        assert!(connections.add(2, socket().0, 2).is_some());
        assert!(connections.add(3, socket().0, 2).is_none());
        connections.remove(&first);
        assert!(connections.add(3, socket().0, 2).is_some());
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn who_runs_a_request_is_known() {
        let connections = Connections::default();
        let entry = connections.add(1, socket().0, 9).unwrap();
        connections.add(2, socket().0, 9).unwrap();
        assert!(connections.running().is_empty());
        entry.switch();
        let first = connections.running();
        assert_eq!((first.len(), first[0].0.id), (1, 1));
        entry.switch();
        assert!(connections.running().is_empty());
        entry.switch();
        assert_ne!(connections.running()[0].1, first[0].1, "another request has another number");
    }

    #[test]
    fn what_ends_the_session_wakes_it_in_its_socket() {
        let connections = Connections::default();
        let entry = connections.add(1, socket().0, 9).unwrap();
        let cancel = Cancel::new();
        entry.set_cancel(&cancel);
        cancel.cancel(CancelReason::QueryKilled);
        assert_eq!(entry.end_reason(), None);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| (&mut &*entry.socket).read(&mut [0; 8]).unwrap());
            cancel.cancel(CancelReason::Killed);
            assert_eq!(reader.join().unwrap(), 0);
        });
        assert_eq!(entry.end_reason(), Some(CancelReason::Killed));
        // The flag and the entry hold each other until one lets go.
        connections.remove(&entry);
        entry.forget_cancel();
        drop(cancel);
        assert_eq!(Arc::strong_count(&entry), 1);
    }

    #[test]
    fn draining_lets_the_busy_finish_and_cancels_the_stubborn() {
        let connections = Connections::default();
        let now = Instant::now();
        let finishing = connections.add(1, socket().0, 9).unwrap();
        let stubborn = connections.add(2, socket().0, 9).unwrap();
        let cancel = Cancel::new();
        stubborn.set_cancel(&cancel);
        std::thread::scope(|scope| {
            scope.spawn(|| connections.remove(&finishing));
            scope.spawn(|| {
                while cancel.reason().is_none() {
                    std::thread::yield_now();
                }
                connections.remove(&stubborn);
            });
            let left = connections.drain(now + Duration::from_millis(20), now + Duration::from_secs(60));
            assert_eq!(left, 0);
        });
        assert_eq!(cancel.reason(), Some(CancelReason::Shutdown));
        assert!(connections.add(3, socket().0, 9).is_none());
    }

    #[test]
    fn draining_counts_who_does_not_leave() {
        let connections = Connections::default();
        let staying = connections.add(1, socket().0, 9).unwrap();
        let now = Instant::now();
        assert_eq!(connections.drain(now, now), 1);
        connections.remove(&staying);
        assert_eq!(connections.drain(now, now), 0);
    }
}
