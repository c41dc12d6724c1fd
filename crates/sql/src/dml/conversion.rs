//! Values into columns: the session's mode applied, issues turned into errors or warnings.

use rustydb_catalog::ColumnDef;
use rustydb_value::{ColumnType, DateMode, StoreIssue, StoreMode, Value, ValueRef, convert_for_store};

use crate::error::SqlError;
use crate::session::SessionState;
use crate::variables::{Settings, SqlMode};

/// How values are stored under these settings; `ignore` is the IGNORE of a statement.
pub(crate) fn store_mode(settings: &Settings, ignore: bool) -> StoreMode {
    let mode = settings.sql_mode;
    let strict = mode.strict() && !ignore;
    StoreMode {
        strict,
        dates: DateMode {
            no_zero_date: mode.has(SqlMode::NO_ZERO_DATE),
            no_zero_in_date: mode.has(SqlMode::NO_ZERO_IN_DATE),
            allow_invalid_dates: mode.has(SqlMode::ALLOW_INVALID_DATES),
        },
        truncate_fraction: mode.has(SqlMode::TIME_TRUNCATE_FRACTIONAL),
        time_zone: settings.time_zone,
    }
}

/// The error (or warning) that an issue is for this column and row.
pub(crate) fn issue_error(issue: &StoreIssue, column: &str, row: u64) -> SqlError {
    let mut state = *b"HY000";
    if let Ok(known) = <[u8; 5]>::try_from(issue.sqlstate().as_bytes()) {
        state = known;
    }
    SqlError::new(issue.code(), &state, issue.message(column, row))
}

/// The value as the column stores it; `row` counts the rows of the statement from 1.
pub(crate) fn to_column(
    value: &Value,
    column: &ColumnDef,
    row: u64,
    mode: &StoreMode,
    session: &mut SessionState,
) -> Result<Value, SqlError> {
    borrowed_to_column(value.as_ref(), column, row, mode, session)
}

/// The same for a value that lies elsewhere.
pub(crate) fn borrowed_to_column(
    value: ValueRef<'_>,
    column: &ColumnDef,
    row: u64,
    mode: &StoreMode,
    session: &mut SessionState,
) -> Result<Value, SqlError> {
    match convert_for_store(value, &column.ty, mode) {
        Ok(stored) => {
            if let Some(issue) = &stored.issue {
                let condition = issue_error(issue, &column.name, row);
                if issue.is_note() {
                    session.note(&condition);
                } else {
                    session.warn(&condition);
                }
            }
            Ok(stored.value)
        }
        Err(issue) => Err(issue_error(&issue, &column.name, row)),
    }
}

/// The stored form of a DEFAULT, if the column can hold it without any loss.
pub(crate) fn default_value(value: &Value, ty: &ColumnType, session: &SessionState) -> Option<Value> {
    let mut mode = store_mode(&session.settings, false);
    mode.strict = true;
    convert_for_store(value.as_ref(), ty, &mode).ok().map(|stored| stored.value)
}
