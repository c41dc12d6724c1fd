//! Databases whose tables are computed: `information_schema`, `performance_schema`.
//!
//! They are in no catalog; `mysql` and `sys` are, and have a few computed tables beside those that are stored. Listings show them beside those that are stored, statements find their tables by
//! [`table`], and nothing in them can be changed.

use std::sync::Arc;

use rustydb_value::Collation;

use crate::context::VirtualTable;
use crate::error::SqlError;
use crate::session::SessionState;
use crate::{information_schema, performance_schema};

/// A database of computed tables.
pub(crate) struct VirtualDatabase {
    pub(crate) name: &'static str,
    pub(crate) collation: Collation,
    /// What TABLES says that its tables are.
    pub(crate) table_type: &'static str,
    /// And of which engine.
    pub(crate) engine: Option<&'static str>,
    /// What COLUMNS says that everybody may do with them.
    pub(crate) privileges: &'static str,
    /// Names may be written in any case.
    ignores_case: bool,
    tables: fn() -> &'static [Arc<dyn VirtualTable>],
}

/// All of them, by name.
pub(crate) static ALL: &[VirtualDatabase] = &[
    VirtualDatabase {
        name: information_schema::DATABASE,
        collation: Collation::UTF8MB3_GENERAL_CI,
        table_type: "SYSTEM VIEW",
        engine: None,
        privileges: "select",
        ignores_case: true,
        tables: information_schema::tables,
    },
    VirtualDatabase {
        name: performance_schema::DATABASE,
        collation: Collation::UTF8MB4_0900_AI_CI,
        table_type: "BASE TABLE",
        engine: Some("PERFORMANCE_SCHEMA"),
        privileges: "select,insert,update,references",
        ignores_case: false,
        tables: performance_schema::tables,
    },
];

impl VirtualDatabase {
    fn is_named(&self, own: &str, name: &str) -> bool {
        if self.ignores_case { own.eq_ignore_ascii_case(name) } else { own == name }
    }

    /// All its tables, by name.
    pub(crate) fn tables(&self) -> &'static [Arc<dyn VirtualTable>] {
        (self.tables)()
    }

    /// The table of this name.
    pub(crate) fn table(&self, name: &str) -> Option<Arc<dyn VirtualTable>> {
        self.tables().iter().find(|table| self.is_named(&table.definition().name, name)).cloned()
    }
}

/// A computed table in a database that may have stored ones, too.
pub(crate) fn lone_table(database: &str, name: &str) -> Option<Arc<dyn VirtualTable>> {
    information_schema::logs::table(database, name).or_else(|| performance_schema::sys::table(database, name))
}

/// The error for a change of something in a database that is the server's own.
pub(crate) fn denied(command: &str, database: &str, table: &str, session: &SessionState) -> SqlError {
    match find(database) {
        // As if the account could not be given the privilege.
        Some(home) if home.engine.is_some() => {
            SqlError::command_denied(command, &session.user, &session.host, table)
        }
        _ => SqlError::database_access_denied(&session.account.0, &session.account.1, database),
    }
}

/// The database of this name, if it is one of them.
pub(crate) fn find(name: &str) -> Option<&'static VirtualDatabase> {
    ALL.iter().find(|database| database.is_named(database.name, name))
}
