//! FLUSH TABLES WITH READ LOCK against statements that are under way: what golden scripts cannot show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustydb_sql::{Database, Session};
use rustydb_transaction::CancelReason;

use crate::console::{ask, database, error, session, setup};

fn guest(database: &Arc<Database>, id: u64) -> Session {
    let mut session = session(database, id);
    setup(&mut session, &["USE test"]);
    session
}

fn accounts() -> (Arc<Database>, Session) {
    let database = database();
    let mut session = session(&database, 1);
    setup(
        &mut session,
        &[
            "CREATE DATABASE test",
            "USE test",
            "CREATE TABLE a (id INT PRIMARY KEY, n INT)",
            "CREATE TABLE b (id INT PRIMARY KEY, n INT)",
            "INSERT INTO a VALUES (1, 0), (2, 0), (3, 0), (4, 0)",
            "INSERT INTO b VALUES (1, 0), (2, 0), (3, 0), (4, 0)",
        ],
    );
    (database, session)
}

fn until_waits(database: &Database, count: usize) {
    while database.engine().locks().waits().len() < count {
        std::thread::yield_now();
    }
}

#[test]
fn it_waits_for_a_statement_that_runs_and_lets_commits_help_it() {
    let (database, mut holder) = accounts();
    let mut writer = guest(&database, 2);
    let mut locker = guest(&database, 3);
    setup(&mut holder, &["BEGIN", "UPDATE a SET n = 1 WHERE id = 1"]);
    std::thread::scope(|scope| {
        let writes = scope.spawn(move || ask(&mut writer, "UPDATE a SET n = n + 1 WHERE id = 1"));
        until_waits(&database, 1);
        let locks = scope.spawn(move || {
            setup(&mut locker, &["FLUSH TABLES WITH READ LOCK"]);
            ask(&mut locker, "SELECT n FROM a WHERE id = 1")
        });
        // The lock is wanted: who begins to write now waits for it, and so for the statement that runs.
        let mut late = guest(&database, 4);
        setup(&mut late, &["SET lock_wait_timeout = 1"]);
        while !ask(&mut late, "UPDATE b SET n = 1 WHERE id = 9").contains("1205") {}
        assert!(!locks.is_finished());
        setup(&mut holder, &["COMMIT"]);
        assert_eq!(locks.join().expect("it locks"), "n\n2\n");
        assert!(writes.join().expect("it writes").starts_with("ok"));
    });
    // The session that held it has gone, and the lock with it.
    setup(&mut holder, &["UPDATE a SET n = 5"]);
}

#[test]
fn who_gives_up_waiting_leaves_no_lock_behind() {
    let (database, mut holder) = accounts();
    let mut writer = guest(&database, 2);
    let mut locker = guest(&database, 3);
    setup(&mut holder, &["BEGIN", "UPDATE a SET n = 1 WHERE id = 1"]);
    std::thread::scope(|scope| {
        let writes = scope.spawn(move || ask(&mut writer, "UPDATE a SET n = 7 WHERE id = 1"));
        until_waits(&database, 1);
        setup(&mut locker, &["SET lock_wait_timeout = 1"]);
        assert_eq!(error(&mut locker, "FLUSH TABLES WITH READ LOCK").code, 1205);
        setup(&mut holder, &["UPDATE b SET n = 1"]);
        let cancel = locker.cancel_handle();
        let started = Arc::new(AtomicBool::new(false));
        let begun = Arc::clone(&started);
        let locks = scope.spawn(move || {
            setup(&mut locker, &["SET lock_wait_timeout = DEFAULT"]);
            begun.store(true, Ordering::SeqCst);
            let code = error(&mut locker, "FLUSH TABLES WITH READ LOCK").code;
            (code, locker)
        });
        while !started.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // A statement's beginning forgets what ended the one before, so it may take more than one.
        while !locks.is_finished() {
            cancel.cancel(CancelReason::QueryKilled);
            std::thread::yield_now();
        }
        let (code, locker) = locks.join().expect("it gives up");
        assert_eq!(code, 1317);
        setup(&mut holder, &["UPDATE b SET n = 2", "COMMIT"]);
        writes.join().expect("it writes");
        drop(locker);
        setup(&mut holder, &["UPDATE a SET n = 8"]);
    });
}

#[test]
fn nothing_changes_under_it_whatever_goes_on() {
    let (database, mut backup) = accounts();
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for id in 2..6u64 {
            let mut writer = guest(&database, id);
            let over = Arc::clone(&over);
            scope.spawn(move || {
                let row = id - 1;
                let (in_a, in_b) = (
                    format!("UPDATE a SET n = n + 1 WHERE id = {row}"),
                    format!("UPDATE b SET n = n + 1 WHERE id = {row}"),
                );
                let alone = format!(
                    "UPDATE a, b SET a.n = a.n + 1, b.n = b.n + 1 WHERE a.id = {row} AND b.id = {row}"
                );
                while !over.load(Ordering::SeqCst) {
                    setup(&mut writer, &["BEGIN", &in_a, &in_b, "COMMIT", &alone]);
                }
            });
        }
        for round in 0..50 {
            setup(&mut backup, &["FLUSH TABLES WITH READ LOCK"]);
            let first = ask(&mut backup, "SELECT SUM(n) FROM a");
            let second = ask(&mut backup, "SELECT SUM(n) FROM b");
            let again = ask(&mut backup, "SELECT SUM(n) FROM a");
            assert_eq!((&first, &first), (&second, &again), "round {round}");
            setup(&mut backup, &["UNLOCK TABLES", "UPDATE a SET n = n WHERE id = 1"]);
        }
        over.store(true, Ordering::SeqCst);
    });
    assert_ne!(ask(&mut backup, "SELECT SUM(n) FROM a"), "SUM(n)\n0\n");
}
