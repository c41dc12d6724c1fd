//! How a door is set up: where it listens, its keys, its threads. Limits that SQL can change are asked of the
//! backend instead ([`crate::Limits`]).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of a [`crate::Server`].
#[derive(Debug, Clone)]
pub struct Config {
    /// TCP addresses to listen at; port 0 takes a free one.
    pub tcp: Vec<SocketAddr>,
    /// Path of a local socket to listen at.
    pub socket: Option<PathBuf>,
    /// Folder of the RSA key and of the certificate that are made at first start. None keeps them in memory:
    /// every start has fresh ones.
    pub keys: Option<PathBuf>,
    /// TLS on TCP connections.
    pub tls: TlsConfig,
    /// What the greeting calls the server.
    pub server_version: String,
    /// `require_secure_transport`: refuses TCP connections without TLS (3159).
    pub require_secure_transport: bool,
    /// Stack of a connection's thread in bytes. Only touched pages cost memory. Below 2 MiB the kernel cannot
    /// back a stack with a huge page, which would make an idle connection cost one.
    pub thread_stack: usize,
    /// Threads kept for the next connection after theirs has ended (`thread_cache_size`).
    pub cached_threads: usize,
    /// After this much idleness a connection gives its buffers and its thread back.
    pub doze_after: Duration,
    /// From this many busy threads on, `crowd_doze_after` is enough: a burst of new connections, each idle after
    /// its login, would else have a thread each.
    pub crowd: usize,
    /// See `crowd`. Much shorter would send connections that pause for their own work through the parking at
    /// every request.
    pub crowd_doze_after: Duration,
    /// Rows of one cursor that are held in memory, in bytes; more fail with 1114.
    pub max_cursor_bytes: usize,
}

/// TLS on TCP connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsConfig {
    /// With a self-signed certificate, made at first start.
    SelfSigned,
    /// With this certificate chain and key, in PEM.
    Files {
        /// The server's certificate, and those above it.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Not offered.
    Off,
}

impl Default for Config {
    fn default() -> Config {
        // Frames of unoptimised code are several times larger.
        let thread_stack = if cfg!(debug_assertions) { 8 << 20 } else { 1 << 20 };
        Config {
            tcp: vec![SocketAddr::from(([127, 0, 0, 1], 3306))],
            socket: None,
            keys: None,
            tls: TlsConfig::SelfSigned,
            server_version: format!("8.4.6-RustyDB-{}", env!("CARGO_PKG_VERSION")),
            require_secure_transport: false,
            thread_stack,
            cached_threads: 16,
            doze_after: Duration::from_secs(1),
            crowd: 64,
            crowd_doze_after: Duration::from_millis(50),
            max_cursor_bytes: 256 << 20,
        }
    }
}
