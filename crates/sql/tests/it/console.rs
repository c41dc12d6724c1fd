//! A database in memory and consoles into it that print answers as text.

use std::fmt::Write as _;
use std::sync::Arc;

use rustydb_sql::{
    ColumnMeta, Completion, Database, OpenOptions, Prepared, ResultSink, Session, SessionOptions, SinkClosed,
    SqlError, column_flags,
};
use rustydb_storage::disk::SimulatedDisk;
use rustydb_value::{Value, ValueRef};

/// A fresh database whose clock stands at 2026-01-02 03:04:05 UTC.
pub(crate) fn database() -> Arc<Database> {
    open(&SimulatedDisk::new(7))
}

/// A database on this disk.
pub(crate) fn open(disk: &SimulatedDisk) -> Arc<Database> {
    let clock = disk.clock();
    clock.set_wall_micros(1_767_323_045_000_000);
    let mut options = OpenOptions::new(Arc::new(disk.clone()), clock, Arc::new(disk.clone()));
    options.engine.background = false;
    Database::open(options).expect("the database opens")
}

/// A session of `root@localhost`.
pub(crate) fn session(database: &Arc<Database>, id: u64) -> Session {
    let mut options = SessionOptions::root(id);
    options.multi_statements = true;
    database.session(&options).expect("the session opens")
}

/// Collects the answers to a text.
#[derive(Default)]
pub(crate) struct Answers {
    pub out: String,
    /// The digits behind the point of each column; 31 where they are not fixed
    columns: Option<Vec<u8>>,
    /// Columns are described, and not only named
    describes: bool,
}

impl ResultSink for Answers {
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed> {
        match self.describes {
            true => columns.iter().for_each(|column| self.describe(column)),
            false => {
                let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
                let _ = writeln!(self.out, "{}", names.join(" | "));
            }
        }
        self.columns = Some(columns.iter().map(|c| c.decimals).collect());
        Ok(())
    }

    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        let columns = self.columns.as_deref().expect("columns come before rows");
        assert_eq!(cells.len(), columns.len(), "a row has a cell for each column");
        let texts: Vec<String> = cells
            .iter()
            .zip(columns)
            .map(|(cell, decimals)| match cell {
                ValueRef::Null => "NULL".to_owned(),
                ValueRef::Double(number) if *decimals < 31 => format!("{number:.*}", usize::from(*decimals)),
                ValueRef::Float(number) if *decimals < 31 => format!("{number:.*}", usize::from(*decimals)),
                ValueRef::Bit(bit) => format!("b'{:b}'", bit.value),
                other => String::from_utf8_lossy(&other.to_text()).into_owned(),
            })
            .collect();
        let _ = writeln!(self.out, "{}", texts.join(" | "));
        Ok(())
    }

    fn end(&mut self, completion: &Completion) -> Result<(), SinkClosed> {
        if self.columns.take().is_none() {
            let _ = write!(self.out, "ok");
            if completion.affected_rows > 0 {
                let _ = write!(self.out, ", {} affected", completion.affected_rows);
            }
            if completion.last_insert_id > 0 {
                let _ = write!(self.out, ", id {}", completion.last_insert_id);
            }
            if !completion.info.is_empty() {
                let _ = write!(self.out, ", {}", completion.info);
            }
            let _ = writeln!(self.out);
        }
        if completion.warnings > 0 {
            let _ = writeln!(self.out, "{} warning(s)", completion.warnings);
        }
        Ok(())
    }
}

impl Answers {
    fn describe(&mut self, column: &ColumnMeta) {
        let ColumnMeta { name, ty, length, decimals, collation, flags, .. } = column;
        // MySQL's client sets NUM by the type.
        let flags = flags & !column_flags::NUM;
        let _ = writeln!(self.out, "{name}: {ty:?}({length},{decimals}) collation {collation} flags {flags}");
    }
}

/// The answers to a text with their columns described.
pub(crate) fn ask_described(session: &mut Session, sql: &str) -> String {
    let mut answers = Answers { describes: true, ..Answers::default() };
    if let Err(error) = session.query(sql, &mut answers) {
        let _ = writeln!(answers.out, "{error}");
    }
    answers.out
}

/// The answers to a text, its error as the last line.
pub(crate) fn ask(session: &mut Session, sql: &str) -> String {
    let mut answers = Answers::default();
    if let Err(error) = session.query(sql, &mut answers) {
        let _ = writeln!(answers.out, "{error}");
    }
    answers.out
}

/// The answer of an execution.
pub(crate) fn execute(session: &mut Session, prepared: &mut Prepared, params: &[Value]) -> String {
    let mut answers = Answers::default();
    if let Err(error) = session.execute(prepared, params, &mut answers) {
        let _ = writeln!(answers.out, "{error}");
    }
    answers.out
}

/// Runs statements that have to succeed.
pub(crate) fn setup(session: &mut Session, statements: &[&str]) {
    for sql in statements {
        let mut answers = Answers::default();
        if let Err(error) = session.query(sql, &mut answers) {
            panic!("{sql}: {error}");
        }
    }
}

/// The error of a statement that has to fail.
pub(crate) fn error(session: &mut Session, sql: &str) -> SqlError {
    let mut answers = Answers::default();
    match session.query(sql, &mut answers) {
        Ok(()) => panic!("{sql} succeeded: {}", answers.out),
        Err(error) => error,
    }
}
