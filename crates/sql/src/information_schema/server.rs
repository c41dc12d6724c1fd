//! What describes the server itself: character sets, engines, connections, privileges.

use rustydb_value::{Charset, Collation, Value};

use super::{Rows, Source, maybe, text};
use crate::error::SqlError;

/// The storage engines, as SHOW ENGINES lists them.
pub(crate) fn engines() -> Rows {
    vec![vec![
        text("InnoDB"),
        text("DEFAULT"),
        text("Supports transactions and row-level locking; RustyDB's own engine under the usual name"),
        text("YES"),
        text("NO"),
        text("YES"),
    ]]
}

pub(super) fn engine_rows(_: &Source<'_>) -> Result<Rows, SqlError> {
    Ok(engines())
}

pub(super) fn character_sets(_: &Source<'_>) -> Result<Rows, SqlError> {
    let row = |charset: Charset| {
        vec![
            text(charset.name()),
            text(charset.default_collation().name()),
            text(charset.description()),
            Value::UInt(u64::from(charset.max_bytes_per_char())),
        ]
    };
    Ok(Charset::ALL.into_iter().map(row).collect())
}

pub(super) fn collations(_: &Source<'_>) -> Result<Rows, SqlError> {
    let mut list: Vec<Collation> = Collation::all().filter(|c| c.is_built()).collect();
    list.sort_by_key(|c| c.name());
    let row = |collation: Collation| {
        vec![
            text(collation.name()),
            text(collation.charset().name()),
            Value::UInt(u64::from(collation.id())),
            text(if collation.is_default() { "Yes" } else { "" }),
            text("Yes"),
            Value::UInt(u64::from(!collation.name().contains("0900_ai"))),
            text(collation.pad_attribute().name()),
        ]
    };
    Ok(list.into_iter().map(row).collect())
}

pub(super) fn applicability(_: &Source<'_>) -> Result<Rows, SqlError> {
    let mut list: Vec<Collation> = Collation::all().filter(|c| c.is_built()).collect();
    list.sort_by_key(|c| c.name());
    Ok(list.into_iter().map(|c| vec![text(c.name()), text(c.charset().name())]).collect())
}

pub(super) fn process_list(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for process in source.database.process_list() {
        rows.push(vec![
            Value::UInt(process.id),
            text(process.user),
            text(process.host),
            maybe(process.database),
            text(process.command.name()),
            Value::Int(i64::try_from(process.time.as_secs()).unwrap_or(i64::MAX)),
            text(process.state),
            maybe(process.statement),
        ]);
    }
    Ok(rows)
}

pub(super) fn plugins(source: &Source<'_>) -> Result<Rows, SqlError> {
    let at = const { crate::variables::registry::position("version") };
    let version = source.database.globals().get(at).as_text().to_owned();
    let row = |name: &str, kind: &str| {
        vec![
            text(name),
            text("1.0"),
            text("ACTIVE"),
            text(kind),
            text(version.as_str()),
            Value::Null,
            Value::Null,
            text("RustyDB"),
            text("built in"),
            text("MIT OR Apache-2.0"),
            text("FORCE"),
        ]
    };
    Ok(vec![
        row("mysql_native_password", "AUTHENTICATION"),
        row("caching_sha2_password", "AUTHENTICATION"),
        row("InnoDB", "STORAGE ENGINE"),
    ])
}

/// The static privileges that root has.
pub(crate) const ROOT_PRIVILEGES: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "RELOAD",
    "SHUTDOWN",
    "PROCESS",
    "FILE",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "SHOW DATABASES",
    "SUPER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "CREATE USER",
    "EVENT",
    "TRIGGER",
    "CREATE TABLESPACE",
    "CREATE ROLE",
    "DROP ROLE",
];

pub(super) fn user_privileges(source: &Source<'_>) -> Result<Rows, SqlError> {
    let mut rows: Rows = Vec::new();
    for user in source.database.catalog().users() {
        for privilege in ROOT_PRIVILEGES {
            rows.push(vec![
                text(format!("'{}'@'{}'", user.name, user.host)),
                text("def"),
                text(*privilege),
                text("YES"),
            ]);
        }
    }
    Ok(rows)
}
