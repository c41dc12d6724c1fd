//! User-level locks: GET_LOCK, RELEASE_LOCK, IS_FREE_LOCK, IS_USED_LOCK, RELEASE_ALL_LOCKS.
//!
//! The locks themselves are in [`crate::database::user_locks`]. A call of one of these is made for every
//! row, since it changes what the next one gives.

use std::time::Duration;

use rustydb_value::ValueRef;

use super::{Call, Function, Invocation, each_int};
use crate::database::user_locks::Acquired;
use crate::error::SqlError;
use crate::expr::types::ExprType;
use crate::expr::vector::{Builder, Vector};

/// The entries.
pub static FUNCTIONS: &[Function] = &[
    Function::new("get_lock", (2, 2), "Takes a named lock, waiting at most so many seconds", bind_get, get)
        .volatile(),
    Function::new("release_lock", (1, 1), "Gives a named lock back", bind_flag, release).volatile(),
    Function::new(
        "release_all_locks",
        (0, 0),
        "Gives all named locks of the session back",
        |_| Ok(ExprType::uint(21).not_null()),
        |run, _, rows| {
            let mut out = Builder::of(run.ty, rows);
            for _ in 0..rows {
                out.push(ValueRef::UInt(run.context.session.user_locks.release_all()));
            }
            Ok(out.finish())
        },
    )
    .volatile(),
    Function::new("is_free_lock", (1, 1), "Whether nobody holds a named lock", bind_flag, is_free).volatile(),
    Function::new(
        "is_used_lock",
        (1, 1),
        "The connection that holds a named lock",
        |call| {
            call.to_string(0);
            Ok(ExprType::uint(21))
        },
        is_used,
    )
    .volatile(),
];

fn bind_flag(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_string(0);
    Ok(ExprType::boolean())
}

fn bind_get(call: &mut Call<'_>) -> Result<ExprType, SqlError> {
    call.to_double(1);
    bind_flag(call)
}

/// The most characters of a name.
const LONGEST: usize = 64;

/// The name of a lock, or error 3057 or 4163.
fn name(vector: &Vector, row: usize) -> Result<String, SqlError> {
    if vector.is_null(row) {
        return Err(SqlError::user_lock_name("NULL"));
    }
    let bytes = vector.bytes(row);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(SqlError::user_lock_name(crate::expr::coerce::shorten(bytes)));
    };
    if text.is_empty() {
        return Err(SqlError::user_lock_name(""));
    }
    if text.chars().count() > LONGEST {
        return Err(SqlError::user_lock_name_too_long(text, LONGEST));
    }
    Ok(text.to_lowercase())
}

fn get(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [lock, timeout] = args else { return Ok(Vector::null(rows)) };
    let mut found = Vec::with_capacity(rows);
    for row in 0..rows {
        let name = name(lock, row)?;
        let seconds = if timeout.is_null(row) { 0.0 } else { timeout.as_doubles().at(row) };
        // A negative timeout waits for ever.
        let limit = if seconds < 0.0 { None } else { Duration::try_from_secs_f64(seconds.round()).ok() };
        let cancel = run.context.cancel;
        found.push(match run.context.session.user_locks.acquire(&name, limit, cancel)? {
            Acquired::Yes => Some(1),
            Acquired::TimedOut => Some(0),
            Acquired::Cancelled => None,
        });
    }
    Ok(each_int(rows, |row| found.get(row).copied().flatten()))
}

fn release(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [lock] = args else { return Ok(Vector::null(rows)) };
    let mut found = Vec::with_capacity(rows);
    for row in 0..rows {
        found.push(run.context.session.user_locks.release(&name(lock, row)?).map(i64::from));
    }
    Ok(each_int(rows, |row| found.get(row).copied().flatten()))
}

fn is_free(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [lock] = args else { return Ok(Vector::null(rows)) };
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        out.push(i64::from(run.context.session.user_locks.owner(&name(lock, row)?).is_none()));
    }
    Ok(Vector::ints(out, None))
}

fn is_used(run: &mut Invocation<'_, '_>, args: &[Vector], rows: usize) -> Result<Vector, SqlError> {
    let [lock] = args else { return Ok(Vector::null(rows)) };
    let mut out = Builder::of(run.ty, rows);
    for row in 0..rows {
        match run.context.session.user_locks.owner(&name(lock, row)?) {
            Some(owner) => out.push(ValueRef::UInt(owner)),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}
