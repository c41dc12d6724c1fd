//! Compressed connections: both algorithms, with TLS and without, large and broken packets.

use crate::client::{Client, Failure, Login, USUAL};
use crate::script::{Door, config, stage};
use rustydb_mysql_protocol::{Capabilities, Command};
use rustydb_mysql_server::{Config, TlsConfig};
use std::sync::atomic::Ordering;

const BOTH: [Capabilities; 2] = [Capabilities::COMPRESS, Capabilities::ZSTD_COMPRESSION];

fn login(door: &Door, more: Capabilities) -> Client {
    let login = Login { capabilities: USUAL | more, ..Login::default() };
    Client::login(door.address, &login).unwrap()
}

#[test]
fn both_algorithms_carry_small_and_large_packets_both_ways() {
    let door = Door::open();
    for algorithm in BOTH {
        let mut client = login(&door, algorithm);
        client.request(&[Command::Ping as u8]);
        client.read_result().unwrap();
        assert_eq!(client.query("rows 1000").unwrap().rows.len(), 1000);
        // A packet of several frames, from the client and back.
        let text = "0123456789".repeat(2_000_000);
        let before = client.received;
        let answer = client.query(&format!("echo {text}")).unwrap().texts();
        assert!(answer[0][0].as_deref() == Some(text.as_str()), "{algorithm:?}");
        assert!(client.received - before < text.len() / 10, "{algorithm:?}");
        assert_eq!(client.query("error 1234").unwrap_err().code(), 1234);
        assert_eq!(client.query("ok").unwrap().affected_rows, 2);
        assert!(client.query("broken 3").is_err());
    }
}

#[test]
fn compression_goes_inside_tls() {
    let door = Door::with(stage(), Config { tls: TlsConfig::SelfSigned, ..config() });
    for algorithm in BOTH {
        let capabilities = USUAL | algorithm;
        let login = Login { capabilities, tls: true, ..Login::default() };
        let mut client = Client::login(door.address, &login).unwrap();
        assert_eq!(client.query("rows 5000").unwrap().rows.len(), 5000);
    }
}

#[test]
fn a_client_that_does_not_ask_gets_plain_packets() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let before = client.received;
    client.query("bytes 10000").unwrap();
    assert!(client.received - before > 10_000);
}

#[test]
fn a_bomb_meets_the_packet_limit_before_memory() {
    let door = Door::open();
    door.stage.max_allowed_packet.store(1 << 20, Ordering::Relaxed);
    for algorithm in BOTH {
        let mut client = login(&door, algorithm);
        let error = match client.query_bytes(&vec![b'x'; 60 << 20]) {
            // The answer's number depends on how many frames were read.
            Err(Failure::Protocol(text)) => {
                client.expect_frame(text.split(' ').nth(2).unwrap().parse().unwrap());
                client.read_result()
            }
            other => other,
        };
        assert_eq!(error.unwrap_err().server().code, 1153, "{algorithm:?}");
        assert!(client.is_closed());
    }
}

#[test]
fn broken_frames_end_the_connection_with_mysqls_errors() {
    let door = Door::open();
    let cases: [(&[u8], u16); 4] = [
        // No zlib stream; a stream that is cut; another number than was due; more plain bytes than there are.
        (b"\x05\0\0\0\x40\0\0hello", 1157),
        (b"\x02\0\0\0\x40\0\0\x78\x9c", 1157),
        (b"\x05\0\0\x03\0\0\0\x01\0\0\0\x0e", 1156),
        (b"\0\0\0\0\x40\0\0", 1157),
    ];
    for (bytes, code) in cases {
        let mut client = login(&door, Capabilities::COMPRESS);
        client.query("ok").unwrap();
        client.send_raw(bytes).unwrap();
        let error = match client.read_result() {
            Err(Failure::Protocol(text)) => {
                client.expect_frame(text.split(' ').nth(2).unwrap().parse().unwrap());
                client.read_result()
            }
            other => other,
        };
        assert_eq!(error.unwrap_err().server().code, code, "{bytes:?}");
        assert!(client.is_closed());
    }
    Client::connect(door.address).query("ok").unwrap();
}

#[test]
fn an_idle_compressed_connection_is_parked_and_wakes() {
    let stage = stage();
    let settings = Config { doze_after: std::time::Duration::from_millis(5), ..config() };
    let door = Door::with(stage, settings);
    let mut client = login(&door, Capabilities::ZSTD_COMPRESSION);
    for _ in 0..3 {
        client.query("rows 100").unwrap();
        while door.server.parked_count() == 0 {
            std::thread::yield_now();
        }
    }
    assert_eq!(client.query("rows 100").unwrap().rows.len(), 100);
}
