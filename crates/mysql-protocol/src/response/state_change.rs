//! Changes of session state inside an OK packet (SESSION_TRACK).

use crate::wire::{Put, Reader};
use crate::{Error, Result};

/// The transaction state of a session outside any transaction; see
/// [`SessionStateChange::TransactionState`].
pub const TRANSACTION_STATE_IDLE: &[u8; 8] = b"________";

/// One change of session state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStateChange<'a> {
    /// A variable of `session_track_system_variables` was set.
    SystemVariable {
        /// Its name.
        name: &'a [u8],
        /// Its value as text.
        value: &'a [u8],
    },
    /// The default database.
    Schema(&'a [u8]),
    /// Whether anything of the session changed.
    StateChanged(bool),
    /// The GTIDs that the session now waits to be known for.
    Gtids(&'a [u8]),
    /// Statements that would start the same transaction again.
    TransactionCharacteristics(&'a [u8]),
    /// Eight places: `T` or `I` for a transaction explicit or implicit, `r`/`R` reads, `w`/`W` writes (of
    /// non-transactional or transactional tables), `s` unsafe statement, `S` result set, `L` table locks; `_`
    /// where none.
    TransactionState(&'a [u8]),
    /// A kind that this version does not know.
    Unknown {
        /// Its number.
        kind: u8,
        /// Its data.
        data: &'a [u8],
    },
}

const SYSTEM_VARIABLES: u8 = 0;
const SCHEMA: u8 = 1;
const STATE_CHANGE: u8 = 2;
const GTIDS: u8 = 3;
const TRANSACTION_CHARACTERISTICS: u8 = 4;
const TRANSACTION_STATE: u8 = 5;

impl<'a> SessionStateChange<'a> {
    /// Appends the change to the block that an OK packet carries.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut data = Vec::with_capacity(32);
        let kind = match *self {
            SessionStateChange::SystemVariable { name, value } => {
                data.put_lenenc_bytes(name);
                data.put_lenenc_bytes(value);
                SYSTEM_VARIABLES
            }
            SessionStateChange::Schema(name) => {
                data.put_lenenc_bytes(name);
                SCHEMA
            }
            SessionStateChange::StateChanged(changed) => {
                // The only kind whose text has no length of its own.
                data.put_bytes(if changed { b"1" } else { b"0" });
                STATE_CHANGE
            }
            SessionStateChange::Gtids(gtids) => {
                // The encoding of the set; 0 is text.
                data.put_u8(0);
                data.put_lenenc_bytes(gtids);
                GTIDS
            }
            SessionStateChange::TransactionCharacteristics(text) => {
                data.put_lenenc_bytes(text);
                TRANSACTION_CHARACTERISTICS
            }
            SessionStateChange::TransactionState(text) => {
                data.put_lenenc_bytes(text);
                TRANSACTION_STATE
            }
            SessionStateChange::Unknown { kind, data: raw } => {
                data.put_bytes(raw);
                kind
            }
        };
        out.put_u8(kind);
        out.put_lenenc_bytes(&data);
    }

    fn parse(reader: &mut Reader<'a>) -> Result<SessionStateChange<'a>> {
        let kind = reader.u8("session state kind")?;
        let data = reader.lenenc_bytes("session state")?;
        let mut inner = Reader::new(data);
        Ok(match kind {
            SYSTEM_VARIABLES => SessionStateChange::SystemVariable {
                name: inner.lenenc_bytes("variable name")?,
                value: inner.lenenc_bytes("variable value")?,
            },
            SCHEMA => SessionStateChange::Schema(inner.lenenc_bytes("database")?),
            STATE_CHANGE => SessionStateChange::StateChanged(data == b"1"),
            GTIDS => match inner.u8("GTID encoding")? {
                0 => SessionStateChange::Gtids(inner.lenenc_bytes("GTIDs")?),
                _ => return Err(Error::Malformed("GTID encoding")),
            },
            TRANSACTION_CHARACTERISTICS => {
                SessionStateChange::TransactionCharacteristics(inner.lenenc_bytes("characteristics")?)
            }
            TRANSACTION_STATE => SessionStateChange::TransactionState(inner.lenenc_bytes("state")?),
            _ => SessionStateChange::Unknown { kind, data },
        })
    }
}

/// The changes of one OK packet, as they came or will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionStateChanges<'a> {
    encoded: &'a [u8],
}

impl<'a> SessionStateChanges<'a> {
    /// The changes that [`SessionStateChange::write`] appended.
    pub fn from_encoded(encoded: &'a [u8]) -> SessionStateChanges<'a> {
        SessionStateChanges { encoded }
    }

    /// Takes a block from the wire after checking it.
    pub fn parse(encoded: &'a [u8]) -> Result<SessionStateChanges<'a>> {
        let mut reader = Reader::new(encoded);
        while !reader.is_empty() {
            SessionStateChange::parse(&mut reader)?;
        }
        Ok(SessionStateChanges { encoded })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// The encoded form.
    pub fn encoded(&self) -> &'a [u8] {
        self.encoded
    }

    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = SessionStateChange<'a>> + use<'a> {
        let mut reader = Reader::new(self.encoded);
        std::iter::from_fn(move || SessionStateChange::parse(&mut reader).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kind_comes_back() {
        let changes = [
            SessionStateChange::SystemVariable { name: b"autocommit", value: b"OFF" },
            SessionStateChange::Schema(b"shop"),
            SessionStateChange::StateChanged(false),
            SessionStateChange::Gtids(b"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"),
            SessionStateChange::TransactionCharacteristics(b"START TRANSACTION READ ONLY;"),
            SessionStateChange::TransactionState(b"T_r_____"),
            SessionStateChange::Unknown { kind: 77, data: b"later" },
        ];
        let mut out = Vec::new();
        changes.iter().for_each(|change| change.write(&mut out));
        let parsed = SessionStateChanges::parse(&out).unwrap();
        assert_eq!(parsed.iter().collect::<Vec<_>>(), changes);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(changes) = SessionStateChanges::parse(&bytes) {
                prop_assert!(changes.iter().count() <= bytes.len());
            }
        }
    }
}
