//! Listening sockets.
//!
//! A local socket leaves a file behind when its server dies. A file at which nobody answers is taken over; one
//! at which somebody does is an error, as for a taken port.

use super::Socket;
use crate::error::Error;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Connections that the kernel completes while the door is busy; it has its own upper limit.
const BACKLOG: i32 = 4096;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp { listener: TcpListener, address: SocketAddr },
    Unix { listener: UnixListener, path: PathBuf },
}

impl Listener {
    /// Listens at a TCP address.
    pub(crate) fn tcp(address: SocketAddr) -> Result<Listener, Error> {
        let failed = |source: io::Error| Error::Listen { address, source };
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|error| failed(error.into()))?;
        sockopt::set_socket_reuseaddr(&socket, true).map_err(|error| failed(error.into()))?;
        bind(&socket, &address).map_err(|error| failed(error.into()))?;
        listen(&socket, BACKLOG).map_err(|error| failed(error.into()))?;
        let listener = TcpListener::from(socket);
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listener::Tcp { listener, address })
    }

    /// Listens at a local socket that anybody on this machine may connect to; passwords decide who gets in.
    pub(crate) fn unix(path: &Path) -> Result<Listener, Error> {
        let failed = |source: io::Error| Error::ListenLocal { path: path.to_path_buf(), source };
        remove_stale(path).map_err(failed)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).map_err(failed)?;
        // The standard library's backlog is short for a burst of clients.
        listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Listener::Unix { listener, path: path.to_path_buf() })
    }

    /// Takes one waiting connection; `WouldBlock` when there is none.
    pub(crate) fn accept(&self) -> io::Result<Socket> {
        match self {
            Listener::Tcp { listener, .. } => {
                let (stream, _) = listener.accept()?;
                // Some systems hand the listener's mode down.
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
            Listener::Unix { listener, .. } => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(false)?;
                Ok(Socket::Unix(stream))
            }
        }
    }
}

/// Removes the socket of a server that is gone.
fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the file there is no socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp { listener, .. } => listener.as_fd(),
            Listener::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix { path, .. } = self {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("rustydb-{}-{name}.sock", std::process::id()))
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let first = Listener::tcp(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let Listener::Tcp { address, .. } = &first else { panic!("no TCP listener") };
        let error = Listener::tcp(*address).unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }

    #[test]
    fn a_dead_servers_socket_is_taken_over_and_a_living_ones_is_not() {
        let path = path("stale");
        // A socket file whose listener was dropped without removing it.
        drop(UnixListener::bind(&path).unwrap());
        let listener = Listener::unix(&path).unwrap();
        assert!(matches!(Listener::unix(&path), Err(Error::ListenLocal { .. })));
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_the_way_is_left_alone() {
        let path = path("file");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Listener::unix(&path), Err(Error::ListenLocal { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(path).unwrap();
    }
}
