//! A TCP proxy before one server, which a test cuts, stalls or slows.
//!
//! It forwards bytes and knows no protocol. Two threads pump each connection; they look at the [`Path`] at least
//! every [`LOOK`], so a change acts on open connections too. Dropping the proxy closes everything.

use crate::{Error, Result};
use parking_lot::Mutex;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often pumps and the listener look whether something changed.
const LOOK: Duration = Duration::from_millis(5);

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// They arrive.
    Open,
    /// Connections are closed, and new ones are closed at once.
    Cut,
    /// Nothing arrives and nothing is closed: a network that swallows packets.
    Silent,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    path: AtomicU8,
    /// Nanoseconds that each piece waits on its way, in each direction.
    delay: AtomicU64,
    /// Bytes from the server that still pass before connections are cut; `u64::MAX` when there is no such limit.
    left: AtomicU64,
    accepted: AtomicU64,
    closed: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy on a free port of the loopback address before the server on `server`.
    pub fn start(server: u16) -> Result<Proxy> {
        let port = crate::free_port()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).map_err(Error::io("bind the proxy"))?;
        listener.set_nonblocking(true).map_err(Error::io("set up the proxy"))?;
        let shared = Arc::new(Shared {
            server,
            path: AtomicU8::new(Path::Open as u8),
            delay: AtomicU64::new(0),
            left: AtomicU64::new(u64::MAX),
            accepted: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            streams: Mutex::new(Vec::new()),
        });
        let behind = shared.clone();
        let listener = std::thread::spawn(move || accept(&listener, &behind));
        Ok(Proxy { port, shared, listener: Some(listener) })
    }

    /// The port that clients are sent to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets what happens to bytes from now on.
    pub fn set(&self, path: Path) {
        self.shared.path.store(path as u8, Ordering::SeqCst);
        if path == Path::Cut {
            self.shared.cut();
        }
    }

    /// Closes the connections that are open and lets new ones through.
    pub fn drop_connections(&self) {
        self.shared.cut();
    }

    /// Makes each piece of data wait this long in each direction.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay.store(delay.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Cuts all connections when the server has sent this many more bytes, in the middle of whatever they are.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.left.store(bytes, Ordering::SeqCst);
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.cut();
        if let Some(listener) = self.listener.take() {
            // It only ends by itself; a panic in it was printed.
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn is(&self, path: Path) -> bool {
        self.path.load(Ordering::SeqCst) == path as u8
    }

    fn cut(&self) {
        for stream in self.streams.lock().drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn keep(&self, streams: [&TcpStream; 2]) -> std::io::Result<()> {
        let mut kept = self.streams.lock();
        for stream in streams {
            kept.push(stream.try_clone()?);
        }
        Ok(())
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.closed.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((client, _)) => {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                if !shared.is(Path::Cut) {
                    // A connection that cannot be set up is closed by the drop of its socket.
                    let _ = open(client, shared);
                }
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

fn open(client: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    client.set_nonblocking(false)?;
    let server = TcpStream::connect(("127.0.0.1", shared.server))?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK.max(Duration::from_millis(20))))?;
    }
    shared.keep([&client, &server])?;
    let (to_server, to_client) = (server.try_clone()?, client.try_clone()?);
    let (up, down) = (shared.clone(), shared.clone());
    std::thread::spawn(move || pump(client, to_server, &up, false));
    std::thread::spawn(move || pump(server, to_client, &down, true));
    Ok(())
}

/// Forwards until either end closes.
fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared, from_server: bool) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        let delay = shared.delay.load(Ordering::SeqCst);
        if delay > 0 {
            std::thread::sleep(Duration::from_nanos(delay));
        }
        while shared.is(Path::Silent) && !shared.closed.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK);
        }
        let mut passing = length;
        if from_server && shared.left.load(Ordering::SeqCst) != u64::MAX {
            let left = shared.left.load(Ordering::SeqCst);
            passing = length.min(left as usize);
            shared.left.store(left - passing as u64, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..passing]).is_err() {
            break;
        }
        if passing < length {
            shared.left.store(u64::MAX, Ordering::SeqCst);
            shared.cut();
            break;
        }
    }
    for stream in [&from, &to] {
        // The other pump may have closed them.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every byte with the next.
    fn counting_server() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&[byte[0] + 1]).is_ok() {}
                });
            }
        });
        port
    }

    fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
        let mut byte = [7];
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    #[test]
    fn bytes_pass_are_swallowed_and_are_cut_as_the_path_says() {
        let proxy = Proxy::start(counting_server()).unwrap();
        let connect = || {
            let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            stream
        };
        let mut first = connect();
        assert_eq!(ask(&mut first).unwrap(), 8);
        proxy.set(Path::Silent);
        assert!(ask(&mut first).is_err());
        proxy.set(Path::Open);
        let mut late = [0];
        first.read_exact(&mut late).unwrap();
        assert_eq!(late, [8]);
        proxy.set(Path::Cut);
        assert!(ask(&mut first).is_err());
        assert!(ask(&mut connect()).is_err());
        proxy.set(Path::Open);
        let mut second = connect();
        proxy.cut_after(1);
        assert_eq!(ask(&mut second).unwrap(), 8);
        assert!(ask(&mut second).is_err());
        assert_eq!(ask(&mut connect()).unwrap(), 8);
        assert_eq!(proxy.accepted(), 4);
    }
}
