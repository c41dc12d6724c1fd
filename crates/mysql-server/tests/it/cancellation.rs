//! Statements that end before their time: KILL, vanished clients.

use crate::client::{Client, Failure};
use crate::script::Door;
use rustydb_transaction::CancelReason;
use std::sync::atomic::Ordering;

#[test]
fn a_client_that_vanishes_cancels_its_statement() {
    let door = Door::open();
    for farewell in [false, true] {
        let mut client = Client::connect(door.address);
        client.request(b"\x03wait");
        door.until_waiting(1);
        if farewell {
            client.request(&[1]);
        }
        drop(client);
        door.until_open(0);
    }
    assert_eq!(*door.stage.reasons.lock(), [Some(CancelReason::ClientGone); 2]);
    assert_eq!(door.figure("rustydb_mysql_clients_vanished_total"), 2);
}

#[test]
fn a_client_that_half_closes_after_its_request_still_gets_the_answer() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x03rows 3");
    client.half_close();
    assert_eq!(client.read_result().unwrap().rows.len(), 3);
    assert!(client.is_closed());
}

#[test]
fn a_client_that_vanishes_among_rows_ends_its_statement() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x03endless");
    client.receive().unwrap();
    drop(client);
    door.until_open(0);
}

#[test]
fn kill_query_ends_the_statement_and_spares_the_connection() {
    let door = Door::open();
    let mut victim = Client::connect(door.address);
    victim.request(b"\x03wait");
    door.until_waiting(1);
    let mut other = Client::connect(door.address);
    other.query(&format!("kill query {}", victim.connection_id)).unwrap();
    assert_eq!(victim.read_result().unwrap_err().code(), 1317);
    victim.query("ok").unwrap();
    assert_eq!(*door.stage.reasons.lock(), [Some(CancelReason::QueryKilled)]);
}

#[test]
fn kill_ends_a_busy_connection() {
    let door = Door::open();
    let mut victim = Client::connect(door.address);
    victim.request(b"\x03wait");
    door.until_waiting(1);
    let mut other = Client::connect(door.address);
    other.query(&format!("kill {}", victim.connection_id)).unwrap();
    assert_eq!(victim.read_result().unwrap_err().code(), 1317);
    assert!(victim.is_closed());
    door.until_open(1);
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"killed\"}"), 1);
}

#[test]
fn kill_ends_an_idle_connection() {
    let door = Door::open();
    let mut victim = Client::connect(door.address);
    let mut other = Client::connect(door.address);
    other.query(&format!("kill {}", victim.connection_id)).unwrap();
    assert!(matches!(victim.receive(), Err(Failure::Closed)));
    door.until_open(1);
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"killed\"}"), 1);
    other.query("ok").unwrap();
}

#[test]
fn a_connection_can_kill_itself() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let id = client.connection_id;
    client.query(&format!("kill {id}")).unwrap();
    assert!(client.is_closed());
    door.until_open(0);
    assert_eq!(door.stage.waiting.load(Ordering::SeqCst), 0);
}
