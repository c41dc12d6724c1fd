//! Answers: the head of each result, its columns, its rows, and what follows it.
//!
//! ```text
//! head: OK ------------------------------------------> more results? head : idle
//!       ERR -----------------------------------------> idle
//!       file request -> file -> head
//!       column count -> definitions -> row* -> end --> more results? head : idle
//! ```
//!
//! Definitions are compared with those of the last execution of the statement, byte by byte, and only read
//! where they differ; MariaDB leaves them out altogether where they are the same.

use super::handshake::server_error;
use super::local_infile::asks_for;
use super::{Connection, state};
use crate::column::{Columns, ColumnsReader};
use crate::driver::{Statement, Summary};
use crate::error::{Error, Result};
use crate::kill::StatementHead;
use crate::row::{Form, RowRef, split};
use rustydb_mysql_protocol::handshake::MariaDbCapabilities;
use rustydb_mysql_protocol::response::{EofPacket, ErrPacket, OkPacket, is_result_end};
use rustydb_mysql_protocol::wire::Reader;
use rustydb_mysql_protocol::{Capabilities, Error as ProtocolError, status};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::ReadBuf;
use tokio::time::timeout_at;

/// More columns than any server has in a result.
const MOST_COLUMNS: u64 = 65_535;
/// The most bytes of the definitions of one result.
const MOST_DEFINITIONS: usize = 64 << 20;
/// Bytes of a local file in one packet.
const FILE_CHUNK: usize = 64 * 1024;

/// Where a connection is in the answer to its last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is left to be read.
    Idle,
    /// Rows, and their end.
    Rows,
    /// The head of another result.
    Head,
}

/// What the first packet of an answer is.
enum Head {
    Ok,
    File(Vec<u8>),
    Columns { count: usize, follow: bool },
}

impl Connection {
    pub(super) fn protocol(during: &'static str) -> impl FnOnce(ProtocolError) -> Error {
        move |source| Error::Protocol { during, source }
    }

    /// Reads the head of an answer, with the definitions of its columns. The session is whole afterwards, be
    /// it by success or by an error of the server.
    pub(super) async fn read_head(
        &mut self,
        during: &'static str,
        statement: Option<&Statement>,
    ) -> Result<()> {
        self.has_columns = false;
        self.wire.packet(during).await?;
        let mut refused = None;
        loop {
            match self.take_head(during)? {
                Head::Ok => break,
                Head::File(name) => refused = self.send_file(during, &name).await?,
                Head::Columns { count, follow } => {
                    self.read_columns(during, count, follow, statement).await?;
                    break;
                }
            }
            self.wire.packet(during).await?;
        }
        self.status.broken = false;
        refused.map_or(Ok(()), Err)
    }

    fn take_head(&mut self, during: &'static str) -> Result<Head> {
        let protocol = Connection::protocol(during);
        let packet = self.wire.current();
        match packet.first() {
            Some(0x00) => match self.take_ok() {
                Ok(()) => Ok(Head::Ok),
                Err(source) => Err(protocol(source)),
            },
            Some(0xff) => Err(self.take_err()),
            Some(0xfb) => Ok(Head::File(packet[1..].to_vec())),
            Some(_) => {
                let mut reader = Reader::new(packet);
                let count = reader.lenenc("column count").map_err(protocol)?;
                // Behind the count MariaDB says whether definitions follow, if that was agreed on.
                let may_skip = self.mariadb.has(MariaDbCapabilities::CACHE_METADATA);
                let follow = !may_skip || reader.u8("definitions mark").is_ok_and(|mark| mark != 0);
                if count == 0 || count > MOST_COLUMNS {
                    let source = ProtocolError::Malformed("column count");
                    return Err(Error::Protocol { during, source });
                }
                Ok(Head::Columns { count: count as usize, follow })
            }
            None => Err(protocol(ProtocolError::Truncated("answer"))),
        }
    }

    /// Takes the OK that is the current packet.
    fn take_ok(&mut self) -> rustydb_mysql_protocol::Result<()> {
        let ok = OkPacket::parse(self.wire.current(), self.capabilities)?;
        let gtid = state::apply(&mut self.status, &ok, self.options.database.as_deref());
        self.summary = Summary {
            affected_rows: ok.affected_rows,
            last_insert_id: ok.last_insert_id,
            warnings: ok.warnings,
            info: if ok.info.is_empty() { Box::default() } else { String::from_utf8_lossy(ok.info).into() },
            gtid,
        };
        self.end_result(ok.status);
        Ok(())
    }

    /// Takes the ERR that is the current packet. Nothing follows it.
    pub(super) fn take_err(&mut self) -> Error {
        let error = match ErrPacket::parse(self.wire.current()) {
            Ok(packet) => server_error(&packet),
            Err(source) => return Error::Protocol { during: "error", source },
        };
        self.phase = Phase::Idle;
        self.is_running = false;
        self.status.last_error = error.code();
        self.status.pending_results = false;
        self.status.broken = error.breaks_session();
        self.summary = Summary::default();
        self.wire.rest();
        error
    }

    #[inline]
    fn end_result(&mut self, bits: u16) {
        let more = bits & status::MORE_RESULTS_EXISTS != 0;
        self.phase = if more { Phase::Head } else { Phase::Idle };
        self.status.pending_results = more;
        self.is_running &= more;
        if !more {
            self.wire.rest();
        }
    }

    /// Reads the definitions of a result's columns, or takes over those that are known.
    async fn read_columns(
        &mut self,
        during: &'static str,
        count: usize,
        follow: bool,
        statement: Option<&Statement>,
    ) -> Result<()> {
        let known = statement.map_or_else(|| Arc::clone(&self.columns), Statement::columns);
        let columns = match follow {
            true => self.read_definitions(during, count, &known).await?,
            false if known.len() == count => known,
            false => return Err(Connection::protocol(during)(ProtocolError::Malformed("column count"))),
        };
        if !self.capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.wire.packet(during).await?;
            EofPacket::parse(self.wire.current()).map_err(Connection::protocol(during))?;
        }
        if !Arc::ptr_eq(&columns, &self.columns) {
            if let Some(statement) = statement {
                statement.set_columns(&columns);
            }
            self.columns = columns;
        }
        self.has_columns = true;
        self.phase = Phase::Rows;
        self.status.pending_results = true;
        self.summary = Summary::default();
        Ok(())
    }

    /// Reads `count` definitions; gives `known` back where they are the same.
    pub(super) async fn read_definitions(
        &mut self,
        during: &'static str,
        count: usize,
        known: &Arc<Columns>,
    ) -> Result<Arc<Columns>> {
        let mut fresh: Option<ColumnsReader> = None;
        for index in 0..count {
            self.wire.packet(during).await?;
            let packet = self.wire.current();
            if fresh.is_none() && known.was_read_from(index, packet) {
                continue;
            }
            let reader = fresh.get_or_insert_with(|| {
                let mut reader = ColumnsReader::default();
                reader.take_over(known, index);
                reader
            });
            reader.push(packet).map_err(Connection::protocol(during))?;
            if reader.size() > MOST_DEFINITIONS {
                let source = ProtocolError::TooLarge { limit: MOST_DEFINITIONS };
                return Err(Error::Protocol { during, source });
            }
        }
        Ok(match fresh {
            Some(reader) => Arc::new(reader.finish()),
            None if known.len() == count => Arc::clone(known),
            None => {
                let mut reader = ColumnsReader::default();
                reader.take_over(known, count);
                Arc::new(reader.finish())
            }
        })
    }

    /// Waits for a packet in place of a row.
    #[cold]
    pub(super) async fn wait_for_row(&mut self) -> Result<()> {
        self.wire.fill("fetch").await?;
        self.wire.packet("fetch").await
    }

    /// Takes the current packet as a row or as the end of the rows.
    #[inline]
    pub(super) fn take_row(&mut self) -> Result<Option<RowRef<'_>>> {
        let packet = self.wire.current();
        match packet.first() {
            Some(0xff) => return Err(self.take_err()),
            Some(0xfe) if is_result_end(packet, self.capabilities) => {
                let ended = if self.capabilities.has(Capabilities::DEPRECATE_EOF) {
                    self.take_ok()
                } else {
                    self.take_eof()
                };
                ended.map_err(Connection::protocol("fetch"))?;
                self.status.broken = false;
                return Ok(None);
            }
            _ => {}
        }
        split(self.form, packet, &self.columns, &mut self.cells).map_err(Connection::protocol("fetch"))?;
        self.status.broken = false;
        Ok(Some(RowRef::from_packet(&self.columns, self.form, self.wire.current(), &self.cells)))
    }

    fn take_eof(&mut self) -> rustydb_mysql_protocol::Result<()> {
        let eof = EofPacket::parse(self.wire.current())?;
        state::apply_bits(&mut self.status, eof.status);
        self.summary = Summary { warnings: eof.warnings, ..Summary::default() };
        self.end_result(eof.status);
        Ok(())
    }

    /// A statement is about to be sent.
    #[inline]
    pub(super) fn runs(&mut self, sql: &str) {
        self.head = StatementHead::new(sql);
        self.is_running = true;
    }

    /// What has to be known of a text before it is sent.
    pub(super) fn before_text(&mut self, sql: &str) {
        self.runs(sql);
        self.form = Form::Text;
        self.note_state(state::leaves_state(sql));
        if !state::keeps_statement_numbers(sql) {
            self.next_statement = None;
        }
        if self.options.local_infile.is_some() {
            self.infile_text = Some(sql.into());
        }
    }

    /// A statement is about to run that may leave state behind.
    pub(super) fn note_state(&mut self, leaves_state: bool) {
        if leaves_state || !self.status.tracks_state {
            self.status.dirty = true;
        }
    }

    /// Sends the file that the server asks for, or nothing where it may not have it. Gives the error that the
    /// caller is to be told once the server has answered.
    async fn send_file(&mut self, during: &'static str, name: &[u8]) -> Result<Option<Error>> {
        let mut refused = None;
        let asked =
            self.form == Form::Text && self.infile_text.as_deref().is_some_and(|sql| asks_for(sql, name));
        let handler = self.options.local_infile.clone().filter(|_| asked);
        let name = String::from_utf8_lossy(name);
        match handler {
            None => refused = Some(Error::NotAllowed("a file for LOAD DATA LOCAL")),
            Some(handler) => match timeout_at(self.wire.deadline(), handler.open(&name)).await {
                Err(_) => return Err(Error::Timeout { during }),
                Ok(Err(source)) => refused = Some(Error::LocalFile { source }),
                Ok(Ok(mut file)) => {
                    let mut chunk = vec![0; FILE_CHUNK];
                    loop {
                        let read = timeout_at(self.wire.deadline(), read_some(&mut file, &mut chunk)).await;
                        match read.map_err(|_| Error::Timeout { during })? {
                            Ok(0) => break,
                            Ok(count) => self.send_piece(during, chunk.get(..count).unwrap_or(&[])).await?,
                            Err(source) => {
                                refused = Some(Error::LocalFile { source });
                                break;
                            }
                        }
                    }
                }
            },
        }
        self.send_piece(during, &[]).await?;
        Ok(refused)
    }

    async fn send_piece(&mut self, during: &'static str, piece: &[u8]) -> Result<()> {
        let from = self.wire.reply(|out| out.extend_from_slice(piece))?;
        self.wire.send(during).await?;
        self.wire.answers_from(from);
        Ok(())
    }
}

async fn read_some(file: &mut super::LocalFile, chunk: &mut [u8]) -> io::Result<usize> {
    let mut buffer = ReadBuf::new(chunk);
    poll_fn(|context| Pin::new(&mut **file).poll_read(context, &mut buffer)).await?;
    Ok(buffer.filled().len())
}
