//! SHOW of databases, tables, columns, indexes, and the statements that make them.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_sql_parser::ast::{Ident, ObjectName, ShowCreateKind};
use rustydb_value::Value;

use super::create::{self, Style};
use super::{Cell, Listing};
use crate::context::{TableLookup, TableRows, TableUse, VirtualFilter};
use crate::ddl::names;
use crate::error::SqlError;
use crate::information_schema::{self as schema, column_default, column_extra, column_key, maybe, text};
use crate::performance_schema;
use crate::session::Session;
use crate::variables::SqlMode;
use crate::virtual_database;

pub(super) const COLUMNS: [(&str, Cell); 6] = [
    ("Field", Cell::Text(64)),
    ("Type", Cell::Text(65_535)),
    ("Null", Cell::Text(3)),
    ("Key", Cell::Text(3)),
    ("Default", Cell::Text(65_535)),
    ("Extra", Cell::Text(256)),
];

pub(super) const FULL_COLUMNS: [(&str, Cell); 9] = [
    ("Field", Cell::Text(64)),
    ("Type", Cell::Text(65_535)),
    ("Collation", Cell::Text(64)),
    ("Null", Cell::Text(3)),
    ("Key", Cell::Text(3)),
    ("Default", Cell::Text(65_535)),
    ("Extra", Cell::Text(256)),
    ("Privileges", Cell::Text(154)),
    ("Comment", Cell::Text(65_535)),
];

pub(super) const INDEXES: [(&str, Cell); 15] = [
    ("Table", Cell::Text(64)),
    ("Non_unique", Cell::Number),
    ("Key_name", Cell::Text(64)),
    ("Seq_in_index", Cell::Number),
    ("Column_name", Cell::Text(64)),
    ("Collation", Cell::Text(1)),
    ("Cardinality", Cell::Number),
    ("Sub_part", Cell::Number),
    ("Packed", Cell::Text(10)),
    ("Null", Cell::Text(3)),
    ("Index_type", Cell::Text(11)),
    ("Comment", Cell::Text(8)),
    ("Index_comment", Cell::Text(2048)),
    ("Visible", Cell::Text(3)),
    ("Expression", Cell::Text(65_535)),
];

pub(super) const TABLE_STATUS: [(&str, Cell); 18] = [
    ("Name", Cell::Text(64)),
    ("Engine", Cell::Text(64)),
    ("Version", Cell::Number),
    ("Row_format", Cell::Text(10)),
    ("Rows", Cell::Number),
    ("Avg_row_length", Cell::Number),
    ("Data_length", Cell::Number),
    ("Max_data_length", Cell::Number),
    ("Index_length", Cell::Number),
    ("Data_free", Cell::Number),
    ("Auto_increment", Cell::Number),
    ("Create_time", Cell::Moment),
    ("Update_time", Cell::Moment),
    ("Check_time", Cell::Moment),
    ("Collation", Cell::Text(64)),
    ("Checksum", Cell::Number),
    ("Create_options", Cell::Text(256)),
    ("Comment", Cell::Text(2048)),
];

pub(super) const CREATE_TABLE: [(&str, Cell); 2] =
    [("Table", Cell::Text(64)), ("Create Table", Cell::Text(1024))];
pub(super) const CREATE_DATABASE: [(&str, Cell); 2] =
    [("Database", Cell::Text(64)), ("Create Database", Cell::Text(1024))];

/// The database that a SHOW is about: the named one, which must exist, or the default.
pub(super) fn wanted_database(name: Option<&Ident>, session: &Session) -> Result<String, SqlError> {
    let name = match name {
        Some(name) => name.as_str(),
        None => session.current_database().ok_or_else(SqlError::no_database)?,
    };
    if let Some(home) = virtual_database::find(name) {
        return Ok(home.name.to_owned());
    }
    match session.database().catalog().database(name) {
        Some(def) => Ok(def.name.clone()),
        None => Err(SqlError::unknown_database(name)),
    }
}

pub(super) fn databases(session: &Session, pattern: Option<&str>) -> Listing {
    let title = match pattern {
        Some(pattern) => format!("Database ({pattern})"),
        None => "Database".to_owned(),
    };
    let mut listing = Listing::new(&[(&title, Cell::Text(64))]);
    let mut names: Vec<String> =
        session.database().catalog().databases().iter().map(|d| d.name.clone()).collect();
    names.extend(virtual_database::ALL.iter().map(|home| home.name.to_owned()));
    names.sort();
    names.dedup();
    for name in names {
        listing.push(vec![Value::Text(name)]);
    }
    listing
}

pub(super) fn tables(session: &Session, database: &str, full: bool, pattern: Option<&str>) -> Listing {
    let title = match pattern {
        Some(pattern) => format!("Tables_in_{database} ({pattern})"),
        None => format!("Tables_in_{database}"),
    };
    let mut columns = vec![(title.as_str(), Cell::Text(64))];
    if full {
        columns.push(("Table_type", Cell::Text(11)));
    }
    let mut listing = Listing::new(&columns);
    let mut push = |name: &str, kind: &str| {
        let mut row = vec![text(name)];
        if full {
            row.push(text(kind));
        }
        listing.push(row);
    };
    if let Some(home) = virtual_database::find(database) {
        for table in home.tables() {
            push(&table.definition().name, home.table_type);
        }
    } else {
        let catalog = session.database().catalog();
        let tables = catalog.tables(database).into_iter().map(|t| (t.name.clone(), "BASE TABLE"));
        let views = catalog.views(database).into_iter().map(|v| (v.name.clone(), "VIEW"));
        let logs = schema::logs::tables().iter().filter(|_| database == schema::logs::DATABASE);
        let logs = logs.map(|t| (t.definition().name.clone(), "BASE TABLE"));
        let sys = performance_schema::sys::tables().iter();
        let sys = sys.filter(|_| database == performance_schema::sys::DATABASE);
        let sys = sys.map(|t| (t.definition().name.clone(), "VIEW"));
        let mut both: Vec<(String, &str)> = tables.chain(views).chain(logs).chain(sys).collect();
        both.sort();
        for (name, kind) in both {
            push(&name, kind);
        }
    }
    listing
}

/// The rows of `information_schema.TABLES` without the first three columns and the type.
pub(super) fn table_status(session: &mut Session, database: &str) -> Result<Listing, SqlError> {
    let mut listing = Listing::new(&TABLE_STATUS);
    let Some(table) = schema::table("TABLES") else { return Ok(listing) };
    let filter = VirtualFilter { schema: Some(database.to_owned()), table: None };
    let zone = session.state().settings.time_zone;
    for row in table.rows(session.database(), session.state(), &filter)? {
        let mut cells = row.into_iter();
        let (_, _, name, _) = (cells.next(), cells.next(), cells.next(), cells.next());
        let mut shown = vec![name.unwrap_or(Value::Null)];
        shown.extend(cells.map(|cell| match cell {
            Value::DateTime(at) => Value::DateTime(at.to_local(zone).unwrap_or(at)),
            other => other,
        }));
        listing.push(shown);
    }
    Ok(listing)
}

/// The table of this name, for its definition only.
fn definition(session: &mut Session, name: &ObjectName) -> Result<(Arc<TableDef>, bool), SqlError> {
    let (database, table) = {
        let (database, table) = names::resolve(name, session.state())?;
        (database.to_owned(), table.to_owned())
    };
    let server = Arc::clone(session.database());
    session.with_tables(|tables, state, _| {
        if let Some(view) = tables.view(&database, &table)? {
            let def = crate::view::columns::definition(&view, &server, tables, state)?;
            return Ok((Arc::new(def), false));
        }
        let found = tables.table(&database, &table, TableUse::Read)?;
        Ok((found.def, matches!(found.rows, TableRows::Virtual(_))))
    })
}

pub(super) const CREATE_VIEW: [(&str, Cell); 4] = [
    ("View", Cell::Text(64)),
    ("Create View", Cell::Text(1024)),
    ("character_set_client", Cell::Text(32)),
    ("collation_connection", Cell::Text(32)),
];

/// SHOW CREATE VIEW, and SHOW CREATE TABLE of a view; None if the name is not that of a view.
pub(super) fn create_view(session: &mut Session, name: &ObjectName) -> Result<Option<Listing>, SqlError> {
    let (database, view) = {
        let (database, view) = names::resolve(name, session.state())?;
        (database.to_owned(), view.to_owned())
    };
    let server = Arc::clone(session.database());
    let default = session.current_database().map(str::to_owned);
    session.with_tables(|tables, state, _| {
        let Some(view) = tables.view(&database, &view)? else { return Ok(None) };
        // One that means nothing any more is shown all the same, with a warning.
        if let Err(invalid) = crate::view::columns::definition(&view, &server, tables, state) {
            state.warn(&invalid);
        }
        let mut listing = Listing::new(&CREATE_VIEW);
        listing.push(vec![
            text(view.name.as_str()),
            text(crate::view::create_statement(&view, default.as_deref())?),
            text(view.character_set_client.as_str()),
            text(view.collation_connection.as_str()),
        ]);
        Ok(Some(listing))
    })
}

pub(super) fn columns(session: &mut Session, name: &ObjectName, full: bool) -> Result<Listing, SqlError> {
    let (def, is_virtual) = definition(session, name)?;
    let home = virtual_database::find(&def.database).filter(|_| is_virtual);
    let privileges = if let Some(home) = home { home.privileges } else { "select,insert,update,references" };
    let mut listing = if full { Listing::new(&FULL_COLUMNS) } else { Listing::new(&COLUMNS) };
    for (at, column) in def.columns.iter().enumerate() {
        let mut row = vec![text(column.name.as_str()), text(column.ty.full_name())];
        if full {
            row.push(maybe(column.ty.kind.is_text().then(|| column.ty.collation.name())));
        }
        row.push(text(if column.nullable { "YES" } else { "NO" }));
        row.push(text(column_key(&def, at)));
        row.push(maybe(column_default(column)));
        row.push(text(column_extra(column)));
        if full {
            row.push(text(privileges));
            row.push(text(column.comment.as_str()));
        }
        listing.push(row);
    }
    Ok(listing)
}

pub(super) fn indexes(session: &mut Session, name: &ObjectName) -> Result<Listing, SqlError> {
    let (def, is_virtual) = definition(session, name)?;
    let mut listing = Listing::new(&INDEXES);
    let Some(statistics) = schema::table("STATISTICS").filter(|_| !is_virtual) else { return Ok(listing) };
    let filter = VirtualFilter { schema: Some(def.database.clone()), table: Some(def.name.clone()) };
    for row in statistics.rows(session.database(), session.state(), &filter)? {
        // TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, NON_UNIQUE, INDEX_SCHEMA, INDEX_NAME, ...
        let keep = |at: &usize| !matches!(*at, 0 | 1 | 4);
        let cells = row.into_iter().enumerate().filter(|(at, _)| keep(at)).map(|(_, cell)| cell);
        listing.push(cells.collect());
    }
    Ok(listing)
}

fn style(session: &Session) -> Style {
    let settings = &session.state().settings;
    Style { quote: settings.sql_quote_show_create, ansi: settings.sql_mode.has(SqlMode::ANSI_QUOTES) }
}

pub(super) fn create_table(session: &mut Session, name: &ObjectName) -> Result<Listing, SqlError> {
    if let Some(listing) = create_view(session, name)? {
        return Ok(listing);
    }
    let (def, is_virtual) = definition(session, name)?;
    let filter = VirtualFilter::default();
    let next = if is_virtual {
        None
    } else {
        let database = session.database();
        schema::next_auto_increment(
            &schema::Source { database, session: session.state(), filter: &filter },
            &def,
        )?
    };
    let mut listing = Listing::new(&CREATE_TABLE);
    let mut statement = create::create_table(&def, next, style(session));
    if session.is_temporary(&def) {
        statement = statement.replacen("CREATE TABLE", "CREATE TEMPORARY TABLE", 1);
    }
    listing.push(vec![text(def.name.as_str()), text(statement)]);
    Ok(listing)
}

pub(super) fn create_database(
    session: &Session,
    name: &str,
    if_not_exists: bool,
) -> Result<Listing, SqlError> {
    let def = session.database().catalog().database(name);
    let def = def.ok_or_else(|| SqlError::unknown_database(name))?;
    let mut listing = Listing::new(&CREATE_DATABASE);
    let statement = create::create_database(&def, if_not_exists, style(session));
    listing.push(vec![text(def.name.as_str()), text(statement)]);
    Ok(listing)
}

/// The error for SHOW CREATE of what cannot exist yet.
pub(super) fn no_such_object(kind: ShowCreateKind, name: &ObjectName, session: &Session) -> SqlError {
    let (database, object) = match names::resolve(name, session.state()) {
        Ok((database, object)) => (database.to_owned(), object.to_owned()),
        Err(error) => return error,
    };
    match kind {
        ShowCreateKind::Table | ShowCreateKind::View => {
            let virtual_table =
                virtual_database::find(&database).and_then(|home| home.table(&object)).is_some();
            if virtual_table || session.database().catalog().table(&database, &object).is_some() {
                SqlError::wrong_object(database, object, "VIEW")
            } else {
                SqlError::no_such_table(database, object)
            }
        }
        ShowCreateKind::Procedure => SqlError::no_such_routine("PROCEDURE", object),
        ShowCreateKind::Function => SqlError::no_such_routine("FUNCTION", object),
        ShowCreateKind::Trigger => SqlError::no_such_trigger(),
        ShowCreateKind::Event => SqlError::no_such_event(object),
    }
}
