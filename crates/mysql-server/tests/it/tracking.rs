//! Session state tracking: told to clients that asked, and to no others.

use crate::client::{Client, Login, USUAL};
use crate::script::Door;
use rustydb_mysql_protocol::{Capabilities, status};

#[test]
fn changes_come_with_the_ok_of_their_statement() {
    let door = Door::open();
    for eof in [Capabilities::DEPRECATE_EOF, Capabilities::default()] {
        let capabilities = USUAL.without(Capabilities::DEPRECATE_EOF)
            | eof
            | Capabilities::SESSION_TRACK
            | Capabilities::MULTI_STATEMENTS;
        let mut client = Client::login(door.address, &Login { capabilities, ..Login::default() }).unwrap();
        let ok = client.query("use shop").unwrap();
        assert_eq!(ok.changes, ["schema shop"]);
        assert_ne!(ok.status & status::SESSION_STATE_CHANGED, 0);
        assert!(client.query("ok").unwrap().changes.is_empty());
        client.request(b"\x02store");
        assert_eq!(client.read_result().unwrap().changes, ["schema store"]);
    }
}

#[test]
fn a_client_that_did_not_ask_is_told_nothing() {
    let door = Door::open();
    let mut client = Client::connect(door.address);
    let ok = client.query("use shop").unwrap();
    assert!(ok.changes.is_empty());
    assert_eq!(ok.status & status::SESSION_STATE_CHANGED, 0);
}
