//! A connection to any server that speaks MySQL's protocol, in blocking calls.
//!
//! [`Connection::query`] sends a text and gives its results, one after the other, to a [`Results`], row by row
//! as they come: nothing is collected here. A statement that fails leaves the connection usable; any other
//! error ends it.

mod login;
mod stream;

use crate::target::Target;
use crate::{Error, Result};
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_mysql_protocol::compression::Algorithm;
use rustydb_mysql_protocol::frame::{PacketReader, PacketWriter};
use rustydb_mysql_protocol::response::{
    Answer, EofPacket, ErrPacket, OkPacket, SessionStateChange, is_result_end,
};
use rustydb_mysql_protocol::row::text;
use rustydb_mysql_protocol::{Capabilities, Command, status};
use std::io::{self, Read, Write};
use stream::{Compression, Stream};

/// The largest answer packet that is taken.
const MAX_PACKET: usize = 1 << 30;
/// What a buffer may hold between two statements.
const KEEP: usize = 1 << 20;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name
    pub name: String,
    /// `rustydb_value::ProtocolType` as a byte
    pub column_type: u8,
    /// `rustydb_value::column_flags`
    pub flags: u16,
    /// Collation number; 63 is binary
    pub collation: u16,
}

/// How a statement ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows inserted, changed or deleted; of a result set 0
    pub affected_rows: u64,
    /// The first value that AUTO_INCREMENT gave out
    pub last_insert_id: u64,
    /// How many warnings there are
    pub warnings: u16,
    /// A readable summary
    pub info: String,
    /// It had rows
    pub has_rows: bool,
    /// Another result follows
    pub more: bool,
}

/// Takes the results of a text.
pub trait Results {
    /// A result set begins.
    fn columns(&mut self, columns: &[Column]) -> io::Result<()>;
    /// A row, in the order of the columns.
    fn row(&mut self, cells: &[Option<&[u8]>]) -> io::Result<()>;
    /// A statement has ended, with rows or without.
    fn end(&mut self, summary: &Summary) -> io::Result<()>;
}

/// A connection.
pub struct Connection {
    stream: Stream,
    compression: Option<Box<Compression>>,
    reader: PacketReader,
    writer: PacketWriter,
    capabilities: Capabilities,
    id: u32,
    version: String,
    database: Option<String>,
}

impl Connection {
    /// Connects and logs in.
    pub fn open(target: &Target) -> Result<Connection> {
        let mut connection = Connection {
            stream: Stream::open(target)?,
            compression: None,
            reader: PacketReader::new(MAX_PACKET),
            writer: PacketWriter::new(),
            capabilities: Capabilities::default(),
            id: 0,
            version: String::new(),
            database: target.database.clone(),
        };
        login::log_in(&mut connection, target)?;
        Ok(connection)
    }

    /// Its number at the server, for KILL.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the server calls itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Version and suite of TLS, where it is on.
    pub fn tls(&self) -> Option<String> {
        self.stream.tls_names()
    }

    /// The default database, where the server tells of its changes.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Runs a text of one statement or several.
    ///
    /// # Errors
    /// [`Error::Server`] for the statement that failed; the results before it were handed on. An error of
    /// `results` itself is [`Error::Io`], after the rest of the answer was read and thrown away.
    pub fn query(&mut self, sql: &[u8], results: &mut dyn Results) -> Result<()> {
        self.begin_request();
        self.send(|out| {
            out.push(Command::Query as u8);
            out.extend_from_slice(sql);
        })?;
        self.writer.shrink(KEEP);
        let mut failure = None;
        while self.read_result(results, &mut failure)? {}
        self.reader.shrink(KEEP);
        match failure {
            Some(source) => Err(Error::Io { what: "write the result".into(), source }),
            None => Ok(()),
        }
    }

    /// Runs a text and gives all cells of its last result as text; for the shell's own questions.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Vec<String>>> {
        struct Collect(Vec<Vec<String>>);
        impl Results for Collect {
            fn columns(&mut self, _: &[Column]) -> io::Result<()> {
                self.0.clear();
                Ok(())
            }
            fn row(&mut self, cells: &[Option<&[u8]>]) -> io::Result<()> {
                let text =
                    |cell: &Option<&[u8]>| String::from_utf8_lossy(cell.unwrap_or(b"NULL")).into_owned();
                self.0.push(cells.iter().map(text).collect());
                Ok(())
            }
            fn end(&mut self, _: &Summary) -> io::Result<()> {
                Ok(())
            }
        }
        let mut collect = Collect(Vec::new());
        self.query(sql.as_bytes(), &mut collect)?;
        Ok(collect.0)
    }

    /// Says goodbye.
    pub fn close(mut self) {
        self.begin_request();
        // Whether the server hears it makes no difference.
        let _ = self.send(|out| out.push(Command::Quit as u8));
    }

    /// Reads one result; true when another follows.
    fn read_result(&mut self, results: &mut dyn Results, failure: &mut Option<io::Error>) -> Result<bool> {
        let capabilities = self.capabilities;
        let note = |result: io::Result<()>, failure: &mut Option<io::Error>| {
            if let Err(error) = result {
                failure.get_or_insert(error);
            }
        };
        let count = match Answer::parse(self.receive()?, capabilities)? {
            Answer::Err(error) => return Err(server_error(&error)),
            Answer::LocalFile(_) => {
                // An empty packet says that there is no such file.
                self.send(|_| {})?;
                return self.read_result(results, failure);
            }
            Answer::Ok(ok) => {
                let (summary, database) = (summary(&ok, false), database_of(&ok));
                self.database = database.or(self.database.take());
                if failure.is_none() {
                    note(results.end(&summary), failure);
                }
                return Ok(summary.more);
            }
            Answer::Columns(count) => count,
        };
        let mut columns = Vec::new();
        for _ in 0..count {
            let column = ColumnDefinition::parse(self.receive()?)?;
            columns.push(Column {
                name: String::from_utf8_lossy(column.name).into_owned(),
                column_type: column.column_type,
                flags: column.flags,
                collation: column.collation,
            });
        }
        if !capabilities.has(Capabilities::DEPRECATE_EOF) {
            self.receive()?;
        }
        if failure.is_none() {
            note(results.columns(&columns), failure);
        }
        let mut cells: Vec<Option<&[u8]>> = Vec::new();
        loop {
            let packet = self.receive()?;
            if packet.first() == Some(&0xff) {
                return Err(server_error(&ErrPacket::parse(packet)?));
            }
            if is_result_end(packet, capabilities) {
                let summary = match capabilities.has(Capabilities::DEPRECATE_EOF) {
                    true => summary(&OkPacket::parse(packet, capabilities)?, true),
                    false => {
                        let eof = EofPacket::parse(packet)?;
                        let more = eof.status & status::MORE_RESULTS_EXISTS != 0;
                        Summary { warnings: eof.warnings, has_rows: true, more, ..Summary::default() }
                    }
                };
                if failure.is_none() {
                    note(results.end(&summary), failure);
                }
                return Ok(summary.more);
            }
            if failure.is_some() {
                continue;
            }
            // The cells borrow the packet, so their vector is emptied and its memory used again.
            let mut row: Vec<Option<&[u8]>> = std::mem::take(&mut cells);
            text::read_row(packet, columns.len(), &mut row)?;
            let result = results.row(&row);
            drop(row);
            note(result, failure);
        }
    }

    fn begin_request(&mut self) {
        self.writer.set_sequence(0);
        if let Some(compression) = &mut self.compression {
            compression.deflater.set_sequence(0);
        }
    }

    fn start_compression(&mut self, algorithm: Algorithm) {
        self.reader.ignore_sequence();
        self.compression = Some(Box::new(Compression::new(algorithm)));
    }

    /// Sends one packet.
    fn send(&mut self, build: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.writer.clear();
        self.writer.packet(build);
        self.reader.set_sequence(self.writer.sequence());
        match &mut self.compression {
            Some(compression) => {
                compression.frames.clear();
                compression.deflater.write(self.writer.bytes(), &mut compression.frames)?;
                compression.inflater.set_sequence(compression.deflater.sequence());
                self.stream.write_all(&compression.frames).map_err(Error::Lost)?;
            }
            None => self.stream.write_all(self.writer.bytes()).map_err(Error::Lost)?,
        }
        self.stream.flush().map_err(Error::Lost)
    }

    /// The next packet.
    fn receive(&mut self) -> Result<&[u8]> {
        while self.reader.next()?.is_none() {
            let count = match &mut self.compression {
                None => self.stream.read(self.reader.space()).map_err(Error::Lost)?,
                Some(compression) => loop {
                    match compression.inflater.read(self.reader.space())? {
                        0 => match self.stream.read(compression.inflater.space()).map_err(Error::Lost)? {
                            0 => break 0,
                            count => compression.inflater.filled(count),
                        },
                        count => break count,
                    }
                },
            };
            if count == 0 {
                return Err(Error::Lost(io::ErrorKind::UnexpectedEof.into()));
            }
            self.reader.filled(count);
        }
        self.writer.set_sequence(self.reader.sequence());
        Ok(self.reader.current())
    }
}

fn server_error(packet: &ErrPacket<'_>) -> Error {
    let state = packet.sqlstate.map_or("HY000".into(), |state| String::from_utf8_lossy(&state).into_owned());
    Error::Server { code: packet.code, state, message: String::from_utf8_lossy(packet.message).into_owned() }
}

fn summary(ok: &OkPacket<'_>, has_rows: bool) -> Summary {
    Summary {
        affected_rows: ok.affected_rows,
        last_insert_id: ok.last_insert_id,
        warnings: ok.warnings,
        info: String::from_utf8_lossy(ok.info).into_owned(),
        has_rows,
        more: ok.status & status::MORE_RESULTS_EXISTS != 0,
    }
}

/// The default database that an OK tells of.
fn database_of(ok: &OkPacket<'_>) -> Option<String> {
    ok.state_changes.iter().find_map(|change| match change {
        SessionStateChange::Schema(name) => Some(String::from_utf8_lossy(name).into_owned()),
        _ => None,
    })
}
