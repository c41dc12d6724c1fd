//! Greeting, authentication, and what happens to those who do not get in.

use crate::client::{Client, Failure, Login, USUAL};
use crate::script::{Door, account, config, stage};
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_protocol::auth::{caching_sha2, native};
use rustydb_mysql_protocol::handshake::{ChangeUser, SslRequest};
use rustydb_mysql_server::{AuthMethod, Config};
use rustydb_sql::Way;
use std::path::PathBuf;

fn people() -> Door {
    let stage = stage();
    stage.accounts.lock().extend([
        account("ann", "s3cret", AuthMethod::CachingSha2),
        account("old", "s3cret", AuthMethod::Native),
    ]);
    Door::with(stage, config())
}

fn ann(password: &str) -> Login<'_> {
    Login { user: "ann", password, ..Login::default() }
}

fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("rustydb-door-{}-{name}.sock", std::process::id()))
}

#[test]
fn the_greeting_names_the_server_and_offers_what_is_built() {
    let door = Door::open();
    let client = Client::greet(door.address).unwrap();
    assert!(client.server_version.starts_with("8.4.6-RustyDB-"), "{}", client.server_version);
    for refused in [
        Capabilities::SSL,
        Capabilities::OPTIONAL_RESULTSET_METADATA,
        Capabilities::MULTI_FACTOR_AUTHENTICATION,
    ] {
        assert!(!client.capabilities.has(refused), "{refused:?}");
    }
    for offered in [Capabilities::COMPRESS, Capabilities::ZSTD_COMPRESSION, Capabilities::LOCAL_FILES] {
        assert!(client.capabilities.has(offered), "{offered:?}");
    }
}

#[test]
fn the_first_login_takes_the_full_exchange_and_the_next_the_quick_one() {
    let door = people();
    let first = Client::login(door.address, &ann("s3cret")).unwrap();
    assert_eq!(first.auth_trace, ["full", "key"]);
    let second = Client::login(door.address, &ann("s3cret")).unwrap();
    assert_eq!(second.auth_trace, ["fast"]);
    assert_eq!(door.figure("rustydb_mysql_logins_total{outcome=\"fast\"}"), 1);
    assert_eq!(door.figure("rustydb_mysql_logins_total{outcome=\"full\"}"), 1);
}

#[test]
fn a_changed_password_makes_the_quick_proof_of_the_old_one_worthless() {
    let door = people();
    Client::login(door.address, &ann("s3cret")).unwrap();
    {
        let mut accounts = door.stage.accounts.lock();
        accounts.retain(|account| account.user != "ann");
        accounts.push(rustydb_mysql_server::Account {
            version: 2,
            ..account("ann", "n3w", AuthMethod::CachingSha2)
        });
    }
    assert_eq!(Client::login(door.address, &ann("s3cret")).err().unwrap().code(), 1045);
    let client = Client::login(door.address, &ann("n3w")).unwrap();
    assert_eq!(client.auth_trace, ["full", "key"]);
}

#[test]
fn a_local_socket_takes_the_password_as_it_is() {
    let path = socket_path("clear");
    let stage = stage();
    stage.accounts.lock().push(account("ann", "s3cret", AuthMethod::CachingSha2));
    let door = Door::with(stage, Config { socket: Some(path.clone()), ..config() });
    let mut client = Client::greet_unix(&path).unwrap();
    client.log_in(&ann("s3cret")).unwrap();
    assert_eq!(client.auth_trace, ["full"]);
    assert_eq!(door.stage.opened.lock()[0].host, "localhost");
    assert_eq!(door.stage.opened.lock()[0].transport.way, Way::Socket);
    Client::login(door.address, &ann("s3cret")).unwrap();
    assert_eq!(door.stage.opened.lock()[1].transport.way, Way::Tcp);
    let mut wrong = Client::greet_unix(&path).unwrap();
    assert_eq!(wrong.log_in(&ann("wrong")).unwrap_err().code(), 1045);
}

#[test]
fn a_client_is_switched_to_its_accounts_method() {
    let door = people();
    let login = Login { method: native::NAME, ..ann("s3cret") };
    let client = Client::login(door.address, &login).unwrap();
    assert_eq!(client.auth_trace, ["switch caching_sha2_password", "full", "key"]);
    let login = Login { user: "old", ..ann("s3cret") };
    let client = Client::login(door.address, &login).unwrap();
    assert_eq!(client.auth_trace, ["switch mysql_native_password"]);
    let login = Login { user: "old", method: native::NAME, ..ann("s3cret") };
    let client = Client::login(door.address, &login).unwrap();
    assert!(client.auth_trace.is_empty());
    let login = Login { user: "old", method: native::NAME, ..ann("wrong") };
    assert_eq!(Client::login(door.address, &login).err().unwrap().code(), 1045);
}

#[test]
fn a_client_without_methods_is_told_when_its_account_needs_another() {
    let door = people();
    let capabilities = USUAL.without(Capabilities::PLUGIN_AUTH);
    let login = Login { capabilities, method: native::NAME, ..ann("s3cret") };
    let error = Client::login(door.address, &login).err().unwrap().server();
    assert_eq!((error.code, error.sqlstate.as_str()), (1251, "08004"));
    let login = Login { capabilities, method: native::NAME, user: "old", ..ann("s3cret") };
    Client::login(door.address, &login).unwrap();
}

#[test]
fn wrong_password_and_unknown_user_cannot_be_told_apart() {
    let door = people();
    let attempt = |user: &str| {
        let mut client = Client::greet(door.address).unwrap();
        let login = Login { user, ..ann("wrong") };
        let error = client.log_in(&login).unwrap_err().server();
        let closed = client.is_closed();
        (error.code, error.sqlstate, error.message.replace(user, "USER"), client.auth_trace.clone(), closed)
    };
    let known = attempt("ann");
    assert_eq!(known.0, 1045);
    assert_eq!(known.2, "Access denied for user 'USER'@'localhost' (using password: YES)");
    assert_eq!(known.3, ["full", "key"]);
    assert!(known.4);
    assert_eq!(attempt("nobody"), known);
    // An account without a password, given one, shows nothing either.
    assert_eq!(attempt("root"), known);

    let without = |user| {
        let login = Login { user, ..ann("") };
        Client::login(door.address, &login).err().unwrap().server().message.replace(user, "USER")
    };
    assert_eq!(without("ann"), "Access denied for user 'USER'@'localhost' (using password: NO)");
    assert_eq!(without("nobody"), without("ann"));
    assert_eq!(door.figure("rustydb_mysql_logins_total{outcome=\"refused\"}"), 6);
}

#[test]
fn locked_and_expired_accounts_stay_out_after_the_right_password_only() {
    let stage = stage();
    let base = account("ann", "s3cret", AuthMethod::Native);
    stage.accounts.lock().extend([
        rustydb_mysql_server::Account { user: "locked".into(), locked: true, ..base.clone() },
        rustydb_mysql_server::Account { user: "expired".into(), password_expired: true, ..base.clone() },
        rustydb_mysql_server::Account { user: "tls".into(), require_tls: true, ..base },
    ]);
    let door = Door::with(stage, config());
    for (user, right, wrong) in [("locked", 3118, 1045), ("expired", 1862, 1045), ("tls", 1045, 1045)] {
        let login = Login { user, method: native::NAME, ..ann("s3cret") };
        assert_eq!(Client::login(door.address, &login).err().unwrap().code(), right, "{user}");
        let login = Login { password: "wrong", ..login };
        assert_eq!(Client::login(door.address, &login).err().unwrap().code(), wrong, "{user}");
    }
}

#[test]
fn an_unknown_database_is_refused_and_a_known_one_is_told() {
    let door = Door::open();
    let login = Login { database: Some("absent"), ..Login::default() };
    let error = Client::login(door.address, &login).err().unwrap().server();
    assert_eq!((error.code, error.message.as_str()), (1049, "Unknown database 'absent'"));
    let mut client = Client::greet(door.address).unwrap();
    let capabilities = USUAL | Capabilities::SESSION_TRACK;
    let login = Login { database: Some("shop"), capabilities, ..Login::default() };
    assert_eq!(client.log_in(&login).unwrap().changes, ["schema shop"]);
}

#[test]
fn the_session_learns_what_the_client_negotiated() {
    let door = Door::open();
    let capabilities =
        USUAL | Capabilities::MULTI_STATEMENTS | Capabilities::FOUND_ROWS | Capabilities::INTERACTIVE;
    let client =
        Client::login(door.address, &Login { capabilities, collation: 8, ..Login::default() }).unwrap();
    let options = door.stage.opened.lock()[0].clone();
    assert!(options.multi_statements && options.found_rows && options.interactive);
    assert_eq!(options.collation, 8);
    assert_eq!(options.account, ("root".to_owned(), "%".to_owned()));
    assert_eq!(options.connection_id, u64::from(client.connection_id));
}

#[test]
fn another_user_takes_over_a_connection_by_proving_itself() {
    let door = people();
    let mut client = Client::connect(door.address);
    client.request(&[0x16]);
    let mut body = vec![0x11];
    let change = ChangeUser {
        user: b"ann",
        auth_response: &[7; 32],
        database: Some(b"shop"),
        collation: Some(255),
        auth_plugin: Some(caching_sha2::NAME.as_bytes()),
        ..ChangeUser::default()
    };
    change.write(&mut body, client.capabilities);
    // An empty PREPARE was answered; the statement it made is gone with the user.
    client.receive().unwrap();
    client.request(&body);
    client.prove("s3cret").unwrap();
    assert_eq!(client.auth_trace, ["switch caching_sha2_password", "full", "key"]);
    assert_eq!(door.stage.opened.lock()[1].user, "ann");
    assert_eq!(client.query("ok").unwrap().affected_rows, 2);
}

#[test]
fn a_failed_change_of_user_ends_the_connection() {
    let door = people();
    for (user, database, password, code) in
        [("ann", "", "wrong", 1045), ("nobody", "", "s3cret", 1045), ("ann", "absent", "s3cret", 1049)]
    {
        let mut client = Client::connect(door.address);
        let mut body = vec![0x11];
        let database = Some(database.as_bytes());
        let change =
            ChangeUser { user: user.as_bytes(), database, collation: Some(45), ..ChangeUser::default() };
        change.write(&mut body, client.capabilities);
        client.request(&body);
        assert_eq!(client.prove(password).unwrap_err().code(), code);
        assert!(client.is_closed());
    }
    let mut client = Client::connect(door.address);
    client.request(b"\x11no end");
    assert_eq!(client.read_result().unwrap_err().code(), 1047);
    assert!(client.is_closed());
}

#[test]
fn garbage_in_place_of_a_login_is_answered_and_closed() {
    let door = Door::open();
    for (bytes, code) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], 1156),
        (b"\x02\x00\x00\x01ab", 1043),
        (b"\x00\x00\x00\x01", 1043),
        (b"\x09\x00\x00\x01\x05\x24\x00\x00\x00root", 1043),
        (b"\x28\x00\x00\x05", 1156),
        (&[0xff; 40], 1156),
    ] {
        let mut client = Client::greet(door.address).unwrap();
        client.send_raw(bytes).unwrap();
        client.half_close();
        let error = loop {
            // The sequence number of the answer depends on how far the server could read.
            match client.receive() {
                Ok(packet) => break packet,
                Err(Failure::Protocol(text)) => {
                    let found = text.split(' ').nth(2).unwrap().parse().unwrap();
                    client.expect_sequence(found);
                }
                Err(other) => panic!("{other:?} for {bytes:?}"),
            }
        };
        assert_eq!(u16::from_le_bytes([error[1], error[2]]), code, "{bytes:?}");
        assert!(client.is_closed());
    }
    door.until_open(0);
    Client::connect(door.address).query("ok").unwrap();
}

#[test]
fn a_login_cut_at_any_byte_harms_nobody() {
    let door = people();
    let mut packet = Vec::new();
    SslRequest { capabilities: USUAL, max_packet: 1, collation: 45 }.write(&mut packet);
    packet.extend_from_slice(b"ann\0\x20");
    packet.extend_from_slice(&[9; 32]);
    packet.extend_from_slice(b"caching_sha2_password\0\x03\x01a\x00");
    for cut in 0..packet.len() {
        let mut client = Client::greet(door.address).unwrap();
        let mut bytes = vec![cut as u8, 0, 0, 1];
        bytes.extend_from_slice(&packet[..cut]);
        client.send_raw(&bytes).unwrap();
        client.half_close();
        while client.receive().is_ok() {}
    }
    door.until_open(0);
    Client::connect(door.address).query("ok").unwrap();
}

#[test]
fn a_client_that_leaves_during_authentication_leaves_nothing_behind() {
    let door = people();
    for step in 0..3 {
        let mut client = Client::greet(door.address).unwrap();
        if step > 0 {
            let mut packet = Vec::new();
            SslRequest { capabilities: USUAL, max_packet: 1, collation: 45 }.write(&mut packet);
            packet.extend_from_slice(b"ann\0\x20");
            packet.extend_from_slice(&[9; 32]);
            packet.extend_from_slice(b"caching_sha2_password\0\0");
            client.send(|out| out.extend_from_slice(&packet));
            assert_eq!(client.receive().unwrap(), [1, 4]);
        }
        if step > 1 {
            client.send(|out| out.push(2));
            assert!(client.receive().unwrap().starts_with(b"\x01-----BEGIN PUBLIC KEY-----"));
        }
    }
    door.until_open(0);
}
