//! ANALYZE TABLE .. UPDATE HISTOGRAM and DROP HISTOGRAM.
//!
//! A histogram is built from a snapshot of the table in a transaction of its own and becomes part of the table's
//! definition in another; a statement that was planned with the definition before is planned anew. As with all
//! maintenance, what cannot be done is a row of the answer.

use rustydb_catalog::{HistogramDef, MAX_BUCKETS, TableDef};
use rustydb_sql_parser::ast::{HistogramChange, ObjectName};
use rustydb_transaction::Isolation;

use super::Session;
use super::maintain::COLUMNS;
use super::query::{Left, Scope};
use crate::context::{TableLookup, TableRows, TableUse};
use crate::ddl::names;
use crate::error::SqlError;
use crate::information_schema::text;
use crate::plan::statistics::histogram;
use crate::show::Listing;
use std::sync::Arc;

/// Buckets of a histogram of which the statement says nothing.
const DEFAULT_BUCKETS: u64 = 100;

/// Msg_type and Msg_text.
type Message = (&'static str, String);

impl Session {
    pub(super) fn change_histograms(
        &mut self,
        tables: &[ObjectName],
        change: &HistogramChange,
    ) -> Result<Listing, SqlError> {
        let buckets = change.buckets.unwrap_or(DEFAULT_BUCKETS);
        if !(1..=MAX_BUCKETS as u64).contains(&buckets) {
            return Err(SqlError::new(
                1690,
                b"22003",
                "Number of buckets value is out of range in 'ANALYZE TABLE'",
            ));
        }
        let mut columns: Vec<&str> = change.columns.iter().map(|column| column.as_str()).collect();
        columns.sort_unstable_by_key(|name| name.to_lowercase());
        if let Some(pair) =
            columns.windows(2).find(|pair| rustydb_catalog::definitions::same_name(pair[0], pair[1]))
        {
            return Err(SqlError::duplicate_column(pair[1]));
        }
        if change.data.is_some() {
            return Err(SqlError::not_supported("UPDATE HISTOGRAM .. USING DATA"));
        }
        self.commit_implicitly()?;
        let mut listing = Listing::new(&COLUMNS);
        let mut push = |table: &str, (kind, message): Message| {
            listing.push(vec![text(table), text("histogram"), text(kind), text(message)]);
        };
        let [name] = tables else {
            let message = "Only one table can be specified while modifying histogram statistics.";
            push("", ("Error", message.to_owned()));
            return Ok(listing);
        };
        let (database, table) = {
            let (database, table) = names::resolve(name, &self.state)?;
            (database.to_owned(), table.to_owned())
        };
        let shown = format!("{database}.{table}");
        let messages = self.within(|scope| {
            let messages = match find(scope, &database, &table)? {
                Err(message) => vec![message],
                Ok(def) if change.drop => drop_histograms(scope, &def, &columns)?,
                Ok(def) => {
                    let auto = change.auto_update == Some(true);
                    update_histograms(scope, &def, &columns, buckets as usize, auto)?
                }
            };
            Ok(Left::Used(messages))
        })?;
        messages.into_iter().for_each(|message| push(&shown, message));
        Ok(listing)
    }
}

/// The table, or why it can have no histogram.
fn find(
    scope: &mut Scope<'_>,
    database: &str,
    table: &str,
) -> Result<Result<Arc<TableDef>, Message>, SqlError> {
    let refused =
        |what: &str| Ok(Err(("Error", format!("Cannot create histogram statistics for a {what}."))));
    if scope.tables.is_temporary(database, table) {
        return refused("temporary table");
    }
    if scope.tables.view(database, table)?.is_some() {
        return refused("view");
    }
    match scope.tables.table(database, table, TableUse::Read) {
        Ok(found) if matches!(found.rows, TableRows::Stored) => Ok(Ok(found.def)),
        Ok(_) => refused("view"),
        Err(error) if matches!(error.code, 1146 | 1049) => Ok(Err(("Error", error.message))),
        Err(error) => Err(error),
    }
}

fn update_histograms(
    scope: &mut Scope<'_>,
    def: &Arc<TableDef>,
    columns: &[&str],
    buckets: usize,
    auto_update: bool,
) -> Result<Vec<Message>, SqlError> {
    let mut messages = Vec::with_capacity(columns.len());
    let mut made = Vec::new();
    for name in columns {
        let at = def.column_index(name);
        let Some((at, column)) = at.and_then(|at| Some((at, def.columns.get(at)?))) else {
            messages.push(("Error", format!("The column '{name}' does not exist.")));
            continue;
        };
        let alone = |index: &rustydb_catalog::IndexDef| {
            index.unique
                && matches!(index.columns.as_slice(), [part] if part.column == at && part.prefix.is_none())
        };
        if def.all_indexes().any(alone) {
            let text = format!("The column '{}' is covered by a single-part unique index.", column.name);
            messages.push(("Error", text));
        } else if !histogram::is_supported(&column.ty.kind) {
            messages.push(("Error", format!("The column '{}' has an unsupported data type.", column.name)));
        } else {
            let built = histogram::build(def, at, buckets, scope.database.engine(), scope.cancel)?;
            let updated_micros = scope.database.clock().wall_micros();
            made.push(HistogramDef { updated_micros, auto_update, ..built });
            messages.push(("status", format!("Histogram statistics created for column '{}'.", column.name)));
        }
    }
    let ids: Vec<u32> = made.iter().map(|histogram| histogram.column).collect();
    keep(scope, def, &ids, made)?;
    Ok(messages)
}

fn drop_histograms(
    scope: &mut Scope<'_>,
    def: &Arc<TableDef>,
    columns: &[&str],
) -> Result<Vec<Message>, SqlError> {
    let mut messages = Vec::with_capacity(columns.len());
    let mut ids = Vec::new();
    for name in columns {
        match def.column_index(name).and_then(|at| def.histogram(at)) {
            Some(histogram) => {
                ids.push(histogram.column);
                messages.push(("status", format!("Histogram statistics removed for column '{name}'.")));
            }
            None => messages.push(("Error", format!("No histogram statistics found for column '{name}'."))),
        }
    }
    keep(scope, def, &ids, Vec::new())?;
    Ok(messages)
}

/// Gives the table these histograms in place of those of some columns.
fn keep(
    scope: &mut Scope<'_>,
    def: &Arc<TableDef>,
    columns: &[u32],
    new: Vec<HistogramDef>,
) -> Result<(), SqlError> {
    if columns.is_empty() {
        return Ok(());
    }
    let catalog = scope.database.catalog();
    let mut txn = scope.database.engine().begin(Isolation::ReadCommitted, false);
    match catalog.set_histograms(&mut txn, (&def.database, &def.name), columns, new) {
        Ok(change) => {
            catalog.commit(txn, change)?;
            Ok(())
        }
        Err(error) => {
            txn.rollback()?;
            Err(error.into())
        }
    }
}
