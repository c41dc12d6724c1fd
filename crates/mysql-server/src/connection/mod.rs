//! One connection, from its greeting to its end, on a thread of its own while it is busy.
//!
//! ```text
//! accepted -> handshake -> [ wait for a request -> dispatch -> send the answer ]* -> last words -> closed
//!                                  |        ^
//!                               idle: parked without a thread
//! ```
//!
//! Every way out is an [`Ending`], which is counted and, where the client can still hear it, told as an ERR
//! packet. The session is dropped before the connection leaves the list, so that a client which reconnects
//! finds its old transaction rolled back.

mod commands;
mod cursor;
mod encode;
mod parameters;
pub(crate) mod reply;
mod statements;

use crate::backend::{Backend, Session};
use crate::charset::ResultText;
use crate::ending::Ending;
use crate::handshake::{self, Greeted};
use crate::parking::Wakeup;
use crate::server::Guest;
use crate::transport::{Channel, IdleLimits, Received};
use rustydb_mysql_protocol::response::ErrPacket;
use rustydb_mysql_protocol::{Capabilities, Error};
use rustydb_transaction::CancelReason;
use rustydb_value::Value;
use statements::Statements;
use std::sync::Arc;
use std::time::Duration;

/// The largest packet of the handshake: connection attributes may take 64 KiB.
const HANDSHAKE_PACKET: usize = 128 * 1024;

/// How long an answer may block in the handshake and as last words.
const HANDSHAKE_WRITE: Duration = Duration::from_secs(10);

/// A connection with its session.
pub(crate) struct Connection<B: Backend> {
    pub(crate) channel: Channel,
    // Before `guest`, so that it is dropped before the connection leaves the list.
    pub(crate) session: B::Session,
    pub(crate) capabilities: Capabilities,
    pub(crate) host: String,
    statements: Statements<<B::Session as Session>::Prepared>,
    /// Used again by every execution.
    parameters: Vec<Value>,
    /// How long the client will have been silent when the wait that has begun is over.
    waited: Duration,
    pub(crate) guest: Guest<B>,
}

/// Lets a new connection in and serves it.
pub(crate) fn begin<B: Backend>(guest: Guest<B>) {
    let shared = Arc::clone(&guest.shared);
    let traffic = shared.metrics.traffic.clone();
    let mut channel = Channel::new(Arc::clone(&guest.entry.socket), traffic, HANDSHAKE_PACKET);
    let greeted = match channel.out.set_write_timeout(HANDSHAKE_WRITE) {
        Ok(()) => handshake::greet(&shared, &guest.entry, &mut channel),
        Err(ending) => Err(ending),
    };
    match greeted {
        Err(ending) => end(channel, ending, guest),
        Ok(Greeted { session, capabilities, host }) => {
            guest.entry.set_cancel(&session.cancel_handle());
            let statements = Statements::new();
            let parameters = Vec::new();
            let waited = Duration::ZERO;
            Connection { channel, session, capabilities, host, statements, parameters, waited, guest }
                .go_on();
        }
    }
}

/// Goes on with a connection that was parked.
pub(crate) fn resume<B: Backend>(connection: Connection<B>, why: Wakeup) {
    match why {
        Wakeup::Readable => connection.go_on(),
        Wakeup::Expired => connection.expired(),
    }
}

/// Says last words and lets the connection go.
fn end<B: Backend>(mut channel: Channel, ending: Ending, guest: Guest<B>) {
    say_last_words(&mut channel, &ending);
    guest.shared.metrics.count_ending(&ending);
    let connection = guest.entry.id;
    tracing::debug!(connection, reason = ending.label(), "connection closed");
    match &ending {
        Ending::Io(error) => tracing::debug!(connection, %error, "socket failed"),
        Ending::Tls(error) => tracing::debug!(connection, %error, "TLS failed"),
        _ => {}
    }
}

fn say_last_words(channel: &mut Channel, ending: &Ending) {
    if let Some(error) = ending.last_words() {
        // A client that speaks something older cannot read the SQLSTATE.
        let old = matches!(ending, Ending::Protocol(Error::Unsupported(_)));
        let message = error.message.as_bytes();
        let packet = ErrPacket { code: error.code, sqlstate: (!old).then_some(error.sqlstate), message };
        channel.out.writer.packet(|out| packet.write(out));
        let _ = channel.out.set_write_timeout(HANDSHAKE_WRITE);
        let _ = channel.out.flush();
    }
    if !matches!(ending, Ending::WriteTimeout | Ending::Io(_) | Ending::ClientAborted) {
        channel.out.say_goodbye();
    }
    match ending {
        // The client may still be sending, and reads only after that.
        Ending::Protocol(Error::TooLarge { limit }) => {
            channel.out.linger(limit.saturating_mul(2), Duration::from_secs(5));
        }
        Ending::Protocol(_) | Ending::Refused(_) => channel.out.linger(64 << 10, Duration::from_millis(200)),
        _ => {}
    }
}

impl<B: Backend> Connection<B> {
    /// Serves requests until the client is idle, which parks the connection, or until it ends.
    fn go_on(mut self) {
        let ending = loop {
            match self.guest.entry.end_reason() {
                Some(CancelReason::Killed) => break Ending::Killed,
                Some(CancelReason::Shutdown) => break Ending::Shutdown,
                Some(_) => break Ending::ClientAborted,
                None => {}
            }
            match self.serve_request() {
                Ok(Received::Request) => {}
                Ok(Received::Nothing) => match self.park() {
                    None => return,
                    Some(back) => self = back,
                },
                Err(ending) => break ending,
            }
        };
        let ending = match (ending, self.guest.entry.end_reason()) {
            // Who was woken in its socket sees only that there is nothing more to read.
            (Ending::ClientLeft | Ending::ClientAborted, Some(CancelReason::Killed)) => Ending::Killed,
            (Ending::ClientLeft | Ending::ClientAborted, Some(CancelReason::Shutdown)) => Ending::Shutdown,
            (Ending::ClientLeft, _) if self.guest.shared.connections.is_draining() => Ending::Shutdown,
            (ending, _) => ending,
        };
        self.end(ending);
    }

    /// Gives the thread away until the client speaks. Gives the connection back where that is impossible.
    ///
    /// A transaction whose time is over ends here, where nobody pays for it who is not idle: limits are whole seconds,
    /// and a connection comes to be parked after one at the most.
    fn park(mut self) -> Option<Connection<B>> {
        let shared = Arc::clone(&self.guest.shared);
        let entry = Arc::clone(&self.guest.entry);
        if self.session.idle_transaction_limit().is_some_and(|limit| limit <= self.waited) {
            self.session.end_idle_transaction();
        }
        let most = self.session.idle_timeout();
        let until = self.session.idle_transaction_limit().map_or(most, |limit| limit.min(most));
        let patience = until.saturating_sub(self.waited);
        self.waited = until.max(self.waited);
        shared.parking.park(entry.id, &entry.socket, self, patience).err()
    }

    /// The client has been silent for as long as it may be, in its transaction or at all.
    fn expired(self) {
        if self.waited >= self.session.idle_timeout() {
            self.end(Ending::IdleTimeout);
        } else if let Some(back) = self.park() {
            back.go_on();
        }
    }

    fn end(self, ending: Ending) {
        let Connection { channel, session, statements, guest, .. } = self;
        // What the session held is free before the client learns that it ended.
        drop(statements);
        drop(session);
        end(channel, ending, guest);
    }

    /// Waits for one request and answers it.
    #[inline]
    fn serve_request(&mut self) -> Result<Received, Ending> {
        let shared = &self.guest.shared;
        let config = &shared.config;
        let crowded = shared.workers.busy() > config.crowd;
        let limits = IdleLimits {
            wait: self.session.idle_timeout(),
            read: self.session.net_read_timeout(),
            doze: if crowded { config.doze_after.min(config.crowd_doze_after) } else { config.doze_after },
        };
        self.waited = limits.doze;
        self.channel.reader.set_limit(self.session.max_allowed_packet());
        if self.channel.receive_command(&limits)? == Received::Nothing {
            return Ok(Received::Nothing);
        }
        self.channel.out.set_write_timeout(self.session.net_write_timeout())?;
        self.guest.entry.switch();
        let done = self.dispatch().and_then(|()| self.channel.out.flush());
        self.guest.entry.switch();
        done?;
        self.channel.shrink();
        Ok(Received::Request)
    }

    fn result_text(&self) -> ResultText {
        ResultText::new(self.session.character_set_results())
    }
}
