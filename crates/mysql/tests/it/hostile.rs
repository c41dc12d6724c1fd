//! Servers that lie: whatever they send, a session answers with an error or with what it could read, in time,
//! and a session that lost its place in the stream is broken.

use crate::server::block_on;
use rustydb_mysql::connection::{ConnectOptions, Connection, ServerDriver, SslMode, TlsOptions};
use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Session};
use rustydb_mysql::value::NO_PARAMETERS;
use rustydb_mysql::{Error, Value};
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_protocol::auth::Scramble;
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_mysql_protocol::frame::PacketWriter;
use rustydb_mysql_protocol::handshake::Greeting;
use rustydb_mysql_protocol::response::OkPacket;
use rustydb_mysql_protocol::statement::PrepareOk;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use tokio::time::Instant;

/// What the server can do: neither tracking nor TLS, so that setup is one query.
const OFFERED: Capabilities = Capabilities(
    Capabilities::PROTOCOL_41.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::DEPRECATE_EOF.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::MULTI_RESULTS.0,
);

fn greeting() -> Vec<u8> {
    let mut writer = PacketWriter::new();
    writer.packet(|out| {
        Greeting {
            server_version: b"8.4.6",
            connection_id: 1,
            scramble: Scramble::from_bytes(*b"abcdefghijklmnopqrst"),
            capabilities: OFFERED,
            collation: 255,
            status: 2,
            auth_plugin: b"caching_sha2_password",
        }
        .write(out);
    });
    writer.bytes().to_vec()
}

fn ok(sequence: u8) -> Vec<u8> {
    let mut writer = PacketWriter::new();
    writer.set_sequence(sequence);
    writer.packet(|out| OkPacket { status: 2, ..OkPacket::default() }.write(out, OFFERED));
    writer.bytes().to_vec()
}

fn packet(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some(payload)
}

/// Two columns and three rows, in text or in binary; for a prepared statement with the answer to PREPARE.
fn result(binary: bool) -> Vec<u8> {
    let mut writer = PacketWriter::new();
    let columns = [("id", 8u8, 63u16), ("name", 253, 255)];
    let define = |writer: &mut PacketWriter| {
        for (name, column_type, collation) in columns {
            let name = name.as_bytes();
            writer.packet(|out| {
                ColumnDefinition { name, column_type, collation, ..ColumnDefinition::default() }.write(out);
            });
        }
    };
    writer.set_sequence(1);
    if binary {
        writer.packet(|out| PrepareOk { statement_id: 1, columns: 2, parameters: 0, warnings: 0 }.write(out));
        define(&mut writer);
        writer.set_sequence(1);
    }
    writer.packet(|out| out.push(2));
    define(&mut writer);
    for row in 0..3u8 {
        writer.packet(|out| match binary {
            true => out.extend_from_slice(&[0, 0, row, 0, 0, 0, 0, 0, 0, 0, 3, b'a', b'b', b'c']),
            false => out.extend_from_slice(&[1, b'0' + row, 3, b'a', b'b', b'c']),
        });
    }
    writer.packet(|out| OkPacket { status: 2, ..OkPacket::default() }.write_result_end(out, OFFERED));
    writer.bytes().to_vec()
}

/// Serves one connection: `first` in place of the greeting, if any; then logs the client in and answers its
/// first request with `answer`.
fn serve(listener: &TcpListener, first: Option<&[u8]>, answer: &[u8]) -> Option<()> {
    let (mut stream, _) = listener.accept().ok()?;
    if let Some(first) = first {
        stream.write_all(first).ok()?;
        return Some(());
    }
    stream.write_all(&greeting()).ok()?;
    packet(&mut stream)?;
    stream.write_all(&ok(2)).ok()?;
    // Who the server is.
    packet(&mut stream)?;
    stream.write_all(&ok(1)).ok()?;
    packet(&mut stream)?;
    stream.write_all(answer).ok()?;
    // Until the client has what it asked for, so that nothing is lost by a reset.
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    while packet(&mut stream).is_some() {}
    Some(())
}

async fn connect(listener: &TcpListener, deadline: Instant) -> Result<Connection, Error> {
    let options = ConnectOptions {
        tls: TlsOptions { mode: SslMode::Disabled, ..TlsOptions::default() },
        max_packet: 1 << 20,
        ..ConnectOptions::default()
    };
    let endpoint = Endpoint::new("liar", Address::tcp("127.0.0.1", listener.local_addr().unwrap().port()));
    ServerDriver::new(options)?.connect(&endpoint, &Credential::new("root", "pass-word"), deadline).await
}

/// What a session made of an answer: the rows, or the error; and whether it is broken.
async fn ask(answer: Vec<u8>, binary: bool) -> (Result<Vec<Vec<Value>>, Error>, bool) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = listener.try_clone().unwrap();
    let served = tokio::task::spawn_blocking(move || serve(&server, None, &answer));
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut session = connect(&listener, deadline).await.unwrap();
    let told = async {
        let mut results = match binary {
            true => session.prepare_execute("SELECT 1", NO_PARAMETERS, deadline).await?.1,
            false => session.query("SELECT 1", deadline).await?,
        };
        let mut rows = Vec::new();
        while let Some(row) = results.next_row().await? {
            rows.push(row.values().map(|value| value.to_owned()).collect());
        }
        results.finish().await?;
        Ok(rows)
    };
    let told = told.await;
    let broken = session.status().broken;
    assert!(Instant::now() < deadline);
    drop(session);
    served.await.unwrap();
    (told, broken)
}

#[test]
fn an_honest_answer_is_read() {
    block_on(async {
        for binary in [false, true] {
            let (told, broken) = ask(result(binary), binary).await;
            let row = |id| vec![Value::Int(id), Value::String("abc".into())];
            assert_eq!(told.unwrap(), [row(0), row(1), row(2)]);
            assert!(!broken);
        }
    });
}

#[test]
fn a_cut_anywhere_is_a_lost_connection() {
    block_on(async {
        for binary in [false, true] {
            let whole = result(binary);
            for cut in 0..whole.len() {
                let (told, broken) = ask(whole[..cut].to_vec(), binary).await;
                assert!(matches!(told, Err(Error::Lost { .. })), "{cut}: {told:?}");
                assert!(broken, "{cut}");
            }
        }
    });
}

#[test]
fn changed_bytes_are_read_or_refused() {
    block_on(async {
        let mut state = 4711u32;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        for round in 0..1500 {
            let binary = round % 2 == 0;
            let mut answer = result(binary);
            for _ in 0..=random(3) {
                let at = random(answer.len());
                answer[at] = [0, 1, 0xfb, 0xfc, 0xfe, 0xff, random(256) as u8][random(7)];
            }
            let (told, broken) = ask(answer, binary).await;
            if let Err(error) = told {
                assert!(broken || matches!(error, Error::Server(_)), "{error}");
            }
        }
    });
}

#[test]
fn greetings_that_lie_are_refused() {
    block_on(async {
        let whole = greeting();
        let mut lies: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
        // Sixteen megabytes are announced, a packet out of order, an old protocol, no protocol.
        lies.push(vec![0xff, 0xff, 0xff, 0, 10]);
        lies.push(vec![1, 0, 0, 7, 10]);
        lies.push(vec![1, 0, 0, 0, 9]);
        lies.push(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
        for lie in lies {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let server = listener.try_clone().unwrap();
            let served = tokio::task::spawn_blocking(move || serve(&server, Some(&lie), &[]));
            let told = connect(&listener, Instant::now() + Duration::from_secs(10)).await;
            assert!(told.is_err());
            served.await.unwrap();
        }
    });
}

#[test]
fn silence_ends_at_the_deadline() {
    block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let begun = Instant::now();
        let told = connect(&listener, begun + Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(told, Error::Timeout { .. }), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(5));
    });
}
