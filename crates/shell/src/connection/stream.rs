//! Bytes to and from a server: TCP or a Unix socket, TLS on it, compression inside.

use crate::target::Target;
use crate::{Error, Result};
use rustls::{ClientConnection, StreamOwned};
use rustydb_mysql_protocol::compression::{Algorithm, Deflater, Inflater};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// The way to the server.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// While one kind is turned into another, and after that failed.
    Closed,
}

impl Stream {
    pub(super) fn open(target: &Target) -> Result<Stream> {
        let failed = |source| Error::Connect { place: target.place(), source };
        match &target.socket {
            Some(path) => UnixStream::connect(path).map(Stream::Unix).map_err(failed),
            None => {
                let stream = TcpStream::connect((target.host.as_str(), target.port)).map_err(failed)?;
                stream.set_nodelay(true).map_err(Error::Lost)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }

    /// Whether nobody can listen.
    pub(super) fn is_secure(&self) -> bool {
        matches!(self, Stream::Unix(_) | Stream::Tls(_))
    }

    /// Whether TLS could be put on it.
    pub(super) fn is_tcp(&self) -> bool {
        matches!(self, Stream::Tcp(_))
    }

    /// Puts TLS on it; the handshake is done when this returns.
    pub(super) fn start_tls(&mut self, mut tls: ClientConnection) -> Result<()> {
        let Stream::Tcp(mut socket) = std::mem::replace(self, Stream::Closed) else {
            return Err(Error::Tls("only over TCP".into()));
        };
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(|error| Error::Tls(error.to_string()))?;
        }
        *self = Stream::Tls(Box::new(StreamOwned::new(tls, socket)));
        Ok(())
    }

    /// Version and suite of TLS.
    pub(super) fn tls_names(&self) -> Option<String> {
        let Stream::Tls(stream) = self else { return None };
        let version = match stream.conn.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = stream.conn.negotiated_cipher_suite()?.suite();
        Some(format!("{version}, {}", suite.as_str().unwrap_or("unknown")))
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tls(stream) => match stream.read(buffer) {
                // Cut without TLS's own farewell.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
            Stream::Closed => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }
}

/// Both directions of a compressed connection.
pub(super) struct Compression {
    pub(super) inflater: Inflater,
    pub(super) deflater: Deflater,
    pub(super) frames: Vec<u8>,
}

impl Compression {
    pub(super) fn new(algorithm: Algorithm) -> Compression {
        let (inflater, deflater) = (Inflater::new(algorithm), Deflater::new(algorithm));
        Compression { inflater, deflater, frames: Vec::new() }
    }
}
