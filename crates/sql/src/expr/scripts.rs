//! Runs the scripts in `testscripts/expressions`: an expression, then what it gives.
//!
//! The answers were written by a real MySQL: type, collation, length and decimals, flags, the value as
//! text, and the warnings. `RUSTYDB_SHOW_EXPRESSIONS=1` prints what we answer where it differs.

use std::sync::Arc;
use std::time::Duration;

use rustydb_sql_parser::ast;
use rustydb_storage::disk::Clock;
use rustydb_transaction::{Cancel, CancelReason};
use rustydb_value::ValueRef;

use super::eval::{Frame, evaluate};
use super::types::NOT_FIXED;
use crate::api::{SessionOptions, column_flags};
use crate::context::{BindContext, EvalContext, TableLookup, TableRef, TableUse};
use crate::error::SqlError;
use crate::plan::{Plan, prepare_select};
use crate::session::SessionState;
use crate::variables::{Facts, GlobalVariables};

struct StoppedClock;

impl Clock for StoppedClock {
    fn wall_micros(&self) -> u64 {
        1_588_748_889_000_000
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct NoTables;

impl TableLookup for NoTables {
    fn table(&mut self, database: &str, name: &str, _: TableUse) -> Result<TableRef, SqlError> {
        Err(SqlError::no_such_table(database, name))
    }
}

/// A session without tables.
pub(crate) fn session() -> SessionState {
    let globals = Arc::new(GlobalVariables::new(&Facts::default()));
    SessionState::new(&SessionOptions::root(1), globals, Arc::new(StoppedClock))
}

fn shown_flags(flags: u16) -> String {
    let names = [
        (column_flags::NOT_NULL, "NOT_NULL"),
        (column_flags::UNSIGNED, "UNSIGNED"),
        (column_flags::BINARY, "BINARY"),
        (column_flags::NUM, "NUM"),
    ];
    let set: Vec<&str> = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    set.join(" ")
}

fn shown_type(ty: crate::api::FieldType) -> &'static str {
    use crate::api::FieldType as F;
    match ty {
        F::Tiny => "TINY",
        F::Short => "SHORT",
        F::Long => "LONG",
        F::Float => "FLOAT",
        F::Double => "DOUBLE",
        F::Null => "NULL",
        F::Timestamp => "TIMESTAMP",
        F::LongLong => "LONGLONG",
        F::Int24 => "INT24",
        F::Date => "DATE",
        F::Time => "TIME",
        F::DateTime => "DATETIME",
        F::Year => "YEAR",
        F::Bit => "BIT",
        F::NewDecimal => "NEWDECIMAL",
        F::LongBlob => "LONG_BLOB",
        F::Blob => "BLOB",
        F::VarString => "VAR_STRING",
        F::String => "STRING",
        _ => "?",
    }
}

/// What an expression gives, in the words of the scripts.
fn answer(session: &mut SessionState, text: &str) -> Vec<String> {
    match try_answer(session, text, &Cancel::new()) {
        Ok(lines) => lines,
        Err(error) => vec![format!("error {} {}", error.code, error.message)],
    }
}

fn try_answer(session: &mut SessionState, text: &str, cancel: &Cancel) -> Result<Vec<String>, SqlError> {
    session.warnings.clear();
    let sql = format!("select {text}");
    let statement = rustydb_sql_parser::parse(&sql, &Default::default())
        .map_err(|error| SqlError::syntax(error.near, error.line))?;
    let ast::Statement::Query(query) = &statement else { return Err(SqlError::syntax_usage()) };
    let plan = {
        let mut tables = NoTables;
        let mut context = BindContext { tables: &mut tables, session };
        prepare_select(query, &sql, None, &mut context)?
    };
    let Plan::Project { exprs, .. } = &plan.root else { return Err(SqlError::syntax_usage()) };
    let (Some(expr), Some(meta), Some(ty)) = (exprs.first(), plan.columns().first(), plan.types().first())
    else {
        return Err(SqlError::syntax_usage());
    };
    let mut context = EvalContext { params: &[], session, cancel, row: 0, store: None };
    let vector = evaluate(expr, &Frame::constant(), &mut context)?;
    let value = if vector.is_null(0) {
        "NULL".to_string()
    } else {
        match vector.cell(0, ty) {
            ValueRef::Double(number) if ty.decimals < NOT_FIXED => {
                format!("{number:.*}", usize::from(ty.decimals))
            }
            cell => String::from_utf8_lossy(&cell.to_text()).replace('\0', "\\0"),
        }
    };
    let flags = shown_flags(meta.flags);
    let head =
        format!("{} {} {},{} {flags}", shown_type(meta.ty), meta.collation, meta.length, meta.decimals);
    let mut lines = vec![format!("{} = {value}", head.trim_end())];
    for condition in context.session.warnings.conditions() {
        lines.push(format!("warning {} {}", condition.code, condition.message));
    }
    Ok(lines)
}

/// Runs one script; the lines that differ.
fn differences(script: &str) -> (usize, Vec<String>) {
    let mut session = session();
    let mut out = Vec::new();
    let mut count = 0;
    let mut lines = script.lines().filter(|l| !l.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let Some(expression) = line.strip_prefix("> ") else { continue };
        let mut expected = Vec::new();
        while let Some(next) = lines.next_if(|l| !l.starts_with("> ")) {
            expected.push(next.to_string());
        }
        count += 1;
        let given = answer(&mut session, expression);
        if given != expected {
            out.push(format!(
                "> {expression}\n  expected {}\n  given    {}",
                expected.join(" | "),
                given.join(" | ")
            ));
        }
    }
    (count, out)
}

fn run(name: &str, script: &str) {
    let (count, different) = differences(script);
    assert!(count > 10, "{name} is empty");
    assert!(different.is_empty(), "{name}: {} of {count} differ\n{}", different.len(), different.join("\n"));
}

#[test]
fn arithmetic() {
    run("arithmetic", include_str!("../../testscripts/expressions/arithmetic"));
}

#[test]
fn compare() {
    run("compare", include_str!("../../testscripts/expressions/compare"));
}

#[test]
fn string() {
    run("string", include_str!("../../testscripts/expressions/string"));
}

#[test]
fn charset() {
    run("charset", include_str!("../../testscripts/expressions/charset"));
}

#[test]
fn library() {
    run("library", include_str!("../../testscripts/expressions/library"));
}

#[test]
fn time() {
    run("time", include_str!("../../testscripts/expressions/time"));
}

/// A statement that was cancelled calls no function any more, whatever its rows: one call can take long.
#[test]
fn a_cancelled_statement_calls_nothing() {
    let mut session = session();
    let cancel = Cancel::new();
    assert!(try_answer(&mut session, "upper(connection_id())", &cancel).is_ok());
    for (reason, code) in [(CancelReason::Timeout, 3024), (CancelReason::QueryKilled, 1317)] {
        let cancel = Cancel::new();
        cancel.cancel(reason);
        assert_eq!(try_answer(&mut session, "upper(connection_id())", &cancel).unwrap_err().code, code);
    }
}
