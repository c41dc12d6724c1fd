//! Results on their way into packets: the [`ResultSink`] of a connection.
//!
//! Rows go straight into the outgoing buffer, which is sent whenever it is full, so a result of any size takes
//! one buffer, and a client that reads slowly slows its statement down.
//!
//! The last packet of a result is held back until the session has returned, because it carries the session
//! state changes and says whether another result follows. An error that comes while rows are open takes the
//! place of the next row.

use super::encode::{RowEncoder, put_definitions};
use crate::Session;
use crate::charset::ResultText;
use crate::ending::Ending;
use crate::transport::Outbound;
use rustydb_mysql_protocol::response::{
    EofPacket, ErrPacket, OkPacket, SessionStateChange, SessionStateChanges,
};
use rustydb_mysql_protocol::{Capabilities, status};
use rustydb_sql::{ColumnMeta, Completion, ResultSink, SinkClosed, SqlError, StateChange};
use rustydb_value::ValueRef;

/// How rows of an answer are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFormat {
    /// COM_QUERY
    Text,
    /// COM_STMT_EXECUTE
    Binary,
}

/// What answers of a connection depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub(crate) capabilities: Capabilities,
    pub(crate) text: ResultText,
    /// Status bits before the request.
    pub(crate) status: u16,
}

impl Style {
    /// The style of a session's answers as it is now.
    pub(crate) fn of(capabilities: Capabilities, session: &impl Session) -> Style {
        let text = ResultText::new(session.character_set_results());
        Style { capabilities, text, status: session.status().0 }
    }

    pub(crate) fn deprecates_eof(self) -> bool {
        self.capabilities.has(Capabilities::DEPRECATE_EOF)
    }
}

/// Why a result could not be written.
enum Failure {
    Wire(Ending),
    /// The session gave a value that its column cannot have.
    Encoding,
}

/// One request's results on their way out.
pub(crate) struct Reply<'a> {
    out: &'a mut Outbound,
    style: Style,
    encoder: RowEncoder,
    /// Rows are open.
    in_rows: bool,
    /// The end of the last result, not written yet.
    pending: Option<End>,
    failure: Option<Failure>,
}

struct End {
    completion: Completion,
    /// It ends rows, or else is a whole answer.
    ends_rows: bool,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(out: &'a mut Outbound, style: Style, format: RowFormat) -> Reply<'a> {
        let encoder = RowEncoder::new(format, style.text);
        Reply { out, style, encoder, in_rows: false, pending: None, failure: None }
    }

    /// Ends the answer once the session has returned.
    pub(crate) fn finish<S: Session>(
        mut self,
        result: Result<(), SqlError>,
        session: &mut S,
    ) -> Result<(), Ending> {
        let error = match (self.failure.take(), result) {
            (Some(Failure::Wire(ending)), _) => return Err(ending),
            (Some(Failure::Encoding), _) => SqlError::new(
                1105,
                b"HY000",
                "A value of the result is of another type than its column; the rows before it are complete",
            ),
            (None, Err(error)) => error,
            (None, Ok(())) => {
                // A session that said nothing has still done what was asked.
                let end = self.pending.take().unwrap_or_else(|| End {
                    completion: Completion { status: session.status(), ..Completion::default() },
                    ends_rows: self.in_rows,
                });
                let changes = encoded_changes(self.style.capabilities, session);
                self.write_end(&end, false, &changes);
                return Ok(());
            }
        };
        if let Some(end) = self.pending.take() {
            self.write_end(&end, true, &[]);
        }
        write_error(self.out, self.style.text, &error);
        Ok(())
    }

    /// Writes the end of a result that another one follows.
    fn write_pending(&mut self) -> Result<(), SinkClosed> {
        if let Some(end) = self.pending.take() {
            self.write_end(&end, true, &[]);
            self.send_if_full()?;
        }
        Ok(())
    }

    fn write_end(&mut self, end: &End, more: bool, state_changes: &[u8]) {
        let completion = &end.completion;
        let mut status = completion.status.0 & !status::MORE_RESULTS_EXISTS;
        if more {
            status |= status::MORE_RESULTS_EXISTS;
        }
        let capabilities = self.style.capabilities;
        let ok = OkPacket {
            affected_rows: completion.affected_rows,
            last_insert_id: completion.last_insert_id,
            status,
            warnings: completion.warnings,
            info: &self.style.text.bytes(&completion.info),
            state_changes: SessionStateChanges::from_encoded(state_changes),
        };
        self.out.writer.packet(|out| match (end.ends_rows, self.style.deprecates_eof()) {
            (false, _) => ok.write(out, capabilities),
            // Behind rows MySQL reports neither counts nor a summary.
            (true, true) => {
                OkPacket { affected_rows: 0, last_insert_id: 0, info: b"", ..ok }
                    .write_result_end(out, capabilities);
            }
            (true, false) => EofPacket { warnings: ok.warnings, status }.write(out),
        });
    }

    fn send_if_full(&mut self) -> Result<(), SinkClosed> {
        self.out.flush_if_full().map_err(|ending| {
            self.failure = Some(Failure::Wire(ending));
            SinkClosed
        })
    }
}

impl ResultSink for Reply<'_> {
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed> {
        if self.failure.is_some() {
            return Err(SinkClosed);
        }
        self.write_pending()?;
        self.encoder.set_columns(columns);
        put_definitions(self.out, columns, self.style);
        self.in_rows = true;
        self.send_if_full()
    }

    #[inline]
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        if self.failure.is_some() {
            return Err(SinkClosed);
        }
        let start = self.out.writer.begin();
        if self.encoder.put_row(self.out.writer.buffer(), cells).is_err() {
            self.out.writer.abandon(start);
            self.failure = Some(Failure::Encoding);
            return Err(SinkClosed);
        }
        self.out.writer.finish(start);
        self.send_if_full()
    }

    fn end(&mut self, completion: &Completion) -> Result<(), SinkClosed> {
        if self.failure.is_some() {
            return Err(SinkClosed);
        }
        self.write_pending()?;
        let ends_rows = std::mem::take(&mut self.in_rows);
        self.pending = Some(End { completion: completion.clone(), ends_rows });
        if completion.more_results {
            self.write_pending()?;
        }
        Ok(())
    }
}

/// Writes an ERR packet.
pub(crate) fn write_error(out: &mut Outbound, text: ResultText, error: &SqlError) {
    let message = text.bytes(&error.message);
    let packet = ErrPacket { code: error.code, sqlstate: Some(error.sqlstate), message: &message };
    out.writer.packet(|out| packet.write(out));
}

/// Writes an OK packet that says nothing but the session's status, and its state changes.
pub(crate) fn write_ok<S: Session>(out: &mut Outbound, capabilities: Capabilities, session: &mut S) {
    let changes = encoded_changes(capabilities, session);
    let ok = OkPacket {
        status: session.status().0,
        state_changes: SessionStateChanges::from_encoded(&changes),
        ..OkPacket::default()
    };
    out.writer.packet(|out| ok.write(out, capabilities));
}

/// Writes the packet that ends a list: EOF, or OK in its place.
pub(crate) fn write_list_end(out: &mut Outbound, style: Style, status: u16, warnings: u16) {
    out.writer.packet(|out| {
        if style.deprecates_eof() {
            OkPacket { status, warnings, ..OkPacket::default() }.write_result_end(out, style.capabilities);
        } else {
            EofPacket { warnings, status }.write(out);
        }
    });
}

fn encoded_changes<S: Session>(capabilities: Capabilities, session: &mut S) -> Vec<u8> {
    let mut encoded = Vec::new();
    if !capabilities.has(Capabilities::SESSION_TRACK) {
        return encoded;
    }
    for change in session.take_state_changes() {
        match &change {
            StateChange::SystemVariable { name, value } => {
                SessionStateChange::SystemVariable { name: name.as_bytes(), value: value.as_bytes() }
            }
            StateChange::Schema(name) => SessionStateChange::Schema(name.as_bytes()),
            StateChange::StateChanged => SessionStateChange::StateChanged(true),
            StateChange::Gtids(gtids) => SessionStateChange::Gtids(gtids.as_bytes()),
            StateChange::TransactionState(state) => SessionStateChange::TransactionState(state.as_bytes()),
            StateChange::TransactionCharacteristics(text) => {
                SessionStateChange::TransactionCharacteristics(text.as_bytes())
            }
        }
        .write(&mut encoded);
    }
    encoded
}
