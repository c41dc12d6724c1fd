//! `information_schema`: tables whose rows are read from the catalog and the server when they are scanned.
//!
//! Columns have the names, order and types of MySQL 8.4. Tables that describe what is not built (
//! routines, triggers, ...) exist and are empty, because that is what they would be.

mod declaration;
pub(crate) mod innodb;
mod keys;
pub(crate) mod logs;
mod objects;
mod server;

use std::sync::{Arc, LazyLock};

use rustydb_catalog::{TableDef, ViewDef};
use rustydb_value::Value;

use crate::context::{VirtualFilter, VirtualTable};
use crate::database::Database;
use crate::error::SqlError;
use crate::session::SessionState;
use crate::virtual_database::{self, VirtualDatabase};

pub(crate) use declaration::{Declared, declared, shell};
pub(crate) use objects::{column_default, column_extra, column_key, next_auto_increment};
pub(crate) use server::{ROOT_PRIVILEGES, engines};

/// The name of the database.
pub const DATABASE: &str = "information_schema";

/// What the rows of a virtual table are made from.
pub(crate) struct Source<'a> {
    pub(crate) database: &'a Arc<Database>,
    pub(crate) session: &'a SessionState,
    pub(crate) filter: &'a VirtualFilter,
}

/// The rows of a virtual table.
pub(crate) type Rows = Vec<Vec<Value>>;

/// A table whose rows a function lists.
pub(crate) struct Listed {
    pub(crate) def: Arc<TableDef>,
    pub(crate) filter: (Option<usize>, Option<usize>),
    pub(crate) rows: fn(&Source<'_>) -> Result<Rows, SqlError>,
}

impl VirtualTable for Listed {
    fn definition(&self) -> &Arc<TableDef> {
        &self.def
    }

    fn filter_columns(&self) -> (Option<usize>, Option<usize>) {
        self.filter
    }

    fn rows(
        &self,
        database: &Arc<Database>,
        session: &SessionState,
        filter: &VirtualFilter,
    ) -> Result<Rows, SqlError> {
        (self.rows)(&Source { database, session, filter })
    }
}

static TABLES: LazyLock<Vec<Arc<dyn VirtualTable>>> = LazyLock::new(|| {
    let listed = declaration::TABLES.iter().map(|declared| declared.listed(DATABASE));
    listed.collect()
});

/// The virtual table of this name, in any case.
pub fn table(name: &str) -> Option<Arc<dyn VirtualTable>> {
    TABLES.iter().find(|t| t.definition().name.eq_ignore_ascii_case(name)).cloned()
}

/// All virtual tables, by name.
pub fn tables() -> &'static [Arc<dyn VirtualTable>] {
    &TABLES
}

/// A text cell.
pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A text cell, or NULL.
pub(crate) fn maybe(value: Option<impl Into<String>>) -> Value {
    value.map_or(Value::Null, |v| Value::Text(v.into()))
}

/// The tables that a filter lets through, with their databases, by name.
pub(crate) fn stored_tables(source: &Source<'_>) -> Vec<Arc<TableDef>> {
    let catalog = source.database.catalog();
    let mut databases: Vec<String> = match &source.filter.schema {
        Some(schema) => vec![schema.clone()],
        None => catalog.databases().iter().map(|d| d.name.clone()).collect(),
    };
    databases.sort();
    let mut out = Vec::new();
    for database in databases {
        match &source.filter.table {
            Some(table) => out.extend(catalog.table(&database, table)),
            None => {
                let mut tables = catalog.tables(&database);
                tables.sort_by(|a, b| a.name.cmp(&b.name));
                out.extend(tables);
            }
        }
    }
    out
}

/// The views that a filter lets through, by database and name.
pub(crate) fn stored_views(source: &Source<'_>) -> Vec<Arc<ViewDef>> {
    let catalog = source.database.catalog();
    let mut databases: Vec<String> = match &source.filter.schema {
        Some(schema) => vec![schema.clone()],
        None => catalog.databases().iter().map(|d| d.name.clone()).collect(),
    };
    databases.sort();
    let wanted = |view: &Arc<ViewDef>| source.filter.table.as_ref().is_none_or(|t| *t == view.name);
    databases.iter().flat_map(|database| catalog.views(database)).filter(wanted).collect()
}

/// The databases of computed tables that the filter lets through.
pub(crate) fn virtual_databases(source: &Source<'_>) -> Vec<&'static VirtualDatabase> {
    match &source.filter.schema {
        Some(schema) => virtual_database::find(schema).into_iter().collect(),
        None => virtual_database::ALL.iter().collect(),
    }
}

/// The tables of one of them that the filter lets through.
pub(crate) fn virtual_tables(source: &Source<'_>, home: &VirtualDatabase) -> Vec<Arc<dyn VirtualTable>> {
    match &source.filter.table {
        Some(name) => home.table(name).into_iter().collect(),
        None => home.tables().to_vec(),
    }
}
