//! Packets over a wire.
//!
//! [`Channel::receive_command`] waits for a request under the session's idle limits,
//! [`Channel::receive_by`] for a packet of the handshake under one deadline. The packet then lies in
//! `reader.current()`, where it is read while the answer goes to `out`: the two halves are separate fields so
//! that both can be borrowed at once.
//!
//! A connection that is idle for a while gives its buffers back, and then its thread ([`crate::parking`]). Busy
//! connections never pay for that: the short wait is the socket's standing timeout.

use super::Socket;
use super::wire::{Traffic, Wire};
use crate::ending::Ending;
use rustls::ServerConfig;
use rustydb_mysql_protocol::Error;
use rustydb_mysql_protocol::compression::Algorithm;
use rustydb_mysql_protocol::frame::{PacketReader, PacketWriter};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers are sent once this much of them is collected.
const FLUSH_AT: usize = 32 * 1024;
/// What a buffer may hold between two requests.
const KEEP: usize = 64 * 1024;

/// How long a client may leave its connection alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdleLimits {
    /// Between two requests.
    pub(crate) wait: Duration,
    /// Inside a packet.
    pub(crate) read: Duration,
    /// Until its buffers and its thread are needed elsewhere.
    pub(crate) doze: Duration,
}

/// What came of waiting for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// A request.
    Request,
    /// Nothing yet; the buffers are empty and given back.
    Nothing,
}

/// Packets over a wire.
pub(crate) struct Channel {
    pub(crate) reader: PacketReader,
    pub(crate) out: Outbound,
}

/// The way out.
pub(crate) struct Outbound {
    pub(crate) writer: PacketWriter,
    wire: Wire,
}

impl Channel {
    pub(crate) fn new(socket: Arc<Socket>, traffic: Traffic, packet_limit: usize) -> Channel {
        let out = Outbound { writer: PacketWriter::new(), wire: Wire::new(socket, traffic) };
        Channel { reader: PacketReader::new(packet_limit), out }
    }

    /// Waits for the next packet of the handshake.
    pub(crate) fn receive_by(&mut self, deadline: Instant) -> Result<(), Ending> {
        self.reader.set_sequence(self.out.writer.sequence());
        self.out.wire.expect_frame(false);
        while self.reader.next()?.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Ending::HandshakeTimeout);
            }
            match self.out.wire.read(self.reader.space(), left) {
                Ok(0) if self.reader.is_mid_packet() => return Err(Ending::ClientAborted),
                Ok(0) => return Err(Ending::ClientLeft),
                Ok(count) => self.reader.filled(count),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(Ending::of_read(error)),
            }
        }
        self.begin_answer();
        Ok(())
    }

    /// Numbers what goes out after what came in.
    #[inline]
    fn begin_answer(&mut self) {
        let next = self.out.wire.answer_frames().unwrap_or(self.reader.sequence());
        self.out.writer.set_sequence(next);
    }

    /// Waits for the next request, but not longer than the connection may keep its thread.
    ///
    /// After an error, last words can be written under the number that the client expects: 0 where it asked
    /// nothing.
    pub(crate) fn receive_command(&mut self, limits: &IdleLimits) -> Result<Received, Ending> {
        self.reader.set_sequence(0);
        self.out.writer.set_sequence(0);
        self.out.wire.expect_frame(true);
        let received = self.wait_command(limits).inspect_err(|ending| {
            if let Ending::Protocol(Error::TooLarge { .. }) = ending {
                let next = self.out.wire.answer_frames().unwrap_or(self.reader.sequence().wrapping_add(1));
                self.out.writer.set_sequence(next);
            }
        })?;
        self.begin_answer();
        Ok(received)
    }

    #[inline]
    fn wait_command(&mut self, limits: &IdleLimits) -> Result<Received, Ending> {
        let doze = limits.doze.min(limits.wait);
        while self.reader.next()?.is_none() {
            let mid_packet = self.reader.is_mid_packet();
            let patience = if mid_packet { limits.read } else { doze };
            match self.out.wire.read(self.reader.space(), patience) {
                Ok(0) if mid_packet => return Err(Ending::ClientAborted),
                Ok(0) => return Err(Ending::ClientLeft),
                Ok(count) => self.reader.filled(count),
                Err(error) if !is_timeout(&error) => return Err(Ending::of_read(error)),
                Err(_) if mid_packet => return Err(Ending::ReadTimeout),
                Err(_) if doze == limits.wait => return Err(Ending::IdleTimeout),
                Err(_) => {
                    self.reader.shrink(0);
                    self.out.writer.shrink(0);
                    self.out.wire.shrink();
                    return Ok(Received::Nothing);
                }
            }
        }
        Ok(Received::Request)
    }

    /// Gives back what a large request or answer took, once both are done.
    pub(crate) fn shrink(&mut self) {
        if self.reader.capacity() > KEEP {
            self.reader.shrink(KEEP);
        }
        if self.out.writer.capacity() > KEEP {
            self.out.writer.shrink(0);
        }
    }

    /// Compresses everything from here on. The client has sent nothing since it proved itself.
    pub(crate) fn start_compression(&mut self, algorithm: Algorithm) {
        self.reader.ignore_sequence();
        self.out.wire.start_compression(algorithm);
    }

    /// Starts TLS. What arrived behind the request for it belongs to TLS.
    pub(crate) fn start_tls(&mut self, config: Arc<ServerConfig>, deadline: Instant) -> Result<(), Ending> {
        let early = self.reader.take_unread();
        self.out.wire.start_tls(config, &early, deadline)
    }
}

impl Outbound {
    /// Whether TLS is on.
    pub(crate) fn is_tls(&self) -> bool {
        self.wire.is_tls()
    }

    /// Version and cipher suite of TLS, where it is on.
    pub(crate) fn tls_names(&self) -> Option<(&'static str, &'static str)> {
        self.wire.tls_names()
    }

    /// Sends what was collected.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<(), Ending> {
        if self.writer.is_empty() {
            return Ok(());
        }
        let result = self.wire.write_all(self.writer.bytes());
        self.writer.clear();
        result.map_err(Ending::of_write)
    }

    /// Sends what was collected if it is worth a write.
    #[inline]
    pub(crate) fn flush_if_full(&mut self) -> Result<(), Ending> {
        if self.writer.len() < FLUSH_AT { Ok(()) } else { self.flush() }
    }

    /// The most that the client may take no byte of an answer.
    pub(crate) fn set_write_timeout(&mut self, timeout: Duration) -> Result<(), Ending> {
        self.wire.set_write_timeout(timeout).map_err(Ending::Io)
    }

    /// Says goodbye in TLS, where it is on.
    pub(crate) fn say_goodbye(&mut self) {
        self.wire.say_goodbye();
    }

    /// Lets the client read the last answer before the connection goes; see [`Socket::linger`].
    pub(crate) fn linger(&self, most_bytes: usize, most_time: Duration) {
        self.wire.socket().linger(most_bytes, most_time);
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    fn channel() -> (Channel, UnixStream) {
        let (server, client) = UnixStream::pair().unwrap();
        (Channel::new(Arc::new(Socket::Unix(server)), Traffic::default(), 1 << 20), client)
    }

    fn limits(wait: u64, read: u64, doze: u64) -> IdleLimits {
        IdleLimits {
            wait: Duration::from_millis(wait),
            read: Duration::from_millis(read),
            doze: Duration::from_millis(doze),
        }
    }

    #[test]
    fn an_idle_connection_gives_its_buffers_back() {
        let (mut channel, mut client) = channel();
        client.write_all(&[1, 0, 0, 0, 0x0e]).unwrap();
        let received = channel.receive_command(&limits(10_000, 10_000, 10_000)).unwrap();
        assert_eq!((received, channel.reader.current()), (Received::Request, &[0x0e][..]));
        assert!(channel.reader.capacity() > 0);
        assert_eq!(channel.receive_command(&limits(60_000, 60_000, 5)).unwrap(), Received::Nothing);
        assert_eq!((channel.reader.capacity(), channel.out.writer.capacity()), (0, 0));
        client.write_all(&[2, 0, 0, 0, 3, b'x']).unwrap();
        channel.receive_command(&limits(60_000, 60_000, 60_000)).unwrap();
        assert_eq!(channel.reader.current(), [3, b'x']);
    }

    #[test]
    fn a_client_with_little_time_is_given_up_in_place() {
        let (mut channel, _client) = channel();
        let ending = channel.receive_command(&limits(20, 10_000, 1000)).unwrap_err();
        assert!(matches!(ending, Ending::IdleTimeout), "{ending:?}");
    }

    #[test]
    fn a_packet_that_stops_in_the_middle_is_not_waited_for_long() {
        let (mut channel, mut client) = channel();
        client.write_all(&[9, 0, 0, 0, 3, b'S']).unwrap();
        let ending = channel.receive_command(&limits(60_000, 20, 60_000)).unwrap_err();
        assert!(matches!(ending, Ending::ReadTimeout), "{ending:?}");
    }

    #[test]
    fn a_client_that_closes_is_told_from_one_that_aborts() {
        for (sent, aborted) in [(&[][..], false), (&[9, 0, 0][..], true), (&[9, 0, 0, 0, 3][..], true)] {
            let (mut channel, mut client) = channel();
            client.write_all(sent).unwrap();
            drop(client);
            let ending = channel.receive_command(&limits(60_000, 60_000, 60_000)).unwrap_err();
            assert_eq!(matches!(ending, Ending::ClientAborted), aborted, "{ending:?}");
            assert_eq!(matches!(ending, Ending::ClientLeft), !aborted, "{ending:?}");
        }
    }

    #[test]
    fn a_trickling_handshake_ends_at_its_deadline() {
        let (mut channel, mut client) = channel();
        std::thread::scope(|scope| {
            let trickle = scope.spawn(move || {
                while client.write_all(&[0]).is_ok() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            channel.reader = PacketReader::new(1 << 24);
            client_header(&mut channel);
            let deadline = Instant::now() + Duration::from_millis(50);
            let ending = channel.receive_by(deadline).unwrap_err();
            assert!(matches!(ending, Ending::HandshakeTimeout), "{ending:?}");
            drop(channel);
            trickle.join().unwrap();
        });
    }

    /// As if the header of a long packet had arrived.
    fn client_header(channel: &mut Channel) {
        channel.reader.space()[..4].copy_from_slice(&[0xff, 0xff, 0x7f, 0]);
        channel.reader.filled(4);
    }

    #[test]
    fn a_client_that_reads_nothing_is_given_up() {
        let (mut channel, client) = channel();
        channel.out.set_write_timeout(Duration::from_millis(20)).unwrap();
        let ending = loop {
            channel.out.writer.packet(|out| out.resize(out.len() + 100_000, 0));
            if let Err(ending) = channel.out.flush_if_full() {
                break ending;
            }
        };
        assert!(matches!(ending, Ending::WriteTimeout), "{ending:?}");
        drop(client);
    }

    #[test]
    fn small_answers_leave_together() {
        let (mut channel, mut client) = channel();
        channel.out.writer.packet(|out| out.push(1));
        channel.out.writer.packet(|out| out.push(2));
        channel.out.flush_if_full().unwrap();
        assert_eq!(channel.out.writer.len(), 10);
        channel.out.flush().unwrap();
        let mut sent = [0; 10];
        client.read_exact(&mut sent).unwrap();
        assert_eq!(sent, [1, 0, 0, 0, 1, 1, 0, 0, 1, 2]);
    }
}
