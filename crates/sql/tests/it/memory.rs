//! What statements hold that are no rows: texts that expressions make of short ones.
//!
//! Measured by the most that the process ever held, so a test can only miss something that another test of the same
//! process held before it; `cargo nextest` gives each a process of its own.

use crate::console::{ask, database, session, setup};

/// Rows; each makes texts of [`LONG`] bytes.
const ROWS: usize = 400;
const LONG: usize = 150_000;
/// Half of what all texts of a statement would take together.
const MOST: u64 = (ROWS * LONG / 2) as u64;

/// Statements and a line of what each answers.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT COUNT(*) FROM (SELECT LENGTH(RPAD(c, {long}, id)) n FROM t) d WHERE n = {long}", "400"),
    ("SELECT COUNT(*) FROM t WHERE RIGHT(CONCAT(LPAD(c, {long}, '-'), id), 4) = 'ab17'", "1"),
    (
        "SELECT COUNT(*) FROM t WHERE LENGTH(CONCAT(c, @long)) > 5 AND LENGTH(REPLACE(c, 'a', @long)) > id",
        "400",
    ),
    ("SELECT COUNT(*) FROM t WHERE LENGTH(UNCOMPRESS(z)) = {long}", "400"),
    ("SELECT SUM(LENGTH(SPACE({long} + id % 2))) - {long} * 400 FROM t", "200"),
    (
        "SELECT COUNT(*) FROM t WHERE CASE id WHEN 3 THEN 1 WHEN LENGTH(REPEAT(c, {long})) THEN 2 ELSE 3 END = 3",
        "399",
    ),
    (
        "SELECT COUNT(*) FROM t a JOIN t b ON a.id = b.id WHERE REPEAT(a.c, {long}) = REPEAT(b.c, {long})",
        "400",
    ),
    (
        "SELECT COUNT(*) FROM t a JOIN t b ON LENGTH(REPEAT(a.c, {long} + a.id)) = LENGTH(REPEAT(b.c, {long} + b.id))",
        "400",
    ),
    ("SELECT COUNT(*) FROM t a JOIN t b ON b.id = LENGTH(REPEAT(a.c, {long} + a.id)) - {long} * 2", "200"),
    ("SELECT COUNT(*) FROM (SELECT id FROM t ORDER BY LENGTH(REPEAT(c, {long} - id)) LIMIT 7) d", "7"),
    ("SELECT COUNT(*) FROM (SELECT id FROM t ORDER BY LENGTH(REPEAT(c, {long} - id)), id) d", "400"),
    ("SELECT COUNT(DISTINCT LENGTH(REPEAT(c, {long} - id % 3))) FROM t GROUP BY LEFT(SPACE({long}), 1)", "3"),
    ("SELECT MAX(r) FROM (SELECT RANK() OVER (ORDER BY LENGTH(REPEAT(c, {long} - id))) r FROM t) d", "400"),
    ("SELECT MAX(r) FROM (SELECT SUM(LENGTH(SPACE({long})) = id) OVER (ORDER BY id) r FROM t) d", "0"),
    ("SELECT COUNT(*) FROM t WHERE id IN (SELECT LENGTH(REPEAT(c, {long} + id)) - {long} * 2 FROM t)", "200"),
    (
        "SELECT COUNT(*) FROM t WHERE EXISTS (SELECT 1 FROM t s WHERE s.id = t.id AND LENGTH(REPEAT(s.c, {long} + t.id)) > 7)",
        "400",
    ),
    (
        "SELECT COUNT(*) FROM (SELECT LENGTH(SPACE({long} + id)) FROM t UNION SELECT LENGTH(SPACE({long})) FROM t) d",
        "401",
    ),
    ("SELECT COUNT(*) FROM (SELECT DISTINCT RIGHT(SPACE({long} + id), 2) FROM t) d", "1"),
    (
        "UPDATE t SET n = LENGTH(REPEAT(c, {long} + id)) WHERE LENGTH(RPAD(c, {long}, 'x')) > 9",
        "ok, 400 affected",
    ),
    ("INSERT INTO u SELECT id, LENGTH(REPEAT(c, {long})) FROM t", "ok, 400 affected"),
    ("DELETE FROM u WHERE LENGTH(REPEAT('x', {long})) > id", "ok, 400 affected"),
];

/// The most bytes that this process held, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[test]
fn long_texts_exist_a_few_rows_at_a_time() {
    let database = database();
    let mut session = session(&database, 1);
    let long = |text: &str| text.replace("{long}", &LONG.to_string());
    setup(
        &mut session,
        &[
            "CREATE DATABASE test",
            "USE test",
            "CREATE TABLE t (id INT PRIMARY KEY, c VARCHAR(10), z VARBINARY(1000), n INT)",
            "CREATE TABLE u (id INT PRIMARY KEY, n INT)",
            "SET cte_max_recursion_depth = 2000",
            "INSERT INTO t WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 400)
             SELECT i, 'ab', '', 0 FROM n",
        ],
    );
    setup(
        &mut session,
        &[&long("SET @long = REPEAT('y', {long})"), "SET @z = COMPRESS(@long)", "UPDATE t SET z = @z"],
    );
    let Some(mut before) = peak() else {
        eprintln!("skipped: this system does not tell how much memory a process held");
        return;
    };
    let mut failed = Vec::new();
    for (statement, answer) in STATEMENTS {
        let statement = long(statement);
        let given = ask(&mut session, &statement);
        // A change tells more behind a comma.
        let is_answer = |line: &str| {
            line.trim().strip_prefix(answer).is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
        };
        assert!(given.lines().any(is_answer), "{statement}: {given}");
        let after = peak().unwrap_or_default();
        let grown = after.saturating_sub(before);
        if grown > MOST {
            failed.push(format!("{statement} took {} MiB", grown >> 20));
        }
        before = after;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
