//! The library as another program uses it: typed rows, transactions, two connections, the server's directory.

use crate::{binary, home};
use mysql::prelude::Queryable;
use rustydb::{Database, Error, Isolation, Options, TransactionOptions};
use rustydb_testkit::RustyDb;
use std::process::Command;

fn open(path: &std::path::Path) -> Database {
    let options = Options { database: Some("app".into()), buffer_pool_bytes: 8 << 20, ..Options::default() };
    Database::open_with(path, &options).unwrap()
}

#[test]
fn rows_survive_close_and_drop_and_are_typed() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    db.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), price DECIMAL(6,2), raw BLOB)", ())
        .unwrap();
    let insert = "INSERT INTO t VALUES (?, ?, ?, ?)";
    db.execute(insert, (i64::MAX, "Zoë", "12.50", vec![0u8, 255])).unwrap();
    db.execute(insert, (1, None::<String>, None::<String>, None::<Vec<u8>>)).unwrap();
    db.close().unwrap();
    drop(db);

    let db = open(folder.path());
    let rows = db.query("SELECT * FROM t ORDER BY id DESC", ()).unwrap();
    assert_eq!(rows.columns(), ["id", "name", "price", "raw"]);
    assert_eq!(rows[0].get::<i64>("id").unwrap(), i64::MAX);
    assert_eq!(rows[0].get::<String>("NAME").unwrap(), "Zoë");
    assert_eq!(rows[0].get::<rustydb::Decimal>("price").unwrap().to_string(), "12.50");
    assert_eq!(rows[0].get::<Vec<u8>>("raw").unwrap(), [0, 255]);
    assert_eq!(rows[1].get::<Option<String>>("name").unwrap(), None);
    assert!(matches!(rows[1].get::<String>("name"), Err(Error::Conversion { .. })));
    assert!(matches!(rows[0].get::<i32>("id"), Err(Error::Conversion { .. })));
    assert!(matches!(rows[0].get::<i32>("none"), Err(Error::NoColumn { .. })));
    drop(db);
    // Dropped without close, as a crash would: the log has it.
    let db = open(folder.path());
    let counts: Vec<(u64,)> = db.query_as("SELECT COUNT(*) FROM t", ()).unwrap();
    assert_eq!(counts, [(2,)]);
}

#[test]
fn a_transaction_is_all_or_nothing_and_invisible_until_it_commits() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    db.execute("CREATE TABLE t (id INT PRIMARY KEY)", ()).unwrap();
    let mut connection = db.connect().unwrap();
    let count = || db.query_as::<(u64,)>("SELECT COUNT(*) FROM t", ()).unwrap()[0].0;
    let failed = connection.transaction(|tx| {
        tx.execute("INSERT INTO t VALUES (1)", ())?;
        assert_eq!(count(), 0);
        tx.execute("INSERT INTO t VALUES (1)", ())
    });
    assert_eq!(failed.unwrap_err().code(), Some(1062));
    assert_eq!(count(), 0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        connection.transaction(|tx| -> rustydb::Result<()> {
            tx.execute("INSERT INTO t VALUES (2)", ())?;
            panic!("in the middle")
        })
    }));
    assert!(panicked.is_err());
    connection.transaction(|tx| tx.execute("INSERT INTO t VALUES (3)", ())).unwrap();
    assert_eq!(db.query_as::<(u32,)>("SELECT id FROM t", ()).unwrap(), [(3,)]);
}

#[test]
fn a_second_opener_is_told_who_has_the_directory() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let error = Database::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    let output = Command::new(binary()).arg("check").arg("--data-dir").arg(folder.path()).output().unwrap();
    assert!(!output.status.success());
    drop(db);
}

#[test]
fn the_server_serves_what_an_embedding_program_wrote_and_the_other_way_round() -> rustydb_testkit::Result<()>
{
    let home = home(&[])?;
    let db = open(&home.data());
    db.execute("CREATE TABLE t (id INT PRIMARY KEY, by_whom VARCHAR(20))", ()).unwrap();
    db.execute("INSERT INTO t VALUES (1, 'program')", ()).unwrap();
    db.close().unwrap();
    drop(db);
    let server = RustyDb::start(&home)?;
    let mut connection = server.address().connect_to("app")?;
    connection.query_drop("INSERT INTO t VALUES (2, 'server')")?;
    assert!(server.stop()?.success());
    home.check()?;
    let db = open(&home.data());
    let rows: Vec<(u32, String)> = db.query_as("SELECT * FROM t ORDER BY id", ()).unwrap();
    assert_eq!(rows, [(1, "program".into()), (2, "server".into())]);
    Ok(())
}

#[test]
fn a_transaction_has_a_level_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    db.execute("CREATE TABLE t (id INT PRIMARY KEY, n INT)", ()).unwrap();
    db.execute("INSERT INTO t VALUES (1, 1)", ()).unwrap();
    let (mut late, mut first) = (db.connect().unwrap(), db.connect().unwrap());
    for (isolation, refused) in
        [(Isolation::RepeatableRead, false), (Isolation::Snapshot, true), (Isolation::Serializable, true)]
    {
        let options = TransactionOptions { isolation, read_only: false };
        let done = late.transaction_with(options, |late| {
            late.query("SELECT n FROM t", ())?;
            first.execute("UPDATE t SET n = n + 1", ())?;
            late.execute("UPDATE t SET n = n + 1", ())
        });
        assert_eq!(done.is_err_and(|error| error.is_retryable() && error.code() == Some(1213)), refused);
    }
    let options = TransactionOptions { isolation: Isolation::Serializable, read_only: true };
    let refused = late.transaction_with(options, |late| late.execute("DELETE FROM t", ())).unwrap_err();
    assert_eq!(refused.code(), Some(1792));
    let (n,): (i32,) = late.query_one("SELECT n FROM t", ()).unwrap();
    assert_eq!(n, 5);
}
