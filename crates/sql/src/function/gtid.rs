//! Functions of global transaction ids: GTID_SUBSET, GTID_SUBTRACT, WAIT_FOR_EXECUTED_GTID_SET.

use std::time::Duration;

use rustydb_transaction::WaitOptions;
use rustydb_value::ValueRef;

use super::{Call, Function, Invocation, each_int};
use crate::error::SqlError;
use crate::expr::types::{Coercibility, ExprType};
use crate::expr::vector::{Builder, Vector};
use crate::gtid::GtidSet;

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new(
        "gtid_subset",
        (2, 2),
        "Whether all global transaction ids of one set are in another",
        |call| {
            call.to_string(0);
            call.to_string(1);
            Ok(ExprType::boolean())
        },
        subset,
    ),
    Function::new(
        "gtid_subtract",
        (2, 2),
        "The global transaction ids of one set that are not in another",
        bind_subtract,
        subtract,
    ),
    Function::new(
        "wait_for_executed_gtid_set",
        (1, 2),
        "Waits until the server has executed a set of global transaction ids: 0, or 1 when so many seconds are over",
        |call| {
            call.to_string(0);
            if call.args.len() > 1 {
                call.to_double(1);
            }
            Ok(ExprType::int(21))
        },
        wait,
    )
    .volatile()
    .session(),
];

fn bind_subtract(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    call.to_string(1);
    let first = call.args.first().map_or_else(ExprType::boolean, |first| first.ty.clone());
    Ok(ExprType::text(first.length, call.session.settings.collation_connection, Coercibility::Coercible))
}

fn set(text: &str) -> Result<GtidSet, SqlError> {
    GtidSet::parse(text).map_err(SqlError::malformed_gtid_set)
}

/// Both sets of a row; None where one is NULL.
fn both(args: &[Vector], row: usize) -> Result<Option<(GtidSet, GtidSet)>, SqlError> {
    match args {
        [a, b] if !a.is_null(row) && !b.is_null(row) => Ok(Some((set(a.text(row))?, set(b.text(row))?))),
        _ => Ok(None),
    }
}

fn subset(_run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let mut found = Vec::with_capacity(rows);
    for row in 0..rows {
        found.push(both(args, row)?.map(|(a, b)| i64::from(a.is_subset(&b))));
    }
    Ok(each_int(rows, |row| found.get(row).copied().flatten()))
}

fn subtract(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        match both(args, row)? {
            Some((a, b)) => out.push(ValueRef::Text(&a.minus(&b).text())),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn wait(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let Some(sets) = args.first() else { return Ok(Vector::null(rows)) };
    let mut found = Vec::with_capacity(rows);
    for row in 0..rows {
        let text = if sets.is_null(row) { "NULL" } else { sets.text(row) };
        let wanted = GtidSet::parse(text).map_err(|_| SqlError::malformed_gtid_set(text))?;
        let seconds = match args.get(1) {
            Some(seconds) if seconds.is_null(row) => -1.0,
            Some(seconds) => seconds.as_doubles().at(row),
            None => 0.0,
        };
        if seconds < 0.0 {
            return Err(SqlError::wrong_arguments("WAIT_FOR_EXECUTED_GTID_SET."));
        }
        // Zero waits for ever.
        let limit = if seconds == 0.0 { None } else { Duration::try_from_secs_f64(seconds).ok() };
        let wait =
            WaitOptions { lock_wait: limit.unwrap_or(Duration::MAX), cancel: run.context.cancel.clone() };
        let Some(executed) = run.context.session.executed() else { return Ok(Vector::null(rows)) };
        found.push(Some(i64::from(!executed.wait(&wanted, &wait)?)));
    }
    Ok(each_int(rows, |row| found.get(row).copied().flatten()))
}
