//! Names in definitions: MySQL's limits and what it refuses in them.

use rustydb_sql_parser::ast::{Ident, ObjectName};

use crate::error::SqlError;
use crate::session::SessionState;

/// The most characters of a name.
const MAX_NAME: usize = 64;

/// Databases whose content is the server's own.
pub(crate) const SYSTEM_DATABASES: &[&str] = &["information_schema", "mysql", "performance_schema", "sys"];

fn malformed(name: &str) -> bool {
    name.is_empty() || name.ends_with(' ') || name.contains('\0')
}

fn check(name: &str, error: fn(&str) -> SqlError) -> Result<(), SqlError> {
    if name.chars().count() > MAX_NAME {
        return Err(SqlError::identifier_too_long(name));
    }
    if malformed(name) {
        return Err(error(name));
    }
    Ok(())
}

/// Refuses what cannot name a database (1059, 1102).
pub(crate) fn check_database(name: &str) -> Result<(), SqlError> {
    check(name, |n| SqlError::wrong_database_name(n))
}

/// Refuses what cannot name a table (1059, 1103).
pub(crate) fn check_table(name: &str) -> Result<(), SqlError> {
    check(name, |n| SqlError::wrong_table_name(n))
}

/// Refuses what cannot name a column (1059, 1166).
pub(crate) fn check_column(name: &str) -> Result<(), SqlError> {
    check(name, |n| SqlError::wrong_column_name(n))
}

/// Refuses what cannot name a secondary index (1059, 1280).
pub(crate) fn check_index(name: &str) -> Result<(), SqlError> {
    check(name, |n| SqlError::wrong_index_name(n))?;
    if name.eq_ignore_ascii_case("PRIMARY") {
        return Err(SqlError::wrong_index_name(name));
    }
    Ok(())
}

/// Refuses what cannot name a constraint (1059, 1280).
pub(crate) fn check_constraint(name: &str) -> Result<(), SqlError> {
    check(name, |n| SqlError::wrong_index_name(n))
}

/// Whether a database is the server's own: it can be read but not changed.
pub(crate) fn is_system_database(name: &str) -> bool {
    SYSTEM_DATABASES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The database and name that `name` means in this session, or error 1046.
pub(crate) fn resolve<'a>(
    name: &'a ObjectName,
    session: &'a SessionState,
) -> Result<(&'a str, &'a str), SqlError> {
    let database = match &name.database {
        Some(database) => database.as_str(),
        None => session.database.as_deref().ok_or_else(SqlError::no_database)?,
    };
    Ok((database, Ident::as_str(&name.name)))
}
