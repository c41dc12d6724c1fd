//! Runs the queries in `testscripts/select` against the tables of its `setup.sql`, in a whole database on a
//! simulated disk. The answers were written by a real MySQL: rows as tab-separated text, or the error.

use std::sync::Arc;

use rustydb_storage::disk::SimulatedDisk;
use rustydb_value::ValueRef;

use crate::api::{ColumnMeta, Completion, ResultSink, SessionOptions, SinkClosed};
use crate::database::{Database, OpenOptions};
use crate::session::Session;

#[derive(Default)]
struct Lines(Vec<String>);

impl ResultSink for Lines {
    fn columns(&mut self, _: &[ColumnMeta]) -> Result<(), SinkClosed> {
        Ok(())
    }
    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        let texts: Vec<String> = cells
            .iter()
            .map(|cell| {
                if cell.is_null() { "NULL".into() } else { String::from_utf8_lossy(&cell.to_text()).replace('\0', "\\0") }
            })
            .collect();
        self.0.push(texts.join("\t"));
        Ok(())
    }
    fn end(&mut self, _: &Completion) -> Result<(), SinkClosed> {
        Ok(())
    }
}

pub(crate) fn session() -> Session {
    let disk = Arc::new(SimulatedDisk::new(1));
    let clock = disk.clock();
    let mut options = OpenOptions::new(disk.clone(), clock, disk);
    options.engine.background = false;
    let database = Database::open(options).unwrap();
    database.session(&SessionOptions::root(1)).unwrap()
}

/// What a statement answers, in the words of the scripts.
pub(crate) fn answer(session: &mut Session, sql: &str) -> Vec<String> {
    let mut lines = Lines::default();
    if let Err(error) = session.query(sql, &mut lines) {
        lines.0.push(error.to_string());
    }
    lines.0
}

fn set_up(session: &mut Session) {
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

/// A statement that collects more than it may hold is refused and leaves the session usable.
#[test]
fn memory_is_bounded() {
    let disk = Arc::new(SimulatedDisk::new(2));
    let clock = disk.clock();
    let mut options = OpenOptions::new(disk.clone(), clock, disk);
    options.engine.background = false;
    options.statement_memory = 64 << 10;
    let database = Database::open(options).unwrap();
    let mut session = database.session(&SessionOptions::root(1)).unwrap();
    for statement in ["create database m", "use m", "create table t (id int primary key, x varchar(200))"] {
        assert!(answer(&mut session, statement).is_empty());
    }
    let rows: Vec<String> = (0..1000).map(|n| format!("({n}, repeat('x', 200))")).collect();
    assert!(answer(&mut session, &format!("insert into t values {}", rows.join(","))).is_empty());
    let refused = answer(&mut session, "select * from t order by x, id desc");
    assert!(refused.iter().any(|l| l.starts_with("ERROR 1038")), "{refused:?}");
    let refused = answer(&mut session, "select distinct concat(id, x) from t");
    assert!(refused.iter().any(|l| l.starts_with("ERROR 3170")), "{refused:?}");
    // A few rows of the same order fit.
    assert_eq!(answer(&mut session, "select id from t order by x, id desc limit 2"), ["999", "998"]);
    assert_eq!(answer(&mut session, "select count(*) from t"), ["1000"]);
}
