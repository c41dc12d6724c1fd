//! Session state tracking: told to clients that asked, and to no others.

use crate::client::{Client, Login, USUAL};
use crate::script::Door;
use crate::sql::Product;
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

/// Statements, and what MySQL 9.7 told of each.
const TOLD: &[(&str, &[&str])] = &[
    ("SET session_track_transaction_info = 'CHARACTERISTICS'", &["characteristics "]),
    ("BEGIN", &["state T_______", "characteristics START TRANSACTION;"]),
    ("SELECT 1", &["state T_____S_"]),
    ("SELECT * FROM t", &["state T_R___S_"]),
    ("INSERT INTO t VALUES (10, 1, '')", &["state T_R_W_S_"]),
    ("COMMIT", &["state ________", "characteristics "]),
    ("START TRANSACTION READ ONLY", &["state T_______", "characteristics START TRANSACTION READ ONLY;"]),
    ("COMMIT", &["state ________", "characteristics "]),
    ("START TRANSACTION READ WRITE", &["state T_______", "characteristics START TRANSACTION READ WRITE;"]),
    ("COMMIT", &["state ________", "characteristics "]),
    (
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        &["state T_R_____", "characteristics START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;"],
    ),
    ("ROLLBACK", &["state ________", "characteristics "]),
    (
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
        &["characteristics SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET TRANSACTION READ ONLY;"],
    ),
    ("SELECT 1", &[]),
    (
        "START TRANSACTION READ WRITE",
        &[
            "state T_______",
            "characteristics SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION READ WRITE;",
        ],
    ),
    ("COMMIT", &["state ________", "characteristics "]),
    ("SET TRANSACTION READ ONLY", &["characteristics SET TRANSACTION READ ONLY;"]),
    ("BEGIN", &["state T_______", "characteristics START TRANSACTION READ ONLY;"]),
    ("COMMIT AND CHAIN", &["characteristics START TRANSACTION READ ONLY;"]),
    ("COMMIT", &["state ________", "characteristics "]),
    (
        "SET @@transaction_isolation = 'SERIALIZABLE'",
        &["characteristics SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"],
    ),
    ("SELECT * FROM t", &["characteristics "]),
    ("SET SESSION TRANSACTION READ ONLY", &[]),
    ("BEGIN", &["state T_______", "characteristics START TRANSACTION;"]),
    ("COMMIT", &["state ________", "characteristics "]),
    ("SET SESSION TRANSACTION READ WRITE", &[]),
    ("BEGIN", &["state T_______", "characteristics START TRANSACTION;"]),
    ("BEGIN", &["characteristics START TRANSACTION;"]),
    ("SELECT * FROM t FOR UPDATE", &["state T___W_S_"]),
    ("COMMIT AND CHAIN", &["state T_______", "characteristics START TRANSACTION;"]),
    ("DELETE FROM t WHERE 0", &["state T___W___"]),
    ("SAVEPOINT a", &[]),
    ("ROLLBACK TO a", &[]),
    ("CREATE TABLE z (a INT)", &["state ________", "characteristics "]),
    ("INSERT INTO z VALUES (1)", &[]),
    ("SET autocommit = 0", &[]),
    ("SELECT 1", &[]),
    ("SELECT * FROM t", &["state I_R___S_"]),
    ("INSERT INTO z VALUES (1)", &["state I_R_W_S_"]),
    ("COMMIT", &["state ________"]),
    ("SET autocommit = 1", &[]),
    ("LOCK TABLES t READ", &["state _______L"]),
    ("SELECT * FROM t", &[]),
    ("BEGIN", &["state T_______", "characteristics START TRANSACTION;"]),
    ("LOCK TABLES t WRITE", &["state _______L", "characteristics "]),
    ("UNLOCK TABLES", &["state ________"]),
    ("XA START 'a'", &["state T_______", "characteristics XA START 'a';"]),
    ("INSERT INTO z VALUES (2)", &["state T___W___"]),
    ("XA END 'a'", &[]),
    ("XA PREPARE 'a'", &["state ________", "characteristics "]),
    ("XA COMMIT 'a'", &[]),
    ("XA START 'c', 'd', 7", &["state T_______", "characteristics XA START 'c','d',7;"]),
    ("XA END 'c', 'd', 7", &[]),
    ("XA COMMIT 'c', 'd', 7 ONE PHASE", &["state ________", "characteristics "]),
    ("BEGIN", &["state T_______", "characteristics START TRANSACTION;"]),
    ("SET session_track_transaction_info = 'STATE'", &[]),
    ("DO (SELECT COUNT(*) FROM t)", &["state T_R_____"]),
    ("COMMIT", &["state ________"]),
    ("SET session_track_transaction_info = 'OFF'", &[]),
    ("SELECT * FROM t", &[]),
];

#[test]
fn transactions_are_told_as_mysql_tells_them() {
    let product = Product::open();
    let _other = product.shop();
    let mut client = product.client_that(Capabilities::SESSION_TRACK | Capabilities::DEPRECATE_EOF);
    client.query("USE shop").unwrap();
    client.query("SET session_track_system_variables = ''").unwrap();
    for (at, (sql, told)) in TOLD.iter().enumerate() {
        assert_eq!(client.query(sql).unwrap().changes, *told, "{at}: {sql}");
    }
    // An error carries nothing; what it hid is told with the next answer.
    client.query("SET session_track_transaction_info = 'STATE'").unwrap();
    client.query("BEGIN").unwrap();
    assert_eq!(client.query("INSERT INTO t VALUES (1, 1, '')").unwrap_err().code(), 1062);
    assert_eq!(client.query("DO 1").unwrap().changes, ["state T___W___"]);
    client.request(b"\x1f");
    assert!(client.read_result().unwrap().changes.is_empty());
    assert!(client.query("ROLLBACK").unwrap().changes.is_empty());
}
