//! CREATE TABLE ... AS SELECT.
//!
//! The table has the declared columns that the query does not give, then the query's, each as it was declared where a
//! declaration has its name. Definition and rows commit together: after a crash both are there or neither.

use std::sync::Arc;

use rustydb_catalog::{Catalog, ColumnDef, ColumnDefault, NewColumn, TableDef};
use rustydb_sql_parser::ast::{CreateTable, CreateTableQuery, LoadDuplicates};
use rustydb_value::{Date, DateTime, Value};

use super::derived_column::derived_columns;
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::dml::{self, Changes};
use crate::error::SqlError;
use crate::exec;
use crate::plan::{self, SelectPlan};
use crate::session::SessionState;
use crate::variables::SqlMode;

/// A query that makes a table: its plan and the columns that it gives.
pub(crate) struct Source {
    plan: SelectPlan,
    pub(crate) columns: Vec<NewColumn>,
    ignore: bool,
    replace: bool,
}

/// The column without what does not come along: AUTO_INCREMENT becomes a plain 0, and a zero date is no default
/// where none may be stored.
fn new_column(column: ColumnDef, zero_dates: bool) -> NewColumn {
    let ColumnDef { name, ty, nullable, mut default, on_update_now, visible, comment, .. } = column;
    let zero = |v: &Value| matches!(v, Value::Date(d) if *d == Date::ZERO) || is_zero_time(v);
    if !zero_dates && matches!(&default, Some(ColumnDefault::Literal(v)) if zero(v)) {
        default = None;
    }
    NewColumn {
        name,
        ty,
        nullable,
        default,
        on_update_now,
        auto_increment: false,
        visible,
        comment,
        generated: None,
        explicit_collation: false,
        functional: false,
    }
}

/// Plans the query of a statement that has one.
pub(crate) fn plan_source(
    what: &CreateTable,
    sql: &str,
    params: &[Value],
    tables: &mut dyn TableLookup,
    session: &SessionState,
    catalog: &Catalog,
) -> Result<Option<Source>, SqlError> {
    let Some(CreateTableQuery { duplicates, query }) = what.query.as_deref() else { return Ok(None) };
    let mut bind = BindContext { tables, session };
    let plan = plan::prepare_select(query, sql, Some(params), &mut bind)?;
    let mode = session.settings.sql_mode;
    let zero_dates = !mode.has(SqlMode::NO_ZERO_DATE);
    let columns: Vec<NewColumn> =
        derived_columns(&plan, catalog).into_iter().map(|column| new_column(column, zero_dates)).collect();
    for (at, column) in columns.iter().enumerate() {
        let same = |other: &NewColumn| rustydb_catalog::definitions::same_name(&other.name, &column.name);
        if columns.iter().take(at).any(same) {
            return Err(SqlError::duplicate_column(&column.name));
        }
    }
    Ok(Some(Source {
        plan,
        columns,
        ignore: *duplicates == Some(LoadDuplicates::Ignore),
        replace: *duplicates == Some(LoadDuplicates::Replace),
    }))
}

/// Runs the query and writes its rows into the new table.
pub(crate) fn fill(
    source: &Source,
    def: &Arc<TableDef>,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let targets: Vec<usize> = source.columns.iter().filter_map(|c| def.column_index(&c.name)).collect();
    let rows = exec::Collected::run(&source.plan, "CREATE TABLE ... SELECT", context)?;
    dml::insert_rows(def, &rows, &targets, source.ignore, source.replace, context)
}

fn is_zero_time(value: &Value) -> bool {
    matches!(value, Value::DateTime(at) if at.with_fsp(0) == DateTime::ZERO)
}
