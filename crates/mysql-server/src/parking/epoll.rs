//! Waits for many sockets on Linux, at a cost that does not grow with those that stay silent.

use crate::transport::Socket;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The number of the wake-up call.
const WAKE: u64 = u64::MAX;

/// Sockets reported at once.
const BATCH: usize = 256;

pub(super) struct Poller {
    epoll: OwnedFd,
    wake: UnixStream,
    woken: UnixStream,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        epoll::add(&epoll, &woken, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Poller { epoll, wake, woken })
    }

    /// Watches a socket until it is reported once.
    pub(super) fn add(&self, socket: &Socket, id: u64) -> io::Result<()> {
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ONESHOT;
        let data = epoll::EventData::new_u64(id);
        match epoll::add(&self.epoll, socket, data, flags) {
            // A registration can be left over from a connection whose time was over while it was parking.
            Err(Errno::EXIST) => Ok(epoll::modify(&self.epoll, socket, data, flags)?),
            other => Ok(other?),
        }
    }

    /// Watches a socket no longer.
    pub(super) fn remove(&self, socket: &Socket) {
        let _ = epoll::delete(&self.epoll, socket);
    }

    /// Adds the numbers of sockets that can be read to `ready`, waiting at most `patience` for the first.
    pub(super) fn wait(&self, ready: &mut Vec<u64>, patience: Option<Duration>) {
        // A millisecond more, or the last part of one would be spent in a busy loop.
        let patience = patience.and_then(|patience| {
            let patience = if patience.is_zero() { patience } else { patience + Duration::from_millis(1) };
            Timespec::try_from(patience).ok()
        });
        let mut events = [const {
            epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }
        }; BATCH];
        let count = epoll::wait(&self.epoll, &mut events[..], patience.as_ref()).unwrap_or(0);
        for event in events.iter().take(count) {
            match event.data.u64() {
                WAKE => while matches!((&self.woken).read(&mut [0; 64]), Ok(64)) {},
                id => ready.push(id),
            }
        }
    }

    /// Ends a wait.
    pub(super) fn wake(&self) {
        // A full pipe has woken already.
        let _ = (&self.wake).write(&[0]);
    }
}
