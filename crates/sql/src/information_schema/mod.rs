//! `information_schema`: tables whose rows are read from the catalog and the server when they are scanned.
//!
//! Columns have the names, order and types of MySQL 8.4. Tables that describe what is not built (
//! routines, triggers, ...) exist and are empty, because that is what they would be.

mod declaration;
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

pub(crate) use declaration::shell;
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

type Rows = Vec<Vec<Value>>;

struct Listed {
    def: Arc<TableDef>,
    filter: (Option<usize>, Option<usize>),
    rows: fn(&Source<'_>) -> Result<Rows, SqlError>,
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
    let mut tables = Vec::new();
    for declared in declaration::TABLES {
        let def = declaration::definition(declared.name, declared.columns);
        let position = |name: Option<&str>| name.and_then(|n| def.column_index(n));
        let filter = (position(declared.schema), position(declared.table));
        let rows = declared.rows;
        tables.push(Arc::new(Listed { filter, rows, def: Arc::new(def) }) as Arc<dyn VirtualTable>);
    }
    tables
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

/// Whether the filter lets `information_schema` itself through.
pub(crate) fn includes_self(source: &Source<'_>) -> bool {
    source.filter.schema.as_ref().is_none_or(|s| s.eq_ignore_ascii_case(DATABASE))
}
