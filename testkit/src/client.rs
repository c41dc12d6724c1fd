//! Connections by the `mysql` crate, a client that shares no code with ours.

use crate::Result;
use mysql::{Conn, Opts, OptsBuilder};
use std::path::Path;
use std::time::Duration;

/// Longest wait for any one answer: a server that hangs fails the test instead of stopping it.
pub const ANSWER: Duration = Duration::from_secs(60);

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Address {
    /// TCP port on the loopback address
    pub port: u16,
    /// Account
    pub user: String,
    /// Its password
    pub password: String,
}

impl Address {
    /// Options for a connection by TCP, without a default database.
    pub fn options(&self) -> OptsBuilder {
        OptsBuilder::new()
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(self.port)
            .prefer_socket(false)
            .user(Some(self.user.clone()))
            .pass(Some(self.password.clone()))
            .tcp_connect_timeout(Some(Duration::from_secs(10)))
            .read_timeout(Some(ANSWER))
            .write_timeout(Some(ANSWER))
    }

    /// Connects by TCP.
    pub fn connect(&self) -> Result<Conn> {
        Ok(Conn::new(Opts::from(self.options()))?)
    }

    /// Connects by TCP with a default database.
    pub fn connect_to(&self, database: &str) -> Result<Conn> {
        Ok(Conn::new(Opts::from(self.options().db_name(Some(database))))?)
    }

    /// Whether somebody listens on the port. Says nothing about whether a login would do.
    pub fn listens(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    /// The words that unmodified programs take to reach this server by TCP: `--host --port --user`.
    pub fn words(&self) -> Vec<String> {
        vec!["--host=127.0.0.1".into(), format!("--port={}", self.port), format!("--user={}", self.user)]
    }
}

/// Connects by Unix socket.
pub fn connect_socket(socket: &Path, user: &str, password: &str) -> Result<Conn> {
    let options = OptsBuilder::new()
        .socket(Some(socket.to_string_lossy()))
        .user(Some(user))
        .pass(Some(password))
        .read_timeout(Some(ANSWER));
    Ok(Conn::new(Opts::from(options))?)
}

/// The server's error number, when it is the server that refused.
pub fn code(error: &mysql::Error) -> Option<u16> {
    match error {
        mysql::Error::MySqlError(refused) => Some(refused.code),
        _ => None,
    }
}
