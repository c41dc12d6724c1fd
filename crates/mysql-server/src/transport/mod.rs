//! Bytes in and out: sockets, TLS over them, packets over both.

mod channel;
mod listener;
mod socket;
mod wire;

pub(crate) use channel::{Channel, IdleLimits, Outbound, Received};
pub(crate) use listener::Listener;
pub(crate) use socket::Socket;
pub(crate) use wire::Traffic;
