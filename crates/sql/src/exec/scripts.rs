//! Runs the queries in `testscripts/select` against the tables of its `setup.sql`, in a whole database on a
//! simulated disk. The answers were written by a real MySQL: rows as tab-separated text, or the error.

use std::sync::Arc;

use rustydb_storage::disk::SimulatedDisk;
use rustydb_value::ValueRef;

use crate::api::{ColumnMeta, Completion, ResultSink, SessionOptions, SinkClosed};
use crate::database::{Database, OpenOptions};
use crate::session::Session;

/// The rows as a client sees them, and the digits behind the point of each column; 31 where they are not fixed.
#[derive(Default)]
struct Lines(Vec<String>, Vec<u8>);

impl ResultSink for Lines {
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed> {
        self.1 = columns.iter().map(|column| column.decimals).collect();
        Ok(())
    }
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        let texts: Vec<String> = cells
            .iter()
            .zip(&self.1)
            .map(|(cell, decimals)| match cell {
                ValueRef::Null => "NULL".into(),
                ValueRef::Double(number) if *decimals < 31 => format!("{number:.*}", usize::from(*decimals)),
                cell => String::from_utf8_lossy(&cell.to_text()).replace('\0', "\\0"),
            })
            .collect();
        self.0.push(texts.join("\t"));
        Ok(())
    }
    fn end(&mut self, _: &Completion) -> Result<(), SinkClosed> {
        Ok(())
    }
}

/// An empty database and a session of root.
pub(crate) fn open() -> (Arc<Database>, Session) {
    let disk = Arc::new(SimulatedDisk::new(1));
    let clock = disk.clock();
    let mut options = OpenOptions::new(disk.clone(), clock, disk);
    options.engine.background = false;
    let database = Database::open(options).unwrap();
    let session = database.session(&SessionOptions::root(1)).unwrap();
    (database, session)
}

fn session() -> Session {
    open().1
}

/// What a statement answers, in the words of the scripts.
pub(crate) fn answer(session: &mut Session, sql: &str) -> Vec<String> {
    let mut lines = Lines::default();
    if let Err(error) = session.query(sql, &mut lines) {
        lines.0.push(error.to_string());
    }
    lines.0
}

/// Makes the scripts' tables.
pub(crate) fn set_up(session: &mut Session) {
    for statement in include_str!("../../testscripts/select/setup.sql").split_inclusive(";\n") {
        if !statement.trim().is_empty() {
            let given = answer(session, statement.trim().trim_end_matches(';'));
            assert!(given.is_empty(), "{statement}: {given:?}");
        }
    }
}

fn run(script: &str) {
    let mut session = session();
    set_up(&mut session);
    let (mut count, mut different) = (0, Vec::new());
    let mut lines = script.lines().filter(|l| !l.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let Some(query) = line.strip_prefix("> ") else { continue };
        let mut expected = Vec::new();
        while let Some(next) = lines.next_if(|l| !l.starts_with("> ")) {
            expected.push(next.to_string());
        }
        count += 1;
        let given = answer(&mut session, query);
        if given != expected {
            different.push(format!("> {query}\n  expected {expected:?}\n  given    {given:?}"));
        }
    }
    assert!(count > 10, "the script is empty");
    assert!(different.is_empty(), "{} of {count} differ\n{}", different.len(), different.join("\n"));
}

#[test]
fn one_table_and_joins() {
    run(include_str!("../../testscripts/select/queries"));
}

#[test]
fn conditions_and_forms() {
    run(include_str!("../../testscripts/select/conditions"));
}

#[test]
fn subqueries_that_look_out() {
    run(include_str!("../../testscripts/select/subqueries"));
}

#[test]
fn groups_and_aggregates() {
    run(include_str!("../../testscripts/select/groups"));
}

#[test]
fn tables_that_mention_themselves() {
    run(include_str!("../../testscripts/select/recursive"));
}

#[test]
fn window_functions() {
    run(include_str!("../../testscripts/select/windows"));
}

#[test]
fn set_operations_and_joins() {
    run(include_str!("../../testscripts/select/sets"));
}

/// Statements that take parameters run the same plan with other values and types.
#[test]
fn parameters_may_change_their_kind() {
    use rustydb_value::Value;
    let mut session = session();
    set_up(&mut session);
    let mut prepared = session.prepare("select i from a where i >= ? and i < ? order by i").unwrap();
    let mut given = |params: &[Value]| {
        let mut lines = Lines::default();
        session.execute(&mut prepared, params, &mut lines).unwrap();
        lines.0
    };
    assert_eq!(given(&[Value::Int(1), Value::Int(3)]), ["1", "2"]);
    assert_eq!(given(&[Value::Int(3), Value::Int(3)]), Vec::<String>::new());
    assert_eq!(given(&[Value::Double(1.5), Value::Int(4)]), ["2", "3"]);
    assert_eq!(given(&[Value::Text("2".into()), Value::Text("4".into())]), ["2", "3"]);
    assert_eq!(given(&[Value::Null, Value::Int(4)]), Vec::<String>::new());
    assert_eq!(given(&[Value::Int(5), Value::UInt(u64::MAX)]), ["5", "6"]);
}

#[test]
fn found_rows_counts_past_the_limit_when_asked() {
    let mut session = session();
    set_up(&mut session);
    for (query, rows, found) in [
        ("select x from h order by x limit 2", 2, "2"),
        ("select sql_calc_found_rows x from h order by x limit 2", 2, "5"),
        ("select sql_calc_found_rows x from h limit 1 offset 1", 1, "5"),
        ("select sql_calc_found_rows x from h where x = 1 limit 10", 2, "2"),
        ("select sql_calc_found_rows x from h limit 0", 0, "5"),
        ("select sql_calc_found_rows x from h limit 3 offset 10", 0, "5"),
    ] {
        assert_eq!(answer(&mut session, query).len(), rows, "{query}");
        assert_eq!(answer(&mut session, "select found_rows()"), [found], "{query}");
    }
}

/// A limit for queries that have none of their own.
#[test]
fn sql_select_limit_bounds_results() {
    let mut session = session();
    set_up(&mut session);
    let count = |session: &mut Session, sql: &str| answer(session, sql).len();
    let queries = ["select x from h", "select x from h union all select x from h", "select x from h limit 4"];
    assert_eq!(queries.map(|sql| count(&mut session, sql)), [5, 10, 4]);
    answer(&mut session, "set sql_select_limit = 2");
    assert_eq!(queries.map(|sql| count(&mut session, sql)), [2, 2, 4]);
    // Only what is sent is cut, not what is read for it.
    assert_eq!(answer(&mut session, "select count(*) from (select x from h) d"), ["5"]);
    answer(&mut session, "set sql_select_limit = default");
    assert_eq!(queries.map(|sql| count(&mut session, sql)), [5, 10, 4]);
}

/// A statement that collects more than it may hold spills, or is refused and leaves the session usable.
#[test]
fn memory_is_bounded() {
    let disk = Arc::new(SimulatedDisk::new(2));
    let clock = disk.clock();
    let mut options = OpenOptions::new(disk.clone(), clock, disk);
    options.engine.background = false;
    options.statement_memory = 1 << 20;
    let database = Database::open(options).unwrap();
    let mut session = database.session(&SessionOptions::root(1)).unwrap();
    for statement in ["create database m", "use m", "create table t (id int primary key, x varchar(200))"] {
        assert!(answer(&mut session, statement).is_empty());
    }
    for part in 0..10 {
        let rows: Vec<String> =
            (0..1000).map(|n| format!("({}, repeat('x', 200))", part * 1000 + n)).collect();
        assert!(answer(&mut session, &format!("insert into t values {}", rows.join(","))).is_empty());
    }
    // What does not fit goes on in temporary files.
    let sorted = answer(&mut session, "select id from t order by x, id desc");
    assert_eq!((sorted.len(), sorted[0].as_str(), sorted[9_999].as_str()), (10_000, "9999", "0"));
    assert_eq!(answer(&mut session, "select distinct concat(id, x) from t").len(), 10_000);
    // What has to be held is refused beyond it.
    let refused = answer(&mut session, "select json_arrayagg(x) from t");
    assert!(refused.iter().any(|l| l.starts_with("ERROR 3170")), "{refused:?}");
    // A few rows of the same order fit.
    assert_eq!(answer(&mut session, "select id from t order by x, id desc limit 2"), ["9999", "9998"]);
    assert_eq!(answer(&mut session, "select count(*) from t"), ["10000"]);
}

/// Locking reads keep others from what they found, and under READ COMMITTED from nothing else.
#[test]
fn locking_reads_hold_what_they_found() {
    let (database, mut first) = open();
    set_up(&mut first);
    let mut second = database.session(&SessionOptions::root(2)).unwrap();
    let run = |session: &mut Session, statements: &[&str]| {
        let mut last = Vec::new();
        for statement in statements {
            last = answer(session, statement);
        }
        last
    };
    run(&mut second, &["use t1", "set innodb_lock_wait_timeout = 1"]);
    let found = run(&mut first, &["begin", "select name from b where name = 'two' for update"]);
    assert_eq!(found, ["two"]);
    let refused = run(&mut second, &["begin", "select id from b where id = 3 for update nowait"]);
    assert!(refused[0].starts_with("ERROR 3572"), "{refused:?}");
    // Plain reads and other rows are free.
    assert_eq!(run(&mut second, &["select name from b where id = 3"]), ["two"]);
    assert_eq!(run(&mut second, &["select name from b where id = 1 for share"]), ["one"]);
    run(&mut second, &["rollback"]);
    run(&mut first, &["rollback"]);

    // Without an index every row is met; READ COMMITTED lets go of those that do not match.
    let level = "set session transaction isolation level read committed";
    run(&mut first, &[level]);
    assert_eq!(run(&mut first, &["begin", "select y from h where x = 3 for update"]), ["c"]);
    assert_eq!(run(&mut second, &[level, "begin", "select y from h where x = 2 for update nowait"]).len(), 1);
    let refused = run(&mut second, &["select y from h where x = 3 for update nowait"]);
    assert!(refused[0].starts_with("ERROR 3572"), "{refused:?}");
    assert_eq!(run(&mut second, &["select y from h for update skip locked"]), ["a", "NULL", "b", "z"]);
}
