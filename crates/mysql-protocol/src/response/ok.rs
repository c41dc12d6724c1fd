//! OK: a statement ended, with what it changed.
//!
//! The documentation says that `info` runs to the end of the packet unless SESSION_TRACK was negotiated.
//! Real servers always send it length-encoded, and leave it out when it is empty and nothing follows; so do
//! we.

use super::SessionStateChanges;
use crate::wire::{Put, Reader};
use crate::{Capabilities, Error, Result, status};

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OkPacket<'a> {
    /// Rows inserted, changed or deleted.
    pub affected_rows: u64,
    /// The first value that AUTO_INCREMENT gave out.
    pub last_insert_id: u64,
    /// [`crate::status`] bits.
    pub status: u16,
    /// Warnings of the statement.
    pub warnings: u16,
    /// A readable summary.
    pub info: &'a [u8],
    /// Changes of session state. Their presence sets the status bit that announces them.
    pub state_changes: SessionStateChanges<'a>,
}

impl<'a> OkPacket<'a> {
    /// Appends the payload of an OK that is a whole answer.
    pub fn write(&self, out: &mut Vec<u8>, capabilities: Capabilities) {
        self.write_with_head(0x00, out, capabilities);
    }

    /// Appends the payload of an OK that ends a result set under DEPRECATE_EOF.
    pub fn write_result_end(&self, out: &mut Vec<u8>, capabilities: Capabilities) {
        self.write_with_head(0xfe, out, capabilities);
    }

    fn write_with_head(&self, head: u8, out: &mut Vec<u8>, capabilities: Capabilities) {
        let tracked = capabilities.has(Capabilities::SESSION_TRACK) && !self.state_changes.is_empty();
        let mut status = self.status & !status::SESSION_STATE_CHANGED;
        if tracked {
            status |= status::SESSION_STATE_CHANGED;
        }
        out.put_u8(head);
        out.put_lenenc(self.affected_rows);
        out.put_lenenc(self.last_insert_id);
        out.put_u16(status);
        out.put_u16(self.warnings);
        if tracked || !self.info.is_empty() {
            out.put_lenenc_bytes(self.info);
        }
        if tracked {
            out.put_lenenc_bytes(self.state_changes.encoded());
        }
    }

    /// Reads the packet's payload, whichever first byte it has.
    pub fn parse(packet: &'a [u8], capabilities: Capabilities) -> Result<OkPacket<'a>> {
        let mut reader = Reader::new(packet);
        if !matches!(reader.u8("OK")?, 0x00 | 0xfe) {
            return Err(Error::Malformed("OK"));
        }
        let affected_rows = reader.lenenc("affected rows")?;
        let last_insert_id = reader.lenenc("last insert id")?;
        let status = reader.u16("OK status")?;
        let warnings = reader.u16("OK warnings")?;
        let info = if reader.is_empty() { &b""[..] } else { reader.lenenc_bytes("OK info")? };
        let tracked =
            capabilities.has(Capabilities::SESSION_TRACK) && status & status::SESSION_STATE_CHANGED != 0;
        let state_changes = if tracked && !reader.is_empty() {
            SessionStateChanges::parse(reader.lenenc_bytes("session state")?)?
        } else {
            SessionStateChanges::default()
        };
        Ok(OkPacket { affected_rows, last_insert_id, status, warnings, info, state_changes })
    }
}

/// Appends the payload of the commonest OK of all, with nothing but counts and status.
#[inline]
pub fn put_ok_info(out: &mut Vec<u8>, affected_rows: u64, last_insert_id: u64, status: u16, warnings: u16) {
    out.put_u8(0x00);
    out.put_lenenc(affected_rows);
    out.put_lenenc(last_insert_id);
    out.put_u16(status);
    out.put_u16(warnings);
}

#[cfg(test)]
mod tests {
    use super::super::SessionStateChange;
    use super::*;
    use proptest::prelude::*;

    const TRACKING: Capabilities = Capabilities(Capabilities::PROTOCOL_41.0 | Capabilities::SESSION_TRACK.0);

    #[test]
    fn the_bytes_are_those_of_a_real_server() {
        // `UPDATE` of one row as MySQL 9.7 answers it: the summary is length-encoded for any client.
        let info = b"Rows matched: 1  Changed: 1  Warnings: 0";
        let ok = OkPacket { affected_rows: 1, status: 2, info, ..OkPacket::default() };
        let mut out = Vec::new();
        ok.write(&mut out, Capabilities::PROTOCOL_41);
        assert_eq!(out, [&[0, 1, 0, 2, 0, 0, 0, 40][..], info].concat());
        out.clear();
        OkPacket { status: 2, ..OkPacket::default() }.write(&mut out, TRACKING);
        assert_eq!(out, [0, 0, 0, 2, 0, 0, 0]);
    }

    #[test]
    fn state_changes_come_back_when_both_ends_track() {
        let mut encoded = Vec::new();
        SessionStateChange::Schema(b"shop").write(&mut encoded);
        SessionStateChange::StateChanged(true).write(&mut encoded);
        let ok = OkPacket {
            status: 2,
            state_changes: SessionStateChanges::from_encoded(&encoded),
            ..OkPacket::default()
        };
        let mut out = Vec::new();
        ok.write(&mut out, TRACKING);
        let read = OkPacket::parse(&out, TRACKING).unwrap();
        assert_eq!(read.status, 2 | status::SESSION_STATE_CHANGED);
        let changes: Vec<_> = read.state_changes.iter().collect();
        assert_eq!(changes, [SessionStateChange::Schema(b"shop"), SessionStateChange::StateChanged(true)]);

        out.clear();
        ok.write(&mut out, Capabilities::PROTOCOL_41);
        assert_eq!(out, [0, 0, 0, 2, 0, 0, 0], "a client that does not track is told nothing");
    }

    #[test]
    fn cuts_are_refused() {
        let mut out = Vec::new();
        OkPacket { affected_rows: 300, info: b"abc", ..OkPacket::default() }.write(&mut out, TRACKING);
        for cut in (0..9).chain(10..out.len()) {
            assert!(OkPacket::parse(&out[..cut], TRACKING).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn counts_come_back(affected_rows: u64, last_insert_id: u64, warnings: u16, info in proptest::collection::vec(any::<u8>(), 0..300)) {
            let ok = OkPacket { affected_rows, last_insert_id, warnings, info: &info, ..OkPacket::default() };
            let mut out = Vec::new();
            ok.write_result_end(&mut out, TRACKING);
            prop_assert_eq!(OkPacket::parse(&out, TRACKING), Ok(ok));
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = super::super::Answer::parse(&bytes, TRACKING);
        }
    }
}
