//! The byte stream under a connection: TCP or a Unix socket, plain or inside TLS.

use crate::driver::Address;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connected stream.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// TLS is large beside a socket.
    TcpTls(Box<TlsStream<TcpStream>>),
    UnixTls(Box<TlsStream<UnixStream>>),
    /// Taken out while TLS begins.
    Closed,
}

impl Stream {
    /// Connects. Names are looked up by the system, and addresses tried one after the other.
    pub(super) async fn connect(address: &Address, keepalive: Option<Duration>) -> io::Result<Stream> {
        match address {
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((&**host, *port)).await?;
                stream.set_nodelay(true)?;
                if let Some(idle) = keepalive {
                    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
                }
                Ok(Stream::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        }
    }

    /// Begins TLS.
    pub(super) async fn start_tls(
        &mut self,
        config: Arc<rustls::ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let connector = TlsConnector::from(config);
        *self = match std::mem::replace(self, Stream::Closed) {
            Stream::Tcp(stream) => Stream::TcpTls(Box::new(connector.connect(name, stream).await?)),
            Stream::Unix(stream) => Stream::UnixTls(Box::new(connector.connect(name, stream).await?)),
            other => other,
        };
        Ok(())
    }

    /// Whether nobody on the way can listen: TLS, or no way at all.
    pub(super) fn is_private(&self) -> bool {
        !matches!(self, Stream::Tcp(_))
    }

    /// Whether it is inside TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Stream::TcpTls(_) | Stream::UnixTls(_))
    }

    /// Reads into `space` and says how many bytes came; 0 at the end.
    #[inline]
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(space);
        let read = match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::TcpTls(stream) => Pin::new(&mut **stream).poll_read(context, &mut buffer),
            Stream::UnixTls(stream) => Pin::new(&mut **stream).poll_read(context, &mut buffer),
            Stream::Closed => Poll::Ready(Ok(())),
        };
        read.map_ok(|()| buffer.filled().len())
    }

    /// Writes from `bytes` and says how many went out.
    #[inline]
    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::TcpTls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Stream::UnixTls(stream) => Pin::new(&mut **stream).poll_write(context, bytes),
            Stream::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Pushes out what TLS holds back.
    #[inline]
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::TcpTls(stream) => Pin::new(&mut **stream).poll_flush(context),
            Stream::UnixTls(stream) => Pin::new(&mut **stream).poll_flush(context),
            _ => Poll::Ready(Ok(())),
        }
    }
}
