//! Stopping within a deadline.

use crate::client::Client;
use crate::script::{Door, config, stage};
use rustydb_mysql_server::Config;
use rustydb_transaction::CancelReason;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn idle_connections_are_closed_at_once_and_nobody_comes_in() {
    let door = Door::open();
    let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(door.address)).collect();
    let _silent = Client::greet(door.address).unwrap();
    let started = Instant::now();
    assert_eq!(door.server.stop(Duration::from_secs(60)), 0);
    assert!(started.elapsed() < Duration::from_secs(30), "nobody had to be waited for");
    assert!(clients.iter_mut().all(Client::is_closed));
    assert!(TcpStream::connect(door.address).is_err());
}

#[test]
fn parked_connections_are_closed_too() {
    let door = Door::with(stage(), Config { doze_after: Duration::from_millis(5), ..config() });
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(door.address)).collect();
    door.until("all are parked", |door| door.server.parked_count() == 20);
    let started = Instant::now();
    assert_eq!(door.server.stop(Duration::from_secs(60)), 0);
    assert!(started.elapsed() < Duration::from_secs(30), "nobody had to be waited for");
    assert!(clients.iter_mut().all(Client::is_closed));
}

#[test]
fn a_running_statement_is_cancelled_when_its_grace_is_over() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x03wait");
    door.until_waiting(1);
    assert_eq!(door.server.stop(Duration::from_millis(400)), 0);
    assert_eq!(*door.stage.reasons.lock(), [Some(CancelReason::Shutdown)]);
    assert_eq!(client.read_result().unwrap_err().code(), 1317);
    assert!(client.is_closed());
}

#[test]
fn a_running_statement_may_finish_and_its_answer_arrives() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let mut other = Client::connect(door.address);
    client.request(b"\x03wait");
    door.until_waiting(1);
    let id = client.connection_id;
    let Door { server, stage: door_stage, .. } = door;
    std::thread::scope(|scope| {
        let stop = scope.spawn(|| server.stop(Duration::from_secs(60)));
        // Ended by its own means, not by the shutdown.
        assert!(other.is_closed());
        door_stage.cancel(u64::from(id), CancelReason::QueryKilled);
        assert_eq!(client.read_result().unwrap_err().code(), 1317);
        assert_eq!(stop.join().unwrap(), 0);
    });
    assert_eq!(*door_stage.reasons.lock(), [Some(CancelReason::QueryKilled)]);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_at_the_deadline() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.request(b"\x03endless");
    client.receive().unwrap();
    let started = Instant::now();
    door.server.stop(Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(20));
    while client.receive().is_ok() {}
}

#[test]
fn the_local_socket_is_gone_after_the_server() {
    let path = std::env::temp_dir().join(format!("rustydb-door-{}-gone.sock", std::process::id()));
    let door = Door::with(stage(), Config { socket: Some(path.clone()), ..config() });
    assert!(path.exists());
    // Dropped without a word.
    drop(door);
    assert!(!path.exists());
}
