//! Limits and timeouts: every wait ends, every size is bounded.

use crate::client::{Client, Failure};
use crate::script::{Door, config, stage};
use rustydb_mysql_server::{Config, Limits};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn one_connection_too_many_is_told_so_before_the_greeting() {
    let stage = stage();
    stage.limits.lock().max_connections = 2;
    let door = Door::with(stage, config());
    let first = Client::connect(door.address);
    let _second = Client::connect(door.address);
    let Err(Failure::Server(error)) = Client::greet(door.address) else { panic!("came in") };
    assert_eq!((error.code, error.message.as_str()), (1040, "Too many connections"));
    assert_eq!(error.sqlstate, "", "there is no SQLSTATE before the greeting");
    drop(first);
    door.until_open(1);
    Client::connect(door.address);
    assert_eq!(door.figure("rustydb_mysql_connections_refused_total"), 1);
}

#[test]
fn connections_in_the_handshake_count_and_are_given_up() {
    let stage = stage();
    *stage.limits.lock() = Limits { max_connections: 3, connect_timeout: Duration::from_millis(100) };
    let door = Door::with(stage, config());
    let mut silent: Vec<Client> = (0..3).map(|_| Client::greet(door.address).unwrap()).collect();
    assert_eq!(Client::greet(door.address).err().unwrap().code(), 1040);
    for client in &mut silent {
        assert!(client.is_closed());
    }
    door.until_open(0);
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"handshake_timeout\"}"), 3);
    Client::connect(door.address).query("ok").unwrap();
}

#[test]
fn a_packet_above_the_limit_is_refused_with_1153_and_the_connection_ends() {
    let door = Door::open();
    door.stage.max_allowed_packet.store(1 << 20, Ordering::Relaxed);
    // Just above the limit, and far above it over several frames.
    for length in [(1 << 20) + 1, 40 << 20] {
        let mut client = Client::connect(door.address);
        let sql = vec![b'x'; length - 1];
        let error = client.query_bytes(&sql);
        let error = match error {
            // The number of the answer depends on how many frames were read.
            Err(Failure::Protocol(text)) => {
                client.expect_sequence(text.split(' ').nth(2).unwrap().parse().unwrap());
                client.read_result()
            }
            other => other,
        };
        let error = error.unwrap_err().server();
        assert_eq!((error.code, error.sqlstate.as_str()), (1153, "08S01"));
        assert_eq!(error.message, "Got a packet bigger than 'max_allowed_packet' bytes");
        assert!(client.is_closed());
    }
    let mut client = Client::connect(door.address);
    let sql = vec![b'x'; (1 << 20) - 1];
    assert_eq!(client.query_bytes(&sql).unwrap_err().code(), 1064, "at the limit it is only nonsense");
}

#[test]
fn a_request_over_16_mib_arrives_whole() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    for length in [0xff_ffff - 7, 0xff_ffff - 6, 0xff_ffff - 5, 35_000_000] {
        let text = "y".repeat(length);
        let result = client.query(&format!("echo {text}")).unwrap();
        assert_eq!(result.texts()[0][0].as_ref().unwrap().len(), length);
    }
}

#[test]
fn a_wrong_sequence_number_is_1156_and_the_end() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.send_raw(&[1, 0, 0, 3, 0x0e]).unwrap();
    client.expect_sequence(0);
    let error = client.read_result().unwrap_err().server();
    assert_eq!((error.code, error.sqlstate.as_str()), (1156, "08S01"));
    assert_eq!(error.message, "Got packets out of order");
    assert!(client.is_closed());
}

#[test]
fn an_idle_client_is_told_and_sent_away() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    client.query("idle 50").unwrap();
    client.expect_sequence(0);
    let error = client.read_result().unwrap_err().server();
    assert_eq!((error.code, error.sqlstate.as_str()), (4031, "HY000"));
    assert!(error.message.starts_with("The client was disconnected by the server because of inactivity."));
    assert!(client.is_closed());
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"idle_timeout\"}"), 1);
}

#[test]
fn an_idle_client_dozes_first_and_is_served_when_it_wakes() {
    let door = Door::with(stage(), Config { doze_after: Duration::from_millis(5), ..config() });
    let mut client = Client::connect(door.address);
    for round in 0..3 {
        // Not for timing: whether it dozes or not, it must be served.
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(client.query("rows 3").unwrap().rows.len(), 3, "{round}");
    }
    client.query("idle 60").unwrap();
    client.expect_sequence(0);
    assert_eq!(client.read_result().unwrap_err().code(), 4031);
}

#[test]
fn a_request_that_stops_in_the_middle_is_not_waited_for() {
    let door = Door::open();
    door.stage.net_read_timeout_millis.store(50, Ordering::Relaxed);
    let mut client = Client::connect(door.address);
    client.send_raw(&[200, 0, 0, 0, 3, b'o', b'k']).unwrap();
    assert!(client.is_closed());
    door.until_open(0);
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"read_timeout\"}"), 1);
}

#[test]
fn a_client_that_stops_reading_is_given_up() {
    let door = Door::open();
    door.stage.net_write_timeout_millis.store(100, Ordering::Relaxed);
    let mut client = Client::connect(door.address);
    client.request(b"\x03endless");
    client.receive().unwrap();
    door.until_open(0);
    assert_eq!(door.figure("rustydb_mysql_connections_closed_total{reason=\"write_timeout\"}"), 1);
}

#[test]
fn half_open_and_garbage_connections_do_not_disturb_the_others() {
    let door = Door::open();
    let mut good = Client::connect(door.address);
    let mut bad = Vec::new();
    for seed in 0..60u64 {
        let mut client = Client::connect(door.address);
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            })
            .collect();
        let _ = client.send_raw(&bytes);
        if seed % 3 == 0 {
            client.half_close();
        }
        if seed % 2 == 0 {
            bad.push(client);
        }
        assert_eq!(good.query("rows 2").unwrap().rows.len(), 2);
    }
    drop(bad);
    door.until_open(1);
    good.query("ok").unwrap();
}

#[test]
fn random_bodies_behind_every_command_are_answered_or_closed() {
    let door = Door::open();
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut client = Client::connect(door.address);
    for round in 0..3000u32 {
        let command = (random() % 0x22) as u8;
        // Quit ends, Change user waits for the client, Query and Prepare are the script's own.
        if matches!(command, 0x01 | 0x11 | 0x03 | 0x16) {
            continue;
        }
        let mut packet = vec![command];
        packet.extend((0..random() % 40).map(|_| random() as u8));
        client.request(&packet);
        // Some commands have no answer: a ping behind them shows that the connection lives.
        let silent = matches!(command, 0x18 | 0x19);
        if silent {
            client.request(&[0x0e]);
        }
        match client.receive() {
            Ok(_) => {}
            Err(Failure::Closed) => client = Client::connect(door.address),
            Err(other) => panic!("{other:?} in round {round}"),
        }
        if silent && packet.len() < 7 {
            client = Client::connect(door.address);
        }
    }
    Client::connect(door.address).query("ok").unwrap();
}

#[test]
fn a_panic_in_a_statement_takes_only_its_connection() {
    let door = Door::open();
    let mut good = Client::connect(door.address);
    let mut bad = Client::connect(door.address);
    assert!(matches!(bad.query("panic"), Err(Failure::Closed)));
    door.until_open(1);
    good.query("ok").unwrap();
    Client::connect(door.address).query("ok").unwrap();
}

#[test]
fn idle_connections_are_parked_without_threads_and_served_again() {
    let config = Config { doze_after: Duration::from_millis(10), cached_threads: 0, ..config() };
    let door = Door::with(stage(), config);
    let mut clients: Vec<Client> = (0..50).map(|_| Client::connect(door.address)).collect();
    for _ in 0..3 {
        door.until("all are parked", |door| door.server.parked_count() == 50);
        for client in &mut clients {
            assert_eq!(client.query("rows 3").unwrap().rows.len(), 3);
        }
    }
    door.until("all are parked", |door| door.server.parked_count() == 50);
    // Killed, gone, out of time: each reaches a parked connection.
    let victim = u64::from(clients[0].connection_id);
    door.stage.cancel(victim, rustydb_transaction::CancelReason::Killed);
    assert!(clients[0].is_closed());
    clients.truncate(2);
    clients[1].query("idle 40").unwrap();
    clients[1].expect_sequence(0);
    assert_eq!(clients[1].read_result().unwrap_err().code(), 4031);
    door.until_open(0);
}

#[test]
fn a_prepared_statement_and_its_types_survive_parking() {
    let config = Config { doze_after: Duration::from_millis(5), ..config() };
    let door = Door::with(stage(), config);
    let mut client = Client::connect(door.address);
    client.request(b"\x16rows 3");
    let prepared = client.receive().unwrap();
    (0..2).for_each(|_| drop(client.receive().unwrap()));
    door.until("it is parked", |door| door.server.parked_count() == 1);
    let mut execute = vec![0x17];
    execute.extend_from_slice(&prepared[1..5]);
    execute.extend_from_slice(&[0, 1, 0, 0, 0]);
    client.request(&execute);
    assert_eq!(client.read_result().unwrap().rows.len(), 3);
}
