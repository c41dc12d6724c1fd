//! Where idle connections wait without a thread.
//!
//! A connection that has been idle for a while gives its thread away and is parked here: one thread waits for
//! all parked sockets and hands a connection to a thread again when its client speaks, leaves, or has been idle
//! for too long. So thousands of idle connections cost their sessions and nothing else: no stacks, no buffers,
//! no per-thread heaps of the allocator.
//!
//! `lot` is guarded by one lock. A connection is in it from before its socket is watched until it is taken out
//! by whoever resumes it, so it is resumed exactly once.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(any(not(target_os = "linux"), test))]
mod poll;

#[cfg(target_os = "linux")]
use epoll::Poller;
#[cfg(not(target_os = "linux"))]
use poll::Poller;

use crate::transport::Socket;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a parked connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakeup {
    /// There is something to read, if only the end.
    Readable,
    /// Its time is over.
    Expired,
}

/// Idle connections of any kind `C`.
pub(crate) struct Parking<C> {
    poller: Poller,
    lot: Mutex<Lot<C>>,
    closed: AtomicBool,
}

struct Lot<C> {
    by_id: HashMap<u64, Parked<C>>,
    /// When each one's time is over.
    deadlines: BTreeSet<(Instant, u64)>,
}

struct Parked<C> {
    connection: C,
    socket: Arc<Socket>,
    deadline: Instant,
}

impl<C> Parking<C> {
    pub(crate) fn new() -> io::Result<Parking<C>> {
        let lot = Lot { by_id: HashMap::new(), deadlines: BTreeSet::new() };
        Ok(Parking { poller: Poller::new()?, lot: Mutex::new(lot), closed: AtomicBool::new(false) })
    }

    /// Parks a connection until its socket has something to read, at most for `patience`.
    ///
    /// # Errors
    /// Gives the connection back when its socket cannot be watched.
    pub(crate) fn park(
        &self,
        id: u64,
        socket: &Arc<Socket>,
        connection: C,
        patience: Duration,
    ) -> Result<(), C> {
        // Farther than any clock goes is no deadline that anybody will see.
        let now = Instant::now();
        let deadline = now.checked_add(patience).unwrap_or(now + Duration::from_secs(1 << 30));
        let first = {
            let mut lot = self.lot.lock();
            let first = lot.deadlines.first().is_none_or(|(earliest, _)| deadline < *earliest);
            lot.deadlines.insert((deadline, id));
            lot.by_id.insert(id, Parked { connection, socket: Arc::clone(socket), deadline });
            first
        };
        // Whoever is readable already is resumed at once.
        if self.poller.add(socket, id).is_err() {
            return match self.lot.lock().take(id) {
                Some(parked) => Err(parked.connection),
                None => Ok(()),
            };
        }
        if first {
            self.poller.wake();
        }
        Ok(())
    }

    /// How many are parked.
    pub(crate) fn count(&self) -> usize {
        self.lot.lock().by_id.len()
    }

    /// Hands out connections to `resume` as they wake, until [`close`](Self::close).
    pub(crate) fn attend(&self, mut resume: impl FnMut(C, Wakeup)) {
        let mut ready = Vec::new();
        while !self.closed.load(Ordering::Acquire) {
            let earliest = self.lot.lock().deadlines.first().map(|(deadline, _)| *deadline);
            let patience = earliest.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            ready.clear();
            self.poller.wait(&mut ready, patience);
            for id in &ready {
                let parked = self.lot.lock().take(*id);
                self.hand_out(parked, Wakeup::Readable, &mut resume);
            }
            loop {
                let expired = self.lot.lock().take_expired(Instant::now());
                if expired.is_none() {
                    break;
                }
                self.hand_out(expired, Wakeup::Expired, &mut resume);
            }
        }
    }

    fn hand_out(&self, parked: Option<Parked<C>>, why: Wakeup, resume: &mut impl FnMut(C, Wakeup)) {
        if let Some(parked) = parked {
            self.poller.remove(&parked.socket);
            resume(parked.connection, why);
        }
    }

    /// Ends [`attend`](Self::attend), and lets go of all who are still parked.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.poller.wake();
        let left = {
            let mut lot = self.lot.lock();
            lot.deadlines.clear();
            std::mem::take(&mut lot.by_id)
        };
        drop(left);
    }
}

impl<C> Lot<C> {
    fn take(&mut self, id: u64) -> Option<Parked<C>> {
        let parked = self.by_id.remove(&id)?;
        self.deadlines.remove(&(parked.deadline, id));
        Some(parked)
    }

    fn take_expired(&mut self, now: Instant) -> Option<Parked<C>> {
        let (deadline, id) = *self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        self.deadlines.pop_first();
        self.by_id.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    fn socket() -> (Arc<Socket>, UnixStream) {
        let (server, client) = UnixStream::pair().unwrap();
        (Arc::new(Socket::Unix(server)), client)
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn who_speaks_leaves_or_runs_out_of_time_is_resumed_once() {
        let parking = Parking::new().unwrap();
        let (sender, resumed) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| parking.attend(|name, why| sender.send((name, why)).unwrap()));
            let ((a, mut speaks), (b, leaves), (c, _silent), (d, mut early)) =
                (socket(), socket(), socket(), socket());
            early.write_all(b"x").unwrap();
            parking.park(1, &a, "speaks", LONG).unwrap();
            parking.park(2, &b, "leaves", LONG).unwrap();
            parking.park(3, &c, "waits", LONG).unwrap();
            assert_eq!(parking.count(), 3);
            parking.park(4, &d, "early", LONG).unwrap();
            assert_eq!(resumed.recv().unwrap(), ("early", Wakeup::Readable));
            speaks.write_all(b"x").unwrap();
            assert_eq!(resumed.recv().unwrap(), ("speaks", Wakeup::Readable));
            drop(leaves);
            assert_eq!(resumed.recv().unwrap(), ("leaves", Wakeup::Readable));
            // A short deadline after long ones is kept too.
            let (e, _client) = socket();
            parking.park(5, &e, "expires", Duration::from_millis(10)).unwrap();
            assert_eq!(resumed.recv().unwrap(), ("expires", Wakeup::Expired));
            // The same socket may park again.
            parking.park(1, &a, "again", LONG).unwrap();
            assert_eq!(resumed.recv().unwrap(), ("again", Wakeup::Readable));
            // One whose reads are stopped wakes as well: that is how KILL reaches it.
            c.stop_reading();
            assert_eq!(resumed.recv().unwrap(), ("waits", Wakeup::Readable));
            assert_eq!(parking.count(), 0);
            parking.close();
        });
        assert!(resumed.try_recv().is_err());
    }

    #[test]
    fn closing_lets_go_of_the_parked() {
        let parking = Parking::new().unwrap();
        let (a, _client) = socket();
        let token = Arc::new(());
        parking.park(1, &a, Arc::clone(&token), LONG).unwrap();
        parking.close();
        assert_eq!(Arc::strong_count(&token), 1);
        parking.attend(|_, _| panic!("nobody is there"));
    }

    #[test]
    fn both_pollers_report_the_same() {
        fn check(
            add: impl Fn(&Arc<Socket>, u64),
            remove: impl Fn(&Socket),
            wait: impl Fn(Duration) -> Vec<u64>,
        ) {
            let (a, mut client) = socket();
            let (b, other) = socket();
            add(&a, 1);
            add(&b, 2);
            assert!(wait(Duration::ZERO).is_empty());
            client.write_all(b"x").unwrap();
            let wait_for_one = || {
                // A wait may end early without a reason.
                std::iter::repeat_with(|| wait(LONG)).find(|ready| !ready.is_empty()).unwrap()
            };
            assert_eq!(wait_for_one(), [1]);
            remove(&a);
            assert!(wait(Duration::ZERO).is_empty());
            drop(other);
            assert_eq!(wait_for_one(), [2]);
        }
        let portable = poll::Poller::new().unwrap();
        check(
            |socket, id| portable.add(socket, id).unwrap(),
            |socket| portable.remove(socket),
            |patience| {
                let mut ready = Vec::new();
                portable.wait(&mut ready, Some(patience));
                ready
            },
        );
        let own = Poller::new().unwrap();
        check(
            |socket, id| own.add(socket, id).unwrap(),
            |socket| own.remove(socket),
            |patience| {
                let mut ready = Vec::new();
                own.wait(&mut ready, Some(patience));
                ready
            },
        );
    }
}
