//! Bytes from a client, and from a server: every parser of the protocol on every packet.
//!
//! Promised: no panic; no memory beyond a small multiple of the input; what a parser accepts and the crate
//! can write again is read back as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_mysql_protocol::frame::PacketReader;
use rustydb_mysql_protocol::handshake::{AuthReply, ChangeUser, ClientHello, Greeting};
use rustydb_mysql_protocol::response::{Answer, SessionStateChanges};
use rustydb_mysql_protocol::statement::{
    ExecuteRequest, FetchRequest, LongDataRequest, PrepareOk, QueryRequest,
};
use rustydb_mysql_protocol::{Capabilities, Command, row};
use rustydb_value::ProtocolType;

fuzz_target!(|data: &[u8]| {
    let Some((head, stream)) = data.split_first_chunk::<6>() else { return };
    let capabilities = Capabilities(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
    let (step, count) = (usize::from(head[4]) + 1, usize::from(head[5]));
    packet(stream, capabilities, count);

    // As it comes from a socket: in pieces, cut anywhere.
    let mut reader = PacketReader::new(1 << 16);
    let mut rest = stream;
    while !rest.is_empty() {
        let space = reader.space();
        let taken = step.min(rest.len()).min(space.len());
        space[..taken].copy_from_slice(&rest[..taken]);
        reader.filled(taken);
        rest = &rest[taken..];
        loop {
            match reader.next() {
                Ok(Some(payload)) => packet(payload, capabilities, count),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(reader.capacity() <= 4 * stream.len() + 64 * 1024, "{} bytes kept", reader.capacity());
    }
});

fn packet(bytes: &[u8], capabilities: Capabilities, count: usize) {
    let _ = ClientHello::parse(bytes, capabilities);
    let _ = ChangeUser::parse(bytes, capabilities);
    let _ = AuthReply::parse(bytes, capabilities);
    let _ = Answer::parse(bytes, capabilities);
    let _ = PrepareOk::parse(bytes);
    let _ = SessionStateChanges::parse(bytes).map(|changes| changes.iter().count());
    if let Ok(greeting) = Greeting::parse(bytes) {
        let mut again = Vec::new();
        greeting.write(&mut again);
        assert!(Greeting::parse(&again).is_ok());
    }
    if let Ok(column) = ColumnDefinition::parse(bytes) {
        let mut again = Vec::new();
        column.write(&mut again);
        assert_eq!(format!("{:?}", ColumnDefinition::parse(&again)), format!("{:?}", Ok::<_, ()>(column)));
    }
    if let Some((command, body)) = bytes.split_first() {
        let _ = Command::from_byte(*command);
        let _ = QueryRequest::parse(body, capabilities);
        let _ = LongDataRequest::parse(body);
        let _ = FetchRequest::parse(body);
        if let Ok(request) = ExecuteRequest::parse(body) {
            let mut types = Vec::new();
            let _ = request.parameters(count, &mut types, |at| at % 5 == 4, capabilities, |_| {});
            // A second execution without types reads by those of the first.
            let _ = request.parameters(count, &mut types, |_| false, capabilities, |_| {});
        }
    }
    let _ = row::text::read_row(bytes, count, &mut Vec::new());
    let columns: Vec<_> = (0..count).map(|at| (TYPES[at % TYPES.len()], at % 2 == 0)).collect();
    let _ = row::binary::read_row(bytes, &columns, &mut Vec::new());
}

const TYPES: [ProtocolType; 8] = [
    ProtocolType::LongLong,
    ProtocolType::VarString,
    ProtocolType::DateTime,
    ProtocolType::Time,
    ProtocolType::Double,
    ProtocolType::NewDecimal,
    ProtocolType::Tiny,
    ProtocolType::Date,
];
