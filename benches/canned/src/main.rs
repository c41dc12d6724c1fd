//! A server that answers sysbench's point reads with packets made beforehand: the least that a server can cost.
//!
//! It has a blocking thread for each connection, one read and one write for each request, and nothing between them: no
//! parser, no session, no row. What our server takes beyond this, measured in the same run, is what its own work costs
//! (`cargo xtask bench sysbench`).
//!
//! It lets everybody in, keeps no data, knows SELECT from the rest by the first word, and is for benchmarks only.
//!
//! ```text
//! rustydb-canned PORT
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool talks to its user")]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

const COM_QUIT: u8 = 1;
const COM_STMT_PREPARE: u8 = 22;
const COM_STMT_EXECUTE: u8 = 23;
const COM_STMT_CLOSE: u8 = 25;

/// CLIENT_PROTOCOL_41 and what a client needs to log in with a password.
const CAPABILITIES: u32 = 0x0008_a201 | 0x0000_0008;

/// Length of the column `c` of sysbench's tables.
const CELL: usize = 119;

fn main() -> ExitCode {
    let port = std::env::args().nth(1).and_then(|word| word.parse::<u16>().ok());
    let Some(port) = port else {
        eprintln!("usage: rustydb-canned PORT");
        return ExitCode::FAILURE;
    };
    match serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rustydb-canned: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening at {}", listener.local_addr()?);
    for client in listener.incoming() {
        let client = client?;
        client.set_nodelay(true)?;
        std::thread::spawn(move || answer(client));
    }
    Ok(())
}

/// Answers one client until it leaves.
fn answer(mut client: TcpStream) -> io::Result<()> {
    let prepared = [prepared(true), prepared(false)];
    let (ok, row) = (ok_packet(1), row());
    let mut request = vec![0; 64 << 10];
    client.write_all(&greeting())?;
    if client.read(&mut request)? == 0 {
        return Ok(());
    }
    client.write_all(&ok_packet(2))?;
    // The statements, by number from 1: whether each gives rows.
    let mut gives_rows = vec![false];
    let mut have = 0;
    loop {
        let count = client.read(request.get_mut(have..).unwrap_or_default())?;
        if count == 0 {
            return Ok(());
        }
        have += count;
        let mut at = 0;
        while let Some(packet) = packet(request.get(at..have).unwrap_or_default()) {
            at += packet.len() + 4;
            let rest = packet.get(1..).unwrap_or_default();
            match packet.first() {
                None | Some(&COM_QUIT) => return Ok(()),
                Some(&COM_STMT_CLOSE) => {}
                Some(&COM_STMT_PREPARE) => {
                    let selects = rest.starts_with(b"SELECT");
                    let mut reply = prepared[usize::from(!selects)].clone();
                    reply.splice(5..9, (gives_rows.len() as u32).to_le_bytes());
                    gives_rows.push(selects);
                    client.write_all(&reply)?;
                }
                Some(&COM_STMT_EXECUTE) => {
                    let number = rest.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                    let selects = gives_rows.get(number as usize).copied().unwrap_or_default();
                    client.write_all(if selects { &row } else { &ok })?;
                }
                Some(_) => client.write_all(&ok)?,
            }
        }
        request.copy_within(at..have, 0);
        have -= at;
    }
}

/// The payload of the first whole packet.
fn packet(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16)
}

fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_le_bytes().to_vec();
    out[3] = sequence;
    out.extend_from_slice(payload);
    out
}

fn greeting() -> Vec<u8> {
    let mut out = vec![10];
    out.extend_from_slice(b"8.4.0-canned\0");
    out.extend_from_slice(&1u32.to_le_bytes());
    out.extend_from_slice(b"12345678\0");
    out.extend_from_slice(&(CAPABILITIES as u16).to_le_bytes());
    out.extend_from_slice(&[45, 2, 0]);
    out.extend_from_slice(&((CAPABILITIES >> 16) as u16).to_le_bytes());
    out.push(21);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(b"123456789012\0mysql_native_password\0");
    framed(0, &out)
}

fn ok_packet(sequence: u8) -> Vec<u8> {
    framed(sequence, &[0, 0, 0, 2, 0, 0, 0])
}

fn eof_packet(sequence: u8) -> Vec<u8> {
    framed(sequence, &[0xfe, 0, 0, 2, 0])
}

/// The definition of a CHAR column.
fn definition(sequence: u8, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for text in ["def", "sbtest", "sbtest1", "sbtest1", name, name] {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&[12, 45, 0]);
    out.extend_from_slice(&480u32.to_le_bytes());
    out.extend_from_slice(&[0xfe, 1, 0, 0, 0, 0]);
    framed(sequence, &out)
}

/// The answer to a PREPARE: one parameter and, of a SELECT, one column.
fn prepared(selects: bool) -> Vec<u8> {
    let columns = u8::from(selects);
    let mut out = framed(1, &[0, 1, 0, 0, 0, columns, 0, columns, 0, 0, 0, 0]);
    if selects {
        out.extend(definition(2, "?"));
        out.extend(eof_packet(3));
        out.extend(definition(4, "c"));
        out.extend(eof_packet(5));
    }
    out
}

/// The answer to an execution: one row of one column.
fn row() -> Vec<u8> {
    let mut out = framed(1, &[1]);
    out.extend(definition(2, "c"));
    out.extend(eof_packet(3));
    let mut payload = vec![0, 0, CELL as u8];
    payload.resize(payload.len() + CELL, b'5');
    out.extend(framed(4, &payload));
    out.extend(eof_packet(5));
    out
}
