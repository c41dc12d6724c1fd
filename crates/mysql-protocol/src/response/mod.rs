//! How an answer begins and ends: OK, ERR, EOF, and the session state changes that an OK can carry.
//!
//! The first byte of an answer to a request decides: 0x00 is OK, 0xff is ERR, 0xfb asks for a local file
//! (never sent by this server), anything else is the column count of a result set ([`Answer::parse`]).
//! Behind the rows of a result set a short packet that starts with 0xfe ends it: an EOF, or under
//! DEPRECATE_EOF an OK with that first byte ([`is_result_end`]).

mod eof;
mod err;
mod ok;
mod state_change;

pub use eof::EofPacket;
pub use err::ErrPacket;
pub use ok::{OkPacket, put_ok_info};
pub use state_change::{SessionStateChange, SessionStateChanges, TRANSACTION_STATE_IDLE};

use crate::frame::MAX_FRAME;
use crate::wire::Reader;
use crate::{Capabilities, Error, Result};

/// The first packet of an answer, as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The whole answer: no result set.
    Ok(OkPacket<'a>),
    /// The request failed.
    Err(ErrPacket<'a>),
    /// The server wants this file of the client (`LOAD DATA LOCAL`).
    LocalFile(&'a [u8]),
    /// A result set with this many columns follows.
    Columns(u64),
}

impl<'a> Answer<'a> {
    /// Reads the packet's payload.
    pub fn parse(packet: &'a [u8], capabilities: Capabilities) -> Result<Answer<'a>> {
        match packet.first() {
            Some(0x00) => OkPacket::parse(packet, capabilities).map(Answer::Ok),
            Some(0xff) => ErrPacket::parse(packet).map(Answer::Err),
            Some(0xfb) => Ok(Answer::LocalFile(&packet[1..])),
            Some(_) => Reader::new(packet).lenenc("column count").map(Answer::Columns),
            None => Err(Error::Truncated("answer")),
        }
    }
}

/// Whether a packet in place of a row ends the result set. A row can start with 0xfe too (a string of 16 MiB
/// or more), but is longer then.
pub fn is_result_end(packet: &[u8], capabilities: Capabilities) -> bool {
    let longest = if capabilities.has(Capabilities::DEPRECATE_EOF) { MAX_FRAME - 1 } else { 8 };
    packet.first() == Some(&0xfe) && packet.len() <= longest
}
