//! Statements and results in other character sets than UTF-8.

use crate::client::{Client, Login};
use crate::script::Door;

#[test]
fn latin1_is_transcoded_both_ways() {
    let door = Door::open();
    let mut client = Client::login(door.address, &Login { collation: 8, ..Login::default() }).unwrap();
    let result = client.query_bytes(b"echo \xe9\x80").unwrap();
    assert_eq!(result.rows, [b"\x02\xe9\x80"]);
    assert_eq!((result.columns[0].collation, result.columns[0].length), (8, 100));
    assert_eq!(result.columns[0].name, String::from_utf8_lossy(b"\xe9"));
    client.query("names utf8mb4").unwrap();
    let result = client.query("echo é€").unwrap();
    assert_eq!(result.rows, [b"\x05\xc3\xa9\xe2\x82\xac"]);
    assert_eq!((result.columns[0].collation, result.columns[0].length), (255, 400));
}

#[test]
fn messages_leave_in_the_results_character_set() {
    let door = Door::open();
    let mut client = Client::login(door.address, &Login { collation: 8, ..Login::default() }).unwrap();
    client.request(b"\x03error 1234");
    let packet = client.receive().unwrap();
    assert!(packet.ends_with(b"scripted: \xe9"), "{packet:?}");
}

#[test]
fn bytes_that_are_no_text_are_an_error_and_the_connection_goes_on() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let error = client.query_bytes(b"echo \xff\xfe").unwrap_err().server();
    assert_eq!((error.code, error.message.as_str()), (1300, "Invalid utf8mb4 character string: 'FFFE'"));
    client.query("ok").unwrap();
}

#[test]
fn raw_bytes_in_a_binary_literal_are_taken() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let result = client.query_bytes(b"echo _binary'\xff\\''").unwrap();
    assert_eq!(result.texts(), [[Some("_binary X'FF27'".to_owned())]]);
    client.query("raw").unwrap();
    let result = client.query_bytes(b"echo _binary'\xff\\'").unwrap();
    assert_eq!(result.texts(), [[Some("_binary X'FF5C'".to_owned())]]);
}
