//! TLS on TCP connections.

use crate::client::{Client, Failure, Login};
use crate::script::{Door, account, config, stage};
use rustydb_mysql_protocol::Capabilities;
use rustydb_mysql_server::{AuthMethod, Config, TlsConfig};

fn door(require: bool) -> Door {
    let stage = stage();
    stage.accounts.lock().push(account("ann", "s3cret", AuthMethod::CachingSha2));
    let config = Config { tls: TlsConfig::SelfSigned, require_secure_transport: require, ..config() };
    Door::with(stage, config)
}

fn ann(tls: bool) -> Login<'static> {
    Login { user: "ann", password: "s3cret", tls, ..Login::default() }
}

#[test]
fn the_password_goes_through_tls_as_it_is_and_results_follow() {
    let door = door(false);
    assert!(Client::greet(door.address).unwrap().capabilities.has(Capabilities::SSL));
    let mut client = Client::login(door.address, &ann(true)).unwrap();
    assert_eq!(client.auth_trace, ["full"]);
    assert_eq!(client.query("rows 20000").unwrap().rows.len(), 20_000);
    let text = "z".repeat(300_000);
    let result = client.query(&format!("echo {text}")).unwrap();
    assert_eq!(result.texts()[0][0].as_ref().unwrap(), &text);
    client.request(&[1]);
    assert!(client.is_closed());
    // The quick proof works over either transport.
    assert_eq!(Client::login(door.address, &ann(false)).unwrap().auth_trace, ["fast"]);
}

#[test]
fn tls_can_be_required() {
    let door = door(true);
    let error = Client::login(door.address, &ann(false)).err().unwrap().server();
    assert_eq!(error.code, 3159);
    Client::login(door.address, &ann(true)).unwrap().query("ok").unwrap();
}

#[test]
fn garbage_in_place_of_tls_closes_the_connection_only() {
    let door = door(false);
    for garbage in [&b"this is no client hello, not at all"[..], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3], &[]] {
        let mut client = Client::greet(door.address).unwrap();
        let request = rustydb_mysql_protocol::handshake::SslRequest {
            capabilities: crate::client::USUAL | Capabilities::SSL,
            max_packet: 1,
            collation: 45,
        };
        client.send(|out| request.write(out));
        let _ = client.send_raw(garbage);
        client.half_close();
        // An alert may come; it is no packet, or none that anybody asked for.
        match client.receive() {
            Ok(_) | Err(Failure::Protocol(_) | Failure::Closed) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    door.until_open(0);
    Client::login(door.address, &ann(true)).unwrap().query("ok").unwrap();
}

#[test]
fn a_vanished_client_is_noticed_under_tls_too() {
    let door = door(false);
    let mut client = Client::login(door.address, &ann(true)).unwrap();
    client.request(b"\x03wait");
    door.until_waiting(1);
    drop(client);
    door.until_open(0);
}
