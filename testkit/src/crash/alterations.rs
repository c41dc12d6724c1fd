//! The client that alters tables under the load of the others: an ALTER TABLE is atomic over a crash too.
//!
//! It adds, changes and drops columns `extra_N` and indexes `index_N` of tables that the other clients
//! work on, one statement at a time, and remembers the shape that was acknowledged. Every `extra_N` holds N
//! in every row, those written before it was added and those written since, whatever type it is changed to.

use crate::outcome::{Outcome, outcome};
use mysql::Conn;
use mysql::prelude::Queryable;
use rustydb_testkit::Result;
use rustydb_testkit::random::Random;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is altered. Each has a column `seq`.
const TABLES: [&str; 3] = ["items", "parents", "children"];
/// Columns, and indexes, that a table has in addition at the same time.
const MOST: usize = 3;
/// What a column is changed to and from.
const TYPES: [&str; 3] = ["int", "bigint", "varchar(20)"];
/// The longest pause between two statements, in milliseconds: the others have to come to something too.
const PAUSE: u64 = 60;

/// Additional columns with their types, and additional indexes with their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shape {
    columns: BTreeMap<(&'static str, u64), String>,
    indexes: BTreeMap<(&'static str, u64), Vec<String>>,
}

/// One ALTER TABLE.
#[derive(Debug, Clone)]
enum Step {
    AddColumn(u64),
    Modify(u64, &'static str),
    DropColumn(u64),
    AddIndex(u64, Vec<String>),
    DropIndex(u64),
}

impl Step {
    fn sql(&self, table: &str) -> String {
        let what = match self {
            Step::AddColumn(n) => format!("ADD COLUMN extra_{n} INT NOT NULL DEFAULT {n}"),
            Step::Modify(n, kind) => format!("MODIFY extra_{n} {kind} NOT NULL DEFAULT '{n}'"),
            Step::DropColumn(n) => format!("DROP COLUMN extra_{n}"),
            Step::AddIndex(n, columns) => format!("ADD INDEX index_{n} ({})", columns.join(", ")),
            Step::DropIndex(n) => format!("DROP INDEX index_{n}"),
        };
        format!("ALTER TABLE {table} {what}")
    }
}

impl Shape {
    fn apply(&mut self, table: &'static str, step: &Step) {
        match step {
            Step::AddColumn(n) => drop(self.columns.insert((table, *n), TYPES[0].to_owned())),
            Step::Modify(n, kind) => drop(self.columns.insert((table, *n), (*kind).to_owned())),
            Step::DropColumn(n) => {
                self.columns.remove(&(table, *n));
                // An index loses the column with it.
                let gone = format!("extra_{n}");
                for (_, columns) in self.indexes.iter_mut().filter(|((of, _), _)| *of == table) {
                    columns.retain(|column| *column != gone);
                }
            }
            Step::AddIndex(n, columns) => drop(self.indexes.insert((table, *n), columns.clone())),
            Step::DropIndex(n) => drop(self.indexes.remove(&(table, *n))),
        }
    }

    /// The shape that the server shows.
    fn shown(connection: &mut Conn) -> Result<Shape> {
        let mut shape = Shape::default();
        for table in TABLES {
            for mut row in connection.query::<mysql::Row, _>(format!("SHOW COLUMNS FROM crash.{table}"))? {
                let (name, kind): (Option<String>, Option<String>) = (row.take("Field"), row.take("Type"));
                if let (Some(n), Some(kind)) = (number(name.as_deref(), "extra_"), kind) {
                    shape.columns.insert((table, n), kind);
                }
            }
            // Rows of an index come in the order of its columns.
            for mut row in connection.query::<mysql::Row, _>(format!("SHOW INDEX FROM crash.{table}"))? {
                let name: Option<String> = row.take("Key_name");
                let column: Option<String> = row.take("Column_name");
                if let (Some(n), Some(column)) = (number(name.as_deref(), "index_"), column) {
                    shape.indexes.entry((table, n)).or_default().push(column);
                }
            }
        }
        Ok(shape)
    }
}

fn number(name: Option<&str>, prefix: &str) -> Option<u64> {
    name?.strip_prefix(prefix)?.parse().ok()
}

/// The client and what it has been told.
#[derive(Debug)]
pub(crate) struct Alterations {
    shape: Shape,
    undecided: Option<(&'static str, Step)>,
    next: u64,
    random: Random,
    /// Statements that were acknowledged
    pub(crate) acknowledged: u64,
    /// Statements that a kill left without an answer, and those of them that took effect
    pub(crate) unanswered: u64,
    pub(crate) survived: u64,
}

impl Alterations {
    pub(crate) fn new(seed: u64) -> Alterations {
        Alterations {
            shape: Shape::default(),
            undecided: None,
            next: 0,
            random: Random::new(seed.rotate_left(32)),
            acknowledged: 0,
            unanswered: 0,
            survived: 0,
        }
    }

    /// Runs statements until the connection breaks. An error is a defect of the server.
    pub(crate) fn load(&mut self, connection: &mut Conn) -> std::result::Result<(), String> {
        loop {
            std::thread::sleep(Duration::from_millis(self.random.below(PAUSE)));
            let table = TABLES[self.random.below(TABLES.len() as u64) as usize];
            let step = self.choose(table);
            let sql = step.sql(table);
            self.undecided = Some((table, step.clone()));
            match outcome(connection.query_drop(&sql)) {
                Outcome::Done => {
                    self.undecided = None;
                    self.shape.apply(table, &step);
                    self.acknowledged += 1;
                }
                Outcome::Conflict => self.undecided = None,
                Outcome::Lost => return Ok(()),
                Outcome::Defect(why) => return Err(format!("{sql}: {why}")),
            }
        }
    }

    fn choose(&mut self, table: &'static str) -> Step {
        let of_table = |key: &&(&str, u64)| key.0 == table;
        let columns: Vec<_> = self.shape.columns.keys().filter(of_table).map(|key| key.1).collect();
        let indexes: Vec<_> = self.shape.indexes.keys().filter(of_table).map(|key| key.1).collect();
        let column = self.random.pick(&columns).copied();
        let index = self.random.pick(&indexes).copied();
        match (self.random.below(5), column, index) {
            (0, Some(n), _) if columns.len() == MOST => Step::DropColumn(n),
            (1, _, Some(n)) if indexes.len() == MOST => Step::DropIndex(n),
            (1 | 2, _, _) if indexes.len() < MOST => {
                let first = column.map(|n| format!("extra_{n}"));
                Step::AddIndex(self.fresh(), first.into_iter().chain(["seq".to_owned()]).collect())
            }
            (0 | 3, _, _) if columns.len() < MOST => Step::AddColumn(self.fresh()),
            (_, Some(n), _) => {
                let now = self.shape.columns.get(&(table, n));
                let others: Vec<_> =
                    TYPES.into_iter().filter(|kind| Some(*kind) != now.map(|now| &**now)).collect();
                Step::Modify(n, self.random.pick(&others).copied().unwrap_or(TYPES[0]))
            }
            (_, None, _) => Step::AddColumn(self.fresh()),
        }
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Compares with what the restarted server shows: what was acknowledged is there, what was under way is
    /// there as a whole or not at all, and the columns hold what they have to.
    pub(crate) fn settle(&mut self, connection: &mut Conn) -> Result<std::result::Result<(), String>> {
        let shown = Shape::shown(connection)?;
        let mut with = self.shape.clone();
        if let Some((table, step)) = self.undecided.take() {
            with.apply(table, &step);
            self.unanswered += 1;
            self.survived += u64::from(shown == with);
        }
        if shown != self.shape && shown != with {
            return Ok(Err(format!(
                "the tables' shape is {shown:?}, neither {:?} nor, with the last ALTER TABLE, {with:?}",
                self.shape
            )));
        }
        self.shape = shown;
        for (table, n) in self.shape.columns.keys() {
            let sql = format!("SELECT COUNT(*) FROM crash.{table} WHERE extra_{n} <> {n}");
            let wrong: Option<u64> = connection.query_first(sql)?;
            if wrong != Some(0) {
                return Ok(Err(format!("{wrong:?} rows of {table} hold something else in extra_{n}")));
            }
        }
        for (table, n) in self.shape.indexes.keys() {
            let sql = format!(
                "SELECT (SELECT COUNT(seq) FROM crash.{table} FORCE INDEX (index_{n})), \
                 (SELECT COUNT(*) FROM crash.{table} FORCE INDEX (PRIMARY))"
            );
            match connection.query_first(sql)? {
                Some((by_index, rows)) if by_index == rows => {}
                other => {
                    let other: Option<(u64, u64)> = other;
                    return Ok(Err(format!("index_{n} of {table} and its rows count {other:?}")));
                }
            }
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_column_leaves_the_indexes_of_its_table_only() {
        let mut shape = Shape::default();
        let both = || vec!["extra_1".to_owned(), "seq".to_owned()];
        for step in [Step::AddColumn(1), Step::AddIndex(2, both())] {
            shape.apply("items", &step);
        }
        shape.apply("children", &Step::AddIndex(3, both()));
        shape.apply("items", &Step::DropColumn(1));
        assert!(shape.columns.is_empty());
        assert_eq!(shape.indexes[&("items", 2)], ["seq"]);
        assert_eq!(shape.indexes[&("children", 3)], ["extra_1", "seq"]);
    }
}
