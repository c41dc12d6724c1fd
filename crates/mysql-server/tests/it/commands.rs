//! Every command, and what is none.

use crate::client::{Client, USUAL};
use crate::script::Door;
use rustydb_mysql_protocol::{Capabilities, Command, status};

#[test]
fn ping_statistics_and_quit() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(&[Command::Ping as u8]);
    assert_eq!(client.read_result().unwrap().status, status::AUTOCOMMIT);
    client.request(&[Command::Statistics as u8]);
    assert_eq!(client.receive().unwrap(), b"Uptime: 1");
    client.request(&[Command::Quit as u8]);
    assert!(client.is_closed());
    door.until_open(0);
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"quit\"}"), 1);
    assert_eq!(door.figure("rustydb_mysql_commands_total{command=\"Ping\"}"), 1);
}

#[test]
fn what_is_not_served_is_an_error_and_never_ok() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let served = [
        Command::Quit,
        Command::InitDb,
        Command::Query,
        Command::Statistics,
        Command::ProcessInfo,
        Command::ProcessKill,
        Command::Ping,
        Command::ChangeUser,
        Command::StmtPrepare,
        Command::StmtExecute,
        Command::StmtSendLongData,
        Command::StmtClose,
        Command::StmtReset,
        Command::SetOption,
        Command::StmtFetch,
        Command::ResetConnection,
    ];
    for number in 0..=255u8 {
        if served.iter().any(|command| *command as u8 == number) {
            continue;
        }
        client.request(&[number, 0, 0, 0, 0]);
        let error = client.read_result().unwrap_err().server();
        assert_eq!((error.code, error.sqlstate.as_str()), (1047, "08S01"), "{number:#04x}");
        assert_eq!(error.message, "Unknown command");
    }
    client.request(&[]);
    assert_eq!(client.read_result().unwrap_err().code(), 1047);
    client.query("ok").unwrap();
}

#[test]
fn a_served_command_with_a_cut_body_is_malformed_and_the_connection_goes_on() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    for command in [
        Command::ProcessKill,
        Command::StmtExecute,
        Command::StmtSendLongData,
        Command::StmtClose,
        Command::StmtReset,
        Command::SetOption,
        Command::StmtFetch,
    ] {
        client.request(&[command as u8, 1]);
        let error = client.read_result().unwrap_err().server();
        assert_eq!(error.code, 1835, "{command:?}");
        assert_eq!(error.message, "Malformed communication packet.");
    }
    client.query("ok").unwrap();
}

#[test]
fn the_database_is_changed_or_unknown() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x02shop");
    client.read_result().unwrap();
    client.request(b"\x02absent");
    assert_eq!(client.read_result().unwrap_err().code(), 1049);
    client.request(b"\x02\xff");
    assert_eq!(client.read_result().unwrap_err().code(), 1300);
}

#[test]
fn multi_statements_are_switched_on_and_off() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    assert_eq!(client.query("ok; ok").unwrap_err().code(), 1064);
    client.request(&[Command::SetOption as u8, 0, 0]);
    let end = client.receive().unwrap();
    assert_eq!(end[0], 0xfe);
    assert_ne!(client.query("ok; ok").unwrap().status & status::MORE_RESULTS_EXISTS, 0);
    client.read_result().unwrap();
    client.request(&[Command::SetOption as u8, 1, 0]);
    client.receive().unwrap();
    assert_eq!(client.query("ok; ok").unwrap_err().code(), 1064);
    client.request(&[Command::SetOption as u8, 7, 0]);
    assert_eq!(client.read_result().unwrap_err().code(), 1047);
}

#[test]
fn a_reset_forgets_prepared_statements() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x16ok");
    let prepared = client.receive().unwrap();
    client.request(&[Command::ResetConnection as u8]);
    client.read_result().unwrap();
    let mut execute = vec![Command::StmtExecute as u8];
    execute.extend_from_slice(&prepared[1..5]);
    execute.extend_from_slice(&[0, 1, 0, 0, 0]);
    client.request(&execute);
    assert_eq!(client.read_result().unwrap_err().code(), 1243);
}

#[test]
fn kill_by_number() {
    let door = Door::open();
    let mut victim = Client::connect(door.address);
    let mut client = Client::connect(door.address);
    let mut kill = vec![Command::ProcessKill as u8];
    kill.extend_from_slice(&victim.connection_id.to_le_bytes());
    client.request(&kill);
    client.read_result().unwrap();
    assert!(victim.is_closed());
    door.until_open(1);
    client.request(&kill);
    assert_eq!(client.read_result().unwrap_err().code(), 1094);
}

#[test]
fn requests_may_be_sent_ahead_of_their_answers() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let mut bytes = Vec::new();
    for _ in 0..50 {
        bytes.extend_from_slice(b"\x01\x00\x00\x00\x0e\x07\x00\x00\x00\x03rows 3");
    }
    client.send_raw(&bytes).unwrap();
    for _ in 0..50 {
        client.expect_sequence(1);
        client.read_result().unwrap();
        client.expect_sequence(1);
        assert_eq!(client.read_result().unwrap().rows.len(), 3);
    }
}

#[test]
fn query_attributes_are_taken_off_the_text() {
    let door = Door::open();
    let capabilities = USUAL | Capabilities::QUERY_ATTRIBUTES;
    let mut client =
        Client::login(door.address, &crate::client::Login { capabilities, ..Default::default() }).unwrap();
    let attributes: [(&[u8], rustydb_value::ValueRef<'_>); 1] =
        [(b"traceparent", rustydb_value::ValueRef::Bytes(b"00-aa-bb-01"))];
    let mut body = vec![Command::Query as u8];
    rustydb_mysql_protocol::statement::write_query(&mut body, b"echo hello", &attributes, capabilities)
        .unwrap();
    client.request(&body);
    assert_eq!(client.read_result().unwrap().texts(), [[Some("hello".to_owned())]]);
    client.request(b"\x03\xff\xff");
    assert_eq!(client.read_result().unwrap_err().code(), 1835);
}
