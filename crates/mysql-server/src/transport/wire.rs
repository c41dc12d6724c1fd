//! A socket with or without TLS and compression, read and written in blocking calls with timeouts.
//!
//! Timeouts are the socket's own (`SO_RCVTIMEO`, `SO_SNDTIMEO`) and are set only when they change, so a
//! request and its answer cost one read and one write and nothing else.
//!
//! ```text
//! packets <-> compressed frames, where agreed on <-> TLS, where on <-> socket
//! ```

use super::Socket;
use crate::ending::Ending;
use rustls::{ServerConfig, ServerConnection};
use rustydb_mysql_protocol::compression::{Algorithm, Deflater, Inflater};
use rustydb_telemetry::Counter;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Plain bytes that TLS may hold back on their way out.
const TLS_BUFFER: usize = 64 * 1024;

/// Bytes that have gone through the door.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

/// A socket with or without TLS and compression.
pub(super) struct Wire {
    socket: Arc<Socket>,
    tls: Option<Box<ServerConnection>>,
    compression: Option<Box<Compression>>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    traffic: Traffic,
}

/// Both directions of a compressed connection.
struct Compression {
    inflater: Inflater,
    deflater: Deflater,
    /// Frames of one write.
    frames: Vec<u8>,
}

impl Wire {
    pub(super) fn new(socket: Arc<Socket>, traffic: Traffic) -> Wire {
        Wire { socket, tls: None, compression: None, read_timeout: None, write_timeout: None, traffic }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Protocol version and cipher suite of TLS.
    pub(super) fn tls_names(&self) -> Option<(&'static str, &'static str)> {
        let tls = self.tls.as_ref()?;
        let version = match tls.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        Some((version, tls.negotiated_cipher_suite()?.suite().as_str().unwrap_or("unknown")))
    }

    /// Reads what has arrived, waiting at most `timeout` for the first of it. 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` when nothing came.
    #[inline]
    pub(super) fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if self.read_timeout != Some(timeout) {
            self.socket.set_read_timeout(timeout)?;
            self.read_timeout = Some(timeout);
        }
        if self.compression.is_some() { self.read_compressed(buffer) } else { self.read_plain(buffer) }
    }

    #[inline]
    fn read_plain(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.tls.is_some() {
            return self.read_tls(buffer);
        }
        loop {
            match (&*self.socket).read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.traffic.received.inc(count as u64);
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends all of `bytes`.
    #[inline]
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.compression.is_some() { self.write_compressed(bytes) } else { self.write_plain(bytes) }
    }

    #[inline]
    fn write_plain(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.traffic.sent.inc(bytes.len() as u64);
        if self.tls.is_some() {
            return self.write_all_tls(bytes);
        }
        (&*self.socket).write_all(bytes)
    }

    /// Compresses everything from here on.
    pub(super) fn start_compression(&mut self, algorithm: Algorithm) {
        let (inflater, deflater) = (Inflater::new(algorithm), Deflater::new(algorithm));
        self.compression = Some(Box::new(Compression { inflater, deflater, frames: Vec::new() }));
    }

    /// The number that the next compressed frame must have on its way in: 0 where it begins a request, else the
    /// one after the last that went out.
    pub(super) fn expect_frame(&mut self, begins: bool) {
        if let Some(compression) = &mut self.compression {
            let next = if begins { 0 } else { compression.deflater.sequence() };
            compression.inflater.set_sequence(next);
        }
    }

    /// Goes on counting compressed frames after the last that came in. Real servers number the packets of the
    /// answer from there too; none without compression.
    pub(super) fn answer_frames(&mut self) -> Option<u8> {
        let compression = self.compression.as_mut()?;
        compression.deflater.set_sequence(compression.inflater.sequence());
        Some(compression.deflater.sequence())
    }

    /// Gives the memory back that compression takes, which an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.inflater.shrink();
            compression.deflater.shrink();
            compression.frames = Vec::new();
        }
    }

    fn read_compressed(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Taken out while the way below it is used.
        let Some(mut compression) = self.compression.take() else { return Ok(0) };
        let result = loop {
            match compression.inflater.read(buffer) {
                Ok(0) => match self.read_plain(compression.inflater.space()) {
                    Ok(0) if compression.inflater.is_mid_frame() => {
                        break Err(ErrorKind::UnexpectedEof.into());
                    }
                    Ok(0) => break Ok(0),
                    Ok(count) => compression.inflater.filled(count),
                    Err(error) => break Err(error),
                },
                Ok(count) => break Ok(count),
                Err(error) => break Err(io::Error::new(ErrorKind::InvalidData, error)),
            }
        };
        self.compression = Some(compression);
        result
    }

    fn write_compressed(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(mut compression) = self.compression.take() else { return Ok(()) };
        compression.frames.clear();
        let result = match compression.deflater.write(bytes, &mut compression.frames) {
            Ok(()) => self.write_plain(&compression.frames),
            Err(error) => Err(io::Error::other(error)),
        };
        self.compression = Some(compression);
        result
    }

    /// The most that the client may take no byte of an answer.
    pub(super) fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.write_timeout != Some(timeout) {
            self.socket.set_write_timeout(timeout)?;
            self.write_timeout = Some(timeout);
        }
        Ok(())
    }

    /// Does the TLS handshake, whose first bytes may have arrived with the request for it.
    pub(super) fn start_tls(
        &mut self,
        config: Arc<ServerConfig>,
        early: &[u8],
        deadline: Instant,
    ) -> Result<(), Ending> {
        let mut tls = ServerConnection::new(config).map_err(Ending::Tls)?;
        tls.set_buffer_limit(Some(TLS_BUFFER));
        let mut early = early;
        while !early.is_empty() {
            tls.read_tls(&mut early).map_err(Ending::Io)?;
            self.process(&mut tls)?;
        }
        while tls.is_handshaking() {
            flush_tls(&mut tls, &self.socket).map_err(Ending::of_write)?;
            if !tls.is_handshaking() {
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Ending::HandshakeTimeout);
            }
            self.socket.set_read_timeout(left).map_err(Ending::Io)?;
            self.read_timeout = None;
            match tls.read_tls(&mut &*self.socket) {
                Ok(0) => return Err(Ending::ClientLeft),
                Ok(_) => self.process(&mut tls)?,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(Ending::HandshakeTimeout),
                    _ => return Err(Ending::of_read(error)),
                },
            }
        }
        flush_tls(&mut tls, &self.socket).map_err(Ending::of_write)?;
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Takes the records that have arrived; a failure is told to the client as an alert.
    fn process(&self, tls: &mut ServerConnection) -> Result<(), Ending> {
        if let Err(error) = tls.process_new_packets() {
            let _ = flush_tls(tls, &self.socket);
            return Err(Ending::Tls(error));
        }
        Ok(())
    }

    fn read_tls(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return Ok(0) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The connection was cut without TLS's own farewell.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            match tls.read_tls(&mut &*self.socket) {
                Ok(count) => self.traffic.received.inc(count as u64),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Err(error) = tls.process_new_packets() {
                let _ = flush_tls(tls, &self.socket);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
            flush_tls(tls, &self.socket)?;
        }
    }

    fn write_all_tls(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while !bytes.is_empty() {
            let taken = tls.writer().write(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            flush_tls(tls, &self.socket)?;
        }
        Ok(())
    }

    /// TLS's farewell, so that the client can tell an end from a cut.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = flush_tls(tls, &self.socket);
        }
    }
}

fn flush_tls(tls: &mut ServerConnection, socket: &Socket) -> io::Result<()> {
    let mut socket = socket;
    while tls.wants_write() {
        match tls.write_tls(&mut socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
