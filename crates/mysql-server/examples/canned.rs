//! Thread per connection against a tokio reactor, with canned answers: what the door's model costs by itself.
//!
//! Both models run the same state machine over the same packets; only who waits for the socket differs. It
//! lets anybody in, answers sysbench's prepared `point_select` with one row, text SELECTs with the same row, and
//! everything else with OK.
//!
//! ```text
//! cargo run --release -p rustydb-mysql-server --example canned -- --model thread --listen 127.0.0.1:3399
//! sysbench oltp_point_select --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port=3399 --mysql-user=x \
//!   --mysql-db=x --tables=1 --table-size=1000 --threads=8 --time=10 run
//! ```

use rustydb_mysql_protocol::auth::{Scramble, native};
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_mysql_protocol::frame::{PacketReader, PacketWriter};
use rustydb_mysql_protocol::handshake::{Greeting, HandshakeResponse};
use rustydb_mysql_protocol::response::{EofPacket, OkPacket};
use rustydb_mysql_protocol::row::{binary, text};
use rustydb_mysql_protocol::statement::PrepareOk;
use rustydb_mysql_protocol::wire::Put;
use rustydb_mysql_protocol::{Capabilities, Command, status};
use rustydb_value::{ProtocolType, ValueRef};
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What sysbench's column `c` holds.
const CELL: &str = "68487932199-96439406143-93774651418-41631865787-96406072701-20604855487-25459966574-\
28203206787-41238978918-19503783441";

const OFFERED: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::CONNECT_WITH_DB.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::PS_MULTI_RESULTS.0
        | Capabilities::MULTI_RESULTS.0,
);

/// One connection without its socket: bytes in by `reader`, answers in `writer`.
struct Connection {
    reader: PacketReader,
    writer: PacketWriter,
    greeted: bool,
    capabilities: Capabilities,
}

impl Connection {
    fn new() -> Result<Connection, Box<dyn Error>> {
        let mut writer = PacketWriter::new();
        let greeting = Greeting {
            server_version: b"8.4.6-canned",
            connection_id: 1,
            scramble: Scramble::random()?,
            capabilities: OFFERED,
            collation: 45,
            status: status::AUTOCOMMIT,
            auth_plugin: native::NAME.as_bytes(),
        };
        writer.packet(|out| greeting.write(out));
        let mut reader = PacketReader::new(1 << 20);
        reader.set_sequence(1);
        Ok(Connection { reader, writer, greeted: false, capabilities: OFFERED })
    }

    /// Answers the packets that are here. False when the client says goodbye.
    fn answer(&mut self) -> Result<bool, rustydb_mysql_protocol::Error> {
        while let Some(packet) = self.reader.next()? {
            let (first, body) = packet.split_first().map_or((0, &[][..]), |(first, body)| (*first, body));
            let out = &mut self.writer;
            if self.greeted {
                out.set_sequence(1);
                match Command::from_byte(first)? {
                    Command::Quit => return Ok(false),
                    Command::StmtPrepare => prepare(out, body),
                    Command::StmtExecute => rows(out, true),
                    Command::Query if body.len() > 6 && body[..6].eq_ignore_ascii_case(b"SELECT") => {
                        rows(out, false);
                    }
                    Command::StmtClose => {}
                    _ => ok(out, self.capabilities),
                }
            } else {
                self.capabilities = HandshakeResponse::parse(packet, OFFERED)?.capabilities;
                out.set_sequence(2);
                ok(out, self.capabilities);
                self.greeted = true;
            }
            self.reader.set_sequence(0);
        }
        Ok(true)
    }
}

fn ok(out: &mut PacketWriter, capabilities: Capabilities) {
    let ok = OkPacket { status: status::AUTOCOMMIT, ..OkPacket::default() };
    out.packet(|out| ok.write(out, capabilities));
}

fn eof(out: &mut PacketWriter) {
    out.packet(|out| EofPacket { warnings: 0, status: status::AUTOCOMMIT }.write(out));
}

fn column(out: &mut PacketWriter, name: &[u8]) {
    let column = ColumnDefinition {
        schema: b"sbtest",
        table: b"sbtest1",
        org_table: b"sbtest1",
        name,
        org_name: name,
        collation: 45,
        length: 480,
        column_type: ProtocolType::String.byte(),
        flags: 1,
        decimals: 0,
    };
    out.packet(|out| column.write(out));
}

fn prepare(out: &mut PacketWriter, sql: &[u8]) {
    let parameters = sql.iter().filter(|&&byte| byte == b'?').count() as u16;
    let columns = u16::from(sql.len() > 6 && sql[..6].eq_ignore_ascii_case(b"SELECT"));
    out.packet(|out| PrepareOk { statement_id: 1, columns, parameters, warnings: 0 }.write(out));
    for _ in 0..parameters {
        column(out, b"?");
    }
    if parameters > 0 {
        eof(out);
    }
    if columns > 0 {
        column(out, b"c");
        eof(out);
    }
}

fn rows(out: &mut PacketWriter, as_binary: bool) {
    out.packet(|out| out.put_lenenc(1));
    column(out, b"c");
    eof(out);
    out.packet(|out| {
        if as_binary {
            let row = binary::start_row(out, 1);
            // A text always fits a text column.
            let _ = row.put(out, 0, ProtocolType::String, &ValueRef::Text(CELL));
        } else {
            text::put_cell(out, &ValueRef::Text(CELL), text::TextFormat::Plain);
        }
    });
    eof(out);
}

fn threads(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    for socket in listener.incoming() {
        let mut socket = socket?;
        socket.set_nodelay(true)?;
        let mut connection = Connection::new()?;
        thread::Builder::new().stack_size(256 << 10).spawn(move || {
            loop {
                if socket.write_all(connection.writer.bytes()).is_err() {
                    return;
                }
                connection.writer.clear();
                match socket.read(connection.reader.space()) {
                    Ok(0) | Err(_) => return,
                    Ok(count) => connection.reader.filled(count),
                }
                if !matches!(connection.answer(), Ok(true)) {
                    return;
                }
            }
        })?;
    }
    Ok(())
}

fn reactor(address: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        loop {
            let (mut socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let mut connection = Connection::new()?;
            tokio::spawn(async move {
                loop {
                    if socket.write_all(connection.writer.bytes()).await.is_err() {
                        return;
                    }
                    connection.writer.clear();
                    match socket.read(connection.reader.space()).await {
                        Ok(0) | Err(_) => return,
                        Ok(count) => connection.reader.filled(count),
                    }
                    if !matches!(connection.answer(), Ok(true)) {
                        return;
                    }
                }
            });
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let address = value("--listen").unwrap_or("127.0.0.1:3399");
    match value("--model") {
        Some("thread") => threads(address),
        Some("tokio") => reactor(address),
        _ => Err("usage: canned --model thread|tokio [--listen ADDRESS]".into()),
    }
}
