//! What a column holds when a statement does not say.

use rustydb_catalog::{ColumnDef, ColumnDefault, TableDef};
use rustydb_value::{TypeKind, Value};

use crate::ddl::table::implicit_default;
use crate::error::SqlError;
use crate::session::SessionState;

/// The current time as this column stores it, cut to its digits: TIMESTAMP in UTC.
pub(crate) fn now_for(column: &ColumnDef, session: &SessionState) -> Value {
    let now = match column.ty.kind {
        TypeKind::Timestamp { .. } => session.now_utc(),
        _ => session.now(),
    };
    Value::DateTime(now.truncate(column.ty.kind.fsp()))
}

/// Whether an INSERT must name this column: NOT NULL without a default that would serve.
pub(crate) fn needs_value(column: &ColumnDef) -> bool {
    match &column.default {
        Some(ColumnDefault::Dropped) => true,
        Some(_) => false,
        None => {
            !column.nullable
                && !column.auto_increment
                && column.generated.is_none()
                && !matches!(column.ty.kind, TypeKind::Enum { .. })
        }
    }
}

/// The default of a column; error 1364 (a warning outside strict mode) where there is none.
pub(crate) fn default_of(
    column: &ColumnDef,
    strict: bool,
    session: &mut SessionState,
) -> Result<Value, SqlError> {
    match &column.default {
        Some(ColumnDefault::Literal(value)) => Ok(value.clone()),
        Some(ColumnDefault::CurrentTimestamp { .. }) => Ok(now_for(column, session)),
        // The rules of the table compute them over the row.
        Some(ColumnDefault::Expression(_)) => Ok(Value::Null),
        None if column.generated.is_some() => Ok(Value::Null),
        None if column.nullable || column.auto_increment => Ok(Value::Null),
        None | Some(ColumnDefault::Dropped) => {
            if needs_value(column) {
                let missing = SqlError::no_default(&column.name);
                if strict {
                    return Err(missing);
                }
                session.warn(&missing);
            }
            Ok(implicit_default(&column.ty))
        }
    }
}

/// The values of a row of which nothing is said yet; columns of `given` are filled in by the caller.
pub(crate) fn blank_row(
    table: &TableDef,
    given: &[usize],
    strict: bool,
    session: &mut SessionState,
) -> Result<Vec<Value>, SqlError> {
    let mut row = Vec::with_capacity(table.columns.len());
    for (at, column) in table.columns.iter().enumerate() {
        row.push(if given.contains(&at) { Value::Null } else { default_of(column, strict, session)? });
    }
    Ok(row)
}
