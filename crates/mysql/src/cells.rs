//! Reading cells of SHOW and information_schema, whose types differ from server to server.
//!
//! MariaDB gives numbers where MySQL gives texts, texts come as binary strings from some versions, and columns are
//! there or not. What cannot be read is None: a view with a hole is better than none.

use crate::driver::Session;
use crate::error::Result;
use crate::row::{Row, RowRef};
use crate::value::{ToValue, ValueRef};
use std::str::FromStr;
use tokio::time::Instant;

/// A cell as text, whatever its kind; None for NULL.
pub(crate) fn as_text(value: ValueRef<'_>) -> Option<String> {
    Some(match value {
        ValueRef::Null => return None,
        ValueRef::String(text) | ValueRef::Json(text) => text.to_owned(),
        ValueRef::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Bool(value) => u8::from(value).to_string(),
        ValueRef::Int(value) => value.to_string(),
        ValueRef::UInt(value) => value.to_string(),
        ValueRef::Float(value) => value.to_string(),
        ValueRef::Double(value) => value.to_string(),
        ValueRef::Decimal(value) => value.to_string(),
        ValueRef::Date(value) => value.to_string(),
        ValueRef::Time(value) => value.to_string(),
        ValueRef::DateTime(value) | ValueRef::Timestamp(value) => value.to_string(),
    })
}

/// A cell as a number.
pub(crate) fn as_number<N: FromStr>(value: ValueRef<'_>) -> Option<N> {
    as_text(value)?.trim().parse().ok()
}

/// The text in the column of this name.
pub(crate) fn text(row: RowRef<'_>, column: &str) -> Option<String> {
    row.value_of(column).and_then(as_text)
}

/// The number in the column of this name.
pub(crate) fn number<N: FromStr>(row: RowRef<'_>, column: &str) -> Option<N> {
    row.value_of(column).and_then(as_number)
}

/// Whether the column of this name says yes, in any of the ways in which servers say it.
pub(crate) fn is_yes(row: RowRef<'_>, column: &str) -> bool {
    text(row, column).is_some_and(|text| matches!(text.to_ascii_uppercase().as_str(), "YES" | "ON" | "1"))
}

/// Every row of a statement with parameters.
pub(crate) async fn rows<S: Session, P: ToValue + Sync>(
    session: &mut S,
    sql: &str,
    parameters: &[P],
    deadline: Instant,
) -> Result<Vec<Row>> {
    let (statement, mut results) = session.prepare_execute(sql, parameters, deadline).await?;
    let rows = results.owned_rows().await;
    let rows = match rows {
        Ok(rows) => results.finish().await.map(|_| rows),
        Err(error) => Err(error),
    };
    // Asked now and then: not worth a place in the statement cache.
    session.close_statement(&statement);
    rows
}

/// Every row of a statement as text.
pub(crate) async fn plain_rows<S: Session>(
    session: &mut S,
    sql: &str,
    deadline: Instant,
) -> Result<Vec<Row>> {
    let mut results = session.query(sql, deadline).await?;
    let rows = results.owned_rows().await?;
    results.finish().await?;
    Ok(rows)
}
