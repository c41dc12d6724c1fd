//! The views of locks while others work: they fail nobody and disturb nobody, and have a bound.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustydb_sql::{Database, Session};

use crate::console::{Answers, ask, database, session, setup};

fn guest(database: &Arc<Database>, id: u64) -> Session {
    let mut session = session(database, id);
    setup(&mut session, &["USE test"]);
    session
}

/// The rows of an answer, without its head.
fn rows(session: &mut Session, sql: &str) -> Vec<Vec<String>> {
    let answer = ask(session, sql);
    assert!(!answer.contains("ERROR"), "{sql}: {answer}");
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect();
    answer.lines().skip(1).map(cells).collect()
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A statement of some kind on rows that others want, too.
fn statement(dice: &mut Dice) -> String {
    let (id, other) = (dice.below(12), dice.below(12));
    match dice.below(8) {
        0 => format!("SELECT * FROM t WHERE id BETWEEN {id} AND {other} FOR SHARE"),
        1 => format!("SELECT * FROM t WHERE name > 'n{id}' FOR UPDATE"),
        2 => format!("DELETE FROM t WHERE id = {id}"),
        3 | 4 => format!("INSERT IGNORE INTO t VALUES ({id}, {other}, 'n{other}')"),
        5 => format!("UPDATE t SET name = 'n{other}' WHERE id = {id}"),
        _ => format!("UPDATE t SET n = n + 1 WHERE id IN ({id}, {other})"),
    }
}

/// Works until it has done its part; returns how often it was rolled back to break a circle.
fn work(mut session: Session, seed: u64) -> usize {
    let mut dice = Dice(seed * 7919 + 1);
    let mut deadlocks = 0;
    setup(&mut session, &["SET innodb_lock_wait_timeout = 5"]);
    for _ in 0..120 {
        setup(&mut session, &["BEGIN"]);
        for _ in 0..3 {
            let answer = ask(&mut session, &statement(&mut dice));
            if answer.contains("1213") {
                deadlocks += 1;
                break;
            }
            assert!(!answer.contains("ERROR") || answer.contains("1205"), "{answer}");
        }
        setup(&mut session, &[if dice.below(2) == 0 { "COMMIT" } else { "ROLLBACK" }]);
    }
    deadlocks
}

#[test]
fn who_looks_at_locks_disturbs_nobody() {
    let database = database();
    let mut first = session(&database, 1);
    let table = "CREATE TABLE t (id INT PRIMARY KEY, n INT, name VARCHAR(9), KEY name (name))";
    let filled = "INSERT INTO t VALUES (1, 1, 'n1'), (4, 4, 'n4'), (7, 7, 'n7'), (9, 9, 'n9')";
    setup(&mut first, &["CREATE DATABASE test", "USE test", table, filled]);
    let workers = 4;
    let at_work = AtomicUsize::new(workers);
    let deadlocks = std::thread::scope(|scope| {
        let spawn = |number: usize| {
            let session = guest(&database, number as u64 + 10);
            let at_work = &at_work;
            scope.spawn(move || {
                let deadlocks = work(session, number as u64 + 1);
                at_work.fetch_sub(1, Ordering::SeqCst);
                deadlocks
            })
        };
        let threads: Vec<_> = (0..workers).map(spawn).collect();
        let mut looks = 0;
        while at_work.load(Ordering::SeqCst) > 0 || looks == 0 {
            let locks =
                rows(&mut first, "SELECT ENGINE_LOCK_ID, LOCK_DATA FROM performance_schema.data_locks");
            let ids: HashSet<&String> = locks.iter().filter_map(|row| row.first()).collect();
            assert_eq!(ids.len(), locks.len(), "a lock is listed once: {locks:?}");
            for table in ["data_lock_waits", "metadata_locks", "threads", "events_transactions_current"] {
                rows(&mut first, &format!("SELECT * FROM performance_schema.{table}"));
            }
            rows(&mut first, "SELECT * FROM information_schema.innodb_trx");
            rows(&mut first, "SELECT * FROM sys.innodb_lock_waits");
            rows(&mut first, "SELECT * FROM sys.schema_table_lock_waits");
            let status = ask(&mut first, "SHOW ENGINE INNODB STATUS");
            assert!(status.contains("END OF INNODB MONITOR OUTPUT"), "{status}");
            looks += 1;
        }
        threads.into_iter().map(|thread| thread.join().expect("it works")).sum::<usize>()
    });
    let status = ask(&mut first, "SHOW ENGINE INNODB STATUS");
    assert_eq!(status.contains("LATEST DETECTED DEADLOCK"), deadlocks > 0, "{deadlocks}: {status}");
    for table in ["data_locks", "data_lock_waits"] {
        assert!(rows(&mut first, &format!("SELECT * FROM performance_schema.{table}")).is_empty());
    }
    assert!(rows(&mut first, "SELECT * FROM information_schema.innodb_trx").is_empty());
}

#[test]
fn more_locks_than_are_listed_hide_nobody_who_waits() {
    let database = database();
    let mut holder = session(&database, 1);
    setup(&mut holder, &["CREATE DATABASE test", "USE test", "CREATE TABLE t (id INT PRIMARY KEY, n INT)"]);
    let count = 52_000;
    for part in (0..count).step_by(4000) {
        let values: Vec<String> = (part..part + 4000).map(|id| format!("({id}, 0)")).collect();
        setup(&mut holder, &[&format!("INSERT INTO t VALUES {}", values.join(", "))]);
    }
    setup(&mut holder, &["BEGIN"]);
    let mut answers = Answers::default();
    holder.query("SELECT * FROM t WHERE id < 51000 FOR UPDATE", &mut answers).expect("it locks");
    let mut waiter = guest(&database, 2);
    let mut watcher = guest(&database, 3);
    let one = |watcher: &mut Session, sql: &str| rows(watcher, sql).concat().concat();
    std::thread::scope(|scope| {
        let waits = scope.spawn(move || ask(&mut waiter, "UPDATE t SET n = 1 WHERE id = 50999"));
        while database.engine().locks().waits().is_empty() {
            std::thread::yield_now();
        }
        let listed = one(&mut watcher, "SELECT COUNT(*) FROM performance_schema.data_locks");
        let listed: usize = listed.parse().expect("a number");
        assert!((50_000..50_010).contains(&listed), "{listed}");
        let sql = "SELECT LOCK_DATA FROM performance_schema.data_locks WHERE LOCK_STATUS = 'WAITING'";
        assert_eq!(one(&mut watcher, sql), "50999");
        let sql = "SELECT bl.LOCK_DATA FROM performance_schema.data_lock_waits w JOIN performance_schema.data_locks bl \
                   ON bl.ENGINE_LOCK_ID = w.BLOCKING_ENGINE_LOCK_ID";
        assert_eq!(one(&mut watcher, sql), "50999");
        let sql = "SELECT trx_rows_locked FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = 1";
        let counted: usize = one(&mut watcher, sql).parse().expect("a number");
        // The gap behind the last of them is a lock as well.
        assert!((51_000..51_010).contains(&counted), "{counted}");
        setup(&mut holder, &["ROLLBACK"]);
        assert!(waits.join().expect("it waits").starts_with("ok"));
    });
}
