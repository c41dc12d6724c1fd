//! A connected socket, TCP or local, shared between its connection's thread and those who may close it.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::{RecvFlags, recv};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// COM_QUIT as a whole packet: a client that leaves properly sends it and closes.
const QUIT_PACKET: [u8; 5] = [1, 0, 0, 0, 1];

impl Socket {
    /// Whether nobody outside this machine's kernel can listen.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Socket::Unix(_))
    }

    /// Where the client is, as accounts and the process list name it: without a name service, `localhost` for
    /// a local socket or a loopback address, otherwise the address.
    pub(crate) fn peer_host(&self) -> String {
        match self {
            Socket::Unix(_) => "localhost".to_owned(),
            Socket::Tcp(stream) => match stream.peer_addr() {
                Ok(address) => {
                    let ip = address.ip().to_canonical();
                    if ip.is_loopback() { "localhost".to_owned() } else { ip.to_string() }
                }
                Err(_) => String::new(),
            },
        }
    }

    /// The most that one read waits.
    pub(crate) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        match self {
            Socket::Tcp(stream) => stream.set_read_timeout(timeout),
            Socket::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }

    /// The most that one write waits.
    pub(crate) fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        match self {
            Socket::Tcp(stream) => stream.set_write_timeout(timeout),
            Socket::Unix(stream) => stream.set_write_timeout(timeout),
        }
    }

    /// Makes reads end: one that waits now, and all later ones once what has arrived is read. Answers can
    /// still be written.
    pub(crate) fn stop_reading(&self) {
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Read),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Read),
        };
    }

    /// Ends the connection in both directions.
    pub(crate) fn close(&self) {
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    /// Closes the way out and throws away what still comes in, until the client closes too. Closing at once
    /// would reset the connection, and the client could lose the answer that it has not read yet.
    pub(crate) fn linger(&self, most_bytes: usize, most_time: Duration) {
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        let deadline = Instant::now() + most_time;
        let mut waste = [0; 4096];
        let mut left = most_bytes;
        while left > 0 {
            let patience = deadline.saturating_duration_since(Instant::now());
            if patience.is_zero() || self.set_read_timeout(patience).is_err() {
                return;
            }
            match (&mut &*self).read(&mut waste) {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }

    /// Whether the client has gone: its end is closed, and nothing but a farewell is left to read.
    ///
    /// A client that closed only its sending side after a further request still gets its answer.
    pub(crate) fn is_abandoned(&self) -> bool {
        let mut fds = [PollFd::new(self, PollFlags::RDHUP)];
        let immediately = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, Some(&immediately)) {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
        let events = fds[0].revents();
        if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return true;
        }
        let mut head = [0; QUIT_PACKET.len() + 1];
        match recv(self, &mut head, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, 0)) => true,
            Ok((_, count)) => head.get(..count) == Some(&QUIT_PACKET[..]),
            Err(rustix::io::Errno::AGAIN) => false,
            Err(_) => true,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for &Socket {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&mut &*stream).read(buffer),
            Socket::Unix(stream) => (&mut &*stream).read(buffer),
        }
    }
}

impl Write for &Socket {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&mut &*stream).write(bytes),
            Socket::Unix(stream) => (&mut &*stream).write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => (&mut &*stream).write_vectored(pieces),
            Socket::Unix(stream) => (&mut &*stream).write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Socket::Tcp(listener.accept().unwrap().0), client)
    }

    #[test]
    fn an_open_client_is_not_abandoned_whatever_it_has_sent() {
        let (socket, mut client) = pair();
        assert!(!socket.is_abandoned());
        client.write_all(b"more").unwrap();
        assert!(!socket.is_abandoned());
    }

    #[test]
    fn a_closed_client_is_abandoned_with_or_without_a_farewell() {
        for farewell in [&b""[..], &QUIT_PACKET] {
            let (socket, mut client) = pair();
            client.write_all(farewell).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            // The shutdown has arrived once a read sees the end.
            let mut all = Vec::new();
            let waiting = [PollFd::new(&socket, PollFlags::RDHUP)];
            poll(&mut { waiting }, None).unwrap();
            assert!(socket.is_abandoned());
            (&mut &socket).read_to_end(&mut all).unwrap();
            assert_eq!(all, farewell);
        }
    }

    #[test]
    fn a_client_that_half_closed_after_a_request_is_answered() {
        let (socket, mut client) = pair();
        client.write_all(&[1, 0, 0, 0, 0x0e]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let waiting = [PollFd::new(&socket, PollFlags::RDHUP)];
        poll(&mut { waiting }, None).unwrap();
        assert!(!socket.is_abandoned());
    }

    #[test]
    fn stop_reading_wakes_a_reader_and_leaves_the_way_out() {
        let (socket, mut client) = pair();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| (&mut &socket).read(&mut [0; 8]).unwrap());
            socket.stop_reading();
            assert_eq!(reader.join().unwrap(), 0);
        });
        (&mut &socket).write_all(b"bye").unwrap();
        drop(socket);
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"bye");
    }
}
