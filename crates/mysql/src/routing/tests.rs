//! Statements and where they go: one table per rule, each with the looks that mislead a simpler reader.

use super::*;
use proptest::prelude::*;

fn class(sql: &str) -> StatementClass {
    Router::new(RouterOptions::default()).classify(sql)
}

fn reads(statements: &[&str]) {
    for sql in statements {
        assert_eq!(class(sql).access, Access::Read, "{sql}: {:?}", class(sql));
    }
}

fn writes(reason: Reason, statements: &[&str]) {
    for sql in statements {
        let class = class(sql);
        assert_eq!((class.access, class.reason), (Access::Write, reason), "{sql}: {class:?}");
    }
}

#[test]
fn reads_go_to_replicas_however_they_are_dressed() {
    reads(&[
        "SELECT 1",
        "  /* UPDATE */ select a from t where b = 'INTO' -- FOR UPDATE",
        "(SELECT a FROM t) UNION ALL (SELECT b FROM u) ORDER BY 1 LIMIT 3",
        "((SELECT 1))",
        "TABLE t ORDER BY a",
        "VALUES ROW(1, 2)",
        "WITH a AS (SELECT 1 AS `update`) SELECT * FROM a",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
        "SELECT t.into, t.`for` FROM t",
        "SELECT INSERT('abc', 1, 2, 'x'), (REPLACE(a, 'x', 'y')), (INSERT(a, 1, 1, 'z')) FROM t",
        "SELECT @@version, @@session.sql_mode, @@global.read_only",
        "SELECT SUBSTRING(a FROM 2 FOR 3), EXTRACT(YEAR FROM d) FROM t USE INDEX FOR ORDER BY (i)",
        "SELECT 1;",
        "SELECT 1; SHOW TABLES;",
        "SELECT next, value, previous FROM t",
        "SHOW CREATE TABLE t",
        "SHOW GRANTS FOR CURRENT_USER",
        "DESC t",
        "describe t col",
        "EXPLAIN UPDATE t SET a = 1",
        "EXPLAIN INSERT INTO t SELECT 1",
        "EXPLAIN SELECT * FROM t FOR UPDATE",
        "EXPLAIN ANALYZE SELECT 1",
        "ANALYZE FORMAT=JSON SELECT 1",
        "EXPLAIN FORMAT=JSON WITH a AS (SELECT 1) DELETE FROM t",
        "HELP 'x'",
        "CHECKSUM TABLE t",
        "SELECT 1 /*!80000 + 1 */",
        r"SELECT 'it\'s', 'a\\'",
    ]);
}

#[test]
fn what_changes_data_or_the_server_goes_to_the_primary() {
    writes(
        Reason::Writes,
        &[
            "INSERT INTO t VALUES (1)",
            "/* c */ replace t values (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "CALL p()",
            "DO SLEEP(1)",
            "CREATE TABLE t (a INT)",
            "ALTER TABLE t ADD b INT",
            "DROP TABLE t",
            "TRUNCATE t",
            "RENAME TABLE a TO b",
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "LOCK TABLES t READ",
            "UNLOCK TABLES",
            "GRANT SELECT ON *.* TO a",
            "KILL 5",
            "ANALYZE TABLE t",
            "ANALYZE LOCAL TABLE t",
            "ANALYZE UPDATE t SET a = 1",
            "EXPLAIN ANALYZE DELETE a FROM a JOIN b",
            "SET GLOBAL max_connections = 5",
            "START REPLICA",
            "WITH a AS (SELECT 1) UPDATE t SET b = 1",
            "WITH a AS (SELECT 1) DELETE FROM t WHERE b IN (SELECT * FROM a)",
            "WITH a AS (SELECT 1), b AS (SELECT 2) INSERT INTO t SELECT * FROM a",
            "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
            "SELECT * FROM (INSERT INTO t VALUES (1) RETURNING a) x",
            "SELECT 1; DELETE FROM t",
            "BEGIN NOT ATOMIC SELECT 1; END",
        ],
    );
    writes(Reason::Unknown, &["", "-- nothing", "FROBNICATE t", "12", "WITH", "SELECT 'a", "SELECT /* a"]);
}

#[test]
fn locks_files_and_functions_that_write_go_to_the_primary() {
    writes(
        Reason::LocksRows,
        &[
            "SELECT * FROM t FOR UPDATE",
            "SELECT * FROM t for/**/update nowait",
            "SELECT * FROM t FOR SHARE SKIP LOCKED",
            "SELECT * FROM t LOCK IN SHARE MODE",
            "SELECT * FROM (SELECT * FROM t FOR UPDATE) x",
            "WITH a AS (SELECT * FROM t FOR UPDATE) SELECT * FROM a",
        ],
    );
    writes(
        Reason::Into,
        &["SELECT a INTO OUTFILE 'x' FROM t", "SELECT a INTO @a FROM t", "SELECT a FROM t INTO DUMPFILE 'x'"],
    );
    writes(
        Reason::Function,
        &[
            "SELECT GET_LOCK('a', 1)",
            "SELECT 1 + nextval(s)",
            "SELECT NEXT VALUE FOR s",
            "SELECT s.NEXTVAL",
            "SELECT group_replication_set_as_primary('x')",
            "SELECT release_all_locks ()",
        ],
    );
    writes(
        Reason::SessionState,
        &[
            "SELECT @a",
            "SELECT @a := 1",
            "SELECT LAST_INSERT_ID()",
            "SELECT @@last_insert_id",
            "SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1",
            "SET NAMES utf8mb4",
            "USE db",
            "PREPARE p FROM 'SELECT 1'",
            "EXPLAIN FOR CONNECTION 5",
        ],
    );
    writes(
        Reason::TransactionControl,
        &["BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT a", "XA START 'x'"],
    );
}

#[test]
fn what_only_one_reading_shows_counts() {
    // With NO_BACKSLASH_ESCAPES the first text ends early, with ANSI_QUOTES the second.
    writes(Reason::Into, &[r"SELECT '\' INTO OUTFILE 'x' -- '", r#"SELECT "\" INTO OUTFILE 'x' -- ""#]);
    writes(
        Reason::LocksRows,
        &["SELECT 1 FROM t /*!99999 FOR UPDATE */", "SELECT 1 FROM t /*M!100000 FOR UPDATE*/"],
    );
    // The server takes what is left when the version comment is none of its own.
    writes(Reason::Writes, &["/*!99999 SELECT */ DELETE FROM t", "/*!99999 SELECT 1; */ DELETE FROM t"]);
}

#[test]
fn hints_send_reads_to_the_primary_or_vouch_for_functions() {
    writes(
        Reason::PrimaryHint,
        &["SELECT /*+ PRIMARY */ 1", "SELECT /*+ MAX_EXECUTION_TIME(5) primary */ 1"],
    );
    reads(&["SELECT /*+ INDEX(t PRIMARY) */ a FROM t", "SELECT '/*+ PRIMARY */'", "SELECT /* PRIMARY */ 1"]);

    let options =
        RouterOptions { writing_functions: vec!["Next_Number".to_owned()], ..RouterOptions::default() };
    let router = Router::new(options);
    assert_eq!(router.classify("SELECT db.next_number(1)").reason, Reason::Function);
    assert_eq!(router.classify("SELECT `NEXT_NUMBER`(1)").access, Access::Write);
    assert_eq!(router.classify("SELECT next_number FROM t").access, Access::Read);
    let vouched = router.classify("SELECT /*+ REPLICA */ next_number(1)");
    assert_eq!((vouched.access, vouched.reason), (Access::Read, Reason::ReplicaHint));
    // It vouches for functions, not for locks or built-in functions.
    for sql in ["SELECT /*+ REPLICA */ next_number(1) FOR UPDATE", "SELECT /*+ REPLICA */ NEXTVAL(s)"] {
        assert_eq!(router.classify(sql).access, Access::Write, "{sql}");
    }
}

#[test]
fn marks_say_what_a_statement_leaves_behind() {
    let marked = |marks: Marks, statements: &[&str]| {
        for sql in statements {
            assert!(class(sql).marks.contains(marks), "{sql}: {:?}", class(sql));
        }
    };
    let unmarked = |marks: Marks, statements: &[&str]| {
        for sql in statements {
            assert!(!class(sql).marks.contains(marks), "{sql}: {:?}", class(sql));
        }
    };
    marked(Marks::BEGINS, &["BEGIN WORK", "START TRANSACTION READ ONLY", "XA BEGIN 'x'"]);
    marked(Marks::READ_ONLY, &["START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"]);
    unmarked(Marks::READ_ONLY, &["START TRANSACTION READ WRITE", "BEGIN"]);
    marked(Marks::ENDS, &["COMMIT", "ROLLBACK", "ROLLBACK WORK", "CREATE TABLE t (a INT)", "TRUNCATE t"]);
    unmarked(
        Marks::ENDS,
        &["ROLLBACK TO a", "ROLLBACK WORK TO SAVEPOINT a", "CREATE TEMPORARY TABLE t (a INT)"],
    );
    marked(
        Marks::SESSION_STATE,
        &[
            "SET @a = 1",
            "SET SESSION sql_mode = ''",
            "SET GLOBAL a = 1, SESSION b = 2",
            "USE db",
            "CREATE TEMPORARY TABLE t (a INT)",
            "SELECT 1 INTO @a",
            "SELECT GET_LOCK('a', 1)",
            "CALL p(@out)",
            "LOCK TABLES t READ",
            "SELECT 1; SET @a = 2",
        ],
    );
    unmarked(
        Marks::SESSION_STATE,
        &[
            "SELECT @a",
            "SET GLOBAL a = 1",
            "SET PASSWORD = 'x'",
            "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
            "CREATE PROCEDURE p() BEGIN SET @a = 1; COMMIT; END",
            "DROP TEMPORARY TABLE t",
        ],
    );
    marked(
        Marks::DEFINITION,
        &["DROP TABLE t", "SELECT 1; TRUNCATE t", "CREATE OR REPLACE VIEW v AS SELECT 1"],
    );
    unmarked(Marks::DEFINITION, &["INSERT INTO `create` VALUES ('DROP TABLE t')"]);
    marked(Marks::LOADS, &["LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "load xml infile 'x' into table t"]);
    marked(Marks::SEVERAL, &["SELECT 1; SELECT 2", "BEGIN; COMMIT"]);
    unmarked(
        Marks::SEVERAL,
        &["SELECT ';'", "SELECT 1 ;;", "CREATE FUNCTION f() RETURNS INT BEGIN RETURN 1; END"],
    );

    assert!(class("SELECT a FROM t").is_unbounded_read());
    assert!(!class("SELECT a FROM t LIMIT 5").is_unbounded_read());
    assert!(!class("SELECT a FROM t WHERE b = 1").is_unbounded_read());
    assert!(class("SELECT (SELECT 1 FROM u WHERE c) FROM t").is_unbounded_read());
    assert!(!class("SELECT NOW()").is_unbounded_read());
    assert!(class("DELETE FROM t").is_unbounded_write());
    assert!(!class("UPDATE t SET a = (SELECT 1) WHERE b = 1").is_unbounded_write());
    assert!(class("UPDATE t SET a = (SELECT 1 FROM u WHERE c)").is_unbounded_write());
}

#[test]
fn a_long_insert_is_told_by_its_first_word_and_still_hides_nothing() {
    let rows = "('x'),".repeat(5000);
    assert_eq!(class(&format!("INSERT INTO t VALUES {rows} ('y')")).kind, StatementKind::Insert);
    let two = class(&format!("INSERT INTO t VALUES {rows} ('y'); DROP TABLE t"));
    assert!(two.changes_definitions() && two.marks.contains(Marks::SEVERAL));
}

#[test]
fn a_session_with_a_transaction_or_state_stays_on_the_primary_until_reset() {
    let router = Router::new(RouterOptions::default());
    let mut pin = SessionPin::default();
    assert_eq!(router.decide("SELECT 1", pin).target, Target::Replica);
    pin.ran(router.classify("BEGIN"), true, false);
    let inside = router.decide("SELECT 1", pin);
    assert!(inside.pinned && inside.target == Target::Primary);
    pin.ran(router.classify("COMMIT"), false, false);
    assert_eq!(router.decide("SELECT 1", pin).target, Target::Replica);
    pin.ran(router.classify("SET @a = 1"), false, false);
    assert_eq!(router.decide("SELECT 1", pin).target, Target::Primary);
    pin.reset();
    pin.ran(router.classify("SELECT f()"), false, true);
    assert!(pin.holds() && !pin.in_transaction());
}

#[test]
fn a_write_that_only_the_server_knew_is_learned() {
    let router = Router::new(RouterOptions::default());
    let sql = "SELECT my_sequence()";
    assert_eq!(router.decide(sql, SessionPin::FREE).target, Target::Replica);
    router.learn_write(sql);
    let decision = router.decide(sql, SessionPin::FREE);
    assert_eq!((decision.target, decision.reason), (Target::Primary, Reason::Learned));
    let off = Router::new(RouterOptions { split_reads: false, ..RouterOptions::default() });
    assert_eq!(off.decide("SELECT 1", SessionPin::FREE).target, Target::Primary);
}

/// Pieces that make texts which look like statements.
const PIECES: [&str; 40] = [
    "SELECT",
    "FROM",
    "t",
    "INTO",
    "OUTFILE",
    "'x'",
    "FOR",
    "UPDATE",
    "(",
    ")",
    ";",
    "WITH",
    "AS",
    "INSERT",
    "REPLACE",
    "DELETE",
    "BEGIN",
    "SET",
    "@a",
    ":=",
    "@@x",
    "/*!80000",
    "*/",
    "/*",
    "/*+ PRIMARY */",
    "--",
    "\n",
    "'",
    "\"",
    "`",
    "\\",
    "EXPLAIN",
    "ANALYZE",
    "NEXT",
    "VALUE",
    ".",
    "CREATE",
    "PROCEDURE",
    "LOCK",
    "IN",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics_and_the_primary_gets_whatever_bears_a_lock_outside_quotes(
        pieces in proptest::collection::vec(0..PIECES.len(), 0..14)
    ) {
        let text: Vec<_> = pieces.iter().map(|piece| PIECES[*piece]).collect();
        let text = text.join(" ");
        class(&text);
        let quiet = !text.contains(['\'', '"', '`', '/', '-', '.', ';']);
        if quiet && text.contains("FOR UPDATE") && !text.contains("EXPLAIN") {
            prop_assert_eq!(class(&text).access, Access::Write);
        }
    }
}
