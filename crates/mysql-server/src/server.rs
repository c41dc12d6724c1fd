//! The door as a whole: starts listening, accepts, stops.
//!
//! Threads: one accepts for all listeners, one watches running requests, one attends to parked connections, and
//! each busy connection has its own. The acceptor does as little as it can for a connection: count it, register
//! it, hand it to a thread.

use crate::backend::Backend;
use crate::config::Config;
use crate::connection::{Connection, begin, resume};
use crate::connections::{Connections, Entry};
use crate::error::Error;
use crate::handshake::Digests;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::parking::Parking;
use crate::transport::{Listener, Socket};
use crate::watcher::watch;
use crate::workers::Workers;
use rustix::event::{PollFd, PollFlags, poll};
use rustydb_mysql_protocol::frame::PacketWriter;
use rustydb_mysql_protocol::response::ErrPacket;
use rustydb_telemetry::Registry;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Connections taken from one listener before the others have their turn.
const ACCEPT_BATCH: usize = 64;

/// How long the acceptor rests when the system has no resources for a connection.
const BREATHER: Duration = Duration::from_millis(50);

/// What all connections share.
pub(crate) struct Shared<B: Backend> {
    pub(crate) backend: B,
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) connections: Connections,
    pub(crate) digests: Digests,
    pub(crate) metrics: Metrics,
    pub(crate) workers: Workers,
    pub(crate) parking: Parking<Connection<B>>,
}

/// A door that is open. Dropping it closes it without ceremony; [`Server::stop`] does it gracefully.
pub struct Server<B: Backend> {
    shared: Arc<Shared<B>>,
    addresses: Vec<SocketAddr>,
    /// Closing it wakes the acceptor.
    wake: UnixStream,
    acceptor: Option<JoinHandle<()>>,
    watcher: Option<JoinHandle<()>>,
    attendant: Option<JoinHandle<()>>,
}

impl<B: Backend> Server<B> {
    /// Loads or makes the keys, listens, and accepts from then on. Instruments are registered in `registry`.
    pub fn start(backend: B, config: Config, registry: &Registry) -> Result<Server<B>, Error> {
        let mut listeners = Vec::new();
        for address in &config.tcp {
            listeners.push(Listener::tcp(*address)?);
        }
        if let Some(path) = &config.socket {
            listeners.push(Listener::unix(path)?);
        }
        let addresses = listeners
            .iter()
            .filter_map(|listener| match listener {
                Listener::Tcp { address, .. } => Some(*address),
                Listener::Unix { .. } => None,
            })
            .collect();
        let keys = Keys::load(&config)?;
        raise_file_limit(backend.limits().max_connections);
        let shared = Arc::new(Shared {
            backend,
            keys,
            connections: Connections::default(),
            digests: Digests::default(),
            metrics: Metrics::new(registry),
            workers: Workers::new(config.thread_stack, config.cached_threads),
            parking: Parking::new().map_err(Error::Thread)?,
            config,
        });
        let (wake, woken) = UnixStream::pair().map_err(Error::Thread)?;
        let mut server = Server { shared, addresses, wake, acceptor: None, watcher: None, attendant: None };
        let shared = Arc::clone(&server.shared);
        server.watcher = Some(start_thread("mysql-watch", move || {
            watch(&shared.connections, &shared.metrics.vanished);
        })?);
        let shared = Arc::clone(&server.shared);
        server.attendant = Some(start_thread("mysql-parking", move || attend(&shared))?);
        let shared = Arc::clone(&server.shared);
        server.acceptor =
            Some(start_thread("mysql-accept", move || accept_all(&shared, &listeners, &woken))?);
        Ok(server)
    }

    /// The TCP addresses it listens at, with the ports that were taken.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Connections open now.
    pub fn connection_count(&self) -> usize {
        self.shared.connections.count()
    }

    /// Of these, the idle ones that have no thread now.
    pub fn parked_count(&self) -> usize {
        self.shared.parking.count()
    }

    /// The database behind the door.
    pub fn backend(&self) -> &B {
        &self.shared.backend
    }

    /// Closes the door: nobody comes in any more, idle connections are closed, busy ones may finish their
    /// request within three quarters of `within` and are cancelled then. Returns how many connections were cut
    /// off because they did not end even so.
    pub fn stop(mut self, within: Duration) -> usize {
        self.close(within)
    }

    fn close(&mut self, within: Duration) -> usize {
        let now = Instant::now();
        let _ = self.wake.shutdown(Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let cut = self.shared.connections.drain(now + within.mul_f64(0.75), now + within);
        self.shared.parking.close();
        self.shared.workers.close();
        for thread in [self.watcher.take(), self.attendant.take()].into_iter().flatten() {
            let _ = thread.join();
        }
        cut
    }
}

impl<B: Backend> Drop for Server<B> {
    fn drop(&mut self) {
        if self.acceptor.is_some() || self.watcher.is_some() || self.attendant.is_some() {
            self.close(Duration::ZERO);
        }
    }
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new().name(name.to_owned()).stack_size(256 << 10).spawn(work).map_err(Error::Thread)
}

/// Accepts at every listener until `woken` closes; listeners close with it.
fn accept_all<B: Backend>(shared: &Arc<Shared<B>>, listeners: &[Listener], woken: &UnixStream) {
    loop {
        let mut fds: Vec<PollFd<'_>> =
            listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)).collect();
        fds.push(PollFd::new(woken, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => thread::sleep(BREATHER),
        }
        if fds.pop().is_some_and(|fd| !fd.revents().is_empty()) {
            return;
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (listener, _) in listeners.iter().zip(ready).filter(|(_, ready)| *ready) {
            for _ in 0..ACCEPT_BATCH {
                match listener.accept() {
                    Ok(socket) => admit(shared, socket),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_peers_fault(&error) => {}
                    Err(error) => {
                        // Out of file descriptors or memory: the waiting connection stays where it is.
                        tracing::warn!(%error, "cannot accept a connection");
                        thread::sleep(BREATHER);
                        break;
                    }
                }
            }
        }
    }
}

fn is_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn admit<B: Backend>(shared: &Arc<Shared<B>>, socket: Socket) {
    shared.metrics.accepted.inc(1);
    let socket = Arc::new(socket);
    let limit = shared.backend.limits().max_connections;
    let id = shared.backend.next_connection_id();
    let Some(entry) = shared.connections.add(id, Arc::clone(&socket), limit) else {
        shared.metrics.too_many.inc(1);
        refuse(&socket, 1040, "Too many connections");
        return;
    };
    shared.metrics.open.add(1);
    let guest = Guest { shared: Arc::clone(shared), entry };
    if let Err(error) = shared.workers.run(move || begin(guest)) {
        let number = error.raw_os_error().unwrap_or_default();
        let message = format!(
            "Can't create a new thread (errno {number}); if you are not out of available memory, you can \
             consult the manual for a possible OS-dependent bug"
        );
        refuse(&socket, 1135, &message);
    }
}

/// Gives parked connections threads when they wake.
fn attend<B: Backend>(shared: &Shared<B>) {
    shared.parking.attend(|connection, why| {
        if let Err(error) = shared.workers.run(move || resume(connection, why)) {
            tracing::warn!(%error, "no thread for a connection that woke; it is closed");
        }
    });
}

/// A connection on the list; dropping it, also by a panic, takes it off.
pub(crate) struct Guest<B: Backend> {
    pub(crate) shared: Arc<Shared<B>>,
    pub(crate) entry: Arc<Entry>,
}

impl<B: Backend> Drop for Guest<B> {
    fn drop(&mut self) {
        self.shared.connections.remove(&self.entry);
        self.entry.forget_cancel();
        self.entry.socket.close();
        self.shared.metrics.open.sub(1);
    }
}

/// Tells a client in place of the greeting why it may not come in. The packet fits the socket's empty buffer,
/// so the acceptor does not wait; there is no SQLSTATE before the greeting.
fn refuse(socket: &Socket, code: u16, message: &str) {
    let mut writer = PacketWriter::new();
    writer.packet(|out| ErrPacket { code, sqlstate: None, message: message.as_bytes() }.write(out));
    let mut socket = socket;
    let _ = socket.set_write_timeout(Duration::from_millis(100));
    let _ = socket.write_all(writer.bytes());
}

/// Each connection takes a file descriptor; the usual soft limit of 1,024 would be met before
/// `max_connections` is.
fn raise_file_limit(max_connections: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let wanted = max_connections as u64 + 1024;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
