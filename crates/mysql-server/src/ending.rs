//! Why a connection ended. The reason is an enum and not a log line, so that it can be counted, tested, and
//! turned into the last packet that the client sees.

use rustydb_mysql_protocol as protocol;
use rustydb_sql::SqlError;
use std::io;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// COM_QUIT.
    Quit,
    /// The client closed the connection between two requests, without saying so.
    ClientLeft,
    /// The client closed the connection inside a packet.
    ClientAborted,
    /// The handshake was not done within `connect_timeout`.
    HandshakeTimeout,
    /// Idle for longer than `wait_timeout`.
    IdleTimeout,
    /// A packet paused for longer than `net_read_timeout`.
    ReadTimeout,
    /// The client read nothing of an answer for longer than `net_write_timeout`.
    WriteTimeout,
    /// Bytes that are not the protocol.
    Protocol(protocol::Error),
    /// Not let in, or not let go on.
    Refused(SqlError),
    /// KILL.
    Killed,
    /// The server stops.
    Shutdown,
    /// TLS could not be established, or broke.
    Tls(rustls::Error),
    /// The socket failed.
    Io(io::Error),
}

impl Ending {
    /// The label under which it is counted.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Ending::Quit => "quit",
            Ending::ClientLeft => "client_left",
            Ending::ClientAborted => "client_aborted",
            Ending::HandshakeTimeout => "handshake_timeout",
            Ending::IdleTimeout => "idle_timeout",
            Ending::ReadTimeout => "read_timeout",
            Ending::WriteTimeout => "write_timeout",
            Ending::Protocol(_) => "protocol",
            Ending::Refused(_) => "refused",
            Ending::Killed => "killed",
            Ending::Shutdown => "shutdown",
            Ending::Tls(_) => "tls",
            Ending::Io(_) => "io",
        }
    }

    /// Every label.
    pub(crate) const LABELS: [&'static str; 13] = [
        "quit",
        "client_left",
        "client_aborted",
        "handshake_timeout",
        "idle_timeout",
        "read_timeout",
        "write_timeout",
        "protocol",
        "refused",
        "killed",
        "shutdown",
        "tls",
        "io",
    ];

    /// What the client is told before the connection is closed, if anything can be.
    pub(crate) fn last_words(&self) -> Option<SqlError> {
        match self {
            Ending::Refused(error) => Some(error.clone()),
            Ending::Protocol(protocol::Error::TooLarge { .. }) => {
                Some(SqlError::new(1153, b"08S01", "Got a packet bigger than 'max_allowed_packet' bytes"))
            }
            Ending::Protocol(protocol::Error::OutOfOrder { .. }) => {
                Some(SqlError::new(1156, b"08S01", "Got packets out of order"))
            }
            Ending::Protocol(protocol::Error::Compression(_)) => {
                Some(SqlError::new(1157, b"08S01", "Couldn't uncompress communication packet"))
            }
            Ending::Protocol(_) => Some(SqlError::new(1043, b"08S01", "Bad handshake")),
            Ending::IdleTimeout => Some(SqlError::new(
                4031,
                b"HY000",
                "The client was disconnected by the server because of inactivity. See wait_timeout and \
                 interactive_timeout for configuring this behavior.",
            )),
            _ => None,
        }
    }

    /// What a failed write means.
    pub(crate) fn of_write(error: io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ending::WriteTimeout,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ending::ClientAborted,
            _ => Ending::Io(error),
        }
    }

    /// What a failed read means, when it did not merely time out.
    pub(crate) fn of_read(error: io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                Ending::ClientAborted
            }
            // What compression found wrong with the bytes.
            io::ErrorKind::InvalidData => match error.downcast::<protocol::Error>() {
                Ok(error) => Ending::Protocol(error),
                Err(error) => Ending::Io(error),
            },
            _ => Ending::Io(error),
        }
    }
}

impl From<protocol::Error> for Ending {
    fn from(error: protocol::Error) -> Ending {
        Ending::Protocol(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_its_own_label() {
        let refused = || SqlError::new(1045, b"28000", "");
        let endings = [
            Ending::Quit,
            Ending::ClientLeft,
            Ending::ClientAborted,
            Ending::HandshakeTimeout,
            Ending::IdleTimeout,
            Ending::ReadTimeout,
            Ending::WriteTimeout,
            Ending::Protocol(protocol::Error::UnknownCommand(1)),
            Ending::Refused(refused()),
            Ending::Killed,
            Ending::Shutdown,
            Ending::Tls(rustls::Error::DecryptError),
            Ending::Io(io::Error::other("x")),
        ];
        let labels: Vec<_> = endings.iter().map(Ending::label).collect();
        assert_eq!(labels, Ending::LABELS);
    }
}
