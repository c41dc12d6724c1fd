//! Waits for many sockets wherever there is `poll`.

use crate::transport::Socket;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Poller {
    watched: Mutex<Vec<(u64, Arc<Socket>)>>,
    wake: UnixStream,
    woken: UnixStream,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Poller { watched: Mutex::default(), wake, woken })
    }

    /// Watches a socket until it is reported once.
    #[allow(clippy::unnecessary_wraps, reason = "other pollers can fail here")]
    pub(super) fn add(&self, socket: &Arc<Socket>, id: u64) -> io::Result<()> {
        self.watched.lock().push((id, Arc::clone(socket)));
        // A wait that has begun does not know of it.
        self.wake();
        Ok(())
    }

    /// Watches a socket no longer.
    pub(super) fn remove(&self, socket: &Socket) {
        self.watched.lock().retain(|(_, watched)| !std::ptr::eq(&**watched, socket));
    }

    /// Adds the numbers of sockets that can be read to `ready`, waiting at most `patience` for the first.
    pub(super) fn wait(&self, ready: &mut Vec<u64>, patience: Option<Duration>) {
        let watched = self.watched.lock().clone();
        let mut fds: Vec<PollFd<'_>> =
            watched.iter().map(|(_, socket)| PollFd::new(&**socket, PollFlags::IN)).collect();
        fds.push(PollFd::new(&self.woken, PollFlags::IN));
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        if poll(&mut fds, patience.as_ref()).is_err() {
            return;
        }
        if fds.pop().is_some_and(|fd| !fd.revents().is_empty()) {
            while matches!((&self.woken).read(&mut [0; 64]), Ok(64)) {}
        }
        let found = watched.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        let before = ready.len();
        ready.extend(found.map(|((id, _), _)| *id));
        self.watched.lock().retain(|(id, _)| !ready[before..].contains(id));
    }

    /// Ends a wait.
    pub(super) fn wake(&self) {
        let _ = (&self.wake).write(&[0]);
    }
}
