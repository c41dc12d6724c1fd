//! The questions to `information_schema`.

use super::index::{IndexInfo, indexes};
use super::table::{ColumnInfo, TableDescription, TableInfo, TableStats, foreign_keys};
use crate::cells::{plain_rows, rows, text};
use crate::driver::Session;
use crate::error::{Error, Result, ServerError};
use crate::row::Row;
use crate::value::ValueRef;
use tokio::time::Instant;

const TABLES: &str = "SELECT * FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE())";
const COLUMNS: &str = "SELECT * FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION";
const INDEXES: &str = "SELECT * FROM information_schema.STATISTICS \
     WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX";
const FOREIGN_KEYS: &str = "SELECT k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, \
     k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE \
     FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
     ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
     AND r.TABLE_NAME = k.TABLE_NAME \
     WHERE k.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND k.TABLE_NAME = ? \
     ORDER BY k.CONSTRAINT_NAME, k.ORDINAL_POSITION";

/// Names of the databases that the account may see, in order.
///
/// # Errors
/// Whatever fails a query.
pub async fn list_databases<S: Session>(session: &mut S, deadline: Instant) -> Result<Vec<String>> {
    let sql = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME";
    let found = plain_rows(session, sql, deadline).await?;
    Ok(found.iter().filter_map(|row| text(row.as_ref(), "SCHEMA_NAME")).collect())
}

/// Tables and views of a database, by name. A database that is not there, or of which the account sees nothing,
/// has none.
///
/// # Errors
/// Whatever fails a query.
pub async fn list_tables<S: Session>(
    session: &mut S,
    database: Option<&str>,
    deadline: Instant,
) -> Result<Vec<TableInfo>> {
    let sql = format!("{TABLES} ORDER BY TABLE_NAME");
    let found = rows(session, &sql, &[optional(database)], deadline).await?;
    Ok(found.iter().filter_map(|row| TableInfo::read(row.as_ref())).collect())
}

/// A table with columns, indexes and foreign keys.
///
/// # Errors
/// 1146 where there is no such table, and whatever fails a query.
pub async fn describe_table<S: Session>(
    session: &mut S,
    database: Option<&str>,
    table: &str,
    deadline: Instant,
) -> Result<TableDescription> {
    let found = one_table(session, database, table, deadline).await?;
    let info = TableInfo::read(found.as_ref()).ok_or_else(|| no_such_table(database, table))?;
    let parameters = [optional(database), ValueRef::String(table)];
    let columns = rows(session, COLUMNS, &parameters, deadline).await?;
    let keys = rows(session, FOREIGN_KEYS, &parameters, deadline).await?;
    Ok(TableDescription {
        table: info,
        columns: columns.iter().filter_map(|row| ColumnInfo::read(row.as_ref())).collect(),
        indexes: list_indexes(session, database, table, deadline).await?,
        foreign_keys: foreign_keys(keys.iter().map(Row::as_ref)),
    })
}

/// Indexes of a table, the primary key first. A table that is not there has none.
///
/// # Errors
/// Whatever fails a query.
pub async fn list_indexes<S: Session>(
    session: &mut S,
    database: Option<&str>,
    table: &str,
    deadline: Instant,
) -> Result<Vec<IndexInfo>> {
    let found = rows(session, INDEXES, &[optional(database), ValueRef::String(table)], deadline).await?;
    Ok(indexes(found.iter().map(Row::as_ref)))
}

/// How large a table is.
///
/// # Errors
/// 1146 where there is no such table, and whatever fails a query.
pub async fn get_table_stats<S: Session>(
    session: &mut S,
    database: Option<&str>,
    table: &str,
    deadline: Instant,
) -> Result<TableStats> {
    let found = one_table(session, database, table, deadline).await?;
    TableStats::read(found.as_ref()).ok_or_else(|| no_such_table(database, table))
}

async fn one_table<S: Session>(
    session: &mut S,
    database: Option<&str>,
    table: &str,
    deadline: Instant,
) -> Result<Row> {
    let sql = format!("{TABLES} AND TABLE_NAME = ?");
    let found = rows(session, &sql, &[optional(database), ValueRef::String(table)], deadline).await?;
    found.into_iter().next().ok_or_else(|| no_such_table(database, table))
}

fn optional(database: Option<&str>) -> ValueRef<'_> {
    database.map_or(ValueRef::Null, ValueRef::String)
}

/// As the server would say it, had it been asked for rows.
fn no_such_table(database: Option<&str>, table: &str) -> Error {
    let name = database.map_or_else(|| table.to_owned(), |database| format!("{database}.{table}"));
    ServerError::new(1146, Some(*b"42S02"), format!("Table '{name}' doesn't exist")).into()
}
