//! How a statement ended, as a client under load has to tell it apart.

use rustydb_testkit::client::code;

/// The end of a statement.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server said OK
    Done,
    /// The server gave way to another transaction: deadlock, lock wait timeout, or a table rebuilt since the
    /// transaction's snapshot
    Conflict,
    /// The connection broke: the server is gone
    Lost,
    /// The server said something that it must not say
    Defect(String),
}

/// Sorts a result.
pub(crate) fn outcome(result: mysql::Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => match code(&error) {
            Some(1205 | 1213 | 1412) => Outcome::Conflict,
            Some(_) => Outcome::Defect(error.to_string()),
            None => Outcome::Lost,
        },
    }
}
