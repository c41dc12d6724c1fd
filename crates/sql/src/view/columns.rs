//! The columns of a view, as DESCRIBE and `information_schema` list them.

use std::sync::Arc;

use crate::context::{BindContext, TableLookup, TableRef, TableRows, TableUse};
use crate::database::Database;
use crate::ddl::derived_column::derived_columns;
use crate::error::SqlError;
use crate::expr::planning::Planning;
use crate::information_schema;
use crate::plan;
use crate::session::SessionState;
use crate::virtual_database;
use rustydb_catalog::{TableDef, ViewDef};

/// The view as a definition with columns and without trees; 1356 if its text means nothing any more.
pub(crate) fn definition(
    view: &ViewDef,
    database: &Database,
    tables: &mut dyn TableLookup,
    session: &SessionState,
) -> Result<TableDef, SqlError> {
    let query = super::read(view)?;
    let own = super::expand::session_of(view, session);
    let mut bind = BindContext { tables, session: own.as_ref().unwrap_or(session) };
    let mut planning = Planning::new(&mut bind, &view.query, Some(&[]));
    planning.views.push((view.database.clone(), view.name.clone()));
    let plan = plan::plan_query(&query, &mut planning).map_err(|e| super::expand::invalid(view, e))?;
    let mut columns = derived_columns(&plan, database.catalog());
    for (column, name) in columns.iter_mut().zip(&view.columns) {
        column.name.clone_from(name);
    }
    for column in &mut columns {
        column.comment.clear();
        column.on_update_now = None;
    }
    let mut def = information_schema::shell(&view.database, &view.name, columns);
    def.created_micros = view.created_micros;
    Ok(def)
}

/// Finds definitions as they are at this moment, without locks: for listings, which promise nothing beyond it.
pub(crate) struct Unlocked<'a>(pub(crate) &'a Database);

impl TableLookup for Unlocked<'_> {
    fn table(&mut self, database: &str, name: &str, _: TableUse) -> Result<TableRef, SqlError> {
        if let Some(table) = virtual_database::find(database)
            .and_then(|home| home.table(name))
            .or_else(|| virtual_database::lone_table(database, name))
        {
            return Ok(TableRef {
                def: Arc::clone(table.definition()),
                rows: TableRows::Virtual(table),
                statistics: None,
            });
        }
        let def = self.0.catalog().table(database, name);
        let def = def.ok_or_else(|| SqlError::no_such_table(database, name))?;
        Ok(TableRef { def, rows: TableRows::Stored, statistics: None })
    }

    fn view(&mut self, database: &str, name: &str) -> Result<Option<Arc<ViewDef>>, SqlError> {
        Ok(self.0.catalog().view(database, name))
    }
}
