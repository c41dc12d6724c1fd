//! What a client that tracks session state is told of its transaction (`session_track_transaction_info`): routers and
//! pools use it to move a session to another server, at a moment when it is possible and with what it takes.
//!
//! STATE tells eight places, each `_` where there is nothing to tell:
//!
//! | place | | |
//! |---|---|---|
//! | 1 | `T` `I` | a transaction that was begun; one that `autocommit = 0` has begun |
//! | 2, 4 | `r` `w` | non-transactional tables read, written: there are none |
//! | 3, 5 | `R` `W` | tables read; tables written, or locked for it |
//! | 6 | `s` | a statement that cannot be logged as text: never told, nothing is logged so |
//! | 7 | `S` | rows were sent |
//! | 8 | `L` | LOCK TABLES holds something |
//!
//! CHARACTERISTICS tells besides the statements that begin the same transaction again; they say only what differs
//! from the session's defaults by an explicit word.
//!
//! Changes are told with the next answer that can carry them, which an error is not.

use rustydb_sql_parser::ast::Xid;

use super::Session;
use crate::api::StateChange;
use crate::variables::TransactionTracking;

const NOTHING: [u8; 8] = *b"________";

/// What the client knows.
#[derive(Debug)]
pub(super) struct TransactionTracker {
    mode: TransactionTracking,
    state: [u8; 8],
    characteristics: String,
    /// Something has begun since, which is told even if it is the same again.
    pub(super) began: bool,
}

impl Default for TransactionTracker {
    fn default() -> TransactionTracker {
        TransactionTracker {
            mode: TransactionTracking::Off,
            state: NOTHING,
            characteristics: String::new(),
            began: false,
        }
    }
}

impl Session {
    /// Adds what has changed since the last answer.
    pub(super) fn track_transaction(&mut self, changes: &mut Vec<StateChange>) {
        let mode = self.state.settings.track_transaction;
        if mode == TransactionTracking::Off {
            if self.tracker.mode != mode {
                self.tracker = TransactionTracker::default();
            }
            return;
        }
        let state = self.transaction_state();
        if self.tracker.state != state {
            self.tracker.state = state;
            changes.push(StateChange::TransactionState(String::from_utf8_lossy(&state).into_owned()));
        }
        let began = std::mem::take(&mut self.tracker.began) || self.tracker.mode != mode;
        self.tracker.mode = mode;
        if mode == TransactionTracking::Characteristics {
            let characteristics = self.transaction_characteristics();
            if began || self.tracker.characteristics != characteristics {
                self.tracker.characteristics.clone_from(&characteristics);
                changes.push(StateChange::TransactionCharacteristics(characteristics));
            }
        }
    }

    fn transaction_state(&self) -> [u8; 8] {
        let mut state = NOTHING;
        let mut tell = |place: usize, letter: u8, when: bool| {
            if when && let Some(at) = state.get_mut(place) {
                *at = letter;
            }
        };
        if let Some(open) = &self.open {
            tell(0, if open.explicit { b'T' } else { b'I' }, true);
            tell(2, b'R', open.traces.reads);
            tell(4, b'W', open.traces.writes);
            tell(6, b'S', open.traces.results);
        }
        tell(7, b'L', self.locked.is_some());
        state
    }

    fn transaction_characteristics(&self) -> String {
        let (kind, begun) = match &self.open {
            Some(open) => (open.kind(), open.explicit),
            None => (self.next, false),
        };
        let mut statements: Vec<String> = Vec::new();
        if let Some(level) = kind.isolation.filter(|_| kind.named.isolation) {
            statements.push(format!("SET TRANSACTION ISOLATION LEVEL {};", level.words()));
        }
        let access = match kind.read_only.filter(|_| kind.named.read_only) {
            Some(true) => Some("READ ONLY"),
            Some(false) => Some("READ WRITE"),
            None => None,
        };
        let xid = self.xa.xid();
        if let Some(access) = access.filter(|_| !begun || xid.is_some()) {
            statements.push(format!("SET TRANSACTION {access};"));
        }
        match xid {
            Some(xid) => statements.push(format!("XA START {};", written(xid))),
            None if begun => {
                let snapshot = self.open.as_ref().is_some_and(|open| open.traces.snapshot);
                let options = [snapshot.then_some("WITH CONSISTENT SNAPSHOT"), access];
                let options: Vec<&str> = options.into_iter().flatten().collect();
                let space = if options.is_empty() { "" } else { " " };
                statements.push(format!("START TRANSACTION{space}{};", options.join(", ")));
            }
            None => {}
        }
        statements.join(" ")
    }
}

/// The name of an XA transaction as a statement has it, without parts that are what they are when unsaid.
fn written(xid: &Xid) -> String {
    let part = |bytes: &[u8]| match bytes.iter().all(|b| b.is_ascii_graphic() && !matches!(b, b'\'' | b'\\'))
    {
        true => format!("'{}'", String::from_utf8_lossy(bytes)),
        false => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("X'{digits}'")
        }
    };
    match (xid.branch.is_empty(), xid.format) {
        (true, 1) => part(&xid.global),
        (false, 1) => format!("{},{}", part(&xid.global), part(&xid.branch)),
        (_, format) => format!("{},{},{format}", part(&xid.global), part(&xid.branch)),
    }
}
