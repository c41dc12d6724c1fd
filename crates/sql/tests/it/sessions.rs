//! What doors ask of a session besides statements: preparing, resetting, killing, limits, tracked changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustydb_sql::database::SlowStatement;
use rustydb_sql::{
    ColumnMeta, Completion, Database, FieldType, OpenOptions, ResultSink, SessionOptions, SinkClosed,
    StateChange, StatusFlags, column_flags,
};
use rustydb_storage::disk::SimulatedDisk;
use rustydb_value::{Value, ValueRef};

use crate::console::{Answers, ask, database, error, execute, session, setup};

fn sample(database: &Arc<Database>, id: u64) -> rustydb_sql::Session {
    let mut session = session(database, id);
    setup(
        &mut session,
        &[
            "CREATE DATABASE IF NOT EXISTS test",
            "USE test",
            "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, n INT, s VARCHAR(20))",
        ],
    );
    session
}

/// Another session of the same database.
fn guest(database: &Arc<Database>, id: u64) -> rustydb_sql::Session {
    let mut session = session(database, id);
    setup(&mut session, &["USE test"]);
    session
}

/// Keeps the last completion and the columns.
#[derive(Default)]
struct Recorder {
    columns: Vec<ColumnMeta>,
    completions: Vec<Completion>,
    rows: usize,
    /// Says no after this many rows.
    limit: Option<usize>,
}

impl ResultSink for Recorder {
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed> {
        self.columns = columns.to_vec();
        Ok(())
    }
    fn row(&mut self, _: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        self.rows += 1;
        if self.limit.is_some_and(|limit| self.rows > limit) { Err(SinkClosed) } else { Ok(()) }
    }
    fn end(&mut self, completion: &Completion) -> Result<(), SinkClosed> {
        self.completions.push(completion.clone());
        Ok(())
    }
}

#[test]
fn prepared_statements_run_with_parameters_of_any_kind() {
    let database = database();
    let mut session = sample(&database, 1);
    let mut insert = session.prepare("INSERT INTO t VALUES (?, ?, ?)").unwrap();
    assert_eq!((insert.params.len(), insert.columns.len()), (3, 0));
    for n in 0..10i64 {
        let values = [Value::Int(n), Value::Int(n * n), Value::Text(format!("row {n}"))];
        assert_eq!(execute(&mut session, &mut insert, &values), "ok, 1 affected\n");
    }
    assert_eq!(
        execute(&mut session, &mut insert, &[Value::Int(3), Value::Null, Value::Null]),
        "ERROR 1062 (23000): Duplicate entry '3' for key 't.PRIMARY'\n"
    );
    let wrong = execute(&mut session, &mut insert, &[Value::Int(3)]);
    assert_eq!(wrong, "ERROR 1210 (HY000): Incorrect arguments to EXECUTE\n");
    let mut get = session.prepare("SELECT n, s FROM t WHERE id = ?").unwrap();
    assert_eq!(get.columns.len(), 2);
    assert_eq!(get.columns[0].ty, FieldType::Long);
    for id in [
        Value::Int(4),
        Value::UInt(4),
        Value::Text("4".into()),
        Value::Double(4.0),
        Value::Text("4.0".into()),
        Value::Int(4),
    ] {
        assert_eq!(execute(&mut session, &mut get, &[id]), "n | s\n16 | row 4\n");
    }
    assert_eq!(execute(&mut session, &mut get, &[Value::Null]), "n | s\n");
    assert_eq!(execute(&mut session, &mut get, &[Value::Int(i64::MAX)]), "n | s\n");
    let mut range = session.prepare("SELECT SUM(n) FROM t WHERE id BETWEEN ? AND ?").unwrap();
    assert_eq!(execute(&mut session, &mut range, &[Value::Int(1), Value::Int(3)]), "SUM(n)\n14\n");
    assert_eq!(execute(&mut session, &mut range, &[Value::Int(8), Value::Int(100)]), "SUM(n)\n145\n");
}

#[test]
fn columns_describe_themselves_as_mysqls() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(&mut session, &["INSERT INTO t VALUES (1, 2, 'x')"]);
    let mut point = Recorder::default();
    session.query("SELECT id, s AS text FROM t AS a WHERE id = 1", &mut point).unwrap();
    let id = &point.columns[0];
    assert_eq!((id.schema.as_str(), id.table.as_str(), id.org_table.as_str()), ("test", "a", "t"));
    assert_eq!((id.name.as_str(), id.org_name.as_str()), ("id", "id"));
    assert_eq!((id.ty, id.length, id.collation), (FieldType::Long, 11, 63));
    assert_eq!(
        id.flags & (column_flags::NOT_NULL | column_flags::PRIMARY_KEY),
        column_flags::NOT_NULL | column_flags::PRIMARY_KEY
    );
    let text = &point.columns[1];
    assert_eq!((text.name.as_str(), text.org_name.as_str()), ("text", "s"));
    assert_eq!((text.ty, text.length, text.collation), (FieldType::VarString, 80, 255));
    // The general executor says the same of the same columns.
    let mut general = Recorder::default();
    session.query("SELECT id, s AS text FROM t AS a WHERE id > 0", &mut general).unwrap();
    assert_eq!(point.columns, general.columns);
}

#[test]
fn status_says_what_the_transaction_is() {
    let database = database();
    let mut session = sample(&database, 1);
    let has = |session: &rustydb_sql::Session, bits| session.status().has(bits);
    assert!(has(&session, StatusFlags::AUTOCOMMIT) && !has(&session, StatusFlags::IN_TRANSACTION));
    ask(&mut session, "BEGIN");
    assert!(has(&session, StatusFlags::IN_TRANSACTION));
    ask(&mut session, "START TRANSACTION READ ONLY");
    assert!(has(&session, StatusFlags::IN_READ_ONLY_TRANSACTION));
    ask(&mut session, "ROLLBACK");
    assert!(!has(&session, StatusFlags::IN_TRANSACTION));
    ask(&mut session, "SET autocommit = 0");
    ask(&mut session, "SELECT 1");
    assert!(!has(&session, StatusFlags::IN_TRANSACTION), "no table, no transaction");
    ask(&mut session, "SELECT * FROM t");
    assert!(has(&session, StatusFlags::IN_TRANSACTION) && !has(&session, StatusFlags::AUTOCOMMIT));
    ask(&mut session, "COMMIT");
    ask(&mut session, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
    assert!(has(&session, StatusFlags::NO_BACKSLASH_ESCAPES));
}

#[test]
fn several_statements_answer_in_turn_and_stop_at_the_first_error() {
    let database = database();
    let mut session = sample(&database, 1);
    let mut sink = Recorder::default();
    session.query("SELECT 1; INSERT INTO t VALUES (1, 1, 'a'); SELECT 2", &mut sink).unwrap();
    let more: Vec<bool> = sink.completions.iter().map(|c| c.more_results).collect();
    assert_eq!(more, [true, true, false]);
    assert!(sink.completions[0].status.has(StatusFlags::MORE_RESULTS));
    let answer = ask(&mut session, "SELECT 3; SELECT nope; SELECT 4");
    assert_eq!(answer, "3\n3\nERROR 1054 (42S22): Unknown column 'nope' in 'field list'\n");
    session.set_multi_statements(false);
    let refused = error(&mut session, "SELECT 1; SELECT 2");
    assert_eq!(refused.code, 1064);
    assert!(refused.message.ends_with("near 'SELECT 2' at line 1"), "{}", refused.message);
    assert_eq!(ask(&mut session, "SELECT 1;  -- done"), "1\n1\n");
}

#[test]
fn a_reset_session_is_like_a_new_one() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(
        &mut session,
        &[
            "SET @a = 5, autocommit = 0, sql_mode = ''",
            "PREPARE p FROM 'SELECT 1'",
            "INSERT INTO t VALUES (9, 9, 'lost')",
        ],
    );
    session.reset().unwrap();
    assert_eq!(
        ask(&mut session, "SELECT @a, @@autocommit, DATABASE()"),
        "@a | @@autocommit | DATABASE()\nNULL | 1 | test\n"
    );
    assert_eq!(ask(&mut session, "SELECT COUNT(*) FROM t"), "COUNT(*)\n0\n");
    assert_eq!(error(&mut session, "EXECUTE p").code, 1243);
    let mut options = SessionOptions::root(1);
    options.user = "other".into();
    session.change_user(&options).unwrap();
    assert_eq!(
        ask(&mut session, "SELECT DATABASE(), USER()"),
        "DATABASE() | USER()\nNULL | other@localhost\n"
    );
    options.database = Some("nope".into());
    assert_eq!(session.change_user(&options).unwrap_err().code, 1049);
}

#[test]
fn changes_of_state_are_told_once() {
    let database = database();
    let mut session = sample(&database, 1);
    session.take_state_changes();
    ask(&mut session, "USE test");
    ask(&mut session, "SET autocommit = 0");
    ask(&mut session, "SET wait_timeout = 100");
    assert_eq!(
        session.take_state_changes(),
        [
            StateChange::Schema("test".into()),
            StateChange::SystemVariable { name: "autocommit".into(), value: "OFF".into() },
        ]
    );
    assert_eq!(session.take_state_changes(), []);
    ask(&mut session, "SET session_track_state_change = 1, session_track_system_variables = '*'");
    session.take_state_changes();
    ask(&mut session, "SET @x = 1");
    assert_eq!(session.take_state_changes(), [StateChange::StateChanged]);
}

#[test]
fn a_killed_statement_ends_its_wait() {
    let database = database();
    let mut holder = sample(&database, 1);
    setup(&mut holder, &["INSERT INTO t VALUES (1, 1, 'a')", "BEGIN", "UPDATE t SET n = 2 WHERE id = 1"]);
    let mut waiter = guest(&database, 2);
    let shared = Arc::clone(&database);
    let thread = std::thread::spawn(move || {
        let first = ask(&mut waiter, "UPDATE t SET n = 3 WHERE id = 1");
        (first, ask(&mut waiter, "SELECT 1"), waiter.must_end())
    });
    let limit = Instant::now() + Duration::from_secs(30);
    while shared.engine().locks().waits().is_empty() {
        assert!(Instant::now() < limit, "the statement never waited");
        std::thread::yield_now();
    }
    let listed = ask(&mut holder, "SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = 2");
    assert_eq!(listed, "INFO\nUPDATE t SET n = 3 WHERE id = 1\n");
    assert_eq!(ask(&mut holder, "KILL QUERY 2"), "ok\n");
    let (killed, after, must_end) = thread.join().unwrap();
    assert_eq!(killed, "ERROR 1317 (70100): Query execution was interrupted\n");
    assert_eq!((after.as_str(), must_end), ("1\n1\n", false), "the session goes on");
    assert_eq!(error(&mut holder, "KILL 77").message, "Unknown thread id: 77");
    assert_eq!(error(&mut holder, "KILL CONNECTION_ID()").code, 1317);
    assert!(holder.must_end());
}

#[test]
fn a_statement_past_its_time_limit_ends() {
    let database = database();
    let mut holder = sample(&database, 1);
    setup(&mut holder, &["INSERT INTO t VALUES (1, 1, 'a')", "BEGIN", "UPDATE t SET n = 2 WHERE id = 1"]);
    let mut other = guest(&database, 2);
    setup(&mut other, &["SET max_execution_time = 1"]);
    assert_eq!(error(&mut other, "SELECT n FROM t WHERE id = 1 FOR UPDATE").code, 3024);
    // Only the one statement ended; on a busy machine a millisecond might not be enough for the next either.
    setup(&mut other, &["SET max_execution_time = 0"]);
    assert_eq!(ask(&mut other, "SELECT n FROM t WHERE id = 1"), "n\n1\n");
}

#[test]
fn a_client_that_goes_away_ends_its_statement_and_leaves_nothing() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(&mut session, &["INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')"]);
    let mut sink = Recorder { limit: Some(1), ..Recorder::default() };
    let error = session.query("SELECT * FROM t", &mut sink).unwrap_err();
    assert_eq!((error.code, sink.rows), (1160, 2));
    ask(&mut session, "BEGIN");
    ask(&mut session, "UPDATE t SET n = 50");
    drop(session);
    let mut next = guest(&database, 2);
    assert_eq!(ask(&mut next, "SELECT SUM(n) FROM t"), "SUM(n)\n6\n");
    assert_eq!(database.processes().count(), 1);
}

#[test]
fn slow_statements_are_reported_without_their_values() {
    let disk = SimulatedDisk::new(3);
    let clock = disk.clock();
    let mut options = OpenOptions::new(Arc::new(disk.clone()), clock, Arc::new(disk.clone()));
    options.engine.background = false;
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    options.slow_statements = Some(Box::new(move |slow: &SlowStatement| {
        assert!(!slow.template.contains("secret"), "{}", slow.template);
        seen.fetch_add(1, Ordering::Relaxed);
    }));
    let database = Database::open(options).unwrap();
    let mut session = sample(&database, 1);
    setup(&mut session, &["SET long_query_time = 0"]);
    let before = count.load(Ordering::Relaxed);
    setup(&mut session, &["INSERT INTO t VALUES (1, 1, 'secret')", "SELECT * FROM t WHERE s = 'secret'"]);
    assert_eq!(count.load(Ordering::Relaxed) - before, 2);
    setup(&mut session, &["SET GLOBAL slow_query_log = OFF"]);
    let before = count.load(Ordering::Relaxed);
    setup(&mut session, &["SELECT 'secret'"]);
    assert_eq!(count.load(Ordering::Relaxed), before);
}

#[test]
fn prepared_statements_are_counted_and_limited() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(&mut session, &["SET GLOBAL max_prepared_stmt_count = 2"]);
    let first = session.prepare("SELECT 1").unwrap();
    let _second = session.prepare("SELECT 2").unwrap();
    let refused = session.prepare("SELECT 3").err().map(|e| e.code);
    assert_eq!(refused, Some(1461));
    drop(first);
    assert!(session.prepare("SELECT 3").is_ok());
}

#[test]
fn super_read_only_refuses_changes() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(&mut session, &["SET GLOBAL super_read_only = ON"]);
    let refused = error(&mut session, "INSERT INTO t VALUES (1, 1, 'x')");
    assert_eq!(refused.code, 1290);
    assert_eq!(error(&mut session, "CREATE TABLE u (a INT)").code, 1290);
    assert_eq!(ask(&mut session, "SELECT COUNT(*) FROM t"), "COUNT(*)\n0\n");
    setup(&mut session, &["SET GLOBAL super_read_only = OFF", "INSERT INTO t VALUES (1, 1, 'x')"]);
}

#[test]
fn passwords_of_ones_own_account() {
    let database = database();
    let mut session = session(&database, 1);
    assert!(!database.user("root", "localhost").unwrap().has_password());
    setup(&mut session, &["ALTER USER 'root'@'localhost' IDENTIFIED BY 'first'"]);
    assert!(database.user("root", "localhost").unwrap().has_password());
    setup(&mut session, &["SET PASSWORD = 'second'"]);
    assert_eq!(error(&mut session, "ALTER USER 'somebody'@'%' IDENTIFIED BY 'x'").code, 1396);
    assert_eq!(error(&mut session, "CREATE USER 'u'@'%' IDENTIFIED BY 'x'").code, 1235);
    assert_eq!(error(&mut session, "GRANT ALL ON *.* TO 'u'@'%'").code, 1235);
    let refused = error(&mut session, "ALTER USER USER() IDENTIFIED WITH sha256_password BY 'x'");
    assert_eq!(refused.message, "Plugin 'sha256_password' is not loaded");
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let database = database();
    let mut session = sample(&database, 1);
    for sql in [
        "CREATE TABLE p (a INT) PARTITION BY HASH (a) PARTITIONS 4",
        "CREATE TABLE x (a INT, KEY ((a + 1)))",
        "ALTER TABLE t ADD INDEX ((id + 1))",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        "CREATE PROCEDURE pr() SELECT 1",
        "CALL pr()",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "SET PERSIST autocommit = 1",
        "HANDLER t OPEN",
    ] {
        let refused = error(&mut session, sql);
        assert_eq!((refused.code, refused.sqlstate), (1235, *b"42000"), "{sql}: {refused}");
    }
    assert_eq!(error(&mut session, "SELECT 1 INTO OUTFILE '/tmp/x'").code, 1290);
    assert_eq!(error(&mut session, "SHOW BINARY LOGS").code, 1381);
    // None of it left a table behind.
    assert_eq!(ask(&mut session, "SHOW TABLES"), "Tables_in_test\nt\n");
}

#[test]
fn the_status_counts_what_happened() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(&mut session, &["INSERT INTO t VALUES (1, 1, 'a')", "SELECT * FROM t WHERE id = 1"]);
    let status = ask(&mut session, "SHOW STATUS LIKE 'Rustydb_point_statements'");
    assert_eq!(status, "Variable_name | Value\nRustydb_point_statements | 2\n");
    assert_eq!(
        ask(&mut session, "SHOW GLOBAL STATUS LIKE 'Com_insert'"),
        "Variable_name | Value\nCom_insert | 1\n"
    );
    assert!(database.registry().render().contains("rustydb_statements_total{kind=\"insert\"} 1"));
    assert!(session.statistics().starts_with("Uptime: "));
    let mut sink = Answers::default();
    session.query("SHOW PROCESSLIST", &mut sink).unwrap();
    assert!(sink.out.contains("SHOW PROCESSLIST"), "{}", sink.out);
}

#[test]
fn a_transaction_that_is_idle_for_too_long_is_rolled_back_and_its_session_told() {
    let database = database();
    let mut a = sample(&database, 1);
    let mut b = guest(&database, 2);
    setup(&mut a, &["INSERT INTO t VALUES (1, 1, 'a')"]);
    assert_eq!(a.idle_transaction_limit(), None);
    setup(&mut a, &["SET idle_transaction_timeout = 7", "SET idle_write_transaction_timeout = 3"]);
    assert_eq!(a.idle_transaction_limit(), None);
    setup(&mut a, &["BEGIN", "SELECT * FROM t"]);
    assert_eq!(a.idle_transaction_limit(), Some(Duration::from_secs(7)));
    setup(&mut a, &["UPDATE t SET id = 2"]);
    assert_eq!(a.idle_transaction_limit(), Some(Duration::from_secs(3)));
    assert_eq!(error(&mut b, "SELECT * FROM t FOR UPDATE NOWAIT").code, 3572);
    a.end_idle_transaction();
    // The locks are free before the session says anything.
    setup(&mut b, &["SELECT * FROM t FOR UPDATE NOWAIT"]);
    let told = error(&mut a, "UPDATE t SET id = 3");
    assert_eq!((told.code, told.sqlstate), (1213, *b"40001"));
    assert!(told.message.contains("idle_transaction_timeout"), "{told}");
    setup(&mut a, &["SELECT 1", "BEGIN"]);
    a.end_idle_transaction();
    setup(&mut a, &["ROLLBACK", "SELECT 1", "XA START 'x'"]);
    a.end_idle_transaction();
    assert_eq!(error(&mut a, "SELECT * FROM t").code, 1613);
    assert_eq!(error(&mut a, "XA END 'x'").code, 1613);
    setup(&mut a, &["XA ROLLBACK 'x'", "COMMIT RELEASE"]);
    assert!(a.must_end());
    assert_eq!(error(&mut a, "SELECT 1").code, 1317);
}

#[test]
fn texts_that_differ_in_their_values_are_parsed_and_planned_once() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(&mut session, &["INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')"]);
    let hits = |session: &mut rustydb_sql::Session| {
        let answer = ask(session, "SHOW GLOBAL STATUS LIKE 'Rustydb_statement_cache_hits'");
        answer.split_whitespace().last().and_then(|n| n.parse::<u64>().ok()).unwrap()
    };
    // `SHOW` itself is found from the third time on.
    for _ in 0..3 {
        hits(&mut session);
    }
    let before = hits(&mut session);
    for id in 1..=3 {
        let answer = ask(&mut session, &format!("SELECT id FROM t WHERE id = {id}"));
        assert_eq!(answer, format!("id\n{id}\n"));
    }
    // The third finds what the second has worked out, and so does each SHOW.
    assert_eq!(hits(&mut session) - before, 2);
    // Values that are no key go the long way and are answered.
    assert_eq!(ask(&mut session, "SELECT id FROM t WHERE id = '2'"), "id\n2\n");
    assert_eq!(ask(&mut session, "SELECT id FROM t WHERE id = '2abc'"), "id\n2\n1 warning(s)\n");
    assert_eq!(ask(&mut session, "SELECT id FROM t WHERE id = 18446744073709551615"), "id\n");
    // What is no such shape keeps its meaning.
    for _ in 0..4 {
        assert_eq!(ask(&mut session, "SELECT id FROM t ORDER BY 1 DESC LIMIT 1"), "id\n3\n");
        assert_eq!(ask(&mut session, "SELECT id AS 'x' FROM t WHERE id = 1"), "x\n1\n");
        assert_eq!(ask(&mut session, "SELECT 7 FROM t WHERE id = 1"), "7\n7\n");
    }
    for (n, m) in [(1, 4), (2, 5), (3, 6), (1, 7)] {
        setup(&mut session, &[&format!("UPDATE t SET n = {m} WHERE id = {n}")]);
    }
    assert_eq!(ask(&mut session, "SELECT SUM(n) FROM t"), "SUM(n)\n18\n");
    // What the compiled form leaves to others is worded as it was written.
    let overflow = error(&mut session, "UPDATE t SET n = n + 2147483647 WHERE id = 1");
    assert_eq!(
        (overflow.code, overflow.message.as_str()),
        (1264, "Out of range value for column 'n' at row 1")
    );
    setup(
        &mut session,
        &["CREATE TABLE big (id INT PRIMARY KEY, n BIGINT UNSIGNED)", "INSERT INTO big VALUES (1, 5)"],
    );
    for n in [1, 1, 22] {
        let sql = format!("UPDATE big SET n = n - {n} WHERE id = 1");
        if n == 22 {
            let below = error(&mut session, &sql);
            assert_eq!(below.code, 1690);
            assert!(below.message.contains("- 22)"), "{}", below.message);
        } else {
            setup(&mut session, &[&sql]);
        }
    }
    // A table of the same name and another shape.
    setup(
        &mut session,
        &["DROP TABLE t", "CREATE TABLE t (id VARCHAR(5), n INT)", "INSERT INTO t VALUES ('1x', 5)"],
    );
    assert_eq!(ask(&mut session, "SELECT id FROM t WHERE id = 1"), "id\n1x\n1 warning(s)\n");
}

#[test]
fn a_text_key_is_looked_up_by_bytes_and_by_text_in_turn() {
    let database = database();
    let mut session = session(&database, 1);
    setup(
        &mut session,
        &[
            "CREATE DATABASE test",
            "USE test",
            "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(6) COLLATE utf8mb4_bin NOT NULL, UNIQUE KEY (s))",
            "INSERT INTO t VALUES (1, 'a'), (2, '1'), (3, 'b')",
            "SET optimizer_disabled_rules = 'point_executor'",
        ],
    );
    let mut prepared = session.prepare("SELECT id FROM t WHERE s = ?").unwrap();
    for (value, expected) in [
        (Value::Bytes(b"1".to_vec()), "id\n2\n"),
        (Value::Text("a".into()), "id\n1\n"),
        (Value::Bytes(b"b".to_vec()), "id\n3\n"),
        (Value::Text("á".into()), "id\n"),
        (Value::Bytes(b"\xff".to_vec()), "id\n"),
    ] {
        assert_eq!(execute(&mut session, &mut prepared, &[value]), expected);
    }
}

#[test]
fn one_plan_serves_joins_by_key_whose_texts_differ_in_their_values() {
    let database = database();
    let mut session = sample(&database, 1);
    setup(
        &mut session,
        &[
            "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c')",
            "CREATE TABLE u (id INT PRIMARY KEY, t INT, v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci, KEY (t))",
            "INSERT INTO u VALUES (1, 3, 'x'), (2, 3, 'Y'), (3, 1, 'z'), (4, NULL, 'w')",
            "ANALYZE TABLE t, u",
        ],
    );
    let hits = |session: &mut rustydb_sql::Session| {
        let answer = ask(session, "SHOW GLOBAL STATUS LIKE 'Rustydb_statement_cache_hits'");
        answer.split_whitespace().last().and_then(|n| n.parse::<u64>().ok()).unwrap()
    };
    for _ in 0..3 {
        hits(&mut session);
    }
    let join = |id: &str, more: &str| {
        format!("SELECT t.n AS n, u.v FROM u JOIN t ON t.id = u.t WHERE u.id = {id} AND u.v <> {more}")
    };
    let before = hits(&mut session);
    for (id, more, wanted) in [
        ("1", "'q'", "n | v\n3 | x\n"),
        ("3", "'q'", "n | v\n1 | z\n"),
        ("2", "'y'", "n | v\n"),
        ("2", "'x'", "n | v\n3 | Y\n"),
        ("4", "''", "n | v\n"),
    ] {
        assert_eq!(ask(&mut session, &join(id, more)), wanted, "{id} {more}");
    }
    // Learned by the second, used by the three after it; each asking for the hits is one as well.
    assert_eq!(hits(&mut session) - before, 4);
    // Values of other kinds are planned for themselves.
    assert_eq!(ask(&mut session, &join("'2'", "'x'")), "n | v\n3 | Y\n");
    assert_eq!(ask(&mut session, &join("2", "5")), "n | v\n3 | Y\n1 warning(s)\n");
    // A range of the primary key, with whatever is made of its rows.
    let range = |to: i32, rows: i32| {
        format!("SELECT n % 2, COUNT(*) FROM t WHERE id <= {to} GROUP BY n % 2 ORDER BY n % 2 LIMIT {rows}")
    };
    for _ in 0..2 {
        assert_eq!(ask(&mut session, &range(3, 5)), "n % 2 | COUNT(*)\n0 | 1\n1 | 2\n");
        assert_eq!(ask(&mut session, &range(1, 5)), "n % 2 | COUNT(*)\n1 | 1\n");
        assert_eq!(ask(&mut session, &range(3, 1)), "n % 2 | COUNT(*)\n0 | 1\n");
    }
    // After a change of a table the template is learned anew.
    setup(&mut session, &["ALTER TABLE u ADD COLUMN more INT DEFAULT 8 FIRST"]);
    let before = hits(&mut session);
    for _ in 0..6 {
        assert_eq!(ask(&mut session, &join("1", "'q'")), "n | v\n3 | x\n");
        assert_eq!(ask(&mut session, &join("3", "'q'")), "n | v\n1 | z\n");
    }
    assert!(hits(&mut session) - before > 6);
    // Another session's limit on rows holds.
    let mut other = guest(&database, 2);
    setup(&mut other, &["SET sql_select_limit = 0"]);
    for id in [1, 3, 1, 3] {
        assert_eq!(ask(&mut other, &join(&id.to_string(), "'q'")), "n | v\n");
    }
}
